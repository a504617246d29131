//! Queries of sqlx as spans, on SQLite, PostgreSQL and MariaDB.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "support/database_folder.rs"]
mod database_folder;
#[path = "support/mariadb.rs"]
mod mariadb;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/recorded.rs"]
mod recorded;
#[path = "support/server_process.rs"]
mod server_process;
#[macro_use]
#[path = "support/sqlx_behaviours.rs"]
mod sqlx_behaviours;

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::Duration;

use allocation_counter::measure;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use sqlx::mysql::{MySql, MySqlConnectOptions, MySqlPool, MySqlPoolOptions};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, Postgres as Pg};
use sqlx::sqlite::{Sqlite, SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Executor, Row, SqlStr};
use taskspan::local::Receiver;
use taskspan::protocol::Transaction;
use taskspan::sqlx::{Connection, Driver, Pool};
use taskspan::test::tree;
use taskspan::{Instrument, Options};
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};

use self::mariadb::MariaDb;
use self::postgres::Postgres;
use self::recorded::{only, status, text, told as data};

/// The transaction of some work.
async fn recorded_with<T>(options: Options, work: impl Future<Output = T>) -> (T, Transaction) {
    let options = options.traces_sample_rate(1.0);
    let (output, transaction) = recorded::recorded_with(options, work).await;
    let told = text(&transaction);
    for secret in [BOUND, LITERAL, "not-to-be-told", "the-user", "root"] {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
    (output, transaction)
}

async fn recorded<T>(work: impl Future<Output = T>) -> (T, Transaction) {
    recorded_with(Options::default(), work).await
}

/// The spans of some work, without those for a connection of the pool, which all end as `ok`.
async fn queries<T>(work: impl Future<Output = T>) -> (T, Transaction) {
    let (output, mut transaction) = recorded(work).await;
    transaction.spans.retain(|span| {
        let of_pool = span.op == "db.connection";
        assert!(!of_pool || status(span) == "ok");
        !of_pool
    });
    (output, transaction)
}

/// The tree below the root.
fn below(transaction: &Transaction) -> String {
    let tree = tree(transaction);
    let (root, below) = tree.split_once('\n').unwrap();
    assert_eq!(root, "task work (ok)");
    below.to_owned()
}

fn rows(transaction: &Transaction) -> Vec<Value> {
    let spans = transaction.spans.iter();
    spans
        .map(|span| data(span, "db.response.returned_rows"))
        .collect()
}

const BOUND: &str = "secret-that-is-bound";
const LITERAL: &str = "secret-in-the-text";
const SOON: Duration = Duration::from_secs(20);

behaviours!(on_sqlite, Sqlite, first: "$1",
    slow: "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000) \
        SELECT max(i) FROM n");
behaviours!(on_postgres, Pg, first: "$1", slow: "SELECT 1 FROM pg_sleep(0.12)");
behaviours!(on_mariadb, MySql, first: "?", slow: "SELECT SLEEP(0.12)");

/// Each of these tells the line before its last one.
async fn slow<DB: Driver>(pool: &Pool<DB>, sql: &'static str) -> u32
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    assert!(pool.fetch_all(sql).await.is_ok());
    line!() - 1
}

async fn slow_stream<DB: Driver>(pool: &Pool<DB>, sql: &'static str) -> u32
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let mut rows = pool.fetch(sql);
    while rows.try_next().await.unwrap().is_some() {}
    line!() - 1
}

async fn given_up<DB: Driver>(pool: &Pool<DB>, sql: &'static str) -> u32
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let query = pool.execute(sql);
    assert!(timeout(Duration::from_millis(20), query).await.is_err());
    line!() - 1
}

/// Called with a database that is left to the compiler to find out.
async fn slow_queries_tell_who_made_them<DB: Driver>(pool: &Pool<DB>, sql: &'static str)
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let threshold = Duration::from_millis(10);
    let options = || Options::default().call_site_threshold(threshold);
    let (lines, transaction) = recorded_with(options(), async {
        let lines = [
            slow(pool, sql).await,
            slow_stream(pool, sql).in_span("work", "in a span").await,
            given_up(pool, sql).await,
        ];
        assert!(pool.execute("SELECT 1").await.is_ok());
        lines
    })
    .await;
    let spans = transaction.spans.iter();
    let queries: Vec<_> = spans.filter(|span| span.op == "db.query").collect();
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).file_name().unwrap();
    let file = format!("{}/tests/database_sqlx.rs", package.display());
    let functions = ["slow", "slow_stream", "given_up"];
    for ((query, function), line) in queries.iter().zip(functions).zip(lines) {
        assert_eq!(data(query, "code.file.path"), file);
        assert_eq!(data(query, "code.line.number"), line, "{function}");
        // Tables of lines alone do not have the names of asynchronous functions.
        let told = data(query, "code.function.name");
        let name = format!("database_sqlx::{function}");
        assert!(told.is_null() || told == name, "{told}");
    }
    assert_eq!(queries.len(), 4);
    assert!(data(queries[3], "code.line.number").is_null());

    let options = Options::default().call_site_threshold(None);
    let (_, transaction) = recorded_with(options, slow(pool, sql)).await;
    let mut spans = transaction.spans.iter();
    assert!(spans.all(|span| data(span, "code.line.number").is_null()));
}

