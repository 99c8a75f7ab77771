//! Clients that have not logged in: few of them may be there at a time, and when there are more the slowest go first.
//!
//! A login takes milliseconds; whoever connects and says nothing, or a byte now and then, is soon the slowest.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// A login that has taken less is not cut for another one.
const YOUNG: Duration = Duration::from_secs(1);

/// The clients of one thread that have not logged in, in the order of their arrival.
#[derive(Debug, Default)]
pub struct Logins {
    waiting: RefCell<VecDeque<Rc<Entry>>>,
}

#[derive(Debug)]
struct Entry {
    since: Instant,
    cut: Notify,
}

/// One of them, until this is dropped.
#[derive(Debug)]
pub struct LoggingIn<'a> {
    logins: &'a Logins,
    all: &'a AtomicUsize,
    entry: Rc<Entry>,
}

impl Logins {
    /// A client has connected; `all` counts those of all threads, `limit` at most. With too many, the slowest of this
    /// thread is cut; `None`: nobody has taken long enough for that.
    pub fn enter<'a>(&'a self, all: &'a AtomicUsize, limit: usize) -> Option<LoggingIn<'a>> {
        let now = Instant::now();
        if all.load(Relaxed) >= limit {
            // It leaves the line at once, so that it makes room for one newcomer and not for a flood of them.
            let mut waiting = self.waiting.borrow_mut();
            waiting.front().filter(|entry| now.duration_since(entry.since) >= YOUNG)?;
            waiting.pop_front()?.cut.notify_one();
        }
        all.fetch_add(1, Relaxed);
        let entry = Rc::new(Entry { since: now, cut: Notify::new() });
        self.waiting.borrow_mut().push_back(entry.clone());
        Some(LoggingIn { logins: self, all, entry })
    }
}

impl LoggingIn<'_> {
    /// Waits until this one has to make room.
    pub async fn cut(&self) {
        self.entry.cut.notified().await;
    }
}

impl Drop for LoggingIn<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(1, Relaxed);
        self.logins.waiting.borrow_mut().retain(|entry| !Rc::ptr_eq(entry, &self.entry));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_slowest_makes_room_and_the_young_are_left_in_peace() {
        let (logins, all) = (Logins::default(), AtomicUsize::new(0));
        let slow = logins.enter(&all, 2).expect("room");
        tokio::time::advance(YOUNG / 2).await;
        let second = logins.enter(&all, 2).expect("room");
        assert!(logins.enter(&all, 2).is_none(), "both are young");
        tokio::time::advance(YOUNG / 2).await;
        let third = logins.enter(&all, 2).expect("the slow one goes");
        assert!(logins.enter(&all, 2).is_none(), "it goes for one only");
        assert!(slow.cut().now_or_never().is_some());
        assert!(second.cut().now_or_never().is_none());
        drop((slow, second, third));
        assert_eq!(all.load(Relaxed), 0);
        assert!(logins.waiting.borrow().is_empty());
    }
}
