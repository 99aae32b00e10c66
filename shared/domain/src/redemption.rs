//! Redemptions: what members took of the catalogue, and what became of it.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    account::{Account, CapKey},
    checkout::Back,
    command::{Canonical, Command, Request},
    decide::{Decision, Held, Rejection, Work},
    due,
    event::{Event, LotUse},
    id::{
        Channel, ClientId, CommandId, MemberId, Operation, ReasonCode, RedemptionId,
        RedemptionStep, RequestKey, RewardId,
    },
    points::{OutOfRange, Points},
    program::CapPeriod,
    reward::{CodeSource, PieceId, Reward, RewardKind, RewardStatus, Stock, Unique, VoucherCode},
    tier,
};

/// How many numbers of redemptions an account keeps for limits.
pub const COUNTED_MAX: usize = 100;

/// What is asked of rewards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedemptionAct {
    /// One is taken.
    Redeem(Box<NewRedemption>),
    /// What was taken goes on.
    Step {
        /// Which redemption.
        redemption: RedemptionId,
        /// How.
        step: RedemptionStep,
        /// Why.
        reason: ReasonCode,
        /// Who says so.
        by: Option<ClientId>,
    },
}

/// A reward that is to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRedemption {
    /// Which reward.
    pub reward: RewardId,
    /// What whoever asks believes that it costs.
    pub points: Option<Points>,
    /// Where it is asked for.
    pub channel: Option<Channel>,
    /// A code made for this request, in case that the reward is one: rules have no randomness. A repeat may bring
    /// another one, and the first that is stored counts.
    pub code: VoucherCode,
}

/// What happened to a reward that a member took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedemptionEvent {
    /// It was taken.
    Issued(Box<Issued>),
    /// It was handed over.
    Fulfilled {
        /// Which redemption.
        redemption: RedemptionId,
        /// Why, or how.
        reason: ReasonCode,
        /// Who said so.
        by: Option<ClientId>,
    },
    /// It is not going to be handed over.
    Cancelled(Box<Returned>),
    /// It had been handed over, and came back.
    Refunded(Box<Returned>),
}

/// A redemption, with all that the reward was when it was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// Its id.
    pub redemption: RedemptionId,
    /// Which reward.
    pub reward: RewardId,
    /// The version of the reward.
    pub reward_version: u32,
    /// What it is.
    pub kind: RewardKind,
    /// What it cost.
    pub points: Points,
    /// Which lots gave how many of them, in the order in which they were used.
    pub uses: Vec<LotUse>,
    /// The day on which it counts.
    pub counted_on: Date,
    /// The periods that it counts in, where the member may take only so many.
    pub counted: Vec<CapKey>,
    /// Where it was taken from.
    pub taken: Taken,
    /// What only this member got.
    pub unique: Option<Unique>,
    /// Where it was asked for.
    pub channel: Option<Channel>,
}

/// Where a reward was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    /// There is as much as is wanted.
    Unlimited,
    /// A part of the stock.
    Shard(u16),
    /// A piece in a part of the stock.
    Piece(u16, PieceId),
}

/// What comes back of a redemption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// Which.
    pub redemption: RedemptionId,
    /// Of which reward.
    pub reward: RewardId,
    /// Why.
    pub reason: ReasonCode,
    /// Who said so.
    pub by: Option<ClientId>,
    /// How many points paid a debt.
    pub debt_paid: Points,
    /// Into which lots how many came back.
    pub restored: Vec<LotUse>,
    /// How many did not, since their lots had expired.
    pub lost: Points,
    /// The periods in which it counts no more.
    pub counted: Vec<CapKey>,
    /// The part of the stock that it is put back into. Codes and serial numbers are not: they may have been used.
    pub shard: Option<u16>,
}

/// Where a redemption stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedemptionStatus {
    /// It was taken.
    Issued,
    /// It was handed over.
    Fulfilled,
    /// It is not going to be handed over.
    Cancelled,
    /// It was handed over and came back.
    Refunded,
}

