//! Whoever has a rank in one building sees and changes that building, and nothing else of the site but its fires.

use axum::http::StatusCode;
use kit::auth::{self, Ranks, Role};
use kit::testing::Site;
use serde_json::json;
use uplink::live::{Board, Door, Live, Lock, Position};

use crate::browser::{Browser, sites};
use crate::site::{DOOR, seen, set_up, survey};
use crate::stream::{Screen, pages, told_by};

/// The house, its door and its controller; the annex and its own.
const HOUSE: u64 = 2;
const ANNEX: u64 = 5;

/// Two buildings with a floor, a door and a controller each, and somebody who manages the house alone.
struct Two {
    site: Site,
    boss: Browser,
    /// Manages the house.
    keeper: Browser,
}

impl Two {
    async fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for site in sites().await {
            let boss = Browser::signed_in(&site.kit, "boss", Role::Administrator).await;
            set_up(&boss).await;
            let annex = DOOR.replace("name=Main", "name=Rear").replace("inside=4", "inside=6");
            let annex = annex.replace("controller=1", "controller=2");
            for (path, fields) in [
                ("/site/areas/new", "name=Annex&kind=building&parent="),
                ("/site/areas/new", "name=Upper&kind=floor&parent=5"),
                ("/site/controllers/new", "name=Two&number=2"),
                ("/site/doors/new", &format!("{DOOR}&anyway=yes")),
                ("/site/doors/new", &format!("{annex}&anyway=yes")),
            ] {
                let answer = boss.post(path, fields).await;
                assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}: {}", answer.page);
            }
            let ranks = Ranks::new(None, [(HOUSE, Role::Manager)]).unwrap();
            let keeper = Browser::signed_in(&site.kit, "keeper", ranks).await;
            all.push(Self { site, boss, keeper });
        }
        all
    }

    /// Both controllers say how their doors stand; the first one drives a board of the annex too.
    fn speak(&self) {
        let kit = &self.site.kit;
        for (number, doors, addresses) in [(1, &[1][..], &[1, 9][..]), (2, &[2][..], &[1][..])] {
            let door = |door: &u64| Door {
                door: *door,
                lock: Lock::Locked,
                position: Position::Closed,
                causes: Vec::new(),
                troubles: Vec::new(),
                heard_at: None,
            };
            let board = |address: &u8| Board {
                bus: "lobby".to_owned(),
                address: *address,
                online: true,
                secure: true,
                firmware: Some(format!("of-{number}-{address}")),
                heard_at: None,
                retries: 0,
                line: None,
                list: None,
                update: None,
                install: None,
            };
            let live = Live {
                at: kit.now(),
                software: format!("software-{number}"),
                doors: doors.iter().map(door).collect(),
                boards: addresses.iter().map(board).collect(),
                cameras: Vec::new(),
                outbox: None,
                replica_version: None,
            };
            assert!(kit.live().hear(&format!("controller-{number}"), live, kit.now()));
        }
    }
}

