//! A decision as the journal keeps it: codes and facts, never a credential, never a wording.

use std::collections::BTreeMap;

use domain::decision::{Decision, Outcome, Remedy, SeenAt};
use domain::reason::{Reason, Rule, RuleSet};
use domain::request::{CredentialKind, Factors, Liveness, Score, Seen, Side};
use domain::time::{Utc, Validity};
use uplink::event::{self, Fact};

/// Every rule there is, in the order they are asked.
const RULES: [Rule; 20] = [
    Rule::DoorKnown,
    Rule::SomethingShown,
    Rule::CredentialKnown,
    Rule::OnePerson,
    Rule::CredentialActive,
    Rule::PersonKnown,
    Rule::PersonActive,
    Rule::FaceConsent,
    Rule::FaceLive,
    Rule::FaceSimilar,
    Rule::AccessLevel,
    Rule::DoorOverride,
    Rule::WrongTries,
    Rule::AntiPassback,
    Rule::TwoLanes,
    Rule::Recorded,
    Rule::Duress,
    Rule::Fire,
    Rule::Combination,
    Rule::Fresh,
];

type Facts = BTreeMap<String, Fact>;

/// The event of a decision that was settled. `centre` says whether the centre was asked, and with what result.
pub(super) fn access(decision: &Decision, centre: &str, stages_us: BTreeMap<String, u64>) -> event::Access {
    let trace = &decision.trace;
    event::Access {
        door: trace.door.0,
        side: side(trace.side),
        person: trace.person.map(u64::from),
        outcome: match decision.outcome {
            Outcome::Granted(_) => event::Outcome::Granted,
            Outcome::Denied(_) | Outcome::NeedsMore { .. } => event::Outcome::Denied,
        },
        reasons: decision.reasons().iter().map(reason).collect(),
        alarms: decision.alarms.iter().map(reason).collect(),
        trace: event::Trace {
            policy_version: trace.policy.0,
            shown: trace.seen.iter().map(shown).collect(),
            rules: rules(decision, trace.asked, trace.failed),
            would_have_passed: trace.would_pass.iter().map(remedy).collect(),
            centre: centre.to_owned(),
            stages_us,
        },
        decision: None,
        corrects: false,
    }
}

/// The side on the wire.
pub(super) fn side(side: Side) -> event::Side {
    match side {
        Side::Entry => event::Side::Entry,
        Side::Exit => event::Side::Exit,
    }
}

