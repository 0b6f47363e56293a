//! The schema and the statements.

use kit::testing::{prepare, sites};

#[tokio::test]
async fn every_statement_can_be_prepared() {
    for site in sites(people::MIGRATIONS).await {
        prepare(&site, people::statements()).await;
    }
}
