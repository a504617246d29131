//! Through a real proxy, over real sockets.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::time::{Duration, Instant};

use taskspan::local::Receiver;
use taskspan::{Client, DeliveryReport, DiscardReason, DropReason, Instrument, Options};

#[path = "support/server_process.rs"]
mod server_process;
#[path = "support/tinyproxy.rs"]
mod tinyproxy;
#[path = "support/tls.rs"]
mod tls;

use self::server_process::free_address;
use self::tinyproxy::Tinyproxy;
use self::tls::{Authority, Front, file};

const SOON: Duration = Duration::from_secs(20);
const HOST: &str = "127.0.0.1";
const WITH_USER: &str = "BasicAuth user s3cr";

fn options(dsn: &str) -> Options {
    Options::new(dsn).unwrap().traces_sample_rate(1.0)
}

async fn transaction(client: &Client) {
    async { async {}.in_span("db.query", "SELECT 1").await }
        .in_transaction("task", "t")
        .with_client(client)
        .await;
}

fn dropped(report: &DeliveryReport, reason: DiscardReason) -> u64 {
    let reason = DropReason::Discarded(reason);
    report.transactions.dropped_because(reason)
}

/// A server that is reached by `http`, and the same by `https`.
struct Server {
    receiver: Receiver,
    front: Front,
    authority: Authority,
}

impl Server {
    async fn start() -> Self {
        let authority = Authority::new();
        let receiver = Receiver::start().await.unwrap();
        let config = authority.server(HOST).config(&["h2", "http/1.1"]);
        let front = Front::start(config, receiver.local_addr()).await;
        Self {
            receiver,
            front,
            authority,
        }
    }

    /// Options for both ways, which differ in the DSN alone.
    fn options(&self, name: &str, proxy: &str) -> [Options; 2] {
        let ca_file = file(name, &self.authority.pem());
        [self.receiver.dsn(), self.front.dsn()]
            .map(|dsn| options(&dsn).http_proxy(proxy).ca_file(&ca_file))
    }

    /// What a proxy is asked for, by `http` and by `https`.
    fn requests(&self) -> [String; 2] {
        let (http, https) = (self.receiver.local_addr(), self.front.address);
        [
            format!("POST http://{http}/api/1/envelope/ HTTP/1.1"),
            format!("CONNECT {https} HTTP/1.1"),
        ]
    }
}

#[tokio::test]
async fn requests_are_forwarded_and_tunnels_opened() {
    let server = Server::start().await;
    let proxy = Tinyproxy::start(free_address(), "");
    let url = format!("http://{}", proxy.address);
    let requests = server.requests();
    for (options, request) in server
        .options("through.pem", &url)
        .into_iter()
        .zip(&requests)
    {
        let client = Client::new(options).unwrap();
        transaction(&client).await;
        let report = client.close(SOON).await;
        assert_eq!(report.transactions.accepted, 1, "{report}");
        assert_eq!(proxy.requests().last(), Some(request));
    }
    assert_eq!(server.receiver.counts().transactions, 2);
    let connections = server.front.connections();
    assert_eq!(connections.len(), 1);
    assert_eq!(connections[0].alpn.as_deref(), Some("h2"));
}

#[tokio::test]
async fn each_protocol_may_have_a_proxy_of_its_own() {
    let server = Server::start().await;
    let [for_http, for_https] = [free_address(), free_address()].map(|address| {
        let proxy = Tinyproxy::start(address, "");
        (format!("{address}"), proxy)
    });
    for options in server.options("own.pem", &for_http.0) {
        let client = Client::new(options.https_proxy(&for_https.0)).unwrap();
        transaction(&client).await;
        assert_eq!(client.close(SOON).await.transactions.accepted, 1);
    }
    let [forwarded, tunneled] = server.requests();
    assert_eq!(for_http.1.requests(), [forwarded]);
    assert_eq!(for_https.1.requests(), [tunneled]);
}

#[tokio::test]
async fn a_proxy_is_told_user_and_password() {
    let server = Server::start().await;
    let proxy = Tinyproxy::start(free_address(), WITH_USER);
    let url = format!("http://%75ser:s3c%72@{}", proxy.address);
    for options in server.options("user.pem", &url) {
        let client = Client::new(options).unwrap();
        for _ in 0..2 {
            transaction(&client).await;
            client.flush(SOON).await;
        }
        let report = client.close(SOON).await;
        assert_eq!(report.transactions.accepted, 2, "{report}");
    }
    assert_eq!(server.receiver.counts().transactions, 4);
    assert_eq!(proxy.requests().len(), 3);
}

