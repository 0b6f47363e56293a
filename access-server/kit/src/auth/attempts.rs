//! Wrong passwords cost time: by account and address, and by account alone against many addresses.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{Micros, micros};

/// Wrong tries before anybody waits (GB 50396 5.1.5: an alarm after at most 5).
const FREE: u32 = 5;
/// Wrong tries for one account from anywhere before everybody waits.
const FREE_ANYWHERE: u32 = 50;
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Without a wrong try for so long, all is forgotten.
const FORGET: Duration = Duration::from_secs(3600);
/// Accounts and addresses remembered; the stalest goes first.
const REMEMBERED: usize = 10_000;

/// What is remembered of wrong tries.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<HashMap<(String, String), Tries>>);

#[derive(Clone, Copy, Debug)]
struct Tries {
    wrong: u32,
    last: Micros,
}

/// Stands for every address.
const ANYWHERE: &str = "";

impl Attempts {
    /// Whole seconds to wait before another try; 0 when one may be made now.
    pub(crate) fn wait(&self, account: &str, address: &str, now: Micros) -> u64 {
        let tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = |address: &str, free| {
            let key = (account.to_owned(), address.to_owned());
            let tries = tries.get(&key).copied().unwrap_or(Tries { wrong: 0, last: now });
            let until = tries.last.saturating_add(micros(penalty(tries.wrong, free)));
            u64::try_from(until - now).unwrap_or(0).div_ceil(1_000_000)
        };
        left(address, FREE).max(left(ANYWHERE, FREE_ANYWHERE))
    }

    /// Notes a wrong try; true when this is the one that an alarm is raised for.
    pub(crate) fn wrong(&self, account: &str, address: &str, now: Micros) -> bool {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tries.retain(|_, tries| now - tries.last < micros(FORGET));
        let mut note = |address: &str| {
            if tries.len() >= REMEMBERED
                && let Some(stalest) =
                    tries.iter().min_by_key(|(_, tries)| tries.last).map(|(key, _)| key.clone())
            {
                tries.remove(&stalest);
            }
            let tries = tries
                .entry((account.to_owned(), address.to_owned()))
                .or_insert(Tries { wrong: 0, last: now });
            *tries = Tries { wrong: tries.wrong.saturating_add(1), last: now };
            tries.wrong
        };
        let anywhere = note(ANYWHERE);
        let here = note(address);
        here == FREE || anywhere == FREE_ANYWHERE
    }

    /// A right password from this address clears what was held against it there.
    pub(crate) fn right(&self, account: &str, address: &str) {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tries.remove(&(account.to_owned(), address.to_owned()));
    }
}

/// Doubles from one second with every wrong try past the free ones.
fn penalty(wrong: u32, free: u32) -> Duration {
    match wrong.checked_sub(free) {
        None => Duration::ZERO,
        Some(over) => Duration::from_secs(1 << over.min(16)).min(LONGEST_WAIT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_and_another_address_is_not_punished() {
        let attempts = Attempts::default();
        for wrong in 1..=5 {
            assert_eq!(attempts.wait("ada", "10.0.0.1", 0), 0);
            assert_eq!(attempts.wrong("ada", "10.0.0.1", 0), wrong == 5, "the fifth raises the alarm");
        }
        assert_eq!(attempts.wait("ada", "10.0.0.1", 0), 1);
        attempts.wrong("ada", "10.0.0.1", 0);
        assert_eq!(attempts.wait("ada", "10.0.0.1", 0), 2);
        assert_eq!(attempts.wait("ada", "10.0.0.2", 0), 0);
        assert_eq!(attempts.wait("bob", "10.0.0.1", 0), 0);
        assert_eq!(attempts.wait("ada", "10.0.0.1", 2_000_000), 0);
        attempts.right("ada", "10.0.0.1");
        assert_eq!(attempts.wait("ada", "10.0.0.1", 0), 0);
    }

    #[test]
    fn many_addresses_do_not_help() {
        let attempts = Attempts::default();
        for address in 0..50 {
            attempts.wrong("ada", &address.to_string(), 0);
        }
        assert!(attempts.wait("ada", "a new one", 0) > 0);
    }
}
