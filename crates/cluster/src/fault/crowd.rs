//! Takes all connections of a node.

use std::net::SocketAddr;
use std::time::Duration;

use crate::account::Accounts;
use crate::admin::{Admin, AdminError};

/// The least that the server allows.
const FEW: u32 = 10;
/// `ER_CON_COUNT_ERROR`.
const TOO_MANY: &str = "1040";

/// The connections that take the places, and how many places there were.
#[derive(Debug)]
pub(crate) struct Crowd {
    held: Vec<Admin>,
    places: u64,
}

impl Crowd {
    /// Lowers the number of places and takes what is left, as an ordinary account: one more place is the operator's.
    pub(crate) async fn gather(
        server: SocketAddr,
        accounts: &Accounts,
        limit: Duration,
    ) -> Result<Self, AdminError> {
        let mut operator = Admin::connect(server, &accounts.operator, limit).await?;
        let places = operator.first("SELECT @@GLOBAL.max_connections").await?.unwrap_or(1000);
        operator.run_text("SET GLOBAL max_connections", &format!("SET GLOBAL max_connections={FEW}")).await?;
        operator.close().await;
        let mut crowd = Self { held: Vec::new(), places };
        for _ in 0..=FEW {
            match Admin::connect(server, &accounts.shop, limit).await {
                Ok(taken) => crowd.held.push(taken),
                Err(AdminError::Connect { reason, .. }) if reason.contains(TOO_MANY) => return Ok(crowd),
                Err(error) => {
                    crowd.leave(server, accounts, limit).await?;
                    return Err(error);
                }
            }
        }
        Ok(crowd)
    }

    /// Gives the places back. A node that has been started again has them already.
    pub(crate) async fn leave(
        self,
        server: SocketAddr,
        accounts: &Accounts,
        limit: Duration,
    ) -> Result<(), AdminError> {
        let Self { held, places } = self;
        for taken in held {
            taken.close().await;
        }
        let mut operator = Admin::connect(server, &accounts.operator, limit).await?;
        let restore = format!("SET GLOBAL max_connections={places}");
        operator.run_text("SET GLOBAL max_connections", &restore).await?;
        operator.close().await;
        Ok(())
    }
}
