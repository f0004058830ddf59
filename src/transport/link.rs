//! The link: one channel to a host's agent, with any number of questions under way. Clones share it; a link to the agent of another user
//! (`become`) goes through the same channel.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::system::host::this_machine;
use crate::wire::{BecomeRequest, ChannelEnd, Decoder, FromAgent, Hello, PROTOCOL, TaskReply, TaskRequest, ToAgent, encode};

use super::blobs::BlobStore;
use super::error::LinkError;
use super::payload::{Payload, program};
use super::session::{Ends, Session};
use super::ssh::{self, SshOptions};

mod asked;

pub use asked::Asked;

/// Receives the live output of a task.
pub type OutputLine = Arc<dyn Fn(&str) + Send + Sync>;

/// So long an agent's end is waited for.
const END: std::time::Duration = std::time::Duration::from_secs(3);

/// Channel 0 is the agent that the link leads to; others are agents that it has started for other users.
const DIRECT: u32 = 0;

/// A frame, with the room in the queue that it gives free when it is written.
type Outgoing = (Vec<u8>, Option<OwnedSemaphorePermit>);

const PIECES_UNDER_WAY: usize = 4;

struct Waiting {
    reply: oneshot::Sender<Result<TaskReply, LinkError>>,
    output: Option<OutputLine>,
}

#[derive(Default)]
struct State {
    waiting: HashMap<(u32, u64), Waiting>,
    hellos: HashMap<u32, oneshot::Sender<Result<Hello, LinkError>>>,
    /// Content that an agent was sent unasked.
    offered: HashSet<(u32, String)>,
    /// Why a channel is gone; 0: the whole link.
    closed: HashMap<u32, String>,
}

struct Shared {
    outgoing: mpsc::UnboundedSender<Outgoing>,
    /// How many pieces of content may wait to be written.
    room: Arc<Semaphore>,
    state: Mutex<State>,
    blobs: BlobStore,
    closing: Arc<AtomicBool>,
    /// Why the link came to its end, where its session knows.
    end: Arc<OnceLock<String>>,
    next_task: AtomicU64,
    next_channel: AtomicU32,
}

/// A way to one agent on one host.
#[derive(Clone)]
pub struct Link {
    shared: Arc<Shared>,
    channel: u32,
    hello: Arc<Hello>,
}

