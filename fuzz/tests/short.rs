//! A short run for each target; the same inputs every time.

use std::sync::Mutex;

use fuzz::run::{Progress, run};

const SEED: u64 = 1;
const INPUTS: u64 = 60_000;

#[test]
fn no_input_breaks_a_target() {
    let failures = Mutex::new(Vec::new());
    let counts = run(SEED, INPUTS, (0, 1), &Progress::default(), &failures);
    let failures = failures.into_inner().unwrap();
    let told: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "seed {SEED}:\n{}", told.join("\n"));
    assert!(counts.iter().map(|(_, count)| count).sum::<u64>() > INPUTS * 9 / 10, "{counts:?}");
}
