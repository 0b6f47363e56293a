//! The building, running: every part a process of its own, started in order and stopped in the reverse one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use emulator::{Board, Bus, Image, Pins, Setup};

use crate::broker::Broker;
use crate::camera::Camera;
use crate::process::{Process, until};
use crate::site::{Device, Site, output, program};

/// The main door: a door board in QEMU.
pub const DOOR: Device = Device { name: "main-door", kind: "door", address: 1, door: 1, camera: false };
/// The staff gate: a gate-lane board in QEMU, with the camera at its entry.
pub const LANE: Device = Device { name: "staff-lane", kind: "gate-lane", address: 2, door: 2, camera: true };
/// The archive: the host build of the door board's firmware.
pub const ARCHIVE: Device = Device { name: "archive-door", kind: "door", address: 3, door: 3, camera: false };

/// Long enough for a busy machine to start a program.
const START: Duration = Duration::from_secs(60);
/// A speed gate's leaf from one limit to the other.
const LEAF_MOVES: Duration = Duration::from_millis(300);
/// How often the leaf follows its drive; asking stops the emulated board for a moment.
const LEAF_LOOKS: Duration = Duration::from_millis(25);

/// Long enough for a program to end by itself.
const STOP: Duration = Duration::from_secs(5);

/// Everything that runs.
pub struct Building {
    /// Its folder.
    pub site: Site,
    /// The bus all boards hang on.
    pub bus: Bus,
    /// The main door's board.
    pub door: Board,
    /// The staff gate's board.
    pub lane: Arc<Board>,
    /// The archive door's board: the same firmware as a host process.
    pub archive: Process,
    /// The camera at the staff gate.
    pub camera: Camera,
    /// The message broker; `None` while it is killed.
    pub broker: Option<Broker>,
    /// The access server; `None` while it is killed.
    pub server: Option<Process>,
    /// The controller.
    pub controller: Option<Process>,
    /// The vision process.
    pub vision: Option<Process>,
    port: PathBuf,
}

impl Building {
    /// Starts everything in a site's folder, making the site at the first start. `say` is told what is being done.
    ///
    /// # Errors
    /// The first part that does not start, with what it said.
    pub fn start(folder: &Path, database: Option<&str>, say: &mut dyn FnMut(&str)) -> Result<Self> {
        say("site");
        let site = Site::open(folder, database)?;
        let logs = site.logs();
        let broker = Broker::start(&logs, site.ports.broker, &site.broker_certificates())?;

        say("boards");
        let bus = Bus::start()?;
        let port = bus.pty("controller")?;
        let door = emulated(&site, &bus, &DOOR)?;
        let lane = Arc::new(emulated(&site, &bus, &LANE)?);
        leaf(&lane)?;
        let archive = simulated(&site, &bus, &ARCHIVE)?;
        let devices = [DOOR, LANE, ARCHIVE];
        let configuration = site.configure_controller(&port, &devices)?;
        let keyed = site.path("boards/keyed");
        if !keyed.exists() {
            say("keys for the boards");
            for device in &devices {
                let mut install = Command::new(program("gatehouse-controller")?);
                install.arg("--config").arg(&configuration).args(["install", device.name]);
                output(&mut install).with_context(|| format!("{} was not given its key", device.name))?;
            }
            std::fs::write(&keyed, "")?;
        }

        say("camera and vision");
        let camera = Camera::start("camera", &logs)?;
        let configuration = site.configure_vision(camera.address())?;
        let vision = started("vision", "gatehouse-vision", &configuration, &logs)?;

        let mut building = Self {
            bus,
            door,
            lane,
            archive,
            camera,
            broker: Some(broker),
            server: None,
            controller: None,
            vision: Some(vision),
            port,
            site,
        };
        say("server");
        building.start_server()?;
        say("controller");
        building.start_controller()?;
        if !building.site.path("imported").exists() {
            say("people, doors and rights");
            let file = building.site.import_file()?;
            let mut import = Command::new(program("gatehouse-server")?);
            output(import.args(["import", "--config"]).arg(building.site.server_configuration()).arg(file))?;
            std::fs::write(building.site.path("imported"), "")?;
        }
        Ok(building)
    }

    /// The console's address.
    pub fn console(&self) -> String {
        format!("https://localhost:{}/", self.site.ports.console)
    }

    /// The serial port that the controller has opened.
    pub fn port(&self) -> &Path {
        &self.port
    }

