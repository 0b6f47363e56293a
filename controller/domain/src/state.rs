//! What a controller knows that passages and operators change: who is where, wrong tries, overrides, fire.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use crate::decision::{Decision, Outcome};
use crate::ids::{AreaId, CredentialId, DoorId, FireZoneId, OperatorId, PersonId};
use crate::policy::{Policy, SiteRules};
use crate::reason::{Reason, Rule};
use crate::request::{AskedBy, Factors, Few, Presented, Request, Seen, Side};
use crate::table::{Keyed, Table, spread_id};
use crate::time::Utc;

/// Where a person is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Who.
    pub person: PersonId,
    /// Where.
    pub area: AreaId,
    /// Since when.
    pub since: Utc,
}

/// Where and when a person was last let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who.
    pub person: PersonId,
    /// Where.
    pub door: DoorId,
    /// On which side.
    pub side: Side,
    /// When.
    pub at: Utc,
    /// Whether somebody has passed on it.
    pub use_of_it: GrantUse,
}

/// What became of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantUse {
    /// Not told yet. From `until` on nobody is waited for: what was told is lost.
    Awaited {
        /// Until when.
        until: Utc,
    },
    /// Somebody has passed, or nobody will.
    Over,
}

/// What an operator made of a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverrideMode {
    /// Nobody enters.
    Locked,
    /// Only people of that clearance or more enter.
    Lockdown {
        /// 1..=7; 8 lets nobody in.
        clearance: u8,
    },
    /// It stands free.
    HeldOpen,
}

/// A door overridden by an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Override {
    /// How.
    pub mode: OverrideMode,
    /// By whom.
    pub by: OperatorId,
    /// The operator's rank: only the same or a higher one may change or lift it.
    pub rank: u8,
    /// From when.
    pub since: Utc,
    /// Until when; [`Utc::MAX`] until lifted.
    pub until: Utc,
}

/// Wrong tries that add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tries {
    /// How many.
    pub count: u8,
    /// When the last was.
    pub last: Utc,
    /// Until when nothing is taken.
    pub locked_until: Option<Utc>,
}

/// What wrong tries are counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tried {
    /// A reader: one side of a door.
    Reader(DoorId, Side),
    /// A known credential followed by a wrong PIN.
    Credential(CredentialId),
}

/// Factors that wait for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Whose.
    pub person: PersonId,
    /// What was shown.
    pub presented: Few<Presented>,
    /// How long they wait.
    pub until: Utc,
}

/// Something that happened, for [`State::observe`].
#[derive(Clone, Copy, Debug)]
pub enum Event<'e> {
    /// A decision was made and acted upon.
    Decided {
        /// What was asked.
        request: &'e Request,
        /// What was answered.
        decision: &'e Decision,
    },
    /// Somebody went through: the door opened after the grant, the lane reported the passage.
    Passed {
        /// Where.
        door: DoorId,
        /// From which side.
        side: Side,
        /// Who.
        person: PersonId,
        /// When.
        at: Utc,
        /// When that was told: a board that was alone tells late.
        told: Utc,
    },
    /// Nobody went through on the last grant: its time is over.
    NotUsed {
        /// Where.
        door: DoorId,
        /// From which side.
        side: Side,
        /// Who was let in.
        person: PersonId,
    },
    /// Another controller or the server says where somebody is.
    Located(Presence),
    /// An operator forgives one person: nothing is known of where they are.
    Forgiven(PersonId),
    /// An operator forgives everybody.
    AllForgiven,
    /// An operator overrode a door; whether the rank allows it was asked before.
    Overridden(DoorId, Override),
    /// An operator lifted an override.
    OverrideLifted(DoorId),
    /// Wrong tries that were counted before a restart.
    TriesKnown(Tried, Tries),
    /// An operator lifted a lock-out.
    TriesCleared(Tried),
    /// A fire zone became active.
    FireBegan(FireZoneId),
    /// A fire zone became quiet.
    FireEnded(FireZoneId),
    /// Events can no longer be recorded.
    RecordLost {
        /// Since when.
        at: Utc,
    },
    /// Events can be recorded again.
    RecordBack,
    /// The centre was heard.
    CentreHeard {
        /// When.
        at: Utc,
    },
}

