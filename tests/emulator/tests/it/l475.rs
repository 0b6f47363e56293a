//! The door board on another part, with embassy's own drivers: QEMU's STM32L475. Left out, and said so, where no QEMU is new enough.

use std::time::Instant;

use emulator::{Board, Bus, Image, Machine, Pins, Setup};

use crate::panel::Panel;
use crate::support::SOON;

#[test]
fn the_door_on_an_stm32l475() {
    if Machine::Stm32l475.program().is_none() {
        println!(
            "LEFT OUT: the STM32L475's image did not run, for qemu-system-arm is older than 9. GATEHOUSE_QEMU_ARM names another."
        );
        return;
    }
    let bus = Bus::start().expect("a bus");
    let panel = Panel::on(&bus);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let board = Board::start(Setup {
        name: "l475".to_owned(),
        image: Image::on(Machine::Stm32l475, "door").unwrap_or_else(|error| panic!("{error}")),
        pins: Pins::on(Machine::Stm32l475, "door").unwrap_or_else(|error| panic!("{error}")),
        address: 7,
        flash: folder.path().join("flash"),
        bus: Some(bus.clone()),
        count_instructions: false,
    })
    .unwrap_or_else(|error| panic!("{error}"));
    let (banner, _) = board.wait_console("board ready at address 7", SOON).expect("the image starts");
    panel.install(7);

    let pressed = Instant::now();
    board.press("rex").expect("pressed");
    let released = board.edge("lock", true, pressed, SOON).expect("released");
    board.release("rex").expect("let go");
    board.edge("lock", false, pressed, SOON).expect("locked after its time");

    let fire = Instant::now();
    board.press("fire").expect("pressed");
    let free = board.edge("lock", true, fire, SOON).expect("released");
    board.release("fire").expect("over");
    board.edge("lock", false, fire, SOON).expect("locked when it is over");

    let asked = Instant::now();
    panel.release(7, 0, 3);
    let granted = board.edge("lock", true, asked, SOON).expect("released");
    let locked = board.edge("lock", false, asked, SOON).expect("locked after its time");
    assert!((locked - granted).as_millis() >= 280, "released for 0.3 s, not {:?}", locked - granted);
    assert_eq!(board.resets(), 0);
    println!(
        "STM32L475: power to banner {:?}, request to exit to lock {:?}, fire to lock {:?}, command to lock {:?} (emulated)",
        banner - board.powered_at().expect("powered"),
        released - pressed,
        free - fire,
        granted - asked
    );
}
