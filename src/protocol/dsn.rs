//! The address that a project's data is sent to.

use std::fmt;
use std::str::FromStr;

use http::{HeaderValue, Uri};

use super::Sdk;
use super::dsn_error::ParseDsnError;
use super::dsn_parts::{check_project, org_id, parse_base, parse_keys};

/// The address of a project: which server to send to, and the key that lets one do so.
///
/// It is written `{protocol}://{public key}[:{secret key}]@{host}[:{port}]{path}/{project id}`.
/// Nothing is guessed or repaired when it is read, so whatever was read can be sent to.
///
/// The secret key, which only old servers ask for, appears neither in the `Display` nor in the
/// `Debug` form.
///
/// ```
/// let dsn: taskspan::Dsn = "https://0123abcd:s3cr@o17.ingest.de.sentry.io/4501".parse()?;
/// assert_eq!(dsn.to_string(), "https://0123abcd@o17.ingest.de.sentry.io/4501");
/// assert_eq!(dsn.org_id(), Some(17));
/// # Ok::<(), taskspan::ParseDsnError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Dsn {
    /// Protocol and host, and the port where it is not the default one.
    origin: String,
    /// What stands between host and project id: empty, or a slash and more.
    prefix: String,
    public_key: String,
    project_id: String,
    org_id: Option<u64>,
    envelope_url: Uri,
    /// The only place that knows the secret key.
    auth_header: HeaderValue,
}

impl Dsn {
    /// The key that the data is sent under, which is no secret.
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// The project that the data belongs to.
    pub fn project_id(&self) -> &str {
        &self.project_id
    }

    /// The organisation that the project belongs to, where the host's name tells it.
    ///
    /// It does where the first label of the name is `o` and a number.
    pub fn org_id(&self) -> Option<u64> {
        self.org_id
    }

    /// Where envelopes are sent.
    pub fn envelope_url(&self) -> &Uri {
        &self.envelope_url
    }

    /// The value of the `X-Sentry-Auth` header, marked as sensitive.
    pub(crate) fn auth_header(&self) -> &HeaderValue {
        &self.auth_header
    }
}

impl FromStr for Dsn {
    type Err = ParseDsnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let forbidden = |c: char| c.is_whitespace() || c.is_control() || c == '\\';
        match text {
            _ if text.is_empty() => return Err(ParseDsnError::Empty),
            _ if text.len() > MAX_LENGTH => return Err(ParseDsnError::TooLong),
            _ if text.contains(forbidden) => return Err(ParseDsnError::ForbiddenCharacter),
            _ => {}
        }

        // Taken apart by the DSN's own grammar: what reads URLs leniently sees
        // no more of it than the host and the path.
        let (protocol, rest) = text
            .split_once("://")
            .filter(|(protocol, _)| {
                protocol.eq_ignore_ascii_case("http") || protocol.eq_ignore_ascii_case("https")
            })
            .ok_or(ParseDsnError::InvalidProtocol)?;
        if rest.contains(['?', '#']) {
            return Err(ParseDsnError::UnexpectedQuery);
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (keys, address) = authority
            .rsplit_once('@')
            .ok_or(ParseDsnError::MissingPublicKey)?;
        let (public_key, secret_key) = parse_keys(keys)?;
        let (prefix, project_id) = path.rsplit_once('/').ok_or(ParseDsnError::MissingProject)?;

        let base = parse_base(protocol, address, prefix)?;
        check_project(project_id)?;

        let origin = base.origin().ascii_serialization();
        let envelope_url = format!("{origin}{prefix}/api/{project_id}/envelope/")
            .parse()
            .map_err(|_| ParseDsnError::InvalidPath)?;
        Ok(Self {
            prefix: prefix.to_owned(),
            public_key: public_key.to_owned(),
            project_id: project_id.to_owned(),
            org_id: base.domain().and_then(org_id),
            envelope_url,
            auth_header: auth_header(public_key, secret_key)?,
            origin,
        })
    }
}

