//! Whether what a camera shows would do as a photograph of a face: asked again and again while somebody stands before it.
//! Nothing is kept of it, and what is answered is a hint.
//!
//! One question at a time and not too soon after the last, for each session; and only where the vision process is free:
//! whoever stores a face does not wait for those who still look for a good picture.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::ids::PersonId;
use kit::{Kit, Micros};

use crate::consent::{self, Purpose};
use crate::embed::{EmbedService, Media, Portrait, Reason};
use crate::error::PeopleError;
use crate::face::EnrolmentRefusal;

/// The largest frame, in bytes: a face fills it, so it need not be a camera's whole picture.
pub const FRAME_MAX: usize = 1024 * 1024;
/// So long after the last question of a session the next one is taken, in microseconds.
const EVERY: Micros = 200_000;
/// A session that has not asked for so long is forgotten, in microseconds. No question is under way so long.
const FORGET: Micros = 60_000_000;

/// What is to be said of a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Hint {
    /// It would do; all of its quality in one number, 0 to 1.
    Good(f32),
    /// Why not.
    Not(Reason),
}

/// Who asks just now.
#[derive(Clone, Debug, Default)]
pub struct Looks(Arc<Mutex<Turns>>);

/// A question that is under way; over when dropped.
#[derive(Debug)]
pub struct Turn {
    looks: Looks,
    session: String,
}

impl Looks {
    /// Takes a turn for a session; `None` when it has one already or had one just now.
    #[must_use]
    pub fn turn(&self, session: &str, now: Micros) -> Option<Turn> {
        let begun = self.0.lock().unwrap_or_else(PoisonError::into_inner).begin(session, now);
        begun.then(|| Turn { looks: self.clone(), session: session.to_owned() })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.looks.0.lock().unwrap_or_else(PoisonError::into_inner).end(&self.session);
    }
}

/// The sessions that asked, each with when, and whether it waits for the answer.
#[derive(Debug, Default)]
struct Turns(HashMap<String, (Micros, bool)>);

impl Turns {
    fn begin(&mut self, session: &str, now: Micros) -> bool {
        // A clock that was set back keeps nobody waiting.
        self.0.retain(|_, (asked_at, _)| (0..FORGET).contains(&(now - *asked_at)));
        if self.0.get(session).is_some_and(|(asked_at, waits)| *waits || now - asked_at < EVERY) {
            return false;
        }
        self.0.insert(session.to_owned(), (now, true));
        true
    }

    fn end(&mut self, session: &str) {
        if let Some((_, waits)) = self.0.get_mut(session) {
            *waits = false;
        }
    }
}

/// Asks the vision process about a frame, for a person who agreed to the use of their face; `None` when it has no hand
/// free.
///
/// # Errors
/// When there is no such person or no consent, or the vision process does not answer.
pub async fn at(
    kit: &Kit,
    embed: &EmbedService,
    person: PersonId,
    frame: &[u8],
) -> Result<Option<Hint>, PeopleError> {
    let mut connection = kit.read().acquire().await?;
    if crate::person::get(&mut connection, person).await?.is_none() {
        return Err(PeopleError::Unknown("person"));
    }
    if consent::standing(&mut connection, person, Purpose::FaceAccess).await?.is_none() {
        return Err(PeopleError::NoConsent);
    }
    drop(connection);
    let media = match Media::of(frame) {
        Ok(media) if frame.len() <= FRAME_MAX => media,
        Ok(_) => return Ok(Some(Hint::Not(Reason::TooLarge))),
        Err(reason) => return Ok(Some(Hint::Not(reason))),
    };
    match embed.embed_if_free(Portrait::Capture, media, frame).await {
        None => Ok(None),
        Some(Ok(usable)) => Ok(Some(Hint::Good(usable.quality))),
        Some(Err(EnrolmentRefusal::Photo(reason))) => Ok(Some(Hint::Not(reason))),
        Some(Err(refusal)) => Err(refusal.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_asks_one_at_a_time_and_not_too_soon() {
        let looks = Looks::default();
        let first = looks.turn("ada", 0).expect("nobody asked before");
        assert!(looks.turn("ada", 10 * EVERY).is_none(), "the first is under way");
        assert!(looks.turn("vic", 0).is_some(), "another session");
        drop(first);
        assert!(looks.turn("ada", EVERY - 1).is_none(), "too soon");
        assert!(looks.turn("ada", EVERY).is_some());
    }

    #[test]
    fn who_asks_no_more_is_forgotten() {
        let looks = Looks::default();
        for session in 0..1000 {
            drop(looks.turn(&session.to_string(), 0));
        }
        drop(looks.turn("ada", FORGET));
        assert_eq!(looks.0.lock().unwrap().0.len(), 1);
        drop(looks.turn("vic", 0));
        assert_eq!(looks.0.lock().unwrap().0.len(), 1, "the clock was set back");
    }
}
