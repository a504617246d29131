//! Child processes as spans, with the trace in their environment.
//!
//! [`traced`](TraceCommand::traced) goes before what starts the child, for `tokio::process::Command`
//! and `std::process::Command` alike. All before that stays as it is, and so do errors, output and
//! exit status.
//!
//! ```
//! # use std::process::Stdio;
//! # use tokio::io::AsyncWriteExt;
//! use taskspan::process::TraceCommand;
//! use tokio::process::Command;
//!
//! # use taskspan::{Instrument, Options};
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
//! # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
//! # async {
//! let mut sort = Command::new("sort");
//! sort.stdin(Stdio::piped()).stdout(Stdio::piped());
//! let mut child = sort.traced().spawn()?;
//!
//! child.stdin.take().unwrap().write_all(b"b\na\n").await?;
//! let output = child.wait_with_output().await?;
//! assert_eq!(output.stdout, b"a\nb\n");
//! # std::io::Result::Ok(())
//! # }.in_transaction("task", "import").with_client(&client).await?;
//! # let tree = "task import (ok)\n  subprocess sort (ok)\n  subprocess.communicate sort (ok)\n";
//! # assert_eq!(sent.tree(), tree);
//! # Ok(())
//! # }
//! ```
//!
//! # Spans
//!
//! | `op` | Lasts |
//! |---|---|
//! | `subprocess` | until the child has started |
//! | `subprocess.wait` | as long as somebody waits for its end |
//! | `subprocess.communicate` | as long as somebody waits for its end and all of its output |
//!
//! They are described by the name of the program. Its arguments, which may hold secrets, are told
//! only with [`send_default_pii`](crate::Options::send_default_pii), and then the first 200
//! characters of the first 100. What is written and read is never told.
//!
//! Whoever waits for a child that has failed or was ended by a signal has a span that ends as
//! `internal_error`, with the exit code or the signal; it is `cancelled` if the waiting was given
//! up. A child that can't be started is `not_found`, `permission_denied` or `internal_error`.
//!
//! `output` of the standard library is one `subprocess` from the start of the child to its end.
//!
//! # The trace
//!
//! The child is told of the trace by the variables `SENTRY_TRACE` and `SENTRY_BAGGAGE`, below the
//! `subprocess`, also where nothing is recorded. A client in the child
//! [continues it](crate::IncomingTrace::from_env) by itself. It gets what
//! [`outgoing_trace`](crate::outgoing_trace) says, to which
//! [`trace_propagation_targets`](crate::Options::trace_propagation_targets) don't apply, as a
//! program has no URL. A command that sets one of the variables to something of its own keeps both
//! as they are. After `env_clear` the child has them all the same.
//!
//! # What is not seen
//!
//! * Children that are started without `traced`, by this program or by others.
//! * How a child has ended that nobody waits for, or only with `try_wait`.
//! * What is done with the child after `into_inner`, and what replaces this process (`exec`).
//!
//! A child that is waited for outside of the transaction in which it was started is told in the
//! other one; if nothing was recorded where it was started, as `child process`.

mod command;
mod environment;
mod program;
mod std_child;
mod tokio_child;

pub use self::command::{TraceCommand, Traced};
pub use self::std_child::StdChild;
pub use self::tokio_child::TokioChild;
