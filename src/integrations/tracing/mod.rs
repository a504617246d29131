//! The layer of [tracing](https://docs.rs/tracing): spans of any library as spans.
