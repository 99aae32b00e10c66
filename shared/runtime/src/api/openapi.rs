//! What the documents of functions behind the API share.

use std::collections::BTreeMap;

use loyalty_contracts::{
    body::Mistake,
    problem::{Problem, ProblemKind},
};
use serde_json::{Value, json};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ComponentsBuilder, ContentBuilder, HeaderBuilder, HttpMethod, InfoBuilder, LicenseBuilder,
        ObjectBuilder, OpenApiBuilder, PathItem, PathsBuilder, Ref, RefOr, Required,
        ResponseBuilder, Schema, Type,
        example::{Example, ExampleBuilder},
        path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
        request_body::RequestBodyBuilder,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use super::{
    body::KEY,
    caller::{ADJUST_SCOPE, CATALOG_SCOPE, MERGE_SCOPE, READ_SCOPE, STAFF_SCOPE, WRITE_SCOPE},
    query::{LIMIT_DEFAULT, LIMIT_MAX},
    route::{BodyKind, Method, Route, Who},
};

/// What is said of a route, beside what its row says.
#[derive(Clone, Debug)]
pub struct Words {
    /// The operation's id, for whoever makes a client of the document. Routes of `/me` have it with `Own` behind.
    pub id: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// What there is to know.
    pub about: &'static str,
    /// What comes with it: the schema's name, and an example.
    pub body: Option<(&'static str, Value)>,
    /// What is answered: the status, what that means, the schema's name, and an example.
    pub answers: Vec<(u16, &'static str, &'static str, Value)>,
    /// Whether it is answered a page at a time.
    pub has_pages: bool,
    /// What can be wrong, beside what can be by its row.
    pub problems: &'static [ProblemKind],
}

/// A document of an API.
#[derive(Clone, Copy, Debug)]
pub struct Document {
    /// What it is called.
    pub title: &'static str,
    /// What it says of all paths.
    pub about: &'static str,
}

/// The problems that say more than their kind does.
const PROBLEM: &str = "ProblemDocument";

/// A problem document, with all that any has.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it is described and never made")]
struct ProblemDocument {
    r#type: String,
    title: String,
    status: u16,
    detail: String,
    code: String,
    retry: bool,
    /// What is wrong, where the problem is one of the body's content.
    mistakes: Option<Vec<Mistake>>,
    /// Why the rules say no, for programs, where they do. Words may be added.
    #[schema(example = "insufficient_points")]
    reason: Option<String>,
    /// Why the rules say no, with numbers, for whoever reads logs.
    #[schema(example = "90 points are available and 100 were asked for")]
    explanation: Option<String>,
}

impl Document {
    /// The document's text, as it is checked in: `routes` as `words` has them, of `schemas`.
    ///
    /// # Errors
    ///
    /// Never, short of a shape that is no JSON. Retrying cannot help.
    pub fn text<O: Copy>(
        self,
        routes: &[Route<O>],
        words: impl Fn(O) -> Words,
        mut schemas: Vec<(String, RefOr<Schema>)>,
    ) -> Result<String, serde_json::Error> {
        let mut items: BTreeMap<&str, PathItem> = BTreeMap::new();
        for route in routes {
            let item =
                PathItem::new(method(route.method), operation(route, words(route.operation)));
            match items.get_mut(route.path) {
                Some(known) => known.merge_operations(item),
                None => drop(items.insert(route.path, item)),
            }
        }
        let mut paths = PathsBuilder::new();
        for (path, item) in items {
            paths = paths.path(path, item);
        }
        collect::<ProblemDocument>(&mut schemas);
        let schemas: BTreeMap<String, RefOr<Schema>> = schemas.into_iter().collect();
        let license =
            LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
        let info = InfoBuilder::new()
            .title(self.title)
            .version("1")
            .description(Some(self.about))
            .license(Some(license))
            .build();
        let token = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some(about_tokens()))
            .build();
        let components = ComponentsBuilder::new()
            .schemas_from_iter(schemas)
            .security_scheme("token", SecurityScheme::Http(token))
            .build();
        let document = OpenApiBuilder::new()
            .info(info)
            .paths(paths)
            .components(Some(components))
            .security(Some([SecurityRequirement::new("token", Vec::<String>::new())]))
            .build();
        document.to_pretty_json().map(|it| it + "\n")
    }
}

