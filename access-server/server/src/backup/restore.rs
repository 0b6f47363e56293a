//! Making a site out of a backup, where there is none.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use kit::db::content::{Loader, Value};
use kit::journal::{CheckpointLog, Report, verify};
use kit::{Clock, Db, Migration, passphrase};

use super::{CHECKPOINTS, CONFIGURATION, Manifest, SEALED_KEYS, archive, layout, part_of};
use crate::config::Config;
use crate::{private, slices};

/// What is to be restored, and where.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The backup.
    pub from: &'a Path,
    /// The site's directory: not there, or empty.
    pub directory: &'a Path,
    /// The database's address, of either engine: empty. Relative files are below the directory.
    pub database: &'a str,
    /// What the keys were sealed under; without it they are left out.
    pub passphrase: Option<&'a str>,
    /// Whether to go on without the keys that the backup holds.
    pub without_keys: bool,
}

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// When the backup was made: UTC, microseconds.
    pub made_at: i64,
    /// Rows of all tables.
    pub rows: u64,
    /// What walking the chain found.
    pub report: Report,
    /// Steps by which the schema was brought up to date.
    pub migrated: usize,
    /// Whether the keys are there; without them no server starts.
    pub keys: bool,
}

/// Restores a site, or leaves everything as it was found.
///
/// # Errors
/// When the backup is not whole, the target not empty, or something cannot be written.
pub async fn restore(wanted: &Wanted<'_>) -> anyhow::Result<Restored> {
    let Wanted { from, directory, .. } = wanted;
    let taken = fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some());
    ensure!(!taken, "{} is not empty: a backup is restored where there is no site", directory.display());
    let mut files = BTreeMap::new();
    let manifest = archive::check(from, |name, bytes| {
        let known = [CONFIGURATION, CHECKPOINTS, SEALED_KEYS].contains(&name) || layout::is_ours(name);
        ensure!(known, "{} holds {name:?}, which no backup holds", from.display());
        files.insert(name.to_owned(), bytes);
        Ok(())
    })?;
    let keys = keys(wanted, files.remove(SEALED_KEYS).as_deref())?;
    let steps = schema(&manifest)?;
    let address = resolved(wanted.database, directory);
    kit::db::engine_of(&address)?;

    let there = directory.exists();
    private::keep_from_others();
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .with_context(|| format!("{} cannot be made", directory.display()))?;
    let made = async {
        write_files(wanted, &files, keys.as_ref())?;
        fill(&address, &steps, &manifest, from, directory).await
    };
    let made = made.await;
    if made.is_err() {
        empty(directory, there);
    }
    let (migrated, report) = made?;
    let rows = manifest.tables.iter().map(|table| table.rows).sum();
    Ok(Restored { made_at: manifest.made_at, rows, report, migrated, keys: keys.is_some() })
}

/// The secret files, by name.
fn keys(wanted: &Wanted<'_>, sealed: Option<&[u8]>) -> anyhow::Result<Option<BTreeMap<String, Vec<u8>>>> {
    let (Some(sealed), false) = (sealed, wanted.without_keys) else { return Ok(None) };
    let Some(passphrase) = wanted.passphrase else {
        bail!(
            "this backup holds the site's keys: give their passphrase (--passphrase-file), or --without-keys"
        )
    };
    // Its digest was right: what does not open is the passphrase's fault.
    let plain = passphrase::open(passphrase, sealed).context("the keys in the backup")?;
    let files: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(&plain).context("the keys in the backup")?;
    let file = |(name, value): (String, serde_json::Value)| match Value::from_json(value) {
        Ok(Value::Blob(bytes)) if layout::is_ours(&name) => Ok((name, bytes)),
        Ok(_) | Err(_) => bail!("the keys in the backup: {name:?} is none"),
    };
    files.into_iter().map(file).collect::<Result<_, _>>().map(Some)
}

/// The steps that lead to the backup's schema.
fn schema(manifest: &Manifest) -> anyhow::Result<Vec<Migration>> {
    let all = slices::migrations();
    let is = |step: &Migration, applied: &kit::db::content::Applied| {
        step.slice == applied.slice && step.number == applied.number
    };
    if let Some(newer) = manifest.schema.iter().find(|applied| !all.iter().any(|step| is(step, applied))) {
        bail!(
            "the backup was made by a newer program ({}): its schema has {} {}, which this one does not know",
            manifest.program,
            newer.slice,
            newer.number
        );
    }
    Ok(all.into_iter().filter(|step| manifest.schema.iter().any(|applied| is(step, applied))).collect())
}

fn resolved(database: &str, directory: &Path) -> String {
    match database.strip_prefix("sqlite:") {
        Some(file) => format!("sqlite:{}", directory.join(file).display()),
        None => database.to_owned(),
    }
}

