//! Members: [`Profiles`], the port of all that is personal, and of what only so many may do or have.
//!
//! Personal data is here and nowhere else: accounts and entries know ids of members only. What must be found by
//! a value that is personal is found by its [`KeyedHash`]. [`Debug`] hides what a person could be told by.

use std::{future::Future, num::NonZeroU32};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
pub use loyalty_domain::referral::SignalKind;
use loyalty_domain::{
    code::{NamedCode, ReferralCode},
    contact::{Birthday, Consent, Language, Mail, Phone},
    id::{MemberId, OrderId, ReasonCode},
};
use serde::{Deserialize, Serialize};

use crate::{LedgerError, Reading};

/// HMAC-SHA-256 of a personal value under a secret, by which it is found and compared without being stored.
///
/// Whoever makes one puts into it what the value is, so that no phone number has the hash of a card. Its text is
/// base64 for URLs, of [`KeyedHash::TEXT_BYTES`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyedHash([u8; 32]);

/// A text is no keyed hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a keyed hash is {} characters of base64 for URLs", KeyedHash::TEXT_BYTES)]
pub struct InvalidKeyedHash;

impl KeyedHash {
    /// How long its text is.
    pub const TEXT_BYTES: usize = 43;

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for KeyedHash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl TryFrom<&str> for KeyedHash {
    type Error = InvalidKeyedHash;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidKeyedHash)?;
        bytes.try_into().map(Self).map_err(|_| InvalidKeyedHash)
    }
}

impl TryFrom<String> for KeyedHash {
    type Error = InvalidKeyedHash;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.as_str().try_into()
    }
}

impl From<KeyedHash> for String {
    fn from(hash: KeyedHash) -> Self {
        hash.to_string()
    }
}

impl std::fmt::Display for KeyedHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl std::fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyedHash").finish_non_exhaustive()
    }
}

/// By what a member is found. Each value of it is one member's only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityKind {
    /// The shop's id of a customer.
    Customer,
    /// The number of a card.
    Card,
    /// A phone number.
    Phone,
    /// A mail address.
    Mail,
}

impl IdentityKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Customer, Self::Card, Self::Phone, Self::Mail];

    /// Its word, as stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Card => "card",
            Self::Phone => "phone",
            Self::Mail => "mail",
        }
    }
}

/// A value by which a member is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "(IdentityKind, KeyedHash)", into = "(IdentityKind, KeyedHash)")]
pub struct Identity {
    /// What it is.
    pub kind: IdentityKind,
    /// Of the normal form of the value.
    pub hash: KeyedHash,
}

impl From<(IdentityKind, KeyedHash)> for Identity {
    fn from((kind, hash): (IdentityKind, KeyedHash)) -> Self {
        Self { kind, hash }
    }
}

impl From<Identity> for (IdentityKind, KeyedHash) {
    fn from(Identity { kind, hash }: Identity) -> Self {
        (kind, hash)
    }
}

/// A value that members may share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "(SignalKind, KeyedHash)", into = "(SignalKind, KeyedHash)")]
pub struct Signal {
    /// What it is.
    pub kind: SignalKind,
    /// Of the normal form of the value.
    pub hash: KeyedHash,
}

impl From<(SignalKind, KeyedHash)> for Signal {
    fn from((kind, hash): (SignalKind, KeyedHash)) -> Self {
        Self { kind, hash }
    }
}

impl From<Signal> for (SignalKind, KeyedHash) {
    fn from(Signal { kind, hash }: Signal) -> Self {
        (kind, hash)
    }
}

/// How a member is reached, and whether it is known to be theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact<T> {
    /// The number or address.
    pub value: T,
    /// Whether a code that was sent there came back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub verified: bool,
}

/// How many identities a member may have: each is an item of the transaction that changes it.
pub const IDENTITIES_MAX: usize = 8;
/// How many signals a member may have, likewise.
pub const SIGNALS_MAX: usize = 20;

