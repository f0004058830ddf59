//! Values that are neither data nor text: functions, loops, namespaces, ranges, points in time.

use std::sync::{Arc, Mutex};

use indexmap::IndexMap;
use jiff::SignedDuration;
use jiff::civil::DateTime;

use crate::base::Value;

use super::code::{Block, Loop, MacroCode};
use super::data::Val;
use super::exec::Frames;
use super::fault::{Fault, Origin, Outcome};
use super::scope::Scope;

#[derive(Clone)]
pub(crate) enum Object {
    Range {
        start: i64,
        stop: i64,
        step: i64,
    },
    Namespace(Arc<Mutex<IndexMap<Arc<str>, Val>>>),
    Loop(Arc<LoopState>),
    Macro(Arc<Macro>),
    /// An imported template: its macros and top-level variables, and the text that it is itself, which may be missing.
    Module(Arc<(IndexMap<Arc<str>, Val>, Val)>),
    /// A method, bound to its value: `text.split`.
    Method(Arc<(Val, Arc<str>)>),
    Function(Function),
    Cycler(Arc<(Vec<Val>, Mutex<usize>)>),
    /// Gives nothing at first and its separator from then on.
    Joiner(Arc<(Arc<str>, Mutex<bool>)>),
    /// `self`: the blocks of the template.
    Blocks,
    /// A block at a level of inheritance: `super()` and `self.name()`.
    Block(Arc<[Arc<Block>]>),
    Moment(DateTime),
    Duration(SignedDuration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Range,
    Dict,
    Namespace,
    Cycler,
    Joiner,
    Lookup,
    Query,
    Now,
    Undef,
}

impl Function {
    pub fn by_name(name: &str) -> Option<Function> {
        Some(match name {
            "range" => Function::Range,
            "dict" => Function::Dict,
            "namespace" => Function::Namespace,
            "cycler" => Function::Cycler,
            "joiner" => Function::Joiner,
            "lookup" => Function::Lookup,
            "query" | "q" => Function::Query,
            "now" => Function::Now,
            "undef" => Function::Undef,
            _ => return None,
        })
    }
}

/// The names every template knows without a variable.
pub(crate) const GLOBALS: [&str; 11] = ["range", "dict", "namespace", "cycler", "joiner", "lookup", "query", "q", "now", "undef", "omit"];

/// What `loop` is in a `for`.
pub(crate) struct LoopState {
    pub items: Arc<[Val]>,
    pub index: usize,
    pub depth: usize,
    /// For `loop(children)` in a recursive loop.
    pub recursion: Option<(Arc<Loop>, Closure)>,
    pub changed: Arc<Mutex<Option<Vec<Val>>>>,
}

/// The names that a macro's body sees besides its parameters, and where it was written.
#[derive(Clone)]
pub(crate) struct Closure {
    pub frames: Frames,
    pub origin: Origin,
    pub scope: Arc<Scope>,
}

pub(crate) struct Macro {
    pub code: Arc<MacroCode>,
    pub closure: Closure,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Object {
    pub fn namespace(entries: IndexMap<Arc<str>, Val>) -> Object {
        Object::Namespace(Arc::new(Mutex::new(entries)))
    }

    pub fn type_name(&self) -> &'static str {
        match self {
            Object::Range { .. } => "range",
            Object::Namespace(_) => "Namespace",
            Object::Loop(_) => "LoopContext",
            Object::Macro(_) => "Macro",
            Object::Module(_) => "TemplateModule",
            Object::Method(_) => "builtin_function_or_method",
            Object::Function(_) => "function",
            Object::Cycler(_) => "Cycler",
            Object::Joiner(_) => "Joiner",
            Object::Blocks => "TemplateReference",
            Object::Block(_) => "BlockReference",
            Object::Moment(_) => "datetime",
            Object::Duration(_) => "timedelta",
        }
    }

    pub fn is_range(&self) -> bool {
        matches!(self, Object::Range { .. })
    }

    pub fn is_callable(&self) -> bool {
        matches!(self, Object::Macro(_) | Object::Method(_) | Object::Function(_) | Object::Joiner(_) | Object::Block(_) | Object::Loop(_))
    }

    pub fn truth(&self) -> bool {
        match self {
            Object::Range { .. } => self.len() != Some(0),
            Object::Duration(duration) => !duration.is_zero(),
            _ => true,
        }
    }

