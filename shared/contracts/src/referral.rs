//! What is to be done about referrals: the messages of our own queue `referrals`.
//!
//! Most are what the shop is told as well: a rule on our own bus puts `referral.pending` and `referral.qualified`
//! on the queue, in the envelope of EventBridge. What staff decide comes bare and without a version, as the messages
//! of [`review`](crate::review) do: a field may be added with a default and never be taken away.
//!
//! There is deliberately no referral code in any of them: who has one knows whose friend to become.

use jiff::Timestamp;
use loyalty_domain::{
    command::Request,
    id::{ClientId, MemberId, ReasonCode, RequestKey},
};
#[cfg(feature = "schemas")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;

#[cfg(feature = "schemas")]
use crate::schema;
use crate::{
    announcement::{SOURCE, VERSION},
    event::BODY_BYTES_MAX,
    json,
    order::AHEAD_MAX,
};

/// A message of the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Somebody said who brought them.
    Pending(Pending),
    /// A referral is due.
    Qualified(Qualified),
    /// Staff decided about one that waits for them.
    Review(ReviewReferral),
}

/// Somebody said who brought them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Who.
    pub friend: MemberId,
    /// Who brought them.
    pub referrer: MemberId,
    /// When.
    pub at: Timestamp,
}

/// A referral is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qualified {
    /// Who was brought.
    pub friend: MemberId,
    /// Since when.
    pub at: Timestamp,
}

/// Staff decide about a referral that waits for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct ReviewReferral {
    /// Who was brought.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub member_id: MemberId,
    /// What they decided.
    pub decision: ReferralDecision,
    /// Why.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Reason"))]
    pub reason: ReasonCode,
    /// Who did it: an id, never a name.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub actor: ClientId,
    /// Under which the same actor repeats it.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub key: RequestKey,
    /// When.
    #[serde(deserialize_with = "json::instant")]
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Instant"))]
    pub at: Timestamp,
}

/// What staff decided about a referral.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReferralDecision {
    /// It is rewarded, if nothing else speaks against it.
    Approve,
    /// It is not.
    Deny,
}

/// What a message asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// That the referrer has a friend is to be kept.
    Keep(Pending),
    /// A request to the domain about one friend.
    One(Request),
}

/// A message says nothing that could be done.
///
/// None of these gets better when the same message is read again. Nothing in here was copied from the message,
/// which names members. Variants are in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferralError {
    /// More than [`BODY_BYTES_MAX`] bytes.
    #[error("the message has more than {BODY_BYTES_MAX} bytes")]
    TooLarge,
    /// Another encoding, or no JSON.
    #[error("the message is not JSON: line {line}, column {column}")]
    NotJson {
        /// The line, counted from 1.
        line: usize,
        /// The last byte that was read of the line, counted from 1.
        column: usize,
    },
    /// JSON of something else.
    #[error(
        "the message is no news of referrals and no review: see the schemas of referral.pending, \
         referral.qualified and referral.review"
    )]
    NotReferral,
    /// News of somebody else, who may call theirs as we call ours.
    #[error("`source` must be {SOURCE}")]
    NotOurs,
    /// News of a shape that is not known yet.
    #[error("`version` must be {VERSION}")]
    VersionNotKnown,
    /// Before 1970: mostly an instant that was never set.
    #[error("`at` must not be before 1970")]
    TooOld,
    /// Later than the clock of whoever received it allows.
    #[error("`at` must not be more than five minutes ahead of the receiver's clock")]
    TooFarAhead,
}

impl ReferralError {
    /// Its name, which never changes.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NotJson { .. } => "not_json",
            Self::NotReferral => "not_referral",
            Self::NotOurs => "not_ours",
            Self::VersionNotKnown => "version_not_known",
            Self::TooOld => "too_old",
            Self::TooFarAhead => "too_far_ahead",
        }
    }
}

/// Either form of a message, as it arrives.
#[derive(Deserialize)]
#[serde(untagged)]
enum Arrived {
    Told(Envelope),
    Own(Own),
}

#[derive(Deserialize)]
struct Envelope {
    source: String,
    #[serde(flatten)]
    told: Told,
}

#[derive(Deserialize)]
#[serde(tag = "detail-type", content = "detail")]
enum Told {
    #[serde(rename = "referral.pending")]
    Pending(PendingDetail),
    #[serde(rename = "referral.qualified")]
    Qualified(QualifiedDetail),
}

