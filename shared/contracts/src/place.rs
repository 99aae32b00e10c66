//! Where in a JSON text a reader stopped: by which keys and indexes one comes there.
//!
//! A reader that notes its way as it goes is slower for every message, to help with the few that are
//! wrong, and it is copied for every type that is read.

/// A step on the way from a whole text to what stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// To the value of a key, which is as it is written: in quotes, and maybe with escapes. Before there
    /// is a key it is empty.
    Field(&'a str),
    /// To an element, counted from 0.
    Element(usize),
}

/// The way to where `serde_json` stopped reading `text`, which is JSON: `column` bytes into `line`, which
/// is counted from 1.
///
/// That is at a value that it did not take, behind it, or behind a key that was there before. Where the
/// list or object ends in which that value is the last, it may have read the end, too: what ends there
/// counts as open. So the last step is the field or element that was read last.
pub(crate) fn steps_to(text: &str, line: usize, column: usize) -> Vec<Step<'_>> {
    let before =
        text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
    let read = text.get(..before.saturating_add(column)).unwrap_or(text);
    let mut steps = Vec::new();
    let mut bytes = read.bytes().enumerate();
    while let Some((start, byte)) = bytes.next() {
        match byte {
            b'{' => steps.push(Step::Field("")),
            b'[' => steps.push(Step::Element(0)),
            b'}' | b']' if bytes.len() > 0 => drop(steps.pop()),
            b',' => match steps.last_mut() {
                Some(Step::Field(key)) => *key = "",
                Some(Step::Element(index)) => *index = index.saturating_add(1),
                None => (),
            },
            b'"' => {
                let mut is_escaped = false;
                let end = bytes.find(|(_, byte)| {
                    let is_end = *byte == b'"' && !is_escaped;
                    is_escaped = *byte == b'\\' && !is_escaped;
                    is_end
                });
                if let (Some(Step::Field(key @ "")), Some((end, _))) = (steps.last_mut(), end) {
                    *key = read.get(start..=end).unwrap_or_default();
                }
            }
            _ => (),
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The way to where `|` stands.
    #[track_caller]
    fn check(marked: &str, expected: &[Step<'_>]) {
        let (read, rest) = marked.split_once('|').unwrap();
        let line = read.split('\n').count();
        let column = read.rsplit('\n').next().unwrap().len();

        assert_eq!(steps_to(&format!("{read}{rest}"), line, column), expected);
    }

    use Step::{Element, Field};

    #[test]
    fn a_place_is_found_by_the_keys_and_elements_around_it() {
        check(r#"{"a": |1}"#, &[Field("\"a\"")]);
        check(r#"{"a": 1, "b": 2|}"#, &[Field("\"b\"")]);
        check(
            r#"{"a": {"b": 1}, "c": [1, {"d": |2}]}"#,
            &[Field("\"c\""), Element(1), Field("\"d\"")],
        );
        check("{\"a\": 1,\r\n\"b\": [\n0,\n\n |1]}", &[Field("\"b\""), Element(1)]);
        check("[[], [[|]]]", &[Element(1), Element(0), Element(0)]);
        check(r#"[|"a"]"#, &[Element(0)]);
    }

    #[test]
    fn a_key_is_a_place_before_its_value() {
        check(r#"{"a": 1, "a" | : 2}"#, &[Field("\"a\"")]);
        check(r#"{"a": 1, | "b": 2}"#, &[Field("")]);
        check("{|}", &[Field("")]);
    }

    #[test]
    fn what_ends_at_the_place_is_open_and_what_ends_before_it_is_not() {
        check(r#"{"a": [{"b": 1}|]}"#, &[Field("\"a\""), Element(0), Field("\"b\"")]);
        check(r#"{"a": [{"b": 1} |]}"#, &[Field("\"a\""), Element(0)]);
        check(r#"{"a": [{"b": 1}]|}"#, &[Field("\"a\""), Element(0)]);
        check(r#"{"a": {}|}"#, &[Field("\"a\""), Field("")]);
    }

    #[test]
    fn what_stands_in_texts_does_not_count() {
        check(r#"{"a": "{[,\"}", "\"{\\": "\\", "é,": |1}"#, &[Field("\"é,\"")]);
        check(r#"{"a\"": "b", "c": "d:\"|"}"#, &[Field("\"c\"")]);
        check(r#"{"a": "b|"}"#, &[Field("\"a\"")]);
        check(r#"{"": "b", "c": ""|}"#, &[Field("\"c\"")]);
        check(r#"{"": "b"|}"#, &[Field("\"\"")]);
    }

    #[test]
    fn a_place_that_is_not_in_the_text_is_its_end() {
        assert_eq!(steps_to("[1, 2]", 7, 9), [Element(1)]);
        assert_eq!(steps_to("", 0, 0), []);
    }
}