    pub fn len(&self) -> Option<usize> {
        match self {
            Object::Range { start, stop, step } => {
                let distance = if *step > 0 { stop.saturating_sub(*start) } else { start.saturating_sub(*stop) };
                let step = step.unsigned_abs() as usize;
                Some(if distance <= 0 { 0 } else { (distance as usize).div_ceil(step) })
            }
            Object::Loop(state) => Some(state.items.len()),
            _ => None,
        }
    }

    pub fn iterate(&self) -> Outcome<Vec<Val>> {
        match self {
            Object::Range { start, step, .. } => {
                let length = self.len().unwrap_or(0);
                if length > 10_000_000 {
                    return Err(Fault::failed(format!("a range of {length} numbers is too large")));
                }
                Ok((0..length as i64).map(|index| Val::Int(start + index * step)).collect())
            }
            other => Err(Fault::failed(format!("`{}` object is not iterable", other.type_name()))),
        }
    }

    /// The attribute, when there is one of that name. A module's and a namespace's names are their attributes.
    pub fn attribute(&self, name: &str) -> Option<Val> {
        match self {
            Object::Namespace(entries) => lock(entries).get(name).cloned(),
            Object::Module(module) => module.0.get(name).cloned(),
            Object::Loop(state) => state.attribute(name),
            Object::Macro(code) => match name {
                "name" => Some(Val::Str(code.code.name.clone())),
                "arguments" => Some(Val::tuple(code.code.parameters.iter().map(|(name, _)| Val::Str(name.clone())).collect::<Vec<_>>())),
                _ => None,
            },
            Object::Cycler(cycler) => match name {
                "current" => {
                    let position = *lock(&cycler.1);
                    cycler.0.get(position % cycler.0.len().max(1)).cloned()
                }
                _ => None,
            },
            Object::Moment(moment) => super::methods::time::moment_field(moment, name),
            Object::Duration(duration) => super::methods::time::duration_field(duration, name),
            Object::Range { start, stop, step } => match name {
                "start" => Some(Val::Int(*start)),
                "stop" => Some(Val::Int(*stop)),
                "step" => Some(Val::Int(*step)),
                _ => None,
            },
            _ => None,
        }
    }

    pub fn to_value(&self) -> Outcome<Value> {
        match self {
            Object::Moment(moment) => Ok(super::methods::time::moment_text(moment).into()),
            Object::Module(_) => Ok(self.text()?.into()),
            Object::Blocks => Ok("".into()),
            other => Err(Fault::failed(format!("a `{}` cannot be stored in a variable", other.type_name()))
                .help("pass it through a filter such as `list` first")),
        }
    }

    pub fn text(&self) -> Outcome<String> {
        match self {
            Object::Moment(moment) => Ok(super::methods::time::moment_text(moment)),
            Object::Duration(duration) => Ok(super::methods::time::duration_text(duration)),
            Object::Module(module) => Ok(module.1.clone().present()?.text()?.to_string()),
            other => other.repr(),
        }
    }

    pub fn repr(&self) -> Outcome<String> {
        Ok(match self {
            Object::Range { start, stop, step: 1 } => format!("range({start}, {stop})"),
            Object::Range { start, stop, step } => format!("range({start}, {stop}, {step})"),
            Object::Moment(moment) => super::methods::time::moment_repr(moment),
            Object::Duration(duration) => format!("datetime.timedelta(seconds={})", duration.as_secs()),
            Object::Macro(code) => format!("<Macro '{}'>", code.code.name),
            Object::Namespace(entries) => format!("<Namespace {}>", Val::dict(lock(entries).clone()).repr()?),
            other => format!("<{}>", other.type_name()),
        })
    }
}

impl LoopState {
    fn attribute(&self, name: &str) -> Option<Val> {
        let length = self.items.len();
        Some(match name {
            "index" => Val::Int(self.index as i64 + 1),
            "index0" => Val::Int(self.index as i64),
            "revindex" => Val::Int((length - self.index) as i64),
            "revindex0" => Val::Int((length - self.index) as i64 - 1),
            "first" => Val::Bool(self.index == 0),
            "last" => Val::Bool(self.index + 1 == length),
            "length" => Val::Int(length as i64),
            "depth" => Val::Int(self.depth as i64 + 1),
            "depth0" => Val::Int(self.depth as i64),
            "previtem" => match self.index.checked_sub(1).and_then(|index| self.items.get(index)) {
                Some(item) => item.clone(),
                None => Val::Missing(Fault::undefined("there is no previous item")),
            },
            "nextitem" => match self.items.get(self.index + 1) {
                Some(item) => item.clone(),
                None => Val::Missing(Fault::undefined("there is no next item")),
            },
            _ => return None,
        })
    }
}
