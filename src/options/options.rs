//! How a client is set up.

use std::ffi::OsString;
use std::sync::Arc;
#[cfg(feature = "_call-sites")]
use std::time::Duration;

use http::Uri;

use super::error::{Kind, OptionsError};
use super::network::Network;
use super::sampling::Traces;
use super::spotlight::Spotlight;
use super::variables::Variable;
use super::{checks, contexts};
use crate::filter::Filters;
use crate::hooks::BeforeBreadcrumb;
use crate::http::HttpConfig;
use crate::protocol::{Dsn, check_dist, check_environment, check_release, check_server_name};
use crate::scope::MAX_BREADCRUMBS;

/// How a client is set up.
///
/// Each setter takes the options and returns them:
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
/// Values are checked when a client is created from them, not when they are set.
#[derive(Clone, Debug)]
#[must_use = "options do nothing until a client is created from them"]
pub struct Options {
    pub(super) dsn: Option<Dsn>,
    pub(super) release: Option<Arc<str>>,
    pub(super) environment: Arc<str>,
    pub(super) dist: Option<Arc<str>>,
    /// `None` until it is set; empty when none is wanted.
    pub(super) server_name: Option<Arc<str>>,
    pub(super) org_id: Option<u64>,
    pub(super) traces: Traces,
    pub(super) max_spans: usize,
    pub(super) max_breadcrumbs: usize,
    pub(super) before_breadcrumb: Option<BeforeBreadcrumb>,
    #[cfg(feature = "_call-sites")]
    pub(super) call_site_threshold: Option<Duration>,
    pub(super) send_default_pii: bool,
    pub(super) max_request_body_size: usize,
    pub(super) filters: Filters,
    pub(super) network: Network,
    pub(crate) queue_bytes: usize,
    pub(crate) queue_items: usize,
    pub(crate) max_uploads: usize,
    pub(crate) send_client_reports: bool,
    pub(crate) debug: bool,
    /// `None` until it is set: then the environment decides.
    pub(super) spotlight: Option<Spotlight>,
}

