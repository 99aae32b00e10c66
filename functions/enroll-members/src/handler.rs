//! What the function works with, and what answers which route.

use jiff::Timestamp;
use lambda_http::{lambda_runtime::LambdaEvent, request::LambdaRequest, tower::Service};
use loyalty_contracts::{body::Mistake, problem::ProblemKind};
use loyalty_domain::{
    account::Account,
    code::ReferralCode,
    decide::Rejection,
    id::{MemberId, OrderId},
    membership::Status,
    program::Program,
};
use loyalty_ledger::{
    Ledger, LedgerError, Patience, Reading,
    profile::{Profile, Profiles},
    program::Programs,
    statement::Accounts,
};
use loyalty_runtime::{
    api::{self, Answered, Asked, Refused, caller::Caller, query, write::program_at},
    secret::{HashKey, NoRandom},
};
use serde::Serialize;

pub(crate) use loyalty_runtime::api::respond::{wrong, wrong_body};

use crate::{
    hash::Hashes,
    outbox::Outbox,
    route::{Operation, ROUTES, Route},
};

/// Everything that is kept: accounts and members, in one transaction where they belong together.
pub trait Store: Ledger + Accounts + Profiles + Send + Sync + 'static {}

impl<T: Ledger + Accounts + Profiles + Send + Sync + 'static> Store for T {}

/// The ports and settings that the API works with.
#[derive(Debug)]
pub struct Door<S, P, O, C, R, W> {
    /// Where accounts and members are kept.
    pub store: S,
    /// Where programs are read.
    pub programs: P,
    /// Where codes leave.
    pub outbox: O,
    /// Tells the present instant.
    pub now: C,
    /// Makes random numbers that nobody can guess.
    pub random: R,
    /// Says how long to try again after a lost race.
    pub patience: W,
    /// What hashes are made with.
    pub hash_key: HashKey,
    /// What a referral code is put behind to become a link; `None`: the shop has no such page.
    pub referral_url: Option<String>,
    /// The claim of a member's token that is the member's id.
    pub member_claim: String,
}

/// What every answer is made with: the ports, without their types where they do not matter.
pub(crate) struct Desk<S, P, O, C, R, W> {
    pub(crate) door: Door<S, P, O, C, R, W>,
    pub(crate) hashes: Hashes,
}

/// A path says less than its route does: a bug of ours.
#[derive(Debug, thiserror::Error)]
#[error("a route names nothing that its answer is about")]
struct NothingNamed;

/// A command was refused for a reason that it cannot have: a bug of ours.
#[derive(Debug, thiserror::Error)]
#[error("a command was answered as it cannot be")]
pub(crate) struct Unexpected;

/// The API as a function of Lambda: from an event of API Gateway to its answer. It never fails.
pub fn service<S, P, O, C, R, W, T>(
    door: Door<S, P, O, C, R, W>,
) -> impl Service<
    LambdaEvent<LambdaRequest>,
    Response = impl Serialize,
    Error = lambda_http::Error,
    Future: Send,
>
where
    S: Store,
    P: Programs + Send + Sync + 'static,
    O: Outbox + 'static,
    C: Fn() -> Timestamp + Send + Sync + 'static,
    R: Fn(&mut [u8]) -> Result<(), NoRandom> + Send + Sync + 'static,
    W: Fn() -> T + Send + Sync + 'static,
    T: Patience + 'static,
{
    let hashes = Hashes(door.hash_key.clone());
    api::service(Desk { door, hashes })
}

impl<S, P, O, C, R, W, T> api::Api for Desk<S, P, O, C, R, W>
where
    S: Store,
    P: Programs + Send + Sync + 'static,
    O: Outbox + 'static,
    C: Fn() -> Timestamp + Send + Sync + 'static,
    R: Fn(&mut [u8]) -> Result<(), NoRandom> + Send + Sync + 'static,
    W: Fn() -> T + Send + Sync + 'static,
    T: Patience + 'static,
{
    type Operation = Operation;

    const ROUTES: &'static [Route] = &ROUTES;
    const OTHERWISE: Option<&'static str> = None;

    fn member_claim(&self) -> &str {
        &self.door.member_claim
    }

    async fn answer(&self, asked: Asked<'_, Operation>) -> Result<Answered, Refused> {
        if asked.operation != Operation::Referrals {
            query::none(asked.query())?;
        }
        match asked.operation {
            Operation::Enroll => self.enroll(&asked).await,
            Operation::Lookup => self.look_up(&asked.body).await,
            Operation::Profile => self.show_profile(asked.member()?).await,
            Operation::ChangeProfile => self.change_profile(asked.member()?, &asked).await,
            Operation::Activate => self.activate(asked.member()?, &asked.body).await,
            Operation::SendCode => self.send_another(asked.member()?, &asked.body).await,
            Operation::SetStatus => self.set_status(asked.member()?, &asked).await,
            Operation::Referrals => self.show_referrals(asked.member()?, &asked).await,
            Operation::ReplaceCode => self.replace_code(asked.member()?, &asked.body).await,
            Operation::KeepContact => self.keep_contact(&order_of(&asked)?, &asked.body).await,
            Operation::MakeClaimLink => self.make_claim_link(&order_of(&asked)?, &asked.body),
            Operation::Claim => self.claim(asked.member()?, &asked.body).await,
        }
    }
}

