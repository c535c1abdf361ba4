use super::*;

#[test]
fn a_prefix_ends_where_a_part_of_the_path_ends() {
    let is_for = |prefix: &str, target: &str| {
        let path = PathMatch::Prefix(prefix.to_owned());
        Match { path, ..Match::ANY }.is_for("GET", target, "", |_, _| false)
    };
    for prefix in ["/products", "/products/"] {
        assert!(is_for(prefix, "/products"));
        assert!(is_for(prefix, "/products/1?q=/"));
        assert!(is_for(prefix, "/products?q=lamp"));
        assert!(!is_for(prefix, "/productsale"));
        assert!(!is_for(prefix, "/"));
    }
    assert!(is_for("/", "/anything"));
}

/// 100 permits give a window of 10 s enough outcomes when a call holds one for a second, and too
/// few when its work goes on for a minute more.
#[test]
fn work_that_outlasts_its_call_starves_the_breaker_as_a_long_timeout_does() {
    let mut route = crate::call::Config::plain(Duration::from_secs(1), 1).routes.remove(0);
    route.guard.breaker = Some(crate::policy::breaker::Config::default());
    route.guard.bulkhead = Some(crate::policy::bulkhead::Config::Fixed(10));
    assert_eq!(route.findings(None), []);
    route.outlasts = Duration::from_secs(60);
    assert!(matches!(route.findings(None)[..], [Finding::Starved(_)]));
}

#[test]
fn a_wider_rule_covers_a_narrower_one() {
    let rule = |path: PathMatch, methods: &[&str]| {
        let methods = methods.iter().map(|method| (*method).to_owned()).collect();
        Match { path, methods, ..Match::ANY }
    };
    let prefix = |path: &str| PathMatch::Prefix(path.to_owned());
    let exact = |path: &str| PathMatch::Exact(path.to_owned());
    let wide = rule(prefix("/x"), &[]);
    for narrow in [prefix("/x"), prefix("/x/y"), exact("/x"), exact("/x/y")] {
        assert!(wide.covers(&rule(narrow.clone(), &["GET"])), "{narrow:?}");
    }
    assert!(!wide.covers(&rule(prefix("/xy"), &[])));
    assert!(!wide.covers(&rule(PathMatch::Any, &["GET"])));
    assert!(!rule(exact("/x"), &[]).covers(&wide));
    assert!(!rule(prefix("/x"), &["GET"]).covers(&wide));
    assert!(Match::ANY.covers(&wide));
}

fn host(pattern: &str) -> HostMatch {
    let below = |domain: &str| HostMatch::Below(domain.to_owned());
    pattern.strip_prefix("*.").map_or_else(|| HostMatch::Exact(pattern.to_owned()), below)
}

fn fields(fields: &[&str]) -> Match {
    let field = |text: &&str| {
        let (name, value) = text.split_once('=').map_or((*text, None), |(n, v)| (n, Some(v)));
        FieldMatch { name: name.to_owned(), value: value.map(str::to_owned) }
    };
    Match { fields: fields.iter().map(field).collect(), ..Match::ANY }
}

#[test]
fn a_host_matches_in_any_case_and_with_any_port() {
    let is_for = |pattern: &str, of: &str| host(pattern).is_for(without_port(of));
    for of in ["a.test", "A.Test", "a.test:8080", "a.test:"] {
        assert!(is_for("a.test", of) && is_for("*.test", of), "{of}");
        assert!(!is_for("*.a.test", of), "{of}");
    }
    assert!(is_for("*.test", "b.a.test"));
    for of in ["", ".test", "test", "atest", "b.test.a", "a.tést"] {
        assert!(!is_for("*.test", of), "{of}");
    }
    assert!(is_for("[::1]", "[::1]:80") && is_for("[::1]", "[::1]"));
}

#[test]
fn a_wider_host_covers_a_narrower_one_and_fewer_fields_cover_more() {
    let hosts = |wide: &str, narrow: &str| host(wide).covers(&host(narrow));
    assert!(hosts("*.test", "a.test") && hosts("*.test", "*.a.test") && hosts("*.a", "*.a"));
    assert!(!hosts("a.test", "*.test") && !hosts("*.a.test", "*.test") && !hosts("a", "b"));
    assert!(HostMatch::Any.covers(&host("a")) && !host("a").covers(&HostMatch::Any));
    let covers = |wide: &[&str], narrow: &[&str]| fields(wide).covers(&fields(narrow));
    assert!(covers(&["X-A"], &["x-a=1"]) && covers(&["X-A=1"], &["X-A=1", "X-B"]));
    assert!(!covers(&["X-A=1"], &["X-A"]) && !covers(&["X-A", "X-B"], &["X-A"]));
}

#[test]
fn all_parts_must_match() {
    let path = PathMatch::Exact("/a".to_owned());
    let methods = vec!["GET".to_owned(), "HEAD".to_owned()];
    let rule = Match { path, methods, host: host("a"), ..fields(&["X-A", "X-B=1"]) };
    let is_for = |method, target, host, values: [&str; 2]| {
        rule.is_for(method, target, host, |name, value| {
            let of_it = if name == "X-A" { values[0] } else { values[1] };
            !of_it.is_empty() && value.is_none_or(|value| value == of_it)
        })
    };
    assert!(is_for("GET", "/a?b", "a:1", ["x", "1"]));
    assert!(!is_for("POST", "/a", "a", ["x", "1"]));
    assert!(!is_for("GET", "/a/b", "a", ["x", "1"]));
    assert!(!is_for("GET", "/a", "b", ["x", "1"]));
    assert!(!is_for("GET", "/a", "a", ["x", "2"]));
    assert!(!is_for("GET", "/a", "a", ["", "1"]));
    assert!(Match::ANY.is_for("DELETE", "*", "", |_, _| false));
}
