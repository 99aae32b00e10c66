//! Events of API Gateway in, its answers out: as Lambda runs it, on the embedded DynamoDB engine through the real
//! SDK, but for the clock.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    dead_code,
    reason = "a test may panic, and what asks is shared with the tests of staff-api"
)]

mod checkouts;
mod common;
mod matrix;
mod refunds;
mod rewards;
mod transfers;

use std::sync::atomic::{AtomicU64, Ordering};

use lambda_http::{lambda_runtime::LambdaEvent, request::LambdaRequest, tower::Service};
use loyalty_redeem_points::handler::{Door, service};
use loyalty_runtime::secret::NoRandom;
use serde::Serialize;

use crate::common::ShopWriter;

/// The function, that decides with `writer`.
fn tested(
    writer: ShopWriter,
) -> impl Service<
    LambdaEvent<LambdaRequest>,
    Response = impl Serialize,
    Error = lambda_http::Error,
    Future: Send,
> {
    service(Door { writer, random, member_claim: "sub".to_owned() })
}

/// Numbers that are never the same, and known to whoever reads this.
#[expect(clippy::unnecessary_wraps, reason = "what makes random numbers may fail")]
fn random(bytes: &mut [u8]) -> Result<(), NoRandom> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bytes.iter_mut().zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
    Ok(())
}
