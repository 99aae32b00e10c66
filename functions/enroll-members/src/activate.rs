//! A member shows that they can be reached: a code is sent, and comes back.

use std::{num::NonZeroU32, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use loyalty_contracts::{
    member::{Activate, ActivationCode, ActivationRequested, CodeSent, ContactChannel, SendCode},
    problem::ProblemKind,
};
use loyalty_domain::{command::Request, id::MemberId, membership::Status};
use loyalty_ledger::{
    Answered as Decided, LedgerError, Patience, Reading, execute_with,
    profile::{Activation, Begun, KeyedHash, OldCode, Profile, ProfileChange, SendLimits, Tried},
    program::Programs,
};
use loyalty_runtime::{
    api::{Answered, Refused},
    publish::Message,
    secret::NoRandom,
};

use crate::{
    handler::{Desk, Store, Unexpected, contended, refusal, wrong_body},
    outbox::Outbox,
    profile::shown,
};

/// For how long a code is good.
pub(crate) const GOOD_FOR: SignedDuration = SignedDuration::from_mins(15);
/// How often one code may be tried: a thief guesses one of 1,000,000 in 200,000 codes, and gets 5 a day.
pub(crate) const ATTEMPTS_MAX: u32 = 5;
/// How far apart two codes are sent.
pub(crate) const APART_S: u32 = 60;
/// How many codes one member is sent within 24 hours.
const SENDS_A_DAY_MAX: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);
/// When enrollment sends a code: if none was sent for a day. The same enrollment may be sent again and again.
pub(crate) const FIRST: SendLimits =
    SendLimits { apart_seconds_min: 24 * 60 * 60, sends_a_day_max: SENDS_A_DAY_MAX };
/// When another code is sent.
const ANOTHER: SendLimits =
    SendLimits { apart_seconds_min: APART_S, sends_a_day_max: SENDS_A_DAY_MAX };
/// How often a profile may be changed by others while a member becomes active.
const PROFILE_ATTEMPTS_MAX: u32 = 5;

/// The version of the shape of what is sent.
const VERSION: u32 = 1;

/// How a member is reached: as `wanted`, or by mail, or else by phone.
pub(crate) fn contact(
    profile: &Profile,
    wanted: Option<ContactChannel>,
) -> Option<(ContactChannel, &str)> {
    let mail = profile.mail.as_ref().map(|it| (ContactChannel::Mail, it.value.as_str()));
    let phone = profile.phone.as_ref().map(|it| (ContactChannel::Phone, it.value.as_str()));
    match wanted {
        Some(ContactChannel::Mail) => mail,
        Some(ContactChannel::Phone) => phone,
        None => mail.or(phone),
    }
}

