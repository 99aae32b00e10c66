//! Column maps: which column of a shop's file is what, and how its values are written.

use std::path::Path;

use encoding_rs::Encoding;
use jiff::{Timestamp, fmt::strtime, tz::TimeZone};
use loyalty_domain::{calendar::Calendar, money::Currency};
use regex::Regex;

use crate::{
    program::{
        read::{any_currency, currency},
        suggest,
    },
    toml_reader::{self, FileError, Report, Table, Value, Wrong, flag, nearest, text},
};

/// How many columns of a file are named where others are missing.
const NAMES_SHOWN_MAX: usize = 20;

/// A column map, checked.
pub(crate) struct ColumnMap {
    pub(crate) delimiter: u8,
    pub(crate) encoding: Option<&'static Encoding>,
    pub(crate) decimal_point: u8,
    pub(crate) calendar: Calendar,
    pub(crate) time_format: String,
    pub(crate) currency: Currency,
    order: Option<Regex>,
    returned: Option<Regex>,
    pub(crate) returns_are_negative: bool,
    pub(crate) worth: Worth,
    columns: MapColumns,
}

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An order.
    Order,
    /// A return, which names SKUs and quantities but no order.
    Return,
}

/// What a line's value is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// A price of one.
    Price,
    /// The amount of the whole line.
    Amount,
}

/// Where the columns of one file are.
pub(crate) struct Columns {
    pub(crate) document: usize,
    pub(crate) member: usize,
    pub(crate) time: usize,
    pub(crate) sku: usize,
    pub(crate) quantity: usize,
    pub(crate) worth: usize,
    pub(crate) category: Option<usize>,
    pub(crate) currency: Option<usize>,
    pub(crate) channel: Option<usize>,
    pub(crate) referral_code: Option<usize>,
    /// How many fields a row needs.
    pub(crate) needed: usize,
    /// How many fields the header has.
    pub(crate) all: usize,
}

#[derive(Default)]
struct MapColumns {
    document: String,
    member: String,
    time: String,
    sku: String,
    quantity: String,
    price: Option<String>,
    amount: Option<String>,
    category: Option<String>,
    currency: Option<String>,
    channel: Option<String>,
    referral_code: Option<String>,
}

/// A column map does not fit a file of orders.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MapError {
    /// The file of orders has no such columns.
    #[error(
        "the file has no column {}; it has {found}{hint}",
        .missing.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(" and no column ")
    )]
    MissingColumns { missing: Vec<String>, found: String, hint: String },
    /// The file of orders has a column twice, and nobody knows which one is meant.
    #[error(
        "the file has two columns `{name}`, columns {first} and {second} of it: rename one of them"
    )]
    RepeatedColumn { name: String, first: usize, second: usize },
}

impl ColumnMap {
    /// The map in the file at `path`.
    pub(crate) fn load(path: &Path) -> Result<Self, FileError> {
        toml_reader::load(path, Self::parse)
    }

    /// The map in `text`, which is the file called `name`.
    fn parse(name: &str, text: &str) -> Result<Self, Box<Report>> {
        let (map, mut findings) = toml_reader::read(text, "infra/imports/online-retail.toml", map);
        if map.columns.price.is_some() == map.columns.amount.is_some() {
            let help = "name `price`, of one piece, or `amount`, of the whole line, and not both";
            let (path, what) = match &map.columns.amount {
                Some(_) => ("columns.amount", "the price is named already"),
                None => ("columns", "neither `price` nor `amount` is named"),
            };
            findings.add(path, what, help, None);
        }
        if map.delimiter == map.decimal_point {
            let what = "`decimal_point` is the delimiter, too";
            findings.add("file.decimal_point", what, "one of them must be another", None);
        }
        findings.into_result(name, text, map)
    }

    /// What the document called `id` is; `None` if it is neither order nor return.
    pub(crate) fn kind_of(&self, id: &str) -> Option<Kind> {
        if self.order.as_ref().is_some_and(|it| it.is_match(id)) {
            Some(Kind::Order)
        } else if self.returned.as_ref().is_some_and(|it| it.is_match(id)) {
            Some(Kind::Return)
        } else {
            None
        }
    }

