//! How fast events become durable: `ingest [events] [events per payload]`, one JSON line.
//!
//! What is timed: decoding each payload, putting its events in order, the hash chain, de-duplication, the commit with
//! its sync to the disk, and the acknowledgement. SQLite, write-ahead log, `synchronous = FULL`, in the directory named
//! by `TMPDIR`. CPU is that of the whole process, kernel included.

use std::time::Instant;

use kit::ingest::{self, Lane, Offer, Reactions};
use kit::journal::{MIGRATIONS, NewEvent, verify};
use kit::{Clock, Db, Keys, Kit, Stream};
use tokio::sync::mpsc;
use uplink::event::{Batch, Received};
use uplink::wire;

/// An everyday passage with its trace.
const BODY: &str = r#"{"door":17,"side":"entry","person":41234,"outcome":"granted","reasons":[],"trace":{"policy_version":812,"shown":[{"code":"face","facts":{"score":0.71}}],"rules":[{"rule":"validity","passed":true},{"rule":"schedule","passed":true},{"rule":"anti-passback","passed":true}],"centre":"not-needed"}}"#;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let events = arguments.next().transpose()?.unwrap_or(200_000);
    let per_payload = arguments.next().transpose()?.unwrap_or(100).clamp(1, 100);
    let directory = tempfile::tempdir()?;
    let db = Db::open(&format!("sqlite:{}", directory.path().join("bench.db").display())).await?;
    db.migrate(MIGRATIONS, Clock::Real.now()).await?;
    let kit = Kit::new(db, Clock::Real, Keys::create(&directory.path().join("keys"))?, None)?;
    let payloads = payloads(events, per_payload)?;

    let (ingest, queue) = ingest::queue(256);
    let (sender, mut committed) = mpsc::channel(256);
    let task = tokio::spawn(ingest::run(kit.clone(), queue, Reactions::default(), sender));
    let (began, cpu) = (Instant::now(), cpu_microseconds()?);
    let mut complete = 0;
    for payload in &payloads {
        let mut offer = offer(payload)?;
        // As a broker's window does: what does not fit waits for an acknowledgement.
        while let Err(refused) = ingest.offer(offer) {
            offer = refused;
            complete = committed.recv().await.ok_or("the ingest ended")?.complete[0].1;
        }
    }
    while complete < events {
        complete = committed.recv().await.ok_or("the ingest ended")?.complete[0].1;
    }
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_microseconds()? - cpu);
    let commits = ingest.counts().commits;
    drop(ingest);
    task.await??;
    let report = verify(kit.read(), kit.keys().journal_public(), &[]).await?;
    if report.finding.is_some() || report.records != events || report.signed_up_to != events {
        return Err(format!("the journal is not what was sent: {report:?}").into());
    }
    println!(
        "{{\"events\":{events},\"per_payload\":{per_payload},\"events_per_s\":{:.0},\"cpu_us_per_event\":{:.2},\"commits\":{commits}}}",
        events as f64 / seconds,
        cpu as f64 / events as f64,
    );
    Ok(())
}

fn payloads(events: u64, per_payload: u64) -> Result<Vec<Vec<u8>>, serde_json::Error> {
    let numbers: Vec<u64> = (1..=events).collect();
    numbers
        .chunks(usize::try_from(per_payload).expect("at most 100"))
        .map(|numbers| {
            let events = numbers
                .iter()
                .map(|&seq| {
                    let data = serde_json::value::RawValue::from_string(BODY.to_owned())?;
                    Ok(Received { seq, at: 1_772_438_400_000_000, kind: "access".to_owned(), data })
                })
                .collect::<Result<_, serde_json::Error>>()?;
            Ok(wire::encode(&Batch::<Received> { epoch: 1, events }))
        })
        .collect()
}

fn offer(payload: &[u8]) -> Result<Offer<()>, wire::WireError> {
    let batch: Batch<Received> = wire::decode(payload)?;
    let lane = Lane { source: "controller-1".to_owned(), epoch: batch.epoch, stream: Stream::Bulk };
    let events = batch
        .events
        .into_iter()
        .map(|event| NewEvent {
            source: lane.source.clone(),
            epoch: lane.epoch,
            stream: lane.stream,
            number: event.seq,
            at: event.at,
            kind: event.kind,
            body: Box::<str>::from(event.data).into(),
        })
        .collect();
    Ok(Offer { lane, events, token: () })
}

/// User and system time of this process; the kernel counts in hundredths of a second.
fn cpu_microseconds() -> Result<u64, Box<dyn std::error::Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(')').ok_or("an unknown form of /proc/self/stat")?.1;
    let ticks: Vec<u64> =
        fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<u64>() * 10_000)
}
