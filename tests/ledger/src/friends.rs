//! Members who bring each other: a program that rewards them, what they do, and what follows from it.

use std::sync::Arc;

use jiff::{Timestamp, ToSpan};
use loyalty_domain::{
    code::ReferralCode,
    command::{Command, Correction, NewStatus, Request},
    event::{Event, ReferralEvent},
    id::{ClientId, MemberId, OrderId, ReasonCode, RefundId, RequestKey},
    money::Minor,
    points::Points,
    program::Program,
    referral::ReferralRefusal,
};
use loyalty_ledger::{Answer, Answered, Attempts, Entry, Ledger, execute, memory::MemoryLedger};
use serde_json::{Value, json};

use crate::member;

/// 100 points for whoever brings a friend and 50 for the friend, once 20.00 of an order were kept for 14 days.
/// Orders themselves earn next to nothing. `change` is merged into it.
pub fn program(change: &Value) -> Program {
    let mut spec = json!({
        "name": "Friends", "version": 1, "effective": "2020-01-01", "currency": "GBP",
        "time_zone": "UTC",
        "earning": {"points_per_unit": "0.001", "expiry_months": 60},
        "tiers": {"levels": [
            {"id": "bronze", "name": "Bronze"},
            {"id": "silver", "name": "Silver", "spend": "20000"}
        ]},
        "enrollment": {"activation": "none"},
        "referral": {
            "friend_points": 50, "referrer_points": 100, "window_days": 14, "min_amount": "20"
        },
    });
    merge(&mut spec, change);
    Program::try_from(serde_json::from_value::<loyalty_domain::program::ProgramSpec>(spec).unwrap())
        .unwrap()
}

fn merge(into: &mut Value, change: &Value) {
    let (Some(fields), Some(changes)) = (into.as_object_mut(), change.as_object()) else {
        *into = change.clone();
        return;
    };
    for (name, change) in changes {
        merge(fields.entry(name).or_insert(Value::Null), change);
    }
}

/// Some days after an arbitrary beginning, at noon.
pub fn day(days: i64) -> Timestamp {
    "2026-01-01T12:00:00Z".parse::<Timestamp>().unwrap() + (days * 24).hours()
}

/// The code of a member, which is made of their id.
pub fn code_of(member_id: &str) -> ReferralCode {
    let hash = member_id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    ReferralCode::of_random(hash.to_be_bytes())
}

/// Somebody joins, maybe brought by another one.
pub fn enroll(member_id: &str, days: i64, by: Option<&str>) -> Request {
    Request::enroll(member(member_id), day(days), by.map(code_of))
}

/// A code that was sent to a member came back.
pub fn activate(member_id: &str, days: i64) -> Request {
    Request::activate(member(member_id), day(days))
}

/// An order of one line, in minor units.
pub fn order(id: &str, member_id: &str, minor: u64, days: i64) -> Request {
    let mut request = crate::order(id, member_id, minor, 0);
    request.at = day(days);
    if let Command::PayOrder(order) = &mut request.command {
        order.paid_at = request.at;
    }
    request
}

/// An order that names the code of whoever brought its member.
pub fn order_naming(id: &str, member_id: &str, minor: u64, days: i64, by: &str) -> Request {
    let mut request = order(id, member_id, minor, days);
    if let Command::PayOrder(order) = &mut request.command {
        order.referral_code = Some(code_of(by).as_str().into());
    }
    request
}

/// A refund of an amount of an order.
pub fn refund(order: &str, id: &str, minor: u64, days: i64) -> Request {
    Request::refund(
        OrderId::try_from(order).unwrap(),
        RefundId::try_from(id).unwrap(),
        day(days),
        Correction::Amount(Minor::try_from(minor).unwrap()),
    )
}

/// An order is cancelled.
pub fn cancel(order: &str, days: i64) -> Request {
    Request::cancel(OrderId::try_from(order).unwrap(), day(days))
}

/// A use of points.
pub fn spend(key: &str, member_id: &str, points: u64, days: i64) -> Request {
    Request { at: day(days), ..crate::spend(key, member_id, points, 0) }
}

