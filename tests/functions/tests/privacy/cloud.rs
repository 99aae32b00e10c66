//! The bus and the queues of AWS behind the real SDK: they keep what is sent, or do not take it, at worst with an
//! error that quotes all of it.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex},
};

use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

/// What AWS makes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    /// It is done.
    Fair,
    /// It is not done, and the error says why at length, as it does of what AWS finds invalid.
    Quoted,
    /// It is taken as a call and refused as a message, with a text that quotes it.
    Refused,
    /// There is no reply.
    Silent,
}

/// A message of a queue: its body, and what stands beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) queue: String,
    pub(crate) body: String,
    pub(crate) attributes: String,
}

#[derive(Debug)]
struct State {
    weather: Weather,
    events: Vec<(String, String)>,
    letters: Vec<Letter>,
    to_do: VecDeque<String>,
}

/// A bus and queues.
#[derive(Clone)]
pub(crate) struct Cloud(Arc<Mutex<State>>);

impl fmt::Debug for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cloud").finish_non_exhaustive()
    }
}

/// The queue whose messages the function of nights does.
pub(crate) const WORK: &str = "https://queues.example/expiry-work";

macro_rules! client {
    ($sdk:ident, $cloud:expr) => {{
        use $sdk::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};

        $sdk::Client::from_conf(
            $sdk::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new("eu-central-1"))
                .credentials_provider(Credentials::new("test", "test", None, None, "test"))
                .retry_config(RetryConfig::disabled())
                .http_client($cloud.clone())
                .build(),
        )
    }};
}

impl Cloud {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            weather: Weather::Fair,
            events: Vec::new(),
            letters: Vec::new(),
            to_do: VecDeque::new(),
        })))
    }

    pub(crate) fn weather(&self, weather: Weather) {
        self.0.lock().unwrap().weather = weather;
    }

    pub(crate) fn bus(&self) -> aws_sdk_eventbridge::Client {
        client!(aws_sdk_eventbridge, self)
    }

    pub(crate) fn queues(&self) -> aws_sdk_sqs::Client {
        client!(aws_sdk_sqs, self)
    }

    /// All that the bus took: names and details.
    pub(crate) fn events(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap().events.clone()
    }

    /// All that queues took.
    pub(crate) fn letters(&self) -> Vec<Letter> {
        self.0.lock().unwrap().letters.clone()
    }

    /// The next message of [`WORK`].
    pub(crate) fn work(&self) -> Option<String> {
        self.0.lock().unwrap().to_do.pop_front()
    }

    fn answer(&self, target: &str, request: &[u8]) -> Result<(u16, Value), ConnectorError> {
        let mut state = self.0.lock().unwrap();
        let text = String::from_utf8_lossy(request);
        let sent: Value = serde_json::from_slice(request).unwrap();
        match state.weather {
            Weather::Fair => (),
            Weather::Quoted => {
                let message = format!("1 validation error detected: Value '{text}' at 'entries'");
                let kind = "com.amazonaws#ValidationException";
                return Ok((400, json!({"__type": kind, "message": message, "Message": message})));
            }
            Weather::Refused if target.ends_with(".PutEvents") => {
                let entry = json!({"ErrorCode": "ThrottlingException", "ErrorMessage": text});
                return Ok((200, json!({"FailedEntryCount": 1, "Entries": [entry]})));
            }
            Weather::Refused if target.ends_with(".SendMessageBatch") => {
                let failed = json!({"Id": "0", "SenderFault": false, "Code": "InternalError", "Message": text});
                return Ok((200, json!({"Successful": [], "Failed": [failed]})));
            }
            Weather::Refused | Weather::Silent => {
                return Err(ConnectorError::timeout("no reply".into()));
            }
        }
        let queue = sent["QueueUrl"].as_str().unwrap_or_default().to_owned();
        let text_of = |value: &Value| value.as_str().unwrap().to_owned();
        let answer = match target.rsplit('.').next().unwrap() {
            "PutEvents" => {
                let entries = sent["Entries"].as_array().unwrap();
                for entry in entries {
                    state.events.push((text_of(&entry["DetailType"]), text_of(&entry["Detail"])));
                }
                let taken = vec![json!({"EventId": "e"}); entries.len()];
                json!({"FailedEntryCount": 0, "Entries": taken})
            }
            "SendMessage" => {
                let (body, attributes) =
                    (text_of(&sent["MessageBody"]), sent["MessageAttributes"].to_string());
                state.letters.push(Letter { queue, body, attributes });
                json!({"MessageId": "m"})
            }
            "SendMessageBatch" => {
                let entries = sent["Entries"].as_array().unwrap();
                for entry in entries {
                    let (body, attributes) =
                        (text_of(&entry["MessageBody"]), entry["MessageAttributes"].to_string());
                    if queue == WORK {
                        state.to_do.push_back(body.clone());
                    }
                    state.letters.push(Letter { queue: queue.clone(), body, attributes });
                }
                let taken: Vec<Value> = entries
                    .iter()
                    .map(|it| json!({"Id": it["Id"], "MessageId": "m", "MD5OfMessageBody": "0"}))
                    .collect();
                json!({"Successful": taken, "Failed": []})
            }
            other => panic!("{other} was not thought of"),
        };
        Ok((200, answer))
    }
}

impl HttpClient for Cloud {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Cloud {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
        let answer = self.answer(&target, request.body().bytes().unwrap_or_default());
        HttpConnectorFuture::ready(answer.map(|(status, body)| {
            let body = SdkBody::from(body.to_string());
            let mut response = HttpResponse::new(status.try_into().unwrap(), body);
            response.headers_mut().insert("content-type", "application/x-amz-json-1.1");
            response
        }))
    }
}
