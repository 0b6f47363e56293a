//! How an endpoint stands now: what a controller that has just come cannot know from events it was never told.

use heapless::Vec;

use crate::common::Condition;
use crate::door::Cause;

/// The most conditions in force at once; tests over the machines hold it.
pub const MAX_CONDITIONS: usize = 16;

/// Conditions in force.
pub type Conditions = Vec<Condition, MAX_CONDITIONS>;

/// An endpoint now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// Where the leaf is.
    pub leaf: LeafNow,
    /// What the lock or drive does.
    pub lock: LockNow,
    /// It was opened while locked, and is open still.
    pub forced: bool,
    /// It has been open for longer than its time.
    pub held: bool,
    /// Everything that lasts, faults of lines included.
    pub conditions: Conditions,
}

/// Where a leaf is, as its contact or its limits say.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LeafNow {
    /// Not sensed since the board's start.
    Unknown,
    /// Shut.
    Closed,
    /// Not shut.
    Open,
}

/// What a lock or a lane's drive does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LockNow {
    /// It holds.
    Locked,
    /// It lets pass; the strongest cause of it. A lane that lets one person pass names [`Cause::Grant`], whoever asked.
    Released(Cause),
}

/// Fire and break-glass as they are whatever an endpoint makes of them: begun when the contact operates, over at rest only.
#[cfg(test)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Alarms {
    pub(crate) fire: bool,
    pub(crate) break_glass: bool,
}

#[cfg(test)]
impl Alarms {
    pub(crate) fn line(on: &mut bool, sense: crate::Sense) {
        *on = match sense {
            crate::Sense::Rest => false,
            crate::Sense::Active => true,
            crate::Sense::Cut | crate::Sense::Short => *on,
        };
    }

    /// The law: it lasts until rest, and its end is told at rest only.
    pub(crate) fn end_only_at_rest<O, E>(self, after: &Status, effects: &crate::common::Effects<O, E>) {
        use crate::common::Effect;
        for (on, condition) in [(self.fire, Condition::Fire), (self.break_glass, Condition::BreakGlass)] {
            assert_eq!(after.conditions.contains(&condition), on, "{condition:?}: {after:?}");
            let ended = effects.iter().any(|it| matches!(it, Effect::Ended(over) if *over == condition));
            assert!(!(on && ended), "{condition:?} is told to be over: {after:?}");
        }
    }
}

/// The law that ties a status to events: what lasts after a step is what lasted before, and what the step told of it.
#[cfg(test)]
pub(crate) fn conditions_are_what_the_effects_say<O, E>(
    before: &Status,
    after: &Status,
    effects: &crate::common::Effects<O, E>,
) {
    use crate::common::Effect;
    let mut told = before.conditions.clone();
    for effect in effects {
        match effect {
            // A controller that asks is there.
            Effect::Began(Condition::ControllerLost) | Effect::Ended(Condition::ControllerLost) => {}
            Effect::Began(began) => told.push(*began).expect("there is room"),
            Effect::Ended(ended) => told.retain(|it| it != ended),
            Effect::Set(..) | Effect::Event(_) | Effect::Answer(_) => {}
        }
    }
    let same = told.len() == after.conditions.len() && told.iter().all(|it| after.conditions.contains(it));
    assert!(same, "told {told:?}, stands {:?}", after.conditions);
}
