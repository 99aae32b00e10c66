//! The command line as its user runs it: real files in, accounts out. And the real year, for other tests.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "this is a test suite: it panics where the command line breaks its promise"
)]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use loyalty_domain::program::Program;

/// Numbers that look random, and are the same each time: Marsaglia's xorshift.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of `seed`.
    pub const fn new(seed: u64) -> Self {
        // 0 would stay 0.
        Self(seed | 1)
    }

    /// The next one below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0).unwrap() % limit
    }
}

/// A file of this repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// A folder of one test, empty.
pub fn scratch(test: &str) -> PathBuf {
    let folder = target().join("simulate").join(test);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Where everything is built.
pub fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().to_owned()
}

/// The command line as it is released, which `cargo loyalty test` builds before it runs the tests.
pub fn loyalty() -> Command {
    let program = target().join("release/loyalty");
    assert!(program.exists(), "build it first: cargo build --release --package loyalty-cli");
    Command::new(program)
}

/// The events of the real year, one JSON a line, as an importer sends them.
pub fn year_as_events(folder: &Path) -> String {
    let file = folder.join("events.jsonl");
    let mut command = loyalty();
    command
        .arg("simulate")
        .args(["--orders".into(), repository("tests/data/online-retail.csv.gz")])
        .args(["--columns".into(), repository("infra/imports/online-retail.toml")])
        .args(["--program".into(), repository("infra/programs/retail-a.toml")])
        .args(["--as-of", "2011-12-10"])
        .args(["--events-out".as_ref(), file.as_path()]);
    succeed(&mut command);
    std::fs::read_to_string(file).unwrap()
}

/// The program under which the accounts of the year are known: `infra/programs/retail-a.toml`.
pub fn program_of_the_year() -> Program {
    serde_json::from_value(serde_json::json!({
        "name": "Retail A", "version": 1, "effective": "2010-01-01", "currency": "GBP",
        "time_zone": "Europe/London",
        "earning": {"points_per_unit": "1", "pending_days": 14, "expiry_months": 12,
            "expiry_rounding": "month_end", "exclude": {"skus": ["POST", "DOT", "C2",
            "BANK CHARGES", "AMAZONFEE", "M", "D", "S", "B", "CRUK", "PADS"]}},
        "tiers": {"levels": [
            {"id": "bronze", "name": "Bronze"},
            {"id": "silver", "name": "Silver", "spend": "200", "orders": 3, "bonus": "0.05"},
            {"id": "gold", "name": "Gold", "spend": "2000", "orders": 12, "bonus": "0.1"},
            {"id": "platinum", "name": "Platinum", "spend": "8000", "orders": 24, "bonus": "0.2"},
            {"id": "diamond", "name": "Diamond", "spend": "30000", "bonus": "0.3"}]}
    }))
    .unwrap()
}

/// Runs `command` and returns what it printed.
#[track_caller]
pub fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let Output { status, stdout, stderr } = &output;
    assert!(status.success(), "{status}\n{}", String::from_utf8_lossy(stderr));
    String::from_utf8(stdout.clone()).unwrap()
}

/// Runs `command`, which must fail, and returns what it said.
#[track_caller]
pub fn fail(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("panicked"), "{said}");
    said
}
