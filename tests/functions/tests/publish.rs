//! The ledger's stream, as the embedded engine has it, through the real handler onto a bus: the real year,
//! disturbed; poison in the middle; entries of several items.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    error::Error,
    sync::Mutex,
    time::Duration,
};

use jiff::Timestamp;
use loyalty_contracts::parse;
use loyalty_domain::{
    account::{Account, Adjusted, Totals},
    command::{Command, Request},
    id::{ClientId, CommandId, MemberId, OrderId, RequestKey},
    points::Points,
};
use loyalty_dynamodb::{DynamoDbLedger, Segment, StreamEvent, Tables};
use loyalty_ledger::{Answered, Attempts, Entry, Reading, execute, statement::Accounts as _};
use loyalty_publish_events::handler::{Door, FUNCTION, NoSequenceNumber};
use loyalty_runtime::{
    clock::Deadline,
    metric::Metrics,
    publish::{Bus, Message, Refused, messages},
};
use loyalty_tests_dynamodb::Engine;
use loyalty_tests_simulate::{Random, program_of_the_year, repository, scratch, year_as_events};
use serde_json::{Value, json};

/// A bus in memory, and what it does not take.
struct Heard {
    events: Mutex<Vec<Value>>,
    calls: Mutex<usize>,
    answers: Mutex<Answers>,
}

/// What happens to an event at the call of that number.
type Answers = Box<dyn FnMut(usize, &Message) -> Fate + Send>;

enum Fate {
    Taken,
    Refused,
    /// It is taken, and the reply is lost with those of all others of its call.
    Lost,
}

impl Heard {
    fn all() -> Self {
        Self::unless(|_, _| Fate::Taken)
    }

    fn unless(answers: impl FnMut(usize, &Message) -> Fate + Send + 'static) -> Self {
        let (events, calls) = (Mutex::default(), Mutex::default());
        Self { events, calls, answers: Mutex::new(Box::new(answers)) }
    }

    /// The ids that were heard, in order, repeats included.
    fn ids(&self) -> Vec<String> {
        let events = self.events.lock().unwrap();
        events.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    }
}

impl Bus for Heard {
    async fn put(
        &self,
        messages: &[&Message],
    ) -> Result<Vec<Result<(), Refused>>, Box<dyn Error + Send + Sync>> {
        let call = {
            let mut calls = self.calls.lock().unwrap();
            *calls += 1;
            *calls
        };
        let mut answers = self.answers.lock().unwrap();
        let mut results = Vec::new();
        let mut is_lost = false;
        for message in messages {
            let fate = answers(call, message);
            if matches!(fate, Fate::Refused) {
                let code = "ThrottlingException".to_owned();
                results.push(Err(Refused { code, is_transient: true }));
                continue;
            }
            is_lost |= matches!(fate, Fate::Lost);
            let mut event: Value = serde_json::from_str(&message.detail).unwrap();
            event["detail-type"] = message.name.into();
            self.events.lock().unwrap().push(event);
            results.push(Ok(()));
        }
        if is_lost { Err("the reply was lost".into()) } else { Ok(results) }
    }
}

fn event(records: &[Value]) -> StreamEvent {
    serde_json::from_value(json!({ "Records": records })).unwrap()
}

