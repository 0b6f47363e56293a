//! Who looked at whom: written down without a page waiting for it, and told when it cannot be.

use std::time::Duration;

use kit::auth::OperatorId;
use kit::looks::What;
use kit::testing::{Site, sites};
use kit::trouble::Trouble;

use crate::auth::read_only;

/// What was written down by now, of so many at least.
async fn written(site: &Site, least: usize) -> Vec<String> {
    let look = async {
        loop {
            let all = kit::journal::events_after(site.kit.read(), 0, 1000).await.unwrap();
            let views =
                all.iter().filter(|event| event.kind.contains(".view")).map(|event| event.body.clone());
            let views: Vec<_> = views.collect();
            if views.len() >= least {
                return views;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), look).await.expect("they are written down")
}

#[tokio::test]
async fn a_look_is_written_down_once_with_who_whom_and_what() {
    for site in sites(&[]).await {
        let kit = &site.kit;
        // A page that waited would wait for this.
        let writer = kit.begin().await.unwrap();
        for _ in 0..3 {
            kit.saw(OperatorId(1), Some(7), What::Profile);
            kit.saw(OperatorId(1), Some(7), What::History);
            kit.saw(OperatorId(1), None, What::Live);
        }
        drop(writer);
        let views = written(&site, 3).await;
        let at = kit.now();
        assert_eq!(
            views,
            [
                format!("{{\"at\":{at},\"looked_at\":\"profile\",\"operator\":1,\"person\":7}}"),
                format!("{{\"at\":{at},\"looked_at\":\"history\",\"operator\":1,\"person\":7}}"),
                format!("{{\"at\":{at},\"looked_at\":\"live\",\"operator\":1}}"),
            ]
        );
        kit.saw(OperatorId(2), Some(7), What::Profile);
        assert_eq!(written(&site, 4).await.len(), 4);
    }
}

#[tokio::test]
async fn what_cannot_be_written_down_is_told() {
    for site in sites(&[]).await {
        let mut changes = site.kit.troubles().changes();
        read_only(&site).await;
        site.kit.saw(OperatorId(1), Some(7), What::Profile);
        tokio::time::timeout(Duration::from_secs(20), changes.changed()).await.expect("it is told").unwrap();
        assert!(site.kit.troubles().standing().contains_key(&Trouble::LooksUnwritten));
    }
}
