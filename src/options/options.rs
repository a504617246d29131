//! How a client is set up.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::contexts;
use super::network::Reach;
use super::sampling::Traces;
use super::spotlight::Spotlight;
use crate::filter::Filters;
use crate::hooks::{BeforeBreadcrumb, Sampler};
use crate::http::{Compression, PemError};
use crate::protocol::fields::shortened;
use crate::protocol::{Breadcrumb, Dsn, ParseDsnError};
use crate::scope::MAX_BREADCRUMBS;

/// How a client is set up.
///
/// Each setter takes the options and gives them back:
///
/// ```
/// use taskspan::Options;
///
/// let options = Options::new("https://0123abcd@o17.ingest.de.sentry.io/4501")?
///     .release("shop@2.3.1")
///     .traces_sample_rate(0.25);
/// assert_eq!(options.dsn().unwrap().project_id(), "4501");
/// # Ok::<(), taskspan::OptionsError>(())
/// ```
///
/// Values are checked when a client is made of them, not when they are set.
#[derive(Clone, Debug)]
#[must_use = "options do nothing until a client is made of them"]
pub struct Options {
    pub(crate) dsn: Option<Dsn>,
    pub(crate) release: Option<Arc<str>>,
    pub(crate) environment: Arc<str>,
    pub(crate) dist: Option<Arc<str>>,
    /// `None` until it is set; empty when none is wanted.
    server_name: Option<Arc<str>>,
    pub(super) traces: Traces,
    pub(crate) max_breadcrumbs: usize,
    pub(crate) before_breadcrumb: Option<BeforeBreadcrumb>,
    pub(crate) max_spans: usize,
    #[cfg(feature = "_call-sites")]
    pub(crate) call_site_threshold: Option<Duration>,
    pub(crate) debug: bool,
    pub(crate) send_client_reports: bool,
    pub(crate) send_default_pii: bool,
    pub(crate) max_request_body_size: usize,
    pub(crate) compression: Compression,
    pub(crate) queue_bytes: usize,
    pub(crate) queue_items: usize,
    pub(crate) max_uploads: usize,
    pub(crate) request_timeout: Duration,
    pub(crate) keep_alive: bool,
    pub(crate) filters: Filters,
    pub(super) reach: Reach,
    /// `None` until it is set: then the environment decides.
    pub(super) spotlight: Option<Spotlight>,
    org_id: Option<u64>,
}

/// The error returned when an option has a value that cannot be used.
///
/// Where the value was read as a DSN, [`source`](std::error::Error::source) is the
/// [`ParseDsnError`] that says what is wrong with it.
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
pub(crate) enum Kind {
    Dsn(ParseDsnError),
    NotUtf8,
    Rate,
    Switch,
    Zero,
    TooLong(usize),
    Blank,
    Reserved,
    Forbidden(&'static str),
    Proxy,
    Url,
    File(PemError),
}

impl Options {
    /// Options for sending to the project that `dsn` names.
    ///
    /// With an empty text nothing is ever sent, as with [`Options::disabled`].
    /// Nothing but [proxies](Self::http_proxy), [Spotlight](Self::spotlight) and the
    /// [trace](crate::IncomingTrace::from_env) that the process is part of is taken from the
    /// environment.
    ///
    /// # Errors
    ///
    /// If the text is neither empty nor a DSN.
    pub fn new(dsn: &str) -> Result<Self, OptionsError> {
        let mut options = Self::disabled();
        if !dsn.is_empty() {
            options.dsn = Some(parse_dsn("dsn", dsn)?);
        }
        Ok(options)
    }

    /// Options of a client that records and sends nothing, unless [Spotlight](Self::spotlight) is on.
    pub fn disabled() -> Self {
        Self {
            dsn: None,
            release: None,
            environment: Arc::from(DEFAULT_ENVIRONMENT),
            dist: None,
            server_name: None,
            traces: Traces::default(),
            max_breadcrumbs: MAX_BREADCRUMBS,
            before_breadcrumb: None,
            max_spans: 1_000,
            #[cfg(feature = "_call-sites")]
            call_site_threshold: Some(Duration::from_millis(100)),
            debug: false,
            send_client_reports: true,
            send_default_pii: false,
            max_request_body_size: 10_000,
            compression: Compression::default(),
            queue_bytes: 16 * 1024 * 1024,
            queue_items: 10_000,
            max_uploads: 64,
            request_timeout: Duration::from_secs(30),
            keep_alive: false,
            filters: Filters::default(),
            reach: Reach::default(),
            spotlight: None,
            org_id: None,
        }
    }

