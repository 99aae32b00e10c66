//! The rules of `infra/template.yaml` that no linter knows.
//!
//! A rule is a function from the template to what it finds wrong. Every test gives its rule the real
//! template, and then copies that are broken on purpose: a rule that cannot fail holds nothing.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic, and a text has many shapes"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// What a rule finds wrong.
type Wrongs = Vec<String>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The template, its short forms written out: `!Ref Api` is `{"Ref": "Api"}`, and `!GetAtt A.Arn` is
/// `{"Fn::GetAtt": "A.Arn"}`.
fn template() -> Value {
    let text = read("infra/template.yaml");
    let documents = Yaml::load_from_str(&text).unwrap();
    assert_eq!(documents.len(), 1, "the template is one document");
    written_out(documents.first().unwrap())
}

fn written_out(node: &Yaml<'_>) -> Value {
    match node {
        Yaml::Mapping(entries) => {
            let entries = entries.iter().map(|(key, value)| {
                let key = key.as_str().unwrap_or_else(|| panic!("{key:?} is no name"));
                (key.to_owned(), written_out(value))
            });
            Value::Object(entries.collect())
        }
        Yaml::Sequence(items) => items.iter().map(written_out).collect(),
        Yaml::Tagged(tag, node) => {
            let name = match tag.suffix.as_str() {
                name @ ("Ref" | "Condition") => name.to_owned(),
                name => format!("Fn::{name}"),
            };
            json!({ name: written_out(node) })
        }
        Yaml::Value(Scalar::String(text)) | Yaml::Representation(text, ..) => json!(text),
        Yaml::Value(Scalar::Integer(number)) => json!(number),
        Yaml::Value(Scalar::Boolean(is_true)) => json!(is_true),
        other => panic!("the template has something that is neither text nor number: {other:?}"),
    }
}

/// Sees that `rule` has nothing against the template, and something against each broken copy.
#[track_caller]
fn check(rule: impl Fn(&Value) -> Wrongs, breaks: &[(&str, &str, Value)]) {
    let template = template();
    let wrongs = rule(&template);
    assert!(wrongs.is_empty(), "infra/template.yaml:\n{}", wrongs.join("\n"));

    for (break_at, place, value) in breaks {
        let mut broken = template.clone();
        let holder = broken
            .pointer_mut(break_at)
            .unwrap_or_else(|| panic!("nothing to break at {break_at}"));
        match (holder, value) {
            (Value::Object(entries), Value::Null) => {
                assert!(entries.remove(*place).is_some(), "no {place} at {break_at}");
            }
            (Value::Object(entries), value) => {
                let before = entries.insert((*place).to_owned(), value.clone());
                assert_ne!(before.as_ref(), Some(value), "{break_at}/{place} is as before");
            }
            (Value::Array(items), value) => items.push(value.clone()),
            (other, _) => panic!("{other} cannot be broken"),
        }
        let wrongs = rule(&broken);
        assert!(!wrongs.is_empty(), "{break_at}/{place} = {value} was not seen");
    }
}

fn entries<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let entries = value.pointer(pointer).and_then(Value::as_object);
    entries.into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn items<'a>(value: &'a Value, pointer: &str) -> Vec<&'a Value> {
    match value.pointer(pointer) {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(item) => vec![item],
        None => Vec::new(),
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

/// Every resource of a type, with its logical id.
fn resources<'a>(template: &'a Value, kind: &str) -> Vec<(&'a str, &'a Value)> {
    let found: Vec<_> =
        entries(template, "/Resources").filter(|(_, it)| text(it, "/Type") == kind).collect();
    assert!(!found.is_empty(), "the template has no {kind}");
    found
}

fn functions(template: &Value) -> Vec<(&str, Value)> {
    let globals = template.pointer("/Globals/Function");
    let merged = |it: &Value| merged(globals.unwrap_or(&Value::Null), &it["Properties"]);
    let functions = resources(template, "AWS::Serverless::Function");
    functions.into_iter().map(|(name, it)| (name, merged(it))).collect()
}

/// As SAM lays a function's properties over the globals.
fn merged(under: &Value, over: &Value) -> Value {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            let mut all: Map<_, _> = under.clone();
            for (name, value) in over {
                let value = merged(under.get(name).unwrap_or(&Value::Null), value);
                all.insert(name.clone(), value);
            }
            Value::Object(all)
        }
        _ => over.clone(),
    }
}

/// Every event of a type of every function: the function's id and properties, the event's properties.
fn events_of<'a>(template: &'a Value, kind: &str) -> Vec<(&'a str, Value, Value)> {
    let mut events = Vec::new();
    for (function, properties) in functions(template) {
        for (_, event) in entries(&properties, "/Events") {
            if text(event, "/Type") == kind {
                events.push((function, properties.clone(), event["Properties"].clone()));
            }
        }
    }
    assert!(!events.is_empty(), "no function has an event of {kind}");
    events
}

/// Every queue event of every function.
fn queue_events(template: &Value) -> Vec<(&str, Value, Value)> {
    events_of(template, "SQS")
}

/// The logical id that `!GetAtt <id>.<attribute>` names.
fn get_att<'a>(value: &'a Value, attribute: &str) -> Option<&'a str> {
    let (id, named) = value.get("Fn::GetAtt")?.as_str()?.split_once('.')?;
    (named == attribute).then_some(id)
}

fn reference(value: &Value) -> Option<&str> {
    value.get("Ref")?.as_str()
}

/// `accrue-points` becomes `AccruePoints`.
fn camel_case(folder: &str) -> String {
    let words = folder.split('-').map(|it| {
        let (first, rest) = it.split_at_checked(1).unwrap_or_default();
        first.to_uppercase() + rest
    });
    words.collect()
}

fn kebab_case(name: &str) -> String {
    let mut folder = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !folder.is_empty() {
            folder.push('-');
        }
        folder.extend(letter.to_lowercase());
    }
    folder
}

const ACCRUE: &str = "/Resources/AccruePointsFunction/Properties";
const ACCRUE_SETTINGS: &str = "/Resources/AccruePointsFunction/Properties/Environment/Variables";
const ORDERS_EVENT: &str = "/Resources/AccruePointsFunction/Properties/Events/Orders/Properties";
const ACCRUE_STATEMENTS: &str =
    "/Resources/AccruePointsRole/Properties/Policies/0/PolicyDocument/Statement";
const STAFF_STATEMENTS: &str =
    "/Resources/StaffApiRole/Properties/Policies/0/PolicyDocument/Statement";
const STREAM_EVENT: &str = "/Resources/PublishEventsFunction/Properties/Events/Entries/Properties";
const PUBLISH_STATEMENTS: &str =
    "/Resources/PublishEventsRole/Properties/Policies/0/PolicyDocument/Statement";
const READER_STATEMENT: &str =
    "/Resources/MemberApiRole/Properties/Policies/0/PolicyDocument/Statement/0";

#[test]
fn every_folder_of_functions_has_a_block_and_every_block_a_folder() {
    let folders: BTreeSet<_> = fs::read_dir(root().join("functions"))
        .unwrap_or_else(|error| panic!("functions/: {error}"))
        .map(|it| it.unwrap())
        .filter(|it| it.path().is_dir())
        .map(|it| it.file_name().to_string_lossy().into_owned())
        .collect();

    let rule = |template: &Value| {
        let blocks: BTreeSet<_> = functions(template)
            .iter()
            .map(|(it, _)| kebab_case(it.strip_suffix("Function").unwrap_or(it)))
            .collect();
        let differing = folders.symmetric_difference(&blocks);
        differing.map(|it| format!("{it} is either a folder or a block, not both")).collect()
    };

    let block = template()["Resources"]["MemberApiFunction"].clone();
    check(
        rule,
        &[
            ("/Resources", "MemberApiFunction", Value::Null),
            ("/Resources", "DropPointsFunction", block),
        ],
    );
}

#[test]
fn every_function_runs_what_was_built_for_it() {
    fn rule(template: &Value) -> Wrongs {
        let mut wrongs = Vec::new();
        for (name, properties) in functions(template) {
            let folder = kebab_case(name.strip_suffix("Function").unwrap_or_default());
            if format!("{}Function", camel_case(&folder)) != name {
                wrongs.push(format!("{name} is not named after a folder"));
            }
            if text(&properties, "/CodeUri") != format!("../target/lambda/{folder}") {
                wrongs.push(format!("{name} runs what was built for another"));
            }
            if text(&properties, "/Runtime") != "provided.al2023"
                || text(&properties, "/Handler") != "bootstrap"
            {
                wrongs.push(format!("{name} does not run its own binary"));
            }
            if properties["Architectures"] != json!([{ "Ref": "Architecture" }]) {
                wrongs.push(format!("{name} chooses its processor by itself"));
            }
        }
        wrongs
    }

    check(
        rule,
        &[
            (ACCRUE, "CodeUri", json!("../target/lambda/member-api")),
            (ACCRUE, "Runtime", json!("provided.al2")),
            (ACCRUE, "Architectures", json!(["arm64"])),
            ("/Globals/Function", "Handler", Value::Null),
        ],
    );
}

#[test]
fn every_reader_of_a_queue_reports_failures_and_has_a_maximum() {
    fn rule(template: &Value) -> Wrongs {
        let mut wrongs = Vec::new();
        for (function, _, event) in queue_events(template) {
            // Without it, a failure that is reported is deleted.
            if event["FunctionResponseTypes"] != json!(["ReportBatchItemFailures"]) {
                wrongs.push(format!("{function} loses the failures it reports"));
            }
            // AWS takes no less than 2.
            if number(&event, "/ScalingConfig/MaximumConcurrency") < 2 {
                wrongs.push(format!("{function} has no maximum"));
            }
            // More need a window, which the local AWS does not know.
            if !(1..=10).contains(&number(&event, "/BatchSize")) {
                wrongs.push(format!("{function} takes no batch of up to 10"));
            }
        }
        wrongs
    }

    check(
        rule,
        &[
            (ORDERS_EVENT, "FunctionResponseTypes", Value::Null),
            (ORDERS_EVENT, "ScalingConfig", Value::Null),
            (ORDERS_EVENT, "BatchSize", json!(11)),
        ],
    );
}

