//! A request as it is kept until its transaction is sent.
//!
//! Where requests are answered they are only copied, byte by byte. What may be
//! told of them, and in which words, is found out by the worker.

use std::borrow::Cow;

use http::uri::Authority;
use serde_json::Value;

use crate::privacy;
use crate::propagation::without_brackets;
use crate::protocol::{Data, Request, Transaction};

/// Writes down the head of a request.
pub(crate) struct RequestWriter<'a> {
    bytes: &'a mut Vec<u8>,
}

/// The head of a request as it was written down.
#[derive(Debug)]
pub(crate) struct RecordedRequest {
    bytes: Vec<u8>,
}

/// What is written down first, in this order; what is not known is empty.
pub(crate) struct Fields<'a> {
    pub(crate) method: &'a str,
    /// `http` or `https`.
    pub(crate) scheme: &'a str,
    /// Host and port.
    pub(crate) authority: &'a [u8],
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    /// The version of HTTP, such as `1.1`.
    pub(crate) version: &'a str,
    /// The route that it has taken, with placeholders.
    pub(crate) route: &'a str,
    /// The address of the client.
    pub(crate) client: &'a str,
}

impl<'a> RequestWriter<'a> {
    pub(crate) fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self { bytes }
    }

    /// Writes down all but the headers.
    pub(crate) fn fields(&mut self, fields: &Fields<'_>) {
        self.text(fields.method.as_bytes());
        self.text(fields.scheme.as_bytes());
        self.text(fields.authority);
        self.text(fields.path.as_bytes());
        self.text(fields.query.as_bytes());
        self.text(fields.version.as_bytes());
        self.text(fields.route.as_bytes());
        self.text(fields.client.as_bytes());
    }

    /// Writes down a header, after the fields.
    pub(crate) fn header(&mut self, name: &str, value: &[u8]) {
        self.text(name.as_bytes());
        self.text(value);
    }

    fn text(&mut self, text: &[u8]) {
        // Servers take no heads of this size.
        let length = u32::try_from(text.len()).unwrap_or(0);
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(&text[..length as usize]);
    }
}

impl RecordedRequest {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.to_vec(),
        }
    }

    /// Puts what may be told of it on a transaction and among the data of its
    /// root, below what is there already. `personal` is for what tells who somebody is.
    pub(crate) fn put_on(&self, transaction: &mut Transaction, data: &mut Data, personal: bool) {
        let mut texts = self.texts();
        let mut next = || texts.next().unwrap_or_default();
        let [
            method,
            scheme,
            authority,
            path,
            query,
            version,
            route,
            client,
        ] = std::array::from_fn(|_| next());
        let query = privacy::query(&query);
        let headers: Vec<_> = std::iter::from_fn(|| Some((texts.next()?, texts.next()?))).collect();
        let header = |name: &str| {
            let mut headers = headers.iter().filter(|(found, _)| *found == name);
            headers.next().map(|(_, value)| value.as_ref())
        };

        let known_method = privacy::known_method(&method);
        let told_path = privacy::path(&path);
        let host = authority.rsplit('@').next().unwrap_or_default();
        let host = host.parse::<Authority>().ok();
        let agent = header("user-agent");
        let length = header("content-length").and_then(|length| length.parse::<u64>().ok());
        let known: [(&'static str, Option<Value>); 12] = [
            (
                "http.request.method",
                text(known_method.unwrap_or(privacy::OTHER_METHOD)),
            ),
            ("http.route", text(&route)),
            ("http.request.body.size", length.map(Value::from)),
            ("url.scheme", text(&scheme)),
            ("url.path", text(&told_path).filter(|_| path != "*")),
            ("url.query", text(&query)),
            (
                "server.address",
                host.as_ref()
                    .and_then(|host| text(without_brackets(host.host()))),
            ),
            (
                "server.port",
                host.as_ref().and_then(|host| Some(host.port_u16()?.into())),
            ),
            ("network.protocol.name", Some("http".into())),
            ("network.protocol.version", text(&version)),
            (
                "user_agent.original",
                agent.and_then(|agent| text(&privacy::text(agent))),
            ),
            ("client.address", text(&client).filter(|_| personal)),
        ];
        for (key, value) in known {
            if let Some(value) = value
                && !data.contains_key(key)
            {
                // A JSON value always serialises.
                let _ = data.insert(key, &value);
            }
        }
        let url = privacy::request_url(&scheme, &authority, &path);
        let told = headers
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_ref()));
        transaction.request = Some(Request {
            method: known_method.map(str::to_owned),
            url: Some(url).filter(|url| !url.is_empty()),
            query_string: Some(query.into_owned()).filter(|query| !query.is_empty()),
            cookies: privacy::cookies(told.clone(), personal),
            headers: privacy::headers(told, personal),
            data: None,
        });
    }

    fn texts(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let (text, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            rest = after;
            Some(String::from_utf8_lossy(text))
        })
    }
}

fn text(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| text.into())
}
