//! What a member tells of themselves: how to be reached, when to be congratulated, what they agreed to.
//!
//! All of it is personal data. It is stored with the members and nowhere else, [`Debug`] hides it, and there is
//! deliberately no [`Display`](std::fmt::Display): who wants the text has to ask for it.

use compact_str::{CompactString, format_compact};
use jiff::{
    Timestamp,
    civil::{Date, date},
};
use serde::{Deserialize, Serialize};

use crate::{
    id::ReasonCode,
    script::{digit, is_invisible, is_separator},
};

macro_rules! personal_texts {
    ($($name:ident, $error:ident;)*) => {$(
        impl $name {
            /// The text, as it is stored and sent.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<CompactString> for $name {
            type Error = $error;

            fn try_from(text: CompactString) -> Result<Self, Self::Error> {
                text.as_str().try_into()
            }
        }

        impl From<$name> for CompactString {
            fn from(it: $name) -> Self {
                it.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}

personal_texts! {
    Phone, InvalidPhone;
    Mail, InvalidMail;
}

/// A phone number as E.164 has it: `+442079460958`.
///
/// It is read with spaces, hyphens, dots and parentheses anywhere, and with digits of other scripts. Nothing is
/// guessed: a number without its country is refused, since the same one exists in others.
///
/// Invariant: `+` and [`Phone::DIGITS_MIN`] to [`Phone::DIGITS_MAX`] digits of ASCII, of which the first is not
/// 0. One number has one text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "CompactString", into = "CompactString")]
pub struct Phone(CompactString);

/// A text is no phone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPhone {
    /// It may be of any country.
    #[error("a phone number begins with + and the code of its country, not with 0 or 00")]
    NoCountry,
    /// As in `+44 (0)20`: the zero is dialed at home only, and makes another number.
    #[error("a phone number has no (0) after the code of its country")]
    HomeZero,
    /// It has something else than digits.
    #[error("a phone number has only digits after the +, in groups or not")]
    NotADigit,
    /// It is too short or too long for any country.
    #[error("a phone number has {} to {} digits", Phone::DIGITS_MIN, Phone::DIGITS_MAX)]
    WrongLength,
}

impl Phone {
    /// The shortest numbers with the codes of their countries; what is shorter is typed in part.
    pub const DIGITS_MIN: usize = 8;
    /// The longest that E.164 allows.
    pub const DIGITS_MAX: usize = 15;
}

impl TryFrom<&str> for Phone {
    type Error = InvalidPhone;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let seen = text.chars().filter(|it| !is_separator(*it) && !is_invisible(*it));
        let plain = seen.map(|it| match it {
            '\u{FF0B}' => '+',
            '\u{FF08}' => '(',
            '\u{FF09}' => ')',
            other => digit(other).unwrap_or(other),
        });
        let mut phone = CompactString::default();
        let mut before = None;
        for it in plain {
            match it {
                '(' | ')' => (),
                '+' if phone.is_empty() => phone.push(it),
                _ if phone.is_empty() => return Err(InvalidPhone::NoCountry),
                '0' if phone.len() == 1 => return Err(InvalidPhone::NoCountry),
                '0' if before == Some('(') => return Err(InvalidPhone::HomeZero),
                '0'..='9' if phone.len() > Self::DIGITS_MAX => {
                    return Err(InvalidPhone::WrongLength);
                }
                '0'..='9' => phone.push(it),
                _ => return Err(InvalidPhone::NotADigit),
            }
            before = Some(it);
        }
        if phone.is_empty() {
            return Err(InvalidPhone::NoCountry);
        }
        if phone.len() > Self::DIGITS_MIN {
            Ok(Self(phone))
        } else {
            Err(InvalidPhone::WrongLength)
        }
    }
}

/// An address for mail, in any script.
///
/// It is kept as it was written, but for spaces around it and a dot at its end. Who compares two of them, or
/// hashes one, takes [`Mail::normalized`].
///
/// Invariant: at most [`Mail::BYTES_MAX`] bytes; one `@` with something on both sides of it; no spaces, nothing
/// that is not seen, and none of the characters that set an address apart in the line of a message.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "CompactString", into = "CompactString")]
pub struct Mail(CompactString);

/// A text is no mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMail {
    /// No mail server takes it.
    #[error("a mail address has at most {} bytes", Mail::BYTES_MAX)]
    TooLong,
    /// It is not one address, with a name and a domain.
    #[error("a mail address has one @, with a name before it and a domain after it")]
    NotOneAt,
    /// A space, a control character, a mark that nobody sees, or one of `<>()[],;:\"`.
    #[error("a mail address has no spaces, control characters or any of <>()[],;:\\\"")]
    ForbiddenCharacter,
}

impl Mail {
    /// The longest address that fits the envelope of a message.
    pub const BYTES_MAX: usize = 254;

    /// The text that is the same for one mailbox however its address was written: in lower case.
    ///
    /// There is deliberately no more to it: dots and tags in names mean the same to some servers and not to
    /// others, and two members must never be taken for one.
    pub fn normalized(&self) -> String {
        self.0.as_str().to_lowercase()
    }
}

impl TryFrom<&str> for Mail {
    type Error = InvalidMail;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let text = text.trim();
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.len() > Self::BYTES_MAX {
            return Err(InvalidMail::TooLong);
        }
        let is_forbidden = |it: char| {
            it.is_whitespace()
                || it.is_control()
                || is_invisible(it)
                || matches!(it, '<' | '>' | '(' | ')' | '[' | ']' | ',' | ';' | ':' | '\\' | '"')
        };
        if text.chars().any(is_forbidden) {
            return Err(InvalidMail::ForbiddenCharacter);
        }
        let (name, domain) = text.split_once('@').ok_or(InvalidMail::NotOneAt)?;
        let is_domain = domain.split('.').all(|it| !it.is_empty()) && !domain.contains('@');
        if name.is_empty() || !is_domain {
            return Err(InvalidMail::NotOneAt);
        }
        Ok(Self(text.into()))
    }
}

