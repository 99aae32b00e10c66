//! A whole story of members and friends through the real functions, with stores that are throttled and a bus that
//! fails, and then a search: whatever is written, sent, logged or answered with an error has nothing personal in it.
//!
//! Alone in its process, since the log of all functions goes to one place.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may panic, and says what it searched"
)]

mod cloud;
mod scan;
mod shop;
mod story;

use std::{
    collections::{BTreeMap, BTreeSet},
    panic,
};

use loyalty_runtime::queue::{Queue as _, SqsQueue};
use serde_json::{Value, json};
use tracing_subscriber::filter::LevelFilter;

use crate::{
    scan::{Form, Hay, Secret, found},
    shop::{Log, Shop},
    story::Known,
};

/// What is searched, by what it is.
struct Hays {
    lines: Vec<String>,
    items: Vec<Value>,
    messages: Vec<String>,
    events: Vec<(String, String)>,
    errors: Vec<String>,
}

impl Hays {
    fn of(shop: &Shop) -> Self {
        let mut lines = shop.log.lines();
        lines.extend(shop.metrics.lock().unwrap().iter().cloned());
        let tables = [&shop.tables.ledger, &shop.tables.program];
        let items = tables.into_iter().flat_map(|it| shop.engine.items(it)).collect();
        let from_outside = shop.from_outside.lock().unwrap();
        let mut messages = shop.ruled.lock().unwrap().clone();
        for letter in shop.cloud.letters() {
            // An order is the shop's own word, and is kept as it came.
            if !from_outside.contains(&letter.body) {
                messages.push(letter.body);
            }
            messages.push(letter.attributes);
        }
        let events = shop.cloud.events();
        Self { lines, items, messages, events, errors: shop.errors.lock().unwrap().clone() }
    }

    /// Everything with the name of its place.
    fn all(&self) -> Vec<(String, Vec<Hay>)> {
        let text = |place: &str, all: &[String]| -> Vec<(String, Vec<Hay>)> {
            all.iter().map(|it| (format!("{place}: {it}"), vec![Hay::new(it.as_bytes())])).collect()
        };
        let lines: Vec<String> = self.lines.iter().map(|it| without_its_instant(it)).collect();
        let mut all = text("log line", &lines);
        all.extend(self.items.iter().map(|it| (format!("item: {it}"), Hay::of_item(it))));
        all.extend(text("message", &self.messages));
        // Thousands of them say the same.
        let errors: BTreeSet<String> = self.errors.iter().cloned().collect();
        all.extend(text("error", &errors.into_iter().collect::<Vec<_>>()));
        let told = self.events.iter().filter(|(name, _)| name != ACTIVATION);
        all.extend(text("event", &told.map(|(_, detail)| detail.clone()).collect::<Vec<_>>()));
        all
    }

    /// Where any of `forms` is.
    fn search(&self, forms: &[Form]) -> Vec<String> {
        let mut all = Vec::new();
        for (place, hay) in self.all() {
            all.extend(
                found(forms.iter(), &hay).into_iter().map(|it| format!("{it}\n  in {place}")),
            );
        }
        all
    }
}

const ACTIVATION: &str = "member.activation_requested";

const EXAMPLE: &str = include_str!(
    "../../../../shared/contracts/announcements/examples/member.activation_requested.json"
);

/// A line but for its instant, which has six digits of a second, as a code has.
fn without_its_instant(line: &str) -> String {
    let mut fields: Value = serde_json::from_str(line).unwrap();
    fields.as_object_mut().unwrap().remove("timestamp");
    fields.to_string()
}

