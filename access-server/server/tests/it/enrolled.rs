//! Real devices at a real server and broker: enrolled with a code, renewed, revoked.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use gateway::enrol::{CONFIGURATION, enrol};
use identity::enrol::EnrolError;
use identity::{Certificate, NewKey, key_of_request};
use kit::pki::{Authority, Holder};
use kit::testing::databases;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sqlx::Connection as _;
use uplink::enrol::{Code, Fingerprint};

use super::broker::Broker;
use super::events::wait_for;
use super::site::{Server, Site, command, provider};

/// A site that has the controller 7, and its server.
async fn with_controller(database: &kit::testing::Database) -> (Site, Server) {
    let site = Site::new(database);
    let mut connection = sqlx::AnyConnection::connect(&site.database).await.unwrap();
    sqlx::query("INSERT INTO controller (id, key, name, latin) VALUES (7, 'lobby', '大堂', '')")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let server = site.serve();
    (site, server)
}

fn say(site: &Site, words: &[&str]) -> String {
    let config = site.file("server.toml");
    let mut arguments = vec!["device", words[0], "--config", &config];
    arguments.extend(&words[1..]);
    let out = command(&arguments);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn invite(site: &Site) -> Code {
    let said = say(site, &["invite", "controller-7"]);
    let code = said.lines().next().unwrap().rsplit(": ").next().unwrap();
    identity::enrol::typed(Some(code)).unwrap()
}

fn address(server: &Server) -> String {
    format!("https://{}", server.address)
}

async fn enrolled(server: &Server, code: &Code, directory: &Path) -> Result<String, EnrolError> {
    let (server, code, directory) = (address(server), code.clone(), directory.to_owned());
    tokio::task::spawn_blocking(move || enrol(&server, &code, &directory)).await.unwrap()
}

fn entries(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A controller as a process of its own, run by its configuration; ends when dropped.
struct Controller(tokio::task::JoinHandle<()>);

impl Controller {
    fn run(directory: &Path) -> Self {
        let config = gateway::config::read(&directory.join(CONFIGURATION)).unwrap();
        Self(tokio::spawn(async move { gateway::process::run(config).await.unwrap() }))
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn journaled(site: &Site, source: &str, kind: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !site.journal().await.iter().any(|it| it.source == source && it.kind == kind) {
        assert!(Instant::now() < deadline, "no {kind} of {source} was journaled");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_is_enrolled_with_a_code_and_links() {
    provider();
    for database in databases().await {
        let (site, server) = with_controller(&database).await;
        let _broker = Broker::start(site.directory.path(), site.broker_port);
        let code = invite(&site);
        assert!(say(&site, &["codes"]).contains("controller-7"));
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("controller");
        assert_eq!(enrolled(&server, &code, &place).await.unwrap(), "controller-7");
        let files = ["ca.pem", "controller-7.key", "controller-7.pem", CONFIGURATION, "credential.hex"];
        assert_eq!(entries(&place), files);
        for secret in ["controller-7.key", "credential.hex", CONFIGURATION] {
            let mode = std::fs::metadata(place.join(secret)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{secret}");
        }
        assert!(say(&site, &["codes"]).is_empty(), "it is used up");
        assert!(say(&site, &["certificates"]).contains("controller-7"));

        let _controller = Controller::run(&place);
        journaled(&site, "controller-7", "controller").await;

        // What is there is overwritten by nothing, and no code is spent on it.
        let second = invite(&site);
        let refused = enrolled(&server, &second, &place).await.unwrap_err();
        assert!(matches!(refused, EnrolError::Exists(_)), "{refused}");
        let other = directory.path().join("other");
        assert!(matches!(enrolled(&server, &code, &other).await, Err(EnrolError::Code)), "once");
        assert!(entries(&other).is_empty(), "nothing is left of a try");
        assert!(enrolled(&server, &second, &other).await.is_ok(), "the second was not spent");
    }
}

/// Whoever stands between has another authority, or a certificate that is not the server's.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_to_whoever_stands_between() {
    provider();
    let [database, _] = databases().await;
    let (site, server) = with_controller(&database).await;
    let secret = [5; Code::SECRET];
    let foreign = Code::new(secret, Fingerprint::of(b"another authority"));
    let directory = tempfile::tempdir().unwrap();
    let refused = enrolled(&server, &foreign, directory.path()).await.unwrap_err();
    assert!(matches!(refused, EnrolError::OtherSite(_)), "{refused}");
    assert!(entries(directory.path()).is_empty());
    let told = site.journal().await;
    assert!(told.iter().all(|it| !it.kind.starts_with("enrolment.")), "the server heard nothing");

    // A device of the site, which has a certificate of the right authority, and is not the server.
    let ca = CertificateDer::from_pem_file(site.pki("ca.pem")).unwrap();
    let code = Code::new(secret, Fingerprint::of(&ca));
    let mut chain = std::fs::read_to_string(site.pki("vision-1.pem")).unwrap();
    chain.push_str(&std::fs::read_to_string(site.pki("ca.pem")).unwrap());
    let between = site.file("between.pem");
    std::fs::write(&between, chain).unwrap();
    let config = server::tls::listener(Path::new(&between), &site.pki("vision-1.key")).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut session = rustls::ServerConnection::new(config).unwrap();
        let mut heard = Vec::new();
        let mut stream = rustls::Stream::new(&mut session, &mut socket);
        let _ = std::io::Read::read_to_end(&mut stream, &mut heard);
        heard
    });
    let place = directory.path().to_owned();
    let refused = tokio::task::spawn_blocking(move || enrol(&address, &code, &place)).await.unwrap();
    assert!(matches!(refused, Err(EnrolError::OtherSite(_))), "{refused:?}");
    assert_eq!(heard.join().unwrap(), b"", "no secret was told");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_for_devices_takes_little() {
    let [database, _] = databases().await;
    let (site, server) = with_controller(&database).await;
    let status = |body: &str| {
        let port = server.address.rsplit(':').next().unwrap();
        let out = Command::new("curl")
            .args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"])
            .args(["--cacert", site.pki("ca.pem").to_str().unwrap()])
            .args(["--connect-to", &format!("server:{port}:127.0.0.1:{port}")])
            .args(["--data-binary", body, &format!("https://server:{port}/enrol")])
            .output()
            .unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    let large = "x".repeat(5000);
    assert_eq!([status(&large), status("{}"), status("{\"v\":2}")], ["413", "400", "400"]);
}

/// A client of the broker, with the certificate in a directory.
fn client(site: &Site, directory: &Path, name: &str) -> (AsyncClient, EventLoop) {
    let read = |file: String| std::fs::read(directory.join(file)).unwrap();
    let mut options = MqttOptions::new(name, "localhost", site.broker_port);
    options.set_transport(Transport::tls_with_config(TlsConfiguration::Simple {
        ca: std::fs::read(site.pki("ca.pem")).unwrap(),
        alpn: None,
        client_auth: Some((read(format!("{name}.pem")), read(format!("{name}.key")))),
    }));
    AsyncClient::new(options, 10)
}

/// Whether the broker lets it in, within a while.
async fn comes_in(events: &mut EventLoop) -> bool {
    let connected = async {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), connected).await.unwrap_or(false)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_is_revoked_is_put_off_and_stays_out() {
    provider();
    for database in databases().await {
        let (site, server) = with_controller(&database).await;
        let _broker = Broker::start(site.directory.path(), site.broker_port);
        let directory = tempfile::tempdir().unwrap();
        enrolled(&server, &invite(&site), directory.path()).await.unwrap();
        let (_stolen, mut events) = client(&site, directory.path(), "controller-7");
        assert!(comes_in(&mut events).await);
        let (_other, mut others) = client(&site, &site.pki(""), "controller-1");
        assert!(comes_in(&mut others).await);

        let listed = say(&site, &["certificates"]);
        let serial = listed.lines().find(|line| line.contains("controller-7")).unwrap();
        let serial = serial.split(' ').next().unwrap();
        say(&site, &["revoke", serial, "--reason", "stolen"]);
        let put_off = async { while events.poll().await.is_ok() {} };
        tokio::time::timeout(Duration::from_secs(15), put_off).await.expect("it is put off");
        for _ in 0..20 {
            assert!(!comes_in(&mut events).await, "it stays out");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let undisturbed = async { while others.poll().await.is_ok() {} };
        assert!(tokio::time::timeout(Duration::from_secs(1), undisturbed).await.is_err(), "the others stay");

        // The device itself is welcome again with another code.
        let anew = tempfile::tempdir().unwrap();
        enrolled(&server, &invite(&site), anew.path()).await.unwrap();
        let (_anew, mut events) = client(&site, anew.path(), "controller-7");
        assert!(comes_in(&mut events).await);
        assert!(site.journal().await.iter().any(|it| it.kind == "certificate.revoked"));
    }
}

/// A broker that was started before this version is told of by a trouble, and its files are brought up to date.
#[tokio::test(flavor = "multi_thread")]
async fn a_brokers_older_configuration_is_brought_up_to_date() {
    let [database, _] = databases().await;
    let site = Site::new(&database);
    let file = site.file("broker/mosquitto.conf");
    let written = std::fs::read_to_string(&file).unwrap();
    let without: String = written
        .lines()
        .filter(|line| !line.starts_with("crlfile") && !line.starts_with("pid_file"))
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(&file, &without).unwrap();
    let acl = std::fs::read_to_string(site.file("broker/acl")).unwrap();
    let older: String =
        acl.lines().filter(|line| !line.contains("certificate/")).map(|line| format!("{line}\n")).collect();
    std::fs::write(site.file("broker/acl"), older).unwrap();
    let _server = site.serve();
    let deadline = Instant::now() + Duration::from_secs(10);
    while !std::fs::read_to_string(&file).unwrap().contains("crlfile") {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(std::fs::read_to_string(site.file("broker/acl")).unwrap(), acl);
    // And it starts with them.
    let _broker = Broker::start(site.directory.path(), site.broker_port);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_renews_its_certificate_by_itself_and_goes_on_with_it() {
    provider();
    let [database, _] = databases().await;
    let (site, server) = with_controller(&database).await;
    let _broker = Broker::start(site.directory.path(), site.broker_port);
    let directory = tempfile::tempdir().unwrap();
    enrolled(&server, &invite(&site), directory.path()).await.unwrap();
    // As if two thirds of its life were over. The server found it as a file.
    let key = NewKey::make().unwrap();
    let point = key_of_request(&key.request).unwrap();
    let now = kit::Clock::Real.now();
    let authority = Authority::open(&site.pki("")).unwrap();
    let life = Duration::from_secs(200 * 86_400);
    let old = authority.sign(&Holder::Controller(7), &[], point, now, Some(life)).unwrap();
    let (certificate, private) =
        (directory.path().join("controller-7.pem"), directory.path().join("controller-7.key"));
    std::fs::write(&certificate, &old.pem).unwrap();
    std::fs::write(&private, &key.private).unwrap();
    let mut connection = sqlx::AnyConnection::connect(&site.database).await.unwrap();
    // Its first one was given long ago.
    sqlx::query("UPDATE certificate SET known_at = 1 WHERE holder = 'controller-7'")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();

    // What is asked while nobody listens is asked again a minute later: here it is heard at once.
    wait_for(&server, &site, "/metrics", "gatehouse_broker_up 1\n");
    let _controller = Controller::run(directory.path());
    journaled(&site, "server", "certificate.renewed").await;
    let deadline = Instant::now() + Duration::from_secs(20);
    let until = loop {
        let der = CertificateDer::from_pem_file(&certificate).unwrap();
        let says = Certificate::read(&der).unwrap();
        if says.until > old.until {
            break says.until;
        }
        assert!(Instant::now() < deadline, "the files were not exchanged");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(until - now > 700 * 86_400_000_000);
    assert_ne!(std::fs::read_to_string(&private).unwrap(), key.private, "a new key");
    let listed = say(&site, &["certificates"]);
    assert_eq!(listed.lines().filter(|line| line.contains("controller-7")).count(), 2);
}
