//! What the machine must have, and the builds.

use std::io::{IsTerminal, Write};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run::{cargo, output, root, run, says_yes};

/// Debian packages, each with what it is for.
const PACKAGES: &[(&str, &str)] = &[
    ("build-essential", "the C compiler that ring and SQLite are built with"),
    ("pkg-config", "finds OpenCV"),
    ("libopencv-dev", "face detection and recognition"),
    ("libclang-dev", "the bindings to OpenCV"),
    ("clang", "the bindings to OpenCV"),
    ("mosquitto", "the MQTT broker"),
    ("mosquitto-clients", "another maker's MQTT client, under test"),
    ("postgresql", "the larger sites' database, under test"),
    ("qemu-system-arm", "runs the boards' firmware"),
    ("chromium", "the browser under test"),
    ("chromium-driver", "drives the browser"),
    ("libnss3-tools", "makes the browser under test trust the site's authority"),
    ("fonts-noto-cjk", "Chinese text in the browser's pictures"),
    ("curl", "asks the server as a browser would, under test"),
    ("python3-venv", "peers of other makers, under test"),
    ("python3-gi", "the RTSP camera"),
    ("gir1.2-gst-rtsp-server-1.0", "the RTSP camera"),
    ("gstreamer1.0-plugins-base", "the RTSP camera"),
    ("gstreamer1.0-plugins-good", "the RTSP camera"),
    ("gstreamer1.0-plugins-ugly", "the RTSP camera's H.264 encoder"),
    ("gstreamer1.0-plugins-bad", "vision's H.264 decoder"),
];

const TARGETS: &[&str] =
    &["thumbv6m-none-eabi", "thumbv7m-none-eabi", "thumbv7em-none-eabihf", "thumbv8m.main-none-eabihf"];

/// Installs the Debian packages that are missing, after saying which and asking.
pub(crate) fn packages(yes: bool) -> Result<()> {
    let missing: Vec<_> = PACKAGES.iter().filter(|(package, _)| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("These Debian packages are needed and missing:");
    for (package, purpose) in &missing {
        eprintln!("  {package:32} {purpose}");
    }
    if !yes && !agreed("Install them now?")? {
        bail!("packages are missing; run again with --yes, or install them yourself");
    }
    apt(&["update"]).context("is this Debian, and is its package registry reached?")?;
    let mut words = vec!["install", "--yes", "--no-install-recommends"];
    words.extend(missing.iter().map(|(package, _)| *package));
    apt(&words)?;
    // Debian starts these by itself; ours are started on ports of their own, so that nothing else is in the way.
    Ok(())
}

fn is_installed(package: &str) -> bool {
    output(Command::new("dpkg-query").args(["--show", "--showformat", "${db:Status-Status}", package]))
        .is_ok_and(|status| status == "installed")
}

fn apt(words: &[&str]) -> Result<()> {
    let is_root = output(Command::new("id").arg("-u"))?.trim() == "0";
    let mut command = if is_root { Command::new("apt-get") } else { Command::new("sudo") };
    if !is_root {
        command.args(["--preserve-env=DEBIAN_FRONTEND", "apt-get"]);
    }
    run(command.arg("--quiet").args(words).env("DEBIAN_FRONTEND", "noninteractive"))
}

fn agreed(question: &str) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    eprint!("{question} [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Adds the boards' targets to the toolchain that is in use here.
pub(crate) fn targets() -> Result<()> {
    let installed =
        output(Command::new("rustup").args(["target", "list", "--installed"]).current_dir(root()))?;
    let missing: Vec<_> =
        TARGETS.iter().filter(|target| !installed.lines().any(|line| line == **target)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    run(Command::new("rustup").current_dir(root()).args(["target", "add"]).args(missing))
}

/// Installs the test runner where it is missing.
pub(crate) fn test_runner() -> Result<()> {
    if says_yes(cargo().args(["nextest", "--version"])) {
        return Ok(());
    }
    run(cargo().args(["install", "cargo-nextest", "--locked", "--version", "0.9.143"]))
}

/// The boards: what is added to `cargo build --release`. Each chip has a target of its own (firmware/boards/README.md).
const IMAGES: &[&[&str]] = &[
    &["--package", "lm3s6965", "--target", "thumbv7m-none-eabi"],
    &["--package", "stm32g474", "--target", "thumbv7em-none-eabihf"],
    &["--package", "rp2350", "--target", "thumbv8m.main-none-eabihf", "--features", "door", "--bin", "door"],
    &[
        "--package",
        "rp2350",
        "--target",
        "thumbv8m.main-none-eabihf",
        "--features",
        "gate-lane",
        "--bin",
        "gate-lane",
    ],
];

/// Builds every board's firmware image. Those for the emulator are looked for where they are built.
pub(crate) fn firmware() -> Result<()> {
    for image in IMAGES {
        let mut build = cargo();
        // A target folder that somebody chose for this workspace is not for the boards.
        build.env_remove("CARGO_TARGET_DIR").current_dir(root().join("firmware/boards"));
        run(build.args(["build", "--release", "--locked"]).args(*image))?;
    }
    Ok(())
}

/// Builds the emulated boards alone: what the demonstration needs.
pub(crate) fn emulated_firmware() -> Result<()> {
    let mut build = cargo();
    build.env_remove("CARGO_TARGET_DIR").current_dir(root().join("firmware/boards"));
    run(build.args(["build", "--release", "--locked"]).args(IMAGES[0]))
}

/// Builds the programs that make up the building.
pub(crate) fn programs() -> Result<()> {
    run(cargo().args([
        "build",
        "--package",
        "server",
        "--package",
        "gateway",
        "--package",
        "vision",
        "--package",
        "board-sim",
    ]))
}
