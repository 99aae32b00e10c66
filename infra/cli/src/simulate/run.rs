//! One program's run: events go through the ledger in memory, and accounts come out.

use std::{
    collections::HashMap,
    io::{self, Write},
    sync::Arc,
};

use jiff::{Timestamp, civil::Date};
use loyalty_domain::{
    account::{Account, Balance, Measure},
    calendar::Month,
    checkout::{CheckoutEvent, NewHold},
    command::{Command, Correction, Request},
    decide::Rejection,
    due,
    event::Event,
    id::{ClientId, CommandId, MemberId, OrderId, RequestKey},
    money::Minor,
    order::{Content, Order},
    points::{OutOfRange, Points},
    program::{Activation, Program},
    tier,
};
use loyalty_ledger::{
    Answer, Answered, Attempts, Entry, LedgerError,
    due::{DueWork, post_due},
    execute,
    memory::MemoryLedger,
};

use super::friends::{Codes, Friends, Outcome};

/// A program, its ledger, and what became of the events.
pub(crate) struct Run {
    pub(crate) program: Program,
    /// What it is called in reports.
    pub(crate) title: String,
    ledger: MemoryLedger,
    pub(crate) tally: Tally,
    /// Events from this instant on are left out.
    until: Option<Timestamp>,
    latest: Option<Timestamp>,
    nights: Nights,
    friends: Friends,
    /// Whether members pay with all points that they can.
    pays_with_points: bool,
    /// What points paid of which orders, where it was made up here.
    paid: HashMap<OrderId, Minor>,
}

/// Whether what falls due is posted day by day, as the deployed jobs do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nights {
    /// It is part of whatever entry comes next, and of the report.
    None,
    /// Every night up to this day was; `None` before the first event.
    Until(Option<Date>),
}

/// What became of events, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Orders that took effect.
    pub(crate) orders: u64,
    /// Balances that were brought.
    pub(crate) openings: u64,
    /// Refunds, cancellations and changes that took effect.
    pub(crate) corrections: u64,
    /// Refunds and the like that came before their order.
    pub(crate) waiting: u64,
    /// Events that were answered before.
    pub(crate) repeated: u64,
    /// Events under an id that another one had, each with its line.
    pub(crate) reused: Vec<(u64, String)>,
    /// Events that were refused, each with its line and reason.
    pub(crate) refused: Vec<(u64, String)>,
    /// Events at or after the day to which accounts are brought.
    pub(crate) left_out: u64,
}

/// A member as of a day.
pub(crate) struct Member {
    pub(crate) id: MemberId,
    pub(crate) account: Account,
    pub(crate) rank: usize,
    pub(crate) balance: Balance,
    pub(crate) qualifying: Measure,
}

impl Run {
    /// A run that leaves out what happens on `as_of` or later.
    pub(crate) fn new(
        program: Program,
        as_of: Option<Date>,
        nights: Nights,
        codes: Codes,
    ) -> Result<Self, OutOfRange> {
        let until = as_of.map(|day| program.calendar().midnight(day)).transpose()?;
        let title = format!("{} (version {})", program.spec().name, program.spec().version);
        let (ledger, tally) = (MemoryLedger::default(), Tally::default());
        for (code, member_id) in &codes {
            ledger.give_code(code.clone(), member_id.clone());
        }
        let friends = Friends::new(codes);
        let (latest, pays_with_points) = (None, false);
        let paid = HashMap::new();
        Ok(Self {
            program,
            title,
            ledger,
            tally,
            until,
            latest,
            nights,
            friends,
            pays_with_points,
            paid,
        })
    }

    /// The same, in which members pay each order with as many points as the program lets them.
    pub(crate) fn paid_with_points(self) -> Self {
        Self { pays_with_points: true, ..self }
    }

    /// The day after the last event that was taken.
    pub(crate) fn day_after(&self) -> Option<Date> {
        self.program.calendar().day_of(self.latest?).tomorrow().ok()
    }

