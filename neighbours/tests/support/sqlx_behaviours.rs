//! What sqlx and its spans do on every database.

/// What is the same on all databases: a module for each of them.
macro_rules! behaviours {
    ($name:ident, $db:ty, first: $first:literal, slow: $slow:literal) => {
        mod $name {
            use super::*;

            type TestedPool = Pool<$db>;

            const INSERT: &str = concat!(
                "INSERT INTO items (id, name) VALUES (",
                $first,
                ", 'secret-in-the-text')"
            );
            const INSERT_TOLD: &str =
                concat!("INSERT INTO items (id, name) VALUES (", $first, ", ?)");
            const BY_ID: &str = concat!("SELECT name FROM items WHERE id = ", $first);

            async fn fill(pool: &TestedPool) {
                for statement in [
                    "DROP TABLE IF EXISTS items",
                    "CREATE TABLE items (id INT PRIMARY KEY, name VARCHAR(40) NOT NULL)",
                    "INSERT INTO items VALUES (1, 'one'), (2, 'two'), (3, 'three')",
                ] {
                    sqlx::query(statement).execute(pool).await.unwrap();
                }
            }

            pub(crate) async fn all(pool: &TestedPool, at: Value) {
                fill(pool).await;
                every_method_is_a_span(pool, at).await;
                other_ways_to_ask(pool).await;
                streams_last_until_their_end(pool).await;
                what_is_dropped_is_cancelled(pool).await;
                errors_are_told(pool).await;
                transactions_are_spans(pool).await;
                transactions_end_in_every_way(pool).await;
                side_by_side(pool).await;
                connections_are_traced_wherever_they_come_from(pool).await;
                the_pool_is_waited_for(pool).await;
                slow_queries_tell_who_made_them(pool, $slow).await;
                panics_end_what_is_around_them(pool).await;
                bounds_are_as_general_as_before(pool).await;
                fill(pool).await;
            }

            async fn every_method_is_a_span(pool: &TestedPool, at: Value) {
                let (name, transaction) = recorded(async {
                    let row = sqlx::query(BY_ID).bind(2).fetch_one(pool).await.unwrap();
                    row.get::<String, _>(0)
                })
                .await;
                assert_eq!(name, "two");
                let told = format!("  db.connection pool acquire (ok)\n  db.query {BY_ID} (ok)\n");
                assert_eq!(below(&transaction), told);
                let mut expected = at.clone();
                let acquire = &transaction.spans[0];
                assert_eq!(serde_json::to_value(&acquire.data).unwrap(), expected);
                assert_eq!(acquire.origin, "auto.db.sqlx");
                for (key, value) in [
                    ("db.operation.name", json!("SELECT")),
                    ("db.collection.name", json!("items")),
                    ("db.query.summary", json!("SELECT items")),
                    ("db.response.returned_rows", json!(1)),
                ] {
                    expected[key] = value;
                }
                let query = &transaction.spans[1];
                assert_eq!(serde_json::to_value(&query.data).unwrap(), expected);
                assert_eq!(query.origin, "auto.db.sqlx");

                let (_, transaction) = queries(async {
                    let bound = || sqlx::query(BY_ID).bind(BOUND.len() as i32);
                    let all = || sqlx::query("SELECT * FROM items");
                    let insert = sqlx::query(INSERT).bind(9).execute(pool).await.unwrap();
                    assert_eq!(insert.rows_affected(), 1);
                    assert!(bound().fetch_optional(pool).await.unwrap().is_none());
                    assert!(bound().fetch_one(pool).await.is_err());
                    assert_eq!(all().fetch_all(pool).await.unwrap().len(), 4);
                    assert_eq!(all().fetch(pool).count().await, 4);
                    let many = pool.fetch_many(all()).map(Result::unwrap);
                    assert_eq!(
                        many.filter(|one| std::future::ready(one.is_right()))
                            .count()
                            .await,
                        4
                    );
                    let changed = pool.execute_many(sqlx::query("DELETE FROM items WHERE id = 9"));
                    let changed: Vec<_> = changed.try_collect().await.unwrap();
                    assert_eq!(
                        changed.iter().map(|one| one.rows_affected()).sum::<u64>(),
                        1
                    );
                })
                .await;
                let expected = [
                    (INSERT_TOLD, Value::Null),
                    (BY_ID, json!(0)),
                    (BY_ID, json!(0)),
                    ("SELECT * FROM items", json!(4)),
                    ("SELECT * FROM items", json!(4)),
                    ("SELECT * FROM items", json!(4)),
                    ("DELETE FROM items WHERE id = ?", Value::Null),
                ];
                let told: String = expected
                    .iter()
                    .map(|(sql, _)| format!("  db.query {sql} (ok)\n"))
                    .collect();
                assert_eq!(below(&transaction), told);
                assert_eq!(rows(&transaction), expected.map(|(_, rows)| rows));
            }

            async fn other_ways_to_ask(pool: &TestedPool) {
                let (_, transaction) = queries(async {
                    let scalar = sqlx::query_scalar(BY_ID).bind(1).fetch_one(pool);
                    let scalar: String = scalar.await.unwrap();
                    assert_eq!(scalar, "one");
                    let typed = sqlx::query_as("SELECT id, name FROM items ORDER BY id");
                    let typed: Vec<(i32, String)> = typed.fetch_all(pool).await.unwrap();
                    assert_eq!(typed[2], (3, "three".to_owned()));
                    let id = |row: <$db as sqlx::Database>::Row| row.get::<i32, _>(0);
                    let mapped = sqlx::query("SELECT id FROM items ORDER BY id").map(id);
                    assert_eq!(mapped.fetch_all(pool).await.unwrap(), [1, 2, 3]);
                    let both = "DELETE FROM items WHERE id = 7; SELECT 8";
                    sqlx::raw_sql(both).execute(pool).await.unwrap();
                    let text = format!("SELECT * FROM items WHERE id = 3 OR name = '{LITERAL}'");
                    let rows = pool.fetch_all(AssertSqlSafe(text)).await.unwrap();
                    assert_eq!(rows.len(), 1);

                    let mut connection = pool.acquire().await.unwrap();
                    let prepared = connection.prepare(SqlStr::from_static(BY_ID));
                    let prepared = prepared.await.unwrap();
                    let query = sqlx::Statement::query(&prepared).bind(1);
                    let row = query.fetch_one(&mut *connection).await.unwrap();
                    assert_eq!(row.get::<String, _>(0), "one");
                    let described = pool.describe(SqlStr::from_static("SELECT id FROM items"));
                    assert_eq!(described.await.unwrap().columns().len(), 1);
                })
                .await;
                let told = format!(
                    "\
                    \x20 db.query {BY_ID} (ok)\n\
                    \x20 db.query SELECT id, name FROM items ORDER BY id (ok)\n\
                    \x20 db.query SELECT id FROM items ORDER BY id (ok)\n\
                    \x20 db.query DELETE FROM items WHERE id = ?; SELECT ? (ok)\n\
                    \x20 db.query SELECT * FROM items WHERE id = ? OR name = ? (ok)\n\
                    \x20 db {BY_ID} (ok)\n\
                    \x20 db.query {BY_ID} (ok)\n\
                    \x20 db SELECT id FROM items (ok)\n"
                );
                assert_eq!(below(&transaction), told);
                let operation = |at: usize| data(&transaction.spans[at], "db.operation.name");
                assert_eq!([5, 7].map(operation), [json!("PREPARE"), json!("DESCRIBE")]);
            }

            async fn streams_last_until_their_end(pool: &TestedPool) {
                let (_, transaction) = queries(async {
                    let mut items = sqlx::query("SELECT * FROM items").fetch(pool);
                    while let Some(item) = items.try_next().await.unwrap() {
                        let id: i32 = item.get("id");
                        sleep(Duration::from_millis(2))
                            .in_span("work", id.to_string())
                            .await;
                    }
                    drop(items);
                    async {}.in_span("work", "after").await;
                })
                .await;
                let told = "\
                            \x20 db.query SELECT * FROM items (ok)\n\
                            \x20 work 1 (ok)\n\
                            \x20 work 2 (ok)\n\
                            \x20 work 3 (ok)\n\
                            \x20 work after (ok)\n";
                assert_eq!(below(&transaction), told);
                let [query, .., third, after] = &transaction.spans[..] else {
                    panic!();
                };
                assert!(
                    query.timestamp >= third.timestamp && query.timestamp <= after.start_timestamp
                );
            }

            async fn what_is_dropped_is_cancelled(pool: &TestedPool) {
                let (_, transaction) = recorded(async {
                    let mut connection = pool.acquire().await.unwrap();
                    let mut items =
                        sqlx::query("SELECT * FROM items ORDER BY id").fetch(&mut *connection);
                    items.try_next().await.unwrap().unwrap();
                    items.try_next().await.unwrap().unwrap();
                    drop(items);
                    // Never polled, and so nothing.
                    drop(sqlx::query("SELECT * FROM items").fetch(&mut *connection));
                    let slow = sqlx::query($slow).execute(&mut *connection);
                    timeout(Duration::from_millis(20), slow).await.unwrap_err();
                    connection.close().await.unwrap();
                })
                .await;
                let told = concat!(
                    "  db.connection pool acquire (ok)\n",
                    "  db.query SELECT * FROM items ORDER BY id (cancelled)\n",
                );
                assert!(
                    below(&transaction).starts_with(told),
                    "{}",
                    below(&transaction)
                );
                assert_eq!(data(&transaction.spans[1], "db.response.returned_rows"), 2);
                assert_eq!(transaction.spans.len(), 3);
                assert_eq!(status(&transaction.spans[2]), "cancelled");
            }

            async fn errors_are_told(pool: &TestedPool) {
                let (_, transaction) = queries(async {
                    let error = sqlx::query(INSERT).bind(1).execute(pool).await.unwrap_err();
                    assert!(error.as_database_error().unwrap().is_unique_violation());
                    sqlx::query("INSERT INTO items VALUES (8, NULL)")
                        .execute(pool)
                        .await
                        .unwrap_err();
                    sqlx::query("SELECT * FROM nowhere")
                        .fetch_all(pool)
                        .await
                        .unwrap_err();
                    let mut nothing = sqlx::query("SELEC 1").fetch(pool);
                    nothing.try_next().await.unwrap_err();
                    assert!(nothing.try_next().await.unwrap().is_none());
                })
                .await;
                let told = format!(
                    "  db.query {INSERT_TOLD} (already_exists)\n\
                                    \x20 db.query INSERT INTO items VALUES (?, NULL) (invalid_argument)\n\
                                    \x20 db.query SELECT * FROM nowhere (internal_error)\n\
                                    \x20 db.query SELEC ? (internal_error)\n"
                );
                assert_eq!(below(&transaction), told);
                let codes: Vec<_> = transaction
                    .spans
                    .iter()
                    .map(|span| data(span, "db.response.status_code"))
                    .collect();
                assert!(codes.iter().all(Value::is_string), "{codes:?}");
            }

            async fn transactions_are_spans(pool: &TestedPool) {
                let (_, transaction) = recorded(async {
                    let mut outer = pool.begin().await.unwrap();
                    sqlx::query("DELETE FROM items WHERE id = 1")
                        .execute(&mut *outer)
                        .await
                        .unwrap();
                    let mut inner = outer.begin().await.unwrap();
                    sqlx::query("DELETE FROM items WHERE id = 2")
                        .execute(&mut *inner)
                        .await
                        .unwrap();
                    inner.rollback().await.unwrap();
                    let inner = outer.begin().await.unwrap();
                    inner.commit().await.unwrap();
                    drop(outer.begin().await.unwrap());
                    assert_eq!(count(&mut outer).await, 2);
                    outer.rollback().await.unwrap();
                })
                .await;
                let told = "\
                                    \x20 db.connection pool acquire (ok)\n\
                                    \x20 db.sql.transaction BEGIN (ok)\n\
                                    \x20 db.query DELETE FROM items WHERE id = ? (ok)\n\
                                    \x20 db.sql.transaction SAVEPOINT (ok)\n\
                                    \x20 db.query DELETE FROM items WHERE id = ? (ok)\n\
                                    \x20 db.sql.transaction ROLLBACK TO SAVEPOINT (ok)\n\
                                    \x20 db.sql.transaction SAVEPOINT (ok)\n\
                                    \x20 db.sql.transaction RELEASE SAVEPOINT (ok)\n\
                                    \x20 db.sql.transaction SAVEPOINT (ok)\n\
                                    \x20 db.sql.transaction ROLLBACK TO SAVEPOINT (aborted)\n\
                                    \x20 db.query SELECT count(*) FROM items (ok)\n\
                                    \x20 db.sql.transaction ROLLBACK (ok)\n";
                assert_eq!(below(&transaction), told);
                let span = &transaction.spans[1];
                assert_eq!(data(span, "db.operation.name"), "BEGIN");
                assert_eq!(span.origin, "auto.db.sqlx");
                assert_eq!(count(&mut pool.acquire().await.unwrap()).await, 3);
            }

            /// It takes connections of pools and transactions alike.
            async fn count(connection: &mut Connection<$db>) -> i64 {
                let count = sqlx::query_scalar("SELECT count(*) FROM items");
                count.fetch_one(connection).await.unwrap()
            }

            async fn transactions_end_in_every_way(pool: &TestedPool) {
                let (_, transaction) = queries(async {
                    let mut dropped = pool.begin().await.unwrap();
                    sqlx::query("DELETE FROM items WHERE id = 1")
                        .execute(&mut *dropped)
                        .await
                        .unwrap();
                    drop(dropped);
                    let mut connection = pool.acquire().await.unwrap();
                    let failed = connection.transaction(|transaction| {
                        async move {
                            sqlx::query("DELETE FROM items")
                                .execute(&mut **transaction)
                                .await?;
                            sqlx::query("SELEC 1").execute(&mut **transaction).await
                        }
                        .boxed()
                    });
                    failed.await.unwrap_err();
                    let nothing = connection
                        .transaction(|transaction| async { transaction.ping().await }.boxed());
                    nothing.await.unwrap();
                    let mut begun = connection.begin_with("BEGIN").await.unwrap();
                    assert!(begun.is_in_transaction());
                    begun.begin_with("BEGIN").await.unwrap_err();
                    begun.commit().await.unwrap();
                    assert!(!connection.is_in_transaction());
                })
                .await;
                let told = "\
                                    \x20 db.sql.transaction BEGIN (ok)\n\
                                    \x20 db.query DELETE FROM items WHERE id = ? (ok)\n\
                                    \x20 db.sql.transaction ROLLBACK (aborted)\n\
                                    \x20 db.sql.transaction BEGIN (ok)\n\
                                    \x20 db.query DELETE FROM items (ok)\n\
                                    \x20 db.query SELEC ? (internal_error)\n\
                                    \x20 db.sql.transaction ROLLBACK (ok)\n\
                                    \x20 db.sql.transaction BEGIN (ok)\n\
                                    \x20 db.sql.transaction COMMIT (ok)\n\
                                    \x20 db.sql.transaction BEGIN (ok)\n\
                                    \x20 db.sql.transaction SAVEPOINT (internal_error)\n\
                                    \x20 db.sql.transaction COMMIT (ok)\n";
                assert_eq!(below(&transaction), told);
                assert_eq!(count(&mut pool.acquire().await.unwrap()).await, 3);
            }

            async fn side_by_side(pool: &TestedPool) {
                let (_, transaction) = queries(async {
                    let ask = |id: i32| {
                        async move {
                            sqlx::query(BY_ID).bind(id).fetch_one(pool).await.unwrap();
                            async {}.in_span("work", "decode").await;
                        }
                        .in_span("work", id.to_string())
                    };
                    tokio::join!(ask(1), ask(2));
                    let pool = pool.clone();
                    let spawned =
                        async move { sqlx::query(BY_ID).bind(3).fetch_one(&pool).await.map(drop) };
                    taskspan::spawn(spawned.in_span("work", "spawned"))
                        .await
                        .unwrap()
                        .unwrap();
                })
                .await;
                let one = format!("    db.query {BY_ID} (ok)\n");
                let two = format!("{one}    work decode (ok)\n");
                let told =
                    format!("  work 1 (ok)\n{two}  work 2 (ok)\n{two}  work spawned (ok)\n{one}");
                let mut moved = transaction;
                // Those of the pool are gone, with nothing below them.
                moved.spans.sort_by_key(|span| span.start_timestamp);
                assert_eq!(below(&moved), told);
            }

            async fn connections_are_traced_wherever_they_come_from(pool: &TestedPool) {
                let (_, transaction) = recorded(async {
                    let options = pool.connect_options();
                    let mut own = Connection::<$db>::connect_with(&options).await.unwrap();
                    sqlx::query("SELECT 1").execute(&mut own).await.unwrap();
                    own.close().await.unwrap();
                    let mut lent = pool.acquire().await.unwrap();
                    lent.close_on_drop();
                    let mut detached = lent.detach();
                    sqlx::query("SELECT 2")
                        .execute(&mut detached)
                        .await
                        .unwrap();
                    // The one inside is not traced.
                    detached.as_mut().execute("SELECT 3").await.unwrap();
                    detached.close().await.unwrap();
                    // One that was made in advance is there at once.
                    drop(pool.acquire().await.unwrap());
                    let mut taken = loop {
                        match pool.try_acquire() {
                            Some(connection) => break connection,
                            None => sleep(Duration::from_millis(1)).await,
                        }
                    };
                    sqlx::query("SELECT 4").execute(&mut *taken).await.unwrap();
                    drop(taken);
                    let begun = loop {
                        match pool.try_begin().await.unwrap() {
                            Some(begun) => break begun,
                            None => sleep(Duration::from_millis(1)).await,
                        }
                    };
                    begun.rollback().await.unwrap();
                })
                .await;
                let told = "\
                                    \x20 db.connection connect (ok)\n\
                                    \x20 db.query SELECT ? (ok)\n\
                                    \x20 db.connection pool acquire (ok)\n\
                                    \x20 db.query SELECT ? (ok)\n\
                                    \x20 db.connection pool acquire (ok)\n\
                                    \x20 db.query SELECT ? (ok)\n\
                                    \x20 db.sql.transaction BEGIN (ok)\n\
                                    \x20 db.sql.transaction ROLLBACK (ok)\n";
                assert_eq!(below(&transaction), told);
            }

            async fn the_pool_is_waited_for(pool: &TestedPool) {
                let small = sqlx::pool::PoolOptions::<$db>::new()
                    .max_connections(1)
                    .acquire_timeout(Duration::from_millis(300));
                let small = small.connect_lazy_with((*pool.connect_options()).clone());
                let small = Pool::from(small);
                let (_, transaction) = recorded(async {
                    let held = small.acquire().await.unwrap();
                    assert!(small.try_acquire().is_none());
                    assert!(small.try_begin().await.unwrap().is_none());
                    // Given up.
                    timeout(Duration::from_millis(5), small.acquire())
                        .await
                        .unwrap_err();
                    let error = sqlx::query("SELECT 1").execute(&small).await.unwrap_err();
                    assert!(matches!(error, sqlx::Error::PoolTimedOut), "{error}");
                    let waiting = async {
                        let query = sqlx::query("SELECT 1").execute(&small).await;
                        query.unwrap();
                    };
                    let releasing = async {
                        sleep(Duration::from_millis(30)).await;
                        drop(held);
                    };
                    tokio::join!(waiting, releasing);
                    small.close().await;
                    let error = sqlx::query("SELECT 1")
                        .fetch(&small)
                        .try_next()
                        .await
                        .unwrap_err();
                    assert!(matches!(error, sqlx::Error::PoolClosed), "{error}");
                })
                .await;
                let told = "\
                                    \x20 db.connection pool acquire (ok)\n\
                                    \x20 db.connection pool acquire (cancelled)\n\
                                    \x20 db.connection pool acquire (deadline_exceeded)\n\
                                    \x20 db.connection pool acquire (ok)\n\
                                    \x20 db.query SELECT ? (ok)\n\
                                    \x20 db.connection pool acquire (unavailable)\n";
                assert_eq!(below(&transaction), told);
                let (waited, query) = (&transaction.spans[3], &transaction.spans[4]);
                let length = waited.timestamp.saturating_since(waited.start_timestamp);
                assert!(length >= Duration::from_millis(29), "{length:?}");
                assert!(query.start_timestamp >= waited.timestamp);
            }

            async fn panics_end_what_is_around_them(pool: &TestedPool) {
                let (_, transaction) = queries(async {
                    let consumer = async {
                        let mut items = sqlx::query("SELECT * FROM items").fetch(pool);
                        items.try_next().await.unwrap();
                        panic!("between two rows");
                    };
                    AssertUnwindSafe(consumer).catch_unwind().await.unwrap_err();
                    sqlx::query("SELECT 1").execute(pool).await.unwrap();
                })
                .await;
                let told = "  db.query SELECT * FROM items (cancelled)\n  db.query SELECT ? (ok)\n";
                assert_eq!(below(&transaction), told);
            }

            /// A stream of a pool borrows nothing from it, and futures may go to other threads.
            async fn bounds_are_as_general_as_before(pool: &TestedPool) {
                fn is_sendable<T: Send + 'static>(value: T) -> T {
                    value
                }
                let cloned = pool.clone();
                let stream = is_sendable(sqlx::query("SELECT 1").fetch(&cloned));
                drop(cloned);
                assert_eq!(stream.count().await, 1);
                let cloned = pool.clone();
                tokio::spawn(is_sendable(async move {
                    let mut transaction = cloned.begin().await.unwrap();
                    sqlx::query("SELECT 1")
                        .execute(&mut *transaction)
                        .await
                        .unwrap();
                    let mut inner = transaction.begin().await.unwrap();
                    sqlx::query("SELECT 1")
                        .fetch(&mut *inner)
                        .try_next()
                        .await
                        .unwrap();
                    inner.commit().await.unwrap();
                    transaction.commit().await.unwrap();
                }))
                .await
                .unwrap();
            }

            /// Where nothing is recorded it costs what it costs in sqlx.
            pub(crate) fn unsampled_calls_allocate_nothing(
                connect: impl AsyncFn() -> sqlx::Pool<$db>,
            ) {
                let runtime = Builder::new_current_thread().enable_all().build().unwrap();
                let (client, _) =
                    taskspan::test::client(Options::default().traces_sample_rate(0.0));
                let inner = runtime.block_on(connect());
                let pool = Pool::from(inner.clone());
                runtime.block_on(fill(&pool));
                macro_rules! work {
                    ($pool:expr, $connection:expr) => {
                        async {
                            sqlx::query(BY_ID).bind(1).fetch_one($pool).await.unwrap();
                            sqlx::query("SELECT * FROM items")
                                .fetch($pool)
                                .try_next()
                                .await
                                .unwrap();
                            sqlx::query("SELECT * FROM items")
                                .fetch_all(&mut *$connection)
                                .await
                                .unwrap();
                            sqlx::query(BY_ID)
                                .bind(1)
                                .execute(&mut *$connection)
                                .await
                                .unwrap();
                        }
                    };
                }
                // What is called and never polled does the same each time, also on SQLite.
                let _in_runtime = runtime.enter();
                let unsampled = || async {
                    let query = || sqlx::query(BY_ID).bind(1);
                    macro_rules! counted {
                        ($on:expr) => {
                            [
                                measure(|| drop($on.execute(query()))).count_total,
                                measure(|| drop($on.execute_many(query()))).count_total,
                                measure(|| drop($on.fetch(query()))).count_total,
                                measure(|| drop($on.fetch_many(query()))).count_total,
                                measure(|| drop($on.fetch_all(query()))).count_total,
                                measure(|| drop($on.fetch_one(query()))).count_total,
                                measure(|| drop($on.fetch_optional(query()))).count_total,
                                measure(|| drop($on.prepare(SqlStr::from_static(BY_ID))))
                                    .count_total,
                                measure(|| drop($on.describe(SqlStr::from_static(BY_ID))))
                                    .count_total,
                            ]
                        };
                    }
                    let mut own = Connection::<$db>::connect_with(&inner.connect_options())
                        .await
                        .unwrap();
                    let _warm = (counted!(&inner), counted!(&mut own));
                    assert_eq!(counted!(&pool), counted!(&inner));
                    assert_eq!(counted!(&mut own), counted!(own.as_mut()));
                };
                runtime.block_on(unsampled());
                runtime.block_on(
                    unsampled()
                        .in_transaction("task", "work")
                        .with_client(&client),
                );
                if <$db as sqlx::Database>::NAME == "SQLite" {
                    // It has a thread, with which one waits for the other as it happens.
                    return;
                }

                let bare = || {
                    runtime.block_on(async {
                        let mut connection = inner.acquire().await.unwrap();
                        work!(&inner, connection).await;
                    });
                };
                let traced = async || {
                    let mut connection = pool.acquire().await.unwrap();
                    work!(&pool, connection).await;
                };
                let empty = || {
                    runtime.block_on(async {}.in_transaction("task", "work").with_client(&client));
                };
                empty();
                let empty = measure(empty).count_total;
                let mut least = [u64::MAX; 3];
                // Other tasks of the pool allocate in between, so the least of many counts.
                for round in 0..2_000 {
                    let counted = [
                        measure(bare),
                        measure(|| runtime.block_on(traced())),
                        measure(|| {
                            let work = traced().in_transaction("task", "work");
                            runtime.block_on(work.with_client(&client));
                        }),
                    ];
                    for (least, counted) in least.iter_mut().zip(counted) {
                        *least = counted.count_total.min(*least);
                    }
                    let [bare, outside, unsampled] = least;
                    if round > 20 && outside <= bare && unsampled <= bare + empty {
                        return;
                    }
                }
                panic!("{least:?} {empty}");
            }
        }
    };
}
