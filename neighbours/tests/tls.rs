//! Servers with certificates of every kind, over real sockets.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use taskspan::local::Receiver;
use taskspan::{Client, DeliveryReport, DiscardReason, DropReason, InitError, Instrument, Options};

#[path = "support/tls.rs"]
mod tls;

use self::tls::{Authority, Front, Handshake, file};

const SOON: Duration = Duration::from_secs(20);
const ALL: &[&str] = &["h2", "http/1.1"];
const HOST: &str = "127.0.0.1";

fn options(dsn: &str) -> Options {
    Options::new(dsn).unwrap().traces_sample_rate(1.0)
}

async fn transaction(client: &Client) {
    async { async {}.in_span("db.query", "SELECT 1").await }
        .in_transaction("task", "t")
        .with_client(client)
        .await;
}

fn network_errors(report: &DeliveryReport) -> u64 {
    let reason = DropReason::Discarded(DiscardReason::NetworkError);
    report.transactions.dropped_because(reason)
}

#[tokio::test]
async fn a_server_is_trusted_through_the_ca_file_and_speaks_what_it_can() {
    let authority = Authority::new();
    // More than one authority, and words around them, as files of them are.
    let other = Authority::new();
    let pem = format!("Some words\n{}\n{}", other.pem(), authority.pem());
    let ca_file = file("trusted.pem", &pem);
    for (alpn, spoken) in [
        (ALL, Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&[], None),
    ] {
        let receiver = Receiver::start().await.unwrap();
        let config = authority.server(HOST).config(alpn);
        let front = Front::start(config, receiver.local_addr()).await;
        let client = Client::new(options(&front.dsn()).ca_file(&ca_file)).unwrap();
        for _ in 0..3 {
            transaction(&client).await;
            client.flush(SOON).await;
        }
        let report = client.close(SOON).await;
        assert_eq!(report.transactions.accepted, 3, "{alpn:?}: {report}");
        assert_eq!(receiver.counts().transactions, 3);
        let only = Handshake {
            alpn: spoken.map(str::to_owned),
            has_client_certificate: false,
        };
        assert_eq!(front.connections(), [only]);
    }
}

