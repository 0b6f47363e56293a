//! The table of routes as programs read it: OpenAPI 3.1.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::{Method, StatusCode};
use serde_json::json;
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, ParameterBuilder, ParameterIn, PathItem,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{
    AllOfBuilder, ComponentsBuilder, KnownFormat, ObjectBuilder, SchemaFormat, Type,
};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Content, InfoBuilder, OpenApi, OpenApiBuilder, Paths, Ref, Required, Response, ResponseBuilder, Schema,
};

use super::doc::Doc;
use super::{API, Route, Who};
use crate::auth::SESSION_COOKIE;

const PROBLEM: &str = "Problem";
const ABOUT: &str = "Times are microseconds of UTC since 1970. Everything that goes wrong is answered with problem \
details (RFC 9457) whose `type` is of a fixed list for each route. Programs call with a token; a browser with its \
session and, where something is changed, the token of its forms. A POST may carry an `Idempotency-Key`: sent again \
with the same key and body within 24 hours it does nothing again and is answered as the first time.";

/// The description of every route below `/api/v1`.
///
/// # Panics
/// When one of them was not described: [`super::Routes::says`].
pub(super) fn openapi(table: &[Route]) -> OpenApi {
    let mut paths = Paths::new();
    let mut components = ComponentsBuilder::new().schema(PROBLEM, problem());
    for route in table.iter().filter(|route| route.path.starts_with(API)) {
        let doc =
            route.doc.as_ref().unwrap_or_else(|| panic!("{} {} is not described", route.method, route.path));
        for (name, schema) in &doc.schemas {
            components = components.schema(name.clone(), schema.clone());
        }
        let method = [
            (Method::GET, HttpMethod::Get),
            (Method::POST, HttpMethod::Post),
            (Method::PUT, HttpMethod::Put),
            (Method::DELETE, HttpMethod::Delete),
        ];
        let method =
            method.into_iter().find(|(method, _)| *method == route.method).expect("no other is made").1;
        let path = route.path.to_owned();
        let operation = operation(route, doc);
        match paths.paths.get_mut(&path) {
            Some(item) => item.merge_operations(PathItem::new(method, operation)),
            None => drop(paths.paths.insert(path, PathItem::new(method, operation))),
        }
    }
    for (name, scheme) in schemes() {
        components = components.security_scheme(name, scheme);
    }
    let info =
        InfoBuilder::new().title("Gatehouse").version(env!("CARGO_PKG_VERSION")).description(Some(ABOUT));
    OpenApiBuilder::new().info(info.build()).paths(paths).components(Some(components.build())).build()
}

