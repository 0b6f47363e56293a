//! For tests of every slice: throw-away databases on both engines, and a [`Kit`] on each.
//!
//! ```ignore
//! #[tokio::test]
//! async fn a_person_is_found() {
//!     for site in kit::testing::sites(people::MIGRATIONS).await {
//!         let mut tx = site.kit.begin().await.unwrap();
//!         // …
//!     }
//! }
//! ```

mod cluster;
pub mod device;

use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::{AssertSqlSafe, Connection, Executor};
use tempfile::TempDir;

use crate::auth::{self, Operator, Role};
use crate::clock::Clock;
use crate::db::{Db, Engine, Migration};
use crate::journal::MIGRATIONS;
use crate::keys::Keys;
use crate::state::Kit;

/// 2026-03-02 08:00 UTC, a Monday: where a test's clock stands until it is moved.
pub const MONDAY: i64 = 1_772_438_400_000_000;

/// A database of one test's own. Gone when dropped.
#[derive(Debug)]
pub struct Database {
    /// The address that opens it.
    pub address: String,
    /// Its engine.
    pub engine: Engine,
    _directory: TempDir,
}

/// A kit on a database of its own, with the schema in place.
#[derive(Debug)]
pub struct Site {
    /// The kit.
    pub kit: Kit,
    /// Its clock, standing at [`MONDAY`].
    pub clock: Clock,
    /// Its database.
    pub database: Database,
}

/// An empty database on each engine.
///
/// # Panics
/// When PostgreSQL's programs are not installed.
pub async fn databases() -> [Database; 2] {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let directory = TempDir::new().expect("a temporary directory can be made");
    let sqlite = Database {
        address: format!("sqlite:{}", directory.path().join("site.db").display()),
        engine: Engine::Sqlite,
        _directory: directory,
    };
    let name = format!("t{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let cluster = cluster::address("postgres").await;
    sqlx::any::install_default_drivers();
    let mut admin = sqlx::AnyConnection::connect(&cluster).await.expect("the cluster answers");
    admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.expect("a fresh name");
    admin.close().await.expect("it answered before");
    let postgres = Database {
        address: cluster::address(&name).await,
        engine: Engine::Postgres,
        _directory: TempDir::new().expect("a temporary directory can be made"),
    };
    [sqlite, postgres]
}

/// A site on each engine, with the kit's schema and the slices' migrations, in that order.
///
/// # Panics
/// When a migration fails.
pub async fn sites(slices: &[Migration]) -> Vec<Site> {
    let mut sites = Vec::new();
    for database in databases().await {
        let db = Db::open(&database.address).await.expect("a fresh database opens");
        db.migrate(&[MIGRATIONS, slices].concat(), MONDAY).await.expect("the migrations apply");
        let clock = Clock::fixed(MONDAY);
        let kit =
            Kit::new(db, clock.clone(), Keys::ephemeral(), None).expect("no checkpoint log is asked for");
        sites.push(Site { kit, clock, database });
    }
    sites
}

/// Prepares every statement on a site's engine.
///
/// # Panics
/// Names the statement that cannot be prepared.
pub async fn prepare(site: &Site, statements: impl IntoIterator<Item = &(&'static str, &'static str)>) {
    let mut connection = site.kit.read().acquire().await.expect("the database answers");
    for (name, sql) in statements {
        if let Err(error) = connection.prepare(sqlx::SqlSafeStr::into_sql_str(*sql)).await {
            panic!("{name} cannot be prepared on {:?}: {error}", site.database.engine);
        }
    }
}

/// An operator of this role, signed in with a password of their own: what a handler is given.
///
/// # Panics
/// When there is one of this role already.
pub async fn operator(kit: &Kit, role: Role) -> Operator {
    let (first, own) = (auth::generate_password(), auth::generate_password());
    let id = auth::add(kit, None, role.as_str(), role, &first).await.expect("the first of this role");
    auth::change_password(kit, id, &first, &own).await.expect("another password");
    signed_in(kit, role.as_str(), &own).await
}

/// Somebody who manages one place of the site, signed in with a password of their own.
///
/// # Panics
/// When there is one already.
pub async fn keeper(kit: &Kit, place: u64) -> Operator {
    let (first, own) = (auth::generate_password(), auth::generate_password());
    let ranks = auth::Ranks::new(None, [(place, Role::Manager)]).expect("a rank in a place");
    let id = auth::add(kit, None, "keeper", ranks, &first).await.expect("the first keeper");
    auth::change_password(kit, id, &first, &own).await.expect("another password");
    signed_in(kit, "keeper", &own).await
}

/// An administrator who signed in for the first time and has not chosen a password yet.
///
/// # Panics
/// When there is one already.
pub async fn newcomer(kit: &Kit) -> Operator {
    let first = auth::generate_password();
    auth::add(kit, None, "newcomer", Role::Administrator, &first).await.expect("the first newcomer");
    signed_in(kit, "newcomer", &first).await
}

async fn signed_in(kit: &Kit, name: &str, password: &str) -> Operator {
    let session = auth::sign_in(kit, name, password, "test").await.expect("just added");
    let session = session.whole().expect("no second factor yet");
    let cookie = session.set_cookie.split(';').next().expect("split gives one part at least");
    let cookie = cookie.parse().expect("a cookie is a header");
    let headers = axum::http::HeaderMap::from_iter([(axum::http::header::COOKIE, cookie)]);
    auth::signed_in(kit, &headers).await.expect("just signed in")
}

/// Every statement of the kit itself.
pub fn kit_statements() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    crate::journal::statements().chain(crate::auth::statements()).chain(crate::routes::statements())
}
