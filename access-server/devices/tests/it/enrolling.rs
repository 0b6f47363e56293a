//! One-time codes: who is let in by one, and who is not.

use std::time::{Duration, Instant};

use devices::{CodeError, EnrolRefusal, LONGEST, USUAL};
use identity::{Certificate, NewKey, is_issued_by};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use uplink::enrol::{Code, Fingerprint};

use super::site::both;

const HOUR: i64 = 3_600_000_000;

#[tokio::test]
async fn a_code_gives_its_device_one_certificate_for_its_own_key() {
    for site in both().await {
        let code = site.invite(USUAL).await;
        assert_eq!(code.authority(), site.trust.fingerprint(), "the device knows the site by it");
        let key = NewKey::make().unwrap();
        let granted = site.redeem(&code, &key, "10.0.0.1").await.unwrap();
        assert_eq!((granted.name.as_str(), granted.broker.as_str()), (&*site.name(), "broker.example"));
        assert_eq!(granted.credential_key.as_ref().map(String::len), Some(64), "a controller reads cards");
        let der = CertificateDer::from_pem_slice(granted.certificate.as_bytes()).unwrap();
        assert!(is_issued_by(&der, site.trust.der()));
        assert_eq!(Certificate::read(&der).unwrap().name, site.name());
        let again = site.redeem(&code, &NewKey::make().unwrap(), "10.0.0.2").await;
        assert!(matches!(again, Err(EnrolRefusal::Code)), "once");
        assert_eq!(site.told("enrolment.made").await.len(), 1);
        assert_eq!(site.told("enrolment.used").await.len(), 1);
        assert!(site.told("enrolment.refused").await[0].contains("\"why\":\"used\""));
        let all = kit::journal::events_after(site.kit.read(), 0, 1000).await.unwrap();
        let shown = code.show();
        let secret = format!("{:?}", serde_json::to_string(&code.secret()).unwrap());
        let words =
            [shown.as_str(), secret.trim_matches(['"', '\\']), granted.credential_key.as_deref().unwrap()];
        for word in words {
            assert!(all.iter().all(|it| !it.body.contains(word)), "no secret is journaled");
        }
    }
}

/// Whose name stands in the request is of no importance: the code says it.
#[tokio::test]
async fn a_request_in_anothers_name_gets_the_name_of_the_code() {
    for site in both().await {
        let code = site.invite(USUAL).await;
        let own = rcgen_request("controller-999");
        let granted = site.redeem(&code, &own, "10.0.0.1").await.unwrap();
        let der = CertificateDer::from_pem_slice(granted.certificate.as_bytes()).unwrap();
        assert_eq!(Certificate::read(&der).unwrap().name, site.name());
        assert!(!String::from_utf8_lossy(&der).contains("controller-999"));
    }
}

fn rcgen_request(name: &str) -> NewKey {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    NewKey { private: key.serialize_pem(), request: params.serialize_request(&key).unwrap().der().to_vec() }
}

#[tokio::test]
async fn a_code_that_is_used_twice_at_once_lets_one_in() {
    for site in both().await {
        let code = site.invite(USUAL).await;
        let keys: Vec<NewKey> = (0..4).map(|_| NewKey::make().unwrap()).collect();
        let addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"];
        let tries = tokio::join!(
            site.redeem(&code, &keys[0], addresses[0]),
            site.redeem(&code, &keys[1], addresses[1]),
            site.redeem(&code, &keys[2], addresses[2]),
            site.redeem(&code, &keys[3], addresses[3]),
        );
        let let_in = [&tries.0, &tries.1, &tries.2, &tries.3].into_iter().filter(|it| it.is_ok()).count();
        assert_eq!(let_in, 1);
        assert_eq!(site.told("enrolment.used").await.len(), 1);
    }
}

