//! Queries: which page of entries.

use loyalty_contracts::problem::ProblemKind;
use loyalty_ledger::statement::Cursor;

use crate::cursor;

/// How many entries a page has if nobody says.
pub(crate) const LIMIT_DEFAULT: usize = 10;
/// How many entries a page may have.
pub(crate) const LIMIT_MAX: usize = 50;

/// Which page of entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paging {
    pub(crate) limit: usize,
    pub(crate) cursor: Option<Cursor>,
}

/// Sees that there is no query.
pub(crate) fn none(query: Option<&str>) -> Result<(), ProblemKind> {
    if query.unwrap_or_default().is_empty() { Ok(()) } else { Err(ProblemKind::InvalidQuery) }
}

/// Reads `limit` and `cursor`, each of which may be there once.
pub(crate) fn paging(query: Option<&str>) -> Result<Paging, ProblemKind> {
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
    let cursor = cursor.map(|it| cursor::read(&it).ok_or(ProblemKind::InvalidCursor));
    Ok(Paging { limit: limit.ok_or(ProblemKind::InvalidLimit)?, cursor: cursor.transpose()? })
}

fn read_limit(text: &str) -> Option<usize> {
    let is_plain = text.bytes().all(|it| it.is_ascii_digit());
    text.parse().ok().filter(|it| is_plain && (1..=LIMIT_MAX).contains(it))
}

#[cfg(test)]
mod tests {
    use loyalty_domain::id::{CommandId, OrderId};

    use super::*;

    #[test]
    fn a_query_says_each_thing_once_and_nothing_else() {
        let limit = |query: &str| paging(Some(query)).map(|it| it.limit);

        assert_eq!(paging(None), Ok(Paging { limit: 10, cursor: None }));
        assert_eq!((limit(""), limit("limit=1"), limit("limit=50")), (Ok(10), Ok(1), Ok(50)));
        for wrong in ["0", "51", "-1", "+5", "1.0", "ten", "", " 5", "99999999999999999999"] {
            assert_eq!(limit(&format!("limit={wrong}")), Err(ProblemKind::InvalidLimit), "{wrong}");
        }
        for wrong in ["limit=5&limit=5", "limits=5", "cursor=&cursor=", "Limit=5", "&=&"] {
            assert_eq!(limit(wrong), Err(ProblemKind::InvalidQuery), "{wrong}");
        }
    }

    #[test]
    fn a_cursor_comes_back_as_it_went_out_and_nothing_else_is_one() {
        let order_id = OrderId::try_from("a/b?c&d=é").unwrap();
        for via in [None, Some(CommandId::Order(order_id))] {
            let sent = Cursor { before: u64::MAX, via };
            let text = cursor::write(&sent).unwrap();
            let read = paging(Some(&format!("cursor={text}"))).unwrap();

            assert!(text.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it)));
            assert_eq!(read.cursor, Some(sent));
        }
        for wrong in ["", "x", "e30", "bnVsbA", "%00", "%F0%9F%A6%80", &"A".repeat(5_000)] {
            let read = paging(Some(&format!("cursor={wrong}")));
            assert_eq!(read, Err(ProblemKind::InvalidCursor), "{wrong:?}");
        }
    }
}
