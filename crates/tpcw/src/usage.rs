//! Processor time of processes, as Linux tells it (proc(5)).

use std::fs;
use std::time::Duration;

/// Ticks in a second, the same on every Linux that user programs see.
const TICKS: u64 = 100;

/// What a process and all its descendants have used so far, threads that have ended included; `None` when it is gone.
pub fn of_tree(process: u32) -> Option<Duration> {
    let own = of_process(process)?;
    Some(children(process).into_iter().filter_map(of_tree).fold(own, |sum, used| sum + used))
}

fn of_process(process: u32) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in brackets, may hold anything; after it comes the third field.
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis((ticks()? + ticks()?) * 1000 / TICKS))
}

fn children(process: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_is_seen_to() {
        let own = std::process::id();
        let before = of_tree(own).expect("this process");
        let mut sum = 0_u64;
        while of_tree(own).expect("this process") < before + Duration::from_millis(50) {
            sum = (0..100_000).fold(sum, |sum, n| std::hint::black_box(sum.wrapping_add(n)));
        }
        assert_eq!(of_tree(u32::MAX), None, "no such process");
    }
}
