//! Boards get the firmware that the server ordered for them: one board of a bus at a time, at the bus's leisure; started anew within the
//! order's time, when the door is at rest; tried, and kept or not by the board itself.
//!
//! The board says how it stands after each greeting and whenever it is asked; what is done next follows from that, so that a
//! restart of either side changes nothing. When a board of a plan does not take its version, or goes back, the others of the plan are left as
//! they are.

use std::sync::Arc;

use endpoints::vendor::firmware::{FILE_TYPE, Header, Unfit};
use endpoints::vendor::{Kind as BoardKind, Stage, ToBoard, Update, What};
use osdp::cp::Failure;
use uplink::event::BoardChange;
use uplink::live::{self, UpdateStage};
use uplink::sync::firmware::{Firmware, OrderRow};

use super::memory::{Course, UpdateKept};
use super::{BoardId, Now, RELEASE_LIFE, Say, Site};
use crate::config::Kind;

/// A board that is at something, or did not answer, is asked again after this, in microseconds.
const AGAIN: u64 = 10_000_000;
/// A transfer that broke off goes on after this, in microseconds.
const RETRY: u64 = 30_000_000;
/// Transfers of one order that may break off without getting any further.
const TRIES: u32 = 10;
/// A transfer is told each time that so many hundredths more are sent.
const TOLD_EVERY: u8 = 25;

/// The update of one board.
#[derive(Debug, Default)]
pub(super) struct UpdateNow {
    work: Work,
    /// When to look again, microseconds since start.
    look_at: Option<u64>,
    /// Hundredths of the image that are sent.
    sent: u8,
    /// Transfers that broke off one after the other, and how far they came.
    failed: u32,
    furthest: u32,
    stage: Option<UpdateStage>,
    /// The version that is ordered.
    wanted: Option<[u8; 3]>,
    pub(super) kept: Option<UpdateKept>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Work {
    #[default]
    Nothing,
    Asking,
    Sending {
        token: u64,
    },
}

impl UpdateNow {
    pub(super) fn deadline(&self) -> Option<u64> {
        self.look_at
    }

    /// The board went: it is asked when it is back.
    pub(super) fn gone(&mut self) {
        (self.work, self.look_at) = (Work::Nothing, None);
    }

    pub(super) fn live(&self) -> Option<live::Update> {
        let firmware = self.wanted.map(|[major, minor, patch]| format!("{major}.{minor}.{patch}"));
        self.stage.map(|stage| live::Update { stage, firmware, sent: self.sent })
    }
}

impl Site {
    /// Other images or orders hold now.
    pub(super) fn firmware_changed(&mut self, now: Now, firmware: Arc<Firmware>) {
        self.firmware = firmware;
        let plans: Vec<u64> = self.firmware.orders.values().map(|order| order.plan).collect();
        let over: Vec<u64> = self.stopped.iter().copied().filter(|plan| !plans.contains(plan)).collect();
        for plan in over {
            self.stopped.remove(&plan);
            self.keep_stopped(plan, false);
        }
        for board in self.plan.ids() {
            let ordered = self.order_of(board).map(|(id, order, header)| (id, order.clone(), header));
            let update = &mut self.boards[board.0].update;
            let Some((id, _, header)) = ordered else {
                // Nothing is taken back from a board; what it was sent it keeps, unused.
                (update.stage, update.wanted, update.look_at) = (None, None, None);
                if update.kept.take().is_some() {
                    self.keep_update(board);
                }
                continue;
            };
            update.wanted = Some(header.firmware);
            if update.kept.is_none_or(|kept| kept.order != id) {
                (update.failed, update.furthest, update.sent) = (0, 0, 0);
                update.stage = Some(UpdateStage::Waiting);
                self.course(board, id, Course::Ordered);
                self.firmware_event(now.utc.0, board, BoardChange::FirmwareOrdered, header.firmware);
            }
            self.look_at_update(now, board);
        }
    }

    /// A board has said who it is, or something that concerns it has changed.
    pub(super) fn look_at_update(&mut self, now: Now, board: BoardId) {
        let update = &mut self.boards[board.0].update;
        if update.wanted.is_some() && update.work == Work::Nothing {
            update.look_at = Some(now.mono);
        }
    }

    pub(super) fn updates_due(&mut self, now: Now) {
        for board in self.plan.ids() {
            let update = &mut self.boards[board.0].update;
            if update.look_at.is_none_or(|at| at > now.mono) {
                continue;
            }
            update.look_at = None;
            update.work = Work::Nothing;
            self.ask_update(now, board);
        }
    }

