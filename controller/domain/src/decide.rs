//! The one decision function.

use alloc::vec::Vec;
use core::time::Duration;

use crate::decision::{Decision, Facts, Free, Outcome, Release, Remedy, SeenAt, Trace};
use crate::ids::{DoorId, FireZoneId, PersonId};
use crate::policy::{Credential, DoorKind, DoorView, Egress, Person, Policy, Relock};
use crate::reason::{Reason, Rule, RuleSet};
use crate::request::{CredentialKind, Factors, Few, Presented, Request, Seen, Shown, Side};
use crate::rules::RULES;
use crate::schedule::Moment;
use crate::state::{OverrideMode, State};
use crate::time::Utc;

/// Decides who may pass. Asks every rule, whatever the first ones say, and changes nothing:
/// tell [`State::observe`] what came of it.
///
/// On an egress side it always grants; what rules say there becomes alarms.
#[must_use]
pub fn decide(policy: &Policy, state: &State, request: &Request, now: Utc) -> Decision {
    let case = Case::new(policy, state, request, now);
    let mut findings = Findings::new(case.egress);
    for (rule, ask) in RULES {
        findings.ask(*rule, *ask, &case);
    }
    findings.conclude(&case)
}

/// Every cause for which a door stands free without anybody being let in, the strongest first.
pub fn free_because<'a>(
    policy: &'a Policy,
    state: &'a State,
    door: DoorId,
    now: Utc,
) -> impl Iterator<Item = Free> {
    let fire = policy.door(door).and_then(|it| it.fire_zone).filter(|zone| state.is_on_fire(*zone));
    let held_open = state.override_at(door, now).and_then(|it| match it.mode {
        OverrideMode::HeldOpen => Some(Free::HeldOpen { by: it.by, until: it.until }),
        OverrideMode::Locked | OverrideMode::Lockdown { .. } => None,
    });
    fire.map(Free::Fire).into_iter().chain(held_open)
}

/// A rule: `None` when it does not apply to the case.
pub(crate) type Ask = fn(&Case<'_>, &mut Findings) -> Option<()>;

/// The strike time at a door that is not in the policy; only its exit opens.
const UNKNOWN_DOOR_STRIKE: Duration = Duration::from_secs(5);

/// All that rules may look at.
pub(crate) struct Case<'c> {
    pub(crate) policy: &'c Policy,
    pub(crate) state: &'c State,
    pub(crate) request: &'c Request,
    pub(crate) now: Utc,
    pub(crate) moment: Moment,
    pub(crate) door: Option<DoorView<'c>>,
    /// Whether people escape this way: nothing is refused then.
    pub(crate) egress: bool,
    /// The zone that is on fire here.
    pub(crate) fire: Option<FireZoneId>,
    /// What was shown now, and what still waited for it.
    pub(crate) items: Few<Item<'c>>,
    /// Who the first of the things shown belongs to.
    pub(crate) person_id: Option<PersonId>,
    /// The same, when the policy knows them.
    pub(crate) person: Option<&'c Person>,
}

/// One thing shown.
#[derive(Clone, Copy)]
pub(crate) struct Item<'c> {
    pub(crate) seen: Seen,
    pub(crate) factor: Factors,
    pub(crate) credential: Option<&'c Credential>,
    pub(crate) at: Utc,
    pub(crate) waited: bool,
}

/// What rules found.
pub(crate) struct Findings {
    rule: Rule,
    egress: bool,
    refused: Vec<Reason>,
    alarms: Vec<Reason>,
    asked: RuleSet,
    failed: RuleSet,
    missing: Option<Factors>,
    pub(crate) facts: Facts,
}

