//! The very binaries that are deployed, each as Lambda starts it: what they weigh, how long they take until
//! they ask for the first event, what an invocation takes, and the most memory that they had.
//!
//! `cargo bench --package loyalty-tests-functions --bench start`
//!
//! It fails where a zip is larger than it may be, or a function does not do what it is asked.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark that cannot be run may panic"
)]
#![expect(clippy::float_arithmetic, reason = "its figures are for people")]
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

mod front;
mod runtime_api;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode},
    sync::mpsc::RecvTimeoutError,
    time::{Duration, Instant},
};

use flate2::{Compression, write::DeflateEncoder};
use loyalty_dynamodb::Tables;
use loyalty_runtime::clock;
use loyalty_tests_dynamodb::Engine;
use loyalty_tests_simulate::{repository, scratch, target, year_as_events};
use runtime_api::{RuntimeApi, Said};
use saphyr::{LoadableYamlNode, Yaml};
use serde_json::{Value, json};

/// How often each function is started.
const STARTS: usize = 20;
/// How many events each is then given.
const INVOCATIONS: usize = 300;
/// How many messages a batch has, as in the template.
const BATCH: usize = 10;
/// How long to wait for a function.
const PATIENCE: Duration = Duration::from_secs(10);

/// A function, and the most that its zip may have: a cold start pays for every byte.
struct Function {
    name: &'static str,
    zip_bytes_max: usize,
}

const FUNCTIONS: [Function; 9] = [
    Function { name: "accrue-points", zip_bytes_max: 2_350_000 },
    Function { name: "enroll-members", zip_bytes_max: 2_800_000 },
    Function { name: "evaluate-tier", zip_bytes_max: 2_400_000 },
    Function { name: "expire-points", zip_bytes_max: 2_350_000 },
    Function { name: "issue-referral-reward", zip_bytes_max: 2_300_000 },
    Function { name: "member-api", zip_bytes_max: 2_800_000 },
    Function { name: "publish-events", zip_bytes_max: 1_850_000 },
    Function { name: "redeem-points", zip_bytes_max: 2_900_000 },
    Function { name: "staff-api", zip_bytes_max: 2_900_000 },
];