#[test]
fn a_message_stays_hidden_for_six_times_as_long_as_its_function_may_take() {
    fn rule(template: &Value) -> Wrongs {
        let mut wrongs = Vec::new();
        for (function, properties, event) in queue_events(template) {
            let queue = get_att(&event["Queue"], "Arn").unwrap_or_default();
            let hidden =
                number(template, &format!("/Resources/{queue}/Properties/VisibilityTimeout"));
            let timeout = number(&properties, "/Timeout");
            if timeout == 0 || hidden < 6 * timeout {
                wrongs.push(format!("{queue} shows a message again while {function} has it"));
            }
        }
        wrongs
    }

    check(
        rule,
        &[
            (ACCRUE, "Timeout", json!(31)),
            (ACCRUE, "Timeout", Value::Null),
            ("/Resources/OrdersQueue/Properties", "VisibilityTimeout", json!(179)),
            ("/Resources/OrdersQueue/Properties", "VisibilityTimeout", Value::Null),
        ],
    );
}

/// The queues that are somebody's dead letters, each with what sends to it.
fn dead_letters(template: &Value) -> BTreeMap<&str, &str> {
    let mut found = BTreeMap::new();
    for (name, resource) in entries(template, "/Resources") {
        let policy = &resource["Properties"]["RedrivePolicy"]["deadLetterTargetArn"];
        found.extend(get_att(policy, "Arn").map(|it| (it, name)));
        for target in items(resource, "/Properties/Targets") {
            found.extend(get_att(&target["DeadLetterConfig"]["Arn"], "Arn").map(|it| (it, name)));
        }
    }
    found
}

#[test]
fn every_queue_has_dead_letters_or_is_some() {
    const FOURTEEN_DAYS_S: u64 = 14 * 24 * 60 * 60;

    fn rule(template: &Value) -> Wrongs {
        let mut wrongs = Vec::new();
        let dead_letters = dead_letters(template);
        for (name, queue) in resources(template, "AWS::SQS::Queue") {
            let properties = &queue["Properties"];
            // Messages are what nobody can make again.
            if number(properties, "/MessageRetentionPeriod") != FOURTEEN_DAYS_S {
                wrongs.push(format!("{name} forgets before it must"));
            }
            if properties["SqsManagedSseEnabled"] != json!(true) {
                wrongs.push(format!("{name} is not encrypted"));
            }
            if let Some(sender) = dead_letters.get(name) {
                if properties.get("RedriveAllowPolicy").is_none() {
                    wrongs.push(format!("any queue may send to {name}"));
                }
                if text(queue, "/DeletionPolicy") != "RetainExceptOnCreate" {
                    wrongs.push(format!("{name} goes with its stack"));
                }
                let is_queue = sender.ends_with("Queue");
                if is_queue && name != format!("Unhandled{sender}") {
                    wrongs.push(format!("{name} is not named after {sender}"));
                }
            } else if number(properties, "/RedrivePolicy/maxReceiveCount") < 2 {
                wrongs.push(format!("{name} has no dead letters, or gives up at once"));
            }
        }
        // A bus that cannot reach a queue says so nowhere else.
        for (name, rule) in resources(template, "AWS::Events::Rule") {
            for target in items(rule, "/Properties/Targets") {
                if get_att(&target["DeadLetterConfig"]["Arn"], "Arn").is_none() {
                    wrongs.push(format!("{name} loses what it cannot deliver"));
                }
            }
        }
        wrongs
    }

    let orders = "/Resources/OrdersQueue/Properties";
    let unhandled = "/Resources/UnhandledOrdersQueue";
    check(
        rule,
        &[
            (orders, "RedrivePolicy", Value::Null),
            (orders, "SqsManagedSseEnabled", Value::Null),
            ("/Resources/OrdersQueue/Properties/RedrivePolicy", "maxReceiveCount", json!(1)),
            (
                "/Resources/UnhandledOrdersQueue/Properties",
                "MessageRetentionPeriod",
                json!(345_600),
            ),
            ("/Resources/UnhandledOrdersQueue/Properties", "RedriveAllowPolicy", Value::Null),
            (unhandled, "DeletionPolicy", json!("Delete")),
            ("/Resources/OrderEventsRule/Properties/Targets/0", "DeadLetterConfig", Value::Null),
        ],
    );
}

#[test]
fn only_the_rule_of_a_bus_may_send_for_it() {
    fn rule(template: &Value) -> Wrongs {
        let mut wrongs = Vec::new();
        let rules = resources(template, "AWS::Events::Rule");
        let mut allowed = BTreeSet::new();
        for (name, policy) in resources(template, "AWS::SQS::QueuePolicy") {
            for statement in items(policy, "/Properties/PolicyDocument/Statement") {
                let source = &statement["Condition"]["ArnEquals"]["aws:SourceArn"];
                let source = get_att(source, "Arn").unwrap_or_default();
                if statement["Principal"] != json!({ "Service": "events.amazonaws.com" })
                    || statement["Action"] != json!("sqs:SendMessage")
                    || !rules.iter().any(|(it, _)| *it == source)
                {
                    wrongs.push(format!("{name} lets somebody else in"));
                }
                let queue = get_att(&statement["Resource"], "Arn").unwrap_or_default();
                if policy["Properties"]["Queues"] != json!([{ "Ref": queue }]) {
                    wrongs.push(format!("{name} is the policy of another queue"));
                }
                allowed.insert((source, queue));
            }
        }
        let mut meant = BTreeSet::new();
        for (name, rule) in rules {
            for target in items(rule, "/Properties/Targets") {
                let places = [&target["Arn"], &target["DeadLetterConfig"]["Arn"]];
                meant.extend(places.into_iter().filter_map(|it| Some((name, get_att(it, "Arn")?))));
            }
        }
        for (name, place) in allowed.symmetric_difference(&meant) {
            wrongs.push(format!("{name} sends to {place} or may, not both"));
        }
        wrongs
    }

    let policy = "/Resources/OrderEventsPolicy/Properties";
    let statement = "/Resources/OrderEventsPolicy/Properties/PolicyDocument/Statement/0";
    let orders = json!({ "Fn::GetAtt": "OrdersQueue.Arn" });
    check(
        rule,
        &[
            (statement, "Condition", Value::Null),
            (statement, "Principal", json!("*")),
            (statement, "Action", json!(["sqs:SendMessage", "sqs:DeleteMessage"])),
            (
                "/Resources/ReferralEventsPolicy/Properties/PolicyDocument/Statement/0/Condition",
                "ArnEquals",
                json!({ "aws:SourceArn": { "Fn::GetAtt": "OrderEventsRule.Arn" } }),
            ),
            (policy, "Queues", json!([{ "Ref": "ReferralsQueue" }])),
            ("/Resources", "ReferralEventsPolicy", Value::Null),
            ("/Resources/ReferralEventsRule/Properties/Targets/0", "Arn", orders.clone()),
            (
                "/Resources/UndeliveredOrderEventsPolicy/Properties/PolicyDocument/Statement/0",
                "Resource",
                orders,
            ),
        ],
    );
}

#[test]
fn the_shop_s_bus_may_not_be_there_and_brings_every_event_of_an_order() {
    fn rule(template: &Value) -> Wrongs {
        let mut wrongs = Vec::new();
        let rule = &template["Resources"]["OrderEventsRule"];
        if reference(&rule["Properties"]["EventBusName"]) != Some("ShopBusName")
            || text(rule, "/Condition") != "HasShopBus"
        {
            wrongs.push("orders need a bus that a shop may not have".to_owned());
        }
        let kinds = &rule["Properties"]["EventPattern"]["detail-type"];
        for event in ["order.paid", "order.changed", "order.cancelled", "order.refunded"] {
            if !kinds.as_array().is_some_and(|it| it.contains(&json!(event))) {
                wrongs.push(format!("{event} passes by"));
            }
        }
        wrongs
    }

    check(
        rule,
        &[
            ("/Resources/OrderEventsRule", "Condition", Value::Null),
            ("/Resources/OrderEventsRule/Properties", "EventBusName", json!({ "Ref": "EventBus" })),
            (
                "/Resources/OrderEventsRule/Properties/EventPattern",
                "detail-type",
                json!(["order.paid"]),
            ),
        ],
    );
}

#[test]
fn our_own_bus_brings_referrals_to_who_rewards_them_and_nothing_else() {
    let source = read("shared/contracts/src/announcement.rs");
    let source = source.split("pub const SOURCE: &str = \"").nth(1);
    let source = source.and_then(|it| it.split('"').next()).unwrap().to_owned();

    let rule = |template: &Value| {
        let mut wrongs = Vec::new();
        let rule = &template["Resources"]["ReferralEventsRule"];
        let properties = &rule["Properties"];
        if reference(&properties["EventBusName"]) != Some("EventBus")
            || rule.get("Condition").is_some()
        {
            wrongs.push("referrals are heard on another bus, or not always".to_owned());
        }
        // What it is told of must be what we say, and not what comes of it: that would go round for ever.
        let pattern = json!({
            "source": [source],
            "detail-type": ["referral.pending", "referral.qualified"]
        });
        if properties["EventPattern"] != pattern || text(properties, "/State") != "ENABLED" {
            wrongs.push("other events are heard, or none".to_owned());
        }
        for target in items(properties, "/Targets") {
            // The whole envelope, which says what kind of event it is.
            if ["Input", "InputPath", "InputTransformer"].iter().any(|it| target.get(it).is_some())
            {
                wrongs.push("an event comes without its kind".to_owned());
            }
            let reads = queue_events(template);
            let reader = reads.iter().find(|(_, _, event)| event["Queue"] == target["Arn"]);
            if reader.map(|(it, ..)| *it) != Some("IssueReferralRewardFunction") {
                wrongs.push("referrals come to somebody else".to_owned());
            }
        }
        wrongs
    };

    let events = "/Resources/ReferralEventsRule/Properties";
    let pattern = "/Resources/ReferralEventsRule/Properties/EventPattern";
    let target = "/Resources/ReferralEventsRule/Properties/Targets/0";
    check(
        rule,
        &[
            (events, "EventBusName", json!({ "Ref": "ShopBusName" })),
            (events, "State", json!("DISABLED")),
            ("/Resources/ReferralEventsRule", "Condition", json!("HasShopBus")),
            (pattern, "source", Value::Null),
            (pattern, "detail-type", json!(["referral.pending"])),
            (
                pattern,
                "detail-type",
                json!(["referral.pending", "referral.qualified", "referral.rewarded"]),
            ),
            (target, "InputPath", json!("$.detail")),
            (target, "Arn", json!({ "Fn::GetAtt": "OrdersQueue.Arn" })),
        ],
    );
}

