//! Commands of Redis as spans, with a real server.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![allow(dead_code, reason = "not all that is shared is used here")]

#[path = "support/recorded.rs"]
mod recorded;
#[path = "support/server_process.rs"]
mod server_process;

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use deadpool_redis::{Config, Runtime};
use redis::aio::{ConnectionLike, ConnectionManager, MultiplexedConnection};
use redis::{
    AsyncCommands, AsyncConnectionConfig, Client, IntoConnectionInfo, RedisResult, Script, Value,
    cmd, pipe,
};
use serde_json::{Value as Json, json};
use taskspan::protocol::Span;
use taskspan::redis::{Connection, ConnectionLayer};
use taskspan::{Instrument, Options};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::recorded::{lines, only, recorded, status, text, told};
use crate::server_process::{ServerProcess, free_address};

/// A server of its own for a test.
struct Server {
    process: ServerProcess,
    address: SocketAddr,
}

impl Server {
    fn start() -> Self {
        Self::start_at(free_address())
    }

    fn start_at(address: SocketAddr) -> Self {
        let process = ServerProcess::start(address, |folder, address| {
            let mut command = Command::new("redis-server");
            command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
            command.args(["--enable-debug-command", "yes", "--port"]);
            command
                .arg(address.port().to_string())
                .arg("--dir")
                .arg(folder);
            command
        });
        Self { process, address }
    }

    fn url(&self) -> String {
        format!("redis://{}/", self.address)
    }

    fn client(&self) -> Client {
        Client::open(self.url()).unwrap()
    }

    async fn connect(&self) -> MultiplexedConnection {
        let client = self.client();
        client.get_multiplexed_async_connection().await.unwrap()
    }
}

fn data(span: &Span) -> Json {
    serde_json::to_value(&span.data).unwrap()
}

/// What a program does with any connection.
async fn use_it(mut redis: impl AsyncCommands) -> RedisResult<()> {
    redis.set::<_, _, ()>("a", "1").await?;
    assert_eq!(redis.incr::<_, _, u32>("a", 4).await?, 5);
    let (first, second): (u32, Option<u32>) =
        pipe().get("a").get("b").query_async(&mut redis).await?;
    assert_eq!((first, second), (5, None));
    redis.del("a").await
}

#[tokio::test]
async fn each_kind_of_connection_is_the_same() {
    let server = Server::start();
    let expected = [
        "db.redis SET a ? (ok)",
        "db.redis INCRBY a ? (ok)",
        "db.redis GET a; GET b (ok)",
        "db.redis DEL a (ok)",
    ];

    let multiplexed = Connection::new(server.connect().await);
    let (result, transaction) = recorded(use_it(multiplexed.clone())).await;
    result.unwrap();
    assert_eq!(lines(&transaction), expected);
    for span in &transaction.spans {
        assert_eq!(span.origin, "auto.db.redis");
    }
    let told = data(&transaction.spans[0]);
    let operation = json!({
        "db.system.name": "redis",
        "db.operation.name": "SET",
        "db.namespace": "0",
        "db.redis.key": "a",
    });
    assert_eq!(told, operation);
    let told = data(&transaction.spans[2]);
    let operation = json!({
        "db.system.name": "redis",
        "db.operation.name": "PIPELINE",
        "db.namespace": "0",
        "db.operation.batch.size": 2,
    });
    assert_eq!(told, operation);

    let manager = ConnectionManager::new(server.client()).await.unwrap();
    let (result, transaction) = recorded(use_it(Connection::new(manager))).await;
    result.unwrap();
    assert_eq!(lines(&transaction), expected);

    let pool = Config::from_url(server.url());
    let pool = pool.create_pool(Some(Runtime::Tokio1)).unwrap();
    let layer = ConnectionLayer::new();
    for _ in 0..2 {
        let work = async { use_it(layer.layer(pool.get().await.unwrap())).await };
        let (result, transaction) = recorded(work).await;
        result.unwrap();
        assert_eq!(lines(&transaction), expected);
    }
    assert_eq!(pool.status().size, 1, "it went back to the pool");

    // The connection inside is there for those who ask, and keeps its commands to itself.
    assert_eq!(multiplexed.get_ref().get_db(), 0);
    let (result, transaction) = recorded(use_it(multiplexed.into_inner())).await;
    result.unwrap();
    assert!(lines(&transaction).is_empty());
}

