//! How often the auditor catches a lying node: each kind of lie so many times, each drawn from another seed.
//!
//! `cargo run --release -p emulator --example lies -- 100`. Takes about four seconds a lie told to browsers and half a second
//! a lie in the data. Ends with 1 if any went unnoticed.
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
    let times: u64 = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(100);
    let shop = Shop::open(2).await;
    let mut missed = 0;
    println!("{:<16} {:>6} {:>6}", "lie", "told", "caught");
    let mut tell = |lie: String, told: u64, unnoticed: Vec<String>| {
        println!("{lie:<16} {told:>6} {:>6}", told - unnoticed.len() as u64);
        unnoticed.iter().for_each(|found| println!("  unnoticed: {found}"));
        missed += unnoticed.len();
    };
    for lie in Lie::ALL {
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
    for how in Tampering::ALL {
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
