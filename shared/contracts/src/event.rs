//! From the bytes of a message to an event, and to what it asks of the domain.
//!
//! A message is read twice: first only for what kind of event it is, without storing anything, and
//! then into that event's own shape. Only if that fails is it walked again, to say where.

use std::fmt;

use jiff::{Span, Timestamp};
use loyalty_domain::{
    command::{Command, Correction, Request},
    id::CommandId,
    points::OutOfRange,
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::error::Category;

use crate::{
    balance::BalanceOpened,
    error::EventError,
    json::{self, Object},
    order::{OrderCancelled, OrderChanged, OrderPaid, OrderRefunded},
    place::{Step, steps_to},
};

/// How large a message may be: 1 MiB, the largest that a queue or bus delivers.
pub const BODY_BYTES_MAX: usize = 1_048_576;

/// The names of the events, in the order of [`Event`].
pub(crate) const NAMES: [&str; 5] =
    ["order.paid", "order.changed", "order.cancelled", "order.refunded", "balance.opened"];

/// The request that the message `body`, received at `received_at`, makes.
///
/// # Errors
///
/// An [`EventError`], which says nothing that stands in the message. Retrying cannot help.
///
/// # Examples
///
/// ```
/// let body = br#"{
///     "type": "order.cancelled",
///     "order_id": "1001",
///     "cancelled_at": "2026-06-30T15:30:00+02:00"
/// }"#;
/// let request = loyalty_contracts::parse(body, "2026-06-30T13:30:01Z".parse()?)?;
/// assert_eq!(request.id.to_string(), "O#1001#X");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn parse(body: &[u8], received_at: Timestamp) -> Result<Request, EventError> {
    Event::read(body)?.into_request(received_at)
}

/// What a shop says about an order, or about what a member brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was paid.
    Paid(OrderPaid),
    /// It was edited.
    Changed(OrderChanged),
    /// All that was left of it was cancelled.
    Cancelled(OrderCancelled),
    /// A part of it was refunded.
    Refunded(OrderRefunded),
    /// A member brings a balance from another system.
    Opened(BalanceOpened),
}

impl Event {
    /// The event in the message `body`: in the envelope of `EventBridge`, or bare with a `type`.
    ///
    /// # Errors
    ///
    /// An [`EventError`] up to [`EventError::Malformed`]. Retrying cannot help.
    pub fn read(body: &[u8]) -> Result<Self, EventError> {
        if body.len() > BODY_BYTES_MAX {
            return Err(EventError::TooLarge);
        }
        let text = std::str::from_utf8(body)
            .map_err(|error| EventError::NotUtf8 { valid_up_to: error.valid_up_to() })?;
        let (kind, form) = Head::read(text)?.kind_and_form()?;
        let message = Message { text, kind, form };
        match kind {
            Kind::Paid => message.read().map(Self::Paid),
            Kind::Changed => message.read().map(Self::Changed),
            Kind::Cancelled => message.read().map(Self::Cancelled),
            Kind::Refunded => message.read().map(Self::Refunded),
            Kind::Opened => message.read().map(Self::Opened),
        }
    }

    /// The event that makes `request`, unless none does.
    ///
    /// It is the shortest one: several discounts are one, and a price is the amount that it came to.
    pub fn of(request: &Request) -> Option<Self> {
        let at = request.at;
        match (&request.command, &request.id) {
            (Command::PayOrder(order), _) => Some(Self::Paid(OrderPaid::of(order))),
            (
                Command::CorrectOrder { correction, points, .. },
                CommandId::Refund(order, refund),
            ) => {
                let event = match correction {
                    Correction::Lines(lines) => OrderRefunded::of_lines(order, refund, at, lines),
                    Correction::Amount(it) => OrderRefunded::of_amount(order, refund, at, *it),
                    Correction::All | Correction::Content(_) => return None,
                };
                Some(Self::Refunded(OrderRefunded { points_returned: *points, ..event }))
            }
            (
                Command::CorrectOrder { correction: Correction::Content(content), .. },
                CommandId::Change(order, change),
            ) => Some(Self::Changed(OrderChanged::of(order, change, at, content))),
            (Command::CorrectOrder { .. }, CommandId::Cancel(order)) => {
                let order_id = order.clone().into();
                Some(Self::Cancelled(OrderCancelled { order_id, cancelled_at: at }))
            }
            (Command::OpenAccount { member_id, opening }, _) => {
                Some(Self::Opened(BalanceOpened::of(member_id, at, opening)))
            }
            (
                Command::CorrectOrder { .. }
                | Command::Spend { .. }
                | Command::GiveBack { .. }
                | Command::PostDue { .. }
                | Command::Extend { .. }
                | Command::Reinstate { .. }
                | Command::AddMeasure { .. }
                | Command::OverrideLevel { .. }
                | Command::LiftOverride { .. }
                | Command::Measure { .. }
                | Command::EndMeasuring
                | Command::Enroll { .. }
                | Command::Activate { .. }
                | Command::SetStatus { .. }
                | Command::SettleReferral { .. }
                | Command::ReviewReferral { .. }
                | Command::ClaimOrder { .. }
                | Command::Checkout { .. }
                | Command::Redemption { .. }
                | Command::Transfer { .. }
                | Command::Adjustment { .. }
                | Command::Merge { .. },
                _,
            ) => None,
        }
    }

