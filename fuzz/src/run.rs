//! Many inputs for many targets, each within a limit of time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::mutate::{Random, mutate};
use crate::targets::{TARGETS, Target};

/// Where a worker is, for whoever watches that it goes on.
#[derive(Debug, Default)]
pub struct Progress {
    /// Inputs that have been done.
    pub done: AtomicU64,
    /// The target under way, by its place in [`TARGETS`].
    pub target: AtomicUsize,
    /// The input under way, by its number.
    pub input: AtomicU64,
    /// Whether one is under way.
    pub busy: AtomicBool,
}

/// An input that broke its target.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The target's name.
    pub target: &'static str,
    /// Its number in the run.
    pub number: u64,
    /// The input.
    pub input: Vec<u8>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} breaks on input {}: b\"{}\"", self.target, self.number, self.input.escape_ascii())
    }
}

/// Inputs of a run for one target.
fn quota(target: &Target, inputs: u64) -> u64 {
    let shares: u64 = TARGETS.iter().map(|target| target.share).sum();
    inputs * target.share / shares
}

/// Does the part of a run that falls to worker `worker` of `workers`; returns inputs done for each target. Failures are
/// collected, twenty at most a worker.
pub fn run(
    seed: u64,
    inputs: u64,
    (worker, workers): (u64, u64),
    progress: &Progress,
    failures: &Mutex<Vec<Failure>>,
) -> Vec<(&'static str, u64)> {
    let mut input = Vec::new();
    let mut found = 0;
    let mut counts = Vec::new();
    for (place, target) in TARGETS.iter().enumerate() {
        let corpus = (target.corpus)();
        progress.target.store(place, Relaxed);
        let mut count = 0;
        for number in (worker..quota(target, inputs)).step_by(workers as usize) {
            progress.input.store(number, Relaxed);
            progress.busy.store(true, Relaxed);
            make(&corpus, target, place, seed, number, &mut input);
            count += 1;
            if catch_unwind(AssertUnwindSafe(|| (target.run)(&input))).is_err() {
                found += 1;
                let failure = Failure { target: target.name, number, input: input.clone() };
                failures.lock().expect("nobody panics with it").push(failure);
            }
            progress.busy.store(false, Relaxed);
            progress.done.fetch_add(1, Relaxed);
            if found >= 20 {
                return counts;
            }
        }
        counts.push((target.name, count));
    }
    counts
}

/// The input with this number.
pub fn make(corpus: &[Vec<u8>], target: &Target, place: usize, seed: u64, number: u64, input: &mut Vec<u8>) {
    mutate(corpus, target.words, &mut Random::of(seed, place as u64, number), input);
}