impl<'c> Case<'c> {
    fn new(policy: &'c Policy, state: &'c State, request: &'c Request, now: Utc) -> Case<'c> {
        let door = policy.door_view(request.door);
        let egress = match request.side {
            Side::Exit => true,
            Side::Entry => door.is_some_and(|it| it.door.egress == Egress::Both),
        };
        let fire = door.and_then(|it| it.door.fire_zone).filter(|zone| state.is_on_fire(*zone));
        let mut items = Few::new();
        for presented in request.presented.iter() {
            // Both lists have the same length.
            let _fits = items.push(Item::new(policy, presented, false));
        }
        // Waiting factors count for the next thing of the same person, or for a PIN, which does not say whose it is.
        // A stranger's face in the background has nothing to do with them.
        let person_id = items.iter().find_map(|item| item.person());
        let types_pin = items.iter().any(|item| item.factor == Factors::PIN);
        let waiting = state.waiting(request.door, request.side, now, policy.site());
        if let Some(waiting) = waiting.filter(|it| person_id.map_or(types_pin, |id| id == it.person)) {
            for presented in waiting.presented.iter() {
                let item = Item::new(policy, presented, true);
                if items.iter().all(|had| had.factor != item.factor) {
                    let _fits = items.push(item);
                }
            }
        }
        let person_id = items.iter().find_map(|item| item.person());
        Case {
            policy,
            state,
            request,
            now,
            moment: policy.moment(now),
            door,
            egress,
            fire,
            items,
            person_id,
            person: person_id.and_then(|id| policy.person(id)),
        }
    }

    /// Every factor shown. One that is wrong counts too: the rule it fails refuses, and says more than "missing" would.
    pub(crate) fn shown(&self) -> Factors {
        self.items.iter().fold(Factors::NONE, |all, item| all.and(item.factor))
    }

    fn release(&self) -> Release {
        let already = free_because(self.policy, self.state, self.request.door, self.now).next();
        let (strike, relock) =
            self.door.map_or((UNKNOWN_DOOR_STRIKE, Relock::AfterTime), |it| (it.door.strike, it.door.relock));
        let renews = self.request.side == Side::Entry
            && self.door.is_some_and(|it| it.door.kind == DoorKind::Lane)
            && self.person_id.is_some_and(|id| self.state.waits_to_pass(id, self.request.door, self.now));
        Release { strike, relock, already, renews }
    }

    fn seen(&self) -> Few<SeenAt> {
        self.items.map(|item| SeenAt { seen: item.seen, age: self.now.since(item.at), waited: item.waited })
    }
}

impl<'c> Item<'c> {
    fn new(policy: &'c Policy, presented: &Presented, waited: bool) -> Item<'c> {
        let (seen, credential) = match presented.shown {
            Shown::Face { person, score, margin, live } => (Seen::Face { person, score, margin, live }, None),
            Shown::UnknownFace { score, live } => (Seen::UnknownFace { score, live }, None),
            Shown::Digest { kind, digest } => match policy.credential(&digest).filter(|it| it.kind == kind) {
                Some(it) => (Seen::Credential { id: it.id, person: it.person, kind }, Some(it)),
                None => {
                    let tag = (kind != CredentialKind::Pin).then(|| digest.tag());
                    (Seen::UnknownCredential { kind, tag }, None)
                }
            },
        };
        Item { seen, factor: presented.shown.factor(), credential, at: presented.at, waited }
    }

    pub(crate) fn person(&self) -> Option<PersonId> {
        match self.seen {
            Seen::Face { person, .. } | Seen::Credential { person, .. } => Some(person),
            Seen::UnknownFace { .. } | Seen::UnknownCredential { .. } => None,
        }
    }
}

impl Findings {
    fn new(egress: bool) -> Findings {
        Findings {
            rule: Rule::DoorKnown,
            egress,
            refused: Vec::new(),
            alarms: Vec::new(),
            asked: RuleSet::default(),
            failed: RuleSet::default(),
            missing: None,
            facts: Facts::default(),
        }
    }

    fn ask(&mut self, rule: Rule, ask: Ask, case: &Case<'_>) {
        self.rule = rule;
        if ask(case, self).is_some() {
            self.asked.insert(rule);
        }
    }

    /// The rule refuses; on an egress side it alarms instead. Each reason is told once.
    pub(crate) fn refuse(&mut self, reason: Reason) {
        if self.egress {
            self.alarm(reason);
            return;
        }
        self.failed.insert(self.rule);
        if !self.refused.contains(&reason) {
            self.refused.push(reason);
        }
    }

    /// The rule alarms and refuses nothing.
    pub(crate) fn alarm(&mut self, reason: Reason) {
        self.failed.insert(self.rule);
        if !self.alarms.contains(&reason) {
            self.alarms.push(reason);
        }
    }

