//! Processor, memory, disk and network as Linux tells of them in `/proc` (proc(5)). What cannot be read is not known.

use std::time::Duration;

use report::record::ResourceRow;
use tokio::time::Instant;

use super::server::Counters;
use crate::usage::{TICK_NS, in_stat};

/// Counters of a part at one moment, from its beginning on.
#[derive(Clone, Debug)]
pub(super) struct Used {
    at: Instant,
    pub(super) cpu_ns: Option<u64>,
    pub(super) memory_mib: Option<f64>,
    read: Option<u64>,
    written: Option<u64>,
    received: Option<u64>,
    sent: Option<u64>,
    pub(super) server: Option<Counters>,
}

impl Default for Used {
    fn default() -> Self {
        let at = Instant::now();
        Self {
            at,
            cpu_ns: None,
            memory_mib: None,
            read: None,
            written: None,
            received: None,
            sent: None,
            server: None,
        }
    }
}

impl Used {
    /// What was used since; a counter that fell began anew, as after the restart of a node.
    pub(super) fn since(&self, before: &Self) -> ResourceRow {
        let grown = |now: Option<u64>, before: Option<u64>| {
            now.zip(before).map(|(now, before)| now.checked_sub(before).unwrap_or(now))
        };
        let kib = |now, before| grown(now, before).map(|bytes| bytes / 1024);
        let passed = (self.at - before.at).max(Duration::from_millis(1));
        let server = |counter: fn(&Counters) -> u64| {
            grown(self.server.as_ref().map(counter), before.server.as_ref().map(counter))
        };
        let (asked, missed) =
            (server(|counters| counters.pool_requests), server(|counters| counters.pool_misses));
        let hits = asked.zip(missed).filter(|(asked, missed)| *asked > 0 && missed <= asked);
        ResourceRow {
            cpu_cores: grown(self.cpu_ns, before.cpu_ns).map(|ns| ns as f64 / passed.as_nanos() as f64),
            memory_mib: self.memory_mib,
            read_kib: kib(self.read, before.read),
            written_kib: kib(self.written, before.written),
            received_kib: kib(self.received, before.received)
                .or(server(|counters| counters.received).map(|bytes| bytes / 1024)),
            sent_kib: kib(self.sent, before.sent)
                .or(server(|counters| counters.sent).map(|bytes| bytes / 1024)),
            statements: server(|counters| counters.statements),
            row_lock_waits: server(|counters| counters.row_lock_waits),
            row_lock_wait_ms: server(|counters| counters.row_lock_wait_ms),
            deadlocks: server(|counters| counters.deadlocks),
            buffer_pool_hit_pct: hits.map(|(asked, missed)| 100.0 * (asked - missed) as f64 / asked as f64),
            ..ResourceRow::default()
        }
    }
}

/// The whole machine.
pub(super) fn machine() -> Used {
    let stat = read("/proc/stat");
    let memory = read("/proc/meminfo");
    let paged = read("/proc/vmstat");
    let network = read("/proc/net/dev");
    let bytes = |column| network.as_deref().map(|text| network_bytes(text, column));
    let kib = |name| paged.as_deref().and_then(|text| value_of(text, name)).map(|kib| kib * 1024);
    Used {
        cpu_ns: stat.as_deref().and_then(busy_ns),
        memory_mib: memory.as_deref().and_then(|text| {
            let used = value_of(text, "MemTotal:")?.checked_sub(value_of(text, "MemAvailable:")?)?;
            Some(used as f64 / 1024.0)
        }),
        read: kib("pgpgin"),
        written: kib("pgpgout"),
        received: bytes(0),
        sent: bytes(8),
        ..Used::default()
    }
}

