//! Merging: two members become one, and two again if that was a mistake.
//!
//! No entry moves. What the one has goes to the other's account, and the first becomes a name for the second:
//! whatever is said of it later is about the other account. See `docs/decisions/0018-merges.md`.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    account::{Account, CapUse, Lot, LotId, Measure, MonthProgress, Pending, Tier, UNFILLED},
    adjustment::Proposal,
    calendar::Month,
    checkout::Hold,
    command::Canonical,
    decide::{Decision, Held, Rejection, Work},
    due,
    event::{Event, LevelBefore, LotUse},
    holdings::Holdings,
    id::{CommandId, LevelId, MemberId, PairId, ReasonCode, TaskId},
    membership::{Referrals, Status},
    points::{OutOfRange, Points},
    redemption::RedeemedCount,
    referral::Referred,
    tier::{self, TASKS_MAX},
};

/// What staff ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MergeAct {
    /// The member becomes one with another.
    Merge {
        /// Whose account goes on.
        into: MemberId,
        /// Why.
        reason: ReasonCode,
    },
    /// They become two again.
    Undo {
        /// Whose account went on.
        into: MemberId,
        /// The merge that is undone.
        merge: PairId,
        /// Why.
        reason: ReasonCode,
    },
}

impl MergeAct {
    /// Whose account goes on, or went on.
    pub const fn into(&self) -> &MemberId {
        match self {
            Self::Merge { into, .. } | Self::Undo { into, .. } => into,
        }
    }

    /// The entry that says what is to be undone.
    pub fn undone(&self) -> Option<CommandId> {
        match self {
            Self::Merge { .. } => None,
            Self::Undo { into, merge, .. } => Some(CommandId::Counterpart(into.clone(), *merge)),
        }
    }

    pub(crate) fn write(&self, content: &mut Canonical) {
        match self {
            Self::Merge { into, reason } => {
                content.text("merge");
                content.text(into.as_str());
                content.text(reason.as_str());
            }
            Self::Undo { into, merge, reason } => {
                content.text("undo merge");
                content.text(into.as_str());
                content.text(&merge.to_string());
                content.text(reason.as_str());
            }
        }
    }
}

/// That an account is a name for another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// Whose it was.
    pub of: MemberId,
    /// For whose.
    pub into: MemberId,
    /// Since which merge.
    pub merge: PairId,
    /// Since when.
    pub at: Timestamp,
}

/// What goes from one account to another as their owners become one, or back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Lots in the order of their use, the empty ones among them: their places in line are kept.
    pub lots: Vec<MovedLot>,
    /// Points on their way.
    pub pending: Vec<Pending>,
    /// What is held for checkouts.
    pub holds: Vec<Hold>,
    /// What was owed.
    pub debt: Points,
    /// What counts for levels, by month.
    pub months: Vec<MonthProgress>,
    /// What counts for levels, over all time.
    pub lifetime: Measure,
    /// Tasks that only the one had done.
    pub tasks: Vec<TaskId>,
    /// What caps had counted.
    pub caps: Vec<CapUse>,
    /// By whom the one was brought, if nobody had brought the other.
    pub referred: Option<Box<Referred>>,
    /// Whom the one had brought.
    pub referrals: Referrals,
    /// Of which rewards how many were taken.
    pub redeemed: Vec<RedeemedCount>,
    /// How many points were given away.
    pub sent: Vec<CapUse>,
    /// Adjustments that wait for a second person.
    pub proposals: Vec<Proposal>,
    /// What was used of holds by call and waits for its order.
    pub captured: Vec<Hold>,
}

/// A lot that goes to another account, into the lot of the same identity. Together they last as long as the one that
/// lasts longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedLot {
    /// The lot as it was there.
    pub lot: Lot,
    /// The last good day of the other account's lot without this one; `None`: it has none.
    pub apart: Option<Date>,
    /// How many of its points paid what the other account owed.
    pub debt_paid: Points,
}

