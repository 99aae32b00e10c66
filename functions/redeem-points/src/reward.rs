//! Rewards: what there is, what members take, and what becomes of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use loyalty_contracts::{
    catalogue::{
        ContinueRedemption, OpenReward, OpenRewards, RedeemReward, Redemption, RedemptionStepTaken,
        Redemptions,
    },
    problem::ProblemKind,
};
use loyalty_domain::{
    command::Request,
    due,
    event::Event,
    id::{CommandId, LevelId, MemberId, RedemptionId, RedemptionStep, RewardId},
    program::Program,
    redemption::{NewRedemption, RedemptionEvent, RedemptionStatus},
    reward::{RewardStatus, VoucherCode},
    tier,
};
use loyalty_ledger::{
    Answer, Entry, Patience, Reading,
    catalogue::FoundRewards,
    program::Programs,
    statement::{Page, statement},
};
use loyalty_runtime::api::{
    Answered, Asked, Refused,
    caller::Caller,
    cursor,
    query::{Paging, paging},
    respond::wrong_body,
    write::shown,
};

use crate::{
    handler::{Door, Store},
    route::Operation,
};

/// Every step that a redemption may take.
const STEPS: [RedemptionStep; 3] =
    [RedemptionStep::Fulfill, RedemptionStep::Cancel, RedemptionStep::Refund];

impl<S, P, C, W, T> Door<S, P, C, W>
where
    S: Store,
    P: Programs,
    C: Fn() -> Timestamp,
    W: Fn() -> T,
    T: Patience,
{
    /// Shows the rewards that can be taken, or could.
    pub(crate) async fn rewards(&self, asked: &Asked<'_, Operation>) -> Result<Answered, Refused> {
        let Paging { limit, cursor } = paging(asked.query(), |it| RewardId::try_from(it).ok())?;
        let now = self.writer.now();
        let program = self.writer.program_at(now).await?;
        let level = match &asked.caller {
            Caller::Member(own) => self.level(&program, own, now).await?,
            Caller::Service { .. } | Caller::Staff { .. } => None,
        };
        let limit = u16::try_from(limit).unwrap_or(u16::MAX);
        let FoundRewards { rewards, next } =
            self.writer.store.rewards(cursor.as_ref(), limit).await?;
        let mut shown = Vec::new();
        for reward in rewards.iter().filter(|it| it.spec().status == RewardStatus::Active) {
            let closes_at = reward.closes_at(program.calendar())?;
            if closes_at.is_some_and(|it| it <= now) {
                continue;
            }
            let opens_at = reward.opens_at(program.calendar(), level.as_ref())?;
            let points = reward.price(level.as_ref());
            shown.push(OpenReward::of(reward, points, (opens_at, closes_at)));
        }
        let next = next.map(|it| it.as_str().to_owned());
        Answered::new(&OpenRewards { rewards: shown, next })
    }

    /// The level of a member at `now`.
    async fn level(
        &self,
        program: &Program,
        member_id: &MemberId,
        now: Timestamp,
    ) -> Result<Option<LevelId>, Refused> {
        let known = self.writer.store.find_account(member_id, Reading::Cheap).await?;
        let account = known.map(|it| it.account).unwrap_or_default();
        let (account, _) = due::bring_to(program, account, now)?;
        Ok(program.levels().get(tier::rank(program, &account)).map(|it| it.id.clone()))
    }

    /// Takes a reward, and shows the entry.
    pub(crate) async fn redeem(&self, asked: &Asked<'_, Operation>) -> Result<Answered, Refused> {
        let RedeemReward { reward_id, points, channel } =
            RedeemReward::read(&asked.body).map_err(wrong_body)?;
        let mut random = [0; 10];
        (self.random)(&mut random)
            .map_err(|error| Refused::because(ProblemKind::Unavailable, error))?;
        let code = VoucherCode::of_random(random);
        let new = NewRedemption { reward: reward_id, points, channel, code };
        let (member_id, at) = (asked.member()?.clone(), self.writer.now());
        let request = Request::redeem(asked.client()?, asked.key()?, member_id, at, new);
        Answered::new(&shown(&*self.writer.decide(&request).await?)?)
    }

    /// Lets a redemption go on, and shows the entry.
    pub(crate) async fn go_on(
        &self,
        asked: &Asked<'_, Operation>,
        step: RedemptionStep,
    ) -> Result<Answered, Refused> {
        let redemption = asked.other::<RedemptionId>()?;
        let ContinueRedemption { reason } =
            ContinueRedemption::read(&asked.body).map_err(wrong_body)?;
        let (member_id, at) = (asked.member()?.clone(), self.writer.now());
        let request = Request::redemption_step(member_id, redemption, step, at, reason);
        let request = request.in_the_name_of(asked.client()?);
        Answered::new(&shown(&*self.writer.decide(&request).await?)?)
    }

    /// Shows a redemption of a member.
    pub(crate) async fn redemption(
        &self,
        asked: &Asked<'_, Operation>,
    ) -> Result<Answered, Refused> {
        let redemption = asked.other::<RedemptionId>()?;
        let begun = CommandId::Redemption(asked.member()?.clone(), redemption);
        let entries = self.writer.store.find_entries(&with_steps(&begun), Reading::Newest).await?;
        let mut entries = entries.iter().map(|it| &**it);
        let begin = entries.next().filter(|it| it.id == begun).ok_or(ProblemKind::NotFound)?;
        let shown = shown_redemption(begin, entries).ok_or(ProblemKind::NotFound)?;
        Answered::new(&shown)
    }

    /// Shows what a member took, the newest first.
    pub(crate) async fn redemptions(
        &self,
        asked: &Asked<'_, Operation>,
    ) -> Result<Answered, Refused> {
        let Paging { limit, cursor } = paging(asked.query(), cursor::read)?;
        let (store, member_id) = (&self.writer.store, asked.member()?);
        let page = statement(store, member_id, cursor.as_ref(), limit, Reading::Cheap).await?;
        let Page { entries, next } = page;
        let begun = |it: &&Entry| matches!(it.id, CommandId::Redemption(..));
        let begun: Vec<&Entry> = entries.iter().map(|it| &**it).filter(begun).collect();
        let ids: Vec<CommandId> = begun.iter().flat_map(|it| steps_of(&it.id)).collect();
        let mut steps: BTreeMap<CommandId, Vec<&Entry>> = BTreeMap::new();
        let found = store.find_entries(&ids, Reading::Cheap).await?;
        for step in &found {
            if let Some(begun) = step.id.redemption() {
                steps.entry(begun).or_default().push(step);
            }
        }
        let redemptions = begun.into_iter().filter_map(|it| {
            let steps = steps.remove(&it.id).unwrap_or_default();
            shown_redemption(it, steps.into_iter())
        });
        let redemptions = redemptions.collect();
        let next = next.as_ref().map(cursor::write).transpose()?;
        Answered::new(&Redemptions { redemptions, next })
    }
}

