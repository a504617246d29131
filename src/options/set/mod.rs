//! The setters of the options, one subject a file.

mod filters;
