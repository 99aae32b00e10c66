//! Rewards: the catalogue, of which staff decide what members may take for their points.
//!
//! What a reward is here, staff may change at any time; what a member took is an event of its own, with all that
//! it was then: see [`redemption`](crate::redemption).

use std::collections::{BTreeMap, BTreeSet};

use compact_str::CompactString;
use jiff::{Timestamp, ToSpan, civil::Date};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    calendar::Calendar,
    code::SYMBOLS,
    id::{Channel, LevelId, RedemptionId, RewardId},
    money::Minor,
    points::{OutOfRange, Points},
    program::{CapPeriod, Program},
};

/// How many parts a stock has at most, each of which takes some hundred redemptions a second.
pub const SHARDS_MAX: u16 = 32;
/// How many languages a reward has texts in.
pub const LANGUAGES_MAX: usize = 30;
/// How many levels or channels a reward names.
pub const NAMED_MAX: usize = 30;
/// How long a reward's name may be.
pub const NAME_BYTES_MAX: usize = 200;
/// How long a description, or terms, may be.
pub const TEXT_BYTES_MAX: usize = 4_000;
/// How long all texts of a reward may be together: it is read whole with every redemption.
pub const TEXTS_BYTES_MAX: usize = 12_000;
/// How many days a level may come before the others.
pub const EARLY_DAYS_MAX: u32 = 365;
/// How many pieces make a part of a stock worth its while.
const PIECES_A_SHARD: u64 = 25;
/// How many parts a stock of pieces has at most: whoever finds it sold out has looked at each.
const PIECE_SHARDS_MAX: u16 = 8;

/// A reward as staff write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardSpec {
    /// What the shop calls it.
    pub id: RewardId,
    /// 1 when it is created, and one more with each change.
    pub version: u32,
    /// Whether members can take it.
    pub status: RewardStatus,
    /// What they get.
    pub kind: RewardKind,
    /// Its price.
    pub points: Points,
    /// Its price for members of these levels.
    #[serde(default)]
    pub price_by_level: BTreeMap<LevelId, Points>,
    /// How much there is of it. It cannot change its nature later.
    pub stock: Stock,
    /// How many a member may take in each period, of each length at most one.
    #[serde(default)]
    pub limits: Vec<RewardLimit>,
    /// The levels that may take it; empty: all.
    #[serde(default)]
    pub levels: BTreeSet<LevelId>,
    /// How many days before [`from`](Self::from) members of these levels may take it.
    #[serde(default)]
    pub early_days: BTreeMap<LevelId, u32>,
    /// From when on.
    #[serde(default)]
    pub from: Option<Moment>,
    /// Until when: through a day, or before an instant.
    #[serde(default)]
    pub until: Option<Moment>,
    /// Where; empty: everywhere.
    #[serde(default)]
    pub channels: BTreeSet<Channel>,
    /// What members read of it, by language.
    #[serde(default)]
    pub texts: BTreeMap<Language, RewardText>,
}

/// Whether members can take a reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardStatus {
    /// Not yet: nobody sees it.
    Draft,
    /// Yes, as its other rules have it.
    Active,
    /// Not for now.
    Paused,
    /// Never again.
    Retired,
}

impl RewardStatus {
    /// The word that stands in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Retired => "retired",
        }
    }
}

/// What members get. Money is in minor units of the program's currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RewardKind {
    /// Goods, which the shop hands over.
    Goods,
    /// A coupon code.
    Coupon {
        /// Where codes come from.
        codes: CodeSource,
    },
    /// A discount of an order.
    OrderDiscount {
        /// How much.
        amount_minor: Minor,
    },
    /// A gift card, which the shop issues.
    GiftCard {
        /// What is on it.
        amount_minor: Minor,
    },
    /// Delivery without its price.
    FreeShipping,
    /// A digital piece with a serial number, which nobody else has.
    Collectible,
    /// Money that the shop gives to somebody in need.
    Donation {
        /// How much.
        amount_minor: Minor,
        /// To whom, as the shop calls them.
        to: CompactString,
    },
}

/// Where coupon codes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeSource {
    /// Staff upload them.
    Uploaded,
    /// Each is made when it is taken.
    Generated,
}

