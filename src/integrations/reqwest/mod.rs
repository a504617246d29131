//! A client of [reqwest](https://docs.rs/reqwest) whose requests are spans.
//!
//! reqwest has no place where a layer sees every request, so [`Client`] takes the place of
//! `reqwest::Client`. All else stays as it is: requests are built in the same way, errors are
//! `reqwest::Error`, and the response is a `reqwest::Response`, whose body is part of the span.
//!
//! ```
//! use taskspan::reqwest::Client; // instead of `reqwest::Client`
//!
//! # use taskspan::{Instrument, Options};
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), reqwest::Error> {
//! # let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
//! # let url = format!("http://{}/items", server.local_addr().unwrap());
//! # let app = axum::Router::new().route("/items", axum::routing::get(async || "[1, 2, 3]"));
//! # tokio::spawn(axum::serve(server, app).into_future());
//! # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
//! # async {
//! let http = Client::new();
//! let items: Vec<u32> = http.get(&url).query(&[("limit", 3)]).send().await?.json().await?;
//! assert_eq!(items, [1, 2, 3]);
//! # Ok(())
//! # }.in_transaction("task", "import").with_client(&client).await?;
//! # let tree = format!("task import (ok)\n  http.client GET {url} (ok)\n");
//! # assert_eq!(sent.tree(), tree);
//! # Ok(())
//! # }
//! ```
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
