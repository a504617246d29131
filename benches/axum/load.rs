//! Requests by `wrk` and `h2load`, and what they say.

use std::fs;
use std::process::Command;

use support::meter::quantile;

#[derive(Debug, Default)]
pub(crate) struct Load {
    /// Requests a second.
    pub(crate) rate: f64,
    /// Of the time until the answer, in milliseconds.
    pub(crate) median: f64,
    pub(crate) high: f64,
}

pub(crate) const CONNECTIONS: u32 = 32;

/// As many requests as the service answers, for so many seconds.
pub(crate) fn saturate(address: &str, seconds: u64) -> Load {
    let output = Command::new("wrk")
        .args(["--threads", "1", "--latency"])
        .args(["--connections", &CONNECTIONS.to_string()])
        .args(["--duration", &format!("{seconds}s")])
        .arg(url(address))
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
    }
}

/// So many requests a second, evenly spread, for so many seconds.
pub(crate) fn steadily(address: &str, rate: u32, seconds: u64) -> Load {
    let log = std::env::temp_dir().join(format!("taskspan-bench-{}.log", std::process::id()));
    let _ = fs::remove_file(&log);
    let ended = Command::new("h2load")
        .args(["--h1", "--clients", &CONNECTIONS.to_string()])
        .args(["--duration", &seconds.to_string()])
        .args(["--rps", &(rate / CONNECTIONS).to_string()])
        .arg("--log-file")
        .arg(&log)
        .arg(url(address))
        .output()
        .expect("h2load is installed; ./bench does that");
    let text = fs::read_to_string(&log).unwrap_or_default();
    let _ = fs::remove_file(&log);
    // Start, status and microseconds, with tabs between them.
    let mut times: Vec<f64> = text
        .lines()
        .filter_map(|line| line.split('\t').nth(2)?.parse().ok())
        .collect();
    assert!(
        !times.is_empty(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    times.sort_by(f64::total_cmp);
    Load {
        rate: times.len() as f64 / seconds as f64,
        median: quantile(&times, 0.5) / 1e3,
        high: quantile(&times, 0.99) / 1e3,
    }
}

fn url(address: &str) -> String {
    format!("http://{address}/items/7")
}

/// Reads `417.00us`, `1.02ms` or `1.20s`.
fn milliseconds(text: &str) -> Option<f64> {
    let units = [("us", 1e-3), ("ms", 1.0), ("s", 1e3)];
    let found = units.into_iter().find(|(unit, _)| text.ends_with(unit));
    let (unit, factor) = found?;
    Some(factor * text.trim_end_matches(unit).parse::<f64>().ok()?)
}