impl RewardKind {
    /// Whether each that is taken is one of its own: a code that was uploaded, or a serial number.
    pub const fn is_of_pieces(&self) -> bool {
        match self {
            Self::Coupon { codes: CodeSource::Uploaded } | Self::Collectible => true,
            Self::Coupon { codes: CodeSource::Generated }
            | Self::Goods
            | Self::OrderDiscount { .. }
            | Self::GiftCard { .. }
            | Self::FreeShipping
            | Self::Donation { .. } => false,
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
            && self.is_of_pieces() == other.is_of_pieces()
    }
}

/// How much there is of a reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stock {
    /// As much as is wanted.
    Unlimited,
    /// So much as staff add.
    Limited {
        /// In how many parts it is kept, so that no single one takes all the writes; 1 to [`SHARDS_MAX`].
        shards: u16,
    },
}

impl Stock {
    /// A stock that is to hold about so many of `kind`.
    pub fn of_about(kind: &RewardKind, pieces: u64) -> Self {
        let most = if kind.is_of_pieces() { PIECE_SHARDS_MAX } else { SHARDS_MAX };
        let worth = pieces.checked_div(PIECES_A_SHARD).unwrap_or(1);
        Self::Limited { shards: u16::try_from(worth).unwrap_or(most).clamp(1, most) }
    }

    /// In how many parts it is kept; 0 if there is nothing to keep.
    pub const fn shards(self) -> u16 {
        match self {
            Self::Unlimited => 0,
            Self::Limited { shards } => shards,
        }
    }
}

/// How many of a reward a member may take in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardLimit {
    /// The period.
    pub period: CapPeriod,
    /// How many.
    pub count: u32,
}

/// When something begins or ends: a business day of the program, or an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// The first instant of a day, or its last.
    Day(Date),
    /// An instant.
    Instant(Timestamp),
}

/// What members read of a reward.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardText {
    /// What it is called.
    pub name: String,
    /// What it is.
    #[serde(default)]
    pub description: String,
    /// What else holds.
    #[serde(default)]
    pub terms: String,
}

/// A language as BCP 47 names it, such as `de` or `pt-BR`.
///
/// Invariant: a tag of letters, digits and hyphens of at most [`Language::BYTES_MAX`] bytes, its first part 2 to 8
/// letters, in the usual case: two tags of one language are one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "CompactString", into = "CompactString")]
pub struct Language(CompactString);

/// A text is no language's tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a language is a tag such as `de` or `pt-BR`, of at most {} bytes", Language::BYTES_MAX)]
pub struct InvalidLanguage;

impl Language {
    /// How long a tag may be.
    pub const BYTES_MAX: usize = 35;

    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Language {
    type Error = InvalidLanguage;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        if text.len() > Self::BYTES_MAX {
            return Err(InvalidLanguage);
        }
        let mut tag = CompactString::default();
        for (index, part) in text.split('-').enumerate() {
            let is_plain = part.bytes().all(|it| it.is_ascii_alphanumeric());
            let is_first = index == 0;
            let is_word = part.bytes().all(|it| it.is_ascii_alphabetic());
            if !is_plain
                || !(1..=8).contains(&part.len())
                || is_first && (!is_word || part.len() < 2)
            {
                return Err(InvalidLanguage);
            }
            if !is_first {
                tag.push('-');
            }
            // RFC 5646, 2.1.1: regions in capitals, scripts with one, all else without.
            match part.len() {
                2 if !is_first && is_word => tag.push_str(&part.to_ascii_uppercase()),
                4 if !is_first && is_word => {
                    let mut letters = part.chars();
                    tag.extend(letters.next().map(|it| it.to_ascii_uppercase()));
                    tag.extend(letters.map(|it| it.to_ascii_lowercase()));
                }
                _ => tag.push_str(&part.to_ascii_lowercase()),
            }
        }
        Ok(Self(tag))
    }
}

impl TryFrom<CompactString> for Language {
    type Error = InvalidLanguage;

    fn try_from(text: CompactString) -> Result<Self, Self::Error> {
        text.as_str().try_into()
    }
}

impl From<Language> for CompactString {
    fn from(language: Language) -> Self {
        language.0
    }
}

/// A coupon's code.
///
/// Invariant: 1 to [`VoucherCode::BYTES_MAX`] visible characters of ASCII. Who has one has what it is worth, so
/// [`Debug`] hides it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "CompactString", into = "CompactString")]
pub struct VoucherCode(CompactString);

/// A text is no coupon's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a code has 1 to {} visible characters of ASCII, without spaces", VoucherCode::BYTES_MAX)]
pub struct InvalidVoucherCode;

impl VoucherCode {
    /// How long it may be.
    pub const BYTES_MAX: usize = 64;