    /// Finds the map's columns in the header of a file; names compare byte for byte, but for spaces
    /// around them.
    pub(crate) fn columns(&self, header: &[String]) -> Result<Columns, MapError> {
        let mut missing = Vec::new();
        let mut repeated = None;
        let mut needed = 0;
        let mut find = |name: &str| {
            let mut found = header.iter().enumerate().filter(|(_, it)| it.trim() == name);
            let index = found.next().map(|(index, _)| index);
            match (index, found.next()) {
                (None, _) => missing.push(name.to_owned()),
                (Some(first), Some((second, _))) => {
                    repeated.get_or_insert((name.to_owned(), first, second));
                }
                (Some(_), None) => (),
            }
            let index = index.unwrap_or(0);
            needed = needed.max(index.saturating_add(1));
            index
        };
        let map = &self.columns;
        let worth = map.price.as_ref().or(map.amount.as_ref());
        let mut columns = Columns {
            document: find(&map.document),
            member: find(&map.member),
            time: find(&map.time),
            sku: find(&map.sku),
            quantity: find(&map.quantity),
            worth: worth.map_or(0, |it| find(it)),
            category: map.category.as_ref().map(|it| find(it)),
            currency: map.currency.as_ref().map(|it| find(it)),
            channel: map.channel.as_ref().map(|it| find(it)),
            referral_code: map.referral_code.as_ref().map(|it| find(it)),
            needed: 0,
            all: header.len(),
        };
        columns.needed = needed;
        if let Some((name, first, second)) = repeated {
            let (first, second) = (first.saturating_add(1), second.saturating_add(1));
            return Err(MapError::RepeatedColumn { name, first, second });
        }
        if missing.is_empty() {
            return Ok(columns);
        }
        let hint = self.hint(header, &missing);
        let rest = header.len().saturating_sub(NAMES_SHOWN_MAX);
        let mut found: Vec<String> = header
            .iter()
            .take(NAMES_SHOWN_MAX)
            .map(|it| format!("`{}`", it.trim().escape_debug()))
            .collect();
        if rest > 0 {
            found.push(format!("{rest} more"));
        }
        Err(MapError::MissingColumns { missing, found: found.join(", "), hint })
    }

    /// What may have gone wrong with a header that lacks columns.
    fn hint(&self, header: &[String], missing: &[String]) -> String {
        if let [only] = header
            && let Some(delimiter) = [';', '\t', '|', ','].into_iter().find(|it| only.contains(*it))
            && u8::try_from(delimiter) != Ok(self.delimiter)
        {
            let written = delimiter.escape_debug();
            return format!("; is `delimiter = \"{written}\"` missing in the column map?");
        }
        if self.encoding.is_none() && header.iter().any(|it| it.contains('\u{fffd}')) {
            let hint = "; is the file's `encoding` missing in the column map, such as";
            return format!("{hint} \"windows-1252\"?");
        }
        let near = missing.iter().find_map(|name| {
            nearest(name, header.iter().map(|it| it.trim()))
                .map(|it| format!("; is `{name}` `{it}`?"))
        });
        near.unwrap_or_default()
    }
}

