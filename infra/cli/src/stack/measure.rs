//! `program measure`: everybody is measured by the version in force, at once and while somebody waits.

use std::{io::Write, time::Duration};

use loyalty_contracts::review::{PlanMeasuring, Review};
use loyalty_domain::{id::CommandId, program::in_force};
use loyalty_ledger::{Reading, statement::Accounts as _};
use loyalty_runtime::clock::{self, Deadline};

use super::{
    StackError,
    target::{Stack, Target},
};

/// How long is waited for all accounts to be found.
const GIVEN_UP: Duration = Duration::from_mins(30);
/// The pause before the ledger is asked again.
const PAUSE: Duration = Duration::from_millis(500);

/// Measures everybody by the version of the program that is in force, as the night of its first day does by itself.
///
/// Who meets a higher level has it; who no longer meets one falls only where the version says so. Each member is
/// measured once by each version, however often this is run. `program preview` says before whom it concerns.
#[derive(clap::Args, Debug)]
pub(crate) struct Measure {
    /// Finds all accounts once more, after a history was imported for instance. Who was measured is not measured
    /// twice.
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    target: Target,
}

impl Measure {
    /// Does it; what was done goes to `out`.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), StackError> {
        let stack = self.target.find()?;
        let programs = stack.programs()?;
        let program = in_force(&programs, clock::now())
            .ok_or_else(|| StackError::NoProgram { title: stack.title.clone() })?;
        let spec = program.spec();
        let (name, version, title) = (&spec.name, spec.version, &stack.title);
        if programs.iter().all(|it| it.spec().version >= version) {
            return writeln!(
                out,
                "Version {version} of {name} is the first one of {title}: nobody was measured otherwise."
            )
            .map_err(StackError::Output);
        }
        let is_done = stack.wait(is_found(&stack, version))?;
        if !is_done || self.again {
            let (version, again) = (Some(version), self.again);
            let plan = Review::Plan(PlanMeasuring { version, after: None, again });
            let body = plan.body().map_err(|error| StackError::ReviewNotSent(error.into()))?;
            let queue_url = &stack.outputs.tier_reviews_queue_url;
            let sent = stack.sqs().send_message().queue_url(queue_url).message_body(body).send();
            stack.wait(sent).map_err(|error| StackError::ReviewNotSent(error.into()))?;
        }
        if !is_done {
            stack.wait(found(&stack, version))?;
        }
        let when = match (is_done, self.again) {
            (true, true) => "are looked for once more",
            (true, false) => "were found before",
            (false, _) => "are found",
        };
        writeln!(
            out,
            "All accounts of {title} {when}, to be measured by version {version} of {name}.\nWhat waits on the \
             queue is measured as the functions come to it: cargo loyalty status{}",
            stack.flags()
        )
        .map_err(StackError::Output)
    }
}

/// Whether all accounts were found to be measured by `version`.
async fn is_found(stack: &Stack, version: u32) -> Result<bool, StackError> {
    let ids = [CommandId::Version(version)];
    let found = stack.ledger().find_entries(&ids, Reading::Newest).await;
    Ok(!found.map_err(StackError::NotRead)?.is_empty())
}

async fn found(stack: &Stack, version: u32) -> Result<(), StackError> {
    let until = Deadline::after(GIVEN_UP);
    while !is_found(stack, version).await? {
        if until.left().is_zero() {
            return Err(StackError::StillMeasuring);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