    /// Lets the event that begins on `line` take effect.
    pub(crate) fn take(&mut self, line: u64, request: &Request) -> Result<(), LedgerError> {
        if self.until.is_some_and(|until| request.at >= until) {
            self.tally.left_out += 1;
            return Ok(());
        }
        self.latest = self.latest.max(Some(request.at));
        self.post_nights(self.program.calendar().day_of(request.at))?;
        self.settle(request.at)?;
        for member_id in self.friends.join(request) {
            self.execute(&Request::enroll(member_id.clone(), request.at, None))?;
            if self.program.spec().enrollment.activation == Activation::Code {
                self.execute(&Request::activate(member_id, request.at))?;
            }
        }
        let with_points = self.with_points(request)?;
        let request = with_points.as_ref().unwrap_or(request);
        match self.execute(request)? {
            Answered::Now(entry) => self.count(line, request, &entry),
            Answered::Declined(rejection) => self.refuse(line, &request.id, &rejection),
            // Nothing is kept beside a ledger in memory that somebody else could have.
            Answered::Before(_) | Answered::Idle | Answered::Taken(_) => self.tally.repeated += 1,
            Answered::Reused(entry) => {
                self.tally.reused.push((line, reused(&entry.id)));
            }
        }
        // An order that was not taken leaves nothing held.
        match with_points.as_ref().map(|it| &it.command) {
            Some(Command::PayOrder(order)) => self.let_go(order, request.at),
            Some(_) | None => Ok(()),
        }
    }

    /// Lets what is held for `order` go, if anything is.
    fn let_go(&mut self, order: &Order, at: Timestamp) -> Result<(), LedgerError> {
        let (Some(member_id), Some(hold)) = (order.member_id.clone(), order.points_hold) else {
            return Ok(());
        };
        let account = self.ledger.account(&member_id);
        if account.is_none_or(|it| it.hold(hold).is_none()) {
            return Ok(());
        }
        let key = RequestKey::try_from(order.order_id.as_str());
        let (Ok(client), Ok(key)) = (ClientId::try_from("simulate"), key) else { return Ok(()) };
        self.execute(&Request::release(client, key, member_id, at, hold)).map(drop)
    }

    fn execute(&mut self, request: &Request) -> Result<Answered, LedgerError> {
        let answered =
            pollster::block_on(execute(&self.ledger, &self.program, &mut Attempts(1), request))?;
        if let Answered::Now(entry) = &answered {
            self.friends.note(entry);
        }
        Ok(answered)
    }

    /// The order of `request` with as many points as can pay it, which are held first as by a checkout; `None` where
    /// none do, or nobody asked for it.
    fn with_points(&mut self, request: &Request) -> Result<Option<Request>, LedgerError> {
        if let Command::CorrectOrder { order_id, correction: Correction::Content(content), .. } =
            &request.command
            && content.paid_with_points.is_zero()
            && let Some(paid) = self.paid.get(order_id)
        {
            // The shop's edit knows nothing of these points, and does not give them back.
            let mut request = request.clone();
            let total = total(content)?;
            if let Command::CorrectOrder { correction: Correction::Content(content), .. } =
                &mut request.command
            {
                content.paid_with_points = (*paid).min(total);
            }
            return Ok(Some(request));
        }
        let Command::PayOrder(order) = &request.command else { return Ok(None) };
        let says_so = order.points_hold.is_some() || !order.content.paid_with_points.is_zero();
        let Some(member_id) = order.member_id.clone().filter(|_| self.pays_with_points && !says_so)
        else {
            return Ok(None);
        };
        let total = total(&order.content)?;
        // One hold an order, however often its event comes.
        let key = RequestKey::try_from(order.order_id.as_str());
        let (Ok(client), Ok(key)) = (ClientId::try_from("simulate"), key) else { return Ok(None) };
        let new = NewHold { total, currency: order.currency, points: None, minutes: None };
        let hold = Request::hold(client, key, member_id, request.at, new);
        let (Answered::Now(entry) | Answered::Before(entry)) = self.execute(&hold)? else {
            return Ok(None);
        };
        let Answer::Accepted(events) = &entry.answer else { return Ok(None) };
        let held = events.iter().find_map(|event| {
            let Event::Checkout(event) = event else { return None };
            if let CheckoutEvent::Held(hold) = &**event { Some(hold) } else { None }
        });
        let Some(held) = held else { return Ok(None) };
        let mut order = order.clone();
        self.paid.insert(order.order_id.clone(), held.amount);
        order.content.paid_with_points = held.amount;
        order.points_hold = Some(held.id);
        Ok(Some(Request { command: Command::PayOrder(order), ..request.clone() }))
    }

    /// Looks into every referral at the instant at which it is due, up to and including `until`.
    fn settle(&mut self, until: Timestamp) -> Result<(), LedgerError> {
        while let Some((at, friend)) = self.friends.next_due(until) {
            self.execute(&Request::settle_referral(friend, at))?;
        }
        Ok(())
    }