    /// Options from the environment.
    ///
    /// | Variable | Sets |
    /// |---|---|
    /// | `SENTRY_DSN` | where to send to; without it nothing is sent |
    /// | `SENTRY_RELEASE` | [`release`](Self::release) |
    /// | `SENTRY_ENVIRONMENT` | [`environment`](Self::environment) |
    /// | `SENTRY_TRACES_SAMPLE_RATE` | [`traces_sample_rate`](Self::traces_sample_rate) |
    /// | `SENTRY_DEBUG` | [`debug`](Self::debug): `true`, `t`, `yes`, `y`, `on`, `1` or `false`, `f`, `no`, `n`, `off`, `0` in any case |
    ///
    /// The variables of proxies, of Spotlight and of a trace to continue are read too, though not
    /// only here: see [`http_proxy`](Self::http_proxy), [`spotlight`](Self::spotlight) and
    /// [`IncomingTrace::from_env`](crate::IncomingTrace::from_env).
    ///
    /// Space around a value is left out, and a variable without a value is as good as none.
    /// Whatever is set afterwards by one of the methods wins.
    ///
    /// # Errors
    ///
    /// If one of the variables has a value that cannot be used.
    pub fn from_env() -> Result<Self, OptionsError> {
        Self::from_vars(|variable| std::env::var_os(variable))
    }

