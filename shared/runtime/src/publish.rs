//! What the shop is told of an entry, onto a bus: in its order, in as few calls as the bus allows.
//!
//! Nothing here says that something was told once. A bus may deliver twice and in any order, and so may we:
//! receivers tell by the id and the numbers of an event (`docs/decisions/0009-publishing.md`).

use std::{error::Error, future::Future};

use loyalty_contracts::announcement::{self, Happened, NotAnnounced};
use loyalty_ledger::{Answer, Entry, Patience};

use crate::clock::Deadline;

/// How many events one call takes.
pub const BATCH_MAX: usize = 10;

/// How many bytes of events one call takes: the limit of `PutEvents` before it was raised, which holds more
/// than ten of ours all the same.
pub const BATCH_BYTES_MAX: usize = 262_144; // 256 * 1024

/// An event for a bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is called.
    pub name: &'static str,
    /// What it says, as JSON.
    pub detail: String,
}

impl Message {
    /// As `PutEvents` counts.
    fn bytes(&self) -> usize {
        announcement::SOURCE.len().saturating_add(self.name.len()).saturating_add(self.detail.len())
    }
}

/// An entry cannot become events: it is none that we wrote.
#[derive(Debug, thiserror::Error)]
pub enum NoMessages {
    /// It was never decided.
    #[error("the entry cannot be announced")]
    NotAnnounced(#[from] NotAnnounced),
    /// It is no JSON, which nothing of ours is not.
    #[error("an event could not be written")]
    NotWritten(#[from] serde_json::Error),
}

/// All that is told of `entry`: nothing of what changed no member's account.
///
/// # Errors
///
/// [`NoMessages`]; trying again does not help.
pub fn messages(entry: &Entry) -> Result<Vec<Message>, NoMessages> {
    let (Answer::Accepted(events), Some(member_id), Some(sequence), Some(balance)) =
        (&entry.answer, &entry.member_id, entry.sequence, entry.balance)
    else {
        return Ok(Vec::new());
    };
    let happened = Happened {
        id: &entry.id,
        member_id,
        sequence,
        sent_at: entry.sent_at,
        at: entry.at,
        program_version: entry.program_version,
        balance,
        events,
    };
    let all = announcement::announcements(happened)?;
    all.iter()
        .map(|it| Ok(Message { name: it.what.name(), detail: serde_json::to_string(it)? }))
        .collect()
}

/// Why a bus did not take an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What the bus calls it.
    pub code: String,
    /// Whether it may take the same event a moment later.
    pub is_transient: bool,
}

/// Where events go.
pub trait Bus: Sync {
    /// Puts `messages`, at most [`BATCH_MAX`] and [`BATCH_BYTES_MAX`], and says of each whether it was taken.
    ///
    /// # Errors
    ///
    /// Nothing is known of any of them; some may have been taken.
    fn put(
        &self,
        messages: &[&Message],
    ) -> impl Future<Output = Result<Vec<Result<(), Refused>>, Box<dyn Error + Send + Sync>>>;
}

/// What a bus did not take.
#[derive(Debug, Default)]
pub struct NotTaken {
    /// Which messages, by their place, in order.
    pub places: Vec<usize>,
    /// Why, of the last one that was refused.
    pub because: Option<Box<dyn Error + Send + Sync>>,
}

/// A bus did not take an event.
#[derive(Debug, thiserror::Error)]
#[error("the bus does not take an event: {0}")]
struct NotPut(String);

/// There is no time left for another call.
#[derive(Debug, thiserror::Error)]
#[error("no time was left to put an event")]
struct NoTimeLeft;

/// Puts `messages` in their order, and again what was not taken, as long as `patience` lasts. After `deadline` no
/// call begins, but for the first one: a bus that is slow must not keep whoever puts from saying what it took.
pub async fn put_all<P: Patience>(
    bus: &impl Bus,
    messages: &[&Message],
    deadline: Deadline,
    patience: &mut P,
) -> NotTaken {
    let mut not_taken = NotTaken::default();
    let mut left: Vec<usize> = (0..messages.len()).collect();
    let mut attempts = 0_u32;
    let mut has_begun = false;
    loop {
        let mut again = Vec::new();
        let mut all = batches(messages, &left).into_iter();
        while let Some(batch) = all.next() {
            if has_begun && deadline.left().is_zero() {
                not_taken.because.get_or_insert_with(|| Box::new(NoTimeLeft));
                not_taken.places.extend(again.into_iter().chain(batch).chain(all.flatten()));
                not_taken.places.sort_unstable();
                return not_taken;
            }
            has_begun = true;
            let batch_messages: Vec<&Message> =
                batch.iter().filter_map(|it| messages.get(*it).copied()).collect();
            match bus.put(&batch_messages).await {
                Ok(results) => {
                    for (index, place) in batch.iter().enumerate() {
                        match results.get(index) {
                            Some(Ok(())) => (),
                            Some(Err(Refused { code, is_transient })) => {
                                not_taken.because = Some(Box::new(NotPut(code.clone())));
                                let places =
                                    if *is_transient { &mut again } else { &mut not_taken.places };
                                places.push(*place);
                            }
                            // A bus that says nothing of an event may not have it.
                            None => {
                                let because = || NotPut("it said nothing of it".to_owned());
                                not_taken.because.get_or_insert_with(|| Box::new(because()));
                                again.push(*place);
                            }
                        }
                    }
                }
                // Each call may take its time, so the others wait; but not behind this one, if it is to
                // blame by itself.
                Err(error) => {
                    not_taken.because = Some(error);
                    again.extend(all.by_ref().flatten());
                    again.extend(batch);
                }
            }
        }
        attempts = attempts.saturating_add(1);
        if again.is_empty() || !patience.wait(attempts).await {
            not_taken.places.extend(again);
            not_taken.places.sort_unstable();
            return not_taken;
        }
        left = again;
    }
}

/// `places` of `messages` in calls that a bus takes.
fn batches(messages: &[&Message], places: &[usize]) -> Vec<Vec<usize>> {
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut bytes = 0_usize;
    for place in places {
        let more = messages.get(*place).map_or(0, |it| it.bytes());
        bytes = bytes.saturating_add(more);
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH_MAX && bytes <= BATCH_BYTES_MAX => {
                batch.push(*place);
            }
            _ => {
                batches.push(vec![*place]);
                bytes = more;
            }
        }
    }
    batches
}

