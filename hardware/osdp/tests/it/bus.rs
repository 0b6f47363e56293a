//! The panel's and the peripheral's rules, over a line in virtual time.

use osdp::{
    Command, DeviceSecurity, EventKind, Key, OutputAction, OutputControl, PdSecurity, RawCard, Records,
    Reply, SubmitError, Token,
};

use crate::line::{World, address, key};

const UNLOCK: OutputControl = OutputControl { output: 0, action: OutputAction::OnForTimer, timer_100ms: 50 };

fn unlock(world: &mut World, at: u8, token: u64) -> Result<(), SubmitError> {
    let now = world.now;
    let command = Command::Output(Records::new(&[UNLOCK]));
    world.cp.submit(now, address(at), &command, Token(token), now + 1_000_000)
}

#[test]
fn a_board_comes_online_over_a_secure_channel_and_unlocks() {
    let mut world = World::new(115_200);
    world.secure_board(3);
    world.wait_online(3);
    assert!(world.cp.is_secure(address(3)));
    assert!(world.now < 100_000, "it took {} us", world.now);
    unlock(&mut world, 3, 1).expect("offered");
    world.wait_for(100_000, |event| event.kind == EventKind::Done(Token(1)));
    assert_eq!(world.boards[0].driven, [(0, 50, true)]);
}

#[test]
fn a_card_arrives_once() {
    let mut world = World::new(9600);
    world.secure_board(3);
    world.wait_online(3);
    let card = RawCard { reader: 0, format: 1, bits: 26, data: &[0x12, 0x34, 0x56, 0x80] };
    world.boards[0].pd.post(world.now, &Reply::Raw(card)).expect("room");
    world.wait_for(1_000_000, |event| matches!(&event.kind, EventKind::Card(card) if card.bits == 26));
    world.run_for(5_000_000);
    assert_eq!(world.kinds().iter().filter(|kind| matches!(kind, EventKind::Card(_))).count(), 1);
}

#[test]
fn a_new_board_gets_its_key_within_the_install_window() {
    let mut world = World::new(115_200);
    let security = DeviceSecurity::Install { key: key(9), until: 60_000_000 };
    world.board(9, PdSecurity::Install, security);
    world.wait_online(9);
    assert_eq!(world.boards[0].keys, [key(9)]);
    assert!(world.kinds().contains(&EventKind::KeyInstalled));
    assert_eq!(world.cp.security(address(9)), Some(&DeviceSecurity::Required(key(9))));
    assert_eq!(world.boards[0].pd.security(), &PdSecurity::Required(key(9)));
    assert!(Key::DEFAULT.is_default() && !key(9).is_default());
}
