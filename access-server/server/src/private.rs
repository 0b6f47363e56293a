//! What is nobody else's business: keys, and the configuration with the database's password.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::Mode;
use rustix::process::umask;

/// Whether others than its owner may do anything with a file or folder; not when it cannot be looked at.
#[must_use]
pub fn is_open(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

/// Whatever the caller's umask: nobody else may write what this process makes from here on, as the certificates that are
/// trusted. What is secret is made with mode 0600 besides.
pub fn keep_from_others() {
    let others_write = Mode::WGRP | Mode::WOTH;
    let before = umask(others_write);
    umask(before | others_write);
}
