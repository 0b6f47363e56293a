//! The rule against guessing.

use crate::decide::{Case, Findings};
use crate::reason::Reason;
use crate::request::{Factors, Seen};
use crate::state::{Tried, wrongly_tried};

/// After too many wrong tries nothing guessable is taken for a while, and an alarm says so (GB 50396-2007 5.1.5).
pub(super) fn wrong_tries(case: &Case<'_>, found: &mut Findings) -> Option<()> {
    let guessable = case.items.iter().any(|item| item.factor != Factors::FACE);
    if !guessable {
        return None;
    }
    let (request, site) = (case.request, case.policy.site());
    let tries = |tried: Tried| case.state.tries(tried, case.now, site);
    if let Some((until, it)) =
        tries(Tried::Reader(request.door, request.side)).and_then(|it| Some((it.locked_until?, it)))
    {
        found.refuse(Reason::ReaderLockedOut { tries: it.count, until });
    }
    for item in case.items.iter() {
        if let Seen::Credential { id: credential, .. } = item.seen
            && let Some((until, it)) =
                tries(Tried::Credential(credential)).and_then(|it| Some((it.locked_until?, it)))
        {
            found.refuse(Reason::CredentialLockedOut { credential, tries: it.count, until });
        }
    }
    for tried in wrongly_tried(request.door, request.side, case.items.iter().map(|item| &item.seen)).iter() {
        let count = tries(*tried).map_or(1, |it| it.count.saturating_add(1));
        if count % site.wrong_tries == 0 {
            found.alarm(Reason::WrongTries { tries: count });
        }
    }
    Some(())
}
