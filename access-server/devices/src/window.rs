//! Install windows: an operator lets new boards of a controller be given their keys, while they stand beside them.

use kit::Kit;
use kit::auth::{Operator, Role};
use kit::link::CommandError;
use kit::pki::Holder;
use kit::problem::Problem;
use uplink::command::{Action, LONGEST_WINDOW, Settled};

/// Minutes that a window may be open.
pub const MINUTES: u8 = 10;
const _: () = assert!(MINUTES as i64 * MINUTE == LONGEST_WINDOW);
const MINUTE: i64 = 60_000_000;
/// Letters of a reason, and of a bus's name.
const REASON: usize = 500;
const BUS: usize = 64;

/// Which boards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Their controller.
    pub controller: u64,
    /// Its bus.
    pub bus: String,
    /// A board's OSDP address; without it every board of the bus.
    pub address: Option<u8>,
}

/// Why no window was opened or closed.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    /// Too long, or not at all.
    #[error("a window is open for 1 to {MINUTES} minutes")]
    Minutes,
    /// A reason is asked for.
    #[error("a reason of at most {REASON} letters is asked for")]
    Reason,
    /// The controller did not do it.
    #[error("the controller did not do it: {0:?}")]
    Settled(Settled),
    /// It was not reached.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl From<WindowError> for Problem {
    fn from(error: WindowError) -> Self {
        let words = error.to_string();
        match error {
            WindowError::Minutes => Self::refused("field", words).with("field", "minutes"),
            WindowError::Reason => Self::refused("field", words).with("field", "reason"),
            WindowError::Settled(_) => Self::conflict("command", words),
            WindowError::Command(error) => error.into(),
        }
    }
}

/// Opens it; when the controller did.
///
/// # Errors
/// Why not.
pub async fn open(
    kit: &Kit,
    operator: &Operator,
    place: &Place,
    minutes: u8,
    reason: &str,
) -> Result<i64, WindowError> {
    let reason = reason.trim();
    if !(1..=MINUTES).contains(&minutes) {
        return Err(WindowError::Minutes);
    }
    if !(1..=REASON).contains(&reason.chars().count()) {
        return Err(WindowError::Reason);
    }
    let until = kit.now() + i64::from(minutes) * MINUTE;
    let (bus, address) = (place.bus.clone(), place.address);
    give(kit, operator, place, Action::OpenInstall { bus, address, until }, reason).await
}

/// Closes it; when the controller did.
///
/// # Errors
/// Why not.
pub async fn close(kit: &Kit, operator: &Operator, place: &Place) -> Result<i64, WindowError> {
    let action = Action::CloseInstall { bus: place.bus.clone(), address: place.address };
    give(kit, operator, place, action, "").await
}

async fn give(
    kit: &Kit,
    operator: &Operator,
    place: &Place,
    action: Action,
    reason: &str,
) -> Result<i64, WindowError> {
    if place.bus.chars().count() > BUS {
        return Err(WindowError::Settled(Settled::UnknownBoard));
    }
    let device = Holder::Controller(place.controller).name();
    // The routes ask for a manager of the whole site.
    let rank = operator.ranks.at_site().unwrap_or(Role::Manager);
    let outcome = kit.command((operator.id, rank), &device, action, reason).await?;
    if outcome.settled == Settled::Done { Ok(outcome.at) } else { Err(WindowError::Settled(outcome.settled)) }
}
