//! The arguments that all benches take: `--test` for a single quick pass, `--charts DIRECTORY`
//! to draw as well.

use std::env;
use std::path::PathBuf;

#[derive(Debug, Default)]
pub struct Arguments {
    /// Everything once and for a moment, to see that it works.
    pub test: bool,
    /// Where charts are drawn, if they are.
    pub charts: Option<PathBuf>,
    /// What only one of the benches knows.
    pub others: Vec<String>,
}

impl Arguments {
    pub fn read() -> Self {
        let mut read = Self::default();
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match &argument[..] {
                // Cargo passes it to every bench.
                "--bench" => {}
                "--test" => read.test = true,
                "--charts" => read.charts = arguments.next().map(PathBuf::from),
                _ => read.others.push(argument),
            }
        }
        read
    }
}
