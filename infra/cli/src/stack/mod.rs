//! The whole stack on this machine: the template and the binaries that AWS would run, on a local AWS.
//!
//! Read in this order: [`tools`], which are pinned; [`local`], the local AWS; [`issuer`], who signs tokens;
//! [`deploy`], the very template; [`target`], which stack a command is about; [`send`], events onto the
//! queue in their order; [`import`] and [`redrive`], which use it; [`republish`], which tells the shop again;
//! [`run_day`], a night at once; [`measure`], everybody by a new version; [`member`], one member by staff.

pub(crate) mod deploy;
pub(crate) mod import;
mod issuer;
mod local;
pub(crate) mod measure;
pub(crate) mod member;
pub(crate) mod redrive;
pub(crate) mod republish;
pub(crate) mod run_day;
pub(crate) mod send;
pub(crate) mod target;
pub(crate) mod tools;

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, atomic::AtomicU64},
};

use jiff::civil::Date;
use loyalty_domain::{command::Request, program::Program};
use loyalty_dynamodb::Published;
use loyalty_ledger::LedgerError;
use loyalty_runtime::clock;
use serde::Deserialize;

use self::{
    issuer::Who,
    local::Local,
    target::{Access, Place, Running, Stack, Target},
};
use crate::{
    import::{Import, ImportError, map::ColumnMap},
    program,
    simulate::{Bar, report::size},
    toml_reader::FileError,
};

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

/// Stops what `up` started, and forgets its points and members.
#[derive(clap::Args, Debug)]
pub(crate) struct Down {
    #[command(flatten)]
    place: Place,
}

/// Says what runs, and how many messages wait or could not be handled.
#[derive(clap::Args, Debug)]
pub(crate) struct Status {
    #[command(flatten)]
    target: Target,
}

/// Publishes a program to a deployed stack: from its own first day on it decides.
#[derive(clap::Args, Debug)]
pub(crate) struct Publish {
    /// The file, such as infra/programs/standard.toml.
    file: PathBuf,
    #[command(flatten)]
    target: Target,
}