    /// The code made of 80 `random` bits, which must be just that: 16 symbols.
    pub fn of_random(random: [u8; 10]) -> Self {
        let mut bits = random.iter().fold(0_u128, |bits, it| bits << 8 | u128::from(*it));
        let symbols = std::iter::repeat_with(|| {
            let symbol = SYMBOLS.iter().zip(0..).find(|(_, value)| *value == bits % 32);
            bits >>= 5;
            symbol.map_or('0', |(symbol, _)| *symbol)
        });
        Self(symbols.take(16).collect())
    }

    /// The text of the code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for VoucherCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VoucherCode").finish_non_exhaustive()
    }
}

impl TryFrom<&str> for VoucherCode {
    type Error = InvalidVoucherCode;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let is_code = (1..=Self::BYTES_MAX).contains(&text.len())
            && text.bytes().all(|it| it.is_ascii_graphic());
        if is_code { Ok(Self(text.into())) } else { Err(InvalidVoucherCode) }
    }
}

impl TryFrom<CompactString> for VoucherCode {
    type Error = InvalidVoucherCode;

    fn try_from(text: CompactString) -> Result<Self, Self::Error> {
        text.as_str().try_into()
    }
}

impl From<VoucherCode> for CompactString {
    fn from(code: VoucherCode) -> Self {
        code.0
    }
}

/// What a piece is: nobody else gets the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unique {
    /// A coupon's code.
    Code(VoucherCode),
    /// A collectible's serial number, from 1.
    Serial(u64),
}

/// The name of a piece in its stock: 16 bytes that are made of it, so that pieces lie in no order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PieceId([u8; 16]);

impl PieceId {
    /// The name of `unique`.
    pub fn of(unique: &Unique) -> Self {
        Self::of_digest(match unique {
            Unique::Code(code) => Sha256::new_with_prefix("code").chain_update(code.as_str()),
            Unique::Serial(number) => {
                Sha256::new_with_prefix("serial").chain_update(number.to_be_bytes())
            }
        })
    }

    /// Where the search for a piece begins for whoever redeems: nobody begins where another does.
    pub fn to_look_from(redemption: &RedemptionId) -> Self {
        Self::of_digest(Sha256::new_with_prefix("from").chain_update(redemption.to_string()))
    }

    fn of_digest(digest: Sha256) -> Self {
        let mut half = [0; 16];
        half.iter_mut().zip(digest.finalize()).for_each(|(to, from)| *to = from);
        Self(half)
    }

    /// In which of `shards` parts the piece lies.
    pub fn shard(&self, shards: u16) -> u16 {
        let Self([first, second, ..]) = self;
        u16::from_be_bytes([*first, *second]).checked_rem(shards).unwrap_or(0)
    }
}

impl std::fmt::Display for PieceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for PieceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// A reward that was checked.
///
/// Invariants: its numbers and texts are within their limits; what comes in pieces is limited; it ends after it
/// began; each length of period has one limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RewardSpec", into = "RewardSpec")]
pub struct Reward(RewardSpec);

impl Reward {
    /// The reward as written.
    pub const fn spec(&self) -> &RewardSpec {
        &self.0
    }

    /// Its price for a member of `level`.
    pub fn price(&self, level: Option<&LevelId>) -> Points {
        level.and_then(|it| self.0.price_by_level.get(it)).copied().unwrap_or(self.0.points)
    }

    /// From when on members of `level` may take it; `None`: it always was.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] at the ends of time.
    pub fn opens_at(
        &self,
        calendar: &Calendar,
        level: Option<&LevelId>,
    ) -> Result<Option<Timestamp>, OutOfRange> {
        let days = level.and_then(|it| self.0.early_days.get(it)).copied().unwrap_or(0);
        let early = i64::from(days);
        let opens_at = match self.0.from {
            None => return Ok(None),
            Some(Moment::Day(day)) => {
                calendar.midnight(day.checked_sub(early.days()).map_err(|_| OutOfRange)?)?
            }
            Some(Moment::Instant(instant)) => {
                let hours = early.checked_mul(24).ok_or(OutOfRange)?.hours();
                instant.checked_sub(hours).map_err(|_| OutOfRange)?
            }
        };
        Ok(Some(opens_at))
    }

    /// The first instant at which nobody can take it any more; `None`: it has no end.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] at the ends of time.
    pub fn closes_at(&self, calendar: &Calendar) -> Result<Option<Timestamp>, OutOfRange> {
        Ok(match self.0.until {
            None => None,
            Some(Moment::Day(day)) => Some(calendar.end_of(day)?),
            Some(Moment::Instant(instant)) => Some(instant),
        })
    }

