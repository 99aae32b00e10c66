//! Deploying: the functions are built once, and SAM deploys the very template.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use loyalty_runtime::settings::environment;
use serde::{Deserialize, Serialize};

use super::{
    StackError, Steps, file, issuer, local, publish, root, run, show,
    target::{Access, Stack},
    tools,
};
use crate::program;

/// The functions, as `ls functions` has them.
pub(crate) const FUNCTIONS: [&str; 2] = ["accrue-points", "member-api"];

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
    #[arg(long, value_name = "NAMES")]
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
    if is_url && !text.contains([' ', '\'', '"']) {
        Ok(text.to_owned())
    } else {
        Err("write the address that is the `iss` of your tokens, such as https://id.example.com/"
            .into())
    }
}

fn parameter(text: &str) -> Result<String, String> {
    let is_name = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_alphanumeric());
    match text.split_once('=') {
        Some((name, _)) if OWN_FLAGS.contains(&name) => {
            Err(format!("{name} has a flag of its own"))
        }
        Some((name, value)) if is_name(name) && !value.contains(['\'', '"']) => Ok(text.to_owned()),
        _ => Err("write NAME=VALUE, such as ShopBusName=orders".to_owned()),
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
        let stage = self.stage.name();
        let mut sam = sam_deploy(&root, &access, &self.stack, stage);
        sam.args([
            &format!("Architecture={architecture}"),
            &format!("Issuer={}", self.issuer),
            &format!("Audience={}", self.audience),
        ]);
        sam.args(&self.parameter);
        sam.arg(if self.yes { "--no-confirm-changeset" } else { "--confirm-changeset" });
        show("deploying the template", &mut sam)?;
        let stack = Stack::in_account(&self.stack, &access)?;
        if let Some(program) = &program {
            steps.begin("program: published")?;
            publish(&stack, program)?;
        }
        let programs = stack.programs()?;
        let out = steps.0;
        let name = &self.stack;
        let outputs = &stack.outputs;
        let write = |out: &mut dyn Write| {
            writeln!(out, "\nThe stack {name} stands.\n")?;
            writeln!(out, "API           {}", outputs.api_url)?;
            writeln!(out, "orders queue  {}\n", outputs.orders_queue_url)?;
            if programs.is_empty() {
                writeln!(out, "Orders wait until there is a program:")?;
                writeln!(out, "  cargo loyalty program publish PROGRAM --stack {name}")?;
            }
            writeln!(out, "Members of another system:  cargo loyalty opening-balances --help")?;
            writeln!(out, "Your history:               cargo loyalty import --help")?;
            writeln!(out, "What waits:                 cargo loyalty status --stack {name}")
        };
        write(out).map_err(StackError::Output)
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
    pub(crate) ledger_table_name: String,
    pub(crate) program_table_name: String,
}

impl Outputs {
    /// The queues of what could not be handled or delivered.
    pub(crate) fn dead_letters(&self) -> impl Iterator<Item = &str> {
        let undelivered = self.undelivered_order_events_queue_url.as_deref();
        [Some(self.unhandled_orders_queue_url.as_str()), undelivered].into_iter().flatten()
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
        ledger_table_name: output("LedgerTableName")?,
        program_table_name: output("ProgramTableName")?,
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
                sam.env("AWS_PROFILE", profile);
            }
        }
    }
    sam
}
