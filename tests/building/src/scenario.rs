//! A piece of building life, step by step, each checked at the pin and in the journal.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Serialize;
use serde_json::{Value, json};
use uplink::event::{Batch, Body, Camera, Event, Stream};
use uplink::topics::{self, Leaf};

use crate::camera::photographs;
use crate::journal::{self, Record, wait_for};
use crate::running::{ARCHIVE, Building, DOOR, LANE};
use crate::site::{CONTROLLER, Site, VISION, output, program};

/// A lock answers within this, however busy the machine.
const PIN: Duration = Duration::from_secs(3);
/// An event is in the journal within this.
const EVENT: Duration = Duration::from_secs(10);
/// A stranger is watched for so long: nothing may move.
const WATCH: Duration = Duration::from_secs(2);
/// How often somebody presents a card before they give up: readers misread now and then.
const LOOKS: u32 = 3;
/// How long a door stands open when somebody walks through.
const STEP: Duration = Duration::from_millis(400);
/// How often the employee passes.
const PRESENTATIONS: usize = 10;
/// The same in the long form, with `GATEHOUSE_SOAK` set.
const PRESENTATIONS_LONG: usize = 50;
/// So long nobody stands before the camera between two people.
const OUT_OF_SIGHT: Duration = Duration::from_millis(1500);
/// The epoch of events that no device of this site sent.
const FORGED_EPOCH: u32 = 4_711;
/// A card of the demonstration's site: facility and number.
const FACILITY: u8 = 12;

/// What came of it all; this is what `--report` writes.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Every step.
    pub steps: Vec<Step>,
    /// Events the controller numbered.
    pub events_accepted: u64,
    /// Events of that controller in the journal.
    pub events_in_journal: u64,
    /// From the frame's emission to the pin's edge.
    pub frame_to_lock_ms: Latency,
}

/// One step.
#[derive(Debug, Serialize)]
pub struct Step {
    /// What was done.
    pub name: &'static str,
    /// Whether all that it checks was so.
    pub ok: bool,
    /// How long it took.
    pub ms: u64,
    /// What was seen, or what was missing.
    pub detail: String,
}

/// Times from frame to lock.
#[derive(Debug, Default, Serialize)]
pub struct Latency {
    /// Presentations.
    pub n: usize,
    /// Median, milliseconds.
    pub p50: f64,
    /// 95th percentile, milliseconds.
    pub p95: f64,
    /// Medians of the stages that the controller and vision report, milliseconds.
    pub stages: BTreeMap<String, f64>,
}

impl Report {
    /// Whether every step was as it should be and nothing was lost.
    pub fn is_good(&self) -> bool {
        self.steps.iter().all(|step| step.ok) && self.events_accepted == self.events_in_journal
    }
}

