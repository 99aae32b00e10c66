//! Reads tables of TOML so that every mistake is found at once, each with its place and what would be
//! right.
//!
//! A builder asks a [`Table`] for its keys. What is asked for is thereby known, so whatever else the
//! table holds is a mistake. A builder never stops at a mistake: it goes on with something harmless in
//! place of what it did not get, and [`Findings`] remembers where, so that nobody complains about what
//! the file does not say.

#![expect(clippy::wildcard_enum_match_arm, reason = "kinds of TOML values are not ours to add to")]

mod file;
mod report;
mod syntax;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use jiff::civil::Date;
use serde::Serialize;
use toml::de::{DeTable, DeValue};

pub(crate) use self::{
    file::{FileError, load},
    report::{Mistake, Report, listed, nearest},
    syntax::percent_as_decimal,
};

/// What a value is not, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// What is wrong, in one line.
    pub(crate) what: String,
    /// What stands beside the caret; may be empty.
    pub(crate) label: String,
    /// What would be right.
    pub(crate) help: String,
}

impl Wrong {
    /// A wrong value.
    pub(crate) fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), label: String::new(), help: help.into() }
    }

    /// A value of another kind than `wanted`, such as "a whole number".
    pub(crate) fn kind(value: &Value<'_>, wanted: &str) -> Self {
        Self {
            what: format!("`{}` must be {wanted}", value.key),
            label: format!("this is {}", kind_of(value.inner)),
            help: format!("write it like `{}`", value.example),
        }
    }
}

/// A value of a table or a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'d> {
    /// What the parser made of it.
    pub(crate) inner: &'d DeValue<'d>,
    /// The key that it belongs to.
    pub(crate) key: &'d str,
    /// How the key is written with a right value.
    pub(crate) example: &'d str,
}

/// Where something stands.
#[derive(Clone, Debug)]
struct Place {
    key: Range<usize>,
    value: Range<usize>,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    text_length: usize,
    mistakes: Vec<Mistake>,
    /// Places of everything asked for, by path such as `tiers.levels[2].spend`.
    places: BTreeMap<String, Place>,
    /// Paths whose values are not in the file, or not right.
    wrong: BTreeSet<String>,
    /// Every key that was asked for, with its table.
    known: Vec<(String, &'static str)>,
    unknown: Vec<Unknown>,
    missing: Vec<Missing>,
    lost: BTreeSet<String>,
    lost_tables: BTreeSet<String>,
    reported: Vec<Range<usize>>,
    /// Above 0 while a builder only shows what it would ask for.
    absent: u32,
}

#[derive(Debug)]
struct Unknown {
    key: String,
    table: String,
    span: Range<usize>,
    known: Vec<&'static str>,
    /// How a free key is written; nothing where keys are known.
    example: &'static str,
}

/// A key that is required and not there.
#[derive(Debug)]
struct Missing {
    key: String,
    path: String,
    table: String,
    mistake: Mistake,
}

impl Findings {
    /// Adds a mistake at `path`, unless what stands there was wrong by itself; `also` is the path and label
    /// of another place that explains this one.
    pub(crate) fn add(
        &mut self,
        path: &str,
        what: impl Into<String>,
        help: impl Into<String>,
        also: Option<(&str, &str)>,
    ) {
        if self.is_wrong(path) {
            return;
        }
        let also = also.and_then(|(path, label)| {
            self.places.get(path).map(|place| (place.value.clone(), label.to_owned()))
        });
        let span = self.places.get(path).map_or(0..0, |place| place.value.clone());
        self.mistakes.push(Mistake {
            span,
            what: what.into(),
            label: String::new(),
            helps: vec![help.into()],
            also,
        });
    }

    /// As [`Findings::add`], at the key instead of its value.
    pub(crate) fn add_at_key(
        &mut self,
        path: &str,
        what: impl Into<String>,
        help: impl Into<String>,
    ) {
        let span = self.places.get(path).map_or(0..0, |place| place.key.clone());
        let (what, helps) = (what.into(), vec![help.into()]);
        self.mistakes.push(Mistake { span, what, label: String::new(), helps, also: None });
    }

