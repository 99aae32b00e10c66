//! What is asked about members, and what is shown of them: the only shapes of ours that hold personal data.
//!
//! Every type that does so hides it from `Debug`. There is deliberately no `Deserialize`: a body is read by
//! [`body`](mod@crate::body), which names every mistake.

use std::fmt;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use loyalty_domain::{
    code::ReferralCode,
    contact::{Birthday, Consent, ConsentChannel, Language, Mail, Phone},
    id::{ID_BYTES_MAX, MemberId, OrderId, ReasonCode, RequestKey},
};
#[cfg(feature = "schemas")]
use schemars::JsonSchema;
use serde::Serialize;

#[cfg(feature = "schemas")]
use crate::schema;
use crate::{
    body::{self, BodyError, Fields, Node, Patch, read},
    event::INSTANT,
    json::read_instant,
    order::AHEAD_MAX,
};

/// How many signs of one kind one request may name.
pub const SIGNALS_MAX: usize = 4;
/// How many digits an activation code has.
pub const ACTIVATION_DIGITS: usize = 6;
/// For how many days a link may prove whose order it is.
pub const CLAIM_LINK_DAYS_MAX: i32 = 90;
/// How long a token of such a link can be: the longest of ours is shorter.
const TOKEN_BYTES_MAX: usize = 1_024;

/// Hides personal data from `Debug`.
macro_rules! hidden {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}

hidden! {
    Enroll PatchProfile Signals PatchSignals ExternalId ActivationCode Activate Lookup GuestContact Claim Proof
    Profile ShownContact ClaimLink Referrals
}

/// A text that names something of somebody's: a customer's id, a card, a device, an address.
///
/// Invariant: 1 to [`ID_BYTES_MAX`] bytes, not blank, without control characters, without spaces around it.
#[derive(Clone, PartialEq, Eq)]
pub struct ExternalId(String);

impl ExternalId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let is_fine =
            (1..=ID_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
        if is_fine { Ok(Self(text.to_owned())) } else { Err(EXTERNAL_ID) }
    }
}

const EXTERNAL_ID: &str = "a text of 1 to 128 bytes, without control characters";

/// The signs by which two members may be taken for one person, as far as somebody knows them.
#[derive(Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Signals {
    /// Phone numbers, beside the member's own.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>, max_items = 4))]
    pub phone: Vec<Phone>,
    /// What pays, as its provider marks one card: never a card's number.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>, max_items = 4))]
    pub card: Vec<ExternalId>,
    /// Devices, as the shop marks them.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>, max_items = 4))]
    pub device: Vec<ExternalId>,
    /// Where goods go, as one text.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>, max_items = 4))]
    pub address: Vec<ExternalId>,
}

/// Somebody is enrolled.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Enroll {
    /// The shop's id of the member: never a mail address or a phone number. A member who enrolls by an own token
    /// may leave it out.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "17850"))]
    pub member_id: Option<MemberId>,
    /// The shop's id of the customer, if that is another one. Only a service or staff may say it.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 128))]
    pub customer_id: Option<ExternalId>,
    /// The number of the member's card. Only a service or staff may say it.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 128))]
    pub card: Option<ExternalId>,
    /// A phone number with the code of its country.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "+44 20 7946 0958"))]
    pub phone: Option<Phone>,
    /// A mail address.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "member@shop.example"))]
    pub mail: Option<Mail>,
    /// What the member reads, as a tag of BCP 47.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "en-GB"))]
    pub language: Option<Language>,
    /// The day of birth, with or without its year.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "--02-29"))]
    pub birthday: Option<Birthday>,
    /// What the member said to messages that advertise, by channel.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Consents>))]
    pub consents: Vec<Consent>,
    /// The code of whoever brought the member.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "7H2K9-QX4MP"))]
    pub referral_code: Option<ReferralCode>,
    /// Signs by which two members may be one person. Only a service or staff may say them.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Signals>))]
    pub signals: Signals,
    /// Where it happens, as the shop calls it.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "store-12"))]
    pub source: Option<ReasonCode>,
}

/// A member's profile is changed: what is not named stays, and `null` removes.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PatchProfile {
    /// The version that was read, if the change is to be refused once there is another. `if-match` says the same.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1))]
    pub version: Option<u64>,
    /// The shop's id of the customer. Only a service or staff may change it.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 128))]
    pub customer_id: Patch<ExternalId>,
    /// The number of the member's card. Only a service or staff may change it.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 128))]
    pub card: Patch<ExternalId>,
    /// A phone number with the code of its country.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "+44 20 7946 0958"))]
    pub phone: Patch<Phone>,
    /// A mail address.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "member@shop.example"))]
    pub mail: Patch<Mail>,
    /// What the member reads, as a tag of BCP 47.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "en-GB"))]
    pub language: Patch<Language>,
    /// The day of birth, with or without its year.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "1990-12-31"))]
    pub birthday: Patch<Birthday>,
    /// What the member said to messages that advertise, by channel. What is older than what is known changes
    /// nothing. A consent that ends is one that is not granted, never `null`: it must be known later that it ended.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Consents>))]
    pub consents: Vec<Consent>,
    /// Signs by which two members may be one person, each kind as a whole. Only a service or staff may change
    /// them.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Signals>))]
    pub signals: PatchSignals,
}

