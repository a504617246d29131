//! A trace on its way to another process.

use std::fmt::Write as _;
use std::sync::Arc;

use super::carrier::TraceCarrier;
use super::header::SentryTrace;
use super::policy::Policy;
use super::{
    BAGGAGE, SENTRY_BAGGAGE, SENTRY_TRACE, SENTRY_TRACE_VARIABLE, TRACEPARENT, TRACESTATE,
};
use crate::protocol::DynamicSamplingContext;
use crate::protocol::sampling_context::{MAX_BYTES, MAX_MEMBERS, is_sentry_member, rank};

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
    /// Headers of another trace are replaced. Third-party members of `baggage` stay as they are,
    /// and count towards the 64 members and 8,192 bytes that a `baggage` may have: members of ours
    /// that do not fit beside them are omitted, the least important first.
    ///
    /// A `traceparent` of another trace is replaced too, unless a `tracestate` is there: the two
    /// belong together, so both stay.
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
        if self.with_traceparent && !self.has_foreign_state(carrier) {
            carrier.set(TRACEPARENT, &self.sentry_trace.to_traceparent());
        }
    }

    /// Whether a `tracestate` is there that would be read as part of this trace, and is not.
    fn has_foreign_state(&self, carrier: &(impl TraceCarrier + ?Sized)) -> bool {
        if carrier
            .get(TRACESTATE)
            .is_none_or(|state| state.trim().is_empty())
        {
            return false;
        }
        let theirs = carrier.get(TRACEPARENT);
        let theirs = theirs.and_then(|text| SentryTrace::parse_traceparent(&text));
        theirs.is_none_or(|theirs| theirs.trace_id != self.sentry_trace.trace_id)
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
    let others = theirs.split(',').map(str::trim);
    let others = others.filter(|member| !member.is_empty() && !is_sentry_member(member));
    let mut merged = String::with_capacity(theirs.len() + ours.len() + 1);
    let mut count = 0;
    let push = |merged: &mut String, count: &mut usize, member: &str| {
        merged.extend((*count > 0).then_some(','));
        merged.push_str(member);
        *count += 1;
    };
    for member in others {
        push(&mut merged, &mut count, member);
    }
    let mut ours: Vec<_> = ours.split(',').collect();
    let bytes = |members: &[&str]| members.iter().map(|member| member.len() + 1).sum::<usize>();
    if count + ours.len() > MAX_MEMBERS || merged.len() + bytes(&ours) > MAX_BYTES {
        // They come in the order in which their head has written them.
        ours.sort_by_key(|member| rank(member));
    }
    for member in ours {
        let comma = usize::from(count > 0);
        if count >= MAX_MEMBERS || merged.len() + comma + member.len() > MAX_BYTES {
            // What comes after it is less important, even if it is shorter.
            break;
        }
        push(&mut merged, &mut count, member);
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
    fn there_are_at_most_64_members_and_the_important_ones_stay() {
        let theirs: Vec<_> = (0..61).map(|n| format!("v{n}=1")).collect();
        let theirs = theirs.join(",");
        let ours = "sentry-x=1,sentry-environment=2,sentry-sample_rand=0.5,sentry-trace_id=3,\
                    sentry-public_key=4";
        let merged = merge(&theirs, ours);
        let kept = "sentry-trace_id=3,sentry-public_key=4,sentry-sample_rand=0.5";
        assert_eq!(merged, format!("{theirs},{kept}"));
        let theirs = format!("{theirs},a=1,b=1,c=1,d=1");
        assert_eq!(
            merge(&theirs, ours),
            theirs,
            "those of others are not ours to drop"
        );
    }

    #[test]
    fn traceparent_and_tracestate_belong_to_one_trace() {
        let theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let same = "00-3f0c2a9be41d4f7c9a60b1d2c3e4f506-00f067aa0ba902b7-01";
        let ours = "00-3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68-01";
        // traceparent and tracestate that are there, traceparent that is sent
        let table = [
            (None, None, Some(ours)),
            (Some(theirs), None, Some(ours)),
            (Some(theirs), Some(" "), Some(ours)),
            (Some(theirs), Some("v=1"), Some(theirs)),
            // A service in between that knows nothing of `sentry-trace`.
            (Some(same), Some("v=1"), Some(ours)),
            // Nothing can be said of a state without a trace.
            (None, Some("v=1"), None),
            (Some("broken"), Some("v=1"), Some("broken")),
        ];
        for (parent, state, expected) in table {
            let mut carrier: BTreeMap<String, String> = BTreeMap::new();
            for (name, value) in [("Traceparent", parent), ("Tracestate", state)] {
                if let Some(value) = value {
                    carrier.insert(name.into(), value.into());
                }
            }
            let mut trace = trace("");
            trace.with_traceparent = true;
            trace.inject(&mut carrier);
            let sent = TraceCarrier::get(&carrier, "traceparent");
            assert_eq!(sent.as_deref(), expected, "{parent:?} {state:?}");
            let state_sent = TraceCarrier::get(&carrier, "tracestate");
            assert_eq!(state_sent.as_deref(), state);
        }
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
