//! Files of variables that the run is sure to read, read now: one that is broken or opens with no password that was given is told
//! before any host is touched.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crate::base::{Diagnostic, Node};
use crate::engine::keywords::list_of;
use crate::engine::precedence;
use crate::engine::state::Run;
use crate::inventory::Limit;
use crate::language::{Entry, Task};

use super::certain::{is_sure_to_be_selected, may_fail_or_not_run};

/// What is wrong with them, each thing once.
pub fn check<'a>(run: &Arc<Run>, entries: impl Iterator<Item = &'a Entry>) -> Vec<Diagnostic> {
    let mut reading = Reading { run, hosts: BTreeSet::new(), findings: Vec::new() };
    entries.for_each(|entry| reading.entry(entry));
    reading.findings
}

struct Reading<'a> {
    run: &'a Arc<Run>,
    /// Those whose variables were read.
    hosts: BTreeSet<Arc<str>>,
    findings: Vec<Diagnostic>,
}

impl Reading<'_> {
    fn entry(&mut self, entry: &Entry) {
        let limit = self.run.request.limit.as_deref().and_then(|limit| Limit::parse(limit).ok());
        let hosts = super::hosts(self.run, &entry.play, limit.as_ref()).unwrap_or_default();
        if hosts.is_empty() {
            return;
        }
        for host in hosts {
            if self.hosts.insert(host.clone()) {
                let read = precedence::inventory_vars(self.run, &host).map(drop);
                self.note(read);
            }
        }
        for file in entry.play.keyword("vars_files").into_iter().flat_map(list_of) {
            self.vars_file(&file, entry);
        }
        for task in super::uncaught_tasks(self.run, &entry.play) {
            self.include(&task, entry);
        }
    }

    /// One of `vars_files`. One that is not there yet may be made by a play before.
    fn vars_file(&mut self, file: &Node, entry: &Entry) {
        let folder = self.run.playbook_folder(&entry.file);
        let Some(path) = file.as_str().filter(|_| !file.is_template()) else { return };
        let candidates = [folder.join("vars").join(path), folder.join(path)];
        if let Some(path) = candidates.iter().find(|path| path.is_file()) {
            let read = self.run.loader.load(path, Some(&file.span)).map(drop);
            self.note(read);
        }
    }

    fn include(&mut self, task: &Task, entry: &Entry) {
        let arguments = &task.action.arguments;
        if task.short_action() != "include_vars"
            || may_fail_or_not_run(self.run, &entry.play, task)
            || !is_sure_to_be_selected(self.run, task)
        {
            return;
        }
        let Some(file) = arguments.get("file").or(arguments.raw.as_ref()).filter(|node| !node.is_template()) else { return };
        let found = file.as_str().and_then(|name| super::search_path(self.run, task, entry).find("vars", Path::new(name)));
        if let Some(path) = found {
            let read = self.run.loader.load(&path, Some(&file.span)).map(drop);
            self.note(read);
        }
    }

    fn note(&mut self, read: Result<(), Diagnostic>) {
        if let Err(finding) = read
            && !self.findings.contains(&finding)
        {
            self.findings.push(finding);
        }
    }
}
