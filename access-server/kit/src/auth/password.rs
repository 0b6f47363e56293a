//! Passwords: argon2id, away from the threads that serve.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::Semaphore;

/// Characters at least.
const SHORTEST: usize = 10;
/// Different characters at least, the operator's name left out.
const DIFFERENT: usize = 5;
/// Bytes at most: hashing is not to be made expensive from outside.
const LONGEST: usize = 256;
/// Hashes computed at once: each takes 19 MiB and a core. How many wait for their turn is bounded by the back-off.
static HASHERS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(2)));
/// Compared with when the account does not exist, so that the answer takes as long.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now(&generate()));

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Fewer than 10 characters.
    #[error("a password has at least {SHORTEST} characters")]
    Short,
    /// Fewer than 5 different characters besides the operator's own name.
    #[error("a password has at least {DIFFERENT} different characters besides the operator's name")]
    Plain,
    /// More than 256 bytes.
    #[error("a password has at most {LONGEST} bytes")]
    Long,
}

/// A password for a first sign-in: 20 characters without look-alikes, about 100 bits.
#[must_use]
pub fn generate() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 20];
    SystemRandom::new().fill(&mut bytes).expect("the system's random source works");
    let letters: Vec<char> = bytes.iter().map(|byte| LETTERS[usize::from(byte % 32)].into()).collect();
    letters.chunks(5).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

/// Whether an operator of this name, folded, may have this password.
fn check(name: &str, password: &str) -> Result<(), PasswordError> {
    if password.chars().count() < SHORTEST {
        return Err(PasswordError::Short);
    }
    if password.len() > LONGEST {
        return Err(PasswordError::Long);
    }
    let different: HashSet<char> = password.to_lowercase().replace(name, "").chars().collect();
    if different.len() < DIFFERENT {
        return Err(PasswordError::Plain);
    }
    Ok(())
}

/// The PHC string of a new password of the operator of this name.
pub(super) async fn hash(name: &str, password: &str) -> Result<String, PasswordError> {
    check(name, password)?;
    let password = password.to_owned();
    Ok(away(move || hash_now(&password)).await)
}

/// Whether the password is the account's; `None` for an account that does not exist takes as long.
pub(super) async fn matches(password: &str, stored: Option<String>) -> bool {
    if password.len() > LONGEST {
        return false;
    }
    let password = password.to_owned();
    away(move || {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| NOBODY.clone());
        let matches = PasswordHash::new(&stored)
            .is_ok_and(|stored| Argon2::default().verify_password(password.as_bytes(), &stored).is_ok());
        known && matches
    })
    .await
}

fn hash_now(password: &str) -> String {
    let mut salt = [0; 16];
    SystemRandom::new().fill(&mut salt).expect("the system's random source works");
    Argon2::default()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .expect("the default cost and a salt of 16 bytes are within bounds")
        .to_string()
}

/// The turn goes with the work: it ends with the hash, not with the request, which may be gone sooner.
async fn away<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let turn = Arc::clone(&HASHERS).acquire_owned().await.expect("never closed");
    let work = move || {
        let _turn = turn;
        work()
    };
    tokio::task::spawn_blocking(work).await.expect("hashing does not panic")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn one_key_held_down_and_ones_own_name_are_no_passwords() {
        for plain in [
            "aaaaaaaaaa",
            "abcdabcdabcd",
            "AbCdaBcDAbcd",
            "ada.lovelace",
            "ADA.lovelaceADA.lovelace",
            "ada.lovelace1234",
        ] {
            assert_eq!(check("ada.lovelace", plain), Err(PasswordError::Plain), "{plain}");
        }
        assert_eq!(check("ada.lovelace", "aaaaaaaa"), Err(PasswordError::Short));
        for good in
            ["abcdeabcde", "ada.lovelace12345", "correct horse battery", "天地玄黄宇宙洪荒日月", &generate()]
        {
            assert_eq!(check("ada.lovelace", good), Ok(()), "{good}");
        }
    }

    #[tokio::test]
    async fn a_request_that_is_gone_keeps_its_turn_until_its_hash_is_made() {
        let (began, begun) = mpsc::channel();
        let mut finish = Vec::new();
        for _ in 0..2 {
            let began = began.clone();
            let (finish_one, finished) = mpsc::channel::<()>();
            finish.push(finish_one);
            let request = tokio::spawn(away(move || {
                began.send(()).expect("the test waits for it");
                // Ends when the sender is dropped.
                let _ = finished.recv();
            }));
            while begun.try_recv().is_err() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            request.abort();
            assert!(request.await.is_err_and(|error| error.is_cancelled()));
        }
        assert_eq!(HASHERS.available_permits(), 0, "two are being made");
        drop(finish);
        tokio::time::timeout(Duration::from_secs(20), away(|| ())).await.expect("a turn comes free");
    }
}
