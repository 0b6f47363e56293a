//! How long a search takes: `cargo run --release -p gallery --example search [ROWS [QUERIES]]`.
//!
//! Prints one JSON line: nanoseconds of this thread's processor time per query, the median over rounds, for each path,
//! after checking every answer against a comparison with all rows. Half of the queries are noisy copies of a row, half
//! are strangers. With `--turns FOLDER` it lays the rows, the queries (`rows.f32`, `queries.f32`) and the rows that
//! answer them (`best.u32`, all of it little-endian) into the folder for another program to search, says what it did in
//! one line of JSON, and then does a round for every line on standard input: `{"search": microseconds}` a query.

use std::io::BufRead as _;
use std::path::{self, PathBuf};
use std::time::Duration;

use gallery::{DIMENSIONS, Gallery, Match, Path, Person, Template};

const ROUNDS: usize = 9;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let turns = words.iter().position(|word| word == "--turns");
    let folder = turns.map(|at| PathBuf::from(words.get(at + 1).expect("--turns names a folder")));
    let mut numbers = words.iter().filter_map(|word| word.parse::<usize>().ok());
    let rows = numbers.next().unwrap_or(100_000);
    let count = numbers.next().unwrap_or(64);

    let mut random = Random(42);
    let templates: Vec<Template> = (0..rows).map(|_| random.template()).collect();
    let queries: Vec<Template> = (0..count)
        .map(|at| if at % 2 == 0 { random.near(&templates[at * 7919 % rows]) } else { random.template() })
        .collect();
    let mut gallery = Gallery::new();
    for (row, template) in (0..).zip(&templates) {
        gallery.add(Person(row), template);
    }
    let best: Vec<Person> = queries.iter().map(|query| check(&gallery, &templates, query)).collect();
    let path = Path::best();
    if let Some(folder) = folder {
        lay(
            &folder.join("rows.f32"),
            templates.iter().flat_map(|it| it.numbers()).flat_map(|n| n.to_le_bytes()),
        );
        lay(
            &folder.join("queries.f32"),
            queries.iter().flat_map(|it| it.numbers()).flat_map(|n| n.to_le_bytes()),
        );
        lay(&folder.join("best.u32"), best.iter().flat_map(|person| (person.0 as u32).to_le_bytes()));
        println!("{}", serde_json::json!({ "rows": rows, "dimensions": DIMENSIONS, "path": path.name() }));
        for _ in std::io::stdin().lock().lines() {
            let microseconds = round(&gallery, path, &queries) as f64 / 1e3;
            println!("{}", serde_json::json!({ "search": microseconds }));
        }
        return;
    }
    let nanoseconds: serde_json::Map<String, serde_json::Value> = Path::all()
        .into_iter()
        .map(|path| {
            let mut rounds: Vec<u64> = (0..ROUNDS).map(|_| round(&gallery, path, &queries)).collect();
            rounds.sort_unstable();
            (path.name().to_owned(), rounds[ROUNDS / 2].into())
        })
        .collect();
    let report = serde_json::json!({
        "rows": rows, "dimensions": DIMENSIONS, "queries": count, "unit": "ns thread CPU per query",
        "path": path.name(), "ns_per_query": nanoseconds[path.name()], "by_path": nanoseconds,
    });
    println!("{report}");
}

/// Nanoseconds of thread time per query.
fn round(gallery: &Gallery, path: Path, queries: &[Template]) -> u64 {
    let start = thread_time();
    for query in queries {
        std::hint::black_box(gallery.search_on(path, query));
    }
    ((thread_time() - start).as_nanos() / queries.len() as u128) as u64
}

/// Compares what every path finds with a comparison with all rows; who is nearest.
fn check(gallery: &Gallery, templates: &[Template], query: &Template) -> Person {
    let mut all: Vec<Match> = (0..)
        .zip(templates)
        .map(|(row, template)| Match { person: Person(row), cosine: template.cosine(query) })
        .collect();
    all.sort_by(|a, b| b.cosine.total_cmp(&a.cosine).then(a.person.cmp(&b.person)));
    for path in Path::all() {
        let found = gallery.search_on(path, query);
        assert_eq!(found.best, all.first().copied(), "a wrong answer has no speed");
        assert_eq!(found.second, all.get(1).copied(), "a wrong answer has no speed");
    }
    all[0].person
}

/// Whole or not at all: another copy of this program may be laying the same.
fn lay(path: &path::Path, bytes: impl Iterator<Item = u8>) {
    let part = path.with_extension(std::process::id().to_string());
    std::fs::write(&part, bytes.collect::<Vec<u8>>()).expect("the folder can be written");
    std::fs::rename(part, path).expect("the folder can be written");
}

fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// A small generator, so that every run searches the same numbers.
struct Random(u64);

impl Random {
    /// Nearly normal, from -2 to 2.
    fn number(&mut self) -> f32 {
        (0..4).map(|_| self.even()).sum()
    }

    fn even(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / 16_777_216.0 - 0.5
    }

    fn template(&mut self) -> Template {
        let numbers: Vec<f32> = (0..DIMENSIONS).map(|_| self.number()).collect();
        Template::new(&numbers).expect("random numbers point somewhere")
    }

    /// About as near as another photograph of the same person: cosine 0.7.
    fn near(&mut self, template: &Template) -> Template {
        let numbers: Vec<f32> =
            template.numbers().iter().map(|number| number * 11.3 + self.number() * 1.75).collect();
        Template::new(&numbers).expect("random numbers point somewhere")
    }
}