/// What becomes of the signs of each kind.
#[derive(Clone, PartialEq, Eq)]
pub struct PatchSignals {
    /// Phone numbers, beside the member's own.
    pub phone: Patch<Vec<Phone>>,
    /// What pays.
    pub card: Patch<Vec<ExternalId>>,
    /// Devices.
    pub device: Patch<Vec<ExternalId>>,
    /// Where goods go.
    pub address: Patch<Vec<ExternalId>>,
}

/// What a member said to messages that advertise, by channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Consents {
    /// By mail, on the internet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<ShownConsent>,
    /// By a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<ShownConsent>,
    /// By a short message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sms: Option<ShownConsent>,
    /// By the shop's app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub push: Option<ShownConsent>,
    /// By a letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post: Option<ShownConsent>,
}

/// What a member said, once, by one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ShownConsent {
    /// Whether messages may be sent.
    pub granted: bool,
    /// Since when.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// Where the member said it, as the shop calls it.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "checkout"))]
    pub source: ReasonCode,
}

impl Consents {
    /// `all`, by channel.
    pub fn of(all: &[Consent]) -> Self {
        let mut consents = Self::default();
        for Consent { channel, granted, at, source } in all {
            let place = match channel {
                ConsentChannel::Mail => &mut consents.mail,
                ConsentChannel::Phone => &mut consents.phone,
                ConsentChannel::Sms => &mut consents.sms,
                ConsentChannel::Push => &mut consents.push,
                ConsentChannel::Post => &mut consents.post,
            };
            *place = Some(ShownConsent { granted: *granted, at: *at, source: source.clone() });
        }
        consents
    }
}

/// A code that was sent to a member comes back.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Activate {
    /// The code.
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]{6}$"))]
    pub code: ActivationCode,
}

/// A code that is sent to a member: [`ACTIVATION_DIGITS`] digits of ASCII.
#[derive(Clone, PartialEq, Eq)]
pub struct ActivationCode(String);

impl ActivationCode {
    /// The code that `random` makes, which must be random: of all codes each is as likely, to one in 2^44.
    pub fn of_random(random: u64) -> Self {
        Self(format!("{:06}", random % 1_000_000))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        // People copy codes with a space in the middle.
        let digits: String = text.chars().filter(|it| !it.is_whitespace()).collect();
        let is_code =
            digits.len() == ACTIVATION_DIGITS && digits.bytes().all(|it| it.is_ascii_digit());
        if is_code { Ok(Self(digits)) } else { Err("6 digits, as text") }
    }
}

/// How a code is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ContactChannel {
    /// By mail.
    Mail,
    /// To the phone.
    Phone,
}

/// Another code is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SendCode {
    /// How. Without it: by mail, if there is an address, and otherwise to the phone.
    pub channel: Option<ContactChannel>,
}

/// A membership is stopped, goes on or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetStatus {
    /// What it is from now on.
    pub status: WantedStatus,
    /// Why, as a code.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "suspected-fraud"))]
    pub reason: ReasonCode,
    /// Under which the same caller repeats the request.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "case-4711"))]
    pub key: RequestKey,
}

/// What a membership can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum WantedStatus {
    /// It goes on.
    Active,
    /// It is stopped: points are earned and cannot be used.
    Frozen,
    /// It ends, for ever.
    Closed,
}

/// A member is looked for.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LookupBody {
    /// By what.
    pub kind: LookupKind,
    /// Its value.
    pub value: String,
}

/// By what a member is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LookupKind {
    /// The shop's id of the customer.
    Customer,
    /// The number of a card.
    Card,
    /// A phone number.
    Phone,
    /// A mail address.
    Mail,
    /// A referral code.
    Code,
}

/// By what a member is looked for, and its value.
#[derive(Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The shop's id of the customer.
    Customer(ExternalId),
    /// The number of a card.
    Card(ExternalId),
    /// A phone number.
    Phone(Phone),
    /// A mail address.
    Mail(Mail),
    /// A referral code.
    Code(ReferralCode),
}

/// A code for friends is replaced by a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplaceCode {
    /// The code that the member has. The same request again has the same answer.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "7H2K9-QX4MP"))]
    pub replaces: ReferralCode,
}

/// How a guest who ordered can be recognized.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GuestContact {
    /// The order's mail address.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub mail: Option<Mail>,
    /// The order's phone number.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub phone: Option<Phone>,
}

/// A link is to be made, by which whoever has it claims an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MakeClaimLink {
    /// Until when it is good: at most 90 days, and 30 if it is not said.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub expires_at: Option<Timestamp>,
}

/// A member claims an order that was placed as a guest.
#[derive(Clone, PartialEq, Eq)]
pub struct Claim {
    /// The order.
    pub order_id: OrderId,
    /// What proves it.
    pub proof: Proof,
}

/// What proves whose an order is.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// The mail address that it was placed with.
    Mail(Mail),
    /// The phone number that it was placed with.
    Phone(Phone),
    /// The token of its link.
    Token(String),
}

