//! Why a value of an option cannot be used.

use std::borrow::Cow;
use std::fmt;

use crate::http::PemError;
use crate::protocol::fields::shortened;
use crate::protocol::{ParseDsnError, Refusal};

/// The error returned when an option has a value that cannot be used.
///
/// Its message names the option, shows the value and says what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionsError {
    /// The name of an option or of an environment variable.
    field: &'static str,
    /// What is shown of the value: shortened, and without anything secret.
    value: String,
    kind: Kind,
}

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Dsn(ParseDsnError),
    NotUtf8,
    Rate,
    Switch,
    Zero,
    Refused(Refusal),
    Proxy,
    Url,
    File(PemError),
}

impl OptionsError {
    /// An error about a value that may be shown, unless it is a URL: then it is in the wrong place.
    pub(super) fn new(field: &'static str, value: &str, kind: Kind) -> Self {
        let value = match value.contains("://") {
            true => redacted(value),
            false => Cow::Borrowed(value),
        };
        Self {
            field,
            value: shortened(&value, MAX_SHOWN),
            kind,
        }
    }

    /// An error about a value that may have a key or a password in it.
    pub(super) fn secret(field: &'static str, value: &str, kind: Kind) -> Self {
        Self {
            field,
            value: shortened(&redacted(value), MAX_SHOWN),
            kind,
        }
    }

    /// The name of the option, or of the environment variable that sets it.
    pub fn field(&self) -> &str {
        self.field
    }

    /// What is shown of the value: shortened, and without the keys of a DSN or the user of a URL.
    ///
    /// If the value is a pair of files, it is the one that is wrong.
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {:?} ", self.field, self.value)?;
        match self.kind {
            Kind::Dsn(error) => write!(f, "is not a DSN: {error}"),
            Kind::NotUtf8 => f.write_str("is not UTF-8"),
            Kind::Rate => f.write_str("is not a number from 0 to 1"),
            Kind::Switch => f.write_str("is neither `true` nor `false`"),
            Kind::Zero => f.write_str("has to be more than zero"),
            Kind::Refused(refusal) => refusal.fmt(f),
            Kind::Proxy => f.write_str("is not the URL of an HTTP proxy"),
            Kind::Url => f.write_str("is not a URL that begins with `http://` or `https://`"),
            Kind::File(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OptionsError {}

/// Hides whatever may be a key or a password in something that was meant to be a URL.
pub(super) fn redacted(text: &str) -> Cow<'_, str> {
    let keys = text.find("://").map_or(0, |index| index + 3);
    if let Some(end) = text.rfind('@').filter(|&end| end >= keys) {
        return Cow::Owned(format!("{}***{}", &text[..keys], &text[end..]));
    }
    // Without a host to tell it from, a secret key looks like a port.
    match text[keys..].find(':') {
        Some(colon) => Cow::Owned(format!("{}:***", &text[..keys + colon])),
        None => Cow::Borrowed(text),
    }
}

/// How many characters of a value an error shows.
const MAX_SHOWN: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        for (text, shown) in [
            ("https://k:s3cr@/1", "https://***@/1"),
            ("https://k:s3cr@h:0/1", "https://***@h:0/1"),
            ("https://k:s3/cr@h/1", "https://***@h/1"),
            ("https://k:s3@cr@h/1", "https://***@h/1"),
            ("https://k:s3?cr@h/1", "https://***@h/1"),
            ("https:/k:s3cr@h/1", "***@h/1"),
            ("k:s3cr@h/1", "***@h/1"),
            ("https://k:s3cr/1", "https://k:***"),
            ("@://k:s3cr/1", "@://k:***"),
            ("k:s3cr", "k:***"),
            ("garbage", "garbage"),
        ] {
            let error = OptionsError::secret("dsn", text, Kind::Url);
            assert_eq!(error.value(), shown);
            assert_eq!(error.field(), "dsn");
            for text in [format!("{error}"), format!("{error:?}")] {
                assert!(!text.contains("s3"), "{text}");
            }
        }
    }

    #[test]
    fn a_dsn_in_the_wrong_place_is_a_secret_too() {
        let error = OptionsError::new("release", "https://k:s3cr@h/1", Kind::Rate);
        assert_eq!(error.value(), "https://***@h/1");
        let error = OptionsError::new("release", "shop@2.3.1", Kind::Rate);
        assert_eq!(error.value(), "shop@2.3.1");
    }

    #[test]
    fn a_message_is_one_short_line() {
        let error = OptionsError::new("release", &"é\n".repeat(10_000), Kind::NotUtf8);
        assert_eq!(error.value().chars().count(), MAX_SHOWN + 1);
        assert!(!error.to_string().contains('\n'));
    }
}
