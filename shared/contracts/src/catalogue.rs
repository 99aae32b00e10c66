//! The catalogue over HTTP: what members see of rewards and ask for, and what staff make of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use loyalty_domain::{
    id::{Channel, LevelId, ReasonCode, RewardId},
    points::Points,
    program::CapPeriod,
    redemption::RedemptionStatus,
    reward::{
        InvalidReward, Language, Moment, Reward, RewardKind, RewardLimit, RewardSpec, RewardStatus,
        RewardText, Stock, VoucherCode,
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    body::{BodyError, Mistake, read},
    reward::{RedeemedReward, RewardIssued},
};

/// What is said where a reward's id should be.
const REWARD_ID: &str = "the id of a reward";

/// A reward is to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RedeemReward {
    /// Which.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "tea-cup"))]
    pub reward_id: RewardId,
    /// What it is believed to cost: it is refused if it costs something else by now.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1, example = 100))]
    pub points: Option<Points>,
    /// Where it is asked for.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "app"))]
    pub channel: Option<Channel>,
}

impl RedeemReward {
    /// The request in `body`.
    ///
    /// # Errors
    ///
    /// A [`BodyError`], which says nothing that was sent. Retrying cannot help.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        read(body, &["reward_id", "points", "channel"], |it| {
            let reward_id =
                it.needed("reward_id", REWARD_ID, it.text(|text| RewardId::try_from(text)));
            let points = it.value("points", it.points());
            let channel = it.value("channel", it.text(|text| Channel::try_from(text)));
            Some(Self { reward_id: reward_id?, points, channel })
        })
    }
}

/// A redemption goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContinueRedemption {
    /// The code of why, or how: never a sentence, which could name somebody.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "changed-mind"))]
    pub reason: ReasonCode,
}

impl ContinueRedemption {
    /// The request in `body`.
    ///
    /// # Errors
    ///
    /// A [`BodyError`], which says nothing that was sent. Retrying cannot help.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        read(body, &["reason"], |it| {
            let reason = it.text(|text| ReasonCode::try_from(text));
            Some(Self { reason: it.needed("reason", "the code of a reason", reason)? })
        })
    }
}

/// What is left of a reward is changed. One of both is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangeStock {
    /// So many more; of a collectible, the next serial numbers.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, example = 500))]
    pub add: Option<u64>,
    /// So many fewer.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub remove: Option<u64>,
}

impl ChangeStock {
    /// The request in `body`.
    ///
    /// # Errors
    ///
    /// A [`BodyError`], which says nothing that was sent. Retrying cannot help.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        read(body, &["add", "remove"], |it| {
            let add = it.value("add", it.number());
            let remove = it.value("remove", it.number());
            if add.is_some() == remove.is_some() {
                it.wrong("add", "a whole number from 1, or `remove` instead");
            }
            Some(Self { add, remove })
        })
    }
}

/// Codes are added to a coupon whose codes are uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddCodes {
    /// At most 1,000, and as many as fit a body. Those that were added before are passed over.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub codes: Vec<VoucherCode>,
}

impl AddCodes {
    /// The request in `body`, of at most `most` codes.
    ///
    /// # Errors
    ///
    /// A [`BodyError`], which says nothing that was sent. Retrying cannot help.
    pub fn read(body: &[u8], most: usize) -> Result<Self, BodyError> {
        read(body, &["codes"], |it| {
            let codes = it.texts(most, |text| VoucherCode::try_from(text));
            Some(Self { codes: it.needed("codes", "a list of codes", codes)? })
        })
    }
}

