//! The agent's loop: one thread reads messages, one runs tasks in the order they came.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};

use crate::system::host::this_machine;
use crate::system::running::{end_running_programs, stop_programs};
use crate::system::{Overlay, System};
use crate::wire::{Decoder, FromAgent, Hello, PROTOCOL, TaskRequest, ToAgent};

use super::becoming::Channels;
use super::blobs::{LinkBlobs, Offers, Piece};
use super::outbox::Outbox;
use super::{job, task};

/// Where the agent is in the tasks it was sent, by their numbers; 0 is none.
#[derive(Clone, Default)]
struct Progress {
    /// The task that runs.
    current: Arc<AtomicU64>,
    /// The last one that has come.
    received: Arc<AtomicU64>,
    /// Those sent ahead up to this one are dropped.
    dropped: Arc<AtomicU64>,
}

impl Progress {
    fn drop_ahead(&self) {
        self.dropped.store(self.received.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

/// Serves one controller over a pair of pipes until it says goodbye or is gone.
///
/// # Errors
/// What went wrong with the link, in words for the log of whoever started the agent.
pub fn serve(input: impl Read + Send + 'static, output: impl Write + Send + 'static) -> Result<(), String> {
    let outbox = Outbox::new(output);
    outbox.send(&FromAgent::Hello(hello()));
    let (tasks, queue) = channel();
    let offers = Offers::default();
    let (blobs, pieces) = LinkBlobs::new(outbox.clone(), offers.clone());
    let (progress, gone) = (Progress::default(), Arc::new(AtomicBool::new(false)));
    let reader = {
        let (outbox, progress, gone) = (outbox.clone(), progress.clone(), gone.clone());
        std::thread::spawn(move || read(input, &Reader { outbox, tasks, pieces, offers, progress, gone }))
    };
    run_tasks(queue.iter().take_while(|_| !gone.load(Ordering::SeqCst)), &outbox, &blobs, &progress);
    reader.join().map_err(|_| "the agent's reader broke down".to_owned())?
}

fn hello() -> Hello {
    let uid = nix::unistd::geteuid().as_raw();
    let account = System::local().query_user_by_id(uid).ok().flatten();
    let home = std::env::var("HOME").ok().or_else(|| account.as_ref().map(|user| user.home.clone()));
    Hello {
        protocol: PROTOCOL,
        user: account.map(|user| user.name).unwrap_or_default(),
        uid,
        home: home.unwrap_or_default(),
        machine: this_machine(),
    }
}

fn run_tasks(queue: impl Iterator<Item = TaskRequest>, outbox: &Outbox, blobs: &LinkBlobs, progress: &Progress) {
    let mut real = System::local().with_blobs(Box::new(blobs.share()));
    let mut plan: Option<System> = None;
    // Those that did not go well: what was sent ahead after one of them is dropped.
    let mut unwell = HashSet::new();
    for request in queue {
        let is_dropped = |before: u64| unwell.contains(&before) || request.id <= progress.dropped.load(Ordering::SeqCst);
        if request.after.is_some_and(is_dropped) {
            unwell.insert(request.id);
            outbox.send(&FromAgent::Done(Box::new(task::dropped(request.id))));
            continue;
        }
        progress.current.store(request.id, Ordering::SeqCst);
        let fresh = || System::dry(Overlay::over_host()).with_blobs(Box::new(blobs.share()));
        let system = match (request.check, request.plan) {
            (true, true) => plan.get_or_insert_with(fresh),
            (true, false) => &mut fresh(),
            (false, _) => &mut real,
        };
        let reply = match &request.job {
            Some(folder) => task::reply(&request, system, outbox, |sys| job::start(&request, folder, sys)),
            None => task::run(&request, system, outbox),
        };
        progress.current.store(0, Ordering::SeqCst);
        if !reply.went_well() {
            unwell.insert(request.id);
        }
        outbox.send(&FromAgent::Done(Box::new(reply)));
    }
}

struct Reader {
    outbox: Outbox,
    tasks: Sender<TaskRequest>,
    pieces: Sender<Piece>,
    offers: Offers,
    progress: Progress,
    /// Set when the controller is gone.
    gone: Arc<AtomicBool>,
}

fn read(mut input: impl Read, reader: &Reader) -> Result<(), String> {
    let mut decoder = Decoder::default();
    let mut channels = Channels::new(reader.outbox.clone());
    let mut buffer = vec![0; 64 * 1024];
    loop {
        while let Some(message) = decoder.message::<ToAgent>().map_err(|error| error.to_string())? {
            if matches!(message, ToAgent::Goodbye | ToAgent::Stop | ToAgent::Retire) {
                reader.gone.store(!matches!(message, ToAgent::Goodbye), Ordering::SeqCst);
                if matches!(message, ToAgent::Stop) {
                    stop_programs();
                }
                channels.finish(&message);
                return Ok(());
            }
            obey(message, reader, &mut channels);
        }
        match input.read(&mut buffer) {
            Ok(0) => {
                // The controller is gone: what it asked for ends with it, and what it sent ahead is not begun.
                reader.gone.store(true, Ordering::SeqCst);
                stop_programs();
                return Ok(());
            }
            Ok(count) => decoder.feed(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(format!("the link broke: {error}")),
        }
    }
}

fn obey(message: ToAgent, reader: &Reader, channels: &mut Channels) {
    // A receiver that is gone means that the agent is ending: nothing is left to do for its messages.
    match message {
        ToAgent::Task(request) => {
            reader.progress.received.fetch_max(request.id, Ordering::SeqCst);
            reader.tasks.send(*request).unwrap_or_default();
        }
        ToAgent::Blob { sha256, piece, last } => {
            reader.pieces.send(Piece::Bytes { sha256, bytes: piece, last }).unwrap_or_default();
        }
        ToAgent::Offer { sha256, content } => reader.offers.keep(sha256, content),
        ToAgent::NoBlob { sha256, why } => reader.pieces.send(Piece::Missing { sha256, why }).unwrap_or_default(),
        ToAgent::Cancel { id } => {
            reader.progress.drop_ahead();
            if reader.progress.current.load(Ordering::SeqCst) == id {
                end_running_programs();
            }
        }
        ToAgent::DropAhead => reader.progress.drop_ahead(),
        ToAgent::Become { channel, request } => channels.open(channel, request),
        ToAgent::Relay { channel, frame } => channels.relay(channel, &frame),
        ToAgent::Goodbye | ToAgent::Stop | ToAgent::Retire => {}
    }
}
