//! Where the file of a module or an action plugin is, as ansible-core searches: beside playbooks, in roles that came so far, in the configured folders; a
//! collection's under its full name, or its short one where `collections` names it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::engine::actions;
use crate::engine::keywords::list_of;
use crate::engine::state::{Run, lock, read};
use crate::language::Task;
use crate::modules;

use super::{ActionPlugin, CustomModule};

/// The module that the project means by an action's name; none where Hostler's own is meant, or there is none.
pub fn find(run: &Run, task: &Task) -> Option<CustomModule> {
    if actions::NAMES.contains(&task.short_action()) { None } else { module(run, task) }
}

/// The same, where the module itself is meant and not the action that comes before it.
pub fn module(run: &Run, task: &Task) -> Option<CustomModule> {
    let name = task.action.name.as_ref();
    let bare = name.strip_prefix("ansible.legacy.").unwrap_or(name);
    if name.contains("{{") {
        return None;
    }
    let (roles, collections) = (read(&run.roles.found), collections(task));
    remembered(&run.library.found, key(name, &collections, &roles), || {
        if !bare.contains('.') {
            let folders = modules_of(run, &roles);
            let own = in_folders(&folders, bare);
            // What the project brings is meant, even where Hostler has one of that name.
            if own.is_some() || modules::find(bare).is_some() {
                return own;
            }
            return collections.iter().find_map(|collection| of_collection(run, collection, bare)).or_else(|| of_ansible(run, bare));
        }
        if modules::find(name).is_some() {
            return None;
        }
        if let Some(short) = name.strip_prefix("ansible.builtin.") {
            return of_ansible(run, short);
        }
        let mut parts = name.splitn(3, '.');
        let (space, collection, module) = (parts.next()?, parts.next()?, parts.next()?);
        of_collection(run, &format!("{space}.{collection}"), module)
    })
}

/// A plugin on the controller that the project means by an action's name. It goes before a module of that name, which it may call.
pub fn action(run: &Run, task: &Task) -> Option<ActionPlugin> {
    let name = task.action.name.as_ref();
    let bare = name.strip_prefix("ansible.legacy.").unwrap_or(name);
    if name.contains("{{") || task.is_include() || task.is_meta() {
        return None;
    }
    let (roles, collections) = (read(&run.roles.found), collections(task));
    remembered(&run.library.actions, key(name, &collections, &roles), || {
        let is_native = modules::find(bare).is_some() || actions::NAMES.contains(&task.short_action());
        if !bare.contains('.') {
            let folders = actions_of(run, &roles);
            if let Some(own) = folders.iter().find_map(|folder| action_in(folder, bare, bare)) {
                return Some(own);
            }
            let of_one = |collection: &String| action_of_collection(run, collection, bare);
            return if is_native { None } else { collections.iter().find_map(of_one) };
        }
        let mut parts = name.splitn(3, '.');
        let (space, collection, action) = (parts.next()?, parts.next()?, parts.next()?);
        if is_native { None } else { action_of_collection(run, &format!("{space}.{collection}"), action) }
    })
}

fn action_of_collection(run: &Run, collection: &str, action: &str) -> Option<ActionPlugin> {
    let folder = collection_folder(run, collection)?;
    // A module may be left to an action of another name.
    let other = || {
        let name = routed(&folder, action, "action_plugin")?;
        let (collection, action) = name.rsplit_once('.')?;
        own_action(&collection_folder(run, collection)?, &name, action)
    };
    own_action(&folder, &format!("{collection}.{action}"), action).or_else(other)
}

fn own_action(collection: &Path, name: &str, action: &str) -> Option<ActionPlugin> {
    action_in(&collection.join("plugins/action"), &action.replace('.', "/"), name)
}

/// What a collection says of a module in its `meta/runtime.yml`.
fn routed(collection: &Path, module: &str, word: &str) -> Option<String> {
    let path = collection.join("meta/runtime.yml");
    let text = std::fs::read_to_string(&path).ok().filter(|text| text.contains(word))?;
    let (node, _) = crate::yaml::load_one(&text, &path.to_string_lossy()).ok()?;
    Some(node.get("plugin_routing")?.get("modules")?.get(module)?.get(word)?.as_str()?.to_owned())
}

/// The plugin of a file in a folder, under the name that it is loaded by.
fn action_in(folder: &Path, file: &str, name: &str) -> Option<ActionPlugin> {
    let text = std::fs::read_to_string(folder.join(format!("{file}.py"))).ok()?;
    Some(ActionPlugin {
        name: name.to_owned(),
        is_for_all: text.contains("BYPASS_HOST_LOOP = True"),
        takes_text: text.contains("supports_raw_params = True"),
    })
}

/// What a name means depends on these.
fn key(name: &str, collections: &[String], roles: &[PathBuf]) -> String {
    format!("{name} {collections:?} {}", roles.len())
}

/// Looks something up once in a run.
fn remembered<T: Clone>(known: &Mutex<HashMap<String, Option<T>>>, key: String, find: impl FnOnce() -> Option<T>) -> Option<T> {
    lock(known).entry(key).or_insert_with(find).clone()
}

/// The folders of modules, the first one wins.
pub(super) fn modules_of(run: &Run, roles: &[PathBuf]) -> Vec<PathBuf> {
    folders(run, roles, "library", &run.request.settings.library)
}

/// The folders of action plugins, the first one wins.
pub(super) fn actions_of(run: &Run, roles: &[PathBuf]) -> Vec<PathBuf> {
    folders(run, roles, "action_plugins", &run.request.settings.action_plugins)
}

