//! Logs: one JSON object a line, which reads alone.
//!
//! A failure is logged once, where it ends, with its causes. Nothing personal is logged: no body, no
//! token, no member; an order's id is, since staff search for it.

use std::{
    error::Error,
    fmt, io,
    panic::{self, PanicHookInfo},
};

use tracing::Subscriber;
use tracing_subscriber::{filter::LevelFilter, fmt::MakeWriter};

/// Lets log lines go to the standard output, from the level `AWS_LAMBDA_LOG_LEVEL` up, or `INFO`, and a
/// panic say no more than where it happened.
///
/// Lambda sets it from the template; it is no setting of ours. A function has nothing to say below `INFO`:
/// the SDK would write whole bodies there, so the functions are built without it.
pub fn init() {
    let level = crate::settings::environment("AWS_LAMBDA_LOG_LEVEL");
    let level = level.and_then(|it| it.parse().ok()).unwrap_or(LevelFilter::INFO);
    // A second one would be a bug that costs nothing but its lines.
    tracing::subscriber::set_global_default(subscriber(io::stdout, level)).ok();
    panic::set_hook(Box::new(panicked));
}

/// Logs where a panic happened.
///
/// What it says may have been made from what was asked. Without this, it would be printed as it is, and
/// Lambda takes what is printed for the log.
pub fn panicked(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    tracing::error!(location, "a panic, which is a bug");
}

/// What writes log lines from `level` up to `writer`.
pub fn subscriber<W>(writer: W, level: LevelFilter) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_max_level(level)
        .with_writer(writer)
        .finish()
}

/// An error with all that caused it, in one line.
pub struct ErrorChain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(it) = cause {
            write!(f, ": {it}")?;
            cause = it.source();
        }
        Ok(())
    }
}

impl fmt::Debug for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
