//! A site with an authority and one controller.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use devices::{EnrolRefusal, Trust, redeem};
use domain::ids::ControllerId;
use doors::label::Label;
use identity::NewKey;
use kit::pki::Authority;
use kit::testing::{MONDAY, sites};
use kit::{Clock, Kit};
use uplink::enrol::{Code, Granted, Request};

pub(crate) struct Site {
    pub(crate) kit: Kit,
    pub(crate) clock: Clock,
    pub(crate) trust: Trust,
    pub(crate) controller: ControllerId,
    pub(crate) folder: tempfile::TempDir,
    _database: kit::testing::Database,
}

pub(crate) async fn both() -> Vec<Site> {
    let mut all = Vec::new();
    for site in sites(&[people::MIGRATIONS, doors::MIGRATIONS, devices::MIGRATIONS].concat()).await {
        let folder = tempfile::tempdir().unwrap();
        Authority::create(folder.path(), MONDAY).unwrap();
        let trust = Trust::open(&folder.path().join("ca.pem"), ("broker.example".to_owned(), 8883)).unwrap();
        let mut tx = site.kit.begin().await.unwrap();
        let controller = ControllerId(7);
        let label = Label::new("lobby", "大堂");
        doors::place::put_controller(&mut tx, None, controller, &label).await.unwrap();
        tx.commit().await.unwrap();
        devices::adopt(&site.kit, &trust).await.unwrap();
        let kit::testing::Site { kit, clock, database } = site;
        all.push(Site { kit, clock, trust, controller, folder, _database: database });
    }
    all
}

impl Site {
    pub(crate) fn name(&self) -> String {
        format!("controller-{}", self.controller.0)
    }

    pub(crate) async fn invite(&self, life: i64) -> Code {
        let mut tx = self.kit.begin().await.unwrap();
        let invited = devices::invite(&mut tx, None, &self.name(), life).await.unwrap();
        tx.commit().await.unwrap();
        invited.code
    }

    pub(crate) async fn redeem(
        &self,
        code: &Code,
        key: &NewKey,
        from: &str,
    ) -> Result<Granted, EnrolRefusal> {
        let request = Request { secret: code.secret(), request: STANDARD.encode(&key.request) };
        redeem(&self.kit, &self.trust, &request, from).await
    }

    /// What was journaled under this kind, in its order.
    pub(crate) async fn told(&self, kind: &str) -> Vec<String> {
        let all = kit::journal::events_after(self.kit.read(), 0, 1000).await.unwrap();
        all.iter().filter(|it| it.kind == kind).map(|it| it.body.to_string()).collect()
    }
}
