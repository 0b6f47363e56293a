use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::*;
use crate::words::Language;

const NOW: i64 = 1_772_438_400_000_000;

fn page(language: Language) -> Page {
    Page { language, operator: None, zone: TimeZone::UTC, section: "" }
}

fn coded(code: &str, facts: &[(&str, Fact)]) -> Reason {
    let facts = facts.iter().map(|(name, fact)| ((*name).to_owned(), fact.clone())).collect();
    Reason { code: code.to_owned(), facts }
}

fn word(word: &str) -> Fact {
    Fact::Text(word.to_owned())
}

fn said(language: Language, it: &Reason) -> String {
    reason(&page(language), &Directory::default(), it, NOW)
}

#[test]
fn a_reason_says_the_figures_an_operator_needs() {
    let low = coded("face-score-low", &[("score", Fact::Float(0.31)), ("needed", Fact::Float(0.45))]);
    assert_eq!(said(Language::English, &low), "Face not similar enough (similarity 0.31, needed 0.45)");
    assert_eq!(said(Language::Chinese, &low), "人脸相似度不足（相似度 0.31，需要 0.45）");
    let nobody = coded("unknown-face", &[("score", Fact::Float(-0.004))]);
    assert_eq!(said(Language::English, &nobody), "The face is not in the gallery (similarity 0.00)");
    let asked = coded("combination-not-met", &[("shown", word("card")), ("nearest", word("card+pin"))]);
    assert_eq!(
        said(Language::English, &asked),
        "This door asks for another combination now (shown: card, needed: card + PIN)"
    );
}

#[test]
fn a_validity_without_an_end_has_none() {
    let ended = coded("person-not-valid-now", &[("from", Fact::Int(0)), ("until", Fact::Int(i64::MAX))]);
    assert_eq!(said(Language::English, &ended), "Person not valid now");
    let tomorrow = NOW + 86_400_000_000;
    let shut = coded("outside-schedule", &[("level", Fact::Int(3)), ("opens", Fact::Int(tomorrow))]);
    assert_eq!(said(Language::English, &shut), "Outside the schedule (opens 03-03 08:00)");
}

#[test]
fn what_would_have_let_it_pass_is_in_words() {
    let page = page(Language::English);
    let said = |it| remedy(&page, &Directory::default(), &it, NOW);
    assert_eq!(said(coded("wait", &[("until", Fact::Int(NOW + 3_600_000_000))])), "Come back at 09:00");
    assert_eq!(said(coded("show", &[("factors", word("face+pin"))])), "Show face + PIN");
    assert_eq!(
        said(coded("change", &[("what", word("no-access-level"))])),
        "Put the record right (No access level for this door)"
    );
    assert_eq!(
        said(coded("operator", &[("what", word("door-locked"))])),
        "An operator lifts it (Entry locked by an operator)"
    );
}

#[test]
fn what_was_shown_is_in_words() {
    let page = page(Language::English);
    let said = |it| shown(&page, &Directory::default(), &it, NOW);
    let face = coded(
        "face",
        &[
            ("person", Fact::Int(1)),
            ("score", Fact::Float(0.71)),
            ("margin", Fact::Float(0.5)),
            ("liveness", word("live")),
        ],
    );
    assert_eq!(said(face), "face (similarity 0.71, ahead by 0.50, living)");
    assert_eq!(said(coded("credential", &[("kind", word("card")), ("person", Fact::Int(1))])), "card");
    assert_eq!(
        said(coded("unknown-credential", &[("kind", word("card")), ("tag", word("00ff"))])),
        "unknown card"
    );
    assert_eq!(said(coded("local-no-list", &[])), "Controller away, and the board has no list");
}

#[test]
fn stages_stand_in_the_order_in_which_they_happen() {
    let stages = ["decide", "detect", "capture", "newer"].map(|stage| (stage.to_owned(), 1_500));
    let trace = Trace {
        policy_version: 3,
        shown: Vec::new(),
        rules: Vec::new(),
        would_have_passed: Vec::new(),
        centre: "not-needed".to_owned(),
        stages_us: BTreeMap::from(stages),
    };
    let mut view = TraceView::default();
    view.explain(&page(Language::English), &Directory::default(), &trace, NOW);
    let (_, stages) = view.facts.last().expect("the stages stand last");
    assert_eq!(stages, "capture 1.5 ms\u{a0}· detection 1.5 ms\u{a0}· decision 1.5 ms\u{a0}· newer 1.5 ms");
}
