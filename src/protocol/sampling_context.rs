//! The facts about a trace that servers and downstream services sample by.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Serialize, Serializer};

/// The dynamic sampling context: what the head of a trace knew of it, as names and texts.
///
/// It stands in the `trace` header of an envelope, and as `baggage` with a
/// `sentry-` before each name in outgoing requests. Members of one that came
/// in are passed on as they came, also those that no specification knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DynamicSamplingContext {
    /// The members as they stand in a `baggage` header: with their prefix,
    /// encoded, with commas between them and each name once.
    baggage: String,
}

impl DynamicSamplingContext {
    /// The value of a member by its name without prefix, such as `trace_id`.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.iter()
            .find_map(|(found, value)| (found == name).then_some(value))
    }

    /// Names and values, in the order in which they are sent.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        members(&self.baggage).filter_map(|(_, name, value)| Some((decode(name)?, decode(value)?)))
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.baggage.is_empty()
    }

    /// The members as they stand in a `baggage` header, with a `sentry-` before each name.
    ///
    /// Only printable ASCII without blanks, and at most 8,192 bytes.
    pub fn as_baggage(&self) -> &str {
        &self.baggage
    }

    /// Reads Sentry's members out of the text of a `baggage` header.
    ///
    /// Those of others, malformed and empty ones are left out, and of several
    /// with one name the last counts. No more is read than a header may have:
    /// 64 members and 8,192 bytes.
    pub(crate) fn from_baggage(text: &str) -> Self {
        let mut kept: Vec<(Cow<'_, str>, Cow<'_, str>, &str)> = Vec::with_capacity(16);
        for (member, name, value) in members(text).take(MAX_MEMBERS) {
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                continue;
            };
            if name.is_empty() || value.is_empty() {
                continue;
            }
            if let Some(same) = kept.iter().position(|(kept, _, _)| *kept == name) {
                kept.remove(same);
            }
            kept.push((name, value, member));
        }
        let mut context = Self {
            baggage: String::with_capacity(text.len().min(MAX_BYTES)),
        };
        for (name, value, member) in kept {
            context.push(|baggage| {
                // All of them, rather than up to the first: that takes many at once.
                let bytes = member.bytes();
                if bytes.fold(true, |all, byte| all & may_stand_in_baggage(byte)) {
                    baggage.push_str(member);
                } else {
                    write_member(baggage, &name, &value);
                }
            });
        }
        context
    }

    /// Sets a member, in the place of the one that has the name.
    ///
    /// It is omitted if more would stand there than a header may have, unless less important
    /// members can make room for it.
    pub(crate) fn insert(&mut self, name: &str, value: &str) {
        let mut before = std::mem::take(&mut self.baggage);
        let is_new = !members(&before).any(|(_, other, _)| is_named(other, name));
        if is_new && rank_of(name) < IMPORTANT.len() {
            make_room(&mut before, PREFIX.len() + name.len() + 3 * value.len() + 1);
        }
        let mut found = false;
        for (member, other, _) in members(&before) {
            if is_named(other, name) {
                found = true;
                self.push(|baggage| write_member(baggage, name, value));
            } else {
                self.push(|baggage| baggage.push_str(member));
            }
        }
        if !found {
            self.push(|baggage| write_member(baggage, name, value));
        }
    }

    /// Appends a member, if there is room for it.
    fn push(&mut self, write: impl FnOnce(&mut String)) {
        let before = self.baggage.len();
        if before > 0 {
            self.baggage.push(',');
        }
        write(&mut self.baggage);
        let members = self.baggage.bytes().filter(|byte| *byte == b',').count() + 1;
        if self.baggage.len() > MAX_BYTES || members > MAX_MEMBERS {
            self.baggage.truncate(before);
        }
    }
}