/// A member claims an order that was placed as a guest: by one of the three.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClaimBody {
    /// The order.
    #[cfg_attr(feature = "openapi", schema(example = "536365"))]
    pub order_id: String,
    /// The mail address that it was placed with.
    pub mail: Option<String>,
    /// The phone number that it was placed with.
    pub phone: Option<String>,
    /// The token of its link.
    pub token: Option<String>,
}

hidden! { LookupBody ClaimBody }

impl Enroll {
    /// Its fields.
    pub(crate) const FIELDS: [&'static str; 11] = [
        "member_id",
        "customer_id",
        "card",
        "phone",
        "mail",
        "language",
        "birthday",
        "consents",
        "referral_code",
        "signals",
        "source",
    ];

    /// The request in `body`, received at `received_at`.
    ///
    /// # Errors
    ///
    /// A [`BodyError`], which says nothing that was sent. Retrying cannot help.
    pub fn read(body: &[u8], received_at: Timestamp) -> Result<Self, BodyError> {
        read(body, &Self::FIELDS, |it| {
            let signals = it.value("signals", it.object(&SIGNAL_FIELDS));
            let signals = signals.as_ref().map(read_signals);
            let patch = |it: Patch<Vec<ExternalId>>| it.apply(None).unwrap_or_default();
            Some(Self {
                member_id: it.value("member_id", it.text(body::read_member_id)),
                customer_id: it.value("customer_id", it.text(ExternalId::read)),
                card: it.value("card", it.text(ExternalId::read)),
                phone: it.value("phone", it.text(|text| Phone::try_from(text))),
                mail: it.value("mail", it.text(|text| Mail::try_from(text))),
                language: it.value("language", it.text(|text| Language::try_from(text))),
                birthday: it.value("birthday", it.text(|text| birthday(text, received_at))),
                consents: read_consents(it, received_at),
                referral_code: it
                    .value("referral_code", it.text(|text| ReferralCode::try_from(text))),
                signals: signals.map_or_else(Signals::default, |it| Signals {
                    phone: it.phone.apply(None).unwrap_or_default(),
                    card: patch(it.card),
                    device: patch(it.device),
                    address: patch(it.address),
                }),
                source: it.value("source", it.text(|text| ReasonCode::try_from(text))),
            })
        })
    }

    /// The fields that are said and that only a service or staff may say.
    pub fn reserved(&self) -> Vec<&'static str> {
        let mut fields = Vec::new();
        fields.extend(self.customer_id.as_ref().map(|_| "customer_id"));
        fields.extend(self.card.as_ref().map(|_| "card"));
        fields.extend((self.signals != Signals::default()).then_some("signals"));
        fields
    }
}

impl PatchProfile {
    /// Its fields.
    pub(crate) const FIELDS: [&'static str; 9] = [
        "version",
        "customer_id",
        "card",
        "phone",
        "mail",
        "language",
        "birthday",
        "consents",
        "signals",
    ];

    /// The patch in `body`, received at `received_at`.
    ///
    /// # Errors
    ///
    /// A [`BodyError`], which says nothing that was sent. Retrying cannot help.
    pub fn read(body: &[u8], received_at: Timestamp) -> Result<Self, BodyError> {
        read(body, &Self::FIELDS, |it| {
            let signals = match it.patch("signals", it.object(&SIGNAL_FIELDS)) {
                Patch::Keep => PatchSignals::KEEP,
                Patch::Remove => PatchSignals::REMOVE,
                Patch::Set(fields) => read_signals(&fields),
            };
            Some(Self {
                version: it.value("version", it.number()),
                customer_id: it.patch("customer_id", it.text(ExternalId::read)),
                card: it.patch("card", it.text(ExternalId::read)),
                phone: it.patch("phone", it.text(|text| Phone::try_from(text))),
                mail: it.patch("mail", it.text(|text| Mail::try_from(text))),
                language: it.patch("language", it.text(|text| Language::try_from(text))),
                birthday: it.patch("birthday", it.text(|text| birthday(text, received_at))),
                consents: read_consents(it, received_at),
                signals,
            })
        })
    }

    /// The fields that are said and that only a service or staff may say.
    pub fn reserved(&self) -> Vec<&'static str> {
        let mut fields = Vec::new();
        fields.extend(self.customer_id.is_named().then_some("customer_id"));
        fields.extend(self.card.is_named().then_some("card"));
        fields.extend(self.signals.is_named().then_some("signals"));
        fields
    }
}

impl PatchSignals {
    const KEEP: Self =
        Self { phone: Patch::Keep, card: Patch::Keep, device: Patch::Keep, address: Patch::Keep };
    const REMOVE: Self = Self {
        phone: Patch::Remove,
        card: Patch::Remove,
        device: Patch::Remove,
        address: Patch::Remove,
    };

    /// Whether any kind is named.
    pub const fn is_named(&self) -> bool {
        self.phone.is_named()
            || self.card.is_named()
            || self.device.is_named()
            || self.address.is_named()
    }
}

