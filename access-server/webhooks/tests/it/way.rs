//! Whom webhooks reach: receivers whose certificates are good, and never the machine itself.

use std::sync::Arc;

use kit::testing::{Site, sites};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;
use webhooks::{Topic, Way};

use crate::receiver::{PATIENCE, Receiver, administrator, hook, journal};

/// What became of the first try in vain.
async fn first_try(site: &Site, id: webhooks::HookId) -> String {
    let tried = async {
        loop {
            if let Some(first) = webhooks::tries(site.kit.read(), id).await.unwrap().pop() {
                return first.outcome;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, tried).await.expect("it is tried")
}

async fn tried(site: &Site, way: Way, address: &str) -> String {
    let by = administrator(&site.kit).await;
    let (id, _) = hook(&site.kit, by, address, &[Topic::People]).await;
    journal(&site.kit, "person.added").await;
    let telling = tokio::spawn(webhooks::run(site.kit.clone(), way));
    let outcome = first_try(site, id).await;
    telling.abort();
    outcome
}

#[tokio::test]
async fn the_machine_itself_is_not_reached_unless_the_configuration_says_so() {
    for site in sites(webhooks::MIGRATIONS).await {
        let receiver = Receiver::listen().await;
        let address = format!("https://localhost:{}/in?key=7", receiver.port);
        assert_eq!(tried(&site, Way::new(None, false).unwrap(), &address).await, "forbidden");
        assert!(receiver.so_far().is_empty());
    }
}

#[tokio::test]
async fn a_certificate_must_be_good_for_the_name_and_of_an_authority_that_is_believed() {
    let folder = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap();
    let believed = folder.path().join("receivers.pem");
    std::fs::write(&believed, authority.pem()).unwrap();
    let issuer = Issuer::new(params, key);
    for (name, believed, outcome) in [
        ("localhost", Some(&*believed), None),
        ("receiver.example.cn", Some(&*believed), Some("certificate")),
        ("localhost", None, Some("certificate")),
    ] {
        let receiver = Receiver::encrypted(acceptor(&issuer, name)).await;
        let site = sites(webhooks::MIGRATIONS).await.remove(0);
        let address = format!("https://localhost:{}/in?key=7", receiver.port);
        let way = Way::new(believed, true).unwrap();
        match outcome {
            Some(outcome) => assert_eq!(tried(&site, way, &address).await, outcome, "{name}"),
            None => {
                let by = administrator(&site.kit).await;
                hook(&site.kit, by, &address, &[Topic::People]).await;
                let seq = journal(&site.kit, "person.added").await;
                let telling = tokio::spawn(webhooks::run(site.kit.clone(), way));
                assert_eq!(receiver.told(1).await[0].seq(), seq);
                telling.abort();
            }
        }
    }
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_said_to_be_so() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (address, outcome) in [
        (format!("https://127.0.0.1:{port}/in"), "connect"),
        ("https://no-such-receiver.invalid/in".to_owned(), "name"),
    ] {
        let site = sites(webhooks::MIGRATIONS).await.remove(0);
        assert_eq!(tried(&site, Way::new(None, true).unwrap(), &address).await, outcome);
    }
}

fn acceptor(issuer: &Issuer<'_, KeyPair>, name: &str) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, issuer).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