    /// The same event so many days of 24 hours later, or earlier. Days that a balance names stand.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] if there is no such instant. Retrying cannot help.
    pub fn moved(mut self, days: i64) -> Result<Self, OutOfRange> {
        let at = match &mut self {
            Self::Paid(event) => &mut event.paid_at,
            Self::Changed(event) => &mut event.changed_at,
            Self::Cancelled(event) => &mut event.cancelled_at,
            Self::Refunded(event) => &mut event.refunded_at,
            Self::Opened(event) => &mut event.opened_at,
        };
        let hours = days.checked_mul(24).ok_or(OutOfRange)?;
        let hours = Span::new().try_hours(hours).map_err(|_| OutOfRange)?;
        *at = at.checked_add(hours).map_err(|_| OutOfRange)?;
        Ok(self)
    }

    /// The request that the event makes if it is received at `received_at`.
    ///
    /// # Errors
    ///
    /// An [`EventError`] from [`EventError::TooOld`] on. Retrying cannot help.
    pub fn into_request(self, received_at: Timestamp) -> Result<Request, EventError> {
        match self {
            Self::Paid(event) => event.into_request(received_at),
            Self::Changed(event) => event.into_request(received_at),
            Self::Cancelled(event) => event.into_request(received_at),
            Self::Refunded(event) => event.into_request(received_at),
            Self::Opened(event) => event.into_request(received_at),
        }
    }
}

/// Bare, with its `type`.
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Bare<'a, T> {
            r#type: &'static str,
            #[serde(flatten)]
            event: &'a T,
        }

        let [paid, changed, cancelled, refunded, opened] = NAMES;
        match self {
            Self::Paid(event) => Bare { r#type: paid, event }.serialize(serializer),
            Self::Changed(event) => Bare { r#type: changed, event }.serialize(serializer),
            Self::Cancelled(event) => Bare { r#type: cancelled, event }.serialize(serializer),
            Self::Refunded(event) => Bare { r#type: refunded, event }.serialize(serializer),
            Self::Opened(event) => Bare { r#type: opened, event }.serialize(serializer),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Paid,
    Changed,
    Cancelled,
    Refunded,
    Opened,
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        let all = [Self::Paid, Self::Changed, Self::Cancelled, Self::Refunded, Self::Opened];
        NAMES.into_iter().zip(all).find(|(it, _)| *it == name).map(|(_, kind)| kind)
    }
}

/// How an event lies in its message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Under `detail`, beside its `detail-type`.
    Enveloped,
    /// It is the message, with a `type`.
    Bare,
}

/// A message of which is known what it should be.
struct Message<'a> {
    text: &'a str,
    kind: Kind,
    form: Form,
}

/// The envelope, as far as it is read.
#[derive(Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
struct Envelope<T> {
    #[serde(deserialize_with = "json::object")]
    detail: T,
}

impl Message<'_> {
    fn read<T: DeserializeOwned>(&self) -> Result<T, EventError> {
        let mut json = serde_json::Deserializer::from_str(self.text);
        let read = match self.form {
            Form::Enveloped => {
                Object::<Envelope<T>>::new().deserialize(&mut json).map(|it| it.detail)
            }
            Form::Bare => Object::new().deserialize(&mut json),
        };
        read.map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &serde_json::Error) -> EventError {
        let (line, column) = (error.line(), error.column());
        if error.classify() != Category::Data {
            return EventError::NotJson { line, column };
        }
        // These two texts begin with the name of one of our fields; others may quote the message.
        let text = error.to_string();
        let named = |prefix| {
            let (name, _) = text.strip_prefix(prefix)?.split_once('`')?;
            field(name).map(|it| it.name)
        };
        let mut steps = steps_to(self.text, line, column);
        if let Some(name) = named("missing field `") {
            // That of an object is noticed behind the last one that it has.
            steps.pop();
            let mut path = Path::of(&steps);
            path.push_name(name);
            return EventError::MissingField { path: path.text };
        }
        let path = Path::of(&steps);
        if named("duplicate field `").is_some() {
            EventError::RepeatedField { path: path.text }
        } else {
            let expected = path.expected(self.kind);
            let path = if path.text.is_empty() { "detail".to_owned() } else { path.text };
            EventError::Malformed { path, expected, line, column }
        }
    }
}

/// The place of a field within an event, whether or not in an envelope.
#[derive(Default)]
struct Path {
    text: String,
    last: Option<&'static Field>,
    is_element: bool,
}

impl Path {
    fn of(steps: &[Step<'_>]) -> Self {
        let mut path = Self::default();
        for step in steps {
            path.push(*step);
        }
        path
    }

    fn push(&mut self, step: Step<'_>) {
        match step {
            Step::Element(index) => {
                self.text.push('[');
                self.text.push_str(&index.to_string());
                self.text.push(']');
                self.is_element = true;
            }
            Step::Field(key) => {
                match serde_json::from_str::<String>(key).ok().as_deref().and_then(field) {
                    Some(field) if field.name == "detail" => (),
                    Some(field) => {
                        self.push_name(field.name);
                        self.last = Some(field);
                        self.is_element = false;
                    }
                    // A key that is not ours may be personal.
                    None => self.push_name("?"),
                }
            }
        }
    }

    fn push_name(&mut self, name: &str) {
        if !self.text.is_empty() {
            self.text.push('.');
        }
        self.text.push_str(name);
    }

    fn expected(&self, kind: Kind) -> &'static str {
        match self.last {
            Some(field) if field.name == "quantity" && kind == Kind::Refunded => {
                "a whole number from 0 to 4294967295"
            }
            Some(field) if !self.is_element => field.expected,
            Some(_) | None => "an object",
        }
    }
}

/// A field as it is named to others.
struct Field {
    name: &'static str,
    expected: &'static str,
}

/// The field of this name, if any event has one.
fn field(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|it| it.name == name)
}

