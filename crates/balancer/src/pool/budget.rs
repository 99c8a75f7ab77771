//! How many connections to one node there may be, over all threads, and which thread's statements wait for one.
//!
//! A connection holds a [`Slot`] as long as it lives, so the limit of a node is one number for all threads, whoever uses
//! it. Taken from and returned to its thread's pool a connection touches nothing that is shared but one look at
//! [`Budget::anybody_waits`]; the rest of this file is only met where connections are opened, closed, or lacking.
//!
//! Within a thread the line is first come, first served. Between threads, which cannot hand each other a connection, a
//! slot moves (one closes, the other opens) when somebody there has waited for [`SLACK`] longer: fair to the patience of
//! clients, and not so exact that connections are made and closed all the time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// So much longer must a statement of another thread have waited to be served before one's own.
pub const SLACK: Duration = Duration::from_millis(20);

/// Nobody waits.
const NOBODY: u64 = u64::MAX;

/// The budgets of all nodes; what threads share of their pools.
#[derive(Debug)]
pub struct Budgets {
    max: usize,
    began: Instant,
    /// Wakes a thread to look whether it can give a connection away, or whether there is one for it.
    calls: Arc<[Notify]>,
    nodes: Mutex<Vec<Option<Arc<Budget>>>>,
}

impl Budgets {
    /// For `threads` threads and `max` connections to each node.
    pub fn new(max: usize, threads: usize) -> Self {
        let calls = (0..threads.max(1)).map(|_| Notify::new()).collect();
        Self { max: max.max(1), began: Instant::now(), calls, nodes: Mutex::default() }
    }

    /// The budget of a node. Locked; asked for once a thread and node.
    pub fn of(&self, index: usize) -> Arc<Budget> {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        if nodes.len() <= index {
            nodes.resize(index + 1, None);
        }
        nodes[index].get_or_insert_with(|| Arc::new(Budget::new(self))).clone()
    }

    /// Waits until another thread calls this one.
    pub async fn called(&self, thread: usize) {
        self.calls[thread].notified().await;
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.calls.len()
    }
}

/// One node's.
#[derive(Debug)]
pub struct Budget {
    /// Connections at most.
    pub max: usize,
    open: AtomicUsize,
    waiting: AtomicUsize,
    began: Instant,
    calls: Arc<[Notify]>,
    lines: Box<[Line]>,
    accounts: Mutex<HashMap<usize, usize>>,
}

/// What a thread tells the others about its line.
#[derive(Debug)]
struct Line {
    waiting: AtomicUsize,
    /// When the first in line came, in µs since the budgets began.
    first: AtomicU64,
}

impl Budget {
    fn new(budgets: &Budgets) -> Self {
        let line = |_| Line { waiting: AtomicUsize::new(0), first: AtomicU64::new(NOBODY) };
        Self {
            max: budgets.max,
            open: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            began: budgets.began,
            calls: budgets.calls.clone(),
            lines: (0..budgets.calls.len()).map(line).collect(),
            accounts: Mutex::default(),
        }
    }

    /// Connections now, in use or not.
    pub fn open(&self) -> usize {
        self.open.load(Relaxed)
    }

    /// Whether one more connection may be made.
    pub fn has_room(&self) -> bool {
        self.open() < self.max
    }

    /// Whether any statement waits, on any thread.
    pub fn anybody_waits(&self) -> bool {
        self.waiting.load(Relaxed) > 0
    }

