//! The ledger in memory passes the contract.

use loyalty_ledger::memory::MemoryLedger;

#[test]
fn the_ledger_in_memory_is_a_ledger() {
    pollster::block_on(loyalty_tests_ledger::every_ledger(MemoryLedger::default));
}
