//! An embedded DynamoDB engine behind the real SDK: what crosses between them is counted, and disturbed
//! as AWS would and the engine never does.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "this is a test suite: it panics where its own tools break"
)]

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use aws_sdk_dynamodb::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use dynoxide::Database;
use loyalty_dynamodb::{DynamoDbLedger, Tables};
use serde_json::{Value, json};

/// An engine in this process, with its server on a port of its own.
pub struct Engine {
    database: Database,
    endpoint: String,
    tables: AtomicU32,
}

impl Engine {
    /// Starts an engine without any table.
    pub fn start() -> Self {
        let database = Database::memory().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let served = database.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                dynoxide::server::serve_on(listener, served).await;
            });
        });
        Self { database, endpoint, tables: AtomicU32::new(0) }
    }

    /// Where the engine is reached.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A ledger in tables of its own, which are empty, and the wire between it and the engine.
    pub fn ledger(&self) -> (DynamoDbLedger, Arc<Wire>) {
        self.ledger_in(self.tables())
    }

    /// A ledger in `tables` and the table of members beside them, and the wire between it and the engine.
    pub fn ledger_in(&self, tables: Tables) -> (DynamoDbLedger, Arc<Wire>) {
        let members = members_table(&tables);
        let (ledger, wire) = self.ledger_without_members_in(tables);
        (ledger.with_members(members), wire)
    }

    /// A ledger that knows no members, as most functions have it.
    pub fn ledger_without_members_in(&self, tables: Tables) -> (DynamoDbLedger, Arc<Wire>) {
        let wire = Arc::new(Wire::default());
        (DynamoDbLedger::new(self.client(&wire), tables), wire)
    }

    /// New tables, which are empty.
    pub fn tables(&self) -> Tables {
        self.create_tables(&json!({"StreamEnabled": false}))
    }

    /// New tables with the stream of the template. Each write is slower the more there were before.
    pub fn tables_with_stream(&self) -> Tables {
        let view = "NEW_AND_OLD_IMAGES";
        self.create_tables(&json!({"StreamEnabled": true, "StreamViewType": view}))
    }

    fn create_tables(&self, stream: &Value) -> Tables {
        let number = self.tables.fetch_add(1, Ordering::Relaxed);
        let tables =
            Tables { ledger: format!("ledger-{number}"), program: format!("program-{number}") };
        self.create(json!({
            "TableName": tables.ledger, "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"}
            ],
            "AttributeDefinitions": texts(&["pk", "sk", "ds", "dd"]),
            "GlobalSecondaryIndexes": [{
                "IndexName": "due", "Projection": {"ProjectionType": "KEYS_ONLY"},
                "KeySchema": [
                    {"AttributeName": "ds", "KeyType": "HASH"},
                    {"AttributeName": "dd", "KeyType": "RANGE"}
                ],
            }],
            "StreamSpecification": stream,
        }));
        for table in [&tables.program, &members_table(&tables)] {
            self.create(json!({
                "TableName": table, "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"}
                ],
                "AttributeDefinitions": texts(&["pk", "sk"]),
            }));
        }
        tables
    }

    /// Every record of the stream of `table`, as Lambda hands it over.
    pub fn stream(&self, table: &str) -> Vec<Value> {
        let request = serde_json::from_value(json!({"TableName": table})).unwrap();
        let streams = serde_json::to_value(self.database.list_streams(request).unwrap()).unwrap();
        let arn = &streams["Streams"][0]["StreamArn"];
        let request = serde_json::from_value(json!({"StreamArn": arn})).unwrap();
        let stream = serde_json::to_value(self.database.describe_stream(request).unwrap()).unwrap();
        let shards = stream["StreamDescription"]["Shards"].as_array().unwrap();
        assert_eq!(shards.len(), 1, "the engine's streams have one shard");
        let request = serde_json::from_value(json!({
            "StreamArn": arn, "ShardId": shards[0]["ShardId"], "ShardIteratorType": "TRIM_HORIZON"
        }));
        let iterator = self.database.get_shard_iterator(request.unwrap()).unwrap();
        let mut next = iterator.shard_iterator;
        let mut records = Vec::new();
        while let Some(iterator) = next.take() {
            let request = serde_json::from_value(json!({"ShardIterator": iterator})).unwrap();
            let answer = self.database.get_records(request).unwrap();
            if answer.records.is_empty() {
                break;
            }
            records.extend(answer.records.iter().map(|it| serde_json::to_value(it).unwrap()));
            next = answer.next_shard_iterator;
        }
        records
    }

    /// Writes `item` over whatever is there, past every condition.
    pub fn overwrite(&self, table: &str, item: &Value) {
        let request = json!({"TableName": table, "Item": item});
        self.database.put_item(serde_json::from_value(request).unwrap()).unwrap();
    }

    /// Every item of `table`, by key, as its JSON.
    pub fn items(&self, table: &str) -> Vec<Value> {
        let request = serde_json::from_value(json!({"TableName": table})).unwrap();
        let reply = serde_json::to_value(self.database.scan(request).unwrap()).unwrap();
        assert!(reply["LastEvaluatedKey"].is_null(), "there are more items than one scan reads");
        let mut items = reply["Items"].as_array().cloned().unwrap_or_default();
        items.sort_by_key(|it| (it["pk"].to_string(), it["sk"].to_string()));
        items
    }

    fn create(&self, table: Value) {
        self.database.create_table(serde_json::from_value(table).unwrap()).unwrap();
    }

    /// A client that does not try again by itself, so that every fault is seen.
    fn client(&self, wire: &Arc<Wire>) -> Client {
        let plain = aws_smithy_http_client::Builder::new().build_http();
        let wire = Arc::clone(wire);
        let http_client = http_client_fn(move |settings, components| {
            let inner = aws_smithy_runtime_api::client::http::HttpClient::http_connector(
                &plain, settings, components,
            );
            SharedHttpConnector::new(Connector { inner, wire: Arc::clone(&wire) })
        });
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .endpoint_url(&self.endpoint)
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .http_client(http_client)
            .build();
        Client::from_conf(config)
    }
}