/// All that is kept of a person.
///
/// Stored as JSON with the names of its fields, so fields may be added anywhere, with a default.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Whose.
    pub member_id: MemberId,
    /// How often it was written; 1 once the member is enrolled. A store keeps it beside the rest.
    #[serde(skip)]
    pub version: u64,
    /// The phone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Contact<Phone>>,
    /// The mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<Contact<Mail>>,
    /// What the member reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// When to congratulate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birthday: Option<Birthday>,
    /// What the member agreed to and what not, the latest of each channel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consents: Vec<Consent>,
    /// By what the member is found. At most [`IDENTITIES_MAX`], none twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<Identity>,
    /// What others may share with the member. At most [`SIGNALS_MAX`], none twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<Signal>,
    /// What the member gives to friends.
    pub code: ReferralCode,
    /// Since when.
    pub enrolled_at: Timestamp,
    /// Where, as the shop calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<ReasonCode>,
    /// Of what was asked for at enrollment, which tells a repeat from another wish.
    pub digest: KeyedHash,
}

impl Profile {
    /// The kinds of the signals that `other` has too, however many share them.
    pub fn shared_with<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = SignalKind> + 'a {
        self.signals.iter().filter(|it| other.signals.contains(it)).map(|it| it.kind)
    }
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profile")
            .field("member_id", &self.member_id)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// A profile as it becomes, and what it takes from others or leaves to them, together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileChange {
    /// The profile, its version raised.
    pub profile: Profile,
    /// The version that was read; 0: there was none.
    pub expected: u64,
    /// Identities that become the member's, each only if it is nobody else's.
    pub take: Vec<Identity>,
    /// Identities that become free.
    pub release: Vec<Identity>,
    /// Signals that the member has from now on.
    pub add_signals: Vec<Signal>,
    /// Signals that the member has no more.
    pub drop_signals: Vec<Signal>,
    /// A code that becomes the member's, only if nobody ever had it.
    pub take_code: Option<ReferralCode>,
    /// Codes of the member that lead to nobody any more. They are kept, so that nobody gets one again.
    pub kill_codes: Vec<ReferralCode>,
}

/// What becomes of a code that its member replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldCode {
    /// It leads to nobody any more.
    Dies,
    /// It leads to its member as before.
    LivesOn,
}

impl ProfileChange {
    /// The change of `before`, which is `None` at enrollment, into `profile`, whose version is set.
    pub fn between(before: Option<&Profile>, mut profile: Profile, old_code: OldCode) -> Self {
        let expected = before.map_or(0, |it| it.version);
        profile.version = expected.saturating_add(1);
        keep_first(&mut profile.identities);
        keep_first(&mut profile.signals);
        let (had_identities, had_signals) =
            before.map_or((&[][..], &[][..]), |it| (&it.identities, &it.signals));
        let had_code = before.map(|it| &it.code).filter(|it| **it != profile.code);
        let is_taken = before.is_none() || had_code.is_some();
        Self {
            expected,
            take: without(&profile.identities, had_identities),
            release: without(had_identities, &profile.identities),
            add_signals: without(&profile.signals, had_signals),
            drop_signals: without(had_signals, &profile.signals),
            take_code: is_taken.then(|| profile.code.clone()),
            kill_codes: match old_code {
                OldCode::Dies => had_code.cloned().into_iter().collect(),
                OldCode::LivesOn => Vec::new(),
            },
            profile,
        }
    }
}

/// The first of each, in their order.
fn keep_first<T: Copy + PartialEq>(all: &mut Vec<T>) {
    let mut kept: Vec<T> = Vec::with_capacity(all.len());
    all.retain(|it| {
        let is_first = !kept.contains(it);
        kept.push(*it);
        is_first
    });
}

fn without<T: Copy + PartialEq>(all: &[T], others: &[T]) -> Vec<T> {
    all.iter().filter(|it| !others.contains(it)).copied().collect()
}

/// How saving a profile ended, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// Everything is stored.
    Now,
    /// The profile has changed since it was read, or something of it is being changed: nothing is stored.
    Raced,
    /// Somebody else has what the member wants: nothing is stored.
    Taken(Taken),
}

/// What somebody else has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// An identity of this kind.
    Identity(IdentityKind),
    /// The code, which a member has or had.
    Code,
}

