//! What a board opens by while it is alone: who may enter by card, until when that is sure, signed for that board.
//!
//! The controller makes and signs the lists itself, so that they are renewed for as long as the server is away. Its key
//! is made at its first start and never leaves it; a board learns the public half with its settings, over its secure
//! channel. That proves no more than the channel does, and no less: what lies in a board's flash, and whatever else speaks
//! on the bus, opens nothing without this key.
//!
//! A list grants nothing that the policy would not have granted, at any moment of its time. A board knows no schedules, so
//! nobody is on a list whose right ends before the list does; it does not know who is inside, so nobody is on the list of
//! a door where entering twice is refused.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::decide;
use domain::ids::{CredentialId, DoorId, ScheduleId};
use domain::policy::{AntiPassback, Credential, Policy};
use domain::request::{BoardEntry, CredentialKind, Request, Shown, Side};
use domain::schedule::Schedule;
use domain::state::State;
use domain::time::Utc;
use endpoints::vendor::whitelist::{
    ENTRY_LEN, HEADER_LEN, Header, MAX_ENTRIES, SIGNATURE_LEN, signed_message,
};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};

/// Changes of schedules are looked for so many days ahead: longer than any list lives.
const HORIZON_DAYS: u16 = 9;
/// A list begins this much before now: a board's clock may be a little behind.
const EARLIER: Duration = Duration::from_secs(60);

/// The controller's own key for its boards' lists.
pub struct ListKey(Ed25519KeyPair);

/// A list to be made.
#[derive(Debug)]
pub struct Order {
    /// The policy it follows.
    pub policy: Arc<Policy>,
    /// The door.
    pub door: DoorId,
    /// The list's number: higher than that of the one in force.
    pub number: u32,
    /// The serial number of the board, so that no other takes it; 0 when it names none.
    pub board: u32,
    /// Now.
    pub now: Utc,
    /// How long it holds at most.
    pub life: Duration,
    /// The site's salt for entries.
    pub salt: [u8; 16],
}

/// A list, made and signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Its number.
    pub number: u32,
    /// Until when it holds.
    pub until: Utc,
    /// Who is on it, as a digest: two lists with the same one name the same cards.
    pub members: u64,
    /// The file for the board.
    pub file: Arc<[u8]>,
    /// How many would be on it, were there room.
    pub left_out: usize,
}

/// Who is on a list.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Members {
    /// Ascending, no two equal.
    entries: Vec<BoardEntry>,
    until: Utc,
    left_out: usize,
}

/// Somebody who may enter, and until when that is sure.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    until: Utc,
    clearance: u8,
    id: CredentialId,
    entry: BoardEntry,
}