/// Wrong, used, expired, withdrawn: the same words, as late.
#[tokio::test]
async fn what_is_wrong_with_a_code_is_not_told() {
    for site in both().await {
        let authority = Fingerprint::of(site.trust.der());
        let wrong = Code::new([9; Code::SECRET], authority);
        let used = site.invite(USUAL).await;
        site.redeem(&used, &NewKey::make().unwrap(), "10.1.0.1").await.unwrap();
        let expired = site.invite(HOUR).await;
        let withdrawn = site.invite(LONGEST).await;
        let mut tx = site.kit.begin().await.unwrap();
        let open = devices::invitations(&mut tx).await.unwrap();
        let last = open.iter().find(|it| it.expires_at == tx.now() + LONGEST).unwrap().id;
        devices::withdraw(&mut tx, None, last).await.unwrap();
        assert!(matches!(devices::withdraw(&mut tx, None, last).await, Err(CodeError::Unknown)));
        tx.commit().await.unwrap();
        site.clock.advance(Duration::from_secs(3600));
        let mut answers = Vec::new();
        for (at, code) in [wrong, used, expired, withdrawn].iter().enumerate() {
            let began = Instant::now();
            let refused = site.redeem(code, &NewKey::make().unwrap(), &format!("10.2.0.{at}")).await;
            let took = began.elapsed();
            assert!((Duration::from_secs(1)..Duration::from_millis(1900)).contains(&took), "{took:?}");
            answers.push(kit::Problem::from(refused.unwrap_err()));
        }
        assert!(answers.iter().all(|it| *it == answers[0]), "{answers:?}");
        let told = site.told("enrolment.refused").await;
        for (told, why) in told.iter().zip(["unknown", "used", "expired", "withdrawn"]) {
            assert!(told.contains(&format!("\"why\":\"{why}\"")), "{told}");
        }
    }
}

#[tokio::test]
async fn whoever_guesses_waits() {
    let site = both().await.remove(0);
    let wrong = Code::new([9; Code::SECRET], site.trust.fingerprint());
    let key = NewKey::make().unwrap();
    let guess = || site.redeem(&wrong, &key, "10.0.0.1");
    let five = tokio::join!(guess(), guess(), guess(), guess(), guess());
    assert!([five.0, five.1, five.2, five.3, five.4].iter().all(|it| matches!(it, Err(EnrolRefusal::Code))));
    assert!(matches!(guess().await, Err(EnrolRefusal::Wait(1))));
    let good = site.invite(USUAL).await;
    assert!(
        matches!(site.redeem(&good, &key, "10.0.0.1").await, Err(EnrolRefusal::Wait(_))),
        "the right one too"
    );
    assert!(site.redeem(&good, &key, "10.0.0.2").await.is_ok(), "elsewhere nobody waits");
    assert_eq!(site.told("enrolment.refused").await.len(), 2, "the journal is not filled by strangers");
}

#[tokio::test]
async fn a_request_that_shows_no_key_spends_no_code() {
    for site in both().await {
        let code = site.invite(USUAL).await;
        let mut key = NewKey::make().unwrap();
        let last = key.request.len() - 1;
        key.request[last] ^= 1;
        let refused = site.redeem(&code, &key, "10.0.0.1").await;
        assert!(matches!(refused, Err(EnrolRefusal::Request)), "{refused:?}");
        assert!(site.redeem(&code, &NewKey::make().unwrap(), "10.0.0.1").await.is_ok());
    }
}

#[tokio::test]
async fn nobody_is_invited_whom_the_site_does_not_name() {
    for site in both().await {
        let mut tx = site.kit.begin().await.unwrap();
        for device in ["controller-77", "server", "web", "broker", "somebody", "controller-01", ""] {
            let refused = devices::invite(&mut tx, None, device, USUAL).await;
            assert!(matches!(refused, Err(CodeError::Holder)), "{device}");
        }
        for life in [0, -1, LONGEST + 1] {
            let refused = devices::invite(&mut tx, None, &site.name(), life).await;
            assert!(matches!(refused, Err(CodeError::Life)), "{life}");
        }
        assert!(devices::invite(&mut tx, None, "vision-3", LONGEST).await.is_ok());
        for _ in 1..100 {
            devices::invite(&mut tx, None, &site.name(), USUAL).await.unwrap();
        }
        assert!(matches!(devices::invite(&mut tx, None, &site.name(), USUAL).await, Err(CodeError::Full)));
    }
}
