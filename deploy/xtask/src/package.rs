//! Debian packages: one for each process, out of the programs, `deploy/debian` and `deploy/systemd`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use flate2::{Compression, GzBuilder};

use crate::run::{cargo, output, root, run};

/// One package.
struct Package {
    /// Its folder in `deploy/debian`, and its name without `gatehouse-`.
    name: &'static str,
    /// Where the program comes from.
    part: &'static str,
    units: &'static [&'static str],
    /// Pages that lie beside it, from the project's root.
    pages: &'static [&'static str],
}

const PACKAGES: &[Package] = &[
    Package {
        name: "server",
        part: "server",
        units: &["gatehouse-server.service", "gatehouse-broker.service"],
        pages: &["README.md", "deploy/docs/backup.md", "deploy/docs/standby.md", "deploy/docs/upgrade.md"],
    },
    Package {
        name: "controller",
        part: "gateway",
        units: &["gatehouse-controller.service"],
        pages: &["README.md"],
    },
    Package {
        name: "vision",
        part: "vision",
        units: &["gatehouse-vision.service"],
        pages: &["README.md", "vision/vision/README.md"],
    },
];

impl Package {
    fn whole_name(&self) -> String {
        format!("gatehouse-{}", self.name)
    }

    fn source(&self, file: &str) -> PathBuf {
        root().join("deploy/debian").join(self.name).join(file)
    }

