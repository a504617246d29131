//! The connections of [sqlx](https://docs.rs/sqlx): queries as spans.
