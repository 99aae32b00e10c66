//! Names that others gave to things, and the natural ids under which effects are kept for ever.

use compact_str::CompactString;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A text is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Nothing, or nothing but spaces.
    #[error("{kind} must not be empty")]
    Empty {
        /// Which kind of id it should have been; never what it was, which may be personal.
        kind: &'static str,
    },
    /// Longer than a key can hold.
    #[error("{kind} must have at most {} bytes", ID_BYTES_MAX)]
    TooLong {
        /// Which kind of id it should have been.
        kind: &'static str,
    },
    /// A line break, a tab or another control character.
    #[error("{kind} must not contain control characters")]
    ControlCharacter {
        /// Which kind of id it should have been.
        kind: &'static str,
    },
}

/// How long an id may be: a client's, a member's and a request key together, every byte of them escaped,
/// still fit a partition key of 2,048 bytes, and a refund's alone a sort key of 1,024.
pub const ID_BYTES_MAX: usize = 128;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $kind:literal;)*) => {$(
        $(#[$doc])*
        ///
        /// Invariant: 1 to [`ID_BYTES_MAX`] bytes, compared byte for byte, not blank, without
        /// control characters.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "CompactString", into = "CompactString")]
        pub struct $name(CompactString);

        impl $name {
            /// The text of the id.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<&str> for $name {
            type Error = InvalidId;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                check(text, $kind).map(|()| Self(text.into()))
            }
        }

        impl TryFrom<CompactString> for $name {
            type Error = InvalidId;

            fn try_from(text: CompactString) -> Result<Self, Self::Error> {
                check(&text, $kind).map(|()| Self(text))
            }
        }

        impl From<$name> for CompactString {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(self.0.as_str(), f)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }
    )*};
}

ids! {
    /// The shop's id of a member. Opaque to us: never a mail address or a phone number.
    MemberId, "a member id";
    /// The shop's id of an order. Orders are global: no two members share one.
    OrderId, "an order id";
    /// The shop's id of a refund, unique within its order.
    RefundId, "a refund id";
    /// The shop's id of a change of an order, unique within its order.
    ChangeId, "a change id";
    /// The shop's id of an order's line, unique within its order.
    LineId, "a line id";
    /// A stock keeping unit.
    Sku, "an SKU";
    /// A category of goods.
    Category, "a category";
    /// Where an order was placed: online, store, app, ….
    Channel, "a channel";
    /// The id of a level of the program.
    LevelId, "a level id";
    /// The client, or caller, that keeps a request key of its own.
    ClientId, "a client id";
    /// The shop's id of an activity that counts for the growth value, unique within its member's.
    ActivityId, "an activity id";
    /// A task that members may do once, as the program calls it.
    TaskId, "a task id";
    /// A key under which a caller repeats one request.
    RequestKey, "a request key";
    /// A reward of the catalogue, as the shop calls it.
    RewardId, "a reward id";
}

/// A shop's code of why staff did something, such as `goodwill`.
///
/// Invariant: 1 to [`ReasonCode::BYTES_MAX`] lower-case letters of ASCII, digits, `_` and `-`. There is
/// deliberately no room for a sentence: it could name a person, and the ledger has no personal data.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "CompactString", into = "CompactString")]
pub struct ReasonCode(CompactString);

/// A text is no reason's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a reason has 1 to {} lower-case letters, digits, `_` and `-`", ReasonCode::BYTES_MAX)]
pub struct InvalidReasonCode;

impl ReasonCode {
    /// How long it may be.
    pub const BYTES_MAX: usize = 64;

    /// The text of the code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for ReasonCode {
    type Error = InvalidReasonCode;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let is_plain =
            |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"_-".contains(&it);
        let is_code = (1..=Self::BYTES_MAX).contains(&text.len()) && text.bytes().all(is_plain);
        if is_code { Ok(Self(text.into())) } else { Err(InvalidReasonCode) }
    }
}

impl TryFrom<CompactString> for ReasonCode {
    type Error = InvalidReasonCode;

    fn try_from(text: CompactString) -> Result<Self, Self::Error> {
        text.as_str().try_into()
    }
}

impl From<ReasonCode> for CompactString {
    fn from(code: ReasonCode) -> Self {
        code.0
    }
}