    /// Makes the package in a folder; its file. `programs` holds the program.
    fn build(&self, programs: &Path, out: &Path) -> Result<PathBuf> {
        let name = self.whole_name();
        let (version, architecture) = (env!("CARGO_PKG_VERSION"), architecture()?);
        let folder = out.join(&name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        self.lay_out(programs, &folder)?;
        let control = fs::read_to_string(self.source("control"))?
            .replace("${shlibs}", &libraries(&folder.join("usr/bin").join(&name), out)?);
        let (first, others) = control.split_once('\n').context("a control file has fields")?;
        let size = size(&folder)? / 1024;
        let control = format!(
            "{first}\nVersion: {version}\nArchitecture: {architecture}\nInstalled-Size: {size}\n\
             Maintainer: The Gatehouse authors <gatehouse@localhost>\n{others}"
        );
        let debian = folder.join("DEBIAN");
        write(&debian.join("control"), control.as_bytes(), 0o644)?;
        for script in ["postinst", "prerm", "postrm"] {
            write(&debian.join(script), &fs::read(self.source(script))?, 0o755)?;
        }
        write(&debian.join("conffiles"), format!("/etc/default/{name}\n").as_bytes(), 0o644)?;
        write(&debian.join("md5sums"), sums(&folder)?.as_bytes(), 0o644)?;
        let file = out.join(format!("{name}_{version}_{architecture}.deb"));
        run(Command::new("dpkg-deb")
            .args(["--root-owner-group", "-Zxz", "--build"])
            .arg(&folder)
            .arg(&file))?;
        fs::remove_dir_all(&folder)?;
        Ok(file)
    }

    fn lay_out(&self, programs: &Path, folder: &Path) -> Result<()> {
        let name = self.whole_name();
        let program = programs.join(&name);
        ensure!(program.is_file(), "{} is not built", program.display());
        let installed = folder.join("usr/bin").join(&name);
        write(&installed, &fs::read(&program)?, 0o755)?;
        run(Command::new("strip").args(["--strip-unneeded", "--remove-section=.comment"]).arg(&installed))?;
        for unit in self.units {
            let text = fs::read(root().join("deploy/systemd").join(unit))?;
            write(&folder.join("usr/lib/systemd/system").join(unit), &text, 0o644)?;
        }
        write(&folder.join("etc/default").join(&name), &fs::read(self.source("default"))?, 0o644)?;
        let pages = folder.join("usr/share/doc").join(&name);
        for page in self.pages {
            let text = fs::read(root().join(page)).with_context(|| format!("{page} is missing"))?;
            let file = Path::new(page).file_name().context("a page has a name")?;
            // The project's own page comes first; a part's own is told apart.
            let file = if *page == "README.md" || *file != *"README.md" {
                PathBuf::from(file)
            } else {
                format!("{}.md", self.name).into()
            };
            write(&pages.join(file), &text, 0o644)?;
        }
        let example = format!("{}.toml", self.name);
        let text = fs::read(root().join("deploy/configuration").join(&example))?;
        write(&pages.join("examples").join(&example), &text, 0o644)?;
        write(&pages.join("copyright"), &fs::read(root().join("deploy/debian/copyright"))?, 0o644)?;
        write(&pages.join("changelog.gz"), &changelog(&name)?, 0o644)
    }
}

/// Builds the programs, unless they are given, and makes every package of them.
pub(crate) fn every(programs: Option<&Path>, out: &Path) -> Result<()> {
    fs::create_dir_all(out)?;
    let built = root().join("target/release");
    let programs = match programs {
        Some(programs) => programs,
        None => {
            let parts = PACKAGES.iter().flat_map(|package| ["--package", package.part]);
            run(cargo().args(["build", "--release", "--locked"]).args(parts))?;
            &built
        }
    };
    for package in PACKAGES {
        println!("{}", package.build(programs, out)?.display());
    }
    Ok(())
}

fn architecture() -> Result<String> {
    Ok(output(Command::new("dpkg").arg("--print-architecture"))?.trim().to_owned())
}

/// The packages of the libraries that a program is linked to, as Debian's own tool finds them.
fn libraries(program: &Path, out: &Path) -> Result<String> {
    let folder = out.join("shlibs");
    write(
        &folder.join("debian/control"),
        b"Source: gatehouse\n\nPackage: gatehouse\nArchitecture: any\n",
        0o644,
    )?;
    let found = output(
        Command::new("dpkg-shlibdeps").current_dir(&folder).arg("-O").arg(fs::canonicalize(program)?),
    )?;
    fs::remove_dir_all(&folder)?;
    let found = found.trim().strip_prefix("shlibs:Depends=").context("dpkg-shlibdeps says no libraries")?;
    Ok(found.to_owned())
}

fn changelog(name: &str) -> Result<Vec<u8>> {
    let version = env!("CARGO_PKG_VERSION");
    let text = format!(
        "{name} ({version}) unstable; urgency=medium\n\n  * Version {version}.\n\n \
         -- The Gatehouse authors <gatehouse@localhost>  Thu, 01 Jan 2026 00:00:00 +0000\n"
    );
    let mut packed = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    packed.write_all(text.as_bytes())?;
    Ok(packed.finish()?)
}

/// Every file below a folder, by its path from there.
fn files(folder: &Path, below: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder.join(below))? {
        let path = below.join(entry?.file_name());
        if folder.join(&path).is_dir() {
            files(folder, &path, into)?;
        } else {
            into.push(path);
        }
    }
    into.sort();
    Ok(())
}

fn size(folder: &Path) -> Result<u64> {
    let mut all = Vec::new();
    files(folder, Path::new(""), &mut all)?;
    all.iter().map(|file| Ok(fs::metadata(folder.join(file))?.len())).sum()
}

