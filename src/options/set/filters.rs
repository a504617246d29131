//! Options that drop transactions and spans, or change them.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::filter::SpanRule;
use crate::hooks::{BeforeSendSpan, BeforeSendTransaction, EventProcessor};
use crate::options::options::Options;
use crate::pattern::Pattern;
use crate::protocol::{Span, Transaction};

impl Options {
    /// Adds code that changes every transaction before it is sent, or drops it.
    ///
    /// `None` drops the transaction. There may be several: they run in the order in which they
    /// were added, after those of the scope ([`Scope::add_event_processor`]) and of the global
    /// scope, and before all other filters but `trace_ignore_status_codes`, as the protocol orders
    /// them. There are none by default.
    ///
    /// They run on the background task, never where the transaction ends, and should neither
    /// block nor start transactions. A transaction that one of them drops, or panics on, is
    /// counted as `event_processor`, and so are spans that they remove. The children of such a
    /// span move up to its parent.
    ///
    /// Ids and parents cannot be changed; a span that is added needs an id of its own, or it is
    /// dropped. What servers would refuse is corrected, such as an end before the start, invalid
    /// tags, or a release that servers remove: then the client's own is sent.
    ///
    /// ```
    /// # use taskspan::{Instrument, Options};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let options = Options::default().event_processor(|mut transaction| {
    ///     transaction.tags.insert("shard".into(), "7".into());
    ///     Some(transaction)
    /// });
    /// # let (client, sent) = taskspan::test::client(options.traces_sample_rate(1.0));
    /// # async {}.in_transaction("task", "import").with_client(&client).await;
    /// # assert_eq!(sent.transactions()[0].tags["shard"], "7");
    /// # }
    /// ```
    ///
    /// [`Scope::add_event_processor`]: crate::Scope::add_event_processor
    pub fn event_processor(
        mut self,
        process: impl Fn(Transaction) -> Option<Transaction> + Send + Sync + 'static,
    ) -> Self {
        let processor = EventProcessor::new(process);
        self.filters.event_processors.push(processor);
        self
    }

    /// Sets the code that sees every transaction last, and changes it or drops it.
    ///
    /// There is none by default, and one at most. It is like an
    /// [`event_processor`](Self::event_processor), with these differences: it runs after all
    /// other filters, it may wait for something, and what it drops, panics on or takes out is
    /// counted as `before_send`.
    ///
    /// ```
    /// # use taskspan::{Instrument, Options};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # async fn tenant_of(_: &str) -> String { "acme".to_owned() }
    /// let options = Options::default().before_send_transaction(|mut transaction| async {
    ///     let tenant = tenant_of(&transaction.name).await;
    ///     transaction.tags.insert("tenant".into(), tenant);
    ///     Some(transaction)
    /// });
    /// # let (client, sent) = taskspan::test::client(options.traces_sample_rate(1.0));
    /// # async {}.in_transaction("task", "import").with_client(&client).await;
    /// # assert_eq!(sent.transactions()[0].tags["tenant"], "acme");
    /// # }
    /// ```
    ///
    /// A transaction that it makes wait is pending and takes the place of an upload
    /// ([`max_uploads`](Self::max_uploads)), while others go on. There is no limit to that, so
    /// code that may wait for long should set one of its own, with `tokio::time::timeout`.
    /// [`Client::close`](crate::Client::close) returns at its deadline all the same. Where the
    /// runtime ends meanwhile, the future goes on in the next one that the client is used in; if
    /// it panics because its timers and connections are gone, that counts as any panic.
    pub fn before_send_transaction<F, Fut>(mut self, decide: F) -> Self
    where
        F: Fn(Transaction) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Option<Transaction>> + Send + 'static,
    {
        self.filters.before_send_transaction = Some(BeforeSendTransaction::new(decide));
        self
    }

