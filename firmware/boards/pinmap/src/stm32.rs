//! The boards on STM32 parts: macros over embassy's peripherals, and constants.

use std::error::Error;
use std::fmt::Write;

use crate::{Input, Pinmap, Reading, Target};

/// What a board on an STM32 is built from; its bus is on USART 1.
pub fn generate_stm32(map: &Pinmap, target: &Target) -> Result<String, Box<dyn Error>> {
    if target.uart != "USART1" {
        return Err("the bus is on USART1".into());
    }
    let mut text = String::new();

    writeln!(text, "/// The bus: peripheral, receive, transmit, driver enable.")?;
    writeln!(
        text,
        "macro_rules! serial {{ ($p:ident) => {{ ($p.USART1, $p.{}, $p.{}, $p.{}) }} }}",
        target.uart_rx, target.uart_tx, target.rs485_de
    )?;
    writeln!(text, "/// Inputs by number, and the reset button.\nmacro_rules! lines {{ ($p:ident) => {{ [")?;
    for (name, input) in map.inputs_in_order() {
        writeln!(text, "    {}, // {name}", line(&target.pins[name], input, target.supervised))?;
    }
    let (pull, on_high) = (target.address_pull.name(), target.address_on.is_high());
    writeln!(
        text,
        "    Line::Plain(Input::new($p.{}, Pull::{pull}), {on_high}), // key button",
        target.key_button
    )?;
    writeln!(text, "] }} }}\n/// Outputs by number, safe, and whether each is on when high.")?;
    writeln!(text, "macro_rules! outputs {{ ($p:ident) => {{ [")?;
    for (name, output) in map.outputs_in_order() {
        let level = if output.safe_is_high() { "High" } else { "Low" };
        let (pin, active) = (&target.pins[name], output.active.is_high());
        writeln!(text, "    (Output::new($p.{pin}, Level::{level}, Speed::Low), {active}), // {name}")?;
    }
    writeln!(text, "] }} }}\n/// The pin levels that are safe: port, pin, level.")?;
    writeln!(text, "pub(crate) static SAFE: [(u8, u8, bool); {}] = [", map.outputs.len())?;
    for (name, output) in map.outputs_in_order() {
        let (port, number) = place(&target.pins[name])?;
        writeln!(text, "    ({port}, {number}, {}), // {name}", output.safe_is_high())?;
    }
    writeln!(text, "];\n/// Address switches, least significant first.")?;
    writeln!(text, "macro_rules! address {{ ($p:ident) => {{ [")?;
    for switch in &target.address {
        writeln!(text, "    Input::new($p.{switch}, Pull::{}),", target.address_pull.name())?;
    }
    writeln!(text, "] }} }}\npub(crate) const ADDRESS_ON_HIGH: bool = {};", target.address_on.is_high())?;
    writeln!(text, "/// The status lamp, and whether it is lit when high.")?;
    let (led, lit) = (&target.status_led, target.status_led_active.is_high());
    writeln!(
        text,
        "macro_rules! status {{ ($p:ident) => {{ (Output::new($p.{led}, Level::Low, Speed::Low), {lit}) }} }}"
    )?;
    writeln!(text, "/// Wiegand lines as inputs.\nmacro_rules! wiegand {{ ($p:ident) => {{ [")?;
    for reader in &target.wiegand {
        writeln!(
            text,
            "    Input::new($p.{}, Pull::Up), Input::new($p.{}, Pull::Up),",
            reader.d0, reader.d1
        )?;
    }
    writeln!(text, "] }} }}\n/// Where they are: (port, pin) of D0 and D1 in reader order.")?;
    writeln!(text, "pub(crate) static WIEGAND: [[(u8, u8); 2]; {}] = [", target.wiegand.len())?;
    for reader in &target.wiegand {
        writeln!(text, "    [{:?}, {:?}],", place(&reader.d0)?, place(&reader.d1)?)?;
    }
    writeln!(text, "];")?;
    Ok(text)
}

fn line(pin: &str, input: &Input, supervised: Reading) -> String {
    if input.supervised && supervised == Reading::Adc {
        format!("Line::Supervised($p.{pin}.degrade_adc())")
    } else {
        format!("Line::Plain(Input::new($p.{pin}, Pull::{}), {})", input.pull.name(), input.active.is_high())
    }
}

/// Port (A is 0) and pin number.
fn place(name: &str) -> Result<(u8, u8), String> {
    let bad = || format!("{name} is not a pin of an STM32 (PA0 to PG15)");
    let [b'P', port @ b'A'..=b'G', ..] = name.as_bytes() else { return Err(bad()) };
    let number = name[2..].parse::<u8>().ok().filter(|number| *number < 16).ok_or_else(bad)?;
    Ok((port - b'A', number))
}
