//! Files of the project that tasks name and that are not there, found before the run. A run that works on this machine too may make its files
//! on the way: there nothing is said.

use std::path::Path;
use std::sync::Arc;

use crate::base::{Diagnostic, Node};
use crate::engine::library;
use crate::engine::state::Run;
use crate::language::{Entry, Item, Task};

use super::certain::{is_sure_to_be_selected, may_fail_or_not_run};

/// Files that tasks of these plays are sure to read and that are nowhere.
pub fn check<'a>(run: &Arc<Run>, entries: impl Iterator<Item = &'a Entry>) -> Vec<Diagnostic> {
    let mut search = Search { run, findings: Vec::new(), works_here: false };
    entries.for_each(|entry| search.entry(entry));
    if search.works_here { Vec::new() } else { search.findings }
}

struct Search<'a> {
    run: &'a Arc<Run>,
    findings: Vec<Diagnostic>,
    works_here: bool,
}

impl Search<'_> {
    fn entry(&mut self, entry: &Entry) {
        let play = &entry.play;
        let is_local =
            |node: &Node| node.as_str().is_none_or(|text| text.contains("local") || text.contains("127.") || text.contains("{{"));
        self.works_here |= is_local(&play.hosts) && play.hosts.as_seq().is_none();
        self.works_here |= play.hosts.as_seq().is_some_and(|hosts| hosts.iter().any(is_local));
        self.works_here |= self.run.request.settings.transport == "local";
        let lists = [&play.pre_tasks, &play.tasks, &play.post_tasks, &play.handlers].into_iter().flatten().flat_map(Item::tasks);
        let of_roles = play.roles.iter().cloned().map(Item::Block).flat_map(|role| role.tasks());
        self.works_here |= lists.chain(of_roles).any(|task| {
            let is_elsewhere = ["delegate_to", "connection", "local_action"].iter().any(|word| task.keyword(word).is_some());
            is_elsewhere || task.short_action() == "fetch"
        });
        for task in super::uncaught_tasks(self.run, play) {
            self.task(&task, entry);
        }
    }

    fn task(&mut self, task: &Task, entry: &Entry) {
        if may_fail_or_not_run(self.run, &entry.play, task) || !is_sure_to_be_selected(self.run, task) {
            return;
        }
        if library::action(self.run, task).is_some() {
            return;
        }
        let arguments = &task.action.arguments;
        let (kind, node) = match task.short_action() {
            "template" => ("templates", arguments.get("src")),
            "copy" | "unarchive" if arguments.get("remote_src").is_none() && arguments.get("copy").is_none() => {
                ("files", arguments.get("src"))
            }
            "include_tasks" => ("tasks", arguments.get("file").or(arguments.raw.as_ref())),
            "include_vars" if arguments.get("dir").is_none() => ("vars", arguments.get("file").or(arguments.raw.as_ref())),
            _ => return,
        };
        let Some(node) = node.filter(|node| !node.is_template() && arguments.whole.is_empty()) else { return };
        let Some(name) = node.as_str().filter(|name| !name.is_empty() && !name.contains("://") && !name.starts_with(['/', '~'])) else {
            return;
        };
        let search = super::search_path(self.run, task, entry);
        if search.find(kind, Path::new(name)).is_some() {
            return;
        }
        let candidates = search.candidates(kind, Path::new(name));
        let beside: Vec<String> = candidates.iter().filter_map(|path| path.parent()).flat_map(names_in).collect();
        let searched: Vec<String> = candidates.iter().map(|path| super::shown(path)).collect();
        let error = Diagnostic::error(format!("there is no file `{name}`")).at(&node.span);
        self.findings
            .push(error.did_you_mean(name, beside.iter().map(String::as_str)).help(format!("looked for in {}", searched.join(", "))));
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
