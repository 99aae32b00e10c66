//! The house rules that no lint holds, checked on the source tree.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file of the repository below `folder`, but for what is built.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name == "target" || name == ".git" {
            continue;
        }
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path);
        }
    }
    all.sort();
    all
}

fn sources() -> Vec<(String, String)> {
    let files = files(&root()).into_iter().filter(|it| it.extension().is_some_and(|it| it == "rs"));
    let sources: Vec<_> =
        files.map(|it| (it.display().to_string(), fs::read_to_string(it).unwrap())).collect();
    assert!(sources.len() > 20, "the sources were not found");
    sources
}

fn manifests() -> Vec<(String, toml::Table)> {
    let manifests: Vec<_> = files(&root())
        .into_iter()
        .filter(|it| {
            it.file_name().is_some_and(|it| it == "Cargo.toml") && *it != root().join("Cargo.toml")
        })
        .map(|it| (it.display().to_string(), fs::read_to_string(it).unwrap().parse().unwrap()))
        .collect();
    assert!(manifests.len() >= 6, "the manifests were not found");
    manifests
}

#[test]
fn every_crate_stands_behind_the_lint_wall() {
    for (name, manifest) in manifests() {
        let is_behind = manifest.get("lints").and_then(|it| it.get("workspace")?.as_bool());
        assert_eq!(is_behind, Some(true), "{name} has no `lints.workspace = true`");
    }
}

#[test]
fn every_dependency_stands_once_in_the_workspace_with_its_reason() {
    for (name, manifest) in manifests() {
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(section) = manifest.get(section).and_then(toml::Value::as_table) else {
                continue;
            };
            for (dependency, value) in section {
                let is_shared = value.get("workspace").and_then(toml::Value::as_bool);
                assert_eq!(
                    is_shared,
                    Some(true),
                    "{name}: `{dependency}` has a version of its own"
                );
            }
        }
    }
    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut is_dependency = false;
    for line in workspace.lines() {
        if line.starts_with('[') {
            is_dependency = line == "[workspace.dependencies]";
        } else if is_dependency && line.contains('=') && !line.starts_with("loyalty-") {
            assert!(line.contains(" # "), "no reason stands beside `{line}`");
        }
    }
}

#[test]
fn dependencies_point_from_the_doors_to_the_rules() {
    // Each may see those before it.
    let order = [
        "loyalty-domain",
        "loyalty-contracts",
        "loyalty-ledger",
        "loyalty-dynamodb",
        "loyalty-runtime",
    ];
    for (name, manifest) in manifests() {
        let package = manifest["package"]["name"].as_str().unwrap();
        let Some(place) = order.iter().position(|it| *it == package) else { continue };
        let Some(dependencies) = manifest.get("dependencies").and_then(toml::Value::as_table)
        else {
            continue;
        };
        for dependency in dependencies.keys().filter(|it| it.starts_with("loyalty-")) {
            let seen = order.iter().position(|it| it == dependency);
            assert!(seen.is_some_and(|it| it < place), "{name} must not see {dependency}");
        }
    }
}

#[test]
fn engines_and_tools_for_people_reach_no_function() {
    let tools = ["dynoxide-rs", "clap", "indicatif", "comfy-table", "proptest", "divan", "toml"];
    for (name, manifest) in manifests() {
        if !name.contains("/shared/") && !name.contains("/functions/") {
            continue;
        }
        let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
        for dependency in dependencies.into_iter().flat_map(toml::Table::keys) {
            assert!(!tools.contains(&dependency.as_str()), "{name} must not see {dependency}");
        }
    }
}

#[test]
fn only_the_store_sees_dynamodb() {
    for (name, text) in sources() {
        if name.contains("shared/dynamodb") || name.contains("tests/") {
            continue;
        }
        for word in ["AttributeValue", "condition_expression", "TransactWriteItem", "KeyCondition"]
        {
            assert!(!text.contains(word), "{name} has `{word}`");
        }
    }
}

#[test]
fn the_rules_touch_nothing_but_their_arguments() {
    let forbidden = [
        "std::fs",
        "std::io",
        "std::net",
        "std::env",
        "std::time",
        "std::thread",
        "async ",
        "rand::",
        "::now()",
        "aws_",
    ];
    for (name, text) in sources() {
        if name.contains("shared/domain/src") {
            for word in forbidden {
                assert!(!text.contains(word), "{name} has `{word}`");
            }
        }
    }
}

#[test]
fn every_file_says_first_what_it_is_for() {
    for (name, text) in sources() {
        assert!(text.starts_with("//! "), "{name} does not begin with a `//!` sentence");
    }
}

#[test]
fn no_fallible_call_is_let_go_under_a_name() {
    for (name, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            let is_let_go = line.trim_start().starts_with("let _");
            let is_guard = line.contains("let _bar = Bar::new(");
            assert!(!is_let_go || is_guard, "{name}:{}: {line}", number + 1);
        }
    }
}

#[test]
fn every_path_that_the_documents_name_exists() {
    for document in
        ["README.md", "docs/architecture.md", "docs/benchmarks.md", "tests/data/README.md"]
    {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let mut paths = 0;
        for word in text.split(['`', '(', ')', ' ', '\n', ':', ';']) {
            let starts = ["infra/", "shared/", "tests/", "docs/"];
            if starts.iter().any(|it| word.starts_with(it)) {
                let path = word.trim_end_matches(['.', ',']);
                assert!(root().join(path).exists(), "{document} names {path}, which is not there");
                paths += 1;
            }
        }
        assert!(paths > 0 || document.starts_with("tests"), "{document} names no path");
    }
}

#[test]
fn the_top_level_holds_what_the_plan_says_and_nothing_beside_it() {
    let known = [
        "Cargo.toml",
        "Cargo.lock",
        "LICENSE",
        "README.md",
        "clippy.toml",
        "deny.toml",
        "docs",
        "functions",
        "infra",
        "rust-toolchain.toml",
        "rustfmt.toml",
        "_typos.toml",
        "shared",
        "target",
        "tests",
    ];
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(
            name.starts_with('.') || known.contains(&name.as_str()),
            "{name} has no place here"
        );
    }
}
