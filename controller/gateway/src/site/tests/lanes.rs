//! One face before two lanes side by side, each watched by a vision process that knows nothing of the other.

use super::*;

impl Case {
    /// A controller with a camera at each lane.
    fn with_two_visions(policy: Arc<Policy>) -> Case {
        let mut plan = plan();
        plan.cameras.push(Camera {
            vision: "vision-2".into(),
            name: "yard".into(),
            door: YARD,
            side: Side::Entry,
        });
        let site = Site::new(plan, CredentialKey::new(&[1; 32]), Some(policy), 100, &[]);
        let mut case = Case { site, ..Case::offline(self::policy(|_| ()), &[]) };
        for board in 0..3 {
            let online = EventKind::Online { identity: None, secure: true };
            case.step(Input::Heard(BoardId(board), Box::new(online)));
        }
        case.forget_orders();
        case
    }

    fn seen_at_the_yard(&mut self, track: u64) {
        self.seen("yard", track, LinkId(2), "vision-2");
    }
}

#[test]
fn two_visions_open_two_lanes_to_one_face_only_one_after_the_other() {
    let mut parts = policy(|_| ()).parts();
    parts.site.same_person_within = Duration::from_secs(3);
    let mut case = Case::with_two_visions(Arc::new(Policy::try_from(parts).expect("it is right")));
    case.face(1);
    case.wait(Duration::from_millis(500));
    case.seen_at_the_yard(1);
    assert_eq!((case.ordered(0), case.ordered(1)), (vec![Order::Release], vec![]));
    let refused = case.written.iter().find_map(|entry| match &entry.body {
        Body::Access(access) if access.door == YARD.0 => Some(access),
        _ => None,
    });
    let refused = refused.expect("it is told");
    assert_eq!((refused.outcome, refused.person), (Outcome::Denied, Some(ADA)));
    assert_eq!(refused.reasons[0].code, "just-granted-elsewhere");
    case.wait(Duration::from_secs(3));
    case.seen_at_the_yard(1);
    assert_eq!(case.ordered(1), [Order::PassEntry]);
}
