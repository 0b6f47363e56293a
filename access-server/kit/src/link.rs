//! The way out to devices: commands with their outcome, acknowledgements, replicas.
//!
//! There is a way only while the broker is connected. What is sent goes into bounded queues that are thrown away with
//! the connection: nothing waits for a reconnect, and a command that could not leave at once is refused. Commands and
//! answers have a queue of their own, which is emptied first: a long replica does not hold them up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;
use tokio::sync::{mpsc, oneshot, watch};
use uplink::command::{Action, Command, Outcome};
use uplink::topics::{Leaf, topic};
use uplink::wire;

use crate::auth::{OperatorId, Role};
use crate::clock::micros;
use crate::journal::hex;
use crate::problem::Problem;
use crate::state::Kit;

/// Commands and answers on their way to the broker; past that a sender is refused.
const QUEUE: usize = 256;
/// Parts of replicas on their way to the broker, of up to 64 KiB; past that their sender waits.
const PARTS: usize = 16;
/// How long a command may take to arrive (GB 50396 5.1.2: operator command to actuator in 2 s).
pub const COMMAND_EXPIRY: Duration = Duration::from_secs(2);
/// How long a command may wait for its turn to be journaled. Who pressed a button does not expect it to work later.
const TURN: Duration = Duration::from_secs(2);
/// How much longer its outcome is waited for.
const OUTCOME_GRACE: Duration = Duration::from_millis(1500);
/// Commands waiting for their outcome.
const WAITING: usize = 256;

/// A payload on its way to the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The whole topic.
    pub topic: String,
    /// The payload.
    pub payload: Vec<u8>,
}

/// The way out. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Link(Arc<Inner>);

/// What goes out over one connection, in the order it should. Dropped with the connection.
#[derive(Debug)]
pub struct Way {
    at_once: mpsc::Receiver<Outgoing>,
    parts: mpsc::Receiver<Outgoing>,
}

/// Where the way's queues are filled.
#[derive(Clone, Debug)]
struct Entrance {
    at_once: mpsc::Sender<Outgoing>,
    parts: mpsc::Sender<Outgoing>,
}

#[derive(Debug)]
struct Inner {
    way: watch::Sender<Option<Entrance>>,
    waiting: Mutex<HashMap<String, oneshot::Sender<Outcome>>>,
}

/// Why nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The broker is not connected.
    #[error("the message broker is not connected")]
    Down,
    /// More is waiting to be sent than may wait.
    #[error("too much is waiting to be sent")]
    Full,
}

/// Why a command has no outcome.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It was not sent.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Something long was being written, and the command was not sent.
    #[error("the server is busy writing; the command was not sent")]
    Busy,
    /// The device said nothing in time; the command has expired.
    #[error("the controller did not answer in time")]
    NoAnswer,
    /// It could not be journaled, and so was not sent.
    #[error("the command could not be journaled")]
    Database(#[from] sqlx::Error),
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        let words = error.to_string();
        match error {
            CommandError::Link(_) | CommandError::Busy => Self::unavailable(words),
            CommandError::NoAnswer => Self::new(axum::http::StatusCode::GATEWAY_TIMEOUT, "no-answer", words),
            CommandError::Database(error) => error.into(),
        }
    }
}

impl Default for Link {
    fn default() -> Self {
        Self(Arc::new(Inner { way: watch::Sender::new(None), waiting: Mutex::default() }))
    }
}

impl Link {
    /// Opens a way out, for as long as it is held. The task that speaks to the broker calls this when it is connected
    /// and drops it when it is not.
    #[must_use]
    pub fn open(&self) -> Way {
        let (at_once, next) = mpsc::channel(QUEUE);
        let (parts, later) = mpsc::channel(PARTS);
        self.0.way.send_replace(Some(Entrance { at_once, parts }));
        Way { at_once: next, parts: later }
    }

    /// The connection is gone.
    pub fn close(&self) {
        self.0.way.send_replace(None);
    }

