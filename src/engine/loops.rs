//! Loops: a task's items, one after the other, with what `loop_control` says about them.

use std::sync::Arc;
use std::time::Duration;

use crate::base::{Diagnostic, Map, Node, Value};
use crate::language::Loop;
use crate::template::OMIT;

use super::ahead::{LoopItem, Step};
use super::outcome::{Include, Outcome, of_loop};
use super::task::TaskRun;
use super::variables::HostScope;
use super::words::{self, Failing};

impl TaskRun<'_> {
    /// One item after the other.
    pub(super) async fn run_loop(&self, loops: &Loop, scope: &HostScope) -> (Outcome, Vec<Include>) {
        let items = match self.items(loops, scope) {
            Ok(items) => items,
            Err(error) => return (self.loop_failed(error, scope), Vec::new()),
        };
        let control = match LoopControl::read(self, scope) {
            Ok(control) => control,
            Err(error) => return (Outcome::unprepared(Failing::Task, error), Vec::new()),
        };
        let (mut results, mut includes) = (Vec::new(), Vec::new());
        let count = items.len();
        let (items, control) = (Arc::new(items), Arc::new(control));
        let level = self.cursor.upcoming.enter(self.steps(&items, &control));
        // What an item registers or sets is there for the next one.
        let mut learned = Map::new();
        for (index, item) in items.iter().enumerate() {
            level.advance();
            if index > 0 && !control.pause.is_zero() {
                tokio::time::sleep(control.pause).await;
            }
            let locals = control.locals(&items, index, item);
            let inner = scope.with_locals(learned.clone()).with_locals(locals.clone());
            let mut outcome = self.run_item(&inner).await;
            learned.extend(&self.learned(&outcome));
            let inner = inner.with_locals(self.learned(&outcome));
            let label = control.label(self, &inner, item).unwrap_or_else(|error| {
                let message = format!("Failed to template loop_control.label: {}", words::reason(&error));
                outcome = Outcome { failed: true, error: Some(error), ..std::mem::take(&mut outcome) }.with("msg", message);
                Value::Null
            });
            if let Some(mut include) = outcome.include.take() {
                include.item = Some(label.clone());
                include.locals.extend(&locals);
                includes.push(include);
            }
            self.tell_item(&outcome, &inner, label);
            let unreachable = outcome.unreachable;
            if outcome.failed {
                level.ends_unknown();
            }
            results.push((locals, outcome));
            if unreachable || (index + 1 < count && control.breaks(self, &inner)) {
                break;
            }
        }
        (of_loop(results), includes)
    }

    /// The loop's items as they are to come. A host that waits between them goes no further than the one it is at.
    fn steps(&self, items: &Arc<Vec<Value>>, control: &Arc<LoopControl>) -> Vec<Step> {
        if !control.goes_straight_on() {
            return vec![Step::Stop; items.len() + 1];
        }
        let step = |index: usize| {
            let (items, control) = (items.clone(), control.clone());
            let locals = Arc::new(move || control.locals(&items, index, &items[index]));
            Step::Loop(LoopItem { task: self.task.clone(), locals })
        };
        (0..items.len()).map(step).collect()
    }

    pub(super) fn loop_control(&self, scope: &HostScope) -> Result<LoopControl, Diagnostic> {
        LoopControl::read(self, scope)
    }

    /// A loop that cannot be made: skipped when the task's conditions would have skipped it.
    fn loop_failed(&self, error: Diagnostic, scope: &HostScope) -> Outcome {
        match self.first_false("when", scope) {
            Ok(Some(condition)) => Outcome::skipped_by(Some(condition)),
            _ => Outcome::unprepared(Failing::Task, error),
        }
    }

    pub(super) fn items(&self, loops: &Loop, scope: &HostScope) -> Result<Vec<Value>, Diagnostic> {
        let (run, context) = (&self.cursor.run, scope.context());
        let items = match &loops.lookup {
            None => {
                let value = run.templar.render(&loops.items, &context).map_err(Diagnostic::from)?;
                match value {
                    Value::List(items) => items.as_ref().clone(),
                    other => {
                        let message = format!(
                            "Invalid data passed to 'loop', it requires a list, got this instead: {}. Hint: If you passed a list/dict of just one element, try adding wantlist=True to your lookup invocation or use q/query instead of lookup.",
                            other.to_text()
                        );
                        return Err(Diagnostic::error(message).at(&loops.items.span));
                    }
                }
            }
            // What is undefined among its terms is no file to be found.
            Some(lookup) if lookup.rsplit('.').next() == Some("first_found") => {
                let mut options = self.lookup_options(lookup);
                options.insert("omit_undefined", true);
                run.templar.lookup_of(lookup, &loops.items, options, &context).map_err(Diagnostic::from)?
            }
            Some(lookup) => {
                let terms = self.terms(&loops.items, &context)?;
                run.templar.lookup(lookup, terms, Map::new(), &context).map_err(Diagnostic::from)?
            }
        };
        Ok(items.into_iter().filter(|item| item.as_str() != Some(OMIT)).collect())
    }

    /// Where `first_found` looks is a matter of the action: as ansible-core, by what its name holds.
    fn lookup_options(&self, lookup: &str) -> Map {
        let action = &self.task.action.name;
        let kind = ["template", "var"].into_iter().find(|kind| action.contains(kind)).filter(|_| lookup == "first_found");
        kind.map(|kind| ("subdir", Value::from(format!("{kind}s")))).into_iter().collect()
    }

    /// The terms of a `with_*`: each rendered by itself, a lone one as it is.
    fn terms(&self, node: &Node, context: &crate::template::Context) -> Result<Vec<Value>, Diagnostic> {
        let templar = &self.cursor.run.templar;
        let value = templar.render(node, context).map_err(Diagnostic::from)?;
        Ok(match value {
            Value::List(items) => items.as_ref().clone(),
            other => vec![other],
        })
    }
}