impl Serialize for DynamicSamplingContext {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// Drops members that nobody samples by, the last one first, until one more of this size fits.
fn make_room(baggage: &mut String, size: usize) {
    while !baggage.is_empty()
        && (baggage.len() + 1 + size > MAX_BYTES || members(baggage).count() >= MAX_MEMBERS)
    {
        let kept: Vec<_> = baggage.split(',').collect();
        let least = kept
            .iter()
            .rposition(|member| rank(member) >= IMPORTANT.len());
        let Some(least) = least else { return };
        let mut kept = kept;
        kept.remove(least);
        *baggage = kept.join(",");
    }
}

/// How important a member of Sentry's is to those who read it: 0 is the most important.
pub(crate) fn rank(member: &str) -> usize {
    let name = member.trim().strip_prefix(PREFIX).unwrap_or(member);
    rank_of(name.split('=').next().unwrap_or_default().trim())
}

fn rank_of(name: &str) -> usize {
    let known = IMPORTANT.iter().position(|known| *known == name);
    known.unwrap_or(IMPORTANT.len())
}

fn is_named(encoded: &str, name: &str) -> bool {
    decode(encoded).is_some_and(|found| found == name)
}

/// Whether a member of a `baggage` header is one of Sentry's.
pub(crate) fn is_sentry_member(member: &str) -> bool {
    member.trim_start().starts_with(PREFIX)
}

/// Sentry's members in the text of a `baggage` header: whole, and their names
/// without prefix and values, all of it as it stands there.
fn members(baggage: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    baggage.split(',').filter_map(|member| {
        let member = member.trim();
        let (name, value) = member.strip_prefix(PREFIX)?.split_once('=')?;
        Some((member, name.trim(), value.trim()))
    })
}

fn write_member(baggage: &mut String, name: &str, value: &str) {
    baggage.push_str(PREFIX);
    baggage.extend(utf8_percent_encode(name, ENCODED));
    baggage.push('=');
    baggage.extend(utf8_percent_encode(value, ENCODED));
}

/// What a name or a value says, `None` if it is not well encoded.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let is_hex = |digit: Option<&u8>| digit.is_some_and(u8::is_ascii_hexdigit);
    let bytes = text.as_bytes();
    let well_encoded = |(at, byte): (usize, &u8)| {
        *byte != b'%' || is_hex(bytes.get(at + 1)) && is_hex(bytes.get(at + 2))
    };
    if !bytes.iter().enumerate().all(well_encoded) {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok()
}

/// Whether this may stand in a `baggage` header without being encoded.
fn may_stand_in_baggage(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b'\\')
}

/// What the names of Sentry's members begin with.
const PREFIX: &str = "sentry-";

/// The members that services sample by, which no other may displace.
const IMPORTANT: [&str; 5] = [
    "trace_id",
    "public_key",
    "sample_rate",
    "sample_rand",
    "sampled",
];

/// Readers of `baggage` need to take no more members than these.
pub(crate) const MAX_MEMBERS: usize = 64;

/// Readers of `baggage` need to take no more bytes than these.
pub(crate) const MAX_BYTES: usize = 8_192;