const TEXT: &str = "text";
const AMOUNT: &str = "a whole number of minor units from 0 to 9223372036854775807, without point, exponent or quotes";
const POINTS: &str =
    "a whole number of points from 0 to 9223372036854775807, without point, exponent or quotes";
const DAY: &str = "a day such as \"2026-01-31\"";
pub(crate) const INSTANT: &str =
    "a date and time of RFC 3339 with its offset, such as \"2026-01-31T12:00:00+01:00\"";

const FIELDS: [Field; 43] = [
    Field { name: "amount_minor", expected: AMOUNT },
    Field { name: "available_at", expected: INSTANT },
    Field { name: "cancelled_at", expected: INSTANT },
    Field { name: "category", expected: TEXT },
    Field { name: "change_id", expected: TEXT },
    Field { name: "changed_at", expected: INSTANT },
    Field { name: "channel", expected: TEXT },
    Field { name: "code", expected: TEXT },
    Field { name: "currency", expected: TEXT },
    Field { name: "debt", expected: POINTS },
    Field { name: "detail", expected: "an object" },
    Field { name: "discounts", expected: "a list" },
    Field { name: "earlier", expected: "an object" },
    Field { name: "gift_card", expected: "true or false" },
    Field { name: "id", expected: TEXT },
    Field { name: "level", expected: TEXT },
    Field { name: "lines", expected: "a list" },
    Field { name: "lots", expected: "a list" },
    Field { name: "member_id", expected: TEXT },
    Field { name: "month", expected: "a month such as \"2026-01\"" },
    Field { name: "months", expected: "a list" },
    Field { name: "opened_at", expected: INSTANT },
    Field { name: "order_id", expected: TEXT },
    Field { name: "orders", expected: "a whole number from 0 to 4294967295" },
    Field { name: "paid_at", expected: INSTANT },
    Field { name: "paid_with_points_minor", expected: AMOUNT },
    Field { name: "pending", expected: "a list" },
    Field { name: "points", expected: POINTS },
    Field { name: "points_hold_id", expected: TEXT },
    Field { name: "points_returned", expected: POINTS },
    Field { name: "quantity", expected: "a whole number from 1 to 4294967295" },
    Field { name: "referral_code", expected: TEXT },
    Field { name: "refund_id", expected: TEXT },
    Field { name: "refunded_at", expected: INSTANT },
    Field { name: "shipping_minor", expected: AMOUNT },
    Field { name: "sku", expected: TEXT },
    Field { name: "spend_minor", expected: AMOUNT },
    Field { name: "tax_minor", expected: AMOUNT },
    Field { name: "tier", expected: "an object" },
    Field {
        name: "unit_price_minor",
        expected: "a decimal of minor units as text, such as \"165.5\"",
    },
    Field { name: "usable_through", expected: DAY },
    Field { name: "valid_through", expected: DAY },
    Field { name: "version", expected: "the whole number 1" },
];

