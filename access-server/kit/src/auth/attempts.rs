//! Wrong passwords cost time: by account and address, by address alone against many names, and by account alone
//! against many addresses.
//!
//! A try counts as a wrong one before its password is looked at and is taken back when it was right: a thousand at
//! once are no more than one after the other. Nobody can keep an operator out for long: where the account has signed in
//! from, the tries on it from there alone make it wait, and no longer than [`LONGEST_HERE`].
//!
//! From outside nothing tells such an account from an invented one: every name is counted the same way, and where
//! strangers have to wait the answer to a wrong password is their wait, whether it was looked at or not.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{Micros, micros};

/// Wrong tries before anybody waits (GB 50396 5.1.5: an alarm after at most 5).
const FREE: u32 = 5;
/// Wrong tries from one address, whatever the names, before it waits: a control room may share one.
const FREE_ADDRESS: u32 = 20;
/// Wrong tries for one account from anywhere before everybody waits.
const FREE_ANYWHERE: u32 = 50;
/// Wrong tokens from one address before its programs are told to wait.
const FREE_TOKENS: u32 = 20;
/// Wrong one-time codes from one address before its devices are told to wait.
const FREE_CODES: u32 = 5;
/// The longest wait of an account at one address: who shares it with a guesser is not kept out for a shift.
const LONGEST_HERE: Duration = Duration::from_secs(30);
/// The longest wait of an address, and of an account where it is not known.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Without a wrong try for so long, all is forgotten.
const FORGET: Duration = Duration::from_secs(3600);
/// Entries of each kind that are remembered; the stalest goes first.
const REMEMBERED: usize = 10_000;
/// Stands for the address of somebody who is signed in already. No peer has it.
const SIGNED_IN: &str = "";

/// Who tries a password.
#[derive(Clone, Copy, Debug)]
pub(super) struct Try<'a> {
    /// The account's name.
    pub(super) account: &'a str,
    /// Whether there is such an account.
    pub(super) exists: bool,
    /// The peer, as [`place`] has it.
    pub(super) address: &'a str,
    /// Whether the account has signed in from there before.
    pub(super) known_here: bool,
}

/// A try that was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// Whether the password is looked at; where not, the answer is that it was not right.
    pub(super) looked_at: bool,
    /// Whole seconds that strangers wait there: what a wrong one is answered with. 0 when nobody waits.
    pub(super) wait: u64,
    /// Whether this is the try that an alarm is raised for, if it is wrong.
    pub(super) alarm: bool,
}

impl<'a> Try<'a> {
    /// Somebody signed in, asked for the present password once more.
    pub(super) fn once_more(account: &'a str) -> Self {
        Self { account, exists: true, address: SIGNED_IN, known_here: true }
    }

    fn is_signed_in(self) -> bool {
        self.address == SIGNED_IN
    }
}

/// What is remembered of wrong tries.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    accounts: Names,
    /// Apart, so that inventing names makes nobody forget what was tried on an account.
    invented: Names,
    addresses: Tally<String>,
    /// Where wrong tokens came from. Apart: a program that was not told of a revocation keeps nobody from signing in.
    tokens: Tally<String>,
    /// Where wrong one-time codes of devices came from.
    codes: Tally<String>,
}

#[derive(Debug, Default)]
struct Names {
    here: Tally<(String, String)>,
    anywhere: Tally<String>,
}

#[derive(Debug)]
struct Tally<K>(HashMap<K, Tries>);

#[derive(Clone, Copy, Debug)]
struct Tries {
    wrong: u32,
    last: Micros,
}