impl fmt::Display for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (protocol, address) = self.origin.split_once("://").ok_or(fmt::Error)?;
        write!(
            f,
            "{protocol}://{}@{address}{}/{}",
            self.public_key, self.prefix, self.project_id
        )
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dsn({self})")
    }
}

fn auth_header(public_key: &str, secret_key: Option<&str>) -> Result<HeaderValue, ParseDsnError> {
    let mut value = format!(
        "Sentry sentry_version=7, sentry_client={}, sentry_key={public_key}",
        Sdk::CLIENT
    );
    if let Some(secret_key) = secret_key {
        value.push_str(", sentry_secret=");
        value.push_str(secret_key);
    }
    let mut value = HeaderValue::try_from(value).map_err(|_| ParseDsnError::InvalidPublicKey)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Far more than any real one has, and far less than a URL may have.
const MAX_LENGTH: usize = 2_048;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    fn parse(text: &str) -> Dsn {
        text.parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn what_is_read_gives_the_address_to_send_to() {
        let long_label = format!("https://k@{}.example/1", "a".repeat(63));
        let long_label_url = format!("https://{}.example/api/1/envelope/", "a".repeat(63));
        let vectors = [
            (
                "https://0123456789abcdef0123456789abcdef@o17.ingest.de.sentry.io/4501",
                "https://o17.ingest.de.sentry.io/api/4501/envelope/",
                Some(17),
            ),
            (
                "http://k@127.0.0.1:9000/3",
                "http://127.0.0.1:9000/api/3/envelope/",
                None,
            ),
            (
                "https://k:s3cr@sentry.example.com:443/mount/deep/42",
                "https://sentry.example.com/mount/deep/api/42/envelope/",
                None,
            ),
            ("http://k@h:80/1", "http://h/api/1/envelope/", None),
            ("http://k@h:443/1", "http://h:443/api/1/envelope/", None),
            ("https://k@h:80/1", "https://h:80/api/1/envelope/", None),
            (
                "https://k@h:65535/1",
                "https://h:65535/api/1/envelope/",
                None,
            ),
            (
                "HTTPS://K@Sentry.IO/1",
                "https://sentry.io/api/1/envelope/",
                None,
            ),
            (
                "https://k@h/web-app_2",
                "https://h/api/web-app_2/envelope/",
                None,
            ),
            (
                "https://k@h/caf%C3%A9/1",
                "https://h/caf%C3%A9/api/1/envelope/",
                None,
            ),
            ("https://k@[::1]/1", "https://[::1]/api/1/envelope/", None),
            (
                "https://k@[2001:DB8:0::1]:9000/a/1",
                "https://[2001:db8::1]:9000/a/api/1/envelope/",
                None,
            ),
            ("https://k@h./1", "https://h./api/1/envelope/", None),
            (
                "https://k@bücher.example/1",
                "https://xn--bcher-kva.example/api/1/envelope/",
                None,
            ),
            (&long_label, &long_label_url, None),
            (
                "https://k@O17.sentry.io/1",
                "https://o17.sentry.io/api/1/envelope/",
                Some(17),
            ),
            ("https://k@o17/1", "https://o17/api/1/envelope/", None),
            ("https://k@o.x/1", "https://o.x/api/1/envelope/", None),
            ("https://k@o17a.x/1", "https://o17a.x/api/1/envelope/", None),
            (
                "https://k@a.o17.x/1",
                "https://a.o17.x/api/1/envelope/",
                None,
            ),
            (
                "https://k@o18446744073709551616.x/1",
                "https://o18446744073709551616.x/api/1/envelope/",
                None,
            ),
        ];
        for (text, url, org_id) in vectors {
            let dsn = parse(text);
            assert_eq!(dsn.envelope_url().to_string(), url, "{text}");
            assert_eq!(dsn.org_id(), org_id, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_a_reason() {
        use ParseDsnError::*;

        let huge = format!("https://k@h/{}", "1".repeat(5_000_000));
        let long_label = format!("https://k@{}.example/1", "a".repeat(64));
        let long_name = format!("https://k@{}h/1", "a.".repeat(130));
        let vectors = [
            ("", Empty),
            (&huge, TooLong),
            (" ", ForbiddenCharacter),
            (" https://k@h/1", ForbiddenCharacter),
            ("https://k@h/1\n", ForbiddenCharacter),
            ("https://k@h/1\r\nX-Evil: 1", ForbiddenCharacter),
            ("https://k\t@h/1", ForbiddenCharacter),
            ("https://k@h\0/1", ForbiddenCharacter),
            ("https://k@h\u{85}/1", ForbiddenCharacter),
            ("https://k@h\u{a0}/1", ForbiddenCharacter),
            ("https:\\\\k@h\\1", ForbiddenCharacter),
            ("https://k@h\\@evil/1", ForbiddenCharacter),
            ("ftp://k@host/1", InvalidProtocol),
            ("wss://k@host/1", InvalidProtocol),
            ("://k@host/1", InvalidProtocol),
            ("//k@host/1", InvalidProtocol),
            ("k@host/1", InvalidProtocol),
            ("https:k@host/1", InvalidProtocol),
            ("https:/k@host/1", InvalidProtocol),
            ("garbage", InvalidProtocol),
            ("https://k@h/1?x=y", UnexpectedQuery),
            ("https://k@h/?1", UnexpectedQuery),
            ("https://k@h/1#x", UnexpectedQuery),
            ("https://k?@h/1", UnexpectedQuery),
            ("https://", MissingPublicKey),
            ("https:///1", MissingPublicKey),
            ("https:///k@h/1", MissingPublicKey),
            ("https://sentry.example.com/1", MissingPublicKey),
            ("https://sentry.example.com/k@h/1", MissingPublicKey),
            ("https://@h/1", MissingPublicKey),
            ("https://:s@h/1", MissingPublicKey),
            ("https://a@b@h/1", InvalidPublicKey),
            ("https://k%40y@h/1", InvalidPublicKey),
            ("https://k%0D%0Ay@h/1", InvalidPublicKey),
            ("https://k%ff@h/1", InvalidPublicKey),
            ("https://k,sentry_version=8@h/1", InvalidPublicKey),
            ("https://clé@h/1", InvalidPublicKey),
            ("https://k:s:t@h/1", InvalidSecretKey),
            ("https://k:s@t@h/1", InvalidSecretKey),
            ("https://k:s%20t@h/1", InvalidSecretKey),
            ("https://k:s,t@h/1", InvalidSecretKey),
            ("https://k:geheimnís@h/1", InvalidSecretKey),
            ("https://k@/1", MissingHost),
            ("https://k@:80/1", MissingHost),
            ("https://k@[::1/1", InvalidHost),
            ("https://k@[]/1", InvalidHost),
            ("https://k@::1/1", MissingHost),
            ("https://k@[fe80::1%25eth0]/1", InvalidHost),
            ("https://k@ex%41mple.com/1", InvalidHost),
            ("https://k@256.0.0.1/1", InvalidHost),
            ("https://k@1.2.3/1", InvalidHost),
            ("https://k@127.1:9000/1", InvalidHost),
            ("https://k@0x7f.0.0.1/1", InvalidHost),
            ("https://k@0177.0.0.1/1", InvalidHost),
            ("https://k@2130706433/1", InvalidHost),
            ("https://k@127.0.0.1./1", InvalidHost),
            ("https://k@１27.0.0.1/1", InvalidHost),
            ("https://k@a..b/1", InvalidHost),
            ("https://k@./1", InvalidHost),
            ("https://k@a|b/1", InvalidHost),
            ("https://k@a{b}/1", InvalidHost),
            ("https://k@a!b/1", InvalidHost),
            ("https://k@xn--a/1", InvalidHost),
            ("https://k@\u{ff05}41/1", InvalidHost),
            (&long_label, InvalidHost),
            (&long_name, InvalidHost),
            ("https://k@h:/1", InvalidPort),
            ("https://k@h:0/1", InvalidPort),
            ("https://k@h:65536/1", InvalidPort),
            ("https://k@h:-1/1", InvalidPort),
            ("https://k@h:x/1", InvalidPort),
            ("https://k@h:80:80/1", InvalidPort),
            ("https://k@h//1", InvalidPath),
            ("https://k@h/a//1", InvalidPath),
            ("https://k@h/../1", InvalidPath),
            ("https://k@h/a/./1", InvalidPath),
            ("https://k@h/%2e%2E/1", InvalidPath),
            ("https://k@h/%zz/1", InvalidPath),
            ("https://k@h/a%/1", InvalidPath),
            ("https://k@h/café/1", InvalidPath),
            ("https://k@h/a\"b/1", InvalidPath),
            ("https://k@h", MissingProject),
            ("https://k@sentry.example.com/", MissingProject),
            ("https://k@h/1/", MissingProject),
            ("https://k@h/..", InvalidProject),
            ("https://k@h/1%2F2", InvalidProject),
            ("https://k@h/%31", InvalidProject),
            ("https://k@h/1.5", InvalidProject),
            ("https://k@h/prójekt", InvalidProject),
        ];
        for (text, error) in vectors {
            assert_eq!(text.parse::<Dsn>(), Err(error), "{text:.80}");
        }
    }

    #[test]
    fn the_header_has_the_keys() {
        let client = Sdk::CLIENT;
        let expected = format!("Sentry sentry_version=7, sentry_client={client}, sentry_key=k");
        for text in ["https://k@h/1", "https://k:@h/1"] {
            assert_eq!(parse(text).auth_header(), expected.as_str());
        }
        let expected = format!("{expected}, sentry_secret=s3cr");
        let header = parse("https://k:s3cr@h/1").auth_header().clone();
        assert_eq!(header, expected.as_str());
        assert!(header.is_sensitive());
    }

    #[test]
    fn the_secret_is_never_shown() {
        let dsn = parse("https://k:s3cr@h:443/a/b/1");
        assert_eq!(dsn.to_string(), "https://k@h/a/b/1");
        assert_eq!(format!("{dsn:?}"), "Dsn(https://k@h/a/b/1)");
        assert!(!format!("{dsn:#?}").contains("s3cr"));
    }

    /// Text that often gets far into the parser.
    fn nearly_a_dsn() -> impl Strategy<Value = String> {
        let parts = [
            "http://", "https://", "k", ":", "@", "h", "o17.", "[::1]", "[", "]", ":80", ":0", "/",
            "1", "a/", "%41", "%", "..", "?", "#", "\\", " ", "é", "\u{202e}", "{", "|", "\"", ",",
            "=", "\r\n", "xn--", "0x7f.1", "~", "!", "'", "^", "`", "<", "&", ";", "+", "$",
        ];
        prop::collection::vec(prop::sample::select(parts.to_vec()), 0..12)
            .prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn what_is_read_can_be_sent_and_read_again(
            text in prop_oneof![
                any::<String>(),
                nearly_a_dsn(),
                nearly_a_dsn().prop_map(|end| format!("https://k@h{end}/1")),
                "https?://[ -~]{1,4}@[ -~]{1,8}/[ -~]{0,8}/?[ -~]{1,4}",
                "https://k@\\PC{1,8}/\\PC{0,4}/1",
            ],
        ) {
            if let Ok(dsn) = text.parse::<Dsn>() {
                let url = dsn.envelope_url();
                prop_assert!(url.host().is_some_and(|host| !host.is_empty()));
                if let Ok(ip) = url.host().unwrap_or_default().parse::<std::net::Ipv4Addr>() {
                    prop_assert!(text.contains(&ip.to_string()), "{} became {}", text, ip);
                }
                prop_assert!(url.query().is_none());
                let end = format!("/api/{}/envelope/", dsn.project_id());
                prop_assert!(url.path().ends_with(&end));
                prop_assert!(Url::parse(&url.to_string()).is_ok_and(|same| same.path() == url.path()));
                prop_assert!(dsn.auth_header().to_str().is_ok());
                let again = dsn.to_string().parse::<Dsn>();
                prop_assert_eq!(again.map(|again| again.to_string()), Ok(dsn.to_string()));
            }
        }
    }
}
