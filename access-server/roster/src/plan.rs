//! What a table would do to the site: compared row by row, nothing written. Pure.

use std::collections::HashMap;

use domain::ids::{GroupId, PersonId};
use domain::policy::{CredentialStatus, PersonStatus};
use domain::request::CredentialDigest;
use jiff::tz::TimeZone;
use kit::Kit;
use people::bulk::{CardAct, Digested, Intended, Known, Who};
use people::group::Group;
use people::person::{Particulars, Person, is_key};
use ring::digest::{Context, SHA256};

use crate::card::CardForm;
use crate::column::Column;
use crate::line::{Line, Reading, Wrong};
use crate::table::Table;

/// What would become of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Somebody is added.
    New(Box<Deed>),
    /// Somebody known is changed.
    Changed(Box<Deed>),
    /// It is so already.
    Same,
    /// It cannot be taken; never empty.
    Wrong(Vec<Wrong>),
}

/// What is done for a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// What is to be so.
    pub(crate) intended: Intended,
    /// The groups of it that are not there yet, as places in [`Plan::new_groups`].
    pub(crate) new_groups: Vec<usize>,
    /// What differs from what is known.
    pub(crate) differs: Vec<Column>,
}

impl Deed {
    /// What would be otherwise than it is known.
    #[must_use]
    pub fn differs(&self) -> &[Column] {
        &self.differs
    }
}

/// A row with what would become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Where it stands in the file.
    pub line: u32,
    /// Which row of the table it is.
    pub row: usize,
    /// Who it is about, where they are known.
    pub person: Option<PersonId>,
    /// What would become of it.
    pub fate: Fate,
    /// What is worth knowing besides: stable kinds, for language files.
    pub notes: Vec<&'static str>,
}

/// How many rows would become what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// People added.
    pub new: usize,
    /// People changed.
    pub changed: usize,
    /// Rows that say what is so already.
    pub same: usize,
    /// Rows that cannot be taken.
    pub wrong: usize,
    /// Cards given out.
    pub cards: usize,
    /// Cards that take another's place, which opens nothing from then on.
    pub exchanged: usize,
}

/// What a table would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Every row, the wrong ones first, then by line.
    pub rows: Vec<Planned>,
    /// How many would become what.
    pub counts: Counts,
    /// Groups that would be made: their names.
    pub new_groups: Vec<String>,
    /// Rows whose staff number is a number in the spreadsheet: zeros before it would be lost.
    pub bare_numbers: usize,
    /// SHA-256 over all of it, in hexadecimal: what was shown is what is confirmed.
    pub fingerprint: String,
}

/// What somebody chose for a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What each column holds; `None` for those that are not read.
    pub columns: Vec<Option<Column>>,
    /// How cards are written.
    pub cards: CardForm,
    /// Whether groups that are not there are made.
    pub create_groups: bool,
    /// All rows or none; otherwise those that are right.
    pub whole: bool,
}

impl Choice {
    /// What the heads and the values suggest.
    #[must_use]
    pub fn guess(table: &Table) -> Self {
        let columns = crate::column::of_table(table);
        let at = |wanted| columns.iter().position(|column| *column == Some(wanted));
        let has_facility = at(Column::Facility).is_some();
        let cards = at(Column::Card).map_or(CardForm::Raw, |card| CardForm::guess(table, card, has_facility));
        Self { columns, cards, create_groups: false, whole: true }
    }

    /// A column that stands twice.
    #[must_use]
    pub fn twice(&self) -> Option<Column> {
        let mut said: Vec<Column> = self.columns.iter().flatten().copied().collect();
        said.sort_unstable();
        said.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }

    /// Whether it says whom the rows are about.
    #[must_use]
    pub fn names_people(&self) -> bool {
        self.columns.iter().flatten().any(|column| matches!(column, Column::Number | Column::Key))
    }
}

/// What a table is compared with.
pub(crate) struct Site {
    pub(crate) kit: Kit,
    pub(crate) zone: TimeZone,
    pub(crate) known: Known,
    pub(crate) groups: Vec<Group>,
}

