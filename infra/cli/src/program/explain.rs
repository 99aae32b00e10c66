//! A program in plain sentences, with examples that the rules themselves work out.

use std::fmt::{self, Write as _};

use comfy_table::{ContentArrangement, Table, presets::ASCII_FULL};
use jiff::{Timestamp, civil::Date};
use loyalty_domain::{
    account::{Account, Tier},
    calendar::{ExpiryRounding, Month, after_days},
    command::{Correction, Request},
    decide::{Decision, Held, Known, Rejection, decide},
    earning::{Component, compute},
    event::{Becomes, Corrected, Earned, Event, Settled},
    expiry::{DayOfYear, Expiry},
    id::{InvalidId, LineId, MemberId, OrderId, RefundId, Sku, TaskId},
    money::{Currency, Minor},
    order::{Content, Line, Order, OrderState},
    points::{OutOfRange, Points},
    program::{
        AdjustmentSpec, CapPeriod, CheckoutSpec, LevelSpec, NewVersion, Program, Rank, Reminders,
        Review, Shortfall, Start, TiersSpec, Window,
    },
    rate::Rate,
};

use super::friends;

/// How wide the table of levels is at most.
const TABLE_COLUMNS: u16 = 116;

/// The program in one line.
pub(super) fn summary(program: &Program) -> String {
    let spec = program.spec();
    let levels = spec.tiers.levels.len();
    format!(
        "right: \"{}\", version {}, in force from {}, {levels} {}, {}, {}",
        spec.name,
        spec.version,
        spec.effective,
        plural(levels, "level", "levels"),
        spec.currency,
        spec.time_zone,
    )
}

/// The program in plain sentences.
pub(super) fn explain(program: &Program) -> String {
    let mut text = String::new();
    // Writing to a `String` never fails.
    if write_all(program, &mut text).is_err() {
        text.clear();
    }
    text
}

fn write_all(program: &Program, out: &mut String) -> fmt::Result {
    let spec = program.spec();
    writeln!(out, "{}, version {}", spec.name, spec.version)?;
    writeln!(
        out,
        "In force from {}. Its days are those of {}, its money is {}.",
        spec.effective, spec.time_zone, spec.currency
    )?;
    write_earning(program, out)?;
    write_expiry(program, out)?;
    write_currencies(program, out)?;
    write_levels(program, out)?;
    write_campaigns(program, out)?;
    write_caps(program, out)?;
    write_refunds(program, out)?;
    write_checkout(program, out)?;
    write_reminders(program, out)?;
    friends::write_joining(program, out)?;
    friends::write_friends(program, out)?;
    write_giving(program, out)?;
    write_adjusting(program, out)?;
    write_examples(program, out)?;
    friends::write_example(program, out)
}

fn write_earning(program: &Program, out: &mut String) -> fmt::Result {
    let spec = program.spec();
    let earning = &spec.earning;
    section(out, "Earning")?;
    let unit = money_of(Rate::ONE, spec.currency);
    let rate = earning.points_per_unit;
    if rate == Rate::ONE {
        sentence(out, &format!("Every {unit} that counts earns 1 point."))?;
    } else {
        sentence(out, &format!("Every {unit} that counts earns {rate} points."))?;
    }
    let has_bonus = spec.tiers.levels.iter().any(|it| it.bonus.is_some_and(|it| !it.is_zero()));
    if has_bonus || !spec.campaigns.is_empty() {
        sentence(
            out,
            "Base points are rounded down to whole points, and so is each bonus, by itself.",
        )?;
    } else {
        sentence(out, "What an order comes to is rounded down to whole points.")?;
    }
    let extras = match (earning.counts_tax, earning.counts_shipping) {
        (true, true) => "Tax and shipping count like goods.",
        (true, false) => "Tax counts like goods; shipping does not count.",
        (false, true) => "Shipping counts like goods; tax does not count.",
        (false, false) => "Tax and shipping do not count.",
    };
    sentence(out, extras)?;
    let exclude = &earning.exclude;
    if !exclude.skus.is_empty() {
        let skus = joined(exclude.skus.iter().map(ToString::to_string));
        sentence(out, &format!("Lines of these SKUs do not count: {skus}."))?;
    }
    if !exclude.categories.is_empty() {
        let categories = joined(exclude.categories.iter().map(ToString::to_string));
        sentence(out, &format!("Lines of these categories do not count: {categories}."))?;
    }
    let gift_cards = if exclude.gift_cards {
        "Gift cards do not count when they are bought."
    } else {
        "Gift cards count when they are bought."
    };
    sentence(out, gift_cards)?;
    sentence(out, "The part of an order that is paid with points does not count.")?;
    if let Some(value) = spec.point_value {
        let worth = if value.in_units_of(spec.currency.exponent()).is_ok() {
            money_of(value, spec.currency)
        } else {
            format!("{value} {}", spec.currency)
        };
        sentence(out, &format!("In reports a point is worth {worth}."))?;
    }
    Ok(())
}