impl Activate {
    /// The request in `body`.
    ///
    /// # Errors
    ///
    /// A [`BodyError`], which says nothing that was sent. Retrying cannot help.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        read(body, &["code"], |it| {
            let code = it.needed("code", "6 digits, as text", it.text(ActivationCode::read));
            Some(Self { code: code? })
        })
    }
}

impl SendCode {
    /// The request in `body`.
    ///
    /// # Errors
    ///
    /// A [`BodyError`], which says nothing that was sent. Retrying cannot help.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        read(body, &["channel"], |it| {
            let channel = |text: &str| match text {
                "mail" => Ok(ContactChannel::Mail),
                "phone" => Ok(ContactChannel::Phone),
                _ => Err("mail or phone"),
            };
            Some(Self { channel: it.value("channel", it.text(channel)) })
        })
    }
}

impl SetStatus {
    /// The request in `body`.
    ///
    /// # Errors
    ///
    /// A [`BodyError`], which says nothing that was sent. Retrying cannot help.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        const STATUS: &str = "active, frozen or closed";

        read(body, &["status", "reason", "key"], |it| {
            let status = |text: &str| match text {
                "active" => Ok(WantedStatus::Active),
                "frozen" => Ok(WantedStatus::Frozen),
                "closed" => Ok(WantedStatus::Closed),
                _ => Err(STATUS),
            };
            let status = it.needed("status", STATUS, it.text(status));
            let expected = "a code of why, such as suspected-fraud";
            let reason = it.needed("reason", expected, it.text(|text| ReasonCode::try_from(text)));
            let expected = "a text under which the request can be repeated";
            let key = it.needed("key", expected, it.text(|text| RequestKey::try_from(text)));
            Some(Self { status: status?, reason: reason?, key: key? })
        })
    }
}

impl Lookup {
    /// The request in `body`.
    ///
    /// # Errors
    ///
    /// A [`BodyError`], which says nothing that was sent. Retrying cannot help.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        const KIND: &str = "customer, card, phone, mail or code";

        read(body, &["kind", "value"], |it| {
            let kind = |text: &str| match text {
                "customer" => Ok(LookupKind::Customer),
                "card" => Ok(LookupKind::Card),
                "phone" => Ok(LookupKind::Phone),
                "mail" => Ok(LookupKind::Mail),
                "code" => Ok(LookupKind::Code),
                _ => Err(KIND),
            };
            let Some(kind) = it.needed("kind", KIND, it.text(kind)) else {
                // What it should be depends on its kind.
                return it.needed("value", "text", it.text(ExternalId::read)).map(Self::Customer);
            };
            let value = |text: &str| -> Result<Self, String> {
                let plain = ExternalId::read(text).map_err(ToOwned::to_owned);
                match kind {
                    LookupKind::Customer => plain.map(Self::Customer),
                    LookupKind::Card => plain.map(Self::Card),
                    LookupKind::Phone => named(Phone::try_from(text)).map(Self::Phone),
                    LookupKind::Mail => named(Mail::try_from(text)).map(Self::Mail),
                    LookupKind::Code => named(ReferralCode::try_from(text)).map(Self::Code),
                }
            };
            it.needed("value", "text", it.text(value))
        })
    }
}

impl ReplaceCode {
    /// The request in `body`.
    ///
    /// # Errors
    ///
    /// A [`BodyError`], which says nothing that was sent. Retrying cannot help.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        read(body, &["replaces"], |it| {
            let expected = "the code that the member has";
            let read = it.text(|text| ReferralCode::try_from(text));
            Some(Self { replaces: it.needed("replaces", expected, read)? })
        })
    }
}

impl GuestContact {
    /// The request in `body`.
    ///
    /// # Errors
    ///
    /// A [`BodyError`], which says nothing that was sent. Retrying cannot help.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        read(body, &["mail", "phone"], |it| {
            if [it.node("mail"), it.node("phone")]
                .iter()
                .all(|it| matches!(it, None | Some(Node::Null)))
            {
                it.wrong("mail", "there, or `phone`, or both");
            }
            Some(Self {
                mail: it.value("mail", it.text(|text| Mail::try_from(text))),
                phone: it.value("phone", it.text(|text| Phone::try_from(text))),
            })
        })
    }
}

impl MakeClaimLink {
    /// The request in `body`, received at `received_at`.
    ///
    /// # Errors
    ///
    /// A [`BodyError`], which says nothing that was sent. Retrying cannot help.
    pub fn read(body: &[u8], received_at: Timestamp) -> Result<Self, BodyError> {
        read(body, &["expires_at"], |it| {
            let last = received_at.checked_add((CLAIM_LINK_DAYS_MAX * 24).hours()).ok();
            let expires_at = |text: &str| match (read_instant(text), last) {
                (None, _) => Err(INSTANT),
                (Some(at), Some(last)) if at > received_at && at <= last => Ok(at),
                (Some(_), _) => Err("later than now, by at most 90 days"),
            };
            Some(Self { expires_at: it.value("expires_at", it.text(expires_at)) })
        })
    }
}