    /// Options from what `lookup` knows of the environment.
    pub(crate) fn from_vars(
        lookup: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, OptionsError> {
        let read = |variable| read_variable(&lookup, variable);

        let mut options = Self::disabled();
        if let Some(value) = read(DSN_VARIABLE)? {
            options.dsn = Some(parse_dsn(DSN_VARIABLE, &value)?);
        }
        if let Some(value) = read("SENTRY_RELEASE")? {
            check_release("SENTRY_RELEASE", &value)?;
            options = options.release(value);
        }
        if let Some(value) = read("SENTRY_ENVIRONMENT")? {
            check_environment("SENTRY_ENVIRONMENT", &value)?;
            options = options.environment(value);
        }
        if let Some(value) = read("SENTRY_TRACES_SAMPLE_RATE")? {
            let rate = value.parse().ok().filter(is_rate).ok_or_else(|| {
                OptionsError::new("SENTRY_TRACES_SAMPLE_RATE", &value, Kind::Rate)
            })?;
            options = options.traces_sample_rate(rate);
        }
        if let Some(value) = read("SENTRY_DEBUG")? {
            let debug = parse_switch(&value)
                .ok_or_else(|| OptionsError::new("SENTRY_DEBUG", &value, Kind::Switch))?;
            options = options.debug(debug);
        }
        Ok(options)
    }

    /// The version of the program, such as `shop@2.3.1`.
    ///
    /// Unset by default, and unset again by an empty text. At most 200 bytes, without control
    /// characters, `/` and `\`, and neither blank nor `.` nor `..`.
    pub fn release(mut self, release: impl Into<Cow<'static, str>>) -> Self {
        self.release = non_empty(release.into());
        self
    }

    /// Where the program runs.
    ///
    /// `production` by default, and again with an empty text. At most 64 bytes, without spaces,
    /// control characters and `/`, and not the word `None`.
    pub fn environment(mut self, environment: impl Into<Cow<'static, str>>) -> Self {
        self.environment =
            non_empty(environment.into()).unwrap_or_else(|| Arc::from(DEFAULT_ENVIRONMENT));
        self
    }

    /// The variant of the release, such as the number of a build.
    ///
    /// Unset by default, and unset again by an empty text. At most 64 ASCII letters, digits and
    /// `_.-`.
    pub fn dist(mut self, dist: impl Into<Cow<'static, str>>) -> Self {
        self.dist = non_empty(dist.into());
        self
    }

    /// The name of the machine.
    ///
    /// The host's name by default. With an empty text none is sent. At most 256 bytes, without
    /// control characters.
    pub fn server_name(mut self, server_name: impl Into<Cow<'static, str>>) -> Self {
        self.server_name = Some(Arc::from(server_name.into()));
        self
    }

    /// How many breadcrumbs a transaction has at most, the newest ones.
    ///
    /// 100 by default, which is also the most.
    pub fn max_breadcrumbs(mut self, breadcrumbs: usize) -> Self {
        self.max_breadcrumbs = breadcrumbs.min(MAX_BREADCRUMBS);
        self
    }

    /// Changes each breadcrumb that is added with [`add_breadcrumb`](crate::add_breadcrumb), or
    /// drops it with `None`.
    ///
    /// It runs there, so it must be quick. Where it panics the breadcrumb is dropped, which is
    /// said once in [`debug`](Self::debug) mode. Unset by default.
    pub fn before_breadcrumb(
        mut self,
        change: impl Fn(Breadcrumb) -> Option<Breadcrumb> + Send + Sync + 'static,
    ) -> Self {
        self.before_breadcrumb = Some(BeforeBreadcrumb::new(change));
        self
    }

    /// How many spans one transaction may have below its root.
    ///
    /// 1,000 by default. Spans beyond it are counted and left out.
    pub fn max_spans(mut self, spans: usize) -> Self {
        self.max_spans = spans;
        self
    }

    /// From which duration on queries and commands of databases say where in the program's code they
    /// were made, with `None` none do.
    ///
    /// 100 ms by default. It is the innermost place that waits for it and belongs to no
    /// library, as it stands when the query ends or is dropped. Spans say it as
    /// `code.function.name`, and where the program has debug information as `code.file.path`, from
    /// the folder of the package on, and `code.line.number`. With `debug = "line-tables-only"` in
    /// its profile the names of asynchronous functions are not known; with `"limited"` all is.
    ///
    /// Where a query ends some microseconds are spent on it. Debug information is read in the
    /// background, which takes up to seconds the first time; queries that end meanwhile say
    /// nothing of their place. It is part of the features `sqlx` and `redis`.
    #[cfg(feature = "_call-sites")]
    pub fn call_site_threshold(mut self, threshold: impl Into<Option<Duration>>) -> Self {
        self.call_site_threshold = threshold.into();
        self
    }

    /// Whether the client says on standard error what it does and what goes wrong.
    ///
    /// It does not by default, but for what goes wrong with [Spotlight](Self::spotlight).
    pub fn debug(mut self, debug: bool) -> Self {
        self.debug = debug;
        self
    }

    /// Whether the server is told how much was not sent, and why.
    ///
    /// It is by default.
    pub fn send_client_reports(mut self, send: bool) -> Self {
        self.send_client_reports = send;
        self
    }

    /// Whether integrations may send personal data, such as the addresses of clients.
    ///
    /// They may not by default. What the program itself sets is always sent.
    pub fn send_default_pii(mut self, send: bool) -> Self {
        self.send_default_pii = send;
        self
    }

    /// How many bytes the body of a request may have for its content to be sent, where personal
    /// data may be.
    ///
    /// 10,000 by default; with 0 none is. Only JSON and forms are sent, and the values of what is
    /// secret by its name are replaced by `[Filtered]`.
    pub fn max_request_body_size(mut self, bytes: usize) -> Self {
        self.max_request_body_size = bytes;
        self
    }

    /// How uploads are compressed.
    ///
    /// With gzip by default.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// How many bytes may wait to be sent.
    ///
    /// 16 MiB by default, at least 1. What does not fit is dropped and counted.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
        self
    }

    /// How many transactions may wait to be sent.
    ///
    /// 10,000 by default, at least 1. What does not fit is dropped and counted.
    pub fn queue_items(mut self, items: usize) -> Self {
        self.queue_items = items;
        self
    }

