//! The very template and the very binaries on a local AWS.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use aws_sdk_eventbridge::types::Target;
use aws_sdk_sqs::types::{
    QueueAttributeName::{
        ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible, QueueArn,
    },
    SendMessageBatchRequestEntry,
};
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use loyalty_contracts::{announcement::SOURCE, parse};
use loyalty_domain::{id::CommandId, program::Program};
use loyalty_dynamodb::DynamoDbLedger;
use loyalty_ledger::{
    Attempts, Reading, due::DueWork as _, execute, memory::MemoryLedger, program::Programs as _,
    statement::Accounts as _,
};
use loyalty_member_api::route::{Operation, ROUTES, Who};
use loyalty_runtime::{
    api::route::Route,
    clock::{self, Deadline},
};
use loyalty_tests_deployed::Stack;
use loyalty_tests_simulate::{fail, loyalty, repository, scratch, succeed, year_as_events};
use serde_json::{Value, json};

const PROGRAM: &str = "infra/programs/retail-a.toml";

/// Messages that can never succeed, with the reason that their dead letters must name.
const POISON: [(&str, &str); 5] = [
    ("{", "not_json"),
    ("[]", "not_an_event"),
    (r#"{"type": "order.lost"}"#, "unknown_event"),
    (r#"{"type": "order.cancelled", "cancelled_at": "2026-01-01T00:00:00Z"}"#, "missing_field"),
    (
        r#"{"type": "order.cancelled", "order_id": "1", "cancelled_at": "2199-01-01T00:00:00Z"}"#,
        "too_far_ahead",
    ),
];

#[tokio::test]
async fn orders_on_the_queue_become_the_accounts_of_simulate_and_poison_is_kept_with_reasons() {
    let stack = Stack::up("deployed-orders", PROGRAM, 0);
    let scratch = scratch("deployed-events");
    let events = year_as_events(&scratch);
    let events: Vec<&str> = events.lines().collect();
    let file = scratch.join("events.jsonl");
    let file = file.to_str().unwrap();
    let ledger = stack.ledger();
    let programs = ledger.programs().await.unwrap();
    let expected = in_memory(&programs[0], &events).await;
    let sqs = stack.aws().sqs(Duration::from_secs(20));
    let queue = stack.output("orders_queue_url");

    // The whole year, killed on the way and begun again; then 50 of them once more, with the poison in
    // between.
    let mut killed = stack.command(&["import", "--events", file]).spawn().unwrap();
    wait_until_known(&ledger, events[1_000]).await;
    killed.kill().unwrap();
    assert!(!killed.wait().unwrap().success());
    let said = succeed(&mut stack.command(&["import", "--events", file]));
    assert!(number(&said, "accepted") < events.len() - 1_000, "{said}");
    let done = ["accepted", "waiting for their order", "answered before, so not sent again"];
    assert_eq!(done.iter().map(|it| number(&said, it)).sum::<usize>(), events.len(), "{said}");
    let repeated = events.iter().copied().step_by(100).take(50);
    let bodies: Vec<&str> = repeated.chain(POISON.iter().map(|(body, _)| *body)).collect();
    assert_eq!(bodies.len(), 55);
    send(&sqs, queue, &bodies).await;
    wait_until_empty(&sqs, queue).await;

    let accounts = expected.accounts();
    assert!(accounts.len() > 1_000, "{}", accounts.len());
    for (member_id, account) in accounts {
        let found = ledger.find_account(&member_id, Reading::Newest).await.unwrap();
        assert_eq!(found.map(|it| it.account), Some(account), "{member_id}");
    }
    let letters = dead_letters(&sqs, stack.output("unhandled_orders_queue_url")).await;
    let wanted = POISON.iter().map(|(body, reason)| ((*body).to_owned(), (*reason).to_owned()));
    assert_eq!(letters, wanted.collect::<BTreeMap<_, _>>());
}

/// Has the shop listen: all that is told comes to a queue, whose address it is.
async fn listen(stack: &Stack, sqs: &aws_sdk_sqs::Client) -> String {
    let queue = sqs.create_queue().queue_name("shop-listens").send().await.unwrap();
    let queue = queue.queue_url().unwrap().to_owned();
    let asked = sqs.get_queue_attributes().queue_url(&queue).attribute_names(QueueArn);
    let arn = asked.send().await.unwrap().attributes().unwrap()[&QueueArn].clone();
    let events = stack.aws().eventbridge(Duration::from_secs(20));
    let (bus, rule) = (stack.output("event_bus_name"), "shop-listens");
    let pattern = format!("{{\"source\":[\"{SOURCE}\"]}}");
    let put = events.put_rule().name(rule).event_bus_name(bus).event_pattern(pattern);
    put.send().await.unwrap();
    let target = Target::builder().id("queue").arn(arn).build().unwrap();
    let put = events.put_targets().rule(rule).event_bus_name(bus).targets(target);
    assert_eq!(put.send().await.unwrap().failed_entry_count(), 0);
    queue
}

/// The `number` events that come to `queue`, repeats left out, as (id, name, member, points).
async fn heard(
    sqs: &aws_sdk_sqs::Client,
    queue: &str,
    number: usize,
) -> BTreeMap<String, (String, String, Option<u64>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let told = |event: Value| {
        let (name, detail) = (text(&event["detail-type"]), &event["detail"]);
        (name, text(&detail["member_id"]), detail["points"].as_u64())
    };
    let all = details(sqs, queue, number).await;
    all.into_iter().map(|(id, event)| (id, told(event))).collect()
}

/// The `number` events that come to `queue`, repeats left out, by their ids.
async fn details(sqs: &aws_sdk_sqs::Client, queue: &str, number: usize) -> BTreeMap<String, Value> {
    let mut heard = BTreeMap::new();
    let deadline = Deadline::after(Duration::from_mins(2));
    while heard.len() < number {
        assert!(!deadline.left().is_zero(), "only this was heard: {heard:#?}");
        let received = sqs.receive_message().queue_url(queue).max_number_of_messages(10);
        let received = received.wait_time_seconds(1).send().await.unwrap();
        for message in received.messages() {
            let event: Value = serde_json::from_str(message.body().unwrap()).unwrap();
            assert_eq!(event["source"], SOURCE, "{event}");
            heard.insert(event["detail"]["id"].as_str().unwrap().to_owned(), event);
        }
    }
    heard
}

#[tokio::test]
async fn what_an_order_does_is_told_on_the_bus_and_told_again_by_the_same_ids() {
    let stack = Stack::up("deployed-bus", PROGRAM, 0);
    let sqs = stack.aws().sqs(Duration::from_secs(20));
    let shop = listen(&stack, &sqs).await;
    let order = |id: &str, member: &str, amount_minor: u32| {
        format!(
            r#"{{"type": "order.paid", "order_id": "{id}", "member_id": "{member}", "currency": "GBP",
            "paid_at": "2026-03-01T12:00:00Z",
            "lines": [{{"id": "1", "sku": "A", "quantity": 1, "amount_minor": {amount_minor}}}]}}"#
        )
    };
    let (first, second) = (order("1", "m1", 1_999), order("2", "m2", 50_000));

    send(&sqs, stack.output("orders_queue_url"), &[&first, &second, &first]).await;
    // The second order reaches a level as well.
    let told = heard(&sqs, &shop, 3).await;

    let values: Vec<_> = told.values().cloned().collect();
    let earned = |member: &str, points| ("points.earned".to_owned(), member.to_owned(), points);
    assert!(values.contains(&earned("m1", Some(19))), "{values:?}");
    assert!(values.contains(&earned("m2", Some(500))), "{values:?}");
    let level = ("tier.changed".to_owned(), "m2".to_owned(), None);
    assert!(values.contains(&level), "{values:?}");

    let time = ["--from", "2026-03-01T12:00:00Z", "--to", "2026-03-01T12:00:01Z"];
    let said = succeed(stack.command(&["republish"]).args(time));
    assert_eq!(number(&said, "events, each with the id that it had"), 3, "{said}");
    assert_eq!(heard(&sqs, &shop, 3).await, told);
    let before = ["--from", "2026-01-01T00:00:00Z", "--to", "2026-03-01T12:00:00Z"];
    let said = succeed(stack.command(&["republish"]).args(before));
    assert_eq!(number(&said, "events, each with the id that it had"), 0, "{said}");
}

