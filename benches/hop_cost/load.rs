//! The load: `sysbench`, its point selects and read-only transactions.

use std::fmt;
use std::net::SocketAddr;
use std::process::Stdio;

use clap::ValueEnum;
use cluster::Account;
use tokio::process::Command;

use crate::Failure;

/// Rows of the one table; all of it stays in the server's memory.
const ROWS: u32 = 10_000;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Script {
    /// One row by its key.
    PointSelect,
    /// A transaction of 14 reads between BEGIN and COMMIT.
    ReadOnly,
}

/// How it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// As text.
    Text,
    /// As prepared statements.
    Prepared,
}

/// One cell of the table: a load that all paths get in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What is asked.
    pub script: Script,
    /// How.
    pub protocol: Protocol,
    /// By so many connections at once.
    pub connections: u32,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let script = match self.script {
            Script::PointSelect => "point select",
            Script::ReadOnly => "read only",
        };
        let protocol = match self.protocol {
            Protocol::Text => "text",
            Protocol::Prepared => "prepared",
        };
        write!(f, "{script}, {protocol}, {}", self.connections)
    }
}

/// What a run of the load told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Told {
    /// Statements answered.
    pub statements: f64,
    /// A second.
    pub rate: f64,
    /// 95th percentile of the events (a statement, or a transaction), in milliseconds.
    pub p95_ms: f64,
}

fn sysbench(to: SocketAddr, account: &Account, database: &str, script: Script) -> Command {
    let mut command = Command::new("sysbench");
    command
        .arg(match script {
            Script::PointSelect => "oltp_point_select",
            Script::ReadOnly => "oltp_read_only",
        })
        .arg("--db-driver=mysql")
        .arg(format!("--mysql-host={}", to.ip()))
        .arg(format!("--mysql-port={}", to.port()))
        .arg(format!("--mysql-user={}", account.user))
        .arg(format!("--mysql-password={}", account.password.expose()))
        .arg(format!("--mysql-db={database}"))
        .args(["--tables=1", &format!("--table-size={ROWS}")])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

async fn output(mut command: Command) -> Result<String, Failure> {
    let output = command.output().await.map_err(|error| {
        Failure::new(format!("sysbench cannot be started: {error} (Debian: apt-get install sysbench)"))
    })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::new(format!("sysbench failed ({}): {text}{why}", output.status)));
    }
    Ok(text)
}

/// Makes and fills the table.
///
/// # Errors
/// `sysbench` cannot be started or fails.
pub async fn prepare(to: SocketAddr, account: &Account, database: &str) -> Result<(), Failure> {
    let mut command = sysbench(to, account, database, Script::PointSelect);
    command.arg("prepare");
    output(command).await.map(drop)
}

/// Runs a cell's load for some seconds.
///
/// # Errors
/// `sysbench` cannot be started, fails, or says nothing that can be read.
pub async fn run(
    to: SocketAddr,
    account: &Account,
    database: &str,
    cell: Cell,
    seconds: u32,
) -> Result<Told, Failure> {
    let mut command = sysbench(to, account, database, cell.script);
    command
        .arg(format!("--threads={}", cell.connections))
        .arg(format!("--time={seconds}"))
        .arg(match cell.protocol {
            Protocol::Text => "--db-ps-mode=disable",
            Protocol::Prepared => "--db-ps-mode=auto",
        })
        .arg("run");
    let text = output(command).await?;
    told(&text).ok_or_else(|| Failure::new(format!("sysbench's figures cannot be read:\n{text}")))
}

/// The figures in what `sysbench` prints.
fn told(text: &str) -> Option<Told> {
    let after = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim);
    let queries = after("queries:")?;
    let (statements, rate) = queries.split_once('(')?;
    Some(Told {
        statements: statements.trim().parse().ok()?,
        rate: rate.trim_end_matches(" per sec.)").parse().ok()?,
        p95_ms: after("95th percentile:")?.parse().ok()?,
    })
}
