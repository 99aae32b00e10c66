//! From the bytes of a message to a request: an order of 22 lines, as the real shop's have on average.
//!
//! `cargo bench --package loyalty-tests-contracts`
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be run may panic")]

use divan::{AllocProfiler, Bencher, counter::BytesCount};
use jiff::Timestamp;
use loyalty_contracts::parse;
use serde_json::json;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// A bare order of 22 lines, or with the mistake that its last amount is negative.
fn order(is_right: bool) -> Vec<u8> {
    let line = |it: i64| {
        let amount = if it == 22 && !is_right { -1 } else { 1_234 };
        json!({"id": it.to_string(), "sku": "85123A", "quantity": 6, "amount_minor": amount})
    };
    let order = json!({
        "type": "order.paid", "order_id": "536365", "member_id": "17850",
        "paid_at": "2010-12-01T08:26:00Z", "currency": "GBP",
        "lines": (1..=22).map(line).collect::<Vec<_>>(),
    });
    order.to_string().into_bytes()
}

#[divan::bench(args = [true, false])]
fn an_order_that_is_right_or_not(bencher: Bencher<'_, '_>, is_right: bool) {
    let body = order(is_right);
    let received_at: Timestamp = "2026-07-01T12:00:00Z".parse().unwrap();
    bencher
        .counter(BytesCount::of_slice(&body))
        .bench(|| parse(divan::black_box(&body), received_at).is_ok());
}