    /// Whether `path`, or what it lies in, is missing or wrong by itself.
    pub(crate) fn is_wrong(&self, path: &str) -> bool {
        let ends = path.match_indices(['.', '[']).map(|(index, _)| index);
        ends.chain([0, path.len()])
            .any(|end| path.get(..end).is_some_and(|it| self.wrong.contains(it)))
    }

    /// How many things were asked for: more than any list of the file is long.
    pub(crate) fn places(&self) -> usize {
        self.places.len()
    }

    /// Whether the file holds something at `path`, right or wrong.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.places.contains_key(path)
    }

    /// `value`, or the report of the file called `name` if there are mistakes.
    ///
    /// # Errors
    ///
    /// Every mistake that was found.
    pub(crate) fn into_result<T>(
        mut self,
        name: &str,
        text: &str,
        value: T,
    ) -> Result<T, Box<Report>> {
        for unknown in std::mem::take(&mut self.unknown) {
            let mistake = self.explain_unknown(unknown);
            self.mistakes.push(mistake);
        }
        self.mistakes.extend(self.missing.into_iter().map(|it| it.mistake));
        if self.mistakes.is_empty() {
            Ok(value)
        } else {
            Err(Box::new(Report::new(name, text, self.mistakes)))
        }
    }

    fn explain_unknown(&mut self, unknown: Unknown) -> Mistake {
        let Unknown { key, table, span, known, example } = unknown;
        // A key below the wrong table's name is the slip that TOML makes easiest.
        // Tables within this one come first.
        let bare = |title: &str| title.trim_matches(['`', '[', ']']).to_owned();
        let elsewhere = || self.known.iter().filter(|(other, it)| *it == key && *other != table);
        let elsewhere = elsewhere()
            .find(|(other, _)| bare(other).starts_with(&bare(&table)))
            .or_else(|| elsewhere().next());
        let help = if let Some(near) = nearest(&key, known.iter().copied()) {
            format!("did you mean `{near}`?")
        } else if let Some((other, _)) = elsewhere {
            // Whoever moves it there no longer misses it.
            self.missing.retain(|it| it.key != key || it.table != *other);
            format!("`{key}` belongs to {other}")
        } else if known.is_empty() {
            format!("write it like `{example}`")
        } else {
            format!("the keys here are {}", listed(known, "and"))
        };
        Mistake {
            span,
            what: format!("there is no key `{key}` in {table}"),
            label: String::new(),
            helps: vec![help],
            also: None,
        }
    }

    fn is_reported(&self, span: &Range<usize>) -> bool {
        self.reported.iter().any(|it| span.start <= it.end && it.start <= span.end)
    }

    fn push_wrong(&mut self, path: String, span: Range<usize>, wrong: Wrong) {
        if self.absent > 0 {
            return;
        }
        self.wrong.insert(path);
        let Wrong { what, label, help } = wrong;
        self.mistakes.push(Mistake { span, what, label, helps: vec![help], also: None });
    }
}

/// The text that `bytes`, the whole of the file called `name`, hold.
///
/// # Errors
///
/// A report of the first place that is not UTF-8.
fn utf8(name: &str, bytes: Vec<u8>) -> Result<String, Box<Report>> {
    String::from_utf8(bytes).map_err(|error| {
        let start = error.utf8_error().valid_up_to();
        // Up to there the places of the text that is shown are those of the file.
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        let help = "save it as UTF-8; editors offer this when they save under another name";
        let mistake = Mistake {
            span: start..start.saturating_add('\u{fffd}'.len_utf8()),
            what: "the file is not UTF-8".to_owned(),
            label: "this is the first such character".to_owned(),
            helps: vec![help.to_owned()],
            also: None,
        };
        Box::new(Report::new(name, &text, vec![mistake]))
    })
}

