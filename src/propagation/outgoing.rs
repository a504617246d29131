//! A trace on its way to another process.

use std::fmt::Write as _;
use std::sync::Arc;

use super::carrier::TraceCarrier;
use super::header::SentryTrace;
use super::policy::Policy;
use super::{BAGGAGE, SENTRY_BAGGAGE, SENTRY_TRACE, SENTRY_TRACE_VARIABLE, TRACEPARENT};
use crate::protocol::DynamicSamplingContext;
use crate::protocol::sampling_context::{MAX_BYTES, is_sentry_member};

/// What another process is told of the trace that it takes part in.
///
/// It is what the headers `sentry-trace` and `baggage` say, and `traceparent`
/// if the client [sends](crate::Options::propagate_traceparent) it. It holds
/// for the moment: take a new one for each request.
///
/// What is known of the trace is settled when the first of these is made. A
/// name or a release that changes later is not told to anyone any more.
///
/// ```
/// use http::HeaderMap;
/// use taskspan::{Instrument, Options};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
/// async {
///     let mut headers = HeaderMap::new();
///     if let Some(trace) = taskspan::outgoing_trace_to("https://api.example/items") {
///         trace.inject(&mut headers);
///     }
///     assert!(headers["sentry-trace"].to_str().unwrap().ends_with("-1"));
///     assert!(headers["baggage"].to_str().unwrap().contains("sentry-sampled=true"));
/// }
/// .in_transaction("task", "import")
/// # .with_client(&client)
/// .await;
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct OutgoingTrace {
    sentry_trace: SentryTrace,
    /// Empty if the head of the trace did not say anything.
    sampling_context: Arc<DynamicSamplingContext>,
    /// Whether a `traceparent` is sent too.
    with_traceparent: bool,
}

impl OutgoingTrace {
    pub(crate) fn new(
        sentry_trace: SentryTrace,
        sampling_context: Arc<DynamicSamplingContext>,
        policy: &Policy,
    ) -> Self {
        Self {
            sentry_trace,
            sampling_context,
            with_traceparent: policy.propagate_traceparent,
        }
    }

    /// The value of the header `sentry-trace`.
    pub fn sentry_trace(&self) -> String {
        self.sentry_trace.to_string()
    }

    /// The members for the header `baggage`, `None` if there are none.
    ///
    /// Members of others that a request has already are to be kept before
    /// them, as [`inject`](Self::inject) does it.
    pub fn baggage(&self) -> Option<&str> {
        let baggage = self.sampling_context.as_baggage();
        (!baggage.is_empty()).then_some(baggage)
    }

    /// The value of the header `traceparent`, if it is to be sent.
    pub fn traceparent(&self) -> Option<String> {
        self.with_traceparent
            .then(|| self.sentry_trace.to_traceparent())
    }

    /// Puts the trace into the headers of a request or the metadata of a message.
    ///
    /// What stands there of another trace is replaced. The members of others
    /// in `baggage` stay as they are, and count towards the 8,192 bytes that a
    /// `baggage` may have: what does not fit beside them is left out, the least
    /// important first.
    pub fn inject(&self, carrier: &mut (impl TraceCarrier + ?Sized)) {
        carrier.set(SENTRY_TRACE, &self.sentry_trace());
        if let Some(ours) = self.baggage() {
            let merged = match carrier.get(BAGGAGE) {
                Some(theirs) => merge(&theirs, ours),
                None => ours.to_owned(),
            };
            if !merged.is_empty() {
                carrier.set(BAGGAGE, &merged);
            }
        }
        if let Some(traceparent) = self.traceparent() {
            carrier.set(TRACEPARENT, &traceparent);
        }
    }

    /// The environment variables by which a child process continues the trace.
    ///
    /// ```
    /// # use std::process::Command;
    /// let mut command = Command::new("true");
    /// if let Some(trace) = taskspan::outgoing_trace() {
    ///     command.envs(trace.env());
    /// }
    /// ```
    pub fn env(&self) -> impl Iterator<Item = (&'static str, String)> {
        let baggage = self
            .baggage()
            .map(|baggage| (SENTRY_BAGGAGE, baggage.to_owned()));
        [(SENTRY_TRACE_VARIABLE, self.sentry_trace())]
            .into_iter()
            .chain(baggage)
    }

    /// The `<meta>` tags by which the browser's part of a page continues the trace.
    ///
    /// They go into the `<head>` of a page that is rendered for one request.
    pub fn html_meta(&self) -> String {
        let mut html = format!(
            r#"<meta name="sentry-trace" content="{}"/>"#,
            self.sentry_trace
        );
        if let Some(baggage) = self.baggage() {
            html.push('\n');
            // Writing to a string can't fail.
            let _ = write!(
                html,
                r#"<meta name="baggage" content="{}"/>"#,
                escape(baggage)
            );
        }
        html
    }
}

