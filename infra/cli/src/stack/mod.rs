//! The whole stack on this machine: the template and the binaries that AWS would run, on a local AWS.
//!
//! Read in this order: [`tools`], which are pinned; [`local`], the local AWS; [`issuer`], who signs tokens;
//! [`deploy`], the very template; [`send`], orders onto the queue.

mod deploy;
mod issuer;
mod local;
mod send;
pub(crate) mod tools;

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use loyalty_domain::program::Program;
use loyalty_dynamodb::{DynamoDbLedger, Published, Tables};
use loyalty_ledger::LedgerError;
use serde::{Deserialize, Serialize};

use self::{issuer::Who, local::Local};
use crate::{import::ImportError, program, toml_reader::FileError};

/// Starts the whole system on this machine, deploys the template, and sends it demo orders.
///
/// What it needs is installed into target/tools; what runs is stopped by `cargo loyalty down`.
#[derive(clap::Args, Debug)]
pub(crate) struct Up {
    /// How many of the demo's newest orders and returns to send; 0 for none.
    #[arg(long, value_name = "NUMBER", default_value_t = 300)]
    demo: usize,
    /// The program to publish.
    #[arg(long, value_name = "TOML")]
    program: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

/// Stops what `up` started, and forgets its points.
#[derive(clap::Args, Debug)]
pub(crate) struct Down {
    #[command(flatten)]
    place: Place,
}

/// Says what runs, and how many messages wait or could not be handled.
#[derive(clap::Args, Debug)]
pub(crate) struct Status {
    #[command(flatten)]
    place: Place,
}

/// Prints a token for the API that `up` started.
#[derive(clap::Args, Debug)]
pub(crate) struct Token {
    /// A token of this member.
    #[arg(long, value_name = "ID", required_unless_present = "scope")]
    member: Option<String>,
    /// A token with these scopes, such as `loyalty/members.read` of a service or `loyalty/staff`.
    #[arg(long, value_name = "SCOPES", conflicts_with = "member")]
    scope: Option<String>,
    /// Whom the token is for; without it, this system.
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
    /// A token that expired an hour ago.
    #[arg(long)]
    expired: bool,
    #[command(flatten)]
    place: Place,
}

/// Where what runs is remembered.
#[derive(clap::Args, Debug)]
struct Place {
    /// The folder of what runs; two of them run side by side.
    #[arg(long, value_name = "FOLDER", default_value = "target/local", global = true)]
    folder: PathBuf,
}

/// What runs, as it is remembered.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Running {
    pid: u32,
    endpoint: String,
    /// The key of the local issuer, as PKCS #8 in base64. It signs for this run alone.
    issuer_key: String,
    #[serde(default)]
    outputs: Option<deploy::Outputs>,
}

