//! The way out to devices: commands with their outcome, acknowledgements, replicas.
//!
//! There is a way only while the broker is connected. What is sent goes into a bounded queue that is thrown away with
//! the connection: nothing waits for a reconnect, and a command that could not leave at once is refused.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;
use tokio::sync::{mpsc, oneshot, watch};
use uplink::command::{Action, Command, Outcome};
use uplink::topics::{Leaf, topic};
use uplink::wire;

use crate::auth::Operator;
use crate::clock::micros;
use crate::journal::hex;
use crate::problem::Problem;
use crate::state::Kit;

/// Payloads on their way to the broker; past that a sender is refused.
const QUEUE: usize = 1024;
/// How long a command may take to arrive (GB 50396 5.1.2: operator command to actuator in 2 s).
pub const COMMAND_EXPIRY: Duration = Duration::from_secs(2);
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

#[derive(Debug)]
struct Inner {
    way: watch::Sender<Option<mpsc::Sender<Outgoing>>>,
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
            CommandError::Link(_) => Self::unavailable(words),
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
    /// Opens a way out, for as long as the receiver is held. The task that speaks to the broker calls this when it is
    /// connected and drops the receiver when it is not.
    #[must_use]
    pub fn open(&self) -> mpsc::Receiver<Outgoing> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        self.0.way.send_replace(Some(sender));
        receiver
    }

    /// The connection is gone.
    pub fn close(&self) {
        self.0.way.send_replace(None);
    }

    /// Whether there is a way out now.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.0.way.borrow().as_ref().is_some_and(|way| !way.is_closed())
    }

    /// Told whenever the way opens or closes.
    pub async fn changed(&self) {
        let mut way = self.0.way.subscribe();
        // An error means that the link itself is gone, and with it whoever would wait here.
        let _ = way.changed().await;
    }

    /// Sends without waiting.
    ///
    /// # Errors
    /// When there is no way out or no room.
    pub fn send(&self, device: &str, leaf: Leaf, payload: Vec<u8>) -> Result<(), LinkError> {
        let way = self.0.way.borrow();
        let way = way.as_ref().ok_or(LinkError::Down)?;
        way.try_send(Outgoing { topic: topic(device, leaf), payload }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => LinkError::Full,
            mpsc::error::TrySendError::Closed(_) => LinkError::Down,
        })
    }

    /// Sends, waiting for room: for long replicas. Returns once it is queued.
    ///
    /// # Errors
    /// When there is no way out, or it closes meanwhile.
    pub async fn send_waiting(&self, device: &str, leaf: Leaf, payload: Vec<u8>) -> Result<(), LinkError> {
        let way = self.0.way.borrow().clone().ok_or(LinkError::Down)?;
        way.send(Outgoing { topic: topic(device, leaf), payload }).await.map_err(|_| LinkError::Down)
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

impl Kit {
    /// Gives a device a command in an operator's name, and waits for what becomes of it (3.5 s at most). It is
    /// journaled with the operator's id and reason before it leaves; the outcome is journaled by the controller.
    ///
    /// # Errors
    /// When it cannot leave at once, or no outcome comes before it expires.
    pub async fn command(
        &self,
        operator: &Operator,
        device: &str,
        action: Action,
        reason: &str,
    ) -> Result<Outcome, CommandError> {
        if !self.link().is_up() {
            return Err(LinkError::Down.into());
        }
        let mut id = [0; 16];
        SystemRandom::new().fill(&mut id).expect("the system's random source works");
        let command = Command {
            id: hex(&id),
            expires_at: self.now() + micros(COMMAND_EXPIRY),
            by: operator.id.0.cast_unsigned(),
            rank: operator.role.rank(),
            action,
        };
        let mut tx = self.begin().await?;
        tx.record("command.given", &json!({ "device": device, "command": command, "reason": reason }))
            .await?;
        tx.commit().await?;
        let outcome = self.link().wait(&command.id)?;
        self.link().send(device, Leaf::Command, wire::encode(&command))?;
        match tokio::time::timeout(COMMAND_EXPIRY + OUTCOME_GRACE, outcome).await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(_)) | Err(_) => Err(CommandError::NoAnswer),
        }
    }
}
