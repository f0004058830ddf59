//! Runs the statements of a template.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use indexmap::IndexMap;

use super::code::{Block, Code, Expression, Loop, MacroCode, Statement, Target};
use super::data::Val;
use super::fault::{Fault, Origin, Outcome};
use super::inherit::file_origin;
use super::object::{Closure, LoopState, Macro, Object};
use super::scope::{Nested, Scope};

/// The names a template has set, innermost frame last. Frames are shared: a macro sees what is set after it was defined.
pub(crate) type Frames = Vec<Frame>;

type Frame = Arc<Mutex<Vec<(Arc<str>, Val)>>>;

/// What a template has written. A single piece keeps its type, as in ansible-core; several are joined as text.
pub(crate) enum Sink {
    Empty,
    One(Val),
    Text(String),
}

pub(crate) enum Flow {
    On,
    Continue,
    Break,
}

pub(crate) struct Machine {
    pub scope: Arc<Scope>,
    pub origin: Origin,
    pub frames: Frames,
    /// Variables that were looked up: a name has one value all through a template.
    pub seen: HashMap<Arc<str>, Val>,
    /// Constants that look like templates are rendered (conditions and lookup terms).
    pub renders_constants: bool,
    pub blocks: HashMap<Arc<str>, Vec<Arc<Block>>>,
    pub parent: Option<Arc<Code>>,
    pub loops: usize,
}

impl Sink {
    pub fn push(&mut self, value: Val) -> Outcome<()> {
        if matches!(value, Val::Null) {
            return Ok(());
        }
        match self {
            Sink::Empty => *self = Sink::One(value),
            Sink::One(first) => {
                let mut text = String::from(first.joined_text()?.as_ref());
                text.push_str(&value.joined_text()?);
                *self = Sink::Text(text);
            }
            Sink::Text(text) => match &value {
                Val::Str(more) => text.push_str(more),
                other => text.push_str(&other.joined_text()?),
            },
        }
        Ok(())
    }

    pub fn finish(self) -> Val {
        match self {
            Sink::Empty => Val::Null,
            Sink::One(value) => value,
            Sink::Text(text) => Val::str(text),
        }
    }
}

