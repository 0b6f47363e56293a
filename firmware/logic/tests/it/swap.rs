//! The bootloader of `embassy-boot` over the flash of these tests, and images for it: power fails at every flash operation of receiving,
//! swapping, trying and returning. After each cut the old or the new version runs, whole; in the end the one that was meant.

use board_logic::{Done, Job, Layout, MAX_PIECE, Slot, Start, Storage, Updates};
use ed25519_dalek::{Signer, SigningKey};
use embassy_boot::{BootLoader, BootLoaderConfig};
use embedded_storage::nor_flash as blocking;
use embedded_storage_async::nor_flash::{NorFlash, ReadNorFlash};
use endpoints::vendor::Kind;
use endpoints::vendor::firmware::{Fits, HEAD_LEN, HEADER_LEN, Header, Running, Text, Unfit, signed_message};
use sha2::{Digest, Sha256};

use crate::flash::{CAPACITY, Cut, Fault, Flash, PAGE, WORD, block_on};

const LONGEST: usize = 3 * PAGE;
const PLACE: usize = CAPACITY;
const MARKS: usize = PLACE + LONGEST + PAGE;
const ACTIVE: usize = MARKS + PAGE;
const END: usize = ACTIVE + LONGEST;

pub(crate) const OLD: [u8; 3] = [0, 1, 0];
pub(crate) const NEW: [u8; 3] = [0, 2, 0];

pub(crate) fn maker() -> SigningKey {
    SigningKey::from_bytes(&[21; 32])
}

pub(crate) fn updates(firmware: [u8; 3]) -> Updates {
    Updates {
        place: PLACE as u32..MARKS as u32,
        marks: MARKS as u32..ACTIVE as u32,
        keys: heapless::Vec::from_slice(&[maker().verifying_key().to_bytes()]).unwrap(),
        running: Running { fits: fits(), firmware, security: 3 },
    }
}

pub(crate) fn fits() -> Fits {
    Fits { kind: Kind::Door, model: 1, revision: 1, target: Text::new("bench").unwrap() }
}

/// An image that says which version it is, and then anything; it ends in the middle of a word.
pub(crate) fn image(firmware: [u8; 3]) -> Vec<u8> {
    let mut bytes = firmware.to_vec();
    let mut hash = Sha256::digest(firmware);
    while bytes.len() < 2 * PAGE + 1_003 {
        bytes.extend_from_slice(&hash);
        hash = Sha256::digest(hash);
    }
    bytes.truncate(2 * PAGE + 1_003);
    // A page's worth of erased bytes in the middle: such words are not written.
    bytes[1_000..1_100].fill(0xFF);
    bytes
}

pub(crate) fn header(firmware: [u8; 3]) -> Header {
    let image = image(firmware);
    Header {
        fits: fits(),
        firmware,
        security: 3,
        length: image.len() as u32,
        words: Text::new("a bench's version").unwrap(),
        sha256: Sha256::digest(&image).into(),
    }
}

pub(crate) fn file(header: &Header, image: &[u8], signer: &SigningKey) -> Vec<u8> {
    let mut bytes = [0; HEADER_LEN];
    header.encode(&mut bytes).unwrap();
    let mut file = bytes.to_vec();
    file.extend(signer.sign(&signed_message(&bytes)).to_bytes());
    assert_eq!(file.len(), HEAD_LEN);
    file.extend(image);
    file
}

/// A flash with the old version on it.
pub(crate) fn flash() -> Flash {
    let mut bytes = vec![0xFF; END];
    let old = image(OLD);
    bytes[ACTIVE..ACTIVE + old.len()].copy_from_slice(&old);
    Flash::of(bytes)
}

/// Everything but what the storage keeps beside updates.
pub(crate) fn place(flash: &Flash) -> Vec<u8> {
    flash.image()[PLACE..].to_vec()
}

/// A part of the flash as bootloaders see it.
struct Blocking(Flash, u32, u32);

impl blocking::ErrorType for Blocking {
    type Error = Fault;
}

impl blocking::ReadNorFlash for Blocking {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        block_on(self.0.read(self.1 + offset, bytes))
    }

    fn capacity(&self) -> usize {
        self.2 as usize
    }
}

