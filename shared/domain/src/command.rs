//! Commands: what a sender said, under the natural id of the fact.

use std::num::NonZeroU32;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    account::Measure,
    adjustment::{AdjustmentAct, NewAdjustment},
    checkout::{CheckoutAct, NewHold},
    code::ReferralCode,
    id::{
        ActivityId, AdjustmentId, ChangeId, ClientId, CommandId, HoldId, MemberId, Operation,
        OrderId, PairId, ReasonCode, RefundId, RequestKey, TaskId,
    },
    merge::MergeAct,
    money::Minor,
    opening::Opening,
    order::{Content, LineKey, Order},
    points::Points,
    redemption::RedemptionAct,
    tier::{Override, OverrideKind},
    transfer::Transfer,
};

/// A command and the instant that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The natural id, made from the fact.
    pub id: CommandId,
    /// When it happened, as the sender says.
    pub at: Timestamp,
    /// What happened, or what is asked.
    pub command: Command,
}

/// What happened, or what is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// An order was paid.
    PayOrder(Box<Order>),
    /// A paid order was refunded in part, cancelled or edited. Its member is found by the order.
    CorrectOrder {
        /// Which order.
        order_id: OrderId,
        /// How.
        correction: Correction,
        /// How many of the points come back that paid it; `None`: those of what is refunded.
        points: Option<Points>,
    },
    /// Points are used.
    Spend {
        /// Whose.
        member_id: MemberId,
        /// How many.
        points: Points,
    },
    /// Used points come back.
    GiveBack {
        /// Whose.
        member_id: MemberId,
        /// The request that used them.
        spend: CommandId,
        /// How many; never more than it used.
        points: Points,
    },
    /// What fell due is recorded.
    PostDue {
        /// Whose.
        member_id: MemberId,
    },
    /// What a member has in another system is brought here.
    OpenAccount {
        /// Whose.
        member_id: MemberId,
        /// What.
        opening: Box<Opening>,
    },
    /// Staff let all points that are still good last longer.
    Extend {
        /// Whose.
        member_id: MemberId,
        /// Through which day at least.
        through: Date,
        /// Why.
        reason: ReasonCode,
    },
    /// Staff bring points back that had expired.
    Reinstate {
        /// Whose.
        member_id: MemberId,
        /// How many; never more than are gone.
        points: Points,
        /// The last day on which they can be used.
        through: Date,
        /// Why.
        reason: ReasonCode,
    },
    /// Something counts for the level that is no order.
    AddMeasure {
        /// Whose.
        member_id: MemberId,
        /// What.
        new: NewMeasure,
    },
    /// Staff set a level beside the one that is earned.
    OverrideLevel {
        /// Whose.
        member_id: MemberId,
        /// Which, how, and until when.
        set: Override,
        /// Why.
        reason: ReasonCode,
    },
    /// Staff lift a level that was set.
    LiftOverride {
        /// Whose.
        member_id: MemberId,
        /// Why.
        reason: ReasonCode,
    },
    /// A member is measured by a new version of the program.
    Measure {
        /// Whose level.
        member_id: MemberId,
    },
    /// It is recorded that all members were found, to be measured by a new version of the program.
    EndMeasuring,
    /// Somebody joins.
    Enroll {
        /// Who.
        member_id: MemberId,
        /// The code of whoever brought them.
        code: Option<ReferralCode>,
    },
    /// A member showed that they can be reached.
    Activate {
        /// Who.
        member_id: MemberId,
    },
    /// Staff stop a member, let them go on, or end their membership.
    SetStatus {
        /// Whose.
        member_id: MemberId,
        /// What they are from now on.
        status: NewStatus,
        /// Why.
        reason: ReasonCode,
    },
    /// A referral that is due is looked into, and rewarded or refused.
    SettleReferral {
        /// Who was brought.
        friend: MemberId,
    },
    /// Staff decide about a referral that waits for them.
    ReviewReferral {
        /// Who was brought.
        friend: MemberId,
        /// Whether it is to be rewarded, if nothing else speaks against it.
        approves: bool,
        /// Why.
        reason: ReasonCode,
    },
    /// An order that a guest had paid becomes a member's.
    ClaimOrder {
        /// Which.
        order_id: OrderId,
        /// Whose.
        member_id: MemberId,
    },
    /// Points are held for a checkout, or what is held is used or let go.
    Checkout {
        /// Whose.
        member_id: MemberId,
        /// What is done.
        act: CheckoutAct,
    },
    /// A reward is taken, or what was taken goes on.
    Redemption {
        /// Whose.
        member_id: MemberId,
        /// What is done.
        act: RedemptionAct,
    },
    /// Points are given to another member.
    Transfer {
        /// Whose.
        member_id: MemberId,
        /// To whom, and how many.
        transfer: Transfer,
    },
    /// Staff add points or take them off.
    Adjustment {
        /// Whose.
        member_id: MemberId,
        /// What is done.
        act: AdjustmentAct,
    },
    /// Two members become one, or two again.
    Merge {
        /// Whose account becomes a name for another's.
        member_id: MemberId,
        /// What is done.
        act: MergeAct,
    },
}

