//! Referrals: a member brings a friend, the friend keeps an order, and both are rewarded, once.
//!
//! What is known of a referral is kept with the friend's account, since a friend has one referrer at most;
//! what a referrer got, and what of it caps have counted, with the referrer's. Both change in one
//! transaction, so that neither side can be rewarded, or lose its reward, without the other.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    account::{Account, CapKey, CapUse, LotId, Wallet},
    calendar::after_days,
    decide::{Decision, Rejection, Second, Work},
    due,
    event::{Becomes, Event, GrantReason, GrantTakenBack, Granted, ReferralEvent},
    id::{CommandId, MemberId, OrderId, ReasonCode, TaskId},
    membership::{Referrals, Status},
    order::OrderRecord,
    points::{OutOfRange, Points},
    program::CapPeriod,
};

pub use crate::code::NamedCode;

/// How many orders of a friend are watched at once. One more takes the place of one that came back.
pub const CANDIDATES_MAX: usize = 8;

/// Who brought the owner of an account, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Referred {
    /// Who.
    pub referrer: MemberId,
    /// What became of it.
    pub state: ReferralState,
    /// Orders whose return window is not over, in the order in which it will be.
    pub candidates: Vec<Candidate>,
}

/// What became of a referral.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferralState {
    /// It is on its way: no order was kept yet.
    Named,
    /// It is due, and is being looked into.
    Qualified {
        /// By what.
        by: Qualifier,
    },
    /// It waits for staff: the referrer brought more friends than the program takes for natural.
    Held {
        /// What it is due by.
        by: Qualifier,
    },
    /// Both were rewarded.
    Rewarded(Box<Reward>),
    /// Neither is.
    Refused(ReferralRefusal),
    /// Both rewards were taken back, since the order was.
    Revoked,
}

/// What makes a referral due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Qualifier {
    /// An order that was kept.
    Order(OrderId),
    /// A task that was done.
    Task(TaskId),
}

/// An order of the friend whose return window is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Which.
    pub order_id: OrderId,
    /// When the window ends.
    pub qualifies_at: Timestamp,
    /// Whether what is kept of it is enough.
    pub is_enough: bool,
}

/// What both sides got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reward {
    /// For what.
    pub by: Qualifier,
    /// The friend's points.
    pub friend: Share,
    /// The referrer's, but for milestones.
    pub referrer: Share,
}

/// What one side of a referral got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// How many points.
    pub points: Points,
    /// In which lot.
    pub lot: LotId,
    /// The caps that counted them.
    pub caps: Vec<CapKey>,
}

/// A milestone that a referrer reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MilestoneGrant {
    /// By how many friends.
    pub friends: u32,
    /// What it gave.
    pub share: Share,
}

/// How many friends were rewarded in one period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountUse {
    /// Which period.
    pub key: CapKey,
    /// How many.
    pub friends: u32,
}

/// Why a referral rewards nobody.
///
/// Variants are in order of precedence: when several apply, the first one listed is said.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error,
)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum ReferralRefusal {
    /// The program rewards no referrals.
    #[error("the program rewards no referrals")]
    ReferralsOff,
    /// Nobody has the code.
    #[error("nobody has this code")]
    CodeUnknown,
    /// The code was replaced by another one, and the program lets old ones die.
    #[error("the code is no longer valid")]
    CodeDead,
    /// Who would be the friend has the code themselves.
    #[error("nobody can refer themselves")]
    OwnCode,
    /// Somebody else brought the friend before.
    #[error("the friend was referred before")]
    AlreadyReferred,
    /// The friend had bought something before the code was named: neither as they joined nor with a first order.
    #[error("the friend was a customer before")]
    ExistingCustomer,
    /// The friend has left.
    #[error("the friend's account is closed")]
    FriendClosed,
    /// The referrer is no member, is frozen, or has left.
    #[error("the referrer is not an active member")]
    ReferrerNotActive,
    /// The friend brought, through others, their own referrer.
    #[error("the referral closes a ring")]
    Ring,
    /// Friend and referrer share something by which they are taken for one person.
    #[error("friend and referrer share a {kind}")]
    SamePerson {
        /// What they share.
        kind: SignalKind,
    },
    /// The friend shares something with another member by which they are taken for one person.
    #[error("the friend shares a {kind} with another member")]
    KnownPerson {
        /// What they share.
        kind: SignalKind,
    },
    /// Staff looked into it and refused it.
    #[error("staff refused it")]
    DeniedByStaff {
        /// Why.
        why: ReasonCode,
    },
}

