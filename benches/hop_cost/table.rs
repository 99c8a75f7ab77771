//! What was measured: kept, compared, printed, written.

use std::fmt::Write as _;
use std::path::Path;

use crate::Failure;
use crate::hops::Hop;
use crate::load::Cell;

/// One hop under one load, once.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Processor time of the hop a statement, in microseconds, kernel and user.
    pub cpu_us: f64,
    /// How often the hop went to sleep, a statement.
    pub waits: f64,
    /// Statements a second.
    pub rate: f64,
    /// 95th percentile of an event, in milliseconds.
    pub p95_ms: f64,
}

/// All of a run.
#[derive(Debug, Default)]
pub struct Table {
    measured: Vec<(Cell, Hop, Measured)>,
    calls: Vec<(Cell, Hop, Option<f64>)>,
}

/// Middle, least and most.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median =
            if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 };
        Some(Self { median, least, most })
    }

    fn text(self, digits: usize) -> String {
        format!("{:.digits$} [{:.digits$}, {:.digits$}]", self.median, self.least, self.most)
    }
}

impl Table {
    /// Keeps a measurement; the first of a hop belongs to the first round, and so on.
    pub fn add(&mut self, cell: Cell, hop: Hop, measured: Measured) {
        self.measured.push((cell, hop, measured));
    }

    /// Keeps a count of system calls a statement.
    pub fn calls(&mut self, cell: Cell, hop: Hop, calls: Option<f64>) {
        self.calls.push((cell, hop, calls));
    }

    fn of(&self, cell: Cell, hop: Hop) -> impl Iterator<Item = &Measured> {
        self.measured.iter().filter(move |(c, h, _)| (*c, *h) == (cell, hop)).map(|(_, _, measured)| measured)
    }

    fn hops(&self, cell: Cell) -> Vec<Hop> {
        let mut hops = Vec::new();
        for (_, hop, _) in self.measured.iter().filter(|(c, ..)| *c == cell) {
            if !hops.contains(hop) {
                hops.push(*hop);
            }
        }
        hops.sort_by_key(|hop| *hop as u8);
        hops
    }

    /// Processor time of one hop over another's, round by round.
    fn ratio(&self, cell: Cell, one: Hop, other: Hop) -> Option<Spread> {
        let pairs = self.of(cell, one).zip(self.of(cell, other));
        Spread::of(pairs.map(|(one, other)| one.cpu_us / other.cpu_us))
    }

    /// The figures of one load: medians with the least and the most.
    pub fn of_cell(&self, cell: Cell) -> String {
        let mut out = format!(
            "\n{cell} connections\n{:<14}{:>26}{:>8}{:>8}{:>20}{:>22}\n",
            "", "processor µs/statement", "calls", "waits", "statements/s", "p95 ms"
        );
        for hop in self.hops(cell) {
            let spread = |of: fn(&Measured) -> f64| Spread::of(self.of(cell, hop).map(of));
            let (Some(cpu), Some(waits), Some(rate), Some(p95)) =
                (spread(|m| m.cpu_us), spread(|m| m.waits), spread(|m| m.rate), spread(|m| m.p95_ms))
            else {
                continue;
            };
            let calls =
                self.calls.iter().find(|(c, h, _)| (*c, *h) == (cell, hop)).and_then(|(.., calls)| *calls);
            let calls = calls.map_or_else(|| "-".to_owned(), |calls| format!("{calls:.1}"));
            let (cpu, waits) = match hop {
                Hop::Direct => ("-".to_owned(), "-".to_owned()),
                _ => (cpu.text(1), format!("{:.2}", waits.median)),
            };
            writeln!(
                out,
                "{hop:<14}{cpu:>26}{calls:>8}{waits:>8}{:>20}{:>22}",
                format!("{:.0} ±{:.0}%", rate.median, (rate.most - rate.least) / 2.0 / rate.median * 100.0),
                p95.text(2)
            )
            .expect("writing to a String");
        }
        out
    }

    /// The balancer over each of the others, load by load.
    pub fn summary(&self) -> String {
        let mut out = String::from(
            "\nprocessor time a statement, the balancer's over … (median [least, most] of the rounds)\n",
        );
        let mut cells: Vec<Cell> = Vec::new();
        for (cell, ..) in &self.measured {
            if !cells.contains(cell) {
                cells.push(*cell);
            }
        }
        let others = [Hop::Haproxy, Hop::Floor, Hop::Epoll];
        write!(out, "{:<28}", "").expect("writing to a String");
        others.iter().for_each(|hop| write!(out, "{hop:>22}").expect("writing to a String"));
        for cell in cells {
            write!(out, "\n{:<28}", cell.to_string()).expect("writing to a String");
            for other in others {
                let ratio = self.ratio(cell, Hop::Balancer, other).map_or_else(String::new, |r| r.text(2));
                write!(out, "{ratio:>22}").expect("writing to a String");
            }
        }
        out
    }

    /// Writes every measurement as a line.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let mut out = String::from("script,protocol,connections,hop,round,cpu_us,waits,calls,rate,p95_ms\n");
        for (at, (cell, hop, measured)) in self.measured.iter().enumerate() {
            let round = self.measured[..at].iter().filter(|(c, h, _)| (c, h) == (cell, hop)).count();
            let calls =
                self.calls.iter().find(|(c, h, _)| (c, h) == (cell, hop)).and_then(|(.., calls)| *calls);
            let calls = calls.map_or_else(String::new, |calls| format!("{calls:.2}"));
            writeln!(
                out,
                "{:?},{:?},{},{hop},{round},{:.3},{:.3},{calls},{:.1},{:.3}",
                cell.script,
                cell.protocol,
                cell.connections,
                measured.cpu_us,
                measured.waits,
                measured.rate,
                measured.p95_ms
            )
            .expect("writing to a String");
        }
        std::fs::write(path, out).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
    }
}
