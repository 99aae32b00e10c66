//! What the shop is told, as it is told: a member's history, from a balance brought to points expired.

use std::collections::BTreeMap;

use jiff::Timestamp;
use loyalty_contracts::{
    announcement::{self, Announcement, Happened},
    parse,
    schema::{announcements, documents},
};
use loyalty_domain::{
    command::{Command, Request},
    event::Event,
    id::{ClientId, CommandId, MemberId, RequestKey},
    points::Points,
    program::Program,
};
use loyalty_ledger::{Answer, Answered, Attempts, Entry, execute, memory::MemoryLedger};
use serde_json::{Value, json};

use crate::{difference, examples, files, is_json, path};

const EXAMPLES: &str = "shared/contracts/announcements/examples";
const SCHEMAS: &str = "shared/contracts/announcements/schemas";

fn program() -> Program {
    serde_json::from_value(json!({
        "name": "Example", "version": 3, "effective": "2020-01-01", "currency": "EUR",
        "time_zone": "Europe/Berlin",
        "earning": {"points_per_unit": "10", "pending_days": 14, "expiry_months": 12,
            "expiry_rounding": "month_end"},
        "tiers": {"levels": [
            {"id": "bronze", "name": "Bronze"},
            {"id": "silver", "name": "Silver", "spend": "1000", "bonus": "0.05"},
            {"id": "gold", "name": "Gold", "orders": 4, "bonus": "0.1"}]},
        "reminders": {"points_days": [30, 7, 1], "tier_days": [30, 7, 1]}
    }))
    .unwrap()
}

/// What a member does, of whom the examples tell.
fn history() -> Vec<Entry> {
    let member_id = MemberId::try_from("member-7f3a").unwrap();
    let client = ClientId::try_from("shop").unwrap();
    let key = |it: &str| RequestKey::try_from(it).unwrap();
    let at = |it: &str| -> Timestamp { it.parse().unwrap() };
    let points = |it: u64| Points::try_from(it).unwrap();
    let received = |name: &str| {
        let (_, body) = examples().into_iter().find(|(it, _)| it == name).unwrap();
        parse(&body, Timestamp::MAX).unwrap()
    };
    let spend = Request::spend(
        client.clone(),
        key("basket-1"),
        member_id.clone(),
        at("2026-07-16T10:00:00Z"),
        points(150),
    );
    let give_back = Request::give_back(
        client.clone(),
        key("basket-1"),
        member_id.clone(),
        at("2026-07-17T10:00:00Z"),
        spend.id.clone(),
        points(150),
    );
    let extend = Request::extend(
        client,
        key("letter-1"),
        member_id.clone(),
        at("2026-07-18T10:00:00Z"),
        "2027-01-31".parse().unwrap(),
        "goodwill".try_into().unwrap(),
    );
    let due = |day: &str, begins_at: &str| Request {
        id: CommandId::Due(member_id.clone(), day.parse().unwrap()),
        at: at(begins_at),
        command: Command::PostDue { member_id: member_id.clone() },
    };
    let requests = [
        received("balance.opened.full.envelope.json"),
        received("order.paid.full.envelope.json"),
        received("order.refunded.full.envelope.json"),
        spend,
        give_back,
        extend,
        due("2027-01-25", "2027-01-24T23:00:00Z"),
        due("2027-07-02", "2027-07-01T22:00:00Z"),
        due("2027-08-01", "2027-07-31T22:00:00Z"),
    ];
    let ledger = MemoryLedger::default();
    let entries = requests.iter().map(|it| {
        let answered = pollster::block_on(execute(&ledger, &program(), &mut Attempts(1), it));
        let Ok(Answered::Now(entry)) = answered else { panic!("{answered:?}") };
        Entry::clone(&entry)
    });
    entries.collect()
}

fn told(entry: &Entry) -> Vec<Announcement> {
    let Answer::Accepted(events) = &entry.answer else { panic!("{entry:?}") };
    announcement::announcements(Happened {
        id: &entry.id,
        member_id: entry.member_id.as_ref().unwrap(),
        sequence: entry.sequence.unwrap(),
        sent_at: entry.sent_at,
        at: entry.at,
        program_version: entry.program_version,
        balance: entry.balance.unwrap(),
        events,
    })
    .unwrap()
}

