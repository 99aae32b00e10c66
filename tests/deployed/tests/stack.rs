//! The very template and the very binaries on a local AWS.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use aws_sdk_sqs::types::{
    QueueAttributeName::{ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible},
    SendMessageBatchRequestEntry,
};
use jiff::Timestamp;
use loyalty_contracts::parse;
use loyalty_domain::program::Program;
use loyalty_ledger::{
    Attempts, Reading, execute, memory::MemoryLedger, program::Programs as _,
    statement::Accounts as _,
};
use loyalty_member_api::route::{Operation, ROUTES, Who};
use loyalty_runtime::clock::Deadline;
use loyalty_tests_deployed::Stack;
use loyalty_tests_simulate::{scratch, year_as_events};

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
    let events = year_as_events(&scratch("deployed-events"));
    let events: Vec<&str> = events.lines().take(550).collect();
    let ledger = stack.ledger();
    let programs = ledger.programs().await.unwrap();
    let expected = in_memory(&programs[0], &events).await;

    // 500 events and more, 50 of them twice, and the poison in between. One member's events go one after
    // the other, since a standard queue keeps no order: in each round an event of each member at most.
    let sqs = stack.aws().sqs(Duration::from_secs(20));
    let queue = stack.output("orders_queue_url");
    for (number, round) in rounds(&events).into_iter().enumerate() {
        let mut bodies = round;
        if number == 0 {
            bodies.extend(POISON.iter().map(|(body, _)| *body));
            let repeated: Vec<&str> = bodies.iter().copied().take(50).collect();
            assert_eq!(repeated.len(), 50);
            bodies.extend(repeated);
        }
        send(&sqs, queue, &bodies).await;
        wait_until_empty(&sqs, queue).await;
    }

    assert!(events.len() >= 500);
    let accounts = expected.accounts();
    assert!(accounts.len() > 100, "{}", accounts.len());
    for (member_id, account) in accounts {
        let found = ledger.find_account(&member_id, Reading::Newest).await.unwrap();
        assert_eq!(found.map(|it| it.account), Some(account), "{member_id}");
    }
    let letters = dead_letters(&sqs, stack.output("unhandled_orders_queue_url")).await;
    let wanted = POISON.iter().map(|(body, reason)| ((*body).to_owned(), (*reason).to_owned()));
    assert_eq!(letters, wanted.collect::<BTreeMap<_, _>>());
}

async fn in_memory(program: &Program, events: &[&str]) -> MemoryLedger {
    let ledger = MemoryLedger::default();
    for event in events {
        let request = parse(event.as_bytes(), Timestamp::MAX).unwrap();
        execute(&ledger, program, &mut Attempts(1), &request).await.unwrap();
    }
    ledger
}

/// The events in rounds, of which each has one of each member, in their order.
fn rounds<'a>(events: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut member_of_order: HashMap<String, String> = HashMap::new();
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut rounds: Vec<Vec<&str>> = Vec::new();
    for event in events {
        let json: serde_json::Value = serde_json::from_str(event).unwrap();
        let order = json["order_id"].as_str().unwrap().to_owned();
        let member = json["member_id"].as_str().map(ToOwned::to_owned);
        let key = member_of_order.entry(order.clone()).or_insert_with(|| member.unwrap_or(order));
        let count = counts.entry(key.clone()).or_default();
        if rounds.len() == *count {
            rounds.push(Vec::new());
        }
        rounds[*count].push(event);
        *count += 1;
    }
    rounds
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

#[test]
fn every_route_answers_every_token_as_the_table_says() {
    let stack = Stack::up("deployed-routes", PROGRAM, 40);
    let service = stack.token(&["--scope", "loyalty/members.read"]);
    let member = stack.member().to_owned();
    let tokens = [
        ("no token", None, None),
        ("expired", Some(stack.token(&["--member", &member, "--expired"])), None),
        ("other audience", Some(stack.token(&["--member", &member, "--audience", "other"])), None),
        ("garbage", Some("a.b.c".to_owned()), None),
        ("member", Some(stack.token(&["--member", &member])), Some(Who::Member)),
        ("other member", Some(stack.token(&["--member", "somebody-else"])), Some(Who::Member)),
        ("service", Some(service), Some(Who::Service)),
        ("staff", Some(stack.token(&["--scope", "loyalty/staff"])), Some(Who::Staff)),
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

    // API Gateway decodes a path before it chooses a route. Wherever that leads, it is to nothing of
    // somebody else's.
    let other = stack.token(&["--member", "somebody-else"]);
    for path in [
        format!("/v1/members/{member}%2Fentries"),
        format!("/v1/members/..%2Fmembers%2F{member}"),
        format!("/v1/members/%2E%2E%2F{member}"),
        format!("/v1/members/somebody-else%23{member}"),
        format!("/v1/members/{member}%3Fa=b"),
        format!("/v1/members/somebody-else%2F..%2F{member}"),
        "/v1/members/%2E%2E".to_owned(),
        "/v1/members/a%20b".to_owned(),
    ] {
        let (status, body) = stack.get(&path, Some(&other));
        assert!((400..500).contains(&status), "{path}: {status} {body}");
    }
    let (status, body) = stack.get("/v1/members/me%2Fentries", Some(&other));
    assert_eq!((status, &body["entries"]), (200, &serde_json::json!([])));
}
