//! Documents: the rows of one invoice together, and what each row of them is worth.

use std::{collections::HashMap, str};

use compact_str::CompactString;
use jiff::{Timestamp, civil::DateTime, fmt::strtime::BrokenDownTime};
use loyalty_domain::{
    id::{ID_BYTES_MAX, MemberId, OrderId, Sku},
    money::Currency,
};

use super::{
    map::{ColumnMap, Columns, Kind, Worth},
    rows::Row,
};

/// The years of which orders are taken: events of others are refused.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=2199;

/// Digits below the major unit to which prices are kept: finer than any price list.
const PRICE_DIGITS: u8 = 9;

/// All documents of a file, in the order in which they begin in it.
#[derive(Default)]
pub(crate) struct Documents {
    pub(crate) all: Vec<Document>,
    by_id: HashMap<CompactString, usize>,
    pub(crate) skus: Texts,
    pub(crate) categories: Texts,
    pub(crate) members: Texts,
    /// Rows that belong to no document, or to one that is neither order nor return.
    pub(crate) rejected: Vec<RejectedRow>,
    /// The document of the row before, which nearly always is the next row's, too.
    last: Option<usize>,
    last_time: Option<(Vec<u8>, Time)>,
    /// Documents whose rows do not all follow each other.
    pub(crate) scattered: usize,
}

/// Texts that occur again and again, each kept once.
#[derive(Default)]
pub(crate) struct Texts {
    all: Vec<CompactString>,
    by_text: HashMap<CompactString, u32>,
}

impl Texts {
    fn index_of(&mut self, text: &str) -> u32 {
        if let Some(index) = self.by_text.get(text) {
            return *index;
        }
        let index = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(text.into());
        self.by_text.insert(text.into(), index);
        index
    }

    /// The text at `index`.
    pub(crate) fn get(&self, index: u32) -> &str {
        usize::try_from(index).ok().and_then(|it| self.all.get(it)).map_or("", |it| it)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }
}

/// An order or a return.
pub(crate) struct Document {
    pub(crate) id: CompactString,
    pub(crate) kind: Kind,
    /// Whose; `None` for a guest's.
    pub(crate) member: Option<u32>,
    /// Whether a row names a member by what is no id, so that it is no guest's either.
    has_wrong_member: bool,
    /// The line of its first row.
    pub(crate) line: u64,
    /// The earliest time of its rows.
    time: Option<Time>,
    /// The instant of it, once all rows are read.
    pub(crate) at: Timestamp,
    pub(crate) currency: Currency,
    pub(crate) channel: Option<CompactString>,
    /// The first code that a row of it names.
    pub(crate) referral_code: Option<CompactString>,
    pub(crate) lines: Vec<DocumentLine>,
    /// Whether rows of others stand between its own.
    is_scattered: bool,
    rejected: Vec<RejectedRow>,
}

/// A time as it stands in a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Time {
    /// With an offset of its own.
    Instant(Timestamp),
    /// As clocks of the map's time zone show it.
    Local(DateTime),
}

/// A row of a document.
#[derive(Clone, Copy)]
pub(crate) struct DocumentLine {
    pub(crate) sku: u32,
    pub(crate) category: Option<u32>,
    /// How many were bought, or come back.
    pub(crate) quantity: u32,
    /// How many of them no return has taken yet.
    pub(crate) left: u32,
    /// A price in 10^-9 major units, or the whole line's amount in minor units.
    worth: u64,
}

/// A row that was left out.
#[derive(Clone, Debug)]
pub(crate) struct RejectedRow {
    pub(crate) line: u64,
    pub(crate) reason: RowMistake,
}

