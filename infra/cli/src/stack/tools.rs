//! Tools in the versions that infra/local pins, each in a folder of its own: they disagree about others.

use std::{fs, path::Path, path::PathBuf, process::Command};

use super::{StackError, file, run};

/// A tool, as its file in infra/local is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    name: &'static str,
    file: &'static str,
}

/// The local AWS.
pub(crate) const MINISTACK: Tool = Tool { name: "ministack", file: "infra/local/ministack.txt" };
/// What deploys the template.
pub(crate) const SAM: Tool = Tool { name: "sam", file: "infra/local/sam.txt" };

/// What builds the functions for Lambda's machines on any other, with a compiler of C for them.
pub(crate) const CARGO_LAMBDA: Tool =
    Tool { name: "cargo-lambda", file: "infra/local/cargo-lambda.txt" };

/// What looks for what attackers like in the template.
pub(crate) const CHECKOV: Tool = Tool { name: "checkov", file: "infra/local/checkov.txt" };

/// What the tests need.
pub(crate) const TESTED: [Tool; 3] = [MINISTACK, SAM, CHECKOV];

impl Tool {
    /// What it is called.
    pub(crate) const fn name(self) -> &'static str {
        self.name
    }

    /// Its folder.
    pub(crate) fn folder(self, root: &Path) -> PathBuf {
        root.join("target/tools").join(self.name)
    }

    /// Its program, and the folder that it finds its own in.
    pub(crate) fn program(self, root: &Path) -> PathBuf {
        self.folder(root).join("bin").join(self.name)
    }
}

/// Installs `tool`, unless it is there in the versions that are pinned now.
pub(crate) fn install(root: &Path, tool: Tool) -> Result<(), StackError> {
    let requirements = root.join(tool.file);
    let wanted = fs::read(&requirements).map_err(file(&requirements))?;
    let folder = tool.folder(root);
    // Written last, so a half-finished installation is none.
    let mark = folder.join("installed.txt");
    if fs::read(&mark).is_ok_and(|it| it == wanted) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(file(&folder))?;
    }
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"])
        .arg(&folder)
        .arg("-r")
        .arg(&requirements);
    run("installing a tool", &mut pip)?;
    fs::write(&mark, wanted).map_err(file(&mark))
}