impl<S, P, O, C, R, W, T> Desk<S, P, O, C, R, W>
where
    S: Store,
    P: Programs,
    C: Fn() -> Timestamp,
    R: Fn(&mut [u8]) -> Result<(), NoRandom>,
    W: Fn() -> T,
{
    pub(crate) fn now(&self) -> Timestamp {
        (self.door.now)()
    }

    /// The program that is in force at `at`.
    pub(crate) async fn program_at(&self, at: Timestamp) -> Result<Program, Refused> {
        program_at(&self.door.programs, at).await
    }

    /// The newest profile of a member.
    pub(crate) async fn profile_of(&self, member_id: &MemberId) -> Result<Profile, Refused> {
        let profile = self.door.store.find_profile(member_id, Reading::Newest).await?;
        profile.ok_or_else(|| ProblemKind::NotEnrolled.into())
    }

    /// The account of a member, as new as `reading` says.
    pub(crate) async fn account_of(
        &self,
        member_id: &MemberId,
        reading: Reading,
    ) -> Result<Account, Refused> {
        let known = self.door.store.find_account(member_id, reading).await?;
        Ok(known.map(|it| it.account).unwrap_or_default())
    }

    /// A random number that nobody can guess.
    pub(crate) fn random(&self) -> Result<[u8; 8], Refused> {
        let mut bytes = [0; 8];
        (self.door.random)(&mut bytes)
            .map_err(|error| Refused::because(ProblemKind::Unavailable, error))?;
        Ok(bytes)
    }

    pub(crate) fn random_code(&self) -> Result<ReferralCode, Refused> {
        Ok(ReferralCode::of_random(self.random()?))
    }
}

/// The order that the path names.
fn order_of(asked: &Asked<'_, Operation>) -> Result<OrderId, Refused> {
    let named = asked.other.and_then(|it| OrderId::try_from(it).ok());
    named.ok_or_else(|| Refused::because(ProblemKind::Internal, NothingNamed))
}

/// The word for a status, as it is shown.
pub(crate) const fn word(status: Status) -> &'static str {
    match status {
        Status::Unenrolled => "unenrolled",
        Status::Pending => "pending",
        Status::Active => "active",
        Status::Frozen => "frozen",
        Status::Closed => "closed",
    }
}

/// What is said where only a service or staff may say what a member did.
pub(crate) fn check_reserved(caller: &Caller, fields: &[&str]) -> Result<(), Refused> {
    if fields.is_empty() || !matches!(caller, Caller::Member(_)) {
        return Ok(());
    }
    let mistakes: Vec<Mistake> = fields
        .iter()
        .map(|it| Mistake {
            path: (*it).to_owned(),
            expected: "nothing: only a service or staff may say it".to_owned(),
        })
        .collect();
    Err(wrong(ProblemKind::InvalidBody, &mistakes))
}

/// What is said of a command that was refused.
pub(crate) fn refusal(rejection: &Rejection) -> Refused {
    let kind = match rejection {
        Rejection::AccountClosed => ProblemKind::MemberClosed,
        Rejection::AccountFrozen => ProblemKind::MemberFrozen,
        Rejection::NotEnrolled => ProblemKind::NotEnrolled,
        Rejection::OrderHasMember => ProblemKind::OrderTaken,
        Rejection::NoSuchOrder | Rejection::OrderRefused => ProblemKind::OrderNotFound,
        Rejection::StatusUnchanged => ProblemKind::AlreadyActive,
        Rejection::MergedAlready => ProblemKind::MemberMerged,
        Rejection::AccountPending
        | Rejection::NothingToReview
        | Rejection::PointsDoNotPay
        | Rejection::CurrencyNotInProgram { .. }
        | Rejection::EditOvertaken
        | Rejection::LineRepeated { .. }
        | Rejection::LineNotInOrder { .. }
        | Rejection::TooManyLots
        | Rejection::TooManyPending
        | Rejection::TooManyMonths
        | Rejection::LevelNotInProgram { .. }
        | Rejection::MonthNotReached { .. }
        | Rejection::HoldTooLong { .. }
        | Rejection::AmountIsZero
        | Rejection::NothingSpent
        | Rejection::MoreThanSpent { .. }
        | Rejection::NoSuchReward
        | Rejection::RewardNotActive { .. }
        | Rejection::RewardNotYet { .. }
        | Rejection::RewardOver
        | Rejection::LevelNotAllowed
        | Rejection::ChannelNotAllowed
        | Rejection::RewardLimitReached { .. }
        | Rejection::TooManyCounted
        | Rejection::PriceChanged { .. }
        | Rejection::SoldOut
        | Rejection::NoSuchRedemption
        | Rejection::RedemptionIs { .. }
        | Rejection::NoSuchHold
        | Rejection::MoreThanHeld { .. }
        | Rejection::TooManyHolds
        | Rejection::MoreThanOrderAllows { .. }
        | Rejection::FewerThanMinimum { .. }
        | Rejection::InsufficientPoints { .. }
        | Rejection::NothingToExtend
        | Rejection::MoreThanExpired { .. }
        | Rejection::EndIsOver { .. }
        | Rejection::TransfersOff
        | Rejection::OwnAccount
        | Rejection::ReceiverNotActive
        | Rejection::AccountTooNew { .. }
        | Rejection::TransferCapReached { .. }
        | Rejection::NoSuchAdjustment
        | Rejection::ApproverIsRequester
        | Rejection::TooManyProposals
        | Rejection::SameMember
        | Rejection::IntoAlias
        | Rejection::NotMerged
        | Rejection::NothingToLift
        | Rejection::TooManyTasks
        | Rejection::OutOfRange => return Refused::because(ProblemKind::Internal, Unexpected),
    };
    kind.into()
}

/// A lost race or a store that does not answer: the same request may succeed.
pub(crate) fn contended(attempts: u32) -> Refused {
    LedgerError::Contended { attempts }.into()
}
