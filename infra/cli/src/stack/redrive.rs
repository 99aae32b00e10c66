//! `redrive`: what lies in the dead letters, why, and sending it again.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, Message, MessageAttributeValue,
    MessageSystemAttributeName::SentTimestamp,
};
use jiff::Timestamp;
use loyalty_runtime::{
    clock,
    dead_letter::{DETAIL, REASON, SOURCE_MESSAGE_ID},
};

use super::{
    StackError, file,
    target::{Stack, Target},
};
use crate::simulate::{
    report::{count, of, plain_table, print, size},
    run::named,
};

/// For how long nobody else sees what is looked at.
const HELD_S: i32 = 300;
/// How many messages one call hands over.
const BATCH: i32 = 10;
/// The reason of a message that came back as often as its queue allows.
const GAVE_UP: &str = "gave_up";
/// The attribute that the shop names a message by.
const CORRELATION_ID: &str = "correlation_id";

/// Shows what lies in the dead letters and why; sends it again, saves it, or removes it.
///
/// Without a flag it only shows. Sending again is always safe: what was answered before is answered as
/// before.
#[derive(clap::Args, Debug)]
pub(crate) struct Redrive {
    /// Sends the messages to the orders queue again, and takes them out of the dead letters.
    #[arg(long, conflicts_with = "remove")]
    resend: bool,
    /// Takes the messages out of the dead letters for ever: save them first.
    #[arg(long)]
    remove: bool,
    /// Writes the messages to a file, one JSON a line: to be mended, and sent by `import --events`.
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
    /// The id that it had in the orders queue.
    source_id: Option<String>,
    correlation_id: Option<MessageAttributeValue>,
    since: Option<Timestamp>,
}

impl Redrive {
    /// Does it; the report goes to `out`.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), StackError> {
        if self.remove && self.reason.is_empty() && self.message.is_empty() {
            return Err(StackError::RemoveWhich);
        }
        let stack = self.target.find()?;
        let mut letters = Vec::new();
        for queue_url in stack.outputs.dead_letters() {
            stack.wait(receive(&stack, queue_url, &mut letters))?;
        }
        let result = self.handle(out, &stack, &mut letters);
        // Whatever became of the rest: what is still there is for everybody to see.
        let released = stack.wait(release(&stack, &letters));
        result.and(released)
    }

    /// Does what was asked; what stays in the dead letters stays in `letters`.
    fn handle(
        &self,
        out: &mut dyn Write,
        stack: &Stack,
        letters: &mut Vec<Letter>,
    ) -> Result<(), StackError> {
        let all = size(letters.len());
        let chosen: Vec<Letter> = letters.extract_if(.., |it| self.is_meant(it)).collect();
        if let Some(path) = &self.save {
            let written = File::create(path).and_then(|it| {
                let mut out = BufWriter::new(it);
                for letter in &chosen {
                    // One line each, also of what has several.
                    writeln!(out, "{}", letter.body.replace(['\r', '\n'], " "))?;
                }
                out.flush()
            });
            if let Err(error) = written {
                letters.extend(chosen);
                return Err(file(path)(error));
            }
        }
        let mut done = 0_u64;
        let mut failed = None;
        if self.resend || self.remove {
            for letter in &chosen {
                if let Err(error) = stack.wait(take_out(stack, letter, self.resend)) {
                    failed = Some(error);
                    break;
                }
                done += 1;
            }
        }
        let written = self.write(out, stack, &chosen, all, done).map_err(StackError::Output);
        let stay = chosen.into_iter().skip(usize::try_from(done).unwrap_or(usize::MAX));
        letters.extend(stay);
        failed.map_or(written, Err)
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
        letters: &[Letter],
        all: u64,
        done: u64,
    ) -> io::Result<()> {
        if all == 0 {
            return writeln!(out, "Nothing lies in the dead letters of {}.", stack.title);
        }
        if letters.is_empty() {
            let messages = of(all, "message");
            return writeln!(out, "None of the {messages} in the dead letters is meant.");
        }
        let chosen = of(size(letters.len()), "message");
        let what = match (self.resend, self.remove) {
            (true, _) => format!("{} sent again to the orders queue of", of(done, "message")),
            (_, true) => format!("{} removed from the dead letters of", of(done, "message")),
            _ => format!("{chosen} in the dead letters of"),
        };
        writeln!(out, "{what} {}\n", stack.title)?;
        write_reasons(out, letters)?;
        if self.each {
            writeln!(out)?;
            write_each(out, letters)?;
        }
        if let Some(path) = &self.save {
            writeln!(out, "\n{chosen} saved to {}.", path.display())?;
        }
        if self.resend {
            writeln!(out, "\nWhat becomes of them: cargo loyalty status, and this command again.")
        } else if self.remove {
            Ok(())
        } else {
            writeln!(
                out,
                "\nSend again what was in order:  cargo loyalty redrive --resend [--reason NAME]\n\
                 Mend what was not:             --save FILE, then cargo loyalty import --events FILE,\n\
                 \x20                              then --remove --reason NAME"
            )
        }
    }
}

