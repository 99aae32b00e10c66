//! Syntax: reads what can be read of a text that is not quite TOML, and says what cannot.
//!
//! The parser stops at the first statement that it cannot make sense of, or takes the rest of the
//! file for a list that was never closed. So such a statement is reported, blanked out and the rest
//! is read again, until all of it could be read. Blanks keep every place where it was.

use std::{collections::BTreeSet, ops::Range};

use toml::de::{DeTable, Error};

use super::report::Mistake;

/// What can be read of a text.
pub(super) struct Repaired {
    /// The text with blanks for statements that cannot be read.
    pub(super) rest: String,
    /// What cannot be read.
    pub(super) mistakes: Vec<Mistake>,
    /// Names that stand in what could not be read, so that nobody calls them missing.
    pub(super) lost: BTreeSet<String>,
    /// Tables whose names cannot be read, as `tiers.levels`.
    pub(super) lost_tables: BTreeSet<String>,
    /// Whether so much cannot be read that nothing can be said about the rest.
    pub(super) is_lost: bool,
}

/// How often a text is read again; each time costs a pass over it. A text with more statements that
/// cannot be read is hardly TOML.
const PASSES_MAX: usize = 50;

/// How many values that cannot be read are told apart.
const VALUES_MAX: usize = 500;

/// Takes out of `text` what cannot be read.
pub(super) fn repair(text: &str) -> Repaired {
    let mut rest = text.to_owned();
    let mut mistakes = Vec::new();
    let mut lost = BTreeSet::new();
    let mut lost_tables = BTreeSet::new();
    let mut is_lost = true;
    for _ in 0..PASSES_MAX {
        let errors = errors(&rest);
        // A text that is not closed holds all the rest, whatever else is said about that.
        let long_text = errors.iter().find_map(|error| Broken::long_text(&rest, error));
        let of = |error| Broken::of(&rest, error);
        let broken = long_text.or_else(|| errors.iter().find_map(of));
        let Some(broken) = broken else {
            is_lost = false;
            break;
        };
        lost.extend(broken.names(&rest));
        lost_tables.extend(broken.table.clone());
        let blank = blanked(&rest, &broken.lines);
        if blank == rest {
            break;
        }
        rest = blank;
        mistakes.push(broken.mistake);
    }
    if !is_lost {
        let errors = errors(&rest);
        mistakes.extend(errors.iter().take(VALUES_MAX).map(|error| value_mistake(&rest, error)));
    }
    Repaired { rest, mistakes, lost, lost_tables, is_lost }
}

/// What the parser says about `text`, in the order of the places.
fn errors(text: &str) -> Vec<Error> {
    let (_, mut errors) = DeTable::parse_recoverable(text);
    errors.sort_by_key(|error| span_of(text, error).start);
    errors
}

/// `text` with spaces for everything on `lines` but their ends.
fn blanked(text: &str, lines: &Range<usize>) -> String {
    let (before, after) = text.split_at_checked(lines.start).unwrap_or((text, ""));
    let length = lines.end.saturating_sub(lines.start);
    let (broken, after) = after.split_at_checked(length).unwrap_or((after, ""));
    let mut blank = String::with_capacity(text.len());
    blank.push_str(before);
    for character in broken.chars() {
        match character {
            '\n' | '\r' => blank.push(character),
            _ => blank.extend(std::iter::repeat_n(' ', character.len_utf8())),
        }
    }
    blank.push_str(after);
    blank
}

/// Whether `line` is a table's name, though a stray character may stand before it.
fn is_meant_as_header(line: &str) -> bool {
    line.split(char::is_alphanumeric).next().is_some_and(|it| it.contains('['))
}

/// A statement that cannot be read, and with which the parser loses its way.
struct Broken {
    mistake: Mistake,
    lines: Range<usize>,
    /// The table whose name this is.
    table: Option<String>,
}

