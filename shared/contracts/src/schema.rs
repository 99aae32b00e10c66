//! The shapes of events as JSON Schemas, for those who send them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde_json::{Map, Value, json};

use crate::{
    announcement::{
        AdjustmentDenied, AdjustmentProposed, Announcement, BalanceTakenOver, MemberActivated,
        MemberEnrolled, MemberStatusChanged, Merged, PointsAvailable, PointsClawedBack,
        PointsEarned, PointsExpired, PointsExpiring, PointsExtended, PointsGivenBack,
        PointsGrantRevoked, PointsGranted, PointsReinstated, PointsSpent, ReferralHeld,
        ReferralOrdered, ReferralPending, ReferralQualified, ReferralRefused, ReferralRevoked,
        ReferralRewarded, SOURCE, TierAtRisk, TierAwaited, TierChanged, TierGraceBegan,
        TierNotBegun, TierRenewed, TransferredIn, TransferredOut, Unmerged,
    },
    api::Adjusted,
    balance::BalanceOpened,
    checkout::{PointsCaptured, PointsHeld, PointsPayment, PointsReleased, PointsReturned},
    member::ActivationRequested,
    order::{OrderCancelled, OrderChanged, OrderPaid, OrderRefunded},
    referral::ReviewReferral,
    review::{
        AddGrowth, CompleteTask, ExtendLife, LiftLevel, MeasureMembers, OverrideLevel,
        PlanMeasuring, ReinstatePoints,
    },
    reward::{RewardFulfilled, RewardIssued, RewardReturned},
    work::{PlanDue, PostDue},
};

/// A schema as it is checked in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The name of its file in `shared/contracts/schemas`.
    pub file_name: &'static str,
    /// What stands in the file.
    pub text: String,
}

/// The schemas of all events, and of what we ask ourselves about due work, levels and referrals.
///
/// Each event's is one of whole messages, in either form: it first looks for `detail-type`, as the reader
/// does, so that a validator's complaints are about the form that was meant.
///
/// # Errors
///
/// Never, short of a shape that is no JSON. Retrying cannot help.
pub fn documents() -> Result<Vec<Document>, serde_json::Error> {
    Ok(vec![
        document::<OrderPaid>("order.paid", "order.paid.v1.json")?,
        document::<OrderChanged>("order.changed", "order.changed.v1.json")?,
        document::<OrderCancelled>("order.cancelled", "order.cancelled.v1.json")?,
        document::<OrderRefunded>("order.refunded", "order.refunded.v1.json")?,
        document::<BalanceOpened>("balance.opened", "balance.opened.v1.json")?,
        own::<PlanDue>("due.plan", "due.plan.v1.json", DUE_WORK)?,
        own::<PostDue>("due.post", "due.post.v1.json", DUE_WORK)?,
        own::<AddGrowth>("growth.add", "growth.add.v1.json", REVIEWS)?,
        own::<CompleteTask>("task.complete", "task.complete.v1.json", REVIEWS)?,
        own::<OverrideLevel>("level.override", "level.override.v1.json", REVIEWS)?,
        own::<LiftLevel>("level.lift", "level.lift.v1.json", REVIEWS)?,
        own::<ExtendLife>("life.extend", "life.extend.v1.json", REVIEWS)?,
        own::<ReinstatePoints>("points.reinstate", "points.reinstate.v1.json", REVIEWS)?,
        own::<PlanMeasuring>("measure.plan", "measure.plan.v1.json", REVIEWS)?,
        own::<MeasureMembers>("measure.members", "measure.members.v1.json", REVIEWS)?,
        own::<ReviewReferral>("referral.review", "referral.review.v1.json", REFERRALS)?,
    ])
}

/// What messages of the night are.
const DUE_WORK: &str = "A message of the queue of due work.";
/// What messages about levels are.
const REVIEWS: &str = "A message of the queue of tier reviews.";

/// What messages about referrals are.
const REFERRALS: &str = "A message of the queue of referrals.";

