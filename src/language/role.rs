//! Roles: where they are, what they bring, and the blocks they become.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::{Diagnostic, Node, Span};

use super::imports::is_inside;
use super::item::{Block, Item, Scope, ScopeKind, Vars};
use super::keywords::{Keywords, Object};
use super::parser::{Parser, with_file};
use super::validation::validation;

/// A role as one place uses it.
#[derive(Clone, Debug)]
pub struct Role {
    /// As templates see it: `role_name`.
    pub name: Arc<str>,
    pub path: PathBuf,
    pub defaults: Arc<Vars>,
    pub vars: Arc<Vars>,
    /// `roles: - { role: x, port: 80 }`.
    pub params: Arc<Vars>,
    pub handlers: Vec<Item>,
    /// Roles it depends on, with theirs.
    pub dependencies: Vec<Arc<Role>>,
    pub allow_duplicates: bool,
    /// `collections` of its `meta/main.yml`: their modules have short names in it.
    pub collections: Vec<String>,
    /// What tells one use from another: name, parameters, files.
    pub identity: String,
    /// Set for `import_role`/`include_role` with `public: false`: its variables are not for tasks outside.
    pub is_public: bool,
    /// `meta/argument_specs.yml` of the entry point used.
    pub argument_spec: Option<Node>,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct RoleRequest {
    pub name: String,
    pub span: Span,
    pub keywords: Keywords,
    pub vars: Vars,
    pub params: Vars,
    pub tasks_from: Option<String>,
    pub vars_from: Option<String>,
    pub defaults_from: Option<String>,
    pub handlers_from: Option<String>,
    /// What an import or include says; else the role itself does.
    pub allow_duplicates: Option<bool>,
    pub is_import: bool,
    pub is_public: bool,
    /// Whether argument specs are checked.
    pub validate: bool,
    /// A role that another one depends on, or the play names.
    kind: ScopeKind,
}

impl RoleRequest {
    pub fn named(name: &str, span: &Span) -> Self {
        RoleRequest {
            name: name.to_owned(),
            span: span.clone(),
            keywords: Keywords::default(),
            vars: Vars::new(),
            params: Vars::new(),
            tasks_from: None,
            vars_from: None,
            defaults_from: None,
            handlers_from: None,
            allow_duplicates: None,
            is_import: false,
            is_public: true,
            validate: true,
            kind: ScopeKind::Role,
        }
    }

    /// The name of the file of tasks, without its ending.
    pub(super) fn entry_point(&self) -> &str {
        let entry = self.tasks_from.as_deref().unwrap_or("main");
        entry.strip_suffix(".yml").or_else(|| entry.strip_suffix(".yaml")).unwrap_or(entry)
    }

    /// What tells this use of a role from others: its parameters and conditions by what they say, not by where they stand.
    fn identity(&self, path: &Path) -> String {
        let vars =
            |vars: &Vars| vars.iter().map(|(name, node)| format!("{name}={}", node.to_value().to_repr())).collect::<Vec<_>>().join(",");
        let words = ["when", "tags"].map(|word| self.keywords.get(word).map(|node| node.to_value().to_repr()).unwrap_or_default());
        let from = [&self.tasks_from, &self.vars_from, &self.defaults_from, &self.handlers_from];
        format!("{} {} {} {words:?} {from:?}", path.display(), vars(&self.params), vars(&self.vars))
    }
}

impl Parser<'_> {
    /// An entry of `roles:` or of a role's `dependencies`.
    pub(super) fn role_entry(&mut self, node: &Node, scope: &Arc<Scope>) -> Option<Block> {
        if let Some(name) = node.as_str() {
            if name.contains(',') && !node.is_template() {
                let error = Diagnostic::error(format!("Invalid old style role requirement: {name}")).at(&node.span);
                self.findings.push(error.help("a role is written `role: NAME`, its version in the requirements file"));
                return None;
            }
            let rendered = self.rendered(node, name, scope)?;
            let is_public = !self.roles.private_vars;
            return self.role(&RoleRequest { is_public, ..RoleRequest::named(&rendered, &node.span) }, scope);
        }
        let Some(entries) = node.as_map() else {
            self.findings.push(Diagnostic::error(format!("a role is a name or a mapping, not {}", node.type_name())).at(&node.span));
            return None;
        };
        let (mut keywords, others) = Keywords::split(Object::Role, entries);
        let Some(name) = keywords.get("role").or_else(|| keywords.get("name")).or_else(|| node.get("src")).cloned() else {
            self.findings.push(Diagnostic::error("role definitions must contain a role name").at(&node.span));
            return None;
        };
        keywords.remove("role");
        keywords.remove("name");
        let rendered = self.rendered(&name, name.as_str().unwrap_or_default(), scope)?;
        let mut request = RoleRequest::named(&rendered, &name.span);
        request.is_public = !self.roles.private_vars;
        request.vars = self.vars(&mut keywords);
        request.keywords = keywords;
        for (word, key, value) in others.into_iter().filter(|(word, ..)| word != "src") {
            match word.as_str() {
                "tasks_from" => request.tasks_from = value.as_str().map(Into::into),
                "allow_duplicates" => request.allow_duplicates = Some(value.to_value().is_truthy()),
                _ => {
                    // Ansible takes any further word for a parameter of the role; a mistyped keyword deserves a word.
                    if let Some(close) = crate::base::closest(&word, Object::Role.words()).filter(|_| word.len() > 3) {
                        let warning = Diagnostic::warning(format!("`{word}` is taken for a parameter of the role `{rendered}`"));
                        self.findings.push(warning.at(&key.span).help(format!("if the keyword `{close}` is meant, correct it")));
                    }
                    request.params.insert(word.into(), value);
                }
            }
        }
        self.role(&request, scope)
    }

