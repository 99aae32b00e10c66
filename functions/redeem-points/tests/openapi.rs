//! The `OpenAPI` document is as checked in, and says what the route table does.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{collections::BTreeSet, fs, path::Path};

use loyalty_contracts::{
    body::BodyError,
    catalogue::{ContinueRedemption, RedeemReward},
    checkout::{AskQuote, CapturePoints, HoldPoints, ReleasePoints},
    refund::PreviewRefund,
    spending::TransferPoints,
};
use loyalty_redeem_points::{openapi, route::ROUTES};
use serde_json::Value;

fn document() -> Value {
    serde_json::from_str(&openapi::text().unwrap()).unwrap()
}

#[test]
fn the_document_that_is_checked_in_is_the_one_that_the_code_makes() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");

    let is_current = fs::read_to_string(file).unwrap_or_default() == openapi::text().unwrap();

    assert!(
        is_current,
        "run `cargo run -p loyalty-redeem-points --features openapi --example points-openapi`"
    );
}

#[test]
fn the_document_has_every_route_and_no_other() {
    let document = document();
    let mut keys = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            keys.insert(format!("{} {path}", method.to_uppercase()));
            assert!(operation["responses"]["200"].is_object(), "{path}");
            assert!(operation["responses"]["503"].is_object(), "{path}");
        }
    }

    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(keys, ROUTES.iter().map(loyalty_redeem_points::route::AnyRoute::key).collect());
}

#[test]
fn every_example_is_one_by_its_schema_and_every_reference_leads_somewhere() {
    let document = document();
    let mut examples = 0;
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            let responses = operation["responses"].as_object().unwrap().values();
            for holder in responses.chain(operation.get("requestBody")) {
                for content in holder["content"].as_object().unwrap().values() {
                    let mut schema = content["schema"].clone();
                    schema["components"] = document["components"].clone();
                    // It does not compile if a reference leads nowhere.
                    let validator = jsonschema::validator_for(&schema).unwrap();
                    let named =
                        content["examples"].as_object().into_iter().flat_map(|it| it.values());
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
    }
    assert!(examples > 20, "{examples}");
}

/// Reads a body for its mistakes.
type Read = fn(&[u8]) -> Result<(), BodyError>;

#[test]
fn every_field_that_a_body_may_have_is_in_the_document_and_no_other() {
    let bodies: &[(&str, Read)] = &[
        ("TransferPoints", |it| TransferPoints::read(it).map(drop)),
        ("RedeemReward", |it| RedeemReward::read(it).map(drop)),
        ("ContinueRedemption", |it| ContinueRedemption::read(it).map(drop)),
        ("AskQuote", |it| AskQuote::read(it).map(drop)),
        ("HoldPoints", |it| HoldPoints::read(it).map(drop)),
        ("CapturePoints", |it| CapturePoints::read(it).map(drop)),
        ("ReleasePoints", |it| ReleasePoints::read(it).map(drop)),
        ("PreviewRefund", |it| PreviewRefund::read(it).map(drop)),
    ];
    let document = document();
    for (name, read) in bodies {
        let Err(BodyError::Wrong(mistakes)) = read(b"{\"?\": 1}") else {
            panic!("{name} takes everything")
        };
        let known = mistakes[0].expected.strip_prefix("no field beside ").unwrap();
        let known: BTreeSet<&str> = known.split(", ").collect();
        let properties = document["components"]["schemas"][name]["properties"].as_object().unwrap();
        assert_eq!(known, properties.keys().map(String::as_str).collect(), "{name}");
    }
}
