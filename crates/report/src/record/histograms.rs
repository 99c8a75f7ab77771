//! `histograms.hlog`: latencies as an HDR interval log, one histogram a second and tag.
//!
//! Tags are the interactions' names (`home`, time from due to done of those that ended well), [`TAG_READ`] and [`TAG_WRITE`]
//! (single statements), [`TAG_ERROR`] (tries that failed), [`TAG_SERVICE`] and [`TAG_LATE`]. Values are microseconds; start and length of an interval are
//! seconds since the load began (the log's base time); the column of the greatest value is in ms. The usual HDR tools read it.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{
        Deserializer, V2DeflateSerializer,
        interval_log::{IntervalLogIterator, IntervalLogWriterBuilder, LogEntry, Tag},
    },
};

use super::recorded::Reader;
use crate::ReportError;

/// File name of the log.
pub const HISTOGRAMS_FILE: &str = "histograms.hlog";
/// Tag of statements that only read.
pub const TAG_READ: &str = "statement_read";
/// Tag of all other statements.
pub const TAG_WRITE: &str = "statement_write";
/// Tag of tries of interactions that failed.
pub const TAG_ERROR: &str = "error";
/// Tag of the service times: from asking for a page to its end, of all interactions together.
pub const TAG_SERVICE: &str = "service_time";
/// Tag of the generator's own lateness: how much later than due a browser woke up.
pub const TAG_LATE: &str = "generator_late";

/// The smallest value told apart, in µs.
pub const LOWEST_US: u64 = 1;
/// The greatest value held without clipping, in µs: an hour.
pub const HIGHEST_US: u64 = 3_600_000_000;
/// Decimal digits kept of each value.
pub const DIGITS: u8 = 3;
/// How much larger than a µs the unit of the log's column of greatest values is.
const MAX_VALUE_DIVISOR: f64 = 1000.0;

/// An empty histogram of the range that runs use: 1 µs to 1 h, three digits.
pub fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(LOWEST_US, HIGHEST_US, DIGITS)
        .expect("1 µs to 1 h at 3 digits is a legal range")
}

/// Appends to the log of a run folder.
pub struct HistogramLog {
    path: PathBuf,
    out: File,
    serializer: V2DeflateSerializer,
    line: Vec<u8>,
}

impl std::fmt::Debug for HistogramLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HistogramLog").field("path", &self.path).finish_non_exhaustive()
    }
}

impl HistogramLog {
    /// Makes the log in `folder`; `load_started` is second 0. Fails when it exists.
    pub fn create(folder: &Path, load_started: SystemTime) -> Result<Self, ReportError> {
        let path = folder.join(HISTOGRAMS_FILE);
        let mut header = Vec::new();
        let mut serializer = V2DeflateSerializer::new();
        IntervalLogWriterBuilder::new()
            .add_comment("[Histogram log format version 1.3]")
            .add_comment("values in microseconds, greatest values in milliseconds")
            .with_start_time(load_started)
            .with_base_time(load_started)
            .with_max_value_divisor(MAX_VALUE_DIVISOR)
            .begin_log_with(&mut header, &mut serializer)
            .map_err(|e| ReportError::write(&path, e))?;
        header.extend_from_slice(
            b"\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
        );
        let mut out = File::create_new(&path).map_err(|e| ReportError::write(&path, e))?;
        out.write_all(&header).map_err(|e| ReportError::write(&path, e))?;
        Ok(Self { path, out, serializer, line: Vec::new() })
    }

