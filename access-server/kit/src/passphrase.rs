//! Bytes sealed under a passphrase that a person keeps: argon2id makes the key, AES-256-GCM seals.
//!
//! The sealed form is one line of JSON with what the key is made with, then nonce, ciphertext and tag. The line is bound to
//! the rest: who alters it gets nothing opened.

use argon2::{Algorithm, Argon2, Params, Version};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::journal::{hex, unhex};

/// Characters at least: what is sealed may lie where anybody can try.
pub const SHORTEST: usize = 12;
/// 64 MiB and three passes: RFC 9106 4, the second recommended choice.
const MEMORY: u32 = 64 << 10;
const PASSES: u32 = 3;
/// A sealed form that asks for more is not ours: 1 GiB, sixteen passes.
const MOST_MEMORY: u32 = 1 << 20;
const MOST_PASSES: u32 = 16;

/// Why something was not sealed, or not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// Fewer than [`SHORTEST`] characters.
    #[error("a passphrase has at least {SHORTEST} characters")]
    Short,
    /// It is not the passphrase, or what was sealed is altered.
    #[error("it does not open under this passphrase")]
    Wrong,
    /// It was not sealed by this program.
    #[error("it is not sealed under a passphrase, or damaged")]
    Form,
}

/// What the key is made with.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    /// `argon2id`, version 19, one lane.
    kdf: String,
    /// KiB.
    memory: u32,
    passes: u32,
    /// 16 bytes, hexadecimal.
    salt: String,
}

/// Seals bytes. Takes a fifth of a second and 64 MiB.
///
/// # Errors
/// When the passphrase is too short.
pub fn seal(passphrase: &str, plain: &[u8]) -> Result<Vec<u8>, PassphraseError> {
    if passphrase.chars().count() < SHORTEST {
        return Err(PassphraseError::Short);
    }
    let random = SystemRandom::new();
    let (mut salt, mut nonce) = ([0; 16], [0; NONCE_LEN]);
    random.fill(&mut salt).expect("the system's random source works");
    random.fill(&mut nonce).expect("the system's random source works");
    let head = Head { kdf: "argon2id".to_owned(), memory: MEMORY, passes: PASSES, salt: hex(&salt) };
    let mut line = serde_json::to_string(&head).expect("numbers and hex are JSON");
    line.push('\n');
    let key = key(passphrase, &head)?;
    let mut sealed = plain.to_vec();
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(line.as_bytes()),
        &mut sealed,
    )
    .expect("shorter than 64 GiB");
    Ok([line.as_bytes(), &nonce, &sealed].concat())
}

/// Opens what [`seal`] made.
///
/// # Errors
/// When it is not of that form, or does not open under this passphrase.
pub fn open(passphrase: &str, sealed: &[u8]) -> Result<Vec<u8>, PassphraseError> {
    let end = sealed.iter().position(|byte| *byte == b'\n').ok_or(PassphraseError::Form)?;
    let (line, rest) = sealed.split_at(end + 1);
    let head: Head = serde_json::from_slice(line).map_err(|_| PassphraseError::Form)?;
    let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>().ok_or(PassphraseError::Form)?;
    let key = key(passphrase, &head)?;
    let mut bytes = rest.to_vec();
    let plain = key
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(line), &mut bytes)
        .map_err(|_| PassphraseError::Wrong)?
        .len();
    bytes.truncate(plain);
    Ok(bytes)
}

fn key(passphrase: &str, head: &Head) -> Result<LessSafeKey, PassphraseError> {
    let salt = unhex(&head.salt).filter(|salt| salt.len() == 16).ok_or(PassphraseError::Form)?;
    if head.kdf != "argon2id" || head.memory > MOST_MEMORY || head.passes > MOST_PASSES {
        return Err(PassphraseError::Form);
    }
    let params = Params::new(head.memory, head.passes, 1, Some(32)).map_err(|_| PassphraseError::Form)?;
    let mut bytes = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), &salt, &mut bytes)
        .map_err(|_| PassphraseError::Form)?;
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes).expect("32 bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "correct horse battery";

    #[test]
    fn what_was_sealed_opens_under_its_passphrase_alone() {
        let sealed = seal(GOOD, b"keys").unwrap();
        assert_eq!(open(GOOD, &sealed).unwrap(), b"keys");
        assert_eq!(open("correct horse batterz", &sealed), Err(PassphraseError::Wrong));
        assert_ne!(seal(GOOD, b"keys").unwrap(), sealed, "another salt and nonce");
        assert_eq!(seal("too short", b"keys"), Err(PassphraseError::Short));
    }

    #[test]
    fn no_altered_byte_is_opened() {
        let sealed = seal(GOOD, b"k").unwrap();
        for at in [5, sealed.iter().position(|byte| *byte == b'\n').unwrap() + 1, sealed.len() - 1] {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(open(GOOD, &altered).is_err(), "byte {at}");
        }
        for short in 0..sealed.len() {
            if short % 37 == 0 {
                assert!(open(GOOD, &sealed[..short]).is_err(), "{short} bytes");
            }
        }
    }

    #[test]
    fn a_form_that_asks_for_too_much_memory_is_refused() {
        let sealed = seal(GOOD, b"k").unwrap();
        let text = String::from_utf8_lossy(&sealed).into_owned();
        let greedy = text.replace("\"memory\":65536", "\"memory\":4000000000");
        assert_ne!(text, greedy);
        assert_eq!(open(GOOD, greedy.as_bytes()), Err(PassphraseError::Form));
    }
}