    /// How does it stand? What follows is done when it answers.
    fn ask_update(&mut self, now: Now, board: BoardId) {
        let Some((_, order, _)) = self.order_of(board) else { return };
        let plan = order.plan;
        let over = order.until <= now.utc.0;
        let update = &self.boards[board.0].update;
        let settled = match update.kept.map(|kept| kept.course) {
            Some(Course::Done) => Some(UpdateStage::Done),
            Some(Course::Refused) => Some(UpdateStage::Refused),
            Some(Course::Returned) => Some(UpdateStage::Stopped),
            // What was started is seen to its end, whatever became of the others and of the time.
            Some(Course::Told) => None,
            Some(Course::Ordered) | None if self.stopped.contains(&plan) || over => {
                Some(UpdateStage::Stopped)
            }
            Some(Course::Ordered) | None => None,
        };
        let online = self.boards[board.0].online();
        let update = &mut self.boards[board.0].update;
        if settled.is_some() {
            update.stage = settled;
        } else if online {
            update.work = Work::Asking;
            update.look_at = Some(now.mono + AGAIN);
            self.say(board, Say::Ours(ToBoard::Update), 0, RELEASE_LIFE);
        }
    }

    /// A board says how its update stands.
    pub(super) fn update_stands(&mut self, now: Now, board: BoardId, said: &Update) {
        let Some((id, order, header)) = self.order_of(board) else { return };
        let order = order.clone();
        let update = &mut self.boards[board.0].update;
        if matches!(update.work, Work::Sending { .. }) {
            return;
        }
        (update.work, update.look_at) = (Work::Nothing, None);
        let course = update.kept.map_or(Course::Ordered, |kept| kept.course);
        match course {
            Course::Ordered | Course::Told => {}
            Course::Done | Course::Refused | Course::Returned => return,
        }
        let image = header.image();
        match said.stage {
            Stage::Trial => self.again(now, board, UpdateStage::Trial),
            Stage::Installing { .. } => self.again(now, board, UpdateStage::Starting),
            Stage::Never => self.refuse_update(now, board, Unfit::NoRoom),
            _ if said.running == header.firmware => {
                self.course(board, id, Course::Done);
                self.settled(board, UpdateStage::Done);
                self.look_at_others(now, board);
            }
            Stage::Ready { image: ready } if ready == image => {
                self.start_version(now, board, id, &order, said)
            }
            // It was told to start it, and runs what it ran: its own words come with its events.
            Stage::Idle if course == Course::Told => self.returned(now, board),
            Stage::Receiving { image: begun, have } if begun == image => self.send_image(now, board, have),
            Stage::Idle | Stage::Receiving { .. } | Stage::Ready { .. } => self.send_image(now, board, 0),
        }
    }

    /// What a board records of its update settles its order.
    pub(super) fn update_reported(&mut self, now: Now, board: BoardId, what: &What) {
        let Some((id, _, header)) = self.order_of(board) else { return };
        if let What::UpdateRefused { .. } = what {
            let kept = self.boards[board.0].update.kept;
            if kept.is_some_and(|kept| matches!(kept.course, Course::Ordered | Course::Told)) {
                self.course(board, id, Course::Refused);
                self.settled(board, UpdateStage::Refused);
                self.stop_plan(now, board);
            }
        } else if *what == (What::UpdateGood { firmware: header.firmware }) {
            self.course(board, id, Course::Done);
            self.settled(board, UpdateStage::Done);
            self.look_at_others(now, board);
        } else if *what == (What::UpdateReturned { firmware: header.firmware }) {
            self.returned(now, board);
        } else if *what == (What::UpdateTrial { firmware: header.firmware }) {
            self.again(now, board, UpdateStage::Trial);
        }
    }

    /// The image arrived. Says whether the token was one's.
    pub(super) fn image_taken(&mut self, now: Now, board: BoardId, token: u64) -> bool {
        let update = &mut self.boards[board.0].update;
        if update.work != (Work::Sending { token }) {
            return false;
        }
        (update.work, update.sent, update.failed) = (Work::Nothing, 100, 0);
        self.look_at_update(now, board);
        self.look_at_others(now, board);
        true
    }

    /// The image did not arrive. Says whether the token was one's.
    pub(super) fn image_not_taken(&mut self, now: Now, board: BoardId, token: u64, failure: Failure) -> bool {
        let update = &mut self.boards[board.0].update;
        if update.work != (Work::Sending { token }) {
            return false;
        }
        update.work = Work::Nothing;
        update.stage = Some(UpdateStage::Waiting);
        update.failed += 1;
        update.look_at = Some(now.mono + RETRY);
        let given_up = update.failed >= TRIES;
        tracing::warn!(board = %self.plan.board(board).name, %failure, "an image did not arrive");
        if given_up {
            self.refuse_update(now, board, Unfit::Form);
        }
        self.look_at_others(now, board);
        true
    }

    /// An image is sent up to this byte.
    pub(super) fn file_at(&mut self, now: Now, board: BoardId, offset: u32) {
        let Some((_, _, header)) = self.order_of(board) else { return };
        let update = &mut self.boards[board.0].update;
        if !matches!(update.work, Work::Sending { .. }) {
            return;
        }
        let sent = u8::try_from(u64::from(offset) * 100 / u64::from(header.file_len())).unwrap_or(100);
        let told = sent / TOLD_EVERY > update.sent / TOLD_EVERY;
        update.sent = update.sent.max(sent);
        if offset > update.furthest {
            (update.furthest, update.failed) = (offset, 0);
        }
        if told {
            let sent = update.sent / TOLD_EVERY * TOLD_EVERY;
            self.board_event_with(now.utc.0, board, BoardChange::FirmwareSending, Some(sent.into()));
        }
    }

