//! Counting instructions with callgrind.

use std::env;
use std::process::Command;

use crate::baseline::Baseline;
use crate::paths::{Crate, PATHS, Path};

/// Counts every path that a crate has.
pub(crate) fn count_all(of: Crate) -> Baseline {
    let paths = PATHS.iter().filter(|path| path.is_in(of));
    Baseline::new(paths.map(|path| (path.name.to_owned(), count(of, path))))
}

/// How many instructions one operation needs.
fn count(of: Crate, path: &Path) -> f64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        // Only what the function of this name does, on its thread.
        .arg("--toggle-collect=*paths::measured*")
        .arg(env::current_exe().expect("it runs"))
        .args(["run", of.name(), path.name])
        .output()
        .expect("valgrind is installed; ./bench does that");
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.split("Collected :").nth(1);
    let collected = collected.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    match collected {
        Some(instructions) if instructions > 0.0 => instructions / f64::from(path.times),
        _ => panic!("callgrind counted nothing:\n{text}"),
    }
}