/// Folders of one name beside playbooks, in roles in the order they came, and those that are set.
fn folders(run: &Run, roles: &[PathBuf], name: &str, set: &[PathBuf]) -> Vec<PathBuf> {
    let beside = run.playbook_folders.iter().chain(roles).map(|folder| folder.join(name));
    beside.chain(set.iter().cloned()).filter(|folder| folder.is_dir()).collect()
}

/// The modules and action plugins of the project's own folders, for "did you mean".
pub fn names(run: &Run) -> Vec<String> {
    let roles = read(&run.roles.found);
    let folders = modules_of(run, &roles).into_iter().chain(actions_of(run, &roles));
    let entries = folders.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let files = entries.map(|entry| entry.path()).filter(|path| path.is_file() && is_module(path));
    files.filter_map(|path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned())).collect()
}

/// Collections whose modules may be named by their short names here: the role's own, those that its `meta` lists, then those of the task.
fn collections(task: &Task) -> Vec<String> {
    let role = task.scope.chain().find_map(|scope| scope.role.as_ref());
    let of_roles = role.into_iter().flat_map(|role| collection_of(&role.path).into_iter().chain(role.collections.iter().cloned()));
    let listed = task.keyword("collections").map(list_of).unwrap_or_default();
    of_roles.chain(listed.iter().filter_map(|node| node.as_str().map(str::to_owned))).collect()
}

/// The collection that a role's folder is in.
pub(super) fn collection_of(role: &Path) -> Option<String> {
    let collection = role.parent().filter(|parent| parent.ends_with("roles"))?.parent()?;
    let space = collection.parent().filter(|space| space.parent().is_some_and(|root| root.ends_with("ansible_collections")))?;
    Some(format!("{}.{}", space.file_name()?.to_string_lossy(), collection.file_name()?.to_string_lossy()))
}

/// The folder of a collection.
pub(super) fn collection_folder(run: &Run, collection: &str) -> Option<PathBuf> {
    let place = Path::new("ansible_collections").join(collection.replace('.', "/"));
    let installed = || run.library.core().ok().map(|core| core.beside.join(&place)).filter(|folder| folder.is_dir());
    run.roles.collections.iter().map(|folder| folder.join(&place)).find(|folder| folder.is_dir()).or_else(installed)
}

fn of_collection(run: &Run, collection: &str, module: &str) -> Option<CustomModule> {
    let plugins = collection_folder(run, collection)?.join("plugins");
    let path = module_in(&plugins.join("modules"), &module.replace('.', "/"))?;
    Some(CustomModule { path, collection: Some(collection.to_owned()), utils: Vec::new() })
}

/// One of ansible-core's own that Hostler has none of, where this machine has an Ansible.
fn of_ansible(run: &Run, module: &str) -> Option<CustomModule> {
    let core: Arc<_> = run.library.core().ok()?;
    let path = module_in(&core.modules, module)?;
    Some(CustomModule { path, collection: None, utils: Vec::new() })
}

fn in_folders(libraries: &[PathBuf], name: &str) -> Option<CustomModule> {
    let path = libraries.iter().find_map(|folder| module_in(folder, name))?;
    let beside = |library: &Path| library.parent().map(|folder| folder.join("module_utils"));
    let folders = path.parent().into_iter().chain(libraries.iter().map(PathBuf::as_path));
    let utils = folders.filter_map(beside).filter(|folder| folder.is_dir()).collect();
    Some(CustomModule { path, collection: None, utils })
}

/// Endings of files that are no modules.
const NO_MODULES: &[&str] =
    &["pyc", "pyo", "md", "rst", "txt", "yml", "yaml", "json", "ini", "cfg", "ps1", "cs", "bak", "orig", "in", "retry"];

/// A module's file in a folder: by its name, whatever its ending.
fn module_in(folder: &Path, name: &str) -> Option<PathBuf> {
    // One that is deprecated has a line before its name.
    let exact = [format!("{name}.py"), name.to_owned(), format!("_{name}.py"), format!("_{name}")].map(|file| folder.join(file));
    if let Some(found) = exact.into_iter().find(|path| path.is_file()) {
        return Some(found);
    }
    let wanted = folder.join(name);
    let entries = std::fs::read_dir(wanted.parent()?).ok()?.flatten().map(|entry| entry.path());
    let is_it = |path: &PathBuf| path.file_stem() == wanted.file_name() && path.is_file() && is_module(path);
    let mut found: Vec<PathBuf> = entries.filter(is_it).collect();
    found.sort();
    found.into_iter().next()
}

fn is_module(path: &Path) -> bool {
    path.extension().is_none_or(|ending| !NO_MODULES.contains(&ending.to_string_lossy().as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_found_by_its_name_whatever_its_ending() {
        let folder = tempfile::tempdir().expect("folder");
        for file in ["one.py", "two", "three.sh", "four.yml", "one.md"] {
            std::fs::write(folder.path().join(file), "").expect("writes");
        }
        let found =
            |name: &str| module_in(folder.path(), name).map(|path| path.file_name().expect("has one").to_string_lossy().into_owned());
        assert_eq!(
            ["one", "two", "three", "four", "five"].map(found),
            [Some("one.py".into()), Some("two".into()), Some("three.sh".into()), None, None]
        );
    }

    #[test]
    fn a_role_of_a_collection_names_its_collection() {
        let role = Path::new("/srv/ansible_collections/our/own/roles/web");
        assert_eq!(collection_of(role).as_deref(), Some("our.own"));
        assert_eq!(collection_of(Path::new("/srv/roles/web")), None);
    }
}
