//! Plays.

use std::sync::Arc;

use crate::base::{Diagnostic, Node, Span};

use super::item::{Block, Item, Scope, ScopeKind, Vars};
use super::keywords::{Keywords, Object, not_a_keyword};
use super::parser::Parser;
use super::role::Role;

/// A play as it was written, its roles and static imports resolved.
#[derive(Debug)]
pub struct Play {
    pub span: Span,
    pub name: Option<Node>,
    /// A pattern, or a list of patterns.
    pub hosts: Node,
    pub keywords: Keywords,
    pub scope: Arc<Scope>,
    pub pre_tasks: Vec<Item>,
    /// One block a role.
    pub roles: Vec<Arc<Block>>,
    pub tasks: Vec<Item>,
    pub post_tasks: Vec<Item>,
    /// The play's own handlers.
    pub handlers: Vec<Item>,
}

impl Play {
    /// Every role that is known before the play runs, dependencies too.
    pub fn static_roles(&self) -> Vec<Arc<Role>> {
        let mut found = Vec::new();
        let items = self.pre_tasks.iter().chain(&self.tasks).chain(&self.post_tasks);
        for block in &self.roles {
            collect_block(block, &mut found);
        }
        for item in items {
            collect(item, &mut found);
        }
        found
    }

    pub fn keyword(&self, word: &str) -> Option<&Node> {
        self.keywords.get(word)
    }

    /// The questions of `vars_prompt`, each a mapping with a `name`.
    pub fn prompts(&self) -> &[Node] {
        self.keyword("vars_prompt").map(prompts_of).unwrap_or_default()
    }
}

/// What a question may say.
const PROMPT: &[&str] = &["confirm", "default", "encrypt", "name", "private", "prompt", "salt", "salt_size", "unsafe"];

/// One question may stand without a list.
fn prompts_of(node: &Node) -> &[Node] {
    match node.as_seq() {
        Some(prompts) => prompts,
        None if node.is_null() => &[],
        None => std::slice::from_ref(node),
    }
}

fn wrong_prompt(prompt: &Node) -> Option<Diagnostic> {
    let wrong = |what: &str, place: &Node| Diagnostic::error(format!("Invalid vars_prompt data structure, {what}")).at(&place.span);
    if prompt.get("name").is_none() {
        return Some(wrong("missing 'name' key", prompt));
    }
    let mut keys = prompt.as_map().unwrap_or_default().iter().map(|(key, _)| key);
    let unknown = keys.find(|key| !key.as_str().is_some_and(|word| PROMPT.contains(&word)))?;
    let word = unknown.to_key().to_string();
    Some(wrong(&format!("found unsupported key '{word}'"), unknown).did_you_mean(&word, PROMPT.iter().copied()))
}

/// Every role that stands in these items without an include, dependencies too.
pub fn roles_in(items: &[Item]) -> Vec<Arc<Role>> {
    let mut found = Vec::new();
    items.iter().for_each(|item| collect(item, &mut found));
    found
}

fn collect(item: &Item, found: &mut Vec<Arc<Role>>) {
    if let Item::Block(block) = item {
        collect_block(block, found);
    }
}

fn collect_block(block: &Block, found: &mut Vec<Arc<Role>>) {
    for item in block.body.iter().chain(&block.rescue).chain(&block.always) {
        collect(item, found);
    }
    if let Some(role) = &block.role_run
        && !found.iter().any(|known| Arc::ptr_eq(known, role))
    {
        found.push(role.clone());
    }
}

