//! `become`: the agent starts itself again as another user and passes frames to and fro. A password is written to the program that asks for
//! it, never to its arguments.

use std::collections::HashMap;
use std::io::Write;
use std::process::ChildStdin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::system::running::note_helper;
use crate::wire::{BecomeRequest, ChannelEnd, FromAgent, ToAgent, encode};

use super::escalation::{Heard, Started, start};
use super::outbox::Outbox;

/// As long is an agent that is told to go waited for.
const FAREWELL: Duration = Duration::from_secs(5);

/// The agents behind this one.
pub struct Channels {
    outbox: Outbox,
    inputs: HashMap<u32, Arc<Mutex<Input>>>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

/// The stdin of an agent; frames that come before it has started wait.
#[derive(Default)]
struct Input {
    pipe: Option<ChildStdin>,
    waiting: Vec<u8>,
}

impl Input {
    fn write(&mut self, bytes: &[u8]) {
        match &mut self.pipe {
            // A pipe that is closed is reported by the thread that reads the other one.
            Some(pipe) => pipe.write_all(bytes).and_then(|()| pipe.flush()).unwrap_or_default(),
            None => self.waiting.extend_from_slice(bytes),
        }
    }
}

impl Channels {
    pub fn new(outbox: Outbox) -> Self {
        Channels { outbox, inputs: HashMap::new(), threads: Vec::new() }
    }

    /// Starts an agent as another user. What goes wrong is told as `ChannelClosed`.
    pub fn open(&mut self, channel: u32, request: BecomeRequest) {
        let input = Arc::new(Mutex::new(Input::default()));
        self.inputs.insert(channel, input.clone());
        let outbox = self.outbox.clone();
        let thread = std::thread::spawn(move || {
            // Whoever removes the user waits until this is dropped: the agent is gone then, and its end is told.
            let (_alive, gone) = std::sync::mpsc::channel::<()>();
            let why = match start(&request) {
                Ok(started) => {
                    let own = input.clone();
                    note_helper(&request.user, move || {
                        lock(&own).pipe = None;
                        // Only its end ends the wait: nothing is ever sent.
                        gone.recv_timeout(FAREWELL).unwrap_or_default();
                    });
                    serve_channel(channel, started, &input, &outbox)
                }
                Err(why) => why,
            };
            outbox.send(&FromAgent::ChannelClosed { channel, why });
        });
        self.threads.push(thread);
    }

    /// Tells all agents the last thing that they are told, and waits until they have ended.
    pub fn finish(self, last: &ToAgent) {
        if let Ok(frame) = encode(last) {
            self.inputs.values().for_each(|input| input.lock().unwrap_or_else(PoisonError::into_inner).write(&frame));
        }
        for thread in self.threads {
            // One that broke down has ended too.
            thread.join().unwrap_or_default();
        }
    }

    pub fn relay(&mut self, channel: u32, frame: &[u8]) {
        if let Some(input) = self.inputs.get(&channel) {
            lock(input).write(frame);
        }
    }
}

fn lock(input: &Mutex<Input>) -> std::sync::MutexGuard<'_, Input> {
    input.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve_channel(channel: u32, started: Started, input: &Mutex<Input>, outbox: &Outbox) -> ChannelEnd {
    let Started { mut child, input: pipe, heard, first } = started;
    {
        let mut input = lock(input);
        let waiting = std::mem::take(&mut input.waiting);
        input.pipe = Some(pipe);
        input.write(&waiting);
    }
    if !first.is_empty() {
        outbox.send(&FromAgent::Relay { channel, frame: first });
    }
    for heard in heard {
        match heard {
            Heard::Output(frame) => outbox.send(&FromAgent::Relay { channel, frame }),
            Heard::Errors(_) => {}
            Heard::OutputEnded => break,
        }
    }
    ChannelEnd::Because(match child.wait() {
        Ok(status) => format!("the agent ended: {status}"),
        Err(error) => error.to_string(),
    })
}
