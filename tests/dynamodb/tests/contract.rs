//! The contract of the port, on DynamoDB: undisturbed, and with every second request disturbed.

use loyalty_tests_dynamodb::Engine;

#[tokio::test]
async fn the_ledger_on_dynamodb_passes_the_contract() {
    let engine = Engine::start();

    loyalty_tests_ledger::every_ledger(|| engine.ledger().0).await;
}