#[test]
fn every_route_asks_for_a_token() {
    fn rule(template: &Value) -> Wrongs {
        let mut wrongs = Vec::new();
        let authorizers: BTreeSet<_> = resources(template, "AWS::ApiGatewayV2::Authorizer")
            .into_iter()
            .filter(|(_, it)| text(it, "/Properties/AuthorizerType") == "JWT")
            .filter(|(_, it)| {
                it["Properties"]["JwtConfiguration"]
                    == json!({ "Issuer": { "Ref": "Issuer" }, "Audience": { "Ref": "Audience" } })
            })
            .map(|(name, _)| name)
            .collect();
        for (name, route) in resources(template, "AWS::ApiGatewayV2::Route") {
            let properties = &route["Properties"];
            let authorizer = reference(&properties["AuthorizerId"]).unwrap_or_default();
            if text(properties, "/AuthorizationType") != "JWT" || !authorizers.contains(authorizer)
            {
                wrongs.push(format!("{name} is open"));
            }
        }
        // The local AWS drops the routes and the authorizers of these.
        for (name, resource) in entries(template, "/Resources") {
            if ["AWS::Serverless::HttpApi", "AWS::Serverless::Api"]
                .contains(&text(resource, "/Type"))
            {
                wrongs.push(format!("{name} keeps its routes in a `Body`"));
            }
        }
        for (name, properties) in functions(template) {
            let is_api = |it: &Value| ["Api", "HttpApi"].contains(&text(it, "/Type"));
            if entries(&properties, "/Events").any(|(_, it)| is_api(it)) {
                wrongs.push(format!("{name} has a route of SAM's own"));
            }
            if properties.get("FunctionUrlConfig").is_some() {
                wrongs.push(format!("{name} has a door beside the API"));
            }
        }
        for name in ["Issuer", "Audience", "Stage"] {
            if template.pointer(&format!("/Parameters/{name}/Default")).is_some() {
                wrongs.push(format!("{name} has a default"));
            }
        }
        wrongs
    }

    check(
        rule,
        &[
            ("/Resources/StatusRoute/Properties", "AuthorizationType", json!("NONE")),
            ("/Resources/StatusRoute/Properties", "AuthorizationType", Value::Null),
            ("/Resources/OtherwiseRoute/Properties", "AuthorizationType", json!("NONE")),
            ("/Resources/EnrollRoute/Properties", "AuthorizationType", json!("NONE")),
            ("/Resources/ClaimOrderRoute/Properties", "AuthorizerId", Value::Null),
            ("/Resources/StatusRoute/Properties", "AuthorizerId", json!({ "Ref": "Api" })),
            ("/Resources/Authorizer/Properties", "AuthorizerType", json!("REQUEST")),
            ("/Resources/Authorizer/Properties/JwtConfiguration", "Audience", Value::Null),
            ("/Resources", "Other", json!({ "Type": "AWS::Serverless::HttpApi" })),
            (ACCRUE, "FunctionUrlConfig", json!({ "AuthType": "NONE" })),
            (
                "/Resources/AccruePointsFunction/Properties/Events",
                "Get",
                json!({ "Type": "HttpApi" }),
            ),
            ("/Parameters/Audience", "Default", json!("everybody")),
        ],
    );
}

/// The functions behind the API.
const BEHIND_THE_API: [&str; 4] = ["enroll-members", "member-api", "redeem-points", "staff-api"];

/// The keys of the routes that a function answers, as its source names them: the path after its method. Who
/// names no method only reads.
fn answered(folder: &str) -> BTreeSet<String> {
    let path = format!("functions/{folder}/src/route.rs");
    let source = read(&path);
    let mut keys = BTreeSet::new();
    let mut pieces = source.split("path: \"");
    let mut before = pieces.next().unwrap_or_default();
    for piece in pieces {
        let (path, after) = piece.split_once('"').unwrap_or((piece, ""));
        let method =
            before.rsplit_once("method: Method::").and_then(|(_, it)| it.split(',').next());
        keys.insert(format!("{} {path}", method.unwrap_or("Get").to_uppercase()));
        before = after;
    }
    assert!(!keys.is_empty(), "{path} names no path");
    let otherwise = source.split("OTHERWISE: &str = \"").nth(1).and_then(|it| it.split('"').next());
    keys.extend(otherwise.map(ToOwned::to_owned));
    keys
}

#[test]
fn every_route_leads_to_the_function_that_answers_it() {
    let answered =
        BEHIND_THE_API.map(|it| (format!("{}Integration", camel_case(it)), answered(it)));

    let rule = |template: &Value| {
        let mut wrongs = Vec::new();
        let routes = resources(template, "AWS::ApiGatewayV2::Route");
        for (integration, answered) in &answered {
            let target = json!({ "Fn::Sub": format!("integrations/${{{integration}}}") });
            let named: BTreeSet<_> = routes
                .iter()
                .filter(|(_, it)| it["Properties"]["Target"] == target)
                .map(|(_, it)| text(it, "/Properties/RouteKey").to_owned())
                .collect();
            for key in answered.symmetric_difference(&named) {
                wrongs.push(format!("{key} leads to {integration} or is answered there, not both"));
            }
        }
        let keys: BTreeSet<_> =
            routes.iter().map(|(_, it)| text(it, "/Properties/RouteKey")).collect();
        if keys.len() != routes.len() {
            wrongs.push("two routes have one key".to_owned());
        }
        let all: usize = answered.iter().map(|(_, it)| it.len()).sum();
        if all != routes.len() {
            wrongs.push("a route leads elsewhere, or is answered twice".to_owned());
        }
        for (name, properties) in functions(template) {
            let folder = kebab_case(name.strip_suffix("Function").unwrap_or(name));
            let claim = &properties["Environment"]["Variables"]["MEMBER_CLAIM"];
            let is_behind = BEHIND_THE_API.contains(&folder.as_str());
            if reference(claim) != is_behind.then_some("MemberClaim") {
                wrongs.push(format!("{name} takes a member from elsewhere"));
            }
        }
        wrongs
    };

    let enroll = "/Resources/EnrollRoute/Properties";
    let other = json!({ "Fn::Sub": "integrations/${MemberApiIntegration}" });
    check(
        rule,
        &[
            ("/Resources", "StatusRoute", Value::Null),
            ("/Resources", "OtherwiseRoute", Value::Null),
            ("/Resources", "ClaimOrderRoute", Value::Null),
            ("/Resources/StatusRoute/Properties", "RouteKey", json!("GET /v1/other")),
            ("/Resources/StatusRoute/Properties", "Target", Value::Null),
            (enroll, "RouteKey", json!("PUT /v1/members")),
            (enroll, "Target", other),
            (
                "/Resources/EnrollMembersFunction/Properties/Environment/Variables",
                "MEMBER_CLAIM",
                json!("sub"),
            ),
        ],
    );
}

#[test]
fn the_api_may_ask_the_function_behind_its_routes() {
    // AWS answers 500 to a route that may not; the local AWS does not look.
    fn rule(template: &Value) -> Wrongs {
        let every_route =
            "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/*";
        let allowed: BTreeSet<_> = resources(template, "AWS::Lambda::Permission")
            .into_iter()
            .filter(|(_, it)| text(it, "/Properties/Action") == "lambda:InvokeFunction")
            .filter(|(_, it)| text(it, "/Properties/Principal") == "apigateway.amazonaws.com")
            .filter(|(_, it)| text(it, "/Properties/SourceArn/Fn::Sub") == every_route)
            .filter_map(|(_, it)| reference(&it["Properties"]["FunctionName"]))
            .collect();
        let integrations = resources(template, "AWS::ApiGatewayV2::Integration");
        let asked =
            integrations.iter().map(|(_, it)| get_att(&it["Properties"]["IntegrationUri"], "Arn"));
        asked
            .filter(|it| !it.is_some_and(|it| allowed.contains(it)))
            .map(|it| format!("the API may not ask {it:?} for every route, or others may"))
            .collect()
    }

    let permission = "/Resources/MemberApiPermission/Properties";
    let get_only =
        "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/GET/*";
    check(
        rule,
        &[
            (permission, "SourceArn", json!({ "Fn::Sub": get_only })),
            (permission, "SourceArn", Value::Null),
            (permission, "FunctionName", json!({ "Ref": "AccruePointsFunction" })),
            ("/Resources", "EnrollMembersPermission", Value::Null),
            ("/Resources", "RedeemPointsPermission", Value::Null),
            ("/Resources", "StaffApiPermission", Value::Null),
        ],
    );
}

