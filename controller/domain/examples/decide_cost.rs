//! What a decision and a change of policy cost, on a site of 100,000 people.
//!
//! `cargo run --release -p domain --example decide_cost`: nanoseconds a decision, trace included, and what building,
//! copying and changing the policy takes in time and memory. Thread CPU time,
//! medians of repeated runs on this machine.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::decision::Outcome;
use domain::ids::{
    AreaId, ControllerId, CredentialId, DoorId, GroupId, LevelId, PersonId, PolicyVersion, ScheduleId,
};
use domain::policy::{
    AntiPassback, Area, Credential, CredentialStatus, CredentialUse, Door, DoorKind, Egress, EntryRule,
    FaceConsent, Level, Person, PersonStatus, Policy, PolicyDelta, PolicyParts, Relock, SiteRules,
};
use domain::request::{CredentialDigest, CredentialKind, Factors, Liveness, Request, Score, Shown, Side};
use domain::schedule::{Calendar, Days, Schedule, Span, Window};
use domain::state::{Event, State};
use domain::time::{Utc, Validity, Zone};

const PEOPLE: u64 = 100_000;
const CREDENTIALS: u64 = 250_000;
const DOORS: u64 = 200;
const LEVELS: u64 = 400;
const GROUPS: u64 = 200;
/// Five doors a level: 2,000 grants of a level to a door.
const DOORS_A_LEVEL: u64 = 5;

/// Counts what is in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

#[expect(
    unsafe_code,
    reason = "a global allocator is unsafe by its trait; this one only counts and passes on"
)]
// SAFETY: both calls go to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

fn digest(number: u64) -> CredentialDigest {
    let mut bytes = [0; 32];
    for (at, eight) in (0_u64..).zip(bytes.chunks_mut(8)) {
        eight.copy_from_slice(&mix(number * 4 + at + 1).to_be_bytes());
    }
    CredentialDigest(bytes)
}

fn person(number: u64) -> Person {
    let groups = (0..3).map(|at| GroupId(mix(number * 3 + at) % GROUPS)).collect();
    Person {
        id: PersonId(number),
        validity: Validity::ALWAYS,
        status: PersonStatus::Active,
        face: FaceConsent::Given,
        clearance: 0,
        groups,
    }
}

fn credential(number: u64) -> Credential {
    Credential {
        id: CredentialId(number),
        person: PersonId(number % PEOPLE),
        kind: CredentialKind::Card,
        digest: digest(number),
        board_entry: None,
        validity: Validity::ALWAYS,
        status: CredentialStatus::Active,
        usage: CredentialUse::Ordinary,
    }
}

fn parts() -> PolicyParts {
    let office = Window { days: Days::WORKDAYS, span: Span::new(8 * 60, 18 * 60).expect("in range") };
    let night = Window { days: Days::EVERY, span: Span::new(22 * 60, 6 * 60).expect("in range") };
    let always = Window { days: Days::EVERY, span: Span::ALL_DAY };
    let schedules = (0..8).map(|id| Schedule {
        id: ScheduleId(id),
        windows: match id {
            0 => vec![night],
            1..4 => vec![always],
            _ => vec![office],
        },
        exceptions: vec![],
    });
    let door = |id| Door {
        id: DoorId(id),
        controller: ControllerId(1),
        kind: DoorKind::Door,
        outside: AreaId(0),
        inside: AreaId(1 + id % 50),
        egress: Egress::Exit,
        credential_rules: vec![],
        otherwise: vec![Factors::FACE, Factors::CARD],
        strike: Duration::from_secs(5),
        held_after: Duration::from_secs(30),
        relock: Relock::OnClose,
        anti_passback: AntiPassback::Hard,
        unrecorded_entry: EntryRule::Refuse,
        fire_zone: None,
    };
    let level = |id| Level {
        id: LevelId(id),
        groups: vec![GroupId(id % GROUPS)],
        doors: (0..DOORS_A_LEVEL).map(|at| DoorId(mix(id * 7 + at) % DOORS)).collect(),
        schedule: ScheduleId(id % 8),
    };
    PolicyParts {
        version: PolicyVersion(1),
        made_at: Utc(0),
        site: SiteRules {
            face_score: Score(4000),
            face_margin: Score(500),
            wrong_tries: 5,
            wrong_tries_within: Duration::from_secs(300),
            lock_out: Duration::from_secs(60),
            second_factor_within: Duration::from_secs(15),
            same_person_within: Duration::from_secs(5),
        },
        zone: Zone::fixed(8 * 3600),
        calendar: Calendar::default(),
        controllers: vec![ControllerId(1)],
        areas: (0..=50).map(|id| Area { id: AreaId(id), parent: None }).collect(),
        fire_zones: vec![],
        groups: (0..GROUPS).map(GroupId).collect(),
        schedules: schedules.collect(),
        doors: (0..DOORS).map(door).collect(),
        levels: (0..LEVELS).map(level).collect(),
        people: (0..PEOPLE).map(person).collect(),
        credentials: (0..CREDENTIALS).map(credential).collect(),
    }
}

