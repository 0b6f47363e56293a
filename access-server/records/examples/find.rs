//! How fast records are found: `find [records] [turns]`, one line of JSON a question.
//!
//! A journal of 200 days, 50,000 people and 200 doors is written and indexed; beside it, in a file of its own, stands
//! what one would write without this slice: a table of the same events with an index for each column, asked by one
//! statement. Both are asked the same in turns, their answers compared. *Cold* is the first asking after the
//! system's page cache was emptied and every connection opened anew, where the system allows that.

use std::path::Path;
use std::time::{Duration, Instant};

use kit::journal::MIGRATIONS;
use kit::{Clock, Db, Keys, Kit};
use records::{Place, Question, catch_up, search};
use serde_json::json;
use sqlx::{AnyConnection, Connection, Executor};

type Fault = Box<dyn std::error::Error>;

const PEOPLE: u64 = 50_000;
const DOORS: u64 = 200;
const DAYS: i64 = 200;
const DAY: i64 = 86_400_000_000;
const BEGAN: i64 = 1_772_438_400_000_000;
const PAGE: usize = 100;
const REASONS: [&str; 8] = [
    "outside-schedule",
    "no-access-level",
    "unknown-face",
    "wrong-pin",
    "enters-twice",
    "credential-lost",
    "person-suspended",
    "duress",
];

/// What is asked: a part of names, a door, a reason, days counted from the first.
struct Asked {
    case: &'static str,
    name: Option<&'static str>,
    door: Option<u64>,
    reason: Option<&'static str>,
    days: Option<(i64, i64)>,
}

const CASES: [Asked; 8] = [
    Asked { case: "one person", name: Some("n41234x"), door: None, reason: None, days: None },
    Asked { case: "one person at a door", name: Some("n41234x"), door: Some(7), reason: None, days: None },
    Asked { case: "3,572 people", name: Some("wang"), door: None, reason: None, days: None },
    Asked {
        case: "3,572 people at a seldom used door",
        name: Some("wang"),
        door: Some(190),
        reason: None,
        days: None,
    },
    Asked {
        case: "3,572 people on a day",
        name: Some("wang"),
        door: None,
        reason: None,
        days: Some((20, 21)),
    },
    Asked { case: "a rare reason", name: None, door: None, reason: Some("duress"), days: None },
    Asked {
        case: "a reason at a seldom used door",
        name: None,
        door: Some(190),
        reason: Some("wrong-pin"),
        days: None,
    },
    Asked {
        case: "3,572 people and a rare reason",
        name: Some("wang"),
        door: None,
        reason: Some("duress"),
        days: None,
    },
];

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Fault> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let records = arguments.next().transpose()?.unwrap_or(1_000_000);
    let turns = arguments.next().transpose()?.unwrap_or(7);
    let folder = tempfile::tempdir()?;
    write(folder.path(), records).await?;
    for asked in &CASES {
        let cold = can_be_cold();
        let (_, ours_cold) = ours(&open(folder.path()).await?, asked).await?;
        can_be_cold();
        let (_, peer_cold) = peer(&mut beside(folder.path()).await?, asked).await?;
        let (kit, mut connection) = (open(folder.path()).await?, beside(folder.path()).await?);
        let (mut our_times, mut peer_times) = (Vec::new(), Vec::new());
        for _ in 0..turns {
            let (found, time) = ours(&kit, asked).await?;
            our_times.push(time);
            let (same, time) = peer(&mut connection, asked).await?;
            peer_times.push(time);
            if found != same {
                return Err(format!(
                    "{}: the two do not agree: {} and {}",
                    asked.case,
                    found.len(),
                    same.len()
                )
                .into());
            }
        }
        let cold = |time: Duration| cold.then(|| milliseconds(time));
        println!(
            "{}",
            json!({ "case": asked.case, "records": records, "ours_ms": median(&mut our_times),
                "peer_ms": median(&mut peer_times), "ours_cold_ms": cold(ours_cold), "peer_cold_ms": cold(peer_cold) })
        );
    }
    Ok(())
}

