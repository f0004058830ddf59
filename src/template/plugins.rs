//! Filters, tests and lookups that the project brings along: asked for where there is none of that name here.

use std::sync::Arc;

use crate::base::{Map, Value};

use super::arguments::Arguments;
use super::context::Beyond;
use super::data::Val;
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
