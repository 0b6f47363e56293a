//! Rules about what was shown.

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
