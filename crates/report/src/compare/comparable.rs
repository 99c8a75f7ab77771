//! Whether two runs measure the same thing.

use serde_json::Value;

use super::CompareError;
use crate::{
    RunDir,
    folder::Folder,
    summary::{self, ValidityState},
};

/// Parts of a workload that do not change what is measured.
const OF_NO_MATTER: [&str; 4] = ["thresholds", "name", "description", "about"];

/// What differs and matters, for people; nothing when the runs can be compared.
pub(super) fn differences(before: &[Folder], after: &[Folder]) -> Vec<String> {
    let mut found = Vec::new();
    if before.len() != after.len() || before.is_empty() {
        found.push(format!("{} runs on one side, {} on the other", before.len(), after.len()));
    }
    let Some(first) = before.first() else { return found };
    for other in before.iter().skip(1).chain(after) {
        for difference in between(first, other) {
            if !found.contains(&difference) {
                found.push(difference);
            }
        }
    }
    found
}

fn between(one: &Folder, other: &Folder) -> Vec<String> {
    let (a, b) = (&one.manifest, &other.manifest);
    let mut found = Vec::new();
    let mut differ = |what: &str, a: String, b: String| {
        if a != b {
            found.push(format!("{what}: {a} and {b}"));
        }
    };
    differ("format of the folder", a.schema_version.to_string(), b.schema_version.to_string());
    differ("workload", a.workload_name.clone(), b.workload_name.clone());
    differ("mix", a.mix.clone(), b.mix.clone());
    differ("browsers", a.sessions.to_string(), b.sessions.to_string());
    differ("think time in ms", a.think_mean_ms.to_string(), b.think_mean_ms.to_string());
    differ("processor", a.machine.processor.clone(), b.machine.processor.clone());
    differ("cores", a.machine.cores.to_string(), b.machine.cores.to_string());
    differ("limits of the nodes", a.node_capacity.to_string(), b.node_capacity.to_string());
    for key in keys_that_differ(&a.workload, &b.workload) {
        differ(
            &format!("workload.{key}"),
            a.workload.get(&key).unwrap_or(&Value::Null).to_string(),
            b.workload.get(&key).unwrap_or(&Value::Null).to_string(),
        );
    }
    found
}

fn keys_that_differ(a: &Value, b: &Value) -> Vec<String> {
    let keys = |value: &Value| value.as_object().map_or(Vec::new(), |o| o.keys().cloned().collect());
    let mut all: Vec<String> = keys(a);
    all.extend(keys(b));
    all.sort();
    all.dedup();
    all.retain(|key| !OF_NO_MATTER.contains(&key.as_str()) && a.get(key) != b.get(key));
    all
}

/// Runs that are no measurement, with their reasons.
pub(super) fn invalid(
    baseline: &[RunDir],
    before: &[Folder],
    candidate: &[RunDir],
    after: &[Folder],
) -> Result<Vec<String>, CompareError> {
    let mut found = Vec::new();
    for (run, folder) in baseline.iter().zip(before).chain(candidate.iter().zip(after)) {
        let validity = summary::of_folder(folder, run)?.validity;
        if validity.state == ValidityState::Invalid {
            let reasons = validity.invalid_reasons.join(", ");
            found.push(format!("{} is invalid: {reasons}", run.path().display()));
        }
    }
    Ok(found)
}