impl Claim {
    /// The request in `body`.
    ///
    /// # Errors
    ///
    /// A [`BodyError`], which says nothing that was sent. Retrying cannot help.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        read(body, &["order_id", "mail", "phone", "token"], |it| {
            let order_id = it.needed(
                "order_id",
                "the order's id, as its confirmation has it",
                it.text(|text| OrderId::try_from(text)),
            );
            let token = |text: &str| {
                let is_token = (1..=TOKEN_BYTES_MAX).contains(&text.len()) && text.is_ascii();
                if is_token { Ok(text.to_owned()) } else { Err("the token of a link") }
            };
            let proofs = [
                it.value("mail", it.text(|text| Mail::try_from(text))).map(Proof::Mail),
                it.value("phone", it.text(|text| Phone::try_from(text))).map(Proof::Phone),
                it.value("token", it.text(token)).map(Proof::Token),
            ];
            let named = ["mail", "phone", "token"]
                .iter()
                .filter(|name| !matches!(it.node(name), None | Some(Node::Null)));
            if named.count() != 1 {
                it.wrong("mail", "there, or `phone` or `token`, and only one of them");
            }
            let proof = proofs.into_iter().flatten().next();
            Some(Self { order_id: order_id?, proof: proof? })
        })
    }
}

fn named<T>(read: Result<T, impl fmt::Display>) -> Result<T, String> {
    read.map_err(|error| error.to_string())
}

const SIGNAL_FIELDS: [&str; 4] = ["phone", "card", "device", "address"];

fn read_signals(fields: &Fields<'_>) -> PatchSignals {
    let texts = |name| fields.patch(name, fields.texts(SIGNALS_MAX, ExternalId::read));
    let phones = fields.texts(SIGNALS_MAX, |text| Phone::try_from(text));
    PatchSignals {
        phone: fields.patch("phone", phones),
        card: texts("card"),
        device: texts("device"),
        address: texts("address"),
    }
}

fn read_consents(fields: &Fields<'_>, received_at: Timestamp) -> Vec<Consent> {
    let names = ConsentChannel::ALL.map(ConsentChannel::as_str);
    let Some(by_channel) = fields.value("consents", fields.object(&names)) else {
        return Vec::new();
    };
    let channels =
        ConsentChannel::ALL.into_iter().filter(|it| by_channel.node(it.as_str()).is_some());
    channels.filter_map(|it| read_consent(&by_channel, it, received_at)).collect()
}

fn read_consent(
    by_channel: &Fields<'_>,
    channel: ConsentChannel,
    received_at: Timestamp,
) -> Option<Consent> {
    let fields = by_channel.needed(
        channel.as_str(),
        "an object; a consent that ends is one that is not `granted`",
        by_channel.object(&["granted", "at", "source"]),
    )?;
    let at = |text: &str| {
        let at = read_instant(text).ok_or(INSTANT)?;
        if at < Timestamp::UNIX_EPOCH {
            Err("not before 1970")
        } else if at.duration_since(received_at) > AHEAD_MAX {
            Err("not more than five minutes ahead of our clock")
        } else {
            Ok(at)
        }
    };
    let source = "a code of where the member said it, such as checkout";
    let granted = fields.needed("granted", "true or false", fields.truth());
    let at = fields.needed("at", INSTANT, fields.text(at));
    let source = fields.needed("source", source, fields.text(|text| ReasonCode::try_from(text)));
    Some(Consent { channel, granted: granted?, at: at?, source: source? })
}

fn birthday(text: &str, received_at: Timestamp) -> Result<Birthday, String> {
    let birthday = named(Birthday::try_from(text))?;
    // Wherever on Earth it is tomorrow already.
    let latest: Option<Date> = TimeZone::UTC.to_datetime(received_at).date().tomorrow().ok();
    match latest {
        Some(latest) if birthday.is_after(latest) => {
            Err("a birthday is a day that there was".to_owned())
        }
        Some(_) | None => Ok(birthday),
    }
}

/// What is known of a member.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Profile {
    /// The shop's id of the member.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "17850"))]
    pub member_id: MemberId,
    /// `pending` until a code that was sent comes back, `active`, `frozen` or `closed`.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "active"))]
    pub status: &'static str,
    /// Since when the member is enrolled.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub enrolled_at: Timestamp,
    /// Since when the member is active; `null`: not yet.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub activated_at: Option<Timestamp>,
    /// Where the member was enrolled, as the shop calls it.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub source: Option<ReasonCode>,
    /// The phone number.
    pub phone: Option<ShownContact>,
    /// The mail address.
    pub mail: Option<ShownContact>,
    /// What the member reads.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "en-GB"))]
    pub language: Option<Language>,
    /// The day of birth, with or without its year.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "--02-29"))]
    pub birthday: Option<Birthday>,
    /// What the member said to messages that advertise.
    pub consents: Consents,
    /// By what the member can be looked up: the kinds. Values of `customer` and `card` are kept as keyed hashes only.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>, example = json!(["customer", "mail"])))]
    pub identities: Vec<&'static str>,
    /// The code that the member gives to friends.
    #[cfg_attr(feature = "openapi", schema(example = "7H2K9-QX4MP"))]
    pub referral_code: String,
    /// How often the profile was written.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub version: u64,
}