    /// Lets everything happen that is due by the first instant of `as_of` and has an entry of its own.
    pub(crate) fn end(&mut self, as_of: Date) -> Result<(), LedgerError> {
        self.post_nights(as_of)?;
        self.settle(self.program.calendar().midnight(as_of)?)
    }

    /// Posts what fell due by each day that begins up to `day`, one night after the other.
    pub(crate) fn post_nights(&mut self, day: Date) -> Result<(), LedgerError> {
        let Nights::Until(posted) = &mut self.nights else { return Ok(()) };
        // Nothing falls due before the first event.
        let mut night = posted.unwrap_or(day);
        *posted = Some(night.max(day));
        while night < day {
            night = night.tomorrow().map_err(|_| OutOfRange)?;
            let at = self.program.calendar().midnight(night)?;
            self.settle(at)?;
            for shard in 0..self.ledger.shards() {
                let due = self.ledger.due_members(shard, night, None, u16::MAX);
                // Of more than a page, the rest are found by the next night.
                for member_id in pollster::block_on(due)?.members {
                    let request = post_due(member_id, night, at);
                    self.execute(&request)?;
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, line: u64, request: &Request, entry: &Entry) {
        match (&entry.answer, &request.command) {
            (Answer::Refused(rejection), _) => self.refuse(line, &entry.id, rejection),
            (Answer::Waiting(_), _) => self.tally.waiting += 1,
            (Answer::Accepted(_), Command::PayOrder(_)) => self.tally.orders += 1,
            (Answer::Accepted(_), Command::OpenAccount { .. }) => self.tally.openings += 1,
            (Answer::Accepted(_), _) => self.tally.corrections += 1,
        }
    }

    fn refuse(&mut self, line: u64, id: &CommandId, rejection: &Rejection) {
        self.tally.refused.push((line, refusal(id, rejection)));
    }

    /// Every member, brought to the first instant of `as_of`, sorted by id as text.
    pub(crate) fn members(&self, as_of: Date) -> Result<Vec<Member>, OutOfRange> {
        let at = self.program.calendar().midnight(as_of)?;
        let window = self.program.spec().tiers.window;
        self.ledger
            .accounts()
            .into_iter()
            .map(|(id, account)| {
                let (account, _) = due::bring_to(&self.program, account, at)?;
                Ok(Member {
                    id,
                    rank: tier::rank(&self.program, &account),
                    balance: account.balance()?,
                    qualifying: account.progress.measured(window, Month::of(as_of))?,
                    account,
                })
            })
            .collect()
    }

    /// How many refunds and the like still wait for their order.
    pub(crate) fn still_waiting(&self) -> usize {
        self.ledger.waiting()
    }

    /// Every entry, in the order in which they were added.
    pub(crate) fn entries(&self) -> Vec<Arc<Entry>> {
        self.ledger.entries()
    }
}

/// What an order comes to, before anything pays it.
fn total(content: &Content) -> Result<Minor, OutOfRange> {
    let mut total = content.shipping.plus(content.tax)?;
    for line in &content.lines {
        total = total.plus(line.amount.minus_or_zero(line.discounts))?;
    }
    Ok(total.minus_or_zero(content.discounts))
}

/// Why a rule refused what is under `id`, and what would mend it.
pub(crate) fn refusal(id: &CommandId, rejection: &Rejection) -> String {
    let mut what = format!("{}: {rejection}", named(id));
    if let Rejection::CurrencyNotInProgram { currency } = rejection {
        what.push_str(&format!("; add `{currency}` to its [rates]"));
    }
    what
}

/// What is wrong with an event whose `id` another one has.
pub(crate) fn reused(id: &CommandId) -> String {
    format!("{} had other content before, which stands", named(id))
}

/// What an id stands for, in words.
pub(crate) fn named(id: &CommandId) -> String {
    match id {
        CommandId::Order(order) => format!("order {order}"),
        CommandId::Refund(order, refund) => format!("refund {refund} of order {order}"),
        CommandId::Change(order, change) => format!("change {change} of order {order}"),
        CommandId::Cancel(order) => format!("the cancellation of order {order}"),
        CommandId::Opening(member) => format!("the opening balance of member {member}"),
        CommandId::Enrollment(member) => format!("the enrollment of member {member}"),
        CommandId::Activation(member) => format!("the activation of member {member}"),
        CommandId::Referral(friend)
        | CommandId::ReferralReward(friend)
        | CommandId::ReferralRevoked(friend) => format!("the referral of member {friend}"),
        CommandId::Claim(order) => format!("the claim of order {order}"),
        CommandId::Redemption(member, redemption)
        | CommandId::RedemptionStep(member, redemption, _) => {
            format!("redemption {redemption} of member {member}")
        }
        CommandId::Counterpart(..)
        | CommandId::Request { .. }
        | CommandId::Due(..)
        | CommandId::Activity(..)
        | CommandId::Task(..)
        | CommandId::Measured(..)
        | CommandId::Version(_) => id.to_string(),
    }
}

/// The columns of [`write_members`].
const COLUMNS: &str = "member_id,tier,available,pending,debt,earned,clawed_back,expired,\
                       tier_valid_through,qualifying_spend_minor,qualifying_orders";

/// One more column, where codes were named: points for referrals, less what was taken back.
const REFERRAL_COLUMN: &str = ",referral_points";

/// Writes members as CSV by RFC 4180, with what they got for referrals if there is any `outcome` of these.
pub(crate) fn write_members(
    out: &mut dyn Write,
    program: &Program,
    members: &[Member],
    outcome: Option<&Outcome>,
) -> io::Result<()> {
    let more = outcome.map_or("", |_| REFERRAL_COLUMN);
    write!(out, "{COLUMNS}{more}\r\n")?;
    for member in members {
        let level = program.levels().get(member.rank).map_or("", |it| it.id.as_str());
        let totals = member.account.totals;
        write!(out, "{},{},", Field(member.id.as_str()), Field(level))?;
        let points = [
            member.balance.available,
            member.balance.pending,
            member.balance.debt,
            totals.earned,
            totals.clawed_back,
            totals.expired,
        ];
        for it in points {
            write!(out, "{it},")?;
        }
        if let Some(day) = member.account.tier.valid_through {
            write!(out, "{day}")?;
        }
        write!(out, ",{},{}", member.qualifying.spend.minor(), member.qualifying.orders)?;
        if let Some(outcome) = outcome {
            write!(out, ",{}", outcome.by_member.get(&member.id).copied().unwrap_or(0))?;
        }
        out.write_all(b"\r\n")?;
    }
    Ok(())
}

/// A field of a CSV file, in quotes where it needs them.
pub(crate) struct Field<'a>(pub(crate) &'a str);

impl std::fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.contains(['"', ',', '\r', '\n']) {
            write!(f, "\"{}\"", self.0.replace('"', "\"\""))
        } else {
            f.write_str(self.0)
        }
    }
}

