//! Doors, lanes and barriers, for programs.

use std::time::Duration;

use domain::ids::{AreaId, ControllerId, DoorId, FireZoneId, ScheduleId};
use domain::policy::{AntiPassback, CredentialRule, DoorKind, Egress, EntryRule, Relock};
use domain::request::Factors;
use people::word::{Word, schema};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, ArrayBuilder, ObjectBuilder, Type};

use super::things::{Names, Resource, aim, named, print};
use crate::door;
use crate::edit::{Edit, Seen};
use crate::error::DoorsError;
use crate::survey::{Survey, Thing};

/// A door, a lane or a barrier.
#[derive(Serialize, ToSchema)]
pub(super) struct Door {
    id: u64,
    key: String,
    name: String,
    latin: String,
    #[serde(flatten)]
    #[schema(inline)]
    parts: Parts,
    /// Another one with every change.
    version: String,
}

/// A door to be put in place. What is left out is as usual: released for 5 s, held after 30 s, opened by nothing.
#[derive(Deserialize, ToSchema)]
#[schema(as = DoorBody)]
pub(super) struct Body {
    #[serde(flatten)]
    #[schema(inline)]
    names: Names,
    #[serde(flatten)]
    #[schema(inline)]
    parts: Parts,
}

/// Everything of a door but its names.
#[derive(Serialize, Deserialize, ToSchema)]
struct Parts {
    controller: u64,
    /// The bus and the address of its board, where it has one.
    #[schema(max_length = 64)]
    bus: Option<String>,
    #[schema(maximum = 126)]
    address: Option<u8>,
    #[schema(schema_with = schema::<DoorKind>)]
    kind: String,
    /// The area it is entered from.
    outside: u64,
    /// The area it leads to.
    inside: u64,
    /// Which ways lead out.
    #[schema(schema_with = schema::<Egress>)]
    egress: String,
    /// How long it is released.
    #[serde(default = "strike")]
    #[schema(minimum = 100, maximum = 600_000, default = 5000)]
    strike_ms: u64,
    /// Open for longer than this it is held.
    #[serde(default = "held_after")]
    #[schema(maximum = 86_400_000, default = 30_000)]
    held_after_ms: u64,
    #[serde(default = "relock")]
    #[schema(schema_with = schema::<Relock>)]
    relock: String,
    /// Entering twice is nothing, is told, is refused, or is refused for `anti_passback_ms`.
    #[serde(default = "off")]
    #[schema(schema_with = anti_passback)]
    anti_passback: String,
    anti_passback_ms: Option<u64>,
    /// What happens at the entry while events cannot be recorded.
    #[serde(default = "refuse")]
    #[schema(schema_with = schema::<EntryRule>)]
    unrecorded_entry: String,
    fire_zone: Option<u64>,
    /// What opens it while a schedule is open; the first that is counts.
    #[serde(default)]
    #[schema(max_items = 16)]
    rules: Vec<Rule>,
    /// What opens it otherwise: any of these. Each is `face`, `card`, `qr`, or several with `pin` joined by `+`.
    #[serde(default)]
    #[schema(schema_with = combinations)]
    otherwise: Vec<String>,
}

/// What opens a door while a schedule is open.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = DoorRule)]
struct Rule {
    schedule: u64,
    /// Any of these.
    #[schema(schema_with = combinations)]
    any_of: Vec<String>,
}

const ANTI_PASSBACK: [&str; 4] = ["off", "soft", "hard", "timed"];
/// Fields that are called otherwise in forms and files.
const FIELDS: [(&str, &str); 4] = [
    ("strike", "strike_ms"),
    ("held_after", "held_after_ms"),
    ("anti_passback_within", "anti_passback_ms"),
    ("open_with", "rules"),
];
/// The words of factors, in the order in which they are joined.
const FACTORS: [(&str, Factors); 4] =
    [("face", Factors::FACE), ("card", Factors::CARD), ("pin", Factors::PIN), ("qr", Factors::QR)];

fn strike() -> u64 {
    5000
}

fn held_after() -> u64 {
    30_000
}

fn relock() -> String {
    Relock::OnClose.word().to_owned()
}

fn off() -> String {
    ANTI_PASSBACK[0].to_owned()
}

fn refuse() -> String {
    EntryRule::Refuse.word().to_owned()
}

fn anti_passback() -> utoipa::openapi::schema::Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(ANTI_PASSBACK)).build()
}

fn combinations() -> Array {
    let words = "^(face|card|pin|qr)(\\+(face|card|pin|qr))*$";
    ArrayBuilder::new().items(ObjectBuilder::new().schema_type(Type::String).pattern(Some(words))).build()
}

fn told(factors: &[Factors]) -> Vec<String> {
    let one = |factors: &Factors| {
        let words = FACTORS.iter().filter(|(_, factor)| factors.covers(*factor)).map(|(word, _)| *word);
        words.collect::<Vec<_>>().join("+")
    };
    factors.iter().map(one).collect()
}