impl Broken {
    /// The statement in which `error` lies, if the parser lost its way there.
    fn of(text: &str, error: &Error) -> Option<Self> {
        let message = error.message();
        let span = span_of(text, error);
        let is = |part: &str| message.contains(part);
        let line = line_around(text, span.start);
        let written = slice(text, &line).trim_start();
        let is_header = written.starts_with('[');
        if is("array table") || is("unclosed table") || is("missing table open") {
            return Some(Self::header(text, line, "this table's name is not closed"));
        }
        if is_header && (is("duplicate key") || is("cannot extend")) {
            return Some(Self::header_again(text, line, span, message));
        }
        if is("opening") {
            return Some(Self::line(text, line, span, message));
        }
        if is("array") && !is("cannot extend") {
            return Some(Self::list(text, span, message, ('[', ']'), "list"));
        }
        if is("inline table") || is("key-value pairs") {
            return Some(Self::list(text, span, message, ('{', '}'), "table in braces"));
        }

        let is_lost = [
            "key with no value",
            "unexpected key or value",
            "unexpected content",
            "missing value",
            "missing key",
            "missing assignment",
            "missing opening",
            "extra ",
            "invalid key-value pair",
            "invalid unquoted key",
            "unquoted keys",
            "invalid inline table",
            "cannot recurse",
        ];
        if is_meant_as_header(written) && !is("array") {
            return Some(Self::header(text, line, "this line is no table's name"));
        }
        is_lost.iter().any(|it| is(it)).then(|| Self::line(text, line, span, message))
    }

