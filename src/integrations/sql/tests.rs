use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::Dialect::{self, MySql, Other, PostgreSql, Sqlite};
use super::{MAX_TEXT, Statement};

const ALL: [Dialect; 4] = [PostgreSql, MySql, Sqlite, Other];

fn text(sql: &str, dialect: Dialect) -> String {
    Statement::new(sql, dialect).text
}

#[test]
fn values_are_replaced_in_every_dialect() {
    // statement, what is told of it
    let table = [
        ("SELECT 1", "SELECT ?"),
        ("SELECT -1.5e-10, .5, 0xFF, 1_000", "SELECT -?, ?, ?, ?"),
        ("SELECT 'it''s' || ''", "SELECT ? || ?"),
        ("SELECT 'C:\\\\', 'b'", "SELECT ?, ?"),
        ("SELECT 'it\\'s', 'b'", "SELECT …"),
        ("SELECT x'AB', N'b', B'1'", "SELECT ?, ?, ?"),
        ("SELECT 'open", "SELECT ?"),
        ("SELECT DATE '2020-01-01'", "SELECT DATE ?"),
        (
            "WHERE a = ? AND b = $1 AND c = :c0",
            "WHERE a = ? AND b = $1 AND c = :c0",
        ),
        ("SELECT a1, t2.b3 FROM t2", "SELECT a1, t2.b3 FROM t2"),
        (
            "  SELECT\n\t a -- one's\n FROM /* 'two */ b  ",
            "SELECT a FROM b",
        ),
        ("SELECT a/* open", "SELECT a"),
        ("SELECT ä FROM größe", "SELECT ä FROM größe"),
        ("IN (1,2, 3)", "IN (?,?, ?)"),
        ("", ""),
    ];
    for (sql, told) in table {
        for dialect in ALL {
            assert_eq!(text(sql, dialect), told, "{dialect:?}: {sql}");
        }
    }
}

