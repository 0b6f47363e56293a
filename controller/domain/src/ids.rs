//! Identifiers: one type per kind of thing, so that a door's number is never taken for a person's.

use core::fmt;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$name> for u64 {
            fn from(id: $name) -> u64 {
                id.0
            }
        }
    )*};
}

ids! {
    /// A person: employee, visitor, contractor, guard. Pseudonymous: names live elsewhere.
    PersonId,
    /// One credential of a person: a card, a PIN or a QR code. Faces have none, the person is named by vision.
    CredentialId,
    /// An access point: a door or one gate lane.
    DoorId,
    /// An area people are in; areas nest, a building is an area without a parent.
    AreaId,
    /// A group of people.
    GroupId,
    /// A schedule of opening windows.
    ScheduleId,
    /// An access level: groups of people × doors × schedule.
    LevelId,
    /// A controller (one gateway process).
    ControllerId,
    /// A fire zone.
    FireZoneId,
    /// An operator who set an override or asked for a preview.
    OperatorId,
    /// The version of a policy, growing by one with each published change.
    PolicyVersion,
}
