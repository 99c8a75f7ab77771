//! How often the auditor catches a lying node: each kind of lie so many times, each drawn from another seed.
//!
//! `cargo run --release -p emulator --example lies -- 100` (or `-- 100 Swaps OrderGone`: only these). Takes about four seconds a lie told to
//! browsers and half a second a lie in the data. Ends with 1 if any went unnoticed.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it talks to people on a terminal")]

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/liar/mod.rs"]
mod liar;

use std::process::ExitCode;

use common::Shop;
use liar::Lie;
use liar::trials::{Tampering, honest, lied_to, tampered};

#[tokio::main]
async fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let times: u64 = words.next().and_then(|word| word.parse().ok()).unwrap_or(100);
    let only: Vec<String> = words.collect();
    let kinds = Lie::ALL
        .map(|lie| format!("{lie:?}"))
        .into_iter()
        .chain(Tampering::ALL.map(|how| format!("{how:?}")));
    let kinds: Vec<String> = kinds.collect();
    if let Some(unknown) = only.iter().find(|word| !kinds.contains(word)) {
        eprintln!("lies: `{unknown}` is no lie: {}", kinds.join(", "));
        return ExitCode::from(2);
    }
    let wanted = |kind: String| only.is_empty() || only.contains(&kind);
    let mut missed = 0;
    println!("{:<16} {:>6} {:>6}", "lie", "told", "caught");
    let mut tell = |lie: String, told: u64, unnoticed: Vec<String>| {
        println!("{lie:<16} {told:>6} {:>6}", told - unnoticed.len() as u64);
        unnoticed.iter().for_each(|found| println!("  unnoticed: {found}"));
        missed += unnoticed.len();
    };
    for lie in Lie::ALL.into_iter().filter(|lie| wanted(format!("{lie:?}"))) {
        // Each kind in a shop of its own: orders stay, and every audit reads them all.
        let shop = Shop::open(2).await;
        let (mut told, mut seed, mut unnoticed) = (0, 0, Vec::new());
        while told < times && seed < 3 * times {
            seed += 1;
            let Some((caught, found)) = lied_to(&shop, lie, seed).await else { continue };
            told += 1;
            if !caught {
                unnoticed.push(format!("seed {seed}: {found}"));
            }
        }
        tell(format!("{lie:?}"), told, unnoticed);
    }
    // The lies before have left marks on the data: a shop of its own for these.
    let shop = Shop::open(2).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let outcome = honest(&shop, folder.path()).await;
    for how in Tampering::ALL.into_iter().filter(|how| wanted(format!("{how:?}"))) {
        let mut unnoticed = Vec::new();
        for seed in 1..=times {
            let (caught, found) = tampered(&shop, &outcome, how, seed).await;
            if !caught {
                unnoticed.push(format!("seed {seed}: {found}"));
            }
        }
        tell(format!("{how:?}"), times, unnoticed);
    }
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
