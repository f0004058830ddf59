//! The journal: takes events, writes each down, and only then hands it to whoever shows it (law 5).
//!
//! One thread does both. It takes all events that wait, writes them in one transaction, and then passes them on in order: so a slow disk
//! makes larger transactions and never a slower engine, and what was seen on a screen is always on the disk.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::base::{Diagnostic, Redactor};

use super::event::{Event, Sink};
use super::store::Store;

/// Events that may wait to be written before whoever makes them has to wait too.
const WAITING: usize = 4096;

/// Events of one transaction at most.
const BATCH: usize = 512;

enum Message {
    Event(Box<Event>),
    /// Answered when all that came before it was written and shown.
    Flush(SyncSender<()>),
    /// Nothing that comes after it counts.
    End,
}

/// Where events of a run go. Clones write to the same journal.
#[derive(Clone)]
pub struct Journal {
    sender: SyncSender<Message>,
}

/// Waits for the journal to finish; see [`Keeper::finish`].
pub struct Keeper {
    sender: SyncSender<Message>,
    thread: JoinHandle<Result<(), Diagnostic>>,
}

impl Journal {
    /// Starts the thread that writes to `store` (nowhere when there is none: `--no-history`) and shows to `sinks`.
    /// What the redactor knows, or comes to know, is masked in both.
    pub fn start(store: Option<Store>, sinks: Vec<Box<dyn Sink>>, redactor: Redactor) -> (Journal, Keeper) {
        let (sender, receiver) = sync_channel(WAITING);
        let thread = std::thread::spawn(move || Worker { store, sinks, redactor }.run(&receiver));
        (Journal { sender: sender.clone() }, Keeper { sender, thread })
    }

    /// Takes an event. Waits only when thousands are unwritten.
    pub fn event(&self, event: Event) {
        // The thread is gone only when it could not write: `Keeper::finish` says why.
        let _gone = self.sender.send(Message::Event(Box::new(event)));
    }

    /// Waits until everything so far is written and shown: before a question is asked on the same terminal.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.sender.send(Message::Flush(done)).is_ok() {
            let _ended = wait.recv();
        }
    }
}

impl Sink for Journal {
    fn event(&mut self, event: &Event) {
        Journal::event(self, event.clone());
    }
}

impl Keeper {
    /// Waits until every event so far is written and shown. What a clone of the journal should say after that (it may live on in a thread
    /// of an interrupted run) is not heard.
    ///
    /// # Errors
    /// The store could not be written: events were shown all the same.
    pub fn finish(self) -> Result<(), Diagnostic> {
        // The thread is gone only when it broke down, which its end tells.
        let _gone = self.sender.send(Message::End);
        self.thread.join().unwrap_or_else(|_| Err(Diagnostic::error("the journal stopped: its thread panicked")))
    }
}

struct Worker {
    store: Option<Store>,
    sinks: Vec<Box<dyn Sink>>,
    redactor: Redactor,
}

impl Worker {
    fn run(mut self, receiver: &Receiver<Message>) -> Result<(), Diagnostic> {
        let mut first_problem = None;
        while let Ok(message) = receiver.recv() {
            let (events, flushes, is_end) = self.gather(message, receiver);
            if let Some(store) = &mut self.store
                && let Err(problem) = store.append(&events)
            {
                // The run goes on without its journal: stopping half-way would leave the hosts worse off.
                self.store = None;
                let warning = Event::warning(Diagnostic::warning(format!("the history is not kept from here on: {}", problem.message)));
                self.sinks.iter_mut().for_each(|sink| sink.event(&warning));
                first_problem = Some(problem);
            }
            for event in &events {
                self.sinks.iter_mut().for_each(|sink| sink.event(event));
            }
            for flush in flushes {
                let _gone = flush.send(());
            }
            if is_end {
                break;
            }
        }
        if let Some(store) = self.store.take() {
            store.close();
        }
        first_problem.map_or(Ok(()), Err)
    }

    /// The message and all that wait behind it, masked.
    fn gather(&self, first: Message, receiver: &Receiver<Message>) -> (Vec<Event>, Vec<SyncSender<()>>, bool) {
        let (mut events, mut flushes) = (Vec::new(), Vec::new());
        let mut next = Some(first);
        while let Some(message) = next.take() {
            match message {
                Message::Event(mut event) => {
                    event.redact(&self.redactor);
                    events.push(*event);
                }
                Message::Flush(done) => {
                    flushes.push(done);
                    break;
                }
                Message::End => return (events, flushes, true),
            }
            if events.len() < BATCH {
                next = receiver.try_recv().ok();
            }
        }
        (events, flushes, false)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::history::event::{RunStarted, Status, TaskId, TaskResult};

    fn started(id: &str) -> Event {
        Event::RunStarted(RunStarted {
            id: id.into(),
            command: vec!["hostler".into()],
            time: 1,
            user: "ann".into(),
            directory: "/".into(),
            check: false,
            diff: false,
        })
    }

    /// On every event it is shown, looks whether the store has it already.
    struct Checker {
        database: std::path::PathBuf,
        seen: Arc<Mutex<Vec<bool>>>,
    }

    impl Sink for Checker {
        fn event(&mut self, event: &Event) {
            let kept = Store::open(&self.database).expect("opens").events("7f3a").expect("reads");
            self.seen.lock().expect("lock").push(kept.iter().any(|kept| &kept.event == event));
        }
    }

    fn store(database: &Path) -> Store {
        Store::open(database).expect("opens")
    }

    #[test]
    fn an_event_is_on_disk_before_it_is_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("history.db");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let checker = Checker { database: database.clone(), seen: seen.clone() };
        let (journal, keeper) = Journal::start(Some(store(&database)), vec![Box::new(checker)], Redactor::default());
        journal.event(started("7f3a"));
        for number in 0..5 {
            journal.event(Event::HostResult(TaskResult::new(TaskId(number), "web", Status::Ok, crate::base::Value::Null)));
            journal.flush();
        }
        drop(journal);
        keeper.finish().expect("writes");
        assert_eq!(*seen.lock().expect("lock"), vec![true; 6]);
    }

    #[test]
    fn a_clone_that_lives_on_does_not_keep_the_journal_from_ending() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("history.db");
        let (journal, keeper) = Journal::start(Some(store(&database)), Vec::new(), Redactor::default());
        journal.event(started("7f3a"));
        let clone = journal.clone();
        drop(journal);
        keeper.finish().expect("writes");
        clone.event(started("7f3b"));
        assert_eq!(store(&database).events("7f3a").expect("reads").len(), 1);
    }

    #[test]
    fn a_secret_learned_later_is_masked_from_then_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("history.db");
        let redactor = Redactor::default();
        let (journal, keeper) = Journal::start(Some(store(&database)), Vec::new(), redactor.clone());
        journal.event(started("7f3a"));
        redactor.learn("hunter22");
        journal.event(Event::Message { text: "pw hunter22".into(), verbosity: 0 });
        drop(journal);
        keeper.finish().expect("writes");
        let mut raw = std::fs::read(&database).expect("reads");
        raw.extend(std::fs::read(folder.path().join("history.db-wal")).unwrap_or_default());
        assert!(!String::from_utf8_lossy(&raw).contains("hunter22"));
        assert_eq!(store(&database).events("7f3a").expect("reads").len(), 2);
    }
}
