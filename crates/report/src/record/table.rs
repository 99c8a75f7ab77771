//! Tables as CSV: appended row by row while a run goes on, read again afterwards.
//!
//! Every row is handed to the system as soon as it is known, in one call, so that whatever ends a run leaves the rows before
//! it. Readers skip columns that they do not know and take defaults for those that are missing.

use std::{
    fs::{self, File},
    io,
    marker::PhantomData,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::ReportError;

/// A row of one of the folder's tables.
pub trait Row: Serialize + DeserializeOwned {
    /// The table's file name.
    const FILE: &'static str;
    /// Its columns, in the order of the row's fields.
    const COLUMNS: &'static [&'static str];
}

/// Appends rows to a table of a run folder.
#[derive(Debug)]
pub struct Table<R> {
    path: PathBuf,
    out: csv::Writer<File>,
    rows: PhantomData<fn(&R)>,
}

impl<R: Row> Table<R> {
    /// Makes the table in `folder` and writes its header. Fails when it exists: no run writes over another's figures.
    pub fn create(folder: &Path) -> Result<Self, ReportError> {
        let path = folder.join(R::FILE);
        let file = File::create_new(&path).map_err(|e| ReportError::write(&path, e))?;
        let mut table = Self { out: writer(file), path, rows: PhantomData };
        table.out.write_record(R::COLUMNS).map_err(|e| ReportError::write(&table.path, e.into()))?;
        table.flush()?;
        Ok(table)
    }

    /// Appends one row and hands it to the system.
    pub fn append(&mut self, row: &R) -> Result<(), ReportError> {
        self.append_all(std::slice::from_ref(row))
    }

    /// Appends rows and hands them to the system together.
    pub fn append_all(&mut self, rows: &[R]) -> Result<(), ReportError> {
        for row in rows {
            self.out.serialize(row).map_err(|e| ReportError::write(&self.path, e.into()))?;
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), ReportError> {
        self.out.flush().map_err(|e| ReportError::write(&self.path, e))
    }
}

/// Writes a whole table at once, in place of an older one: readers see the old or the new, never a part.
pub fn write_table<R: Row>(folder: &Path, rows: &[R]) -> Result<(), ReportError> {
    let path = folder.join(R::FILE);
    let mut out = writer(Vec::new());
    let body = (|| {
        out.write_record(R::COLUMNS)?;
        rows.iter().try_for_each(|row| out.serialize(row))?;
        out.into_inner().map_err(|e| csv::Error::from(io::Error::other(e.to_string())))
    })()
    .map_err(|e| ReportError::write(&path, e.into()))?;
    replace(&path, &body)
}

/// Reads a table; empty when the folder has none. A last line that was cut off in mid-write is left out.
///
/// # Errors
/// Names file and line of a row that does not fit.
pub fn read_table<R: Row>(folder: &Path) -> Result<Vec<R>, ReportError> {
    let path = folder.join(R::FILE);
    let mut bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(ReportError::read(&path, e)),
    };
    let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
    bytes.truncate(whole);
    csv::Reader::from_reader(bytes.as_slice())
        .deserialize()
        .collect::<Result<_, _>>()
        .map_err(|e| ReportError::Format { path, message: e.to_string() })
}

/// Puts `body` in place of whatever `path` holds, through a file beside it.
pub(crate) fn replace(path: &Path, body: &[u8]) -> Result<(), ReportError> {
    let beside = path.with_extension("part");
    fs::write(&beside, body).and_then(|()| fs::rename(&beside, path)).map_err(|e| ReportError::write(path, e))
}

/// Writes a value as indented JSON, in place of an older file.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), ReportError> {
    let mut body = serde_json::to_vec_pretty(value)
        .map_err(|e| ReportError::Format { path: path.to_owned(), message: e.to_string() })?;
    body.push(b'\n');
    replace(path, &body)
}

/// Reads a JSON file; `None` when there is none.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ReportError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|e| ReportError::Format { path: path.to_owned(), message: e.to_string() }),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(ReportError::read(path, e)),
    }
}

