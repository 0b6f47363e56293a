//! Making a backup, of one moment, while the server runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use jiff::Timestamp;
use kit::db::content::{Snapshot, Value};
use kit::{Clock, Db, passphrase};

use super::archive::Writer;
use super::{CHECKPOINTS, CONFIGURATION, FORMAT, Manifest, SEALED_KEYS, Table, layout, part_name};
use crate::config::Config;

/// A part of a table ends after so many bytes.
const PART: usize = 4 << 20;

/// What was saved.
#[derive(Debug)]
pub struct Saved {
    /// The file.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// The journal's last record in it.
    pub record: u64,
    /// Rows of all tables.
    pub rows: u64,
}

/// Saves a site to a file, or to a folder under a name with the time. With a passphrase, the secret keys too.
///
/// # Errors
/// When something cannot be read or written; then nothing is left behind.
pub async fn save(config: &Path, to: &Path, passphrase: Option<&str>) -> anyhow::Result<Saved> {
    let text = std::fs::read_to_string(config).with_context(|| format!("{}", config.display()))?;
    let config = Config::read(config)?;
    let now = Clock::Real.now();
    let path = if to.is_dir() { to.join(name(now)) } else { to.to_owned() };
    let files = layout::gather(&config, passphrase.is_some())?;
    // Before anything long is begun: a passphrase that is too short is said at once.
    let sealed = match passphrase {
        Some(passphrase) => Some(passphrase::seal(passphrase, &as_json(&files.secret))?),
        None => None,
    };
    let db = Db::open(config.database.get_ref()).await?;
    ensure!(!db.is_empty().await?, "the database is empty: there is nothing to back up");
    let mut writer = Writer::create(&path, u64::try_from(now / 1_000_000).unwrap_or(0))?;
    let mut moment = db.snapshot().await?;
    let (record, checkpoint) = moment.end().await?;
    writer.add(CONFIGURATION, layout::settled(&config, &text).as_bytes())?;
    for (name, bytes) in &files.open {
        writer.add(name, bytes)?;
    }
    if let Some(sealed) = &sealed {
        writer.add(SEALED_KEYS, sealed)?;
    }
    let mut tables = Vec::new();
    for table in moment.tables().await? {
        let rows = write_table(&mut writer, &mut moment, &table).await?;
        let columns = table.columns.into_iter().map(|column| column.name).collect();
        tables.push(Table { name: table.name, columns, rows });
    }
    // After the tables: what was signed before that moment has its line by now.
    writer.add(CHECKPOINTS, &log_up_to(config.checkpoints.get_ref(), checkpoint)?)?;
    let manifest = Manifest {
        format: FORMAT,
        made_at: now,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        schema: moment.applied().await?,
        record,
        checkpoint,
        sequences: moment.sequences().await?,
        keys: sealed.is_some(),
        files: std::mem::take(&mut writer.files),
        tables,
    };
    drop(moment);
    db.close().await;
    let rows = manifest.tables.iter().map(|table| table.rows).sum();
    Ok(Saved { bytes: writer.finish(&manifest)?, path, record, rows })
}

fn name(now: i64) -> String {
    let at = Timestamp::from_microsecond(now).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("gatehouse-{}.backup", at.strftime("%Y%m%dT%H%M%SZ"))
}

/// Names and contents, the latter in hexadecimal.
fn as_json(files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let files: BTreeMap<_, _> =
        files.iter().map(|(name, bytes)| (name, Value::Blob(bytes.clone()).to_json())).collect();
    serde_json::to_vec(&files).expect("texts are JSON")
}

async fn write_table(
    writer: &mut Writer,
    moment: &mut Snapshot,
    table: &kit::db::content::Table,
) -> anyhow::Result<u64> {
    let (mut part, mut number, mut rows) = (Vec::new(), 1, 0);
    moment
        .rows(table, |row| {
            let row: Vec<_> = row.iter().map(Value::to_json).collect();
            serde_json::to_writer(&mut part, &row)?;
            part.push(b'\n');
            rows += 1;
            if part.len() >= PART {
                writer.add(&part_name(&table.name, number), &part)?;
                number += 1;
                part.clear();
            }
            anyhow::Ok(())
        })
        .await
        .with_context(|| format!("the table {}", table.name))?;
    if !part.is_empty() {
        writer.add(&part_name(&table.name, number), &part)?;
    }
    Ok(rows)
}

/// The log's lines up to this checkpoint: later ones are of records that the backup does not hold.
fn log_up_to(path: &Path, checkpoint: u64) -> anyhow::Result<Vec<u8>> {
    #[derive(serde::Deserialize)]
    struct Line {
        number: u64,
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("checkpoints: {}", path.display()))?;
    let mut kept = String::new();
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let Line { number } = serde_json::from_str(line)
            .with_context(|| format!("checkpoints: a line of {} is no checkpoint", path.display()))?;
        if number <= checkpoint {
            kept.push_str(line);
        }
    }
    Ok(kept.into_bytes())
}