/// A bus of EventBridge.
#[derive(Clone, Debug)]
pub struct EventBridgeBus {
    client: aws_sdk_eventbridge::Client,
    name: String,
}

impl EventBridgeBus {
    /// The bus called `name`.
    pub const fn new(client: aws_sdk_eventbridge::Client, name: String) -> Self {
        Self { client, name }
    }
}

impl Bus for EventBridgeBus {
    async fn put(
        &self,
        messages: &[&Message],
    ) -> Result<Vec<Result<(), Refused>>, Box<dyn Error + Send + Sync>> {
        use aws_sdk_eventbridge::types::PutEventsRequestEntry;

        // No time of our own: an event of a history that is imported was put now.
        let entries = messages.iter().map(|it| {
            PutEventsRequestEntry::builder()
                .event_bus_name(&self.name)
                .source(announcement::SOURCE)
                .detail_type(it.name)
                .detail(&it.detail)
                .build()
        });
        let put = self.client.put_events().set_entries(Some(entries.collect()));
        let output = put.send().await.map_err(crate::aws::unquoted)?;
        let results = output.entries.unwrap_or_default().into_iter().map(|it| {
            let Some(code) = it.error_code else { return Ok(()) };
            let is_transient = !is_for_good(&code);
            Err(Refused { code, is_transient })
        });
        Ok(results.collect())
    }
}

/// Whether an event that is refused with `code` will be refused again. What is not known may not be.
fn is_for_good(code: &str) -> bool {
    matches!(
        code,
        "InvalidArgument"
            | "MalformedDetail"
            | "NotAuthorizedForDetailTypeException"
            | "NotAuthorizedForSourceException"
    )
}

#[cfg(test)]
mod tests {
    use std::{
        future::ready,
        pin::pin,
        sync::Mutex,
        task::{Context, Poll, Waker},
        time::Duration,
    };

    use loyalty_ledger::Attempts;

    use super::*;

    /// What a bus answers to one event.
    type Answers = fn(attempt: usize, detail: &str) -> Result<(), Refused>;

    struct Answering {
        answers: Answers,
        calls: Mutex<Vec<Vec<String>>>,
    }

