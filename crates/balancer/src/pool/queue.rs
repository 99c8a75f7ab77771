//! Statements of one thread that wait for a connection to one node: first come, first served.
//!
//! Who is woken looks for itself and stays where it stands if there is nothing for it, so nobody overtakes. One whose
//! account may have no more connections does not hold up those behind it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::time::Instant;

/// The line.
#[derive(Debug, Default)]
pub struct Queue {
    standing: RefCell<VecDeque<Rc<Waiter>>>,
    blocked: Cell<usize>,
}

#[derive(Debug)]
struct Waiter {
    since: Instant,
    woken: Notify,
    blocked: Cell<bool>,
}

/// A place in the line, left when this is dropped.
#[derive(Debug)]
pub struct Standing<'a> {
    queue: &'a Queue,
    waiter: Rc<Waiter>,
}

impl Queue {
    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.standing.borrow().is_empty()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.standing.borrow().len()
    }

    /// Whether whoever comes now may look at once: all that stand here wait for something else.
    pub fn lets_pass(&self) -> bool {
        self.len() == self.blocked.get()
    }

    /// Since when the first has been here.
    pub fn first(&self) -> Option<Instant> {
        self.standing.borrow().front().map(|waiter| waiter.since)
    }

    /// Stands at the end.
    pub fn join(&self, since: Instant) -> Standing<'_> {
        let waiter = Rc::new(Waiter { since, woken: Notify::new(), blocked: Cell::new(false) });
        self.standing.borrow_mut().push_back(waiter.clone());
        Standing { queue: self, waiter }
    }

    /// Wakes the first `count`; those who are blocked by their account do not count.
    pub fn wake(&self, count: usize) {
        let mut left = count;
        for waiter in self.standing.borrow().iter() {
            if left == 0 {
                return;
            }
            waiter.woken.notify_one();
            left -= usize::from(!waiter.blocked.get());
        }
    }
}

impl Standing<'_> {
    /// Waits to be woken.
    pub async fn woken(&self) {
        self.waiter.woken.notified().await;
    }

    /// Notes whether it is only its account's limit that this one waits for; tells whether that is news.
    pub fn set_blocked(&self, blocked: bool) -> bool {
        let news = self.waiter.blocked.replace(blocked) != blocked;
        if news {
            let before = self.queue.blocked.get();
            self.queue.blocked.set(if blocked { before + 1 } else { before - 1 });
        }
        news
    }

    /// Whether all that stand before it wait for their accounts' limits alone.
    pub fn is_next(&self) -> bool {
        let standing = self.queue.standing.borrow();
        standing.iter().find(|waiter| !waiter.blocked.get()).is_none_or(|next| Rc::ptr_eq(next, &self.waiter))
    }

    /// Since when it has stood here.
    pub fn since(&self) -> Instant {
        self.waiter.since
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        self.set_blocked(false);
        self.queue.standing.borrow_mut().retain(|waiter| !Rc::ptr_eq(waiter, &self.waiter));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn they_are_woken_in_order_and_the_blocked_do_not_hold_up_the_others() {
        let queue = Queue::default();
        let now = Instant::now();
        let all: Vec<_> = (0..4).map(|_| queue.join(now)).collect();
        let woken = || all.iter().map(|s| s.woken().now_or_never().is_some()).collect::<Vec<_>>();
        queue.wake(1);
        assert_eq!(woken(), [true, false, false, false]);
        all[0].set_blocked(true);
        queue.wake(2);
        assert_eq!(woken(), [true, true, true, false], "a blocked one may look too");
        assert!(!queue.lets_pass());
        all[1..].iter().for_each(|standing| assert!(standing.set_blocked(true)));
        assert!(queue.lets_pass(), "whoever comes now waits for nothing that they wait for");
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_makes_room_for_the_next() {
        let queue = Queue::default();
        let first = queue.join(Instant::now());
        let second = queue.join(Instant::now());
        first.set_blocked(true);
        drop(first);
        queue.wake(1);
        assert!(second.woken().now_or_never().is_some());
        assert_eq!((queue.len(), queue.lets_pass()), (1, false));
        drop(second);
        assert!(queue.is_empty() && queue.lets_pass());
    }
}
