//! The API as an `OpenAPI` 3.1 document, made from the route table and from the shapes of bodies and answers.

use loyalty_contracts::{catalogue, problem::ProblemKind, staff};
use loyalty_runtime::api::openapi::{Document, Words, collect};
use serde_json::{Value, json};

use crate::route::{Operation, ROUTES};

/// What the document says of all paths.
const ABOUT: &str = "What only staff do. Every act is somebody's: the token's `sub`, which must not be a mail address, \
    stands with it for ever. What staff write in words of their own is kept with the member's personal data and goes \
    with it; the ledger knows its id alone.\n\n\
    Members are looked up by `POST /v1/members/lookup`, and memberships are frozen, closed or let go on by `POST \
    /v1/members/{id}/status`, both in the document of members; accounts and statements are read in that of accounts. \
    All three are open to `loyalty/staff`.\n\n\
    **Bodies** are JSON of at most 16384 bytes. A field that is not known is refused, as is one that is there \
    twice. `mistakes` names all that is wrong, and nothing of what was sent.\n\n\
    **Repeats.** Whatever changes something has an `idempotency-key`. If no answer comes, send the same again: it is \
    done once, and answered as it was.\n\n\
    **Fields** may be added to any answer, and values to any `kind`, `state`, `reason` or `code`.\n\n\
    **Errors** are problem documents (RFC 9457). `code` never changes; `retry` says whether the same request, \
    unchanged, may succeed later. A 503 says in `retry-after` when.";

const DOCUMENT: Document = Document { title: "Loyalty: staff", about: ABOUT };

/// The document's text, as it is checked in.
///
/// # Errors
///
/// Never, short of a shape that is no JSON. Retrying cannot help.
pub fn text() -> Result<String, serde_json::Error> {
    let mut schemas = Vec::new();
    collect::<staff::AddNote>(&mut schemas);
    collect::<staff::Note>(&mut schemas);
    collect::<staff::Notes>(&mut schemas);
    collect::<staff::AdjustPoints>(&mut schemas);
    collect::<staff::AdjustmentShown>(&mut schemas);
    collect::<staff::Proposals>(&mut schemas);
    collect::<staff::ReviewAdjustment>(&mut schemas);
    collect::<staff::MergeMembers>(&mut schemas);
    collect::<staff::UndoMerge>(&mut schemas);
    collect::<staff::Merged>(&mut schemas);
    collect::<catalogue::PutReward>(&mut schemas);
    collect::<catalogue::KeptReward>(&mut schemas);
    collect::<catalogue::RewardVersions>(&mut schemas);
    collect::<catalogue::RewardVersion>(&mut schemas);
    collect::<catalogue::ChangeStock>(&mut schemas);
    collect::<catalogue::AddCodes>(&mut schemas);
    collect::<catalogue::CodesAdded>(&mut schemas);
    DOCUMENT.text(ROUTES, words, schemas)
}

