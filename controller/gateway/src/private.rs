//! The data folder is the controller's alone: its policy holds digests of credentials, its outbox who passed where.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Makes the folder with mode 0700 where there is none. What others may do with one that is there, or with the databases
/// in it, is taken from them.
///
/// # Errors
/// When the folder cannot be made or read.
pub fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    narrow(path);
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        // The databases, what SQLite keeps beside them, and broken ones that were set aside.
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if ["outbox.sqlite", "policy.sqlite"].iter().any(|database| name.starts_with(database)) {
            narrow(&file);
        }
    }
    Ok(())
}

/// Makes a file with mode 0600 where there is none. What SQLite puts beside a database gets the database's mode.
///
/// # Errors
/// When it cannot be made.
pub fn file(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(drop)
}

/// A controller that does not start opens no door: what cannot be taken from others is only said.
fn narrow(path: &Path) {
    let narrowed = fs::metadata(path).and_then(|found| {
        let mode = found.permissions().mode();
        if mode & 0o077 == 0 {
            return Ok(false);
        }
        fs::set_permissions(path, Permissions::from_mode(mode & 0o700)).map(|()| true)
    });
    match narrowed {
        Ok(false) => {}
        Ok(true) => tracing::warn!(path = %path.display(), "others could use this: now they cannot"),
        Err(error) => tracing::error!(path = %path.display(), %error, "others may use this"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").permissions().mode() & 0o777
    }

    #[test]
    fn what_is_made_is_private() {
        let place = tempfile::tempdir().expect("a folder");
        let data = place.path().join("var/data");
        folder(&data).expect("made");
        file(&data.join("policy.sqlite")).expect("made");
        file(&data.join("policy.sqlite")).expect("there already");
        assert_eq!((mode(&data), mode(&data.join("policy.sqlite"))), (0o700, 0o600));
    }

    #[test]
    fn what_is_there_is_made_private_and_other_files_are_left() {
        let place = tempfile::tempdir().expect("a folder");
        let ours = ["outbox.sqlite", "outbox.sqlite-wal", "outbox.sqlite.broken-1", "policy.sqlite-shm"];
        for name in ours.iter().chain(&["notes.txt"]) {
            let path = place.path().join(name);
            fs::write(&path, "kept").expect("written");
            fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("set");
        }
        fs::set_permissions(place.path(), Permissions::from_mode(0o755)).expect("set");
        folder(place.path()).expect("mended");
        assert_eq!(mode(place.path()), 0o700);
        for name in ours {
            assert_eq!(mode(&place.path().join(name)), 0o600, "{name}");
            assert_eq!(fs::read(place.path().join(name)).expect("read"), b"kept");
        }
        assert_eq!(mode(&place.path().join("notes.txt")), 0o644);
    }
}