/// Puts our members behind those of others. Sentry's among theirs are replaced.
fn merge(theirs: &str, ours: &str) -> String {
    let mut merged = String::with_capacity(theirs.len() + ours.len() + 1);
    let others = theirs.split(',').map(str::trim);
    let others = others.filter(|member| !member.is_empty() && !is_sentry_member(member));
    let others = others.map(|member| (member, usize::MAX));
    for (member, limit) in others.chain(ours.split(',').map(|member| (member, MAX_BYTES))) {
        let comma = usize::from(!merged.is_empty());
        if merged.len() + comma + member.len() > limit {
            // What comes after it is less important, even if it is shorter.
            break;
        }
        merged.extend((comma > 0).then_some(','));
        merged.push_str(member);
    }
    merged
}

/// A text inside of the double quotes of an attribute.
fn escape(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('"', "&quot;");
    escaped.replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn trace(baggage: &str) -> OutgoingTrace {
        OutgoingTrace {
            sentry_trace: SentryTrace::parse("3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68-1")
                .unwrap(),
            sampling_context: Arc::new(DynamicSamplingContext::from_baggage(baggage)),
            with_traceparent: false,
        }
    }

    #[test]
    fn members_of_others_stay_and_those_of_sentry_are_replaced() {
        let ours = "sentry-trace_id=1,sentry-release=2";
        // baggage that is there, ours, what is sent
        let table = [
            (None, ours, Some("sentry-trace_id=1,sentry-release=2")),
            (None, "", None),
            (
                Some("v2=y;p=1,sentry-release=old"),
                ours,
                Some("v2=y;p=1,sentry-trace_id=1,sentry-release=2"),
            ),
            (
                Some("sentry-release=old , v2=%zz é"),
                ours,
                Some("v2=%zz é,sentry-trace_id=1,sentry-release=2"),
            ),
            (Some("sentry-release=old"), "", Some("sentry-release=old")),
            (Some(" , ,"), ours, Some(ours)),
        ];
        for (there, ours, expected) in table {
            let mut carrier: BTreeMap<String, String> = BTreeMap::new();
            if let Some(there) = there {
                carrier.insert("Baggage".into(), there.into());
            }
            trace(ours).inject(&mut carrier);
            let sent = TraceCarrier::get(&carrier, "baggage");
            assert_eq!(sent.as_deref(), expected, "{there:?} {ours}");
        }
    }

    #[test]
    fn what_is_least_important_gives_way() {
        let theirs = format!("v={}", "x".repeat(MAX_BYTES - 20));
        let merged = merge(&theirs, "sentry-a=1,sentry-transaction=2,sentry-b=3");
        assert_eq!(merged, format!("{theirs},sentry-a=1"));
        let merged = merge(&theirs, "sentry-trace_id=12345678,sentry-b=3");
        assert_eq!(merged, theirs, "the shorter one is less important");
        let theirs = format!("v={}", "x".repeat(MAX_BYTES));
        assert_eq!(merge(&theirs, "sentry-a=1"), theirs);
    }

    #[test]
    fn meta_tags_and_variables_say_what_headers_say() {
        let trace = trace("sentry-a=%3C,sentry-b=<&'>");
        let header = "3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68-1";
        assert_eq!(
            trace.html_meta(),
            format!(
                "<meta name=\"sentry-trace\" content=\"{header}\"/>\n\
                 <meta name=\"baggage\" content=\"sentry-a=%3C,sentry-b=&lt;&amp;'&gt;\"/>"
            )
        );
        let variables: Vec<_> = trace.env().collect();
        assert_eq!(
            variables,
            [
                ("SENTRY_TRACE", header.to_owned()),
                ("SENTRY_BAGGAGE", "sentry-a=%3C,sentry-b=<&'>".to_owned()),
            ]
        );
    }

    proptest! {
        #[test]
        fn merging_loses_nothing_of_others_and_keeps_to_the_limit(
            theirs in prop::collection::vec("(v[a-z]{0,5}|sentry-a)=[a-z;%]{0,3000}", 0..6),
            ours in prop::collection::vec("sentry-[a-z]{1,5}=[a-z]{0,3000}", 1..6),
        ) {
            let merged = merge(&theirs.join(" , "), &ours.join(","));
            let others: Vec<_> = theirs.iter().filter(|member| !is_sentry_member(member)).collect();
            let kept: Vec<_> = merged.split(',').filter(|member| !is_sentry_member(member) && !member.is_empty()).collect();
            prop_assert_eq!(others, kept);
            let others_length = theirs.iter().filter(|member| !is_sentry_member(member)).map(|member| member.len() + 1).sum::<usize>();
            prop_assert!(merged.len() <= MAX_BYTES.max(others_length));
        }
    }
}