/// The stack cannot be started, reached or stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StackError {
    /// A file of ours cannot be read or written.
    #[error("cannot use {}", .path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// It runs already.
    #[error("it runs already, at {endpoint}: `cargo loyalty down` stops it")]
    RunsAlready { endpoint: String },
    /// It does not run.
    #[error("nothing runs here: `cargo loyalty up` starts it")]
    NothingRuns,
    /// A tool could not be started.
    #[error("{what} could not be started: {command}")]
    NotStarted {
        what: &'static str,
        command: String,
        #[source]
        source: io::Error,
    },
    /// A tool said no.
    #[error("{what} failed: {command}\n{output}")]
    Failed { what: &'static str, command: String, output: String },
    /// The local AWS did not come up.
    #[error("the local AWS did not answer within {seconds} seconds; it said:\n{output}")]
    NotReady { seconds: u64, output: String },
    /// A request had no answer.
    #[error("no answer from {url}")]
    NoAnswer {
        url: String,
        #[source]
        source: Box<ureq::Error>,
    },
    /// A request had another answer.
    #[error("{url} answered {found} where {expected} was expected: {body}")]
    WrongAnswer { url: String, found: u16, expected: u16, body: String },
    /// The issuer's key is of no use.
    #[error("the key of the local issuer of tokens could not be made or read")]
    Key,
    /// SAM says something else than it should.
    #[error("the outputs of the stack cannot be read")]
    Outputs(#[source] serde_json::Error),
    /// An output of the template is not there.
    #[error("the stack has no output {0}")]
    NoOutput(&'static str),
    /// The queue did not take orders.
    #[error("the orders queue did not take an order")]
    NotSent(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Orders were sent and are still not handled.
    #[error(
        "{left} messages are still not handled after {seconds} seconds; the logs of the functions are \
         in {}", .log.display()
    )]
    NotHandled { left: u64, seconds: u64, log: PathBuf },
    /// The program or the column map is wrong.
    #[error(transparent)]
    Program(#[from] FileError),
    /// The demo's orders cannot be read.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The table did not take the program.
    #[error("the program could not be published")]
    NotPublished(#[from] LedgerError),
    /// A setting is missing: a bug of ours.
    #[error(transparent)]
    Setting(#[from] loyalty_runtime::settings::SettingError),
    /// The terminal, or what stands for it, is gone.
    #[error("cannot write the report")]
    Output(#[source] io::Error),
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> StackError {
    move |source| StackError::File { path: path.to_owned(), source }
}

/// The root of this repository.
fn root() -> PathBuf {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    root.canonicalize().unwrap_or_else(|_| root.to_owned())
}

/// Runs a tool to its end; what it printed is shown only if it fails.
fn run(what: &'static str, command: &mut Command) -> Result<Vec<u8>, StackError> {
    let text = format!("{command:?}");
    let output = command.output().map_err(|source| StackError::NotStarted {
        what,
        command: text.clone(),
        source,
    })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    Err(StackError::Failed { what, command: text, output: said })
}

impl Up {
    /// Starts, deploys, sends, and shows.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), StackError> {
        let root = root();
        let path = self.program.unwrap_or_else(|| root.join("infra/programs/standard.toml"));
        let program = program::load(&path)?;
        let place = self.place;
        if let Some(running) = place.read()? {
            if local::is_up(&running.endpoint) {
                return Err(StackError::RunsAlready { endpoint: running.endpoint });
            }
            place.forget(&running)?;
        }
        let mut steps = Steps(out);
        steps.begin("tools: the local AWS and SAM, into target/tools")?;
        tools::install(&root, tools::MINISTACK)?;
        tools::install(&root, tools::SAM)?;
        steps.begin("functions: built once, as they are deployed")?;
        deploy::build(&root)?;
        steps.begin("local AWS: started on a free port of this machine alone")?;
        let (running, key) = start(&root, &place)?;
        steps.begin("template: deployed by SAM")?;
        let outputs = deploy::deploy(&root, &running.endpoint, &issuer::url(&running.endpoint))?;
        let running = Running { outputs: Some(outputs.clone()), ..running };
        place.write(&running)?;
        steps.begin("program: published")?;
        publish(&running, &outputs, &program)?;
        steps.begin("API: every route asks for a token")?;
        check_routes(&running.endpoint, &outputs)?;
        steps.begin("orders: a real shop's, moved to end today, onto the queue")?;
        let sent = send::demo(&root, &running.endpoint, &outputs, self.demo)?;
        steps.begin("functions: turn them into points")?;
        send::wait_until_handled(&running.endpoint, &outputs, &place.log(), sent.messages)?;
        let out = steps.0;
        let Some(member) = sent.member.clone() else {
            let url = outputs.local_api(&running.endpoint);
            return writeln!(out, "\nLoyalty runs at {url}. No orders were sent.")
                .map_err(StackError::Output);
        };
        let token = issuer::token(&key, &running.endpoint, &Who::member(&member))?;
        let url = format!("{}/v1/members/me", outputs.local_api(&running.endpoint));
        let body = local::get(&url, Some(&token), 200)?;
        show(out, &sent, &member, &url, &token, &body).map_err(StackError::Output)
    }
}

/// Starts the local AWS with an issuer of tokens, and remembers it.
fn start(root: &Path, place: &Place) -> Result<(Running, issuer::Key), StackError> {
    fs::create_dir_all(&place.folder).map_err(file(&place.folder))?;
    let folder = place.folder.canonicalize().map_err(file(&place.folder))?;
    let Local { pid, endpoint } = local::start(root, &folder, &place.log())?;
    let key = issuer::Key::new()?;
    let running = Running { pid, endpoint, issuer_key: key.text(), outputs: None };
    // Before anything else can fail, so that it can be stopped.
    place.write(&running)?;
    local::wait_until_up(&running.endpoint, &place.log())?;
    issuer::publish(&key, &running.endpoint)?;
    Ok((running, key))
}

fn publish(
    running: &Running,
    outputs: &deploy::Outputs,
    program: &Program,
) -> Result<(), StackError> {
    let tables = Tables {
        ledger: outputs.ledger_table_name.clone(),
        program: outputs.program_table_name.clone(),
    };
    let client = local::aws(&running.endpoint)?.dynamodb(Duration::from_secs(10));
    let ledger = DynamoDbLedger::new(client, tables);
    match local::wait(ledger.publish(program))? {
        Published::Now | Published::Before | Published::Reused => Ok(()),
    }
}

/// What the local AWS drops without a word: routes, and that they ask for a token.
fn check_routes(endpoint: &str, outputs: &deploy::Outputs) -> Result<(), StackError> {
    let api = outputs.local_api(endpoint);
    for path in [
        "/v1/members/me",
        "/v1/members/me/entries",
        "/v1/members/1",
        "/v1/members/1/entries",
        "/v1/program",
        "/v1/status",
    ] {
        local::get(&format!("{api}{path}"), None, 401)?;
    }
    local::get(&format!("{api}/v1/nothing"), None, 404)?;
    Ok(())
}

/// What is being done, one line each.
struct Steps<'a>(&'a mut dyn Write);

impl Steps<'_> {
    fn begin(&mut self, what: &str) -> Result<(), StackError> {
        writeln!(self.0, "==> {what}").and_then(|()| self.0.flush()).map_err(StackError::Output)
    }
}

/// A member as the API answers it, as far as it is shown here.
#[derive(Deserialize)]
struct Shown {
    points: ShownPoints,
    tier: ShownTier,
}

#[derive(Deserialize)]
struct ShownPoints {
    available: u64,
    pending: u64,
}

#[derive(Deserialize)]
struct ShownTier {
    name: String,
}

fn show(
    out: &mut dyn Write,
    sent: &send::Sent,
    member: &str,
    url: &str,
    token: &str,
    body: &str,
) -> io::Result<()> {
    let shown: Shown = serde_json::from_str(body)?;
    writeln!(
        out,
        "\nLoyalty runs here. {} orders and returns were sent and handled.",
        sent.messages
    )?;
    writeln!(
        out,
        "Member {member}: {} points to spend, {} on their way, level {}.\n",
        shown.points.available, shown.points.pending, shown.tier.name
    )?;
    writeln!(out, "Ask for it, as the member:\n")?;
    writeln!(out, "curl -H 'Authorization: Bearer {token}' '{url}'\n")?;
    writeln!(out, "Tokens of others: cargo loyalty token --member ID, or --scope loyalty/staff")?;
    writeln!(out, "What waits:       cargo loyalty status")?;
    writeln!(out, "The end:          cargo loyalty down")
}

impl Down {
    /// Stops it.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), StackError> {
        let running = self.place.read()?.ok_or(StackError::NothingRuns)?;
        self.place.forget(&running)?;
        writeln!(out, "The local AWS at {} is stopped.", running.endpoint)
            .map_err(StackError::Output)
    }
}

impl Status {
    /// Says it.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), StackError> {
        let running = self.place.read()?.ok_or(StackError::NothingRuns)?;
        if !local::is_up(&running.endpoint) {
            return Err(StackError::NothingRuns);
        }
        let outputs = running.outputs.as_ref().ok_or(StackError::NothingRuns)?;
        let waiting = send::waiting(&running.endpoint, &outputs.orders_queue_url)?;
        let unhandled = send::waiting(&running.endpoint, &outputs.unhandled_orders_queue_url)?;
        let write = |out: &mut dyn Write| {
            writeln!(out, "API           {}", outputs.local_api(&running.endpoint))?;
            writeln!(out, "local AWS     {} (process {})", running.endpoint, running.pid)?;
            writeln!(out, "orders queue  {}", outputs.orders_queue_url)?;
            writeln!(out, "waiting       {waiting}")?;
            writeln!(out, "dead letters  {unhandled}")
        };
        write(out).map_err(StackError::Output)
    }
}

impl Token {
    /// Prints it.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), StackError> {
        let running = self.place.read()?.ok_or(StackError::NothingRuns)?;
        let key = issuer::Key::of(&running.issuer_key)?;
        let who = Who {
            subject: self.member.unwrap_or_else(|| "a-service".to_owned()),
            scope: self.scope,
            audience: self.audience.unwrap_or_else(|| issuer::AUDIENCE.to_owned()),
            is_expired: self.expired,
        };
        let token = issuer::token(&key, &running.endpoint, &who)?;
        writeln!(out, "{token}").map_err(StackError::Output)
    }
}

impl Place {
    fn log(&self) -> PathBuf {
        self.folder.join("local-aws.log")
    }

    fn state(&self) -> PathBuf {
        self.folder.join("running.json")
    }

    fn read(&self) -> Result<Option<Running>, StackError> {
        let path = self.state();
        match fs::read(&path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(file(&path)(error)),
        }
    }

    fn write(&self, running: &Running) -> Result<(), StackError> {
        let path = self.state();
        let text = serde_json::to_vec_pretty(running).map_err(io::Error::from);
        text.and_then(|it| fs::write(&path, it)).map_err(file(&path))
    }

    /// Stops what runs, and removes its folder.
    fn forget(&self, running: &Running) -> Result<(), StackError> {
        local::stop(running.pid, &running.endpoint);
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file(&self.folder)(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
