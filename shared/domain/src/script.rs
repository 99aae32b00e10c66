//! What people write alike in several scripts: digits, hyphens, and marks that nobody sees.

/// The digit that `it` is in a script that members write: ASCII, full width, Arabic, Persian, Devanagari, Bengali.
pub(crate) fn digit(it: char) -> Option<char> {
    const ZEROS: [char; 6] = ['0', '\u{FF10}', '\u{660}', '\u{6F0}', '\u{966}', '\u{9E6}'];
    let value = |zero: char| {
        let value = u32::from(it).checked_sub(u32::from(zero))?;
        char::from_digit(value, 10)
    };
    ZEROS.into_iter().find_map(value)
}

/// Whether `it` only parts what is read: a space of any width, a hyphen or dash, a dot.
pub(crate) const fn is_separator(it: char) -> bool {
    it.is_whitespace()
        || matches!(it, '-' | '.' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FF0D}' | '\u{FF0E}')
}

/// Whether `it` shows nothing: joiners, marks of direction, soft hyphens. Numbers that are copied from an
/// address book are wrapped in such.
pub(crate) const fn is_invisible(it: char) -> bool {
    matches!(
        it,
        '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{180E}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
    )
}