impl MovedLot {
    /// The last good day of both.
    fn together(&self) -> Date {
        self.apart.map_or(self.lot.last_good_day, |it| it.max(self.lot.last_good_day))
    }

    /// Whether the other account need not know of it: nothing is in it, nor would anything that comes into it later
    /// last longer for it.
    fn is_of_no_use(&self) -> bool {
        let Lot { id, last_good_day, points, filled: _ } = self.lot;
        points.is_zero() && self.apart.is_none() && last_good_day == id.given
    }
}

impl Moved {
    /// All points, whether or not they can be used yet.
    fn points(&self) -> Result<Points, OutOfRange> {
        let lots = self.lots.iter().map(|it| it.lot.points);
        let pending = self.pending.iter().map(|it| it.points);
        Points::total(lots.chain(pending).chain([self.held()?]))
    }

    /// What is held.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] never happens to what was decided.
    pub fn held(&self) -> Result<Points, OutOfRange> {
        self.holds.iter().try_fold(Points::ZERO, |sum, it| sum.plus(it.points()?))
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MergeEvent {
    /// The account became a name for another one, and all that it had went there.
    Left {
        /// Since when.
        at: Timestamp,
        /// Whose account it was.
        of: MemberId,
        /// Where to.
        into: MemberId,
        /// The merge.
        merge: PairId,
        /// What.
        moved: Box<Moved>,
        /// Why.
        reason: ReasonCode,
    },
    /// What another account had came here.
    Joined {
        /// Whose.
        from: MemberId,
        /// The merge.
        merge: PairId,
        /// What.
        moved: Box<Moved>,
        /// The lots here that paid what was owed there.
        debt_paid: Vec<LotUse>,
        /// The months that nothing had counted in before.
        new_months: Vec<Month>,
        /// The level before.
        tier: Box<Tier>,
        /// Whom the member had brought before.
        referrals: Box<Referrals>,
        /// Why.
        reason: ReasonCode,
    },
    /// What had come from another account went back, as far as it was there.
    Parted {
        /// Whose.
        from: MemberId,
        /// The merge that is undone.
        merge: PairId,
        /// What.
        returned: Box<Moved>,
        /// Points that had paid what was owed there, and are in their lots again.
        given_back: Vec<LotUse>,
        /// What is owed again, since the other's points had paid it.
        owed: Points,
        /// The lots that paid what is owed.
        debt_paid: Vec<LotUse>,
        /// The months in which nothing counts any more.
        ended_months: Vec<Month>,
        /// The level that was there before, if nothing has changed it since.
        level: Option<Box<LevelRestored>>,
        /// Whom the member brought, without the other.
        referrals: Box<Referrals>,
        /// How many of the points that had come are here no more.
        missing: Points,
        /// Why.
        reason: ReasonCode,
    },
    /// The account is one of its own again, with what came back.
    Restored {
        /// Where from.
        from: MemberId,
        /// The merge that was undone.
        merge: PairId,
        /// What.
        returned: Box<Moved>,
        /// The lots that paid what was owed.
        debt_paid: Vec<LotUse>,
        /// Why.
        reason: ReasonCode,
    },
}

/// A level as it was before a merge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelRestored {
    /// All that there is to it.
    pub tier: Tier,
    /// The level.
    pub level: LevelId,
    /// What it was until now.
    pub before: LevelBefore,
}

/// A merge that is to be undone, as its entry says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeState {
    /// Whose account became a name for the other's.
    pub from: MemberId,
    /// The merge.
    pub merge: PairId,
    /// What went there.
    pub moved: Box<Moved>,
    /// The lots there that paid what was owed.
    pub debt_paid: Vec<LotUse>,
    /// The months that nothing had counted in before.
    pub new_months: Vec<Month>,
    /// Whom the member had brought before.
    pub referrals_before: Referrals,
    /// The level before.
    pub tier_before: Tier,
    /// The level with which the merge ended.
    pub tier_after: Tier,
}

