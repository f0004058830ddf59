//! `hostler inventory`, which is also `ansible-inventory`: what the inventory says, as Ansible prints it.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::base::{Diagnostic, Map, Node, NodeKind, Redactor, Secret, Span, Value};
use crate::engine::request::ExtraVars;
use crate::engine::{Settings, inventories};
use crate::inventory::{Group, Inventory, Layer, Limit};
use crate::report::dump;
use crate::template::{Controller, Templar};
use crate::vault::Secrets;
use crate::yaml::{self, YamlStyle};

use super::environment::Environment;
use super::failure::{Failed, Outcome, print, warn};
use super::vault::VaultOptions;
use super::vault_sources::secrets;
use super::{extra_vars, settings};

/// What the run itself knows of a host, and no inventory says.
const INTERNAL: [&str; 6] = ["inventory_dir", "inventory_file", "inventory_hostname", "inventory_hostname_short", "group_names", "groups"];

/// Show hosts, groups and their variables
#[derive(Debug, Args)]
#[command(after_help = "Example: hostler inventory -i hosts --graph --vars")]
pub struct InventoryArgs {
    /// A group, for --graph
    group: Option<String>,
    /// Everything, as an inventory script prints it
    #[arg(long, conflicts_with_all = ["host", "graph"])]
    list: bool,
    /// The variables of one host
    #[arg(long, value_name = "NAME", conflicts_with = "graph")]
    host: Option<String>,
    /// A tree of groups and hosts
    #[arg(long)]
    graph: bool,
    /// YAML instead of JSON
    #[arg(short, long)]
    yaml: bool,
    /// Variables in the tree too
    #[arg(long)]
    vars: bool,
    /// Keep the variables of groups with the groups, as an inventory has them
    #[arg(long)]
    export: bool,
    /// Write to this file
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Inventory file or folder, or host list with a comma
    #[arg(short, long, alias = "inventory-file", value_name = "PATH|a,b,")]
    inventory: Vec<String>,
    /// Keep to these hosts
    #[arg(short, long, value_name = "PATTERN")]
    limit: Option<String>,
    /// Set variables; may stand several times
    #[arg(short, long, value_name = "k=v|JSON|@FILE")]
    extra_vars: Vec<String>,
    /// The folder whose group_vars and host_vars count as the playbook's
    #[arg(long, value_name = "FOLDER")]
    playbook_dir: Option<PathBuf>,
    // Nothing is kept of an inventory.
    #[arg(long, hide = true)]
    flush_cache: bool,
    #[command(flatten)]
    vault: VaultOptions,
}

pub fn run(args: InventoryArgs) -> Outcome {
    if !args.list && args.host.is_none() && !args.graph {
        return Err(Failed::option("No action selected, at least one of --host, --graph or --list needs to be specified."));
    }
    let environment = Environment::current()?;
    let (settings, _) = settings::resolve(&environment)?;
    let secrets = secrets(&args.vault.sources(&settings))?;
    let controller = Arc::new(controller(&secrets, &environment));
    let sources = sources(&args.inventory, &settings, &environment);
    let extra = extra(&args.extra_vars, &environment, &secrets)?;
    let named = extra.iter().map(|(name, node)| (Arc::from(name.to_key().to_string()), node.clone())).collect();
    let loaded = inventories::load(&sources, &settings, &secrets, &Templar::new(), &controller, &named)?;
    warn(&loaded.warnings);
    let folder = args.playbook_dir.clone().map(|folder| environment.directory.join(folder));
    let view = View {
        inventory: &loaded.inventory,
        folders: vec![folder.clone().unwrap_or_else(|| environment.directory.clone())],
        folders_named: folder.into_iter().collect(),
        is_export: args.export || settings.inventory_export,
        extra,
        secrets: &secrets,
        shows_variables: args.vars,
    };
    let text = view.text(&args)?;
    match &args.output {
        Some(path) => std::fs::write(path, text)
            .map(|()| 0)
            .map_err(|error| Diagnostic::error(format!("cannot write `{}`", path.display())).cause(error.to_string()).into()),
        None => print(&format!("{}\n", text)),
    }
}

