//! `redrive`: what lies in the dead letters, why, and sending it again.

use std::{
    collections::{BTreeMap, HashSet},
    error::Error,
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageAttributeValue, MessageSystemAttributeName::SentTimestamp,
};
use jiff::Timestamp;
use loyalty_contracts::{
    review::{Asked, Review},
    work::Work,
};
use loyalty_domain::command::Request;
use loyalty_runtime::{
    batch::CORRELATION_ID,
    clock,
    dead_letter::{DETAIL, REASON, SOURCE_MESSAGE_ID},
};

use super::{
    StackError, file,
    send::waiting,
    target::{Stack, Target},
};
use crate::simulate::{
    report::{count, of, plain_table, print, size},
    run::named,
};

/// For how long nobody else sees what is looked at.
const HELD_S: i32 = 300;
/// How many messages one call takes.
const BATCH: usize = 10;
/// How many messages are held before something is done with them.
const ROUND: usize = 1_000;
/// The reason of a message that came back as often as its queue allows.
const GAVE_UP: &str = "gave_up";

/// Shows what lies in the dead letters and why; sends it again, saves it, or removes it.
///
/// Without a flag it only shows. Sending again is always safe: what was answered before is answered as
/// before.
#[derive(clap::Args, Debug)]
pub(crate) struct Redrive {
    /// Sends the messages to their queue again, and takes them out of the dead letters.
    #[arg(long, conflicts_with = "remove")]
    resend: bool,
    /// Takes the messages out of the dead letters for ever: save them first.
    #[arg(long)]
    remove: bool,
    /// Writes the messages to a new file, one JSON a line: to be mended, and sent by `import --events`.
    /// With --remove, what is removed is what was saved.
    #[arg(long, value_name = "JSONL")]
    save: Option<PathBuf>,
    /// Only messages with this reason; several are allowed.
    #[arg(long, value_name = "NAME")]
    reason: Vec<String>,
    /// Only this message; several are allowed.
    #[arg(long, value_name = "ID")]
    message: Vec<String>,
    /// Shows each message on a line of its own.
    #[arg(long)]
    each: bool,
    #[command(flatten)]
    target: Target,
}

/// A message that could not be handled.
struct Letter {
    queue_url: String,
    id: String,
    receipt: String,
    body: String,
    reason: String,
    detail: String,
    /// The id that it had in its queue.
    source_id: Option<String>,
    correlation_id: Option<MessageAttributeValue>,
    since: Option<Timestamp>,
}

/// What is remembered of a message for the report.
struct Shown {
    id: String,
    reason: String,
    detail: String,
    event: String,
    since: Option<Timestamp>,
}

