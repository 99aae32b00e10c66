//! Clients of AWS, made by hand from what Lambda puts into the environment.
//!
//! `aws-config` would look for credentials in ten places; a function has them in one, for as long as it
//! lives, and is a third smaller without it (docs/decisions/0006-runtime.md).

use std::time::Duration;

use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, Region, SharedCredentialsProvider, SharedHttpClient,
    retry::RetryConfig, timeout::TimeoutConfig,
};
#[cfg(any(feature = "events", feature = "sqs"))]
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
#[cfg(any(feature = "events", feature = "sqs"))]
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::{
    http,
    settings::{SettingError, text},
};

/// How often one call is sent at most. Every write of ours may be sent again.
const ATTEMPTS_MAX: u32 = 3;
/// The first pause between them; the SDK's own is a second.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
/// Lambda's image has them where they are looked for.
const NO_CERTIFICATES: SettingError = SettingError::Invalid {
    name: "SSL_CERT_FILE",
    expected: "a file of certificates of authorities",
};

/// Who we are to AWS, and where it is.
#[derive(Clone, Debug)]
pub struct Aws {
    region: Region,
    credentials: SharedCredentialsProvider,
    endpoint_url: Option<String>,
    http_client: SharedHttpClient,
}

impl Aws {
    /// Reads what Lambda sets through `lookup`. `AWS_ENDPOINT_URL` is set by a local AWS alone.
    ///
    /// # Errors
    ///
    /// [`SettingError::Missing`]: this is no Lambda function. [`SettingError::Invalid`]: the system has no
    /// certificates of authorities.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingError> {
        let credentials = Credentials::new(
            text(&lookup, "AWS_ACCESS_KEY_ID")?,
            text(&lookup, "AWS_SECRET_ACCESS_KEY")?,
            lookup("AWS_SESSION_TOKEN").filter(|it| !it.is_empty()),
            None,
            "environment",
        );
        Ok(Self::new(
            Region::new(text(&lookup, "AWS_REGION")?),
            SharedCredentialsProvider::new(credentials),
            lookup("AWS_ENDPOINT_URL").filter(|it| !it.is_empty()),
            http::client().map_err(|_| NO_CERTIFICATES)?,
        ))
    }

    /// Clients of whoever found all of it elsewhere.
    pub const fn new(
        region: Region,
        credentials: SharedCredentialsProvider,
        endpoint_url: Option<String>,
        http_client: SharedHttpClient,
    ) -> Self {
        Self { region, credentials, endpoint_url, http_client }
    }

    /// A client of DynamoDB, of which one call takes at most `timeout`, retries included.
    pub fn dynamodb(&self, timeout: Duration) -> aws_sdk_dynamodb::Client {
        let mut config = aws_sdk_dynamodb::Config::builder()
            // Pinned, so that an upgrade alone never changes how we retry.
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(self.region.clone())
            .credentials_provider(self.credentials.clone())
            .timeout_config(timeouts(timeout))
            .retry_config(retries())
            .http_client(self.http_client.clone());
        config.set_endpoint_url(self.endpoint_url.clone());
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    /// A client of EventBridge, of which one call takes at most `timeout`, retries included.
    #[cfg(feature = "events")]
    pub fn eventbridge(&self, timeout: Duration) -> aws_sdk_eventbridge::Client {
        let mut config = aws_sdk_eventbridge::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(self.region.clone())
            .credentials_provider(self.credentials.clone())
            .timeout_config(timeouts(timeout))
            .retry_config(retries())
            .http_client(self.http_client.clone());
        config.set_endpoint_url(self.endpoint_url.clone());
        aws_sdk_eventbridge::Client::from_conf(config.build())
    }

    /// A client of Secrets Manager, of which one call takes at most `timeout`, retries included.
    #[cfg(feature = "secret")]
    pub fn secretsmanager(&self, timeout: Duration) -> aws_sdk_secretsmanager::Client {
        let mut config = aws_sdk_secretsmanager::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(self.region.clone())
            .credentials_provider(self.credentials.clone())
            .timeout_config(timeouts(timeout))
            .retry_config(retries())
            .http_client(self.http_client.clone());
        config.set_endpoint_url(self.endpoint_url.clone());
        aws_sdk_secretsmanager::Client::from_conf(config.build())
    }

    /// A client of SQS, of which one call takes at most `timeout`, retries included.
    #[cfg(feature = "sqs")]
    pub fn sqs(&self, timeout: Duration) -> aws_sdk_sqs::Client {
        let mut config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(self.region.clone())
            .credentials_provider(self.credentials.clone())
            .timeout_config(timeouts(timeout))
            .retry_config(retries())
            .http_client(self.http_client.clone());
        config.set_endpoint_url(self.endpoint_url.clone());
        aws_sdk_sqs::Client::from_conf(config.build())
    }
}

/// AWS did not take a call. Its text is not in here: it quotes the whole call where something in it is not valid,
/// and what is in the call is nothing for a log.
#[cfg(any(feature = "events", feature = "sqs"))]
#[derive(Debug, thiserror::Error)]
#[error("AWS does not take the call: {0}")]
struct NotTaken(String);

/// `error`, without what AWS says at length.
#[cfg(any(feature = "events", feature = "sqs"))]
pub(crate) fn unquoted<E>(
    error: SdkError<E, HttpResponse>,
) -> Box<dyn std::error::Error + Send + Sync>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match error.as_service_error() {
        Some(said) => NotTaken(said.code().unwrap_or("without a code").to_owned()).into(),
        None => error.into(),
    }
}

fn timeouts(timeout: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        // A pooled connection that died while the environment was frozen leaves time for another.
        .operation_attempt_timeout(timeout / 2)
        .operation_timeout(timeout)
        .build()
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX).with_initial_backoff(FIRST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_what_lambda_sets_there_is_no_client_and_secrets_are_never_shown() {
        let lookup = |left_out: &'static str| {
            move |name: &str| (name != left_out).then(|| format!("the {name}"))
        };

        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
            let error = Aws::from_lookup(lookup(name)).unwrap_err();
            assert_eq!(error, SettingError::Missing { name });
        }
        let shown = format!("{:?}", Aws::from_lookup(lookup("AWS_ENDPOINT_URL")).unwrap());
        assert!(!shown.contains("the AWS_SECRET_ACCESS_KEY"), "{shown}");
    }
}
