//! The pictures of a run, from its folder alone, for people to look at and to wait for.

mod fixture;
#[path = "fixture/hour.rs"]
mod hour;

use std::{fs, path::Path};

use report::{RunDir, folder::Folder, plot, record::HISTOGRAMS_FILE};

#[test]
#[ignore = "draws the fixture run into REPORT_FIXTURE_OUT, for people to look at"]
fn draw_for_people() {
    let out = std::env::var("REPORT_FIXTURE_OUT").expect("REPORT_FIXTURE_OUT names a folder");
    let out = Path::new(&out);
    fs::create_dir_all(out).expect("a folder");
    if !out.join("seconds.csv").exists() {
        fixture::write(out);
    }
    report::render(&RunDir::open(out).expect("a run")).expect("drawn");
}

#[test]
#[ignore = "tells how long the reading and the drawing of an hour take, best in a release build"]
fn an_hour_is_read_and_drawn() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = std::env::var("REPORT_HOUR_OUT").map_or(folder.path().to_owned(), Into::into);
    fs::create_dir_all(&out).expect("a folder");
    fixture::write(&out);
    hour::stretch(&out);
    stretch_histograms(&out);
    let run = RunDir::open(&out).expect("a run");
    let began = std::time::SystemTime::now();
    let passed = || began.elapsed().expect("a clock that goes forward").as_secs_f64();
    let read = Folder::read(&run).expect("read");
    let reading = passed();
    let (summary, _) = report::render_and_tell(&run).expect("drawn");
    let all = passed() - reading;
    println!("{} s of load: read in {reading:.2} s; read, drawn and written in {all:.2} s", summary.load_s);
    for picture in plot::all(&read, &summary) {
        println!("{}: {} KiB", picture.name, picture.svg.len() / 1024);
        assert!(picture.svg.len() < 400 * 1024, "{} grows with the run", picture.name);
    }
    assert_eq!(summary.load_s, hour::LENGTH);
}

/// Repeats the histograms until an hour is full.
fn stretch_histograms(folder: &Path) {
    let path = folder.join(HISTOGRAMS_FILE);
    let once = fs::read_to_string(&path).expect("a log");
    let mut log = once.clone();
    for by in (1..hour::TIMES).map(|time| time * fixture::LENGTH) {
        for line in once.lines().filter(|line| line.starts_with("Tag=")) {
            let parts: Vec<&str> = line.splitn(3, ',').collect();
            let start: f64 = parts[1].parse().expect("a start");
            log.push_str(&format!("{},{:.3},{}\n", parts[0], start + f64::from(by), parts[2]));
        }
    }
    fs::write(path, log).expect("written");
}
