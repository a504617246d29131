//! Taking envelopes apart, strictly.

use std::fmt;

use serde_json::{Map, Value};

use super::json::{Fields, check_json, scalar, value};

/// An envelope as it arrived: headers and items, none of them interpreted.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ReceivedEnvelope {
    /// The first line, with everything that this crate does not know of.
    pub headers: Map<String, Value>,
    /// The items in the order in which they stood, those of unknown types too.
    pub items: Vec<ReceivedItem>,
}

/// An item of an envelope as it arrived.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ReceivedItem {
    /// The line before the payload.
    pub headers: Map<String, Value>,
    /// The payload, without the newline after it.
    pub payload: Vec<u8>,
}

/// The error returned when bytes are not an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseEnvelopeError {
    item: Option<usize>,
    problem: EnvelopeProblem,
}

/// What is wrong with an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EnvelopeProblem {
    /// A header line is empty. After the last item there is one newline at most.
    EmptyHeader,
    /// A header line is longer than [`ReceivedEnvelope::MAX_HEADER`].
    HeaderTooLong,
    /// A header line is not exactly one JSON object from its first to its last byte.
    HeaderNotObject,
    /// A header line has braces around it but is not JSON.
    HeaderNotJson(String),
    /// A key stands twice in one header.
    DuplicateKey(String),
    /// An item has no `type`, or one that is not a string.
    MissingType,
    /// The `length` of an item is not a whole number of bytes.
    MalformedLength,
    /// The envelope ends before an item that it announces does.
    Truncated,
    /// The payload goes on after as many bytes as its `length` states.
    PayloadTooLong,
    /// There are more than [`ReceivedEnvelope::MAX_ITEMS`] items.
    TooManyItems,
}

impl ReceivedEnvelope {
    /// The most items that an envelope may have: 1,000.
    pub const MAX_ITEMS: usize = 1_000;
    /// The most bytes that a header line may have: 64 KiB.
    pub const MAX_HEADER: usize = 64 * 1024;

    /// Reads a whole envelope.
    ///
    /// It takes time and memory in proportion to the number of bytes.
    ///
    /// # Errors
    ///
    /// Says which item is malformed, and how.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseEnvelopeError> {
        let (header, raw_items) = split_envelope(bytes)?;
        let mut items = Vec::new();
        for item in raw_items {
            let item = item?;
            items.push(ReceivedItem {
                headers: item.header.decode(),
                payload: item.payload.to_vec(),
            });
        }
        let headers = header.decode();
        Ok(Self { headers, items })
    }

    /// The value of a header that is a string.
    pub fn header(&self, key: &str) -> Option<&str> {
        self.headers.get(key)?.as_str()
    }
}

/// A header line that is checked, with its values as they were sent.
pub(crate) struct Header<'a> {
    json: &'a str,
    fields: Fields<'a>,
}

impl<'a> Header<'a> {
    /// The value of a header, if it is one of those that this crate knows.
    pub(super) fn get(&self, key: &str) -> Option<&'a str> {
        self.fields.get(key)
    }

    /// Builds a header, unless it is a list or an object.
    pub(crate) fn scalar(&self, key: &str) -> Option<Value> {
        scalar(self.get(key)?)
    }

    /// Builds the values of all headers.
    fn decode(&self) -> Map<String, Value> {
        match value(self.json) {
            Value::Object(headers) => headers,
            _ => Map::new(),
        }
    }
}

/// An item of an envelope that is still a part of the envelope's text.
pub(crate) struct RawItem<'a> {
    /// The `type` of the item, such as `transaction`.
    pub(crate) kind: String,
    pub(crate) header: Header<'a>,
    pub(crate) payload: &'a [u8],
}

/// Reads the items of an envelope, one at a time, up to the first malformed one.
pub(crate) struct RawItems<'a> {
    rest: Option<&'a [u8]>,
    count: usize,
}

impl<'a> Iterator for RawItems<'a> {
    type Item = Result<RawItem<'a>, ParseEnvelopeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.rest.take().filter(|bytes| !bytes.is_empty())?;
        let number = self.count;
        self.count += 1;
        let read = match number {
            ReceivedEnvelope::MAX_ITEMS => Err(EnvelopeProblem::TooManyItems),
            _ => parse_item(bytes),
        };
        let read = read.map(|(item, rest)| {
            self.rest = rest;
            item
        });
        Some(read.map_err(|problem| ParseEnvelopeError {
            item: Some(number),
            problem,
        }))
    }
}

/// Reads the header of an envelope, and returns what reads its items.
pub(crate) fn split_envelope(
    bytes: &[u8],
) -> Result<(Header<'_>, RawItems<'_>), ParseEnvelopeError> {
    let (line, rest) = split_line(bytes);
    let header = parse_header(line).map_err(|problem| ParseEnvelopeError {
        item: None,
        problem,
    })?;
    Ok((header, RawItems { rest, count: 0 }))
}