/// Compares every row.
pub(crate) fn plan(site: &Site, table: &Table, choice: &Choice) -> Plan {
    let reading = Reading { columns: &choice.columns, cards: choice.cards, zone: &site.zone };
    let mut comparing = Comparing::new(site, choice);
    let mut plan = Plan::default();
    for (at, row) in table.rows.iter().enumerate() {
        let planned = match reading.line(row) {
            Ok(line) => comparing.row(row.line, at, line),
            Err(wrong) => Planned::wrong(row.line, at, wrong),
        };
        plan.count(&planned);
        plan.rows.push(planned);
    }
    plan.rows.sort_by_key(|row| (!matches!(row.fate, Fate::Wrong(_)), row.line));
    plan.bare_numbers = comparing.bare_numbers;
    plan.new_groups = comparing.new_groups;
    plan.fingerprint = plan.digest();
    plan
}

impl Plan {
    /// Whether anything would be done.
    #[must_use]
    pub fn does_something(&self) -> bool {
        self.counts.new + self.counts.changed > 0
    }

    fn count(&mut self, row: &Planned) {
        let counts = &mut self.counts;
        let deed = match &row.fate {
            Fate::New(deed) => {
                counts.new += 1;
                deed
            }
            Fate::Changed(deed) => {
                counts.changed += 1;
                deed
            }
            Fate::Same => {
                counts.same += 1;
                return;
            }
            Fate::Wrong(_) => {
                counts.wrong += 1;
                return;
            }
        };
        match deed.intended.card {
            CardAct::Nothing => {}
            CardAct::Give { .. } => counts.cards += 1,
            CardAct::Exchange { .. } => counts.exchanged += 1,
        }
    }

    fn digest(&self) -> String {
        let mut digest = Context::new(&SHA256);
        for row in &self.rows {
            digest.update(&row.line.to_be_bytes());
            // Every field, in the order of the struct: it stands nowhere and is read by nobody.
            let fate = format!("{:?}", row.fate);
            digest.update(&(fate.len() as u64).to_be_bytes());
            digest.update(fate.as_bytes());
            if let Fate::New(deed) | Fate::Changed(deed) = &row.fate {
                digest.update(&card_bytes(&deed.intended.card));
            }
        }
        digest.update(self.new_groups.join("\n").as_bytes());
        digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Cards print nothing of themselves.
fn card_bytes(card: &CardAct) -> [u8; 64] {
    let mut bytes = [0; 64];
    match card {
        CardAct::Nothing => {}
        CardAct::Give { key: _, card } => bytes[..32].copy_from_slice(&card.digest.0),
        CardAct::Exchange { id: _, was, card } => {
            bytes[..32].copy_from_slice(&card.digest.0);
            bytes[32..].copy_from_slice(&was.0);
        }
    }
    bytes
}

impl Planned {
    fn wrong(line: u32, row: usize, wrong: Vec<Wrong>) -> Self {
        Self { line, row, person: None, fate: Fate::Wrong(wrong), notes: Vec::new() }
    }
}

/// A comparison under way: what earlier rows said already.
struct Comparing<'s> {
    site: &'s Site,
    choice: &'s Choice,
    groups: HashMap<&'s str, Result<GroupId, ()>>,
    new_groups: Vec<String>,
    /// Staff numbers without the zeros before them: a spreadsheet may have lost those.
    bare: HashMap<&'s str, &'s str>,
    bare_numbers: usize,
    /// At which line somebody stands already, by their key.
    people: HashMap<String, u32>,
    numbers: HashMap<String, u32>,
    cards: HashMap<CredentialDigest, u32>,
}

impl<'s> Comparing<'s> {
    fn new(site: &'s Site, choice: &'s Choice) -> Self {
        let mut groups: HashMap<&str, Result<GroupId, ()>> = HashMap::new();
        for group in &site.groups {
            for name in [&group.name.name, &group.name.latin] {
                if !name.is_empty() {
                    let others = groups.insert(name, Ok(group.id));
                    // Two of one name: neither is meant.
                    if others.is_some_and(|other| other != Ok(group.id)) {
                        groups.insert(name, Err(()));
                    }
                }
            }
        }
        // A key is nobody else's.
        groups.extend(site.groups.iter().map(|group| (group.name.key.as_str(), Ok(group.id))));
        let bare = site.known.numbers().filter(|number| number.starts_with('0'));
        Self {
            site,
            choice,
            groups,
            new_groups: Vec::new(),
            bare: bare.map(|number| (number.trim_start_matches('0'), number)).collect(),
            bare_numbers: 0,
            people: HashMap::new(),
            numbers: HashMap::new(),
            cards: HashMap::new(),
        }
    }

