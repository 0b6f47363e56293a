//! Floor plans: uploaded, drawn with every door, and never served as they came.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use domain::ids::{AreaId, ControllerId, DoorId};
use domain::policy::{AntiPassback, DoorKind, Egress, EntryRule, Relock};
use domain::request::Factors;
use doors::door::{self, Door};
use doors::label::Label;
use doors::place::{self, Area, AreaKind};
use doors::plan::{self, Point};
use kit::Kit;
use kit::auth::Role;

use crate::browser::{Browser, sites};

const DRAWING: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 400 200\" onload=\"alert(1)\">\
                       <script>alert(2)</script><rect width=\"400\" height=\"200\" fill=\"none\" stroke=\"#000\"/></svg>";

/// A floor with one door.
async fn floor(kit: &Kit) -> AreaId {
    let mut tx = kit.begin().await.unwrap();
    let area = |name: &str, kind, parent| Area { label: Label::new(name, name), kind, parent };
    let outside = place::put_area(&mut tx, None, &area("outside", AreaKind::Outside, None)).await.unwrap().0;
    let house = place::put_area(&mut tx, None, &area("house", AreaKind::Building, None)).await.unwrap().0;
    let floor =
        place::put_area(&mut tx, None, &area("ground", AreaKind::Floor, Some(house))).await.unwrap().0;
    place::put_controller(&mut tx, None, ControllerId(1), &Label::new("one", "One")).await.unwrap();
    let door = Door {
        label: Label::new("main", "Main"),
        controller: ControllerId(1),
        board: None,
        kind: DoorKind::Door,
        outside,
        inside: floor,
        egress: Egress::Exit,
        rules: Vec::new(),
        otherwise: vec![Factors::CARD],
        strike: std::time::Duration::from_secs(5),
        held_after: std::time::Duration::from_secs(30),
        relock: Relock::OnClose,
        anti_passback: AntiPassback::Off,
        unrecorded_entry: EntryRule::Refuse,
        fire_zone: None,
    };
    door::put(&mut tx, None, &door).await.unwrap();
    tx.commit().await.unwrap();
    floor
}

#[tokio::test]
async fn a_plan_is_uploaded_and_its_doors_are_placed_and_drawn() {
    for site in sites().await {
        let kit = &site.kit;
        let floor = floor(kit).await;
        let manager = Browser::signed_in(kit, "boss", Role::Manager).await;
        let path = format!("/plan/{floor}");
        assert_eq!(manager.get(&path).await.status, StatusCode::NOT_FOUND);
        assert!(manager.get(&format!("{path}/edit")).await.page.contains("class=\"upload\""));
        let put = manager.put(&format!("{path}/picture"), DRAWING.as_bytes()).await;
        assert_eq!(put.status, StatusCode::NO_CONTENT, "{}", put.page);
        let picture = manager.get(&format!("{path}/picture")).await.page;
        assert!(picture.contains("<rect") && !picture.contains("alert"), "{picture}");

        let editor = manager.get(&format!("{path}/edit")).await.page;
        assert!(editor.contains("name=\"x-1\"") && editor.contains("Main"), "{editor}");
        let wrong = manager.post(&format!("{path}/edit"), "door=1&x-1=120&y-1=50").await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(wrong.page.contains("percentages") && wrong.page.contains("value=\"120\""), "{}", wrong.page);
        let placed = manager.post(&format!("{path}/edit"), "door=1&x-1=25&y-1=50").await;
        assert_eq!(placed.to, format!("{path}?said=saved"), "{}", placed.page);
        let mut connection = kit.read().acquire().await.unwrap();
        let standing = plan::standing(&mut connection, floor).await.unwrap();
        assert_eq!(standing, [(DoorId(1), Point { x: 2500, y: 5000 })]);
        drop(connection);
        let viewer = Browser::signed_in(kit, "eye", Role::Viewer).await;
        let page = viewer.get(&path).await.page;
        // Nobody has heard of the door yet: it is drawn as unknown, never as locked.
        assert!(page.contains("translate(100 100)") && page.contains("mark unknown lock-unknown"), "{page}");
        assert!(!page.contains("/edit\""));

        let taken = manager.post(&format!("{path}/edit"), "door=1&x-1=&y-1=").await;
        assert_eq!(taken.status, StatusCode::SEE_OTHER);
        assert!(manager.get(&path).await.page.contains("1 door stands nowhere"));
        assert_eq!(manager.post(&format!("{path}/remove"), "").await.status, StatusCode::SEE_OTHER);
        assert_eq!(manager.get(&path).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn what_is_no_plan_is_refused_and_nothing_is_kept() {
    let site = sites().await.remove(0);
    let kit = &site.kit;
    let floor = floor(kit).await;
    let manager = Browser::signed_in(kit, "boss", Role::Manager).await;
    let path = format!("/plan/{floor}/picture");
    for (upload, why) in [
        (&b"GIF89a"[..], "neither a PNG, a JPEG nor an SVG"),
        (b"\x89PNG\r\n\x1a\nno more", "is damaged"),
        (b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "too small"),
        (b"", "neither a PNG, a JPEG nor an SVG"),
    ] {
        let refused = manager.put(&path, upload).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{why}");
        assert!(refused.page.contains(why), "{why}: {}", refused.page);
    }
    let large = manager.put(&path, &vec![b' '; plan::UPLOAD_MAX + 1]).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    // A building has no plan, and an operator changes none.
    assert_eq!(manager.put("/plan/2/picture", DRAWING.as_bytes()).await.status, StatusCode::NOT_FOUND);
    let operator = Browser::signed_in(kit, "op", Role::Operator).await;
    assert_eq!(operator.put(&path, DRAWING.as_bytes()).await.status, StatusCode::FORBIDDEN);
    let mut connection = kit.read().acquire().await.unwrap();
    assert!(plan::list(&mut connection).await.unwrap().is_empty());
}

impl Browser {
    /// Sends a file, with the token that every page has.
    async fn put(&self, path: &str, file: &[u8]) -> crate::browser::Answer {
        let request = Request::put(path).header("x-csrf-token", self.token().await);
        self.send(request, Body::from(file.to_vec())).await
    }
}
