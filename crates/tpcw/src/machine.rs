//! What this machine is, for the manifest.

use report::record::{Machine, Versions};

/// Reads processor, cores and memory from `/proc`; what cannot be read stays empty.
pub fn machine() -> Machine {
    let field = |file: &str, key: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.lines()
            .find_map(|line| {
                line.strip_prefix(key)?.trim_start().strip_prefix(':').map(|value| value.trim().to_owned())
            })
            .unwrap_or_default()
    };
    Machine {
        processor: field("/proc/cpuinfo", "model name"),
        cores: std::thread::available_parallelism().map_or(0, |cores| cores.get() as u32),
        memory_mib: field("/proc/meminfo", "MemTotal")
            .trim_end_matches(" kB")
            .parse::<u64>()
            .map_or(0, |kib| kib / 1024),
    }
}

/// The programs that take part.
pub fn versions(server: &str) -> Versions {
    let kernel = rustix::system::uname();
    Versions {
        tpcw: format!("{} ({})", env!("CARGO_PKG_VERSION"), env!("TPCW_REVISION")),
        server: server.to_owned(),
        kernel: format!("{} {}", kernel.sysname().to_string_lossy(), kernel.release().to_string_lossy()),
    }
}
