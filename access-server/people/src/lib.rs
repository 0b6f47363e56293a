//! People, credentials, enrolment, consent.
