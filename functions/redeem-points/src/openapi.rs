//! The API as an `OpenAPI` 3.1 document, made from the route table and from the shapes of bodies and answers.

use loyalty_contracts::{api, catalogue, checkout, problem::ProblemKind, refund, spending};
use loyalty_runtime::api::openapi::{Document, Words, collect};
use serde_json::{Value, json};

use crate::route::{Operation, ROUTES};

/// What the document says of all paths.
const ABOUT: &str = "Whatever uses points, and what it gives.\n\n\
    **Points** are whole numbers up to 2^63 - 1. Who uses points sees the entry that is kept of it, as in the \
    statement, with the balance after it.\n\n\
    **Bodies** are JSON of at most 16384 bytes. A field that is not known is refused, as is one that is there \
    twice. `mistakes` names all that is wrong, and nothing of what was sent.\n\n\
    **Repeats.** Whatever changes something has an `idempotency-key`. If no answer comes, send the same again: it is \
    done once, and answered as it was.\n\n\
    **Fields** may be added to any answer, and values to any `kind`, `state`, `reason` or `code`.\n\n\
    **Errors** are problem documents (RFC 9457). `code` never changes; `retry` says whether the same request, \
    unchanged, may succeed later. A 503 says in `retry-after` when.";

const DOCUMENT: Document = Document { title: "Loyalty: points", about: ABOUT };

/// The document's text, as it is checked in.
///
/// # Errors
///
/// Never, short of a shape that is no JSON. Retrying cannot help.
pub fn text() -> Result<String, serde_json::Error> {
    let mut schemas = Vec::new();
    collect::<api::Entry>(&mut schemas);
    collect::<spending::TransferPoints>(&mut schemas);
    collect::<catalogue::OpenRewards>(&mut schemas);
    collect::<catalogue::RedeemReward>(&mut schemas);
    collect::<catalogue::ContinueRedemption>(&mut schemas);
    collect::<catalogue::Redemption>(&mut schemas);
    collect::<catalogue::Redemptions>(&mut schemas);
    collect::<checkout::AskQuote>(&mut schemas);
    collect::<checkout::HoldPoints>(&mut schemas);
    collect::<checkout::CapturePoints>(&mut schemas);
    collect::<checkout::ReleasePoints>(&mut schemas);
    collect::<checkout::QuotedPoints>(&mut schemas);
    collect::<checkout::HeldEntry>(&mut schemas);
    collect::<refund::PreviewRefund>(&mut schemas);
    collect::<refund::PreviewedLine>(&mut schemas);
    collect::<refund::RefundPreview>(&mut schemas);
    DOCUMENT.text(ROUTES, words, schemas)
}

fn words(operation: Operation) -> Words {
    match operation {
        Operation::Transfer => Words {
            id: "transferPoints",
            summary: "Gives points to another member",
            about: "As the program allows it. Both members see it in their statements; the points keep their last \
                    good days. Refusals: `reason`.",
            body: Some(("TransferPoints", json!({"to": "13047", "points": 100}))),
            answers: vec![(200, "The giver's entry", "Entry", entry("transfer"))],
            has_pages: false,
            problems: &[ProblemKind::Refused],
        },
        Operation::Rewards | Operation::Redeem | Operation::Redemptions | Operation::Redemption => {
            words_of_rewards(operation)
        }
        Operation::Fulfill => step(
            "fulfillRedemption",
            "Says that what was taken was handed over",
            "It can then come back by `refund`, and no longer be cancelled.",
        ),
        Operation::Cancel => step(
            "cancelRedemption",
            "Cancels what was not handed over",
            "Its points come back to the lots that they came from; a debt is paid first. The limit has room again, and \
             goods are put back into stock. Codes and serial numbers are not: they may have been used.",
        ),
        Operation::Refund => step(
            "refundRedemption",
            "Takes back what was handed over",
            "As cancelling, of what was fulfilled.",
        ),
        Operation::Quote | Operation::Hold | Operation::Capture | Operation::Release => {
            words_of_checkouts(operation)
        }
        Operation::PreviewRefund => Words {
            id: "previewRefund",
            summary: "Says what a refund of an order would do now",
            about: "It is decided as `order.refunded` would be that came now, or `order.cancelled` with `all`, and nothing \
                    is written: the entry is the one that would be kept, with what is taken back, what of points that \
                    paid comes back, and the balance after it. What happens meanwhile can change it. The order is in \
                    the body, since ids with `/` or `:` do not go through a path.",
            body: Some((
                "PreviewRefund",
                json!({"order_id": "536365", "lines": [{"id": "1", "quantity": 1, "amount_minor": 2500}]}),
            )),
            answers: vec![(
                200,
                "What would be kept",
                "RefundPreview",
                json!({"is_new": true, "entry": entry("hold")}),
            )],
            has_pages: false,
            problems: &[
                ProblemKind::OrderNotFound,
                ProblemKind::RequestKeyReused,
                ProblemKind::Refused,
            ],
        },
    }
}