fn main() -> ExitCode {
    build();
    let folder = scratch("start");
    let engine = Engine::start();
    let tables = engine.tables();
    publish(&engine, tables.clone());
    let endpoint = front::start(engine.endpoint());
    let year = year_as_events(&folder);
    let messages: Vec<&str> = year.lines().take(INVOCATIONS * BATCH).collect();

    println!(
        "{STARTS} starts and {INVOCATIONS} invocations of each function, over plain HTTP to an"
    );
    println!(
        "engine on this machine; {BATCH} events of the real year a batch; MB are 10^6 bytes\n"
    );
    println!(
        "function               binary MB   zip MB (most)   start to first poll, ms       \
         peak MiB at start, at the end   invocation, ms"
    );
    let mut is_small = true;
    for function in &FUNCTIONS {
        let environment = Environment::of(function.name, &tables, &endpoint);
        let events = events(function.name, &messages);
        is_small &= measure(function, &environment, &events, &folder);
    }
    fs::remove_dir_all(folder).unwrap();
    if is_small { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Builds the functions as they are deployed.
fn build() {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--profile", "function", "--locked", "--target-dir"]).arg(target());
    for function in &FUNCTIONS {
        cargo.args(["--package", &format!("loyalty-{}", function.name)]);
    }
    let status = cargo.current_dir(repository("")).status().unwrap();
    assert!(status.success(), "the functions could not be built: {status}");
}

fn publish(engine: &Engine, tables: Tables) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (ledger, _) = engine.ledger_in(tables);
    runtime.block_on(ledger.publish(&loyalty_tests_simulate::program_of_the_year())).unwrap();
}

/// What `function` is given: batches of `messages`, or growth of each one's member; a batch of their members, for
/// whom nothing is due any more but at first; referrals of theirs, whom nobody brought; the question of each one's
/// member, or of its profile, which nobody has who has not enrolled; records of their accounts, of which nothing is told, since no bus of the engine's could hear it.
fn events(function: &str, messages: &[&str]) -> Vec<String> {
    let member = |message: &&str| {
        let message: Value = serde_json::from_str(message).unwrap();
        message["member_id"].as_str().map(ToOwned::to_owned)
    };
    if function == "accrue-points" {
        return batches(function, messages, BATCH);
    }
    if function == "evaluate-tier" {
        let growth = |(number, member): (usize, String)| {
            let at = "2011-12-09T12:00:00Z";
            json!({
                "type": "growth.add", "member_id": member, "activity_id": number.to_string(),
                "growth": 10, "at": at,
            })
            .to_string()
        };
        let members = messages.iter().filter_map(member).take(INVOCATIONS);
        let reviews: Vec<String> = members.enumerate().map(growth).collect();
        let reviews: Vec<&str> = reviews.iter().map(String::as_str).collect();
        return batches(function, &reviews, 1);
    }
    if function == "expire-points" {
        let file = repository("functions/expire-points/tests/events/sqs.json");
        let sample: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        let page = |it: &[&str]| {
            let members: BTreeSet<String> = it.iter().filter_map(member).collect();
            let mut event = sample.clone();
            let work = json!({"type": "due.post", "day": "2012-07-01", "member_ids": members});
            event["Records"][0]["body"] = json!(work.to_string());
            event.to_string()
        };
        return messages.chunks(BATCH).map(page).collect();
    }
    if function == "issue-referral-reward" {
        let referral = |member: String| {
            json!({
                "source": "loyalty", "detail-type": "referral.qualified",
                "detail": {"member_id": member},
            })
            .to_string()
        };
        let members = messages.iter().filter_map(member);
        let referrals: Vec<String> = members.map(referral).collect();
        let referrals: Vec<&str> = referrals.iter().map(String::as_str).collect();
        return batches(function, &referrals, BATCH);
    }
    if function == "publish-events" {
        let file = repository("functions/publish-events/tests/events/stream.json");
        let sample: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        let record = |member: String| {
            let mut record = sample["Records"][0].clone();
            record["dynamodb"]["Keys"] =
                json!({"pk": {"S": format!("M#{member}")}, "sk": {"S": "A"}});
            record
        };
        let batch = |it: &[&str]| {
            let records: Vec<Value> = it.iter().filter_map(member).map(record).collect();
            json!({ "Records": records }).to_string()
        };
        return messages.chunks(BATCH).map(batch).collect();
    }
    let file = repository("functions/member-api/tests/events/member.json");
    let mut sample: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    if function == "enroll-members" {
        let path = "/v1/members/me/profile";
        sample["rawPath"] = json!(path);
        sample["requestContext"]["http"]["path"] = json!(path);
        for holder in ["", "/requestContext"] {
            sample.pointer_mut(holder).unwrap()["routeKey"] = json!(format!("GET {path}"));
        }
    }
    if let Some((method, route)) = match function {
        "redeem-points" => Some(("POST", "/v1/members/me/transfers")),
        "staff-api" => Some(("GET", "/v1/members/{id}/notes")),
        _ => None,
    } {
        let path = route.replace("{id}", "17850");
        sample["rawPath"] = json!(path);
        sample["rawQueryString"] = json!("");
        sample["requestContext"]["http"]["path"] = json!(path);
        sample["requestContext"]["http"]["method"] = json!(method);
        sample["headers"]["content-type"] = json!("application/json");
        sample["headers"]["idempotency-key"] = json!("1");
        sample["body"] = json!(json!({"to": "nobody", "points": 1}).to_string());
        for holder in ["", "/requestContext"] {
            sample.pointer_mut(holder).unwrap()["routeKey"] = json!(format!("{method} {route}"));
        }
        if function == "staff-api" {
            let claims = &mut sample["requestContext"]["authorizer"]["jwt"]["claims"];
            claims["scope"] = json!("loyalty/staff");
        }
    }
    let question = |member: String| {
        let mut event = sample.clone();
        event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] = json!(member);
        event.to_string()
    };
    messages.iter().filter_map(member).take(INVOCATIONS).map(question).collect()
}

/// `messages` as a queue hands them over, so many at a time.
fn batches(function: &str, messages: &[&str], size: usize) -> Vec<String> {
    let file = repository(&format!("functions/{function}/tests/events/sqs.json"));
    let sample: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let record = |(id, body): (usize, &&str)| {
        let mut record = sample["Records"][0].clone();
        record["messageId"] = json!(id.to_string());
        record["body"] = json!(body);
        record
    };
    let batch = |it: &[&str]| {
        let records: Vec<Value> = it.iter().enumerate().map(record).collect();
        json!({ "Records": records }).to_string()
    };
    messages.chunks(size).map(batch).collect()
}

