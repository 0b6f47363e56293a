//! The command line, with good and bad input.

use kit::testing::databases;
use sqlx::Connection;

use super::site::{Site, command};

fn fails_with(arguments: &[&str], words: &str) {
    let out = command(arguments);
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(!out.status.success());
    assert!(said.contains(words), "{said:?} does not say {words:?}");
    assert_eq!(said.trim().lines().count(), 1, "one sentence: {said}");
}

#[tokio::test]
async fn a_site_is_set_up_once_and_its_keys_are_private() {
    use std::os::unix::fs::PermissionsExt;
    for database in databases().await {
        let site = Site::new(&database);
        for secret in [
            "server.toml",
            "keys/credential.key",
            "keys/template.key",
            "keys/journal.pk8",
            "pki/ca.key",
            "pki/server.key",
        ] {
            let mode = std::fs::metadata(site.file(secret)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{secret}");
        }
        fails_with(&["init", "--directory", &site.file("")], "has been set up");
        let verified = site.verify();
        assert!(verified.status.success());
        let config = site.file("server.toml");
        let added = command(&["operator", "add", "--config", &config, "ada", "--role", "guard"]);
        assert!(String::from_utf8(added.stdout).unwrap().starts_with("password of ada, shown this once: "));
        fails_with(&["operator", "add", "--config", &config, "Ada"], "an operator of this name exists");
        fails_with(&["operator", "add", "--config", &config, "bob", "--role", "king"], "king is not a role");
        assert!(command(&["operator", "reset", "--config", &config, "ada"]).status.success());
        fails_with(&["operator", "reset", "--config", &config, "nobody"], "there is no such operator");
        fails_with(&["pki", "issue", "somebody", "--directory", &site.file("pki")], "somebody is not a name");
        fails_with(&["pki", "issue", "vision-1", "--directory", &site.file("pki")], "vision-1.key");
        assert!(
            String::from_utf8(command(&["migrate", "--config", &config]).stdout)
                .unwrap()
                .starts_with("0 migrations")
        );
    }
}

#[tokio::test]
async fn a_database_is_not_spoken_to_in_clear_over_a_network() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().join("site").to_str().unwrap().to_owned();
    let database = "postgres://gatehouse@db.example.cn/gatehouse";
    fails_with(
        &["init", "--directory", &directory, "--database", database],
        "the database at db.example.cn is reached over a network: its address must say sslmode=verify-full",
    );
    assert!(!std::path::Path::new(&directory).exists(), "nothing was made");
}

#[tokio::test]
async fn a_site_that_cannot_be_finished_leaves_nothing_and_takes_nothing_away() {
    let place = tempfile::tempdir().unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let database = format!("postgres://gatehouse@{nobody}/gatehouse");
    let directory = place.path().join("site");
    let init = ["init", "--directory", directory.to_str().unwrap(), "--database", &database];
    fails_with(&init, "database");
    assert!(!directory.exists(), "there was none");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("notes.txt"), "of the one who sets it up").unwrap();
    fails_with(&init, "database");
    let left: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["notes.txt"]);
}

#[tokio::test]
async fn a_site_is_not_served_from_an_empty_database() {
    let [database, _] = databases().await;
    let site = Site::new(&database);
    let config = site.file("server.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let own = text.lines().find(|line| line.starts_with("database = ")).unwrap();
    std::fs::write(&config, text.replace(own, "database = \"sqlite:other.db\"")).unwrap();
    for words in [vec!["serve", "--config", &config], vec!["operator", "add", "--config", &config, "ada"]] {
        fails_with(&words, "database: it is empty, but the journal of this site has reached record");
    }
    std::fs::write(&config, text).unwrap();
    assert!(command(&["operator", "add", "--config", &config, "ada"]).status.success());
}

/// Who connects and says nothing, or stops in the middle, takes no place for long.
#[tokio::test]
async fn browsers_that_do_not_ask_are_let_go() {
    use std::io::{Read, Write};
    use std::time::Duration;
    super::site::provider();
    let [database, _] = databases().await;
    let site = Site::new(&database);
    let server = site.serve();
    let tls = server::tls::client(&site.pki("ca.pem"), &site.pki("vision-1.pem"), &site.pki("vision-1.key"));
    let tls = tls.unwrap();
    let whole = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let cases = [String::new(), whole[..20].to_owned(), format!("{whole}{}", &whole[..20])];
    let asking = cases.map(|said| {
        let (tls, address) = (std::sync::Arc::clone(&tls), server.address.clone());
        std::thread::spawn(move || {
            let mut socket = std::net::TcpStream::connect(&address).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
            let mut session = rustls::ClientConnection::new(tls, "localhost".try_into().unwrap()).unwrap();
            let mut browser = rustls::Stream::new(&mut session, &mut socket);
            browser.write_all(said.as_bytes()).unwrap();
            browser.flush().unwrap();
            let ended = browser.read_to_end(&mut Vec::new());
            // What is let go is not always told so.
            ended.is_ok() || ended.is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock)
        })
    });
    for (case, asking) in asking.into_iter().enumerate() {
        assert!(asking.join().unwrap(), "case {case} was waited for");
    }
}

