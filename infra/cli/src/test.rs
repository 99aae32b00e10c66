//! `test`: everything that must hold before a change lands, in one command.

use std::{
    fmt::Write as _,
    io::{self, Write},
    path::Path,
    process::Command,
    time::Duration,
};

use crate::stack::{StackError, tools, without_cargos_own};

/// Runs every check and every test of this repository: format, lints, docs, spelling, licenses, and
/// the tests, which use the command line as it is released.
///
/// Tools that are missing are installed into target/tools, in the versions named here; one that
/// cannot be installed fails.
#[derive(clap::Args, Debug)]
pub(crate) struct Test {
    /// How many random histories each property is tried on; 10,000 without it.
    #[arg(long, value_name = "NUMBER")]
    histories: Option<u32>,
}

/// A check that did not pass.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TestError {
    /// A step said no.
    #[error("{step} failed: {command}")]
    Failed { step: &'static str, command: String },
    /// A step could not even begin.
    #[error("{step} could not be started: {command}")]
    NotStarted {
        step: &'static str,
        command: String,
        #[source]
        source: io::Error,
    },
    /// A tool could not be installed.
    #[error(transparent)]
    Tool(#[from] StackError),
    /// The terminal, or what stands for it, is gone.
    #[error("cannot write the report")]
    Output(#[from] io::Error),
}

/// The version of `cargo deny` that is installed.
const CARGO_DENY: &str = "0.20.2";
/// The version of `typos` that is installed.
const TYPOS: &str = "1.52.0";

struct Step {
    name: &'static str,
    /// Left out where this exists already.
    unless: Option<&'static str>,
    command: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
}

const fn step(name: &'static str, command: &'static [&'static str]) -> Step {
    Step { name, unless: None, command, environment: &[] }
}

const STEPS: &[Step] = &[
    step("format", &["cargo", "fmt", "--all", "--check"]),
    step(
        "lints",
        &[
            "cargo",
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--locked",
            "--quiet",
            "--",
            "--deny",
            "warnings",
        ],
    ),
    Step {
        name: "docs",
        unless: None,
        command: &[
            "cargo",
            "doc",
            "--workspace",
            "--no-deps",
            "--document-private-items",
            "--locked",
            "--quiet",
        ],
        environment: &[("RUSTDOCFLAGS", "--deny warnings")],
    },
    step(
        "release build",
        &["cargo", "build", "--release", "--locked", "--quiet", "--package", "loyalty-cli"],
    ),
    step(
        "tests",
        &[
            "cargo",
            "test",
            "--workspace",
            "--exclude",
            "loyalty-tests-deployed",
            "--all-features",
            "--locked",
            "--quiet",
        ],
    ),
    Step {
        name: "template: cfn-lint",
        unless: None,
        command: &["target/tools/sam/bin/cfn-lint", "infra/template.yaml"],
        environment: &[("PYTHONPATH", "target/tools/sam")],
    },
    Step {
        name: "template: checkov",
        unless: None,
        command: &[
            "target/tools/checkov/bin/checkov",
            "--file",
            "infra/template.yaml",
            "--framework",
            "cloudformation",
            "--compact",
            "--quiet",
            "--skip-download",
        ],
        environment: &[("PYTHONPATH", "target/tools/checkov")],
    },
    // With the features of all others, so that nothing is compiled once more.
    step(
        "tests of the deployed stack",
        &[
            "cargo",
            "test",
            "--workspace",
            "--all-features",
            "--locked",
            "--quiet",
            "--test",
            "stack",
            "--test",
            "spending",
        ],
    ),
    Step {
        name: "install typos",
        unless: Some("target/tools/typos-1.52.0/bin/typos"),
        command: &[
            "python3",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--target",
            "target/tools/typos-1.52.0",
            "typos==1.52.0",
        ],
        environment: &[],
    },
    step("spelling", &["target/tools/typos-1.52.0/bin/typos"]),
    Step {
        name: "install cargo-deny",
        unless: Some("target/tools/cargo-deny-0.20.2/bin/cargo-deny"),
        command: &[
            "cargo",
            "install",
            "cargo-deny",
            "--version",
            "0.20.2",
            "--locked",
            "--debug",
            "--quiet",
            "--root",
            "target/tools/cargo-deny-0.20.2",
            "--target-dir",
            "target/tools/build",
        ],
        environment: &[],
    },
    // Advisories need a database that is no package registry: `cargo deny check advisories` where
    // the network allows.
    step(
        "licenses, bans, sources",
        &[
            "target/tools/cargo-deny-0.20.2/bin/cargo-deny",
            "--all-features",
            "check",
            "--hide-inclusion-graph",
            "licenses",
            "bans",
            "sources",
        ],
    ),
];

impl Test {
    /// Runs the steps one after the other; the first that fails ends it.
    #[expect(
        clippy::disallowed_methods,
        reason = "a tool for people may look at the clock: it says how long each step took"
    )]
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), TestError> {
        debug_assert!(
            STEPS.iter().flat_map(|it| it.command).any(|it| it.contains(CARGO_DENY))
                && STEPS.iter().flat_map(|it| it.command).any(|it| it.contains(TYPOS)),
            "the versions that are installed are the versions that are named"
        );
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let mut summary = String::new();
        for tool in tools::TESTED {
            let started = std::time::Instant::now();
            let name = tool.name();
            writeln!(out, "==> install {name}")?;
            out.flush()?;
            tools::install(root, tool)?;
            writeln!(summary, "  {:>7}  install {name}", seconds(started.elapsed())).ok();
        }
        for step in STEPS {
            if step.unless.is_some_and(|it| root.join(it).exists()) {
                continue;
            }
            let started = std::time::Instant::now();
            writeln!(out, "==> {}", step.name)?;
            out.flush()?;
            self.run_step(root, step)?;
            // A text never fails to be written to.
            writeln!(summary, "  {:>7}  {}", seconds(started.elapsed()), step.name).ok();
        }
        writeln!(out, "\nEverything passed:\n{summary}")?;
        Ok(())
    }

    fn run_step(&self, root: &Path, step: &Step) -> Result<(), TestError> {
        let text = || step.command.join(" ");
        let Some((program, arguments)) = step.command.split_first() else { return Ok(()) };
        let mut command = Command::new(program);
        command.args(arguments).current_dir(root);
        command.envs(step.environment.iter().copied());
        without_cargos_own(&mut command);
        if let Some(histories) = self.histories {
            command.env("LOYALTY_HISTORIES", histories.to_string());
        }
        let status = command.status().map_err(|source| TestError::NotStarted {
            step: step.name,
            command: text(),
            source,
        })?;
        if status.success() {
            Ok(())
        } else {
            Err(TestError::Failed { step: step.name, command: text() })
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{}.{} s", duration.as_secs(), duration.subsec_millis() / 100)
}