/// What staff may make of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewStatus {
    /// A member like others.
    Active,
    /// One who earns and does not spend.
    Frozen,
    /// None any more.
    Closed,
}

impl NewStatus {
    /// The word that stands in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Frozen => "frozen",
            Self::Closed => "closed",
        }
    }
}

/// What counts for levels and is no order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewMeasure {
    /// An activity counted so much for the growth value.
    Growth(NonZeroU32),
    /// A task was done.
    Task(TaskId),
}

/// What takes something off an order, or changes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Correction {
    /// A refund of lines.
    Lines(Vec<RefundLine>),
    /// A refund of an amount without lines: spread over what is left of the counting lines.
    Amount(Minor),
    /// A cancellation: all that is left.
    All,
    /// An edit: what the order is now, as if nothing had been refunded of it.
    Content(Content),
}

/// What is refunded of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundLine {
    /// Which line.
    pub key: LineKey,
    /// How many come back.
    pub quantity: u32,
    /// How much is paid back.
    pub amount: Minor,
}

/// A correction that came before its order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Its id.
    pub id: CommandId,
    /// When it happened, as the sender says.
    pub at: Timestamp,
    /// What it is.
    pub correction: Correction,
    /// How many points it wants to come back. Where it does not say it is not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<Points>,
}

impl Command {
    /// Whether it is about the account that goes on, if the member named became one with another.
    pub const fn follows_alias(&self) -> bool {
        match self {
            Self::PayOrder(_)
            | Self::CorrectOrder { .. }
            | Self::Spend { .. }
            | Self::GiveBack { .. }
            | Self::OpenAccount { .. }
            | Self::Extend { .. }
            | Self::Reinstate { .. }
            | Self::AddMeasure { .. }
            | Self::OverrideLevel { .. }
            | Self::LiftOverride { .. }
            | Self::SetStatus { .. }
            | Self::ClaimOrder { .. }
            | Self::Checkout { .. }
            | Self::Redemption { .. }
            | Self::Transfer { .. }
            | Self::Adjustment { .. }
            | Self::SettleReferral { .. }
            | Self::ReviewReferral { .. } => true,
            Self::Merge { .. }
            | Self::PostDue { .. }
            | Self::Measure { .. }
            | Self::EndMeasuring
            | Self::Enroll { .. }
            | Self::Activate { .. } => false,
        }
    }
}

impl Request {
    /// An order was paid.
    pub fn order(order: Order) -> Self {
        Self {
            id: CommandId::Order(order.order_id.clone()),
            at: order.paid_at,
            command: Command::PayOrder(Box::new(order)),
        }
    }

    /// Lines or an amount of an order were refunded.
    pub fn refund(
        order_id: OrderId,
        refund_id: RefundId,
        at: Timestamp,
        correction: Correction,
    ) -> Self {
        let id = CommandId::Refund(order_id.clone(), refund_id);
        Self { id, at, command: Command::CorrectOrder { order_id, correction, points: None } }
    }

    /// The same refund, that says how many of the points come back that paid the order.
    #[must_use]
    pub fn returning(mut self, returned: Option<Points>) -> Self {
        if let Command::CorrectOrder { points, .. } = &mut self.command {
            *points = returned;
        }
        self
    }

    /// All that was left of an order was cancelled.
    pub fn cancel(order_id: OrderId, at: Timestamp) -> Self {
        let id = CommandId::Cancel(order_id.clone());
        Self {
            id,
            at,
            command: Command::CorrectOrder { order_id, correction: Correction::All, points: None },
        }
    }

