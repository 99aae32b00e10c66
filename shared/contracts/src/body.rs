//! Bodies of requests: read strictly, and every mistake named with its place and what would be right.
//!
//! Nothing that was sent is ever said again, neither values nor names of fields that are not ours: both may be
//! personal. Unlike an event of a queue, which stops at the first mistake, a body is read to its end: somebody
//! may be filling in a form.

use std::{cell::RefCell, fmt};

use loyalty_domain::{id::MemberId, points::Points};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

/// How many mistakes are named.
pub const MISTAKES_MAX: usize = 20;

/// A body says nothing that could be done. Sending it again does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is no JSON.
    #[error("the body is not JSON: line {line}, column {column}")]
    NotJson {
        /// The line, counted from 1.
        line: usize,
        /// The last byte that was read of the line, counted from 1.
        column: usize,
    },
    /// It is JSON of something else. At most [`MISTAKES_MAX`] are named, in the order of our fields.
    #[error("the body has {} mistakes", .0.len())]
    Wrong(Vec<Mistake>),
}

/// Something in a body that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Mistake {
    /// Where, as in `consents.mail.at`; `?` stands for a field that is not known, and nothing for the whole body.
    #[cfg_attr(feature = "openapi", schema(example = "phone"))]
    pub path: String,
    /// What would be right.
    #[cfg_attr(
        feature = "openapi",
        schema(
            example = "a phone number begins with + and the code of its country, not with 0 or 00"
        )
    )]
    pub expected: String,
}

/// What a patch does to a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patch<T> {
    /// Nothing: it is not named.
    Keep,
    /// It is `null`: it goes.
    Remove,
    /// It becomes this.
    Set(T),
}

impl<T> Patch<T> {
    /// What becomes of a field that was `before`.
    pub fn apply(self, before: Option<T>) -> Option<T> {
        match self {
            Self::Keep => before,
            Self::Remove => None,
            Self::Set(value) => Some(value),
        }
    }

    /// Whether the field is named.
    pub const fn is_named(&self) -> bool {
        !matches!(self, Self::Keep)
    }
}

