//! The tables and the charts.

use std::io;
use std::path::Path;

use support::chart::{Bar, draw};
use support::meter::{Cost, Samples};
use support::table::{Table, number};

use crate::Row;
use crate::scenario::{Scenario, State};

/// How long operations take. The first of the peers is taskspan.
pub(crate) struct Times {
    pub(crate) peers: Vec<&'static str>,
    pub(crate) floor: Samples,
    pub(crate) rows: Vec<Row>,
    pub(crate) serialised: Vec<Row>,
}

/// What operations allocate.
pub(crate) struct Allocations {
    pub(crate) peers: Vec<&'static str>,
    pub(crate) rows: Vec<Row>,
    pub(crate) open: Row,
    pub(crate) polls: Row,
}

impl Times {
    pub(crate) fn print(&self) {
        println!("## Recording\n");
        println!(
            "Nanoseconds, medians over rounds in which all take turns. Two readings of the clock, \
             the floor, take {} ns here. A dash: there is no such thing.\n",
            number(self.floor.median())
        );
        table(&self.peers, &self.rows, |samples| number(samples.median())).print();
        self.faster();
        println!("### Writing JSON\n");
        self.serialised();
        println!("### Least, spread and ratios\n");
        println!("Spread: how far apart the middle half of the rounds lies.\n");
        self.details();
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

    fn serialised(&self) {
        let mut table = Table::new(["", "crate", "ns", "bytes", "MB/s"]);
        for row in &self.serialised {
            for (name, samples) in measured(&self.peers, row) {
                let bytes = samples.last.output;
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
            "median",
            "least",
            "spread",
            "× floor",
            "× taskspan",
        ]);
        for row in &self.rows {
            let ours = row.samples[0].as_ref().map_or(f64::NAN, Samples::median);
            for (name, samples) in measured(&self.peers, row) {
                table.row([
                    row.scenario.name().to_owned(),
                    row.state.name().to_owned(),
                    name.to_owned(),
                    number(samples.median()),
                    number(samples.least()),
                    format!("{:.0} %", samples.spread()),
                    number(samples.median() / self.floor.median()),
                    number(samples.median() / ours),
                ]);
            }
        }
        table.print();
    }

    pub(crate) fn draw(&self, directory: &Path) -> io::Result<()> {
        for (file, title, scenario) in CHARTS {
            let mut rows = self.rows.iter();
            let row = rows.find(|row| (row.scenario, row.state) == (scenario, State::Sampled));
            let samples = row.into_iter().flat_map(|row| measured(&self.peers, row));
            let floor = ("two clock readings", &self.floor);
            let bars = samples.chain([floor]).map(|(label, samples)| Bar {
                label: label.to_owned(),
                value: samples.median(),
            });
            draw(
                &directory.join(file),
                title,
                "ns",
                &bars.collect::<Vec<_>>(),
            )?;
        }
        Ok(())
    }
}

impl Allocations {
    pub(crate) fn print(&self) {
        println!("## Memory\n");
        println!("Allocations and bytes for one operation, on the thread that measures.\n");
        let cell = |samples: &Samples| {
            let Cost {
                allocations, bytes, ..
            } = samples.last;
            format!("{} · {} B", number(allocations), number(bytes))
        };
        table(&self.peers, &self.rows, cell).print();
        println!("### Bytes that stay until the transaction ends\n");
        let to_the_byte = |samples: &Samples| format!("{:.0}", samples.last.retained);
        table(&self.peers, [&self.open, &self.polls], to_the_byte).print();
    }
}

/// A row for each operation, and a column for each of the peers.
fn table<'a>(
    peers: &[&str],
    rows: impl IntoIterator<Item = &'a Row>,
    cell: impl Fn(&Samples) -> String,
) -> Table {
    let mut table = Table::with_columns(["operation", "state"], peers);
    for row in rows {
        let cells = row.samples.iter().map(|samples| match samples {
            Some(samples) => cell(samples),
            None => "–".to_owned(),
        });
        let names = [row.scenario.name(), row.state.name()].map(str::to_owned);
        table.row(names.into_iter().chain(cells));
    }
    table
}

/// The peers that have such a thing.
fn measured<'a>(
    peers: &'a [&'static str],
    row: &'a Row,
) -> impl Iterator<Item = (&'static str, &'a Samples)> {
    let pairs = peers.iter().copied().zip(&row.samples);
    pairs.filter_map(|(name, samples)| Some((name, samples.as_ref()?)))
}

const CHARTS: [(&str, &str, Scenario); 2] = [
    ("span.svg", "A span around a closure", Scenario::SyncSpan),
    (
        "future.svg",
        "A span around a future that is polled 11 times",
        Scenario::AsyncSpanPolled,
    ),
];
