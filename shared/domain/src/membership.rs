//! Membership: whether somebody has joined, whom they were brought by, and whom they brought.
//!
//! An account exists as soon as an order names it. Who enrolls becomes a member; until then all of this is
//! empty, and costs an account nothing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    account::{Account, Adjusted, CapUse, Measure},
    calendar::Month,
    command::NewStatus,
    decide::{Decision, Rejection, Work},
    due,
    event::{Event, GrantReason, LevelBefore, ReferralEvent},
    id::{MemberId, ReasonCode},
    money::Spend,
    points::OutOfRange,
    program::Activation,
    referral::{CountUse, MilestoneGrant, NamedCode, ReferralState, Referred},
    tier,
};

/// What an account has beside points and level, once its owner joined or was brought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Whether its owner has joined.
    pub status: Status,
    /// When.
    pub enrolled_at: Option<Timestamp>,
    /// When they first became a member who can be reached.
    pub activated_at: Option<Timestamp>,
    /// Who brought them.
    pub referred: Option<Box<Referred>>,
    /// What they got for those whom they brought.
    pub referrals: Referrals,
}

/// Whether the owner of an account has joined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nobody has: the account is there because an order named it. It earns and spends.
    #[default]
    Unenrolled,
    /// They have, and have not shown yet that they can be reached. It earns, and does not spend.
    Pending,
    /// They are a member.
    Active,
    /// Staff stopped it for a while. It earns, and does not spend.
    Frozen,
    /// They have left. It neither earns nor spends; refunds are still taken back.
    Closed,
}

/// What a member got for those whom they brought, as far as it is still counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Referrals {
    /// How many friends were rewarded, less those whose reward was taken back.
    pub rewarded: u32,
    /// What caps have counted, of each length of period the newest one.
    pub caps: Vec<CapUse>,
    /// How many friends were rewarded in the newest period of the limit to their number.
    pub count: Option<CountUse>,
    /// Milestones that are reached.
    pub milestones: Vec<MilestoneGrant>,
}

impl Membership {
    /// Records that the status changed at `at`.
    pub(crate) fn change(&mut self, status: Status, at: Timestamp) {
        self.status = status;
        self.enrolled_at = self.enrolled_at.or(Some(at));
        if status == Status::Active {
            self.activated_at = self.activated_at.or(Some(at));
        }
    }

    /// Whether points can be used.
    ///
    /// # Errors
    ///
    /// [`Rejection::AccountClosed`], [`Rejection::AccountFrozen`] or [`Rejection::AccountPending`].
    pub(crate) const fn check_spends(&self) -> Result<(), Rejection> {
        match self.status {
            Status::Closed => Err(Rejection::AccountClosed),
            Status::Frozen => Err(Rejection::AccountFrozen),
            Status::Pending => Err(Rejection::AccountPending),
            Status::Unenrolled | Status::Active => Ok(()),
        }
    }

    /// Whether it is not closed.
    ///
    /// # Errors
    ///
    /// [`Rejection::AccountClosed`].
    pub(crate) const fn check_open(&self) -> Result<(), Rejection> {
        match self.status {
            Status::Closed => Err(Rejection::AccountClosed),
            Status::Unenrolled | Status::Pending | Status::Active | Status::Frozen => Ok(()),
        }
    }
}

impl Account {
    /// Whether its owner has bought something before, or came from another system with something.
    pub fn has_history(&self) -> bool {
        let lifetime = &self.progress.lifetime;
        let has_ordered = lifetime.orders > 0 || lifetime.spend != Spend::ZERO;
        // An order that came to nothing leaves its month behind, with nothing in it.
        let was_refunded = !self.totals.clawed_back.is_zero()
            || self.progress.months.iter().any(|it| it.measure == Measure::default());
        has_ordered || was_refunded || self.totals.adjusted != Adjusted::default()
    }
}

