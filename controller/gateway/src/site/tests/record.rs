//! The record says what happened: a grant that came to nothing is corrected, and tied to what it corrects.

use osdp::NakCode;
use osdp::cp::Failure;
use uplink::event::Access;

use super::*;

fn accesses(case: &Case) -> Vec<&Access> {
    let access = case.written.iter().filter_map(|entry| match &entry.body {
        Body::Access(access) => Some(access),
        _ => None,
    });
    access.collect()
}

/// The last two are a grant and what became of it.
fn corrected(case: &Case, why: &str) {
    let all = accesses(case);
    let [.., granted, denied] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((granted.outcome, granted.corrects), (Outcome::Granted, false));
    assert_eq!((denied.outcome, denied.corrects), (Outcome::Denied, true));
    assert!(granted.decision.is_some() && granted.decision == denied.decision, "{all:?}");
    assert_eq!((denied.door, denied.side, denied.person), (granted.door, granted.side, granted.person));
    assert_eq!(denied.reasons[0].code, why);
}

#[test]
fn a_grant_recorded_too_late_is_refused_and_the_record_says_so() {
    let mut case = Case::new(policy(|_| ()));
    case.disk = Disk::Hangs;
    case.face(1);
    case.wait(Duration::from_millis(301));
    assert_eq!(case.verdicts, [false], "the door's rule is to refuse");
    case.disk_wakes();
    assert!(case.ordered(0).is_empty() && case.verdicts == [false], "late stays late");
    corrected(&case, "recorded-too-late");
    case.face(2);
    let last = accesses(&case).last().map(|it| (it.outcome, it.corrects));
    assert_eq!(last, Some((Outcome::Granted, false)));
    assert_ne!(accesses(&case)[0].decision, accesses(&case)[2].decision);
}

#[test]
fn a_late_grant_that_was_let_in_by_its_doors_rule_stands() {
    let mut case = Case::new(policy(|door| door.unrecorded_entry = EntryRule::Allow));
    case.disk = Disk::Hangs;
    case.face(1);
    case.wait(Duration::from_millis(301));
    assert_eq!((case.verdicts.clone(), case.ordered(0)), (vec![true], vec![Order::Release]));
    case.disk_wakes();
    assert_eq!(accesses(&case).len(), 1);
    assert_eq!(case.ordered(0).len(), 1, "once");
}

#[test]
fn a_late_grant_that_cannot_be_written_either_is_corrected_when_it_can() {
    let mut case = Case::new(policy(|_| ()));
    case.disk = Disk::Hangs;
    case.face(1);
    case.wait(Duration::from_millis(301));
    // Now the disk says that it has failed; what it was given waits in memory.
    for write in std::mem::take(&mut case.unanswered) {
        case.disk = Disk::Fails;
        case.step(Input::Written { token: write.token, ok: false });
    }
    case.disk = Disk::Works;
    case.wait(Duration::from_secs(3));
    corrected(&case, "recorded-too-late");
}

#[test]
fn a_board_that_goes_while_the_grant_is_written_down_lets_nobody_in() {
    let mut case = Case::new(policy(|_| ()));
    case.disk = Disk::Hangs;
    case.face(1);
    case.step(Input::Heard(BoardId(0), Box::new(EventKind::Offline(OfflineReason::NoReply))));
    case.disk_wakes();
    assert_eq!(case.verdicts, [false]);
    corrected(&case, "board-offline");
}

#[test]
fn a_release_that_the_board_refused_or_was_never_told_is_corrected_one_that_nobody_can_tell_of_is_not() {
    let token_of_release = |case: &Case| {
        let release = |say: &Say| matches!(say, Say::Ours(ToBoard::Command { order: Order::Release, .. }));
        let at = case.orders.iter().rposition(|(_, say)| release(say)).expect("a release was ordered");
        osdp::cp::Token(case.tokens[at])
    };
    let fails = |case: &mut Case, failure| {
        let token = token_of_release(case);
        case.step(Input::Heard(BoardId(0), Box::new(EventKind::Failed(token, failure))));
    };
    let mut case = Case::new(policy(|_| ()));
    case.face(1);
    fails(&mut case, Failure::Refused(NakCode::Record));
    corrected(&case, "board-refused");
    fails(&mut case, Failure::Refused(NakCode::Record));
    assert_eq!(accesses(&case).len(), 2, "once");
    case.face(2);
    fails(&mut case, Failure::Expired);
    corrected(&case, "order-expired");
    case.face(3);
    let before = accesses(&case).len();
    for failure in [Failure::Unconfirmed, Failure::Interrupted, Failure::Offline] {
        fails(&mut case, failure);
    }
    assert_eq!(accesses(&case).len(), before, "it may have been carried out");
}