#[tokio::test]
async fn what_lies_elsewhere_is_not_seen() {
    for two in Two::all().await {
        two.speak();
        for (path, own, others) in [
            ("/", &["Main"][..], &["Rear"][..]),
            ("/site", &["Main", "Ground", "Hall"], &["Rear", "Annex", "Upper"]),
            ("/devices", &["software-1", "of-1-1"], &["software-2", "of-2-1"]),
            ("/history", &["Main"], &["Rear"]),
        ] {
            let whole = two.boss.get(path).await.page;
            let page = two.keeper.get(path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}");
            assert!(own.iter().all(|it| page.page.contains(it)), "{path}: {}", page.page);
            for other in others {
                assert!(whole.contains(other), "{path} shows {other} to whoever sees everything");
                assert!(!page.page.contains(other), "{path} shows {other}");
            }
        }
        for path in ["/site/doors/2", "/devices/controller-2", "/plan/6", "/plan/6/picture"] {
            assert_eq!(two.keeper.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
        }
        for path in ["/people", "/access", "/site/settings", "/site/controllers/new", "/settings/operators"] {
            assert_eq!(two.keeper.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
        }
        assert_eq!(two.keeper.get("/people/1/photo").await.status, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn what_happens_elsewhere_is_not_told_but_a_fire_is() {
    for two in Two::all().await {
        let site = &two.site;
        let after = kit::journal::newest(site.kit.read()).await.unwrap();
        let opened = |door: u64| json!({ "door": door, "change": "forced" });
        told_by(site, "controller-2", "door", &opened(2)).await;
        let own = told_by(site, "controller-1", "door", &opened(1)).await;
        told_by(site, "controller-2", "board", &json!({ "bus": "lobby", "address": 1, "change": "offline" }))
            .await;
        let board = json!({ "bus": "lobby", "address": 1, "change": "offline" });
        let board = told_by(site, "controller-1", "board", &board).await;
        // The annex burns, and nobody is kept from knowing it.
        let fire = json!({ "door": 2, "zone": 1, "change": "alarm" });
        let fire = told_by(site, "controller-2", "fire", &fire).await;
        let routes = pages(site);
        let mut screen = Screen::opened(&routes, &two.keeper.session, &format!("?after={after}"), "en").await;
        for seq in [own, board, fire] {
            assert_eq!(screen.next("record").await.id, Some(seq));
        }
        let told: Vec<u64> = two.keeper.get("/").await.records();
        assert_eq!(told.into_iter().filter(|seq| *seq > after).collect::<Vec<_>>(), [fire, board, own]);
        records::catch_up(&site.kit).await.unwrap();
        assert!(two.keeper.get("/history").await.records().contains(&own));
        // Who is not in sight is not named, and nobody can be told from somebody.
        let mut tx = site.kit.begin().await.unwrap();
        people::person::add(&mut tx, None, &people::person::Particulars::named("ada", "Lovelace"))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let asked = ["person=1", "who=Lovelace", "who=nobody"].map(|it| format!("/history?{it}"));
        for path in asked {
            let page = two.keeper.get(&path).await;
            assert_eq!((page.status, page.records()), (StatusCode::OK, vec![]), "{path}");
            assert!(path.contains("Lovelace") || !page.page.contains("Lovelace"), "{path}");
        }
        let elsewhere = two.keeper.get("/history?door=2").await;
        assert_eq!((elsewhere.status, elsewhere.records()), (StatusCode::OK, vec![]));
        let table = two.keeper.get("/history.csv").await.page;
        assert!(table.contains("Main") && !table.contains("Rear"), "{table}");
        assert!(two.boss.get("/history.csv").await.page.contains("Rear"));

        // State and beats name what is seen.
        two.speak();
        let (mut is_drawn, mut is_heard) = (false, false);
        for _ in 0..1000 {
            if is_drawn && is_heard {
                break;
            }
            let told = screen.any().await;
            assert!(!told.data.contains("Rear") && !told.data.contains("controller-2"), "{}", told.data);
            is_drawn |= told.event == "state" && told.data.contains("Main");
            is_heard |= told.event == "beat" && told.data.contains("controller-1");
        }
        assert!(is_drawn && is_heard);
    }
}

#[tokio::test]
async fn what_lies_elsewhere_is_not_changed_nor_anything_moved_there() {
    for two in Two::all().await {
        let kit = &two.site.kit;
        let before = survey(kit).await;
        let print = seen(&two.boss, "/site/doors/2/edit").await;
        let rear = DOOR.replace("inside=4", "inside=6").replace("controller=1", "controller=2");
        for (path, fields) in [
            ("/site/doors/2/edit", format!("{rear}&seen={print}&anyway=yes")),
            ("/site/doors/2/remove", "anyway=yes".to_owned()),
            ("/site/doors/new", format!("{}&anyway=yes", rear.replace("address=1", "address=2"))),
            ("/site/areas/new", "name=Tower&kind=building&parent=".to_owned()),
            ("/site/areas/new", "name=Attic&kind=floor&parent=5".to_owned()),
            ("/site/areas/6/remove", "anyway=yes".to_owned()),
            ("/plan/6/edit", String::new()),
            ("/plan/6/remove", String::new()),
        ] {
            let answer = two.keeper.post(path, &fields).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}: {}", answer.page);
            assert!(answer.page.contains("holds in some buildings"), "{path}: {}", answer.page);
        }
        for path in ["/site/doors/2/edit", "/site/areas/6/edit", "/plan/6/edit"] {
            assert_eq!(two.keeper.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
        }
        // The own door is not given to the annex, the own floor is not put there.
        let print = seen(&two.keeper, "/site/doors/1/edit").await;
        let moved = format!("{}&seen={print}&anyway=yes", DOOR.replace("inside=4", "inside=6"));
        assert_eq!(two.keeper.post("/site/doors/1/edit", &moved).await.status, StatusCode::FORBIDDEN);
        let print = seen(&two.keeper, "/site/areas/3/edit").await;
        let moved = format!("name=Ground&kind=floor&parent=5&seen={print}&anyway=yes");
        assert_eq!(two.keeper.post("/site/areas/3/edit", &moved).await.status, StatusCode::FORBIDDEN);
        // Nor hung on its controller, nor entered from it, nor is the own building made something else.
        let print = seen(&two.keeper, "/site/doors/1/edit").await;
        for other in ["controller=2&bus=lobby&address=9", "outside=6"] {
            let fields = format!("{other}&{DOOR}&seen={print}&anyway=yes");
            let answer = two.keeper.post("/site/doors/1/edit", &fields).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{other}: {}", answer.page);
        }
        let print = seen(&two.keeper, "/site/areas/2/edit").await;
        let outside = format!("name=House&kind=outside&parent=&seen={print}&anyway=yes");
        assert_eq!(two.keeper.post("/site/areas/2/edit", &outside).await.status, StatusCode::FORBIDDEN);
        let held = two.keeper.post("/site/areas/2/remove", "anyway=yes").await;
        assert_eq!(held.status, StatusCode::UNPROCESSABLE_ENTITY, "something lies in it");
        // What is refused does not name what lies there.
        let taken = format!("key=door-2&{}", DOOR.replace("address=1", "address=3"));
        let answer = two.keeper.post("/site/doors/new", &taken).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.page);
        assert!(!answer.page.contains("Rear"), "{}", answer.page);
        let now = survey(kit).await;
        assert_eq!((now.areas, now.doors), (before.areas, before.doors));

        // Whom a door lets in is said at the site.
        let level = "name=All&groups=1&schedule=1&doors=2&anyway=yes";
        assert_eq!(two.boss.post("/access/levels/new", level).await.status, StatusCode::SEE_OTHER);
        let print = seen(&two.keeper, "/site/doors/1/edit").await;
        let fields = format!("{DOOR}&level=1&seen={print}&anyway=yes");
        let answer = two.keeper.post("/site/doors/1/edit", &fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.page);
        assert_eq!(survey(kit).await.levels[0].1.doors, [domain::ids::DoorId(2)]);

        // The own building is theirs.
        let page = two.keeper.get("/site/doors/1/edit").await.page;
        assert!(page.contains("Hall") && !page.contains("Upper"), "{page}");
        let print = seen(&two.keeper, "/site/doors/1/edit").await;
        let renamed = format!("{}&seen={print}&anyway=yes", DOOR.replace("name=Main", "name=Portal"));
        let answer = two.keeper.post("/site/doors/1/edit", &renamed).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.page);
        let answer = two.keeper.post("/site/areas/new", "name=Cellar&kind=floor&parent=2").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.page);
    }
}

#[tokio::test]
async fn an_administrator_says_in_which_buildings_somebody_has_which_role() {
    for two in Two::all().await {
        let kit = &two.site.kit;
        let page = two.boss.get("/settings/operators").await.page;
        assert!(page.contains("House: manager"), "{page}");
        let rows = auth::list(kit).await.unwrap();
        let keeper = rows.iter().find(|row| row.name == "keeper").unwrap().id.0;
        let path = format!("/settings/operators/{keeper}");
        assert!(two.boss.get(&path).await.page.contains("<details class=\"ranks\" open"));

        for (fields, fault) in [
            ("role=", "Choose a role"),
            ("role=viewer&place=2&place-2=administrator", "Administrators are it at the whole site"),
        ] {
            let refused = two.boss.post(&format!("{path}/role"), fields).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{fields}");
            assert!(refused.page.contains(fault), "{fields}: {}", refused.page);
        }
        let fields = format!("role=viewer&place=2&place-2=&place={ANNEX}&place-{ANNEX}=guard");
        let answer = two.boss.post(&format!("{path}/role"), &fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.page);
        let rows = auth::list(kit).await.unwrap();
        let keeper = rows.into_iter().find(|row| row.name == "keeper").unwrap();
        assert_eq!(keeper.ranks, Ranks::new(Some(Role::Viewer), [(ANNEX, Role::Guard)]).unwrap());
        // It holds from the next request on, without signing in again.
        assert_eq!(two.keeper.get("/site/doors/2").await.status, StatusCode::OK);
        assert_eq!(two.keeper.get("/site/doors/1/edit").await.status, StatusCode::FORBIDDEN);
        assert!(two.keeper.get("/account").await.page.contains("viewer; Annex: guard"));
    }
}