impl Link {
    /// Starts the agent on this machine, as the user who runs Hostler, in a folder.
    ///
    /// # Errors
    /// It does not start.
    pub async fn local(folder: &Path, blobs: BlobStore) -> Result<Link, LinkError> {
        let failed = |error: std::io::Error| LinkError::Agent(format!("cannot start the agent on this machine: {error}"));
        let mut child = tokio::process::Command::new(program().map_err(failed)?)
            .arg("agent")
            .current_dir(folder)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(LinkError::Agent("the agent on this machine has no pipes".into()));
        };
        tokio::spawn(async move { child.wait().await });
        Link::start(input, output, Arc::default(), Arc::default(), blobs).await
    }

    /// Reaches a host over SSH and starts the agent there, sending it when the host does not have it.
    ///
    /// # Errors
    /// The host cannot be reached, or the agent does not start.
    pub async fn ssh(options: &SshOptions, payload: &Payload, blobs: BlobStore) -> Result<Link, LinkError> {
        let connection = ssh::start_agent(options, payload).await?;
        let (closing, end) = (Arc::default(), Arc::default());
        let Ends { input, output } = Session::start(options, payload, connection, Arc::clone(&closing), Arc::clone(&end));
        Link::start(input, output, closing, end, blobs).await
    }

    /// Speaks over a pair of pipes. `closing` is set when their end is wanted; `end` says why they came to one.
    async fn start(
        input: impl AsyncWrite + Unpin + Send + 'static,
        output: impl AsyncRead + Unpin + Send + 'static,
        closing: Arc<AtomicBool>,
        end: Arc<OnceLock<String>>,
        blobs: BlobStore,
    ) -> Result<Link, LinkError> {
        let (outgoing, queue) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            outgoing,
            room: Arc::new(Semaphore::new(PIECES_UNDER_WAY)),
            state: Mutex::default(),
            blobs,
            closing,
            end,
            next_task: AtomicU64::new(1),
            next_channel: AtomicU32::new(DIRECT + 1),
        });
        let hello = shared.expect_hello(DIRECT);
        tokio::spawn(write(input, queue));
        let reader = shared.clone();
        tokio::spawn(async move {
            let why = reader.read(output).await;
            reader.close(DIRECT, &ChannelEnd::Because(why));
        });
        let hello = hello.await.unwrap_or_else(|_| Err(LinkError::Lost("the agent did not answer".into())))?;
        if hello.protocol != PROTOCOL {
            return Err(LinkError::Agent(format!("the agent speaks protocol {}, not {PROTOCOL}", hello.protocol)));
        }
        Ok(Link { shared, channel: DIRECT, hello: Arc::new(hello) })
    }

    /// Who the agent runs as.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// A link to an agent of another user on the same host.
    ///
    /// # Errors
    /// What the become program said.
    pub async fn become_user(&self, request: BecomeRequest) -> Result<Link, LinkError> {
        let channel = self.shared.next_channel.fetch_add(1, Ordering::Relaxed);
        let hello = self.shared.expect_hello(channel);
        self.send(&ToAgent::Become { channel, request })?;
        let hello = hello.await.unwrap_or_else(|_| Err(LinkError::Lost("the agent did not answer".into())))?;
        Ok(Link { shared: self.shared.clone(), channel, hello: Arc::new(hello) })
    }

    /// How many tasks have not been answered yet, whoever runs them behind the link.
    pub fn under_way(&self) -> usize {
        self.shared.lock().waiting.len()
    }

    /// Runs one task and waits for its reply. Tasks of one link run one after the other.
    ///
    /// # Errors
    /// The link was lost.
    pub async fn run(&self, request: TaskRequest, output: Option<OutputLine>) -> Result<TaskReply, LinkError> {
        self.ask(request, output)?.answer().await
    }

    /// Sends one task. Whoever drops the question unanswered ends the task.
    ///
    /// # Errors
    /// The link was lost.
    pub fn ask(&self, mut request: TaskRequest, output: Option<OutputLine>) -> Result<Asked, LinkError> {
        request.id = self.shared.next_task.fetch_add(1, Ordering::Relaxed);
        let id = request.id;
        let (reply, answer) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            if let Some(why) = state.closed.get(&self.channel).or_else(|| state.closed.get(&DIRECT)) {
                return Err(LinkError::Lost(why.clone()));
            }
            state.waiting.insert((self.channel, id), Waiting { reply, output });
        }
        self.offer(&request)?;
        let asked = Asked { link: self.clone(), id, answer: Some(answer) };
        self.send(&ToAgent::Task(Box::new(request)))?;
        Ok(asked)
    }

    /// Sends the content that a task announces along with it when it is small, once.
    fn offer(&self, request: &TaskRequest) -> Result<(), LinkError> {
        let Some(sha256) = request.args.text("content_hash") else { return Ok(()) };
        let Some(content) = self.shared.blobs.small(sha256) else { return Ok(()) };
        match self.shared.lock().offered.insert((self.channel, sha256.to_owned())) {
            true => self.send(&ToAgent::Offer { sha256: sha256.to_owned(), content: content.to_vec() }),
            false => Ok(()),
        }
    }

    /// Takes back what was sent ahead and has not begun.
    ///
    /// # Errors
    /// The link was lost.
    pub fn drop_ahead(&self) -> Result<(), LinkError> {
        self.send(&ToAgent::DropAhead)
    }

    /// Ends the agent, and waits a moment until it is gone: when all it was given is done, or, to `stop` it, at once.
    pub async fn end(&self, stop: bool) {
        self.shared.closing.store(true, Ordering::SeqCst);
        let last = if stop { ToAgent::Stop } else { ToAgent::Goodbye };
        // A link that is gone has taken its agent with it.
        self.shared.send(DIRECT, &last).unwrap_or_default();
        let is_over = async {
            while self.is_open() {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(END, is_over).await.unwrap_or_default();
    }

    /// Whether the link leads back to this machine and its files.
    pub fn is_here(&self) -> bool {
        self.hello.machine == this_machine()
    }

    /// Whether questions can still be asked.
    pub fn is_open(&self) -> bool {
        let state = self.shared.lock();
        !state.closed.contains_key(&self.channel) && !state.closed.contains_key(&DIRECT)
    }

    fn send(&self, message: &ToAgent) -> Result<(), LinkError> {
        self.shared.send(self.channel, message)
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expect_hello(&self, channel: u32) -> oneshot::Receiver<Result<Hello, LinkError>> {
        let (sender, receiver) = oneshot::channel();
        self.lock().hellos.insert(channel, sender);
        receiver
    }

    fn send(&self, channel: u32, message: &ToAgent) -> Result<(), LinkError> {
        self.send_in(channel, message, None)
    }

    /// Sends a message that takes room in the queue until it is written.
    fn send_in(&self, channel: u32, message: &ToAgent, room: Option<OwnedSemaphorePermit>) -> Result<(), LinkError> {
        // `Become` is obeyed by the agent that the link leads to.
        let direct = channel == DIRECT || matches!(message, ToAgent::Become { .. });
        let encoded = encode(message).and_then(|frame| match direct {
            true => Ok(frame),
            false => encode(&ToAgent::Relay { channel, frame }),
        });
        let frame = encoded.map_err(|error| LinkError::Lost(error.to_string()))?;
        self.outgoing.send((frame, room)).map_err(|_| LinkError::Lost("the link is closed".into()))
    }

    async fn read(self: &Arc<Self>, mut output: impl AsyncRead + Unpin) -> String {
        let mut decoder = Decoder::default();
        let mut relayed: HashMap<u32, Decoder> = HashMap::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match output.read(&mut buffer).await {
                Ok(0) => return self.end.get().cloned().unwrap_or_else(|| "the agent is gone".into()),
                Ok(count) => decoder.feed(&buffer[..count]),
                Err(error) => return error.to_string(),
            }
            loop {
                match decoder.message::<FromAgent>() {
                    Ok(Some(FromAgent::Relay { channel, frame })) => {
                        let inner = relayed.entry(channel).or_default();
                        inner.feed(&frame);
                        loop {
                            match inner.message::<FromAgent>() {
                                Ok(Some(message)) => self.take(channel, message),
                                Ok(None) => break,
                                Err(error) => return error.to_string(),
                            }
                        }
                    }
                    Ok(Some(message)) => self.take(DIRECT, message),
                    Ok(None) => break,
                    Err(error) => return error.to_string(),
                }
            }
        }
    }

    fn take(self: &Arc<Self>, channel: u32, message: FromAgent) {
        match message {
            FromAgent::Hello(hello) => {
                if let Some(waiting) = self.lock().hellos.remove(&channel) {
                    waiting.send(Ok(hello)).unwrap_or_default();
                }
            }
            FromAgent::Done(reply) => {
                let waiting = self.lock().waiting.remove(&(channel, reply.id));
                if let Some(waiting) = waiting {
                    // Whoever asked may have given up.
                    waiting.reply.send(Ok(*reply)).unwrap_or_default();
                }
            }
            FromAgent::Output { id, line } => {
                let output = self.lock().waiting.get(&(channel, id)).and_then(|waiting| waiting.output.clone());
                if let Some(output) = output {
                    output(&line);
                }
            }
            FromAgent::NeedBlob { sha256 } => {
                let shared = self.clone();
                tokio::spawn(async move { shared.give_blob(channel, sha256).await });
            }
            FromAgent::ChannelClosed { channel, why } => self.close(channel, &why),
            // Frames inside frames inside frames: nobody sends them.
            FromAgent::Relay { .. } => {}
        }
    }

    async fn give_blob(&self, channel: u32, sha256: String) {
        if let Err(why) = self.give_pieces(channel, &sha256).await {
            // A link that broke meanwhile is reported by its reader.
            self.send(channel, &ToAgent::NoBlob { sha256, why }).unwrap_or_default();
        }
    }

    /// One piece is read while the one before it is on its way: content is never in memory as a whole because of a slow link.
    async fn give_pieces(&self, channel: u32, sha256: &str) -> Result<(), String> {
        let mut pieces = self.blobs.open(sha256).await?;
        let mut piece = pieces.next().await?;
        loop {
            let following = if piece.is_empty() { Vec::new() } else { pieces.next().await? };
            let last = following.is_empty();
            let room = self.room.clone().acquire_owned().await.ok();
            let message = ToAgent::Blob { sha256: sha256.to_owned(), piece, last };
            self.send_in(channel, &message, room).map_err(|error| error.to_string())?;
            if last {
                return Ok(());
            }
            piece = following;
        }
    }

    fn close(&self, channel: u32, end: &ChannelEnd) {
        let (ChannelEnd::Because(why) | ChannelEnd::Silent(why)) = end;
        let mut state = self.lock();
        state.closed.insert(channel, why.clone());
        let concerns = |other: &u32| channel == DIRECT || *other == channel;
        let hellos: Vec<u32> = state.hellos.keys().copied().filter(concerns).collect();
        for key in hellos {
            if let Some(waiting) = state.hellos.remove(&key) {
                let error = match (channel, end) {
                    (DIRECT, _) => LinkError::Lost(why.clone()),
                    (_, ChannelEnd::Because(_)) => LinkError::Become(why.clone()),
                    (_, ChannelEnd::Silent(_)) => LinkError::Silent(why.clone()),
                };
                waiting.send(Err(error)).unwrap_or_default();
            }
        }
        let tasks: Vec<(u32, u64)> = state.waiting.keys().copied().filter(|(other, _)| concerns(other)).collect();
        for key in tasks {
            if let Some(waiting) = state.waiting.remove(&key) {
                waiting.reply.send(Err(LinkError::Lost(why.to_owned()))).unwrap_or_default();
            }
        }
    }
}

async fn write(mut input: impl AsyncWrite + Unpin, mut queue: mpsc::UnboundedReceiver<Outgoing>) {
    while let Some((frame, _room)) = queue.recv().await {
        // A broken pipe is reported by the reader, which knows more.
        if input.write_all(&frame).await.is_err() || input.flush().await.is_err() {
            return;
        }
    }
}