/// A day of birth, with or without its year: `1990-12-31`, or `--12-31` as ISO 8601 once had it.
///
/// Invariant: the day exists, in its year if there is one. 29 February exists without one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "CompactString", into = "CompactString")]
pub struct Birthday {
    year: Option<i16>,
    /// In [`LEAP_YEAR`], which has every day.
    day: Date,
}

/// A text is no birthday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBirthday {
    /// It is written otherwise.
    #[error("a birthday is written YYYY-MM-DD, or --MM-DD without its year")]
    Malformed,
    /// Nobody alive was born then.
    #[error("a birthday is in {} or later", Birthday::YEAR_MIN)]
    TooEarly,
    /// Such as 30 February, or 29 February of a year that had none.
    #[error("a birthday is a day that there was")]
    NoSuchDay,
}

/// A year that has 29 February.
const LEAP_YEAR: i16 = 2000;

impl Birthday {
    /// Nobody alive was born before.
    pub const YEAR_MIN: i16 = 1900;

    /// Its year, if the member told it.
    pub const fn year(self) -> Option<i16> {
        self.year
    }

    /// Its month, from 1.
    pub fn month(self) -> i8 {
        self.day.month()
    }

    /// Its day of the month, from 1.
    pub fn day(self) -> i8 {
        self.day.day()
    }

    /// The day on which it is celebrated in `year`: on 28 February where there is no 29.
    ///
    /// `None` at the ends of time.
    pub fn celebrated_in(self, year: i16) -> Option<Date> {
        let in_year = |day: Date| day.with().year(year).build().ok();
        in_year(self.day).or_else(|| in_year(self.day.yesterday().ok()?))
    }

    /// Whether it has not been yet on `today`.
    pub fn is_after(self, today: Date) -> bool {
        self.year.and_then(|it| self.celebrated_in(it)).is_some_and(|it| it > today)
    }
}

impl TryFrom<&str> for Birthday {
    type Error = InvalidBirthday;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let (year, month_day) = if let Some(month_day) = text.strip_prefix("--") {
            (None, month_day)
        } else {
            let (year, month_day) = text.split_once('-').ok_or(InvalidBirthday::Malformed)?;
            (Some(number(year, 4)?), month_day)
        };
        let (month, day) = month_day.split_once('-').ok_or(InvalidBirthday::Malformed)?;
        let (month, day): (i8, i8) = (number(month, 2)?, number(day, 2)?);
        if year.is_some_and(|it| it < Self::YEAR_MIN) {
            return Err(InvalidBirthday::TooEarly);
        }
        let no_such_day = |_| InvalidBirthday::NoSuchDay;
        Date::new(year.unwrap_or(LEAP_YEAR), month, day).map_err(no_such_day)?;
        Ok(Self { year, day: date(LEAP_YEAR, month, day) })
    }
}

/// A number of just so many digits of ASCII.
fn number<T: std::str::FromStr>(text: &str, digits: usize) -> Result<T, InvalidBirthday> {
    let is_number = text.len() == digits && text.bytes().all(|it| it.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_number);
    number.ok_or(InvalidBirthday::Malformed)
}

impl TryFrom<CompactString> for Birthday {
    type Error = InvalidBirthday;