    /// Appends one interval in one write; an empty histogram is left out.
    pub fn append(
        &mut self,
        start: Duration,
        length: Duration,
        tag: &str,
        histogram: &Histogram<u64>,
    ) -> Result<(), ReportError> {
        if histogram.is_empty() {
            return Ok(());
        }
        let tag = Tag::new(tag).ok_or_else(|| ReportError::Format {
            path: self.path.clone(),
            message: format!("{tag:?} cannot be a tag: no comma, space or line break"),
        })?;
        self.line.clear();
        let written = IntervalLogWriterBuilder::new()
            .with_max_value_divisor(MAX_VALUE_DIVISOR)
            .begin_log_with(&mut self.line, &mut self.serializer)
            .map_err(|e| e.to_string())
            .and_then(|mut log| {
                log.write_histogram(histogram, start, length, Some(tag)).map_err(|e| e.to_string())
            });
        written.map_err(|message| ReportError::Format { path: self.path.clone(), message })?;
        // The builder repeats its header; only the last line is new.
        let interval =
            self.line[..self.line.len() - 1].iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        self.out.write_all(&self.line[interval..]).map_err(|e| ReportError::write(&self.path, e))
    }
}

/// One interval of the log.
#[derive(Debug)]
pub struct Interval {
    /// Start since the load began.
    pub start: Duration,
    /// Length.
    pub length: Duration,
    /// Whose latencies.
    pub tag: String,
    /// In µs.
    pub histogram: Histogram<u64>,
}

/// Whose latencies an interval of the log holds, and when they ended.
#[derive(Clone, Copy, Debug)]
pub struct Heading<'a> {
    /// Start since the load began.
    pub start: Duration,
    /// Length.
    pub length: Duration,
    /// Whose latencies.
    pub tag: &'a str,
}

/// Hands every interval of a folder's log to `each`, in file order, one at a time: a histogram takes some 100 KiB. No log is
/// no interval; a last line that was cut off is left out.
pub fn read_histograms(folder: &Path, mut each: impl FnMut(Interval)) -> Result<(), ReportError> {
    let mut deserializer = Deserializer::new();
    read_encoded(folder, |Heading { start, length, tag }, bytes| {
        let histogram = deserialized(&mut deserializer, bytes)?;
        each(Interval { start, length, tag: tag.to_owned(), histogram });
        Ok(())
    })
}

