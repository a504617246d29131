//! Child processes that end, and what this process uses.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// This program again, with arguments that give it a part to play.
///
/// It is stopped when this is dropped, if it still runs then.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// `None` while somebody else reads it.
    stdout: Option<BufReader<ChildStdout>>,
}

/// How a child ended.
#[derive(Debug)]
pub struct Ended {
    /// What it printed.
    pub text: String,
    /// How long it ran, unless it had to be stopped.
    pub took: Option<Duration>,
}

impl Process {
    pub fn start(arguments: &[&str]) -> io::Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let stdout = Some(BufReader::new(stdout));
        Ok(Self { child, stdout })
    }

    /// What it prints up to the end of a line, without that.
    pub fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        let stdout = self.stdout.as_mut();
        stdout
            .ok_or(io::ErrorKind::BrokenPipe)?
            .read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    /// Waits until it ends, and stops it if it takes too long. It is an error if it fails.
    pub fn wait(mut self, patience: Duration) -> io::Result<Ended> {
        let start = Instant::now();
        // Whoever reads its input until the end gets to know that this is the end.
        drop(self.child.stdin.take());
        let mut stdout = self.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let reader = thread::spawn(move || {
            let mut text = String::new();
            let _ = stdout.read_to_string(&mut text);
            text
        });
        let mut took = None;
        while took.is_none() && start.elapsed() < patience {
            if let Some(status) = self.child.try_wait()? {
                if !status.success() {
                    return Err(io::Error::other(format!("the process failed: {status}")));
                }
                took = Some(start.elapsed());
            }
            thread::sleep(Duration::from_millis(10));
        }
        drop(self);
        let text = reader.join().unwrap_or_default();
        Ok(Ended { text, took })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing happens to one that has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The processor time that this process has used, in seconds, where the system tells.
pub fn cpu() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.filter_map(|n| n.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND
}

/// How much memory this process has, in MiB, where the system tells.
pub fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}
