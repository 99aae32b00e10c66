//! What happens: members come, bring friends, mistype, are refused, leave; and everything fails once.

use jiff::ToSpan;
use loyalty_enroll_members::route::{Operation, ROUTES, Route};
use loyalty_runtime::api::route::BodyKind;
use loyalty_tests_dynamodb::Fault;
use serde_json::{Value, json};

use crate::{
    ACTIVATION,
    cloud::Weather,
    quietly,
    scan::Secret,
    shop::{Answer, By, Shop},
};

/// All that was said or made and is personal.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) secrets: Vec<Secret>,
    /// How many codes were sent.
    pub(crate) codes: usize,
}

impl Known {
    fn add(&mut self, kind: &'static str, text: &str) {
        let secret = Secret { kind, text: text.to_owned() };
        if !self.secrets.contains(&secret) {
            self.secrets.push(secret);
        }
    }
}

/// Somebody.
struct Person {
    id: &'static str,
    phone: &'static str,
    mail: &'static str,
    card: &'static str,
    customer: &'static str,
    birthday: &'static str,
    device: &'static str,
    address: &'static str,
    names: &'static [&'static str],
}

const ADA: Person = Person {
    id: "member-17850",
    phone: "+44 20 7946 0958",
    mail: "Ada.Lovelace@Analytical-Engine.example",
    card: "6331-1815-1210-0042",
    customer: "cust-Byron-1815",
    birthday: "1975-12-10",
    device: "device-5d41402abc4b",
    address: "Ockham Park, 12 St James's Square, London SW1Y 4JH",
    names: &["Lovelace", "Ockham Park"],
};

const GRIGORI: Person = Person {
    id: "member-13047",
    phone: "+7 (812) 555-01-47",
    mail: "Григорий.Перельман@почта.example",
    card: "9910 0203 0405 0607",
    customer: "клиент-Стеклов-66",
    birthday: "--06-13",
    device: "устройство-Куплино-9",
    address: "Невский проспект 28, кв. 14, Санкт-Петербург",
    names: &["Перельман", "Невский проспект"],
};

const HANA: Person = Person {
    id: "member-12583",
    phone: "+81 3-5555-0123",
    mail: "山田花子@例え.example",
    card: "3540-1111-3333-7777",
    customer: "顧客番号七七七",
    birthday: "1988-02-29",
    device: "端末-さくら-204",
    address: "東京都千代田区千代田1-1 さくら荘204",
    names: &["山田花子", "さくら荘204"],
};

const LAYLA: Person = Person {
    id: "member-14606",
    phone: "+971 4 555 0187",
    mail: "ليلى.حداد@مثال.example",
    card: "4028-9999-2222-5555",
    customer: "عميل-حداد-12",
    birthday: "--02-29",
    device: "جهاز-ليلى-0187",
    address: "شارع الشيخ زايد ٤٢، دبي",
    names: &["ليلى.حداد", "شارع الشيخ زايد"],
};

const GUEST_MAIL: &str = "Zoë.O'Brien+guest@straße.example";
const GUEST_PHONE: &str = "+353 1 555 0199";

/// What people write where something else belongs.
const WRONG: [(&str, &str); 8] = [
    ("name", "Augusta King, Countess"),
    ("phone", "0044 20 7946 0111 ext. 5"),
    ("phone", "020 7946 0222"),
    ("mail", "Charles Babbage <babbage@difference-engine.example>"),
    ("birthday", "10 December 1815"),
    ("referral code", "UADA-BYRON-1815"),
    ("activation code", "12a456"),
    ("card", "4111 1111 1111 1234 CVV 737"),
];

const ENROLL: (&str, &str) = ("/v1/members", "/v1/members");
const LOOKUP: (&str, &str) = ("/v1/members/lookup", "/v1/members/lookup");
const OWN_CODES: &str = "/v1/members/me/activation/codes";
const OWN_ACTIVATION: &str = "/v1/members/me/activation";
const OWN_ORDERS: &str = "/v1/members/me/orders";
const OWN_CODE: &str = "/v1/members/me/referral-code";
const PROFILE: &str = "/v1/members/{id}/profile";

