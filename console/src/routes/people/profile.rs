//! A person's page: who they are, what they carry, what they agreed to.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::ids::{CredentialId, PersonId};
use domain::policy::{CredentialStatus, CredentialUse};
use domain::request::CredentialKind;
use domain::time::{Utc, Validity};
use kit::auth::{Operator, Role};
use kit::looks::What;
use kit::problem::Problem;
use people::consent::Purpose;
use people::embed::Reason;
use people::person::{self, Person};
use people::word::Word;
use people::{PeopleError, consent, credential, face, group, picture};
use records::{Place, Question, search};
use serde::Deserialize;

use super::standing;
use crate::Console;
use crate::page::{Page, html};

/// Looks shown at most; the others are found in the history.
const LOOKS: usize = 10;

#[derive(Template)]
#[template(path = "people/profile.html")]
pub(super) struct Profile {
    page: Page,
    id: u64,
    name: String,
    standing: &'static str,
    is_suspended: bool,
    may_change: bool,
    has_picture: bool,
    /// When the face was enrolled.
    face: Option<String>,
    may_enrol: bool,
    may_picture: bool,
    /// Why a photograph may not do, in words.
    refusals: Vec<Choice>,
    /// What to do before the camera, in words.
    hints: Vec<Choice>,
    facts: Vec<(String, String)>,
    cards: Vec<Card>,
    consents: Vec<Consent>,
    /// What is not agreed to yet.
    open_purposes: Vec<Choice>,
    /// Who looked at them: for those who manage people.
    looks: Option<Vec<Seen>>,
    kinds: Vec<Choice>,
    /// The key of the words that tell what was done.
    said: Option<String>,
    /// What was refused.
    fault: Option<String>,
}

/// A credential.
struct Card {
    id: CredentialId,
    kind: String,
    key: String,
    is_duress: bool,
    validity: String,
    status: String,
    is_active: bool,
    /// What it can be declared as.
    statuses: Vec<Choice>,
}

/// Somebody looked.
struct Seen {
    by: String,
    what: String,
    at: String,
}

struct Consent {
    purpose: Choice,
    version: String,
    given: String,
    withdrawn: Option<String>,
}

/// A word of a list and what it is called.
pub(super) struct Choice {
    pub(super) word: &'static str,
    pub(super) name: String,
}

impl Choice {
    pub(super) fn of<W: Word>(page: &Page, list: &str, value: W) -> Self {
        Self { word: value.word(), name: page.word(list, value.word()) }
    }
}

impl Profile {
    fn title(&self) -> String {
        self.name.clone()
    }
}

#[derive(Deserialize)]
pub(super) struct Asked {
    said: Option<String>,
}

pub(super) async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(person): Path<u64>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let mut profile = load(&console, operator, &headers, PersonId(person)).await?;
    profile.said =
        asked.said.map(|word| format!("person-said-{word}")).filter(|key| profile.page.language.knows(key));
    Ok(html(StatusCode::OK, &profile))
}

/// The page again, with what was refused.
pub(super) async fn refused(
    console: &Console,
    operator: Operator,
    headers: &HeaderMap,
    person: PersonId,
    fault: &str,
) -> Result<Response, Problem> {
    let mut profile = load(console, operator, headers, person).await?;
    profile.fault = Some(profile.page.say(fault).into_owned());
    Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &profile))
}

async fn load(
    console: &Console,
    operator: Operator,
    headers: &HeaderMap,
    id: PersonId,
) -> Result<Profile, Problem> {
    let kit = &console.kit;
    let may_change = operator.is_at_site(Role::Manager);
    let by = operator.id;
    let page = console.page(headers, Some(operator)).at("people");
    let mut connection = kit.read().acquire().await?;
    let person = person::get(&mut connection, id).await?.ok_or(PeopleError::Unknown("person"))?;
    kit.saw(by, Some(id.0), What::Profile);
    let face = face::of_person(&mut connection, id).await?;
    drop(connection);
    let credentials = credential::of_person(kit, id).await?;
    let consents = consent::of_person(kit, id).await?;
    let stands = |purpose: Purpose| consents.iter().any(|it| it.purpose == purpose && it.withdrawn.is_none());
    let open = Purpose::ALL.iter().filter(|purpose| !stands(**purpose));
    let (name, other) = page.both_names(person.particulars.name.clone(), person.particulars.latin.clone());
    let facts = facts(console, &page, &person, other).await?;
    let looks = if may_change { Some(looks(console, &page, id).await?) } else { None };
    Ok(Profile {
        id: id.0,
        looks,
        standing: standing(person.particulars.status, person.particulars.validity, kit.now()),
        is_suspended: person.particulars.status == domain::policy::PersonStatus::Suspended,
        may_change,
        has_picture: picture::has(kit, id).await?,
        face: face.map(|face| page.to_the_minute(face.enrolled_at)),
        may_enrol: may_change && stands(Purpose::FaceAccess),
        may_picture: stands(Purpose::ProfilePicture),
        refusals: refusals(&page),
        hints: hints(&page),
        cards: credentials.iter().map(|it| card(&page, it, may_change)).collect(),
        open_purposes: open.map(|purpose| Choice::of(&page, "purpose", *purpose)).collect(),
        consents: consents.iter().map(|it| shown(&page, it)).collect(),
        kinds: CredentialKind::ALL.iter().map(|kind| Choice::of(&page, "factor", *kind)).collect(),
        name,
        facts,
        said: None,
        fault: None,
        page,
    })
}

