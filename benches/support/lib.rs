//! What the benches share: measuring in rounds, tables, charts, child processes and a server.

pub mod arguments;
pub mod chart;
pub mod meter;
pub mod process;
pub mod server;
pub mod table;
