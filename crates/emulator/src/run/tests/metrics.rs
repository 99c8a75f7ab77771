//! What is told while a run goes on agrees with what it leaves.

use std::collections::BTreeMap;

use super::*;

/// Every sample of a page by name and labels; heads are checked on the way.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut typed = String::new();
    let mut found = BTreeMap::new();
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("# TYPE ") {
            typed = head.split(' ').next().expect("a name").to_owned();
        } else if !line.starts_with('#') {
            assert!(line.starts_with(&typed), "{line} under {typed}");
            let (name, value) = line.rsplit_once(' ').expect("a sample");
            let before = found.insert(name.to_owned(), value.parse().expect("a number"));
            assert_eq!(before, None, "{name} twice");
        }
    }
    found
}

fn sum(samples: &BTreeMap<String, f64>, prefix: &str) -> u64 {
    samples.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, value)| *value as u64).sum()
}

#[tokio::test(start_paused = true)]
async fn what_is_told_while_it_runs_is_what_the_folder_holds() {
    let metrics = Arc::new(crate::metrics::Metrics::default());
    assert_eq!(
        samples(&metrics.text())["tpcw_run_seconds"],
        0.0,
        "before the first second there is a page too"
    );
    let fake = Fake::new(|this| {
        let class = if this.number % 50 == 49 { Err(FailureClass::Deadlock) } else { Ok(()) };
        (20 * MS, class)
    });
    let mut load = workload(20, 200, 30);
    load.phases.insert(0, phase(PhaseKind::Warmup, 5, Level::default(), 0));
    let ran = ran_watched(fake, load, Some(metrics.clone())).await;
    let text = metrics.text();
    let told = samples(&text);
    let seconds = ran.seconds();
    let errors: u64 = seconds.iter().map(|row| row.errors).sum();
    assert!(errors > 10, "{errors}");
    assert_eq!(sum(&told, "tpcw_run_interactions_total"), ran.served() + errors);
    assert_eq!(sum(&told, "tpcw_run_latency_seconds_count"), ran.served());
    assert_eq!(sum(&told, "tpcw_run_service_seconds_count"), ran.served());
    assert_eq!(told["tpcw_run_errors_total{class=\"deadlock\"}"] as u64, errors);
    assert_eq!(sum(&told, "tpcw_run_errors_total"), errors);
    let reads: u64 = seconds.iter().map(|row| row.reads).sum();
    assert_eq!(told["tpcw_run_statement_seconds_count{kind=\"read\"}"] as u64, reads);
    assert_eq!((told["tpcw_run_seconds"], told["tpcw_run_planned_seconds"]), (35.0, 35.0));
    assert_eq!(told["tpcw_run_phase{phase=\"measure\"}"], 1.0);
    assert_eq!(told["tpcw_run_phase{phase=\"warmup\"}"], 0.0);
    assert_eq!((told["tpcw_run_measured"], told["tpcw_run_browsers"]), (1.0, 20.0));
    assert_eq!(told["tpcw_run_events_total{kind=\"phase\"}"], 2.0);
    let home = |le| told[&format!("tpcw_run_latency_seconds_bucket{{interaction=\"home\",le=\"{le}\"}}")];
    assert_eq!(home("0.01"), 0.0, "a page takes 20 ms");
    assert!(home("0.025") > 0.9 * home("+Inf") && home("0.025") < home("+Inf"), "retries take longer");
}