    /// An order was edited.
    pub fn change(order_id: OrderId, change_id: ChangeId, at: Timestamp, content: Content) -> Self {
        let id = CommandId::Change(order_id.clone(), change_id);
        let correction = Correction::Content(content);
        Self { id, at, command: Command::CorrectOrder { order_id, correction, points: None } }
    }

    /// A caller uses points of a member.
    pub fn spend(
        client: ClientId,
        key: RequestKey,
        member_id: MemberId,
        at: Timestamp,
        points: Points,
    ) -> Self {
        let member = member_id.clone();
        let id = CommandId::Request { client, member, operation: Operation::Spend, key };
        Self { id, at, command: Command::Spend { member_id, points } }
    }

    /// A caller gives points back that `spend` used.
    pub fn give_back(
        client: ClientId,
        key: RequestKey,
        member_id: MemberId,
        at: Timestamp,
        spend: CommandId,
        points: Points,
    ) -> Self {
        let member = member_id.clone();
        let id = CommandId::Request { client, member, operation: Operation::GiveBack, key };
        Self { id, at, command: Command::GiveBack { member_id, spend, points } }
    }

    /// A caller holds points of a member for a checkout.
    pub fn hold(
        client: ClientId,
        key: RequestKey,
        member_id: MemberId,
        at: Timestamp,
        new: NewHold,
    ) -> Self {
        Self::checkout((client, key, Operation::Hold), member_id, at, CheckoutAct::Hold(new))
    }

    /// A caller uses points that are held, so many of them or all.
    pub fn capture(
        client: ClientId,
        key: RequestKey,
        member_id: MemberId,
        at: Timestamp,
        hold: HoldId,
        points: Option<Points>,
    ) -> Self {
        let act = CheckoutAct::Capture { hold, points };
        Self::checkout((client, key, Operation::Capture), member_id, at, act)
    }

    /// A caller lets points go that are held.
    pub fn release(
        client: ClientId,
        key: RequestKey,
        member_id: MemberId,
        at: Timestamp,
        hold: HoldId,
    ) -> Self {
        let act = CheckoutAct::Release { hold, with_captured: false };
        Self::checkout((client, key, Operation::Release), member_id, at, act)
    }

    /// A release that lets go what was used by call, too, until an order names the hold.
    #[must_use]
    pub fn with_captured(mut self) -> Self {
        if let Command::Checkout { act: CheckoutAct::Release { with_captured, .. }, .. } =
            &mut self.command
        {
            *with_captured = true;
        }
        self
    }

    fn checkout(
        (client, key, operation): (ClientId, RequestKey, Operation),
        member_id: MemberId,
        at: Timestamp,
        act: CheckoutAct,
    ) -> Self {
        let member = member_id.clone();
        let id = CommandId::Request { client, member, operation, key };
        Self { id, at, command: Command::Checkout { member_id, act } }
    }

    /// Staff let all points of a member that are still good last through `through` at least.
    pub fn extend(
        client: ClientId,
        key: RequestKey,
        member_id: MemberId,
        at: Timestamp,
        through: Date,
        reason: ReasonCode,
    ) -> Self {
        let member = member_id.clone();
        let id = CommandId::Request { client, member, operation: Operation::Extend, key };
        Self { id, at, command: Command::Extend { member_id, through, reason } }
    }

    /// Staff bring points of a member back that had expired.
    pub fn reinstate(
        client: ClientId,
        key: RequestKey,
        member_id: MemberId,
        at: Timestamp,
        (points, through): (Points, Date),
        reason: ReasonCode,
    ) -> Self {
        let (member, operation) = (member_id.clone(), Operation::Reinstate);
        let id = CommandId::Request { client, member, operation, key };
        Self { id, at, command: Command::Reinstate { member_id, points, through, reason } }
    }

    /// An activity of a member counts for the growth value.
    pub fn growth(
        member_id: MemberId,
        activity_id: ActivityId,
        at: Timestamp,
        growth: NonZeroU32,
    ) -> Self {
        let id = CommandId::Activity(member_id.clone(), activity_id);
        let new = NewMeasure::Growth(growth);
        Self { id, at, command: Command::AddMeasure { member_id, new } }
    }

    /// A member did a task.
    pub fn task(member_id: MemberId, task: TaskId, at: Timestamp) -> Self {
        let id = CommandId::Task(member_id.clone(), task.clone());
        let new = NewMeasure::Task(task);
        Self { id, at, command: Command::AddMeasure { member_id, new } }
    }

