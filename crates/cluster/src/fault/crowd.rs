//! Takes all connections of a node.

use std::net::SocketAddr;
use std::time::Duration;

use crate::account::Accounts;
use crate::admin::{Admin, AdminError};

/// The least that the server allows.
const FEW: u64 = 10;
/// `ER_CON_COUNT_ERROR`.
const TOO_MANY: &str = "1040";

/// The connections that take the places, and how many places there were.
///
/// The operator's connection is held as well: whoever else has the one place beyond all others, the places can be given back.
#[derive(Debug)]
pub(crate) struct Crowd {
    held: Vec<Admin>,
    operator: Admin,
    places: u64,
}

impl Crowd {
    /// Lowers the number of places and takes what is left.
    pub(crate) async fn gather(
        server: SocketAddr,
        accounts: &Accounts,
        limit: Duration,
    ) -> Result<Self, AdminError> {
        let mut operator = Admin::connect(server, &accounts.operator, limit).await?;
        let places = operator.first("SELECT @@GLOBAL.max_connections").await?.unwrap_or(1000);
        set_places(&mut operator, FEW).await?;
        let mut crowd = Self { held: Vec::new(), operator, places };
        for _ in 0..=FEW {
            match Admin::connect(server, &accounts.shop, limit).await {
                Ok(taken) => crowd.held.push(taken),
                Err(error) if turned_away(&error) => return Ok(crowd),
                Err(error) => {
                    crowd.leave().await?;
                    return Err(error);
                }
            }
        }
        Ok(crowd)
    }

    /// Gives the places back.
    pub(crate) async fn leave(mut self) -> Result<(), AdminError> {
        let restored = set_places(&mut self.operator, self.places).await;
        for taken in self.held.into_iter().chain([self.operator]) {
            taken.close().await;
        }
        restored
    }
}

/// Whether an attempt to connect failed because all places were taken.
pub(crate) fn turned_away(error: &AdminError) -> bool {
    matches!(error, AdminError::Connect { reason, .. } if reason.contains(TOO_MANY))
}

async fn set_places(operator: &mut Admin, places: u64) -> Result<(), AdminError> {
    operator.run_text("SET GLOBAL max_connections", &format!("SET GLOBAL max_connections={places}")).await
}