/// `loop_control`, rendered.
pub(super) struct LoopControl {
    variable: String,
    index_variable: Option<String>,
    label: Option<Node>,
    pause: Duration,
    extended: bool,
    extended_all: bool,
    break_when: Option<Node>,
}

impl LoopControl {
    fn read(run: &TaskRun<'_>, scope: &HostScope) -> Result<Self, Diagnostic> {
        let context = scope.context();
        let control = run.task.own("loop_control");
        let get = |word: &str| control.and_then(|control| control.get(word));
        let render = |word: &str| -> Result<Option<Value>, Diagnostic> {
            get(word).map(|node| run.cursor.run.templar.render(node, &context).map_err(Diagnostic::from)).transpose()
        };
        let truthy = |word: &str, default: bool| -> Result<bool, Diagnostic> {
            Ok(render(word)?.map_or(default, |value| crate::modules::coerce::truth(&value).unwrap_or(default)))
        };
        let pause = render("pause")?.map_or(0.0, |value| value.to_text().parse().unwrap_or(0.0));
        Ok(LoopControl {
            variable: render("loop_var")?.map_or_else(|| "item".to_owned(), |value| value.to_text()),
            index_variable: render("index_var")?.map(|value| value.to_text()),
            label: get("label").filter(|node| node.as_str() != Some("")).cloned(),
            pause: Duration::from_secs_f64(f64::max(pause, 0.0)),
            extended: truthy("extended", false)?,
            extended_all: truthy("extended_allitems", true)?,
            break_when: get("break_when").cloned(),
        })
    }

    /// Whether the next item comes right after this one, whatever came of it.
    pub(super) fn goes_straight_on(&self) -> bool {
        self.pause.is_zero() && self.break_when.is_none()
    }

    pub(super) fn locals(&self, items: &[Value], index: usize, item: &Value) -> Map {
        let mut locals: Map = [(self.variable.as_str(), item.clone())].into_iter().collect();
        locals.insert("ansible_loop_var", self.variable.as_str());
        if let Some(name) = &self.index_variable {
            locals.insert(name.as_str(), index);
            locals.insert("ansible_index_var", name.as_str());
        }
        if self.extended {
            locals.insert("ansible_loop", self.extended_info(items, index));
        }
        locals
    }

    fn extended_info(&self, items: &[Value], index: usize) -> Map {
        let count = items.len();
        let mut info: Map = [
            ("index", Value::from(index + 1)),
            ("index0", index.into()),
            ("revindex", (count - index).into()),
            ("revindex0", (count - index - 1).into()),
            ("first", (index == 0).into()),
            ("last", (index + 1 == count).into()),
            ("length", count.into()),
        ]
        .into_iter()
        .collect();
        if self.extended_all {
            info.insert("allitems", Value::list(items.iter().cloned()));
        }
        if index > 0 {
            info.insert("previtem", items[index - 1].clone());
        }
        if let Some(next) = items.get(index + 1) {
            info.insert("nextitem", next.clone());
        }
        info
    }

    fn label(&self, run: &TaskRun<'_>, scope: &HostScope, item: &Value) -> Result<Value, Diagnostic> {
        match &self.label {
            Some(node) => run.cursor.run.templar.render(node, &scope.context()).map_err(Diagnostic::from),
            None => Ok(item.clone()),
        }
    }

    fn breaks(&self, run: &TaskRun<'_>, scope: &HostScope) -> bool {
        let Some(node) = &self.break_when else { return false };
        let conditions = super::keywords::list_of(node);
        let context = scope.context();
        conditions.iter().all(|condition| run.cursor.run.condition(condition, &context).unwrap_or(false))
    }
}
