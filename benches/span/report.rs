//! The tables and the charts.

use std::io;
use std::path::Path;

use support::chart::{Bar, draw};
use support::meter::Samples;
use support::table::{Table, number};

use crate::Row;
use crate::scenario::{Scenario, State};

/// Everything that was measured. The first of the peers is taskspan.
pub(crate) struct Report {
    pub(crate) peers: Vec<&'static str>,
    pub(crate) floor: Samples,
    pub(crate) rows: Vec<Row>,
    pub(crate) retained: Vec<Row>,
}

impl Report {
    pub(crate) fn print(&self) {
        println!("## Recording\n");
        println!(
            "Nanoseconds, medians over rounds in which all take turns. Two readings of the clock, \
             the floor, take {} ns here. A dash: there is no such thing.\n",
            number(self.floor.median())
        );
        self.medians();
        self.faster();
        println!("### Bytes that stay until the transaction ends\n");
        self.retained();
        println!("### Writing JSON\n");
        self.serialised();
        println!("### Everything about each operation\n");
        println!(
            "Spread: how far apart the middle half of the rounds lies. Allocations and bytes: on \
             the thread that measures, for one operation.\n"
        );
        self.details();
    }

    /// One row for each operation.
    fn medians(&self) {
        let mut table = Table::with_columns(["operation", "state"], &self.peers);
        for row in self.timed() {
            let cells = row.samples.iter().map(|samples| match samples {
                Some(samples) => number(samples.median()),
                None => "–".to_owned(),
            });
            let names = [row.scenario.name(), row.state.name()].map(str::to_owned);
            table.row(names.into_iter().chain(cells));
        }
        table.print();
    }

    /// Where taskspan is not the fastest.
    fn faster(&self) {
        let mut lines = Vec::new();
        for row in &self.rows {
            let Some((Some(ours), others)) = row.samples.split_first() else {
                continue;
            };
            for (name, samples) in self.peers[1..].iter().zip(others) {
                if let Some(theirs) = samples
                    && theirs.median() < ours.median()
                {
                    lines.push(format!(
                        "* {}, {}: `{name}` {} ns, taskspan {} ns",
                        row.scenario.name(),
                        row.state.name(),
                        number(theirs.median()),
                        number(ours.median()),
                    ));
                }
            }
        }
        if !lines.is_empty() {
            println!("Faster than taskspan:\n\n{}\n", lines.join("\n"));
        }
    }

    fn retained(&self) {
        let mut table = Table::with_columns(["of each"], &self.peers);
        for row in &self.retained {
            let cells = row.samples.iter().map(|samples| match samples {
                // To the byte: less is the granularity of pages.
                Some(samples) => format!("{:.0}", samples.allocated.retained),
                None => "–".to_owned(),
            });
            let name = row.scenario.name().to_owned();
            table.row([name].into_iter().chain(cells));
        }
        table.print();
    }

    fn serialised(&self) {
        let mut table = Table::new(["", "crate", "ns", "bytes", "MB/s"]);
        for row in self.rows.iter().filter(|row| row.is_written()) {
            for (name, samples) in self.measured(row) {
                let bytes = samples.allocated.output;
                table.row([
                    row.scenario.name().to_owned(),
                    name.to_owned(),
                    number(samples.median()),
                    number(bytes),
                    number(1e3 * bytes / samples.median()),
                ]);
            }
        }
        table.print();
    }

    fn details(&self) {
        let mut table = Table::new([
            "operation",
            "state",
            "crate",
            "median ns",
            "least",
            "spread",
            "× floor",
            "× taskspan",
            "allocations",
            "bytes",
        ]);
        for row in self.timed() {
            let ours = row.samples[0].as_ref().map_or(f64::NAN, Samples::median);
            for (name, samples) in self.measured(row) {
                // What the threads of a runtime allocate is not known.
                let known = row.scenario != Scenario::EightTasks;
                let count = |n: f64| if known { number(n) } else { "–".to_owned() };
                table.row([
                    row.scenario.name().to_owned(),
                    row.state.name().to_owned(),
                    name.to_owned(),
                    number(samples.median()),
                    number(samples.least()),
                    format!("{:.0} %", samples.spread()),
                    number(samples.median() / self.floor.median()),
                    number(samples.median() / ours),
                    count(samples.allocated.allocations),
                    count(samples.allocated.bytes),
                ]);
            }
        }
        table.print();
    }

    pub(crate) fn draw(&self, directory: &Path) -> io::Result<()> {
        let of = |scenario, state| {
            let row = self.rows.iter();
            row.filter(move |row| (row.scenario, row.state) == (scenario, state))
                .flat_map(|row| self.measured(row))
                .map(|(name, samples)| Bar {
                    label: name.to_owned(),
                    value: samples.median(),
                })
                .collect::<Vec<_>>()
        };
        for (file, title, scenario) in [
            ("span.svg", "A span around a closure", Scenario::SyncSpan),
            (
                "future.svg",
                "A span around a future that is polled 11 times",
                Scenario::AsyncSpanPolled,
            ),
        ] {
            let mut bars = of(scenario, State::Sampled);
            bars.push(Bar {
                label: "two clock readings".to_owned(),
                value: self.floor.median(),
            });
            draw(&directory.join(file), title, "ns", &bars)?;
        }
        Ok(())
    }

    fn timed(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| !row.is_written())
    }

    fn measured<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = (&'static str, &'a Samples)> {
        let pairs = self.peers.iter().copied().zip(&row.samples);
        pairs.filter_map(|(name, samples)| Some((name, samples.as_ref()?)))
    }
}

impl Row {
    fn is_written(&self) -> bool {
        matches!(self.scenario, Scenario::Serialise(_))
    }
}