fn controller(secrets: &Secrets, environment: &Environment) -> Controller {
    let has_secrets = !secrets.is_empty();
    let secrets = secrets.clone();
    let decrypt = move |text: &str| match secrets.decrypt_text(text) {
        Ok(plain) => Ok(Secret::new(plain)),
        Err(error) => Err(error.diagnostic(&Span::origin("<inventory>"))),
    };
    Controller {
        decrypt: Arc::new(decrypt),
        has_secrets,
        redactor: Redactor::default(),
        directory: environment.directory.clone(),
        ..Controller::default()
    }
}

fn sources(given: &[String], settings: &Settings, environment: &Environment) -> Vec<String> {
    if given.is_empty() {
        return settings.inventory.0.clone();
    }
    let resolve = |text: &String| match text.contains(',') {
        true => text.clone(),
        false => environment.paths().resolve(&environment.expand(text)).to_string_lossy().into_owned(),
    };
    given.iter().map(resolve).collect()
}

fn extra(texts: &[String], environment: &Environment, secrets: &Secrets) -> Result<Vec<(Node, Node)>, Failed> {
    let mut entries = Vec::new();
    for text in texts {
        let node = match extra_vars::parse(text, environment)? {
            None => continue,
            Some(ExtraVars::Given(node)) => node,
            Some(ExtraVars::File(path)) => {
                let unreadable =
                    |cause: String| Diagnostic::error(format!("cannot read the file `{}` of `-e`", path.display())).cause(cause);
                let text = std::fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
                let is_vault = crate::vault::is_vault(&text);
                let text =
                    if is_vault { secrets.decrypt_text(&text).map_err(|error| error.diagnostic(&Span::of_file(&path)))? } else { text };
                yaml::load_one(&text, &path.to_string_lossy())?.0
            }
        };
        entries.extend(node.as_map().unwrap_or_default().iter().cloned());
    }
    Ok(entries)
}

type Entries = Vec<(Node, Node)>;

fn key(text: &str) -> Node {
    Node::text(Span::origin("<inventory>"), text)
}

fn text_list(names: impl IntoIterator<Item = Arc<str>>) -> Node {
    Node::data(Span::origin("<inventory>"), Value::list(names))
}

fn map(entries: Entries) -> Node {
    Node::map(Span::origin("<inventory>"), entries)
}

struct View<'a> {
    inventory: &'a Inventory,
    /// Where the playbook's own variable files are, and where they are only if a folder was named.
    folders: Vec<PathBuf>,
    folders_named: Vec<PathBuf>,
    is_export: bool,
    extra: Entries,
    secrets: &'a Secrets,
    shows_variables: bool,
}

