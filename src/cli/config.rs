//! `hostler config`, which is also `ansible-config`: the settings, and who gave each its value.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use crate::base::{Diagnostic, Map, Value};
use crate::engine::Settings;
use crate::engine::settings::{Origin, Setting, TABLE};
use crate::report::dump;
use crate::yaml::{YamlStyle, to_yaml};

use super::environment::Environment;
use super::failure::{Failed, Outcome, print};
use super::settings;

/// The settings, and who gave each its value
#[derive(Debug, Args)]
#[command(after_help = "Example: hostler config dump --only-changed")]
pub struct ConfigArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Every setting with its value and where that comes from
    Dump {
        /// Only those that something has set
        #[arg(long, alias = "changed-only")]
        only_changed: bool,
        #[command(flatten)]
        shape: Shape,
    },
    /// Every setting with its meaning, default, environment variable and key
    List {
        #[command(flatten)]
        shape: Shape,
    },
    /// The ansible.cfg that is read
    View {
        #[command(flatten)]
        shape: Shape,
    },
    /// An ansible.cfg to begin with
    Init {
        /// Every line a comment
        #[arg(long)]
        disabled: bool,
        #[command(flatten)]
        shape: Shape,
    },
    /// Check ansible.cfg and the environment
    Validate {
        #[command(flatten)]
        shape: Shape,
    },
}

#[derive(Debug, Args)]
struct Shape {
    /// Another ansible.cfg
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[arg(short, long, value_enum, default_value = "display")]
    format: Format,
    // There are no settings of plugins here: all are in the one table.
    #[arg(short = 't', long = "type", hide = true)]
    kind: Option<String>,
    /// Which ansible.cfg is read
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Display,
    Json,
    Yaml,
    Ini,
    Env,
}

/// Shows settings.
///
/// # Errors
/// They are wrong, or there is no ansible.cfg to view.
pub fn run(args: ConfigArgs) -> Outcome {
    let shape = match &args.verb {
        Verb::Dump { shape, .. } | Verb::List { shape } | Verb::View { shape } | Verb::Init { shape, .. } | Verb::Validate { shape } => {
            shape
        }
    };
    let mut environment = Environment::current()?;
    if let Some(file) = &shape.config {
        require_config(&environment.directory.join(file))?;
        environment = environment.with("ANSIBLE_CONFIG", &file.to_string_lossy());
    }
    let (settings, _) = settings::resolve(&environment)?;
    if shape.verbose > 0 {
        print(&match &settings.config_file {
            Some(file) => format!("Using {} as config file\n", file.display()),
            None => "No config file found; using defaults\n".to_owned(),
        })?;
    }
    match args.verb {
        Verb::Dump { only_changed, shape } => print(&dump_all(&settings, only_changed, shape.format)),
        Verb::List { shape } => print(&list(shape.format)),
        Verb::View { .. } => view(&settings),
        Verb::Init { disabled, .. } => print(&init(disabled)),
        Verb::Validate { .. } => print("All configurations seem valid!\n"),
    }
}

/// A file that `-c` names is there, and is one for settings by its name.
fn require_config(file: &Path) -> Result<(), Failed> {
    if std::fs::File::open(file).is_err() {
        return Err(Failed::option(format!("The provided configuration file is missing or not accessible: {}", file.display())));
    }
    match file.extension().and_then(|ending| ending.to_str()) {
        Some("cfg" | "ini") => Ok(()),
        other => {
            let ending = other.map(|ending| format!(".{ending}")).unwrap_or_default();
            Err(Failed::option(format!("Unsupported configuration file extension for {}: {ending}", file.display())))
        }
    }
}

fn dump_all(settings: &Settings, only_changed: bool, format: Format) -> String {
    let mut rows: Vec<&Setting> = TABLE.iter().filter(|row| !only_changed || settings.origin(row.name) != &Origin::Default).collect();
    rows.sort_by_key(|row| row.name);
    let value = |row: &Setting| settings.get(row.name).unwrap_or_default();
    match format {
        Format::Display | Format::Ini | Format::Env => {
            let line = |row: &&Setting| format!("{}({}) = {}\n", row.name, settings.origin(row.name), value(row).to_text());
            let head = settings.config_file.as_ref().map_or("None".to_owned(), |file| file.display().to_string());
            std::iter::once(format!("CONFIG_FILE() = {head}\n")).chain(rows.iter().map(line)).collect()
        }
        Format::Json | Format::Yaml => {
            let entry = |row: &&Setting| {
                let origin = settings.origin(row.name).to_string();
                Value::map([("name", row.name.into()), ("value", value(row)), ("origin", Value::from(origin))])
            };
            structured(&Value::list(rows.iter().map(entry)), format)
        }
    }
}

