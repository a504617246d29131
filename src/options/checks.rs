//! Which values options take, whether they are set or come from the environment.

use super::error::{Kind, OptionsError};
use super::variables::parse_switch;
use crate::protocol::{Dsn, Refusal};

pub(super) fn dsn(field: &'static str, text: &str) -> Result<Dsn, OptionsError> {
    text.parse()
        .map_err(|error| OptionsError::secret(field, text, Kind::Dsn(error)))
}

pub(super) fn switch(field: &'static str, text: &str) -> Result<bool, OptionsError> {
    parse_switch(text).ok_or_else(|| OptionsError::new(field, text, Kind::Switch))
}

pub(super) fn rate(field: &'static str, rate: f64) -> Result<f64, OptionsError> {
    match (0.0..=1.0).contains(&rate) {
        true => Ok(rate),
        false => Err(OptionsError::new(field, &rate.to_string(), Kind::Rate)),
    }
}

pub(super) fn rate_text(field: &'static str, text: &str) -> Result<f64, OptionsError> {
    text.parse()
        .ok()
        .and_then(|number| rate(field, number).ok())
        .ok_or_else(|| OptionsError::new(field, text, Kind::Rate))
}

/// Checks a text by one of the rules that servers have.
pub(super) fn text(
    field: &'static str,
    text: &str,
    rule: fn(&str) -> Result<(), Refusal>,
) -> Result<(), OptionsError> {
    rule(text).map_err(|refusal| OptionsError::new(field, text, Kind::Refused(refusal)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dsn_that_is_refused_says_why() {
        let error = dsn("dsn", "https://h/1").unwrap_err().to_string();
        let message = r#"dsn = "https://h/1" is not a DSN: there is no public key before the host"#;
        assert_eq!(error, message);
    }

    #[test]
    fn a_rate_is_a_number_from_0_to_1() {
        for (text, number) in [
            ("0", 0.0),
            ("-0", 0.0),
            ("0.25", 0.25),
            ("1e-3", 0.001),
            ("1", 1.0),
        ] {
            assert_eq!(rate_text("r", text), Ok(number), "{text}");
        }
        for text in ["-0.1", "1.1", "NaN", "inf", "10%", "0,5", "a half"] {
            let error = rate_text("r", text).unwrap_err();
            let message = format!("r = {text:?} is not a number from 0 to 1");
            assert_eq!(error.to_string(), message);
        }
        assert_eq!(
            rate("r", f64::NAN).unwrap_err().to_string(),
            r#"r = "NaN" is not a number from 0 to 1"#
        );
    }
}
