//! Connections that nobody should open, and browsers that must get in all the same.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use kit::testing::databases;

use super::site::{PROGRAM, Site};

/// More than one address may have, and more files than the process is started with.
const IDLE: usize = 300;

/// What `/health` answers to a browser of another address.
fn health_from(address: &str, from: Ipv4Addr, site: &Site) -> String {
    let out = Command::new("curl")
        .args(["--silent", "--max-time", "5", "--interface", &from.to_string()])
        .args(["--cacert", site.pki("ca.pem").to_str().unwrap()])
        .arg(format!("https://{address}/health"))
        .output()
        .unwrap();
    String::from_utf8(out.stdout).unwrap()
}

fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    match stream.read(&mut [0]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}

#[tokio::test]
async fn a_stranger_with_many_connections_shuts_out_nobody() {
    let [database, _] = databases().await;
    let site = Site::new(&database);
    let mut few_files = Command::new("sh");
    few_files.args(["-c", "ulimit -Sn 256; exec \"$0\" \"$@\"", PROGRAM]);
    let server = site.serve_by(few_files);
    let address: SocketAddr = server.address.parse().unwrap();

    let mut idle: Vec<_> = (0..IDLE).map(|_| TcpStream::connect(address).unwrap()).collect();
    let answer = health_from(&server.address, Ipv4Addr::new(127, 0, 0, 2), &site);
    assert!(answer.contains("takes_events"), "another address is answered: {answer:?}");

    let deadline = Instant::now() + Duration::from_secs(5);
    let closed = loop {
        let closed = idle.iter_mut().filter_map(|stream| is_closed(stream).then_some(())).count();
        if closed > 0 || Instant::now() > deadline {
            break closed;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!((1..IDLE / 2).contains(&closed), "those above the bound are closed at once: {closed}");
    drop(idle);
    let (said, ..) = server.stop();
    assert_eq!(said.matches("too many connections").count(), 1, "{said}");
}
