//! The pages of the site: areas, doors, rights and schedules are added, changed and removed; what is refused keeps what was
//! typed and changes nothing; what comes to nothing is said before it is saved.

use axum::http::StatusCode;
use doors::survey::Survey;
use kit::Kit;
use kit::auth::Role;
use people::person::{self, Particulars};

use crate::browser::{Browser, sites};

pub(crate) async fn survey(kit: &Kit) -> Survey {
    Survey::load(&mut kit.read().acquire().await.unwrap()).await.unwrap()
}

/// Puts a site in place as somebody does who has never read a manual: one form after the other.
pub(crate) async fn set_up(manager: &Browser) {
    for (path, fields) in [
        (
            "/site/settings",
            "name=Centre&zone=Asia%2FShanghai&face_score=0.5&face_margin=0.05&wrong_tries=5&wrong_tries_within=300&lock_out=60&second_factor_within=10&same_person_within=3",
        ),
        ("/site/areas/new", "name=Outside&kind=outside&parent="),
        ("/site/areas/new", "name=House&kind=building&parent="),
        ("/site/areas/new", "name=Ground&kind=floor&parent=2"),
        ("/site/areas/new", "name=Hall&kind=area&parent=3"),
        ("/site/controllers/new", "name=One&number=1"),
        ("/site/fire-zones/new", "name=Zone"),
        ("/access/groups/new", "name=Staff&key=staff"),
        (
            "/access/schedules/new",
            "name=Office&days-0=0&days-0=1&from-0=08%3A00&until-0=18%3A00&date-0=2026-10-01&open-0=",
        ),
    ] {
        let answer = manager.post(path, fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}: {}", answer.page);
    }
}

pub(crate) const DOOR: &str = "name=Main&kind=door&outside=1&inside=4&controller=1&bus=lobby&address=1&egress=exit&strike=5\
                    &held_after=30&relock=on-close&anti_passback=off&unrecorded_entry=refuse&fire_zone=1&open_with=2";

