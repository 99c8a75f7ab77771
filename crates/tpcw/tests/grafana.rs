//! The dashboards that are handed out ask only for metrics that there are.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The words of a text that begin so.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("tpcw_")).collect()
}

/// Checks a dashboard against the source that writes its metrics; gives the number of its panels and of the metrics they ask for.
fn checked(dashboard: &str, source: &str) -> (usize, usize) {
    let source = file(source);
    let known = names(&source);
    let dashboard: Value = serde_json::from_str(&file(dashboard)).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut asked = 0;
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let marks = dashboard["annotations"]["list"].as_array().into_iter().flatten();
    for query in targets.chain(marks) {
        for name in names(query["expr"].as_str().expect("a query")) {
            let endings = ["_bucket", "_sum", "_count"];
            let base = endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
            assert!(known.contains(base), "{name} is no metric of ours");
            asked += 1;
        }
    }
    let places: BTreeSet<String> = panels.iter().map(|panel| panel["gridPos"].to_string()).collect();
    assert_eq!(places.len(), panels.len(), "no panel lies on another");
    (panels.len(), asked)
}

#[test]
fn every_query_of_the_balancers_dashboard_has_its_metric() {
    let (panels, asked) = checked("docs/grafana/balancer.json", "crates/balancer/src/admin/metrics.rs");
    assert!(panels >= 16 && asked >= 20, "{panels} panels, {asked} metrics");
}

#[test]
fn every_query_of_the_runs_dashboard_has_its_metric() {
    let (panels, asked) = checked("docs/grafana/run.json", "crates/emulator/src/metrics/text.rs");
    assert!(panels >= 10 && asked >= 12, "{panels} panels, {asked} metrics");
}