#[test]
fn nothing_personal_is_in_any_line_item_message_event_or_error() {
    let log = Log::default();
    let subscriber = loyalty_runtime::log::subscriber(log.clone(), LevelFilter::INFO);
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (shop, known) = runtime.block_on(async {
        let shop = Shop::open(log).await;
        let known = Box::pin(story::told(&shop)).await;
        (shop, known)
    });
    let hays = Hays::of(&shop);
    let forms = scan::forms(&known.secrets);

    assert_whole(&hays, &known);
    let leaks = hays.search(&forms);
    let Hays { lines, items, messages, events, errors } = &hays;
    println!(
        "searched for {} values in {} forms: {} log lines, {} items, {} messages of queues, {} events, {} errors",
        known.secrets.len(),
        forms.len(),
        lines.len(),
        items.len(),
        messages.len(),
        events.len(),
        errors.len()
    );
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
    // Nor are members named where people read.
    for line in lines.iter().map(|it| without_its_instant(it)) {
        let said = [Hay::new(line.as_bytes())];
        assert_eq!(found(scan::forms(&story::members()).iter(), &said), [""; 0], "{line}");
    }
    assert_only_one_event_is_personal(events, &forms, &known);
    assert_members_have_no_more_than_they_need(&shop, &known);
    assert_every_form_would_be_found(&forms);
    runtime.block_on(assert_leaks_would_be_found(&shop, &forms, &known.secrets));
}

