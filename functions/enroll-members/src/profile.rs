//! Profiles: read, changed, and found by something personal.

use jiff::Timestamp;
use lambda_http::http::{HeaderValue, header};
use loyalty_contracts::{
    body::Patch,
    member::{self, Consents, ExternalId, Found, Lookup, PatchProfile, PatchSignals, ShownContact},
    problem::ProblemKind,
};
use loyalty_domain::{account::Account, contact::Consent, id::MemberId, referral::SignalKind};
use loyalty_ledger::{
    Patience, Reading,
    profile::{
        Contact, Identity, IdentityKind, KnownCode, OldCode, Profile, ProfileChange, SIGNALS_MAX,
        Saved, Signal, Taken,
    },
    program::Programs,
};
use loyalty_runtime::{
    api::{Answered, Asked, Refused},
    secret::NoRandom,
};

use crate::{
    enroll::taken,
    handler::{Desk, Store, Unexpected, check_reserved, contended, word, wrong_body},
    route::Operation,
};

impl<S, P, O, C, R, W, T> Desk<S, P, O, C, R, W>
where
    S: Store,
    P: Programs,
    C: Fn() -> Timestamp,
    R: Fn(&mut [u8]) -> Result<(), NoRandom>,
    W: Fn() -> T,
    T: Patience,
{
    /// Shows a profile.
    pub(crate) async fn show_profile(&self, member_id: &MemberId) -> Result<Answered, Refused> {
        let profile = self.profile_of(member_id).await?;
        let account = self.account_of(member_id, Reading::Newest).await?;
        shown(&profile, &account)
    }

    /// Changes a profile.
    pub(crate) async fn change_profile(
        &self,
        member_id: &MemberId,
        asked: &Asked<'_, Operation>,
    ) -> Result<Answered, Refused> {
        let patch = PatchProfile::read(&asked.body, self.now()).map_err(wrong_body)?;
        check_reserved(&asked.caller, &patch.reserved())?;
        let if_match = asked.request.headers.get(header::IF_MATCH);
        let mut patience = (self.door.patience)();
        let mut attempts = 0;
        loop {
            let before = self.profile_of(member_id).await?;
            let is_same = |it: u64| it == before.version;
            let is_met = if_match.is_none_or(|it| is_match(it, before.version));
            if !is_met || !patch.version.is_none_or(is_same) {
                return Err(ProblemKind::VersionConflict.into());
            }
            let profile = self.patched(&before, patch.clone());
            let account = self.account_of(member_id, Reading::Newest).await?;
            if profile == before {
                return shown(&before, &account);
            }
            let change = ProfileChange::between(Some(&before), profile, OldCode::LivesOn);
            match self.door.store.save_profile(&change).await? {
                Saved::Now => return shown(&change.profile, &account),
                Saved::Taken(Taken::Identity(kind)) => return Err(taken(kind)),
                Saved::Taken(Taken::Code) => {
                    return Err(Refused::because(ProblemKind::Internal, Unexpected));
                }
                Saved::Raced => attempts += 1,
            }
            if !patience.wait(attempts).await {
                return Err(contended(attempts));
            }
        }
    }

    /// `before`, as `patch` makes it.
    fn patched(&self, before: &Profile, patch: PatchProfile) -> Profile {
        let mut after = before.clone();
        let hashes = &self.hashes;
        set_identity(&mut after, IdentityKind::Customer, &patch.customer_id, |it| {
            hashes.customer(it)
        });
        set_identity(&mut after, IdentityKind::Card, &patch.card, |it| hashes.card(it));
        set_identity(&mut after, IdentityKind::Phone, &patch.phone, |it| hashes.phone(it));
        set_identity(&mut after, IdentityKind::Mail, &patch.mail, |it| hashes.mail(it));
        after.phone = contact(patch.phone, after.phone);
        after.mail = contact(patch.mail, after.mail);
        after.language = patch.language.apply(after.language);
        after.birthday = patch.birthday.apply(after.birthday);
        for consent in patch.consents {
            add_consent(&mut after.consents, consent);
        }
        self.set_signals(&mut after, &patch.signals);
        after
    }

    /// Sets the signs that `patch` names. A phone number that the member had stays a sign unless it is taken away
    /// by name, since otherwise a change of phone would hide who a member is.
    fn set_signals(&self, profile: &mut Profile, patch: &PatchSignals) {
        let sign = |kind| move |it: &ExternalId| self.hashes.signal(kind, it.as_str());
        set_kind(profile, SignalKind::Phone, &patch.phone, |it| {
            self.hashes.signal(SignalKind::Phone, it.as_str())
        });
        set_kind(profile, SignalKind::Card, &patch.card, sign(SignalKind::Card));
        set_kind(profile, SignalKind::Device, &patch.device, sign(SignalKind::Device));
        set_kind(profile, SignalKind::Address, &patch.address, sign(SignalKind::Address));
        if let Some(own) = &profile.phone {
            let own = self.hashes.signal(SignalKind::Phone, own.value.as_str());
            if !profile.signals.contains(&own) {
                profile.signals.push(own);
            }
        }
        // Of phone numbers the oldest say least; by changing theirs, nobody rids themselves of anything else.
        while profile.signals.len() > SIGNALS_MAX {
            let oldest = profile.signals.iter().position(|it| it.kind == SignalKind::Phone);
            profile.signals.remove(oldest.unwrap_or(0));
        }
    }

    /// Finds a member by something personal.
    pub(crate) async fn look_up(&self, body: &[u8]) -> Result<Answered, Refused> {
        let lookup = Lookup::read(body).map_err(wrong_body)?;
        let store = &self.door.store;
        let found = match (&lookup, self.hashes.looked_for(&lookup)) {
            (Lookup::Code(code), _) => {
                let known = store.find_code(code, Reading::Newest).await?;
                known.map(|KnownCode { member_id, is_dead: _ }| member_id)
            }
            (_, Some(identity)) => store.find_identity(&identity, Reading::Newest).await?,
            (_, None) => None,
        };
        let member_id = found.ok_or(ProblemKind::MemberNotFound)?;
        Answered::new(&Found { member_id })
    }
}

