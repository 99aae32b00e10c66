//! Every path of the API that is for staff, with who may ask.

use loyalty_runtime::api::route::{BodyKind, Method};
pub use loyalty_runtime::api::route::{Route as AnyRoute, Who};

/// One method of one path.
pub type Route = AnyRoute<Operation>;

/// What a route answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Something is written down about a member.
    AddNote,
    /// What was written down is read.
    Notes,
    /// Points are added or taken off.
    Adjust,
    /// What waits for a second person is read.
    Proposals,
    /// A second person decides.
    Review,
    /// Two members become one.
    Merge,
    /// They become two again.
    UndoMerge,
    /// A reward, with what is left of it.
    Reward,
    /// What it was before, and who made it so.
    RewardVersions,
    /// A reward is created or changed.
    PutReward,
    /// It cannot be taken for now.
    PauseReward,
    /// It can be taken.
    ResumeReward,
    /// It can never be taken again.
    RetireReward,
    /// What is left of it is changed.
    ChangeStock,
    /// Codes are added to it.
    AddCodes,
}

const STAFF: &[Who] = &[Who::Staff];
const ADJUSTERS: &[Who] = &[Who::Adjuster];
const MERGERS: &[Who] = &[Who::Merger];
const EDITORS: &[Who] = &[Who::Editor];
const STAFF_AND_EDITORS: &[Who] = &[Who::Staff, Who::Editor];

/// Every route there is.
#[rustfmt::skip]
pub const ROUTES: &[Route] = &[
    Route { method: Method::Post, path: "/v1/members/{id}/notes", body: BodyKind::KeyedJson, operation: Operation::AddNote, callers: STAFF },
    Route { method: Method::Get, path: "/v1/members/{id}/notes", body: BodyKind::None, operation: Operation::Notes, callers: STAFF },
    Route { method: Method::Post, path: "/v1/members/{id}/adjustments", body: BodyKind::KeyedJson, operation: Operation::Adjust, callers: ADJUSTERS },
    Route { method: Method::Get, path: "/v1/members/{id}/adjustments", body: BodyKind::None, operation: Operation::Proposals, callers: &[Who::Staff, Who::Adjuster] },
    Route { method: Method::Post, path: "/v1/members/{id}/adjustments/{adjustment_id}/review", body: BodyKind::KeyedJson, operation: Operation::Review, callers: ADJUSTERS },
    Route { method: Method::Post, path: "/v1/members/{id}/merge", body: BodyKind::KeyedJson, operation: Operation::Merge, callers: MERGERS },
    Route { method: Method::Post, path: "/v1/members/{id}/merge/undo", body: BodyKind::KeyedJson, operation: Operation::UndoMerge, callers: MERGERS },
    Route { method: Method::Get, path: "/v1/rewards/{reward_id}", body: BodyKind::None, operation: Operation::Reward, callers: STAFF_AND_EDITORS },
    Route { method: Method::Get, path: "/v1/rewards/{reward_id}/versions", body: BodyKind::None, operation: Operation::RewardVersions, callers: STAFF_AND_EDITORS },
    Route { method: Method::Put, path: "/v1/rewards/{reward_id}", body: BodyKind::Json, operation: Operation::PutReward, callers: EDITORS },
    Route { method: Method::Post, path: "/v1/rewards/{reward_id}/pause", body: BodyKind::None, operation: Operation::PauseReward, callers: EDITORS },
    Route { method: Method::Post, path: "/v1/rewards/{reward_id}/resume", body: BodyKind::None, operation: Operation::ResumeReward, callers: EDITORS },
    Route { method: Method::Post, path: "/v1/rewards/{reward_id}/retire", body: BodyKind::None, operation: Operation::RetireReward, callers: EDITORS },
    Route { method: Method::Post, path: "/v1/rewards/{reward_id}/stock", body: BodyKind::KeyedJson, operation: Operation::ChangeStock, callers: EDITORS },
    Route { method: Method::Post, path: "/v1/rewards/{reward_id}/codes", body: BodyKind::Json, operation: Operation::AddCodes, callers: EDITORS },
];
