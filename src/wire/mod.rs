//! What controller and agent say to each other: messages and how they become bytes. A pure codec: no socket, no file, no thread.
//! A frame is a length (4 bytes, big-endian), a flag byte and a MessagePack body, compressed over 4 KiB.

pub mod bootstrap;
mod codec;
mod messages;
mod session;

pub use codec::{CodecError, Decoder, Frame, LARGEST_FRAME, encode, encode_control};
pub use messages::{BecomeMethod, BecomeRequest, ChannelEnd, FromAgent, Hello, TaskReply, TaskRequest, ToAgent};
pub use session::{Control, SentFrames, TELL_AFTER};

/// Both ends must speak exactly this: the agent is sent by the controller, so there is never another version to talk to.
pub const PROTOCOL: u32 = 2;