fn write_files(
    wanted: &Wanted<'_>,
    files: &BTreeMap<String, Vec<u8>>,
    keys: Option<&BTreeMap<String, Vec<u8>>>,
) -> anyhow::Result<()> {
    let directory = wanted.directory;
    fs::DirBuilder::new()
        .mode(0o700)
        .create(directory.join("keys"))
        .and_then(|()| fs::create_dir(directory.join("pki")))
        .with_context(|| format!("{} cannot be written", directory.display()))?;
    let text = files.get(CONFIGURATION).context("the backup holds no server.toml")?;
    let text = std::str::from_utf8(text).context("server.toml")?;
    let text = layout::with_database(text, wanted.database)?;
    let config: Config = toml::from_str(&text).context("server.toml")?;
    for (name, bytes) in
        files.iter().filter(|(name, _)| *name != CONFIGURATION).chain(keys.into_iter().flatten())
    {
        let public = name.ends_with(".pem");
        write(&directory.join(name), bytes, if public { 0o644 } else { 0o600 })?;
    }
    write(&directory.join(CONFIGURATION), text.as_bytes(), 0o600)?;
    let mqtt = &config.mqtt;
    crate::broker::write(directory, &format!("{}:{}", mqtt.host.get_ref(), mqtt.port.get_ref()))
}

fn write(path: &PathBuf, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .with_context(|| format!("{} cannot be written", path.display()))
}

/// Fills the database, brings it up to date, and walks the chain. A database that could not be filled is emptied.
async fn fill(
    address: &str,
    steps: &[Migration],
    manifest: &Manifest,
    from: &Path,
    directory: &Path,
) -> anyhow::Result<(usize, Report)> {
    let db = Db::open(address).await?;
    ensure!(db.is_empty().await?, "the database has tables already: a backup is restored into an empty one");
    let filled = async {
        let now = Clock::Real.now();
        db.migrate(steps, now).await?;
        load(&db, manifest, from).await?;
        let migrated = db.migrate(&slices::migrations(), now).await?;
        let public = kit::keys::journal_public(&directory.join("keys"))?;
        let log = CheckpointLog::read(&directory.join(CHECKPOINTS)).context("the checkpoint log")?;
        anyhow::Ok((migrated, verify(db.read(), &public, &log).await?))
    };
    let filled = filled.await;
    if filled.is_err()
        && let Err(error) = db.take_back_schema().await
    {
        tracing::warn!(error = %kit::problem::chain(&error), "the database could not be emptied again");
    }
    db.close().await;
    filled
}

async fn load(db: &Db, manifest: &Manifest, from: &Path) -> anyhow::Result<()> {
    let mut loader = db.load().await?;
    let mut rows: BTreeMap<&str, u64> = BTreeMap::new();
    // Reading is the file's pace and writing the database's: one part is in memory at a time.
    let (sender, mut waiting) = tokio::sync::mpsc::channel::<(String, Vec<u8>)>(1);
    let path = from.to_owned();
    let reading = tokio::task::spawn_blocking(move || {
        archive::entries(&path, |name, entry| {
            if let Some(table) = part_of(name) {
                let part = (table.to_owned(), archive::whole(&path, entry)?);
                sender.blocking_send(part).context("the database failed")?;
            }
            Ok(())
        })
    });
    while let Some((name, part)) = waiting.recv().await {
        let table = manifest.tables.iter().find(|table| table.name == name);
        let table = table.with_context(|| format!("the manifest does not name the table {name}"))?;
        *rows.entry(&table.name).or_default() += insert(&mut loader, table, &part).await?;
    }
    reading.await.context("the backup could not be read")??;
    for table in &manifest.tables {
        let found = rows.get(table.name.as_str()).copied().unwrap_or(0);
        ensure!(found == table.rows, "the table {} has {found} rows, not {}", table.name, table.rows);
    }
    loader.finish(&manifest.sequences).await?;
    Ok(())
}

/// Puts a part into its table; how many rows it has.
async fn insert(loader: &mut Loader, table: &super::Table, part: &[u8]) -> anyhow::Result<u64> {
    let text = std::str::from_utf8(part).with_context(|| format!("the table {}", table.name))?;
    let mut rows = Vec::new();
    for line in text.lines() {
        let values: Vec<serde_json::Value> =
            serde_json::from_str(line).with_context(|| format!("a row of {}", table.name))?;
        let row: Result<Vec<_>, _> = values.into_iter().map(Value::from_json).collect();
        rows.push(row.with_context(|| format!("a row of {}", table.name))?);
    }
    let count = rows.len() as u64;
    loader.insert(&table.name, &table.columns, rows).await?;
    Ok(count)
}

/// Takes away what was begun.
fn empty(directory: &Path, there: bool) {
    if !there {
        let _ = fs::remove_dir_all(directory);
        return;
    }
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    }
}
