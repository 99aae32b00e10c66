//! What the API is asked by staff and shows them.
//!
//! What staff write is personal and hidden from `Debug`.

use std::fmt;

use jiff::{Timestamp, civil::Date};
use loyalty_domain::{
    id::{MemberId, NoteId, PairId, ReasonCode},
    points::Points,
};
use serde::Serialize;

use crate::{
    api::{Direction, Entry},
    body::{BodyError, Fields, read, read_member_id},
    spending::POINTS,
};

/// How many characters a note may have.
pub const NOTE_CHARACTERS_MAX: usize = 2_000;

/// Something is written down about a member.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddNote {
    /// What, with line breaks where it has any.
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 1, max_length = 2000, example = "Called; the parcel came broken.")
    )]
    pub text: String,
}

impl fmt::Debug for AddNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddNote").finish_non_exhaustive()
    }
}

impl AddNote {
    /// The request in `body`.
    ///
    /// # Errors
    ///
    /// A [`BodyError`], which says nothing that was sent. Retrying cannot help.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        read(body, &["text"], |it| {
            Some(Self { text: it.needed("text", TEXT, it.text(read_text))? })
        })
    }
}

const TEXT: &str = "a text of 1 to 2000 characters, without control characters but line breaks";

fn read_text(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let is_fine = |it: char| !it.is_control() || matches!(it, '\n' | '\r' | '\t');
    let length = text.chars().count();
    let is_note = (1..=NOTE_CHARACTERS_MAX).contains(&length) && text.chars().all(is_fine);
    if is_note { Ok(text.to_owned()) } else { Err(TEXT) }
}

/// Why, as a code, in a field of its own.
fn read_reason(it: &Fields<'_>) -> Option<ReasonCode> {
    let expected = "a code of why, such as goodwill";
    it.needed("reason", expected, it.text(|text| ReasonCode::try_from(text)))
}

/// Something that was written down about a member. It never changes.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Note {
    /// Its id, by which an adjustment can name it: 32 hexadecimal digits.
    #[cfg_attr(feature = "openapi", schema(example = "0b5a2d1c9e7f48f3a6b4c2d1e0f98765"))]
    pub note_id: String,
    /// Who wrote it, as their token names them.
    #[cfg_attr(feature = "openapi", schema(example = "staff-7"))]
    pub by: String,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// What.
    pub text: String,
}

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Note").field("note_id", &self.note_id).finish_non_exhaustive()
    }
}

/// What was written down about a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Notes {
    /// The newest first; at most 500.
    pub notes: Vec<Note>,
}

/// Points are added or taken off.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdjustPoints {
    /// Which of both.
    pub direction: Direction,
    /// How many.
    #[cfg_attr(feature = "openapi", schema(value_type = u64, minimum = 1, example = 100))]
    pub points: Points,
    /// Why, as a code.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "goodwill"))]
    pub reason: ReasonCode,
    /// More of why, in words: kept as a note with what is personal, and named by its id.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 2000))]
    pub note: Option<String>,
    /// The id of a note about the member that says more, in place of `note`.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub note_id: Option<NoteId>,
    /// The last day on which points that are added can be used; without it, as if they were earned today.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Date))]
    pub through: Option<Date>,
}

impl fmt::Debug for AdjustPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdjustPoints").field("points", &self.points).finish_non_exhaustive()
    }
}

impl AdjustPoints {
    /// The request in `body`.
    ///
    /// # Errors
    ///
    /// A [`BodyError`], which says nothing that was sent. Retrying cannot help.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        const DIRECTION: &str = "add or take";
        const FIELDS: [&str; 6] = ["direction", "points", "reason", "note", "note_id", "through"];

        read(body, &FIELDS, |it| {
            let direction = |text: &str| match text {
                "add" => Ok(Direction::Add),
                "take" => Ok(Direction::Take),
                _ => Err(DIRECTION),
            };
            let direction = it.needed("direction", DIRECTION, it.text(direction));
            let points = it.needed("points", POINTS, it.points());
            let reason = read_reason(it);
            let note = it.value("note", it.text(read_text));
            let note_id = it.value("note_id", it.text(|text| NoteId::try_from(text)));
            if note.is_some() && note_id.is_some() {
                it.wrong("note_id", "nothing beside note");
            }
            let day = |text: &str| text.parse::<Date>().map_err(|_| "a day, such as 2027-01-31");
            let through = it.value("through", it.text(day));
            if through.is_some() && direction == Some(Direction::Take) {
                it.wrong("through", "nothing where points are taken");
            }
            let (direction, points, reason) = (direction?, points?, reason?);
            Some(Self { direction, points, reason, note, note_id, through })
        })
    }
}

/// A second person decides about an adjustment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReviewAdjustment {
    /// Whether it is to be made.
    pub approve: bool,
    /// Why, as a code.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "receipt-seen"))]
    pub reason: ReasonCode,
}

impl ReviewAdjustment {
    /// The request in `body`.
    ///
    /// # Errors
    ///
    /// A [`BodyError`], which says nothing that was sent. Retrying cannot help.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        read(body, &["approve", "reason"], |it| {
            let approve = it.needed("approve", "true or false", it.truth());
            let reason = read_reason(it);
            Some(Self { approve: approve?, reason: reason? })
        })
    }
}

/// What became of an adjustment that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdjustmentShown {
    /// Whether it was made, waits for a second person, or was denied by one.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "adjusted"))]
    pub state: &'static str,
    /// Its id: 32 hexadecimal digits.
    #[cfg_attr(feature = "openapi", schema(example = "0b5a2d1c9e7f48f3a6b4c2d1e0f98765"))]
    pub adjustment_id: String,
    /// The note that says more.
    pub note_id: Option<String>,
    /// The member's entry.
    pub entry: Entry,
}

