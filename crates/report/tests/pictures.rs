//! The pictures of a run, from its folder alone, for people to look at and to wait for.

mod fixture;

use std::{fs, path::Path};

use report::{
    RunDir,
    folder::Folder,
    plot,
    record::{
        ErrorRow, EventRow, FineRow, GeneratorRow, HISTOGRAMS_FILE, NodeRow, Row, SecondRow, read_table,
        write_table,
    },
};

/// How often the fixture's 100 s are repeated for an hour.
const TIMES: u32 = 36;

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
    stretch(&out);
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
    assert_eq!(summary.load_s, TIMES * fixture::LENGTH);
}

/// Repeats every row of a folder until an hour is full; events only every tenth time.
fn stretch(folder: &Path) {
    repeat(folder, 1, |row: &mut SecondRow, by| row.second += by);
    repeat(folder, 1, |row: &mut NodeRow, by| row.second += by);
    repeat(folder, 1, |row: &mut GeneratorRow, by| row.second += by);
    repeat(folder, 1, |row: &mut ErrorRow, by| row.second += by);
    repeat(folder, 1, |row: &mut FineRow, by| row.ms += u64::from(by) * 1000);
    repeat(folder, 10, |row: &mut EventRow, by| row.second += f64::from(by));
    let path = folder.join(HISTOGRAMS_FILE);
    let once = fs::read_to_string(&path).expect("a log");
    let mut log = once.clone();
    for by in (1..TIMES).map(|time| time * fixture::LENGTH) {
        for line in once.lines().filter(|line| line.starts_with("Tag=")) {
            let parts: Vec<&str> = line.splitn(3, ',').collect();
            let start: f64 = parts[1].parse().expect("a start");
            log.push_str(&format!("{},{:.3},{}\n", parts[0], start + f64::from(by), parts[2]));
        }
    }
    fs::write(path, log).expect("written");
}

fn repeat<R: Row + Clone + serde::de::DeserializeOwned>(
    folder: &Path,
    every: u32,
    shift: impl Fn(&mut R, u32),
) {
    let once: Vec<R> = read_table(folder).expect("rows");
    let mut rows = Vec::new();
    for time in (0..TIMES).filter(|time| time.is_multiple_of(every)) {
        let mut copy = once.clone();
        copy.iter_mut().for_each(|row| shift(row, time * fixture::LENGTH));
        rows.extend(copy);
    }
    write_table(folder, &rows).expect("written");
}
