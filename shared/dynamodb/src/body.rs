//! Bodies: `MessagePack` in which a struct is an array of its fields, as `rmp_serde` writes it.
//!
//! It is read by this, which takes nothing that is never written: no fields by name, no bytes, no floats.
//! `rmp_serde` would take all of them everywhere, and was a tenth of a function.
//!
//! The format: `MessagePack` specification, "Formats".

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
        value::BorrowedStrDeserializer,
    },
    forward_to_deserialize_any,
};

/// The body that says `value`.
pub(crate) fn write(value: &impl Serialize) -> Result<Vec<u8>, rmp_serde::encode::Error> {
    rmp_serde::to_vec(value)
}

/// What `body` says.
///
/// # Errors
///
/// An [`BodyError`]; trying again does not help.
pub(crate) fn read<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, BodyError> {
    let mut reader = Reader { rest: body };
    let value = T::deserialize(&mut reader)?;
    if reader.rest.is_empty() { Ok(value) } else { Err(BodyError::TooLong) }
}

/// A body is not what is expected.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// It was cut.
    #[error("a body ends too early")]
    TooShort,
    /// Something stands after its end, or after the last field of a struct.
    #[error("a body goes on after its end")]
    TooLong,
    /// It was not written by us.
    #[error("a body has a mark that is never written: {0:#04x}")]
    Mark(u8),
    /// A text is none.
    #[error("a text in a body is not UTF-8")]
    Text,
    /// Something else is there.
    #[error("a body has something else where {0} is expected")]
    Other(&'static str),
    /// It does not fit the type.
    #[error("{0}")]
    Value(String),
}

impl Error for BodyError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Value(message.to_string())
    }
}

/// What comes next; of an array or a map, how many.
#[derive(Clone, Copy)]
enum Token<'de> {
    Nothing,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Text(&'de str),
    Array(u32),
    Map(u32),
}

struct Reader<'de> {
    rest: &'de [u8],
}