/// Staff change what a member is.
pub fn status(member_id: &str, days: i64, status: NewStatus) -> Request {
    let key = RequestKey::try_from(format!("{}-{days}", status.as_str()).as_str()).unwrap();
    let reason = ReasonCode::try_from("looked-into").unwrap();
    Request::set_status(client(), key, member(member_id), day(days), status, reason)
}

/// Staff decide about a friend.
pub fn review(friend: &str, days: i64, approves: bool) -> Request {
    let key = RequestKey::try_from(format!("review-{days}").as_str()).unwrap();
    let reason = ReasonCode::try_from("looked-into").unwrap();
    Request::review_referral(client(), key, member(friend), day(days), approves, reason)
}

/// The night before a day in which what fell due is recorded.
pub fn night(member_id: &str, days: i64) -> Request {
    let date = jiff::tz::TimeZone::UTC.to_datetime(day(days)).date();
    let at = day(days) - 12.hours();
    loyalty_ledger::due::post_due(member(member_id), date, at)
}

fn client() -> ClientId {
    ClientId::try_from("desk").unwrap()
}

/// What an entry says that happened.
pub fn events(entry: &Entry) -> &[Event] {
    match &entry.answer {
        Answer::Accepted(events) => events,
        Answer::Waiting(_) | Answer::Refused(_) => &[],
    }
}

/// What happened to the referral of the entry's member.
pub fn referral_events(entry: &Entry) -> impl Iterator<Item = &ReferralEvent> {
    events(entry)
        .iter()
        .filter_map(|it| if let Event::Referral(event) = it { Some(&**event) } else { None })
}

/// What whoever reads the stream asks for after `answered`: that what qualifies is settled.
pub fn follow_ups(answered: &Answered) -> Vec<Request> {
    let Answered::Now(entry) = answered else { return Vec::new() };
    let qualified = referral_events(entry).filter_map(|it| {
        if let ReferralEvent::Qualified { at, .. } = it { Some(*at) } else { None }
    });
    let Some(friend) = &entry.member_id else { return Vec::new() };
    qualified.map(|at| Request::settle_referral(friend.clone(), at)).collect()
}

/// Answers `request`, and all that follows from it.
pub async fn post(ledger: &impl Ledger, program: &Program, request: &Request) -> Answered {
    let answered = execute(ledger, program, &mut Attempts(9), request).await.unwrap();
    for request in follow_ups(&answered) {
        execute(ledger, program, &mut Attempts(9), &request).await.unwrap();
    }
    answered
}

/// The word for a refusal, and what is shared if something is.
pub fn reason(refusal: &ReferralRefusal) -> String {
    let value = serde_json::to_value(refusal).unwrap();
    let words = [&value["reason"], &value["kind"]].map(|it| it.as_str().unwrap_or_default());
    words.join(" ").trim_end().to_owned()
}

/// What the owner of an account has, and what became of who brought them, in words: `50 rewarded`.
pub fn picture(ledger: &MemoryLedger, member_id: &MemberId) -> String {
    use loyalty_domain::referral::ReferralState::{
        Held, Named, Qualified, Refused, Revoked, Rewarded,
    };
    let Some(account) = ledger.account(member_id) else { return "nobody".to_owned() };
    let mut words = account.available().unwrap().to_string();
    if account.debt != Points::ZERO {
        words = format!("{words} owing {}", account.debt);
    }
    let state = account.membership.referred.as_ref().map(|it| match &it.state {
        Named => "named".to_owned(),
        Qualified { .. } => "qualified".to_owned(),
        Held { .. } => "held".to_owned(),
        Rewarded(_) => "rewarded".to_owned(),
        Refused(refusal) => format!("refused {}", reason(refusal)),
        Revoked => "revoked".to_owned(),
    });
    let entries = ledger.entries();
    let own = |it: &&Arc<Entry>| it.member_id.as_ref() == Some(member_id);
    let not_named =
        entries.iter().filter(own).flat_map(|it| referral_events(it)).filter_map(|it| {
            let ReferralEvent::NotNamed { refusal } = it else { return None };
            Some(format!("not named {}", reason(refusal)))
        });
    std::iter::once(words).chain(state).chain(not_named).collect::<Vec<_>>().join(" ")
}
