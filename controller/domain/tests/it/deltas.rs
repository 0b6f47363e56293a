//! A policy changed is the policy made anew, and a faulty change changes nothing.

use domain::ids::{CredentialId, DoorId, GroupId, PersonId, PolicyVersion};
use domain::policy::{Credential, Fault, Part, Person, Policy, PolicyDelta, PolicyParts};
use domain::time::Utc;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::subsequence;

use crate::house::{ADA, BOB, STAFF, Site};
use crate::worlds::{
    DOORS, GROUPS, KINDS, PEOPLE, any_credential, any_door, any_parts, any_person, nth, thorough,
};

/// The change done by hand to the lists; `None` when the delta itself makes no sense.
fn by_hand(parts: &PolicyParts, delta: &PolicyDelta) -> Option<PolicyParts> {
    fn edit<T: Clone, I: Ord + Copy>(
        list: &[T],
        removed: &[I],
        upserted: &[T],
        id: impl Fn(&T) -> I,
    ) -> Option<Vec<T>> {
        let mut named: Vec<I> = removed.iter().copied().chain(upserted.iter().map(&id)).collect();
        let all = named.len();
        named.sort_unstable();
        named.dedup();
        let there = removed.iter().all(|it| list.iter().any(|row| id(row) == *it));
        let kept = list.iter().filter(|row| !named.contains(&id(row)));
        (named.len() == all && there).then(|| kept.chain(upserted).cloned().collect())
    }
    Some(PolicyParts {
        version: delta.to,
        made_at: delta.made_at,
        groups: edit(&parts.groups, &delta.remove.groups, &delta.upsert.groups, |it| *it)?,
        doors: edit(&parts.doors, &delta.remove.doors, &delta.upsert.doors, |it| it.id)?,
        people: edit(&parts.people, &delta.remove.people, &delta.upsert.people, |it| it.id)?,
        credentials: edit(&parts.credentials, &delta.remove.credentials, &delta.upsert.credentials, |it| {
            it.id
        })?,
        ..parts.clone()
    })
}

/// A change that may well be wrong: dangling, twice, nothing to remove, a digest that is taken.
fn any_delta() -> impl Strategy<Value = PolicyDelta> {
    let person = prop::sample::select(vec![1_u64, 2, 3, 4]).prop_flat_map(|id| any_person(PersonId(id)));
    let credential = (1_u64..=4, prop::sample::select(KINDS.to_vec()), 1_u64..=5).prop_flat_map(
        |(person, kind, number)| {
            any_credential(PersonId(person), kind)
                .prop_map(move |it| Credential { digest: nth(kind, number), ..it })
        },
    );
    let door = prop::sample::select(vec![1_u64, 2, 4]).prop_flat_map(|id| any_door(DoorId(id)));
    let ids: Vec<CredentialId> = PEOPLE
        .iter()
        .flat_map(|it| KINDS.map(|kind| CredentialId(it.0 * 10 + u64::from(kind.factor().bits()))))
        .collect();
    let few_people = prop_oneof![4 => Just(vec![]), 1 => subsequence(PEOPLE.to_vec(), 0..=2)];
    let few_doors = prop_oneof![4 => Just(vec![]), 1 => subsequence(DOORS.to_vec(), 0..=1)];
    let few_groups = prop_oneof![4 => Just(vec![]), 1 => subsequence(GROUPS.to_vec(), 0..=1)];
    let removed = (few_people, subsequence(ids, 0..=3), few_doors, few_groups);
    (removed, vec(person, 0..3), vec(credential, 0..4), vec(door, 0..2)).prop_map(
        |((gone, cards_gone, doors_gone, groups_gone), people, credentials, doors)| {
            let mut delta = PolicyDelta::empty(PolicyVersion(1), PolicyVersion(2), Utc(5));
            delta.remove.people = gone;
            delta.remove.credentials = cards_gone;
            delta.remove.doors = doors_gone;
            delta.remove.groups = groups_gone;
            delta.upsert.people = people;
            delta.upsert.credentials = credentials;
            delta.upsert.doors = doors;
            delta
        },
    )
}

