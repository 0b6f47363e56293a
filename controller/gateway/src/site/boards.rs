//! What boards say, and what they are told when they come.

use std::collections::BTreeSet;

use domain::policy::{DoorKind, Relock};
use domain::state;
use domain::time::Utc;
use endpoints::vendor::{BoardSettings, FromBoard, Info, KindSettings, OUI, ToBoard};
use endpoints::{Order, door, gate_lane};
use osdp::cp::{EventKind, Failure, OfflineReason};
use osdp::{Identity, Oui};
use std::num::NonZeroU8;
use std::time::Duration;
use uplink::event::{self, BoardChange, Body};
use uplink::live::{Line, Position};

use super::lists::ListNow;
use super::memory::BoardKept;
use super::owed::{Matter, Owed};
use super::plain::Plain;
use super::point::Trouble;
use super::updates::UpdateNow;
use super::windows::Window;
use super::{BoardId, Now, RELEASE_LIFE, Released, Say, Site};
use crate::bus::Counted;
use crate::config::{Device, Kind};

/// "Until told otherwise", in milliseconds.
pub(super) const WITHOUT_END: u32 = u32::MAX;

/// A board as it was last heard of.
#[derive(Debug)]
pub(super) struct Board {
    link: LinkNow,
    identity: Option<Identity>,
    /// Digest of the settings it has, where it said so.
    settings: Option<u64>,
    /// Which start of it, and the wall clock at that.
    pub(super) base: Option<(u16, i64)>,
    /// Events up to this one are ours.
    pub(super) mark: Mark,
    /// Of these, up to this number they are on the disk, and may be acknowledged.
    pub(super) safe: u32,
    /// Since when it tells what comes after a gap, microseconds since start.
    pub(super) gap_since: Option<u64>,
    pub(super) fire: bool,
    pub(super) fire_fault: bool,
    /// It burns, and only that its line is in fault says so now.
    pub(super) burnt_through: bool,
    /// Input lines in fault, but for the fire loop.
    pub(super) faults: BTreeSet<u8>,
    /// Of another maker's: what its local status says.
    pub(super) tamper: bool,
    pub(super) power: bool,
    pub(super) heard_at: Option<Utc>,
    pub(super) retries: u64,
    /// How the line to it does; `None` until something was counted.
    pub(super) line: Option<Line>,
    pub(super) plain: Option<Plain>,
    /// Its events up to this one are in what it last said of how it stands.
    pub(super) as_of: Mark,
    /// Its leaf was on its way to the locked state, which no event tells the end of: asked again then.
    pub(super) moves_until: Option<u64>,
    pub(super) list: ListNow,
    pub(super) update: UpdateNow,
    pub(super) owed: Owed,
    pub(super) window: Option<Window>,
    /// An operator's hold stands here, and the board has not said yet that it has it.
    pub(super) hold_in_doubt: bool,
}

/// How far a board's log is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) epoch: u32,
    pub(super) seq: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LinkNow {
    Unknown,
    Online,
    Offline(BoardChange),
}

impl Board {
    pub(super) fn new(device: &Device) -> Board {
        Board {
            link: LinkNow::Unknown,
            identity: None,
            settings: None,
            base: None,
            mark: Mark::default(),
            safe: 0,
            gap_since: None,
            fire: false,
            fire_fault: false,
            burnt_through: false,
            faults: BTreeSet::new(),
            tamper: false,
            power: false,
            heard_at: None,
            retries: 0,
            line: None,
            plain: match device.kind {
                Kind::PlainDoor(terminals) => Some(Plain::new(terminals)),
                Kind::Door | Kind::GateLane | Kind::Reader => None,
            },
            as_of: Mark::default(),
            moves_until: None,
            list: ListNow::default(),
            update: UpdateNow::default(),
            window: None,
            owed: Owed::default(),
            hold_in_doubt: false,
        }
    }

    pub(super) fn online(&self) -> bool {
        self.link == LinkNow::Online
    }

    pub(super) fn firmware(&self) -> Option<String> {
        let [major, minor, build] = self.identity?.firmware;
        Some(format!("{major}.{minor}.{build}"))
    }

    /// Adds what was counted on the line to it.
    pub(super) fn count(&mut self, counted: Counted) {
        self.retries += u64::from(counted.retries);
        let line = self.line.get_or_insert_default();
        line.commands += u64::from(counted.commands);
        line.timeouts += u64::from(counted.timeouts);
        line.damaged += u64::from(counted.damaged);
        line.reply_us = counted.reply_us;
    }