fn operation(route: &Route, doc: &Doc) -> Operation {
    let below = route.path.trim_start_matches(API);
    let words = below.split('/').filter(|part| !part.is_empty()).map(|part| part.trim_matches(['{', '}']));
    let words: Vec<&str> = words.collect();
    let id = format!("{}_{}", route.method.as_str().to_lowercase(), words.join("_").replace(['.', '-'], "_"));
    let mut operation = OperationBuilder::new()
        .operation_id(Some(id))
        .tag(words.first().copied().unwrap_or_default())
        .summary(Some(doc.summary))
        .description(Some(said(route.who)))
        .securities(Some(securities(route)));
    let numbers = below.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    for name in numbers.filter(|name| doc.parameters.iter().all(|it| it.name != *name)) {
        operation = operation.parameter(
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .schema(Some(number())),
        );
    }
    for parameter in &doc.parameters {
        operation = operation.parameter(parameter.clone());
    }
    if is_once(route) {
        operation = operation.parameter(
            ParameterBuilder::new()
                .name(super::once::HEADER)
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .description(Some("1 to 64 visible letters of ASCII"))
                .schema(Some(ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[!-~]{1,64}$")))),
        );
    }
    if let Some(takes) = &doc.takes {
        let mut body = RequestBodyBuilder::new().required(Some(Required::True));
        for (media, schema) in takes.media() {
            body = body.content(media, Content::new(schema));
        }
        operation = operation.request_body(Some(body.build()));
    }
    let answer = match &doc.answers {
        None => ("204", Response::new("Done")),
        Some((status, content)) => {
            let mut answer = ResponseBuilder::new().description("Done");
            for (media, schema) in content.media() {
                answer = answer.content(media, Content::new(schema));
            }
            (if *status == 201 { "201" } else { "200" }, answer.build())
        }
    };
    operation = operation.response(answer.0, answer.1);
    for (status, kinds) in problems(route, doc) {
        operation = operation.response(status.to_string(), refusal(status, &kinds));
    }
    operation.build()
}

/// Who may call it, in words.
fn said(who: Who) -> String {
    match who {
        Who::Anybody => "Anybody may call it.".to_owned(),
        Who::SignedIn => "Whoever is signed in may call it.".to_owned(),
        Who::Somewhere(role) => {
            format!("Operators of the rank {} or a higher one in some place of the site.", role.as_str())
        }
        Who::AtLeast(role) => format!("Operators of the rank {} or a higher one.", role.as_str()),
        Who::Api(role, scope) => format!(
            "Operators of the rank {} or a higher one, and tokens with the scope {}.",
            role.as_str(),
            scope.as_str()
        ),
    }
}

fn securities(route: &Route) -> Vec<SecurityRequirement> {
    let session = || {
        let session = SecurityRequirement::new::<_, [&str; 0], &str>("session", []);
        match route.method == Method::GET {
            true => session,
            false => session.add::<_, [&str; 0], &str>("form-token", []),
        }
    };
    match route.who {
        Who::Anybody => vec![SecurityRequirement::default()],
        Who::SignedIn | Who::Somewhere(_) | Who::AtLeast(_) => vec![session()],
        Who::Api(_, scope) => vec![SecurityRequirement::new("token", [scope.as_str()]), session()],
    }
}

fn schemes() -> [(&'static str, SecurityScheme); 3] {
    let cookie = ApiKey::Cookie(ApiKeyValue::new(SESSION_COOKIE));
    let header = ApiKey::Header(ApiKeyValue::new("x-csrf-token"));
    [
        ("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer))),
        ("session", SecurityScheme::ApiKey(cookie)),
        ("form-token", SecurityScheme::ApiKey(header)),
    ]
}

/// What may go wrong, by status: what the route says, and what holds for all.
fn problems(route: &Route, doc: &Doc) -> BTreeMap<u16, BTreeSet<&'static str>> {
    let mut problems: BTreeMap<u16, BTreeSet<&'static str>> = BTreeMap::new();
    let mut add = |status: u16, kinds: &[&'static str]| {
        problems.entry(status).or_default().extend(kinds);
    };
    for (status, kind) in &doc.problems {
        add(*status, &[kind]);
    }
    add(400, &["malformed"]);
    add(500, &["internal"]);
    add(503, &["unavailable"]);
    if route.method != Method::GET {
        add(403, &["cross-site"]);
    }
    if route.who != Who::Anybody {
        add(401, &["signed-out", "wrong-token"]);
        add(403, &["scope"]);
        add(429, &["too-many-attempts"]);
        if route.method != Method::GET {
            add(403, &["form-token"]);
        }
    }
    if matches!(route.who, Who::Somewhere(_) | Who::AtLeast(_) | Who::Api(..)) {
        add(403, &["rank", "must-change-password", "must-set-up-second-factor"]);
    }
    if doc.takes.is_some() {
        add(413, &["too-large"]);
        add(415, &["media-type"]);
        add(422, &["malformed"]);
    }
    if is_once(route) {
        add(409, &["key-in-use"]);
        add(413, &["too-large"]);
        add(422, &["key-used-otherwise"]);
    }
    problems
}

fn is_once(route: &Route) -> bool {
    route.method == Method::POST && matches!(route.who, Who::Api(..))
}

fn refusal(status: u16, kinds: &BTreeSet<&'static str>) -> Response {
    let types = kinds.iter().map(|kind| json!(format!("/problems/{kind}")));
    let kinds = ObjectBuilder::new()
        .property("type", ObjectBuilder::new().schema_type(Type::String).enum_values(Some(types)))
        .property(
            "status",
            ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some([json!(status)])),
        );
    let schema = AllOfBuilder::new().item(Ref::from_schema_name(PROBLEM)).item(kinds).build();
    let words = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    ResponseBuilder::new()
        .description(words.unwrap_or("Refused"))
        .content("application/problem+json", Content::new(Some(Schema::AllOf(schema))))
        .build()
}

/// Problem details; some kinds say more, as the field at fault.
fn problem() -> Schema {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let object = ObjectBuilder::new()
        .property("type", text())
        .property("title", text())
        .property("status", ObjectBuilder::new().schema_type(Type::Integer))
        .property("detail", text())
        .property("field", text().description(Some("The field at fault, where there is one")));
    ["type", "title", "status", "detail"].into_iter().fold(object, ObjectBuilder::required).build().into()
}

/// The number of a thing.
fn number() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::UInt64)))
        .minimum(Some(0))
}