    fn row(&mut self, at: u32, row: usize, line: Line) -> Planned {
        self.bare_numbers += usize::from(line.bare_number);
        let known = match self.who(&line) {
            Ok(known) => known,
            Err(wrong) => return Planned::wrong(at, row, vec![wrong]),
        };
        let (mut wrong, mut notes) = (Vec::new(), Vec::new());
        let (particulars, new_groups) = self.particulars(&line, known, &mut wrong, &mut notes);
        if wrong.is_empty()
            && let Err(error) = particulars.check()
        {
            wrong.push(Wrong::new(column_of(error.field()), "field", error.field().unwrap_or_default()));
        }
        self.once(at, &particulars, &mut wrong);
        let card = self.card(at, line, known.map(|known| known.id), &mut wrong, &mut notes);
        if !wrong.is_empty() {
            return Planned { person: known.map(|known| known.id), ..Planned::wrong(at, row, wrong) };
        }
        let mut differs = known.map_or_else(Vec::new, |known| differences(&known.particulars, &particulars));
        if !new_groups.is_empty() && !differs.contains(&Column::Groups) {
            differs.push(Column::Groups);
        }
        let regroups = differs.contains(&Column::Groups);
        let rest = differs.iter().any(|column| *column != Column::Groups);
        if card != CardAct::Nothing {
            differs.push(Column::Card);
        }
        let who = known.map_or(Who::New, |known| Who::Known { id: known.id, seen: known.changed_at });
        let intended = Intended { who, particulars, differs: rest, regroups, card };
        let is_same = known.is_some() && differs.is_empty();
        let deed = Box::new(Deed { intended, new_groups, differs });
        let fate = match known {
            None => Fate::New(deed),
            Some(_) if is_same => Fate::Same,
            Some(_) => Fate::Changed(deed),
        };
        Planned { line: at, row, person: known.map(|known| known.id), fate, notes }
    }

    /// Whom a row is about: by its key, or its staff number.
    fn who(&self, line: &Line) -> Result<Option<&'s Person>, Wrong> {
        let known = &self.site.known;
        let by_number = line.number.as_ref().and_then(|number| known.of_number(number));
        if let Some(key) = &line.key {
            let by_key = known.of_key(key);
            return match (by_key, by_number) {
                (one, Some(other)) if one.is_none_or(|one| one.id != other.id) => {
                    let name = other.particulars.name.clone();
                    Err(Wrong::new(Column::Number, "number-taken", name))
                }
                (one, _) => Ok(one),
            };
        }
        let Some(number) = &line.number else { return Err(Wrong::new(Column::Number, "no-number", "")) };
        if let Some(person) = by_number {
            return Ok(Some(person));
        }
        if let Some(full) = self.bare.get(number.as_str()) {
            return Err(Wrong::new(Column::Number, "zeros-lost", *full));
        }
        // Whoever has no number yet may be known by a key that is theirs.
        Ok(known.of_key(number).filter(|person| person.particulars.number.is_empty()))
    }

    fn particulars(
        &mut self,
        line: &Line,
        known: Option<&Person>,
        wrong: &mut Vec<Wrong>,
        notes: &mut Vec<&'static str>,
    ) -> (Particulars, Vec<usize>) {
        let mut to = known.map_or_else(|| Particulars::named("", ""), |known| known.particulars.clone());
        if known.is_none() {
            to.key = self.key(line);
            if line.name.is_none() {
                wrong.push(Wrong::new(Column::Name, "no-name", ""));
            }
        }
        let take = |to: &mut String, from: &Option<String>| {
            if let Some(text) = from {
                to.clone_from(text);
            }
        };
        take(&mut to.number, &line.number);
        take(&mut to.name, &line.name);
        take(&mut to.latin, &line.latin);
        take(&mut to.department, &line.department);
        to.kind = line.kind.unwrap_or(to.kind);
        to.clearance = line.clearance.unwrap_or(to.clearance);
        to.validity.from = line.from.unwrap_or(to.validity.from);
        to.validity.until = line.until.unwrap_or(to.validity.until);
        match (known.map(|known| known.particulars.status), line.status) {
            // A list of last week gives nobody back what was taken since.
            (Some(PersonStatus::Suspended), Some(PersonStatus::Active)) => notes.push("stays-suspended"),
            (_, Some(status)) => to.status = status,
            (_, None) => {}
        }
        if known.is_some_and(|known| known.particulars.name != to.name) {
            notes.push("other-name");
        }
        let mut new_groups = Vec::new();
        if let Some(names) = &line.groups {
            to.groups.clear();
            for name in names {
                match self.groups.get(name.as_str()) {
                    Some(Ok(id)) => to.groups.push(*id),
                    Some(Err(())) => {
                        wrong.push(Wrong::new(Column::Groups, "group-ambiguous", name.as_str()));
                    }
                    None if self.choice.create_groups => new_groups.push(self.new_group(name)),
                    None => wrong.push(Wrong::new(Column::Groups, "group-unknown", name.as_str())),
                }
            }
            to.groups.sort_unstable();
            to.groups.dedup();
        }
        (to, new_groups)
    }

