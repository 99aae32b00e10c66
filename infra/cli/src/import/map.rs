//! Column maps: which column of a shop's file is what, and how its values are written.

use std::path::{Path, PathBuf};

use jiff::{Timestamp, fmt::strtime, tz::TimeZone};
use loyalty_domain::{calendar::Calendar, money::Currency};
use regex::Regex;
use serde::Deserialize;

use crate::toml_reader::nearest;

/// How many columns of a file are named where others are missing.
const NAMES_SHOWN_MAX: usize = 20;

/// The largest column map.
const MAP_BYTES_MAX: u64 = 1 << 20;

/// A column map, checked.
pub(crate) struct ColumnMap {
    pub(crate) delimiter: u8,
    pub(crate) encoding: Option<&'static encoding_rs::Encoding>,
    pub(crate) decimal_point: u8,
    pub(crate) calendar: Calendar,
    pub(crate) time_format: String,
    pub(crate) currency: Currency,
    order: Regex,
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
    /// How many fields a row needs.
    pub(crate) needed: usize,
    /// How many fields the header has.
    pub(crate) all: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MapFile {
    file: MapFormat,
    documents: MapDocuments,
    columns: MapColumns,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MapFormat {
    #[serde(default = "comma")]
    delimiter: char,
    encoding: Option<String>,
    #[serde(default = "point")]
    decimal_point: char,
    time_zone: String,
    time_format: String,
    currency: String,
}

const fn comma() -> char {
    ','
}

const fn point() -> char {
    '.'
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MapDocuments {
    order: String,
    #[serde(rename = "return")]
    returned: Option<String>,
    #[serde(default = "yes")]
    returns_are_negative: bool,
}

const fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
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
}

/// A column map cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MapError {
    /// The file cannot be read.
    #[error("cannot read the column map {}", .path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// It is no map.
    #[error("{}: {message}", .path.display())]
    Invalid { path: PathBuf, message: String },
    /// The file of orders has no such columns.
    #[error(
        "the file has no column {}; it has {found}{hint}",
        .missing.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(" and no column ")
    )]
    MissingColumns { missing: Vec<String>, found: String, hint: String },
    /// The file of orders has a column twice, and nobody knows which one is meant.
    #[error(
        "the file has two columns `{name}`, the {first}th and the {second}th: rename one of them"
    )]
    RepeatedColumn { name: String, first: usize, second: usize },
}

impl ColumnMap {
    /// Reads and checks the map at `path`.
    pub(crate) fn load(path: &Path) -> Result<Self, MapError> {
        let unreadable = |source| MapError::Unreadable { path: path.to_owned(), source };
        let invalid = |message: String| MapError::Invalid { path: path.to_owned(), message };
        if std::fs::metadata(path).map_err(unreadable)?.len() > MAP_BYTES_MAX {
            return Err(invalid(format!("is longer than {MAP_BYTES_MAX} bytes: not a column map")));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let map: MapFile = toml::from_str(&text).map_err(|error| invalid(error.to_string()))?;
        Self::checked(map).map_err(|mistakes| invalid(mistakes.join("\n")))
    }

    fn checked(map: MapFile) -> Result<Self, Vec<String>> {
        let mut mistakes = Vec::new();
        let delimiter = one_byte("file.delimiter", map.file.delimiter, &mut mistakes);
        let decimal_point = one_byte("file.decimal_point", map.file.decimal_point, &mut mistakes);
        if decimal_point.is_ascii_digit() || decimal_point == b'-' {
            mistakes.push("file.decimal_point: must be no digit and no minus sign".to_owned());
        }
        let time_format = &map.file.time_format;
        // A format by which its own text cannot be read again would reject every row.
        let some_time = Timestamp::UNIX_EPOCH.to_zoned_datetime(TimeZone::UTC);
        let is_read = strtime::format(time_format, &some_time)
            .is_ok_and(|text| super::documents::time(time_format, text.as_bytes()).is_some());
        if !is_read {
            mistakes.push(format!(
                "file.time_format: by `{time_format}` no day and time can be read; say for example \
                 `%Y-%m-%d %H:%M`"
            ));
        }
        let encoding = map.file.encoding.as_ref().and_then(|label| {
            let encoding = encoding_rs::Encoding::for_label(label.as_bytes());
            if encoding.is_none() {
                mistakes.push(format!(
                    "file.encoding: there is no encoding `{label}`; say for example `utf-8` or \
                     `windows-1252`"
                ));
            }
            encoding
        });
        let calendar = Calendar::of(&map.file.time_zone);
        if calendar.is_none() {
            let zone = &map.file.time_zone;
            mistakes.push(format!(
                "file.time_zone: there is no time zone `{zone}`; say for example `Europe/London`"
            ));
        }
        let currency = map.file.currency.parse();
        if currency.is_err() {
            let code = &map.file.currency;
            mistakes.push(format!(
                "file.currency: there is no currency `{code}`; say for example `GBP`"
            ));
        }
        let order = pattern("documents.order", &map.documents.order, &mut mistakes);
        let returned = map
            .documents
            .returned
            .as_ref()
            .map(|it| pattern("documents.return", it, &mut mistakes));
        let worth = match (&map.columns.price, &map.columns.amount) {
            (Some(_), None) => Worth::Price,
            (None, Some(_)) => Worth::Amount,
            (None, None) | (Some(_), Some(_)) => {
                mistakes.push(
                    "columns: name either `price`, of one piece, or `amount`, of the whole line"
                        .to_owned(),
                );
                Worth::Price
            }
        };
        match (calendar, currency, order) {
            (Some(calendar), Ok(currency), Some(order)) if mistakes.is_empty() => Ok(Self {
                delimiter,
                encoding,
                decimal_point,
                calendar,
                time_format: map.file.time_format,
                currency,
                order,
                returned: returned.flatten(),
                returns_are_negative: map.documents.returns_are_negative,
                worth,
                columns: map.columns,
            }),
            _ => Err(mistakes),
        }
    }

    /// What the document called `id` is; `None` if it is neither order nor return.
    pub(crate) fn kind_of(&self, id: &str) -> Option<Kind> {
        if self.order.is_match(id) {
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

fn one_byte(key: &str, value: char, mistakes: &mut Vec<String>) -> u8 {
    match u8::try_from(value) {
        Ok(byte) if byte.is_ascii() && byte != b'"' && byte != b'\n' => byte,
        _ => {
            mistakes.push(format!("{key}: must be one ASCII character other than a quote"));
            b','
        }
    }
}

fn pattern(key: &str, pattern: &str, mistakes: &mut Vec<String>) -> Option<Regex> {
    match Regex::new(pattern) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            mistakes.push(format!("{key}: is not a regular expression: {error}"));
            None
        }
    }
}
