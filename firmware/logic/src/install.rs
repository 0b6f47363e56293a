//! Install mode, and the way back to it. A board without a key takes the default key, for a while after its start. A board whose key is
//! lost, to its controller or to its own flash, is made such a board again by somebody who stands at it: cover off, the button under it held from the start on for ten
//! seconds. Nothing here moves an output that lets anybody pass.

use endpoints::Sense;
use endpoints::vendor::What;
use osdp::{Key, PdSecurity};
use sha2::{Digest, Sha256};

use crate::board::{Board, Sounder};
use crate::job::{Done, Job};

/// A board without a key lets itself be given one for so long after its start or its reset, µs. Then somebody must start it again: install
/// mode closes by itself.
pub const INSTALL_WINDOW_US: u64 = 3_600_000_000;
/// The button is held for so long with the cover off, µs.
pub const BUTTON_HELD_US: u64 = 10_000_000;
/// From the first look at the button until the cover must count as off, µs: its debounce time, and room.
const COVER_WITHIN_US: u64 = 1_000_000;
/// The sounder says so long that the key is gone, µs.
const SOUNDS_US: u64 = 1_000_000;

/// The button's way from the start on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Button {
    /// Not heard of yet.
    Unheard,
    /// Down at the start; the cover does not count as off yet.
    Down { since: u64 },
    /// Down, and the cover off.
    Held { since: u64 },
    /// Long enough: first the log has to have it, then the key goes.
    Due,
    /// The storage is at it.
    Erasing,
    /// Not down at the start, let go too early, or done: nothing until the next start.
    Over,
}

impl Button {
    fn heard(self, now: u64, pressed: bool) -> Button {
        match (self, pressed) {
            (Button::Unheard, true) => Button::Down { since: now },
            (Button::Unheard | Button::Down { .. } | Button::Held { .. }, false) => Button::Over,
            (Button::Down { .. } | Button::Held { .. }, true)
            | (Button::Due | Button::Erasing | Button::Over, _) => self,
        }
    }

    fn at(self, now: u64, cover: Sense) -> Button {
        match (self, cover) {
            (Button::Down { .. }, Sense::Active) => Button::Held { since: now },
            (Button::Down { since }, _) if now >= since + COVER_WITHIN_US => Button::Over,
            (Button::Held { since }, Sense::Active) if now >= since + BUTTON_HELD_US => Button::Due,
            (Button::Held { .. }, Sense::Rest | Sense::Cut | Sense::Short) => Button::Over,
            (Button::Held { .. }, Sense::Active)
            | (Button::Unheard | Button::Down { .. } | Button::Due | Button::Erasing | Button::Over, _) => {
                self
            }
        }
    }

    pub(crate) fn deadline(self) -> Option<u64> {
        match self {
            Button::Down { since } => Some(since + COVER_WITHIN_US),
            Button::Held { since } => Some(since + BUTTON_HELD_US),
            Button::Unheard | Button::Due | Button::Erasing | Button::Over => None,
        }
    }
}

/// Whether a board without a key may be given one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Window {
    Closed,
    Open { until: u64 },
}

impl Window {
    pub(crate) fn deadline(self) -> Option<u64> {
        match self {
            Window::Closed => None,
            Window::Open { until } => Some(until),
        }
    }
}

impl Board {
    /// The reset button on the board, under its cover: tell it once at the start and whenever it changes.
    pub fn handle_button(&mut self, now: u64, pressed: bool) {
        self.button = self.button.heard(now, pressed);
        self.settle(now);
    }

    /// What a panel may do over the bus with this key, or with none. Without, the window opens.
    pub(crate) fn security(&mut self, now: u64, key: Option<[u8; 16]>) -> PdSecurity {
        match (key, self.setup.allow_clear) {
            (Some(key), _) => PdSecurity::Required(Key::new(key)),
            (None, false) => {
                self.window = Window::Open { until: now + INSTALL_WINDOW_US };
                PdSecurity::Install
            }
            (None, true) => PdSecurity::Optional(None),
        }
    }

    /// The button and the window, at `now`.
    pub(crate) fn watch_install(&mut self, now: u64) {
        let cover = self.sense(self.shape().tamper);
        let before = self.button;
        self.button = before.at(now, cover);
        if self.button != before && self.button == Button::Due {
            self.record(now, What::KeyReset);
        }
        match self.window {
            Window::Open { until } if until <= now => self.close_window(),
            Window::Open { .. } | Window::Closed => {}
        }
    }

    /// The key goes last, when nothing waits for the log any more: it is never gone without a trace.
    pub(crate) fn erasure(&mut self) -> Option<Job> {
        (self.button == Button::Due).then(|| {
            self.button = Button::Erasing;
            Job::EraseKey
        })
    }

    /// The storage has erased the key, or failed to: then nobody knows, and the key in use stays until the next start.
    pub(crate) fn erased(&mut self, now: u64, done: &Done) {
        self.button = Button::Over;
        if *done != Done::KeyErased {
            return;
        }
        self.sounder = Sounder::Until(now + SOUNDS_US);
        let security = self.security(now, None);
        if let Some(pd) = &mut self.pd {
            pd.set_security(security);
        }
    }

    /// From now on the board says who it is and takes no key, as if it had one that nobody knows.
    fn close_window(&mut self) {
        self.window = Window::Closed;
        let closed = self.closed();
        if let Some(pd) = self.pd.as_mut().filter(|pd| *pd.security() == PdSecurity::Install) {
            pd.set_security(closed);
        }
    }

    /// With a key that nobody knows. Also where there was a key and flash has lost it: else whoever has the default key could install
    /// another.
    pub(crate) fn closed(&self) -> PdSecurity {
        let unknown: [u8; 32] =
            Sha256::new().chain_update(self.seed).chain_update(b"closed").finalize().into();
        let (unknown, _) = unknown.split_first_chunk().expect("a hash is longer than a key");
        PdSecurity::Required(Key::new(*unknown))
    }
}