/// A JSON value of which every field is still there, however often.
///
/// There is deliberately no `Debug`.
pub(crate) enum Node {
    Null,
    Bool(bool),
    Number(Option<u64>),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    /// The value that `body` is.
    pub(crate) fn read(body: &[u8]) -> Result<Self, BodyError> {
        serde_json::from_slice(body).map_err(|error| {
            // The library's own error quotes what it read.
            BodyError::NotJson { line: error.line(), column: error.column() }
        })
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Number(Some(number)))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Number(None))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Number(None))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Node, E> {
        Ok(Node::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut all = Vec::new();
        while let Some(element) = list.next_element()? {
            all.push(element);
        }
        Ok(Node::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut all = Vec::new();
        while let Some(field) = map.next_entry()? {
            all.push(field);
        }
        Ok(Node::Object(all))
    }
}

/// What `make` makes of `body`, an object of fields called `names`.
pub(crate) fn read<T>(
    body: &[u8],
    names: &[&'static str],
    make: impl FnOnce(&Fields<'_>) -> Option<T>,
) -> Result<T, BodyError> {
    let node = Node::read(body)?;
    let mistakes = Mistakes::default();
    let made = mistakes.fields(&node, String::new(), names).and_then(|it| make(&it));
    mistakes.end(made)
}

/// Reads an id of a member, which stands in keys, entries and events for ever: nothing by which
/// somebody can be reached.
pub(crate) fn read_member_id(text: &str) -> Result<MemberId, String> {
    if text.contains(['@', '+']) {
        return Err(
            "the shop's id of the member, never a mail address or a phone number".to_owned()
        );
    }
    MemberId::try_from(text).map_err(|it| it.to_string())
}

/// The mistakes that were found.
#[derive(Debug, Default)]
pub(crate) struct Mistakes(RefCell<Vec<Mistake>>);

impl Mistakes {
    pub(crate) fn add(&self, path: impl Into<String>, expected: impl fmt::Display) {
        let mut all = self.0.borrow_mut();
        if all.len() < MISTAKES_MAX {
            all.push(Mistake { path: path.into(), expected: expected.to_string() });
        }
    }

    /// The fields of `node`, which must be an object of those called `names` and no others.
    pub(crate) fn fields<'a>(
        &'a self,
        node: &'a Node,
        path: String,
        names: &[&'static str],
    ) -> Option<Fields<'a>> {
        let Node::Object(fields) = node else {
            self.add(path, "an object");
            return None;
        };
        let times = |name: &str| fields.iter().filter(|(it, _)| it == name).count();
        let place = Place(path);
        if fields.iter().any(|(it, _)| !names.contains(&it.as_str())) {
            self.add(place.of("?"), format_args!("no field beside {}", names.join(", ")));
        }
        for name in names.iter().filter(|it| times(it) > 1) {
            self.add(place.of(name), "once, not twice");
        }
        Some(Fields { mistakes: self, place, all: fields })
    }

    /// `value`, if there was no mistake.
    pub(crate) fn end<T>(self, value: Option<T>) -> Result<T, BodyError> {
        let mistakes = self.0.into_inner();
        match value {
            Some(value) if mistakes.is_empty() => Ok(value),
            Some(_) | None => Err(BodyError::Wrong(mistakes)),
        }
    }
}

/// A place in a body.
struct Place(String);

impl Place {
    /// The place of the field called `name` in it.
    fn of(&self, name: &str) -> String {
        if self.0.is_empty() { name.to_owned() } else { format!("{}.{name}", self.0) }
    }
}

/// The fields of an object.
pub(crate) struct Fields<'a> {
    mistakes: &'a Mistakes,
    place: Place,
    all: &'a [(String, Node)],
}

impl<'a> Fields<'a> {
    /// The place of the field called `name`.
    pub(crate) fn place(&self, name: &str) -> String {
        self.place.of(name)
    }

    /// Notes that the field called `name` should be something else.
    pub(crate) fn wrong(&self, name: &str, expected: impl fmt::Display) {
        self.mistakes.add(self.place(name), expected);
    }

    /// The value of a field, `null` or not.
    pub(crate) fn node(&self, name: &str) -> Option<&'a Node> {
        self.all.iter().find(|(it, _)| it == name).map(|(_, node)| node)
    }

    /// What `read` makes of the field called `name`; a field that is not there, or `null`, is none.
    pub(crate) fn value<T>(
        &self,
        name: &str,
        read: impl FnOnce(&'a Node, String) -> Option<T>,
    ) -> Option<T> {
        self.patch(name, read).apply(None)
    }

    /// As [`value`](Self::value), but it has to be there: `expected` otherwise.
    pub(crate) fn needed<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&'a Node, String) -> Option<T>,
    ) -> Option<T> {
        match self.node(name) {
            Some(Node::Null) | None => {
                self.wrong(name, expected);
                None
            }
            Some(node) => read(node, self.place(name)),
        }
    }

    /// What the field called `name` says that becomes of what is there.
    pub(crate) fn patch<T>(
        &self,
        name: &str,
        read: impl FnOnce(&'a Node, String) -> Option<T>,
    ) -> Patch<T> {
        match self.node(name) {
            None => Patch::Keep,
            Some(Node::Null) => Patch::Remove,
            Some(node) => read(node, self.place(name)).map_or(Patch::Keep, Patch::Set),
        }
    }

    /// A reader of texts that `read` takes, whose errors say what would be right.
    pub(crate) fn text<T, E: fmt::Display>(
        &self,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> impl FnOnce(&'a Node, String) -> Option<T> {
        let mistakes = self.mistakes;
        move |node, path| {
            let Node::Text(text) = node else {
                mistakes.add(path, "text");
                return None;
            };
            match read(text) {
                Ok(value) => Some(value),
                Err(expected) => {
                    mistakes.add(path, expected);
                    None
                }
            }
        }
    }

    /// A reader of `true` and `false`.
    pub(crate) fn truth(&self) -> impl FnOnce(&'a Node, String) -> Option<bool> {
        let mistakes = self.mistakes;
        move |node, path| {
            let Node::Bool(value) = node else {
                mistakes.add(path, "true or false");
                return None;
            };
            Some(*value)
        }
    }

    /// A reader of whole numbers, 0 among them.
    pub(crate) fn count(&self) -> impl FnOnce(&'a Node, String) -> Option<u64> {
        let mistakes = self.mistakes;
        move |node, path| {
            if let Node::Number(Some(number)) = node {
                return Some(*number);
            }
            mistakes.add(path, "a whole number from 0");
            None
        }
    }

    /// A reader of lists of at most `most` objects of fields called `names`, of which `read` makes something.
    pub(crate) fn objects<T>(
        &self,
        most: usize,
        names: &[&'static str],
        read: impl Fn(&Fields<'a>) -> Option<T>,
    ) -> impl FnOnce(&'a Node, String) -> Option<Vec<T>> {
        let mistakes = self.mistakes;
        move |node, path| {
            let Node::List(all) = node else {
                mistakes.add(path, "a list of objects");
                return None;
            };
            if all.len() > most {
                mistakes.add(path, format_args!("at most {most} of them"));
                return None;
            }
            let mut values = Vec::new();
            for (index, element) in all.iter().enumerate() {
                let fields = mistakes.fields(element, format!("{path}[{index}]"), names);
                values.extend(fields.as_ref().and_then(&read));
            }
            Some(values)
        }
    }

    /// A reader of whole numbers from 1.
    pub(crate) fn number(&self) -> impl FnOnce(&'a Node, String) -> Option<u64> {
        let mistakes = self.mistakes;
        move |node, path| match node {
            Node::Number(Some(number @ 1..)) => Some(*number),
            Node::Null
            | Node::Bool(_)
            | Node::Number(_)
            | Node::Text(_)
            | Node::List(_)
            | Node::Object(_) => {
                mistakes.add(path, "a whole number from 1");
                None
            }
        }
    }

    /// A reader of whole numbers of points from 1.
    pub(crate) fn points(&self) -> impl FnOnce(&'a Node, String) -> Option<Points> {
        let (mistakes, read) = (self.mistakes, self.number());
        move |node, path| {
            let number = read(node, path.clone())?;
            let points = Points::try_from(number).ok();
            if points.is_none() {
                mistakes.add(path, format_args!("at most {} points", Points::MAX));
            }
            points
        }
    }

    /// A reader of objects of fields called `names`.
    pub(crate) fn object(
        &self,
        names: &[&'static str],
    ) -> impl FnOnce(&'a Node, String) -> Option<Fields<'a>> {
        let mistakes = self.mistakes;
        move |node, path| mistakes.fields(node, path, names)
    }

    /// A reader of lists of at most `most` texts that `read` takes.
    pub(crate) fn texts<T, E: fmt::Display>(
        &self,
        most: usize,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> impl FnOnce(&'a Node, String) -> Option<Vec<T>> {
        let mistakes = self.mistakes;
        move |node, path| {
            let Node::List(all) = node else {
                mistakes.add(path, "a list of texts");
                return None;
            };
            if all.len() > most {
                mistakes.add(path, format_args!("at most {most} texts"));
                return None;
            }
            let mut values = Vec::new();
            for (index, element) in all.iter().enumerate() {
                let place = || format!("{path}[{index}]");
                match element {
                    Node::Text(text) => match read(text) {
                        Ok(value) => values.push(value),
                        Err(expected) => mistakes.add(place(), expected),
                    },
                    Node::Null
                    | Node::Bool(_)
                    | Node::Number(_)
                    | Node::List(_)
                    | Node::Object(_) => mistakes.add(place(), "text"),
                }
            }
            Some(values)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_says_where_and_nothing_of_what_it_was() {
        for (body, column) in
            [(&b"{\"SECRET\": SECRET}"[..], 12), (b"", 0), (b"\xff", 1), (b"{} {}", 4)]
        {
            let Err(error) = Node::read(body) else { panic!("{body:?} is no JSON") };
            assert_eq!(error, BodyError::NotJson { line: 1, column });
            assert!(!error.to_string().contains("SECRET"));
        }
        let deep = "[".repeat(5_000);
        assert!(matches!(Node::read(deep.as_bytes()), Err(BodyError::NotJson { .. })));
    }
}
