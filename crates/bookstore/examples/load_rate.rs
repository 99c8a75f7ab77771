//! How fast the population is generated and loaded, beside what the server itself can take.
//!
//! `cargo run --release -p bookstore --example load_rate -- mysql://root@127.0.0.1:3306/tpcw 1000 10 3` loads 1,000 items
//! for 10 browsers three times each way, in turn, and replaces whatever shop is there.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::error::Error;

use bookstore::check;
use bookstore::load::{self, Keys, LoadOptions, LoadReport};
use bookstore::populate::Population;
use bookstore::scale::Scale;
use bookstore::schema::Table;
use tokio::time::Instant;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, items, browsers, rounds] = arguments.as_slice() else {
        return Err("arguments: URL ITEMS BROWSERS ROUNDS".into());
    };
    let scale = Scale { items: items.parse()?, browsers: browsers.parse()? };
    let opts = mysql_async::Opts::from_url(url)?;
    generate(scale);
    let mut shares = Vec::new();
    for round in 0..rounds.parse()? {
        // Interleaved: whatever else the machine does meets all of them alike.
        let options =
            |threads, keys| LoadOptions { threads, keys, replace: true, ..LoadOptions::new(scale, round) };
        let ready = load::ceiling(opts.clone(), options(3, Keys::AfterRows), |_| ()).await?;
        line("ready-made, 3 connections", &ready);
        let mut seed = round;
        for (name, threads, keys) in [
            ("load, 3 connections", 3, Keys::AfterRows),
            ("load, 3 connections, keys first", 3, Keys::BeforeRows),
            ("load, 1 connection", 1, Keys::AfterRows),
        ] {
            seed += 1_000_000;
            let report =
                load::load(opts.clone(), LoadOptions { seed, ..options(threads, keys) }, |_| ()).await?;
            line(name, &report);
            if name == "load, 3 connections" {
                shares.push(report.rows_per_second() / ready.rows_per_second());
            }
        }
    }
    shares.sort_by(f64::total_cmp);
    if let [least, .., most] = shares.as_slice() {
        let median = shares[shares.len() / 2];
        println!(
            "load takes {median:.2} of what the server takes from ready-made rows ({least:.2} to {most:.2})"
        );
    }
    check(opts).await
}

/// How long it takes to look at what was loaded.
async fn check(opts: mysql_async::Opts) -> Result<(), Box<dyn Error>> {
    let mut conn = mysql_async::Conn::new(opts).await?;
    let begin = Instant::now();
    let failed = check::conditions(&mut conn).await?.iter().filter(|condition| condition.failed()).count();
    println!("conditions: {failed} failed, {:.2} s", begin.elapsed().as_secs_f64());
    let begin = Instant::now();
    check::checksums(&mut conn).await?;
    println!("checksums: {:.2} s", begin.elapsed().as_secs_f64());
    Ok(())
}

fn line(name: &str, report: &LoadReport) {
    println!(
        "{name:32} {:>9} rows {:>6.1} MB  rows {:>6.2} s  keys {:>6.2} s  all {:>6.2} s  {:>9.0} rows/s",
        report.rows,
        report.bytes as f64 / 1e6,
        report.rows_seconds,
        report.keys_seconds,
        report.seconds,
        report.rows_per_second()
    );
}

fn generate(scale: Scale) {
    let population = Population { scale, seed: 1 };
    let mut out = Vec::with_capacity(8 << 20);
    for table in Table::POPULATED {
        let (begin, mut rows, mut bytes) = (Instant::now(), 0, 0);
        for chunk in 0..population.chunks(table) {
            out.clear();
            rows += population.write_chunk(table, chunk, &mut out);
            bytes += out.len();
        }
        let seconds = begin.elapsed().as_secs_f64();
        println!(
            "{:12} {rows:>9} rows {:>6.1} MB generated in {:>6.1} ms: {:>9.0} rows/s of one core",
            table.name(),
            bytes as f64 / 1e6,
            seconds * 1e3,
            rows as f64 / seconds
        );
    }
}
