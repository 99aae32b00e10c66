//! Somebody becomes a member; a membership is stopped, goes on or ends.

use std::sync::Arc;

use jiff::Timestamp;
use lambda_http::http::StatusCode;
use loyalty_contracts::{
    body::Mistake,
    member::{Enroll, SetStatus, StatusShown, WantedStatus},
    problem::ProblemKind,
};
use loyalty_domain::{
    code::ReferralCode,
    command::{NewStatus, Request},
    decide::Rejection,
    id::MemberId,
    membership::Status,
};
use loyalty_ledger::{
    Answer, Answered as Decided, Entry, Patience, Reading, execute, execute_with,
    profile::{
        Contact, IdentityKind, KeyedHash, KnownCode, OldCode, Profile, ProfileChange, Taken,
    },
    program::Programs,
};
use loyalty_runtime::{
    api::{
        Answered, Asked, Refused,
        caller::{Caller, actor},
    },
    secret::NoRandom,
};

use crate::{
    activate::FIRST,
    handler::{Desk, Store, Unexpected, check_reserved, contended, refusal, wrong, wrong_body},
    outbox::Outbox,
    profile::shown,
    route::Operation,
};

/// How often a random code may be somebody's already before something must be wrong with the random numbers.
const CODES_MAX: u32 = 3;

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
    /// Enrolls a member, once: the same request again has the same answer, and sends the code that could not
    /// be sent before.
    pub(crate) async fn enroll(&self, asked: &Asked<'_, Operation>) -> Result<Answered, Refused> {
        let now = self.now();
        let said = Enroll::read(&asked.body, now).map_err(wrong_body)?;
        let member_id = who(&asked.caller, said.member_id.as_ref())?;
        check_reserved(&asked.caller, &said.reserved())?;
        let digest = self.hashes.enrollment(&member_id, &said);
        let (profile, status) = match self.same(&member_id, digest).await? {
            Some(known) => (known, StatusCode::OK),
            None => self.begin(&member_id, said, digest, now).await?,
        };
        let account = self.account_of(&member_id, Reading::Newest).await?;
        if account.membership.status == Status::Pending {
            self.send_first(&profile).await?;
        }
        let mut answered = shown(&profile, &account)?;
        answered.status = status;
        Ok(answered)
    }

    /// The profile of a member who is enrolled with just this.
    async fn same(
        &self,
        member_id: &MemberId,
        digest: KeyedHash,
    ) -> Result<Option<Profile>, Refused> {
        match self.door.store.find_profile(member_id, Reading::Newest).await? {
            Some(known) if known.digest == digest => Ok(Some(known)),
            Some(_) => Err(ProblemKind::EnrolledOtherwise.into()),
            None => Ok(None),
        }
    }

    async fn begin(
        &self,
        member_id: &MemberId,
        said: Enroll,
        digest: KeyedHash,
        now: Timestamp,
    ) -> Result<(Profile, StatusCode), Refused> {
        if let Some(code) = &said.referral_code {
            self.check_code(code).await?;
        }
        let program = self.program_at(now).await?;
        let request = Request::enroll(member_id.clone(), now, said.referral_code.clone());
        let mut profile = self.profile(member_id, said, digest, now)?;
        for _ in 0..CODES_MAX {
            let change = ProfileChange::between(None, profile.clone(), OldCode::Dies);
            let after = change.profile.clone();
            let change = Some(Arc::new(change));
            let mut patience = (self.door.patience)();
            let store = &self.door.store;
            match execute_with(store, &program, &mut patience, &request, change).await? {
                Decided::Now(_) => return Ok((after, StatusCode::CREATED)),
                // Somebody else sent it at the same moment, or the answer to it was lost.
                Decided::Before(_) | Decided::Reused(_) => {
                    let known = self.same(member_id, digest).await?;
                    // Whoever was erased does not come back under the same id.
                    let known = known.ok_or(ProblemKind::EnrolledOtherwise)?;
                    return Ok((known, StatusCode::OK));
                }
                Decided::Taken(Taken::Code) => profile.code = self.random_code()?,
                Decided::Taken(Taken::Identity(kind)) => {
                    return match self.same(member_id, digest).await? {
                        Some(known) => Ok((known, StatusCode::OK)),
                        None => Err(taken(kind)),
                    };
                }
                Decided::Declined(rejection) => return Err(refusal(&rejection)),
                Decided::Idle => return Err(Refused::because(ProblemKind::Internal, Unexpected)),
            }
        }
        Err(contended(CODES_MAX))
    }

    /// Sees that `code` leads to somebody: who mistypes it can say it again now, and never later.
    async fn check_code(&self, code: &ReferralCode) -> Result<(), Refused> {
        let found = self.door.store.find_code(code, Reading::Newest).await?;
        match found {
            Some(KnownCode { is_dead: false, .. }) => Ok(()),
            Some(KnownCode { is_dead: true, .. }) | None => {
                Err(ProblemKind::ReferralCodeUnknown.into())
            }
        }
    }

    /// The profile that `said` makes.
    fn profile(
        &self,
        member_id: &MemberId,
        said: Enroll,
        digest: KeyedHash,
        now: Timestamp,
    ) -> Result<Profile, Refused> {
        let hashes = &self.hashes;
        let signals = hashes.signals(&said.signals, said.phone.as_ref());
        let mut identities = Vec::new();
        identities.extend(said.customer_id.as_ref().map(|it| hashes.customer(it)));
        identities.extend(said.card.as_ref().map(|it| hashes.card(it)));
        identities.extend(said.phone.as_ref().map(|it| hashes.phone(it)));
        identities.extend(said.mail.as_ref().map(|it| hashes.mail(it)));
        Ok(Profile {
            member_id: member_id.clone(),
            version: 0,
            phone: said.phone.map(|value| Contact { value, verified: false }),
            mail: said.mail.map(|value| Contact { value, verified: false }),
            language: said.language,
            birthday: said.birthday,
            consents: said.consents,
            identities,
            signals,
            code: self.random_code()?,
            enrolled_at: now,
            source: said.source,
            digest,
        })
    }

    /// Sends the first code, unless one was sent.
    async fn send_first(&self, profile: &Profile) -> Result<(), Refused> {
        let Some((channel, _)) = crate::activate::contact(profile, None) else { return Ok(()) };
        // That one was sent before is no mistake of whoever enrolls.
        match self.send(profile, channel, FIRST).await {
            Err(refused) if refused.kind != ProblemKind::SentTooOften => Err(refused),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Stops a membership, lets it go on, or ends it.
    pub(crate) async fn set_status(
        &self,
        member_id: &MemberId,
        asked: &Asked<'_, Operation>,
    ) -> Result<Answered, Refused> {
        let now = self.now();
        let SetStatus { status, reason, key } = SetStatus::read(&asked.body).map_err(wrong_body)?;
        let (wanted, status) = match status {
            WantedStatus::Active => (NewStatus::Active, "active"),
            WantedStatus::Frozen => (NewStatus::Frozen, "frozen"),
            WantedStatus::Closed => (NewStatus::Closed, "closed"),
        };
        if wanted != NewStatus::Frozen && !matches!(asked.caller, Caller::Staff { .. }) {
            return Err(ProblemKind::StaffOnly.into());
        }
        let client = actor(asked.context()).ok_or(ProblemKind::Unauthenticated)?;
        let request = Request::set_status(client, key, member_id.clone(), now, wanted, reason);
        let program = self.program_at(now).await?;
        let mut patience = (self.door.patience)();
        let entry = match execute(&self.door.store, &program, &mut patience, &request).await? {
            Decided::Now(entry) | Decided::Before(entry) => entry,
            Decided::Reused(_) => return Err(ProblemKind::KeyReused.into()),
            Decided::Declined(rejection) => return Err(refusal(&rejection)),
            Decided::Taken(_) | Decided::Idle => {
                return Err(Refused::because(ProblemKind::Internal, Unexpected));
            }
        };
        let Entry { answer, at, .. } = &*entry;
        match answer {
            // It was so before, which is what was asked for.
            Answer::Accepted(_) | Answer::Refused(Rejection::StatusUnchanged) => {
                Answered::new(&StatusShown { member_id: member_id.clone(), status, at: *at })
            }
            Answer::Refused(rejection) => Err(refusal(rejection)),
            Answer::Waiting(_) => Err(Refused::because(ProblemKind::Internal, Unexpected)),
        }
    }
}

/// Who is to be enrolled.
fn who(caller: &Caller, named: Option<&MemberId>) -> Result<MemberId, Refused> {
    match (caller, named) {
        (Caller::Member(own), Some(named)) if own != named => Err(ProblemKind::OtherMember.into()),
        (Caller::Member(own), _) => Ok(own.clone()),
        (Caller::Service { .. } | Caller::Staff { .. }, Some(named)) => Ok(named.clone()),
        (Caller::Service { .. } | Caller::Staff { .. }, None) => {
            let path = "member_id".to_owned();
            let expected = "the shop's id of the member".to_owned();
            Err(wrong(ProblemKind::InvalidBody, &[Mistake { path, expected }]))
        }
    }
}

/// What is said where an identity is another member's.
pub(crate) fn taken(kind: IdentityKind) -> Refused {
    let path = match kind {
        IdentityKind::Customer => "customer_id",
        IdentityKind::Card => "card",
        IdentityKind::Phone => "phone",
        IdentityKind::Mail => "mail",
    };
    let expected = "one that is no other member's".to_owned();
    wrong(ProblemKind::IdentityTaken, &[Mistake { path: path.to_owned(), expected }])
}
