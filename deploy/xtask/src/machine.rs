//! What the machine must have, and the builds.

use std::io::{IsTerminal, Write};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run::{cargo, output, root, run, says_yes};
use crate::stock;

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
    ("prometheus", "checks the metrics as Prometheus reads them, under test"),
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

/// Firmware images of one chip, or of one of its packages: what is built together.
struct Images {
    package: &'static str,
    target: &'static str,
    /// A board that only some of the chip's packages have pins for, by feature.
    feature: Option<&'static str>,
    binaries: &'static [&'static str],
}

/// The boards. Each chip has a target of its own (firmware/boards/README.md).
const IMAGES: &[Images] = &[
    Images {
        package: "lm3s6965",
        target: "thumbv7m-none-eabi",
        feature: None,
        binaries: &["door", "gate-lane", "loopback"],
    },
    Images {
        package: "stm32l475",
        target: "thumbv7em-none-eabihf",
        feature: None,
        binaries: &["l475-door", "l475-gate-lane"],
    },
    Images {
        package: "stm32g474",
        target: "thumbv7em-none-eabihf",
        feature: None,
        binaries: &["door", "gate-lane"],
    },
    Images {
        package: "bootloader",
        target: "thumbv7em-none-eabihf",
        feature: None,
        binaries: &["bootloader"],
    },
    Images {
        package: "rp2350",
        target: "thumbv8m.main-none-eabihf",
        feature: Some("door"),
        binaries: &["door"],
    },
    Images {
        package: "rp2350",
        target: "thumbv8m.main-none-eabihf",
        feature: Some("gate-lane"),
        binaries: &["gate-lane"],
    },
];

impl Images {
    fn build(&self, vendor_keys: Option<&str>) -> Result<()> {
        let mut build = cargo();
        match vendor_keys {
            Some(keys) => build.env("GATEHOUSE_VENDOR_KEYS", keys),
            None => build.env_remove("GATEHOUSE_VENDOR_KEYS"),
        };
        // A target folder that somebody chose for this workspace is not for the boards.
        build.env_remove("CARGO_TARGET_DIR").current_dir(root().join("firmware/boards"));
        build.args(["build", "--release", "--locked", "--package", self.package, "--target", self.target]);
        if let Some(feature) = self.feature {
            build.args(["--features", feature]);
        }
        run(build.args(self.binaries.iter().flat_map(|binary| ["--bin", *binary])))
    }
}

/// Builds every board's firmware image and says what each takes. Those for the emulator are looked for where they are built.
pub(crate) fn firmware(vendor_keys: Option<&str>) -> Result<()> {
    let mut table = format!("  {:32}{:>14}{:>14}\n", "image", "flash, bytes", "memory, bytes");
    for images in IMAGES {
        images.build(vendor_keys)?;
        let folder = root().join("firmware/boards/target").join(images.target).join("release");
        for binary in images.binaries {
            let taken = stock::of(&folder.join(binary))?;
            let name = format!("{} {binary}", images.package);
            table += &format!("  {name:32}{:>14}{:>14}\n", taken.flash, taken.memory);
        }
    }
    eprint!("{table}");
    Ok(())
}

/// Tests what reads the boards' pin maps: it is part of their workspace.
pub(crate) fn pin_maps() -> Result<()> {
    let mut tests = cargo();
    tests.env_remove("CARGO_TARGET_DIR").current_dir(root().join("firmware/boards"));
    run(tests.args(["nextest", "run", "--locked", "--package", "pinmap"]))
}

/// Builds the emulated boards alone: what the demonstration needs.
pub(crate) fn emulated_firmware() -> Result<()> {
    IMAGES[0].build(None)
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
