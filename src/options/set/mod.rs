//! The setters of the options, one subject a file.

mod delivery;
mod filters;
mod identity;
mod network;
mod recording;
mod spotlight;
mod traces;
