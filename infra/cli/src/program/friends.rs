//! What a program says of joining and of bringing friends, in plain sentences, with examples that the rules
//! themselves work out.

use std::fmt;

use jiff::{Timestamp, civil::Date};
use loyalty_domain::{
    account::Account,
    command::Request,
    decide::{Decision, Known, Second, decide},
    event::{Becomes, Event, GrantReason, Granted, ReferralEvent},
    id::{MemberId, OrderId},
    money::Minor,
    order::Order,
    points::{OutOfRange, Points},
    program::{Activation, OldCodes, Program, ReferralSpec},
    referral::{NamedCode, SignalKind},
};

use super::explain::{
    ExampleError, example_order, grouped, joined, money, money_of, period_of, plural, points,
    section, sentence, write_rows,
};

/// How many friends of one member are worked out at most.
const FRIENDS_MAX: u32 = 60;

/// What becomes of whoever joins.
pub(super) fn write_joining(program: &Program, out: &mut String) -> fmt::Result {
    let enrollment = &program.spec().enrollment;
    section(out, "Joining")?;
    match enrollment.activation {
        Activation::Code => {
            sentence(
                out,
                "Whoever joins is a member once a code that is sent to them comes back.",
            )?;
            sentence(out, "Until then they earn points, and cannot use them.")?;
        }
        Activation::None => sentence(out, "Whoever joins is a member at once.")?,
    }
    if enrollment.points.is_none() && enrollment.level.is_none() {
        return sentence(out, "Nothing is given for it.");
    }
    let joined = match Somebody::joins(program, MEMBER, None) {
        Ok(joined) => joined,
        Err(error) => return sentence(out, &format!("Nobody can join: {error}.")),
    };
    let day = program.spec().effective;
    for event in joined.events {
        if let Event::Granted(granted) = event {
            let given = points(granted.share.points);
            let usable = usable(&granted);
            sentence(out, &format!("Whoever becomes a member on {day} gets {given}, {usable}."))?;
        } else if let Event::LevelReached { level, valid_through, .. } = event {
            let level = program.levels().iter().find(|it| it.id == level);
            let name = level.map_or("a level", |it| it.name.as_str());
            sentence(
                out,
                &format!(
                    "They begin with {name}, through {valid_through}, as if they had reached it."
                ),
            )?;
        }
    }
    Ok(())
}

fn usable(granted: &Granted) -> String {
    match granted.becomes {
        Becomes::Available { .. } => {
            format!("which can be used through {}", granted.share.lot.given)
        }
        Becomes::Pending | Becomes::Expired | Becomes::Unclaimed => "which are gone".to_owned(),
    }
}

/// What members get for bringing friends.
pub(super) fn write_friends(program: &Program, out: &mut String) -> fmt::Result {
    section(out, "Bringing friends")?;
    let Some(spec) = &program.spec().referral else {
        return sentence(out, "Nothing is given for it.");
    };
    sentence(
        out,
        "A friend names the code of whoever brings them: when they join, or with their first order.",
    )?;
    sentence(
        out,
        "Nobody brings themselves, a customer, somebody who was brought, or whoever brought them.",
    )?;
    write_reward(program, spec, out)?;
    for milestone in &spec.milestones {
        let friends = plural(milestone.friends, "friend", "friends");
        let (count, more) = (grouped(&milestone.friends.to_string()), points(milestone.points));
        sentence(out, &format!("With {count} {friends} whoever brought them gets {more} more."))?;
    }
    for cap in &spec.caps {
        let (most, period) = (points(cap.points), period_of(cap.period));
        let with = if spec.milestones.is_empty() { "" } else { ", milestones included" };
        sentence(out, &format!("One member gets {most} for friends {period} at most{with}."))?;
    }
    if !spec.caps.is_empty() {
        sentence(out, "What is above that is cut off; the friend gets theirs all the same.")?;
    }
    if let Some(velocity) = spec.velocity {
        let (count, period) = (grouped(&velocity.friends.to_string()), period_of(velocity.period));
        let friends = plural(velocity.friends, "friend", "friends");
        sentence(
            out,
            &format!("After {count} {friends} {period} staff look into every other one first."),
        )?;
    }
    write_signals(&spec.same_person, out)?;
    sentence(
        out,
        match spec.old_codes {
            OldCodes::Die => "A code that its owner replaces is good for nothing any more.",
            OldCodes::Live => "A code that its owner replaces still leads to them.",
        },
    )
}