/// Reads `text`, the whole of a file, by `build`. A file that is right, to begin with, is at `example`.
pub(crate) fn read<T>(
    text: &str,
    example: &str,
    build: impl FnOnce(&mut Table<'_>) -> T,
) -> (T, Findings) {
    let repaired = syntax::repair(text);
    let (entries, _) = DeTable::parse_recoverable(&repaired.rest);
    let mut findings = Findings {
        text_length: text.len(),
        reported: repaired.mistakes.iter().map(|it| it.span.clone()).collect(),
        mistakes: repaired.mistakes,
        lost: repaired.lost,
        lost_tables: repaired.lost_tables,
        ..Findings::default()
    };
    let is_empty = entries.get_ref().is_empty() && findings.mistakes.is_empty();
    if is_empty {
        let holds = if text.trim().is_empty() { "is empty" } else { "holds only comments" };
        let help = format!("begin with a copy of `{example}`");
        let wrong = Wrong::new(format!("the file {holds}"), help);
        findings.push_wrong(String::new(), 0..0, wrong);
        findings.absent = 1;
    }
    if repaired.is_lost {
        findings.wrong.insert(String::new());
        findings.absent = 1;
    }
    let mut table = Table {
        entries: entries.get_ref(),
        findings: &mut findings,
        path: String::new(),
        title: "the first part of the file, before any table".to_owned(),
        span: 0..0,
        known: Vec::new(),
    };
    let value = build(&mut table);
    table.finish();
    findings.absent = 0;
    (value, findings)
}

/// A table under reading.
#[derive(Debug)]
pub(crate) struct Table<'d> {
    entries: &'d DeTable<'d>,
    findings: &'d mut Findings,
    path: String,
    title: String,
    span: Range<usize>,
    known: Vec<&'static str>,
}