    fn line(text: &str, line: Range<usize>, span: Range<usize>, message: &str) -> Self {
        let written = slice(text, &line);
        let before = text.get(line.start..span.start).unwrap_or_default();
        let after = text.get(span.start..line.end).unwrap_or_default();
        let is_decimal = before.ends_with(|it: char| it.is_ascii_digit())
            && after
                .strip_prefix(',')
                .is_some_and(|it| it.starts_with(|it: char| it.is_ascii_digit()));
        let is_name = |it: &str| {
            let it = it.trim();
            !it.is_empty()
                && it.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '_' | '-'))
        };
        let has_colon = written.split_once(':').is_some_and(|(key, _)| is_name(key));
        let pair = written.trim().split_once(char::is_whitespace).filter(|(key, value)| {
            let is_value = |it: char| it.is_ascii_digit() || matches!(it, '"' | '\'' | '[' | '{');
            is_name(key) && value.trim().starts_with(is_value)
        });
        let (what, label, help) = if is_decimal {
            let right = written.split_once('=').map_or(written, |(_, it)| it).replacen(',', ".", 1);
            let what = "a decimal has a point, not a comma";
            (what, "", format!("write `{}`", right.trim()))
        } else if has_colon && !written.contains('=') {
            let what = "a key is followed by `=`, not by `:`";
            (what, "", format!("write `{}`", written.replacen(':', " =", 1).trim()))
        } else if written.trim_start().starts_with('=') {
            ("the key before `=` is missing", "", "write `key = value`".to_owned())
        } else if message.contains("unexpected key or value") {
            let what = "a line holds one key and its value, and nothing after them";
            let help = "begin a new line, or put `#` before a comment; a text stands in quotes";
            (what, "this is too much", help.to_owned())
        } else if message.contains("no value") && !written.contains('=') {
            let what = "this line is no key with a value";
            let help = pair.map_or_else(
                || "write `key = value`, or put `#` before a comment".to_owned(),
                |(key, value)| format!("write `{key} = {}`", value.trim()),
            );
            (what, "here `=` is missing", help)
        } else if message.contains("unquoted key") {
            let what = "a key has only letters, digits, `-` and `_`";
            (what, "", "put a key with other characters in quotes".to_owned())
        } else {
            let what = "this line cannot be read";
            (what, "", format!("the reader says: {message}"))
        };
        let helps = vec![help];
        let mistake =
            Mistake { span, what: what.to_owned(), label: label.to_owned(), helps, also: None };
        Self { mistake, lines: line, table: None }
    }

    fn header(text: &str, line: Range<usize>, what: &str) -> Self {
        let section = line.start..section_end(text, &line);
        let written = slice(text, &line).trim();
        let name: String = written
            .split('#')
            .next()
            .unwrap_or_default()
            .chars()
            .filter(|it| it.is_alphanumeric() || matches!(it, '_' | '-' | '.'))
            .collect();
        let right = if written.starts_with("[[") || written.contains("]]") {
            format!("[[{name}]]")
        } else {
            format!("[{name}]")
        };
        // Tables within this one have nowhere to be.
        let inner = format!("{name}.");
        let is_list = right.starts_with("[[");
        let is_inner =
            |line: &str| is_list && line.trim_start().trim_start_matches('[').starts_with(&inner);
        let next = lines(text).find(|it| {
            let line = slice(text, it);
            it.start >= section.end && line.trim_start().starts_with('[') && !is_inner(line)
        });
        let section = section.start..next.map_or(text.len(), |it| it.start);
        let helps = vec![
            format!("write `{right}`"),
            "what stands in this table is checked when its name is right".to_owned(),
        ];
        let mistake = Mistake {
            span: trimmed(text, &line),
            what: what.to_owned(),
            label: String::new(),
            helps,
            also: None,
        };
        Self { mistake, lines: section, table: Some(name) }
    }

    /// A table that stands in the file already, or whose name is a value's.
    fn header_again(text: &str, line: Range<usize>, span: Range<usize>, message: &str) -> Self {
        let section = line.start..section_end(text, &line);
        let written = trimmed(text, &line);
        let header = slice(text, &written);
        let bare = |line: &str| line.trim().trim_matches(['[', ']']).trim().to_owned();
        let name = bare(header);
        let first = lines(text).take_while(|it| it.start < line.start).find(|it| {
            slice(text, it).trim_start().starts_with('[') && bare(slice(text, it)) == name
        });
        let is_list = |line: &str| line.trim_start().starts_with("[[");
        let inside = lines(text).take_while(|it| it.start < line.start).find(|it| {
            let inner = bare(slice(text, it));
            slice(text, it).trim_start().starts_with('[') && inner.starts_with(&format!("{name}."))
        });
        if let (None, Some(inside), true) = (&first, &inside, is_list(header)) {
            let inner = trimmed(text, inside);
            let what = format!("`{}` stands before the first `{header}`", slice(text, &inner));
            let help = format!("write `{header}` above it, and what belongs to it between them");
            let also = Some((written, "this is the first one".to_owned()));
            let helps = vec![help];
            let mistake = Mistake { span: inner, what, label: String::new(), helps, also };
            let section = inside.start..section_end(text, inside);
            return Self { mistake, lines: section, table: None };
        }
        let (what, help) = match &first {
            Some(first) if is_list(slice(text, first)) != is_list(header) => (
                format!("`{name}` has one bracket here and two elsewhere"),
                format!("write `[[{name}]]` each time for a list, `[{name}]` once for a table"),
            ),
            _ if message.contains("cannot extend") => (
                format!("`{}` is a value and cannot be a table too", slice(text, &span)),
                "keep either the value or the table".to_owned(),
            ),
            _ => (
                format!("the table `[{name}]` stands here a second time"),
                "put its keys into the first one; only what may repeat has two brackets, `[[…]]`"
                    .to_owned(),
            ),
        };
        let also = first.map(|it| (trimmed(text, &it), "first here".to_owned()));
        let mistake =
            Mistake { span: written, what, label: String::new(), helps: vec![help], also };
        Self { mistake, lines: section, table: Some(name) }
    }

    /// A list or table in braces that is not closed, or whose inside cannot be read.
    fn list(
        text: &str,
        span: Range<usize>,
        message: &str,
        (open, close): (char, char),
        noun: &str,
    ) -> Self {
        let opens = |line: &Range<usize>| {
            let written = text.get(line.start..line.end.min(span.start)).unwrap_or_default();
            let value = written.split_once('=').map(|(_, it)| it.trim_start());
            value.is_some_and(|it| it.starts_with(open))
        };
        let first = lines(text).take_while(|it| it.start < span.start).filter(opens).last();
        let first = first.unwrap_or_else(|| line_around(text, span.start));
        let here = line_around(text, span.start);
        let next = lines(text)
            .skip_while(|it| it.end <= first.end)
            .find(|it| it.start >= here.start && begins_statement(slice(text, it)));
        let closed = lines(text)
            .skip_while(|it| it.start < here.start)
            .find(|it| without_comment(slice(text, it)).contains(close));
        let until = |it: &Option<Range<usize>>| it.as_ref().map_or(text.len(), |it| it.start);
        let is_unclosed = closed.is_none() || until(&next) <= until(&closed);
        let (span, what, help, end) = if is_unclosed {
            let end = until(&next).max(first.end);
            let start = text.get(first.clone()).and_then(|it| it.find(open)).unwrap_or(0);
            let start = first.start.saturating_add(start);
            let span = start..trimmed(text, &first).end;
            let what = format!("this {noun} is not closed");
            (span, what, format!("write `{close}` after its last value"), end)
        } else {
            let end = closed.map_or(text.len(), |it| it.end);
            let what = if message.contains("missing comma") {
                format!("a comma is missing between two values of this {noun}")
            } else if message.contains("extra comma") {
                format!("there is a comma too many in this {noun}")
            } else {
                format!("this {noun} cannot be read")
            };
            let help = if message.contains("comma") {
                "write one comma between two values".to_owned()
            } else {
                format!("the reader says: {message}")
            };
            (span, what, help, end)
        };
        let mistake = Mistake { span, what, label: String::new(), helps: vec![help], also: None };
        Self { mistake, lines: first.start..end, table: None }
    }

    /// A text over several lines that goes on to the end of the file.
    fn long_text(text: &str, error: &Error) -> Option<Self> {
        let span = span_of(text, error);
        if !error.message().contains("invalid multi-line") || span.end < text.trim_end().len() {
            return None;
        }
        let marks = ["\"\"\"", "'''"];
        let before = text.get(..span.start)?;
        let start = marks.iter().filter_map(|it| before.rfind(it)).max()?;
        let line = line_around(text, start);
        if is_meant_as_header(slice(text, &line)) {
            return Some(Self::header(text, line, "this line is no table's name"));
        }
        let mark = text.get(start..start.saturating_add(3)).unwrap_or("\"\"\"");
        let mistake = Mistake {
            span: start..trimmed(text, &line).end,
            what: "this text over several lines is not closed".to_owned(),
            label: String::new(),
            helps: vec![format!("write `{mark}` at its end")],
            also: None,
        };
        Some(Self { mistake, lines: line, table: None })
    }

    /// The first word of every line that is lost, and the words of tables' names.
    fn names(&self, text: &str) -> Vec<String> {
        let mut names = Vec::new();
        for line in lines(slice(text, &self.lines)) {
            let line = slice(slice(text, &self.lines), &line).trim_start();
            let key = |text: &str| -> String {
                text.chars()
                    .take_while(|it| it.is_alphanumeric() || matches!(it, '_' | '-'))
                    .collect()
            };
            if line.starts_with('[') {
                names.extend(line.trim_matches(['[', ']']).split('.').map(|it| key(it.trim())));
            } else {
                let before = line.split_once('=').map_or_else(
                    || key(line),
                    |(before, _)| {
                        before
                            .chars()
                            .filter(|it| it.is_alphanumeric() || matches!(it, '_' | '-'))
                            .collect()
                    },
                );
                names.push(before);
            }
        }
        names.retain(|it| !it.is_empty());
        names
    }
}