fn list(format: Format) -> String {
    let texts = |texts: &[&str]| Value::list(texts.iter().copied());
    let entry = |row: &Setting| {
        let mut map = Map::new();
        map.insert("description", row.about.trim());
        map.insert("type", row.type_name);
        map.insert("default", row.default);
        map.insert("env", texts(row.environment));
        map.insert("ini", texts(row.keys));
        if !row.choices.is_empty() {
            map.insert("choices", texts(row.choices));
        }
        (row.name, Value::from(map))
    };
    structured(&Value::map(TABLE.iter().map(entry)), if format == Format::Json { Format::Json } else { Format::Yaml })
}

fn structured(value: &Value, format: Format) -> String {
    if format == Format::Json { dump::json(value, Some(4)) + "\n" } else { to_yaml(value, &YamlStyle::default()) }
}

fn view(settings: &Settings) -> Outcome {
    let Some(file) = &settings.config_file else {
        return Err(Diagnostic::error("Invalid or no config file was supplied: none is set or found")
            .command("hostler config init > ansible.cfg")
            .into());
    };
    let text = std::fs::read_to_string(file).map_err(|error| Diagnostic::error(format!("`{}` cannot be read: {error}", file.display())))?;
    print(&text)
}

fn init(disabled: bool) -> String {
    let mut sections: Vec<(&str, String)> = Vec::new();
    for row in TABLE {
        let Some((section, key)) = row.keys.first().and_then(|key| key.split_once(':')) else { continue };
        let mark = if disabled || row.default.is_empty() { ";" } else { "" };
        let entry = format!("# ({}) {}\n{mark}{key}={}\n\n", row.type_name, row.about.trim(), row.default);
        match sections.iter_mut().find(|(name, _)| *name == section) {
            Some((_, text)) => text.push_str(&entry),
            None => sections.push((section, entry)),
        }
    }
    sections.into_iter().map(|(name, text)| format!("[{name}]\n{text}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_init_writes_is_valid_and_changes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ansible.cfg"), init(false)).expect("writes");
        let environment = Environment::new(folder.path().to_path_buf(), [("HOME".to_owned(), "/home/ann".to_owned())]);
        let (settings, _) = settings::resolve(&environment).expect("is valid");
        let defaults = Settings::new(&environment.home);
        for row in TABLE {
            assert_eq!(settings.get(row.name), defaults.get(row.name), "{}", row.name);
        }
        assert!(init(true).lines().all(|line| line.is_empty() || line.starts_with(['[', '#', ';'])));
    }

    #[test]
    fn a_file_that_is_named_must_be_there_and_be_one_of_settings() {
        let folder = tempfile::tempdir().expect("a folder");
        let require =
            |name: &str| require_config(&folder.path().join(name)).map_err(|failed| (failed.code, failed.diagnostics[0].message.clone()));
        for name in ["a.cfg", "notes"] {
            std::fs::write(folder.path().join(name), "[defaults]\n").expect("writes");
        }
        assert!(require("a.cfg").is_ok());
        assert!(require("gone.cfg").is_err_and(|(code, text)| code == 5 && text.contains("is missing or not accessible: ")));
        assert!(require("notes").is_err_and(|(_, text)| text.starts_with("Unsupported configuration file extension for ")));
    }

    #[test]
    fn a_dump_says_who_won() {
        let environment = Environment::new("/nowhere".into(), [("ANSIBLE_FORKS".to_owned(), "9".to_owned())]);
        let (settings, _) = settings::resolve(&environment).expect("is valid");
        let text = dump_all(&settings, true, Format::Display);
        assert!(text.contains("DEFAULT_FORKS(env: ANSIBLE_FORKS) = 9\n") && !text.contains("DEFAULT_TIMEOUT"), "{text}");
    }
}