impl<S, P, O, C, R, W, T> Desk<S, P, O, C, R, W>
where
    S: Store,
    P: Programs,
    O: Outbox,
    C: Fn() -> Timestamp,
    R: Fn(&mut [u8]) -> Result<(), NoRandom>,
    W: Fn() -> T,
    T: Patience,
{
    /// Sends a member another code.
    pub(crate) async fn send_another(
        &self,
        member_id: &MemberId,
        body: &[u8],
    ) -> Result<Answered, Refused> {
        let SendCode { channel } = SendCode::read(body).map_err(wrong_body)?;
        let profile = self.profile_of(member_id).await?;
        self.check_pending(member_id).await?;
        let (channel, _) = contact(&profile, channel).ok_or(ProblemKind::NoContact)?;
        let expires_at = self.send(&profile, channel, ANOTHER).await?;
        Answered::new(&CodeSent { channel, expires_at })
    }

    /// Sees that a member waits for activation.
    async fn check_pending(&self, member_id: &MemberId) -> Result<(), Refused> {
        let account = self.account_of(member_id, Reading::Newest).await?;
        match account.membership.status {
            Status::Pending => Ok(()),
            Status::Active => Err(ProblemKind::AlreadyActive.into()),
            Status::Frozen => Err(ProblemKind::MemberFrozen.into()),
            Status::Closed => Err(ProblemKind::MemberClosed.into()),
            Status::Unenrolled => Err(ProblemKind::NotEnrolled.into()),
        }
    }

    /// Sends a new code by `channel`, if `limits` let it, and says until when it is good.
    ///
    /// What was counted for a code that did not leave is forgotten, so that the same request sends one.
    pub(crate) async fn send(
        &self,
        profile: &Profile,
        channel: ContactChannel,
        limits: SendLimits,
    ) -> Result<Timestamp, Refused> {
        let (_, to) = contact(profile, Some(channel)).ok_or(ProblemKind::NoContact)?;
        let sent_at = self.now();
        let expires_at = sent_at
            .checked_add(GOOD_FOR)
            .map_err(|error| Refused::because(ProblemKind::Internal, error))?;
        let code = ActivationCode::of_random(u64::from_be_bytes(self.random()?));
        let member_id = &profile.member_id;
        let hash = self.hashes.activation(member_id, to, &code);
        let activation = Activation { member_id: member_id.clone(), hash, sent_at, expires_at };
        match self.door.store.begin_activation(&activation, limits).await? {
            Begun::Now => (),
            Begun::TooSoon { again_at } | Begun::TooMany { again_at } => {
                return Err(later(ProblemKind::SentTooOften, again_at.duration_since(sent_at)));
            }
        }
        let event = ActivationRequested {
            version: VERSION,
            member_id,
            channel,
            to,
            language: profile.language.as_ref(),
            code: code.as_str(),
            expires_at,
        };
        let detail = serde_json::to_string(&event)?;
        let message = Message { name: ActivationRequested::NAME, detail };
        if let Err(error) = self.door.outbox.send(message).await {
            self.door.store.end_activation(member_id).await?;
            return Err(Refused::because(ProblemKind::Unavailable, error));
        }
        Ok(expires_at)
    }

    /// Makes a member active whose code comes back.
    pub(crate) async fn activate(
        &self,
        member_id: &MemberId,
        body: &[u8],
    ) -> Result<Answered, Refused> {
        let Activate { code } = Activate::read(body).map_err(wrong_body)?;
        let profile = self.profile_of(member_id).await?;
        let is_done = match self.check_pending(member_id).await {
            Ok(()) => false,
            // The answer to the first request was lost.
            Err(Refused { kind: ProblemKind::AlreadyActive, .. }) => true,
            Err(refused) => return Err(refused),
        };
        if !is_done {
            let hash = self.try_code(member_id).await?;
            self.become_active(member_id, &code, &hash).await?;
            // Nothing can be done with it any more; it is left where it is if it cannot be forgotten.
            if let Err(error) = self.door.store.end_activation(member_id).await {
                let error = loyalty_runtime::log::ErrorChain(&error);
                tracing::warn!(%error, "an activation that came to its end could not be forgotten");
            }
        }
        let profile = if is_done { profile } else { self.profile_of(member_id).await? };
        let account = self.account_of(member_id, Reading::Newest).await?;
        shown(&profile, &account)
    }

    /// The hash that a code may be compared with now. The try is counted before anything is compared.
    async fn try_code(&self, member_id: &MemberId) -> Result<KeyedHash, Refused> {
        match self.door.store.try_activation(member_id, self.now(), ATTEMPTS_MAX).await? {
            Tried::With { hash, .. } => Ok(hash),
            Tried::None | Tried::Expired => Err(ProblemKind::ActivationCodeExpired.into()),
            Tried::TooMany => {
                let apart = SignedDuration::from_secs(APART_S.into());
                Err(later(ProblemKind::AttemptsUsedUp, apart))
            }
        }
    }

    /// Makes a member active, and notes which contact the code has proven, together.
    async fn become_active(
        &self,
        member_id: &MemberId,
        code: &ActivationCode,
        hash: &KeyedHash,
    ) -> Result<(), Refused> {
        let now = self.now();
        let program = self.program_at(now).await?;
        let request = Request::activate(member_id.clone(), now);
        for _ in 0..PROFILE_ATTEMPTS_MAX {
            let before = self.profile_of(member_id).await?;
            let mut profile = before.clone();
            let is_sent_to = |to: &str| self.hashes.is_activation(member_id, to, code, hash);
            let mut is_right = false;
            if let Some(mail) = &mut profile.mail
                && is_sent_to(mail.value.as_str())
            {
                mail.verified = true;
                is_right = true;
            }
            if let Some(phone) = &mut profile.phone
                && is_sent_to(phone.value.as_str())
            {
                phone.verified = true;
                is_right = true;
            }
            if !is_right {
                return Err(ProblemKind::ActivationCodeWrong.into());
            }
            let change = ProfileChange::between(Some(&before), profile, OldCode::LivesOn);
            let (store, change) = (&self.door.store, Some(Arc::new(change)));
            let mut patience = (self.door.patience)();
            match execute_with(store, &program, &mut patience, &request, change).await {
                Ok(Decided::Now(_) | Decided::Before(_) | Decided::Reused(_)) => return Ok(()),
                Ok(Decided::Declined(rejection)) => return Err(refusal(&rejection)),
                Ok(Decided::Taken(_) | Decided::Idle) => {
                    return Err(Refused::because(ProblemKind::Internal, Unexpected));
                }
                // The profile may have changed, which the ledger cannot read anew.
                Err(LedgerError::Contended { .. }) => (),
                Err(error) => return Err(error.into()),
            }
        }
        Err(contended(PROFILE_ATTEMPTS_MAX))
    }
}

/// `kind`, to be asked again after `wait`.
fn later(kind: ProblemKind, wait: SignedDuration) -> Refused {
    // Whole seconds, and never too soon.
    let seconds = u64::try_from(wait.as_secs()).unwrap_or(0).saturating_add(1);
    Refused { retry_after_s: Some(seconds), ..kind.into() }
}
