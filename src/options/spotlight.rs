//! Whether Spotlight receives what the program sends.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt;

use http::Uri;
use url::{Host, Url};

use super::error::{Kind, OptionsError, redacted};
use super::variables::{Variable, parse_switch};
use crate::diagnostics::{self, Topic};

/// Whether and where [Spotlight](https://spotlightjs.com) is shown what a program sends.
///
/// It is what [`Options::spotlight`](crate::Options::spotlight) takes, also as `bool` or as the text of a URL.
///
/// ```
/// use taskspan::Spotlight;
///
/// assert_eq!(Spotlight::from(true), Spotlight::On);
/// assert_eq!(Spotlight::from(false), Spotlight::Off);
/// let url = "http://localhost:9000/stream";
/// assert_eq!(Spotlight::from(url), Spotlight::Url(url.to_owned()));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum Spotlight {
    /// Not at all, whatever the environment says.
    Off,
    /// At the URL in the environment, or else at `http://localhost:8969/stream`.
    On,
    /// At this URL, whatever the environment says.
    Url(String),
}

impl Spotlight {
    /// The URL of Spotlight, if it receives anything: by an option, and by the environment.
    pub(super) fn url(option: Option<&Self>) -> Result<Option<Uri>, OptionsError> {
        Self::url_with(option, |variable| std::env::var_os(variable))
    }

    fn url_with(
        option: Option<&Self>,
        lookup: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Uri>, OptionsError> {
        let on = match option {
            Some(Self::Off) => return Ok(None),
            Some(Self::Url(url)) => {
                if VARIABLE.is_set(lookup) {
                    diagnostics::once_in_any_case(&VARIABLE_OVERRIDDEN, None);
                }
                return parse_url("spotlight", url).map(Some);
            }
            Some(Self::On) => true,
            None => false,
        };
        let default = |on: bool| on.then(|| Uri::from_static(DEFAULT_URL));
        let url = VARIABLE.read(lookup, |field, text| match parse_switch(&text) {
            Some(switch) => Ok(default(on || switch)),
            None => parse_url(field, &text).map(Some),
        });
        Ok(url.unwrap_or_else(|| default(on)))
    }
}

impl fmt::Debug for Spotlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("Off"),
            Self::On => f.write_str("On"),
            Self::Url(url) => {
                // One with a password is refused, though only when a client is created.
                let shown = match parse_url("spotlight", url) {
                    Ok(_) => Cow::Borrowed(url.as_str()),
                    Err(_) => redacted(url),
                };
                f.debug_tuple("Url").field(&shown).finish()
            }
        }
    }
}

impl From<bool> for Spotlight {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

impl From<&str> for Spotlight {
    fn from(url: &str) -> Self {
        Self::Url(url.to_owned())
    }
}

impl From<String> for Spotlight {
    fn from(url: String) -> Self {
        Self::Url(url)
    }
}

/// Reads a URL that can be posted to.
fn parse_url(field: &'static str, text: &str) -> Result<Uri, OptionsError> {
    let usable = Url::parse(text).ok().filter(|url| {
        let is_http = ["http", "https"].contains(&url.scheme());
        // `1.2.3` is read as `1.2.0.3`.
        let is_as_written = match url.host() {
            Some(Host::Ipv4(ip)) => text.contains(&ip.to_string()),
            _ => true,
        };
        // They would not be sent.
        let has_user = !url.username().is_empty() || url.password().is_some();
        is_http && is_as_written && !has_user
    });
    usable
        .and_then(|url| url.as_str().parse().ok())
        .ok_or_else(|| OptionsError::secret(field, text, Kind::Url))
}

const DEFAULT_URL: &str = "http://localhost:8969/stream";

static VARIABLE: Variable = Variable::new("SENTRY_SPOTLIGHT");

static VARIABLE_OVERRIDDEN: Topic =
    Topic::new("`SENTRY_SPOTLIGHT` is ignored: the option `spotlight` names a URL");

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: &str = DEFAULT_URL;
    const URL: &str = "http://10.0.0.5:8969/stream";
    const ENV: &str = "https://spotlight.example/stream?a=b";

    /// Where Spotlight is by an option and the variable.
    fn url(option: Option<&Spotlight>, variable: Option<&str>) -> String {
        let lookup = |name: &str| {
            assert_eq!(name, "SENTRY_SPOTLIGHT");
            variable.map(Into::into)
        };
        match Spotlight::url_with(option, lookup) {
            Ok(Some(url)) => url.to_string(),
            Ok(None) => "off".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn option_and_variable_decide_together() {
        const ON: [&str; 7] = ["true", "t", "y", "yes", "on", "1", " YES \n"];
        const OFF: [&str; 7] = ["false", "f", "n", "no", "off", "0", "Off"];
        const UNSET: [&str; 2] = ["", " "];
        for (option, with_url, on, off, unset) in [
            (None, ENV, DEFAULT, "off", "off"),
            (Some(true.into()), ENV, DEFAULT, DEFAULT, DEFAULT),
            (Some(URL.into()), URL, URL, URL, URL),
            (Some(false.into()), "off", "off", "off", "off"),
        ] {
            let decided = |variable: Option<&str>| url(option.as_ref(), variable);
            assert_eq!(decided(None), unset, "{option:?}");
            assert_eq!(decided(Some(ENV)), with_url, "{option:?}");
            assert_eq!(decided(Some(&format!(" {ENV}\n"))), with_url, "{option:?}");
            for (values, expected) in [(&ON[..], on), (&OFF, off), (&UNSET, unset)] {
                for value in values {
                    assert_eq!(decided(Some(value)), expected, "{option:?} {value:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_url_is_an_error_in_the_option_and_ignored_in_the_variable() {
        for text in [
            "enabled",
            "true!",
            "localhost:8969",
            "/stream",
            "ftp://localhost/stream",
            "http://",
            "http://localhost:x/stream",
            "http://user:s3cr@localhost/stream",
            "http://10.5:8969/stream",
        ] {
            assert_eq!(url(None, Some(text)), "off", "{text}");
            assert_eq!(url(Some(&Spotlight::On), Some(text)), DEFAULT, "{text}");
            let error = url(Some(&text.into()), None);
            let end = "is not a URL that begins with `http://` or `https://`";
            assert!(error.starts_with("spotlight = "), "{error}");
            assert!(error.ends_with(end), "{error}");
            assert!(!error.contains("s3cr"), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_utf8_is_no_url() {
        use std::os::unix::ffi::OsStringExt;

        let lookup = |_: &str| Some(OsString::from_vec(b"http://h\xff/".to_vec()));
        assert_eq!(Spotlight::url_with(None, lookup), Ok(None));
    }

    #[test]
    fn nothing_shows_a_password() {
        let spotlight = Spotlight::from("http://user:s3cr@localhost/stream");
        let shown = format!("{spotlight:?}");
        assert_eq!(shown, r#"Url("http://***@localhost/stream")"#);
        let without = Spotlight::from("http://localhost:8969/stream");
        assert_eq!(
            format!("{without:?}"),
            r#"Url("http://localhost:8969/stream")"#
        );
    }
}