/// A reward is created or changed: all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PutReward {
    /// The version that it becomes: 1 of a new one, otherwise one more than was read.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub version: u32,
    /// `draft`, `active`, `paused` or, for ever, `retired`.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "draft"))]
    pub status: RewardStatus,
    /// `goods`, `free_shipping`, `collectible`, `{"coupon": {"codes": "uploaded"}}` or `generated`,
    /// `{"order_discount": {"amount_minor": 500}}`, `{"gift_card": {"amount_minor": 500}}` or
    /// `{"donation": {"amount_minor": 500, "to": "Doctors"}}`. It never changes.
    #[cfg_attr(feature = "openapi", schema(value_type = serde_json::Value))]
    pub kind: RewardKind,
    /// Its price.
    #[cfg_attr(feature = "openapi", schema(value_type = u64, minimum = 1))]
    pub points: Points,
    /// Its price for members of these levels.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, u64>))]
    pub price_by_level: BTreeMap<LevelId, Points>,
    /// Whether there are only so many. It never changes.
    pub is_limited: bool,
    /// About how many there are to be, so that a drop of them is quick. Only the first version is asked.
    #[serde(default)]
    pub expected_stock: Option<u64>,
    /// How many a member may take in each period: `day`, `month`, `year` or `lifetime`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<serde_json::Value>))]
    pub limits: Vec<RewardLimit>,
    /// The levels that may take it; empty: all.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub levels: BTreeSet<LevelId>,
    /// How many days before `from` members of these levels may take it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, u32>))]
    pub early_days: BTreeMap<LevelId, u32>,
    /// `{"day": "2026-12-01"}` or `{"instant": "2026-12-01T10:00:00Z"}`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<serde_json::Value>))]
    pub from: Option<Moment>,
    /// Likewise: through a day, or before an instant.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<serde_json::Value>))]
    pub until: Option<Moment>,
    /// Where; empty: everywhere.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub channels: BTreeSet<Channel>,
    /// `name`, `description` and `terms` by language, such as `de` or `pt-BR`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, serde_json::Value>))]
    pub texts: BTreeMap<Language, RewardText>,
}

/// The fields of [`PutReward`].
const PUT_REWARD: &[&str] = &[
    "version",
    "status",
    "kind",
    "points",
    "price_by_level",
    "is_limited",
    "expected_stock",
    "limits",
    "levels",
    "early_days",
    "from",
    "until",
    "channels",
    "texts",
];

impl PutReward {
    /// The request in `body`.
    ///
    /// # Errors
    ///
    /// A [`BodyError`], which says nothing that was sent. Retrying cannot help.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        read(body, PUT_REWARD, |_| Some(()))?;
        serde_json::from_slice(body).map_err(|error| {
            let (path, expected) = (String::new(), expected(&error));
            BodyError::Wrong(vec![Mistake { path, expected }])
        })
    }

    /// The reward called `id` that this makes of the one `before`.
    ///
    /// # Errors
    ///
    /// A [`BodyError`] of what is wrong with it.
    pub fn reward(self, id: RewardId, before: Option<&Reward>) -> Result<Reward, BodyError> {
        let stock = match before.map(|it| it.spec().stock) {
            Some(stock @ Stock::Limited { .. }) if self.is_limited => stock,
            Some(_) | None if self.is_limited => {
                Stock::of_about(&self.kind, self.expected_stock.unwrap_or(0))
            }
            Some(_) | None => Stock::Unlimited,
        };
        let spec = RewardSpec {
            id,
            version: self.version,
            status: self.status,
            kind: self.kind,
            points: self.points,
            price_by_level: self.price_by_level,
            stock,
            limits: self.limits,
            levels: self.levels,
            early_days: self.early_days,
            from: self.from,
            until: self.until,
            channels: self.channels,
            texts: self.texts,
        };
        spec.try_into().map_err(wrong_reward)
    }
}

/// What is wrong with a reward, as it is said of a body.
pub fn wrong_reward(InvalidReward(mistakes): InvalidReward) -> BodyError {
    let mistakes = mistakes.into_iter();
    BodyError::Wrong(mistakes.map(|it| Mistake { path: it.path, expected: it.problem }).collect())
}