#[tokio::test]
async fn database_and_server_are_told() {
    let server = Server::start();
    let client = Client::open(format!("redis://:secret@{}/3", server.address)).unwrap();
    let layer = ConnectionLayer::new().server(client.get_connection_info());
    drop(client);
    let client = Client::open(format!("redis://{}/3", server.address)).unwrap();
    let mut redis = layer.layer(client.get_multiplexed_async_connection().await.unwrap());
    let (result, transaction) = recorded(redis.exists::<_, bool>("a")).await;
    assert!(!result.unwrap());
    let span = only(&transaction);
    assert_eq!(told(span, "db.namespace"), "3");
    assert_eq!(told(span, "server.address"), "127.0.0.1");
    assert_eq!(told(span, "server.port"), server.address.port());
    assert!(!text(&transaction).contains("secret"));

    let socket = "redis+unix:///run/redis.sock?pass=secret";
    let layer = ConnectionLayer::new().server(&socket.into_connection_info().unwrap());
    let mut redis = layer.layer(redis.into_inner());
    let (result, transaction) = recorded(redis.exists::<_, bool>("a")).await;
    assert!(!result.unwrap());
    let span = only(&transaction);
    assert_eq!(told(span, "server.address"), "/run/redis.sock");
    assert!(!text(&transaction).contains("secret"));
}

#[tokio::test]
async fn blocking_connections_are_the_same() {
    fn use_it(mut redis: impl redis::TypedCommands) -> RedisResult<()> {
        redis.set("a", "1")?;
        assert_eq!(redis.get("page:b")?, None);
        let results: (u32, Option<u32>) = pipe().get("a").get("b").query(&mut redis)?;
        assert_eq!(results, (1, None));
        let results: (u32, u32) = pipe().atomic().incr("a", 4).get("a").query(&mut redis)?;
        assert_eq!(results, (5, 5));
        let seen = redis.scan_match::<_, String>("a*")?;
        assert_eq!(seen.collect::<RedisResult<Vec<_>>>()?, ["a"]);
        redis.lpush("a", 1).unwrap_err();
        redis.del("a").map(drop)
    }

    let server = Server::start();
    let client = server.client();
    let layer = ConnectionLayer::new().cache_prefixes(["page:"]);
    let work = async move {
        let work = move || use_it(layer.layer(client.get_connection().unwrap()));
        taskspan::spawn_blocking(work).await.unwrap()
    };
    let (result, transaction) = recorded(work).await;
    result.unwrap();
    let expected = [
        "db.redis SET a ? (ok)",
        "cache.get page:b (ok)",
        "db.redis GET a; GET b (ok)",
        "db.redis MULTI; INCRBY a ?; GET a; EXEC (ok)",
        "db.redis SCAN (ok)",
        "db.redis LPUSH a ? (internal_error)",
        "db.redis DEL a (ok)",
    ];
    assert_eq!(lines(&transaction), expected);
    assert_eq!(told(&transaction.spans[1], "cache.hit"), false);
    assert_eq!(told(&transaction.spans[3], "db.operation.batch.size"), 2);
    assert_eq!(
        told(&transaction.spans[5], "db.response.status_code"),
        "WRONGTYPE"
    );

    // A dead server, in the middle of a command.
    let mut server = server;
    let client = server.client();
    let work = async {
        let waiting = taskspan::spawn_blocking(move || {
            let mut redis = Connection::new(client.get_connection().unwrap());
            cmd("BLPOP").arg("none").arg(0).exec(&mut redis)
        });
        until_blocked(&server).await;
        server.process.kill();
        waiting.await.unwrap()
    };
    let (result, transaction) = recorded(work).await;
    assert!(result.is_err());
    assert_eq!(lines(&transaction), ["db.redis BLPOP none ? (unavailable)"]);
}

