//! Run folders against each other: from files to a verdict.

mod fixture;

use std::path::{Path, PathBuf};

use report::summary::summarize;
use report::{
    RunDir,
    compare::{Change, CompareError, Options, compare, junit, markdown, text},
    history::history,
    record::{
        HISTOGRAMS_FILE, HistogramLog, MANIFEST_FILE, Manifest, new_histogram, read_histograms, read_json,
        write_json,
    },
};

/// A copy of the fixture in which every latency is `factor` times as long.
fn run(base: &Path, name: &str, factor: f64) -> RunDir {
    let folder = base.join(name);
    std::fs::create_dir_all(&folder).expect("made");
    fixture::write(&folder);
    let mut intervals = Vec::new();
    read_histograms(&folder, |interval| intervals.push(interval)).expect("read");
    std::fs::remove_file(folder.join(HISTOGRAMS_FILE)).expect("there was one");
    let mut log = HistogramLog::create(&folder, std::time::UNIX_EPOCH).expect("a log");
    for interval in intervals {
        let mut scaled = new_histogram();
        for value in interval.histogram.iter_recorded() {
            let longer = (value.value_iterated_to() as f64 * factor) as u64;
            scaled.record_n(longer.max(1), value.count_at_value()).expect("in range");
        }
        log.append(interval.start, interval.length, &interval.tag, &scaled).expect("appended");
    }
    RunDir::open(&folder).expect("a run")
}

fn base() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn options() -> Options {
    Options { run_noise_pct: 0.0, rounds: 2000, ..Options::default() }
}

fn edit(run: &RunDir, change: impl FnOnce(&mut Manifest)) {
    let path: PathBuf = run.file(MANIFEST_FILE);
    let mut manifest: Manifest = read_json(&path).expect("readable").expect("there");
    change(&mut manifest);
    write_json(&path, &manifest).expect("written");
}

#[test]
fn a_run_is_unchanged_beside_itself() {
    let base = base();
    let (a, b) = (run(base.path(), "a", 1.0), run(base.path(), "b", 1.0));
    let found = compare(&[a], &[b], &options()).expect("comparable");
    assert_eq!(found.verdict, Change::Unchanged, "{}", text(&found));
    assert!(found.figures.iter().all(|figure| figure.change == 0.0), "{}", text(&found));
}

#[test]
fn a_slower_run_has_regressed_in_every_form() {
    let base = base();
    let (a, b) = (run(base.path(), "a", 1.0), run(base.path(), "b", 1.2));
    let found = compare(&[a], &[b], &options()).expect("comparable");
    assert_eq!(found.verdict, Change::Regressed, "{}", text(&found));
    let mean = found.figures.iter().find(|figure| figure.name == "mean_ms").expect("there");
    assert!((mean.change - 20.0).abs() < 1.0, "{mean:?}");
    assert!(text(&found).contains("verdict: regressed (mean_ms"), "{}", text(&found));
    assert!(markdown(&found).starts_with("### 🔴 tpcw: regressed"));
    let xml = junit(&found).expect("written");
    assert!(xml.contains("<failure") && xml.contains("name=\"mean_ms\""), "{xml}");
}

#[test]
fn an_hour_apart_a_small_change_is_inconclusive_and_says_why() {
    let base = base();
    let (a, b) = (run(base.path(), "a", 1.0), run(base.path(), "b", 1.08));
    let apart = Options { run_noise_pct: 5.0, ..options() };
    let found = compare(&[a], &[b], &apart).expect("comparable");
    assert_eq!(found.verdict, Change::Inconclusive, "{}", text(&found));
    assert!(found.notes[0].contains("from one run to the next"), "{:?}", found.notes);
}

#[test]
fn different_loads_are_refused_and_named() {
    let base = base();
    let (a, b) = (run(base.path(), "a", 1.0), run(base.path(), "b", 1.0));
    edit(&b, |manifest| {
        manifest.sessions = 7;
        manifest.mix = "ordering".into();
    });
    let error =
        compare(std::slice::from_ref(&a), std::slice::from_ref(&b), &options()).expect_err("not comparable");
    assert!(matches!(error, CompareError::Incomparable(_)));
    let words = error.to_string();
    assert!(words.contains("browsers") && words.contains("shopping and ordering"), "{words}");
    let forced = compare(&[a], &[b], &Options { force: true, ..options() }).expect("forced");
    assert!(!forced.notes.is_empty());
}

#[test]
fn a_history_shows_where_the_level_changed() {
    let base = base();
    // Only manifest and summary are read of a run that has both.
    let first = run(base.path(), "00", 1.0);
    let summary = summarize(&first).expect("a summary");
    let mut runs = Vec::new();
    for number in 1..15 {
        let folder = base.path().join(format!("{number:02}"));
        std::fs::create_dir_all(&folder).expect("made");
        std::fs::copy(first.file(MANIFEST_FILE), folder.join(MANIFEST_FILE)).ok();
        let run = RunDir::open(&folder).expect("a run");
        edit(&run, |manifest| manifest.started = format!("2026-11-{:02}T00:00:00Z", number));
        let mut slower = summary.clone();
        slower.latency_ms.mean *= (1.0 + f64::from(number % 3) / 100.0) * if number < 9 { 1.0 } else { 1.3 };
        write_json(&run.file("summary.json"), &slower).expect("written");
        runs.push(run);
    }
    edit(&runs[3], |manifest| manifest.sessions = 5);
    let found = history(&runs);
    assert_eq!((found.runs.len(), found.left_out.len()), (13, 1), "{:?}", found.left_out);
    let mean = found.changes.iter().find(|change| change.figure == "mean_ms").expect("a change");
    assert!(mean.at == 7 && mean.worse && (mean.change_pct - 30.0).abs() < 3.0, "{mean:?}");
    assert!(found.changes.iter().all(|change| change.figure != "wips"), "{:?}", found.changes);
}
