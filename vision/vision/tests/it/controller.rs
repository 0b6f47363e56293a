//! A reader link's other end: takes what vision says and writes down when it came.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use uplink::reader_link::{FromVision, Sighting, ToVision};
use uplink::wire;

use crate::site::Site;

/// One message and when it came: UTC, microseconds.
pub(crate) struct Heard {
    pub(crate) at: i64,
    pub(crate) message: FromVision,
}

/// The listener of `controller-1`.
pub(crate) struct Controller {
    pub(crate) address: String,
    heard: Receiver<Heard>,
    grants: Arc<AtomicBool>,
}

impl Controller {
    pub(crate) fn start(site: &Site, cameras: &[&str]) -> Self {
        let files = site.tls("controller-1");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&files.authority).expect("the authority")).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .expect("a verifier");
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![CertificateDer::from_pem_file(&files.certificate).expect("a certificate")],
                PrivateKeyDer::from_pem_file(&files.key).expect("a key"),
            )
            .expect("a certificate and its key");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let (hear, heard) = channel();
        let grants = Arc::new(AtomicBool::new(false));
        let granting = grants.clone();
        let cameras: Vec<String> = cameras.iter().map(|name| (*name).to_owned()).collect();
        let config = Arc::new(config);
        std::thread::spawn(move || {
            for tcp in listener.incoming().map_while(Result::ok) {
                tcp.set_nodelay(true).expect("a socket");
                let session = ServerConnection::new(config.clone()).expect("a session");
                let mut stream = StreamOwned::new(session, tcp);
                while let Some(message) = receive(&mut stream) {
                    let answer = match &message {
                        FromVision::Hello { .. } => Some(ToVision::Welcome { cameras: cameras.clone() }),
                        FromVision::Sighting(sighting) if granting.load(Ordering::Relaxed) => {
                            let (camera, track) = (sighting.camera.clone(), sighting.track);
                            Some(ToVision::Verdict { camera, track, granted: true })
                        }
                        FromVision::Sighting(_) | FromVision::Camera { .. } | FromVision::Alive => None,
                    };
                    if let Some(answer) = answer {
                        send(&mut stream, &answer);
                    }
                    if hear.send(Heard { at: utc(), message }).is_err() {
                        return;
                    }
                }
            }
        });
        Self { address, heard, grants }
    }

    /// Waits for what `wanted` picks out of the messages.
    pub(crate) fn wait<T>(&self, within: Duration, mut wanted: impl FnMut(&Heard) -> Option<T>) -> Option<T> {
        let until = Instant::now() + within;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let heard = self.heard.recv_timeout(left).ok()?;
            if let Some(found) = wanted(&heard) {
                return Some(found);
            }
        }
    }

    /// The next sighting and when it came.
    pub(crate) fn sighting(&self, within: Duration) -> Option<(i64, Sighting)> {
        self.wait(within, |heard| match &heard.message {
            FromVision::Sighting(sighting) => Some((heard.at, sighting.clone())),
            FromVision::Hello { .. } | FromVision::Camera { .. } | FromVision::Alive => None,
        })
    }

    pub(crate) fn camera(&self, wanted: bool, within: Duration) -> bool {
        self.wait(within, |heard| match &heard.message {
            FromVision::Camera { up, .. } if *up == wanted => Some(()),
            FromVision::Hello { .. }
            | FromVision::Camera { .. }
            | FromVision::Alive
            | FromVision::Sighting(_) => None,
        })
        .is_some()
    }

    /// From now on the door is released for every sighting.
    pub(crate) fn grant(&self) {
        self.grants.store(true, Ordering::Relaxed);
    }
}

fn receive(stream: &mut impl std::io::Read) -> Option<FromVision> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut body).ok()?;
    Some(wire::decode(&body).expect("vision speaks the agreed form"))
}

fn send(stream: &mut impl std::io::Write, message: &ToVision) {
    let body = wire::encode(message);
    let mut frame = u32::try_from(body.len()).expect("short").to_be_bytes().to_vec();
    frame.extend_from_slice(&body);
    stream.write_all(&frame).and_then(|()| stream.flush()).ok();
}

fn utc() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_micros()).expect("fits for 290,000 years")
}
