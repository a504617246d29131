//! Commands whose children are spans.

use std::process::Command as StdCommand;

use tokio::process::Command as TokioCommand;

/// Makes spans of the children of a command. For `std::process::Command` and
/// `tokio::process::Command`.
pub trait TraceCommand: Sized {
    /// What starts the child, with a span and with the trace in its environment.
    ///
    /// It stands last, before `spawn`, `status` or `output`, and is for one child: a command that
    /// is used again is traced again.
    ///
    /// ```
    /// # use taskspan::{Instrument, Options};
    /// use taskspan::process::TraceCommand;
    /// use tokio::process::Command;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
    /// # async {
    /// let output = Command::new("echo").arg("thumbnail").traced().output().await?;
    /// assert_eq!(output.stdout, b"thumbnail\n");
    /// # std::io::Result::Ok(())
    /// # }.in_transaction("task", "import").with_client(&client).await?;
    /// # let tree = "task import (ok)\n  subprocess echo (ok)\n  subprocess.communicate echo (ok)\n";
    /// # assert_eq!(sent.tree(), tree);
    /// # Ok(())
    /// # }
    /// ```
    fn traced(&mut self) -> Traced<'_, Self>;
}

/// A command whose child will be a span. See [`TraceCommand::traced`].
#[derive(Debug)]
#[must_use = "nothing is started until `spawn`, `status` or `output` is called"]
pub struct Traced<'a, C> {
    pub(super) command: &'a mut C,
}

impl TraceCommand for StdCommand {
    fn traced(&mut self) -> Traced<'_, Self> {
        Traced { command: self }
    }
}

impl TraceCommand for TokioCommand {
    fn traced(&mut self) -> Traced<'_, Self> {
        Traced { command: self }
    }
}

/// A command of the standard library, or one that goes around that.
pub(super) trait AsStd {
    fn as_std(&self) -> &StdCommand;
    fn as_std_mut(&mut self) -> &mut StdCommand;
}

impl AsStd for StdCommand {
    fn as_std(&self) -> &StdCommand {
        self
    }

    fn as_std_mut(&mut self) -> &mut StdCommand {
        self
    }
}

impl AsStd for TokioCommand {
    fn as_std(&self) -> &StdCommand {
        self.as_std()
    }

    fn as_std_mut(&mut self) -> &mut StdCommand {
        self.as_std_mut()
    }
}
