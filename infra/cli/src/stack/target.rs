//! Which stack a command is about: the one on this machine, or one in an account.

use std::{
    fs,
    future::Future,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use aws_config::{
    BehaviorVersion, profile::ProfileFileCredentialsProvider, provider_config::ProviderConfig,
};
use aws_sdk_sqs::config::SharedHttpClient;
use aws_smithy_http_client::{
    Builder, Connector,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use loyalty_domain::program::Program;
use loyalty_dynamodb::{DynamoDbLedger, Tables};
use loyalty_ledger::program::Programs as _;
use loyalty_runtime::{aws::Aws, publish::EventBridgeBus};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use super::{
    StackError,
    deploy::{self, Outputs},
    file, local, root, tools,
};

/// How long one call of DynamoDB or SQS may take, from wherever this runs.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// The folder of what runs here, unless another is named.
const STANDARD_FOLDER: &str = "target/local";

/// Where what runs here is remembered.
#[derive(clap::Args, Debug)]
pub(crate) struct Place {
    /// The folder of what runs here; two of them run side by side.
    #[arg(long, value_name = "FOLDER", default_value = STANDARD_FOLDER, global = true)]
    pub(crate) folder: PathBuf,
}

/// Which stack.
#[derive(clap::Args, Debug)]
pub(crate) struct Target {
    #[command(flatten)]
    account: Account,
    #[command(flatten)]
    place: Place,
}

/// A stack in an account.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Account {
    /// A stack in your AWS account. Without it: the one that `up` started here.
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
    /// The region of the account. Without it: the one of the profile or of the environment.
    #[arg(long, value_name = "REGION", requires = "stack")]
    region: Option<String>,
    /// The profile of AWS's own tools that may use the account. Without it: the default one, or the
    /// environment.
    #[arg(long, value_name = "NAME", requires = "stack")]
    profile: Option<String>,
}

/// Who is asked, and as whom.
#[derive(Clone, Debug)]
pub(crate) enum Access {
    /// The local AWS.
    Local {
        /// Where it answers.
        endpoint: String,
    },
    /// An account, as AWS's own tools would find it.
    Account {
        /// The region, unless it is to be found.
        region: Option<String>,
        /// The profile, unless it is to be found.
        profile: Option<String>,
    },
}

/// What runs here, as it is remembered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Running {
    pub(crate) pid: u32,
    pub(crate) endpoint: String,
    /// The key of the local issuer, as PKCS #8 in base64. It signs for this run alone.
    pub(crate) issuer_key: String,
    #[serde(default)]
    pub(crate) outputs: Option<Outputs>,
}

/// A stack that was found.
pub(crate) struct Stack {
    /// What it is called in reports.
    pub(crate) title: String,
    pub(crate) outputs: Outputs,
    /// Where the API answers, if not where the template says.
    local_api: Option<String>,
    /// The flags that name it to another command.
    flags: String,
    ledger: DynamoDbLedger,
    sqs: aws_sdk_sqs::Client,
    bus: EventBridgeBus,
    runtime: Runtime,
}

impl Target {
    /// Finds it.
    ///
    /// # Errors
    ///
    /// [`StackError`]: nothing runs here, or the account has no such stack.
    pub(crate) fn find(&self) -> Result<Stack, StackError> {
        let Some(name) = &self.account.stack else {
            let running = self.place.running()?;
            let outputs = running.outputs.ok_or(StackError::NothingRuns)?;
            let is_standard = self.place.folder == Path::new(STANDARD_FOLDER);
            let folder = (!is_standard).then_some(self.place.folder.as_path());
            return Stack::local(&running.endpoint, outputs, folder);
        };
        let Account { region, profile, .. } = self.account.clone();
        tools::install(&root(), tools::SAM)?;
        Stack::in_account(name, &Access::Account { region, profile })
    }
}

impl Stack {
    /// The one that runs here.
    pub(crate) fn local(
        endpoint: &str,
        outputs: Outputs,
        folder: Option<&Path>,
    ) -> Result<Self, StackError> {
        let title = "the stack on this machine".to_owned();
        let local_api = Some(outputs.local_api(endpoint));
        let flags = match folder {
            Some(folder) => format!(" --folder {}", folder.display()),
            None => String::new(),
        };
        Ok(Self::new(title, outputs, local_api, flags, &local::aws(endpoint)?, runtime()?))
    }