impl RedemptionStatus {
    /// The word that stands in documents, and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Fulfilled => "fulfilled",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
        }
    }

    /// The status that is called `text`.
    pub fn of(text: &str) -> Option<Self> {
        let all = [Self::Issued, Self::Fulfilled, Self::Cancelled, Self::Refunded];
        all.into_iter().find(|it| it.as_str() == text)
    }

    /// The status after `step`; `None` if there is no such step from here.
    pub const fn after(self, step: RedemptionStep) -> Option<Self> {
        match (self, step) {
            (Self::Issued, RedemptionStep::Fulfill) => Some(Self::Fulfilled),
            (Self::Issued, RedemptionStep::Cancel) => Some(Self::Cancelled),
            (Self::Fulfilled, RedemptionStep::Refund) => Some(Self::Refunded),
            (Self::Issued, RedemptionStep::Refund)
            | (Self::Fulfilled, RedemptionStep::Fulfill | RedemptionStep::Cancel)
            | (
                Self::Cancelled | Self::Refunded,
                RedemptionStep::Fulfill | RedemptionStep::Cancel | RedemptionStep::Refund,
            ) => None,
        }
    }
}

/// A redemption, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedemptionState {
    /// Whose.
    pub member_id: Option<MemberId>,
    /// What was taken.
    pub issued: Issued,
    /// Where it stands.
    pub status: RedemptionStatus,
}

impl RedemptionState {
    /// Notes what happened to it.
    pub fn apply(&mut self, event: &RedemptionEvent) {
        self.status = match event {
            RedemptionEvent::Issued(_) => RedemptionStatus::Issued,
            RedemptionEvent::Fulfilled { .. } => RedemptionStatus::Fulfilled,
            RedemptionEvent::Cancelled(_) => RedemptionStatus::Cancelled,
            RedemptionEvent::Refunded(_) => RedemptionStatus::Refunded,
        };
    }
}

impl RedemptionEvent {
    /// Which redemption it is about.
    pub const fn redemption(&self) -> RedemptionId {
        match self {
            Self::Issued(it) => it.redemption,
            Self::Fulfilled { redemption, .. } => *redemption,
            Self::Cancelled(it) | Self::Refunded(it) => it.redemption,
        }
    }
}

/// A reward as it was read for one request: what it is, and what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The reward.
    pub reward: Reward,
    /// What was found of its stock, in the order in which whoever asks looks for it: at first only in one part,
    /// and in all of them before it is said that there is nothing.
    pub found: Vec<Found>,
}

/// What was found in a part of a reward's stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// So many are left in it.
    Left {
        /// Which part.
        shard: u16,
        /// How many.
        left: u64,
    },
    /// A piece that nobody has.
    Piece {
        /// In which part.
        shard: u16,
        /// What it is.
        unique: Unique,
    },
}

/// How many of a reward a member took in a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedeemedCount {
    /// The reward.
    pub reward: RewardId,
    /// The period.
    pub key: CapKey,
    /// How many.
    pub count: u32,
}

impl Request {
    /// A caller takes a reward for a member.
    pub fn redeem(
        client: ClientId,
        key: RequestKey,
        member_id: MemberId,
        at: Timestamp,
        new: NewRedemption,
    ) -> Self {
        let (member, operation) = (member_id.clone(), Operation::Redeem);
        let asked = CommandId::Request { client, member, operation, key };
        let id = CommandId::Redemption(member_id.clone(), RedemptionId::of(&asked));
        let act = RedemptionAct::Redeem(Box::new(new));
        Self { id, at, command: Command::Redemption { member_id, act } }
    }

    /// A redemption goes on.
    pub fn redemption_step(
        member_id: MemberId,
        redemption: RedemptionId,
        step: RedemptionStep,
        at: Timestamp,
        reason: ReasonCode,
    ) -> Self {
        let id = CommandId::RedemptionStep(member_id.clone(), redemption, step);
        let act = RedemptionAct::Step { redemption, step, reason, by: None };
        Self { id, at, command: Command::Redemption { member_id, act } }
    }

    /// The same in the name of `client`, if a redemption goes on by it. The same step by somebody else is no other one.
    #[must_use]
    pub fn in_the_name_of(mut self, client: ClientId) -> Self {
        if let Command::Redemption { act: RedemptionAct::Step { by, .. }, .. } = &mut self.command {
            *by = Some(client);
        }
        self
    }