    /// How many uploads may be under way at the same time.
    ///
    /// 64 by default, at least 1. Everything else waits in the queue.
    pub fn max_uploads(mut self, uploads: usize) -> Self {
        self.max_uploads = uploads;
        self
    }

    /// How long one upload may take, from connecting to the end of the answer.
    ///
    /// 30 seconds by default, and more than none. After it the upload counts as failed.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// The organisation that the project belongs to.
    ///
    /// By default it is read from the DSN, which works for Sentry's own hosts. Where one hosts the
    /// server oneself this keeps traces of other organisations apart.
    pub fn org_id(mut self, org_id: u64) -> Self {
        self.org_id = Some(org_id);
        self
    }

    /// Where the data is sent, unless the client is a disabled one.
    pub fn dsn(&self) -> Option<&Dsn> {
        self.dsn.as_ref()
    }

    /// The rate that holds where no sampler decides.
    pub(crate) fn sample_rate(&self) -> Option<f64> {
        self.traces.sample_rate
    }

    pub(crate) fn sampler(&self) -> Option<&Sampler> {
        self.traces.sampler.as_ref()
    }

    /// Whether requests with the method `OPTIONS` are transactions.
    pub(crate) fn traces_options_requests(&self) -> bool {
        self.traces.options_requests
    }

    /// Whether fewer traces are recorded while they can't be delivered.
    pub(crate) fn handles_backpressure(&self) -> bool {
        self.traces.backpressure
    }

    /// The organisation to name in traces: the one that was set, or the DSN's.
    pub(crate) fn effective_org_id(&self) -> Option<u64> {
        self.org_id.or_else(|| self.dsn.as_ref()?.org_id())
    }

    /// The name of the machine to send, if any.
    pub(crate) fn effective_server_name(&self) -> Option<Arc<str>> {
        match &self.server_name {
            Some(name) => Some(Arc::clone(name)).filter(|name| !name.is_empty()),
            None => contexts::host_name().map(Arc::from),
        }
    }

    /// Checks every value that a setter took as it came.
    pub(crate) fn validate(&self) -> Result<(), OptionsError> {
        if let Some(release) = &self.release {
            check_release("release", release)?;
        }
        check_environment("environment", &self.environment)?;
        if let Some(dist) = &self.dist {
            check_dist("dist", dist)?;
        }
        if let Some(server_name) = &self.server_name {
            check_server_name("server_name", server_name)?;
        }
        if let Some(rate) = self.traces.sample_rate.filter(|rate| !is_rate(rate)) {
            let value = rate.to_string();
            return Err(OptionsError::new("traces_sample_rate", &value, Kind::Rate));
        }
        for (field, zero) in [
            ("queue_bytes", self.queue_bytes == 0),
            ("queue_items", self.queue_items == 0),
            ("max_uploads", self.max_uploads == 0),
            ("request_timeout", self.request_timeout.is_zero()),
        ] {
            if zero {
                return Err(OptionsError::new(field, "0", Kind::Zero));
            }
        }
        self.reach.validate()
    }
}

impl Default for Options {
    /// The same as [`Options::disabled`].
    fn default() -> Self {
        Self::disabled()
    }
}

impl OptionsError {
    /// An error about a value that is shown as far as it may be.
    pub(crate) fn new(field: &'static str, value: &str, kind: Kind) -> Self {
        let value = match field {
            "dsn" | DSN_VARIABLE | super::spotlight::OPTION | super::spotlight::VARIABLE => {
                redacted(value)
            }
            _ if super::network::PROXIES.contains(&field) => redacted(value),
            _ => Cow::Borrowed(value),
        };
        Self {
            field,
            value: shortened(&value, MAX_SHOWN),
            kind,
        }
    }

    /// The name of the option, or of the environment variable that sets it.
    pub fn field(&self) -> &str {
        self.field
    }