impl Options {
    /// Options for sending to the project of a DSN.
    ///
    /// With an empty text nothing is ever sent, as with [`Options::disabled`].
    /// Of the environment only the variables of [proxies](Self::http_proxy),
    /// [Spotlight](Self::spotlight) and the [trace](crate::IncomingTrace::from_env) that the
    /// process is part of are read.
    ///
    /// # Errors
    ///
    /// If the text is neither empty nor a DSN.
    pub fn new(dsn: &str) -> Result<Self, OptionsError> {
        let mut options = Self::disabled();
        if !dsn.is_empty() {
            options.dsn = Some(checks::dsn("dsn", dsn)?);
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
            org_id: None,
            traces: Traces::default(),
            max_spans: 1_000,
            max_breadcrumbs: MAX_BREADCRUMBS,
            before_breadcrumb: None,
            #[cfg(feature = "_call-sites")]
            call_site_threshold: Some(Duration::from_millis(100)),
            send_default_pii: false,
            max_request_body_size: 10_000,
            filters: Filters::default(),
            network: Network::default(),
            queue_bytes: 16 * 1024 * 1024,
            queue_items: 10_000,
            max_uploads: 64,
            send_client_reports: true,
            debug: false,
            spotlight: None,
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
    /// Space around a value is ignored, and a blank variable counts as unset. Whatever is set
    /// afterwards by one of the methods wins.
    ///
    /// A value that cannot be used, such as `SENTRY_TRACES_SAMPLE_RATE=10%`, never keeps the
    /// program from starting: the variable is ignored, and a warning is written once to standard
    /// error, even without [`debug`](Self::debug).
    pub fn from_env() -> Self {
        Self::from_vars(|variable| std::env::var_os(variable))
    }

    /// Options from what `lookup` knows of the environment.
    pub(crate) fn from_vars(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        let mut options = Self::disabled();
        options.dsn = DSN.read(&lookup, |field, text| checks::dsn(field, &text));
        let release = RELEASE.read(&lookup, |field, text| {
            checks::text(field, &text, check_release).map(|()| text)
        });
        if let Some(release) = release {
            options = options.release(release);
        }
        let environment = ENVIRONMENT.read(&lookup, |field, text| {
            checks::text(field, &text, check_environment).map(|()| text)
        });
        if let Some(environment) = environment {
            options = options.environment(environment);
        }
        options.traces.sample_rate =
            TRACES_SAMPLE_RATE.read(&lookup, |field, text| checks::rate_text(field, &text));
        let debug = DEBUG.read(&lookup, |field, text| checks::switch(field, &text));
        options.debug(debug.unwrap_or_default())
    }

    /// Where the data is sent, unless the client is a disabled one.
    pub fn dsn(&self) -> Option<&Dsn> {
        self.dsn.as_ref()
    }

    /// Whether any trace that begins here can be recorded.
    pub(crate) fn samples(&self) -> bool {
        self.traces.samples()
    }

    /// Whether fewer traces are recorded while they can't be delivered.
    pub(crate) fn handles_backpressure(&self) -> bool {
        self.traces.backpressure
    }

    /// How the data of a project is uploaded. This reads the environment and files.
    pub(crate) fn http(&self, dsn: &Dsn) -> Result<HttpConfig, OptionsError> {
        self.network.http(dsn)
    }

    /// Where Spotlight is, if it receives anything. This reads the environment.
    pub(crate) fn spotlight_url(&self) -> Result<Option<Uri>, OptionsError> {
        Spotlight::url(self.spotlight.as_ref())
    }

    /// The organisation to name in traces: the one that was set, or the DSN's.
    pub(super) fn effective_org_id(&self) -> Option<u64> {
        self.org_id.or_else(|| self.dsn.as_ref()?.org_id())
    }

    /// The name of the machine to send, if any.
    pub(super) fn effective_server_name(&self) -> Option<Arc<str>> {
        match &self.server_name {
            Some(name) => Some(Arc::clone(name)).filter(|name| !name.is_empty()),
            None => contexts::host_name().map(Arc::from),
        }
    }

    /// Checks every value that a setter took as it came.
    pub(crate) fn validate(&self) -> Result<(), OptionsError> {
        if let Some(release) = &self.release {
            checks::text("release", release, check_release)?;
        }
        checks::text("environment", &self.environment, check_environment)?;
        if let Some(dist) = &self.dist {
            checks::text("dist", dist, check_dist)?;
        }
        if let Some(server_name) = &self.server_name {
            checks::text("server_name", server_name, check_server_name)?;
        }
        self.traces.validate()?;
        for (field, value) in [
            ("queue_bytes", self.queue_bytes),
            ("queue_items", self.queue_items),
            ("max_uploads", self.max_uploads),
        ] {
            if value == 0 {
                return Err(OptionsError::new(field, "0", Kind::Zero));
            }
        }
        self.network.validate()
    }
}

impl Default for Options {
    /// The same as [`Options::disabled`].
    fn default() -> Self {
        Self::disabled()
    }
}

pub(super) const DEFAULT_ENVIRONMENT: &str = "production";

static DSN: Variable = Variable::new("SENTRY_DSN");
static RELEASE: Variable = Variable::new("SENTRY_RELEASE");
static ENVIRONMENT: Variable = Variable::new("SENTRY_ENVIRONMENT");
static TRACES_SAMPLE_RATE: Variable = Variable::new("SENTRY_TRACES_SAMPLE_RATE");
static DEBUG: Variable = Variable::new("SENTRY_DEBUG");

#[cfg(test)]
mod tests {
    use super::*;

    const DSN: &str = "https://k:s3cr@o17.ingest.de.sentry.io/4501";

    fn from_vars(vars: &[(&str, &str)]) -> Options {
        Options::from_vars(|variable| {
            let (_, value) = vars.iter().find(|(name, _)| *name == variable)?;
            Some(value.into())
        })
    }

    #[test]
    fn an_empty_dsn_disables() {
        assert!(Options::new("").unwrap().dsn().is_none());
        assert!(Options::new(DSN).unwrap().dsn().is_some());
        assert!(Options::new(" ").is_err());
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
        ]);
        assert_eq!(options.dsn().unwrap().to_string(), "https://k@h/1");
        assert_eq!(options.release.as_deref(), Some("a b"));
        assert_eq!(&*options.environment, "staging");
        assert_eq!(options.traces.sample_rate, Some(0.25));
        assert!(options.debug);

        let options = options.traces_sample_rate(1.0).environment("test");
        assert_eq!(options.traces.sample_rate, Some(1.0));
        assert_eq!(&*options.environment, "test");
    }

