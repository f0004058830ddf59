//! A place in one of the project's own files.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Where something was written: file, 1-based line and column, and the length in characters on that line
/// (0 when only the start is known). A span of text that has no file (a command-line `-e`) names its origin
/// in angle brackets instead of a path.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    pub file: Arc<str>,
    pub line: u32,
    pub column: u32,
    pub length: u32,
}

impl Span {
    pub fn new(file: impl Into<Arc<str>>, line: u32, column: u32) -> Self {
        Span { file: file.into(), line, column, length: 0 }
    }

    /// The start of a file as a whole: for errors that belong to no line.
    pub fn of_file(path: &Path) -> Self {
        Span::new(path.to_string_lossy().into_owned(), 1, 1)
    }

    /// Text that came from no file, such as `<command line>` or `<builtin>`.
    pub fn origin(name: &str) -> Self {
        Span::new(name, 0, 0)
    }

    pub fn with_length(mut self, length: u32) -> Self {
        self.length = length;
        self
    }

    /// Whether this names a file that can be shown with its line.
    pub fn is_in_file(&self) -> bool {
        self.line > 0
    }

    /// The same file, moved by lines and columns: how a position inside a multi-line scalar becomes a position in its file.
    /// `line` is 0-based inside the text; `column` is 0-based inside that line and counts from this span's column only on the first line.
    pub fn inside(&self, line: u32, column: u32) -> Self {
        let column = if line == 0 { self.column + column } else { column + 1 };
        Span { file: self.file.clone(), line: self.line + line, column, length: 0 }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return f.write_str(&self.file);
        }
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