    /// The one called `name` in an account.
    pub(crate) fn in_account(name: &str, access: &Access) -> Result<Self, StackError> {
        let outputs = deploy::outputs(&root(), name, access)?;
        let runtime = runtime()?;
        let aws = runtime.block_on(access.aws())?;
        let title = format!("the stack {name}");
        let mut flags = format!(" --stack {name}");
        if let Access::Account { region, profile } = access {
            for (flag, value) in [("region", region), ("profile", profile)] {
                if let Some(value) = value {
                    flags.push_str(&format!(" --{flag} {value}"));
                }
            }
        }
        Ok(Self::new(title, outputs, None, flags, &aws, runtime))
    }

    fn new(
        title: String,
        outputs: Outputs,
        local_api: Option<String>,
        flags: String,
        aws: &Aws,
        runtime: Runtime,
    ) -> Self {
        let tables = Tables {
            ledger: outputs.ledger_table_name.clone(),
            program: outputs.program_table_name.clone(),
        };
        // One each, since each looks for credentials once.
        let ledger = DynamoDbLedger::new(aws.dynamodb(CALL_TIMEOUT), tables);
        let sqs = aws.sqs(CALL_TIMEOUT);
        let events = aws.eventbridge(CALL_TIMEOUT);
        let bus = EventBridgeBus::new(events, outputs.event_bus_name.clone());
        Self { title, outputs, local_api, flags, ledger, sqs, bus, runtime }
    }

    /// The flags that name it to another command, each with a space before it.
    pub(crate) fn flags(&self) -> &str {
        &self.flags
    }

    /// Where the API answers.
    pub(crate) fn api(&self) -> &str {
        self.local_api.as_deref().unwrap_or(&self.outputs.api_url)
    }

    /// Waits for what the SDK does.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Its ledger and its programs.
    pub(crate) const fn ledger(&self) -> &DynamoDbLedger {
        &self.ledger
    }

    /// All versions of its program.
    pub(crate) fn programs(&self) -> Result<Arc<[Program]>, StackError> {
        self.wait(self.ledger.programs()).map_err(StackError::NotRead)
    }

    /// Where the shop is told.
    pub(crate) const fn bus(&self) -> &EventBridgeBus {
        &self.bus
    }

    /// A client of its queues.
    pub(crate) const fn sqs(&self) -> &aws_sdk_sqs::Client {
        &self.sqs
    }
}

impl Access {
    async fn aws(&self) -> Result<Aws, StackError> {
        let (region, profile) = match self {
            Self::Local { endpoint } => return local::aws(endpoint),
            Self::Account { region, profile } => (region, profile),
        };
        let http_client = http_client();
        let mut config = aws_config::defaults(BehaviorVersion::v2026_01_12());
        if let Some(region) = region {
            config = config.region(aws_config::Region::new(region.clone()));
        }
        if let Some(profile) = profile {
            // Keys in the environment would go before a profile that is only named.
            let provider = ProfileFileCredentialsProvider::builder().profile_name(profile);
            let provider = provider
                .configure(&ProviderConfig::default().with_http_client(http_client.clone()));
            config = config.profile_name(profile).credentials_provider(provider.build());
        }
        let config = config.http_client(http_client.clone()).load().await;
        let region = config.region().cloned().ok_or(StackError::NoRegion)?;
        let credentials = config.credentials_provider().ok_or(StackError::NoCredentials)?;
        let endpoint_url = config.endpoint_url().map(ToOwned::to_owned);
        Ok(Aws::new(region, credentials, endpoint_url, http_client))
    }
}

/// What calls travel by from wherever this runs: a function needs no proxy, and is near.
fn http_client() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = Connector::builder();
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector
            .proxy_config(ProxyConfig::from_env())
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build()
    })
}

fn runtime() -> Result<Runtime, StackError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(StackError::NoRuntime)
}

impl Place {
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("local-aws.log")
    }

    fn state(&self) -> PathBuf {
        self.folder.join("running.json")
    }

    pub(crate) fn read(&self) -> Result<Option<Running>, StackError> {
        let path = self.state();
        match fs::read(&path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(file(&path)(error)),
        }
    }

    /// What runs here and answers.
    pub(crate) fn running(&self) -> Result<Running, StackError> {
        let running = self.read()?.ok_or(StackError::NothingRuns)?;
        if local::is_up(&running.endpoint) { Ok(running) } else { Err(StackError::NothingRuns) }
    }

    pub(crate) fn write(&self, running: &Running) -> Result<(), StackError> {
        let path = self.state();
        let text = serde_json::to_vec_pretty(running).map_err(io::Error::from);
        text.and_then(|it| fs::write(&path, it)).map_err(file(&path))
    }

    /// Stops what runs, and removes its folder.
    pub(crate) fn forget(&self, running: &Running) -> Result<(), StackError> {
        local::stop(running.pid, &running.endpoint);
        remove(&self.folder)
    }
}

fn remove(folder: &Path) -> Result<(), StackError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file(folder)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