/// The fingerprint in a form.
pub(crate) async fn seen(manager: &Browser, path: &str) -> String {
    let page = manager.get(path).await.page;
    page.split("name=\"seen\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_site_is_set_up_in_forms_and_lets_somebody_in() {
    for site in sites().await {
        let kit = &site.kit;
        let manager = Browser::signed_in(kit, "boss", Role::Manager).await;
        set_up(&manager).await;
        let staff = domain::ids::GroupId(1);
        let mut tx = kit.begin().await.unwrap();
        let ada = Particulars { groups: vec![staff], ..Particulars::named("ada", "艾达") };
        person::add(&mut tx, None, &ada).await.unwrap();
        tx.commit().await.unwrap();

        // A door that nobody can open is said to be one, and is kept only when that is meant.
        let doubted = manager.post("/site/doors/new", DOOR).await;
        assert_eq!(doubted.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(doubted.page.contains("Nobody can open") && doubted.page.contains("name=\"anyway\""));
        assert!(doubted.page.contains("value=\"lobby\""), "what was typed stays");
        assert!(survey(kit).await.doors.is_empty());
        let added = manager.post("/site/doors/new", &format!("{DOOR}&anyway=yes")).await;
        assert_eq!(added.status, StatusCode::SEE_OTHER, "{}", added.page);
        let path = added.to.split('?').next().unwrap();
        let door = path.rsplit('/').next().unwrap();
        let page = manager.get(&added.to).await.page;
        assert!(
            page.contains("Saved.") && page.contains("Nobody can open") && page.contains("bus lobby"),
            "{page}"
        );

        let level = format!("name=Weekdays&groups=1&schedule=1&doors={door}");
        let answer = manager.post("/access/levels/new", &level).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.page);
        let page = manager.get(path).await.page;
        assert!(page.contains("Staff may enter Monday, Tuesday 08:00–18:00."), "{page}");
        assert!(!page.contains("Nobody can open"));
        let access = manager.get("/access").await.page;
        assert!(access.contains("Staff may enter Main Monday, Tuesday 08:00–18:00."), "{access}");
        assert!(access.contains("2026-10-01 closed") && access.contains("1 person"));
        let tree = manager.get("/site").await.page;
        for name in ["Centre", "Outside", "House", "Ground", "Hall", "Main", "from Outside"] {
            assert!(tree.contains(name), "{name}: {tree}");
        }
        doors::policy::publish(kit, None).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_refused_is_said_at_its_field_and_changes_nothing() {
    let site = sites().await.remove(0);
    let kit = &site.kit;
    let manager = Browser::signed_in(kit, "boss", Role::Manager).await;
    set_up(&manager).await;
    manager.post("/site/doors/new", &format!("{DOOR}&anyway=yes")).await;
    let before = kit::journal::newest(kit.read()).await.unwrap();
    let elsewhere = DOOR.replace("Main", "Typed").replace("address=1", "address=2");
    for (path, fields, words) in [
        ("/site/areas/new", "name=&kind=area&parent=3&latin=Typed", "Give a name"),
        ("/site/areas/new", "name=Typed&kind=floor&parent=", "A floor or an area lies in another"),
        ("/site/areas/new", "name=Typed&kind=building&parent=&key=a+b", "Letters, digits"),
        ("/site/controllers/new", "name=Typed&number=1", "&quot;One&quot; has this number"),
        ("/site/doors/new", &DOOR.replace("Main", "Typed"), "The board there is that of"),
        ("/site/doors/new", &elsewhere.replace("address=2", "address=200"), "from 0 to 126"),
        ("/site/doors/new", &elsewhere.replace("strike=5", "strike=0.01"), "0.1 to 600 s"),
        ("/site/doors/new", &elsewhere.replace("open_with=2", "open_with=4"), "a PIN alone"),
        ("/access/schedules/new", "name=Typed&days-0=1&from-0=8&until-0=9", "Write hours as 08:00"),
        ("/access/schedules/new", "name=Typed&from-0=08:00&until-0=09:00", "Choose the days"),
        ("/access/schedules/new", "name=Typed&date-0=2026-02-30&open-0=", "Not a date"),
        ("/access/levels/new", "name=Typed&schedule=99&groups=1&doors=1", "Choose a schedule"),
        ("/access/groups/new", "name=Typed&key=staff", "&quot;Staff&quot; has this key"),
        ("/access/days", "first=2026-13-01&last=&kind=site-day&name=Typed", "Not a date"),
        (
            "/site/settings",
            "name=Typed&zone=Nowhere&face_score=0.5&face_margin=0.05&wrong_tries=5&wrong_tries_within=300&lock_out=60&second_factor_within=10&same_person_within=3",
            "after you opened it",
        ),
    ] {
        let answer = manager.post(path, fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {fields}");
        let page = answer.page.replace("&#34;", "&quot;");
        assert!(page.contains(words), "{path} {fields}: {page}");
        assert!(page.contains("Typed"), "what was typed stays: {path}");
    }
    assert_eq!(kit::journal::newest(kit.read()).await.unwrap(), before);
}

#[tokio::test]
async fn what_is_named_is_not_removed_and_says_by_whom() {
    let site = sites().await.remove(0);
    let kit = &site.kit;
    let manager = Browser::signed_in(kit, "boss", Role::Manager).await;
    set_up(&manager).await;
    manager.post("/site/doors/new", &format!("{DOOR}&anyway=yes")).await;
    manager.post("/access/levels/new", "name=Weekdays&groups=1&schedule=1&doors=1&anyway=yes").await;
    for (path, words) in [
        ("/access/schedules/1", "access level &quot;Weekdays&quot;"),
        ("/access/groups/1", "access level &quot;Weekdays&quot;"),
        ("/site/areas/4", "door &quot;Main&quot;"),
        ("/site/areas/2", "area &quot;Ground&quot;"),
        ("/site/controllers/1", "door &quot;Main&quot;"),
        ("/site/fire-zones/1", "door &quot;Main&quot;"),
    ] {
        let shown = manager.get(&format!("{path}/edit")).await.page.replace("&#34;", "&quot;");
        assert!(shown.contains(words) && !shown.contains("Remove it"), "{path}: {shown}");
        let refused = manager.post(&format!("{path}/remove"), "").await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.page.replace("&#34;", "&quot;").contains(words), "{path}: {}", refused.page);
    }
    // Nobody has a group: the level was for nobody anyhow, so nothing new comes to nothing.
    for path in ["/access/levels/1", "/site/doors/1", "/access/schedules/1", "/site/areas/4"] {
        let removed = manager.post(&format!("{path}/remove"), "").await;
        assert_eq!(removed.status, StatusCode::SEE_OTHER, "{path}: {}", removed.page);
    }
    assert_eq!(manager.get("/site/doors/1").await.status, StatusCode::NOT_FOUND);
    assert_eq!(manager.get("/access/levels/1/edit").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_changes_what_somebody_else_has_changed_is_told() {
    let site = sites().await.remove(0);
    let manager = Browser::signed_in(&site.kit, "boss", Role::Manager).await;
    set_up(&manager).await;
    let path = "/site/areas/4/edit";
    let seen = seen(&manager, path).await;
    let change = |name: &str| format!("name={name}&kind=area&parent=3&seen={seen}");
    assert_eq!(manager.post(path, &change("Lobby")).await.status, StatusCode::SEE_OTHER);
    let stale = manager.post(path, &change("Foyer")).await;
    assert_eq!(stale.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(stale.page.contains("after you opened it") && stale.page.contains("Foyer"), "{}", stale.page);
    assert_eq!(survey(&site.kit).await.areas[3].1.label.name, "Lobby");
}

#[tokio::test]
async fn a_door_is_found_by_its_name_and_by_the_area_it_leads_to() {
    let site = sites().await.remove(0);
    let manager = Browser::signed_in(&site.kit, "boss", Role::Manager).await;
    set_up(&manager).await;
    manager.post("/site/doors/new", &format!("{DOOR}&anyway=yes")).await;
    for find in ["main", "HALL", "house"] {
        let page = manager.get(&format!("/site?find={find}")).await.page;
        assert!(page.contains("1 door found") && page.contains("/site/doors/1\""), "{find}: {page}");
    }
    let none = manager.get("/site?find=%3Cscript%3Ealert").await.page;
    assert!(none.contains("Nothing is found") && !none.contains("<script>alert"), "{none}");
}

#[tokio::test]
async fn holidays_are_added_together_and_taken_back_one_by_one() {
    for site in sites().await {
        let manager = Browser::signed_in(&site.kit, "boss", Role::Manager).await;
        let fields = "first=2026-10-01&last=2026-10-03&kind=public-holiday&name=National";
        assert_eq!(manager.post("/access/days", fields).await.status, StatusCode::SEE_OTHER);
        let page = manager.get("/access").await.page;
        assert_eq!(page.matches("National · public holiday").count(), 3, "{page}");
        let day = survey(&site.kit).await.days[0].date.0;
        assert_eq!(
            manager.post(&format!("/access/days/{day}/remove"), "").await.status,
            StatusCode::SEE_OTHER
        );
        assert_eq!(survey(&site.kit).await.days.len(), 2);
        assert_eq!(
            manager.post(&format!("/access/days/{day}/remove"), "").await.status,
            StatusCode::NOT_FOUND
        );
    }
}

#[tokio::test]
async fn who_may_not_change_the_site_is_not_shown_how_and_cannot() {
    let site = sites().await.remove(0);
    let manager = Browser::signed_in(&site.kit, "boss", Role::Manager).await;
    set_up(&manager).await;
    manager.post("/site/doors/new", &format!("{DOOR}&anyway=yes")).await;
    manager.post("/access/levels/new", "name=Weekdays&groups=1&schedule=1&doors=1&anyway=yes").await;
    let viewer = Browser::signed_in(&site.kit, "eye", Role::Viewer).await;
    let door = viewer.get("/site/doors/1").await;
    assert_eq!(door.status, StatusCode::OK);
    assert!(!door.page.contains("Staff may enter"), "rights are not a viewer's");
    let operator = Browser::signed_in(&site.kit, "op", Role::Operator).await;
    assert!(operator.get("/site/doors/1").await.page.contains("Staff may enter"));
    for path in ["/site", "/site/doors/1", "/access", "/devices"] {
        let page = operator.get(path).await.page;
        for way in ["/edit", "/new", "/remove", "/settings"] {
            assert!(!page.contains(&format!("{way}\"")), "{path} leads to {way}");
        }
    }
    for path in ["/site/areas/new", "/site/doors/1/edit", "/access/levels/1/edit", "/site/settings"] {
        assert_eq!(operator.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    for path in ["/site/doors/1/remove", "/access/levels/1/remove", "/access/days"] {
        assert_eq!(operator.post(path, "").await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(survey(&site.kit).await.doors.len(), 1);
}