/// Checks that nothing arrives, that it is kept or counted, and that all goes
/// well once the proxy does.
async fn assert_outage(
    server: &Server,
    options: Options,
    address: SocketAddr,
    (broken, healthy): (Option<&str>, &str),
) {
    let proxy = broken.map(|settings| Tinyproxy::start(address, settings));
    let before = server.receiver.counts();
    let keeping = Client::new(options.clone()).unwrap();
    // Has no room to keep anything that was tried.
    let losing = Client::new(options.queue_items(1)).unwrap();

    transaction(&keeping).await;
    transaction(&losing).await;
    let report = losing.flush(SOON).await;
    assert_eq!(dropped(&report, DiscardReason::NetworkError), 1, "{report}");
    assert_eq!(report.transactions.pending, 0);
    let report = keeping.flush(Duration::from_millis(100)).await;
    assert_eq!(report.transactions.pending, 1, "{report}");
    assert_eq!(server.receiver.counts(), before);

    drop(proxy);
    let _proxy = Tinyproxy::start(address, healthy);
    let report = keeping.close(SOON).await;
    assert_eq!(report.transactions.accepted, 1, "{report}");
    assert_eq!(report.transactions.dropped(), 0);
    transaction(&losing).await;
    let report = losing.close(SOON).await;
    assert_eq!(report.transactions.accepted, 1, "{report}");

    let counts = server.receiver.counts();
    assert_eq!(counts.transactions, before.transactions + 2);
    for (category, lost) in [("transaction", 1), ("span", 2)] {
        let before = before.discarded("network_error", category);
        let now = counts.discarded("network_error", category);
        assert_eq!(now, before + lost, "{category}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_an_outage() {
    let (server, address) = (Server::start().await, free_address());
    for options in server.options("down.pem", &format!("http://{address}")) {
        assert_outage(&server, options, address, (None, "")).await;
    }
}

#[tokio::test]
async fn a_proxy_that_wants_a_user_is_an_outage() {
    let (server, address) = (Server::start().await, free_address());
    for options in server.options("nobody.pem", &format!("http://{address}")) {
        assert_outage(&server, options, address, (Some(WITH_USER), "")).await;
    }
}

#[tokio::test]
async fn a_proxy_that_knows_another_password_is_an_outage() {
    let (server, address) = (Server::start().await, free_address());
    let url = format!("http://user:s3cr@{address}");
    let [forwarded, tunneled] = server.options("password.pem", &url);
    let other = "BasicAuth user other";
    assert_outage(&server, tunneled, address, (Some(other), WITH_USER)).await;

    // Where it forwards, this proxy says 401 instead of 407, as the server might.
    let proxy = Tinyproxy::start(address, other);
    let before = server.receiver.counts();
    let client = Client::new(forwarded).unwrap();
    transaction(&client).await;
    let report = client.flush(SOON).await;
    assert_eq!(dropped(&report, DiscardReason::SendError), 1, "{report}");
    assert_eq!(server.receiver.counts(), before);

    drop(proxy);
    let _proxy = Tinyproxy::start(address, WITH_USER);
    transaction(&client).await;
    assert_eq!(client.close(SOON).await.transactions.accepted, 1);
}

#[tokio::test]
async fn a_tunnel_that_is_refused_is_an_outage() {
    let server = Server::start().await;
    let address = free_address();
    let proxy = Tinyproxy::start(address, "ConnectPort 1");
    let [_, options] = server.options("refused.pem", &format!("http://{address}"));
    let client = Client::new(options.queue_items(1)).unwrap();
    transaction(&client).await;
    let report = client.flush(SOON).await;
    assert_eq!(dropped(&report, DiscardReason::NetworkError), 1, "{report}");
    assert!(proxy.requests().contains(&server.requests()[1]));
    assert_eq!(server.front.connections(), []);

    drop(proxy);
    let _proxy = Tinyproxy::start(address, "");
    transaction(&client).await;
    assert_eq!(client.close(SOON).await.transactions.accepted, 1);
    let counts = server.receiver.counts();
    assert_eq!(counts.discarded("network_error", "transaction"), 1);
}

#[tokio::test]
async fn an_error_of_a_proxy_that_forwards_is_an_answer() {
    let proxy = Tinyproxy::start(free_address(), "");
    let server = free_address();
    let base = options(&format!("http://k@{server}/1"));
    let client = Client::new(base.http_proxy(proxy.address.to_string())).unwrap();
    // There is no server, and only the proxy knows.
    transaction(&client).await;
    let report = client.flush(SOON).await;
    assert_eq!(dropped(&report, DiscardReason::SendError), 1, "{report}");
    assert_eq!(report.transactions.pending, 0);

    let receiver = Receiver::bind(server).await.unwrap();
    transaction(&client).await;
    assert_eq!(client.close(SOON).await.transactions.accepted, 1);
    assert_eq!(receiver.counts().transactions, 1);
}

#[tokio::test]
async fn close_comes_back_at_its_deadline_from_a_silent_proxy() {
    // Connections are accepted by the system and never answered.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = silent.local_addr().unwrap().to_string();
    for protocol in ["http", "https"] {
        let base = options(&format!("{protocol}://k@sentry.example/1"));
        let client = Client::new(base.http_proxy(&proxy)).unwrap();
        transaction(&client).await;
        let start = Instant::now();
        let report = client.close(Duration::from_millis(100)).await;
        assert!(start.elapsed() < Duration::from_secs(2), "{protocol}");
        assert_eq!(report.transactions.pending, 1, "{report}");
    }
}

#[tokio::test]
async fn one_speaks_tls_with_the_proxy_too() {
    let server = Server::start().await;
    let proxy = Tinyproxy::start(free_address(), WITH_USER);
    let config = server.authority.server(HOST).config(&["h2", "http/1.1"]);
    let secure = Front::start(config, proxy.address).await;
    let url = format!("https://user:s3cr@{}", secure.address);
    for options in server.options("secure.pem", &url) {
        let client = Client::new(options).unwrap();
        transaction(&client).await;
        let report = client.close(SOON).await;
        assert_eq!(report.transactions.accepted, 1, "{report}");
    }
    assert_eq!(proxy.requests(), server.requests());
    let connections = secure.connections();
    assert_eq!(connections.len(), 2);
    // What forwards and opens tunnels is not asked for HTTP/2.
    assert!(connections.iter().all(|made| made.alpn.is_none()));
}

/// Sends one transaction from a process that has these variables, and no other proxies.
fn send_from_a_process(dsn: &str, ca_file: &str, variables: &[(&str, &str)]) {
    let mut process = Command::new(std::env::current_exe().unwrap());
    process.args(["--exact", "the_environment_names_proxies"]);
    for protocol in ["http", "https", "no"] {
        let variable = format!("{protocol}_proxy");
        process.env_remove(variable.to_uppercase());
        process.env_remove(variable);
    }
    process.env_remove("REQUEST_METHOD");
    process.envs(variables.iter().copied());
    let output = process
        .env("PROXY_TEST_DSN", dsn)
        .env("PROXY_TEST_CA_FILE", ca_file)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{variables:?}: {text}");
    assert!(text.contains("1 passed"), "{text}");
}

async fn send_as_such_a_process(dsn: &str) {
    let ca_file = std::env::var("PROXY_TEST_CA_FILE").unwrap();
    let client = Client::new(options(dsn).ca_file(ca_file)).unwrap();
    transaction(&client).await;
    let report = client.close(SOON).await;
    assert_eq!(report.transactions.accepted, 1, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_environment_names_proxies() {
    // Variables cannot be set where other threads may read them, so this test runs itself.
    if let Ok(dsn) = std::env::var("PROXY_TEST_DSN") {
        return send_as_such_a_process(&dsn).await;
    }
    // This machine, by an address that is not exempt from proxies.
    const ANY: &str = "0.0.0.0";
    let any = |address: SocketAddr| format!("{ANY}:{}", address.port());
    let authority = Authority::new();
    let ca_file = file("environment.pem", &authority.pem());
    let ca_file = ca_file.to_str().unwrap();
    let receiver = Receiver::start().await.unwrap();
    let config = authority.server(ANY).config(&["h2", "http/1.1"]);
    let front = Front::start(config, receiver.local_addr()).await;
    let proxy = Tinyproxy::start(free_address(), WITH_USER);
    let url = format!("http://user:s3cr@{}", proxy.address);

    let http = any(receiver.local_addr());
    let https = any(front.address);
    let forwarded = format!("POST http://{http}/api/1/envelope/ HTTP/1.1");
    let tunneled = format!("CONNECT {https} HTTP/1.1");
    let http = format!("http://k@{http}/1");
    let https = format!("https://k@{https}/1");
    let mut requests = Vec::new();
    for (dsn, variables, request) in [
        (&http, &[("HTTP_PROXY", &*url)][..], Some(&forwarded)),
        (&http, &[("http_proxy", &*url)], Some(&forwarded)),
        (&http, &[("https_proxy", &*url)], None),
        (&https, &[("HTTPS_PROXY", &*url)], Some(&tunneled)),
        (&https, &[("http_proxy", &*url)], Some(&tunneled)),
        (
            &http,
            &[("HTTP_PROXY", &*url), ("NO_PROXY", "0.0.0.0/8")],
            None,
        ),
        (
            &https,
            &[("https_proxy", &*url), ("no_proxy", "h, 0.0.0.0")],
            None,
        ),
    ] {
        send_from_a_process(dsn, ca_file, variables);
        requests.extend(request.cloned());
        assert_eq!(proxy.requests(), requests, "{variables:?}");
    }
    assert_eq!(receiver.counts().transactions, 7);
}