/// By what accounts are taken for one person's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    /// A telephone number.
    Phone,
    /// A card, of payment or of the shop.
    Card,
    /// A device.
    Device,
    /// A postal address.
    Address,
}

impl SignalKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Phone, Self::Card, Self::Device, Self::Address];

    /// The word that stands in files and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Card => "card",
            Self::Device => "device",
            Self::Address => "address",
        }
    }
}

impl std::fmt::Display for SignalKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is known of a friend and a referrer beside their accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suspicion {
    /// Whether the friend is among those who brought the referrer, however many stand between them.
    pub is_ring: bool,
    /// What the friend shares with the referrer.
    pub with_referrer: Vec<SignalKind>,
    /// What the friend shares with members who are not the referrer.
    pub with_others: Vec<SignalKind>,
}

impl Suspicion {
    /// Puts every kind once, and in its order.
    pub fn tidy(&mut self) {
        for kinds in [&mut self.with_referrer, &mut self.with_others] {
            kinds.sort_unstable();
            kinds.dedup();
        }
    }
}

impl Referrals {
    /// How many points `key` has counted.
    fn cap_used(&self, key: CapKey) -> Points {
        let cap = self.caps.iter().find(|it| it.key.period == key.period && it.key >= key);
        cap.map_or(Points::ZERO, |it| it.points)
    }

    /// How many friends were counted in the period of `key`.
    fn counted(&self, key: CapKey) -> u32 {
        self.count.filter(|it| it.key == key).map_or(0, |it| it.friends)
    }

    fn use_caps(&mut self, keys: &[CapKey], points: Points) -> Result<(), OutOfRange> {
        for key in keys {
            match self.caps.iter_mut().find(|it| it.key.period == key.period) {
                // The clock of an account never goes back; its day does, where a version of the program has
                // another time zone, and is then counted with the next.
                Some(cap) if cap.key >= *key => cap.points = cap.points.plus(points)?,
                Some(cap) => *cap = CapUse { key: *key, points },
                None => self.caps.push(CapUse { key: *key, points }),
            }
        }
        Ok(())
    }

    fn give_back_caps(&mut self, share: &Share) {
        for key in &share.caps {
            if let Some(cap) = self.caps.iter_mut().find(|it| it.key == *key) {
                cap.points = cap.points.minus_or_zero(share.points);
            }
        }
    }

    /// Adds what somebody else brought who became one with the member.
    pub(crate) fn join(&mut self, other: &Self) -> Result<(), OutOfRange> {
        self.rewarded = self.rewarded.checked_add(other.rewarded).ok_or(OutOfRange)?;
        for CapUse { key, points } in &other.caps {
            self.use_caps(&[*key], *points)?;
        }
        self.count = match (self.count, other.count) {
            (Some(own), Some(other)) if own.key == other.key => {
                let friends = own.friends.checked_add(other.friends).ok_or(OutOfRange)?;
                Some(CountUse { friends, ..own })
            }
            (Some(own), Some(other)) if own.key < other.key => Some(other),
            (own, other) => own.or(other),
        };
        for it in &other.milestones {
            if !self.milestones.iter().any(|own| own.friends == it.friends) {
                self.milestones.push(it.clone());
            }
        }
        Ok(())
    }

    /// Takes off what somebody else had brought, as far as it is there.
    pub(crate) fn part(&mut self, other: &Self) {
        self.rewarded = self.rewarded.saturating_sub(other.rewarded);
        for CapUse { key, points } in &other.caps {
            if let Some(cap) = self.caps.iter_mut().find(|it| it.key == *key) {
                cap.points = cap.points.minus_or_zero(*points);
            }
        }
        if let (Some(own), Some(other)) = (&mut self.count, other.count)
            && own.key == other.key
        {
            own.friends = own.friends.saturating_sub(other.friends);
        }
        self.milestones.retain(|it| !other.milestones.contains(it));
    }

