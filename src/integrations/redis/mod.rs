//! The connections of [redis](https://docs.rs/redis): commands as spans.
