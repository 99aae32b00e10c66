//! What derived code does not do when it reads JSON.

use std::{fmt, marker::PhantomData};

use jiff::{Timestamp, civil::Date};
use loyalty_domain::calendar::Month;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

/// Reads a `T` from an object only.
///
/// Derived code also takes a list as the fields in their order, which nobody means to send.
pub(crate) struct Object<T>(PhantomData<T>);

impl<T> Object<T> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Object<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// Reads an object, for a field.
pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Object::new().deserialize(deserializer)
}

/// A list of objects.
struct Objects<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Objects<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
                let mut all = Vec::new();
                while let Some(element) = list.next_element_seed(Object::new())? {
                    all.push(element);
                }
                Ok(all)
            }
        }

        deserializer.deserialize_seq(List(PhantomData)).map(Self)
    }
}

/// Reads a list of objects, for a field.
pub(crate) fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Objects::deserialize(deserializer).map(|it| it.0)
}

/// Reads a list of objects, which may be `null`, for a field that may be absent.
pub(crate) fn objects_if_any<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    Option::<Objects<T>>::deserialize(deserializer).map(|it| it.map(|it| it.0))
}

/// Reads a value, or the default for `null`, for a field that may be absent.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Reads a list of objects, or an empty one for `null`, for a field that may be absent.
pub(crate) fn objects_or_none<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    objects_if_any(deserializer).map(Option::unwrap_or_default)
}

/// Reads an object, which may be `null`, for a field that may be absent.
pub(crate) fn object_if_any<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    struct OneObject<T>(T);

    impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneObject<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            object(deserializer).map(Self)
        }
    }

    Option::<OneObject<T>>::deserialize(deserializer).map(|it| it.map(|it| it.0))
}

/// Reads a text that `read` takes.
struct Text<T> {
    expected: &'static str,
    read: fn(&str) -> Option<T>,
}

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        // The library's own error quotes the text.
        (self.read)(text).ok_or_else(|| E::custom("another text"))
    }
}

/// Reads a day such as `2026-01-31`, for a field.
pub(crate) fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    let read = |text: &str| {
        // The library reads times, too, and days without their marks.
        has_shape(text.as_bytes(), b"0000-00-00").then(|| text.parse().ok()).flatten()
    };
    deserializer.deserialize_str(Text { expected: "a day", read })
}

/// Reads a day, or `None` for `null`, for a field that may be absent.
pub(crate) fn day_if_any<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Date>, D::Error> {
    struct Day(Date);

    impl<'de> Deserialize<'de> for Day {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            day(deserializer).map(Self)
        }
    }

    Option::<Day>::deserialize(deserializer).map(|it| it.map(|it| it.0))
}

/// Reads a month such as `2026-01`, for a field.
pub(crate) fn month<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Month, D::Error> {
    let read = |text: &str| {
        has_shape(text.as_bytes(), b"0000-00").then(|| text.to_owned().try_into().ok()).flatten()
    };
    deserializer.deserialize_str(Text { expected: "a month", read })
}

/// Reads an instant as RFC 3339 writes it, for a field.
pub(crate) fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    deserializer.deserialize_str(Text { expected: "a date and time", read: read_instant })
}

/// The instant that `text` is, as RFC 3339 writes it.
pub(crate) fn read_instant(text: &str) -> Option<Timestamp> {
    is_rfc_3339(text).then(|| text.parse().ok()).flatten()
}

/// Whether `text` has a digit wherever `shape` has a 0, and otherwise what stands there.
fn has_shape(text: &[u8], shape: &[u8]) -> bool {
    text.len() == shape.len()
        && text.iter().zip(shape).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            b'T' => byte.eq_ignore_ascii_case(&b'T'),
            mark => byte == mark,
        })
}

/// Whether `text` has the shape of RFC 3339, which is stricter than what the library reads.
fn is_rfc_3339(text: &str) -> bool {
    let Some((head, rest)) = text.as_bytes().split_at_checked("2026-01-31T12:00:00".len()) else {
        return false;
    };
    let offset = match rest.strip_prefix(b".") {
        Some(fraction) => match fraction.iter().position(|it| !it.is_ascii_digit()) {
            None | Some(0) => None,
            Some(digits) => fraction.get(digits..),
        },
        None => Some(rest),
    };
    has_shape(head, b"0000-00-00T00:00:00")
        && offset.is_some_and(|it| {
            it.eq_ignore_ascii_case(b"Z") || has_shape(it, b"+00:00") || has_shape(it, b"-00:00")
        })
}
