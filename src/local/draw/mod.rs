//! Received transactions, drawn in a terminal.

mod axis;
mod duration;
mod line;
mod terminal;
mod text;
mod tree;
mod waterfall;

pub use self::waterfall::Waterfall;
