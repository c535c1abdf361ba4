//! Every route of the API, once: the router and the OpenAPI document are both made from this table.

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post, put};
use axum::{Json, Router};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::ApiError;
use super::ask::{Ask, Handle};
use super::input::{Body, LONGEST_BODY, Question, Service, Task};
use super::openapi;
use super::reply;
use super::types::{
    Deploy, DeployReply, Deployed, DownReply, EventView, EventsQuery, FleetView, LogLine,
    LogsQuery, RevisionView, Scale, Scaled, TaskView, Upgrade, Upgraded,
};

/// Says what something looks like.
pub(super) type Describe = fn(&mut SchemaGenerator) -> Schema;

/// One route.
pub(super) struct Route {
    /// In small letters, as OpenAPI has it.
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    pub(super) query: Option<Describe>,
    pub(super) body: Option<Describe>,
    pub(super) reply: Describe,
    /// Of what each line is, where the query says `follow`.
    pub(super) line: Option<Describe>,
    /// Statuses that say no.
    pub(super) refusals: &'static [u16],
    handler: MethodRouter<Handle>,
}

/// The router of all that needs a token over TCP.
pub(super) fn router() -> Router<Handle> {
    let add = |router: Router<Handle>, route: Route| router.route(route.path, route.handler);
    all()
        .into_iter()
        .fold(Router::new(), add)
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_so)
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
}

/// Every route.
pub(super) fn all() -> Vec<Route> {
    vec![
        Route::get::<FleetView>("/v1/fleet", "The fleet as it is", get(fleet)),
        Route::get::<Vec<TaskView>>("/v1/tasks", "Every task that is not gone", get(tasks)),
        Route::get::<Vec<EventView>>("/v1/events", "What was decided lately, and why", get(events))
            .asking::<EventsQuery>()
            .following::<EventView>(),
        Route::get::<Vec<LogLine>>("/v1/logs", "What tasks wrote", get(logs))
            .asking::<LogsQuery>()
            .following::<LogLine>()
            .refusing(&[404, 422]),
        Route::get::<Vec<RevisionView>>(
            "/v1/services/{service}/revisions",
            "Every revision of a service that is known",
            get(revisions),
        )
        .refusing(&[404]),
        Route::post::<DeployReply>(
            "/v1/deployments",
            "Make the fleet as a fleet file says; what has changed is deployed",
            post(deploy),
        )
        .taking::<Deploy>()
        .refusing(&[404, 409, 413, 422, 500]),
        Route::post::<Deployed>(
            "/v1/services/{service}/rollback",
            "Deploy the completed revision before the one a service has",
            post(rollback),
        )
        .refusing(&[404, 409, 500]),
        Route {
            method: "put",
            ..Route::post::<Scaled>(
                "/v1/services/{service}/desired-count",
                "Say how many tasks a service is to have",
                put(scale),
            )
        }
        .taking::<Scale>()
        .refusing(&[404, 409, 422, 500]),
        Route::post::<TaskView>(
            "/v1/tasks/{task}/stop",
            "End a task at once, undrained",
            post(stop),
        )
        .refusing(&[404, 409, 422, 500]),
        Route::post::<TaskView>(
            "/v1/tasks/{task}/drain",
            "Retire a task: it is drained, then ended, and replaced if it is missed",
            post(drain),
        )
        .refusing(&[404, 409, 422, 500]),
        Route::post::<Upgraded>(
            "/v1/upgrade",
            "Have another program take the place of agent, gateway and keeper; tasks go on",
            post(upgrade),
        )
        .taking::<Upgrade>()
        .refusing(&[413, 422, 500]),
        Route::post::<DownReply>("/v1/down", "Drain and end the whole fleet", post(down)),
        Route::get::<serde_json::Value>("/v1/openapi.json", "This document", get(document)),
    ]
}

// === impl Route ===

impl Route {
    fn get<T: JsonSchema>(
        path: &'static str,
        summary: &'static str,
        handler: MethodRouter<Handle>,
    ) -> Self {
        let reply = SchemaGenerator::subschema_for::<T>;
        let (query, body, line) = (None, None, None);
        Self { method: "get", path, summary, query, body, reply, line, refusals: &[], handler }
    }

    fn post<T: JsonSchema>(
        path: &'static str,
        summary: &'static str,
        handler: MethodRouter<Handle>,
    ) -> Self {
        Self { method: "post", ..Self::get::<T>(path, summary, handler) }
    }