    fn send_image(&mut self, now: Now, board: BoardId, from: u32) {
        let Some((_, order, header)) = self.order_of(board) else { return };
        let Some(image) = self.firmware.images.get(&order.image) else { return };
        let data = Arc::clone(&image.file);
        if !fits(self.plan.board(board).kind, &header) {
            return self.refuse_update(now, board, Unfit::OtherBoard);
        }
        let bus = self.plan.boards[board.0].bus;
        let sending = |other: &BoardId| {
            self.plan.boards[other.0].bus == bus
                && matches!(self.boards[other.0].update.work, Work::Sending { .. })
        };
        if self.plan.ids().any(|other| sending(&other)) {
            // Looked at again when that one is done.
            self.settled(board, UpdateStage::Waiting);
            return;
        }
        let token = self.order_number();
        let update = &mut self.boards[board.0].update;
        (update.work, update.stage) = (Work::Sending { token }, Some(UpdateStage::Sending));
        if from == 0 {
            update.sent = 0;
            self.board_event_with(now.utc.0, board, BoardChange::FirmwareSending, Some(0));
        }
        self.say(board, Say::File { kind: FILE_TYPE, data, from }, token, RELEASE_LIFE);
    }

    fn start_version(&mut self, now: Now, board: BoardId, id: u64, order: &OrderRow, said: &Update) {
        let image = self.firmware.images.get(&order.image).map(|image| image.header.image());
        let update = &mut self.boards[board.0].update;
        if now.utc.0 < order.from {
            let wait = u64::try_from(order.from.saturating_sub(now.utc.0)).unwrap_or(AGAIN);
            update.stage = Some(UpdateStage::Ready);
            update.look_at = Some(now.mono + wait.min(60_000_000));
            return;
        }
        if said.hold_up.is_some() {
            return self.again(now, board, UpdateStage::HeldUp);
        }
        let Some(image) = image else { return };
        self.course(board, id, Course::Told);
        self.again(now, board, UpdateStage::Starting);
        let say = Say::Ours(ToBoard::Install { image, even_if_open: order.even_if_open });
        self.boards[board.0].update.work = Work::Asking;
        self.say(board, say, 0, RELEASE_LIFE);
    }

    /// It went back, or is taken to have.
    fn returned(&mut self, now: Now, board: BoardId) {
        let Some((id, ..)) = self.order_of(board) else { return };
        self.course(board, id, Course::Returned);
        self.settled(board, UpdateStage::Stopped);
        self.stop_plan(now, board);
    }

    /// It is not sent the image, or sent it no more.
    fn refuse_update(&mut self, now: Now, board: BoardId, why: Unfit) {
        let Some((id, ..)) = self.order_of(board) else { return };
        self.course(board, id, Course::Refused);
        self.settled(board, UpdateStage::Refused);
        self.board_event_with(now.utc.0, board, BoardChange::FirmwareRefused, Some(why.number().into()));
        self.stop_plan(now, board);
    }

    fn stop_plan(&mut self, now: Now, board: BoardId) {
        let Some((_, order, _)) = self.order_of(board) else { return };
        let plan = order.plan;
        if self.stopped.insert(plan) {
            self.keep_stopped(plan, true);
        }
        self.look_at_others(now, board);
    }

    /// Boards that waited for this one.
    fn look_at_others(&mut self, now: Now, board: BoardId) {
        for other in self.plan.ids().filter(|other| *other != board) {
            self.look_at_update(now, other);
        }
    }

    fn again(&mut self, now: Now, board: BoardId, stage: UpdateStage) {
        let update = &mut self.boards[board.0].update;
        (update.stage, update.look_at) = (Some(stage), Some(now.mono + AGAIN));
    }

    fn settled(&mut self, board: BoardId, stage: UpdateStage) {
        let update = &mut self.boards[board.0].update;
        (update.stage, update.look_at) = (Some(stage), None);
    }

    fn course(&mut self, board: BoardId, order: u64, course: Course) {
        let kept = UpdateKept { order, course };
        self.boards[board.0].update.kept = Some(kept);
        self.keep_update(board);
    }

    /// The newest order for a board of ours, and the head of its image.
    fn order_of(&self, board: BoardId) -> Option<(u64, &OrderRow, Header)> {
        let place = &self.plan.boards[board.0];
        let bus = &self.plan.buses[place.bus];
        let mine = |order: &&OrderRow| order.bus == *bus && order.address == place.device.address;
        let (id, order) = self.firmware.orders.iter().rev().find(|(_, order)| mine(order))?;
        let image = self.firmware.images.get(&order.image)?;
        self.plan.is_ours(board).then_some((*id, order, image.header))
    }
}

fn fits(kind: Kind, header: &Header) -> bool {
    matches!((kind, header.fits.kind), (Kind::Door, BoardKind::Door) | (Kind::GateLane, BoardKind::GateLane))
}
