//! Queries: which page of entries.

use loyalty_contracts::problem::ProblemKind;
use loyalty_ledger::statement::Cursor;
pub(crate) use loyalty_runtime::api::query::none;
use loyalty_runtime::api::{cursor, query};

/// Which page of entries.
pub(crate) type Paging = query::Paging<Cursor>;

/// Reads `limit` and `cursor`, each of which may be there once.
pub(crate) fn paging(query: Option<&str>) -> Result<Paging, ProblemKind> {
    query::paging(query, cursor::read)
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