    /// The right to one more connection, for an account that may have `limit`.
    pub fn try_open(self: &Arc<Self>, account: usize, limit: usize) -> Result<Slot, Full> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let has = accounts.entry(account).or_default();
        if *has >= limit {
            return Err(Full::Account);
        }
        let taken = self.open.fetch_update(SeqCst, SeqCst, |open| (open < self.max).then_some(open + 1));
        taken.map_err(|_| Full::Node)?;
        *has += 1;
        Ok(Slot { budget: self.clone(), account })
    }

    /// Tells what a thread's line looks like: how many stand in it, and since when its first.
    pub fn tell(&self, thread: usize, standing: usize, first: Option<Instant>) {
        let line = &self.lines[thread];
        let first = first.map_or(NOBODY, |at| at.duration_since(self.began).as_micros() as u64);
        line.first.store(first, SeqCst);
        let before = line.waiting.swap(standing, SeqCst);
        self.waiting.fetch_add(standing.wrapping_sub(before), SeqCst);
    }

    /// Statements that wait on other threads than this one.
    pub fn waiting_elsewhere(&self, thread: usize) -> usize {
        self.waiting.load(SeqCst).saturating_sub(self.lines[thread].waiting.load(SeqCst))
    }

    /// Whether a statement of another thread has waited for so much longer than one that came at `since` that it goes first.
    pub fn owed_elsewhere(&self, thread: usize, since: Instant) -> bool {
        let since = since.duration_since(self.began).as_micros() as u64;
        let others = self.lines.iter().enumerate().filter(|(at, _)| *at != thread);
        others
            .map(|(_, line)| line.first.load(SeqCst))
            .any(|first| first != NOBODY && first.saturating_add(SLACK.as_micros() as u64) <= since)
    }

    /// Calls the other threads: there is somebody here who lacks a connection.
    pub fn call_others(&self, thread: usize) {
        let others = self.calls.iter().enumerate().filter(|(at, _)| *at != thread);
        others.for_each(|(_, call)| call.notify_one());
    }

    /// Calls the thread whose first in line has waited for longest: there is room.
    fn call_first(&self) {
        let lines = self.lines.iter().map(|line| line.first.load(SeqCst)).enumerate();
        if let Some((thread, _)) = lines.filter(|(_, first)| *first != NOBODY).min_by_key(|(_, first)| *first)
        {
            self.calls[thread].notify_one();
        }
    }
}

/// Why there is no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The node has all the connections that it may have.
    Node,
    /// The account has.
    Account,
}

/// The right to one connection; dropped, it is free for whoever waits for longest.
#[derive(Debug)]
pub struct Slot {
    budget: Arc<Budget>,
    account: usize,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut accounts = self.budget.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(has) = accounts.get_mut(&self.account) {
            *has -= 1;
            if *has == 0 {
                accounts.remove(&self.account);
            }
        }
        drop(accounts);
        self.budget.open.fetch_sub(1, SeqCst);
        if self.budget.waiting.load(SeqCst) > 0 {
            self.budget.call_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_one_number_for_all_threads() {
        let budgets = Arc::new(Budgets::new(7, 4));
        let most = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..20_000 {
                        let budget = budgets.of(0);
                        let held: Vec<_> =
                            (0..round % 5).filter_map(|_| budget.try_open(0, usize::MAX).ok()).collect();
                        most.fetch_max(budget.open(), SeqCst);
                        drop(held);
                    }
                });
            }
        });
        assert_eq!(budgets.of(0).open(), 0);
        let most = most.load(SeqCst);
        assert!((2..=7).contains(&most), "{most}");
    }

    #[test]
    fn an_account_has_a_limit_of_its_own() {
        let budget = Budgets::new(10, 1).of(3);
        let held: Vec<_> = (0..2).map(|_| budget.try_open(1, 2).expect("two are allowed")).collect();
        assert_eq!(budget.try_open(1, 2).expect_err("not three"), Full::Account);
        let other = budget.try_open(2, 20).expect("another account");
        drop(held);
        assert!(budget.try_open(1, 2).is_ok());
        drop(other);
        assert!(budget.has_room() && budget.open() == 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_waited_for_longer_goes_first_and_a_little_longer_is_not_enough() {
        let budgets = Budgets::new(1, 2);
        let budget = budgets.of(0);
        let slot = budget.try_open(0, 1).expect("free");
        budget.tell(1, 3, Some(Instant::now()));
        assert!(budget.anybody_waits());
        assert_eq!((budget.waiting_elsewhere(0), budget.waiting_elsewhere(1)), (3, 0));
        tokio::time::advance(SLACK / 2).await;
        assert!(!budget.owed_elsewhere(0, Instant::now()));
        tokio::time::advance(SLACK / 2).await;
        assert!(budget.owed_elsewhere(0, Instant::now()));
        assert!(!budget.owed_elsewhere(1, Instant::now()), "one's own line is not elsewhere");
        drop(slot);
        budgets.called(1).await;
        budget.tell(1, 0, None);
        assert!(!budget.anybody_waits() && !budget.owed_elsewhere(0, Instant::now()));
    }
}