/// Sees that `answer` to an event says that all went well.
fn check(function: &str, answer: &str) -> Result<(), String> {
    let answer: Value = serde_json::from_str(answer).map_err(|error| error.to_string())?;
    let is_right = match function {
        "accrue-points"
        | "evaluate-tier"
        | "expire-points"
        | "issue-referral-reward"
        | "publish-events" => answer["batchItemFailures"] == json!([]),
        "enroll-members" => answer["statusCode"] == 404,
        // A repeat of what was refused, which is read and not decided again.
        "redeem-points" => answer["statusCode"] == 409,
        _ => answer["statusCode"] == 200,
    };
    if is_right { Ok(()) } else { Err(format!("it answered {answer}")) }
}

/// The environment of a function: what the template gives it, and what Lambda sets.
struct Environment(Vec<(String, String)>);

impl Environment {
    fn of(function: &str, tables: &Tables, endpoint: &str) -> Self {
        let text = fs::read_to_string(repository("infra/template.yaml")).unwrap();
        let template = &Yaml::load_from_str(&text).unwrap()[0];
        let logical_id = match function {
            "accrue-points" => "AccruePointsFunction",
            "expire-points" => "ExpirePointsFunction",
            "publish-events" => "PublishEventsFunction",
            "enroll-members" => "EnrollMembersFunction",
            "evaluate-tier" => "EvaluateTierFunction",
            "issue-referral-reward" => "IssueReferralRewardFunction",
            "redeem-points" => "RedeemPointsFunction",
            "staff-api" => "StaffApiFunction",
            _ => "MemberApiFunction",
        };
        let mut all = Vec::new();
        for holder in
            [&template["Globals"]["Function"], &template["Resources"][logical_id]["Properties"]]
        {
            let variables = holder["Environment"]["Variables"].as_mapping().unwrap();
            for (name, value) in variables {
                let name = name.as_str().unwrap();
                let value = if let Yaml::Tagged(_, of) = value {
                    match of.as_str().unwrap() {
                        "LedgerTable" => tables.ledger.clone(),
                        "ProgramTable" => tables.program.clone(),
                        "UnhandledOrdersQueue" => format!("{endpoint}/unhandled-orders"),
                        "ExpiryWorkQueue" => format!("{endpoint}/expiry-work"),
                        "UnhandledExpiryWorkQueue" => format!("{endpoint}/unhandled-expiry-work"),
                        "EventBus" => "events".to_owned(),
                        "TierReviewsQueue" => format!("{endpoint}/tier-reviews"),
                        "UnhandledTierReviewsQueue" => format!("{endpoint}/unhandled-tier-reviews"),
                        "MembersTable" => "members".to_owned(),
                        "UnhandledReferralsQueue" => format!("{endpoint}/unhandled-referrals"),
                        "IdentitySecret.Id" => "identity".to_owned(),
                        "MemberClaim" => "sub".to_owned(),
                        "ReferralUrl" => String::new(),
                        of => panic!("nothing is known that {name} could be: {of}"),
                    }
                } else {
                    value.as_str().unwrap().to_owned()
                };
                all.push((name.to_owned(), value));
            }
        }
        let lambda = [
            // Of all these, a local AWS alone sets it.
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_SESSION_TOKEN", "test"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_DEFAULT_REGION", "eu-central-1"),
            ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
            ("AWS_LAMBDA_FUNCTION_NAME", function),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", function),
            ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "start"),
            ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
            ("LAMBDA_TASK_ROOT", "/var/task"),
            ("LANG", "en_US.UTF-8"),
            ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin"),
            ("TZ", ":UTC"),
            ("_HANDLER", "bootstrap"),
        ];
        all.extend(lambda.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Self(all)
    }
}

/// A function that runs; it ends when this is dropped.
struct Running {
    api: RuntimeApi,
    child: Child,
    started: Instant,
    output: PathBuf,
}

