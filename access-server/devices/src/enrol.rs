//! A device comes with its code, and a request that it signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use doors::place;
use identity::key_of_request;
use kit::Kit;
use kit::auth::codes::Tried;
use kit::pki::{Holder, PkiError};
use kit::problem::{Problem, chain};
use serde_json::json;
use uplink::enrol::{Granted, Request};

use crate::authority::Trust;
use crate::certificate::{self, Why};
use crate::code;

/// The first wrong code of an address is journaled, and the one from which on it waits: strangers do not fill the journal.
const TOLD: [u32; 2] = [1, 5];

/// Why a device was given nothing.
#[derive(Debug, thiserror::Error)]
pub enum EnrolRefusal {
    /// The code is wrong, was used, was withdrawn or has expired: which of them is for the journal alone.
    #[error("the code is not taken")]
    Code,
    /// What came is no request for a certificate. Said whatever the code.
    #[error("the request is no PKCS#10 that is signed with the ECDSA P-256 key that it is for")]
    Request,
    /// Too many wrong codes: wait so many seconds.
    #[error("too many wrong codes: wait {0} s")]
    Wait(u64),
    /// The authority's key is not on this machine.
    #[error("certificates are not issued here: the authority's key is elsewhere")]
    NoAuthority,
    /// The certificate could not be made.
    #[error("the certificate could not be made")]
    Pki(#[from] PkiError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl From<EnrolRefusal> for Problem {
    fn from(refusal: EnrolRefusal) -> Self {
        let words = refusal.to_string();
        match refusal {
            EnrolRefusal::Code => Self::forbidden("code", words),
            EnrolRefusal::Request => Self::refused("request", words),
            EnrolRefusal::Wait(seconds) => Self::too_many(seconds),
            EnrolRefusal::NoAuthority => Self::unavailable(words),
            EnrolRefusal::Pki(error) => Self::internal(&error),
            EnrolRefusal::Database(error) => error.into(),
        }
    }
}

/// Gives whoever has the code a certificate of the name that it was made for, once.
///
/// # Errors
/// Why not. Whatever was wrong with the code, the answer and its time are the same.
pub async fn redeem(
    kit: &Kit,
    trust: &Trust,
    request: &Request,
    address: &str,
) -> Result<Granted, EnrolRefusal> {
    let authority = trust.authority().ok_or(EnrolRefusal::NoAuthority)?;
    let tried = Tried::count(kit, address).map_err(EnrolRefusal::Wait)?;
    let der = STANDARD.decode(&request.request).map_err(|_| EnrolRefusal::Request)?;
    let point = key_of_request(&der).map_err(|_| EnrolRefusal::Request)?;
    let digest = request.secret.digest();
    let found = code::find(&mut *kit.read().acquire().await?, digest.clone(), kit.now()).await?;
    let Some(holder) =
        found.as_ref().filter(|it| it.spent.is_none()).and_then(|it| Holder::parse(&it.holder))
    else {
        return refuse(kit, tried, found).await;
    };
    let mut tx = kit.begin().await?;
    // Two may have come with it at once.
    let now = tx.now();
    let found = code::find(&mut tx, digest, now).await?;
    let Some(found) = found.filter(|it| it.spent.is_none()) else {
        drop(tx);
        return refuse(kit, tried, None).await;
    };
    if !code::use_up(&mut tx, found.id).await? {
        drop(tx);
        return refuse(kit, tried, Some(found)).await;
    }
    let signed = authority.sign(&holder, &[], point, tx.now(), None)?;
    certificate::keep(&mut tx, &holder, &signed, Why::Enrolled).await?;
    let told = json!({ "enrolment": found.id.0, "device": found.holder, "serial": certificate::hex(&signed.serial),
        "until": signed.until });
    tx.record("enrolment.used", &told).await?;
    let site = place::site(&mut tx).await?.map(|site| site.label.name).unwrap_or_default();
    tx.commit().await?;
    tried.was_right();
    let (broker, port) = trust.broker();
    Ok(Granted {
        name: found.holder,
        certificate: signed.pem,
        authority: trust.pem().to_owned(),
        broker: broker.to_owned(),
        port,
        site,
        credential_key: match holder {
            Holder::Controller(_) => Some(certificate::hex(kit.keys().credential())),
            Holder::Server | Holder::Web | Holder::Broker | Holder::Vision(_) => None,
        },
    })
}

/// Always as late, and in the same words.
async fn refuse(kit: &Kit, tried: Tried, found: Option<code::Found>) -> Result<Granted, EnrolRefusal> {
    let note = async {
        // A code that was good once is worth a record each time: few have one.
        if found.is_none() && !TOLD.contains(&tried.count) {
            return Ok(());
        }
        let mut tx = kit.begin().await?;
        let told = json!({ "enrolment": found.as_ref().map(|it| it.id.0), "device": found.as_ref().map(|it| &it.holder),
            "why": found.as_ref().and_then(|it| it.spent).unwrap_or("unknown"), "tries": tried.count });
        tx.record("enrolment.refused", &told).await?;
        tx.commit().await
    };
    if let Err(error) = note.await {
        let error: sqlx::Error = error;
        tracing::error!(error = %chain(&error), "a wrong one-time code could not be journaled");
    }
    tried.refused().await;
    Err(EnrolRefusal::Code)
}
