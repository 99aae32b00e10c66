//! What of a person is kept to be found by: hashes under a key, each of a normal form and of a kind of its own.

use jiff::Timestamp;
use loyalty_contracts::member::{ActivationCode, Enroll, ExternalId, Lookup, Signals};
use loyalty_domain::{
    code::ReferralCode,
    contact::{Language, Mail, Phone},
    id::{MemberId, OrderId, ReasonCode},
    referral::SignalKind,
};
use loyalty_ledger::profile::{Identity, IdentityKind, KeyedHash, Signal};
use loyalty_runtime::secret::HashKey;

/// Makes all hashes that are kept, so that nobody can make one otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Hashes(pub(crate) HashKey);

impl Hashes {
    fn identity(&self, kind: IdentityKind, value: &str) -> Identity {
        let of = format!("identity.{}", kind.as_str());
        Identity { kind, hash: self.0.hash(&of, &[value]).into() }
    }

    pub(crate) fn customer(&self, id: &ExternalId) -> Identity {
        self.identity(IdentityKind::Customer, id.as_str())
    }

    /// Cards are read aloud and typed in groups.
    pub(crate) fn card(&self, number: &ExternalId) -> Identity {
        let plain = number.as_str().chars().filter(|it| !it.is_whitespace() && *it != '-');
        self.identity(IdentityKind::Card, &plain.collect::<String>().to_uppercase())
    }

    pub(crate) fn phone(&self, phone: &Phone) -> Identity {
        self.identity(IdentityKind::Phone, phone.as_str())
    }

    pub(crate) fn mail(&self, mail: &Mail) -> Identity {
        self.identity(IdentityKind::Mail, &mail.normalized())
    }

    /// The identity that is looked for; `None` if it is a code.
    pub(crate) fn looked_for(&self, lookup: &Lookup) -> Option<Identity> {
        match lookup {
            Lookup::Customer(id) => Some(self.customer(id)),
            Lookup::Card(number) => Some(self.card(number)),
            Lookup::Phone(phone) => Some(self.phone(phone)),
            Lookup::Mail(mail) => Some(self.mail(mail)),
            Lookup::Code(_) => None,
        }
    }

    /// A sign of a text, which people write with other spaces and in other case each time.
    pub(crate) fn signal(&self, kind: SignalKind, text: &str) -> Signal {
        let words: Vec<&str> = text.split_whitespace().collect();
        let of = format!("signal.{}", kind.as_str());
        Signal { kind, hash: self.0.hash(&of, &[&words.join(" ").to_lowercase()]).into() }
    }

    /// The signs that are said, and the member's own phone.
    pub(crate) fn signals(&self, said: &Signals, own: Option<&Phone>) -> Vec<Signal> {
        let phones = own.into_iter().chain(&said.phone).map(|it| (SignalKind::Phone, it.as_str()));
        let named = |kind, all: &'_ [ExternalId]| -> Vec<Signal> {
            all.iter().map(|it| self.signal(kind, it.as_str())).collect()
        };
        let mut signals: Vec<Signal> = phones.map(|(kind, it)| self.signal(kind, it)).collect();
        signals.extend(named(SignalKind::Card, &said.card));
        signals.extend(named(SignalKind::Device, &said.device));
        signals.extend(named(SignalKind::Address, &said.address));
        signals
    }

    /// Of all that an enrollment says, but for who says it.
    pub(crate) fn enrollment(&self, member_id: &MemberId, said: &Enroll) -> KeyedHash {
        let mut parts: Vec<String> = vec![member_id.as_str().to_owned()];
        let mut part = |name: &str, value: Option<&str>| {
            parts.extend(value.map(|it| format!("{name}={it}")));
        };
        part("customer_id", said.customer_id.as_ref().map(ExternalId::as_str));
        part("card", said.card.as_ref().map(ExternalId::as_str));
        part("phone", said.phone.as_ref().map(Phone::as_str));
        part("mail", said.mail.as_ref().map(Mail::as_str));
        part("language", said.language.as_ref().map(Language::as_str));
        let birthday = said.birthday.map(|it| (it.year(), it.month(), it.day()));
        part("birthday", birthday.map(|it| format!("{it:?}")).as_deref());
        part("referral_code", said.referral_code.as_ref().map(ReferralCode::as_str));
        part("source", said.source.as_ref().map(ReasonCode::as_str));
        for it in &said.consents {
            let (channel, granted, at) = (it.channel.as_str(), it.granted, it.at);
            part("consent", Some(&format!("{channel} {granted} {at} {}", it.source.as_str())));
        }
        let signals = &said.signals;
        signals.phone.iter().for_each(|it| part("signals.phone", Some(it.as_str())));
        signals.card.iter().for_each(|it| part("signals.card", Some(it.as_str())));
        signals.device.iter().for_each(|it| part("signals.device", Some(it.as_str())));
        signals.address.iter().for_each(|it| part("signals.address", Some(it.as_str())));
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        self.0.hash("enrollment", &parts).into()
    }

    /// Of a code that was sent to `contact`. Another contact has another hash: a code proves that one only.
    pub(crate) fn activation(
        &self,
        member_id: &MemberId,
        contact: &str,
        code: &ActivationCode,
    ) -> KeyedHash {
        self.0.hash(ACTIVATION, &[member_id.as_str(), contact, code.as_str()]).into()
    }

    /// Whether `hash` is that of `code`, sent to `contact`.
    pub(crate) fn is_activation(
        &self,
        member_id: &MemberId,
        contact: &str,
        code: &ActivationCode,
        hash: &KeyedHash,
    ) -> bool {
        let parts = [member_id.as_str(), contact, code.as_str()];
        self.0.is_hash(ACTIVATION, &parts, hash.as_bytes())
    }

    /// Of the mail address of a guest's order.
    pub(crate) fn guest_mail(&self, order_id: &OrderId, mail: &Mail) -> KeyedHash {
        self.0.hash("guest.mail", &[order_id.as_str(), &mail.normalized()]).into()
    }

    /// Of the phone number of a guest's order.
    pub(crate) fn guest_phone(&self, order_id: &OrderId, phone: &Phone) -> KeyedHash {
        self.0.hash("guest.phone", &[order_id.as_str(), phone.as_str()]).into()
    }

    /// The token of a link that proves whose `order_id` is until `expires_at`, to the second.
    pub(crate) fn claim_token(&self, order_id: &OrderId, expires_at: Timestamp) -> String {
        let second = expires_at.as_second().to_string();
        let hash = KeyedHash::from(self.0.hash(CLAIM, &[order_id.as_str(), &second]));
        format!("{second}.{hash}")
    }

    /// Whether `token` is that of a link to `order_id` that is good at `at`.
    pub(crate) fn is_claim_token(&self, order_id: &OrderId, token: &str, at: Timestamp) -> bool {
        let Some((second, hash)) = token.split_once('.') else { return false };
        let expires_at = second.parse().ok().and_then(|it| Timestamp::from_second(it).ok());
        let (Some(expires_at), Ok(hash)) = (expires_at, KeyedHash::try_from(hash)) else {
            return false;
        };
        let parts = [order_id.as_str(), second];
        at < expires_at && self.0.is_hash(CLAIM, &parts, hash.as_bytes())
    }
}

const ACTIVATION: &str = "activation";
const CLAIM: &str = "claim";
