//! Metrics: counts in the embedded format, which `CloudWatch` takes from the log without a call.
//!
//! The format: `CloudWatch` Embedded Metric Format Specification, version 0.

use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Where our metrics are in `CloudWatch`.
pub const NAMESPACE: &str = "Loyalty";

/// What happened in one invocation, in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    function: &'static str,
    counts: Vec<(&'static str, u64)>,
}

impl Metrics {
    /// No metrics yet of the function called `function`.
    pub const fn of(function: &'static str) -> Self {
        Self { function, counts: Vec::new() }
    }

    /// Counts one more of `name`.
    pub fn count(&mut self, name: &'static str) {
        self.add(name, 1);
    }

    /// Counts so many more of `name`.
    pub fn add(&mut self, name: &'static str, number: u64) {
        match self.counts.iter_mut().find(|(it, _)| *it == name) {
            Some((_, count)) => *count = count.saturating_add(number),
            None => self.counts.push((name, number)),
        }
    }

    /// How many of `name` were counted.
    pub fn counted(&self, name: &str) -> u64 {
        self.counts.iter().find(|(it, _)| *it == name).map_or(0, |(_, count)| *count)
    }

    /// The line that says so; `None` if nothing was counted.
    pub fn line(&self, at: Timestamp) -> Option<String> {
        if self.counts.is_empty() {
            return None;
        }
        let metrics: Vec<Value> =
            self.counts.iter().map(|(name, _)| json!({"Name": name, "Unit": "Count"})).collect();
        let mut line = Map::new();
        line.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": at.as_millisecond(),
                "CloudWatchMetrics": [
                    {"Namespace": NAMESPACE, "Dimensions": [["Function"]], "Metrics": metrics}
                ],
            }),
        );
        line.insert("Function".to_owned(), self.function.into());
        line.extend(self.counts.iter().map(|(name, count)| ((*name).to_owned(), (*count).into())));
        Some(Value::Object(line).to_string())
    }

    /// Writes the line to the standard output.
    pub fn emit(&self, at: Timestamp) {
        if let Some(line) = self.line(at) {
            // Where not even this can be written, no alarm would be heard either.
            drop(writeln!(io::stdout().lock(), "{line}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_a_line_of_the_embedded_metric_format() {
        let mut metrics = Metrics::of("accrue-points");
        metrics.count("Answered");
        metrics.count("Answered");
        metrics.add("Repeated", 3);

        let line = metrics.line(Timestamp::UNIX_EPOCH).unwrap();

        let expected = json!({
            "_aws": {"Timestamp": 0, "CloudWatchMetrics": [{
                "Namespace": "Loyalty", "Dimensions": [["Function"]], "Metrics": [
                    {"Name": "Answered", "Unit": "Count"}, {"Name": "Repeated", "Unit": "Count"}]}]},
            "Function": "accrue-points", "Answered": 2, "Repeated": 3
        });
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
    }

    #[test]
    fn nothing_counted_is_nothing_said() {
        assert_eq!(Metrics::of("accrue-points").line(Timestamp::UNIX_EPOCH), None);
    }
}
