//! Messages to bytes and back. Lengths are checked before anything is allocated: the other end may be hostile.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::session::Control;

/// No frame is longer, packed or unpacked.
pub const LARGEST_FRAME: usize = 64 * 1024 * 1024;

/// Bodies longer than this are compressed.
const COMPRESS_FROM: usize = 4 * 1024;

const HEADER: usize = 5;
const COMPRESSED: u8 = 1;
/// The frame is about the link itself.
const CONTROL: u8 = 2;

#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    #[error("a frame of {0} bytes is longer than the {LARGEST_FRAME} allowed")]
    TooLong(usize),
    #[error("a frame has flags {0:#x} that nobody knows")]
    UnknownFlags(u8),
    #[error("a frame cannot be unpacked: {0}")]
    Compression(std::io::Error),
    #[error("a message cannot be read: {0}")]
    Decode(#[from] rmp_serde::decode::Error),
    #[error("a message cannot be written: {0}")]
    Encode(#[from] rmp_serde::encode::Error),
}

/// A message as a frame.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, CodecError> {
    encode_as(0, message)
}

/// What is said about the link itself, as a frame.
pub fn encode_control(control: &Control) -> Result<Vec<u8>, CodecError> {
    encode_as(CONTROL, control)
}

/// A whole frame, not looked into.
pub struct Frame {
    pub bytes: Vec<u8>,
}

impl Frame {
    /// What it says about the link itself; `None`: it is a message.
    pub fn control(&self) -> Result<Option<Control>, CodecError> {
        match self.bytes.get(HEADER - 1) {
            Some(flags) if flags & CONTROL != 0 => Ok(Some(rmp_serde::from_slice(&self.bytes[HEADER..])?)),
            _ => Ok(None),
        }
    }
}

fn encode_as<T: Serialize>(kind: u8, message: &T) -> Result<Vec<u8>, CodecError> {
    let body = rmp_serde::to_vec_named(message)?;
    let (flags, body) = match body.len() > COMPRESS_FROM {
        true => (COMPRESSED, zstd::bulk::compress(&body, 1).map_err(CodecError::Compression)?),
        false => (0, body),
    };
    if body.len() > LARGEST_FRAME {
        return Err(CodecError::TooLong(body.len()));
    }
    let mut frame = Vec::with_capacity(HEADER + body.len());
    frame.extend_from_slice(&(body.len() as u32).to_be_bytes());
    frame.push(flags | kind);
    frame.extend_from_slice(&body);
    Ok(frame)
}

/// Collects bytes as they come and gives messages as they are complete.
#[derive(Default)]
pub struct Decoder {
    buffer: Vec<u8>,
}

impl Decoder {
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message, when all of it is here.
    pub fn message<T: DeserializeOwned>(&mut self) -> Result<Option<T>, CodecError> {
        let Some(Frame { bytes }) = self.frame()? else { return Ok(None) };
        let body = &bytes[HEADER..];
        match bytes[HEADER - 1] & COMPRESSED {
            0 => Ok(Some(rmp_serde::from_slice(body)?)),
            _ => Ok(Some(rmp_serde::from_slice(&zstd::bulk::decompress(body, LARGEST_FRAME).map_err(CodecError::Compression)?)?)),
        }
    }

    /// The next frame, when all of it is here.
    pub fn frame(&mut self) -> Result<Option<Frame>, CodecError> {
        let Some(header) = self.buffer.first_chunk::<HEADER>() else { return Ok(None) };
        let [a, b, c, d, flags] = *header;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > LARGEST_FRAME {
            return Err(CodecError::TooLong(length));
        }
        if flags & !(COMPRESSED | CONTROL) != 0 {
            return Err(CodecError::UnknownFlags(flags));
        }
        if self.buffer.len() < HEADER + length {
            return Ok(None);
        }
        Ok(Some(Frame { bytes: self.buffer.drain(..HEADER + length).collect() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Value;
    use crate::wire::{FromAgent, TaskReply, TaskRequest, ToAgent};

    #[test]
    fn messages_survive_in_pieces_of_one_byte() {
        let long = "x".repeat(10_000);
        let request = TaskRequest {
            id: 7,
            module: "ansible.builtin.copy".into(),
            args: [("content", Value::from(long)), ("none", Value::Null)].into_iter().collect(),
            ..TaskRequest::default()
        };
        let sent = [ToAgent::Task(Box::new(request)), ToAgent::Blob { sha256: "ab".into(), piece: vec![0, 255], last: true }];
        let bytes: Vec<u8> = sent.iter().flat_map(|message| encode(message).expect("encodes")).collect();
        let (mut decoder, mut received) = (Decoder::default(), Vec::new());
        for byte in bytes {
            decoder.feed(&[byte]);
            while let Some(message) = decoder.message::<ToAgent>().expect("decodes") {
                received.push(message);
            }
        }
        assert_eq!(received, sent);
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_it_is_believed() {
        let mut decoder = Decoder::default();
        decoder.feed(&[0xff, 0xff, 0xff, 0xff, 0]);
        assert!(matches!(decoder.message::<FromAgent>(), Err(CodecError::TooLong(_))));
    }

    #[test]
    fn a_bomb_is_refused() {
        let bomb = zstd::bulk::compress(&vec![0u8; LARGEST_FRAME + 1], 1).expect("compresses");
        let mut frame = (bomb.len() as u32).to_be_bytes().to_vec();
        frame.push(COMPRESSED);
        frame.extend(bomb);
        let mut decoder = Decoder::default();
        decoder.feed(&frame);
        assert!(matches!(decoder.message::<FromAgent>(), Err(CodecError::Compression(_))));
    }

    #[test]
    fn junk_is_an_error_and_no_panic() {
        let mut decoder = Decoder::default();
        decoder.feed(&[0, 0, 0, 3, 0, 0xc1, 0xc1, 0xc1]);
        assert!(decoder.message::<FromAgent>().is_err());
        let reply = FromAgent::Done(Box::new(TaskReply { id: 1, ..TaskReply::default() }));
        decoder.feed(&encode(&reply).expect("encodes"));
        assert_eq!(decoder.message::<FromAgent>().expect("decodes"), Some(reply));
    }
}
