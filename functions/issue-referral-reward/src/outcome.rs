//! What became of a message, as it is counted and logged.

use loyalty_contracts::api::{reason, referral_reason};
use loyalty_domain::{
    decide::Rejection,
    event::{Event, ReferralEvent},
    referral::ReferralRefusal,
};
use loyalty_ledger::{Answer, Entry};

/// What became of a message that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is kept whom a referrer brought.
    Noted,
    /// Both sides were rewarded.
    Rewarded,
    /// Neither is.
    Refused(ReferralRefusal),
    /// It waits for staff.
    Held,
    /// What staff asked for does not go.
    Rejected(Rejection),
    /// It is not to be answered yet.
    Idle,
    /// It was answered before.
    Repeated,
    /// Something fell due, and nothing became of the referral.
    Unchanged,
}

impl Outcome {
    /// What the entry says of the referral.
    pub(crate) fn of(entry: &Entry) -> Self {
        let events = match &entry.answer {
            Answer::Accepted(events) => events,
            // Nothing of this waits.
            Answer::Waiting(_) => return Self::Unchanged,
            Answer::Refused(rejection) => return Self::Rejected(rejection.clone()),
        };
        let referral = events.iter().rev().find_map(|it| {
            let Event::Referral(event) = it else { return None };
            match &**event {
                ReferralEvent::Rewarded { .. } => Some(Self::Rewarded),
                ReferralEvent::Refused { refusal, .. } => Some(Self::Refused(refusal.clone())),
                ReferralEvent::Held { .. } => Some(Self::Held),
                ReferralEvent::Named { .. }
                | ReferralEvent::NotNamed { .. }
                | ReferralEvent::Ordered { .. }
                | ReferralEvent::Corrected { .. }
                | ReferralEvent::NotKept { .. }
                | ReferralEvent::Qualified { .. }
                | ReferralEvent::Revoked { .. } => None,
            }
        });
        referral.unwrap_or(Self::Unchanged)
    }

    /// The word for it in the log.
    pub(crate) const fn said(&self) -> &'static str {
        match self {
            Self::Noted => "noted",
            Self::Rewarded => "rewarded",
            Self::Refused(_) => "refused",
            Self::Held => "held",
            Self::Rejected(_) => "rejected",
            Self::Idle => "idle",
            Self::Repeated => "repeated",
            Self::Unchanged => "unchanged",
        }
    }

    /// The metric that it counts for.
    pub(crate) const fn metric(&self) -> &'static str {
        match self {
            Self::Noted => "Noted",
            Self::Rewarded => "Rewarded",
            Self::Refused(_) => "Refused",
            Self::Held => "Held",
            Self::Rejected(_) => "Rejected",
            Self::Idle => "Idle",
            Self::Repeated => "Repeated",
            Self::Unchanged => "Unchanged",
        }
    }

    /// The metric of its refusals alone, by which a farm is seen to begin.
    pub(crate) const fn refused_for(&self) -> Option<&'static str> {
        let Self::Refused(refusal) = self else { return None };
        Some(match refusal {
            ReferralRefusal::ReferralsOff => "RefusedReferralsOff",
            ReferralRefusal::CodeUnknown => "RefusedCodeUnknown",
            ReferralRefusal::CodeDead => "RefusedCodeDead",
            ReferralRefusal::OwnCode => "RefusedOwnCode",
            ReferralRefusal::AlreadyReferred => "RefusedAlreadyReferred",
            ReferralRefusal::ExistingCustomer => "RefusedExistingCustomer",
            ReferralRefusal::FriendClosed => "RefusedFriendClosed",
            ReferralRefusal::ReferrerNotActive => "RefusedReferrerNotActive",
            ReferralRefusal::Ring => "RefusedRing",
            ReferralRefusal::SamePerson { .. } => "RefusedSamePerson",
            ReferralRefusal::KnownPerson { .. } => "RefusedKnownPerson",
            ReferralRefusal::DeniedByStaff { .. } => "RefusedDeniedByStaff",
        })
    }

    /// The word for why not. What staff wrote is not in it.
    pub(crate) const fn refusal(&self) -> Option<&'static str> {
        match self {
            Self::Refused(refusal) => Some(referral_reason(refusal)),
            Self::Rejected(rejection) => Some(reason(rejection)),
            Self::Noted
            | Self::Rewarded
            | Self::Held
            | Self::Idle
            | Self::Repeated
            | Self::Unchanged => None,
        }
    }
}
