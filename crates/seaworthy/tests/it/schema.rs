//! `seaworthy schema`: it knows what the parser knows, no more and no less.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use seaworthy_core::fleet::RawFleet;
use serde_json::Value;

use crate::world::World;

fn schema() -> Value {
    let output = World::new().run(&["schema"]);
    assert_eq!(output.status.code(), Some(0));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// As much of JSON schema as ours uses.
struct Validator {
    root: Value,
}

impl Validator {
    /// A schema without its references.
    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let of = |key: &str| schema.get(key);
        if let Some(path) = of("$ref").and_then(Value::as_str) {
            let place = self.root.pointer(path.strip_prefix('#').unwrap());
            return self.resolve(place.unwrap_or_else(|| panic!("{path} is not there")));
        }
        match of("allOf").and_then(Value::as_array).map(Vec::as_slice) {
            Some([only]) => self.resolve(only),
            _ => schema,
        }
    }

    /// What is wrong with `value`, if anything is.
    fn problem(&self, schema: &Value, value: &Value, place: &str) -> Option<String> {
        let schema = self.resolve(schema);
        for key in ["anyOf", "oneOf"] {
            if let Some(all) = schema.get(key).and_then(Value::as_array) {
                let fits = all.iter().any(|one| self.problem(one, value, place).is_none());
                return (!fits).then(|| format!("{place}: {value} is none of {key}"));
            }
        }
        let wanted = schema.get("enum").and_then(Value::as_array);
        if wanted.is_some_and(|all| !all.contains(value))
            || schema.get("const").is_some_and(|only| only != value)
        {
            return Some(format!("{place}: {value} is not allowed"));
        }
        let kind = match value {
            Value::Object(_) => "object",
            Value::Array(_) => "array",
            Value::String(_) => "string",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            _ => "integer",
        };
        let named = schema.get("type").map(|name| name.as_str().expect("one type"));
        if named.is_some_and(|name| name != kind && (name, kind) != ("number", "integer")) {
            return Some(format!("{place}: {value} is not {named:?}"));
        }
        match value {
            Value::Array(items) => items.iter().enumerate().find_map(|(n, item)| {
                self.problem(&schema["items"], item, &format!("{place}[{n}]"))
            }),
            Value::Object(table) => table.iter().find_map(|(key, value)| {
                let place = format!("{place}.{key}");
                let known = schema.get("properties").and_then(|all| all.get(key));
                match known.or_else(|| schema.get("additionalProperties")) {
                    Some(Value::Bool(false)) | None => Some(format!("{place} is not known")),
                    Some(schema) => self.problem(schema, value, &place),
                }
            }),
            _ => None,
        }
    }

    /// Every table that has keys of its own, with `wrap` making a file out of one.
    fn tables(
        &self,
        schema: &Value,
        wrap: &dyn Fn(String) -> String,
        seen: &mut dyn FnMut(&Value, String),
    ) {
        let schema = self.resolve(schema);
        for one in ["anyOf", "oneOf"].iter().filter_map(|key| schema.get(key)?.as_array()).flatten()
        {
            self.tables(one, wrap, seen);
        }
        if let Some(items) = schema.get("items") {
            self.tables(items, &|inner| wrap(format!("[{inner}]")), seen);
        }
        if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object())
        {
            self.tables(values, &|inner| wrap(format!("{{ s = {inner} }}")), seen);
        }
        let Some(keys) = schema.get("properties").and_then(Value::as_object) else { return };
        // What has to be there is there, so that only the wrong key is wrong.
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        let required: Vec<&str> = required.filter_map(Value::as_str).collect();
        let others = |but: &str| {
            let others = required.iter().filter(|key| **key != but);
            let value = |key: &str| if key == "service" { "{}" } else { "'x'" };
            others.fold(String::new(), |all, key| all + key + " = " + value(key) + ", ")
        };
        // The variants of a value that is a table are no keys.
        if schema.get("additionalProperties") == Some(&Value::Bool(false)) && keys.len() > 1 {
            seen(schema, wrap(format!("{{ {}zzz = 1 }}", others(""))));
        }
        for (key, schema) in keys {
            self.tables(
                schema,
                &|inner| wrap(format!("{{ {}{key} = {inner} }}", others(key))),
                seen,
            );
        }
    }
}

#[test]
fn every_key_of_the_parser_is_a_key_of_the_schema() {
    let validator = Validator { root: schema() };
    let mut count = 0;
    validator.tables(&validator.root, &|file| file, &mut |schema, file| {
        let keys = schema["properties"].as_object().unwrap().keys();
        let keys: BTreeSet<&str> = keys.map(String::as_str).collect();
        // The whole file in one table.
        let error = toml::from_str::<std::collections::BTreeMap<String, RawFleet>>(&format!(
            "file = {file}"
        ));
        let message = error.expect_err(&file).message().to_owned();
        let known = message.strip_prefix("unknown field `zzz`, expected ").expect(&message);
        let known: BTreeSet<&str> = known.split('`').skip(1).step_by(2).collect();
        assert_eq!(known, keys, "{file}");
        count += 1;
    });
    // Fleet, gateway, agent, service, and what a service has.
    assert!(count > 20, "{count} tables");
}

/// Fleets as people write them: of the drills, of the documents, and of `init`.
#[test]
fn our_own_fleets_are_of_the_schema() {
    let validator = Validator { root: schema() };
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut fleets = Vec::new();
    for file in fs::read_dir(home.join("drills")).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let drill: toml::Table = toml::from_str(&text).unwrap();
        fleets.extend(drill.get("fleet").map(|fleet| serde_json::to_value(fleet).unwrap()));
    }
    let drills = fleets.len();
    for name in ["fleet-file.md", "operating-the-gateway.md"] {
        let text = fs::read_to_string(home.join("docs").join(name)).unwrap();
        let blocks = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
        let blocks = blocks.filter_map(|block| toml::from_str::<toml::Table>(block).ok());
        let fleet = |block: &toml::Table| {
            ["service", "gateway", "seed"].iter().any(|key| block.contains_key(*key))
        };
        fleets.extend(blocks.filter(fleet).map(|block| serde_json::to_value(block).unwrap()));
    }
    assert!(drills > 5 && fleets.len() > drills + 3, "{drills} and {}", fleets.len());
    for fleet in &fleets {
        assert_eq!(validator.problem(&validator.root, fleet, ""), None, "{fleet}");
    }
    let wrong = serde_json::json!({ "service": { "s": { "health": { "pth": "/" } } } });
    let problem = validator.problem(&validator.root, &wrong, "");
    assert_eq!(problem.as_deref(), Some(".service.s.health.pth is not known"));
}

/// Nothing is null in TOML, and an editor must not offer it.
#[test]
fn nothing_is_null() {
    let text = schema().to_string();
    assert!(!text.contains("null"), "{text}");
}