/// A value that cannot be read, in a statement that can; or a key that stands there twice.
fn value_mistake(text: &str, error: &Error) -> Mistake {
    let message = error.message();
    let span = span_of(text, error);
    let written = slice(text, &span);
    let is = |part: &str| message.contains(part);
    let mut also = None;
    let (what, help) = if is("duplicate key") {
        also = first_key(text, &span).map(|it| (it, "first here".to_owned()));
        (format!("the key `{written}` stands here a second time"), "keep one of them".to_owned())
    } else if is("cannot extend") {
        let what = format!("`{written}` is a value and cannot be a table too");
        (what, "keep either the value or the table".to_owned())
    } else if is("must be quoted") || is("invalid boolean") || is("invalid literal string") {
        unquoted(written)
    } else if is("invalid basic string") {
        let help = "write `\"` at its end; a text stands on one line".to_owned();
        ("this text is not closed".to_owned(), help)
    } else if is("invalid date") || is("invalid time") || is("hour") || is("offset") {
        let why = message.split_once(", ").map_or(message, |(_, it)| it);
        let help = "write year-month-day, such as 2026-01-31".to_owned();
        (format!("there is no such date: {why}"), help)
    } else if is("leading zero") || is("mantissa") || is("fraction") || is("float") || is("integer")
    {
        return no_number(text, &span);
    } else if is("escape") {
        let help = "write `\\\\` for a backslash, or put the text in single quotes".to_owned();
        ("a backslash in a text begins a special character".to_owned(), help)
    } else {
        ("this value cannot be read".to_owned(), format!("the reader says: {message}"))
    };
    Mistake { span, what, label: String::new(), helps: vec![help], also }
}