impl Running {
    fn start(function: &Function, environment: &Environment, folder: &Path) -> Self {
        let api = RuntimeApi::start();
        let output = folder.join(function.name);
        let file = File::create(&output).unwrap();
        let mut command = Command::new(binary(function));
        command
            .env_clear()
            .envs(environment.0.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", api.address.to_string())
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        let started = clock::instant();
        let child = command.spawn().unwrap();
        Self { api, child, started, output }
    }

    /// When it was ready for the next event.
    fn ready(&mut self) -> Instant {
        match self.said() {
            Said::Ready(at) => at,
            Said::Answered(_, answer) => self.fail(&format!("it answered twice, with {answer}")),
            Said::Failed(error) => self.fail(&format!("it failed with {error}")),
        }
    }

    /// When it had answered, and what.
    fn answer(&mut self, event: &str) -> (Instant, String) {
        self.api.events.send(event.to_owned()).unwrap();
        match self.said() {
            Said::Answered(at, answer) => (at, answer),
            Said::Ready(_) => self.fail("it asked for another event before it answered"),
            Said::Failed(error) => self.fail(&format!("it failed with {error}")),
        }
    }

    fn said(&mut self) -> Said {
        let until = clock::instant() + PATIENCE;
        loop {
            match self.api.said.recv_timeout(Duration::from_millis(100)) {
                Ok(said) => return said,
                Err(RecvTimeoutError::Disconnected) => self.fail("its API is gone"),
                Err(RecvTimeoutError::Timeout) => (),
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                self.fail(&format!("it ended: {status}"));
            }
            if clock::instant() > until {
                self.fail(&format!("it said nothing for {PATIENCE:?}"));
            }
        }
    }

    /// The most memory that it ever had, as the kernel has kept it, in MiB.
    fn peak_mib(&self) -> f64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let mark = text.lines().find_map(|it| it.strip_prefix("VmHWM:")).unwrap();
        let kib: u32 = mark.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        f64::from(kib) / 1_024.0
    }

    fn fail(&self, what: &str) -> ! {
        let output = fs::read_to_string(&self.output).unwrap();
        panic!("{}: {what}\nIts output:\n{output}", self.output.display());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn binary(function: &Function) -> PathBuf {
    target().join("function").join(function.name)
}

/// Prints the line of `function`, and says whether its zip is no larger than it may be.
fn measure(
    function: &Function,
    environment: &Environment,
    events: &[String],
    folder: &Path,
) -> bool {
    let bytes = fs::read(binary(function)).unwrap();
    let zip_bytes = zipped(&bytes);

    let mut starts = Vec::with_capacity(STARTS);
    let mut running = Running::start(function, environment, folder);
    starts.push(running.ready() - running.started);
    while starts.len() < STARTS {
        running = Running::start(function, environment, folder);
        starts.push(running.ready() - running.started);
    }

    let peak_at_start = running.peak_mib();
    let mut invocations = Vec::with_capacity(events.len());
    for event in events {
        let handed_over = clock::instant();
        let (at, answer) = running.answer(event);
        invocations.push(at - handed_over);
        if let Err(what) = check(function.name, &answer) {
            running.fail(&what);
        }
        running.ready();
    }

    let [start, fastest, slowest] = spread(&mut starts);
    let [invocation, ..] = spread(&mut invocations);
    println!(
        "{:<21} {:>10.2}   {:>6.3} ({:.3})   {:>6.1} ({:.1} to {:.1}) {:>26.1} {:>13.1} {:>16.2}",
        function.name,
        megabytes(bytes.len()),
        megabytes(zip_bytes),
        megabytes(function.zip_bytes_max),
        start,
        fastest,
        slowest,
        peak_at_start,
        running.peak_mib(),
        invocation,
    );
    if zip_bytes > function.zip_bytes_max {
        println!("{}: its zip is larger than it may be", function.name);
    }
    zip_bytes <= function.zip_bytes_max
}

/// The median, the least and the most, in milliseconds.
fn spread(times: &mut [Duration]) -> [f64; 3] {
    times.sort_unstable();
    [times[times.len() / 2], times[0], times[times.len() - 1]].map(|it| it.as_secs_f64() * 1e3)
}

/// How many bytes `bytes` have in a zip: deflated as well as can be.
fn zipped(bytes: &[u8]) -> usize {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().len()
}

fn megabytes(bytes: usize) -> f64 {
    f64::from(u32::try_from(bytes).unwrap()) / 1e6
}