fn check(text: &str, kind: &'static str) -> Result<(), InvalidId> {
    if text.trim().is_empty() {
        Err(InvalidId::Empty { kind })
    } else if text.len() > ID_BYTES_MAX {
        Err(InvalidId::TooLong { kind })
    } else if text.chars().any(char::is_control) {
        Err(InvalidId::ControlCharacter { kind })
    } else {
        Ok(())
    }
}

/// The natural id of an effect, made from the business fact and never from a delivery.
///
/// Kept for ever: the same fact, told again at any distance in time, has the same id. Its text form
/// ([`Display`](std::fmt::Display)) escapes `#` and `%`, so that no two ids share a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CommandId {
    /// An order was paid.
    Order(OrderId),
    /// A part of an order was refunded.
    Refund(OrderId, RefundId),
    /// An order was edited.
    Change(OrderId, ChangeId),
    /// All that was left of an order was cancelled; this happens once to an order.
    Cancel(OrderId),
    /// What a caller asked for under a key of its own, apart by client, member and operation.
    Request {
        /// Who asks.
        client: ClientId,
        /// For whom.
        member: MemberId,
        /// What for, as the command names it.
        operation: Operation,
        /// The caller's key.
        key: RequestKey,
    },
    /// What fell due for a member up to the first instant of a day.
    Due(MemberId, Date),
    /// What a member brought from another system; this happens once to a member.
    Opening(MemberId),
    /// An activity of a member counted.
    Activity(MemberId, ActivityId),
    /// A member did a task, which happens once.
    Task(MemberId, TaskId),
    /// A member was measured by a new version of the program, which happens once to each.
    Measured(MemberId, u32),
    /// All members were found, to be measured by a new version of the program.
    Version(u32),
    /// A member joined, which happens once.
    Enrollment(MemberId),
    /// A member showed that they can be reached, which happens once.
    Activation(MemberId),
    /// What became of a friend's referral, which happens once to a friend.
    Referral(MemberId),
    /// What whoever brought this friend got for it.
    ReferralReward(MemberId),
    /// That it was taken back.
    ReferralRevoked(MemberId),
    /// An order that a guest had paid became a member's; this happens once to an order.
    Claim(OrderId),
    /// A member took a reward.
    Redemption(MemberId, RedemptionId),
    /// A redemption went on, which each step does once.
    RedemptionStep(MemberId, RedemptionId, RedemptionStep),
    /// The other side of a command that is about two members.
    Counterpart(MemberId, PairId),
}

/// How a redemption goes on after it was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedemptionStep {
    /// What was redeemed was handed over.
    Fulfill,
    /// It will not be handed over; its points come back.
    Cancel,
    /// It was handed over and came back; so do its points.
    Refund,
}

impl RedemptionStep {
    /// The letter that stands in ids.
    const fn letter(self) -> char {
        match self {
            Self::Fulfill => 'F',
            Self::Cancel => 'X',
            Self::Refund => 'R',
        }
    }
}

