//! When server and outbox do not fit together any more.
//!
//! The server may have been restored from a backup: it has less than it acknowledged. Or this database was: the server has
//! numbers that were never given here. Nothing of it is passed over in silence.

use sqlx::SqliteConnection;
use uplink::event::{Body, Controller, ControllerChange, Lost, Stream};

use super::{Entry, Levels, index, schema, writer};

/// The server has no more than `up_to` of a stream. What it lacks and the ring still has goes again; where some of it is
/// gone, the stream goes on in a new epoch, and an urgent event names what is gone.
pub(super) async fn server_has(
    connection: &mut SqliteConnection,
    levels: &mut Levels,
    stream: Stream,
    up_to: u64,
    at: i64,
) -> Result<(), sqlx::Error> {
    let (epoch, acked) = (levels.epoch[index(stream)], levels.acked[index(stream)]);
    if up_to >= acked {
        return Ok(());
    }
    let kept = kept(connection, epoch, stream, up_to, acked).await?;
    let held = u64::try_from(kept.len()).expect("a count");
    levels.acked[index(stream)] = up_to;
    let stream_name = stream.as_str();
    tracing::warn!(stream = stream_name, up_to, acked, held, "the server has less than it acknowledged");
    let missing = acked - up_to - held;
    if missing == 0 {
        return Ok(());
    }
    // From the top downwards, the first number that is not there.
    let highest = kept.iter().zip((up_to..=acked).rev()).take_while(|(kept, all)| *kept == all).count();
    let highest = acked - u64::try_from(highest).expect("a count");
    begin_anew(connection, levels, stream).await?;
    let body = Controller {
        change: ControllerChange::EventsLost,
        policy_version: None,
        count: Some(i64::try_from(missing).unwrap_or(i64::MAX)),
        lost: Some(Lost { epoch, stream, from: up_to + 1, up_to: highest }),
    };
    writer::insert_event(connection, levels, Entry { at, body: Body::Controller(body) }).await
}

/// The server has numbers of this stream's epoch that were never given. What is not acknowledged goes under other ones;
/// some of it may be there twice then, which is better than not at all.
pub(super) async fn set_back(
    connection: &mut SqliteConnection,
    levels: &mut Levels,
    stream: Stream,
    at: i64,
) -> Result<(), sqlx::Error> {
    begin_anew(connection, levels, stream).await?;
    let change = ControllerChange::OutboxSetBack;
    let body = Controller { change, policy_version: None, count: None, lost: None };
    writer::insert_event(connection, levels, Entry { at, body: Body::Controller(body) }).await
}

/// The numbers still kept of `after + 1 ..= up_to`, the highest first.
async fn kept(
    connection: &mut SqliteConnection,
    epoch: u32,
    stream: Stream,
    after: u64,
    up_to: u64,
) -> Result<Vec<u64>, sqlx::Error> {
    let rows: Vec<i64> = sqlx::query_scalar(
        "SELECT seq FROM event WHERE stream = $1 AND epoch = $2 AND seq > $3 AND seq <= $4 ORDER BY seq DESC",
    )
    .bind(i64::try_from(index(stream)).expect("0 or 1"))
    .bind(i64::from(epoch))
    .bind(after.cast_signed())
    .bind(up_to.cast_signed())
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(i64::cast_unsigned).collect())
}

/// A new epoch of a stream: everything that is not acknowledged gets numbers from 1, in its order.
async fn begin_anew(
    connection: &mut SqliteConnection,
    levels: &mut Levels,
    stream: Stream,
) -> Result<(), sqlx::Error> {
    let at = index(stream);
    let before = levels.epoch[at];
    while levels.epoch[at] == before {
        levels.epoch[at] = schema::fresh_epoch()?;
    }
    let carried = sqlx::query(
        "WITH numbered AS MATERIALIZED (SELECT id, row_number() OVER (ORDER BY seq) AS place FROM event \
         WHERE stream = $1 AND epoch = $2 AND seq > $3) \
         UPDATE event SET epoch = $4, seq = numbered.place FROM numbered WHERE event.id = numbered.id",
    )
    .bind(i64::try_from(at).expect("0 or 1"))
    .bind(i64::from(before))
    .bind(levels.acked[at].cast_signed())
    .bind(i64::from(levels.epoch[at]))
    .execute(&mut *connection)
    .await?;
    (levels.last[at], levels.acked[at]) = (carried.rows_affected(), 0);
    tracing::error!(
        stream = stream.as_str(),
        before,
        epoch = levels.epoch[at],
        "a stream begins a new epoch"
    );
    Ok(())
}
