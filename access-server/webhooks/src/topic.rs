//! What a webhook is told: topics, each a part of what is journaled. Pure.

use kit::{StoredEvent, Stream};

/// A part of what is journaled. Every record is of one topic; what is urgent is of [`Topic::Alarms`] besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Whatever is urgent: fire, forced and held doors, tamper, faults, alarms of a passage.
    Alarms,
    /// Who passed or was refused.
    Passages,
    /// What doors did, and commands to them.
    Doors,
    /// Controllers, boards, cameras, and whatever else a device tells.
    Devices,
    /// People, what they carry, their consent, their groups.
    People,
    /// The site: areas, doors, levels, schedules, the policy in force.
    Site,
    /// Operators, programs and webhooks, and the server itself.
    Operators,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Alarms, Self::Passages, Self::Doors, Self::Devices, Self::People, Self::Site, Self::Operators];

    /// The stable word, as `alarms`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alarms => "alarms",
            Self::Passages => "passages",
            Self::Doors => "doors",
            Self::Devices => "devices",
            Self::People => "people",
            Self::Site => "site",
            Self::Operators => "operators",
        }
    }

    /// The topic that a word stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.as_str() == word)
    }

    /// The topic of a record, besides [`Topic::Alarms`].
    #[must_use]
    pub fn of(record: &StoredEvent) -> Self {
        let kind = record.kind.as_str();
        // A device cannot speak in the server's name.
        if record.stream != Stream::Own {
            return match kind {
                "access" => Self::Passages,
                "door" | "fire" | "command" => Self::Doors,
                _ => Self::Devices,
            };
        }
        // Who looked at whom is told of operators, not of whom they looked at.
        if kind == "person.viewed" {
            return Self::Operators;
        }
        match kind.split_once('.').map_or(kind, |(of, _)| of) {
            "person" | "credential" | "consent" | "face" | "group" | "picture" | "import" | "album" => {
                Self::People
            }
            "firmware" => Self::Devices,
            "area" | "calendar" | "controller" | "door" | "door-group" | "fire-zone" | "floor-plan"
            | "level" | "policy" | "schedule" | "site" => Self::Site,
            "command" => Self::Doors,
            _ => Self::Operators,
        }
    }
}

/// The topics of a webhook; never none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics(Vec<Topic>);

impl Topics {
    /// These, in [`Topic::ALL`]'s order; `None` when there is none.
    #[must_use]
    pub fn of(chosen: &[Topic]) -> Option<Self> {
        let topics: Vec<_> = Topic::ALL.into_iter().filter(|topic| chosen.contains(topic)).collect();
        (!topics.is_empty()).then_some(Self(topics))
    }

    /// Words with spaces between; what an older program does not know is left out.
    pub(crate) fn parse(words: &str) -> Option<Self> {
        Self::of(&words.split(' ').filter_map(Topic::parse).collect::<Vec<_>>())
    }

    /// In [`Topic::ALL`]'s order.
    pub fn iter(&self) -> impl Iterator<Item = Topic> {
        self.0.iter().copied()
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn has(&self, topic: Topic) -> bool {
        self.0.contains(&topic)
    }

    /// Whether a record is told.
    #[must_use]
    pub fn tell(&self, record: &StoredEvent) -> bool {
        self.has(Topic::of(record)) || (record.stream == Stream::Urgent && self.has(Topic::Alarms))
    }

    pub(crate) fn words(&self) -> String {
        self.0.iter().map(|topic| topic.as_str()).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(stream: Stream, kind: &str) -> StoredEvent {
        StoredEvent {
            seq: 1,
            received: 0,
            source: "controller-1".to_owned(),
            epoch: 1,
            stream,
            number: 1,
            at: 0,
            kind: kind.to_owned(),
            body: "{}".to_owned(),
        }
    }

    #[test]
    fn every_record_is_of_one_topic_and_alarms_are_told_whatever_they_are_of() {
        let alarms = Topics::of(&[Topic::Alarms]).unwrap();
        let doors = Topics::of(&[Topic::Doors]).unwrap();
        assert!(alarms.tell(&record(Stream::Urgent, "door")) && doors.tell(&record(Stream::Urgent, "door")));
        assert!(!alarms.tell(&record(Stream::Bulk, "door")) && doors.tell(&record(Stream::Bulk, "door")));
        assert!(!doors.tell(&record(Stream::Bulk, "access")));
        for topic in Topic::ALL {
            assert_eq!(Topic::parse(topic.as_str()), Some(topic));
        }
    }

    #[test]
    fn a_device_cannot_speak_of_people() {
        assert_eq!(Topic::of(&record(Stream::Own, "person.added")), Topic::People);
        assert_eq!(Topic::of(&record(Stream::Bulk, "person.added")), Topic::Devices);
        assert_eq!(Topic::of(&record(Stream::Own, "door.changed")), Topic::Site);
        assert_eq!(Topic::of(&record(Stream::Own, "person.viewed")), Topic::Operators);
    }
}
