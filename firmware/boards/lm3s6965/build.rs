//! Turns each board's pin map into constants.

use std::error::Error;
use std::fmt::Write;

use pinmap::{Pinmap, Target};

fn main() {
    pinmap::build_boards("qemu-lm3s6965", generate);
}

fn generate(map: &Pinmap, target: &Target) -> Result<String, Box<dyn Error>> {
    if (target.uart.as_str(), target.uart_tx.as_str(), target.uart_rx.as_str()) != ("UART0", "PA1", "PA0") {
        return Err("the emulated board's bus is on UART0, PA1 and PA0".into());
    }
    let mut text = String::new();
    let outputs = map.outputs_in_order();

    writeln!(text, "pub(crate) static MAP: Map = Map {{\n    model: &MODEL,\n    inputs: &[")?;
    for (name, input) in map.inputs_in_order() {
        writeln!(text, "        ({}, {}), // {name}", pin(&target.pins[name])?, input.active.is_high())?;
    }
    writeln!(text, "        ({}, {}), // key button", pin(&target.key_button)?, target.address_on.is_high())?;
    writeln!(text, "    ],\n    outputs: &[")?;
    for (name, output) in &outputs {
        writeln!(text, "        ({}, {}), // {name}", pin(&target.pins[*name])?, output.active.is_high())?;
    }
    writeln!(text, "    ],\n    safe: &[")?;
    for (name, output) in &outputs {
        writeln!(text, "        ({}, {}), // {name}", pin(&target.pins[*name])?, output.safe_is_high())?;
    }
    writeln!(text, "    ],\n    address: &[")?;
    for switch in &target.address {
        writeln!(text, "        {},", pin(switch)?)?;
    }
    writeln!(text, "    ],\n    address_on_high: {},\n    wiegand: &[", target.address_on.is_high())?;
    for reader in &target.wiegand {
        writeln!(text, "        ({}, {}),", pin(&reader.d0)?, pin(&reader.d1)?)?;
    }
    let (led, lit) = (pin(&target.status_led)?, target.status_led_active.is_high());
    writeln!(
        text,
        "    ],\n    driver_enable: {},\n    status: ({led}, {lit}),\n}};",
        pin(&target.rs485_de)?
    )?;
    Ok(text)
}

fn pin(name: &str) -> Result<String, String> {
    match *name.as_bytes() {
        [b'P', port @ b'A'..=b'G', number @ b'0'..=b'7'] => {
            Ok(format!("Pin::new(Port::{}, {})", char::from(port), char::from(number)))
        }
        _ => Err(format!("{name} is not a pin of the LM3S6965 (PA0 to PG7)")),
    }
}