fn write_expiry(program: &Program, out: &mut String) -> fmt::Result {
    let spec = program.spec();
    let earning = &spec.earning;
    section(out, "From pending to expired")?;
    match earning.pending_days {
        0 => sentence(out, "Points can be used at once.")?,
        days => {
            let days = format!("{days} {}", plural(days, "day", "days"));
            sentence(
                out,
                &format!(
                    "Points are pending at first and can be used {days} (of 24 hours each) after payment."
                ),
            )?;
        }
    }
    let Some(months) = earning.expiry_months else {
        sentence(out, "They never expire. Those earned before keep the day that they were given.")?;
        return sentence(out, "Points that expire soonest are used first.");
    };
    let months = format!("{months} {}", plural(months, "month", "months"));
    let end = match earning.expiry_rounding {
        ExpiryRounding::None if !earning.expiry_dates.is_empty() => {
            let days = earning.expiry_dates.iter().map(DayOfYear::to_string);
            format!(", and from there to the next of these days of the year: {}", joined(days))
        }
        ExpiryRounding::None => String::new(),
        ExpiryRounding::MonthEnd => ", and from there to the end of the month".to_owned(),
        ExpiryRounding::QuarterEnd => ", and from there to the end of the quarter".to_owned(),
        ExpiryRounding::YearEnd => ", and from there to the end of the year".to_owned(),
    };
    sentence(out, &format!("They last {months} from the day of payment{end}."))?;
    if earning.expiry == Expiry::Sliding {
        sentence(
            out,
            "Whenever a member earns or uses points, all others last as if earned on that day.",
        )?;
        if let Some(promise) = program.promises().last() {
            sentence(
                out,
                &format!(
                    "If the version before it was not like that, points that can still be used on {} \
                     last through {} at least.",
                    promise.from, promise.through
                ),
            )?;
        }
    }
    if let Ok(last) = earning.last_good_day(spec.effective) {
        let paid_on = spec.effective;
        let calendar = program.calendar();
        let usable = calendar
            .midnight(paid_on)
            .and_then(|it| after_days(it, earning.pending_days))
            .map(|it| calendar.day_of(it));
        let text = if usable.is_ok_and(|it| it > last) {
            format!(
                "Points of an order paid on {paid_on} expire before they can be used, on {last}."
            )
        } else {
            format!("Points of an order paid on {paid_on} can be used through {last}.")
        };
        sentence(out, &text)?;
    }
    sentence(out, "Points that expire soonest are used first.")?;
    match spec.spending.reinstate_days {
        0 => sentence(out, "Used points that come back after they would have expired are lost."),
        days => {
            let days = format!("{days} {}", plural(days, "day", "days"));
            sentence(
                out,
                &format!(
                    "Used points that come back after they would have expired can be used for {days} more."
                ),
            )
        }
    }
}

fn write_currencies(program: &Program, out: &mut String) -> fmt::Result {
    let spec = program.spec();
    section(out, "Other currencies")?;
    if spec.rates.is_empty() {
        return sentence(out, &format!("Only orders in {} are taken.", spec.currency));
    }
    for (code, rate) in &spec.rates {
        sentence(out, &format!("1 {code} counts as {rate} {}.", spec.currency))?;
    }
    sentence(out, "An order in any other currency is refused.")
}

