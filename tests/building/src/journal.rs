//! The journal as the server prints it: one record a line.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::site::{Site, output, program};

/// Asked for new records so often.
const POLL: Duration = Duration::from_millis(150);

/// One record of the journal.
#[derive(Debug, Clone, Deserialize)]
pub struct Record {
    /// Its place.
    pub seq: u64,
    /// Whose it is: a certificate's common name, or `server`.
    pub source: String,
    /// What kind.
    pub kind: String,
    /// Its own fields.
    pub body: Value,
}

impl Record {
    /// Whether it is of this kind and has these fields.
    pub fn is(&self, kind: &str, fields: &Value) -> bool {
        let Some(fields) = fields.as_object() else { return false };
        self.kind == kind && fields.iter().all(|(name, value)| self.body.get(name) == Some(value))
    }

    /// Whether one of its reasons has this code.
    pub fn has_reason(&self, code: &str) -> bool {
        let reasons = self.body.get("reasons").and_then(Value::as_array);
        reasons.is_some_and(|reasons| reasons.iter().any(|reason| reason["code"] == code))
    }
}

/// Records after a place.
///
/// # Errors
/// When the server's program fails.
pub fn after(site: &Site, seq: u64) -> Result<Vec<Record>> {
    let mut command = Command::new(program("gatehouse-server")?);
    command.args(["journal", "--after", &seq.to_string(), "--config"]).arg(site.server_configuration());
    output(&mut command)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// The last record's place.
///
/// # Errors
/// As [`after`].
pub fn end(site: &Site) -> Result<u64> {
    Ok(after(site, 0)?.last().map_or(0, |record| record.seq))
}

/// Waits for a record after a place.
///
/// # Errors
/// When none comes within `limit`: with the kinds of those that did.
pub fn wait_for(
    site: &Site,
    from: u64,
    what: &str,
    limit: Duration,
    wanted: impl Fn(&Record) -> bool,
) -> Result<Record> {
    let end = Instant::now() + limit;
    loop {
        let records = after(site, from)?;
        if let Some(found) = records.iter().find(|record| wanted(record)) {
            return Ok(found.clone());
        }
        if Instant::now() > end {
            let came: Vec<_> =
                records.iter().map(|record| format!("{} {}", record.kind, record.body)).collect();
            bail!("no record of {what} within {limit:?}; these came: {}", came.join("; "));
        }
        std::thread::sleep(POLL);
    }
}

/// How many records of a source the journal holds.
///
/// # Errors
/// As [`after`].
pub fn count(site: &Site, source: &str) -> Result<u64> {
    Ok(u64::try_from(after(site, 0)?.iter().filter(|record| record.source == source).count())?)
}
