//! The report of a simulation, for a shopkeeper to read.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
    io::{self, Write},
};

use comfy_table::{CellAlignment, Table, presets::NOTHING};
use jiff::civil::Date;
use loyalty_domain::{money::Currency, program::Program, rate::Rate};

use super::{
    Source,
    friends::Outcome,
    run::{Field, Member, Run, Sums, Tally},
};
use crate::import::{ImportReport, events::EventsReport};

/// How many of many are shown; the rest is counted.
const SHOWN_MAX: usize = 5;

/// Where all of them are.
pub(crate) const ALL: Option<&str> = Some("--rejected-out FILE lists all");

/// Writes what was read.
pub(crate) fn write_source(out: &mut dyn Write, source: &Source) -> io::Result<()> {
    match source {
        Source::Orders(report) => write_import(out, report),
        Source::Events(report) => write_events(out, report),
    }
}

/// Writes what was not taken, as CSV by RFC 4180: the line on which it begins, what became of it, why.
pub(super) fn write_rejected(
    out: &mut dyn Write,
    source: &Source,
    tally: Option<&Tally>,
) -> io::Result<()> {
    let (refused, reused) = tally.map_or((&[][..], &[][..]), |it| (&it.refused, &it.reused));
    write_outcomes(out, source, &[("refused", refused), (USED_BEFORE, reused)])
}

/// The outcome of an event whose id another one has.
pub(crate) const USED_BEFORE: &str = "id used before";

