//! The gallery on disk: AES-256-GCM under a key that lies elsewhere.
//!
//! File: 8 bytes of magic with the version of the form, 12 bytes nonce, then the sealed content. The magic and the
//! process's name are authenticated with it, so a file moved between processes does not open. Content: version (one
//! byte whether there is one, 8 bytes), digest (32), then for each row id, person (8 bytes each), print (32) and 128
//! numbers; everything little-endian.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use gallery::{DIMENSIONS, Template};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use thiserror::Error;
use uplink::sync::{Digest, parse_hex};

use super::{Held, Row};

const MAGIC: &[u8; 8] = b"GHGALL\x00\x01";
const ROW: usize = 8 + 8 + 32 + DIMENSIONS * 4;
const HEAD: usize = 1 + 8 + 32;

/// The file and its key.
pub struct Vault {
    file: PathBuf,
    name: Vec<u8>,
    key: LessSafeKey,
    random: SystemRandom,
}

/// Why the gallery cannot rest, or wake.
#[derive(Debug, Error)]
pub enum RestError {
    /// A file cannot be read or written.
    #[error("{path} cannot be {verb}")]
    File {
        /// Which.
        path: PathBuf,
        /// Read or written.
        verb: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read the key.
    #[error("the key {path} may be read by others (mode {mode:03o}): it must be 0600")]
    Open {
        /// The key file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The key is no key.
    #[error("the key {path} is not 64 hexadecimal digits")]
    Key {
        /// The key file.
        path: PathBuf,
    },
    /// The file does not open with this key: damaged, altered, another process's, or another key's.
    #[error("the gallery {path} does not open with this key")]
    Sealed {
        /// The file.
        path: PathBuf,
    },
}

impl Vault {
    /// Reads the key, or makes one if the file is not there.
    ///
    /// # Errors
    /// [`RestError`], naming the file.
    pub fn open(file: &Path, key: &Path, name: &str) -> Result<Self, RestError> {
        let random = SystemRandom::new();
        let bytes = read_key(key, &random)?;
        let key = UnboundKey::new(&AES_256_GCM, &bytes).expect("32 bytes are a key");
        Ok(Self { file: file.to_owned(), name: name.as_bytes().to_vec(), key: LessSafeKey::new(key), random })
    }

    /// What was put to rest; nothing if there is no file yet.
    ///
    /// # Errors
    /// [`RestError`], naming the file.
    pub fn wake(&self) -> Result<Held, RestError> {
        let mut bytes = match fs::read(&self.file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Held::default()),
            Err(source) => return Err(failed(&self.file, "read")(source)),
        };
        let sealed = || RestError::Sealed { path: self.file.clone() };
        let (magic, rest) = bytes.split_first_chunk_mut::<{ MAGIC.len() }>().ok_or_else(sealed)?;
        let (nonce, content) = rest.split_first_chunk_mut::<NONCE_LEN>().ok_or_else(sealed)?;
        if magic != MAGIC {
            return Err(sealed());
        }
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let content = self.key.open_in_place(nonce, self.bound(), content).map_err(|_| sealed())?;
        parse(content).ok_or_else(sealed)
    }

    /// Puts the gallery to rest: a new file in place of the old one, or the old one stays.
    ///
    /// # Errors
    /// [`RestError`], naming the file.
    pub fn rest(&self, held: &Held) -> Result<(), RestError> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).expect("the system gives random numbers");
        let mut content = format(held);
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), self.bound(), &mut content)
            .expect("a gallery is far below the cipher's limit");
        let new = self.file.with_extension("new");
        let write = || -> io::Result<()> {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(MAGIC)?;
            file.write_all(&nonce)?;
            file.write_all(&content)?;
            file.sync_all()?;
            fs::rename(&new, &self.file)?;
            match self.file.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
                Some(_) | None => Ok(()),
            }
        };
        write().map_err(|fault| {
            // Half a file on a full disk only takes room; the next try makes it anew.
            fs::remove_file(&new).ok();
            failed(&self.file, "written")(fault)
        })
    }

    fn bound(&self) -> Aad<Vec<u8>> {
        Aad::from([MAGIC.as_slice(), &self.name].concat())
    }
}

fn read_key(path: &Path, random: &SystemRandom) -> Result<[u8; 32], RestError> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let mode = fs::metadata(path).map_err(failed(path, "read"))?.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(RestError::Open { path: path.to_owned(), mode });
            }
            parse_hex(text.trim()).ok_or_else(|| RestError::Key { path: path.to_owned() })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut bytes = [0; 32];
            random.fill(&mut bytes).expect("the system gives random numbers");
            let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
                .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
                .map_err(failed(path, "written"))?;
            Ok(bytes)
        }
        Err(source) => Err(failed(path, "read")(source)),
    }
}

fn failed(path: &Path, verb: &'static str) -> impl FnOnce(io::Error) -> RestError {
    let path = path.to_owned();
    move |source| RestError::File { path, verb, source }
}

fn format(held: &Held) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + held.rows.len() * ROW + AES_256_GCM.tag_len());
    bytes.push(u8::from(held.version.is_some()));
    bytes.extend_from_slice(&held.version.unwrap_or(0).to_le_bytes());
    bytes.extend_from_slice(held.digest.as_bytes());
    for (id, row) in &held.rows {
        bytes.extend_from_slice(&id.to_le_bytes());
        bytes.extend_from_slice(&row.person.to_le_bytes());
        bytes.extend_from_slice(&row.print);
        for number in row.template.numbers() {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
    }
    bytes
}

fn parse(content: &[u8]) -> Option<Held> {
    let (head, rest) = content.split_first_chunk::<HEAD>()?;
    let (has_version, head) = head.split_first()?;
    let (version, digest) = head.split_first_chunk::<8>()?;
    let version = (*has_version == 1).then(|| u64::from_le_bytes(*version));
    let digest = Digest::from_bytes(digest.try_into().ok()?);
    let (rows, left) = rest.as_chunks::<ROW>();
    if !left.is_empty() {
        return None;
    }
    let rows = rows
        .iter()
        .map(|row| {
            let (id, row) = row.split_first_chunk::<8>()?;
            let (person, row) = row.split_first_chunk::<8>()?;
            let (print, row) = row.split_first_chunk::<32>()?;
            let numbers: Vec<f32> =
                row.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
            let template = Template::new(&numbers).ok()?;
            Some((
                u64::from_le_bytes(*id),
                Row { person: u64::from_le_bytes(*person), template, print: *print },
            ))
        })
        .collect::<Option<_>>()?;
    Some(Held { version, digest, rows })
}