fn read(field: &'static str, words: &[String]) -> Result<Vec<Factors>, DoorsError> {
    let one = |text: &String| {
        let why = format!("{text:?} is none of face, card, pin, qr, or several of them joined by +");
        crate::import::factors(text).ok_or_else(|| DoorsError::field(field, why))
    };
    words.iter().map(one).collect()
}

fn word<W: Word>(field: &'static str, text: &str) -> Result<W, DoorsError> {
    W::parse(text).ok_or_else(|| DoorsError::field(field, "is none of the words it may be"))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl From<&door::Door> for Parts {
    fn from(it: &door::Door) -> Self {
        let (bus, address) = it.board.clone().map(|board| (board.bus, board.address)).unzip();
        let (anti_passback, within) = match it.anti_passback {
            AntiPassback::Off => (0, None),
            AntiPassback::Soft => (1, None),
            AntiPassback::Hard => (2, None),
            AntiPassback::Timed(within) => (3, Some(millis(within))),
        };
        let rule = |rule: &CredentialRule| Rule { schedule: rule.schedule.0, any_of: told(&rule.any_of) };
        Self {
            controller: it.controller.0,
            bus,
            address,
            kind: it.kind.word().to_owned(),
            outside: it.outside.0,
            inside: it.inside.0,
            egress: it.egress.word().to_owned(),
            strike_ms: millis(it.strike),
            held_after_ms: millis(it.held_after),
            relock: it.relock.word().to_owned(),
            anti_passback: ANTI_PASSBACK[anti_passback].to_owned(),
            anti_passback_ms: within,
            unrecorded_entry: it.unrecorded_entry.word().to_owned(),
            fire_zone: it.fire_zone.map(|zone| zone.0),
            rules: it.rules.iter().map(rule).collect(),
            otherwise: told(&it.otherwise),
        }
    }
}

impl TryFrom<Body> for door::Door {
    type Error = DoorsError;

    fn try_from(Body { names, parts: it }: Body) -> Result<Self, DoorsError> {
        let board = match (it.bus, it.address) {
            (Some(bus), Some(address)) => Some(door::Board { bus, address }),
            (None, None) => None,
            (Some(_), None) => return Err(DoorsError::field("address", "is needed with a bus")),
            (None, Some(_)) => return Err(DoorsError::field("bus", "is needed with an address")),
        };
        let anti_passback = match (it.anti_passback.as_str(), it.anti_passback_ms) {
            ("off", None) => AntiPassback::Off,
            ("soft", None) => AntiPassback::Soft,
            ("hard", None) => AntiPassback::Hard,
            ("timed", Some(ms)) => AntiPassback::Timed(Duration::from_millis(ms)),
            ("timed", None) => return Err(DoorsError::field("anti_passback_ms", "is needed for timed")),
            ("off" | "soft" | "hard", Some(_)) => {
                return Err(DoorsError::field("anti_passback_ms", "is for timed alone"));
            }
            _ => return Err(DoorsError::field("anti_passback", "is off, soft, hard or timed")),
        };
        let rule = |rule: &Rule| {
            let any_of = read("rules", &rule.any_of)?;
            Ok(CredentialRule { schedule: ScheduleId(rule.schedule), any_of })
        };
        Ok(Self {
            label: names.into(),
            controller: ControllerId(it.controller),
            board,
            kind: word("kind", &it.kind)?,
            outside: AreaId(it.outside),
            inside: AreaId(it.inside),
            egress: word("egress", &it.egress)?,
            rules: it.rules.iter().map(rule).collect::<Result<_, DoorsError>>()?,
            otherwise: read("otherwise", &it.otherwise)?,
            strike: Duration::from_millis(it.strike_ms),
            held_after: Duration::from_millis(it.held_after_ms),
            relock: word("relock", &it.relock)?,
            anti_passback,
            unrecorded_entry: word("unrecorded_entry", &it.unrecorded_entry)?,
            fire_zone: it.fire_zone.map(FireZoneId),
        })
    }
}

impl Resource for Door {
    type Body = Body;

    fn list(survey: &Survey) -> Vec<Self> {
        let doors = survey.doors.iter().map(|(id, it)| Self {
            id: id.0,
            key: it.label.key.clone(),
            name: it.label.name.clone(),
            latin: it.label.latin.clone(),
            parts: it.into(),
            version: Seen::of(it).to_string(),
        });
        doors.collect()
    }

    fn thing(id: u64) -> Thing {
        Thing::Door(DoorId(id))
    }

    fn seen(survey: &Survey, id: u64) -> Option<Seen> {
        print(&survey.doors, DoorId(id))
    }

    async fn put(edit: &mut Edit, known: Option<(u64, Seen)>, body: Body) -> Result<u64, DoorsError> {
        Ok(edit.door(aim(known, DoorId), &body.try_into()?).await.map_err(named(&FIELDS))?.0)
    }
}