impl Parser<'_> {
    /// Reads one play. `file` is the playbook; `outer` what an `import_playbook` puts around it.
    pub(super) fn play(&mut self, node: &Node, file: &Arc<str>, outer: Option<&(Keywords, Vars)>) -> Option<Play> {
        let entries = node.as_map()?;
        let (mut keywords, others) = Keywords::split(Object::Play, entries);
        for (word, key, _) in &others {
            self.findings.push(not_a_keyword(Object::Play, word, key));
        }
        let hosts = match keywords.get("hosts") {
            Some(hosts) if !hosts.is_null() && hosts.as_seq().is_none_or(|hosts| !hosts.is_empty()) => hosts.clone(),
            Some(hosts) => {
                self.findings.push(Diagnostic::error("Hosts list cannot be empty. Please check your playbook").at(&hosts.span));
                return None;
            }
            None => {
                self.findings.push(Diagnostic::error("the field 'hosts' is required but was not set").at(&node.span));
                return None;
            }
        };
        if let (Some(user), Some(_)) = (keywords.get("user"), keywords.get("remote_user")) {
            let error = Diagnostic::error("both 'user' and 'remote_user' are set for this play. The use of 'user' is deprecated");
            self.findings.push(error.at(&user.span).help("remove `user`"));
        }
        if let Some(user) = keywords.get("user").cloned() {
            keywords.remove("user");
            keywords.set("remote_user", user);
        }
        self.findings.extend(keywords.get("vars_prompt").map(prompts_of).unwrap_or_default().iter().filter_map(wrong_prompt));
        let mut vars = self.vars(&mut keywords);
        if let Some((_, outer_vars)) = outer {
            // Variables of the import win over the play's own, as include parameters do.
            vars.extend(outer_vars.clone());
        }
        let part = |word: &str| keywords.get(word).cloned().unwrap_or_else(|| Node::null(node.span.clone()));
        let parts = ["pre_tasks", "roles", "tasks", "post_tasks", "handlers"].map(part);
        for (word, node) in [("pre_tasks", &parts[0]), ("tasks", &parts[2]), ("post_tasks", &parts[3]), ("handlers", &parts[4])] {
            if node.as_seq().is_none() && !node.is_null() {
                let what = format!("{} should be a list or None but is {}", node.to_value().to_text(), node.type_name());
                let message = format!("A malformed block was encountered while loading {word}: {what}");
                self.findings.push(Diagnostic::error(message).at(&node.span).help("each task starts with `- `"));
                return None;
            }
        }
        let name = keywords.get("name").cloned().filter(|name| !name.is_null());
        let mut own = keywords.clone();
        for word in ["pre_tasks", "roles", "tasks", "post_tasks", "handlers", "name", "hosts"] {
            own.remove(word);
        }
        let base = outer.map(|(keywords, _)| Arc::new(play_scope(keywords.clone(), Vars::new(), file, None)));
        let scope = Arc::new(play_scope(own, vars, file, base));
        let [pre_tasks, roles, tasks, post_tasks, handlers] = parts;
        Some(Play {
            span: node.span.clone(),
            name,
            hosts,
            scope: scope.clone(),
            pre_tasks: self.tasks(&pre_tasks, &scope),
            roles: self.play_roles(&roles, &scope),
            tasks: self.tasks(&tasks, &scope),
            post_tasks: self.tasks(&post_tasks, &scope),
            handlers: self.handlers(&handlers, &scope),
            keywords,
        })
    }

    fn play_roles(&mut self, node: &Node, scope: &Arc<Scope>) -> Vec<Arc<Block>> {
        if node.is_null() {
            return Vec::new();
        }
        let Some(entries) = node.as_seq() else {
            self.findings.push(
                Diagnostic::error(format!("A malformed role declaration was encountered. `roles` is a list, not {}", node.type_name()))
                    .at(&node.span),
            );
            return Vec::new();
        };
        entries.iter().filter_map(|entry| self.role_entry(entry, scope)).map(Arc::new).collect()
    }
}

fn play_scope(keywords: Keywords, vars: Vars, file: &Arc<str>, parent: Option<Arc<Scope>>) -> Scope {
    Scope { kind: ScopeKind::Play, keywords, vars: Arc::new(vars), role: None, begins_role: false, file: Some(file.clone()), parent }
}