/// The program of other tests, with reminders: of points that live for a month, and of levels.
fn program_with_reminders(folder: &Path) -> PathBuf {
    let program = std::fs::read_to_string(repository(PROGRAM)).unwrap();
    let sooner = program
        .replace("expiry_months = 12", "expiry_months = 1")
        .replace("expiry_rounding = \"month_end\"", "expiry_rounding = \"none\"");
    assert_ne!(sooner, program);
    let file = folder.join("reminders.toml");
    let reminders = "\n[reminders]\npoints_days = [20, 7, 1]\ntier_days = [40, 1]\n";
    std::fs::write(&file, sooner + reminders).unwrap();
    file
}

#[tokio::test]
async fn a_night_s_reminders_arrive_on_the_bus_with_what_would_save_points_and_level() {
    let program = program_with_reminders(&scratch("deployed-reminders-program"));
    let stack = Stack::up("deployed-reminders", program.to_str().unwrap(), 0);
    let sqs = stack.aws().sqs(Duration::from_secs(20));
    let shop = listen(&stack, &sqs).await;
    let zone = TimeZone::get("Europe/London").unwrap();
    let today = zone.to_datetime(clock::now()).date();
    let order = |member: &str, paid_on: Date, amount_minor: u32| {
        format!(
            r#"{{"type": "order.paid", "order_id": "of-{member}", "member_id": "{member}", "currency": "GBP",
            "paid_at": "{paid_on}T12:00:00Z",
            "lines": [{{"id": "1", "sku": "A", "quantity": 1, "amount_minor": {amount_minor}}}]}}"#
        )
    };
    // Its points can be used for some days to come, and its level for the rest of the month.
    let (expiring, at_risk) = (today - 25.days(), today - 12.months());
    let orders = [order("m1", expiring, 1_999), order("m2", at_risk, 50_000)];

    send(&sqs, stack.output("orders_queue_url"), &[&orders[0], &orders[1]]).await;
    // Both earned, and the second one reached a level.
    let first = details(&sqs, &shop, 3).await;
    succeed(&mut stack.command(&["run-day", &today.to_string()]));
    // Available and expiring; available, expired and at risk.
    let night = details(&sqs, &shop, 5).await;

    assert!(first.keys().all(|it| !night.contains_key(it)), "{first:#?} and {night:#?}");
    let told = |name: &str| -> Value {
        let mut told = night.values().filter(|it| it["detail-type"] == name);
        let found = told.next().unwrap_or_else(|| panic!("no {name} in {night:#?}"));
        assert!(told.next().is_none(), "{night:#?}");
        found["detail"].clone()
    };
    let detail = told("points.expiring");
    let usable_through = expiring + 1.month();
    assert_eq!(detail["member_id"], "m1");
    assert_eq!(detail["points"], 19);
    assert_eq!(detail["usable_through"], usable_through.to_string());
    assert_eq!(detail["day"], today.to_string());
    let detail = told("tier.at_risk");
    assert_eq!(detail["member_id"], "m2");
    assert_eq!((&detail["level"], &detail["would_be"]), (&"silver".into(), &"bronze".into()));
    assert_eq!(detail["valid_through"], today.last_of_month().to_string());
    assert_eq!(detail["currency"], "GBP");
    assert_eq!(detail["spend_missing_minor"], 20_000);
    assert_eq!(detail["orders_missing"], 3);
}