/// The median of eleven measurements of something, each repeated for long enough to be told.
fn median<T>(mut run: impl FnMut() -> T) -> Duration {
    let mut times: Vec<Duration> = (0..11)
        .map(|_| {
            let (start, mut runs) = (cpu(), 0);
            while runs == 0 || cpu().saturating_sub(start) < Duration::from_millis(40) {
                black_box(run());
                runs += 1;
            }
            cpu().saturating_sub(start) / runs
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

/// CPU time this thread has used, which neighbours on the machine disturb least.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells it");
    let nanos =
        stat.split(' ').next().and_then(|first| first.parse().ok()).expect("its first word is nanoseconds");
    Duration::from_nanos(nanos)
}

fn timed<T>(run: impl FnOnce() -> T) -> (Duration, T) {
    let start = cpu();
    let result = black_box(run());
    (cpu().saturating_sub(start), result)
}

fn megabytes(from: usize) -> f64 {
    IN_USE.load(Ordering::Relaxed).saturating_sub(from) as f64 / 1e6
}

fn decisions(name: &str, policy: &Policy, state: &State, requests: &[Request], now: Utc) {
    let (mut granted, mut denied, mut asked) = (0, 0, 0);
    for request in requests {
        match domain::decide(policy, state, request, now).outcome {
            Outcome::Granted(_) => granted += 1,
            Outcome::Denied(_) => denied += 1,
            Outcome::NeedsMore { .. } => asked += 1,
        }
    }
    let time = median(|| {
        for request in requests {
            black_box(domain::decide(policy, state, black_box(request), now));
        }
    });
    let each = time.as_nanos() as f64 / requests.len() as f64;
    println!("decide, {name}: {each:.0} ns ({granted} granted, {denied} denied, {asked} asked for more)");
}

fn main() {
    let before = IN_USE.load(Ordering::Relaxed);
    let parts = parts();
    println!("{PEOPLE} people, {CREDENTIALS} credentials, {DOORS} doors, {LEVELS} levels");
    println!("parts: {:.1} MB", megabytes(before));
    let before = IN_USE.load(Ordering::Relaxed);
    let (time, policy) = timed(|| Policy::try_from(parts));
    let policy = policy.expect("the parts are in order");
    println!(
        "build and check: {time:?}; with the parts dropped it holds {:.1} MB more than they did",
        megabytes(before)
    );

    // Wednesday 2026-03-04, 10:00 in Shanghai.
    let now = Utc(1_772_589_600_000_000);
    let mut state = State::default();
    for number in 0..PEOPLE / 2 {
        let at = Utc(now.0 - 3_600_000_000);
        let door = DoorId(mix(number) % DOORS);
        state.observe(
            &policy,
            Event::Passed { door, side: Side::Exit, person: PersonId(number), at, told: at },
        );
    }
    let card = |number: u64, door: u64, side| {
        let shown = Shown::Digest { kind: CredentialKind::Card, digest: digest(number) };
        Request::shows(DoorId(door), side, shown, now)
    };
    let any = |at: u64| card(mix(at) % CREDENTIALS, mix(at + 7) % DOORS, Side::Entry);
    let mixed: Vec<Request> = (0..200_000).map(any).collect();
    decisions("anybody at any door", &policy, &state, &mixed, now);
    let opens = |it: &Request| domain::decide(&policy, &state, it, now).is_granted();
    let granted: Vec<Request> = (0..2_000_000).map(any).filter(opens).take(50_000).collect();
    decisions("those who may, card", &policy, &state, &granted, now);
    let faces: Vec<Request> = granted
        .iter()
        .filter_map(|request| {
            let person = domain::decide(&policy, &state, request, now).trace.person?;
            let (score, margin) = (Score(7000), Score(2000));
            let shown = Shown::Face { person, score, margin, live: Liveness::Live };
            Some(Request::shows(request.door, Side::Entry, shown, now))
        })
        .collect();
    decisions("those who may, face", &policy, &state, &faces, now);
    let few: Vec<Request> =
        granted.iter().cycle().take(100_000).enumerate().map(|(at, _)| granted[at % 100].clone()).collect();
    decisions("a hundred who come again", &policy, &state, &few, now);
    let unknown: Vec<Request> =
        (0..100_000).map(|at| card(CREDENTIALS + at, mix(at) % DOORS, Side::Entry)).collect();
    decisions("unknown cards", &policy, &state, &unknown, now);

    changes(&policy);
}

fn changes(policy: &Policy) {
    let copied = median(|| policy.clone());
    println!("copy of the policy: {copied:?}");
    let empty = PolicyDelta::empty(PolicyVersion(1), PolicyVersion(2), Utc(1));
    let report = |name: &str, delta: &PolicyDelta| {
        let time = median(|| delta.apply(policy));
        let before = IN_USE.load(Ordering::Relaxed);
        let next = delta.apply(policy).expect("in order");
        println!("change of {name}: {time:?}, {:.2} MB beside the old policy", megabytes(before));
        drop(next);
    };
    let mut one_card = empty.clone();
    one_card.upsert.credentials = vec![credential(CREDENTIALS)];
    report("one new card", &one_card);
    let mut hundred = empty.clone();
    hundred.upsert.people = (0..100).map(|at| person(PEOPLE + at)).collect();
    let new_cards =
        (0..100).map(|at| Credential { person: PersonId(PEOPLE + at), ..credential(CREDENTIALS + at) });
    hundred.upsert.credentials = new_cards.collect();
    report("100 new people with a card each", &hundred);
    let mut gone = empty.clone();
    gone.remove.people = vec![PersonId(7)];
    gone.remove.credentials = [7, PEOPLE + 7, 2 * PEOPLE + 7]
        .into_iter()
        .filter(|id| *id < CREDENTIALS)
        .map(CredentialId)
        .collect();
    report("one person gone", &gone);
    let mut level = empty.clone();
    level.remove.levels = vec![LevelId(3)];
    report("one level gone", &level);
    let mut group = empty;
    group.upsert.groups = vec![GroupId(GROUPS)];
    report("one group more", &group);
}