/// The database that connections with these options would lead to, as the span of a wait for one
/// tells of it.
async fn told_of<DB: Driver>(options: <DB::Connection as sqlx::Connection>::Options) -> String {
    let pool = Pool::from(sqlx::Pool::<DB>::connect_lazy_with(options));
    // So that none is opened.
    pool.close().await;
    let (refused, transaction) = recorded(pool.acquire()).await;
    assert!(refused.is_err());
    let span = only(&transaction);
    let text = |key| data(span, key).as_str().unwrap_or_default().to_owned();
    format!(
        "{} {} {} {}",
        text("db.system.name"),
        text("db.namespace"),
        text("server.address"),
        data(span, "server.port").as_u64().unwrap_or_default()
    )
}

#[tokio::test]
async fn options_of_every_kind_are_read() {
    let options = || {
        let options = PgConnectOptions::new_without_pgpass().port(5433);
        options
            .username("a/b@c:1\", host: \"d")
            .password("\", database: Some(\"e")
    };
    let table = [
        (
            options().host("db.example").database("shop"),
            "postgresql shop db.example 5433",
        ),
        (options().host("db.example"), "postgresql  db.example 5433"),
        (options().host("::1"), "postgresql  ::1 5433"),
        (
            options().host("/run/postgresql"),
            "postgresql  /run/postgresql 0",
        ),
        (options().host("db").socket("/tmp"), "postgresql  /tmp 0"),
        (options().host("db").database("a\"b"), "postgresql  db 5433"),
    ];
    for (options, expected) in table {
        assert_eq!(told_of::<Pg>(options).await, expected);
    }

    let options = || {
        MySqlConnectOptions::new()
            .password("secret")
            .database("shop")
    };
    let told = told_of::<MySql>(options().host("db.example")).await;
    assert_eq!(told, "mysql shop db.example 3306");
    let told = told_of::<MySql>(options().socket("/run/mysqld.sock")).await;
    assert_eq!(told, "mysql shop /run/mysqld.sock 0");

    let of_file = |file: &Path| SqliteConnectOptions::new().filename(file);
    let told = told_of::<Sqlite>(of_file(Path::new("/home/me/shop.db"))).await;
    assert_eq!(told, "sqlite shop.db  0");
    for url in [
        "sqlite::memory:",
        "sqlite://:memory:",
        "sqlite://shop?mode=memory",
    ] {
        let told = told_of::<Sqlite>(url.parse().unwrap()).await;
        assert_eq!(told, "sqlite :memory:  0", "{url}");
    }
}

#[tokio::test]
async fn sqlite_in_memory() {
    let pool = SqlitePoolOptions::new()
        .max_connections(4)
        .connect("sqlite::memory:")
        .await
        .unwrap();
    let at = json!({"db.system.name": "sqlite", "db.namespace": ":memory:"});
    let pool = Pool::from(pool);
    on_sqlite::all(&pool, at).await;

    // What only takes sqlx's own pool gets the one inside.
    let (_, transaction) = recorded(sqlx::migrate::Migrator::DEFAULT.run(&*pool)).await;
    assert_eq!(below(&transaction), "");
}

