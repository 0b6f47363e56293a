//! The gzipped tar: written whole or not at all, read with bounds.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail, ensure};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use ring::digest::{SHA256, digest};

use super::{MANIFEST, Manifest, SEAL};

/// Bytes in one entry at most: a part of a table has 4 MiB and one more row.
const LARGEST: u64 = 64 << 20;

/// An archive that is being written, beside where it will be. Dropped before [`Self::finish`] nothing is left.
pub(super) struct Writer {
    tar: Option<tar::Builder<GzEncoder<BufWriter<File>>>>,
    part: PathBuf,
    path: PathBuf,
    time: u64,
    pub(super) files: Vec<super::File>,
}

impl Writer {
    /// Begins; entries are marked with this time (seconds since 1970).
    pub(super) fn create(path: &Path, time: u64) -> anyhow::Result<Self> {
        ensure!(!path.exists(), "{} exists already", path.display());
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&part)
            .with_context(|| format!("{} cannot be made", part.display()))?;
        let tar = tar::Builder::new(GzEncoder::new(BufWriter::new(file), Compression::new(3)));
        Ok(Self { tar: Some(tar), part, path: path.to_owned(), time, files: Vec::new() })
    }

    pub(super) fn add(&mut self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        self.write(name, bytes)?;
        let file = super::File { name: name.to_owned(), bytes: bytes.len() as u64, sha256: sha256(bytes) };
        self.files.push(file);
        Ok(())
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(self.time);
        let tar = self.tar.as_mut().expect("there until it is finished");
        tar.append_data(&mut header, name, bytes)
            .with_context(|| format!("{} cannot be written", self.part.display()))
    }

    /// Adds the manifest, and gives the file its name once all of it is on the disk.
    pub(super) fn finish(mut self, manifest: &Manifest) -> anyhow::Result<u64> {
        let text = serde_json::to_vec_pretty(manifest).context("the manifest")?;
        self.write(MANIFEST, &text)?;
        self.write(SEAL, sha256(&text).as_bytes())?;
        let failed = || format!("{} cannot be written", self.part.display());
        let tar = self.tar.take().expect("there until now");
        let kept = tar
            .into_inner()
            .and_then(GzEncoder::finish)
            .and_then(|buffer| buffer.into_inner().map_err(io::IntoInnerError::into_error))
            .and_then(|file| file.sync_all().and_then(|()| file.metadata()))
            .map(|found| found.len());
        let kept = match kept {
            Ok(bytes) => bytes,
            Err(error) => {
                let _ = fs::remove_file(&self.part);
                return Err(error).with_context(failed);
            }
        };
        fs::rename(&self.part, &self.path)
            .with_context(|| format!("{} cannot be made", self.path.display()))?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))
            .and_then(|folder| folder.sync_all())
            .with_context(failed)?;
        Ok(kept)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(tar) = self.tar.take() {
            drop(tar);
            let _ = fs::remove_file(&self.part);
        }
    }
}

/// Gives every entry to `each`, in order, with its name.
pub(super) fn entries(
    path: &Path,
    mut each: impl FnMut(&str, &mut dyn Read) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let damaged = |error: io::Error| {
        let said = anyhow!("{} is no backup, is cut short or is damaged", path.display());
        // What else there is to say would be said in the words of the damage.
        if error.raw_os_error().is_some() { anyhow::Error::from(error).context(said) } else { said }
    };
    let mut tar = tar::Archive::new(GzDecoder::new(BufReader::new(file)));
    for entry in tar.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        ensure!(entry.header().entry_type().is_file(), "{}: an entry is not a file", path.display());
        let name = entry.path().map_err(damaged)?;
        let name =
            name.to_str().with_context(|| format!("{}: a name is not UTF-8", path.display()))?.to_owned();
        ensure!(entry.size() <= LARGEST, "{}: {name:?} is too large to be ours", path.display());
        each(&name, &mut entry)?;
    }
    // What follows the last entry belongs to it too: its end is where gzip's own sum is compared.
    io::copy(&mut tar.into_inner(), &mut io::sink()).map_err(damaged).map(drop)
}

/// Reads one entry whole.
pub(super) fn whole(path: &Path, entry: &mut dyn Read) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    entry
        .take(LARGEST)
        .read_to_end(&mut bytes)
        .with_context(|| format!("{} is cut short or damaged", path.display()))?;
    Ok(bytes)
}

/// Goes through all of it once: the manifest, once every file is found to be what it says. Files that are small are given
/// to `keep`.
pub(super) fn check(
    path: &Path,
    mut keep: impl FnMut(&str, Vec<u8>) -> anyhow::Result<()>,
) -> anyhow::Result<Manifest> {
    let mut found = Vec::new();
    let (mut manifest, mut seal) = (None, None);
    entries(path, |name, entry| {
        ensure!(seal.is_none(), "{}: something follows the manifest", path.display());
        let bytes = whole(path, entry)?;
        match name {
            MANIFEST => manifest = Some(bytes),
            SEAL => seal = Some(bytes),
            _ => {
                let (length, sha256) = (bytes.len() as u64, sha256(&bytes));
                found.push(super::File { name: name.to_owned(), bytes: length, sha256 });
                if super::part_of(name).is_none() {
                    keep(name, bytes)?;
                }
            }
        }
        Ok(())
    })?;
    let (Some(text), Some(seal)) = (manifest, seal) else {
        bail!("{} is no backup, or is cut short: it has no manifest", path.display())
    };
    ensure!(sha256(&text).as_bytes() == seal, "{}: the manifest is altered", path.display());
    let manifest: Manifest =
        serde_json::from_slice(&text).with_context(|| format!("{}: the manifest", path.display()))?;
    ensure!(
        manifest.format == super::FORMAT,
        "{}: its form is {}, and this program knows form {}",
        path.display(),
        manifest.format,
        super::FORMAT
    );
    for (says, is) in manifest.files.iter().zip(&found) {
        ensure!(says == is, "{}: {:?} is not what was backed up", path.display(), is.name);
    }
    ensure!(manifest.files.len() == found.len(), "{}: files are missing, or too many", path.display());
    Ok(manifest)
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_is_not_finished_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("x.backup");
        let mut writer = Writer::create(&path, 0).expect("the folder can be written");
        writer.add("a", b"b").expect("there is room");
        drop(writer);
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0);
    }

    #[test]
    fn what_is_no_archive_is_said_to_be_none() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("x.backup");
        let mut out = File::create(&path).expect("the folder can be written");
        out.write_all(b"something else altogether").expect("there is room");
        let error = check(&path, |_, _| Ok(())).expect_err("it is no archive");
        assert!(error.to_string().contains("is no backup"), "{error:#}");
    }
}
