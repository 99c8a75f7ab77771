//! Waking up on time.
//!
//! The runtime's own timer counts whole milliseconds, rounds up twice (to its tick, and to the system's), and so wakes a
//! browser 1.1 ms late in the median: as long as a simple page takes, and it would count as the page's latency. Each worker
//! therefore keeps the moments that its browsers wait for itself, and has the system's high-resolution timer wake it for the
//! earliest one. Late by 0.05 ms in the median instead, at one system call a wait that becomes the earliest.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

/// How the browsers of a worker wait.
#[derive(Clone, Debug)]
pub(crate) enum Alarm {
    /// By the runtime's timer; its clock may be paused.
    Runtime,
    /// By a timer of the worker's own.
    Own(Arc<Waits>),
}

impl Alarm {
    /// Returns at this moment; at once, without waiting for any timer, when it has passed.
    pub(crate) async fn sleep_until(&self, due: Instant) {
        match self {
            _ if due <= Instant::now() => {}
            Self::Runtime => tokio::time::sleep_until(due).await,
            Self::Own(waits) => Wait { waits, due, id: None }.await,
        }
    }

    /// An alarm of the calling runtime's own; the second part has to be run for as long as anybody waits.
    ///
    /// # Errors
    /// When the system has no such timer to give.
    pub(crate) fn own() -> io::Result<(Self, impl Future<Output = io::Error> + Send)> {
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        // SAFETY: an `OwnedFd` is an open descriptor until it is dropped, always the same; the `AsyncFd` owns it.
        let timer = unsafe { AsyncFd::register(timer) }.map_err(io::Error::from)?;
        let waits = Arc::new(Waits { timer, queue: Mutex::default() });
        let ringing = waits.clone();
        Ok((Self::Own(waits), async move { ringing.ring().await }))
    }
}

/// Who waits for what, on one worker.
#[derive(Debug)]
pub(crate) struct Waits {
    timer: AsyncFd<OwnedFd>,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// In the order in which they are due; the number tells apart those that are due together.
    waiting: BTreeMap<(Instant, u64), Waker>,
    next: u64,
}

impl Waits {
    /// Wakes whoever is due, for ever.
    async fn ring(&self) -> io::Error {
        loop {
            let mut ready = match self.timer.readable().await {
                Ok(ready) => ready,
                Err(error) => return error,
            };
            // How often the timer has run out is of no interest; reading it makes room for the next time.
            let _ = rustix::io::read(self.timer.get_ref(), &mut [0_u8; 8]);
            ready.clear_ready();
            drop(ready);
            match self.take_due() {
                Ok(due) => due.into_iter().for_each(Waker::wake),
                Err(error) => return error,
            }
        }
    }

    fn take_due(&self) -> io::Result<Vec<Waker>> {
        let now = Instant::now();
        let mut queue = self.queue.lock().expect("no panic while the queue is held");
        let later = queue.waiting.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut queue.waiting, later);
        if let Some(((earliest, _), _)) = queue.waiting.first_key_value() {
            self.set(*earliest)?;
        }
        Ok(due.into_values().collect())
    }

    /// Has the timer run out at this moment. A time of nothing would turn it off.
    fn set(&self, at: Instant) -> io::Result<()> {
        let left = at.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        let it_value = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval, it_value })?;
        Ok(())
    }

    fn enter(&self, due: Instant, id: Option<u64>, waker: &Waker) -> u64 {
        let mut queue = self.queue.lock().expect("no panic while the queue is held");
        let id = id.unwrap_or_else(|| {
            queue.next += 1;
            queue.next
        });
        queue.waiting.insert((due, id), waker.clone());
        let first = queue.waiting.first_key_value().is_some_and(|(key, _)| *key == (due, id));
        if first {
            self.set(due).expect("a timer that was made can be set");
        }
        id
    }
}

struct Wait<'a> {
    waits: &'a Waits,
    due: Instant,
    /// While it is in the queue.
    id: Option<u64>,
}

impl Future for Wait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.due {
            return Poll::Ready(());
        }
        self.id = Some(self.waits.enter(self.due, self.id, context.waker()));
        Poll::Pending
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let mut queue = self.waits.queue.lock().expect("no panic while the queue is held");
            queue.waiting.remove(&(self.due, id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_wakes_in_turn_and_nobody_early() {
        let (alarm, ringing) = Alarm::own().expect("a timer");
        let ringing = tokio::spawn(ringing);
        // All are entered before the first is due.
        let start = Instant::now() + Duration::from_millis(200);
        let woken = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..200_u64 {
            // Entered out of order, some due together.
            let offset = Duration::from_micros(number * 7_919 % 200 / 2 * 300);
            let (alarm, woken) = (alarm.clone(), woken.clone());
            tasks.spawn(async move {
                alarm.sleep_until(start + offset).await;
                assert!(Instant::now() >= start + offset, "woken early");
                woken.lock().expect("free").push(offset);
            });
        }
        tasks.join_all().await;
        let woken = woken.lock().expect("free").clone();
        assert!(woken.is_sorted(), "{woken:?}");
        let Alarm::Own(waits) = &alarm else { panic!("its own timer") };
        assert!(waits.queue.lock().expect("free").waiting.is_empty());
        ringing.abort();
    }

    #[tokio::test]
    async fn a_wait_that_is_given_up_leaves_nothing_behind() {
        let (alarm, ringing) = Alarm::own().expect("a timer");
        let ringing = tokio::spawn(ringing);
        let far = Instant::now() + Duration::from_secs(3_600);
        let given_up = tokio::time::timeout(Duration::from_millis(5), alarm.sleep_until(far)).await;
        assert!(given_up.is_err());
        // The timer is still set for the far one; a nearer one has it set anew.
        alarm.sleep_until(Instant::now() + Duration::from_millis(2)).await;
        let Alarm::Own(waits) = &alarm else { panic!("its own timer") };
        assert!(waits.queue.lock().expect("free").waiting.is_empty());
        ringing.abort();
    }
}
