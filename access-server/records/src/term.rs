//! What a record is found by: its terms, as numbers. Pure.
//!
//! A term is 64 bits: eight for its class, fifty-six for its value. Two words may meet in one number; whoever finds a
//! record by its term looks at the record itself before it is shown.

use kit::StoredEvent;
use ring::digest::{SHA256, digest};
use serde::Deserialize;

/// Every record has it.
pub const ALL: Term = Term(0);
/// People whom one record of the server's own may name at once: a batch of an import.
pub const MOST_PEOPLE: usize = 1000;
/// Terms of one record at most: a hostile device may tell a thousand reasons.
pub const MOST_TERMS: usize = 32;

const VALUE_BITS: u32 = 56;
const PERSON: i64 = 1;
const DOOR: i64 = 2;
const WORD: i64 = 3;

/// One of the things that a record is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term(pub(crate) i64);

impl Term {
    /// Records that name this person.
    #[must_use]
    pub fn person(id: u64) -> Self {
        Self::of(PERSON, id)
    }

    /// Records that name this door or lane.
    #[must_use]
    pub fn door(id: u64) -> Self {
        Self::of(DOOR, id)
    }

    /// Records that this word describes; see [`Traits::words`].
    #[must_use]
    pub fn word(word: &str) -> Self {
        Self::of(WORD, hash(word))
    }

    fn of(class: i64, value: u64) -> Self {
        Self(class << VALUE_BITS | (value & ((1 << VALUE_BITS) - 1)).cast_signed())
    }
}

/// The bit that a word sets in a record's marks.
#[must_use]
pub fn mark(word: &str) -> i64 {
    1 << (hash(word) % 63)
}

fn hash(word: &str) -> u64 {
    let digest = digest(&SHA256, word.as_bytes());
    u64::from_be_bytes(digest.as_ref()[..8].try_into().expect("SHA-256 has 32 bytes"))
}

/// What a record says of itself that can be asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// The person it names.
    pub person: Option<u64>,
    /// Those it names together, where it is the server's own.
    pub persons: Vec<u64>,
    /// The door or lane it names.
    pub door: Option<u64>,
    /// Words from fixed lists: the kind (`access`, `door`, `operator.added`), the kind with what happened
    /// (`access.denied`, `door.forced`), each reason (`reason.outside-schedule`), the source (`from.controller-1`),
    /// the operator (`operator.7`), and `urgent`.
    pub words: Vec<String>,
}

/// The fields of a body that are asked for. Whatever else is in it, and whatever has another form, is not found by.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    person: Option<u64>,
    persons: Vec<u64>,
    door: Option<u64>,
    operator: Option<i64>,
    outcome: Option<String>,
    change: Option<String>,
    settled: Option<String>,
    up: Option<bool>,
    reasons: Vec<Reason>,
    alarms: Vec<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    code: String,
}

impl Traits {
    /// Reads them out of a record.
    #[must_use]
    pub fn of(record: &StoredEvent) -> Self {
        let kind = record.kind.as_str();
        let body: Body = record.parse().unwrap_or_default();
        let up = body.up.map(|up| if up { "up" } else { "down" }.to_owned());
        let happened = [body.outcome, body.change, body.settled, up].into_iter().flatten();
        let reasons = body.reasons.iter().chain(&body.alarms);
        let mut words = vec![kind.to_owned(), format!("from.{}", record.source)];
        words.extend(happened.map(|what| format!("{kind}.{what}")));
        words.extend((record.stream == kit::Stream::Urgent).then(|| "urgent".to_owned()));
        words.extend(body.operator.map(|operator| format!("operator.{operator}")));
        words.extend(reasons.map(|reason| format!("reason.{}", reason.code)));
        words.truncate(MOST_TERMS - 3);
        words.sort();
        words.dedup();
        let mut persons = body.persons;
        // A device cannot speak of many at once.
        persons.truncate(if record.stream == kit::Stream::Own { MOST_PEOPLE } else { 0 });
        Self { person: body.person, persons, door: body.door, words }
    }