    /// Records that `granted` was given for a friend or a milestone.
    pub(crate) fn add(&mut self, granted: &Granted) -> Result<(), OutOfRange> {
        let share = &granted.share;
        match &granted.reason {
            GrantReason::Welcome | GrantReason::Referred { .. } => return Ok(()),
            GrantReason::Brought { count, .. } => {
                self.rewarded = self.rewarded.checked_add(1).ok_or(OutOfRange)?;
                if let Some(key) = count {
                    let friends = self.counted(*key).checked_add(1).ok_or(OutOfRange)?;
                    self.count = Some(CountUse { key: *key, friends });
                }
            }
            GrantReason::Milestone { friends } => {
                let share = share.clone();
                self.milestones.push(MilestoneGrant { friends: *friends, share });
            }
        }
        self.use_caps(&share.caps, share.points)
    }

    /// Records that what was given was taken back.
    pub(crate) fn remove(&mut self, taken: &GrantTakenBack) {
        match &taken.reason {
            GrantReason::Welcome | GrantReason::Referred { .. } => return,
            GrantReason::Brought { .. } => {
                // Who was made two members again may have brought fewer than were counted.
                self.rewarded = self.rewarded.saturating_sub(1);
            }
            GrantReason::Milestone { friends } => {
                self.milestones.retain(|it| it.friends != *friends);
            }
        }
        self.give_back_caps(&taken.share);
    }
}

impl Referred {
    /// Records `event`.
    pub(crate) fn apply(&mut self, event: &ReferralEvent) {
        match event {
            ReferralEvent::Named { .. } | ReferralEvent::NotNamed { .. } => (),
            ReferralEvent::Ordered { order_id, qualifies_at, is_enough, referrer: _ } => {
                if self.candidates.len() >= CANDIDATES_MAX
                    && let Some(index) = self.candidates.iter().position(|it| !it.is_enough)
                {
                    // It is the least likely to be kept.
                    self.candidates.remove(index);
                }
                let place = |it: &Candidate| it.qualifies_at <= *qualifies_at;
                let index = self.candidates.partition_point(place);
                let (order_id, qualifies_at) = (order_id.clone(), *qualifies_at);
                let candidate = Candidate { order_id, qualifies_at, is_enough: *is_enough };
                self.candidates.insert(index, candidate);
            }
            ReferralEvent::Corrected { order_id, is_enough } => {
                if let Some(it) = self.candidates.iter_mut().find(|it| it.order_id == *order_id) {
                    it.is_enough = *is_enough;
                } else if !is_enough {
                    // It had qualified, and nothing had come of it yet.
                    self.state = ReferralState::Named;
                }
            }
            ReferralEvent::NotKept { order_id, .. } => {
                self.candidates.retain(|it| it.order_id != *order_id);
            }
            ReferralEvent::Qualified { by, .. } => {
                if let Qualifier::Order(order_id) = by {
                    self.candidates.retain(|it| it.order_id != *order_id);
                }
                self.state = ReferralState::Qualified { by: by.clone() };
            }
            ReferralEvent::Held { by, .. } => self.settle(ReferralState::Held { by: by.clone() }),
            ReferralEvent::Rewarded { reward, .. } => {
                self.settle(ReferralState::Rewarded(reward.clone()));
            }
            ReferralEvent::Refused { refusal, .. } => {
                self.settle(ReferralState::Refused(refusal.clone()));
            }
            ReferralEvent::Revoked { .. } => self.settle(ReferralState::Revoked),
        }
    }

    fn settle(&mut self, state: ReferralState) {
        self.state = state;
        self.candidates.clear();
    }

    /// The order whose return window ends first, unless it is settled already.
    pub(crate) fn next_candidate(&self) -> Option<&Candidate> {
        let is_open = matches!(self.state, ReferralState::Named);
        self.candidates.first().filter(|_| is_open)
    }

    /// What the end of the return window of `candidate` does.
    pub(crate) fn window_ended(&self, candidate: &Candidate) -> Event {
        let (at, order_id) = (candidate.qualifies_at, candidate.order_id.clone());
        Event::Referral(Box::new(if candidate.is_enough {
            let (by, referrer) = (Qualifier::Order(order_id), self.referrer.clone());
            ReferralEvent::Qualified { at, by, referrer }
        } else {
            ReferralEvent::NotKept { at, order_id }
        }))
    }
}