/// The entries of the steps of a redemption.
fn steps_of(begun: &CommandId) -> impl Iterator<Item = CommandId> {
    let named = if let CommandId::Redemption(member, redemption) = begun {
        Some((member.clone(), *redemption))
    } else {
        None
    };
    named.into_iter().flat_map(|(member, redemption)| {
        STEPS.map(move |it| CommandId::RedemptionStep(member.clone(), redemption, it))
    })
}

/// The entry of a redemption, and those of its steps.
fn with_steps(begun: &CommandId) -> Vec<CommandId> {
    std::iter::once(begun.clone()).chain(steps_of(begun)).collect()
}

/// What `entry` did to a redemption.
fn event(entry: &Entry) -> Option<&RedemptionEvent> {
    let Answer::Accepted(events) = &entry.answer else { return None };
    events.iter().find_map(|it| if let Event::Redemption(it) = it { Some(&**it) } else { None })
}

/// The redemption that began with `begin`; `None` if it was refused.
fn shown_redemption<'a>(
    begin: &Entry,
    steps: impl Iterator<Item = &'a Entry>,
) -> Option<Redemption> {
    let RedemptionEvent::Issued(issued) = event(begin)? else { return None };
    let mut taken: Vec<(&Entry, RedemptionStepTaken)> = steps
        .filter_map(|entry| {
            let (status, reason) = match event(entry)? {
                RedemptionEvent::Issued(_) => return None,
                RedemptionEvent::Fulfilled { reason, .. } => (RedemptionStatus::Fulfilled, reason),
                RedemptionEvent::Cancelled(it) => (RedemptionStatus::Cancelled, &it.reason),
                RedemptionEvent::Refunded(it) => (RedemptionStatus::Refunded, &it.reason),
            };
            let (status, reason) = (status.into(), reason.as_str().to_owned());
            Some((entry, RedemptionStepTaken { status, at: entry.at, reason }))
        })
        .collect();
    taken.sort_by_key(|(entry, _)| entry.sequence);
    let steps: Vec<RedemptionStepTaken> = taken.into_iter().map(|(_, it)| it).collect();
    let status = steps.last().map_or(RedemptionStatus::Issued.into(), |it| it.status);
    Some(Redemption { status, at: begin.at, issued: (&**issued).into(), steps })
}