    fn try_from(text: CompactString) -> Result<Self, Self::Error> {
        text.as_str().try_into()
    }
}

impl From<Birthday> for CompactString {
    fn from(birthday: Birthday) -> Self {
        let (month, day) = (birthday.month(), birthday.day());
        match birthday.year {
            Some(year) => format_compact!("{year:04}-{month:02}-{day:02}"),
            None => format_compact!("--{month:02}-{day:02}"),
        }
    }
}

impl std::fmt::Debug for Birthday {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Birthday").finish_non_exhaustive()
    }
}

/// The language that a member reads, as a tag of BCP 47: `en`, `de-CH`, `zh-Hant-TW`.
///
/// Invariant: at most [`Language::BYTES_MAX`] bytes; a language of 2 to 8 letters, and then parts of 1 to 8
/// letters and digits, in the case that the standard writes them in, so that one tag has one text. Whether there
/// is such a language is not known here: the list grows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "CompactString", into = "CompactString")]
pub struct Language(CompactString);

/// A text is no language's tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a language is a tag of at most {} letters, digits and hyphens, as in de-CH",
    Language::BYTES_MAX
)]
pub struct InvalidLanguage;

impl Language {
    /// Room for a language, its script, region and two variants, which the standard asks for.
    pub const BYTES_MAX: usize = 35;

    /// The text of the tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Language {
    type Error = InvalidLanguage;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        if text.len() > Self::BYTES_MAX {
            return Err(InvalidLanguage);
        }
        let mut tag = CompactString::default();
        // After a part of one symbol, all is lower case: what it means is no more a script or a region.
        let mut is_extension = false;
        for part in text.split('-') {
            let is_first = tag.is_empty();
            let is_language = part.len() >= 2 && part.bytes().all(|it| it.is_ascii_alphabetic());
            let is_part = (1..=8).contains(&part.len())
                && part.bytes().all(|it| it.is_ascii_alphanumeric())
                && (!is_first || is_language);
            if !is_part {
                return Err(InvalidLanguage);
            }
            if !is_first {
                tag.push('-');
            }
            is_extension |= part.len() == 1;
            let mut part = part.to_ascii_lowercase();
            match part.len() {
                2 if !is_first && !is_extension => part.make_ascii_uppercase(),
                4 if !is_first && !is_extension => {
                    part.get_mut(..1).into_iter().for_each(str::make_ascii_uppercase);
                }
                _ => (),
            }
            tag.push_str(&part);
        }
        // Nothing may follow upon what announces something.
        let is_whole = tag.rsplit('-').next().is_some_and(|it| it.len() > 1);
        if is_whole { Ok(Self(tag)) } else { Err(InvalidLanguage) }
    }
}

impl TryFrom<CompactString> for Language {
    type Error = InvalidLanguage;

    fn try_from(text: CompactString) -> Result<Self, Self::Error> {
        text.as_str().try_into()
    }
}

impl From<Language> for CompactString {
    fn from(language: Language) -> Self {
        language.0
    }
}

/// What a member said to messages that advertise, once, by one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// By which channel.
    pub channel: ConsentChannel,
    /// Whether they may be sent.
    pub granted: bool,
    /// Since when.
    pub at: Timestamp,
    /// Where the member said it, as the shop calls it: `checkout`, `store-12`.
    pub source: ReasonCode,
}

/// How messages that advertise reach a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentChannel {
    /// By mail, on the internet.
    Mail,
    /// By a call.
    Phone,
    /// By a short message.
    Sms,
    /// By the shop's app.
    Push,
    /// By a letter.
    Post,
}

impl ConsentChannel {
    /// Every channel.
    pub const ALL: [Self; 5] = [Self::Mail, Self::Phone, Self::Sms, Self::Push, Self::Post];

    /// Its word, as stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Phone => "phone",
            Self::Sms => "sms",
            Self::Push => "push",
            Self::Post => "post",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone(text: &str) -> Result<String, InvalidPhone> {
        Phone::try_from(text).map(|it| it.as_str().to_owned())
    }

    fn mail(text: &str) -> Result<String, InvalidMail> {
        Mail::try_from(text).map(|it| it.normalized())
    }

    fn birthday(text: &str) -> Result<Birthday, InvalidBirthday> {
        Birthday::try_from(text)
    }

