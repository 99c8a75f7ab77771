//! Accounts of a cluster, with passwords that do not print themselves.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};

use mysql_async::SslOpts;

/// A secret. It shows itself only through [`Password::expose`]; debug output and errors carry `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes a secret from a file, a prompt or a URL.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// A new secret of 128 bits from the operating system. Secrets must not follow from a run's seed.
    pub fn generate() -> io::Result<Self> {
        let mut bytes = [0_u8; 16];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A user of a server and its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user's name; valid from any loopback address on nodes of our own.
    pub user: String,
    /// Its password.
    pub password: Password,
    /// How its connections are encrypted; `None`: they are not.
    pub encryption: Option<Encryption>,
}

/// How connections are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// Who is trusted, and what is shown.
    pub options: SslOpts,
    /// Whether a server that cannot is refused.
    pub required: bool,
}

impl Account {
    /// An account with a known password.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: user.into(), password: Password::new(password), encryption: None }
    }

    /// An account with a new random password.
    pub fn generate(user: impl Into<String>) -> io::Result<Self> {
        Ok(Self { user: user.into(), password: Password::generate()?, encryption: None })
    }

    /// The same account with encrypted connections.
    pub fn encrypted(self, encryption: Option<Encryption>) -> Self {
        Self { encryption, ..self }
    }
}

/// The accounts that exist on every local node.
#[derive(Clone, Debug)]
pub struct Accounts {
    /// May do everything: control plane, audit, loading.
    pub operator: Account,
    /// Followers log in with it.
    pub replication: Account,
    /// Owns the shop's database and nothing else: neither SUPER nor READ ONLY ADMIN, so that `read_only` holds for it.
    pub shop: Account,
}

impl Accounts {
    /// New passwords for all three.
    pub fn generate() -> io::Result<Self> {
        Ok(Self {
            operator: Account::generate("operator")?,
            replication: Account::generate("replication")?,
            shop: Account::generate("shop")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_never_prints_itself_and_is_never_the_same() {
        let accounts = Accounts::generate().unwrap();
        let printed = format!("{accounts:?}");
        for account in [&accounts.operator, &accounts.replication, &accounts.shop] {
            assert_eq!(account.password.expose().len(), 32);
            assert!(!printed.contains(account.password.expose()), "{printed}");
        }
        assert_ne!(accounts.operator.password, accounts.shop.password);
    }
}
