//! Questions on the terminal.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::base::{Diagnostic, Secret};
use crate::engine::request::{Console, Keys, Typed};
use crate::report::terminal::Pause;

/// The terminal of this process.
#[derive(Debug, Default)]
pub struct Terminal {
    /// Takes a moving report off the screen while a question is there.
    pub pause: Option<Pause>,
}

impl Console for Terminal {
    fn is_interactive(&self) -> bool {
        io::stdin().is_terminal()
    }

    fn ask(&self, question: &str, private: bool) -> io::Result<Option<String>> {
        let ask = || if private { password(question).map(|secret| Some(secret.expose().to_owned())) } else { visible(question) };
        self.alone(ask)
    }

    fn keys(&self, keys: &Keys) -> io::Result<Typed> {
        self.alone(|| super::keys::read(keys))
    }
}

impl Terminal {
    fn alone<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.pause {
            Some(pause) => pause.during(work),
            None => work(),
        }
    }
}

/// Asks for a line that is shown while it is typed.
fn visible(question: &str) -> io::Result<Option<String>> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(question.as_bytes())?;
    stdout.flush()?;
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line)?;
    Ok((read > 0).then(|| line.trim_end_matches(['\n', '\r']).to_owned()))
}

/// Asks for a text that is not shown: on the controlling terminal, else a line of standard input.
///
/// # Errors
/// Nothing can be read.
pub fn password(question: &str) -> io::Result<Secret> {
    match OpenOptions::new().read(true).write(true).open("/dev/tty") {
        Ok(terminal) => hidden(&terminal, question),
        Err(_) => {
            io::stderr().write_all(question.as_bytes())?;
            read_secret(&mut io::stdin().lock())
        }
    }
}

/// [`password`], with words for people.
///
/// # Errors
/// Nothing can be read.
pub fn password_for(question: &str) -> Result<Secret, Diagnostic> {
    password(question).map_err(|error| Diagnostic::error(format!("the answer to `{}` cannot be read: {error}", question.trim())))
}

fn hidden(terminal: &File, question: &str) -> io::Result<Secret> {
    let mut output = terminal;
    output.write_all(question.as_bytes())?;
    let before = tcgetattr(terminal)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(terminal, OptionalActions::Flush, &silent)?;
    let answer = read_secret(&mut BufReader::new(terminal));
    tcsetattr(terminal, OptionalActions::Flush, &before)?;
    output.write_all(b"\n")?;
    answer
}

fn read_secret(input: &mut dyn Read) -> io::Result<Secret> {
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    let mut byte = [0u8];
    while input.read(&mut byte)? == 1 && byte[0] != b'\n' {
        bytes.push(byte[0]);
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))?;
    Ok(Secret::new(text.trim_end_matches('\r')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_line() {
        assert_eq!(read_secret(&mut &b"hunter22\r\nrest"[..]).expect("reads").expose(), "hunter22");
        assert_eq!(read_secret(&mut &b""[..]).expect("reads").expose(), "");
    }
}
