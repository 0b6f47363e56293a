//! The process: starts every part, passes what happened to the [`Site`] and carries out what it answers.
//!
//! One loop owns the site. It never waits for a bus, a disk or a network: what cannot take something at once is told so.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use domain::time::Utc;
use identity::Revocations;
use osdp::cp::{EventKind, Failure, Token};
use osdp::{Address, Baud};
use ring::rand::{SecureRandom, SystemRandom};
use supervisor::Watchdog;
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant as TokioInstant, sleep_until};
use uplink::event::ControllerChange;
use uplink::live::PERIOD_MS;
use uplink::reader_link::{FromVision, ToVision};
use uplink::sync::{Chunk, Set};

use crate::bus::{self, BusPlan, DEVICES_MAX, FromBus, ToBus};
use crate::config::Config;
use crate::mqtt::{self, FromCentre, ToCentre};
use crate::outbox::{Job, Levels, Options, OutboxError, Reader, Writer, Written};
use crate::private;
use crate::reader_link::{FromLink, ReaderLink};
use crate::replica_store::{FirmwareStore, PolicyStore, ReplicaStore, StoreError, Taken};
use crate::site::{BoardId, CredentialKey, Effect, Input, LinkId, Now, Plan, Site};
use crate::tls::{Identity, TlsError};
use crate::whitelist::{self, ListKey};

