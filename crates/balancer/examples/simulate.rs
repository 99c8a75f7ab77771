//! Schedules of faults, wishes and deaths drawn from seeds, the control plane on fake nodes, and every promise checked after
//! every step: one thread a core.
//!
//!     cargo run --release -p balancer --features simulation --example simulate -- --schedules 1000000 --seed 1
//!     cargo run --release -p balancer --features simulation --example simulate -- --plant two-primaries   # or early-admission, wedged-queue, all
//!
//! `--threads N` takes fewer cores, `--keep-going` tells all seeds that break a promise instead of the first. Ends with 1
//! when a promise was broken (or a planted bug was not found).
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a program for people, on threads outside any runtime"
)]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use balancer::simulation::{self, Bug, Figures, Violation};

struct Wish {
    schedules: u64,
    seed: u64,
    threads: usize,
    keep_going: bool,
    plant: Vec<(&'static str, Bug)>,
}

fn wish() -> Result<Wish, String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut wish = Wish { schedules: 10_000, seed: 1, threads: cores, keep_going: false, plant: Vec::new() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if word == "--keep-going" {
            wish.keep_going = true;
            continue;
        }
        let value = words.next().ok_or_else(|| format!("{word} wants a value"))?;
        let number = || value.parse::<u64>().map_err(|error| format!("{word} {value}: {error}"));
        match word.as_str() {
            "--schedules" => wish.schedules = number()?,
            "--seed" => wish.seed = number()?,
            "--threads" => wish.threads = number()?.max(1) as usize,
            "--plant" => {
                let asked = |(name, _): &(&str, Bug)| value == "all" || value == *name;
                wish.plant = Bug::ALL.into_iter().filter(asked).collect();
                if wish.plant.is_empty() {
                    return Err(format!("there is no bug `{value}`"));
                }
            }
            _ => {
                return Err(format!(
                    "`{word}` is not known: --schedules, --seed, --threads, --plant, --keep-going"
                ));
            }
        }
    }
    Ok(wish)
}

/// What came of many schedules.
#[derive(Default)]
struct Outcome {
    figures: Figures,
    done: u64,
    broken: Vec<Violation>,
}

fn simulate(wish: &Wish, bug: Option<Bug>) -> Outcome {
    let (next, ended) = (AtomicU64::new(0), AtomicBool::new(false));
    let outcome = Mutex::new(Outcome::default());
    let began = Instant::now();
    let work = || {
        while !ended.load(Relaxed) {
            let number = next.fetch_add(1, Relaxed);
            if number >= wish.schedules {
                return;
            }
            let result = simulation::run(wish.seed + number, bug);
            let mut outcome = outcome.lock().expect("no panic while it is held");
            outcome.done += 1;
            match result {
                Ok(figures) => outcome.figures.add(figures),
                Err(violation) => {
                    if bug.is_none() {
                        eprintln!("{violation}");
                    }
                    outcome.broken.push(*violation);
                    ended.store(!wish.keep_going, Relaxed);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..wish.threads).map(|_| scope.spawn(work)).collect();
        let mut told = began;
        while workers.iter().any(|worker| !worker.is_finished()) {
            std::thread::sleep(Duration::from_millis(20));
            if told.elapsed() > Duration::from_secs(30) {
                told = Instant::now();
                let done = outcome.lock().expect("no panic while it is held").done;
                eprintln!("{done} schedules, {:.0} a second", done as f64 / began.elapsed().as_secs_f64());
            }
        }
    });
    outcome.into_inner().expect("no panic while it was held")
}

fn search(wish: &Wish) -> ExitCode {
    let mut all = true;
    for (name, bug) in &wish.plant {
        let outcome = simulate(wish, Some(*bug));
        match outcome.broken.first() {
            Some(found) => {
                println!(
                    "{name}: found after {} schedules (seed {}): {}",
                    outcome.done, found.seed, found.what
                );
            }
            None => {
                all = false;
                println!("{name}: not found in {} schedules", outcome.done);
            }
        }
    }
    if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn main() -> ExitCode {
    let wish = match wish() {
        Ok(wish) => wish,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    if !wish.plant.is_empty() {
        return search(&wish);
    }
    let began = Instant::now();
    let Outcome { figures, done, broken } = simulate(&wish, None);
    let took = began.elapsed().as_secs_f64();
    println!(
        "{done} schedules from seed {} in {took:.1} s ({:.0} a second on {} threads), {} broken",
        wish.seed,
        done as f64 / took,
        wish.threads,
        broken.len()
    );
    println!(
        "{} steps with every promise checked, {} happenings, {} promotions, {} restarts of the balancer ({} by hand), {} writes \
         acknowledged, {:.1} days simulated",
        figures.steps,
        figures.happenings,
        figures.promotions,
        figures.restarts,
        figures.by_hand,
        figures.acknowledged,
        figures.simulated_ms as f64 / 86_400_000.0
    );
    if !broken.is_empty() {
        let seeds: Vec<u64> = broken.iter().map(|violation| violation.seed).collect();
        println!("seeds that break a promise: {seeds:?}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