    fn new_group(&mut self, name: &str) -> usize {
        match self.new_groups.iter().position(|new| new == name) {
            Some(at) => at,
            None => {
                self.new_groups.push(name.to_owned());
                self.new_groups.len() - 1
            }
        }
    }

    /// The key of somebody new: theirs, or their staff number, or what stands for that.
    fn key(&self, line: &Line) -> String {
        let wanted = line.key.as_ref().or(line.number.as_ref()).map_or("", String::as_str);
        if line.key.is_some() || (is_key(wanted) && self.site.known.of_key(wanted).is_none()) {
            return wanted.to_owned();
        }
        let digest = ring::digest::digest(&SHA256, wanted.as_bytes());
        let hex: String = digest.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("n-{hex}")
    }

    /// What stands in the file twice: the later would silently win.
    fn once(&mut self, at: u32, particulars: &Particulars, wrong: &mut Vec<Wrong>) {
        if let Some(before) = self.people.insert(particulars.key.clone(), at) {
            wrong.push(Wrong::new(Column::Number, "twice", before.to_string()));
        } else if !particulars.number.is_empty()
            && let Some(before) = self.numbers.insert(particulars.number.clone(), at)
        {
            wrong.push(Wrong::new(Column::Number, "twice", before.to_string()));
        }
    }

    fn card(
        &mut self,
        at: u32,
        line: Line,
        person: Option<PersonId>,
        wrong: &mut Vec<Wrong>,
        notes: &mut Vec<&'static str>,
    ) -> CardAct {
        let Some(card) = line.card else { return CardAct::Nothing };
        let card = Digested::of(&self.site.kit, card);
        if let Some(before) = self.cards.insert(card.digest, at) {
            wrong.push(Wrong::new(Column::Card, "card-twice", before.to_string()));
            return CardAct::Nothing;
        }
        if let Some(known) = self.site.known.card(&card.digest) {
            if Some(known.person) != person {
                let holder = self.site.known.person(known.person);
                let name = holder.map_or_else(String::new, |it| it.particulars.name.clone());
                wrong.push(Wrong::new(Column::Card, "card-taken", name));
            }
            match known.status {
                CredentialStatus::Active => {}
                CredentialStatus::Suspended | CredentialStatus::Lost | CredentialStatus::Stolen => {
                    notes.push("card-stays-stopped");
                }
            }
            return CardAct::Nothing;
        }
        self.site.known.card_act(person, card)
    }
}

fn differences(was: &Particulars, is: &Particulars) -> Vec<Column> {
    [
        (Column::Number, was.number != is.number),
        (Column::Name, was.name != is.name),
        (Column::Latin, was.latin != is.latin),
        (Column::Department, was.department != is.department),
        (Column::Kind, was.kind != is.kind),
        (Column::Groups, was.groups != is.groups),
        (Column::From, was.validity.from != is.validity.from),
        (Column::Until, was.validity.until != is.validity.until),
        (Column::Status, was.status != is.status),
        (Column::Clearance, was.clearance != is.clearance),
    ]
    .into_iter()
    .filter_map(|(column, differs)| differs.then_some(column))
    .collect()
}

fn column_of(field: Option<&str>) -> Option<Column> {
    Some(match field? {
        "key" => Column::Key,
        "name" => Column::Name,
        "latin" => Column::Latin,
        "department" => Column::Department,
        "number" => Column::Number,
        "groups" => Column::Groups,
        "clearance" => Column::Clearance,
        "valid_until" => Column::Until,
        _ => return None,
    })
}
