//! Writing down: what a step gathered goes to the outbox whole, and what had to wait for that follows when it is on the disk.
//!
//! While the outbox fails, what happened waits in memory ([`Backlog`]), decisions follow each door's rule (`domain` asks it
//! through `RecordLost`), and an attempt is made every second. An outbox that is full of everyday events fails, too, and
//! takes urgent ones still.

use std::collections::BTreeMap;

use domain::ids::DoorId;
use domain::policy::EntryRule;
use domain::request::Side;
use domain::state;
use uplink::command::{Command, Outcome};
use uplink::event::{self, Body, ControllerChange};

use super::backlog::{BACKLOG, Backlog};
use super::decisions::{Origin, Release};
use super::{BoardId, DecisionId, Effect, Now, Released, Site, trace};
use crate::outbox::{Entry, Kept, Write};

/// A release that is not written down after this follows the door's rule, in microseconds.
const RELEASE_WAITS: u64 = 300_000;
/// Between two attempts while the outbox fails, in microseconds.
const RETRY: u64 = 1_000_000;

/// What became of a step must be written, and then these may follow.
#[derive(Debug, Default)]
pub(super) struct Unit {
    pub(super) events: Vec<Entry>,
    pub(super) kept: Vec<Kept>,
    pub(super) after: Vec<After>,
    /// Since when it has been on its way, microseconds since start.
    pub(super) sent_at: u64,
}

/// What waits until a unit is on the disk.
#[derive(Debug)]
pub(super) enum After {
    /// Release a door. Boxed: it is much larger than the others.
    Release(Box<Release>),
    /// Answer a refusal.
    Refuse { door: DoorId, side: Side, origin: Origin },
    /// Tell a board that its events are safe.
    AckBoard { board: BoardId, epoch: u32, up_to: u32 },
    /// Tell the centre what became of a command.
    Result(Outcome),
    /// Carry out a command, by the order of that number.
    Command { order: u64, command: Box<Command> },
}

#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) gathering: Unit,
    /// By number, which is the token of the write.
    on_the_way: BTreeMap<u64, Unit>,
    backlog: Backlog,
    standing: Standing,
    /// The last step's.
    number: u64,
    /// Entries refused and events dropped since the outbox failed.
    refused: usize,
    dropped: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Standing {
    #[default]
    Works,
    /// Tried again at that time.
    Failed { retry_at: u64 },
    /// An attempt is on its way.
    Trying { token: u64 },
}

impl Record {
    pub(super) fn works(&self) -> bool {
        self.standing == Standing::Works
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        let retry = match self.standing {
            Standing::Failed { retry_at } => Some(retry_at),
            Standing::Works | Standing::Trying { .. } => None,
        };
        let releases = self.on_the_way.values().filter(|unit| unit.has_release());
        releases.map(|unit| unit.sent_at + RELEASE_WAITS).chain(retry).min()
    }

    pub(super) fn is_writing(&self) -> bool {
        !self.on_the_way.is_empty()
    }

    /// Whether what a board tells would find room, should it not be written: once it is taken it is not dropped.
    pub(super) fn has_room(&self) -> bool {
        self.backlog.len() + self.on_the_way.len() < BACKLOG
    }

    fn send(&mut self, now: Now, token: u64, mut unit: Unit) -> Write {
        unit.sent_at = now.mono;
        let write = Write { token, events: unit.events.clone(), kept: unit.kept.clone() };
        self.on_the_way.insert(token, unit);
        write
    }
}

impl Unit {
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.kept.is_empty() && self.after.is_empty()
    }

    /// Newer values of what is remembered.
    pub(super) fn remember(&mut self, newer: Vec<Kept>) {
        self.kept.retain(|old| !newer.iter().any(|new| (new.kind, &new.key) == (old.kind, &old.key)));
        self.kept.extend(newer);
    }

    fn has_release(&self) -> bool {
        self.after.iter().any(|after| matches!(after, After::Release(_)))
    }
}

impl Site {
    /// Sends what this step gathered.
    pub(super) fn flush(&mut self, now: Now) {
        // What follows something that is put off is gathered anew.
        while !self.record.gathering.is_empty() {
            let unit = std::mem::take(&mut self.record.gathering);
            self.record.number += 1;
            let number = self.record.number;
            if self.record.works() {
                let write = self.record.send(now, number, unit);
                self.effects.push(Effect::Write(write));
            } else {
                self.put_off(now, number, unit);
            }
        }
    }

    pub(super) fn written(&mut self, now: Now, token: u64, ok: bool) {
        let Some(unit) = self.record.on_the_way.remove(&token) else { return };
        let trying = self.record.standing == Standing::Trying { token };
        match (ok, trying) {
            (true, _) => {
                for after in unit.after {
                    self.follow(now, after);
                }
                if trying {
                    self.try_backlog(now);
                }
            }
            (false, true) => {
                self.record.backlog.back(token, unit);
                self.record.standing = Standing::Failed { retry_at: now.mono + RETRY };
            }
            (false, false) => {
                self.record_lost(now);
                self.put_off(now, token, unit);
            }
        }
    }

