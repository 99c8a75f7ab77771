//! How long a copy of a serving node takes, beside a plain copy of the same files.
//!
//! `cargo run --release -p cluster --example copy_figures -- 500 5`: so many megabytes of rows, so many copies.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it talks to people on a terminal")]

use std::time::Duration;

use cluster::{Admin, BackupTools, Cache, LocalCluster};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<u64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let (megabytes, copies) = (words.first().copied().unwrap_or(200), words.get(1).copied().unwrap_or(3));
    let cluster = LocalCluster::for_tests(2).await?;
    let cache = Cache::from_environment(|name| std::env::var_os(name));
    let tools = BackupTools::find(cluster.program(), &cache, false, |line| eprintln!("{line}")).await?;
    let (n1, n2) = ("n1".into(), "n2".into());
    let limit = Duration::from_secs(120);
    let address = cluster.node(&n1)?.address;
    let mut client = Admin::connect(address, &cluster.accounts().shop, limit).await?;
    client.run("CREATE TABLE tpcw.t (n INT AUTO_INCREMENT PRIMARY KEY, x VARBINARY(1000))").await?;
    for _ in 0..megabytes {
        client.run("INSERT INTO tpcw.t (x) SELECT RANDOM_BYTES(1000) FROM tpcw.seq_1_to_1000").await?;
    }
    let position = cluster::replication::status(&mut cluster.admin(&n1, limit).await?).await?.current;
    cluster::replication::wait_applied(&mut cluster.admin(&n2, limit).await?, &position, limit).await?;
    println!("     MB  copied ms    MB/s  prepared ms  started ms  plain MB  plain ms  plain MB/s");
    for _ in 0..copies {
        let (node, figures) = cluster.copy_node(&n2, &tools).await?;
        let (bytes, plain) = cluster.plain_copy(&n2).await?;
        let (mb, ms) = (|bytes: u64| bytes as f64 / 1e6, |time: Duration| time.as_secs_f64() * 1e3);
        println!(
            "{:>7.1} {:>10.0} {:>7.0} {:>12.0} {:>11.0} {:>9.1} {:>9.0} {:>11.0}",
            mb(figures.bytes),
            ms(figures.copied),
            figures.mb_per_second(),
            ms(figures.prepared),
            ms(figures.started),
            mb(bytes),
            ms(plain),
            mb(bytes) / plain.as_secs_f64(),
        );
        cluster.kill(&node.id).await?;
    }
    cluster.stop().await?;
    Ok(())
}