fn write_reward(program: &Program, spec: &ReferralSpec, out: &mut String) -> fmt::Result {
    let who = match (spec.friend_points, spec.referrer_points) {
        (friend, Points::ZERO) => format!("The friend gets {}", points(friend)),
        (Points::ZERO, referrer) => format!("Whoever brought them gets {}", points(referrer)),
        (friend, referrer) => {
            format!(
                "The friend gets {}, and whoever brought them {}",
                points(friend),
                points(referrer)
            )
        }
    };
    sentence(out, &format!("{who},"))?;
    if let Some(task) = &spec.task {
        sentence(out, &format!("once the friend has done `{task}`."))?;
    } else {
        let least = spec.min_amount.map(|it| money_of(it, program.spec().currency));
        let amount =
            least.map_or_else(String::new, |it| format!(", of which at least {it} count,"));
        let when = match spec.window_days {
            0 => format!("with the friend's first order{}", amount.trim_end_matches(',')),
            days => {
                let days = format!("{days} {}", plural(days, "day", "days"));
                format!(
                    "once the friend's first order{amount} was kept for {days} (of 24 hours each)"
                )
            }
        };
        sentence(out, &format!("{when}."))?;
        sentence(
            out,
            "If it comes back before, the next one counts; if it does later, both lose what they got.",
        )?;
    }
    match spec.expiry_months.or(program.spec().earning.expiry_months) {
        Some(months) => {
            let months = format!("{months} {}", plural(months, "month", "months"));
            sentence(out, &format!("These points can be used at once, and last {months}."))
        }
        None => sentence(out, "These points can be used at once, and never expire."),
    }
}

fn write_signals(kinds: &[SignalKind], out: &mut String) -> fmt::Result {
    let named: Vec<String> = kinds.iter().map(ToString::to_string).collect();
    let Some((last, others)) = named.split_last() else {
        return sentence(out, "Nobody looks at what the two have in common.");
    };
    let all = if others.is_empty() {
        last.clone()
    } else {
        format!("{} or {last}", joined(others.iter().cloned()))
    };
    sentence(
        out,
        &format!(
            "A friend who has the same {all} as another member is taken for them: neither is rewarded."
        ),
    )
}

const MEMBER: &str = "example-member";
const FRIEND: &str = "example-friend";

/// Whoever has an account, in an example.
struct Somebody {
    account: Account,
    events: Vec<Event>,
}

impl Somebody {
    /// Somebody who joined at the beginning of the program, and is a member.
    fn joins(program: &Program, id: &str, code: Option<NamedCode>) -> Result<Self, ExampleError> {
        let (member_id, at) = (MemberId::try_from(id)?, noon(program)?);
        let mut new = Self { account: Account::default(), events: Vec::new() };
        let enroll = Request::enroll(member_id.clone(), at, None);
        new.does(program, &enroll, Known { code, ..Known::default() })?;
        if program.spec().enrollment.activation == Activation::Code {
            new.does(program, &Request::activate(member_id, at), Known::default())?;
        }
        Ok(new)
    }

    fn does(
        &mut self,
        program: &Program,
        request: &Request,
        known: Known,
    ) -> Result<Option<Box<Second>>, ExampleError> {
        let known = Known { account: self.account.clone(), ..known };
        match decide(program, &known, request)? {
            Decision::Effect { events, account, second, .. } => {
                self.account = *account.unwrap_or_default();
                self.events.extend(events);
                Ok(second)
            }
            Decision::Nothing | Decision::Waits(_) => Err(OutOfRange.into()),
        }
    }
}