/// Checks that nothing arrives at a server that is not to be trusted, that it
/// is kept or counted, and that all goes well once the server is.
async fn assert_distrusted(name: &str, identity: &tls::Identity, authority: &Authority) {
    let receiver = Receiver::start().await.unwrap();
    let front = Front::start(identity.config(ALL), receiver.local_addr()).await;
    let base = options(&front.dsn()).ca_file(file(name, &authority.pem()));
    let keeping = Client::new(base.clone()).unwrap();
    // Has no room to keep anything that was tried.
    let losing = Client::new(base.queue_items(1)).unwrap();

    transaction(&keeping).await;
    transaction(&losing).await;
    let report = losing.flush(SOON).await;
    assert_eq!(network_errors(&report), 1, "{name}: {report}");
    assert_eq!(report.transactions.pending, 0);
    let report = keeping.flush(Duration::from_millis(100)).await;
    assert_eq!(report.transactions.pending, 1, "{name}: {report}");
    assert_eq!(receiver.counts().envelopes, 0);
    assert_eq!(front.connections(), []);
    // One try of each, and one to report the loss.
    assert!(front.failures() >= 3, "{name}: {}", front.failures());

    front.set_config(authority.server(HOST).config(ALL));
    let report = keeping.close(SOON).await;
    assert_eq!(report.transactions.accepted, 1, "{name}: {report}");
    assert_eq!(report.transactions.dropped(), 0);
    assert_eq!(receiver.counts().iter_discarded().count(), 0);

    transaction(&losing).await;
    let report = losing.close(SOON).await;
    assert_eq!(report.transactions.accepted, 1, "{name}: {report}");
    let counts = receiver.counts();
    assert_eq!(counts.transactions, 2);
    assert_eq!(counts.discarded("network_error", "transaction"), 1);
    assert_eq!(counts.discarded("network_error", "span"), 2);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_trusted() {
    let authority = Authority::new();
    let identity = authority.server("other.example");
    assert_distrusted("name.pem", &identity, &authority).await;
}

#[tokio::test]
async fn a_certificate_whose_time_is_over_is_not_trusted() {
    let authority = Authority::new();
    let identity = authority.expired(HOST);
    assert_distrusted("expired.pem", &identity, &authority).await;
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_not_trusted() {
    let identity = Authority::new().server(HOST);
    assert_distrusted("unknown.pem", &identity, &Authority::new()).await;
}

#[tokio::test]
async fn without_a_ca_file_only_the_platform_is_trusted() {
    let receiver = Receiver::start().await.unwrap();
    let config = Authority::new().server(HOST).config(ALL);
    let front = Front::start(config, receiver.local_addr()).await;
    let client = Client::new(options(&front.dsn()).queue_items(1)).unwrap();
    transaction(&client).await;
    let report = client.flush(SOON).await;
    assert_eq!(network_errors(&report), 1, "{report}");
    assert_eq!(receiver.counts().envelopes, 0);
}

#[tokio::test]
async fn a_server_that_asks_is_shown_the_client_certificate() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let receiver = Receiver::start().await.unwrap();
    let server = authority.server(HOST);
    let asking = server.config_asking(ALL, Some(&clients));
    let front = Front::start(asking, receiver.local_addr()).await;
    let base = options(&front.dsn()).ca_file(file("asking.pem", &authority.pem()));

    let identity = clients.client();
    let certificate = file("client.pem", &identity.certificate.pem());
    let key = file("client.key", &identity.key.serialize_pem());
    let client = Client::new(base.clone().client_certificate(certificate, key)).unwrap();
    transaction(&client).await;
    assert_eq!(client.close(SOON).await.transactions.accepted, 1);
    let only = Handshake {
        alpn: Some("h2".to_owned()),
        has_client_certificate: true,
    };
    assert_eq!(front.connections(), [only]);

    // Nothing, and the certificate of somebody else.
    let stranger = Authority::new().client();
    let certificate = file("stranger.pem", &stranger.certificate.pem());
    let key = file("stranger.key", &stranger.key.serialize_pem());
    let unknown = base.clone().client_certificate(certificate, key);
    for options in [base, unknown] {
        front.set_config(server.config_asking(ALL, Some(&clients)));
        let (before, failures) = (receiver.counts(), front.failures());
        let client = Client::new(options).unwrap();
        transaction(&client).await;
        // The handshake is over for the client before the server says no, so every try counts.
        let report = client.flush(SOON).await;
        assert!(front.failures() >= failures + 4, "{report}");
        assert_eq!(network_errors(&report), 1, "{report}");
        assert_eq!(receiver.counts(), before);

        front.set_config(server.config(ALL));
        transaction(&client).await;
        assert_eq!(client.close(SOON).await.transactions.accepted, 1);
        let counts = receiver.counts();
        assert_eq!(counts.transactions, before.transactions + 1);
        assert_eq!(
            counts.discarded("network_error", "transaction"),
            before.discarded("network_error", "transaction") + 1
        );
    }
}

#[tokio::test]
async fn a_server_that_never_shakes_hands_holds_nobody_up() {
    // Connections are accepted by the system and never answered.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let dsn = format!("https://k@{}/1", silent.local_addr().unwrap());
    let client = Client::new(options(&dsn).request_timeout(Duration::from_millis(50))).unwrap();
    transaction(&client).await;
    let start = Instant::now();
    let report = client.close(Duration::from_millis(100)).await;
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(report.transactions.pending, 1, "{report}");
    // The last try ends with its timeout.
    let report = client.close(SOON).await;
    assert_eq!(network_errors(&report), 1, "{report}");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_sent_nothing() {
    let receiver = Receiver::start().await.unwrap();
    let dsn = receiver.dsn().replacen("http", "https", 1);
    let client = Client::new(options(&dsn).queue_items(1)).unwrap();
    transaction(&client).await;
    let report = client.flush(SOON).await;
    assert_eq!(network_errors(&report), 1, "{report}");
    assert_eq!(receiver.counts().envelopes, 0);
}

#[tokio::test]
async fn kept_connections_outlive_a_pause() {
    let authority = Authority::new();
    let ca_file = file("kept.pem", &authority.pem());
    let receiver = Receiver::start().await.unwrap();
    let mut clients = Vec::new();
    for keep in [false, true] {
        let config = authority.server(HOST).config(ALL);
        let front = Front::start(config, receiver.local_addr()).await;
        let options = options(&front.dsn()).ca_file(&ca_file).keep_alive(keep);
        clients.push((Client::new(options).unwrap(), front));
    }
    // Longer than what is not kept may wait.
    for pause in [4_500, 0].map(Duration::from_millis) {
        for (client, _) in &clients {
            transaction(client).await;
            client.flush(SOON).await;
        }
        tokio::time::sleep(pause).await;
    }
    let connections: Vec<_> = clients
        .iter()
        .map(|(_, front)| front.connections().len())
        .collect();
    assert_eq!(connections, [2, 1]);
    assert_eq!(receiver.counts().transactions, 4);
}

#[track_caller]
fn assert_refused(options: Options, field: &str, path: &Path, problem: &str) {
    let error = match Client::new(options) {
        Err(InitError::Options(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(error.field(), field);
    assert!(
        path.to_string_lossy()
            .starts_with(error.value().trim_end_matches('…'))
    );
    assert!(error.to_string().ends_with(problem), "{error}");
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let authority = Authority::new();
    let identity = authority.client();
    let certificate = file("good.pem", &identity.certificate.pem());
    let key = file("good.key", &identity.key.serialize_pem());
    let missing = Path::new("/missing.pem");
    let empty = file("empty.pem", "");
    let cut = file("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB");
    let wrong_pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    let wrong = file("wrong.pem", wrong_pem);
    let wrong_key_pem = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";
    let wrong_key = file("wrong.key", wrong_key_pem);
    let other_key = file("other.key", &authority.client().key.serialize_pem());
    let base = || options("https://k@127.0.0.1:1/1");

    for (path, problem) in [
        (missing, "cannot be read: entity not found"),
        (&*empty, "has no certificate in it"),
        (&*key, "has no certificate in it"),
        (&*cut, "is not written as PEM"),
        (&*wrong, "has a certificate in it that cannot be used"),
    ] {
        assert_refused(base().ca_file(path), "ca_file", path, problem);
        let options = base().client_certificate(path, &key);
        assert_refused(options, "client_certificate", path, problem);
    }
    for (path, problem) in [
        (missing, "cannot be read: entity not found"),
        (&*empty, "has no private key in it"),
        (&*certificate, "has no private key in it"),
        (&*wrong_key, "has a private key in it that cannot be used"),
        (
            &*other_key,
            "has the private key of another certificate in it",
        ),
    ] {
        let options = base().client_certificate(&certificate, path);
        assert_refused(options, "client_certificate", path, problem);
    }

    // Nobody to show them to.
    let disabled = Options::disabled()
        .ca_file(missing)
        .client_certificate(missing, missing);
    assert!(Client::new(disabled).is_ok());
}