/// Something that begins as a number and does not end as one.
fn no_number(text: &str, span: &Range<usize>) -> Mistake {
    let line = line_around(text, span.start);
    let is_end =
        |it: char| it.is_whitespace() || matches!(it, ',' | ']' | '}' | '#' | '=' | '[' | '{');
    let before = text.get(line.start..span.start).unwrap_or_default();
    let after = text.get(span.start..line.end).unwrap_or_default();
    let start = before
        .rfind(is_end)
        .map_or(line.start, |it| line.start.saturating_add(it).saturating_add(1));
    let end = after.find(is_end).map_or(line.end, |it| span.start.saturating_add(it));
    let span = start..end;
    let written = slice(text, &span);
    let (whole, fraction) = written.split_once('.').unwrap_or((written, ""));
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let right = if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") };
    let is_number =
        right.chars().all(|it| it.is_ascii_digit() || it == '.') && right.matches('.').count() <= 1;
    let help = if is_number {
        format!("write `{right}`")
    } else {
        "write digits, and in a decimal one point between digits, such as 0.05".to_owned()
    };
    let what = if written.starts_with('0') && is_number {
        "a number does not begin with a zero".to_owned()
    } else if is_number {
        "a decimal has digits on both sides of its point".to_owned()
    } else {
        "this is no number".to_owned()
    };
    Mistake { span, what, label: String::new(), helps: vec![help], also: None }
}

/// Something that is no number, date or `true`, and has no quotes.
fn unquoted(written: &str) -> (String, String) {
    let bare = written.trim_matches(['“', '”', '„', '‘', '’', '«', '»', '\'', '"']);
    let lower = written.to_lowercase();
    let number: String = written.chars().filter(|it| it.is_ascii_digit() || *it == '.').collect();
    if written.is_empty() {
        ("the value is missing".to_owned(), "write a value after `=`".to_owned())
    } else if matches!(lower.as_str(), "true" | "yes" | "on" | "y") {
        ("this is neither `true` nor `false`".to_owned(), "write `true`".to_owned())
    } else if matches!(lower.as_str(), "false" | "no" | "off" | "n") {
        ("this is neither `true` nor `false`".to_owned(), "write `false`".to_owned())
    } else if bare != written {
        let what = "a text stands in straight quotes".to_owned();
        (what, format!("write `\"{bare}\"`"))
    } else if let Some(percent) = written.strip_suffix('%') {
        let what = "a share is a decimal, not a percentage".to_owned();
        (what, format!("write {}", percent_as_decimal(percent)))
    } else if written.starts_with(['£', '€', '$', '¥']) && !number.is_empty() {
        ("an amount has no currency sign".to_owned(), format!("write `{number}`"))
    } else {
        let help = format!("write `\"{bare}\"`; numbers, dates, `true` and `false` have no quotes");
        ("a text stands in quotes".to_owned(), help)
    }
}