/// A message of a queue of our own: bare, and of no version.
fn own<T: JsonSchema>(
    name: &str,
    file_name: &'static str,
    description: &str,
) -> Result<Document, serde_json::Error> {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let message = generator.subschema_for::<T>();
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("{name}, version 1"),
        "description": description,
        "type": "object",
        "allOf": [message],
        "required": ["type"],
        "properties": { "type": { "const": name } },
        "$defs": generator.take_definitions(true)
    });
    let mut text = serde_json::to_string_pretty(&sorted(schema))?;
    text.push('\n');
    Ok(Document { file_name, text })
}

fn document<T: JsonSchema>(
    name: &str,
    file_name: &'static str,
) -> Result<Document, serde_json::Error> {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let detail = generator.subschema_for::<T>();
    let mut definitions = generator.take_definitions(true);
    let version = json!({
        "description": "The version of this shape.",
        "enum": [1, null],
        "default": 1
    });
    if let Some(properties) = definitions
        .get_mut(T::schema_name().as_ref())
        .and_then(|it| it.get_mut("properties"))
        .and_then(Value::as_object_mut)
    {
        properties.insert("version".to_owned(), version);
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("{name}, version 1"),
        "description": "A message: an event in the envelope of EventBridge, or bare with its `type`.",
        "type": "object",
        "if": { "required": ["detail-type"] },
        "then": {
            "required": ["detail-type", "detail"],
            "properties": { "detail-type": { "const": name }, "detail": detail }
        },
        "else": {
            "allOf": [detail],
            "required": ["type"],
            "properties": { "type": { "const": name } }
        },
        "$defs": definitions
    });
    let mut text = serde_json::to_string_pretty(&sorted(schema))?;
    text.push('\n');
    Ok(Document { file_name, text })
}

