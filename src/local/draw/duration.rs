//! Durations as people read them.

use std::time::Duration;

/// Three digits and a unit, or two units from a minute on.
pub(super) fn duration(duration: Duration) -> String {
    let micros = round_to_three_digits(duration.as_micros());
    let seconds = micros / 1_000_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let thousands = micros as f64 / 1e3;
    let millions = micros as f64 / 1e6;
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{thousands:.2} ms"),
        10_000..100_000 => format!("{thousands:.1} ms"),
        100_000..1_000_000 => format!("{thousands:.0} ms"),
        1_000_000..10_000_000 => format!("{millions:.2} s"),
        10_000_000..60_000_000 => format!("{millions:.1} s"),
        _ if hours == 0 => format!("{minutes}m {:02}s", seconds % 60),
        _ if days == 0 => format!("{hours}h {:02}m", minutes % 60),
        _ => format!("{days}d {:02}h", hours % 24),
    }
}

/// Rounds durations of less than a minute.
fn round_to_three_digits(micros: u128) -> u128 {
    let unit = match micros {
        0..1_000 => 1,
        1_000..10_000 => 10,
        10_000..100_000 => 100,
        100_000..1_000_000 => 1_000,
        1_000_000..10_000_000 => 10_000,
        10_000_000..60_000_000 => 100_000,
        _ => 1_000_000,
    };
    (micros + unit / 2) / unit * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_a_unit() {
        for (micros, text) in [
            (0, "0 µs"),
            (999, "999 µs"),
            (1_000, "1.00 ms"),
            (1_234, "1.23 ms"),
            (9_994, "9.99 ms"),
            (9_996, "10.0 ms"),
            (48_249, "48.2 ms"),
            (99_950, "100 ms"),
            (999_499, "999 ms"),
            (999_500, "1.00 s"),
            (9_994_999, "9.99 s"),
            (59_949_999, "59.9 s"),
            (59_950_000, "1m 00s"),
            (3_599_000_000, "59m 59s"),
            (3_599_500_000, "1h 00m"),
            (86_399_000_000, "23h 59m"),
            (90_000_000_000, "1d 01h"),
        ] {
            assert_eq!(duration(Duration::from_micros(micros)), text, "{micros}");
        }
        assert_eq!(duration(Duration::MAX), "213503982334601d 07h");
    }
}
