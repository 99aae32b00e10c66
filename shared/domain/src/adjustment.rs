//! Adjustments: points that staff add or take off, above a limit only two of them together.
//!
//! Who acts is the client of the request's id. Above the program's limit a request only proposes, and somebody else
//! must approve it; nothing moves until then. What staff write about it is kept with the member's personal data, and
//! named here by a reference.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::{
    account::{Account, LotId, Wallet},
    command::Canonical,
    decide::{Decision, Rejection, Work},
    due,
    event::{Event, LotUse},
    expiry::NEVER,
    id::{AdjustmentId, ClientId, CommandId, NoteId, ReasonCode},
    points::{OutOfRange, Points},
};

/// How many adjustments of one account may wait for a second person.
pub const PROPOSALS_MAX: usize = 8;

/// What staff ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdjustmentAct {
    /// Points are added or taken off, at once or after somebody else approved it.
    Adjust(Box<NewAdjustment>),
    /// Somebody else decides about an adjustment that waits.
    Review {
        /// Which.
        adjustment: AdjustmentId,
        /// Whether it is to happen.
        approves: bool,
        /// Why.
        reason: ReasonCode,
    },
}

/// An adjustment as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAdjustment {
    /// Which way.
    pub change: AdjustmentChange,
    /// How many points.
    pub points: Points,
    /// Why.
    pub reason: ReasonCode,
    /// What staff wrote about it, which is kept elsewhere.
    pub note: Option<NoteId>,
}

/// Which way points are adjusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdjustmentChange {
    /// They are added.
    Add {
        /// The last day on which they can be used; `None`: as the program says.
        through: Option<Date>,
    },
    /// They are taken off, and never more than can be used.
    Take,
}

/// An adjustment that waits for a second person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Its id.
    pub id: AdjustmentId,
    /// Who asked for it, and cannot decide about it.
    pub requester: ClientId,
    /// What for.
    pub new: NewAdjustment,
}

/// What staff did, or proposed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdjustmentEvent {
    /// It waits for a second person.
    Proposed(Proposal),
    /// Points were added or taken off.
    Made {
        /// Its id.
        adjustment: AdjustmentId,
        /// Which points.
        effect: Adjustment,
        /// Why.
        reason: ReasonCode,
        /// What staff wrote about it, which is kept elsewhere.
        note: Option<NoteId>,
        /// Who had asked for it, if somebody else approved it.
        approved: Option<Approved>,
    },
    /// A second person did not want it.
    Denied {
        /// Its id.
        adjustment: AdjustmentId,
        /// Who had asked for it.
        requester: ClientId,
        /// Why not.
        reason: ReasonCode,
    },
}

/// Points that staff added or took off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjustment {
    /// They were added.
    Added {
        /// Into which lot.
        lot: LotId,
        /// How many.
        points: Points,
        /// How many of them paid a debt instead.
        debt_paid: Points,
    },
    /// They were taken off.
    Taken {
        /// Which lots gave how many.
        uses: Vec<LotUse>,
    },
}

/// That a second person approved an adjustment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approved {
    /// Who had asked for it.
    pub requester: ClientId,
    /// Why it was approved.
    pub reason: ReasonCode,
}

impl AdjustmentAct {
    pub(crate) fn write(&self, content: &mut Canonical) {
        match self {
            Self::Adjust(new) => {
                let NewAdjustment { change, points, reason, note } = &**new;
                match change {
                    AdjustmentChange::Add { through } => {
                        content.text("add");
                        content.day(*through);
                    }
                    AdjustmentChange::Take => content.text("take"),
                }
                content.number(points.get().into());
                content.text(reason.as_str());
                content.text(&note.map(|it| it.to_string()).unwrap_or_default());
            }
            Self::Review { adjustment, approves, reason } => {
                content.text(if *approves { "approve adjustment" } else { "deny adjustment" });
                content.text(&adjustment.to_string());
                content.text(reason.as_str());
            }
        }
    }
}

impl Account {
    pub(crate) fn apply_adjustment(&mut self, event: &AdjustmentEvent) -> Result<(), OutOfRange> {
        match event {
            AdjustmentEvent::Proposed(proposal) => {
                self.holdings.proposals.push(proposal.clone());
                Ok(())
            }
            AdjustmentEvent::Denied { adjustment, .. } => {
                self.holdings.proposals.retain(|it| it.id != *adjustment);
                Ok(())
            }
            AdjustmentEvent::Made { adjustment, effect, .. } => {
                self.holdings.proposals.retain(|it| it.id != *adjustment);
                self.adjust(effect)
            }
        }
    }

