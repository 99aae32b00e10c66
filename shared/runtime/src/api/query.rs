//! Queries: nothing, or which page of something.

use loyalty_contracts::problem::ProblemKind;

/// How many elements a page has if nobody says.
pub const LIMIT_DEFAULT: usize = 10;
/// How many elements a page may have.
pub const LIMIT_MAX: usize = 50;

/// Which page of something, and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paging<T> {
    /// How many elements it has at most.
    pub limit: usize,
    /// Where it begins; `None`: at the beginning.
    pub cursor: Option<T>,
}

/// Sees that there is no query.
///
/// # Errors
///
/// [`ProblemKind::InvalidQuery`].
pub fn none(query: Option<&str>) -> Result<(), ProblemKind> {
    if query.unwrap_or_default().is_empty() { Ok(()) } else { Err(ProblemKind::InvalidQuery) }
}

/// Reads `limit`, and `cursor` by `read`, each of which may be there once.
///
/// # Errors
///
/// [`ProblemKind::InvalidQuery`], [`ProblemKind::InvalidLimit`] or [`ProblemKind::InvalidCursor`].
pub fn paging<T>(
    query: Option<&str>,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Paging<T>, ProblemKind> {
    let (mut limit, mut cursor) = (None, None);
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let place = match name.as_ref() {
            "limit" => &mut limit,
            "cursor" => &mut cursor,
            _ => return Err(ProblemKind::InvalidQuery),
        };
        if place.replace(value).is_some() {
            return Err(ProblemKind::InvalidQuery);
        }
    }
    let limit = limit.map_or(Some(LIMIT_DEFAULT), |it| read_limit(&it));
    let cursor = cursor.map(|it| read(&it).ok_or(ProblemKind::InvalidCursor));
    Ok(Paging { limit: limit.ok_or(ProblemKind::InvalidLimit)?, cursor: cursor.transpose()? })
}

fn read_limit(text: &str) -> Option<usize> {
    let is_plain = text.bytes().all(|it| it.is_ascii_digit());
    text.parse().ok().filter(|it| is_plain && (1..=LIMIT_MAX).contains(it))
}