impl Person {
    fn tell(&self, known: &mut Known) {
        let Self { id: _, phone, mail, card, customer, birthday, device, address, names } = self;
        known.add("phone", phone);
        known.add("mail", mail);
        known.add("card", card);
        known.add("customer", customer);
        known.add("birthday", birthday);
        known.add("device", device);
        known.add("address", address);
        names.iter().for_each(|it| known.add("name", it));
        // The part before the @ and the domain are personal each.
        mail.split('@').for_each(|it| known.add("name", it));
    }

    /// Everything that can be said of them.
    fn enrollment(&self) -> Value {
        json!({
            "member_id": self.id, "customer_id": self.customer, "card": self.card,
            "phone": self.phone, "mail": self.mail, "birthday": self.birthday,
            "consents": {"mail": {
                "granted": true, "at": "2026-02-10T09:00:00Z", "source": "checkout"
            }},
            "signals": {
                "device": [self.device], "address": [self.address], "card": [self.card],
                "phone": [self.phone]
            },
            "source": "store-12"
        })
    }

    fn own(&self) -> By<'static> {
        By::Member(self.id)
    }

    fn profile(&self) -> String {
        format!("/v1/members/{}/profile", self.id)
    }
}

/// The ids of all of them.
pub(crate) fn members() -> Vec<Secret> {
    let people = [&ADA, &GRIGORI, &HANA, &LAYLA];
    people.iter().map(|it| Secret { kind: "member", text: it.id.to_owned() }).collect()
}

/// The code that was sent last.
fn sent(shop: &Shop) -> String {
    let events = shop.cloud.events();
    let (_, detail) = events.iter().rev().find(|(name, _)| name == ACTIVATION).unwrap();
    let detail: Value = serde_json::from_str(detail).unwrap();
    detail["code"].as_str().unwrap().to_owned()
}

#[track_caller]
fn assert_status(answer: &Answer, status: u64) {
    assert_eq!(answer.status, status, "{answer:?}");
}

async fn activate(shop: &Shop, person: &Person, code: &str) -> Answer {
    let body = json!({ "code": code });
    shop.send(person.own(), "POST", (OWN_ACTIVATION, OWN_ACTIVATION), &body).await
}

/// Enrolls somebody, who becomes active; their code for friends.
async fn join(shop: &Shop, known: &mut Known, person: &Person, by: Option<&str>) -> String {
    let mut body = person.enrollment();
    if let Some(code) = by {
        body["referral_code"] = json!(code);
    }
    let enrolled = shop.send(By::Writer, "POST", ENROLL, &body).await;
    assert_status(&enrolled, 201);
    assert_status(&activate(shop, person, &sent(shop)).await, 200);
    let code = enrolled.body["referral_code"].as_str().unwrap().to_owned();
    known.add("referral code", &code);
    code
}

fn order(id: &str, member_id: Option<&str>, minor: u64, code: Option<&str>, shop: &Shop) -> Value {
    json!({
        "type": "order.paid", "order_id": id, "member_id": member_id, "currency": "GBP",
        "paid_at": shop.now().to_string(), "referral_code": code,
        "lines": [{"id": "1", "sku": "TEA", "quantity": 1, "amount_minor": minor}],
    })
}

