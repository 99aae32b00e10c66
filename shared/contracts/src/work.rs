//! What is to be done about what falls due: the messages of our own queue `expiry-work`.
//!
//! Nobody but us sends them, so they come bare and without a version: what an older function left in the
//! queue is read by the next one, and a field may be added with a default and never be taken away.

use jiff::civil::Date;
use loyalty_domain::id::MemberId;
#[cfg(feature = "schemas")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;

#[cfg(feature = "schemas")]
use crate::schema;
use crate::{event::BODY_BYTES_MAX, json};

/// How many members one message names at most. With ids of 128 bytes, every byte escaped, they are 26 KB, so
/// ten messages fit one call of the queue.
pub const MEMBERS_MAX: usize = 100;

/// A message of the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Work {
    /// Who is due is to be found.
    #[serde(rename = "due.plan")]
    Plan(PlanDue),
    /// What fell due is to be posted.
    #[serde(rename = "due.post")]
    Post(PostDue),
}

/// Who is due is to be found, and put on the queue in pages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct PlanDue {
    /// By the first instant of which day. Without it: of the one that holds the instant at which this is read.
    #[serde(default, deserialize_with = "json::day_if_any")]
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Day>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<Date>,
    /// Where there is still somebody to find. Without it: everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards: Option<Vec<ShardLeft>>,
}

/// A shard that is not walked to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct ShardLeft {
    /// Which, counted from 0.
    pub shard: u8,
    /// Who was found last. Without it: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<DueMember>,
}

/// A member in a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct DueMember {
    /// After which day something falls due.
    #[serde(deserialize_with = "json::day")]
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Day"))]
    pub due_after: Date,
    /// For whom.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub member_id: MemberId,
}

/// What fell due is to be posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct PostDue {
    /// Up to the first instant of which day.
    #[serde(deserialize_with = "json::day")]
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Day"))]
    pub day: Date,
    /// For whom; at most [`MEMBERS_MAX`].
    #[cfg_attr(
        feature = "schemas",
        schemars(with = "Vec<schema::Id>", length(min = 1, max = 100))
    )]
    pub member_ids: Vec<MemberId>,
}

/// A message says nothing that could be done.
///
/// None of these gets better when the same message is read again. Nothing in here was copied from the message,
/// which names members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkError {
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
    #[error("the message is no due work: see due.plan.v1.json and due.post.v1.json")]
    NotWork,
    /// More members than one message may name.
    #[error("`member_ids` must have at most {MEMBERS_MAX} members")]
    TooManyMembers,
}

impl WorkError {
    /// Its name, which never changes.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NotJson { .. } => "not_json",
            Self::NotWork => "not_work",
            Self::TooManyMembers => "too_many_members",
        }
    }
}

impl Work {
    /// The work in the message `body`.
    ///
    /// # Errors
    ///
    /// A [`WorkError`]. Retrying cannot help.
    ///
    /// # Examples
    ///
    /// ```
    /// # use loyalty_contracts::work::{PlanDue, Work};
    /// let night = Work::read(br#"{"type": "due.plan"}"#)?;
    /// assert_eq!(night, Work::Plan(PlanDue::default()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(body: &[u8]) -> Result<Self, WorkError> {
        if body.len() > BODY_BYTES_MAX {
            return Err(WorkError::TooLarge);
        }
        let work: Self = serde_json::from_slice(body).map_err(|error| match error.classify() {
            Category::Data => WorkError::NotWork,
            Category::Io | Category::Syntax | Category::Eof => {
                WorkError::NotJson { line: error.line(), column: error.column() }
            }
        })?;
        match &work {
            Self::Post(post) if post.member_ids.len() > MEMBERS_MAX => {
                Err(WorkError::TooManyMembers)
            }
            Self::Plan(_) | Self::Post(_) => Ok(work),
        }
    }

    /// The message of it.
    ///
    /// # Errors
    ///
    /// Never: it has nothing that JSON has not.
    pub fn body(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn member(id: &str) -> MemberId {
        MemberId::try_from(id).unwrap()
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let place = DueMember { due_after: date(2026, 1, 31), member_id: member("m\"1") };
        let shards =
            vec![ShardLeft { shard: 63, after: Some(place) }, ShardLeft { shard: 0, after: None }];
        let day = date(2026, 2, 1);
        for (work, body) in [
            (Work::Plan(PlanDue::default()), r#"{"type":"due.plan"}"#),
            (
                Work::Plan(PlanDue { day: Some(day), shards: Some(shards) }),
                r#"{"type":"due.plan","day":"2026-02-01","shards":[{"shard":63,"after":{"due_after":"2026-01-31","member_id":"m\"1"}},{"shard":0}]}"#,
            ),
            (
                Work::Post(PostDue { day, member_ids: vec![member("a"), member("b")] }),
                r#"{"type":"due.post","day":"2026-02-01","member_ids":["a","b"]}"#,
            ),
        ] {
            assert_eq!(work.body().unwrap(), body);
            assert_eq!(Work::read(body.as_bytes()), Ok(work));
        }
    }

    #[test]
    fn what_is_no_work_has_a_name_and_nothing_of_the_message_in_it() {
        let many = serde_json::json!({
            "type": "due.post", "day": "2026-02-01", "member_ids": vec!["SECRET"; 101],
        });
        for (body, name) in [
            ("{", "not_json"),
            ("\u{0}", "not_json"),
            ("[]", "not_work"),
            ("{}", "not_work"),
            (r#"{"type":"SECRET"}"#, "not_work"),
            (r#"{"type":"due.post","member_ids":["SECRET"]}"#, "not_work"),
            (r#"{"type":"due.post","day":"2026-02-30","member_ids":["SECRET"]}"#, "not_work"),
            (r#"{"type":"due.post","day":"20260201","member_ids":["SECRET"]}"#, "not_work"),
            (r#"{"type":"due.post","day":"2026-02-01","member_ids":["SECRET",""]}"#, "not_work"),
            (r#"{"type":"due.plan","shards":[{"shard":256}]}"#, "not_work"),
            (many.to_string().as_str(), "too_many_members"),
            (" ".repeat(BODY_BYTES_MAX + 1).as_str(), "too_large"),
        ] {
            let error = Work::read(body.as_bytes()).unwrap_err();

            assert_eq!(error.name(), name);
            assert!(!error.to_string().contains("SECRET"), "{error}");
        }
        assert_eq!(Work::read(b"\xff").unwrap_err().name(), "not_json");
    }

    #[test]
    fn ten_of_the_largest_messages_fit_one_call_of_the_queue() {
        let member_ids = vec![member(&"\"".repeat(128)); MEMBERS_MAX];
        let post = Work::Post(PostDue { day: date(2026, 2, 1), member_ids });

        assert!(10 * post.body().unwrap().len() < 1_048_576);
    }
}
