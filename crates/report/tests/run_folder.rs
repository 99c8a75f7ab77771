//! A whole run folder: what is made of it, again and again, whole or cut off.

mod fixture;

use std::{collections::BTreeSet, ffi::OsString, fs, path::Path, sync::LazyLock};

use report::{
    ReportError, RunDir,
    folder::Folder,
    html,
    inside::InsideSecond,
    plot::{self, Picture},
    png::Painter,
    record::{EventKind, EventRow, NodeRow, write_table},
    render,
    summary::{Summary, ValidityState, Verdict, summarize},
};

/// The fixture is simulated once and copied for each test.
static ONCE: LazyLock<Vec<(OsString, Vec<u8>)>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fixture::write(folder.path());
    let files = fs::read_dir(folder.path()).expect("a folder").flatten();
    files.map(|file| (file.file_name(), fs::read(file.path()).expect("a file"))).collect()
});

struct Run {
    folder: tempfile::TempDir,
}

impl Run {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, bytes) in ONCE.iter() {
            fs::write(folder.path().join(name), bytes).expect("copied");
        }
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn open(&self) -> RunDir {
        RunDir::open(self.path()).expect("a run")
    }

    fn summary(&self) -> Summary {
        summarize(&self.open()).expect("a summary")
    }

    /// Page and drawings without PNG files, which take most of the time of a rendering.
    fn drawn(&self) -> (String, Vec<Picture>) {
        let folder = Folder::read(&self.open()).expect("read");
        let summary = self.summary();
        let pictures = plot::all(&folder, &summary);
        (html::page(&folder, &summary, &pictures), pictures)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).expect("a file of text")
    }
}

#[test]
fn summary_and_table_are_as_they_were() {
    let run = Run::new();
    report::summary::write(&run.open(), &run.summary()).expect("written");
    insta::assert_snapshot!("summary", run.text("summary.json"));
    insta::assert_snapshot!("table", report::text::table(&run.summary()));
}

#[test]
fn figures_agree_with_each_other() {
    let run = Run::new();
    let summary = run.summary();
    assert_eq!((summary.verdict, summary.validity.state), (Verdict::Pass, ValidityState::Valid));
    let by_interaction: u64 = summary.by_interaction.values().map(|i| i.count).sum();
    assert_eq!(by_interaction, summary.interactions);
    assert_eq!(summary.errors_by_class.values().sum::<u64>(), summary.errors);
    let writes: u64 = summary.nodes.values().map(|n| n.writes).sum();
    assert_eq!(writes, summary.statements.writes);
    let shares: f64 = summary.by_interaction.values().map(|i| i.share_pct).sum();
    assert!((shares - 100.0).abs() < 0.01, "{shares}");
    assert_eq!(summary.measured_s, fixture::LENGTH - 5);
}

#[test]
fn browsers_inside_an_interaction_are_as_many_as_their_latencies_tell() {
    let folder = Folder::read(&Run::new().open()).expect("read");
    let seconds = folder.inside.seconds(&folder.errors);
    assert_eq!(seconds.len(), fixture::LENGTH as usize);
    let sum = |figure: fn(&InsideSecond) -> f64| seconds.iter().map(figure).sum::<f64>();
    let (counted, by_latency) = (sum(|second| second.counted), sum(|second| second.by_latency));
    // Counted once a second, a few at a time: some per cent are chance.
    assert!((counted / by_latency - 1.0).abs() < 0.1, "{counted} and {by_latency} browser-seconds");
    let outage = &seconds[fixture::PRIMARY_KILLED as usize];
    assert!(outage.by_latency > 2.0 * by_latency / seconds.len() as f64, "{outage:?}");
}

