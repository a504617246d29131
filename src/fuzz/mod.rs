//! Mutated and random input for everything that parses outside input.
//!
//! Each parser gets 50,000 inputs, the same ones in every run: valid ones with a few random
//! changes, and random bytes. No input may make it panic or allocate more than in proportion to
//! its length, and the result has to be right if it is accepted. Then it gets long runs of each
//! token that may slow it down, for which the time may only grow in proportion to the length.
//!
//! Each test prints how many inputs it tried. To try others:
//!
//! ```sh
//! FUZZ_INPUTS=5000000 FUZZ_SEED=50000 cargo nextest run fuzz
//! ```

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests that print what they tried"
)]

mod input;
mod options;
mod propagation;
mod rate_limits;
mod receiver;
mod target;