/// A process, this one when none is named.
pub(super) fn process(pid: Option<u32>) -> Used {
    let folder = pid.map_or_else(|| "/proc/self".to_owned(), |pid| format!("/proc/{pid}"));
    let file = |name: &str| read(&format!("{folder}/{name}"));
    let (status, io) = (file("status"), file("io"));
    let disk = |name| io.as_deref().and_then(|text| value_of(text, name));
    Used {
        cpu_ns: file("stat").as_deref().and_then(in_stat).map(|used| used.as_nanos() as u64),
        memory_mib: status
            .as_deref()
            .and_then(|text| value_of(text, "VmRSS:"))
            .map(|kib| kib as f64 / 1024.0),
        read: disk("read_bytes:"),
        written: disk("write_bytes:"),
        ..Used::default()
    }
}

/// All threads of this process whose name begins so.
pub(super) fn threads(prefix: &str) -> Used {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let named = tasks.filter(|task| {
        std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.starts_with(prefix))
    });
    let used = named.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_ascii_whitespace().next()?.parse::<u64>().ok()
    });
    Used { cpu_ns: Some(used.sum()), ..Used::default() }
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// The number after a name at the start of a line.
fn value_of(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().map(str::split_ascii_whitespace);
    lines.find_map(|mut words| if words.next() == Some(name) { words.next()?.parse().ok() } else { None })
}

/// Busy time of all processors: user, nice, system, irq, softirq and steal; not idle, not waiting for disks.
fn busy_ns(stat: &str) -> Option<u64> {
    let line = stat.lines().find(|line| line.starts_with("cpu "))?;
    let ticks: Vec<u64> = line.split_ascii_whitespace().skip(1).map_while(|word| word.parse().ok()).collect();
    let busy = |at: usize| ticks.get(at).copied().unwrap_or(0);
    Some([0, 1, 2, 5, 6, 7].into_iter().map(busy).sum::<u64>() * TICK_NS)
}

fn network_bytes(text: &str, column: usize) -> u64 {
    let interfaces = text.lines().filter_map(|line| line.split_once(':'));
    interfaces
        .filter_map(|(_, figures)| figures.split_ascii_whitespace().nth(column)?.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_in_what_the_system_writes() {
        assert_eq!(busy_ns("cpu  10 1 5 900 7 2 1 1 0 0\ncpu0 1 1 1\n"), Some(20 * TICK_NS));
        assert_eq!(value_of("Name: x\nVmRSS:\t  2048 kB\n", "VmRSS:"), Some(2048));
        let network =
            "Inter-|   Receive\n face |bytes\n  lo: 100 1 0 0 0 0 0 0 200 1 0\neth0:50 1 0 0 0 0 0 0 7 1 0\n";
        assert_eq!((network_bytes(network, 0), network_bytes(network, 8)), (150, 207));
    }

    #[test]
    fn this_process_uses_processor_and_memory() {
        let (before, all_before) = (process(None), machine());
        let begun = Instant::now();
        let mut sum = 0_u64;
        while begun.elapsed() < Duration::from_millis(120) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let row = process(None).since(&before);
        assert!(row.cpu_cores.is_some_and(|cores| cores > 0.05), "{row:?}");
        assert!(row.memory_mib.is_some_and(|mib| mib > 1.0), "{row:?}");
        let all = machine().since(&all_before);
        assert!(all.cpu_cores.is_some() && all.memory_mib.is_some_and(|mib| mib > 1.0), "{all:?}");
    }

    #[test]
    fn a_counter_that_fell_began_anew() {
        let used = |cpu_ns, statements| Used {
            cpu_ns: Some(cpu_ns),
            server: Some(Counters { statements, pool_requests: statements, ..Counters::default() }),
            ..Used::default()
        };
        let row = used(5, 7).since(&used(900, 100));
        assert_eq!((row.statements, row.buffer_pool_hit_pct), (Some(7), Some(100.0)));
        assert!(row.cpu_cores.is_some_and(|cores| cores < 0.01), "{row:?}");
        let unknown = Used::default().since(&used(1, 1));
        assert_eq!((unknown.cpu_cores, unknown.statements), (None, None));
    }
}