/// The name of the table of members that is made beside `tables`.
pub fn members_table(tables: &Tables) -> String {
    tables.ledger.replacen("ledger", "members", 1)
}

/// Attributes that are texts.
fn texts(names: &[&str]) -> Value {
    names.iter().map(|it| json!({"AttributeName": it, "AttributeType": "S"})).collect()
}

/// What AWS does to a request and the engine does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not done, because there are too many.
    Throttled,
    /// It is not done, because another transaction is at one of its items.
    Conflict,
    /// It is done, and the reply is lost.
    LostReply,
    /// A read that need not be the newest is not: it is answered as the same one was before.
    Stale,
}

/// What crosses between the SDK and the engine.
#[derive(Default)]
pub struct Wire {
    state: Mutex<State>,
}

/// What happens to the next request of an operation.
type Faults = Box<dyn FnMut(&str) -> Option<Fault> + Send>;

#[derive(Default)]
struct State {
    requests: BTreeMap<String, u64>,
    read_halves: u64,
    write_halves: u64,
    faults: Option<Faults>,
    replies: HashMap<String, (u16, Vec<u8>)>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// What was sent, and what it cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many requests of each operation.
    pub requests: BTreeMap<String, u64>,
    /// Half read units, since half of one is the least there is.
    pub read_halves: u64,
    /// Write units.
    pub write_units: u64,
}

impl Usage {
    /// How many requests wrote something, or tried to.
    pub fn writes(&self) -> u64 {
        let writes = self.requests.iter().filter(|(operation, _)| {
            !matches!(operation.as_str(), "BatchGetItem" | "GetItem" | "Query" | "Scan")
        });
        writes.map(|(_, times)| times).sum()
    }
}

impl Wire {
    /// What was sent since the last time.
    pub fn usage(&self) -> Usage {
        let mut state = self.state.lock().unwrap();
        Usage {
            requests: std::mem::take(&mut state.requests),
            read_halves: std::mem::take(&mut state.read_halves),
            write_units: std::mem::take(&mut state.write_halves) / 2,
        }
    }

    /// From now on `faults` says what happens to each request, by its operation.
    pub fn disturb(&self, faults: impl FnMut(&str) -> Option<Fault> + Send + 'static) {
        self.state.lock().unwrap().faults = Some(Box::new(faults));
    }

    /// The next request of `operation` has this `fault`, and then no more.
    pub fn disturb_once(&self, operation: &'static str, fault: Fault) {
        let mut faults = vec![fault];
        self.disturb(move |it| if it == operation { faults.pop() } else { None });
    }
}