    /// The terms it is found by, without repetition.
    pub fn terms(&self) -> impl Iterator<Item = Term> {
        [ALL]
            .into_iter()
            .chain(self.person.map(Term::person))
            .chain(self.persons.iter().copied().map(Term::person))
            .chain(self.door.map(Term::door))
            .chain(self.words.iter().map(|word| Term::word(word)))
    }

    /// The bits of its words.
    #[must_use]
    pub fn marks(&self) -> i64 {
        self.words.iter().fold(0, |marks, word| marks | mark(word))
    }
}

#[cfg(test)]
mod tests {
    use kit::Stream;

    use super::*;

    #[test]
    fn a_batch_is_found_by_everybody_in_it_when_the_server_tells_it() {
        let body = r#"{"import":1,"persons":[4,9],"operator":2}"#;
        let own = Traits::of(&record("import.written", Stream::Own, body));
        assert!(own.terms().any(|term| term == Term::person(9)) && own.persons == [4, 9]);
        assert_eq!(Traits::of(&record("import.written", Stream::Bulk, body)).persons, [0_u64; 0]);
    }

    fn record(kind: &str, stream: Stream, body: &str) -> StoredEvent {
        StoredEvent {
            seq: 1,
            received: 0,
            source: "controller-1".to_owned(),
            epoch: 1,
            stream,
            number: 1,
            at: 0,
            kind: kind.to_owned(),
            body: body.to_owned(),
        }
    }

    #[test]
    fn a_refusal_is_found_by_who_where_what_and_each_reason() {
        let body = r#"{"door":3,"side":"entry","person":9,"outcome":"denied","trace":{},
            "reasons":[{"code":"outside-schedule"},{"code":"expired","facts":{"at":1}}],"alarms":[{"code":"duress"}]}"#;
        let traits = Traits::of(&record("access", Stream::Urgent, body));
        assert_eq!((traits.person, traits.door), (Some(9), Some(3)));
        let words = [
            "access",
            "access.denied",
            "from.controller-1",
            "reason.duress",
            "reason.expired",
            "reason.outside-schedule",
            "urgent",
        ];
        assert_eq!(traits.words, words);
        assert_eq!(traits.terms().count(), 3 + words.len());
    }

    #[test]
    fn other_kinds_are_found_by_what_happened() {
        let words = |kind, body| Traits::of(&record(kind, Stream::Bulk, body)).words;
        assert!(words("door", r#"{"door":1,"change":"forced"}"#).contains(&"door.forced".to_owned()));
        assert!(words("camera", r#"{"camera":"x","up":false}"#).contains(&"camera.down".to_owned()));
        assert!(words("operator.role", r#"{"operator":7,"by":1}"#).contains(&"operator.7".to_owned()));
    }

    #[test]
    fn a_body_of_no_known_form_is_found_by_kind_and_source() {
        for body in ["[]", r#"{"person":"x"}"#, r#"{"reasons":3}"#, "not JSON"] {
            let traits = Traits::of(&record("odd", Stream::Bulk, body));
            assert_eq!(traits.words, ["from.controller-1", "odd"], "{body}");
            assert_eq!((traits.person, traits.door), (None, None));
        }
    }

    #[test]
    fn a_thousand_reasons_make_no_thousand_rows() {
        let reasons: Vec<String> = (0..1000).map(|number| format!(r#"{{"code":"r{number}"}}"#)).collect();
        let body = format!(r#"{{"person":1,"door":2,"reasons":[{}]}}"#, reasons.join(","));
        assert_eq!(Traits::of(&record("access", Stream::Bulk, &body)).terms().count(), MOST_TERMS);
    }

    #[test]
    fn classes_do_not_meet() {
        let terms = [
            ALL,
            Term::person(1),
            Term::door(1),
            Term::person(u64::MAX),
            Term::door(u64::MAX),
            Term::word("1"),
        ];
        let mut different = terms.to_vec();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), terms.len());
    }
}