macro_rules! derived_ids {
    ($($(#[$doc:meta])* $name:ident, $kind:literal;)*) => {$(
        $(#[$doc])*
        ///
        /// Made from the natural id of the request that it began with, so that whoever repeats the request finds
        /// the same; 32 hexadecimal digits.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 16]);

        impl $name {
            /// The id of what the request called `id` began.
            pub fn of(id: &CommandId) -> Self {
                let mut half = [0; 16];
                let digest = Sha256::digest(id.to_string());
                half.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
                Self(half)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{self}")
            }
        }

        impl TryFrom<&str> for $name {
            type Error = InvalidDerivedId;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                let is_plain = |it: u8| it.is_ascii_digit() || (b'a'..=b'f').contains(&it);
                if text.len() != 32 || !text.bytes().all(is_plain) {
                    return Err(InvalidDerivedId { kind: $kind });
                }
                let number = u128::from_str_radix(text, 16);
                number.map(|it| Self(it.to_be_bytes())).map_err(|_| InvalidDerivedId { kind: $kind })
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidDerivedId;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.as_str().try_into()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    )*};
}

derived_ids! {
    /// Points that are held for a checkout.
    HoldId, "a hold's id";
    /// A reward that a member took.
    RedemptionId, "a redemption's id";
    /// A command that is about two members, and has an entry for each.
    PairId, "a pair's id";
    /// An adjustment that waits for a second person.
    AdjustmentId, "an adjustment's id";
    /// A text of staff about a member, which is kept with what is personal. The ledger knows this id alone.
    NoteId, "a note's id";
}

impl NoteId {
    /// The id of the note that `client` keeps of a member under `key`. It is no command: nothing of an account
    /// changes by it.
    pub fn of_request(client: &ClientId, member_id: &MemberId, key: &RequestKey) -> Self {
        let [client, member, key] =
            [client.as_str(), member_id.as_str(), key.as_str()].map(Escaped);
        let digest = Sha256::digest(format!("note#{client}#{member}#{key}"));
        let mut half = [0; 16];
        half.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self(half)
    }
}

/// A text is no id that was made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} has 32 hexadecimal digits, in lower case")]
pub struct InvalidDerivedId {
    /// Which kind of id it should have been.
    kind: &'static str,
}

/// What a caller's request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Uses points.
    Spend,
    /// Gives used points back.
    GiveBack,
    /// Lets points last longer.
    Extend,
    /// Brings expired points back.
    Reinstate,
    /// Sets a level.
    OverrideLevel,
    /// Lifts a level that was set.
    LiftOverride,
    /// Stops a member, lets them go on, or ends their membership.
    SetStatus,
    /// Decides about a referral that waits for staff.
    ReviewReferral,
    /// Holds points for a checkout.
    Hold,
    /// Uses points that are held.
    Capture,
    /// Lets points go that are held.
    Release,
    /// Takes a reward.
    Redeem,
    /// Gives points to another member.
    Transfer,
    /// Adds points or takes them off.
    Adjust,
    /// Decides about an adjustment that waits for a second person.
    ReviewAdjustment,
    /// Makes two members one.
    Merge,
    /// Makes them two again.
    UndoMerge,
}

impl Operation {
    /// The word that stands in ids.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spend => "spend",
            Self::GiveBack => "give_back",
            Self::Extend => "extend",
            Self::Reinstate => "reinstate",
            Self::OverrideLevel => "override_level",
            Self::LiftOverride => "lift_override",
            Self::SetStatus => "set_status",
            Self::ReviewReferral => "review_referral",
            Self::Hold => "hold",
            Self::Capture => "capture",
            Self::Release => "release",
            Self::Redeem => "redeem",
            Self::Transfer => "transfer",
            Self::Adjust => "adjust",
            Self::ReviewAdjustment => "review_adjustment",
            Self::Merge => "merge",
            Self::UndoMerge => "undo_merge",
        }
    }
}

impl CommandId {
    /// The order under which this is kept, if it belongs to one.
    pub const fn order_id(&self) -> Option<&OrderId> {
        match self {
            Self::Order(order)
            | Self::Refund(order, _)
            | Self::Change(order, _)
            | Self::Cancel(order)
            | Self::Claim(order) => Some(order),
            Self::Request { .. }
            | Self::Due(..)
            | Self::Opening(_)
            | Self::Activity(..)
            | Self::Task(..)
            | Self::Measured(..)
            | Self::Version(_)
            | Self::Enrollment(_)
            | Self::Activation(_)
            | Self::Referral(_)
            | Self::ReferralReward(_)
            | Self::ReferralRevoked(_)
            | Self::Redemption(..)
            | Self::RedemptionStep(..)
            | Self::Counterpart(..) => None,
        }
    }
}

