//! A queue with one server, as nothing but the moment when it will be free.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// First come, first served, one at a time. Cheap to clone; clones are the same queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    free: Arc<Mutex<Option<Instant>>>,
}

impl Queue {
    /// Joins the queue now; returns when the service, once begun, will have been done.
    pub(super) fn enter(&self, now: Instant, service: Duration) -> Instant {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let done = free.map_or(now, |free| free.max(now)) + service;
        *free = Some(done);
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_while_another_is_served_waits_and_idle_time_is_not_saved_up() {
        let queue = Queue::default();
        let (start, service) = (Instant::now(), Duration::from_millis(10));
        let done: Vec<u128> = (0..3).map(|_| (queue.enter(start, service) - start).as_millis()).collect();
        assert_eq!(done, [10, 20, 30]);
        let later = start + Duration::from_secs(5);
        assert_eq!(queue.clone().enter(later, service) - later, service);
    }
}
