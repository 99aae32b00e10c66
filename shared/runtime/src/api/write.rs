//! What functions that write share: a request is decided once, whoever repeats it, and shown as it is kept.

use std::sync::Arc;

use jiff::Timestamp;
use loyalty_contracts::{api, problem::ProblemKind};
use loyalty_domain::{
    command::Request,
    points::OutOfRange,
    program::{Program, in_force},
};
use loyalty_ledger::{
    Answer, Answered as Decided, Entry, Ledger, Patience, execute, program::Programs,
};

use super::respond::{Refused, refusal};

/// The ports that every request is decided with.
#[derive(Debug)]
pub struct Writer<S, P, C, W> {
    /// Where accounts, and all else, are kept.
    pub store: S,
    /// Where programs are read.
    pub programs: P,
    /// Tells the present instant.
    pub now: C,
    /// Says how long to try again after a lost race.
    pub patience: W,
}

/// There is nothing to decide by.
#[derive(Debug, thiserror::Error)]
#[error("no version of the program is in force")]
struct NoProgram;

/// A command was answered as it cannot be: a bug of ours.
#[derive(Debug, thiserror::Error)]
#[error("a command was answered as it cannot be")]
struct Unexpected;

impl<S, P, C, W, T> Writer<S, P, C, W>
where
    S: Ledger,
    P: Programs,
    C: Fn() -> Timestamp,
    W: Fn() -> T,
    T: Patience,
{
    /// The present instant.
    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// The program that is in force at `at`.
    ///
    /// # Errors
    ///
    /// [`ProblemKind::Unavailable`] if there is none, or none can be read. Retrying helps once there is.
    pub async fn program_at(&self, at: Timestamp) -> Result<Program, Refused> {
        program_at(&self.programs, at).await
    }

    /// Decides `request` once, however often it is sent, and goes on after a lost race as long as there is patience.
    /// The entry that is kept of it is the same every time.
    ///
    /// # Errors
    ///
    /// [`ProblemKind::Refused`], with the reason, if the rules say no; [`ProblemKind::RequestKeyReused`];
    /// [`ProblemKind::Unavailable`], of which alone a retry helps; [`ProblemKind::Internal`].
    pub async fn decide(&self, request: &Request) -> Result<Arc<Entry>, Refused> {
        let program = self.program_at(request.at).await?;
        let mut patience = (self.patience)();
        kept(execute(&self.store, &program, &mut patience, request).await?)
    }
}

/// The entry of a request that was answered with yes, now or before.
///
/// # Errors
///
/// As [`Writer::decide`].
pub fn kept(decided: Decided) -> Result<Arc<Entry>, Refused> {
    let entry = match decided {
        Decided::Now(entry) | Decided::Before(entry) => entry,
        Decided::Reused(_) => return Err(ProblemKind::RequestKeyReused.into()),
        Decided::Declined(rejection) => return Err(refusal(&rejection)),
        Decided::Taken(_) | Decided::Idle => {
            return Err(Refused::because(ProblemKind::Internal, Unexpected));
        }
    };
    match &entry.answer {
        Answer::Accepted(_) => Ok(entry),
        Answer::Refused(rejection) => Err(refusal(rejection)),
        Answer::Waiting(_) => Err(Refused::because(ProblemKind::Internal, Unexpected)),
    }
}

/// The program that is in force at `at`, out of all of `programs`.
///
/// # Errors
///
/// As [`Writer::program_at`].
pub async fn program_at<P: Programs>(programs: &P, at: Timestamp) -> Result<Program, Refused> {
    let programs: Arc<[Program]> = programs.programs().await?;
    // Whoever deploys adds one, and then the same request succeeds.
    let program = in_force(&programs, at).cloned();
    program.ok_or_else(|| Refused::because(ProblemKind::Unavailable, NoProgram))
}

/// An entry of an account as a statement shows it.
///
/// # Errors
///
/// [`OutOfRange`] of sums that no account reaches. Retrying cannot help.
pub fn shown(entry: &Entry) -> Result<api::Entry, OutOfRange> {
    let events = match &entry.answer {
        Answer::Accepted(events) => events.as_slice(),
        // These leave every account alone, so none lists them.
        Answer::Waiting(_) | Answer::Refused(_) => &[],
    };
    let sequence = entry.sequence.unwrap_or(0);
    Ok(api::Entry {
        id: api::entry_id(&entry.id, sequence),
        sequence,
        at: entry.at,
        sent_at: entry.sent_at,
        source: api::Source::from(&entry.id),
        program_version: entry.program_version,
        changes: events.iter().map(api::Change::try_from).collect::<Result<_, _>>()?,
        balance: entry.balance.unwrap_or_default().into(),
    })
}