/// Both sides of a referral while it is looked into: the friend's account under work, and the referrer's.
struct Sides<'a> {
    friend: Work<'a>,
    referrer: MemberId,
    by: Qualifier,
    /// The day in which the friend is counted, if their number is limited.
    count: Option<CapKey>,
}

impl<'a> Work<'a> {
    fn refer(&mut self, event: ReferralEvent) -> Result<(), OutOfRange> {
        self.record(Event::Referral(Box::new(event)))
    }

    /// Records who brought `member_id`, or why nobody did; nothing if it is said once more.
    pub(crate) fn name_referrer(
        &mut self,
        member_id: &MemberId,
        code: &NamedCode,
        has_history: bool,
    ) -> Result<(), OutOfRange> {
        if self.program.spec().referral.is_none() {
            return Ok(());
        }
        let before = self.account.membership.referred.as_ref().map(|it| &it.referrer);
        let refusal = match code {
            NamedCode::Unknown => ReferralRefusal::CodeUnknown,
            NamedCode::Dead => ReferralRefusal::CodeDead,
            NamedCode::Of(referrer) if referrer == member_id => ReferralRefusal::OwnCode,
            NamedCode::Of(referrer) if before == Some(referrer) => return Ok(()),
            NamedCode::Of(_) if before.is_some() => ReferralRefusal::AlreadyReferred,
            NamedCode::Of(_) if has_history => ReferralRefusal::ExistingCustomer,
            NamedCode::Of(referrer) => {
                return self.refer(ReferralEvent::Named { referrer: referrer.clone() });
            }
        };
        self.refer(ReferralEvent::NotNamed { refusal })
    }

    /// Whether `record` is enough for a referral, as much of it as is kept.
    fn is_enough(&self, record: &OrderRecord) -> Result<bool, OutOfRange> {
        let eligible = record.eligible()?;
        let least = self.program.referral_min();
        Ok(!eligible.is_zero() && record.spend_of(eligible, self.program)? >= least)
    }

    /// Watches an order of somebody who was brought, until its return window is over.
    pub(crate) fn watch_order(
        &mut self,
        order_id: &OrderId,
        paid_at: Timestamp,
        record: &OrderRecord,
    ) -> Result<(), OutOfRange> {
        let Some(spec) = &self.program.spec().referral else { return Ok(()) };
        let Some(referred) = &self.account.membership.referred else { return Ok(()) };
        // What is due may still come back, and then the next one counts.
        let is_open =
            matches!(referred.state, ReferralState::Named | ReferralState::Qualified { .. });
        let has_room = referred.candidates.len() < CANDIDATES_MAX
            || referred.candidates.iter().any(|it| !it.is_enough);
        if !is_open || !has_room || spec.task.is_some() {
            return Ok(());
        }
        // One of which nothing counts, or is left, may be edited to more until then.
        let qualifies_at = after_days(paid_at, spec.window_days)?;
        let (order_id, is_enough) = (order_id.clone(), self.is_enough(record)?);
        let referrer = referred.referrer.clone();
        self.refer(ReferralEvent::Ordered { order_id, qualifies_at, is_enough, referrer })?;
        // An order of long ago may have been kept already.
        self.end_windows()
    }

    /// Lets the return windows end that are over by now. All else that is due has happened: what was earned since
    /// is not to be kept longer by what a program promised before.
    fn end_windows(&mut self) -> Result<(), OutOfRange> {
        loop {
            let referred = self.account.membership.referred.as_ref();
            let first = referred.and_then(|it| it.next_candidate().map(|first| (it, first)));
            let Some((referred, first)) = first.filter(|(_, it)| it.qualifies_at <= self.at) else {
                return Ok(());
            };
            let event = referred.window_ended(first);
            self.record(event)?;
        }
    }

