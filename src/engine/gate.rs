//! The strategies, as one question each host asks before a task: may I go on? `linear` lets all hosts begin a task together, the one that
//! comes first in the play; `free` and `host_pinned` let everyone through.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{OnceCell, SetOnce, oneshot};

use crate::base::Value;
use crate::history::event::TaskId;

use super::state::lock;
use super::task::HostOutcome;

/// Where a host stands in the play: sections, items, the branch of a block, the place in an include. Earlier places are smaller.
pub type Position = Vec<usize>;

/// The hosts that begin a task together.
#[derive(Debug)]
pub struct Batch {
    pub id: TaskId,
    pub hosts: Vec<Arc<str>>,
    places: HashMap<Arc<str>, usize>,
    /// Set by the first host that comes to show the task's banner.
    pub announced: AtomicBool,
    /// What `run_once` came to, for all.
    pub once: SetOnce<HostOutcome>,
    /// A failure in here ends the others too (`any_errors_fatal`, a failed `run_once`).
    pub fatal: AtomicBool,
    /// `--step`: whether the user wants the task.
    pub confirmed: OnceCell<bool>,
    /// What an `include` of these hosts came to, so that hosts with the same file go on together.
    pub includes: Mutex<Vec<(String, Value)>>,
    /// Hosts that have begun, or never will: hosts begin in the play's order.
    begun: Roll,
    /// Hosts that have done the task, or never will.
    finished: Roll,
    /// Hosts that do not take part after all.
    absent: Mutex<HashSet<Arc<str>>>,
}

/// Hosts of a batch, by their places in it, that others wait for: each is woken once, when those before it are there.
#[derive(Debug, Default)]
struct Roll {
    state: Mutex<RollState>,
}

#[derive(Debug, Default)]
struct RollState {
    there: HashSet<usize>,
    /// How many hosts from the first one on are there, without a gap.
    complete: usize,
    /// Who waits, by how many hosts it waits for.
    waiting: BTreeMap<usize, Vec<oneshot::Sender<()>>>,
}

impl Roll {
    fn add(&self, place: usize) {
        let mut state = lock(&self.state);
        state.there.insert(place);
        while state.there.contains(&state.complete) {
            state.complete += 1;
        }
        let complete = state.complete;
        let later = state.waiting.split_off(&(complete + 1));
        for waiter in std::mem::replace(&mut state.waiting, later).into_values().flatten() {
            // Who does not wait any more was cancelled.
            waiter.send(()).unwrap_or_default();
        }
    }

    /// Waits until the first `count` hosts are there.
    async fn wait_for(&self, count: usize) {
        let woken = {
            let mut state = lock(&self.state);
            if state.complete >= count {
                return;
            }
            let (waiter, woken) = oneshot::channel();
            state.waiting.entry(count).or_default().push(waiter);
            woken
        };
        // The roll lives as long as its batch, which the waiter holds.
        woken.await.unwrap_or_default();
    }
}

/// A host's turn to begin; it ends when the next one may begin.
pub struct Turn<'a> {
    batch: &'a Batch,
    place: usize,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.batch.begun.add(self.place);
    }
}

impl Batch {
    pub fn new(id: TaskId, hosts: Vec<Arc<str>>) -> Self {
        Batch {
            id,
            places: hosts.iter().cloned().enumerate().map(|(place, host)| (host, place)).collect(),
            hosts,
            announced: AtomicBool::new(false),
            once: SetOnce::new(),
            fatal: AtomicBool::new(false),
            confirmed: OnceCell::new(),
            includes: Mutex::default(),
            begun: Roll::default(),
            finished: Roll::default(),
            absent: Mutex::default(),
        }
    }

    /// Waits until all hosts before this one have begun.
    pub async fn turn(&self, host: &Arc<str>) -> Turn<'_> {
        let place = self.place(host);
        self.begun.wait_for(place).await;
        Turn { batch: self, place }
    }

    /// Where a host of the batch stands in it.
    fn place(&self, host: &Arc<str>) -> usize {
        self.places.get(host).copied().unwrap_or_default()
    }

    /// The host does not take part: nobody waits for it.
    pub fn stand_down(&self, host: &Arc<str>) {
        lock(&self.absent).insert(host.clone());
        self.begun.add(self.place(host));
        self.finished.add(self.place(host));
    }

    /// The host has done the task.
    pub fn finish(&self, host: &Arc<str>) {
        self.finished.add(self.place(host));
    }

    /// Waits until all hosts have done the task.
    pub async fn all_finished(&self) {
        self.finished.wait_for(self.hosts.len()).await;
    }

    /// Whether the host is the first of those that take part: what is done once for all is done on it. Asked on the host's turn.
    pub fn is_led_by(&self, host: &Arc<str>) -> bool {
        let absent = lock(&self.absent);
        self.hosts.iter().find(|other| !absent.contains(*other)) == Some(host)
    }

    /// The number of an include among those of this batch: the same file with the same variables has the same number.
    pub fn include_number(&self, identity: &str) -> usize {
        let mut known = lock(&self.includes);
        match known.iter().position(|(other, _)| other == identity) {
            Some(number) => number,
            None => {
                known.push((identity.to_owned(), Value::Null));
                known.len() - 1
            }
        }
    }
}

