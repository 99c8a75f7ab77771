//! What is needed to repeat the run, and how its figures are found.

use maud::{Markup, html};

use super::{Pictures, scrolled};
use crate::{
    folder::Folder,
    record::{
        AUDIT_FILE, ErrorRow, EventRow, FineRow, GeneratorRow, HISTOGRAMS_FILE, InteractionRow,
        MANIFEST_FILE, NodeRow, OUTCOME_FILE, ResourceRow, Row, SecondRow, ThinkRow, TransitionRow,
    },
    summary::SUMMARY_FILE,
};

/// The files of a folder, each with what it holds.
const FILES: [(&str, &str); 15] = [
    (SUMMARY_FILE, "every figure of this page"),
    (MANIFEST_FILE, "settings, seed, versions, machine"),
    (SecondRow::FILE, "one row a second of load"),
    (InteractionRow::FILE, "the 14 interactions over the measured time"),
    (NodeRow::FILE, "one row a node and second"),
    (EventRow::FILE, "what happened, when, to whom, why"),
    (ErrorRow::FILE, "failed tries by second, interaction and class"),
    (FineRow::FILE, "the load in bins of 100 ms"),
    (ResourceRow::FILE, "processor, memory, disk, network, the servers' counters"),
    (GeneratorRow::FILE, "whether the generator kept up"),
    (ThinkRow::FILE, "think times as a histogram"),
    (TransitionRow::FILE, "how often each page followed each other"),
    (HISTOGRAMS_FILE, "latencies as an HDR interval log, one a second and interaction"),
    (AUDIT_FILE, "what the nodes hold"),
    (OUTCOME_FILE, "how the run ended"),
];

/// Command line, what it ran on, the workload, the files.
pub(super) fn body(folder: &Folder, pictures: &Pictures<'_>) -> Markup {
    let m = &folder.manifest;
    let capacity = match &m.node_capacity {
        serde_json::Value::Null => "not limited".to_owned(),
        value => {
            value.get("text").and_then(serde_json::Value::as_str).map_or(value.to_string(), str::to_owned)
        }
    };
    let facts = [
        ("seed", m.seed.to_string()),
        ("tpcw", m.versions.tpcw.clone()),
        ("server", m.versions.server.clone()),
        ("kernel", m.versions.kernel.clone()),
        (
            "machine",
            format!("{}, {} cores, {} MiB", m.machine.processor, m.machine.cores, m.machine.memory_mib),
        ),
        ("capacity of a node", capacity),
        ("schema of the files", m.schema_version.to_string()),
    ];
    html! {
        @if m.command_line.is_empty() { p.muted { "The folder has no manifest: what was run is not known." } }
        @else { pre { (m.command_line.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")) } }
        (scrolled("what it ran on", html! { table.facts { tbody {
            @for (name, value) in &facts { tr { th scope="row" { (name) } td { (value) } } }
        } } }))
        details {
            summary { "The workload as it was run" }
            pre { (serde_json::to_string_pretty(&without_nulls(&m.workload)).unwrap_or_default()) }
        }
        details {
            summary { "The files beside this page" }
            ul.small { @for (file, holds) in FILES { li { a href=(file) { (file) } ": " (holds) } }
                li { "pictures: " @for picture in pictures.0 { a href=(format!("{}.svg", picture.name)) { (picture.name) } " " }
                    "(each as SVG, PNG and points.csv)" }
            }
        }
        p.small { "All of this page is drawn again from these files, without a server, by " code { "tpcw report DIR" } "." }
    }
}

/// A value without what is not set.
fn without_nulls(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(fields) => {
            let set = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(set.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(without_nulls).collect()),
        value => value.clone(),
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// The rules behind the figures of events.
pub(super) fn method() -> Markup {
    html! { div.small {
        p { "An event that causes something (a fault, its healing, a request to scale, an unexplained loss) is followed for 30 s, "
            "but not beyond the next cause or the end of the load, in bins of 100 ms; nothing is known more finely." }
        p { "Its baseline is the throughput of the 10 s before, less where browsers left since. Unavailable is time in which no "
            "interaction ended well: from the first failed try on, or whole where the baseline makes it unlikelier than one in a "
            "thousand that such a silence comes up by chance. A fall is a second (longer at low rates) below 90 % of the baseline and four standard deviations "
            "below it, or unavailable time; the dip is the deepest second, beside the deepest of the 10 s before. Recovery is the "
            "beginning of the first second after it with 90 % (99 %) of the baseline. Lost are the interactions that the baseline promised "
            "until then and that did not come." }
        p { "Percentiles over time of long runs, small panels and sparklines come from histograms of 40 cells a decade, right to 3 %; "
            "the tables come from histograms of three digits. The slowest are always shown." }
    } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_typed_again() {
        let words = ["tpcw", "--out=a/b", "it's", "", "a b"].map(quoted);
        assert_eq!(words, ["tpcw", "--out=a/b", "'it'\\''s'", "''", "'a b'"]);
    }
}
