//! One emulated board: power, pins, serial line.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::console::Console;
use crate::edges::{Edge, Edges};
use crate::pins::{Line, Pin};
use crate::process::Process;
use crate::qmp::Qmp;
use crate::qtest::Qtest;
use crate::{Bus, EmulatorError, Image, Pins};

/// QEMU opens its sockets before it runs anything: long for a busy host.
const SOCKETS_WITHIN: Duration = Duration::from_secs(20);
/// The firmware's path buffer, less its final zero.
const LONGEST_FLASH_PATH: usize = 254;
/// Between two bits of a card. Readers pause 1 to 20 ms.
const WIEGAND_PAUSE: Duration = Duration::from_millis(1);
/// A processor takes an interrupt within this, however busy the machine.
const TAKEN_WITHIN: Duration = Duration::from_secs(2);

/// The file of [`Board::trace`], in the emulator's folder.
const TRACE: &str = "trace";

/// How to start a board.
#[derive(Clone)]
pub struct Setup {
    /// What people call it; also its name on the bus.
    pub name: String,
    /// The firmware.
    pub image: Image,
    /// Where its functions are.
    pub pins: Pins,
    /// What its address switches are set to.
    pub address: u8,
    /// Its flash. Made when missing; what the board wrote there outlives it.
    pub flash: PathBuf,
    /// The bus its serial line is on; None: take it with [`Board::uart`].
    pub bus: Option<Bus>,
    /// Run instruction by instruction, for [`Board::trace`]. Slow; needs QEMU 7 or 8.
    pub count_instructions: bool,
}

/// A board, with or without power.
pub struct Board {
    setup: Setup,
    pressed: Arc<Mutex<BTreeSet<String>>>,
    running: Mutex<Option<Running>>,
    resets: Arc<AtomicU32>,
}

struct Running {
    process: Process,
    console: Arc<Console>,
    uart: UnixStream,
    wires: Arc<Wires>,
    started: Instant,
    folder: TempDir,
}

/// The connections that reach the pins.
struct Wires {
    qtest: Qtest,
    qmp: Qmp,
    ports: Vec<String>,
    address: u8,
    pins: Pins,
    pressed: Arc<Mutex<BTreeSet<String>>>,
}

impl Board {
    /// A board with power on, running its image. Its inputs are all released.
    pub fn start(setup: Setup) -> Result<Self, EmulatorError> {
        let switches = setup.pins.address.len();
        let offset = setup.address.checked_sub(setup.pins.address_base);
        if switches > 0 && offset.is_none_or(|offset| u32::from(offset) >> switches != 0) {
            return Err(EmulatorError::Address { address: setup.address, switches });
        }
        let board =
            Self { setup, pressed: Arc::default(), running: Mutex::new(None), resets: Arc::default() };
        board.power_on()?;
        Ok(board)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.setup.name
    }

    /// Gives power. Nothing happens when it has power. Inputs are as they were.
    pub fn power_on(&self) -> Result<(), EmulatorError> {
        let mut running = self.lock();
        if running.is_none() {
            *running = Some(self.boot()?);
        }
        Ok(())
    }

    /// Cuts power at this instant: the emulator is killed, its memory is gone, its flash stays.
    pub fn cut_power(&self) {
        drop(self.lock().take());
        if let Some(bus) = &self.setup.bus {
            bus.detach(&self.setup.name);
        }
    }

    /// Makes an input active.
    pub fn press(&self, input: &str) -> Result<(), EmulatorError> {
        self.set_input(input, true)
    }

    /// Lets an input rest.
    pub fn release(&self, input: &str) -> Result<(), EmulatorError> {
        self.set_input(input, false)
    }

