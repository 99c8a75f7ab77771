//! The SQL that a node runs at its first start: accounts and the shop's empty database.
//!
//! It is handed over in a file that only we can read and that is gone once the node is ready, so that no password is
//! ever in a process list, a log or the binary log.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::account::{Account, Accounts};
use crate::error::{Error, OnFile};
use crate::replication::follow::quoted;

/// Writes the file.
pub(crate) fn write(path: &Path, accounts: &Accounts, database: &str) -> Result<(), Error> {
    remove(path)?;
    let mut file: File =
        File::options().write(true).create_new(true).mode(0o600).open(path).on("create", path)?;
    file.write_all(text(accounts, database).as_bytes()).on("write", path)
}

/// Removes it, when it is there.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e).on("remove", path),
        _ => Ok(()),
    }
}

/// One statement a line, as the server wants it. Every node runs it by itself: nothing goes to the binary log.
fn text(accounts: &Accounts, database: &str) -> String {
    let database = format!("`{}`", database.replace('`', "``"));
    // In the name of a granted database `_` and `%` stand for others.
    let granted = database.replace('_', "\\_").replace('%', "\\%");
    let rights = [
        (&accounts.operator, "ALL PRIVILEGES ON *.*", " WITH GRANT OPTION"),
        (&accounts.replication, "REPLICATION SLAVE ON *.*", ""),
        (&accounts.shop, &format!("ALL PRIVILEGES ON {granted}.*"), ""),
    ];
    let mut lines =
        vec!["SET sql_log_bin=0;".to_owned(), format!("CREATE DATABASE IF NOT EXISTS {database};")];
    for (account, right, option) in rights {
        let user = user(account);
        lines.push(format!(
            "CREATE OR REPLACE USER {user} IDENTIFIED BY {};",
            quoted(account.password.expose())
        ));
        lines.push(format!("GRANT {right} TO {user}{option};"));
    }
    lines.join("\n") + "\n"
}

/// Names are never looked up, so loopback addresses are all that may come.
fn user(account: &Account) -> String {
    format!("{}@'127.0.0.1'", quoted(&account.user))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shop_owns_its_database_and_nothing_else() {
        let account = |name: &str| Account::new(name, "it's");
        let accounts = Accounts {
            operator: account("operator"),
            replication: account("replication"),
            shop: account("shop"),
        };
        let text = text(&accounts, "my_shop");
        assert!(text.starts_with("SET sql_log_bin=0;\nCREATE DATABASE IF NOT EXISTS `my_shop`;\n"), "{text}");
        assert!(text.contains("CREATE OR REPLACE USER 'shop'@'127.0.0.1' IDENTIFIED BY 'it''s';"), "{text}");
        let rights: Vec<&str> = text.lines().filter(|line| line.contains("TO 'shop'")).collect();
        assert_eq!(rights, ["GRANT ALL PRIVILEGES ON `my\\_shop`.* TO 'shop'@'127.0.0.1';"]);
        assert!(text.lines().all(|line| line.ends_with(';')), "a statement a line: {text}");
    }
}
