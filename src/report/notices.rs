//! Warnings, deprecations and errors as Ansible words them, each shown once in a run.

use std::collections::HashSet;

use crate::base::Diagnostic;
use crate::history::event::{Notice, NoticeKind};

use super::screen::{Color, Screen};
use super::{Options, context};

/// Warnings and errors that were shown, for each is shown once.
#[derive(Default)]
pub struct Notices {
    shown: HashSet<String>,
}

impl Notices {
    pub fn notice(&mut self, notice: &Notice, screen: &mut Screen, options: &Options) {
        let text = context::message(&notice.diagnostic);
        match notice.kind {
            NoticeKind::Warning => self.once(&format!("[WARNING]: {text}"), Color::Warning, true, screen),
            NoticeKind::Deprecation if options.deprecation_warnings => {
                let how = "[WARNING]: Deprecation warnings can be disabled by setting `deprecation_warnings=False` in ansible.cfg.\n";
                self.once(how, Color::Warning, true, screen);
                self.once(&format!("[DEPRECATION WARNING]: {text}"), Color::Deprecation, true, screen);
            }
            NoticeKind::Deprecation => {}
        }
    }

    pub fn error(&mut self, error: &Diagnostic, screen: &mut Screen, options: &Options) {
        self.once(&format!("[ERROR]: {}", context::message(error)), Color::Failed, options.display_failed_stderr, screen);
    }

    fn once(&mut self, text: &str, color: Color, is_error: bool, screen: &mut Screen) {
        if !self.shown.insert(text.to_owned()) {
            return;
        }
        if is_error { screen.error_line(text, Some(color)) } else { screen.line(text, Some(color)) }
    }
}