impl MergeState {
    /// What the `events` of an entry say of a merge, if they are of one.
    pub fn of(events: &[Event]) -> Option<Self> {
        let mut state: Option<Self> = None;
        for event in events {
            if let (Event::Merge(event), None) = (event, &state) {
                if let MergeEvent::Joined {
                    from,
                    merge,
                    moved,
                    debt_paid,
                    new_months,
                    tier,
                    referrals,
                    reason: _,
                } = &**event
                {
                    state = Some(Self {
                        from: from.clone(),
                        merge: *merge,
                        moved: moved.clone(),
                        debt_paid: debt_paid.clone(),
                        new_months: new_months.clone(),
                        referrals_before: (**referrals).clone(),
                        tier_before: (**tier).clone(),
                        tier_after: (**tier).clone(),
                    });
                }
            } else if let (Event::LevelReached { .. } | Event::LevelAwaited(_), Some(state)) =
                (event, &mut state)
            {
                let tier = std::mem::take(&mut state.tier_after);
                let mut account = Account { tier, ..Account::default() };
                // These two change nothing but the level, and cannot fail.
                if account.apply(event).is_ok() {
                    state.tier_after = account.tier;
                }
            }
        }
        state
    }
}

impl Account {
    pub(crate) fn apply_merge(&mut self, event: &MergeEvent) -> Result<(), OutOfRange> {
        match event {
            MergeEvent::Left { at, of, into, merge, moved, reason: _ } => {
                self.lots.clear();
                self.pending.clear();
                self.debt = Points::ZERO;
                self.held = Points::ZERO;
                self.holdings.holds.clear();
                self.holdings.captured.clear();
                self.holdings.proposals.clear();
                let alias = Alias { of: of.clone(), into: into.clone(), merge: *merge, at: *at };
                self.holdings.alias = Some(Box::new(alias));
                self.count_merged(moved.debt, moved.points()?)
            }
            MergeEvent::Joined { moved, debt_paid, .. } => self.join(moved, debt_paid),
            MergeEvent::Parted {
                returned,
                given_back,
                owed,
                debt_paid,
                ended_months,
                level,
                referrals,
                ..
            } => {
                self.debt = self.debt.plus(*owed)?;
                for it in given_back {
                    self.fill(it.lot, it.points)?;
                }
                self.part(returned)?;
                self.progress.months.retain(|it| {
                    !ended_months.contains(&it.month) || it.measure != Measure::default()
                });
                self.pay_debt(debt_paid)?;
                if let Some(level) = level {
                    self.tier = level.tier.clone();
                }
                if returned.referred.is_some() {
                    self.membership.referred = None;
                }
                self.membership.referrals.clone_from(referrals);
                Ok(())
            }
            MergeEvent::Restored { returned, debt_paid, .. } => {
                self.holdings.alias = None;
                if returned.referred.is_some() {
                    self.membership.referred.clone_from(&returned.referred);
                }
                self.lots = returned.lots.iter().map(|it| it.lot).collect();
                for lot in &mut self.lots {
                    // What matured meanwhile was never in a lot of this account.
                    if lot.filled == UNFILLED && !lot.points.is_zero() {
                        lot.filled = self.lots_filled;
                        self.lots_filled = lot.filled.checked_add(1).ok_or(OutOfRange)?;
                    }
                }
                self.sort_lots();
                self.pending.clone_from(&returned.pending);
                self.debt = returned.debt;
                self.pay_debt(debt_paid)?;
                self.held = returned.held()?;
                self.holdings.holds.clone_from(&returned.holds);
                self.holdings.captured.clone_from(&returned.captured);
                self.holdings.proposals.clone_from(&returned.proposals);
                self.count_merged(returned.points()?, returned.debt)
            }
        }
    }

    fn count_merged(&mut self, up: Points, down: Points) -> Result<(), OutOfRange> {
        let merged = &mut self.holdings.merged;
        merged.up = merged.up.plus(up)?;
        merged.down = merged.down.plus(down)?;
        self.check_range()
    }

    fn pay_debt(&mut self, uses: &[LotUse]) -> Result<(), OutOfRange> {
        for LotUse { lot, points } in uses {
            self.take_from_lot(*lot, *points)?;
            self.debt = self.debt.minus(*points)?;
        }
        Ok(())
    }

