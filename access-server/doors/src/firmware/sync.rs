//! What a controller must be sent of firmware.

use std::collections::BTreeSet;

use domain::ids::ControllerId;
use kit::{Kit, Tx};
use sqlx::AnyConnection;
use uplink::sync::firmware::{KeyRow, OrderRow, file_rows};
use uplink::sync::{Change, Chunk, Digest, Have, Set, chunks};

use super::image::keys;
use crate::label::row_id;

kit::statements! {
    CHANGED = "UPDATE firmware_change SET number = number + 1 WHERE id = 1";
    NUMBER = "SELECT number FROM firmware_change WHERE id = 1";
    ORDERS_OF = "SELECT o.id, o.plan, o.bus, o.address, p.image, p.starts_at, p.ends_at, p.even_if_open FROM firmware_order o JOIN firmware_plan p ON p.id = o.plan WHERE o.controller = $1 AND p.state = 'running' AND NOT EXISTS (SELECT 1 FROM firmware_order b WHERE b.plan = o.plan AND b.wave < o.wave AND b.state <> 'good') ORDER BY o.id";
    FILE = "SELECT file FROM firmware_image WHERE id = $1";
}

/// Something that controllers copy is another.
pub(super) async fn changed(tx: &mut Tx) -> Result<(), sqlx::Error> {
    sqlx::query(CHANGED).execute(&mut **tx).await.map(|_| ())
}

/// What a controller must be sent, given what it holds: the maker's keys, its own boards' orders of plans that run, and their images.
/// Nothing when it holds that.
///
/// # Errors
/// When the database fails.
pub async fn answer(kit: &Kit, controller: ControllerId, have: &Have) -> Result<Vec<Chunk>, sqlx::Error> {
    let mut connection = kit.read().acquire().await?;
    let (number,): (i64,) = sqlx::query_as(NUMBER).fetch_one(&mut *connection).await?;
    if number == 0 {
        return Ok(Vec::new());
    }
    let rows = rows(&mut connection, controller).await?;
    let mut digest = Digest::default();
    for row in &rows {
        if let Change::Put { table, id, row } = row {
            digest.toggle(table, *id, row.get());
        }
    }
    if have.version.is_some() && have.digest == digest {
        return Ok(Vec::new());
    }
    Ok(chunks(Set::Firmware, None, number.cast_unsigned(), digest, rows))
}

async fn rows(connection: &mut AnyConnection, controller: ControllerId) -> Result<Vec<Change>, sqlx::Error> {
    type Row = (i64, i64, String, i64, i64, i64, i64, i64);
    let orders: Vec<Row> =
        sqlx::query_as(ORDERS_OF).bind(row_id(controller.0)).fetch_all(&mut *connection).await?;
    let mut rows = Vec::new();
    for key in keys(&mut *connection).await? {
        rows.push(Change::put("key", key.id.cast_unsigned(), &KeyRow { public: key.public }));
    }
    let mut images = BTreeSet::new();
    for (id, plan, bus, address, image, from, until, even_if_open) in orders {
        images.insert(image);
        let row = OrderRow {
            plan: plan.cast_unsigned(),
            bus,
            address: u8::try_from(address).map_err(|error| sqlx::Error::Decode(error.into()))?,
            image: image.cast_unsigned(),
            from,
            until,
            even_if_open: even_if_open != 0,
        };
        rows.push(Change::put("order", id.cast_unsigned(), &row));
    }
    for image in images {
        let (file,): (Vec<u8>,) = sqlx::query_as(FILE).bind(image).fetch_one(&mut *connection).await?;
        rows.extend(file_rows(image.cast_unsigned(), &file));
    }
    Ok(rows)
}
