//! The tasks of a host that were sent ahead, in the order they run, until the walk comes to them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use crate::engine::state::lock;
use crate::language::Task;
use crate::transport::{Asked, Link, LinkError, OutputLine};
use crate::wire::{TaskReply, TaskRequest};

/// A task that was sent ahead.
pub struct Sent {
    task: Arc<Task>,
    request: TaskRequest,
    answer: Answer,
    output: Arc<HeldOutput>,
}

enum Answer {
    Awaited(Asked),
    Here(Result<TaskReply, LinkError>),
}

/// What the window holds for a task that the walk has come to.
pub enum Claim {
    /// It was sent: its reply is on the way.
    Sent(Box<Sent>),
    Nothing,
    /// Something else was sent ahead: the walk has gone another way than the rehearsal.
    Another,
}

#[derive(Default)]
pub struct Window {
    sent: Mutex<VecDeque<Sent>>,
}

impl Window {
    /// Sends a task ahead; gives its number.
    pub fn send(&self, link: &Link, task: &Arc<Task>, request: TaskRequest, after: u64) -> Result<u64, LinkError> {
        let output = Arc::new(HeldOutput::default());
        let holder = output.clone();
        let asked = link.ask(TaskRequest { after: Some(after), ..request.clone() }, Some(Arc::new(move |line: &str| holder.line(line))))?;
        let id = asked.id();
        lock(&self.sent).push_back(Sent { task: task.clone(), request, answer: Answer::Awaited(asked), output });
        Ok(id)
    }

    /// What was sent ahead for this task.
    pub fn claim(&self, task: &Arc<Task>, request: &TaskRequest) -> Claim {
        let mut sent = lock(&self.sent);
        match sent.front() {
            None => Claim::Nothing,
            Some(front) if Arc::ptr_eq(&front.task, task) && front.request == *request => {
                sent.pop_front().map_or(Claim::Nothing, |sent| Claim::Sent(Box::new(sent)))
            }
            Some(_) => Claim::Another,
        }
    }

    /// The host drops what was sent ahead by itself: nobody waits for it.
    pub fn forget(&self) {
        for sent in lock(&self.sent).drain(..) {
            if let Answer::Awaited(asked) = sent.answer {
                asked.forget();
            }
        }
    }

    /// Takes back what has not begun; whether the host has run the first one nevertheless. Only then is anything left in the window.
    pub async fn take_back(&self) -> bool {
        let Some(mut first) = lock(&self.sent).pop_front() else { return false };
        if let Answer::Awaited(asked) = first.answer {
            // A link that is gone runs nothing more.
            asked.link().drop_ahead().unwrap_or_default();
            first.answer = Answer::Here(asked.answer().await);
        }
        let ran = matches!(&first.answer, Answer::Here(Ok(reply)) if !reply.dropped);
        match ran {
            true => lock(&self.sent).push_front(first),
            false => self.forget(),
        }
        ran
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.forget();
    }
}

impl Sent {
    /// Waits for the reply; the task's output goes on to `output`, from its first line.
    pub async fn reply(self, output: OutputLine) -> Result<TaskReply, LinkError> {
        self.output.pass_on(output);
        match self.answer {
            Answer::Awaited(asked) => asked.answer().await,
            Answer::Here(answer) => answer,
        }
    }
}

/// Live output of a task that is not yet told to have begun.
#[derive(Default)]
struct HeldOutput(Mutex<(Vec<String>, Option<OutputLine>)>);

impl HeldOutput {
    fn line(&self, line: &str) {
        match &mut *lock(&self.0) {
            (_, Some(output)) => output(line),
            (lines, None) => lines.push(line.to_owned()),
        }
    }

    fn pass_on(&self, output: OutputLine) {
        let mut held = lock(&self.0);
        held.0.drain(..).for_each(|line| output(&line));
        held.1 = Some(output);
    }
}
