//! Where an operator has which rank, as it is chosen on a form and told in words.

use domain::ids::AreaId;
use doors::place::AreaKind;
use doors::survey::{Survey, Thing};
use kit::auth::{OperatorError, Ranks, RanksError, Role};

use crate::form::Fields;
use crate::page::Page;
use crate::sheet::{Choice, name_of};

/// What a form offers: a rank at the whole site, and one in each building.
pub(super) struct RanksChoice {
    pub(super) site: Vec<Choice>,
    pub(super) places: Vec<PlaceChoice>,
    /// Whether one of the places is chosen: they are shown then.
    pub(super) is_open: bool,
}

pub(super) struct PlaceChoice {
    pub(super) number: u64,
    pub(super) field: String,
    pub(super) name: String,
    pub(super) roles: Vec<Choice>,
}

/// What was chosen. A word that is no role is nobody's typing mistake.
pub(super) fn read(fields: &Fields) -> Result<Ranks, OperatorError> {
    let role = |word: &str| match word {
        "" => Ok(None),
        word => Role::parse(word).map(Some).ok_or(RanksError::Nowhere),
    };
    let site = role(fields.get("role"))?;
    let mut places = Vec::new();
    for place in fields.numbers("place") {
        if let Some(role) = role(fields.get(&format!("place-{place}")))? {
            places.push((place, role));
        }
    }
    Ok(Ranks::new(site, places)?)
}

/// The fields of a form that would be read as these.
pub(super) fn fields(ranks: &Ranks) -> Fields {
    let places = ranks.places();
    let fields = Fields::default().with("role", ranks.at_site().map_or("", Role::as_str));
    let fields = fields.with_all("place", places.keys());
    places.iter().fold(fields, |fields, (place, role)| fields.with(&format!("place-{place}"), role.as_str()))
}

/// The form, as it was filled in. Every building may be chosen, and whatever else was.
pub(super) fn choice(page: &Page, survey: &Survey, typed: &Fields) -> RanksChoice {
    let buildings = survey.areas.iter().filter(|(_, area)| area.kind == AreaKind::Building);
    let mut places: Vec<u64> = buildings.map(|(id, _)| id.0).collect();
    let chosen: Vec<u64> = typed
        .numbers("place")
        .into_iter()
        .filter(|it| !typed.get(&format!("place-{it}")).is_empty())
        .collect();
    places.extend(chosen.iter().filter(|it| !places.contains(it)).copied().collect::<Vec<_>>());
    let at_site = typed.get("role");
    let nowhere = Choice {
        value: String::new(),
        name: page.say("operator-role-nowhere").into_owned(),
        chosen: at_site.is_empty(),
    };
    let mut site = super::roles(page, if at_site.is_empty() { "" } else { at_site });
    site.insert(0, nowhere);
    let places = places.into_iter().map(|place| {
        let field = format!("place-{place}");
        let chosen = typed.get(&field);
        let same = Choice {
            value: String::new(),
            name: page.say("operator-role-same").into_owned(),
            chosen: chosen.is_empty(),
        };
        // Nobody administers a building alone.
        let roles = Role::ALL.into_iter().filter(|role| *role != Role::Administrator).map(|role| Choice {
            value: role.as_str().to_owned(),
            name: page.word("role", role.as_str()),
            chosen: role.as_str() == chosen,
        });
        PlaceChoice {
            number: place,
            name: named(page, survey, place),
            roles: [same].into_iter().chain(roles).collect(),
            field,
        }
    });
    RanksChoice { site, places: places.collect(), is_open: !chosen.is_empty() }
}

/// In words: `查看员；主楼：经理`.
pub(crate) fn words(page: &Page, survey: &Survey, ranks: &Ranks) -> String {
    let site = ranks.at_site().map(|role| page.word("role", role.as_str()));
    let places = ranks.places().iter().map(|(place, role)| {
        let words = [
            ("place", named(page, survey, *place).into()),
            ("role", page.word("role", role.as_str()).into()),
        ];
        page.language.say_with("operator-role-in", &words).into_owned()
    });
    let all: Vec<_> = site.into_iter().chain(places).collect();
    all.join(&page.say("list-semicolon"))
}

/// An area's name; its number when it is not there any more.
fn named(page: &Page, survey: &Survey, place: u64) -> String {
    match survey.area(AreaId(place)) {
        Some(_) => name_of(page, survey, Thing::Area(AreaId(place))),
        None => page.say_with("operator-place-gone", "number", place.to_string()).into_owned(),
    }
}