/// `profile` as it is shown, with its version as `etag`.
pub(crate) fn shown(profile: &Profile, account: &Account) -> Result<Answered, Refused> {
    let mut identities: Vec<_> = profile.identities.iter().map(|it| it.kind.as_str()).collect();
    identities.dedup();
    let membership = &account.membership;
    let mut answered = Answered::new(&member::Profile {
        member_id: profile.member_id.clone(),
        status: word(membership.status),
        enrolled_at: profile.enrolled_at,
        activated_at: membership.activated_at,
        source: profile.source.clone(),
        phone: profile.phone.as_ref().map(|it| ShownContact {
            value: it.value.as_str().to_owned(),
            is_verified: it.verified,
        }),
        mail: profile.mail.as_ref().map(|it| ShownContact {
            value: it.value.as_str().to_owned(),
            is_verified: it.verified,
        }),
        language: profile.language.clone(),
        birthday: profile.birthday,
        consents: Consents::of(&profile.consents),
        identities,
        referral_code: profile.code.to_string(),
        version: profile.version,
    })?;
    let etag = HeaderValue::from_str(&format!("\"{}\"", profile.version)).ok();
    answered.header = etag.map(|it| (header::ETAG, it));
    Ok(answered)
}

/// Whether `if_match` lets a change of `version` through.
fn is_match(if_match: &HeaderValue, version: u64) -> bool {
    let own = format!("\"{version}\"");
    if_match.to_str().is_ok_and(|it| it.split(',').any(|it| it.trim() == "*" || it.trim() == own))
}

fn set_identity<V>(
    profile: &mut Profile,
    kind: IdentityKind,
    patch: &Patch<V>,
    identity: impl FnOnce(&V) -> Identity,
) {
    if patch.is_named() {
        profile.identities.retain(|it| it.kind != kind);
    }
    if let Patch::Set(value) = patch {
        profile.identities.push(identity(value));
    }
}

fn set_kind<V>(
    profile: &mut Profile,
    kind: SignalKind,
    patch: &Patch<Vec<V>>,
    signal: impl Fn(&V) -> Signal,
) {
    if patch.is_named() {
        profile.signals.retain(|it| it.kind != kind);
    }
    if let Patch::Set(values) = patch {
        profile.signals.extend(values.iter().map(signal));
    }
}

/// A contact as a patch makes it: another one has to be verified anew.
fn contact<V: PartialEq>(patch: Patch<V>, before: Option<Contact<V>>) -> Option<Contact<V>> {
    match patch {
        Patch::Keep => before,
        Patch::Remove => None,
        Patch::Set(value) => {
            let verified = before.is_some_and(|it| it.verified && it.value == value);
            Some(Contact { value, verified })
        }
    }
}

/// Notes a consent, unless a newer one of its channel is known.
fn add_consent(all: &mut Vec<Consent>, consent: Consent) {
    match all.iter_mut().find(|it| it.channel == consent.channel) {
        Some(known) if known.at > consent.at => (),
        Some(known) => *known = consent,
        None => all.push(consent),
    }
}
