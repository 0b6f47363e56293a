//! The list of revoked certificates as it comes from the server, in parts: kept on the disk, in force at once and after every
//! restart. One that the authority did not sign, or that is no newer than the one in force, changes nothing.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;
use uplink::sync::{Change, Chunk, Digest, Have, REVOKED, RevokedRow, Set};

use crate::files::write_over;
use crate::list::ListFault;
use crate::revocable::Trusted;

/// Parts of a list at most: some hundred thousand certificates.
const PARTS: u32 = 256;

/// The list, and where it rests.
#[derive(Debug)]
pub struct Revocations {
    trusted: Arc<Trusted>,
    file: PathBuf,
    gathering: Option<Gathering>,
}

#[derive(Debug)]
struct Gathering {
    to: u64,
    digest: Digest,
    count: u32,
    parts: BTreeMap<u32, Vec<Change>>,
}

/// Why a list was not taken. The one in force stays.
#[derive(Debug, Error)]
pub enum GatherFault {
    /// It has too many parts, or rows that are not understood.
    #[error("the list of revoked certificates is not understood")]
    Form,
    /// It is none, or somebody else's.
    #[error(transparent)]
    List(#[from] ListFault),
    /// It is in force, and will be forgotten at the next start.
    #[error("the list of revoked certificates cannot be kept")]
    Disk(#[from] io::Error),
}

impl Revocations {
    /// What was kept in `file` is in force again.
    pub fn open(trusted: Arc<Trusted>, file: PathBuf) -> Result<Self, GatherFault> {
        let opened = Self { trusted, file, gathering: None };
        match std::fs::read(&opened.file) {
            Ok(pem) => {
                opened.trusted.take(&pem)?;
                Ok(opened)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(opened),
            Err(error) => Err(error.into()),
        }
    }

    /// The same, with nothing kept: where what was kept cannot be used, the server is asked for it anew.
    pub fn anew(trusted: Arc<Trusted>, file: PathBuf) -> Self {
        Self { trusted, file, gathering: None }
    }

    /// What is held.
    pub fn have(&self) -> Have {
        // The signature says more than a digest would.
        Have { set: Set::Revoked, version: self.trusted.number(), digest: Digest::default() }
    }

    /// Takes a part; the number of the list that is in force with it, when it was the last one.
    ///
    /// # Errors
    /// Why it was not taken.
    pub fn take(&mut self, chunk: Chunk) -> Result<Option<u64>, GatherFault> {
        if chunk.set != Set::Revoked
            || chunk.from.is_some()
            || chunk.parts > PARTS
            || chunk.part >= chunk.parts
        {
            return Err(GatherFault::Form);
        }
        let same = |it: &Gathering| (it.to, it.digest, it.count) == (chunk.to, chunk.digest, chunk.parts);
        if !self.gathering.as_ref().is_some_and(same) {
            let (to, digest, count) = (chunk.to, chunk.digest, chunk.parts);
            self.gathering = Some(Gathering { to, digest, count, parts: BTreeMap::new() });
        }
        let Some(gathering) = &mut self.gathering else { return Ok(None) };
        gathering.parts.insert(chunk.part, chunk.changes);
        if u32::try_from(gathering.parts.len()).ok() != Some(gathering.count) {
            return Ok(None);
        }
        let Some(whole) = self.gathering.take() else { return Ok(None) };
        let pem = text(whole)?;
        if !self.trusted.take(pem.as_bytes())? {
            return Ok(None);
        }
        write_over(&self.file, pem.as_bytes(), 0o644)?;
        Ok(self.trusted.number())
    }
}

/// The list's text, out of the rows it came in.
fn text(whole: Gathering) -> Result<String, GatherFault> {
    let (mut digest, mut pieces) = (Digest::default(), BTreeMap::new());
    for change in whole.parts.into_values().flatten() {
        let Change::Put { table, id, row } = change else { return Err(GatherFault::Form) };
        if table != REVOKED {
            return Err(GatherFault::Form);
        }
        digest.toggle(&table, id, row.get());
        pieces.insert(id, row);
    }
    if digest != whole.digest {
        return Err(GatherFault::Form);
    }
    let pieces = pieces.into_values().map(|row| RevokedRow::read(row.get()));
    pieces.collect::<Option<Vec<_>>>().map(|it| it.concat()).ok_or(GatherFault::Form)
}