fn sums(folder: &Path) -> Result<String> {
    let mut all = Vec::new();
    files(folder, Path::new(""), &mut all)?;
    all.retain(|file| !file.starts_with("DEBIAN") && !file.starts_with("etc"));
    output(Command::new("md5sum").current_dir(folder).args(&all))
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let failed = || format!("{} cannot be written", path.display());
    let folder = path.parent().context("a file lies in a folder")?;
    fs::create_dir_all(folder).with_context(failed)?;
    fs::write(path, bytes).with_context(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).with_context(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The packages as they are, around programs that do nothing.
    #[test]
    fn every_package_can_be_built_and_holds_what_it_should() {
        let folder = root().join("target/package-test");
        let _ = fs::remove_dir_all(&folder);
        let programs = folder.join("programs");
        for package in PACKAGES {
            let program = fs::read("/bin/true").expect("coreutils are essential");
            write(&programs.join(package.whole_name()), &program, 0o755)
                .expect("the target folder can be written");
        }
        every(Some(&programs), &folder).expect("every package can be built");
        for package in PACKAGES {
            let name = package.whole_name();
            let file = format!("{name}_{}_{}.deb", env!("CARGO_PKG_VERSION"), architecture().expect("dpkg"));
            let file = folder.join(file);
            let contents = output(Command::new("dpkg-deb").arg("--contents").arg(&file)).expect("a package");
            for wanted in [
                format!("-rwxr-xr-x root/root {name} ./usr/bin/{name}"),
                format!("-rw-r--r-- root/root {name} ./etc/default/{name}"),
                format!("-rw-r--r-- root/root {name} ./usr/share/doc/{name}/copyright"),
                format!("-rw-r--r-- root/root {name} ./usr/share/doc/{name}/examples/{}.toml", package.name),
            ] {
                let (start, path) = wanted.split_once(&format!(" {name} ")).expect("written above");
                let is = |line: &str| line.starts_with(start) && line.ends_with(path);
                assert!(contents.lines().any(is), "{wanted}: {contents}");
            }
            let directories = contents.lines().filter(|line| line.starts_with('d'));
            assert!(directories.clone().all(|line| line.starts_with("drwxr-xr-x root/root")), "{contents}");
            for unit in package.units {
                assert!(contents.contains(&format!("./usr/lib/systemd/system/{unit}")), "{contents}");
            }
            let depends = output(Command::new("dpkg-deb").arg("--field").arg(&file).arg("Depends"));
            let depends = depends.expect("a field");
            assert!(depends.contains("libc6 (>=") && depends.contains("adduser"), "{depends}");
        }
    }

    /// What is said of a unit is what systemd itself makes of it.
    #[test]
    fn every_unit_is_closed_to_what_it_does_not_need() {
        for unit in PACKAGES.iter().flat_map(|package| package.units) {
            let path = root().join("deploy/systemd").join(unit);
            let said = output(
                Command::new("systemd-analyze")
                    .args(["security", "--offline=true", "--threshold=20", "--no-pager"])
                    .arg(&path),
            );
            let said = said.unwrap_or_else(|error| panic!("{unit} is more open than 2.0: {error:#}"));
            assert!(said.contains("Overall exposure level"), "{said}");
            let text = fs::read_to_string(&path).expect("a unit");
            for line in
                ["NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=", "UMask=0077"]
            {
                assert!(text.lines().any(|it| it.starts_with(line)), "{unit}: {line}");
            }
        }
    }

    /// No engine builds them here: what they say is held against what is known otherwise.
    #[test]
    fn every_container_starts_what_its_package_installs_and_not_as_root() {
        for package in PACKAGES {
            let path = root().join(format!("deploy/containers/{}.Containerfile", package.name));
            let text = fs::read_to_string(&path).expect("a container file for each package");
            let name = package.whole_name();
            let line = |start: &str| {
                let line = text.lines().rev().find(|line| line.starts_with(start));
                line.unwrap_or_else(|| panic!("{}: no {start}", path.display()))
            };
            assert!(line("ENTRYPOINT").contains(&format!("\"/usr/bin/{name}\"")), "{name}");
            assert!(
                line("RUN cargo build").ends_with(&format!("--locked --package {}", package.part)),
                "{name}"
            );
            assert!(line("COPY --from=build").ends_with(&format!("/usr/bin/{name}")), "{name}");
            let user = line("USER").trim_start_matches("USER ");
            assert!(
                user.starts_with("gatehouse") && text.contains(&format!("/var/lib/{user}")),
                "{name}: {user}"
            );
            let toolchain =
                fs::read_to_string(root().join("rust-toolchain.toml")).expect("the toolchain is pinned");
            let version = line("FROM docker.io/library/rust:").split([':', '-']).nth(1).expect("a version");
            assert!(toolchain.contains(&format!("\"{version}")), "{name}: {version} is not the toolchain");
        }
    }
}
