//! Do the files of a run agree with each other? Every try ended in exactly one way, so each way of counting gives the same.

use std::collections::BTreeSet;

use crate::folder::Folder;

/// What disagrees, in words. Files that are not there are not held against the others.
pub(super) fn disagreements(folder: &Folder) -> Vec<String> {
    let measured: BTreeSet<u32> = folder.measured().map(|s| s.second).collect();
    let counted = |second: u64| u32::try_from(second).is_ok_and(|second| measured.contains(&second));
    let fine = || folder.fine.iter().filter(|bin| counted(bin.ms / 1000));
    let ok = folder.measured().map(|s| s.interactions).sum::<u64>();
    let failed = folder.measured().map(|s| s.errors).sum::<u64>();
    let by_class: u64 =
        folder.errors.iter().filter(|row| measured.contains(&row.second)).map(|row| row.count).sum();
    let latencies = &folder.latencies;
    let told = folder.outcome.is_some() && !folder.interactions.is_empty();
    let histograms = !latencies.all.is_empty() || !latencies.errors.is_empty();
    let table =
        |figure: fn(&crate::record::InteractionRow) -> u64| folder.interactions.iter().map(figure).sum();
    let others = [
        ("interactions.csv", "interactions that ended well", told, table(|row| row.count), ok),
        ("interactions.csv", "tries that failed", told, table(|row| row.errors), failed),
        ("errors.csv", "tries that failed", true, by_class, failed),
        (
            "fine.csv",
            "interactions that ended well",
            !folder.fine.is_empty(),
            fine().map(|bin| bin.ok).sum(),
            ok,
        ),
        (
            "fine.csv",
            "tries that failed",
            !folder.fine.is_empty(),
            fine().map(|bin| bin.errors).sum(),
            failed,
        ),
        ("histograms.hlog", "interactions that ended well", histograms, latencies.all.len(), ok),
        ("histograms.hlog", "tries that failed", histograms, latencies.errors.len(), failed),
        (
            "histograms.hlog (service times)",
            "interactions that ended well",
            !latencies.service.is_empty(),
            latencies.service.len(),
            ok,
        ),
    ];
    others
        .into_iter()
        .filter(|(_, _, there, found, expected)| *there && found != expected)
        .map(|(file, what, _, found, expected)| {
            format!("the sums disagree: {what}: {expected} in seconds.csv, {found} in {file}")
        })
        .collect()
}