    #[test]
    fn a_variable_that_is_blank_or_of_no_use_is_as_good_as_none() {
        let defaults = format!("{:?}", Options::disabled());
        for (variable, bad) in [
            ("SENTRY_DSN", &["k@h/1", "https://h/1"][..]),
            ("SENTRY_RELEASE", &["a/b", "latest"]),
            ("SENTRY_ENVIRONMENT", &["None", "a b", "a\\b"]),
            ("SENTRY_TRACES_SAMPLE_RATE", &["1.5", "10%", "NaN"]),
            ("SENTRY_DEBUG", &["maybe"]),
        ] {
            for value in ["", " ", "\n"].iter().chain(bad) {
                let options = from_vars(&[(variable, value)]);
                assert_eq!(format!("{options:?}"), defaults, "{variable}={value}");
            }
        }
    }

    #[test]
    fn one_bad_variable_leaves_the_others() {
        let options = from_vars(&[
            ("SENTRY_DSN", DSN),
            ("SENTRY_TRACES_SAMPLE_RATE", "10%"),
            ("SENTRY_RELEASE", "shop@2.3.1"),
        ]);
        assert_eq!(options.dsn().map(Dsn::project_id), Some("4501"));
        assert_eq!(options.release.as_deref(), Some("shop@2.3.1"));
        assert_eq!(options.traces.sample_rate, None);
        assert_eq!(options.validate(), Ok(()));
    }

    #[test]
    fn a_value_that_servers_would_refuse_is_refused() {
        let base = || Options::new(DSN).unwrap();
        for (options, field) in [
            (base().release("latest"), "release"),
            (base().environment("a\\b"), "environment"),
            (base().dist("a b"), "dist"),
            (base().server_name("a\0"), "server_name"),
            (base().traces_sample_rate(-0.1), "traces_sample_rate"),
            (base().traces_sample_rate(1.1), "traces_sample_rate"),
            (base().traces_sample_rate(f64::NAN), "traces_sample_rate"),
            (base().queue_bytes(0), "queue_bytes"),
            (base().queue_items(0), "queue_items"),
            (base().max_uploads(0), "max_uploads"),
            (
                base().request_timeout(std::time::Duration::ZERO),
                "request_timeout",
            ),
            (base().http_proxy("http://h:x"), "http_proxy"),
        ] {
            assert_eq!(options.validate().unwrap_err().field(), field);
        }
        for options in [
            base().release("a".repeat(200)),
            base().traces_sample_rate(-0.0),
            base().traces_sample_rate(1.0),
        ] {
            assert_eq!(options.validate(), Ok(()));
        }
    }

    #[test]
    fn nothing_shows_a_secret() {
        let options = Options::new(DSN)
            .unwrap()
            .http_proxy("http://u:s3cr@h:1")
            .https_proxy("u:s3cr@h:1")
            .spotlight("http://u:s3cr@h:8969/stream");
        for shown in [format!("{options:?}"), format!("{options:#?}")] {
            assert!(!shown.contains("s3cr"), "{shown}");
        }
    }
}
