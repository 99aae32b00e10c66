//! Every route × every caller.

use loyalty_staff_api::route::{Operation, ROUTES, Route};
use serde_json::{Value, json};

use crate::common::{Asked, Shop, callers, letter};

/// A body that the route understands.
fn body(operation: Operation) -> Value {
    match operation {
        Operation::AddNote => json!({"text": "Called."}),
        Operation::Adjust => json!({"direction": "add", "points": 1, "reason": "r"}),
        Operation::Review => json!({"approve": true, "reason": "r"}),
        Operation::Notes
        | Operation::Proposals
        | Operation::Reward
        | Operation::RewardVersions
        | Operation::PauseReward
        | Operation::ResumeReward
        | Operation::RetireReward => Value::Null,
        Operation::PutReward => crate::rewards::cup(1),
        Operation::ChangeStock => json!({"add": 5}),
        Operation::AddCodes => json!({"codes": ["A"]}),
        Operation::Merge => json!({"into": "m2", "reason": "r"}),
        Operation::UndoMerge => json!({"into": "m2", "merge_id": "0".repeat(32), "reason": "r"}),
    }
}

/// Who is let in, by hand: a table that is wrong would agree with itself. The columns are those of [`callers`].
#[rustfmt::skip]
const BY_HAND: &[&str] = &[
    "nnss+ssssu POST /v1/members/{id}/notes",
    "nnss+ssssu GET /v1/members/{id}/notes",
    "nnsss+sssu POST /v1/members/{id}/adjustments",
    "nnss++sssu GET /v1/members/{id}/adjustments",
    "nnsss+sssu POST /v1/members/{id}/adjustments/{adjustment_id}/review",
    "nnssss+ssu POST /v1/members/{id}/merge",
    "nnssss+ssu POST /v1/members/{id}/merge/undo",
    "nnss+ss+su GET /v1/rewards/{reward_id}",
    "nnss+ss+su GET /v1/rewards/{reward_id}/versions",
    "nnsssss+su PUT /v1/rewards/{reward_id}",
    "nnsssss+su POST /v1/rewards/{reward_id}/pause",
    "nnsssss+su POST /v1/rewards/{reward_id}/resume",
    "nnsssss+su POST /v1/rewards/{reward_id}/retire",
    "nnsssss+su POST /v1/rewards/{reward_id}/stock",
    "nnsssss+su POST /v1/rewards/{reward_id}/codes",
];

fn asked(token: &Value, route: &Route) -> Asked {
    let path = route.path.replace("{id}", "m1").replace("{adjustment_id}", &"0".repeat(32));
    let path = path.replace("{reward_id}", "cup");
    Asked::new(token, &route.key(), &path).with(&body(route.operation)).under("k")
}

#[tokio::test]
async fn every_route_lets_in_whom_the_table_says_and_nobody_else() {
    let shop = Shop::with_members(&json!({})).await;
    let mut letters = Vec::new();
    for route in ROUTES {
        let mut row = String::new();
        for token in &callers() {
            let answer = shop.ask(asked(token, route)).await;
            row.push(letter(&answer));
            assert!(answer.status < 500, "{}: {answer:?}", route.key());
        }
        letters.push(format!("{row} {}", route.key()));
    }

    assert_eq!(letters, BY_HAND);
}
