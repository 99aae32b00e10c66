//! What fell due, posted every night: the same accounts as without any night.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use jiff::{Timestamp, civil::Date};
use loyalty_domain::{
    account::Account,
    command::{Command, Request},
    id::{CommandId, MemberId},
    program::Program,
};
use loyalty_ledger::{
    Attempts, Ledger, Reading,
    due::{DueWork, post_due},
    execute,
    memory::MemoryLedger,
};
use loyalty_tests_ledger::history::{self, any_program, any_step, memory, requests};
use pollster::block_on;
use proptest::prelude::*;

fn post(program: &Program, ledger: &MemoryLedger, request: &Request) {
    block_on(execute(ledger, program, &mut Attempts(1), request)).unwrap();
}

/// Everybody who is due by `day`.
fn due_by(ledger: &MemoryLedger, day: Date) -> Vec<MemberId> {
    let page = |shard| block_on(ledger.due_members(shard, day, None, u16::MAX)).unwrap().members;
    (0..ledger.shards()).flat_map(page).collect()
}

/// What fell due by `day` is posted, as a night does it; says for how many.
fn night(program: &Program, ledger: &MemoryLedger, day: Date) -> usize {
    let due = due_by(ledger, day);
    let at = program.calendar().midnight(day).unwrap();
    for member_id in &due {
        post(program, ledger, &post_due(member_id.clone(), day, at));
    }
    due.len()
}

/// An account but for how many entries it has and what was told, which is all that nights may change.
fn but_for_its_entries(mut account: Account) -> Account {
    account.sequence = 0;
    account.announced_through = None;
    // The order of entries counts, and not their numbers.
    let mut since: Vec<u64> = account.pending.iter().map(|it| it.since).collect();
    since.sort_unstable();
    since.dedup();
    for pending in &mut account.pending {
        pending.since = since.binary_search(&pending.since).unwrap().try_into().unwrap();
    }
    account
}

/// Every account as of the first instant of `day`, posted for each, and when to look at it again.
fn as_of(
    program: &Program,
    ledger: &MemoryLedger,
    day: Date,
) -> Vec<(MemberId, Account, Option<Date>)> {
    let at = program.calendar().midnight(day).unwrap();
    let accounts = ledger.accounts().into_iter().map(|(member_id, _)| {
        let request = post_due(member_id.clone(), day, at);
        post(program, ledger, &request);
        // Under another id, which has no entry: so the account is read.
        let id = CommandId::Due(member_id.clone(), Date::MAX);
        let look = Request { id, ..request };
        let loaded = block_on(ledger.load(&look, Reading::Newest)).unwrap();
        (member_id, but_for_its_entries(loaded.known.account), loaded.due_after)
    });
    accounts.collect()
}

fn histories() -> ProptestConfig {
    ProptestConfig {
        // A history has two years of nights.
        cases: history::histories().div_ceil(2),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(histories())]

    #[test]
    fn a_history_in_the_order_of_time_has_the_same_accounts_with_nights_and_without(
        program in any_program(),
        steps in prop::collection::vec(any_step(), 1..30),
    ) {
        let mut requests = requests(&steps);
        requests.retain(|it| !matches!(it.command, Command::PostDue { .. }));
        requests.sort_by_key(|it| it.at);
        let day_of = |at: Timestamp| program.calendar().day_of(at);
        let Some(first) = requests.first().map(|it| day_of(it.at)) else { return Ok(()) };

        let (without, with) = (memory(), memory());
        let mut tonight = first;
        for request in &requests {
            while tonight < day_of(request.at) {
                tonight = tonight.tomorrow().unwrap();
                night(&program, &with, tonight);
            }
            post(&program, &without, request);
            post(&program, &with, request);
        }
        tonight = tonight.tomorrow().unwrap();
        night(&program, &with, tonight);

        let expected = as_of(&program, &without, tonight);
        prop_assert_eq!(as_of(&program, &with, tonight), expected);

        // Without any more events nobody stays due: once nothing is pending, whoever was posted is looked at
        // on a later day or never again.
        for _ in 0..800 {
            tonight = tonight.tomorrow().unwrap();
            night(&program, &with, tonight);
        }
        prop_assert_eq!(due_by(&with, tonight), Vec::<MemberId>::new());
        let expected = as_of(&program, &without, tonight);
        prop_assert_eq!(as_of(&program, &with, tonight), expected);
    }
}