#[expect(clippy::too_many_lines, reason = "one operation after the other")]
fn words(operation: Operation) -> Words {
    match operation {
        Operation::AddNote => Words {
            id: "addNote",
            summary: "Writes something down about a member",
            about: "It never changes, and goes with the member's personal data. An adjustment can name it.",
            body: Some(("AddNote", json!({"text": "Called; the parcel came broken."}))),
            answers: vec![(200, "The note", "Note", note())],
            has_pages: false,
            problems: &[ProblemKind::NobodyInToken, ProblemKind::MemberNotFound],
        },
        Operation::Notes => Words {
            id: "getNotes",
            summary: "What was written down about a member",
            about: "The newest first, at most 500; none if there is no such member.",
            body: None,
            answers: vec![(200, "The notes", "Notes", json!({"notes": [note()]}))],
            has_pages: false,
            problems: &[],
        },
        Operation::Adjust => Words {
            id: "adjustPoints",
            summary: "Adds points to a member's account, or takes them off",
            about: "Above the program's `adjustments.approval_above` nothing happens until somebody else approves. Points \
                    that are added pay what is owed first, and are then good as if they were earned today, or \
                    `through` a day. More than is available is never taken. What `note` says is kept as a note, and \
                    stays if the adjustment is refused.",
            body: Some((
                "AdjustPoints",
                json!({"direction": "add", "points": 100, "reason": "goodwill", "note": "The parcel came broken."}),
            )),
            answers: vec![
                (
                    200,
                    "The points are added or taken off",
                    "AdjustmentShown",
                    adjusted("adjusted", "adjust"),
                ),
                (
                    202,
                    "A second person has to decide",
                    "AdjustmentShown",
                    adjusted("waiting", "adjust"),
                ),
            ],
            has_pages: false,
            problems: &[
                ProblemKind::NobodyInToken,
                ProblemKind::MemberNotFound,
                ProblemKind::Refused,
            ],
        },
        Operation::Proposals => Words {
            id: "getAdjustments",
            summary: "Adjustments of a member that wait for a second person",
            about: "In the order in which they were asked for, at most 8. What was made is in the statement.",
            body: None,
            answers: vec![(
                200,
                "What waits",
                "Proposals",
                json!({"adjustments": [{
                    "adjustment_id": ID, "requester": "staff-7", "direction": "add", "points": 5_000,
                    "reason": "goodwill", "note_id": null, "through": null
                }]}),
            )],
            has_pages: false,
            problems: &[ProblemKind::MemberNotFound],
        },
        Operation::Review => Words {
            id: "reviewAdjustment",
            summary: "Decides about an adjustment that waits",
            about: "By another person than the one who asked for it, whatever app either uses. Once decided, it waits no \
                    more; if it can no longer be made, that is refused and it waits on.",
            body: Some(("ReviewAdjustment", json!({"approve": true, "reason": "receipt-seen"}))),
            answers: vec![(
                200,
                "The points are added or taken off, or that was denied",
                "AdjustmentShown",
                adjusted("adjusted", "review_adjustment"),
            )],
            has_pages: false,
            problems: &[ProblemKind::NotFound, ProblemKind::NobodyInToken, ProblemKind::Refused],
        },
        Operation::Merge => Words {
            id: "mergeMembers",
            summary: "Makes two members one",
            about: "The member of the path becomes a name for the other: what is left of the account goes there, and \
                    whatever names the member later is about the other. No entry moves.",
            body: Some(("MergeMembers", json!({"into": "13047", "reason": "same-person"}))),
            answers: vec![(200, "The merge", "Merged", merged("merge"))],
            has_pages: false,
            problems: &[ProblemKind::NobodyInToken, ProblemKind::Refused],
        },
        Operation::UndoMerge => Words {
            id: "undoMerge",
            summary: "Makes members who became one two again",
            about: "What came goes back as far as it is there; what is not stays, and the entry says so.",
            body: Some((
                "UndoMerge",
                json!({"into": "13047", "merge_id": ID, "reason": "two-persons"}),
            )),
            answers: vec![(200, "The merge that is undone", "Merged", merged("undo_merge"))],
            has_pages: false,
            problems: &[ProblemKind::NobodyInToken, ProblemKind::Refused],
        },
        Operation::Reward => kept("getReward", "A reward, and what is left of it", GET, None, &[]),
        Operation::RewardVersions => Words {
            id: "getRewardVersions",
            summary: "What a reward was, and who made it so",
            about: "The newest version first, at most 100. Each stands for ever; what a member took names the version \
                    that it was taken of.",
            body: None,
            answers: vec![(
                200,
                "The versions",
                "RewardVersions",
                json!({"versions": [
                    {"by": "staff-7", "at": "2026-11-20T09:30:00Z", "reward": said()}
                ]}),
            )],
            has_pages: false,
            problems: &[ProblemKind::NotFound],
        },
        Operation::PutReward => {
            let body = Some(("PutReward", said()));
            kept("putReward", "Creates a reward, or changes it", PUT, body, NOBODY)
        }
        Operation::PauseReward => {
            kept("pauseReward", "Lets a reward not be taken for now", STATUS, None, STANDS)
        }
        Operation::ResumeReward => {
            kept("resumeReward", "Lets a reward be taken, a draft, too", STATUS, None, STANDS)
        }
        Operation::RetireReward => {
            kept("retireReward", "Lets a reward never be taken again", RETIRE, None, STANDS)
        }
        Operation::ChangeStock => {
            let body = Some(("ChangeStock", json!({"add": 500})));
            kept("changeStock", "Changes what is left of a reward", STOCK, body, NOBODY)
        }
        Operation::AddCodes => {
            let body = Some(("AddCodes", json!({"codes": ["WINTER-1", "WINTER-2"]})));
            let added = json!({"added": 2, "known": 0});
            let answers = vec![(200, "What became of them", "CodesAdded", added)];
            Words { answers, ..kept("addCodes", "Adds codes to a coupon", CODES, body, NOBODY) }
        }
    }
}

