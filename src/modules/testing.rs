//! How modules are tested: a machine in memory, a task as a user writes it, and what came of it. Every run is repeated: the second must
//! change nothing.

use crate::base::{Map, Value};
use crate::system::{Effect, Failure, Overlay, System, TaskContext};

use super::{Output, find};

/// One task run over an overlay.
pub struct Ran {
    pub effects: Vec<Effect>,
    pub output: Output,
}

/// A machine in memory that tasks are run on one after another.
pub struct Machine {
    pub sys: System,
}

impl Machine {
    pub fn new(overlay: Overlay) -> Self {
        Machine { sys: System::dry(overlay) }
    }

    /// Runs `module: { option: value }`, written as YAML, twice; the second run must change nothing.
    pub fn task(&mut self, yaml: &str) -> Result<Ran, Failure> {
        let first = self.task_once(yaml)?;
        let second = self.task_once(yaml)?;
        assert!(second.effects.is_empty(), "the second run of `{yaml}` is not quiet: {:?}", second.effects);
        Ok(first)
    }

    /// The same for tasks that change something each time (`command`).
    pub fn task_once(&mut self, yaml: &str) -> Result<Ran, Failure> {
        let task: Map = serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("`{yaml}` is no YAML: {error}"));
        let (name, arguments) = task.iter().next().unwrap_or_else(|| panic!("`{yaml}` names no module"));
        let entry = find(&name.to_string()).unwrap_or_else(|| panic!("there is no module {name}"));
        let arguments = match arguments {
            Value::Map(map) => map.as_ref().clone(),
            Value::Null => Map::new(),
            other => [("_raw_params", other.clone())].into_iter().collect(),
        };
        self.sys.begin(TaskContext { diff: true, ..TaskContext::default() });
        let output = (entry.run)(arguments, &mut self.sys)?;
        Ok(Ran { effects: self.sys.effects().to_vec(), output })
    }

    /// The message a task is refused with.
    pub fn refusal(&mut self, yaml: &str) -> String {
        match self.task_once(yaml) {
            Ok(_) => panic!("`{yaml}` was not refused"),
            Err(failure) => failure.message,
        }
    }
}