/// How a member is reached.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ShownContact {
    /// The number or address.
    #[cfg_attr(feature = "openapi", schema(example = "+442079460958"))]
    pub value: String,
    /// Whether a code that was sent there came back.
    pub is_verified: bool,
}

/// A code was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CodeSent {
    /// How.
    pub channel: ContactChannel,
    /// Until when it is good.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires_at: Timestamp,
}

/// What became of a member's status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StatusShown {
    /// The shop's id of the member.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "17850"))]
    pub member_id: MemberId,
    /// What the membership is.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "active"))]
    pub status: &'static str,
    /// When it became so.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
}

/// Who was looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Found {
    /// The shop's id of the member.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "17850"))]
    pub member_id: MemberId,
}

/// A member's code for friends.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Code {
    /// As the member reads it.
    #[cfg_attr(feature = "openapi", schema(example = "7H2K9-QX4MP"))]
    pub code: String,
    /// The link that has it; `null`: the shop has no such page.
    #[cfg_attr(feature = "openapi", schema(example = "https://shop.example/?ref=7H2K9QX4MP"))]
    pub link: Option<String>,
}

hidden! { Code }

/// Whom a member brought, and by whom they were brought.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Referrals {
    /// The code that the member gives to friends.
    #[cfg_attr(feature = "openapi", schema(example = "7H2K9-QX4MP"))]
    pub code: String,
    /// The link that has it; `null`: the shop has no such page.
    #[cfg_attr(feature = "openapi", schema(example = "https://shop.example/?ref=7H2K9QX4MP"))]
    pub link: Option<String>,
    /// What became of the member's own referral; `null`: nobody brought them.
    pub referred: Option<ReferralShown>,
    /// How many friends were rewarded, less those whose reward was taken back.
    pub rewarded: u32,
    /// Friends, by id.
    pub friends: Vec<FriendShown>,
    /// The cursor of the next page; `null`: this was the last one.
    pub next: Option<String>,
}

/// What became of a referral.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReferralShown {
    /// `pending` until an order is kept, `qualified`, `held` for staff, `rewarded`, `refused` or `revoked`.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "pending"))]
    pub state: &'static str,
    /// Why it is refused, as staff and services may know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A friend whom a member brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FriendShown {
    /// The friend's id, which services and staff may know.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub member_id: Option<MemberId>,
    /// When the friend named the code.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// What became of it.
    #[serde(flatten)]
    pub referral: ReferralShown,
}

/// A link by which whoever has it claims an order.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClaimLink {
    /// What proves it.
    pub token: String,
    /// Until when.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires_at: Timestamp,
}

/// That a guest's order can be claimed by contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContactKept {
    /// The order.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "536365"))]
    pub order_id: OrderId,
    /// By what it can be claimed.
    pub by: Vec<ContactChannel>,
}

/// That an order is the member's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Claimed {
    /// The order.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "536365"))]
    pub order_id: OrderId,
    /// The shop's id of the member.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "17850"))]
    pub member_id: MemberId,
    /// The points that it earned, available or on their way; what it has lost since is not in it.
    pub points: u64,
}

/// A code is to be sent to a member: an event for whoever sends mail and short messages.
///
/// The only event with personal data. It goes to the shop's bus and nowhere else, and is never logged; nor is it to
/// be archived or logged by whoever listens.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct ActivationRequested<'a> {
    /// The version of this shape.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::One"))]
    pub version: u32,
    /// The shop's id of the member.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub member_id: &'a MemberId,
    /// How.
    pub channel: ContactChannel,
    /// Where: a mail address, or a phone number of E.164 with its `+`.
    pub to: &'a str,
    /// What the member reads, as a tag of BCP 47; `null`: nobody knows.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<String>"))]
    pub language: Option<&'a Language>,
    /// The code. It ends the one before it.
    #[cfg_attr(feature = "schemas", schemars(regex(pattern = "^[0-9]{6}$")))]
    pub code: &'a str,
    /// Until when it is good: do not send it later.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::AnyInstant"))]
    pub expires_at: Timestamp,
}

impl ActivationRequested<'_> {
    /// What it is called, as `detail-type` of EventBridge's envelope.
    pub const NAME: &'static str = "member.activation_requested";
}