    /// Looks again at a referral after the order called `order_id`, which was `before`, became `record`.
    pub(crate) fn correct_referral(
        &mut self,
        order_id: &OrderId,
        before: &OrderRecord,
        record: &OrderRecord,
    ) -> Result<(), OutOfRange> {
        let Some(referred) = self.account.membership.referred.clone() else { return Ok(()) };
        let is_enough = self.is_enough(record)?;
        // A version that asks for more than the one before it takes nothing back by itself: only what falls
        // below the least is too little of an order that was enough once.
        let is_too_little =
            !is_enough && (record.eligible()?.is_zero() || self.is_enough(before)?);
        let is_this =
            |by: &Qualifier| matches!(by, Qualifier::Order(qualified) if qualified == order_id);
        match &referred.state {
            ReferralState::Named => {
                let candidate = referred.candidates.iter().find(|it| it.order_id == *order_id);
                if candidate.is_some_and(|it| it.is_enough != is_enough) {
                    let order_id = order_id.clone();
                    self.refer(ReferralEvent::Corrected { order_id, is_enough })?;
                }
            }
            ReferralState::Qualified { by } if is_this(by) && is_too_little => {
                self.refer(ReferralEvent::Corrected { order_id: order_id.clone(), is_enough })?;
                self.end_windows()?;
            }
            ReferralState::Held { by } if is_this(by) && is_too_little => {
                self.refer(ReferralEvent::Revoked { referrer: referred.referrer.clone() })?;
            }
            ReferralState::Rewarded(reward) if is_this(&reward.by) && is_too_little => {
                self.revoke(&referred.referrer, reward)?;
            }
            ReferralState::Qualified { .. } => {
                let candidate = referred.candidates.iter().find(|it| it.order_id == *order_id);
                if candidate.is_some_and(|it| it.is_enough != is_enough) {
                    let order_id = order_id.clone();
                    self.refer(ReferralEvent::Corrected { order_id, is_enough })?;
                }
            }
            ReferralState::Held { .. }
            | ReferralState::Rewarded(_)
            | ReferralState::Refused(_)
            | ReferralState::Revoked => (),
        }
        Ok(())
    }

    /// Makes a referral due by a task that was done, if the program asks for that.
    pub(crate) fn qualify_by_task(&mut self, task: &TaskId) -> Result<(), OutOfRange> {
        let Some(spec) = &self.program.spec().referral else { return Ok(()) };
        let Some(referred) = &self.account.membership.referred else { return Ok(()) };
        if spec.task.as_ref() == Some(task) && matches!(referred.state, ReferralState::Named) {
            let (at, by) = (self.at, Qualifier::Task(task.clone()));
            let referrer = referred.referrer.clone();
            self.refer(ReferralEvent::Qualified { at, by, referrer })?;
        }
        Ok(())
    }

    /// What `points` are that are given now, beside orders.
    pub(crate) fn grant(
        &self,
        reason: GrantReason,
        points: Points,
        months: Option<u32>,
    ) -> Result<Granted, OutOfRange> {
        let earning = &self.program.spec().earning;
        let today = self.program.calendar().day_of(self.at);
        let given = earning.last_good_day_after(months.or(earning.expiry_months), today)?;
        let lot = LotId { wallet: Wallet::Points, given };
        let becomes = self.becomes(&self.account, lot, self.at, points)?;
        let share = Share { points, lot, caps: Vec::new() };
        Ok(Granted { reason, share, becomes, cut: Points::ZERO })
    }

    /// Answers [`Command::SettleReferral`](crate::command::Command::SettleReferral).
    pub(crate) fn settle_referral(
        mut self,
        id: &CommandId,
        suspicion: &Suspicion,
    ) -> Result<Decision, Rejection> {
        due::happen(&mut self)?;
        let Some(referred) = self.account.membership.referred.clone() else {
            return Ok(Decision::Nothing);
        };
        let ReferralState::Qualified { by } = referred.state else { return Ok(Decision::Nothing) };
        match self.account.membership.status {
            // They are asked for once more when they are active.
            Status::Unenrolled | Status::Pending | Status::Frozen => return Ok(Decision::Nothing),
            Status::Active | Status::Closed => (),
        }
        let referrer = referred.referrer;
        if let Some(refusal) = self.refusal(suspicion) {
            self.refer(ReferralEvent::Refused { referrer, refusal })?;
            return Ok(self.done(true));
        }
        let count = self.count_key();
        let limit = self.program.spec().referral.as_ref().and_then(|it| it.velocity);
        let counted = count.map_or(0, |key| self.referrer().membership.referrals.counted(key));
        if limit.is_some_and(|it| counted >= it.friends) {
            self.refer(ReferralEvent::Held { by, referrer })?;
            return Ok(self.done(true));
        }
        Sides { friend: self, referrer, by, count }.reward(id)
    }