impl<'de> Reader<'de> {
    fn token(&mut self) -> Result<Token<'de>, BodyError> {
        let [mark] = self.bytes()?;
        let token = match mark {
            0x00..=0x7f => Token::Unsigned(mark.into()),
            0x80..=0x8f => Token::Map((mark & 0x0f).into()),
            0x90..=0x9f => Token::Array((mark & 0x0f).into()),
            0xa0..=0xbf => self.text((mark & 0x1f).into())?,
            0xc0 => Token::Nothing,
            0xc2 => Token::Bool(false),
            0xc3 => Token::Bool(true),
            0xcc => Token::Unsigned(u8::from_be_bytes(self.bytes()?).into()),
            0xcd => Token::Unsigned(u16::from_be_bytes(self.bytes()?).into()),
            0xce => Token::Unsigned(u32::from_be_bytes(self.bytes()?).into()),
            0xcf => Token::Unsigned(u64::from_be_bytes(self.bytes()?)),
            0xd0 => Token::Signed(i8::from_be_bytes(self.bytes()?).into()),
            0xd1 => Token::Signed(i16::from_be_bytes(self.bytes()?).into()),
            0xd2 => Token::Signed(i32::from_be_bytes(self.bytes()?).into()),
            0xd3 => Token::Signed(i64::from_be_bytes(self.bytes()?)),
            0xd9 => {
                let length = u8::from_be_bytes(self.bytes()?);
                self.text(length.into())?
            }
            0xda => {
                let length = u16::from_be_bytes(self.bytes()?);
                self.text(length.into())?
            }
            0xdb => {
                let length = u32::from_be_bytes(self.bytes()?);
                self.text(length)?
            }
            0xdc => Token::Array(u16::from_be_bytes(self.bytes()?).into()),
            0xdd => Token::Array(u32::from_be_bytes(self.bytes()?)),
            0xde => Token::Map(u16::from_be_bytes(self.bytes()?).into()),
            0xdf => Token::Map(u32::from_be_bytes(self.bytes()?)),
            0xe0..=0xff => Token::Signed(i8::from_be_bytes([mark]).into()),
            0xc1 | 0xc4..=0xcb | 0xd4..=0xd8 => return Err(BodyError::Mark(mark)),
        };
        Ok(token)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], BodyError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(BodyError::TooShort)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn text(&mut self, length: u32) -> Result<Token<'de>, BodyError> {
        let length = usize::try_from(length).map_err(|_| BodyError::TooShort)?;
        let (text, rest) = self.rest.split_at_checked(length).ok_or(BodyError::TooShort)?;
        self.rest = rest;
        std::str::from_utf8(text).map(Token::Text).map_err(|_| BodyError::Text)
    }

    fn elements<V: Visitor<'de>>(&mut self, left: u32, visitor: V) -> Result<V::Value, BodyError> {
        let mut elements = Elements { reader: self, left };
        let value = visitor.visit_seq(&mut elements)?;
        if elements.left == 0 { Ok(value) } else { Err(BodyError::TooLong) }
    }

    fn number<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, BodyError> {
        match self.token()? {
            Token::Unsigned(number) => visitor.visit_u64(number),
            Token::Signed(number) => visitor.visit_i64(number),
            Token::Nothing | Token::Bool(_) | Token::Text(_) | Token::Array(_) | Token::Map(_) => {
                Err(BodyError::Other("a number"))
            }
        }
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = BodyError;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        match self.token()? {
            Token::Nothing => visitor.visit_unit(),
            Token::Bool(it) => visitor.visit_bool(it),
            Token::Unsigned(number) => visitor.visit_u64(number),
            Token::Signed(number) => visitor.visit_i64(number),
            Token::Text(text) => visitor.visit_borrowed_str(text),
            Token::Array(length) => self.elements(length, visitor),
            Token::Map(length) => {
                let mut pairs = Elements { reader: self, left: length };
                let value = visitor.visit_map(&mut pairs)?;
                if pairs.left == 0 { Ok(value) } else { Err(BodyError::TooLong) }
            }
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        let Token::Bool(it) = self.token()? else { return Err(BodyError::Other("yes or no")) };
        visitor.visit_bool(it)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        self.number(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        self.number(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        self.number(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        self.number(visitor)
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        self.number(visitor)
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        self.number(visitor)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        self.number(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        self.number(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        let Token::Text(text) = self.token()? else { return Err(BodyError::Other("a text")) };
        visitor.visit_borrowed_str(text)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        let before = self.rest;
        if let Token::Nothing = self.token()? {
            return visitor.visit_none();
        }
        self.rest = before;
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, BodyError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        let Token::Array(length) = self.token()? else { return Err(BodyError::Other("an array")) };
        self.elements(length, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, BodyError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, BodyError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, BodyError> {
        match self.token()? {
            Token::Text(variant) => visitor.visit_enum(BorrowedStrDeserializer::new(variant)),
            Token::Map(1) => visitor.visit_enum(Variant(self)),
            Token::Nothing
            | Token::Bool(_)
            | Token::Unsigned(_)
            | Token::Signed(_)
            | Token::Array(_)
            | Token::Map(_) => Err(BodyError::Other("a variant")),
        }
    }

    forward_to_deserialize_any! {
        f32 f64 char bytes byte_buf unit unit_struct tuple_struct map ignored_any
    }
}

/// The elements of an array, or the pairs of a map.
struct Elements<'a, 'de> {
    reader: &'a mut Reader<'de>,
    left: u32,
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = BodyError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, BodyError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        usize::try_from(self.left).ok()
    }
}

// Of the variant in a refusal, which is read before it is known what it is.
impl<'de> MapAccess<'de> for Elements<'_, 'de> {
    type Error = BodyError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, BodyError> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, BodyError> {
        seed.deserialize(&mut *self.reader)
    }
}

/// A variant that has something in it: its name, and then that.
struct Variant<'a, 'de>(&'a mut Reader<'de>);

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = BodyError;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), BodyError> {
        Ok((seed.deserialize(&mut *self.0)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = BodyError;

    fn unit_variant(self) -> Result<(), BodyError> {
        Err(BodyError::Other("a variant with nothing in it"))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, BodyError> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, BodyError> {
        self.0.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, BodyError> {
        self.0.deserialize_seq(visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde::de::DeserializeOwned;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct All {
        text: String,
        texts: Vec<Option<String>>,
        numbers: (u8, i64, bool),
        shapes: Vec<Shape>,
        #[serde(default)]
        since_then: u32,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Unit,
        New(u64),
        Tuple(i8, Option<bool>),
        Struct { a: Option<Tagged>, b: Vec<u8> },
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        Plain,
        With { number: i64, list: Vec<String>, shape: Box<Shape> },
    }

    fn all() -> All {
        let (list, shape) = (vec!["x".to_owned(), String::new()], Box::new(Shape::New(1)));
        let tagged = Tagged::With { number: -5, list, shape };
        All {
            text: "é".repeat(200),
            texts: vec![None, Some("a".to_owned())],
            numbers: (255, i64::MIN, true),
            shapes: vec![
                Shape::Unit,
                Shape::New(u64::MAX),
                Shape::Tuple(-1, Some(false)),
                Shape::Struct { a: Some(tagged), b: vec![0, 127, 128] },
                Shape::Struct { a: Some(Tagged::Plain), b: vec![1; 70_000] },
                Shape::Struct { a: None, b: vec![1; 20] },
            ],
            since_then: 3,
        }
    }

    #[track_caller]
    fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
        let body = write(value).unwrap();

        assert_eq!(read::<T>(&body).unwrap(), *value);
    }

    #[test]
    fn what_is_written_is_read() {
        check(&all());
        for bits in 0..64 {
            let power = 1_u64 << bits;
            let signed = power.cast_signed();
            check(&[power - 1, power, power + 1]);
            check(&[signed.wrapping_sub(1), signed, signed.wrapping_neg(), !signed]);
        }
        for length in [0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536] {
            check(&"a".repeat(length));
            check(&vec![length; length]);
        }
    }

    #[test]
    fn a_body_that_is_cut_or_goes_on_is_refused() {
        let body = write(&all()).unwrap();

        for length in (0..1_000).chain(body.len() - 1_000..body.len()) {
            assert!(read::<All>(&body[..length]).is_err(), "{length}");
        }
        let longer = [&body[..], &[0]].concat();
        assert!(matches!(read::<All>(&longer), Err(BodyError::TooLong)));
    }

    #[test]
    fn a_field_that_older_code_did_not_write_has_its_default_and_one_too_many_is_refused() {
        let All { text, texts, numbers, shapes, .. } = all();

        let older = write(&(&text, &texts, &numbers, &shapes)).unwrap();
        assert_eq!(read::<All>(&older).unwrap(), All { since_then: 0, ..all() });
        let newer = write(&(&text, &texts, &numbers, &shapes, 0, 0)).unwrap();
        assert!(matches!(read::<All>(&newer), Err(BodyError::TooLong)));
    }

    #[test]
    fn what_is_never_written_is_refused() {
        for body in
            [&[0xc1][..], &[0xc4, 0], &[0xca, 0, 0, 0, 0], &[0xd4, 0, 0], &[0x80], &[0xa1, 0xff]]
        {
            assert!(read::<String>(body).is_err(), "{body:x?}");
            assert!(read::<u64>(body).is_err(), "{body:x?}");
            assert!(read::<Shape>(body).is_err(), "{body:x?}");
        }
    }
}
