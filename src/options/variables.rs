//! Reading the environment.

use std::ffi::OsString;

use super::error::{Kind, OptionsError};
use crate::diagnostics::{self, Topic};

/// A variable of the environment. It is a `static` of the code that reads it.
pub(super) struct Variable {
    name: &'static str,
    ignored: Topic,
}

impl Variable {
    pub(super) const fn new(name: &'static str) -> Self {
        Self {
            name,
            ignored: Topic::new("environment variable ignored"),
        }
    }

    /// Reads and parses the variable, unless it is unset or blank.
    ///
    /// A value that cannot be used is reported once on standard error and then ignored, as nothing
    /// in the environment should keep a program from starting.
    pub(super) fn read<T>(
        &self,
        lookup: impl Fn(&str) -> Option<OsString>,
        parse: impl FnOnce(&'static str, String) -> Result<T, OptionsError>,
    ) -> Option<T> {
        let value = lookup(self.name)?;
        let parsed = match value.into_string() {
            Ok(value) => match value.trim() {
                "" => return None,
                trimmed => parse(self.name, trimmed.to_owned()),
            },
            Err(value) => Err(OptionsError::secret(
                self.name,
                &value.to_string_lossy(),
                Kind::NotUtf8,
            )),
        };
        parsed
            .inspect_err(|error| diagnostics::once_in_any_case(&self.ignored, Some(error)))
            .ok()
    }

    /// Reads the variable as a text.
    pub(super) fn text(&self, lookup: impl Fn(&str) -> Option<OsString>) -> Option<String> {
        self.read(lookup, |_, text| Ok(text))
    }

    /// Whether the variable has a value, even one that cannot be used.
    pub(super) fn is_set(&self, lookup: impl Fn(&str) -> Option<OsString>) -> bool {
        let value = lookup(self.name);
        value.is_some_and(|value| value.to_str().is_none_or(|value| !value.trim().is_empty()))
    }
}

/// Reads a switch. It has many words.
pub(super) fn parse_switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_have_many_words() {
        for (words, on) in [
            (["true", "T", "y", "YES", "on", "1"], Some(true)),
            (["False", "f", "n", "no", "OFF", "0"], Some(false)),
            (["", "maybe", "2", "yes!", "tru", "-1"], None),
        ] {
            for word in words {
                assert_eq!(parse_switch(word), on, "{word}");
            }
        }
    }

    #[test]
    fn a_blank_variable_is_unset() {
        static VARIABLE: Variable = Variable::new("V");
        for (value, text) in [
            (None, None),
            (Some(""), None),
            (Some(" \n"), None),
            (Some(" a b\n"), Some("a b")),
        ] {
            let lookup = |_: &str| value.map(OsString::from);
            assert_eq!(VARIABLE.text(lookup).as_deref(), text, "{value:?}");
            assert_eq!(VARIABLE.is_set(lookup), text.is_some(), "{value:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_utf8_is_ignored() {
        use std::os::unix::ffi::OsStringExt;

        static VARIABLE: Variable = Variable::new("V");
        let lookup = |_: &str| Some(OsString::from_vec(b"h\xff".to_vec()));
        assert_eq!(VARIABLE.text(lookup), None);
        assert!(VARIABLE.is_set(lookup));
    }
}
