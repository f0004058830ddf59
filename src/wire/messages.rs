//! The messages. The agent obeys nothing else.

use serde::{Deserialize, Serialize};

use crate::base::{Map, Value};

/// Who speaks, first of all on every channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    pub protocol: u32,
    /// Who the agent runs as, and where it starts.
    pub user: String,
    pub uid: u32,
    pub home: String,
    /// What tells this machine and its view of files from any other.
    pub machine: String,
}

/// From controller to agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToAgent {
    Task(Box<TaskRequest>),
    /// A piece of content the agent asked for, in order; the last one says so.
    Blob {
        sha256: String,
        #[serde(with = "bytes")]
        piece: Vec<u8>,
        last: bool,
    },
    /// Content that a task to come may want: kept, so that it need not be asked for.
    Offer {
        sha256: String,
        #[serde(with = "bytes")]
        content: Vec<u8>,
    },
    /// The controller cannot give it.
    NoBlob {
        sha256: String,
        why: String,
    },
    /// Ends the task that runs, if it is this one, with its process group. Tasks sent ahead that have not begun are dropped.
    Cancel {
        id: u64,
    },
    /// Tasks sent ahead that have not begun are dropped.
    DropAhead,
    /// Starts the agent again as another user, reached from then on through `Relay` with this channel number.
    Become {
        channel: u32,
        request: BecomeRequest,
    },
    /// A frame for the agent behind that channel.
    Relay {
        channel: u32,
        #[serde(with = "bytes")]
        frame: Vec<u8>,
    },
    /// Nothing more will come: finish and go.
    Goodbye,
    /// The run was interrupted: end what runs, and go.
    Stop,
    /// No controller is there any more: finish the task that runs, begin no other, and go.
    Retire,
}

/// From agent to controller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FromAgent {
    Hello(Hello),
    NeedBlob {
        sha256: String,
    },
    /// A line that a running task wrote.
    Output {
        id: u64,
        line: String,
    },
    Done(Box<TaskReply>),
    /// The agent behind a channel could not be started, or is gone.
    ChannelClosed {
        channel: u32,
        why: ChannelEnd,
    },
    Relay {
        channel: u32,
        #[serde(with = "bytes")]
        frame: Vec<u8>,
    },
}

/// One task for one host, rendered: plain data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskRequest {
    pub id: u64,
    /// Full module name.
    pub module: String,
    pub args: Map,
    pub check: bool,
    /// Check mode of the whole run: what this task would change is believed by the tasks after it. A single task in check mode leaves no
    /// trace for the others, which run for real.
    pub plan: bool,
    pub diff: bool,
    pub environment: Vec<(String, String)>,
    /// Seconds after which the task is ended.
    pub timeout: Option<u64>,
    /// A program that the task itself asks to be run by: the module does without it, and it must be there all the same.
    pub interpreter: Option<String>,
    /// `async`: the task runs on as a job that leaves its result in this folder.
    pub job: Option<String>,
    /// The task before it, when it was sent before that one was done: dropped unless that one goes well.
    pub after: Option<u64>,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskReply {
    pub id: u64,
    pub changed: bool,
    pub failed: bool,
    pub skipped: bool,
    /// Dropped unrun, because a task before it did not go well.
    pub dropped: bool,
    /// Return values, with `msg` among them.
    pub values: Map,
    pub facts: Map,
    pub diffs: Vec<Value>,
    pub warnings: Vec<String>,
    /// The option that was at fault.
    pub option: Option<String>,
    pub milliseconds: u64,
}

impl TaskReply {
    /// Whether the task did what it should, by the agent's word; commands of the user's own say it among their values.
    pub fn went_well(&self) -> bool {
        !self.failed && !self.dropped && self.values.get("failed") != Some(&Value::Bool(true))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BecomeMethod {
    Sudo,
    Su,
    Doas,
    Runuser,
}

/// Why there is no agent behind a channel (any more).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChannelEnd {
    /// It was refused, or it ended; in words.
    Because(String),
    /// The become program neither asked for a password nor became the user in time; what it had said by then.
    Silent(String),
}

/// How to become whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BecomeRequest {
    pub method: BecomeMethod,
    pub user: String,
    /// The program, when it is not the method's own name.
    pub program: Option<String>,
    /// Words for it, before those that name the user.
    pub flags: Vec<String>,
    /// Answers its question for a password; travels inside SSH only and is written to the program's stdin.
    pub password: Option<String>,
    /// What `su` asks with, without the colon; empty: as it asks in the languages known.
    pub prompts: Vec<String>,
    /// The folder it is started in; else the agent's own.
    pub chdir: Option<String>,
    /// Seconds that it may be silent before it asks or has become the user.
    pub patience: u64,
}

/// `Vec<u8>` as MessagePack bytes instead of a list of numbers.
mod bytes {
    use serde::de::{Deserializer, Error, Visitor};
    use serde::ser::Serializer;

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    struct Bytes;

    impl Visitor<'_> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("bytes")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        deserializer.deserialize_bytes(Bytes)
    }
}
