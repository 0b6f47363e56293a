//! Photographs to the embedding service.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use opencv::core::{Mat, Scalar, Size, Vector};
use opencv::imgcodecs::{IMREAD_COLOR, imencode_def, imread};
use opencv::imgproc::{INTER_AREA, gaussian_blur_def, resize};
use opencv::prelude::*;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use vision::config::Tls;

use crate::photo;
use crate::site::{Site, Vision};

struct Office {
    site: Site,
    port: u16,
    _vision: Vision,
}

impl Office {
    fn open() -> Self {
        let site = Site::new();
        let vision = Vision::start(&site.config("service = { listen = \"127.0.0.1:0\" }\n"));
        let ready = vision.ready();
        let port = ready.rsplit_once(':').expect("an address").1.parse().expect("a port");
        Self { site, port, _vision: vision }
    }

    /// Sends a photograph under a name; status and answer, or nothing when the connection was refused.
    fn post(&self, name: &str, photo: &[u8]) -> Option<(u16, Value)> {
        post(client(&self.site.tls(name)), self.port, photo)
    }
}

fn client(files: &Tls) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&files.authority).expect("the authority")).expect("a root");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![CertificateDer::from_pem_file(&files.certificate).expect("a certificate")],
            PrivateKeyDer::from_pem_file(&files.key).expect("a key"),
        )
        .expect("a certificate and its key");
    Arc::new(config)
}

fn post(client: Arc<ClientConfig>, port: u16, photo: &[u8]) -> Option<(u16, Value)> {
    let name = ServerName::try_from("vision-1").expect("a name");
    let session = ClientConnection::new(client, name).expect("a session");
    let mut stream = StreamOwned::new(session, TcpStream::connect(("127.0.0.1", port)).expect("it listens"));
    let head = format!(
        "POST /v1/embed HTTP/1.1\r\nhost: vision-1\r\ncontent-type: image/jpeg\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        photo.len()
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(photo)).ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    let text = String::from_utf8(answer).expect("text");
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).unwrap_or(Value::Null)))
}

fn jpeg(picture: &Mat) -> Vec<u8> {
    let mut bytes = Vector::new();
    imencode_def(".jpg", picture, &mut bytes).expect("encoded");
    bytes.to_vec()
}

fn read(name: &str) -> Mat {
    imread(photo(name), IMREAD_COLOR).expect("the photograph")
}

fn scaled(picture: &Mat, by: f64) -> Mat {
    let mut small = Mat::default();
    resize(picture, &mut small, Size::default(), by, by, INTER_AREA).expect("resized");
    small
}

#[test]
fn a_good_photograph_gives_a_template_and_a_bad_one_the_reason() {
    let office = Office::open();
    let (status, answer) = office.post("server", &jpeg(&read("obama.jpg"))).expect("an answer");
    assert_eq!((status, answer["outcome"].as_str()), (200, Some("usable")), "{answer}");
    let template = answer["template"].as_array().expect("numbers");
    let length: f64 = template.iter().filter_map(Value::as_f64).map(|number| number * number).sum();
    assert!(template.len() == 128 && (length - 1.0).abs() < 1e-4);
    assert_eq!(answer["model"], vision::models::EMBEDDING.sha256);
    assert!(answer["live"].as_bool().expect("a judgement") && answer["box"]["width"].as_f64() > Some(150.0));

    let grey =
        Mat::new_rows_cols_with_default(480, 640, opencv::core::CV_8UC3, Scalar::all(128.0)).expect("made");
    let (mut two, mut blurred, mut dark) = (Mat::default(), Mat::default(), Mat::default());
    let face = scaled(&read("obama.jpg"), 0.5);
    opencv::core::hconcat2(&face, &face, &mut two).expect("joined");
    gaussian_blur_def(&read("obama.jpg"), &mut blurred, Size::new(31, 31), 12.0).expect("blurred");
    read("obama.jpg").convert_to(&mut dark, -1, 0.08, 0.0).expect("darkened");
    let cases: [(&str, Vec<u8>); 8] = [
        ("no-face", jpeg(&grey)),
        ("several-faces", jpeg(&two)),
        ("too-small", jpeg(&scaled(&read("obama.jpg"), 0.2))),
        ("blurred", jpeg(&blurred)),
        ("too-dark", jpeg(&dark)),
        ("not-a-photo", b"GIF89a with something behind it".to_vec()),
        ("not-a-photo", jpeg(&face)[..200].to_vec()),
        ("too-large", huge_png_header()),
    ];
    for (reason, photo) in cases {
        let (status, answer) = office.post("server", &photo).expect("an answer");
        assert_eq!((status, answer["reason"].as_str()), (422, Some(reason)), "{answer}");
        assert_eq!(answer["outcome"], "refused");
    }
}

/// A PNG that says it has 60,000 by 60,000 pixels.
fn huge_png_header() -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR".to_vec();
    bytes.extend_from_slice(&60_000_u32.to_be_bytes());
    bytes.extend_from_slice(&60_000_u32.to_be_bytes());
    bytes.extend_from_slice(&[8, 2, 0, 0, 0, 0, 0, 0, 0]);
    bytes
}

#[test]
fn only_the_server_is_served() {
    let office = Office::open();
    let photo = jpeg(&scaled(&read("obama.jpg"), 0.5));
    assert!(office.post("controller-1", &photo).is_none(), "another device of the site is refused");
    // Another site's server, who trusts ours: its own authority is not ours.
    let elsewhere = Site::new();
    let files = elsewhere.tls("server");
    std::fs::copy(office.site.path("ca.pem"), elsewhere.path("ca.pem")).expect("copied");
    assert!(post(client(&files), office.port, &photo).is_none(), "another site's server is refused");
    assert_eq!(office.post("server", &photo).expect("an answer").0, 200);
}

#[test]
fn more_than_it_can_hold_is_turned_away_at_once() {
    let office = Office::open();
    let photo = Arc::new(jpeg(&read("obama3.jpg")));
    let client = client(&office.site.tls("server"));
    let threads: Vec<_> = (0..24)
        .map(|_| {
            let (client, photo, port) = (client.clone(), photo.clone(), office.port);
            std::thread::spawn(move || post(client, port, &photo).map(|(status, _)| status))
        })
        .collect();
    let answers: Vec<Option<u16>> =
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
    let count = |wanted: u16| answers.iter().filter(|answer| **answer == Some(wanted)).count();
    assert!(count(200) >= 1 && count(503) >= 1, "{answers:?}");
    assert_eq!(count(200) + count(503), answers.len(), "{answers:?}");
    assert_eq!(office.post("server", &photo).expect("an answer").0, 200, "and afterwards it works");
}