impl std::fmt::Display for CommandId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Order(order) => write!(f, "O#{}", Escaped(order.as_str())),
            Self::Refund(order, refund) => {
                write!(f, "O#{}#R#{}", Escaped(order.as_str()), Escaped(refund.as_str()))
            }
            Self::Change(order, change) => {
                write!(f, "O#{}#C#{}", Escaped(order.as_str()), Escaped(change.as_str()))
            }
            Self::Cancel(order) => write!(f, "O#{}#X", Escaped(order.as_str())),
            Self::Request { client, member, operation, key } => write!(
                f,
                "K#{}#{}#{}#{}",
                Escaped(client.as_str()),
                Escaped(member.as_str()),
                operation.as_str(),
                Escaped(key.as_str())
            ),
            Self::Due(member, day) => write!(f, "D#{}#{day}", Escaped(member.as_str())),
            Self::Opening(member) => write!(f, "B#{}", Escaped(member.as_str())),
            Self::Activity(member, activity) => {
                write!(f, "A#{}#{}", Escaped(member.as_str()), Escaped(activity.as_str()))
            }
            Self::Task(member, task) => {
                write!(f, "T#{}#{}", Escaped(member.as_str()), Escaped(task.as_str()))
            }
            Self::Measured(member, version) => {
                write!(f, "V#{}#{version}", Escaped(member.as_str()))
            }
            Self::Version(version) => write!(f, "N#{version}"),
            Self::Enrollment(member) => write!(f, "J#{}", Escaped(member.as_str())),
            Self::Activation(member) => write!(f, "J#{}#A", Escaped(member.as_str())),
            Self::Referral(friend) => write!(f, "F#{}", Escaped(friend.as_str())),
            Self::ReferralReward(friend) => write!(f, "F#{}#R", Escaped(friend.as_str())),
            Self::ReferralRevoked(friend) => write!(f, "F#{}#X", Escaped(friend.as_str())),
            Self::Claim(order) => write!(f, "O#{}#G", Escaped(order.as_str())),
            Self::Redemption(member, redemption) => {
                write!(f, "W#{}#{redemption}", Escaped(member.as_str()))
            }
            Self::RedemptionStep(member, redemption, step) => {
                write!(f, "W#{}#{redemption}#{}", Escaped(member.as_str()), step.letter())
            }
            Self::Counterpart(member, pair) => write!(f, "2#{}#{pair}", Escaped(member.as_str())),
        }
    }
}

/// A text as a part of a key: without `#`, which separates parts, so that no two keys are alike.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for piece in self.0.split_inclusive(['#', '%']) {
            let (text, mark) = match piece.strip_suffix('#') {
                Some(text) => (text, "%23"),
                None => piece.strip_suffix('%').map_or((piece, ""), |text| (text, "%25")),
            };
            f.write_str(text)?;
            f.write_str(mark)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_with_odd_characters_never_share_a_text() {
        let refund = |order, refund| {
            CommandId::Refund(
                OrderId::try_from(order).unwrap(),
                RefundId::try_from(refund).unwrap(),
            )
            .to_string()
        };

        assert_eq!(refund("1:2/3", "é 4"), "O#1:2/3#R#é 4");
        assert_eq!(refund("a#R#b", "c"), "O#a%23R%23b#R#c");
        assert_ne!(refund("a#R#b", "c"), refund("a", "b#R#c"));
        assert_ne!(refund("a%23", "c"), refund("a#", "c"));
        let opening = CommandId::Opening(MemberId::try_from("m#1").unwrap());
        assert_eq!((opening.to_string().as_str(), opening.order_id()), ("B#m%231", None));
    }

    #[test]
    fn a_reason_is_a_code_and_never_a_sentence() {
        let longest = "x".repeat(ReasonCode::BYTES_MAX);
        for code in ["goodwill", "outage-2026_03", &longest] {
            assert_eq!(ReasonCode::try_from(code).unwrap().as_str(), code);
        }
        for wrong in ["", "Goodwill", "so sorry", "é", "a\nb", &format!("{longest}x")] {
            assert_eq!(ReasonCode::try_from(wrong), Err(InvalidReasonCode), "{wrong:?}");
        }
        assert!(serde_json::from_str::<ReasonCode>("\"good will\"").is_err());
    }

    #[test]
    fn what_is_no_id_says_which_kind_it_should_have_been_and_not_what_it_was() {
        let error = |text: &str| OrderId::try_from(text).unwrap_err().to_string();

        assert_eq!(error(" "), "an order id must not be empty");
        assert_eq!(error("a\nb"), "an order id must not contain control characters");
        assert_eq!(error(&"x".repeat(129)), "an order id must have at most 128 bytes");
        assert!(OrderId::try_from("x".repeat(128).as_str()).is_ok());
        assert!(serde_json::from_str::<OrderId>("\"\"").is_err());
    }
}
