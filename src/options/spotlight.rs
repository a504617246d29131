//! Whether Spotlight is shown what the program sends.

use std::ffi::OsString;

use http::Uri;
use url::Url;

use super::options::{Kind, Options, OptionsError, parse_switch, read_variable};
use crate::diagnostics::{self, Topic};

/// Whether and where [Spotlight](https://spotlightjs.com) is shown what a program sends.
///
/// It is what [`Options::spotlight`] takes, also as `bool` or as the text of a URL.
///
/// ```
/// use taskspan::Spotlight;
///
/// assert_eq!(Spotlight::from(true), Spotlight::On);
/// assert_eq!(Spotlight::from(false), Spotlight::Off);
/// let url = "http://localhost:9000/stream";
/// assert_eq!(Spotlight::from(url), Spotlight::Url(url.to_owned()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spotlight {
    /// Not at all, whatever the environment says.
    Off,
    /// At the URL in the environment, or else at `http://localhost:8969/stream`.
    On,
    /// At this URL, whatever the environment says.
    Url(String),
}

impl Options {
    /// Whether and where [Spotlight](https://spotlightjs.com), a viewer for development, is shown
    /// what the program sends.
    ///
    /// Every transaction is recorded then and goes to Spotlight, whatever the sampling decides,
    /// and also without a DSN. It is sent as it would be to Sentry, and a client report is sent
    /// too where there is one. What is sent to Sentry and to other services stays the same, and
    /// so do the numbers in a [`DeliveryReport`](crate::DeliveryReport), which know nothing of
    /// Spotlight.
    ///
    /// By default the variable `SENTRY_SPOTLIGHT` decides, which is read when a client is made.
    /// One of the words of [`SENTRY_DEBUG`](Self::from_env) stands for on or off, any other value
    /// for a URL, and without one it is off.
    ///
    /// | Option | `SENTRY_SPOTLIGHT` | Spotlight is at |
    /// |---|---|---|
    /// | unset | a URL | that URL |
    /// | unset | on | `http://localhost:8969/stream` |
    /// | unset | off, or unset | – |
    /// | `true` | a URL | that URL |
    /// | `true` | on, off, or unset | `http://localhost:8969/stream` |
    /// | a URL | anything | the URL of the option, with a warning if the variable is set |
    /// | `false` | anything | – |
    ///
    /// Spotlight is never waited for where the program does its work. Up to 8 MiB wait to be sent
    /// there, straight and through no proxy, one request at a time; what does not fit is dropped.
    /// Where Spotlight fails, or takes longer than 2 seconds, everything is dropped for a second,
    /// and after further failures twice as long each time, up to 60 seconds.
    ///
    /// The first failure in a process is said on standard error, and so is a variable that is of
    /// no use, both without [`debug`](Self::debug) as well. A URL that is set here and does not
    /// begin with `http://` or `https://` is an error when a client is made.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use taskspan::local::Receiver;
    /// use taskspan::{Client, Instrument, Options};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // A receiver in this process stands in for Spotlight.
    /// let receiver = Receiver::start().await?;
    /// let url = format!("http://{}/stream", receiver.local_addr());
    ///
    /// let client = Client::new(Options::default().spotlight(url))?;
    /// async {}.in_transaction("task", "t").with_client(&client).await;
    /// client.close(Duration::from_secs(2)).await;
    /// assert_eq!(receiver.transactions()[0].name, "t");
    /// # Ok(())
    /// # }
    /// ```
    pub fn spotlight(mut self, spotlight: impl Into<Spotlight>) -> Self {
        self.spotlight = Some(spotlight.into());
        self
    }

    /// Where Spotlight is, if it is shown anything.
    pub(crate) fn spotlight_url(&self) -> Result<Option<Uri>, OptionsError> {
        self.spotlight_url_with(|variable| std::env::var_os(variable))
    }

    fn spotlight_url_with(
        &self,
        lookup: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Uri>, OptionsError> {
        let variable = read_variable(lookup, VARIABLE);
        let on = match &self.spotlight {
            Some(Spotlight::Off) => return Ok(None),
            Some(Spotlight::Url(url)) => {
                if !matches!(variable, Ok(None)) {
                    diagnostics::once_in_any_case(&SPOTLIGHT_OPTION, None);
                }
                return parse_url(OPTION, url).map(Some);
            }
            Some(Spotlight::On) => true,
            None => false,
        };
        let default = |on: bool| on.then(|| Uri::from_static(DEFAULT_URL));
        let url = variable.and_then(|variable| match variable {
            None => Ok(default(on)),
            Some(text) => match parse_switch(&text) {
                Some(switch) => Ok(default(on || switch)),
                None => parse_url(VARIABLE, &text).map(Some),
            },
        });
        Ok(url.unwrap_or_else(|error| {
            // A tool for development is no reason for a program not to start.
            diagnostics::once_in_any_case(&SPOTLIGHT_VARIABLE, Some(&error));
            None
        }))
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
        // Nobody would be told of a user.
        is_http && url.username().is_empty() && url.password().is_none()
    });
    usable
        .and_then(|url| url.as_str().parse().ok())
        .ok_or_else(|| OptionsError::new(field, text, Kind::Url))
}

pub(super) const OPTION: &str = "spotlight";
pub(super) const VARIABLE: &str = "SENTRY_SPOTLIGHT";

const DEFAULT_URL: &str = "http://localhost:8969/stream";

static SPOTLIGHT_OPTION: Topic =
    Topic::new("`SENTRY_SPOTLIGHT` is not obeyed: the option `spotlight` names a URL");
static SPOTLIGHT_VARIABLE: Topic = Topic::new("Spotlight gets nothing");

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: &str = DEFAULT_URL;
    const URL: &str = "http://10.0.0.5:8969/stream";
    const ENV: &str = "https://spotlight.example/stream?a=b";

    /// Where Spotlight is by an option and the variable.
    fn url(option: Option<Spotlight>, variable: Option<&str>) -> String {
        let mut options = Options::disabled();
        options.spotlight = option;
        let lookup = |name: &str| {
            assert_eq!(name, "SENTRY_SPOTLIGHT");
            variable.map(Into::into)
        };
        match options.spotlight_url_with(lookup) {
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
            let decided = |variable: Option<&str>| url(option.clone(), variable);
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
    fn what_is_no_url_is_an_error_in_the_option_and_off_in_the_variable() {
        for text in [
            "enabled",
            "true!",
            "localhost:8969",
            "/stream",
            "ftp://localhost/stream",
            "http://",
            "http://localhost:x/stream",
            "http://user:s3cr@localhost/stream",
        ] {
            for option in [None, Some(Spotlight::On)] {
                assert_eq!(url(option, Some(text)), "off", "{text}");
            }
            let error = url(Some(text.into()), None);
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
        let url = Options::disabled().spotlight_url_with(lookup);
        assert_eq!(url, Ok(None));
    }
}