/// The schemas of all that the shop is told, whose files are in `shared/contracts/announcements/schemas`.
///
/// # Errors
///
/// As [`documents`].
pub fn announcements() -> Result<Vec<Document>, serde_json::Error> {
    let mut all = vec![
        announcement::<AdjustmentDenied>("adjustment.denied", "adjustment.denied.v1.json")?,
        announcement::<AdjustmentProposed>("adjustment.proposed", "adjustment.proposed.v1.json")?,
        announcement::<BalanceTakenOver>("balance.taken_over", "balance.taken_over.v1.json")?,
        announcement::<MemberActivated>("member.activated", "member.activated.v1.json")?,
        told::<ActivationRequested<'_>>(
            ActivationRequested::NAME,
            "member.activation_requested.v1.json",
            ACTIVATION,
        )?,
        announcement::<MemberEnrolled>("member.enrolled", "member.enrolled.v1.json")?,
        announcement::<Merged>("member.merged", "member.merged.v1.json")?,
        announcement::<MemberStatusChanged>(
            "member.status_changed",
            "member.status_changed.v1.json",
        )?,
        announcement::<Unmerged>("member.unmerged", "member.unmerged.v1.json")?,
        announcement::<Adjusted>("points.adjusted", "points.adjusted.v1.json")?,
        announcement::<PointsAvailable>("points.available", "points.available.v1.json")?,
        announcement::<PointsCaptured>("points.captured", "points.captured.v1.json")?,
        announcement::<PointsClawedBack>("points.clawed_back", "points.clawed_back.v1.json")?,
        announcement::<PointsEarned>("points.earned", "points.earned.v1.json")?,
        announcement::<PointsExpired>("points.expired", "points.expired.v1.json")?,
        announcement::<PointsExpiring>("points.expiring", "points.expiring.v1.json")?,
        announcement::<PointsExtended>("points.extended", "points.extended.v1.json")?,
        announcement::<PointsGivenBack>("points.given_back", "points.given_back.v1.json")?,
        announcement::<PointsGrantRevoked>("points.grant_revoked", "points.grant_revoked.v1.json")?,
        announcement::<PointsGranted>("points.granted", "points.granted.v1.json")?,
        announcement::<PointsHeld>("points.held", "points.held.v1.json")?,
        announcement::<PointsPayment>("points.payment", "points.payment.v1.json")?,
        announcement::<PointsReinstated>("points.reinstated", "points.reinstated.v1.json")?,
        announcement::<PointsReleased>("points.released", "points.released.v1.json")?,
        announcement::<PointsReturned>("points.returned", "points.returned.v1.json")?,
        announcement::<PointsSpent>("points.spent", "points.spent.v1.json")?,
        announcement::<TransferredIn>("points.transferred_in", "points.transferred_in.v1.json")?,
        announcement::<TransferredOut>("points.transferred_out", "points.transferred_out.v1.json")?,
        announcement::<ReferralHeld>("referral.held", "referral.held.v1.json")?,
        announcement::<ReferralOrdered>("referral.ordered", "referral.ordered.v1.json")?,
        announcement::<ReferralPending>("referral.pending", "referral.pending.v1.json")?,
        announcement::<ReferralQualified>("referral.qualified", "referral.qualified.v1.json")?,
        announcement::<ReferralRefused>("referral.refused", "referral.refused.v1.json")?,
        announcement::<ReferralRevoked>("referral.revoked", "referral.revoked.v1.json")?,
        announcement::<ReferralRewarded>("referral.rewarded", "referral.rewarded.v1.json")?,
        announcement::<RewardReturned>("reward.cancelled", "reward.cancelled.v1.json")?,
        announcement::<RewardFulfilled>("reward.fulfilled", "reward.fulfilled.v1.json")?,
        announcement::<RewardIssued>("reward.issued", "reward.issued.v1.json")?,
        announcement::<RewardReturned>("reward.refunded", "reward.refunded.v1.json")?,
        announcement::<TierAtRisk>("tier.at_risk", "tier.at_risk.v1.json")?,
        announcement::<TierAwaited>("tier.awaited", "tier.awaited.v1.json")?,
        announcement::<TierChanged>("tier.changed", "tier.changed.v1.json")?,
        announcement::<TierGraceBegan>("tier.grace_began", "tier.grace_began.v1.json")?,
        announcement::<TierNotBegun>("tier.not_begun", "tier.not_begun.v1.json")?,
        announcement::<TierRenewed>("tier.renewed", "tier.renewed.v1.json")?,
    ];
    // As the folder has them.
    all.sort_unstable_by_key(|it| it.file_name);
    Ok(all)
}

/// What an event is.
const EVENT: &str =
    "An event in the envelope of EventBridge. What is not described may be there, too.";
/// What the one event is that is no news of an entry.
const ACTIVATION: &str = "An event in the envelope of EventBridge, for whoever sends mail and short messages: the only \
    one with personal data and a code, which must be neither archived nor logged. It may come twice. What is not \
    described may be there, too.";

/// An event of an entry.
fn announcement<T: JsonSchema>(
    name: &str,
    file_name: &'static str,
) -> Result<Document, serde_json::Error> {
    told::<Announcement<T>>(name, file_name, EVENT)
}

fn told<T: JsonSchema>(
    name: &str,
    file_name: &'static str,
    description: &str,
) -> Result<Document, serde_json::Error> {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let detail = T::json_schema(&mut generator);
    let definitions = generator.take_definitions(true);
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("{name}, version 1"),
        "description": description,
        "type": "object",
        "required": ["detail-type", "source", "detail"],
        "properties": {
            "detail-type": { "const": name },
            "source": { "const": SOURCE },
            "detail": detail
        },
        "$defs": definitions
    });
    let mut text = serde_json::to_string_pretty(&sorted(schema))?;
    text.push('\n');
    Ok(Document { file_name, text })
}

