//! Rows of a file: gzip or not, in any encoding, each with its line; a broken one takes no neighbor along.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, sync_channel},
    },
    thread,
};

use csv_core::ReadRecordResult;
use encoding_rs_io::DecodeReaderBytesBuilder;
use flate2::read::MultiGzDecoder;

/// The longest row, line breaks in quotes included: what an event may have, too.
pub(crate) const ROW_BYTES_MAX: usize = 1 << 20;
/// Over how many lines a field in quotes may go on.
const ROW_LINES_MAX: usize = 100;
/// How many fields a row may have; the rest is not looked at.
const FIELDS_MAX: usize = 4_096;

/// The rows of one file.
pub(crate) struct Rows {
    lines: Lines,
    delimiter: u8,
    row: Row,
    /// How many fields the header has, which a row over several lines must have, too.
    fields: Option<usize>,
}

/// One row, reused for the next one.
#[derive(Default)]
pub(crate) struct Row {
    /// The line in the file on which it begins, from 1.
    pub(crate) line: u64,
    bytes: Vec<u8>,
    ends: Vec<(usize, usize)>,
}

impl Row {
    /// The field at `index`, if the row has it.
    pub(crate) fn field(&self, index: usize) -> Option<&[u8]> {
        self.ends.get(index).and_then(|&(start, end)| self.bytes.get(start..end))
    }

    /// How many fields the row has.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }
}

/// A row that cannot be split into fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BrokenRow {
    /// A quote that no other one closes.
    #[error("a quote is opened and not closed")]
    OpenQuote,
    /// A line that is no line of a table.
    #[error("is longer than {ROW_BYTES_MAX} bytes")]
    TooLong,
}

impl Rows {
    /// Opens the file at `path`; gzip is seen by its first bytes.
    ///
    /// `encoding` is what the file is in where its first bytes do not say so themselves; `progress`
    /// counts the bytes of the file that were read.
    pub(crate) fn open(
        path: &Path,
        delimiter: u8,
        encoding: Option<&'static encoding_rs::Encoding>,
        progress: Arc<AtomicU64>,
    ) -> io::Result<Self> {
        let lines = Lines::open_in(path, encoding, progress)?;
        Ok(Self { lines, delimiter, row: Row::default(), fields: None })
    }

    /// The next row, or why it is none; `None` at the end. Blank lines are passed over.
    ///
    /// # Errors
    ///
    /// What reading the file said; nothing after it can be read.
    pub(crate) fn next(&mut self) -> io::Result<Option<Result<&Row, (u64, BrokenRow)>>> {
        loop {
            self.row.bytes.clear();
            let Some(line) = self.lines.read(&mut self.row.bytes)? else { return Ok(None) };
            self.row.line = line;
            if self.row.bytes.len() > ROW_BYTES_MAX {
                return Ok(Some(Err((line, BrokenRow::TooLong))));
            }
            if !trim_line_end(&self.row.bytes).is_empty() {
                break;
            }
        }
        if memchr::memchr(b'"', &self.row.bytes).is_none() {
            self.split_plain();
        } else if !self.split_quoted()? {
            return Ok(Some(Err((self.row.line, BrokenRow::OpenQuote))));
        }
        self.fields.get_or_insert(self.row.len());
        Ok(Some(Ok(&self.row)))
    }

    fn split_plain(&mut self) {
        let Row { bytes, ends, .. } = &mut self.row;
        bytes.truncate(trim_line_end(bytes).len());
        ends.clear();
        let mut start = 0;
        for end in memchr::memchr_iter(self.delimiter, bytes).take(FIELDS_MAX) {
            ends.push((start, end));
            start = end.saturating_add(1);
        }
        ends.push((start, bytes.len()));
    }

    /// Splits a row that has quotes, which may go on over several lines.
    ///
    /// A quote that is never closed would swallow the rest of the file, so what turns out not to be
    /// a row of this table gives its lines back, but for the first.
    fn split_quoted(&mut self) -> io::Result<bool> {
        let mut raw = std::mem::take(&mut self.row.bytes);
        let mut line_ends = vec![raw.len()];
        let is_row = loop {
            // The last line of a file may end without a line break.
            if !raw.ends_with(b"\n") {
                raw.push(b'\n');
                if let Some(end) = line_ends.last_mut() {
                    *end = raw.len();
                }
            }
            if let Some(row) = parse_quoted(&raw, self.delimiter) {
                let is_row = line_ends.len() == 1 || self.fields.is_none_or(|it| it == row.1.len());
                (self.row.bytes, self.row.ends) = row;
                break is_row;
            }
            let is_full = line_ends.len() >= ROW_LINES_MAX || raw.len() > ROW_BYTES_MAX;
            if is_full || self.lines.read(&mut raw)?.is_none() {
                break false;
            }
            line_ends.push(raw.len());
        };
        if !is_row {
            let lines = line_ends.windows(2).filter_map(|pair| match pair {
                [start, end] => raw.get(*start..*end).map(<[u8]>::to_vec),
                _ => None,
            });
            self.lines.give_back(lines.collect());
        }
        Ok(is_row)
    }
}

/// The bytes of fields, and where each begins and ends.
type Fields = (Vec<u8>, Vec<(usize, usize)>);