/// Messages that wait for the loop, from each source.
const QUEUE: usize = 1_024;
/// Commands that wait for a bus.
const BUS_QUEUE: usize = 256;
/// Live state goes out at most this often, however much changes.
const LIVE_PAUSE: Duration = Duration::from_millis(100);
/// What is being written when the process is told to stop has this long.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why the controller cannot start. One sentence each.
#[derive(Debug, Error)]
pub enum StartError {
    /// The data folder.
    #[error("{}: {source}", path.display())]
    Data {
        /// The folder.
        path: PathBuf,
        /// Why it cannot be used.
        source: std::io::Error,
    },
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The outbox.
    #[error("the outbox cannot be opened: {0}")]
    Outbox(#[from] OutboxError),
    /// A copy of the policy or of the boards' firmware.
    #[error("a replica's copy cannot be opened: {0}")]
    Replica(#[from] StoreError),
    /// The reader link.
    #[error("reader_link.listen: {address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why it cannot be taken.
        source: std::io::Error,
    },
    /// Something of the system.
    #[error("{0}")]
    System(#[from] std::io::Error),
    /// No random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

/// Runs the controller until it is told to stop.
///
/// # Errors
/// When it cannot start.
pub async fn run(mut config: Config) -> Result<(), StartError> {
    let mut stop = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let data = |source| StartError::Data { path: config.data.clone(), source };
    private::folder(&config.data).map_err(data)?;
    let identity = Identity::read(&config.tls, &config.name)?;
    let (client, server) = (identity.client(), identity.server());
    let revocations = revocations(&identity, config.data.join("revoked.pem"));

    let outbox_file = config.outbox_file();
    let options =
        Options { path: outbox_file.clone(), limit: config.outbox_limit, max_pages: config.outbox_pages };
    let mut writer = Writer::open(&options).await?;
    let memory = writer.memory().await?;
    if let Some(aside) = writer.set_aside() {
        tracing::error!(path = %aside.display(), "the outbox was broken: set aside, and begun anew");
    }
    let broken = writer.set_aside().is_some();
    let levels = writer.levels();
    let (store, policy) = PolicyStore::open(&config.data.join("policy.sqlite")).await?;
    let (images, firmware) = FirmwareStore::open(&config.data.join("firmware.sqlite")).await?;

    let (jobs, waiting_jobs) = mpsc::channel(QUEUE);
    let (told, written) = mpsc::channel(QUEUE);
    tokio::spawn(writer.run(waiting_jobs, told));

    let (from_links, links) = mpsc::channel(QUEUE);
    let listening = match &config.reader_link {
        None => None,
        Some(link) => {
            let bind =
                ReaderLink::bind(link.listen, server, bound(&config), Arc::clone(&identity.trusted)).await;
            let listener = bind.map_err(|source| StartError::Listen { address: link.listen, source })?;
            let address = listener.address()?;
            tokio::spawn(listener.run(from_links.clone()));
            Some(address)
        }
    };

    let (chunks, waiting_chunks) = mpsc::channel(QUEUE);
    let (policies, from_store) = mpsc::channel(8);
    let (have, policy_now) = watch::channel(store.have());
    tokio::spawn(keep(store, waiting_chunks, have, policies.clone(), Input::Policy, Input::PolicyRefused));
    let (image_chunks, waiting_chunks) = mpsc::channel(QUEUE);
    let (have, firmware_now) = watch::channel(images.have());
    tokio::spawn(keep(
        images,
        waiting_chunks,
        have,
        policies.clone(),
        Input::Firmware,
        Input::FirmwareRefused,
    ));

    let (to_centre, outgoing) = mpsc::channel(QUEUE);
    let (incoming, from_centre) = mpsc::channel(QUEUE);
    let mqtt = mqtt::Parts {
        device: config.name.clone(),
        broker: config.broker.clone(),
        tls: client,
        identity,
        revocations,
        levels: levels.clone(),
        reader: Reader::open(&outbox_file).await?,
        jobs: jobs.clone(),
        have: [policy_now, firmware_now],
        outgoing,
        incoming,
    };
    tokio::spawn(mqtt::run(mqtt));

    let buses = start_buses(&config)?;
    let name = config.name.clone();
    let list_key = Arc::new(
        ListKey::open(&config.data)
            .map_err(|source| StartError::Data { path: config.data.clone(), source })?,
    );
    let plan = Plan::new(&mut config, list_key.public());
    let key = CredentialKey::new(&config.credential_key);
    let mut process = Process {
        addresses: addresses(&plan),
        site: Site::new(plan, key, policy, first_order()?, &memory),
        clock: Clock::start(),
        jobs,
        unwritten: Vec::new(),
        unsaid: Vec::new(),
        list_key,
        computed: policies,
        to_centre,
        chunks,
        image_chunks,
        levels,
        buses: buses.commands,
        answers: BTreeMap::new(),
        live_at: Instant::now(),
        changed: true,
    };
    if let Some(firmware) = firmware {
        process.step(Input::Firmware(firmware));
    }
    process.note(ControllerChange::Started, None);
    if broken {
        process.note(ControllerChange::OutboxFailed, None);
    }
    // A line that nobody reads any more is no reason to stop.
    let _ = match listening {
        Some(address) => writeln!(std::io::stdout(), "ready {name} reader-link {address}"),
        None => writeln!(std::io::stdout(), "ready {name}"),
    };
    let sources = Sources { buses: buses.events, links, from_centre, from_store, written };
    let mut sources = process.serve(sources, &mut stop).await;
    process.note(ControllerChange::Stopped, None);
    process.last_words(&mut sources.written).await;
    Ok(())
}

/// Whose certificates are revoked. What was kept and cannot be used is asked for anew.
fn revocations(identity: &Identity, file: PathBuf) -> Revocations {
    Revocations::open(Arc::clone(&identity.trusted), file.clone()).unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, path = %file.display(), "nobody is known to be revoked");
        Revocations::anew(Arc::clone(&identity.trusted), file)
    })
}

struct Sources {
    buses: mpsc::Receiver<(usize, FromBus)>,
    links: mpsc::Receiver<FromLink>,
    from_centre: mpsc::Receiver<FromCentre>,
    from_store: mpsc::Receiver<Input>,
    written: mpsc::Receiver<Written>,
}