#[test]
fn the_api_is_throttled_and_its_log_names_nobody() {
    fn rule(template: &Value) -> Wrongs {
        let mut wrongs = Vec::new();
        for (name, stage) in resources(template, "AWS::ApiGatewayV2::Stage") {
            let properties = &stage["Properties"];
            // With any other stage, lambda_http reads paths with the stage's name in front.
            if text(properties, "/StageName") != "$default" {
                wrongs.push(format!("{name} is a named stage"));
            }
            if number(properties, "/DefaultRouteSettings/ThrottlingRateLimit") == 0
                || number(properties, "/DefaultRouteSettings/ThrottlingBurstLimit") == 0
            {
                wrongs.push(format!("{name} is not throttled"));
            }
            let format = text(properties, "/AccessLogSettings/Format");
            if serde_json::from_str::<Value>(format).is_err() {
                wrongs.push(format!("{name} does not log JSON"));
            }
            for personal in ["identity", "path", "claims", "$context.http.userAgent"] {
                if format.contains(personal) {
                    wrongs.push(format!("{name} logs `{personal}`"));
                }
            }
            let group = &properties["AccessLogSettings"]["DestinationArn"];
            let group = get_att(group, "Arn").unwrap_or_default();
            if text(template, &format!("/Resources/{group}/Type")) != "AWS::Logs::LogGroup" {
                wrongs.push(format!("{name} logs nowhere"));
            }
        }
        wrongs
    }

    let stage = "/Resources/ApiStage/Properties";
    let settings = "/Resources/ApiStage/Properties/AccessLogSettings";
    check(
        rule,
        &[
            (stage, "StageName", json!("v1")),
            (stage, "DefaultRouteSettings", Value::Null),
            (stage, "AccessLogSettings", Value::Null),
            (settings, "Format", json!("{\"ip\":\"$context.identity.sourceIp\"}")),
            (settings, "Format", json!("$context.requestId")),
        ],
    );
}

#[test]
fn every_table_outlives_its_stack_and_is_protected_in_production() {
    fn rule(template: &Value) -> Wrongs {
        let mut wrongs = Vec::new();
        let in_production = json!({ "Fn::If": ["IsProduction", true, false] });
        if template["Conditions"]["IsProduction"]
            != json!({ "Fn::Equals": [{ "Ref": "Stage" }, "production"] })
        {
            wrongs.push("production is something else".to_owned());
        }
        for (name, table) in resources(template, "AWS::DynamoDB::Table") {
            let properties = &table["Properties"];
            if text(table, "/DeletionPolicy") != "RetainExceptOnCreate"
                || text(table, "/UpdateReplacePolicy") != "Retain"
            {
                wrongs.push(format!("{name} goes with its stack"));
            }
            if properties["DeletionProtectionEnabled"] != in_production {
                wrongs.push(format!("{name} can be deleted in production"));
            }
            let recovery = "/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled";
            if properties.pointer(recovery) != Some(&in_production) {
                wrongs.push(format!("{name} cannot be brought back in production"));
            }
            if properties.pointer("/SSESpecification/SSEEnabled") != Some(&json!(true)) {
                wrongs.push(format!("{name} is not encrypted with a key of the account"));
            }
            if text(properties, "/BillingMode") != "PAY_PER_REQUEST" {
                wrongs.push(format!("{name} has a capacity that somebody must watch"));
            }
        }
        wrongs
    }

    let table = "/Resources/LedgerTable";
    let properties = "/Resources/LedgerTable/Properties";
    let recovery = "/Resources/LedgerTable/Properties/PointInTimeRecoverySpecification";
    check(
        rule,
        &[
            (table, "DeletionPolicy", Value::Null),
            (table, "UpdateReplacePolicy", json!("Delete")),
            (properties, "DeletionProtectionEnabled", json!(false)),
            (recovery, "PointInTimeRecoveryEnabled", json!(false)),
            (properties, "SSESpecification", Value::Null),
            (properties, "BillingMode", json!("PROVISIONED")),
            ("/Conditions", "IsProduction", json!({ "Fn::Equals": [{ "Ref": "Stage" }, "prod"] })),
        ],
    );
}

#[test]
fn the_ledger_has_the_keys_of_the_decision_and_a_stream() {
    fn rule(template: &Value) -> Wrongs {
        let ledger = &template["Resources"]["LedgerTable"]["Properties"];
        let keys = |hash: &str, range: &str| {
            json!([
                { "AttributeName": hash, "KeyType": "HASH" },
                { "AttributeName": range, "KeyType": "RANGE" }
            ])
        };
        let due = json!([{
            "IndexName": "due",
            "KeySchema": keys("ds", "dd"),
            "Projection": { "ProjectionType": "KEYS_ONLY" }
        }]);
        let is_right = ledger["KeySchema"] == keys("pk", "sk")
            && ledger["GlobalSecondaryIndexes"] == due
            && text(ledger, "/StreamSpecification/StreamViewType") == "NEW_AND_OLD_IMAGES";
        if is_right { Vec::new() } else { vec!["the ledger is another table".to_owned()] }
    }

    let ledger = "/Resources/LedgerTable/Properties";
    check(
        rule,
        &[
            (ledger, "StreamSpecification", Value::Null),
            (
                "/Resources/LedgerTable/Properties/GlobalSecondaryIndexes/0/Projection",
                "ProjectionType",
                json!("ALL"),
            ),
            (ledger, "GlobalSecondaryIndexes", json!({})),
        ],
    );
}

/// The logical id of the bucket whose objects `!Sub ${<id>.Arn}/*` names.
fn bucket_of_objects(value: &Value) -> Option<&str> {
    let id = value.get("Fn::Sub")?.as_str()?.strip_prefix("${")?.strip_suffix(".Arn}/*")?;
    id.bytes().all(|it| it.is_ascii_alphanumeric()).then_some(id)
}

/// The role of a function, and every (action, resource) that it allows.
fn permissions<'a>(template: &'a Value, role: &str) -> Vec<(&'a str, &'a Value)> {
    let mut found = Vec::new();
    let policies = items(template, &format!("/Resources/{role}/Properties/Policies"));
    for statement in policies.iter().flat_map(|it| items(it, "/PolicyDocument/Statement")) {
        for action in items(statement, "/Action") {
            for resource in items(statement, "/Resource") {
                found.push((action.as_str().unwrap_or_default(), resource));
            }
        }
    }
    found
}

/// The condition under which a right on the table of members is one on codes of referrals alone.
fn codes_alone() -> Value {
    json!({ "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["C#*"] } })
}

/// The condition under which a right on the table of programs is one on what begins with one of `keys`.
fn keys_alone(keys: &[&str]) -> Value {
    json!({ "ForAllValues:StringLike": { "dynamodb:LeadingKeys": keys } })
}

/// What of the table of programs is written by who uses points, and by who keeps the catalogue: stock with pieces such as
/// codes, and rewards. Programs are under none of these.
const PIECES: [&str; 1] = ["S#*"];
const CATALOG: [&str; 2] = ["R#*", "S#*"];
/// What of the table of members who writes notes reaches. Profiles are under none of these.
const NOTES: [&str; 1] = ["N#*"];

/// Whether a statement says what is allowed, and nothing else. Some rights are only for a part of a table, and for
/// nothing without their condition.
fn is_plain(statement: &Value) -> bool {
    let known = ["Effect", "Action", "Resource"];
    let parts = [codes_alone(), keys_alone(&PIECES), keys_alone(&CATALOG), keys_alone(&NOTES)];
    let is_known =
        |it: &str| known.contains(&it) || it == "Condition" && parts.contains(&statement[it]);
    text(statement, "/Effect") == "Allow" && entries(statement, "").all(|(it, _)| is_known(it))
}

/// The logical id of the secret whose ARN a value is. A reference to one is its name on the local AWS.
fn secret<'a>(template: &Value, value: &'a Value) -> Option<&'a str> {
    let id = get_att(value, "Id")?;
    let kind = text(template, &format!("/Resources/{id}/Type"));
    (kind == "AWS::SecretsManager::Secret").then_some(id)
}

#[test]
fn every_function_has_a_role_of_its_own_with_single_actions_on_single_resources() {
    fn rule(template: &Value) -> Wrongs {
        let mut wrongs = Vec::new();
        for (name, properties) in functions(template) {
            let stem = name.strip_suffix("Function").unwrap_or_default();
            if get_att(&properties["Role"], "Arn") != Some(&format!("{stem}Role")) {
                wrongs.push(format!("{name} has no role of its own"));
            }
            if properties.get("Policies").is_some() {
                wrongs.push(format!("{name} has policies beside its role"));
            }
        }
        for (name, role) in resources(template, "AWS::IAM::Role") {
            let assumers = &role["Properties"]["AssumeRolePolicyDocument"]["Statement"];
            let lambda = json!([{
                "Effect": "Allow",
                "Principal": { "Service": "lambda.amazonaws.com" },
                "Action": "sts:AssumeRole"
            }]);
            // What starts the night is no function. Others' schedules could use its role without the
            // condition.
            let scheduler = json!([{
                "Effect": "Allow",
                "Principal": { "Service": "scheduler.amazonaws.com" },
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": { "aws:SourceAccount": { "Ref": "AWS::AccountId" } }
                }
            }]);
            let expected = if name == "NightScheduleRole" { scheduler } else { lambda };
            if *assumers != expected {
                wrongs.push(format!("{name} can be assumed by others"));
            }
            if role["Properties"].get("ManagedPolicyArns").is_some() {
                wrongs.push(format!("{name} has a policy that others write"));
            }
            for policy in items(role, "/Properties/Policies") {
                for statement in items(policy, "/PolicyDocument/Statement") {
                    if !is_plain(statement) {
                        wrongs.push(format!("{name} says what is not allowed, or when"));
                    }
                }
            }
            let allowed = permissions(template, name);
            if allowed.is_empty() {
                wrongs.push(format!("{name} allows nothing"));
            }
            for (action, resource) in allowed {
                if action.contains('*') || !action.contains(':') {
                    wrongs.push(format!("{name} allows more than one action: {action}"));
                }
                // A reference names one resource; a text could name many, but an index has no other.
                let is_one = get_att(resource, "Arn")
                    .or_else(|| get_att(resource, "StreamArn"))
                    .or_else(|| secret(template, resource));
                let is_index = text(resource, "/Fn::Sub") == "${LedgerTable.Arn}/index/due"
                    && action == "dynamodb:Query";
                // Nobody knows what an object will be called, but which bucket it is in.
                let is_object = action == "s3:PutObject" && bucket_of_objects(resource).is_some();
                if is_one.is_none() && !is_index && !is_object {
                    wrongs.push(format!("{name} allows {action} on {resource}"));
                }
            }
        }
        for (name, resource) in entries(template, "/Resources") {
            if ["AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"].contains(&text(resource, "/Type")) {
                wrongs.push(format!("{name} is a policy beside the roles"));
            }
        }
        wrongs
    }

    let statement = "/Resources/AccruePointsRole/Properties/Policies/0/PolicyDocument/Statement/0";
    let role = "/Resources/AccruePointsRole/Properties";
    check(
        rule,
        &[
            (ACCRUE, "Role", Value::Null),
            (ACCRUE, "Role", json!({ "Fn::GetAtt": "MemberApiRole.Arn" })),
            (ACCRUE, "Policies", json!(["AmazonDynamoDBFullAccess"])),
            (statement, "Action", json!("dynamodb:*")),
            (statement, "Action", json!("*")),
            (statement, "Resource", json!("*")),
            (statement, "Resource", json!({ "Fn::Sub": "${LedgerTable.Arn}/index/*" })),
            // An index is read and no more.
            (statement, "Resource", json!({ "Fn::Sub": "${LedgerTable.Arn}/index/due" })),
            (&format!("{PUBLISH_STATEMENTS}/4"), "Action", json!("s3:GetObject")),
            (&format!("{PUBLISH_STATEMENTS}/4"), "Resource", json!({ "Fn::Sub": "*/*" })),
            (statement, "NotAction", json!("iam:PassRole")),
            (statement, "Effect", json!("Deny")),
            (statement, "Condition", json!({ "Bool": { "aws:SecureTransport": true } })),
            (role, "ManagedPolicyArns", json!(["arn:aws:iam::aws:policy/AdministratorAccess"])),
            (role, "Policies", json!([])),
            (
                "/Resources/AccruePointsRole/Properties/AssumeRolePolicyDocument/Statement/0",
                "Principal",
                json!("*"),
            ),
            (
                "/Resources/NightScheduleRole/Properties/AssumeRolePolicyDocument/Statement/0",
                "Condition",
                Value::Null,
            ),
            ("/Resources", "Other", json!({ "Type": "AWS::IAM::ManagedPolicy" })),
        ],
    );
}

