//! Migrations from empty, and every statement on both engines.

use kit::db::{Db, MigrateError, Migration};
use kit::journal;
use kit::testing::{MONDAY, databases, kit_statements, prepare, sites};

#[tokio::test]
async fn every_statement_can_be_prepared() {
    for site in sites(&[]).await {
        prepare(&site, kit_statements()).await;
    }
}

#[tokio::test]
async fn migrations_apply_once_and_are_never_edited() {
    for database in databases().await {
        let db = Db::open(&database.address).await.unwrap();
        assert_eq!(db.migrate(journal::MIGRATIONS, MONDAY).await.unwrap(), journal::MIGRATIONS.len());
        assert_eq!(db.migrate(journal::MIGRATIONS, MONDAY).await.unwrap(), 0);

        let slice = Migration {
            slice: "toys",
            number: 1,
            sql: "CREATE TABLE toy (id INTEGER PRIMARY KEY AUTOINCREMENT) STRICT;",
        };
        let with_slice = [journal::MIGRATIONS, &[slice]].concat();
        assert_eq!(db.migrate(&with_slice, MONDAY).await.unwrap(), 1);

        let edited = [journal::MIGRATIONS, &[Migration { sql: "SELECT 1;", ..slice }]].concat();
        assert!(matches!(db.migrate(&edited, MONDAY).await, Err(MigrateError::Edited { number: 1, .. })));
        assert!(matches!(db.migrate(journal::MIGRATIONS, MONDAY).await, Err(MigrateError::Newer { .. })));
    }
}

#[tokio::test]
async fn a_failed_migration_leaves_no_trace() {
    for database in databases().await {
        let db = Db::open(&database.address).await.unwrap();
        let broken = Migration {
            slice: "toys",
            number: 1,
            sql: "CREATE TABLE toy (id INTEGER) STRICT; SELECT nonsense FROM nowhere;",
        };
        assert!(matches!(
            db.migrate(&[broken], MONDAY).await,
            Err(MigrateError::Statement { number: 1, .. })
        ));
        let mended = Migration { sql: "CREATE TABLE toy (id INTEGER) STRICT;", ..broken };
        assert_eq!(db.migrate(&[mended], MONDAY).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn an_address_of_no_engine_is_refused_in_words() {
    let error = Db::open("mysql://somewhere").await.unwrap_err();
    assert_eq!(error.to_string(), "the database address must begin with sqlite: or postgres:");
}

#[tokio::test]
async fn a_database_is_not_spoken_to_in_clear_over_a_network() {
    for address in ["postgres://a@db.example.cn/b", "postgres://a@10.0.0.7/b?sslmode=require"] {
        let error = Db::open(address).await.unwrap_err();
        assert!(error.to_string().ends_with("its address must say sslmode=verify-full"), "{error}");
    }
    for address in [
        "postgres://a@db.example.cn/b?sslmode=verify-full",
        "postgres://a@localhost/b",
        "postgres://a@[::1]/b",
        "postgres://a@localhost/b?host=/run/postgresql",
    ] {
        assert_eq!(kit::db::engine_of(address).unwrap(), kit::db::Engine::Postgres, "{address}");
    }
}
