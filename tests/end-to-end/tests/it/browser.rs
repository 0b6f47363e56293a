//! A real browser: Debian's Chromium behind its chromedriver, with a profile and a trust of its own.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use building::process::{Process, free_port, until};
use serde_json::json;

use crate::webdriver::Session;

/// A desk's screen.
pub(crate) const DESK: Screen = Screen { name: "desk", width: 1366, height: 768, mobile: false };
/// A phone's.
pub(crate) const PHONE: Screen = Screen { name: "phone", width: 390, height: 844, mobile: true };

/// The screen on the control room's wall.
const WALL: Screen = Screen { name: "wall", width: 3840, height: 2160, mobile: false };

/// Long enough for a busy machine.
const START: Duration = Duration::from_secs(60);

/// What the page is looked at on.
pub(crate) struct Screen {
    name: &'static str,
    width: u32,
    height: u32,
    mobile: bool,
}

/// A running browser. The page ends before the driver.
pub(crate) struct Browser {
    pub(crate) session: Session,
    driver: Process,
    /// What axe found so far: told together, so that all of it can be mended at once.
    faults: RefCell<Vec<String>>,
}

impl Browser {
    /// Starts one that trusts the site's authority, as somebody does who has imported it; everything else about
    /// certificates it checks as always.
    ///
    /// `film` is what it sees with the machine's camera, where it lets a page use that.
    pub(crate) fn start(folder: &Path, authority: &Path, film: &Path, logs: &Path) -> Result<Self> {
        let home = folder.join("browser");
        trust(&home, authority)?;
        let port = free_port()?;
        // The browser takes its home, and with it its trust, from the driver.
        let arguments = [
            format!("HOME={}", home.display()),
            format!("XDG_CONFIG_HOME={}", home.join("config").display()),
            format!("XDG_DATA_HOME={}", home.join(".local/share").display()),
            "chromedriver".to_owned(),
            format!("--port={port}"),
        ];
        let mut driver = Process::start("chromedriver", Path::new("/usr/bin/env"), arguments, logs)?;
        until("chromedriver listens", START, || {
            !driver.is_alive() || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        })?;
        let mut flags = vec![
            "--headless".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-quic".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--hide-scrollbars".to_owned(),
            "--use-fake-device-for-media-stream".to_owned(),
            format!("--use-file-for-fake-video-capture={}", film.display()),
            format!("--user-data-dir={}", home.join("profile").display()),
        ];
        if fs::metadata("/proc/self")?.uid() == 0 {
            // Chromium's own sandbox refuses to run as root.
            flags.push("--no-sandbox".to_owned());
        }
        let session = Session::begin(
            port,
            &json!({
                "browserName": "chrome",
                "goog:chromeOptions": {
                    "binary": "/usr/bin/chromium",
                    "args": flags,
                    "prefs": { "intl.accept_languages": "zh-CN,zh" },
                },
                "goog:loggingPrefs": { "browser": "ALL" },
            }),
        );
        Ok(Self { session: session.context("Chromium did not start")?, driver, faults: RefCell::default() })
    }

    /// Ends it.
    pub(crate) fn stop(self) -> Result<()> {
        let Self { session, driver, .. } = self;
        drop(session);
        driver.stop(Duration::from_secs(10))
    }

    /// The page becomes as large as a screen.
    pub(crate) fn on(&self, screen: &Screen) -> Result<()> {
        let Screen { width, height, mobile, .. } = screen;
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.session.devtools("Emulation.setDeviceMetricsOverride", &size).map(drop)
    }

    /// Pictures of the page, on a desk, a phone and a wall, light and dark: for people to look at. What is checked is that
    /// nothing is wider than the screen; what axe finds is kept for [`Self::everybody_can_use_it`].
    pub(crate) fn pictures(&self, name: &str) -> Result<()> {
        let folder = screenshots()?;
        for (screen, schemes) in
            [(DESK, &["light", "dark"][..]), (PHONE, &["light", "dark"]), (WALL, &["light"])]
        {
            self.on(&screen)?;
            for scheme in schemes {
                let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
                self.session.devtools("Emulation.setEmulatedMedia", &feature)?;
                let wide = self.session.run("return document.documentElement.scrollWidth")?;
                ensure!(
                    wide.as_u64() <= Some(screen.width.into()),
                    "{name} is {wide} wide on a screen of {}",
                    screen.width
                );
                self.ask_axe(&format!("{name} on a {}, {scheme}", screen.name))?;
                let picture = self.session.devtools("Page.captureScreenshot", &json!({}))?;
                let picture = picture["data"].as_str().context("a picture")?;
                let file = folder.join(format!("{name}-{}-{scheme}.png", screen.name));
                fs::write(&file, BASE64_STANDARD.decode(picture).context("the picture is not base64")?)?;
            }
        }
        self.on(&DESK)?;
        self.session.devtools("Emulation.setEmulatedMedia", &json!({ "features": [] })).map(drop)
    }

    /// One picture, on a desk: for what moves on meanwhile.
    pub(crate) fn picture(&self, name: &str) -> Result<()> {
        let picture = self.session.devtools("Page.captureScreenshot", &json!({}))?;
        let picture = picture["data"].as_str().context("a picture")?;
        let file = screenshots()?.join(format!("{name}-desk-light.png"));
        Ok(fs::write(&file, BASE64_STANDARD.decode(picture).context("the picture is not base64")?)?)
    }

    /// That axe found nothing on any page that keeps somebody from using it.
    pub(crate) fn everybody_can_use_it(&self) -> Result<()> {
        let faults = self.faults.borrow();
        ensure!(faults.is_empty(), "axe finds\n{}", faults.join("\n"));
        Ok(())
    }

    fn ask_axe(&self, page: &str) -> Result<()> {
        if self.session.run("return typeof axe")? != "object" {
            let axe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.fetched/tools/axe.min.js");
            let axe = fs::read_to_string(axe).context("`cargo xtask fetch` brings axe")?;
            self.session.run(&axe)?;
        }
        let faults = self.session.run(AXE)?;
        let faults = faults.as_array().context("a list of faults")?.iter();
        for fault in faults {
            let fault = format!("{page}: {}", fault.as_str().unwrap_or("?"));
            println!("axe: {fault}");
            self.faults.borrow_mut().push(fault);
        }
        Ok(())
    }
}

/// Asks axe, which the project's fetching lays there, for faults of the page; each as its rule and where it is.
const AXE: &str = "return axe.run(document, { resultTypes: ['violations'] }).then(it => it.violations.flatMap(rule => \
                   rule.nodes.map(node => `${rule.id}: ${node.target.join(' ')}: ${node.failureSummary}`)))";

/// `target/screenshots`.
fn screenshots() -> Result<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().context("the target folder")?;
    let folder = target.join("screenshots");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The database of trust that Chromium on Linux reads: the site's authority is in it as an issuer of web certificates.
fn trust(home: &Path, authority: &Path) -> Result<()> {
    let database = home.join(".pki/nssdb");
    fs::create_dir_all(&database)?;
    let database = format!("sql:{}", database.display());
    let authority = authority.to_str().context("a path in UTF-8")?;
    for words in [&["-N", "--empty-password"][..], &["-A", "-n", "site", "-t", "C,,", "-i", authority]] {
        let done = Command::new("certutil").args(["-d", &database]).args(words).output();
        let done = done.context("certutil is not installed: run `cargo xtask setup`")?;
        ensure!(done.status.success(), "certutil: {}", String::from_utf8_lossy(&done.stderr));
    }
    Ok(())
}