/// The demo's events in a file, moved by whole days so that the last was yesterday.
fn demo_moved_to_end_yesterday(folder: &Path) -> PathBuf {
    let file = folder.join("events.jsonl");
    let file = file.to_str().unwrap();
    succeed(loyalty().args(["simulate", "--demo", "--events-out", file]));
    let text = std::fs::read_to_string(file).unwrap();
    let at = |event: &Value| -> (&'static str, Timestamp) {
        let name =
            ["paid_at", "refunded_at"].into_iter().find(|it| event[*it].is_string()).unwrap();
        (name, event[name].as_str().unwrap().parse().unwrap())
    };
    let mut events: Vec<Value> = text.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    let last_at = events.iter().map(|it| at(it).1).max().unwrap();
    let days = (clock::now().as_second() - last_at.as_second()) / (24 * 60 * 60) - 1;
    for event in &mut events {
        let (name, at) = at(event);
        event[name] = at.checked_add((days * 24).hours()).unwrap().to_string().into();
    }
    let moved = folder.join("moved.jsonl");
    let lines = events.iter().map(|it| format!("{it}\n"));
    std::fs::write(&moved, lines.collect::<String>()).unwrap();
    moved
}

/// The number before `what` in a report; 0 if it is not there.
fn number(report: &str, what: &str) -> usize {
    let line = report.lines().find(|it| it.ends_with(&format!("  {what}")));
    line.map_or(0, |it| it.split_whitespace().next().unwrap().replace(',', "").parse().unwrap())
}

