//! What was said in the log about devices: once for each and each cause, then counted.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// What goes on is said again after so long, with how often it came meanwhile.
const AGAIN: Duration = Duration::from_secs(3600);
/// Devices and causes remembered; those beyond are not told of.
const MOST: usize = 8192;

/// What was told, and how often it was kept back since.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeMap<(String, &'static str), (Instant, u64)>);

impl Told {
    /// Whether to say this now: then how often it was kept back since it was last said.
    pub(super) fn tell(&mut self, device: &str, cause: &'static str, now: Instant) -> Option<u64> {
        let key = (device.to_owned(), cause);
        if let Some((said, kept_back)) = self.0.get_mut(&key) {
            if now < *said + AGAIN {
                *kept_back += 1;
                return None;
            }
            *said = now;
            return Some(std::mem::take(kept_back));
        }
        if self.0.len() >= MOST {
            return None;
        }
        self.0.insert(key, (now, 0));
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_and_cause_is_told_once_then_counted() {
        let (mut told, now) = (Told::default(), Instant::now());
        assert_eq!(told.tell("vision-1", "not for it", now), Some(0));
        for _ in 0..9000 {
            assert_eq!(told.tell("vision-1", "not for it", now + AGAIN / 2), None);
        }
        assert_eq!(told.tell("vision-1", "unknown", now), Some(0), "another cause");
        assert_eq!(told.tell("vision-2", "not for it", now), Some(0), "another device");
        assert_eq!(told.tell("vision-1", "not for it", now + AGAIN), Some(9000));
        assert_eq!(told.tell("vision-1", "not for it", now + AGAIN), None);
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let (mut told, now) = (Told::default(), Instant::now());
        for at in 0..2 * MOST {
            let _ = told.tell(&at.to_string(), "unknown", now);
        }
        assert_eq!(told.0.len(), MOST);
    }
}