    /// The serial number it gave, 0 for none.
    pub(super) fn serial(&self) -> u32 {
        self.identity.map_or(0, |it| it.serial)
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        let plain = self.plain.as_ref().and_then(Plain::deadline);
        let window = self.window.map(|window| window.closes);
        [plain, self.list.deadline(), self.update.deadline(), self.owed.deadline(), self.moves_until, window]
            .into_iter()
            .flatten()
            .min()
    }
}

impl Site {
    pub(super) fn heard(&mut self, now: Now, board: BoardId, event: EventKind) {
        self.boards[board.0].heard_at = Some(now.utc);
        if let Some(point) = self.plan.door(board).and_then(|door| self.points.get_mut(&door)) {
            point.heard_at = Some(now.utc);
        }
        match event {
            EventKind::Online { identity, secure: true } => self.board_online(now, board, identity),
            // Every device has a key, so this does not happen; if it did, it would not be trusted.
            EventKind::Online { secure: false, .. } => self.board_gone(now, board, BoardChange::NotSecure),
            EventKind::SecureChannelUp => {
                self.session_began(now, board);
                self.tell_plain_again(now, board);
            }
            EventKind::Offline(OfflineReason::NoReply | OfflineReason::Protocol) => {
                self.board_gone(now, board, BoardChange::Offline);
            }
            EventKind::Offline(OfflineReason::KeyRefused | OfflineReason::NoSecureChannel) => {
                self.board_gone(now, board, BoardChange::NotSecure);
            }
            EventKind::Card(card) => self.card_shown(now, board, card.reader, card.bits, &card.data),
            EventKind::FormattedCard(card) => self.code_shown(now, board, card.reader, &card.characters),
            EventKind::Keys(keys) => self.keys_pressed(now, board, keys.reader, &keys.keys),
            EventKind::Inputs(inputs) => self.inputs(now, board, &inputs),
            EventKind::LocalStatus { tamper, power } => self.local_status(now, board, tamper, power),
            EventKind::Mfg { oui: Oui(OUI), data, .. } if self.plan.is_ours(board) => {
                self.board_said(now, board, &data)
            }
            EventKind::Outputs(outputs) => self.outputs(board, &outputs),
            EventKind::Done(token) => self.said(now, board, token.0),
            EventKind::Failed(token, failure) => self.not_said(now, board, token.0, failure),
            EventKind::ForeignPanel => {
                tracing::error!(board = %self.plan.board(board).name, "another panel speaks on this bus");
            }
            EventKind::KeyInstalled => self.installed(now, board),
            EventKind::InstallWindowClosed => self.window_closed(now, board),
            EventKind::Readers(_)
            | EventKind::LineSettings(_)
            | EventKind::Mfg { .. }
            | EventKind::Other { .. }
            | EventKind::FileWanted { .. } => {}
        }
    }

    fn board_online(&mut self, now: Now, board: BoardId, identity: Option<Identity>) {
        let it = &mut self.boards[board.0];
        it.identity = identity;
        if !it.online() {
            it.link = LinkNow::Online;
            self.board_event(now.utc.0, board, BoardChange::Online);
        }
        if let Some(point) = self.plan.door(board).and_then(|door| self.points.get_mut(&door)) {
            point.trouble(Trouble::BoardOffline, false);
        }
        self.plain_online(now, board);
        self.session_began(now, board);
    }

    /// It may have restarted. What must hold now is told once it has said who it is.
    fn session_began(&mut self, now: Now, board: BoardId) {
        self.boards[board.0].owed.forget();
        self.doubt_hold(now, board);
        self.greet(now, board);
    }

    pub(super) fn board_lost(&mut self, now: Now, board: BoardId) {
        self.board_gone(now, board, BoardChange::Offline);
    }

    fn board_gone(&mut self, now: Now, board: BoardId, how: BoardChange) {
        let it = &mut self.boards[board.0];
        if it.link == LinkNow::Offline(how) {
            return;
        }
        it.link = LinkNow::Offline(how);
        it.settings = None;
        it.as_of = Mark::default();
        it.moves_until = None;
        it.list.gone();
        it.update.gone();
        it.owed.forget();
        self.board_event(now.utc.0, board, how);
        if let Some(point) = self.plan.door(board).and_then(|door| self.points.get_mut(&door)) {
            // What it was is not what it is: nobody can say any more.
            point.position = Position::Unknown;
            point.lock = uplink::live::Lock::Unknown;
            point.trouble(Trouble::BoardOffline, true);
        }
        self.plain_offline(now, board);
        self.board_commands_fail(now, board);
    }

    pub(super) fn board_event(&mut self, at: i64, board: BoardId, change: BoardChange) {
        self.board_event_with(at, board, change, None);
    }

    pub(super) fn board_event_with(
        &mut self,
        at: i64,
        board: BoardId,
        change: BoardChange,
        count: Option<i64>,
    ) {
        let plan = &self.plan.boards[board.0];
        let (bus, address) = (self.plan.buses[plan.bus].clone(), plan.device.address);
        self.event(at, Body::Board(event::Board { bus, address, change, count }));
    }

