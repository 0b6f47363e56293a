//! Finding records, on both engines.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod keeping;
mod searching;

use kit::testing::{prepare, sites};

#[tokio::test]
async fn every_statement_can_be_prepared() {
    for site in sites(records::MIGRATIONS).await {
        prepare(&site, records::statements()).await;
    }
}