    /// What is shown of the value: shortened, and without the keys of a DSN or the user of a proxy.
    ///
    /// Where the value is a pair of files, it is the one that is wrong.
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {:?} ", self.field, self.value)?;
        match self.kind {
            Kind::Dsn(_) => f.write_str("is not a DSN"),
            Kind::NotUtf8 => f.write_str("is not UTF-8"),
            Kind::Rate => f.write_str("is not a number from 0 to 1"),
            Kind::Switch => f.write_str("is neither `true` nor `false`"),
            Kind::Zero => f.write_str("has to be more than zero"),
            Kind::TooLong(limit) => write!(f, "has more than {limit} bytes"),
            Kind::Blank => f.write_str("has only space in it"),
            Kind::Reserved => f.write_str("is a word that servers refuse"),
            Kind::Forbidden(what) => write!(f, "has {what} in it"),
            Kind::Proxy => f.write_str("is not the URL of an HTTP proxy"),
            Kind::Url => f.write_str("is not a URL that begins with `http://` or `https://`"),
            Kind::File(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OptionsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            Kind::Dsn(error) => Some(error),
            _ => None,
        }
    }
}

/// Reads a variable, unless there is no more than space in it.
pub(crate) fn read_variable(
    lookup: impl Fn(&str) -> Option<OsString>,
    variable: &'static str,
) -> Result<Option<String>, OptionsError> {
    match lookup(variable).map(OsString::into_string) {
        Some(Ok(value)) => Ok(Some(value.trim().to_owned()).filter(|value| !value.is_empty())),
        Some(Err(value)) => {
            let value = value.to_string_lossy();
            Err(OptionsError::new(variable, &value, Kind::NotUtf8))
        }
        None => Ok(None),
    }
}

fn non_empty(text: Cow<'static, str>) -> Option<Arc<str>> {
    (!text.is_empty()).then(|| Arc::from(text))
}

fn is_rate(rate: &f64) -> bool {
    (0.0..=1.0).contains(rate)
}

fn parse_dsn(field: &'static str, text: &str) -> Result<Dsn, OptionsError> {
    text.parse()
        .map_err(|error| OptionsError::new(field, text, Kind::Dsn(error)))
}

pub(crate) fn parse_switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn check_release(field: &'static str, release: &str) -> Result<(), OptionsError> {
    let forbidden = |c: char| c.is_control() || matches!(c, '/' | '\\');
    let kind = match release {
        _ if release.len() > 200 => Kind::TooLong(200),
        _ if release.contains(forbidden) => Kind::Forbidden("a control character, `/` or `\\`"),
        _ if release.trim().is_empty() => Kind::Blank,
        "." | ".." => Kind::Reserved,
        _ => return Ok(()),
    };
    Err(OptionsError::new(field, release, kind))
}

fn check_environment(field: &'static str, environment: &str) -> Result<(), OptionsError> {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || c == '/';
    let kind = match environment {
        _ if environment.len() > 64 => Kind::TooLong(64),
        _ if environment.contains(forbidden) => {
            Kind::Forbidden("a space, a control character or `/`")
        }
        _ if environment.eq_ignore_ascii_case("none") => Kind::Reserved,
        _ => return Ok(()),
    };
    Err(OptionsError::new(field, environment, kind))
}

fn check_dist(field: &'static str, dist: &str) -> Result<(), OptionsError> {
    let forbidden = |c: char| !c.is_ascii_alphanumeric() && !"_.-".contains(c);
    let kind = match dist {
        _ if dist.len() > 64 => Kind::TooLong(64),
        _ if dist.contains(forbidden) => {
            Kind::Forbidden("something other than ASCII letters, digits and `_.-`")
        }
        _ => return Ok(()),
    };
    Err(OptionsError::new(field, dist, kind))
}

fn check_server_name(field: &'static str, name: &str) -> Result<(), OptionsError> {
    let kind = match name {
        _ if name.len() > 256 => Kind::TooLong(256),
        _ if name.contains(char::is_control) => Kind::Forbidden("a control character"),
        _ => return Ok(()),
    };
    Err(OptionsError::new(field, name, kind))
}

/// Hides whatever may be a key in something that was meant to be a DSN.
pub(crate) fn redacted(text: &str) -> Cow<'_, str> {
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

const DSN_VARIABLE: &str = "SENTRY_DSN";

const DEFAULT_ENVIRONMENT: &str = "production";

/// How many characters of a value an error shows.
const MAX_SHOWN: usize = 100;

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    const DSN: &str = "https://k:s3cr@o17.ingest.de.sentry.io/4501";

