//! Options about what the program is called.

use std::borrow::Cow;
use std::sync::Arc;

use crate::options::options::{DEFAULT_ENVIRONMENT, Options};

impl Options {
    /// The version of the program, such as `shop@2.3.1`.
    ///
    /// Unset by default, and unset again by an empty text. At most 200 bytes, without control
    /// characters, `/` and `\`, not blank, and none of `.`, `..` and `latest`: servers remove
    /// such releases.
    pub fn release(mut self, release: impl Into<Cow<'static, str>>) -> Self {
        self.release = non_empty(release.into());
        self
    }

    /// The environment that the program runs in, such as `staging`.
    ///
    /// `production` by default, and again with an empty text. At most 64 bytes, without spaces,
    /// control characters, `/` and `\`, and none of `.`, `..` and `none`: servers remove such
    /// environments.
    pub fn environment(mut self, environment: impl Into<Cow<'static, str>>) -> Self {
        self.environment =
            non_empty(environment.into()).unwrap_or_else(|| Arc::from(DEFAULT_ENVIRONMENT));
        self
    }

    /// The variant of the release, such as a build number.
    ///
    /// Unset by default, and unset again by an empty text. At most 64 ASCII letters, digits and
    /// `_.-`.
    pub fn dist(mut self, dist: impl Into<Cow<'static, str>>) -> Self {
        self.dist = non_empty(dist.into());
        self
    }

    /// The name of the machine.
    ///
    /// The host name by default. With an empty text none is sent. At most 256 bytes, without
    /// control characters.
    pub fn server_name(mut self, server_name: impl Into<Cow<'static, str>>) -> Self {
        self.server_name = Some(Arc::from(server_name.into()));
        self
    }

    /// The organisation that the project belongs to.
    ///
    /// By default it is read from the DSN, which works for Sentry's own hosts. On a self-hosted
    /// server, set it to keep traces of other organisations apart.
    pub fn org_id(mut self, org_id: u64) -> Self {
        self.org_id = Some(org_id);
        self
    }
}

fn non_empty(text: Cow<'static, str>) -> Option<Arc<str>> {
    (!text.is_empty()).then(|| Arc::from(text))
}
