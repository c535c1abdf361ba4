//! The OpenAPI document of the API, made from its table of routes and its types.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use seaworthy_core::cluster::State;
use serde_json::{Map, Value, json};

use super::ApiError;
use super::reply::LINES;
use super::routes::{self, Route};

/// The document, as OpenAPI 3.1 has it.
pub fn document() -> Value {
    let components = |settings: &mut SchemaSettings| {
        settings.definitions_path = "/components/schemas".into();
    };
    let mut schemas = SchemaSettings::draft2020_12().with(components).into_generator();
    let mut paths = Map::new();
    for route in routes::all() {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method] = operation(&route, &mut schemas);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Seaworthy",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A fleet on one machine: what it is, what it decided and why, and what it is to be.",
        },
        // At the Unix socket whoever may open it may do all.
        "security": [{ "token": [] }, {}],
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "Over TCP." },
            },
        },
    })
}

/// Where in its life a task may be: core's own words.
pub(super) fn states(_: &mut SchemaGenerator) -> Schema {
    let states = [
        State::Provisioning,
        State::Starting,
        State::InRotation,
        State::OutOfRotation,
        State::Draining,
        State::Stopping,
    ];
    json_schema!({ "type": "string", "enum": states })
}

fn operation(route: &Route, schemas: &mut SchemaGenerator) -> Value {
    let mut reply = json!({ "application/json": { "schema": (route.reply)(schemas) } });
    if let Some(line) = route.line {
        reply[LINES] = json!({ "schema": line(schemas) });
    }
    let mut responses = json!({ "200": { "description": "Done.", "content": reply } });
    let refusal = ApiError::json_schema(schemas);
    let always = [401, 421, 424, 503];
    for status in route.refusals.iter().chain(&always) {
        responses[status.to_string()] = json!({
            "description": why(*status),
            "content": { "application/json": { "schema": refusal } },
        });
    }
    let mut operation = json!({
        "summary": route.summary,
        "operationId": name(route),
        "parameters": parameters(route, schemas),
        "responses": responses,
    });
    if let Some(body) = route.body {
        operation["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": body(schemas) } },
        });
    }
    operation
}

/// `GET /v1/services/{service}/revisions` is `getServicesRevisions`.
fn name(route: &Route) -> String {
    let words = route.path.split(['/', '-', '.']).skip(2).filter(|word| !word.starts_with('{'));
    words.fold(route.method.to_owned(), |mut name, word| {
        name.push_str(&word[..1].to_uppercase());
        name + &word[1..]
    })
}

fn parameters(route: &Route, schemas: &mut SchemaGenerator) -> Vec<Value> {
    let in_path =
        route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let named = |name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } });
    let mut parameters: Vec<_> = in_path.map(named).collect();
    let query = route.query.map(|query| query(schemas).to_value());
    let keys = query.as_ref().and_then(|query| query["properties"].as_object());
    parameters.extend(keys.into_iter().flatten().map(|(name, schema)| {
        json!({ "name": name, "in": "query", "description": schema["description"], "schema": schema })
    }));
    parameters
}

fn why(status: u16) -> &'static str {
    match status {
        401 => "Over TCP: the token is missing or wrong.",
        404 => "There is no such service or task; those there are are named.",
        409 => "It cannot be done as things stand.",
        413 => "The body is too long.",
        421 => "Over TCP: the host is neither an IP address nor localhost.",
        422 => "It makes no sense; the key and what is allowed are named.",
        424 => "The fleet has no keeper, which would do it.",
        503 => "The agent is ending: another one is to be asked.",
        _ => "The surroundings do not let it be done.",
    }
}
