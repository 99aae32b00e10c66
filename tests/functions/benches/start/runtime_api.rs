//! The API that Lambda gives a function: it asks for the next event, and says what came of it.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use loyalty_runtime::clock;
use tokio::sync::{Mutex, mpsc as waiting};

/// How long an invocation may take: the longest Timeout of the template.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What a function said, and when.
#[derive(Debug)]
pub(crate) enum Said {
    /// It is ready for an event.
    Ready(Instant),
    /// It has answered the event.
    Answered(Instant, String),
    /// It could not start, or could not answer.
    Failed(String),
}

/// The API of one function.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    /// Where the function finds it.
    pub(crate) address: SocketAddr,
    /// Events for the function.
    pub(crate) events: waiting::UnboundedSender<String>,
    /// What it says.
    pub(crate) said: mpsc::Receiver<Said>,
}

#[derive(Clone)]
struct Door {
    events: Arc<Mutex<waiting::UnboundedReceiver<String>>>,
    said: mpsc::Sender<Said>,
}

impl RuntimeApi {
    /// Starts one, on a port of its own.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (events, for_door) = waiting::unbounded_channel();
        let (by_door, said) = mpsc::channel();
        let door = Door { events: Arc::new(Mutex::new(for_door)), said: by_door };
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(answered))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(failed))
            .route("/2018-06-01/runtime/init/error", post(failed))
            .with_state(door);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, routes).await.unwrap();
            });
        });
        Self { address, events, said }
    }
}

async fn next(State(door): State<Door>) -> Response {
    door.say(Said::Ready(clock::instant()));
    let Some(event) = door.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let now_ms = u64::try_from(clock::now().as_millisecond()).unwrap();
    let deadline_ms = now_ms + u64::try_from(TIMEOUT.as_millis()).unwrap();
    let headers = [
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned()),
        ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-central-1:123456789012:function:loyalty".to_owned(),
        ),
        (
            "lambda-runtime-trace-id",
            "Root=1-69a8e2c0-5f2d1c3b4a59687766554433;Sampled=0".to_owned(),
        ),
        ("content-type", "application/json".to_owned()),
    ];
    (headers, event).into_response()
}

async fn answered(State(door): State<Door>, body: String) -> StatusCode {
    door.say(Said::Answered(clock::instant(), body));
    StatusCode::ACCEPTED
}

async fn failed(State(door): State<Door>, body: String) -> StatusCode {
    door.say(Said::Failed(body));
    StatusCode::ACCEPTED
}

impl Door {
    fn say(&self, said: Said) {
        // Nobody listens to a function that was only started.
        self.said.send(said).ok();
    }
}