impl ReceivedItem {
    /// The `type` of the item, such as `transaction`.
    pub fn kind(&self) -> &str {
        self.header("type").unwrap_or_default()
    }

    /// The value of a header that is a string.
    pub fn header(&self, key: &str) -> Option<&str> {
        self.headers.get(key)?.as_str()
    }
}

impl ParseEnvelopeError {
    /// The number of the malformed item from zero, or `None` if it is the envelope's own header.
    pub fn item(&self) -> Option<usize> {
        self.item
    }

    /// What is wrong.
    pub fn problem(&self) -> &EnvelopeProblem {
        &self.problem
    }
}

impl fmt::Display for ParseEnvelopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.item {
            Some(item) => write!(f, "item {item} of the envelope: {}", self.problem),
            None => write!(f, "header of the envelope: {}", self.problem),
        }
    }
}

impl fmt::Display for EnvelopeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyHeader => f.write_str("an empty line where a header is expected"),
            Self::HeaderTooLong => f.write_str("the header is too long"),
            Self::HeaderNotObject => f.write_str("the header is not one JSON object on one line"),
            Self::HeaderNotJson(reason) => write!(f, "the header is not JSON: {reason}"),
            Self::DuplicateKey(key) => write!(f, "the header has {key:?} twice"),
            Self::MissingType => f.write_str("the header has no type"),
            Self::MalformedLength => f.write_str("the length is not a number of bytes"),
            Self::Truncated => f.write_str("the envelope ends too early"),
            Self::PayloadTooLong => f.write_str("the payload is longer than its length"),
            Self::TooManyItems => f.write_str("there are too many items"),
        }
    }
}

impl std::error::Error for ParseEnvelopeError {}

/// Splits at the first newline. What comes after it is `None` where there is no newline.
fn split_line(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], Some(&bytes[end + 1..])),
        None => (bytes, None),
    }
}

/// Reads one item, and returns what comes after the newline that ends it.
fn parse_item(bytes: &[u8]) -> Result<(RawItem<'_>, Option<&[u8]>), EnvelopeProblem> {
    let (line, rest) = split_line(bytes);
    let header = parse_header(line)?;
    let Some(Value::String(kind)) = header.scalar("type") else {
        return Err(EnvelopeProblem::MissingType);
    };
    let rest = rest.ok_or(EnvelopeProblem::Truncated)?;
    let (payload, rest) = match header.get("length") {
        None => split_line(rest),
        Some(length) => {
            let length = scalar(length).and_then(|length| length.as_u64());
            let length = length.ok_or(EnvelopeProblem::MalformedLength)?;
            let (payload, rest) = usize::try_from(length)
                .ok()
                .and_then(|length| rest.split_at_checked(length))
                .ok_or(EnvelopeProblem::Truncated)?;
            match rest.split_first() {
                None => (payload, None),
                Some((b'\n', rest)) => (payload, Some(rest)),
                Some(_) => return Err(EnvelopeProblem::PayloadTooLong),
            }
        }
    };
    let item = RawItem {
        kind,
        header,
        payload,
    };
    Ok((item, rest))
}