    /// Answers [`Command::ReviewReferral`](crate::command::Command::ReviewReferral).
    pub(crate) fn review_referral(
        mut self,
        id: &CommandId,
        approves: bool,
        reason: &ReasonCode,
        suspicion: &Suspicion,
    ) -> Result<Decision, Rejection> {
        due::happen(&mut self)?;
        let referred = self.account.membership.referred.clone();
        let Some((referrer, ReferralState::Held { by })) =
            referred.map(|it| (it.referrer, it.state))
        else {
            return Err(Rejection::NothingToReview);
        };
        if approves && self.account.membership.status == Status::Frozen {
            return Err(Rejection::AccountFrozen);
        }
        let denied = (!approves).then(|| ReferralRefusal::DeniedByStaff { why: reason.clone() });
        if let Some(refusal) = self.refusal(suspicion).or(denied) {
            self.refer(ReferralEvent::Refused { referrer, refusal })?;
            return Ok(self.done(true));
        }
        let count = self.count_key();
        Sides { friend: self, referrer, by, count }.reward(id)
    }

    /// Why this friend and this referrer are not to be rewarded.
    fn refusal(&self, suspicion: &Suspicion) -> Option<ReferralRefusal> {
        let Some(spec) = &self.program.spec().referral else {
            return Some(ReferralRefusal::ReferralsOff);
        };
        let counts = |all: &[SignalKind]| {
            SignalKind::ALL.into_iter().find(|it| all.contains(it) && spec.same_person.contains(it))
        };
        if self.account.membership.status == Status::Closed {
            Some(ReferralRefusal::FriendClosed)
        } else if self.referrer().membership.status != Status::Active {
            Some(ReferralRefusal::ReferrerNotActive)
        } else if suspicion.is_ring {
            Some(ReferralRefusal::Ring)
        } else if let Some(kind) = counts(&suspicion.with_referrer) {
            Some(ReferralRefusal::SamePerson { kind })
        } else {
            counts(&suspicion.with_others).map(|kind| ReferralRefusal::KnownPerson { kind })
        }
    }

    /// The period in which a friend of this instant is counted, if their number is limited.
    fn count_key(&self) -> Option<CapKey> {
        let velocity = self.program.spec().referral.as_ref()?.velocity?;
        let today = self.program.calendar().day_of(self.referrer_at());
        Some(CapKey::of(velocity.period, today))
    }

    /// The referrer's account as it was read.
    ///
    /// Without one, what is decided is never stored: an account that is there is not at the number of a new one.
    fn referrer(&self) -> Account {
        self.other.cloned().unwrap_or_default()
    }

    /// The instant at which something takes effect on the referrer's account.
    fn referrer_at(&self) -> Timestamp {
        self.other.and_then(|it| it.clock).map_or(self.at, |it| it.max(self.at))
    }

    fn referrer_work(&self) -> Result<Work<'a>, OutOfRange> {
        let mut work = Work::new(self.program, self.referrer(), self.referrer_at());
        due::happen(&mut work)?;
        Ok(work)
    }

    /// Takes back what both sides got.
    fn revoke(&mut self, referrer: &MemberId, reward: &Reward) -> Result<(), OutOfRange> {
        let own = GrantReason::Referred { referrer: referrer.clone() };
        self.take_back(own, reward.friend.clone())?;
        self.refer(ReferralEvent::Revoked { referrer: referrer.clone() })?;

        if self.other.is_none() {
            // Both became one member since.
            let friend = self.member_id.cloned().ok_or(OutOfRange)?;
            return self.take_back_from_referrer(&friend, reward);
        }
        let mut other = self.referrer_work()?;
        let Some(friend) = self.member_id.cloned() else { return Err(OutOfRange) };
        other.take_back_from_referrer(&friend, reward)?;
        let id = CommandId::ReferralRevoked(friend);
        self.second = Some(Box::new(other.into_second(id, referrer.clone())));
        Ok(())
    }

    /// Takes back from a referrer what they got for `friend`.
    fn take_back_from_referrer(
        &mut self,
        friend: &MemberId,
        reward: &Reward,
    ) -> Result<(), OutOfRange> {
        let brought = GrantReason::Brought { friend: friend.clone(), count: None };
        self.take_back(brought, reward.referrer.clone())?;
        // Who no longer brought enough has not reached it, and reaches it with the next.
        let Referrals { rewarded, milestones, .. } = self.account.membership.referrals.clone();
        for MilestoneGrant { friends, share } in milestones {
            if friends > rewarded {
                self.take_back(GrantReason::Milestone { friends }, share)?;
            }
        }
        Ok(())
    }

    fn take_back(&mut self, reason: GrantReason, share: Share) -> Result<(), OutOfRange> {
        let own = (self.at, share.lot, 0);
        let settled = self.settled(&self.account, own, share.points, Points::ZERO)?;
        self.record(Event::GrantTakenBack(Box::new(GrantTakenBack { reason, share, settled })))
    }

    pub(crate) fn into_second(self, id: CommandId, member_id: MemberId) -> Second {
        Second { id, member_id, at: self.at, events: self.events, account: Box::new(self.account) }
    }
}

