//! Messages that were damaged at random: nothing panics, nothing personal comes back, and what is wrong is
//! where it is said to be.

use std::collections::BTreeMap;

use loyalty_contracts::{
    Event, EventError,
    balance::BalanceOpened,
    order::{OrderCancelled, OrderChanged, OrderPaid, OrderRefunded},
    parse,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{examples, fingerprint::leaves, received_at};

/// How many damaged messages are read.
const MESSAGES: usize = 20_000;

/// A name that stands in every message, none of whose parts stands in a text of ours.
const MARKER: &str = "QzxjvkwyPfhb";

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

/// The message with something personal in every text, and beside it.
fn marked(message: &Value) -> Value {
    match message {
        Value::String(text) if text.starts_with("order.") || text.len() == 3 => message.clone(),
        Value::String(text) if text.starts_with("20") || text.contains('.') => message.clone(),
        // What we made ourselves has nothing personal, and one form.
        Value::String(text)
            if text.len() == 32 && text.bytes().all(|it| it.is_ascii_hexdigit()) =>
        {
            message.clone()
        }
        Value::String(text) => Value::String(format!("{MARKER}{text}")),
        Value::Array(list) => list.iter().map(marked).collect(),
        Value::Object(map) => {
            let mut map: serde_json::Map<_, _> =
                map.iter().map(|(key, it)| (key.clone(), marked(it))).collect();
            map.insert(format!("{MARKER}@key"), Value::String(format!("{MARKER}@value")));
            Value::Object(map)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => message.clone(),
    }
}

const TOKENS: [&str; 34] = [
    "\"QzxjvkwyPfhb\"",
    "QzxjvkwyPfhb",
    "\"QzxjvkwyPfhb",
    "null",
    "true",
    "-1",
    "1.0",
    "1e3",
    "9223372036854775808",
    "99999999999999999999999999",
    "{",
    "}",
    "[",
    "]",
    "[[[[",
    "{}",
    "[]",
    ",",
    ":",
    "\"",
    "\\",
    "\\ud800",
    "\\u0000",
    "\n",
    "\0",
    "\u{feff}",
    "\u{202e}",
    "\"type\":",
    "\"detail\":",
    "\"lines\":[",
    "\"version\":2,",
    "\"amount_minor\":5,",
    "\"quantity\":\"QzxjvkwyPfhb\",",
    "\"QzxjvkwyPfhb\":{",
];

/// Gives a value of the message another one, or takes it out: JSON, and hardly an event.
fn distort(body: &mut Vec<u8>, random: &mut Random) {
    let mut message: Value = serde_json::from_slice(body).unwrap();
    let mut pointers = Vec::new();
    leaves(&message, "", &mut pointers);
    let pointer = &pointers[random.below(pointers.len())];
    // Mostly a value, and sometimes the list or object that it lies in.
    let pointer = match random.below(4) {
        0 => pointer.rsplit_once('/').unwrap().0,
        _ => pointer,
    };
    let values = [
        json!(null),
        json!(false),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!(""),
        json!(MARKER),
        json!(format!("{MARKER}\n")),
        json!(MARKER.repeat(20)),
        json!("2036-01-01T00:00:00Z"),
        json!("order.refunded"),
        json!([]),
        json!([MARKER]),
        json!({}),
        json!({ MARKER: MARKER }),
    ];
    match (random.below(4), pointer.rsplit_once('/')) {
        (0, Some((parent, key))) => {
            if let Some(Value::Object(map)) = message.pointer_mut(parent) {
                map.remove(key);
            }
        }
        _ => *message.pointer_mut(pointer).unwrap() = values[random.below(values.len())].clone(),
    }
    *body = message.to_string().into_bytes();
}

/// Damages `body` in one of the ways in which bodies are damaged.
fn damage(body: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    let at = random.below(body.len() + 1);
    let some = (at + 1 + random.below(24)).min(body.len());
    match random.below(8) {
        0 => {
            if let Some(byte) = body.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => drop(body.drain(at.min(some)..some)),
        2 => {
            let again = body[at.min(some)..some].to_vec();
            body.splice(at..at, again);
        }
        3 => body.truncate(at),
        4 => {
            let other = &others[random.below(others.len())];
            let from = random.below(other.len());
            let to = (from + random.below(200)).min(other.len());
            body.splice(at..at, other[from..to].iter().copied());
        }
        5 => damage_value(body, at, random),
        // At a place where a value or a key may stand it does more than within a text.
        6 => {
            let token = random.of(&TOKENS);
            let at =
                body[at..].iter().position(|it| b",:{[".contains(it)).map_or(at, |it| at + it + 1);
            body.splice(at..at, token.bytes());
        }
        _ => {
            let token = random.of(&TOKENS);
            body.splice(at..at, token.bytes());
        }
    }
}

/// Replaces the value after the next colon, which mostly leaves JSON of the wrong kind.
fn damage_value(body: &mut Vec<u8>, at: usize, random: &mut Random) {
    let Some(colon) = body[at..].iter().position(|it| *it == b':') else { return };
    let from = at + colon + 1;
    let length = body[from..].iter().position(|it| b",}]".contains(it)).unwrap_or(0);
    let token = random.of(&TOKENS);
    body.splice(from..from + length, token.bytes());
}

/// The examples with something personal in them.
fn messages() -> Vec<Vec<u8>> {
    let messages: Vec<Vec<u8>> = examples()
        .iter()
        .map(|(_, body)| marked(&serde_json::from_slice(body).unwrap()).to_string().into_bytes())
        .collect();
    for message in &messages {
        let request = parse(message, received_at());
        assert!(request.is_ok(), "{request:?} {}", String::from_utf8_lossy(message));
    }
    messages
}

/// One of the `messages`, damaged.
fn damaged(messages: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut body = messages[random.below(messages.len())].clone();
    if random.below(2) == 0 {
        distort(&mut body, random);
    } else {
        for _ in 0..=random.below(3) {
            damage(&mut body, messages, random);
        }
    }
    body
}

#[test]
fn no_damage_makes_the_reader_panic_or_say_anything_personal() {
    let messages = messages();
    let pieces: Vec<&str> =
        (0..=MARKER.len() - 4).filter_map(|start| MARKER.get(start..start + 4)).collect();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut outcomes: BTreeMap<&str, u32> = BTreeMap::new();

    for _ in 0..MESSAGES {
        let body = damaged(&messages, &mut random);
        let outcome = match parse(&body, received_at()) {
            Ok(_) => "accepted",
            Err(error) => {
                let said = format!("{error} {error:?}");
                let quoted = pieces.iter().find(|it| said.contains(**it));
                assert!(quoted.is_none(), "{said}\n{}", String::from_utf8_lossy(&body));
                error.name()
            }
        };
        *outcomes.entry(outcome).or_default() += 1;
    }

    // Damage that never gets past the first check would show nothing.
    for outcome in ["accepted", "malformed", "missing_field", "repeated_field", "invalid_id"] {
        assert!(outcomes.get(outcome).is_some_and(|it| *it > 10), "{outcomes:?}");
    }
}

/// Where a reader that notes its way stops, as we write it; nothing where it is the event itself.
fn noted_place(message: &Value, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Envelope<T> {
        #[serde(rename = "detail")]
        _detail: T,
    }

    fn place<T: DeserializeOwned>(body: &[u8], is_enveloped: bool) -> String {
        let mut json = serde_json::Deserializer::from_slice(body);
        let place = if is_enveloped {
            serde_path_to_error::deserialize::<_, Envelope<T>>(&mut json).err()
        } else {
            serde_path_to_error::deserialize::<_, T>(&mut json).err()
        };
        place.expect("it is wrong").path().to_string()
    }

    let (name, is_enveloped) = match message.get("detail-type") {
        Some(name) => (name, true),
        None => (&message["type"], false),
    };
    let read = match name.as_str().unwrap() {
        "order.paid" => place::<OrderPaid>,
        "order.changed" => place::<OrderChanged>,
        "order.cancelled" => place::<OrderCancelled>,
        "order.refunded" => place::<OrderRefunded>,
        "balance.opened" => place::<BalanceOpened>,
        other => panic!("{other}"),
    };
    let place = read(body, is_enveloped);
    let place = place.strip_prefix("detail").unwrap_or(&place);
    place.strip_prefix('.').unwrap_or(place).to_owned()
}

#[test]
fn what_is_wrong_is_where_a_reader_that_notes_its_way_stops() {
    let messages = messages();
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut outcomes: BTreeMap<(&str, bool), u32> = BTreeMap::new();

    for _ in 0..MESSAGES {
        let body = damaged(&messages, &mut random);
        let Err(error) = Event::read(&body) else { continue };
        // What is there twice or missing is named by its path; what notes its way says only in what.
        let (path, parent) = if let EventError::Malformed { path, .. } = &error {
            (path, path.as_str())
        } else if let EventError::MissingField { path } | EventError::RepeatedField { path } =
            &error
        {
            (path, path.rsplit_once('.').map_or("", |it| it.0))
        } else {
            continue;
        };
        // These are seen before an event is read.
        if ["type", "version", "detail", "detail-type"].contains(&path.as_str()) {
            continue;
        }
        // Text that is no text, where nobody looks.
        let Ok(message) = serde_json::from_slice(&body) else { continue };
        assert_eq!(
            parent,
            noted_place(&message, &body),
            "{error}\n{}",
            String::from_utf8_lossy(&body)
        );
        *outcomes.entry((error.name(), parent.contains('['))).or_default() += 1;
    }

    for outcome in ["malformed", "missing_field", "repeated_field"] {
        for is_in_a_list in [false, true] {
            assert!(outcomes.contains_key(&(outcome, is_in_a_list)), "{outcomes:?}");
        }
    }
}