    fn asking<T: JsonSchema>(self) -> Self {
        Self { query: Some(T::json_schema), refusals: &[422], ..self }
    }

    fn taking<T: JsonSchema>(self) -> Self {
        Self { body: Some(SchemaGenerator::subschema_for::<T>), ..self }
    }

    fn following<T: JsonSchema>(self) -> Self {
        Self { line: Some(SchemaGenerator::subschema_for::<T>), ..self }
    }

    fn refusing(self, refusals: &'static [u16]) -> Self {
        Self { refusals, ..self }
    }
}

// === Handlers ===

/// JSON, or why not.
type Answer<T> = Result<Json<T>, ApiError>;

async fn fleet(State(handle): State<Handle>) -> Answer<FleetView> {
    handle.ask(Ask::Fleet).await.map(Json)
}

async fn tasks(State(handle): State<Handle>) -> Answer<Vec<TaskView>> {
    handle.ask(Ask::Tasks).await.map(Json)
}

async fn events(
    State(handle): State<Handle>,
    Question(query): Question<EventsQuery>,
) -> Result<Response, ApiError> {
    let events = handle.ask(|reply| Ask::Events(query.clone(), reply)).await?;
    Ok(reply::events(handle, query, events))
}

async fn logs(
    State(handle): State<Handle>,
    Question(query): Question<LogsQuery>,
) -> Result<Response, ApiError> {
    if query.lines > Some(LogsQuery::MOST) {
        return Err(ApiError::invalid("lines: too many", format!("0 to {}", LogsQuery::MOST)));
    }
    let logs = handle.ask(|reply| Ask::Logs(query.clone(), reply)).await?;
    Ok(reply::logs(query, logs))
}

async fn revisions(
    State(handle): State<Handle>,
    Service(service): Service,
) -> Answer<Vec<RevisionView>> {
    handle.ask(|reply| Ask::Revisions(service, reply)).await.map(Json)
}

async fn deploy(State(handle): State<Handle>, Body(deploy): Body<Deploy>) -> Answer<DeployReply> {
    let paths = [("directory", Some(&deploy.directory)), ("file", deploy.file.as_ref())];
    for (key, path) in paths {
        if path.is_some_and(|path| !path.is_absolute()) {
            return Err(ApiError::invalid(format!("{key}: it is relative"), "an absolute path"));
        }
    }
    handle.ask(|reply| Ask::Deploy(Box::new(deploy), reply)).await.map(Json)
}

async fn rollback(State(handle): State<Handle>, Service(service): Service) -> Answer<Deployed> {
    handle.ask(|reply| Ask::Rollback(service, reply)).await.map(Json)
}

async fn scale(
    State(handle): State<Handle>,
    Service(service): Service,
    Body(scale): Body<Scale>,
) -> Answer<Scaled> {
    handle.ask(|reply| Ask::Scale(service, scale, reply)).await.map(Json)
}

async fn stop(State(handle): State<Handle>, Task(task): Task) -> Answer<TaskView> {
    handle.ask(|reply| Ask::Stop(task, reply)).await.map(Json)
}

async fn drain(State(handle): State<Handle>, Task(task): Task) -> Answer<TaskView> {
    handle.ask(|reply| Ask::Drain(task, reply)).await.map(Json)
}

async fn upgrade(State(handle): State<Handle>, Body(upgrade): Body<Upgrade>) -> Answer<Upgraded> {
    if !upgrade.program.is_absolute() {
        return Err(ApiError::invalid("program: it is relative", "an absolute path"));
    }
    handle.ask(|reply| Ask::Upgrade(upgrade, reply)).await.map(Json)
}

async fn down(State(handle): State<Handle>) -> Answer<DownReply> {
    handle.ask(Ask::Down).await.map(Json)
}

async fn document() -> Json<serde_json::Value> {
    Json(openapi::document())
}

async fn nothing_here(uri: Uri) -> ApiError {
    let paths: Vec<_> = all().iter().map(|route| route.path).collect();
    let error = format!("{}: there is nothing here", uri.path());
    ApiError::new(StatusCode::NOT_FOUND, error, paths.join(", "))
}

async fn not_so(method: Method, uri: Uri) -> ApiError {
    let error = format!("{}: {method} cannot be done here", uri.path());
    let allowed = "what /v1/openapi.json says".to_owned();
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, error, allowed)
}