impl Redrive {
    /// Does it; the report goes to `out`.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), StackError> {
        if self.remove && self.reason.is_empty() && self.message.is_empty() {
            return Err(StackError::RemoveWhich);
        }
        let stack = self.target.find()?;
        let mut round =
            Round { seen: HashSet::new(), kept: Vec::new(), shown: Vec::new(), saved: None };
        let mut result = Ok(());
        for queue_url in stack.outputs.dead_letters() {
            result = result.and_then(|()| self.handle_all(&stack, queue_url, &mut round));
        }
        // Whatever became of the rest: what is still there is for everybody to see.
        let released = stack.wait(release(&stack, &round.kept));
        let hidden = if round.seen.is_empty() { hidden(&stack)? } else { 0 };
        let written = self.write(out, &stack, &round, hidden).map_err(StackError::Output);
        result.and(released).and(written)
    }

    /// Does what was asked with all that lies in a queue, a round of messages at a time.
    fn handle_all(
        &self,
        stack: &Stack,
        queue_url: &str,
        round: &mut Round,
    ) -> Result<(), StackError> {
        loop {
            let mut letters = Vec::new();
            let received = stack.wait(receive(stack, queue_url, round, &mut letters));
            let is_last = letters.len() < ROUND;
            let (mut chosen, others): (Vec<Letter>, Vec<Letter>) =
                letters.into_iter().partition(|it| self.is_meant(it));
            round.kept.extend(others);
            // As they happened: a level is reached by the order that came first.
            chosen.sort_by_cached_key(|it| (it.happened_at(), it.since));
            let mut done = 0;
            let handled = received.and_then(|()| self.handle(stack, &chosen, round, &mut done));
            let shown = if self.resend || self.remove { done } else { chosen.len() };
            round.shown.extend(chosen.iter().take(shown).map(Letter::shown));
            round.kept.extend(chosen.into_iter().skip(done));
            handled?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// Does what was asked with `chosen`; counts those that are in the dead letters no more.
    fn handle(
        &self,
        stack: &Stack,
        chosen: &[Letter],
        round: &mut Round,
        done: &mut usize,
    ) -> Result<(), StackError> {
        if let (Some(path), false) = (&self.save, chosen.is_empty()) {
            round.save(path, chosen).map_err(file(path))?;
        }
        if !self.resend && !self.remove {
            return Ok(());
        }
        for batch in chosen.chunks(BATCH) {
            stack.wait(take_out(stack, batch, self.resend))?;
            *done = done.saturating_add(batch.len());
        }
        Ok(())
    }

    fn is_meant(&self, letter: &Letter) -> bool {
        let has_id = |it: &String| *it == letter.id || Some(it) == letter.source_id.as_ref();
        (self.reason.is_empty() || self.reason.contains(&letter.reason))
            && (self.message.is_empty() || self.message.iter().any(has_id))
    }

    fn write(
        &self,
        out: &mut dyn Write,
        stack: &Stack,
        round: &Round,
        hidden: u64,
    ) -> io::Result<()> {
        let Round { seen, shown, .. } = round;
        let (title, flags) = (&stack.title, stack.flags());
        if seen.is_empty() && hidden > 0 {
            let messages = of(hidden, "message");
            return writeln!(
                out,
                "{messages} in the dead letters of {title} may be looked at by somebody else: run again in \
                 five minutes."
            );
        }
        if seen.is_empty() {
            return writeln!(out, "Nothing lies in the dead letters of {title}.");
        }
        if shown.is_empty() {
            let messages = of(size(seen.len()), "message");
            return writeln!(out, "None of {messages} in the dead letters of {title} is meant.");
        }
        let chosen = of(size(shown.len()), "message");
        let what = match (self.resend, self.remove) {
            (true, _) => "sent again to the queues of",
            (_, true) => "removed from the dead letters of",
            _ => "in the dead letters of",
        };
        writeln!(out, "{chosen} {what} {title}\n")?;
        write_reasons(out, shown)?;
        if self.each {
            writeln!(out)?;
            write_each(out, shown)?;
        }
        if let (Some(path), Some(_)) = (&self.save, &round.saved) {
            writeln!(out, "\n{chosen} saved to {}.", path.display())?;
        }
        match (self.resend, self.remove) {
            (true, _) => writeln!(
                out,
                "\nWhat becomes of them: cargo loyalty status{flags}, and this command again without --resend."
            ),
            (_, true) => Ok(()),
            _ => writeln!(
                out,
                "\nSend again what was in order:  cargo loyalty redrive{flags} --resend [--reason NAME]\n\
                 Mend what was not:             cargo loyalty redrive{flags} --save FILE --remove --reason NAME,\n\
                 \x20                              then cargo loyalty import{flags} --events FILE"
            ),
        }
    }
}

/// What was received until now.
struct Round {
    /// The ids of all messages.
    seen: HashSet<String>,
    /// What stays in the dead letters.
    kept: Vec<Letter>,
    shown: Vec<Shown>,
    saved: Option<File>,
}

impl Round {
    /// Appends `letters` to the file at `path`, which must be new: another one may hold what is nowhere else.
    fn save(&mut self, path: &Path, letters: &[Letter]) -> io::Result<()> {
        let file = if let Some(file) = &mut self.saved {
            file
        } else {
            let mut options = OpenOptions::new();
            // It says who bought what.
            options.write(true).create_new(true).mode(0o600);
            self.saved.insert(options.open(path)?)
        };
        let mut out = BufWriter::new(&*file);
        for letter in letters {
            // One line each, also of what has several.
            writeln!(out, "{}", letter.body.replace(['\r', '\n'], " "))?;
        }
        out.flush()?;
        drop(out);
        file.sync_all()
    }
}

impl Letter {
    /// When it happened, as far as it can be read.
    fn happened_at(&self) -> Option<Timestamp> {
        request(&self.body).map(|it| it.at)
    }

    fn shown(&self) -> Shown {
        Shown {
            id: self.source_id.as_ref().unwrap_or(&self.id).clone(),
            reason: self.reason.clone(),
            detail: self.detail.clone(),
            event: event(&self.body),
            since: self.since,
        }
    }
}

/// The reasons, how often each occurred, and since when.
fn write_reasons(out: &mut dyn Write, letters: &[Shown]) -> io::Result<()> {
    let mut reasons: BTreeMap<(&str, &str), (u64, Option<Timestamp>)> = BTreeMap::new();
    for letter in letters {
        let (number, oldest) =
            reasons.entry((&letter.reason, &letter.detail)).or_insert((0, letter.since));
        *number += 1;
        *oldest = (*oldest).min(letter.since);
    }
    let mut table = plain_table();
    table.add_row(["messages", "oldest", "reason", "what is wrong"]);
    for ((reason, detail), (number, oldest)) in reasons {
        table.add_row([count(number), age(oldest), reason.to_owned(), detail.to_owned()]);
    }
    print(out, &mut table, 1)
}

fn write_each(out: &mut dyn Write, letters: &[Shown]) -> io::Result<()> {
    let mut table = plain_table();
    table.add_row(["message", "in", "reason", "event"]);
    for letter in letters {
        let Shown { id, reason, event, since, .. } = letter;
        table.add_row([id.clone(), age(*since), reason.clone(), event.clone()]);
    }
    print(out, &mut table, 0)
}

/// What a message asks of the domain about one order or one member, if it is one of those.
fn request(body: &str) -> Option<Request> {
    let event = loyalty_contracts::parse(body.as_bytes(), Timestamp::MAX).ok();
    event.or_else(|| match Review::read(body.as_bytes()).ok()?.into_asked(Timestamp::MAX).ok()? {
        Asked::One(request) => Some(request),
        Asked::Plan(_) | Asked::Measure(_) => None,
    })
}

/// What a message is about, as far as it can be read.
fn event(body: &str) -> String {
    if let Some(request) = request(body) {
        return named(&request.id);
    }
    let members = |number: usize| of(size(number), "member");
    match (Work::read(body.as_bytes()), Review::read(body.as_bytes())) {
        (Ok(Work::Plan(_)), _) => "the plan of a night".to_owned(),
        (Ok(Work::Post(post)), _) => {
            format!("what fell due by {} for {}", post.day, members(post.member_ids.len()))
        }
        (Err(_), Ok(Review::Plan(_))) => "the plan of a sweep by a new version".to_owned(),
        (Err(_), Ok(Review::Measure(page))) => {
            format!("version {} for {}", page.version, members(page.member_ids.len()))
        }
        (Err(_), Ok(_) | Err(_)) => match announced(body).as_deref() {
            Some("referral.pending") => "a referral that began".to_owned(),
            Some("referral.qualified") => "a referral that is to be rewarded".to_owned(),
            Some(_) | None => format!("none that can be read, of {}", of(size(body.len()), "byte")),
        },
    }
}

/// The kind of an event that came by a bus, as its envelope names it.
fn announced(body: &str) -> Option<String> {
    let envelope: serde_json::Value = serde_json::from_str(body).ok()?;
    envelope.get("detail-type")?.as_str().map(ToOwned::to_owned)
}

/// How long ago an instant was, in the largest unit of which it was one.
fn age(since: Option<Timestamp>) -> String {
    let Some(since) = since else { return "-".to_owned() };
    let seconds = clock::now().as_second().saturating_sub(since.as_second()).max(0).unsigned_abs();
    match seconds {
        0..60 => of(seconds, "second"),
        60..3_600 => of(seconds / 60, "minute"),
        3_600..86_400 => of(seconds / 3_600, "hour"),
        _ => of(seconds / 86_400, "day"),
    }
}

/// How many messages are in the dead letters and not to be seen.
fn hidden(stack: &Stack) -> Result<u64, StackError> {
    let mut number = 0;
    for queue_url in stack.outputs.dead_letters() {
        number += stack.wait(waiting(stack, queue_url))?;
    }
    Ok(number)
}

/// Takes hold of what lies in a queue and was not seen before: of all of it, or of one round.
async fn receive(
    stack: &Stack,
    queue_url: &str,
    round: &mut Round,
    letters: &mut Vec<Letter>,
) -> Result<(), StackError> {
    // A queue keeps its messages on many machines, and asks only some of them unless it is waited for.
    let mut empty = 0;
    while empty < 2 && letters.len() < ROUND {
        let received = stack
            .sqs()
            .receive_message()
            .queue_url(queue_url)
            .max_number_of_messages(10)
            .visibility_timeout(HELD_S)
            .wait_time_seconds(1)
            .message_attribute_names("All")
            .message_system_attribute_names(SentTimestamp)
            .send()
            .await
            .map_err(|error| StackError::Letters(error.into()))?;
        empty += 1;
        for message in received.messages.unwrap_or_default() {
            let letter = letter(queue_url, message);
            if round.seen.insert(letter.id.clone()) {
                letters.push(letter);
                empty = 0;
            }
        }
    }
    Ok(())
}

fn letter(queue_url: &str, message: Message) -> Letter {
    let mut attributes = message.message_attributes.unwrap_or_default();
    let text = |name: &str| {
        let attribute: Option<&MessageAttributeValue> = attributes.get(name);
        attribute.and_then(MessageAttributeValue::string_value).map(ToOwned::to_owned)
    };
    let source_id = text(SOURCE_MESSAGE_ID);
    // The shop may have attributes of these names, too. What a bus could not deliver says so in its own words.
    let (reason, detail) = match &source_id {
        Some(_) => (text(REASON), text(DETAIL)),
        None => (text("ERROR_CODE"), text("ERROR_MESSAGE")),
    };
    let sent_at = message.attributes.as_ref().and_then(|it| it.get(&SentTimestamp));
    let since = sent_at.and_then(|it| it.parse().ok());
    Letter {
        queue_url: queue_url.to_owned(),
        id: message.message_id.unwrap_or_default(),
        receipt: message.receipt_handle.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        reason: reason.unwrap_or_else(|| GAVE_UP.to_owned()),
        detail: detail.unwrap_or_else(|| {
            "it failed as often as the queue allows; the function's log says why".to_owned()
        }),
        source_id,
        correlation_id: attributes.remove(CORRELATION_ID),
        since: since.and_then(|it| Timestamp::from_millisecond(it).ok()),
    }
}

/// Takes up to ten `letters` of one queue out of it; sent again before, if they are to be.
async fn take_out(stack: &Stack, letters: &[Letter], resend: bool) -> Result<(), StackError> {
    let letters_failed = |error: Box<dyn Error + Send + Sync>| StackError::Letters(error);
    if resend {
        for letter in letters {
            // One by one: ten of them may be more than one call takes.
            let queue_url = stack.outputs.queue_of(&letter.queue_url);
            let send = stack.sqs().send_message().queue_url(queue_url);
            let send = send.message_body(&letter.body);
            let send = match &letter.correlation_id {
                Some(it) => send.message_attributes(CORRELATION_ID, it.clone()),
                None => send,
            };
            send.send().await.map_err(|error| letters_failed(error.into()))?;
        }
    }
    let mut entries = Vec::with_capacity(letters.len());
    for (index, letter) in letters.iter().enumerate() {
        let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string());
        let entry = entry.receipt_handle(&letter.receipt).build();
        entries.push(entry.map_err(|error| letters_failed(error.into()))?);
    }
    // Killed here, they are sent twice, and answered once.
    let delete = stack.sqs().delete_message_batch();
    let delete = delete.queue_url(letters.first().map_or("", |it| &it.queue_url));
    let deleted = delete.set_entries(Some(entries)).send().await;
    let deleted = deleted.map_err(|error| letters_failed(error.into()))?;
    match deleted.failed().first() {
        Some(failed) => Err(letters_failed(failed.code().to_owned().into())),
        None => Ok(()),
    }
}

