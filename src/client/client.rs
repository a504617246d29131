//! The client: what a program makes once, and closes before it ends.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::error::InitError;
use crate::clock;
use crate::diagnostics::{self, Topic};
use crate::export;
use crate::filter::Build;
use crate::hooks::Sampler;
use crate::options::{Options, OptionsError, Settings};
use crate::propagation::{IncomingTrace, Policy, PropagationContext};
use crate::protocol::{Breadcrumb, Category, DiscardReason, Dsn, Identity};
use crate::record::{Item, SPAN_LIMIT, Segment};
#[cfg(feature = "test")]
use crate::transport::Memory;
use crate::transport::{self, Config, DeliveryReport, Payload, Sidecar, Transport};

/// Delivers the transactions of a program to one project of a server.
///
/// Clones are handles to the same client. One that has no DSN is disabled: it
/// takes every call and does nothing, unless it is for
/// [Spotlight](crate::Options::spotlight).
///
/// A transaction that is larger than servers take, which is about 1 MB, is made
/// to fit before it is sent: values of many kilobytes are shortened, and then
/// the newest spans without children are dropped. The data of the root says how
/// many spans that were (`taskspan.dropped_spans`), and the data of a span how
/// many of its values were shortened or left out (`taskspan.shortened`). Spans
/// that were dropped are counted as `buffer_overflow`.
///
/// Dropping the last handle neither blocks nor waits: what is queued then is
/// still sent while the runtime lives, but nobody learns what became of it.
/// Call [`close`](Self::close) before the program ends.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Arc<Settings>,
    /// The trace that the process is part of from its start.
    trace_at_start: Option<Arc<PropagationContext>>,
    delivery: Delivery,
    /// Who is shown everything, whatever else becomes of it.
    sidecar: Option<Arc<Sidecar>>,
}

/// Where finished transactions go.
enum Delivery {
    Disabled,
    Server(Transport),
    #[cfg(feature = "test")]
    Memory(Arc<Memory>),
}

