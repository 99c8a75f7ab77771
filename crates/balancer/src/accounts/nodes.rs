//! The nodes' own accounts, read from their tables by the operator's account.
//!
//! MariaDB keeps them in `mysql.global_priv` as JSON, MySQL in `mysql.user`. Left out: roles, locked accounts, the nameless
//! one.

use std::net::SocketAddr;
use std::time::Duration;

use cluster::admin::log_in;
use mysql_async::prelude::Queryable;
use mysql_async::{Error, Row};
use serde_json::Value;
use tokio::time::timeout;

use super::Listed;
use super::host::HostPattern;
use super::stored::Stored;
use crate::config::Config;
use crate::nodes::operator;
use crate::wire::auth::Plugin;

/// One node may take so long.
const LIMIT: Duration = Duration::from_secs(2);
/// There is no such table: the node is a MySQL server.
const NO_TABLE: u16 = 1146;

/// The accounts that the first node which answers knows; else why none did.
pub async fn read(config: &Config) -> Result<Vec<Listed>, String> {
    let mut why = Vec::new();
    for node in &config.nodes {
        match timeout(LIMIT, ask(node.admin_address(), operator(config, &node.name))).await {
            Ok(Ok(listed)) => return Ok(listed),
            Ok(Err(error)) => why.push(format!("{}: {error}", node.name)),
            Err(_) => why.push(format!("{}: no answer within {} s", node.name, LIMIT.as_secs())),
        }
    }
    Err(why.join("; "))
}

async fn ask(address: SocketAddr, operator: cluster::Account) -> Result<Vec<Listed>, Error> {
    let mut conn = log_in(address, &operator).await?;
    let rows: Result<Vec<(String, String, String)>, Error> =
        conn.query("SELECT User, Host, Priv FROM mysql.global_priv WHERE User <> ''").await;
    let listed = match rows {
        Ok(rows) => rows.iter().filter_map(|(name, host, row)| of_mariadb(name, host, row)).collect(),
        Err(Error::Server(error)) if error.code == NO_TABLE => {
            let rows: Vec<Row> = conn
                .query(
                    "SELECT User, Host, plugin, CAST(authentication_string AS BINARY) FROM mysql.user \
                     WHERE User <> '' AND account_locked = 'N'",
                )
                .await?;
            rows.into_iter().filter_map(of_mysql).collect()
        }
        Err(error) => return Err(error),
    };
    let _ = conn.disconnect().await;
    Ok(listed)
}

/// An account of `mysql.global_priv`. One that may log in by one of several plugins has the others in `auth_or`, where an
/// empty object stands for the first.
fn of_mariadb(name: &str, host: &str, row: &str) -> Option<Listed> {
    let row: Value = serde_json::from_str(row).ok()?;
    let set = |key: &str| row[key].as_bool() == Some(true);
    if set("is_role") || set("account_locked") {
        return None;
    }
    let hash = |way: &Value| way["authentication_string"].as_str().unwrap_or_default().to_owned();
    let Some(others) = row["auth_or"].as_array() else {
        // Without a plugin the native one is meant.
        let plugin = row["plugin"].as_str().unwrap_or_default();
        return Some(listed(name, host, [(plugin, hash(&row).as_bytes())].into_iter()));
    };
    let ways = std::iter::once(&row).chain(others);
    let ways: Vec<_> = ways.filter_map(|way| Some((way["plugin"].as_str()?, hash(way)))).collect();
    Some(listed(name, host, ways.iter().map(|(plugin, hash)| (*plugin, hash.as_bytes()))))
}

fn of_mysql(row: Row) -> Option<Listed> {
    let (name, host, plugin, hash): (String, String, String, Option<Vec<u8>>) =
        mysql_async::from_row_opt(row).ok()?;
    Some(listed(&name, &host, [(&*plugin, &*hash.unwrap_or_default())].into_iter()))
}

/// An account with what can be used of the ways it may log in. One whose hash is no hash (`invalid`) has no password.
fn listed<'a>(name: &str, host: &str, ways: impl Iterator<Item = (&'a str, &'a [u8])>) -> Listed {
    let mut stored = Stored::default();
    let (mut spoken, mut foreign) = (false, None);
    for (plugin, hash) in ways {
        match spoken_as(plugin) {
            Some(plugin) => {
                spoken = true;
                let _ = stored.add(plugin, hash);
            }
            None => foreign = Some(plugin.into()),
        }
    }
    Listed { name: name.into(), host: HostPattern::new(host), stored, foreign: foreign.filter(|_| !spoken) }
}

/// The plugin of a server's name for it.
fn spoken_as(plugin: &str) -> Option<Plugin> {
    match plugin {
        "" | "mysql_native_password" => Some(Plugin::Native),
        "caching_sha2_password" => Some(Plugin::Sha2),
        "ed25519" => Some(Plugin::Ed25519),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7";

    #[test]
    fn rows_of_mariadb_are_read() {
        let native =
            format!(r#"{{"plugin":"mysql_native_password","authentication_string":"{HASH}","access":0}}"#);
        let either = format!(
            r#"{{"plugin":"unix_socket","authentication_string":"","auth_or":[{{}},{{"plugin":"mysql_native_password","authentication_string":"{HASH}"}}]}}"#
        );
        type Read<'a> = Option<(bool, Option<&'a str>)>;
        let table: [(&str, Read<'_>); 7] = [
            (&native, Some((true, None))),
            (&either, Some((true, None))),
            (
                r#"{"plugin":"ed25519","authentication_string":"ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY"}"#,
                Some((true, None)),
            ),
            (r#"{"plugin":"mysql_native_password","authentication_string":"invalid"}"#, Some((false, None))),
            (r#"{"plugin":"pam","authentication_string":"secret"}"#, Some((false, Some("pam")))),
            (r#"{"is_role":true}"#, None),
            (r#"{"plugin":"mysql_native_password","authentication_string":"","account_locked":true}"#, None),
        ];
        for (row, expected) in table {
            let found = of_mariadb("shop", "%", row);
            let found = found.as_ref().map(|l| (l.stored.proves(b"secret"), l.foreign.as_deref()));
            assert_eq!(found, expected, "{row}");
        }
        assert!(of_mariadb("shop", "%", "no JSON").is_none());
    }

    #[test]
    fn only_an_empty_hash_is_no_password() {
        let with = |row: &str| of_mariadb("a", "%", row).unwrap().stored.proves(b"");
        assert!(with(r#"{"plugin":"mysql_native_password","authentication_string":""}"#));
        assert!(!with(r#"{"plugin":"mysql_native_password","authentication_string":"invalid"}"#));
        assert!(with(r#"{"access":18446744073709551615}"#), "as mariadb-install-db makes root");
        assert!(!with(r#"{"plugin":"unix_socket"}"#));
        assert!(!with(r#"{"plugin":"unix_socket","auth_or":[{},{}]}"#));
    }
}