fn write_levels(program: &Program, out: &mut String) -> fmt::Result {
    let spec = program.spec();
    let tiers = &spec.tiers;
    section(out, "Levels")?;
    let has_stages = tiers.levels.iter().any(|it| it.stage.is_some());
    let has_benefits = tiers.levels.iter().any(|it| benefits_of(it) != "-");
    let mut table = Table::new();
    table.load_style(ASCII_FULL);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(TABLE_COLUMNS);
    let row = |stage: String, level: String, from: String, bonus: String, benefits: String| {
        let mut cells = Vec::with_capacity(5);
        cells.extend(has_stages.then_some(stage));
        cells.extend([level, from, bonus]);
        cells.extend(has_benefits.then_some(benefits));
        cells
    };
    let header = ["Stage", "Level", "Reached from", "Bonus", "Benefits"].map(str::to_owned);
    let [stage, level, from, bonus, benefits] = header;
    table.set_header(row(stage, level, from, bonus, benefits));
    for level in &tiers.levels {
        table.add_row(row(
            level.stage.clone().unwrap_or_else(|| "-".to_owned()),
            level.name.clone(),
            condition_of(level, spec.currency),
            level
                .bonus
                .filter(|it| !it.is_zero())
                .map_or("-".to_owned(), |it| format!("+{} %", percent(it))),
            benefits_of(level),
        ));
    }
    for line in table.lines() {
        writeln!(out, "  {}", line.trim_end())?;
    }
    if tiers.levels.len() < 2 {
        return sentence(out, "There is only one level, and everybody has it.");
    }
    let window = match tiers.window {
        Window::TwelveMonths => "over 12 calendar months, the month in question the last of them",
        Window::CalendarYear => "over the calendar year of the month in question",
        Window::Lifetime => "over all time",
    };
    sentence(out, &format!("What counts and the number of orders are measured {window}."))?;
    if tiers.levels.iter().any(|it| it.orders.is_some()) {
        sentence(out, "An order of which nothing counts, or all was refunded, is not among them.")?;
    }
    write_start(tiers, out)?;
    let day = Month::of(spec.effective).plus(12).map(Month::last_day);
    let day = day.map_or_else(
        |_| String::new(),
        |it| format!(" (reached in {}: through {it})", Month::of(spec.effective)),
    );
    sentence(
        out,
        &format!("A level is kept through the last day of the month 12 months later{day}."),
    )?;
    sentence(out, "Every order with which it is met again moves that day on.")?;
    let fall = match tiers.review {
        Review::OneLevel => "by one level at most",
        Review::ToQualifying => "to the level that is met then",
    };
    sentence(out, &format!("Then it is reviewed: whoever no longer meets it falls {fall};"))?;
    sentence(out, "whoever meets it keeps it for 12 more months.")?;
    if tiers.grace_months > 0 {
        let months = plural(tiers.grace_months, "month", "months");
        let months = format!("{} {months}", tiers.grace_months);
        sentence(out, &format!("Before anybody falls the level is kept for {months} more,"))?;
        sentence(out, "and reviewed once more, by the 12 months until then.")?;
    }
    for level in &tiers.levels {
        if let Some(months) = level.expiry_months {
            let months = format!("{months} {}", plural(months, "month", "months"));
            let name = &level.name;
            sentence(out, &format!("Points that members of {name} earn live for {months}."))?;
        }
    }
    let floors = tiers.levels.iter().filter(|it| it.floor).map(|it| it.name.as_str());
    let floors: Vec<&str> = floors.collect();
    if !floors.is_empty() {
        let floors = floors.join(" or ");
        sentence(out, &format!("Whoever has {floors} never falls below it by what counts."))?;
    }
    if tiers.levels.iter().any(|it| it.invite_only) {
        sentence(out, "Nobody reaches a level by invitation but whom staff invite.")?;
    }
    match tiers.new_version {
        NewVersion::Raise => sentence(
            out,
            "A new version of the program may raise levels; it lowers none before a review.",
        ),
        NewVersion::RaiseAndLower => {
            sentence(out, "A new version of the program raises and lowers levels at once.")
        }
    }
}

fn write_start(tiers: &TiersSpec, out: &mut String) -> fmt::Result {
    match (tiers.start, tiers.window) {
        (Start::AtOnce, _) => {
            sentence(out, "An order that meets a condition raises the level at once;")?;
            sentence(out, "its own bonus is still the old level's.")
        }
        (Start::NextPeriod, window) => {
            let period = match window {
                Window::CalendarYear => "year",
                Window::TwelveMonths | Window::Lifetime => "month",
            };
            sentence(
                out,
                "An order that meets a condition raises the level with the first day of the",
            )?;
            sentence(
                out,
                &format!("next {period}, if what is kept of it still does, for 12 months."),
            )
        }
    }
}