fn words_of_checkouts(operation: Operation) -> Words {
    let (id, summary, about, body, answer) = match operation {
        Operation::Quote => (
            "quotePoints",
            "Says what points would pay of an order",
            "The fewest points that pay the most. Nothing is held by it, and nothing promised.",
            ("AskQuote", json!({"total_minor": 4490, "currency": "GBP"})),
            (
                "What points would pay",
                "QuotedPoints",
                json!({
                    "points": 500, "amount_minor": 500, "currency": "GBP", "min_points": 1,
                    "most_points": 4490, "available": 500, "why_nothing": null
                }),
            ),
        ),
        Operation::Hold => (
            "holdPoints",
            "Holds points for an order",
            "Until an order that names the hold is paid, it is captured or released, or it ends by itself.",
            (
                "HoldPoints",
                json!({"total_minor": 4490, "currency": "GBP", "points": 500, "minutes": 20}),
            ),
            (
                "The hold, and its entry",
                "HeldEntry",
                json!({
                    "hold": {
                        "hold_id": "5f0c2b1a9e8d7c6b5a4f3e2d1c0b9a88", "points": 500,
                        "amount_minor": 500, "currency": "GBP", "ends_at": "2026-02-10T09:50:00Z"
                    },
                    "entry": entry("hold")
                }),
            ),
        ),
        Operation::Capture => (
            "capturePoints",
            "Uses held points without an order",
            "All of them, or so many, and the rest is let go. An order that names the hold needs none of this.",
            ("CapturePoints", json!({"points": 300})),
            ("The entry", "Entry", entry("capture")),
        ),
        Operation::Release
        | Operation::Transfer
        | Operation::Rewards
        | Operation::Redeem
        | Operation::Redemptions
        | Operation::Redemption
        | Operation::Fulfill
        | Operation::Cancel
        | Operation::Refund
        | Operation::PreviewRefund => (
            "releasePoints",
            "Lets held points go",
            "They pay what is owed, and then are in their lots again. With `with_captured` a service or staff undo a \
             capture, too, as long as no order has named the hold.",
            ("ReleasePoints", json!({})),
            ("The entry", "Entry", entry("release")),
        ),
    };
    let (answer, schema, example) = answer;
    Words {
        id,
        summary,
        about,
        body: Some(body),
        answers: vec![(200, answer, schema, example)],
        has_pages: false,
        problems: &[ProblemKind::Refused],
    }
}