/// A reason of the gateway's own.
pub(super) fn own_reason(code: &str, facts: impl IntoIterator<Item = (&'static str, Fact)>) -> event::Reason {
    event::Reason { code: code.to_owned(), facts: named(facts) }
}

fn named(facts: impl IntoIterator<Item = (&'static str, Fact)>) -> Facts {
    facts.into_iter().map(|(name, fact)| (name.to_owned(), fact)).collect()
}

fn id(id: impl Into<u64>) -> Fact {
    Fact::Int(id.into().cast_signed())
}

fn at(at: Utc) -> Fact {
    Fact::Int(at.0)
}

fn score(score: Score) -> Fact {
    Fact::Float(f64::from(score.0) / 10_000.0)
}

fn word(word: &str) -> Fact {
    Fact::Text(word.to_owned())
}

fn kind(kind: CredentialKind) -> Fact {
    word(match kind {
        CredentialKind::Card => "card",
        CredentialKind::Pin => "pin",
        CredentialKind::Qr => "qr",
    })
}

fn factors(factors: Factors) -> Fact {
    let names =
        [(Factors::FACE, "face"), (Factors::CARD, "card"), (Factors::PIN, "pin"), (Factors::QR, "qr")];
    let set: Vec<&str> =
        names.iter().filter(|(one, _)| factors.covers(*one)).map(|(_, name)| *name).collect();
    Fact::Text(set.join("+"))
}

fn live(live: Liveness) -> Fact {
    word(match live {
        Liveness::Live => "live",
        Liveness::NotLive => "not-live",
        Liveness::Unchecked => "unchecked",
    })
}

fn tag(tag: u64) -> Fact {
    Fact::Text(format!("{tag:016x}"))
}

fn validity(it: Validity) -> [(&'static str, Fact); 2] {
    [("from", at(it.from)), ("until", at(it.until))]
}

fn reason(reason: &Reason) -> event::Reason {
    let facts: Vec<(&'static str, Fact)> = match *reason {
        Reason::UnknownDoor { door } => vec![("door", id(door))],
        Reason::NothingShown => vec![],
        Reason::UnknownCredential { kind: of, tag: it } => {
            std::iter::once(("kind", kind(of))).chain(it.map(|it| ("tag", tag(it)))).collect()
        }
        Reason::UnknownFace { score: it } => vec![("score", score(it))],
        Reason::WrongPin { person } => person.map(|it| ("person", id(it))).into_iter().collect(),
        Reason::DifferentPeople { first, second } => vec![("first", id(first)), ("second", id(second))],
        Reason::CredentialStatus { credential, status: _ } => vec![("credential", id(credential))],
        Reason::CredentialExpired { credential, validity: it } => {
            std::iter::once(("credential", id(credential))).chain(validity(it)).collect()
        }
        Reason::UnknownPerson { person }
        | Reason::PersonStatus { person, status: _ }
        | Reason::FaceWithoutConsent { person }
        | Reason::Duress { person } => vec![("person", id(person))],
        Reason::PersonExpired { person, validity: it } => {
            std::iter::once(("person", id(person))).chain(validity(it)).collect()
        }
        Reason::FaceNotLive { live: it } => vec![("liveness", live(it))],
        Reason::FaceScore { score: it, needed } => vec![("score", score(it)), ("needed", score(needed))],
        Reason::FaceMargin { margin, needed } => vec![("margin", score(margin)), ("needed", score(needed))],
        Reason::Combination { shown, nearest } => std::iter::once(("shown", factors(shown)))
            .chain(nearest.map(|it| ("nearest", factors(it))))
            .collect(),
        Reason::NoLevel { person, door } => vec![("person", id(person)), ("door", id(door))],
        Reason::OutsideSchedule { level, schedule, opens } => {
            [("level", id(level)), ("schedule", id(schedule))]
                .into_iter()
                .chain(opens.map(|it| ("opens", at(it))))
                .collect()
        }
        Reason::DoorLocked { by, rank, until } => {
            vec![("by", id(by)), ("rank", Fact::Int(rank.into())), ("until", at(until))]
        }
        Reason::DoorLockedDown { by, rank, until, clearance, needed } => vec![
            ("by", id(by)),
            ("rank", Fact::Int(rank.into())),
            ("until", at(until)),
            ("clearance", Fact::Int(clearance.into())),
            ("needed", Fact::Int(needed.into())),
        ],
        Reason::ReaderLockedOut { tries, until } => {
            vec![("tries", Fact::Int(tries.into())), ("until", at(until))]
        }
        Reason::CredentialLockedOut { credential, tries, until } => {
            vec![("credential", id(credential)), ("tries", Fact::Int(tries.into())), ("until", at(until))]
        }
        Reason::EntersTwice { area, since, until } => [("area", id(area)), ("since", at(since))]
            .into_iter()
            .chain(until.map(|it| ("until", at(it))))
            .collect(),
        Reason::LeavesTwice { area, recorded_in, since } => {
            vec![("area", id(area)), ("recorded_in", id(recorded_in)), ("since", at(since))]
        }
        Reason::JustGrantedElsewhere { door, at: when, until } => {
            vec![("door", id(door)), ("at", at(when)), ("until", at(until))]
        }
        Reason::Unrecorded { since } => vec![("since", at(since))],
        Reason::TooOld { factor, age } => {
            let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
            vec![("factor", factors(factor)), ("age_us", Fact::Int(age))]
        }
        Reason::WrongTries { tries } => vec![("tries", Fact::Int(tries.into()))],
    };
    own_reason(reason.code(), facts)
}

fn shown(it: &SeenAt) -> event::Reason {
    let (code, mut facts) = match it.seen {
        Seen::Face { person, score: it, margin, live: alive } => (
            "face",
            vec![
                ("person", id(person)),
                ("score", score(it)),
                ("margin", score(margin)),
                ("liveness", live(alive)),
            ],
        ),
        Seen::UnknownFace { score: it, live: alive } => {
            ("unknown-face", vec![("score", score(it)), ("liveness", live(alive))])
        }
        Seen::Credential { id: credential, person, kind: of } => {
            ("credential", vec![("credential", id(credential)), ("person", id(person)), ("kind", kind(of))])
        }
        Seen::UnknownCredential { kind: of, tag: it } => (
            "unknown-credential",
            std::iter::once(("kind", kind(of))).chain(it.map(|it| ("tag", tag(it)))).collect(),
        ),
    };
    facts.push(("age_us", Fact::Int(i64::try_from(it.age.as_micros()).unwrap_or(i64::MAX))));
    if it.waited {
        facts.push(("waited", Fact::Bool(true)));
    }
    own_reason(code, facts)
}

fn rules(decision: &Decision, asked: RuleSet, failed: RuleSet) -> Vec<event::RuleResult> {
    let facts = &decision.trace.facts;
    let looked_at = |rule: Rule| -> Facts {
        let found: Vec<(&'static str, Fact)> = match rule {
            Rule::AccessLevel => facts
                .level
                .map(|(level, schedule)| vec![("level", id(level)), ("schedule", id(schedule))])
                .unwrap_or_default(),
            Rule::Combination => facts.combination.map(|it| ("met", factors(it))).into_iter().collect(),
            Rule::AntiPassback => facts
                .presence
                .map(|(area, since)| vec![("area", id(area)), ("since", at(since))])
                .unwrap_or_default(),
            Rule::FaceSimilar => facts
                .face_needs
                .map(|(least, ahead)| vec![("score", score(least)), ("margin", score(ahead))])
                .unwrap_or_default(),
            Rule::Fire => facts.fire.map(|zone| ("zone", id(zone))).into_iter().collect(),
            Rule::DoorKnown
            | Rule::SomethingShown
            | Rule::CredentialKnown
            | Rule::OnePerson
            | Rule::CredentialActive
            | Rule::PersonKnown
            | Rule::PersonActive
            | Rule::FaceConsent
            | Rule::FaceLive
            | Rule::DoorOverride
            | Rule::WrongTries
            | Rule::TwoLanes
            | Rule::Recorded
            | Rule::Fresh
            | Rule::Duress => vec![],
        };
        named(found)
    };
    let asked = RULES.into_iter().filter(|rule| asked.has(*rule));
    let result = |rule: Rule| event::RuleResult {
        rule: rule.code().to_owned(),
        passed: !failed.has(rule),
        facts: looked_at(rule),
    };
    asked.map(result).collect()
}

fn remedy(remedy: &Remedy) -> event::Reason {
    match remedy {
        Remedy::Wait(until) => own_reason("wait", [("until", at(*until))]),
        Remedy::Show(it) => own_reason("show", [("factors", factors(*it))]),
        Remedy::Change(it) => own_reason("change", [("what", word(it.code()))]),
        Remedy::Operator(it) => own_reason("operator", [("what", word(it.code()))]),
    }
}
