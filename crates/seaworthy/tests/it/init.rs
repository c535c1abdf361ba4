//! `seaworthy init`: what it writes can be used as it is, and nothing is overwritten.

use std::fs;

use seaworthy_core::fleet::{Fleet, RawFleet};

use crate::world::{World, code_and_words};

fn fleet(text: &str) -> Fleet {
    let raw: RawFleet = toml::from_str(text).unwrap();
    Fleet::try_from(raw).unwrap()
}

/// The same file with everything said that is commented out.
fn said(text: &str) -> String {
    let said = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => {
            rest.to_owned()
        }
        _ => line.to_owned(),
    };
    text.lines().map(said).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_commented_out_is_the_default() {
    let world = World::new();
    let (code, words) = code_and_words(&world.run(&["init", "--", "sh", "a \"b\" {name}\n"]));
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("seaworthy check fleet.toml\n  seaworthy up fleet.toml"), "{words}");
    let text = fs::read_to_string(world.path("fleet.toml")).unwrap();
    let plain = fleet(r#"service.web.command = ["sh", "a \"b\" {name}\n"]"#);
    assert_eq!(fleet(&text), plain);

    let (defaults, examples) = text.split_once("# Off by default.").unwrap();
    assert_eq!(fleet(&said(defaults)), plain);
    assert_ne!(said(defaults), defaults);
    // The examples are good, too, and are examples of something.
    let all = fleet(&[&said(defaults), "\n#", &said(examples)].concat());
    let cluster = &all.services[0].cluster;
    assert!(cluster.autoscaling.is_some() && cluster.deployment.canary.is_some());
    assert!(cluster.limits.memory_soft.is_some() && all.agent.listen.is_some());

    let (code, words) = code_and_words(&world.run(&["check", "fleet.toml"]));
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("fleet.toml: 0 cannot work, 0 to look at"), "{words}");
    world.assert_nothing_is_left();
}

#[test]
fn no_service_is_called_as_a_task_is() {
    let world = World::new();
    let (code, words) = code_and_words(&world.run(&["init", "--name", "task-1", "--", "store"]));
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("--name task-1: so tasks are called"), "{words}");
    assert!(!world.path("fleet.toml").exists());
}

#[test]
fn nothing_is_overwritten_unless_that_is_wanted() {
    let world = World::new();
    world.write("mine.toml", "mine");
    let arguments = ["init", "--file", "mine.toml", "--name", "shop"];
    let command = ["--", "node", "server.js"];
    let run = |more: &[&str]| code_and_words(&world.run(&[&arguments, more, &command].concat()));
    let (code, words) = run(&[]);
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("mine.toml: is there already; --force writes it anew"), "{words}");
    assert_eq!(fs::read_to_string(world.path("mine.toml")).unwrap(), "mine");

    let (code, words) = run(&["--force"]);
    assert_eq!(code, Some(0), "{words}");
    let text = fs::read_to_string(world.path("mine.toml")).unwrap();
    assert_eq!(fleet(&text).services[0].name, "shop");
    assert!(!text.contains("#:schema"));
    // No half-written file of ours is left beside it.
    let names = fs::read_dir(world.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, ["mine.toml", "temporary"]);
}

#[test]
fn a_schema_beside_the_file_is_named_in_it() {
    let world = World::new();
    world.write("fleet.schema.json", "{}");
    assert_eq!(world.run(&["init", "--", "a"]).status.code(), Some(0));
    let text = fs::read_to_string(world.path("fleet.toml")).unwrap();
    assert!(text.starts_with("#:schema ./fleet.schema.json\n# A fleet"), "{text}");
}

#[test]
fn what_would_be_no_fleet_is_not_written() {
    let world = World::new();
    let cases: [(&[&str], &str); 5] = [
        (&["init", "--name", "My Shop", "--", "a"], "no fleet file"),
        (&["init", "--name", "Shop", "--", "a"], "service.Shop: is no name; allowed are 1 to 63"),
        (&["init", "--", ""], "service.web.command: names no program"),
        (&["init"], "-- <PROGRAM> [ARGUMENT]..."),
        (&["init", "--file", "none/fleet.toml", "--", "a"], "none/fleet.toml: No such file"),
    ];
    for (arguments, problem) in cases {
        let (code, words) = code_and_words(&world.run(arguments));
        assert!(code == Some(2) && words.contains(problem), "`{problem}` is not in:\n{words}");
    }
    assert!(!world.path("fleet.toml").exists());
}