fn words_of_rewards(operation: Operation) -> Words {
    let is_list = operation == Operation::Redemptions;
    if operation == Operation::Rewards {
        return Words {
            id: "getRewards",
            summary: "The rewards that can be taken",
            about: "Those that are active and not over, by id: what may come later is among them, with `opens_at`. \
                    For a member, with the price and the time of the level in force.",
            body: None,
            answers: vec![(
                200,
                "Rewards",
                "OpenRewards",
                json!({"rewards": [reward()], "next": null}),
            )],
            has_pages: true,
            problems: &[],
        };
    }
    if operation == Operation::Redeem {
        return Words {
            id: "redeemReward",
            summary: "Takes a reward for points",
            about: "Points, stock and the member's limit move together or not at all. The entry has the redemption's \
                    id and, where it is a coupon or a collectible, the code or the serial number. The same request \
                    under the same key is answered with the same entry. Refusals by `reason`, in this order: \
                    `account_closed`, `account_frozen`, `account_pending`, `no_such_reward`, `reward_not_active`, \
                    `reward_not_yet`, `reward_over`, `level_not_allowed`, `channel_not_allowed`, \
                    `reward_limit_reached`, `too_many_counted`, `price_changed`, `sold_out`, \
                    `insufficient_points`.",
            body: Some((
                "RedeemReward",
                json!({"reward_id": "coupon-5", "points": 100, "channel": "app"}),
            )),
            answers: vec![(200, "The entry", "Entry", redeemed())],
            has_pages: false,
            problems: &[ProblemKind::Refused],
        };
    }
    Words {
        id: if is_list { "getRedemptions" } else { "getRedemption" },
        summary: if is_list { "What a member took" } else { "One redemption" },
        about: if is_list {
            "The newest first, page by page of the statement: a page may be empty although more come."
        } else {
            "With all that the reward was when it was taken, and where it stands."
        },
        body: None,
        answers: vec![if is_list {
            (
                200,
                "Redemptions",
                "Redemptions",
                json!({"redemptions": [redemption()], "next": null}),
            )
        } else {
            (200, "The redemption", "Redemption", redemption())
        }],
        has_pages: is_list,
        problems: &[],
    }
}

fn step(id: &'static str, summary: &'static str, about: &'static str) -> Words {
    Words {
        id,
        summary,
        about,
        body: Some(("ContinueRedemption", json!({"reason": "changed-mind"}))),
        answers: vec![(200, "The entry", "Entry", entry("redeem"))],
        has_pages: false,
        problems: &[ProblemKind::Refused, ProblemKind::RequestKeyReused],
    }
}

/// A redemption of a coupon.
fn redemption() -> Value {
    let more = json!({
        "status": "fulfilled", "at": "2026-02-10T09:30:00Z",
        "steps": [{"status": "fulfilled", "at": "2026-02-10T09:31:00Z", "reason": "sent"}]
    });
    with(issued(), more)
}

fn issued() -> Value {
    json!({
        "redemption_id": "0b5a2d1c9e7f48f3a6b4c2d1e0f98765", "reward_id": "coupon-5",
        "reward_version": 3, "reward": {"kind": "coupon", "amount_minor": null, "to": null},
        "points": 100, "lots": [{"lot": "2026-12-31", "points": 100}],
        "code": "7K3QF9M2XW8RTB5N", "serial": null, "channel": "app"
    })
}

fn redeemed() -> Value {
    let change = with(issued(), json!({"kind": "reward_issued"}));
    let id = "0b5a2d1c9e7f48f3a6b4c2d1e0f98765";
    let more = json!({
        "changes": [change], "id": format!("W#17850#{id}"),
        "source": {"kind": "redemption", "redemption_id": id}
    });
    with(entry("redeem"), more)
}

/// An example with other fields, or more of them.
fn with(mut example: Value, more: Value) -> Value {
    if let (Some(example), Value::Object(more)) = (example.as_object_mut(), more) {
        example.extend(more);
    }
    example
}

fn reward() -> Value {
    json!({
        "reward_id": "coupon-5",
        "reward": {"kind": "coupon", "amount_minor": null, "to": null}, "points": 100,
        "opens_at": null, "closes_at": "2026-12-31T23:00:00Z", "is_limited": false,
        "limits": [{"period": "month", "count": 1}], "levels": [], "channels": ["app"],
        "texts": {"en": {"name": "5 off", "description": "For one order.", "terms": ""}}
    })
}

/// An entry of a member who is made up, by a request.
fn entry(operation: &str) -> Value {
    json!({
        "id": format!("K#shop#17850#{operation}#5b0f9a6e"), "sequence": 12,
        "at": "2026-02-10T09:30:00Z", "sent_at": "2026-02-10T09:30:00Z",
        "source": {"kind": operation, "client_id": "shop", "request_key": "5b0f9a6e"},
        "program_version": 3, "changes": [],
        "balance": {"available": 20, "pending": 52, "held": 0, "debt": 0}
    })
}
