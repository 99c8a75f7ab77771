//! `tpcw check`: the conditions that the data must meet.

use bookstore::check::{Condition, conditions};
use mysql_async::{Conn, Opts};
use tokio::time::{Duration, timeout};

use crate::cli::CheckArgs;
use crate::failure::{Failure, Kind, Outcome};
use crate::target;

/// Checks every condition and prints each with its count of offending rows. Exit code 1 when one is broken.
pub async fn check(args: &CheckArgs) -> Outcome {
    let opts = target::parse(&args.target)?;
    let mut connection = connect(&opts).await?;
    let found = conditions(&mut connection).await.map_err(Failure::from_below)?;
    let _ = connection.disconnect().await;
    if args.json {
        let rows: Vec<_> = found.iter().map(as_json).collect();
        let text = serde_json::to_string_pretty(&rows).map_err(Failure::from_below)?;
        crate::print(&format!("{text}\n"));
    } else {
        crate::print(&found.iter().map(line).collect::<String>());
    }
    let broken = found.iter().filter(|condition| condition.failed()).count();
    if broken > 0 {
        return Err(Failure {
            kind: Kind::Verdict,
            message: format!("{broken} of {} conditions are broken", found.len()),
        });
    }
    Ok(())
}

/// Connects to a target, with words for its user when that fails.
pub async fn connect(opts: &Opts) -> Outcome<Conn> {
    let address = format!("{}:{}", opts.ip_or_hostname(), opts.tcp_port());
    match timeout(Duration::from_secs(10), Conn::new(opts.clone())).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(Failure::surroundings(format!("the target {address} cannot be used: {error}"))),
        Err(_) => Err(Failure::surroundings(format!("the target {address} does not answer within 10 s"))),
    }
}

fn line(condition: &Condition) -> String {
    let mark = match (condition.offending, condition.informative) {
        (0, _) => "ok    ",
        (_, true) => "note  ",
        (_, false) => "BROKEN",
    };
    let mut text = format!("{mark} {:<28} {:>8}  {}", condition.name, condition.offending, condition.what);
    if condition.offending > 0 && !condition.sample.is_empty() {
        text.push_str(&format!(" (for one: {})", condition.sample));
    }
    text.push('\n');
    text
}

fn as_json(condition: &Condition) -> serde_json::Value {
    serde_json::json!({
        "name": condition.name,
        "what": condition.what,
        "offending": condition.offending,
        "sample": condition.sample,
        "informative": condition.informative,
    })
}
