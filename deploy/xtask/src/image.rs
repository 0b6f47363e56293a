//! Firmware images that boards take: the maker's key, and a file signed with it.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use endpoints::vendor::Kind;
use endpoints::vendor::firmware::{Fits, HEADER_LEN, Header, MAX_IMAGE, Text, signed_message};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};

use crate::stock;

/// What is signed, and for whom.
#[derive(Args)]
pub(crate) struct Options {
    /// The program as it was linked (ELF), or with `--raw` the bytes as they are.
    program: PathBuf,
    /// Where the file goes that boards are sent.
    #[arg(long)]
    out: PathBuf,
    /// The maker's key, as `cargo xtask vendor-key` makes it.
    #[arg(long)]
    key: PathBuf,
    /// Which kind of board.
    #[arg(long, value_enum)]
    board: BoardName,
    /// Which target of its pin map.
    #[arg(long)]
    target: String,
    /// The version that the program says it is, as 1.2.3.
    #[arg(long)]
    firmware: String,
    /// The security number that the program was built with.
    #[arg(long)]
    security: u32,
    /// What people call this version, at most 28 ASCII characters.
    #[arg(long, default_value = "")]
    words: String,
    /// The file is no ELF file: its bytes are the image.
    #[arg(long)]
    raw: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum BoardName {
    Door,
    GateLane,
}

/// Makes and signs an image.
pub(crate) fn sign(options: &Options) -> Result<()> {
    let bytes = std::fs::read(&options.program).with_context(|| options.program.display().to_string())?;
    let image = if options.raw {
        bytes
    } else {
        stock::flash_of(&bytes)
            .with_context(|| format!("{} is no 32-bit ELF file", options.program.display()))?
    };
    let length = u32::try_from(image.len()).ok().filter(|length| (1..=MAX_IMAGE).contains(length));
    let length =
        length.with_context(|| format!("an image has 1 to {MAX_IMAGE} bytes, not {}", image.len()))?;
    let (kind, folder) = match options.board {
        BoardName::Door => (Kind::Door, "door"),
        BoardName::GateLane => (Kind::GateLane, "gate-lane"),
    };
    let (model, revision) = board(folder)?;
    let header = Header {
        fits: Fits {
            kind,
            model,
            revision,
            target: Text::new(&options.target).context("--target: at most 16 ASCII characters")?,
        },
        firmware: version(&options.firmware)?,
        security: options.security,
        length,
        words: Text::new(&options.words).context("--words: at most 28 ASCII characters")?,
        sha256: digest(&SHA256, &image).as_ref().try_into().expect("SHA-256 has 32 bytes"),
    };
    let key = key(&options.key)?;
    let mut head = [0; HEADER_LEN];
    header.encode(&mut head).expect("the header's length");
    let file = [&head[..], key.sign(&signed_message(&head)).as_ref(), &image].concat();
    std::fs::write(&options.out, &file).with_context(|| options.out.display().to_string())?;
    println!("{}: {} bytes, signed with {}", options.out.display(), file.len(), public(&key));
    Ok(())
}

/// Makes a maker's key: the secret into a file that nobody else may read, the public half for the boards' builds on standard output.
pub(crate) fn make_key(path: &Path) -> Result<()> {
    let mut seed = [0; 32];
    ensure!(SystemRandom::new().fill(&mut seed).is_ok(), "the system gives no random numbers");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| path.display().to_string())?;
    file.write_all(&seed)?;
    file.sync_all()?;
    println!("{}", public(&key(path)?));
    Ok(())
}

fn key(path: &Path) -> Result<Ed25519KeyPair> {
    let seed = std::fs::read(path).with_context(|| path.display().to_string())?;
    ensure!(seed.len() == 32, "{}: a key has 32 bytes, not {}", path.display(), seed.len());
    Ok(Ed25519KeyPair::from_seed_unchecked(&seed).expect("any 32 bytes are a seed"))
}

fn public(key: &Ed25519KeyPair) -> String {
    key.public_key().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn version(text: &str) -> Result<[u8; 3]> {
    let parts: Vec<u8> =
        text.split('.').map(str::parse).collect::<Result<_, _>>().context("--firmware: not 1.2.3")?;
    parts.try_into().ok().context("--firmware: not three numbers")
}

/// Model and revision of a board's pin map.
fn board(folder: &str) -> Result<(u8, u8)> {
    let path = crate::run::root().join("hardware/boards").join(folder).join("pinmap.toml");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let number = |key: &str| -> Result<u8> {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.trim().strip_prefix('='));
        let Some(line) = line else { bail!("{}: no {key}", path.display()) };
        line.trim().parse().with_context(|| format!("{}: {key}", path.display()))
    };
    Ok((number("model")?, number("revision")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_image_is_one_that_a_board_reads() {
        let folder = crate::run::root().join("target/tmp");
        std::fs::create_dir_all(&folder).expect("made");
        let at = |name: &str| folder.join(format!("{}-{name}", std::process::id()));
        let (program, out, key_file) = (at("program"), at("image"), at("key"));
        make_key(&key_file).expect("made");
        make_key(&key_file).expect_err("a key is not overwritten");
        std::fs::write(&program, b"a program").expect("written");
        let options = Options {
            program: program.clone(),
            out: out.clone(),
            key: key_file.clone(),
            board: BoardName::GateLane,
            target: "stm32g474".into(),
            firmware: "1.2.3".into(),
            security: 4,
            words: "autumn".into(),
            raw: true,
        };
        sign(&options).expect("signed");
        let file = std::fs::read(&out).expect("there");
        let (header, signed, signature) =
            endpoints::vendor::firmware::head(file.first_chunk().expect("a head")).expect("a head");
        assert_eq!((header.fits.kind, header.fits.model, header.fits.revision), (Kind::GateLane, 2, 1));
        assert_eq!((header.firmware, header.security, header.words.as_str()), ([1, 2, 3], 4, "autumn"));
        assert_eq!(usize::try_from(header.file_len()).expect("small"), file.len());
        let public = key(&key_file).expect("read").public_key().as_ref().to_vec();
        let public = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, public);
        public.verify(&signed, &signature).expect("the maker's");
        for path in [program, out, key_file] {
            std::fs::remove_file(path).expect("removed");
        }
    }
}
