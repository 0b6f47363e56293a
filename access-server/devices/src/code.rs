//! Invitations: made, withdrawn, used up. The code is shown once, and its digest kept.

use doors::place;
use kit::Tx;
use kit::auth::OperatorId;
use kit::clock::Micros;
use kit::pki::Holder;
use kit::problem::Problem;
use ring::rand::{SecureRandom, SystemRandom};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use sqlx::AnyConnection;
use uplink::enrol::{Code, Fingerprint};

/// How long a code is good, where nothing else was said.
pub const USUAL: Micros = 24 * 3_600_000_000;
/// And at most.
pub const LONGEST: Micros = 7 * 24 * 3_600_000_000;
/// Codes that may be used now, at most.
const OPEN: i64 = 100;
/// Those that were used, have expired or were withdrawn are forgotten after so long; the journal has them.
const FORGET: Micros = 90 * 24 * 3_600_000_000;

kit::statements! {
    AUTHORITY = "SELECT certificate FROM authority WHERE id = 1";
    COUNT_OPEN = "SELECT COUNT(*) FROM enrolment WHERE used_at IS NULL AND withdrawn_at IS NULL AND expires_at > $1";
    INVITE = "INSERT INTO enrolment (holder, digest, made_by, made_at, expires_at) VALUES ($1, $2, $3, $4, $5) RETURNING id";
    SWEEP = "DELETE FROM enrolment WHERE made_at < $1";
    INVITATIONS = "SELECT id, holder, made_by, made_at, expires_at, used_at, withdrawn_at FROM enrolment ORDER BY id DESC LIMIT 200";
    WITHDRAW = "UPDATE enrolment SET withdrawn_at = $2 WHERE id = $1 AND used_at IS NULL AND withdrawn_at IS NULL RETURNING holder";
    FIND = "SELECT id, holder, made_by, (CASE WHEN used_at IS NOT NULL THEN 1 WHEN withdrawn_at IS NOT NULL THEN 2 WHEN expires_at <= $2 THEN 3 ELSE 0 END) FROM enrolment WHERE digest = $1";
    USE = "UPDATE enrolment SET used_at = $2 WHERE id = $1 AND used_at IS NULL AND withdrawn_at IS NULL AND expires_at > $2";
}

/// An invitation's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnrolmentId(pub i64);

/// An invitation that was made.
#[derive(Debug)]
pub struct Invited {
    /// Its number.
    pub id: EnrolmentId,
    /// To be shown once, and not kept.
    pub code: Code,
    /// When it expires.
    pub expires_at: Micros,
}

/// An invitation, without its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Its number.
    pub id: EnrolmentId,
    /// Who is invited, as `controller-7`.
    pub holder: String,
    /// Who invited; nobody: the command line.
    pub by: Option<OperatorId>,
    /// When it was made.
    pub made_at: Micros,
    /// Until when it is good.
    pub expires_at: Micros,
    /// When it was used.
    pub used_at: Option<Micros>,
    /// When it was withdrawn.
    pub withdrawn_at: Option<Micros>,
}

impl Invitation {
    /// Whether it may be used now.
    #[must_use]
    pub fn is_open(&self, now: Micros) -> bool {
        self.used_at.is_none() && self.withdrawn_at.is_none() && self.expires_at > now
    }
}

/// Why nobody was invited.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// The site names no such device.
    #[error("the site names no such controller, and it is no vision process either")]
    Holder,
    /// Too long, or not at all.
    #[error("a code is good for seven days at most")]
    Life,
    /// Too many are open.
    #[error("there are {OPEN} open codes already: withdraw some")]
    Full,
    /// There is none, or it was used or withdrawn.
    #[error("there is no such open code")]
    Unknown,
    /// No authority.
    #[error("the site's authority is not known yet: start the server once")]
    NoAuthority,
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl From<CodeError> for Problem {
    fn from(error: CodeError) -> Self {
        let words = error.to_string();
        match error {
            CodeError::Holder => Self::refused("field", words).with("field", "device"),
            CodeError::Life => Self::refused("field", words).with("field", "hours"),
            CodeError::Full => Self::conflict("too-many-codes", words),
            CodeError::Unknown => Self::not_found(words),
            CodeError::NoAuthority => Self::conflict("no-authority", words),
            CodeError::Database(error) => error.into(),
        }
    }
}

