//! Arguments of programs.

use std::borrow::Cow;

use super::name::is_secret_field;
use super::{FILTERED, text};

/// The arguments of a program without secrets: in URLs, behind `--password=`, and behind
/// `--password` as an argument of their own.
pub(crate) fn arguments(arguments: Vec<String>) -> Vec<String> {
    let mut is_value = false;
    let told = arguments.into_iter().map(|argument| {
        let told = match is_value && !argument.starts_with('-') {
            true => Cow::Borrowed(FILTERED),
            false => text(&argument),
        };
        is_value =
            argument.starts_with('-') && !argument.contains('=') && is_secret_field(&argument);
        told.into_owned()
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_removed() {
        let given = [
            "curl",
            "--token",
            "S",
            "--password=S",
            "-v",
            "https://u:S@h/?sig=S",
            "--key",
            "out",
        ];
        let told = [
            "curl",
            "--token",
            FILTERED,
            "--password=[Filtered]",
            "-v",
            "https://[Filtered]:[Filtered]@h/?sig=[Filtered]",
            "--key",
            "out",
        ];
        assert_eq!(arguments(given.map(str::to_owned).to_vec()), told);
    }
}