impl Client {
    /// Makes a client without installing it.
    ///
    /// Bind it to futures with [`Instrument::with_client`](crate::Instrument::with_client).
    ///
    /// # Errors
    ///
    /// As [`init`] does.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a client uses its options up"
    )]
    pub fn new(options: Options) -> Result<Self, InitError> {
        options.validate()?;
        diagnostics::enable(options.debug);
        if options.dsn().is_some() && !options.samples() {
            // Without debug mode too: it looks as if all were well.
            diagnostics::once_in_any_case(&NO_SAMPLE_RATE, None);
        }
        let runtime = || {
            let runtime = Handle::try_current().map_err(|_| InitError::NoRuntime)?;
            match transport::missing() {
                None => Ok(runtime),
                Some(method) => Err(InitError::RuntimeLacks(method)),
            }
        };
        let sidecar = match options.spotlight_url()? {
            None => None,
            Some(url) => Some(Arc::new(Sidecar::new(url, &runtime()?))),
        };
        let delivery = match options.dsn() {
            None => Delivery::Disabled,
            Some(dsn) => {
                let config = config(&options, dsn, sidecar.clone())?;
                Delivery::Server(Transport::new(config, &runtime()?))
            }
        };
        Ok(Self::with_delivery(&options, delivery, sidecar))
    }

    fn with_delivery(options: &Options, delivery: Delivery, sidecar: Option<Arc<Sidecar>>) -> Self {
        let mut settings = Settings::of(options);
        match (&delivery, &sidecar) {
            // Its traces say nothing of the program to other processes.
            (Delivery::Disabled, None) => settings.identity = Identity::default(),
            _ => clock::calibrate(),
        }
        let incoming = match (&delivery, &sidecar) {
            (Delivery::Server(_), _) | (_, Some(_)) => IncomingTrace::from_env(),
            // Tests and disabled clients are part of nothing.
            _ => IncomingTrace::default(),
        };
        let at_start = PropagationContext::continuing(&incoming, &settings.propagation);
        let inner = Inner {
            settings: Arc::new(settings),
            trace_at_start: at_start.map(Arc::new),
            delivery,
            sidecar,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// A client that keeps everything in memory.
    #[cfg(feature = "test")]
    pub(crate) fn in_memory(options: &Options, memory: Arc<Memory>) -> Self {
        Self::with_delivery(options, Delivery::Memory(memory), None)
    }

    /// Whether transactions go anywhere: not without a DSN or [Spotlight](crate::Options::spotlight).
    pub fn is_enabled(&self) -> bool {
        self.has_spotlight() || !matches!(self.inner.delivery, Delivery::Disabled)
    }

    /// Whether both are handles to one client.
    #[inline]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Whether everything is recorded for Spotlight.
    pub(crate) fn has_spotlight(&self) -> bool {
        self.inner.sidecar.is_some()
    }

    /// Waits until everything that was finished so far has been settled, or the deadline has passed.
    ///
    /// The report tells what became of every transaction since the client was
    /// made. What is still pending at the deadline goes on being delivered.
    /// [Spotlight](crate::Options::spotlight) is waited for as well, unless it fails.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the waiting, not the sending: nothing is lost.
    pub async fn flush(&self, deadline: Duration) -> DeliveryReport {
        self.settle(deadline, false).await
    }

    /// Takes nothing more, and waits until everything has been settled or the deadline has passed.
    ///
    /// It is right on every kind of runtime, also from several tasks at once,
    /// and once more after it has returned. Transactions that end later are
    /// counted as dropped because the client is closed: wait for tasks that
    /// should still be sent, as their transactions are in no number before they end.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), taskspan::InitError> {
    /// let client = taskspan::init(taskspan::Options::default())?;
    /// let report = client.close(Duration::from_secs(2)).await;
    /// assert_eq!(report.transactions.sampled, 0);
    /// # Ok(()) }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the waiting. The client stays closed, and
    /// what is pending goes on being delivered while the runtime lives.
    pub async fn close(&self, deadline: Duration) -> DeliveryReport {
        self.settle(deadline, true).await
    }

    /// Waits for the server and then for Spotlight, within one deadline.
    async fn settle(&self, deadline: Duration, closing: bool) -> DeliveryReport {
        let start = Instant::now();
        let report = match &self.inner.delivery {
            Delivery::Server(transport) if closing => transport.close(deadline).await,
            Delivery::Server(transport) => transport.flush(deadline).await,
            #[cfg(feature = "test")]
            Delivery::Memory(memory) => {
                memory.drain(deadline).await;
                memory.stats()
            }
            Delivery::Disabled => self.stats(),
        };
        if let Some(sidecar) = &self.inner.sidecar {
            // Last, as the server's client reports are copied.
            let left = deadline.saturating_sub(start.elapsed());
            match closing {
                true => sidecar.close(left).await,
                false => sidecar.flush(left).await,
            }
        }
        report
    }

    /// What became of every transaction so far. The sums hold at any time.
    pub fn stats(&self) -> DeliveryReport {
        match &self.inner.delivery {
            Delivery::Server(transport) => transport.stats(),
            Delivery::Disabled => DeliveryReport::default(),
            #[cfg(feature = "test")]
            Delivery::Memory(memory) => memory.stats(),
        }
    }

    /// What the options came to.
    pub(crate) fn settings(&self) -> &Arc<Settings> {
        &self.inner.settings
    }

    /// The rate that holds where no sampler decides.
    pub(crate) fn sample_rate(&self) -> Option<f64> {
        self.settings().sample_rate
    }

    pub(crate) fn sampler(&self) -> Option<&Sampler> {
        self.settings().sampler.as_ref()
    }

    /// How often the sample rate is to be halved, because what is sampled can't be delivered.
    pub(crate) fn load(&self) -> u32 {
        match &self.inner.delivery {
            Delivery::Server(transport) => transport.load(),
            _ => 0,
        }
    }

    pub(crate) fn propagation(&self) -> &Policy {
        &self.settings().propagation
    }

    /// The trace that the process is part of from its start, if it is of any.
    pub(crate) fn trace_at_start(&self) -> Option<&Arc<PropagationContext>> {
        self.inner.trace_at_start.as_ref()
    }

    /// How many bytes of a request's body integrations may send.
    #[cfg(feature = "axum")]
    pub(crate) fn max_request_body_size(&self) -> usize {
        self.settings().max_request_body_size
    }

    /// Whether requests with the method `OPTIONS` are transactions.
    #[cfg(feature = "_http-server")]
    pub(crate) fn traces_options_requests(&self) -> bool {
        self.settings().trace_options_requests
    }

    /// Whether integrations may send personal data.
    #[cfg(any(feature = "_http-server", feature = "process"))]
    pub(crate) fn sends_default_pii(&self) -> bool {
        self.settings().pii
    }

    /// What the user's callback leaves of a breadcrumb.
    pub(crate) fn before_breadcrumb(&self, breadcrumb: Breadcrumb) -> Option<Breadcrumb> {
        match &self.settings().before_breadcrumb {
            Some(callback) => callback.change(breadcrumb),
            None => Some(breadcrumb),
        }
    }

    /// From which duration on calls say where in the code they were made.
    #[cfg(feature = "_call-sites")]
    pub(crate) fn call_site_threshold(&self) -> Option<Duration> {
        self.settings().call_site_threshold
    }

    /// How many spans of a transaction are recorded below its root: more than are sent, where
    /// some of them are left out.
    pub(crate) fn max_spans(&self) -> u32 {
        self.settings().max_spans
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.settings().identity
    }

    /// Takes something finished. Never blocks.
    pub(crate) fn submit(&self, item: Item) {
        let payload = self.pending(item);
        match (&self.inner.delivery, &self.inner.sidecar) {
            (Delivery::Disabled, _) => self.show_payload(payload),
            (Delivery::Server(transport), None) => transport.submit(payload),
            (Delivery::Server(transport), Some(sidecar)) => transport.submit(sidecar.copy(payload)),
            #[cfg(feature = "test")]
            (Delivery::Memory(memory), _) => memory.keep(payload),
        }
    }

    /// Takes something finished that is for Spotlight alone. Never blocks.
    pub(crate) fn show(&self, item: Item) {
        self.show_payload(self.pending(item));
    }

    fn show_payload(&self, payload: Box<dyn Payload>) {
        if let Some(sidecar) = &self.inner.sidecar {
            sidecar.submit(payload);
        }
    }

    fn pending(&self, item: Item) -> Box<dyn Payload> {
        let Item::Transaction(segment) = item;
        Box::new(Pending {
            segment,
            settings: Arc::clone(self.settings()),
        })
    }

    /// Counts a transaction that the sampling decided against, for its rate or for load.
    pub(crate) fn count_unsampled(&self, reason: DiscardReason) {
        match &self.inner.delivery {
            Delivery::Disabled => {}
            Delivery::Server(transport) => transport.unsampled(reason),
            #[cfg(feature = "test")]
            Delivery::Memory(memory) => memory.count_unsampled(),
        }
    }

    /// Counts spans over the limit of their transaction.
    pub(crate) fn count_refused_spans(&self, spans: u32) {
        diagnostics::once(&SPAN_LIMIT);
        match &self.inner.delivery {
            Delivery::Disabled => {}
            Delivery::Server(transport) => {
                transport.discard(DiscardReason::BufferOverflow, Category::Span, spans.into());
            }
            #[cfg(feature = "test")]
            Delivery::Memory(memory) => memory.count_refused_spans(spans),
        }
    }
}

/// What delivery needs of the options.
fn config(
    options: &Options,
    dsn: &Dsn,
    sidecar: Option<Arc<Sidecar>>,
) -> Result<Config, OptionsError> {
    Ok(Config {
        http: options.http(dsn)?,
        send_client_reports: options.send_client_reports,
        queue_bytes: options.queue_bytes,
        queue_items: options.queue_items,
        max_uploads: options.max_uploads,
        backpressure: options.handles_backpressure(),
        sidecar,
    })
}

/// A segment that waits to be delivered, and what it is built with.
struct Pending {
    segment: Box<Segment>,
    settings: Arc<Settings>,
}

impl Payload for Pending {
    fn spans(&self) -> u32 {
        self.segment.spans()
    }

    fn size(&self) -> usize {
        self.segment.size()
    }

    fn takes_long(&self) -> bool {
        self.segment.takes_long()
    }

    fn build(self: Box<Self>) -> Build {
        let assembly = export::transaction(*self.segment, &self.settings);
        let filters = &self.settings.filters;
        filters.apply(assembly.transaction, &assembly.processors, assembly.removed)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("enabled", &self.is_enabled())
            .finish_non_exhaustive()
    }
}

static NO_SAMPLE_RATE: Topic = Topic::new(
    "nothing will be sent: neither `traces_sample_rate` (SENTRY_TRACES_SAMPLE_RATE) nor `traces_sampler` is set",
);
