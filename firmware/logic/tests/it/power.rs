//! Power fails at every flash operation there is, before, within and after it: what was confirmed is there after the next start.

use std::collections::HashSet;

use board_logic::{Done, Job, Layout, MAX_PIECE, Restored, Storage};
use endpoints::door;
use endpoints::vendor::{BoardEvent, BoardSettings, OfflineRule, What};

use crate::bench::{settings, signer, whitelist};
use crate::flash::{CAPACITY, Cut, Flash, Sectors, block_on};

fn layout() -> Layout {
    Layout::new::<Flash>(CAPACITY as u32).unwrap()
}

fn event(seq: u32) -> BoardEvent {
    BoardEvent {
        seq,
        boot: 1,
        uptime_ms: u64::from(seq) * 1000,
        utc_us: Some(i64::from(seq)),
        what: What::Door(door::Event::NotOpened { id: u64::from(seq) }),
    }
}

fn list(number: u32) -> Vec<u8> {
    whitelist(number, &[1, 2, number as u16], 0, i64::MAX, &signer())
}

fn open(flash: &Flash) -> Option<(Storage<Flash>, Restored)> {
    block_on(Storage::open(flash.clone(), layout(), [0; 16])).ok()
}

/// What the storage has confirmed, and what it was doing when power failed.
#[derive(Clone, Debug)]
struct Known {
    epoch: u32,
    newest: u32,
    acked: u32,
    key: Option<[u8; 16]>,
    settings: Option<BoardSettings>,
    list: u32,
    under_way: Option<Job>,
}

impl Known {
    fn of(restored: &Restored) -> Known {
        Known {
            epoch: restored.epoch,
            newest: restored.newest,
            acked: restored.acked,
            key: restored.key,
            settings: restored.settings,
            list: restored.list.map_or(0, |head| head.header.list),
            under_way: None,
        }
    }

    /// Carries out a job; false if power failed at it.
    fn perform(&mut self, storage: &mut Storage<Flash>, job: Job) -> bool {
        self.under_way = Some(job.clone());
        let done = block_on(storage.perform(job.clone()));
        match (job, done) {
            (_, Done::Failed) => return false,
            (Job::Append(event), Done::Appended { .. }) => self.newest = event.seq,
            (Job::Acked { up_to }, Done::Acked) => self.acked = up_to,
            (Job::SaveKey(key), Done::KeySaved) => self.key = Some(key),
            (Job::EraseKey, Done::KeyErased) => self.key = None,
            (Job::SaveSettings(settings), Done::SettingsSaved) => self.settings = Some(settings),
            (Job::ListPiece { .. }, Done::PieceTaken) => {}
            (Job::ListPiece { .. }, Done::ListInForce(head)) => self.list = head.header.list,
            (job, done) => panic!("{job:?} ended in {done:?}"),
        }
        self.under_way = None;
        true
    }

    /// What is there after the next start is what was confirmed, and of what was under way all or nothing.
    fn check(&self, restored: &Restored, storage: &mut Storage<Flash>) {
        assert_eq!(restored.epoch, self.epoch);
        let next = matches!(self.under_way, Some(Job::Append(_)));
        assert!(
            restored.newest == self.newest || next && restored.newest == self.newest + 1,
            "newest {} after {self:?}",
            restored.newest
        );
        assert!(restored.newest - restored.oldest + 1 >= 1_000, "at least a thousand events are kept");
        let acked = match self.under_way {
            Some(Job::Acked { up_to }) => up_to,
            _ => self.acked,
        };
        assert!([self.acked, acked].contains(&restored.acked));
        let key = match self.under_way {
            Some(Job::SaveKey(key)) => Some(key),
            Some(Job::EraseKey) => None,
            _ => self.key,
        };
        assert!(restored.key == self.key || restored.key == key);
        assert!(!restored.key_lost && restored.lost == 0);
        let settings = match self.under_way {
            Some(Job::SaveSettings(settings)) => Some(settings),
            _ => self.settings,
        };
        assert!(restored.settings == self.settings || restored.settings == settings);
        let number = restored.list.map_or(0, |head| head.header.list);
        let new = matches!(self.under_way, Some(Job::ListPiece { .. }));
        assert!(number == self.list || new && number == self.list + 1, "list {number} after {self:?}");

        let mut next = restored.oldest;
        while next <= restored.newest {
            let Done::Fetched(events) = block_on(storage.perform(Job::Fetch { from: next })) else {
                panic!("the log is read")
            };
            assert!(!events.is_empty());
            for found in events {
                assert_eq!(found, event(next), "numbered without gaps");
                next += 1;
            }
        }
    }
}

fn pieces(file: &[u8], newest: u32) -> Vec<Job> {
    (0..)
        .zip(file.chunks(100))
        .map(|(n, piece)| Job::ListPiece {
            offset: n * 100,
            total: file.len() as u32,
            data: heapless::Vec::<u8, MAX_PIECE>::from_slice(piece).unwrap(),
            key: signer().verifying_key().to_bytes(),
            serial: 4711,
            newest,
        })
        .collect()
}