/// The standing facts.
#[derive(Clone, Debug, Default)]
pub struct State {
    presence: Table<Presence>,
    grants: Table<Grant>,
    tries: BTreeMap<Tried, Tries>,
    waiting: BTreeMap<(DoorId, Side), Waiting>,
    overrides: BTreeMap<DoorId, Override>,
    fires: BTreeSet<FireZoneId>,
    record_lost: Option<Utc>,
    centre_heard: Option<Utc>,
}

/// A lane keeps a grant for its strike time, and for twice that once somebody has come in.
const LANE_TIMES: u32 = 3;

/// Most wrong-try counts kept; the one quiet for longest goes first.
pub const TRIES_MAX: usize = 4096;

impl State {
    /// Where a person is, as far as known.
    #[must_use]
    pub fn presence(&self, person: PersonId) -> Option<&Presence> {
        self.presence.get(&person)
    }

    /// Everybody whose place is known, by ascending person.
    #[must_use]
    pub fn present(&self) -> alloc::vec::Vec<&Presence> {
        self.presence.sorted()
    }

    /// Where a person was last let in.
    #[must_use]
    pub fn last_grant(&self, person: PersonId) -> Option<&Grant> {
        self.grants.get(&person)
    }

    /// Whether a person was let in there and has neither passed nor let the time go by.
    #[must_use]
    pub fn waits_to_pass(&self, person: PersonId, door: DoorId, now: Utc) -> bool {
        self.last_grant(person).is_some_and(|it| match it.use_of_it {
            GrantUse::Awaited { until } => {
                it.door == door && it.side == Side::Entry && it.at <= now && now < until
            }
            GrantUse::Over => false,
        })
    }

    /// The override in force at a door. A lock that begins after now was set before the clock was set back: it holds.
    #[must_use]
    pub fn override_at(&self, door: DoorId, now: Utc) -> Option<&Override> {
        let has_begun = |it: &Override| match it.mode {
            OverrideMode::Locked | OverrideMode::Lockdown { .. } => true,
            OverrideMode::HeldOpen => it.since <= now,
        };
        self.overrides.get(&door).filter(|it| has_begun(it) && (now < it.until || it.until == Utc::MAX))
    }

    /// All overrides that were set and not lifted, expired ones too, by door.
    pub fn overrides(&self) -> impl Iterator<Item = (DoorId, &Override)> {
        self.overrides.iter().map(|(door, it)| (*door, it))
    }

    /// The fire zones that are active.
    pub fn fires(&self) -> impl Iterator<Item = FireZoneId> {
        self.fires.iter().copied()
    }

    /// Whether an operator of that rank may change or lift what is in force at a door.
    #[must_use]
    pub fn may_override(&self, door: DoorId, rank: u8, now: Utc) -> bool {
        self.override_at(door, now).is_none_or(|it| it.rank <= rank)
    }

    /// Whether a fire zone is active.
    #[must_use]
    pub fn is_on_fire(&self, zone: FireZoneId) -> bool {
        self.fires.contains(&zone)
    }

    /// Since when events cannot be recorded.
    #[must_use]
    pub fn record_lost(&self) -> Option<Utc> {
        self.record_lost
    }

    /// When the centre was last heard.
    #[must_use]
    pub fn centre_heard(&self) -> Option<Utc> {
        self.centre_heard
    }

    /// The factors that wait at a reader for another. Ones that would wait longer than the site's rules allow were left
    /// before the clock was set back, and are void.
    #[must_use]
    pub fn waiting(&self, door: DoorId, side: Side, now: Utc, site: &SiteRules) -> Option<&Waiting> {
        let in_time = |it: &&Waiting| now < it.until && it.until.since(now) <= site.second_factor_within;
        self.waiting.get(&(door, side)).filter(in_time)
    }