/// A step: its name, and what is done and checked. It may add times from frame to lock.
pub type Act = (&'static str, fn(&mut Building, &mut Vec<f64>) -> Result<String>);

/// All of it.
pub const LONG: [Act; 15] = [
    ("an employee's face opens the gate", known_face),
    ("the employee's card lets him out again", out_again),
    ("a stranger's face opens nothing", unknown_face),
    ("a print of the employee's face opens nothing", printed_face),
    ("a card opens the door", card),
    ("an unknown card opens nothing", unknown_card),
    ("card and PIN open the archive", card_and_pin),
    ("the exit button opens the door", request_to_exit),
    ("a forced door is told", forced_door),
    ("fire releases the door", fire),
    ("a board unplugged is missed, and opens nothing when it is back", unplugged),
    ("a device's certificate cannot publish another's events", foreign_certificate),
    ("with the server killed the door still opens", server_killed),
    ("with the broker killed the door still opens", broker_killed),
    ("the journal verifies", verified),
];

/// What a second database engine must show too.
pub const SHORT: [Act; 7] = [
    ("a card opens the door", card),
    ("an unknown card opens nothing", unknown_card),
    ("card and PIN open the archive", card_and_pin),
    ("a forced door is told", forced_door),
    ("a device's certificate cannot publish another's events", foreign_certificate),
    ("with the server killed the door still opens", server_killed),
    ("the journal verifies", verified),
];

/// Runs these steps; `say` is told each as it ends.
///
/// # Errors
/// When the end cannot be measured; a step that fails is in the report.
pub fn run(building: &mut Building, steps: &[Act], say: &mut dyn FnMut(&Step)) -> Result<Report> {
    let mut times = Vec::new();
    let mut done = Vec::new();
    for &(name, step) in steps {
        let began = Instant::now();
        let outcome = step(building, &mut times);
        let ms = u64::try_from(began.elapsed().as_millis())?;
        let (ok, detail) = match outcome {
            Ok(detail) => (true, detail),
            Err(error) => (false, format!("{error:#}")),
        };
        done.push(Step { name, ok, ms, detail });
        say(done.last().expect("pushed a line above"));
    }
    let (accepted, in_journal) = settled(building)?;
    let stages = stages(&journal::after(&building.site, 0)?);
    Ok(Report {
        steps: done,
        events_accepted: accepted,
        events_in_journal: in_journal,
        frame_to_lock_ms: Latency {
            n: times.len(),
            p50: percentile(&mut times, 50),
            p95: percentile(&mut times, 95),
            stages,
        },
    })
}

/// Shows the photograph of a person with the right to pass; the time from the frame's emission to the lock's edge.
///
/// # Errors
/// When the gate does not open.
pub fn present_known_face(building: &mut Building) -> Result<Duration> {
    let before = Instant::now();
    let shown = building.camera.show(&photographs().join("obama3.jpg"))?;
    let edge = building.lane.edge("open_entry", true, before, PIN).context("the gate did not open")?;
    building.camera.scene()?;
    let edge_utc = SystemTime::now().duration_since(UNIX_EPOCH)?.saturating_sub(edge.elapsed());
    let shown_utc = Duration::from_micros(u64::try_from(shown.utc_us)?);
    edge_utc.checked_sub(shown_utc).context("the gate opened before the face was shown")
}

/// The lane's beams, from outside to inside.
const BEAMS: [&str; 5] =
    ["beam_entry_outer", "beam_entry_inner", "beam_safety", "beam_exit_inner", "beam_exit_outer"];

/// Somebody walks in through the lane, from beam to beam.
///
/// # Errors
/// When the emulator is gone.
pub fn walk_in(building: &Building) -> Result<()> {
    walk(building, BEAMS.into_iter())
}

fn walk(building: &Building, beams: impl Iterator<Item = &'static str>) -> Result<()> {
    let beams: Vec<_> = beams.collect();
    for pair in beams.windows(2) {
        for beam in pair {
            building.lane.press(beam)?;
        }
        std::thread::sleep(Duration::from_millis(120));
        building.lane.release(pair[0])?;
    }
    building.lane.release(beams[beams.len() - 1])?;
    Ok(())
}

/// Waits until vision has its copy of the gallery: the import ended a moment ago.
///
/// # Errors
/// When it does not come.
pub fn faces_are_known(building: &mut Building) -> Result<()> {
    let vision = building.vision.as_mut().context("vision is not running")?;
    vision.log_says("gallery changed", EVENT.saturating_mul(3))
}

fn known_face(building: &mut Building, times: &mut Vec<f64>) -> Result<String> {
    let from = journal::end(&building.site)?;
    faces_are_known(building)?;
    let presentations =
        if std::env::var_os("GATEHOUSE_SOAK").is_some() { PRESENTATIONS_LONG } else { PRESENTATIONS };
    for _ in 0..presentations {
        times.push(pass_by_face(building)?.as_secs_f64() * 1000.0);
    }
    let granted = json!({ "door": LANE.door, "outcome": "granted" });
    let record = wait_for(&building.site, from, "the grant", EVENT, |it| it.is("access", &granted))?;
    let passed = json!({ "door": LANE.door, "change": "passed" });
    wait_for(&building.site, from, "the passage", EVENT, |it| it.is("door", &passed))?;
    let median = percentile(&mut times.clone(), 50);
    Ok(format!("median {median:.0} ms from frame to lock of {presentations}, journal #{}", record.seq))
}

/// An employee walks up to the gate, in, and on; the time from the frame's emission to the lock's edge.
///
/// # Errors
/// When the gate does not open, or does not close behind them.
pub fn pass_by_face(building: &mut Building) -> Result<Duration> {
    let time = present_known_face(building)?;
    walk_in(building)?;
    building.lane.wait_output("open_entry", false, PIN.saturating_mul(4))?;
    building
        .lane
        .wait_output("brake", true, PIN.saturating_mul(4))
        .context("the gate did not close again")?;
    // Vision takes the next face for another person once this one is out of sight.
    std::thread::sleep(OUT_OF_SIGHT);
    Ok(time)
}

/// The employee shows his card inside the gate and walks out.
///
/// # Errors
/// When the gate does not open, or does not close behind him.
pub fn leave_by_card(building: &Building) -> Result<()> {
    let before = Instant::now();
    building.lane.present_wiegand(1, &wiegand26(FACILITY, 1001))?;
    building.lane.edge("open_exit", true, before, PIN).context("the gate did not open")?;
    walk(building, BEAMS.into_iter().rev())?;
    building.lane.wait_output("open_exit", false, PIN.saturating_mul(4))?;
    building.lane.wait_output("brake", true, PIN.saturating_mul(4)).context("the gate did not close again")
}

fn out_again(building: &mut Building, _: &mut Vec<f64>) -> Result<String> {
    let from = journal::end(&building.site)?;
    leave_by_card(building)?;
    let out = json!({ "door": LANE.door, "side": "exit", "outcome": "granted" });
    let record = wait_for(&building.site, from, "the grant", EVENT, |it| it.is("access", &out))?;
    Ok(format!("let out, journal #{}", record.seq))
}

fn unknown_face(building: &mut Building, _: &mut Vec<f64>) -> Result<String> {
    let record = refuse_a_stranger(building)?;
    Ok(format!("refused, journal #{}: {}", record.seq, codes(&record)))
}

/// A stranger stands before the gate, and nothing moves; the record of the refusal.
///
/// # Errors
/// When the gate opens, or no refusal is journaled.
pub fn refuse_a_stranger(building: &mut Building) -> Result<Record> {
    let from = journal::end(&building.site)?;
    let before = Instant::now();
    building.camera.show(&photographs().join("biden.jpg"))?;
    let record = wait_for(&building.site, from, "the refusal", EVENT, |it| it.has_reason("unknown-face"));
    let still = nothing_opens(building, "open_entry", before);
    building.camera.scene()?;
    still?;
    record
}

fn printed_face(building: &mut Building, _: &mut Vec<f64>) -> Result<String> {
    let from = journal::end(&building.site)?;
    let before = Instant::now();
    building.camera.print(&photographs().join("obama3.jpg"))?;
    let record = wait_for(&building.site, from, "the refusal", EVENT, |it| it.has_reason("face-not-live"));
    let still = nothing_opens(building, "open_entry", before);
    building.camera.scene()?;
    still?;
    Ok(format!("refused: {}", codes(&record?)))
}

fn card(building: &mut Building, _: &mut Vec<f64>) -> Result<String> {
    let from = journal::end(&building.site)?;
    let time = badge_at_the_main_door(building, 1001)?;
    walk_through(building)?;
    building.door.wait_output("lock", false, PIN.saturating_mul(4)).context("the strike was not released")?;
    for change in ["opened", "closed"] {
        let wanted = json!({ "door": DOOR.door, "change": change });
        wait_for(&building.site, from, change, EVENT, |it| it.is("door", &wanted))?;
    }
    Ok(format!("{} ms from the last bit to the lock", time.as_millis()))
}

/// Presents a card at the main door, again when nothing happens, as people do; the time from its last bit to the lock's edge.
fn badge_at_the_main_door(building: &Building, number: u16) -> Result<Duration> {
    for _ in 0..LOOKS {
        let before = Instant::now();
        building.door.present_wiegand(0, &wiegand26(FACILITY, number))?;
        let read = Instant::now();
        if let Ok(edge) = building.door.edge("lock", true, before, PIN) {
            return Ok(edge.saturating_duration_since(read));
        }
    }
    bail!("the door did not open")
}

/// Somebody opens the main door and lets it fall shut.
fn walk_through(building: &Building) -> Result<()> {
    building.door.press("contact")?;
    std::thread::sleep(STEP);
    building.door.release("contact")?;
    Ok(())
}

fn unknown_card(building: &mut Building, _: &mut Vec<f64>) -> Result<String> {
    let from = journal::end(&building.site)?;
    let before = Instant::now();
    let mut refused = Err(anyhow!("not presented"));
    for _ in 0..LOOKS {
        building.door.present_wiegand(0, &wiegand26(FACILITY, 4711))?;
        refused =
            wait_for(&building.site, from, "the refusal", PIN, |it| it.has_reason("unknown-credential"));
        if refused.is_ok() {
            break;
        }
    }
    let record = refused?;
    if let Ok(edge) = building.door.edge("lock", true, before, Duration::ZERO) {
        bail!("the door opened {:?} after an unknown card", edge - before);
    }
    Ok(codes(&record))
}

fn card_and_pin(building: &mut Building, _: &mut Vec<f64>) -> Result<String> {
    let from = journal::end(&building.site)?;
    building.archive.new_lines();
    building.archive.say(&format!("card 26 {FACILITY}:1002"))?;
    building.archive.say("pin 246810#")?;
    building.archive.wait_for(PIN, |line| {
        let edge: Value = serde_json::from_str(line).ok()?;
        (edge["output"] == "lock" && edge["level"] == true).then_some(())
    })?;
    let granted = json!({ "door": ARCHIVE.door, "outcome": "granted" });
    let record = wait_for(&building.site, from, "the grant", EVENT, |it| it.is("access", &granted))?;
    Ok(format!("journal #{}", record.seq))
}

fn request_to_exit(building: &mut Building, _: &mut Vec<f64>) -> Result<String> {
    building.door.wait_output("lock", false, PIN.saturating_mul(4))?;
    let from = journal::end(&building.site)?;
    let before = Instant::now();
    building.door.press("rex")?;
    let edge = building.door.edge("lock", true, before, PIN)?;
    building.door.release("rex")?;
    let wanted = json!({ "door": DOOR.door, "change": "request-to-exit" });
    wait_for(&building.site, from, "the request", EVENT, |it| it.is("door", &wanted))?;
    building.door.wait_output("lock", false, PIN.saturating_mul(4))?;
    Ok(format!("{:.1} ms from button to lock", (edge - before).as_secs_f64() * 1000.0))
}

fn forced_door(building: &mut Building, _: &mut Vec<f64>) -> Result<String> {
    let from = wait_for_locked(building)?;
    building.door.press("contact")?;
    let wanted = json!({ "door": DOOR.door, "change": "forced" });
    let record = wait_for(&building.site, from, "the forced door", EVENT, |it| it.is("door", &wanted));
    building.door.release("contact")?;
    let wanted = json!({ "door": DOOR.door, "change": "restored" });
    wait_for(&building.site, from, "the door's return", EVENT, |it| it.is("door", &wanted))?;
    Ok(format!("journal #{}", record?.seq))
}

/// Waits until the lock holds and the journal is quiet; where the journal then ends.
fn wait_for_locked(building: &Building) -> Result<u64> {
    building.door.wait_output("lock", false, PIN.saturating_mul(4))?;
    std::thread::sleep(STEP.saturating_mul(3));
    journal::end(&building.site)
}

fn fire(building: &mut Building, _: &mut Vec<f64>) -> Result<String> {
    let from = journal::end(&building.site)?;
    let before = Instant::now();
    building.door.press("fire")?;
    let edge = building.door.edge("lock", true, before, PIN)?;
    let lane = building.lane.wait_output("brake", false, PIN).context("the zone's gate was not freed");
    let freed = before.elapsed();
    let wanted = json!({ "door": DOOR.door, "change": "alarm" });
    wait_for(&building.site, from, "the fire", EVENT, |it| it.is("fire", &wanted))?;
    building.door.release("fire")?;
    let wanted = json!({ "door": DOOR.door, "change": "cleared" });
    wait_for(&building.site, from, "the end of the fire", EVENT, |it| it.is("fire", &wanted))?;
    building.door.wait_output("lock", false, EVENT)?;
    lane?;
    Ok(format!(
        "{:.1} ms from contact to lock, {} ms to the zone's gate",
        (edge - before).as_secs_f64() * 1000.0,
        freed.as_millis()
    ))
}

fn unplugged(building: &mut Building, _: &mut Vec<f64>) -> Result<String> {
    let from = journal::end(&building.site)?;
    let before = Instant::now();
    ensure!(building.bus.unplug(DOOR.name), "the door board is not on the bus");
    let wanted = json!({ "address": DOOR.address, "change": "offline" });
    let offline =
        wait_for(&building.site, from, "the loss", EVENT.saturating_mul(2), |it| it.is("board", &wanted));
    ensure!(building.bus.plug(DOOR.name), "the door board is not on the bus");
    let offline = offline?;
    let wanted = json!({ "address": DOOR.address, "change": "online" });
    wait_for(&building.site, offline.seq, "the return", EVENT.saturating_mul(4), |it| {
        it.is("board", &wanted)
    })?;
    if let Ok(edge) = building.door.edge("lock", true, before, Duration::ZERO) {
        bail!("the lock moved {:?} after the plug was pulled", edge - before);
    }
    Ok(format!("journal #{}", offline.seq))
}

/// The vision process's certificate tries to write a camera's loss into the controller's events, then into its own.
fn foreign_certificate(building: &mut Building, _: &mut Vec<f64>) -> Result<String> {
    let from = journal::end(&building.site)?;
    let forged = json!({ "camera": "forged", "up": false });
    let batch = Batch {
        epoch: FORGED_EPOCH,
        events: vec![Event {
            seq: 1,
            at: i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?,
            body: Body::Camera(Camera { camera: "forged".to_owned(), up: false }),
        }],
    };
    let payload = String::from_utf8(uplink::wire::encode(&batch))?;
    let publish = |device| {
        let topic = topics::topic(device, Leaf::Event(Stream::Urgent));
        publish_as(&building.site, VISION, &topic, &payload)
    };
    let said = publish(CONTROLLER)?;
    ensure!(said.contains("Not authorized"), "the broker did not refuse it: {said}");
    // The very same message under its own name is taken: it was the name that the broker refused.
    let said = publish(VISION)?;
    ensure!(!said.contains("Not authorized"), "the broker refused it: {said}");
    wait_for(&building.site, from, "its own event", EVENT, |it| {
        it.source == VISION && it.is("camera", &forged)
    })?;
    let records = journal::after(&building.site, from)?;
    let other = records.iter().find(|it| it.source != VISION && it.is("camera", &forged));
    ensure!(other.is_none(), "the forged event is in the journal: {other:?}");
    Ok("refused by the broker, and nothing in the journal".to_owned())
}

/// Publishes with a device's certificate by a client of another maker; what it said.
fn publish_as(site: &Site, device: &str, topic: &str, payload: &str) -> Result<String> {
    let folder = site.path(if device == VISION { "vision" } else { "controller" });
    let mut client = Command::new("mosquitto_pub");
    client.args(["-V", "5", "-q", "1", "-h", "127.0.0.1", "-p", &site.ports.broker.to_string()]);
    client.arg("--cafile").arg(folder.join("ca.pem"));
    client.arg("--cert").arg(folder.join(format!("{device}.pem")));
    client.arg("--key").arg(folder.join(format!("{device}.key")));
    let said = client.args(["-t", topic, "-m", payload]).output();
    let said = said.context("mosquitto_pub is not installed: run `cargo xtask setup`")?;
    Ok(format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr)))
}

