//! Laws of replicas: whatever the difference, its chunks fit a payload and say the same.

use proptest::prelude::*;
use uplink::sync::{Change, Digest, Set, chunks};
use uplink::wire;

proptest! {
    #[test]
    fn chunks_fit_and_keep_every_change_in_order(lengths in proptest::collection::vec(0_usize..3000, 0..200)) {
        let changes: Vec<_> =
            (0_u64..).zip(&lengths).map(|(id, length)| Change::put("person", id, &"x".repeat(*length))).collect();
        let before: Vec<_> = changes.iter().map(wire::encode).collect();
        let chunks = chunks(Set::Policy, Some(1), 2, Digest::default(), changes);

        prop_assert!(!chunks.is_empty());
        for (part, chunk) in (0_u32..).zip(&chunks) {
            prop_assert_eq!(chunk.part, part);
            prop_assert_eq!(chunk.parts as usize, chunks.len());
            prop_assert!(wire::encode(chunk).len() <= wire::LARGEST);
        }
        let after: Vec<_> = chunks.iter().flat_map(|chunk| &chunk.changes).map(wire::encode).collect();
        prop_assert_eq!(before, after);
    }

    #[test]
    fn a_digest_knows_rows_and_not_their_order(rows in proptest::collection::btree_map(any::<u64>(), ".{0,40}", 1..40)) {
        let mut forwards = Digest::default();
        let mut backwards = Digest::default();
        rows.iter().for_each(|(id, row)| forwards.toggle("person", *id, row));
        rows.iter().rev().for_each(|(id, row)| backwards.toggle("person", *id, row));
        prop_assert_eq!(forwards, backwards);

        let (id, row) = rows.iter().next().expect("at least one");
        let mut moved = forwards;
        moved.toggle("person", *id, row);
        moved.toggle("credential", *id, row);
        prop_assert_ne!(forwards, moved);
        moved.toggle("credential", *id, row);
        moved.toggle("person", *id, row);
        prop_assert_eq!(forwards, moved);
    }
}