/// A referral code that a member has or had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownCode {
    /// Whose.
    pub member_id: MemberId,
    /// Whether it leads to nobody any more.
    pub is_dead: bool,
}

impl KnownCode {
    /// What a code leads to of which this was `found`.
    pub fn named(found: Option<Self>) -> NamedCode {
        match found {
            None => NamedCode::Unknown,
            Some(Self { is_dead: true, .. }) => NamedCode::Dead,
            Some(Self { member_id, is_dead: false }) => NamedCode::Of(member_id),
        }
    }
}

/// A code that is to be sent to a member who becomes active by sending it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activation {
    /// Whose.
    pub member_id: MemberId,
    /// Of the code, which is itself not stored.
    pub hash: KeyedHash,
    /// When it is sent.
    pub sent_at: Timestamp,
    /// The first instant at which it is no good any more.
    pub expires_at: Timestamp,
}

/// How often codes may be sent to one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendLimits {
    /// How many seconds after the last one the next may be sent.
    pub apart_seconds_min: u32,
    /// How many may be sent within 24 hours from the first of them.
    pub sends_a_day_max: NonZeroU32,
}

/// How beginning an activation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// The code is the one that counts now, and is to be sent.
    Now,
    /// The last one was sent just before: nothing is stored.
    TooSoon {
        /// When another may be sent.
        again_at: Timestamp,
    },
    /// Too many were sent within a day: nothing is stored.
    TooMany {
        /// When another may be sent.
        again_at: Timestamp,
    },
}

/// What a try of an activation's code may be compared with, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// This: the try is counted, whatever comes of it.
    With {
        /// Of the code that was sent last.
        hash: KeyedHash,
        /// The first instant at which it is no good any more.
        expires_at: Timestamp,
        /// How many tries are left.
        attempts_left: u32,
    },
    /// Nothing: no code was sent, or it was used.
    None,
    /// Nothing: it is no good any more.
    Expired,
    /// Nothing: it was tried too often.
    TooMany,
}

/// How a guest who ordered can be recognized.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GuestContact {
    /// Of the order's mail address.
    pub mail: Option<KeyedHash>,
    /// Of the order's phone number.
    pub phone: Option<KeyedHash>,
}

/// What a try to claim a guest's order may be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestTried {
    /// This: the try is counted, whatever comes of it.
    With(GuestContact),
    /// Nothing: no contact of the order is known.
    None,
    /// Nothing: it was tried too often.
    TooMany,
}

/// A member whom another one brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Friend {
    /// Who was brought.
    pub member_id: MemberId,
    /// When that became known.
    pub at: Timestamp,
}

/// A part of a member's friends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundFriends {
    /// Friends, by id.
    pub friends: Vec<Friend>,
    /// After whom the next part begins; `None`: this was the last one.
    pub next: Option<MemberId>,
}

/// How many others one signal yields at most.
pub const LIKES_MAX: u8 = 5;

/// Who may be the same person as a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Likeness {
    /// Others, by the member's signals and then by id; at most [`LIKES_MAX`] for each signal.
    pub others: Vec<Like>,
    /// Whether a signal has more of them. Whether two certain members share one is told by
    /// [`Profile::shared_with`], which knows no limit.
    pub has_more: bool,
}

/// A member who shares a signal with another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Like {
    /// Which kind of signal.
    pub kind: SignalKind,
    /// Who.
    pub member_id: MemberId,
    /// Since when that one is a member.
    pub enrolled_at: Timestamp,
}

/// Where persons are kept.
///
/// A port of its own, beside [`Ledger`](crate::Ledger), which few functions have a right to. What it counts, it
/// counts exactly, however many ask at once: a try that is answered with something to compare was counted before.
pub trait Profiles: Sync {
    /// The profile of a member.
    fn find_profile(
        &self,
        member_id: &MemberId,
        reading: Reading,
    ) -> impl Future<Output = Result<Option<Profile>, LedgerError>> + Send;

    /// Whose `identity` is.
    fn find_identity(
        &self,
        identity: &Identity,
        reading: Reading,
    ) -> impl Future<Output = Result<Option<MemberId>, LedgerError>> + Send;

