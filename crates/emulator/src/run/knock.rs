//! Before the load: is the target there, does it let us in, and does it hold the shop?

use std::time::Duration;

use bookstore::Scale;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use tokio::time::timeout;

use super::RunError;
use crate::target::sql::over_tcp;

/// How long the two questions to the shop may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn knock(opts: &Opts, scale: Scale, connect_timeout: Duration) -> Result<(), RunError> {
    let address = format!("{}:{}", opts.ip_or_hostname(), opts.tcp_port());
    let target = |message: String| RunError::Target { address: address.clone(), message };
    let conn = timeout(connect_timeout, Conn::new(over_tcp(opts))).await;
    let mut conn = conn
        .map_err(|_| target(format!("no connection within {connect_timeout:?}")))?
        .map_err(|error| target(error.to_string()))?;
    let found = timeout(PATIENCE, sizes(&mut conn)).await;
    let shop = |message: String| RunError::Shop { address: address.clone(), message };
    let (items, customers) = found
        .map_err(|_| target(format!("no answer within {PATIENCE:?}")))?
        .map_err(|error| shop(error.to_string()))?;
    // Saying goodbye is a courtesy.
    let _ = timeout(PATIENCE, conn.disconnect()).await;
    let expected = (scale.items, scale.customers());
    if items != expected.0 || customers < expected.1 {
        return Err(shop(format!(
            "{items} items and {customers} customers found, {} and at least {} expected",
            expected.0, expected.1
        )));
    }
    Ok(())
}

async fn sizes(conn: &mut Conn) -> Result<(u32, u32), mysql_async::Error> {
    let items: Option<Option<u32>> = conn.query_first("SELECT MAX(i_id) FROM item").await?;
    let customers: Option<Option<u32>> = conn.query_first("SELECT MAX(c_id) FROM customer").await?;
    Ok((items.flatten().unwrap_or(0), customers.flatten().unwrap_or(0)))
}