    pub(super) fn record_due(&mut self, now: Now) {
        let late: Vec<u64> = self
            .record
            .on_the_way
            .iter()
            .filter(|(_, unit)| unit.has_release() && unit.sent_at + RELEASE_WAITS <= now.mono)
            .map(|(token, _)| *token)
            .collect();
        for token in late {
            let Some(unit) = self.record.on_the_way.get_mut(&token) else { continue };
            let (releases, rest) = std::mem::take(&mut unit.after)
                .into_iter()
                .partition(|after| matches!(after, After::Release(_)));
            unit.after = rest;
            for after in releases {
                if let After::Release(release) = after
                    && !self.release_unrecorded(now, &release)
                {
                    // Its event is on its way and says that it was granted.
                    self.correct(now, release.was(), "recorded-too-late");
                }
            }
        }
        if let Standing::Failed { retry_at } = self.record.standing
            && retry_at <= now.mono
        {
            self.try_backlog(now);
        }
    }

    fn follow(&mut self, now: Now, after: After) {
        match after {
            After::Release(release) => self.release(now, &release),
            After::Refuse { door, side, origin } => self.refuse(door, side, Some(&origin)),
            After::AckBoard { board, epoch, up_to } => self.acknowledge_board(board, epoch, up_to),
            After::Result(outcome) => self.effects.push(Effect::Result(outcome)),
            After::Command { order, command } => self.obey(now, order, &command),
        }
    }

    fn record_lost(&mut self, now: Now) {
        if self.record.works() {
            tracing::error!("events cannot be recorded: entries follow each door's rule");
            self.record.standing = Standing::Failed { retry_at: now.mono };
            self.observe(state::Event::RecordLost { at: now.utc });
            // It goes before every step.
            self.alarm_in_memory(now, 0, ControllerChange::OutboxFailed);
        }
    }

    fn alarm_in_memory(&mut self, now: Now, number: u64, change: ControllerChange) {
        let entry = Entry { at: now.utc.0, body: controller(change, None) };
        self.record.backlog.back(number, Unit { events: vec![entry], ..Unit::default() });
    }

    /// Keeps a step in memory until the outbox works again. Its releases follow the doors' rules now.
    fn put_off(&mut self, now: Now, number: u64, mut unit: Unit) {
        let mut kept = Vec::new();
        for after in std::mem::take(&mut unit.after) {
            match after {
                After::Release(release) => {
                    if !self.release_unrecorded(now, &release) {
                        refused_after_all(&mut unit.events);
                    }
                }
                After::Refuse { door, side, origin } => self.refuse(door, side, Some(&origin)),
                // The centre is told at once: a result says what happened, not that it is written down.
                After::Result(outcome) => self.effects.push(Effect::Result(outcome)),
                // An operator's word counts while nothing can be written, too.
                After::Command { order, command } => self.obey(now, order, &command),
                ack @ After::AckBoard { .. } => kept.push(ack),
            }
        }
        unit.after = kept;
        let dropped = self.record.backlog.put(number, unit);
        if self.record.dropped == 0 && dropped > 0 {
            tracing::error!("too much waits to be recorded: events are dropped");
            self.record.number += 1;
            self.alarm_in_memory(now, self.record.number, ControllerChange::EventsDropped);
        }
        self.record.dropped += dropped;
    }

    /// A release whose decision is not on the disk: the exit opens, the entry follows its door's rule. Says whether it opened.
    fn release_unrecorded(&mut self, now: Now, release: &Release) -> bool {
        let rule = self.policy.door(release.door).map_or(EntryRule::Refuse, |door| door.unrecorded_entry);
        match rule {
            EntryRule::Allow => {
                self.release(now, release);
                true
            }
            EntryRule::Refuse => {
                self.record.refused += 1;
                self.refuse(release.door, release.side, release.origin.as_ref());
                false
            }
        }
    }

    /// A grant that is written down was not carried out after all: another event says so, tied to it by the decision.
    pub(super) fn correct(&mut self, now: Now, released: Released, why: &'static str) {
        let Some(DecisionId(decision)) = released.decision else { return };
        let access = event::Access {
            door: released.door.0,
            side: trace::side(released.side),
            person: released.person.map(u64::from),
            outcome: event::Outcome::Denied,
            reasons: vec![trace::own_reason(why, [])],
            alarms: Vec::new(),
            trace: event::Trace {
                policy_version: self.policy.version().0,
                shown: Vec::new(),
                rules: Vec::new(),
                would_have_passed: Vec::new(),
                centre: "not-needed".to_owned(),
                stages_us: BTreeMap::new(),
            },
            decision: Some(decision),
            corrects: true,
        };
        self.event(now.utc.0, Body::Access(access));
    }

    fn try_backlog(&mut self, now: Now) {
        if let Some((token, unit)) = self.record.backlog.next() {
            let write = self.record.send(now, token, unit);
            self.record.standing = Standing::Trying { token };
            self.effects.push(Effect::Write(write));
            return;
        }
        self.record.standing = Standing::Works;
        self.observe(state::Event::RecordBack);
        let count = std::mem::take(&mut self.record.refused) + std::mem::take(&mut self.record.dropped);
        tracing::info!(count, "events are recorded again");
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.event(now.utc.0, controller(ControllerChange::OutboxRestored, Some(count)));
    }
}

fn controller(change: ControllerChange, count: Option<i64>) -> Body {
    Body::Controller(event::Controller { change, policy_version: None, count, lost: None })
}

/// The grant in this step, which is not written down yet, was not carried out after all.
fn refused_after_all(events: &mut [Entry]) {
    for entry in events {
        if let Body::Access(access) = &mut entry.body {
            access.outcome = event::Outcome::Denied;
            access.reasons.push(trace::own_reason("record-cannot-be-kept", []));
        }
    }
}
