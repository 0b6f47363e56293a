//! The listener for vision processes: TLS 1.3 with certificates of the site on both sides, frames of a bounded length.
//!
//! Who speaks is said by the certificate, and only configured vision processes are listened to. A frame that cannot be read
//! ends its connection; nothing of it is used. A place is for a vision process alone: those who have not said yet who they
//! are wait apart, and take it from nobody.

mod handshakes;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use identity::{Trusted, common_name};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use uplink::reader_link::{FromVision, ToVision};
use uplink::wire::{self, WireError};

use self::handshakes::{Handshakes, Refusals};
use crate::site::LinkId;

/// Connections of vision processes at once.
const CONNECTIONS: usize = 32;
/// A handshake may take so long.
const HANDSHAKE: Duration = Duration::from_secs(3);
/// The first word after it may take so long.
const GREETING: Duration = Duration::from_secs(5);
/// A vision process that says nothing for so long is gone: it says `alive` every second.
const SILENCE: Duration = Duration::from_secs(5);
/// Answers that wait for a connection; a process that does not read them is disconnected.
const ANSWERS: usize = 64;

/// What the listener tells.
#[derive(Debug)]
pub enum FromLink {
    /// A vision process is there.
    Up {
        /// Its connection.
        link: LinkId,
        /// Its common name.
        vision: String,
        /// Takes what is for it.
        answers: mpsc::Sender<ToVision>,
    },
    /// It said something.
    Said {
        /// Its connection.
        link: LinkId,
        /// Its common name.
        vision: String,
        /// What.
        message: FromVision,
    },
    /// It is gone.
    Down {
        /// Its connection.
        link: LinkId,
        /// Its common name.
        vision: String,
    },
}

/// Which cameras of which vision process are bound here.
pub type Bound = BTreeMap<String, BTreeSet<String>>;

/// Why a connection ended.
#[derive(Debug, Error)]
enum LinkError {
    #[error("the connection failed")]
    Io(#[from] std::io::Error),
    #[error("nothing came in time")]
    Silent,
    #[error("`{0}` is not a vision process of this controller")]
    Stranger(String),
    #[error("the certificate has no common name")]
    Nameless,
    #[error("its certificate is revoked")]
    Revoked,
    #[error("the first message must be a hello under the certificate's name")]
    NoHello,
    #[error("a frame of {0} bytes")]
    TooLarge(usize),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("another came and there was no room for both")]
    GivenUp,
    #[error("there are {CONNECTIONS} connections already")]
    Full,
    #[error("the controller stops")]
    Stopped,
}

/// The listener.
pub struct ReaderLink {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    bound: Arc<Bound>,
    trusted: Arc<Trusted>,
}

