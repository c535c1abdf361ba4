//! The fleet file as a JSON schema, for editors that complete what is written and mark what is wrong.
//!
//! It is derived from the types that read the file, so no key is missing and none too many. Ranges, and
//! what goes together, only `seaworthy check` knows.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::RawFleet;
use super::written::{Decimal, Number, Size, Span, Written};
use crate::health::Matcher;

/// What is left out in TOML is not there: nothing is ever null. And what is said to people who read code
/// is said to people who write files.
#[derive(Clone, Debug)]
struct ForEditors;

// === impl RawFleet ===

impl RawFleet {
    /// The schema of a fleet file, in the draft that editors know (7).
    pub fn schema() -> Schema {
        let settings = SchemaSettings::draft07().for_deserialize().with_transform(ForEditors);
        let mut schema = settings.into_generator().into_root_schema_for::<Self>();
        schema.insert("title".to_owned(), "A fleet of Seaworthy".into());
        schema
    }
}

// === impl ForEditors ===

impl Transform for ForEditors {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(object) = schema.as_object_mut() else { return };
        if let Some(serde_json::Value::String(text)) = object.get_mut("description") {
            *text = text.replace("[`", "`").replace("`]", "`").replace('\n', " ");
        }
        if object.get("default").is_some_and(serde_json::Value::is_null) {
            object.remove("default");
        }
        if let Some(types) = object.get_mut("type")
            && let Some(list) = types.as_array_mut()
        {
            list.retain(|name| name != "null");
            if let [only] = list.as_slice() {
                *types = only.clone();
            }
        }
        let Some(any) = object.get_mut("anyOf").and_then(serde_json::Value::as_array_mut) else {
            return;
        };
        any.retain(|schema| schema.get("type").is_none_or(|name| name != "null"));
        if let [serde_json::Value::Object(_)] = any.as_slice()
            && let Some(serde_json::Value::Object(only)) = any.pop()
        {
            object.remove("anyOf");
            // What is said of the key comes before what is said of its type; beside a reference
            // nothing counts in this draft, so that one stands alone in a list.
            if only.contains_key("$ref") && !object.is_empty() {
                object.insert("allOf".to_owned(), serde_json::Value::Array(vec![only.into()]));
            } else {
                only.into_iter().for_each(|(key, value)| {
                    object.entry(key).or_insert(value);
                });
            }
        }
    }
}

/// A value that is written in one way.
macro_rules! written {
    ($type:ty, $name:literal, $schema:tt) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

written!(Number, "Number", { "type": "integer" });
written!(Decimal, "Decimal", { "type": "number" });
written!(Written, "Duration", { "type": "string", "pattern": r"^\s*(\d+\s*[a-zA-Zµ]+\s*)+$" });
written!(Span, "Span", {
    "type": "string",
    "pattern": r"^\s*(\d+\s*[a-zA-Zµ]+\s*)+(\.\.\s*(\d+\s*[a-zA-Zµ]+\s*)+)?$",
});
written!(Size, "Size", { "type": "string", "pattern": r"^\s*\d+\s*[KMGT]iB\s*$" });
written!(Matcher, "Statuses", {
    "type": "string",
    "pattern": r"^\s*\d{3}(\s*-\s*\d{3})?(\s*,\s*\d{3}(\s*-\s*\d{3})?)*\s*$",
});