/// How a percentage is written as a share, if it is a plain number.
pub(crate) fn percent_as_decimal(percent: &str) -> String {
    let percent = percent.trim();
    let (whole, fraction) = percent.split_once('.').unwrap_or((percent, ""));
    let is_digits = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return "five percent as `0.05`".to_owned();
    }
    let digits = format!("{whole:0>3}");
    let (before, after) =
        digits.split_at_checked(digits.len().saturating_sub(2)).unwrap_or(("0", "0"));
    let after = format!("{after}{fraction}");
    let after = after.trim_end_matches('0');
    let before = before.trim_start_matches('0');
    let before = if before.is_empty() { "0" } else { before };
    if after.is_empty() { format!("`{before}`") } else { format!("`{before}.{after}`") }
}

/// Where the key at `span` stood first in its table.
fn first_key(text: &str, span: &Range<usize>) -> Option<Range<usize>> {
    let key = slice(text, span);
    let mut found = None;
    for line in lines(text).take_while(|it| it.end <= span.start) {
        let written = slice(text, &line);
        if written.trim_start().starts_with('[') {
            found = None;
        } else if found.is_none()
            && written.split_once('=').is_some_and(|(before, _)| before.trim() == key)
        {
            let start = line.start.saturating_add(written.find(key).unwrap_or(0));
            found = Some(start..start.saturating_add(key.len()));
        }
    }
    found
}

fn slice<'t>(text: &'t str, span: &Range<usize>) -> &'t str {
    text.get(span.clone()).unwrap_or_default()
}

/// The places of the lines of `text`, each with its end.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.split_inclusive('\n').scan(0_usize, |start, line| {
        let from = *start;
        *start = from.saturating_add(line.len());
        Some(from..*start)
    })
}

/// The line that holds `index`; at the end of the text the last one that is not blank.
fn line_around(text: &str, index: usize) -> Range<usize> {
    let index = if index < text.len() { index } else { text.trim_end().len() };
    let index = text.floor_char_boundary(index);
    let (before, after) = text.split_at_checked(index).unwrap_or((text, ""));
    let start = before.rfind('\n').map_or(0, |it| it.saturating_add(1));
    let end = after.find('\n').map_or(text.len(), |it| index.saturating_add(it).saturating_add(1));
    start..end
}

/// `span` without blanks at its ends.
fn trimmed(text: &str, span: &Range<usize>) -> Range<usize> {
    let written = slice(text, span);
    let start = written.len().saturating_sub(written.trim_start().len());
    let start = span.start.saturating_add(start);
    start..start.saturating_add(written.trim().len())
}

/// The end of the table that begins with the line `header`.
fn section_end(text: &str, header: &Range<usize>) -> usize {
    lines(text)
        .find(|it| it.start >= header.end && slice(text, it).trim_start().starts_with('['))
        .map_or(text.len(), |it| it.start)
}

/// `line` up to its comment, if it has one.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    for (index, character) in line.char_indices() {
        match (quote, character) {
            (None, '#') => return line.get(..index).unwrap_or(line),
            (None, '"' | '\'') => quote = Some(character),
            (Some(it), _) if it == character => quote = None,
            _ => (),
        }
    }
    line
}

/// Whether `line` looks like a key with a value, or like a table's name.
fn begins_statement(line: &str) -> bool {
    let line = line.trim();
    let is_key = line.split_once('=').is_some_and(|(key, _)| {
        let key = key.trim();
        !key.is_empty()
            && key.chars().all(|it| it.is_alphanumeric() || matches!(it, '_' | '-' | '.'))
    });
    let name = line.trim_matches(['[', ']']);
    let is_header = line.starts_with('[')
        && line.ends_with(']')
        && name.starts_with(|it: char| it.is_alphabetic())
        && name.chars().all(|it| it.is_alphanumeric() || matches!(it, '_' | '-' | '.'));
    is_key || is_header
}

/// The place of `error`; widened to the word there if it is between two characters.
fn span_of(text: &str, error: &Error) -> Range<usize> {
    error.span().unwrap_or(0..text.len().min(1))
}