impl Attempts {
    /// Counts a try as a wrong one.
    ///
    /// # Errors
    /// Whole seconds to wait before another; then nothing was counted.
    pub(super) fn take(&self, who: Try<'_>, now: Micros) -> Result<Taken, u64> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { accounts, invented, addresses, .. } = &mut *kept;
        let names = if who.exists { accounts } else { invented };
        let pair = (who.account.to_owned(), who.address.to_owned());
        let (account, address) = (who.account.to_owned(), who.address.to_owned());
        let shared = match who.is_signed_in() {
            true => 0,
            false => {
                let anywhere = names.anywhere.wait(&account, FREE_ANYWHERE, LONGEST_WAIT, now);
                anywhere.max(addresses.wait(&address, FREE_ADDRESS, LONGEST_WAIT, now))
            }
        };
        let here = names.here.wait(&pair, FREE, LONGEST_HERE, now);
        if here > 0 {
            return Err(here.max(shared));
        }
        let mut alarm = names.here.count(pair, now) == FREE;
        if shared == 0 && !who.is_signed_in() {
            addresses.count(address, now);
            alarm |= names.anywhere.count(account, now) == FREE_ANYWHERE;
        }
        Ok(Taken { looked_at: shared == 0 || who.known_here, wait: shared, alarm })
    }

    /// Counts a token that is none; whole seconds to wait before another wrong one, if that is to be said. A right one
    /// never waits: nobody guesses 256 bits, and who does not notice is told to slow down.
    pub(super) fn wrong_token(&self, address: &str, now: Micros) -> Option<u64> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let address = place(address);
        let wait = kept.tokens.wait(&address, FREE_TOKENS, LONGEST_WAIT, now);
        if wait == 0 {
            kept.tokens.count(address, now);
        }
        Some(wait).filter(|wait| *wait > 0)
    }

    /// Counts a device's one-time code as a wrong one before it is looked at: how many there were.
    ///
    /// # Errors
    /// Whole seconds to wait before another; then nothing was counted.
    pub(super) fn take_code(&self, address: &str, now: Micros) -> Result<u32, u64> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let address = place(address);
        match kept.codes.wait(&address, FREE_CODES, LONGEST_WAIT, now) {
            0 => Ok(kept.codes.count(address, now)),
            wait => Err(wait),
        }
    }

    /// It was right.
    pub(super) fn right_code(&self, address: &str) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.codes.take_back(&place(address));
    }

    /// The password was right and the second factor is still to be shown: takes back this one try, whose wait was over,
    /// and clears nothing, so that whoever knows the password cannot try codes without end by typing it again.
    pub(super) fn halfway(&self, who: Try<'_>, taken: Taken, now: Micros) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pair = (who.account.to_owned(), who.address.to_owned());
        kept.accounts.here.take_back(&pair);
        if let Some(tries) = kept.accounts.here.0.get_mut(&pair) {
            tries.last = now - micros(penalty(tries.wrong, FREE).min(LONGEST_HERE));
        }
        if taken.wait == 0 {
            kept.accounts.anywhere.take_back(&who.account.to_owned());
            kept.addresses.take_back(&who.address.to_owned());
        }
    }

    /// The password was right: clears what was held against the account there and anywhere, and takes back the one try
    /// that was counted against the address, which may have others to answer for.
    pub(super) fn right(&self, who: Try<'_>, taken: Taken) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Names { here, anywhere } = &mut kept.accounts;
        here.0.remove(&(who.account.to_owned(), who.address.to_owned()));
        if who.is_signed_in() {
            return;
        }
        anywhere.0.remove(who.account);
        if taken.wait == 0 {
            kept.addresses.take_back(&who.address.to_owned());
        }
    }
}

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Clone + Eq + Hash> Tally<K> {
    /// Whole seconds to wait before another try; 0 when one may be made now.
    fn wait(&mut self, key: &K, free: u32, longest: Duration, now: Micros) -> u64 {
        let Some(tries) = self.0.get_mut(key) else { return 0 };
        // A clock that was set back makes nobody wait longer.
        tries.last = tries.last.min(now);
        let until = tries.last.saturating_add(micros(penalty(tries.wrong, free).min(longest)));
        u64::try_from(until - now).unwrap_or(0).div_ceil(1_000_000)
    }

    /// Notes one more, and how many there are.
    fn count(&mut self, key: K, now: Micros) -> u32 {
        self.0.retain(|_, tries| {
            tries.last = tries.last.min(now);
            now - tries.last < micros(FORGET)
        });
        if self.0.len() >= REMEMBERED
            && !self.0.contains_key(&key)
            && let Some(stalest) =
                self.0.iter().min_by_key(|(_, tries)| tries.last).map(|(key, _)| key.clone())
        {
            self.0.remove(&stalest);
        }
        let tries = self.0.entry(key).or_insert(Tries { wrong: 0, last: now });
        *tries = Tries { wrong: tries.wrong.saturating_add(1), last: now };
        tries.wrong
    }

    fn take_back(&mut self, key: &K) {
        if let Some(tries) = self.0.get_mut(key) {
            tries.wrong = tries.wrong.saturating_sub(1);
        }
    }
}