impl Sides<'_> {
    /// Rewards both.
    fn reward(self, id: &CommandId) -> Result<Decision, Rejection> {
        let Self { mut friend, referrer, by, count } = self;
        let Some(spec) = friend.program.spec().referral.clone() else {
            return Ok(Decision::Nothing);
        };
        let Some(friend_id) = friend.member_id.cloned() else { return Ok(Decision::Nothing) };
        debug_assert_ne!(*id, CommandId::ReferralReward(friend_id.clone()), "two entries, two ids");
        let mut other = friend.referrer_work()?;
        let brought = GrantReason::Brought { friend: friend_id.clone(), count };
        let shared = other.give_capped(brought, spec.referrer_points, spec.expiry_months)?;
        let rewarded = other.account.membership.referrals.rewarded;
        for milestone in &spec.milestones {
            let referrals = &other.account.membership.referrals;
            let is_new = !referrals.milestones.iter().any(|it| it.friends == milestone.friends);
            if milestone.friends <= rewarded && is_new {
                let reason = GrantReason::Milestone { friends: milestone.friends };
                other.give_capped(reason, milestone.points, spec.expiry_months)?;
            }
        }
        let own = GrantReason::Referred { referrer: referrer.clone() };
        let grant = friend.grant(own, spec.friend_points, spec.expiry_months)?;
        let own = grant.share.clone();
        friend.record(Event::Granted(Box::new(grant)))?;
        let reward = Reward { by, friend: own, referrer: shared };
        let reward = Box::new(reward);
        friend.refer(ReferralEvent::Rewarded { reward, referrer: referrer.clone() })?;
        let id = CommandId::ReferralReward(friend_id);
        friend.second = Some(Box::new(other.into_second(id, referrer)));
        Ok(friend.done(true))
    }
}

impl Work<'_> {
    /// Gives `points` to a referrer, as many as the caps leave.
    fn give_capped(
        &mut self,
        reason: GrantReason,
        points: Points,
        months: Option<u32>,
    ) -> Result<Share, OutOfRange> {
        let today = self.program.calendar().day_of(self.at);
        let spec = self.program.spec().referral.as_ref();
        let (mut caps, mut left) = (Vec::new(), points);
        for cap in spec.map_or(&[][..], |it| &it.caps) {
            let key = CapKey::of(cap.period, today);
            let used = self.account.membership.referrals.cap_used(key);
            left = left.min(cap.points.minus_or_zero(used));
            caps.push(key);
        }
        let mut grant = self.grant(reason, left, months)?;
        grant.cut = points.minus(left)?;
        grant.share.caps = caps;
        let share = grant.share.clone();
        self.record(Event::Granted(Box::new(grant)))?;
        Ok(share)
    }
}

/// What became of points that are given at once; used by whoever shows them.
impl Granted {
    /// How many of the points paid a debt.
    pub const fn debt_paid(&self) -> Points {
        match self.becomes {
            Becomes::Available { debt_paid } => debt_paid,
            Becomes::Pending | Becomes::Expired | Becomes::Unclaimed => Points::ZERO,
        }
    }
}

/// A limit to how many friends of one referrer are rewarded in one period without somebody looking into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Velocity {
    /// The period.
    pub period: CapPeriod,
    /// How many friends.
    pub friends: u32,
}