    /// Starts the server.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_server(&mut self) -> Result<()> {
        let configuration = self.site.server_configuration();
        let server = program("gatehouse-server")?;
        let arguments = [Path::new("serve"), Path::new("--config"), &configuration];
        let mut server = Process::start("server", &server, arguments, &self.site.logs())?;
        server.ready(START)?;
        self.server = Some(server);
        Ok(())
    }

    /// Ends the server at once: `kill -9`.
    ///
    /// # Errors
    /// When it was not running.
    pub fn kill_server(&mut self) -> Result<()> {
        self.server.take().context("the server is not running")?.kill()
    }

    /// Starts the controller.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_controller(&mut self) -> Result<()> {
        let configuration = self.site.path("controller/controller.toml");
        self.controller =
            Some(started("controller", "gatehouse-controller", &configuration, &self.site.logs())?);
        Ok(())
    }

    /// Ends the broker at once: `kill -9`.
    ///
    /// # Errors
    /// When it was not running.
    pub fn kill_broker(&mut self) -> Result<()> {
        self.broker.take().context("the broker is not running")?.kill()
    }

    /// Starts the broker again, on the same port with the same data.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_broker(&mut self) -> Result<()> {
        let certificates = self.site.broker_certificates();
        self.broker = Some(Broker::start(&self.site.logs(), self.site.ports.broker, &certificates)?);
        Ok(())
    }

    /// Stops everything, the boards last.
    ///
    /// # Errors
    /// The first part that did not stop by itself.
    pub fn stop(self) -> Result<()> {
        let Self { vision, controller, server, broker, camera, archive, door, lane, .. } = self;
        let stopped = [vision, controller, server]
            .into_iter()
            .flatten()
            .map(|process| process.stop(STOP))
            .fold(Ok(()), Result::and);
        drop((broker, camera, archive));
        door.cut_power();
        lane.cut_power();
        stopped
    }
}

fn started(name: &str, binary: &str, configuration: &Path, logs: &Path) -> Result<Process> {
    let arguments = [Path::new("--config"), configuration];
    let mut process = Process::start(name, &program(binary)?, arguments, logs)?;
    process.ready(START)?;
    Ok(process)
}

fn emulated(site: &Site, bus: &Bus, device: &Device) -> Result<Board> {
    Ok(Board::start(Setup {
        name: device.name.to_owned(),
        image: Image::named(device.kind)?,
        pins: Pins::of(device.kind)?,
        address: device.address,
        flash: site.path("boards").join(format!("{}.flash", device.name)),
        bus: Some(bus.clone()),
        count_instructions: false,
    })?)
}

/// The lane's leaf, which QEMU does not have: it takes [`LEAF_MOVES`] from one limit to the other, wherever it is driven.
fn leaf(lane: &Arc<Board>) -> Result<()> {
    lane.press("leaf_closed")?;
    let lane = Arc::downgrade(lane);
    std::thread::spawn(move || {
        let mut is_open = false;
        while let Some(lane) = lane.upgrade() {
            let driven = |output: &str| lane.is_on(output).unwrap_or(false);
            let wanted = match (driven("open_entry") || driven("open_exit"), driven("close")) {
                (true, _) => true,
                (false, true) => false,
                (false, false) => is_open,
            };
            if wanted != is_open {
                let (from, to) =
                    if wanted { ("leaf_closed", "leaf_open") } else { ("leaf_open", "leaf_closed") };
                // A board without power finds its inputs so when it has power again.
                let _ = lane.release(from);
                std::thread::sleep(LEAF_MOVES);
                let _ = lane.press(to);
                is_open = wanted;
            }
            drop(lane);
            std::thread::sleep(LEAF_LOOKS);
        }
    });
    Ok(())
}

fn simulated(site: &Site, bus: &Bus, device: &Device) -> Result<Process> {
    // A socket's path is short: it lies beside the flash under a short name.
    let socket = site.path("boards").join(format!("{}.bus", device.address));
    let _ = std::fs::remove_file(&socket);
    let flash = site.path("boards").join(format!("{}.flash", device.name));
    let address = device.address.to_string();
    let arguments: [&std::ffi::OsStr; 8] = [
        "--board".as_ref(),
        device.kind.as_ref(),
        "--address".as_ref(),
        address.as_ref(),
        "--serial".as_ref(),
        socket.as_ref(),
        "--flash".as_ref(),
        flash.as_ref(),
    ];
    let mut board = Process::start(device.name, &program("gatehouse-board")?, arguments, &site.logs())?;
    board.ready(START)?;
    let mut stream = None;
    until("the host board's bus", START, || {
        stream = std::os::unix::net::UnixStream::connect(&socket).ok();
        stream.is_some()
    })?;
    bus.attach(device.name, stream.context("connected a line above")?)?;
    Ok(board)
}