/// Prints a token for the API that `up` started.
#[derive(clap::Args, Debug)]
pub(crate) struct Token {
    /// A token of this member.
    #[arg(long, value_name = "ID", required_unless_present = "scope")]
    member: Option<String>,
    /// A token with these scopes: `loyalty/members.read` of a service that reads, `loyalty/members.write` of
    /// one that enrolls and changes, or `loyalty/staff`; several by space.
    #[arg(long, value_name = "SCOPES", conflicts_with = "member")]
    scope: Option<String>,
    /// The person of staff whose token it is, who stands with what they do for ever; without it, a service.
    #[arg(long, value_name = "ID", requires = "scope")]
    person: Option<String>,
    /// Whom the token is for; without it, this system.
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
    /// A token that expired an hour ago.
    #[arg(long)]
    expired: bool,
    #[command(flatten)]
    place: Place,
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
    #[error("nothing runs here: `cargo loyalty up` starts it; --stack NAME is one in your account")]
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
    /// AWS's own tools know of no region.
    #[error("no region is set: say --region REGION, or set one in the profile or in AWS_REGION")]
    NoRegion,
    /// AWS's own tools know of no account.
    #[error("no credentials are set: say --profile NAME, or sign in as AWS's own tools do")]
    NoCredentials,
    /// The machine has no threads or sockets left.
    #[error("calls of AWS cannot be made on this machine")]
    NoRuntime(#[source] io::Error),
    /// The queue did not take events.
    #[error("the orders queue did not take an event; run again, this goes on where it was")]
    NotSent {
        /// Whether a moment later it may.
        is_transient: bool,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A queue did not say how much it has.
    #[error("a queue did not say how many messages it has")]
    NotCounted(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The dead letters could not be read, sent again or removed.
    #[error("the dead letters could not be handled; run again, nothing is lost")]
    Letters(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Nobody said what to remove.
    #[error("say which messages to remove: --reason NAME, or --message ID")]
    RemoveWhich,
    /// The ledger did not say what was answered.
    #[error("the ledger did not say what was answered; run again, this goes on where it was")]
    NotRead(#[source] LedgerError),
    /// The ledger could not be read to its end.
    #[error(
        "the ledger could not be read to its end; run again, which changes nothing that was done"
    )]
    NotScanned(#[source] LedgerError),
    /// The bus did not take what was to be told.
    #[error(
        "the event bus did not take {left} of the events; run again, what is told twice has the same id"
    )]
    NotTold {
        left: u64,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Entries are not what this code wrote.
    #[error(
        "{} not told: this release does not know what they say; run the newest one",
        if *.entries == 1 { "1 entry is".to_owned() } else { format!("{entries} entries are") }
    )]
    Unreadable { entries: u64 },
    /// An argument is not what it is to be.
    #[error("{argument}: {what}")]
    Argument { argument: &'static str, what: String },
    /// What staff want could not be put on the queue.
    #[error("it could not be put on the queue")]
    ReviewNotSent(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Nobody knows whether what staff want is on the queue.
    #[error(
        "it is not known whether it is on the queue: repeat it with --key {key}, which does it once"
    )]
    ActNotSent {
        key: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It is about nobody.
    #[error("nothing was to be done")]
    NothingToDo,
    /// The ledger has no answer yet.
    #[error(
        "there is no answer yet: `cargo loyalty redrive` shows whether the message could not be handled; \
         repeat it with --key {key}, which does it once"
    )]
    ActNotAnswered { key: String },
    /// The same key was used for something else.
    #[error("this --key was used before for something else, which stands: use another one")]
    KeyUsed,
    /// The rules do not allow it.
    #[error("refused: {because}")]
    ActRefused { because: String },
    /// All accounts are still being measured.
    #[error(
        "not all accounts were found yet; it goes on by itself, and what failed begins again every night"
    )]
    StillMeasuring,
    /// Accounts could not be measured.
    #[error(
        "{} not measured: this release does not know what they say; run the newest one",
        if *.accounts == 1 { "1 account is".to_owned() } else { format!("{accounts} accounts are") }
    )]
    NotMeasured { accounts: u64 },
    /// A version begins on a day that has no first instant.
    #[error("{day} has no first instant: write an `effective` day that has")]
    NoFirstInstant { day: Date },
    /// A version is not newer than those that are there.
    #[error("version {version} is not newer than the {newest} of {title}: raise `version`")]
    VersionNotRaised { version: u32, newest: u32, title: String },
    /// A time has no length.
    #[error("nothing lies between --from and --to: --to is the later one, and itself not told")]
    NoTime,
    /// Events were sent and are not answered.
    #[error(
        "{} not answered: of the same stack, `cargo loyalty status` says what waits, and `cargo loyalty \
         redrive` what could not be handled; run again, this goes on where it was",
        if *.left == 1 { "1 event is".to_owned() } else { format!("{left} events are") }
    )]
    NotAnswered { left: u64 },
    /// The queue did not take a night's work.
    #[error("the night's work could not be put on its queue; run again, nothing is posted twice")]
    NightNotSent(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What falls due on a day to come may still be used.
    #[error("{day} has not begun in {zone}, the program's time zone: nothing is due by it yet")]
    NotBegun { day: Date, zone: String },
    /// A night's work was sent and is not done.
    #[error(
        "what fell due is not posted for {left} members: of the same stack, `cargo loyalty redrive` says \
         what could not be done; run again, nothing is posted twice"
    )]
    NotPosted { left: u64 },
    /// Nobody said what decides.
    #[error("{title} has no program yet: `cargo loyalty program publish` brings one")]
    NoProgram { title: String },
    /// A file is read twice, which a pipe is not.
    #[error("--dates to-today reads {} twice, so it must be a file", .0.display())]
    NoFile(PathBuf),
    /// The user said no.
    #[error("nothing was deployed")]
    NotConfirmed,
    /// A function was not built for where it is to run.
    #[error("{} {what}: run the command without --no-build", .path.display())]
    WrongBinary { path: PathBuf, what: String },
    /// Nobody said what to import.
    #[error("say what to import: --orders CSV --columns TOML, or --events JSONL, or --demo")]
    NothingToImport,
    /// Writing would destroy what is read.
    #[error("{flag} and --rejected-out are the same file, `{}`: name another one", .path.display())]
    SameFile { flag: &'static str, path: PathBuf },
    /// A version of a program was published before, with other content.
    #[error(
        "version {version} was published before with other content, which stands, since entries name \
         it: raise `version` and publish again"
    )]
    VersionReused { version: u32 },
    /// The program or the column map is wrong.
    #[error(transparent)]
    Program(#[from] FileError),
    /// The orders cannot be read.
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

pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> StackError {
    move |source| StackError::File { path: path.to_owned(), source }
}

/// The root of this repository.
fn root() -> PathBuf {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    root.canonicalize().unwrap_or_else(|_| root.to_owned())
}

/// Leaves out what `cargo run` or `cargo test` set for this process alone: a build script that looks at it
/// would run again, and all that rests on it be built again.
pub(crate) fn without_cargos_own(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
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

/// Runs a tool to its end, which speaks to the user itself.
fn show(what: &'static str, command: &mut Command) -> Result<(), StackError> {
    let text = format!("{command:?}");
    let status = command.status().map_err(|source| StackError::NotStarted {
        what,
        command: text.clone(),
        source,
    })?;
    if status.success() {
        return Ok(());
    }
    Err(StackError::Failed { what, command: text, output: status.to_string() })
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
        let access = Access::Local { endpoint: running.endpoint.clone() };
        let outputs = deploy::deploy(&root, &access, &issuer::url(&running.endpoint))?;
        let running = Running { outputs: Some(outputs.clone()), ..running };
        place.write(&running)?;
        let stack = Stack::local(&running.endpoint, outputs.clone(), None)?;
        steps.begin("program: published")?;
        publish(&stack, &program)?;
        steps.begin("API: every route asks for a token")?;
        check_routes(&root, &running.endpoint, &key, &outputs)?;
        steps.begin("orders: a real shop's, moved to end today, become points")?;
        let demo = send_demo(&root, &stack, self.demo)?;
        let out = steps.0;
        let Some(member) = demo.member.clone() else {
            let url = outputs.local_api(&running.endpoint);
            return writeln!(out, "\nLoyalty runs at {url}. No orders were sent.")
                .map_err(StackError::Output);
        };
        let token = issuer::token(&key, &running.endpoint, &Who::member(&member))?;
        let url = format!("{}/v1/members/me", outputs.local_api(&running.endpoint));
        let body = local::get(&url, Some(&token), 200)?;
        write_balance(out, &demo, &member, &url, &token, &body).map_err(StackError::Output)
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

/// Publishes `program`, unless it is there.
fn publish(stack: &Stack, program: &Program) -> Result<Published, StackError> {
    let published = stack.wait(async { stack.ledger().publish(program).await });
    match published.map_err(StackError::NotPublished)? {
        Published::Reused => Err(StackError::VersionReused { version: program.spec().version }),
        published @ (Published::Now | Published::Before) => Ok(published),
    }
}

/// The API's document, as far as it is needed here.
#[derive(Deserialize)]
struct OpenApi {
    paths: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
}

/// How a path may be asked. Whatever else stands beside them in a document is about all of them.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// What the local AWS drops without a word: routes, and that they ask for a token.
fn check_routes(
    root: &Path,
    endpoint: &str,
    key: &issuer::Key,
    outputs: &deploy::Outputs,
) -> Result<(), StackError> {
    let api = outputs.local_api(endpoint);
    for name in deploy::FUNCTIONS {
        let path = root.join("functions").join(name).join("openapi.json");
        // Others are behind a queue.
        if !path.exists() {
            continue;
        }
        let text = fs::read(&path).map_err(file(&path))?;
        let document: OpenApi = serde_json::from_slice(&text).map_err(StackError::Outputs)?;
        for (path, methods) in &document.paths {
            let url = format!("{api}{}", path.replace("{id}", "1").replace("{order_id}", "1"));
            for method in methods.keys().filter(|it| METHODS.contains(&it.as_str())) {
                local::ask(method, &url, None, 401)?;
            }
        }
    }
    // Whatever else is asked for comes to the function, and by nobody who is not known.
    let url = format!("{api}/v1/nothing");
    local::get(&url, None, 401)?;
    let token = issuer::token(key, endpoint, &Who::member("1"))?;
    local::get(&url, Some(&token), 404)?;
    Ok(())
}

/// What was sent of the demo.
struct Demo {
    sent: send::Sent,
    /// The member with the most orders among them.
    member: Option<String>,
}

/// Sends the newest `number` orders and returns of the demo, moved by whole days so that the last is today.
fn send_demo(root: &Path, stack: &Stack, number: usize) -> Result<Demo, StackError> {
    let map = ColumnMap::load(&root.join("infra/imports/online-retail.toml"))?;
    let file = root.join("tests/data/online-retail-extract.csv.gz");
    let mut import = Import::read(&file, &map, &Arc::default())?;
    let mut requests: Vec<(u64, Request)> = Vec::new();
    import.events(&AtomicU64::new(0), |line, request| requests.push((line, request)));
    requests.drain(..requests.len().saturating_sub(number));
    let last_at = requests.last().map(|(_, request)| request.at);
    let days = last_at.map_or(0, |it| send::whole_days(it, clock::now()));
    let mut orders: HashMap<String, usize> = HashMap::new();
    let mut sender = send::Sender::new(stack, days);
    let bar = Bar::new("earning points", size(requests.len()), false, sender.restart());
    for (line, request) in &requests {
        if let Some(member_id) = request.member_id() {
            *orders.entry(member_id.to_string()).or_default() += 1;
        }
        stack.wait(sender.take(*line, request))?;
    }
    stack.wait(sender.end())?;
    drop(bar);
    // The first by name of those with the most, so that two runs show the same one.
    let member = orders.into_iter().max_by(|(a, m), (b, n)| m.cmp(n).then(b.cmp(a)));
    Ok(Demo { sent: sender.into_sent(), member: member.map(|(id, _)| id) })
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

fn write_balance(
    out: &mut dyn Write,
    demo: &Demo,
    member: &str,
    url: &str,
    token: &str,
    body: &str,
) -> io::Result<()> {
    let shown: Shown = serde_json::from_str(body)?;
    writeln!(
        out,
        "\nLoyalty runs here. {} orders and returns were sent and handled.",
        demo.sent.events
    )?;
    writeln!(
        out,
        "Member {member}: {} points to spend, {} on their way, level {}.\n",
        shown.points.available, shown.points.pending, shown.tier.name
    )?;
    writeln!(out, "Ask for it, as the member:\n")?;
    writeln!(out, "curl -H 'Authorization: Bearer {token}' '{url}'\n")?;
    writeln!(
        out,
        "Tokens of others: cargo loyalty token --member ID, or --scope loyalty/staff, or of a service that \
         enrolls --scope loyalty/members.write"
    )?;
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
        let stack = self.target.find()?;
        let outputs = &stack.outputs;
        let waiting = stack.wait(send::waiting(&stack, &outputs.orders_queue_url))?;
        let mut unhandled = 0;
        for queue_url in outputs.dead_letters() {
            let more = stack.wait(send::waiting(&stack, queue_url))?;
            unhandled = u64::saturating_add(unhandled, more);
        }
        let nights = stack.wait(send::waiting(&stack, &outputs.expiry_work_queue_url))?;
        let reviews = stack.wait(send::waiting(&stack, &outputs.tier_reviews_queue_url))?;
        let referrals = stack.wait(send::waiting(&stack, &outputs.referrals_queue_url))?;
        let write = |out: &mut dyn Write| {
            writeln!(out, "API           {}", stack.api())?;
            writeln!(out, "orders queue  {}", outputs.orders_queue_url)?;
            writeln!(
                out,
                "waiting       {waiting} (expiry work {nights}, tier reviews {reviews}, referrals {referrals})"
            )?;
            writeln!(out, "dead letters  {unhandled}")?;
            if unhandled > 0 {
                let flags = stack.flags();
                writeln!(out, "\nWhat they are, and why: cargo loyalty redrive{flags}")?;
            }
            Ok(())
        };
        write(out).map_err(StackError::Output)
    }
}

impl Publish {
    /// Publishes it.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), StackError> {
        let program = program::load(&self.file)?;
        let stack = self.target.find()?;
        let published = publish(&stack, &program)?;
        let spec = program.spec();
        let what = if published == Published::Now {
            "is published to"
        } else {
            "was published before, word for word, to"
        };
        let (name, version) = (&spec.name, spec.version);
        writeln!(out, "Version {version} of {name} {what} {}.", stack.title)
            .map_err(StackError::Output)
    }
}

impl Token {
    /// Prints it.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), StackError> {
        let running = self.place.running()?;
        let key = issuer::Key::of(&running.issuer_key)?;
        let who = Who {
            subject: self.member.or(self.person).unwrap_or_else(|| "a-service".to_owned()),
            scope: self.scope,
            audience: self.audience.unwrap_or_else(|| issuer::AUDIENCE.to_owned()),
            is_expired: self.expired,
        };
        let token = issuer::token(&key, &running.endpoint, &who)?;
        writeln!(out, "{token}").map_err(StackError::Output)
    }
}
