//! The settings of `ansible.cfg` that Hostler honours: one table, and a typed struct made from it. Names, defaults, environment variables and
//! keys are ansible-core 2.19's. Who reads files and the environment is `cli::settings`; this file only knows what they mean.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::base::{Diagnostic, Span, Value};

use super::setting_kinds::{Commas, SettingValue};

pub use super::setting_kinds::{DuplicateKeys, Gathering, GroupCharacters, HashBehaviour, Inventories, OnMismatch, Paths, ResultFormat};

/// Who gave a setting its value.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    Default,
    ConfigFile(Span),
    Environment(&'static str),
    CommandLine,
}

/// One row of the table.
#[derive(Debug)]
pub struct Setting {
    /// Ansible's name for it, as `ansible-config dump` prints it.
    pub name: &'static str,
    /// The field of [`Settings`].
    pub field: &'static str,
    pub default: &'static str,
    pub environment: &'static [&'static str],
    /// `section:key`.
    pub keys: &'static [&'static str],
    pub choices: &'static [&'static str],
    pub type_name: &'static str,
    pub about: &'static str,
}

macro_rules! settings {
    ($($(#[doc = $about:literal])+ $field:ident: $kind:ty = $default:literal, $name:literal, [$($environment:literal),*], [$($key:literal),*];)+) => {
        /// Every setting, typed. Made by `cli::settings` from command line, environment, `ansible.cfg` and defaults, in this order.
        #[derive(Clone, Debug)]
        pub struct Settings {
            $($(#[doc = $about])+ pub $field: $kind,)+
            origins: BTreeMap<&'static str, Origin>,
            /// The `ansible.cfg` that was read.
            pub config_file: Option<PathBuf>,
        }

        /// The table, in the order of Ansible's names.
        pub const TABLE: &[Setting] = &[$(Setting {
            name: $name,
            field: stringify!($field),
            default: $default,
            environment: &[$($environment),*],
            keys: &[$($key),*],
            choices: <$kind as SettingValue>::CHOICES,
            type_name: <$kind as SettingValue>::TYPE,
            about: concat!($($about),+).trim_ascii(),
        }),+];

        impl Settings {
            /// The defaults, for a user with this home.
            pub fn new(home: &Path) -> Self {
                let paths = Paths { home, directory: Path::new("/") };
                Settings {
                    // A default is a literal of the table above: `every_default_is_valid` reads them all.
                    $($field: <$kind as SettingValue>::parse($default, &paths).unwrap_or_default(),)+
                    origins: BTreeMap::new(),
                    config_file: None,
                }
            }

            /// Sets the setting of this (Ansible's) name from text. Relative paths start at `directory`.
            ///
            /// # Errors
            /// What is wrong with the text, in words, or that there is no such setting.
            pub fn set(&mut self, name: &str, text: &str, origin: Origin, paths: &Paths<'_>) -> Result<(), Diagnostic> {
                let parsed: Result<&'static str, String> = match name {
                    $($name => <$kind as SettingValue>::parse(text, paths).map(|value| { self.$field = value; $name }),)+
                    _ => return Err(Diagnostic::error(format!("there is no setting `{name}`")).did_you_mean(name, TABLE.iter().map(|row| row.name))),
                };
                match parsed {
                    Ok(name) => {
                        self.origins.insert(name, origin);
                        Ok(())
                    }
                    Err(problem) => Err(origin.blame(Diagnostic::error(format!("setting `{name}`: {problem}")))),
                }
            }

            /// The value of a setting by Ansible's name, as data.
            pub fn get(&self, name: &str) -> Option<Value> {
                match name {
                    $($name => Some(self.$field.show()),)+
                    _ => None,
                }
            }
        }
    };
}

settings! {
    /// The folder of roles, collections and caches of this user.
    home: PathBuf = "~/.ansible", "ANSIBLE_HOME", ["ANSIBLE_HOME"], ["defaults:home"];
    /// Conditions may have a result that is no boolean: its truth counts, as before ansible-core 2.19.
    allow_broken_conditionals: bool = "false", "ALLOW_BROKEN_CONDITIONALS", ["ANSIBLE_ALLOW_BROKEN_CONDITIONALS"], ["defaults:allow_broken_conditionals"];
    /// Stop the play on all hosts when a task fails on one.
    any_errors_fatal: bool = "false", "ANY_ERRORS_FATAL", ["ANSIBLE_ANY_ERRORS_FATAL"], ["defaults:any_errors_fatal"];
    /// Run tasks as another user.
    become_always: bool = "false", "DEFAULT_BECOME", ["ANSIBLE_BECOME"], ["privilege_escalation:become"];
    /// Ask for the password of `become`.
    become_ask_pass: bool = "false", "DEFAULT_BECOME_ASK_PASS", ["ANSIBLE_BECOME_ASK_PASS"], ["privilege_escalation:become_ask_pass"];
    /// How to become another user: sudo, su, doas.
    become_method: String = "sudo", "DEFAULT_BECOME_METHOD", ["ANSIBLE_BECOME_METHOD"], ["privilege_escalation:become_method"];
    /// The program of `become_method`, when it is not the usual one.
    become_exe: Option<String> = "", "DEFAULT_BECOME_EXE", ["ANSIBLE_BECOME_EXE"], ["privilege_escalation:become_exe"];
    /// Options for the program of `become_method`.
    become_flags: String = "", "DEFAULT_BECOME_FLAGS", ["ANSIBLE_BECOME_FLAGS"], ["privilege_escalation:become_flags"];
    /// The user to become.
    become_user: String = "root", "DEFAULT_BECOME_USER", ["ANSIBLE_BECOME_USER"], ["privilege_escalation:become_user"];
    /// Become the user even when the login is that user already.
    become_allow_same_user: bool = "false", "BECOME_ALLOW_SAME_USER", ["ANSIBLE_BECOME_ALLOW_SAME_USER"], ["privilege_escalation:become_allow_same_user"];
    /// A file that holds the password of `become`.
    become_password_file: Option<PathBuf> = "", "BECOME_PASSWORD_FILE", ["ANSIBLE_BECOME_PASSWORD_FILE"], ["defaults:become_password_file"];
    /// A file that holds the password of the connection.
    connection_password_file: Option<PathBuf> = "", "CONNECTION_PASSWORD_FILE", ["ANSIBLE_CONNECTION_PASSWORD_FILE"], ["defaults:connection_password_file"];
    /// Where facts are kept between runs: memory or jsonfile.
    fact_caching: String = "memory", "CACHE_PLUGIN", ["ANSIBLE_CACHE_PLUGIN"], ["defaults:fact_caching"];
    /// The folder of the jsonfile cache.
    fact_caching_connection: Option<PathBuf> = "", "CACHE_PLUGIN_CONNECTION", ["ANSIBLE_CACHE_PLUGIN_CONNECTION"], ["defaults:fact_caching_connection"];
    /// What the names of the cache's files begin with.
    fact_caching_prefix: String = "ansible_facts", "CACHE_PLUGIN_PREFIX", ["ANSIBLE_CACHE_PLUGIN_PREFIX"], ["defaults:fact_caching_prefix"];
    /// Seconds that cached facts stay valid; 0 is for ever.
    fact_caching_timeout: u64 = "86400", "CACHE_PLUGIN_TIMEOUT", ["ANSIBLE_CACHE_PLUGIN_TIMEOUT"], ["defaults:fact_caching_timeout"];
    /// Callbacks besides the output's. None runs here, and each is told.
    callbacks_enabled: Commas = "", "CALLBACKS_ENABLED", ["ANSIBLE_CALLBACKS_ENABLED"], ["defaults:callbacks_enabled"];
    /// Where collections are looked for.
    collections_path: Vec<PathBuf> = "~/.ansible/collections:/usr/share/ansible/collections", "COLLECTIONS_PATHS", ["ANSIBLE_COLLECTIONS_PATH"], ["defaults:collections_path"];
    /// Colours even when the output is no terminal.
    force_color: bool = "false", "ANSIBLE_FORCE_COLOR", ["ANSIBLE_FORCE_COLOR"], ["defaults:force_color"];
    /// No colours.
    nocolor: bool = "false", "ANSIBLE_NOCOLOR", ["ANSIBLE_NOCOLOR", "NO_COLOR"], ["defaults:nocolor"];
    /// Ask for the password of the connection.
    ask_pass: bool = "false", "DEFAULT_ASK_PASS", ["ANSIBLE_ASK_PASS"], ["defaults:ask_pass"];
    /// Ask for the vault password.
    ask_vault_pass: bool = "false", "DEFAULT_ASK_VAULT_PASS", ["ANSIBLE_ASK_VAULT_PASS"], ["defaults:ask_vault_pass"];
    /// Say what the run does by itself, such as running notified handlers.
    debug: bool = "false", "DEFAULT_DEBUG", ["ANSIBLE_DEBUG"], ["defaults:debug"];
    /// The shell of `raw` and of `shell` where the task names none.
    executable: String = "/bin/sh", "DEFAULT_EXECUTABLE", ["ANSIBLE_EXECUTABLE"], ["defaults:executable"];
    /// Run the notified handlers of a host though one of its tasks failed.
    force_handlers: bool = "false", "DEFAULT_FORCE_HANDLERS", ["ANSIBLE_FORCE_HANDLERS"], ["defaults:force_handlers"];
    /// The number of hosts that are worked on at the same time.
    forks: usize = "5", "DEFAULT_FORKS", ["ANSIBLE_FORKS"], ["defaults:forks"];
    /// Whether plays gather facts when they do not say.
    gathering: Gathering = "implicit", "DEFAULT_GATHERING", ["ANSIBLE_GATHERING"], ["defaults:gathering"];
    /// Whether mappings of the same name replace each other or are merged.
    hash_behaviour: HashBehaviour = "replace", "DEFAULT_HASH_BEHAVIOUR", ["ANSIBLE_HASH_BEHAVIOUR"], ["defaults:hash_behaviour"];
    /// The inventories that are used when `-i` names none.
    inventory: Inventories = "/etc/ansible/hosts", "DEFAULT_HOST_LIST", ["ANSIBLE_INVENTORY"], ["defaults:inventory"];
    /// The text of `ansible_managed` in templates.
    ansible_managed: String = "Ansible managed", "DEFAULT_MANAGED_STR", [], ["defaults:ansible_managed"];
    /// Where action plugins in Python are looked for, after the `action_plugins` of roles and playbooks.
    action_plugins: Vec<PathBuf> = "~/.ansible/plugins/action:/usr/share/ansible/plugins/action", "DEFAULT_ACTION_PLUGIN_PATH", ["ANSIBLE_ACTION_PLUGINS"], ["defaults:action_plugins"];
    /// Where filters in Python are looked for, after the `filter_plugins` of playbooks and roles.
    filter_plugins: Vec<PathBuf> = "~/.ansible/plugins/filter:/usr/share/ansible/plugins/filter", "DEFAULT_FILTER_PLUGIN_PATH", ["ANSIBLE_FILTER_PLUGINS"], ["defaults:filter_plugins"];
    /// The Python that runs modules in Python, where no variable names one; `auto`: what the host has.
    interpreter_python: String = "auto", "INTERPRETER_PYTHON", ["ANSIBLE_PYTHON_INTERPRETER"], ["defaults:interpreter_python"];
    /// Where modules are looked for, after the `library` of roles and playbooks.
    library: Vec<PathBuf> = "~/.ansible/plugins/modules:/usr/share/ansible/plugins/modules", "DEFAULT_MODULE_PATH", ["ANSIBLE_LIBRARY"], ["defaults:library"];
    /// Whether `ansible` shows its one task in the look that is set.
    load_callback_plugins: bool = "false", "DEFAULT_LOAD_CALLBACK_PLUGINS", ["ANSIBLE_LOAD_CALLBACK_PLUGINS"], ["defaults:bin_ansible_callbacks"];
    /// A file that gets a copy of the output.
    log_path: Option<PathBuf> = "", "DEFAULT_LOG_PATH", ["ANSIBLE_LOG_PATH"], ["defaults:log_path"];
    /// What the log says beside what is shown: as the number of `-v`.
    log_verbosity: u8 = "0", "LOG_VERBOSITY", ["ANSIBLE_LOG_VERBOSITY"], ["defaults:log_verbosity"];
    /// The module of `ansible` when `-m` names none.
    module_name: String = "command", "DEFAULT_MODULE_NAME", [], ["defaults:module_name"];
    /// The arguments of `ansible` when `-a` gives none.
    module_args: Option<String> = "", "DEFAULT_MODULE_ARGS", ["ANSIBLE_MODULE_ARGS"], ["defaults:module_args"];
    /// Where lookups in Python are looked for, after the `lookup_plugins` of playbooks and roles.
    lookup_plugins: Vec<PathBuf> = "~/.ansible/plugins/lookup:/usr/share/ansible/plugins/lookup", "DEFAULT_LOOKUP_PLUGIN_PATH", ["ANSIBLE_LOOKUP_PLUGINS"], ["defaults:lookup_plugins"];
    /// Where modules in Python find what they share, beside the `module_utils` of roles and playbooks.
    module_utils: Vec<PathBuf> = "~/.ansible/plugins/module_utils:/usr/share/ansible/plugins/module_utils", "DEFAULT_MODULE_UTILS_PATH", ["ANSIBLE_MODULE_UTILS"], ["defaults:module_utils"];
    /// Show nothing of any result.
    no_log: bool = "false", "DEFAULT_NO_LOG", ["ANSIBLE_NO_LOG"], ["defaults:no_log"];
    /// Accepted, without meaning here: there is one channel for each host, and nothing is copied for each task.
    pipelining: bool = "false", "ANSIBLE_PIPELINING", ["ANSIBLE_PIPELINING"], ["defaults:pipelining", "connection:pipelining", "ssh_connection:pipelining"];
    /// Seconds between looks at a job of `async`.
    poll_interval: u64 = "15", "DEFAULT_POLL_INTERVAL", ["ANSIBLE_POLL_INTERVAL"], ["defaults:poll_interval"];
    /// The key to log in with.
    private_key_file: Option<PathBuf> = "", "DEFAULT_PRIVATE_KEY_FILE", ["ANSIBLE_PRIVATE_KEY_FILE"], ["defaults:private_key_file"];
    /// Keep the variables of a role to its own tasks.
    private_role_vars: bool = "false", "DEFAULT_PRIVATE_ROLE_VARS", ["ANSIBLE_PRIVATE_ROLE_VARS"], ["defaults:private_role_vars"];
    /// The port of the SSH server, where the inventory says none.
    remote_port: Option<u16> = "", "DEFAULT_REMOTE_PORT", ["ANSIBLE_REMOTE_PORT"], ["defaults:remote_port"];
    /// The user to log in as, where the inventory says none.
    remote_user: Option<String> = "", "DEFAULT_REMOTE_USER", ["ANSIBLE_REMOTE_USER"], ["defaults:remote_user"];
    /// Where roles are looked for, after the playbook's own `roles`.
    roles_path: Vec<PathBuf> = "~/.ansible/roles:/usr/share/ansible/roles:/etc/ansible/roles", "DEFAULT_ROLES_PATH", ["ANSIBLE_ROLES_PATH"], ["defaults:roles_path"];
    /// The look of the output: default, or the name of one that is not known here, which is said once.
    stdout_callback: String = "default", "DEFAULT_STDOUT_CALLBACK", ["ANSIBLE_STDOUT_CALLBACK"], ["defaults:stdout_callback"];
    /// The strategy of plays that do not name one.
    strategy: String = "linear", "DEFAULT_STRATEGY", ["ANSIBLE_STRATEGY"], ["defaults:strategy"];
    /// Where tests in Python are looked for, after the `test_plugins` of playbooks and roles.
    test_plugins: Vec<PathBuf> = "~/.ansible/plugins/test:/usr/share/ansible/plugins/test", "DEFAULT_TEST_PLUGIN_PATH", ["ANSIBLE_TEST_PLUGINS"], ["defaults:test_plugins"];
    /// Seconds that a connection may take.
    timeout: u64 = "10", "DEFAULT_TIMEOUT", ["ANSIBLE_TIMEOUT"], ["defaults:timeout"];
    /// The connection of hosts that do not name one.
    transport: String = "ssh", "DEFAULT_TRANSPORT", ["ANSIBLE_TRANSPORT"], ["defaults:transport"];
    /// Whether an undefined variable is an error.
    error_on_undefined_vars: bool = "true", "DEFAULT_UNDEFINED_VAR_BEHAVIOR", ["ANSIBLE_ERROR_ON_UNDEFINED_VARS"], ["defaults:error_on_undefined_vars"];
    /// Decrypt with the vault id that the text names, and no other.
    vault_id_match: bool = "false", "DEFAULT_VAULT_ID_MATCH", ["ANSIBLE_VAULT_ID_MATCH"], ["defaults:vault_id_match"];
    /// The vault id of passwords that name none.
    vault_identity: String = "default", "DEFAULT_VAULT_IDENTITY", ["ANSIBLE_VAULT_IDENTITY"], ["defaults:vault_identity"];
    /// The vault id to encrypt with, when there are several.
    vault_encrypt_identity: Option<String> = "", "DEFAULT_VAULT_ENCRYPT_IDENTITY", ["ANSIBLE_VAULT_ENCRYPT_IDENTITY"], ["defaults:vault_encrypt_identity"];
    /// The vault ids, as `--vault-id` takes them.
    vault_identity_list: Commas = "", "DEFAULT_VAULT_IDENTITY_LIST", ["ANSIBLE_VAULT_IDENTITY_LIST"], ["defaults:vault_identity_list"];
    /// The file that holds the vault password, or a script that prints it.
    vault_password_file: Option<PathBuf> = "", "DEFAULT_VAULT_PASSWORD_FILE", ["ANSIBLE_VAULT_PASSWORD_FILE"], ["defaults:vault_password_file"];
    /// The number of `-v`.
    verbosity: u8 = "0", "DEFAULT_VERBOSITY", ["ANSIBLE_VERBOSITY"], ["defaults:verbosity"];
    /// Show warnings about what will go.
    deprecation_warnings: bool = "true", "DEPRECATION_WARNINGS", ["ANSIBLE_DEPRECATION_WARNINGS"], ["defaults:deprecation_warnings"];
    /// Show differences as if `--diff` were given.
    diff_always: bool = "false", "DIFF_ALWAYS", ["ANSIBLE_DIFF_ALWAYS"], ["diff:always"];
    /// The number of unchanged lines around a difference.
    diff_context: usize = "3", "DIFF_CONTEXT", ["ANSIBLE_DIFF_CONTEXT"], ["diff:context"];
    /// The largest file, in bytes, whose difference is shown.
    max_diff_size: u64 = "104448", "MAX_FILE_SIZE_FOR_DIFF", ["ANSIBLE_MAX_DIFF_SIZE"], ["defaults:max_diff_size"];
    /// Show a task's arguments in its banner.
    display_args_to_stdout: bool = "false", "DISPLAY_ARGS_TO_STDOUT", ["ANSIBLE_DISPLAY_ARGS_TO_STDOUT"], ["defaults:display_args_to_stdout"];
    /// Show hosts that skipped a task.
    display_skipped_hosts: bool = "true", "DISPLAY_SKIPPED_HOSTS", ["ANSIBLE_DISPLAY_SKIPPED_HOSTS"], ["defaults:display_skipped_hosts"];
    /// Show hosts where nothing changed.
    display_ok_hosts: bool = "true", "DISPLAY_OK_HOSTS", ["ANSIBLE_DISPLAY_OK_HOSTS"], ["defaults:display_ok_hosts"];
    /// Write failures to standard error.
    display_failed_stderr: bool = "false", "DISPLAY_FAILED_STDERR", ["ANSIBLE_DISPLAY_FAILED_STDERR"], ["defaults:display_failed_stderr"];
    /// Say when a host begins a task.
    show_per_host_start: bool = "false", "SHOW_PER_HOST_START", ["ANSIBLE_SHOW_PER_HOST_START"], ["defaults:show_per_host_start"];
    /// Mark what runs in check mode.
    check_mode_markers: bool = "false", "CHECK_MODE_MARKERS", ["ANSIBLE_CHECK_MODE_MARKERS"], ["defaults:check_mode_markers"];
    /// Show the file and line of a task that failed.
    show_task_path_on_failure: bool = "false", "SHOW_TASK_PATH_ON_FAILURE", ["ANSIBLE_SHOW_TASK_PATH_ON_FAILURE"], ["defaults:show_task_path_on_failure"];
    /// Show what `set_stats` gathered.
    show_custom_stats: bool = "false", "SHOW_CUSTOM_STATS", ["ANSIBLE_SHOW_CUSTOM_STATS"], ["defaults:show_custom_stats"];
    /// How results are written: json or yaml.
    callback_result_format: ResultFormat = "json", "CALLBACK_RESULT_FORMAT", ["ANSIBLE_CALLBACK_RESULT_FORMAT"], ["defaults:callback_result_format"];
    /// Whether results are written over several lines at any verbosity.
    callback_format_pretty: Option<bool> = "", "CALLBACK_FORMAT_PRETTY", ["ANSIBLE_CALLBACK_FORMAT_PRETTY"], ["defaults:callback_format_pretty"];
    /// What a key that stands twice in a YAML mapping is.
    duplicate_dict_key: DuplicateKeys = "warn", "DUPLICATE_YAML_DICT_KEY", ["ANSIBLE_DUPLICATE_YAML_DICT_KEY"], ["defaults:duplicate_dict_key"];
    /// Whether notifying a handler that does not exist is an error.
    error_on_missing_handler: bool = "true", "ERROR_ON_MISSING_HANDLER", ["ANSIBLE_ERROR_ON_MISSING_HANDLER"], ["defaults:error_on_missing_handler"];
    /// Whether a host's key must be known.
    host_key_checking: bool = "true", "HOST_KEY_CHECKING", ["ANSIBLE_HOST_KEY_CHECKING", "ANSIBLE_SSH_HOST_KEY_CHECKING"], ["defaults:host_key_checking", "ssh_connection:host_key_checking"];
    /// What a pattern that names no host is.
    host_pattern_mismatch: OnMismatch = "warning", "HOST_PATTERN_MISMATCH", ["ANSIBLE_HOST_PATTERN_MISMATCH"], ["inventory:host_pattern_mismatch"];
    /// Whether facts are variables of their own beside `ansible_facts`.
    inject_facts_as_vars: bool = "true", "INJECT_FACTS_AS_VARS", ["ANSIBLE_INJECT_FACT_VARS"], ["defaults:inject_facts_as_vars"];
    /// Endings of files in an inventory folder that are no inventory.
    inventory_ignore_extensions: Commas = ".pyc, .pyo, .swp, .bak, ~, .rpm, .md, .txt, .rst, .orig, .cfg, .retry", "INVENTORY_IGNORE_EXTS", ["ANSIBLE_INVENTORY_IGNORE"], ["defaults:inventory_ignore_extensions", "inventory:ignore_extensions"];
    /// Patterns of files in an inventory folder that are no inventory.
    inventory_ignore_patterns: Commas = "", "INVENTORY_IGNORE_PATTERNS", ["ANSIBLE_INVENTORY_IGNORE_REGEX"], ["defaults:inventory_ignore_patterns", "inventory:ignore_patterns"];
    /// The kinds of inventories that are read, in the order in which they are tried.
    inventory_enabled: Commas = "host_list, script, auto, yaml, ini, toml", "INVENTORY_ENABLED", ["ANSIBLE_INVENTORY_ENABLED"], ["inventory:enable_plugins"];
    /// Show an inventory in the way that is best for export.
    inventory_export: bool = "false", "INVENTORY_EXPORT", ["ANSIBLE_INVENTORY_EXPORT"], ["inventory:export"];
    /// Warn when none of the inventories can be read.
    inventory_unparsed_warning: bool = "true", "INVENTORY_UNPARSED_WARNING", ["ANSIBLE_INVENTORY_UNPARSED_WARNING"], ["inventory:inventory_unparsed_warning"];
    /// A salt for encryption that is the same each time: the texts are then the same too, which whoever sees them can tell.
    vault_encrypt_salt: Option<String> = "", "VAULT_ENCRYPT_SALT", ["ANSIBLE_VAULT_ENCRYPT_SALT"], ["defaults:vault_encrypt_salt"];
    /// What becomes of characters in group names that names of variables cannot have.
    transform_invalid_group_chars: GroupCharacters = "never", "TRANSFORM_INVALID_GROUP_CHARS", ["ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS"], ["defaults:force_valid_group_names"];
    /// The editor for files of secrets.
    editor: String = "vi", "EDITOR", ["ANSIBLE_EDITOR", "EDITOR"], ["defaults:editor"];
    /// Whether it is an error when any of the inventories cannot be read.
    inventory_any_unparsed_is_failed: bool = "false", "INVENTORY_ANY_UNPARSED_IS_FAILED", ["ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED"], ["inventory:any_unparsed_is_failed"];
    /// Whether it is an error when none of the inventories can be read.
    inventory_unparsed_is_failed: bool = "false", "INVENTORY_UNPARSED_IS_FAILED", ["ANSIBLE_INVENTORY_UNPARSED_FAILED"], ["inventory:unparsed_is_failed"];
    /// Warn when no inventory was read and only localhost is there.
    localhost_warning: bool = "true", "LOCALHOST_WARNING", ["ANSIBLE_LOCALHOST_WARNING"], ["defaults:localhost_warning"];
    /// Write a list of the failed hosts when a run fails.
    retry_files_enabled: bool = "false", "RETRY_FILES_ENABLED", ["ANSIBLE_RETRY_FILES_ENABLED"], ["defaults:retry_files_enabled"];
    /// The folder of those lists; beside the playbook when not set.
    retry_files_save_path: Option<PathBuf> = "", "RETRY_FILES_SAVE_PATH", ["ANSIBLE_RETRY_FILES_SAVE_PATH"], ["defaults:retry_files_save_path"];
    /// Tags to run, as `--tags`.
    tags: Commas = "", "TAGS_RUN", ["ANSIBLE_RUN_TAGS"], ["tags:run"];
    /// Tags to leave out, as `--skip-tags`.
    skip_tags: Commas = "", "TAGS_SKIP", ["ANSIBLE_SKIP_TAGS"], ["tags:skip"];
    /// Seconds that a task may take; 0 is no limit.
    task_timeout: u64 = "0", "TASK_TIMEOUT", ["ANSIBLE_TASK_TIMEOUT"], ["defaults:task_timeout"];
    /// Options for ssh that replace the usual ones.
    ssh_args: String = "-C -o ControlMaster=auto -o ControlPersist=60s", "SSH_ARGS", ["ANSIBLE_SSH_ARGS"], ["ssh_connection:ssh_args"];
    /// Options for ssh beside `ssh_args`.
    ssh_common_args: String = "", "SSH_COMMON_ARGS", ["ANSIBLE_SSH_COMMON_ARGS"], ["ssh_connection:ssh_common_args"];
    /// Options for ssh alone.
    ssh_extra_args: String = "", "SSH_EXTRA_ARGS", ["ANSIBLE_SSH_EXTRA_ARGS"], ["ssh_connection:ssh_extra_args"];
    /// The ssh program.
    ssh_executable: String = "ssh", "SSH_EXECUTABLE", ["ANSIBLE_SSH_EXECUTABLE"], ["ssh_connection:ssh_executable"];
    /// How often a connection is tried again.
    ssh_retries: u64 = "0", "SSH_RETRIES", ["ANSIBLE_SSH_RETRIES"], ["connection:retries", "ssh_connection:retries"];
    /// Write what `-v` adds to standard error.
    verbose_to_stderr: bool = "false", "VERBOSE_TO_STDERR", ["ANSIBLE_VERBOSE_TO_STDERR"], ["defaults:verbose_to_stderr"];
}

impl Settings {
    /// Who won.
    pub fn origin(&self, name: &str) -> &Origin {
        self.origins.get(name).unwrap_or(&Origin::Default)
    }
}

impl Origin {
    fn blame(&self, diagnostic: Diagnostic) -> Diagnostic {
        match self {
            Origin::ConfigFile(span) => diagnostic.at(span),
            Origin::Environment(name) => diagnostic.cause(format!("from the environment variable {name}")),
            Origin::Default | Origin::CommandLine => diagnostic,
        }
    }
}

/// As `ansible-config dump` names it.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::ConfigFile(span) => f.write_str(&span.file),
            Origin::Environment(name) => write!(f, "env: {name}"),
            Origin::CommandLine => f.write_str("cli"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths() -> Paths<'static> {
        Paths { home: Path::new("/home/ann"), directory: Path::new("/etc/ansible") }
    }

    #[test]
    fn every_default_is_valid() {
        let mut settings = Settings::new(Path::new("/home/ann"));
        for row in TABLE {
            settings.set(row.name, row.default, Origin::Default, &paths()).unwrap_or_else(|error| panic!("{}: {error}", row.name));
        }
        assert_eq!(settings.forks, 5);
        assert_eq!(settings.roles_path[0], Path::new("/home/ann/.ansible/roles"));
    }

    #[test]
    fn no_name_field_or_key_stands_twice() {
        for (index, row) in TABLE.iter().enumerate() {
            for other in &TABLE[index + 1..] {
                assert_ne!(row.name, other.name);
                assert!(row.keys.iter().all(|key| !other.keys.contains(key)), "{} and {}", row.name, other.name);
                assert!(row.environment.iter().all(|name| !other.environment.contains(name)), "{} and {}", row.name, other.name);
            }
        }
    }

    #[test]
    fn a_bad_value_is_refused_where_it_was_written_and_changes_nothing() {
        let mut settings = Settings::new(Path::new("/home/ann"));
        let span = Span::new("ansible.cfg", 3, 9);
        let error = settings.set("DEFAULT_FORKS", "many", Origin::ConfigFile(span), &paths()).expect_err("is refused");
        assert_eq!(error.to_string(), "ansible.cfg:3:9: setting `DEFAULT_FORKS`: `many` is not a whole number");
        assert_eq!((settings.forks, settings.origin("DEFAULT_FORKS")), (5, &Origin::Default));
    }

    #[test]
    fn relative_paths_start_where_the_setting_was_written() {
        let mut settings = Settings::new(Path::new("/home/ann"));
        settings.set("DEFAULT_ROLES_PATH", "roles:~/shared:/opt/roles", Origin::CommandLine, &paths()).expect("is valid");
        let expected = ["/etc/ansible/roles", "/home/ann/shared", "/opt/roles"].map(PathBuf::from);
        assert_eq!(settings.roles_path, expected);
        assert_eq!(settings.origin("DEFAULT_ROLES_PATH"), &Origin::CommandLine);
    }
}