    fn adjust(&mut self, effect: &Adjustment) -> Result<(), OutOfRange> {
        let adjusted = &mut self.totals.adjusted;
        match effect {
            Adjustment::Added { lot, points, debt_paid } => {
                adjusted.up = adjusted.up.plus(*points)?;
                self.make_available(*lot, *points, *debt_paid)?;
            }
            Adjustment::Taken { uses } => {
                let points = Points::total(uses.iter().map(|it| it.points))?;
                adjusted.down = adjusted.down.plus(points)?;
                for LotUse { lot, points } in uses {
                    self.take_from_lot(*lot, *points)?;
                }
            }
        }
        self.check_range()
    }
}

impl Work<'_> {
    /// Answers [`Command::Adjustment`](crate::command::Command::Adjustment).
    pub(crate) fn adjustment(
        self,
        id: &CommandId,
        act: &AdjustmentAct,
    ) -> Result<Decision, Rejection> {
        // Staff ask under keys of their own, so there is always somebody.
        let CommandId::Request { client, .. } = id else { return Err(Rejection::OutOfRange) };
        // Nobody has an account before an order or its owner named it: this is an id that was mistyped.
        if self.account.sequence == 0 {
            return Err(Rejection::NotEnrolled);
        }
        match act {
            AdjustmentAct::Adjust(new) => {
                self.account.membership.check_open()?;
                self.propose_or_adjust(AdjustmentId::of(id), client, new)
            }
            AdjustmentAct::Review { adjustment, approves, reason } => {
                let proposals = &self.account.holdings.proposals;
                let proposal = proposals.iter().find(|it| it.id == *adjustment);
                let proposal = proposal.cloned().ok_or(Rejection::NoSuchAdjustment)?;
                if proposal.requester == *client {
                    return Err(Rejection::ApproverIsRequester);
                }
                self.review_adjustment(proposal, *approves, reason)
            }
        }
    }

    fn propose_or_adjust(
        mut self,
        id: AdjustmentId,
        client: &ClientId,
        new: &NewAdjustment,
    ) -> Result<Decision, Rejection> {
        if new.points.is_zero() {
            return Err(Rejection::AmountIsZero);
        }
        due::happen(&mut self)?;
        // A proposal that could not take effect now is refused now, too.
        let effect = self.adjusted(new)?;
        let limit = self.program.spec().adjustments.approval_above;
        if limit.is_some_and(|it| new.points > it) {
            if self.account.holdings.proposals.len() >= PROPOSALS_MAX {
                return Err(Rejection::TooManyProposals);
            }
            let proposal = Proposal { id, requester: client.clone(), new: new.clone() };
            self.record(Event::Adjustment(Box::new(AdjustmentEvent::Proposed(proposal))))?;
            return Ok(self.done(true));
        }
        self.make(id, effect, new, None)
    }

    fn review_adjustment(
        mut self,
        proposal: Proposal,
        approves: bool,
        reason: &ReasonCode,
    ) -> Result<Decision, Rejection> {
        let Proposal { id, requester, new } = proposal;
        let reason = reason.clone();
        if !approves {
            due::happen(&mut self)?;
            let denied = AdjustmentEvent::Denied { adjustment: id, requester, reason };
            self.record(Event::Adjustment(Box::new(denied)))?;
            return Ok(self.done(true));
        }
        self.account.membership.check_open()?;
        due::happen(&mut self)?;
        let effect = self.adjusted(&new)?;
        self.make(id, effect, &new, Some(Approved { requester, reason }))
    }

    fn make(
        mut self,
        adjustment: AdjustmentId,
        effect: Adjustment,
        new: &NewAdjustment,
        approved: Option<Approved>,
    ) -> Result<Decision, Rejection> {
        let (reason, note) = (new.reason.clone(), new.note);
        let made = AdjustmentEvent::Made { adjustment, effect, reason, note, approved };
        self.record(Event::Adjustment(Box::new(made)))?;
        Ok(self.done(true))
    }

    /// What `new` does at this instant.
    fn adjusted(&self, new: &NewAdjustment) -> Result<Adjustment, Rejection> {
        let points = new.points;
        let through = match new.change {
            AdjustmentChange::Take => {
                let available = self.account.available()?;
                if available < points {
                    return Err(Rejection::InsufficientPoints { available, requested: points });
                }
                return Ok(Adjustment::Taken { uses: self.account.uses_of(points)? });
            }
            AdjustmentChange::Add { through } => through,
        };
        let calendar = self.program.calendar();
        let spec = self.program.spec();
        let given = if let Some(through) = through {
            through
        } else {
            let months = spec.adjustments.expiry_months.or(spec.earning.expiry_months);
            spec.earning.last_good_day_after(months, calendar.day_of(self.at))?
        };
        if given != NEVER {
            // A day that has no end would stop the account when its turn comes.
            calendar.end_of(given)?;
        }
        let lot = LotId { wallet: Wallet::Points, given };
        if calendar.is_over(self.account.last_good_day(lot), self.at)? {
            return Err(Rejection::EndIsOver { through: given });
        }
        let debt_paid = self.account.debt.min(points);
        Ok(Adjustment::Added { lot, points, debt_paid })
    }
}
