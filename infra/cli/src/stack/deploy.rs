//! Deploying: the functions are built once, and SAM deploys the very template.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
};

use loyalty_runtime::settings::environment;
use serde::{Deserialize, Serialize};

use super::{
    StackError, Steps, file, issuer, local, publish, root, run, show,
    target::{Access, Stack},
    tools, without_cargos_own,
};
use crate::program;

/// The functions, as `ls functions` has them.
pub(crate) const FUNCTIONS: [&str; 9] = [
    "accrue-points",
    "enroll-members",
    "evaluate-tier",
    "expire-points",
    "issue-referral-reward",
    "member-api",
    "publish-events",
    "redeem-points",
    "staff-api",
];

/// Builds the functions, deploys the template to your AWS account, and publishes a program.
///
/// Run again, it updates the stack: with nothing changed, it changes nothing. What it would change is
/// shown first, and asked for unless `--yes` is given.
#[derive(clap::Args, Debug)]
pub(crate) struct Deploy {
    /// What the stack is called in the account.
    #[arg(long, value_name = "NAME", default_value = "loyalty")]
    stack: String,
    /// What it is for; infra/parameters says what that means. Production protects its tables.
    #[arg(long, value_name = "STAGE", value_enum)]
    stage: Stage,
    /// Who signs your members' tokens, as their `iss` names it: the address of an `OpenID` configuration.
    #[arg(long, value_name = "URL", value_parser = issuer_url)]
    issuer: String,
    /// Whom the tokens are meant for, as their `aud` or `client_id` names it; several by comma.
    #[arg(long, value_name = "NAMES", value_parser = audience)]
    audience: String,
    /// The program to publish at the end, such as infra/programs/standard.toml.
    #[arg(long, value_name = "TOML")]
    program: Option<PathBuf>,
    /// A parameter of the template, such as ShopBusName=orders; several are allowed.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    parameter: Vec<String>,
    /// The processor.
    #[arg(long, value_name = "ARCHITECTURE", value_enum, default_value_t = Architecture::Arm64)]
    architecture: Architecture,
    /// The region. Without it: the one of the profile or of the environment.
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// The profile of AWS's own tools that may deploy. Without it: the default one, or the environment.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Takes the functions that were built before, from target/lambda.
    #[arg(long)]
    no_build: bool,
    /// Deploys without asking.
    #[arg(long)]
    yes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Stage {
    /// To try things on: its tables may be deleted.
    Development,
    /// Real points: its tables are protected, and can be recovered to a point in time.
    Production,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Architecture {
    /// Graviton: a fifth cheaper.
    Arm64,
    /// Intel and AMD.
    #[value(name = "x86_64")]
    X86_64,
}

impl Architecture {
    const fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }
}

impl Stage {
    const fn name(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }
}

fn issuer_url(text: &str) -> Result<String, String> {
    let is_url = text.starts_with("https://") || text.starts_with("http://127.0.0.1");
    if is_url && is_one_word(text) {
        Ok(text.to_owned())
    } else {
        Err("write the address that is the `iss` of your tokens, such as https://id.example.com/"
            .into())
    }
}

fn audience(text: &str) -> Result<String, String> {
    if is_one_word(text) {
        Ok(text.to_owned())
    } else {
        Err("write the names with commas between them, without spaces or quotes".to_owned())
    }
}

/// Whether SAM takes it for one: at a space it cuts, without a word.
fn is_one_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(|it: char| it.is_whitespace() || "'\"".contains(it))
}

fn parameter(text: &str) -> Result<String, String> {
    let is_name = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_alphanumeric());
    match text.split_once('=') {
        Some((name, _)) if OWN_FLAGS.contains(&name) => {
            Err(format!("{name} has a flag of its own"))
        }
        Some((name, value)) if is_name(name) && is_one_word(value) => Ok(text.to_owned()),
        _ => {
            Err("write NAME=VALUE, such as ShopBusName=orders, without spaces or quotes".to_owned())
        }
    }
}

/// Parameters of the template that have flags.
const OWN_FLAGS: [&str; 4] = ["Stage", "Issuer", "Audience", "Architecture"];