fn parse_header(line: &[u8]) -> Result<Header<'_>, EnvelopeProblem> {
    match line {
        [] => Err(EnvelopeProblem::EmptyHeader),
        line if line.len() > ReceivedEnvelope::MAX_HEADER => Err(EnvelopeProblem::HeaderTooLong),
        [b'{', .., b'}'] => {
            let json = check_json(line)
                .map_err(|error| EnvelopeProblem::HeaderNotJson(error.to_string()))?;
            let fields = Fields::read_unique(json).map_err(EnvelopeProblem::DuplicateKey)?;
            Ok(Header { json, fields })
        }
        _ => Err(EnvelopeProblem::HeaderNotObject),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn payloads(bytes: &[u8]) -> Vec<String> {
        let envelope = ReceivedEnvelope::parse(bytes).unwrap();
        let text = |item: ReceivedItem| String::from_utf8(item.payload).unwrap();
        envelope.items.into_iter().map(text).collect()
    }

    #[test]
    fn well_formed_envelopes_are_read() {
        let none: [&str; 0] = [];
        let table: [(&str, &[&str]); 9] = [
            ("{}", &none),
            ("{}\n", &none),
            ("{}\n{\"type\":\"a\"}\n", &[""]),
            ("{}\n{\"type\":\"a\"}\n\n", &[""]),
            ("{}\n{\"type\":\"a\",\"length\":0}\n", &[""]),
            ("{}\n{\"type\":\"a\"}\nxyz", &["xyz"]),
            ("{}\n{\"type\":\"a\"}\nx\r\n", &["x\r"]),
            ("{}\n{\"type\":\"a\",\"length\":3}\nx\ny\n", &["x\ny"]),
            (
                "{}\n{\"type\":\"a\"}\nx\n{\"type\":\"b\",\"length\":1}\ny",
                &["x", "y"],
            ),
        ];
        for (text, expected) in table {
            assert_eq!(payloads(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn malformed_envelopes_are_refused_with_the_reason() {
        use EnvelopeProblem::*;
        let table = [
            ("", None, EmptyHeader),
            ("\n", None, EmptyHeader),
            ("[]", None, HeaderNotObject),
            (" {}", None, HeaderNotObject),
            ("{}\r\n", None, HeaderNotObject),
            ("{\"a\":\n1}", None, HeaderNotObject),
            (
                "{\"sent_at\":1,\"sent_at\":2}",
                None,
                DuplicateKey("sent_at".into()),
            ),
            ("{}\n\n", Some(0), EmptyHeader),
            ("{}\n{\"type\":\"a\"}\nx\n\n", Some(1), EmptyHeader),
            ("{}\n{\"length\":2}\n{}", Some(0), MissingType),
            ("{}\n{\"type\":7}\n{}", Some(0), MissingType),
            ("{}\n{\"type\":\"a\"}", Some(0), Truncated),
            ("{}\n{\"type\":\"a\",\"length\":0}", Some(0), Truncated),
            ("{}\n{\"type\":\"a\",\"length\":3}\n{}", Some(0), Truncated),
            (
                "{}\n{\"type\":\"a\",\"length\":1}\n{}",
                Some(0),
                PayloadTooLong,
            ),
            (
                "{}\n{\"type\":\"a\",\"length\":-1}\n{}",
                Some(0),
                MalformedLength,
            ),
            (
                "{}\n{\"type\":\"a\",\"length\":18446744073709551615}\n{}",
                Some(0),
                Truncated,
            ),
            (
                "{}\n{\"type\":\"a\",\"length\":2.0}\n{}",
                Some(0),
                MalformedLength,
            ),
        ];
        for (text, item, problem) in table {
            let error = ReceivedEnvelope::parse(text.as_bytes()).unwrap_err();
            assert_eq!((error.item, error.problem), (item, problem), "{text:?}");
        }
    }

    #[test]
    fn nesting_and_numbers_of_things_are_bounded() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let problem = ReceivedEnvelope::parse(deep.as_bytes()).unwrap_err();
        assert_eq!(problem.problem, EnvelopeProblem::HeaderTooLong);
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000));
        let problem = ReceivedEnvelope::parse(deep.as_bytes()).unwrap_err();
        assert!(matches!(problem.problem, EnvelopeProblem::HeaderNotJson(_)));

        let many = |count| format!("{{}}\n{}", "{\"type\":\"a\"}\n\n".repeat(count));
        assert_eq!(payloads(many(1_000).as_bytes()).len(), 1_000);
        let error = ReceivedEnvelope::parse(many(1_001).as_bytes()).unwrap_err();
        assert_eq!(error.problem, EnvelopeProblem::TooManyItems);
    }

    /// Pieces that random envelopes are likely to go wrong with.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            Just(b"{}".to_vec()),
            Just(b"\n".to_vec()),
            Just(b"{\"type\":\"transaction\"}".to_vec()),
            (0..40_u32).prop_map(|n| format!("{{\"type\":\"a\",\"length\":{n}}}").into_bytes()),
            proptest::collection::vec(any::<u8>(), 0..20),
        ]
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = ReceivedEnvelope::parse(&bytes);
        }

        #[test]
        fn random_pieces_never_panic(pieces in proptest::collection::vec(piece(), 0..20)) {
            let _ = ReceivedEnvelope::parse(&pieces.concat());
        }

        #[test]
        fn what_is_written_is_read_back(
            headers in proptest::collection::btree_map("[a-z_]{1,8}", "\\PC{0,20}", 0..4),
            items in proptest::collection::vec(
                ("\\PC{0,12}", proptest::collection::vec(any::<u8>(), 0..50), any::<bool>()),
                0..6,
            ),
            last_newline: bool,
        ) {
            let mut bytes = serde_json::to_vec(&headers).unwrap();
            for (kind, payload, with_length) in &items {
                let mut header = Map::new();
                header.insert("type".into(), kind.as_str().into());
                if *with_length || payload.contains(&b'\n') {
                    header.insert("length".into(), payload.len().into());
                }
                bytes.push(b'\n');
                bytes.extend(serde_json::to_vec(&header).unwrap());
                bytes.push(b'\n');
                bytes.extend(payload);
            }
            if last_newline {
                bytes.push(b'\n');
            }
            let envelope = ReceivedEnvelope::parse(&bytes).unwrap();
            prop_assert_eq!(envelope.headers.len(), headers.len());
            for (key, value) in &headers {
                prop_assert_eq!(envelope.header(key), Some(value.as_str()));
            }
            let read: Vec<_> = envelope
                .items
                .iter()
                .map(|item| (item.kind(), item.payload.as_slice()))
                .collect();
            let written: Vec<_> = items
                .iter()
                .map(|(kind, payload, _)| (kind.as_str(), payload.as_slice()))
                .collect();
            prop_assert_eq!(read, written);
        }
    }
}