const GET: &str = "All that was said of it.";
const PUT: &str = "It becomes what the body says, all of it, if `version` is the one after the one that is kept: 1 of a \
    new one. Sent again it changes nothing. What members took before is not touched. The id, the kind and whether stock \
    is limited never change; a reward that was retired stays so.";
const STATUS: &str = "Its `version` rises by one, unless it is so already.";
const RETIRE: &str = "There is no way back. What members took goes on.";
const STOCK: &str = "Adds to it or takes from it, once for each key. Of a collectible, the next serial numbers are made.";
const CODES: &str =
    "A code that the reward has or ever had is passed over, so that a list can be sent again.";
/// What can be wrong where somebody changes the catalogue.
const NOBODY: &[ProblemKind] = &[ProblemKind::NobodyInToken];
/// Likewise, where what was retired stays so.
const STANDS: &[ProblemKind] = &[ProblemKind::NobodyInToken, ProblemKind::Refused];

/// What is said of a route that shows a reward.
fn kept(
    id: &'static str,
    summary: &'static str,
    about: &'static str,
    body: Option<(&'static str, Value)>,
    problems: &'static [ProblemKind],
) -> Words {
    let kept = json!({"reward_id": "coupon-5", "reward": said(), "remaining": null});
    let answers = vec![(200, "The reward", "KeptReward", kept)];
    Words { id, summary, about, body, answers, has_pages: false, problems }
}

/// What is said of a reward.
fn said() -> Value {
    json!({
        "version": 1, "status": "active", "kind": {"coupon": {"codes": "generated"}}, "points": 100,
        "price_by_level": {"gold": 80}, "is_limited": false, "expected_stock": null,
        "limits": [{"period": "month", "count": 1}], "levels": [], "early_days": {"gold": 2},
        "from": {"day": "2026-12-01"}, "until": {"instant": "2026-12-31T18:00:00Z"},
        "channels": ["app"], "texts": {"en": {"name": "5 off", "description": "", "terms": ""}}
    })
}

const ID: &str = "0b5a2d1c9e7f48f3a6b4c2d1e0f98765";

/// An adjustment for a member who is made up.
fn adjusted(state: &str, operation: &str) -> Value {
    json!({"state": state, "adjustment_id": ID, "note_id": null, "entry": entry(operation)})
}

/// A merge of members who are made up.
fn merged(operation: &str) -> Value {
    json!({"merge_id": ID, "entry": entry(operation)})
}

/// An entry of a member who is made up, by a request of staff.
fn entry(operation: &str) -> Value {
    json!({
        "id": format!("K#staff-7#17850#{operation}#5b0f9a6e"), "sequence": 12,
        "at": "2026-02-10T09:30:00Z", "sent_at": "2026-02-10T09:30:00Z",
        "source": {"kind": operation, "client_id": "staff-7", "request_key": "5b0f9a6e"},
        "program_version": 3, "changes": [],
        "balance": {"available": 20, "pending": 52, "held": 0, "debt": 0}
    })
}

/// A note about a member who is made up.
fn note() -> Value {
    json!({
        "note_id": ID, "by": "staff-7", "at": "2026-02-10T09:30:00Z",
        "text": "Called; the parcel came broken."
    })
}