    /// Which lots pay what is owed, in the order of their use.
    fn lots_for_debt(&self) -> Result<Vec<LotUse>, OutOfRange> {
        let mut left = self.debt;
        let mut uses = Vec::new();
        for lot in &self.lots {
            let points = lot.points.min(left);
            if !points.is_zero() {
                left = left.minus(points)?;
                uses.push(LotUse { lot: lot.id, points });
            }
        }
        Ok(uses)
    }

    fn join_lot(&mut self, moved: &MovedLot) -> Result<(), OutOfRange> {
        if moved.is_of_no_use() {
            return Ok(());
        }
        let MovedLot { lot, apart, debt_paid } = moved;
        self.debt = self.debt.minus(*debt_paid)?;
        if apart.is_none() {
            // There may be one that is empty and over, if nothing has happened there since.
            self.lots.retain(|it| it.id != lot.id);
            self.lots.push(Lot { points: Points::ZERO, filled: UNFILLED, ..*lot });
        }
        self.set_last_good_day(lot.id, moved.together());
        self.fill(lot.id, lot.points.minus(*debt_paid)?)
    }

    fn set_last_good_day(&mut self, id: LotId, day: Date) {
        if let Some(lot) = self.lots.iter_mut().find(|it| it.id == id) {
            lot.last_good_day = day;
        }
        self.sort_lots();
    }

    fn join(&mut self, moved: &Moved, debt_paid: &[LotUse]) -> Result<(), OutOfRange> {
        for it in &moved.lots {
            self.join_lot(it)?;
        }
        for group in &moved.pending {
            self.add_pending(Pending { since: JOINED, ..*group })?;
        }
        self.debt = self.debt.plus(moved.debt)?;
        self.pay_debt(debt_paid)?;
        self.progress.join(&moved.months, moved.lifetime)?;
        self.progress.tasks.extend(moved.tasks.iter().cloned());
        for CapUse { key, points } in &moved.caps {
            self.use_cap(*key, *points)?;
        }
        if moved.referred.is_some() {
            self.membership.referred.clone_from(&moved.referred);
        }
        self.membership.referrals.join(&moved.referrals)?;
        self.held = self.held.plus(moved.held()?)?;
        self.holdings.join(moved)?;
        self.count_merged(moved.points()?, moved.debt)
    }

    fn part(&mut self, returned: &Moved) -> Result<(), OutOfRange> {
        for MovedLot { lot, apart, debt_paid } in &returned.lots {
            let points = lot.points.minus(*debt_paid)?;
            if !points.is_zero() {
                self.take_from_lot(lot.id, points)?;
            }
            match apart {
                Some(day) => self.set_last_good_day(lot.id, *day),
                None => self.lots.retain(|it| it.id != lot.id || !it.points.is_zero()),
            }
        }
        for group in &returned.pending {
            let index = self.joined_pending(group);
            self.take_pending(index, group.points)?;
        }
        self.debt = self.debt.minus(returned.debt)?;
        self.progress.part(&returned.months, returned.lifetime)?;
        self.progress.tasks.retain(|it| !returned.tasks.contains(it));
        for CapUse { key, points } in &returned.caps {
            if let Some(cap) = self.caps.iter_mut().find(|it| it.key == *key) {
                cap.points = cap.points.minus_or_zero(*points);
            }
            self.caps.retain(|it| it.key != *key || !it.points.is_zero());
        }
        self.held = self.held.minus(returned.held()?)?;
        self.holdings.part(returned);
        self.count_merged(returned.debt, returned.points()?)
    }

    /// Where the pending points lie that had come with `group`.
    fn joined_pending(&self, group: &Pending) -> Option<usize> {
        self.pending.iter().position(|it| {
            it.matures_at == group.matures_at && it.lot == group.lot && it.since == JOINED
        })
    }
}