impl blocking::NorFlash for Blocking {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        block_on(self.0.erase(self.1 + from, self.1 + to))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Fault> {
        block_on(self.0.write(self.1 + offset, bytes))
    }
}

/// Power comes: the bootloader does what the marks say, and some version runs. None if power fails meanwhile.
pub(crate) fn boot(flash: &Flash) -> Option<[u8; 3]> {
    let part = |from: usize, length: usize| Blocking(flash.clone(), from as u32, length as u32);
    let mut loader = BootLoader::new(BootLoaderConfig {
        active: part(ACTIVE, LONGEST),
        dfu: part(PLACE, LONGEST + PAGE),
        state: board_logic::Marks(part(MARKS, PAGE)),
    });
    loader.prepare_boot(&mut [0; PAGE]).ok()?;
    let active = flash.image()[ACTIVE..].to_vec();
    let known = [OLD, NEW].into_iter().find(|version| active.starts_with(&image(*version)));
    Some(known.expect("one of the two versions is there, whole"))
}

fn open(flash: &Flash, firmware: [u8; 3]) -> Option<(Storage<Flash>, Slot, Start)> {
    let layout = Layout::new::<Flash>(CAPACITY as u32).unwrap().with_updates::<Flash>(updates(firmware));
    let (storage, restored) = block_on(Storage::open(flash.clone(), layout.unwrap(), [0; 16])).ok()?;
    Some((storage, restored.update.slot, restored.update.start))
}

/// What is told to the board.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Told {
    /// The new version finds all well.
    Good,
    /// It does not come up.
    Bad,
}

/// From one power-on to the next, as a controller and a board do it. Says what ended it.
fn live(flash: &Flash, file: &[u8], told: Told) -> Option<End> {
    let running = boot(flash)?;
    if told == Told::Bad && running == NEW {
        // Its watchdog starts it again.
        return Some(End::Again);
    }
    let (mut storage, slot, start) = open(flash, running)?;
    let mut perform = |job: Job| match block_on(storage.perform(job)) {
        Done::Failed => None,
        done => Some(done),
    };
    match start {
        Start::Trial => {
            assert_eq!(running, NEW, "the old version is never on trial");
            assert_eq!(perform(Job::MarkGood)?, Done::Marked);
            assert_eq!(perform(Job::ForgetImage)?, Done::ImageForgotten);
            return Some(End::Settled(running));
        }
        Start::Stayed => {
            assert_eq!(running, NEW);
            assert_eq!(perform(Job::ForgetImage)?, Done::ImageForgotten);
            return Some(End::Settled(running));
        }
        Start::Returned(tried) => {
            assert_eq!((running, tried), (OLD, NEW));
            assert_eq!(perform(Job::ForgetImage)?, Done::ImageForgotten);
            return Some(End::Returned);
        }
        Start::Usual if running == NEW => return Some(End::Settled(running)),
        Start::Usual => {}
    }
    let ours = header(NEW).image();
    if slot != (Slot::Whole { image: ours, firmware: NEW }) {
        let from = match slot {
            Slot::Part { image, have } if image == ours => have as usize,
            _ => 0,
        };
        assert!(from == 0 || from == HEAD_LEN || from == HEAD_LEN + 4096, "resumed at {from}");
        for (n, piece) in file[from..].chunks(157).enumerate() {
            let offset = (from + n * 157) as u32;
            let data = heapless::Vec::<u8, MAX_PIECE>::from_slice(piece).unwrap();
            match perform(Job::ImagePiece { offset, total: file.len() as u32, data })? {
                Done::PieceTaken | Done::ImagePart { .. } => {}
                other => panic!("{other:?} at {offset} from {from}"),
            }
        }
        assert_eq!(perform(Job::CheckImage)?, Done::ImageWhole { image: ours, firmware: NEW });
    }
    assert_eq!(perform(Job::MarkSwap { image: ours })?, Done::Marked);
    Some(End::Again)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// The board starts anew.
    Again,
    Settled([u8; 3]),
    /// The controller is told that the new version came back.
    Returned,
}