    /// Staff set a level of a member beside the one that is earned.
    pub fn override_level(
        client: ClientId,
        key: RequestKey,
        member_id: MemberId,
        at: Timestamp,
        set: Override,
        reason: ReasonCode,
    ) -> Self {
        let (member, operation) = (member_id.clone(), Operation::OverrideLevel);
        let id = CommandId::Request { client, member, operation, key };
        Self { id, at, command: Command::OverrideLevel { member_id, set, reason } }
    }

    /// Staff lift a level of a member that was set.
    pub fn lift_override(
        client: ClientId,
        key: RequestKey,
        member_id: MemberId,
        at: Timestamp,
        reason: ReasonCode,
    ) -> Self {
        let (member, operation) = (member_id.clone(), Operation::LiftOverride);
        let id = CommandId::Request { client, member, operation, key };
        Self { id, at, command: Command::LiftOverride { member_id, reason } }
    }

    /// A member is measured by `version` of the program, which is in force from `at` on.
    pub fn measure(member_id: MemberId, version: u32, at: Timestamp) -> Self {
        let id = CommandId::Measured(member_id.clone(), version);
        Self { id, at, command: Command::Measure { member_id } }
    }

    /// All members were found, to be measured by `version` of the program, which is in force from `at` on.
    pub const fn end_measuring(version: u32, at: Timestamp) -> Self {
        Self { id: CommandId::Version(version), at, command: Command::EndMeasuring }
    }

    /// Somebody joins, maybe brought by whoever has `code`.
    pub fn enroll(member_id: MemberId, at: Timestamp, code: Option<ReferralCode>) -> Self {
        let id = CommandId::Enrollment(member_id.clone());
        Self { id, at, command: Command::Enroll { member_id, code } }
    }

    /// A member showed that they can be reached.
    pub fn activate(member_id: MemberId, at: Timestamp) -> Self {
        let id = CommandId::Activation(member_id.clone());
        Self { id, at, command: Command::Activate { member_id } }
    }

    /// Staff stop a member, let them go on, or end their membership.
    pub fn set_status(
        client: ClientId,
        key: RequestKey,
        member_id: MemberId,
        at: Timestamp,
        status: NewStatus,
        reason: ReasonCode,
    ) -> Self {
        let (member, operation) = (member_id.clone(), Operation::SetStatus);
        let id = CommandId::Request { client, member, operation, key };
        Self { id, at, command: Command::SetStatus { member_id, status, reason } }
    }

    /// `from` gives points to `to`.
    pub fn transfer(
        client: ClientId,
        key: RequestKey,
        from: MemberId,
        at: Timestamp,
        to: MemberId,
        points: Points,
    ) -> Self {
        let (member, operation) = (from.clone(), Operation::Transfer);
        let id = CommandId::Request { client, member, operation, key };
        let transfer = Transfer { to, points };
        Self { id, at, command: Command::Transfer { member_id: from, transfer } }
    }

    /// The referral of a friend, due since `at`, is looked into.
    pub fn settle_referral(friend: MemberId, at: Timestamp) -> Self {
        let id = CommandId::Referral(friend.clone());
        Self { id, at, command: Command::SettleReferral { friend } }
    }

    /// Staff decide about a referral that waits for them.
    pub fn review_referral(
        client: ClientId,
        key: RequestKey,
        friend: MemberId,
        at: Timestamp,
        approves: bool,
        reason: ReasonCode,
    ) -> Self {
        let (member, operation) = (friend.clone(), Operation::ReviewReferral);
        let id = CommandId::Request { client, member, operation, key };
        Self { id, at, command: Command::ReviewReferral { friend, approves, reason } }
    }

    /// Staff add points or take them off; `client` is whoever acts.
    pub fn adjust(
        client: ClientId,
        key: RequestKey,
        member_id: MemberId,
        at: Timestamp,
        new: NewAdjustment,
    ) -> Self {
        let (member, operation) = (member_id.clone(), Operation::Adjust);
        let id = CommandId::Request { client, member, operation, key };
        let act = AdjustmentAct::Adjust(Box::new(new));
        Self { id, at, command: Command::Adjustment { member_id, act } }
    }