/// What `error` says that would be right, and nothing of what was sent.
fn expected(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let (said, place) = text.rsplit_once(" at line ").unwrap_or((&text, ""));
    let quotes = ["invalid ", "unknown ", "duplicate "].iter().any(|it| said.starts_with(it));
    let right = match said.split_once(", expected ") {
        Some((_, right)) => right,
        None if quotes => "something else",
        None => said,
    };
    format!("{right}, at line {place}")
}

/// What members see of a reward.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpenReward {
    /// Its id.
    pub reward_id: String,
    /// What it is.
    pub reward: RedeemedReward,
    /// What it costs: whoever asks, if it is a member.
    pub points: u64,
    /// From when on it can be taken, by whoever asks if it is a member; `null`: it always was.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub opens_at: Option<Timestamp>,
    /// The first instant at which it cannot; `null`: it has no end.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub closes_at: Option<Timestamp>,
    /// Whether it may be sold out.
    pub is_limited: bool,
    /// How many a member may take.
    pub limits: Vec<OpenLimit>,
    /// The levels that may take it; empty: all.
    pub levels: Vec<String>,
    /// Where; empty: everywhere.
    pub channels: Vec<String>,
    /// What there is to read of it, by language.
    pub texts: BTreeMap<String, OpenText>,
}

/// How many of a reward a member may take in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpenLimit {
    /// `day`, `month`, `year` or `lifetime`.
    pub period: &'static str,
    /// How many.
    pub count: u32,
}

/// What there is to read of a reward in a language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpenText {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub description: String,
    /// What else holds.
    pub terms: String,
}

/// Some rewards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpenRewards {
    /// Those that are active and not over, by id. There may be fewer than were asked for, or none, although more
    /// come.
    pub rewards: Vec<OpenReward>,
    /// The cursor of the next page; `null`: this was the last one.
    pub next: Option<String>,
}

impl OpenReward {
    /// `reward`, which costs `points` and can be taken in this time.
    pub fn of(
        reward: &Reward,
        points: Points,
        (opens_at, closes_at): (Option<Timestamp>, Option<Timestamp>),
    ) -> Self {
        let spec = reward.spec();
        let text = |it: &RewardText| OpenText {
            name: it.name.clone(),
            description: it.description.clone(),
            terms: it.terms.clone(),
        };
        let texts = spec.texts.iter();
        let limits = spec.limits.iter();
        Self {
            reward_id: spec.id.as_str().to_owned(),
            reward: (&spec.kind).into(),
            points: points.get(),
            opens_at,
            closes_at,
            is_limited: spec.stock != Stock::Unlimited,
            limits: limits
                .map(|it| OpenLimit { period: period(it.period), count: it.count })
                .collect(),
            levels: spec.levels.iter().map(|it| it.as_str().to_owned()).collect(),
            channels: spec.channels.iter().map(|it| it.as_str().to_owned()).collect(),
            texts: texts.map(|(language, it)| (language.as_str().to_owned(), text(it))).collect(),
        }
    }
}

const fn period(period: CapPeriod) -> &'static str {
    match period {
        CapPeriod::Day => "day",
        CapPeriod::Month => "month",
        CapPeriod::Year => "year",
        CapPeriod::Lifetime => "lifetime",
    }
}

/// A reward as staff see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeptReward {
    /// Its id.
    pub reward_id: String,
    /// All that was said of it, as it can be put again.
    pub reward: PutReward,
    /// How many are left; `null`: as many as are wanted.
    pub remaining: Option<u64>,
}

/// What a reward was, from when on, and who made it so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RewardVersion {
    /// Who made it so.
    pub by: String,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// All that was said of it.
    pub reward: PutReward,
}

/// What a reward was, the newest version first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RewardVersions {
    /// At most 100.
    pub versions: Vec<RewardVersion>,
}

