//! Questions that devices were asked and have not answered yet: few, for a short time, each good for one answer.
//!
//! Anybody may ask to sign in, so whoever asks most loses first: nobody's questions are pushed out by another's many.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::super::operators::OperatorId;
use crate::clock::{Micros, micros};

/// A question is open so long.
pub const OPEN: Duration = Duration::from_secs(2 * 60);
/// Questions that are open at once, at most.
const ALL: usize = 1024;
/// And for one asker: a control room may share an address.
const EACH: usize = 32;

/// What a question is for: an answer to one is none to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Somebody is to be signed in, nobody knows who.
    SignIn,
    /// Whoever showed the password in this half session, by its digest.
    Second(Vec<u8>),
    /// A passkey is to be added by somebody who showed the password once more.
    Add(Adding),
}

/// What is kept of a passkey that is being made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Adding {
    pub(super) operator: OperatorId,
    /// The session it was asked for in, by its digest.
    pub(super) session: Vec<u8>,
    pub(super) handle: Vec<u8>,
    pub(super) name: String,
}

#[derive(Debug)]
struct Question {
    challenge: [u8; 32],
    purpose: Purpose,
    asker: String,
    asked_at: Micros,
}

/// The open questions, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Challenges(VecDeque<Question>);

impl Challenges {
    /// Opens a question; at the limits the oldest of the asker with the most makes room.
    pub(super) fn open(&mut self, challenge: [u8; 32], purpose: Purpose, asker: String, now: Micros) {
        self.0.retain(|question| is_open(question, now));
        let own = self.0.iter().filter(|question| question.asker == asker).count();
        let crowd = if own >= EACH { Some(asker.clone()) } else { self.crowd() };
        if let Some(crowd) = crowd
            && let Some(oldest) = self.0.iter().position(|question| question.asker == crowd)
        {
            self.0.remove(oldest);
        }
        self.0.push_back(Question { challenge, purpose, asker, asked_at: now });
    }

    /// Who asked most, when there is no room.
    fn crowd(&self) -> Option<String> {
        if self.0.len() < ALL {
            return None;
        }
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for question in &self.0 {
            *counts.entry(&question.asker).or_default() += 1;
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(asker, _)| asker.to_owned())
    }

    /// Closes a question that is open; what it was for. It is not there a second time.
    pub(super) fn take(&mut self, challenge: &[u8], now: Micros) -> Option<Purpose> {
        let at = self.0.iter().position(|question| question.challenge == challenge)?;
        self.0.remove(at).filter(|question| is_open(question, now)).map(|question| question.purpose)
    }
}

/// One that was asked in the future was asked before the clock was set back, nobody knows how long ago.
fn is_open(question: &Question, now: Micros) -> bool {
    (0..micros(OPEN)).contains(&(now - question.asked_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(number: u32) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        bytes
    }

    fn ask(challenges: &mut Challenges, number: u32, asker: &str, now: Micros) {
        challenges.open(challenge(number), Purpose::SignIn, asker.to_owned(), now);
    }

    #[test]
    fn a_question_is_answered_once_and_in_time() {
        let mut open = Challenges::default();
        ask(&mut open, 1, "here", 0);
        assert_eq!(open.take(&challenge(2), 1), None);
        assert_eq!(open.take(&challenge(1), 1), Some(Purpose::SignIn));
        assert_eq!(open.take(&challenge(1), 1), None, "once");
        ask(&mut open, 3, "here", 0);
        assert_eq!(open.take(&challenge(3), micros(OPEN)), None, "late");
        ask(&mut open, 4, "here", 10);
        assert_eq!(open.take(&challenge(4), 9), None, "the clock was set back");
        ask(&mut open, 5, "here", 0);
        assert_eq!(open.take(&challenge(5), micros(OPEN) - 1), Some(Purpose::SignIn));
    }

    #[test]
    fn nobody_is_pushed_out_by_anothers_many() {
        let mut open = Challenges::default();
        ask(&mut open, 0, "guard", 0);
        for number in 1..200 {
            ask(&mut open, number, "crowd", 1);
        }
        assert_eq!(open.0.len(), 1 + EACH);
        for number in 10_000..12_000 {
            ask(&mut open, number, &format!("one of many {}", number % 500), 1);
        }
        assert_eq!(open.0.len(), ALL);
        assert_eq!(open.take(&challenge(0), 2), Some(Purpose::SignIn));
    }
}