/// An event in the envelope that EventBridge puts around it, keys in the order of its documentation.
fn in_envelope(event: &Announcement) -> String {
    let detail = serde_json::to_string_pretty(event).unwrap().replace('\n', "\n  ");
    format!(
        "{{\n  \"version\": \"0\",\n  \"id\": \"0b6f9d1e-5d3c-4a57-9c2e-7a1f8e4b2d60\",\n  \
         \"detail-type\": \"{}\",\n  \"source\": \"{}\",\n  \"account\": \"123456789012\",\n  \
         \"time\": \"2026-07-01T12:00:00Z\",\n  \"region\": \"eu-central-1\",\n  \
         \"resources\": [],\n  \"detail\": {detail}\n}}\n",
        event.what.name(),
        announcement::SOURCE,
    )
}

/// The first event of each kind that the history tells, by its file.
fn generated() -> BTreeMap<String, String> {
    let mut generated = BTreeMap::new();
    for event in history().iter().flat_map(told) {
        let name = format!("{}.json", event.what.name());
        generated.entry(name).or_insert_with(|| in_envelope(&event));
    }
    generated
}

#[test]
fn the_examples_as_checked_in_are_what_the_code_tells() {
    let checked_in: BTreeMap<String, String> = files(EXAMPLES, is_json)
        .into_iter()
        .map(|(name, text)| (name, String::from_utf8(text).unwrap()))
        .collect();
    let generated = generated();
    assert_eq!(
        checked_in.keys().collect::<Vec<_>>(),
        generated.keys().collect::<Vec<_>>(),
        "every kind of event has its example"
    );

    for (name, text) in generated {
        let file = &checked_in[&name];
        assert!(
            *file == text,
            "{name} is not what the code tells; the first difference is in {}\nIf the change is meant, \
             and only adds, the file is to be:\n{text}",
            difference(file, &text)
        );
    }
}

#[test]
fn the_schemas_of_what_is_told_as_checked_in_are_those_of_the_code() {
    let checked_in: Vec<_> = files(SCHEMAS, is_json).into_iter().map(|(name, _)| name).collect();
    let documents = announcements().unwrap();
    assert_eq!(checked_in, documents.iter().map(|it| it.file_name).collect::<Vec<_>>());

    for document in documents {
        let file = std::fs::read_to_string(path(SCHEMAS).join(document.file_name)).unwrap();
        assert!(
            file == document.text,
            "{} is not what the code says; the first difference is in {}\nIf the change is meant, and \
             only adds, write it with\n    cargo run -p loyalty-contracts --features schemas --example \
             schemas",
            document.file_name,
            difference(&file, &document.text)
        );
    }
}

#[test]
fn everything_told_is_valid_under_the_schema_of_its_kind_and_no_other() {
    let validators: Vec<_> = announcements()
        .unwrap()
        .into_iter()
        .map(|it| {
            let schema: Value = serde_json::from_str(&it.text).unwrap();
            let options = jsonschema::options().should_validate_formats(true);
            (it.file_name, options.build(&schema).expect("it is a schema"))
        })
        .collect();
    let mut seen = 0;
    for event in history().iter().flat_map(told) {
        let message: Value = serde_json::from_str(&in_envelope(&event)).unwrap();
        for (file_name, validator) in &validators {
            let is_its_own = *file_name == format!("{}.v1.json", event.what.name());
            let errors: Vec<_> = validator.iter_errors(&message).map(|it| it.to_string()).collect();

            assert_eq!(errors.is_empty(), is_its_own, "{message} under {file_name}: {errors:#?}");
            seen += 1;
        }
    }
    assert!(seen >= 12 * 12, "{seen}");
}