/// What is read of a message before it is known what it is.
#[derive(Default)]
struct Head {
    detail_type: Seen<Scalar>,
    kind: Seen<Scalar>,
    version: Seen<Scalar>,
    detail: Seen<DetailHead>,
}

/// What is read of an event in an envelope before it is known what it is.
#[derive(Default)]
struct DetailHead {
    version: Seen<Scalar>,
}

/// The first value of a field, and whether there was another.
struct Seen<T> {
    first: Option<T>,
    is_repeated: bool,
}

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self { first: None, is_repeated: false }
    }
}

impl<T> Seen<T> {
    fn see(&mut self, value: T) {
        if self.first.is_some() {
            self.is_repeated = true;
        } else {
            self.first = Some(value);
        }
    }
}

/// A value, as far as it can say what an event is.
enum Scalar {
    Null,
    Name(Option<Kind>),
    Integer(u64),
    Other,
}

impl Head {
    fn read(text: &str) -> Result<Self, EventError> {
        let not_json = |error: &serde_json::Error| EventError::NotJson {
            line: error.line(),
            column: error.column(),
        };
        let mut json = serde_json::Deserializer::from_str(text);
        match json.deserialize_map(HeadVisitor).and_then(|head| json.end().map(|()| head)) {
            Ok(head) => Ok(head),
            // It is no object, but whether it is JSON is not known until its end.
            Err(error) if error.classify() == Category::Data => {
                match serde_json::from_str::<IgnoredAny>(text) {
                    Ok(_) => Err(EventError::NotAnEvent),
                    Err(error) => Err(not_json(&error)),
                }
            }
            Err(error) => Err(not_json(&error)),
        }
    }

    fn kind_and_form(self) -> Result<(Kind, Form), EventError> {
        let (name, form) = match (self.detail_type.first, self.kind.first) {
            (Some(Scalar::Name(name)), _) => (name, Form::Enveloped),
            (None, Some(Scalar::Name(name))) => (name, Form::Bare),
            _ => return Err(EventError::NotAnEvent),
        };
        let kind = name.ok_or(EventError::UnknownEvent)?;
        let detail = self.detail.first.unwrap_or_default();
        let (version, repeated) = match form {
            Form::Enveloped => (
                detail.version,
                [
                    ("detail-type", self.detail_type.is_repeated),
                    ("detail", self.detail.is_repeated),
                ],
            ),
            Form::Bare => (self.version, [("type", self.kind.is_repeated), ("", false)]),
        };
        match version.first {
            None | Some(Scalar::Null | Scalar::Integer(1)) => (),
            Some(Scalar::Name(_) | Scalar::Integer(_) | Scalar::Other) => {
                return Err(EventError::UnknownVersion);
            }
        }
        for (name, is_repeated) in repeated.into_iter().chain([("version", version.is_repeated)]) {
            if is_repeated {
                return Err(EventError::RepeatedField { path: name.to_owned() });
            }
        }
        Ok((kind, form))
    }
}

/// The keys that say what an event is.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "kebab-case")]
enum Key {
    DetailType,
    Type,
    Version,
    Detail,
    #[serde(other)]
    Other,
}

struct HeadVisitor;

impl<'de> Visitor<'de> for HeadVisitor {
    type Value = Head;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Head, A::Error> {
        let mut head = Head::default();
        while let Some(key) = map.next_key()? {
            match key {
                Key::DetailType => head.detail_type.see(map.next_value()?),
                Key::Type => head.kind.see(map.next_value()?),
                Key::Version => head.version.see(map.next_value()?),
                Key::Detail => head.detail.see(map.next_value()?),
                Key::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(head)
    }
}

impl<'de> Deserialize<'de> for DetailHead {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor).map(|(_, detail)| detail)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor).map(|(scalar, _)| scalar)
    }
}

/// Takes every value, so that what is wrong with it is said by whoever reads it next.
struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = (Scalar, DetailHead);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok((Scalar::Name(Kind::named(text)), DetailHead::default()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok((Scalar::Integer(number), DetailHead::default()))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok((Scalar::Null, DetailHead::default()))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok((Scalar::Other, DetailHead::default()))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok((Scalar::Other, DetailHead::default()))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok((Scalar::Other, DetailHead::default()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok((Scalar::Other, DetailHead::default()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut detail = DetailHead::default();
        while let Some(key) = map.next_key()? {
            match key {
                Key::Version => detail.version.see(map.next_value()?),
                Key::DetailType | Key::Type | Key::Detail | Key::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok((Scalar::Other, detail))
    }
}