fn condition_of(level: &LevelSpec, currency: Currency) -> String {
    let spend = level.spend.map(|it| money_of(it, currency));
    let orders = level
        .orders
        .map(|it| format!("{} {}", grouped(&it.to_string()), plural(it, "order", "orders")));
    let growth = level.growth.map(|it| format!("{} growth", grouped(&it.to_string())));
    let tasks: Vec<&str> = level.tasks.iter().map(TaskId::as_str).collect();
    let tasks = (!tasks.is_empty()).then(|| format!("done: {}", tasks.join(", ")));
    let ways: Vec<String> = [spend, orders, growth, tasks].into_iter().flatten().collect();
    match (ways.is_empty(), level.invite_only) {
        (true, true) => "by invitation".to_owned(),
        (true, false) => "the start".to_owned(),
        (false, _) => ways.join("\nor "),
    }
}

fn benefits_of(level: &LevelSpec) -> String {
    let benefits = &level.benefits;
    let kinds = [
        ("economic", &benefits.economic),
        ("service", &benefits.service),
        ("social", &benefits.social),
        ("identity", &benefits.identity),
    ];
    let lines: Vec<String> = kinds
        .into_iter()
        .filter(|(_, all)| !all.is_empty())
        .map(|(kind, all)| format!("{kind}: {}", all.join(", ")))
        .collect();
    if lines.is_empty() { "-".to_owned() } else { lines.join("\n") }
}

fn write_campaigns(program: &Program, out: &mut String) -> fmt::Result {
    let spec = program.spec();
    section(out, "Campaigns")?;
    if spec.campaigns.is_empty() {
        return sentence(out, "There are none.");
    }
    for campaign in &spec.campaigns {
        let gives = match (campaign.bonus, campaign.points) {
            (Some(bonus), _) => format!("{} % of the base points on top", percent(bonus)),
            (None, Some(fixed)) => format!("{} on top", points(fixed)),
            (None, None) => continue,
        };
        let when = match (campaign.from, campaign.until) {
            (Some(from), Some(until)) if from == until => format!(" paid on {from}"),
            (Some(from), Some(until)) => format!(" paid from {from} through {until}"),
            (Some(from), None) => format!(" paid from {from} on"),
            (None, Some(until)) => format!(" paid through {until}"),
            (None, None) => String::new(),
        };
        let mut which = String::new();
        if !campaign.channels.is_empty() {
            let channels = joined(campaign.channels.iter().map(ToString::to_string));
            which.push_str(&format!(", placed in one of these channels: {channels}"));
        }
        if let Some(amount) = campaign.min_amount {
            let amount = money_of(amount, spec.currency);
            which.push_str(&format!(", of which at least {amount} count"));
        }
        sentence(out, &format!("{}: {gives} for every order{when}{which}.", campaign.name))?;
        if let Some(months) = campaign.expiry_months {
            let months = format!("{months} {}", plural(months, "month", "months"));
            sentence(
                out,
                &format!("Its points live for {months}, apart from the order's others."),
            )?;
        }
    }
    Ok(())
}

fn write_caps(program: &Program, out: &mut String) -> fmt::Result {
    let spec = program.spec();
    section(out, "Limits")?;
    let caps = &spec.caps;
    if caps.per_order.is_none() && caps.per_member.is_empty() {
        return sentence(out, "There is no limit to what an order or a member earns.");
    }
    if let Some(most) = caps.per_order {
        sentence(out, &format!("One order earns {} at most.", points(most)))?;
    }
    for cap in &caps.per_member {
        let period = period_of(cap.period);
        sentence(out, &format!("One member earns {} {period} at most.", points(cap.points)))?;
    }
    sentence(out, "What is above a limit is cut off, the last bonus first.")
}

/// How members give points to each other, if they may.
fn write_giving(program: &Program, out: &mut String) -> fmt::Result {
    let Some(spec) = &program.spec().transfers else { return Ok(()) };
    section(out, "Giving points")?;
    sentence(
        out,
        "A member can give points to another active member, who can use them as long as the first could.",
    )?;
    match spec.min_points {
        Some(least) => sentence(out, &format!("It must be {} at least.", points(least)))?,
        None => sentence(out, "It may be a single one.")?,
    }
    for cap in &spec.caps {
        let (most, period) = (points(cap.points), period_of(cap.period));
        sentence(out, &format!("One member gives away {most} {period} at most."))?;
    }
    if spec.waiting_days > 0 {
        let days = plural(spec.waiting_days, "day", "days");
        let wait = format!("Whoever joins can give points {} {days} later.", spec.waiting_days);
        sentence(out, &wait)?;
    }
    Ok(())
}

