//! What came out, for people and as CSV.

use balancer::admin::api::NodeRow;
use balancer::telemetry::freshness::{BEHIND_MS, BEHIND_TRANSACTIONS};

use crate::session::Counts;

/// One level's line, with a head before the first.
pub fn line(counts: &Counts, first: bool) {
    if first {
        println!(
            "{:<10} {:>9} {:>7} {:>7} {:>7} {:>9} {:>7} {:>7} {:>7} {:>9} {:>9} {:>10}",
            "level",
            "reads",
            "writes",
            "stale",
            "back",
            "on n1 %",
            "n2 %",
            "n3 %",
            "n1 late",
            "mean ms",
            "p99 ms",
            "reads/s"
        );
    }
    let all = counts.all_reads().max(1) as f64;
    let share = |node: usize| counts.reads[node] as f64 * 100.0 / all;
    println!(
        "{:<10} {:>9} {:>7} {:>7} {:>7} {:>9.2} {:>7.2} {:>7.2} {:>7} {:>9.3} {:>9.3} {:>10.0}",
        counts.level.as_str(),
        counts.all_reads(),
        counts.writes,
        counts.stale,
        counts.back_in_time,
        share(0),
        share(1),
        share(2),
        counts.settled[0],
        counts.latency.mean_ms(),
        counts.latency.quantile_ms(0.99),
        all / counts.took.as_secs_f64().max(1e-9),
    );
}

/// How far behind the answers were, as the balancer counted it.
pub fn freshness(nodes: &[NodeRow]) {
    println!(
        "\nHow far behind all these answers were, as the balancer's probes tell (upper bounds of buckets):"
    );
    println!(
        "{:<6} {:>10} {:>8} {:>8} {:>8} {:>10}",
        "node", "answers", "p50 ms", "p90 ms", "p99 ms", "p99 trx"
    );
    let shown = |bound: Option<u64>| bound.map_or_else(|| "-".to_owned(), |bound| bound.to_string());
    for node in nodes {
        let (ms, transactions) = (&node.freshness.ms, &node.freshness.transactions);
        println!(
            "{:<6} {:>10} {:>8} {:>8} {:>8} {:>10}",
            node.node,
            ms.count(),
            shown(ms.quantile(0.5, &BEHIND_MS)),
            shown(ms.quantile(0.9, &BEHIND_MS)),
            shown(ms.quantile(0.99, &BEHIND_MS)),
            shown(transactions.quantile(0.99, &BEHIND_TRANSACTIONS)),
        );
    }
}

/// All levels, a line each.
pub fn csv(results: &[Counts]) -> String {
    let mut text = "consistency,reads,writes,stale,back_in_time,reads_n1,reads_n2,reads_n3,\
                    settled_n1,settled_n2,settled_n3,mean_ms,p50_ms,p99_ms,took_s\n"
        .to_owned();
    for counts in results {
        let [n1, n2, n3] = counts.reads;
        let [s1, s2, s3] = counts.settled;
        text += &format!(
            "{},{},{},{},{},{n1},{n2},{n3},{s1},{s2},{s3},{:.4},{:.4},{:.4},{:.3}\n",
            counts.level.as_str(),
            counts.all_reads(),
            counts.writes,
            counts.stale,
            counts.back_in_time,
            counts.latency.mean_ms(),
            counts.latency.quantile_ms(0.5),
            counts.latency.quantile_ms(0.99),
            counts.took.as_secs_f64(),
        );
    }
    text
}
