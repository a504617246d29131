//! The layer of [apalis](https://docs.rs/apalis): jobs as transactions.
