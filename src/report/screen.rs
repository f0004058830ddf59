//! The two streams that text goes to, and Ansible's colours.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

/// What a text means, and so its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    Ok,
    Changed,
    Skipped,
    Failed,
    Unreachable,
    Included,
    Warning,
    Deprecation,
    Verbose,
    Debug,
    Added,
    Removed,
    Lines,
}

impl Color {
    /// The parameters of the escape sequence: the defaults of Ansible's `COLOR_*`.
    fn code(self) -> &'static str {
        match self {
            Color::Ok | Color::Added => "0;32",
            Color::Changed => "0;33",
            Color::Skipped | Color::Included | Color::Lines => "0;36",
            Color::Failed | Color::Removed => "0;31",
            Color::Unreachable => "1;31",
            Color::Warning => "1;35",
            Color::Deprecation => "0;35",
            Color::Verbose => "0;34",
            Color::Debug => "1;30",
        }
    }
}

/// Standard output and standard error, or stand-ins for them.
pub struct Screen {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    log: Option<Log>,
    pub colored: bool,
    failed: bool,
}

/// A copy of the output for `log_path`, each text with the time, the process and the user before it, as Ansible's.
pub struct Log {
    file: Box<dyn Write + Send>,
    user: String,
}

impl Log {
    pub fn new(file: Box<dyn Write + Send>, user: String) -> Self {
        Log { file, user }
    }

    fn write(&mut self, text: &str, color: Option<Color>) -> io::Result<()> {
        let time = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S,%3f").to_string();
        let level = match color {
            Some(Color::Failed | Color::Removed) => "ERROR",
            Some(Color::Warning) => "WARNING",
            Some(Color::Debug) => "DEBUG",
            _ => "INFO",
        };
        writeln!(self.file, "{time} p={} u={} n=ansible {level}| {}", std::process::id(), self.user, text.trim_start_matches('\n'))?;
        self.file.flush()
    }
}

/// Text that was written, for whoever wants it back.
#[derive(Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Screen {
    pub fn standard(colored: bool) -> Self {
        Screen { out: Box::new(io::stdout()), err: Box::new(io::stderr()), log: None, colored, failed: false }
    }

    /// A screen without colours whose text can be read back: output, then errors.
    pub fn captured() -> (Self, Captured, Captured) {
        let (out, err) = (Captured::default(), Captured::default());
        (Screen { out: Box::new(out.clone()), err: Box::new(err.clone()), log: None, colored: false, failed: false }, out, err)
    }

    /// A copy of all text, without colours, goes here too.
    pub fn with_log(mut self, log: Log) -> Self {
        self.log = Some(log);
        self
    }

    /// Whether the output is gone, as when the reader of a pipe has left.
    pub fn is_gone(&self) -> bool {
        self.failed
    }

    /// Writes a text and a line end after it, unless it ends in one.
    pub fn line(&mut self, text: &str, color: Option<Color>) {
        self.write(text, color, false);
    }

    pub fn error_line(&mut self, text: &str, color: Option<Color>) {
        self.write(text, color, true);
    }

    fn write(&mut self, text: &str, color: Option<Color>, is_error: bool) {
        let text = text.replace("\r\n", "\n");
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let painted = format!("{}\n", self.paint(text, color));
        let stream = if is_error { &mut self.err } else { &mut self.out };
        // A reader who has left (`| head`) is no reason to stop the run.
        self.failed |= stream.write_all(painted.as_bytes()).and_then(|()| stream.flush()).is_err();
        self.note(text, color);
    }

    /// Writes a text to the log alone.
    pub fn note(&mut self, text: &str, color: Option<Color>) {
        if let Some(log) = &mut self.log {
            self.failed |= log.write(text, color).is_err();
        }
    }

    /// The text in its colour, each line for itself, as Ansible paints.
    pub fn paint(&self, text: &str, color: Option<Color>) -> String {
        match color {
            Some(color) if self.colored => {
                let lines: Vec<String> = text.split('\n').map(|line| format!("\x1b[{}m{line}\x1b[0m", color.code())).collect();
                lines.join("\n")
            }
            _ => text.to_owned(),
        }
    }
}

impl Captured {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_says_when_who_and_how_bad() {
        let (screen, _, _) = Screen::captured();
        let log = Captured::default();
        let mut screen = screen.with_log(Log::new(Box::new(log.clone()), "ann".into()));
        screen.line("\nPLAY [web] ***", None);
        screen.error_line("[WARNING]: odd", Some(Color::Warning));
        let text = log.text();
        let lines: Vec<&str> = text.lines().map(|line| line.split_once(" p=").expect("the time and the process").1).collect();
        let process = std::process::id();
        let expected = ["INFO| PLAY [web] ***", "WARNING| [WARNING]: odd"].map(|text| format!("{process} u=ann n=ansible {text}"));
        assert_eq!(lines, expected);
    }

    #[test]
    fn each_line_is_painted_for_itself() {
        let (mut screen, out, _) = Screen::captured();
        screen.colored = true;
        screen.line("a\nb", Some(Color::Ok));
        assert_eq!(out.text(), "\x1b[0;32ma\x1b[0m\n\x1b[0;32mb\x1b[0m\n");
    }
}
