//! What AWS does and the engine never shows: every way in which a write can end.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use loyalty_domain::command::Request;
use loyalty_dynamodb::DynamoDbLedger;
use loyalty_ledger::{Answer, Answered, Attempts, Ledger, LedgerError, Reading, execute};
use loyalty_tests_dynamodb::{Engine, Fault};
use loyalty_tests_ledger::{order, program, refund, spend};
use serde_json::json;

async fn answer(ledger: &DynamoDbLedger, request: &Request) -> Result<Answered, LedgerError> {
    execute(ledger, &program(), &mut Attempts(3), request).await
}

async fn available(ledger: &DynamoDbLedger) -> u64 {
    let look = spend("look", "m1", 1, 0);
    let loaded = ledger.load(&look, Reading::Newest).await.unwrap();
    loaded.known.account.available().unwrap().get()
}

#[tokio::test]
async fn what_is_throttled_was_not_done_and_may_be_asked_again() {
    let engine = Engine::start();
    for operation in ["BatchGetItem", "TransactWriteItems"] {
        let (ledger, wire) = engine.ledger();
        wire.disturb_once(operation, Fault::Throttled);

        let error = answer(&ledger, &order("o1", "m1", 5_000, 0)).await.unwrap_err();
        let again = answer(&ledger, &order("o1", "m1", 5_000, 0)).await.unwrap();

        assert!(error.is_transient(), "{error:?}");
        assert!(error.to_string().contains(operation), "{error}");
        assert!(matches!(again, Answered::Now(_)), "{again:?}");
        assert_eq!(available(&ledger).await, 50);
    }
}

#[tokio::test]
async fn a_conflict_is_decided_again_and_nobody_sees_it() {
    let engine = Engine::start();
    let (ledger, wire) = engine.ledger();
    let mut faults = vec![Fault::Conflict, Fault::Conflict];
    wire.disturb(move |it| if it == "TransactWriteItems" { faults.pop() } else { None });

    let answered = answer(&ledger, &order("o1", "m1", 5_000, 0)).await.unwrap();

    assert!(matches!(answered, Answered::Now(_)), "{answered:?}");
    assert_eq!(wire.usage().requests["TransactWriteItems"], 3);
    assert_eq!(available(&ledger).await, 50);
}

#[tokio::test]
async fn conflicts_without_end_are_given_back_to_the_queue() {
    let engine = Engine::start();
    let (ledger, wire) = engine.ledger();
    wire.disturb(|it| (it == "TransactWriteItems").then_some(Fault::Conflict));

    let error = answer(&ledger, &order("o1", "m1", 5_000, 0)).await.unwrap_err();

    assert!(matches!(error, LedgerError::Contended { attempts: 3 }), "{error:?}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn a_write_whose_reply_is_lost_is_answered_as_before_at_the_next_delivery() {
    let engine = Engine::start();
    let (ledger, wire) = engine.ledger();
    wire.disturb_once("TransactWriteItems", Fault::LostReply);

    let error = answer(&ledger, &order("o1", "m1", 5_000, 0)).await.unwrap_err();
    let again = answer(&ledger, &order("o1", "m1", 5_000, 0)).await.unwrap();

    assert!(error.is_transient(), "{error:?}");
    assert!(matches!(again, Answered::Before(_)), "{again:?}");
    assert_eq!(available(&ledger).await, 50);
}

#[tokio::test]
async fn a_read_that_is_not_the_newest_loses_its_race_and_nothing_else() {
    let engine = Engine::start();
    let (ledger, wire) = engine.ledger();
    answer(&ledger, &order("o1", "m1", 5_000, 0)).await.unwrap();
    // Remembers what is there of the second order and its account before the first refund.
    ledger.load(&order("o2", "m1", 3_000, 5), Reading::Cheap).await.unwrap();
    answer(&ledger, &refund("o1", "r1", 2_000, 1)).await.unwrap();
    wire.disturb_once("BatchGetItem", Fault::Stale);

    answer(&ledger, &order("o2", "m1", 3_000, 5)).await.unwrap();

    // One for the first order, one for its refund, and two for the second order.
    assert_eq!(wire.usage().requests["TransactWriteItems"], 4);
    assert_eq!(available(&ledger).await, 60);
}

#[tokio::test]
async fn nobody_is_refused_for_ever_by_a_read_that_is_not_the_newest() {
    let engine = Engine::start();
    let (ledger, wire) = engine.ledger();
    let redemption = spend("k1", "m1", 50, 1);
    // Remembers an account without any points.
    ledger.load(&redemption, Reading::Cheap).await.unwrap();
    answer(&ledger, &order("o1", "m1", 5_000, 0)).await.unwrap();
    wire.disturb_once("BatchGetItem", Fault::Stale);

    let answered = answer(&ledger, &redemption).await.unwrap();

    let Answered::Now(entry) = answered else { panic!("{answered:?}") };
    assert!(matches!(entry.answer, Answer::Accepted(_)), "{entry:?}");
    assert_eq!(available(&ledger).await, 0);
}

#[tokio::test]
async fn an_item_of_a_newer_shape_is_refused_and_not_guessed() {
    let engine = Engine::start();
    let (ledger, _) = engine.ledger();
    let item = json!({"pk": {"S": "M#m1"}, "sk": {"S": "A"}, "v": {"N": "2"}, "b": {"B": "kA=="}});
    engine.overwrite("ledger-0", &item);

    let error = answer(&ledger, &order("o1", "m1", 5_000, 0)).await.unwrap_err();

    assert!(!error.is_transient(), "{error:?}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(source, "an item has shape 2, and this code knows shapes up to 1");
}

#[tokio::test]
async fn an_error_says_nothing_of_what_was_sent() {
    let engine = Engine::start();
    let (ledger, wire) = engine.ledger();
    wire.disturb_once("TransactWriteItems", Fault::Throttled);

    let error = answer(&ledger, &order("o-secret", "m-secret", 5_000, 0)).await.unwrap_err();

    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    while let Some(it) = cause {
        assert!(!it.to_string().contains("secret"), "{it}");
        cause = it.source();
    }
}
