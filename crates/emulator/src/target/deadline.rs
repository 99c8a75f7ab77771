//! A limit of time for each statement of a connection at the cost of one timer a connection.
//!
//! A timer that is set and taken back for each statement costs the emulator more than the statement's parameters do. Here it
//! stays set when an answer comes in time; the next statement only moves the moment that counts, and a timer that runs out
//! before that moment is set anew.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// The limit of one connection, which has one statement under way at most.
#[derive(Debug)]
pub(super) struct Deadline {
    limit: Duration,
    timer: Pin<Box<Sleep>>,
}

/// No answer came within the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Late;

impl Deadline {
    /// # Panics
    /// Outside a runtime with timers.
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, timer: Box::pin(sleep_until(Instant::now() + limit)) }
    }

    /// The most that a statement may take.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// Waits for `work`, which began at `begun`, until the limit is over.
    pub(super) async fn within<F: Future>(&mut self, begun: Instant, work: F) -> Result<F::Output, Late> {
        let mut work = pin!(work);
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Ok(value)),
            Poll::Pending => self.poll_over(begun + self.limit, context).map(|()| Err(Late)),
        })
        .await
    }

    fn poll_over(&mut self, due: Instant, context: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.timer.as_mut().poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) if self.timer.deadline() >= due => return Poll::Ready(()),
                // Set for an earlier statement.
                Poll::Ready(()) => self.timer.as_mut().reset(due),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn every_statement_has_the_whole_limit() {
        let mut deadline = Deadline::new(100 * MS);
        // Together far more than one limit, with pauses in between that use it up.
        for took in [99, 1, 0, 60, 60, 60, 99] {
            let answer = deadline.within(Instant::now(), sleep(took * MS)).await;
            assert_eq!(answer, Ok(()), "{took} ms");
            sleep(took * 3 * MS).await;
        }
        for took in [150, 100_000] {
            let begun = Instant::now();
            assert_eq!(deadline.within(begun, sleep(took * MS)).await, Err(Late));
            let waited = begun.elapsed();
            assert!((100 * MS..=102 * MS).contains(&waited), "{waited:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_statement_that_moves_to_another_task_is_limited_there() {
        let mut deadline = Deadline::new(100 * MS);
        assert_eq!(deadline.within(Instant::now(), sleep(MS)).await, Ok(()));
        let begun = Instant::now();
        let elsewhere =
            tokio::spawn(async move { deadline.within(begun, std::future::pending::<()>()).await });
        assert_eq!(elsewhere.await.expect("no panic"), Err(Late));
        assert!(begun.elapsed() <= 102 * MS);
    }
}
