//! The gallery from a server over a real broker, and what is left of it without one.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use uplink::live::Live;
use uplink::sync::gallery::{TEMPLATE, TemplateRow};
use uplink::sync::{Change, Digest, Have, Set, chunks};
use uplink::topics::{self, Leaf};
use uplink::wire;
use vision::look::Networks;

use crate::site::{Site, Vision, template};
use crate::{fetched, photo};

/// Debian's Mosquitto with mutual TLS and our access list; killed when dropped.
struct Broker {
    child: Child,
    port: u16,
}

impl Broker {
    fn start(site: &Site) -> Self {
        let port = {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            listener.local_addr().expect("bound").port()
        };
        let files = site.tls("broker");
        fs::write(site.path("acl"), topics::mosquitto_acl("server")).expect("written");
        let text = format!(
            "listener {port} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\n\
             use_identity_as_username true\nallow_anonymous false\nacl_file {}\nuser root\n",
            files.authority.display(),
            files.certificate.display(),
            files.key.display(),
            site.path("acl").display()
        );
        fs::write(site.path("mosquitto.conf"), text).expect("written");
        let child = Command::new("mosquitto")
            .arg("-c")
            .arg(site.path("mosquitto.conf"))
            .stderr(Stdio::null())
            .spawn()
            .expect("Debian's mosquitto");
        let until = Instant::now() + Duration::from_secs(5);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "the broker starts");
            std::thread::yield_now();
        }
        Self { child, port }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What the server does: answers what vision has with what it lacks.
struct Server {
    client: AsyncClient,
    events: EventLoop,
}

impl Server {
    async fn connect(site: &Site, broker: &Broker) -> Self {
        let identity = vision::tls::Identity::read(&site.tls("server")).expect("certificates");
        let tls = identity.client().expect("TLS");
        let mut options = MqttOptions::new("server", "localhost", broker.port);
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::clone(&tls))));
        options.set_max_packet_size(Some(128 * 1024));
        let (client, events) = AsyncClient::new(options, 64);
        for leaf in [Leaf::SyncHave, Leaf::State] {
            client.subscribe(topics::topic("+", leaf), QoS::AtLeastOnce).await.expect("asked");
        }
        Self { client, events }
    }

    /// The next payload on a leaf of `vision-1`.
    async fn next(&mut self, leaf: Leaf) -> Vec<u8> {
        let wanted = topics::topic("vision-1", leaf);
        let wait = async {
            loop {
                if let Ok(Event::Incoming(Packet::Publish(publish))) = self.events.poll().await
                    && publish.topic == wanted.as_bytes()
                {
                    return publish.payload.to_vec();
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(15), wait).await.expect("vision speaks")
    }

    /// What it says it holds of the gallery; what of other sets is passed over.
    async fn have(&mut self) -> Have {
        loop {
            let have: Have = wire::decode(&self.next(Leaf::SyncHave).await).expect("the agreed form");
            if have.set == Set::Gallery {
                return have;
            }
        }
    }

    /// Says a change; the last `have` after it.
    async fn change(&mut self, from: Option<u64>, to: u64, digest: Digest, changes: Vec<Change>) -> Have {
        for chunk in chunks(Set::Gallery, from, to, digest, changes) {
            let topic = topics::topic("vision-1", Leaf::SyncChunk);
            self.client.publish(topic, QoS::AtLeastOnce, false, wire::encode(&chunk)).await.expect("asked");
        }
        self.have().await
    }
}

fn put(digest: &mut Digest, id: u64, row: &TemplateRow) -> Change {
    let change = Change::put(TEMPLATE, id, row);
    if let Change::Put { row, .. } = &change {
        digest.toggle(TEMPLATE, id, row.get());
    }
    change
}

#[tokio::test]
async fn the_gallery_comes_by_versions_and_outlives_the_broker() {
    let site = Site::new();
    let broker = Broker::start(&site);
    let service = "service = { listen = \"127.0.0.1:0\" }";
    let vision = Vision::start(
        &site.config(&format!("{service}\nbroker = {{ host = \"localhost\", port = {} }}\n", broker.port)),
    );
    vision.ready();
    let mut server = Server::connect(&site, &broker).await;
    let live: Live = wire::decode(&server.next(Leaf::State).await).expect("the agreed form");
    assert_eq!((live.replica_version, live.cameras.len()), (None, 0));

    let mut networks = Networks::load(&fetched().join("models"), 640).expect("the models");
    let values = template(&mut networks, &photo("obama.jpg"));
    let mut digest = Digest::default();
    // Enough rows for several parts.
    let whole: Vec<Change> = (1..=80)
        .map(|id| {
            let mut values = values.clone();
            values[usize::try_from(id).expect("small")] += 0.5;
            put(&mut digest, id, &TemplateRow { person: id / 2, values })
        })
        .collect();
    let have = server.change(None, 3, digest, whole).await;
    assert_eq!((have.version, have.digest), (Some(3), digest));

    let row = TemplateRow { person: 900, values: values.clone() };
    let added = put(&mut digest, 81, &row);
    let have = server.change(Some(3), 4, digest, vec![added]).await;
    assert_eq!((have.version, have.digest), (Some(4), digest));
    let sealed = fs::read(site.path("gallery.sealed")).expect("at rest");
    let clear = values[0].to_le_bytes();
    assert!(!sealed.windows(4).any(|window| window == clear), "nothing of it lies in clear");

    // A change whose outcome is not the sender's is not taken; the next good one is.
    let mut wrong = digest;
    wrong.toggle(TEMPLATE, 1, "something else");
    let refused =
        chunks(Set::Gallery, Some(4), 5, wrong, vec![Change::Remove { table: TEMPLATE.into(), id: 81 }]);
    for chunk in refused {
        let topic = topics::topic("vision-1", Leaf::SyncChunk);
        server.client.publish(topic, QoS::AtLeastOnce, false, wire::encode(&chunk)).await.expect("asked");
    }
    let row_text = match Change::put(TEMPLATE, 81, &row) {
        Change::Put { row, .. } => row.get().to_owned(),
        Change::Remove { .. } => unreachable!("a row was put"),
    };
    digest.toggle(TEMPLATE, 81, &row_text);
    let gone = vec![Change::Remove { table: TEMPLATE.into(), id: 81 }];
    let have = server.change(Some(4), 5, digest, gone).await;
    assert_eq!((have.version, have.digest), (Some(5), digest));

    drop(broker);
    drop(vision);
    let alone = Vision::start(&site.config(service));
    alone.ready();
    let held = vision::replica::Replica::new(site.vault().wake().expect("it opens"));
    assert_eq!((held.version(), held.len()), (Some(5), 80));
}
