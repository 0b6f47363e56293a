//! Whether the centre can be asked. A question nobody can answer must not cost a person at the door 400 ms.

/// The link to the centre, as far as questions are concerned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Centre {
    /// No broker.
    #[default]
    Down,
    /// The broker is there; the server has not been heard since, or left a question unanswered.
    Silent,
    /// The server was heard, and has answered since it was last asked.
    Heard,
}

impl Centre {
    pub(super) fn broker(&mut self, up: bool) {
        *self = if up { Centre::Silent } else { Centre::Down };
    }

    /// Any message of the server.
    pub(super) fn heard(&mut self) {
        *self = match self {
            Centre::Down => Centre::Down,
            Centre::Silent | Centre::Heard => Centre::Heard,
        };
    }

    /// A question was not answered in time.
    pub(super) fn left_unanswered(&mut self) {
        *self = match self {
            Centre::Down => Centre::Down,
            Centre::Silent | Centre::Heard => Centre::Silent,
        };
    }

    pub(super) fn can_be_asked(self) -> bool {
        self == Centre::Heard
    }
}
