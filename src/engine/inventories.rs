//! Reading inventories as the settings say, with the template engine for plugin files.

use std::sync::Arc;

use crate::base::{Diagnostic, Node, Value};
use crate::inventory::{self, Expressions, GroupNames, Inventory, LoadContext, Loaded};
use crate::template::{Context, Controller, SearchPath, Templar, Variable, Variables};
use crate::vault::Secrets;

use super::settings::{GroupCharacters, HashBehaviour, Settings};

/// Reads the inventories of a run.
///
/// # Errors
/// When a setting makes an inventory that cannot be read an error; else that is one of the warnings.
pub fn load(
    sources: &[String],
    settings: &Settings,
    secrets: &Secrets,
    templar: &Templar,
    controller: &Arc<Controller>,
    extra: &inventory::Variables,
) -> Result<Loaded, Diagnostic> {
    let expressions = PluginExpressions { templar, controller, extra };
    let context = LoadContext {
        secrets: secrets.clone(),
        enabled: settings.inventory_enabled.clone(),
        ignored_endings: settings.inventory_ignore_extensions.clone(),
        ignored_patterns: settings.inventory_ignore_patterns.clone(),
        group_names: match settings.transform_invalid_group_chars {
            GroupCharacters::Always => GroupNames::Replace,
            GroupCharacters::Silently => GroupNames::ReplaceSilently,
            GroupCharacters::Never => GroupNames::Warn,
            GroupCharacters::Ignore => GroupNames::Ignore,
        },
        any_unparsed_is_failed: settings.inventory_any_unparsed_is_failed,
        unparsed_is_failed: settings.inventory_unparsed_is_failed,
        warn_when_unparsed: settings.inventory_unparsed_warning,
        merges: settings.hash_behaviour == HashBehaviour::Merge,
        expressions: Some(&expressions),
    };
    Inventory::load(sources, &context)
}

struct PluginExpressions<'a> {
    templar: &'a Templar,
    controller: &'a Arc<Controller>,
    extra: &'a inventory::Variables,
}

impl PluginExpressions<'_> {
    fn context(&self, variables: &inventory::Variables) -> Context {
        Context { variables: Arc::new(Plugin(variables.clone())), search: SearchPath::default(), controller: self.controller.clone() }
    }
}

impl Expressions for PluginExpressions<'_> {
    fn evaluate(&self, expression: &str, origin: &Node, variables: &inventory::Variables) -> Result<Value, Diagnostic> {
        Ok(self.templar.evaluate(expression, &origin.span, &self.context(variables))?)
    }

    fn render(&self, source: &Node, variables: &inventory::Variables) -> Result<Value, Diagnostic> {
        Ok(self.templar.render(source, &self.context(variables))?)
    }

    fn extra_variables(&self) -> &inventory::Variables {
        self.extra
    }
}

/// What a plugin file sees of a host.
struct Plugin(inventory::Variables);

impl Variables for Plugin {
    fn get(&self, name: &str) -> Option<Variable> {
        self.0.get(name).cloned().map(Variable::Source)
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().map(ToString::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugin_files_are_rendered_over_what_hosts_have() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("writes");
            path.to_string_lossy().into_owned()
        };
        let sources = [
            file("hosts", "w1 os=Debian release=\"{{ 6 * 2 }}\"\n"),
            file(
                "made.yml",
                "plugin: ansible.builtin.constructed\nstrict: true\ncompose: {label: os | lower}\nkeyed_groups: [{key: release | string, prefix: r}]\ngroups: {old: release | int < 13}\n",
            ),
        ];
        let settings = Settings::new(folder.path());
        let loaded =
            load(&sources, &settings, &Secrets::default(), &Templar::new(), &Arc::default(), &inventory::Variables::new()).expect("loads");
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        let host = loaded.inventory.host("w1").expect("is there");
        assert_eq!(host.variables["label"].as_str(), Some("debian"));
        assert_eq!(loaded.inventory.group_names("w1").iter().map(AsRef::as_ref).collect::<Vec<_>>(), ["old", "r_12"]);
    }
}