#[tokio::test]
async fn pipelines_are_one_span() {
    let server = Server::start();
    let mut redis = Connection::new(server.connect().await);

    let mut many = pipe();
    for number in 0..1_000 {
        many.set(format!("key:{number}"), number).ignore();
    }
    let (result, transaction) = recorded(many.exec_async(&mut redis)).await;
    result.unwrap();
    let span = only(&transaction);
    assert!(span.description.starts_with("SET key:0 ?; SET key:1 ?; "));
    assert!(span.description.ends_with("SET key:9 ?; 990 more"));
    assert_eq!(told(span, "db.operation.batch.size"), 1_000);

    let mut atomic = pipe();
    atomic.atomic().set("a", 1).ignore().get("a");
    let (result, transaction) = recorded(atomic.query_async::<(u32,)>(&mut redis)).await;
    assert_eq!(result.unwrap(), (1,));
    let span = only(&transaction);
    assert_eq!(
        lines(&transaction),
        ["db.redis MULTI; SET a ?; GET a; EXEC (ok)"]
    );
    assert_eq!(told(span, "db.operation.name"), "MULTI");
    assert_eq!(told(span, "db.operation.batch.size"), 2);

    // The error of one command, of which the program may know nothing.
    let mut failing = pipe();
    failing.set("a", 1).ignore().lpush("a", 1).ignore().get("a");
    let mut bare = server.connect().await;
    for is_atomic in [false, true] {
        if is_atomic {
            failing.atomic();
        }
        let (result, transaction) = recorded(failing.exec_async(&mut redis)).await;
        let expected = failing.exec_async(&mut bare).await;
        assert_eq!(
            result.unwrap_err().to_string(),
            expected.unwrap_err().to_string()
        );
        assert_eq!(status(only(&transaction)), "internal_error");
        assert_eq!(
            told(only(&transaction), "db.response.status_code"),
            "WRONGTYPE"
        );
    }
    failing.ignore_errors();
    let work = failing.query_async::<Vec<RedisResult<Value>>>(&mut redis);
    let (result, transaction) = recorded(work).await;
    assert!(result.unwrap()[0].is_ok());
    assert_eq!(status(only(&transaction)), "internal_error");

    // Commands that are refused before the transaction begins.
    let mut refused = pipe();
    refused.atomic().cmd("GET").cmd("NONE").arg("secret");
    let (result, transaction) = recorded(refused.exec_async(&mut redis)).await;
    let expected = refused.exec_async(&mut bare).await;
    assert_eq!(
        result.unwrap_err().to_string(),
        expected.unwrap_err().to_string()
    );
    assert_eq!(
        lines(&transaction),
        ["db.redis MULTI; GET; NONE; EXEC (internal_error)"]
    );

    let (result, transaction) = recorded(pipe().exec_async(&mut redis)).await;
    let expected = pipe().exec_async(&mut bare).await;
    assert_eq!(result.is_ok(), expected.is_ok());
    assert_eq!(only(&transaction).description, "");
}

#[tokio::test]
async fn iterators_are_a_span_for_each_batch() {
    let server = Server::start();
    let mut redis = Connection::new(server.connect().await);
    let work = async {
        let fields: Vec<_> = (0..1_000).map(|number| (number, "value")).collect();
        redis.hset_multiple::<_, _, _, ()>("h", &fields).await?;
        let mut pairs = redis.hscan::<_, (usize, String)>("h").await?;
        let mut sum = 0;
        while let Some(pair) = pairs.next_item().await {
            sum += pair?.0;
        }
        RedisResult::Ok(sum)
    };
    let (result, transaction) = recorded(work).await;
    assert_eq!(result.unwrap(), 499_500);
    let spans = lines(&transaction);
    assert_eq!(spans[0], "db.redis HMSET h ? (ok)");
    assert!(spans.len() > 10, "{spans:?}");
    for span in &spans[1..] {
        assert_eq!(span, "db.redis HSCAN h ? (ok)");
    }
}

#[tokio::test]
async fn transactions_by_hand_are_their_commands() {
    let server = Server::start();
    let mut redis = ConnectionLayer::new()
        .cache_prefixes([""])
        .layer(server.connect().await);
    let mut other = server.connect().await;
    let work = async {
        for conflict in [false, true] {
            cmd("WATCH").arg("a").exec_async(&mut redis).await?;
            if conflict {
                other.set::<_, _, ()>("a", 7).await?;
            }
            cmd("MULTI").exec_async(&mut redis).await?;
            let queued: String = redis.get("a").await?;
            assert_eq!(queued, "QUEUED");
            let done: Option<Vec<Value>> = cmd("EXEC").query_async(&mut redis).await?;
            assert_eq!(done.is_none(), conflict);
        }
        cmd("MULTI").exec_async(&mut redis).await?;
        redis.lpush::<_, _, ()>("a", 1).await?;
        cmd("EXEC").exec_async(&mut redis).await.unwrap_err();
        RedisResult::Ok(())
    };
    let (result, transaction) = recorded(work).await;
    result.unwrap();
    let expected = [
        "db.redis WATCH a (ok)",
        "db.redis MULTI (ok)",
        "cache.get a (ok)",
        "db.redis EXEC (ok)",
        "db.redis WATCH a (ok)",
        "db.redis MULTI (ok)",
        "cache.get a (ok)",
        "db.redis EXEC (aborted)",
        "db.redis MULTI (ok)",
        "db.redis LPUSH a ? (ok)",
        "db.redis EXEC (internal_error)",
    ];
    assert_eq!(lines(&transaction), expected);
    let get = &transaction.spans[2];
    assert!(!get.data.contains_key("cache.hit"), "nobody knows it yet");
}

