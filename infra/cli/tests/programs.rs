//! Program files through the command line: every wrong file has the report that stands beside it.

use std::{
    collections::BTreeSet,
    error::Error,
    path::{Path, PathBuf},
    process::{Command, Output},
};

type Outcome = Result<(), Box<dyn Error>>;

/// Where the tree of the repository begins, and where the command is run, so that reports name files
/// alike on every machine.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn program(verb: &str, file: &str) -> std::io::Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_loyalty"))
        .args(["program", verb, file])
        .current_dir(root())
        .output()
}

/// Compares `actual` with the file at `expected`; what differs is said, and `actual` kept to be read and
/// copied.
fn compare(expected: &str, actual: &str) -> Option<String> {
    let checked_in = std::fs::read_to_string(root().join(expected)).unwrap_or_default();
    if checked_in == actual {
        return None;
    }
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(expected.replace('/', "+"));
    let is_kept = std::fs::write(&kept, actual).is_ok();
    let line = checked_in.lines().zip(actual.lines()).position(|(a, b)| a != b);
    let line = line.unwrap_or_else(|| checked_in.lines().count().min(actual.lines().count()));
    let show = |text: &str| text.lines().nth(line).unwrap_or("(the end)").to_owned();
    Some(format!(
        "{expected} differs from line {} on:\n- {}\n+ {}\nif the new one is better: cp {} {expected}\n{}",
        line.saturating_add(1),
        show(&checked_in),
        show(actual),
        kept.display(),
        if is_kept { "" } else { "(it could not be written there)" },
    ))
}

fn files_in(folder: &str, extension: &str) -> std::io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(root().join(folder))? {
        let path = entry?.path();
        let stem = path.file_stem().map(|it| it.to_string_lossy().into_owned());
        if path.extension().is_some_and(|it| it == extension) {
            names.extend(stem);
        }
    }
    Ok(names)
}

#[test]
fn every_wrong_file_has_the_report_beside_it() -> Outcome {
    let folder = "tests/data/programs/wrong";
    let wrong = files_in(folder, "toml")?;
    assert!(wrong.len() >= 30, "there are only {} wrong files", wrong.len());
    assert_eq!(
        files_in(folder, "expected")?.difference(&wrong).next(),
        None,
        "a report without its file"
    );

    let mut differences = Vec::new();
    for name in &wrong {
        let file = format!("{folder}/{name}.toml");
        let output = program("check", &file)?;
        let report = String::from_utf8(output.stderr)?;
        assert_eq!(output.status.code(), Some(1), "{file}: {report}");
        assert!(output.stdout.is_empty(), "{file}");
        differences.extend(compare(&format!("{folder}/{name}.expected"), &report));
    }

    assert!(differences.is_empty(), "{}", differences.join("\n"));
    Ok(())
}

#[test]
fn every_program_of_the_repository_is_right_and_explained_as_before() -> Outcome {
    let programs = files_in("infra/programs", "toml")?;
    assert!(programs.contains("standard") && programs.contains("retail-a"));

    let mut differences = Vec::new();
    for name in &programs {
        let file = format!("infra/programs/{name}.toml");
        let output = program("check", &file)?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let explanation = String::from_utf8(program("explain", &file)?.stdout)?;
        let expected = format!("tests/data/programs/{name}.explained.expected");
        differences.extend(compare(&expected, &explanation));
    }

    assert!(differences.is_empty(), "{}", differences.join("\n"));
    Ok(())
}

#[test]
fn what_is_no_file_or_too_large_says_so_with_its_path() -> Outcome {
    let report = |file: &str| -> Result<String, Box<dyn Error>> {
        let output = program("check", file)?;
        assert_eq!(output.status.code(), Some(1), "{file}");
        Ok(String::from_utf8(output.stderr)?)
    };
    let large = Path::new(env!("CARGO_TARGET_TMPDIR")).join("large.toml");
    let name = large.to_string_lossy();
    std::fs::write(&large, " ".repeat((1 << 20) + 1))?;

    assert_eq!(report("no/such.toml")?, "error: there is no file `no/such.toml`\n");
    assert!(report("infra")?.starts_with("error: `infra` cannot be read\n  because: "));
    assert!(report(&name)?.starts_with(&format!("error: `{name}` is larger than 1 MiB")));
    Ok(())
}