/// The whole story, and what must be nowhere.
pub(crate) async fn told(shop: &Shop) -> Known {
    let mut known = Known::default();
    for person in [&ADA, &GRIGORI, &HANA, &LAYLA] {
        person.tell(&mut known);
    }
    known.add("guest", GUEST_MAIL);
    known.add("guest", GUEST_PHONE);
    for (kind, text) in WRONG {
        known.add(kind, text);
    }
    for (kind, text) in [
        ("mail", "babbage@difference-engine.example"),
        ("name", "Babbage"),
        ("name", "Augusta King"),
    ] {
        known.add(kind, text);
    }

    let code = enroll_ada(shop, &mut known).await;
    conflicts(shop).await;
    changes(shop).await;
    let code = new_code(shop, &mut known, &code).await;
    friends(shop, &mut known, &code).await;
    guests(shop, &mut known).await;
    wrong_bodies(shop).await;
    wrong_orders(shop, &mut known, &code).await;
    statuses(shop).await;
    words_of_staff(shop, &mut known).await;
    everything_fails(shop, &code).await;
    shop.settle().await;
    for (name, detail) in shop.cloud.events() {
        if name == ACTIVATION {
            known.codes += 1;
            let detail: Value = serde_json::from_str(&detail).unwrap();
            known.add("activation code", detail["code"].as_str().unwrap());
        }
    }
    known
}

/// Ada enrolls while the bus fails in every way, mistypes her code, asks for others, and gets in.
async fn enroll_ada(shop: &Shop, known: &mut Known) -> String {
    let body = ADA.enrollment();
    *shop.bug.lock().unwrap() = Some(format!("{body}"));
    assert_status(&quietly(shop.send(By::Writer, "POST", ENROLL, &body)).await, 500);
    *shop.bug.lock().unwrap() = None;
    for weather in [Weather::Quoted, Weather::Refused, Weather::Silent] {
        shop.cloud.weather(weather);
        assert_status(&shop.send(By::Writer, "POST", ENROLL, &body).await, 503);
    }
    shop.cloud.weather(Weather::Fair);
    let enrolled = shop.send(By::Writer, "POST", ENROLL, &body).await;
    assert_status(&enrolled, 200);
    assert_status(&shop.send(By::Writer, "POST", ENROLL, &body).await, 200);

    let wrong = if sent(shop) == "314159" { "271828" } else { "314159" };
    known.add("activation code", wrong);
    for _ in 0..5 {
        assert_status(&activate(shop, &ADA, wrong).await, 422);
    }
    let right = sent(shop);
    assert_status(&activate(shop, &ADA, &right).await, 429);
    let codes = (OWN_CODES, OWN_CODES);
    assert_status(&shop.send(ADA.own(), "POST", codes, &json!({})).await, 429);
    shop.pass(1.minute());
    let by_phone = json!({"channel": "phone"});
    shop.cloud.weather(Weather::Quoted);
    assert_status(&shop.send(ADA.own(), "POST", codes, &by_phone).await, 503);
    shop.cloud.weather(Weather::Fair);
    assert_status(&shop.send(ADA.own(), "POST", codes, &by_phone).await, 200);
    shop.pass(16.minutes());
    assert_status(&activate(shop, &ADA, &sent(shop)).await, 409);
    assert_status(&shop.send(ADA.own(), "POST", codes, &json!({})).await, 200);
    assert_status(&activate(shop, &ADA, wrong).await, 422);
    let code = sent(shop);
    let (first, second) = code.split_at(3);
    let spaced = format!(" {first} {second}");
    assert_status(&activate(shop, &ADA, &spaced).await, 200);
    assert_status(&shop.send(ADA.own(), "POST", codes, &json!({})).await, 409);
    let code = enrolled.body["referral_code"].as_str().unwrap().to_owned();
    known.add("referral code", &code);
    code
}

/// Others say what is Ada's.
async fn conflicts(shop: &Shop) {
    let mut otherwise = ADA.enrollment();
    otherwise["mail"] = json!(HANA.mail);
    assert_status(&shop.send(By::Writer, "POST", ENROLL, &otherwise).await, 409);
    for (field, value) in [
        ("phone", ADA.phone),
        ("mail", "ADA.lovelace@analytical-engine.EXAMPLE"),
        ("card", ADA.card),
        ("customer_id", ADA.customer),
    ] {
        let body = json!({"member_id": "member-99999", field: value});
        assert_status(&shop.send(By::Writer, "POST", ENROLL, &body).await, 409);
    }
    let reserved = json!({"card": GRIGORI.card, "signals": {"device": [GRIGORI.device]}});
    assert_status(&shop.send(GRIGORI.own(), "POST", ENROLL, &reserved).await, 422);
    let other = json!({"member_id": ADA.id, "mail": GRIGORI.mail});
    assert_status(&shop.send(GRIGORI.own(), "POST", ENROLL, &other).await, 403);
}

