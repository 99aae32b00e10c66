//! Referral codes: what a member gives to friends, and what friends make of it when they write it down.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::{
    id::MemberId,
    script::{digit, is_invisible, is_separator},
};

/// A member's code for friends: 10 symbols of Crockford's base 32, which are 50 random bits.
///
/// Shown by [`Display`](std::fmt::Display) as `XXXXX-XXXXX`, and stored without the hyphen. It is read in
/// any case, with spaces, hyphens and dots anywhere, and with what looks like its symbols: `O` is 0, `I` and
/// `L` are 1, and letters of Greek and Cyrillic are the Latin ones that their capitals look like, since codes
/// are shown in capitals. So ν is N and not V.
///
/// Invariant: 10 of `0`–`9` and `A`–`Z` without `I`, `L`, `O` and `U`. Who has one knows whose friend to
/// become, so [`Debug`] hides it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "CompactString", into = "CompactString")]
pub struct ReferralCode(CompactString);

/// A text is no referral code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a referral code has 10 letters and digits, without U")]
pub struct InvalidReferralCode;

/// Crockford's base 32, by value.
pub(crate) const SYMBOLS: [char; 32] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J',
    'K', 'M', 'N', 'P', 'Q', 'R', 'S', 'T', 'V', 'W', 'X', 'Y', 'Z',
];

/// How many bits a symbol is worth.
const SYMBOL_BITS: u32 = 5;

impl ReferralCode {
    /// How many symbols a code has.
    pub const SYMBOLS: usize = 10;

    /// The code made of the last 50 bits of `random`, which must be just that.
    pub fn of_random(random: [u8; 8]) -> Self {
        let mut bits = u64::from_be_bytes(random);
        let symbols = std::iter::repeat_with(|| {
            let symbol = SYMBOLS.iter().zip(0..).find(|(_, value)| *value == bits % 32);
            bits >>= SYMBOL_BITS;
            symbol.map_or('0', |(symbol, _)| *symbol)
        });
        Self(symbols.take(Self::SYMBOLS).collect())
    }

    /// The symbols, without a hyphen.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The symbol that `it` is, or looks like.
fn symbol(it: char) -> Option<char> {
    if let Some(digit) = digit(it) {
        return Some(digit);
    }
    // Full width letters, whose capitals are not their plain ones.
    let full_width = u32::from(it).checked_sub(0xFEE0).and_then(char::from_u32);
    let plain = full_width.filter(char::is_ascii_graphic).unwrap_or(it);
    let mut capitals = plain.to_uppercase();
    let (Some(capital), None) = (capitals.next(), capitals.next()) else { return None };
    let latin = match capital {
        'А' | 'Α' => 'A',
        'В' | 'Β' => 'B',
        'С' | 'Ϲ' => 'C',
        'Ԁ' => 'D',
        'Е' | 'Ε' => 'E',
        'Н' | 'Η' | 'Һ' => 'H',
        'І' | 'Ι' | 'Ӏ' | 'İ' | 'L' | 'I' | '|' => '1',
        'Ј' | 'Ϳ' => 'J',
        'К' | 'Κ' => 'K',
        'М' | 'Μ' => 'M',
        'Ν' => 'N',
        'О' | 'Ο' | 'O' => '0',
        'Р' | 'Ρ' => 'P',
        'Ԛ' => 'Q',
        'Ѕ' => 'S',
        'Т' | 'Τ' => 'T',
        'Ԝ' => 'W',
        'Х' | 'Χ' => 'X',
        'У' | 'Υ' | 'Ү' => 'Y',
        'Ζ' => 'Z',
        other => other,
    };
    SYMBOLS.contains(&latin).then_some(latin)
}

impl TryFrom<&str> for ReferralCode {
    type Error = InvalidReferralCode;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let written = text.chars().filter(|it| !is_separator(*it) && !is_invisible(*it));
        let mut symbols = CompactString::default();
        for it in written {
            if symbols.len() == Self::SYMBOLS {
                return Err(InvalidReferralCode);
            }
            symbols.push(symbol(it).ok_or(InvalidReferralCode)?);
        }
        if symbols.len() == Self::SYMBOLS { Ok(Self(symbols)) } else { Err(InvalidReferralCode) }
    }
}

impl TryFrom<CompactString> for ReferralCode {
    type Error = InvalidReferralCode;

    fn try_from(text: CompactString) -> Result<Self, Self::Error> {
        text.as_str().try_into()
    }
}

