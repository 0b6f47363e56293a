//! What opens a door when: combinations of credentials, as a form has them.

use domain::ids::ScheduleId;
use domain::policy::CredentialRule;
use domain::request::Factors;
use doors::door::RULES_MAX;
use doors::survey::Survey;

use crate::form::Fields;
use crate::page::Page;
use crate::sheet::{Fault, Part, name_of};
use doors::survey::Thing;

/// Combinations that are offered at every door; others that a door has are offered there.
const USUAL: [Factors; 8] = [
    Factors::FACE,
    Factors::CARD,
    Factors::QR,
    Factors::FACE.and(Factors::PIN),
    Factors::CARD.and(Factors::PIN),
    Factors::FACE.and(Factors::CARD),
    Factors::QR.and(Factors::PIN),
    Factors::FACE.and(Factors::CARD).and(Factors::PIN),
];
const SINGLE: [(Factors, &str); 4] = [
    (Factors::FACE, "factor-face"),
    (Factors::CARD, "factor-card"),
    (Factors::PIN, "factor-pin"),
    (Factors::QR, "factor-qr"),
];

/// A combination in words: `卡 + 密码`.
pub(crate) fn combination(page: &Page, factors: Factors) -> String {
    let words: Vec<_> = SINGLE
        .iter()
        .filter(|(factor, _)| factors.covers(*factor))
        .map(|(_, key)| page.say(key).into_owned())
        .collect();
    words.join(" + ")
}

/// Any of these combinations, in words.
pub(crate) fn any_of(page: &Page, combinations: &[Factors]) -> String {
    if combinations.is_empty() {
        return page.say("opens-with-nothing").into_owned();
    }
    let words: Vec<_> = combinations.iter().map(|it| combination(page, *it)).collect();
    words.join(page.say("list-or").as_ref())
}

/// What a door asks for stands in the fields `open_with` and, rule by rule, `rule-0`, `rule-0-with`, `rule-1` …
pub(super) fn fill(fields: Fields, rules: &[CredentialRule], otherwise: &[Factors]) -> Fields {
    let bits = |factors: &[Factors]| factors.iter().map(|it| it.bits()).collect::<Vec<_>>();
    let fields = fields.with_all("open_with", bits(otherwise));
    rules.iter().enumerate().fold(fields, |fields, (at, rule)| {
        let fields = fields.with(&format!("rule-{at}"), rule.schedule);
        fields.with_all(&format!("rule-{at}-with"), bits(&rule.any_of))
    })
}

pub(super) fn parts(page: &Page, survey: &Survey, fields: &Fields) -> Vec<Part> {
    let offered = |name: &str| {
        let given =
            fields.numbers(name).into_iter().filter_map(|it| Factors::from_bits(u8::try_from(it).ok()?));
        let mut all = USUAL.to_vec();
        all.extend(given.filter(|it| !USUAL.contains(it)));
        all.into_iter().map(|it| (it.bits().to_string(), combination(page, it))).collect::<Vec<_>>()
    };
    let mut parts = vec![
        Part::heading(page, "door-opens-with", "door-opens-with-hint"),
        Part::checks(page, fields, "open_with", "door-otherwise", offered("open_with")),
    ];
    let filled = (0..RULES_MAX).filter(|at| !fields.get(&format!("rule-{at}")).is_empty()).count();
    let never = (String::new(), page.say("door-rule-none").into_owned());
    let schedules = |id: &ScheduleId| (id.to_string(), name_of(page, survey, Thing::Schedule(*id)));
    // One more than there are, to add to.
    for at in 0..(filled + 1).min(RULES_MAX) {
        let (name, with) = (format!("rule-{at}"), format!("rule-{at}-with"));
        let options = [never.clone()].into_iter().chain(survey.schedules.iter().map(|(id, _)| schedules(id)));
        parts.push(Part::select(page, fields, &name, "door-rule-when", options));
        parts.push(Part::checks(page, fields, &with, "door-rule-with", offered(&with)));
    }
    parts
}

/// What was sent: rules in their order, without those whose schedule was taken away.
pub(super) fn read(page: &Page, fields: &Fields) -> Result<(Vec<CredentialRule>, Vec<Factors>), Fault> {
    let combinations = |name: &str| -> Result<Vec<Factors>, Fault> {
        let bits = fields.numbers(name).into_iter();
        let read = bits.map(|it| u8::try_from(it).ok().and_then(Factors::from_bits));
        let read: Option<Vec<_>> = read.collect();
        read.ok_or_else(|| Fault::at(page, name, "fault-open_with"))
    };
    let mut rules = Vec::new();
    for at in 0..RULES_MAX {
        let name = format!("rule-{at}");
        let schedule = match fields.get(&name) {
            "" => continue,
            id => ScheduleId(id.parse().map_err(|_| Fault::at(page, &name, "fault-schedule"))?),
        };
        let with = format!("{name}-with");
        let any_of = combinations(&with)?;
        if any_of.is_empty() {
            return Err(Fault::at(page, &with, "fault-rule-empty"));
        }
        rules.push(CredentialRule { schedule, any_of });
    }
    Ok((rules, combinations("open_with")?))
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::words::Language;

    fn page() -> Page {
        Page { language: Language::Chinese, operator: None, zone: TimeZone::UTC, section: "" }
    }

    #[test]
    fn what_a_door_asks_for_is_read_as_it_is_filled_in() {
        let rules = vec![
            CredentialRule { schedule: ScheduleId(3), any_of: vec![Factors::CARD, Factors::FACE] },
            CredentialRule { schedule: ScheduleId(1), any_of: vec![Factors::QR.and(Factors::PIN)] },
        ];
        let otherwise = vec![Factors::CARD.and(Factors::PIN)];
        let fields = fill(Fields::default(), &rules, &otherwise);
        let Ok(read) = read(&page(), &fields) else { panic!("nothing is wrong") };
        assert_eq!(read, (rules, otherwise));
    }

    #[test]
    fn a_rule_without_a_combination_is_refused_at_its_field() {
        let fields = Fields::default().with("rule-0", 1);
        assert_eq!(read(&page(), &fields).err().map(|it| it.field), Some("rule-0-with".to_owned()));
        assert_eq!(combination(&page(), Factors::CARD.and(Factors::PIN)), "卡 + 密码");
    }
}