fn noon(program: &Program) -> Result<Timestamp, OutOfRange> {
    program.calendar().instant_of(program.spec().effective.at(12, 0, 0, 0))
}

/// What the next friends of one member come to.
#[derive(PartialEq, Eq)]
enum Comes {
    Rewarded { given: Points, cut: Points, milestones: Vec<(u32, Points, Points)> },
    Held,
}

/// A friend who was brought, up to the instant at which the reward is due.
struct Example {
    order: Option<Order>,
    friend: Somebody,
    referrer: Account,
    due_at: Timestamp,
}

impl Example {
    fn of(program: &Program, spec: &ReferralSpec) -> Result<Self, ExampleError> {
        let at = noon(program)?;
        let referrer = Somebody::joins(program, MEMBER, None)?.account;
        let brought = NamedCode::Of(MemberId::try_from(MEMBER)?);
        let mut friend = Somebody::joins(program, FRIEND, Some(brought))?;
        friend.events.clear();
        let friend_id = MemberId::try_from(FRIEND)?;
        if let Some(task) = &spec.task {
            friend.does(program, &Request::task(friend_id, task.clone(), at), Known::default())?;
            return Ok(Self { order: None, friend, referrer, due_at: at });
        }
        let mut order = example_order(program)?;
        order.order_id = OrderId::try_from("example-first-order")?;
        order.member_id = Some(friend_id);
        let least = spec.min_amount.map(|it| it.in_units_of(order.currency.exponent()));
        if let (Some(line), Some(least)) = (order.content.lines.first_mut(), least) {
            line.amount = line.amount.max(Minor::try_from(least?)?);
        }
        friend.does(program, &Request::order(order.clone()), Known::default())?;
        let watched = friend.events.iter().find_map(|it| {
            if let Event::Referral(it) = it
                && let ReferralEvent::Ordered { qualifies_at, .. } = **it
            {
                Some(qualifies_at)
            } else {
                None
            }
        });
        let due_at = watched.ok_or(OutOfRange)?;
        Ok(Self { order: Some(order), friend, referrer, due_at })
    }

    /// What one more friend comes to, who is just like this one; and what the friend gets.
    fn next(&mut self, program: &Program) -> Result<(Comes, Option<Granted>), ExampleError> {
        let known = Known { other: Some(self.referrer.clone()), ..Known::default() };
        let mut friend = Somebody { account: self.friend.account.clone(), events: Vec::new() };
        let settle = Request::settle_referral(MemberId::try_from(FRIEND)?, self.due_at);
        let Some(second) = friend.does(program, &settle, known)? else {
            return Ok((Comes::Held, None));
        };
        let (mut given, mut cut, mut milestones) = (Points::ZERO, Points::ZERO, Vec::new());
        for granted in second.events.into_iter().filter_map(granted) {
            match granted.reason {
                GrantReason::Milestone { friends } => {
                    milestones.push((friends, granted.share.points, granted.cut));
                }
                GrantReason::Brought { .. } => (given, cut) = (granted.share.points, granted.cut),
                GrantReason::Welcome | GrantReason::Referred { .. } => (),
            }
        }
        self.referrer = *second.account;
        let own = friend.events.into_iter().find_map(granted);
        Ok((Comes::Rewarded { given, cut, milestones }, own))
    }
}

fn granted(event: Event) -> Option<Granted> {
    if let Event::Granted(granted) = event { Some(*granted) } else { None }
}

