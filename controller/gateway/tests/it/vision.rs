//! A scripted vision process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use uplink::reader_link::{Face, FromVision, Liveness, Sighting, ToVision};
use uplink::wire;

use crate::building::{PATIENCE, utc_now};

pub(crate) struct Vision {
    stream: TlsStream<TcpStream>,
    pub(crate) cameras: Vec<String>,
    track: u64,
}

pub(crate) fn tls(folder: &Path, name: &str) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(folder.join("ca.pem")).expect("a certificate");
    roots.add(ca).expect("an authority");
    let own = CertificateDer::from_pem_file(folder.join(format!("{name}.pem"))).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(folder.join(format!("{name}.key"))).expect("a key");
    ClientConfig::builder()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![own], key)
        .expect("they match")
}

impl Vision {
    pub(crate) async fn connect(folder: &Path, name: &str, address: SocketAddr) -> std::io::Result<Vision> {
        let connector = TlsConnector::from(Arc::new(tls(folder, name)));
        let tcp = TcpStream::connect(address).await?;
        let host = ServerName::try_from("localhost").expect("a name");
        let mut stream = connector.connect(host, tcp).await?;
        let cameras = vec!["lobby".to_owned(), "gate".to_owned(), "cellar".to_owned()];
        send(&mut stream, &FromVision::Hello { vision: name.to_owned(), cameras }).await?;
        let mut vision = Vision { stream, cameras: Vec::new(), track: 0 };
        match vision.receive().await? {
            ToVision::Welcome { cameras } => vision.cameras = cameras,
            ToVision::Verdict { .. } => panic!("a verdict before the welcome"),
        }
        Ok(vision)
    }

    /// A new person before a camera: says whether the door was released for them.
    pub(crate) async fn sees(&mut self, camera: &str, face: Face, live: bool) -> bool {
        self.track += 1;
        self.sees_again(camera, face, live, utc_now()).await
    }

    /// Another look at the same person.
    pub(crate) async fn sees_again(
        &mut self,
        camera: &str,
        face: Face,
        live: bool,
        captured_at: i64,
    ) -> bool {
        let sighting = Sighting {
            camera: camera.to_owned(),
            track: self.track,
            look: 1,
            captured_at,
            face,
            liveness: Liveness { live, score: if live { 0.99 } else { 0.02 }, frames: 3 },
            stages_us: BTreeMap::from([("detect".to_owned(), 6_000)]),
            gallery_version: 1,
        };
        send(&mut self.stream, &FromVision::Sighting(sighting)).await.expect("sent");
        loop {
            let message =
                tokio::time::timeout(PATIENCE, self.receive()).await.expect("in time").expect("received");
            if let ToVision::Verdict { track, granted, .. } = message
                && track == self.track
            {
                return granted;
            }
        }
    }

    /// Bytes as they are; says whether the controller ends the connection.
    pub(crate) async fn ends_after(mut self, bytes: &[u8]) -> bool {
        let sent = self.stream.write_all(bytes).await.is_ok() && self.stream.flush().await.is_ok();
        let silence = Duration::from_secs(3);
        !sent || matches!(tokio::time::timeout(silence, self.receive()).await, Ok(Err(_)))
    }

    /// It goes on as usual; whether the controller ends the connection.
    pub(crate) async fn ends_by_itself(mut self) -> bool {
        for _ in 0..20 {
            if send(&mut self.stream, &FromVision::Alive).await.is_err() {
                return true;
            }
            let said = tokio::time::timeout(Duration::from_millis(200), self.receive()).await;
            if matches!(said, Ok(Err(_))) {
                return true;
            }
        }
        false
    }

    async fn receive(&mut self) -> std::io::Result<ToVision> {
        let length = self.stream.read_u32().await?;
        let mut frame = vec![0; usize::try_from(length).expect("small")];
        self.stream.read_exact(&mut frame).await?;
        Ok(wire::decode(&frame).expect("the controller speaks our language"))
    }
}

async fn send(stream: &mut TlsStream<TcpStream>, message: &FromVision) -> std::io::Result<()> {
    let body = wire::encode(message);
    let mut frame = u32::try_from(body.len()).expect("small").to_be_bytes().to_vec();
    frame.extend(body);
    stream.write_all(&frame).await?;
    stream.flush().await
}

pub(crate) fn known(person: domain::ids::PersonId) -> Face {
    Face::Known { person: person.0, score: 0.71, margin: 0.4 }
}

pub(crate) const STRANGER: Face = Face::Unknown { best: Some(0.2) };
