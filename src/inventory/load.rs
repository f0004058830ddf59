//! From `-i` arguments to an inventory: folders, and for each source the reader that can take it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

use crate::base::{Diagnostic, Node, Span};
use crate::vault::Secrets;
use crate::yaml;

use super::data::Inventory;
use super::error::InventoryError;
use super::expressions::Expressions;
use super::files::{ENDINGS, VarsFiles, read_text};
use super::layers::folder_of;
use super::{address, constructed, generator, ini, script, structured, toml};

/// The inventory that is asked for when none is: its absence is nothing to warn of.
const DEFAULT_SOURCE: &str = "/etc/ansible/hosts";
static ODD_NAME: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^[^a-zA-Z_]|[^0-9a-zA-Z_]").expect("a constant pattern"));

/// What to do with group names that are no variable names (`TRANSFORM_INVALID_GROUP_CHARS`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupNames {
    /// Keep them and say so.
    #[default]
    Warn,
    /// Keep them silently.
    Ignore,
    /// Replace what is odd by underscores, and say so.
    Replace,
    /// Replace it silently.
    ReplaceSilently,
}

/// What reading an inventory depends on. Names of settings are Ansible's.
#[derive(Clone)]
pub struct LoadContext<'a> {
    pub secrets: Secrets,
    /// `INVENTORY_ENABLED`: the readers that are tried, in this order.
    pub enabled: Vec<String>,
    /// `INVENTORY_IGNORE_EXTS`: endings of files in a folder that are no inventory.
    pub ignored_endings: Vec<String>,
    /// `INVENTORY_IGNORE_PATTERNS`.
    pub ignored_patterns: Vec<String>,
    pub group_names: GroupNames,
    /// `INVENTORY_ANY_UNPARSED_IS_FAILED`
    pub any_unparsed_is_failed: bool,
    /// `INVENTORY_UNPARSED_IS_FAILED`
    pub unparsed_is_failed: bool,
    /// `INVENTORY_UNPARSED_WARNING`
    pub warn_when_unparsed: bool,
    /// `hash_behaviour = merge`.
    pub merges: bool,
    /// The template engine, for plugin files.
    pub expressions: Option<&'a dyn Expressions>,
}

impl Default for LoadContext<'_> {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        LoadContext {
            secrets: Secrets::default(),
            enabled: owned(&["host_list", "script", "auto", "yaml", "ini", "toml"]),
            ignored_endings: owned(&[".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry"]),
            ignored_patterns: Vec::new(),
            group_names: GroupNames::Warn,
            any_unparsed_is_failed: false,
            unparsed_is_failed: false,
            warn_when_unparsed: true,
            merges: false,
            expressions: None,
        }
    }
}

/// An inventory with what was odd about its sources.
#[derive(Debug)]
pub struct Loaded {
    pub inventory: Inventory,
    pub warnings: Vec<Diagnostic>,
    /// Whether any source could be read.
    pub is_parsed: bool,
}

impl Inventory {
    /// Reads the sources one after the other. As in Ansible, a source that cannot be read is a warning (with its reason and place),
    /// unless the settings say otherwise; nothing of it is kept.
    ///
    /// # Errors
    /// When a setting makes an unread source an error.
    pub fn load(sources: &[String], context: &LoadContext) -> Result<Loaded, Diagnostic> {
        let sources: Vec<String> = sources.iter().filter(|source| !source.is_empty()).map(|source| absolute(source)).collect();
        let mut beside: Vec<PathBuf> = Vec::new();
        for source in sources.iter().map(Path::new).filter(|source| source.exists() || !source.to_string_lossy().contains(',')) {
            let folder = folder_of(source);
            if !beside.contains(&folder) {
                beside.push(folder);
            }
        }
        let mut inventory = Inventory::new(VarsFiles::new(beside, context.secrets.clone()));
        inventory.merges = context.merges;
        inventory.replaces_names = matches!(context.group_names, GroupNames::Replace | GroupNames::ReplaceSilently);
        let ignored = ignored(context)?;
        let mut loader = Loader { inventory, context, ignored, warnings: Vec::new() };
        let mut is_parsed = false;
        for source in &sources {
            is_parsed |= loader.source(source)?;
        }
        loader.inventory.current = None;
        if is_parsed {
            loader.inventory.settle();
        } else if context.unparsed_is_failed {
            return Err(loader
                .warnings
                .pop()
                .unwrap_or_else(|| Diagnostic::error("no inventory was given"))
                .help("`-i` names an inventory"));
        } else if context.warn_when_unparsed {
            loader.warnings.push(Diagnostic::warning("No inventory was parsed, only implicit localhost is available"));
        }
        loader.check_names();
        Ok(Loaded { inventory: loader.inventory, warnings: loader.warnings, is_parsed })
    }
}

