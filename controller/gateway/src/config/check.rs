//! From the file as written to a configuration that can be used.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use domain::ids::{ControllerId, DoorId};
use domain::request::Side;
use endpoints::vendor::OfflineRule;
use toml::Spanned;

use super::{
    Broker, Bus, BusFile, Camera, Config, Device, DeviceFile, Fault, File, Kind, KindFile, OfflineFile,
    Reader, ReaderLink, ReaderLinkFile, Terminals, Tls, key_file, once, plain_file, private_file,
};

const BAUDS: [u32; 6] = [9_600, 19_200, 38_400, 57_600, 115_200, 230_400];

pub(super) fn config(file: File, folder: &Path) -> Result<Config, Fault> {
    let number = file.name.get_ref().strip_prefix("controller-").and_then(|id| id.parse().ok());
    let controller =
        ControllerId(number.ok_or_else(|| Fault::at(&file.name, "must be `controller-` and a number"))?);
    if !(10..=10_000_000).contains(file.outbox_limit.get_ref()) {
        return Err(Fault::at(&file.outbox_limit, "must be 10 to 10000000 events"));
    }
    if !(10..=604_800).contains(file.whitelist_life_s.get_ref()) {
        return Err(Fault::at(&file.whitelist_life_s, "must be 10 s to 604800 s, seven days"));
    }
    let tls = Tls {
        ca: plain_file(folder, &file.tls.ca)?,
        certificate: plain_file(folder, &file.tls.certificate)?,
        key: private_file(folder, &file.tls.key)?,
    };
    if file.broker.host.get_ref().is_empty() {
        return Err(Fault::at(&file.broker.host, "must not be empty"));
    }
    let mut names = Names::default();
    let buses = file.bus.into_iter().map(|it| bus(it, folder, &mut names)).collect::<Result<Vec<_>, _>>()?;
    Ok(Config {
        name: file.name.into_inner(),
        controller,
        data: folder.join(file.data.get_ref()),
        tls,
        broker: Broker { host: file.broker.host.into_inner(), port: file.broker.port },
        credential_key: key_file(folder, &file.credentials.key_file)?,
        reader_link: file.reader_link.map(reader_link).transpose()?,
        buses,
        outbox_limit: file.outbox_limit.into_inner(),
        outbox_pages: file.outbox_pages,
        whitelist_life: Duration::from_secs((*file.whitelist_life_s.get_ref()).into()),
    })
}

#[derive(Default)]
struct Names {
    buses: BTreeSet<String>,
    ports: BTreeSet<std::path::PathBuf>,
    devices: BTreeSet<String>,
    doors: BTreeMap<u64, String>,
}

fn reader_link(file: ReaderLinkFile) -> Result<ReaderLink, Fault> {
    let mut seen = BTreeSet::new();
    let cameras = file.camera.into_iter().map(|it| {
        once(&mut seen, &it.name, "this camera is bound already")?;
        if !it.vision.get_ref().starts_with("vision-") {
            return Err(Fault::at(&it.vision, "must be a vision process: `vision-` and its id"));
        }
        Ok(Camera {
            vision: it.vision.into_inner(),
            name: it.name.into_inner(),
            door: DoorId(it.door),
            side: it.side.into(),
        })
    });
    Ok(ReaderLink { listen: *file.listen.get_ref(), cameras: cameras.collect::<Result<_, _>>()? })
}

fn bus(file: BusFile, folder: &Path, names: &mut Names) -> Result<Bus, Fault> {
    once(&mut names.buses, &file.name, "another bus has this name")?;
    once(&mut names.ports, &file.port, "another bus has this port")?;
    let port = folder.join(file.port.get_ref());
    if !port.exists() {
        return Err(Fault::at(&file.port, format!("{}: no such device", port.display())));
    }
    if !BAUDS.contains(file.baud.get_ref()) {
        return Err(Fault::at(&file.baud, format!("must be one of {BAUDS:?}")));
    }
    let mut addresses = BTreeSet::new();
    let devices = file.device.into_iter().map(|it| {
        once(&mut addresses, &it.address, "another device on this bus has this address")?;
        device(it, folder, names)
    });
    Ok(Bus {
        devices: devices.collect::<Result<_, _>>()?,
        name: file.name.into_inner(),
        port,
        baud: file.baud.into_inner(),
    })
}