/// Why a row is left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RowMistake {
    #[error("{0}")]
    Broken(#[from] super::rows::BrokenRow),
    #[error("has {found} fields where {expected} are needed")]
    TooFewFields { found: usize, expected: usize },
    #[error(
        "has {found} fields where the header has {expected}: is a delimiter or a decimal comma not in \
         quotes?"
    )]
    TooManyFields { found: usize, expected: usize },
    #[error("column `{0}` is not in the file's encoding")]
    NotText(&'static str),
    #[error("column `document` is neither an order nor a return")]
    NeitherOrderNorReturn,
    #[error("column `{column}`: {error}")]
    Id { column: &'static str, error: loyalty_domain::id::InvalidId },
    #[error("column `time` is not a time like `{format}`, and of a day that exists")]
    NotATime { format: String },
    #[error("column `time` is before 1970 or after 2199")]
    TimeOutOfRange,
    #[error("column `quantity` is not a whole number of at most 4,294,967,295")]
    NotAQuantity,
    #[error("column `{0}` is not a decimal number such as 1234{point}50", point = char::from(*.1))]
    NotANumber(&'static str, u8),
    #[error("column `{0}` has too many digits to be counted")]
    TooManyDigits(&'static str),
    #[error("column `{0}` is negative")]
    Negative(&'static str),
    #[error("the quantity must be more than 0")]
    QuantityNotPositive,
    #[error("a return's quantity must be less than 0")]
    QuantityOfReturn,
    #[error("column `member` names another member than the rows before of this document")]
    OtherMember,
    #[error("column `currency` is not a currency of ISO 4217")]
    NotACurrency,
    #[error("column `currency` names another currency than the rows before of this document")]
    OtherCurrency,
    #[error("column `referral_code` has more than 128 bytes, or a control character")]
    NotACode,
    #[error("its document has more than 10,000 lines")]
    TooManyLines,
}

impl Document {
    /// Whether no row of it names a member.
    pub(crate) const fn is_guests(&self) -> bool {
        self.member.is_none() && !self.has_wrong_member
    }

    /// What `count` of the line at `index` are worth in minor units, rounded half away from zero.
    ///
    /// `None` if that is more than can be counted.
    pub(crate) fn worth(&self, worth: Worth, line: &DocumentLine, count: u32) -> Option<u64> {
        let (unit, per) = match worth {
            Worth::Price => {
                let digits = PRICE_DIGITS.checked_sub(self.currency.exponent())?;
                (u128::from(line.worth), 10_u128.checked_pow(digits.into())?)
            }
            Worth::Amount => (u128::from(line.worth), u128::from(line.quantity)),
        };
        let product = unit.checked_mul(count.into())?;
        // Never negative here, so half away from zero is half up.
        let rounded = product.checked_add(per.checked_div(2)?)?.checked_div(per)?;
        u64::try_from(rounded).ok().filter(|it| i64::try_from(*it).is_ok())
    }
}

impl Documents {
    /// Takes one row in, or says why not; the rest of its document goes on.
    pub(crate) fn add(&mut self, map: &ColumnMap, columns: &Columns, row: &Row) {
        if let Err((document, reason)) = self.try_add(map, columns, row) {
            let rejected = RejectedRow { line: row.line, reason };
            // A guest's rows are not looked at, and who is a guest is known at the end only.
            match document.and_then(|it| self.all.get_mut(it)) {
                Some(document) => document.rejected.push(rejected),
                None => self.rejected.push(rejected),
            }
        }
    }

    /// A row that could not be split.
    pub(crate) fn reject(&mut self, line: u64, reason: RowMistake) {
        self.rejected.push(RejectedRow { line, reason });
    }

    fn try_add(
        &mut self,
        map: &ColumnMap,
        columns: &Columns,
        row: &Row,
    ) -> Result<(), (Option<usize>, RowMistake)> {
        if row.len() < columns.needed {
            let (found, expected) = (row.len(), columns.needed);
            return Err((None, RowMistake::TooFewFields { found, expected }));
        }
        // Spreadsheets like to add empty fields at the end.
        if (columns.all..row.len()).any(|it| row.field(it).is_some_and(|it| !it.is_empty())) {
            let (found, expected) = (row.len(), columns.all);
            return Err((None, RowMistake::TooManyFields { found, expected }));
        }
        let id = text(row, columns.document, "document").map_err(|it| (None, it))?;
        let index = self.document(map, columns, row, id).map_err(|it| (None, it))?;
        self.add_to(index, map, columns, row).map_err(|it| (Some(index), it))
    }

    /// The document that `row` belongs to, begun if it is the first row of it.
    fn document(
        &mut self,
        map: &ColumnMap,
        columns: &Columns,
        row: &Row,
        id: &str,
    ) -> Result<usize, RowMistake> {
        if let Some(last) = self.last
            && self.all.get(last).is_some_and(|it| it.id == id)
        {
            return Ok(last);
        }
        if let Some(index) = self.by_id.get(id).copied() {
            self.last = Some(index);
            if let Some(document) = self.all.get_mut(index) {
                self.scattered += usize::from(!std::mem::replace(&mut document.is_scattered, true));
            }
            return Ok(index);
        }
        let kind = map.kind_of(id).ok_or(RowMistake::NeitherOrderNorReturn)?;
        OrderId::try_from(id).map_err(|error| RowMistake::Id { column: "document", error })?;
        let currency = match columns.currency {
            Some(column) => currency(row, column)?,
            None => map.currency,
        };
        let channel = match columns.channel {
            Some(column) => Some(text(row, column, "channel")?).filter(|it| !it.is_empty()),
            None => None,
        };
        let index = self.all.len();
        self.all.push(Document {
            id: id.into(),
            kind,
            member: None,
            has_wrong_member: false,
            is_scattered: false,
            line: row.line,
            time: None,
            at: Timestamp::UNIX_EPOCH,
            currency,
            channel: channel.map(Into::into),
            referral_code: None,
            lines: Vec::new(),
            rejected: Vec::new(),
        });
        self.by_id.insert(id.into(), index);
        self.last = Some(index);
        Ok(index)
    }

    fn add_to(
        &mut self,
        index: usize,
        map: &ColumnMap,
        columns: &Columns,
        row: &Row,
    ) -> Result<(), RowMistake> {
        let member = text(row, columns.member, "member")?;
        if !member.trim().is_empty() {
            self.set_member(index, member)?;
        }
        let time = self.time(map, row.field(columns.time).unwrap_or_default())?;
        let code = match columns.referral_code {
            Some(column) => code(row, column)?,
            None => None,
        };
        let Some(document) = self.all.get_mut(index) else { return Ok(()) };
        document.referral_code = document.referral_code.take().or_else(|| code.map(Into::into));
        document.time = Some(document.time.map_or(time, |it| it.min(time)));
        if let Some(column) = columns.currency
            && currency(row, column)? != document.currency
        {
            return Err(RowMistake::OtherCurrency);
        }
        // A negative price comes before a wrong quantity: it says that the row is no sale at all.
        let worth = match map.worth {
            Worth::Price => decimal(row, columns.worth, "price", PRICE_DIGITS, map.decimal_point)?,
            // What a return is worth is not used, and may have either sign.
            Worth::Amount if document.kind == Kind::Return => 0,
            Worth::Amount => {
                let digits = document.currency.exponent();
                decimal(row, columns.worth, "amount", digits, map.decimal_point)?
            }
        };
        let quantity = quantity(row, columns.quantity, document.kind, map.returns_are_negative)?;
        if document.lines.len() >= loyalty_domain::order::LINES_MAX {
            return Err(RowMistake::TooManyLines);
        }
        let sku = text(row, columns.sku, "sku")?;
        Sku::try_from(sku).map_err(|error| RowMistake::Id { column: "sku", error })?;
        let sku = self.skus.index_of(sku);
        let category = match columns.category {
            Some(column) => Some(text(row, column, "category")?)
                .filter(|it| !it.is_empty())
                .map(|it| self.categories.index_of(it)),
            None => None,
        };
        document.lines.push(DocumentLine { sku, category, quantity, left: quantity, worth });
        Ok(())
    }

    fn set_member(&mut self, index: usize, member: &str) -> Result<(), RowMistake> {
        let Some(document) = self.all.get_mut(index) else { return Ok(()) };
        match document.member {
            Some(known) if self.members.get(known) == member => Ok(()),
            Some(_) => Err(RowMistake::OtherMember),
            None => {
                MemberId::try_from(member).map_err(|error| {
                    document.has_wrong_member = true;
                    RowMistake::Id { column: "member", error }
                })?;
                document.member = Some(self.members.index_of(member));
                Ok(())
            }
        }
    }

    fn time(&mut self, map: &ColumnMap, text: &[u8]) -> Result<Time, RowMistake> {
        if let Some((last, time)) = &self.last_time
            && last == text
        {
            return Ok(*time);
        }
        let time = time(&map.time_format, text.trim_ascii())
            .ok_or_else(|| RowMistake::NotATime { format: map.time_format.clone() })?;
        let year = match time {
            Time::Local(time) => time.year(),
            Time::Instant(instant) => map.calendar.day_of(instant).year(),
        };
        if !YEARS.contains(&year) {
            return Err(RowMistake::TimeOutOfRange);
        }
        self.last_time = Some((text.to_vec(), time));
        Ok(time)
    }

    /// Ends reading: fixes every document's instant, and collects what was rejected, by line.
    pub(crate) fn end(&mut self, map: &ColumnMap) {
        self.by_id = HashMap::new();
        for document in &mut self.all {
            match document.time {
                // Within the years that are taken, every local time has an instant.
                Some(Time::Local(time)) => {
                    document.at = map.calendar.instant_of(time).unwrap_or(Timestamp::MAX);
                }
                Some(Time::Instant(instant)) => document.at = instant,
                None => (),
            }
            if !document.is_guests() {
                self.rejected.append(&mut document.rejected);
            }
        }
        self.rejected.sort_unstable_by_key(|it| it.line);
    }
}

fn text<'a>(row: &'a Row, column: usize, name: &'static str) -> Result<&'a str, RowMistake> {
    str::from_utf8(row.field(column).unwrap_or_default()).map_err(|_| RowMistake::NotText(name))
}

/// The code in `column`, if there is one; it may be none that anybody has.
fn code(row: &Row, column: usize) -> Result<Option<&str>, RowMistake> {
    let text = text(row, column, "referral_code")?.trim();
    if text.len() > ID_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(RowMistake::NotACode);
    }
    Ok(Some(text).filter(|it| !it.is_empty()))
}

fn currency(row: &Row, column: usize) -> Result<Currency, RowMistake> {
    text(row, column, "currency")?.parse().map_err(|_| RowMistake::NotACurrency)
}

fn quantity(
    row: &Row,
    column: usize,
    kind: Kind,
    returns_are_negative: bool,
) -> Result<u32, RowMistake> {
    let quantity: i64 =
        text(row, column, "quantity")?.trim().parse().map_err(|_| RowMistake::NotAQuantity)?;
    match (kind, returns_are_negative) {
        (Kind::Return, true) if quantity >= 0 => return Err(RowMistake::QuantityOfReturn),
        (Kind::Order, _) | (Kind::Return, false) if quantity <= 0 => {
            return Err(RowMistake::QuantityNotPositive);
        }
        (Kind::Order | Kind::Return, _) => (),
    }
    u32::try_from(quantity.unsigned_abs()).map_err(|_| RowMistake::NotAQuantity)
}

/// The time in `text`, with an offset if the format has one.
pub(super) fn time(format: &str, text: &[u8]) -> Option<Time> {
    let parts = BrokenDownTime::parse(format, text).ok()?;
    if parts.offset().is_some() || parts.timestamp().is_some() {
        parts.to_timestamp().ok().map(Time::Instant)
    } else {
        parts.to_datetime().ok().map(Time::Local)
    }
}

/// A decimal in units of 10^-`digits`; `None` of them may be lost.
fn decimal(
    row: &Row,
    column: usize,
    name: &'static str,
    digits: u8,
    point: u8,
) -> Result<u64, RowMistake> {
    let text = row.field(column).unwrap_or_default().trim_ascii();
    let (is_negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut value = 0_u64;
    let mut after_point: Option<u8> = None;
    let mut seen = false;
    for &byte in text {
        if byte == point && after_point.is_none() {
            after_point = Some(0);
            continue;
        }
        if !byte.is_ascii_digit() {
            return Err(RowMistake::NotANumber(name, point));
        }
        seen = true;
        let digit = u64::from(byte.wrapping_sub(b'0'));
        if after_point == Some(digits) {
            // Zeros beyond what is kept lose nothing.
            if digit == 0 {
                continue;
            }
            return Err(RowMistake::TooManyDigits(name));
        }
        after_point = after_point.map(|it| it.saturating_add(1));
        value = value
            .checked_mul(10)
            .and_then(|it| it.checked_add(digit))
            .ok_or(RowMistake::TooManyDigits(name))?;
    }
    if !seen {
        return Err(RowMistake::NotANumber(name, point));
    }
    let missing = u32::from(digits.saturating_sub(after_point.unwrap_or(0)));
    let value = 10_u64
        .checked_pow(missing)
        .and_then(|it| value.checked_mul(it))
        .ok_or(RowMistake::TooManyDigits(name))?;
    if is_negative && value > 0 { Err(RowMistake::Negative(name)) } else { Ok(value) }
}
