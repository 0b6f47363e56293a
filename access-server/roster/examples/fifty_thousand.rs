//! Fifty thousand people with a card and a group, from the file to the policy in force: `fifty_thousand [COUNT]`, on both
//! engines. Meanwhile something else wants to write every twenty milliseconds, as events do; the longest it waited is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use doors::label::Label;
use doors::place::{self, Site, USUAL_RULES, USUAL_ZONE};
use doors::policy::publish;
use kit::Kit;
use kit::auth::Role;
use people::group::{self, GroupName};
use people::person;
use roster::draft::{self, Confirmed};
use roster::import;
use serde_json::json;

#[tokio::main]
async fn main() {
    let count: usize = std::env::args().nth(1).map_or(50_000, |word| word.parse().expect("a number"));
    let migrations = [people::MIGRATIONS, doors::MIGRATIONS, roster::MIGRATIONS].concat();
    for site in kit::testing::sites(&migrations).await {
        println!("{:?}, {count} people", site.database.engine);
        set_up(&site.kit).await;
        let stop = Arc::new(AtomicBool::new(false));
        let waiting = tokio::spawn(wait(site.kit.clone(), Arc::clone(&stop)));
        let began = Instant::now();
        import_all(&site.kit, count).await;
        println!("  all of it         {:6.2} s", began.elapsed().as_secs_f64());
        stop.store(true, Ordering::Relaxed);
        let (longest, all) = waiting.await.expect("it ends when it is told");
        println!("  others waited     {:6.2} s at most, {all} times", longest.as_secs_f64());
    }
}

async fn set_up(kit: &Kit) {
    let mut tx = kit.begin().await.expect("a fresh database");
    let site = Site { label: Label::new("site", "站点"), zone: USUAL_ZONE.to_owned(), rules: USUAL_RULES };
    place::put_site(&mut tx, None, &site).await.expect("a fresh database");
    for at in 0..20 {
        let name = GroupName { key: format!("g{at}"), name: format!("组{at}"), latin: String::new() };
        group::add(&mut tx, None, &name).await.expect("a fresh database");
    }
    tx.commit().await.expect("a fresh database");
}

async fn import_all(kit: &Kit, count: usize) {
    let by = kit::testing::operator(kit, Role::Manager).await.id;
    let row = |at: usize| {
        format!("e{at:06},员工{at},部门{},组{},\"{},{}\"\n", at % 100, at % 20, at / 60_000, at % 60_000)
    };
    let list: String = (0..count).map(row).collect();
    let list = format!("工号,姓名,部门,人员组,卡号\n{list}").into_bytes();
    println!("  file              {:6.2} MB", list.len() as f64 / 1e6);
    let step = |what: &str, since: Instant| println!("  {what:17} {:6.2} s", since.elapsed().as_secs_f64());

    let since = Instant::now();
    let id = draft::put(kit, by, "list.csv", list).await.expect("a good list");
    step("read and compared", since);
    let since = Instant::now();
    let shown = draft::get(kit, by, &id).expect("put a moment ago").plan.fingerprint.clone();
    let confirmed = draft::confirm(kit, by, &id, &shown, true).await.expect("a good list");
    let Confirmed::Begun(id) = confirmed else { panic!("the site has not changed") };
    step("confirmed", since);
    let since = Instant::now();
    while import::advance(kit).await.expect("the database answers") {}
    step("written", since);
    let done = import::get(kit, id).await.expect("the database answers").expect("it was begun");
    assert_eq!(done.added, count as u64, "all of them");
    assert_eq!(person::count(kit).await.expect("the database answers"), count as u64);
    let since = Instant::now();
    publish(kit, None).await.expect("a good policy");
    step("in force", since);
}

/// Writes a record whenever it can; the longest that it waited, and how often.
async fn wait(kit: Kit, stop: Arc<AtomicBool>) -> (Duration, u32) {
    let (mut longest, mut all) = (Duration::ZERO, 0);
    while !stop.load(Ordering::Relaxed) {
        let since = Instant::now();
        let mut tx = kit.begin().await.expect("the database answers");
        tx.record("example.event", &json!({ "at": all })).await.expect("the database answers");
        tx.commit().await.expect("the database answers");
        longest = longest.max(since.elapsed());
        all += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (longest, all)
}
