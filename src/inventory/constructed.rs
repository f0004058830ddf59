//! The plugin `constructed`: variables, groups by condition and groups by value, made from what hosts have already.

use crate::base::{Diagnostic, Node, Value};

use super::data::{Inventory, safe_name};
use super::expressions::Expressions;
use super::files::Variables;

type Result<T> = std::result::Result<T, Diagnostic>;

pub(super) fn read(inventory: &mut Inventory, config: &Node, expressions: &dyn Expressions) -> Result<()> {
    let flag = |name: &str, default: bool| config.get(name).map_or(default, |node| node.to_value().is_truthy());
    let is_strict = flag("strict", false);
    let plugin = Constructed {
        config,
        expressions,
        is_strict,
        leading_separator: flag("leading_separator", true),
        use_files: flag("use_vars_plugins", false),
        use_extra: flag("use_extra_vars", false),
    };
    let hosts: Vec<String> = inventory.hosts().map(|host| host.name.to_string()).collect();
    for host in &hosts {
        plugin.compose(inventory, host)?;
        let variables = plugin.variables(inventory, host)?;
        plugin.conditional_groups(inventory, host, &variables)?;
        plugin.keyed_groups(inventory, host, &variables)?;
    }
    Ok(())
}

struct Constructed<'a> {
    config: &'a Node,
    expressions: &'a dyn Expressions,
    /// Whether an expression that fails is an error; else it is skipped.
    is_strict: bool,
    leading_separator: bool,
    /// Whether `group_vars` and `host_vars` files count.
    use_files: bool,
    /// Whether the variables of `-e` count, above all others.
    use_extra: bool,
}

impl Constructed<'_> {
    fn variables(&self, inventory: &Inventory, host: &str) -> Result<Variables> {
        let mut variables = inventory.own_variables(host);
        if self.use_files {
            for layer in inventory.layers(host, &[])? {
                variables.extend(layer.variables.iter().map(|(name, node)| (name.clone(), node.clone())));
            }
        }
        if self.use_extra {
            let extra = self.expressions.extra_variables();
            variables.extend(extra.iter().map(|(name, node)| (name.clone(), node.clone())));
        }
        Ok(variables)
    }

    /// The value of an expression; nothing when it fails and that is allowed.
    fn evaluate(&self, node: &Node, variables: &Variables, purpose: &str) -> Result<Option<Value>> {
        let Some(text) = node.as_str() else { return Ok(Some(node.to_value())) };
        match self.expressions.evaluate(text, node, variables) {
            Ok(value) => Ok(Some(value)),
            Err(error) if self.is_strict => Err(Diagnostic { message: format!("{purpose}: {}", error.message), ..error }),
            Err(_) => Ok(None),
        }
    }

    fn compose(&self, inventory: &mut Inventory, host: &str) -> Result<()> {
        let variables = self.variables(inventory, host)?;
        for (name, expression) in self.config.get("compose").and_then(Node::as_map).unwrap_or_default() {
            let name = name.to_key().to_string();
            if let Some(value) = self.evaluate(expression, &variables, &format!("could not set `{name}` for the host `{host}`"))? {
                inventory.set_host_variable(host, &name, Node::data(expression.span.clone(), value));
            }
        }
        Ok(())
    }

    fn conditional_groups(&self, inventory: &mut Inventory, host: &str, variables: &Variables) -> Result<()> {
        for (name, condition) in self.config.get("groups").and_then(Node::as_map).unwrap_or_default() {
            let group = safe_name(&name.to_key().to_string());
            let purpose = format!("could not decide whether the host `{host}` is in the group `{group}`");
            if self.evaluate(condition, variables, &purpose)?.is_some_and(|value| value.is_truthy()) {
                inventory.add_group(&group);
                inventory.put_host(&group, host);
            }
        }
        Ok(())
    }

    fn keyed_groups(&self, inventory: &mut Inventory, host: &str, variables: &Variables) -> Result<()> {
        for keyed in self.config.get("keyed_groups").and_then(Node::as_seq).unwrap_or_default() {
            if keyed.as_map().is_none() {
                return Err(Diagnostic::error(format!(
                    "an entry of `keyed_groups` is a mapping with a `key`, and this is {}",
                    keyed.type_name()
                ))
                .at(&keyed.span));
            }
            self.keyed_group(inventory, host, variables, keyed)?;
        }
        Ok(())
    }

    fn keyed_group(&self, inventory: &mut Inventory, host: &str, variables: &Variables, keyed: &Node) -> Result<()> {
        let text = |name: &str| keyed.get(name).filter(|node| !node.is_null()).map(|node| node.to_value().to_text());
        let (default, trailing) = (text("default_value"), keyed.get("trailing_separator").map(|node| node.to_value().is_truthy()));
        if default.is_some() && trailing.is_some() {
            return Err(Diagnostic::error("`default_value` and `trailing_separator` exclude each other").at(&keyed.span));
        }
        let Some(expression) = keyed.get("key") else {
            return Err(Diagnostic::error("an entry of `keyed_groups` needs a `key`").at(&keyed.span));
        };
        let purpose = format!("could not make a group of the host `{host}` from its key");
        let Some(key) = self.evaluate(expression, variables, &purpose)? else { return Ok(()) };
        let separator = text("separator").unwrap_or_else(|| "_".into());
        let is_empty = |value: &Value| value.is_null() || value.as_str() == Some("");
        let names: Vec<String> = match (&key, &default) {
            (key, Some(default)) if is_empty(key) => vec![default.clone()],
            (Value::Str(name), _) if !name.is_empty() => vec![name.to_string()],
            (Value::List(items), default) => {
                items.iter().map(|item| default.clone().filter(|_| is_empty(item)).unwrap_or_else(|| item.to_text())).collect()
            }
            (Value::Map(map), default) => map
                .iter()
                .map(|(name, value)| match (is_empty(value), default, trailing) {
                    (true, Some(default), _) => format!("{name}{separator}{default}"),
                    (true, None, Some(false)) => name.to_string(),
                    _ => format!("{name}{separator}{}", value.to_text()),
                })
                .collect(),
            (key, _) if !key.is_truthy() => {
                let problem = Diagnostic::error(format!("the key of a group is empty for the host `{host}`")).at(&expression.span);
                return if self.is_strict { Err(problem) } else { Ok(()) };
            }
            (key, _) => {
                return Err(Diagnostic::error(format!(
                    "a group is named by text, a list or a mapping, and the key is {}",
                    key.type_name()
                ))
                .at(&expression.span));
            }
        };
        let parent = match keyed.get("parent_group").filter(|node| !node.is_null()) {
            Some(parent) => match self.expressions.render(parent, variables) {
                Ok(name) => Some(safe_name(&name.to_text())),
                Err(error) if self.is_strict => return Err(error),
                Err(_) => return Ok(()),
            },
            None => None,
        };
        let prefix = text("prefix").unwrap_or_default();
        let between = if prefix.is_empty() && !self.leading_separator { "" } else { separator.as_str() };
        for name in names {
            let group = safe_name(&format!("{prefix}{between}{name}"));
            inventory.add_group(&group);
            inventory.put_host(&group, host);
            if let Some(parent) = parent.as_deref().filter(|parent| !parent.is_empty()) {
                inventory.add_group(parent);
                inventory.add_child(parent, &group).map_err(|error| error.at(&keyed.span))?;
            }
        }
        Ok(())
    }
}