/// Lives until what was told has come about; says how many flash operations it took.
fn story(cut: Option<(usize, Cut, u64)>, told: Told) -> usize {
    let file = file(&header(NEW), &image(NEW), &maker());
    let mut flash = flash();
    if let Some((at, cut, noise)) = cut {
        flash.cut_at(at, cut, noise);
    }
    let mut tries = 0;
    for _ in 0..12 {
        match (live(&flash, &file, told), told) {
            (None, _) => {
                assert!(cut.is_some(), "flash fails only where it is cut");
                flash = Flash::of(flash.image());
            }
            (Some(End::Again), _) => {}
            (Some(End::Settled(NEW)), Told::Good) | (Some(End::Returned), Told::Bad) => {
                // It stays so.
                let operations = flash.operations();
                let flash = Flash::of(flash.image());
                let running = boot(&flash).expect("power stays");
                assert_eq!(running, if told == Told::Good { NEW } else { OLD });
                let (_, slot, start) = open(&flash, running).expect("power stays");
                assert_eq!((slot, start), (Slot::Empty, Start::Usual));
                return operations;
            }
            (Some(End::Returned), Told::Good) => {
                tries += 1;
                assert!(cut.is_some() && tries < 2, "it comes back once, for it was cut off in its trial");
            }
            (Some(end @ End::Settled(_)), _) => panic!("{end:?}, told {told:?}"),
        }
    }
    panic!("it never settles: cut {cut:?}, told {told:?}");
}

fn cut_everywhere(told: Told) {
    let operations = story(None, told);
    assert!(operations > 2_000, "{operations}");
    let soak = std::env::var_os("GATEHOUSE_SOAK").is_some();
    for at in 0..operations {
        story(Some((at, Cut::Within, at as u64)), told);
        story(Some((at, Cut::AllButTheFirst, 0)), told);
        // After one operation flash is as before the next: left to the long form.
        if soak {
            for (cut, noise) in [(Cut::Before, 0), (Cut::After, 0), (Cut::Within, 7), (Cut::Within, 8)] {
                story(Some((at, cut, noise)), told);
            }
        }
    }
}

#[test]
fn power_may_fail_at_any_operation_of_an_update() {
    cut_everywhere(Told::Good);
}

#[test]
fn power_may_fail_at_any_operation_of_a_return() {
    cut_everywhere(Told::Bad);
}

#[test]
fn what_was_received_before_a_power_cut_is_not_sent_again() {
    let flash = flash();
    let file = file(&header(NEW), &image(NEW), &maker());
    let (mut storage, ..) = open(&flash, OLD).unwrap();
    for (n, piece) in file.chunks(157).enumerate().take(30) {
        let data = heapless::Vec::<u8, MAX_PIECE>::from_slice(piece).unwrap();
        let done = block_on(storage.perform(Job::ImagePiece {
            offset: n as u32 * 157,
            total: file.len() as u32,
            data,
        }));
        assert!(matches!(done, Done::PieceTaken | Done::ImagePart { .. }), "{done:?}");
    }
    let (_, slot, _) = open(&flash, OLD).unwrap();
    assert_eq!(slot, Slot::Part { image: header(NEW).image(), have: (HEAD_LEN + 4096) as u32 });
}

#[test]
fn an_image_that_rots_in_flash_is_not_started() {
    let flash = flash();
    let file = file(&header(NEW), &image(NEW), &maker());
    let (mut storage, ..) = open(&flash, OLD).unwrap();
    for (n, piece) in file.chunks(157).enumerate() {
        let data = heapless::Vec::<u8, MAX_PIECE>::from_slice(piece).unwrap();
        block_on(storage.perform(Job::ImagePiece { offset: n as u32 * 157, total: file.len() as u32, data }));
    }
    let whole = Done::ImageWhole { image: header(NEW).image(), firmware: NEW };
    assert_eq!(block_on(storage.perform(Job::CheckImage)), whole);
    let mut bytes = flash.image();
    bytes[PLACE + 4_000] ^= 0x10;
    let rotten = Flash::of(bytes);
    let (mut storage, ..) = open(&rotten, OLD).unwrap();
    let done = block_on(storage.perform(Job::MarkSwap { image: header(NEW).image() }));
    assert_eq!(done, Done::Unfit(Unfit::Digest));
    assert_eq!(boot(&rotten), Some(OLD));
}
