//! Where the file of a module is, as ansible-core searches: beside playbooks, in roles that came so far, in the configured folders; a
//! collection's under its full name, or its short one where `collections` names it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::actions;
use crate::engine::keywords::list_of;
use crate::engine::state::{Run, read};
use crate::language::Task;
use crate::modules;

use super::CustomModule;

/// The module that the project means by an action's name; none where Hostler's own is meant, or there is none.
pub fn find(run: &Run, task: &Task) -> Option<CustomModule> {
    let name = task.action.name.as_ref();
    let bare = name.strip_prefix("ansible.legacy.").unwrap_or(name);
    if actions::NAMES.contains(&task.short_action()) || name.contains("{{") {
        return None;
    }
    let (roles, collections) = (read(&run.roles.found), collections(task));
    let key = format!("{name} {collections:?} {}", roles.len());
    run.library.remembered(key, || {
        if !bare.contains('.') {
            let folders = folders(run, &roles);
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

/// The folders of modules, the first one wins: of playbooks, of roles in the order they came, those that are set.
fn folders(run: &Run, roles: &[PathBuf]) -> Vec<PathBuf> {
    let beside = run.playbook_folders.iter().chain(roles).map(|folder| folder.join("library"));
    beside.chain(run.request.settings.library.iter().cloned()).filter(|folder| folder.is_dir()).collect()
}

/// The modules of the project's own folders, for "did you mean".
pub fn names(run: &Run) -> Vec<String> {
    let entries = folders(run, &read(&run.roles.found)).into_iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
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
fn collection_of(role: &Path) -> Option<String> {
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
    let action = Some(plugins.join("action").join(format!("{module}.py"))).filter(|path| path.is_file());
    Some(CustomModule { path, collection: Some(collection.to_owned()), action, utils: Vec::new() })
}

/// One of ansible-core's own that Hostler has none of, where this machine has an Ansible.
fn of_ansible(run: &Run, module: &str) -> Option<CustomModule> {
    let core: Arc<_> = run.library.core().ok()?;
    let path = module_in(&core.modules, module)?;
    Some(CustomModule { path, collection: None, action: None, utils: Vec::new() })
}

fn in_folders(libraries: &[PathBuf], name: &str) -> Option<CustomModule> {
    let path = libraries.iter().find_map(|folder| module_in(folder, name))?;
    let beside = |library: &Path| library.parent().map(|folder| folder.join("module_utils"));
    let folders = path.parent().into_iter().chain(libraries.iter().map(PathBuf::as_path));
    let utils = folders.filter_map(beside).filter(|folder| folder.is_dir()).collect();
    let plugin = |library: &PathBuf| library.parent().map(|folder| folder.join("action_plugins").join(format!("{name}.py")));
    let action = libraries.iter().filter_map(plugin).find(|path| path.is_file());
    Some(CustomModule { path, collection: None, action, utils })
}

/// Endings of files that are no modules.
const NO_MODULES: &[&str] =
    &["pyc", "pyo", "md", "rst", "txt", "yml", "yaml", "json", "ini", "cfg", "ps1", "cs", "bak", "orig", "in", "retry"];

/// A module's file in a folder: by its name, whatever its ending.
fn module_in(folder: &Path, name: &str) -> Option<PathBuf> {
    let exact = [format!("{name}.py"), name.to_owned()].map(|file| folder.join(file));
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
    fn a_module_with_a_plugin_on_the_controller_is_refused_with_its_reason() {
        let folder = tempfile::tempdir().expect("folder");
        for file in ["library/one.py", "library/two.py", "action_plugins/two.py"] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().expect("has one")).expect("makes");
            std::fs::write(path, "from ansible.module_utils.basic import AnsibleModule").expect("writes");
        }
        let found = |name: &str| in_folders(&[folder.path().join("library")], name).expect("is found");
        assert_eq!(found("one").action, None);
        assert_eq!(super::super::kind_of(&found("two")).err().map(|why| why.contains("no action plugins in Python")), Some(true));
    }

    #[test]
    fn a_role_of_a_collection_names_its_collection() {
        let role = Path::new("/srv/ansible_collections/our/own/roles/web");
        assert_eq!(collection_of(role).as_deref(), Some("our.own"));
        assert_eq!(collection_of(Path::new("/srv/roles/web")), None);
    }
}
