//! Processor time of processes, as Linux tells it in `/proc/PID/stat` (proc(5)).

use std::fs;
use std::time::Duration;

/// Nanoseconds in a tick of the counters in `/proc`: a hundredth of a second on every Linux that user programs see (USER_HZ).
pub(crate) const TICK_NS: u64 = 10_000_000;

/// What a process and all its descendants have used so far, threads that have ended included; `None` when it is gone.
pub fn of_tree(process: u32) -> Option<Duration> {
    let own = in_stat(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)?;
    Some(children(process).into_iter().filter_map(of_tree).fold(own, |sum, used| sum + used))
}

/// Time in user and system mode, the 14th and 15th field of a `stat`. The second, the name in brackets, may hold anything.
pub(crate) fn in_stat(stat: &str) -> Option<Duration> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Duration::from_nanos((user + system) * TICK_NS))
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
    fn the_times_are_found_behind_any_name() {
        let stat = "42 (my (odd) name) S 1 42 42 0 -1 4194560 100 0 0 0 30 12 0 0 20 0 4 0 100 1000 50";
        assert_eq!(in_stat(stat), Some(Duration::from_millis(420)));
        assert_eq!((in_stat(""), in_stat("42 (cut off) S 1 42")), (None, None));
    }

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
