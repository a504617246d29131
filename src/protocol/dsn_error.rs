//! Why a text is not a DSN.

use std::fmt;

/// The error returned when parsing a [`Dsn`](crate::Dsn) fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseDsnError {
    /// There is no text at all.
    Empty,
    /// The text has more than 2,048 bytes.
    TooLong,
    /// There is a space, a control character or a backslash.
    ForbiddenCharacter,
    /// The text does not begin with `http://` or `https://`.
    InvalidProtocol,
    /// There is a query or a fragment, which a DSN does not have.
    UnexpectedQuery,
    /// There is no public key before the host.
    MissingPublicKey,
    /// The public key has something other than letters, digits and `-._~`.
    InvalidPublicKey,
    /// The secret key has something other than letters, digits and `-._~`.
    InvalidSecretKey,
    /// There is no host.
    MissingHost,
    /// The host is neither a name nor an IP address.
    InvalidHost,
    /// The port is not a number from 1 to 65535.
    InvalidPort,
    /// The path before the project id has an empty or dotted segment or an unescaped character.
    InvalidPath,
    /// The path does not end in a project id.
    MissingProject,
    /// The project id has something other than letters, digits and `-_`.
    InvalidProject,
}

impl fmt::Display for ParseDsnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::TooLong => "it has more than 2,048 bytes",
            Self::ForbiddenCharacter => "it has a space, a control character or a backslash",
            Self::InvalidProtocol => "it does not begin with `http://` or `https://`",
            Self::UnexpectedQuery => "it has a query or a fragment",
            Self::MissingPublicKey => "there is no public key before the host",
            Self::InvalidPublicKey => {
                "the public key has something other than letters, digits and `-._~`"
            }
            Self::InvalidSecretKey => {
                "the secret key has something other than letters, digits and `-._~`"
            }
            Self::MissingHost => "there is no host",
            Self::InvalidHost => "the host is neither a name nor an IP address",
            Self::InvalidPort => "the port is not a number from 1 to 65535",
            Self::InvalidPath => {
                "the path has an empty or dotted segment or an unescaped character"
            }
            Self::MissingProject => "the path does not end in a project id",
            Self::InvalidProject => {
                "the project id has something other than letters, digits and `-_`"
            }
        })
    }
}

impl std::error::Error for ParseDsnError {}
