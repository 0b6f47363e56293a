//! What the site is called, its time zone, and the numbers that hold everywhere in it.

use std::time::Duration;

use axum::Form as Sent;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use domain::policy::SiteRules;
use domain::request::Score;
use doors::edit::{Edit, Seen};
use doors::label::Label;
use doors::place::{Site, USUAL_RULES, USUAL_ZONE};
use kit::auth::Operator;
use kit::problem::Problem;

use super::area::{label, label_fields};
use crate::Console;
use crate::form::Fields;
use crate::page::Page;
use crate::routes::forms::{by, survey};
use crate::sheet::{Fault, Part, Sheet};

/// A duration among the rules.
type Place = fn(&mut SiteRules) -> &mut Duration;

/// Durations in seconds, and where they belong.
const SECONDS: [(&str, Place); 4] = [
    ("wrong_tries_within", |rules| &mut rules.wrong_tries_within),
    ("lock_out", |rules| &mut rules.lock_out),
    ("second_factor_within", |rules| &mut rules.second_factor_within),
    ("same_person_within", |rules| &mut rules.same_person_within),
];

pub(super) async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at("site");
    let survey = survey(&console.kit).await?;
    let seen = survey.site.as_ref().map(Seen::of);
    let fields = fill(survey.site.as_ref().unwrap_or(&unnamed()));
    let fields = fields.with("seen", seen.map_or(String::new(), |seen| seen.to_string()));
    Ok(shown(page, &fields, None))
}

pub(super) async fn change(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Sent(fields): Sent<Fields>,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at("site");
    let site = match read(&page, &fields) {
        Ok(site) => site,
        Err(fault) => return Ok(shown(page, &fields, Some(fault))),
    };
    let mut edit = Edit::begin(&console.kit, by(&page)).await?;
    let before = edit.before().clone();
    let done = match edit.site(Seen::parse(fields.get("seen")), &site).await {
        Ok(()) => edit.finish().await,
        Err(error) => Err(error),
    };
    match done {
        Ok(done) => {
            done.commit().await?;
            Ok(Redirect::to("/site?said=saved").into_response())
        }
        Err(error) => {
            let fault = Fault::of(&page, &before, error)?;
            Ok(shown(page, &fields, Some(fault)))
        }
    }
}

/// What a site that was not set up begins with.
fn unnamed() -> Site {
    Site { label: Label::new("site", ""), zone: USUAL_ZONE.to_owned(), rules: USUAL_RULES }
}

fn fill(site: &Site) -> Fields {
    let mut rules = site.rules;
    let score = |score: Score| f64::from(score.0) / 10_000.0;
    let fields = label_fields(&site.label)
        .with("key", &site.label.key)
        .with("zone", &site.zone)
        .with("wrong_tries", rules.wrong_tries)
        .with("face_score", score(rules.face_score))
        .with("face_margin", score(rules.face_margin));
    SECONDS.iter().fold(fields, |fields, (name, of)| fields.with(name, of(&mut rules).as_secs_f64()))
}

fn read(page: &Page, fields: &Fields) -> Result<Site, Fault> {
    let fault = |name: &str| Fault::at(page, name, &format!("fault-{name}"));
    let number = |name: &str, most: f64| {
        let value = fields.get(name).parse::<f64>().ok().filter(|it| (0.0..=most).contains(it));
        value.ok_or_else(|| fault(name))
    };
    let score = |name: &str| number(name, 1.0).map(|it| Score((it * 10_000.0).round() as i16));
    let mut rules = SiteRules {
        face_score: score("face_score")?,
        face_margin: score("face_margin")?,
        wrong_tries: fields.get("wrong_tries").parse().map_err(|_| fault("wrong_tries"))?,
        ..USUAL_RULES
    };
    for (name, of) in SECONDS {
        *of(&mut rules) = Duration::from_secs_f64(number(name, doors::place::LONGEST.as_secs_f64())?);
    }
    // A site has one key: nobody has to think of it.
    let label = Label { key: "site".to_owned(), ..label(fields) };
    Ok(Site { label, zone: fields.get("zone").to_owned(), rules })
}

fn shown(page: Page, fields: &Fields, fault: Option<Fault>) -> Response {
    let number = |name: &str| {
        Part::Line(
            Part::text(&page, fields, name, &format!("site-{}", name.replace('_', "-"))).kind("number"),
        )
    };
    let zone = Part::text(&page, fields, "zone", "site-zone").required().hint(&page, "site-zone-hint");
    let parts = vec![
        Part::names(&page, fields),
        Part::Line(zone),
        Part::heading(&page, "site-faces", "site-faces-hint"),
        Part::Row(vec![number("face_score"), number("face_margin")]),
        Part::heading(&page, "site-tries", ""),
        Part::Row(vec![number("wrong_tries"), number("wrong_tries_within")]),
        Part::Row(vec![number("lock_out"), number("second_factor_within")]),
        Part::Row(vec![number("same_person_within")]),
    ];
    let sheet = Sheet {
        title: page.say("site-settings").into_owned(),
        back: ("/site".to_owned(), page.say("site-title").into_owned()),
        action: "/site/settings".to_owned(),
        seen: fields.get("seen").to_owned(),
        parts,
        fault,
        concerns: Vec::new(),
        removal: None,
        page,
    };
    sheet.answer()
}
