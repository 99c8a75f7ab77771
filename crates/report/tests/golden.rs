//! Run folders of real runs, kept as they were written: what this version makes of them is what was made of them then.
//!
//! `golden/1/first-format` is the run folder of the first version that made any (its rows, and the summary it computed then);
//! `golden/1/smoke` is one of the present formats.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use report::{
    ReportError, RunDir,
    folder::Folder,
    html, plot,
    record::{MANIFEST_FILE, SCHEMA_VERSION},
    render,
    summary::{ValidityState, summarize},
};
use serde_json::Value;

/// What a file's columns begin with, whatever was added since: other people's scripts go by it.
const COLUMNS: [(&str, &str); 4] = [
    (
        "seconds.csv",
        "second,phase,sessions,interactions,errors,wips,p50_ms,p90_ms,p99_ms,max_ms,reads,writes,read_mean_ms,write_mean_ms,\
         serving_nodes",
    ),
    (
        "interactions.csv",
        "interaction,count,errors,share_pct,target_share_pct,mean_ms,p50_ms,p90_ms,p95_ms,p99_ms,p999_ms,max_ms,limit_ms,\
         within_limit",
    ),
    ("nodes.csv", "second,node,role,state,reads,writes,errors,mean_ms,p99_ms,lag_ms,connections"),
    ("events.csv", "second,kind,node,cause,detail"),
];

fn golden() -> Vec<PathBuf> {
    let versions = folders(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden"));
    let runs: Vec<PathBuf> = versions.iter().flat_map(|version| folders(version)).collect();
    assert!(runs.len() >= 2, "{runs:?}");
    runs
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(of).expect("a folder").flatten().map(|entry| entry.path()).collect();
    found.sort();
    found
}

fn copy(of: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for file in fs::read_dir(of).expect("a folder").flatten() {
        fs::copy(file.path(), folder.path().join(file.file_name())).expect("copied");
    }
    folder
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).expect("a file")).expect("JSON")
}

/// Every field of the older value is in the newer one, with the same value; the newer may have more.
fn assert_kept(older: &Value, newer: &Value, place: &str) {
    match (older, newer) {
        (Value::Object(older), Value::Object(newer)) => {
            for (key, value) in older {
                let found = newer.get(key).unwrap_or_else(|| panic!("{place}.{key} is gone"));
                assert_kept(value, found, &format!("{place}.{key}"));
            }
        }
        (Value::Array(older), Value::Array(newer)) => {
            assert_eq!(older.len(), newer.len(), "{place}");
            for (number, (older, newer)) in older.iter().zip(newer).enumerate() {
                assert_kept(older, newer, &format!("{place}[{number}]"));
            }
        }
        _ => assert_eq!(older, newer, "{place}"),
    }
}

#[test]
fn figures_computed_again_are_those_of_then() {
    for path in golden() {
        let stored = json(&path.join("summary.json"));
        let summary = summarize(&RunDir::open(&path).expect("a run")).expect("a summary");
        let again = serde_json::to_value(&summary).expect("JSON");
        assert_kept(&stored, &again, &path.display().to_string());
        let figures = stored.as_object().expect("figures");
        assert!(figures.len() > 20 && stored["interactions"].as_u64() > Some(100), "{}", path.display());
    }
}

#[test]
fn columns_begin_with_what_was_agreed() {
    for path in golden() {
        for (file, columns) in COLUMNS {
            let text = fs::read_to_string(path.join(file)).expect("a table");
            let header = text.lines().next().unwrap_or_default();
            assert!(
                format!("{header},").starts_with(&format!("{columns},")),
                "{}: {header}",
                path.join(file).display()
            );
        }
    }
}

#[test]
fn the_page_of_an_old_folder_is_drawn_and_drawn_the_same_again() {
    for path in golden() {
        let drawn = || {
            let run = RunDir::open(&path).expect("a run");
            let (folder, summary) = (Folder::read(&run).expect("read"), summarize(&run).expect("a summary"));
            html::page(&folder, &summary, &plot::all(&folder, &summary))
        };
        let page = drawn();
        assert!(page == drawn(), "{}: the page differs", path.display());
        assert!(page.matches("<svg").count() >= 6 && !page.contains("NaN"), "{}", path.display());
    }
}

#[test]
fn browsers_inside_an_interaction_are_shown_where_it_is_known_when_they_asked() {
    for (name, known) in [("first-format", false), ("smoke", true)] {
        let path = golden().into_iter().find(|path| path.ends_with(name)).expect("a run");
        let run = RunDir::open(&path).expect("a run");
        let (folder, summary) = (Folder::read(&run).expect("read"), summarize(&run).expect("a summary"));
        let drawn = plot::all(&folder, &summary).iter().any(|picture| picture.name == "littles_law");
        assert_eq!(drawn, known, "{name}");
        let inside = folder.inside.seconds(&folder.errors);
        assert_eq!(inside.len(), if known { folder.load_seconds() as usize } else { 0 }, "{name}");
    }
}

#[test]
fn an_old_folder_can_be_made_complete_again() {
    let first = golden().into_iter().find(|path| path.ends_with("first-format")).expect("the oldest");
    let folder = copy(&first);
    let run = RunDir::open(folder.path()).expect("a run");
    let files = render(&run).expect("rendered");
    let names: BTreeSet<String> =
        files.iter().filter_map(|file| Some(file.file_name()?.to_string_lossy().into_owned())).collect();
    for name in ["summary.json", "report.html", "throughput.svg", "throughput.png"] {
        assert!(names.contains(name), "{names:?}");
    }
    let summary = summarize(&run).expect("a summary");
    assert_eq!(summary.validity.state, ValidityState::Valid);
    // What it did not record is not judged, and what it did is.
    let found = &summary.compliance;
    assert!(found.mix.is_some() && found.transitions.is_none() && found.think_time.is_none(), "{found:?}");
    assert_eq!(summary.warm_up.map(|warm_up| (warm_up.seconds, warm_up.steady)), Some((5, None)));
}

#[test]
fn a_folder_of_a_later_version_is_refused_with_both_versions() {
    let folder = copy(&golden()[0]);
    let path = folder.path().join(MANIFEST_FILE);
    let mut manifest = json(&path);
    manifest["schema_version"] = (SCHEMA_VERSION + 1).into();
    // What is a number now may be a table then.
    manifest["machine"] = "of another kind".into();
    fs::write(&path, manifest.to_string()).expect("written");
    let error = summarize(&RunDir::open(folder.path()).expect("a run")).expect_err("refused");
    assert!(matches!(error, ReportError::Later { found, .. } if found == SCHEMA_VERSION + 1), "{error}");
    let words = error.to_string();
    assert!(words.contains("its format is 2") && words.contains("up to 1"), "{words}");
}
