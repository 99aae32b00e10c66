//! Deploying: the functions are built once, and SAM deploys the very template.

use std::{fs, path::Path, process::Command};

use serde::{Deserialize, Serialize};

use super::{StackError, file, issuer, local, run, tools};

/// The functions, as `ls functions` has them.
pub(crate) const FUNCTIONS: [&str; 2] = ["accrue-points", "member-api"];

/// What the template says about what it made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outputs {
    pub(crate) api_id: String,
    pub(crate) orders_queue_url: String,
    pub(crate) unhandled_orders_queue_url: String,
    pub(crate) ledger_table_name: String,
    pub(crate) program_table_name: String,
}

impl Outputs {
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
pub(crate) fn deploy(root: &Path, endpoint: &str, issuer: &str) -> Result<Outputs, StackError> {
    let mut sam = sam(root, endpoint);
    sam.args(["deploy", "--template-file", "infra/template.yaml", "--stack-name", "loyalty"])
        .args(["--resolve-s3", "--capabilities", "CAPABILITY_IAM"])
        .args(["--no-confirm-changeset", "--no-progressbar", "--no-fail-on-empty-changeset"])
        .args(["--parameter-overrides", "file://infra/parameters/development.toml"])
        .args(["Architecture=x86_64", &format!("Issuer={issuer}")])
        .arg(format!("Audience={}", issuer::AUDIENCE));
    run("deploying the template", &mut sam)?;
    let mut sam = self::sam(root, endpoint);
    sam.args(["list", "stack-outputs", "--stack-name", "loyalty", "--output", "json"]);
    let listed = run("listing the stack's outputs", &mut sam)?;
    let listed: Vec<Output> = serde_json::from_slice(&listed).map_err(StackError::Outputs)?;
    let output = |name: &'static str| {
        let output = listed.iter().find(|it| it.output_key == name);
        output.map(|it| it.output_value.clone()).ok_or(StackError::NoOutput(name))
    };
    Ok(Outputs {
        api_id: output("ApiId")?,
        orders_queue_url: output("OrdersQueueUrl")?,
        unhandled_orders_queue_url: output("UnhandledOrdersQueueUrl")?,
        ledger_table_name: output("LedgerTableName")?,
        program_table_name: output("ProgramTableName")?,
    })
}

/// SAM, pointed at the local AWS and at nothing of the user's own.
fn sam(root: &Path, endpoint: &str) -> Command {
    let mut sam = Command::new(tools::SAM.program(root));
    sam.current_dir(root)
        .env("PYTHONPATH", tools::SAM.folder(root))
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", local::REGION)
        .env("AWS_DEFAULT_REGION", local::REGION)
        .env("SAM_CLI_TELEMETRY", "0")
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN");
    sam
}
