//! Requests, built as reqwest builds them.

use std::fmt::Display;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Request, Response, Result, Version};
use serde::Serialize;

use super::Client;

/// A request that is being built.
///
/// Its methods are those of `reqwest::RequestBuilder`, for which see there.
#[derive(Debug)]
#[must_use = "nothing is sent until `send` is called"]
pub struct RequestBuilder {
    client: Client,
    inner: reqwest::RequestBuilder,
}

impl RequestBuilder {
    pub(super) fn new(client: Client, inner: reqwest::RequestBuilder) -> Self {
        Self { client, inner }
    }

    /// Adds a header.
    pub fn header<K, V>(self, key: K, value: V) -> Self
    where
        HeaderName: TryFrom<K>,
        <HeaderName as TryFrom<K>>::Error: Into<http::Error>,
        HeaderValue: TryFrom<V>,
        <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
    {
        self.map(|request| request.header(key, value))
    }

    /// Sets headers, in the place of those with the same names.
    pub fn headers(self, headers: HeaderMap) -> Self {
        self.map(|request| request.headers(headers))
    }

    /// Sets user and password.
    pub fn basic_auth(self, username: impl Display, password: Option<impl Display>) -> Self {
        self.map(|request| request.basic_auth(username, password))
    }

    /// Sets a bearer token.
    pub fn bearer_auth(self, token: impl Display) -> Self {
        self.map(|request| request.bearer_auth(token))
    }

    /// Sets the body.
    pub fn body(self, body: impl Into<Body>) -> Self {
        self.map(|request| request.body(body))
    }

    /// Sets the time until which the whole response has to be there.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.map(|request| request.timeout(timeout))
    }

    /// Adds to the query of the URL.
    pub fn query(self, query: &(impl Serialize + ?Sized)) -> Self {
        self.map(|request| request.query(query))
    }

    /// Sets the version of HTTP.
    pub fn version(self, version: Version) -> Self {
        self.map(|request| request.version(version))
    }

    /// Sets a form as the body.
    pub fn form(self, form: &(impl Serialize + ?Sized)) -> Self {
        self.map(|request| request.form(form))
    }

    /// Sets JSON as the body.
    pub fn json(self, json: &(impl Serialize + ?Sized)) -> Self {
        self.map(|request| request.json(json))
    }

    /// Changes the request by what else reqwest's own builder can, such as `multipart`.
    pub fn map(
        self,
        change: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> Self {
        Self {
            client: self.client,
            inner: change(self.inner),
        }
    }

    /// The request, for [`Client::execute`].
    ///
    /// # Errors
    ///
    /// If anything that was set is not valid.
    pub fn build(self) -> Result<Request> {
        self.inner.build()
    }

    /// Sends the request. See [`Client::execute`].
    ///
    /// # Errors
    ///
    /// Those of `reqwest::RequestBuilder::send`.
    pub fn send(self) -> impl Future<Output = Result<Response>> {
        let sending = self
            .inner
            .build()
            .map(|request| self.client.execute(request));
        async { sending?.await }
    }

    /// A copy, `None` if the body is a stream.
    pub fn try_clone(&self) -> Option<Self> {
        Some(Self {
            client: self.client.clone(),
            inner: self.inner.try_clone()?,
        })
    }
}
