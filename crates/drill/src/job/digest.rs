//! What is run and measured by a drill file, as a number: whether the file has changed since.

use serde_json::{Map, Value};

use seaworthy_core::random::hash;

/// The same for files by which the same is run and measured: comments, white space and the order of keys do not
/// count, nor do titles, what is promised, and what programs are thought to do. The title of the drill, and how fast
/// it was run, stand beside it in a report.
pub(super) fn digest(text: &str) -> String {
    let mut drill: Map<String, Value> = toml::from_str(text).expect("it was read already");
    forget(&mut drill, &["title", "scale", "monthly_price_per_task", "model", "claims", "reading"]);
    for configuration in tables(drill.get_mut("configuration")) {
        forget(configuration, &["title", "model"]);
    }
    for schedule in tables(drill.get_mut("schedule")) {
        forget(schedule, &["title", "expect"]);
        for fault in tables(schedule.get_mut("faults")) {
            forget(fault, &["model"]);
            if let Some(Value::Object(definition)) = fault.get_mut("deploy") {
                forget(definition, &["model"]);
            }
        }
    }
    // Its keys are sorted.
    format!("{:016x}", hash(Value::Object(drill).to_string().as_bytes()))
}

fn forget(table: &mut Map<String, Value>, keys: &[&str]) {
    table.retain(|key, _| !keys.contains(&key.as_str()));
}

fn tables(list: Option<&mut Value>) -> impl Iterator<Item = &mut Map<String, Value>> {
    list.and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRILL: &str = r#"
        title = "one"
        load = { rate = 10, paths = ["/"] }
        [fleet.service.model]
        command = ["store"]
        environment.title = "one"
        [[schedule]]
        name = "one"
        faults = [{ at = "1s", deploy = { command = ["other"] } }]
    "#;

    #[test]
    fn what_is_measured_makes_the_digest() {
        let own = digest(DRILL);
        assert_eq!(own, "1fe77c4e3c6e7632", "on any machine, and by any version");
        let with = |from: &str, to: &str| {
            let changed = DRILL.replacen(from, to, 1);
            assert_ne!(changed, DRILL, "{from}");
            digest(&changed)
        };
        let same = [
            ("title = \"one\"", "# \ntitle='another'"),
            ("load = { rate = 10, paths = [\"/\"] }", "load = {paths = ['/'],rate=10}"),
            ("[fleet", "claims = []\nmodel.model.start = '1s'\n[fleet"),
            ("[[sch", "[[configuration]]\ntitle = 'a'\nmodel.model.work = '1s'\n[[sch"),
            ("name", "title = 'a'\nexpect = ['up']\nname"),
            ("deploy = {", "model = { work = '1s' }, deploy = { model = { start = '1s' },"),
        ];
        let other = [
            ("10", "11"),
            ("\"store\"", "\"store\", \"serve\""),
            ("environment.title = \"one\"", "environment.title = \"two\""),
            ("name = \"one\"", "name = \"two\""),
            ("\"1s\"", "\"2s\""),
            ("\"other\"", "\"another\""),
        ];
        // A configuration is something of its own, whatever it is called.
        let configured = with(same[3].0, same[3].1);
        assert_eq!(configured, with("[[sch", "[[configuration]]\ntitle = 'b'\n[[sch"));
        for (n, (from, to)) in same.into_iter().enumerate().filter(|(n, _)| *n != 3) {
            assert_eq!(with(from, to), own, "{n}");
        }
        other.into_iter().for_each(|(from, to)| assert_ne!(with(from, to), own, "{to}"));
    }
}