    fn rendered(&mut self, node: &Node, text: &str, scope: &Arc<Scope>) -> Option<String> {
        match (self.render)(node, scope) {
            Ok(name) => Some(name),
            Err(diagnostic) => {
                self.findings.push(diagnostic.cause(format!("the role name `{text}` must be known before the play runs")));
                None
            }
        }
    }

    /// A role with its dependencies, as the block of its tasks.
    pub fn role(&mut self, request: &RoleRequest, scope: &Arc<Scope>) -> Option<Block> {
        let near = scope.role.clone();
        let Some(path) = self.roles.find(&request.name, near.as_deref()) else {
            self.findings.extend(self.roles.missing(request, near.as_deref()));
            return None;
        };
        let span = request.span.clone();
        self.deeper(&span, |parser| parser.role_at(request, &path, scope))?
    }

    fn role_at(&mut self, request: &RoleRequest, path: &Path, scope: &Arc<Scope>) -> Option<Block> {
        let meta = self.role_file(path, "meta", None, &request.span).unwrap_or_else(|| Node::null(request.span.clone()));
        let outer = scope.inside(request.kind, request.keywords.clone(), request.vars.clone());
        let outer = self.shell_scope(request, path, &outer);
        let mut body: Vec<Item> = Vec::new();
        let mut dependencies = Vec::new();
        for dependency in meta.get("dependencies").and_then(Node::as_seq).unwrap_or_default() {
            if let Some(block) = self.role_entry(dependency, &outer) {
                dependencies.extend(block.role_run.clone());
                body.push(Item::Block(Arc::new(block)));
            }
        }
        let (role, inner) = self.role_itself(request, path, &outer, dependencies, &meta);
        let tasks = self.role_path(path, "tasks", request.tasks_from.as_deref());
        self.check_inside(path, request, &tasks);
        if request.tasks_from.is_some() && tasks.is_none() {
            let from = request.tasks_from.as_deref().unwrap_or_default();
            let message = format!("Could not find specified file in role: tasks/{from}");
            self.findings.push(Diagnostic::error(message).at(&request.span));
        }
        let mut items: Vec<Item> = validation(request, path, &role, &inner).into_iter().collect();
        if let Some(file) = &tasks {
            items.extend(self.file(file, &request.span, &with_file(&inner, file), false));
        }
        let own = Block {
            span: request.span.clone(),
            scope: inner,
            body: items,
            rescue: Vec::new(),
            always: Vec::new(),
            role_run: Some(role.clone()),
        };
        if body.is_empty() {
            return Some(own);
        }
        body.push(Item::Block(Arc::new(own)));
        Some(Block { span: request.span.clone(), scope: outer, body, rescue: Vec::new(), always: Vec::new(), role_run: Some(role) })
    }

    /// The scope around a role and its dependencies: it knows the role's folder, so that dependencies are found beside it.
    fn shell_scope(&self, request: &RoleRequest, path: &Path, outer: &Arc<Scope>) -> Arc<Scope> {
        let shell = Role {
            name: request.name.as_str().into(),
            path: path.to_owned(),
            defaults: Arc::default(),
            vars: Arc::default(),
            params: Arc::new(request.params.clone()),
            handlers: Vec::new(),
            dependencies: Vec::new(),
            allow_duplicates: true,
            collections: Vec::new(),
            identity: String::new(),
            is_public: true,
            argument_spec: None,
        };
        Arc::new(Scope {
            kind: outer.kind,
            keywords: outer.keywords.clone(),
            vars: outer.vars.clone(),
            role: Some(Arc::new(shell)),
            begins_role: false,
            file: outer.file.clone(),
            parent: outer.parent.clone(),
        })
    }