    /// Somebody else decides about an adjustment that waits; `client` is whoever acts.
    pub fn review_adjustment(
        client: ClientId,
        key: RequestKey,
        member_id: MemberId,
        at: Timestamp,
        adjustment: AdjustmentId,
        approves: bool,
        reason: ReasonCode,
    ) -> Self {
        let (member, operation) = (member_id.clone(), Operation::ReviewAdjustment);
        let id = CommandId::Request { client, member, operation, key };
        let act = AdjustmentAct::Review { adjustment, approves, reason };
        Self { id, at, command: Command::Adjustment { member_id, act } }
    }

    /// An order that a guest paid at `paid_at` becomes a member's.
    pub fn claim_order(order_id: OrderId, paid_at: Timestamp, member_id: MemberId) -> Self {
        let id = CommandId::Claim(order_id.clone());
        Self { id, at: paid_at, command: Command::ClaimOrder { order_id, member_id } }
    }

    /// Staff make two members one: `source` becomes a name for `into`.
    pub fn merge(
        client: ClientId,
        key: RequestKey,
        source: MemberId,
        at: Timestamp,
        into: MemberId,
        reason: ReasonCode,
    ) -> Self {
        let (member, operation) = (source.clone(), Operation::Merge);
        let id = CommandId::Request { client, member, operation, key };
        let act = MergeAct::Merge { into, reason };
        Self { id, at, command: Command::Merge { member_id: source, act } }
    }

    /// Staff make `source` and `into` two members again.
    pub fn undo_merge(
        client: ClientId,
        key: RequestKey,
        source: MemberId,
        at: Timestamp,
        (into, merge): (MemberId, PairId),
        reason: ReasonCode,
    ) -> Self {
        let (member, operation) = (source.clone(), Operation::UndoMerge);
        let id = CommandId::Request { client, member, operation, key };
        let act = MergeAct::Undo { into, merge, reason };
        Self { id, at, command: Command::Merge { member_id: source, act } }
    }

    /// What a member has in another system is brought here.
    pub fn open(member_id: MemberId, at: Timestamp, opening: Opening) -> Self {
        let id = CommandId::Opening(member_id.clone());
        Self { id, at, command: Command::OpenAccount { member_id, opening: Box::new(opening) } }
    }

    /// The member that the sender named, if any.
    pub fn member_id(&self) -> Option<&MemberId> {
        match &self.command {
            Command::PayOrder(order) => order.member_id.as_ref(),
            Command::CorrectOrder { .. } | Command::EndMeasuring => None,
            Command::Spend { member_id, .. }
            | Command::GiveBack { member_id, .. }
            | Command::PostDue { member_id }
            | Command::OpenAccount { member_id, .. }
            | Command::Extend { member_id, .. }
            | Command::Reinstate { member_id, .. }
            | Command::AddMeasure { member_id, .. }
            | Command::OverrideLevel { member_id, .. }
            | Command::LiftOverride { member_id, .. }
            | Command::Measure { member_id }
            | Command::Enroll { member_id, .. }
            | Command::Activate { member_id }
            | Command::SetStatus { member_id, .. }
            | Command::SettleReferral { friend: member_id }
            | Command::ReviewReferral { friend: member_id, .. }
            | Command::ClaimOrder { member_id, .. }
            | Command::Checkout { member_id, .. }
            | Command::Redemption { member_id, .. }
            | Command::Transfer { member_id, .. }
            | Command::Adjustment { member_id, .. }
            | Command::Merge { member_id, .. } => Some(member_id),
        }
    }

    /// The referral code that the sender named, if any; `Some(None)` if what they named can be no code.
    pub fn referral_code(&self) -> Option<Option<ReferralCode>> {
        match &self.command {
            // A guest has no account that could be brought.
            Command::PayOrder(order) if order.member_id.is_some() => {
                let code = order.referral_code.as_deref()?;
                Some(ReferralCode::try_from(code).ok())
            }
            Command::Enroll { code, .. } => code.clone().map(Some),
            Command::PayOrder(_)
            | Command::CorrectOrder { .. }
            | Command::Spend { .. }
            | Command::GiveBack { .. }
            | Command::PostDue { .. }
            | Command::OpenAccount { .. }
            | Command::Extend { .. }
            | Command::Reinstate { .. }
            | Command::AddMeasure { .. }
            | Command::OverrideLevel { .. }
            | Command::LiftOverride { .. }
            | Command::Measure { .. }
            | Command::EndMeasuring
            | Command::Activate { .. }
            | Command::SetStatus { .. }
            | Command::SettleReferral { .. }
            | Command::ReviewReferral { .. }
            | Command::ClaimOrder { .. }
            | Command::Checkout { .. }
            | Command::Redemption { .. }
            | Command::Transfer { .. }
            | Command::Adjustment { .. }
            | Command::Merge { .. } => None,
        }
    }