impl ListKey {
    /// The key in a folder; makes one there when there is none, or none that can be used: boards learn the new one.
    ///
    /// # Errors
    /// When the folder cannot be read or written, or the system gives no random numbers.
    pub fn open(folder: &Path) -> io::Result<ListKey> {
        let path = folder.join("whitelist.key");
        match fs::read(&path) {
            Ok(bytes) => match <[u8; 32]>::try_from(bytes.as_slice()) {
                Ok(seed) => return Ok(ListKey::new(&seed)),
                Err(_) => {
                    tracing::error!(path = %path.display(), "the key for boards' lists is broken and made anew")
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).map_err(|_| io::Error::other("no random numbers"))?;
        // Under another name first: a key is there whole or not at all.
        let fresh = folder.join("whitelist.key.new");
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(&seed)?;
        file.sync_all()?;
        fs::rename(&fresh, &path)?;
        Ok(ListKey::new(&seed))
    }

    /// From its secret.
    pub fn new(seed: &[u8; 32]) -> ListKey {
        ListKey(Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are a seed"))
    }

    /// What boards must know.
    pub fn public(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().expect("an ed25519 key has 32 bytes")
    }
}

/// Makes a list. Takes a while where the policy knows many cards.
pub fn make(key: &ListKey, order: &Order) -> List {
    let Members { entries, until, left_out } = members(&order.policy, order.door, order.now, order.life);
    let earlier = i64::try_from(EARLIER.as_micros()).expect("a minute");
    let header = Header {
        list: order.number,
        board: order.board,
        issued_us: order.now.0.saturating_sub(earlier),
        expires_us: until.0,
        salt: order.salt,
        count: u16::try_from(entries.len()).expect("at most MAX_ENTRIES"),
    };
    let mut file = vec![0; HEADER_LEN];
    header.encode(&mut file).expect("the header's length");
    file.reserve(entries.len() * ENTRY_LEN + SIGNATURE_LEN);
    entries.iter().for_each(|entry| file.extend(entry.0));
    let members = digest(&SHA256, &file[HEADER_LEN..]);
    let members = u64::from_be_bytes(members.as_ref()[..8].try_into().expect("eight bytes"));
    let hash: [u8; 32] = digest(&SHA256, &file).as_ref().try_into().expect("SHA-256 has 32 bytes");
    file.extend(key.0.sign(&signed_message(&hash)).as_ref());
    List { number: order.number, until, members, file: file.into(), left_out }
}

/// Whom a door would let in by card alone from now on without a break, and for how long that list is best made: so that
/// as many people as possible are on it for as long as possible, counted in people times time.
fn members(policy: &Policy, door: DoorId, now: Utc, life: Duration) -> Members {
    let latest = now.plus(life);
    let mut all = candidates(policy, door, now, latest);
    all.sort_unstable_by_key(|it| std::cmp::Reverse(it.until));
    let room = usize::from(MAX_ENTRIES);
    let worth = |(at, it): (usize, &Candidate)| {
        let time = u128::from(it.until.0.abs_diff(now.0));
        (time * u128::try_from((at + 1).min(room)).expect("a count"), it.until)
    };
    let until = all.iter().enumerate().map(worth).max().map_or(latest, |(_, until)| until);
    all.retain(|it| it.until >= until);
    let left_out = all.len().saturating_sub(room);
    // Where not all have room, those who may go where others may not go first.
    all.sort_unstable_by_key(|it| (std::cmp::Reverse(it.clearance), it.id));
    all.truncate(room);
    let mut entries: Vec<BoardEntry> = all.into_iter().map(|it| it.entry).collect();
    entries.sort_unstable();
    entries.dedup();
    Members { entries, until, left_out }
}

fn candidates(policy: &Policy, door: DoorId, now: Utc, latest: Utc) -> Vec<Candidate> {
    let Some(view) = policy.door_view(door) else { return Vec::new() };
    match view.door.anti_passback {
        AntiPassback::Hard | AntiPassback::Timed(_) => return Vec::new(),
        AntiPassback::Off | AntiPassback::Soft => {}
    }
    let mut changes: BTreeMap<ScheduleId, Utc> = BTreeMap::new();
    let mut change = |schedule: &Schedule| {
        let next = || schedule.next_change(now, policy.zone(), policy.calendar(), HORIZON_DAYS);
        *changes.entry(schedule.id).or_insert_with(|| next().map_or(latest, |at| at.min(latest)))
    };
    // When the door may begin to ask for something else than a card.
    let rules = view.door.credential_rules.iter().filter_map(|rule| policy.schedule(rule.schedule));
    let asks_until = rules.map(&mut change).min().unwrap_or(latest);
    let moment = policy.moment(now);
    let levels: Vec<_> = view
        .levels()
        .filter(|(_, schedule)| schedule.is_open(&moment))
        .map(|(level, schedule)| (level, change(schedule)))
        .collect();
    // Nothing of what only a controller knows: who is inside, who tried too often. A lock or a fire the board knows itself.
    let nobody = State::default();
    let candidate = |credential: &Credential| {
        let entry = credential.board_entry.filter(|_| credential.kind == CredentialKind::Card)?;
        let person = policy.person(credential.person)?;
        let of_person = |groups: &[domain::ids::GroupId]| groups.iter().any(|it| person.groups.contains(it));
        let open =
            levels.iter().filter(|(level, _)| of_person(&level.groups)).map(|(_, until)| *until).max()?;
        let shown = Shown::Digest { kind: credential.kind, digest: credential.digest };
        let granted =
            decide(policy, &nobody, &Request::shows(door, Side::Entry, shown, now), now).is_granted();
        let until = [latest, asks_until, open, person.validity.until, credential.validity.until];
        let until = until.into_iter().min().filter(|until| granted && *until > now)?;
        Some(Candidate { until, clearance: person.clearance, id: credential.id, entry })
    };
    policy.credentials().into_iter().filter_map(candidate).collect()
}

#[cfg(test)]
mod tests;
