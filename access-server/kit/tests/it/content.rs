//! What one engine holds goes into the other, and comes back as it was.

use std::collections::BTreeMap;

use kit::db::content::{LoadError, Value};
use kit::db::{Db, Engine, Migration};
use kit::testing::{MONDAY, databases, sites};
use sqlx::Executor;

const TOYS: Migration = Migration {
    slice: "toys",
    number: 1,
    sql: "CREATE TABLE box (id INTEGER PRIMARY KEY AUTOINCREMENT, inside INTEGER REFERENCES box (id)) STRICT;
          CREATE TABLE toy (id INTEGER PRIMARY KEY AUTOINCREMENT, box INTEGER NOT NULL REFERENCES box (id),
              name TEXT, weight REAL, picture BLOB) STRICT;
          INSERT INTO box (id) VALUES (99);",
};

type Rows = BTreeMap<String, Vec<Vec<Value>>>;

async fn content(db: &Db) -> (Rows, BTreeMap<String, i64>) {
    let mut moment = db.snapshot().await.unwrap();
    let mut rows = Rows::new();
    for table in moment.tables().await.unwrap() {
        let into = rows.entry(table.name.clone()).or_default();
        let each = |row| {
            into.push(row);
            Ok::<_, sqlx::Error>(())
        };
        moment.rows(&table, each).await.unwrap();
    }
    (rows, moment.sequences().await.unwrap())
}

async fn fill(
    db: &Db,
    (rows, sequences): &(Rows, BTreeMap<String, i64>),
    from: &Db,
) -> Result<(), LoadError> {
    let tables = from.snapshot().await.unwrap().tables().await.unwrap();
    let mut loader = db.load().await?;
    for table in tables {
        let columns: Vec<_> = table.columns.iter().map(|column| column.name.clone()).collect();
        loader.insert(&table.name, &columns, rows[&table.name].clone()).await?;
    }
    loader.finish(sequences).await
}

#[tokio::test]
async fn what_one_engine_holds_goes_into_the_other_and_back() {
    let [sqlite, postgres] = sites(&[TOYS]).await.try_into().unwrap();
    for (from, into) in [(&sqlite, Engine::Postgres), (&postgres, Engine::Sqlite)] {
        let database = databases().await.into_iter().find(|it| it.engine == into).unwrap();
        let db = Db::open(&database.address).await.unwrap();
        db.migrate(&[kit::journal::MIGRATIONS, &[TOYS]].concat(), MONDAY).await.unwrap();
        let mut tx = from.kit.begin().await.unwrap();
        // The first names the last, a number was given out and taken back, texts are not only letters.
        tx.execute(sqlx::raw_sql(
            "DELETE FROM toy; DELETE FROM box; INSERT INTO box (id) VALUES (1), (2), (3); UPDATE box SET inside = 3 WHERE id = 1;
             INSERT INTO toy (box, name, weight) VALUES (1, '守门 ''\"\\ \n', 0.1), (2, NULL, -1e308), (3, '', NULL);
             DELETE FROM toy WHERE name = '';",
        ))
        .await
        .unwrap();
        sqlx::query("UPDATE toy SET picture = $1 WHERE box = 2")
            .bind((0..=255_u8).collect::<Vec<_>>())
            .execute(&mut *tx)
            .await
            .unwrap();
        for number in 0..200 {
            tx.record("toy.moved", &number).await.unwrap();
        }
        tx.commit().await.unwrap();
        let from = from.kit.db();
        let before = content(from).await;
        fill(&db, &before, from).await.unwrap();
        let after = content(&db).await;
        assert_eq!(after.0, before.0);
        assert_eq!(after.1["toy"], before.1["toy"], "the next toy has a new number");
        let (highest,): (i64,) =
            sqlx::query_as("SELECT MAX(id) FROM toy").fetch_one(db.read()).await.unwrap();
        assert!(before.1["toy"] > highest, "the last one was taken back");
        db.close().await;
    }
}

#[tokio::test]
async fn what_is_named_and_not_there_is_not_kept() {
    for database in databases().await {
        let db = Db::open(&database.address).await.unwrap();
        assert!(db.is_empty().await.unwrap());
        db.migrate(&[TOYS], MONDAY).await.unwrap();
        let columns = ["id", "box", "name", "weight", "picture"].map(str::to_owned);
        let row =
            |owner| vec![Value::Integer(1), Value::Integer(owner), Value::Null, Value::Null, Value::Null];
        let mut loader = db.load().await.unwrap();
        loader.insert("toy", &columns, vec![row(7)]).await.unwrap();
        assert!(loader.finish(&BTreeMap::new()).await.is_err(), "there is no box 7");
        let mut loader = db.load().await.unwrap();
        for (table, columns) in [("journal; DROP TABLE toy", &columns[..]), ("toy", &columns[1..])] {
            assert!(loader.insert(table, columns, vec![row(99)]).await.is_err(), "{table}");
        }
        drop(loader);
        let (boxes,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM box").fetch_one(db.read()).await.unwrap();
        assert_eq!(boxes, 1, "what the migration put there is still there");
        db.take_back_schema().await.unwrap();
        assert!(db.is_empty().await.unwrap());
        db.close().await;
    }
}