    fn role_itself(
        &mut self,
        request: &RoleRequest,
        path: &Path,
        outer: &Arc<Scope>,
        dependencies: Vec<Arc<Role>>,
        meta: &Node,
    ) -> (Arc<Role>, Arc<Scope>) {
        let load = |parser: &mut Self, part: &str, from: Option<&str>| {
            let node = parser.role_file(path, part, from, &request.span);
            Arc::new(node.map(|node| parser.vars_of(&node)).unwrap_or_default())
        };
        let defaults = load(self, "defaults", request.defaults_from.as_deref());
        let vars = load(self, "vars", request.vars_from.as_deref());
        let mut role = Role {
            name: request.name.as_str().into(),
            path: path.to_owned(),
            defaults,
            vars,
            params: Arc::new(request.params.clone()),
            handlers: Vec::new(),
            dependencies,
            allow_duplicates: request
                .allow_duplicates
                .unwrap_or_else(|| meta.get("allow_duplicates").is_some_and(|node| node.to_value().is_truthy())),
            collections: meta.get("collections").and_then(Node::as_seq).map(texts).unwrap_or_default(),
            identity: request.identity(path),
            is_public: request.is_public,
            argument_spec: if request.validate { self.argument_spec(path, request, meta) } else { None },
        };
        let scope_of = |role: Arc<Role>| {
            Arc::new(Scope {
                kind: ScopeKind::Role,
                keywords: Keywords::default(),
                vars: Arc::default(),
                role: Some(role),
                begins_role: true,
                file: None,
                parent: Some(outer.clone()),
            })
        };
        // Handlers stand in the role's scope, and the role knows its handlers: they are read in a scope that has everything but them.
        let handlers_file = self.role_path(path, "handlers", request.handlers_from.as_deref());
        let bare = Arc::new(Role { handlers: Vec::new(), ..copy_of(&role) });
        if let Some(file) = handlers_file {
            let scope = with_file(&scope_of(bare), &file);
            role.handlers = self.file(&file, &request.span, &scope, true);
        }
        let role = Arc::new(role);
        (role.clone(), scope_of(role))
    }

    /// A file that is asked for by name lies in the role.
    fn check_inside(&mut self, role: &Path, request: &RoleRequest, file: &Option<PathBuf>) {
        let folder = role.join("tasks");
        let Some(file) = file.as_ref().filter(|file| request.tasks_from.is_some() && !is_inside(file, &folder)) else { return };
        let message = format!(
            "Failed loading '{}' for role ({}) as it is not inside the expected role path: '{}'",
            file.display(),
            request.name,
            folder.display()
        );
        self.findings.push(Diagnostic::error(message).at(&request.span));
    }

    /// The spec of the entry point: `meta/argument_specs.yml`, or `argument_specs` in `meta/main.yml`.
    fn argument_spec(&mut self, path: &Path, request: &RoleRequest, meta: &Node) -> Option<Node> {
        let own = ["argument_specs.yml", "argument_specs.yaml"].iter().map(|name| path.join("meta").join(name)).find(|file| file.is_file());
        let specs = match own {
            Some(file) => self.loader.load(&file, Some(&request.span)).map_err(|finding| self.findings.push(finding)).ok()?,
            None => meta.clone(),
        };
        specs.get("argument_specs")?.get(request.entry_point()).cloned()
    }

    /// A file of a role: `PART/main.yml` and its other spellings, or the one asked for.
    fn role_path(&self, role: &Path, part: &str, from: Option<&str>) -> Option<PathBuf> {
        let folder = role.join(part);
        let name = from.unwrap_or("main");
        let candidates = [".yml", ".yaml", ".json", ""].iter().map(|ending| folder.join(format!("{name}{ending}")));
        candidates.into_iter().find(|file| file.is_file())
    }

    fn role_file(&mut self, role: &Path, part: &str, from: Option<&str>, asked_at: &Span) -> Option<Node> {
        let file = self.role_path(role, part, from);
        if file.is_none() {
            // `vars/main/` and `defaults/main/` may be folders of files.
            return self.role_folder(&role.join(part).join(from.unwrap_or("main")), asked_at);
        }
        self.loader.load(&file?, Some(asked_at)).map_err(|finding| self.findings.push(finding)).ok()
    }

    fn role_folder(&mut self, folder: &Path, asked_at: &Span) -> Option<Node> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|ending| ["yml", "yaml", "json"].iter().any(|known| ending == *known)));
        files.sort();
        let mut entries = Vec::new();
        for file in files {
            match self.loader.load(&file, Some(asked_at)) {
                Ok(node) => entries.extend(node.as_map().unwrap_or_default().iter().cloned()),
                Err(finding) => self.findings.push(finding),
            }
        }
        Some(Node::map(asked_at.clone(), entries))
    }
}

fn texts(nodes: &[Node]) -> Vec<String> {
    nodes.iter().filter_map(|node| node.as_str().map(str::to_owned)).collect()
}

fn copy_of(role: &Role) -> Role {
    Role { handlers: Vec::new(), ..role.clone() }
}
