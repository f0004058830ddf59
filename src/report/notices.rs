//! Warnings, deprecations and errors as Ansible words them, each shown once in a run.

use std::collections::HashSet;

use crate::base::Diagnostic;
use crate::history::event::{Notice, NoticeKind};

use super::screen::{Color, Screen};
use super::{Options, context, diagnostic};

/// Warnings and errors that were shown, for each is shown once.
#[derive(Default)]
pub struct Notices {
    shown: HashSet<String>,
}

/// What keeps the run from its way: with its place drawn, or as Ansible writes it.
pub fn finding(finding: &Diagnostic, screen: &mut Screen, options: &Options) {
    match options.ansible_errors {
        true => screen.error_line(&context::finding(finding), Some(Color::Failed)),
        false => screen.error_line(&diagnostic::render(finding, options.width, screen.colored), None),
    }
}

/// How many mistakes there were, which Ansible does not tell.
pub fn refusal(errors: usize, warnings: usize, screen: &mut Screen, options: &Options) {
    if !options.ansible_errors {
        screen.error_line(&diagnostic::refusal(errors, warnings), None);
    }
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
            NoticeKind::Error => self.once(&format!("[ERROR]: {text}"), Color::Failed, true, screen),
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