    fn from_vars(vars: &[(&str, &str)]) -> Result<Options, OptionsError> {
        Options::from_vars(|variable| {
            let (_, value) = vars.iter().find(|(name, _)| *name == variable)?;
            Some(value.into())
        })
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let options = Options::default();
        assert!(options.dsn().is_none());
        assert_eq!(options.release, None);
        assert_eq!(&*options.environment, "production");
        assert_eq!(options.dist, None);
        assert_eq!(
            options.effective_server_name().as_deref(),
            contexts::host_name().as_deref()
        );
        assert_eq!(options.sample_rate(), None);
        assert_eq!(options.max_spans, 1_000);
        #[cfg(feature = "_call-sites")]
        assert_eq!(
            options.call_site_threshold,
            Some(Duration::from_millis(100))
        );
        assert!(!options.debug);
        assert!(options.send_client_reports);
        assert!(!options.send_default_pii);
        assert_eq!(options.compression, Compression::Gzip);
        assert_eq!(options.queue_bytes, 16_777_216);
        assert_eq!(options.queue_items, 10_000);
        assert_eq!(options.max_uploads, 64);
        assert_eq!(options.request_timeout, Duration::from_secs(30));
        assert!(!options.keep_alive);
        assert_eq!(options.effective_org_id(), None);
        assert_eq!(options.validate(), Ok(()));
    }

    #[test]
    fn an_empty_dsn_disables() {
        assert!(Options::new("").unwrap().dsn().is_none());
        assert!(Options::new(DSN).unwrap().dsn().is_some());
        assert!(Options::new(" ").is_err());
    }

    #[test]
    fn every_setter_sets() {
        let options = Options::new(DSN)
            .unwrap()
            .release("shop@2.3.1".to_owned())
            .environment("staging")
            .dist("build-7")
            .server_name("web-1")
            .traces_sample_rate(0.5)
            .max_spans(0)
            .debug(true)
            .send_client_reports(false)
            .send_default_pii(true)
            .compression(Compression::None)
            .queue_bytes(1)
            .queue_items(2)
            .max_uploads(3)
            .request_timeout(Duration::from_nanos(1))
            .keep_alive(true)
            .org_id(5);
        assert_eq!(options.release.as_deref(), Some("shop@2.3.1"));
        assert_eq!(&*options.environment, "staging");
        assert_eq!(options.dist.as_deref(), Some("build-7"));
        assert_eq!(options.effective_server_name().as_deref(), Some("web-1"));
        assert_eq!(options.sample_rate(), Some(0.5));
        assert_eq!(options.max_spans, 0);
        assert!(options.debug);
        assert!(!options.send_client_reports);
        assert!(options.send_default_pii);
        assert_eq!(options.compression, Compression::None);
        assert_eq!(options.queue_bytes, 1);
        assert_eq!(options.queue_items, 2);
        assert_eq!(options.max_uploads, 3);
        assert_eq!(options.request_timeout, Duration::from_nanos(1));
        assert!(options.keep_alive);
        assert_eq!(options.effective_org_id(), Some(5));
        assert_eq!(options.validate(), Ok(()));

        let options = options.release("").environment("").dist("").server_name("");
        assert_eq!(options.release, None);
        assert_eq!(&*options.environment, "production");
        assert_eq!(options.dist, None);
        assert_eq!(options.effective_server_name(), None);
        assert_eq!(options.validate(), Ok(()));
    }

    #[test]
    fn the_organisation_comes_from_the_dsn_unless_it_is_set() {
        let options = Options::new(DSN).unwrap();
        assert_eq!(options.effective_org_id(), Some(17));
        assert_eq!(options.org_id(5).effective_org_id(), Some(5));
    }