impl Deploy {
    /// Does it.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), StackError> {
        let root = root();
        let program = self.program.as_deref().map(program::load).transpose()?;
        let architecture = self.architecture.name();
        let mut steps = Steps(out);
        steps.begin("tools: SAM, cargo-lambda and its cross compiler, into target/tools")?;
        tools::install(&root, tools::SAM)?;
        if !self.no_build {
            tools::install(&root, tools::CARGO_LAMBDA)?;
            let what =
                format!("functions: built once for {architecture}, which takes some minutes");
            steps.begin(&what)?;
            cross_build(&root, self.architecture)?;
        }
        steps.begin("template: deployed by SAM")?;
        let access = Access::Account { region: self.region.clone(), profile: self.profile.clone() };
        for name in FUNCTIONS {
            check_binary(
                &root.join("target/lambda").join(name).join("bootstrap"),
                self.architecture,
            )?;
        }
        if !self.yes {
            // SAM asks as well, but says by the same exit code that it was told no.
            let mut sam = self.sam(&root, &access);
            show("finding out what would change", sam.arg("--no-execute-changeset"))?;
            confirm(steps.0, &self.stack)?;
        }
        show("deploying the template", &mut self.sam(&root, &access))?;
        let stack = Stack::in_account(&self.stack, &access)?;
        if let Some(program) = &program {
            steps.begin("program: published")?;
            publish(&stack, program)?;
        }
        let programs = stack.programs()?;
        let out = steps.0;
        let name = &self.stack;
        let flags = stack.flags();
        let outputs = &stack.outputs;
        let write = |out: &mut dyn Write| {
            writeln!(out, "\nThe stack {name} stands.\n")?;
            writeln!(out, "API           {}", outputs.api_url)?;
            writeln!(out, "orders queue  {}", outputs.orders_queue_url)?;
            writeln!(out, "event bus     {}\n", outputs.event_bus_name)?;
            if programs.is_empty() {
                writeln!(out, "Orders wait until there is a program:")?;
                writeln!(out, "  cargo loyalty program publish PROGRAM{flags}")?;
            }
            writeln!(out, "Members of another system:  cargo loyalty opening-balances --help")?;
            writeln!(out, "Your history:               cargo loyalty import --help")?;
            writeln!(out, "What waits:                 cargo loyalty status{flags}")
        };
        write(out).map_err(StackError::Output)
    }

    /// `sam deploy`, as it was asked for.
    fn sam(&self, root: &Path, access: &Access) -> Command {
        let mut sam = sam_deploy(root, access, &self.stack, self.stage.name());
        sam.arg(format!("Architecture={}", self.architecture.name()))
            .arg(format!("Issuer={}", self.issuer))
            .arg(format!("Audience={}", self.audience))
            .args(&self.parameter)
            .arg("--no-confirm-changeset");
        sam
    }
}

/// Asks whether what was shown is to be done.
fn confirm(out: &mut dyn Write, stack: &str) -> Result<(), StackError> {
    write!(out, "\nDeploy this to the stack {stack}? Type yes: ")
        .and_then(|()| out.flush())
        .map_err(StackError::Output)?;
    let mut answer = String::new();
    // Nobody there says nothing.
    io::stdin().read_line(&mut answer).map_err(StackError::Output)?;
    if answer.trim() == "yes" { Ok(()) } else { Err(StackError::NotConfirmed) }
}

/// The newest C library that Lambda has: Amazon Linux 2023's.
const GLIBC_MINOR_MAX: u32 = 34;

/// Sees that a function was built for the processor and the C library that it will find. Nothing else would
/// say so before the first order.
fn check_binary(path: &Path, architecture: Architecture) -> Result<(), StackError> {
    let bytes = fs::read(path).map_err(file(path))?;
    let wrong = |what: String| StackError::WrongBinary { path: path.to_owned(), what };
    // The field `e_machine` of the ELF header.
    let is_built_for = match bytes.get(18..20) {
        Some([0x3e, 0]) => Some(Architecture::X86_64),
        Some([0xb7, 0]) => Some(Architecture::Arm64),
        _ => None,
    };
    if is_built_for != Some(architecture) {
        return Err(wrong(format!("is not built for {}", architecture.name())));
    }
    let newest = memchr::memmem::find_iter(&bytes, b"GLIBC_2.").filter_map(|it| {
        let digits = bytes.get(it.saturating_add(8)..)?.split(|it| !it.is_ascii_digit()).next()?;
        str::from_utf8(digits).ok()?.parse::<u32>().ok()
    });
    match newest.max() {
        Some(minor) if minor > GLIBC_MINOR_MAX => {
            Err(wrong(format!("needs glibc 2.{minor}, and Lambda has 2.{GLIBC_MINOR_MAX}")))
        }
        _ => Ok(()),
    }
}

/// Builds the functions for `architecture` on whatever machine this is, against the C library of Lambda's.
fn cross_build(root: &Path, architecture: Architecture) -> Result<(), StackError> {
    let mut cargo = Command::new(tools::CARGO_LAMBDA.program(root));
    // Where it finds its compiler of C.
    cargo.current_dir(root).env("PYTHONPATH", tools::CARGO_LAMBDA.folder(root));
    cargo.args(["lambda", "build", "--locked", "--profile", "function"]);
    cargo.args(["--lambda-dir", "target/lambda"]);
    cargo.arg(match architecture {
        Architecture::Arm64 => "--arm64",
        Architecture::X86_64 => "--x86-64",
    });
    for name in FUNCTIONS {
        cargo.args(["--package", &format!("loyalty-{name}")]);
    }
    without_cargos_own(&mut cargo);
    show("building the functions", &mut cargo)
}

