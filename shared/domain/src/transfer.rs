//! Transfers: points that one member gives to another.
//!
//! Both accounts change together, each in an entry of its own. The points keep their last good days, so that giving
//! them to and fro lets none live longer, unless the receiver's own lot of that day was made to. See
//! `docs/decisions/0017-two-members.md`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    account::{Account, CapKey, CapUse, LotId},
    calendar::after_days,
    command::Canonical,
    decide::{Decision, Rejection, Work},
    due,
    event::{Event, LotUse},
    id::{CommandId, MemberId, PairId},
    membership::Status,
    points::{OutOfRange, Points},
    program::TransferSpec,
};

/// What one member gives to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// To whom.
    pub to: MemberId,
    /// How many.
    pub points: Points,
}

/// What happened by a transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferEvent {
    /// Points went to another member.
    Sent {
        /// To whom.
        to: MemberId,
        /// Which transfer.
        transfer: PairId,
        /// Which lots gave how many.
        uses: Vec<LotUse>,
        /// The periods in which they are counted, one for each cap.
        caps: Vec<CapKey>,
    },
    /// Points came from another member.
    Received {
        /// From whom.
        from: MemberId,
        /// Which transfer.
        transfer: PairId,
        /// How many came into which lots: those of the last good days that they had before.
        lots: Vec<LotUse>,
        /// How many of them paid a debt instead, those that end first.
        debt_paid: Points,
    },
}

impl TransferEvent {
    /// How many points went or came.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] never happens to what a decision made.
    pub fn points(&self) -> Result<Points, OutOfRange> {
        let (Self::Sent { uses: lots, .. } | Self::Received { lots, .. }) = self;
        Points::total(lots.iter().map(|it| it.points))
    }
}

impl Transfer {
    pub(crate) fn write(&self, content: &mut Canonical) {
        content.text("transfer");
        content.text(self.to.as_str());
        content.number(self.points.get().into());
    }
}

impl Account {
    pub(crate) fn apply_transfer(&mut self, event: &TransferEvent) -> Result<(), OutOfRange> {
        let all = event.points()?;
        match event {
            TransferEvent::Sent { uses, caps, .. } => {
                for LotUse { lot, points } in uses {
                    self.take_from_lot(*lot, *points)?;
                }
                for key in caps {
                    self.holdings.count_sent(*key, all)?;
                }
                let sent = &mut self.holdings.transferred.down;
                *sent = sent.plus(all)?;
            }
            TransferEvent::Received { lots, debt_paid, .. } => {
                let mut debt = *debt_paid;
                for LotUse { lot, points } in lots {
                    let paid = debt.min(*points);
                    debt = debt.minus(paid)?;
                    self.make_available(*lot, *points, paid)?;
                }
                let received = &mut self.holdings.transferred.up;
                *received = received.plus(all)?;
            }
        }
        self.check_range()
    }

    /// Which lots give `points` together, in the order of their use; fewer if there are fewer.
    pub(crate) fn uses_of(&self, points: Points) -> Result<Vec<LotUse>, OutOfRange> {
        let mut missing = points;
        let mut uses = Vec::new();
        for lot in &self.lots {
            let points = lot.points.min(missing);
            if !points.is_zero() {
                missing = missing.minus(points)?;
                uses.push(LotUse { lot: lot.id, points });
            }
        }
        Ok(uses)
    }
}

impl Work<'_> {
    /// Answers [`Command::Transfer`](crate::command::Command::Transfer).
    pub(crate) fn transfer(
        mut self,
        id: &CommandId,
        transfer: &Transfer,
        asked_at: Timestamp,
    ) -> Result<Decision, Rejection> {
        let Transfer { to, points } = transfer;
        self.account.membership.check_spends()?;
        if self.account.membership.status == Status::Unenrolled {
            return Err(Rejection::NotEnrolled);
        }
        let spec = self.program.spec().transfers.as_ref().ok_or(Rejection::TransfersOff)?;
        // Without another account, both names are of this one.
        let (Some(from), Some(other)) = (self.member_id.cloned(), self.other) else {
            return Err(Rejection::OwnAccount);
        };
        if from == *to {
            return Err(Rejection::OwnAccount);
        }
        due::happen(&mut self)?;
        let caps = self.check_transfer(spec, *points)?;
        let available = self.account.available()?;
        if available < *points {
            return Err(Rejection::InsufficientPoints { available, requested: *points });
        }
        // Last, so that nobody learns who is a member by gifts that they could not make.
        if other.membership.status != Status::Active {
            return Err(Rejection::ReceiverNotActive);
        }
        let mut other = self.other_work()?;
        let pair = PairId::of(id);
        let uses = self.account.uses_of(*points)?;
        // Where they lie there, before they slide here for being used.
        let there = |LotUse { lot, points }: &LotUse| {
            let given = self.account.last_good_day(*lot);
            LotUse { lot: LotId { given, ..*lot }, points: *points }
        };
        let lots: Vec<LotUse> = uses.iter().map(there).collect();
        let sent = TransferEvent::Sent { to: to.clone(), transfer: pair, uses, caps };
        self.record(Event::Transfer(Box::new(sent)))?;
        self.slide(self.program.calendar().day_of(asked_at))?;

        let debt_paid = other.account.debt.min(*points);
        let received = TransferEvent::Received { from, transfer: pair, lots, debt_paid };
        other.record(Event::Transfer(Box::new(received)))?;
        // What comes to an account whose clock is ahead may have ended there.
        due::happen(&mut other)?;
        let id = CommandId::Counterpart(to.clone(), pair);
        self.second = Some(Box::new(other.into_second(id, to.clone())));
        Ok(self.done(true))
    }

    /// That the program lets this member give `points` at this instant; the periods in which they count.
    fn check_transfer(
        &self,
        spec: &TransferSpec,
        points: Points,
    ) -> Result<Vec<CapKey>, Rejection> {
        let enrolled_at = self.account.membership.enrolled_at.ok_or(Rejection::NotEnrolled)?;
        let from = after_days(enrolled_at, spec.waiting_days)?;
        if self.at < from {
            return Err(Rejection::AccountTooNew { from });
        }
        if points.is_zero() {
            return Err(Rejection::AmountIsZero);
        }
        if let Some(min) = spec.min_points.filter(|it| points < *it) {
            return Err(Rejection::FewerThanMinimum { min });
        }
        let today = self.program.calendar().day_of(self.at);
        let mut keys = Vec::with_capacity(spec.caps.len());
        for cap in &spec.caps {
            let key = CapKey::of(cap.period, today);
            let left = cap.points.minus_or_zero(self.account.holdings.sent_in(key));
            if left < points {
                return Err(Rejection::TransferCapReached { period: cap.period, left });
            }
            keys.push(key);
        }
        Ok(keys)
    }
}

impl crate::holdings::Holdings {
    /// How many points were given away in the period called `key`.
    pub fn sent_in(&self, key: CapKey) -> Points {
        self.sent.iter().find(|it| it.key == key).map_or(Points::ZERO, |it| it.points)
    }

    /// Counts `points` that were given away; of each length of period only the newest one is kept.
    fn count_sent(&mut self, key: CapKey, points: Points) -> Result<(), OutOfRange> {
        let points = self.sent_in(key).plus(points)?;
        self.sent.retain(|it| it.key.period != key.period);
        self.sent.push(CapUse { key, points });
        Ok(())
    }
}
