//! The demonstration: the whole building on this machine, for somebody to look at, or a scripted piece of its life.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::camera::photographs;
use crate::running::Building;
use crate::scenario;

/// How long a stranger stands before the camera, and nobody after them.
const PICTURE: Duration = Duration::from_secs(6);

/// Its options.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Do not ask before installing.
    #[arg(long)]
    pub yes: bool,
    /// Run a scripted piece of building life, check each step, and stop.
    #[arg(long)]
    pub headless: bool,
    /// Write the result of --headless here, as JSON.
    #[arg(long, value_name = "FILE", requires = "headless")]
    pub report: Option<PathBuf>,
}

/// Makes sure that no other one runs, as long as what is given back lives: before anything is built.
///
/// # Errors
/// When one runs.
pub fn claim(options: &Options) -> Result<File> {
    let name = if options.headless { "headless" } else { "demo" };
    let folder = crate::root().join(".gatehouse");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let path = folder.join(format!("{name}.lock"));
    let file = File::create(&path).with_context(|| format!("making {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("the demonstration runs already: stop it there with Ctrl-C"),
        Err(TryLockError::Error(error)) => Err(error).context("whether the demonstration runs already"),
    }
}

/// Runs it.
///
/// # Errors
/// When a part does not start, or a step of the scripted life fails.
pub fn run(options: &Options) -> Result<()> {
    if options.headless { scripted(options.report.as_deref()) } else { open() }
}

fn open() -> Result<()> {
    let folder = crate::root().join(".gatehouse/demo");
    let mut building = Building::start(&folder, None, &mut |part| eprintln!("  starting: {part}"))?;
    let login = building.site.first_login()?;
    println!("\n  {}", building.console());
    println!(
        "  first login: {} / {} (asks for a password of your own, which counts from then on)",
        login.name, login.password
    );
    println!("  the site's authority, for the browser: {}", building.site.path("site/pki/ca.pem").display());
    println!("  Ctrl-C stops everything.\n");
    // The first face is shown when it can be known.
    scenario::faces_are_known(&mut building)?;
    loop {
        println!("  Ou Mingzhe (欧明哲) walks up to the staff gate, is known by his face, and walks in");
        if let Err(error) = scenario::pass_by_face(&mut building) {
            println!("  he was not let in: the page says why ({error:#})");
            building.camera.scene()?;
        }
        std::thread::sleep(PICTURE);
        println!("  a stranger walks up to the staff gate");
        building.camera.show(&photographs().join("biden.jpg"))?;
        std::thread::sleep(PICTURE);
        building.camera.scene()?;
        println!("  Ou Mingzhe shows his card at the gate and leaves");
        if let Err(error) = scenario::leave_by_card(&building) {
            println!("  he was not let out by it ({error:#})");
        }
        std::thread::sleep(PICTURE);
        tell_who_ended(&mut building);
    }
}

/// A part that was killed stays away, and the others go on: that is to be looked at too.
fn tell_who_ended(building: &mut Building) {
    let logs = building.site.logs();
    for (name, part) in [
        ("server", &mut building.server),
        ("controller", &mut building.controller),
        ("vision", &mut building.vision),
    ] {
        if part.as_mut().is_some_and(|part| !part.is_alive()) {
            println!("  the {name} has ended (its last words are in {}); the others go on", logs.display());
            *part = None;
        }
    }
}

fn scripted(report: Option<&Path>) -> Result<()> {
    let folder = crate::root().join(".gatehouse/headless");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("clearing {}", folder.display()))?;
    }
    let mut building = Building::start(&folder, None, &mut |part| eprintln!("  starting: {part}"))?;
    let result = scenario::run(&mut building, &scenario::LONG, &mut |step| {
        let mark = if step.ok { "ok    " } else { "FAILED" };
        println!("  {mark} {:>6} ms  {}: {}", step.ms, step.name, step.detail);
    })?;
    building.stop()?;
    println!(
        "  {} events accepted, {} in the journal; frame to lock: median {:.0} ms of {}",
        result.events_accepted,
        result.events_in_journal,
        result.frame_to_lock_ms.p50,
        result.frame_to_lock_ms.n
    );
    if let Some(file) = report {
        let text = serde_json::to_string_pretty(&result)?;
        std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
    }
    if !result.is_good() {
        bail!("not every step was as it should be");
    }
    Ok(())
}