impl fmt::Debug for ActivationRequested<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActivationRequested").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn now() -> Timestamp {
        "2026-02-10T09:30:00Z".parse().unwrap()
    }

    /// Everything that an enrollment can say.
    fn enrollment() -> Value {
        json!({
            "member_id": "m1", "customer_id": " c-1 ", "card": "4711", "phone": "+44 20 7946 0958",
            "mail": "Member@Shop.example", "language": "en-gb", "birthday": "--02-29",
            "consents": {"mail": {"granted": true, "at": "2026-02-10T10:30:00+01:00", "source": "checkout"}},
            "referral_code": "oooo0-ooool", "source": "store-12",
            "signals": {"phone": ["+442079460958"], "card": ["f1"], "device": [], "address": null}
        })
    }

    #[test]
    fn nobody_is_enrolled_under_what_they_can_be_reached_by() {
        for id in ["member@shop.example", "+442079460958"] {
            let found = mistakes(enroll(&json!({"member_id": id})));

            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].1.contains("never a mail address"), "{found:?}");
            assert!(!found[0].1.contains(id), "{found:?}");
        }
    }

    fn enroll(body: &Value) -> Result<Enroll, BodyError> {
        Enroll::read(body.to_string().as_bytes(), now())
    }

    fn mistakes<T>(read: Result<T, BodyError>) -> Vec<(String, String)> {
        match read {
            Err(BodyError::Wrong(all)) => {
                all.into_iter().map(|it| (it.path, it.expected)).collect()
            }
            Err(BodyError::NotJson { .. }) => panic!("it is JSON"),
            Ok(_) => Vec::new(),
        }
    }

    fn places<T>(read: Result<T, BodyError>) -> Vec<String> {
        mistakes(read).into_iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn all_that_an_enrollment_says_is_read() {
        let read = enroll(&enrollment()).unwrap();

        assert_eq!(read.member_id.unwrap().as_str(), "m1");
        assert_eq!(read.customer_id.unwrap().as_str(), "c-1");
        assert_eq!(read.phone.as_ref().unwrap().as_str(), "+442079460958");
        assert_eq!(read.signals.phone, [read.phone.unwrap()]);
        assert_eq!(read.consents.len(), 1);
        assert_eq!(read.consents[0].at, now());
        assert_eq!(read.referral_code.unwrap().as_str(), "0000000001");
        let nothing = enroll(&json!({})).unwrap();
        assert!(nothing.reserved().is_empty());
        assert_eq!(enroll(&json!({"phone": null, "consents": null, "signals": null})), Ok(nothing));
    }

    #[test]
    fn every_mistake_is_named_with_its_place_and_nothing_of_what_was_sent() {
        let secret = "SECRET\nSECRET";
        let body = json!({
            "member_id": secret, "customer_id": secret, "card": 5, "phone": secret, "mail": secret,
            "language": secret, "birthday": secret, "referral_code": secret, "source": secret,
            "SECRET": 1,
            "consents": {"mail": {"granted": secret, "at": secret, "source": secret}, "sms": null, "fax": {}},
            "signals": {"phone": ["+442079460958", secret], "card": "SECRET", "device": [1], "address": [secret]}
        });

        let found = mistakes(enroll(&body));

        let paths: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "?",
                "signals.phone[1]",
                "signals.card",
                "signals.device[0]",
                "signals.address[0]",
                "member_id",
                "customer_id",
                "card",
                "phone",
                "mail",
                "language",
                "birthday",
                "consents.?",
                "consents.mail.granted",
                "consents.mail.at",
                "consents.mail.source",
                "consents.sms",
                "referral_code",
                "source",
            ]
        );
        for (path, expected) in &found {
            assert!(!path.contains("SECRET") && !expected.contains("SECRET"), "{path}: {expected}");
        }
        let text = format!("{:?}", enroll(&enrollment()));
        assert!(!text.contains("7946") && !text.contains("4711"), "{text}");
    }

    #[test]
    fn a_field_that_is_there_twice_is_a_mistake_wherever_it_is() {
        let twice = br#"{"phone": null, "phone": null, "consents": {"mail": null, "mail": null}}"#;

        let found = mistakes(Enroll::read(twice, now()));

        assert_eq!(found[0], ("phone".to_owned(), "once, not twice".to_owned()));
        assert!(found.contains(&("consents.mail".to_owned(), "once, not twice".to_owned())));
        for wrong in [json!([]), json!("a"), json!(1), Value::Null] {
            assert_eq!(
                mistakes(enroll(&wrong)),
                [(String::new(), "an object".to_owned())],
                "{wrong}"
            );
        }
        let many: Vec<Value> = vec![json!(1); 5];
        assert_eq!(places(enroll(&json!({"signals": {"card": many}}))), ["signals.card"]);
    }

    #[test]
    fn a_patch_keeps_removes_and_sets() {
        let read = |body: Value| PatchProfile::read(body.to_string().as_bytes(), now());
        let phone = |text: &str| Phone::try_from(text).unwrap();

        let nothing = read(json!({})).unwrap();
        let patch = read(json!({
            "version": 3, "phone": null, "mail": "a@b", "signals": {"phone": ["+442079460958"], "card": null}
        }))
        .unwrap();

        assert!(nothing.reserved().is_empty() && !nothing.phone.is_named());
        assert_eq!((patch.version, &patch.phone), (Some(3), &Patch::Remove));
        assert_eq!(patch.mail, Patch::Set(Mail::try_from("a@b").unwrap()));
        assert_eq!(patch.signals.phone, Patch::Set(vec![phone("+442079460958")]));
        assert_eq!((&patch.signals.card, &patch.signals.device), (&Patch::Remove, &Patch::Keep));
        assert_eq!(patch.reserved(), ["signals"]);
        assert_eq!(read(json!({"signals": null})).unwrap().signals.address, Patch::Remove);
        for wrong in [json!(0), json!(-1), json!(1.5), json!("1"), json!(1e30)] {
            assert_eq!(places(read(json!({ "version": wrong }))), ["version"]);
        }
        assert_eq!(places(read(json!({"member_id": "m2"}))), ["?"]);
    }

    #[test]
    fn a_birthday_is_not_to_come_and_a_consent_neither() {
        let on = |day: &str| places(enroll(&json!({ "birthday": day })));
        let at = |at: &str| {
            let mail = json!({"granted": false, "at": at, "source": "checkout"});
            places(enroll(&json!({"consents": {"mail": mail}})))
        };

        assert!(
            on("2026-02-11").is_empty() && on("2024-02-29").is_empty() && on("--12-31").is_empty()
        );
        for wrong in ["2026-02-12", "2025-02-29", "--02-30", "1899-12-31", "31.12.1990"] {
            assert_eq!(on(wrong), ["birthday"], "{wrong}");
        }
        assert!(at("2026-02-10T09:35:00Z").is_empty());
        for wrong in ["2026-02-10T09:35:01Z", "1969-12-31T23:59:59Z", "2026-02-10", "now"] {
            assert_eq!(at(wrong), ["consents.mail.at"], "{wrong}");
        }
    }

    #[test]
    fn an_activation_code_has_six_digits_of_which_each_is_likely() {
        let read = |code: Value| Activate::read(json!({ "code": code }).to_string().as_bytes());

        assert_eq!(read(json!("123 456")).unwrap().code.as_str(), "123456");
        assert_eq!(ActivationCode::of_random(1_000_007).as_str(), "000007");
        for wrong in [
            json!(123_456),
            json!("12345"),
            json!("1234567"),
            json!("12345a"),
            json!("１23456"),
            Value::Null,
        ] {
            assert_eq!(places(read(wrong)), ["code"]);
        }
        assert_eq!(places(Activate::read(b"{}")), ["code"]);
    }

    #[test]
    fn small_requests_say_what_they_need() {
        assert_eq!(SendCode::read(b"{}").unwrap().channel, None);
        assert_eq!(
            SendCode::read(br#"{"channel": "phone"}"#).unwrap().channel,
            Some(ContactChannel::Phone)
        );
        assert_eq!(places(SendCode::read(br#"{"channel": "fax"}"#)), ["channel"]);

        assert_eq!(places(SetStatus::read(b"{}")), ["status", "reason", "key"]);
        let status =
            SetStatus::read(br#"{"status": "frozen", "reason": "fraud", "key": "k1"}"#).unwrap();
        assert_eq!(status.status, WantedStatus::Frozen);
        assert_eq!(
            places(SetStatus::read(br#"{"status": "pending", "reason": "So sorry", "key": ""}"#))
                .len(),
            3
        );

        assert_eq!(places(ReplaceCode::read(br#"{"replaces": "7H2K9-QX4MU"}"#)), ["replaces"]);

        let lookup = |kind: &str, value: &str| {
            Lookup::read(json!({"kind": kind, "value": value}).to_string().as_bytes())
        };
        assert!(matches!(lookup("phone", "+44 20 7946 0958"), Ok(Lookup::Phone(_))));
        assert!(matches!(lookup("code", "7h2k9qx4mp"), Ok(Lookup::Code(_))));
        assert_eq!(places(lookup("phone", "020 7946 0958")), ["value"]);
        assert_eq!(places(lookup("name", "SECRET")), ["kind"]);
        assert_eq!(places(Lookup::read(b"{}")), ["kind", "value"]);

        assert_eq!(places(GuestContact::read(b"{}")), ["mail"]);
        assert!(GuestContact::read(br#"{"phone": "+442079460958"}"#).unwrap().mail.is_none());
    }

    #[test]
    fn a_claim_has_one_proof() {
        let read = |body: &str| Claim::read(body.as_bytes());

        let claim = read(r#"{"order_id": "o/1", "mail": "a@b"}"#).unwrap();
        assert_eq!((claim.order_id.as_str(), matches!(claim.proof, Proof::Mail(_))), ("o/1", true));
        let claim = read(r#"{"order_id": "o1", "token": "abc", "phone": null}"#).unwrap();
        assert!(claim.proof == Proof::Token("abc".to_owned()));
        assert_eq!(places(read(r#"{"order_id": "o1"}"#)), ["mail"]);
        assert_eq!(places(read(r#"{"order_id": "o1", "mail": "a@b", "token": "x"}"#)), ["mail"]);
        assert_eq!(places(read(r#"{"mail": "a"}"#)), ["order_id", "mail"]);
    }

    #[test]
    fn a_link_lasts_for_ninety_days_at_most() {
        let read = |at: &str| {
            MakeClaimLink::read(json!({ "expires_at": at }).to_string().as_bytes(), now())
        };

        assert_eq!(MakeClaimLink::read(b"{}", now()).unwrap().expires_at, None);
        assert!(read("2026-05-11T09:30:00Z").is_ok());
        for wrong in ["2026-05-11T09:30:01Z", "2026-02-10T09:30:00Z", "tomorrow"] {
            assert_eq!(places(read(wrong)), ["expires_at"]);
        }
    }
}
