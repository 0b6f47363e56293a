//! A folder of photographs as it is uploaded: files of their own, or a ZIP. Names are looked at and never used as a path.

use std::io::{Cursor, Read as _};
use std::time::Duration;

use encoding_rs::GB18030;
use people::embed::PHOTO_MAX;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use zip::ZipArchive;

use super::PHOTOS_MAX;

/// The largest upload, in bytes: some six hundred photographs for passes.
pub const UPLOAD_MAX: usize = 96 * 1024 * 1024;
/// What a ZIP unpacks to at most: photographs hardly shrink.
const UNPACKED_MAX: usize = 128 * 1024 * 1024;
/// The longest file name that is kept, in letters.
const NAME_MAX: usize = 120;

/// Folders are unpacked one at a time.
static WORKER: Semaphore = Semaphore::const_new(1);
/// How long one waits for those before it.
const TURN: Duration = Duration::from_secs(20);

/// A file of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    /// Its name, with the folders it lay in.
    pub file: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Why an upload is no folder of photographs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FolderError {
    /// No photograph is in it.
    #[error("there is no photograph in it")]
    Empty,
    /// More than [`UPLOAD_MAX`], or it unpacks to more than is good.
    #[error("the photographs are too large together")]
    TooLarge,
    /// More than [`PHOTOS_MAX`].
    #[error("there are more than {PHOTOS_MAX} photographs")]
    TooMany,
    /// A ZIP that cannot be read.
    #[error("the ZIP is damaged, or protected by a password")]
    Damaged,
    /// Others are being unpacked.
    #[error("other folders are being unpacked: try again")]
    Busy,
}

impl FolderError {
    /// The stable kind, for programs and language files.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "album-empty",
            Self::TooLarge => "album-too-large",
            Self::TooMany => "album-too-many",
            Self::Damaged => "album-damaged",
            Self::Busy => "album-busy",
        }
    }
}

/// Takes the photographs out of what was uploaded: a ZIP is unpacked in the bounded worker, other files are taken as they
/// are. What systems put beside photographs by themselves is left out.
///
/// # Errors
/// Why it is no folder of photographs.
pub async fn unpack(files: Vec<Photo>) -> Result<Vec<Photo>, FolderError> {
    let turn = timeout(TURN, WORKER.acquire()).await.map_err(|_| FolderError::Busy)?;
    let _turn = turn.expect("never closed");
    let work = tokio::task::spawn_blocking(move || {
        let (mut photos, mut left) = (Vec::new(), UNPACKED_MAX);
        for file in files {
            if file.bytes.starts_with(b"PK\x03\x04") {
                unzip(&file.bytes, &mut photos, &mut left)?;
            } else if is_photograph(&file.file) {
                photos.push(Photo { file: shortened(&file.file), ..file });
            }
            if photos.len() > PHOTOS_MAX {
                return Err(FolderError::TooMany);
            }
        }
        if photos.is_empty() { Err(FolderError::Empty) } else { Ok(photos) }
    });
    work.await.unwrap_or(Err(FolderError::Damaged))
}

fn unzip(upload: &[u8], photos: &mut Vec<Photo>, left: &mut usize) -> Result<(), FolderError> {
    let mut archive = ZipArchive::new(Cursor::new(upload)).map_err(|_| FolderError::Damaged)?;
    if archive.len() > 2 * PHOTOS_MAX {
        return Err(FolderError::TooMany);
    }
    for at in 0..archive.len() {
        let part = archive.by_index(at).map_err(|_| FolderError::Damaged)?;
        let file = name(part.name_raw());
        if part.is_dir() || !is_photograph(&file) {
            continue;
        }
        if photos.len() >= PHOTOS_MAX {
            return Err(FolderError::TooMany);
        }
        let mut bytes = Vec::new();
        // One byte more than is taken: it is then refused by its size, as its own fault.
        let most = (PHOTO_MAX + 1).min(*left + 1);
        part.take(most as u64).read_to_end(&mut bytes).map_err(|_| FolderError::Damaged)?;
        *left = left.checked_sub(bytes.len()).ok_or(FolderError::TooLarge)?;
        photos.push(Photo { file: shortened(&file), bytes });
    }
    Ok(())
}

/// UTF-8 where it is that; otherwise GB18030, as Windows in China names files in a ZIP.
fn name(raw: &[u8]) -> String {
    match std::str::from_utf8(raw) {
        Ok(name) => name.to_owned(),
        Err(_) => GB18030.decode_without_bom_handling(raw).0.into_owned(),
    }
}

fn shortened(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(NAME_MAX).collect()
}

/// By its ending; what it really is, is looked at later. `__MACOSX` and files that begin with a point are a system's own.
fn is_photograph(name: &str) -> bool {
    let parts: Vec<&str> = name.split(['/', '\\']).collect();
    let last = parts.last().copied().unwrap_or_default();
    let ending = last.rsplit_once('.').map(|(_, ending)| ending.to_lowercase()).unwrap_or_default();
    ["jpg", "jpeg", "png"].contains(&ending.as_str())
        && !last.starts_with('.')
        && !parts.contains(&"__MACOSX")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    async fn names(files: Vec<Photo>) -> Result<Vec<String>, FolderError> {
        Ok(unpack(files).await?.into_iter().map(|photo| photo.file).collect())
    }

    #[tokio::test]
    async fn a_folder_and_a_zip_give_photographs_and_nothing_else() {
        let zip = zipped(&[
            ("照片/0012.jpg", b"x"),
            ("../../etc/passwd", b"x"),
            ("__MACOSX/._0012.jpg", b"x"),
            ("a/.DS_Store", b"x"),
            ("../0013.PNG", b"x"),
        ]);
        let files = vec![
            Photo { file: "photos.zip".into(), bytes: zip },
            Photo { file: "folder/0014.jpeg".into(), bytes: b"x".to_vec() },
            Photo { file: "folder/Thumbs.db".into(), bytes: b"x".to_vec() },
        ];
        assert_eq!(names(files).await.unwrap(), ["照片/0012.jpg", "../0013.PNG", "folder/0014.jpeg"]);
        assert_eq!(names(vec![Photo { file: "a.txt".into(), bytes: vec![] }]).await, Err(FolderError::Empty));
    }

    #[test]
    fn names_are_read_as_windows_in_china_writes_them() {
        assert_eq!(name(&GB18030.encode("0012_林晓雨.jpg").0), "0012_林晓雨.jpg");
        assert_eq!(name("林.jpg".as_bytes()), "林.jpg");
    }

    #[tokio::test]
    async fn what_unpacks_without_measure_is_refused() {
        let zeros = vec![0; 8 << 20];
        let names: Vec<String> = (0..17).map(|at| format!("{at}.jpg")).collect();
        let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), zeros.as_slice())).collect();
        let zip = zipped(&files);
        assert!(zip.len() < 1 << 20);
        let files = vec![Photo { file: "a.zip".into(), bytes: zip }];
        assert_eq!(unpack(files).await, Err(FolderError::TooLarge));
        let broken = vec![Photo { file: "a.zip".into(), bytes: b"PK\x03\x04".to_vec() }];
        assert_eq!(unpack(broken).await, Err(FolderError::Damaged));
    }
}
