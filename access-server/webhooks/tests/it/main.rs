//! Webhooks against receivers that listen, on both engines.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod managing;
mod peer;
mod receiver;
mod telling;
mod way;

use kit::testing::{prepare, sites};

#[tokio::test]
async fn every_statement_can_be_prepared() {
    for site in sites(webhooks::MIGRATIONS).await {
        prepare(&site, webhooks::statements()).await;
    }
}
