//! Rules about faces.

use crate::decide::{Case, Findings};
use crate::policy::FaceConsent;
use crate::reason::Reason;
use crate::request::{Liveness, Seen};

/// The person agreed that their face is used.
pub(super) fn face_consent(case: &Case<'_>, found: &mut Findings) -> Option<()> {
    let mut asked = None;
    for item in case.items.iter() {
        if let Seen::Face { person, .. } = item.seen
            && let Some(known) = case.policy.person(person)
        {
            asked = Some(());
            match known.face {
                FaceConsent::Given => {}
                FaceConsent::Absent => found.refuse(Reason::FaceWithoutConsent { person }),
            }
        }
    }
    asked
}

/// The face was a living one (ISO/IEC 30107-3). Not having looked is no proof.
pub(super) fn face_live(case: &Case<'_>, found: &mut Findings) -> Option<()> {
    let mut asked = None;
    for item in case.items.iter() {
        if let Seen::Face { live, .. } | Seen::UnknownFace { live, .. } = item.seen {
            asked = Some(());
            match live {
                Liveness::Live => {}
                Liveness::NotLive | Liveness::Unchecked => found.refuse(Reason::FaceNotLive { live }),
            }
        }
    }
    asked
}

/// The face looks enough like the person, and clearly less like anybody else.
pub(super) fn face_similar(case: &Case<'_>, found: &mut Findings) -> Option<()> {
    let site = case.policy.site();
    let mut asked = None;
    for item in case.items.iter() {
        if let Seen::Face { score, margin, .. } = item.seen {
            asked = Some(());
            found.facts.face_needs = Some((site.face_score, site.face_margin));
            if score < site.face_score {
                found.refuse(Reason::FaceScore { score, needed: site.face_score });
            }
            if margin < site.face_margin {
                found.refuse(Reason::FaceMargin { margin, needed: site.face_margin });
            }
        }
    }
    asked
}
