//! Files of balances: rows join their member, and each member without a mistake becomes an event.

use std::{
    collections::{BTreeMap, HashMap},
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::{Timestamp, civil::Date};
use loyalty_contracts::{
    Event,
    balance::{BalanceOpened, EarlierProgress, Lot, MonthOfProgress, PendingPoints, Tier},
};
use loyalty_domain::{
    calendar::Month,
    decide::{Decision, Known, decide},
    id::{LevelId, MemberId},
    money::Minor,
    opening::{LOTS_MAX, MONTHS_MAX, PENDING_MAX},
    points::Points,
    program::Program,
    rate::Rate,
    tier,
};

use crate::{
    import::rows::{Row, Rows},
    toml_reader::{listed, nearest},
};

/// The columns that a file may have.
const COLUMNS: [&str; 10] = [
    "member_id",
    "points",
    "usable_through",
    "available_at",
    "debt",
    "level",
    "level_valid_through",
    "month",
    "spend",
    "orders",
];

/// A file is none of balances.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BalancesError {
    /// The file system says no.
    #[error("cannot read the balances in {}", .path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// There is no header, so nothing can be found.
    #[error("{}: the first row must name the columns, such as member_id,points,usable_through", .path.display())]
    NoHeader { path: PathBuf },
    /// The header names something else, which would not be brought.
    #[error("{}: there is no column `{name}`; {hint}", .path.display())]
    UnknownColumn { path: PathBuf, name: String, hint: String },
    /// The header names something twice.
    #[error("{}: the column `{name}` is there twice", .path.display())]
    RepeatedColumn { path: PathBuf, name: &'static str },
    /// Nobody knows whose the rows are.
    #[error("{}: the column `member_id` is missing", .path.display())]
    NoMemberColumn { path: PathBuf },
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Balances {
    /// Rows, the header not counted.
    pub(crate) rows: u64,
    /// The events, each with the line on which its member begins, in the order of the file.
    pub(crate) events: Vec<(u64, Event)>,
    /// What they come to.
    pub(crate) sums: BroughtSums,
    /// Everything that is wrong, by line.
    pub(crate) mistakes: Vec<Mistake>,
    /// Members that are left out for a mistake.
    pub(crate) rejected: u64,
    /// Members that have nothing, and so no event.
    pub(crate) with_nothing: u64,
    /// Members between whose rows rows of others stand.
    pub(crate) scattered: u64,
}

/// What events come to if they find no account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BroughtSums {
    pub(crate) lots: u64,
    pub(crate) available: u128,
    pub(crate) pending: u128,
    pub(crate) expired: u128,
    pub(crate) debt: u128,
    pub(crate) members_by_rank: Vec<u64>,
}

/// Something that is wrong, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// The line in the file.
    pub(crate) line: u64,
    /// Whose row it is, where that can be told.
    pub(crate) member: Option<String>,
    /// What is wrong.
    pub(crate) what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if let Some(member) = &self.member {
            write!(f, "member {member}: ")?;
        }
        f.write_str(&self.what)
    }
}

/// Reads the file at `path`, whose balances are those of `opened_at`, and makes the events that bring them
/// into `program`.
///
/// # Errors
///
/// [`BalancesError`] if there are no rows to speak of. What is wrong with a row is among the
/// [`Balances::mistakes`].
pub(crate) fn read(
    path: &Path,
    program: &Program,
    opened_at: Timestamp,
) -> Result<Balances, BalancesError> {
    let unreadable = |source| BalancesError::Unreadable { path: path.to_owned(), source };
    let mut rows = Rows::open(path, b',', None, Arc::default()).map_err(unreadable)?;
    let columns = match rows.next().map_err(unreadable)? {
        Some(Ok(header)) => Columns::of(path, header)?,
        Some(Err(_)) | None => return Err(BalancesError::NoHeader { path: path.to_owned() }),
    };
    let mut file = Members::default();
    let mut count = 0_u64;
    while let Some(row) = rows.next().map_err(unreadable)? {
        count = count.saturating_add(1);
        match row {
            Ok(row) => file.add(There { program, opened_at }, &columns, row),
            Err((line, broken)) => file.reject_neighbors(line, &broken.to_string()),
        }
    }
    let mut balances = file.into_balances(program, opened_at);
    balances.rows = count;
    balances.mistakes.sort_by_key(|it| it.line);
    Ok(balances)
}