impl Work<'_> {
    /// Answers [`Command::Enroll`](crate::command::Command::Enroll).
    pub(crate) fn enroll(
        mut self,
        member_id: &MemberId,
        code: Option<&NamedCode>,
    ) -> Result<Decision, Rejection> {
        self.account.membership.check_open()?;
        due::happen(&mut self)?;
        let has_history = self.account.has_history();
        let status = match self.program.spec().enrollment.activation {
            Activation::Code => Status::Pending,
            Activation::None => Status::Active,
        };
        self.record(Event::StatusChanged { at: self.at, status, reason: None })?;
        if let Some(code) = code {
            self.name_referrer(member_id, code, has_history)?;
        }
        if status == Status::Active {
            self.welcome()?;
            self.ask_again()?;
        }
        Ok(self.done(true))
    }

    /// Answers [`Command::Activate`](crate::command::Command::Activate).
    pub(crate) fn activate(mut self) -> Result<Decision, Rejection> {
        match self.account.membership.status {
            Status::Unenrolled => Err(Rejection::NotEnrolled),
            Status::Closed => Err(Rejection::AccountClosed),
            Status::Frozen => Err(Rejection::AccountFrozen),
            Status::Pending => self.become_active(None),
            // Staff were faster.
            Status::Active => {
                due::happen(&mut self)?;
                Ok(self.done(true))
            }
        }
    }

    /// Answers [`Command::SetStatus`](crate::command::Command::SetStatus).
    pub(crate) fn set_status(
        mut self,
        new: NewStatus,
        reason: &ReasonCode,
    ) -> Result<Decision, Rejection> {
        let before = self.account.membership.status;
        self.account.membership.check_open()?;
        if before == Status::Unenrolled {
            return Err(Rejection::NotEnrolled);
        }
        let status = match new {
            NewStatus::Active if before == Status::Active => {
                return Err(Rejection::StatusUnchanged);
            }
            NewStatus::Active => return self.become_active(Some(reason.clone())),
            NewStatus::Frozen => Status::Frozen,
            NewStatus::Closed => Status::Closed,
        };
        if before == status {
            return Err(Rejection::StatusUnchanged);
        }
        due::happen(&mut self)?;
        let reason = Some(reason.clone());
        self.record(Event::StatusChanged { at: self.at, status, reason })?;
        if status == Status::Closed {
            // So that it is refused, and its referrer waits for nothing.
            self.ask_again()?;
        }
        Ok(self.done(true))
    }

    fn become_active(mut self, reason: Option<ReasonCode>) -> Result<Decision, Rejection> {
        due::happen(&mut self)?;
        let is_first = self.account.membership.activated_at.is_none();
        self.record(Event::StatusChanged { at: self.at, status: Status::Active, reason })?;
        if is_first {
            self.welcome()?;
        }
        self.ask_again()?;
        Ok(self.done(true))
    }

    /// Lets a referral be looked into that is due and waited until something becomes of the friend.
    fn ask_again(&mut self) -> Result<(), OutOfRange> {
        if let Some(referred) = &self.account.membership.referred
            && let ReferralState::Qualified { by } = &referred.state
        {
            let (at, by, referrer) = (self.at, by.clone(), referred.referrer.clone());
            let event = ReferralEvent::Qualified { at, by, referrer };
            self.record(Event::Referral(Box::new(event)))?;
        }
        Ok(())
    }

    /// Gives what the program gives to whoever becomes a member.
    fn welcome(&mut self) -> Result<(), OutOfRange> {
        let enrollment = &self.program.spec().enrollment;
        if let Some(points) = enrollment.points {
            let grant = self.grant(GrantReason::Welcome, points, enrollment.expiry_months)?;
            self.record(Event::Granted(Box::new(grant)))?;
        }
        let rank = enrollment.level.as_ref().and_then(|it| self.program.rank_of(it)).unwrap_or(0);
        if rank > tier::earned_rank(self.program, &self.account)
            && let Some(level) = self.program.levels().get(rank)
        {
            let month = Month::of(self.program.calendar().day_of(self.at));
            let valid_through = month.plus(12)?.last_day();
            let before =
                tier::level_before(self.program, &self.account, rank, Some(valid_through))?;
            let before: Option<LevelBefore> = Some(before);
            self.record(Event::LevelReached { level: level.id.clone(), valid_through, before })?;
        }
        Ok(())
    }
}