struct Process {
    site: Site,
    clock: Clock,
    /// Bus and address of each board, in the order of the plan.
    addresses: Vec<(usize, Address)>,
    jobs: mpsc::Sender<Job>,
    /// Writes that the outbox had no place for.
    unwritten: Vec<u64>,
    /// What a bus had no place for.
    unsaid: Vec<(BoardId, u64)>,
    list_key: Arc<ListKey>,
    /// Takes what was worked out beside the loop.
    computed: mpsc::Sender<Input>,
    to_centre: mpsc::Sender<ToCentre>,
    chunks: mpsc::Sender<Chunk>,
    image_chunks: mpsc::Sender<Chunk>,
    levels: watch::Receiver<Levels>,
    buses: Vec<mpsc::Sender<ToBus>>,
    answers: BTreeMap<LinkId, (String, mpsc::Sender<ToVision>)>,
    live_at: Instant,
    changed: bool,
}

impl Process {
    async fn serve(&mut self, mut sources: Sources, stop: &mut (Signal, Signal)) -> Sources {
        let mut watchdog = Watchdog::ready();
        loop {
            watchdog.turned();
            let wake = self.wake();
            tokio::select! {
                biased;
                _ = stop.0.recv() => return sources,
                _ = stop.1.recv() => return sources,
                Some(written) = sources.written.recv() => {
                    self.step(Input::Written { token: written.token, ok: written.result.is_ok() });
                }
                Some((bus, event)) = sources.buses.recv() => self.bus_said(bus, event),
                Some(said) = sources.links.recv() => self.link_said(said),
                Some(said) = sources.from_centre.recv() => self.centre_said(said),
                Some(input) = sources.from_store.recv() => self.step(input),
                () = sleep_until(wake) => self.step(Input::Tick),
            }
            while let Some(token) = self.unwritten.pop() {
                self.step(Input::Written { token, ok: false });
            }
            while let Some((board, token)) = self.unsaid.pop() {
                let failed = EventKind::Failed(Token(token), Failure::Expired);
                self.step(Input::Heard(board, Box::new(failed)));
            }
            self.publish_live();
        }
    }

    fn wake(&self) -> TokioInstant {
        let pause = if self.changed { LIVE_PAUSE } else { Duration::from_millis(PERIOD_MS) - LIVE_PAUSE };
        let site = self.site.deadline().map(|at| self.clock.began + Duration::from_micros(at));
        let live = self.live_at + pause;
        site.map_or(live, |site| site.min(live)).into()
    }

    fn step(&mut self, input: Input) {
        self.changed |= !matches!(input, Input::Tick | Input::Written { .. } | Input::Counted(..));
        let effects = self.site.handle(self.clock.now(), input);
        self.carry_out(effects);
    }

