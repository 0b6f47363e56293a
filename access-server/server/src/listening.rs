//! The port for browsers, or in one sentence why there is none.

use std::io;
use std::net::{SocketAddr, TcpListener};

/// Takes an address to listen on.
///
/// # Errors
/// Says what is in the way, and what to do.
pub fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let socket = TcpListener::bind(address).map_err(|error| refused(address, error))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// What is to be said of an address that cannot be listened on.
#[must_use]
pub fn refused(address: SocketAddr, error: io::Error) -> anyhow::Error {
    const ADVICE: [(io::ErrorKind, &str); 3] = [
        (io::ErrorKind::AddrInUse, "another program has it: `ss -ltnp` says which"),
        (
            io::ErrorKind::PermissionDenied,
            "a port below 1024 takes CAP_NET_BIND_SERVICE, which the systemd unit gives; or take a higher one",
        ),
        (io::ErrorKind::AddrNotAvailable, "no interface of this machine has this address"),
    ];
    let Some((_, advice)) = ADVICE.iter().find(|(kind, _)| *kind == error.kind()) else {
        return anyhow::Error::from(error).context(said(address));
    };
    anyhow::anyhow!("{}: {error}: {advice}", said(address))
}

fn said(address: SocketAddr) -> String {
    format!("http.listen: {address} cannot be listened on")
}