/// Who looked at this person last.
async fn looks(console: &Console, page: &Page, id: PersonId) -> Result<Vec<Seen>, Problem> {
    #[derive(Deserialize)]
    struct Body {
        operator: i64,
        looked_at: String,
        at: i64,
    }
    let question = Question {
        people: Some(vec![id.0]),
        words: vec![vec!["person.viewed".to_owned()]],
        ..Question::default()
    };
    let found = search(&console.kit, &question, Place::END, LOOKS).await?;
    if found.records.is_empty() {
        return Ok(Vec::new());
    }
    let operators = kit::auth::list(&console.kit).await?;
    let seen = found.records.iter().filter_map(|record| record.parse::<Body>()).map(|body| {
        let by = operators.iter().find(|row| row.id.0 == body.operator).map(|row| row.name.clone());
        Seen {
            by: by.unwrap_or_default(),
            what: page.word("looked-at", &body.looked_at),
            at: page.to_the_minute(body.at),
        }
    });
    Ok(seen.collect())
}

async fn facts(
    console: &Console,
    page: &Page,
    person: &Person,
    other_name: String,
) -> Result<Vec<(String, String)>, Problem> {
    let it = &person.particulars;
    let groups = group::list(&console.kit).await?;
    let groups: Vec<_> = groups
        .into_iter()
        .filter(|group| it.groups.contains(&group.id))
        .map(|group| page.both_names(group.name.name, group.name.latin).0)
        .collect();
    let facts = [
        ("person-other-name", other_name),
        ("person-kind", page.word("person-kind", it.kind.word())),
        ("person-department", it.department.clone()),
        ("person-number", it.number.clone()),
        ("person-validity", validity(page, it.validity)),
        ("person-groups", groups.join(page.say("list-names").as_ref())),
        ("person-clearance", it.clearance.to_string()),
        ("person-key", it.key.clone()),
        ("person-changed", page.to_the_minute(person.changed_at)),
    ];
    let facts = facts.into_iter().filter(|(_, value)| !value.is_empty());
    Ok(facts.map(|(key, value)| (page.say(key).into_owned(), value)).collect())
}

/// The words for every refusal of a photograph, for the script that sends it.
fn refusals(page: &Page) -> Vec<Choice> {
    let others = ["photo-of-somebody-else", "vision-away", "no-consent"];
    let codes = Reason::CODES.into_iter().chain(others);
    codes.map(|code| Choice { word: code, name: page.say(code).into_owned() }).collect()
}

/// The words for everything that is said before a camera, for the script that asks about its frames.
fn hints(page: &Page) -> Vec<Choice> {
    let own = [
        "camera-starting",
        "camera-good",
        "camera-still",
        "camera-taken",
        "camera-refused",
        "camera-absent",
        "camera-in-use",
        "camera-failed",
        "vision-away",
        "no-consent",
    ];
    let asked = Reason::CODES.map(|code| (code, format!("camera-{code}")));
    let asked = asked.into_iter().map(|(word, key)| Choice { word, name: page.say(&key).into_owned() });
    let own = own.into_iter().map(|word| Choice { word, name: page.say(word).into_owned() });
    let signed_out = Choice { word: "signed-out", name: page.say("passkey-signed-out").into_owned() };
    own.chain(asked).chain([signed_out]).collect()
}

fn card(page: &Page, it: &credential::Credential, may_change: bool) -> Card {
    let status = it.terms.status;
    let may_be = |next: &&CredentialStatus| {
        // An operator may stop a card at night; giving it back is a manager's.
        **next != status && (may_change || **next != CredentialStatus::Active)
    };
    let statuses = CredentialStatus::ALL.iter().filter(may_be);
    Card {
        id: it.id,
        kind: page.word("factor", it.kind.word()),
        key: if it.kind == CredentialKind::Pin { String::new() } else { it.terms.key.clone() },
        is_duress: it.terms.usage == CredentialUse::Duress,
        validity: if it.terms.validity == Validity::ALWAYS {
            String::new()
        } else {
            validity(page, it.terms.validity)
        },
        status: page.word("credential-status", status.word()),
        is_active: status == CredentialStatus::Active,
        statuses: statuses.map(|next| Choice::of(page, "credential-make", *next)).collect(),
    }
}

fn shown(page: &Page, it: &consent::Consent) -> Consent {
    Consent {
        purpose: Choice::of(page, "purpose", it.purpose),
        version: it.text_version.clone(),
        given: page.to_the_minute(it.given_at),
        withdrawn: it.withdrawn.as_ref().map(|end| page.to_the_minute(end.at)),
    }
}

/// From when until when, in words.
fn validity(page: &Page, Validity { from, until }: Validity) -> String {
    let (starts, ends) = (from != Utc::MIN, until != Utc::MAX);
    let moment = |at: Utc| page.to_the_minute(at.0);
    match (starts, ends) {
        (false, false) => page.say("validity-always").into_owned(),
        (true, false) => page.say_with("validity-from", "from", moment(from)).into_owned(),
        (false, true) => page.say_with("validity-until", "until", moment(until)).into_owned(),
        (true, true) => page
            .language
            .say_with("validity-between", &[("from", moment(from).into()), ("until", moment(until).into())])
            .into_owned(),
    }
}
