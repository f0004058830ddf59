//! Text in encodings other than UTF-8, under the names that Python gives them. The common ones are read here; the rest is `iconv`'s.

use super::System;
use super::command::Command;
use super::error::Result;

/// What bytes are as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    Text(String),
    /// They are no text in this encoding.
    Invalid,
    /// Nobody here knows the encoding.
    UnknownEncoding,
}

/// The characters of windows-1252 from 0x80 to 0x9F; five of them are not assigned.
const WINDOWS_1252: [Option<char>; 32] = [
    Some('€'),
    None,
    Some('‚'),
    Some('ƒ'),
    Some('„'),
    Some('…'),
    Some('†'),
    Some('‡'),
    Some('ˆ'),
    Some('‰'),
    Some('Š'),
    Some('‹'),
    Some('Œ'),
    None,
    Some('Ž'),
    None,
    None,
    Some('‘'),
    Some('’'),
    Some('“'),
    Some('”'),
    Some('•'),
    Some('–'),
    Some('—'),
    Some('˜'),
    Some('™'),
    Some('š'),
    Some('›'),
    Some('œ'),
    None,
    Some('ž'),
    Some('Ÿ'),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Utf8,
    Ascii,
    Latin1,
    Windows1252,
}

/// An encoding by any of its names: case, dashes and underscores make no difference.
fn known(name: &str) -> Option<Known> {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    Some(match plain.as_str() {
        "utf8" | "u8" | "utf" | "cp65001" => Known::Utf8,
        "ascii" | "usascii" | "646" => Known::Ascii,
        "latin1" | "latin" | "l1" | "iso88591" | "88591" | "cp819" => Known::Latin1,
        "cp1252" | "windows1252" | "1252" => Known::Windows1252,
        _ => return None,
    })
}

fn character(byte: u8, encoding: Known) -> Option<char> {
    match (encoding, byte) {
        (_, 0..=0x7F) => Some(char::from(byte)),
        (Known::Windows1252, 0x80..=0x9F) => WINDOWS_1252[usize::from(byte - 0x80)],
        (Known::Latin1 | Known::Windows1252, _) => Some(char::from(byte)),
        (Known::Ascii | Known::Utf8, _) => None,
    }
}

fn byte(c: char, encoding: Known) -> Option<u8> {
    match (encoding, u32::from(c)) {
        (_, code @ 0..=0x7F) => Some(code as u8),
        (Known::Latin1, code @ 0x80..=0xFF) | (Known::Windows1252, code @ 0xA0..=0xFF) => Some(code as u8),
        (Known::Windows1252, _) => WINDOWS_1252.iter().position(|known| *known == Some(c)).map(|at| at as u8 + 0x80),
        _ => None,
    }
}

/// Asks `iconv`, which is on every Debian.
fn iconv(sys: &System, from: &str, to: &str, bytes: &[u8]) -> Result<Option<Vec<u8>>> {
    let command = Command::new("iconv").arg("-f").arg(from).arg("-t").arg(to).env("LC_ALL", "C").stdin(bytes);
    let done = sys.query_command(command)?;
    Ok(done.ok().then_some(done.stdout))
}

fn iconv_knows(sys: &System, name: &str) -> Result<bool> {
    Ok(iconv(sys, name, "UTF-8", b"")?.is_some())
}

impl System {
    /// Bytes as text in the encoding of this name.
    ///
    /// # Errors
    /// The encoding is none of the common ones and `iconv` is not on this host.
    pub fn decode(&self, encoding: &str, bytes: &[u8]) -> Result<Decoded> {
        let text = match known(encoding) {
            Some(Known::Utf8) => std::str::from_utf8(bytes).ok().map(str::to_owned),
            Some(known) => bytes.iter().map(|byte| character(*byte, known)).collect(),
            None if !iconv_knows(self, encoding)? => return Ok(Decoded::UnknownEncoding),
            None => iconv(self, encoding, "UTF-8", bytes)?.and_then(|bytes| String::from_utf8(bytes).ok()),
        };
        Ok(text.map_or(Decoded::Invalid, Decoded::Text))
    }

    /// Text as bytes in the encoding of this name; `None`: it cannot be written in it, or nobody knows it.
    ///
    /// # Errors
    /// As for `decode`.
    pub fn encode(&self, encoding: &str, text: &str) -> Result<Option<Vec<u8>>> {
        match known(encoding) {
            Some(Known::Utf8) => Ok(Some(text.as_bytes().to_vec())),
            Some(known) => Ok(text.chars().map(|c| byte(c, known)).collect()),
            None => iconv(self, "UTF-8", encoding, text.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{Completed, Overlay};

    fn sys() -> System {
        System::dry(Overlay::empty().answer(|command| {
            let words = command.argv_text();
            let done = |rc, stdout: &[u8]| Some(Completed { rc, stdout: stdout.to_vec(), ..Completed::default() });
            match (words[0].as_str(), words[2].as_str(), command.stdin.as_deref()) {
                ("iconv", "gbk", Some(b"")) => done(0, b""),
                ("iconv", "gbk", Some(b"\xc4\xe3")) => done(0, "你".as_bytes()),
                ("iconv", _, _) => done(1, b""),
                _ => None,
            }
        }))
    }

    #[test]
    fn the_common_encodings_are_read_and_written_here() {
        let sys = sys();
        assert_eq!(sys.decode("windows-1252", b"\x80 caf\xe9").ok(), Some(Decoded::Text("€ café".into())));
        assert_eq!(sys.encode("Windows_1252", "€ café").ok().flatten(), Some(b"\x80 caf\xe9".to_vec()));
        assert_eq!(sys.decode("ISO-8859-1", b"\xe9").ok(), Some(Decoded::Text("é".into())));
        assert_eq!(sys.decode("utf-8", b"\xe9").ok(), Some(Decoded::Invalid));
        assert_eq!(sys.encode("latin-1", "€").ok(), Some(None));
    }

    #[test]
    fn other_encodings_are_asked_of_iconv() {
        let sys = sys();
        assert_eq!(sys.decode("gbk", b"\xc4\xe3").ok(), Some(Decoded::Text("你".into())));
        assert_eq!(sys.decode("gbk", b"\xff").ok(), Some(Decoded::Invalid));
        assert_eq!(sys.decode("no-such", b"x").ok(), Some(Decoded::UnknownEncoding));
    }
}