#[tokio::test]
async fn transactions_that_are_tried_again_are_seen() {
    let server = Server::start();
    let redis = Connection::new(server.connect().await);
    let other = server.connect().await;
    let mut tries = 0;
    let work = redis::aio::transaction_async(redis, &["a"], |mut redis, mut pipe| {
        tries += 1;
        let (mut other, is_first) = (other.clone(), tries == 1);
        async move {
            let was: Option<u32> = redis.get("a").await?;
            if is_first {
                other.set::<_, _, ()>("a", 40).await?;
            }
            let pipe = pipe.set("a", was.unwrap_or(0) + 2).ignore().get("a");
            pipe.query_async::<Option<(u32,)>>(&mut redis).await
        }
    });
    let (result, transaction) = recorded(work).await;
    assert_eq!(result.unwrap(), (42,));
    let expected = [
        "db.redis WATCH a (ok)",
        "db.redis GET a (ok)",
        "db.redis MULTI; SET a ?; GET a; EXEC (aborted)",
        "db.redis UNWATCH (ok)",
        "db.redis WATCH a (ok)",
        "db.redis GET a (ok)",
        "db.redis MULTI; SET a ?; GET a; EXEC (ok)",
        "db.redis UNWATCH (ok)",
    ];
    assert_eq!(lines(&transaction), expected);
}

#[tokio::test]
async fn scripts_are_loaded_once() {
    let server = Server::start();
    let mut redis = Connection::new(server.connect().await);
    let script = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    let work = async {
        for sum in [7, 14] {
            let counted: u32 = script
                .key("counter")
                .arg(7)
                .invoke_async(&mut redis)
                .await?;
            assert_eq!(counted, sum);
        }
        let fails = "return redis.error_reply('my secret')";
        cmd("EVAL")
            .arg(fails)
            .arg(0)
            .exec_async(&mut redis)
            .await
            .unwrap_err();
        RedisResult::Ok(())
    };
    let (result, transaction) = recorded(work).await;
    result.unwrap();
    let expected = [
        "db.redis EVALSHA ? counter ? (not_found)",
        "db.redis SCRIPT LOAD (ok)",
        "db.redis EVALSHA ? counter ? (ok)",
        "db.redis EVALSHA ? counter ? (ok)",
        "db.redis EVAL (internal_error)",
    ];
    assert_eq!(lines(&transaction), expected);
    assert_eq!(
        told(&transaction.spans[0], "db.response.status_code"),
        "NOSCRIPT"
    );
    let all = text(&transaction);
    assert!(!all.contains("INCRBY") && !all.contains("secret"), "{all}");
}

#[tokio::test]
async fn caches_are_hit_or_missed() {
    caches_are_hit_or_missed_with("resp2").await;
}

#[tokio::test]
async fn caches_are_hit_or_missed_with_other_replies() {
    caches_are_hit_or_missed_with("resp3").await;
}