/// The instant that `text` names: one of RFC 3339, or the first of a day.
pub(crate) fn instant(program: &Program, text: &str) -> Option<Timestamp> {
    let instant = match day(text) {
        Some(day) => program.calendar().midnight(day).ok(),
        // The library's own reading is wider; without an offset an instant could be any.
        None => text.contains('T').then(|| text.parse::<Timestamp>().ok()).flatten(),
    };
    instant.filter(|it| YEARS.contains(&program.calendar().day_of(*it).year()))
}

/// The years that are no mistake.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=2199;

fn day(text: &str) -> Option<Date> {
    let is_plain = text.len() == 10 && text.bytes().all(|it| it.is_ascii_digit() || it == b'-');
    let day = is_plain.then(|| text.parse::<Date>().ok()).flatten();
    day.filter(|it| YEARS.contains(&it.year()))
}

/// Where the columns are.
struct Columns {
    places: [Option<usize>; COLUMNS.len()],
    all: usize,
}

impl Columns {
    fn of(path: &Path, header: &Row) -> Result<Self, BalancesError> {
        let path = || path.to_owned();
        let mut columns = Self { places: [None; COLUMNS.len()], all: header.len() };
        for index in 0..header.len() {
            let name = String::from_utf8_lossy(header.field(index).unwrap_or_default());
            let name = name.trim();
            let Some(known) = COLUMNS.iter().position(|it| *it == name) else {
                if name.is_empty() {
                    continue;
                }
                let hint = match nearest(name, COLUMNS) {
                    _ if header.len() == 1 && name.contains([';', '\t', '|']) => {
                        "columns are separated by commas".to_owned()
                    }
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("columns are {}", listed(COLUMNS, "and")),
                };
                let name = name.to_owned();
                return Err(BalancesError::UnknownColumn { path: path(), name, hint });
            };
            if let Some(place) = columns.places.get_mut(known)
                && place.replace(index).is_some()
            {
                let name = COLUMNS.get(known).copied().unwrap_or_default();
                return Err(BalancesError::RepeatedColumn { path: path(), name });
            }
        }
        match columns.places {
            [Some(_), ..] => Ok(columns),
            _ => Err(BalancesError::NoMemberColumn { path: path() }),
        }
    }

    /// The text of a column; empty if there is no such column.
    fn raw<'a>(&self, row: &'a Row, name: &'static str) -> Result<&'a str, String> {
        let place = COLUMNS.iter().position(|it| *it == name);
        let place = place.and_then(|it| self.places.get(it).copied().flatten());
        let Some(place) = place else { return Ok("") };
        let field = row.field(place).unwrap_or_default();
        str::from_utf8(field).map_err(|_| format!("`{name}` must be UTF-8"))
    }

    /// The same without the spaces around it.
    fn text<'a>(&self, row: &'a Row, name: &'static str) -> Result<&'a str, String> {
        self.raw(row, name).map(str::trim)
    }

    /// A number of points; `None` if the column is empty.
    fn points(&self, row: &Row, name: &'static str) -> Result<Option<Points>, String> {
        let text = self.text(row, name)?;
        if text.is_empty() {
            return Ok(None);
        }
        if text.starts_with('-') {
            let instead = if name == "points" {
                ": write what is owed as `debt`"
            } else {
                ": write how many points are owed"
            };
            return Err(format!("`{name}` must not be negative{instead}"));
        }
        let points = plain_number::<u64>(text).and_then(|it| it.try_into().ok());
        points
            .map(Some)
            .ok_or_else(|| format!("`{name}` must be a whole number such as 1200, digits only"))
    }

    fn day(&self, row: &Row, name: &'static str) -> Result<Option<Date>, String> {
        let text = self.text(row, name)?;
        if text.is_empty() {
            return Ok(None);
        }
        let right = "a day from 1970-01-01 to 2199-12-31, written such as 2026-12-31";
        day(text).map(Some).ok_or_else(|| format!("`{name}` must be {right}"))
    }
}

fn plain_number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|it| it.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Where the members come to, and when.
#[derive(Clone, Copy)]
struct There<'a> {
    program: &'a Program,
    opened_at: Timestamp,
}