/// What staff may do to points, if the program says anything about it.
fn write_adjusting(program: &Program, out: &mut String) -> fmt::Result {
    let spec = program.spec().adjustments;
    if spec == AdjustmentSpec::default() {
        return Ok(());
    }
    section(out, "Adjusting")?;
    match spec.approval_above {
        Some(most) => sentence(
            out,
            &format!(
                "Staff add and take off up to {} alone; of more, somebody else must approve it.",
                points(most)
            ),
        )?,
        None => sentence(out, "Staff add and take off points alone, of whatever number.")?,
    }
    if let Some(months) = spec.expiry_months {
        let name = plural(months, "month", "months");
        sentence(out, &format!("What they add lasts for {months} {name}."))?;
    }
    Ok(())
}

/// In which time, in words.
pub(super) const fn period_of(period: CapPeriod) -> &'static str {
    match period {
        CapPeriod::Day => "in one day",
        CapPeriod::Month => "in one calendar month",
        CapPeriod::Year => "in one calendar year",
        CapPeriod::Lifetime => "for ever",
    }
}

fn write_refunds(program: &Program, out: &mut String) -> fmt::Result {
    let spec = program.spec();
    section(out, "Refunds")?;
    sentence(
        out,
        "A refund takes back what the refunded part had earned: the order is worked out anew without it.",
    )?;
    let shortfall = match spec.refunds.shortfall {
        Shortfall::Debt => {
            "If these points were used already, the member owes them; points to come pay first."
        }
        Shortfall::Waive => "If these points were used already, they are let go.",
    };
    sentence(out, shortfall)?;
    sentence(
        out,
        if spec.refunds.lowers_level {
            "A refund after which the level is no longer met lowers it at once, to the one that is."
        } else {
            "A refund lowers no level before its review."
        },
    )
}

fn write_checkout(program: &Program, out: &mut String) -> fmt::Result {
    let spec = program.spec();
    let Some(CheckoutSpec { point_worth, min_points, max_share, hold_minutes }) = spec.checkout
    else {
        return Ok(());
    };
    section(out, "Paying with points")?;
    let worth = money_of(point_worth, spec.currency);
    sentence(
        out,
        &format!(
            "A point pays {worth} of an order. What it comes to is rounded down to a whole minor unit."
        ),
    )?;
    if min_points != CheckoutSpec::ONE_POINT {
        sentence(out, &format!("An order is paid with {min_points} points at least."))?;
    }
    if max_share != Rate::ONE {
        sentence(out, &format!("Points pay a share of {max_share} of an order at most."))?;
    }
    let minutes = plural(hold_minutes, "minute", "minutes");
    sentence(
        out,
        &format!(
            "Points are held for a checkout for {hold_minutes} {minutes} at most, and then come back."
        ),
    )
}

fn write_reminders(program: &Program, out: &mut String) -> fmt::Result {
    let Reminders { points_days, tier_days } = &program.spec().reminders;
    if points_days.is_empty() && tier_days.is_empty() {
        return Ok(());
    }
    section(out, "Reminders")?;
    let days =
        |all: &[u32]| joined(all.iter().map(|it| format!("{it} {}", plural(*it, "day", "days"))));
    if !points_days.is_empty() {
        let days = days(points_days);
        sentence(
            out,
            &format!("Members are told of points that expire this long before: {days}."),
        )?;
    }
    if !tier_days.is_empty() {
        let days = days(tier_days);
        sentence(
            out,
            &format!(
                "Whoever no longer meets the level is told this long before its review: {days}."
            ),
        )?;
    }
    Ok(())
}

/// An order and a refund of half of it, at the lowest and at the highest level.
fn write_examples(program: &Program, out: &mut String) -> fmt::Result {
    let top = program.levels().len().saturating_sub(1);
    for rank in if top == 0 { vec![0] } else { vec![0, top] } {
        let Some(level) = program.levels().get(rank) else { continue };
        section(out, &format!("For example: {}", level.name))?;
        match Example::of(program, rank) {
            Ok(example) => example.write(program, out)?,
            Err(error) => sentence(out, &format!("An order like this cannot be taken: {error}."))?,
        }
    }
    Ok(())
}