/// Decides when hosts begin.
pub struct Gate {
    /// Whether hosts wait for each other.
    lockstep: bool,
    state: Mutex<State>,
    next_id: Box<dyn Fn() -> TaskId + Send + Sync>,
}

#[derive(Default)]
struct State {
    /// Hosts between two arrivals.
    running: usize,
    waiting: HashMap<Arc<str>, Waiting>,
    /// The order of hosts, for batches.
    order: Vec<Arc<str>>,
}

struct Waiting {
    position: Position,
    go: oneshot::Sender<Arc<Batch>>,
}

impl Gate {
    pub fn new(lockstep: bool, order: Vec<Arc<str>>, next_id: impl Fn() -> TaskId + Send + Sync + 'static) -> Self {
        let state = State { running: order.len(), waiting: HashMap::new(), order };
        Gate { lockstep, state: Mutex::new(state), next_id: Box::new(next_id) }
    }

    pub fn is_lockstep(&self) -> bool {
        self.lockstep
    }

    /// Waits until the host may begin the task at this place.
    pub async fn arrive(&self, host: &Arc<str>, position: Position) -> Arc<Batch> {
        if !self.lockstep {
            return Arc::new(Batch::new((self.next_id)(), vec![host.clone()]));
        }
        let (go, wait) = oneshot::channel();
        {
            let mut state = lock(&self.state);
            state.running -= 1;
            state.waiting.insert(host.clone(), Waiting { position, go });
            self.release(&mut state);
        }
        match wait.await {
            Ok(batch) => batch,
            // The gate is gone with the play: nobody is left to wait for.
            Err(_) => Arc::new(Batch::new((self.next_id)(), vec![host.clone()])),
        }
    }

    /// The host does no more tasks in this play.
    pub fn leave(&self) {
        if self.lockstep {
            let mut state = lock(&self.state);
            state.running -= 1;
            self.release(&mut state);
        }
    }

    fn release(&self, state: &mut State) {
        if state.running > 0 {
            return;
        }
        let Some(first) = state.waiting.values().map(|waiting| waiting.position.clone()).min() else { return };
        let hosts: Vec<Arc<str>> =
            state.order.iter().filter(|host| state.waiting.get(*host).is_some_and(|waiting| waiting.position == first)).cloned().collect();
        let batch = Arc::new(Batch::new((self.next_id)(), hosts.clone()));
        for host in hosts {
            if let Some(waiting) = state.waiting.remove(&host) {
                state.running += 1;
                // A host that does not wait any more was cancelled, and leaves by itself.
                waiting.go.send(batch.clone()).unwrap_or_default();
            }
        }
    }
}

impl Batch {
    pub fn is_fatal(&self) -> bool {
        self.fatal.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    fn gate(lockstep: bool, hosts: &[&str]) -> Arc<Gate> {
        let next = AtomicU64::new(0);
        let order = hosts.iter().map(|host| Arc::from(*host)).collect();
        Arc::new(Gate::new(lockstep, order, move || TaskId(next.fetch_add(1, Ordering::Relaxed))))
    }

    #[tokio::test]
    async fn linear_hosts_begin_the_earliest_task_together() {
        let gate = gate(true, &["a", "b", "c"]);
        let arrive = |host: &str, position: Vec<usize>| {
            let (gate, host) = (gate.clone(), Arc::from(host));
            tokio::spawn(async move {
                let batch = gate.arrive(&host, position).await;
                gate.leave();
                batch
            })
        };
        // `b` is inside an include after task 1; the others are at task 2 already.
        let (a, b, c) = (arrive("a", vec![2]), arrive("b", vec![1, 0, 0]), arrive("c", vec![2]));
        let b = b.await.expect("runs");
        let (a, c) = (a.await.expect("runs"), c.await.expect("runs"));
        assert_eq!(b.hosts, [Arc::from("b")]);
        assert_eq!(a.hosts, [Arc::from("a"), Arc::from("c")]);
        assert!(Arc::ptr_eq(&a, &c));
        assert!(b.id < a.id);
    }

    #[tokio::test]
    async fn hosts_begin_a_task_in_the_order_of_the_play() {
        let batch = Arc::new(Batch::new(TaskId(1), ["a", "b", "c"].map(Arc::from).to_vec()));
        let order = Arc::new(Mutex::new(Vec::new()));
        let begin = |host: &str| {
            let (batch, order, host) = (batch.clone(), order.clone(), Arc::<str>::from(host));
            tokio::spawn(async move {
                let _turn = batch.turn(&host).await;
                lock(&order).push(host);
            })
        };
        for host in [begin("c"), begin("b"), begin("a")] {
            host.await.expect("runs");
        }
        assert_eq!(*lock(&order), ["a", "b", "c"].map(Arc::<str>::from));
    }

    #[tokio::test]
    async fn nobody_waits_for_a_host_that_stood_down() {
        let batch = Batch::new(TaskId(1), ["a", "b"].map(Arc::from).to_vec());
        batch.stand_down(&Arc::from("a"));
        drop(batch.turn(&Arc::from("b")).await);
        assert!(batch.is_led_by(&Arc::from("b")));
        batch.finish(&Arc::from("b"));
        batch.all_finished().await;
    }

    #[tokio::test]
    async fn free_hosts_wait_for_nobody() {
        let gate = gate(false, &["a", "b"]);
        assert_eq!(gate.arrive(&Arc::from("a"), vec![5]).await.hosts, [Arc::from("a")]);
    }
}