/// A path made absolute, a list of hosts as it is; a leading `~/` is the home directory.
fn absolute(source: &str) -> String {
    if source.contains(',') {
        return source.to_owned();
    }
    let expanded = match (source.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(source),
    };
    let path = std::path::absolute(&expanded).unwrap_or(expanded);
    // `absolute` keeps `..`, and Ansible folds it without looking at links.
    let mut folded = PathBuf::new();
    for part in path.components() {
        if part == std::path::Component::ParentDir {
            folded.pop();
        } else {
            folded.push(part);
        }
    }
    folded.to_string_lossy().into_owned()
}

fn ignored(context: &LoadContext) -> Result<Regex, Diagnostic> {
    let mut patterns = vec![r"^\.".to_owned(), "^host_vars$".into(), "^group_vars$".into(), "^vars_plugins$".into()];
    patterns.extend(context.ignored_patterns.iter().cloned());
    patterns.extend(context.ignored_endings.iter().map(|ending| format!("{}$", regex::escape(ending.trim()))));
    Regex::new(&patterns.join("|"))
        .map_err(|error| Diagnostic::error("a pattern of `INVENTORY_IGNORE_PATTERNS` is no regular expression").cause(error.to_string()))
}

struct Loader<'a, 'c> {
    inventory: Inventory,
    context: &'a LoadContext<'c>,
    ignored: Regex,
    warnings: Vec<Diagnostic>,
}

type Read = Result<(), Diagnostic>;

impl Loader<'_, '_> {
    fn source(&mut self, source: &str) -> Result<bool, Diagnostic> {
        let path = Path::new(source);
        if path.is_dir() {
            return self.folder(path);
        }
        self.inventory.current = Some(source.into());
        let mut failures = Vec::new();
        for reader in &self.context.enabled {
            // What a reader did before it failed is taken back.
            let before = self.inventory.clone();
            match self.try_reader(reader.rsplit('.').next().unwrap_or(reader), source) {
                None => {}
                Some(Ok(())) => return Ok(true),
                Some(Err(mut failure)) => {
                    self.inventory = before;
                    failure.message = format!("Failed to parse inventory with '{reader}' plugin: {}", failure.message);
                    failures.push(failure);
                }
            }
        }
        self.failed(source, failures)
    }