#[derive(Debug)]
struct Connector {
    inner: SharedHttpConnector,
    wire: Arc<Wire>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, wire) = (self.inner.clone(), Arc::clone(&self.wire));
        HttpConnectorFuture::new(async move {
            let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
            let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
            let body = request.body().bytes().unwrap_or_default().to_vec();
            let fault = {
                let mut state = wire.state.lock().unwrap();
                *state.requests.entry(operation.clone()).or_default() += 1;
                let fault = state.faults.as_mut().and_then(|faults| faults(&operation));
                if fault == Some(Fault::Stale)
                    && let Some((status, reply)) = state.replies.get(&canonical(&body))
                {
                    return Ok(response(*status, reply.clone()));
                }
                fault
            };
            match fault {
                Some(Fault::Throttled) => {
                    return Ok(refusal("ProvisionedThroughputExceededException", &json!({})));
                }
                Some(Fault::Conflict) => return Ok(conflict(&operation, &body)),
                Some(Fault::LostReply | Fault::Stale) | None => (),
            }
            let reply = inner.call(request).await?;
            let status = reply.status().as_u16();
            let bytes = ByteStream::new(reply.into_body()).collect().await;
            let bytes = bytes.map_err(|error| ConnectorError::io(error.into()))?.to_vec();
            wire.count(&operation, &bytes);
            // Only what need not be the newest may be answered once more.
            let is_cheap = |it: &Value| it["ConsistentRead"] == false;
            let tables = serde_json::from_slice::<Value>(&body).unwrap_or_default();
            let tables = tables["RequestItems"].as_object().cloned().unwrap_or_default();
            if operation == "BatchGetItem" && tables.values().all(is_cheap) {
                let mut state = wire.state.lock().unwrap();
                state.replies.insert(canonical(&body), (status, bytes.clone()));
            }
            if fault == Some(Fault::LostReply) {
                return Err(ConnectorError::io("the reply was lost".into()));
            }
            Ok(response(status, bytes))
        })
    }
}

impl Wire {
    fn count(&self, operation: &str, reply: &[u8]) {
        let Ok(reply) = serde_json::from_slice::<Value>(reply) else { return };
        // One for each table, in a list where there may be several.
        let consumed = &reply["ConsumedCapacity"];
        let consumed = consumed.as_array().map_or(std::slice::from_ref(consumed), Vec::as_slice);
        let total: u64 = consumed.iter().map(|it| halves(&it["CapacityUnits"])).sum();
        let mut state = self.state.lock().unwrap();
        match operation {
            "BatchGetItem" | "GetItem" | "Query" => state.read_halves += total,
            _ => state.write_halves += total,
        }
    }
}

/// The same text for the same JSON, in whatever order the SDK wrote its keys.
fn canonical(body: &[u8]) -> String {
    fn write(value: &Value) -> String {
        match (value.as_object(), value.as_array()) {
            (Some(object), _) => {
                let sorted: BTreeMap<&String, String> =
                    object.iter().map(|(key, value)| (key, write(value))).collect();
                format!("{sorted:?}")
            }
            (_, Some(array)) => format!("{:?}", array.iter().map(write).collect::<Vec<_>>()),
            (None, None) => value.to_string(),
        }
    }
    write(&serde_json::from_slice(body).unwrap_or_default())
}

/// Twice a number that has half as its smallest part.
fn halves(number: &Value) -> u64 {
    let text = number.to_string();
    let (whole, rest) = text.split_once('.').unwrap_or((&text, "0"));
    whole.parse::<u64>().unwrap_or(0) * 2 + u64::from(rest.starts_with('5'))
}

fn response(status: u16, body: Vec<u8>) -> HttpResponse {
    let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    response
}

fn refusal(exception: &str, more: &Value) -> HttpResponse {
    let mut body = json!({
        "__type": format!("com.amazonaws.dynamodb.v20120810#{exception}"), "message": "injected"
    });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    response(400, body.to_string().into_bytes())
}

fn conflict(operation: &str, body: &[u8]) -> HttpResponse {
    if operation != "TransactWriteItems" {
        return refusal("TransactionConflictException", &json!({}));
    }
    let body: Value = serde_json::from_slice(body).unwrap();
    let items = body["TransactItems"].as_array().unwrap().len();
    let reasons: Vec<Value> = (0..items)
        .map(|it| {
            let code = if it + 1 == items { "TransactionConflict" } else { "None" };
            json!({"Code": code})
        })
        .collect();
    refusal("TransactionCanceledException", &json!({"CancellationReasons": reasons}))
}