/// The same value with keys in order, whatever features the library was built with, and texts on one
/// line.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(list) => list.into_iter().map(sorted).collect(),
        Value::Object(map) => {
            let mut pairs: Vec<_> = map.into_iter().collect();
            pairs.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
            Value::Object(pairs.into_iter().map(|(key, it)| (key, sorted(it))).collect())
        }
        // Where a comment breaks its lines is no matter of those who read the schema.
        Value::String(text) => Value::String(text.replace('\n', " ")),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

/// Exactly one of `fields`, each of a type of its own: being `null` is being absent.
pub(crate) fn one_of(fields: &[(&str, &str)]) -> Value {
    fields.iter().map(|(name, kind)| has(name, kind)).collect()
}

/// An amount, or at least one of the parts of a refund.
pub(crate) fn refunds() -> Value {
    let parts = [("lines", "array"), ("shipping_minor", "integer"), ("tax_minor", "integer")];
    let parts: Vec<Value> = parts.iter().map(|(name, kind)| has(name, kind)).collect();
    json!([has("amount_minor", "integer"), { "anyOf": parts }])
}

fn has(name: &str, kind: &str) -> Value {
    let properties = Map::from_iter([(name.to_owned(), json!({ "type": kind }))]);
    json!({ "required": [name], "properties": properties })
}

macro_rules! scalars {
    ($($(#[$doc:meta])* $name:ident, $schema:tt;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

scalars! {
    /// The only version.
    One, {
        "const": 1
    };
    /// What ids and names may be.
    Id, {
        "description": "1 to 128 bytes of UTF-8, compared byte for byte, not blank, without control \
            characters.",
        "type": "string",
        "minLength": 1,
        "maxLength": 128,
        "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$"
    };
    /// An id that was made from that of a request.
    DerivedId, {
        "description": "32 hexadecimal digits in lower case, as the request that made it was answered.",
        "type": "string",
        "pattern": "^[0-9a-f]{32}$",
        "examples": ["0123456789abcdef0123456789abcdef"]
    };
    /// Money.
    Amount, {
        "description": "A whole number of minor units (cents), without point, exponent or quotes.",
        "type": "integer",
        "minimum": 0,
        "maximum": 9_223_372_036_854_775_807_u64
    };
    /// A price finer than a minor unit.
    Price, {
        "description": "A decimal of minor units as text, at most nine digits after the point and \
            at most 1000000000000000 without it.",
        "type": "string",
        "pattern": "^\\+?[0-9]+(\\.[0-9]{1,9}0*)?$",
        "examples": ["165.5"]
    };
    /// An instant.
    Instant, {
        "description": "A date and time of RFC 3339 with its offset from UTC, not before 1970 and \
            not more than five minutes ahead of the receiver's clock.",
        "type": "string",
        "format": "date-time",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$",
        "examples": ["2026-01-31T12:00:00+01:00"]
    };
    /// An instant that may be to come.
    AnyInstant, {
        "description": "A date and time of RFC 3339 with its offset from UTC, not before 1970.",
        "type": "string",
        "format": "date-time",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$",
        "examples": ["2026-01-31T12:00:00+01:00"]
    };
    /// A day.
    Day, {
        "description": "A day in the program's time zone, not before 1970.",
        "type": "string",
        "format": "date",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
        "examples": ["2026-01-31"]
    };
    /// A month.
    CalendarMonth, {
        "description": "A month in the program's time zone, not before 1970.",
        "type": "string",
        "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$",
        "examples": ["2026-01"]
    };
    /// Points.
    WholePoints, {
        "description": "A whole number of points, without point, exponent or quotes.",
        "type": "integer",
        "minimum": 0,
        "maximum": 9_223_372_036_854_775_807_u64
    };
    /// Why staff did something.
    Reason, {
        "description": "A shop's code of why, never a sentence.",
        "type": "string",
        "pattern": "^[a-z0-9_-]{1,64}$",
        "examples": ["goodwill"]
    };
    /// A currency.
    CurrencyCode, {
        "description": "A currency of ISO 4217 that has minor units.",
        "type": "string",
        "pattern": "^[A-Z]{3}$",
        "examples": ["EUR"]
    };
}
