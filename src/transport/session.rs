//! A link that outlives its connection: frames go over whatever connection is there. When one is lost, the host is connected to again, and both
//! ends go on with the first frame that did not arrive.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::wire::{CodecError, Control, Decoder, SentFrames, TELL_AFTER, encode_control};

use super::error::LinkError;
use super::payload::Payload;
use super::ssh::{self, Guard, SshOptions};

/// For so long a lost host is tried again; its agent waits a little longer.
const TRIES: Duration = Duration::from_secs(60);

/// So much may be on its way that the agent has not said it has; it says so after each [`TELL_AFTER`] frames, none larger than a piece of content.
const MOST_UNDER_WAY: usize = 64 * 1024 * 1024;

/// A connection to the agent.
pub struct Connection {
    pub input: openssh::ChildStdin,
    pub output: openssh::ChildStdout,
    pub guard: Guard,
}

/// One link over several connections.
pub struct Session {
    options: SshOptions,
    payload: Payload,
    /// Set when the link is being ended: an end of the connection is no loss then.
    closing: Arc<AtomicBool>,
    /// Is told why the link comes to its end.
    end: Arc<OnceLock<String>>,
    sent: SentFrames,
    received: u64,
    /// How many of them the agent has been told of.
    told: u64,
    /// Where the agent can be found again; `None`: it ends with its connection.
    token: Option<String>,
}

/// What became of a connection.
enum End {
    /// Nobody needs the link any more.
    Unneeded,
    Lost,
}

/// The link's own end of a session.
pub struct Ends {
    pub input: WriteHalf<DuplexStream>,
    pub output: ReadHalf<DuplexStream>,
}

impl Session {
    /// Carries frames between the link and the first connection, and those after it.
    pub fn start(
        options: &SshOptions,
        payload: &Payload,
        connection: Connection,
        closing: Arc<AtomicBool>,
        end: Arc<OnceLock<String>>,
    ) -> Ends {
        let (near, far) = tokio::io::duplex(256 * 1024);
        let session = Session {
            options: options.clone(),
            payload: payload.clone(),
            closing,
            end,
            sent: SentFrames::default(),
            received: 0,
            told: 0,
            token: None,
        };
        tokio::spawn(session.run(connection, far));
        let (output, input) = tokio::io::split(near);
        Ends { input, output }
    }

    async fn run(mut self, mut connection: Connection, link: DuplexStream) {
        let (mut from_link, mut to_link) = tokio::io::split(link);
        let mut outgoing = Decoder::default();
        let mut incoming = Decoder::default();
        let why = loop {
            let Connection { input, output, guard } = connection;
            let end = self.carry(input, output, &mut incoming, (&mut from_link, &mut to_link), &mut outgoing).await;
            drop(guard);
            match end {
                Ok(End::Lost) if !self.closing.load(Ordering::SeqCst) => {}
                Ok(_) => return,
                Err(error) => break error.to_string(),
            }
            match self.reconnect().await {
                Ok((again, decoder)) => (connection, incoming) = (again, decoder),
                Err(why) => break why,
            }
        };
        // It is told once, and read when the link's pipes end, which is with this function.
        self.end.set(why).unwrap_or_default();
    }

    /// Until the connection is lost, or the link is.
    async fn carry(
        &mut self,
        input: impl AsyncWrite + Unpin + Send + 'static,
        mut output: impl AsyncRead + Unpin,
        incoming: &mut Decoder,
        (from_link, to_link): (&mut ReadHalf<DuplexStream>, &mut WriteHalf<DuplexStream>),
        outgoing: &mut Decoder,
    ) -> Result<End, CodecError> {
        let (queue, frames) = mpsc::unbounded_channel();
        tokio::spawn(write(input, frames));
        let mut next = self.sent_to_resend();
        while let Some(frame) = self.sent.after(next) {
            queue.send(frame.to_vec()).unwrap_or_default();
            next += 1;
        }
        let (mut from_host, mut from_here) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
        loop {
            while let Some(frame) = incoming.frame()? {
                match frame.control()? {
                    Some(Control::Received { frames }) => self.sent.drop_first(frames),
                    Some(Control::Attached { token, .. }) => self.token = Some(token),
                    Some(Control::Attach { .. }) => {}
                    None => {
                        self.received += 1;
                        if to_link.write_all(&frame.bytes).await.is_err() {
                            return Ok(End::Unneeded);
                        }
                    }
                }
            }
            if self.token.is_some() && self.received >= self.told + TELL_AFTER {
                self.told = self.received;
                queue.send(encode_control(&Control::Received { frames: self.received })?).unwrap_or_default();
            }
            tokio::select! {
                read = output.read(&mut from_host) => match read {
                    Ok(0) | Err(_) => return Ok(End::Lost),
                    Ok(count) => incoming.feed(&from_host[..count]),
                },
                read = from_link.read(&mut from_here), if self.sent.bytes() < MOST_UNDER_WAY => match read {
                    Ok(0) | Err(_) => return Ok(End::Unneeded),
                    Ok(count) => {
                        outgoing.feed(&from_here[..count]);
                        while let Some(frame) = outgoing.frame()? {
                            self.sent.push(&frame.bytes);
                            queue.send(frame.bytes).unwrap_or_default();
                        }
                    }
                },
            }
        }
    }

    /// The first frame that the agent does not have: before the first connection nothing was sent, after others it has said so.
    fn sent_to_resend(&self) -> u64 {
        self.sent.count() - self.sent.kept()
    }

    /// Tries to find the agent again, for a time; an error says why it was not found.
    async fn reconnect(&mut self) -> Result<(Connection, Decoder), String> {
        let Some(token) = self.token.clone() else { return Err("the agent is gone".into()) };
        let end = Instant::now() + TRIES;
        let mut pause = Duration::from_millis(100);
        loop {
            let why = match ssh::attach_agent(&self.options, &self.payload, &token).await {
                Ok(connection) => match self.attach(connection).await {
                    Some(attached) => return Ok(attached),
                    None => "the agent does not go on with this run".into(),
                },
                Err(error @ LinkError::Gone) => return Err(error.to_string()),
                Err(error) => error.to_string(),
            };
            if Instant::now() >= end || self.closing.load(Ordering::SeqCst) {
                return Err(format!("{why} (tried for {} s)", TRIES.as_secs()));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    /// Tells the agent what has arrived, and hears what has there.
    async fn attach(&mut self, mut connection: Connection) -> Option<(Connection, Decoder)> {
        let hello = encode_control(&Control::Attach { received: self.received }).ok()?;
        connection.input.write_all(&hello).await.ok()?;
        connection.input.flush().await.ok()?;
        let (mut decoder, mut buffer) = (Decoder::default(), vec![0; 64 * 1024]);
        loop {
            if let Some(frame) = decoder.frame().ok()? {
                let Ok(Some(Control::Attached { received, .. })) = frame.control() else { return None };
                if !self.sent.can_go_on_after(received) {
                    return None;
                }
                self.sent.drop_first(received);
                return Some((connection, decoder));
            }
            match connection.output.read(&mut buffer).await {
                Ok(count @ 1..) => decoder.feed(&buffer[..count]),
                _ => return None,
            }
        }
    }
}

async fn write(mut input: impl AsyncWrite + Unpin, mut queue: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(frame) = queue.recv().await {
        // A connection that is gone is noticed by whoever reads from it.
        if input.write_all(&frame).await.is_err() || input.flush().await.is_err() {
            return;
        }
    }
}
