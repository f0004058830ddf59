//! The inventory's layers for one host, laid over each other as documented in Ansible's "Understanding variable precedence".

use std::sync::Arc;

use crate::base::Diagnostic;
use crate::language::Vars;

use super::settings::HashBehaviour;
use super::state::{Run, read};

/// Group variables by depth and priority (inventory, then `group_vars` beside the inventory, then beside the playbook; `all` below the other
/// groups), then the host's own the same way.
///
/// # Errors
/// A file cannot be read, parsed or decrypted.
pub fn inventory_vars(run: &Run, host: &Arc<str>) -> Result<Vars, Diagnostic> {
    let merges = run.request.settings.hash_behaviour == HashBehaviour::Merge;
    let mut merged = Vars::new();
    for layer in read(&run.inventory).layers(host, &run.playbook_folders)? {
        let layer = layer.variables.iter().map(|(name, node)| (name.clone(), node.clone()));
        super::combine::extend(&mut merged, layer, merges);
    }
    Ok(merged)
}
