//! An agent that outlives its link: frames come and go over whatever connection is there, the first one over standard input and output, later
//! ones over a socket that only its user can open. While no controller is there, what was sent goes on and its results are kept; when none
//! comes back within the grace time, nothing more is begun.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::wire::bootstrap::{FOUND, GONE};
use crate::wire::{Control, Decoder, SentFrames, TELL_AFTER, ToAgent, encode, encode_control};

/// What is kept for a controller that does not say it has it; more waits.
const MOST_KEPT: usize = 256 * 1024 * 1024;

struct Session {
    token: String,
    grace: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    sent: SentFrames,
    /// How many frames of the controller's have come.
    received: u64,
    /// How many of them it has been told of.
    told: u64,
    /// Which connection counts: older ones are not listened to any more.
    generation: u64,
    is_connected: bool,
    /// How many frames were written to the connection that counts.
    written: u64,
    /// The way to the agent; gone once it is to end.
    to_agent: Option<Sender<Vec<u8>>>,
}

/// Serves a controller over standard input and output, and over a socket when that was lost.
///
/// # Errors
/// As `serve`.
pub fn serve_session(grace: Duration) -> Result<(), String> {
    let token = format!("{:032x}", rand::random::<u128>());
    let Some((listener, _socket)) = listen(&token) else { return super::serve(io::stdin(), io::stdout()) };
    let (to_agent, frames) = channel();
    let state = State {
        sent: SentFrames::default(),
        received: 0,
        told: 0,
        generation: 0,
        is_connected: true,
        written: 0,
        to_agent: Some(to_agent),
    };
    let session = Arc::new(Session { token, grace, state: Mutex::new(state), changed: Condvar::new() });
    session.begin(0, 0, io::stdin(), io::stdout(), Decoder::default());
    let accepting = session.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let session = accepting.clone();
            std::thread::spawn(move || session.attach(stream));
        }
    });
    let ended = super::serve(Incoming { frames, rest: Vec::new() }, Outgoing(session.clone()));
    session.wait_until_written();
    ended
}

/// Hands a connection on to the agent that waits at a socket.
///
/// # Errors
/// The connection broke.
pub fn attach(token: &str) -> Result<(), String> {
    let found = token.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| socket_path(token)).flatten();
    let mut output = io::stdout();
    let mut say = |line: &str| writeln!(output, "{line}").and_then(|()| output.flush()).map_err(|error| error.to_string());
    let Some(stream) = found.and_then(|path| UnixStream::connect(path).ok()) else { return say(GONE) };
    say(FOUND)?;
    let mut to_agent = stream.try_clone().map_err(|error| error.to_string())?;
    std::thread::spawn(move || {
        copy(io::stdin(), &mut to_agent);
        to_agent.shutdown(std::net::Shutdown::Write).unwrap_or_default();
    });
    copy(stream, &mut output);
    Ok(())
}

/// Passes bytes on as they come, until either side is gone.
fn copy(mut from: impl Read, to: &mut impl Write) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..count]).and_then(|()| to.flush()).is_err() {
            return;
        }
    }
}

/// The folder that this program was started from is its user's own.
fn folder() -> Option<PathBuf> {
    fs::read_link("/proc/self/exe").ok()?.parent().map(Path::to_owned)
}

fn socket_path(token: &str) -> Option<PathBuf> {
    Some(folder()?.join(format!("link-{token}")))
}

/// Removes the socket at the end.
struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap_or_default();
    }
}

fn listen(token: &str) -> Option<(UnixListener, Socket)> {
    remove_stale();
    let path = socket_path(token)?;
    let mask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(&path);
    rustix::process::umask(mask);
    Some((listener.ok()?, Socket(path)))
}

/// Sockets of agents that were killed.
fn remove_stale() {
    let Some(folder) = folder() else { return };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_link = entry.file_name().to_string_lossy().starts_with("link-");
        let is_dead = || UnixStream::connect(entry.path()).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        if is_link && is_dead() {
            fs::remove_file(entry.path()).unwrap_or_default();
        }
    }
}

impl Session {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens and writes to a connection, from the frame after those that the other end has.
    fn begin(
        self: &Arc<Self>,
        generation: u64,
        received: u64,
        input: impl Read + Send + 'static,
        output: impl Write + Send + 'static,
        decoder: Decoder,
    ) {
        let (writing, reading) = (self.clone(), self.clone());
        std::thread::spawn(move || writing.write(generation, received, output));
        std::thread::spawn(move || {
            // Junk is as good as an end.
            reading.read(generation, input, decoder).unwrap_or_default();
            reading.lost(generation);
        });
    }

