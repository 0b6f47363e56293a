//! Renewal and revocation.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use devices::{RevokeError, Standing, Tell, USUAL, Why, keep};
use identity::{Certificate, List, NewKey};
use kit::pki::{Authority, Holder};
use kit::testing::MONDAY;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::sync::mpsc;
use uplink::enrol::{Refusal, Renew};
use uplink::sync::{Digest, Have, Set};

use super::site::{Site, both};

async fn kept(site: &Site) -> Vec<devices::Kept> {
    devices::certificates(&mut site.kit.read().acquire().await.unwrap()).await.unwrap()
}

fn asks() -> Renew {
    Renew { request: STANDARD.encode(NewKey::make().unwrap().request) }
}

async fn revoke(site: &Site, serial: &[u8], reason: &str) -> Result<(), RevokeError> {
    let mut tx = site.kit.begin().await.unwrap();
    devices::revoke(&mut tx, None, serial, reason).await?;
    tx.commit().await.unwrap();
    Ok(())
}

/// Certificates that were issued before any were kept: their files are found, once.
#[tokio::test]
async fn what_was_issued_before_is_found_by_its_file() {
    for site in both().await {
        let authority = Authority::open(site.folder.path()).unwrap();
        for holder in [Holder::Server, Holder::Broker, Holder::Controller(9)] {
            authority.issue(site.folder.path(), &holder, &[], MONDAY).unwrap();
        }
        let elsewhere = tempfile::tempdir().unwrap();
        let other = Authority::create(elsewhere.path(), MONDAY).unwrap();
        let foreign = other.issue(elsewhere.path(), &Holder::Vision(1), &[], MONDAY).unwrap();
        std::fs::copy(foreign.certificate, site.folder.path().join("vision-1.pem")).unwrap();
        assert_eq!(devices::adopt(&site.kit, &site.trust).await.unwrap(), 3);
        assert_eq!(devices::adopt(&site.kit, &site.trust).await.unwrap(), 0, "once");
        let mut holders: Vec<_> = kept(&site).await.into_iter().map(|it| (it.holder, it.why)).collect();
        holders.sort_by(|a, b| a.0.cmp(&b.0));
        let names = ["broker", "controller-9", "server"];
        assert_eq!(holders, names.map(|name| (name.to_owned(), Why::Found)), "nobody else's");
    }
}

#[tokio::test]
async fn a_device_is_given_a_new_certificate_and_the_same_answer_to_the_same_question() {
    for site in both().await {
        let code = site.invite(USUAL).await;
        site.redeem(&code, &NewKey::make().unwrap(), "10.0.0.1").await.unwrap();
        let name = site.name();
        let too_soon = devices::renew(&site.kit, &site.trust, &name, &asks()).await.unwrap();
        assert_eq!(too_soon.refused, Some(Refusal::TooSoon));
        site.clock.advance(Duration::from_secs(3600));
        let ask = asks();
        let first = devices::renew(&site.kit, &site.trust, &name, &ask).await.unwrap();
        let again = devices::renew(&site.kit, &site.trust, &name, &ask).await.unwrap();
        assert!(first.certificate.is_some() && first == again, "an answer that was lost is given again");
        assert_eq!(kept(&site).await.iter().filter(|it| it.why == Why::Renewed).count(), 1);
        for (device, ask) in [("server", asks()), (&name, Renew { request: "AAAA".to_owned() })] {
            let refused = devices::renew(&site.kit, &site.trust, device, &ask).await.unwrap();
            assert_eq!(refused.refused, Some(Refusal::Request), "{device}");
        }
    }
}

