//! Waiting until a booted host takes a login, with its pinned key.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use super::access::Access;
use super::host::Place;
use super::process::last_lines;
use super::{LabError, Result};

/// How long a booted host has until it takes a login: many boot at once on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// Returns after a real login. Fails when the host stops before, or at the limit.
pub fn wait(place: &Place, access: &Access) -> Result<()> {
    let end = Instant::now() + LIMIT;
    let address = SocketAddr::from((place.address(), 22));
    loop {
        let said = if answers_as_ssh(address) { try_login(place, access) } else { Err("no answer on port 22".to_owned()) };
        let Err(said) = said else { return Ok(()) };
        let (name, console) = (place.name.clone(), place.console());
        if !place.container().is_running()? {
            let said = last_lines(&String::from_utf8_lossy(&std::fs::read(&console).unwrap_or_default()), 8);
            return Err(LabError::BootFailed { name, console, said });
        }
        if Instant::now() > end {
            return Err(LabError::NoLogin { name, seconds: LIMIT.as_secs(), console, said });
        }
        thread::sleep(Duration::from_millis(30));
    }
}

fn try_login(place: &Place, access: &Access) -> std::result::Result<(), String> {
    let mut command = access.ssh(&place.name);
    command.args(["-o", "BatchMode=yes", "true"]);
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(last_lines(&String::from_utf8_lossy(&output.stderr), 3)) }
}

fn answers_as_ssh(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else { return false };
    let mut banner = [0; 4];
    stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok() && stream.read_exact(&mut banner).is_ok() && &banner == b"SSH-"
}