/// Both databases.
async fn write(folder: &Path, records: u64) -> Result<(), Fault> {
    let began = Instant::now();
    let clock = Clock::fixed(BEGAN);
    let db = Db::open(&address(folder, "journal")).await?;
    db.migrate(&[MIGRATIONS, records::MIGRATIONS].concat(), BEGAN).await?;
    let kit = Kit::new(db, clock.clone(), Keys::create(&folder.join("keys"))?, None)?;
    let mut plain = AnyConnection::connect(&address(folder, "plain")).await?;
    plain
        .execute(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
             CREATE TABLE person (id INTEGER PRIMARY KEY, sought TEXT NOT NULL);
             CREATE TABLE event (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, person INTEGER NOT NULL,
                 door INTEGER NOT NULL, reason TEXT, body TEXT NOT NULL);",
        )
        .await?;
    plain.execute("BEGIN").await?;
    for id in 1..=PEOPLE {
        let sought = format!("{}\nn{id}x", if id % 14 == 0 { "wang" } else { "li" });
        sqlx::query("INSERT INTO person VALUES ($1, $2)")
            .bind(id.cast_signed())
            .bind(sought)
            .execute(&mut plain)
            .await?;
    }
    plain.execute("COMMIT").await?;
    let step = Duration::from_micros((DAYS * DAY).unsigned_abs() / records.max(1));
    let mut chance = 88_172_645_463_325_252_u64;
    let mut random = move |below: u64| {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        chance % below
    };
    let mut done = 0;
    while done < records {
        plain.execute("BEGIN").await?;
        let mut tx = kit.begin().await?;
        for _ in 0..500.min(records - done) {
            let person = 1 + random(PEOPLE);
            // Few doors are used by most.
            let door = 1 + random(DOORS).min(random(DOORS)).min(random(DOORS));
            let reason = (random(20) == 0).then(|| REASONS[random(8).min(random(8)).min(random(8)) as usize]);
            let reasons: Vec<_> = reason.iter().map(|code| json!({ "code": code })).collect();
            let body = json!({ "door": door, "side": "entry", "person": person,
                "outcome": if reason.is_some() { "denied" } else { "granted" }, "reasons": reasons,
                "trace": { "policy_version": 812, "shown": [{ "code": "face", "facts": { "score": 0.71 } }],
                    "rules": [{ "rule": "validity", "passed": true }, { "rule": "schedule", "passed": true }],
                    "centre": "not-needed" } });
            let seq = tx.record("access", &body).await?;
            sqlx::query("INSERT INTO event VALUES ($1, $2, $3, $4, $5, $6)")
                .bind(seq.cast_signed())
                .bind(tx.now())
                .bind(person.cast_signed())
                .bind(door.cast_signed())
                .bind(reason)
                .bind(body.to_string())
                .execute(&mut plain)
                .await?;
        }
        tx.commit().await?;
        plain.execute("COMMIT").await?;
        let count = 500.min(records - done);
        done += count;
        clock.advance(step * u32::try_from(count)?);
    }
    let written = began.elapsed();
    let began = Instant::now();
    catch_up(&kit).await?;
    eprintln!(
        "  records: {records} written in {written:.0?}, indexed in {:.0?} ({:.1} us each)",
        began.elapsed(),
        began.elapsed().as_secs_f64() * 1e6 / records as f64
    );
    plain
        .execute(
            "CREATE INDEX event_at ON event (at, seq); CREATE INDEX event_person ON event (person, at, seq);
             CREATE INDEX event_door ON event (door, at, seq); CREATE INDEX event_reason ON event (reason, at, seq);
             ANALYZE;",
        )
        .await?;
    plain.close().await?;
    kit.db().close().await;
    Ok(())
}

async fn open(folder: &Path) -> Result<Kit, Fault> {
    let db = Db::open(&address(folder, "journal")).await?;
    Ok(Kit::new(db, Clock::Real, Keys::open(&folder.join("keys"))?, None)?)
}

async fn beside(folder: &Path) -> Result<AnyConnection, Fault> {
    Ok(AnyConnection::connect(&address(folder, "plain")).await?)
}

async fn ours(kit: &Kit, asked: &Asked) -> Result<(Vec<u64>, Duration), Fault> {
    let began = Instant::now();
    // Who has such a name is in both databases the same walk over all names: here it is the numbers.
    let people = asked.name.map(|name| {
        (1..=PEOPLE)
            .filter(|id| if name == "wang" { id % 14 == 0 } else { format!("n{id}x") == name })
            .collect()
    });
    let question = Question {
        people,
        doors: asked.door.map(|door| vec![door]),
        words: asked.reason.iter().map(|reason| vec![format!("reason.{reason}")]).collect(),
        from: asked.days.map(|(from, _)| BEGAN + from * DAY),
        until: asked.days.map(|(_, until)| BEGAN + until * DAY),
    };
    let (mut places, mut before) = (Vec::new(), Place::END);
    loop {
        let found = search(kit, &question, before, PAGE - places.len()).await?;
        places.extend(found.records.iter().map(|record| record.seq));
        match found.next {
            Some(next) if found.tired => before = next,
            Some(_) | None => return Ok((places, began.elapsed())),
        }
    }
}

async fn peer(connection: &mut AnyConnection, asked: &Asked) -> Result<(Vec<u64>, Duration), Fault> {
    let began = Instant::now();
    let mut sql = "SELECT seq, body FROM event WHERE 1 = 1".to_owned();
    if let Some(name) = asked.name {
        sql += &format!(" AND person IN (SELECT id FROM person WHERE sought LIKE '%{name}%')");
    }
    if let Some(door) = asked.door {
        sql += &format!(" AND door = {door}");
    }
    if let Some(reason) = asked.reason {
        sql += &format!(" AND reason = '{reason}'");
    }
    if let Some((from, until)) = asked.days {
        sql += &format!(" AND at >= {} AND at < {}", BEGAN + from * DAY, BEGAN + until * DAY);
    }
    sql += &format!(" ORDER BY at DESC, seq DESC LIMIT {PAGE}");
    let rows: Vec<(i64, String)> =
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(&mut *connection).await?;
    Ok((rows.into_iter().map(|(seq, _)| seq.cast_unsigned()).collect(), began.elapsed()))
}

/// Empties the system's page cache; whether that was allowed.
fn can_be_cold() -> bool {
    std::process::Command::new("sync").status().is_ok_and(|status| status.success())
        && std::fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}

fn address(folder: &Path, name: &str) -> String {
    format!("sqlite:{}?mode=rwc", folder.join(name).with_extension("db").display())
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort();
    milliseconds(times[times.len() / 2])
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