/// The fields of a row with quotes; `None` if a quote is still open at its end.
fn parse_quoted(raw: &[u8], delimiter: u8) -> Option<Fields> {
    let mut reader = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
    let mut bytes = vec![0; raw.len().saturating_add(1)];
    let mut ends = vec![0; FIELDS_MAX];
    let (result, _, _, fields) = reader.read_record(raw, &mut bytes, &mut ends);
    if result != ReadRecordResult::Record {
        return None;
    }
    ends.truncate(fields);
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let ends = starts.zip(ends.iter().copied()).collect();
    Some((bytes, ends))
}

fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The lines of a file, some of which may be read again.
pub(crate) struct Lines {
    reader: BufReader<ReadAhead>,
    again: VecDeque<Vec<u8>>,
    next: u64,
}

impl Lines {
    /// Opens a file in UTF-8; gzip is seen by its first bytes.
    pub(crate) fn open(path: &Path, progress: Arc<AtomicU64>) -> io::Result<Self> {
        Self::open_in(path, None, progress)
    }

    fn open_in(
        path: &Path,
        encoding: Option<&'static encoding_rs::Encoding>,
        progress: Arc<AtomicU64>,
    ) -> io::Result<Self> {
        let file = Counted { inner: File::open(path)?, progress };
        let mut file = BufReader::with_capacity(CHUNK_BYTES, file);
        let is_gzip = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        let bytes: Box<dyn Read + Send> =
            if is_gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        let text = DecodeReaderBytesBuilder::new()
            .encoding(encoding)
            .utf8_passthru(true)
            .strip_bom(true)
            .bom_override(true)
            .build(bytes);
        let reader = BufReader::with_capacity(CHUNK_BYTES, ReadAhead::new(text));
        Ok(Self { reader, again: VecDeque::new(), next: 1 })
    }

    /// Appends the next line to `bytes`, its end included, and says its number.
    ///
    /// Of a line that is longer than a row may be, only the beginning is kept.
    pub(crate) fn read(&mut self, bytes: &mut Vec<u8>) -> io::Result<Option<u64>> {
        if let Some(line) = self.again.pop_front() {
            bytes.extend_from_slice(&line);
        } else if !self.read_new(bytes)? {
            return Ok(None);
        }
        let line = self.next;
        self.next = line.saturating_add(1);
        Ok(Some(line))
    }

    fn read_new(&mut self, bytes: &mut Vec<u8>) -> io::Result<bool> {
        let mut length = 0_usize;
        loop {
            let available = self.reader.fill_buf()?;
            if available.is_empty() {
                return Ok(length > 0);
            }
            let end = memchr::memchr(b'\n', available);
            let used = end.map_or(available.len(), |it| it.saturating_add(1));
            if length <= ROW_BYTES_MAX {
                bytes.extend(available.get(..used).unwrap_or_default());
            }
            length = length.saturating_add(used);
            self.reader.consume(used);
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    fn give_back(&mut self, lines: Vec<Vec<u8>>) {
        self.next = self.next.saturating_sub(lines.len().try_into().unwrap_or(0));
        for line in lines.into_iter().rev() {
            self.again.push_front(line);
        }
    }
}

/// Counts what is read of a file.
struct Counted {
    inner: File,
    progress: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.progress.fetch_add(read.try_into().unwrap_or(0), Ordering::Relaxed);
        Ok(read)
    }
}

/// How much is read ahead at a time.
const CHUNK_BYTES: usize = 1 << 18;

/// Reads and decompresses on a thread of its own, some chunks ahead.
struct ReadAhead {
    chunks: Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    used: usize,
}

impl ReadAhead {
    fn new(mut inner: impl Read + Send + 'static) -> Self {
        let (sender, chunks) = sync_channel(8);
        thread::spawn(move || {
            loop {
                let mut chunk = vec![0; CHUNK_BYTES];
                let mut length = 0;
                let result = loop {
                    let Some(rest) = chunk.get_mut(length..).filter(|it| !it.is_empty()) else {
                        break Ok(());
                    };
                    match inner.read(rest) {
                        Ok(0) => break Ok(()),
                        Ok(read) => length = length.saturating_add(read),
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                        Err(error) => break Err(error),
                    }
                };
                chunk.truncate(length);
                // An empty chunk would be taken for the end, whatever comes after it.
                let is_end = chunk.is_empty();
                let is_gone = !is_end && sender.send(Ok(chunk)).is_err();
                // Nobody listens any more once the reader was dropped.
                let has_failed = result.is_err_and(|error| sender.send(Err(error)).is_ok());
                if is_end || is_gone || has_failed {
                    return;
                }
            }
        });
        Self { chunks, chunk: Vec::new(), used: 0 }
    }
}

impl Read for ReadAhead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.used >= self.chunk.len() {
            // The thread has ended where it has nothing to send any more.
            let Ok(chunk) = self.chunks.recv() else { return Ok(0) };
            self.chunk = chunk?;
            self.used = 0;
        }
        let rest = self.chunk.get(self.used..).unwrap_or_default();
        let length = (&mut &*rest).read(buffer)?;
        self.used = self.used.saturating_add(length);
        Ok(length)
    }
}
