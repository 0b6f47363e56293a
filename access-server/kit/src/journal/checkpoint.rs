//! Signed checkpoints: proof, with a key the database never sees, of how far the chain had come.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::record::Hash;
use crate::clock::Micros;

/// A signed statement that the journal had come to record `seq` with this hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// 1, 2, 3 … without gaps.
    pub number: u64,
    /// The last record covered.
    pub seq: u64,
    /// That record's hash.
    pub hash: [u8; 32],
    /// When it was signed.
    pub at: Micros,
    /// Ed25519, 64 bytes.
    pub signature: Vec<u8>,
}

impl Checkpoint {
    /// Whether the signature is that of this public key.
    #[must_use]
    pub fn is_signed_by(&self, public_key: &[u8]) -> bool {
        let message = message(self.number, self.seq, &self.hash, self.at);
        UnparsedPublicKey::new(&ED25519, public_key).verify(&message, &self.signature).is_ok()
    }
}

/// The key that signs checkpoints.
#[derive(Debug)]
pub(crate) struct Signer(Ed25519KeyPair);

impl Signer {
    pub(crate) fn new(key: Ed25519KeyPair) -> Self {
        Self(key)
    }

    pub(crate) fn sign(&self, number: u64, seq: u64, hash: Hash, at: Micros) -> Checkpoint {
        let signature = self.0.sign(&message(number, seq, &hash, at)).as_ref().to_vec();
        Checkpoint { number, seq, hash, at, signature }
    }

    pub(crate) fn public_key(&self) -> &[u8] {
        use ring::signature::KeyPair;
        self.0.public_key().as_ref()
    }
}

fn message(number: u64, seq: u64, hash: &Hash, at: Micros) -> Vec<u8> {
    let mut bytes = b"gatehouse/checkpoint/1\0".to_vec();
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(&seq.to_be_bytes());
    bytes.extend_from_slice(hash);
    bytes.extend_from_slice(&at.to_be_bytes());
    bytes
}

/// A file beside the database that every checkpoint is appended to: who cuts the journal's end and the checkpoints
/// with it has still to answer for the ones in here.
#[derive(Debug)]
pub struct CheckpointLog {
    path: PathBuf,
    file: File,
}

/// One line of the log.
#[derive(Serialize, Deserialize)]
struct Line {
    number: u64,
    seq: u64,
    hash: String,
    at: Micros,
    signature: String,
}

impl CheckpointLog {
    /// Opens the file for appending, made with mode 0600 where absent.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Blocks until it is on the disk.
    pub(crate) fn append(&self, checkpoint: &Checkpoint) {
        let line = Line {
            number: checkpoint.number,
            seq: checkpoint.seq,
            hash: hex(&checkpoint.hash),
            at: checkpoint.at,
            signature: hex(&checkpoint.signature),
        };
        let mut line = serde_json::to_string(&line).expect("numbers and hex are JSON");
        line.push('\n');
        // The database holds the checkpoint too: the log's loss weakens a proof, it does not stop the journal.
        if let Err(error) = self.write(&line) {
            tracing::warn!(path = %self.path.display(), %error, "the checkpoint log could not be written");
        }
    }

    /// One program at a time: the command line appends beside a running server.
    fn write(&self, line: &str) -> std::io::Result<()> {
        self.file.lock()?;
        let written = self.cut().and_then(|()| (&self.file).write_all(line.as_bytes()));
        let kept = written.and_then(|()| self.file.sync_data());
        self.file.unlock()?;
        kept
    }

    /// Takes away the beginning of a line that a crash or a full disk left: the next one is not to stand behind it.
    fn cut(&self) -> std::io::Result<()> {
        let length = self.file.metadata()?.len();
        let mut whole = length;
        let mut last = [0];
        while whole > 0 {
            self.file.read_exact_at(&mut last, whole - 1)?;
            if last == *b"\n" {
                break;
            }
            whole -= 1;
        }
        if whole < length { self.file.set_len(whole) } else { Ok(()) }
    }

    /// Reads a log. A last line without an end was cut by a crash and is left out.
    ///
    /// # Errors
    /// When the file cannot be read, or a line is not a checkpoint.
    pub fn read(path: &Path) -> std::io::Result<Vec<Checkpoint>> {
        let text = std::fs::read_to_string(path)?;
        let bad = |number: usize| {
            std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                format!("line {} is not a checkpoint", number + 1),
            )
        };
        text.split_inclusive('\n')
            .enumerate()
            .filter(|(_, line)| line.ends_with('\n'))
            .map(|(number, line)| {
                let line: Line = serde_json::from_str(line).map_err(|_| bad(number))?;
                let hash =
                    unhex(&line.hash).and_then(|hash| hash.try_into().ok()).ok_or_else(|| bad(number))?;
                let signature = unhex(&line.signature).ok_or_else(|| bad(number))?;
                Ok(Checkpoint { number: line.number, seq: line.seq, hash, at: line.at, signature })
            })
            .collect()
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;

    #[test]
    fn a_cut_line_costs_the_log_nothing_but_itself() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let path = directory.path().join("checkpoints");
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("the random source works");
        let signer = Signer::new(Ed25519KeyPair::from_pkcs8(key.as_ref()).expect("made a line above"));
        let log = CheckpointLog::open(&path).expect("the directory is writable");
        let mut expected = Vec::new();
        for number in 1..=3 {
            let checkpoint = signer.sign(number, 10 * number, [7; 32], 5);
            // As a write that found the disk full leaves it: before the first line, and after one.
            (&log.file).write_all(b"{\"number\":1,\"seq").expect("there is room");
            log.append(&checkpoint);
            expected.push(checkpoint);
            assert_eq!(CheckpointLog::read(&path).expect("every line is whole"), expected);
        }
    }
}