    fn folder(&mut self, folder: &Path) -> Result<bool, Diagnostic> {
        let unreadable =
            |error: std::io::Error| Diagnostic::error(format!("cannot read the folder `{}`", folder.display())).cause(error.to_string());
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            names.push(entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned());
        }
        names.retain(|name| !self.ignored.is_match(name));
        names.sort();
        let mut is_parsed = false;
        for name in &names {
            is_parsed |= self.source(&folder.join(name).to_string_lossy())?;
        }
        Ok(is_parsed)
    }

    /// Reads the source if this reader is one for it.
    fn try_reader(&mut self, reader: &str, source: &str) -> Option<Read> {
        let path = Path::new(source);
        let metadata = std::fs::metadata(path);
        let ending = path.extension().map(|ending| format!(".{}", ending.to_string_lossy()));
        let may_be_yaml = ending.as_deref().is_none_or(|ending| ENDINGS.contains(&ending));
        let is_config = may_be_yaml || ending.as_deref() == Some(".config");
        match (reader, metadata) {
            ("host_list" | "advanced_host_list", Err(_)) if source.contains(',') => Some(self.host_list(source, reader != "host_list")),
            ("script", Ok(metadata)) if metadata.permissions().mode() & 0o111 != 0 => Some(script::read(&mut self.inventory, path)),
            ("auto", Ok(_)) if may_be_yaml => self.plugin_file(path, None).transpose(),
            ("constructed" | "generator", Ok(_)) if is_config => self.plugin_file(path, Some(reader)).transpose(),
            ("yaml", Ok(_)) if may_be_yaml => Some(self.yaml(path)),
            ("toml", Ok(_)) if ending.as_deref() == Some(".toml") => Some(self.toml(path)),
            ("ini", Ok(_)) if ending.as_deref() != Some(".toml") => Some(self.ini(path, source)),
            _ => None,
        }
    }

    fn host_list(&mut self, source: &str, with_ranges: bool) -> Read {
        let span = Span::origin("<command line>");
        for name in source.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let (hosts, port) = if with_ranges {
                match address::expand(name) {
                    Ok(expanded) => expanded,
                    Err(error @ InventoryError::Range { problem: address::NOT_COUNTABLE, .. }) => return Err(error.at(&span)),
                    Err(error) => {
                        let message = format!("Unable to parse address from hostname, leaving unchanged: {error}");
                        self.warnings.push(Diagnostic::warning(message));
                        (vec![name.to_owned()], None)
                    }
                }
            } else {
                let (host, port) = address::split_port(name).ok().filter(|(host, _)| !host.contains('[')).unwrap_or((name, None));
                (vec![host.to_owned()], port)
            };
            for host in hosts {
                if self.inventory.hosts.get(host.as_str()).is_none() {
                    self.inventory.add_host(&host, Some("ungrouped"), port, &span);
                }
            }
        }
        Ok(())
    }

    fn document(&mut self, path: &Path) -> Result<Node, Diagnostic> {
        let (text, _) = read_text(path, &self.context.secrets)?;
        let (document, warnings) = yaml::load_one(&text, &path.to_string_lossy())?;
        self.warnings.extend(warnings.into_iter().filter(|warning| !self.warnings.contains(warning)).collect::<Vec<_>>());
        Ok(document)
    }

    fn yaml(&mut self, path: &Path) -> Read {
        let document = self.document(path)?;
        if let Some(plugin) = document.get("plugin") {
            return Err(Diagnostic::error("this is the configuration of an inventory plugin, and no YAML inventory").at(&plugin.span));
        }
        if !document.to_value().is_truthy() {
            return Err(Diagnostic::error("this YAML inventory is empty").at(&document.span));
        }
        structured::read_yaml(&mut self.inventory, &document, &mut self.warnings)
    }

    fn toml(&mut self, path: &Path) -> Read {
        let (text, _) = read_text(path, &self.context.secrets)?;
        structured::read_yaml(&mut self.inventory, &toml::groups(&text, path)?, &mut self.warnings)
    }

    fn ini(&mut self, path: &Path, source: &str) -> Read {
        let (text, _) = read_text(path, &self.context.secrets)?;
        ini::read(&mut self.inventory, &text, &source.into())
    }

    /// Reads the file if it is the configuration of a plugin.
    fn plugin_file(&mut self, path: &Path, wanted: Option<&str>) -> Result<Option<()>, Diagnostic> {
        // What is no YAML is the YAML reader's to complain about.
        let Ok(document) = self.document(path) else { return Ok(None) };
        let Some(plugin) = document.get("plugin") else { return Ok(None) };
        let name = plugin.as_str().unwrap_or_default();
        let name = name.strip_prefix("ansible.builtin.").unwrap_or(name);
        if wanted.is_some_and(|wanted| wanted != name) {
            return Ok(None);
        }
        let expressions =
            self.context.expressions.ok_or_else(|| Diagnostic::error("inventory plugins are not available here").at(&plugin.span))?;
        match name {
            "constructed" => constructed::read(&mut self.inventory, &document, expressions),
            "generator" => generator::read(&mut self.inventory, &document, expressions),
            _ => Err(Diagnostic::error(format!("the inventory plugin `{name}` is not known"))
                .at(&plugin.span)
                .did_you_mean(name, ["constructed", "generator"])
                .help("a script that prints JSON on `--list` can stand in for any plugin")),
        }
        .map(Some)
    }

    fn failed(&mut self, source: &str, mut failures: Vec<Diagnostic>) -> Result<bool, Diagnostic> {
        let path = Path::new(source);
        if source == DEFAULT_SOURCE && !path.exists() {
            return Ok(false);
        }
        // Of a file that says by its name what it is, only that reader's reason is of use; else the last reader's, INI's.
        let is_yaml = path.extension().is_some_and(|ending| ending == "toml" || ENDINGS.iter().any(|known| known[1..] == *ending));
        let is_script = std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0);
        let reason = if failures.is_empty() {
            None
        } else if is_yaml || is_script {
            Some(failures.swap_remove(0))
        } else {
            failures.pop()
        };
        let message = format!("unable to parse `{source}` as an inventory source");
        let summary = match &reason {
            Some(reason) => Diagnostic {
                labels: reason.labels.clone(),
                help: reason.help.clone(),
                ..Diagnostic::error(&message).cause(&reason.message)
            },
            None if !path.exists() => {
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                Diagnostic::error(&message).cause("there is no such file").help(format!("a host is given as a list: `-i {name},`"))
            }
            None => Diagnostic::error(&message).cause("no reader that is enabled takes this kind of file"),
        };
        let summary = reason.into_iter().flat_map(|reason| reason.causes).fold(summary, Diagnostic::cause);
        if self.context.any_unparsed_is_failed {
            return Err(summary);
        }
        self.warnings.push(Diagnostic { severity: crate::base::Severity::Warning, ..summary });
        Ok(false)
    }

    fn check_names(&mut self) {
        for name in self.inventory.ambiguous_names() {
            self.warnings
                .push(Diagnostic::warning(format!("`{name}` is the name of a group and of a host: patterns take it for the group")));
        }
        let listed = |names: Vec<&str>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let replaced = &mut self.inventory.replaced_names;
        replaced.sort();
        replaced.dedup();
        let (names, done) = match self.context.group_names {
            GroupNames::Warn => {
                (self.inventory.groups.keys().map(AsRef::as_ref).filter(|name| ODD_NAME.is_match(name)).collect(), "but not")
            }
            GroupNames::Replace => (replaced.iter().map(String::as_str).collect(), "and automatically"),
            GroupNames::Ignore | GroupNames::ReplaceSilently => (Vec::new(), ""),
        };
        if !names.is_empty() {
            // Ansible's own words: scripts look for them.
            let message = format!("Invalid characters were found in group names {done} replaced: {}", listed(names));
            self.warnings.push(Diagnostic::warning(message).help("letters, digits and `_` work everywhere"));
        }
    }
}
