//! Orders of guests: how they can be claimed, and that they are, once.

use jiff::{SignedDuration, Timestamp};
use loyalty_contracts::{
    member::{
        Claim, ClaimLink, Claimed, ContactChannel, ContactKept, GuestContact, MakeClaimLink, Proof,
    },
    problem::ProblemKind,
};
use loyalty_domain::{
    command::Request,
    event::Event,
    id::{CommandId, MemberId, OrderId},
    points::Points,
};
use loyalty_ledger::{
    Answer, Answered as Decided, Entry, Patience, Reading, execute,
    profile::{GuestContact as KeptContact, GuestTried},
    program::Programs,
};
use loyalty_runtime::{
    api::{Answered, Refused},
    secret::NoRandom,
};

use crate::handler::{Desk, Store, Unexpected, refusal, wrong_body};

/// How often mail or phone of one order may be tried, whoever tries.
const ATTEMPTS_MAX: u32 = 5;
/// For how long a link is good if nobody says.
const LINK_GOOD_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

impl<S, P, O, C, R, W, T> Desk<S, P, O, C, R, W>
where
    S: Store,
    P: Programs,
    C: Fn() -> Timestamp,
    R: Fn(&mut [u8]) -> Result<(), NoRandom>,
    W: Fn() -> T,
    T: Patience,
{
    /// Keeps how a guest's order can be claimed, whether it has come or not.
    pub(crate) async fn keep_contact(
        &self,
        order_id: &OrderId,
        body: &[u8],
    ) -> Result<Answered, Refused> {
        let GuestContact { mail, phone } = GuestContact::read(body).map_err(wrong_body)?;
        let kept = KeptContact {
            mail: mail.map(|it| self.hashes.guest_mail(order_id, &it)),
            phone: phone.map(|it| self.hashes.guest_phone(order_id, &it)),
        };
        self.door.store.put_guest_contact(order_id, &kept).await?;
        let mail = kept.mail.map(|_| ContactChannel::Mail);
        let phone = kept.phone.map(|_| ContactChannel::Phone);
        let by = mail.into_iter().chain(phone).collect();
        Answered::new(&ContactKept { order_id: order_id.clone(), by })
    }

    /// Makes a link by which a guest's order can be claimed. It is kept nowhere: it proves itself.
    pub(crate) fn make_claim_link(
        &self,
        order_id: &OrderId,
        body: &[u8],
    ) -> Result<Answered, Refused> {
        let now = self.now();
        let MakeClaimLink { expires_at } = MakeClaimLink::read(body, now).map_err(wrong_body)?;
        let expires_at = match expires_at {
            Some(expires_at) => expires_at,
            None => now
                .checked_add(LINK_GOOD_FOR)
                .map_err(|error| Refused::because(ProblemKind::Internal, error))?,
        };
        // To the second, as the token has it.
        let expires_at = Timestamp::from_second(expires_at.as_second()).unwrap_or(expires_at);
        let token = self.hashes.claim_token(order_id, expires_at);
        Answered::new(&ClaimLink { token, expires_at })
    }

    /// Gives a member an order that they placed as a guest.
    pub(crate) async fn claim(
        &self,
        member_id: &MemberId,
        body: &[u8],
    ) -> Result<Answered, Refused> {
        let Claim { order_id, proof } = Claim::read(body).map_err(wrong_body)?;
        let ids = [CommandId::Order(order_id.clone()), CommandId::Claim(order_id.clone())];
        let entries = self.door.store.find_entries(&ids, Reading::Newest).await?;
        let is_own = |it: &Entry| it.member_id.as_ref() == Some(member_id);
        // The answer to the first request was lost. It needs no proof, and must not use up attempts.
        let claim = entries.iter().find(|it| matches!(it.id, CommandId::Claim(_)));
        if let Some(claim) = claim.filter(|it| is_own(it)) {
            return claimed(&order_id, member_id, claim);
        }
        self.check_proof(&order_id, &proof).await?;
        let order = entries.iter().find(|it| matches!(it.id, CommandId::Order(_)));
        let order = order.ok_or(ProblemKind::OrderNotFound)?;
        if order.member_id.is_some() || claim.is_some() {
            return Err(ProblemKind::OrderTaken.into());
        }
        let request = Request::claim_order(order_id.clone(), order.sent_at, member_id.clone());
        // It earns what it would have earned on its day.
        let program = self.program_at(order.sent_at).await?;
        let mut patience = (self.door.patience)();
        match execute(&self.door.store, &program, &mut patience, &request).await? {
            Decided::Now(entry) | Decided::Before(entry) => claimed(&order_id, member_id, &entry),
            Decided::Reused(_) => Err(ProblemKind::OrderTaken.into()),
            Decided::Declined(rejection) => Err(refusal(&rejection)),
            Decided::Taken(_) | Decided::Idle => {
                Err(Refused::because(ProblemKind::Internal, Unexpected))
            }
        }
    }

    /// Sees that `proof` proves that `order_id` is the caller's. A try is counted before anything is compared.
    async fn check_proof(&self, order_id: &OrderId, proof: &Proof) -> Result<(), Refused> {
        if let Proof::Token(token) = proof {
            let is_proven = self.hashes.is_claim_token(order_id, token, self.now());
            return if is_proven { Ok(()) } else { Err(ProblemKind::ClaimNotProven.into()) };
        }
        let kept = match self.door.store.try_guest(order_id, ATTEMPTS_MAX).await? {
            GuestTried::With(kept) => kept,
            GuestTried::None => return Err(ProblemKind::ClaimNotProven.into()),
            GuestTried::TooMany => return Err(ProblemKind::ClaimAttemptsUsedUp.into()),
        };
        let is_proven = match proof {
            Proof::Mail(mail) => kept.mail == Some(self.hashes.guest_mail(order_id, mail)),
            Proof::Phone(phone) => kept.phone == Some(self.hashes.guest_phone(order_id, phone)),
            Proof::Token(_) => false,
        };
        if is_proven { Ok(()) } else { Err(ProblemKind::ClaimNotProven.into()) }
    }
}

fn claimed(order_id: &OrderId, member_id: &MemberId, entry: &Entry) -> Result<Answered, Refused> {
    let Answer::Accepted(events) = &entry.answer else {
        return Err(Refused::because(ProblemKind::Internal, Unexpected));
    };
    let mut points = Points::ZERO;
    for event in events {
        if let Event::Earned(earned) = event {
            points = points.plus(earned.order.points)?;
        }
    }
    let (order_id, member_id) = (order_id.clone(), member_id.clone());
    Answered::new(&Claimed { order_id, member_id, points: points.get() })
}
