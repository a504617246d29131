//! What a program says of itself, as far as servers take it.

use std::fmt;

/// Why servers would remove or refuse a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It has more bytes than this.
    TooLong(usize),
    Blank,
    Reserved,
    /// It has characters of this kind.
    Forbidden(&'static str),
}

pub(crate) fn check_release(release: &str) -> Result<(), Refusal> {
    let forbidden = |c: char| c.is_control() || matches!(c, '/' | '\\');
    match release.trim() {
        _ if release.len() > 200 => Err(Refusal::TooLong(200)),
        _ if release.contains(forbidden) => {
            Err(Refusal::Forbidden("a control character, `/` or `\\`"))
        }
        "" => Err(Refusal::Blank),
        "." | ".." => Err(Refusal::Reserved),
        trimmed if trimmed.eq_ignore_ascii_case("latest") => Err(Refusal::Reserved),
        _ => Ok(()),
    }
}

pub(crate) fn check_environment(environment: &str) -> Result<(), Refusal> {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '\\');
    match environment {
        _ if environment.len() > 64 => Err(Refusal::TooLong(64)),
        _ if environment.contains(forbidden) => Err(Refusal::Forbidden(
            "a space, a control character, `/` or `\\`",
        )),
        "" => Err(Refusal::Blank),
        "." | ".." => Err(Refusal::Reserved),
        _ if environment.eq_ignore_ascii_case("none") => Err(Refusal::Reserved),
        _ => Ok(()),
    }
}

pub(crate) fn check_dist(dist: &str) -> Result<(), Refusal> {
    let forbidden = |c: char| !c.is_ascii_alphanumeric() && !"_.-".contains(c);
    match dist {
        _ if dist.len() > 64 => Err(Refusal::TooLong(64)),
        _ if dist.contains(forbidden) => Err(Refusal::Forbidden(
            "something other than ASCII letters, digits and `_.-`",
        )),
        "" => Err(Refusal::Blank),
        _ => Ok(()),
    }
}

pub(crate) fn check_server_name(name: &str) -> Result<(), Refusal> {
    match name {
        _ if name.len() > 256 => Err(Refusal::TooLong(256)),
        _ if name.contains(char::is_control) => Err(Refusal::Forbidden("a control character")),
        _ => Ok(()),
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(limit) => write!(f, "has more than {limit} bytes"),
            Self::Blank => f.write_str("is blank"),
            Self::Reserved => f.write_str("is a word that servers refuse"),
            Self::Forbidden(what) => write!(f, "has {what} in it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_refuse_is_refused() {
        let long = |bytes| "a".repeat(bytes);
        let (release, environment, dist, server_name): (Rule, Rule, Rule, Rule) = (
            check_release,
            check_environment,
            check_dist,
            check_server_name,
        );
        for (rule, text, problem) in [
            (release, &*long(201), "more than 200 bytes"),
            (release, &*"é".repeat(101), "more than 200 bytes"),
            (release, "a\nb", "a control character"),
            (release, "a\tb", "a control character"),
            (release, "a\u{c}b", "a control character"),
            (release, "a/b", "a control character"),
            (release, "a\\b", "a control character"),
            (release, ".", "servers refuse"),
            (release, "..", "servers refuse"),
            (release, " . ", "servers refuse"),
            (release, "latest", "servers refuse"),
            (release, "LATEST", "servers refuse"),
            (release, "Latest ", "servers refuse"),
            (release, "  ", "blank"),
            (release, "", "blank"),
            (environment, &*long(65), "more than 64"),
            (environment, "a b", "a space"),
            (environment, "a\nb", "a space"),
            (environment, "a/b", "a space"),
            (environment, "a\\b", "a space"),
            (environment, "None", "servers refuse"),
            (environment, ".", "servers refuse"),
            (environment, "..", "servers refuse"),
            (environment, "", "blank"),
            (dist, &*long(65), "more than 64"),
            (dist, "a b", "something other"),
            (dist, "é", "something other"),
            (dist, "", "blank"),
            (server_name, &*long(257), "more than 256"),
            (server_name, "a\0", "a control character"),
        ] {
            let refusal = rule(text).unwrap_err().to_string();
            assert!(refusal.contains(problem), "{text:?}: {refusal}");
        }
    }

    #[test]
    fn what_is_at_its_limit_is_taken() {
        let long = |bytes| "a".repeat(bytes);
        for (rule, text) in [
            (check_release as Rule, &*long(200)),
            (check_release, "a b"),
            (check_release, "latest-1"),
            (check_release, "shop@2.3.1"),
            (check_environment, &*long(64)),
            (check_environment, "..."),
            (check_dist, &*long(64)),
            (check_dist, "A_z.0-9"),
            (check_server_name, &*long(256)),
            (check_server_name, ""),
        ] {
            assert_eq!(rule(text), Ok(()), "{text}");
        }
    }

    type Rule = fn(&str) -> Result<(), Refusal>;
}