    /// The reward that is to be taken, with the redemption, if that is what is asked.
    pub fn redeems(&self) -> Option<(&RewardId, &RedemptionId)> {
        if let CommandId::Redemption(_, redemption) = &self.id
            && let Command::Redemption { act: RedemptionAct::Redeem(new), .. } = &self.command
        {
            return Some((&new.reward, redemption));
        }
        None
    }

    /// The entry of the redemption that is to go on, if that is what is asked.
    pub fn continues(&self) -> Option<CommandId> {
        let is_redemption = matches!(self.command, Command::Redemption { .. });
        let begun = self.id.redemption().filter(|_| is_redemption)?;
        (begun != self.id).then_some(begun)
    }
}

impl CommandId {
    /// The entry that the redemption began with which this is about: it is found by the name that its member had
    /// then, whosever account goes on.
    pub fn redemption(&self) -> Option<Self> {
        if let Self::Redemption(member, redemption) | Self::RedemptionStep(member, redemption, _) =
            self
        {
            return Some(Self::Redemption(member.clone(), *redemption));
        }
        None
    }
}

impl RedemptionAct {
    pub(crate) fn write(&self, content: &mut Canonical) {
        match self {
            Self::Redeem(new) => {
                // A code is random, so that a repeat has another one.
                let NewRedemption { reward, points, channel, code: _ } = &**new;
                content.text("redeem");
                content.text(reward.as_str());
                content.number(points.map_or(-1, |it| it.get().into()));
                content.optional(channel.as_ref().map(Channel::as_str));
            }
            Self::Step { redemption, step, reason, by: _ } => {
                content.text(match step {
                    RedemptionStep::Fulfill => "fulfill",
                    RedemptionStep::Cancel => "cancel",
                    RedemptionStep::Refund => "refund",
                });
                content.text(&redemption.to_string());
                content.text(reason.as_str());
            }
        }
    }
}

impl Account {
    /// How many of `reward` were taken in the period called `key`.
    pub fn redeemed(&self, reward: &RewardId, key: CapKey) -> u32 {
        let mut counts = self.holdings.redeemed.iter();
        counts.find(|it| it.key == key && it.reward == *reward).map_or(0, |it| it.count)
    }

    pub(crate) fn apply_redemption(&mut self, event: &RedemptionEvent) -> Result<(), OutOfRange> {
        match event {
            RedemptionEvent::Issued(issued) => {
                for it in &issued.uses {
                    self.take_from_lot(it.lot, it.points)?;
                    self.totals.spent = self.totals.spent.plus(it.points)?;
                }
                self.count_redemption(issued)
            }
            RedemptionEvent::Fulfilled { .. } => Ok(()),
            RedemptionEvent::Cancelled(it) | RedemptionEvent::Refunded(it) => {
                self.apply_given_back(it.debt_paid, &it.restored)?;
                // What counted in a period that is over is not kept, and needs no giving back.
                for count in &mut self.holdings.redeemed {
                    if count.reward == it.reward && it.counted.contains(&count.key) {
                        count.count = count.count.saturating_sub(1);
                    }
                }
                self.holdings.redeemed.retain(|it| it.count > 0);
                Ok(())
            }
        }
    }

    fn count_redemption(&mut self, issued: &Issued) -> Result<(), OutOfRange> {
        self.holdings.redeemed.retain(|it| is_running(it.key, issued.counted_on));
        for key in &issued.counted {
            let mut counts = self.holdings.redeemed.iter_mut();
            if let Some(it) = counts.find(|it| it.key == *key && it.reward == issued.reward) {
                it.count = it.count.checked_add(1).ok_or(OutOfRange)?;
            } else {
                let reward = issued.reward.clone();
                self.holdings.redeemed.push(RedeemedCount { reward, key: *key, count: 1 });
            }
        }
        Ok(())
    }
}

/// Whether the period called `key` is not over on `day`.
fn is_running(key: CapKey, day: Date) -> bool {
    key.from >= CapKey::of(key.period, day).from
}