    /// Wrong tries that still count at `now`. A lock-out that ends later than it could have begun was set before the
    /// clock was: it is void, as are tries of the future.
    #[must_use]
    pub fn tries(&self, tried: Tried, now: Utc, site: &SiteRules) -> Option<&Tries> {
        self.tries.get(&tried).filter(|it| match it.locked_until {
            Some(until) => now < until && until.since(now) <= site.lock_out,
            None => it.last <= now && now.since(it.last) <= site.wrong_tries_within,
        })
    }

    /// Takes in what happened.
    pub fn observe(&mut self, policy: &Policy, event: Event<'_>) {
        match event {
            Event::Decided { request, decision } => self.decided(policy, request, decision),
            Event::Passed { door, side, person, at, told } => {
                self.grant_is_over(door, side, person);
                // News may come late: the later fact stands, unless it lies ahead, recorded before the clock was set back.
                let later = |known: &Presence| at < known.since && known.since <= told;
                if let Some(door) = policy.door(door).filter(|_| !self.presence(person).is_some_and(later)) {
                    let area = match side {
                        Side::Entry => door.inside,
                        Side::Exit => door.outside,
                    };
                    self.presence.insert(Presence { person, area, since: at });
                }
            }
            Event::NotUsed { door, side, person } => self.grant_is_over(door, side, person),
            Event::Located(presence) => {
                // News may overtake each other: the later fact stands.
                if self.presence(presence.person).is_none_or(|known| known.since <= presence.since) {
                    self.presence.insert(presence);
                }
            }
            Event::Forgiven(person) => {
                self.presence.remove(&person);
            }
            Event::AllForgiven => self.presence = Table::default(),
            Event::Overridden(door, it) => {
                self.overrides.insert(door, it);
            }
            Event::OverrideLifted(door) => {
                self.overrides.remove(&door);
            }
            Event::TriesKnown(tried, tries) => {
                self.tries.insert(tried, tries);
            }
            Event::TriesCleared(tried) => {
                self.tries.remove(&tried);
            }
            Event::FireBegan(zone) => {
                self.fires.insert(zone);
            }
            Event::FireEnded(zone) => {
                self.fires.remove(&zone);
            }
            Event::RecordLost { at } => {
                self.record_lost.get_or_insert(at);
            }
            Event::RecordBack => self.record_lost = None,
            Event::CentreHeard { at } => self.centre_heard = Some(at),
        }
    }

    fn decided(&mut self, policy: &Policy, request: &Request, decision: &Decision) {
        if let AskedBy::Preview(_) = request.asked_by {
            return;
        }
        let (door, side, now) = (request.door, request.side, decision.trace.at);
        match &decision.outcome {
            Outcome::Granted(_) => {
                self.stop_waiting(door, side, decision.trace.person);
                if let Some(person) = decision.trace.person {
                    let strike = policy.door(door).map_or(Duration::ZERO, |it| it.strike);
                    let until = now.plus(strike.saturating_mul(LANE_TIMES));
                    let use_of_it = GrantUse::Awaited { until };
                    self.grants.insert(Grant { person, door, side, at: now, use_of_it });
                }
            }
            Outcome::Denied(reasons) => {
                // A wrong PIN may be typed again while the card still waits.
                if !reasons.iter().any(|reason| matches!(reason, Reason::WrongPin { .. })) {
                    self.stop_waiting(door, side, decision.trace.person);
                }
            }
            Outcome::NeedsMore { person, until, .. } => {
                let kept = self.waiting(door, side, now, policy.site()).copied();
                if kept.is_some_and(|it| it.person != *person && has_more_than_a_face(&it.presented))
                    && !has_more_than_a_face(&request.presented)
                {
                    // Whoever is only seen may walk past; whoever shows something stands at the reader.
                    return;
                }
                let kept = kept.filter(|waiting| waiting.person == *person);
                let mut presented = kept.map_or_else(Few::new, |waiting| waiting.presented);
                for item in request.presented.iter() {
                    // Showing the same thing again adds nothing, and a full list has all factors there are.
                    if presented.iter().all(|had| had.shown.factor() != item.shown.factor()) {
                        let _full = presented.push(*item);
                    }
                }
                self.waiting.insert((door, side), Waiting { person: *person, presented, until: *until });
            }
        }
        let seen = decision.trace.seen.iter().map(|it| &it.seen);
        let wrongly = wrongly_tried(door, side, seen);
        for tried in wrongly.iter() {
            self.count_try(policy, *tried, now);
        }
        // An exit opens for wrong things too; that excuses none of them.
        if decision.is_granted() && wrongly.is_empty() && !decision.trace.failed.has(Rule::WrongTries) {
            self.tries.remove(&Tried::Reader(door, side));
            for seen in decision.trace.seen.iter() {
                if let Seen::Credential { id, .. } = seen.seen {
                    self.tries.remove(&Tried::Credential(id));
                }
            }
        }
    }

