//! Fails when the paths that everybody takes need more instructions than they did.
//!
//! `./bench --instructions` at the root counts them with `valgrind --tool=callgrind` and compares
//! with `baseline.txt` beside this file, and with `layer.txt` for what the feature `tracing` adds:
//! more than 5 % more is an error. With `--renew` it writes these files, which is to be done with a change that is worth it, in the same commit.
//!
//! A count is the same every time, but another compiler or processor architecture makes other
//! ones. The baseline says for which it is. Elsewhere nothing is compared, which is an error as
//! well, so that a check which checks nothing does not go unnoticed: renew it before the change,
//! and check after it.

#![allow(clippy::print_stdout, reason = "a program that tells what it found")]

mod baseline;
mod paths;

use std::env;
use std::process::{Command, ExitCode};

use support::arguments::Arguments;
use support::table::{Table, number};

use crate::baseline::Baseline;
use crate::paths::PATHS;

/// How much more is allowed, in percent.
const TOLERANCE: f64 = 5.0;

fn main() -> ExitCode {
    let arguments = Arguments::read();
    match arguments
        .others
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()[..]
    {
        ["run", path] => paths::run(path),
        ["--renew"] => {
            Baseline::new(count_all()).write();
            println!("Wrote {}", baseline::FILE);
        }
        _ => return check(),
    }
    ExitCode::SUCCESS
}

fn check() -> ExitCode {
    let (old, new) = (Baseline::read(), Baseline::new(count_all()));
    let mut table = Table::new(["instructions", "baseline", "now", "change"]);
    let (mut worse, mut better) = (false, false);
    for (path, now) in &new.counts {
        let before = old.counts.get(path).copied().unwrap_or(f64::NAN);
        let change = 100.0 * (now / before - 1.0);
        // A path that has no baseline yet has to get one.
        worse |= change.is_nan() || change > TOLERANCE;
        better |= change < -TOLERANCE;
        table.row([
            path.clone(),
            number(before),
            number(*now),
            format!("{change:+.1} %"),
        ]);
    }
    println!("## Instructions\n");
    table.print();
    let renew = "`./bench --instructions --renew`";
    if old.made_by != new.made_by {
        println!(
            "Not comparable: the baseline is for {}, and this is {}. Renew it with {renew} where \
             nothing is changed yet, then check what is.",
            old.made_by, new.made_by
        );
        return ExitCode::FAILURE;
    }
    if worse {
        println!("Above the baseline by more than {TOLERANCE} %. If it is worth that: {renew}.");
        return ExitCode::FAILURE;
    }
    if better {
        println!("Below the baseline by more than {TOLERANCE} %. To keep it there: {renew}.");
    }
    ExitCode::SUCCESS
}

fn count_all() -> Vec<(String, f64)> {
    let paths = PATHS.iter();
    paths
        .map(|path| (path.name.to_owned(), count(path.name)))
        .collect()
}

/// How many instructions one operation needs.
fn count(path: &str) -> f64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        // Nothing but what the function of that name does.
        .arg("--toggle-collect=*paths::measured*")
        .arg(env::current_exe().expect("it runs"))
        .args(["run", path])
        .output()
        .expect("valgrind is installed; ./bench does that");
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.split("Collected :").nth(1);
    let collected = collected.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    match collected {
        Some(instructions) if instructions > 0.0 => instructions / f64::from(paths::TIMES),
        _ => panic!("callgrind counted nothing:\n{text}"),
    }
}