/// A bit of a board's life: events over a page's end, acknowledgements, its key erased and a new one, new settings, a new list.
fn life(known: &Known) -> Vec<Job> {
    let mut jobs = Vec::new();
    for n in 1..=50 {
        jobs.push(Job::Append(event(known.newest + n)));
        if n % 10 == 0 {
            jobs.push(Job::Acked { up_to: known.newest + n - 3 });
        }
        if n == 20 {
            jobs.push(Job::EraseKey);
            jobs.push(Job::SaveKey([0x77; 16]));
            jobs.push(Job::SaveSettings(BoardSettings {
                offline_after_s: 9,
                ..settings(OfflineRule::Whitelist)
            }));
            jobs.extend(pieces(&list(known.list + 1), known.list));
        }
    }
    jobs
}

/// A flash with some history: its log has gone round, its map is nearly full.
fn history() -> Vec<u8> {
    let flash = Flash::new();
    let (mut storage, restored) = open(&flash).unwrap();
    let mut known = Known::of(&restored);
    let mut jobs = vec![Job::SaveKey([0x42; 16]), Job::SaveSettings(settings(OfflineRule::Whitelist))];
    jobs.extend(pieces(&list(1), 0));
    jobs.extend((1..=1_500).map(|n| Job::Append(event(n))));
    jobs.extend((1..=60).map(|n| Job::Acked { up_to: n * 10 }));
    for job in jobs {
        assert!(known.perform(&mut storage, job));
    }
    flash.image()
}

/// `GATEHOUSE_SOAK=1`: the long form.
fn soak() -> bool {
    std::env::var_os("GATEHOUSE_SOAK").is_some()
}

#[test]
fn power_may_fail_at_any_flash_operation() {
    let image = history();
    let whole = Flash::of(image.clone());
    let (mut storage, restored) = open(&whole).unwrap();
    let mut known = Known::of(&restored);
    let start = known.clone();
    assert_eq!((known.newest, known.acked, known.list), (1_500, 600, 1));
    for job in life(&known) {
        assert!(known.perform(&mut storage, job));
    }
    let operations = whole.operations();
    assert!(operations > 300, "{operations}");

    for operation in 0..operations {
        // After one operation flash is as before the next, only nobody was told: left to the long form.
        cut_once(&image, &start, operation, Cut::Before, 0);
        if soak() {
            cut_once(&image, &start, operation, Cut::After, 0);
        }
        // What is torn may look like anything; erases, which tear most, many times.
        let looks = match (whole.is_erase(operation), soak()) {
            (true, true) => 40,
            (true, false) => 8,
            (false, true) => 2,
            (false, false) => 1,
        };
        for noise in 0..looks {
            cut_once(&image, &start, operation, Cut::Within, noise);
        }
    }
}

fn cut_once(image: &[u8], before: &Known, operation: usize, cut: Cut, noise: u64) {
    let flash = Flash::of(image.to_vec());
    flash.cut_at(operation, cut, noise);
    let mut known = before.clone();
    let mut seeds = HashSet::new();
    if let Some((mut storage, restored)) = open(&flash) {
        seeds.insert(restored.seed);
        for job in life(before) {
            if !known.perform(&mut storage, job) {
                break;
            }
        }
    }
    // Power is back: on the same cells.
    let flash = Flash::of(flash.image());
    let (mut storage, restored) =
        open(&flash).unwrap_or_else(|| panic!("the flash opens after a cut {cut:?} operation {operation}"));
    known.check(&restored, &mut storage);
    assert!(seeds.insert(restored.seed), "a seed is never used twice");
    // And life goes on.
    let mut known = Known::of(&restored);
    for job in life(&known.clone()).into_iter().take(12) {
        let what = format!("{job:?}");
        assert!(known.perform(&mut storage, job), "{what} after a cut {cut:?} operation {operation}");
    }
    let (mut storage, restored) = open(&flash).unwrap();
    known.check(&restored, &mut storage);
}

#[test]
fn power_may_fail_twice_the_second_time_while_mending() {
    let image = history();
    let whole = Flash::of(image.clone());
    let (mut storage, restored) = open(&whole).unwrap();
    let mut known = Known::of(&restored);
    for job in life(&known) {
        assert!(known.perform(&mut storage, job));
    }
    let operations = whole.operations();
    for operation in (0..operations).step_by(11) {
        for second in 0..12 {
            let flash = Flash::of(image.clone());
            flash.cut_at(operation, Cut::Within, 7);
            let mut known = Known::of(&restored);
            if let Some((mut storage, _)) = open(&flash) {
                for job in life(&known.clone()) {
                    if !known.perform(&mut storage, job) {
                        break;
                    }
                }
            }
            let flash = Flash::of(flash.image());
            flash.cut_at(second, Cut::Within, 8);
            let _mending = open(&flash);
            let flash = Flash::of(flash.image());
            let (mut storage, restored) =
                open(&flash).unwrap_or_else(|| panic!("opens: {operation}, {second}"));
            known.check(&restored, &mut storage);
        }
    }
}

#[test]
fn a_thousand_events_are_kept_in_68_kib_and_in_80_where_sectors_are_large() {
    assert!(layout().min_events::<Flash>() >= 1_000);
    assert!(Layout::new::<Flash>(64 * 1024).is_err());
    assert!(Layout::new::<Sectors>(72 * 1024).is_err());
    assert!(Layout::new::<Sectors>(80 * 1024).is_ok());
}
