//! The file of accounts: TOML, hashes instead of passwords.
//!
//! ```toml
//! [[accounts]]
//! name = "shop"
//! host = "10.0.%"                       # optional: from anywhere without it
//! native = "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7"
//!
//! [[accounts]]
//! name = "report"
//! caching_sha2 = "0x24412430303524…"    # or as text: "$A$005$…"
//! ```
//!
//! Also `ed25519` and `password`. Several hashes of the same password may stand side by side.

use std::path::Path;

use serde::Deserialize;

use super::Listed;
use super::host::HostPattern;
use super::stored::Stored;
use crate::config::ConfigError;
use crate::wire::auth::Plugin;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    accounts: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    #[serde(default)]
    host: String,
    password: Option<String>,
    native: Option<String>,
    caching_sha2: Option<String>,
    ed25519: Option<String>,
}

/// Reads a file.
pub fn read(path: &Path) -> Result<Vec<Listed>, ConfigError> {
    let fail = |problem: String| ConfigError {
        key: "auth.accounts_file".to_owned(),
        problem: format!("{}: {problem}", path.display()),
    };
    let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    parse(&text).map_err(fail)
}

fn parse(text: &str) -> Result<Vec<Listed>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut listed: Vec<Listed> = Vec::with_capacity(file.accounts.len());
    for row in file.accounts {
        let account = row.listed()?;
        if listed.iter().any(|other| other.name == account.name && other.host == account.host) {
            return Err(format!(
                "`{}` is given twice for the host `{}`",
                account.name,
                account.host.as_str()
            ));
        }
        listed.push(account);
    }
    Ok(listed)
}

impl Row {
    fn listed(self) -> Result<Listed, String> {
        let Self { name, host, password, native, caching_sha2, ed25519 } = self;
        let mut stored = password.as_deref().map_or_else(Stored::default, Stored::password);
        let mut given = password.is_some();
        for (key, plugin, hash) in [
            ("native", Plugin::Native, native),
            ("caching_sha2", Plugin::Sha2, caching_sha2),
            ("ed25519", Plugin::Ed25519, ed25519),
        ] {
            let Some(hash) = hash else { continue };
            given = true;
            stored.add(plugin, hash.as_bytes()).map_err(|error| format!("`{key}` of `{name}` {error}"))?;
        }
        if !given {
            return Err(format!(
                "`{name}` has no secret; one of `password`, `native`, `caching_sha2`, `ed25519` is needed"
            ));
        }
        Ok(Listed { name: name.into(), host: HostPattern::new(&host), stored, foreign: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_and_passwords_are_read() {
        let listed = parse(
            "[[accounts]]\nname = 'shop'\nhost = '10.%'\nnative = '*14E65567ABDB5135D0CFD9A70B3032C179A49EE7'
             ed25519 = 'ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY'
             [[accounts]]\nname = 'plain'\npassword = 'x'",
        )
        .unwrap();
        assert_eq!((&*listed[0].name, listed[0].host.as_str()), ("shop", "10.%"));
        assert_eq!(format!("{:?}", listed[0].stored), r#"{"native", "ed25519"}"#);
        assert!(listed[0].stored.proves(b"secret") && listed[1].stored.proves(b"x"));
        assert_eq!(listed[1].host.as_str(), "%");
        assert_eq!(parse(""), Ok(Vec::new()));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (text, expected) in [
            ("[[accounts]]\nname = 'a'", "`a` has no secret"),
            (
                "[[accounts]]\nname = 'a'\nnative = '*12'",
                "`native` of `a` is not a hash of mysql_native_password",
            ),
            ("[[accounts]]\nname = 'a'\nsecret = 'x'", "unknown field `secret`"),
            (
                "[[accounts]]\nname = 'a'\npassword = ''\n[[accounts]]\nname = 'a'\npassword = 'x'",
                "`a` is given twice",
            ),
            ("accounts = 3", "invalid type"),
        ] {
            let told = parse(text).expect_err(expected);
            assert!(told.contains(expected), "{told}");
        }
    }
}
