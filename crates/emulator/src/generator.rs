//! The generator's own health: how busy its threads are. A saturated generator measures itself.

use std::sync::Mutex;

use tokio::time::Instant;

/// Processor time of the browsers' threads.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    threads: Mutex<Vec<Thread>>,
}

#[derive(Debug)]
struct Thread {
    id: i32,
    /// Processor time at the last reading, in ns.
    used: u64,
    read: Instant,
}

impl Threads {
    /// Adds the calling thread.
    pub(crate) fn enrol(&self) {
        let id = rustix::thread::gettid().as_raw_nonzero().get();
        let thread = Thread { id, used: used(id).unwrap_or_default(), read: Instant::now() };
        self.threads.lock().expect("no panic while the list is held").push(thread);
    }

    /// The busiest thread's share of a core since the last reading, 0 to 1; 0 where the system does not tell.
    pub(crate) fn busiest(&self) -> f64 {
        let now = Instant::now();
        let mut threads = self.threads.lock().expect("no panic while the list is held");
        threads.iter_mut().map(|thread| thread.share(now)).fold(0.0, f64::max)
    }
}

impl Thread {
    fn share(&mut self, now: Instant) -> f64 {
        let Some(used) = used(self.id) else { return 0.0 };
        let passed = (now - self.read).as_nanos() as f64;
        let share = used.saturating_sub(self.used) as f64 / passed.max(1.0);
        (self.used, self.read) = (used, now);
        share.min(1.0)
    }
}

/// Nanoseconds on a processor, the first figure of Linux's `schedstat`.
fn used(thread: i32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
    text.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_spins_is_seen_as_busy() {
        let threads = Threads::default();
        threads.enrol();
        let begun = Instant::now();
        let mut sum = 0_u64;
        while begun.elapsed().as_millis() < 50 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let share = threads.busiest();
        assert!(share > 0.0 && share <= 1.0, "{share}");
    }
}