    #[test]
    fn one_phone_number_has_one_text_however_it_was_written() {
        for text in [
            "+442079460958",
            " +44 20 7946 0958\n",
            "+44 (20) 7946-0958",
            "(+44) 20.7946.0958",
            "+44\u{A0}20\u{2011}7946\u{2013}0958",
            "\u{202A}+44 20 7946 0958\u{202C}",
            "＋４４２０７９４６０９５８",
            "+٤٤ ٢٠ ٧٩٤٦ ٠٩٥٨",
            "+۴۴۲۰۷۹۴۶۰۹۵۸",
        ] {
            assert_eq!(phone(text).as_deref(), Ok("+442079460958"), "{text:?}");
        }
    }

    #[test]
    fn a_phone_number_is_never_guessed() {
        use InvalidPhone::{HomeZero, NoCountry, NotADigit, WrongLength};

        for (text, error) in [
            ("", NoCountry),
            ("020 7946 0958", NoCountry),
            ("0044 20 7946 0958", NoCountry),
            ("442079460958", NoCountry),
            ("+0442079460958", NoCountry),
            ("+(0)442079460958", NoCountry),
            ("+44 (0)20 7946 0958", HomeZero),
            ("+44 (0 20) 7946 0958", HomeZero),
            ("+44 20 7946 0958 ext. 5", NotADigit),
            ("+44+20", NotADigit),
            ("+44 20 SHOP", NotADigit),
            ("+44２０ⅷ", NotADigit),
            ("+1234567", WrongLength),
            ("+1234567890123456", WrongLength),
            ("+", WrongLength),
        ] {
            assert_eq!(phone(text), Err(error), "{text:?}");
        }
        assert!(phone("+12345678").is_ok());
        assert!(phone("+123456789012345").is_ok());
    }

    #[test]
    fn one_mailbox_has_one_normal_form_in_any_script() {
        for (text, normal) in [
            ("jane@example.com", "jane@example.com"),
            (" Jane@Example.COM. ", "jane@example.com"),
            ("o'neil+tag@example.com", "o'neil+tag@example.com"),
            ("ДЖЕЙН@ПРИМЕР.РФ", "джейн@пример.рф"),
            ("Ünal@müller.de", "ünal@müller.de"),
            ("用户@例子.广告", "用户@例子.广告"),
            ("उपयोगकर्ता@उदाहरण.भारत", "उपयोगकर्ता@उदाहरण.भारत"),
            ("مستخدم@مثال.مصر", "مستخدم@مثال.مصر"),
            ("root@localhost", "root@localhost"),
        ] {
            assert_eq!(mail(text).as_deref(), Ok(normal), "{text}");
        }
        assert_eq!(Mail::try_from(" Jane@Example.com.").unwrap().as_str(), "Jane@Example.com");
    }

