//! Consumers of events: Ansible's own lines for pipes and scripts (`plain`, `adhoc`), one JSON event a line (`json`), lanes on a terminal
//! (`terminal`), and diagnostics as text with a caret (`diagnostic`). They read events and the source lines that events point at; nothing
//! here decides what a run does, and no other place makes text for people (`cli` has its own help and errors).

pub mod adhoc;
pub mod context;
pub mod diagnostic;
pub mod difference;
pub mod dump;
pub mod duration;
pub mod json;
pub mod notices;
pub mod past;
pub mod plain;
pub mod screen;
pub mod shapes;
pub mod terminal;

pub use screen::Screen;

/// What the reader wants to see. Made by `cli` from the settings.
#[derive(Clone, Debug)]
pub struct Options {
    /// The number of `-v`.
    pub verbosity: u8,
    /// The same for the log, where it says more than the screen.
    pub log_verbosity: u8,
    /// Columns that a banner fills. Ansible: the terminal's minus one, at least 79.
    pub width: usize,
    /// The run is in check mode.
    pub check: bool,
    pub display_skipped_hosts: bool,
    pub display_ok_hosts: bool,
    pub display_failed_stderr: bool,
    pub show_custom_stats: bool,
    pub show_per_host_start: bool,
    pub check_mode_markers: bool,
    pub show_task_path_on_failure: bool,
    pub deprecation_warnings: bool,
    pub verbose_to_stderr: bool,
    pub yaml_results: bool,
    pub pretty_results: Option<bool>,
    pub diff_context: usize,
    /// Mistakes are told in Ansible's form, for scripts that look for it.
    pub ansible_errors: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            verbosity: 0,
            log_verbosity: 0,
            width: 79,
            check: false,
            display_skipped_hosts: true,
            display_ok_hosts: true,
            display_failed_stderr: false,
            show_custom_stats: false,
            show_per_host_start: false,
            check_mode_markers: false,
            show_task_path_on_failure: false,
            deprecation_warnings: true,
            verbose_to_stderr: false,
            yaml_results: false,
            pretty_results: None,
            diff_context: 3,
            ansible_errors: false,
        }
    }
}
