//! Mistakes of a file, each shown where it stands, as rustc shows them.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// One mistake of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// Its place, in bytes of the text.
    pub(crate) span: Range<usize>,
    /// What is wrong, in one line.
    pub(crate) what: String,
    /// What stands beside the caret; may be empty.
    pub(crate) label: String,
    /// What would be right.
    pub(crate) helps: Vec<String>,
    /// Another place that explains this one.
    pub(crate) also: Option<(Range<usize>, String)>,
}

/// How many mistakes are shown; a file with more of them is hardly what it should be.
const SHOWN_MAX: usize = 500;

/// Every mistake of one file, in the order of their places; never empty.
///
/// Its text begins with the first mistake, without the word "error" that whoever prints it puts before
/// it, and ends with the number of mistakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    name: String,
    text: String,
    mistakes: Vec<Mistake>,
    is_styled: bool,
}

impl Report {
    /// The report of `mistakes` in the `text` of the file called `name`.
    pub(crate) fn new(name: &str, text: &str, mut mistakes: Vec<Mistake>) -> Self {
        // Stable: what is missing stays in the order in which it was asked for.
        mistakes.sort_by_key(|it| it.span.start);
        mistakes.dedup();
        Self { name: name.to_owned(), text: text.to_owned(), mistakes, is_styled: false }
    }

    /// The same report with the colors of a terminal if it `is_styled`.
    pub(crate) fn styled(self, is_styled: bool) -> Self {
        Self { is_styled, ..self }
    }

    fn render(&self) -> String {
        let renderer = if self.is_styled { Renderer::styled() } else { Renderer::plain() };
        let mut report = String::new();
        for (index, mistake) in self.mistakes.iter().take(SHOWN_MAX).enumerate() {
            let level = if index == 0 { Level::ERROR.no_name() } else { Level::ERROR };
            report.push_str(&self.render_one(mistake, level, &renderer));
            report.push_str("\n\n");
        }
        let count = self.mistakes.len();
        if count > SHOWN_MAX {
            report.push_str(&format!("(only the first {SHOWN_MAX} are shown)\n"));
        }
        let noun = if count == 1 { "mistake" } else { "mistakes" };
        report.push_str(&format!("{}: {count} {noun}", self.name));
        report
    }

    fn render_one(&self, mistake: &Mistake, level: Level<'_>, renderer: &Renderer) -> String {
        let span = self.on_one_line(&mistake.span);
        let also = mistake.also.as_ref().map(|(span, label)| (self.on_one_line(span), label));
        let first = also.as_ref().map_or(span.start, |(it, _)| it.start.min(span.start));
        let last = also.as_ref().map_or(span.end, |(it, _)| it.end.max(span.end));
        // Only the lines in question: the renderer reads all that it is given, for every mistake.
        let lines = self.line_start(first)..self.line_end(last);
        let from = lines.start;
        let moved =
            |span: &Range<usize>| span.start.saturating_sub(from)..span.end.saturating_sub(from);

        let mut primary = AnnotationKind::Primary.span(moved(&span));
        if !mistake.label.is_empty() {
            primary = primary.label(mistake.label.as_str());
        }
        let mut snippet = Snippet::source(self.text.get(lines).unwrap_or_default())
            .path(self.name.as_str())
            .line_start(self.line_number(from))
            .annotation(primary);
        if let Some((span, label)) = &also {
            let context = AnnotationKind::Context.span(moved(span)).label(label.as_str());
            snippet = snippet.annotation(context);
        }
        let helps = mistake.helps.iter().map(|help| Level::HELP.message(printable(help)));
        let group = level.primary_title(mistake.what.as_str()).element(snippet);
        renderer.render(&[group.elements(helps)])
    }

    /// The part of `span` on its first line: lists may go over many.
    fn on_one_line(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.floor(span.start);
        let end = self.floor(span.end).min(self.line_end(start)).max(start);
        start..end
    }

    fn floor(&self, index: usize) -> usize {
        self.text.floor_char_boundary(index)
    }

    fn line_start(&self, index: usize) -> usize {
        let before = self.text.get(..index).unwrap_or_default();
        before.rfind('\n').map_or(0, |it| it.saturating_add(1))
    }

    fn line_end(&self, index: usize) -> usize {
        let after = self.text.get(index..).unwrap_or_default();
        let line = after.split('\n').next().unwrap_or_default();
        index.saturating_add(line.strip_suffix('\r').unwrap_or(line).len())
    }

    fn line_number(&self, index: usize) -> usize {
        let before = self.text.get(..index).unwrap_or_default();
        before.matches('\n').count().saturating_add(1)
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.render())
    }
}

/// `text` without characters that could move a terminal's cursor or color it.
fn printable(text: &str) -> String {
    text.chars().map(|it| if it.is_control() && it != '\n' { '\u{fffd}' } else { it }).collect()
}

/// The one of `known` that `written` was most likely meant to be.
pub(crate) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let plain = |text: &str| text.trim().to_lowercase().replace(['-', ' '], "_");
    let written = plain(written);
    let tolerated = written.chars().count().div_ceil(3);
    let distance = |known: &str| {
        let known = plain(known);
        // A part of a name is as good as a slip of the pen.
        let is_part =
            written.len() >= 4 && (known.starts_with(&written) || known.ends_with(&written));
        if is_part { 1 } else { strsim::damerau_levenshtein(&written, &known) }
    };
    known
        .into_iter()
        .map(|it| (distance(it), it))
        .filter(|(distance, _)| *distance <= tolerated)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, it)| it)
}

/// `names` as code in a sentence: `a`, `b` and `c`.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>, last: &str) -> String {
    let names: Vec<String> = names.into_iter().map(|it| format!("`{it}`")).collect();
    match names.split_last() {
        Some((end, [])) => end.clone(),
        Some((end, start)) => format!("{} {last} {end}", start.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_in_spite_of_slips_and_never_far_away() {
        let known = ["expiry_months", "expiry_rounding", "pending_days"];

        assert_eq!(nearest("expiry_month", known), Some("expiry_months"));
        assert_eq!(nearest("Expiry-Months", known), Some("expiry_months"));
        assert_eq!(nearest("pending", known), Some("pending_days"));
        assert_eq!(nearest("color", known), None);
        assert_eq!(nearest("", known), None);
    }

    #[test]
    fn a_report_survives_places_outside_of_its_text() {
        let mistake = |span| Mistake {
            span,
            what: "wrong".to_owned(),
            label: String::new(),
            helps: Vec::new(),
            also: None,
        };
        let report = Report::new("x", "é = 1\r\nb", vec![mistake(1..2), mistake(90..99)]);

        assert!(report.to_string().ends_with("x: 2 mistakes"));
    }
}
