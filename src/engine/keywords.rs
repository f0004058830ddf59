//! Keywords of a task as values: rendered where the task runs, inherited as Ansible inherits them.

use crate::base::{Diagnostic, Map, Node, NodeKind, Value};
use crate::language::Task;
use crate::modules::FromArg;
use crate::template::{Context, OMIT, Templar};

/// Renders the keywords of one task for one host.
pub struct TaskKeywords<'a> {
    pub task: &'a Task,
    pub templar: &'a Templar,
    pub context: &'a Context,
}

type Result<T> = std::result::Result<T, Diagnostic>;

impl TaskKeywords<'_> {
    /// A keyword, rendered; `None` when it is nowhere, null or `omit`.
    pub fn value(&self, word: &str) -> Result<Option<Value>> {
        for node in self.task.keywords_outermost_first(word).into_iter().rev() {
            let value = self.templar.render(node, self.context).map_err(Diagnostic::from)?;
            // `omit`: as if it were not written here.
            if value.as_str() != Some(OMIT) {
                return Ok((!value.is_null()).then_some(value));
            }
        }
        Ok(None)
    }

    fn render(&self, node: &Node) -> Result<Option<Value>> {
        let value = self.templar.render(node, self.context).map_err(Diagnostic::from)?;
        Ok((!value.is_null() && value.as_str() != Some(OMIT)).then_some(value))
    }

    pub fn text(&self, word: &str) -> Result<Option<String>> {
        Ok(self.value(word)?.map(|value| value.to_text()))
    }

    pub fn flag(&self, word: &str) -> Result<Option<bool>> {
        self.typed(word, self.value(word)?)
    }

    pub fn number(&self, word: &str) -> Result<Option<f64>> {
        self.typed(word, self.value(word)?)
    }

    fn typed<T: FromArg>(&self, word: &str, value: Option<Value>) -> Result<Option<T>> {
        let Some(value) = value else { return Ok(None) };
        T::from_arg(&value).map(Some).map_err(|why| {
            let kind = if std::any::type_name::<T>() == "bool" { "bool" } else { "float" };
            let error = Diagnostic::error(format!("the value `{}` could not be converted to `{kind}`", value.to_text()));
            let error = error.help(format!("the keyword `{word}` {why}"));
            match self.task.keyword(word) {
                Some(node) => error.at(&node.span),
                None => error,
            }
        })
    }

    /// Conditions of a keyword on the task and around it, outermost first.
    pub fn conditions(&self, word: &str) -> Vec<Node> {
        self.task.keywords_outermost_first(word).into_iter().flat_map(list_of).collect()
    }

    /// `environment`: mappings laid over each other, inner ones win. What reads the host's own environment is left out while its facts are
    /// not known yet, as ansible-core does.
    pub fn environment(&self) -> Result<Vec<(String, String)>> {
        let mut merged = Map::new();
        for node in self.task.keywords_outermost_first("environment").into_iter().flat_map(list_of) {
            if let NodeKind::Map(entries) = &node.kind {
                for (key, value) in entries.iter() {
                    match self.render(value) {
                        Ok(Some(value)) => drop(merged.insert(key.to_key(), value)),
                        Ok(None) => {}
                        Err(error) if self.reads_unknown_environment(&error) => {}
                        Err(error) => return Err(error),
                    }
                }
                continue;
            }
            match self.render(&node)? {
                Some(Value::Map(map)) => merged.extend(&map),
                Some(Value::List(maps)) => maps.iter().filter_map(Value::as_map).for_each(|map| merged.extend(map)),
                None => {}
                Some(other) => {
                    let message = format!("`environment` is a mapping of names and values, not `{}`", other.to_text());
                    return Err(Diagnostic::error(message).at(&node.span));
                }
            }
        }
        Ok(merged.iter().filter(|(_, value)| value.as_str() != Some(OMIT)).map(|(key, value)| (key.to_string(), value.to_text())).collect())
    }

    fn reads_unknown_environment(&self, error: &Diagnostic) -> bool {
        let gathers = matches!(self.task.short_action(), "setup" | "gather_facts");
        error.message.contains("`ansible_env`") || (gathers && error.message.contains("attribute `env`"))
    }

    /// `module_defaults` for an action, inner ones win.
    pub fn module_defaults(&self, names: &[&str]) -> Result<Map> {
        let mut merged = Map::new();
        for node in self.task.keywords_outermost_first("module_defaults").into_iter().flat_map(list_of) {
            for name in names {
                if let Some(defaults) = node.get(name)
                    && let Some(Value::Map(map)) = self.render(defaults)?
                {
                    merged.extend(&map);
                }
            }
        }
        Ok(merged)
    }
}

/// A keyword that takes one or several.
pub fn list_of(node: &Node) -> Vec<Node> {
    match &node.kind {
        NodeKind::Seq(items) => items.as_ref().clone(),
        _ if node.is_null() => Vec::new(),
        _ => vec![node.clone()],
    }
}

/// The tags of a task and all around it.
pub fn tags(task: &Task, render: &dyn Fn(&Node) -> Option<Value>) -> Vec<String> {
    let mut tags = Vec::new();
    for node in task.keywords_outermost_first("tags") {
        add_tags(&render(node).unwrap_or_else(|| node.to_value()), &mut tags);
    }
    tags
}

fn add_tags(value: &Value, tags: &mut Vec<String>) {
    match value {
        Value::List(items) => items.iter().for_each(|item| add_tags(item, tags)),
        Value::Null => {}
        other => {
            for tag in other.to_text().split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
                if !tags.iter().any(|known| known == tag) {
                    tags.push(tag.to_owned());
                }
            }
        }
    }
}

/// Whether a task with these tags runs. Ansible: `Taggable.evaluate_tags`.
pub fn is_selected(tags: &[String], only: &[String], skip: &[String]) -> bool {
    let has = |tag: &str| tags.iter().any(|known| known == tag);
    let untagged = vec!["untagged".to_owned()];
    let tags = if tags.is_empty() { &untagged } else { tags };
    let is_untagged = *tags == untagged;
    let mut run = true;
    if !only.is_empty() {
        run = match () {
            _ if has("always") => true,
            _ if only.iter().any(|tag| tag == "all") && !has("never") => true,
            _ if only.iter().any(|tag| tags.contains(tag)) => true,
            _ => only.iter().any(|tag| tag == "tagged") && !is_untagged && !has("never"),
        };
    }
    if run && !skip.is_empty() {
        let skipped_all = skip.iter().any(|tag| tag == "all");
        let kept_always = has("always") && skip.iter().any(|tag| tag == "always");
        if skipped_all {
            run = has("always") && !kept_always;
        } else if skip.iter().any(|tag| tags.contains(tag)) || (skip.iter().any(|tag| tag == "tagged") && !is_untagged) {
            run = false;
        }
    }
    run
}

#[cfg(test)]
mod tests {
    use super::is_selected;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn runs(tags: &str, only: &str, skip: &str) -> bool {
        is_selected(&words(tags), &words(only), &words(skip))
    }

    #[test]
    fn tags_select_as_ansible_does() {
        assert!(runs("a", "all", ""));
        assert!(!runs("never", "all", ""));
        assert!(runs("never x", "x", ""));
        assert!(runs("always", "other", ""));
        assert!(!runs("always", "all", "always"));
        assert!(runs("", "untagged", ""));
        assert!(!runs("a", "untagged", ""));
        assert!(runs("a", "tagged", ""));
        assert!(!runs("a", "all", "a"));
        assert!(!runs("a", "all", "tagged"));
        assert!(runs("always", "all", "all"));
    }
}