    /// The parts of its stock in the order in which `redemption` tries them: one by hash, then the others.
    pub fn shards_for(&self, redemption: &RedemptionId) -> impl Iterator<Item = u16> + use<> {
        let shards = self.0.stock.shards();
        let first = PieceId::to_look_from(redemption).shard(shards);
        (first..shards).chain(0..first)
    }

    /// The first level that it names and `program` does not have.
    pub fn unknown_level(&self, program: &Program) -> Option<&LevelId> {
        let RewardSpec { price_by_level, levels, early_days, .. } = &self.0;
        let mut named = levels.iter().chain(price_by_level.keys()).chain(early_days.keys());
        named.find(|it| program.rank_of(it).is_none())
    }

    /// Checks that staff may make this of the reward that was `before`.
    ///
    /// # Errors
    ///
    /// The first [`InvalidChange`] in order of precedence.
    pub fn check_follows(&self, before: Option<&Self>) -> Result<(), InvalidChange> {
        let Some(Self(before)) = before else {
            let is_first = self.0.version == 1;
            return if is_first { Ok(()) } else { Err(InvalidChange::Version { expected: 1 }) };
        };
        let expected = before.version.saturating_add(1);
        if self.0.id != before.id {
            Err(InvalidChange::Other)
        } else if self.0.version != expected {
            Err(InvalidChange::Version { expected })
        } else if before.status == RewardStatus::Retired {
            Err(InvalidChange::Retired)
        } else if !self.0.kind.is_like(&before.kind) {
            Err(InvalidChange::Kind)
        } else if self.0.stock != before.stock {
            Err(InvalidChange::Stock)
        } else {
            Ok(())
        }
    }

    /// The same reward with another status, as its next version.
    ///
    /// # Errors
    ///
    /// [`InvalidReward`] of what is complete enough for its own status only; after 2^32 versions, too.
    pub fn with_status(&self, status: RewardStatus) -> Result<Self, InvalidReward> {
        // The next one is refused where it is kept.
        let version = self.0.version.saturating_add(1);
        RewardSpec { version, status, ..self.0.clone() }.try_into()
    }
}

/// Staff may not change a reward like this. Variants are in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChange {
    /// It is another reward.
    #[error("the id of a reward never changes")]
    Other,
    /// Somebody changed it meanwhile, or the number was skipped.
    #[error("the version must be {expected}: the one that was read, and one more")]
    Version {
        /// What it must be.
        expected: u32,
    },
    /// It never comes back.
    #[error("a reward that was retired stays so; make a new one")]
    Retired,
    /// What members get must stay of one kind.
    #[error("the kind of a reward never changes; retire it and make a new one")]
    Kind,
    /// How its stock is kept must stay.
    #[error(
        "whether stock is limited, and in how many shards it is kept, never changes; add or take stock instead"
    )]
    Stock,
}

/// What is wrong in a reward, all of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct InvalidReward(pub Vec<RewardMistake>);

/// One mistake, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` {problem}")]
pub struct RewardMistake {
    /// The field.
    pub path: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl From<Reward> for RewardSpec {
    fn from(reward: Reward) -> Self {
        reward.0
    }
}

impl TryFrom<RewardSpec> for Reward {
    type Error = InvalidReward;

