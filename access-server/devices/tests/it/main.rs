//! Enrolment and revocation, on both engines.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod enrolling;
mod revoking;
mod site;

use kit::testing::{prepare, sites};

#[tokio::test]
async fn every_statement_can_be_prepared() {
    for site in sites(&[people::MIGRATIONS, doors::MIGRATIONS, devices::MIGRATIONS].concat()).await {
        prepare(&site, devices::statements()).await;
    }
}
