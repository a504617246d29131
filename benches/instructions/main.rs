//! Fails if a hot path needs more instructions than its baseline: 5 % more is an error.
//!
//! `./bench --instructions` at the root counts them with `valgrind --tool=callgrind`, and those of
//! `fastrace` for the same work beside them. The baselines are `baseline.txt` beside this file,
//! `layer.txt` for what the feature `tracing` adds, and `fastrace.txt`. With `--renew` it writes
//! these files; do that in the same commit as the change that is worth it. A missed budget is
//! marked and is no error.
//!
//! A count is the same in every run, but another compiler or processor architecture gives other
//! counts. The first line of a baseline names both. On another one nothing is compared, which is
//! an error as well, so that a check which checks nothing does not go unnoticed: renew it before
//! the change, and check after it.

#![allow(clippy::print_stdout, reason = "a program that prints a table")]

mod baseline;
mod count;
mod paths;

use std::process::ExitCode;

use support::arguments::Arguments;
use support::table::{Table, number};

use crate::baseline::Baseline;
use crate::count::count_all;
use crate::paths::{Crate, PATHS};

/// How much more is allowed, in percent.
const TOLERANCE: f64 = 5.0;

const RENEW: &str = "`./bench --instructions --renew`";

/// A crate's committed counts, and those of today.
struct Counts {
    old: Baseline,
    new: Baseline,
}

fn main() -> ExitCode {
    let arguments = Arguments::read();
    let arguments: Vec<&str> = arguments.others.iter().map(String::as_str).collect();
    if let ["run", of, path] = arguments[..] {
        paths::run(of, path);
        return ExitCode::SUCCESS;
    }
    let [ours, theirs] = [Crate::Taskspan, Crate::Fastrace].map(Counts::of);
    print(&ours, &theirs);
    if arguments == ["--renew"] {
        for (of, counts) in [(Crate::Taskspan, &ours), (Crate::Fastrace, &theirs)] {
            // The layer has no counterpart.
            if !counts.new.counts.is_empty() {
                counts.new.write(of);
                println!("Wrote {}", baseline::file(of));
            }
        }
        return ExitCode::SUCCESS;
    }
    check(&ours, &theirs)
}

fn print(ours: &Counts, theirs: &Counts) {
    println!("## Instructions\n");
    let compared = PATHS.iter().any(|path| path.is_in(Crate::Fastrace));
    let more: &[&str] = if compared {
        &["fastrace", "budget"]
    } else {
        &[]
    };
    let mut table = Table::with_columns(["operation", "taskspan", "baseline"], more);
    let (mut budgets, mut met) = (0, 0);
    for path in PATHS {
        let now = ours.new.count(path.name);
        let mut cells = vec![path.name.to_owned(), number(now), ours.before(path.name)];
        if compared {
            cells.push(number(theirs.new.count(path.name)));
            cells.push(path.budget.map_or(String::new(), |budget| {
                budgets += 1;
                met += u32::from(now <= budget);
                let mark = if now <= budget { "met" } else { "missed" };
                format!("≤ {budget}, {mark}")
            }));
        }
        table.row(cells);
    }
    table.print();
    if budgets > 0 {
        println!("Budgets met: {met} of {budgets}.");
    }
}

/// Compares with the baselines. Only the one of taskspan decides.
fn check(ours: &Counts, theirs: &Counts) -> ExitCode {
    let (old, new) = (&ours.old, &ours.new);
    if old.made_by != new.made_by {
        println!(
            "Not comparable: the baseline is for {}, and this is {}. Renew it with {RENEW} where \
             nothing is changed yet, then check what is.",
            old.made_by, new.made_by
        );
        return ExitCode::FAILURE;
    }
    let moved = |change: f64| change.is_nan() || change.abs() > TOLERANCE;
    if theirs.changes().any(moved) {
        println!("The counts of fastrace are not those of its file. To update them: {RENEW}.");
    }
    let lost = old.counts.keys().find(|path| new.count(path).is_nan());
    if let Some(path) = lost {
        println!("\"{path}\" is in the baseline and is not counted. If that is meant: {RENEW}.");
        return ExitCode::FAILURE;
    }
    // A path that has no baseline yet has to get one.
    if ours
        .changes()
        .any(|change| change.is_nan() || change > TOLERANCE)
    {
        println!("Above the baseline by more than {TOLERANCE} %. If it is worth that: {RENEW}.");
        return ExitCode::FAILURE;
    }
    if ours.changes().any(|change| change < -TOLERANCE) {
        println!("Below the baseline by more than {TOLERANCE} %. To keep it there: {RENEW}.");
    }
    ExitCode::SUCCESS
}

impl Counts {
    fn of(of: Crate) -> Self {
        Self {
            old: Baseline::read(of),
            new: count_all(of),
        }
    }

    /// The baseline of a path, and how far from it the count is.
    fn before(&self, path: &str) -> String {
        let before = self.old.count(path);
        match self.change(path) {
            change if change.is_nan() => number(before),
            change => format!("{} ({change:+.1} %)", number(before)),
        }
    }

    /// In percent, `NAN` without a baseline.
    fn change(&self, path: &str) -> f64 {
        100.0 * (self.new.count(path) / self.old.count(path) - 1.0)
    }

    fn changes(&self) -> impl Iterator<Item = f64> {
        self.new.counts.keys().map(|path| self.change(path))
    }
}
