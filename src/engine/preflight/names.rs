//! Undefined variables, found before the run. Only what is certain is told: a name that a task is sure to read, in a run where everything that
//! could define it is known and does not.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::{Diagnostic, Node, NodeKind, Span};
use crate::engine::keywords::list_of;
use crate::engine::library;
use crate::engine::state::{Run, read};
use crate::language::{Block, Entry, Item, Role, Task, Vars};
use crate::template::FileOptions;

use super::certain::{is_sure_to_be_selected, may_fail_or_not_run};

/// Names that tasks of these plays need and nothing defines.
pub fn check<'a>(run: &Arc<Run>, entries: impl Iterator<Item = &'a Entry> + Clone) -> Vec<Diagnostic> {
    let mut needed = Needed { run, wanted: Vec::new() };
    entries.clone().for_each(|entry| needed.entry(entry));
    let mut known = Known {
        run,
        names: BTreeSet::new(),
        sealed: Vec::new(),
        inventory_is_known: false,
        is_open: run.request.settings.fact_caching != "memory",
    };
    if needed.wanted.iter().any(|(name, _)| !is_always_there(name)) {
        entries.for_each(|entry| known.entry(entry));
    }
    if known.is_open {
        return Vec::new();
    }
    let mut told = BTreeSet::new();
    let mut once = |span: &Span| told.insert((span.file.clone(), span.line, span.column));
    let mut unknown = Vec::new();
    let mut findings = Vec::new();
    for (name, span) in needed.wanted.into_iter().filter(|(name, _)| !is_always_there(name)) {
        match known.definition(&name) {
            Definition::Known => {}
            Definition::Missing => unknown.extend(once(&span).then_some((name, span))),
            Definition::Sealed(error) => findings.extend(error.span().is_none_or(&mut once).then_some(error)),
        }
    }
    findings.extend(unknown.into_iter().map(|(name, span)| {
        let close = known.names.iter().map(String::as_str).filter(|other| other.len() > 2);
        let error = Diagnostic::error(format!("`{name}` is undefined")).at(&span).did_you_mean(&name, close);
        error.help("no play, role, inventory, file of variables or task of this run defines it")
    }));
    findings
}

enum Definition {
    /// It is there, or may be.
    Known,
    Missing,
    /// All that is there are vault texts, and one of them opens with no password that was given.
    Sealed(Diagnostic),
}

/// Facts, magic names, and what modules bring as facts without Ansible's prefix.
fn is_always_there(name: &str) -> bool {
    const FACTS: &[&str] = &["discovered_interpreter_python", "getent_", "mount_points", "packages", "services"];
    const MAGIC: &[&str] =
        &["environment", "group_names", "groups", "hostvars", "item", "omit", "play_hosts", "role_name", "role_names", "role_path", "vars"];
    name.starts_with("ansible_")
        || name.starts_with("inventory_")
        || name.starts_with("playbook_")
        || name.starts_with("module_setup")
        || name == "gather_subset"
        || MAGIC.contains(&name)
        || FACTS.iter().any(|fact| name == *fact || (fact.ends_with('_') && name.starts_with(fact)))
}

/// What the tasks are sure to read.
struct Needed<'a> {
    run: &'a Arc<Run>,
    wanted: Vec<(Arc<str>, Span)>,
}

impl Needed<'_> {
    fn entry(&mut self, entry: &Entry) {
        for task in super::uncaught_tasks(self.run, &entry.play) {
            self.task(&task, entry);
        }
    }

    fn task(&mut self, task: &Task, entry: &Entry) {
        if may_fail_or_not_run(self.run, &entry.play, task) || !is_sure_to_be_selected(self.run, task) || task.is_meta() {
            return;
        }
        let arguments = &task.action.arguments;
        let evaluates_itself = matches!(task.short_action(), "assert" | "debug" | "set_fact" | "validate_argument_spec");
        if !evaluates_itself {
            for (_, node) in &arguments.options {
                self.wanted.extend(self.run.templar.needed_names(node));
            }
        }
        if let Some(message) = arguments.get("msg").filter(|_| task.short_action() == "debug") {
            self.wanted.extend(self.run.templar.needed_names(message));
        }
        for node in arguments.raw.iter().chain(&arguments.whole) {
            self.wanted.extend(self.run.templar.needed_names(node));
        }
        if task.short_action() == "template" {
            self.template_file(task, entry);
        }
    }

    fn template_file(&mut self, task: &Task, entry: &Entry) {
        let arguments = &task.action.arguments;
        // With marks of its own the text is another language.
        if arguments.options.iter().any(|(name, _)| name.ends_with("_string")) {
            return;
        }
        let Some(source) = arguments.get("src").filter(|node| !node.is_template()).and_then(Node::as_str) else { return };
        let Some(path) = super::search_path(self.run, task, entry).find("templates", Path::new(source)) else { return };
        let Ok(text) = std::fs::read_to_string(&path) else { return };
        let span = Span::new(super::shown(&path), 1, 1);
        let from_template = [
            "template_host",
            "template_uid",
            "template_path",
            "template_fullpath",
            "template_destpath",
            "template_mtime",
            "template_run_date",
        ];
        let needed = self.run.templar.needed_names_of_file(&text, &span, &FileOptions::default());
        self.wanted.extend(needed.into_iter().filter(|(name, _)| !from_template.contains(&name.as_ref())));
    }
}