#[tokio::test]
async fn what_is_revoked_stands_on_a_list_that_the_authority_signed() {
    for site in both().await {
        let code = site.invite(USUAL).await;
        site.redeem(&code, &NewKey::make().unwrap(), "10.0.0.1").await.unwrap();
        let (tell, mut told) = mpsc::channel(8);
        let keeping = tokio::spawn(keep(site.kit.clone(), site.trust.clone(), tell));
        assert!(matches!(told.recv().await, Some(Tell::List)), "the first list");
        let (first, pem) = devices::list_in_force(&site.kit).await.unwrap().unwrap();
        let list = List::read(pem.as_bytes(), site.trust.der()).unwrap();
        assert_eq!((list.number, list.serials.len()), (first, 0));

        let serial = kept(&site).await[0].serial.clone();
        assert!(matches!(revoke(&site, &serial, "  ").await, Err(RevokeError::Reason)));
        assert!(matches!(revoke(&site, &[1, 2], "stolen").await, Err(RevokeError::Unknown)));
        revoke(&site, &serial, "stolen").await.unwrap();
        assert!(matches!(revoke(&site, &serial, "stolen").await, Err(RevokeError::Already)));
        assert!(matches!(told.recv().await, Some(Tell::List)));
        let Some(Tell::PutOff(put_off)) = told.recv().await else { panic!("nobody is put off") };
        assert_eq!(put_off.device, site.name());
        let (second, pem) = devices::list_in_force(&site.kit).await.unwrap().unwrap();
        let list = List::read(pem.as_bytes(), site.trust.der()).unwrap();
        assert!(list.number == second && second > first && list.serials.contains(&serial));
        assert_eq!(std::fs::read_to_string(site.trust.list()).unwrap(), pem, "the broker reads the same");
        assert_eq!(kept(&site).await[0].standing(site.kit.now()), Standing::Revoked);

        // A device is sent it when it holds an older one, and only then.
        let have = |version| Have { set: Set::Revoked, version, digest: Digest::default() };
        assert_eq!(devices::answer(&site.kit, &have(Some(second))).await.unwrap().len(), 0);
        let sent = devices::answer(&site.kit, &have(Some(first))).await.unwrap();
        assert_eq!((sent.len(), sent[0].to, sent[0].from), (1, second, None));
        assert_eq!(devices::answer(&site.kit, &have(None)).await.unwrap().len(), 1);
        site.clock.advance(Duration::from_secs(3600));
        let refused = devices::renew(&site.kit, &site.trust, &site.name(), &asks()).await.unwrap();
        assert_eq!(refused.refused, Some(Refusal::Revoked));
        keeping.abort();
    }
}

/// A server that was restored from a backup goes on above the lists that its devices have, and believes no nonsense.
#[tokio::test]
async fn a_list_goes_on_above_what_devices_hold() {
    for site in both().await {
        let (tell, mut told) = mpsc::channel(8);
        let keeping = tokio::spawn(keep(site.kit.clone(), site.trust.clone(), tell));
        told.recv().await.unwrap();
        let (number, _) = devices::list_in_force(&site.kit).await.unwrap().unwrap();
        let have = |version| Have { set: Set::Revoked, version: Some(version), digest: Digest::default() };
        devices::answer(&site.kit, &have(u64::MAX)).await.unwrap();
        devices::answer(&site.kit, &have(number + 500)).await.unwrap();
        told.recv().await.unwrap();
        let (above, _) = devices::list_in_force(&site.kit).await.unwrap().unwrap();
        assert_eq!(above, number + 501);
        keeping.abort();
    }
}

/// What the site itself runs with is renewed when a third of its life is left, for the hosts that it was for.
#[tokio::test]
async fn the_sites_own_certificates_are_renewed_by_themselves() {
    let site = both().await.remove(0);
    let authority = Authority::open(site.folder.path()).unwrap();
    let hosts = ["gate.example.cn".to_owned(), "192.0.2.9".to_owned()];
    for holder in [Holder::Server, Holder::Web, Holder::Broker] {
        authority.issue(site.folder.path(), &holder, &hosts, MONDAY).unwrap();
    }
    let says = |name: &str| {
        let der = CertificateDer::from_pem_file(site.folder.path().join(format!("{name}.pem"))).unwrap();
        Certificate::read(&der).unwrap()
    };
    let before = ["server", "web", "broker"].map(says);
    // Browsers' certificates live a little over a year: theirs is due first.
    site.clock.advance(Duration::from_secs(300 * 86_400));
    let (tell, mut told) = mpsc::channel(8);
    let keeping = tokio::spawn(keep(site.kit.clone(), site.trust.clone(), tell));
    assert!(matches!(told.recv().await, Some(Tell::List)), "the first list");
    keeping.abort();
    assert_eq!((says("server"), says("broker")), (before[0].clone(), before[2].clone()), "not yet");
    assert_ne!(says("web").serial, before[1].serial);
    assert_eq!(says("web").hosts, before[1].hosts);
    assert_ne!(says("web").key, before[1].key, "a new key");
    site.clock.advance(Duration::from_secs(300 * 86_400));
    let (tell, mut told) = mpsc::channel(8);
    let keeping = tokio::spawn(keep(site.kit.clone(), site.trust.clone(), tell));
    assert!(matches!(told.recv().await, Some(Tell::List)), "the broker reads its certificate again");
    keeping.abort();
    for (name, before) in [("server", &before[0]), ("broker", &before[2])] {
        assert!(says(name).until > before.until && says(name).hosts == before.hosts, "{name}");
    }
}

#[tokio::test]
async fn the_site_does_not_revoke_what_it_runs_with() {
    let site = both().await.remove(0);
    let authority = Authority::open(site.folder.path()).unwrap();
    authority.issue(site.folder.path(), &Holder::Server, &[], MONDAY).unwrap();
    devices::adopt(&site.kit, &site.trust).await.unwrap();
    let serial = kept(&site).await[0].serial.clone();
    assert!(matches!(revoke(&site, &serial, "old").await, Err(RevokeError::InUse)));
}