impl From<ReferralCode> for CompactString {
    fn from(code: ReferralCode) -> Self {
        code.0
    }
}

impl std::fmt::Display for ReferralCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (first, second) = self.0.split_at_checked(Self::SYMBOLS / 2).unwrap_or((&self.0, ""));
        write!(f, "{first}-{second}")
    }
}

impl std::fmt::Debug for ReferralCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReferralCode").finish_non_exhaustive()
    }
}

/// What a code that somebody named leads to. It never holds the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedCode {
    /// To nobody: no member ever had it, or none has it yet.
    Unknown,
    /// To nobody any more: its member has another one, and old ones do not live on.
    Dead,
    /// To this member.
    Of(MemberId),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, InvalidReferralCode> {
        ReferralCode::try_from(text).map(|it| it.as_str().to_owned())
    }

    #[test]
    fn a_code_is_50_bits_and_shown_in_two_halves() {
        let code = |bits: u64| ReferralCode::of_random(bits.to_be_bytes()).to_string();

        assert_eq!(code(0), "00000-00000");
        assert_eq!(code(u64::MAX), "ZZZZZ-ZZZZZ");
        assert_eq!(code(1 << 50), code(0));
        assert_eq!(code(1 << 49), "00000-0000G");
        assert_eq!(code(0b00010_00001), "12000-00000");
        assert_eq!(format!("{:?}", ReferralCode::of_random([7; 8])), "ReferralCode { .. }");
    }

    #[test]
    fn every_code_is_read_back_as_it_is_shown() {
        let mut bits = 0x9E37_79B9_7F4A_7C15_u64;
        for _ in 0..1_000 {
            bits ^= bits << 13;
            bits ^= bits >> 7;
            bits ^= bits << 17;
            let code = ReferralCode::of_random(bits.to_be_bytes());

            let shown = code.to_string();

            assert_eq!(shown.len(), 11);
            assert_eq!(ReferralCode::try_from(shown.as_str()), Ok(code.clone()));
            assert_eq!(ReferralCode::try_from(shown.to_lowercase().as_str()), Ok(code.clone()));
            let json = serde_json::to_string(&code).unwrap();
            assert_eq!(json, format!("\"{}\"", code.as_str()));
            assert_eq!(serde_json::from_str::<ReferralCode>(&json).unwrap(), code);
        }
    }

    #[test]
    fn a_code_is_read_however_it_was_written_down() {
        for text in [
            "AB1C0-DEF10",
            "ab1c0def10",
            " a b 1 c 0 . d e f 1 0 ",
            "AB1CO–DEFIO",
            "ABlCo-DEF|o",
            "ABLC0\u{A0}DEFI0\n",
            "\u{202A}AB1C0\u{AD}DEF10\u{202C}",
            "ＡＢ１Ｃ０－ｄｅｆ１０",
        ] {
            assert_eq!(read(text).as_deref(), Ok("AB1C0DEF10"), "{text:?}");
        }
    }

    #[test]
    fn letters_of_other_scripts_are_what_their_capitals_look_like() {
        for (text, code) in [
            ("АВЕКМНОРСТ", "ABEKMH0PCT"),
            ("авекмнорст", "ABEKMH0PCT"),
            ("ХУЅІЈԚԜҮҺӀ", "XYS1JQWYH1"),
            ("хуѕіјԛԝүһӏ", "XYS1JQWYH1"),
            ("ΑΒΕΖΗΙΚΜΝΟ", "ABEZH1KMN0"),
            ("αβεζηικμνο", "ABEZH1KMN0"),
            ("ΡΤΥΧρτυχıİ", "PTYXPTYX11"),
            ("٠١٢٣٤٥٦٧٨٩", "0123456789"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(code), "{text}");
        }
    }

    #[test]
    fn what_has_other_symbols_or_another_number_of_them_is_no_code() {
        for text in [
            "",
            "AB1C0-DEF1",
            "AB1C0-DEF10-0",
            "UB1C0-DEF10",
            "ub1c0-def10",
            "ＵB1C0-DEF10",
            "ÄB1C0-DEF10",
            "ßB1C0-DEF1",
            "ДB1C0-DEF10",
            "AB1C0/DEF10",
            "AB1C0_DEF10",
            "漢字漢字漢字漢字漢字",
            "😀😀😀😀😀😀😀😀😀😀",
        ] {
            assert_eq!(read(text), Err(InvalidReferralCode), "{text:?}");
        }
        assert!(serde_json::from_str::<ReferralCode>("\"\"").is_err());
    }
}
