//! Events of API Gateway in, its answers out: as Lambda runs it, on the embedded DynamoDB engine through the real
//! SDK, but for the clock.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    dead_code,
    reason = "a test may panic, and what asks is shared with the tests of redeem-points"
)]

mod adjustments;
#[path = "../../../redeem-points/tests/api/common.rs"]
mod common;
mod matrix;
mod merges;
mod notes;
mod rewards;

use lambda_http::{lambda_runtime::LambdaEvent, request::LambdaRequest, tower::Service};
use loyalty_staff_api::handler::{Door, service};
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
    service(Door { writer, member_claim: "sub".to_owned() })
}
