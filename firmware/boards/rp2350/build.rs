//! Turns each board's pin map into macros over the chip's peripherals, and constants.

use std::error::Error;
use std::fmt::Write;

use pinmap::{Input, Pinmap, Reading, Target};

fn main() {
    pinmap::build_boards("rp2350", generate);
}

fn generate(map: &Pinmap, target: &Target) -> Result<String, Box<dyn Error>> {
    if target.uart != "UART0" || target.watchdog != "rp" {
        return Err("the bus is on UART0, the watchdog is the chip's".into());
    }
    let mut text = String::new();

    let (tx, rx, enable) = (taken(&target.uart_tx)?, taken(&target.uart_rx)?, taken(&target.rs485_de)?);
    writeln!(text, "/// The bus: peripheral, transmit, receive, driver enable.")?;
    writeln!(
        text,
        "macro_rules! serial {{ ($p:ident) => {{ ($p.UART0, {tx}, {rx}, Output::new({enable}, Level::Low)) }} }}"
    )?;
    writeln!(text, "/// Inputs by number, and the reset button.\nmacro_rules! lines {{ ($p:ident) => {{ [")?;
    for (name, input) in map.inputs_in_order() {
        writeln!(text, "    {}, // {name}", line(&target.pins[name], input, target.supervised)?)?;
    }
    let (pull, on_high) = (target.address_pull.name(), target.address_on.is_high());
    let button = taken(&target.key_button)?;
    writeln!(text, "    Line::Plain(Input::new({button}, Pull::{pull}), {on_high}), // key button")?;
    writeln!(text, "] }} }}\n/// Outputs by number, safe, and whether each is on when high.")?;
    writeln!(text, "macro_rules! outputs {{ ($p:ident) => {{ [")?;
    for (name, output) in map.outputs_in_order() {
        let level = if output.safe_is_high() { "High" } else { "Low" };
        let (pin, active) = (taken(&target.pins[name])?, output.active.is_high());
        writeln!(text, "    (Output::new({pin}, Level::{level}), {active}), // {name}")?;
    }
    writeln!(text, "] }} }}\n/// The pin levels that are safe.")?;
    writeln!(text, "pub(crate) static SAFE: [(u8, bool); {}] = [", map.outputs.len())?;
    for (name, output) in map.outputs_in_order() {
        writeln!(text, "    ({}, {}), // {name}", number(&target.pins[name])?, output.safe_is_high())?;
    }
    writeln!(text, "];\n/// Address switches, least significant first.")?;
    writeln!(text, "macro_rules! address {{ ($p:ident) => {{ [")?;
    for switch in &target.address {
        writeln!(text, "    Input::new({}, Pull::{}),", taken(switch)?, target.address_pull.name())?;
    }
    writeln!(text, "] }} }}\npub(crate) const ADDRESS_ON_HIGH: bool = {};", target.address_on.is_high())?;
    writeln!(text, "/// The status lamp, and whether it is lit when high.")?;
    let (led, lit) = (taken(&target.status_led)?, target.status_led_active.is_high());
    writeln!(text, "macro_rules! status {{ ($p:ident) => {{ (Output::new({led}, Level::Low), {lit}) }} }}")?;
    writeln!(text, "/// Wiegand lines: reader, ones, pin.\nmacro_rules! wiegand {{ ($p:ident) => {{ [")?;
    for (reader, lines) in target.wiegand.iter().enumerate() {
        for (one, pin) in [(false, &lines.d0), (true, &lines.d1)] {
            writeln!(text, "    ({reader}, {one}, Input::new({}, Pull::Up)),", taken(pin)?)?;
        }
    }
    writeln!(text, "] }} }}")?;
    Ok(text)
}

fn line(pin: &str, input: &Input, supervised: Reading) -> Result<String, String> {
    let pin = taken(pin)?;
    Ok(if input.supervised && supervised == Reading::Adc {
        format!("Line::Supervised(Channel::new_pin({pin}, Pull::None))")
    } else {
        format!("Line::Plain(Input::new({pin}, Pull::{}), {})", input.pull.name(), input.active.is_high())
    })
}

/// The peripheral of a pin, by embassy's name.
fn taken(name: &str) -> Result<String, String> {
    Ok(format!("$p.PIN_{}", number(name)?))
}

fn number(name: &str) -> Result<u8, String> {
    let number = name.strip_prefix("GP").and_then(|digits| digits.parse().ok()).filter(|number| *number < 48);
    number.ok_or_else(|| format!("{name} is not a pin of the RP2350 (GP0 to GP47)"))
}