/// Invites a device that the site names, for so long.
///
/// # Errors
/// Why not.
pub async fn invite(
    tx: &mut Tx,
    by: Option<OperatorId>,
    device: &str,
    life: Micros,
) -> Result<Invited, CodeError> {
    let holder = Holder::parse(device).ok_or(CodeError::Holder)?;
    match holder {
        Holder::Controller(id) => {
            let named = place::controllers(tx).await?;
            if !named.iter().any(|(known, _)| known.0 == id) {
                return Err(CodeError::Holder);
            }
        }
        // The site's tables name none: a camera is a matter between its vision process and a controller.
        Holder::Vision(_) => {}
        Holder::Server | Holder::Web | Holder::Broker => return Err(CodeError::Holder),
    }
    if !(1..=LONGEST).contains(&life) {
        return Err(CodeError::Life);
    }
    let authority: Option<(String,)> = sqlx::query_as(AUTHORITY).fetch_optional(&mut **tx).await?;
    let authority = authority.and_then(|(pem,)| CertificateDer::from_pem_slice(pem.as_bytes()).ok());
    let authority = authority.ok_or(CodeError::NoAuthority)?;
    let now = tx.now();
    let (open,): (i64,) = sqlx::query_as(COUNT_OPEN).bind(now).fetch_one(&mut **tx).await?;
    if open >= OPEN {
        return Err(CodeError::Full);
    }
    sqlx::query(SWEEP).bind(now.saturating_sub(FORGET)).execute(&mut **tx).await?;
    let mut secret = [0; Code::SECRET];
    SystemRandom::new().fill(&mut secret).expect("the system's random source works");
    let code = Code::new(secret, Fingerprint::of(&authority));
    let expires_at = now.saturating_add(life);
    let (id,): (i64,) = sqlx::query_as(INVITE)
        .bind(device)
        .bind(code.secret().digest())
        .bind(by.map(|by| by.0))
        .bind(now)
        .bind(expires_at)
        .fetch_one(&mut **tx)
        .await?;
    let told =
        json!({ "enrolment": id, "device": device, "expires_at": expires_at, "by": by.map(|by| by.0) });
    tx.record("enrolment.made", &told).await?;
    Ok(Invited { id: EnrolmentId(id), code, expires_at })
}

/// Every invitation that is remembered, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn invitations(connection: &mut AnyConnection) -> Result<Vec<Invitation>, sqlx::Error> {
    type Row = (i64, String, Option<i64>, i64, i64, Option<i64>, Option<i64>);
    let rows: Vec<Row> = sqlx::query_as(INVITATIONS).fetch_all(connection).await?;
    let rows =
        rows.into_iter().map(|(id, holder, by, made_at, expires_at, used_at, withdrawn_at)| Invitation {
            id: EnrolmentId(id),
            holder,
            by: by.map(OperatorId),
            made_at,
            expires_at,
            used_at,
            withdrawn_at,
        });
    Ok(rows.collect())
}

/// Takes an invitation back.
///
/// # Errors
/// When there is none that is open.
pub async fn withdraw(tx: &mut Tx, by: Option<OperatorId>, id: EnrolmentId) -> Result<(), CodeError> {
    let now = tx.now();
    let done: Option<(String,)> =
        sqlx::query_as(WITHDRAW).bind(id.0).bind(now).fetch_optional(&mut **tx).await?;
    let (device,) = done.ok_or(CodeError::Unknown)?;
    let told = json!({ "enrolment": id.0, "device": device, "by": by.map(|by| by.0) });
    tx.record("enrolment.withdrawn", &told).await?;
    Ok(())
}

/// What a code's digest is found to be.
pub(crate) struct Found {
    pub(crate) id: EnrolmentId,
    pub(crate) holder: String,
    /// Why it is not good: it was used, withdrawn, or has expired.
    pub(crate) spent: Option<&'static str>,
}

pub(crate) async fn find(
    connection: &mut AnyConnection,
    digest: Vec<u8>,
    now: Micros,
) -> Result<Option<Found>, sqlx::Error> {
    let row: Option<(i64, String, Option<i64>, i64)> =
        sqlx::query_as(FIND).bind(digest).bind(now).fetch_optional(connection).await?;
    Ok(row.map(|(id, holder, _, spent)| Found {
        id: EnrolmentId(id),
        holder,
        spent: match spent {
            0 => None,
            1 => Some("used"),
            2 => Some("withdrawn"),
            _ => Some("expired"),
        },
    }))
}

/// Uses it up; false when somebody was faster.
pub(crate) async fn use_up(tx: &mut Tx, id: EnrolmentId) -> Result<bool, sqlx::Error> {
    let now = tx.now();
    Ok(sqlx::query(USE).bind(id.0).bind(now).execute(&mut **tx).await?.rows_affected() == 1)
}
