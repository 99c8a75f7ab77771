//! Many clients over few node connections: what an idle client costs in memory, how many connections the node sees, and
//! what many busy clients wait beside few:
//! `cargo run --release -p balancer --example crowd -- --idle 5000 --busy 500 --node-connections 32 --seconds 20`.
//!
//! The node is started here, the balancer runs in a process of its own, so its memory is its own. `--rate N` lets the busy
//! clients send N statements a second in all (default 4000); `--workers` sets the balancer's threads.
#![expect(clippy::print_stdout, reason = "a program for people")]

mod lab;

use std::time::Duration;

use lab::figures::{memory_kib, ms, slope};
use lab::{Balancer, Error, argument, crew, node_connections, open_files, options, pause};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use serde_json::json;

/// The few that the many are held against.
const FEW: usize = 32;
/// Memory is looked at so often while idle clients come.
const STEPS: usize = 5;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (idle, busy): (usize, usize) = (argument("--idle", 5000)?, argument("--busy", 500)?);
    open_files((idle + busy + FEW + 500) as u64)?;
    if lab::balancer_if_asked().await? {
        return Ok(());
    }
    let most: usize = argument("--node-connections", 32)?;
    let (rate, seconds): (f64, f64) = (argument("--rate", 4000.0)?, argument("--seconds", 20.0)?);
    let workers: usize = argument("--workers", 0)?;

    let cluster = lab::node().await?;
    let settings = json!({
        "workers": workers,
        "pool": {"max": most, "wait_ms": 60_000},
        "limits": {"clients": idle + busy + FEW + 100},
    });
    let balancer = Balancer::start(&cluster, settings).await?;
    let options = options(balancer.address, &cluster.accounts().shop);
    let mut asker = lab::operator(&cluster).await?;

    let mut few = crew::connect(&options, FEW).await?;
    let mut rows = Vec::new();
    for (name, rate) in [("32 clients", rate), ("32 clients, no pause", 0.0)] {
        rows.push(measure(name, &mut few, rate, seconds, &mut asker).await?);
    }
    drop(few);

    pause(2.0).await;
    let mut points = vec![(0.0, memory_kib(balancer.pid, "VmRSS")? as f64)];
    let mut crowd: Vec<Conn> = Vec::new();
    for step in 1..=STEPS {
        let wanted = idle * step / STEPS;
        let mut come = crew::connect(&options, wanted - crowd.len()).await?;
        for client in &mut come {
            client.query_drop("SELECT c FROM point WHERE id = 1").await?;
        }
        crowd.extend(come);
        pause(2.0).await;
        points.push((crowd.len() as f64, memory_kib(balancer.pid, "VmRSS")? as f64));
    }
    println!(
        "memory of the balancer's process (resident, KiB), each idle client logged in and with one read behind it:"
    );
    points.iter().for_each(|(clients, kib)| println!("  {clients:>6} idle clients  {kib:>8}"));
    println!("  a client: {:.2} KiB (slope)\n", slope(&points));

    let mut many = crew::connect(&options, busy).await?;
    for (name, rate) in [("idle crowd, many clients", rate), ("idle crowd, many clients, no pause", 0.0)] {
        rows.push(measure(name, &mut many, rate, seconds, &mut asker).await?);
    }
    println!("{idle} idle, {busy} busy clients; at most {most} connections to the node");
    println!(
        "{:<38}{:>9}{:>9}{:>9}{:>9}{:>8}{:>12}",
        "busy", "stmt/s", "p50 ms", "p99 ms", "max ms", "failed", "connections"
    );
    rows.iter().for_each(|row| println!("{row}"));
    let peak = memory_kib(balancer.pid, "VmHWM")?;
    println!("\npeak memory of the balancer: {peak} KiB");
    let mut still = 0;
    for client in &mut crowd {
        still += usize::from(client.query_drop("SELECT 1").await.is_ok());
    }
    println!("idle clients that are still served at the end: {still} of {idle}");
    Ok(())
}

/// One stretch of work, as a line; the connections are the most that the node told meanwhile.
async fn measure(
    name: &str,
    clients: &mut Vec<Conn>,
    rate: f64,
    seconds: f64,
    asker: &mut Conn,
) -> Result<String, Error> {
    crew::work(clients, rate, 1.0).await?;
    let work = crew::work(clients, rate, seconds);
    tokio::pin!(work);
    let mut most = 0;
    let done = loop {
        tokio::select! {
            done = &mut work => break done?,
            () = tokio::time::sleep(Duration::from_millis(500)) => {
                most = most.max(node_connections(asker).await?);
            }
        }
    };
    let at = |quantile| ms(&done.latency, quantile);
    let (rate, failed) = (done.rate, done.failed);
    Ok(format!("{name:<38}{rate:>9.0}{:>9.2}{:>9.2}{:>9.2}{failed:>8}{most:>12}", at(0.5), at(0.99), at(1.0)))
}