/// Something that a member has once, and the line on which it stands.
type Once<T> = Option<(u64, T)>;

/// What one member has.
#[derive(Default)]
struct Member {
    id: String,
    line: u64,
    lots: BTreeMap<Date, Points>,
    pending: BTreeMap<(Timestamp, Option<Date>), Points>,
    debt: Once<Points>,
    level: Once<(LevelId, Option<Date>)>,
    months: BTreeMap<Month, (u64, (Minor, u32))>,
    earlier: Once<(Minor, u32)>,
    is_wrong: bool,
    /// Rows of others stand between its rows.
    is_scattered: bool,
}

/// The members of a file, in the order in which they begin.
#[derive(Default)]
struct Members {
    all: Vec<Member>,
    by_id: HashMap<String, usize>,
    mistakes: Vec<Mistake>,
    /// The member of the row before.
    before: Option<usize>,
    /// The row before may have been the next member's.
    takes_next_along: bool,
}

impl Members {
    fn add(&mut self, there: There<'_>, columns: &Columns, row: &Row) {
        let line = row.line;
        // Ids compare byte for byte, as those of orders do.
        let member = columns.raw(row, "member_id").and_then(|text| {
            MemberId::try_from(text).map_err(|error| format!("`member_id` is wrong: {error}"))
        });
        let id = match member {
            Ok(id) => id.to_string(),
            Err(what) => return self.reject_neighbors(line, &what),
        };
        let index = *self.by_id.entry(id.clone()).or_insert(self.all.len());
        if index == self.all.len() {
            self.all.push(Member { id: id.clone(), line, ..Member::default() });
        }
        let is_scattered = self.before != Some(index) && index.saturating_add(1) < self.all.len();
        self.before = Some(index);
        let takes_along = std::mem::take(&mut self.takes_next_along);
        let Some(member) = self.all.get_mut(index) else { return };
        member.is_wrong |= takes_along;
        member.is_scattered |= is_scattered;
        let wrongs = check_length(columns, row).map_or_else(
            |what| vec![what],
            |()| {
                let all = [
                    member.add_points(there.program, columns, row),
                    member.add_debt(columns, row),
                    member.add_level(there.program, columns, row),
                    member.add_progress(there, columns, row),
                ];
                all.into_iter().filter_map(Result::err).collect()
            },
        );
        for what in wrongs {
            member.is_wrong = true;
            self.mistakes.push(Mistake { line, member: Some(id.clone()), what });
        }
    }

    /// A row is wrong of which nobody can tell whose it is: most likely that of the rows beside it, of
    /// whom a part would then be brought, and the rest never could be.
    fn reject_neighbors(&mut self, line: u64, what: &str) {
        let what = format!("{what} (the members of the rows beside it are left out, too)");
        self.mistakes.push(Mistake { line, member: None, what });
        self.takes_next_along = true;
        if let Some(member) = self.before.and_then(|it| self.all.get_mut(it)) {
            member.is_wrong = true;
        }
    }

    fn into_balances(self, program: &Program, opened_at: Timestamp) -> Balances {
        let mut balances = Balances { mistakes: self.mistakes, ..Balances::default() };
        balances.sums.members_by_rank = vec![0; program.levels().len()];
        for member in self.all {
            balances.scattered += u64::from(member.is_scattered);
            if member.is_wrong {
                balances.rejected += 1;
                continue;
            }
            let (line, id) = (member.line, member.id.clone());
            if member.is_nothing() {
                balances.with_nothing += 1;
                continue;
            }
            match member.into_event(program, opened_at, &mut balances.sums) {
                Ok(event) => balances.events.push((line, event)),
                Err(what) => {
                    balances.rejected += 1;
                    balances.mistakes.push(Mistake { line, member: Some(id), what });
                }
            }
        }
        balances
    }
}

fn check_length(columns: &Columns, row: &Row) -> Result<(), String> {
    let (found, expected) = (row.len(), columns.all);
    // Spreadsheets like to add empty fields at the end.
    let has_more = (expected..found).any(|it| row.field(it).is_some_and(|it| !it.is_empty()));
    if has_more {
        return Err(format!(
            "has {found} fields where the header has {expected}: a comma in a field needs quotes, and \
             numbers have a decimal point"
        ));
    }
    if found < expected {
        return Err(format!(
            "has {found} fields where the header has {expected}: write an empty field for what is not there"
        ));
    }
    Ok(())
}

