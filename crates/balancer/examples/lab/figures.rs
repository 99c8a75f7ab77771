//! Figures of a process, from the kernel; quantiles.

use hdrhistogram::Histogram;

use super::Error;

/// A figure of `/proc/PID/status` in KiB: `VmRSS`, `VmHWM` (the highest so far).
///
/// # Errors
/// The process is gone.
pub fn memory_kib(pid: u32, name: &str) -> Result<u64, Error> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let figure = line.and_then(|line| line.split_whitespace().next()).ok_or("no such figure")?;
    Ok(figure.parse()?)
}

/// Lets `VmHWM` begin anew.
///
/// # Errors
/// The system does not allow it.
pub fn forget_peak(pid: u32) -> Result<(), Error> {
    Ok(std::fs::write(format!("/proc/{pid}/clear_refs"), "5")?)
}

/// A histogram of microseconds.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 600_000_000, 3).expect("the bounds are right")
}

/// A quantile in milliseconds.
pub fn ms(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e3
}

/// The slope of a line through points, by least squares.
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let over: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    let under: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    over / under
}
