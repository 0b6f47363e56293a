//! The wall of photographs: who came in last, large enough to be compared with the face at the desk of a lobby. Its moving
//! part are the same records as everywhere, drawn as cards and told by the same stream.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use kit::auth::{Operator, Role};
use kit::looks::What;
use kit::problem::Problem;
use kit::{Kit, Routes, StoredEvent, Who};
use records::{Place, Question};
use uplink::event::Access;

use crate::Console;
use crate::directory::Directory;
use crate::event::{self, EventView};
use crate::form::Fields;
use crate::page::{Page, html};
use crate::view::{Scene, View};

/// For whoever sits in a lobby, and those above: each sees the doors of the places that are theirs.
const GUARD: Who = Who::Somewhere(Role::Guard);
/// Cards at first, and at most.
const CARDS: usize = 24;
/// Records that are gone through for them: of a door that people leave by most are none.
const LOOKED: usize = 200;

/// The routes of this file.
pub(super) fn routes() -> Routes<Console> {
    Routes::default().get("/wall", GUARD, show)
}

#[derive(Template)]
#[template(path = "wall.html")]
struct Wall {
    page: Page,
    doors: Vec<Door>,
    /// The chosen ones in words; all where none is chosen.
    chosen: String,
    cards: Vec<String>,
    most: usize,
    after: u64,
    now: i64,
    view: (&'static str, String),
}

/// A door that can be chosen.
struct Door {
    id: u64,
    name: String,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "wall_card.html")]
struct Card<'a> {
    page: &'a Page,
    event: EventView,
    /// Who; what is said, where it is a claim that nobody can vouch for.
    name: String,
    department: String,
    initials: String,
    door: String,
}

impl Wall {
    fn title(&self) -> String {
        self.page.say("wall-title").into_owned()
    }
}

async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Query(fields): Query<Fields>,
) -> Result<Response, Problem> {
    let (kit, by) = (&console.kit, operator.id);
    let page = console.page(&headers, Some(operator)).at("live");
    let chosen = doors(fields.numbers("door"));
    let view = View::Wall(chosen.clone());
    let asked = (!chosen.is_empty()).then(|| chosen.clone());
    let mut scene = Scene::load(kit, page.language, &view, &[], page.ranks()?).await?;
    let mut question =
        Question { doors: asked, words: vec![vec!["access".to_owned()]], ..Question::default() };
    scene.sight.narrow(&mut question);
    let last = records::search(kit, &question, Place::END, LOOKED).await?;
    // What is not in the index yet, the stream tells.
    let after = last.up_to;
    let records: Vec<_> = last.records.into_iter().filter(|record| view.tells(record)).take(CARDS).collect();
    for record in &records {
        scene.directory.learn(kit, page.language, record).await?;
    }
    let now = kit.now();
    // Where somebody works is more than the live page tells of whoever passes.
    kit.saw(by, None, What::Wall);
    let cards = records.iter().map(|record| card(kit, &page, &scene.directory, record, now)).collect();
    let doors = scene.directory.doors.values().map(|door| Door {
        id: door.id,
        name: door.name.clone(),
        is_chosen: chosen.contains(&door.id),
    });
    let doors: Vec<_> = doors.collect();
    let names: Vec<_> = doors.iter().filter(|door| door.is_chosen).map(|door| door.name.clone()).collect();
    let chosen = match names.is_empty() {
        true => page.say("wall-all").into_owned(),
        false => names.join(page.say("list-names").as_ref()),
    };
    let wall = Wall { doors, chosen, cards, most: CARDS, after, now, view: view.words(), page };
    Ok(html(StatusCode::OK, &wall))
}

/// Doors as an address names them, in one order: the same doors are one view.
pub(crate) fn doors(mut ids: Vec<u64>) -> Vec<u64> {
    ids.sort_unstable();
    ids.dedup();
    ids.truncate(View::DOORS);
    ids
}

/// A record's card.
pub(crate) fn card(kit: &Kit, page: &Page, directory: &Directory, record: &StoredEvent, now: i64) -> String {
    let mut event = event::view(kit, page, directory, record, now);
    let access = record.parse::<Access>().filter(|_| !event::is_claimed(directory, record));
    let person = access.as_ref().and_then(|it| it.person).and_then(|id| directory.people.get(&id));
    let (name, department) = match (&access, person) {
        (_, Some(person)) => (person.name.clone(), person.department.clone()),
        (Some(_), None) => (page.say("person-unknown").into_owned(), String::new()),
        // What a device tells of another's door is no face to be compared with.
        (None, None) => (event.sentence.clone(), String::new()),
    };
    if access.is_none() {
        (event.photo, event.has_person) = (None, false);
    }
    let door = access.map(|it| directory.door(page, it.door)).unwrap_or_default();
    let initials = person.map(|person| initials(&person.name)).unwrap_or_default();
    Card { page, event, name, department, initials, door }.render().unwrap_or_default()
}

/// What stands in a photograph's place: of a Chinese name the given name's last two characters, of others the first letters
/// of the first and the last word.
fn initials(name: &str) -> String {
    let is_latin =
        name.chars().all(|letter| letter.is_ascii() || !letter.is_alphabetic() || letter < '\u{2e80}');
    if !is_latin {
        let letters: Vec<char> = name.chars().filter(|letter| !letter.is_whitespace()).collect();
        return letters[letters.len().saturating_sub(2)..].iter().collect();
    }
    let mut words = name.split_whitespace().filter_map(|word| word.chars().next());
    words.next().into_iter().chain(words.next_back()).flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_read_from_afar() {
        for (name, expected) in [
            ("欧明哲", "明哲"),
            ("李四", "李四"),
            ("欧阳 修文", "修文"),
            ("Ou Mingzhe", "OM"),
            ("Grace Brewster Hopper", "GH"),
            ("Åsa", "Å"),
            ("", ""),
        ] {
            assert_eq!(initials(name), expected, "{name}");
        }
    }

    #[test]
    fn the_same_doors_are_one_view() {
        assert_eq!(doors(vec![3, 1, 3]), [1, 3]);
        assert_eq!(doors((0..1000).collect()).len(), View::DOORS);
    }
}
