//! The counts that are committed, as text: a line for what made them, and one for each path.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::fs;
use std::process::Command;

use crate::paths::Crate;

#[derive(Debug)]
pub(crate) struct Baseline {
    /// The compiler and the architecture.
    pub(crate) made_by: String,
    /// Instructions for one operation.
    pub(crate) counts: BTreeMap<String, f64>,
}

impl Baseline {
    /// What was counted here and now.
    pub(crate) fn new(counts: impl IntoIterator<Item = (String, f64)>) -> Self {
        Self {
            made_by: format!("{} on {ARCH}", compiler().trim()),
            counts: counts.into_iter().collect(),
        }
    }

    /// The committed counts, none if the file cannot be read.
    pub(crate) fn read(of: Crate) -> Self {
        let text = fs::read_to_string(file(of)).unwrap_or_default();
        let mut lines = text.lines();
        let made_by = lines.next().unwrap_or("nothing").to_owned();
        let counts = lines.filter_map(|line| {
            let (path, count) = line.split_once(": ")?;
            Some((path.to_owned(), count.parse().ok()?))
        });
        Self {
            made_by,
            counts: counts.collect(),
        }
    }

    pub(crate) fn write(&self, of: Crate) {
        let counts = self.counts.iter();
        let lines = counts.map(|(path, count)| format!("{path}: {count:.1}\n"));
        let text = format!("{}\n{}", self.made_by, lines.collect::<String>());
        fs::write(file(of), text).expect("the directory is there");
    }

    /// The count of a path, `NAN` if there is none.
    pub(crate) fn count(&self, path: &str) -> f64 {
        self.counts.get(path).copied().unwrap_or(f64::NAN)
    }
}

/// The paths of the layer are counted in a program of their own.
pub(crate) fn file(of: Crate) -> &'static str {
    match of {
        Crate::Taskspan if cfg!(feature = "tracing") => {
            concat!(env!("CARGO_MANIFEST_DIR"), "/instructions/layer.txt")
        }
        Crate::Taskspan => concat!(env!("CARGO_MANIFEST_DIR"), "/instructions/baseline.txt"),
        Crate::Fastrace => concat!(env!("CARGO_MANIFEST_DIR"), "/instructions/fastrace.txt"),
    }
}

/// The compiler that Cargo takes here.
fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let output = output.expect("this was compiled with it");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
