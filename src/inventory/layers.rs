//! The variables that an inventory gives a host, layer by layer: the engine merges them, and `explain` shows who won.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::{Diagnostic, Node, Span, Value};

use super::data::Inventory;
use super::files::Variables;

/// Where a layer of variables comes from, the weakest first: Ansible's `VARIABLE_PRECEDENCE`, then what is said about the host itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LayerKind {
    /// The group `all`, in the inventory itself.
    All,
    /// The other groups, in the inventory itself.
    Groups,
    /// `group_vars/all` beside the inventory.
    AllBesideInventory,
    /// `group_vars/all` beside the playbook.
    AllBesidePlaybook,
    /// `group_vars/*` beside the inventory.
    GroupsBesideInventory,
    /// `group_vars/*` beside the playbook.
    GroupsBesidePlaybook,
    /// The host, in the inventory itself.
    Host,
    /// `host_vars/*` beside the inventory.
    HostBesideInventory,
    /// `host_vars/*` beside the playbook.
    HostBesidePlaybook,
}

/// Variables of one origin.
#[derive(Clone, Debug)]
pub struct Layer {
    pub kind: LayerKind,
    /// The group or host that they are said about.
    pub owner: Arc<str>,
    pub variables: Arc<Variables>,
    /// Whether they stand in a file that is encrypted as a whole.
    pub is_encrypted: bool,
}

const GROUP_VARS: &str = "group_vars";
const HOST_VARS: &str = "host_vars";

impl Inventory {
    /// What the inventory and the `group_vars` and `host_vars` beside it and beside the given folders say about a host. The weakest
    /// layer is the first. Files are read once; none is read before it is needed.
    ///
    /// # Errors
    /// What is wrong with a file, at its place.
    pub fn layers(&self, host: &str, playbook_folders: &[PathBuf]) -> Result<Vec<Layer>, Diagnostic> {
        let groups: Vec<Arc<str>> =
            self.groups_of(host).into_iter().map(|group| group.name.clone()).filter(|name| name.as_ref() != "all").collect();
        let all: [Arc<str>; 1] = ["all".into()];
        let own: Vec<Arc<str>> = self.host(host).map(|host| host.name.clone()).into_iter().collect();
        let beside_inventory = self.files.beside_inventory.as_slice();
        let mut layers = self.group_layers(LayerKind::All, &all);
        layers.extend(self.group_layers(LayerKind::Groups, &groups));
        self.file_layers(LayerKind::AllBesideInventory, beside_inventory, GROUP_VARS, &all, &mut layers)?;
        self.file_layers(LayerKind::AllBesidePlaybook, playbook_folders, GROUP_VARS, &all, &mut layers)?;
        self.file_layers(LayerKind::GroupsBesideInventory, beside_inventory, GROUP_VARS, &groups, &mut layers)?;
        self.file_layers(LayerKind::GroupsBesidePlaybook, playbook_folders, GROUP_VARS, &groups, &mut layers)?;
        layers.extend(self.host_layer(host));
        self.file_layers(LayerKind::HostBesideInventory, beside_inventory, HOST_VARS, &own, &mut layers)?;
        self.file_layers(LayerKind::HostBesidePlaybook, playbook_folders, HOST_VARS, &own, &mut layers)?;
        Ok(layers)
    }

    /// What the inventory and the files beside it and beside the given folders say about a group itself.
    ///
    /// # Errors
    /// What is wrong with a file, at its place.
    pub fn layers_of_group(&self, group: &str, playbook_folders: &[PathBuf]) -> Result<Vec<Layer>, Diagnostic> {
        let names: [Arc<str>; 1] = [group.into()];
        let mut layers = self.group_layers(LayerKind::Groups, &names);
        self.file_layers(LayerKind::GroupsBesideInventory, &self.files.beside_inventory, GROUP_VARS, &names, &mut layers)?;
        self.file_layers(LayerKind::GroupsBesidePlaybook, playbook_folders, GROUP_VARS, &names, &mut layers)?;
        Ok(layers)
    }

    /// Reads every file that any host or group may need, and gives all that is wrong with them at once.
    pub fn check_files(&self, playbook_folders: &[PathBuf]) -> Vec<Diagnostic> {
        let folders: Vec<&PathBuf> = self.files.beside_inventory.iter().chain(playbook_folders).collect();
        let mut findings: Vec<Diagnostic> = Vec::new();
        let names = self.groups.keys().map(|name| (GROUP_VARS, name)).chain(self.hosts.keys().map(|name| (HOST_VARS, name)));
        for (folder, name) in names {
            for beside in &folders {
                if let Err(finding) = self.files.of(&beside.join(folder), name)
                    && !findings.contains(&finding)
                {
                    findings.push(finding);
                }
            }
        }
        findings.extend(self.files.take_warnings());
        findings
    }

    /// Reads variable files again when they are next needed.
    pub fn forget_files(&self) {
        self.files.forget();
    }

    fn group_layers(&self, kind: LayerKind, names: &[Arc<str>]) -> Vec<Layer> {
        let groups = names.iter().filter_map(|name| self.group(name)).filter(|group| !group.variables.is_empty());
        groups.map(|group| Layer { kind, owner: group.name.clone(), variables: group.variables.clone(), is_encrypted: false }).collect()
    }

    fn host_layer(&self, host: &str) -> Option<Layer> {
        let host = self.host(host)?;
        let mut variables = Variables::clone(&host.variables);
        if !host.is_implicit {
            let span = host.defined_in.as_deref().map_or_else(|| Span::origin("<added at run time>"), |source| Span::new(source, 0, 0));
            let folder = host.defined_in.as_deref().map(|source| folder_of(Path::new(source)).to_string_lossy().into_owned());
            let file: Value = host.defined_in.clone().map_or(Value::Null, Value::Str);
            variables.entry("inventory_file".into()).or_insert_with(|| Node::data(span.clone(), file));
            variables.entry("inventory_dir".into()).or_insert_with(|| Node::data(span, folder.into()));
        }
        Some(Layer { kind: LayerKind::Host, owner: host.name.clone(), variables: Arc::new(variables), is_encrypted: false })
    }

    fn file_layers(
        &self,
        kind: LayerKind,
        beside: &[PathBuf],
        folder: &str,
        names: &[Arc<str>],
        layers: &mut Vec<Layer>,
    ) -> Result<(), Diagnostic> {
        for path in beside {
            for name in names {
                let files = self.files.of(&path.join(folder), name)?;
                layers.extend(files.iter().map(|file| Layer {
                    kind,
                    owner: name.clone(),
                    variables: file.variables.clone(),
                    is_encrypted: file.is_encrypted,
                }));
            }
        }
        Ok(())
    }
}

/// The folder that belongs to a source: itself when it is one. What is no file (a list of hosts) has Python's `dirname`.
pub(super) fn folder_of(source: &Path) -> PathBuf {
    if source.is_dir() { source.to_owned() } else { source.parent().map(Path::to_owned).unwrap_or_default() }
}
