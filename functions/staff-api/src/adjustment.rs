//! Points that staff add or take off, above the program's limit only two of them together.

use jiff::Timestamp;
use lambda_http::http::StatusCode;
use loyalty_contracts::{
    api::Direction,
    body::Mistake,
    problem::ProblemKind,
    staff::{AdjustPoints, AdjustmentShown, Proposal, Proposals, ReviewAdjustment},
};
use loyalty_domain::{
    adjustment::{self, AdjustmentChange, AdjustmentEvent, NewAdjustment},
    command::Request,
    event::Event,
    id::{AdjustmentId, CommandId, MemberId, NoteId, Operation as Kind},
};
use loyalty_ledger::{
    Answer, Entry, Patience, Reading,
    note::{Note, Noted},
    program::Programs,
};
use loyalty_runtime::api::{
    Answered, Asked, Refused,
    respond::{wrong, wrong_body},
    write::shown,
};

use crate::{
    handler::{Door, Store},
    route::Operation,
};

/// An adjustment's entry does not say what became of it: a bug of ours.
#[derive(Debug, thiserror::Error)]
#[error("an adjustment did nothing")]
struct Nothing;

impl<S, P, C, W, T> Door<S, P, C, W>
where
    S: Store,
    P: Programs,
    C: Fn() -> Timestamp,
    W: Fn() -> T,
    T: Patience,
{
    /// Adds points or takes them off, or notes that somebody else has to decide.
    pub(crate) async fn adjust(&self, asked: &Asked<'_, Operation>) -> Result<Answered, Refused> {
        let AdjustPoints { direction, points, reason, note, note_id, through } =
            AdjustPoints::read(&asked.body).map_err(wrong_body)?;
        let (member_id, by, key) = (asked.member()?, asked.person()?, asked.key()?);
        let at = self.writer.now();
        let note = match (note, note_id) {
            (None, None) => None,
            (None, Some(id)) => Some(self.known_note(member_id, id).await?),
            (Some(text), _) => {
                let (client, member) = (by.clone(), member_id.clone());
                let (operation, key) = (Kind::Adjust, key.clone());
                let id = NoteId::of(&CommandId::Request { client, member, operation, key });
                let note = Note { id, member_id: member_id.clone(), by: by.clone(), at, text };
                self.keep_words(&note).await?;
                Some(id)
            }
        };
        let change = match direction {
            Direction::Add => AdjustmentChange::Add { through },
            Direction::Take => AdjustmentChange::Take,
        };
        let new = NewAdjustment { change, points, reason, note };
        let request = Request::adjust(by, key, member_id.clone(), at, new);
        became(&*self.writer.decide(&request).await?)
    }

    /// Decides about an adjustment that somebody else has asked for.
    pub(crate) async fn review(&self, asked: &Asked<'_, Operation>) -> Result<Answered, Refused> {
        let ReviewAdjustment { approve, reason } =
            ReviewAdjustment::read(&asked.body).map_err(wrong_body)?;
        let adjustment: AdjustmentId = asked.other()?;
        let (member_id, by, key) = (asked.member()?.clone(), asked.person()?, asked.key()?);
        let at = self.writer.now();
        let request =
            Request::review_adjustment(by, key, member_id, at, adjustment, approve, reason);
        became(&*self.writer.decide(&request).await?)
    }

    /// Shows what waits for a second person.
    pub(crate) async fn show_proposals(
        &self,
        asked: &Asked<'_, Operation>,
    ) -> Result<Answered, Refused> {
        let known = self.writer.store.find_account(asked.member()?, Reading::Newest).await?;
        let known = known.ok_or(ProblemKind::MemberNotFound)?;
        let proposals = known.account.holdings.proposals.iter().map(proposal);
        Answered::new(&Proposals { adjustments: proposals.collect() })
    }

    /// A note that was written about the member before.
    async fn known_note(&self, member_id: &MemberId, id: NoteId) -> Result<NoteId, Refused> {
        if self.writer.store.find_note(member_id, &id).await?.is_some() {
            return Ok(id);
        }
        let path = "note_id".to_owned();
        let expected = "the id of a note about this member".to_owned();
        Err(wrong(ProblemKind::InvalidBody, &[Mistake { path, expected }]))
    }

    /// Keeps what is said of an adjustment in words. Should that be refused, the words stay.
    async fn keep_words(&self, note: &Note) -> Result<(), Refused> {
        let known = self.writer.store.find_account(&note.member_id, Reading::Newest).await?;
        known.ok_or(ProblemKind::MemberNotFound)?;
        match self.writer.store.add_note(note).await? {
            Noted::Now => Ok(()),
            Noted::Before(before) if before.text == note.text => Ok(()),
            Noted::Before(_) => Err(ProblemKind::RequestKeyReused.into()),
        }
    }
}

/// What `entry` says that became of an adjustment: it waits, was made, or was denied.
fn became(entry: &Entry) -> Result<Answered, Refused> {
    let Answer::Accepted(events) = &entry.answer else {
        return Err(Refused::because(ProblemKind::Internal, Nothing));
    };
    let mut acts = events
        .iter()
        .filter_map(|it| if let Event::Adjustment(event) = it { Some(&**event) } else { None });
    let (state, status, id, note) = match acts.next_back() {
        Some(AdjustmentEvent::Proposed(it)) => {
            ("waiting", StatusCode::ACCEPTED, it.id, it.new.note)
        }
        Some(AdjustmentEvent::Made { adjustment, note, .. }) => {
            ("adjusted", StatusCode::OK, *adjustment, *note)
        }
        Some(AdjustmentEvent::Denied { adjustment, .. }) => {
            ("denied", StatusCode::OK, *adjustment, None)
        }
        None => return Err(Refused::because(ProblemKind::Internal, Nothing)),
    };
    let answered = Answered::new(&AdjustmentShown {
        state,
        adjustment_id: id.to_string(),
        note_id: note.map(|it| it.to_string()),
        entry: shown(entry)?,
    })?;
    Ok(Answered { status, ..answered })
}

fn proposal(known: &adjustment::Proposal) -> Proposal {
    let adjustment::Proposal { id, requester, new } = known;
    let (direction, through) = Direction::of(new.change);
    Proposal {
        adjustment_id: id.to_string(),
        requester: requester.as_str().to_owned(),
        direction,
        points: new.points.get(),
        reason: new.reason.as_str().to_owned(),
        note_id: new.note.map(|it| it.to_string()),
        through,
    }
}