async fn caches_are_hit_or_missed_with(protocol: &str) {
    let server = Server::start();
    let client = Client::open(format!("{}?protocol={protocol}", server.url())).unwrap();
    let mut plain = client.get_multiplexed_async_connection().await.unwrap();
    let work = async {
        plain
            .mset::<_, _, ()>(&[("page:1", "12345"), ("page:2", ""), ("item:1", "1")])
            .await?;
        plain
            .hset_multiple("page:h", &[("f", "123"), ("g", "4")])
            .await
    };
    let result: RedisResult<()> = work.await;
    result.unwrap();

    let table = [
        ("GET page:1", "cache.get", "page:1", json!([true, 5])),
        ("GET page:2", "cache.get", "page:2", json!([true, 0])),
        ("GET page:3", "cache.get", "page:3", json!([false])),
        ("get page:1", "cache.get", "page:1", json!([true, 5])),
        (
            "GETEX page:1 EX 50",
            "cache.get",
            "page:1",
            json!([true, 5, 50]),
        ),
        (
            "GETEX page:1 PERSIST",
            "cache.get",
            "page:1",
            json!([true, 5]),
        ),
        (
            "MGET page:1 page:1",
            "cache.get",
            "page:1, page:1",
            json!([true, 10]),
        ),
        (
            "MGET page:1 page:3",
            "cache.get",
            "page:1, page:3",
            json!([false]),
        ),
        (
            "MGET page:1 item:1",
            "db.redis",
            "MGET page:1 item:1",
            json!([]),
        ),
        ("GET item:1", "db.redis", "GET item:1", json!([])),
        ("HGET page:h f", "cache.get", "page:h", json!([true, 3])),
        ("HGET page:h x", "cache.get", "page:h", json!([false])),
        ("HMGET page:h f g", "cache.get", "page:h", json!([true, 4])),
        ("HMGET page:h f x", "cache.get", "page:h", json!([false])),
        ("HGETALL page:h", "cache.get", "page:h", json!([true, 6])),
        ("HGETALL page:x", "cache.get", "page:x", json!([false])),
        ("GET page:h", "cache.get", "page:h", json!([])),
        ("SET page:4 1234", "cache.put", "page:4", json!([null, 4])),
        (
            "SET page:4 12 EX 60",
            "cache.put",
            "page:4",
            json!([null, 2, 60]),
        ),
        (
            "SET page:4 12 NX px 60001",
            "cache.put",
            "page:4",
            json!([null, 2, 61]),
        ),
        ("SET page:4 EX", "cache.put", "page:4", json!([null, 2])),
        (
            "SETEX page:4 60 1",
            "cache.put",
            "page:4",
            json!([null, 1, 60]),
        ),
        (
            "PSETEX page:4 600 1",
            "cache.put",
            "page:4",
            json!([null, 1, 1]),
        ),
        ("SETNX page:4 1", "cache.put", "page:4", json!([null, 1])),
        ("GETSET page:4 123", "cache.put", "page:4", json!([null, 3])),
        (
            "MSET page:4 1 page:5 23",
            "cache.put",
            "page:4, page:5",
            json!([null, 3]),
        ),
        (
            "MSET page:4 1 item:5 23",
            "db.redis",
            "MSET page:4 ? item:5 ?",
            json!([]),
        ),
        ("HSET page:h f 123", "cache.put", "page:h", json!([null, 4])),
        (
            "DEL page:4 page:9",
            "cache.remove",
            "page:4, page:9",
            json!([]),
        ),
        ("UNLINK page:5", "cache.remove", "page:5", json!([])),
        ("GETDEL page:1", "cache.remove", "page:1", json!([])),
        ("HDEL page:h f", "cache.remove", "page:h", json!([])),
        ("INCR page:n", "db.redis", "INCR page:n", json!([])),
        ("PING", "db.redis", "PING", json!([])),
        ("FLUSHDB", "cache.flush", "FLUSHDB", json!([])),
        ("FLUSHALL ASYNC", "cache.flush", "FLUSHALL", json!([])),
    ];
    let layer = ConnectionLayer::new().cache_prefixes(["page:", "session:"]);
    let mut redis = layer.layer(plain);
    for (words, op, description, facts) in table {
        let mut command = redis::Cmd::new();
        command.arg(words.split(' ').collect::<Vec<_>>());
        let (result, transaction) = recorded(command.query_async::<Value>(&mut redis)).await;
        let span = only(&transaction);
        assert_eq!(
            (span.op.as_ref(), span.description.as_ref()),
            (op, description)
        );
        assert_eq!(status(span) == "ok", result.is_ok(), "{words} {result:?}");
        let mut found = vec![
            span.data.get("cache.hit").cloned(),
            span.data.get("cache.item_size").cloned(),
            span.data.get("cache.ttl").cloned(),
        ];
        while found.last() == Some(&None) {
            found.pop();
        }
        assert_eq!(json!(found), facts, "{words}");
        let keys = span
            .data
            .get("cache.key")
            .map(|keys| keys.as_array().cloned().unwrap());
        let is_cache = op.starts_with("cache.") && op != "cache.flush";
        assert_eq!(keys.is_some(), is_cache, "{words}");
        if let Some(keys) = keys {
            let keys: Vec<_> = keys.iter().map(|key| key.as_str().unwrap()).collect();
            assert_eq!(keys.join(", "), description);
        }
        assert_eq!(told(span, "db.system.name"), "redis");
    }

    // Without prefixes there is no cache.
    let mut redis = ConnectionLayer::new().layer(redis.into_inner());
    let (_, transaction) = recorded(cmd("FLUSHDB").exec_async(&mut redis)).await;
    assert_eq!(only(&transaction).op, "db.redis");

    // In pipelines commands are part of those.
    let mut redis = layer.layer(redis.into_inner());
    let (_, transaction) = recorded(pipe().get("page:1").exec_async(&mut redis)).await;
    assert_eq!(lines(&transaction), ["db.redis GET page:1 (ok)"]);

    // Nobody waits for the reply.
    let mut get = cmd("GET");
    get.arg("page:1").set_no_response(true);
    let (result, transaction) = recorded(get.exec_async(&mut redis)).await;
    result.unwrap();
    assert!(!only(&transaction).data.contains_key("cache.hit"));
}

