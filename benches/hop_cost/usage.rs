//! What a process has used, as the kernel counts it.

use std::fs;
use std::io;
use std::path::Path;

/// Used by all threads of a process that are alive.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Processor time in nanoseconds, kernel and user.
    pub cpu_ns: u64,
    /// How often a thread gave up its processor to wait.
    pub waits: u64,
}

impl Usage {
    /// The figures of a process now. `/proc/PID/task/*/schedstat` counts in nanoseconds, where `stat` counts in ticks.
    ///
    /// # Errors
    /// There is no such process, or the kernel keeps no such figures.
    pub fn of(pid: u32) -> io::Result<Self> {
        let mut all = Self::default();
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            // A thread may end between being listed and being read.
            if let Ok(one) = Self::of_task(&task?.path()) {
                all.cpu_ns += one.cpu_ns;
                all.waits += one.waits;
            }
        }
        if all.cpu_ns == 0 {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "the kernel keeps no schedstat"));
        }
        Ok(all)
    }

    fn of_task(task: &Path) -> io::Result<Self> {
        let schedstat = fs::read_to_string(task.join("schedstat"))?;
        let status = fs::read_to_string(task.join("status"))?;
        let number = |text: Option<&str>| text.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        let waits = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        Ok(Self { cpu_ns: number(schedstat.split(' ').next()), waits: number(waits) })
    }

    /// What was used since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            cpu_ns: self.cpu_ns.saturating_sub(earlier.cpu_ns),
            waits: self.waits.saturating_sub(earlier.waits),
        }
    }
}
