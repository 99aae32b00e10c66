//! A real shop's year through `simulate`, as a whole process: once, and 20 times over with new members
//! and ids. Prints rows and orders a second, and the most memory that it took.
//!
//! `cargo bench --package loyalty-tests-simulate`
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot be run may panic"
)]
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use flate2::read::GzDecoder;
use loyalty_tests_simulate::{loyalty, repository, scratch};

/// How often each file is taken.
const RUNS: usize = 5;
/// How often the year is in the large file.
const TIMES: usize = 20;

fn main() {
    let folder = scratch("bench");
    let once = folder.join("year.csv");
    let often = folder.join("years.csv");
    write_years(&once, 1);
    write_years(&often, TIMES);
    println!("a year of 191,404 rows and 6,369 orders of members, once and {TIMES} times over;");
    println!("median of {RUNS} runs (fastest to slowest), whole process\n");
    println!("times     seconds                rows/s    orders/s   peak MiB");
    for (file, times) in [(&once, 1), (&often, TIMES)] {
        measure(file, times, &folder);
    }
    fs::remove_dir_all(folder).unwrap();
}

/// The year `times` over, each time with documents and members of its own.
fn write_years(path: &Path, times: usize) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    for time in 0..times {
        let year = File::open(repository("tests/data/online-retail.csv.gz")).unwrap();
        for (number, line) in BufReader::new(GzDecoder::new(year)).lines().enumerate() {
            let line = line.unwrap();
            if number == 0 {
                if time == 0 {
                    writeln!(out, "{line}").unwrap();
                }
                continue;
            }
            // Orders have ids of digits only, returns begin with a letter.
            let digits = line.find(|it: char| it.is_ascii_digit()).unwrap();
            let (letter, rest) = line.split_at(digits);
            let (rest, country) = rest.rsplit_once(',').unwrap();
            let (rest, member) = rest.rsplit_once(',').unwrap();
            let mark = if member.is_empty() { String::new() } else { format!("{time:02}") };
            writeln!(out, "{letter}{time:02}{rest},{mark}{member},{country}").unwrap();
        }
    }
    out.flush().unwrap();
}

#[expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]
fn measure(orders: &Path, times: usize, folder: &Path) {
    let mut seconds = Vec::with_capacity(RUNS);
    let mut peak_kib = 0;
    for _ in 0..RUNS {
        let started = Instant::now();
        let mut child = simulate(orders, &folder.join("members.csv"));
        peak_kib = peak_kib.max(wait(&mut child));
        seconds.push(started.elapsed());
    }
    seconds.sort_unstable();
    let median = seconds[RUNS / 2];
    let rate = |of: usize| {
        thousands(of * times * 1_000_000 / usize::try_from(median.as_micros()).unwrap())
    };
    println!(
        "{times:>5}   {:.2} ({:.2} to {:.2})  {:>12}  {:>10}  {:>9}",
        median.as_secs_f32(),
        seconds[0].as_secs_f32(),
        seconds[RUNS - 1].as_secs_f32(),
        rate(191_404),
        rate(6_369),
        peak_kib / 1024,
    );
}

fn simulate(orders: &Path, members: &Path) -> Child {
    let standard = |path: &str| -> PathBuf { repository(path) };
    loyalty()
        .arg("simulate")
        .args(["--orders".as_ref(), orders.as_os_str()])
        .args(["--columns".into(), standard("infra/imports/online-retail.toml")])
        .args(["--program".into(), standard("infra/programs/retail-a.toml")])
        .args(["--as-of", "2011-12-10"])
        .args(["--members-out".as_ref(), members.as_os_str()])
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits for the end of `child` and says the most memory that it was seen to have, in KiB.
fn wait(child: &mut Child) -> usize {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        if let Some(exit) = child.try_wait().unwrap() {
            assert!(exit.success(), "{exit}");
            return peak;
        }
        // The kernel keeps the highest mark, so only what comes in the last moments is missed.
        let text = fs::read_to_string(&status).unwrap_or_default();
        let mark = text.lines().find_map(|it| it.strip_prefix("VmHWM:"));
        let kib = mark.and_then(|it| it.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(kib.unwrap_or(0));
        thread::sleep(Duration::from_millis(2));
    }
}

fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
