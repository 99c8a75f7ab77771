//! The dashboard that is handed out asks only for metrics that the balancer has.

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

#[test]
fn every_query_of_the_dashboard_has_its_metric() {
    let source = file("crates/balancer/src/admin/metrics.rs");
    let known = names(&source);
    let dashboard: Value = serde_json::from_str(&file("docs/grafana/balancer.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut asked = 0;
    for query in panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten()) {
        for name in names(query["expr"].as_str().expect("a query")) {
            let endings = ["_bucket", "_sum", "_count"];
            let base = endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
            assert!(known.contains(base), "{name} is no metric of the balancer");
            asked += 1;
        }
    }
    assert!(panels.len() >= 16 && asked >= 20, "{} panels, {asked} metrics", panels.len());
    let places: BTreeSet<String> = panels.iter().map(|panel| panel["gridPos"].to_string()).collect();
    assert_eq!(places.len(), panels.len(), "no panel lies on another");
}
