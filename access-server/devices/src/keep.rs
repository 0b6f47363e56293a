//! What goes on beside the requests: the list of revoked certificates is signed, written where the broker reads it, and the
//! broker told; whoever was revoked is put off; what ends soon is told of.

use std::collections::BTreeMap;
use std::time::Duration;

use identity::NewKey;
use kit::Kit;
use kit::pki::Holder;
use kit::problem::chain;
use kit::stream::Reader;
use kit::trouble::Trouble;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::authority::Trust;
use crate::certificate::{self, Kept, Standing};

/// Files and ends are looked at so often.
const LOOK: Duration = Duration::from_secs(3600);
/// What failed is tried again after so long.
const AGAIN: Duration = Duration::from_secs(5);
/// A certificate that puts a device off is good for so long, and is never written down.
const MOMENT: Duration = Duration::from_secs(300);
/// One that ended longer ago is nobody's any more.
const LONG_AGO: i64 = 30 * 86_400_000_000;

/// What is to be told at the broker.
#[derive(Debug)]
pub enum Tell {
    /// There is a new list.
    List,
    /// Somebody is to be put off.
    PutOff(PutOff),
}

/// Whoever connects with this takes the place of the device of that name at the broker, which knows each name once.
pub struct PutOff {
    /// The device.
    pub device: String,
    /// The certificate, PEM.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl std::fmt::Debug for PutOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PutOff").field("device", &self.device).finish_non_exhaustive()
    }
}

/// Looks after all that until `tell` is closed.
pub async fn keep(kit: Kit, trust: Trust, tell: mpsc::Sender<Tell>) {
    let mut look_at = Instant::now();
    loop {
        let Ok(mut reader) = kit.events().subscribe(None).await else {
            tokio::time::sleep(AGAIN).await;
            continue;
        };
        let mut revoked = Vec::new();
        loop {
            if look_at <= Instant::now() {
                look_at = Instant::now() + LOOK;
                if look(&kit, &trust).await && tell.send(Tell::List).await.is_err() {
                    return;
                }
            }
            match lists(&kit, &trust, &tell).await {
                Ok(true) => {
                    for device in revoked.drain(..) {
                        if let Some(put_off) = put_off(&kit, &trust, device)
                            && tell.send(Tell::PutOff(put_off)).await.is_err()
                        {
                            return;
                        }
                    }
                }
                Ok(false) => return,
                Err(error) => {
                    tracing::error!(error = %chain(error.as_ref()), "the list of revoked certificates was not renewed; trying again");
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            }
            match timeout(look_at - Instant::now(), next(&mut reader)).await {
                Ok(Some(device)) => revoked.extend(device),
                Err(_) => {}
                // It fell behind, and begins anew: what is revoked stands in the tables.
                Ok(None) => break,
            }
        }
    }
}

/// Waits for a record that may change the list: the device that it is of, where it is of one.
async fn next(reader: &mut Reader) -> Option<Option<String>> {
    #[derive(Deserialize)]
    struct Told {
        device: String,
    }
    loop {
        let event = reader.next().await?;
        if event.stream == kit::Stream::Own {
            match event.kind.as_str() {
                "certificate.revoked" => return Some(event.parse::<Told>().map(|told| told.device)),
                "revocations.seen" => return Some(None),
                _ => {}
            }
        }
    }
}

/// Signs what is to be signed and writes it out; false when nobody listens any more.
async fn lists(
    kit: &Kit,
    trust: &Trust,
    tell: &mpsc::Sender<Tell>,
) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
    certificate::sign_list(kit, trust).await?;
    let Some((_, list)) = certificate::list_in_force(kit).await? else { return Ok(!tell.is_closed()) };
    let path = trust.list();
    if std::fs::read_to_string(&path).is_ok_and(|there| there == list) {
        return Ok(!tell.is_closed());
    }
    tokio::task::spawn_blocking(move || identity::write_over(&path, list.as_bytes(), 0o644)).await??;
    Ok(tell.send(Tell::List).await.is_ok())
}

/// Files that came, and certificates that end; whether the broker's was exchanged.
async fn look(kit: &Kit, trust: &Trust) -> bool {
    let looked = async {
        let found = certificate::adopt(kit, trust).await?;
        if found > 0 {
            tracing::info!(found, "certificates were found beside the authority that were not known");
        }
        let renewed = certificate::renew_own(kit, trust).await?;
        if !renewed.is_empty() {
            tracing::info!(?renewed, "certificates of the site were renewed");
        }
        let kept = certificate::certificates(&mut *kit.read().acquire().await?).await?;
        if ends_soon(&kept, kit.now()) {
            kit.troubles().raise(Trouble::CertificateEnds, kit.now());
        } else {
            kit.troubles().clear(Trouble::CertificateEnds);
        }
        Ok::<_, certificate::RenewError>(renewed.contains(&Holder::Broker))
    };
    looked.await.unwrap_or_else(|error| {
        tracing::warn!(error = %chain(&error), "the site's certificates could not be looked at");
        false
    })
}

/// Whether the newest certificate of anybody ends soon, or did a short while ago.
fn ends_soon(kept: &[Kept], now: i64) -> bool {
    let mut last: BTreeMap<&str, &Kept> = BTreeMap::new();
    for it in kept.iter().filter(|it| it.revoked.is_none()) {
        let newest = last.entry(&it.holder).or_insert(it);
        if it.ends_at > newest.ends_at {
            *newest = it;
        }
    }
    last.values().any(|it| match it.standing(now) {
        Standing::EndsSoon => true,
        Standing::Ended => now - it.ends_at < LONG_AGO,
        Standing::Good | Standing::Revoked => false,
    })
}

fn put_off(kit: &Kit, trust: &Trust, device: String) -> Option<PutOff> {
    let holder @ (Holder::Controller(_) | Holder::Vision(_)) = Holder::parse(&device)? else { return None };
    let key = NewKey::make().ok()?;
    let point = identity::key_of_request(&key.request).ok()?;
    let signed = trust.authority()?.sign(&holder, &[], point, kit.now(), Some(MOMENT)).ok()?;
    Some(PutOff { device, certificate: signed.pem, key: key.private })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::Why;

    #[test]
    fn what_ends_soon_is_told_of_until_it_is_renewed_revoked_or_long_gone() {
        const DAY: i64 = 86_400_000_000;
        let kept = |holder: &str, ends_at, revoked| Kept {
            serial: vec![1],
            holder: holder.to_owned(),
            why: Why::Found,
            known_at: 0,
            ends_at,
            revoked,
        };
        let now = 1000 * DAY;
        assert!(!ends_soon(&[kept("a", now + 31 * DAY, None)], now));
        assert!(ends_soon(&[kept("a", now + 29 * DAY, None)], now));
        assert!(ends_soon(&[kept("a", now - DAY, None)], now));
        assert!(!ends_soon(&[kept("a", now - 31 * DAY, None)], now));
        assert!(!ends_soon(&[kept("a", now + DAY, None), kept("a", now + 700 * DAY, None)], now), "renewed");
        assert!(!ends_soon(&[kept("a", now + DAY, Some((1, None, String::new())))], now), "revoked");
    }
}