    /// Sets the code that changes every span below a root before it is sent.
    ///
    /// There is none by default, and one at most. It runs on the task that delivers, once for
    /// each span that is still there before
    /// [`before_send_transaction`](Self::before_send_transaction). It can neither drop the span
    /// nor change its ids. A span for which it panics is sent as it was, as the protocol has it.
    ///
    /// ```
    /// # use taskspan::{Instrument, Options};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let options = Options::default().before_send_span(|span| {
    ///     span.data.remove("db.query.parameters");
    /// });
    /// # let (client, sent) = taskspan::test::client(options.traces_sample_rate(1.0));
    /// # async { taskspan::span("db", "q").in_scope(|span| span.set_data("db.query.parameters", 1)) }
    /// #     .in_transaction("task", "import").with_client(&client).await;
    /// # assert!(sent.transactions()[0].spans[0].data.is_empty());
    /// # }
    /// ```
    pub fn before_send_span(mut self, change: impl Fn(&mut Span) + Send + Sync + 'static) -> Self {
        self.filters.before_send_span = Some(BeforeSendSpan::new(change));
        self
    }

    /// Drops transactions whose name matches one of these.
    ///
    /// A text has to be the whole name; for more, give a [`Pattern`] or a regular expression. None
    /// by default; what was set before is replaced. The name is the one after the event
    /// processors. Such transactions are counted as `event_processor`.
    ///
    /// ```
    /// # use taskspan::Instrument;
    /// use taskspan::{Options, Pattern};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let options = Options::default()
    ///     .ignore_transactions([Pattern::from("GET /health"), Pattern::contains("internal")]);
    /// # let (client, sent) = taskspan::test::client(options.traces_sample_rate(1.0));
    /// # for name in ["GET /health", "POST /internal/gc", "GET /healthcare"] {
    /// #     async {}.in_transaction("http.server", name).with_client(&client).await;
    /// # }
    /// # assert_eq!(sent.tree(), "http.server GET /healthcare (ok)\n");
    /// # }
    /// ```
    pub fn ignore_transactions(
        mut self,
        patterns: impl IntoIterator<Item = impl Into<Pattern>>,
    ) -> Self {
        self.filters.ignore_transactions = patterns.into_iter().map(Into::into).collect();
        self
    }

    /// Drops spans that match one of these rules.
    ///
    /// A text has to be the whole name; for more, give a [`SpanRule`], a [`Pattern`] or a regular
    /// expression. None by default; what was set before is replaced. The children of such a span
    /// move up to its parent. If the root matches, the whole transaction is dropped. The rules see
    /// spans as they are after the event processors. What they drop is counted as `ignored`, as the
    /// protocol has it.
    ///
    /// ```
    /// use taskspan::Options;
    ///
    /// let options = Options::default().ignore_spans(["heartbeat", "SELECT 1"]);
    /// # let _ = options;
    /// ```
    pub fn ignore_spans(mut self, rules: impl IntoIterator<Item = impl Into<SpanRule>>) -> Self {
        self.filters.ignore_spans = rules.into_iter().map(Into::into).collect();
        self
    }

    /// Drops transactions whose HTTP response status is in one of these ranges.
    ///
    /// None by default; what was set before is replaced. The status is the number under
    /// `http.response.status_code` in the data of the root when the transaction ends. Such
    /// transactions are counted as `event_processor`, as the protocol has it.
    ///
    /// ```
    /// use taskspan::Options;
    ///
    /// let options = Options::default().trace_ignore_status_codes([301..=303, 404..=404]);
    /// # let _ = options;
    /// ```
    pub fn trace_ignore_status_codes(
        mut self,
        codes: impl IntoIterator<Item = RangeInclusive<u16>>,
    ) -> Self {
        self.filters.trace_ignore_status_codes = codes.into_iter().collect();
        self
    }

    /// Drops spans below this duration that ended as `ok`.
    ///
    /// Zero by default, which drops none. A span is kept, however short, if it is a root, did not
    /// end as `ok`, or has a descendant that is kept. Dropped spans are counted as `ignored`.
    ///
    /// They do not take the place of others: with this option up to ten times
    /// [`max_spans`](Self::max_spans) are recorded, and the limit applies to those that are kept.
    pub fn min_span_duration(mut self, duration: Duration) -> Self {
        self.filters.min_span_duration = duration;
        self
    }
}
