//! What is wrong with the server itself right now, for the console's banner and the health page.
//!
//! Held in memory: the first thing that may be wrong is that nothing can be written.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::clock::Micros;

/// What may be wrong. The console has words for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// The disk is full: events wait at their sources.
    DiskFull,
    /// The database does not answer: events wait at their sources.
    DatabaseAway,
    /// The disk did not keep what it was told to: the server stops.
    DiskBroken,
    /// The message broker is not connected: devices work on their own.
    BrokerAway,
    /// A source sends what cannot be read.
    MalformedPayloads,
    /// The policy as it stands would be faulty: the one before stays in force.
    PolicyFaulty,
    /// What was changed could not be put in force yet: a withdrawn right may still open doors.
    PolicyUnpublished,
    /// A webhook's receiver takes nothing, or was given up: what it is to be told waits.
    WebhookSilent,
    /// Who looked at personal data could not be written down: it is tried again.
    LooksUnwritten,
    /// A certificate of the site ends within thirty days, and nobody has renewed it.
    CertificateEnds,
    /// The broker was not told of the newest list of revoked certificates: who stands on it may come back there.
    BrokerNotTold,
}

impl Trouble {
    /// The stable word, as `disk-full`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DiskFull => "disk-full",
            Self::DatabaseAway => "database-away",
            Self::DiskBroken => "disk-broken",
            Self::BrokerAway => "broker-away",
            Self::MalformedPayloads => "malformed-payloads",
            Self::PolicyFaulty => "policy-faulty",
            Self::PolicyUnpublished => "policy-unpublished",
            Self::WebhookSilent => "webhook-silent",
            Self::LooksUnwritten => "looks-unwritten",
            Self::CertificateEnds => "certificate-ends",
            Self::BrokerNotTold => "broker-not-told",
        }
    }
}

/// What is wrong, and since when. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Troubles(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    standing: Mutex<BTreeMap<Trouble, Micros>>,
    changes: watch::Sender<u64>,
}

impl Default for Troubles {
    fn default() -> Self {
        Self(Arc::new(Inner { standing: Mutex::default(), changes: watch::Sender::new(0) }))
    }
}

impl Troubles {
    /// Something is wrong; when it was already, its beginning stands.
    pub fn raise(&self, trouble: Trouble, since: Micros) {
        self.change(|standing| {
            standing.entry(trouble).or_insert(since);
        });
    }

    /// It is right again.
    pub fn clear(&self, trouble: Trouble) {
        self.change(|standing| {
            standing.remove(&trouble);
        });
    }

    /// What stands, with its beginning: UTC, microseconds.
    #[must_use]
    pub fn standing(&self) -> BTreeMap<Trouble, Micros> {
        self.0.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Told after each change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<Trouble, Micros>)) {
        let changed = {
            let mut standing = self.0.standing.lock().unwrap_or_else(PoisonError::into_inner);
            let before = standing.len();
            change(&mut standing);
            standing.len() != before
        };
        if changed {
            self.0.changes.send_modify(|changes| *changes += 1);
        }
    }
}