async fn wait_until_known(ledger: &DynamoDbLedger, event: &str) {
    let id = [parse(event.as_bytes(), Timestamp::MAX).unwrap().id];
    let deadline = Deadline::after(Duration::from_mins(5));
    while ledger.find_entries(&id, Reading::Newest).await.unwrap().is_empty() {
        assert!(!deadline.left().is_zero(), "an event is still not answered");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn in_memory(program: &Program, events: &[&str]) -> MemoryLedger {
    let ledger = MemoryLedger::default();
    for event in events {
        let request = parse(event.as_bytes(), Timestamp::MAX).unwrap();
        execute(&ledger, program, &mut Attempts(1), &request).await.unwrap();
    }
    ledger
}

async fn send(sqs: &aws_sdk_sqs::Client, queue: &str, bodies: &[&str]) {
    for batch in bodies.chunks(10) {
        let entries = batch.iter().enumerate().map(|(index, body)| {
            let entry = SendMessageBatchRequestEntry::builder().id(index.to_string());
            entry.message_body(*body).build().unwrap()
        });
        let sent = sqs.send_message_batch().queue_url(queue);
        let sent = sent.set_entries(Some(entries.collect())).send().await.unwrap();
        assert_eq!(sent.failed(), []);
    }
}

async fn wait_until_empty(sqs: &aws_sdk_sqs::Client, queue: &str) {
    let deadline = Deadline::after(Duration::from_mins(5));
    loop {
        let asked = sqs.get_queue_attributes().queue_url(queue);
        let names = [ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible];
        let answer = asked.set_attribute_names(Some(names.to_vec())).send().await.unwrap();
        let attributes = answer.attributes().unwrap();
        let left: u32 = names.iter().map(|it| attributes[it].parse::<u32>().unwrap()).sum();
        if left == 0 {
            return;
        }
        assert!(!deadline.left().is_zero(), "{left} messages are still not handled");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The bodies of all dead letters, with their reasons.
async fn dead_letters(sqs: &aws_sdk_sqs::Client, queue: &str) -> BTreeMap<String, String> {
    let mut letters = BTreeMap::new();
    loop {
        let received = sqs.receive_message().queue_url(queue).max_number_of_messages(10);
        let received = received.message_attribute_names("All").send().await.unwrap();
        if received.messages().is_empty() {
            return letters;
        }
        for message in received.messages() {
            let attributes = message.message_attributes().unwrap();
            assert!(!attributes["detail"].string_value().unwrap().is_empty());
            assert!(!attributes["source_message_id"].string_value().unwrap().is_empty());
            let reason = attributes["reason"].string_value().unwrap().to_owned();
            letters.insert(message.body().unwrap().to_owned(), reason);
        }
    }
}

#[tokio::test]
async fn dead_letters_are_shown_saved_sent_again_and_removed() {
    let stack = Stack::up("deployed-redrive", PROGRAM, 0);
    let file = scratch("deployed-letters").join("letters.jsonl");
    let sqs = stack.aws().sqs(Duration::from_secs(20));
    let queue = stack.output("orders_queue_url");
    let redrive = |arguments: &[&str]| {
        let mut command = stack.command(&["redrive"]);
        succeed(command.args(arguments))
    };
    let bodies = POISON.map(|(body, _)| body);

    assert!(redrive(&[]).starts_with("Nothing lies in the dead letters"));
    send(&sqs, queue, &bodies).await;
    wait_until_empty(&sqs, queue).await;

    let shown = redrive(&["--each"]);
    assert!(shown.starts_with("5 messages in the dead letters"), "{shown}");
    assert!(shown.contains("missing_field  `order_id` is missing"), "{shown}");
    assert!(shown.contains("too_far_ahead  the cancellation of order 1"), "{shown}");
    let saved = redrive(&["--reason", "too_far_ahead", "--save", file.to_str().unwrap()]);
    assert!(saved.contains("1 message saved to"), "{saved}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{}\n", POISON[4].0));
    let refused = fail(&mut stack.command(&["redrive", "--remove"]));
    assert!(refused.contains("say which messages to remove"), "{refused}");
    let again = ["redrive", "--reason", "not_json", "--remove", "--save", file.to_str().unwrap()];
    let refused = fail(&mut stack.command(&again));
    assert!(refused.contains("letters.jsonl"), "a file was written over: {refused}");
    let removed = redrive(&["--remove", "--reason", "too_far_ahead", "--reason", "not_json"]);
    assert!(removed.starts_with("2 messages removed"), "{removed}");
    let again = redrive(&["--resend"]);
    assert!(again.starts_with("3 messages sent again"), "{again}");
    wait_until_empty(&sqs, queue).await;

    // As wrong as before, and nothing is lost.
    let letters = dead_letters(&sqs, stack.output("unhandled_orders_queue_url")).await;
    let wanted =
        POISON[1..4].iter().map(|(body, reason)| ((*body).to_owned(), (*reason).to_owned()));
    assert_eq!(letters, wanted.collect::<BTreeMap<_, _>>());
}

#[test]
fn a_stack_in_an_account_is_deployed_gets_a_program_balances_and_a_history() {
    let local = Stack::up("deployed-account", PROGRAM, 0);
    let issuer = format!("{}/loyalty-issuer", local.endpoint());
    let program = repository("infra/programs/standard.toml");
    let program = program.to_str().unwrap();
    let balances = repository("infra/imports/opening-balances.csv");
    let opening = ["opening-balances", balances.to_str().unwrap(), "--program", program, "--send"];
    let opening = [&opening[..], &["--opened-at", "2026-07-01", "--stack", "shop"]].concat();
    let deploy = ["deploy", "--stack", "shop", "--stage", "production", "--audience", "loyalty"];
    let deploy = [&deploy[..], &["--issuer", &issuer, "--architecture", "x86_64"]].concat();
    let deploy =
        [&deploy[..], &["--parameter", "ShopBusName=default", "--no-build", "--yes"]].concat();

    let missing = fail(&mut local.in_account(&["status", "--stack", "shop"]));
    assert!(missing.contains("shop"), "{missing}");
    let said = succeed(&mut local.in_account(&deploy));
    assert!(said.contains("The stack shop stands."), "{said}");
    // Once more: nothing has changed.
    succeed(&mut local.in_account(&deploy));

    let early = fail(&mut local.in_account(&opening));
    assert!(early.contains("the stack has no program yet"), "{early}");
    let publish = ["program", "publish", program, "--stack", "shop"];
    let said = succeed(&mut local.in_account(&publish));
    assert!(said.contains("is published to the stack shop"), "{said}");
    let said = succeed(&mut local.in_account(&publish));
    assert!(said.contains("was published before, word for word"), "{said}");
    let edited = scratch("deployed-edited").join("edited.toml");
    let text = std::fs::read_to_string(program).unwrap();
    let text = text.replace("pending_days = 14", "pending_days = 15");
    std::fs::write(&edited, text).unwrap();
    let publish = ["program", "publish", edited.to_str().unwrap(), "--stack", "shop"];
    let said = fail(&mut local.in_account(&publish));
    assert!(said.contains("was published before with other content, which stands"), "{said}");

    let said = succeed(&mut local.in_account(&opening));
    assert_eq!(number(&said, "accepted"), 4, "{said}");
    let again = succeed(&mut local.in_account(&opening));
    assert_eq!(number(&again, "answered before, so not sent again"), 4, "{again}");

    // A history that was begun yesterday, and moved to end then, is moved as far today.
    let begun = demo_moved_to_end_yesterday(&scratch("deployed-demo"));
    let begun = begun.to_str().unwrap();
    let import = ["import", "--stack", "shop", "--events", begun];
    let said = succeed(&mut local.in_account(&import));
    let accepted = number(&said, "accepted");
    let import = ["import", "--stack", "shop", "--demo", "--dates", "to-today"];
    let said = succeed(&mut local.in_account(&import));
    let before = number(&said, "answered before, so not sent again");
    assert!(accepted > 0 && before == accepted, "{said}");
    let status = succeed(&mut local.in_account(&["status", "--stack", "shop"]));
    assert!(status.contains("dead letters  0"), "{status}");
}

/// The rows of a function's table, whatever they answer.
fn rows<O>(routes: &[Route<O>]) -> Vec<Route<()>> {
    let row = |it: &Route<O>| {
        let Route { method, path, body, operation: _, callers } = *it;
        Route { method, path, body, operation: (), callers }
    };
    routes.iter().map(row).collect()
}

#[test]
fn every_route_answers_every_token_as_the_table_says() {
    let stack = Stack::up("deployed-routes", PROGRAM, 40);
    let service = stack.token(&["--scope", "loyalty/members.read"]);
    let writer = stack.token(&["--scope", "loyalty/members.write"]);
    let member = stack.member().to_owned();
    let power = |scope: &str| stack.token(&["--scope", scope, "--person", "p1"]);
    let tokens = [
        ("no token", None, None),
        ("expired", Some(stack.token(&["--member", &member, "--expired"])), None),
        ("other audience", Some(stack.token(&["--member", &member, "--audience", "other"])), None),
        ("garbage", Some("a.b.c".to_owned()), None),
        ("member", Some(stack.token(&["--member", &member])), Some(Who::Member)),
        ("other member", Some(stack.token(&["--member", "somebody-else"])), Some(Who::Member)),
        ("service", Some(service), Some(Who::Service)),
        ("writing service", Some(writer), Some(Who::Writer)),
        ("staff", Some(stack.token(&["--scope", "loyalty/staff"])), Some(Who::Staff)),
        ("adjuster", Some(power("loyalty/adjustments.write")), Some(Who::Adjuster)),
        ("merger", Some(power("loyalty/merges.write")), Some(Who::Merger)),
        ("editor", Some(power("loyalty/catalog.write")), Some(Who::Editor)),
        ("other scope", Some(stack.token(&["--scope", "loyalty/other"])), None),
    ];

    for route in &ROUTES {
        let path = route.path.replace("{id}", &member);
        for (name, token, who) in &tokens {
            let is_own = *name != "other member" || !route.names_member();
            let expected = match (who, *name) {
                (None, "other scope") => 403,
                (None, _) => 401,
                (Some(who), _) if route.callers.contains(who) && is_own => 200,
                (Some(_), _) => 403,
            };
            let (status, body) = stack.get(&path, token.as_deref());
            assert_eq!(status, expected, "{path} with {name}: {body}");
            if status == 403 {
                assert_eq!(
                    body["status"], 403,
                    "{path} with {name} is no problem document: {body}"
                );
            }
            if status == 200 && route.operation == Operation::Member {
                assert_eq!(body["member_id"], member.as_str());
            }
        }
    }

    // Who may ask is all that is looked at here: what is asked says nothing, or of nobody.
    let mut others = rows(&loyalty_enroll_members::route::ROUTES);
    others.extend(rows(loyalty_redeem_points::route::ROUTES));
    others.extend(rows(loyalty_staff_api::route::ROUTES));
    for route in &others {
        let path = route.path.replace("{id}", &member).replace(['{', '}'], "");
        for (name, token, who) in &tokens {
            let is_own = *name != "other member" || !route.names_member();
            let method = route.method.as_str();
            let (status, body) = stack.tell(method, &path, token.as_deref(), &json!({}));
            let what = format!("{method} {path} with {name}: {status} {body}");
            match (who, *name) {
                (None, "other scope") => assert_eq!(status, 403, "{what}"),
                (None, _) => assert_eq!(status, 401, "{what}"),
                (Some(who), _) if route.callers.contains(who) && is_own => {
                    assert!(![401, 403, 405].contains(&status) && status < 500, "{what}");
                }
                (Some(_), _) => assert_eq!((status, &body["status"]), (403, &403.into()), "{what}"),
            }
        }
    }

    // API Gateway decodes a path before it chooses a route. Wherever that leads, it is to nothing of
    // somebody else's.
    let other = stack.token(&["--member", "stranger"]);
    for path in [
        format!("/v1/members/{member}%2Fentries"),
        format!("/v1/members/..%2Fmembers%2F{member}"),
        format!("/v1/members/%2E%2E%2F{member}"),
        format!("/v1/members/stranger%23{member}"),
        format!("/v1/members/{member}%3Fa=b"),
        format!("/v1/members/stranger%2F..%2F{member}"),
        "/v1/members/%2E%2E".to_owned(),
        "/v1/members/a%20b".to_owned(),
    ] {
        let (status, body) = stack.get(&path, Some(&other));
        assert!((400..500).contains(&status), "{path}: {status} {body}");
    }
    let (status, body) = stack.get("/v1/members/me%2Fentries", Some(&other));
    assert_eq!((status, &body["entries"]), (200, &serde_json::json!([])));

    // What no route takes asks for a token like any, and then says what would be right.
    for (method, path, expected, code) in [
        ("GET", "/", 404, "not-found"),
        ("GET", "/v1/nothing", 404, "not-found"),
        ("POST", "/v1/nothing", 404, "not-found"),
        ("POST", "/v1/members/me", 405, "method-not-allowed"),
        ("DELETE", "/v1/program", 405, "method-not-allowed"),
    ] {
        assert_eq!(stack.ask(method, path, None).0, 401, "{method} {path}");
        let (status, body) = stack.ask(method, path, Some(&other));
        assert_eq!(
            (status, body["code"].as_str()),
            (expected, Some(code)),
            "{method} {path}: {body}"
        );
    }
}

#[tokio::test]
async fn a_night_is_run_at_once_and_the_schedule_fires_the_next_one_by_itself() {
    let stack = Stack::up("deployed-nights", PROGRAM, 0);
    let ledger = stack.ledger();
    let map = repository("infra/imports/online-retail.toml");
    let orders = repository("tests/data/online-retail-extract.csv.gz");
    let mut import = stack.command(&["import"]);
    succeed(import.arg("--columns").arg(map).arg("--orders").arg(orders));

    let said = succeed(&mut stack.command(&["run-day", "2012-02-01"]));
    assert!(
        said.starts_with("22 members of the stack on this machine had something due"),
        "{said}"
    );
    assert_eq!(number(&said, "entries posted"), 22, "{said}");
    let again = succeed(&mut stack.command(&["run-day", "2012-02-01"]));
    assert!(again.starts_with("0 members"), "{again}");
    let refused = fail(&mut stack.command(&["run-day", "2199-01-01"]));
    assert!(refused.contains("has not begun"), "{refused}");

    // Within a minute, and of the day that has begun by then: so with all that fell due since.
    let today = TimeZone::UTC.to_datetime(clock::now()).date();
    let due = due_by(&ledger, today).await;
    assert!(due > 20, "{due}");
    stack.fire_every_minute("loyalty-night");
    let deadline = Deadline::after(Duration::from_mins(3));
    while due_by(&ledger, today).await > 0 {
        assert!(!deadline.left().is_zero(), "no night came by itself");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }

    let sqs = stack.aws().sqs(Duration::from_secs(20));
    let letters = dead_letters(&sqs, stack.output("unhandled_expiry_work_queue_url")).await;
    assert_eq!(letters, BTreeMap::new());
}

#[tokio::test]
async fn a_new_version_measures_everybody_by_night_and_staff_set_levels_beside_it() {
    let stack = Stack::up("deployed-sweeps", PROGRAM, 0);
    let sqs = stack.aws().sqs(Duration::from_secs(20));
    let (orders, reviews) =
        (stack.output("orders_queue_url"), stack.output("tier_reviews_queue_url"));
    let paid_at = clock::now() - 24.hours();
    let order = |member: &str, amount_minor: u32| {
        format!(
            r#"{{"type": "order.paid", "order_id": "{member}", "member_id": "{member}", "currency": "GBP",
            "paid_at": "{paid_at}",
            "lines": [{{"id": "1", "sku": "A", "quantity": 1, "amount_minor": {amount_minor}}}]}}"#
        )
    };
    send(&sqs, orders, &[&order("m1", 15_000), &order("m2", 5_000)]).await;
    wait_until_empty(&sqs, orders).await;
    let service = stack.token(&["--scope", "loyalty/members.read"]);
    let level = |member: &str| {
        let (status, body) = stack.get(&format!("/v1/members/{member}"), Some(&service));
        assert_eq!(status, 200, "{body}");
        body["tier"]["level"].as_str().unwrap().to_owned()
    };
    let is_level = async |member: &str, wanted: &str| {
        let deadline = Deadline::after(Duration::from_mins(3));
        while level(member) != wanted {
            assert!(!deadline.left().is_zero(), "{member} has not come to {wanted}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    assert_eq!((level("m1").as_str(), level("m2").as_str()), ("bronze", "bronze"));

    // From today on, silver is had from 100 pounds on, and from a task.
    let today = TimeZone::get("Europe/London").unwrap().to_datetime(clock::now()).date();
    let text = std::fs::read_to_string(repository(PROGRAM)).unwrap();
    let newer = text
        .replace("version = 1", "version = 2")
        .replace("effective = 2010-01-01", &format!("effective = {today}"))
        .replace("spend = 200.00", "spend = 100.00\ntasks = [\"profile\"]");
    let file = scratch("deployed-sweeps-program").join("newer.toml");
    std::fs::write(&file, newer).unwrap();
    succeed(stack.command(&["program", "publish"]).arg(&file));
    stack.fire_every_minute("loyalty-night");
    is_level("m1", "silver").await;
    assert_eq!(level("m2"), "bronze");
    let marker = [CommandId::Version(2)];
    let found = stack.ledger().find_entries(&marker, Reading::Newest).await.unwrap();
    assert_eq!(found.len(), 1, "it is not said that everybody was found");

    let now = clock::now();
    let violation = format!(
        r#"{{"type": "level.override", "member_id": "m1", "level": "bronze", "kind": "violation",
        "through": null, "reason": "resale", "actor": "staff-7", "key": "k1", "at": "{now}"}}"#
    );
    let task = format!(
        r#"{{"type": "task.complete", "member_id": "m2", "task": "profile", "at": "{now}"}}"#
    );
    send(&sqs, reviews, &[&violation, &task, &violation, "{}"]).await;
    is_level("m1", "bronze").await;
    is_level("m2", "silver").await;
    wait_until_empty(&sqs, reviews).await;

    let letters = dead_letters(&sqs, stack.output("unhandled_tier_reviews_queue_url")).await;
    assert_eq!(letters, BTreeMap::from([("{}".to_owned(), "not_review".to_owned())]));
}

#[tokio::test]
async fn staff_see_whom_a_version_concerns_measure_by_it_and_set_levels_and_points() {
    let stack = Stack::up("deployed-staff", PROGRAM, 0);
    let sqs = stack.aws().sqs(Duration::from_secs(20));
    let paid_at = clock::now() - 24.hours();
    let order = |member: &str, amount_minor: u32| {
        format!(
            r#"{{"type": "order.paid", "order_id": "{member}", "member_id": "{member}", "currency": "GBP",
            "paid_at": "{paid_at}",
            "lines": [{{"id": "1", "sku": "A", "quantity": 1, "amount_minor": {amount_minor}}}]}}"#
        )
    };
    let orders = stack.output("orders_queue_url");
    send(&sqs, orders, &[&order("m1", 15_000), &order("m2", 25_000), &order("m3", 100)]).await;
    wait_until_empty(&sqs, orders).await;
    let service = stack.token(&["--scope", "loyalty/members.read"]);
    let level = |member: &str| {
        let (status, body) = stack.get(&format!("/v1/members/{member}"), Some(&service));
        assert_eq!(status, 200, "{body}");
        body["tier"]["level"].as_str().unwrap().to_owned()
    };

    // From today on, silver is had from 100 pounds on; whoever does not meet a level falls to it at once.
    let today = TimeZone::get("Europe/London").unwrap().to_datetime(clock::now()).date();
    let text = std::fs::read_to_string(repository(PROGRAM)).unwrap();
    let newer = text
        .replace("version = 1", "version = 2")
        .replace("effective = 2010-01-01", &format!("effective = {today}"))
        .replace("spend = 200.00", "spend = 100.00");
    let folder = scratch("deployed-staff-program");
    let (file, moves) = (folder.join("newer.toml"), folder.join("moves.csv"));
    std::fs::write(&file, newer).unwrap();
    let mut preview = stack.command(&["program", "preview"]);
    let said = succeed(preview.arg(&file).arg("--moves-out").arg(&moves));
    assert_eq!(number(&said, "rise to a higher level"), 1, "{said}");
    assert_eq!(number(&said, "keep their level"), 2, "{said}");
    assert!(said.contains("1 Bronze -> Silver"), "{said}");
    let moved = std::fs::read_to_string(&moves).unwrap();
    assert_eq!(moved, "member_id,change,from,to\r\nm1,rises,Bronze,Silver\r\n");
    assert_eq!(level("m1"), "bronze", "a preview moves nothing");
    let first = succeed(&mut stack.command(&["program", "measure"]));
    assert!(first.contains("is the first one"), "{first}");

    succeed(stack.command(&["program", "publish"]).arg(&file));
    // The functions see a new version within a minute.
    let said = succeed(&mut stack.command(&["program", "measure"]));
    assert!(said.contains("are found, to be measured by version 2"), "{said}");
    let deadline = Deadline::after(Duration::from_mins(3));
    while level("m1") != "silver" {
        assert!(!deadline.left().is_zero(), "m1 has not come to silver");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!((level("m2").as_str(), level("m3").as_str()), ("silver", "bronze"));
    let said = succeed(&mut stack.command(&["program", "measure"]));
    assert!(said.contains("were found before"), "{said}");

    let why = ["--reason", "goodwill", "--by", "staff-12"];
    let act = |arguments: &[&str]| stack.command(&[&["member"], arguments, &why].concat());
    let given = ["give-level", "m3", "gold", "--through", "2099-12-31", "--key", "k1"];
    let said = succeed(&mut act(&given));
    assert!(said.contains("The level in force is Gold through 2099-12-31."), "{said}");
    assert_eq!(level("m3"), "gold");
    assert_eq!(succeed(&mut act(&given)), said, "done once under its key");
    let other = ["give-level", "m3", "silver", "--through", "2099-12-31", "--key", "k1"];
    assert!(fail(&mut act(&other)).contains("--key was used before"));
    let said = succeed(&mut act(&["lift-level", "m3"]));
    assert!(said.contains("The level in force is Bronze."), "{said}");
    let said = fail(&mut act(&["lift-level", "m3"]));
    assert!(said.contains("refused: no level was set that could be lifted"), "{said}");
    let said = fail(&mut act(&["give-level", "m3", "ruby"]));
    assert!(said.contains("refused: the program has no level ruby"), "{said}");
    let said = fail(&mut act(&["reinstate", "m3", "1", "--through", "2099-12-31"]));
    assert!(said.contains("refused: 0 points have expired but 1 were requested"), "{said}");
    let said = fail(&mut act(&["extend", "m3", "--through", "2000-01-01"]));
    assert!(said.contains("refused: there are no points that would last longer"), "{said}");
    let wrong = ["member", "lift-level", "m3", "--reason", "So sorry", "--by", "staff-12"];
    let said = fail(&mut stack.command(&wrong));
    assert!(said.contains("--reason: a reason has 1 to 64 lower-case letters"), "{said}");
}

/// The program of other tests, with what members get for joining and for bringing friends.
fn program_with_referrals(folder: &Path) -> PathBuf {
    let program = std::fs::read_to_string(repository(PROGRAM)).unwrap();
    let file = folder.join("referrals.toml");
    let more = "\n[enrollment]\nactivation = \"code\"\npoints = 50\n\n[referral]\nfriend_points = 300\n\
                referrer_points = 500\nwindow_days = 14\nmin_amount = 20\n";
    std::fs::write(&file, program + more).unwrap();
    file
}

/// All that the shop has heard, until one of it is called `name` and is about `member`.
async fn hear(
    sqs: &aws_sdk_sqs::Client,
    queue: &str,
    heard: &mut Vec<Value>,
    (name, member): (&str, &str),
) -> Value {
    let deadline = Deadline::after(Duration::from_mins(2));
    let is_it = |it: &&Value| it["detail-type"] == name && it["detail"]["member_id"] == member;
    loop {
        if let Some(found) = heard.iter().find(is_it) {
            return found["detail"].clone();
        }
        assert!(!deadline.left().is_zero(), "no {name} of {member} among {heard:#?}");
        let received = sqs.receive_message().queue_url(queue).max_number_of_messages(10);
        let received = received.wait_time_seconds(1).send().await.unwrap();
        let bodies = received.messages().iter().map(|it| it.body().unwrap());
        heard.extend(bodies.map(|it| serde_json::from_str::<Value>(it).unwrap()));
    }
}

#[tokio::test]
async fn a_friend_who_keeps_an_order_is_rewarded_beside_who_brought_them_until_it_is_refunded() {
    let program = program_with_referrals(&scratch("deployed-friends-program"));
    let stack = Stack::up("deployed-friends", program.to_str().unwrap(), 0);
    let sqs = stack.aws().sqs(Duration::from_secs(20));
    let shop = listen(&stack, &sqs).await;
    let mut heard = Vec::new();
    let orders = stack.output("orders_queue_url");
    let service = stack.token(&["--scope", "loyalty/members.write"]);
    let (ada, bea) = (stack.token(&["--member", "ada"]), stack.token(&["--member", "bea"]));
    let points = |token: &str| {
        let (status, body) = stack.get("/v1/members/me", Some(token));
        assert_eq!(status, 200, "{body}");
        body["points"].clone()
    };
    let state = |token: &str| {
        let (status, body) = stack.get("/v1/members/me/referrals", Some(token));
        assert_eq!(status, 200, "{body}");
        let friend = body["friends"][0]["state"].as_str().map(ToOwned::to_owned);
        (body["referred"]["state"].as_str().map(ToOwned::to_owned), friend)
    };

    // Ada joins in a store, and Bea by herself with Ada's code.
    let joins = json!({"member_id": "ada", "mail": "ada@shop.example", "source": "store-12"});
    let (status, body) = stack.tell("POST", "/v1/members", Some(&service), &joins);
    assert_eq!((status, &body["status"]), (201, &"pending".into()), "{body}");
    let again = stack.tell("POST", "/v1/members", Some(&service), &joins);
    assert_eq!((again.0, &again.1["referral_code"]), (200, &body["referral_code"]), "{again:?}");
    let code = body["referral_code"].as_str().unwrap().to_lowercase().replace('-', " ");
    let joins = json!({"phone": "+44 20 7946 0958", "referral_code": code});
    let (status, body) = stack.tell("POST", "/v1/members", Some(&bea), &joins);
    assert_eq!(status, 201, "{body}");
    for (member, token) in [("ada", &ada), ("bea", &bea)] {
        let sent = hear(&sqs, &shop, &mut heard, ("member.activation_requested", member)).await;
        let activates = json!({"code": sent["code"]});
        let path = "/v1/members/me/activation";
        let (status, body) = stack.tell("POST", path, Some(token), &activates);
        assert_eq!((status, &body["status"]), (200, &"active".into()), "{member}: {body}");
        assert_eq!(points(token)["available"], 50, "{member}");
    }
    hear(&sqs, &shop, &mut heard, ("member.enrolled", "ada")).await;
    hear(&sqs, &shop, &mut heard, ("referral.pending", "bea")).await;
    // On its way, to both.
    let pending = || Some("pending".to_owned());
    let deadline = Deadline::after(Duration::from_mins(1));
    while (state(&bea), state(&ada)) != ((pending(), None), (None, pending())) {
        assert!(!deadline.left().is_zero(), "{:?} and {:?}", state(&bea), state(&ada));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    let paid_at = clock::now() - (20 * 24).hours();
    let order = format!(
        r#"{{"type": "order.paid", "order_id": "first", "member_id": "bea", "currency": "GBP",
        "paid_at": "{paid_at}",
        "lines": [{{"id": "1", "sku": "A", "quantity": 2, "amount_minor": 5000}}]}}"#
    );
    send(&sqs, orders, &[&order, &order]).await;
    let rewarded = hear(&sqs, &shop, &mut heard, ("referral.rewarded", "bea")).await;
    assert_eq!(rewarded["referrer_id"], "ada", "{rewarded}");
    assert_eq!(
        (&points(&ada)["available"], &points(&bea)["available"]),
        (&550.into(), &350.into())
    );
    let done = |it: &str| Some(it.to_owned());
    assert_eq!((state(&bea), state(&ada)), ((done("rewarded"), None), (None, done("rewarded"))));

    // What is left is less than the smallest amount.
    let refunded_at = clock::now();
    let refund = format!(
        r#"{{"type": "order.refunded", "order_id": "first", "refund_id": "r1",
        "refunded_at": "{refunded_at}", "amount_minor": 4000}}"#
    );
    send(&sqs, orders, &[&refund, &refund]).await;
    hear(&sqs, &shop, &mut heard, ("referral.revoked", "bea")).await;
    assert_eq!((&points(&ada)["available"], &points(&bea)["available"]), (&50.into(), &50.into()));
    assert_eq!((state(&bea), state(&ada)), ((done("revoked"), None), (None, done("revoked"))));

    for queue in ["unhandled_orders_queue_url", "unhandled_referrals_queue_url"] {
        assert_eq!(dead_letters(&sqs, stack.output(queue)).await, BTreeMap::new(), "{queue}");
    }
}

/// How many members are due by `day`.
async fn due_by(ledger: &DynamoDbLedger, day: Date) -> usize {
    let mut number = 0;
    for shard in 0..ledger.shards() {
        number += ledger.due_members(shard, day, None, 1_000).await.unwrap().members.len();
    }
    number
}
