//! Whom a list of people is of, and in what order: as an address says it.

use askama::Template;
use people::find::{Order, Question, Standing};
use people::person::PersonKind;
use people::word::Word;
use serde::Deserialize;

use crate::page::Page;
use crate::sheet::Choice;

/// Letters of a question; more are not looked for.
const QUESTION: usize = 100;

/// What an address says. A word that is none asks for nothing: addresses are made by the page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Whom {
    /// Letters of a name, pinyin, initials, number or department.
    pub(super) find: String,
    /// Why they are known.
    of: String,
    stands: String,
    /// `yes` or `no`.
    face: String,
    order: String,
    /// Anything: backwards.
    back: String,
}

#[derive(Template)]
#[template(
    ext = "txt",
    source = "find={{ it.find|urlencode }}{% if !it.of.is_empty() %}&of={{ it.of|urlencode }}{% endif %}{% if !it.stands.is_empty() %}&stands={{ it.stands|urlencode }}{% endif %}{% if !it.face.is_empty() %}&face={{ it.face|urlencode }}{% endif %}{% if !it.order.is_empty() %}&order={{ it.order|urlencode }}{% endif %}{% if !it.back.is_empty() %}&back=yes{% endif %}"
)]
struct Address<'a> {
    it: &'a Whom,
}

/// The head of a column that the list can be in the order of.
pub(super) struct Head {
    pub(super) name: String,
    /// Where the list is in its order, or the other way round; empty where it cannot be.
    pub(super) to: String,
    /// `ascending`, `descending`, or empty.
    pub(super) sort: &'static str,
}

impl Whom {
    pub(super) fn question(&self) -> Question {
        Question {
            words: self.words(),
            kind: PersonKind::parse(&self.of),
            standing: Standing::parse(&self.stands),
            has_face: match self.face.as_str() {
                "yes" => Some(true),
                "no" => Some(false),
                _ => None,
            },
        }
    }

    /// What is typed, as far as it is looked for.
    pub(super) fn words(&self) -> String {
        self.find.chars().take(QUESTION).collect()
    }

    pub(super) fn order(&self) -> (Order, bool) {
        (Order::parse(&self.order).unwrap_or_default(), !self.back.is_empty())
    }

    /// Whether it is of everybody.
    pub(super) fn is_of_everybody(&self) -> bool {
        self.question() == Question { words: self.find.trim().to_owned(), ..Question::default() }
            && self.find.trim().is_empty()
    }

    /// The end of an address that says the same.
    pub(super) fn address(&self) -> String {
        Address { it: self }.render().unwrap_or_default()
    }

    /// The heads of the list's columns.
    pub(super) fn heads(&self, page: &Page) -> Vec<Head> {
        let (own, is_backwards) = self.order();
        let head = |key: &str, order: Option<Order>| {
            let is_own = order == Some(own);
            let other = order.map(|order| Self {
                order: order.word().to_owned(),
                back: if is_own && !is_backwards { "yes".to_owned() } else { String::new() },
                ..self.clone()
            });
            Head {
                name: page.say(key).into_owned(),
                to: other.map(|it| format!("/people?{}", it.address())).unwrap_or_default(),
                sort: match (is_own, is_backwards) {
                    (false, _) => "",
                    (true, false) => "ascending",
                    (true, true) => "descending",
                },
            }
        };
        vec![
            head("column-name", Some(Order::Name)),
            head("column-department", Some(Order::Department)),
            head("column-number", Some(Order::Number)),
            head("column-kind", None),
            head("column-credentials", None),
            head("column-standing", None),
        ]
    }

    /// The fields that narrow the list: name, label, choices.
    pub(super) fn filters(&self, page: &Page) -> Vec<(&'static str, String, Vec<Choice>)> {
        let filter = |field: &'static str, label: &str, chosen: &str, words: Vec<(&'static str, String)>| {
            let all = ("", page.say("filter-all").into_owned());
            let choices = [all].into_iter().chain(words).map(|(value, name)| Choice {
                value: value.to_owned(),
                name,
                chosen: value == chosen,
            });
            (field, page.say(label).into_owned(), choices.collect())
        };
        let kinds = PersonKind::ALL.iter().map(|it| (it.word(), page.word("person-kind", it.word())));
        let standings = Standing::ALL.iter().map(|it| (it.word(), page.word("standing", it.word())));
        let faces = ["yes", "no"].map(|word| (word, page.word("filter-face", word)));
        vec![
            filter("of", "column-kind", &self.of, kinds.collect()),
            filter("stands", "column-standing", &self.stands, standings.collect()),
            filter("face", "filter-face", &self.face, faces.into()),
        ]
    }

    /// Everything of it, as fields that a form keeps.
    pub(super) fn fields(&self) -> Vec<(&'static str, &str)> {
        let fields = [
            ("find", &self.find),
            ("of", &self.of),
            ("stands", &self.stands),
            ("face", &self.face),
            ("order", &self.order),
            ("back", &self.back),
        ];
        fields
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name, value.as_str()))
            .collect()
    }

    /// What the form keeps beside its fields.
    pub(super) fn kept(&self) -> [(&'static str, &str); 2] {
        [("order", &self.order), ("back", &self.back)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_it_was_made_of() {
        let whom = Whom {
            find: "a&b 林".to_owned(),
            stands: "expired".to_owned(),
            order: "number".to_owned(),
            back: "yes".to_owned(),
            ..Whom::default()
        };
        assert_eq!(whom.address(), "find=a%26b%20%E6%9E%97&stands=expired&order=number&back=yes");
        assert_eq!(whom.order(), (Order::Number, true));
        assert!(!whom.is_of_everybody() && Whom::default().is_of_everybody());
        let word = Whom { stands: "nonsense".to_owned(), ..Whom::default() };
        assert!(word.is_of_everybody(), "a word that is none asks for nothing");
    }
}
