//! The rules, each a small pure function, and the one list of them.
//!
//! A new rule is a function here, a line in [`RULES`], a [`Rule`] and the reasons it gives. A rule refuses without
//! regard to the side: on an egress side every refusal becomes an alarm. Rules about the right to enter (levels,
//! combinations, overrides) are not asked there at all.

mod access;
mod credentials;
mod doors;
mod faces;
mod passage;
mod people;
mod tries;

use crate::decide::Ask;
use crate::reason::Rule;

/// Every rule, in the order of [`Rule`].
pub(crate) const RULES: &[(Rule, Ask)] = &[
    (Rule::DoorKnown, doors::door_known),
    (Rule::SomethingShown, credentials::something_shown),
    (Rule::CredentialKnown, credentials::credential_known),
    (Rule::OnePerson, people::one_person),
    (Rule::CredentialActive, credentials::credential_active),
    (Rule::PersonKnown, people::person_known),
    (Rule::PersonActive, people::person_active),
    (Rule::FaceConsent, faces::face_consent),
    (Rule::FaceLive, faces::face_live),
    (Rule::FaceSimilar, faces::face_similar),
    (Rule::AccessLevel, access::access_level),
    (Rule::DoorOverride, doors::door_override),
    (Rule::WrongTries, tries::wrong_tries),
    (Rule::AntiPassback, passage::anti_passback),
    (Rule::TwoLanes, passage::two_lanes),
    (Rule::Recorded, doors::recorded),
    (Rule::Duress, credentials::duress),
    (Rule::Fire, doors::fire),
    (Rule::Combination, access::combination),
    (Rule::Fresh, credentials::fresh),
];

#[cfg(test)]
mod tests {
    use super::RULES;

    #[test]
    fn the_list_has_every_rule_once_in_its_order() {
        for (at, (rule, _)) in RULES.iter().enumerate() {
            assert_eq!(*rule as usize, at);
        }
        let mut codes: alloc::vec::Vec<_> = RULES.iter().map(|(rule, _)| rule.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), RULES.len());
    }
}
