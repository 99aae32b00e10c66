//! A page of members: one after the other, and those who are left go on as a smaller page.
//!
//! A page that no longer gets smaller fails as a whole, comes back later, and ends in the dead letters with
//! nobody in it but those who cannot be answered.

use std::{error::Error, panic::AssertUnwindSafe};

use futures_util::FutureExt;
use loyalty_domain::id::MemberId;
use loyalty_ledger::LedgerError;
use tracing::{error, warn};

use crate::{batch::Failure, clock::Deadline, log::ErrorChain};

/// What became of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What was answered, once for each member who was.
    pub answers: Vec<T>,
    /// Who failed, or whose turn did not come in time: to be sent again, as a page that is smaller.
    pub left: Vec<MemberId>,
}

/// Lets `work` answer every member of the page in the message `message_id`, in their order, until `deadline`.
///
/// A member who makes `work` fail or panic stops nobody.
///
/// # Errors
///
/// [`Failure::Again`] if nobody was answered and somebody is left.
pub async fn each<T>(
    member_ids: Vec<MemberId>,
    message_id: &str,
    deadline: Deadline,
    mut work: impl AsyncFnMut(&MemberId) -> Result<T, LedgerError>,
) -> Result<Page<T>, Failure> {
    let mut page = Page { answers: Vec::with_capacity(member_ids.len()), left: Vec::new() };
    let mut failure: Option<Box<dyn Error + Send + Sync>> = None;
    for member_id in member_ids {
        if deadline.left().is_zero() {
            page.left.push(member_id);
            continue;
        }
        // A panic costs its own member: the others of its page would never have their turn.
        match AssertUnwindSafe(work(&member_id)).catch_unwind().await {
            Ok(Ok(answer)) => page.answers.push(answer),
            Ok(Err(error)) => {
                let chain = ErrorChain(&error);
                warn!(message_id, error = %chain, "a member of a page could not be answered");
                failure = Some(error.into());
                page.left.push(member_id);
            }
            Err(_) => {
                error!(message_id, "a member of a page made the function panic, which is a bug");
                page.left.push(member_id);
            }
        }
    }
    if page.answers.is_empty() && !page.left.is_empty() {
        let failure = failure.unwrap_or_else(|| "nobody of the page could be answered".into());
        return Err(Failure::Again(failure));
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
        time::Duration,
    };

    use super::*;

    fn ids(ids: &[&str]) -> Vec<MemberId> {
        ids.iter().map(|it| MemberId::try_from(*it).unwrap()).collect()
    }

    /// `slow` fails, and `bug` panics.
    fn answered(page: &[&str], left: Duration) -> Result<Page<String>, String> {
        let work = async |it: &MemberId| match it.as_str() {
            "slow" => Err(LedgerError::Contended { attempts: 3 }),
            "bug" => panic!("a bug"),
            text => Ok(text.to_owned()),
        };
        let each = each(ids(page), "m1", Deadline::after(left), work);
        let Poll::Ready(page) = pin!(each).poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("nothing here has to wait")
        };
        page.map_err(|failure| match failure {
            Failure::Again(error) => error.to_string(),
            Failure::Hopeless(reason) => panic!("{reason:?}"),
        })
    }

    #[test]
    fn who_fails_or_makes_us_panic_is_left_and_stops_nobody() {
        let page = answered(&["a", "slow", "b", "bug", "c"], Duration::from_mins(1)).unwrap();

        assert_eq!(page.answers, ["a", "b", "c"]);
        assert_eq!(page.left, ids(&["slow", "bug"]));
    }

    #[test]
    fn a_page_that_does_not_get_smaller_fails_with_what_happened_last() {
        let minute = Duration::from_mins(1);
        let lost = "account changed under us 3 times";

        assert_eq!(answered(&["slow"], minute).unwrap_err(), lost);
        assert_eq!(answered(&["slow", "bug"], minute).unwrap_err(), lost);
        let nobody = "nobody of the page could be answered";
        assert_eq!(answered(&["bug"], minute).unwrap_err(), nobody);
        assert_eq!(answered(&["a"], Duration::ZERO).unwrap_err(), nobody);
        assert_eq!(answered(&[], minute).unwrap().answers, [""; 0]);
    }
}