/// Why an example cannot be worked out.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExampleError {
    #[error(transparent)]
    Refused(#[from] Rejection),
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    #[error(transparent)]
    Id(#[from] InvalidId),
}

/// What the rules answer to an order and to a refund of half of it.
struct Example {
    order: Order,
    earned: Earned,
    reached: Option<(String, Date)>,
    refunded: Minor,
    corrected: Corrected,
    refunded_at: Timestamp,
}

impl Example {
    fn of(program: &Program, rank: Rank) -> Result<Self, ExampleError> {
        let order = example_order(program)?;
        let account = account_at(program, rank, &order)?;
        let (events, account) =
            decided(program, Held::Nothing, &account, &Request::order(order.clone()))?;
        let mut reached = None;
        let mut earned = None;
        for event in events {
            match event {
                Event::Earned(it) => earned = Some(*it),
                Event::LevelReached { level, valid_through, .. } => {
                    let level = program.levels().iter().find(|it| it.id == level);
                    reached = level.map(|it| (it.name.clone(), valid_through));
                }
                Event::Matured { .. }
                | Event::Lapsed { .. }
                | Event::Expired { .. }
                | Event::Reviewed { .. }
                | Event::LevelLowered { .. }
                | Event::Corrected(_)
                | Event::CorrectionRefused { .. }
                | Event::Spent { .. }
                | Event::GivenBack { .. }
                | Event::LifeExtended { .. }
                | Event::ExpiryAnnounced { .. }
                | Event::LevelAtRisk(_)
                | Event::Reinstated { .. }
                | Event::LevelAwaited(_)
                | Event::LevelBegan { .. }
                | Event::LevelNotBegun { .. }
                | Event::GraceBegan { .. }
                | Event::OverrideSet { .. }
                | Event::OverrideLifted { .. }
                | Event::OverrideEnded { .. }
                | Event::Grown { .. }
                | Event::TaskDone { .. }
                | Event::StatusChanged { .. }
                | Event::Granted(_)
                | Event::GrantTakenBack(_)
                | Event::Referral(_)
                | Event::Checkout(_)
                | Event::Redemption(_)
                | Event::Transfer(_)
                | Event::Adjustment(_)
                | Event::Merge(_)
                | Event::Opened(_) => (),
            }
        }
        let earned = earned.ok_or(OutOfRange)?;
        let half = earned.order.eligible()?.get().checked_div(2).unwrap_or(0);
        let refunded = Minor::try_from(half)?;
        let member_id = order.member_id.clone();
        let held = Held::Order(OrderState {
            member_id,
            record: Some(earned.order.clone()),
            payment: None,
        });
        let refunded_at = after_days(order.paid_at, 3)?;
        let refund = Request::refund(
            order.order_id.clone(),
            RefundId::try_from("example-refund")?,
            refunded_at,
            Correction::Amount(refunded),
        );
        let (events, _) = decided(program, held, &account, &refund)?;
        let corrected = events.into_iter().find_map(|event| {
            if let Event::Corrected(corrected) = event { Some(*corrected) } else { None }
        });
        let corrected = corrected.ok_or(OutOfRange)?;
        Ok(Self { order, earned, reached, refunded, corrected, refunded_at })
    }

    fn write(&self, program: &Program, out: &mut String) -> fmt::Result {
        let currency = self.order.currency;
        let record = &self.earned.order;
        sentence(out, &format!("An order paid on {}:", record.paid_on))?;
        let mut lines = Table::new();
        lines.load_style(comfy_table::presets::NOTHING);
        let mut kept = record.lines.iter();
        let written = self
            .order
            .content
            .lines
            .iter()
            .map(|it| (format!("{} x {}", it.quantity, it.sku), it.amount))
            .chain([
                ("shipping".to_owned(), self.order.content.shipping),
                ("tax".to_owned(), self.order.content.tax),
            ]);
        for (name, amount) in written {
            let counts = kept.next().is_some_and(|it| it.counts);
            let counts = if counts { "counts" } else { "does not count" };
            lines.add_row([name, money(amount, currency), counts.to_owned()]);
        }
        write_rows(out, &mut lines)?;
        let counting = record.eligible().unwrap_or_default();
        sentence(out, &format!("{} of it count:", money(counting, currency)))?;
        let mut components = Table::new();
        components.load_style(comfy_table::presets::NOTHING);
        let uncut = self.uncut(program);
        for (index, component) in record.components.iter().enumerate() {
            let full = uncut.get(index).filter(|it| it.points > component.points);
            let cut = full.map_or_else(String::new, |it| format!(", cut from {}", it.points));
            let [number, unit] = number_and_unit(component.points);
            components.add_row([describe(component, program), number, format!("{unit}{cut}")]);
        }
        let [number, unit] = number_and_unit(record.points);
        components.add_row(["in all".to_owned(), number, unit]);
        write_rows(out, &mut components)?;
        if let Some(headroom) = record.headroom
            && record.points >= headroom
        {
            sentence(out, "The limit above has cut it off there.")?;
        }
        let calendar = program.calendar();
        let last = record.lot.given;
        let usable = match self.earned.becomes {
            Becomes::Pending => format!("from {} on", calendar.day_of(record.matures_at)),
            Becomes::Available { .. } => "at once".to_owned(),
            Becomes::Expired | Becomes::Unclaimed => "never".to_owned(),
        };
        if calendar.day_of(record.matures_at) > last {
            sentence(out, &format!("They expire before they can be used, on {last}."))?;
        } else {
            sentence(out, &format!("They can be used {usable}, through {last}."))?;
        }
        if let Some((level, through)) = &self.reached {
            sentence(out, &format!("With it the member reaches {level}, through {through}."))?;
        }
        self.write_refund(program, out)
    }

    /// What the components would be without limits.
    fn uncut(&self, program: &Program) -> Vec<Component> {
        let record = &self.earned.order;
        let mut components = record.components.clone();
        let counted = record.eligible().and_then(|eligible| {
            let spend = record.spend_of(eligible, program)?;
            compute(&mut components, eligible, record.currency, record.rate, spend, None)
        });
        if counted.is_ok() { components } else { Vec::new() }
    }

    fn write_refund(&self, program: &Program, out: &mut String) -> fmt::Result {
        let currency = self.order.currency;
        let day = program.calendar().day_of(self.refunded_at);
        let Corrected { points_before, points_after, settled, .. } = &self.corrected;
        let left = self.corrected.eligible_after;
        let refunded = money(self.refunded, currency);
        sentence(
            out,
            &format!(
                "On {day} {refunded} are refunded: {} are left, which earn {}.",
                money(left, currency),
                points(*points_after),
            ),
        )?;
        let difference = points(points_before.minus_or_zero(*points_after));
        let from = match settled {
            Settled::TakenBack { pending, lots, .. } if pending.is_zero() && lots.is_empty() => {
                format!("{difference} are taken back")
            }
            Settled::TakenBack { pending, .. } if pending.is_zero() => {
                format!("{difference} are taken back from those that can be used")
            }
            Settled::TakenBack { .. } => {
                format!("{difference} are taken back, while they are still pending")
            }
            Settled::GoneAlready => "nothing is taken back, because the points are gone".to_owned(),
            Settled::Added(_) | Settled::NoAccount => "nothing is taken back".to_owned(),
        };
        sentence(out, &format!("So {from}."))
    }
}

/// Goods, one line that does not count if there is such a thing, shipping and tax.
pub(super) fn example_order(program: &Program) -> Result<Order, ExampleError> {
    let spec = program.spec();
    let line = |id, sku: Sku, quantity, amount| -> Result<Line, ExampleError> {
        Ok(Line {
            id: LineId::try_from(id)?,
            sku,
            category: None,
            quantity,
            amount: minor(amount, spec.currency)?,
            discounts: Minor::ZERO,
            is_gift_card: false,
        })
    };
    let mut lines = vec![line("1", Sku::try_from("EXAMPLE")?, 2, 49_98)?];
    if let Some(sku) = spec.earning.exclude.skus.first() {
        lines.push(line("2", sku.clone(), 1, 5_00)?);
    }
    let noon = program.calendar().instant_of(spec.effective.at(12, 0, 0, 0))?;
    Ok(Order {
        order_id: OrderId::try_from("example-order")?,
        member_id: Some(MemberId::try_from("example-member")?),
        paid_at: noon,
        currency: spec.currency,
        channel: None,
        referral_code: None,
        points_hold: None,
        content: Content {
            lines,
            discounts: Minor::ZERO,
            shipping: minor(3_95, spec.currency)?,
            tax: minor(9_00, spec.currency)?,
            paid_with_points: Minor::ZERO,
        },
    })
}

/// Cents as minor units of `currency`; of one without minor units, a hundred times the amount, which
/// is closer to what things cost in it.
fn minor(cents: u64, currency: Currency) -> Result<Minor, OutOfRange> {
    let missing = u32::from(currency.exponent()).saturating_sub(2);
    let factor = 10_u64.checked_pow(missing).ok_or(OutOfRange)?;
    cents.checked_mul(factor).ok_or(OutOfRange).and_then(Minor::try_from)
}

/// A member who has the level at `rank` when `order` is paid.
fn account_at(program: &Program, rank: Rank, order: &Order) -> Result<Account, OutOfRange> {
    if rank == 0 {
        return Ok(Account::default());
    }
    let day = program.calendar().day_of(order.paid_at);
    let valid_through = Some(Month::of(day).plus(12)?.last_day());
    let level = program.levels().get(rank).map(|it| it.id.clone());
    let tier = Tier { level, valid_through, ..Tier::default() };
    Ok(Account { tier, ..Account::default() })
}

fn decided(
    program: &Program,
    holds: Held,
    account: &Account,
    request: &Request,
) -> Result<(Vec<Event>, Account), ExampleError> {
    let known = Known { holds, account: account.clone(), ..Known::default() };
    match decide(program, &known, request)? {
        Decision::Effect { events, account, .. } => Ok((events, *account.unwrap_or_default())),
        Decision::Nothing | Decision::Waits(_) => Err(OutOfRange.into()),
    }
}

/// The name of a component for people.
fn describe(component: &Component, program: &Program) -> String {
    let name = component.name.as_str();
    if let Some(id) = name.strip_prefix("tier:") {
        let level = program.levels().iter().find(|it| it.id.as_str() == id);
        let bonus = level
            .and_then(|it| it.bonus)
            .map_or_else(String::new, |it| format!(", +{} %", percent(it)));
        return format!("bonus of {}{bonus}", level.map_or(id, |it| it.name.as_str()));
    }
    match name.strip_prefix("campaign:") {
        Some(campaign) => format!("campaign \"{campaign}\""),
        None => "base points".to_owned(),
    }
}

pub(super) fn section(out: &mut String, title: &str) -> fmt::Result {
    writeln!(out, "\n{title}")
}

pub(super) fn sentence(out: &mut String, text: &str) -> fmt::Result {
    writeln!(out, "  {text}")
}

pub(super) fn write_rows(out: &mut String, table: &mut Table) -> fmt::Result {
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(comfy_table::CellAlignment::Right);
    }
    table.lines().try_for_each(|line| writeln!(out, "    {}", line.trim_end()))
}