/// The story was told whole: a search of nothing finds nothing.
fn assert_whole(hays: &Hays, known: &Known) {
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, _) in &hays.events {
        *names.entry(name).or_default() += 1;
    }
    println!("events: {names:?}");
    for name in [
        ACTIVATION,
        "member.enrolled",
        "member.activated",
        "member.status_changed",
        "points.earned",
        "points.granted",
        "points.grant_revoked",
        "referral.pending",
        "referral.qualified",
        "referral.rewarded",
        "referral.refused",
        "referral.revoked",
    ] {
        assert!(names.contains_key(name), "{name} was not told");
    }
    let mut problems: BTreeMap<String, usize> = BTreeMap::new();
    for error in &hays.errors {
        let response: Value = serde_json::from_str(error).unwrap();
        let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
        *problems.entry(body["code"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    println!("errors: {problems:?}");
    for code in [
        "activation-code-expired",
        "activation-code-wrong",
        "already-active",
        "attempts-used-up",
        "body-not-json",
        "claim-attempts-used-up",
        "claim-not-proven",
        "enrolled-otherwise",
        "identity-taken",
        "internal",
        "invalid-body",
        "invalid-member-id",
        "invalid-query",
        "member-not-found",
        "referral-code-replaced",
        "referral-code-unknown",
        "sent-too-often",
        "unavailable",
        "version-conflict",
    ] {
        assert!(problems.contains_key(code), "nobody was told {code}");
    }
    for said in ["could not be answered", "can never be answered", "a request panicked"] {
        assert!(hays.lines.iter().any(|it| it.contains(said)), "no line says {said}");
    }
    for said in ["could not be put to the dead letters", "a record was not told", "a panic"] {
        assert!(hays.lines.iter().any(|it| it.contains(said)), "no line says {said}");
    }
    for kind in ["phone", "mail", "name", "activation code", "referral code", "claim token"] {
        assert!(known.secrets.iter().any(|it| it.kind == kind), "nobody has a {kind}");
    }
}

/// One event is for whoever sends codes: it has a contact and a code, and no other event has anything.
fn assert_only_one_event_is_personal(events: &[(String, String)], forms: &[Form], known: &Known) {
    let example: Value = serde_json::from_str(EXAMPLE).unwrap();
    let mut requested = 0;
    for (name, detail) in events {
        let hay = [Hay::new(detail.as_bytes())];
        let kinds = |kind: &str| forms.iter().filter(|it| it.kind == kind).collect::<Vec<_>>();
        if name == ACTIVATION {
            requested += 1;
            let told: Value = serde_json::from_str(detail).unwrap();
            let keys = |it: &Value| it.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(&told), keys(&example["detail"]), "it is not as its example");
            let contacts = [kinds("mail"), kinds("phone")].concat();
            assert!(!found(contacts.into_iter(), &hay).is_empty(), "no contact: {detail}");
            let codes = kinds("activation code");
            assert!(!found(codes.into_iter(), &hay).is_empty(), "no code: {detail}");
        } else {
            assert_eq!(found(forms.iter(), &hay), Vec::<String>::new(), "{name}");
        }
    }
    assert!(requested >= 6, "{requested}");
    assert_eq!(requested, known.codes);
}

/// The table of members is for personal data. What somebody is found by is not there all the same, nor is a code
/// that was sent, nor a hash that anybody could make.
fn assert_members_have_no_more_than_they_need(shop: &Shop, known: &Known) {
    let items = shop.engine.items(&shop.members());
    let hays: Vec<Hay> = items.iter().flat_map(Hay::of_item).collect();
    let never =
        ["activation code", "address", "card", "claim token", "customer", "device", "guest"];
    let kept = known.secrets.iter().filter(|it| !never.contains(&it.kind)).cloned();
    let never = known.secrets.iter().filter(|it| never.contains(&it.kind)).cloned();

    let never = scan::forms(&never.collect::<Vec<_>>());
    assert_eq!(found(never.iter(), &hays), Vec::<String>::new());
    let kept = scan::forms(&kept.collect::<Vec<_>>());
    let hashes = kept.iter().filter(|it| it.name.starts_with("hash"));
    assert_eq!(found(hashes, &hays), Vec::<String>::new());
    let texts = kept.iter().filter(|it| it.name == "text" && ["mail", "phone"].contains(&it.kind));
    assert!(found(texts, &hays).len() > 4, "{} items", items.len());
}

/// The search finds each form where it is, alone and in something binary.
fn assert_every_form_would_be_found(forms: &[Form]) {
    for form in forms {
        let planted = form.planted();
        let at = [Hay::new(&planted)];
        assert_eq!(found(std::iter::once(form), &at).len(), 1, "{form:?}");
    }
    let nothing = [Hay::new(b"{\"order_id\":\"1\",\"points\":100}")];
    assert_eq!(found(forms.iter(), &nothing), Vec::<String>::new());
}

/// What is logged, written, sent and answered is what is searched.
async fn assert_leaks_would_be_found(shop: &Shop, forms: &[Form], secrets: &[Secret]) {
    let first = |kind: &str| secrets.iter().find(|it| it.kind == kind).unwrap().text.clone();
    let (mail, phone) = (first("mail"), first("phone"));
    let places = |shop: &Shop| {
        let leaks = Hays::of(shop).search(forms);
        let places = leaks.iter().map(|it| it.split("\n  in ").nth(1).unwrap());
        let mut places: Vec<_> =
            places.map(|it| it.split(':').next().unwrap().to_owned()).collect();
        places.sort();
        places.dedup();
        places
    };
    assert_eq!(places(shop), [""; 0]);

    tracing::error!(to = mail, "a code did not leave");
    assert_eq!(places(shop), ["log line"]);
    // MessagePack of a text, within a body as we write them.
    let body = [&[0x92, 0x01, 0xB0], mail.as_bytes()].concat();
    let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, body);
    let item = json!({"pk": {"S": "M#x"}, "sk": {"S": "A"}, "b": {"B": body}});
    shop.engine.overwrite(&shop.tables.ledger, &item);
    assert_eq!(places(shop), ["item", "log line"]);
    let queue = SqsQueue::new(shop.cloud.queues(), "https://queues.example/any".to_owned());
    queue.send(&[json!({ "to": phone })]).await.unwrap();
    assert_eq!(places(shop), ["item", "log line", "message"]);
    let error = json!({"statusCode": 422, "body": format!("{phone} is no number")});
    shop.errors.lock().unwrap().push(error.to_string());
    assert_eq!(places(shop), ["error", "item", "log line", "message"]);
    shop.cloud
        .bus()
        .put_events()
        .entries(
            aws_sdk_eventbridge::types::PutEventsRequestEntry::builder()
                .detail_type("member.enrolled")
                .detail(json!({ "phone": phone }).to_string())
                .build(),
        )
        .send()
        .await
        .unwrap();
    assert_eq!(places(shop), ["error", "event", "item", "log line", "message"]);
}

/// Runs `asked` with panics that say no more than where they happened, as functions have them.
async fn quietly<T>(asked: impl Future<Output = T>) -> T {
    let before = panic::take_hook();
    panic::set_hook(Box::new(loyalty_runtime::log::panicked));
    let answer = asked.await;
    panic::set_hook(before);
    answer
}
