//! The form of one thing: its fields as data, one template for all of them. What was typed stays when something is refused
//! and the field says why; what would come to nothing is said before it is saved.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use doors::DoorsError;
use doors::survey::{Concern, Survey, Thing};
use kit::problem::Problem;
use people::PeopleError;

use crate::form::Fields;
use crate::page::{Page, html};

/// A form, and what is said about what was sent with it.
#[derive(Template)]
#[template(path = "sheet.html")]
pub(crate) struct Sheet {
    pub(crate) page: Page,
    pub(crate) title: String,
    /// Where it was come from: the address and its name.
    pub(crate) back: (String, String),
    /// Where it is sent.
    pub(crate) action: String,
    /// The fingerprint of what it was filled from; empty for something new.
    pub(crate) seen: String,
    pub(crate) parts: Vec<Part>,
    pub(crate) fault: Option<Fault>,
    /// What would come to nothing.
    pub(crate) concerns: Vec<String>,
    /// What to press to remove the thing.
    pub(crate) removal: Option<Removal>,
}

/// What is to be said before a thing is removed.
pub(crate) struct Removal {
    pub(crate) action: String,
    /// What goes with it, or what stands against it.
    pub(crate) words: String,
    /// Whether something else names it: then it cannot be.
    pub(crate) is_held: bool,
}

/// One part of a form.
pub(crate) enum Part {
    /// A line of text, a number, a date.
    Line(Line),
    /// One of several.
    Select { name: String, label: String, options: Vec<Choice>, hint: String },
    /// Any of several.
    Checks { name: String, label: String, options: Vec<Choice>, hint: String },
    /// What follows belongs together.
    Heading { words: String, hint: String },
    /// Parts side by side.
    Row(Vec<Part>),
    /// Something drawn already: the week of a schedule.
    Drawn(String),
}

/// A field that is typed into.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) value: String,
    /// The kind of input, as HTML names it.
    pub(crate) kind: &'static str,
    pub(crate) hint: String,
    pub(crate) required: bool,
    /// Letters at most.
    pub(crate) longest: u16,
}

/// One thing to choose.
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) name: String,
    pub(crate) chosen: bool,
}

/// What is wrong, and in which field; empty for the form as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) field: String,
    pub(crate) words: String,
}

impl Sheet {
    fn title(&self) -> &str {
        &self.title
    }

    /// What is wrong with a field.
    fn fault_of(&self, field: &str) -> Option<&str> {
        let own = self.fault.as_ref().filter(|fault| fault.field == field);
        own.map(|fault| fault.words.as_str())
    }

    /// What is wrong with the form as a whole, or with a field that it does not show.
    fn fault_of_all(&self) -> Option<&str> {
        let fault = self.fault.as_ref()?;
        (!self.parts.iter().any(|part| part.shows(&fault.field))).then_some(fault.words.as_str())
    }

    pub(crate) fn answer(&self) -> Response {
        let refused = self.fault.is_some() || !self.concerns.is_empty();
        html(if refused { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }, self)
    }
}

impl Part {
    fn shows(&self, field: &str) -> bool {
        match self {
            Self::Line(line) => line.name == field,
            Self::Select { name, .. } | Self::Checks { name, .. } => name == field,
            Self::Row(parts) => parts.iter().any(|part| part.shows(field)),
            Self::Heading { .. } | Self::Drawn(_) => false,
        }
    }

    /// A line of text whose label is the words of a key.
    pub(crate) fn text(page: &Page, fields: &Fields, name: &str, label: &str) -> Line {
        Line {
            name: name.to_owned(),
            label: page.say(label).into_owned(),
            value: fields.get(name).to_owned(),
            kind: "text",
            hint: String::new(),
            required: false,
            longest: 200,
        }
    }

    /// Name and name in Latin letters, which everything of a site has.
    pub(crate) fn names(page: &Page, fields: &Fields) -> Part {
        let name = Part::text(page, fields, "name", "field-name").required();
        let latin = Part::text(page, fields, "latin", "field-latin");
        Part::Row(vec![Part::Line(name), Part::Line(latin)])
    }

    /// The key of something new; what is known keeps its own, and shows it.
    pub(crate) fn key(page: &Page, fields: &Fields, is_new: bool) -> Option<Part> {
        is_new.then(|| {
            let key = Part::text(page, fields, "key", "field-key").hint(page, "field-key-hint");
            Part::Line(Line { longest: 64, ..key })
        })
    }