/// An adjustment that waits for a second person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Proposal {
    /// Its id, by which it is decided.
    #[cfg_attr(feature = "openapi", schema(example = "0b5a2d1c9e7f48f3a6b4c2d1e0f98765"))]
    pub adjustment_id: String,
    /// Who asked for it, and so cannot decide about it.
    #[cfg_attr(feature = "openapi", schema(example = "staff-7"))]
    pub requester: String,
    /// Whether points are to be added or taken off.
    pub direction: Direction,
    /// How many.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub points: u64,
    /// Why, as a code.
    pub reason: String,
    /// The note that says more.
    pub note_id: Option<String>,
    /// The last day on which points that are added could be used, if it is no matter of the program.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Date))]
    pub through: Option<Date>,
}

/// Adjustments of a member that wait for a second person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Proposals {
    /// In the order in which they were asked for.
    pub adjustments: Vec<Proposal>,
}

/// A member becomes one with another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MergeMembers {
    /// Whose account goes on, by the shop's id of the member.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "13047"))]
    pub into: MemberId,
    /// Why, as a code.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "same-person"))]
    pub reason: ReasonCode,
}

impl MergeMembers {
    /// The request in `body`.
    ///
    /// # Errors
    ///
    /// A [`BodyError`], which says nothing that was sent. Retrying cannot help.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        read(body, &["into", "reason"], |it| {
            let into = it.needed("into", "the shop's id of a member", it.text(read_member_id));
            let reason = read_reason(it);
            Some(Self { into: into?, reason: reason? })
        })
    }
}

/// Members who became one become two again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UndoMerge {
    /// Whose account went on.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "13047"))]
    pub into: MemberId,
    /// Which merge is undone, as it was answered.
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = String, example = "0b5a2d1c9e7f48f3a6b4c2d1e0f98765")
    )]
    pub merge_id: PairId,
    /// Why, as a code.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "two-persons"))]
    pub reason: ReasonCode,
}

impl UndoMerge {
    /// The request in `body`.
    ///
    /// # Errors
    ///
    /// A [`BodyError`], which says nothing that was sent. Retrying cannot help.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        read(body, &["into", "merge_id", "reason"], |it| {
            let into = it.needed("into", "the shop's id of a member", it.text(read_member_id));
            let merge = it.text(|text| PairId::try_from(text));
            let merge_id = it.needed("merge_id", "the id of a merge, as it was answered", merge);
            let reason = read_reason(it);
            Some(Self { into: into?, merge_id: merge_id?, reason: reason? })
        })
    }
}

/// Members who became one, or two again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Merged {
    /// The merge, by which it is undone: 32 hexadecimal digits.
    #[cfg_attr(feature = "openapi", schema(example = "0b5a2d1c9e7f48f3a6b4c2d1e0f98765"))]
    pub merge_id: String,
    /// The entry of the member whom the path names. The other one's has the same instant.
    pub entry: Entry,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_note_has_words_and_no_more_than_fit() {
        let read = |text: &str| AddNote::read(json!({ "text": text }).to_string().as_bytes());

        assert_eq!(read(" Two\nlines ").unwrap().text, "Two\nlines");
        assert!(read(&"\u{e9}".repeat(NOTE_CHARACTERS_MAX)).is_ok());
        for wrong in ["", "  ", "a\u{0}b", "a\u{7f}", &"x".repeat(NOTE_CHARACTERS_MAX + 1)] {
            assert!(matches!(read(wrong), Err(BodyError::Wrong(_))), "{wrong}");
        }
        let shown = format!("{:?}", read("SECRET"));
        assert!(!shown.contains("SECRET"), "{shown}");
    }

    fn places<T>(read: Result<T, BodyError>) -> Vec<String> {
        let Err(BodyError::Wrong(mistakes)) = read else { panic!("it is taken") };
        mistakes.into_iter().map(|it| it.path).collect()
    }

    #[test]
    fn an_adjustment_says_which_way_how_many_and_why() {
        let read = |body: &str| AdjustPoints::read(body.as_bytes());
        let id = "0b5a2d1c9e7f48f3a6b4c2d1e0f98765";

        let adjustment = read(
            r#"{"direction": "add", "points": 5, "reason": "goodwill", "through": "2027-01-31"}"#,
        )
        .unwrap();
        assert_eq!((adjustment.direction, adjustment.points.get()), (Direction::Add, 5));
        assert!(adjustment.through.is_some());
        assert_eq!(places(read("{}")), ["direction", "points", "reason"]);
        let wrong = format!(
            r#"{{"direction": "take", "points": 5, "reason": "r", "note": "n", "note_id": "{id}",
                "through": "2027-01-31"}}"#
        );
        assert_eq!(places(read(&wrong)), ["note_id", "through"]);
        let wrong = r#"{"direction": "give", "points": 0, "reason": "So sorry", "note": "", "note_id": "1",
            "through": "tomorrow"}"#;
        assert_eq!(
            places(read(wrong)),
            ["direction", "points", "reason", "note", "note_id", "through"]
        );
    }

    #[test]
    fn what_two_persons_or_two_members_need_is_read_strictly() {
        assert!(ReviewAdjustment::read(br#"{"approve": false, "reason": "no-receipt"}"#).is_ok());
        assert_eq!(places(ReviewAdjustment::read(br#"{"approve": 1}"#)), ["approve", "reason"]);
        assert!(MergeMembers::read(br#"{"into": "m2", "reason": "same"}"#).is_ok());
        assert_eq!(places(MergeMembers::read(br#"{"into": "a@b.example"}"#)), ["into", "reason"]);
        assert_eq!(
            places(UndoMerge::read(br#"{"merge_id": "ABC"}"#)),
            ["into", "merge_id", "reason"]
        );
    }
}