/// What may be defined somewhere.
struct Known<'a> {
    run: &'a Arc<Run>,
    names: BTreeSet<String>,
    /// Variables that are vault texts, by name.
    sealed: Vec<(Arc<str>, Node)>,
    inventory_is_known: bool,
    /// Something may define names that cannot be known before it runs.
    is_open: bool,
}

impl Known<'_> {
    fn definition(&mut self, name: &str) -> Definition {
        if self.names.contains(name) || self.run.extra_vars.contains_key(name) {
            return Definition::Known;
        }
        self.inventory();
        if self.is_open || self.names.contains(name) {
            return Definition::Known;
        }
        let sealed = self.sealed.iter().filter(|(sealed, _)| sealed.as_ref() == name);
        let mut opened = sealed.map(|(_, node)| match &node.kind {
            NodeKind::Vault(cipher) => {
                (self.run.controller.decrypt)(cipher).map(drop).map_err(|error| Diagnostic { labels: Vec::new(), ..error }.at(&node.span))
            }
            _ => Ok(()),
        });
        match opened.find(Result::is_err) {
            Some(Err(error)) => Definition::Sealed(error),
            _ if self.sealed.iter().any(|(sealed, _)| sealed.as_ref() == name) => Definition::Known,
            _ => Definition::Missing,
        }
    }

    /// What the inventory says of any host.
    fn inventory(&mut self) {
        if std::mem::replace(&mut self.inventory_is_known, true) {
            return;
        }
        let hosts: Vec<Arc<str>> = read(&self.run.inventory).hosts().map(|host| host.name.clone()).collect();
        for host in hosts.into_iter().chain([Arc::from("localhost")]) {
            match crate::engine::precedence::inventory_vars(self.run, &host) {
                Ok(vars) => self.vars(&vars),
                // A host that no play is for: its files are nobody's concern, but they may define the name.
                Err(_) => self.is_open = true,
            }
        }
    }

    fn vars(&mut self, vars: &Vars) {
        for (name, node) in vars {
            match node.kind {
                NodeKind::Vault(_) => self.sealed.push((name.clone(), node.clone())),
                _ => drop(self.names.insert(name.to_string())),
            }
        }
    }

    fn entry(&mut self, entry: &Entry) {
        let play = &entry.play;
        self.vars(&play.scope.vars);
        for prompt in play.keyword("vars_prompt").into_iter().flat_map(list_of) {
            self.names.extend(prompt.get("name").and_then(Node::as_str).map(str::to_owned));
        }
        let folder = self.run.playbook_folder(&entry.file);
        for file in play.keyword("vars_files").into_iter().flat_map(list_of) {
            match file.as_str().filter(|_| !file.is_template()) {
                Some(path) => self.keys_of(&[folder.join("vars").join(path), folder.join(path)]),
                None => self.is_open = true,
            }
        }
        for role in play.static_roles() {
            self.role(&role);
        }
        for block in &play.roles {
            self.block(block, entry);
        }
        for items in [&play.pre_tasks, &play.tasks, &play.post_tasks, &play.handlers] {
            self.items(items, entry);
        }
    }

    fn role(&mut self, role: &Role) {
        for vars in [&role.defaults, &role.vars, &role.params] {
            self.vars(vars);
        }
        // What a specification lists and nobody gives, its validation tells.
        let specified = role.argument_spec.as_ref().and_then(|spec| spec.get("options")).and_then(Node::as_map);
        self.names.extend(specified.into_iter().flatten().map(|(name, _)| name.to_key().to_string()));
        role.dependencies.iter().for_each(|role| self.role(role));
        for item in &role.handlers {
            self.raw_item(item);
        }
    }

    fn raw_item(&mut self, item: &Item) {
        match item {
            Item::Task(task) => self.own_names(task),
            Item::Block(block) => block.body.iter().chain(&block.rescue).chain(&block.always).for_each(|item| self.raw_item(item)),
        }
    }

    fn items(&mut self, items: &[Item], entry: &Entry) {
        for item in items {
            match item {
                Item::Task(task) => self.task(task, entry),
                Item::Block(block) => self.block(block, entry),
            }
        }
    }

    fn block(&mut self, block: &Block, entry: &Entry) {
        for scope in block.scope.chain() {
            self.vars(&scope.vars);
            if let Some(role) = &scope.role {
                self.role(role);
            }
        }
        for items in [&block.body, &block.rescue, &block.always] {
            self.items(items, entry);
        }
    }

    fn own_names(&mut self, task: &Task) {
        self.vars(&task.vars);
        task.scope.chain().for_each(|scope| self.vars(&scope.vars));
        self.names.extend(task.own("register").and_then(Node::as_str).map(str::to_owned));
        if let Some(control) = task.own("loop_control") {
            for word in ["loop_var", "index_var"] {
                self.names.extend(control.get(word).and_then(Node::as_str).map(str::to_owned));
            }
            self.is_open |= control.is_template();
        }
        match task.short_action() {
            "set_fact" => {
                self.is_open |= !task.action.arguments.whole.is_empty() || task.action.arguments.raw.is_some();
                for (name, _) in &task.action.arguments.options {
                    self.is_open |= name.contains("{{");
                    self.names.insert(name.clone());
                }
            }
            "add_host" | "group_by" | "include_vars" | "import_role" | "set_stats" => self.is_open = true,
            "meta" => self.is_open |= task.action.arguments.raw.as_ref().is_some_and(|raw| raw.as_str() == Some("refresh_inventory")),
            action if action.contains("{{") => self.is_open = true,
            // Whatever facts the project's own code brings.
            _ => self.is_open |= library::may_bring_facts(self.run, task),
        }
    }

    fn task(&mut self, task: &Task, entry: &Entry) {
        let was_open = self.is_open;
        self.own_names(task);
        let arguments = &task.action.arguments;
        let given = |names: &[&str]| names.iter().find_map(|name| arguments.get(name)).or(arguments.raw.as_ref());
        match task.short_action() {
            "include_vars" => {
                let file = given(&["file"]).filter(|node| !node.is_template() && arguments.get("dir").is_none()).and_then(Node::as_str);
                let found = file.and_then(|file| super::search_path(self.run, task, entry).find("vars", Path::new(file)));
                if let Some(path) = found {
                    self.is_open = was_open;
                    self.names.extend(arguments.get("name").and_then(Node::as_str).map(str::to_owned));
                    self.keys_of(&[path]);
                }
            }
            "include_tasks" => {
                let file = given(&["file"]).filter(|node| !node.is_template()).and_then(Node::as_str);
                match file.and_then(|file| super::search_path(self.run, task, entry).find("tasks", Path::new(file))) {
                    Some(path) => self.file(&path),
                    // A file that is nowhere defines nothing, and is told of as such.
                    None => self.is_open |= file.is_none(),
                }
            }
            "include_role" => {
                let name = given(&["name", "role"]).filter(|node| !node.is_template()).and_then(Node::as_str);
                match name.and_then(|name| self.run.roles.find(name, task.scope.role.as_deref())) {
                    Some(folder) => self.folder(&folder),
                    None => self.is_open = true,
                }
            }
            _ => {}
        }
    }

    /// The variables of the first of these files that is there.
    fn keys_of(&mut self, paths: &[PathBuf]) {
        let found = paths.iter().find(|path| path.is_file()).and_then(|path| self.run.loader.load(path, None).ok());
        match found.as_ref().and_then(Node::as_map) {
            Some(entries) => self.names.extend(entries.iter().map(|(key, _)| key.to_key().to_string())),
            None => self.is_open |= found.is_none(),
        }
    }

    /// A role that an include brings: all that its files may define.
    fn folder(&mut self, role: &Path) {
        for part in ["defaults", "handlers", "meta", "tasks", "vars"] {
            let files = walkdir::WalkDir::new(role.join(part)).into_iter().filter_map(Result::ok);
            for file in files.filter(|file| file.file_type().is_file()) {
                self.file(file.path());
            }
        }
    }

    /// A file of tasks that an include brings: every key in it may be a variable, and so may what it registers.
    fn file(&mut self, path: &Path) {
        match self.run.loader.load(path, None) {
            Ok(node) => self.raw(&node),
            Err(_) => self.is_open = true,
        }
    }

    fn raw(&mut self, node: &Node) {
        match &node.kind {
            NodeKind::Seq(items) => items.iter().for_each(|item| self.raw(item)),
            NodeKind::Map(entries) => {
                for (key, value) in entries.iter() {
                    let key = key.to_key().to_string();
                    match key.rsplit('.').next().unwrap_or_default() {
                        "include_tasks" | "include_role" | "include_vars" | "import_tasks" | "import_role" | "add_host" | "group_by"
                        | "roles" | "dependencies" => self.is_open = true,
                        "register" | "loop_var" | "index_var" | "name" => self.names.extend(value.as_str().map(str::to_owned)),
                        _ => {}
                    }
                    self.is_open |= key.contains("{{");
                    self.names.insert(key);
                    self.raw(value);
                }
            }
            // Free-form `set_fact: a=b`, `include_tasks: x.yml vars`.
            NodeKind::Str(text, _) => {
                self.names.extend(text.split_whitespace().filter_map(|word| word.split_once('=')).map(|(name, _)| name.to_owned()))
            }
            _ => {}
        }
    }
}