    #[test]
    fn the_environment_is_read() {
        let options = from_vars(&[
            ("SENTRY_DSN", "https://k@h/1\n"),
            ("SENTRY_RELEASE", "a b"),
            ("SENTRY_ENVIRONMENT", " staging "),
            ("SENTRY_TRACES_SAMPLE_RATE", "0.25"),
            ("SENTRY_DEBUG", "on"),
        ])
        .unwrap();
        assert_eq!(options.dsn().unwrap().to_string(), "https://k@h/1");
        assert_eq!(options.release.as_deref(), Some("a b"));
        assert_eq!(&*options.environment, "staging");
        assert_eq!(options.sample_rate(), Some(0.25));
        assert!(options.debug);

        let options = options.traces_sample_rate(1.0).environment("test");
        assert_eq!(options.sample_rate(), Some(1.0));
        assert_eq!(&*options.environment, "test");
    }

    #[test]
    fn a_variable_without_a_value_is_as_good_as_none() {
        for value in ["", " ", "\n"] {
            let options = from_vars(&[
                ("SENTRY_DSN", value),
                ("SENTRY_RELEASE", value),
                ("SENTRY_ENVIRONMENT", value),
                ("SENTRY_TRACES_SAMPLE_RATE", value),
                ("SENTRY_DEBUG", value),
            ])
            .unwrap();
            let expected = format!("{:?}", Options::disabled());
            assert_eq!(format!("{options:?}"), expected);
        }
    }

    #[test]
    fn switches_have_many_words() {
        for (words, debug) in [
            (["true", "T", "y", "YES", "on", "1"], true),
            (["False", "f", "n", "no", "OFF", "0"], false),
        ] {
            for word in words {
                let options = from_vars(&[("SENTRY_DEBUG", word)]).unwrap();
                assert_eq!(options.debug, debug, "{word}");
            }
        }
    }