fn sequence_number(record: &Value) -> &str {
    record["dynamodb"]["SequenceNumber"].as_str().unwrap()
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

/// What is told of `records`, and the sequence number that comes back.
async fn tell<B: Bus>(
    door: &Door<B>,
    records: &[Value],
    deadline: Deadline,
    metrics: &mut Metrics,
) -> Option<String> {
    let response = door.handle(event(records), deadline, metrics).await.unwrap();
    assert!(response.batch_item_failures.len() <= 1, "Lambda wants the first one alone");
    response.batch_item_failures.first().and_then(|it| it.item_identifier.clone())
}

/// The filter of the template, as Lambda reads it.
fn filter() -> Value {
    let template = std::fs::read_to_string(repository("infra/template.yaml")).unwrap();
    let pattern = template.split("Pattern: >-\n").nth(1).unwrap();
    let pattern: Vec<&str> =
        pattern.lines().map(str::trim).take_while(|it| it.starts_with(['{', '"'])).collect();
    serde_json::from_str(&pattern.join(" ")).unwrap()
}

fn passes(value: &Value, pattern: &Value) -> bool {
    match pattern {
        Value::Object(fields) => fields.iter().all(|(name, it)| passes(&value[name], it)),
        Value::Array(any) => any.iter().any(|it| {
            if let Some(others) = it["anything-but"].as_array() {
                return value.is_string() && !others.contains(value);
            }
            if it["exists"] == true { !value.is_null() } else { it == value }
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            panic!("{pattern} is no pattern")
        }
    }
}

/// The year's events and, after them, what members and jobs do: points used and given back, brought, and
/// posted when they fall due. Each with whose it is: a member's events keep their order.
fn year() -> Vec<(String, Request)> {
    let mut owners: HashMap<OrderId, String> = HashMap::new();
    let mut requests: Vec<(String, Request)> = Vec::new();
    for line in year_as_events(&scratch("publish-year")).lines() {
        let request = parse(line.as_bytes(), Timestamp::MAX).unwrap();
        let order_id = request.id.order_id().unwrap().clone();
        let member = request.member_id().map(|it| it.as_str().to_owned());
        let owner = || member.unwrap_or_else(|| order_id.as_str().to_owned());
        let owner = owners.entry(order_id.clone()).or_insert_with(owner).clone();
        requests.push((owner, request));
    }
    let client = ClientId::try_from("shop").unwrap();
    let members: BTreeSet<MemberId> =
        requests.iter().filter_map(|(_, it)| it.member_id().cloned()).collect();
    let at: Timestamp = "2011-12-20T12:00:00Z".parse().unwrap();
    for (index, member_id) in members.iter().enumerate() {
        let mut push = |request| requests.push((member_id.as_str().to_owned(), request));
        let key = RequestKey::try_from(format!("k{index}").as_str()).unwrap();
        if index % 3 == 0 {
            let points = Points::try_from(5).unwrap();
            let spend = Request::spend(client.clone(), key.clone(), member_id.clone(), at, points);
            let id = spend.id.clone();
            push(spend);
            if index % 2 == 0 {
                let (client, points) = (client.clone(), Points::try_from(2).unwrap());
                push(Request::give_back(client, key, member_id.clone(), at, id, points));
            }
        }
        if index % 4 == 0 {
            let id = CommandId::Due(member_id.clone(), jiff::civil::date(2012, 7, 1));
            let at: Timestamp = "2012-07-01T00:00:00Z".parse().unwrap();
            let command = Command::PostDue { member_id: member_id.clone() };
            push(Request { id, at, command });
        }
    }
    for index in 0..20 {
        let member_id = format!("new-{index}");
        let opening = json!({
            "type": "balance.opened", "member_id": member_id,
            "opened_at": "2011-12-20T12:00:00Z",
            "lots": [{"points": 100 + index, "usable_through": "2012-12-31"},
                {"points": 7, "usable_through": "2010-12-31"}],
            "debt": 3,
            "tier": {"level": "gold", "valid_through": "2012-03-31"},
        });
        let request = parse(opening.to_string().as_bytes(), Timestamp::MAX).unwrap();
        requests.push((member_id, request));
    }
    requests
}

/// In how many ledgers the year is kept: with a stream, the engine is slower with each write.
const LEDGERS: usize = 8;

/// Every entry in the ledger, as `republish` reads them.
async fn entries(ledger: &DynamoDbLedger) -> Vec<std::sync::Arc<Entry>> {
    let mut all = Vec::new();
    let mut segments = Segment::all(4);
    while let Some(segment) = segments.pop() {
        let page = ledger.entries_of(&segment).await.unwrap();
        assert!(page.unreadable.is_empty(), "{:?}", page.unreadable);
        all.extend(page.entries);
        segments.extend(page.rest);
    }
    all
}

/// What was heard of one ledger, repeats included, and all that is in it.
struct Part {
    ledger: DynamoDbLedger,
    heard: Vec<Value>,
    entries: Vec<std::sync::Arc<Entry>>,
    came_back: usize,
}

/// Records `requests` and tells of them as a mapping does: on from what came back, and in other batches.
async fn told_of(requests: &[Request], filter: &Value, seed: u64) -> Part {
    let engine = Engine::start();
    let tables = engine.tables_with_stream();
    let (ledger, _) = engine.ledger_in(tables.clone());
    for request in requests {
        let program = program_of_the_year();
        let answered = execute(&ledger, &program, &mut Attempts(1), request).await.unwrap();
        assert!(matches!(answered, Answered::Now(_)), "{answered:?}");
    }
    let mut records = engine.stream(&tables.ledger);
    assert!(records.len() > requests.len(), "accounts and heads are in the stream, too");
    records.retain(|it| passes(it, filter));
    assert_eq!(records.len(), requests.len(), "the filter takes entries and nothing else");
    let mut random = Random::new(seed);
    let bus = Heard::unless(move |_, _| match random.below(400) {
        0..=5 => Fate::Refused,
        6 => Fate::Lost,
        _ => Fate::Taken,
    });
    let door = Door { ledger: ledger.clone(), bus };
    let mut random = Random::new(seed + 1_000);
    let (mut place, mut came_back) = (0, 0);
    while place < records.len() {
        let end = (place + 1 + random.below(100)).min(records.len());
        // Some have no time to try again.
        let patience_ms = if random.below(3) == 0 { 20 } else { 20_000 };
        let deadline = Deadline::after(Duration::from_millis(patience_ms));
        match tell(&door, &records[place..end], deadline, &mut Metrics::of(FUNCTION)).await {
            None => place = end,
            Some(number) => {
                came_back += 1;
                place = records.iter().position(|it| sequence_number(it) == number).unwrap();
            }
        }
    }
    let heard = std::mem::take(&mut *door.bus.events.lock().unwrap());
    let entries = entries(&ledger).await;
    assert_eq!(entries.len(), requests.len());
    Part { ledger, heard, entries, came_back }
}

#[tokio::test]
async fn the_year_is_told_whole_and_adds_up_to_the_accounts_however_the_bus_behaves() {
    let mut parts: Vec<Vec<Request>> = vec![Vec::new(); LEDGERS];
    let mut requests = 0;
    for (owner, request) in year() {
        let part = owner.bytes().map(usize::from).sum::<usize>() % LEDGERS;
        parts[part].push(request);
        requests += 1;
    }
    let filter = filter();
    let (mut heard, mut entries, mut ledgers) = (Vec::new(), Vec::new(), HashMap::new());
    let mut came_back = 0;
    for (seed, requests) in (1..).zip(&parts) {
        let part = told_of(requests, &filter, seed).await;
        came_back += part.came_back;
        heard.extend(part.heard);
        let members = part.entries.iter().filter_map(|it| it.member_id.clone());
        ledgers.extend(members.map(|it| (it, part.ledger.clone())));
        entries.extend(part.entries);
    }

    // Every event once by its id, and a repeat says the same.
    let mut told: BTreeMap<String, Value> = BTreeMap::new();
    let repeats = heard.len();
    for event in heard {
        let id = event["id"].as_str().unwrap().to_owned();
        let before = told.insert(id, event.clone());
        assert!(before.is_none_or(|it| it == event), "{event}");
    }
    let repeats = repeats - told.len();
    println!(
        "{requests} requests, {} events, {repeats} repeats, {came_back} batches came back",
        told.len()
    );
    assert!(came_back > 5 && repeats > 100, "the bus was not disturbed");

    // What is rebuilt from the entries is the same to the byte.
    let mut rebuilt: BTreeMap<String, Value> = BTreeMap::new();
    for message in entries.iter().flat_map(|it| messages(it).unwrap()) {
        let mut event: Value = serde_json::from_str(&message.detail).unwrap();
        event["detail-type"] = message.name.into();
        let before = rebuilt.insert(event["id"].as_str().unwrap().to_owned(), event);
        assert!(before.is_none(), "two events have one id: {before:?}");
    }
    assert!(rebuilt == told, "{} rebuilt, {} told", rebuilt.len(), told.len());

    // A receiver that only adds up has the accounts, and one that only keeps the newest has the balances.
    let mut sums: BTreeMap<MemberId, Totals> = BTreeMap::new();
    let mut newest: BTreeMap<MemberId, (u64, Value, BTreeSet<u64>)> = BTreeMap::new();
    for event in told.values() {
        let member_id = MemberId::try_from(event["member_id"].as_str().unwrap()).unwrap();
        add(sums.entry(member_id.clone()).or_default(), event);
        let sequence = event["sequence"].as_u64().unwrap();
        let mirror = newest.entry(member_id).or_default();
        mirror.2.insert(sequence);
        if sequence >= mirror.0 {
            (mirror.0, mirror.1) = (sequence, event["balance"].clone());
        }
    }
    let mut accounts = 0;
    for (member_id, totals) in &sums {
        let account = account(&ledgers[member_id], member_id).await;
        assert_eq!(*totals, account.totals, "{member_id}");
        let balance = serde_json::to_value(account.balance().unwrap()).unwrap();
        assert_eq!(newest[member_id].1, balance, "{member_id}");
        accounts += 1;
    }
    assert_eq!(accounts, 1_476 + 20);

    // An entry that tells nothing has changed nothing.
    let mut silent = 0;
    let mut by_number: BTreeMap<(MemberId, u64), &Entry> = BTreeMap::new();
    for entry in &entries {
        if let (Some(member_id), Some(sequence)) = (&entry.member_id, entry.sequence) {
            by_number.insert((member_id.clone(), sequence), entry);
        }
    }
    for ((member_id, sequence), entry) in &by_number {
        if !newest[member_id].2.contains(sequence) {
            let before = by_number[&(member_id.clone(), sequence - 1)];
            assert_eq!(entry.balance, before.balance, "{:?}", entry.id);
            silent += 1;
        }
    }
    let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
    for event in told.values() {
        *kinds.entry(event["detail-type"].as_str().unwrap()).or_default() += 1;
    }
    println!("{kinds:?}; {silent} entries have nothing to tell");
    let all = ["balance.taken_over", "points.available", "points.clawed_back", "points.earned"];
    let others = ["points.expired", "points.given_back", "points.spent"];
    let tiers = ["tier.changed", "tier.renewed"];
    assert!(all.iter().chain(&others).chain(&tiers).all(|it| kinds.contains_key(it)), "{kinds:?}");
}

async fn account(ledger: &DynamoDbLedger, member_id: &MemberId) -> Account {
    ledger.find_account(member_id, Reading::Newest).await.unwrap().unwrap().account
}

/// Adds what `event` says to sums over an account.
fn add(totals: &mut Totals, event: &Value) {
    let points = |name: &str| Points::try_from(event[name].as_u64().unwrap()).unwrap();
    let Totals { earned, clawed_back, spent, given_back, expired, adjusted } = totals;
    let Adjusted { up, down } = adjusted;
    let sum = match event["detail-type"].as_str().unwrap() {
        "points.earned" | "points.granted" => earned,
        "points.clawed_back" | "points.grant_revoked" => clawed_back,
        "points.spent" => spent,
        "points.given_back" => given_back,
        "points.expired" => expired,
        "balance.taken_over" => {
            *down = down.plus(points("debt")).unwrap();
            up
        }
        "points.available" | "tier.changed" | "tier.renewed" => return,
        other => panic!("{other} was not thought of"),
    };
    *sum = sum.plus(points("points")).unwrap();
}

/// A ledger with a stream, and these orders.
async fn ledger_of(engine: &Engine, orders: &[Value]) -> (DynamoDbLedger, Tables) {
    let tables = engine.tables_with_stream();
    let (ledger, _) = engine.ledger_in(tables.clone());
    for order in orders {
        let request = parse(order.to_string().as_bytes(), Timestamp::MAX).unwrap();
        execute(&ledger, &program_of_the_year(), &mut Attempts(1), &request).await.unwrap();
    }
    (ledger, tables)
}

fn order(id: &str) -> Value {
    order_of(id, &[json!({"id": "1", "sku": "A", "quantity": 1, "amount_minor": 1_000})])
}

fn order_of(id: &str, lines: &[Value]) -> Value {
    json!({
        "type": "order.paid", "order_id": id, "member_id": format!("of-{id}"), "currency": "GBP",
        "paid_at": "2011-03-01T12:00:00Z", "lines": lines,
    })
}

#[tokio::test]
async fn poison_comes_back_and_its_neighbors_are_told() {
    let engine = Engine::start();
    let (ledger, tables) = ledger_of(&engine, &[order("1"), order("2"), order("3")]).await;
    let door = Door { ledger, bus: Heard::all() };
    let pattern = filter();
    let good: Vec<Value> = engine.stream(&tables.ledger);
    let good: Vec<Value> = good.into_iter().filter(|it| passes(it, &pattern)).collect();
    assert_eq!(good.len(), 3);
    let broken = |number: usize, name: &str, value: Value| {
        let mut record = good[1].clone();
        record["dynamodb"]["NewImage"][name] = value;
        record["dynamodb"]["SequenceNumber"] = format!("{number}").into();
        record
    };
    let newer = broken(1, "v", json!({"N": "2"}));
    let no_base64 = broken(2, "b", json!({"B": "?"}));
    let no_body_of_ours = broken(3, "b", json!({"B": "AAAA"}));
    let no_shape = broken(4, "v", json!({"S": "1"}));
    let mut no_keys = broken(5, "x", json!({"M": {"y": {"NULL": true}}}));
    no_keys["dynamodb"]["Keys"] = json!({});
    let poison = [newer, no_base64, no_body_of_ours, no_shape, no_keys];

    for bad in &poison {
        let batch = [good[0].clone(), bad.clone(), good[2].clone()];
        let mut metrics = Metrics::of(FUNCTION);

        let back = tell(&door, &batch, soon(), &mut metrics).await;

        assert_eq!(back.as_deref(), Some(sequence_number(bad)));
        assert_eq!((metrics.counted("Unreadable"), metrics.counted("Published")), (1, 2));
    }
    let ids = door.bus.ids();
    assert_eq!(ids.len(), 2 * poison.len());
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 2, "each time by the same ids");

    // Of several it is the first that is named.
    let batch = [poison.as_slice(), &good].concat();
    let back = tell(&door, &batch, soon(), &mut Metrics::of(FUNCTION)).await;
    assert_eq!(back.as_deref(), Some("1"));
}

#[tokio::test]
async fn of_an_event_that_the_bus_does_not_take_the_record_comes_back_and_no_other() {
    let engine = Engine::start();
    let (ledger, tables) = ledger_of(&engine, &[order("1"), order("2"), order("3")]).await;
    let bus = Heard::unless(|_, message| {
        if message.detail.contains("\"order_id\":\"2\"") { Fate::Refused } else { Fate::Taken }
    });
    let door = Door { ledger, bus };
    // With the accounts between them, which a filter would have left out.
    let records = engine.stream(&tables.ledger);
    let mut metrics = Metrics::of(FUNCTION);
    let deadline = Deadline::after(Duration::from_millis(100));

    let back = tell(&door, &records, deadline, &mut metrics).await.unwrap();

    let named = records.iter().find(|it| sequence_number(it) == back).unwrap();
    assert_eq!(named["dynamodb"]["Keys"]["pk"]["S"], "O#2");
    assert_eq!(door.bus.ids().len(), 2);
    assert_eq!((metrics.counted("Failed"), metrics.counted("Published")), (1, 2));
}

#[tokio::test]
async fn an_entry_of_several_items_is_told_once_in_whatever_order_they_come() {
    let engine = Engine::start();
    let lines: Vec<Value> = (0..10_000)
        .map(|it| {
            let id = format!("{it:0>50}");
            json!({"id": id, "sku": "A", "quantity": 1, "amount_minor": 1})
        })
        .collect();
    let (ledger, tables) = ledger_of(&engine, &[order_of("large", &lines)]).await;
    let pattern = filter();
    let mut records = engine.stream(&tables.ledger);
    records.retain(|it| passes(it, &pattern));
    assert!(records.len() > 1, "{} items", records.len());

    for _ in 0..records.len() {
        records.rotate_left(1);
        let door = Door { ledger: ledger.clone(), bus: Heard::all() };

        let back = tell(&door, &records, soon(), &mut Metrics::of(FUNCTION)).await;

        assert_eq!((back, door.bus.ids().len()), (None, 1));
    }
}

#[tokio::test]
async fn a_guest_s_order_and_a_refusal_are_told_nobody() {
    let engine = Engine::start();
    let mut guest = order("guest");
    guest["member_id"] = Value::Null;
    let mut refused = order("refused");
    refused["currency"] = "JPY".into();
    let (ledger, tables) = ledger_of(&engine, &[guest, refused]).await;
    let door = Door { ledger, bus: Heard::all() };

    let records = engine.stream(&tables.ledger);
    let back = tell(&door, &records, soon(), &mut Metrics::of(FUNCTION)).await;

    assert_eq!((back, door.bus.ids().len()), (None, 0));
}

#[tokio::test]
async fn when_time_is_up_the_first_record_comes_back_and_nothing_is_begun() {
    let engine = Engine::start();
    let (ledger, tables) = ledger_of(&engine, &[order("1")]).await;
    let door = Door { ledger, bus: Heard::all() };
    let records = engine.stream(&tables.ledger);
    let mut metrics = Metrics::of(FUNCTION);

    let back = tell(&door, &records, Deadline::after(Duration::ZERO), &mut metrics).await;

    assert_eq!(back.as_deref(), Some(sequence_number(&records[0])));
    assert_eq!(metrics.counted("NotBegun"), 2);
    assert_eq!(door.bus.ids().len(), 0);
}

#[tokio::test]
async fn a_record_that_cannot_be_named_brings_the_whole_batch_back_before_anything_is_told() {
    let engine = Engine::start();
    let (ledger, tables) = ledger_of(&engine, &[order("1")]).await;
    let door = Door { ledger, bus: Heard::all() };
    let mut records = engine.stream(&tables.ledger);
    records[1]["dynamodb"]["SequenceNumber"] = "".into();

    let result = door.handle(event(&records), soon(), &mut Metrics::of(FUNCTION)).await;

    assert_eq!(result.unwrap_err(), NoSequenceNumber);
    assert_eq!(door.bus.ids().len(), 0);
}
