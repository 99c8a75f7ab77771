//! `cargo run --release -p fuzz --bin in_process -- [--inputs 50000000] [--seed 1] [--threads 2]`: mutated inputs for all
//! targets, in this process. Exit code 1: one was found that breaks a target; 2: one that takes longer than two seconds.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it reports to a terminal")]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use fuzz::run::{Progress, make, run};
use fuzz::targets::TARGETS;

/// No input may take longer.
const LIMIT: Duration = Duration::from_secs(2);

fn option(name: &str, default: u64) -> u64 {
    let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
    arguments.next().map_or(default, |value| {
        value.parse().unwrap_or_else(|_| {
            eprintln!("{name} takes a number, not `{value}`");
            std::process::exit(64)
        })
    })
}

fn main() -> ExitCode {
    let (inputs, seed, threads) =
        (option("--inputs", 50_000_000), option("--seed", 1), option("--threads", 2).max(1));
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    let failures = Mutex::new(Vec::new());
    let progress: Vec<Progress> = (0..threads).map(|_| Progress::default()).collect();
    let over = AtomicBool::new(false);
    let mut totals: Vec<(&str, u64)> = TARGETS.iter().map(|target| (target.name, 0)).collect();
    std::thread::scope(|scope| {
        let failures = &failures;
        let workers: Vec<_> = (0..threads)
            .zip(&progress)
            .map(|(worker, progress)| {
                scope.spawn(move || run(seed, inputs, (worker, threads), progress, failures))
            })
            .collect();
        scope.spawn(|| watch(&progress, seed, &over));
        for worker in workers {
            let counts = worker.join().expect("panics are caught where they happen");
            totals.iter_mut().zip(counts).for_each(|((_, sum), (_, count))| *sum += count);
        }
        over.store(true, Relaxed);
    });
    for (name, count) in &totals {
        println!("{name:>12} {count:>12} inputs");
    }
    let failures = failures.into_inner().expect("the workers are done");
    let done: u64 = totals.iter().map(|(_, count)| count).sum();
    println!("{:>12} {done:>12} inputs, seed {seed}: {} found, 0 hangs", "all", failures.len());
    failures.iter().for_each(|failure| println!("{failure}"));
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// Ends the program when a worker has been at one input for too long.
#[expect(clippy::disallowed_methods, reason = "no runtime here, and the clock is not part of what is tested")]
fn watch(progress: &[Progress], seed: u64, over: &AtomicBool) {
    let mut seen = vec![(0, std::time::Instant::now()); progress.len()];
    while !over.load(Relaxed) {
        std::thread::sleep(Duration::from_millis(50));
        for (progress, (before, since)) in progress.iter().zip(&mut seen) {
            let done = progress.done.load(Relaxed);
            if done != *before {
                (*before, *since) = (done, std::time::Instant::now());
            } else if since.elapsed() > LIMIT && done > 0 && !over.load(Relaxed) {
                let place = progress.target.load(Relaxed);
                let (target, number) = (&TARGETS[place], progress.input.load(Relaxed));
                let mut input = Vec::new();
                make(&(target.corpus)(), target, place, seed, number, &mut input);
                // A worker that has finished stands still as well; only one that is in an input hangs.
                if progress.busy.load(Relaxed) {
                    println!("{} hangs on input {number}: b\"{}\"", target.name, input.escape_ascii());
                    std::process::exit(2);
                }
            }
        }
    }
}