    fn try_from(spec: RewardSpec) -> Result<Self, Self::Error> {
        let mut mistakes = Mistakes::default();
        mistakes.check(spec.version > 0, "version", || "must be 1 or more".to_owned());
        mistakes.check(!spec.points.is_zero(), "points", || {
            "must be more than 0; a level may have it for 0 by `price_by_level`".to_owned()
        });
        check_kind(&spec, &mut mistakes);
        check_rules(&spec, &mut mistakes);
        check_texts(&spec, &mut mistakes);
        if mistakes.0.is_empty() { Ok(Self(spec)) } else { Err(InvalidReward(mistakes.0)) }
    }
}

#[derive(Default)]
struct Mistakes(Vec<RewardMistake>);

impl Mistakes {
    fn check(&mut self, is_right: bool, path: &str, problem: impl FnOnce() -> String) {
        if !is_right {
            self.0.push(RewardMistake { path: path.to_owned(), problem: problem() });
        }
    }
}

fn check_kind(spec: &RewardSpec, mistakes: &mut Mistakes) {
    match &spec.kind {
        RewardKind::OrderDiscount { amount_minor } | RewardKind::GiftCard { amount_minor } => {
            mistakes.check(*amount_minor != Minor::ZERO, "kind.amount_minor", || {
                "must be more than 0".to_owned()
            });
        }
        RewardKind::Donation { amount_minor, to } => {
            mistakes.check(*amount_minor != Minor::ZERO, "kind.amount_minor", || {
                "must be more than 0".to_owned()
            });
            let is_name = is_line(to) && !to.trim().is_empty() && to.len() <= NAME_BYTES_MAX;
            mistakes.check(is_name, "kind.to", || {
                format!("must be one line of 1 to {NAME_BYTES_MAX} bytes")
            });
        }
        RewardKind::Goods
        | RewardKind::Coupon { .. }
        | RewardKind::FreeShipping
        | RewardKind::Collectible => (),
    }
    match spec.stock {
        Stock::Unlimited => mistakes.check(!spec.kind.is_of_pieces(), "stock", || {
            "must be `limited`: there are as many as were uploaded, or numbered".to_owned()
        }),
        Stock::Limited { shards } => {
            mistakes.check((1..=SHARDS_MAX).contains(&shards), "stock.limited.shards", || {
                format!("must be 1 to {SHARDS_MAX}")
            });
        }
    }
}

fn check_rules(spec: &RewardSpec, mistakes: &mut Mistakes) {
    let periods: BTreeSet<CapPeriod> = spec.limits.iter().map(|it| it.period).collect();
    mistakes.check(periods.len() == spec.limits.len(), "limits", || {
        "must have at most one limit for each period".to_owned()
    });
    mistakes.check(spec.limits.iter().all(|it| it.count > 0), "limits", || {
        "must have counts of 1 or more; pause the reward instead".to_owned()
    });
    for (path, length) in [
        ("price_by_level", spec.price_by_level.len()),
        ("levels", spec.levels.len()),
        ("early_days", spec.early_days.len()),
        ("channels", spec.channels.len()),
    ] {
        mistakes.check(length <= NAMED_MAX, path, || format!("must name at most {NAMED_MAX}"));
    }
    let is_early = spec.early_days.values().all(|it| (1..=EARLY_DAYS_MAX).contains(it));
    mistakes.check(is_early, "early_days", || format!("must be 1 to {EARLY_DAYS_MAX} days"));
    mistakes.check(spec.early_days.is_empty() || spec.from.is_some(), "early_days", || {
        "need a `from` that they come before".to_owned()
    });
    let may_come =
        spec.early_days.keys().all(|it| spec.levels.is_empty() || spec.levels.contains(it));
    mistakes.check(may_come, "early_days", || "must name levels that are in `levels`".to_owned());
    let is_ordered = match (spec.from, spec.until) {
        (Some(Moment::Day(from)), Some(Moment::Day(until))) => from <= until,
        (Some(Moment::Instant(from)), Some(Moment::Instant(until))) => from < until,
        // They cannot be compared without the program's time zone; such a reward is only never open.
        (Some(_), Some(_)) | (None, _) | (_, None) => true,
    };
    mistakes.check(is_ordered, "until", || "must not be before `from`".to_owned());
}

fn check_texts(spec: &RewardSpec, mistakes: &mut Mistakes) {
    mistakes.check(spec.texts.len() <= LANGUAGES_MAX, "texts", || {
        format!("must have at most {LANGUAGES_MAX} languages")
    });
    let is_hidden = matches!(spec.status, RewardStatus::Draft | RewardStatus::Retired);
    mistakes.check(is_hidden || !spec.texts.is_empty(), "texts", || {
        "must have a language, unless it is a draft: members read them".to_owned()
    });
    let mut bytes = 0_usize;
    for (language, text) in &spec.texts {
        let path = |field| format!("texts.{}.{field}", language.as_str());
        let RewardText { name, description, terms } = text;
        let is_name = is_line(name) && !name.trim().is_empty() && name.len() <= NAME_BYTES_MAX;
        mistakes.check(is_name, &path("name"), || {
            format!("must be one line of 1 to {NAME_BYTES_MAX} bytes")
        });
        for (field, text) in [("description", description), ("terms", terms)] {
            let is_text = text.chars().all(|it| !it.is_control() || it == '\n');
            mistakes.check(is_text && text.len() <= TEXT_BYTES_MAX, &path(field), || {
                format!("must have at most {TEXT_BYTES_MAX} bytes, without control characters")
            });
            bytes = bytes.saturating_add(text.len());
        }
        bytes = bytes.saturating_add(name.len());
    }
    mistakes.check(bytes <= TEXTS_BYTES_MAX, "texts", || {
        format!("must have at most {TEXTS_BYTES_MAX} bytes together")
    });
}

fn is_line(text: &str) -> bool {
    !text.chars().any(char::is_control)
}
