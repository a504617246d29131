//! Points in time as SDKs write them: numbers, and strings in several dresses.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

/// Reads seconds since 1970, or an RFC 3339 string in which the zone may be missing.
///
/// Returns `None` for anything else, and for times before 1970 or after 9999.
pub(super) fn parse_timestamp(value: &Value) -> Option<SystemTime> {
    match value {
        Value::Number(seconds) => from_seconds(seconds.as_f64()?),
        Value::String(text) => from_text(text),
        _ => None,
    }
}

fn from_seconds(seconds: f64) -> Option<SystemTime> {
    let exact = Duration::try_from_secs_f64(seconds).ok()?;
    // Floats of this size are off by a fraction of a microsecond.
    let micros = (exact + Duration::from_nanos(500)).as_micros();
    let rounded = Duration::from_micros(u64::try_from(micros).ok()?);
    (rounded < END).then(|| UNIX_EPOCH + rounded)
}

fn from_text(text: &str) -> Option<SystemTime> {
    let text = text.to_ascii_uppercase();
    let (local, zone) = split_zone(&text)?;
    let local = humantime::parse_rfc3339_weak(local).ok()?;
    let since_epoch = local.duration_since(UNIX_EPOCH).ok()?;
    let utc = match zone {
        Zone::Ahead(offset) => since_epoch.checked_sub(offset)?,
        Zone::Behind(offset) => since_epoch + offset,
    };
    (utc < END).then(|| UNIX_EPOCH + utc)
}

/// Where a local time is from UTC.
enum Zone {
    Ahead(Duration),
    Behind(Duration),
}

/// Takes `Z` or an offset such as `+02:00` off the end. No zone is UTC.
fn split_zone(text: &str) -> Option<(&str, Zone)> {
    const UTC: Zone = Zone::Ahead(Duration::ZERO);
    if let Some(local) = text.strip_suffix('Z') {
        return Some((local, UTC));
    }
    // Up to here there are dashes between the parts of the date.
    let time = text.find(['T', ' '])?;
    let Some(sign) = text[time..].find(['+', '-']) else {
        return Some((text, UTC));
    };
    let (local, offset) = text.split_at(time + sign);
    let (hours, minutes) = offset[1..].split_once(':')?;
    let number = |digits: &str, end: u64| {
        let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number: Option<u64> = plain.then(|| digits.parse().ok()).flatten();
        number.filter(|number| *number < end)
    };
    let seconds = number(hours, 24)? * 3_600 + number(minutes, 60)? * 60;
    let offset = Duration::from_secs(seconds);
    if text[time + sign..].starts_with('+') {
        Some((local, Zone::Ahead(offset)))
    } else {
        Some((local, Zone::Behind(offset)))
    }
}

/// The first second of the year 10000.
const END: Duration = Duration::from_secs(253_402_300_800);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_of_one_time_is_read() {
        let expected = UNIX_EPOCH + Duration::from_micros(1_795_169_730_101_250);
        for value in [
            json!(1_795_169_730.101_25),
            json!(1_795_169_730.101_250_1),
            json!("2026-11-20T10:15:30.101250Z"),
            json!("2026-11-20t10:15:30.10125z"),
            json!("2026-11-20T10:15:30.101250000+00:00"),
            json!("2026-11-20T10:15:30.101250"),
            json!("2026-11-20 10:15:30.101250"),
            json!("2026-11-20T12:45:30.101250+02:30"),
            json!("2026-11-20T02:15:30.101250-08:00"),
        ] {
            assert_eq!(parse_timestamp(&value), Some(expected), "{value}");
        }
        assert_eq!(
            parse_timestamp(&json!(1_795_169_730)),
            Some(UNIX_EPOCH + Duration::from_secs(1_795_169_730)),
        );
        assert_eq!(parse_timestamp(&json!(0)), Some(UNIX_EPOCH));
    }

    #[test]
    fn everything_else_is_refused() {
        for value in [
            json!(null),
            json!(true),
            json!({}),
            json!(-1),
            json!(-0.001),
            json!(1e300),
            json!(u64::MAX),
            json!(253_402_300_800_u64),
            json!(""),
            json!("yesterday"),
            json!("2026-11-20"),
            json!("1969-12-31T23:59:59Z"),
            json!("1970-01-01T00:00:00+01:00"),
            json!("9999-12-31T23:59:59-01:00"),
            json!("2026-11-20T10:15:30+2:00"),
            json!("2026-11-20T10:15:30++1:00"),
            json!("2026-11-20T10:15:30+24:00"),
            json!("2026-11-20T10:15:30+é:00"),
            json!("2026-13-20T10:15:30Z"),
            json!("é026-11-20T10:15:30Z"),
        ] {
            assert_eq!(parse_timestamp(&value), None, "{value}");
        }
    }
}
