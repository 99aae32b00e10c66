//! The command line as its user runs it: real files in, accounts out.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "this is a test suite: it panics where the command line breaks its promise"
)]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

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

fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().to_owned()
}

/// The command line as it is released, which `cargo loyalty test` builds before it runs the tests.
pub fn loyalty() -> Command {
    let program = target().join("release/loyalty");
    assert!(program.exists(), "build it first: cargo build --release --package loyalty-cli");
    Command::new(program)
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
