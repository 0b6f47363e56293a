//! What beams mean for authorities: who may be in the lane, who has passed, and what is an alarm.

use super::super::crossing::{Crossing, Seen, Standing};
use super::{GateLane, Out, seconds};
use crate::common::{Effect, Timer, push};
use crate::gate_lane::{Direction, Event};

/// Somebody authorised who came in has this many times the time for coming in to get through; then the authority is over.
const CROSSING_TIMES: u64 = 2;

impl GateLane {
    pub(super) fn beam(&mut self, now: u64, beam: u8, blocked: bool, out: &mut Out) {
        let beams = self.beams.with(beam, blocked);
        if beams == self.beams {
            return;
        }
        self.beams = beams;
        let toward = self.open_toward();
        match self.crossing.beam(beam, blocked, beams, toward) {
            Seen::Nothing => {}
            Seen::CameIn(_) | Seen::Deeper => self.judge(now, out),
            Seen::Followed => self.judge_follower(out),
            Seen::Opposed(direction) => {
                if !self.is_free() {
                    self.alarm(Event::WrongWay { direction }, out);
                }
            }
            Seen::OneLeft { direction, standing } => {
                self.left(now, direction, 1, standing, out);
                self.judge(now, out);
            }
            Seen::Left { direction, people, standing } => self.left(now, direction, people, standing, out),
            Seen::WentBack { direction, standing } => {
                if standing == Standing::Authorised && !self.is_free() {
                    let id = self.pending_mut(direction).first();
                    push(out, Effect::Event(Event::Abandoned { direction, id }));
                }
                self.rearm(now, direction);
            }
        }
        if self.crossing == Crossing::Empty {
            self.set_blocked(false, out);
        }
    }

    /// Gives those who came in their standing, and raises the alarm once they are deep enough to mean it.
    pub(super) fn judge(&mut self, now: u64, out: &mut Out) {
        let Crossing::Inside { direction, reached, people, standing: Standing::Waiting, .. } = self.crossing
        else {
            return;
        };
        if self.is_free() || self.pending_mut(direction).count() >= people {
            self.stand(Standing::Authorised);
            self.give_time(now, direction);
            return;
        }
        let event = match self.open_toward() {
            Some(open) if open == direction && reached >= 1 => Event::Tailgating { direction },
            Some(open) if open != direction && reached >= 1 => Event::WrongWay { direction },
            None if reached >= 2 => Event::Forced { direction },
            Some(_) | None => return,
        };
        self.alarm(event, out);
    }

    fn judge_follower(&mut self, out: &mut Out) {
        let Crossing::Inside { direction, people, .. } = self.crossing else { return };
        if !self.is_free() && self.pending_mut(direction).count() < people {
            self.alarm(Event::Tailgating { direction }, out);
        }
    }

    fn alarm(&mut self, event: Event, out: &mut Out) {
        self.stand(Standing::Alarmed);
        push(out, Effect::Event(event));
    }

    fn stand(&mut self, new: Standing) {
        if let Crossing::Inside { standing, .. } = &mut self.crossing {
            *standing = new;
        }
    }

    /// So many left at the far end: as many as had an authority have passed, the others have slipped through.
    fn left(&mut self, now: u64, direction: Direction, people: u8, standing: Standing, out: &mut Out) {
        for _ in 0..people {
            match self.pending_mut(direction).take() {
                Some(id) if standing != Standing::Waiting => {
                    push(out, Effect::Event(Event::Passed { direction, id }));
                }
                Some(_) | None if self.is_free() => {
                    push(out, Effect::Event(Event::Passed { direction, id: 0 }));
                }
                Some(_) | None => push(out, Effect::Event(Event::Slipped { direction })),
            }
        }
        self.set_blocked(false, out);
        self.rearm(now, direction);
    }

    fn rearm(&mut self, now: u64, direction: Direction) {
        let until = now + seconds(self.settings.pass_s.get().into());
        let pending = self.pending_mut(direction);
        pending.expires = if pending.ids.is_empty() { Timer::Idle } else { Timer::Until(until) };
    }

    /// An authority does not run out under somebody who is using it, but for a time.
    fn give_time(&mut self, now: u64, direction: Direction) {
        let until = now + CROSSING_TIMES * seconds(self.settings.pass_s.get().into());
        let pending = self.pending_mut(direction);
        pending.expires = Timer::Until(pending.expires.at().unwrap_or(0).max(until));
    }

    /// Who was let in by what is over now (a hold, a fire, an order) gets through in the same time as everybody.
    pub(super) fn watch_crossing(&mut self, now: u64) {
        if let Crossing::Inside { direction, standing: Standing::Authorised, .. } = self.crossing
            && !self.is_free()
            && self.pending_mut(direction).expires == Timer::Idle
        {
            self.give_time(now, direction);
        }
    }

    /// The time of those who cross this way is over.
    pub(super) fn overdue(&mut self, now: u64, direction: Direction, out: &mut Out) {
        if let Crossing::Inside { direction: way, standing: Standing::Authorised, .. } = self.crossing
            && way == direction
            && !self.is_free()
        {
            self.set_blocked(true, out);
            self.stand(Standing::Waiting);
            self.judge(now, out);
        }
    }
}
