//! The page: every part is there for rich and for poor folders, it stays small however long the run was, and needs nothing else.

mod fixture;
#[path = "fixture/hour.rs"]
mod hour;

use std::{collections::BTreeSet, fs, path::Path};

use report::{
    RunDir,
    folder::Folder,
    html, plot,
    record::{HISTOGRAMS_FILE, SecondRow, write_table},
    summary::summarize,
};

/// Every part of the page.
const SECTIONS: [&str; 14] = [
    "verdict",
    "headline",
    "timeline",
    "events",
    "interactions",
    "load",
    "nodes",
    "servers",
    "generator",
    "errors",
    "consistency",
    "limits",
    "repeat",
    "method",
];

fn page_of(folder: &Path) -> String {
    let run = RunDir::open(folder).expect("a run");
    drawn(&run, &Folder::read(&run).expect("read"))
}

fn drawn(run: &RunDir, folder: &Folder) -> String {
    let summary = summarize(run).expect("a summary");
    html::page(folder, &summary, &plot::all(folder, &summary))
}

/// Whole, alone, and without a figure that is none.
fn must_hold(page: &str) {
    let ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), unique.len(), "an id is there twice: {ids:?}");
    for section in SECTIONS {
        assert!(unique.contains(section), "no section {section}");
    }
    for anchor in page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(unique.contains(anchor), "nothing is at #{anchor}");
    }
    let outside = page.replace("http://www.w3.org/2000/svg", "");
    for word in ["http:", "https:", "src=", "@import", "url(", "<script", "javascript:"] {
        assert!(!outside.contains(word), "the page has {word}");
    }
    for (at, word) in words(page) {
        let around: String = page[..at].chars().rev().take(80).collect();
        let around: String = around.chars().rev().collect();
        assert!(!["NaN", "inf", "Infinity"].contains(&word), "the page says {word} after {around}");
    }
    let (opened, closed) = (page.matches("<svg").count(), page.matches("</svg>").count());
    assert_eq!(opened, closed);
}

/// Words with their places.
fn words(page: &str) -> impl Iterator<Item = (usize, &str)> {
    page.match_indices(|c: char| !c.is_alphanumeric()).map(|(at, end)| {
        let rest = &page[at + end.len()..];
        (at, &rest[..rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len())])
    })
}

#[test]
fn a_rich_folder_has_every_section_and_picture() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fixture::write(folder.path());
    let page = page_of(folder.path());
    must_hold(&page);
    for picture in [
        "timeline",
        "interactions",
        "distribution",
        "slower",
        "percentiles",
        "think_times",
        "servers",
        "generator",
        "littles_law",
    ] {
        assert!(page.contains(&format!("href=\"{picture}.points.csv\"")), "no picture {picture}");
    }
    for words in [
        "Interactions a second",
        "Latency, ms",
        "Every interaction, ms",
        "Failed tries a second",
        "Reads a second, by node",
        "Lag behind the primary, ms",
        "Processor, cores in use",
        "Memory of each process, MiB",
        "Network, KiB a second",
        "Row-lock waits that began, a second",
        "Deadlocks a second",
        "Buffer pool",
        "Browsers woke up late by, ms",
        "rate × mean latency",
        "90th percentile of best sellers over time",
        "How far behind the primary, once a second",
        "tpcw run elastic --sessions 60",
        "Server &lt;n1&gt; has gone away",
    ] {
        assert!(page.contains(words), "the page lacks {words:?}");
    }
    assert_eq!(page.matches("class=\"spark\"").count(), 14);
    assert_eq!(page.matches("<tr class=\"fault\">").count(), 2);
    assert!(page.len() < 700 * 1024, "{} bytes", page.len());
}

#[test]
fn poor_folders_have_every_section_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("seconds.csv"), "second,phase\n").expect("written");
    must_hold(&page_of(folder.path()));
    let row =
        |second, interactions| SecondRow { second, interactions, measured: true, ..SecondRow::default() };
    write_table(folder.path(), &[row(0, 0)]).expect("written");
    must_hold(&page_of(folder.path()));
    write_table(folder.path(), &[row(0, 3), row(7, 0), row(8, 1)]).expect("written");
    must_hold(&page_of(folder.path()));
}

#[test]
fn each_file_may_be_missing() {
    let whole = tempfile::tempdir().expect("a temporary folder");
    fixture::write(whole.path());
    let files: Vec<_> = fs::read_dir(whole.path()).expect("a folder").flatten().map(|f| f.path()).collect();
    assert!(files.len() > 12);
    // Reading the histograms takes most of the time; one test reads them.
    fs::remove_file(whole.path().join(HISTOGRAMS_FILE)).expect("removed");
    for file in files.iter().filter(|file| file.exists() && !file.ends_with("manifest.json")) {
        let bytes = fs::read(file).expect("a file");
        fs::remove_file(file).expect("removed");
        must_hold(&page_of(whole.path()));
        fs::write(file, bytes).expect("put back");
    }
}

#[test]
fn figures_that_are_none_are_told_as_dashes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fixture::write(folder.path());
    fs::remove_file(folder.path().join(HISTOGRAMS_FILE)).expect("removed");
    for file in
        ["seconds.csv", "interactions.csv", "nodes.csv", "resources.csv", "generator.csv", "think_times.csv"]
    {
        let text = fs::read_to_string(folder.path().join(file)).expect("a table");
        let spoilt: Vec<String> = text
            .lines()
            .enumerate()
            .map(|(at, line)| {
                let words = ["NaN", "inf", "-inf", "1e308", "-5.0"];
                let spoil = |(column, value): (usize, &str)| {
                    let number = value.contains('.') && value.parse::<f64>().is_ok();
                    if at > 0 && number {
                        words[(at + column) % words.len()].to_owned()
                    } else {
                        value.to_owned()
                    }
                };
                line.split(',').enumerate().map(spoil).collect::<Vec<_>>().join(",")
            })
            .collect();
        fs::write(folder.path().join(file), spoilt.join("\n") + "\n").expect("written");
    }
    must_hold(&page_of(folder.path()));
}

#[test]
fn an_hour_on_eight_nodes_stays_small_and_is_the_same_each_time() {
    let path = tempfile::tempdir().expect("a temporary folder");
    fixture::write(path.path());
    fs::remove_file(path.path().join(HISTOGRAMS_FILE)).expect("removed");
    hour::stretch(path.path());
    let run = RunDir::open(path.path()).expect("a run");
    let mut folder = Folder::read(&run).expect("read");
    assert_eq!(folder.load_seconds(), hour::LENGTH);
    // As wide a spread as histograms would tell, without the time that reading 60 000 of them takes here.
    let names: Vec<String> = folder.interactions.iter().map(|row| row.interaction.clone()).collect();
    for second in 0..hour::LENGTH {
        for (number, name) in (1_u64..).zip(&names) {
            let step = (u64::from(second) * 7_919 + number * 104_729) % 997;
            folder.spread.add(second, name, &[(900 * number + step * 10, 3), (2_000 + step * step, 1)]);
        }
        folder.spread.add(second, "error", &[(50_000, 1)]);
    }
    let page = drawn(&run, &folder);
    must_hold(&page);
    assert!(page.contains("Each column stands for 15 s"));
    assert!(page.len() < 2 * 1024 * 1024, "{} bytes", page.len());
    assert!(page == drawn(&run, &folder), "the page changed");
}