#[test]
fn no_function_writes_a_program_and_few_what_only_so_many_may_have() {
    fn rule(template: &Value) -> Wrongs {
        let mut wrongs = Vec::new();
        let programs = json!({ "Fn::GetAtt": "ProgramTable.Arn" });
        let reads = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"];
        for (name, role) in resources(template, "AWS::IAM::Role") {
            let may_write = match name {
                "RedeemPointsRole" => keys_alone(&PIECES),
                "StaffApiRole" => keys_alone(&CATALOG),
                _ => Value::Null,
            };
            let policies = items(role, "/Properties/Policies");
            for statement in policies.iter().flat_map(|it| items(it, "/PolicyDocument/Statement")) {
                let is_reading = items(statement, "/Action")
                    .iter()
                    .all(|it| it.as_str().is_some_and(|it| reads.contains(&it)));
                if statement["Resource"] != programs || is_reading {
                    continue;
                }
                if may_write.is_null() || statement["Condition"] != may_write {
                    wrongs.push(format!("{name} writes more of the table of programs"));
                }
            }
        }
        wrongs
    }

    let redeem = "/Resources/RedeemPointsRole/Properties/Policies/0/PolicyDocument/Statement/2";
    let staff = format!("{STAFF_STATEMENTS}/2");
    let programs = json!({ "Fn::GetAtt": "ProgramTable.Arn" });
    check(
        rule,
        &[
            (redeem, "Condition", Value::Null),
            (redeem, "Condition", keys_alone(&CATALOG)),
            (&staff, "Condition", keys_alone(&["P"])),
            (&staff, "Condition", Value::Null),
            (&format!("{ACCRUE_STATEMENTS}/0"), "Resource", programs),
        ],
    );
}

