//! Reading one node directly.

use std::future::Future;
use std::time::Duration;

use bookstore::Cents;
use bookstore::check::{self, Condition};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::time::timeout;

use super::AuditNode;
use crate::target::sql::over_tcp;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How long a question may take; the largest reads a whole table.
const ANSWER: Duration = Duration::from_secs(120);
/// Orders read at once.
const PAGE: u32 = 20_000;

/// An order as a node holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub id: u32,
    pub token: Option<String>,
    pub total: Option<Cents>,
}

/// A connection to one node.
#[derive(Debug)]
pub(super) struct Reader {
    pub name: String,
    conn: Conn,
}

impl Reader {
    pub(super) async fn connect(node: &AuditNode) -> Result<Self, String> {
        let conn = timeout(CONNECT, Conn::new(over_tcp(&node.opts))).await;
        let conn = conn.map_err(|_| format!("no connection within {CONNECT:?}"))?;
        Ok(Self { name: node.name.clone(), conn: conn.map_err(|error| error.to_string())? })
    }

    /// What the node has applied, as it says it: MariaDB's position, or MySQL's set.
    pub(super) async fn position(&mut self) -> Result<String, String> {
        let mariadb = limited(self.conn.query_first("SELECT @@GLOBAL.gtid_binlog_pos")).await;
        let found: Option<Option<String>> = match mariadb {
            Ok(found) => found,
            Err(_) => limited(self.conn.query_first("SELECT @@GLOBAL.gtid_executed")).await?,
        };
        Ok(found.flatten().unwrap_or_default())
    }

    /// All orders above `initial`, by number.
    pub(super) async fn orders(&mut self, initial: u32) -> Result<Vec<Order>, String> {
        let (mut orders, mut last) = (Vec::new(), initial);
        loop {
            let sql = format!(
                "SELECT o_id, o_token, CAST(o_total AS CHAR) FROM orders WHERE o_id > {last} ORDER BY o_id LIMIT {PAGE}"
            );
            let page: Vec<(u32, Option<String>, Option<String>)> = limited(self.conn.query(sql)).await?;
            let Some((newest, _, _)) = page.last() else { return Ok(orders) };
            last = *newest;
            orders.extend(page.into_iter().map(|(id, token, total)| Order {
                id,
                token,
                total: total.as_deref().and_then(Cents::parse),
            }));
        }
    }

    /// The checksum of every table that the database has, by name: also of one that it should not have.
    pub(super) async fn checksums(&mut self) -> Result<Vec<(String, u64)>, String> {
        const TABLES: &str = "SELECT table_name FROM information_schema.tables \
            WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' ORDER BY table_name";
        let tables: Vec<String> = limited(self.conn.query(TABLES)).await?;
        let mut sums = Vec::with_capacity(tables.len());
        for table in tables {
            let sql = format!("CHECKSUM TABLE `{}` EXTENDED", table.replace('`', "``"));
            let found: Option<(String, Option<u64>)> = limited(self.conn.query_first(sql)).await?;
            let sum = found.and_then(|(_, sum)| sum).ok_or_else(|| format!("{table} has no checksum"))?;
            sums.push((table, sum));
        }
        Ok(sums)
    }

    pub(super) async fn conditions(&mut self) -> Result<Vec<Condition>, String> {
        check::conditions(&mut self.conn).await.map_err(|error| error.to_string())
    }
}

async fn limited<T>(answer: impl Future<Output = Result<T, mysql_async::Error>>) -> Result<T, String> {
    match timeout(ANSWER, answer).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {ANSWER:?}")),
    }
}
