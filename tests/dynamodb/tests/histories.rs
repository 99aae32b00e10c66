//! Random histories on DynamoDB, disturbed: every account and every entry is as in memory.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::{collections::HashMap, sync::LazyLock};

use jiff::Timestamp;
use loyalty_domain::{
    code::ReferralCode,
    command::Request,
    id::{ClientId, MemberId, RequestKey},
    points::Points,
    program::Program,
};
use loyalty_dynamodb::{DynamoDbLedger, Tables};
use loyalty_ledger::{Attempts, Ledger, Loaded, Reading, execute, statement::Accounts};
use loyalty_tests_dynamodb::{Engine, Fault, members_table};
use loyalty_tests_ledger::history::{self, any_program, any_step, histories, member, requests};
use loyalty_tests_simulate::Random;
use proptest::prelude::*;
use serde_json::json;

static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::start);

/// A request that reads an account.
fn look(member_id: MemberId) -> Request {
    let (client, key) = (ClientId::try_from("look").unwrap(), RequestKey::try_from("1").unwrap());
    Request::spend(client, key, member_id, Timestamp::UNIX_EPOCH, Points::ZERO)
}

/// Delivers `request` until it is answered, as a queue does.
async fn deliver(ledger: &DynamoDbLedger, program: &Program, request: &Request) {
    let mut errors = Vec::new();
    for _ in 0..50 {
        match execute(ledger, program, &mut Attempts(5), request).await {
            Ok(_) => return,
            Err(error) if error.is_transient() => errors.push(error),
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("50 deliveries of {request:?} failed: {errors:?}");
}

/// Lets `code` lead to `member_id`, as it does once they enrolled with it.
fn give_code(tables: &Tables, code: &ReferralCode, member_id: &MemberId) {
    let item = json!({
        "pk": {"S": format!("C#{}", code.as_str())}, "sk": {"S": "E"}, "v": {"N": "1"},
        "m": {"S": member_id.as_str()}, "t": {"N": "0"},
    });
    ENGINE.overwrite(&members_table(tables), &item);
}

async fn loaded(ledger: &impl Ledger, request: &Request) -> Loaded {
    ledger.load(request, Reading::Newest).await.unwrap()
}

/// What happens to requests, for the same `seed` always the same.
fn faults(seed: u64) -> impl FnMut(&str) -> Option<Fault> + Send {
    let mut random = Random::new(seed);
    move |operation| {
        // Reads have no conflicts.
        let is_read = matches!(operation, "BatchGetItem" | "GetItem" | "Query");
        // At random: repeats would beat in time with what one delivery sends.
        match random.below(16) {
            0 => Some(Fault::Throttled),
            1 => Some(Fault::LostReply),
            2 | 3 if !is_read => Some(Fault::Conflict),
            2..=5 => Some(Fault::Stale),
            _ => None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        // A request costs a thousand times what it costs in memory.
        cases: histories().div_ceil(50),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_disturbed_history_on_dynamodb_is_what_it_is_in_memory(
        program in any_program(),
        steps in prop::collection::vec(any_step(), 1..40),
        seed: u64,
    ) {
        let requests = requests(&steps);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let memory = history::memory();
            for request in &requests {
                execute(&memory, &program, &mut Attempts(1), request).await.unwrap();
            }

            let tables = ENGINE.tables();
            for (code, member_id) in history::codes() {
                give_code(&tables, &code, &member_id);
            }
            let (ledger, wire) = ENGINE.ledger_in(tables);
            history::fill(&ledger).await;
            wire.disturb(faults(seed));
            for request in &requests {
                deliver(&ledger, &program, request).await;
            }
            wire.disturb(|_| None);

            for number in 0..3 {
                let (there, here) = (
                    loaded(&ledger, &look(member(number))).await,
                    loaded(&memory, &look(member(number))).await,
                );
                prop_assert_eq!(there.known.account, here.known.account);
                prop_assert_eq!(there.recent, here.recent);
                prop_assert_eq!(there.due_after, here.due_after);
            }
            // Those of whoever brought somebody are found by no request of theirs.
            for entry in memory.entries() {
                let ids = std::slice::from_ref(&entry.id);
                let found = ledger.find_entries(ids, Reading::Newest).await.unwrap();
                prop_assert_eq!(found, [entry]);
            }
            let entries: HashMap<_, _> =
                memory.entries().into_iter().map(|it| (it.id.clone(), it)).collect();
            for request in &requests {
                let entry = loaded(&ledger, request).await.entry;
                prop_assert_eq!(entry.as_ref(), entries.get(&request.id));
            }
            Ok(())
        })?;
    }
}