    /// Sets an input. Returns when the pin has its level. A board without power will find the input so.
    pub fn set_input(&self, input: &str, active: bool) -> Result<(), EmulatorError> {
        let line = self.setup.pins.input(input)?;
        {
            let mut pressed = self.pressed.lock().unwrap_or_else(PoisonError::into_inner);
            if active {
                pressed.insert(input.to_owned())
            } else {
                pressed.remove(input)
            };
        }
        match self.wires() {
            Ok(wires) => wires.set(line.pin, line.level(active)),
            Err(EmulatorError::NoPower) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether an output is on now.
    pub fn is_on(&self, output: &str) -> Result<bool, EmulatorError> {
        let line = self.setup.pins.output(output)?;
        self.wires()?.is_on(line)
    }

    /// Waits until an output is on (or off), at once if it is. For when, see [`Board::edge`].
    pub fn wait_output(&self, output: &str, on: bool, within: Duration) -> Result<(), EmulatorError> {
        let deadline = Instant::now() + within;
        while self.is_on(output)? != on {
            if Instant::now() > deadline {
                let what =
                    format!("{}: `{output}` did not go {}", self.setup.name, if on { "on" } else { "off" });
                return Err(EmulatorError::Timeout { what, within });
            }
            // Asking stops the board for a moment: not more often than this.
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// When an output went on (or off), at or after `since`; waits for it. Streamed outputs alone (see [`Pins::of`]).
    pub fn edge(
        &self,
        output: &str,
        on: bool,
        since: Instant,
        within: Duration,
    ) -> Result<Instant, EmulatorError> {
        let line = self.streamed(output)?;
        let came = self.wires()?.qtest.edges.wait(line.pin.number, line.level(on), since, within);
        came.ok_or_else(|| self.did_not_go(output, on, within))
    }

    /// The edges of all streamed outputs at or after `since`, in order.
    pub fn edges(&self, since: Instant) -> Result<Vec<Edge>, EmulatorError> {
        let outputs = &self.setup.pins.outputs;
        let named = self.wires()?.qtest.edges.since(since).into_iter().filter_map(|edge| {
            let pin = Pin { port: self.setup.pins.streamed, number: edge.number };
            let (name, line) = outputs.iter().find(|(_, line)| line.pin == pin)?;
            Some(Edge { output: name.clone(), on: edge.high == line.active_high, at: edge.at })
        });
        Ok(named.collect())
    }

    /// Presents a card to Wiegand reader `reader`: the bits in order, one falling edge each, [`WIEGAND_PAUSE`] apart or as soon
    /// as the processor has taken the one before: on a busy machine it stands still for longer than a pulse may take.
    pub fn present_wiegand(&self, reader: usize, bits: &[bool]) -> Result<(), EmulatorError> {
        let none = || EmulatorError::NoFunction { kind: "Wiegand reader", name: reader.to_string() };
        let (zeros, ones) = *self.setup.pins.wiegand.get(reader).ok_or_else(none)?;
        let wires = self.wires()?;
        for bit in bits {
            let pin = if *bit { ones } else { zeros };
            wires.set(pin, false)?;
            wires.set(pin, true)?;
            thread::sleep(WIEGAND_PAUSE);
            wires.taken(pin)?;
        }
        Ok(())
    }

    /// The serial line of a board that is on no bus; None without power.
    pub fn uart(&self) -> Option<UnixStream> {
        self.lock().as_ref().and_then(|running| running.uart.try_clone().ok())
    }

    /// Waits for a line on the board's console that contains `words`, said since power came; gives when it came and the line.
    pub fn wait_console(&self, words: &str, within: Duration) -> Result<(Instant, String), EmulatorError> {
        let (console, started) = {
            let running = self.lock();
            let running = running.as_ref().ok_or(EmulatorError::NoPower)?;
            (Arc::clone(&running.console), running.started)
        };
        console.wait(words, started, within)
    }

    /// Everything the console said since power came.
    pub fn console(&self) -> String {
        self.lock().as_ref().map_or_else(String::new, |running| running.console.text())
    }

    /// When power came last.
    pub fn powered_at(&self) -> Option<Instant> {
        self.lock().as_ref().map(|running| running.started)
    }

    /// How often the board has reset itself (watchdog or panic) since it was made.
    pub fn resets(&self) -> u32 {
        self.resets.load(Ordering::Acquire)
    }

    /// The emulator's process id, to look at its memory and time; None without power.
    pub fn process_id(&self) -> Option<u32> {
        self.lock().as_ref().map(|running| running.process.0.id())
    }

    /// Stops the processor as a debugger would: nothing is fed, time stands still for it.
    pub fn pause(&self) -> Result<(), EmulatorError> {
        self.wires()?.qmp.ask("stop", json!({})).map(drop)
    }

    /// Lets a paused processor go on.
    pub fn resume(&self) -> Result<(), EmulatorError> {
        self.wires()?.qmp.ask("cont", json!({})).map(drop)
    }

    /// Runs one command of the emulator's own monitor (`info registers`, `log exec`…), for measurements.
    pub fn monitor(&self, command: &str) -> Result<String, EmulatorError> {
        let answer = self.wires()?.qmp.ask("human-monitor-command", json!({ "command-line": command }))?;
        Ok(answer.as_str().unwrap_or_default().to_owned())
    }

    /// Everything the processor did while `act` ran, one line an instruction (`Trace …`) and one a change of a pin (`pl061_set_output …`) or
    /// a look at the serial port (`pl011_read …`), in order. Only for a board that was set up to count instructions.
    pub fn trace<T>(&self, act: impl FnOnce() -> T) -> Result<(T, String), EmulatorError> {
        let file = self.lock().as_ref().ok_or(EmulatorError::NoPower)?.folder.path().join(TRACE);
        self.monitor("log exec,nochain,trace:pl061_set_output,trace:pl011_read")?;
        let result = act();
        self.monitor("log none")?;
        let lines = std::fs::read_to_string(file).map_err(EmulatorError::io("the emulator's trace"))?;
        Ok((result, lines))
    }

    fn did_not_go(&self, output: &str, on: bool, within: Duration) -> EmulatorError {
        let what = format!("{}: `{output}` did not go {}", self.setup.name, if on { "on" } else { "off" });
        EmulatorError::Timeout { what, within }
    }

    fn streamed(&self, output: &str) -> Result<Line, EmulatorError> {
        let line = self.setup.pins.output(output)?;
        if line.pin.port == self.setup.pins.streamed {
            Ok(line)
        } else {
            Err(EmulatorError::NoFunction { kind: "streamed output", name: output.to_owned() })
        }
    }

    fn wires(&self) -> Result<Arc<Wires>, EmulatorError> {
        self.lock().as_ref().map(|running| Arc::clone(&running.wires)).ok_or(EmulatorError::NoPower)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn boot(&self) -> Result<Running, EmulatorError> {
        let folder = tempfile::Builder::new()
            .prefix("board-")
            .tempdir()
            .map_err(EmulatorError::io("temporary folder"))?;
        let started = Instant::now();
        let program = self.setup.pins.machine.program().ok_or(EmulatorError::NoNewerQemu)?;
        let mut process = Process::start(&program, folder.path(), self.arguments()?)?;
        let console = Console::reading(process.0.stderr.take().expect("piped"));
        let mut reach = |name: &str| connect(&folder.path().join(name), &mut process, &console);
        let uart = reach("uart")?;
        let (qmp, events) = Qmp::over(reach("qmp")?)?;
        let qtest = Qtest::over(reach("qtest")?, Arc::new(Edges::default()))?;
        let wires = Arc::new(Wires {
            ports: self.setup.pins.machine.ports(&qmp)?,
            qtest,
            qmp,
            address: self.setup.address - self.setup.pins.address_base,
            pins: self.setup.pins.clone(),
            pressed: Arc::clone(&self.pressed),
        });
        wires.qtest.ask(&format!("irq_intercept_out {}", wires.ports[self.setup.pins.streamed]))?;
        wires.set_all()?;
        if let Some(bus) = &self.setup.bus {
            bus.attach(&self.setup.name, uart.try_clone().map_err(EmulatorError::io("serial socket"))?)?;
        }
        wires.qmp.ask("cont", json!({}))?;
        let keeper = (Arc::clone(&wires), Arc::clone(&self.resets));
        thread::spawn(move || keep_running(&keeper.0, &events, &keeper.1));
        Ok(Running { process, console, uart, wires, started, folder })
    }

    fn arguments(&self) -> Result<Vec<OsString>, EmulatorError> {
        let setup = &self.setup;
        let flash = std::path::absolute(&setup.flash).map_err(EmulatorError::io("flash path"))?;
        let flash = flash.to_str().filter(|path| path.len() <= LONGEST_FLASH_PATH);
        let flash = flash.ok_or_else(|| EmulatorError::FlashPath(setup.flash.clone()))?.replace(',', ",,");
        let image = std::path::absolute(&setup.image.path).map_err(EmulatorError::io("image path"))?;
        let mut arguments: Vec<OsString> = "-accel tcg -nodefaults -display none -monitor none -S \
             -action reboot=shutdown,shutdown=pause \
             -chardev socket,id=bus,path=uart,server=on,wait=off -serial chardev:bus \
             -qtest unix:qtest,server=on,wait=off -qtest-log none -qmp unix:qmp,server=on,wait=off"
            .split_whitespace()
            .map(OsString::from)
            .collect();
        arguments.extend(["-M", setup.pins.machine.name()].map(OsString::from));
        arguments.push("-semihosting-config".into());
        arguments.push(format!("enable=on,target=native,arg={flash}").into());
        if setup.count_instructions {
            arguments.extend(["-singlestep", "-D", TRACE].map(OsString::from));
        }
        arguments.extend(["-kernel".into(), image.into()]);
        Ok(arguments)
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.cut_power();
    }
}

impl Wires {
    fn set(&self, pin: Pin, high: bool) -> Result<(), EmulatorError> {
        let command =
            format!("set_irq_in {} unnamed-gpio-in {} {}", self.ports[pin.port], pin.number, u8::from(high));
        self.qtest.ask(&command).map(drop)
    }

    /// Every input, switch and reader line at its level: before the board runs, as wiring is before power.
    fn set_all(&self) -> Result<(), EmulatorError> {
        let pressed = self.pressed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (name, line) in &self.pins.inputs {
            self.set(line.pin, line.level(pressed.contains(name)))?;
        }
        for (bit, line) in self.pins.address.iter().enumerate() {
            self.set(line.pin, line.level(self.address >> bit & 1 == 1))?;
        }
        for (zeros, ones) in &self.pins.wiegand {
            self.set(*zeros, true)?;
            self.set(*ones, true)?;
        }
        Ok(())
    }

    /// Waits until the processor has taken the last edge of a pin.
    fn taken(&self, pin: Pin) -> Result<(), EmulatorError> {
        let (word, bit) = self.pins.machine.latched(pin);
        let start = Instant::now();
        while self.qtest.read_word(word)? & bit != 0 {
            if start.elapsed() > TAKEN_WITHIN {
                let what = "an edge at a reader's line was not taken".to_owned();
                return Err(EmulatorError::Timeout { what, within: TAKEN_WITHIN });
            }
        }
        Ok(())
    }

    fn is_on(&self, line: Line) -> Result<bool, EmulatorError> {
        let (word, bit) = self.pins.machine.level(line.pin);
        Ok((self.qtest.read_word(word)? & bit != 0) == line.active_high)
    }
}

/// The emulator stops where the board would reset itself. The pins of a reset part forget their levels, which wires
/// do not: so reset it here, set the levels again, and let it run.
fn keep_running(wires: &Wires, events: &Receiver<Value>, resets: &AtomicU32) {
    for event in events {
        if event["event"] != "SHUTDOWN" || event["data"]["reason"] != "guest-reset" {
            continue;
        }
        resets.fetch_add(1, Ordering::AcqRel);
        if reset(wires).is_err() {
            return;
        }
    }
}

fn reset(wires: &Wires) -> Result<(), EmulatorError> {
    let ask = |command: &str, arguments: Value| wires.qmp.ask(command, arguments);
    // A real pin lets go of its output in reset; QEMU's does so without an edge, and would not tell the next one either.
    for word in wires.pins.machine.let_go() {
        wires.qtest.ask(&format!("writel {word:#x} 0"))?;
    }
    ask("set-action", json!({ "reboot": "reset" }))?;
    ask("system_reset", json!({}))?;
    while ask("query-status", json!({}))?["status"] != "prelaunch" {
        thread::sleep(Duration::from_millis(1));
    }
    ask("set-action", json!({ "reboot": "shutdown" }))?;
    wires.set_all()?;
    ask("cont", json!({})).map(drop)
}

fn connect(socket: &Path, process: &mut Process, console: &Console) -> Result<UnixStream, EmulatorError> {
    let deadline = Instant::now() + SOCKETS_WITHIN;
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => return Ok(stream),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {}
            Err(error) => return Err(EmulatorError::Io { what: "emulator socket", source: error }),
        }
        if let Some(status) = process.0.try_wait().map_err(EmulatorError::io("qemu-system-arm"))? {
            return Err(EmulatorError::Ended { status: status.to_string(), said: console.text() });
        }
        if Instant::now() > deadline {
            let what = "the emulator opened no sockets".to_owned();
            return Err(EmulatorError::Timeout { what, within: SOCKETS_WITHIN });
        }
        thread::sleep(Duration::from_millis(1));
    }
}
