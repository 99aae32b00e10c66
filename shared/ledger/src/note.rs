//! Notes: [`Notes`], the port of what staff write about members in words of their own.
//!
//! A sentence may name a person, so it is kept with what is personal and goes where that goes; the ledger knows the
//! note's id alone.

use std::future::Future;

use jiff::Timestamp;
use loyalty_domain::id::{ClientId, MemberId, NoteId};

use crate::LedgerError;

/// What somebody of staff wrote about a member. It never changes.
#[derive(Clone, PartialEq, Eq)]
pub struct Note {
    /// Its id.
    pub id: NoteId,
    /// About whom.
    pub member_id: MemberId,
    /// Who wrote it.
    pub by: ClientId,
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

impl std::fmt::Debug for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Note").field("id", &self.id).finish_non_exhaustive()
    }
}

/// How keeping a note ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noted {
    /// It is kept.
    Now,
    /// There was one of its id, which stands.
    Before(Note),
}

/// How many notes of a member are read at most.
pub const NOTES_MAX: usize = 500;

/// Where notes are kept: beside [`Profiles`](crate::profile::Profiles), and read by one function.
pub trait Notes: Sync {
    /// Keeps `note`, unless there is one of its id.
    fn add_note(&self, note: &Note) -> impl Future<Output = Result<Noted, LedgerError>> + Send;

    /// The note of a member that is called `id`.
    fn find_note(
        &self,
        member_id: &MemberId,
        id: &NoteId,
    ) -> impl Future<Output = Result<Option<Note>, LedgerError>> + Send;

    /// All notes of a member, the newest first; at most [`NOTES_MAX`].
    fn notes(
        &self,
        member_id: &MemberId,
    ) -> impl Future<Output = Result<Vec<Note>, LedgerError>> + Send;
}
