//! The local AWS: one process on a free port, that only this machine reaches.

use std::{
    fs::{self, File},
    net::TcpListener,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use loyalty_runtime::{aws::Aws, clock::Deadline};
use ureq::http::Request;

use super::{StackError, file, tools};

/// How long the local AWS may take to answer: it takes half a second.
const READY_S: u64 = 60;

/// The region that everything local is in.
pub(crate) const REGION: &str = "eu-central-1";

/// A local AWS that was started.
pub(crate) struct Local {
    pub(crate) pid: u32,
    pub(crate) endpoint: String,
}

/// Starts it; what it prints goes to `log`.
pub(crate) fn start(root: &Path, folder: &Path, log: &Path) -> Result<Local, StackError> {
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|it| it.local_addr())
        .map_err(file(Path::new("127.0.0.1")))?
        .port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let output = File::create(log).map_err(file(log))?;
    let errors = output.try_clone().map_err(file(log))?;
    let state = folder.join("state");
    fs::create_dir_all(&state).map_err(file(&state))?;
    let program = tools::MINISTACK.program(root);
    // Its functions inherit all that it has, so it has nothing of this process.
    let child = Command::new(&program)
        .env_clear()
        .env("HOME", folder)
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("PYTHONPATH", tools::MINISTACK.folder(root))
        .env("BIND_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", port.to_string())
        .env("AWS_ENDPOINT_URL", &endpoint)
        .env("IOT_MTLS_ENABLED", "0")
        .env("SFTP_ENABLED", "0")
        .env("TMPDIR", &state)
        .env("STATE_DIR", &state)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        // So that it outlives this process, whatever ends the terminal's.
        .process_group(0)
        .spawn()
        .map_err(|source| StackError::NotStarted {
            what: "the local AWS",
            command: program.display().to_string(),
            source,
        })?;
    Ok(Local { pid: child.id(), endpoint })
}

/// Waits until it answers.
pub(crate) fn wait_until_up(endpoint: &str, log: &Path) -> Result<(), StackError> {
    let deadline = Deadline::after(Duration::from_secs(READY_S));
    while !deadline.left().is_zero() {
        if is_up(endpoint) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
    let output = fs::read_to_string(log).unwrap_or_default();
    Err(StackError::NotReady { seconds: READY_S, output })
}

/// Whether it answers.
pub(crate) fn is_up(endpoint: &str) -> bool {
    agent().get(format!("{endpoint}/_ministack/health")).call().is_ok()
}

/// Stops it, with its functions.
pub(crate) fn stop(pid: u32, endpoint: &str) {
    // Not another process that has its number by now.
    if !is_up(endpoint) {
        return;
    }
    let stopped = Command::new("kill").arg(pid.to_string()).status();
    let deadline = Deadline::after(Duration::from_secs(10));
    while stopped.is_ok() && is_up(endpoint) && !deadline.left().is_zero() {
        thread::sleep(Duration::from_millis(50));
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(30)))
        .http_status_as_error(false)
        .build()
        .into()
}

/// The body of `url`, which must answer with the status `expected`.
pub(crate) fn get(url: &str, token: Option<&str>, expected: u16) -> Result<String, StackError> {
    ask("GET", url, token, expected)
}

/// The body of what `url` answers to `method`, without one of its own, which must have the status `expected`.
pub(crate) fn ask(
    method: &str,
    url: &str,
    token: Option<&str>,
    expected: u16,
) -> Result<String, StackError> {
    let no_answer = |source| StackError::NoAnswer { url: url.to_owned(), source: Box::new(source) };
    let mut request = Request::builder().method(method.to_uppercase().as_str()).uri(url);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(()).map_err(|error| no_answer(error.into()))?;
    let mut answer = agent().run(request).map_err(no_answer)?;
    let body = answer.body_mut().read_to_string().map_err(no_answer)?;
    let found = answer.status().as_u16();
    if found == expected {
        return Ok(body);
    }
    Err(StackError::WrongAnswer { url: url.to_owned(), found, expected, body })
}

/// Puts `body` at `url`.
pub(crate) fn put(url: &str, body: &str) -> Result<(), StackError> {
    let answer = agent().put(url).header("content-type", "application/json").send(body);
    let answer = answer
        .map_err(|source| StackError::NoAnswer { url: url.to_owned(), source: Box::new(source) })?;
    if answer.status().is_success() {
        return Ok(());
    }
    let (found, expected) = (answer.status().as_u16(), 200);
    Err(StackError::WrongAnswer { url: url.to_owned(), found, expected, body: String::new() })
}

/// Clients of it.
pub(crate) fn aws(endpoint: &str) -> Result<Aws, StackError> {
    Ok(Aws::from_lookup(|name| match name {
        "AWS_ENDPOINT_URL" => Some(endpoint.to_owned()),
        "AWS_REGION" => Some(REGION.to_owned()),
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("test".to_owned()),
        _ => None,
    })?)
}
