//! Points in time as every known reader takes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

/// A point in time, written as an RFC 3339 string in UTC with six decimals and a `Z`.
///
/// Strict readers refuse a whole envelope for a number with decimals in the
/// place of an end time; this form passes all of them. Times before 1970 or
/// after 9999 cannot be written and are moved to that bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(SystemTime);

impl Timestamp {
    /// The time as the standard library has it.
    pub fn as_system_time(self) -> SystemTime {
        self.0
    }

    /// The time that passed from `earlier` to this one, zero if there was none.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        self.0.duration_since(earlier.0).unwrap_or_default()
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(UNIX_EPOCH + since_epoch.min(LATEST))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_rfc3339_micros(self.0))
    }
}

/// 9999-12-31T23:59:59Z: four digits are all that RFC 3339 has for a year.
const LATEST: Duration = Duration::from_secs(253_402_300_799);

#[cfg(test)]
mod tests {
    use super::*;

    fn written(time: SystemTime) -> String {
        serde_json::to_string(&Timestamp::from(time)).unwrap()
    }

    #[test]
    fn six_decimals_and_a_zone() {
        let time = UNIX_EPOCH + Duration::new(1_795_169_730, 101_250_999);
        assert_eq!(written(time), r#""2026-11-20T10:15:30.101250Z""#);
    }

    #[test]
    fn times_out_of_range_are_moved_to_the_bound() {
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(written(before), r#""1970-01-01T00:00:00.000000Z""#);
        let after = UNIX_EPOCH + LATEST + Duration::from_secs(1_000_000);
        assert_eq!(written(after), r#""9999-12-31T23:59:59.000000Z""#);
    }
}