/// Hands only the recorded values in µs, with their counts, of every interval to `each`: without a histogram for each interval
/// that takes a small part of the time.
pub fn read_recorded(
    folder: &Path,
    mut each: impl FnMut(Heading<'_>, &[(u64, u64)]),
) -> Result<(), ReportError> {
    let (mut reader, mut deserializer, mut values) = (Reader::new(), Deserializer::new(), Vec::new());
    read_encoded(folder, |heading, bytes| {
        if reader.values(bytes, &mut values).is_none() {
            let histogram = deserialized(&mut deserializer, bytes)?;
            let recorded = histogram.iter_recorded();
            values.clear();
            values.extend(recorded.map(|value| (value.value_iterated_to(), value.count_at_value())));
        }
        each(heading, &values);
        Ok(())
    })
}

fn deserialized(deserializer: &mut Deserializer, mut bytes: &[u8]) -> Result<Histogram<u64>, String> {
    deserializer.deserialize(&mut bytes).map_err(|e| format!("broken histogram: {e}"))
}

/// Hands every interval to `each` as it is encoded.
fn read_encoded(
    folder: &Path,
    mut each: impl FnMut(Heading<'_>, &[u8]) -> Result<(), String>,
) -> Result<(), ReportError> {
    let path = folder.join(HISTOGRAMS_FILE);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(ReportError::read(&path, e)),
    };
    let mut encoded = Vec::new();
    for (number, line) in bytes.split_inclusive(|&b| b == b'\n').enumerate() {
        if line.ends_with(b"\n") && !line.starts_with(b"\"") {
            read_line(line, &mut encoded, &mut each).map_err(|message| ReportError::Format {
                path: path.clone(),
                message: format!("line {}: {message}", number + 1),
            })?;
        }
    }
    Ok(())
}

fn read_line(
    line: &[u8],
    encoded: &mut Vec<u8>,
    each: &mut impl FnMut(Heading<'_>, &[u8]) -> Result<(), String>,
) -> Result<(), String> {
    for entry in IntervalLogIterator::new(line) {
        if let LogEntry::Interval(found) = entry.map_err(|e| format!("not an interval log: {e:?}"))? {
            encoded.clear();
            STANDARD
                .decode_vec(found.encoded_histogram(), encoded)
                .map_err(|e| format!("not base64: {e}"))?;
            let tag = found.tag();
            let tag = tag.as_ref().map_or("", |tag| tag.as_str());
            return each(Heading { start: found.start_timestamp(), length: found.duration(), tag }, encoded);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(folder: &Path) -> HistogramLog {
        HistogramLog::create(folder, SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000))
            .expect("a log")
    }

    fn read(folder: &Path) -> Vec<Interval> {
        let mut found = Vec::new();
        read_histograms(folder, |interval| found.push(interval)).expect("read");
        found
    }

    #[test]
    fn what_is_written_is_read_again_up_to_an_hour() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut log = log(dir.path());
        let mut histogram = new_histogram();
        for us in [1, 1000, 250_000, HIGHEST_US] {
            histogram.record(us).expect("in range");
        }
        log.append(Duration::from_secs(3), Duration::from_secs(1), "best_sellers", &histogram)
            .expect("appended");
        log.append(Duration::from_millis(4001), Duration::from_secs(1), TAG_READ, &histogram)
            .expect("appended");
        log.append(Duration::from_secs(5), Duration::from_secs(1), TAG_WRITE, &new_histogram())
            .expect("left out");
        let found = read(dir.path());
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].tag.as_str(), found[1].tag.as_str()), ("best_sellers", TAG_READ));
        assert_eq!((found[1].start, found[1].length), (Duration::from_millis(4001), Duration::from_secs(1)));
        assert_eq!(found[0].histogram, histogram);
    }

    #[test]
    fn the_log_has_the_header_and_lines_that_hdr_tools_expect() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut log = log(dir.path());
        let mut histogram = new_histogram();
        histogram.record(2_000).expect("in range");
        log.append(Duration::from_secs(0), Duration::from_secs(1), "home", &histogram).expect("appended");
        let text = std::fs::read_to_string(dir.path().join(HISTOGRAMS_FILE)).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("#[Histogram log format version 1.3]"), "{text}");
        assert!(lines.contains(&"#[StartTime: 1790000000.000 (seconds since epoch)]"), "{text}");
        assert!(lines.contains(&"#[BaseTime: 1790000000.000 (seconds since epoch)]"), "{text}");
        // The compressed form of version 2 begins with these letters in every HDR log.
        let last = lines.last().expect("a line");
        assert!(last.starts_with("Tag=home,0.000,1.000,2.0") && last.contains(",HISTFAAA"), "{last}");
        assert_eq!(lines.iter().filter(|l| l.contains("MaxValueDivisor")).count(), 1);
    }

    #[test]
    fn a_cut_line_is_left_out_and_a_broken_one_is_named() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut log = log(dir.path());
        let mut histogram = new_histogram();
        histogram.record(7).expect("in range");
        for second in 0..2 {
            log.append(Duration::from_secs(second), Duration::from_secs(1), "home", &histogram)
                .expect("appended");
        }
        let path = dir.path().join(HISTOGRAMS_FILE);
        let whole = std::fs::read(&path).expect("bytes");
        std::fs::write(&path, &whole[..whole.len() - 9]).expect("written");
        assert_eq!(read(dir.path()).len(), 1);
        std::fs::write(&path, b"Tag=home,0.000,1.000,0.007,HISTnothing\n").expect("written");
        let error = read_histograms(dir.path(), drop).expect_err("broken").to_string();
        assert!(error.contains("histograms.hlog: line 1"), "{error}");
    }

    #[test]
    fn a_tag_that_would_break_the_log_is_refused() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut histogram = new_histogram();
        histogram.record(7).expect("in range");
        let (start, length) = (Duration::ZERO, Duration::from_secs(1));
        assert!(log(dir.path()).append(start, length, "a,b", &histogram).is_err());
    }
}
