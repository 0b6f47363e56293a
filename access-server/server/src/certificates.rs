//! What certificates have to do with the broker: devices ask for new ones over it, and it must know whose are revoked.
//!
//! The broker reads the list when it is told to, and looks at it when somebody connects. Whoever is connected already is put
//! off by a session of the same name: the broker knows each name once.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use devices::{PutOff, Tell, Trust};
use kit::Kit;
use kit::problem::chain;
use kit::trouble::Trouble;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use uplink::enrol::Renew;
use uplink::topics::Leaf;
use uplink::wire;

use crate::broker;

/// Requests for certificates that wait; devices ask again.
pub const QUEUE: usize = 64;
/// A broker that could not be told is told again after so long.
const AGAIN: Duration = Duration::from_secs(3);
/// The broker has read its files by then.
const READ: Duration = Duration::from_secs(1);
/// Somebody who came back in between is put off once more after so long.
const ONCE_MORE: Duration = Duration::from_secs(3);
/// The broker answers within this.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers devices that ask for new certificates.
pub async fn renew(kit: Kit, trust: Trust, mut requests: mpsc::Receiver<(String, Renew)>) {
    while let Some((device, request)) = requests.recv().await {
        match devices::renew(&kit, &trust, &device, &request).await {
            Ok(answer) => {
                if let Some(refused) = answer.refused {
                    tracing::warn!(device, ?refused, "a device asks for a new certificate and is given none");
                }
                if let Err(error) = kit.link().send(&device, Leaf::CertificateAnswer, wire::encode(&answer)) {
                    tracing::debug!(device, %error, "a certificate was not sent: the device asks again");
                }
            }
            Err(error) => {
                tracing::error!(device, error = %chain(&error), "a certificate was not renewed: the device asks again");
            }
        }
    }
}

/// The broker, as it is told of certificates.
#[derive(Debug)]
pub struct Broker {
    /// The site's directory, where it runs on this machine.
    pub site: PathBuf,
    /// Its address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether it must be told already: its configuration was brought up to date.
    pub untold: bool,
}

/// Tells the broker what there is to tell, until nobody says it any more.
pub async fn tell(kit: Kit, trust: Trust, mut broker: Broker, mut told: mpsc::Receiver<Tell>) {
    loop {
        let next =
            if broker.untold { timeout(AGAIN, told.recv()).await.ok() } else { Some(told.recv().await) };
        match next {
            None | Some(Some(Tell::List)) => reload(&kit, &mut broker),
            Some(Some(Tell::PutOff(put_off))) => {
                for pause in [READ, ONCE_MORE] {
                    sleep(pause).await;
                    if let Err(error) = put_device_off(&trust, &broker, &put_off).await {
                        tracing::warn!(device = put_off.device, error = %format!("{error:#}"), "a device was not put off");
                    }
                }
            }
            Some(None) => return,
        }
    }
}

fn reload(kit: &Kit, broker: &mut Broker) {
    let told = match broker::bring_up(&broker.site) {
        Ok(false) => broker::reload(&broker.site),
        Ok(true) => Err(anyhow!("its configuration was brought up to date")),
        Err(error) => Err(error),
    };
    match told {
        Ok(()) => {
            broker.untold = false;
            kit.troubles().clear(Trouble::BrokerNotTold);
        }
        Err(error) => {
            // One that does not run reads the list when it starts.
            if kit.link().is_up() && !kit.troubles().standing().contains_key(&Trouble::BrokerNotTold) {
                tracing::error!(error = %format!("{error:#}"), "the broker does not know whose certificates are revoked: \
                    start it again");
                kit.troubles().raise(Trouble::BrokerNotTold, kit.now());
            }
            broker.untold = true;
        }
    }
}

/// Takes the device's place at the broker for a moment.
async fn put_device_off(trust: &Trust, broker: &Broker, put_off: &PutOff) -> anyhow::Result<()> {
    let mut roots = RootCertStore::empty();
    roots.add(trust.der().clone())?;
    let certificate = CertificateDer::from_pem_slice(put_off.certificate.as_bytes())?;
    let key = PrivateKeyDer::from_pem_slice(put_off.key.as_bytes())?;
    let tls = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate], key)?;
    let mut options = MqttOptions::new(&put_off.device, &broker.host, broker.port);
    options
        .set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(tls))))
        .set_clean_start(true)
        .set_connection_timeout(PATIENCE.as_secs());
    let (client, mut events) = AsyncClient::new(options, 2);
    let taken = async {
        loop {
            match events.poll().await.context("the broker is not reached")? {
                Event::Incoming(Packet::ConnAck(_)) => break,
                Event::Incoming(Packet::Disconnect(_)) => bail!("the broker does not let it in"),
                Event::Incoming(_) | Event::Outgoing(_) => {}
            }
        }
        client.try_disconnect().context("it cannot end its session")?;
        while events.poll().await.is_ok() {}
        anyhow::Ok(())
    };
    timeout(PATIENCE, taken).await.context("the broker does not answer")?
}
