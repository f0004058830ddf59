//! What a host comes to next if all goes well: one list for each level of the walk, the innermost last.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use crate::base::Map;
use crate::engine::state::lock;
use crate::language::{Item, Task};

/// One step of the walk to come.
#[derive(Clone)]
pub enum Step {
    Item(Item),
    /// A further item of the loop that the host is in.
    Loop(LoopItem),
    /// Handlers that were notified run.
    Flush,
    /// What comes then is not known.
    Stop,
}

/// A task of a loop with one of its items.
#[derive(Clone)]
pub struct LoopItem {
    pub task: Arc<Task>,
    /// The variables that the item is known by.
    pub locals: Arc<dyn Fn() -> Map + Send + Sync>,
}

#[derive(Default)]
pub struct Upcoming {
    levels: Mutex<Vec<VecDeque<Step>>>,
}

impl Upcoming {
    /// Begins a level, which lasts as long as what is given.
    pub fn enter(&self, steps: impl IntoIterator<Item = Step>) -> Level<'_> {
        let mut levels = lock(&self.levels);
        levels.push(steps.into_iter().collect());
        Level { upcoming: self, depth: levels.len() - 1 }
    }

    /// All steps, the next one first.
    pub fn steps(&self) -> VecDeque<Step> {
        lock(&self.levels).iter().rev().flatten().cloned().collect()
    }
}

/// A level of the walk.
pub struct Level<'a> {
    upcoming: &'a Upcoming,
    depth: usize,
}

impl Level<'_> {
    /// The level's first step is begun: it is no longer to come.
    pub fn advance(&self) {
        if let Some(steps) = lock(&self.upcoming.levels).get_mut(self.depth) {
            steps.pop_front();
        }
    }

    pub fn set(&self, steps: impl IntoIterator<Item = Step>) {
        if let Some(level) = lock(&self.upcoming.levels).get_mut(self.depth) {
            *level = steps.into_iter().collect();
        }
    }

    /// Nothing is known of what comes after the level's steps.
    pub fn ends_unknown(&self) {
        if let Some(steps) = lock(&self.upcoming.levels).get_mut(self.depth) {
            steps.push_back(Step::Stop);
        }
    }
}

impl Drop for Level<'_> {
    fn drop(&mut self) {
        lock(&self.upcoming.levels).truncate(self.depth);
    }
}
