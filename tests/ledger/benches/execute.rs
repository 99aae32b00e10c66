//! `execute` on the ledger in memory alone: orders of 22 lines, as the real shop's have on average.
//!
//! `cargo bench --package loyalty-tests-ledger`
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot be run may panic"
)]

use divan::{AllocProfiler, Bencher, counter::ItemsCount};
use loyalty_domain::{
    command::{Command, Request},
    program::Program,
};
use loyalty_ledger::{Attempts, execute, memory::MemoryLedger};
use loyalty_tests_ledger::{order, program, refund};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

/// Orders of each run, of a tenth as many members.
const ORDERS: usize = 10_000;
/// The mean of the real shop.
const LINES: usize = 22;

fn main() {
    divan::main();
}

fn orders() -> Vec<Request> {
    (0..ORDERS)
        .map(|number| {
            let member = format!("member-{}", number % (ORDERS / 10));
            let second = i64::try_from(number).unwrap() * 600;
            let mut request = order(&format!("order-{number}"), &member, 1_234, second);
            if let Command::PayOrder(order) = &mut request.command {
                let line = order.content.lines[0].clone();
                order.content.lines = (1..=LINES)
                    .map(|it| {
                        let mut line = line.clone();
                        line.id = it.to_string().as_str().try_into().unwrap();
                        line
                    })
                    .collect();
            }
            request
        })
        .collect()
}

fn refunds() -> Vec<Request> {
    let last = i64::try_from(ORDERS).unwrap() * 600;
    (0..ORDERS)
        .map(|it| {
            let second = last + i64::try_from(it).unwrap();
            refund(&format!("order-{it}"), "refund-1", 5_000, second)
        })
        .collect()
}

fn post(ledger: &MemoryLedger, program: &Program, requests: &[Request]) {
    for request in requests {
        pollster::block_on(execute(ledger, program, &mut Attempts(1), request)).unwrap();
    }
}

#[divan::bench(sample_count = 20)]
fn orders_that_are_new(bencher: Bencher<'_, '_>) {
    let (program, orders) = (program(), orders());
    bencher
        .counter(ItemsCount::new(ORDERS))
        .with_inputs(MemoryLedger::default)
        .bench_refs(|ledger| post(ledger, &program, &orders));
}

#[divan::bench(sample_count = 20)]
fn orders_that_are_repeated(bencher: Bencher<'_, '_>) {
    let (program, orders) = (program(), orders());
    let ledger = MemoryLedger::default();
    post(&ledger, &program, &orders);
    bencher.counter(ItemsCount::new(ORDERS)).bench_local(|| post(&ledger, &program, &orders));
}

#[divan::bench(sample_count = 20)]
fn refunds_of_them(bencher: Bencher<'_, '_>) {
    let (program, orders, refunds) = (program(), orders(), refunds());
    bencher
        .counter(ItemsCount::new(ORDERS))
        .with_inputs(|| {
            let ledger = MemoryLedger::default();
            post(&ledger, &program, &orders);
            ledger
        })
        .bench_refs(|ledger| post(ledger, &program, &refunds));
}
