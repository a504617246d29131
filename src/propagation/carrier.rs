//! What takes a trace from one process to another.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::BAGGAGE;

/// Names and values that travel with a request or a message: HTTP headers, or the metadata of a queue.
///
/// [`IncomingTrace`](crate::IncomingTrace) is read out of it, and
/// [`OutgoingTrace`](crate::OutgoingTrace) is put into it. It is there for
/// [`http::HeaderMap`] and for maps and lists of strings. To implement it for
/// another type, two lookups are enough:
///
/// ```
/// use std::borrow::Cow;
///
/// use taskspan::{IncomingTrace, TraceCarrier};
///
/// struct Message {
///     headers: Vec<(&'static str, Vec<u8>)>,
/// }
///
/// impl TraceCarrier for Message {
///     fn get(&self, name: &str) -> Option<Cow<'_, str>> {
///         let (_, value) = self.headers.iter().find(|(found, _)| *found == name)?;
///         Some(Cow::Borrowed(std::str::from_utf8(value).ok()?))
///     }
///
///     fn set(&mut self, name: &'static str, value: &str) {
///         self.headers.retain(|(found, _)| *found != name);
///         self.headers.push((name, value.into()));
///     }
/// }
///
/// let mut message = Message { headers: Vec::new() };
/// message.set("sentry-trace", "3f0c2a9be41d4f7c9a60b1d2c3e4f506-b7e4a1930c5d2f68-1");
/// assert_eq!(IncomingTrace::from_carrier(&message).sampled(), Some(true));
/// ```
pub trait TraceCarrier {
    /// The value under a name; several values of one name with commas between them.
    ///
    /// Names are asked for in lower case. Where names are not told apart by
    /// case, as in HTTP, a name that is stored in another case has to be found.
    fn get(&self, name: &str) -> Option<Cow<'_, str>>;

    /// Puts a value under a name, in the place of all that was there.
    ///
    /// Names are lower case, and values printable ASCII, unless what a third
    /// party had put into `baggage` was something else.
    fn set(&mut self, name: &'static str, value: &str);
}

impl TraceCarrier for HeaderMap {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        list(self.get_all(name).iter().filter_map(readable))
    }

    fn set(&mut self, name: &'static str, value: &str) {
        let Ok(value) =
            HeaderValue::from_str(value).or_else(|_| HeaderValue::from_bytes(value.as_bytes()))
        else {
            return;
        };
        let name = HeaderName::from_static(name);
        // A baggage that could not be read is somebody else's, and stays beside it.
        let others = self.get_all(&name).iter();
        let others: Vec<_> = others
            .filter(|other| name == BAGGAGE && readable(other).is_none())
            .cloned()
            .collect();
        self.insert(name.clone(), value);
        for other in others {
            self.append(name.clone(), other);
        }
    }
}

impl<S: BuildHasher> TraceCarrier for HashMap<String, String, S> {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let exact = Self::get(self, name);
        let value = exact.or_else(|| find(self, name));
        value.map(|value| Cow::Borrowed(value.as_str()))
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.retain(|found, _| !found.eq_ignore_ascii_case(name));
        self.insert(name.to_owned(), value.to_owned());
    }
}

impl TraceCarrier for BTreeMap<String, String> {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let exact = Self::get(self, name);
        let value = exact.or_else(|| find(self, name));
        value.map(|value| Cow::Borrowed(value.as_str()))
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.retain(|found, _| !found.eq_ignore_ascii_case(name));
        self.insert(name.to_owned(), value.to_owned());
    }
}

impl TraceCarrier for Vec<(String, String)> {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let named = self
            .iter()
            .filter(|(found, _)| found.eq_ignore_ascii_case(name));
        let values: Vec<_> = named.map(|(_, value)| value.as_str()).collect();
        match values[..] {
            [] => None,
            [value] => Some(Cow::Borrowed(value)),
            _ => Some(Cow::Owned(values.join(","))),
        }
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.retain(|(found, _)| !found.eq_ignore_ascii_case(name));
        self.push((name.to_owned(), value.to_owned()));
    }
}

/// The values of one name as one value.
pub(crate) fn list<'a>(mut values: impl Iterator<Item = &'a str>) -> Option<Cow<'a, str>> {
    let first = values.next()?;
    let Some(second) = values.next() else {
        return Some(Cow::Borrowed(first));
    };
    let values = [first, second].into_iter().chain(values);
    Some(Cow::Owned(values.collect::<Vec<_>>().join(",")))
}

fn readable(value: &HeaderValue) -> Option<&str> {
    std::str::from_utf8(value.as_bytes()).ok()
}

fn find<'a>(
    entries: impl IntoIterator<Item = (&'a String, &'a String)>,
    name: &str,
) -> Option<&'a String> {
    let mut entries = entries.into_iter();
    entries.find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(carrier: &mut impl TraceCarrier) {
        assert_eq!(carrier.get("baggage"), None);
        carrier.set("baggage", "a=1");
        carrier.set("baggage", "b=2");
        assert_eq!(carrier.get("baggage").as_deref(), Some("b=2"));
        assert_eq!(carrier.get("sentry-trace"), None);
    }

    #[test]
    fn what_is_put_in_is_found_again() {
        check(&mut HeaderMap::new());
        check(&mut HashMap::<String, String>::new());
        check(&mut BTreeMap::new());
        check(&mut Vec::new());
    }

    #[test]
    fn names_are_found_in_any_case() {
        let entry = || ("Sentry-Trace".to_owned(), "1".to_owned());
        let (mut hash, mut tree) = (HashMap::from([entry()]), BTreeMap::from([entry()]));
        let mut list = vec![entry()];
        assert_eq!(
            TraceCarrier::get(&hash, "sentry-trace").as_deref(),
            Some("1")
        );
        assert_eq!(
            TraceCarrier::get(&tree, "sentry-trace").as_deref(),
            Some("1")
        );
        assert_eq!(list.get("sentry-trace").as_deref(), Some("1"));
        hash.set("sentry-trace", "2");
        tree.set("sentry-trace", "2");
        list.set("sentry-trace", "2");
        assert_eq!((hash.len(), tree.len(), list.len()), (1, 1, 1));
    }

    #[test]
    fn several_headers_are_one_list() {
        let mut headers = HeaderMap::new();
        headers.append("baggage", HeaderValue::from_static("a=1"));
        headers.append("baggage", HeaderValue::from_bytes(b"c=\xff").unwrap());
        headers.append("baggage", HeaderValue::from_static("b=2, c=3"));
        assert_eq!(
            TraceCarrier::get(&headers, "baggage").as_deref(),
            Some("a=1,b=2, c=3")
        );
        headers.set("baggage", "d=4");
        let values: Vec<_> = headers
            .get_all("baggage")
            .iter()
            .map(HeaderValue::as_bytes)
            .collect();
        assert_eq!(values, [b"d=4".as_slice(), b"c=\xff"]);
        // Nobody else has a part in the other headers: of two, readers could take the wrong one.
        headers.append("sentry-trace", HeaderValue::from_bytes(b"\xff").unwrap());
        headers.set("sentry-trace", "1");
        assert_eq!(headers.get_all("sentry-trace").iter().count(), 1);
        let list = [("baggage", "a=1"), ("Baggage", "b=2")];
        let list: Vec<_> = list
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        assert_eq!(list.get("baggage").as_deref(), Some("a=1,b=2"));
    }
}