#[tokio::test]
async fn sqlite_in_a_file() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("items-{}.db", std::process::id()));
    let _ = std::fs::remove_file(&file);
    let options = SqliteConnectOptions::new()
        .filename(&file)
        .create_if_missing(true);
    let pool = Pool::from(
        SqlitePoolOptions::new()
            .connect_with(options.clone())
            .await
            .unwrap(),
    );
    let name = file.file_name().unwrap().to_str().unwrap();
    on_sqlite::all(
        &pool,
        json!({"db.system.name": "sqlite", "db.namespace": name}),
    )
    .await;

    // Another one writes.
    let other = SqlitePool::connect_with(options.busy_timeout(Duration::from_millis(5)))
        .await
        .unwrap();
    let _writing = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let other = Pool::from(other);
    let (_, transaction) = queries(async {
        sqlx::query("DELETE FROM items")
            .execute(&other)
            .await
            .unwrap_err();
    })
    .await;
    assert_eq!(status(only(&transaction)), "unavailable");
    assert_eq!(data(only(&transaction), "db.response.status_code"), "5");
    std::fs::remove_file(&file).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    let mut server = Postgres::start();
    let options = PgPoolOptions::new().acquire_timeout(SOON);
    let pool = Pool::from(options.connect(&server.url()).await.unwrap());
    let at = json!({
        "db.system.name": "postgresql",
        "db.namespace": "postgres",
        "server.address": "127.0.0.1",
        "server.port": server.address.port(),
    });
    on_postgres::all(&pool, at).await;

    let (_, transaction) = queries(async {
        let mut limited = pool.begin().await.unwrap();
        sqlx::query("SET LOCAL statement_timeout = 10")
            .execute(&mut *limited)
            .await
            .unwrap();
        sqlx::query("SELECT pg_sleep(9)")
            .execute(&mut *limited)
            .await
            .unwrap_err();
    })
    .await;
    let slow = &transaction.spans[2];
    assert_eq!(
        (status(slow), data(slow, "db.response.status_code")),
        ("deadline_exceeded", json!("57014"))
    );

    // The connection is lost in the middle of a stream.
    let (_, transaction) = queries(async {
        let mut connection = pool.acquire().await.unwrap();
        let id: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        let endless = "SELECT n, pg_sleep(0.001) FROM generate_series(1, 100000) n";
        let mut numbers = sqlx::query(endless).fetch(&mut *connection);
        let mut killed = false;
        let error = loop {
            match numbers.try_next().await {
                Ok(Some(_)) if killed => {}
                Ok(_) => {
                    let kill = sqlx::query("SELECT pg_terminate_backend($1)").bind(id);
                    kill.execute(&pool).await.unwrap();
                    killed = true;
                }
                Err(error) => break error,
            }
        };
        assert!(
            matches!(error, sqlx::Error::Database(_) | sqlx::Error::Io(_)),
            "{error}"
        );
    })
    .await;
    let numbers = &transaction.spans[1];
    assert_eq!(
        numbers.description,
        "SELECT n, pg_sleep(?) FROM generate_series(?, ?) n"
    );
    assert_eq!(status(numbers), "unavailable");
    assert!(data(numbers, "db.response.returned_rows").as_u64().unwrap() > 0);

    when_the_server_dies(&pool, || server.kill()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb() {
    let mut server = MariaDb::start();
    let options = MySqlPoolOptions::new().acquire_timeout(SOON);
    let pool = Pool::from(options.connect(&server.url()).await.unwrap());
    let at = json!({
        "db.system.name": "mysql",
        "db.namespace": "mysql",
        "server.address": "127.0.0.1",
        "server.port": server.address.port(),
    });
    on_mariadb::all(&pool, at).await;

    let (_, transaction) = queries(async {
        let limited =
            "SET STATEMENT max_statement_time = 0.01 FOR SELECT * FROM items WHERE SLEEP(9)";
        sqlx::raw_sql(limited).execute(&pool).await.unwrap_err();
    })
    .await;
    assert_eq!(status(only(&transaction)), "deadline_exceeded");

    // The connection is lost in the middle of a stream.
    let (_, transaction) = queries(async {
        let mut connection = pool.acquire().await.unwrap();
        let id: u64 = sqlx::query_scalar("SELECT connection_id()")
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        let mut numbers = sqlx::query("SELECT seq, REPEAT('x', 1000) FROM seq_1_to_1000000")
            .fetch(&mut *connection);
        numbers.try_next().await.unwrap().unwrap();
        let kill = AssertSqlSafe(format!("KILL {id}"));
        sqlx::raw_sql(kill).execute(&pool).await.unwrap();
        let error = loop {
            match numbers.try_next().await {
                Ok(more) => assert!(more.is_some()),
                Err(error) => break error,
            }
        };
        assert!(
            matches!(error, sqlx::Error::Database(_) | sqlx::Error::Io(_)),
            "{error}"
        );
    })
    .await;
    assert_eq!(status(&transaction.spans[1]), "unavailable");
    assert_eq!(transaction.spans[2].description, "KILL ?");

    when_the_server_dies(&pool, || server.kill()).await;
}

/// Queries fail then, and whoever waits for a connection waits in vain.
async fn when_the_server_dies<DB>(pool: &Pool<DB>, kill: impl FnOnce())
where
    DB: sqlx::Database,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let work = recorded(async {
        let mut connection = pool.acquire().await.unwrap();
        connection.execute("SELECT 1").await.unwrap();
        kill();
        // The processes of its connections see it a moment later.
        while connection.execute("SELECT 1").await.is_ok() {}
        drop(connection);
        let a_while = Duration::from_millis(200);
        while timeout(a_while, pool.execute("SELECT 2")).await.is_ok() {}
    });
    let (_, transaction) = timeout(SOON, work).await.unwrap();
    let ended: Vec<_> = transaction.spans.iter().map(status).collect();
    let first_failed = ended.iter().position(|status| *status != "ok").unwrap();
    let failed = &transaction.spans[first_failed];
    assert_eq!(
        (&*failed.op, ended[first_failed]),
        ("db.query", "unavailable")
    );
    let last = transaction.spans.last().unwrap();
    assert_eq!((&*last.op, status(last)), ("db.connection", "cancelled"));
}