impl Holdings {
    fn join(&mut self, moved: &Moved) -> Result<(), OutOfRange> {
        self.holds.extend(moved.holds.iter().cloned());
        self.captured.extend(moved.captured.iter().cloned());
        self.proposals.extend(moved.proposals.iter().cloned());
        for it in &moved.redeemed {
            let same = |own: &&mut RedeemedCount| own.reward == it.reward && own.key == it.key;
            match self.redeemed.iter_mut().find(same) {
                Some(own) => own.count = own.count.checked_add(it.count).ok_or(OutOfRange)?,
                None => self.redeemed.push(it.clone()),
            }
        }
        for it in &moved.sent {
            match self.sent.iter_mut().find(|own| own.key == it.key) {
                Some(own) => own.points = own.points.plus(it.points)?,
                None => self.sent.push(*it),
            }
        }
        Ok(())
    }

    fn part(&mut self, returned: &Moved) {
        self.holds.retain(|it| !returned.holds.iter().any(|gone| gone.id == it.id));
        self.captured.retain(|it| !returned.captured.iter().any(|gone| gone.id == it.id));
        self.proposals.retain(|it| !returned.proposals.iter().any(|gone| gone.id == it.id));
        for it in &returned.redeemed {
            for own in &mut self.redeemed {
                if own.reward == it.reward && own.key == it.key {
                    own.count = own.count.saturating_sub(it.count);
                }
            }
        }
        self.redeemed.retain(|it| it.count > 0);
        for it in &returned.sent {
            if let Some(own) = self.sent.iter_mut().find(|own| own.key == it.key) {
                own.points = own.points.minus_or_zero(it.points);
            }
        }
        self.sent.retain(|it| !it.points.is_zero());
    }
}

/// Since when points of another account are said to wait: before all of this one's that mature at the same
/// instant, so that a refund of an order there finds them.
const JOINED: u64 = 0;