    /// Whose `code` is or was.
    fn find_code(
        &self,
        code: &ReferralCode,
        reading: Reading,
    ) -> impl Future<Output = Result<Option<KnownCode>, LedgerError>> + Send;

    /// Stores `change`, together or not at all.
    fn save_profile(
        &self,
        change: &ProfileChange,
    ) -> impl Future<Output = Result<Saved, LedgerError>> + Send;

    /// Makes the code of `activation` the one that counts, its tries not begun, if one may be sent.
    fn begin_activation(
        &self,
        activation: &Activation,
        limits: SendLimits,
    ) -> impl Future<Output = Result<Begun, LedgerError>> + Send;

    /// Counts a try at `at` of the code that was sent last, of which there may be `attempts_max`.
    fn try_activation(
        &self,
        member_id: &MemberId,
        at: Timestamp,
        attempts_max: u32,
    ) -> impl Future<Output = Result<Tried, LedgerError>> + Send;

    /// Forgets the code that was sent, and how many were.
    fn end_activation(
        &self,
        member_id: &MemberId,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Notes that `referrer` brought `friend`. Who is noted already stays as noted.
    fn add_friend(
        &self,
        referrer: &MemberId,
        friend: &Friend,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// At most `limit` friends of `referrer`, after the one called `after`.
    fn friends(
        &self,
        referrer: &MemberId,
        after: Option<&MemberId>,
        limit: u16,
    ) -> impl Future<Output = Result<FoundFriends, LedgerError>> + Send;

    /// Notes how a guest's order is claimed, in place of what was noted. Only what is new may be tried anew.
    fn put_guest_contact(
        &self,
        order_id: &OrderId,
        contact: &GuestContact,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Counts a try to claim a guest's order, of which there may be `attempts_max`.
    fn try_guest(
        &self,
        order_id: &OrderId,
        attempts_max: u32,
    ) -> impl Future<Output = Result<GuestTried, LedgerError>> + Send;

    /// Who else has a signal of the member's; nobody if there is no such member.
    fn likeness(
        &self,
        member_id: &MemberId,
        reading: Reading,
    ) -> impl Future<Output = Result<Likeness, LedgerError>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(byte: u8) -> KeyedHash {
        [byte; 32].into()
    }

    fn profile() -> Profile {
        Profile {
            member_id: "m1".try_into().unwrap(),
            version: 3,
            phone: Some(Contact { value: "+442079460958".try_into().unwrap(), verified: true }),
            mail: None,
            language: Some("en".try_into().unwrap()),
            birthday: None,
            consents: Vec::new(),
            identities: vec![(IdentityKind::Phone, hash(1)).into()],
            signals: vec![(SignalKind::Phone, hash(2)).into()],
            code: ReferralCode::of_random([1; 8]),
            enrolled_at: Timestamp::UNIX_EPOCH,
            source: None,
            digest: hash(9),
        }
    }

    #[test]
    fn a_keyed_hash_has_one_text() {
        let hash: KeyedHash = std::array::from_fn(|it| u8::try_from(it * 8).unwrap()).into();
        let text = hash.to_string();

        assert_eq!(text.len(), KeyedHash::TEXT_BYTES);
        assert_eq!(KeyedHash::try_from(text.as_str()), Ok(hash));
        assert_eq!(serde_json::to_string(&hash).unwrap(), format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<KeyedHash>(&format!("\"{text}\"")).unwrap(), hash);
        for wrong in ["", "AAAA", &format!("{text}="), &format!("{text}A"), &text.replace('A', "+")]
        {
            assert_eq!(KeyedHash::try_from(wrong), Err(InvalidKeyedHash), "{wrong}");
        }
        // The last of 43 characters has two bits that mean nothing.
        let last = format!("{}B", "A".repeat(42));
        assert_eq!(KeyedHash::try_from(last.as_str()), Err(InvalidKeyedHash));
    }

    #[test]
    fn a_profile_is_stored_as_it_was_and_without_its_version() {
        let json = serde_json::to_string(&profile()).unwrap();

        let a = hash(1).to_string();
        let b = hash(2).to_string();
        let c = hash(9).to_string();
        let code = ReferralCode::of_random([1; 8]);
        assert_eq!(
            json,
            format!(
                r#"{{"member_id":"m1","phone":{{"value":"+442079460958","verified":true}},"language":"en","identities":[["phone","{a}"]],"signals":[["phone","{b}"]],"code":"{}","enrolled_at":"1970-01-01T00:00:00Z","digest":"{c}"}}"#,
                code.as_str()
            )
        );
        let read: Profile = serde_json::from_str(&json).unwrap();
        assert_eq!(read, Profile { version: 0, ..profile() });
    }

    #[test]
    fn nothing_personal_shows_up_where_a_change_is_debugged() {
        let change = ProfileChange::between(None, profile(), OldCode::Dies);

        let shown = format!("{change:?}");

        for personal in ["7946", &hash(1).to_string(), change.profile.code.as_str(), "\"en\""] {
            assert!(!shown.contains(personal), "{shown}");
        }
        assert!(shown.contains("m1"), "{shown}");
    }

    #[test]
    fn an_enrollment_takes_all_that_it_names_and_leaves_nothing() {
        let mut twice = profile();
        twice.identities.extend_from_within(..);
        twice.signals.extend_from_within(..);

        let change = ProfileChange::between(None, twice, OldCode::Dies);

        assert_eq!(change.profile, Profile { version: 1, ..profile() });
        assert_eq!(change.expected, 0);
        assert_eq!((change.take, change.release), (profile().identities, vec![]));
        assert_eq!((change.add_signals, change.drop_signals), (profile().signals, vec![]));
        assert_eq!((change.take_code, change.kill_codes), (Some(profile().code), vec![]));
    }

    #[test]
    fn a_change_takes_what_is_new_and_leaves_what_is_gone() {
        let mut after = profile();
        let mail = Identity { kind: IdentityKind::Mail, hash: hash(1) };
        after.identities.push(mail);
        after.signals = vec![(SignalKind::Device, hash(2)).into()];
        after.code = ReferralCode::of_random([2; 8]);

        let dies = ProfileChange::between(Some(&profile()), after.clone(), OldCode::Dies);
        let lives = ProfileChange::between(Some(&profile()), after.clone(), OldCode::LivesOn);
        let same = ProfileChange::between(Some(&profile()), profile(), OldCode::Dies);

        assert_eq!((dies.expected, dies.profile.version), (3, 4));
        assert_eq!((dies.take, dies.release), (vec![mail], vec![]));
        assert_eq!((dies.add_signals, dies.drop_signals), (after.signals, profile().signals));
        assert_eq!((dies.take_code, dies.kill_codes), (Some(after.code), vec![profile().code]));
        assert_eq!(lives.kill_codes, []);
        assert_eq!((same.take_code, same.kill_codes), (None, vec![]));
        assert_eq!((same.take, same.release), (vec![], vec![]));
    }

    #[test]
    fn two_members_share_the_signals_that_are_of_one_kind_and_value() {
        let mut other = profile();
        other.signals = vec![(SignalKind::Card, hash(2)).into()];
        assert_eq!(profile().shared_with(&other).count(), 0);

        other.signals.push((SignalKind::Phone, hash(2)).into());
        assert_eq!(profile().shared_with(&other).collect::<Vec<_>>(), [SignalKind::Phone]);
    }

    #[test]
    fn kinds_have_the_words_that_they_are_stored_by() {
        for kind in IdentityKind::ALL {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.as_str()));
        }
        for kind in SignalKind::ALL {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.as_str()));
        }
    }

    #[test]
    fn a_code_leads_to_its_member_until_it_dies() {
        let known = |is_dead| Some(KnownCode { member_id: profile().member_id, is_dead });

        assert_eq!(KnownCode::named(None), NamedCode::Unknown);
        assert_eq!(KnownCode::named(known(true)), NamedCode::Dead);
        assert_eq!(KnownCode::named(known(false)), NamedCode::Of(profile().member_id));
    }
}