impl Work<'_> {
    /// Answers [`Command::Redemption`].
    pub(crate) fn redemption(
        self,
        id: &CommandId,
        act: &RedemptionAct,
        holds: &Held,
        offer: Option<&Offer>,
        asked_at: Timestamp,
    ) -> Result<Decision, Rejection> {
        match act {
            RedemptionAct::Redeem(new) => {
                self.account.membership.check_spends()?;
                let offer = offer.ok_or(Rejection::NoSuchReward)?;
                let CommandId::Redemption(_, redemption) = id else {
                    return Err(Rejection::NoSuchRedemption);
                };
                self.redeem(*redemption, new, offer, asked_at)
            }
            RedemptionAct::Step { redemption, step, reason, by } => match holds {
                // It was read by the id that has the name in it by which it was taken.
                Held::Redemption(state) if state.issued.redemption == *redemption => {
                    self.go_on(state, *step, reason, by.as_ref())
                }
                Held::Redemption(_)
                | Held::Nothing
                | Held::Waiting(_)
                | Held::Order(_)
                | Held::Spend(_)
                | Held::Merge(_) => Err(Rejection::NoSuchRedemption),
            },
        }
    }

    fn redeem(
        mut self,
        redemption: RedemptionId,
        new: &NewRedemption,
        offer: &Offer,
        asked_at: Timestamp,
    ) -> Result<Decision, Rejection> {
        due::happen(&mut self)?;
        let reward = offer.reward.spec();
        let points = self.open_for(&offer.reward, new)?;
        let counted_on = self.program.calendar().day_of(self.at);
        let counted = self.counted(&offer.reward, counted_on)?;
        if new.points.is_some_and(|it| it != points) {
            return Err(Rejection::PriceChanged { price: points });
        }
        let (taken, unique) = taken(offer, new).ok_or(Rejection::SoldOut)?;
        let available = self.account.available()?;
        if available < points {
            return Err(Rejection::InsufficientPoints { available, requested: points });
        }
        let mut missing = points;
        let mut uses = Vec::new();
        for lot in &self.account.lots {
            let points = lot.points.min(missing);
            if !points.is_zero() {
                missing = missing.minus(points)?;
                uses.push(LotUse { lot: lot.id, points });
            }
        }
        let issued = Issued {
            redemption,
            reward: reward.id.clone(),
            reward_version: reward.version,
            kind: reward.kind.clone(),
            points,
            uses,
            counted_on,
            counted,
            taken,
            unique,
            channel: new.channel.clone(),
        };
        let issued = RedemptionEvent::Issued(Box::new(issued));
        self.record(Event::Redemption(Box::new(issued)))?;
        self.slide(self.program.calendar().day_of(asked_at))?;
        Ok(self.done(true))
    }

    /// What `reward` costs this member, who may take it now as far as its rules go.
    fn open_for(&self, reward: &Reward, new: &NewRedemption) -> Result<Points, Rejection> {
        let spec = reward.spec();
        match spec.status {
            RewardStatus::Active => (),
            RewardStatus::Draft | RewardStatus::Paused | RewardStatus::Retired => {
                return Err(Rejection::RewardNotActive { status: spec.status });
            }
        }
        let rank = tier::rank(self.program, &self.account);
        let level = self.program.levels().get(rank).map(|it| &it.id);
        let calendar = self.program.calendar();
        if let Some(from) = reward.opens_at(calendar, level)?.filter(|it| self.at < *it) {
            return Err(Rejection::RewardNotYet { from });
        }
        if reward.closes_at(calendar)?.is_some_and(|it| it <= self.at) {
            return Err(Rejection::RewardOver);
        }
        if !spec.levels.is_empty() && !level.is_some_and(|it| spec.levels.contains(it)) {
            return Err(Rejection::LevelNotAllowed);
        }
        let is_there = new.channel.as_ref().is_some_and(|it| spec.channels.contains(it));
        if !spec.channels.is_empty() && !is_there {
            return Err(Rejection::ChannelNotAllowed);
        }
        Ok(reward.price(level))
    }

    /// The periods that one more of `reward` counts in, each of which has room for it.
    fn counted(&self, reward: &Reward, day: Date) -> Result<Vec<CapKey>, Rejection> {
        let spec = reward.spec();
        let mut counted = Vec::new();
        let running = self.account.holdings.redeemed.iter().filter(|it| is_running(it.key, day));
        let mut new = 0_usize;
        for limit in &spec.limits {
            let key = CapKey::of(limit.period, day);
            let before = self.account.redeemed(&spec.id, key);
            if before >= limit.count {
                let (limit, period) = (limit.count, limit.period);
                return Err(Rejection::RewardLimitReached { limit, period });
            }
            new = new.saturating_add(usize::from(before == 0));
            counted.push(key);
        }
        // What is counted already goes on being counted, after a merge, too.
        if new > 0 && running.count().saturating_add(new) > COUNTED_MAX {
            return Err(Rejection::TooManyCounted);
        }
        Ok(counted)
    }

    fn go_on(
        mut self,
        state: &RedemptionState,
        step: RedemptionStep,
        reason: &ReasonCode,
        by: Option<&ClientId>,
    ) -> Result<Decision, Rejection> {
        let by = by.cloned();
        let status = state.status;
        if status.after(step).is_none() {
            return Err(Rejection::RedemptionIs { status });
        }
        due::happen(&mut self)?;
        let redemption = state.issued.redemption;
        let reason = reason.clone();
        let event = match step {
            RedemptionStep::Fulfill => RedemptionEvent::Fulfilled { redemption, reason, by },
            RedemptionStep::Cancel => {
                RedemptionEvent::Cancelled(Box::new(self.back_from(&state.issued, reason, by)?))
            }
            RedemptionStep::Refund => {
                RedemptionEvent::Refunded(Box::new(self.back_from(&state.issued, reason, by)?))
            }
        };
        self.record(Event::Redemption(Box::new(event)))?;
        Ok(self.done(true))
    }

    /// What comes back of a redemption at this instant, as of any use of points.
    fn back_from(
        &self,
        issued: &Issued,
        reason: ReasonCode,
        by: Option<ClientId>,
    ) -> Result<Returned, OutOfRange> {
        let uses = issued.uses.iter().rev().copied();
        let Back { debt_paid, restored, lost } = self.coming_back(uses)?;
        Ok(Returned {
            redemption: issued.redemption,
            reward: issued.reward.clone(),
            reason,
            by,
            debt_paid,
            restored,
            lost,
            counted: issued.counted.clone(),
            shard: match issued.taken {
                Taken::Shard(shard) => Some(shard),
                Taken::Unlimited | Taken::Piece(..) => None,
            },
        })
    }
}

