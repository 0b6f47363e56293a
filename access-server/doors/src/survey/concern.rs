//! What of a site comes to nothing: allowed, but hardly meant.

use std::collections::BTreeSet;

use domain::civil::Date;
use domain::ids::{DoorId, LevelId, ScheduleId};
use domain::schedule::{DayKind, Days};

use super::{Survey, Thing};
use crate::level::Level;
use crate::schedule::{Schedule, calendar};

/// Something that a person should have been told before it is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Concern {
    /// No level that lets anybody in at any time leads through this door.
    DoorForNobody(DoorId),
    /// No combination of credentials opens this door at any time.
    DoorAsksForNothing(DoorId),
    /// This schedule is never open from today on.
    ScheduleNever(ScheduleId),
    /// Nobody belongs to the level's groups.
    LevelForNobody(LevelId),
    /// The level leads through no door.
    LevelToNowhere(LevelId),
    /// The level's schedule is never open.
    LevelNever(LevelId),
}

impl Concern {
    /// The stable kind, for programs and language files.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::DoorForNobody(_) => "door-for-nobody",
            Self::DoorAsksForNothing(_) => "door-asks-for-nothing",
            Self::ScheduleNever(_) => "schedule-never",
            Self::LevelForNobody(_) => "level-for-nobody",
            Self::LevelToNowhere(_) => "level-to-nowhere",
            Self::LevelNever(_) => "level-never",
        }
    }

    /// What it is about.
    #[must_use]
    pub fn thing(self) -> Thing {
        match self {
            Self::DoorForNobody(id) | Self::DoorAsksForNothing(id) => Thing::Door(id),
            Self::ScheduleNever(id) => Thing::Schedule(id),
            Self::LevelForNobody(id) | Self::LevelToNowhere(id) | Self::LevelNever(id) => Thing::Level(id),
        }
    }
}

impl Survey {
    /// Everything that comes to nothing, seen on a day.
    #[must_use]
    pub fn concerns(&self, today: Date) -> BTreeSet<Concern> {
        let never: BTreeSet<ScheduleId> = self
            .schedules
            .iter()
            .filter(|(_, schedule)| !self.opens(schedule, today))
            .map(|(id, _)| *id)
            .collect();
        let mut concerns: BTreeSet<Concern> = never.iter().copied().map(Concern::ScheduleNever).collect();
        let mut reached = BTreeSet::new();
        for (id, level) in &self.levels {
            let idle = self.idle(*id, level, &never);
            if idle.is_empty() {
                reached.extend(self.doors_of_level(level));
            }
            concerns.extend(idle);
        }
        for (id, door) in &self.doors {
            let asks =
                !door.otherwise.is_empty() || door.rules.iter().any(|rule| !never.contains(&rule.schedule));
            if !asks {
                concerns.insert(Concern::DoorAsksForNothing(*id));
            } else if !reached.contains(id) {
                concerns.insert(Concern::DoorForNobody(*id));
            }
        }
        concerns
    }

    /// Whether a schedule is open at any time from a day on: by a window whose days come, or by an exception.
    #[must_use]
    pub fn opens(&self, schedule: &Schedule, today: Date) -> bool {
        // What began yesterday may go on into today.
        let first = today.plus_days(-1);
        let mut come = Days::NONE;
        // Every weekday comes in the end; unusual days only where the calendar has them.
        for weekday in domain::civil::Weekday::ALL {
            come = come.and(Days::only(DayKind::Weekday(weekday)));
        }
        for (date, kind) in calendar(&self.days).days {
            if date >= first {
                come = come.and(Days::only(kind));
            }
        }
        schedule.windows.iter().any(|window| window.days.meets(come))
            || schedule.exceptions.iter().any(|(date, spans)| *date >= first && !spans.is_empty())
    }

    fn idle(&self, id: LevelId, level: &Level, never: &BTreeSet<ScheduleId>) -> Vec<Concern> {
        let mut idle = Vec::new();
        if self.people_of_level(level) == 0 {
            idle.push(Concern::LevelForNobody(id));
        }
        if self.doors_of_level(level).is_empty() {
            idle.push(Concern::LevelToNowhere(id));
        }
        if never.contains(&level.schedule) {
            idle.push(Concern::LevelNever(id));
        }
        idle
    }
}