/// Sums over all members.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums {
    pub(crate) members_by_rank: Vec<u64>,
    pub(crate) earned: u128,
    pub(crate) clawed_back: u128,
    pub(crate) expired: u128,
    /// Points that were used, and what of them was given back.
    pub(crate) spent: u128,
    pub(crate) given_back: u128,
    /// Points brought from another system, and what was owed there.
    pub(crate) brought: u128,
    pub(crate) brought_debt: u128,
    pub(crate) outstanding: u128,
    pub(crate) debt: u128,
    /// What orders came to, less refunds, in minor units of the program's currency.
    pub(crate) revenue_minor: u128,
}

impl Sums {
    pub(crate) fn of(program: &Program, members: &[Member]) -> Self {
        let mut sums = Self { members_by_rank: vec![0; program.levels().len()], ..Self::default() };
        let add = |sum: &mut u128, points: Points| *sum = sum.saturating_add(points.get().into());
        for member in members {
            if let Some(count) = sums.members_by_rank.get_mut(member.rank) {
                *count += 1;
            }
            add(&mut sums.earned, member.account.totals.earned);
            add(&mut sums.clawed_back, member.account.totals.clawed_back);
            add(&mut sums.expired, member.account.totals.expired);
            add(&mut sums.spent, member.account.totals.spent);
            add(&mut sums.given_back, member.account.totals.given_back);
            add(&mut sums.brought, member.account.totals.adjusted.up);
            add(&mut sums.brought_debt, member.account.totals.adjusted.down);
            add(&mut sums.outstanding, member.balance.available);
            add(&mut sums.outstanding, member.balance.pending);
            add(&mut sums.debt, member.balance.debt);
            let revenue = member.account.progress.lifetime.spend.minor();
            sums.revenue_minor = sums.revenue_minor.saturating_add(revenue);
        }
        sums
    }
}