impl Table<'_> {
    /// The value of `key` as `read` understands it; nothing and a mistake if it is missing or wrong.
    ///
    /// `example` is a whole line with a right value.
    pub(crate) fn required<T>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl Fn(&Value<'_>) -> Result<T, Wrong>,
    ) -> Option<T> {
        if !self.knows(key) {
            self.miss(key, &format!("write it like `{example}`"));
            return None;
        }
        self.optional(key, example, read)
    }

    /// As [`Table::required`], but the key may be missing.
    pub(crate) fn optional<T>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl Fn(&Value<'_>) -> Result<T, Wrong>,
    ) -> Option<T> {
        if !self.knows(key) && self.findings.lost.contains(key) {
            let path = self.path_of(key);
            self.findings.wrong.insert(path);
        }
        let (_, value) = self.entries.get_key_value(key)?;
        let path = self.path_of(key);
        let result = read(&Value { inner: value.get_ref(), key, example });
        self.judge(path, value.span(), result)
    }

    /// The values of the list at `key`, those left out that are wrong; none if it is missing.
    pub(crate) fn list<T>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl Fn(&Value<'_>) -> Result<T, Wrong>,
    ) -> Vec<T> {
        self.knows(key);
        let Some((_, value)) = self.entries.get_key_value(key) else { return Vec::new() };
        let path = self.path_of(key);
        let DeValue::Array(array) = value.get_ref() else {
            let wrong = Wrong::kind(&Value { inner: value.get_ref(), key, example }, "a list");
            self.judge::<()>(path, value.span(), Err(wrong));
            return Vec::new();
        };
        let mut values = Vec::with_capacity(array.len());
        for (index, element) in array.iter().enumerate() {
            let result = read(&Value { inner: element.get_ref(), key, example });
            values.extend(self.judge(format!("{path}[{index}]"), element.span(), result));
        }
        values
    }

    /// What `build` makes of the table at `key`; of one without keys if it is missing.
    ///
    /// A `required` table that is missing is a mistake, with that as its example.
    pub(crate) fn table<T>(
        &mut self,
        key: &'static str,
        required: Option<&str>,
        build: impl FnOnce(&mut Table<'_>) -> T,
    ) -> T {
        let path = self.path_of(key);
        let title = format!("`[{}]`", without_indexes(&path));
        if !self.knows(key)
            && let Some(example) = required
        {
            self.miss_table(key, &title, example);
        }
        let Some((_, value)) = self.entries.get_key_value(key) else {
            return self.absent(path, title, build);
        };
        let DeValue::Table(entries) = value.get_ref() else {
            let help = format!("write {title} on a line of its own, and its keys below");
            let wrong = Wrong {
                label: format!("this is {}", kind_of(value.get_ref())),
                ..Wrong::new(format!("`{key}` must be a table"), help)
            };
            self.judge::<()>(path.clone(), value.span(), Err(wrong));
            return self.absent(path, title, build);
        };
        self.within(entries, path, title, value.span(), build)
    }

    /// What `build` makes of each table of the list at `key`, with its place in the list; none if it is
    /// missing.
    ///
    /// A `required` list that is missing is a mistake, with that as its example.
    pub(crate) fn tables<T>(
        &mut self,
        key: &'static str,
        required: Option<&str>,
        build: impl Fn(usize, &mut Table<'_>) -> T,
    ) -> Vec<T> {
        let path = self.path_of(key);
        let title = format!("`[[{}]]`", without_indexes(&path));
        if !self.knows(key)
            && let Some(example) = required
        {
            self.miss_table(key, &title, example);
        }
        // So that its keys are known even if there is none.
        self.absent(path.clone(), title.clone(), |table| build(0, table));
        let Some((_, value)) = self.entries.get_key_value(key) else { return Vec::new() };
        let DeValue::Array(array) = value.get_ref() else {
            let help = format!("begin each of them with {title}, in two brackets");
            let wrong = Wrong {
                label: format!("this is {}", kind_of(value.get_ref())),
                ..Wrong::new(format!("`{key}` must be a list of tables"), help)
            };
            self.judge::<()>(path, value.span(), Err(wrong));
            return Vec::new();
        };
        let mut built = Vec::with_capacity(array.len());
        for (index, element) in array.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let title = title.clone();
            built.push(if let DeValue::Table(entries) = element.get_ref() {
                self.within(entries, path, title, element.span(), |table| build(index, table))
            } else {
                let what = format!("everything in `{key}` must be a table");
                let help = format!("begin each of them with {title}, in two brackets");
                self.judge::<()>(path.clone(), element.span(), Err(Wrong::new(what, help)));
                self.absent(path, title, |table| build(index, table))
            });
        }
        built
    }

    /// All keys of this table, which are free as far as they are `likely`, with their values; nothing for
    /// a wrong one.
    pub(crate) fn entries<T>(
        &mut self,
        example: &'static str,
        likely: impl Fn(&str) -> bool,
        read: impl Fn(&Value<'_>) -> Result<T, Wrong>,
    ) -> Vec<(String, Option<T>)> {
        let mut all = Vec::with_capacity(self.entries.len());
        for (key, value) in self.entries {
            let name: &str = key.get_ref();
            if !likely(name) {
                let span = key.span();
                let (key, table) = (name.to_owned(), self.title.clone());
                let known = Vec::new();
                self.findings.unknown.push(Unknown { key, table, span, known, example });
                continue;
            }
            let path = self.path_of(name);
            self.place(path.clone(), key.span(), value.span());
            let result = read(&Value { inner: value.get_ref(), key: name, example });
            let read = if let Err(wrong) = result {
                // Only the value is wrong: what is wrong with the key is still to be said.
                let is_reported = self.findings.is_reported(&value.span());
                let path = format!("{path}=");
                if !is_reported {
                    self.findings.push_wrong(path, value.span(), wrong);
                }
                None
            } else {
                result.ok()
            };
            all.push((name.to_owned(), read));
        }
        self.known.clear();
        self.findings.known.retain(|(table, _)| *table != self.title);
        self.entries = empty();
        all
    }

    /// Whether the file has `key` in this table, right, wrong or not to be read.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key) || self.findings.lost.contains(key)
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn place(&mut self, path: String, key: Range<usize>, value: Range<usize>) {
        if self.findings.absent == 0 {
            self.findings.places.insert(path, Place { key, value });
        }
    }

    /// Notes that `key` is known; whether it is there.
    fn knows(&mut self, key: &'static str) -> bool {
        if !self.known.contains(&key) {
            self.known.push(key);
            self.findings.known.push((self.title.clone(), key));
        }
        let path = self.path_of(key);
        let Some((written, value)) = self.entries.get_key_value(key) else { return false };
        self.place(path, written.span(), value.span());
        true
    }

    fn judge<T>(
        &mut self,
        path: String,
        span: Range<usize>,
        result: Result<T, Wrong>,
    ) -> Option<T> {
        if self.findings.is_reported(&span) {
            self.findings.wrong.insert(path);
            return None;
        }
        match result {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.findings.push_wrong(path, span, wrong);
                None
            }
        }
    }

    fn miss(&mut self, key: &str, help: &str) {
        let path = self.path_of(key);
        if self.findings.lost.contains(key) {
            self.findings.wrong.insert(path);
            return;
        }
        if self.findings.absent > 0 {
            return;
        }
        self.findings.wrong.insert(path.clone());
        if self.findings.lost_tables.contains(&without_indexes(&self.path)) {
            return;
        }
        let mistake = Mistake {
            span: self.span.clone(),
            what: format!("the key `{key}` is missing in {}", self.title),
            label: String::new(),
            helps: vec![help.to_owned()],
            also: None,
        };
        let table = self.title.clone();
        self.findings.missing.push(Missing { key: key.to_owned(), path, table, mistake });
    }

    /// A missing table is missed at the end of the file, where it may be added.
    fn miss_table(&mut self, key: &str, title: &str, example: &str) {
        let path = self.path_of(key);
        if self.findings.lost.contains(key) {
            self.findings.wrong.insert(path);
            return;
        }
        let end = self.findings.text_length;
        let wrong = Wrong::new(format!("the table {title} is missing"), format!("add\n{example}"));
        self.findings.push_wrong(path, end..end, wrong);
    }

    /// What `build` makes of nothing, without a word about what is missing.
    fn absent<T>(
        &mut self,
        path: String,
        title: String,
        build: impl FnOnce(&mut Table<'_>) -> T,
    ) -> T {
        self.findings.absent = self.findings.absent.saturating_add(1);
        let value = self.within(empty(), path, title, 0..0, build);
        self.findings.absent = self.findings.absent.saturating_sub(1);
        value
    }

    fn within<T>(
        &mut self,
        entries: &DeTable<'_>,
        path: String,
        title: String,
        span: Range<usize>,
        build: impl FnOnce(&mut Table<'_>) -> T,
    ) -> T {
        self.place(path.clone(), span.clone(), span.clone());
        let known = Vec::new();
        let mut table = Table { entries, findings: &mut *self.findings, path, title, span, known };
        let value = build(&mut table);
        table.finish();
        value
    }

    fn finish(self) {
        if self.findings.absent > 0 {
            return;
        }
        for (key, _) in self.entries {
            let name: &str = key.get_ref();
            if !self.known.contains(&name) && !self.findings.is_reported(&key.span()) {
                // What is only misspelled is not missing too, and says nothing else that is wrong.
                let absent =
                    self.known.iter().copied().filter(|it| !self.entries.contains_key(*it));
                if let Some(meant) = nearest(name, absent) {
                    let path = self.path_of(meant);
                    self.findings.missing.retain(|it| it.path != path);
                    self.findings.wrong.insert(path);
                }
                self.findings.unknown.push(Unknown {
                    key: name.to_owned(),
                    table: self.title.clone(),
                    span: key.span(),
                    known: self.known.clone(),
                    example: "",
                });
            }
        }
    }
}

fn empty() -> &'static DeTable<'static> {
    static EMPTY: std::sync::LazyLock<DeTable<'static>> = std::sync::LazyLock::new(DeTable::new);
    &EMPTY
}

/// `path` as it stands in a table's name: `tiers.levels[2].benefits` is `tiers.levels.benefits`.
fn without_indexes(path: &str) -> String {
    path.split('[').map(|it| it.split_once(']').map_or(it, |(_, rest)| rest)).collect()
}

/// What `value` is, for "this is …".
fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal",
        DeValue::Boolean(true) => "`true`",
        DeValue::Boolean(false) => "`false`",
        DeValue::Datetime(it) if it.time.is_none() => "a date",
        DeValue::Datetime(it) if it.date.is_none() => "a time of day",
        DeValue::Datetime(_) => "a date with a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A text.
///
/// # Errors
///
/// [`Wrong`] for anything else.
pub(crate) fn text(value: &Value<'_>) -> Result<String, Wrong> {
    match value.inner {
        DeValue::String(text) => Ok(text.to_string()),
        _ => Err(Wrong::kind(value, "a text in quotes")),
    }
}

/// `true` or `false`.
///
/// # Errors
///
/// [`Wrong`] for anything else.
pub(crate) fn flag(value: &Value<'_>) -> Result<bool, Wrong> {
    match value.inner {
        DeValue::Boolean(flag) => Ok(*flag),
        DeValue::String(text) if matches!(text.as_ref(), "true" | "false") => Err(Wrong {
            help: format!("write it without quotes: `{} = {text}`", value.key),
            ..Wrong::kind(value, "`true` or `false`")
        }),
        _ => Err(Wrong::kind(value, "`true` or `false`")),
    }
}

/// A whole number of at most `max`.
pub(crate) fn whole<T: TryFrom<u64>>(max: u64) -> impl Fn(&Value<'_>) -> Result<T, Wrong> {
    move |value| {
        let too_large = || {
            Wrong::new(
                format!("`{}` must be at most {max}", value.key),
                format!("write it like `{}`", value.example),
            )
        };
        let wanted = "a whole number";
        match value.inner {
            DeValue::Integer(number) if number.as_str().starts_with('-') => {
                let what = format!("`{}` must not be negative", value.key);
                Err(Wrong::new(what, format!("write it like `{}`", value.example)))
            }
            DeValue::Integer(number) => {
                let digits = number.as_str().trim_start_matches('+');
                u64::from_str_radix(digits, number.radix())
                    .ok()
                    .filter(|it| *it <= max)
                    .and_then(|it| T::try_from(it).ok())
                    .ok_or_else(too_large)
            }
            DeValue::Float(number)
                if number.as_str().split_once('.').is_some_and(|(whole, rest)| {
                    whole.bytes().all(|it| it.is_ascii_digit()) && rest.bytes().all(|it| it == b'0')
                }) =>
            {
                let whole = number.as_str().split('.').next().unwrap_or_default();
                let help = format!("write it without a point: `{} = {whole}`", value.key);
                Err(Wrong { help, ..Wrong::kind(value, wanted) })
            }
            DeValue::String(text)
                if !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit()) =>
            {
                let help = format!("write it without quotes: `{} = {text}`", value.key);
                Err(Wrong { help, ..Wrong::kind(value, wanted) })
            }
            _ => Err(Wrong::kind(value, wanted)),
        }
    }
}

/// A date, without a time of day.
///
/// # Errors
///
/// [`Wrong`] for anything else.
pub(crate) fn date(value: &Value<'_>) -> Result<Date, Wrong> {
    let wanted = "a date";
    match value.inner {
        DeValue::Datetime(it) => {
            let day = it.date.filter(|_| it.time.is_none()).and_then(|it| {
                let year = i16::try_from(it.year).ok()?;
                Date::new(year, i8::try_from(it.month).ok()?, i8::try_from(it.day).ok()?).ok()
            });
            day.ok_or_else(|| {
                let mut wrong = Wrong::kind(value, "a date without a time of day");
                if let Some(date) = it.date {
                    wrong.help = format!("write `{} = {date}`", value.key);
                }
                wrong
            })
        }
        DeValue::String(text) => {
            let mut wrong = Wrong::kind(value, wanted);
            if let Ok(date) = text.trim().parse::<Date>() {
                wrong.help = format!("write it without quotes: `{} = {date}`", value.key);
            }
            Err(wrong)
        }
        _ => Err(Wrong::kind(value, wanted)),
    }
}

/// One of `all`, by the name that it has in JSON.
pub(crate) fn choice<T: Copy + Serialize>(
    all: &'static [T],
) -> impl Fn(&Value<'_>) -> Result<T, Wrong> {
    move |value| {
        let named: Vec<(String, T)> = all.iter().map(|it| (name_of(it), *it)).collect();
        let names = || named.iter().map(|(name, _)| name.as_str());
        let DeValue::String(text) = value.inner else {
            let wanted = format!("one of {}", quoted(names()));
            return Err(Wrong::kind(value, &wanted));
        };
        named.iter().find(|(name, _)| name == text).map(|(_, it)| *it).ok_or_else(|| {
            let what = format!("`{}` must be one of {}", value.key, quoted(names()));
            let help = nearest(text, names()).map_or_else(
                || format!("write it like `{}`", value.example),
                |near| format!("did you mean `\"{near}\"`?"),
            );
            Wrong::new(what, help)
        })
    }
}

/// The name that `value`, a variant without fields, has in JSON.
pub(crate) fn name_of<T: Serialize>(value: &T) -> String {
    let json = serde_json::to_value(value).ok();
    json.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|it| format!("\"{it}\"")).collect();
    listed(names.iter().map(String::as_str), "or")
}