/// Where one of what is offered is taken from, and what only its taker gets; `None` if nothing was found.
fn taken(offer: &Offer, new: &NewRedemption) -> Option<(Taken, Option<Unique>)> {
    let spec = offer.reward.spec();
    let made = match spec.kind {
        RewardKind::Coupon { codes: CodeSource::Generated } => Some(Unique::Code(new.code.clone())),
        RewardKind::Coupon { codes: CodeSource::Uploaded }
        | RewardKind::Goods
        | RewardKind::OrderDiscount { .. }
        | RewardKind::GiftCard { .. }
        | RewardKind::FreeShipping
        | RewardKind::Collectible
        | RewardKind::Donation { .. } => None,
    };
    if spec.stock == Stock::Unlimited {
        return Some((Taken::Unlimited, made));
    }
    offer.found.iter().find_map(|found| match found {
        Found::Left { shard, left } if *left > 0 => Some((Taken::Shard(*shard), made.clone())),
        Found::Left { .. } => None,
        Found::Piece { shard, unique } => {
            Some((Taken::Piece(*shard, PieceId::of(unique)), Some(unique.clone())))
        }
    })
}

impl Rejection {
    /// How a limit of a period is said.
    pub(crate) const fn period(period: CapPeriod) -> &'static str {
        match period {
            CapPeriod::Day => "a day",
            CapPeriod::Month => "a month",
            CapPeriod::Year => "a year",
            CapPeriod::Lifetime => "in all",
        }
    }
}