    /// A fingerprint of everything that the sender said, but for its id.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut content = Canonical(Sha256::new());
        content.number(i128::from(self.at.as_second()));
        content.number(self.at.subsec_nanosecond().into());
        match &self.command {
            Command::PayOrder(order) => content.order(order),
            // Its instant does not make a cancellation another one: it happens once to an order.
            // Nor does it make a day's due work another one, nor a task, nor what a version says.
            Command::CorrectOrder { correction: Correction::All, .. }
            | Command::PostDue { .. }
            | Command::AddMeasure { new: NewMeasure::Task(_), .. }
            | Command::Measure { .. }
            | Command::EndMeasuring
            // Who joins says more than this, which is compared where it is kept.
            | Command::Enroll { .. }
            | Command::Activate { .. }
            | Command::SettleReferral { .. } => return Fingerprint([0; 16]),
            Command::AddMeasure { new: NewMeasure::Growth(growth), .. } => {
                content.text("grow");
                content.number(growth.get().into());
            }
            Command::CorrectOrder { correction, points, .. } => {
                content.correction(correction, *points);
            }
            // A key names one request, whenever it is repeated.
            Command::Spend { points, .. } => {
                content = Canonical(Sha256::new());
                content.text("spend");
                content.number(points.get().into());
            }
            Command::GiveBack { spend, points, .. } => {
                content = Canonical(Sha256::new());
                content.text("give back");
                content.text(&spend.to_string());
                content.number(points.get().into());
            }
            Command::Extend { through, reason, .. } => {
                content = Canonical(Sha256::new());
                content.text("extend");
                content.day(Some(*through));
                content.text(reason.as_str());
            }
            Command::Reinstate { points, through, reason, .. } => {
                content = Canonical(Sha256::new());
                content.text("reinstate");
                content.number(points.get().into());
                content.day(Some(*through));
                content.text(reason.as_str());
            }
            Command::OverrideLevel { set: Override { level, kind, through }, reason, .. } => {
                content = Canonical(Sha256::new());
                content.text("override level");
                content.text(level.as_str());
                content.text(match kind {
                    OverrideKind::Courtesy => "courtesy",
                    OverrideKind::Violation => "violation",
                });
                content.day(*through);
                content.text(reason.as_str());
            }
            Command::LiftOverride { reason, .. } => {
                content = Canonical(Sha256::new());
                content.text("lift override");
                content.text(reason.as_str());
            }
            Command::SetStatus { status, reason, .. } => {
                content = Canonical(Sha256::new());
                content.text("set status");
                content.text(status.as_str());
                content.text(reason.as_str());
            }
            Command::ReviewReferral { approves, reason, .. } => {
                content = Canonical(Sha256::new());
                content.text(if *approves { "approve referral" } else { "deny referral" });
                content.text(reason.as_str());
            }
            // Whenever the same member asks for it again.
            Command::ClaimOrder { member_id, .. } => {
                content = Canonical(Sha256::new());
                content.text("claim");
                content.text(member_id.as_str());
            }
            // It happens once to a member, whenever a file of balances is sent again.
            Command::OpenAccount { opening, .. } => {
                content = Canonical(Sha256::new());
                content.text("open");
                content.opening(opening);
            }
            // By a key, too.
            Command::Checkout { act, .. } => content = Canonical::of(|it| act.write(it)),
            Command::Redemption { act, .. } => content = Canonical::of(|it| act.write(it)),
            Command::Transfer { transfer, .. } => content = Canonical::of(|it| transfer.write(it)),
            Command::Adjustment { act, .. } => content = Canonical::of(|it| act.write(it)),
            Command::Merge { act, .. } => content = Canonical::of(|it| act.write(it)),
        }
        content.fingerprint()
    }
}

/// What tells a repeated command from another one under the same id: the first half of the SHA-256 of
/// its content, in an order and notation that must never change, since fingerprints are kept for ever.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 16]);

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// A text is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint has 32 hexadecimal digits")]
pub struct InvalidFingerprint;