/// What the map in `table` says, with something harmless for everything that is wrong.
fn map(table: &mut Table<'_>) -> ColumnMap {
    let mut map = table.table(
        "file",
        Some("[file]\ntime_zone = \"Europe/London\"\ntime_format = \"%Y-%m-%d %H:%M\"\ncurrency = \"GBP\""),
        |table| ColumnMap {
            delimiter: table.optional("delimiter", "delimiter = \";\"", character).unwrap_or(b','),
            encoding: table.optional("encoding", "encoding = \"windows-1252\"", encoding),
            decimal_point: table
                .optional("decimal_point", "decimal_point = \",\"", point)
                .unwrap_or(b'.'),
            calendar: table
                .required("time_zone", "time_zone = \"Europe/London\"", calendar)
                .unwrap_or_else(Calendar::utc),
            time_format: table
                .required("time_format", "time_format = \"%Y-%m-%d %H:%M\"", time_format)
                .unwrap_or_default(),
            currency: table
                .required("currency", "currency = \"GBP\"", currency)
                .unwrap_or_else(any_currency),
            order: None,
            returned: None,
            returns_are_negative: true,
            worth: Worth::Price,
            columns: MapColumns::default(),
        },
    );
    table.table("documents", Some("[documents]\norder = '^[0-9]+$'"), |table| {
        map.order = table.required("order", "order = '^[0-9]+$'", pattern);
        map.returned = table.optional("return", "return = '^C'", pattern);
        let negative = table.optional("returns_are_negative", "returns_are_negative = true", flag);
        map.returns_are_negative = negative.unwrap_or(true);
    });
    map.columns = table.table("columns", Some("[columns]\ndocument = \"InvoiceNo\""), |table| {
        let mut name = |key, example| table.required(key, example, text).unwrap_or_default();
        let columns = MapColumns {
            document: name("document", "document = \"InvoiceNo\""),
            member: name("member", "member = \"CustomerID\""),
            time: name("time", "time = \"InvoiceDate\""),
            sku: name("sku", "sku = \"StockCode\""),
            quantity: name("quantity", "quantity = \"Quantity\""),
            ..MapColumns::default()
        };
        let mut name = |key, example| table.optional(key, example, text);
        MapColumns {
            price: name("price", "price = \"UnitPrice\""),
            amount: name("amount", "amount = \"Total\""),
            category: name("category", "category = \"Category\""),
            currency: name("currency", "currency = \"Currency\""),
            channel: name("channel", "channel = \"Channel\""),
            referral_code: name("referral_code", "referral_code = \"Code\""),
            ..columns
        }
    });
    map.worth = if map.columns.price.is_some() { Worth::Price } else { Worth::Amount };
    map
}

/// One character of ASCII that can stand between fields.
fn character(value: &Value<'_>) -> Result<u8, Wrong> {
    let written = text(value)?;
    match written.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        _ => {
            let what = format!("`{}` must be one ASCII character other than a quote", value.key);
            Err(Wrong::new(what, format!("write it like `{}`", value.example)))
        }
    }
}

/// What stands before the decimals of a number.
fn point(value: &Value<'_>) -> Result<u8, Wrong> {
    let point = character(value)?;
    if point.is_ascii_digit() || point == b'-' {
        let what = format!("`{}` must be no digit and no minus sign", value.key);
        return Err(Wrong::new(what, format!("write it like `{}`", value.example)));
    }
    Ok(point)
}

fn encoding(value: &Value<'_>) -> Result<&'static Encoding, Wrong> {
    let written = text(value)?;
    Encoding::for_label(written.as_bytes()).ok_or_else(|| {
        let what = format!("there is no encoding `{written}`");
        Wrong::new(
            what,
            "write `\"utf-8\"`, `\"windows-1252\"` or another name of the web's encodings",
        )
    })
}

fn calendar(value: &Value<'_>) -> Result<Calendar, Wrong> {
    let written = text(value)?;
    Calendar::of(&written).ok_or_else(|| {
        Wrong::new(format!("there is no time zone `{written}`"), suggest::time_zone(&written))
    })
}

/// A format by which its own text can be read again; any other would reject every row.
fn time_format(value: &Value<'_>) -> Result<String, Wrong> {
    let written = text(value)?;
    let some_time = Timestamp::UNIX_EPOCH.to_zoned_datetime(TimeZone::UTC);
    let is_read = strtime::format(&written, &some_time)
        .is_ok_and(|text| super::documents::time(&written, text.as_bytes()).is_some());
    if is_read {
        return Ok(written);
    }
    let what = format!("by `{written}` no day and time can be read");
    let help = "write it as for strftime: `%Y` year, `%m` month, `%d` day, `%H` hour, `%M` minute";
    Err(Wrong::new(what, help))
}

fn pattern(value: &Value<'_>) -> Result<Regex, Wrong> {
    let written = text(value)?;
    Regex::new(&written).map_err(|error| {
        let error = error.to_string();
        let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
        let what = format!("`{}` is no regular expression: {reason}", value.key);
        Wrong::new(what, format!("write it like `{}`", value.example))
    })
}