#[test]
fn the_outage_of_the_primary_is_measured_to_a_bin() {
    let summary = Run::new().summary();
    let fault =
        summary.events.iter().find(|e| e.second == fixture::PRIMARY_KILLED && e.kind == "fault_injected");
    let fault = fault.expect("the fault");
    let unavailable = fault.unavailable_ms.expect("known");
    assert!((unavailable - fixture::OUTAGE * 1000.0).abs() <= 100.0, "{unavailable}");
    assert_eq!(fault.detected_ms, Some(120.0));
    assert!(fault.errors > Some(0) && fault.dip_pct > Some(20.0));
    assert_eq!(fault.errors_by_class.values().sum::<u64>(), fault.errors.expect("known"));
}

#[test]
fn the_same_folder_gives_the_same_bytes() {
    let run = Run::new();
    let files = render(&run.open()).expect("rendered");
    assert_eq!(files.len(), 1 + 3 * 15 + 1);
    let tables = files.iter().filter(|file| file.to_string_lossy().ends_with(".points.csv"));
    let points: Vec<String> = tables.map(|table| fs::read_to_string(table).expect("a table")).collect();
    assert!(
        points.len() == 15
            && points.iter().all(|table| table.starts_with("series,") && table.lines().count() > 5)
    );
    let once: Vec<Vec<u8>> = files.iter().map(|f| fs::read(f).expect("a file")).collect();
    let again = render(&run.open()).expect("rendered again");
    assert_eq!(files, again);
    for (file, before) in files.iter().zip(once) {
        assert!(fs::read(file).expect("a file") == before, "{} changed", file.display());
    }
    let left: Vec<_> = fs::read_dir(run.path()).expect("a folder").flatten().map(|f| f.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".part")), "{left:?}");
}

#[test]
fn the_page_needs_nothing_else() {
    let run = Run::new();
    let (page, _) = run.drawn();
    let outside = page.replace("http://www.w3.org/2000/svg", "");
    for word in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!outside.contains(word), "the page has {word}");
    }
    // Nine pictures, and a sparkline for each interaction.
    assert_eq!(page.matches("<svg").count(), 9 + 14);
    assert!(page.contains("PASS") && page.contains("best sellers"));
}

#[test]
fn every_colour_of_a_drawing_has_a_place_in_the_dark() {
    let (page, pictures) = Run::new().drawn();
    let colours: BTreeSet<&str> = pictures
        .iter()
        .flat_map(|p| p.svg.split([' ', '>', '/']))
        .filter(|part| part.starts_with("fill=\"#") || part.starts_with("stroke=\"#"))
        .collect();
    assert!(colours.len() > 12, "{colours:?}");
    for colour in colours {
        assert!(page.contains(&format!("svg [{colour}]")), "{colour}");
    }
}

#[test]
fn every_event_is_a_mark_in_every_picture_over_time() {
    let (_, pictures) = Run::new().drawn();
    let events = fixture::events().into_iter().filter(|e| e.kind != EventKind::Phase);
    for event in events {
        for picture in ["throughput", "latency", "read_latency", "nodes", "nodes_serving"] {
            let words = format!("{:.1} s {}", event.second, event.kind.name());
            let drawn = pictures.iter().find(|p| p.name == picture).expect("a picture");
            assert!(drawn.svg.contains(&words), "{picture} lacks {words}");
        }
    }
}

#[test]
fn pictures_are_of_slide_size_and_hold_text() {
    let (_, pictures) = Run::new().drawn();
    let painter = Painter::new();
    let png = painter.paint(&pictures[0]).expect("painted");
    assert!(png.starts_with(b"\x89PNG"));
    assert_eq!((&png[16..20], &png[20..24]), (&1600u32.to_be_bytes()[..], &900u32.to_be_bytes()[..]));
    // Without its font a drawing loses all text and most of its bytes.
    let mute: String =
        pictures[0].svg.lines().filter(|l| !l.starts_with("<text")).map(|l| format!("{l}\n")).collect();
    let mute = Picture { name: "mute", title: "", svg: mute, points: String::new() };
    let mute = painter.paint(&mute).expect("painted");
    assert!(mute.len() + 10_000 < png.len(), "{} against {}", mute.len(), png.len());
}