/// Whatever a device wrote stands there as it wrote it, also what no reader can hold.
#[tokio::test]
async fn the_journal_is_printed_as_it_was_written() {
    let [database, _] = databases().await;
    let site = Site::new(&database);
    let body = format!("{{\"large\":1e999,\"deep\":{}{}}}", "[".repeat(500), "]".repeat(500));
    let mut connection = sqlx::AnyConnection::connect(&database.address).await.unwrap();
    sqlx::query("UPDATE journal SET body = $1 WHERE seq = 1")
        .bind(body.as_str())
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let printed = command(&["journal", "--config", &site.file("server.toml")]);
    let out = String::from_utf8(printed.stdout).unwrap();
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    assert!(out.lines().next().unwrap().ends_with(&format!("\"body\":{body}}}")), "{out}");
}

#[tokio::test]
async fn a_bad_configuration_names_file_line_and_key() {
    let [database, _] = databases().await;
    let site = Site::new(&database);
    let good = std::fs::read_to_string(site.file("server.toml")).unwrap();
    let sqlite = good.lines().find(|line| line.starts_with("database = ")).unwrap();
    let config = site.file("bad.toml");
    for (from, to, words) in [
        ("[http]\n", "[http]\nlisten_to = 1\n", "bad.toml:8: unknown field `listen_to`"),
        ("keys = \"keys\"", "keys = \"nowhere\"", "bad.toml:3: keys: no such directory"),
        ("pki/web.pem", "pki/gone.pem", "bad.toml:9: http.certificate: no such file"),
        ("listen = \"127.0.0.1:0\"", "listen = \"here\"", "bad.toml:8: invalid socket address"),
        ("database = \"", "database = \"mysql:", "bad.toml:2: database: the database address must begin"),
        (sqlite, "database = \"postgres://a@db.example.cn/b\"", "sslmode=verify-full"),
        ("port = ", "port = 99", "bad.toml:14: invalid value"),
    ] {
        assert!(good.contains(from), "{from}");
        std::fs::write(&config, good.replacen(from, to, 1)).unwrap();
        fails_with(&["serve", "--config", &config], words);
    }
    fails_with(&["serve", "--config", &site.file("none.toml")], "none.toml could not be read");
}

#[tokio::test]
async fn a_port_in_use_and_a_key_for_everybody_are_said_in_a_sentence() {
    use std::os::unix::fs::PermissionsExt;
    let [database, _] = databases().await;
    let site = Site::new(&database);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = site.file("server.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("127.0.0.1:0", &taken.local_addr().unwrap().to_string())).unwrap();
    fails_with(&["serve", "--config", &config], "cannot be listened on: Address already in use");
    let key = site.file("keys/template.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    fails_with(&["serve", "--config", &config], "may be read by others: its mode must be 0600");
}

#[tokio::test]
async fn verify_names_the_first_altered_record() {
    let [database, _] = databases().await;
    let site = Site::new(&database);
    let mut connection = sqlx::AnyConnection::connect(&database.address).await.unwrap();
    sqlx::query("UPDATE journal SET body = replace(body, 'operator', 'Operator') WHERE seq = 1")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let verified = site.verify();
    assert_eq!(verified.status.code(), Some(2));
    assert_eq!(String::from_utf8(verified.stdout).unwrap(), "NOT INTACT: record 1 is altered\n");
}

#[tokio::test]
async fn verify_says_what_the_checkpoint_log_lacks() {
    let [database, _] = databases().await;
    let site = Site::new(&database);
    let db = kit::Db::open(&database.address).await.unwrap();
    let keys = kit::Keys::open(std::path::Path::new(&site.file("keys"))).unwrap();
    let log = site.file("checkpoints");
    let kit = kit::Kit::new(db, kit::Clock::Real, keys, Some(log.as_ref())).unwrap();
    for _ in 0..2 {
        let mut tx = kit.begin().await.unwrap();
        tx.record("toy.moved", &()).await.unwrap();
        tx.commit().await.unwrap();
        kit.checkpoint().await.unwrap();
    }
    kit.db().close().await;
    let whole = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    for (kept, lacks, code) in [
        (lines.concat(), None, 0),
        (
            lines[..2].concat(),
            Some("lacks 1 of the database's 3 checkpoints, the first of them checkpoint 3"),
            0,
        ),
        (
            lines[1..].concat(),
            Some("lacks 1 of the database's 3 checkpoints, the first of them checkpoint 1"),
            3,
        ),
        (String::new(), Some("lacks 3 of the database's 3 checkpoints, the first of them checkpoint 1"), 3),
    ] {
        std::fs::write(&log, kept).unwrap();
        let verified = site.verify();
        let words = String::from_utf8(verified.stdout).unwrap();
        assert!(words.starts_with("intact: "), "{words}");
        assert_eq!(words.lines().nth(1).is_some(), lacks.is_some(), "{words}");
        assert!(words.contains(lacks.unwrap_or_default()), "{words}");
        assert_eq!(verified.status.code(), Some(code), "{words}");
    }
}
