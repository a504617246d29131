//! Statements that a real SQLite executes.

use sqlx::Sqlite;
use sqlx::sqlite::SqlitePoolOptions;
use taskspan::Instrument;
use taskspan::sqlx::Pool;

use super::{options, text};

#[tokio::test]
async fn strings_in_double_quotes_are_values() {
    let (client, sent) = taskspan::test::client(options());
    let work = async {
        let pool = SqlitePoolOptions::new().max_connections(1);
        let pool = Pool::from(pool.connect("sqlite::memory:").await.unwrap());
        let statements = [
            r#"CREATE TABLE "people" ("email" TEXT, age INT)"#,
            r#"INSERT INTO "people" ("email", age) VALUES ("s3cr3t", 7)"#,
            r#"SELECT "people"."age" FROM "people" WHERE email = "s3cr3t""#,
            r#"UPDATE people SET "email" = "s3cr3t" WHERE "s3cr3t" = email"#,
            r#"PRAGMA key = "s3cr3t""#,
            "PRAGMA key = s3cr3t",
        ];
        for statement in statements {
            sqlx::query::<Sqlite>(statement)
                .execute(&pool)
                .await
                .unwrap();
        }
    };
    work.in_transaction("task", "work")
        .with_client(&client)
        .await;
    let transaction = sent.take().remove(0);
    assert!(
        !text(&transaction).contains("s3cr3t"),
        "{}",
        text(&transaction)
    );
    let queries = transaction
        .spans
        .iter()
        .filter(|span| span.op == "db.query");
    let queries: Vec<_> = queries.map(|span| &*span.description).collect();
    let expected = [
        r#"CREATE TABLE "people" ("email" TEXT, age INT)"#,
        r#"INSERT INTO "people" ("email", age) VALUES (?, ?)"#,
        r#"SELECT "people"."age" FROM "people" WHERE email = ?"#,
        r#"UPDATE people SET "email" = ? WHERE ? = email"#,
        "PRAGMA key = ?",
        "PRAGMA key = ?",
    ];
    assert_eq!(queries, expected);
}
