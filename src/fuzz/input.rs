//! Creates inputs: valid ones with a few random changes.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

/// All inputs for one target, by their numbers.
pub(super) struct Inputs<'a> {
    valid: &'a [&'a [u8]],
    tokens: Vec<&'a [u8]>,
}

impl<'a> Inputs<'a> {
    pub(super) fn new(valid: &'a [&'a [u8]], tokens: &[&'a str]) -> Self {
        let tokens = tokens.iter().map(|token| token.as_bytes());
        let tokens = tokens.chain(TOKENS.iter().copied()).collect();
        Self { valid, tokens }
    }

    /// The pieces that are inserted: those of the target's format and those that break parsers.
    pub(super) fn tokens(&self) -> &[&'a [u8]] {
        &self.tokens
    }

    /// Creates the input with this number, always the same.
    pub(super) fn make(&self, number: u64) -> Vec<u8> {
        let mut random = StdRng::seed_from_u64(number);
        let mut input = match random.random_ratio(1, 8) {
            true => Vec::new(),
            false => pick(self.valid, &mut random).to_vec(),
        };
        for _ in 0..random.random_range(1..=5) {
            self.change(&mut input, &mut random);
        }
        input.truncate(LONGEST);
        input
    }

    /// Replaces a part of the input, often an empty one.
    fn change(&self, input: &mut Vec<u8>, random: &mut StdRng) {
        let start = random.random_range(0..=input.len());
        let rest = input.len() - start;
        let length = match random.random_range(0..4) {
            0 => random.random_range(0..=rest),
            1 => rest.min(random.random_range(0..=8)),
            2 => rest.min(1),
            _ => 0,
        };
        let part = start..start + length;
        let token = pick(&self.tokens, random);
        let with = match random.random_range(0..8) {
            0 => Vec::new(),
            1 | 2 => token.to_vec(),
            3 => token.repeat(times(token, random)),
            4 => input[part.clone()].repeat(times(&input[part.clone()], random)),
            5 => {
                let other = pick(self.valid, random);
                let start = random.random_range(0..=other.len());
                other[start..].to_vec()
            }
            6 => vec![random.random(); length.max(1)],
            _ => vec![random.random_range(b' '..=b'~'); length.max(1)],
        };
        input.splice(part, with);
    }
}

/// A long run of one token, with or without a number after each.
pub(super) fn run(token: &[u8], length: usize, numbered: bool) -> Vec<u8> {
    let mut run = Vec::new();
    for number in 0.. {
        if run.len() >= length {
            break;
        }
        run.extend_from_slice(token);
        if numbered {
            run.extend_from_slice(number.to_string().as_bytes());
        }
    }
    run
}

fn pick<'a>(from: &[&'a [u8]], random: &mut StdRng) -> &'a [u8] {
    from.choose(random).copied().unwrap_or_default()
}

/// How often to repeat something: mostly a few times, rarely as often as there is room.
fn times(of: &[u8], random: &mut StdRng) -> usize {
    let most = if random.random_ratio(1, 32) { 14 } else { 5 };
    let times = 1 << random.random_range(1..=most);
    times.min(LONGEST / of.len().max(1))
}

/// The most bytes of an input: more than the limits of DSNs and `baggage`.
const LONGEST: usize = 12 * 1024;

/// Pieces that break parsers of any format.
const TOKENS: &[&[u8]] = &[
    b" ",
    b"\t",
    b"\n",
    b"\r\n",
    b"\0",
    b"\x7f",
    b"-",
    b"+",
    b".",
    b",",
    b";",
    b":",
    b"=",
    b"/",
    b"\\",
    b"\"",
    b"%",
    b"%zz",
    b"%41",
    b"%c3",
    // Characters of two to four bytes, one that changes the direction of
    // writing, and one that grows in lower case.
    "é".as_bytes(),
    "\u{202e}".as_bytes(),
    "\u{1f600}".as_bytes(),
    "\u{130}".as_bytes(),
    // Not UTF-8.
    b"\xff",
    b"\xc3",
    b"0",
    b"-1",
    b"1e309",
    b"1e-400",
    b"NaN",
    b"inf",
    b"18446744073709551615",
    b"18446744073709551616",
    b"9999999999999999999999999999999999999999",
];