#[test]
fn what_a_text_means_is_up_to_the_database() {
    let table = [
        (PostgreSql, r#"SELECT "a""b""#, r#"SELECT "a""b""#),
        (Sqlite, r#"SELECT "a""b""#, "SELECT ?"),
        (MySql, r#"SELECT "a""b""#, "SELECT ?"),
        (Other, r#"SELECT "a""b""#, "SELECT ?"),
        (PostgreSql, r"SELECT E'it\'s', 'b'", "SELECT ?, ?"),
        (MySql, r"SELECT E'it\'s', 'b'", "SELECT E …"),
        (
            PostgreSql,
            "SELECT $$it's$$, $a$ $$ $a$, a$b$c",
            "SELECT ?, ?, a$b$c",
        ),
        (Sqlite, "SELECT $name, ?1", "SELECT $name, ?1"),
        (MySql, "SELECT `it's`, 'b'", "SELECT `it's`, ?"),
        (Sqlite, "SELECT [it's], 'b'", "SELECT [it's], ?"),
        (
            PostgreSql,
            "SELECT ARRAY[1, 2]::int[]",
            "SELECT ARRAY[?, ?]::int[]",
        ),
        (PostgreSql, "SELECT a #>> '{b}'", "SELECT a #>> ?"),
        (MySql, "SELECT a # it's\n, b", "SELECT a , b"),
        (MySql, "SELECT 1--1 -- one's", "SELECT ?--?"),
        (PostgreSql, "SELECT a /* /* b */ 'c */ , d", "SELECT a , d"),
        (Sqlite, "SELECT a /* /* b */ , 'd'", "SELECT a , ?"),
        (PostgreSql, "SELECT \"open", "SELECT …"),
    ];
    for (dialect, sql, told) in table {
        assert_eq!(text(sql, dialect), told, "{dialect:?}: {sql}");
    }
}

/// SQLite reads a name in double quotes as a string where there is no such column.
#[test]
fn names_in_quotes_are_values_where_a_value_can_stand() {
    let table = [
        (r#"WHERE email = "S""#, "WHERE email = ?"),
        (
            r#"SELECT * FROM "items" WHERE "S" = email"#,
            r#"SELECT * FROM "items" WHERE ? = email"#,
        ),
        (
            r#"SELECT "items"."id", "items" . "a" FROM "main"."items" AS "i""#,
            r#"SELECT "items"."id", "items" . "a" FROM "main"."items" AS "i""#,
        ),
        (
            r#"SELECT * FROM "a", "b" WHERE c IN ("S", "S")"#,
            r#"SELECT * FROM "a", "b" WHERE c IN (?, ?)"#,
        ),
        (
            r#"SELECT a FROM t ORDER BY a, "S""#,
            "SELECT a FROM t ORDER BY a, ?",
        ),
        (
            r#"SELECT a FROM json_each("S")"#,
            "SELECT a FROM json_each(?)",
        ),
        (
            r#"SELECT a "S" FROM t LEFT JOIN "u" ON "S" = a"#,
            r#"SELECT a ? FROM t LEFT JOIN "u" ON ? = a"#,
        ),
        (
            r#"INSERT INTO "items" ("a", "b") VALUES ("S", 'S')"#,
            r#"INSERT INTO "items" ("a", "b") VALUES (?, ?)"#,
        ),
        (r#"INSERT INTO t VALUES ("S")"#, "INSERT INTO t VALUES (?)"),
        (r#"INSERT INTO t SELECT "S""#, "INSERT INTO t SELECT ?"),
        (
            r#"UPDATE "items" SET "a" = "S", "b" = lower("S") WHERE c LIKE "S""#,
            r#"UPDATE "items" SET "a" = ?, "b" = lower(?) WHERE c LIKE ?"#,
        ),
        (
            r#"UPDATE OR IGNORE "items" SET a = "S""#,
            r#"UPDATE OR IGNORE "items" SET a = ?"#,
        ),
        (
            r#"DELETE FROM "items" WHERE a > "S" RETURNING "S""#,
            r#"DELETE FROM "items" WHERE a > ? RETURNING ?"#,
        ),
        (
            r#"CREATE TABLE IF NOT EXISTS "t" ("a" TEXT DEFAULT "S", b TEXT CHECK (b <> "S"))"#,
            r#"CREATE TABLE IF NOT EXISTS "t" ("a" TEXT DEFAULT ?, b TEXT CHECK (b <> ?))"#,
        ),
        (r#"SELECT 1 WHERE a = "S" .5"#, "SELECT ? WHERE a = ? ?"),
        (r#"SAVEPOINT "a""#, r#"SAVEPOINT "a""#),
        (r#"ATTACH 'f' AS "d" KEY "S""#, r#"ATTACH ? AS "d" KEY ?"#),
        (r#"SELECT 1; SELECT "S""#, "SELECT ?; SELECT ?"),
        // Others have other quotes, and these never stand for a string.
        ("SELECT [a], `b` FROM t", "SELECT [a], `b` FROM t"),
    ];
    for (sql, told) in table {
        assert_eq!(text(sql, Sqlite), told, "{sql}");
        assert_eq!(text(told, Sqlite), told);
    }
}

#[test]
fn values_of_pragmas_and_settings_are_replaced() {
    let table = [
        (Sqlite, r#"PRAGMA key = "S""#, "PRAGMA key = ?"),
        (Sqlite, "PRAGMA key = S", "PRAGMA key = ?"),
        (Sqlite, "PRAGMA main.rekey = [S]", "PRAGMA main.rekey = ?"),
        (
            Sqlite,
            "PRAGMA hexkey='S'; SELECT a",
            "PRAGMA hexkey=?; SELECT a",
        ),
        (Sqlite, "PRAGMA key(`S`)", "PRAGMA key(?)"),
        (
            Sqlite,
            "PRAGMA temp_store_directory = \"S\"",
            "PRAGMA temp_store_directory = ?",
        ),
        (
            Sqlite,
            "PRAGMA journal_mode = WAL",
            "PRAGMA journal_mode = WAL",
        ),
        (
            Sqlite,
            "PRAGMA table_info(items)",
            "PRAGMA table_info(items)",
        ),
        (PostgreSql, r#"SET app.token = "S""#, "SET app.token = ?"),
        (
            PostgreSql,
            "SET LOCAL app.token TO S, S",
            "SET LOCAL app.token TO ?, ?",
        ),
        (
            PostgreSql,
            "ALTER ROLE r SET app.token TO S",
            "ALTER ROLE r SET app.token TO ?",
        ),
        (PostgreSql, "SET a = on; SELECT b", "SET a = on; SELECT b"),
        (PostgreSql, "UPDATE t SET a = b", "UPDATE t SET a = b"),
        (
            PostgreSql,
            "ALTER TABLE a RENAME TO b",
            "ALTER TABLE a RENAME TO b",
        ),
        (
            MySql,
            "SET @token = S, b = concat(c, 'S')",
            "SET @token = ?, b = concat(c, ?)",
        ),
        (MySql, "SET NAMES utf8mb4", "SET NAMES utf8mb4"),
    ];
    for (dialect, sql, told) in table {
        assert_eq!(text(sql, dialect), told, "{dialect:?}: {sql}");
        assert_eq!(text(told, dialect), told);
    }
}

#[test]
fn operation_and_collection_are_found() {
    // statement, summary
    let table = [
        ("select * from items where id = $1", Some("SELECT items")),
        ("SELECT 1", Some("SELECT")),
        ("SELECT (SELECT max(a) FROM b) FROM c", Some("SELECT c")),
        (
            "SELECT extract(epoch FROM a) FROM public.items",
            Some("SELECT public.items"),
        ),
        ("SELECT * FROM (SELECT 1) a", Some("SELECT")),
        ("SELECT * FROM generate_series(1, 2)", Some("SELECT")),
        (
            "(SELECT a FROM b) UNION (SELECT a FROM c)",
            Some("SELECT b"),
        ),
        ("INSERT INTO items(a) SELECT b FROM c", Some("INSERT items")),
        (
            "INSERT OR REPLACE INTO items VALUES (1)",
            Some("INSERT items"),
        ),
        ("UPDATE OR IGNORE items SET a = 1", Some("UPDATE items")),
        ("UPDATE ONLY items SET a = 1", Some("UPDATE items")),
        ("DELETE FROM items", Some("DELETE items")),
        (
            "WITH RECURSIVE a(n) AS (SELECT 1 FROM x) INSERT INTO b SELECT n FROM a",
            Some("INSERT b"),
        ),
        (
            "CREATE TABLE IF NOT EXISTS items (a INT)",
            Some("CREATE items"),
        ),
        ("CREATE INDEX a ON b (c)", Some("CREATE")),
        ("TRUNCATE TABLE items", Some("TRUNCATE items")),
        ("BEGIN", Some("BEGIN")),
        ("SELECT 1; DELETE FROM items", Some("SELECT")),
        ("/* a */ ; SELECT a FROM items", Some("SELECT items")),
        ("SELECT * FROM 'secret'", Some("SELECT")),
        ("1", None),
        ("", None),
    ];
    for (sql, summary) in table {
        for dialect in ALL {
            let read = Statement::new(sql, dialect);
            assert_eq!(read.summary().as_deref(), summary, "{dialect:?}: {sql}");
        }
    }
    let quoted = Statement::new(r#"SELECT * FROM "my ""db"""."the items""#, PostgreSql);
    assert_eq!(quoted.collection.as_deref(), Some(r#"my "db".the items"#));
    let quoted = Statement::new("SELECT * FROM `a`.[b c]", Sqlite);
    assert_eq!(quoted.collection.as_deref(), Some("a.b c"));
}

#[test]
fn long_statements_are_cut() {
    let long = format!("SELECT {}", "a, ".repeat(10_000));
    for dialect in ALL {
        let told = text(&long, dialect);
        assert!(told.len() <= MAX_TEXT && told.len() > MAX_TEXT - 10);
        assert!(told.ends_with('…'), "{told}");
        assert_eq!(text(&told, dialect), told);
        let one_word = text(&"a".repeat(100_000), dialect);
        assert_eq!(one_word, "…");
        let name = Statement::new(&format!("UPDATE {}", "a.".repeat(1_000)), dialect);
        assert_eq!(name.collection, None);
    }
}

/// What is read in a time that grows with the square of its length takes minutes here.
#[test]
fn the_time_is_linear() {
    let pieces = [
        "'\\\\", "'", "\\", "\"", "$a$", "$", "/*", "--", "`", "[", "(", "a.", "''", "$$ $", "1e",
        "E'\\'",
    ];
    for piece in pieces {
        for dialect in ALL {
            for prefix in ["", "'", "E'", "\"", "$x$"] {
                let hostile = format!("{prefix}{}", piece.repeat(200_000));
                assert!(text(&hostile, dialect).len() <= MAX_TEXT);
            }
        }
    }
}

/// Pieces of statements that say what they are, and values to be found out about.
fn statement() -> impl Strategy<Value = String> {
    let pieces = [
        "SELECT",
        "FROM items",
        "\"name\"",
        "`name`",
        "(",
        ")",
        ",",
        "$1",
        "?",
        ":c0",
        "=",
        "::int",
        "--\n",
        "/* comment */",
        "-- MARKER9\n",
        "/* MARKER9 */",
        "'MARKER9'",
        "'it''s MARKER9'",
        "x'MARKER9'",
        "9999999",
        "-9999999.5",
        "1e9999999",
        ".9999999",
        "0x9999999",
        "'MARKER9\\\\'",
        "'\\'MARKER9'",
        "E'a\\'MARKER9'",
        "'\"MARKER9'",
        "'$$MARKER9'",
        "';MARKER9--'",
        "'/*MARKER9'",
        "N'MARKER9'",
    ];
    vec(select(pieces.to_vec()), 0..40).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #[test]
    fn no_value_is_told(sql in statement()) {
        for dialect in ALL {
            let Statement { text, operation, collection } = Statement::new(&sql, dialect);
            let told = format!("{text} {operation:?} {collection:?}");
            prop_assert!(!told.contains("MARKER9"), "{dialect:?}: {told}");
            prop_assert!(!told.contains("9999999"), "{dialect:?}: {told}");
        }
    }

    #[test]
    fn what_is_told_is_told_the_same_again(sql in "\\PC*|[a-zE1$?:.'\"`\\[\\]\\\\/*# \n-]{0,60}") {
        for dialect in ALL {
            let told = text(&sql, dialect);
            prop_assert!(told.len() <= MAX_TEXT);
            prop_assert_eq!(text(&told, dialect), told, "{:?}: {}", dialect, &sql);
        }
    }
}
