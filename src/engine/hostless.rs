//! Variables where there is no host yet: playbooks while they are read, and the keywords of a play.

use std::path::Path;
use std::sync::Arc;

use crate::base::{Diagnostic, Node, Value};
use crate::language::{Entry, Play, Scope, Vars};
use crate::template::{Context, SearchPath};

use super::state::{Run, read};
use super::variables::HostScope;

/// What the play's own keywords are rendered with: no host yet, the play's variables and the answers to its questions.
pub fn play_context(run: &Arc<Run>, entry: &Entry, prompted: &Vars) -> Context {
    let scope = PlayVars { run: run.clone(), play: entry.play.clone(), file: entry.file.clone(), prompted: prompted.clone() };
    Context { variables: Arc::new(scope), search: SearchPath::new([run.playbook_folder(&entry.file)]), controller: run.controller.clone() }
}

struct PlayVars {
    run: Arc<Run>,
    play: Arc<Play>,
    file: Arc<str>,
    prompted: Vars,
}

impl crate::template::Variables for PlayVars {
    fn get(&self, name: &str) -> Option<crate::template::Variable> {
        use crate::template::Variable;
        if let Some(node) = self.run.extra_vars.get(name).or_else(|| self.prompted.get(name)).or_else(|| self.play.scope.vars.get(name)) {
            return Some(Variable::Source(node.clone()));
        }
        match name {
            "groups" => {
                let inventory = read(&self.run.inventory);
                let groups = inventory.groups().map(|group| (group.name.clone(), Value::list(inventory.hosts_of(&group.name))));
                Some(Variable::Value(Value::map(groups)))
            }
            "hostvars" => {
                let host = read(&self.run.inventory).hosts().next().map(|host| host.name.clone()).unwrap_or_else(|| "localhost".into());
                let scope = HostScope::of(&self.run, self.run.host(&host));
                crate::template::Variables::get(&scope, "hostvars")
            }
            "playbook_dir" => Some(Variable::Value(self.run.playbook_folder(&self.file).to_string_lossy().into_owned().into())),
            "omit" => Some(Variable::Value(crate::template::OMIT.into())),
            _ => None,
        }
    }

    fn names(&self) -> Vec<String> {
        self.run.extra_vars.keys().chain(self.play.scope.vars.keys()).map(ToString::to_string).collect()
    }
}

/// Renders what must be known before a play runs: with extra variables and those written around it.
pub(super) fn render_static(run: &Run, node: &Node, scope: &Arc<Scope>) -> Result<String, Diagnostic> {
    let variables = StaticVars { extra: run.extra_vars.clone(), scope: scope.clone() };
    let context = Context { variables: Arc::new(variables), search: SearchPath::new([]), controller: run.controller.clone() };
    run.templar.render(node, &context).map(|value| value.to_text()).map_err(Diagnostic::from)
}

struct StaticVars {
    extra: Arc<Vars>,
    scope: Arc<Scope>,
}

impl crate::template::Variables for StaticVars {
    fn get(&self, name: &str) -> Option<crate::template::Variable> {
        let in_scope = || {
            self.scope.chain().find_map(|scope| {
                let role = scope.role.as_ref();
                let own = scope.vars.get(name);
                own.or_else(|| {
                    role.and_then(|role| role.params.get(name).or_else(|| role.vars.get(name)).or_else(|| role.defaults.get(name)))
                })
            })
        };
        if let Some(node) = self.extra.get(name).or_else(in_scope) {
            return Some(crate::template::Variable::Source(node.clone()));
        }
        let path = match name {
            "role_path" => self.scope.role.as_ref().map(|role| role.path.to_string_lossy().into_owned()),
            "role_name" => self.scope.role.as_ref().map(|role| role.short_name().to_owned()),
            "playbook_dir" => {
                let file = self.scope.chain().last().and_then(|scope| scope.file.clone())?;
                let folder = Path::new(file.as_ref()).parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
                Some(folder.canonicalize().ok()?.to_string_lossy().into_owned())
            }
            _ => None,
        };
        path.map(|path| crate::template::Variable::Value(path.into()))
    }

    fn names(&self) -> Vec<String> {
        self.extra
            .keys()
            .map(ToString::to_string)
            .chain(self.scope.chain().flat_map(|scope| scope.vars.keys().map(ToString::to_string)))
            .collect()
    }
}