impl Work<'_> {
    /// Answers [`Command::Merge`](crate::command::Command::Merge).
    pub(crate) fn merge(
        self,
        id: &CommandId,
        act: &MergeAct,
        holds: &Held,
    ) -> Result<Decision, Rejection> {
        match act {
            MergeAct::Merge { into, reason } => self.become_one(PairId::of(id), into, reason),
            MergeAct::Undo { into, merge, reason } => {
                let Held::Merge(state) = holds else { return Err(Rejection::NotMerged) };
                if self.account.holdings.alias.as_ref().is_none_or(|it| it.merge != *merge) {
                    return Err(Rejection::NotMerged);
                }
                self.become_two(id, into, state, reason)
            }
        }
    }

    /// The account of the other member, brought to the instant at which something takes effect there.
    pub(crate) fn other_work(&self) -> Result<Self, Rejection> {
        let other = self.other.cloned().unwrap_or_default();
        let at = other.clock.map_or(self.at, |it| it.max(self.at));
        let mut other = Self { is_late: self.is_late, ..Work::new(self.program, other, at) };
        due::happen(&mut other)?;
        Ok(other)
    }

    fn become_one(
        mut self,
        merge: PairId,
        into: &MemberId,
        reason: &ReasonCode,
    ) -> Result<Decision, Rejection> {
        if self.member_id == Some(into) {
            return Err(Rejection::SameMember);
        }
        if self.account.holdings.alias.is_some() {
            return Err(Rejection::MergedAlready);
        }
        let other = self.other.filter(|it| it.sequence > 0).ok_or(Rejection::NotEnrolled)?;
        if self.account.sequence == 0 {
            return Err(Rejection::NotEnrolled);
        }
        if other.holdings.alias.is_some() {
            return Err(Rejection::IntoAlias);
        }
        if other.membership.status == Status::Closed {
            return Err(Rejection::AccountClosed);
        }
        // Else what is frozen could be used under the other name.
        if self.account.membership.status == Status::Frozen {
            return Err(Rejection::AccountFrozen);
        }
        due::happen(&mut self)?;
        let mut other = self.other_work()?;
        let from = self.member_id.cloned().ok_or(OutOfRange)?;
        let own_tasks = &self.account.progress.tasks;
        let new_tasks = own_tasks.iter().filter(|it| !other.account.progress.tasks.contains(it));
        if other.account.progress.tasks.len().saturating_add(new_tasks.count()) > TASKS_MAX {
            return Err(Rejection::TooManyTasks);
        }
        let moved = Box::new(would_join(&other, &self.account)?);
        let mut joined = other.account.clone();
        joined.join(&moved, &[])?;
        let debt_paid = joined.lots_for_debt()?;
        let had = |month| other.account.progress.months.iter().any(|it| it.month == month);
        let months = joined.progress.months.iter().map(|it| it.month);
        let new_months: Vec<Month> = months.filter(|it| !had(*it)).collect();

        let earned = tier::earned_rank(self.program, &self.account);
        let level = self.account.tier.level.clone().zip(self.account.tier.review_after());
        self.record(Event::Merge(Box::new(MergeEvent::Left {
            at: self.at,
            of: from.clone(),
            into: into.clone(),
            merge,
            moved: moved.clone(),
            reason: reason.clone(),
        })))?;
        let tier = Box::new(other.account.tier.clone());
        let referrals = other.account.membership.referrals.clone();
        let reason = reason.clone();
        other.record(Event::Merge(Box::new(MergeEvent::Joined {
            from,
            merge,
            moved,
            debt_paid,
            new_months,
            tier,
            referrals: Box::new(referrals),
            reason,
        })))?;
        // The higher of both levels, as long as it would have been valid; then what they earned together.
        if earned > tier::earned_rank(self.program, &other.account)
            && let Some((level, valid_through)) = level
        {
            let through = Some(valid_through);
            let before = tier::level_before(self.program, &other.account, earned, through)?;
            other.record(Event::LevelReached { level, valid_through, before: Some(before) })?;
        }
        let month = Month::of(self.program.calendar().day_of(other.at));
        if tier::qualified(self.program, &other.account, month)?
            > tier::earned_rank(self.program, &other.account)
        {
            other.measure(month)?;
        }
        let id = CommandId::Counterpart(into.clone(), merge);
        self.second = Some(Box::new(other.into_second(id, into.clone())));
        Ok(self.done(true))
    }

    fn become_two(
        mut self,
        id: &CommandId,
        into: &MemberId,
        state: &MergeState,
        reason: &ReasonCode,
    ) -> Result<Decision, Rejection> {
        if self.other.is_some_and(|it| it.holdings.alias.is_some()) {
            return Err(Rejection::IntoAlias);
        }
        let mut other = self.other_work()?;
        let merge = state.merge;
        let (event, returned) = parted(&other, state, reason)?;
        other.record(Event::Merge(Box::new(event)))?;
        let restored = |debt_paid| MergeEvent::Restored {
            from: into.clone(),
            merge,
            returned: Box::new(returned.clone()),
            debt_paid,
            reason: reason.clone(),
        };
        let mut account = self.account.clone();
        account.apply_merge(&restored(Vec::new()))?;
        let restored = restored(account.lots_for_debt()?);
        self.record(Event::Merge(Box::new(restored)))?;
        // What did not fall due for a name falls due for an account.
        due::happen(&mut self)?;
        let id = CommandId::Counterpart(into.clone(), PairId::of(id));
        self.second = Some(Box::new(other.into_second(id, into.clone())));
        Ok(self.done(true))
    }
}