/// A friend's first order and, where more friends come to something else, some more of them.
pub(super) fn write_example(program: &Program, out: &mut String) -> fmt::Result {
    let Some(spec) = &program.spec().referral else { return Ok(()) };
    section(out, "For example: a friend")?;
    let worked = Example::of(program, spec).and_then(|mut example| {
        let first = example.next(program)?;
        Ok((example, first))
    });
    let (mut example, (comes, own)) = match worked {
        Ok(worked) => worked,
        Err(error) => return sentence(out, &format!("No friend can be rewarded: {error}.")),
    };
    let (joined_on, due_on) = (program.spec().effective, program.calendar().day_of(example.due_at));
    sentence(out, &format!("A friend joins on {joined_on} with the code of a member."))?;
    write_cause(program, &example, due_on, out)?;
    if let (Some(own), false) = (&own, spec.friend_points.is_zero()) {
        let given = points(own.share.points);
        sentence(out, &format!("Then the friend gets {given}, {}.", usable(own)))?;
    }
    let mut rows = vec![(1, 1, comes)];
    let last =
        spec.milestones.iter().map(|it| it.friends).chain(spec.velocity.map(|it| it.friends));
    let mut left = last.max().unwrap_or(1).saturating_add(1).min(FRIENDS_MAX);
    for number in 2..=FRIENDS_MAX {
        // Caps end at a number of friends that is not written anywhere.
        if left == 0 && (spec.caps.is_empty() || rows.last().is_some_and(|it| is_the_end(&it.2))) {
            break;
        }
        left = left.saturating_sub(1);
        let Ok((comes, _)) = example.next(program) else { break };
        let is_held = comes == Comes::Held;
        match rows.last_mut() {
            Some((_, end, same)) if *same == comes => *end = number,
            _ => rows.push((number, number, comes)),
        }
        if is_held {
            break;
        }
    }
    if rows.len() > 1 {
        sentence(out, &format!("Whoever brings several who are all due on {due_on} gets:"))?;
        return write_several(&rows, out);
    }
    match rows.first() {
        Some((_, _, Comes::Rewarded { given, .. })) if !given.is_zero() => {
            sentence(out, &format!("Whoever brought them gets {}.", points(*given)))
        }
        _ => Ok(()),
    }
}

/// Whether nothing is left of the caps.
fn is_the_end(comes: &Comes) -> bool {
    match comes {
        Comes::Rewarded { given, cut, .. } => given.is_zero() && !cut.is_zero(),
        Comes::Held => true,
    }
}

fn write_cause(
    program: &Program,
    example: &Example,
    due_on: Date,
    out: &mut String,
) -> fmt::Result {
    let Some(order) = &example.order else {
        return sentence(out, "They do the task on the same day.");
    };
    let counts = example.friend.events.iter().find_map(|it| {
        if let Event::Earned(earned) = it { earned.order.eligible().ok() } else { None }
    });
    let counts = money(counts.unwrap_or_default(), order.currency);
    let paid_on = program.calendar().day_of(order.paid_at);
    let kept =
        if due_on == paid_on { String::new() } else { format!(", and keep it through {due_on}") };
    sentence(out, &format!("On {paid_on} they pay an order of which {counts} count{kept}."))
}

fn write_several(rows: &[(u32, u32, Comes)], out: &mut String) -> fmt::Result {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    for (first, last, comes) in rows {
        let which = if first == last {
            format!("for friend {first}")
        } else {
            format!("for friends {first} to {last}, each")
        };
        match comes {
            Comes::Rewarded { given, cut, milestones } => {
                let mut note = format!("points{}", cut_from(*given, *cut));
                for (friends, more, cut) in milestones {
                    let count = grouped(&friends.to_string());
                    let name = plural(*friends, "friend", "friends");
                    let more_points = grouped(&more.to_string());
                    note.push_str(&format!(
                        ", and {more_points} for {count} {name}{}",
                        cut_from(*more, *cut)
                    ));
                }
                table.add_row([which, grouped(&given.to_string()), note]);
            }
            Comes::Held => {
                let note = "points until staff looked into it".to_owned();
                table.add_row([format!("for friend {first} and more"), "0".to_owned(), note]);
            }
        }
    }
    write_rows(out, &mut table)
}

fn cut_from(given: Points, cut: Points) -> String {
    match given.plus(cut) {
        Ok(full) if !cut.is_zero() => format!(" (cut from {})", grouped(&full.to_string())),
        Ok(_) | Err(_) => String::new(),
    }
}