/// Ada's profile changes, and is asked for in every way.
async fn changes(shop: &Shop) {
    let at = (PROFILE, ADA.profile());
    let at = (at.0, at.1.as_str());
    let moved = json!({"signals": {"address": [ADA.address, LAYLA.address]}, "language": "en-GB"});
    assert_status(&shop.send(By::Writer, "PATCH", at, &moved).await, 200);
    let late = json!({"version": 1, "phone": LAYLA.phone});
    assert_status(&shop.send(By::Staff, "PATCH", at, &late).await, 412);
    let lost = shop.ask(By::Staff, "PATCH", at, |event| {
        event["body"] = json!(json!({"mail": LAYLA.mail}).to_string());
        event["headers"]["if-match"] = json!(format!("\"{}\"", ADA.phone));
    });
    assert_status(&lost.await, 412);
    for (kind, value, status) in [
        ("phone", ADA.phone, 200),
        ("mail", ADA.mail, 200),
        ("card", ADA.card, 200),
        ("customer", ADA.customer, 200),
        ("phone", GRIGORI.phone, 404),
        ("mail", GRIGORI.mail, 404),
        ("card", GRIGORI.card, 404),
        ("customer", GRIGORI.customer, 404),
        ("code", "00000-0000G", 404),
    ] {
        let body = json!({"kind": kind, "value": value});
        assert_status(&shop.send(By::Reader, "POST", LOOKUP, &body).await, status);
    }
    for path in [
        format!("/v1/members/{}/profile", ADA.mail),
        format!("/v1/members/{}/profile", ADA.phone.replace(' ', "")),
        format!("{}?phone={}", ADA.profile(), ADA.phone.replace(' ', "%20")),
        format!("/v1/members/{}/referrals?cursor={}", ADA.id, ADA.mail),
    ] {
        let route = if path.contains("referrals") { "/v1/members/{id}/referrals" } else { PROFILE };
        let asked = shop.ask(By::Staff, "GET", (route, &path), |_| ()).await;
        assert!(asked.status >= 400, "{path}: {asked:?}");
    }
}

/// Ada has another code for friends; the old one is dead.
async fn new_code(shop: &Shop, known: &mut Known, code: &str) -> String {
    let replace = |by, code: &str| {
        let body = json!({ "replaces": code });
        async move { shop.send(by, "POST", (OWN_CODE, OWN_CODE), &body).await }
    };
    let replaced = replace(ADA.own(), code).await;
    assert_status(&replaced, 200);
    assert_status(&replace(ADA.own(), code).await, 200);
    let unknown = "7H2K9-QX4MP";
    known.add("referral code", unknown);
    assert_status(&replace(ADA.own(), unknown).await, 409);
    for dead in [code, unknown] {
        let body = json!({"member_id": HANA.id, "mail": HANA.mail, "referral_code": dead});
        assert_status(&shop.send(By::Writer, "POST", ENROLL, &body).await, 422);
    }
    let code = replaced.body["code"].as_str().unwrap().to_owned();
    known.add("referral code", &code);
    code
}