/// Doubles from one second with every wrong try past the free ones.
fn penalty(wrong: u32, free: u32) -> Duration {
    match wrong.checked_sub(free) {
        None => Duration::ZERO,
        Some(over) => Duration::from_secs(1 << over.min(16)),
    }
}

/// A peer's address as tries are counted by: one host has all the addresses of an IPv6 network of 64 bits.
pub(super) fn place(address: &str) -> String {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada(address: &str) -> Try<'_> {
        Try { account: "ada", exists: true, address, known_here: false }
    }

    /// Counts a try: whether its password is looked at, and what is answered when it is wrong, in seconds of waiting.
    fn tried(attempts: &Attempts, who: Try<'_>, now: Micros) -> (bool, u64) {
        match attempts.take(who, now) {
            Ok(taken) => (taken.looked_at, taken.wait),
            Err(wait) => (false, wait),
        }
    }

    const LOOKED_AT: (bool, u64) = (true, 0);

    #[test]
    fn the_wait_doubles_and_another_address_is_not_punished() {
        let attempts = Attempts::default();
        for wrong in 1..=5 {
            let taken = attempts.take(ada("10.0.0.1"), 0).expect("these are free");
            assert_eq!(
                taken,
                Taken { looked_at: true, wait: 0, alarm: wrong == 5 },
                "the fifth raises the alarm"
            );
        }
        assert_eq!(attempts.take(ada("10.0.0.1"), 0), Err(1));
        assert_eq!(tried(&attempts, ada("10.0.0.1"), 1_000_000), LOOKED_AT);
        assert_eq!(attempts.take(ada("10.0.0.1"), 1_000_000), Err(2));
        assert_eq!(tried(&attempts, ada("10.0.0.2"), 1_000_000), LOOKED_AT);
        assert_eq!(tried(&attempts, Try { account: "bob", ..ada("10.0.0.1") }, 1_000_000), LOOKED_AT);
        let taken = attempts.take(ada("10.0.0.1"), 3_000_000).expect("the wait is over");
        attempts.right(ada("10.0.0.1"), taken);
        assert_eq!(tried(&attempts, ada("10.0.0.1"), 3_000_000), LOOKED_AT);
    }

    #[test]
    fn many_at_once_are_no_more_than_one_after_the_other() {
        let attempts = Attempts::default();
        let looked_at = (0..1000).filter(|_| attempts.take(ada("10.0.0.1"), 0).is_ok()).count();
        assert_eq!(looked_at, 5);
    }

    #[test]
    fn wrong_tokens_are_told_to_wait_and_keep_nobody_from_signing_in() {
        let attempts = Attempts::default();
        let told = |now| attempts.wrong_token("10.0.0.1", now);
        assert!((0..FREE_TOKENS).all(|_| told(0).is_none()));
        assert_eq!([told(0), told(1_000_000), told(1_000_000)], [Some(1), None, Some(2)]);
        assert_eq!(attempts.wrong_token("10.0.0.2", 0), None);
        assert_eq!(tried(&attempts, ada("10.0.0.1"), 0), LOOKED_AT);
    }

    #[test]
    fn wrong_codes_of_devices_wait_ever_longer() {
        let attempts = Attempts::default();
        assert!((1..=5).all(|count| attempts.take_code("10.0.0.1", 0) == Ok(count)));
        assert_eq!(attempts.take_code("10.0.0.1", 0), Err(1));
        assert_eq!(attempts.take_code("10.0.0.2", 0), Ok(1), "another address");
        attempts.right_code("10.0.0.1");
        assert_eq!(attempts.take_code("10.0.0.1", 0), Ok(5), "the right one is taken back, no other");
        assert_eq!((0..1000).filter(|_| attempts.take_code("10.0.0.1", 0).is_ok()).count(), 0);
    }

    /// The right password between wrong codes clears none of them.
    #[test]
    fn the_password_alone_clears_nothing() {
        let attempts = Attempts::default();
        let desk = Try { known_here: true, ..ada("10.0.0.1") };
        let mut codes = 0;
        for _ in 0..100 {
            if let Ok(taken) = attempts.take(desk, 0) {
                attempts.halfway(desk, taken, 0);
            }
            codes += u32::from(attempts.take(desk, 0).is_ok());
        }
        assert_eq!(codes, 5);
    }

    #[test]
    fn many_addresses_do_not_help() {
        let attempts = Attempts::default();
        for address in 0..50 {
            assert_eq!(tried(&attempts, ada(&address.to_string()), 0), LOOKED_AT);
        }
        assert_eq!(tried(&attempts, ada("a new one"), 0), (false, 1));
    }

    #[test]
    fn many_names_do_not_help() {
        let attempts = Attempts::default();
        let invented =
            |name: &str| tried(&attempts, Try { account: name, exists: false, ..ada("10.0.0.1") }, 0).0;
        assert_eq!((0..1000).filter(|name| invented(&name.to_string())).count(), 20);
        assert_eq!(tried(&attempts, ada("10.0.0.1"), 0), (false, 1), "nor does an account among them");
    }

    #[test]
    fn invented_names_make_nobody_forget() {
        let attempts = Attempts::default();
        while attempts.take(ada("10.0.0.1"), 0).is_ok() {}
        for name in 0..20_000 {
            let (name, address) = (name.to_string(), format!("10.1.{}.{}", name / 256, name % 256));
            let who = Try { account: &name, exists: false, address: &address, known_here: false };
            attempts.take(who, 1).expect("another name, another address");
        }
        assert_eq!(attempts.take(ada("10.0.0.1"), 1), Err(1));
    }

    /// An outsider may keep an account's other addresses waiting, not the ones it is used at; nor may a neighbour with
    /// invented names.
    #[test]
    fn strangers_keep_nobody_from_their_desk() {
        let attempts = Attempts::default();
        for address in 0..60 {
            let _ = attempts.take(ada(&address.to_string()), 0);
        }
        for name in 0..60 {
            let _ = attempts.take(Try { account: &name.to_string(), exists: false, ..ada("10.0.0.1") }, 0);
        }
        let desk = Try { known_here: true, ..ada("10.0.0.1") };
        let taken = attempts.take(desk, 0).expect("nobody tried it there");
        assert!(taken.looked_at);
        attempts.right(desk, taken);
        assert_eq!(tried(&attempts, ada("a new one"), 0), LOOKED_AT, "and being there clears it for all");
        for _ in 0..5 {
            attempts.take(desk, 0).expect("these are free");
        }
        assert_eq!(attempts.take(desk, 0), Err(1), "tries made there count there");
    }

    /// Whatever is tried in whatever order: with wrong passwords, what is answered for an account that is known there is
    /// what is answered for a name that is nobody's, and what it does to the others there is the same.
    #[test]
    fn from_outside_a_known_account_is_like_an_invented_one() {
        let ways: [&[(&str, u32, Micros)]; 4] = [
            &[("it", 30, 0), ("other", 1, 0), ("it", 9, 1_500_000)],
            &[("other", 25, 0), ("it", 7, 0), ("it", 1, 2_000_000), ("other", 3, 2_500_000)],
            &[
                ("it", 5, 0),
                ("other", 16, 0),
                ("it", 2, 1_000_000),
                ("it", 2, 1_000_001),
                ("other", 9, 1_000_002),
            ],
            &[("other", 400, 200_000), ("it", 400, 200_000)],
        ];
        for way in ways {
            let answers = |known: bool| {
                let attempts = Attempts::default();
                let (mut now, mut fresh, mut answers) = (0, 0, Vec::new());
                for &(name, times, apart) in way {
                    for _ in 0..times {
                        now += apart;
                        fresh += 1;
                        let other = fresh.to_string();
                        let who = match name {
                            "it" => {
                                Try { account: "it", exists: known, address: "10.0.0.1", known_here: known }
                            }
                            _ => Try { account: &other, exists: false, ..ada("10.0.0.1") },
                        };
                        answers.push(tried(&attempts, who, now).1);
                    }
                }
                answers
            };
            assert_eq!(answers(true), answers(false), "{way:?}");
        }
    }

    /// A neighbour who guesses whenever he may keeps nobody out for longer than half a minute at a time.
    #[test]
    fn a_known_account_waits_half_a_minute_at_most() {
        let attempts = Attempts::default();
        let desk = Try { known_here: true, ..ada("10.0.0.1") };
        let mut now = 0;
        for _ in 0..100 {
            while let Err(wait) = attempts.take(Try { known_here: false, ..desk }, now) {
                let here = attempts.0.lock().expect("nobody panics").accounts.here.wait(
                    &("ada".to_owned(), "10.0.0.1".to_owned()),
                    FREE,
                    LONGEST_HERE,
                    now,
                );
                assert!(here <= 30, "{here} s of {wait} s");
                now += 1_000_000;
            }
        }
        now += 30_000_000;
        assert!(attempts.take(desk, now).expect("half a minute is over").looked_at);
    }

    /// Signing in to one's own account between guesses at others takes back one try and no more, and none that was not
    /// counted.
    #[test]
    fn ones_own_password_does_not_clear_the_address() {
        for known_here in [false, true] {
            let attempts = Attempts::default();
            let mut guesses = 0;
            for name in 0..100 {
                let own = Try { account: "bob", known_here, ..ada("10.0.0.1") };
                if let Ok(taken) = attempts.take(own, 0)
                    && taken.looked_at
                {
                    attempts.right(own, taken);
                }
                let name = name.to_string();
                guesses += u32::from(tried(&attempts, Try { account: &name, ..ada("10.0.0.1") }, 0).0);
            }
            assert_eq!(guesses, 20, "known here: {known_here}");
        }
    }

    /// Whoever is asked for the present password once more has no address to answer for.
    #[test]
    fn a_session_answers_for_itself() {
        let attempts = Attempts::default();
        for name in 0..100 {
            let name = name.to_string();
            let taken = attempts.take(Try::once_more(&name), 0).expect("the first of each");
            assert_eq!((taken.looked_at, taken.wait), LOOKED_AT);
        }
    }

    #[test]
    fn a_clock_set_back_makes_nobody_wait_longer() {
        let attempts = Attempts::default();
        let noon = 43_200_000_000;
        while attempts.take(ada("10.0.0.1"), noon).is_ok() {}
        assert_eq!(attempts.take(ada("10.0.0.1"), 0), Err(1));
        assert_eq!(tried(&attempts, ada("10.0.0.1"), 1_000_000), LOOKED_AT, "and the wait does end");
    }

    #[test]
    fn a_host_is_one_place() {
        assert_eq!(place("::ffff:10.0.0.1"), "10.0.0.1");
        assert_eq!(place("2001:db8:0:7:aaaa::1"), place("2001:db8:0:7::2"));
        assert_ne!(place("2001:db8:0:7::1"), place("2001:db8:0:8::1"));
    }
}
