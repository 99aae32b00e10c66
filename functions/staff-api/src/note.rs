//! What staff write about members, in words of their own.

use jiff::Timestamp;
use loyalty_contracts::{
    problem::ProblemKind,
    staff::{self, AddNote},
};
use loyalty_domain::id::NoteId;
use loyalty_ledger::{
    Patience, Reading,
    note::{Note, Noted},
    program::Programs,
};
use loyalty_runtime::api::{Answered, Asked, Refused, respond::wrong_body};

use crate::{
    handler::{Door, Store},
    route::Operation,
};

impl<S, P, C, W, T> Door<S, P, C, W>
where
    S: Store,
    P: Programs,
    C: Fn() -> Timestamp,
    W: Fn() -> T,
    T: Patience,
{
    /// Keeps what somebody writes about a member.
    pub(crate) async fn add_note(&self, asked: &Asked<'_, Operation>) -> Result<Answered, Refused> {
        let AddNote { text } = AddNote::read(&asked.body).map_err(wrong_body)?;
        let (member_id, by) = (asked.member()?.clone(), asked.person()?);
        // A note about nobody would be found by nobody.
        let known = self.writer.store.find_account(&member_id, Reading::Newest).await?;
        known.ok_or(ProblemKind::MemberNotFound)?;
        let id = NoteId::of_request(&by, &member_id, &asked.key()?);
        let note = Note { id, member_id, by, at: self.writer.now(), text };
        match self.writer.store.add_note(&note).await? {
            Noted::Now => Answered::new(&shown(note)),
            Noted::Before(before) if before.text == note.text => Answered::new(&shown(before)),
            Noted::Before(_) => Err(ProblemKind::RequestKeyReused.into()),
        }
    }

    /// Shows what was written about a member.
    pub(crate) async fn show_notes(
        &self,
        asked: &Asked<'_, Operation>,
    ) -> Result<Answered, Refused> {
        let notes = self.writer.store.notes(asked.member()?).await?;
        Answered::new(&staff::Notes { notes: notes.into_iter().map(shown).collect() })
    }
}

fn shown(note: Note) -> staff::Note {
    let Note { id, member_id: _, by, at, text } = note;
    staff::Note { note_id: id.to_string(), by: by.as_str().to_owned(), at, text }
}