    /// The rule asks for another factor, unless something else refuses anyway.
    pub(crate) fn ask_for(&mut self, missing: Factors) {
        self.failed.insert(self.rule);
        self.missing = Some(missing);
    }

    fn conclude(mut self, case: &Case<'_>) -> Decision {
        let shown = case.shown();
        if let Some(missing) = self.missing
            && !self.refused.is_empty()
        {
            self.refused.push(Reason::Combination { shown, nearest: Some(shown.and(missing)) });
        }
        let mut would_pass: Vec<Remedy> = self.refused.iter().map(|reason| remedy(*reason, case)).collect();
        // Not being refused is not enough to enter: a level and a combination must have said yes. Whenever they did not,
        // a rule refused; should one be missing, the door still stays shut.
        let proven = self.egress || (self.facts.level.is_some() && self.facts.combination.is_some());
        let outcome = match (self.missing, case.person_id) {
            (Some(missing), Some(person)) if self.refused.is_empty() => {
                would_pass.push(Remedy::Show(missing));
                Outcome::NeedsMore {
                    person,
                    missing,
                    until: case.now.plus(case.policy.site().second_factor_within),
                }
            }
            _ if self.refused.is_empty() && proven => Outcome::Granted(case.release()),
            _ => Outcome::Denied(self.refused),
        };
        let trace = Trace {
            at: case.now,
            door: case.request.door,
            side: case.request.side,
            asked_by: case.request.asked_by,
            policy: case.policy.version(),
            policy_age: case.now.since(case.policy.made_at()),
            centre_heard: case.state.centre_heard(),
            person: case.person_id,
            seen: case.seen(),
            facts: self.facts,
            asked: self.asked,
            failed: self.failed,
            would_pass,
        };
        Decision { outcome, alarms: self.alarms, trace }
    }
}

/// What would have to be different for that reason not to be.
fn remedy(reason: Reason, case: &Case<'_>) -> Remedy {
    match reason {
        Reason::NothingShown => Remedy::Show(
            case.door.and_then(|it| it.combinations(&case.moment).first().copied()).unwrap_or(Factors::NONE),
        ),
        Reason::WrongPin { .. } => Remedy::Show(Factors::PIN),
        Reason::TooOld { factor, .. } => Remedy::Show(factor),
        Reason::DifferentPeople { .. } => Remedy::Show(case.shown()),
        Reason::FaceNotLive { .. } | Reason::FaceScore { .. } | Reason::FaceMargin { .. } => {
            Remedy::Show(Factors::FACE)
        }
        Reason::Combination { shown, nearest: Some(nearest) } => Remedy::Show(nearest.without(shown)),
        Reason::CredentialExpired { validity, .. } | Reason::PersonExpired { validity, .. }
            if case.now < validity.from =>
        {
            Remedy::Wait(validity.from)
        }
        Reason::OutsideSchedule { opens: Some(at), .. }
        | Reason::EntersTwice { until: Some(at), .. }
        | Reason::ReaderLockedOut { until: at, .. }
        | Reason::CredentialLockedOut { until: at, .. }
        | Reason::JustGrantedElsewhere { until: at, .. } => Remedy::Wait(at),
        Reason::DoorLocked { .. }
        | Reason::DoorLockedDown { .. }
        | Reason::EntersTwice { .. }
        | Reason::LeavesTwice { .. }
        | Reason::Unrecorded { .. }
        | Reason::WrongTries { .. }
        | Reason::Duress { .. } => Remedy::Operator(reason),
        Reason::UnknownDoor { .. }
        | Reason::UnknownCredential { .. }
        | Reason::UnknownFace { .. }
        | Reason::CredentialStatus { .. }
        | Reason::CredentialExpired { .. }
        | Reason::UnknownPerson { .. }
        | Reason::PersonStatus { .. }
        | Reason::PersonExpired { .. }
        | Reason::FaceWithoutConsent { .. }
        | Reason::Combination { .. }
        | Reason::NoLevel { .. }
        | Reason::OutsideSchedule { .. } => Remedy::Change(reason),
    }
}