    pub(super) fn board_said(&mut self, now: Now, board: BoardId, body: &[u8]) {
        match FromBoard::decode(body) {
            Ok(FromBoard::Info(info)) => self.introduced(now, board, &info),
            Ok(FromBoard::Events { epoch, events }) => self.board_events(now, board, epoch, events),
            Ok(FromBoard::Outcome { id, outcome }) => self.order_answered(now, board, id, outcome),
            Ok(FromBoard::Status { epoch, as_of, status }) => {
                self.stands(now, board, Mark { epoch, seq: as_of }, &status);
            }
            Ok(FromBoard::Update(update)) => self.update_stands(now, board, &update),
            Err(error) => {
                tracing::warn!(board = %self.plan.board(board).name, %error, "a message of a board cannot be read");
            }
        }
    }

    fn introduced(&mut self, now: Now, board: BoardId, info: &Info) {
        let uptime = i64::try_from(info.uptime_ms).unwrap_or(i64::MAX).saturating_mul(1_000);
        let it = &mut self.boards[board.0];
        it.owed.paid(Matter::Hello);
        it.base = Some((info.boot, now.utc.0.saturating_sub(uptime)));
        it.settings = Some(info.settings);
        if it.mark.epoch != info.epoch {
            it.mark = Mark { epoch: info.epoch, seq: info.acked };
            it.safe = info.acked;
        }
        // Neither what it has no more nor what it was told to be safe comes again.
        let over = info.oldest.min(info.newest).saturating_sub(1).max(info.acked);
        let gone = over > it.mark.seq;
        if gone {
            it.mark.seq = over;
        }
        it.gap_since = None;
        let (epoch, safe) = (it.mark.epoch, it.safe);
        if gone {
            self.board_event(now.utc.0, board, BoardChange::EventsLost);
        }
        if safe > info.acked {
            self.acknowledge_board(board, epoch, safe);
        }
        self.keep_board(board);
        self.set_clock(now, board);
        self.configure(now, board);
        self.restore_standing(now, board);
        self.has_list(now, board, info.whitelist);
        self.look_at_update(now, board);
    }

    /// Its events up to this number are on the disk.
    pub(super) fn acknowledge_board(&mut self, board: BoardId, epoch: u32, up_to: u32) {
        let it = &mut self.boards[board.0];
        if it.mark.epoch == epoch {
            it.safe = it.safe.max(up_to);
        }
        if it.online() {
            self.say(board, Say::Ours(ToBoard::Ack { epoch, up_to }), 0, RELEASE_LIFE);
        }
    }

    pub(super) fn set_clock(&mut self, now: Now, board: BoardId) {
        if self.plan.is_ours(board) {
            self.owe(now, board, Matter::Clock);
        }
    }

    /// Tells a board how its door behaves, if it does not know yet.
    pub(super) fn configure(&mut self, now: Now, board: BoardId) {
        self.configure_plain(board);
        let Some(settings) = self.settings_of(board) else { return };
        let digest = settings.digest();
        let it = &mut self.boards[board.0];
        if it.settings.is_some_and(|known| known != digest) {
            it.settings = Some(digest);
            self.owe(now, board, Matter::Settings);
        }
    }

    pub(super) fn settings_of(&self, board: BoardId) -> Option<BoardSettings> {
        let device = self.plan.board(board);
        let door = self.policy_door(device.door?)?;
        let kind = match device.kind {
            Kind::Door => KindSettings::Door(door_settings(door)),
            Kind::GateLane => KindSettings::GateLane(gate_lane::Settings {
                pass_s: seconds(door.strike),
                ..gate_lane::Settings::default()
            }),
            Kind::PlainDoor(_) | Kind::Reader => return None,
        };
        Some(BoardSettings {
            offline_after_s: device.offline_after_s,
            offline: device.offline,
            whitelist_key: self.plan.whitelist_key,
            kind,
        })
    }

    pub(super) fn kind_of(&self, board: BoardId) -> DoorKind {
        match self.plan.board(board).kind {
            Kind::GateLane => DoorKind::Lane,
            Kind::Door | Kind::PlainDoor(_) | Kind::Reader => DoorKind::Door,
        }
    }

    pub(super) fn send_order(&mut self, now: Now, board: BoardId, id: u64, order: Order, for_ms: u32) {
        if !self.plan.is_ours(board) {
            return self.order_plain(now, board, id, order, for_ms);
        }
        if self.boards[board.0].online() {
            self.say(board, Say::Ours(ToBoard::Command { id, order, for_ms }), id, RELEASE_LIFE);
        }
    }

