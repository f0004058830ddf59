//! Filters, tests and lookups that the project brings along: asked for where there is none of that name here.

use std::sync::Arc;

use crate::base::{Map, Value};

use super::arguments::Arguments;
use super::context::{Beyond, Context, Variable};
use super::data::Val;
use super::engine::Templar;
use super::fault::{Fault, Outcome};
use super::scope::Scope;

/// What is asked of a plugin.
#[derive(Clone, Debug)]
pub struct PluginCall {
    /// `filter`, `test` or `lookup`.
    pub kind: &'static str,
    pub name: String,
    /// A filter's and a test's value is the first of them; a lookup's are its terms.
    pub arguments: Vec<Value>,
    pub named: Map,
}

/// The variables where a plugin is called: rendered one by one, when it reads them.
pub trait PluginVariables {
    fn names(&self) -> Vec<String>;

    /// `None`: there is none of this name. An error says why it has no value.
    fn read(&self, name: &str) -> Option<Result<Value, String>>;

    /// How it is written, where the project's own files define it.
    fn written(&self, name: &str) -> Option<Value>;

    /// The variables behind a name that stands for so many that they are looked up one by one, as `hostvars` does.
    fn within(&self, name: &str) -> Option<Box<dyn PluginVariables>>;
}

/// `None`: there is no plugin of that name. An error is in the plugin's words.
pub type CallPlugin = Arc<dyn Fn(&PluginCall, &dyn PluginVariables) -> Option<Result<Value, String>> + Send + Sync>;

impl PluginVariables for Arc<Scope> {
    fn names(&self) -> Vec<String> {
        self.context.variables.names()
    }

    fn read(&self, name: &str) -> Option<Result<Value, String>> {
        let found = self.variable(name).transpose()?;
        Some(found.and_then(|value| value.to_value()).map_err(|fault| fault.message()))
    }

    fn written(&self, name: &str) -> Option<Value> {
        self.context.variables.source(name).map(|node| node.to_value())
    }

    fn within(&self, name: &str) -> Option<Box<dyn PluginVariables>> {
        match self.context.variables.get(name)? {
            Variable::Scope(names) => Some(Box::new(Scope::new(self.templar.clone(), self.context.with_variables(names)))),
            Variable::Source(_) | Variable::Value(_) => None,
        }
    }
}

impl Templar {
    /// The variables of a context, as plugins read them.
    pub fn plugin_variables(&self, context: &Context) -> Box<dyn PluginVariables> {
        Box::new(Scope::new(self.clone(), context.clone()))
    }
}

/// Asks a plugin of the project's; `None` when there is none.
pub(crate) fn call(kind: &'static str, name: &str, arguments: Arguments, scope: &Arc<Scope>) -> Option<Outcome<Val>> {
    if let Some(missing) = arguments.missing() {
        return Some(Ok(missing.clone()));
    }
    let asked = || -> Outcome<PluginCall> {
        scope.go_beyond(Beyond::Once)?;
        let positional = arguments.positional.iter().map(Val::to_value).collect::<Outcome<Vec<Value>>>()?;
        let named = arguments.named.iter().map(|(name, value)| Ok((name.to_string(), value.to_value()?))).collect::<Outcome<Vec<_>>>()?;
        Ok(PluginCall { kind, name: name.to_owned(), arguments: positional, named: named.into_iter().collect() })
    };
    match asked() {
        Err(fault) => Some(Err(fault)),
        Ok(call) => {
            let answer = (scope.context.controller.call_plugin)(&call, scope)?;
            Some(
                answer
                    .map(|value| Val::from_value(&value))
                    .map_err(|why| Fault::failed(why).in_plugin(&format!("the project's {kind}"), name)),
            )
        }
    }
}
