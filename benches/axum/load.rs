//! Requests by `wrk`, and what it says.

use std::process::Command;

#[derive(Debug)]
pub(crate) struct Load {
    /// Requests a second.
    pub(crate) rate: f64,
    /// Of the time until the answer, in milliseconds.
    pub(crate) median: f64,
    pub(crate) high: f64,
    /// Transactions that arrived meanwhile, a second.
    pub(crate) delivered: f64,
}

pub(crate) const CONNECTIONS: u32 = 32;

/// Sends requests for so many seconds.
pub(crate) fn run(address: &str, seconds: u64) -> Load {
    let output = Command::new("wrk")
        .args(["--threads", "1", "--latency"])
        .args(["--connections", &CONNECTIONS.to_string()])
        .args(["--duration", &format!("{seconds}s")])
        .arg(format!("http://{address}/items/7"))
        .output()
        .expect("wrk is installed; ./bench does that");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("Non-2xx"), "{text}");
    let after = |label: &str| text.split(label).nth(1)?.split_whitespace().next();
    let time = |label| after(label).and_then(milliseconds).unwrap_or(f64::NAN);
    Load {
        rate: after("Requests/sec:")
            .and_then(|n| n.parse().ok())
            .unwrap_or(f64::NAN),
        median: time("50%"),
        high: time("99%"),
        delivered: 0.0,
    }
}

/// Reads `417.00us`, `1.02ms` or `1.20s`.
fn milliseconds(text: &str) -> Option<f64> {
    let units = [("us", 1e-3), ("ms", 1.0), ("s", 1e3)];
    let found = units.into_iter().find(|(unit, _)| text.ends_with(unit));
    let (unit, factor) = found?;
    Some(factor * text.trim_end_matches(unit).parse::<f64>().ok()?)
}
