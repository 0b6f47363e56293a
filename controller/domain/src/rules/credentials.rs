//! Rules about what was shown.

use core::time::Duration;

use crate::decide::{Case, Findings};
use crate::policy::{CredentialStatus, CredentialUse};
use crate::reason::Reason;
use crate::request::{CredentialKind, Seen};

/// Whoever enters shows something; whoever leaves need not.
pub(super) fn something_shown(case: &Case<'_>, found: &mut Findings) -> Option<()> {
    if case.egress {
        return None;
    }
    if case.items.is_empty() {
        found.refuse(Reason::NothingShown);
    }
    Some(())
}

/// Everything shown is somebody's.
pub(super) fn credential_known(case: &Case<'_>, found: &mut Findings) -> Option<()> {
    if case.items.is_empty() {
        return None;
    }
    for item in case.items.iter() {
        match item.seen {
            Seen::UnknownCredential { kind: CredentialKind::Pin, .. } => {
                found.refuse(Reason::WrongPin { person: case.person_id });
            }
            Seen::UnknownCredential { kind, tag } => found.refuse(Reason::UnknownCredential { kind, tag }),
            Seen::UnknownFace { score, .. } => found.refuse(Reason::UnknownFace { score }),
            Seen::Face { .. } | Seen::Credential { .. } => {}
        }
    }
    Some(())
}

/// Each credential is in use and valid now. One that is lost or stolen alarms wherever it turns up.
pub(super) fn credential_active(case: &Case<'_>, found: &mut Findings) -> Option<()> {
    let mut asked = None;
    for credential in case.items.iter().filter_map(|item| item.credential) {
        asked = Some(());
        let id = credential.id;
        let reason = Reason::CredentialStatus { credential: id, status: credential.status };
        match credential.status {
            CredentialStatus::Active => {}
            CredentialStatus::Suspended => found.refuse(reason),
            CredentialStatus::Lost | CredentialStatus::Stolen => {
                found.refuse(reason);
                found.alarm(reason);
            }
        }
        if !credential.validity.holds(case.now) {
            found.refuse(Reason::CredentialExpired { credential: id, validity: credential.validity });
        }
    }
    asked
}

/// Under duress one passes as always; only the alarm tells.
pub(super) fn duress(case: &Case<'_>, found: &mut Findings) -> Option<()> {
    let mut credentials = case.items.iter().filter_map(|item| item.credential);
    let person = credentials.find(|it| it.usage == CredentialUse::Duress)?.person;
    found.alarm(Reason::Duress { person });
    Some(())
}

/// What was shown longer ago than this is no longer in front of the door. Wide enough for clocks that differ by as
/// much as a device's may in a day (GB 50396-2007 5.1.3); one that runs ahead makes nothing old.
const SHOWN_AT_MOST_AGO: Duration = Duration::from_secs(10);

/// What is shown is shown now, not in a message that was held up or sent again.
pub(super) fn fresh(case: &Case<'_>, found: &mut Findings) -> Option<()> {
    let mut asked = None;
    for item in case.items.iter().filter(|item| !item.waited) {
        asked = Some(());
        let age = case.now.since(item.at);
        if age > SHOWN_AT_MOST_AGO {
            found.refuse(Reason::TooOld { factor: item.factor, age });
        }
    }
    asked
}
