//! A client of [reqwest](https://docs.rs/reqwest) whose requests are spans.
//!
//! reqwest has no place where a layer sees every request, so [`Client`] takes the place of
//! `reqwest::Client`. All else stays as it is: requests are built in the same way, errors are
//! `reqwest::Error`, and the response is a `reqwest::Response`, whose body is part of the span.
//!
#![cfg_attr(not(doctest), doc = include_str!("../examples/reqwest.md"))]
//!
//! A client that was built with options is wrapped, and [`redirects`] makes its redirects visible:
//!
//! ```
//! use reqwest::redirect::Policy;
//!
//! # fn main() -> Result<(), reqwest::Error> {
//! let client = reqwest::Client::builder()
//!     .user_agent("importer")
//!     .redirect(taskspan::reqwest::redirects(Policy::limited(3)));
//! let http = taskspan::reqwest::Client::from(client.build()?);
//! # drop(http);
//! # Ok(())
//! # }
//! ```
//!
//! Spans are `http.client`, named by method and URL without query, and last until the body of the
//! response has been read. They end as its status code says, as `internal_error` with an error, and
//! as `cancelled` if the response is dropped before it was read, unless its status code tells of a
//! failure. The trace goes along as [`outgoing_trace_to`](crate::outgoing_trace_to) has it, also
//! where nothing is recorded.
//!
//! # What is not seen
//!
//! * What other crates send through a `reqwest::Client` of their own, and the blocking client.
//! * The headers of a request go along with its redirects, and so does the trace: unchanged, and
//!   also to where it would not go otherwise, as reqwest takes out nothing but secrets.
//! * What `ClientBuilder::retry` sends again is one span with the first try. What the program sends
//!   again is a span for each.
//! * TLS, decompression and the like are up to the features of the program's own dependency on
//!   reqwest. Sizes of bodies are those after decompression.

mod client;
mod redirects;
mod request;

pub use self::client::{Client, get};
pub use self::redirects::redirects;
pub use self::request::RequestBuilder;
