//! What modules in Python need around them: the `module_utils` of the Ansible that is installed on this machine, of collections, and of the
//! project. Hostler brings none of its own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

use crate::engine::state::Run;

use super::CustomModule;
use super::find::collection_folder;

/// The installed ansible-core, as far as its modules need it.
#[derive(Debug)]
pub struct Core {
    /// `ansible/module_utils` and what makes it a package, packed for the agent.
    pub archive: Vec<u8>,
    /// The interpreter that knows it.
    pub python: PathBuf,
    /// The folder of its modules.
    pub modules: PathBuf,
    /// The folder that it is installed in: collections may be beside it.
    pub beside: PathBuf,
}

/// The package that `import ansible` finds on the host.
fn package(folder: &Path) -> String {
    let release = std::fs::read_to_string(folder.join("release.py")).unwrap_or_default();
    let version = release.lines().filter(|line| line.starts_with("__version__") || line.starts_with("__author__"));
    version.map(|line| format!("{line}\n")).collect()
}

impl Core {
    /// Looks for the Python that Ansible is installed for.
    ///
    /// # Errors
    /// A sentence: there is none.
    pub fn find() -> Result<Core, String> {
        let (folder, python) = pythons().into_iter().find_map(|python| Some((folder_of(&python)?, PathBuf::from(python)))).ok_or_else(|| {
            "modules and plugins in Python need the library of ansible-core, which is not installed on this machine: install `ansible-core`".to_owned()
        })?;
        let mut files = files_below(&folder.join("module_utils"), Path::new("ansible/module_utils"));
        files.push(("ansible/__init__.py".into(), package(&folder).into_bytes()));
        files.sort();
        let archive = crate::system::library::pack(&files).map_err(|error| format!("cannot pack `{}`: {error}", folder.display()))?;
        Ok(Core { archive, python, modules: folder.join("modules"), beside: folder.parent().map(Path::to_owned).unwrap_or_default() })
    }
}

/// Interpreters that may know Ansible: those that its programs are run by, then the usual one.
fn pythons() -> Vec<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let programs = std::env::split_paths(&path).flat_map(|folder| ["ansible-playbook", "ansible"].map(|program| folder.join(program)));
    let named = programs.filter_map(|program| {
        let mut start = [0; 256];
        let mut file = std::fs::File::open(program).ok()?;
        let count = std::io::Read::read(&mut file, &mut start).ok()?;
        let text = String::from_utf8_lossy(&start[..count]).into_owned();
        let line = text.strip_prefix("#!")?.lines().next()?;
        line.split_whitespace().find(|word| word.contains("python")).map(str::to_owned)
    });
    let mut found: Vec<String> = Vec::new();
    for python in named.chain(["python3".to_owned()]) {
        if !found.contains(&python) {
            found.push(python);
        }
    }
    found
}

/// The folder of the package `ansible` that an interpreter finds.
fn folder_of(python: &str) -> Option<PathBuf> {
    let program = "import ansible.module_utils.basic, os; print(os.path.dirname(os.path.dirname(ansible.module_utils.__file__)))";
    let output = Command::new(python).args(["-c", program]).output().ok().filter(|output| output.status.success())?;
    let folder = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    folder.join("module_utils/basic.py").is_file().then_some(folder)
}

/// The Python files below a folder, under the path they are to have.
fn files_below(folder: &Path, place: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let (path, place) = (entry.path(), place.join(entry.file_name()));
        if path.is_dir() {
            found.extend(files_below(&path, &place));
        } else if path.extension().is_some_and(|ending| ending == "py")
            && let Ok(content) = std::fs::read(&path)
        {
            found.push((place, content));
        }
    }
    found
}

/// What is laid out beside a module: the project's own `module_utils`, and those of each collection that it or they name.
pub fn companions(run: &Run, text: &str, module: &CustomModule) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    let own = run.request.settings.module_utils.iter().chain(module.utils.iter().rev());
    for folder in own {
        for (path, content) in files_below(folder, Path::new("ansible/module_utils")) {
            files.retain(|(known, _)| *known != path);
            files.push((path, content));
        }
    }
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut wanted: Vec<String> = module.collection.iter().cloned().collect();
    wanted.extend(collections_in(text));
    wanted.extend(files.iter().flat_map(|(_, content)| collections_in(&String::from_utf8_lossy(content))));
    while let Some(collection) = wanted.pop() {
        if !known.insert(collection.clone()) {
            continue;
        }
        let Some(folder) = collection_folder(run, &collection) else { continue };
        let place = Path::new("ansible_collections").join(collection.replace('.', "/")).join("plugins/module_utils");
        let found = files_below(&folder.join("plugins/module_utils"), &place);
        wanted.extend(found.iter().flat_map(|(_, content)| collections_in(&String::from_utf8_lossy(content))));
        files.extend(found);
    }
    files.into_iter().map(|(path, content)| (path.to_string_lossy().into_owned(), content)).collect()
}

/// Collections whose `module_utils` a text names.
fn collections_in(text: &str) -> Vec<String> {
    let Ok(named) = Regex::new(r"ansible_collections\.(\w+\.\w+)\.plugins\.module_utils") else { return Vec::new() };
    named.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collections_are_known_by_what_is_imported_of_them() {
        let text = "from ansible_collections.our.own.plugins.module_utils.api import call\nimport json\n";
        assert_eq!(collections_in(text), ["our.own"]);
    }
}
