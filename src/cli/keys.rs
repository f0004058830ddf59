//! Single keys of the terminal: what `pause` reads while its time runs.

use std::io::{self, Read, Write};
use std::time::Instant;

use rustix::termios::{OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use crate::engine::request::{Keys, Typed};

const CTRL_C: u8 = 3;
/// Moves the cursor to the line's start and clears the line.
const CLEAR_LINE: &[u8] = b"\x1b[\r\x1b[K";

/// The terminal passes on every key while this lives.
struct Raw {
    before: Termios,
}

impl Raw {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        // Reading ends by itself after a tenth of a second without a key.
        raw.special_codes[SpecialCodeIndex::VMIN] = 0;
        raw.special_codes[SpecialCodeIndex::VTIME] = 1;
        tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?;
        Ok(Raw { before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // The terminal may be gone; then nobody minds.
        tcsetattr(io::stdin(), OptionalActions::Drain, &self.before).unwrap_or_default();
    }
}

/// Reads keys until one of them, or the time, ends it.
///
/// # Errors
/// The terminal cannot be read.
pub fn read(keys: &Keys) -> io::Result<Typed> {
    let raw = Raw::begin()?;
    let begun = Instant::now();
    let mut text = Vec::new();
    let mut stdout = io::stdout().lock();
    while keys.limit.is_none_or(|limit| begun.elapsed() < limit) {
        let mut key = [0];
        if io::stdin().lock().read(&mut key)? == 0 {
            continue;
        }
        let key = key[0];
        let lower = key.to_ascii_lowercase();
        if keys.interrupt.map_or(key == CTRL_C, |interrupt| lower == interrupt) {
            stdout.write_all(CLEAR_LINE)?;
            stdout.flush()?;
            return Ok(Typed::Interrupted);
        }
        if keys.ends.as_ref().map_or(matches!(key, b'\r' | b'\n'), |ends| ends.contains(&lower)) {
            stdout.write_all(CLEAR_LINE)?;
            stdout.flush()?;
            break;
        }
        if matches!(key, 8 | 127) {
            text.pop();
            stdout.write_all(CLEAR_LINE)?;
            if keys.echo {
                stdout.write_all(&text)?;
            }
        } else {
            text.push(key);
            if keys.echo {
                stdout.write_all(&[key])?;
            }
        }
        stdout.flush()?;
    }
    drop(raw);
    Ok(Typed::Text(String::from_utf8_lossy(&text).into_owned()))
}