proptest! {
    #![proptest_config(thorough())]

    #[test]
    fn delta_apply_equals_full_rebuild(parts in any_parts(), delta in any_delta()) {
        let policy = Policy::try_from(parts.clone()).expect("in order");
        let applied = delta.apply(&policy);
        let rebuilt = by_hand(&parts, &delta).and_then(|parts| Policy::try_from(parts).ok());
        prop_assert_eq!(applied.is_ok(), rebuilt.is_some(), "{:?}", applied.err());
        if let (Ok(applied), Some(rebuilt)) = (applied, rebuilt) {
            prop_assert_eq!(applied.parts(), rebuilt.parts());
            prop_assert_eq!(&applied, &rebuilt);
            for credential in applied.credentials() {
                prop_assert_eq!(applied.credential(&credential.digest), Some(credential));
                prop_assert_eq!(applied.credential_by_id(credential.id), Some(credential));
            }
        }
        prop_assert_eq!(policy.parts(), Policy::try_from(parts).expect("in order").parts(), "the old one stays");
    }

    #[test]
    fn the_difference_leads_from_one_to_the_other(before in any_parts(), after in any_parts()) {
        let before = Policy::try_from(before).expect("in order");
        let after = Policy::try_from(PolicyParts { version: PolicyVersion(2), ..after }).expect("in order");
        let delta = PolicyDelta::between(&before, &after);
        prop_assert_eq!(delta.apply(&before).expect("it fits").parts(), after.parts());
        let same = PolicyDelta::between(&after, &after);
        prop_assert_eq!(same, PolicyDelta::empty(PolicyVersion(2), PolicyVersion(2), after.made_at()));
    }

    #[test]
    fn thousands_of_people_are_found_again(ids in prop::collection::btree_set(any::<u64>(), 1..1500)) {
        let site = Site::open();
        let people: Vec<Person> = ids.iter().map(|id| crate::house::person(PersonId(*id), &[STAFF])).collect();
        let mut delta = PolicyDelta::empty(PolicyVersion(7), PolicyVersion(8), Utc(0));
        delta.upsert.people = people.clone();
        let policy = delta.apply(&site.policy).expect("in order");
        for person in &people {
            prop_assert_eq!(policy.person(person.id), Some(person));
        }
        let mut back = PolicyDelta::empty(PolicyVersion(8), PolicyVersion(9), site.policy.made_at());
        back.remove.people = ids.iter().map(|id| PersonId(*id)).filter(|id| *id != ADA && *id != BOB).collect();
        back.upsert.people = site.policy.people().into_iter().cloned().collect();
        let policy = back.apply(&policy).expect("in order");
        prop_assert_eq!(policy.people(), site.policy.people());
    }
}

#[test]
fn two_cards_may_swap_their_digests() {
    let site = Site::open();
    let mut parts = site.policy.parts();
    let (first, second) = (parts.credentials[0].digest, parts.credentials[4].digest);
    parts.credentials[0].digest = second;
    parts.credentials[4].digest = first;
    let mut delta = PolicyDelta::empty(PolicyVersion(7), PolicyVersion(8), Utc(0));
    delta.upsert.credentials = vec![parts.credentials[0].clone(), parts.credentials[4].clone()];
    let policy = delta.apply(&site.policy).expect("nobody shares a card");
    assert_eq!(policy.credential(&first).map(|it| it.person), Some(BOB));
    assert_eq!(policy.credential(&second).map(|it| it.person), Some(ADA));
}

#[test]
fn a_change_from_another_version_is_refused() {
    let site = Site::open();
    let delta = PolicyDelta::empty(PolicyVersion(6), PolicyVersion(8), Utc(0));
    let fault = Fault::OtherVersion { from: PolicyVersion(6), have: PolicyVersion(7) };
    assert_eq!(delta.apply(&site.policy).expect_err("another version").0, [fault]);
    let delta = PolicyDelta::empty(PolicyVersion(7), PolicyVersion(7), Utc(0));
    let fault = Fault::NotForward { from: PolicyVersion(7), to: PolicyVersion(7) };
    assert_eq!(delta.apply(&site.policy).expect_err("not forward").0, [fault]);
}

#[test]
fn who_goes_must_not_be_named_any_more() {
    let site = Site::open();
    let mut delta = PolicyDelta::empty(PolicyVersion(7), PolicyVersion(8), Utc(0));
    delta.remove.people = vec![BOB];
    delta.remove.groups = vec![GroupId(9)];
    let faults = delta.apply(&site.policy).expect_err("Bob has cards").0;
    let dangling = |fault: &&Fault| matches!(fault, Fault::Dangling { missing: Part::Person(BOB), .. });
    assert_eq!(faults.iter().filter(dangling).count(), 4, "{faults:?}");
    assert!(faults.contains(&Fault::NothingToRemove(Part::Group(GroupId(9)))));
    delta.remove.groups.clear();
    delta.remove.credentials =
        site.policy.credentials().iter().filter(|it| it.person == BOB).map(|it| it.id).collect();
    assert_eq!(delta.apply(&site.policy).expect("all of Bob goes").people_count(), 1);
}