#[test]
fn sqlite_unsampled() {
    on_sqlite::unsampled_calls_allocate_nothing(async || {
        SqlitePool::connect("sqlite::memory:").await.unwrap()
    });
}

#[test]
fn postgres_unsampled() {
    let server = Postgres::start();
    on_postgres::unsampled_calls_allocate_nothing(async || {
        PgPool::connect(&server.url()).await.unwrap()
    });
}

#[test]
fn mariadb_unsampled() {
    let server = MariaDb::start();
    on_mariadb::unsampled_calls_allocate_nothing(async || {
        MySqlPool::connect(&server.url()).await.unwrap()
    });
}

/// What is looked up in the background arrives with the rest.
#[tokio::test]
async fn the_place_of_a_slow_query_is_sent() {
    let receiver = Receiver::start().await.unwrap();
    let options = Options::new(&receiver.dsn()).unwrap();
    let options = options
        .traces_sample_rate(1.0)
        .call_site_threshold(Duration::ZERO);
    let client = taskspan::Client::new(options).unwrap();
    let pool = Pool::from(SqlitePool::connect("sqlite::memory:").await.unwrap());
    let line = slow(&pool, "SELECT 1").in_transaction("task", "work");
    let line = line.with_client(&client).await;
    let report = client.close(SOON).await;
    assert_eq!(report.transactions.accepted, 1);
    let transaction = &receiver.transactions()[0];
    assert_eq!(transaction.spans[1].data["code.line.number"], line);
}

#[test]
fn types_may_go_anywhere() {
    fn check<T: Send + Sync + Unpin + std::fmt::Debug + 'static>() {}
    fn check_driver<DB: Driver<Connection: Sync + Unpin>>() {
        check::<Pool<DB>>();
    }
    check_driver::<Sqlite>();
    check::<Connection<Pg>>();
    check::<taskspan::sqlx::PoolConnection<Pg>>();
    check::<taskspan::sqlx::Transaction<'static, Pg>>();
    check::<Connection<MySql>>();
}