fn writer<W: io::Write>(to: W) -> csv::Writer<W> {
    csv::WriterBuilder::new().has_headers(false).from_writer(to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{
        BlockRow, ErrorRow, EventKind, EventRow, FineRow, GeneratorRow, InteractionRow, NodeRow, SecondRow,
        ThinkRow, TransitionRow, VisitRow,
    };

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder")
    }

    /// The header that is written by hand must be the one that serde would write.
    fn columns_are_the_fields<R: Row + Default>() {
        let mut out = csv::Writer::from_writer(Vec::new());
        out.serialize(R::default()).expect("a row");
        let text = String::from_utf8(out.into_inner().expect("flushed")).expect("text");
        assert_eq!(text.lines().next(), Some(R::COLUMNS.join(",").as_str()), "{}", R::FILE);
    }

    #[test]
    fn every_table_has_the_columns_of_its_row() {
        columns_are_the_fields::<SecondRow>();
        columns_are_the_fields::<InteractionRow>();
        columns_are_the_fields::<NodeRow>();
        columns_are_the_fields::<EventRow>();
        columns_are_the_fields::<ErrorRow>();
        columns_are_the_fields::<FineRow>();
        columns_are_the_fields::<GeneratorRow>();
        columns_are_the_fields::<ThinkRow>();
        columns_are_the_fields::<TransitionRow>();
        columns_are_the_fields::<VisitRow>();
        columns_are_the_fields::<BlockRow>();
    }

    #[test]
    fn rows_are_on_disk_as_soon_as_they_are_appended() {
        let dir = folder();
        let mut table = Table::create(dir.path()).expect("a table");
        for kind in EventKind::ALL {
            let row = EventRow { second: 1.5, kind, cause: "a, \"b\"\nc".to_owned(), ..EventRow::default() };
            table.append(&row).expect("appended");
            let read: Vec<EventRow> = read_table(dir.path()).expect("read");
            assert_eq!(read.last(), Some(&row));
        }
        assert_eq!(EventKind::ALL.map(|k| EventKind::from_name(k.name())), EventKind::ALL);
        assert_eq!(EventKind::from_name("sneezed"), EventKind::Other);
    }

    #[test]
    fn no_table_is_written_over() {
        let dir = folder();
        let _first: Table<FineRow> = Table::create(dir.path()).expect("a table");
        let error = Table::<FineRow>::create(dir.path()).expect_err("exists");
        assert!(error.to_string().contains("fine.csv"), "{error}");
    }

    #[test]
    fn unknown_columns_are_skipped_missing_ones_are_defaults_and_a_cut_line_is_left_out() {
        let dir = folder();
        let text = "ms,mood,ok\n100,good,7\n200,bad,8\n300,wor";
        fs::write(dir.path().join("fine.csv"), text).expect("written");
        let rows: Vec<FineRow> = read_table(dir.path()).expect("read");
        let row = |ms, ok| FineRow { ms, ok, ..FineRow::default() };
        assert_eq!(rows, [row(100, 7), row(200, 8)]);
    }

    #[test]
    fn a_row_that_does_not_fit_is_named() {
        let dir = folder();
        fs::write(dir.path().join("fine.csv"), "ms,ok\n100,7\n200,many\n").expect("written");
        let error = read_table::<FineRow>(dir.path()).expect_err("no number").to_string();
        assert!(error.contains("fine.csv") && error.contains("line: 3"), "{error}");
    }

    #[test]
    fn no_file_and_an_empty_file_are_no_rows() {
        let dir = folder();
        assert_eq!(read_table::<FineRow>(dir.path()).expect("read"), []);
        fs::write(dir.path().join("fine.csv"), "").expect("written");
        assert_eq!(read_table::<FineRow>(dir.path()).expect("read"), []);
    }

    #[test]
    fn numbers_have_three_decimals_and_are_always_numbers() {
        let dir = folder();
        let row = GeneratorRow { cpu_share: 1.0 / 3.0, late_max_ms: f64::NAN, ..GeneratorRow::default() };
        write_table(dir.path(), &[row]).expect("written");
        let text = fs::read_to_string(dir.path().join("generator.csv")).expect("read");
        assert_eq!(text.lines().nth(1), Some("0,0.333,0.0,0.0,0.0"));
    }
}
