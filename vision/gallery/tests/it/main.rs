//! The laws of the search.

use std::collections::BTreeMap;

use gallery::{BadTemplate, DIMENSIONS, Found, Gallery, Match, Path, Person, Template};
use proptest::prelude::*;

/// What a comparison with every row gives: each person's best, sorted.
fn compare_with_all(rows: &[(Person, Template)], query: &Template) -> Found {
    let mut best: BTreeMap<Person, f32> = BTreeMap::new();
    for (person, template) in rows {
        let cosine = template.cosine(query);
        let known = best.entry(*person).or_insert(cosine);
        *known = known.max(cosine);
    }
    let mut people: Vec<Match> = best.into_iter().map(|(person, cosine)| Match { person, cosine }).collect();
    people.sort_by(|a, b| b.cosine.total_cmp(&a.cosine).then(a.person.cmp(&b.person)));
    Found { best: people.first().copied(), second: people.get(1).copied() }
}

fn template() -> impl Strategy<Value = Template> {
    let even = prop::collection::vec(-1.0_f32..1.0, DIMENSIONS);
    // Few distinct values: ties and near duplicates. One large number: the worst case for 8-bit codes.
    let coarse = prop::collection::vec(prop::sample::select(vec![-1.0_f32, 0.0, 1.0]), DIMENSIONS);
    let spiked = (prop::collection::vec(-0.01_f32..0.01, DIMENSIONS), 0..DIMENSIONS, -50.0_f32..50.0)
        .prop_map(|(mut numbers, at, spike)| {
            numbers[at] = spike;
            numbers
        });
    let axis = (0..DIMENSIONS, prop::bool::ANY).prop_map(|(at, up)| {
        let mut numbers = vec![0.0; DIMENSIONS];
        numbers[at] = if up { 1.0 } else { -1.0 };
        numbers
    });
    prop_oneof![4 => even, 2 => coarse, 2 => spiked, 1 => axis]
        .prop_filter_map("all zero", |numbers| Template::new(&numbers).ok())
}

/// A template, and close copies and exact copies of it.
fn family() -> impl Strategy<Value = Vec<Template>> {
    (template(), prop::collection::vec((0..DIMENSIONS, -1e-3_f32..1e-3), 0..6), 0_usize..3).prop_map(
        |(first, nudges, copies)| {
            let mut all = vec![first.clone(); copies + 1];
            all.extend(nudges.into_iter().filter_map(|(at, by)| {
                let mut numbers = *first.numbers();
                numbers[at] += by;
                Template::new(&numbers).ok()
            }));
            all
        },
    )
}

#[derive(Debug, Clone)]
enum Step {
    Add(u64, Box<Template>),
    Replace(u64, Vec<Template>),
    Remove(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_u64..12, template()).prop_map(|(person, template)| Step::Add(person, Box::new(template))),
        3 => (0_u64..12, family()).prop_map(|(person, templates)| Step::Replace(person, templates)),
        1 => (0_u64..12).prop_map(Step::Remove),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn every_path_answers_as_a_comparison_with_every_row(
        steps in prop::collection::vec(step(), 0..60), strangers in prop::collection::vec(template(), 1..4),
    ) {
        let mut gallery = Gallery::new();
        let mut rows: Vec<(Person, Template)> = Vec::new();
        for step in steps {
            match step {
                Step::Add(person, template) => {
                    gallery.add(Person(person), &template);
                    rows.push((Person(person), *template));
                }
                Step::Replace(person, templates) => {
                    gallery.replace(Person(person), &templates);
                    rows.retain(|row| row.0 != Person(person));
                    rows.extend(templates.into_iter().map(|template| (Person(person), template)));
                }
                Step::Remove(person) => {
                    let before = rows.len();
                    rows.retain(|row| row.0 != Person(person));
                    prop_assert_eq!(gallery.remove(Person(person)), before - rows.len());
                }
            }
        }
        prop_assert_eq!(gallery.len(), rows.len());
        prop_assert_eq!(gallery.is_empty(), rows.is_empty());
        let enrolled = rows.iter().step_by(7).map(|row| row.1.clone());
        for query in strangers.into_iter().chain(enrolled) {
            let expected = compare_with_all(&rows, &query);
            for path in Path::all() {
                prop_assert_eq!(gallery.search_on(path, &query), expected, "{}", path.name());
            }
        }
    }

    #[test]
    fn a_template_finds_itself(people in prop::collection::vec(family(), 1..30), chosen in any::<prop::sample::Index>()) {
        let mut gallery = Gallery::new();
        for (person, templates) in people.iter().enumerate() {
            gallery.replace(Person(person as u64), templates);
        }
        let query = &chosen.get(&people)[0];
        let best = gallery.search(query).best.expect("somebody is there");
        prop_assert!(best.cosine > 1.0 - 1e-6);
    }

    #[test]
    fn only_finite_directions_are_templates(mut numbers in prop::collection::vec(-1.0_f32..1.0, DIMENSIONS), at in 0..DIMENSIONS) {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            numbers[at] = bad;
            prop_assert_eq!(Template::new(&numbers), Err(BadTemplate::NotFinite(at)));
        }
        prop_assert_eq!(Template::new(&[0.0; DIMENSIONS]), Err(BadTemplate::NoDirection));
        prop_assert_eq!(Template::new(&[1e-20; DIMENSIONS]), Err(BadTemplate::NoDirection));
        prop_assert_eq!(Template::new(&numbers[1..]), Err(BadTemplate::Length(DIMENSIONS - 1)));
    }
}

/// Thousands of even rows, where the bounds do their work, against the comparison with every row.
#[test]
fn a_large_gallery_is_searched_exactly() {
    let mut state = 0x9e37_79b9_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / 8_388_608.0 - 1.0
    };
    let mut draw = || {
        let numbers: Vec<f32> = (0..DIMENSIONS).map(|_| random() + random() + random()).collect();
        Template::new(&numbers).expect("random numbers point somewhere")
    };
    let rows: Vec<(Person, Template)> = (0..5_000).map(|row| (Person(row / 3), draw())).collect();
    let mut gallery = Gallery::new();
    for (person, template) in &rows {
        gallery.add(*person, template);
    }
    for _ in 0..20 {
        let query = draw();
        let expected = compare_with_all(&rows, &query);
        for path in Path::all() {
            assert_eq!(gallery.search_on(path, &query), expected, "{}", path.name());
        }
    }
}

#[test]
fn an_empty_gallery_finds_nobody() {
    let mut axis = [0.0; DIMENSIONS];
    axis[3] = 2.0;
    let template = Template::new(&axis).expect("an axis points somewhere");
    let mut gallery = Gallery::new();
    assert_eq!(gallery.search(&template), Found::default());
    gallery.add(Person(1), &template);
    assert_eq!(gallery.search(&template).margin(), Some(1.0));
    gallery.replace(Person(1), &[]);
    assert_eq!(gallery.search(&template).margin(), None);
    assert_eq!(format!("{template:?}"), "Template(..)");
}