#[test]
fn a_level_says_which_way_it_went_and_a_renewal_is_no_change() {
    let tiers = |events: Vec<Announcement>| -> Vec<Value> {
        let tiers = events.into_iter().filter(|it| it.what.name().starts_with("tier."));
        let told = tiers.map(|it| (it.what.name(), serde_json::to_value(&it.what).unwrap()));
        told.map(|(name, what)| json!([name, what])).collect()
    };

    let history = history();
    let all = tiers(history.iter().flat_map(told).collect());

    let wanted = json!([
        ["tier.changed", {"level": "gold", "before": "bronze", "change": "raised",
            "valid_through": "2027-03-31", "reason": "taken_over"}],
        ["tier.renewed", {"level": "gold", "valid_through": "2027-07-31", "reason": "order"}],
        ["tier.at_risk", {"level": "gold", "valid_through": "2027-07-31", "day": "2027-07-02",
            "would_be": "silver", "currency": "EUR", "spend_missing_minor": null, "orders_missing": 4}],
        ["tier.changed", {"level": "silver", "before": "gold", "change": "lowered",
            "valid_through": "2028-07-31", "reason": "review"}],
    ]);
    assert_eq!(json!(all), wanted);

    let mut older = history.iter().find(|it| it.id.to_string().starts_with('O')).unwrap().clone();
    let Answer::Accepted(events) = &mut older.answer else { panic!("{older:?}") };
    for event in events {
        if let Event::LevelReached { before, .. } = event {
            *before = None;
        }
    }
    let wanted = json!([
        ["tier.changed", {"level": "gold", "before": null, "change": null,
            "valid_through": "2027-07-31", "reason": "order"}],
    ]);
    assert_eq!(json!(tiers(told(&older))), wanted);
}

#[test]
fn a_reminder_is_of_its_day_although_it_moves_no_clock_and_says_how_many_points_to_use() {
    let events: Vec<Announcement> = history().iter().flat_map(told).collect();
    let named = |name: &str| events.iter().filter(|it| it.what.name() == name).collect::<Vec<_>>();

    let [expiring] = named("points.expiring")[..] else { panic!("{events:#?}") };
    let [at_risk] = named("tier.at_risk")[..] else { panic!("{events:#?}") };

    assert_eq!(expiring.at.to_string(), "2027-01-24T23:00:00Z");
    assert_eq!(at_risk.at.to_string(), "2027-07-01T22:00:00Z");
    let what = serde_json::to_value(&expiring.what).unwrap();
    // Staff had given it another month.
    let lots = json!([{"lot": "2026-12-31", "points": 1_180}]);
    let wanted = json!({
        "points": 1_180, "usable_through": "2027-01-31", "day": "2027-01-25", "lots": lots
    });
    assert_eq!(what, wanted);
    // What the lots then lost is what was told.
    let lost = named("points.expired").into_iter().find(|it| it.at > expiring.at).unwrap();
    assert_eq!(serde_json::to_value(&lost.what).unwrap()["points"], 1_180);
}

#[test]
fn what_leaves_has_no_name_of_what_comes_in() {
    for told in announcements().unwrap() {
        for received in documents().unwrap() {
            assert_ne!(told.file_name, received.file_name, "the shop would hear itself");
        }
    }
}

#[test]
fn ids_are_the_same_each_time_and_never_of_two_events() {
    let (first, second) = (history(), history());
    let ids = |entries: &[Entry]| -> Vec<String> {
        entries.iter().flat_map(told).map(|it| it.id).collect()
    };

    let all = ids(&first);

    assert_eq!(all, ids(&second));
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
    assert!(all.iter().all(|it| it.len() == 32 && it.bytes().all(|it| it.is_ascii_hexdigit())));
    // A receiver keeps it for ever, so no release may give another one.
    assert_eq!(all.first().map(String::as_str), Some(FIRST_ID));
}

/// The id of the balance that the member brought: half of the SHA-256 of `B#member-7f3a`, 0 and
/// `balance.taken_over`, a line each.
const FIRST_ID: &str = "a3748fdedb9e72e46d2e7c2ad1caeedb";

#[test]
fn events_of_an_entry_have_numbers_in_their_order_and_one_balance() {
    for entry in history() {
        let told = told(&entry);
        let numbers: Vec<_> = told.iter().map(|it| it.number).collect();

        assert_eq!(numbers, (1..).take(told.len()).collect::<Vec<_>>());
        assert!(told.iter().all(|it| it.balance == entry.balance.unwrap().into()));
        assert!(told.iter().all(|it| it.at <= entry.at.max(entry.sent_at)));
    }
}
