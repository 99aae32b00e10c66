//! What is searched for, in every form in which it could have got somewhere, and where it is.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use memchr::memmem::Finder;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Something personal that was really said or made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Secret {
    /// What it is: `phone`, `mail` and so on.
    pub(crate) kind: &'static str,
    pub(crate) text: String,
}

/// How a text is searched in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// As it is, by bytes.
    Bytes,
    /// In small letters, as UTF-8.
    Lower,
    /// In small letters, and neither within a longer number nor within a longer word.
    Word,
}

/// A form of a secret.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) kind: &'static str,
    pub(crate) name: &'static str,
    pub(crate) needle: Vec<u8>,
    how: How,
    finder: Finder<'static>,
}

impl Form {
    fn new(kind: &'static str, name: &'static str, needle: Vec<u8>, how: How) -> Self {
        let finder = Finder::new(&needle).into_owned();
        Self { kind, name, needle, how, finder }
    }

    /// A text in which it stands.
    pub(crate) fn planted(&self) -> Vec<u8> {
        [b"{\"a\":\"", self.needle.as_slice(), b"\"}"].concat()
    }

    fn is_in(&self, hay: &Hay) -> bool {
        let bytes = match self.how {
            How::Bytes => &hay.bytes,
            How::Lower | How::Word => &hay.lower,
        };
        let is_part = |at: Option<&u8>| at.is_some_and(u8::is_ascii_alphanumeric);
        self.finder.find_iter(bytes).any(|at| {
            let before = at.checked_sub(1).and_then(|it| bytes.get(it));
            let after = bytes.get(at + self.needle.len());
            self.how != How::Word || !(is_part(before) || is_part(after))
        })
    }
}

/// Something that is searched.
pub(crate) struct Hay {
    bytes: Vec<u8>,
    lower: Vec<u8>,
}

impl Hay {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let lower = String::from_utf8_lossy(bytes).to_lowercase().into_bytes();
        Self { bytes: bytes.to_vec(), lower }
    }

    /// An item of a table: its JSON, and each of its binary attributes as the bytes that it is.
    pub(crate) fn of_item(item: &Value) -> Vec<Self> {
        fn binaries(value: &Value, found: &mut Vec<Hay>) {
            match value {
                Value::Object(fields) => {
                    for (name, field) in fields {
                        if let ("B", Some(text)) = (name.as_str(), field.as_str()) {
                            let bytes = base64::engine::general_purpose::STANDARD.decode(text);
                            found.push(Hay::new(&bytes.unwrap()));
                        }
                        binaries(field, found);
                    }
                }
                Value::Array(all) => all.iter().for_each(|it| binaries(it, found)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
            }
        }
        let mut found = vec![Self::new(item.to_string().as_bytes())];
        binaries(item, &mut found);
        found
    }
}

/// All forms of `secrets`.
pub(crate) fn forms(secrets: &[Secret]) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let mut add = |form: Form| {
        let is_known =
            |it: &Form| (it.kind, it.how, &it.needle) == (form.kind, form.how, &form.needle);
        if !forms.iter().any(is_known) {
            forms.push(form);
        }
    };
    for Secret { kind, text } in secrets {
        for spelling in spellings(text) {
            let is_short = spelling.len() < 8;
            let how = if is_short { How::Word } else { How::Lower };
            add(Form::new(kind, "text", spelling.to_lowercase().into_bytes(), how));
            for (name, needle) in encodings(&spelling) {
                add(Form::new(kind, name, needle, How::Bytes));
            }
            for (name, needle, how) in escapes(&spelling).into_iter().chain(hashes(&spelling)) {
                add(Form::new(kind, name, needle, how));
            }
        }
    }
    forms
}

/// As it is and as somebody could make it before it is written or hashed.
fn spellings(text: &str) -> Vec<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let plain: String =
        text.chars().filter(|it| !it.is_whitespace() && !"-.()".contains(*it)).collect();
    let mut all = vec![text.to_owned(), text.to_lowercase(), text.to_uppercase(), plain.clone()];
    all.push(plain.to_lowercase());
    // A number with a few letters is still one, an address with a few digits is none.
    if digits.len() >= 6 && digits.len() * 2 > text.len() {
        all.extend([format!("+{digits}"), digits]);
    }
    all.sort();
    all.dedup();
    all.retain(|it| it.len() >= 6);
    all
}

/// Bytes that say the same to a machine.
fn encodings(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = Vec::new();
    // Within something longer, base64 begins at one of three places.
    for (before, cut) in [(0, 0), (1, 2), (2, 3)] {
        let bytes = [vec![0; before], text.as_bytes().to_vec()].concat();
        let whole = (bytes.len() * 8) / 6;
        for encoded in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            let part: Vec<u8> = encoded.bytes().take(whole).skip(cut).collect();
            if part.len() >= 6 {
                all.push(("base64", part));
            }
        }
    }
    // As MessagePack has numbers.
    if let Ok(number) = text.parse::<u64>() {
        all.push(("number", [&[0xCF], number.to_be_bytes().as_slice()].concat()));
        if let Ok(number) = u32::try_from(number) {
            all.push(("number", [&[0xCE], number.to_be_bytes().as_slice()].concat()));
        }
    }
    all
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|it| [it >> 4, it & 15])
        .filter_map(|it| char::from_digit(it.into(), 16))
        .collect()
}

/// Text that says the same.
fn escapes(text: &str) -> Vec<(&'static str, Vec<u8>, How)> {
    let units: Vec<u16> = text.encode_utf16().collect();
    let always = |unit: &u16| format!("\\u{unit:04x}");
    let escaped = |unit: &u16| match u8::try_from(*unit) {
        Ok(byte) if byte.is_ascii_graphic() || byte == b' ' => char::from(byte).to_string(),
        _ => always(unit),
    };
    let percent = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02x}"),
    };
    let texts = [
        ("JSON", units.iter().map(escaped).collect::<String>()),
        ("JSON, all escaped", units.iter().map(always).collect()),
        ("URL", text.bytes().map(percent).collect()),
        ("hex", hex(text.as_bytes())),
    ];
    texts
        .into_iter()
        .map(|(name, it)| {
            let how = if it.len() < 8 { How::Word } else { How::Lower };
            (name, it.to_lowercase().into_bytes(), how)
        })
        .collect()
}

/// SHA-256 without a key, whole or cut: whoever has a list of phone numbers has these, too.
fn hashes(text: &str) -> Vec<(&'static str, Vec<u8>, How)> {
    let hash = Sha256::digest(text.as_bytes());
    let first: Vec<u8> = hash.iter().copied().take(16).collect();
    let cut = |text: String| text.bytes().take(21).collect::<Vec<u8>>();
    vec![
        ("hash", first.clone(), How::Bytes),
        ("hash in hex", hex(&first).into_bytes(), How::Lower),
        ("hash in base64", cut(STANDARD_NO_PAD.encode(hash)), How::Bytes),
        ("hash in base64", cut(URL_SAFE_NO_PAD.encode(hash)), How::Bytes),
    ]
}

/// The forms that stand in one of `hay`, by what they are.
pub(crate) fn found<'a>(forms: impl Iterator<Item = &'a Form>, hay: &[Hay]) -> Vec<String> {
    forms
        .filter(|form| hay.iter().any(|it| form.is_in(it)))
        .map(|it| format!("{} as {}: {}", it.kind, it.name, String::from_utf8_lossy(&it.needle)))
        .collect()
}
