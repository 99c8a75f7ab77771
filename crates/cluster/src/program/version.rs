//! What `mariadbd --version` and `mysqld --version` print.

use std::fmt;

/// Who makes a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// MariaDB.
    MariaDb,
    /// MySQL, also Percona's.
    MySql,
}

/// A server's version; ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 10 in `10.11.19`.
    pub major: u16,
    /// 11 in `10.11.19`.
    pub minor: u16,
    /// 19 in `10.11.19`.
    pub patch: u16,
}

impl Version {
    /// The oldest MariaDB that local nodes work with.
    pub const OLDEST_MARIADB: Self = Self { major: 10, minor: 11, patch: 0 };
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Reads `mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)`.
pub(super) fn parse(text: &str) -> Option<(Product, Version, String)> {
    let mut words = text.split_whitespace().skip_while(|word| *word != "Ver").skip(1);
    let version_text = words.next()?.to_owned();
    let numbers = version_text.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
    let mut numbers = numbers.split('.').map(str::parse);
    let (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch))) =
        (numbers.next(), numbers.next(), numbers.next())
    else {
        return None;
    };
    let product = if version_text.contains("MariaDB") { Product::MariaDb } else { Product::MySql };
    Some((product, Version { major, minor, patch }, version_text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_both_products_are_read_and_ordered() {
        for (text, product, version) in [
            (
                "mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)",
                Product::MariaDb,
                "10.11.19",
            ),
            (
                "/usr/sbin/mariadbd  Ver 11.4.2-MariaDB-log for Linux on x86_64 (Source)",
                Product::MariaDb,
                "11.4.2",
            ),
            (
                "/usr/sbin/mysqld  Ver 8.0.36-0ubuntu0.22.04.1 for Linux on x86_64 ((Ubuntu))",
                Product::MySql,
                "8.0.36",
            ),
        ] {
            let (found, read, _) = parse(text).unwrap();
            assert_eq!((found, read.to_string().as_str()), (product, version), "{text}");
        }
        for text in ["", "bash 5.2", "mysqld Ver", "mysqld Ver x.y.z", "Ver 10.11"] {
            assert_eq!(parse(text), None, "{text}");
        }
        let old = parse("mysqld Ver 10.6.18-MariaDB for x").unwrap().1;
        assert!(
            old < Version::OLDEST_MARIADB
                && parse("m Ver 10.11.0-MariaDB").unwrap().1 >= Version::OLDEST_MARIADB
        );
    }
}