    fn grant_is_over(&mut self, door: DoorId, side: Side, person: PersonId) {
        if let Some(grant) = self.last_grant(person).filter(|it| (it.door, it.side) == (door, side)).copied()
        {
            self.grants.insert(Grant { use_of_it: GrantUse::Over, ..grant });
        }
    }

    /// What waits is over when its own person passed or was refused, not when somebody else was.
    fn stop_waiting(&mut self, door: DoorId, side: Side, person: Option<PersonId>) {
        if self.waiting.get(&(door, side)).is_some_and(|it| Some(it.person) == person) {
            self.waiting.remove(&(door, side));
        }
    }

    fn count_try(&mut self, policy: &Policy, tried: Tried, now: Utc) {
        let site = policy.site();
        let before = self.tries(tried, now, site).copied();
        let count = before.map_or(1, |it| it.count.saturating_add(1));
        let locked_until = before
            .and_then(|it| it.locked_until)
            .or((count >= site.wrong_tries && !site.lock_out.is_zero()).then(|| now.plus(site.lock_out)));
        if !self.tries.contains_key(&tried) && self.tries.len() >= TRIES_MAX {
            let quietest = self.tries.iter().min_by_key(|(_, it)| it.last).map(|(tried, _)| *tried);
            if let Some(quietest) = quietest {
                self.tries.remove(&quietest);
            }
        }
        self.tries.insert(tried, Tries { count, last: now, locked_until });
    }
}

fn has_more_than_a_face(presented: &Few<Presented>) -> bool {
    presented.iter().any(|it| it.shown.factor() != Factors::FACE)
}

/// What counts as a wrong try of: unknown cards and codes at the reader, wrong PINs also with the credential they
/// were typed after. Faces do not count: strangers walk past cameras all day.
pub(crate) fn wrongly_tried<'s>(
    door: DoorId,
    side: Side,
    seen: impl Iterator<Item = &'s Seen> + Clone,
) -> Few<Tried> {
    let mut tried = Few::new();
    if !seen.clone().any(|it| matches!(it, Seen::UnknownCredential { .. })) {
        return tried;
    }
    let credentials = seen.filter_map(|it| match it {
        Seen::Credential { id, .. } => Some(Tried::Credential(*id)),
        Seen::Face { .. } | Seen::UnknownFace { .. } | Seen::UnknownCredential { .. } => None,
    });
    for it in core::iter::once(Tried::Reader(door, side)).chain(credentials) {
        // One wrong thing and at most three right ones always fit.
        let _fits = tried.push(it);
    }
    tried
}

impl Keyed for Presence {
    type Key = PersonId;

    fn key(&self) -> PersonId {
        self.person
    }

    fn spread(key: &PersonId) -> u64 {
        spread_id(key.0)
    }
}

impl Keyed for Grant {
    type Key = PersonId;

    fn key(&self) -> PersonId {
        self.person
    }

    fn spread(key: &PersonId) -> u64 {
        spread_id(key.0)
    }
}
