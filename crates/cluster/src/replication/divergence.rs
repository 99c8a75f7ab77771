//! Whether a node holds transactions that the primary never had.

use crate::admin::{Admin, AdminError};
use crate::replication::gtid::{Gtid, GtidPosition, GtidState};
use crate::replication::status::parsed;

/// The transactions at the tip of `node` that are not part of `primary`'s history. Not empty: the node has diverged,
/// must not follow, and has to be rebuilt from a copy.
///
/// A greater sequence number does not mean "ahead": a lost primary may stop at `0-1-105` while its successor, promoted
/// at 100, stands at `0-2-200`. So it is the primary's history that is asked, by domain *and* server.
pub fn errant(node: &GtidPosition, primary: &GtidState) -> Vec<Gtid> {
    node.gtids().iter().copied().filter(|gtid| !primary.contains(*gtid)).collect()
}

/// Reads a node's history.
pub async fn binlog_state(admin: &mut Admin) -> Result<GtidState, AdminError> {
    const WHAT: &str = "SELECT @@gtid_binlog_state";
    let text: Option<String> = admin.first(WHAT).await?;
    parsed(admin, WHAT, &text.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_transactions_outside_the_primarys_history_are_errant() {
        // Promoted n2 took over from n1 at 100 and stands at 200.
        let primary: GtidState = "0-1-100,0-2-200".parse().unwrap();
        for (node, expected) in [
            ("", ""),
            ("0-1-90", ""),
            ("0-1-100", ""),
            ("0-1-105", "0-1-105"), // the lost primary kept five transactions that nobody acknowledged
            ("0-2-150", ""),
            ("0-2-201", "0-2-201"),
            ("0-3-101", "0-3-101"), // somebody wrote on a replica
            ("0-1-100,7-3-1", "7-3-1"),
        ] {
            let found: Vec<String> =
                errant(&node.parse().unwrap(), &primary).iter().map(Gtid::to_string).collect();
            assert_eq!(found.join(","), expected, "{node}");
        }
    }
}
