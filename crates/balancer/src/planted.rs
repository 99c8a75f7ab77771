//! A balancer that is slower on purpose, by a known share: whether a comparison of two builds notices is found out with it
//! (`cargo run --release -p tpcw --features planted --example power`). Not in any build without the feature `planted`.

use std::sync::LazyLock;

use tokio::time::Instant;

/// The environment variable that tells by how many per cent each answer of a node is to take longer; absent: not at all.
pub const SLOWER: &str = "TPCW_PLANTED_SLOWER_PCT";

static SHARE: LazyLock<f64> = LazyLock::new(|| {
    let Some(told) = std::env::var_os(SLOWER) else { return 0.0 };
    let percent = told.to_str().and_then(|text| text.parse::<f64>().ok());
    let percent = percent.filter(|percent| (0.0..=1000.0).contains(percent));
    if percent.is_none() {
        tracing::error!("{SLOWER}={}: allowed is 0 to 1000; nothing is slower", told.display());
    }
    percent.unwrap_or_default() / 100.0
});

/// Keeps the thread busy for that share of the time that the answer took, as slower code would: before a short answer is passed on;
/// after a long one, which went out as it came in.
pub(crate) fn dawdle(since: Instant) {
    if *SHARE <= 0.0 {
        return;
    }
    let until = Instant::now() + since.elapsed().mul_f64(*SHARE);
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}
