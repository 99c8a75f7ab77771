//! Plain lines, for logs and pipes.

use std::collections::VecDeque;

use emulator::run::Live;
use report::record::EventRow;

use super::limits::{Limit, State};

/// Seconds between two lines.
const EVERY: u32 = 5;

/// Events remembered as told. A picture brings the newest few again and again, and late ones out of order.
const TOLD: usize = 64;

/// Writes a line every few seconds, and one for each event, to standard error.
#[derive(Debug, Default)]
pub struct Plain {
    next: u32,
    told: VecDeque<EventRow>,
}

impl Plain {
    /// Says what is new.
    pub fn show(&mut self, live: &Live, limits: &[Limit]) {
        for event in &live.events {
            if !self.told.contains(event) {
                crate::say(&format!("{:>6.1}s  * {}", event.second, super::event_text(event)));
                self.told.push_back(event.clone());
            }
        }
        let old = self.told.len().saturating_sub(TOLD);
        self.told.drain(..old);
        if live.second < self.next {
            return;
        }
        self.next = live.second + EVERY;
        let serving = live.nodes.iter().filter(|node| node.state == "serving").count();
        let nodes = if live.nodes.is_empty() { String::new() } else { format!("  {serving} nodes serving") };
        let broken: Vec<&str> =
            limits.iter().filter(|l| l.state == State::Broken).map(|l| l.name.as_str()).collect();
        let broken = if broken.is_empty() {
            String::new()
        } else {
            format!("  not held so far: {}", broken.join(", "))
        };
        crate::say(&format!(
            "{:>6}s  {:<9} {:>3} sessions  {:>6.1} WIPS  p50 {:>6.1} ms  p90 {:>6.1} ms  p99 {:>7.1} ms  {} errors{nodes}{broken}",
            live.second,
            live.phase,
            live.sessions,
            live.wips,
            live.p50_ms,
            live.p90_ms,
            live.p99_ms,
            live.total_errors,
        ));
    }
}