    fn note(&mut self, change: ControllerChange, count: Option<i64>) {
        let effects = self.site.note(self.clock.now(), change, count);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Say { board, say, token, life } => {
                    let (bus, address) = self.addresses[board.0];
                    let expires = Instant::now() + Duration::from_micros(life);
                    if self.buses[bus].try_send(ToBus { address, say, token, expires }).is_err() {
                        tracing::error!(bus, "the bus does not keep up; a command was dropped");
                        self.unsaid.push((board, token));
                    }
                }
                Effect::Write(write) => {
                    let token = write.token;
                    if self.jobs.try_send(Job::Write(write)).is_err() {
                        self.unwritten.push(token);
                    }
                }
                Effect::Verdict { link, camera, track, granted } => {
                    if let Some((_, answers)) = self.answers.get(&link) {
                        // A process that does not read its answers only repeats itself.
                        let _ = answers.try_send(ToVision::Verdict { camera, track, granted });
                    }
                }
                Effect::Ask(ask) => self.tell_centre(ToCentre::Ask(ask)),
                Effect::Result(outcome) => self.tell_centre(ToCentre::Result(outcome)),
                Effect::MakeList(board, order) => {
                    let (key, computed) = (Arc::clone(&self.list_key), self.computed.clone());
                    tokio::task::spawn_blocking(move || {
                        let list = whitelist::make(&key, &order);
                        // The loop has ended: no list is needed any more.
                        let _ = computed.blocking_send(Input::ListMade(board, list));
                    });
                }
            }
        }
    }

    fn tell_centre(&self, said: ToCentre) {
        if self.to_centre.try_send(said).is_err() {
            tracing::warn!("the link to the broker does not keep up");
        }
    }

    fn publish_live(&mut self) {
        let since = self.live_at.elapsed();
        if (self.changed && since >= LIVE_PAUSE) || since >= Duration::from_millis(PERIOD_MS) - LIVE_PAUSE {
            let live = self.site.live(self.clock.now(), *self.levels.borrow());
            self.tell_centre(ToCentre::State(Box::new(live)));
            self.live_at = Instant::now();
            self.changed = false;
        }
    }

    fn bus_said(&mut self, bus: usize, said: FromBus) {
        match said {
            FromBus::Up => self.step(Input::Bus { bus, up: true }),
            FromBus::Down => self.step(Input::Bus { bus, up: false }),
            FromBus::Device(event) => {
                if let Some(board) = self.board_at(bus, event.address) {
                    self.step(Input::Heard(board, Box::new(event.kind)));
                }
            }
            FromBus::FileAt(address, offset) => {
                if let Some(board) = self.board_at(bus, address) {
                    self.step(Input::FileAt(board, offset));
                }
            }
            FromBus::Counted(address, counted) => {
                if let Some(board) = self.board_at(bus, address) {
                    self.step(Input::Counted(board, counted));
                }
            }
        }
    }

    fn board_at(&self, bus: usize, address: Address) -> Option<BoardId> {
        self.addresses.iter().position(|it| *it == (bus, address)).map(BoardId)
    }

    fn link_said(&mut self, said: FromLink) {
        match said {
            FromLink::Up { link, vision, answers } => {
                tracing::info!(vision, "a vision process is there");
                self.answers.insert(link, (vision, answers));
            }
            FromLink::Said { link, vision, message: FromVision::Sighting(sighting) } => {
                self.step(Input::Sighting { link, vision, sighting: Box::new(sighting) });
            }
            FromLink::Said { vision, message: FromVision::Camera { camera, up }, .. } => {
                self.step(Input::Camera { vision, camera, up });
            }
            FromLink::Said { message: FromVision::Hello { .. } | FromVision::Alive, .. } => {}
            FromLink::Down { link, vision } => {
                tracing::warn!(vision, "a vision process is gone");
                self.answers.remove(&link);
                if self.answers.values().all(|(other, _)| *other != vision) {
                    for camera in self.site.cameras_of(&vision) {
                        self.step(Input::Camera { vision: vision.clone(), camera, up: false });
                    }
                }
            }
        }
    }

    fn centre_said(&mut self, said: FromCentre) {
        match said {
            FromCentre::Up => return self.step(Input::Broker { up: true }),
            FromCentre::Down => return self.step(Input::Broker { up: false }),
            FromCentre::Heard => return self.step(Input::CentreHeard),
            FromCentre::Answer(_) | FromCentre::Command(_) | FromCentre::Chunk(_) => {}
        }
        self.step(Input::CentreHeard);
        match said {
            FromCentre::Answer(answer) => self.step(Input::Answer(answer)),
            FromCentre::Command(command) => self.step(Input::Command(command)),
            FromCentre::Chunk(chunk) => {
                // What finds no place is offered again: the server is told every ten seconds what is held.
                let store = if chunk.set == Set::Firmware { &self.image_chunks } else { &self.chunks };
                let _ = store.try_send(*chunk);
            }
            FromCentre::Up | FromCentre::Down | FromCentre::Heard => {}
        }
    }

    /// What is on its way to the disk may arrive there.
    async fn last_words(&mut self, written: &mut mpsc::Receiver<Written>) {
        let until = TokioInstant::now() + LAST_WORDS;
        while self.site.is_writing() {
            match tokio::time::timeout_at(until, written.recv()).await {
                Ok(Some(answer)) => {
                    self.step(Input::Written { token: answer.token, ok: answer.result.is_ok() })
                }
                Ok(None) | Err(_) => return,
            }
        }
    }
}

