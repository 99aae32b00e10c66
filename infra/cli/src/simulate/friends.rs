//! Members who bring each other in a simulation: whose which code is, who joins when, and what came of it.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
};

use jiff::Timestamp;
use loyalty_domain::{
    code::{InvalidReferralCode, ReferralCode},
    command::Request,
    event::{Event, GrantReason, ReferralEvent},
    id::{InvalidId, MemberId},
    points::Points,
    referral::{ReferralRefusal, ReferralState},
};
use loyalty_ledger::{Answer, Entry};

use super::run::Member;
use crate::import::{
    ImportError,
    rows::{BrokenRow, Row, Rows},
};

/// Whose which code is.
pub(crate) type Codes = HashMap<ReferralCode, MemberId>;

/// What the first row of a file of codes says.
const HEADER: [&str; 2] = ["member_id", "code"];

/// A file of codes is wrong. It never says a code: who has one knows whose friend to become.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodesError {
    /// The file system says no.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// It is another file.
    #[error("{}: the first row must be `{}`", .path.display(), HEADER.join(","))]
    OtherHeader { path: PathBuf },
    /// One row is wrong.
    #[error("{}, line {line}: {mistake}", .path.display())]
    Row { path: PathBuf, line: u64, mistake: CodeMistake },
}

/// What is wrong with a row of codes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CodeMistake {
    #[error("{0}")]
    Broken(#[from] BrokenRow),
    #[error("has {0} fields where 2 are needed")]
    Fields(usize),
    #[error("column `{0}` is not UTF-8")]
    NotText(&'static str),
    #[error("column `member_id`: {0}")]
    Member(#[from] InvalidId),
    #[error("column `code`: {0}")]
    Code(#[from] InvalidReferralCode),
    #[error("another member has the same code")]
    Taken,
}

/// The codes in the file at `path`: CSV, one member and one of their codes a row.
///
/// # Errors
///
/// [`CodesError`], of the first row that is wrong.
pub(crate) fn read(path: &Path) -> Result<Codes, CodesError> {
    let unreadable = |source| ImportError::Unreadable { path: path.to_owned(), source };
    let wrong = |line, mistake| CodesError::Row { path: path.to_owned(), line, mistake };
    let progress = Arc::new(AtomicU64::new(0));
    let mut rows = Rows::open(path, b',', None, progress).map_err(unreadable)?;
    let is_header = |row: &Row| {
        let names = HEADER.iter().enumerate();
        row.len() == HEADER.len()
            && names.clone().all(|(index, name)| {
                row.field(index).is_some_and(|it| it.trim_ascii() == name.as_bytes())
            })
    };
    match rows.next().map_err(unreadable)? {
        Some(Ok(header)) if is_header(header) => (),
        Some(_) | None => return Err(CodesError::OtherHeader { path: path.to_owned() }),
    }
    let mut codes = Codes::new();
    while let Some(row) = rows.next().map_err(unreadable)? {
        let row = row.map_err(|(line, it)| wrong(line, it.into()))?;
        let (code, member_id) = code_in(row).map_err(|it| wrong(row.line, it))?;
        let line = row.line;
        let owner = codes.entry(code).or_insert_with(|| member_id.clone());
        if *owner != member_id {
            return Err(wrong(line, CodeMistake::Taken));
        }
    }
    Ok(codes)
}

fn code_in(row: &Row) -> Result<(ReferralCode, MemberId), CodeMistake> {
    if row.len() != HEADER.len() {
        return Err(CodeMistake::Fields(row.len()));
    }
    let text = |index: usize, name| {
        let field = row.field(index).unwrap_or_default();
        str::from_utf8(field).map_err(|_| CodeMistake::NotText(name))
    };
    let member_id = MemberId::try_from(text(0, "member_id")?.trim())?;
    Ok((ReferralCode::try_from(text(1, "code")?)?, member_id))
}

/// Who has joined, and which referrals are to be looked into when.
#[derive(Debug, Default)]
pub(crate) struct Friends {
    codes: Codes,
    owners: HashSet<MemberId>,
    joined: HashSet<MemberId>,
    due: BinaryHeap<Reverse<(Timestamp, MemberId)>>,
}

impl Friends {
    pub(crate) fn new(codes: Codes) -> Self {
        let owners = codes.values().cloned().collect();
        Self { codes, owners, ..Self::default() }
    }

    /// Who joins as `request` comes: who has a code, before their first event or the first order that names it; and
    /// who names one.
    pub(crate) fn join(&mut self, request: &Request) -> Vec<MemberId> {
        let named = request.referral_code();
        let owner = named.as_ref().and_then(|it| self.codes.get(it.as_ref()?)).cloned();
        let own = request.member_id().filter(|it| named.is_some() || self.owners.contains(*it));
        let all = owner.into_iter().chain(own.cloned());
        all.filter(|it| self.joined.insert(it.clone())).collect()
    }

    /// Notes when what `entry` says is to be looked into.
    pub(crate) fn note(&mut self, entry: &Entry) {
        let (Answer::Accepted(events), Some(friend)) = (&entry.answer, &entry.member_id) else {
            return;
        };
        for event in events {
            let Event::Referral(event) = event else { continue };
            let at = match &**event {
                ReferralEvent::Ordered { qualifies_at, .. } => *qualifies_at,
                ReferralEvent::Qualified { at, .. } => *at,
                ReferralEvent::Named { .. }
                | ReferralEvent::NotNamed { .. }
                | ReferralEvent::Corrected { .. }
                | ReferralEvent::NotKept { .. }
                | ReferralEvent::Held { .. }
                | ReferralEvent::Rewarded { .. }
                | ReferralEvent::Refused { .. }
                | ReferralEvent::Revoked { .. } => continue,
            };
            self.due.push(Reverse((at, friend.clone())));
        }
    }

    /// The first referral that is to be looked into by `until`.
    pub(crate) fn next_due(&mut self, until: Timestamp) -> Option<(Timestamp, MemberId)> {
        let Reverse((at, _)) = self.due.peek()?;
        if *at > until {
            return None;
        }
        self.due.pop().map(|Reverse(it)| it)
    }
}

/// What came of referrals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) pending: u64,
    pub(crate) held: u64,
    pub(crate) rewarded: u64,
    pub(crate) revoked: u64,
    /// Referrals that reward nobody, and codes that did not count, by reason.
    pub(crate) refused: BTreeMap<ReferralRefusal, u64>,
    /// Points for friends, for whoever brought them, and for milestones.
    pub(crate) friends: u128,
    pub(crate) referrers: u128,
    pub(crate) milestones: u128,
    pub(crate) cut: u128,
    pub(crate) taken_back: u128,
    /// Points for becoming a member.
    pub(crate) welcome: u128,
    /// What members got for referrals, less what was taken back.
    pub(crate) by_member: HashMap<MemberId, i128>,
}

impl Outcome {
    /// What came of all that `entries` say, where `members` have what they have.
    pub(crate) fn of(entries: &[Arc<Entry>], members: &[Member]) -> Self {
        let mut outcome = Self::default();
        for member in members {
            let Some(referred) = &member.account.membership.referred else { continue };
            match &referred.state {
                ReferralState::Named | ReferralState::Qualified { .. } => outcome.pending += 1,
                ReferralState::Held { .. } => outcome.held += 1,
                ReferralState::Rewarded(_) => outcome.rewarded += 1,
                ReferralState::Revoked => outcome.revoked += 1,
                ReferralState::Refused(refusal) => outcome.refuse(refusal),
            }
        }
        for entry in entries {
            let (Answer::Accepted(events), Some(member_id)) = (&entry.answer, &entry.member_id)
            else {
                continue;
            };
            for event in events {
                outcome.add(member_id, event);
            }
        }
        outcome
    }

    fn refuse(&mut self, refusal: &ReferralRefusal) {
        *self.refused.entry(refusal.clone()).or_default() += 1;
    }

    fn add(&mut self, member_id: &MemberId, event: &Event) {
        if let Event::Referral(event) = event {
            // What was named otherwise is the account's.
            if let ReferralEvent::NotNamed { refusal } = &**event {
                self.refuse(refusal);
            }
        } else if let Event::Granted(granted) = event {
            let points = number(granted.share.points);
            let sum = match granted.reason {
                GrantReason::Welcome => {
                    self.welcome = self.welcome.saturating_add(points);
                    return;
                }
                GrantReason::Referred { .. } => &mut self.friends,
                GrantReason::Brought { .. } => &mut self.referrers,
                GrantReason::Milestone { .. } => &mut self.milestones,
            };
            *sum = sum.saturating_add(points);
            self.cut = self.cut.saturating_add(number(granted.cut));
            self.add_to(member_id, granted.share.points, false);
        } else if let Event::GrantTakenBack(taken) = event {
            self.taken_back = self.taken_back.saturating_add(number(taken.share.points));
            self.add_to(member_id, taken.share.points, true);
        }
    }

    fn add_to(&mut self, member_id: &MemberId, points: Points, is_less: bool) {
        let sum = self.by_member.entry(member_id.clone()).or_default();
        let points = i128::from(points.get());
        *sum = if is_less { sum.saturating_sub(points) } else { sum.saturating_add(points) };
    }

    /// Points that were given for referrals and not taken back.
    pub(crate) fn given(&self) -> u128 {
        let given = self.friends.saturating_add(self.referrers).saturating_add(self.milestones);
        given.saturating_sub(self.taken_back)
    }

    /// Whether anything of it was said.
    pub(crate) fn is_any(&self) -> bool {
        let states = [self.pending, self.held, self.rewarded, self.revoked];
        !self.refused.is_empty() || states.iter().any(|it| *it > 0)
    }
}

fn number(points: Points) -> u128 {
    points.get().into()
}
