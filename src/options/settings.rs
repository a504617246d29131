//! What the options come to.

use std::sync::Arc;
use std::time::Duration;

use super::contexts::default_contexts;
use super::options::Options;
use crate::filter::Filters;
use crate::hooks::{BeforeBreadcrumb, Sampler};
use crate::propagation::Policy;
use crate::protocol::Identity;

/// What the options come to. It never changes; a client and its worker share one.
pub(crate) struct Settings {
    pub(crate) identity: Identity,
    pub(crate) propagation: Policy,
    /// The rate that holds where no sampler decides.
    pub(crate) sample_rate: Option<f64>,
    pub(crate) sampler: Option<Sampler>,
    pub(crate) filters: Filters,
    /// How many spans of a transaction are recorded below its root: more than are sent if some of
    /// them are dropped later.
    pub(crate) max_spans: u32,
    /// How many spans of a transaction are sent below its root.
    pub(crate) max_sent_spans: u32,
    pub(crate) max_breadcrumbs: usize,
    pub(crate) before_breadcrumb: Option<BeforeBreadcrumb>,
    /// Whether integrations may send personal data.
    #[cfg_attr(
        not(any(
            feature = "_http-server",
            feature = "process",
            feature = "tracing",
            test
        )),
        expect(dead_code)
    )]
    pub(crate) pii: bool,
    /// Whether requests with the method `OPTIONS` are transactions.
    #[cfg_attr(not(any(feature = "_http-server", test)), expect(dead_code))]
    pub(crate) trace_options_requests: bool,
    /// How many bytes of a request's body integrations may send.
    #[cfg_attr(not(any(feature = "axum", test)), expect(dead_code))]
    pub(crate) max_request_body_size: usize,
    /// Calls that take longer record where in the code they were made.
    #[cfg(feature = "_call-sites")]
    pub(crate) call_site_threshold: Option<Duration>,
}

impl Settings {
    /// This asks the system and reads a file.
    pub(crate) fn of(options: &Options) -> Self {
        let org_id = options.effective_org_id();
        let max_sent_spans = u32::try_from(options.max_spans).unwrap_or(u32::MAX);
        let recorded_for_each_sent = match options.filters.min_span_duration {
            Duration::ZERO => 1,
            _ => RECORDED_FOR_EACH_SENT,
        };
        Self {
            identity: Identity::of(options),
            propagation: options.traces.policy(options.dsn.as_ref(), org_id),
            sample_rate: options.traces.sample_rate,
            sampler: options.traces.sampler.clone(),
            filters: options.filters.clone(),
            max_spans: max_sent_spans.saturating_mul(recorded_for_each_sent),
            max_sent_spans,
            max_breadcrumbs: options.max_breadcrumbs,
            before_breadcrumb: options.before_breadcrumb.clone(),
            pii: options.send_default_pii,
            trace_options_requests: options.traces.options_requests,
            max_request_body_size: match options.send_default_pii {
                true => options.max_request_body_size,
                false => 0,
            },
            #[cfg(feature = "_call-sites")]
            call_site_threshold: options.call_site_threshold,
        }
    }
}

impl Identity {
    fn of(options: &Options) -> Self {
        Self {
            release: options.release.clone(),
            dist: options.dist.clone(),
            environment: Arc::clone(&options.environment),
            server_name: options.effective_server_name(),
            public_key: options.dsn.as_ref().map(|dsn| dsn.public_key().into()),
            org_id: options.effective_org_id().map(|id| id.to_string().into()),
            contexts: default_contexts(),
            sdk: Arc::default(),
        }
    }
}

/// How many spans are recorded for each that may be sent, if short ones are dropped.
const RECORDED_FOR_EACH_SENT: u32 = 10;

#[cfg(test)]
mod tests {
    use super::super::contexts::host_name;
    use super::*;
    use crate::http::Compression;

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let options = Options::default();
        assert_eq!(options.queue_bytes, 16_777_216);
        assert_eq!(options.queue_items, 10_000);
        assert_eq!(options.max_uploads, 64);
        assert!(options.send_client_reports);
        assert!(!options.debug);
        assert!(options.handles_backpressure());
        assert_eq!(options.network.request_timeout, Duration::from_secs(30));
        assert_eq!(options.network.compression, Compression::Gzip);
        assert!(!options.network.keep_alive);
        assert_eq!(options.validate(), Ok(()));

