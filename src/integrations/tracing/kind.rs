//! What kind of work a span is, as far as OpenTelemetry's words tell.

/// The kind of a span.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Server,
    Client,
    Producer,
    Consumer,
}

/// What the attributes of a span are about, by their names.
#[derive(Clone, Copy, Default)]
pub(super) enum Domain {
    #[default]
    Any,
    Database,
    Rpc,
}

impl Kind {
    pub(super) fn of(text: &str) -> Option<Self> {
        Some(match &*text.to_ascii_lowercase() {
            "server" => Self::Server,
            "client" => Self::Client,
            "producer" => Self::Producer,
            "consumer" => Self::Consumer,
            _ => return None,
        })
    }

    /// The operation of such spans.
    pub(super) fn op(self, domain: Domain) -> Option<&'static str> {
        Some(match (self, domain) {
            (Self::Server | Self::Client, Domain::Rpc) => "rpc",
            (Self::Client, Domain::Database) => "db",
            (Self::Server, _) => "http.server",
            (Self::Client, Domain::Any) => "http.client",
            (Self::Producer, _) => "queue.publish",
            (Self::Consumer, _) => "queue.process",
        })
    }
}

impl Domain {
    /// What it is after an attribute of this name. The first that says anything counts.
    pub(super) fn with(self, name: &str) -> Self {
        match self {
            Self::Any if name.starts_with("db.") => Self::Database,
            Self::Any if name.starts_with("rpc.") => Self::Rpc,
            known => known,
        }
    }
}