fn about_tokens() -> String {
    format!(
        "A token of the configured issuer and audience. With the scope `{READ_SCOPE}` it is that of a service that \
         reads, with `{WRITE_SCOPE}` of one that writes, with `{STAFF_SCOPE}` staff's. What else there is has a scope \
         each, of staff as of services: `{ADJUST_SCOPE}` adjusts points, `{MERGE_SCOPE}` merges members, \
         `{CATALOG_SCOPE}` changes the catalogue. With none that begins with `loyalty/` it is a member's: the one \
         named by the configured claim, which is `sub` unless the deployment says otherwise."
    )
}

const fn method(method: Method) -> HttpMethod {
    match method {
        Method::Get => HttpMethod::Get,
        Method::Post => HttpMethod::Post,
        Method::Put => HttpMethod::Put,
        Method::Patch => HttpMethod::Patch,
    }
}

/// How a kind of caller is called.
fn called<O>(route: &Route<O>, who: Who) -> &'static str {
    match who {
        Who::Member if route.names_member() => "the member itself",
        Who::Member => "members",
        Who::Service => "services that read",
        Who::Writer => "services that write",
        Who::Staff => "staff",
        Who::Adjuster => "whoever may adjust points",
        Who::Merger => "whoever may merge members",
        Who::Editor => "whoever may change the catalogue",
    }
}

fn operation<O>(route: &Route<O>, words: Words) -> Operation {
    let own = if route.path.split('/').any(|it| it == "me") { "Own" } else { "" };
    let callers: Vec<&str> = route.callers.iter().map(|it| called(route, *it)).collect();
    let problems = problems_of(route, &words);
    let mut operation = OperationBuilder::new()
        .operation_id(Some(format!("{}{own}", words.id)))
        .summary(Some(words.summary))
        .description(Some(format!("{}\n\nFor {}.", words.about, callers.join(", "))));
    for name in route.path.split('/').filter_map(|it| it.strip_prefix('{')?.strip_suffix('}')) {
        operation = operation.parameter(if name == "id" { member_id() } else { named(name) });
    }
    if words.has_pages {
        operation = operation.parameter(limit()).parameter(cursor());
    }
    if route.body == BodyKind::KeyedJson {
        operation = operation.parameter(key());
    }
    if let Some((schema, example)) = words.body {
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name(schema)))
            .example(Some(example))
            .build();
        let request = RequestBodyBuilder::new().required(Some(Required::True));
        operation =
            operation.request_body(Some(request.content("application/json", content).build()));
    }
    for (status, description, schema, example) in words.answers {
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name(schema)))
            .example(Some(example))
            .build();
        let answered =
            ResponseBuilder::new().description(description).content("application/json", content);
        operation = operation.response(status.to_string(), answered.build());
    }
    let mut by_status: BTreeMap<u16, Vec<Problem>> = BTreeMap::new();
    for kind in problems {
        let document = kind.document();
        by_status.entry(document.status).or_default().push(document);
    }
    for (status, documents) in by_status {
        operation =
            operation.response(status.to_string(), problem_response(status, &documents, PROBLEM));
    }
    operation.build()
}

/// What can be wrong with a request of `route`: what its row says, and `words`.
fn problems_of<O>(route: &Route<O>, words: &Words) -> Vec<ProblemKind> {
    let is_for = |who| route.is_for(who);
    let mut kinds = vec![
        ProblemKind::Unauthenticated,
        ProblemKind::ScopeNotSufficient,
        ProblemKind::NoMemberInToken,
        ProblemKind::InvalidQuery,
        ProblemKind::Internal,
        ProblemKind::Unavailable,
    ];
    let by_row = [
        (ProblemKind::WriteScopeNeeded, is_for(Who::Writer) && !is_for(Who::Service)),
        (ProblemKind::CallerIsNoMember, route.callers == [Who::Member]),
        (ProblemKind::NotForMembers, !is_for(Who::Member)),
        (ProblemKind::InvalidMemberId, route.names_member()),
        (ProblemKind::OtherMember, route.names_member() && is_for(Who::Member)),
        (ProblemKind::WrongContentType, route.body != BodyKind::None),
        (ProblemKind::BodyTooLarge, route.body != BodyKind::None),
        (ProblemKind::BodyNotJson, route.body != BodyKind::None),
        (ProblemKind::InvalidBody, route.body != BodyKind::None),
        (ProblemKind::RequestKeyMissing, route.body == BodyKind::KeyedJson),
        (ProblemKind::RequestKeyInvalid, route.body == BodyKind::KeyedJson),
        (ProblemKind::RequestKeyReused, route.body == BodyKind::KeyedJson),
        (ProblemKind::InvalidLimit, words.has_pages),
        (ProblemKind::InvalidCursor, words.has_pages),
    ];
    kinds.extend(by_row.iter().filter(|(_, is)| *is).map(|(kind, _)| *kind));
    kinds.extend(words.problems);
    // In the order in which they are answered.
    ProblemKind::ALL.into_iter().filter(|it| kinds.contains(it)).collect()
}

