//! The client.

use std::borrow::Cow;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::Body as _;
use pin_project::pin_project;
use reqwest::redirect::Policy;
use reqwest::{Body, IntoUrl, Method, Request, Response, ResponseBuilderExt, Result, Url};
use tower_service::Service;

use super::redirects::{redirects, watch};
use super::request::RequestBuilder;
use crate::integrations::client::body::ClientBody;
use crate::integrations::client::{Call, Dialect, HTTP, Outgoing, Responding};
use crate::span::{Span, current_span};

/// A `reqwest::Client` whose requests are spans.
///
/// It is cheap to clone, and clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    inner: reqwest::Client,
}

impl Client {
    /// A client with reqwest's defaults, and a span for each redirect.
    ///
    /// # Panics
    ///
    /// As `reqwest::Client::new` does, if TLS or the resolver can't be set up.
    pub fn new() -> Self {
        let builder = reqwest::Client::builder().redirect(redirects(Policy::default()));
        Self::from(builder.build().expect("reqwest can be set up"))
    }

    /// Begins a `GET` request.
    pub fn get(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// Begins a `POST` request.
    pub fn post(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// Begins a `PUT` request.
    pub fn put(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    /// Begins a `PATCH` request.
    pub fn patch(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::PATCH, url)
    }

    /// Begins a `DELETE` request.
    pub fn delete(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::DELETE, url)
    }

    /// Begins a `HEAD` request.
    pub fn head(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::HEAD, url)
    }

    /// Begins a request. A URL that is none is an error when it is sent.
    pub fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
        RequestBuilder::new(self.clone(), self.inner.request(method, url))
    }

    /// Sends a request.
    ///
    /// The span begins when the future is first polled, below the span that is current then, and
    /// where none is, below the one that is current now.
    ///
    /// # Errors
    ///
    /// Those of `reqwest::Client::execute`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the request up and ends the span as `cancelled`.
    pub fn execute(&self, request: Request) -> impl Future<Output = Result<Response>> + use<> {
        let client = self.inner.clone();
        let made_in = current_span();
        async move {
            let send = || send(client, request);
            let sending = match made_in {
                Some(span) if current_span().is_none() => span.in_scope(send),
                _ => send(),
            };
            sending.await
        }
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

/// Redirects are part of the span of their request, unless the client has the policy of
/// [`redirects`].
impl From<reqwest::Client> for Client {
    fn from(inner: reqwest::Client) -> Self {
        Self { inner }
    }
}

/// The client inside, whose own requests are no spans.
impl AsRef<reqwest::Client> for Client {
    fn as_ref(&self) -> &reqwest::Client {
        &self.inner
    }
}

/// Sends a single `GET` request, as `reqwest::get` does.
///
/// Each call makes a [`Client`], so keep one for more than one request.
///
/// # Errors
///
/// Those of `reqwest::get`.
pub async fn get(url: impl IntoUrl) -> Result<Response> {
    Client::new().get(url).send().await
}

fn send(
    mut client: reqwest::Client,
    mut request: Request,
) -> Sending<impl Future<Output = Result<Response>>> {
    let method = request.method().clone();
    let size = request.body().and_then(|body| body.size_hint().exact());
    let mut headers = mem::take(request.headers_mut());
    let url = || Cow::Borrowed(without_fragment(request.url()));
    let call = Call::begin(&REQWEST, method.as_str(), url, &mut headers, size);
    *request.headers_mut() = headers;
    Sending {
        method,
        parent: current_span(),
        redirects: 0,
        responding: Responding::new(call, || client.call(request)),
    }
}

/// A request on its way.
#[pin_project]
struct Sending<F> {
    /// The method of the request, and after a redirect that of the next one.
    method: Method,
    /// The span that the request was made in.
    parent: Option<Span>,
    redirects: u32,
    #[pin]
    responding: Responding<F>,
}

impl<F: Future<Output = Result<Response>>> Future for Sending<F> {
    type Output = Result<Response>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Response>> {
        let mut this = self.project();
        let recorded = this.responding.as_mut().call();
        if !recorded.is_some_and(|call| call.is_recorded()) {
            let polled = this.responding.poll(cx);
            return polled.map_ok(|(response, _)| response);
        }
        let (polled, redirect) = watch(|| this.responding.as_mut().poll(cx));
        // One that is not followed is the response, or an error.
        if let (Poll::Pending, Some(redirect)) = (&polled, redirect)
            && let (Some(call), Some(parent)) = (this.responding.call(), this.parent)
        {
            let status = redirect.status.as_u16();
            let becomes_get = match status {
                303 => *this.method != Method::HEAD,
                301 | 302 => *this.method == Method::POST,
                _ => false,
            };
            if becomes_get {
                *this.method = Method::GET;
            }
            let next = Outgoing {
                method: this.method.as_str(),
                url: without_fragment(&redirect.url),
            };
            *this.redirects += 1;
            call.redirect(status, parent, &next, *this.redirects);
        }
        polled.map_ok(|(response, call)| read_in(call, response))
    }
}

/// The same response, whose body is read inside of the span.
fn read_in(mut call: Call, response: Response) -> Response {
    call.respond(response.status().as_u16(), response.headers());
    let url = response.url().clone();
    let (head, body) = http::Response::<Body>::from(response).into_parts();
    let body = Body::wrap(ClientBody::new(body, call));
    let known = http::response::Builder::new().url(url).body(body);
    let mut response = known.expect("nothing but the URL was set");
    *response.status_mut() = head.status;
    *response.version_mut() = head.version;
    *response.headers_mut() = head.headers;
    response.extensions_mut().extend(head.extensions);
    Response::from(response)
}

fn without_fragment(url: &Url) -> &str {
    let url = url.as_str();
    url.split_once('#').map_or(url, |(url, _)| url)
}

const REQWEST: Dialect = Dialect {
    origin: "auto.http.reqwest",
    ..HTTP
};