/// What the template says about what it made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outputs {
    pub(crate) api_id: String,
    pub(crate) api_url: String,
    pub(crate) orders_queue_url: String,
    pub(crate) unhandled_orders_queue_url: String,
    /// Where the shop's event bus, if there is one, leaves what it could not deliver.
    pub(crate) undelivered_order_events_queue_url: Option<String>,
    pub(crate) expiry_work_queue_url: String,
    pub(crate) unhandled_expiry_work_queue_url: String,
    pub(crate) tier_reviews_queue_url: String,
    pub(crate) unhandled_tier_reviews_queue_url: String,
    pub(crate) referrals_queue_url: String,
    pub(crate) unhandled_referrals_queue_url: String,
    /// Where our own event bus leaves what it could not deliver.
    pub(crate) undelivered_referral_events_queue_url: String,
    pub(crate) event_bus_name: String,
    pub(crate) ledger_table_name: String,
    pub(crate) program_table_name: String,
    pub(crate) members_table_name: String,
}

impl Outputs {
    /// The queues of what could not be handled or delivered.
    pub(crate) fn dead_letters(&self) -> impl Iterator<Item = &str> {
        let undelivered = self.undelivered_order_events_queue_url.as_deref();
        [
            Some(self.unhandled_orders_queue_url.as_str()),
            undelivered,
            Some(self.unhandled_expiry_work_queue_url.as_str()),
            Some(self.unhandled_tier_reviews_queue_url.as_str()),
            Some(self.unhandled_referrals_queue_url.as_str()),
            Some(self.undelivered_referral_events_queue_url.as_str()),
        ]
        .into_iter()
        .flatten()
    }

    /// The queue that what lies in the `dead_letters` was meant for.
    pub(crate) fn queue_of(&self, dead_letters: &str) -> &str {
        if dead_letters == self.unhandled_expiry_work_queue_url {
            &self.expiry_work_queue_url
        } else if dead_letters == self.unhandled_tier_reviews_queue_url {
            &self.tier_reviews_queue_url
        } else if dead_letters == self.unhandled_referrals_queue_url
            || dead_letters == self.undelivered_referral_events_queue_url
        {
            &self.referrals_queue_url
        } else {
            &self.orders_queue_url
        }
    }

    /// The API's address on the local AWS.
    pub(crate) fn local_api(&self, endpoint: &str) -> String {
        format!("{endpoint}/_aws/execute-api/{}/%24default", self.api_id)
    }
}

/// Builds the functions, each into the folder that the template names.
pub(crate) fn build(root: &Path) -> Result<(), StackError> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--profile", "function", "--locked"]).current_dir(root);
    for name in FUNCTIONS {
        cargo.args(["--package", &format!("loyalty-{name}")]);
    }
    without_cargos_own(&mut cargo);
    run("building the functions", &mut cargo)?;
    for name in FUNCTIONS {
        let folder = root.join("target/lambda").join(name);
        fs::create_dir_all(&folder).map_err(file(&folder))?;
        let binary = root.join("target/function").join(name);
        fs::copy(&binary, folder.join("bootstrap")).map_err(file(&binary))?;
    }
    Ok(())
}

/// An output as SAM lists it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    output_key: String,
    output_value: String,
}

/// Deploys the template to the local AWS.
pub(crate) fn deploy(root: &Path, access: &Access, issuer: &str) -> Result<Outputs, StackError> {
    let mut sam = sam_deploy(root, access, LOCAL, Stage::Development.name());
    sam.args(["Architecture=x86_64", &format!("Issuer={issuer}")])
        .arg(format!("Audience={}", issuer::AUDIENCE))
        .args(["--no-confirm-changeset", "--no-progressbar"]);
    run("deploying the template", &mut sam)?;
    outputs(root, LOCAL, access)
}

/// What the stack is called on the local AWS.
const LOCAL: &str = "loyalty";

/// `sam deploy` of the template, up to its parameters.
fn sam_deploy(root: &Path, access: &Access, stack: &str, stage: &str) -> Command {
    let mut sam = sam(root, access);
    sam.args(["deploy", "--template-file", "infra/template.yaml", "--stack-name", stack])
        .args(["--resolve-s3", "--capabilities", "CAPABILITY_IAM"])
        .args(["--no-fail-on-empty-changeset", "--parameter-overrides"])
        .arg(format!("file://infra/parameters/{stage}.toml"));
    sam
}