#[derive(Deserialize)]
struct PendingDetail {
    version: u32,
    member_id: MemberId,
    referrer_id: MemberId,
    #[serde(deserialize_with = "json::instant")]
    at: Timestamp,
}

#[derive(Deserialize)]
struct QualifiedDetail {
    version: u32,
    member_id: MemberId,
    #[serde(deserialize_with = "json::instant")]
    at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type")]
enum Own {
    #[serde(rename = "referral.review")]
    Review(ReviewReferral),
}

impl ReviewReferral {
    /// The message of it.
    ///
    /// # Errors
    ///
    /// Never: it has nothing that JSON has not.
    pub fn body(self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Own::Review(self))
    }
}

impl Message {
    /// What the message `body` says.
    ///
    /// # Errors
    ///
    /// A [`ReferralError`] up to [`ReferralError::VersionNotKnown`]. Retrying cannot help.
    ///
    /// # Examples
    ///
    /// ```
    /// # use loyalty_contracts::referral::Message;
    /// let told = Message::read(
    ///     br#"{"detail-type": "referral.qualified", "source": "loyalty", "detail":
    ///         {"version": 1, "member_id": "m-2", "at": "2026-03-15T00:00:00Z"}}"#,
    /// )?;
    /// assert!(matches!(told, Message::Qualified(it) if it.friend.as_str() == "m-2"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(body: &[u8]) -> Result<Self, ReferralError> {
        if body.len() > BODY_BYTES_MAX {
            return Err(ReferralError::TooLarge);
        }
        let arrived = serde_json::from_slice(body).map_err(|error| match error.classify() {
            Category::Data => ReferralError::NotReferral,
            Category::Io | Category::Syntax | Category::Eof => {
                ReferralError::NotJson { line: error.line(), column: error.column() }
            }
        })?;
        let (version, message) = match arrived {
            Arrived::Own(Own::Review(review)) => return Ok(Self::Review(review)),
            Arrived::Told(Envelope { source, .. }) if source != SOURCE => {
                return Err(ReferralError::NotOurs);
            }
            Arrived::Told(Envelope { told: Told::Pending(it), .. }) => {
                let PendingDetail { version, member_id: friend, referrer_id: referrer, at } = it;
                (version, Self::Pending(Pending { friend, referrer, at }))
            }
            Arrived::Told(Envelope { told: Told::Qualified(it), .. }) => {
                let QualifiedDetail { version, member_id: friend, at } = it;
                (version, Self::Qualified(Qualified { friend, at }))
            }
        };
        if version == VERSION { Ok(message) } else { Err(ReferralError::VersionNotKnown) }
    }

    /// What it asks for if it is received at `received_at`.
    ///
    /// # Errors
    ///
    /// A [`ReferralError`] from [`ReferralError::TooOld`] on. Retrying cannot help.
    pub fn into_asked(self, received_at: Timestamp) -> Result<Asked, ReferralError> {
        let asked = match self {
            Self::Pending(pending) => return Ok(Asked::Keep(pending)),
            Self::Qualified(Qualified { friend, at }) => Request::settle_referral(friend, at),
            Self::Review(it) => {
                let approves = match it.decision {
                    ReferralDecision::Approve => true,
                    ReferralDecision::Deny => false,
                };
                let ReviewReferral { member_id, reason, actor, key, at, .. } = it;
                Request::review_referral(actor, key, member_id, at, approves, reason)
            }
        };
        if asked.at < Timestamp::UNIX_EPOCH {
            return Err(ReferralError::TooOld);
        }
        if asked.at.duration_since(received_at) > AHEAD_MAX {
            return Err(ReferralError::TooFarAhead);
        }
        Ok(Asked::One(asked))
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use loyalty_domain::command::Command;
    use serde_json::{Value, json};

    use super::*;

    const AT: &str = "2026-03-15T00:00:00Z";

    fn at() -> Timestamp {
        AT.parse().unwrap()
    }

    fn told(name: &str) -> Value {
        json!({
            "version": "0", "id": "0b6f9d1e", "detail-type": name, "source": "loyalty",
            "time": AT, "resources": [],
            "detail": {"version": 1, "id": "x", "member_id": "friend", "sequence": 2, "number": 1,
                "at": AT, "source": {"kind": "enrollment"}, "referrer_id": "referrer"},
        })
    }

    fn review() -> Value {
        json!({
            "type": "referral.review", "member_id": "friend", "decision": "approve",
            "reason": "known-club", "actor": "staff-7", "key": "k1", "at": AT,
        })
    }

    fn read(message: &Value) -> Result<Message, ReferralError> {
        Message::read(message.to_string().as_bytes())
    }

    #[test]
    fn each_asks_for_what_it_says_under_an_id_of_its_own() {
        let asked = |message: &Value| read(message).unwrap().into_asked(at()).unwrap();

        let friend = MemberId::try_from("friend").unwrap();
        let referrer = MemberId::try_from("referrer").unwrap();
        let pending = Pending { friend: friend.clone(), referrer, at: at() };
        assert_eq!(asked(&told("referral.pending")), Asked::Keep(pending));
        let settle = Request::settle_referral(friend, at());
        assert_eq!(asked(&told("referral.qualified")), Asked::One(settle));
        let Asked::One(approved) = asked(&review()) else { panic!("it is for the domain") };
        assert_eq!(approved.id.to_string(), "K#staff-7#friend#review_referral#k1");
        assert!(matches!(approved.command, Command::ReviewReferral { approves: true, .. }));
        let mut denied = review();
        denied["decision"] = json!("deny");
        let Asked::One(denied) = asked(&denied) else { panic!("it is for the domain") };
        assert!(matches!(denied.command, Command::ReviewReferral { approves: false, .. }));
    }

    #[test]
    fn a_review_that_is_written_is_the_one_that_is_read() {
        let Ok(Message::Review(first)) = read(&review()) else { panic!("it is a review") };

        let body = first.clone().body().unwrap();

        assert_eq!(Message::read(body.as_bytes()), Ok(Message::Review(first)));
    }

    #[test]
    fn what_says_nothing_has_a_name_and_nothing_of_the_message_in_it() {
        let but = |message: Value, pointer: &str, value: Value| {
            let mut message = message;
            *message.pointer_mut(pointer).unwrap() = value;
            message.to_string()
        };
        let pending = || told("referral.pending");
        let mut without = pending();
        without["detail"].as_object_mut().unwrap().remove("referrer_id");
        let mut bare = pending();
        bare.as_object_mut().unwrap().remove("source");
        for (body, name) in [
            ("{".to_owned(), "not_json"),
            ("\"SECRET\"".to_owned(), "not_referral"),
            ("{}".to_owned(), "not_referral"),
            (told("referral.SECRET").to_string(), "not_referral"),
            (but(pending(), "/detail", json!("SECRET")), "not_referral"),
            (but(pending(), "/detail/member_id", json!("")), "not_referral"),
            (but(pending(), "/detail/at", json!("2026-03-15")), "not_referral"),
            (without.to_string(), "not_referral"),
            (bare.to_string(), "not_referral"),
            (but(pending(), "/source", json!("SECRET")), "not_ours"),
            (but(pending(), "/detail/version", json!(2)), "version_not_known"),
            (but(review(), "/type", json!("referral.SECRET")), "not_referral"),
            (but(review(), "/decision", json!("SECRET")), "not_referral"),
            (but(review(), "/reason", json!("So SECRET")), "not_referral"),
            (but(review(), "/key", json!(7)), "not_referral"),
            (" ".repeat(BODY_BYTES_MAX + 1), "too_large"),
        ] {
            let error = Message::read(body.as_bytes()).unwrap_err();

            assert_eq!(error.name(), name, "{body}");
            assert!(!error.to_string().contains("SECRET"), "{error}");
        }
        assert_eq!(Message::read(b"\xff").unwrap_err().name(), "not_json");
    }

    #[test]
    fn an_instant_that_cannot_be_is_told_from_one_that_can() {
        let asked_at = |instant: Timestamp| {
            let mut review = review();
            review["at"] = json!(instant.to_string());
            read(&review).unwrap().into_asked(at())
        };

        assert!(asked_at(at().checked_add(5.minutes()).unwrap()).is_ok());
        assert_eq!(
            asked_at(at().checked_add(301.seconds()).unwrap()),
            Err(ReferralError::TooFarAhead)
        );
        assert_eq!(
            asked_at(Timestamp::UNIX_EPOCH.checked_sub(1.second()).unwrap()),
            Err(ReferralError::TooOld)
        );
    }
}
