//! A server that was restored from a backup, and the outbox and sender that controllers really have.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gateway::config;
use gateway::mqtt::{self, Parts};
use gateway::outbox::{Entry, Job, Levels, Options, Reader, Write, Writer, Written};
use gateway::tls::Identity;
use kit::journal::StoredEvent;
use kit::testing::databases;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use uplink::event::{self, Body, ControllerChange, Door, DoorChange};
use uplink::sync::{Digest, Have, Set};

use super::broker::Broker;
use super::site::{Site, provider};

const NAME: &str = "controller-1";
/// Between what the server says and what it says again some seconds pass.
const PATIENCE: Duration = Duration::from_secs(60);

/// A controller, as far as its events go.
pub(crate) struct Controller {
    jobs: mpsc::Sender<Job>,
    written: mpsc::Receiver<Written>,
    levels: watch::Receiver<Levels>,
    _said: (mpsc::Sender<mqtt::ToCentre>, watch::Sender<Have>),
    _tasks: JoinSet<()>,
}

impl Controller {
    pub(crate) async fn start(site: &Site, folder: &Path) -> Self {
        let path = folder.join("outbox.sqlite");
        let options = Options { path: path.clone(), limit: 100_000, max_pages: None };
        let writer = Writer::open(&options).await.unwrap();
        let levels = writer.levels();
        let (jobs, waiting) = mpsc::channel(64);
        let (told, written) = mpsc::channel(64);
        let (say, outgoing) = mpsc::channel(64);
        let (incoming, mut heard) = mpsc::channel(64);
        let nothing = Have { set: Set::Policy, version: None, digest: Digest::default() };
        let (holds, have) = watch::channel(nothing);
        let tls = config::Tls {
            ca: site.pki("ca.pem"),
            certificate: site.pki(&format!("{NAME}.pem")),
            key: site.pki(&format!("{NAME}.key")),
        };
        let identity = Identity::read(&tls, NAME).unwrap();
        let revoked = path.with_extension("revoked");
        let revocations = identity::Revocations::anew(Arc::clone(&identity.trusted), revoked);
        let parts = Parts {
            device: NAME.to_owned(),
            broker: config::Broker { host: "localhost".to_owned(), port: site.broker_port },
            tls: identity.client(),
            identity,
            revocations,
            levels: levels.clone(),
            reader: Reader::open(&path).await.unwrap(),
            jobs: jobs.clone(),
            have: [have.clone(), have],
            outgoing,
            incoming,
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(writer.run(waiting, told));
        tasks.spawn(mqtt::run(parts));
        tasks.spawn(async move { while heard.recv().await.is_some() {} });
        Self { jobs, written, levels, _said: (say, holds), _tasks: tasks }
    }

    /// So many everyday events happen at one door; all of them are written down.
    pub(crate) async fn happens(&mut self, count: usize) {
        for some in vec![(); count].chunks(100) {
            let body = Body::Door(Door { door: 7, change: DoorChange::Opened, side: None });
            let events = vec![Entry { at: 1_772_438_400_000_000, body }; some.len()];
            self.jobs.send(Job::Write(Write { token: 1, events, kept: Vec::new() })).await.unwrap();
            assert!(self.written.recv().await.unwrap().result.is_ok());
        }
    }

    /// Waits until the outbox stands so.
    async fn wait(&mut self, what: &str, is: impl FnMut(&Levels) -> bool) -> Levels {
        let mut levels = self.levels.clone();
        let waited = tokio::time::timeout(PATIENCE, levels.wait_for(is)).await.map(|it| *it.unwrap());
        waited.unwrap_or_else(|_| panic!("{what}: in vain, {:?}", *self.levels.borrow()))
    }

    /// Waits until a site's journal holds so many of its everyday events.
    pub(crate) async fn holds(&self, site: &Site, wanted: usize) {
        let held = async {
            while site.journal().await.iter().filter(|it| it.stream == kit::Stream::Bulk).count() < wanted {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(PATIENCE, held).await.unwrap();
    }

    pub(crate) async fn drained(&mut self) -> Levels {
        self.wait("an empty outbox", |it| it.last == it.acked).await
    }
}

/// The files of an SQLite database.
fn files(site: &Site) -> Vec<PathBuf> {
    let path = site.database.strip_prefix("sqlite:").unwrap();
    ["", "-wal", "-shm"].iter().map(|end| PathBuf::from(format!("{path}{end}"))).collect()
}

fn back_up(site: &Site, folder: &Path) {
    for file in files(site).iter().filter(|file| file.exists()) {
        std::fs::copy(file, folder.join(file.file_name().unwrap())).unwrap();
    }
}

fn restore(site: &Site, folder: &Path) {
    for file in files(site) {
        let _ = std::fs::remove_file(&file);
        let saved = folder.join(file.file_name().unwrap());
        if saved.exists() {
            std::fs::copy(saved, file).unwrap();
        }
    }
}

/// The numbers of one epoch's everyday events in the journal, in its order.
fn numbers(journal: &[std::sync::Arc<StoredEvent>], epoch: u32) -> Vec<u64> {
    let own = |it: &&std::sync::Arc<StoredEvent>| {
        it.source == NAME && it.stream == kit::Stream::Bulk && it.epoch == epoch
    };
    journal.iter().filter(own).map(|it| it.number).collect()
}

fn losses(journal: &[std::sync::Arc<StoredEvent>]) -> Vec<event::Controller> {
    let told = journal.iter().filter(|it| it.kind == "controller").filter_map(|it| it.parse());
    told.filter(|it: &event::Controller| it.change == ControllerChange::EventsLost).collect()
}

/// Runs a controller's events past a server that is backed up after the first `before` of them and restored after
/// `after` more. Says what the outbox's levels were at the end of either part, and what the journal holds in the end.
async fn set_back(before: usize, after: usize) -> (Levels, Levels, Vec<std::sync::Arc<StoredEvent>>) {
    provider();
    let [database, _] = databases().await;
    let site = Site::new(&database);
    let _broker = Broker::start(site.directory.path(), site.broker_port);
    let server = site.serve();
    let (outbox, saved) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut controller = Controller::start(&site, outbox.path()).await;
    controller.happens(before).await;
    controller.drained().await;
    assert!(server.stop().1.success());
    back_up(&site, saved.path());
    let server = site.serve();
    controller.happens(after).await;
    let first = controller.drained().await;
    assert!(server.stop().1.success());
    restore(&site, saved.path());
    let server = site.serve();
    // Something happens: by the answer to it the controller sees that the server was set back.
    controller.happens(1).await;
    controller.wait("what the server lacks", |it| it.acked != first.acked || it.epoch != first.epoch).await;
    let last = controller.drained().await;
    controller.happens(3).await;
    controller.drained().await;
    assert!(server.stop().1.success());
    (first, last, site.journal().await)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_restored_server_lacks_comes_again_from_the_controllers_ring() {
    let (first, last, journal) = set_back(300, 400).await;
    assert_eq!(last.epoch, first.epoch, "nothing is lost: no new epoch");
    assert_eq!(numbers(&journal, last.epoch[1]), (1..=704).collect::<Vec<_>>());
    assert!(losses(&journal).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_ring_has_no_more_is_named_and_the_rest_goes_on() {
    let (first, last, journal) = set_back(300, 2_000).await;
    let (before, after) = (first.epoch[1], last.epoch[1]);
    assert_ne!(before, after, "the numbers in between cannot be given any more");
    assert_eq!(first.epoch[0], last.epoch[0], "the urgent stream goes on as it was");
    assert_eq!(numbers(&journal, before), (1..=300).collect::<Vec<_>>());
    let [told] = losses(&journal).try_into().unwrap();
    let lost = told.lost.unwrap();
    assert_eq!((lost.epoch, lost.stream, lost.from), (before, event::Stream::Bulk, 301));
    let count = told.count.unwrap().cast_unsigned();
    assert_eq!(lost.up_to - lost.from + 1, count, "one range, all of it gone");
    // What was kept of the old numbers, the one that happened then, and the three after it.
    let carried = 2_300 - 300 - count + 1 + 3;
    assert!(carried >= 1_004, "the ring holds a thousand at a door: {carried}");
    assert_eq!(numbers(&journal, after), (1..=carried).collect::<Vec<_>>());
}