/// What stands once: again is fine if it is the same.
fn set_once<T: PartialEq>(
    once: &mut Once<T>,
    line: u64,
    value: T,
    name: &str,
) -> Result<(), String> {
    match once {
        Some((_, known)) if *known == value => Ok(()),
        Some((first, _)) => Err(format!(
            "{name} differs from line {first}: a member has one, so write it once or always the same"
        )),
        None => {
            *once = Some((line, value));
            Ok(())
        }
    }
}

impl Member {
    fn add_points(
        &mut self,
        program: &Program,
        columns: &Columns,
        row: &Row,
    ) -> Result<(), String> {
        let points = columns.points(row, "points")?;
        let through = columns.day(row, "usable_through")?;
        let at = columns.text(row, "available_at")?;
        let at = match at {
            "" => None,
            text => Some(instant(program, text).ok_or(
                "`available_at` must be a day such as 2026-07-09, or an instant with its offset such as \
                 2026-07-09T10:15:00+02:00",
            )?),
        };
        let Some(points) = points else {
            return match (through, at) {
                (None, None) => Ok(()),
                (Some(_), _) => Err("`usable_through` needs `points` beside it".to_owned()),
                (None, Some(_)) => Err("`available_at` needs `points` beside it".to_owned()),
            };
        };
        let sum = match (at, through) {
            _ if points.is_zero() => return Ok(()),
            (Some(at), through) => self.pending.entry((at, through)).or_default(),
            (None, Some(through)) => self.lots.entry(through).or_default(),
            (None, None) => {
                return Err(
                    "`points` need `usable_through`, the last day on which they can be used, \
                            such as 2026-12-31; or `available_at`, if they are still pending"
                        .to_owned(),
                );
            }
        };
        *sum = sum
            .plus(points)
            .map_err(|_| "the member's points are more than can be counted".to_owned())?;
        Ok(())
    }

    fn add_debt(&mut self, columns: &Columns, row: &Row) -> Result<(), String> {
        match columns.points(row, "debt")? {
            None => Ok(()),
            Some(debt) => set_once(&mut self.debt, row.line, debt, "`debt`"),
        }
    }

    fn add_level(&mut self, program: &Program, columns: &Columns, row: &Row) -> Result<(), String> {
        let level = columns.text(row, "level")?;
        let valid_through = columns.day(row, "level_valid_through")?;
        if level.is_empty() {
            return match valid_through {
                None => Ok(()),
                Some(_) => Err("`level_valid_through` needs `level` beside it".to_owned()),
            };
        }
        let known = program.levels().iter().find(|it| it.id.as_str() == level);
        let known = known.ok_or_else(|| {
            let by_name =
                program.levels().iter().find(|it| it.name.to_lowercase() == level.to_lowercase());
            let ids = || program.levels().iter().map(|it| it.id.as_str());
            let near = by_name.map(|it| it.id.as_str()).or_else(|| nearest(level, ids()));
            let hint = near.map_or_else(
                || format!("levels are {}", listed(ids(), "and")),
                |it| format!("did you mean `{it}`?"),
            );
            format!("`level` is none of the program: {hint}")
        })?;
        set_once(&mut self.level, row.line, (known.id.clone(), valid_through), "`level`")
    }

    fn add_progress(
        &mut self,
        There { program, opened_at }: There<'_>,
        columns: &Columns,
        row: &Row,
    ) -> Result<(), String> {
        let month = columns.text(row, "month")?;
        let (spend, orders) = (columns.text(row, "spend")?, columns.text(row, "orders")?);
        if spend.is_empty() && orders.is_empty() {
            return match month {
                "" => Ok(()),
                _ => Err("`month` needs `spend` or `orders` beside it".to_owned()),
            };
        }
        let digits = program.spec().currency.exponent();
        let spend = match spend {
            "" => Minor::ZERO,
            text => amount(text, digits).ok_or_else(|| {
                let example = if digits == 0 { "260" } else { "259.90" };
                format!(
                    "`spend` must be a decimal number of {} with at most {digits} digits after the point, \
                     such as {example}",
                    program.spec().currency
                )
            })?,
        };
        let orders = match orders {
            "" => 0,
            text => plain_number(text).ok_or("`orders` must be a whole number such as 3")?,
        };
        if month.is_empty() {
            let name = "what stands without a month";
            return set_once(&mut self.earlier, row.line, (spend, orders), name);
        }
        let is_month = month.len() == 7 && day(&format!("{month}-01")).is_some();
        let month = is_month.then(|| Month::try_from(month.to_owned()).ok()).flatten();
        let month = month.ok_or("`month` must be a month such as 2026-03")?;
        let last = Month::of(program.calendar().day_of(opened_at));
        if month > last {
            return Err(format!("`month` must be at most {last}, that of the opening"));
        }
        match self.months.insert(month, (row.line, (spend, orders))) {
            None => Ok(()),
            Some((first, _)) => Err(format!(
                "`month` is that of line {first}, too: write one row for each month, with the sum"
            )),
        }
    }

