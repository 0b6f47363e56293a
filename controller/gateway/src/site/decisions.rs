//! The single place that asks `domain` to decide.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use domain::decision::{Decision, Outcome};
use domain::ids::{DoorId, PersonId};
use domain::policy::{AntiPassback, DoorKind, Egress};
use domain::request::{Liveness, Request, Score, Shown, Side};
use domain::state;
use domain::time::Utc;
use endpoints::Order;
use endpoints::vendor::ToBoard;
use osdp::{Blink, LedColor, LedControl, TemporaryLed};
use uplink::ask::{Answer, Ask, DEADLINE_MS};
use uplink::event::{self, Body, Fact};
use uplink::reader_link::{Face, OLDEST_SIGHTING_MS, Sighting};

use super::record::After;
use super::{BoardId, DecisionId, Effect, LinkId, Now, RELEASE_LIFE, Released, Say, Site, trace};

/// Tracks remembered for each camera.
const TRACKS: usize = 64;
/// How long a reader shows its answer, in units of 100 ms.
const SHOW: u16 = 20;

/// Where somebody is told what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// A camera's track.
    Face {
        link: LinkId,
        camera: String,
        track: u64,
    },
    Reader {
        board: BoardId,
        number: u8,
    },
}

/// A door to be released.
#[derive(Debug, Clone)]
pub(super) struct Release {
    pub(super) door: DoorId,
    pub(super) side: Side,
    pub(super) person: Option<PersonId>,
    pub(super) strike: Duration,
    pub(super) origin: Option<Origin>,
    pub(super) decision: DecisionId,
    /// It gives an earlier one its time again, if that one is known.
    pub(super) renews: bool,
}

impl Release {
    /// Who is let through where, by which decision.
    pub(super) fn was(&self) -> Released {
        Released {
            door: self.door,
            side: self.side,
            person: self.person,
            decision: Some(self.decision),
            renewed: false,
        }
    }
}

/// Somebody who would be let in, but for what the centre may say.
#[derive(Debug)]
pub(super) struct Asked {
    request: Request,
    origin: Origin,
    stages: BTreeMap<String, u64>,
    /// Microseconds since start.
    pub(super) deadline: u64,
}

/// What came of the tracks seen lately, by camera. A new connection may be a new run of vision, which numbers anew.
#[derive(Debug, Default)]
pub(super) struct Tracks(BTreeMap<String, VecDeque<Tracked>>);

/// A connection's track, and what came of it.
type Tracked = ((LinkId, u64), TrackNow);

#[derive(Debug, Clone, PartialEq, Eq)]
enum TrackNow {
    /// Granted, and not yet known whether the door was released.
    Pending,
    Granted,
    Denied {
        person: Option<PersonId>,
        codes: Vec<&'static str>,
    },
}

impl Tracks {
    fn get(&self, camera: &str, track: (LinkId, u64)) -> Option<&TrackNow> {
        self.0.get(camera)?.iter().rev().find(|(known, _)| *known == track).map(|(_, now)| now)
    }

    fn set(&mut self, camera: &str, track: (LinkId, u64), now: TrackNow) {
        let tracks = self.0.entry(camera.to_owned()).or_default();
        tracks.retain(|(known, _)| *known != track);
        if tracks.len() >= TRACKS {
            tracks.pop_front();
        }
        tracks.push_back((track, now));
    }
}

impl Site {
    pub(super) fn sighted(&mut self, now: Now, link: LinkId, vision: &str, sighting: &Sighting) {
        let Some(camera) = self.plan.camera(vision, &sighting.camera) else {
            tracing::warn!(vision, "a sighting of a camera that is not bound here");
            return;
        };
        let (door, side, name) = (camera.door, camera.side, camera.name.clone());
        self.cameras.insert(name.clone(), true);
        let age = now.utc.0.saturating_sub(sighting.captured_at);
        let oldest = i64::try_from(OLDEST_SIGHTING_MS * 1_000).expect("a second");
        let origin = Origin::Face { link, camera: name.clone(), track: sighting.track };
        if !(-oldest..=oldest).contains(&age) {
            tracing::warn!(camera = %name, age_us = age, "a sighting too old or from the future opens nothing");
            self.verdict(&origin, false);
            return;
        }
        match self.tracks.get(&name, (link, sighting.track)) {
            Some(TrackNow::Granted) => return self.verdict(&origin, true),
            Some(TrackNow::Pending) => return,
            Some(TrackNow::Denied { .. }) | None => {}
        }
        let mut stages = sighting.stages_us.clone();
        stages.insert("link".to_owned(), u64::try_from(age).unwrap_or(0));
        self.presented(now, door, side, shown(sighting), Utc(sighting.captured_at), origin, stages);
    }