/// Monotonic and wall time.
struct Clock {
    began: Instant,
}

impl Clock {
    fn start() -> Clock {
        Clock { began: Instant::now() }
    }

    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now {
            mono: u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX),
            utc: Utc(i64::try_from(wall.as_micros()).unwrap_or(i64::MAX)),
        }
    }
}

/// Where the numbers of orders begin: at random, so that a board that remembers the last run's takes none of ours for it.
fn first_order() -> Result<u64, StartError> {
    let mut random = [0; 8];
    SystemRandom::new().fill(&mut random).map_err(|_| StartError::Random)?;
    Ok(u64::from_be_bytes(random) >> 1)
}

fn bound(config: &Config) -> BTreeMap<String, BTreeSet<String>> {
    let mut bound: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for camera in config.reader_link.iter().flat_map(|link| &link.cameras) {
        bound.entry(camera.vision.clone()).or_default().insert(camera.name.clone());
    }
    bound
}

fn addresses(plan: &Plan) -> Vec<(usize, Address)> {
    let address = |value| Address::new(value).expect("the configuration was checked: 0 to 126");
    plan.boards.iter().map(|board| (board.bus, address(board.device.address))).collect()
}

struct Buses {
    commands: Vec<mpsc::Sender<ToBus>>,
    events: mpsc::Receiver<(usize, FromBus)>,
}

fn start_buses(config: &Config) -> Result<Buses, StartError> {
    let (all, events) = mpsc::channel(QUEUE);
    let mut commands = Vec::new();
    for (index, it) in config.buses.iter().enumerate() {
        let device = |device: &crate::config::Device| {
            let address = Address::new(device.address).expect("the configuration was checked: 0 to 126");
            (address, device.key.clone())
        };
        let plan = BusPlan {
            name: it.name.clone(),
            port: it.port.clone(),
            baud: Baud::new(it.baud).expect("the configuration was checked: no baud rate is 0"),
            devices: it.devices.iter().take(DEVICES_MAX).map(device).collect(),
        };
        let (sender, receiver) = mpsc::channel(BUS_QUEUE);
        let (tell, mut told) = mpsc::channel(QUEUE);
        bus::start(plan, receiver, tell)?;
        let all = all.clone();
        tokio::spawn(async move {
            while let Some(event) = told.recv().await {
                if all.send((index, event)).await.is_err() {
                    return;
                }
            }
        });
        commands.push(sender);
    }
    Ok(Buses { commands, events })
}

/// Takes a replica's parts apart from the loop: checking a large one takes a while.
async fn keep<T: Send + Sync + 'static>(
    mut store: ReplicaStore<T>,
    mut chunks: mpsc::Receiver<Chunk>,
    have: watch::Sender<uplink::sync::Have>,
    out: mpsc::Sender<Input>,
    applied: fn(Arc<T>) -> Input,
    refused: fn(u64) -> Input,
) {
    while let Some(chunk) = chunks.recv().await {
        let (set, version, part, parts) = (chunk.set, chunk.to, chunk.part, chunk.parts);
        let news = match store.take(chunk).await {
            Ok(Taken::Gathering | Taken::NotForUs) => continue,
            Ok(Taken::Applied(made)) => {
                tracing::info!(?set, version, "a new replica is in force");
                have.send_replace(store.have());
                applied(made)
            }
            Ok(Taken::Refused { version, why }) => {
                tracing::error!(?set, version, %why, "a replica was refused; the one in force stays");
                refused(version)
            }
            Err(error) => {
                let cause: &dyn std::error::Error = &error;
                tracing::error!(?set, version, part, parts, error = cause, "a replica could not be stored");
                continue;
            }
        };
        if out.send(news).await.is_err() {
            return;
        }
    }
}