impl View<'_> {
    fn text(&self, args: &InventoryArgs) -> Result<String, Failed> {
        if args.graph {
            return self.graph(args.group.as_deref().unwrap_or("all"));
        }
        let node = match &args.host {
            Some(pattern) => {
                let selection = self.inventory.select(&[pattern], None)?;
                warn(&selection.unmatched);
                match selection.hosts.as_slice() {
                    [host] => self.host(host)?,
                    hosts => return Err(Failed::option(format!("`--host` takes one host, and `{pattern}` means {}", hosts.len()))),
                }
            }
            None => {
                let limit = args.limit.as_deref().map(Limit::parse).transpose()?;
                let selection = self.inventory.select(&["all"], limit.as_ref())?;
                warn(&selection.unmatched);
                if args.yaml { self.yaml_list(&selection.hosts)? } else { self.json_list(&selection.hosts)? }
            }
        };
        if args.yaml {
            Ok(yaml::node_to_yaml(&node, &YamlStyle::default()).trim_end().to_owned())
        } else {
            Ok(dump::json(&plain(&node, args.host.is_none()), Some(4)))
        }
    }

    /// Layers laid over each other.
    fn merged(&self, layers: Vec<Layer>, extra: &[(Node, Node)]) -> Entries {
        let mut merged = indexmap::IndexMap::new();
        for layer in layers {
            merged.extend(layer.variables.iter().map(|(name, node)| (name.to_string(), node.clone())));
        }
        merged.extend(extra.iter().map(|(name, node)| (name.to_key().to_string(), node.clone())));
        merged.retain(|name, _| !INTERNAL.contains(&name.as_str()));
        merged.into_iter().map(|(name, node)| (key(&name), node)).collect()
    }

    fn host(&self, host: &str) -> Result<Node, Diagnostic> {
        if !self.is_export {
            return Ok(map(self.merged(self.inventory.layers(host, &self.folders)?, &self.extra)));
        }
        let own = |layer: &Layer| layer.kind >= crate::inventory::LayerKind::Host;
        let layers = self.inventory.layers(host, &self.folders_named)?.into_iter().filter(own).collect();
        Ok(map(self.merged(layers, &[])))
    }

    fn group(&self, group: &Group) -> Result<Entries, Diagnostic> {
        let mut entries = self.merged(self.inventory.layers_of_group(&group.name, &self.folders_named)?, &[]);
        if group.priority != 1 {
            entries.push((key("ansible_group_priority"), Node::data(Span::origin("<inventory>"), group.priority.into())));
        }
        Ok(entries)
    }

    fn child<'b>(&'b self, name: &str) -> Option<&'b Group> {
        self.inventory.group(name)
    }

    fn json_list(&self, hosts: &[Arc<str>]) -> Result<Node, Diagnostic> {
        let allowed: HashSet<&Arc<str>> = hosts.iter().collect();
        let mut groups = Entries::new();
        let mut seen = HashSet::new();
        self.json_group("all", &allowed, &mut seen, &mut groups)?;
        let mut variables = Entries::new();
        for host in hosts {
            let node = self.host(host)?;
            if node.as_map().is_some_and(|entries| !entries.is_empty()) {
                variables.push((key(host), node));
            }
        }
        let profile = Node::data(Span::origin("<inventory>"), "inventory_legacy".into());
        groups.push((key("_meta"), map(vec![(key("hostvars"), map(variables)), (key("profile"), profile)])));
        Ok(map(groups))
    }

    fn json_group(
        &self,
        name: &str,
        allowed: &HashSet<&Arc<str>>,
        seen: &mut HashSet<Arc<str>>,
        groups: &mut Entries,
    ) -> Result<(), Diagnostic> {
        let Some(group) = self.child(name) else { return Ok(()) };
        let mut parts = Entries::new();
        let hosts: Vec<_> = group.hosts.iter().filter(|host| allowed.contains(host)).cloned().collect();
        if name != "all" && !hosts.is_empty() {
            parts.push((key("hosts"), text_list(hosts)));
        }
        if !group.children.is_empty() {
            parts.push((key("children"), text_list(group.children.iter().cloned())));
        }
        for child in &group.children {
            if seen.insert(child.clone()) {
                self.json_group(child, allowed, seen, groups)?;
            }
        }
        let variables = if self.is_export { self.group(group)? } else { Entries::new() };
        if !variables.is_empty() {
            parts.push((key("vars"), map(variables)));
        }
        if !parts.is_empty() {
            groups.push((key(name), map(parts)));
        }
        Ok(())
    }

    fn yaml_list(&self, hosts: &[Arc<str>]) -> Result<Node, Diagnostic> {
        let allowed: HashSet<&Arc<str>> = hosts.iter().collect();
        let (mut seen_hosts, mut seen_groups) = (HashSet::new(), HashSet::new());
        let all = self.yaml_group("all", &allowed, &mut seen_hosts, &mut seen_groups)?;
        Ok(map(all.into_iter().collect()))
    }

    fn yaml_group(
        &self,
        name: &str,
        allowed: &HashSet<&Arc<str>>,
        seen_hosts: &mut HashSet<Arc<str>>,
        seen_groups: &mut HashSet<Arc<str>>,
    ) -> Result<Option<(Node, Node)>, Diagnostic> {
        let Some(group) = self.child(name) else { return Ok(None) };
        let mut parts = Entries::new();
        let mut children = Entries::new();
        for child in &group.children {
            if seen_groups.contains(child) {
                children.push((key(child), map(Entries::new())));
            } else {
                children.extend(self.yaml_group(child, allowed, seen_hosts, seen_groups)?);
                seen_groups.insert(child.clone());
            }
        }
        let mut hosts = Entries::new();
        for host in group.hosts.iter().filter(|host| name != "all" && allowed.contains(host)) {
            let is_first = seen_hosts.insert(host.clone());
            hosts.push((key(host), if is_first { self.host(host)? } else { map(Entries::new()) }));
        }
        let variables = if self.is_export { self.group(group)? } else { Entries::new() };
        for (part, entries) in [("children", children), ("hosts", hosts), ("vars", variables)] {
            if !entries.is_empty() {
                parts.push((key(part), map(entries)));
            }
        }
        Ok((!parts.is_empty()).then(|| (key(name), map(parts))))
    }

    fn graph(&self, name: &str) -> Result<String, Failed> {
        let Some(group) = self.child(name) else {
            let known: Vec<&str> = self.inventory.groups().map(|group| group.name.as_ref()).collect();
            return Err(Diagnostic::error(format!("Pattern must be valid group name when using --graph: `{name}` is none"))
                .did_you_mean(name, known)
                .into());
        };
        let mut lines = Vec::new();
        self.graph_group(group, 0, &mut lines)?;
        Ok(lines.join("\n"))
    }

    fn graph_group(&self, group: &Group, depth: usize, lines: &mut Vec<String>) -> Result<(), Diagnostic> {
        lines.push(branch(&format!("@{}:", group.name), depth));
        for child in group.children.iter().filter_map(|child| self.child(child)) {
            self.graph_group(child, depth + 1, lines)?;
        }
        for host in group.hosts.iter().filter(|_| group.name.as_ref() != "all") {
            lines.push(branch(host, depth + 1));
            if self.shows_variables {
                self.graph_variables(self.host(host)?.as_map().unwrap_or_default(), depth + 2, lines)?;
            }
        }
        if self.shows_variables {
            self.graph_variables(&self.group(group)?, depth + 1, lines)?;
        }
        Ok(())
    }

    fn graph_variables(&self, entries: &[(Node, Node)], depth: usize, lines: &mut Vec<String>) -> Result<(), Diagnostic> {
        let mut shown = Vec::new();
        for (name, node) in entries {
            let text = match &node.kind {
                NodeKind::Vault(text) => self.secrets.decrypt_text(text).map_err(|error| error.diagnostic(&node.span))?,
                _ => node.to_value().to_text(),
            };
            shown.push((name.to_key().to_string(), text));
        }
        shown.sort();
        lines.extend(shown.iter().map(|(name, text)| branch(&format!("{{{name} = {text}}}"), depth)));
        Ok(())
    }
}

fn branch(text: &str, depth: usize) -> String {
    if depth == 0 { text.to_owned() } else { format!("{}--{text}", "  |".repeat(depth)) }
}

/// A node as JSON has it: encrypted text, and in whole inventories what must not become a template, carry Ansible's marks.
fn plain(node: &Node, marks_unsafe: bool) -> Value {
    let marked = |mark: &str, text: &Arc<str>| Value::map([(mark, Value::Str(text.clone()))]);
    match &node.kind {
        NodeKind::Vault(text) => marked("__ansible_vault", text),
        NodeKind::Unsafe(text) if marks_unsafe => marked("__ansible_unsafe", text),
        NodeKind::Seq(items) => Value::list(items.iter().map(|item| plain(item, marks_unsafe))),
        NodeKind::Map(entries) => entries.iter().map(|(name, value)| (name.to_key(), plain(value, marks_unsafe))).collect::<Map>().into(),
        _ => node.to_value(),
    }
}