    /// Whether there is a way out now.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.0.way.borrow().as_ref().is_some_and(|way| !way.at_once.is_closed())
    }

    /// Told whenever the way opens or closes.
    pub async fn changed(&self) {
        let mut way = self.0.way.subscribe();
        // An error means that the link itself is gone, and with it whoever would wait here.
        let _ = way.changed().await;
    }

    /// Sends without waiting, before any part of a replica.
    ///
    /// # Errors
    /// When there is no way out or no room.
    pub fn send(&self, device: &str, leaf: Leaf, payload: Vec<u8>) -> Result<(), LinkError> {
        let way = self.0.way.borrow();
        let way = way.as_ref().ok_or(LinkError::Down)?;
        way.at_once.try_send(Outgoing { topic: topic(device, leaf), payload }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => LinkError::Full,
            mpsc::error::TrySendError::Closed(_) => LinkError::Down,
        })
    }

    /// Sends a part of a replica, waiting for room. Returns once it is queued.
    ///
    /// # Errors
    /// When there is no way out, or it closes meanwhile.
    pub async fn send_waiting(&self, device: &str, leaf: Leaf, payload: Vec<u8>) -> Result<(), LinkError> {
        let way = self.0.way.borrow().clone().ok_or(LinkError::Down)?;
        way.parts.send(Outgoing { topic: topic(device, leaf), payload }).await.map_err(|_| LinkError::Down)
    }

    /// A device said what became of a command. False when nobody waits for it any more.
    pub fn settled(&self, outcome: Outcome) -> bool {
        let waiter = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&outcome.id);
        waiter.is_some_and(|waiter| waiter.send(outcome).is_ok())
    }

    fn wait(&self, id: &str) -> Result<oneshot::Receiver<Outcome>, LinkError> {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, waiter| !waiter.is_closed());
        if waiting.len() >= WAITING {
            return Err(LinkError::Full);
        }
        let (sender, receiver) = oneshot::channel();
        waiting.insert(id.to_owned(), sender);
        Ok(receiver)
    }
}

impl Way {
    /// The next payload to send: parts of replicas when nothing else waits. `None` once the way was closed and everything
    /// was taken.
    pub async fn recv(&mut self) -> Option<Outgoing> {
        tokio::select! {
            biased;
            Some(outgoing) = self.at_once.recv() => Some(outgoing),
            outgoing = self.parts.recv() => outgoing,
        }
    }
}

impl Kit {
    /// Gives a device a command in an operator's name, and waits for what becomes of it (5.5 s at most). It is
    /// journaled with the operator's id, their rank where the device is, and the reason before it leaves, and expires
    /// [`COMMAND_EXPIRY`] after that; the outcome is journaled by the controller.
    ///
    /// # Errors
    /// When it cannot be journaled and leave at once, or no outcome comes before it expires.
    pub async fn command(
        &self,
        (operator, rank): (OperatorId, Role),
        device: &str,
        action: Action,
        reason: &str,
    ) -> Result<Outcome, CommandError> {
        if !self.link().is_up() {
            return Err(LinkError::Down.into());
        }
        let mut id = [0; 16];
        SystemRandom::new().fill(&mut id).expect("the system's random source works");
        let id = hex(&id);
        let (by, rank) = (operator.0.cast_unsigned(), rank.rank());
        let mut tx = tokio::time::timeout(TURN, self.begin()).await.map_err(|_| CommandError::Busy)??;
        let given = json!({ "device": device, "command": { "id": id, "by": by, "rank": rank, "action": action },
            "reason": reason });
        tx.record("command.given", &given).await?;
        tx.commit().await?;
        // Only now: what it took to journal it is not the controller's time.
        let expires_at = self.now() + micros(COMMAND_EXPIRY);
        let command = Command { id, expires_at, by, rank, action };
        let outcome = self.link().wait(&command.id)?;
        self.link().send(device, Leaf::Command, wire::encode(&command))?;
        match tokio::time::timeout(COMMAND_EXPIRY + OUTCOME_GRACE, outcome).await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(_)) | Err(_) => Err(CommandError::NoAnswer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_command_goes_before_every_part_that_waits() {
        let link = Link::default();
        let mut way = link.open();
        for _ in 0..PARTS {
            link.send_waiting("controller-1", Leaf::SyncChunk, Vec::new()).await.unwrap();
        }
        link.send("controller-1", Leaf::Command, Vec::new()).unwrap();
        link.send("controller-1", Leaf::Answer, Vec::new()).unwrap();
        for leaf in [Leaf::Command, Leaf::Answer, Leaf::SyncChunk] {
            assert_eq!(way.recv().await.unwrap().topic, topic("controller-1", leaf));
        }
    }

    #[tokio::test]
    async fn a_way_that_was_closed_ends_when_it_is_empty() {
        let link = Link::default();
        let mut way = link.open();
        link.send("controller-1", Leaf::Command, Vec::new()).unwrap();
        link.send_waiting("controller-1", Leaf::SyncChunk, Vec::new()).await.unwrap();
        link.close();
        assert!(way.recv().await.is_some() && way.recv().await.is_some());
        assert!(way.recv().await.is_none());
        assert_eq!(link.send("controller-1", Leaf::Command, Vec::new()), Err(LinkError::Down));
    }
}
