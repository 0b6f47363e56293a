//! Gives a new device its key: an operator's command, with the controller stopped, on one bus, for a few minutes.
//!
//! This is the only way by which a device is ever spoken to with the key that everybody knows. The window closes by itself.

use std::io;
use std::time::{Duration, Instant};

use osdp::cp::{BusConfig, Cp, DeviceConfig, DeviceSecurity, EventKind};
use osdp::{Baud, Nonces};
use ring::rand::{SecureRandom, SystemRandom};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_serial::{SerialPortBuilderExt, SerialStream};

use crate::config::{Bus, Config, Device};

/// The longest window, in minutes.
pub const LONGEST_WINDOW: u64 = 30;

/// Why a device was not given its key.
#[derive(Debug, Error)]
pub enum InstallError {
    /// No device of this name in the configuration.
    #[error("no device is called {0:?} in the configuration")]
    Unknown(String),
    /// The port cannot be used.
    #[error("the port {port} cannot be used; is the controller still running?")]
    Port {
        /// The device file.
        port: String,
        /// Why.
        source: io::Error,
    },
    /// Nothing that could be given the key answered.
    #[error(
        "{0} did not take its key within the window: is it wired, at this address, and without a key of its own?"
    )]
    Window(String),
}

/// Opens the install window for one device. `Ok` when it answers under its own key, newly given or given before.
///
/// # Errors
/// When it does not within `window`.
pub async fn install(config: &Config, name: &str, window: Duration) -> Result<(), InstallError> {
    let (bus, device) = config
        .buses
        .iter()
        .flat_map(|bus| bus.devices.iter().map(move |device| (bus, device)))
        .find(|(_, device)| device.name == name)
        .ok_or_else(|| InstallError::Unknown(name.to_owned()))?;
    let port_error = |source| InstallError::Port { port: bus.port.display().to_string(), source };
    let mut port = open(bus).map_err(port_error)?;
    if talk(&mut port, bus, device, window).await.map_err(port_error)? {
        Ok(())
    } else {
        Err(InstallError::Window(name.to_owned()))
    }
}

fn open(bus: &Bus) -> io::Result<SerialStream> {
    Ok(tokio_serial::new(bus.port.to_string_lossy(), bus.baud).open_native_async()?)
}

/// Whether the device answered under its own key.
async fn talk(port: &mut SerialStream, bus: &Bus, device: &Device, window: Duration) -> io::Result<bool> {
    let began = Instant::now();
    let now = || u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    let until = u64::try_from(window.as_micros()).unwrap_or(u64::MAX);
    let mut seed = [0; 16];
    SystemRandom::new().fill(&mut seed).map_err(|_| io::Error::other("no random numbers"))?;
    let baud = Baud::new(bus.baud).ok_or_else(|| io::Error::other("no such speed"))?;
    let address = osdp::Address::new(device.address).ok_or_else(|| io::Error::other("no such address"))?;
    let mut panel: Cp<1, 4> = Cp::new(BusConfig::new(baud), Nonces::new(seed));
    let security = DeviceSecurity::Install { key: device.key.clone(), until };
    panel
        .add(now(), DeviceConfig::new(address, security))
        .map_err(|_| io::Error::other("the panel has room for one device"))?;
    let mut buffer = [0; 2048];
    while now() < until {
        if let Some(bytes) = panel.poll_transmit(now()) {
            port.write_all(bytes).await?;
        }
        while let Some(event) = panel.poll_event() {
            match event.kind {
                EventKind::KeyInstalled | EventKind::Online { secure: true, .. } => return Ok(true),
                // Said too of a device that had its key before: whether it proves it, the next answers say.
                EventKind::InstallWindowClosed
                | EventKind::Online { secure: false, .. }
                | EventKind::Offline(_)
                | EventKind::SecureChannelUp
                | EventKind::Card(_)
                | EventKind::FormattedCard(_)
                | EventKind::Keys(_)
                | EventKind::Inputs(_)
                | EventKind::Outputs(_)
                | EventKind::LocalStatus { .. }
                | EventKind::Readers(_)
                | EventKind::LineSettings(_)
                | EventKind::Mfg { .. }
                | EventKind::Other { .. }
                | EventKind::Done(_)
                | EventKind::Failed(..)
                | EventKind::FileWanted { .. }
                | EventKind::ForeignPanel => {}
            }
        }
        let wake = panel.poll_timeout().unwrap_or(until).min(until);
        let wait = Duration::from_micros(wake.saturating_sub(now()));
        match tokio::time::timeout(wait, port.read(&mut buffer)).await {
            Ok(read) => match read? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => panel.handle_input(now(), &buffer[..count]),
            },
            Err(_) => panel.handle_timeout(now()),
        }
    }
    Ok(false)
}