    impl Bus for Answering {
        fn put(
            &self,
            messages: &[&Message],
        ) -> impl Future<Output = Result<Vec<Result<(), Refused>>, Box<dyn Error + Send + Sync>>>
        {
            let mut calls = self.calls.lock().unwrap();
            let attempt = calls.len();
            calls.push(messages.iter().map(|it| it.detail.clone()).collect());
            if messages.iter().any(|it| it.detail == "down") {
                return ready(Err("the bus is down".into()));
            }
            ready(Ok(messages.iter().map(|it| (self.answers)(attempt, &it.detail)).collect()))
        }
    }

    fn put(details: &[&str], attempts: u32, answers: Answers) -> (Vec<usize>, Vec<Vec<String>>) {
        put_until(Deadline::after(Duration::from_mins(10)), details, attempts, answers)
    }

    fn put_until(
        deadline: Deadline,
        details: &[&str],
        attempts: u32,
        answers: Answers,
    ) -> (Vec<usize>, Vec<Vec<String>>) {
        let messages: Vec<Message> = details
            .iter()
            .map(|it| Message { name: "points.spent", detail: (*it).to_owned() })
            .collect();
        let messages: Vec<&Message> = messages.iter().collect();
        let bus = Answering { answers, calls: Mutex::default() };
        let mut patience = Attempts(attempts);
        let not_taken = {
            let mut future = pin!(put_all(&bus, &messages, deadline, &mut patience));
            let Poll::Ready(it) = future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
            else {
                panic!("nothing here has to wait")
            };
            it
        };
        (not_taken.places, bus.calls.into_inner().unwrap())
    }

    fn refused(code: &str, is_transient: bool) -> Result<(), Refused> {
        Err(Refused { code: code.to_owned(), is_transient })
    }

    #[test]
    fn ten_events_are_a_call_and_large_ones_are_fewer() {
        let (_, calls) = put(&["a"; 21], 1, |_, _| Ok(()));
        assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 1]);

        let large = "x".repeat(BATCH_BYTES_MAX / 2);
        let (_, calls) = put(&[&large, "a", &large, "b"], 1, |_, _| Ok(()));
        assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    }

    #[test]
    fn only_what_was_not_taken_is_put_again() {
        let (left, calls) = put(&["a", "b", "c"], 3, |attempt, detail| {
            if attempt == 0 && detail == "b" {
                refused("ThrottlingException", true)
            } else {
                Ok(())
            }
        });

        assert_eq!(left, [0; 0]);
        assert_eq!(calls, [vec!["a", "b", "c"], vec!["b"]]);
    }

    #[test]
    fn what_is_refused_for_good_is_not_put_again_and_keeps_nobody_up() {
        let (left, calls) = put(&["a", "b", "c"], 3, |_, detail| {
            if detail == "b" { refused("MalformedDetail", false) } else { Ok(()) }
        });

        assert_eq!(left, [1]);
        assert_eq!(calls.len(), 1);
    }

    #[test]
    fn a_bus_that_is_down_is_asked_until_patience_ends() {
        let (left, calls) = put(&["a", "down"], 4, |_, _| Ok(()));

        assert_eq!(left, [0, 1]);
        assert_eq!(calls.len(), 4);
    }

    #[test]
    fn a_call_that_always_fails_does_not_keep_up_those_behind_it() {
        let mut details = ["a"; 30];
        details[3] = "down";

        let (left, calls) = put(&details, 2, |_, _| Ok(()));

        assert_eq!(left, (0..10).collect::<Vec<_>>());
        assert_eq!(calls.len(), 4);
    }

    #[test]
    fn once_time_is_over_no_call_begins_but_the_first_one() {
        let over = Deadline::after(Duration::ZERO);

        let (left, calls) = put_until(over, &["a"; 25], 9, |_, _| Ok(()));

        assert_eq!(calls.len(), 1);
        assert_eq!(left, (10..25).collect::<Vec<_>>());
        // Nor does it begin again with what was not taken.
        let busy: Answers = |_, _| refused("ThrottlingException", true);
        let (left, calls) = put_until(over, &["a"; 15], 9, busy);
        assert_eq!((left.len(), calls.len()), (15, 1));
    }

    #[test]
    fn what_the_service_says_of_itself_is_tried_again_and_what_it_says_of_us_is_not() {
        for code in ["ThrottlingException", "InternalFailure", "InternalException", "Unknown"] {
            assert!(!is_for_good(code), "{code}");
        }
        for code in ["InvalidArgument", "MalformedDetail", "NotAuthorizedForSourceException"] {
            assert!(is_for_good(code), "{code}");
        }
    }
}