pub(super) fn points(points: Points) -> String {
    number_and_unit(points).join(" ")
}

fn number_and_unit(points: Points) -> [String; 2] {
    [grouped(&points.to_string()), plural(points.get(), "point", "points").to_owned()]
}

pub(super) fn plural<T: Copy + PartialEq + From<u8>>(
    count: T,
    one: &'static str,
    many: &'static str,
) -> &'static str {
    if count == T::from(1) { one } else { many }
}

pub(super) fn joined(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// An amount in major units of `currency`, with all its digits.
pub(super) fn money_of(amount: Rate, currency: Currency) -> String {
    let minor = amount.in_units_of(currency.exponent()).and_then(Minor::try_from);
    minor.map_or_else(|_| format!("{amount} {currency}"), |it| money(it, currency))
}

pub(super) fn money(amount: Minor, currency: Currency) -> String {
    format!("{} {currency}", decimal(amount.get(), u32::from(currency.exponent())))
}

/// A share in percent, exactly.
fn percent(share: Rate) -> String {
    let scale = u32::from(share.scale());
    let missing = 2_u32.saturating_sub(scale);
    let mantissa = share.mantissa().saturating_mul(10_u64.saturating_pow(missing));
    decimal(mantissa, scale.saturating_sub(2))
}

/// `digits * 10^-scale`, with a comma between thousands.
fn decimal(digits: u64, scale: u32) -> String {
    let scale = usize::try_from(scale).unwrap_or(0);
    let written = format!("{digits:0>width$}", width = scale.saturating_add(1));
    let split = written.len().saturating_sub(scale);
    let (whole, fraction) = written.split_at_checked(split).unwrap_or((&written, ""));
    let whole = grouped(whole);
    if fraction.is_empty() { whole } else { format!("{whole}.{fraction}") }
}

/// Digits with a comma between thousands.
pub(super) fn grouped(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len());
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len().saturating_sub(index);
        if index > 0 && left.is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_write_them() {
        assert_eq!(percent("0.05".parse().unwrap()), "5");
        assert_eq!(percent("0.125".parse().unwrap()), "12.5");
        assert_eq!(percent("2".parse().unwrap()), "200");
        assert_eq!(decimal(3_000_000, 2), "30,000.00");
        assert_eq!(decimal(5, 2), "0.05");
        assert_eq!(grouped("1234567"), "1,234,567");
    }
}
