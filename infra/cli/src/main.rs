//! `cargo loyalty …`: the command line of shop engineers and of this project.
//!
//! Read [`simulate`] first, which is what a shop tries before it deploys anything; then [`stack`], which
//! deploys it.

mod import;
mod opening;
mod program;
mod simulate;
mod stack;
mod test;
mod toml_reader;

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

/// The loyalty system that an online shop runs in its own account.
#[derive(Parser)]
#[command(name = "loyalty", bin_name = "cargo loyalty", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Up(stack::Up),
    Down(stack::Down),
    Status(stack::Status),
    Token(stack::Token),
    Simulate(simulate::Simulate),
    Deploy(stack::deploy::Deploy),
    Import(stack::import::ImportHistory),
    OpeningBalances(opening::OpeningBalances),
    #[command(subcommand)]
    Member(stack::member::MemberCommand),
    Redrive(stack::redrive::Redrive),
    Republish(stack::republish::Republish),
    RunDay(stack::run_day::RunDay),
    /// Checks a program file, explains it, says whom it would concern, publishes it, or measures everybody by it.
    #[command(subcommand)]
    Program(program::ProgramCommand),
    Test(test::Test),
}

/// How a process ends, by convention, that wrote into a pipe which nobody read: 128 + SIGPIPE.
const BROKEN_PIPE: u8 = 141;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = io::stdout().lock();
    let result: Result<(), Box<dyn Error>> = match cli.command {
        Command::Up(up) => up.run(&mut out).map_err(Into::into),
        Command::Down(down) => down.run(&mut out).map_err(Into::into),
        Command::Status(status) => status.run(&mut out).map_err(Into::into),
        Command::Token(token) => token.run(&mut out).map_err(Into::into),
        Command::Simulate(simulate) => simulate.run(&mut out).map_err(Into::into),
        Command::Deploy(deploy) => deploy.run(&mut out).map_err(Into::into),
        Command::Import(import) => import.run(&mut out).map_err(Into::into),
        Command::Member(member) => member.run(&mut out).map_err(Into::into),
        Command::Redrive(redrive) => redrive.run(&mut out).map_err(Into::into),
        Command::Republish(republish) => republish.run(&mut out).map_err(Into::into),
        Command::RunDay(run_day) => run_day.run(&mut out).map_err(Into::into),
        Command::OpeningBalances(opening) => opening.run(&mut out).map_err(Into::into),
        Command::Program(program) => program.run(&mut out).map_err(Into::into),
        Command::Test(test) => test.run(&mut out).map_err(Into::into),
    };
    match result.and_then(|()| Ok(out.flush()?)) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has what they wanted, as with `| head`. It is no success all the same:
        // what was still to be done was not.
        Err(error) if is_broken_pipe(&*error) => ExitCode::from(BROKEN_PIPE),
        Err(error) => {
            report(&*error);
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(it) = cause {
        if it.downcast_ref::<io::Error>().is_some_and(|it| it.kind() == io::ErrorKind::BrokenPipe) {
            return true;
        }
        cause = it.source();
    }
    false
}

/// Prints an error and what caused it, each on a line.
fn report(error: &dyn Error) {
    let mut text = format!("error: {error}");
    let mut cause = error.source();
    while let Some(it) = cause {
        text.push_str("\n  because: ");
        text.push_str(&it.to_string());
        cause = it.source();
    }
    // Where even this cannot be written, nobody reads it.
    drop(writeln!(io::stderr(), "{text}"));
}
