//! Names whose values are secret, or identify people.

/// Whether the value under this name is a secret: of a header, a cookie, a parameter or a field.
pub(crate) fn is_secret(name: &str) -> bool {
    contains_any(name, &SECRETS) || words(name).any(|word| is_one_of(word, &SECRET_WORDS))
}

/// Whether a header with this name identifies a person, or tells where they are.
pub(crate) fn is_personal(name: &str) -> bool {
    contains_any(name, &PERSONAL) || name.eq_ignore_ascii_case("from")
}

/// Whether a field of a struct or an argument of a function is a secret by its name.
///
/// Programs have more fields than requests have headers, and `key`, `author` and `session_count`
/// are no secrets there. So whole words count.
pub(super) fn is_secret_field(name: &str) -> bool {
    let mut before = "";
    words(name).any(|word| {
        let is_secret = is_one_of(word, &SECRET_FIELDS)
            || is_one_of(word, &KEYS) && is_one_of(before, &KEY_KINDS)
            || is_one_of(word, &["id"]) && is_one_of(before, &["session"]);
        before = word;
        is_secret
    })
}

/// The words of a name, in whatever way they are joined: `a-b`, `a_b`, `a.b` or `aB`.
fn words(name: &str) -> impl Iterator<Item = &str> {
    let parts = name.split(|char: char| !char.is_ascii_alphanumeric());
    parts.flat_map(|part| {
        let bytes = part.as_bytes();
        let mut start = 0;
        let ends = (1..=bytes.len()).filter(move |at| {
            *at == bytes.len()
                || bytes[at - 1].is_ascii_lowercase() && bytes[*at].is_ascii_uppercase()
        });
        ends.map(move |end| {
            let word = &part[start..end];
            start = end;
            word
        })
    })
}

fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|one| one.eq_ignore_ascii_case(word))
}

/// Whether a name contains one of these lower-case words, in whatever case.
fn contains_any(name: &str, words: &[&str]) -> bool {
    let name = name.as_bytes();
    words.iter().any(|word| {
        let mut windows = name.windows(word.len());
        windows.any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
    })
}

/// Parts of names of secrets. The first 17 are Sentry's list, the next 4 sign requests or stand
/// for passwords, and the last 6 are what Sentry asks to add for cookies.
pub(super) const SECRETS: [&str; 26] = [
    "auth",
    "token",
    "secret",
    "password",
    "passwd",
    "pwd",
    "key",
    "jwt",
    "bearer",
    "sso",
    "saml",
    "csrf",
    "xsrf",
    "session",
    "sid",
    "identity",
    "credential",
    "signature",
    "passphrase",
    "passcode",
    "remember",
    "oidc",
    "pkce",
    "nonce",
    "__secure-",
    "__host-",
];

/// Names of secrets that are parts of other words.
pub(super) const SECRET_WORDS: [&str; 6] = ["sig", "pass", "pw", "otp", "mfa", "2fa"];

/// Words in names of fields that are secrets.
pub(super) const SECRET_FIELDS: [&str; 23] = [
    "authorization",
    "bearer",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "csrf",
    "jwt",
    "otp",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "pwd",
    "secret",
    "secrets",
    "sessionid",
    "sig",
    "signature",
    "token",
    "xsrf",
    "apikey",
];

const KEYS: [&str; 2] = ["key", "keys"];
const KEY_KINDS: [&str; 6] = [
    "api",
    "access",
    "encryption",
    "private",
    "secret",
    "signing",
];

/// Parts of names of headers that identify people.
pub(super) const PERSONAL: [&str; 21] = [
    "forwarded",
    "-ip",
    "remote-",
    "via",
    "-user",
    // Those above are Sentry's. Proxies, clouds and phone networks add these.
    "user-id",
    "user-name",
    "userid",
    "username",
    "email",
    "e-mail",
    "phone",
    "msisdn",
    "calling-line",
    "client-cert",
    "client-dn",
    "s-dn",
    "subject-dn",
    "principal",
    "latlong",
    "external-address",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_parts_of_their_names() {
        for word in SECRETS {
            for name in [word.to_owned(), word.to_uppercase(), format!("x-{word}-y")] {
                assert!(is_secret(&name), "{name}");
            }
        }
        for name in [
            "sig",
            "Sig",
            "x_sig",
            "urlSig",
            "user.pass",
            "otp",
            "X-Amz-Signature",
            "X-Amz-Credential",
            "X-Amz-Security-Token",
            "X-Goog-Signature",
            "X-Goog-Credential",
            "AWSAccessKeyId",
            "Key-Pair-Id",
            "Signature",
            "connect.sid",
            "__Secure-1PSID",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "",
            "accept",
            "content-type",
            "page",
            "x-request-id",
            "aut",
            "signal",
            "design",
            "passenger",
            "compass",
            "X-Amz-Date",
            "X-Amz-Algorithm",
            "sign",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn headers_that_identify_people_are_known() {
        for name in [
            "X-Forwarded-For",
            "x-real-ip",
            "Remote-Addr",
            "Via",
            "x-user",
            "From",
            "CF-Connecting-IP",
            "X-Email",
            "X-MSISDN",
            "X-Forwarded-Client-Cert",
            "X-SSL-Client-S-DN",
            "X-Amzn-Oidc-Data",
            "X-MS-Client-Principal-Name",
            "X-AppEngine-CityLatLong",
            "X-Envoy-External-Address",
            "x-username",
        ] {
            assert!(is_personal(name) || is_secret(name), "{name}");
        }
        for name in [
            "user-agent",
            "accept",
            "host",
            "x-request-id",
            "from-cache",
            "referer",
        ] {
            assert!(!is_personal(name), "{name}");
        }
    }

    #[test]
    fn fields_are_secret_by_whole_words() {
        for name in [
            "password",
            "user_password",
            "db.password",
            "apiKey",
            "api_key",
            "private-key",
            "accessToken",
            "session_id",
            "http.cookie",
            "authorization",
        ] {
            assert!(is_secret_field(name), "{name}");
        }
        for name in [
            "key",
            "cache.key",
            "db.redis.key",
            "author",
            "session_count",
            "tokenizer",
            "inside",
            "id",
            "monkey",
            "identity",
            "messaging.kafka.message.key",
        ] {
            assert!(!is_secret_field(name), "{name}");
        }
    }
}