/// Writes what was not taken of `source` and what else did not become what it was to be, as
/// [`write_rejected`] does.
pub(crate) fn write_outcomes(
    out: &mut dyn Write,
    source: &Source,
    others: &[(&'static str, &[(u64, String)])],
) -> io::Result<()> {
    let (rejected, unmatched) = match source {
        Source::Orders(report) => (&report.rejected, report.unmatched.as_slice()),
        Source::Events(report) => (&report.rejected, &[][..]),
    };
    let all = [("rejected", rejected.as_slice()), ("unmatched", unmatched)];
    let all = all.iter().chain(others);
    let all = all.flat_map(|(outcome, list)| list.iter().map(|it| (*outcome, it)));
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|(_, (line, _))| *line);
    out.write_all(b"line,outcome,reason\r\n")?;
    for (outcome, (line, reason)) in all {
        write!(out, "{line},{outcome},{}\r\n", Field(reason))?;
    }
    Ok(())
}

/// Writes what came of it and, with two programs, how they differ.
pub(super) fn write(
    out: &mut dyn Write,
    runs: &[Run],
    results: &[Vec<Member>],
    as_of: Date,
) -> io::Result<()> {
    for run in runs {
        write_tally(out, run, runs.len() > 1, as_of)?;
    }
    let sums: Vec<Sums> =
        runs.iter().zip(results).map(|(run, members)| Sums::of(&run.program, members)).collect();
    for (run, sums) in runs.iter().zip(&sums) {
        write_levels(out, run, sums, as_of)?;
        write_points(out, &run.program, sums)?;
    }
    for (run, members) in runs.iter().zip(results) {
        let outcome = Outcome::of(&run.entries(), members);
        if outcome.is_any() {
            write_referrals(out, run, runs.len() > 1, &outcome)?;
        }
    }
    if let ([first, second], [before, after], [from, to]) = (runs, results, sums.as_slice()) {
        write_comparison(out, (first, before, from), (second, after, to))?;
    }
    Ok(())
}

fn write_import(out: &mut dyn Write, report: &ImportReport) -> io::Result<()> {
    writeln!(out, "Import of {}", of(report.rows, "row"))?;
    let mut table = plain_table();
    let mut row = |number: usize, one: &str, many: &str| {
        let what = if number == 1 { one } else { many };
        table.add_row([count(size(number)), what.to_owned()]);
    };
    let members = members_of(size(report.members));
    row(report.orders, &format!("order of {members}"), &format!("orders of {members}"));
    let without = if report.returns_without_order == 0 {
        String::new()
    } else {
        format!(
            " ({} of them of the {} without any order, who get no account)",
            count(size(report.returns_without_order)),
            of(size(report.customers_without_order), "customer"),
        )
    };
    row(
        report.returns,
        &format!("return with a customer{without}"),
        &format!("returns with a customer{without}"),
    );
    if report.guest_orders > 0 {
        row(report.guest_orders, "guest order", "guest orders");
    }
    if report.guest_returns > 0 {
        row(report.guest_returns, "guest return", "guest returns");
    }
    row(report.rejected.len(), "rejected row", "rejected rows");
    if report.unmatched_lines > 0 {
        let units = of(report.unmatched_units, "unit");
        row(
            report.unmatched_lines,
            &format!("unmatched return line ({units})"),
            &format!("unmatched return lines ({units})"),
        );
    }
    if report.empty_documents > 0 {
        row(
            report.empty_documents,
            "document without any usable row",
            "documents without any usable row",
        );
    }
    if report.scattered_documents > 0 {
        let advice = "other rows between its rows: is a part of the file there twice?";
        row(
            report.scattered_documents,
            &format!("document has {advice}"),
            "documents have other rows between their rows: is a part of the file there twice?",
        );
    }
    print(out, &mut table, 1)?;
    write_some(out, &report.rejected, ALL)?;
    writeln!(out)
}

fn write_events(out: &mut dyn Write, report: &EventsReport) -> io::Result<()> {
    writeln!(out, "Import of {}", of(report.lines, "event"))?;
    if !report.rejected.is_empty() {
        writeln!(out, "  {}", of(size(report.rejected.len()), "rejected line"))?;
        write_some(out, &report.rejected, ALL)?;
    }
    writeln!(out)
}

/// Writes the first of what was left out for each reason, and how often the reason occurred.
///
/// What is not shown is found by what `all` says, if there is any such thing.
pub(crate) fn write_some(
    out: &mut dyn Write,
    rejected: &[(u64, String)],
    all: Option<&str>,
) -> io::Result<()> {
    let mut reasons: Vec<(&str, u64, usize)> = Vec::new();
    let mut by_reason: HashMap<&str, usize> = HashMap::new();
    for (line, reason) in rejected {
        let index = *by_reason.entry(reason).or_insert(reasons.len());
        match reasons.get_mut(index) {
            Some((_, _, times)) => *times += 1,
            None => reasons.push((reason, *line, 1)),
        }
    }
    for (reason, line, times) in reasons.iter().take(SHOWN_MAX) {
        let again = match times - 1 {
            0 => String::new(),
            more => format!(" (and {} more)", of(size(more), "line")),
        };
        writeln!(out, "    line {line}: {reason}{again}")?;
    }
    let rest: usize = reasons.iter().skip(SHOWN_MAX).map(|(_, _, times)| times).sum();
    if rest > 0 {
        let all = all.map_or_else(String::new, |it| format!("; {it}"));
        writeln!(out, "    … and {} more{all}", count(size(rest)))?;
    }
    Ok(())
}

fn write_tally(out: &mut dyn Write, run: &Run, is_one_of_two: bool, as_of: Date) -> io::Result<()> {
    let tally = &run.tally;
    let mut lines = Vec::new();
    if tally.left_out > 0 {
        lines.push(format!("{} at or after {as_of}, left out", count(tally.left_out)));
    }
    if tally.openings > 0 {
        let balances = of(tally.openings, "opening balance");
        lines.push(format!("{balances} brought from another system"));
    }
    if tally.repeated > 0 {
        lines.push(format!("{} repeated, which changes nothing", count(tally.repeated)));
    }
    let still = size(run.still_waiting());
    if tally.waiting > still {
        let came = tally.waiting.saturating_sub(still);
        lines.push(format!("{} came before their order, and waited for it", count(came)));
    }
    if still > 0 {
        lines.push(format!("{} still waiting for an order that did not come", count(still)));
    }
    let under = if is_one_of_two { format!(" under {}", run.title) } else { String::new() };
    if !lines.is_empty() {
        writeln!(out, "Events{under}: {}\n", lines.join("; "))?;
    }
    let lists = [("refused", &tally.refused), ("refused, the id having been used", &tally.reused)];
    for (what, list) in lists {
        if !list.is_empty() {
            writeln!(out, "{} {what}{under}:", of(size(list.len()), "event"))?;
            write_some(out, list, ALL)?;
            writeln!(out)?;
        }
    }
    Ok(())
}

fn write_levels(out: &mut dyn Write, run: &Run, sums: &Sums, as_of: Date) -> io::Result<()> {
    let program = &run.program;
    writeln!(out, "{} as of {as_of}", run.title)?;
    let all: u64 = sums.members_by_rank.iter().sum();
    let mut table = plain_table();
    table.add_row(["members", "share", "level"]);
    for (level, members) in program.levels().iter().zip(&sums.members_by_rank).rev() {
        let share = share((*members).into(), all.into()).unwrap_or_else(|| "-".to_owned());
        table.add_row([count(*members), share, level.name.clone()]);
    }
    table.add_row([count(all), String::new(), "all members".to_owned()]);
    print(out, &mut table, 2)?;
    writeln!(out)
}

fn write_points(out: &mut dyn Write, program: &Program, sums: &Sums) -> io::Result<()> {
    let mut table = plain_table();
    let some = |rows: [(u128, &'static str); 2]| rows.into_iter().filter(|it| it.0 > 0);
    let brought = some([
        (sums.brought, "brought from another system"),
        (sums.brought_debt, "owed there, and brought along"),
    ]);
    let earned =
        [(sums.earned, "points earned"), (sums.clawed_back, "taken back by refunds")].into_iter();
    let used = some([
        (sums.spent, "used for orders"),
        (sums.given_back, "given back of these by refunds"),
    ]);
    let rest = [
        (sums.expired, "expired"),
        (sums.outstanding, "outstanding"),
        (sums.debt, "owed by members"),
    ];
    for (number, what) in brought.chain(earned).chain(used).chain(rest) {
        table.add_row([thousands(number), what.to_owned()]);
    }
    print(out, &mut table, 1)?;
    let currency = program.spec().currency;
    let revenue = money(sums.revenue_minor, currency);
    match program.spec().point_value {
        Some(value) => {
            let given = given_minor(sums, value, currency);
            let share = match share(given, sums.revenue_minor) {
                // What was brought was given for revenue that may not have been brought.
                _ if sums.brought > 0 => ", what was brought included".to_owned(),
                share => share.map_or_else(String::new, |it| format!(", {it}")),
            };
            writeln!(
                out,
                "  Given: {} of {revenue} eligible revenue{share}, at {value} {currency} a point\n",
                money(given, currency),
            )
        }
        None => writeln!(
            out,
            "  Eligible revenue: {revenue}; with a `point_value` in the program, the share of it \
             that is given would stand here\n"
        ),
    }
}

/// Writes what came of referrals, and what they cost.
fn write_referrals(
    out: &mut dyn Write,
    run: &Run,
    is_one_of_two: bool,
    outcome: &Outcome,
) -> io::Result<()> {
    let under = if is_one_of_two { format!(" under {}", run.title) } else { String::new() };
    writeln!(out, "Referrals{under}")?;
    let mut table = plain_table();
    let states = [
        (outcome.rewarded, "rewarded"),
        (outcome.pending, "pending: no order was kept long enough yet"),
        (outcome.held, "waiting for staff: more friends than are taken for natural"),
        (outcome.revoked, "revoked: the order came back later"),
    ];
    for (number, what) in states {
        table.add_row([count(number), what.to_owned()]);
    }
    for (refusal, number) in &outcome.refused {
        table.add_row([count(*number), format!("refused: {refusal}")]);
    }
    let points = [
        (outcome.friends, "points for friends"),
        (outcome.referrers, "points for those who brought them"),
        (outcome.milestones, "points for milestones"),
        (outcome.cut, "points cut off by limits"),
        (outcome.taken_back, "points taken back"),
    ];
    for (number, what) in points.into_iter().filter(|it| it.0 > 0) {
        table.add_row([thousands(number), what.to_owned()]);
    }
    print(out, &mut table, 1)?;
    let spec = run.program.spec();
    if let Some(value) = spec.point_value {
        let cost = money(worth_minor(outcome.given(), value, spec.currency), spec.currency);
        writeln!(out, "  They cost {cost}, at {value} {} a point\n", spec.currency)
    } else {
        writeln!(
            out,
            "  They cost {} points; with a `point_value` in the program, money would stand here\n",
            thousands(outcome.given())
        )
    }
}

/// What the points that were given and not lost are worth, in minor units, rounded down.
fn given_minor(sums: &Sums, value: Rate, currency: Currency) -> u128 {
    let given = sums.earned.saturating_add(sums.brought);
    let points = given.saturating_sub(sums.clawed_back).saturating_sub(sums.expired);
    worth_minor(points, value, currency)
}

/// What `points` are worth, in minor units, rounded down.
fn worth_minor(points: u128, value: Rate, currency: Currency) -> u128 {
    let unit = 10_u128.saturating_pow(currency.exponent().into());
    let scale = 10_u128.saturating_pow(value.scale().into());
    let product = points.saturating_mul(value.mantissa().into()).saturating_mul(unit);
    product.checked_div(scale).unwrap_or(0)
}

fn write_comparison(
    out: &mut dyn Write,
    (first_run, before, from): (&Run, &Vec<Member>, &Sums),
    (second_run, after, to): (&Run, &Vec<Member>, &Sums),
) -> io::Result<()> {
    writeln!(out, "From {} to {}", first_run.title, second_run.title)?;
    let (first, second) = (&first_run.program, &second_run.program);
    let mut moves: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    let (mut more, mut fewer) = (0_u64, 0_u64);
    let mut afterwards = after.iter().peekable();
    let (mut only_before, mut only_after) = (0_u64, 0_u64);
    for old in before {
        // Both are sorted by id; a program that refuses all orders of a member has no account of it.
        while afterwards.next_if(|it| it.id < old.id).is_some() {
            only_after += 1;
        }
        let Some(new) = afterwards.next_if(|it| it.id == old.id) else {
            only_before += 1;
            continue;
        };
        let points = old.balance.available.cmp(&new.balance.available);
        more += u64::from(points.is_lt());
        fewer += u64::from(points.is_gt());
        *moves.entry((old.rank, new.rank)).or_default() += 1;
    }
    only_after += size(afterwards.count());
    let level = |program: &Program, rank: usize| {
        program.levels().get(rank).map_or_else(String::new, |it| it.name.clone())
    };
    let mut table = plain_table();
    table.add_row(["members", "", "from", "to"]);
    let (mut risen, mut fallen, mut stayed) = (0_u64, 0_u64, 0_u64);
    for ((old, new), members) in moves {
        let direction = match direction(first, old, second, new) {
            Ordering::Less => {
                risen += members;
                "rise"
            }
            Ordering::Greater => {
                fallen += members;
                "fall"
            }
            Ordering::Equal => {
                stayed += members;
                "stay"
            }
        };
        let (old_name, new_name) = (level(first, old), level(second, new));
        table.add_row([count(members), direction.to_owned(), old_name, new_name]);
    }
    print(out, &mut table, 1)?;
    writeln!(
        out,
        "  {} rise, {} fall, {} stay. Levels of one name are the same level.",
        members_of(risen),
        count(fallen),
        count(stayed)
    )?;
    for (members, run) in [(only_before, first_run), (only_after, second_run)] {
        if members > 0 {
            let (members, title) = (members_of(members), &run.title);
            writeln!(out, "  {members} with an account only under {title}.")?;
        }
    }
    writeln!(
        out,
        "  {} with more available points, {} with fewer.",
        members_of(more),
        count(fewer)
    )?;
    let (old, new) =
        (from.earned.saturating_sub(from.clawed_back), to.earned.saturating_sub(to.clawed_back));
    let difference = match new.cmp(&old) {
        Ordering::Equal => "As many points are given".to_owned(),
        Ordering::Greater => format!("{} more points are given", thousands(new.abs_diff(old))),
        Ordering::Less => format!("{} fewer points are given", thousands(new.abs_diff(old))),
    };
    writeln!(out, "  {difference}, after refunds.")?;
    // Where only one program says what a point is worth, it is worth that in both.
    let values = [first, second].map(|it| it.spec().point_value);
    if let [first_value, second_value] = values
        && let Some(first_value) = first_value.or(second_value)
        && let Some(second_value) = second_value.or(Some(first_value))
        && first.spec().currency == second.spec().currency
    {
        let currency = first.spec().currency;
        let (old, new) =
            (given_minor(from, first_value, currency), given_minor(to, second_value, currency));
        let difference = money(new.abs_diff(old), currency);
        match new.cmp(&old) {
            Ordering::Equal => writeln!(out, "  It costs the same.")?,
            Ordering::Greater => writeln!(out, "  It costs {difference} more.")?,
            Ordering::Less => writeln!(out, "  It costs {difference} less.")?,
        }
    } else {
        let why = if first.spec().currency == second.spec().currency {
            "no program has a `point_value`"
        } else {
            "the programs count in different currencies"
        };
        writeln!(out, "  What it costs cannot be said: {why}.")?;
    }
    writeln!(out)
}

/// Whether a member of the level `old` of `first` who has the level `new` of `second` rose or fell.
///
/// The lowest levels are the same, and so are levels of one name. Others are compared within the
/// program that knows both, and if none does, by their places.
fn direction(first: &Program, old: usize, second: &Program, new: usize) -> Ordering {
    if (old, new) == (0, 0) {
        return Ordering::Equal;
    }
    let place = |program: &Program, of: &Program, rank: usize| {
        let name = &of.levels().get(rank)?.name;
        program.levels().iter().position(|it| it.name == *name)
    };
    if let Some(new) = place(first, second, new) {
        old.cmp(&new)
    } else if let Some(old) = place(second, first, old) {
        old.cmp(&new)
    } else {
        old.cmp(&new)
    }
}

/// A table without lines, whose first columns are numbers.
pub(crate) fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table
}

pub(crate) fn print(out: &mut dyn Write, table: &mut Table, numbers: usize) -> io::Result<()> {
    table.column_iter_mut().take(numbers).for_each(|column| {
        column.set_cell_alignment(CellAlignment::Right);
    });
    for line in table.lines() {
        writeln!(out, " {}", line.trim_end())?;
    }
    Ok(())
}

/// `part / whole` in percent with two digits, rounded down.
/// How many percent `part` is of `whole`, rounded half up to a hundredth; `None` of nothing.
fn share(part: u128, whole: u128) -> Option<String> {
    let hundredths =
        part.checked_mul(10_000)?.checked_add(whole.checked_div(2)?)?.checked_div(whole)?;
    Some(format!("{}.{:02} %", hundredths.checked_div(100)?, hundredths.checked_rem(100)?))
}

fn money(minor: u128, currency: Currency) -> String {
    let exponent = currency.exponent();
    let unit = 10_u128.saturating_pow(exponent.into());
    let whole = thousands(minor.checked_div(unit).unwrap_or(0));
    if exponent == 0 {
        return format!("{whole} {currency}");
    }
    let rest = minor.checked_rem(unit).unwrap_or(0);
    format!("{whole}.{rest:0width$} {currency}", width = usize::from(exponent))
}

pub(crate) fn count(number: u64) -> String {
    thousands(number.into())
}

pub(crate) fn members_of(number: u64) -> String {
    of(number, "member")
}

/// A number of things, in words that agree.
pub(crate) fn of(number: u64, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {what}{ending}", count(number))
}

pub(crate) fn size(number: usize) -> u64 {
    number.try_into().unwrap_or(u64::MAX)
}

/// A number with commas between its thousands.
pub(crate) fn thousands(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len().saturating_mul(2));
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && digits.len().saturating_sub(index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