/// The reasons, how often each occurred, and since when.
fn write_reasons(out: &mut dyn Write, letters: &[Letter]) -> io::Result<()> {
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

fn write_each(out: &mut dyn Write, letters: &[Letter]) -> io::Result<()> {
    let mut table = plain_table();
    table.add_row(["message", "in", "reason", "event"]);
    for letter in letters {
        let id = letter.source_id.as_ref().unwrap_or(&letter.id).clone();
        table.add_row([id, age(letter.since), letter.reason.clone(), event(&letter.body)]);
    }
    print(out, &mut table, 0)
}

/// What a message is about, as far as it can be read.
fn event(body: &str) -> String {
    match loyalty_contracts::parse(body.as_bytes(), Timestamp::MAX) {
        Ok(request) => named(&request.id),
        Err(_) => format!("none that can be read, of {}", of(size(body.len()), "byte")),
    }
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

/// Takes hold of all that lies in a queue.
async fn receive(
    stack: &Stack,
    queue_url: &str,
    letters: &mut Vec<Letter>,
) -> Result<(), StackError> {
    let sqs = stack.sqs();
    // One queue keeps its messages on many machines, and asks only some of them unless it is waited for.
    let mut empty = 0;
    while empty < 2 {
        let received = sqs
            .receive_message()
            .queue_url(queue_url)
            .max_number_of_messages(BATCH)
            .visibility_timeout(HELD_S)
            .wait_time_seconds(1)
            .message_attribute_names("All")
            .message_system_attribute_names(SentTimestamp)
            .send()
            .await
            .map_err(|error| StackError::Letters(error.into()))?;
        let messages = received.messages.unwrap_or_default();
        empty = if messages.is_empty() { empty + 1 } else { 0 };
        for message in messages {
            let letter = letter(queue_url, message);
            // One that was handed over twice has a new receipt, which alone is good.
            letters.retain(|it| it.id != letter.id);
            letters.push(letter);
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
    // What a bus could not deliver says so in its own words.
    let reason = text(REASON).or_else(|| text("ERROR_CODE"));
    let detail = text(DETAIL).or_else(|| text("ERROR_MESSAGE"));
    let source_id = text(SOURCE_MESSAGE_ID);
    let sent_at = message.attributes.as_ref().and_then(|it| it.get(&SentTimestamp));
    let since = sent_at.and_then(|it| it.parse().ok());
    Letter {
        queue_url: queue_url.to_owned(),
        id: message.message_id.unwrap_or_default(),
        receipt: message.receipt_handle.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        reason: reason.unwrap_or_else(|| GAVE_UP.to_owned()),
        detail: detail.unwrap_or_else(|| {
            "it failed as often as the queue allows; the log of accrue-points says why".to_owned()
        }),
        source_id,
        correlation_id: attributes.remove(CORRELATION_ID),
        since: since.and_then(|it| Timestamp::from_millisecond(it).ok()),
    }
}

/// Takes `letter` out of its queue; sent again before, if it is to be.
async fn take_out(stack: &Stack, letter: &Letter, resend: bool) -> Result<(), StackError> {
    let sqs = stack.sqs();
    if resend {
        let mut send = sqs
            .send_message()
            .queue_url(&stack.outputs.orders_queue_url)
            .message_body(&letter.body);
        if let Some(correlation_id) = &letter.correlation_id {
            send = send.message_attributes(CORRELATION_ID, correlation_id.clone());
        }
        send.send().await.map_err(|error| StackError::Letters(error.into()))?;
    }
    // Killed here, it is sent twice, and answered once.
    let delete = sqs.delete_message().queue_url(&letter.queue_url);
    let deleted = delete.receipt_handle(&letter.receipt).send().await;
    deleted.map_err(|error| StackError::Letters(error.into()))?;
    Ok(())
}

/// Lets everybody see `letters` again.
async fn release(stack: &Stack, letters: &[Letter]) -> Result<(), StackError> {
    let sqs = stack.sqs();
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
            let change = sqs.change_message_visibility_batch();
            let change = change.queue_url(batch.first().map_or("", |it| &it.queue_url));
            let changed = change.set_entries(Some(entries)).send().await;
            changed.map_err(|error| StackError::Letters(error.into()))?;
        }
    }
    Ok(())
}
