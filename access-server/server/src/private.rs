//! What is nobody else's business: keys, and the configuration with the database's password.

use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, ensure};
use rustix::fs::Mode;
use rustix::process::umask;

/// Whether others than its owner may do anything with a file or folder; not when it cannot be looked at.
#[must_use]
pub fn is_open(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

/// Bytes of a secret at most.
const LONGEST: u64 = 1024;

/// The first line of a file that nobody else may read, or of the standard input (`-`): a secret that must not stand on the
/// command line, where others see it.
///
/// # Errors
/// When it cannot be read, others may read it, or it is empty.
pub fn first_line(file: &Path) -> anyhow::Result<String> {
    let from: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        ensure!(!is_open(file), "{} may be read by others: its mode must be 0600", file.display());
        Box::new(std::fs::File::open(file).with_context(|| format!("{} cannot be read", file.display()))?)
    };
    let mut line = String::new();
    BufReader::new(from.take(LONGEST))
        .read_line(&mut line)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    let line = line.trim_end_matches(['\r', '\n']);
    ensure!(!line.is_empty(), "{}: its first line is empty", file.display());
    Ok(line.to_owned())
}

/// Whatever the caller's umask: nobody else may write what this process makes from here on, as the certificates that are
/// trusted. What is secret is made with mode 0600 besides.
pub fn keep_from_others() {
    let others_write = Mode::WGRP | Mode::WOTH;
    let before = umask(others_write);
    umask(before | others_write);
}