pub(crate) fn frame() -> Frame {
    Arc::new(Mutex::new(Vec::new()))
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Machine {
    pub fn new(scope: Arc<Scope>, origin: Origin) -> Self {
        Machine {
            scope,
            origin,
            frames: vec![frame()],
            seen: HashMap::new(),
            renders_constants: false,
            blocks: HashMap::new(),
            parent: None,
            loops: 0,
        }
    }

    /// A machine for a macro's body or a recursive loop: the names of where it was written.
    fn from_closure(closure: &Closure) -> Self {
        Machine { frames: closure.frames.clone(), ..Machine::new(closure.scope.clone(), closure.origin.clone()) }
    }

    fn closure(&self) -> Closure {
        Closure { frames: self.frames.clone(), origin: self.origin.clone(), scope: self.scope.clone() }
    }

    /// Runs a whole template.
    pub fn run(&mut self) -> Outcome<Val> {
        let mut code = self.origin.code.clone();
        loop {
            for (name, block) in &code.blocks {
                self.blocks.entry(name.clone()).or_default().push(block.clone());
            }
            let mut sink = Sink::Empty;
            self.body(&code.body.clone(), &mut sink)?;
            match self.parent.take() {
                Some(parent) => {
                    self.origin = file_origin(&parent);
                    code = parent;
                }
                None => return Ok(sink.finish()),
            }
        }
    }

    pub fn set(&mut self, name: Arc<str>, value: Val) {
        if let Some(frame) = self.frames.last() {
            let mut names = lock(frame);
            match names.iter_mut().find(|(known, _)| *known == name) {
                Some((_, slot)) => *slot = value,
                None => names.push((name, value)),
            }
        }
    }

    pub fn scoped<T>(&mut self, run: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        self.frames.push(frame());
        let result = run(self);
        self.frames.pop();
        result
    }

    pub fn body(&mut self, body: &Arc<[Statement]>, sink: &mut Sink) -> Outcome<Flow> {
        for statement in body.iter() {
            match self.statement(statement, sink)? {
                Flow::On => {}
                flow => return Ok(flow),
            }
            if self.parent.is_some() && self.frames.len() == 1 && matches!(statement, Statement::Text(_) | Statement::Emit(_)) {
                // What a child template writes outside of its blocks goes nowhere.
                *sink = Sink::Empty;
            }
        }
        Ok(Flow::On)
    }

    fn statement(&mut self, statement: &Statement, sink: &mut Sink) -> Outcome<Flow> {
        match statement {
            Statement::Text(text) => sink.push(Val::Str(text.clone()))?,
            Statement::Emit(expression) => {
                let value = self.evaluate(expression)?;
                sink.push(value).map_err(|fault| fault.at(&self.origin, expression.position))?;
            }
            Statement::For(each) => return self.each(each, sink),
            Statement::If { test, then, otherwise } => {
                let branch = if self.truth(test)? { then } else { otherwise };
                return self.body(branch, sink);
            }
            Statement::With { assignments, body } => {
                let mut values = Vec::with_capacity(assignments.len());
                for (_, value) in assignments {
                    values.push(self.evaluate(value)?);
                }
                return self.scoped(|machine| {
                    for ((target, _), value) in assignments.iter().zip(values) {
                        machine.assign(target, value)?;
                    }
                    machine.body(body, sink)
                });
            }
            Statement::Set { target, value } => {
                let value = self.evaluate(value)?;
                self.assign(target, value)?;
            }
            Statement::SetBlock { target, filter, body } => {
                let mut value = self.captured(body)?;
                if let Some(filter) = filter {
                    value = self.filtered(filter, value)?;
                }
                self.assign(target, value)?;
            }
            Statement::FilterBlock { filter, body } => {
                let value = self.captured(body)?;
                let value = self.filtered(filter, value)?;
                sink.push(value).map_err(|fault| fault.at(&self.origin, filter.position))?;
            }
            Statement::Group(body) => return self.scoped(|machine| machine.body(body, sink)),
            Statement::Block(block) => self.block(block, sink)?,
            Statement::Import { template, name } => {
                let module = self.module(template)?;
                self.set(name.clone(), Val::Object(Object::Module(Arc::new(module))));
            }
            Statement::FromImport { template, names } => self.import_names(template, names)?,
            Statement::Extends(template) => {
                let code = self.load(template, false)?;
                self.parent = code;
                *sink = Sink::Empty;
            }
            Statement::Include { template, ignore_missing } => self.include(template, *ignore_missing, sink)?,
            Statement::Macro(code) => {
                let code = Macro { code: code.clone(), closure: self.closure() };
                self.set(code.code.name.clone(), Val::Object(Object::Macro(Arc::new(code))));
            }
            Statement::CallBlock { call, caller } => {
                let value = self.call_with(call, caller)?;
                sink.push(value).map_err(|fault| fault.at(&self.origin, call.position))?;
            }
            Statement::Do(action) => {
                self.evaluate(action)?.present().map_err(|fault| fault.at(&self.origin, action.position))?;
            }
            Statement::Continue => return Ok(Flow::Continue),
            Statement::Break => return Ok(Flow::Break),
        }
        Ok(Flow::On)
    }

    /// What a body writes, on its own.
    fn captured(&mut self, body: &Arc<[Statement]>) -> Outcome<Val> {
        let mut sink = Sink::Empty;
        self.scoped(|machine| machine.body(body, &mut sink))?;
        Ok(match sink {
            Sink::Empty => Val::str(""),
            sink => sink.finish(),
        })
    }

    fn assign(&mut self, target: &Target, value: Val) -> Outcome<()> {
        match target {
            Target::Name(name) => self.set(name.clone(), value),
            Target::Tuple(targets) => {
                let items = value.iterate()?;
                if items.len() != targets.len() {
                    return Err(Fault::failed(format!("{} values cannot be unpacked into {} names", items.len(), targets.len())));
                }
                for (target, item) in targets.iter().zip(items) {
                    self.assign(target, item)?;
                }
            }
            Target::Attribute(owner, name) => match self.evaluate(owner)?.present()? {
                Val::Object(Object::Namespace(entries)) => {
                    lock(&entries).insert(name.clone(), value);
                }
                other => {
                    let fault = Fault::failed(format!("an attribute can be set on a `namespace()` only, not on `{}`", other.type_name()));
                    return Err(fault.at(&self.origin, owner.position));
                }
            },
        }
        Ok(())
    }

    fn each(&mut self, each: &Arc<Loop>, sink: &mut Sink) -> Outcome<Flow> {
        let over = self.evaluate(&each.over)?;
        let items = over.iterate().map_err(|fault| fault.at(&self.origin, each.over.position))?;
        let depth = self.loops;
        self.loops += 1;
        let result = self.each_item(each, items, depth, sink);
        self.loops = depth;
        result?;
        Ok(Flow::On)
    }

    fn each_item(&mut self, each: &Arc<Loop>, items: Vec<Val>, depth: usize, sink: &mut Sink) -> Outcome<()> {
        let mut kept = Vec::with_capacity(items.len());
        for item in items {
            let keep = match &each.filter {
                None => true,
                Some(filter) => self.scoped(|machine| {
                    machine.assign(&each.target, item.clone()).map_err(|fault| fault.at(&machine.origin, each.over.position))?;
                    machine.truth(filter)
                })?,
            };
            if keep {
                kept.push(item);
            }
        }
        if kept.is_empty() {
            self.scoped(|machine| machine.body(&each.otherwise, sink))?;
            return Ok(());
        }
        let recursion = each.recursive.then(|| (each.clone(), self.closure()));
        let changed = Arc::new(Mutex::new(None));
        let kept: Arc<[Val]> = kept.into();
        for index in 0..kept.len() {
            let state = LoopState { items: kept.clone(), index, depth, recursion: recursion.clone(), changed: changed.clone() };
            let flow = self.scoped(|machine| {
                machine.set("loop".into(), Val::Object(Object::Loop(Arc::new(state))));
                machine.assign(&each.target, kept[index].clone()).map_err(|fault| fault.at(&machine.origin, each.over.position))?;
                machine.body(&each.body, sink)
            })?;
            if matches!(flow, Flow::Break) {
                break;
            }
        }
        Ok(())
    }

    /// `loop(children)`: the same loop over other items.
    pub fn recurse(state: &LoopState, items: &Val) -> Outcome<Val> {
        let Some((each, closure)) = &state.recursion else {
            return Err(Fault::failed("`loop(…)` needs `recursive` in the `for`"));
        };
        let _rendering = Nested::enter()?;
        let mut sink = Sink::Empty;
        Machine::from_closure(closure).each_item(each, items.iterate()?, state.depth + 1, &mut sink)?;
        Ok(match sink {
            Sink::Empty => Val::str(""),
            sink => sink.finish(),
        })
    }

    /// `{% call macro() %}…{% endcall %}`.
    fn call_with(&mut self, call: &Expression, caller: &Arc<MacroCode>) -> Outcome<Val> {
        let caller = Macro { code: caller.clone(), closure: self.closure() };
        let super::code::Kind::Call(callee, arguments) = &call.kind else {
            return Err(Fault::failed("`call` wants a call"));
        };
        let callee = self.evaluate(callee)?;
        let mut arguments = self.arguments(arguments)?;
        arguments.named.push(("caller".into(), Val::Object(Object::Macro(Arc::new(caller)))));
        self.invoke(&callee, arguments).map_err(|fault| fault.at(&self.origin, call.position))
    }

    /// Runs a macro.
    pub fn call_macro(code: &Macro, mut arguments: super::arguments::Arguments) -> Outcome<Val> {
        let _nested = Nested::enter()?;
        let mut machine = Machine::from_closure(&code.closure);
        machine.frames.push(frame());
        let caller = arguments.take("caller");
        let mut positional = arguments.positional.into_iter();
        let mut named: IndexMap<Arc<str>, Val> = arguments.named.into_iter().collect();
        for (name, default) in &code.code.parameters {
            let given = positional.next().or_else(|| named.shift_remove(name));
            let value = match (given, default) {
                (Some(value), _) => value,
                (None, Some(default)) => machine.evaluate(default)?,
                (None, None) => {
                    Val::Missing(Fault::undefined(format!("the parameter `{name}` of the macro `{}` was not given", code.code.name)))
                }
            };
            machine.set(name.clone(), value);
        }
        machine.set("varargs".into(), Val::tuple(positional.collect::<Vec<_>>()));
        machine.set("kwargs".into(), Val::dict(named));
        let caller =
            caller.unwrap_or_else(|| Val::Missing(Fault::undefined("`caller` is undefined: the macro was not used with `{% call %}`")));
        machine.set("caller".into(), caller);
        let mut sink = Sink::Empty;
        machine.body(&code.code.body, &mut sink)?;
        Ok(match sink {
            Sink::Empty => Val::str(""),
            sink => sink.finish(),
        })
    }
}