/// What parts from `other`, the account that went on, as a merge is undone.
fn parted(
    other: &Work<'_>,
    state: &MergeState,
    reason: &ReasonCode,
) -> Result<(MergeEvent, Moved), OutOfRange> {
    let calendar = other.program.calendar();
    let mut account = other.account.clone();
    let mut returned = Moved {
        months: state.moved.months.clone(),
        lifetime: state.moved.lifetime,
        tasks: state.moved.tasks.clone(),
        caps: state.moved.caps.clone(),
        redeemed: state.moved.redeemed.clone(),
        sent: state.moved.sent.clone(),
        ..Moved::default()
    };
    let holdings = &account.holdings;
    let came = |it: &&Hold| state.moved.holds.iter().any(|came| came.id == it.id);
    returned.holds = holdings.holds.iter().filter(came).cloned().collect();
    let came = |it: &&Hold| state.moved.captured.iter().any(|came| came.id == it.id);
    returned.captured = holdings.captured.iter().filter(came).cloned().collect();
    let came = |it: &&Proposal| state.moved.proposals.iter().any(|came| came.id == it.id);
    returned.proposals = holdings.proposals.iter().filter(came).cloned().collect();
    // As it is by now: what came of it meanwhile came of it.
    if state.moved.referred.is_some() {
        returned.referred.clone_from(&account.membership.referred);
    }
    let referrals = restored_referrals(&account, state)?;
    let mut owed = Points::ZERO;
    for moved in &state.moved.lots {
        let there = account.lot(moved.lot.id).copied();
        let Some(lot) = parted_lot(other, moved, there)? else { continue };
        let points = lot.lot.points.minus(lot.debt_paid)?;
        if !points.is_zero() {
            account.take_from_lot(lot.lot.id, points)?;
        }
        owed = owed.plus(moved.debt_paid)?;
        returned.lots.push(lot);
    }
    for group in &state.moved.pending {
        if let Some(index) = account.joined_pending(group) {
            let there = account.pending.get(index).map_or(Points::ZERO, |it| it.points);
            let points = there.min(group.points);
            account.take_pending(Some(index), points)?;
            returned.pending.push(Pending { points, ..*group });
            continue;
        }
        // What has matured lies in its lot, if it is still good; what is gone before that was taken back.
        let has_matured = group.matures_at <= other.at;
        let there = account.lot(group.lot).copied();
        let there = there.filter(|it| has_matured && !it.points.is_zero());
        let Some(there) = there else { continue };
        let points = there.points.min(group.points);
        account.take_from_lot(there.id, points)?;
        match returned.lots.iter_mut().find(|it| it.lot.id == there.id) {
            Some(same) => same.lot.points = same.lot.points.plus(points)?,
            None => returned.lots.push(MovedLot {
                lot: Lot { points, filled: UNFILLED, ..there },
                apart: Some(there.last_good_day),
                debt_paid: Points::ZERO,
            }),
        }
    }
    let mut given_back = Vec::new();
    for it in &state.debt_paid {
        if !calendar.is_over(account.last_good_day(it.lot), other.at)? {
            given_back.push(*it);
        }
    }
    let given = Points::total(given_back.iter().map(|it| it.points))?;
    let paid = Points::total(state.debt_paid.iter().map(|it| it.points))?;
    let unpaid = state.moved.debt.minus(paid)?.min(account.debt);
    returned.debt = unpaid.plus(given)?;
    let missing = state.moved.points()?.minus_or_zero(returned.points()?);

    let event = |debt_paid| {
        Ok(MergeEvent::Parted {
            from: state.from.clone(),
            merge: state.merge,
            returned: Box::new(returned.clone()),
            given_back: given_back.clone(),
            owed: owed.plus(given)?,
            debt_paid,
            ended_months: state.new_months.clone(),
            level: restored_level(other, state)?.map(Box::new),
            referrals: Box::new(referrals.clone()),
            missing,
            reason: reason.clone(),
        })
    };
    let mut after = other.account.clone();
    after.apply_merge(&event(Vec::new())?)?;
    let event = event(after.lots_for_debt()?)?;
    Ok((event, returned))
}