    fn is_nothing(&self) -> bool {
        let nothing = (Minor::ZERO, 0);
        self.lots.is_empty()
            && self.pending.is_empty()
            && self.debt.as_ref().is_none_or(|(_, it)| it.is_zero())
            && self.level.is_none()
            && self.months.values().all(|(_, it)| *it == nothing)
            && self.earlier.as_ref().is_none_or(|(_, it)| *it == nothing)
    }

    /// The event that brings it all, if it is one that would be accepted.
    fn into_event(
        self,
        program: &Program,
        opened_at: Timestamp,
        sums: &mut BroughtSums,
    ) -> Result<Event, String> {
        let limits = [
            (self.lots.len(), LOTS_MAX, "lots: bring points of later days together"),
            (self.pending.len(), PENDING_MAX, "groups of pending points: bring some together"),
            (self.months.len(), MONTHS_MAX, "months: bring older ones as one row without a month"),
        ];
        if let Some((found, most, what)) = limits.into_iter().find(|it| it.0 > it.1) {
            return Err(format!("has {found} of at most {most} {what}"));
        }
        let nothing = (Minor::ZERO, 0);
        let lots = self.lots.into_iter();
        let pending = self.pending.into_iter();
        let months = self.months.into_iter();
        let event = BalanceOpened {
            member_id: self.id.into(),
            opened_at,
            lots: lots.map(|(usable_through, points)| Lot { points, usable_through }).collect(),
            pending: pending
                .map(|((available_at, usable_through), points)| PendingPoints {
                    points,
                    available_at,
                    usable_through,
                })
                .collect(),
            debt: self.debt.map_or(Points::ZERO, |(_, it)| it),
            tier: self
                .level
                .map(|(_, (level, valid_through))| Tier { level: level.into(), valid_through }),
            months: months
                .map(|(month, (_, (spend_minor, orders)))| MonthOfProgress {
                    month,
                    spend_minor,
                    orders,
                })
                .collect(),
            earlier: self
                .earlier
                .filter(|(_, it)| *it != nothing)
                .map(|(_, (spend_minor, orders))| EarlierProgress { spend_minor, orders }),
        };
        let event = Event::Opened(event);
        let request = event.clone().into_request(opened_at).map_err(|it| it.to_string())?;
        let decision = decide(program, &Known::default(), &request);
        let Decision::Effect { account: Some(account), .. } =
            decision.map_err(|it| it.to_string())?
        else {
            return Err("brings nothing".to_owned());
        };
        let balance = account.balance().map_err(|it| it.to_string())?;
        let add = |sum: &mut u128, points: Points| *sum = sum.saturating_add(points.get().into());
        add(&mut sums.available, balance.available);
        add(&mut sums.pending, balance.pending);
        add(&mut sums.debt, balance.debt);
        add(&mut sums.expired, account.totals.expired);
        let lots = account.lots.iter().filter(|it| !it.points.is_zero()).count();
        sums.lots = sums.lots.saturating_add(lots.try_into().unwrap_or(u64::MAX));
        if let Some(members) = sums.members_by_rank.get_mut(tier::rank(program, &account)) {
            *members += 1;
        }
        Ok(event)
    }
}

/// A decimal with at most `digits` digits after the point, in units of the last one.
fn amount(text: &str, digits: u8) -> Option<Minor> {
    let rate: Rate = text.parse().ok()?;
    rate.in_units_of(digits).ok()?.try_into().ok()
}