    #[test]
    fn what_is_not_one_address_is_refused() {
        use InvalidMail::{ForbiddenCharacter, NotOneAt, TooLong};

        let longest = format!("{}@example.com", "x".repeat(Mail::BYTES_MAX - 12));
        assert!(mail(&longest).is_ok());
        assert_eq!(mail(&format!("x{longest}")), Err(TooLong));
        for (text, error) in [
            ("", NotOneAt),
            ("jane", NotOneAt),
            ("@example.com", NotOneAt),
            ("jane@", NotOneAt),
            ("jane@.", NotOneAt),
            ("jane@example..com", NotOneAt),
            ("jane@.example.com", NotOneAt),
            ("jane@x@example.com", NotOneAt),
            ("jane＠example.com", NotOneAt),
            ("jane doe@example.com", ForbiddenCharacter),
            ("jane\u{3000}@example.com", ForbiddenCharacter),
            ("jane@example.com\r\nbcc: all", ForbiddenCharacter),
            ("jane\u{200B}@example.com", ForbiddenCharacter),
            ("<jane@example.com>", ForbiddenCharacter),
            ("jane,joe@example.com", ForbiddenCharacter),
        ] {
            assert_eq!(mail(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn a_29th_of_february_is_a_birthday_if_there_was_one() {
        use InvalidBirthday::NoSuchDay;

        for text in ["--02-29", "2000-02-29", "1996-02-29", "1990-12-31", "--01-01"] {
            let read = birthday(text).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Birthday>(&format!("\"{text}\"")).unwrap(), read);
        }
        for text in ["1990-02-29", "1900-02-29", "2000-02-30", "--02-30", "--04-31", "--13-01"] {
            assert_eq!(birthday(text), Err(NoSuchDay), "{text}");
        }
        assert_eq!(birthday("--00-10"), Err(NoSuchDay));
        assert_eq!(birthday("--10-00"), Err(NoSuchDay));
    }

    #[test]
    fn a_29th_of_february_is_celebrated_every_year() {
        let leap = birthday("--02-29").unwrap();

        assert_eq!(leap.celebrated_in(2027), Some(date(2027, 2, 28)));
        assert_eq!(leap.celebrated_in(2028), Some(date(2028, 2, 29)));
        assert_eq!(leap.celebrated_in(2100), Some(date(2100, 2, 28)));
        assert_eq!((leap.year(), leap.month(), leap.day()), (None, 2, 29));
        let other = birthday("1990-03-01").unwrap();
        assert_eq!(other.celebrated_in(2027), Some(date(2027, 3, 1)));
        assert_eq!(other.year(), Some(1990));
    }

    #[test]
    fn a_birthday_is_written_in_one_way() {
        use InvalidBirthday::{Malformed, TooEarly};

        for text in [
            "",
            "--2-29",
            "02-29",
            "19900228",
            "1990-2-28",
            "90-02-28",
            "1990-02-28T00:00",
            "-1990-02-28",
            "+990-02-28",
            "1990/02/28",
            "1990-02-28 ",
            "١٩٩٠-٠٢-٢٨",
            "---02-28",
        ] {
            assert_eq!(birthday(text), Err(Malformed), "{text:?}");
        }
        assert_eq!(birthday("1899-12-31"), Err(TooEarly));
        assert_eq!(birthday("0000-02-29"), Err(TooEarly));
    }

    #[test]
    fn nobody_is_born_after_today_and_who_keeps_the_year_is_not_asked() {
        let born = birthday("2026-02-28").unwrap();

        assert!(born.is_after(date(2026, 2, 27)));
        assert!(!born.is_after(date(2026, 2, 28)));
        assert!(!birthday("--12-31").unwrap().is_after(date(2026, 1, 1)));
    }

    #[test]
    fn a_language_is_a_tag_in_the_case_of_the_standard() {
        for (text, tag) in [
            ("en", "en"),
            ("EN-gb", "en-GB"),
            ("zh-hant-tw", "zh-Hant-TW"),
            ("es-419", "es-419"),
            ("de-ch-1996", "de-CH-1996"),
            ("sl-rozaj-biske", "sl-rozaj-biske"),
            ("EN-US-U-CA-GREGORY", "en-US-u-ca-gregory"),
            ("de-x-AB", "de-x-ab"),
            ("fil", "fil"),
        ] {
            assert_eq!(Language::try_from(text).unwrap().as_str(), tag);
        }
        let long = "de-abcdefgh-abcdefgh-abcdefgh-abcdefg";
        for text in [
            "",
            "e",
            "en_US",
            "en-",
            "-en",
            "en--us",
            "e1",
            "english123",
            "日本語",
            "en us",
            "en-x",
            long,
        ] {
            assert_eq!(Language::try_from(text), Err(InvalidLanguage), "{text}");
        }
    }

    #[test]
    fn nothing_personal_shows_up_where_it_is_debugged() {
        let all = (
            Phone::try_from("+442079460958").unwrap(),
            Mail::try_from("jane@example.com").unwrap(),
            birthday("1990-12-31").unwrap(),
        );

        let shown = format!("{all:?}");

        assert_eq!(shown, "(Phone { .. }, Mail { .. }, Birthday { .. })");
        for error in [
            phone("020 7946 0958").unwrap_err().to_string(),
            mail("jane doe").unwrap_err().to_string(),
            birthday("1899-12-31").unwrap_err().to_string(),
        ] {
            assert!(!error.contains("7946") && !error.contains("jane") && !error.contains("1899"));
        }
    }

    #[test]
    fn contacts_go_through_json_as_texts_and_are_checked_on_their_way_in() {
        let phone: Phone = serde_json::from_str("\"+44 20 7946 0958\"").unwrap();
        let consent = Consent {
            channel: ConsentChannel::Sms,
            granted: true,
            at: "2026-03-01T10:00:00Z".parse().unwrap(),
            source: ReasonCode::try_from("checkout").unwrap(),
        };

        let json = serde_json::to_string(&consent).unwrap();

        assert_eq!(serde_json::to_string(&phone).unwrap(), "\"+442079460958\"");
        assert!(serde_json::from_str::<Phone>("\"020 7946 0958\"").is_err());
        assert!(serde_json::from_str::<Mail>("\"jane\"").is_err());
        assert!(serde_json::from_str::<Language>("\"en_US\"").is_err());
        assert_eq!(
            json,
            r#"{"channel":"sms","granted":true,"at":"2026-03-01T10:00:00Z","source":"checkout"}"#
        );
        assert_eq!(serde_json::from_str::<Consent>(&json).unwrap(), consent);
        for channel in ConsentChannel::ALL {
            let word = format!("\"{}\"", channel.as_str());
            assert_eq!(serde_json::to_string(&channel).unwrap(), word);
        }
    }
}