    /// One of several, of which what was sent is chosen.
    pub(crate) fn select(
        page: &Page,
        fields: &Fields,
        name: &str,
        label: &str,
        options: impl IntoIterator<Item = (String, String)>,
    ) -> Part {
        let given = fields.get(name);
        let options = options.into_iter().map(|(value, name)| Choice { chosen: value == given, value, name });
        Part::Select {
            name: name.to_owned(),
            label: page.say(label).into_owned(),
            options: options.collect(),
            hint: String::new(),
        }
    }

    /// Any of several, of which those sent are chosen.
    pub(crate) fn checks(
        page: &Page,
        fields: &Fields,
        name: &str,
        label: &str,
        options: impl IntoIterator<Item = (String, String)>,
    ) -> Part {
        let options = options.into_iter().map(|(value, shown)| Choice {
            chosen: fields.all(name).any(|given| given == value),
            value,
            name: shown,
        });
        Part::Checks {
            name: name.to_owned(),
            label: page.say(label).into_owned(),
            options: options.collect(),
            hint: String::new(),
        }
    }

    pub(crate) fn heading(page: &Page, key: &str, hint: &str) -> Part {
        let hint = if hint.is_empty() { String::new() } else { page.say(hint).into_owned() };
        Part::Heading { words: page.say(key).into_owned(), hint }
    }

    /// With a hint below it.
    pub(crate) fn with_hint(mut self, page: &Page, key: &str) -> Part {
        match &mut self {
            Self::Select { hint, .. } | Self::Checks { hint, .. } | Self::Heading { hint, .. } => {
                *hint = page.say(key).into_owned();
            }
            Self::Line(line) => line.hint = page.say(key).into_owned(),
            Self::Row(_) | Self::Drawn(_) => {}
        }
        self
    }
}

impl Line {
    pub(crate) fn required(self) -> Self {
        Self { required: true, ..self }
    }

    pub(crate) fn kind(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    pub(crate) fn hint(self, page: &Page, key: &str) -> Self {
        Self { hint: page.say(key).into_owned(), ..self }
    }
}

impl Fault {
    /// In a field, with the words of a key.
    pub(crate) fn at(page: &Page, field: &str, key: &str) -> Self {
        Self { field: field.to_owned(), words: page.say(key).into_owned() }
    }

    /// What a form can show of a refusal; anything else is nobody's mistake.
    pub(crate) fn of(page: &Page, survey: &Survey, error: DoorsError) -> Result<Self, Problem> {
        let whole = |words: String| Self { field: String::new(), words };
        match error {
            DoorsError::Field { field, .. } => Ok(Self::at(page, field, &format!("fault-{field}"))),
            DoorsError::Taken { field, by } => {
                let name = name_of(page, survey, by);
                let words = page.say_with(&format!("taken-{field}"), "name", name).into_owned();
                Ok(Self { field: field.to_owned(), words })
            }
            DoorsError::Stale(_) => Ok(whole(page.say("sheet-stale").into_owned())),
            DoorsError::Used { by, .. } => Ok(whole(held(page, survey, &by))),
            DoorsError::InUse(_) => Ok(whole(page.say("sheet-in-use").into_owned())),
            DoorsError::Unfit(why) => {
                Ok(whole(page.say_with("sheet-unfit", "why", why.join("; ")).into_owned()))
            }
            DoorsError::People(PeopleError::Field { field, .. } | PeopleError::Taken(field)) => {
                Ok(Self::at(page, field, &format!("fault-{field}")))
            }
            error @ (DoorsError::Unknown(_) | DoorsError::People(_) | DoorsError::Database(_)) => {
                Err(error.into())
            }
        }
    }
}

/// "Used by …", with every name.
pub(crate) fn held(page: &Page, survey: &Survey, by: &[Thing]) -> String {
    let names: Vec<_> = by
        .iter()
        .map(|thing| {
            let kind = page.say(&format!("thing-{}", thing.kind())).into_owned();
            let name = name_of(page, survey, *thing);
            let words = [("kind", kind.into()), ("name", name.into())];
            page.language.say_with("thing-named", &words).into_owned()
        })
        .collect();
    page.say_with("sheet-held", "names", names.join(page.say("list-names").as_ref())).into_owned()
}

/// What a thing is called on pages.
pub(crate) fn name_of(page: &Page, survey: &Survey, thing: Thing) -> String {
    match survey.label(thing) {
        Some(label) => page.both_names(label.name, label.latin).0,
        None => thing.number().to_string(),
    }
}

/// What comes to nothing, in words.
pub(crate) fn concern(page: &Page, survey: &Survey, concern: Concern) -> String {
    let name = name_of(page, survey, concern.thing());
    page.say_with(&format!("concern-{}", concern.code()), "name", name).into_owned()
}