impl From<&Reward> for PutReward {
    fn from(reward: &Reward) -> Self {
        let spec = reward.spec().clone();
        Self {
            version: spec.version,
            status: spec.status,
            kind: spec.kind,
            points: spec.points,
            price_by_level: spec.price_by_level,
            is_limited: spec.stock != Stock::Unlimited,
            expected_stock: None,
            limits: spec.limits,
            levels: spec.levels,
            early_days: spec.early_days,
            from: spec.from,
            until: spec.until,
            channels: spec.channels,
            texts: spec.texts,
        }
    }
}

impl KeptReward {
    /// `reward`, of which so many are left.
    pub fn of(reward: &Reward, remaining: Option<u64>) -> Self {
        let reward_id = reward.spec().id.as_str().to_owned();
        Self { reward_id, reward: reward.into(), remaining }
    }
}

/// What became of codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CodesAdded {
    /// How many are new.
    pub added: u64,
    /// How many had been added before, whether or not somebody has them by now.
    pub known: u64,
}

/// A redemption, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Redemption {
    /// Where it stands.
    pub status: RedemptionState,
    /// When it was taken.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// What was taken, and for how much.
    #[serde(flatten)]
    pub issued: RewardIssued,
    /// What became of it since, oldest first.
    pub steps: Vec<RedemptionStepTaken>,
}

/// Where a redemption stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RedemptionState {
    /// It was taken.
    Issued,
    /// It was handed over.
    Fulfilled,
    /// It is not going to be; its points came back.
    Cancelled,
    /// It was handed over and came back, with its points.
    Refunded,
}

impl From<RedemptionStatus> for RedemptionState {
    fn from(status: RedemptionStatus) -> Self {
        match status {
            RedemptionStatus::Issued => Self::Issued,
            RedemptionStatus::Fulfilled => Self::Fulfilled,
            RedemptionStatus::Cancelled => Self::Cancelled,
            RedemptionStatus::Refunded => Self::Refunded,
        }
    }
}

/// How a redemption went on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RedemptionStepTaken {
    /// Where it stood then.
    pub status: RedemptionState,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// The code of why, or how.
    pub reason: String,
}

/// Some redemptions of a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Redemptions {
    /// The newest first. There may be fewer than were asked for, or none, although more come: a page is as long as
    /// one of the statement.
    pub redemptions: Vec<Redemption>,
    /// The cursor of the next page; `null`: this was the last one.
    pub next: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_in_a_reward_is_said_and_nothing_of_what_was_sent() {
        let whole = json!({
            "version": 1, "status": "active", "kind": "goods", "points": 10, "is_limited": true,
            "texts": {"en": {"name": "A cup"}}
        });
        assert!(PutReward::read(whole.to_string().as_bytes()).is_ok());
        for (field, value) in [
            ("status", json!("SECRET")),
            ("kind", json!({"SECRET": 1})),
            ("points", json!("SECRET")),
            ("points", json!(-1)),
            ("from", json!({"day": "SECRET"})),
            ("limits", json!([{"period": "SECRET", "count": 1}])),
            ("texts", json!({"SECRET-SECRET-": {"name": "x"}})),
            ("texts", json!({"en": {"name": "x", "SECRET": 1}})),
            ("SECRET", json!(1)),
            ("version", json!(null)),
        ] {
            let mut body = whole.clone();
            body[field] = value;
            let Err(BodyError::Wrong(mistakes)) = PutReward::read(body.to_string().as_bytes())
            else {
                panic!("{field}")
            };
            let said = format!("{mistakes:?}");
            assert!(!said.contains("SECRET") && mistakes.len() == 1, "{field}: {said}");
        }
    }

    #[test]
    fn stock_is_added_or_removed_and_not_both() {
        assert_eq!(
            ChangeStock::read(br#"{"add": 5}"#),
            Ok(ChangeStock { add: Some(5), remove: None })
        );
        for wrong in ["{}", r#"{"add": 1, "remove": 1}"#, r#"{"add": 0}"#, r#"{"add": 1.5}"#] {
            assert!(ChangeStock::read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
