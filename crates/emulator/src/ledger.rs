//! The ledger of orders: one line an attempt to buy, on disk before the browser goes on.
//!
//! The auditor sets it against the data. A line is one write call without fsync: it survives the death of this process, not
//! that of its machine.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bookstore::Cents;

/// The ledger's name in a run folder.
pub const LEDGER_FILE: &str = "ledger.csv";
const HEADER: &str = "at_ms,token,session,outcome,order_id,total";

/// What a browser knows of an attempt to buy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// COMMIT was acknowledged: the order must be there, once.
    Ok {
        /// O_ID.
        order: u32,
        /// O_TOTAL.
        total: Cents,
    },
    /// It failed before COMMIT was sent, or the server said no: the order must not be there.
    Refused,
    /// COMMIT was sent and no answer came: the order may be there, once.
    Unknown,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Milliseconds since the start of the load.
    pub at_ms: u64,
    /// What the order carries in O_TOKEN: unique.
    pub token: String,
    /// The browser's number.
    pub session: u32,
    /// What became of it.
    pub outcome: Outcome,
}

impl Entry {
    fn line(&self) -> String {
        let Self { at_ms, token, session, outcome } = self;
        match outcome {
            Outcome::Ok { order, total } => format!("{at_ms},{token},{session},ok,{order},{total}\n"),
            Outcome::Refused => format!("{at_ms},{token},{session},refused,,\n"),
            Outcome::Unknown => format!("{at_ms},{token},{session},unknown,,\n"),
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(',').collect();
        let [at_ms, token, session, outcome, order, total] = fields[..] else { return None };
        let outcome = match outcome {
            "ok" => Outcome::Ok { order: order.parse().ok()?, total: Cents::parse(total)? },
            "refused" => Outcome::Refused,
            "unknown" => Outcome::Unknown,
            _ => return None,
        };
        Some(Self {
            at_ms: at_ms.parse().ok()?,
            token: token.into(),
            session: session.parse().ok()?,
            outcome,
        })
    }
}

/// The ledger of a run, shared by its browsers.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    run: String,
    file: Mutex<File>,
    tokens: AtomicU64,
    acknowledged: AtomicU64,
    failed: Mutex<Option<io::Error>>,
}

impl Ledger {
    /// Makes the ledger in `folder`. `run` begins every token, so that two runs against one database never share any; at
    /// most 12 letters and digits.
    ///
    /// # Errors
    /// When the file exists or cannot be made.
    pub fn create(folder: &Path, run: &str) -> io::Result<Self> {
        let path = folder.join(LEDGER_FILE);
        let mut file = File::create_new(&path)?;
        file.write_all(format!("{HEADER}\n").as_bytes())?;
        Ok(Self {
            path,
            run: run.to_owned(),
            file: Mutex::new(file),
            tokens: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            failed: Mutex::new(None),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A token that no order carries yet: run, browser and a number, `-` between them.
    pub fn token(&self, session: u32) -> String {
        let number = self.tokens.fetch_add(1, Ordering::Relaxed);
        format!("{}-{}-{}", self.run, base36(u64::from(session)), base36(number))
    }

    /// Writes a line. A failure is kept for [`Ledger::failure`]: the run has to end, the browser cannot help it.
    pub fn enter(&self, entry: &Entry) {
        if matches!(entry.outcome, Outcome::Ok { .. }) {
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        let mut file = self.file.lock().expect("no panic while the ledger is held");
        if let Err(error) = file.write_all(entry.line().as_bytes()) {
            self.failed.lock().expect("no panic while the failure is held").get_or_insert(error);
        }
    }

    /// Orders acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Why a line could not be written, once.
    pub fn failure(&self) -> Option<io::Error> {
        self.failed.lock().expect("no panic while the failure is held").take()
    }
}

/// Reads a ledger. A last line that was cut off in mid-write is left out.
///
/// # Errors
/// When it cannot be read, or another line is no entry; the message has its number.
pub fn read(path: &Path) -> io::Result<Vec<Entry>> {
    let mut lines = BufReader::new(File::open(path)?);
    let (mut entries, mut line, mut number) = (Vec::new(), String::new(), 0);
    while lines.read_line(&mut line)? > 0 {
        number += 1;
        if number > 1 && line.ends_with('\n') {
            let entry = Entry::parse(line.trim_end()).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, format!("line {number} is no entry: {line:?}"))
            })?;
            entries.push(entry);
        }
        line.clear();
    }
    Ok(entries)
}

/// A number in as few letters and digits as may be.
pub(crate) fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize]);
        number /= 36;
        if number == 0 {
            break;
        }
    }
    digits.iter().rev().map(|&digit| char::from(digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_as_they_were_written() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ledger = Ledger::create(folder.path(), "k2j").expect("a new ledger");
        let outcomes = [Outcome::Ok { order: 7, total: Cents(12_345) }, Outcome::Refused, Outcome::Unknown];
        let entries: Vec<Entry> = outcomes
            .into_iter()
            .map(|outcome| Entry { at_ms: 1_500, token: ledger.token(40), session: 40, outcome })
            .collect();
        entries.iter().for_each(|entry| ledger.enter(entry));
        assert_eq!(ledger.acknowledged(), 1);
        assert!(ledger.failure().is_none());
        assert_eq!(read(ledger.path()).expect("readable"), entries);
        let tokens: std::collections::HashSet<_> = entries.iter().map(|entry| &entry.token).collect();
        assert_eq!(tokens.len(), 3, "tokens are unique");
        assert!(Ledger::create(folder.path(), "k2j").is_err(), "a ledger is never written over");
    }

    #[test]
    fn a_cut_off_line_is_left_out_and_a_broken_one_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(LEDGER_FILE);
        std::fs::write(&path, format!("{HEADER}\n1,a-1-0,1,ok,5,3.20\n2,a-1-1,1,o")).expect("written");
        assert_eq!(read(&path).expect("readable").len(), 1);
        std::fs::write(&path, format!("{HEADER}\nnonsense\n")).expect("written");
        assert!(read(&path).expect_err("no entry").to_string().contains("line 2"));
    }

    #[test]
    fn tokens_stay_short() {
        assert_eq!(base36(0), "0");
        assert_eq!(base36(36), "10");
        let longest = 12 + 1 + base36(100_000).len() + 1 + base36(1 << 48).len();
        assert!(longest <= 32, "orders.o_token holds 32 characters");
    }
}