impl TryFrom<String> for Fingerprint {
    type Error = InvalidFingerprint;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.len() != 32 || !text.bytes().all(|it| it.is_ascii_hexdigit()) {
            return Err(InvalidFingerprint);
        }
        let number = u128::from_str_radix(&text, 16).map_err(|_| InvalidFingerprint)?;
        Ok(Self(number.to_be_bytes()))
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

/// Writes content so that no two contents are the same bytes: every text after its length.
pub(crate) struct Canonical(Sha256);

impl Canonical {
    fn of(write: impl FnOnce(&mut Self)) -> Self {
        let mut content = Self(Sha256::new());
        write(&mut content);
        content
    }

    pub(crate) fn number(&mut self, number: i128) {
        self.0.update(number.to_be_bytes());
    }

    pub(crate) fn text(&mut self, text: &str) {
        // Ids have at most 128 bytes; a longer text would only share its length with another one.
        self.0.update([u8::try_from(text.len()).unwrap_or(u8::MAX)]);
        self.0.update(text);
    }

    pub(crate) fn optional(&mut self, text: Option<&str>) {
        self.text(text.unwrap_or_default());
    }

    pub(crate) fn amount(&mut self, amount: Minor) {
        self.0.update(amount.get().to_be_bytes());
    }

    fn content(&mut self, content: &Content) {
        for amount in [content.discounts, content.shipping, content.tax, content.paid_with_points] {
            self.amount(amount);
        }
        for line in &content.lines {
            self.text(line.id.as_str());
            self.text(line.sku.as_str());
            self.optional(line.category.as_ref().map(crate::id::Category::as_str));
            self.0.update(line.quantity.to_be_bytes());
            self.amount(line.amount);
            self.amount(line.discounts);
            self.0.update([u8::from(line.is_gift_card)]);
        }
    }

    fn order(&mut self, order: &Order) {
        if let Some(hold) = order.points_hold {
            self.text("pay with points");
            self.text(&hold.to_string());
        } else {
            self.text("pay");
        }
        self.optional(order.member_id.as_ref().map(MemberId::as_str));
        self.text(order.currency.code());
        self.optional(order.channel.as_ref().map(crate::id::Channel::as_str));
        self.optional(order.referral_code.as_deref());
        self.content(&order.content);
    }

    fn correction(&mut self, correction: &Correction, points: Option<Points>) {
        if let Some(points) = points {
            self.text("returning");
            self.number(points.get().into());
        }
        match correction {
            Correction::Lines(lines) => {
                self.text("lines");
                for line in lines {
                    match &line.key {
                        LineKey::Line(id) => self.text(id.as_str()),
                        LineKey::Shipping => self.text("\0shipping"),
                        LineKey::Tax => self.text("\0tax"),
                    }
                    self.0.update(line.quantity.to_be_bytes());
                    self.amount(line.amount);
                }
            }
            Correction::Amount(amount) => {
                self.text("amount");
                self.amount(*amount);
            }
            Correction::All => self.text("all"),
            Correction::Content(content) => {
                self.text("content");
                self.content(content);
            }
        }
    }

    fn opening(&mut self, opening: &Opening) {
        let Opening { lots, pending, debt, level, months, earlier } = opening;
        // Its days and months have one length each.
        self.length(lots.len());
        for lot in lots {
            self.number(lot.points.get().into());
            self.text(&lot.last_good_day.to_string());
        }
        self.length(pending.len());
        for group in pending {
            self.number(group.points.get().into());
            self.number(group.matures_at.as_nanosecond());
            self.day(group.last_good_day);
        }
        self.number(debt.get().into());
        self.optional(level.as_ref().map(|it| it.level.as_str()));
        self.day(level.as_ref().and_then(|it| it.valid_through));
        self.length(months.len());
        for month in months {
            self.text(&month.month.to_string());
            self.measure(&month.measure);
        }
        self.measure(earlier);
    }

    fn length(&mut self, length: usize) {
        self.number(i128::try_from(length).unwrap_or(i128::MAX));
    }

    pub(crate) fn day(&mut self, day: Option<Date>) {
        self.text(&day.map(|it| it.to_string()).unwrap_or_default());
    }

    fn measure(&mut self, measure: &Measure) {
        let Measure { spend, orders, growth: _ } = measure;
        // Growth is not brought.
        self.text(&spend.to_string());
        self.number((*orders).into());
    }

    fn fingerprint(self) -> Fingerprint {
        let digest: [u8; 32] = self.0.finalize().into();
        let mut half = [0; 16];
        half.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Fingerprint(half)
    }
}
