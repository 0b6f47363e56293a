//! What boards make of a plan settles it.

use kit::Tx;
use kit::ingest::Reacting;
use kit::journal::StoredEvent;
use kit::pki::Holder;
use serde_json::json;
use uplink::event::{Board, BoardChange};

use super::sync::changed;
use crate::label::row_id;

kit::statements! {
    OF_BOARD = "SELECT o.id, o.plan, i.version FROM firmware_order o JOIN firmware_plan p ON p.id = o.plan JOIN firmware_image i ON i.id = p.image WHERE o.controller = $1 AND o.bus = $2 AND o.address = $3 AND o.state NOT IN ('good', 'returned', 'refused') ORDER BY o.id DESC LIMIT 1";
    SETTLE = "UPDATE firmware_order SET state = $2 WHERE id = $1";
    END = "UPDATE firmware_plan SET state = $2 WHERE id = $1 AND state = 'running'";
    LEFT = "SELECT COUNT(*) FROM firmware_order WHERE plan = $1 AND state <> 'good'";
}

/// What a board reports, and the state of its order then.
const STATES: [(BoardChange, &str); 5] = [
    (BoardChange::FirmwareReady, "ready"),
    (BoardChange::FirmwareTrial, "trial"),
    (BoardChange::FirmwareGood, "good"),
    (BoardChange::FirmwareReturned, "returned"),
    (BoardChange::FirmwareRefused, "refused"),
];

/// To be run when events are journaled: notes how far a plan's boards are, ends it where one went back, and lets it go on where its
/// first ones are good.
pub fn react<'a>(tx: &'a mut Tx, events: &'a [std::sync::Arc<StoredEvent>]) -> Reacting<'a> {
    Box::pin(async move {
        for event in events.iter().filter(|event| event.kind == "board") {
            let Some(Holder::Controller(controller)) = Holder::parse(&event.source) else { continue };
            if let Some(board) = event.parse::<Board>() {
                reported(tx, controller, &board).await?;
            }
        }
        Ok(())
    })
}

async fn reported(tx: &mut Tx, controller: u64, board: &Board) -> Result<(), sqlx::Error> {
    let Some((_, state)) = STATES.iter().find(|(change, _)| *change == board.change) else { return Ok(()) };
    let found: Option<(i64, i64, i64)> = sqlx::query_as(OF_BOARD)
        .bind(row_id(controller))
        .bind(&board.bus)
        .bind(i64::from(board.address))
        .fetch_optional(&mut **tx)
        .await?;
    let Some((order, plan, version)) = found else { return Ok(()) };
    // What it says of another version belongs to another plan.
    if board.change != BoardChange::FirmwareRefused && board.count != Some(version) {
        return Ok(());
    }
    sqlx::query(SETTLE).bind(order).bind(*state).execute(&mut **tx).await?;
    match *state {
        "returned" | "refused" => {
            let ended = sqlx::query(END).bind(plan).bind("stopped").execute(&mut **tx).await?;
            if ended.rows_affected() > 0 {
                let body = json!({ "plan": plan, "controller": controller, "bus": board.bus, "address": board.address });
                tx.record("firmware.stopped", &body).await?;
                changed(tx).await?;
            }
        }
        "good" => {
            let (left,): (i64,) = sqlx::query_as(LEFT).bind(plan).fetch_one(&mut **tx).await?;
            let body = json!({ "plan": plan, "left": left });
            if left == 0 {
                sqlx::query(END).bind(plan).bind("done").execute(&mut **tx).await?;
                tx.record("firmware.done", &body).await?;
            } else {
                tx.record("firmware.went-on", &body).await?;
            }
            changed(tx).await?;
        }
        _ => {}
    }
    Ok(())
}