fn server_killed(building: &mut Building, _: &mut Vec<f64>) -> Result<String> {
    let from = journal::end(&building.site)?;
    building.kill_server()?;
    let opened = opens_and_closes(building);
    building.start_server()?;
    let time = opened?;
    let granted = json!({ "door": DOOR.door, "outcome": "granted" });
    let record =
        wait_for(&building.site, from, "the grant made without it", EVENT.saturating_mul(2), |it| {
            it.is("access", &granted)
        })?;
    Ok(format!("opened in {} ms without it; told afterwards, journal #{}", time.as_millis(), record.seq))
}

fn broker_killed(building: &mut Building, _: &mut Vec<f64>) -> Result<String> {
    let from = journal::end(&building.site)?;
    building.kill_broker()?;
    let opened = opens_and_closes(building);
    building.start_broker()?;
    let time = opened?;
    let granted = json!({ "door": DOOR.door, "outcome": "granted" });
    let record =
        wait_for(&building.site, from, "the grant made without it", EVENT.saturating_mul(3), |it| {
            it.is("access", &granted)
        })?;
    Ok(format!("opened in {} ms without it; told afterwards, journal #{}", time.as_millis(), record.seq))
}

/// An employee's card opens the main door, and they walk through; the time from the card's last bit to the lock's edge.
///
/// # Errors
/// When it does not open, or does not lock again.
pub fn opens_and_closes(building: &mut Building) -> Result<Duration> {
    let time = badge_at_the_main_door(building, 1001)?;
    walk_through(building)?;
    building.door.wait_output("lock", false, PIN.saturating_mul(4))?;
    Ok(time)
}

