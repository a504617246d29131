//! What is measured: operations, and the states in which a user can be.

use support::meter::{Cost, Meter};

/// A crate that is measured, set up as its documentation recommends.
pub(crate) trait Peer {
    fn name(&self) -> &'static str;

    /// Measures an operation in a state, or tells that the crate has no such thing.
    fn measure(&self, scenario: Scenario, state: State, meter: Meter) -> Option<Cost>;

    /// Waits until nothing of what was measured goes on in other threads.
    fn settle(&self) {}
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scenario {
    /// A span around synchronous work.
    SyncSpan,
    /// The same with one string and two integers.
    Attributes,
    /// A span that is held as a value, and ended by dropping it.
    OpenSpan,
    /// A span around a future that is ready at once.
    AsyncSpan,
    /// A span around a future that is ready at its 11th poll.
    AsyncSpanPolled,
    /// One more poll of such a future.
    FurtherPoll,
    /// A root span around a future that is ready at once.
    Transaction,
    /// A span around synchronous work in 8 tasks that run on all cores, in each.
    EightTasks,
    /// A tag that goes with all spans.
    ScopeTag,
    /// What an outgoing request carries.
    OutgoingHeaders,
    /// The same on its arrival.
    IncomingHeaders,
    /// What an open span occupies, its future included.
    RetainedPerSpan,
    /// What a poll leaves behind until the transaction ends.
    RetainedPerPoll,
    /// A transaction of so many spans as it is sent.
    Serialise(u32),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum State {
    Sampled,
    Unsampled,
    /// Nothing is set up, or there is no transaction.
    NoClient,
    /// There are more spans than a transaction may have.
    OverLimit,
}

impl Scenario {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SyncSpan => "sync child span",
            Self::Attributes => "sync child span, 3 attributes",
            Self::OpenSpan => "child span as a value",
            Self::AsyncSpan => "async child span, polled once",
            Self::AsyncSpanPolled => "async child span, polled 11 times",
            Self::FurtherPoll => "one further poll",
            Self::Transaction => "empty transaction",
            Self::EightTasks => "sync child span, 8 tasks on all cores",
            Self::ScopeTag => "scope tag write",
            Self::OutgoingHeaders => "outgoing headers",
            Self::IncomingHeaders => "incoming headers",
            Self::RetainedPerSpan => "open async span",
            Self::RetainedPerPoll => "poll",
            Self::Serialise(10) => "transaction of 10 spans",
            Self::Serialise(_) => "transaction of 1,000 spans",
        }
    }
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sampled => "sampled",
            Self::Unsampled => "unsampled",
            Self::NoClient => "no client",
            Self::OverLimit => "over limit",
        }
    }
}

/// What a program does.
pub(crate) fn recording() -> impl Iterator<Item = (Scenario, State)> {
    let everywhere = [
        Scenario::SyncSpan,
        Scenario::Attributes,
        Scenario::OpenSpan,
        Scenario::AsyncSpan,
        Scenario::AsyncSpanPolled,
        Scenario::FurtherPoll,
        Scenario::Transaction,
        Scenario::ScopeTag,
    ];
    let over_limit = [Scenario::SyncSpan, Scenario::AsyncSpan];
    let sampled = [
        Scenario::EightTasks,
        Scenario::OutgoingHeaders,
        Scenario::IncomingHeaders,
    ];
    let states = [State::Sampled, State::Unsampled, State::NoClient];
    let everywhere = states
        .into_iter()
        .flat_map(move |state| everywhere.map(|scenario| (scenario, state)));
    everywhere
        .chain(over_limit.map(|scenario| (scenario, State::OverLimit)))
        .chain(sampled.map(|scenario| (scenario, State::Sampled)))
}

/// What is done in the background.
pub(crate) fn serialising() -> impl Iterator<Item = (Scenario, State)> {
    [10, 1_000]
        .into_iter()
        .map(|spans| (Scenario::Serialise(spans), State::Sampled))
}

/// How many spans a transaction has, and how often anything else is repeated.
pub(crate) const SPANS: u32 = 100;

/// How many polls are needed until a future is ready, in [`Scenario::AsyncSpanPolled`].
pub(crate) const POLLS: u32 = 11;

pub(crate) const TASKS: u32 = 8;