    /// All inputs of a board, by number. One of ours says more of itself, a moment later.
    fn inputs(&mut self, now: Now, board: BoardId, inputs: &[u8]) {
        let active = |number: u8| inputs.get(usize::from(number)).map(|value| *value != 0);
        let closed = match self.plan.board(board).kind {
            Kind::Door => active(door::Input::Contact.number()).map(|open| !open),
            Kind::GateLane => active(gate_lane::Input::LeafClosed.number()),
            Kind::PlainDoor(_) => return self.plain_inputs(now, board, inputs),
            Kind::Reader => return,
        };
        self.touch(board, |point| {
            if let (Position::Unknown, Some(closed)) = (point.position, closed) {
                point.position = if closed { Position::Closed } else { Position::Open };
            }
        });
    }

    /// Of our own boards this comes as numbered events.
    fn local_status(&mut self, now: Now, board: BoardId, tamper: bool, power: bool) {
        if self.plan.is_ours(board) {
            return;
        }
        let it = &mut self.boards[board.0];
        let (tamper_was, power_was) =
            (std::mem::replace(&mut it.tamper, tamper), std::mem::replace(&mut it.power, power));
        self.touch(board, |point| {
            point.trouble(Trouble::Tamper, tamper);
            point.trouble(Trouble::MainsLost, power);
        });
        if tamper != tamper_was {
            let change = if tamper { BoardChange::Tamper } else { BoardChange::TamperRestored };
            self.board_event(now.utc.0, board, change);
        }
        if power != power_was {
            let change = if power { BoardChange::MainsLost } else { BoardChange::MainsRestored };
            self.board_event(now.utc.0, board, change);
        }
    }

    fn said(&mut self, now: Now, board: BoardId, token: u64) {
        if !self.list_taken(board, token)
            && !self.image_taken(now, board, token)
            && !self.owed_answered(now, board, token)
        {
            self.plain_order_done(now, token);
        }
    }

    fn not_said(&mut self, now: Now, board: BoardId, token: u64, failure: Failure) {
        if self.list_not_taken(now, board, token, failure)
            || self.image_not_taken(now, board, token, failure)
            || self.owed_failed(now, board, token, failure)
        {
            return;
        }
        if token != 0 {
            tracing::warn!(board = %self.plan.board(board).name, %failure, "an order was not carried out");
        }
        self.order_failed(now, token, failure);
        self.tell_plain_again(now, board);
    }

    pub(super) fn keep_board(&mut self, board: BoardId) {
        let it = &self.boards[board.0];
        let kept = BoardKept {
            epoch: it.mark.epoch,
            seq: it.mark.seq,
            fire: it.fire,
            fire_fault: it.fire_fault,
            list: it.list.given,
        };
        let value = serde_json::to_string(&kept).expect("numbers and flags");
        self.keep("board", self.plan.board(board).name.clone(), Some(value));
    }

    /// Somebody went through: the state knows where they are, across a restart.
    pub(super) fn went_through(&mut self, at: i64, order: u64) {
        let Some(released) = self.releases.remove(&order) else { return };
        let Some(person) = released.person else { return };
        let told = self.clock.map_or(Utc(at), |it| it.utc);
        let (door, side) = (released.door, released.side);
        self.observe(state::Event::Passed { door, side, person, at: Utc(at), told });
        self.keep_presence(person);
    }

    /// Nobody went through: whoever was let in is let in anew next time.
    pub(super) fn not_used(&mut self, order: u64) {
        let Some(Released { door, side, person: Some(person), .. }) = self.releases.remove(&order) else {
            return;
        };
        self.observe(state::Event::NotUsed { door, side, person });
    }
}

/// How long from now until then, in milliseconds.
pub(super) fn lasting(now: Now, until: Utc) -> u32 {
    u32::try_from(until.since(now.utc).as_millis()).unwrap_or(WITHOUT_END).max(1)
}

pub(super) fn door_settings(door: &domain::policy::Door) -> door::Settings {
    door::Settings {
        strike_s: seconds(door.strike),
        exit_s: seconds(door.strike),
        held_s: u16::try_from(door.held_after.as_secs()).unwrap_or(u16::MAX),
        relock: match door.relock {
            Relock::OnOpen => door::Relock::OnOpen,
            Relock::OnClose => door::Relock::OnClose,
            Relock::AfterTime => door::Relock::AtTimeout,
        },
        mains_loss: door::MainsLoss::Keep,
    }
}

/// Whole seconds, rounded up, 1 to 255.
fn seconds(time: Duration) -> NonZeroU8 {
    let whole = time.as_millis().div_ceil(1_000).clamp(1, 255);
    u8::try_from(whole).ok().and_then(NonZeroU8::new).expect("1 to 255")
}