/// What goes back of a lot that came, of which `there` is in the account that went on; nothing, if it is over.
fn parted_lot(
    other: &Work<'_>,
    moved: &MovedLot,
    there: Option<Lot>,
) -> Result<Option<MovedLot>, OutOfRange> {
    let is_over = |day| other.program.calendar().is_over(day, other.at);
    // What was made to last longer meanwhile does, and what would be gone lasts as it does here.
    let has_changed = there.is_some_and(|it| it.last_good_day != moved.together());
    let mut last_good_day = moved.lot.last_good_day;
    if let Some(there) = there
        && (has_changed || is_over(last_good_day)?)
    {
        last_good_day = there.last_good_day.max(last_good_day);
    }
    if is_over(last_good_day)? {
        return Ok(None);
    }
    let came = moved.lot.points.minus(moved.debt_paid)?;
    let points = came.min(there.map_or(Points::ZERO, |it| it.points));
    let apart = match (there, moved.apart) {
        // The longer life ends with the merge, but it takes nothing away that is still there by it.
        (Some(_), Some(day)) if !has_changed && !is_over(day)? => Some(day),
        (Some(there), None) if !has_changed && points == came => {
            (there.points > points).then_some(there.last_good_day)
        }
        // What was used of it may come back here.
        (Some(there), _) => Some(there.last_good_day),
        (None, _) => None,
    };
    let lot = Lot { points: points.plus(moved.debt_paid)?, last_good_day, ..moved.lot };
    Ok(Some(MovedLot { lot, apart, debt_paid: moved.debt_paid }))
}

/// Whom a member brought, without those whom the other had brought before they became one.
fn restored_referrals(account: &Account, state: &MergeState) -> Result<Referrals, OutOfRange> {
    let mut joined = state.referrals_before.clone();
    joined.join(&state.moved.referrals)?;
    let mut referrals = account.membership.referrals.clone();
    if referrals == joined {
        return Ok(state.referrals_before.clone());
    }
    referrals.part(&state.moved.referrals);
    Ok(referrals)
}

/// The level before a merge, if nothing has changed it since.
fn restored_level(
    other: &Work<'_>,
    state: &MergeState,
) -> Result<Option<LevelRestored>, OutOfRange> {
    let (before, after) = (&state.tier_before, &state.tier_after);
    if other.account.tier != *after || before == after {
        return Ok(None);
    }
    let levels = other.program.levels();
    let rank = before.level.as_ref().and_then(|it| other.program.rank_of(it)).unwrap_or(0);
    let Some(level) = levels.get(rank) else { return Ok(None) };
    let valid_through = before.valid_through;
    Ok(Some(LevelRestored {
        tier: before.clone(),
        level: level.id.clone(),
        before: tier::level_before(other.program, &other.account, rank, valid_through)?,
    }))
}

/// What `from` would bring to `here`.
fn would_join(here: &Work<'_>, from: &Account) -> Result<Moved, OutOfRange> {
    let mut moved = Moved {
        pending: from.pending.clone(),
        debt: from.debt,
        months: from.progress.months.clone(),
        lifetime: from.progress.lifetime,
        caps: from.caps.clone(),
        referrals: from.membership.referrals.clone(),
        holds: from.holdings.holds.clone(),
        captured: from.holdings.captured.clone(),
        redeemed: from.holdings.redeemed.clone(),
        sent: from.holdings.sent.clone(),
        proposals: from.holdings.proposals.clone(),
        ..Moved::default()
    };
    let mut account = here.account.clone();
    if account.membership.referred.is_none() {
        moved.referred.clone_from(&from.membership.referred);
    }
    // What is empty and over may be there or not, as somebody has looked or not.
    let is_gone = |it: &Lot| {
        let is_over = here.program.calendar().is_over(it.last_good_day, here.at)?;
        Ok(it.points.is_zero() && is_over)
    };
    for lot in &from.lots {
        if is_gone(lot)? {
            continue;
        }
        let apart = match account.lot(lot.id) {
            Some(own) if !is_gone(own)? => Some(own.last_good_day),
            Some(_) | None => None,
        };
        let moved_lot = MovedLot { lot: *lot, apart, debt_paid: account.debt.min(lot.points) };
        account.join_lot(&moved_lot)?;
        moved.lots.push(moved_lot);
    }
    let is_new = |it: &&TaskId| !here.account.progress.tasks.contains(it);
    moved.tasks = from.progress.tasks.iter().filter(is_new).cloned().collect();
    Ok(moved)
}
