//! The `OpenAPI` document is as checked in, and says what the route table does.

use std::{collections::BTreeSet, fs, path::Path};

use loyalty_member_api::{openapi, route::ROUTES};
use serde_json::Value;

#[test]
fn the_document_that_is_checked_in_is_the_one_that_the_code_makes() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");

    let is_current = fs::read_to_string(file).unwrap() == openapi::text().unwrap();

    assert!(
        is_current,
        "run `cargo run -p loyalty-member-api --features openapi --example openapi`"
    );
}

#[test]
fn the_document_has_every_route_and_no_other() {
    let document: Value = serde_json::from_str(&openapi::text().unwrap()).unwrap();

    let paths: BTreeSet<&str> =
        document["paths"].as_object().unwrap().keys().map(String::as_str).collect();

    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(paths, ROUTES.iter().map(|it| it.path).collect());
    for path in paths {
        let operation = &document["paths"][path]["get"];
        assert!(operation["responses"]["200"].is_object(), "{path}");
        assert!(operation["responses"]["503"].is_object(), "{path}");
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let document: Value = serde_json::from_str(&openapi::text().unwrap()).unwrap();
    let mut references = Vec::new();
    collect(&document, &mut references);

    assert!(references.len() > 20, "{references:?}");
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn every_example_of_an_answer_is_one_by_its_schema() {
    let document: Value = serde_json::from_str(&openapi::text().unwrap()).unwrap();
    let mut examples = 0;
    for path in document["paths"].as_object().unwrap().values() {
        for response in path["get"]["responses"].as_object().unwrap().values() {
            for content in response["content"].as_object().unwrap().values() {
                let mut schema = content["schema"].clone();
                schema["components"] = document["components"].clone();
                let validator = jsonschema::validator_for(&schema).unwrap();
                let named = content["examples"].as_object().into_iter().flat_map(|it| it.values());
                let values = named.map(|it| &it["value"]).chain(content.get("example"));
                for value in values {
                    let errors: Vec<_> =
                        validator.iter_errors(value).map(|it| it.to_string()).collect();
                    assert!(errors.is_empty(), "{value}: {errors:?}");
                    examples += 1;
                }
            }
        }
    }
    assert!(examples > 40, "{examples}");
}

fn collect<'a>(value: &'a Value, references: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|it| collect(it, references));
        }
        Value::Array(values) => values.iter().for_each(|it| collect(it, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
    }
}