/// Hana names Ada's code when she enrolls, Layla with her first order, and Grigori has Ada's device.
async fn friends(shop: &Shop, known: &mut Known, code: &str) {
    let written = code.to_lowercase().replace('0', "o").replace('-', " ");
    known.add("referral code", &written);
    join(shop, known, &HANA, Some(&written)).await;
    let named = order("o-layla", Some(LAYLA.id), 5_000, Some(&written), shop);
    assert!(shop.order(&named.to_string(), "c-1").await);
    join(shop, known, &LAYLA, None).await;
    let mut shares = GRIGORI.enrollment();
    shares["referral_code"] = json!(code);
    shares["signals"]["device"] = json!([GRIGORI.device, ADA.device]);
    assert_status(&shop.send(By::Writer, "POST", ENROLL, &shares).await, 201);
    assert_status(&activate(shop, &GRIGORI, &sent(shop)).await, 200);
    for (id, person) in [("o-hana", &HANA), ("o-grigori", &GRIGORI)] {
        let paid = order(id, Some(person.id), 3_000, None, shop).to_string();
        assert!(shop.order(&paid, "c-2").await);
    }
    shop.cloud.weather(Weather::Quoted);
    assert!(!shop.tell().await);
    shop.cloud.weather(Weather::Refused);
    assert!(!shop.tell().await);
    shop.cloud.weather(Weather::Fair);
    shop.settle().await;
    shop.pass((20 * 24).hours());
    for weather in [Weather::Quoted, Weather::Refused, Weather::Silent] {
        shop.cloud.weather(weather);
        assert!(!shop.work(r#"{"type":"due.plan"}"#).await);
    }
    shop.cloud.weather(Weather::Fair);
    shop.night().await;
    shop.settle().await;
    let refund = json!({
        "type": "order.refunded", "order_id": "o-hana", "refund_id": "1",
        "refunded_at": shop.now().to_string(), "amount_minor": 2_500,
    });
    assert!(shop.order(&refund.to_string(), "c-3").await);
    shop.settle().await;
    for by in [By::Staff, By::Reader] {
        let path = format!("/v1/members/{}/referrals", ADA.id);
        let seen = shop.ask(by, "GET", ("/v1/members/{id}/referrals", &path), |_| ()).await;
        assert_status(&seen, 200);
        let states: Vec<_> = seen.body["friends"].as_array().unwrap().iter().collect();
        assert_eq!(states.len(), 3, "{states:?}");
    }
}

/// A guest orders, and claims the order with what is wrong, and then right.
async fn guests(shop: &Shop, known: &mut Known) {
    for id in ["o-guest", "o-other"] {
        assert!(shop.order(&order(id, None, 4_000, None, shop).to_string(), "c-4").await);
        let path = format!("/v1/orders/{id}/contact");
        let contact = json!({"mail": GUEST_MAIL, "phone": GUEST_PHONE});
        let kept = shop.send(By::Writer, "PUT", ("/v1/orders/{order_id}/contact", &path), &contact);
        assert_status(&kept.await, 200);
    }
    let path = "/v1/orders/o-guest/claim-link";
    let route = ("/v1/orders/{order_id}/claim-link", path);
    let link = shop.send(By::Writer, "POST", route, &json!({})).await;
    let token = link.body["token"].as_str().unwrap().to_owned();
    known.add("claim token", &token);
    let claim = |by, body: Value| async move {
        shop.send(by, "POST", (OWN_ORDERS, OWN_ORDERS), &body).await
    };
    let wrong = format!("{token}x");
    for proof in [
        json!({"order_id": "o-guest", "mail": ADA.mail}),
        json!({"order_id": "o-guest", "phone": HANA.phone}),
        json!({"order_id": "o-guest", "token": wrong}),
        json!({"order_id": "o-other", "token": token}),
        json!({"order_id": "o-none", "mail": GUEST_MAIL}),
    ] {
        assert_status(&claim(HANA.own(), proof).await, 403);
    }
    for _ in 0..5 {
        claim(LAYLA.own(), json!({"order_id": "o-other", "mail": LAYLA.mail})).await;
    }
    let used_up = claim(LAYLA.own(), json!({"order_id": "o-other", "mail": GUEST_MAIL})).await;
    assert_status(&used_up, 403);
    let right = json!({"order_id": "o-guest", "mail": GUEST_MAIL.to_lowercase()});
    assert_status(&claim(LAYLA.own(), right.clone()).await, 200);
    assert_status(
        &claim(HANA.own(), json!({"order_id": "o-guest", "phone": GUEST_PHONE})).await,
        409,
    );
    shop.settle().await;
}

/// A body of each kind that no route takes, with something personal in every place.
fn mistaken() -> Vec<Value> {
    let mut bodies = Vec::new();
    let texts = WRONG.iter().map(|(_, text)| *text);
    for text in texts.chain([ADA.phone, ADA.mail, HANA.mail, HANA.names[0], LAYLA.address]) {
        let mut all = json!({});
        for field in [
            "member_id",
            "customer_id",
            "card",
            "phone",
            "mail",
            "language",
            "birthday",
            "referral_code",
            "source",
            "code",
            "channel",
            "status",
            "reason",
            "key",
            "kind",
            "value",
            "replaces",
            "order_id",
            "token",
            "expires_at",
            "version",
            "consents",
            "signals",
        ] {
            all[field] = json!(text);
            let nested = json!({ field: { text: text } });
            let listed = json!({ field: [text, text] });
            bodies.extend([nested, listed]);
            // An id is the shop's own word, and what it may be is said to the shop.
            if field != "member_id" {
                bodies.push(json!({ field: text }));
            }
        }
        bodies.extend([
            all,
            json!(text),
            json!([text]),
            json!({ text: text }),
            json!({"signals": {text: [text]}}),
            json!({"signals": {"phone": [text], "device": [[text]], "address": text}}),
            json!({"signals": {"address": [text, text, text, text, text]}}),
            json!({"consents": {text: {"granted": text}}}),
            json!({"consents": {"mail": {"granted": text, "at": text, "source": text, text: 1}}}),
            json!({"kind": "phone", "value": text}),
            json!({"kind": "mail", "value": text}),
            json!({"kind": "code", "value": text}),
        ]);
    }
    bodies
}

/// Every route that reads a body is asked with all that is wrong.
async fn wrong_bodies(shop: &Shop) {
    let bodies = mistaken();
    for route in ROUTES.iter().filter(|it| it.body != BodyKind::None) {
        for (body, index) in bodies.iter().zip(0_usize..) {
            // Half of them as text that is cut off, of another type, or in another encoding.
            let text = match index % 4 {
                0 => body.to_string().trim_end_matches(['}', ']']).to_owned(),
                _ => body.to_string(),
            };
            wrong_body(shop, route, &text, index).await;
        }
    }
}

async fn wrong_body(shop: &Shop, route: &Route, text: &str, index: usize) {
    let by = match (route.path.contains("/me/"), index % 2) {
        (true, _) => ADA.own(),
        (false, _) if route.path.contains("/orders/") => By::Writer,
        (false, 0) => By::Writer,
        (false, _) => By::Staff,
    };
    // Somebody whom nobody knows: what is right by chance changes nothing.
    let path = route.path.replace("{id}", "member-99999").replace("{order_id}", "o-wrong");
    shop.ask(by, route.method.as_str(), (route.path, &path), |event| {
        event["body"] = json!(text);
        if index.is_multiple_of(7) {
            event["headers"]["content-type"] = json!(text.escape_default().to_string());
        }
        if index.is_multiple_of(11) {
            event["isBase64Encoded"] = json!(true);
        }
    })
    .await;
}

/// Orders with wrong codes, and messages that are no orders.
async fn wrong_orders(shop: &Shop, known: &mut Known, code: &str) {
    for (text, number) in ["00000-0000G", "Ada Byron's code", ADA.mail, code].into_iter().zip(1..) {
        let id = format!("o-code-{number}");
        let paid = order(&id, Some(HANA.id), 100, Some(text), shop).to_string();
        assert!(shop.order(&paid, ADA.mail).await);
    }
    known.add("referral code", "Ada Byron's code");
    for text in [ADA.mail, ADA.phone, GRIGORI.mail, HANA.names[0], GUEST_PHONE] {
        for field in
            ["type", "order_id", "member_id", "currency", "paid_at", "referral_code", "lines"]
        {
            let mut body = order("o-wrong", None, 100, None, shop);
            body[field] = json!({ text: text });
            assert!(shop.order(&body.to_string(), "c-5").await);
            body[field] = json!(text);
            if field != "order_id" && field != "member_id" && field != "referral_code" {
                assert!(shop.order(&body.to_string(), text).await);
            }
        }
        assert!(shop.order(text, text).await);
    }
    for weather in [Weather::Quoted, Weather::Silent] {
        shop.cloud.weather(weather);
        assert!(!shop.order(&format!("{{\"phone\": \"{}\"}}", ADA.phone), "c-6").await);
    }
    shop.cloud.weather(Weather::Fair);
    for text in [ADA.mail, LAYLA.phone] {
        let body = json!({"type": "due.plan", "day": text}).to_string();
        let review = json!({"type": "referral.review", "member_id": text}).to_string();
        shop.from_outside.lock().unwrap().extend([body.clone(), review.clone()]);
        assert!(shop.work(&body).await);
        assert!(shop.referral(&review).await);
    }
    shop.settle().await;
}

async fn statuses(shop: &Shop) {
    let route = "/v1/members/{id}/status";
    let path = format!("/v1/members/{}/status", GRIGORI.id);
    for (number, by, status, expected) in [
        (1, By::Writer, "frozen", 200),
        (2, By::Writer, "active", 403),
        (3, By::Staff, "active", 200),
        (4, By::Staff, "closed", 200),
        (5, By::Staff, "active", 409),
    ] {
        let key = format!("case-{number}");
        let body = json!({"status": status, "reason": "looked-into", "key": key});
        assert_status(&shop.send(by, "POST", (route, &path), &body).await, expected);
    }
    assert!(activate(shop, &GRIGORI, "000000").await.status >= 400);
}

/// A request of each route that would be answered.
fn request(operation: Operation, code: &str) -> Value {
    match operation {
        Operation::Enroll => {
            let mut body = GRIGORI.enrollment();
            body["member_id"] = json!("member-18074");
            body["referral_code"] = json!(code);
            body
        }
        Operation::Lookup => json!({"kind": "mail", "value": ADA.mail}),
        Operation::Profile | Operation::Referrals => Value::Null,
        Operation::ChangeProfile => json!({"mail": "Ada.King@Ockham-Park.example"}),
        Operation::SendCode | Operation::MakeClaimLink => json!({}),
        Operation::Activate => json!({"code": "314159"}),
        Operation::SetStatus => json!({"status": "frozen", "reason": "r", "key": "k"}),
        Operation::ReplaceCode => json!({ "replaces": code }),
        Operation::KeepContact => json!({"mail": GUEST_MAIL, "phone": GUEST_PHONE}),
        Operation::Claim => json!({"order_id": "o-other", "mail": GUEST_MAIL}),
    }
}

/// Staff write about members, mistype, and do in no name what they may not; points go to who is no member.
async fn words_of_staff(shop: &Shop, known: &mut Known) {
    const WORDS: &str = "Spoke to Mrs Lovelace about Enchantress-of-Number.";
    known.add("words of staff", "Enchantress-of-Number");
    known.add("words of staff", WORDS);
    let (notes, of_ada) = ("/v1/members/{id}/notes", format!("/v1/members/{}/notes", ADA.id));
    let write = |by, key: &str, text: &str| {
        let (key, body) = (key.to_owned(), json!({ "text": text }).to_string());
        let at = (notes, of_ada.as_str());
        async move {
            let change = |event: &mut Value| {
                event["headers"]["idempotency-key"] = json!(key);
                event["body"] = json!(body);
            };
            shop.ask(by, "POST", at, change).await
        }
    };
    assert_status(&write(By::Person("p-7"), "k1", WORDS).await, 200);
    assert_status(&write(By::Person("p-7"), "k1", GRIGORI.address).await, 422);
    assert_status(&write(By::Person("p-7"), "k2", &WORDS.repeat(50)).await, 422);
    // A key stands in the ledger for ever.
    assert_status(&write(By::Person("p-7"), ADA.mail, WORDS).await, 400);
    let key = ADA.phone.replace(' ', "");
    assert_status(&write(By::Person("p-7"), &key, WORDS).await, 400);
    assert_status(&write(By::Person(HANA.mail), "k3", WORDS).await, 403);
    for fault in [Fault::Throttled, Fault::LostReply] {
        shop.staff.fails(Some(fault));
        assert_status(&write(By::Person("p-7"), "k4", WORDS).await, 503);
    }
    shop.staff.fails(None);
    let read = shop.ask(By::Staff, "GET", (notes, &of_ada), |_| ()).await;
    assert_status(&read, 200);
    assert!(read.body.to_string().contains("Enchantress-of-Number"), "{read:?}");

    let (adjustments, of_her) =
        ("/v1/members/{id}/adjustments", format!("/v1/members/{}/adjustments", ADA.id));
    for (key, reason, status) in [("k5", "goodwill", 200), ("k6", ADA.names[0], 422)] {
        let body = json!({"direction": "add", "points": 5, "reason": reason, "note": WORDS});
        let change = |event: &mut Value| {
            event["headers"]["idempotency-key"] = json!(key);
            event["body"] = json!(body.to_string());
        };
        let at = (adjustments, of_her.as_str());
        assert_status(&shop.ask(By::Person("p-7"), "POST", at, change).await, status);
    }

    let transfers = "/v1/members/me/transfers";
    for to in [HANA.mail, HANA.phone] {
        let body = json!({"to": to, "points": 1}).to_string();
        let change = |event: &mut Value| {
            event["headers"]["idempotency-key"] = json!("k1");
            event["body"] = json!(body);
        };
        let given = shop.ask(ADA.own(), "POST", (transfers, transfers), change).await;
        assert_status(&given, 422);
    }
    let (merge, of_ada) = ("/v1/members/{id}/merge", format!("/v1/members/{}/merge", ADA.id));
    for body in [json!({"into": HANA.mail, "reason": "same-person"}), json!({"reason": HANA.mail})]
    {
        let change = |event: &mut Value| {
            event["headers"]["idempotency-key"] = json!("k1");
            event["body"] = json!(body.to_string());
        };
        let merged = shop.ask(By::Person("p-7"), "POST", (merge, &of_ada), change).await;
        assert_status(&merged, 422);
    }
}

/// Every route and every function, with a store that does nothing or loses its reply.
async fn everything_fails(shop: &Shop, code: &str) {
    for fault in [Fault::Throttled, Fault::Conflict, Fault::LostReply] {
        for route in &ROUTES {
            let path = route.path.replace("{id}", ADA.id).replace("{order_id}", "o-other");
            let by = match (route.path.contains("/me/"), route.path.contains("/orders/")) {
                (true, _) => ADA.own(),
                (false, true) => By::Writer,
                (false, false) => By::Staff,
            };
            // From the first request on, or from one behind it.
            for first in 0..3 {
                let mut left = first;
                shop.persons.wire.disturb(move |_| {
                    if left == 0 {
                        return Some(fault);
                    }
                    left -= 1;
                    None
                });
                let body = request(route.operation, code).to_string();
                shop.ask(by, route.method.as_str(), (route.path, &path), |event| {
                    event["body"] = json!(body);
                })
                .await;
            }
        }
    }
    shop.persons.wire.disturb(|_| None);
    for fault in [Fault::Throttled, Fault::LostReply] {
        shop.lines().iter().for_each(|it| it.fails(Some(fault)));
        let paid = order("o-down", Some(HANA.id), 100, Some(code), shop).to_string();
        assert!(!shop.order(&paid, "c-7").await);
        let ruled = shop.ruled.lock().unwrap().clone();
        for body in [ruled.first().unwrap(), ruled.last().unwrap()] {
            assert!(!shop.referral(body).await);
        }
        assert!(!shop.work(r#"{"type":"due.plan"}"#).await);
        shop.lines().iter().for_each(|it| it.fails(None));
    }
}