impl ReaderLink {
    /// Takes the address.
    ///
    /// # Errors
    /// When it is in use, or not one of this machine.
    pub async fn bind(
        listen: SocketAddr,
        tls: Arc<ServerConfig>,
        bound: Bound,
        trusted: Arc<Trusted>,
    ) -> std::io::Result<ReaderLink> {
        let listener = TcpListener::bind(listen).await?;
        Ok(ReaderLink { listener, acceptor: TlsAcceptor::from(tls), bound: Arc::new(bound), trusted })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system cannot say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Accepts until nobody listens any more.
    pub async fn run(self, out: mpsc::Sender<FromLink>) {
        let mut next = 1;
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let (mut handshakes, mut refusals) = (Handshakes::new(), Refusals::default());
        loop {
            let greeted = tokio::select! {
                accepted = self.listener.accept() => {
                    match accepted {
                        Ok(_) if out.is_closed() => return,
                        Ok((stream, peer)) => {
                            let greeting = greet(stream, self.acceptor.clone(), Arc::clone(&self.bound));
                            handshakes.begin(peer.ip(), async move { (peer, greeting.await) });
                        }
                        Err(error) => {
                            tracing::warn!(%error, "a connection could not be accepted");
                            // Too many open files, most likely: give others time to close theirs.
                            tokio::time::sleep(Duration::from_millis(100)).await;
                        }
                    }
                    continue;
                }
                greeted = handshakes.next() => greeted,
            };
            let (peer, greeted) =
                greeted.map_or((None, Err(LinkError::GivenUp)), |(peer, it)| (Some(peer), it));
            let placed = greeted.and_then(|vision| {
                Ok((vision, Arc::clone(&places).try_acquire_owned().map_err(|_| LinkError::Full)?))
            });
            match placed {
                Ok((vision, place)) => {
                    let (link, out, trusted) = (LinkId(next), out.clone(), Arc::clone(&self.trusted));
                    next += 1;
                    tokio::spawn(async move {
                        if let Err(error) = serve(link, vision, &out, &trusted).await {
                            tracing::warn!(
                                ?peer,
                                error = &error as &dyn std::error::Error,
                                "reader link ended"
                            );
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    if let Some(refused) = refusals.count(Instant::now()) {
                        let last = &error as &dyn std::error::Error;
                        tracing::warn!(refused, ?peer, last, "reader link: connections were refused");
                    }
                }
            }
        }
    }
}

/// A vision process that has shown its certificate.
struct Vision {
    name: String,
    certificate: CertificateDer<'static>,
    cameras: BTreeSet<String>,
    stream: TlsStream<TcpStream>,
}

/// The handshake: who is there, if it is one of ours.
async fn greet(stream: TcpStream, acceptor: TlsAcceptor, bound: Arc<Bound>) -> Result<Vision, LinkError> {
    stream.set_nodelay(true)?;
    let stream = timeout(HANDSHAKE, acceptor.accept(stream)).await.map_err(|_| LinkError::Silent)??;
    let (_, session) = stream.get_ref();
    let certificate =
        session.peer_certificates().and_then(|chain| chain.first()).ok_or(LinkError::Nameless)?;
    let certificate = certificate.clone().into_owned();
    let name = common_name(&certificate).ok_or(LinkError::Nameless)?;
    let cameras = bound.get(&name).cloned().ok_or_else(|| LinkError::Stranger(name.clone()))?;
    Ok(Vision { name, certificate, cameras, stream })
}

async fn serve(
    link: LinkId,
    vision: Vision,
    out: &mpsc::Sender<FromLink>,
    trusted: &Trusted,
) -> Result<(), LinkError> {
    let Vision { name, certificate, cameras, stream } = vision;
    let (mut reader, mut writer) = tokio::io::split(stream);
    let wanted: BTreeSet<String> = match timeout(GREETING, receive(&mut reader)).await {
        Ok(Ok(FromVision::Hello { vision, cameras })) if vision == name => cameras.into_iter().collect(),
        Ok(Err(error)) => return Err(error),
        Ok(Ok(_)) => return Err(LinkError::NoHello),
        Err(_) => return Err(LinkError::Silent),
    };
    let (answers, mut waiting) = mpsc::channel(ANSWERS);
    let welcome = ToVision::Welcome { cameras: wanted.intersection(&cameras).cloned().collect() };
    send(&mut writer, &welcome).await?;
    let up = FromLink::Up { link, vision: name.clone(), answers };
    out.send(up).await.map_err(|_| LinkError::Stopped)?;
    let outcome = tokio::select! {
        ended = listen(link, &name, &mut reader, out, || trusted.has_revoked(&certificate)) => ended,
        ended = async {
            while let Some(answer) = waiting.recv().await {
                send(&mut writer, &answer).await?;
            }
            Err(LinkError::Stopped)
        } => ended,
    };
    let _ = out.send(FromLink::Down { link, vision: name }).await;
    outcome
}

async fn listen(
    link: LinkId,
    name: &str,
    reader: &mut (impl AsyncRead + Unpin),
    out: &mpsc::Sender<FromLink>,
    is_revoked: impl Fn() -> bool,
) -> Result<(), LinkError> {
    loop {
        let message = timeout(SILENCE, receive(reader)).await.map_err(|_| LinkError::Silent)??;
        // It says something every second: whoever was revoked meanwhile says no more than that.
        if is_revoked() {
            return Err(LinkError::Revoked);
        }
        match message {
            FromVision::Alive => {}
            FromVision::Hello { .. } => return Err(LinkError::NoHello),
            message @ (FromVision::Sighting(_) | FromVision::Camera { .. }) => {
                let said = FromLink::Said { link, vision: name.to_owned(), message };
                out.send(said).await.map_err(|_| LinkError::Stopped)?;
            }
        }
    }
}

async fn receive(reader: &mut (impl AsyncRead + Unpin)) -> Result<FromVision, LinkError> {
    let length = usize::try_from(reader.read_u32().await?).unwrap_or(usize::MAX);
    if length > wire::LARGEST {
        return Err(LinkError::TooLarge(length));
    }
    let mut frame = vec![0; length];
    reader.read_exact(&mut frame).await?;
    Ok(wire::decode(&frame)?)
}

async fn send(writer: &mut (impl AsyncWriteExt + Unpin), message: &ToVision) -> Result<(), LinkError> {
    let body = wire::encode(message);
    let mut frame = Vec::with_capacity(4 + body.len());
    frame.extend(u32::try_from(body.len()).map_err(|_| LinkError::TooLarge(body.len()))?.to_be_bytes());
    frame.extend(body);
    writer.write_all(&frame).await?;
    writer.flush().await?;
    Ok(())
}
