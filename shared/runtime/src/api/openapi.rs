//! What the documents of functions behind the API share.

use loyalty_contracts::problem::Problem;
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, Required, ResponseBuilder,
        Schema, Type,
        example::{Example, ExampleBuilder},
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

use super::query::{LIMIT_DEFAULT, LIMIT_MAX};

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