/// What the template says about the stack called `name`.
pub(crate) fn outputs(root: &Path, name: &str, access: &Access) -> Result<Outputs, StackError> {
    let mut sam = sam(root, access);
    sam.args(["list", "stack-outputs", "--stack-name", name, "--output", "json"]);
    let listed = run("listing the stack's outputs", &mut sam)?;
    let listed: Vec<Output> = serde_json::from_slice(&listed).map_err(StackError::Outputs)?;
    let find = |name: &str| {
        let output = listed.iter().find(|it| it.output_key == name);
        output.map(|it| it.output_value.clone())
    };
    let output = |name: &'static str| find(name).ok_or(StackError::NoOutput(name));
    Ok(Outputs {
        api_id: output("ApiId")?,
        api_url: output("ApiUrl")?,
        orders_queue_url: output("OrdersQueueUrl")?,
        unhandled_orders_queue_url: output("UnhandledOrdersQueueUrl")?,
        undelivered_order_events_queue_url: find("UndeliveredOrderEventsQueueUrl"),
        expiry_work_queue_url: output("ExpiryWorkQueueUrl")?,
        unhandled_expiry_work_queue_url: output("UnhandledExpiryWorkQueueUrl")?,
        tier_reviews_queue_url: output("TierReviewsQueueUrl")?,
        unhandled_tier_reviews_queue_url: output("UnhandledTierReviewsQueueUrl")?,
        referrals_queue_url: output("ReferralsQueueUrl")?,
        unhandled_referrals_queue_url: output("UnhandledReferralsQueueUrl")?,
        undelivered_referral_events_queue_url: output("UndeliveredReferralEventsQueueUrl")?,
        event_bus_name: output("EventBusName")?,
        ledger_table_name: output("LedgerTableName")?,
        program_table_name: output("ProgramTableName")?,
        members_table_name: output("MembersTableName")?,
    })
}

/// SAM. On the local AWS it sees nothing of the user's own.
fn sam(root: &Path, access: &Access) -> Command {
    let mut sam = Command::new(tools::SAM.program(root));
    sam.current_dir(root).env("PYTHONPATH", tools::SAM.folder(root)).env("SAM_CLI_TELEMETRY", "0");
    match access {
        Access::Local { endpoint } => {
            sam.env("AWS_ENDPOINT_URL", endpoint)
                .env("AWS_ACCESS_KEY_ID", "test")
                .env("AWS_SECRET_ACCESS_KEY", "test")
                .env("AWS_REGION", local::REGION)
                .env("AWS_DEFAULT_REGION", local::REGION)
                .env_remove("AWS_PROFILE")
                .env_remove("AWS_SESSION_TOKEN");
        }
        Access::Account { region, profile } => {
            // SAM does not know the newer name of the two.
            if let Some(region) = region.clone().or_else(|| environment("AWS_REGION")) {
                sam.env("AWS_REGION", &region).env("AWS_DEFAULT_REGION", region);
            }
            if let Some(profile) = profile {
                // Keys in the environment would go before a profile that is only named.
                sam.env("AWS_PROFILE", profile)
                    .env_remove("AWS_ACCESS_KEY_ID")
                    .env_remove("AWS_SECRET_ACCESS_KEY")
                    .env_remove("AWS_SESSION_TOKEN");
            }
        }
    }
    sam
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::*;

    #[test]
    fn what_lies_in_any_dead_letters_is_sent_again_to_where_it_was_meant_for() {
        let names = [
            "api_id",
            "api_url",
            "orders_queue_url",
            "unhandled_orders_queue_url",
            "undelivered_order_events_queue_url",
            "expiry_work_queue_url",
            "unhandled_expiry_work_queue_url",
            "tier_reviews_queue_url",
            "unhandled_tier_reviews_queue_url",
            "referrals_queue_url",
            "unhandled_referrals_queue_url",
            "undelivered_referral_events_queue_url",
            "event_bus_name",
            "ledger_table_name",
            "program_table_name",
            "members_table_name",
        ];
        let outputs: Map<_, _> =
            names.iter().map(|it| ((*it).to_owned(), Value::from(*it))).collect();
        let outputs: Outputs = serde_json::from_value(Value::Object(outputs)).unwrap();

        let found: Vec<_> = outputs.dead_letters().map(|it| (it, outputs.queue_of(it))).collect();

        let expected = [
            ("unhandled_orders_queue_url", "orders_queue_url"),
            ("undelivered_order_events_queue_url", "orders_queue_url"),
            ("unhandled_expiry_work_queue_url", "expiry_work_queue_url"),
            ("unhandled_tier_reviews_queue_url", "tier_reviews_queue_url"),
            ("unhandled_referrals_queue_url", "referrals_queue_url"),
            ("undelivered_referral_events_queue_url", "referrals_queue_url"),
        ];
        assert_eq!(found, expected);
    }
}
