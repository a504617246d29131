//! The parts of a DSN, each with its own grammar.

use url::{Host, Url};

use super::dsn_error::ParseDsnError;

/// Reads the public key, and the secret one where there is one.
pub(super) fn parse_keys(keys: &str) -> Result<(&str, Option<&str>), ParseDsnError> {
    // Safe in a header's list of pairs, in baggage and in a URL alike.
    let valid = |key: &str| {
        key.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    };
    let (public_key, secret_key) = match keys.split_once(':') {
        Some((public_key, secret_key)) => (public_key, Some(secret_key)),
        None => (keys, None),
    };
    match secret_key {
        _ if public_key.is_empty() => Err(ParseDsnError::MissingPublicKey),
        _ if !valid(public_key) => Err(ParseDsnError::InvalidPublicKey),
        Some(secret_key) if !valid(secret_key) => Err(ParseDsnError::InvalidSecretKey),
        _ => Ok((public_key, secret_key.filter(|key| !key.is_empty()))),
    }
}

/// Reads the host and port and the path before the project id.
pub(super) fn parse_base(
    protocol: &str,
    address: &str,
    prefix: &str,
) -> Result<Url, ParseDsnError> {
    if address.is_empty() || address.starts_with(':') {
        return Err(ParseDsnError::MissingHost);
    }
    if address.ends_with(':') {
        return Err(ParseDsnError::InvalidPort);
    }
    // Escapes would be undone, which makes two spellings of one host.
    if address.contains('%') {
        return Err(ParseDsnError::InvalidHost);
    }
    let base =
        Url::parse(&format!("{protocol}://{address}{prefix}")).map_err(|error| match error {
            url::ParseError::InvalidPort => ParseDsnError::InvalidPort,
            url::ParseError::EmptyHost => ParseDsnError::MissingHost,
            _ => ParseDsnError::InvalidHost,
        })?;
    if base.port() == Some(0) {
        return Err(ParseDsnError::InvalidPort);
    }
    let is_as_written = match base.host() {
        // `1.2.3` and `0x7f.1` are short for addresses, in which their readers differ.
        Some(Host::Ipv4(ip)) => {
            let written = address.split(':').next();
            written == Some(&ip.to_string())
        }
        Some(Host::Domain(name)) => is_host_name(name),
        Some(Host::Ipv6(_)) | None => true,
    };
    if !is_as_written {
        return Err(ParseDsnError::InvalidHost);
    }
    // Whatever the parser had to change was not right as it stood.
    let unchanged = base.path() == if prefix.is_empty() { "/" } else { prefix };
    if !unchanged || prefix.split('/').skip(1).any(str::is_empty) || !is_escaped(prefix) {
        return Err(ParseDsnError::InvalidPath);
    }
    Ok(base)
}

/// Whether a name, in its ASCII form, is one that can be looked up.
fn is_host_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    name.len() <= 253
        && name
            .split('.')
            .all(|label| matches!(label.len(), 1..=63) && label.bytes().all(valid))
}

/// Whether every percent sign is followed by two hex digits.
fn is_escaped(path: &str) -> bool {
    path.split('%').skip(1).all(|rest| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

pub(super) fn check_project(project_id: &str) -> Result<(), ParseDsnError> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    match project_id {
        "" => Err(ParseDsnError::MissingProject),
        _ if !project_id.bytes().all(valid) => Err(ParseDsnError::InvalidProject),
        _ => Ok(()),
    }
}

/// Reads the organisation from a host's name.
pub(super) fn org_id(name: &str) -> Option<u64> {
    let (label, _) = name.split_once('.')?;
    let digits = label.strip_prefix('o')?;
    // A number may be parsed with a sign before it, which is none of ours.
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())?
}