/// What is encoded in names and values: all that is not an unreserved character of URLs.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn members_of(context: &DynamicSamplingContext) -> Vec<(String, String)> {
        let members = context.iter();
        members
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect()
    }

    #[test]
    fn only_what_is_sentrys_and_well_formed_is_read() {
        // baggage, members
        let table: &[(&str, &[(&str, &str)])] = &[
            ("", &[]),
            ("vendor=1", &[]),
            (
                "vendor=1, sentry-trace_id=3f0c2a9be41d4f7c9a60b1d2c3e4f506,sentry-release=a%20b,\
                 sentry-x=,broken,sentry-environment=p%zz",
                &[
                    ("trace_id", "3f0c2a9be41d4f7c9a60b1d2c3e4f506"),
                    ("release", "a b"),
                ],
            ),
            (
                "sentry-a=1,sentry-b=2,sentry-a=3",
                &[("b", "2"), ("a", "3")],
            ),
            (" sentry-a = 1 ;ttl=5 , b=2", &[("a", "1 ;ttl=5")]),
            ("sentry-a=b=c", &[("a", "b=c")]),
            ("sentry-a=1+1", &[("a", "1+1")]),
            ("sentry-release=shop%402.3.1", &[("release", "shop@2.3.1")]),
            (
                "sentry-transaction=GET%20%2Fcart%2F%7Bid%7D",
                &[("transaction", "GET /cart/{id}")],
            ),
            (
                "sentry-transaction=GET%20/cart/%7Bid%7D",
                &[("transaction", "GET /cart/{id}")],
            ),
            ("sentry-a=%C3%A9,sentry-b=%C3,sentry-c=%", &[("a", "é")]),
            ("sentry-=1,sentry,sentry-a,=1,,", &[]),
            ("Sentry-a=1", &[]),
        ];
        for (baggage, expected) in table {
            let found = members_of(&DynamicSamplingContext::from_baggage(baggage));
            let expected: Vec<_> = expected
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            assert_eq!(found, expected, "{baggage}");
        }
    }

    #[test]
    fn what_came_in_is_passed_on_as_it_came() {
        let baggage = "sentry-transaction=GET%20/cart/%7Bid%7D,sentry-made_up=%41;p=1";
        let context = DynamicSamplingContext::from_baggage(&format!("v=1, {baggage},w=2"));
        assert_eq!(context.as_baggage(), baggage);
        // Unless a header could not carry it.
        let context = DynamicSamplingContext::from_baggage("sentry-a=b c\r\nd:\"e");
        assert_eq!(context.as_baggage(), "sentry-a=b%20c%0D%0Ad%3A%22e");
    }

    #[test]
    fn no_more_is_kept_than_a_header_may_have() {
        let long = format!("sentry-a={},sentry-b=1", "x".repeat(MAX_BYTES));
        let context = DynamicSamplingContext::from_baggage(&long);
        assert_eq!(context.as_baggage(), "sentry-b=1");
        let many: Vec<_> = (0..100).map(|n| format!("sentry-{n}=1")).collect();
        let context = DynamicSamplingContext::from_baggage(&many.join(","));
        assert_eq!(context.iter().count(), MAX_MEMBERS);
    }

    #[test]
    fn what_services_sample_by_displaces_what_they_do_not() {
        let many: Vec<_> = (0..MAX_MEMBERS - 1)
            .map(|n| format!("sentry-{n}=1"))
            .collect();
        let many = format!("sentry-trace_id=1,{}", many.join(","));
        let mut context = DynamicSamplingContext::from_baggage(&many);
        context.insert("sample_rand", "0.5");
        context.insert("another", "1");
        assert_eq!(context.iter().count(), MAX_MEMBERS);
        assert_eq!(context.get("sample_rand").as_deref(), Some("0.5"));
        assert_eq!(context.get("trace_id").as_deref(), Some("1"));
        assert_eq!((context.get("62"), context.get("another")), (None, None));
        // One that is there is replaced, and displaces nothing.
        context.insert("sample_rand", "0.25");
        assert_eq!(context.iter().count(), MAX_MEMBERS);

        let long = format!(
            "sentry-trace_id=1,sentry-a=1,sentry-b={}",
            "x".repeat(8_150)
        );
        let mut context = DynamicSamplingContext::from_baggage(&long);
        assert_eq!(context.as_baggage(), long);
        context.insert("sample_rand", "0.123456");
        assert_eq!(
            context.as_baggage(),
            "sentry-trace_id=1,sentry-a=1,sentry-sample_rand=0.123456"
        );
    }

    proptest! {
        #[test]
        fn what_is_set_reads_back(members in prop::collection::btree_map("[a-z_]{1,8}", ".{1,20}", 0..10)) {
            let mut context = DynamicSamplingContext::default();
            for (name, value) in &members {
                context.insert(name, "before");
                context.insert(name, value);
            }
            let read = DynamicSamplingContext::from_baggage(context.as_baggage());
            prop_assert_eq!(&read, &context);
            let found: std::collections::BTreeMap<_, _> = members_of(&read).into_iter().collect();
            prop_assert_eq!(found, members);
        }

        #[test]
        fn what_is_read_may_stand_in_a_header(text in "(?s).{0,200}", words in prop::collection::vec("(sentry-|=|,|%[0-9a-f]{0,2}|;| |a|é|\\n){0,40}", 0..3)) {
            for text in words.iter().chain([&text]) {
                let context = DynamicSamplingContext::from_baggage(text);
                let baggage = context.as_baggage();
                prop_assert!(http::HeaderValue::from_str(baggage).is_ok());
                prop_assert!(baggage.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert_eq!(DynamicSamplingContext::from_baggage(baggage), context);
            }
        }
    }
}
