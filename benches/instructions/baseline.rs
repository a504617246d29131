//! The counts that are committed, as text: a line for what made them, and one for each path.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::fs;
use std::process::Command;

#[derive(Debug)]
pub(crate) struct Baseline {
    /// The compiler and the architecture.
    pub(crate) made_by: String,
    /// Instructions for one operation.
    pub(crate) counts: BTreeMap<String, f64>,
}

/// The paths of the layer are counted in a program of their own.
#[cfg(not(feature = "tracing"))]
pub(crate) const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions/baseline.txt");
#[cfg(feature = "tracing")]
pub(crate) const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions/layer.txt");

impl Baseline {
    /// What was counted here and now.
    pub(crate) fn new(counts: impl IntoIterator<Item = (String, f64)>) -> Self {
        Self {
            made_by: format!("{} on {ARCH}", compiler().trim()),
            counts: counts.into_iter().collect(),
        }
    }

    /// What is committed, which is nothing where that can't be read.
    pub(crate) fn read() -> Self {
        let text = fs::read_to_string(FILE).unwrap_or_default();
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

    pub(crate) fn write(&self) {
        let counts = self.counts.iter();
        let lines = counts.map(|(path, count)| format!("{path}: {count:.1}\n"));
        let text = format!("{}\n{}", self.made_by, lines.collect::<String>());
        fs::write(FILE, text).expect("the directory is there");
    }
}

/// The compiler that Cargo takes here.
fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let output = output.expect("this was compiled with it");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