/// The key under which a request is done once.
fn key() -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(loyalty_domain::id::ID_BYTES_MAX))
        .build();
    ParameterBuilder::new()
        .name(KEY.as_str())
        .parameter_in(ParameterIn::Header)
        .required(Required::True)
        .description(Some(
            "A text that no other request of the caller has, such as a UUID. The same request under the same key is \
             done once, however often and whenever it is sent, and always answered the same; another one is refused. \
             Keys are kept for ever, apart by caller, member and operation.",
        ))
        .schema(Some(schema))
        .example(Some(json!("5b0f9a6e-0c3e-4c52-9d64-0e8f3a1b7c2d")))
        .build()
}

/// What a path names beside a member.
fn named(name: &str) -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(loyalty_domain::id::ID_BYTES_MAX))
        .pattern(Some("^(?!\\.{1,2}$)[A-Za-z0-9\\-._~:|=]+$"))
        .build();
    let what = name.strip_suffix("_id").unwrap_or(name);
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(format!("The id of the {what}.")))
        .schema(Some(schema))
        .build()
}

/// Where a page begins.
fn cursor() -> Parameter {
    ParameterBuilder::new()
        .name("cursor")
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(
            "`next` of the page before, unchanged; without it the page is the first one.",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

/// Adds `T`, and all that it consists of, to `schemas`.
pub fn collect<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::name().into_owned(), <T as PartialSchema>::schema()));
    T::schemas(schemas);
}

/// The response of the problems of one `status`, whose shape is the schema called `schema`.
pub fn problem_response(
    status: u16,
    documents: &[Problem],
    schema: &str,
) -> utoipa::openapi::Response {
    let examples = documents.iter().map(|document| {
        let value = serde_json::to_value(document).unwrap_or_default();
        let example = ExampleBuilder::new().summary(document.title).value(Some(value)).build();
        (document.code, RefOr::T(example))
    });
    let examples: Vec<(&str, RefOr<Example>)> = examples.collect();
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(schema)))
        .examples_from_iter(examples)
        .build();
    let titles: Vec<&str> = documents.iter().map(|it| it.title).collect();
    let retry = if documents.iter().all(|it| it.retry) {
        "The same request may succeed later."
    } else {
        "The same request fails again."
    };
    let mut response = ResponseBuilder::new()
        .description(format!("{}. {retry}", titles.join(" · ")))
        .content("application/problem+json", content);
    if matches!(status, 429 | 503) {
        let header = HeaderBuilder::new()
            .description(Some("After how many seconds to ask again."))
            .schema(ObjectBuilder::new().schema_type(Type::Integer))
            .build();
        response = response.header("retry-after", header);
    }
    response.build()
}

/// The id of a member in a path.
pub fn member_id() -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(loyalty_domain::id::ID_BYTES_MAX))
        .pattern(Some("^(?!\\.{1,2}$)[A-Za-z0-9\\-._~:|=]+$"))
        .build();
    ParameterBuilder::new()
        .name("id")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The shop's id of the member; `me` is always the caller's own account."))
        .schema(Some(schema))
        .example(Some(json!("17850")))
        .build()
}

/// How many elements a page has.
pub fn limit() -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(LIMIT_MAX))
        .default(Some(json!(LIMIT_DEFAULT)))
        .build();
    ParameterBuilder::new()
        .name("limit")
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some("How many entries the page has; the last one may have fewer."))
        .schema(Some(schema))
        .build()
}
