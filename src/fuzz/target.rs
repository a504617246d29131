//! Runs one parser on its inputs, and checks what it accepts, allocates and how long it takes.

use std::panic::{self, AssertUnwindSafe};
use std::thread;
use std::time::{Duration, Instant};

use super::input::{Inputs, run};

/// A parser of input from outside the process.
pub(super) struct Target<'a> {
    /// Inputs that it accepts, which are mutated.
    pub(super) valid: &'a [&'a [u8]],
    /// Pieces of its format, which are inserted in wrong places and numbers.
    pub(super) tokens: &'a [&'a str],
    /// Text before and after a long run of one token.
    pub(super) around: &'a [(&'a str, &'a str)],
    /// How many bytes may be allocated: for each byte of the input, and in addition.
    ///
    /// All of them count, even those that are freed meanwhile, and those of the checks in `read`.
    pub(super) allocated: (u64, u64),
    pub(super) read: Read,
}

/// Parses an input, returns whether it was accepted, and panics if the result is wrong.
pub(super) enum Read {
    Bytes(fn(&[u8]) -> bool),
    /// Bytes that are not UTF-8 are replaced before.
    Text(fn(&str) -> bool),
}

impl Target<'_> {
    /// Tries all inputs.
    pub(super) fn run(&self) {
        let inputs = Inputs::new(self.valid, self.tokens);
        let seed = variable("FUZZ_SEED").unwrap_or(0);
        let count = variable("FUZZ_INPUTS").unwrap_or(INPUTS);
        for input in self.valid {
            assert!(self.check(input), "{} is valid", input.escape_ascii());
        }
        let mut accepted = 0_u64;
        for number in seed..seed + count {
            let input = inputs.make(number);
            let check = AssertUnwindSafe(|| self.check(&input));
            accepted += u64::from(panic::catch_unwind(check).unwrap_or_else(|panic| {
                let shown = input.escape_ascii();
                eprintln!("FUZZ_SEED={number} FUZZ_INPUTS=1 makes this input: {shown}");
                panic::resume_unwind(panic)
            }));
        }
        let growth = self.check_time(&inputs);
        let thread = thread::current();
        let name = thread.name().unwrap_or_default();
        println!(
            "{name}: {count} inputs from number {seed} on, {accepted} of them accepted; \
             8 times the length takes up to 8 times {growth:.1} times as long"
        );
    }

    /// Reads an input, and checks how much is allocated for it.
    fn check(&self, input: &[u8]) -> bool {
        let text = String::from_utf8_lossy(input);
        let mut accepted = false;
        let (length, allocated) = match self.read {
            Read::Bytes(read) => {
                let allocated = allocation_counter::measure(|| accepted = read(input));
                (input.len(), allocated.bytes_total)
            }
            Read::Text(read) => {
                let allocated = allocation_counter::measure(|| accepted = read(&text));
                (text.len(), allocated.bytes_total)
            }
        };
        let (each, besides) = self.allocated;
        let limit = each * length as u64 + besides;
        assert!(
            allocated <= limit,
            "{allocated} bytes are allocated for {length}, over {limit}"
        );
        accepted
    }

    /// Checks how the time grows with the length of long runs of each token, and returns the worst
    /// of it.
    fn check_time(&self, inputs: &Inputs<'_>) -> f64 {
        let mut worst = 0.0_f64;
        for (before, after) in self.around.iter().copied().chain([("", "")]) {
            for token in inputs.tokens() {
                for numbered in [false, true] {
                    let growth = self.growth(|length| {
                        let run = run(token, length, numbered);
                        [before.as_bytes(), &run, after.as_bytes()].concat()
                    });
                    assert!(
                        growth < 4.0,
                        "8 times as much of {} between {before:?} and {after:?} takes \
                         8 times {growth:.1} times as long, numbered: {numbered}",
                        token.escape_ascii()
                    );
                    worst = worst.max(growth);
                }
            }
        }
        worst
    }

    /// How many times as long one run on a long input takes as eight runs on a short one, of an
    /// eighth of the length.
    ///
    /// It is once for a linear reader and 8 times for a quadratic one, on any
    /// machine.
    fn growth(&self, input: impl Fn(usize) -> Vec<u8>) -> f64 {
        let mut worst = 0.0_f64;
        // The first is for readers that refuse what is long.
        for length in [200, 1_600] {
            let (short, long) = (input(length), input(8 * length));
            let (mut short_time, mut long_time) = (Duration::MAX, Duration::MAX);
            let mut growth = f64::INFINITY;
            // What else the machine does can only make a run longer, so the least of several counts.
            // On a machine that is busy with other things that may take many of them.
            for run in 0..1_000 {
                short_time = short_time.min(self.time(&short, 8));
                long_time = long_time.min(self.time(&long, 1));
                growth = long_time.div_duration_f64(short_time.max(MEASURABLE));
                if growth < 1.5 || growth < 3.0 && run >= 30 {
                    break;
                }
            }
            worst = worst.max(growth);
            if short_time > MEASURABLE {
                break;
            }
        }
        worst
    }

    fn time(&self, input: &[u8], runs: u32) -> Duration {
        let text = String::from_utf8_lossy(input);
        let start = Instant::now();
        for _ in 0..runs {
            match self.read {
                Read::Bytes(read) => read(input),
                Read::Text(read) => read(&text),
            };
        }
        start.elapsed()
    }
}

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().expect(name))
}

/// Shorter times say more about the clock and the memory than about the reader.
const MEASURABLE: Duration = Duration::from_millis(1);

/// How many inputs each target is tried with.
const INPUTS: u64 = 50_000;