        let settings = Settings::of(&options);
        assert_eq!(settings.identity.release, None);
        assert_eq!(&*settings.identity.environment, "production");
        assert_eq!(settings.identity.dist, None);
        assert_eq!(
            settings.identity.server_name.as_deref(),
            host_name().as_deref()
        );
        assert_eq!(settings.identity.org_id, None);
        assert_eq!(settings.identity.public_key, None);
        assert_eq!(settings.sample_rate, None);
        assert!(settings.sampler.is_none());
        assert_eq!(settings.max_spans, 1_000);
        assert_eq!(settings.max_sent_spans, 1_000);
        assert_eq!(settings.max_breadcrumbs, 100);
        assert!(settings.before_breadcrumb.is_none());
        assert!(!settings.pii);
        assert!(!settings.trace_options_requests);
        assert_eq!(settings.max_request_body_size, 0);
        #[cfg(feature = "_call-sites")]
        assert_eq!(
            settings.call_site_threshold,
            Some(Duration::from_millis(100))
        );
    }

    #[test]
    fn every_setter_sets() {
        let options = Options::new("https://k@o17.ingest.de.sentry.io/4501")
            .unwrap()
            .release("shop@2.3.1".to_owned())
            .environment("staging")
            .dist("build-7")
            .server_name("web-1")
            .org_id(5)
            .traces_sample_rate(0.5)
            .max_spans(3)
            .min_span_duration(Duration::from_millis(1))
            .max_breadcrumbs(1_000)
            .send_default_pii(true)
            .max_request_body_size(7)
            .trace_options_requests(true)
            .debug(true)
            .send_client_reports(false)
            .compression(Compression::None)
            .queue_bytes(1)
            .queue_items(2)
            .max_uploads(3)
            .request_timeout(Duration::from_nanos(1))
            .keep_alive(true)
            .enable_backpressure_handling(false);
        assert!(options.debug);
        assert!(!options.send_client_reports);
        assert!(!options.handles_backpressure());
        assert_eq!(options.queue_bytes, 1);
        assert_eq!(options.queue_items, 2);
        assert_eq!(options.max_uploads, 3);
        assert_eq!(options.network.compression, Compression::None);
        assert_eq!(options.network.request_timeout, Duration::from_nanos(1));
        assert!(options.network.keep_alive);
        assert_eq!(options.validate(), Ok(()));

        let settings = Settings::of(&options);
        let identity = &settings.identity;
        assert_eq!(identity.release.as_deref(), Some("shop@2.3.1"));
        assert_eq!(&*identity.environment, "staging");
        assert_eq!(identity.dist.as_deref(), Some("build-7"));
        assert_eq!(identity.server_name.as_deref(), Some("web-1"));
        assert_eq!(identity.org_id.as_deref(), Some("5"));
        assert_eq!(identity.public_key.as_deref(), Some("k"));
        assert_eq!(settings.sample_rate, Some(0.5));
        assert_eq!(settings.max_spans, 30);
        assert_eq!(settings.max_sent_spans, 3);
        assert_eq!(settings.max_breadcrumbs, 100);
        assert!(settings.pii);
        assert_eq!(settings.max_request_body_size, 7);
        assert!(settings.trace_options_requests);
    }

    #[test]
    fn an_empty_text_unsets() {
        let options = Options::disabled()
            .release("shop@2.3.1")
            .environment("staging")
            .dist("build-7")
            .server_name("web-1");
        let options = options.release("").environment("").dist("").server_name("");
        assert_eq!(options.validate(), Ok(()));
        let identity = Settings::of(&options).identity;
        assert_eq!(identity.release, None);
        assert_eq!(&*identity.environment, "production");
        assert_eq!(identity.dist, None);
        assert_eq!(identity.server_name, None);
    }
}