    #[test]
    fn a_bad_variable_is_named() {
        for (variable, value, message) in [
            (
                "SENTRY_DSN",
                "k@h/1",
                r#"SENTRY_DSN = "***@h/1" is not a DSN"#,
            ),
            (
                "SENTRY_TRACES_SAMPLE_RATE",
                "1.5",
                r#"SENTRY_TRACES_SAMPLE_RATE = "1.5" is not a number from 0 to 1"#,
            ),
            (
                "SENTRY_TRACES_SAMPLE_RATE",
                "50%",
                r#"SENTRY_TRACES_SAMPLE_RATE = "50%" is not a number from 0 to 1"#,
            ),
            (
                "SENTRY_TRACES_SAMPLE_RATE",
                "NaN",
                r#"SENTRY_TRACES_SAMPLE_RATE = "NaN" is not a number from 0 to 1"#,
            ),
            (
                "SENTRY_DEBUG",
                "maybe",
                r#"SENTRY_DEBUG = "maybe" is neither `true` nor `false`"#,
            ),
            (
                "SENTRY_RELEASE",
                "a/b",
                r#"SENTRY_RELEASE = "a/b" has a control character, `/` or `\` in it"#,
            ),
            (
                "SENTRY_ENVIRONMENT",
                "None",
                r#"SENTRY_ENVIRONMENT = "None" is a word that servers refuse"#,
            ),
        ] {
            let error = from_vars(&[(variable, value)]).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert_eq!(error.field(), variable);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_has_to_be_utf8() {
        use std::os::unix::ffi::OsStringExt;

        for variable in [
            "SENTRY_DSN",
            "SENTRY_RELEASE",
            "SENTRY_ENVIRONMENT",
            "SENTRY_TRACES_SAMPLE_RATE",
            "SENTRY_DEBUG",
        ] {
            let error = Options::from_vars(|name| {
                (name == variable).then(|| OsString::from_vec(b"https://k:s3cr\xff@h/1".to_vec()))
            })
            .unwrap_err();
            assert_eq!(error.field(), variable);
            assert!(error.to_string().ends_with("is not UTF-8"), "{error}");
            assert!(variable != "SENTRY_DSN" || !error.to_string().contains("s3cr"));
        }
    }

    #[test]
    fn a_value_that_servers_would_refuse_is_refused() {
        let base = || Options::new(DSN).unwrap();
        for (options, field, problem) in [
            (
                base().release("a".repeat(201)),
                "release",
                "more than 200 bytes",
            ),
            (
                base().release("é".repeat(101)),
                "release",
                "more than 200 bytes",
            ),
            (base().release("a\nb"), "release", "a control character"),
            (base().release("a\tb"), "release", "a control character"),
            (base().release("a/b"), "release", "a control character"),
            (base().release("a\\b"), "release", "a control character"),
            (base().release("."), "release", "servers refuse"),
            (base().release(".."), "release", "servers refuse"),
            (base().release("  "), "release", "only space"),
            (
                base().environment("a".repeat(65)),
                "environment",
                "more than 64",
            ),
            (base().environment("a b"), "environment", "a space"),
            (base().environment("a\nb"), "environment", "a space"),
            (base().environment("a/b"), "environment", "a space"),
            (base().environment("None"), "environment", "servers refuse"),
            (base().dist("a".repeat(65)), "dist", "more than 64"),
            (base().dist("a b"), "dist", "something other"),
            (base().dist("é"), "dist", "something other"),
            (
                base().server_name("a".repeat(257)),
                "server_name",
                "more than 256",
            ),
            (
                base().server_name("a\0"),
                "server_name",
                "a control character",
            ),
            (
                base().traces_sample_rate(-0.1),
                "traces_sample_rate",
                "from 0 to 1",
            ),
            (
                base().traces_sample_rate(1.1),
                "traces_sample_rate",
                "from 0 to 1",
            ),
            (
                base().traces_sample_rate(f64::NAN),
                "traces_sample_rate",
                "from 0 to 1",
            ),
            (
                base().traces_sample_rate(f64::INFINITY),
                "traces_sample_rate",
                "from 0 to 1",
            ),
            (base().queue_bytes(0), "queue_bytes", "more than zero"),
            (base().queue_items(0), "queue_items", "more than zero"),
            (base().max_uploads(0), "max_uploads", "more than zero"),
            (
                base().request_timeout(Duration::ZERO),
                "request_timeout",
                "more than zero",
            ),
        ] {
            let error = options.validate().unwrap_err();
            assert_eq!(error.field(), field);
            assert!(error.to_string().contains(problem), "{error}");
        }
    }

    #[test]
    fn a_value_at_its_limit_is_taken() {
        for options in [
            Options::disabled().release("a".repeat(200)),
            Options::disabled().release("a b"),
            Options::disabled().environment("a".repeat(64)),
            Options::disabled().dist("a".repeat(64)),
            Options::disabled().dist("A_z.0-9"),
            Options::disabled().server_name("a".repeat(256)),
            Options::disabled().traces_sample_rate(0.0),
            Options::disabled().traces_sample_rate(-0.0),
            Options::disabled().traces_sample_rate(1.0),
        ] {
            assert_eq!(options.validate(), Ok(()));
        }
    }

    #[test]
    fn no_message_shows_a_secret() {
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
            let error = Options::new(text).unwrap_err();
            assert_eq!(error.value(), shown);
            assert_eq!(error.field(), "dsn");
            for text in [format!("{error}"), format!("{error:?}")] {
                assert!(!text.contains("s3"), "{text}");
            }
        }
        assert!(!format!("{:?}", Options::new(DSN).unwrap()).contains("s3cr"));
    }

    #[test]
    fn a_message_is_one_short_line() {
        let error = Options::new(&"é\n".repeat(10_000)).unwrap_err();
        assert_eq!(error.value().chars().count(), MAX_SHOWN + 1);
        assert!(!error.to_string().contains('\n'));
    }

    #[test]
    fn the_source_says_what_is_wrong_with_a_dsn() {
        let error = Options::new("https://h/1").unwrap_err();
        let source = error.source().unwrap().downcast_ref::<ParseDsnError>();
        assert_eq!(source, Some(&ParseDsnError::MissingPublicKey));
        let error = Options::disabled().queue_bytes(0).validate().unwrap_err();
        assert!(error.source().is_none());
    }
}
