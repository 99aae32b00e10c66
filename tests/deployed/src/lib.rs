//! A stack of one test: started, asked and stopped as its user does it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "this is a test suite: it panics where the stack breaks its promise"
)]

use std::{path::PathBuf, process::Command, time::Duration};

use loyalty_dynamodb::{DynamoDbLedger, Tables};
use loyalty_runtime::aws::Aws;
use loyalty_tests_simulate::{loyalty, scratch, succeed};
use serde_json::Value;

/// A stack that runs until it is dropped.
#[derive(Debug)]
pub struct Stack {
    folder: PathBuf,
    running: Value,
    member: String,
}

impl Stack {
    /// Starts one under the program in the file `program`, with `demo` orders.
    pub fn up(test: &str, program: &str, demo: usize) -> Self {
        let folder = scratch(test).join("stack");
        let program = loyalty_tests_simulate::repository(program);
        // Dropped, and so stopped, also if it only half starts.
        let mut stack = Self { folder, running: Value::Null, member: String::new() };
        let mut command = loyalty();
        command.args(["up", "--demo", &demo.to_string(), "--program"]).arg(program);
        command.arg("--folder").arg(&stack.folder);
        let said = succeed(&mut command);
        let member = said.lines().find_map(|it| it.strip_prefix("Member ")?.split(':').next());
        member.unwrap_or_default().clone_into(&mut stack.member);
        let running = std::fs::read(stack.folder.join("running.json")).unwrap();
        stack.running = serde_json::from_slice(&running).unwrap();
        stack
    }

    /// An output of the template.
    pub fn output(&self, name: &str) -> &str {
        self.running["outputs"][name].as_str().unwrap()
    }

    /// A command of `cargo loyalty` about it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = loyalty();
        command.args(arguments).arg("--folder").arg(&self.folder);
        command
    }

    /// A command about a stack in an account, which is what the local AWS is to whoever has no folder of it.
    pub fn in_account(&self, arguments: &[&str]) -> Command {
        let mut command = loyalty();
        command
            .args(arguments)
            .env("AWS_ENDPOINT_URL", self.endpoint())
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test");
        command
    }

    /// Where the local AWS answers.
    pub fn endpoint(&self) -> &str {
        self.running["endpoint"].as_str().unwrap()
    }

    /// A token, by what `cargo loyalty token` takes.
    pub fn token(&self, arguments: &[&str]) -> String {
        let mut command = self.command(&["token"]);
        succeed(command.args(arguments)).trim().to_owned()
    }

    /// The status and the body that the API answers when it is read.
    pub fn get(&self, path: &str, token: Option<&str>) -> (u16, Value) {
        self.ask("GET", path, token)
    }

    /// The status and the body that the API answers to any `method`.
    pub fn ask(&self, method: &str, path: &str, token: Option<&str>) -> (u16, Value) {
        let endpoint = self.endpoint();
        let api = format!("{endpoint}/_aws/execute-api/{}/%24default", self.output("api_id"));
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{api}{path}"));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut answer = agent.run(request.body(()).unwrap()).unwrap();
        let body = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    /// The status and the body that the API answers to any `method` with a `body`.
    pub fn tell(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> (u16, Value) {
        self.tell_under(None, method, path, token, body)
    }

    /// As [`tell`](Self::tell), once under `key`.
    pub fn tell_under(
        &self,
        key: Option<&str>,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> (u16, Value) {
        let endpoint = self.endpoint();
        let api = format!("{endpoint}/_aws/execute-api/{}/%24default", self.output("api_id"));
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{api}{path}"));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request.header("content-type", "application/json");
        let mut answer = agent.run(request.body(body.to_string()).unwrap()).unwrap();
        let body = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    /// Lets the schedule called `name` fire every minute, and otherwise as the template has it.
    pub fn fire_every_minute(&self, name: &str) {
        let url = format!("{}/schedules/{name}", self.endpoint());
        // The local AWS wants no more of a signature than whom it is for.
        let whom = "AWS4-HMAC-SHA256 Credential=test/20260101/eu-central-1/scheduler/aws4_request, \
                    SignedHeaders=host, Signature=none";
        let mut found = ureq::get(&url).header("authorization", whom).call().unwrap();
        let text = found.body_mut().read_to_string().unwrap();
        let mut schedule: Value = serde_json::from_str(&text).unwrap();
        schedule["ScheduleExpression"] = "rate(1 minute)".into();
        let put = ureq::put(&url).header("authorization", whom);
        put.header("content-type", "application/json").send(schedule.to_string()).unwrap();
    }

    /// The member whom the demo shows, as `up` printed it.
    pub fn member(&self) -> &str {
        &self.member
    }

    /// Clients of the local AWS.
    pub fn aws(&self) -> Aws {
        Aws::from_lookup(|name| match name {
            "AWS_ENDPOINT_URL" => self.running["endpoint"].as_str().map(ToOwned::to_owned),
            "AWS_REGION" => Some("eu-central-1".to_owned()),
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("test".to_owned()),
            _ => None,
        })
        .unwrap()
    }

    /// The ledger that the functions write.
    pub fn ledger(&self) -> DynamoDbLedger {
        let tables = Tables {
            ledger: self.output("ledger_table_name").to_owned(),
            program: self.output("program_table_name").to_owned(),
        };
        DynamoDbLedger::new(self.aws().dynamodb(Duration::from_secs(10)), tables)
            .with_members(self.output("members_table_name").to_owned())
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let mut command = loyalty();
        command.arg("down").arg("--folder").arg(&self.folder);
        drop(command.output());
    }
}
