//! MQTT topics. Below `gatehouse/v1/<device>/` a device writes only under its own name: the broker's access list holds
//! that, with the certificate's common name as the user name.
//!
//! | topic | direction | retained | what |
//! |---|---|---|---|
//! | `event/urgent`, `event/bulk` | device to server | no | [`crate::event::Batch`] |
//! | `ack/urgent`, `ack/bulk` | server to device | no | [`crate::event::Ack`] |
//! | `state` | device to server | no | [`crate::live::Live`], every 2 s at the latest |
//! | `command` | server to device | no | [`crate::command::Command`] |
//! | `result` | device to server | no | [`crate::command::Outcome`] |
//! | `ask`, `answer` | device to server and back | no | [`crate::ask`] |
//! | `sync/have` | device to server | no | [`crate::sync::Have`] |
//! | `sync/chunk` | server to device | no | [`crate::sync::Chunk`] |
//! | `certificate/request` | device to server | no | [`crate::enrol::Renew`] |
//! | `certificate/answer` | server to device | no | [`crate::enrol::Renewed`] |

use crate::event::Stream;

const ROOT: &str = "gatehouse/v1";

/// What a topic below a device carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Leaf {
    /// Numbered events of one stream.
    Event(Stream),
    /// The server's acknowledgement of one stream.
    Ack(Stream),
    /// Live state, not durable.
    State,
    /// A command with an expiry.
    Command,
    /// What became of a command.
    Result,
    /// A question only the centre can answer.
    Ask,
    /// Its answer.
    Answer,
    /// Which version of a replica the device holds.
    SyncHave,
    /// A part of a newer version.
    SyncChunk,
    /// A device asks for a new certificate.
    CertificateRequest,
    /// It is given one, or told why not.
    CertificateAnswer,
}

impl Leaf {
    /// Every leaf there is.
    pub const ALL: [Self; 13] = [
        Self::Event(Stream::Urgent),
        Self::Event(Stream::Bulk),
        Self::Ack(Stream::Urgent),
        Self::Ack(Stream::Bulk),
        Self::State,
        Self::Command,
        Self::Result,
        Self::Ask,
        Self::Answer,
        Self::SyncHave,
        Self::SyncChunk,
        Self::CertificateRequest,
        Self::CertificateAnswer,
    ];

    /// The path below the device's name.
    pub fn path(self) -> &'static str {
        match self {
            Self::Event(Stream::Urgent) => "event/urgent",
            Self::Event(Stream::Bulk) => "event/bulk",
            Self::Ack(Stream::Urgent) => "ack/urgent",
            Self::Ack(Stream::Bulk) => "ack/bulk",
            Self::State => "state",
            Self::Command => "command",
            Self::Result => "result",
            Self::Ask => "ask",
            Self::Answer => "answer",
            Self::SyncHave => "sync/have",
            Self::SyncChunk => "sync/chunk",
            Self::CertificateRequest => "certificate/request",
            Self::CertificateAnswer => "certificate/answer",
        }
    }

    /// Whether the device writes it (and the server reads it).
    pub fn from_device(self) -> bool {
        match self {
            Self::Event(_)
            | Self::State
            | Self::Result
            | Self::Ask
            | Self::SyncHave
            | Self::CertificateRequest => true,
            Self::Ack(_) | Self::Command | Self::Answer | Self::SyncChunk | Self::CertificateAnswer => false,
        }
    }
}

/// The topic of one leaf of one device (its certificate's common name).
pub fn topic(device: &str, leaf: Leaf) -> String {
    format!("{ROOT}/{device}/{}", leaf.path())
}

/// The filters that the server subscribes to: everything that devices write.
pub fn server_filters() -> impl Iterator<Item = String> {
    Leaf::ALL.into_iter().filter(|leaf| leaf.from_device()).map(|leaf| topic("+", leaf))
}

/// The filters that one device subscribes to: everything that is written for it.
pub fn device_filters(device: &str) -> impl Iterator<Item = String> {
    Leaf::ALL.into_iter().filter(|leaf| !leaf.from_device()).map(move |leaf| topic(device, leaf))
}

/// Takes a topic apart: the device and the leaf. `None` for a topic that is not ours.
pub fn parse(topic: &str) -> Option<(&str, Leaf)> {
    let (device, path) = topic.strip_prefix(ROOT)?.strip_prefix('/')?.split_once('/')?;
    if device.is_empty() {
        return None;
    }
    let leaf = Leaf::ALL.into_iter().find(|leaf| leaf.path() == path)?;
    Some((device, leaf))
}

/// The broker's access list in Mosquitto's form: the server by name, devices by pattern.
pub fn mosquitto_acl(server: &str) -> String {
    let mut acl = format!("user {server}\n");
    for leaf in Leaf::ALL {
        let right = if leaf.from_device() { "read" } else { "write" };
        acl.push_str(&format!("topic {right} {}\n", topic("+", leaf)));
    }
    acl.push('\n');
    for leaf in Leaf::ALL {
        let right = if leaf.from_device() { "write" } else { "read" };
        acl.push_str(&format!("pattern {right} {}\n", topic("%u", leaf)));
    }
    acl
}