    /// Somebody shows one thing at one side of a door.
    #[expect(
        clippy::too_many_arguments,
        reason = "what, where, when, from where; a struct would only repeat them"
    )]
    pub(super) fn presented(
        &mut self,
        now: Now,
        door: DoorId,
        side: Side,
        shown: Shown,
        taken_at: Utc,
        origin: Origin,
        mut stages: BTreeMap<String, u64>,
    ) {
        let request = Request::shows(door, side, shown, taken_at);
        let decision = self.decide(now, &request, &mut stages);
        if decision.is_granted()
            && !self.is_egress(door, side)
            && self.needs_centre(door)
            && let Some(person) = decision.trace.person
        {
            if self.centre.can_be_asked() {
                return self.ask(now, request, person, origin, stages);
            }
            return self.settle(now, &request, decision, origin, "link-down", stages);
        }
        self.conclude(now, &request, decision, origin, "not-needed", stages);
    }

    fn decide(&self, now: Now, request: &Request, stages: &mut BTreeMap<String, u64>) -> Decision {
        // The one place outside the rules where time is measured: it goes into the trace and changes nothing.
        let began = Instant::now();
        let decision = domain::decide(&self.policy, &self.state, request, now.utc);
        let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let before = stages.get("decide").copied().unwrap_or(0);
        stages.insert("decide".to_owned(), before.saturating_add(took));
        decision
    }

    /// Nobody else is to be asked.
    fn conclude(
        &mut self,
        now: Now,
        request: &Request,
        mut decision: Decision,
        origin: Origin,
        centre: &str,
        stages: BTreeMap<String, u64>,
    ) {
        if let Outcome::NeedsMore { .. } = decision.outcome {
            self.observe(state::Event::Decided { request, decision: &decision });
            return self.prompt(&origin);
        }
        if let (Origin::Face { link, camera, track }, Outcome::Denied(reasons)) = (&origin, &decision.outcome)
        {
            let codes = reasons.iter().map(domain::reason::Reason::code).collect();
            let denied = TrackNow::Denied { person: decision.trace.person, codes };
            let same = self.tracks.get(camera, (*link, *track)) == Some(&denied);
            self.tracks.set(camera, (*link, *track), denied);
            if same {
                // The same look at the same person again: one event says it.
                decision.alarms.clear();
                return self.verdict(&origin, false);
            }
        }
        self.settle(now, request, decision, origin, centre, stages);
    }

    /// Whether only the centre knows enough: anti-passback around an area that other controllers lead into or out of.
    fn needs_centre(&self, door: DoorId) -> bool {
        let Some(door) = self.policy.door(door) else { return false };
        if door.anti_passback == AntiPassback::Off {
            return false;
        }
        let shared = |other: &domain::policy::Door| {
            other.controller != self.plan.controller
                && (other.inside == door.inside || other.outside == door.inside)
        };
        self.policy.doors().iter().any(shared)
    }

    pub(super) fn is_egress(&self, door: DoorId, side: Side) -> bool {
        match side {
            Side::Exit => true,
            Side::Entry => self.policy.door(door).is_some_and(|it| it.egress == Egress::Both),
        }
    }

    fn ask(
        &mut self,
        now: Now,
        request: Request,
        person: PersonId,
        origin: Origin,
        stages: BTreeMap<String, u64>,
    ) {
        let id = self.order_number();
        let wait = DEADLINE_MS * 1_000;
        self.effects.push(Effect::Ask(Ask {
            id,
            expires_at: now.utc.plus(Duration::from_micros(wait)).0,
            person: person.0,
            door: request.door.0,
            side: trace::side(request.side),
        }));
        self.pend(&origin);
        self.asked.insert(id, Asked { request, origin, stages, deadline: now.mono + wait });
    }

    pub(super) fn answered(&mut self, now: Now, answer: Answer) {
        // An answer after its deadline, or to nobody's question, changes nothing.
        let Some(asked) = self.asked.remove(&answer.id) else { return };
        self.waited(now, asked, "agreed", answer.objections);
    }

    pub(super) fn asks_expire(&mut self, now: Now) {
        while let Some(id) = self.asked.iter().find(|(_, it)| it.deadline <= now.mono).map(|(id, _)| *id) {
            let asked = self.asked.remove(&id).expect("it was just found");
            self.centre.left_unanswered();
            self.waited(now, asked, "no-answer", Vec::new());
        }
    }

    /// The waiting for the centre is over. Decided again: what holds now counts, not what held when it was asked.
    fn waited(&mut self, now: Now, mut asked: Asked, centre: &str, objections: Vec<event::Reason>) {
        let decision = self.decide(now, &asked.request, &mut asked.stages);
        if objections.is_empty() {
            return self.conclude(now, &asked.request, decision, asked.origin, centre, asked.stages);
        }
        let mut access = trace::access(&decision, "objected", asked.stages);
        access.outcome = event::Outcome::Denied;
        access.reasons.extend(objections);
        access.decision = Some(self.decision_number().0);
        self.event(now.utc.0, Body::Access(access));
        self.refuse_when_written(asked.request.door, asked.request.side, asked.origin);
    }

    /// What was decided happens: it is written down, then acted upon.
    fn settle(
        &mut self,
        now: Now,
        request: &Request,
        decision: Decision,
        origin: Origin,
        centre: &str,
        stages: BTreeMap<String, u64>,
    ) {
        let (door, side) = (request.door, request.side);
        let mut access = trace::access(&decision, centre, stages);
        let number = self.decision_number();
        access.decision = Some(number.0);
        let Outcome::Granted(release) = decision.outcome else {
            self.observe(state::Event::Decided { request, decision: &decision });
            self.keep_tries(now, &decision);
            self.event(now.utc.0, Body::Access(access));
            return self.refuse_when_written(door, side, origin);
        };
        let driver = self.plan.driver(door).filter(|board| self.boards[board.0].online());
        if driver.is_none() {
            // It may pass, and nothing can open: the record says what happened, and the person is not taken to be inside.
            access.outcome = event::Outcome::Denied;
            access
                .reasons
                .push(trace::own_reason("board-offline", [("door", Fact::Int(door.0.cast_signed()))]));
            self.event(now.utc.0, Body::Access(access));
            return self.refuse_when_written(door, side, origin);
        }
        self.observe(state::Event::Decided { request, decision: &decision });
        self.keep_tries(now, &decision);
        self.event(now.utc.0, Body::Access(access));
        self.pend(&origin);
        let release = Release {
            door,
            side,
            person: decision.trace.person,
            strike: release.strike,
            origin: Some(origin),
            decision: number,
            renews: release.renews,
        };
        if self.is_egress(door, side) {
            self.release(now, &release);
        } else {
            self.record.gathering.after.push(After::Release(Box::new(release)));
        }
    }

    /// Lets somebody through.
    pub(super) fn release(&mut self, now: Now, release: &Release) {
        let Some(board) = self.plan.driver(release.door).filter(|board| self.boards[board.0].online()) else {
            // It went while the decision was being written down.
            self.correct(now, release.was(), "board-offline");
            return self.refuse(release.door, release.side, release.origin.as_ref());
        };
        let was = release.was();
        let same = |it: &Released| (it.door, it.side, it.person) == (was.door, was.side, was.person);
        let renewed = self.releases.iter().rev().find(|(_, it)| release.renews && same(it));
        let (order, renewed) = match renewed.map(|(order, _)| *order) {
            Some(order) => (order, true),
            None => (self.order_number(), false),
        };
        self.remember_release(order, Released { renewed, ..was });
        self.send_release(now, board, order, release.side, release.strike);
        if let Some(origin) = &release.origin {
            self.verdict(origin, true);
        }
        self.light(release.door, release.side, LedColor::GREEN);
    }

    /// A board had seen this order. One that was given again to renew it is no longer known there, or the board cannot renew:
    /// whoever was let in gets a new one.
    pub(super) fn release_anew(&mut self, now: Now, board: BoardId, order: u64) {
        let Some(released) = self.releases.get_mut(&order).filter(|it| it.renewed) else { return };
        released.renewed = false;
        let released = *released;
        let Some(strike) = self.policy_door(released.door).map(|it| it.strike) else { return };
        let order = self.order_number();
        self.remember_release(order, released);
        self.send_release(now, board, order, released.side, strike);
    }

    pub(super) fn send_release(
        &mut self,
        now: Now,
        board: BoardId,
        order: u64,
        side: Side,
        strike: Duration,
    ) {
        if !self.plan.is_ours(board) {
            return self.release_plain(now, board, order, strike);
        }
        let (order_kind, for_ms) = match (self.kind_of(board), side) {
            (DoorKind::Door, _) => (Order::Release, u32::try_from(strike.as_millis()).unwrap_or(u32::MAX)),
            // A lane has its own time for a passage.
            (DoorKind::Lane, Side::Entry) => (Order::PassEntry, 0),
            (DoorKind::Lane, Side::Exit) => (Order::PassExit, 0),
        };
        let command = ToBoard::Command { id: order, order: order_kind, for_ms };
        self.say(board, Say::Ours(command), order, RELEASE_LIFE);
    }

    /// A refusal is answered when it is on the disk, as a grant is: what somebody was told is in the record.
    fn refuse_when_written(&mut self, door: DoorId, side: Side, origin: Origin) {
        self.record.gathering.after.push(After::Refuse { door, side, origin });
    }

    pub(super) fn refuse(&mut self, door: DoorId, side: Side, origin: Option<&Origin>) {
        if let Some(origin) = origin {
            self.not_granted(origin);
        }
        self.light(door, side, LedColor::RED);
    }

    /// Nothing of a track is pending any more: its next look counts.
    fn not_granted(&mut self, origin: &Origin) {
        if let Origin::Face { link, camera, track } = origin
            && self.tracks.get(camera, (*link, *track)) == Some(&TrackNow::Pending)
        {
            self.tracks.set(camera, (*link, *track), TrackNow::Denied { person: None, codes: Vec::new() });
        }
        self.verdict(origin, false);
    }

    fn pend(&mut self, origin: &Origin) {
        if let Origin::Face { link, camera, track } = origin {
            self.tracks.set(camera, (*link, *track), TrackNow::Pending);
        }
    }

    fn verdict(&mut self, origin: &Origin, granted: bool) {
        if let Origin::Face { link, camera, track } = origin {
            if granted {
                self.tracks.set(camera, (*link, *track), TrackNow::Granted);
            }
            let (link, camera, track) = (*link, camera.clone(), *track);
            self.effects.push(Effect::Verdict { link, camera, track, granted });
        }
    }

    /// The reader asks for the next thing.
    fn prompt(&mut self, origin: &Origin) {
        match origin {
            Origin::Reader { board, number } => {
                let blink = Blink { on_100ms: 3, off_100ms: 3, on: LedColor::AMBER, off: LedColor::BLACK };
                self.led(*board, *number, blink, 100);
            }
            Origin::Face { .. } => self.not_granted(origin),
        }
    }

    /// Every reader on that side of the door shows the answer.
    fn light(&mut self, door: DoorId, side: Side, color: LedColor) {
        let readers: Vec<(BoardId, u8)> = self.plan.readers_at(door, side).collect();
        for (board, number) in readers {
            self.led(board, number, Blink::steady(color), SHOW);
        }
    }

    fn led(&mut self, board: BoardId, reader: u8, blink: Blink, for_100ms: u16) {
        if self.boards[board.0].online() {
            let control = LedControl {
                reader,
                led: 0,
                temporary: TemporaryLed::Set(blink, for_100ms),
                permanent: None,
            };
            self.say(board, Say::Led(control), 0, RELEASE_LIFE);
        }
    }

    pub(super) fn policy_door(&self, door: DoorId) -> Option<&domain::policy::Door> {
        self.policy.door(door)
    }
}

/// A sighting as the rules see it.
fn shown(sighting: &Sighting) -> Shown {
    let live = if sighting.liveness.live { Liveness::Live } else { Liveness::NotLive };
    match sighting.face {
        Face::Known { person, score, margin } => Shown::Face {
            person: PersonId(person),
            score: tenthousandths(score),
            margin: tenthousandths(margin),
            live,
        },
        Face::Unknown { best } => Shown::UnknownFace { score: tenthousandths(best.unwrap_or(0.0)), live },
    }
}

/// A cosine in ten-thousandths. What is no number is no similarity.
fn tenthousandths(cosine: f32) -> Score {
    let scaled = (cosine * 10_000.0).round().clamp(-10_000.0, 10_000.0);
    if scaled.is_nan() {
        return Score(0);
    }
    #[expect(clippy::cast_possible_truncation, reason = "clamped to ±10 000, and not NaN")]
    Score(scaled as i16)
}