    /// A controller has come back: what it says first is how much it has.
    fn attach(self: &Arc<Self>, mut stream: UnixStream) {
        let (mut decoder, mut buffer) = (Decoder::default(), vec![0; 4096]);
        let received = loop {
            match decoder.frame() {
                Ok(Some(frame)) => match frame.control() {
                    Ok(Some(Control::Attach { received })) => break received,
                    _ => return,
                },
                Ok(None) => match stream.read(&mut buffer) {
                    Ok(count @ 1..) => decoder.feed(&buffer[..count]),
                    _ => return,
                },
                Err(_) => return,
            }
        };
        let Ok(output) = stream.try_clone() else { return };
        let generation = {
            let mut state = self.lock();
            if state.to_agent.is_none() || !state.sent.can_go_on_after(received) {
                return;
            }
            state.generation += 1;
            state.is_connected = true;
            state.written = received;
            state.sent.drop_first(received);
            state.generation
        };
        self.changed.notify_all();
        self.begin(generation, received, stream, output, decoder);
    }

    fn read(&self, generation: u64, mut input: impl Read, mut decoder: Decoder) -> Result<(), crate::wire::CodecError> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            while let Some(frame) = decoder.frame()? {
                let mut state = self.lock();
                if state.generation != generation {
                    return Ok(());
                }
                match frame.control()? {
                    Some(Control::Received { frames }) => state.sent.drop_first(frames),
                    Some(_) => {}
                    None => {
                        state.received += 1;
                        if let Some(to_agent) = &state.to_agent {
                            // An agent that is ending needs nothing more.
                            to_agent.send(frame.bytes).unwrap_or_default();
                        }
                    }
                }
                self.changed.notify_all();
            }
            match input.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => decoder.feed(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Ok(()),
            }
        }
    }

    fn write(&self, generation: u64, received: u64, mut output: impl Write) {
        let hello = Control::Attached { token: self.token.clone(), received: self.lock().received };
        let Ok(mut next) = encode_control(&hello) else { return };
        let mut count = received;
        loop {
            // Written without the lock: a connection that hangs holds nobody else up.
            if output.write_all(&next).and_then(|()| output.flush()).is_err() {
                return self.lost(generation);
            }
            let mut state = self.lock();
            if state.generation == generation {
                state.written = count;
                self.changed.notify_all();
            }
            next = loop {
                if state.generation != generation {
                    return;
                }
                if let Some(frame) = state.sent.after(count) {
                    count += 1;
                    break frame.to_vec();
                }
                if state.received >= state.told + TELL_AFTER
                    && let Ok(frame) = encode_control(&Control::Received { frames: state.received })
                {
                    state.told = state.received;
                    break frame;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            };
        }
    }

    /// The connection is gone: a controller that does not come back in time will not come back.
    fn lost(&self, generation: u64) {
        let mut state = self.lock();
        if state.generation != generation || !state.is_connected {
            return;
        }
        state.is_connected = false;
        self.changed.notify_all();
        let (mut state, _) = self
            .changed
            .wait_timeout_while(state, self.grace, |state| state.generation == generation && state.to_agent.is_some())
            .unwrap_or_else(PoisonError::into_inner);
        if state.generation == generation
            && let Some(to_agent) = state.to_agent.take()
            && let Ok(retire) = encode(&ToAgent::Retire)
        {
            to_agent.send(retire).unwrap_or_default();
        }
    }

    /// The agent has ended: what it said last is still to go out, if somebody is there.
    fn wait_until_written(&self) {
        let mut state = self.lock();
        state.to_agent = None;
        self.changed.notify_all();
        let is_open = |state: &mut State| state.is_connected && state.written < state.sent.count();
        drop(self.changed.wait_timeout_while(state, Duration::from_secs(10), is_open));
    }
}

/// The controller's frames, as the agent reads them.
struct Incoming {
    frames: Receiver<Vec<u8>>,
    rest: Vec<u8>,
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            match self.frames.recv() {
                Ok(frame) => self.rest = frame,
                Err(_) => return Ok(0),
            }
        }
        let count = buffer.len().min(self.rest.len());
        buffer[..count].copy_from_slice(&self.rest[..count]);
        self.rest.drain(..count);
        Ok(count)
    }
}

/// The agent's frames; each is written in one piece.
struct Outgoing(Arc<Session>);

impl Write for Outgoing {
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        let state = self.0.lock();
        let is_full = |state: &mut State| state.sent.bytes() > MOST_KEPT && state.to_agent.is_some();
        let mut state = self.0.changed.wait_while(state, is_full).unwrap_or_else(PoisonError::into_inner);
        state.sent.push(frame);
        self.0.changed.notify_all();
        Ok(frame.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
