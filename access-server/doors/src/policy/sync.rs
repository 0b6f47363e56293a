//! What a controller must be sent.

use domain::ids::ControllerId;
use kit::Kit;
use sqlx::AnyConnection;
use uplink::sync::{Change, Chunk, Digest, Have, Set, chunks};

use super::publish::view;
use super::store;
use crate::label::row_id;

kit::statements! {
    DIGEST_OF = "SELECT digest FROM policy_digest WHERE version = $1 AND controller = $2";
    WHOLE = "SELECT part, id, content FROM policy_row WHERE scope IN (0, $1) AND until IS NULL ORDER BY scope, part, id";
    CAME = "SELECT part, id, content FROM policy_row WHERE scope IN (0, $1) AND since > $2 AND until IS NULL ORDER BY scope, part, id";
    WENT = "SELECT DISTINCT r.part, r.id FROM policy_row r WHERE r.scope IN (0, $1) AND r.since <= $2 AND r.until > $2 AND NOT EXISTS (SELECT 1 FROM policy_row n WHERE n.scope = r.scope AND n.part = r.part AND n.id = r.id AND n.until IS NULL) ORDER BY r.part, r.id";
}

/// What a controller must be sent, given what it holds; nothing when it holds the newest version or when nothing was
/// published yet. `None` when the policy in force knows no such controller.
///
/// # Errors
/// When the database fails.
pub async fn answer(
    kit: &Kit,
    controller: ControllerId,
    have: &Have,
) -> Result<Option<Vec<Chunk>>, sqlx::Error> {
    let mut connection = kit.read().acquire().await?;
    let mut view = view(kit, &mut connection).await?;
    let (version, _) = store::head(&mut view).await?;
    let Some(digest) = digest(&mut view, version.0, controller).await? else {
        return Ok((version.0 == 0).then(Vec::new));
    };
    if have.version == Some(version.0) && have.digest == digest {
        return Ok(Some(Vec::new()));
    }
    let from = match have.version {
        Some(from)
            if from < version.0 && self::digest(&mut view, from, controller).await? == Some(have.digest) =>
        {
            Some(from)
        }
        Some(_) | None => None,
    };
    let controller = row_id(controller.0);
    let came: Vec<(String, i64, String)> = match from {
        Some(from) => sqlx::query_as(CAME).bind(controller).bind(row_id(from)).fetch_all(&mut *view).await?,
        None => sqlx::query_as(WHOLE).bind(controller).fetch_all(&mut *view).await?,
    };
    let mut changes = Vec::with_capacity(came.len());
    if let Some(from) = from {
        let went: Vec<(String, i64)> =
            sqlx::query_as(WENT).bind(controller).bind(row_id(from)).fetch_all(&mut *view).await?;
        changes.extend(went.into_iter().map(|(table, id)| Change::Remove { table, id: id.cast_unsigned() }));
    }
    for (table, id, content) in came {
        let row = serde_json::value::RawValue::from_string(content)
            .map_err(|error| sqlx::Error::Decode(error.into()))?;
        changes.push(Change::Put { table, id: id.cast_unsigned(), row });
    }
    Ok(Some(chunks(Set::Policy, from, version.0, digest, changes)))
}

async fn digest(
    connection: &mut AnyConnection,
    version: u64,
    controller: ControllerId,
) -> Result<Option<Digest>, sqlx::Error> {
    let row: Option<(Vec<u8>,)> = sqlx::query_as(DIGEST_OF)
        .bind(row_id(version))
        .bind(row_id(controller.0))
        .fetch_optional(connection)
        .await?;
    row.map(|(bytes,)| {
        let bytes = bytes.try_into().map_err(|_| sqlx::Error::Decode("a digest has 32 bytes".into()))?;
        Ok(Digest::from_bytes(bytes))
    })
    .transpose()
}
