//! Points that pay for orders: what they would pay, and their holds.

use jiff::Timestamp;
use loyalty_contracts::{
    body::Mistake,
    checkout::{
        AskQuote, CapturePoints, HeldEntry, HeldPoints, HoldPoints, QuotedPoints, ReleasePoints,
    },
    problem::ProblemKind,
    refund::{PreviewRefund, RefundPreview},
};
use loyalty_domain::{
    checkout::{CheckoutEvent, NewHold, quote},
    command::Request,
    due,
    event::Event,
    id::HoldId,
};
use loyalty_ledger::{Answer, Patience, Preview, Reading, preview, program::Programs};
use loyalty_runtime::api::{
    Answered, Asked, Refused,
    caller::Caller,
    respond::{refusal, wrong, wrong_body},
    write::shown,
};

use crate::{
    handler::{Door, Store},
    route::Operation,
};

/// An entry of a hold does not say that anything is held: a bug of ours.
const NOTHING_HELD: &str = "the entry of a hold does not say what is held";

impl<S, P, C, W, T> Door<S, P, C, W>
where
    S: Store,
    P: Programs,
    C: Fn() -> Timestamp,
    W: Fn() -> T,
    T: Patience,
{
    /// Says what points would pay of an order now. Nothing is written, and nothing promised.
    pub(crate) async fn quote(&self, asked: &Asked<'_, Operation>) -> Result<Answered, Refused> {
        let AskQuote { total_minor, currency, points } =
            AskQuote::read(&asked.body).map_err(wrong_body)?;
        let at = self.writer.now();
        let program = self.writer.program_at(at).await?;
        let known = self.writer.store.find_account(asked.member()?, Reading::Cheap).await?;
        let account = known.map(|it| it.account).unwrap_or_default();
        // What fell due by now has happened, whether or not anybody has recorded it.
        let at = account.clock.map_or(at, |it| it.max(at));
        let (account, _) = due::bring_to(&program, account, at)?;
        let available = account.available()?;
        let quoted = quote(&program, available, total_minor, currency, points);
        let quoted = quoted.map_err(|rejection| refusal(&rejection))?;
        Answered::new(&QuotedPoints::of(&quoted, currency, available))
    }

    /// Holds points of a member, and shows the hold with its entry.
    pub(crate) async fn hold(&self, asked: &Asked<'_, Operation>) -> Result<Answered, Refused> {
        let HoldPoints { total_minor: total, currency, points, minutes } =
            HoldPoints::read(&asked.body).map_err(wrong_body)?;
        let (member, at) = (asked.member()?.clone(), self.writer.now());
        let new = NewHold { total, currency, points, minutes };
        let request = Request::hold(asked.client()?, asked.key()?, member, at, new);
        let entry = self.writer.decide(&request).await?;
        let Answer::Accepted(events) = &entry.answer else {
            return Err(Refused::because(ProblemKind::Internal, NOTHING_HELD));
        };
        let held = events.iter().find_map(|event| {
            let Event::Checkout(event) = event else { return None };
            if let CheckoutEvent::Held(hold) = &**event { Some(hold) } else { None }
        });
        let held = held.ok_or_else(|| Refused::because(ProblemKind::Internal, NOTHING_HELD))?;
        Answered::new(&HeldEntry { hold: HeldPoints::of(held)?, entry: shown(&entry)? })
    }

    /// Uses points that are held, and shows the entry.
    pub(crate) async fn capture(&self, asked: &Asked<'_, Operation>) -> Result<Answered, Refused> {
        let CapturePoints { points } = CapturePoints::read(&asked.body).map_err(wrong_body)?;
        let (member, at) = (asked.member()?.clone(), self.writer.now());
        let (client, key, hold) = (asked.client()?, asked.key()?, asked.other::<HoldId>()?);
        let request = Request::capture(client, key, member, at, hold, points);
        Answered::new(&shown(&*self.writer.decide(&request).await?)?)
    }

    /// Lets points go that are held, and those that were captured if the shop says so, and shows the entry.
    pub(crate) async fn release(&self, asked: &Asked<'_, Operation>) -> Result<Answered, Refused> {
        let ReleasePoints { with_captured } =
            ReleasePoints::read(&asked.body).map_err(wrong_body)?;
        // A member has paid with them.
        if with_captured && matches!(asked.caller, Caller::Member(_)) {
            let expected = "nothing, or false: only a service or staff undo a capture".to_owned();
            let mistake = Mistake { path: "with_captured".to_owned(), expected };
            return Err(wrong(ProblemKind::InvalidBody, &[mistake]));
        }
        let (member, at) = (asked.member()?.clone(), self.writer.now());
        let (client, key, hold) = (asked.client()?, asked.key()?, asked.other::<HoldId>()?);
        let request = Request::release(client, key, member, at, hold);
        let request = if with_captured { request.with_captured() } else { request };
        Answered::new(&shown(&*self.writer.decide(&request).await?)?)
    }

    /// Says what a refund would do now. It is decided as the refund would be, and nothing is written.
    pub(crate) async fn preview_refund(
        &self,
        asked: &Asked<'_, Operation>,
    ) -> Result<Answered, Refused> {
        let refund = PreviewRefund::read(&asked.body).map_err(wrong_body)?;
        let request = refund.clone().into_request(self.writer.now());
        let program = self.writer.program_at(request.at).await?;
        let (is_new, entry) = match preview(&self.writer.store, &program, &request).await? {
            Preview::Would(entry) => (true, entry),
            Preview::Before(entry) => (false, entry),
            // A refund that was sent says when, which a preview does not.
            Preview::Reused(entry) => {
                let sent = refund.into_request(entry.sent_at);
                if sent.fingerprint() != entry.fingerprint {
                    return Err(ProblemKind::RequestKeyReused.into());
                }
                (false, entry)
            }
        };
        match &entry.answer {
            Answer::Accepted(_) => Answered::new(&RefundPreview { is_new, entry: shown(&entry)? }),
            Answer::Refused(rejection) => Err(refusal(rejection)),
            // It would wait for its order, of which nothing is known yet.
            Answer::Waiting(_) => Err(ProblemKind::OrderNotFound.into()),
        }
    }
}