fn verified(building: &mut Building, _: &mut Vec<f64>) -> Result<String> {
    let mut verify = Command::new(program("gatehouse-server")?);
    let said = output(verify.args(["verify", "--config"]).arg(building.site.server_configuration()))?;
    Ok(said.trim().replace('\n', "; "))
}

/// Waits until the server has everything that the controller numbered; how many those are, and how many are in the journal.
fn settled(building: &Building) -> Result<(u64, u64)> {
    let end = Instant::now() + EVENT;
    loop {
        let accepted = accepted(building)?;
        let in_journal = journal::count(&building.site, CONTROLLER)?;
        if accepted == in_journal || Instant::now() > end {
            return Ok((accepted, in_journal));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// How many events the controller has numbered.
fn accepted(building: &Building) -> Result<u64> {
    let mut outbox = Command::new(program("gatehouse-controller")?);
    outbox.arg("--config").arg(building.site.path("controller/controller.toml")).arg("outbox");
    let counts: Value = serde_json::from_str(&output(&mut outbox)?)?;
    let of =
        |stream: &str| counts[stream].as_u64().with_context(|| format!("the outbox does not count {stream}"));
    Ok(of("urgent")? + of("bulk")?)
}

fn nothing_opens(building: &Building, output: &str, since: Instant) -> Result<()> {
    match building.lane.edge(output, true, since, WATCH) {
        Ok(edge) => bail!("`{output}` went on {:?} after", edge - since),
        Err(_) => Ok(()),
    }
}

fn codes(record: &Record) -> String {
    let reasons = record.body["reasons"].as_array();
    let codes = reasons.into_iter().flatten().filter_map(|reason| reason["code"].as_str());
    codes.collect::<Vec<_>>().join(", ")
}

/// Medians of the stages of every grant that a face opened.
fn stages(records: &[Record]) -> BTreeMap<String, f64> {
    let mut times: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for record in records.iter().filter(|it| it.is("access", &json!({ "outcome": "granted" }))) {
        let Some(stages) = record.body["trace"]["stages_us"].as_object() else { continue };
        for (stage, micros) in stages {
            let ms = micros.as_f64().unwrap_or_default() / 1000.0;
            times.entry(stage.clone()).or_default().push(ms);
        }
    }
    times.into_iter().map(|(stage, mut times)| (stage, percentile(&mut times, 50))).collect()
}

/// The value below which `percent` of them lie; 0 for none.
pub fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(index).copied().unwrap_or_default()
}

/// A 26-bit card as its reader sends it: even parity over the first twelve bits, odd over the last (SIA AC-01).
pub fn wiegand26(facility: u8, number: u16) -> Vec<bool> {
    let data: Vec<bool> = (0..8)
        .rev()
        .map(|bit| facility >> bit & 1 == 1)
        .chain((0..16).rev().map(|bit| number >> bit & 1 == 1))
        .collect();
    let odd = |bits: &[bool]| bits.iter().filter(|bit| **bit).count() % 2 == 1;
    let mut bits = vec![odd(&data[..12])];
    bits.extend(&data);
    bits.push(!odd(&data[12..]));
    bits
}
