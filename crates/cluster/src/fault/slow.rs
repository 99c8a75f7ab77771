//! A process that gets a part of its time only: stopped and continued in short turns.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::mariadbd::process::Process;

/// One turn: running, then standing still. Short beside any time-out, long beside the clock's ticks.
const TURN: Duration = Duration::from_millis(20);

/// A slowed process. It goes on when this ends.
#[derive(Debug)]
pub(crate) struct Slowed {
    process: Arc<Process>,
    stop: CancellationToken,
    turns: JoinHandle<Option<()>>,
}

impl Slowed {
    /// Gives the process `percent` of its time.
    pub(crate) fn begin(process: Arc<Process>, percent: u8) -> Self {
        let running = TURN.mul_f64(f64::from(percent.clamp(1, 99)) / 100.0);
        let (stop, slowed) = (CancellationToken::new(), process.clone());
        let turns = stop.clone().run_until_cancelled_owned(async move {
            while slowed.ended().is_none() && slowed.signal(Signal::STOP).is_ok() {
                sleep(TURN - running).await;
                if slowed.signal(Signal::CONT).is_err() {
                    break;
                }
                sleep(running).await;
            }
        });
        Self { process, stop, turns: tokio::spawn(turns) }
    }

    /// Lets it run.
    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        // Only when no more turn can come does the last word count. How the task ended does not matter.
        let _ = (&mut self.turns).await;
    }
}

impl Drop for Slowed {
    fn drop(&mut self) {
        self.turns.abort();
        // A process that has gone cannot go on.
        let _ = self.process.signal(Signal::CONT);
    }
}
