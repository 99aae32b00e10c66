//! Codes for friends: shown, replaced, and what became of whoever used them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use loyalty_contracts::{
    member::{Code, FriendShown, ReferralShown, Referrals, ReplaceCode},
    problem::ProblemKind,
};
use loyalty_domain::{
    code::ReferralCode,
    id::MemberId,
    program::OldCodes,
    referral::{ReferralState, Referred},
};
use loyalty_ledger::{
    Patience, Reading,
    profile::{OldCode, ProfileChange, Saved, Taken},
    program::Programs,
};
use loyalty_runtime::{
    api::{
        Answered, Asked, Refused,
        caller::Caller,
        query::{self, Paging},
    },
    secret::NoRandom,
};

use crate::{
    enroll::taken,
    handler::{Desk, Store, contended, wrong_body},
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
    /// Shows whom a member brought, and by whom they were brought.
    pub(crate) async fn show_referrals(
        &self,
        member_id: &MemberId,
        asked: &Asked<'_, Operation>,
    ) -> Result<Answered, Refused> {
        let Paging { limit, cursor } = query::paging(asked.query(), read_cursor)?;
        let is_own = matches!(asked.caller, Caller::Member(_));
        let profile = self.profile_of(member_id).await?;
        let membership = self.account_of(member_id, Reading::Cheap).await?.membership;
        let limit = u16::try_from(limit).unwrap_or(u16::MAX);
        let page = self.door.store.friends(member_id, cursor.as_ref(), limit).await?;
        let mut friends = Vec::new();
        for friend in page.friends {
            let account = self.account_of(&friend.member_id, Reading::Cheap).await?;
            let referred = account.membership.referred.filter(|it| it.referrer == *member_id);
            let referral = referred.map_or_else(nothing_yet, |it| shown(&it, is_own));
            let member_id = Some(friend.member_id).filter(|_| !is_own);
            friends.push(FriendShown { member_id, at: friend.at, referral });
        }
        let Code { code, link } = self.code(&profile.code);
        Answered::new(&Referrals {
            code,
            link,
            referred: membership.referred.map(|it| shown(&it, is_own)),
            rewarded: membership.referrals.rewarded,
            friends,
            next: page.next.map(|it| URL_SAFE_NO_PAD.encode(it.as_str())),
        })
    }

    /// Gives a member another code in place of the one that they have.
    pub(crate) async fn replace_code(
        &self,
        member_id: &MemberId,
        body: &[u8],
    ) -> Result<Answered, Refused> {
        let ReplaceCode { replaces } = ReplaceCode::read(body).map_err(wrong_body)?;
        let program = self.program_at(self.now()).await?;
        let old = match program.spec().referral.as_ref().map(|it| it.old_codes) {
            Some(OldCodes::Live) => OldCode::LivesOn,
            Some(OldCodes::Die) | None => OldCode::Dies,
        };
        let mut patience = (self.door.patience)();
        let mut attempts = 0;
        loop {
            let before = self.profile_of(member_id).await?;
            if before.code != replaces {
                // The answer to the first request was lost, or somebody tries to find out about codes.
                let found = self.door.store.find_code(&replaces, Reading::Newest).await?;
                let was_own = found.is_some_and(|it| it.member_id == *member_id);
                return if was_own {
                    Answered::new(&self.code(&before.code))
                } else {
                    Err(ProblemKind::ReferralCodeReplaced.into())
                };
            }
            let mut profile = before.clone();
            profile.code = self.random_code()?;
            let change = ProfileChange::between(Some(&before), profile, old);
            match self.door.store.save_profile(&change).await? {
                Saved::Now => return Answered::new(&self.code(&change.profile.code)),
                Saved::Taken(Taken::Identity(kind)) => return Err(taken(kind)),
                Saved::Taken(Taken::Code) | Saved::Raced => attempts += 1,
            }
            if !patience.wait(attempts).await {
                return Err(contended(attempts));
            }
        }
    }

    fn code(&self, code: &ReferralCode) -> Code {
        let link = self.door.referral_url.as_ref().map(|it| format!("{it}{}", code.as_str()));
        Code { code: code.to_string(), link }
    }
}

/// What is shown of a friend whose account is not known to be one's: they are noted before it is.
fn nothing_yet() -> ReferralShown {
    ReferralShown { state: "pending", reason: None }
}

/// What became of a referral. Why it was refused is nothing for either side: it would tell a thief what to
/// change.
fn shown(referred: &Referred, is_own: bool) -> ReferralShown {
    let (state, reason) = match &referred.state {
        ReferralState::Named => ("pending", None),
        ReferralState::Qualified { .. } => ("qualified", None),
        // That staff look into it is theirs to say.
        ReferralState::Held { .. } if is_own => ("qualified", None),
        ReferralState::Held { .. } => ("held", None),
        ReferralState::Rewarded(_) => ("rewarded", None),
        ReferralState::Refused(refusal) => ("refused", Some(refusal.to_string())),
        ReferralState::Revoked => ("revoked", None),
    };
    ReferralShown { state, reason: reason.filter(|_| !is_own) }
}

fn read_cursor(text: &str) -> Option<MemberId> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    MemberId::try_from(str::from_utf8(&bytes).ok()?).ok()
}