#[test]
fn a_night_starts_by_the_clock_of_the_shop_and_is_not_lost() {
    fn rule(template: &Value) -> Wrongs {
        let mut wrongs = Vec::new();
        for (name, schedule) in resources(template, "AWS::Scheduler::Schedule") {
            let properties = &schedule["Properties"];
            let target = &properties["Target"];
            if properties["ScheduleExpressionTimezone"] != json!({ "Ref": "NightTimeZone" })
                || !text(properties, "/ScheduleExpression/Fn::Sub").contains("${NightHour}")
            {
                wrongs.push(format!("{name} fires by a clock that nobody can set"));
            }
            if text(properties, "/State") != "ENABLED" {
                wrongs.push(format!("{name} never fires"));
            }
            // Whoever reads it sees which day has begun; a day in it would be the template's.
            if text(target, "/Input") != r#"{"type":"due.plan"}"# {
                wrongs.push(format!("{name} asks for something else"));
            }
            let role = get_att(&target["RoleArn"], "Arn").unwrap_or_default();
            let allowed = permissions(template, role);
            for place in [&target["Arn"], &target["DeadLetterConfig"]["Arn"]] {
                if get_att(place, "Arn").is_none() || !allowed.contains(&("sqs:SendMessage", place))
                {
                    wrongs.push(format!("{name} may not send to {place}"));
                }
            }
            let read = queue_events(template);
            if !read.iter().any(|(_, _, event)| event["Queue"] == target["Arn"]) {
                wrongs.push(format!("nobody hears {name}"));
            }
        }
        wrongs
    }

    let schedule = "/Resources/NightSchedule/Properties";
    let target = "/Resources/NightSchedule/Properties/Target";
    let may = "/Resources/NightScheduleRole/Properties/Policies/0/PolicyDocument/Statement/0";
    let unhandled = json!({ "Fn::GetAtt": "UnhandledExpiryWorkQueue.Arn" });
    check(
        rule,
        &[
            (schedule, "ScheduleExpressionTimezone", Value::Null),
            (schedule, "ScheduleExpression", json!("cron(15 4 * * ? *)")),
            (schedule, "State", json!("DISABLED")),
            (target, "Input", json!(r#"{"type":"due.plan","day":"2026-01-01"}"#)),
            (target, "DeadLetterConfig", Value::Null),
            (target, "Arn", unhandled.clone()),
            (may, "Resource", unhandled),
        ],
    );
}

#[test]
fn what_only_reads_cannot_write() {
    fn rule(template: &Value) -> Wrongs {
        let reads = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"];
        let logs = ["logs:CreateLogStream", "logs:PutLogEvents"];
        permissions(template, "MemberApiRole")
            .into_iter()
            .filter(|(it, _)| !reads.contains(it) && !logs.contains(it))
            .map(|(it, _)| format!("member-api may {it}"))
            .collect()
    }

    check(
        rule,
        &[
            (READER_STATEMENT, "Action", json!("dynamodb:PutItem")),
            (READER_STATEMENT, "Action", json!(["dynamodb:BatchGetItem", "sqs:SendMessage"])),
        ],
    );
}

#[test]
fn only_who_measures_everybody_may_go_over_a_whole_table() {
    fn rule(template: &Value) -> Wrongs {
        let mut wrongs = Vec::new();
        let ledger = json!({ "Fn::GetAtt": "LedgerTable.Arn" });
        for (name, _) in resources(template, "AWS::IAM::Role") {
            let scans: Vec<_> = permissions(template, name)
                .into_iter()
                .filter(|(action, _)| *action == "dynamodb:Scan")
                .map(|(_, resource)| resource)
                .collect();
            let expected = if name == "EvaluateTierRole" { vec![&ledger] } else { Vec::new() };
            if scans != expected {
                wrongs.push(format!("{name} goes over {scans:?}"));
            }
        }
        wrongs
    }

    let scan = "/Resources/EvaluateTierRole/Properties/Policies/0/PolicyDocument/Statement/1";
    check(
        rule,
        &[
            (READER_STATEMENT, "Action", json!(["dynamodb:BatchGetItem", "dynamodb:Scan"])),
            (scan, "Action", json!("dynamodb:Query")),
            (scan, "Resource", json!({ "Fn::GetAtt": "ProgramTable.Arn" })),
        ],
    );
}

/// Who reaches the table of members, and what each may do there, by name.
const REACH_MEMBERS: [(&str, &[&str]); 4] = [
    // Codes of referrals alone.
    ("AccruePoints", &["dynamodb:BatchGetItem"]),
    (
        "EnrollMembers",
        &[
            "dynamodb:BatchGetItem",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
        ],
    ),
    ("IssueReferralReward", &["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]),
    // Notes, which nobody changes.
    ("StaffApi", &["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]),
];

#[test]
fn personal_data_is_in_one_table_that_few_reach_and_nothing_copies() {
    fn rule(template: &Value) -> Wrongs {
        let mut wrongs = Vec::new();
        let members = json!({ "Fn::GetAtt": "MembersTable.Arn" });
        for (name, _) in resources(template, "AWS::IAM::Role") {
            let stem = name.strip_suffix("Role").unwrap_or(name);
            let mut may: Vec<_> = permissions(template, name)
                .into_iter()
                .filter(|(_, resource)| resource.to_string().contains("MembersTable"))
                .collect();
            may.sort_by_key(|(action, _)| *action);
            let known = REACH_MEMBERS.iter().find(|(it, _)| *it == stem);
            let known = known.map_or(&[][..], |(_, actions)| *actions);
            if may != known.iter().map(|it| (*it, &members)).collect::<Vec<_>>() {
                wrongs.push(format!("{name} may do something else with members: {may:?}"));
            }
        }
        for statement in items(template, ACCRUE_STATEMENTS) {
            // Whoever reads orders reads what strangers wrote.
            let is_limited = statement["Condition"] == codes_alone();
            if is_limited != (statement["Resource"] == members) {
                wrongs.push("accrue-points may read more of members than codes".to_owned());
            }
        }
        for statement in items(template, STAFF_STATEMENTS) {
            let is_limited = statement["Condition"] == keys_alone(&NOTES);
            if is_limited != (statement["Resource"] == members) {
                wrongs.push("staff-api reaches more of members than notes".to_owned());
            }
        }
        for (name, properties) in functions(template) {
            let stem = name.strip_suffix("Function").unwrap_or(name);
            let setting = &properties["Environment"]["Variables"]["MEMBERS_TABLE_NAME"];
            let is_known = REACH_MEMBERS.iter().any(|(it, _)| *it == stem);
            if reference(setting) != is_known.then_some("MembersTable") {
                wrongs.push(format!("{name} knows of members, or does not where it must"));
            }
        }
        let table = &template["Resources"]["MembersTable"]["Properties"];
        for copy in ["StreamSpecification", "KinesisStreamSpecification", "GlobalSecondaryIndexes"]
        {
            if table.get(copy).is_some() {
                wrongs.push(format!("personal data goes elsewhere by {copy}"));
            }
        }
        wrongs
    }

    let reward =
        "/Resources/IssueReferralRewardRole/Properties/Policies/0/PolicyDocument/Statement/2";
    let members = json!({ "Fn::GetAtt": "MembersTable.Arn" });
    let codes = format!("{ACCRUE_STATEMENTS}/2");
    let wider = json!({ "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["C#*", "M#*"] } });
    check(
        rule,
        &[
            (&codes, "Condition", Value::Null),
            (&codes, "Condition", wider.clone()),
            (&format!("{STAFF_STATEMENTS}/3"), "Condition", Value::Null),
            (&format!("{STAFF_STATEMENTS}/3"), "Condition", wider),
            (&codes, "Action", json!(["dynamodb:BatchGetItem", "dynamodb:PutItem"])),
            (&format!("{ACCRUE_STATEMENTS}/0"), "Condition", codes_alone()),
            (reward, "Action", json!("dynamodb:DeleteItem")),
            (reward, "Action", json!(["dynamodb:BatchGetItem", "dynamodb:Query"])),
            (READER_STATEMENT, "Resource", members.clone()),
            (
                "/Resources/PublishEventsRole/Properties/Policies/0/PolicyDocument/Statement/1",
                "Resource",
                members,
            ),
            (
                "/Resources/MemberApiFunction/Properties/Environment/Variables",
                "MEMBERS_TABLE_NAME",
                json!({ "Ref": "MembersTable" }),
            ),
            (
                "/Resources/IssueReferralRewardFunction/Properties/Environment/Variables",
                "MEMBERS_TABLE_NAME",
                Value::Null,
            ),
            (
                "/Resources/MembersTable/Properties",
                "StreamSpecification",
                json!({ "StreamViewType": "NEW_IMAGE" }),
            ),
        ],
    );
}

#[test]
fn one_function_reads_the_secret_which_is_made_once_and_stays() {
    fn rule(template: &Value) -> Wrongs {
        let mut wrongs = Vec::new();
        let secrets = resources(template, "AWS::SecretsManager::Secret");
        if secrets.iter().map(|(it, _)| *it).ne(["IdentitySecret"]) {
            wrongs.push("there is another secret, and nobody said who reads it".to_owned());
        }
        for (name, secret) in secrets {
            if text(secret, "/DeletionPolicy") != "RetainExceptOnCreate"
                || text(secret, "/UpdateReplacePolicy") != "Retain"
            {
                wrongs.push(format!("{name} goes with its stack"));
            }
            // Word for word: whatever else stands here makes another secret, by which no member is found.
            let properties = &secret["Properties"];
            let made = json!({ "PasswordLength": 64, "ExcludePunctuation": true });
            let known = ["Description", "GenerateSecretString"];
            if properties["GenerateSecretString"] != made
                || entries(properties, "").any(|(it, _)| !known.contains(&it))
            {
                wrongs.push(format!("{name} is made otherwise, and so once more"));
            }
        }
        for (name, resource) in entries(template, "/Resources") {
            let kind = text(resource, "/Type");
            if kind.starts_with("AWS::SecretsManager::") && kind != "AWS::SecretsManager::Secret" {
                wrongs.push(format!("{name} rotates the secret, or shows it to others"));
            }
        }
        let arn = json!({ "Fn::GetAtt": "IdentitySecret.Id" });
        for (name, _) in resources(template, "AWS::IAM::Role") {
            let may: Vec<_> = permissions(template, name)
                .into_iter()
                .filter(|(action, resource)| {
                    action.starts_with("secretsmanager:")
                        || resource.to_string().contains("IdentitySecret")
                })
                .collect();
            let read = ("secretsmanager:GetSecretValue", &arn);
            let expected = if name == "EnrollMembersRole" { vec![read] } else { Vec::new() };
            if may != expected {
                wrongs.push(format!("{name} may do something else with the secret: {may:?}"));
            }
        }
        for (name, properties) in functions(template) {
            let variables = &properties["Environment"]["Variables"];
            // CloudFormation would write the secret itself there.
            if variables.to_string().contains("resolve:secretsmanager") {
                wrongs.push(format!("{name} has a secret among its settings"));
            }
            let setting = variables.get("IDENTITY_SECRET_ID");
            if setting != (name == "EnrollMembersFunction").then_some(&arn) {
                wrongs.push(format!("{name} knows of the secret, or does not where it must"));
            }
        }
        wrongs
    }

    let secret = "/Resources/IdentitySecret";
    let properties = "/Resources/IdentitySecret/Properties";
    let made = "/Resources/IdentitySecret/Properties/GenerateSecretString";
    let enroll = "/Resources/EnrollMembersRole/Properties/Policies/0/PolicyDocument/Statement/3";
    let settings = "/Resources/EnrollMembersFunction/Properties/Environment/Variables";
    let value = "{{resolve:secretsmanager:identity}}";
    check(
        rule,
        &[
            (secret, "DeletionPolicy", json!("Delete")),
            (secret, "UpdateReplacePolicy", Value::Null),
            (properties, "SecretString", json!("hunter2")),
            (properties, "KmsKeyId", json!("alias/other")),
            (made, "PasswordLength", json!(32)),
            ("/Resources", "Other", json!({ "Type": "AWS::SecretsManager::RotationSchedule" })),
            ("/Resources", "Other", json!({ "Type": "AWS::SecretsManager::Secret" })),
            (enroll, "Action", json!("secretsmanager:PutSecretValue")),
            (enroll, "Resource", json!({ "Ref": "IdentitySecret" })),
            (READER_STATEMENT, "Action", json!("secretsmanager:GetSecretValue")),
            (READER_STATEMENT, "Resource", json!({ "Fn::GetAtt": "IdentitySecret.Id" })),
            (settings, "IDENTITY_SECRET_ID", Value::Null),
            (settings, "REFERRAL_URL", json!(value)),
            (ACCRUE_SETTINGS, "IDENTITY_SECRET_ID", json!({ "Fn::GetAtt": "IdentitySecret.Id" })),
        ],
    );
}

#[test]
fn whoever_reads_a_queue_may() {
    // AWS refuses the event source of a role that may not; the local AWS does not look.
    fn rule(template: &Value) -> Wrongs {
        let mut wrongs = Vec::new();
        for (function, properties, event) in queue_events(template) {
            let role = get_att(&properties["Role"], "Arn").unwrap_or_default();
            let allowed = permissions(template, role);
            for action in ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"] {
                if !allowed.contains(&(action, &event["Queue"])) {
                    wrongs.push(format!("{function} may not {action}"));
                }
            }
        }
        wrongs
    }

    let statement = format!("{ACCRUE_STATEMENTS}/3");
    check(
        rule,
        &[
            (&statement, "Action", json!("sqs:ReceiveMessage")),
            (&statement, "Resource", json!({ "Fn::GetAtt": "UnhandledOrdersQueue.Arn" })),
        ],
    );
}

#[test]
fn a_record_of_a_stream_that_cannot_be_handled_gets_out_of_the_way_and_is_kept() {
    fn rule(template: &Value) -> Wrongs {
        let mut wrongs = Vec::new();
        for (function, properties, event) in events_of(template, "DynamoDB") {
            if event["FunctionResponseTypes"] != json!(["ReportBatchItemFailures"]) {
                wrongs.push(format!("{function} loses the failures it reports"));
            }
            if event["BisectBatchOnFunctionError"] != json!(true) {
                wrongs.push(format!("{function} fails good records with a bad one"));
            }
            // Without them, one record stops its shard for a day.
            if !(1..=100).contains(&number(&event, "/MaximumRetryAttempts")) {
                wrongs.push(format!("{function} tries a record for ever, or never again"));
            }
            // What is older than a day is gone from the stream without a trace.
            let age_s = number(&event, "/MaximumRecordAgeInSeconds");
            if !(60..24 * 60 * 60).contains(&age_s) {
                wrongs.push(format!("{function} lets the stream forget records"));
            }
            if text(&event, "/StartingPosition") != "TRIM_HORIZON" {
                wrongs.push(format!("{function} leaves out what was written before it"));
            }
            // A queue would get no more than where in the stream a record was.
            let kept = &event["DestinationConfig"]["OnFailure"];
            let bucket = get_att(&kept["Destination"], "Arn").unwrap_or_default();
            if text(kept, "/Type") != "S3"
                || text(template, &format!("/Resources/{bucket}/Type")) != "AWS::S3::Bucket"
            {
                wrongs.push(format!("{function} keeps no record that it cannot handle"));
            }
            if event["MetricsConfig"] != json!({ "Metrics": ["EventCount"] }) {
                wrongs.push(format!("nobody can count what {function} gives up"));
            }
            let table = get_att(&event["Stream"], "StreamArn").unwrap_or_default();
            let stream = format!("/Resources/{table}/Properties/StreamSpecification");
            if template.pointer(&stream).is_none() {
                wrongs.push(format!("{function} reads a stream that is not there"));
            }
            // AWS refuses the event source of a role that may not; the local AWS does not look.
            let role = get_att(&properties["Role"], "Arn").unwrap_or_default();
            let allowed = permissions(template, role);
            for action in ["DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"] {
                if !allowed.contains(&(&format!("dynamodb:{action}"), &event["Stream"])) {
                    wrongs.push(format!("{function} may not {action}"));
                }
            }
            if !allowed.contains(&("s3:ListBucket", &kept["Destination"])) {
                wrongs.push(format!("{function} may not see what is kept"));
            }
            let may_keep = |(action, resource): &(&str, &Value)| {
                *action == "s3:PutObject" && bucket_of_objects(resource) == Some(bucket)
            };
            if !allowed.iter().any(may_keep) {
                wrongs.push(format!("{function} may not keep anything"));
            }
        }
        wrongs
    }

    let on_failure = format!("{STREAM_EVENT}/DestinationConfig/OnFailure");
    check(
        rule,
        &[
            (STREAM_EVENT, "FunctionResponseTypes", Value::Null),
            (STREAM_EVENT, "BisectBatchOnFunctionError", Value::Null),
            (STREAM_EVENT, "MaximumRetryAttempts", Value::Null),
            (STREAM_EVENT, "MaximumRetryAttempts", json!(-1)),
            (STREAM_EVENT, "MaximumRecordAgeInSeconds", Value::Null),
            (STREAM_EVENT, "MaximumRecordAgeInSeconds", json!(86_400)),
            (STREAM_EVENT, "StartingPosition", json!("LATEST")),
            (STREAM_EVENT, "DestinationConfig", Value::Null),
            (STREAM_EVENT, "MetricsConfig", Value::Null),
            (STREAM_EVENT, "Stream", json!({ "Fn::GetAtt": "ProgramTable.StreamArn" })),
            (&on_failure, "Type", json!("SQS")),
            (&on_failure, "Destination", json!({ "Fn::GetAtt": "UnhandledOrdersQueue.Arn" })),
            (&format!("{PUBLISH_STATEMENTS}/0"), "Action", json!("dynamodb:GetRecords")),
            (&format!("{PUBLISH_STATEMENTS}/3"), "Action", json!("s3:ListBucketVersions")),
            (
                &format!("{PUBLISH_STATEMENTS}/4"),
                "Resource",
                json!({ "Fn::Sub": "${OtherBucket.Arn}/*" }),
            ),
        ],
    );
}

#[test]
fn a_stream_s_filter_takes_what_may_be_an_entry_and_leaves_accounts_alone() {
    fn rule(template: &Value) -> Wrongs {
        let mut wrongs = Vec::new();
        for (function, _, event) in events_of(template, "DynamoDB") {
            let filters = items(&event, "/FilterCriteria/Filters");
            let [filter] = filters.as_slice() else {
                wrongs.push(format!("{function} has not one filter"));
                continue;
            };
            let pattern = serde_json::from_str::<Value>(text(filter, "/Pattern"));
            let wanted = json!({
                // A mark that becomes an order's entry is modified.
                "eventName": ["INSERT", "MODIFY"],
                "dynamodb": {
                    // A kind of entry that is new has a key that nobody thought of here.
                    "Keys": { "sk": { "S": [{ "anything-but": ["A", "H"] }] } },
                    "NewImage": { "b": { "B": [{ "exists": true }] } }
                }
            });
            if pattern.ok() != Some(wanted) {
                wrongs.push(format!("{function} is told of other records"));
            }
        }
        wrongs
    }

    let filter = format!("{STREAM_EVENT}/FilterCriteria/Filters/0");
    check(
        rule,
        &[
            (STREAM_EVENT, "FilterCriteria", Value::Null),
            (&filter, "Pattern", json!("{\"eventName\":[\"INSERT\"]}")),
            (&filter, "Pattern", json!("{")),
        ],
    );
}

#[test]
fn every_bucket_is_closed_encrypted_and_outlives_its_stack_but_not_for_ever() {
    fn rule(template: &Value) -> Wrongs {
        let mut wrongs = Vec::new();
        let mut by_tls_alone = BTreeSet::new();
        for (_, policy) in resources(template, "AWS::S3::BucketPolicy") {
            let bucket = reference(&policy["Properties"]["Bucket"]).unwrap_or_default();
            let deny = json!([{
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [
                    { "Fn::GetAtt": format!("{bucket}.Arn") },
                    { "Fn::Sub": format!("${{{bucket}.Arn}}/*") }
                ],
                "Condition": { "Bool": { "aws:SecureTransport": false } }
            }]);
            if policy["Properties"]["PolicyDocument"]["Statement"] == deny {
                by_tls_alone.insert(bucket);
            }
        }
        for (name, bucket) in resources(template, "AWS::S3::Bucket") {
            let properties = &bucket["Properties"];
            let closed = json!({
                "BlockPublicAcls": true,
                "BlockPublicPolicy": true,
                "IgnorePublicAcls": true,
                "RestrictPublicBuckets": true
            });
            if properties["PublicAccessBlockConfiguration"] != closed
                || !by_tls_alone.contains(name)
            {
                wrongs.push(format!("{name} is open"));
            }
            let owned = json!({ "Rules": [{ "ObjectOwnership": "BucketOwnerEnforced" }] });
            if properties["OwnershipControls"] != owned {
                wrongs.push(format!("{name} holds what is others'"));
            }
            let encryption = &properties["BucketEncryption"]["ServerSideEncryptionConfiguration"];
            if text(encryption, "/0/ServerSideEncryptionByDefault/SSEAlgorithm").is_empty() {
                wrongs.push(format!("{name} is not encrypted"));
            }
            let rules = items(properties, "/LifecycleConfiguration/Rules");
            let forgets = |it: &&Value| {
                text(it, "/Status") == "Enabled" && number(it, "/ExpirationInDays") >= 30
            };
            if !rules.iter().any(forgets) {
                wrongs.push(format!("{name} is kept for ever, or not for long"));
            }
            if text(bucket, "/DeletionPolicy") != "RetainExceptOnCreate"
                || text(bucket, "/UpdateReplacePolicy") != "Retain"
            {
                wrongs.push(format!("{name} goes with its stack"));
            }
        }
        wrongs
    }

    let bucket = "/Resources/FailedRecordsBucket";
    let properties = "/Resources/FailedRecordsBucket/Properties";
    let closed = format!("{properties}/PublicAccessBlockConfiguration");
    let policy = "/Resources/FailedRecordsPolicy/Properties";
    check(
        rule,
        &[
            (bucket, "DeletionPolicy", json!("Delete")),
            (bucket, "UpdateReplacePolicy", Value::Null),
            (properties, "PublicAccessBlockConfiguration", Value::Null),
            (&closed, "BlockPublicPolicy", json!(false)),
            (properties, "OwnershipControls", Value::Null),
            (properties, "BucketEncryption", Value::Null),
            (properties, "LifecycleConfiguration", Value::Null),
            (&format!("{properties}/LifecycleConfiguration/Rules/0"), "Status", json!("Disabled")),
            (policy, "Bucket", json!({ "Ref": "OtherBucket" })),
            (&format!("{policy}/PolicyDocument/Statement/0"), "Effect", json!("Allow")),
        ],
    );
}

#[test]
fn every_log_is_kept_for_a_time_and_written_by_one_function() {
    fn rule(template: &Value) -> Wrongs {
        let mut wrongs = Vec::new();
        for (name, group) in resources(template, "AWS::Logs::LogGroup") {
            let kept = &group["Properties"]["RetentionInDays"];
            if reference(kept) != Some("LogRetentionDays") && kept.as_u64().is_none() {
                wrongs.push(format!("{name} is kept for ever"));
            }
        }
        for (name, properties) in functions(template) {
            let stem = name.strip_suffix("Function").unwrap_or_default();
            let logging = &properties["LoggingConfig"];
            let group = format!("{stem}Logs");
            if reference(&logging["LogGroup"]) != Some(&group) {
                wrongs.push(format!("{name} writes into a log that nobody wrote down"));
            }
            if text(logging, "/LogFormat") != "JSON" {
                wrongs.push(format!("{name} does not log JSON"));
            }
            let role = get_att(&properties["Role"], "Arn").unwrap_or_default();
            let own = json!({ "Fn::GetAtt": format!("{group}.Arn") });
            for action in ["logs:CreateLogStream", "logs:PutLogEvents"] {
                let places: Vec<_> = permissions(template, role)
                    .into_iter()
                    .filter(|(it, _)| *it == action)
                    .map(|(_, it)| it)
                    .collect();
                if places != [&own] {
                    wrongs.push(format!("{name} may {action} elsewhere, or nowhere"));
                }
            }
        }
        wrongs
    }

    let logging = "/Resources/AccruePointsFunction/Properties/LoggingConfig";
    let statement = format!("{ACCRUE_STATEMENTS}/5");
    check(
        rule,
        &[
            ("/Resources/ApiAccessLogs/Properties", "RetentionInDays", Value::Null),
            (logging, "LogGroup", Value::Null),
            (logging, "LogGroup", json!({ "Ref": "MemberApiLogs" })),
            (logging, "LogFormat", json!("Text")),
            (&statement, "Action", json!("logs:PutLogEvents")),
            (&statement, "Resource", json!({ "Fn::GetAtt": "MemberApiLogs.Arn" })),
        ],
    );
}

/// Every setting of every function, by name.
fn settings(template: &Value) -> BTreeMap<String, Vec<Value>> {
    let mut settings: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (_, properties) in functions(template) {
        for (name, value) in entries(&properties, "/Environment/Variables") {
            settings.entry(name.to_owned()).or_default().push(value.clone());
        }
    }
    settings
}

#[test]
fn every_setting_is_documented_where_it_is_read_and_set_where_it_is_documented() {
    // A setting is documented as "`NAME`: what it is" above the field that holds it.
    let mut documented = BTreeSet::new();
    for folder in ["shared/runtime/src", "functions"] {
        for path in rust_files(&root().join(folder)) {
            let source = fs::read_to_string(path).unwrap();
            for line in source.lines().filter_map(|it| it.trim().strip_prefix("/// `")) {
                let Some((name, _)) = line.split_once("`: ") else { continue };
                let is_setting = |it: char| it.is_ascii_uppercase() || it == '_';
                // Those of Lambda itself are not ours to set.
                if name.chars().all(is_setting) && !name.starts_with("AWS_") {
                    documented.insert(name.to_owned());
                }
            }
        }
    }
    assert!(!documented.is_empty(), "no setting is documented as \"/// `NAME`: …\"");

    let rule = |template: &Value| {
        let set: BTreeSet<_> = settings(template).into_keys().collect();
        let differing = documented.symmetric_difference(&set);
        differing.map(|it| format!("{it} is documented or set, not both")).collect()
    };

    let variables = "/Globals/Function/Environment/Variables";
    check(
        rule,
        &[(variables, "STORE_TIMEOUT_MS", Value::Null), (variables, "MOOD", json!("good"))],
    );
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|it| it.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|it| it.is_dir());
    let files = files.into_iter().filter(|it| it.extension().is_some_and(|it| it == "rs"));
    files.chain(folders.iter().flat_map(|it| rust_files(it))).collect()
}

#[test]
fn settings_are_text_and_the_store_gives_up_before_the_function_does() {
    fn rule(template: &Value) -> Wrongs {
        let mut wrongs = Vec::new();
        for (name, values) in settings(template) {
            // AWS writes a number as text, and others do not.
            if values.iter().any(|it| !it.is_string() && !it.is_object()) {
                wrongs.push(format!("{name} is no text"));
            }
        }
        for (name, properties) in functions(template) {
            let timeout_ms = 1_000 * number(&properties, "/Timeout");
            let store_ms = text(&properties, "/Environment/Variables/STORE_TIMEOUT_MS").parse();
            if !store_ms.is_ok_and(|it: u64| it > 0 && 2 * it <= timeout_ms) {
                wrongs.push(format!("{name} has no time to answer when the store does not"));
            }
        }
        for (name, integration) in resources(template, "AWS::ApiGatewayV2::Integration") {
            let function = &integration["Properties"]["IntegrationUri"];
            let function = get_att(function, "Arn").unwrap_or_default();
            let timeout = number(template, &format!("/Resources/{function}/Properties/Timeout"));
            let waits_ms = number(integration, "/Properties/TimeoutInMillis");
            // 30 s is the most that an HTTP API waits.
            if timeout == 0 || waits_ms <= 1_000 * timeout || waits_ms > 30_000 {
                wrongs.push(format!("{name} gives up before {function} does"));
            }
        }
        wrongs
    }

    let variables = "/Globals/Function/Environment/Variables";
    check(
        rule,
        &[
            (variables, "STORE_TIMEOUT_MS", json!(5_000)),
            (variables, "STORE_TIMEOUT_MS", json!("5001")),
            (variables, "STORE_TIMEOUT_MS", Value::Null),
            (variables, "PROGRAM_CACHE_S", json!(60)),
            ("/Resources/MemberApiFunction/Properties", "Timeout", json!(11)),
            ("/Resources/MemberApiIntegration/Properties", "TimeoutInMillis", json!(10_000)),
        ],
    );
}

#[test]
fn every_function_and_every_queue_has_its_alarms() {
    fn rule(template: &Value) -> Wrongs {
        let mut wrongs = Vec::new();
        let actions = json!({
            "Fn::If": ["HasAlarmTopic", [{ "Ref": "AlarmTopicArn" }], { "Ref": "AWS::NoValue" }]
        });
        let mut watched = BTreeMap::new();
        for (name, alarm) in resources(template, "AWS::CloudWatch::Alarm") {
            let properties = &alarm["Properties"];
            if properties["AlarmActions"] != actions {
                wrongs.push(format!("{name} tells nobody"));
            }
            // Nothing happens at night, and that is no alarm.
            if text(properties, "/TreatMissingData") != "notBreaching" {
                wrongs.push(format!("{name} goes off when nothing happens"));
            }
            if text(properties, "/ComparisonOperator") != "GreaterThanThreshold" {
                wrongs.push(format!("{name} does not watch for too much"));
            }
            for dimension in items(properties, "/Dimensions") {
                let value = &dimension["Value"];
                let subject = reference(value).or_else(|| get_att(value, "QueueName"));
                let threshold = properties["Threshold"].as_u64();
                watched.insert(
                    (text(properties, "/MetricName"), subject.unwrap_or_default()),
                    threshold,
                );
            }
        }
        let threshold = |metric: &'static str, subject: &str| {
            watched.get(&(metric, subject)).copied().flatten()
        };
        for (name, properties) in functions(template) {
            for metric in ["Errors", "Throttles"] {
                if threshold(metric, name) != Some(0) {
                    wrongs.push(format!("nobody watches the {metric} of {name}"));
                }
            }
            let timeout_ms = 1_000 * number(&properties, "/Timeout");
            if threshold("Duration", name) != Some(timeout_ms / 10 * 8) {
                wrongs.push(format!("nobody is warned before {name} times out"));
            }
        }
        let dead_letters = dead_letters(template);
        for (name, queue) in resources(template, "AWS::SQS::Queue") {
            if dead_letters.contains_key(name) {
                if threshold("ApproximateNumberOfMessagesVisible", name) != Some(0) {
                    wrongs.push(format!("nobody sees that {name} is not empty"));
                }
            } else {
                let tried_s = number(queue, "/Properties/VisibilityTimeout")
                    * number(queue, "/Properties/RedrivePolicy/maxReceiveCount");
                if threshold("ApproximateAgeOfOldestMessage", name) != Some(tried_s) {
                    wrongs.push(format!("nobody sees that {name} stands still"));
                }
            }
        }
        for (name, properties, event) in events_of(template, "DynamoDB") {
            let tried_ms =
                1_000 * number(&properties, "/Timeout") * number(&event, "/MaximumRetryAttempts");
            if threshold("IteratorAge", name) != Some(tried_ms) {
                wrongs.push(format!("nobody sees that the stream of {name} stands still"));
            }
            // As SAM names a mapping.
            let mapping = format!("{name}Entries");
            if threshold("DroppedEventCount", &mapping) != Some(0) {
                wrongs.push(format!("nobody sees what {name} gives up"));
            }
        }
        for (name, _) in resources(template, "AWS::ApiGatewayV2::Api") {
            if threshold("5xx", name) != Some(0) {
                wrongs.push(format!("nobody sees that {name} fails"));
            }
        }
        wrongs
    }

    check(
        rule,
        &[
            ("/Resources", "AccruePointsErrorsAlarm", Value::Null),
            ("/Resources", "MemberApiThrottlesAlarm", Value::Null),
            ("/Resources", "EnrollMembersDurationAlarm", Value::Null),
            ("/Resources", "RedeemPointsErrorsAlarm", Value::Null),
            ("/Resources", "UnhandledOrdersAlarm", Value::Null),
            ("/Resources", "UndeliveredOrderEventsAlarm", Value::Null),
            ("/Resources", "OrdersAgeAlarm", Value::Null),
            ("/Resources", "UndeliveredReferralEventsAlarm", Value::Null),
            ("/Resources", "ApiFailuresAlarm", Value::Null),
            ("/Resources", "FailedRecordsAlarm", Value::Null),
            ("/Resources", "PublishEventsAgeAlarm", Value::Null),
            (STREAM_EVENT, "MaximumRetryAttempts", json!(11)),
            ("/Resources/AccruePointsDurationAlarm/Properties", "Threshold", json!(31_000)),
            ("/Resources/OrdersAgeAlarm/Properties", "AlarmActions", Value::Null),
            ("/Resources/OrdersAgeAlarm/Properties", "TreatMissingData", Value::Null),
            (
                "/Resources/OrdersAgeAlarm/Properties",
                "ComparisonOperator",
                json!("LessThanThreshold"),
            ),
        ],
    );
}

#[test]
fn two_stacks_can_live_in_one_account() {
    fn rule(template: &Value) -> Wrongs {
        let names = [
            "FunctionName",
            "TableName",
            "QueueName",
            "RoleName",
            "LogGroupName",
            "AlarmName",
            "DashboardName",
            "Name",
        ];
        // What an API holds is named within it.
        let within = ["AWS::ApiGatewayV2::Authorizer", "AWS::Lambda::Permission"];
        let mut wrongs = Vec::new();
        for (id, resource) in entries(template, "/Resources") {
            if within.contains(&text(resource, "/Type")) {
                continue;
            }
            for (name, value) in entries(resource, "/Properties") {
                if names.contains(&name) && !value.to_string().contains("AWS::StackName") {
                    wrongs.push(format!("{id} takes a name that a second stack needs too"));
                }
            }
        }
        wrongs
    }

    check(
        rule,
        &[
            ("/Resources/OrdersQueue/Properties", "QueueName", json!("orders")),
            ("/Resources/LedgerTable/Properties", "TableName", json!("ledger")),
            (ACCRUE, "FunctionName", json!("accrue-points")),
        ],
    );
}

#[test]
fn every_stage_has_its_parameters() {
    let folder = root().join("infra/parameters");
    let files: BTreeMap<String, toml::Table> = fs::read_dir(folder)
        .unwrap()
        .map(|it| it.unwrap().path())
        .map(|it| {
            let stage = it.file_stem().unwrap().to_string_lossy().into_owned();
            (stage, fs::read_to_string(it).unwrap().parse().unwrap())
        })
        .collect();

    let rule = |template: &Value| {
        let mut wrongs = Vec::new();
        let stages: BTreeSet<_> = items(template, "/Parameters/Stage/AllowedValues")
            .into_iter()
            .map(|it| it.as_str().unwrap_or_default().to_owned())
            .collect();
        if files.keys().cloned().collect::<BTreeSet<_>>() != stages {
            wrongs.push("infra/parameters has other stages than the template".to_owned());
        }
        for (stage, file) in &files {
            if file.get("Stage").and_then(toml::Value::as_str) != Some(stage) {
                wrongs.push(format!("{stage}.toml is of another stage"));
            }
            for name in file.keys() {
                if template.pointer(&format!("/Parameters/{name}")).is_none() {
                    wrongs.push(format!("{stage}.toml sets {name}, which is not there"));
                }
            }
        }
        wrongs
    };

    check(
        rule,
        &[
            ("/Parameters/Stage", "AllowedValues", json!(["development", "production", "other"])),
            ("/Parameters", "LogRetentionDays", Value::Null),
        ],
    );
}