#[test]
fn a_run_that_was_cut_off_keeps_what_was_measured() {
    let run = Run::new();
    let whole = run.summary();
    for file in ["interactions.csv", "audit.json", "outcome.json", "think_times.csv", "transitions.csv"] {
        fs::remove_file(run.path().join(file)).expect("removed");
    }
    for file in ["seconds.csv", "nodes.csv", "events.csv", "fine.csv", "histograms.hlog"] {
        let bytes = fs::read(run.path().join(file)).expect("a file");
        fs::write(run.path().join(file), &bytes[..bytes.len() - 3]).expect("cut");
    }
    let files = render(&run.open()).expect("rendered");
    assert!(files.iter().any(|f| f.ends_with("report.html")));
    let cut = run.summary();
    assert_eq!(cut.measured_s, whole.measured_s - 1);
    assert_eq!(
        cut.by_interaction.keys().collect::<Vec<_>>(),
        whole.by_interaction.keys().collect::<Vec<_>>()
    );
    assert_eq!(cut.by_interaction["home"].errors, whole.by_interaction["home"].errors);
    assert_eq!(cut.validity.state, ValidityState::Suspect);
    // The workload names a limit on browsers that ended early, which nobody knows now.
    assert_eq!(cut.verdict, Verdict::Fail);
}

#[test]
fn a_run_that_never_began_can_be_shown() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("seconds.csv"), "second,phase\n").expect("written");
    let run = RunDir::open(folder.path()).expect("a run");
    let files = render(&run).expect("rendered");
    assert_eq!(files.len(), 2, "{files:?}");
    assert_eq!(summarize(&run).expect("a summary").validity.state, ValidityState::Invalid);
}

#[test]
fn seconds_without_data_and_repeated_ones_are_borne() {
    let run = Run::new();
    let text = run.text("seconds.csv");
    let lines: Vec<&str> = text.lines().collect();
    let kept: Vec<&str> = lines[..31].iter().chain(&lines[40..]).chain(&lines[99..]).copied().collect();
    fs::write(run.path().join("seconds.csv"), kept.join("\n") + "\n").expect("written");
    run.drawn();
    assert!(run.summary().validity.reasons.iter().any(|r| r.contains("9 seconds")));
}

#[test]
fn hostile_words_stay_words() {
    let run = Run::new();
    let bad = "<script>alert(1)</script>&\u{1}\"";
    let event = EventRow { second: 30.0, kind: EventKind::NodeDown, node: bad.into(), ..EventRow::default() };
    write_table(run.path(), &[event]).expect("written");
    let node = NodeRow { second: 3, node: bad.into(), state: bad.into(), ..NodeRow::default() };
    write_table(run.path(), &[node]).expect("written");
    let (page, pictures) = run.drawn();
    assert!(!page.contains("<script") && page.contains("&lt;script"));
    // Only what is well-formed can be painted.
    let timeline = pictures.iter().find(|picture| picture.name == "timeline").expect("a picture");
    Painter::new().paint(timeline).expect("painted");
    Painter::new().paint(&pictures[0]).expect("painted");
}

#[test]
fn limits_that_do_not_fit_are_named() {
    let run = Run::new();
    let manifest = run.text("manifest.json").replace("p90_ms_max", "p90_max");
    fs::write(run.path().join("manifest.json"), manifest).expect("written");
    let error = summarize(&run.open()).expect_err("unknown key");
    assert!(matches!(error, ReportError::Format { .. }));
    assert!(error.to_string().contains("manifest.json") && error.to_string().contains("p90_max"), "{error}");
}

#[test]
fn a_broken_limit_fails_the_run_and_says_so() {
    let run = Run::new();
    let manifest = run.text("manifest.json").replace("\"p90_ms_max\": 1000.0", "\"p90_ms_max\": 1.0");
    fs::write(run.path().join("manifest.json"), manifest).expect("written");
    let summary = run.summary();
    assert_eq!(summary.verdict, Verdict::Fail);
    assert!(report::text::table(&summary).contains("not held      p90_ms_max"));
}