/// Lets everybody see `letters` again.
async fn release(stack: &Stack, letters: &[Letter]) -> Result<(), StackError> {
    for group in letters.chunk_by(|a, b| a.queue_url == b.queue_url) {
        for batch in group.chunks(10) {
            let mut entries = Vec::with_capacity(batch.len());
            for (index, letter) in batch.iter().enumerate() {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(&letter.receipt)
                    .visibility_timeout(0)
                    .build();
                entries.push(entry.map_err(|error| StackError::Letters(error.into()))?);
            }
            let change = stack.sqs().change_message_visibility_batch();
            let change = change.queue_url(batch.first().map_or("", |it| &it.queue_url));
            let changed = change.set_entries(Some(entries)).send().await;
            changed.map_err(|error| StackError::Letters(error.into()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_referral_is_called_by_what_it_is_to_bring_and_others_by_their_size() {
        let envelope = |kind: &str| format!(r#"{{"source":"loyalty","detail-type":"{kind}"}}"#);

        assert_eq!(event(&envelope("referral.pending")), "a referral that began");
        assert_eq!(event(&envelope("referral.qualified")), "a referral that is to be rewarded");
        assert_eq!(event(&envelope("x")), "none that can be read, of 38 bytes");
        assert_eq!(event("?"), "none that can be read, of 1 byte");
    }
}