fn device(file: DeviceFile, folder: &Path, names: &mut Names) -> Result<Device, Fault> {
    if *file.address.get_ref() > 126 {
        return Err(Fault::at(&file.address, "an OSDP address is 0 to 126"));
    }
    once(&mut names.devices, &file.name, "another device has this name")?;
    let kind = kind(&file)?;
    let door = door(&file, names)?;
    let offline_after_s = file.offline_after_s.as_ref().map_or(10, |it| *it.get_ref());
    if let Some(it) = &file.offline_after_s
        && !(2..=3600).contains(&offline_after_s)
    {
        return Err(Fault::at(it, "must be 2 to 3600 s"));
    }
    let key = osdp::Key::new(key_file(folder, &file.key_file)?);
    if key.is_default() {
        return Err(Fault::at(
            &file.key_file,
            "is the key that everybody knows; every device has a key of its own",
        ));
    }
    Ok(Device {
        readers: readers(&file, kind, door)?,
        address: file.address.into_inner(),
        name: file.name.into_inner(),
        kind,
        key,
        door,
        offline: match file.offline {
            OfflineFile::Refuse => OfflineRule::Refuse,
            OfflineFile::Whitelist => OfflineRule::Whitelist,
        },
        offline_after_s,
    })
}

fn kind(file: &DeviceFile) -> Result<Kind, Fault> {
    let terminals = |it: &Spanned<super::TerminalsFile>| {
        let it = it.get_ref();
        Terminals { lock: it.lock, contact: it.contact, rex: it.rex, fire: it.fire }
    };
    match (file.kind.get_ref(), &file.terminals) {
        (KindFile::PlainDoor, Some(it)) => Ok(Kind::PlainDoor(terminals(it))),
        (KindFile::PlainDoor, None) => Err(Fault::at(&file.kind, "a plain door needs its `terminals`")),
        (KindFile::Door | KindFile::GateLane | KindFile::Reader, Some(it)) => {
            Err(Fault::at(it, "only a plain door has terminals; our boards know theirs"))
        }
        (KindFile::Door, None) => Ok(Kind::Door),
        (KindFile::GateLane, None) => Ok(Kind::GateLane),
        (KindFile::Reader, None) => Ok(Kind::Reader),
    }
}

fn door(file: &DeviceFile, names: &mut Names) -> Result<Option<DoorId>, Fault> {
    let drives = *file.kind.get_ref() != KindFile::Reader;
    match (&file.door, drives) {
        (Some(door), true) => {
            let name = file.name.get_ref().clone();
            if let Some(other) = names.doors.insert(*door.get_ref(), name) {
                return Err(Fault::at(door, format!("{other} drives this door already")));
            }
            Ok(Some(DoorId(*door.get_ref())))
        }
        (None, true) => Err(Fault::at(&file.kind, "a board that drives a door names it: `door = 1`")),
        (Some(door), false) => {
            Err(Fault::at(door, "a bare reader drives no door; name it in its `reader` entries"))
        }
        (None, false) => Ok(None),
    }
}

/// A door board's reader stands at its entry, a lane's two at either side, unless the file says otherwise.
fn readers(file: &DeviceFile, kind: Kind, door: Option<DoorId>) -> Result<Vec<Reader>, Fault> {
    let Some(list) = &file.reader else {
        let entry = door.map(|door| Reader { number: 0, door, side: Side::Entry });
        let exit = door.map(|door| Reader { number: 1, door, side: Side::Exit });
        return match kind {
            Kind::Door | Kind::PlainDoor(_) => Ok(entry.into_iter().collect()),
            Kind::GateLane => Ok(entry.into_iter().chain(exit).collect()),
            Kind::Reader => Err(Fault::at(&file.kind, "a bare reader needs its `reader` entries")),
        };
    };
    let mut numbers = BTreeSet::new();
    let read = list.iter().map(|it| {
        once(&mut numbers, &it.number, "this reader is named already")?;
        let door = it.door.map(DoorId).or(door);
        let door = door.ok_or_else(|| Fault::at(&it.number, "name the door it stands at: `door = 1`"))?;
        Ok(Reader { number: *it.number.get_ref(), door, side: it.side.into() })
    });
    read.collect()
}
