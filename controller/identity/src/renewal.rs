//! When a device asks for a new certificate, and what it makes of the answer. Time comes in as an argument.
//!
//! It asks when a third of the certificate's life is left, with a new key each time, and again ever more rarely while
//! nothing comes of it: the certificate it has is good all the while.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use thiserror::Error;
use uplink::enrol::{LIFE_DAYS, Refusal, Renew, Renewed};

use crate::certificate::Certificate;
use crate::request::{NewKey, key_of_request, point};
use crate::revocable::Trusted;

/// So much is left of a certificate's life when a new one is asked for, in microseconds: a third.
const LEFT: i64 = (LIFE_DAYS * 86_400_000_000 / 3).cast_signed();
/// An answer takes no longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it waits after the first time that nothing came of it, and after many.
const FIRST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(6 * 3600);

/// A device's certificate, and where its renewal stands.
#[derive(Debug)]
pub struct Renewal {
    /// When the certificate ends: UTC, microseconds.
    until: i64,
    state: State,
    failures: u32,
}

#[derive(Debug)]
enum State {
    /// Nothing is asked for before this, since the start.
    Resting { from: Duration },
    /// It has asked, and waits for the answer until then.
    Asked { key: Box<NewKey>, until: Duration },
}

/// A certificate that was renewed.
pub struct Pem {
    /// The certificate.
    pub certificate: String,
    /// Its key. Never logged.
    pub key: String,
    /// When it ends: UTC, microseconds.
    pub until: i64,
}

/// Why an answer is not taken. The certificate that is there stays.
#[derive(Debug, Error)]
pub enum Refused {
    /// The server issued none.
    #[error("the server issues no certificate: {0:?}")]
    ByServer(Refusal),
    /// What it sent is no certificate.
    #[error("the answer holds no certificate")]
    Form,
    /// One of somebody else, or of another authority.
    #[error("the new certificate is not the site's for this device")]
    Foreign(#[source] rustls::Error),
    /// It ends no later than the one that is there.
    #[error("the new certificate ends no later than the one that is there")]
    NoLater,
}

impl Renewal {
    /// Of a certificate that ends then.
    pub fn new(until: i64) -> Self {
        Self { until, state: State::Resting { from: Duration::ZERO }, failures: 0 }
    }

    /// Whether to ask now; `since` is the time since the start, `utc` the wall clock in microseconds. A clock that stands at
    /// 1970 asks for nothing.
    pub fn is_due(&mut self, since: Duration, utc: i64) -> bool {
        if let State::Asked { until, .. } = &self.state
            && *until <= since
        {
            self.failed(since);
        }
        match &self.state {
            State::Resting { from } => *from <= since && self.until.saturating_sub(utc) < LEFT,
            State::Asked { .. } => false,
        }
    }

    /// Asks with this key.
    pub fn ask(&mut self, since: Duration, key: NewKey) -> Renew {
        let request = STANDARD.encode(&key.request);
        self.state = State::Asked { key: Box::new(key), until: since + PATIENCE };
        Renew { request }
    }

    /// Nothing came of it: it is tried again later.
    pub fn failed(&mut self, since: Duration) {
        let pause = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.state = State::Resting { from: since + pause };
    }

    /// What an answer brings; nothing, when it is for another key than the one asked with.
    ///
    /// # Errors
    /// Why it is not taken; it is tried again later.
    pub fn answered(
        &mut self,
        since: Duration,
        answer: Renewed,
        trusted: &Trusted,
        name: &str,
    ) -> Result<Option<Pem>, Refused> {
        let State::Asked { key, .. } = &self.state else { return Ok(None) };
        let judged = judge(answer, key, trusted, name, self.until);
        match &judged {
            Ok(Some(pem)) => {
                self.until = pem.until;
                self.failures = 0;
                self.state = State::Resting { from: since };
            }
            Ok(None) => {}
            Err(_) => self.failed(since),
        }
        judged
    }
}

fn judge(
    answer: Renewed,
    key: &NewKey,
    trusted: &Trusted,
    name: &str,
    until: i64,
) -> Result<Option<Pem>, Refused> {
    let Some(pem) = answer.certificate else {
        return Err(answer.refused.map_or(Refused::Form, Refused::ByServer));
    };
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| Refused::Form)?;
    let says = Certificate::read(&der).ok_or(Refused::Form)?;
    let ours = key_of_request(&key.request).map_err(|_| Refused::Form)?;
    if point(&says.key) != Some(&ours[..]) {
        return Ok(None);
    }
    trusted.check(&der, name).map_err(Refused::Foreign)?;
    if says.name != name {
        return Err(Refused::Foreign(rustls::Error::General("its common name is another's".to_owned())));
    }
    if says.until <= until {
        return Err(Refused::NoLater);
    }
    Ok(Some(Pem { certificate: pem, key: key.private.clone(), until: says.until }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;
    const LIFE: i64 = LIFE_DAYS.cast_signed() * DAY;

    #[test]
    fn it_asks_when_a_third_is_left_and_not_before() {
        let now = 1_800_000_000_000_000;
        let mut renewal = Renewal::new(now + LIFE);
        assert!(!renewal.is_due(Duration::ZERO, now));
        assert!(!renewal.is_due(Duration::ZERO, now + LIFE * 2 / 3 - DAY));
        assert!(renewal.is_due(Duration::ZERO, now + LIFE * 2 / 3 + DAY));
        assert!(renewal.is_due(Duration::ZERO, now + LIFE + DAY), "after its end too");
        assert!(!renewal.is_due(Duration::ZERO, 0), "the clock stands at 1970");
    }

    #[test]
    fn it_tries_again_ever_more_rarely() {
        let mut renewal = Renewal::new(0);
        let mut since = Duration::ZERO;
        let mut pauses = Vec::new();
        for _ in 0..12 {
            assert!(renewal.is_due(since, 1));
            let _ = renewal.ask(since, NewKey::make().expect("a key"));
            assert!(!renewal.is_due(since + PATIENCE / 2, 1), "the answer may still come");
            let gave_up = since + PATIENCE;
            since = gave_up;
            while !renewal.is_due(since, 1) {
                since += Duration::from_secs(30);
            }
            pauses.push((since - gave_up).as_secs());
        }
        assert_eq!(pauses[..4], [60, 120, 240, 480]);
        assert_eq!(pauses[11], LONGEST.as_secs());
    }
}
