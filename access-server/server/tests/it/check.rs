//! `check`: what is wrong is said before the start, all of it, in words that say what to do.

use kit::testing::databases;

use super::broker::Broker;
use super::site::{Site, command};

/// What it says, and its exit code.
fn check(site: &Site) -> (String, Option<i32>) {
    let out = command(&["check", "--config", &site.file("server.toml")]);
    (String::from_utf8(out.stdout).unwrap(), out.status.code())
}

fn edit(site: &Site, from: &str, to: &str) {
    let config = site.file("server.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains(from), "{from}: {text}");
    std::fs::write(config, text.replacen(from, to, 1)).unwrap();
}

#[tokio::test]
async fn a_site_that_can_be_served_is_said_to_be_well_while_it_is_served_too() {
    for database in databases().await {
        let site = Site::new(&database);
        let _broker = Broker::start(site.directory.path(), site.broker_port);
        let before = site.journal().await;
        let (said, code) = check(&site);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.ends_with("nothing is wrong\n") && !said.contains("CHECK"), "{said}");
        for word in
            ["keys", "its schema is this program's", "good until 20", "is free", "under the site's authority"]
        {
            assert!(said.contains(word), "{word}: {said}");
        }
        let server = site.serve();
        assert_eq!(check(&site).1, Some(0));
        server.stop();
        assert_eq!(site.journal().await[..before.len()], before[..], "nothing was changed");
    }
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once_with_its_line() {
    let [database, _] = databases().await;
    let site = Site::new(&database);
    edit(&site, "keys = \"keys\"", "keys = \"nowhere\"");
    edit(&site, "pki/web.pem", "pki/gone.pem");
    edit(&site, "127.0.0.1:0", "192.0.2.1:443");
    edit(&site, "sqlite:", "sqlite:/nowhere");
    let (said, code) = check(&site);
    assert_eq!(code, Some(1));
    for words in [
        "server.toml:3: keys: no such directory",
        "server.toml:9: http.certificate: no such file",
        "is not there: `init` makes it, or `restore`",
        "no interface of this machine has this address",
        &format!("localhost:{} is not reached: does it run, and on this port?", site.broker_port),
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let wrong = said.lines().filter(|line| line.starts_with("WRONG")).count();
    assert!(said.ends_with(&format!("{wrong} things are wrong\n")), "{said}");
}

/// What was said before was true, and said nothing: a pool's time was over.
#[tokio::test]
async fn a_database_that_is_not_there_is_said_to_be_so_with_what_to_do() {
    let [_, database] = databases().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (name, host) = database.address.split_once('?').unwrap();
    let (server, name) = name.rsplit_once('/').unwrap();
    for (address, words) in [
        (format!("postgres://gatehouse:secret@{nobody}/gate"), "the database gate at 127.0.0.1, port"),
        (
            format!("postgres://gatehouse:secret@{nobody}/gate"),
            "is not reached: does PostgreSQL run, and listen there?",
        ),
        (format!("{server}/{name}_other?{host}"), "is not there: make it with `createdb`"),
    ] {
        let site = Site::new(&database_of().await);
        let own = site.database.clone();
        edit(&site, &own, &address);
        for command_line in [["serve", "--config"], ["check", "--config"]] {
            let config = site.file("server.toml");
            let out = command(&[&command_line[..], &[&config]].concat());
            let said = String::from_utf8([out.stdout, out.stderr].concat()).unwrap();
            assert!(!out.status.success() && said.contains(words), "{words}: {said}");
            assert!(!said.contains("secret"), "a password is nobody's business: {said}");
        }
    }
}

async fn database_of() -> kit::testing::Database {
    let [sqlite, _] = databases().await;
    sqlite
}

#[tokio::test]
async fn a_file_that_was_cut_is_said_to_be_with_its_line() {
    let [database, _] = databases().await;
    let site = Site::new(&database);
    let config = site.file("server.toml");
    let whole = std::fs::read_to_string(&config).unwrap();
    // What comes behind is not needed: a file cut there is a whole one.
    let (needed, _) = whole.split_once("\n# Operators' passkeys").unwrap();
    for length in (0..needed.trim_end().len() - 1).step_by(7) {
        std::fs::write(&config, &whole[..length]).unwrap();
        let (said, code) = check(&site);
        let line = said.lines().next().unwrap();
        assert_eq!(code, Some(1), "{length}: {said}");
        assert!(
            line.starts_with("WRONG  configuration") && line.contains("server.toml:"),
            "{length}: {said}"
        );
        // A line, and a sentence after it.
        let (_, rest) = line.split_once("server.toml:").unwrap();
        let (number, sentence) = rest.split_once(": ").unwrap();
        assert!(
            number.parse::<usize>().is_ok_and(|line| line >= 1) && sentence.len() > 10,
            "{length}: {said}"
        );
    }
}
