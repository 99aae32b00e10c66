//! All accounts, read part by part: each once, with its member, whatever else is in the table.

use std::collections::BTreeMap;

use loyalty_domain::account::Account;
use loyalty_dynamodb::Segment;
use loyalty_ledger::{Attempts, Ledger, Reading, execute};
use loyalty_tests_dynamodb::Engine;
use loyalty_tests_ledger::{order, program, refund, spend};

#[tokio::test]
async fn every_account_is_found_once_with_its_member_and_nothing_else_is() {
    let (ledger, _) = Engine::start().ledger();
    let mut expected: BTreeMap<String, Account> = BTreeMap::new();
    for number in 0..40 {
        let member = if number % 2 == 0 { format!("m{number}") } else { format!("m#{number}%23") };
        let requests = [
            order(&format!("o{number}"), &member, 5_000, 0),
            spend("k", &member, 10, 1),
            refund(&format!("o{number}"), "r", 1_000, 2),
        ];
        for request in &requests {
            execute(&ledger, &program(), &mut Attempts(1), request).await.unwrap();
        }
        let look = spend("look", &member, 1, 0);
        let account = ledger.load(&look, Reading::Newest).await.unwrap().known.account;
        expected.insert(member, account);
    }

    let (mut found, mut items) = (BTreeMap::new(), 0);
    for segment in Segment::all(3) {
        let mut rest = Some(segment);
        while let Some(segment) = rest {
            let page = ledger.accounts_of(&segment).await.unwrap();
            assert!(page.unreadable.is_empty(), "{:?}", page.unreadable);
            items += page.items;
            for (member_id, account) in page.accounts {
                let before = found.insert(member_id.as_str().to_owned(), account);
                assert_eq!(before, None, "{member_id} was found before");
            }
            rest = page.rest;
        }
    }

    assert_eq!(found, expected);
    // Three entries and the head of an order stand beside each of them.
    assert!(items >= 40 * 5, "{items}");
}
