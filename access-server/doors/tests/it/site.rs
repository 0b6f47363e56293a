//! A small site to test with.

use std::time::Duration;

use domain::ids::{ControllerId, DoorId, GroupId};
use domain::policy::{AntiPassback, CredentialRule, DoorKind, Egress, EntryRule, Relock};
use domain::request::Factors;
use domain::schedule::{Days, Span, Window};
use doors::door::{self, Board, Door, DoorGroup};
use doors::label::Label;
use doors::level::{self, Level};
use doors::place::{self, Area, AreaKind, Site, USUAL_RULES, USUAL_ZONE};
use doors::schedule::{self, Schedule};
use kit::Tx;
use people::group::{self, GroupName};

/// With the people's schema and the doors'.
pub(crate) async fn sites() -> Vec<kit::testing::Site> {
    kit::testing::sites(&[people::MIGRATIONS, doors::MIGRATIONS].concat()).await
}

/// Two controllers with a door each, staff who enter both in office hours.
pub(crate) struct Small {
    pub(crate) door: Door,
    pub(crate) door_id: DoorId,
    pub(crate) staff: GroupId,
}

impl Small {
    pub(crate) async fn put(tx: &mut Tx) -> Small {
        let site =
            Site { label: Label::new("centre", "政务中心"), zone: USUAL_ZONE.into(), rules: USUAL_RULES };
        place::put_site(tx, None, &site).await.unwrap();
        for id in [1, 2] {
            let label = Label::new(&format!("controller-{id}"), "控制器");
            place::put_controller(tx, None, ControllerId(id), &label).await.unwrap();
        }
        let outside = Area { label: Label::new("outside", "室外"), kind: AreaKind::Outside, parent: None };
        let hall = Area { label: Label::new("hall", "大厅"), kind: AreaKind::Building, parent: None };
        let (outside, _) = place::put_area(tx, None, &outside).await.unwrap();
        let (hall, _) = place::put_area(tx, None, &hall).await.unwrap();
        let floor = Area { label: Label::new("floor", "一层"), kind: AreaKind::Floor, parent: Some(hall) };
        place::put_area(tx, None, &floor).await.unwrap();
        let (fire, _) = place::put_fire_zone(tx, None, &Label::new("fire-1", "一层")).await.unwrap();
        let office = Schedule {
            label: Label::new("office", "工作时间"),
            windows: vec![Window { days: Days::WORKDAYS, span: Span::new(8 * 60, 18 * 60).unwrap() }],
            exceptions: vec![],
        };
        let (office, _) = schedule::put(tx, None, &office).await.unwrap();
        let staff = GroupName { key: "staff".into(), name: "职员".into(), latin: String::new() };
        let staff = group::add(tx, None, &staff).await.unwrap();
        let door = Door {
            label: Label::new("main", "正门"),
            controller: ControllerId(1),
            board: Some(Board { bus: "north".into(), address: 1 }),
            kind: DoorKind::Door,
            outside,
            inside: hall,
            egress: Egress::Exit,
            rules: vec![CredentialRule { schedule: office, any_of: vec![Factors::FACE, Factors::CARD] }],
            otherwise: vec![Factors::CARD.and(Factors::PIN)],
            strike: Duration::from_secs(3),
            held_after: Duration::from_secs(30),
            relock: Relock::OnClose,
            anti_passback: AntiPassback::Off,
            unrecorded_entry: EntryRule::Refuse,
            fire_zone: Some(fire),
        };
        let (door_id, _) = door::put(tx, None, &door).await.unwrap();
        let lane = Door {
            label: Label::new("lane", "闸机"),
            controller: ControllerId(2),
            kind: DoorKind::Lane,
            board: None,
            ..door.clone()
        };
        let (lane, _) = door::put(tx, None, &lane).await.unwrap();
        let lanes = DoorGroup { label: Label::new("lanes", "闸机组"), doors: vec![lane] };
        let (lanes, _) = door::put_group(tx, None, &lanes).await.unwrap();
        let level = Level {
            label: Label::new("staff", "职员"),
            groups: vec![staff],
            doors: vec![door_id],
            door_groups: vec![lanes],
            schedule: office,
        };
        level::put(tx, None, &level).await.unwrap();
        Small { door, door_id, staff }
    }
}
