//! One client drinks a big result slowly while others work: what the balancer keeps of it, and whether the others notice:
//! `cargo run --release -p balancer --example slow_reader -- --bytes 2147483648 --rate 1048576 --others 32 --seconds 60`.
//!
//! The result is read at `--rate` bytes a second for `--seconds`, then the rest as fast as it comes; every byte of it is
//! compared with what it should be. The balancer runs in a process of its own, on `--workers` threads.
#![expect(clippy::print_stdout, reason = "a program for people")]

mod lab;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use lab::crew::Done;
use lab::figures::{forget_peak, memory_kib, ms};
use lab::{Balancer, Error, argument, crew, open_files, options};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use serde_json::json;
use sha1::{Digest, Sha1};
use tokio::time::{Instant, sleep_until};

/// Bytes of a row's text.
const ROW: u64 = 64 << 10;

/// How far the big result has come.
#[derive(Default)]
struct Progress {
    bytes: AtomicU64,
    /// It is to be read without restraint from now on.
    full_speed: AtomicBool,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    if lab::balancer_if_asked().await? {
        return Ok(());
    }
    open_files(1000)?;
    let (bytes, pace): (u64, u64) = (argument("--bytes", 2 << 30)?, argument("--rate", 1 << 20)?);
    let (others, seconds): (usize, f64) = (argument("--others", 32)?, argument("--seconds", 60.0)?);
    let (rate, workers): (f64, usize) = (argument("--statements", 4000.0)?, argument("--workers", 0)?);

    let cluster = lab::node().await?;
    let balancer = Balancer::start(&cluster, json!({"workers": workers})).await?;
    let options = options(balancer.address, &cluster.accounts().shop);
    let mut clients = crew::connect(&options, others).await?;
    crew::work(&mut clients, rate, 1.0).await?;

    forget_peak(balancer.pid)?;
    let alone = crew::work(&mut clients, rate, seconds.min(20.0)).await?;
    let alone_peak = memory_kib(balancer.pid, "VmHWM")?;

    forget_peak(balancer.pid)?;
    let progress = Arc::new(Progress::default());
    let reader = tokio::spawn(read(options, bytes / ROW, pace, progress.clone()));
    let beside_slow = crew::work(&mut clients, rate, seconds).await?;
    let slow_peak = memory_kib(balancer.pid, "VmHWM")?;
    let drunk = progress.bytes.load(Relaxed);

    forget_peak(balancer.pid)?;
    progress.full_speed.store(true, Relaxed);
    let began = Instant::now();
    let mut beside_fast = None;
    while !reader.is_finished() {
        let done = crew::work(&mut clients, rate, 1.0).await?;
        beside_fast = Some(join(beside_fast, done)?);
    }
    let (read, sum) = reader.await??;
    let fast = (read - drunk) as f64 / began.elapsed().as_secs_f64();
    let fast_peak = memory_kib(balancer.pid, "VmHWM")?;

    println!("a result of {read} bytes, each as it should be (SHA-1 {sum});");
    println!("{drunk} bytes in the first {seconds} s, the rest at {:.0} MiB/s\n", fast / f64::from(1 << 20));
    println!(
        "{:<28}{:>9}{:>9}{:>9}{:>9}{:>8}{:>16}",
        "the others", "stmt/s", "p50 ms", "p99 ms", "max ms", "failed", "peak RSS, KiB"
    );
    tell("without it", &alone, alone_peak);
    tell("beside it, read slowly", &beside_slow, slow_peak);
    if let Some(done) = beside_fast {
        tell("beside it, at full speed", &done, fast_peak);
    }
    Ok(())
}

fn join(before: Option<Done>, next: Done) -> Result<Done, Error> {
    let Some(mut done) = before else { return Ok(next) };
    done.latency.add(&next.latency)?;
    done.failed += next.failed;
    done.rate = (done.rate + next.rate) / 2.0;
    Ok(done)
}

fn tell(name: &str, done: &Done, peak: u64) {
    let at = |quantile| ms(&done.latency, quantile);
    let (rate, failed) = (done.rate, done.failed);
    println!("{name:<28}{rate:>9.0}{:>9.2}{:>9.2}{:>9.2}{failed:>8}{peak:>16}", at(0.5), at(0.99), at(1.0));
}

/// Reads the big result, row by row; tells its length and the SHA-1 of all of it.
async fn read(
    options: OptsBuilder,
    rows: u64,
    pace: u64,
    progress: Arc<Progress>,
) -> Result<(u64, String), Error> {
    let mut client = Conn::new(options).await?;
    let sql = format!("SELECT seq, RPAD('', {ROW}, SHA1(seq)) FROM seq_1_to_{rows}");
    let mut result = client.query_iter(sql).await?;
    let began = Instant::now();
    let (mut sum, mut number) = (Sha1::new(), 0);
    while let Some(row) = result.next().await? {
        let (seq, text): (u64, Vec<u8>) = mysql_async::from_row_opt(row)?;
        number += 1;
        let pattern = hex(&Sha1::digest(number.to_string()));
        let right = seq == number
            && text.len() as u64 == ROW
            && text.chunks(pattern.len()).all(|part| pattern.as_bytes().starts_with(part));
        if !right {
            return Err(format!("row {number} is not what it should be").into());
        }
        sum.update(&text);
        let bytes = progress.bytes.fetch_add(ROW, Relaxed) + ROW;
        if !progress.full_speed.load(Relaxed) {
            sleep_until(began + Duration::from_secs_f64(bytes as f64 / pace as f64)).await;
        }
    }
    if number != rows {
        return Err(format!("{number} rows came, {rows} were asked for").into());
    }
    Ok((number * ROW, hex(&sum.finalize())))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
