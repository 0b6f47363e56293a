//! Who may read what `init` makes, and what is not used once others may.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use kit::testing::databases;

use super::site::{PROGRAM, Site, command};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { [vec![path.clone()], files(&path)].concat() } else { vec![path] })
        .collect()
}

#[test]
fn a_site_is_private_whatever_the_umask() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("site");
    let made = Command::new("sh")
        .args(["-c", "umask 000; exec \"$0\" init --directory \"$1\"", PROGRAM, directory.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let made = files(&directory);
    assert!(made.len() > 10, "{made:?}");
    for path in made {
        let name = path.strip_prefix(&directory).unwrap().to_str().unwrap();
        assert_eq!(mode(&path) & 0o022, 0, "{name} can be written by others");
        let secret = name.ends_with(".key") || name.ends_with(".pk8") || name.starts_with("site.db");
        if secret || ["keys", "server.toml"].contains(&name) {
            assert_eq!(mode(&path) & 0o077, 0, "{name}");
        }
    }
}

#[tokio::test]
async fn what_others_may_read_is_refused_by_name_and_the_database_taken_from_them() {
    let [database, _] = databases().await;
    let site = Site::new(&database);
    let config = site.file("server.toml");
    for secret in ["keys", "pki/server.key", "pki/web.key", "server.toml"] {
        let path = site.file(secret);
        let before = mode(path.as_ref());
        fs::set_permissions(&path, fs::Permissions::from_mode(before | 0o040)).unwrap();
        let said = command(&["serve", "--config", &config]);
        let said = String::from_utf8(said.stderr).unwrap();
        assert!(said.contains(&path) && said.contains("may be read by others"), "{secret}: {said}");
        fs::set_permissions(&path, fs::Permissions::from_mode(before)).unwrap();
    }
    let authority = site.file("pki/ca.key");
    fs::set_permissions(&authority, fs::Permissions::from_mode(0o640)).unwrap();
    let issued = command(&["pki", "issue", "vision-2", "--directory", &site.file("pki")]);
    assert!(String::from_utf8(issued.stderr).unwrap().contains("ca.key may be read by others"));

    let file = database.address.strip_prefix("sqlite:").unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    site.serve().stop();
    assert_eq!(mode(file.as_ref()), 0o600);
}
