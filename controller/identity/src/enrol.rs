//! The first certificate, for a one-time code: the key is made here, and the server is believed only when it shows the
//! authority that the code names, before a word is said to it.
//!
//! What was there is overwritten by nothing. The configuration is written last: where it is, all of it is.

use std::fmt;
use std::fs;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme,
    StreamOwned,
};
use thiserror::Error as ThisError;
use uplink::enrol::{ANSWER_MAX, Code, CodeFault, Fingerprint, Granted, PATH, Request, SERVER_NAME};
use uplink::wire;

use crate::certificate::Certificate;
use crate::files::write_new;
use crate::request::{NewKey, key_of_request, point};
use crate::revocable::Trusted;

/// The server has so long for each thing it says.
const PATIENCE: Duration = Duration::from_secs(15);
/// Bytes of an answer's head at most.
const HEAD: usize = 16 * 1024;
/// Bytes of a line with a code at most.
const LINE: u64 = 256;

/// Why a device was not enrolled. Nothing was written then.
#[derive(Debug, ThisError)]
pub enum EnrolError {
    /// The address is none.
    #[error("the server is given as https://host:port")]
    Address,
    /// A file would be overwritten.
    #[error("{} is there already: this device has been enrolled, or the directory is another's", .0.display())]
    Exists(PathBuf),
    /// A file could not be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The server is not reached.
    #[error("{0} is not reached")]
    Connect(String, #[source] io::Error),
    /// Whoever answers is not the site that the code is for.
    #[error(
        "whoever answers at {0} does not have the authority that the code names: somebody stands between, or the code is \
         another site's. Nothing was said to them"
    )]
    OtherSite(String),
    /// The server does not take the code.
    #[error("the server does not take the code: it is wrong, was used, was withdrawn, or has expired")]
    Code,
    /// Too many wrong codes came from here.
    #[error("too many wrong codes came from this address: wait {0} s")]
    Wait(u64),
    /// The server answers something else.
    #[error("the server answers with status {0}")]
    Status(u16),
    /// What it answers is not understood.
    #[error("the server's answer is not understood: {0}")]
    Answer(&'static str),
    /// The code is for another kind of device.
    #[error("the code is for {found}, and this program is a {wanted}")]
    OtherKind {
        /// The name it was made for.
        found: String,
        /// What this is.
        wanted: &'static str,
    },
    /// The code was mistyped.
    #[error(transparent)]
    Typed(#[from] CodeFault),
    /// It cannot be read.
    #[error("no code was given, and none stands on the standard input")]
    NoCode,
    /// No random numbers.
    #[error("no key can be made here")]
    Key(#[from] rcgen::Error),
}

/// The code that was given, or the one on the first line of the standard input: what stands on a command line is seen by
/// others of the machine.
///
/// # Errors
/// Names the group at fault.
pub fn typed(given: Option<&str>) -> Result<Code, EnrolError> {
    let line = match given {
        Some(code) => code.to_owned(),
        None => {
            let mut line = String::new();
            let read = io::BufReader::new(io::stdin().take(LINE)).read_line(&mut line);
            read.map_err(|_| EnrolError::NoCode)?;
            line
        }
    };
    if line.trim().is_empty() { Err(EnrolError::NoCode) } else { Ok(Code::parse(line.trim())?) }
}

/// A file that comes of an enrolment.
pub struct File {
    /// Its name in the directory.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
    /// Its mode.
    pub mode: u32,
}

/// Which files there will be, in the order in which they are written; the last one says that all are there.
pub trait Kind {
    /// Begins the names of such devices, as `controller-`.
    const PREFIX: &'static str;
    /// The configuration's name.
    const CONFIGURATION: &'static str;

    /// The files besides certificate, key and authority; the configuration last.
    ///
    /// # Errors
    /// When the answer lacks something.
    fn files(granted: &Granted, directory: &Path) -> Result<Vec<File>, EnrolError>;
}

/// Enrols this machine in `directory`; gives the name it has now.
///
/// # Errors
/// Why it was not. The code is spent only when the server took it.
pub fn enrol<K: Kind>(server: &str, code: &Code, directory: &Path) -> Result<String, EnrolError> {
    // Before the code is spent.
    fs::create_dir_all(directory)
        .map_err(|source| EnrolError::Write { path: directory.to_owned(), source })?;
    let configuration = directory.join(K::CONFIGURATION);
    if configuration.exists() {
        return Err(EnrolError::Exists(configuration));
    }
    let key = NewKey::make()?;
    // A directory that cannot be written is found out now, too.
    let kept = directory.join("enrolment.key");
    write(&kept, key.private.as_bytes(), 0o600)?;
    let done = granted::<K>(server, code, &key).and_then(|granted| {
        let own = [
            File {
                name: format!("{}.key", granted.name),
                bytes: key.private.clone().into_bytes(),
                mode: 0o600,
            },
            File {
                name: format!("{}.pem", granted.name),
                bytes: granted.certificate.clone().into_bytes(),
                mode: 0o644,
            },
            File { name: "ca.pem".to_owned(), bytes: granted.authority.clone().into_bytes(), mode: 0o644 },
        ];
        all_or_none(directory, own.into_iter().chain(K::files(&granted, directory)?))?;
        Ok(granted.name)
    });
    let _ = fs::remove_file(&kept);
    done
}

fn all_or_none(directory: &Path, files: impl Iterator<Item = File>) -> Result<(), EnrolError> {
    let mut written = Vec::new();
    for file in files {
        let path = directory.join(&file.name);
        if let Err(error) = write(&path, &file.bytes, file.mode) {
            for path in written {
                let _ = fs::remove_file(path);
            }
            return Err(error);
        }
        written.push(path);
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), EnrolError> {
    write_new(path, bytes, mode).map_err(|source| {
        if source.kind() == io::ErrorKind::AlreadyExists {
            return EnrolError::Exists(path.to_owned());
        }
        let _ = fs::remove_file(path);
        EnrolError::Write { path: path.to_owned(), source }
    })
}

/// Asks, and checks the answer before anything of it is used.
fn granted<K: Kind>(server: &str, code: &Code, key: &NewKey) -> Result<Granted, EnrolError> {
    let (mut granted, shown) = ask(server, code, &key.request)?;
    // To itself the server may say that the broker is where it is.
    if is_here(&granted.broker) {
        granted.broker = host(server).to_owned();
    }
    let authority = CertificateDer::from_pem_slice(granted.authority.as_bytes())
        .map_err(|_| EnrolError::Answer("it holds no authority"))?;
    if authority != shown {
        return Err(EnrolError::Answer("it holds another authority"));
    }
    let certificate = CertificateDer::from_pem_slice(granted.certificate.as_bytes())
        .map_err(|_| EnrolError::Answer("it holds no certificate"))?;
    let says = Certificate::read(&certificate).ok_or(EnrolError::Answer("it holds no certificate"))?;
    let ours = key_of_request(&key.request).map_err(|_| EnrolError::Answer("the request is none"))?;
    if point(&says.key) != Some(&ours[..]) || says.name != granted.name {
        return Err(EnrolError::Answer("its certificate is for another key or name"));
    }
    let number =
        granted.name.strip_prefix(K::PREFIX).filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()));
    if number.is_none() {
        let wanted = K::PREFIX.trim_end_matches('-');
        return Err(EnrolError::OtherKind { found: granted.name, wanted });
    }
    Trusted::of(authority.clone(), vec![authority])
        .and_then(|trusted| trusted.check(&certificate, &granted.name))
        .map_err(|_| EnrolError::Answer("its certificate is not the authority's"))?;
    Ok(granted)
}

fn is_here(host: &str) -> bool {
    host == "localhost"
        || host.trim_matches(['[', ']']).parse().is_ok_and(|it: std::net::IpAddr| it.is_loopback())
}

/// The server's name or address, without its port.
fn host(server: &str) -> &str {
    let place = server.strip_prefix("https://").unwrap_or(server).trim_end_matches('/');
    let host = place
        .rsplit_once(':')
        .filter(|(_, port)| port.parse::<u16>().is_ok())
        .map_or(place, |(host, _)| host);
    host.trim_matches(['[', ']'])
}

/// One question over a connection of its own; the authority that the server showed comes with the answer.
fn ask(server: &str, code: &Code, request: &[u8]) -> Result<(Granted, CertificateDer<'static>), EnrolError> {
    let place = server.strip_prefix("https://").ok_or(EnrolError::Address)?.trim_end_matches('/');
    let port = place.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
    let address = if port.is_some() { place.to_owned() } else { format!("{place}:443") };
    if place.is_empty() || place.contains(['/', '?', '#', '@']) {
        return Err(EnrolError::Address);
    }
    let connect = |error| EnrolError::Connect(address.clone(), error);
    let mut socket = Err(io::Error::from(io::ErrorKind::NotFound));
    for at in address.to_socket_addrs().map_err(connect)? {
        socket = TcpStream::connect_timeout(&at, PATIENCE);
        if socket.is_ok() {
            break;
        }
    }
    let socket = socket.map_err(connect)?;
    socket.set_read_timeout(Some(PATIENCE)).map_err(connect)?;
    socket.set_write_timeout(Some(PATIENCE)).map_err(connect)?;
    let verifier = Arc::new(ByFingerprint { wanted: code.authority(), found: Mutex::default() });
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|_| EnrolError::Answer("TLS 1.3 is not to be had"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let name = ServerName::try_from(SERVER_NAME).expect("it is a name");
    let session =
        ClientConnection::new(Arc::new(config), name).map_err(|_| EnrolError::Answer("TLS cannot begin"))?;
    let mut stream = StreamOwned::new(session, socket);
    let body = wire::encode(&Request { secret: code.secret(), request: STANDARD.encode(request) });
    // HTTP/1.0: the answer is not sent in chunks, and ends with the connection.
    let head = format!(
        "POST {PATH} HTTP/1.0\r\nHost: {SERVER_NAME}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let failed = |error: io::Error| {
        let about_certificate = error
            .get_ref()
            .and_then(|it| it.downcast_ref::<Error>())
            .is_some_and(|it| matches!(it, Error::InvalidCertificate(_)));
        if about_certificate { EnrolError::OtherSite(address.clone()) } else { connect(error) }
    };
    stream.conn.complete_io(&mut stream.sock).map_err(failed)?;
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).map_err(failed)?;
    stream.flush().map_err(failed)?;
    let mut answer = Vec::new();
    let most = u64::try_from(HEAD + ANSWER_MAX).expect("80 KiB");
    match stream.take(most).read_to_end(&mut answer) {
        Ok(_) => {}
        // Who answered whole may end the connection as they like.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
        Err(error) => return Err(failed(error)),
    }
    let shown = verifier.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let shown = shown.ok_or(EnrolError::Answer("it shows no authority"))?;
    Ok((read(&answer)?, shown))
}

fn read(answer: &[u8]) -> Result<Granted, EnrolError> {
    let end =
        answer.windows(4).position(|it| it == b"\r\n\r\n").ok_or(EnrolError::Answer("it is no HTTP"))?;
    let head = std::str::from_utf8(&answer[..end]).map_err(|_| EnrolError::Answer("it is no HTTP"))?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let header = |name: &str| {
        let named = |line: &&str| line.split_once(':').is_some_and(|(it, _)| it.eq_ignore_ascii_case(name));
        head.split("\r\n").find(named).and_then(|line| line.split_once(':')).map(|(_, value)| value.trim())
    };
    match status.ok_or(EnrolError::Answer("it is no HTTP"))? {
        200 => wire::decode(&answer[end + 4..]).map_err(|_| EnrolError::Answer("its form is not known")),
        403 => Err(EnrolError::Code),
        429 => Err(EnrolError::Wait(header("retry-after").and_then(|it| it.parse().ok()).unwrap_or(60))),
        other => Err(EnrolError::Status(other)),
    }
}

/// Believes a server that shows the authority wanted, and a certificate of it for the server's own name.
struct ByFingerprint {
    wanted: Fingerprint,
    found: Mutex<Option<CertificateDer<'static>>>,
}

impl fmt::Debug for ByFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByFingerprint").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for ByFingerprint {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let authority = intermediates.iter().find(|it| Fingerprint::of(it) == self.wanted).ok_or(unknown)?;
        let authority = authority.clone().into_owned();
        let trusted = Trusted::of(authority.clone(), vec![authority.clone()])?;
        let verified = trusted.of_servers().verify_server_cert(end_entity, &[], name, ocsp, now)?;
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(authority);
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 alone is spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