/// Returns once a command waits at the server.
async fn until_blocked(server: &Server) {
    let mut watcher = server.connect().await;
    loop {
        let info: String = cmd("INFO")
            .arg("clients")
            .query_async(&mut watcher)
            .await
            .unwrap();
        if info.contains("blocked_clients:1") {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_dead_server_is_unavailable() {
    let mut server = Server::start();
    let mut redis = Connection::new(server.connect().await);
    let mut manager = Connection::new(ConnectionManager::new(server.client()).await.unwrap());
    let work = async {
        let waiting = cmd("BLPOP").arg("none").arg(0).clone();
        let mut blocked = redis.clone();
        let waiting = taskspan::spawn(async move { waiting.exec_async(&mut blocked).await });
        until_blocked(&server).await;
        server.process.kill();
        let error = waiting.await.unwrap().unwrap_err();
        assert!(error.is_connection_dropped(), "{error}");
        let error = redis.get::<_, Value>("a").await.unwrap_err();
        assert!(error.is_connection_dropped(), "{error}");
        let error = pipe().get("a").exec_async(&mut redis).await.unwrap_err();
        assert!(error.is_connection_dropped(), "{error}");
        let error = manager.get::<_, Value>("a").await.unwrap_err();
        assert!(error.is_io_error(), "{error}");
    };
    let ((), transaction) = recorded(work).await;
    let expected = [
        "db.redis BLPOP none ? (unavailable)",
        "db.redis GET a (unavailable)",
        "db.redis GET a (unavailable)",
        "db.redis GET a (unavailable)",
    ];
    assert_eq!(lines(&transaction), expected);

    // A manager finds it again.
    let _server = Server::start_at(server.address);
    let work = async {
        while manager.get::<_, Value>("a").await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    let ((), transaction) = timeout(Duration::from_secs(30), recorded(work))
        .await
        .unwrap();
    assert_eq!(lines(&transaction).last().unwrap(), "db.redis GET a (ok)");
}

#[tokio::test]
async fn those_who_are_not_let_in_are_told_apart() {
    let server = Server::start();
    let mut admin = server.connect().await;
    cmd("ACL")
        .arg(&[
            "SETUSER",
            "limited",
            "on",
            ">hunter2-secret",
            "~*",
            "+@all",
            "-config",
        ])
        .exec_async(&mut admin)
        .await
        .unwrap();
    let mut redis = Connection::new(server.connect().await);
    let work = async {
        let mut wrong = cmd("AUTH");
        wrong
            .arg("limited")
            .arg("wrong-secret")
            .exec_async(&mut redis)
            .await
            .unwrap_err();
        let mut right = cmd("AUTH");
        right
            .arg("limited")
            .arg("hunter2-secret")
            .exec_async(&mut redis)
            .await
            .unwrap();
        let mut set = cmd("CONFIG");
        set.arg(&["SET", "requirepass", "new-secret"]);
        set.exec_async(&mut redis).await.unwrap_err();
        let mut hello = cmd("HELLO");
        hello.arg(&["3", "AUTH", "limited", "wrong-secret"]);
        hello.exec_async(&mut redis).await.unwrap_err();
        cmd("RESET").exec_async(&mut redis).await.unwrap();
    };
    let ((), transaction) = recorded(work).await;
    let expected = [
        "db.redis AUTH (unauthenticated)",
        "db.redis AUTH (ok)",
        "db.redis CONFIG SET (permission_denied)",
        "db.redis HELLO (unauthenticated)",
        "db.redis RESET (ok)",
    ];
    assert_eq!(lines(&transaction), expected);
    assert!(!text(&transaction).contains("secret"), "{transaction:#?}");

    // A connection that has not said who it is.
    cmd("CONFIG")
        .arg(&["SET", "requirepass", "new-secret"])
        .exec_async(&mut admin)
        .await
        .unwrap();
    cmd("RESET").exec_async(redis.get_mut()).await.unwrap();
    let (result, transaction) = recorded(redis.get::<_, Value>("a")).await;
    assert_eq!(result.unwrap_err().code(), Some("NOAUTH"));
    assert_eq!(status(only(&transaction)), "unauthenticated");
}

#[tokio::test]
async fn late_replies_and_dropped_futures_are_told_apart() {
    let server = Server::start();
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_millis(30)));
    let connection = server
        .client()
        .get_multiplexed_async_connection_with_config(&config)
        .await;
    let mut impatient = Connection::new(connection.unwrap());
    let mut waiting = cmd("BLPOP");
    waiting.arg("none").arg(0);
    let (result, transaction) = recorded(waiting.exec_async(&mut impatient)).await;
    assert!(result.unwrap_err().is_timeout());
    assert_eq!(status(only(&transaction)), "deadline_exceeded");

    let mut patient = server.connect().await;
    patient.set_response_timeout(Duration::from_secs(600));
    let mut patient = Connection::new(patient);
    let given_up = timeout(Duration::from_millis(30), waiting.exec_async(&mut patient));
    let (result, transaction) = recorded(given_up).await;
    assert!(result.is_err());
    assert_eq!(status(only(&transaction)), "cancelled");

    let mut pipeline = pipe();
    pipeline.cmd("BLPOP").arg("none").arg(0);
    let given_up = timeout(Duration::from_millis(30), pipeline.exec_async(&mut patient));
    let (result, transaction) = recorded(given_up).await;
    assert!(result.is_err());
    assert_eq!(status(only(&transaction)), "cancelled");

    // A future that is never polled has not been sent.
    let (_, transaction) = recorded(async {
        drop(patient.get::<_, Value>("a"));
    })
    .await;
    assert!(lines(&transaction).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_tasks_share_a_connection() {
    let server = Server::start();
    let redis = Connection::new(server.connect().await);
    let work = async {
        let mut tasks = JoinSet::new();
        for number in 0..1_000_usize {
            let mut redis = redis.clone();
            let work = async move {
                redis
                    .set::<_, _, ()>(format!("key:{number}"), number)
                    .await
                    .unwrap();
                redis
                    .get::<_, usize>(format!("key:{number}"))
                    .await
                    .unwrap()
            };
            let work = work.in_span("task", format!("task {number}"));
            taskspan::JoinSetExt::spawn_in_current_scope(&mut tasks, work);
        }
        tasks.join_all().await
    };
    let (mut numbers, transaction) = recorded(work).await;
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..1_000));
    let tasks = transaction.spans.iter().filter(|span| span.op == "task");
    for task in tasks {
        let number = task.description.strip_prefix("task ").unwrap();
        let children = transaction
            .spans
            .iter()
            .filter(|span| span.parent_span_id == task.span_id);
        let children: Vec<_> = children.map(|span| span.description.as_ref()).collect();
        assert_eq!(
            children,
            [format!("SET key:{number} ?"), format!("GET key:{number}")]
        );
    }
    assert_eq!(transaction.spans.len(), 3_000);
}

#[tokio::test]
async fn values_stay_here_and_pass_through_untouched() {
    let server = Server::start();
    let mut redis = ConnectionLayer::new()
        .cache_prefixes(["c:"])
        .layer(server.connect().await);
    let value = "marker".repeat(200_000);
    let work = async {
        for key in ["a", "c:a"] {
            redis.set::<_, _, ()>(key, &value).await?;
            assert_eq!(redis.get::<_, String>(key).await?, value);
        }
        redis.hset::<_, _, _, ()>("h", "marker", "marker").await?;
        redis.zadd::<_, _, _, ()>("z", "marker", 1).await?;
        let mut add = cmd("XADD");
        add.arg(&["x", "*", "marker", "marker"]);
        add.exec_async(&mut redis).await?;
        redis.publish::<_, _, ()>("marker", "marker").await?;
        redis.get::<_, Vec<u32>>("a").await.unwrap_err();
        redis.lpush::<_, _, ()>("a", "marker").await.unwrap_err();
        cmd("MARKER marker")
            .arg("marker")
            .exec_async(&mut redis)
            .await
            .unwrap_err();
        cmd("CLIENT")
            .arg("marker marker")
            .exec_async(&mut redis)
            .await
            .unwrap_err();
        let _: Value = pipe()
            .set("a", "marker")
            .append("a", "marker")
            .query_async(&mut redis)
            .await?;
        RedisResult::Ok(())
    };
    let (result, transaction) = recorded(work).await;
    result.unwrap();
    assert_eq!(transaction.spans.len(), 13);
    let sent = text(&transaction).to_lowercase();
    assert!(!sent.contains("marker"), "{sent}");
}

#[tokio::test]
async fn errors_are_those_of_redis() {
    let server = Server::start();
    let mut bare = server.connect().await;
    bare.set::<_, _, ()>("a", "text").await.unwrap();
    let mut redis = Connection::new(server.connect().await);
    let (result, transaction) = recorded(redis.lpush::<_, _, Value>("a", 1)).await;
    let expected = bare.lpush::<_, _, Value>("a", 1).await;
    assert_eq!(result, expected);
    assert_eq!(
        result.unwrap_err().to_string(),
        expected.unwrap_err().to_string()
    );
    let span = only(&transaction);
    assert_eq!(status(span), "internal_error");
    assert_eq!(told(span, "db.response.status_code"), "WRONGTYPE");

    let mut limit = cmd("CONFIG");
    limit.arg(&["SET", "maxmemory", "1"]);
    limit.exec_async(&mut bare).await.unwrap();
    let (result, transaction) = recorded(redis.set::<_, _, Value>("b", 1)).await;
    result.unwrap_err();
    let span = only(&transaction);
    assert_eq!(status(span), "resource_exhausted");
    assert_eq!(told(span, "db.response.status_code"), "OOM");

    // What the program can't read was a reply all the same.
    let (result, transaction) = recorded(redis.get::<_, u32>("a")).await;
    result.unwrap_err();
    assert_eq!(status(only(&transaction)), "ok");
}

#[tokio::test]
async fn keys_of_any_kind_can_be_told() {
    let server = Server::start();
    let mut redis = ConnectionLayer::new()
        .cache_prefixes([b"\xff"])
        .layer(server.connect().await);
    let (result, transaction) = recorded(redis.get::<_, Value>(b"\xff\0\n")).await;
    assert_eq!(result.unwrap(), Value::Nil);
    assert_eq!(lines(&transaction), ["cache.get \u{fffd}\0\n (ok)"]);

    let (result, transaction) = recorded(redis.get::<_, Value>(vec![b'k'; 1 << 20])).await;
    assert_eq!(result.unwrap(), Value::Nil);
    assert!(text(&transaction).len() < 3_000);

    let keys: Vec<_> = (0..10_000)
        .map(|number| format!("{number:0>1000}"))
        .collect();
    let (result, transaction) = recorded(redis.mget::<_, Vec<Value>>(&keys)).await;
    assert_eq!(result.unwrap().len(), 10_000);
    assert!(text(&transaction).len() < 12_000);
}

async fn wait_for_nobody(redis: &mut impl ConnectionLike) -> RedisResult<Option<String>> {
    cmd("BLPOP")
        .arg("nobody")
        .arg(0.15)
        .query_async(redis)
        .await
}

#[tokio::test]
async fn slow_commands_say_where_they_were_made() {
    let server = Server::start();
    let mut redis = Connection::new(server.connect().await);

    let (popped, transaction) = recorded(wait_for_nobody(&mut redis)).await;
    assert_eq!(popped, Ok(None));
    let slow = only(&transaction);
    let file = told(slow, "code.file.path");
    assert!(file.as_str().unwrap().ends_with("tests/database_redis.rs"));
    assert!(told(slow, "code.line.number").is_u64());

    let (_, transaction) = recorded(redis.exists::<_, bool>("nobody")).await;
    assert_eq!(told(only(&transaction), "code.function.name"), Json::Null);
}

#[test]
fn what_is_not_recorded_costs_nothing() {
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (mut bare, mut redis) = runtime.block_on(async {
        let layer = ConnectionLayer::new().cache_prefixes(["a"]);
        (server.connect().await, layer.layer(server.connect().await))
    });
    let (get, mut pipeline) = (cmd("GET").arg("a").clone(), pipe());
    pipeline.get("a").set("a", 1);

    fn allocations(
        runtime: &tokio::runtime::Runtime,
        redis: &mut impl ConnectionLike,
        get: &redis::Cmd,
        pipeline: &redis::Pipeline,
    ) -> [u64; 2] {
        let options = Options::disabled().traces_sample_rate(0.0);
        let (client, _) = taskspan::test::client(options);
        let mut measure = |in_transaction: bool| {
            let measured = allocation_counter::measure(|| {
                let work = async {
                    get.exec_async(redis).await.unwrap();
                    pipeline.exec_async(redis).await.unwrap();
                };
                if in_transaction {
                    let work = work.in_transaction("task", "work");
                    runtime.block_on(work.with_client(&client));
                } else {
                    runtime.block_on(work);
                }
            });
            measured.count_total
        };
        // The fewest of several, as buffers grow now and then.
        [true, false].map(|in_transaction| (0..20).map(|_| measure(in_transaction)).min().unwrap())
    }

    let expected = allocations(&runtime, &mut bare, &get, &pipeline);
    assert_eq!(allocations(&runtime, &mut redis, &get, &pipeline), expected);

    // Wrapping costs nothing either, so it can be done for each request.
    let layer = ConnectionLayer::new().cache_prefixes(["a"]);
    let wrapped = allocation_counter::measure(|| drop(layer.layer(())));
    assert_eq!(wrapped.count_total, 0);
}
