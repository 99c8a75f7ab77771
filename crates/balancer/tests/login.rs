//! Logins on both sides: every plugin, every kind of hash, accounts that come, change and go.

mod nodes;
mod wire;

use std::path::Path;
use std::time::Duration;

use balancer::accounts;
use balancer::config::{Account, Config, Node as NodeConfig};
use balancer::wire::auth::Plugin::{self, Clear, Ed25519, Native, Sha2};
use balancer::wire::auth::crypt::Crypt;
use mysql_async::prelude::Queryable;
use mysql_async::{ChangeUserOpts, Conn};
use nodes::{Front, Node, opts};
use wire::Raw;

/// How long something that must come is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
const NATIVE: &str = "native = '*14E65567ABDB5135D0CFD9A70B3032C179A49EE7'";
const ED25519: &str = "ed25519 = 'ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY'";
/// Made with `openssl genrsa 1024`; for tests alone.
const KEY: &str = include_str!("wire/key.pem");

fn sha2_hash() -> String {
    let hash = Crypt::of(b"secret", *b"abcdefghijklmnopqrst").write();
    format!("caching_sha2 = '{}'", String::from_utf8(hash).unwrap())
}

/// A front whose accounts are those of a file.
fn with_file(nodes: &[&Node], folder: &Path, accounts: &str) -> Front {
    let file = folder.join("accounts.toml");
    let key = folder.join("key.pem");
    std::fs::write(&file, accounts).unwrap();
    std::fs::write(&key, KEY).unwrap();
    Front::start_with(nodes, |config| {
        config.accounts.clear();
        config.auth.accounts_file = Some(file);
        config.auth.rsa_key_file = Some(key);
    })
}

fn account(name: &str, secret: &str) -> String {
    format!("[[accounts]]\nname = '{name}'\n{secret}\n")
}

/// Tries until it pleases.
async fn eventually<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let trying = async {
        loop {
            if let Some(found) = attempt().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, trying).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

fn code<T>(result: Result<T, mysql_async::Error>) -> u16 {
    match result {
        Ok(_) => 0,
        Err(mysql_async::Error::Server(error)) => error.code,
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_known_password_is_proved_by_any_plugin() {
    let server = Node::start(1).await;
    let front = Front::start(&[&server]);
    let port = front.port();
    for (plugin, right, wrong) in [
        (Native, "ok", "1045"),
        (Sha2, "fast ok", "1045"),
        (Ed25519, "client_ed25519 ok", "client_ed25519 1045"),
        // Not over a connection that anybody can read.
        (Clear, "mysql_native_password ok", "mysql_native_password 1045"),
    ] {
        let (mut raw, told) = Raw::log_in(port, "shop", "secret", plugin).await;
        assert_eq!(told, right, "{plugin:?}");
        assert!(raw.row("SELECT CURRENT_USER()").await.contains("shop@%"), "{plugin:?}");
        assert_eq!(Raw::log_in(port, "shop", "Secret", plugin).await.1, wrong, "{plugin:?}");
        assert_eq!(Raw::log_in(port, "nobody", "secret", plugin).await.1, wrong, "{plugin:?}");
        for name in ["shop", "nobody"] {
            assert!(Raw::log_in(port, name, "", plugin).await.1.ends_with("1045"), "{plugin:?} {name}");
        }
        let (mut raw, told) = Raw::log_in(port, "root", "", plugin).await;
        assert!(told.ends_with("ok"), "{plugin:?}: {told}");
        assert!(raw.row("SELECT CURRENT_USER()").await.contains("root@"), "{plugin:?}");
        assert!(Raw::log_in(port, "root", "x", plugin).await.1.ends_with("1045"), "{plugin:?}");
    }
}

#[tokio::test]
async fn a_hash_is_enough_on_the_way_to_the_nodes_too() {
    let server = Node::start(1).await;
    let folder = tempfile::tempdir().unwrap();
    let mut root = server.root().await;
    for name in ["nat", "sha", "edd"] {
        let way = if name == "edd" { "VIA ed25519 USING PASSWORD('secret')" } else { "BY 'secret'" };
        let _ = root.query_drop("INSTALL SONAME 'auth_ed25519'").await;
        root.query_drop(format!("CREATE USER {name}@'%' IDENTIFIED {way}")).await.unwrap();
    }
    let accounts = account("nat", NATIVE) + &account("sha", &sha2_hash()) + &account("edd", ED25519);
    let front = with_file(&[&server], folder.path(), &accounts);
    for (name, begun, first, second) in [
        ("nat", Native, "ok", "ok"),
        ("nat", Sha2, "mysql_native_password ok", "mysql_native_password ok"),
        ("sha", Native, "caching_sha2_password full ok", "ok"),
        ("sha", Sha2, "fast ok", "fast ok"),
        ("edd", Ed25519, "caching_sha2_password full ok", "client_ed25519 ok"),
    ] {
        for expected in [first, second] {
            let (mut raw, told) = Raw::log_in(front.port(), name, "secret", begun).await;
            assert_eq!(told, expected, "{name} {begun:?}");
            let user = raw.row("SELECT CURRENT_USER()").await;
            assert!(user.contains(&format!("{name}@%")), "{name} {begun:?}: {user}");
        }
    }
}

#[tokio::test]
async fn nobody_can_tell_which_names_exist() {
    let server = Node::start(1).await;
    for secret in [NATIVE.to_owned(), sha2_hash(), ED25519.to_owned(), "password = 'secret'".to_owned()] {
        let folder = tempfile::tempdir().unwrap();
        let front = with_file(&[&server], folder.path(), &account("shop", &secret));
        for plugin in [Native, Sha2, Ed25519] {
            let (_, wrong) = Raw::log_in(front.port(), "shop", "wrong", plugin).await;
            let (_, unknown) = Raw::log_in(front.port(), "nobody", "wrong", plugin).await;
            assert_eq!(wrong, unknown, "{secret} {plugin:?}");
            assert!(wrong.ends_with("1045"), "{wrong}");
        }
    }
}

#[tokio::test]
async fn a_session_changes_its_user_by_any_plugin() {
    let server = Node::start(1).await;
    let folder = tempfile::tempdir().unwrap();
    let accounts = account("shop", &sha2_hash()) + &account("root", "password = ''");
    let front = with_file(&[&server], folder.path(), &accounts);
    let (mut raw, told) = Raw::log_in(front.port(), "shop", "secret", Sha2).await;
    assert_eq!(told, "full ok");
    for (name, password, plugin, expected) in [
        ("root", "", Native, "mysql_native_password ok"),
        ("shop", "secret", Sha2, "caching_sha2_password fast ok"),
        ("shop", "secret", Ed25519, "client_ed25519 ok"),
        ("root", "", Plugin::Sha2, "caching_sha2_password ok"),
    ] {
        assert_eq!(raw.change_user(name, password, plugin, 45).await, expected, "{name} {plugin:?}");
        let user = raw.row("SELECT CURRENT_USER()").await;
        assert!(user.contains(&format!("{name}@")), "{name} {plugin:?}: {user}");
    }
    // The number of a collation that does not fit one byte.
    raw.change_user("shop", "secret", Native, 2304).await;
    let collations = raw.row("SELECT @@collation_connection, @@character_set_client").await;
    assert!(collations.contains("uca1400"), "{collations}");
    let refused = raw.change_user("shop", "wrong", Native, 45).await;
    assert!(refused.ends_with("1045"), "{refused}");
}

#[tokio::test]
async fn drivers_log_in_and_change_users() {
    let server = Node::start(1).await;
    let folder = tempfile::tempdir().unwrap();
    let accounts = account("shop", &sha2_hash()) + &account("root", "password = ''");
    let front = with_file(&[&server], folder.path(), &accounts);
    let mut conn = Conn::new(front.shop()).await.unwrap();
    let other = ChangeUserOpts::new().with_user(Some("root".into())).with_pass(Some("".into()));
    conn.change_user(other.clone()).await.unwrap();
    let user: Option<String> = conn.query_first("SELECT CURRENT_USER()").await.unwrap();
    assert!(user.unwrap().starts_with("root@"));
    assert_eq!(code(conn.change_user(other.with_pass(Some("wrong".into()))).await), 1045);
    assert_eq!(code(Conn::new(opts(front.port(), "shop", "wrong")).await), 1045);
}

#[tokio::test]
async fn the_file_is_read_again_and_sessions_stay() {
    let server = Node::start(1).await;
    let folder = tempfile::tempdir().unwrap();
    let front = with_file(&[&server], folder.path(), &account("shop", NATIVE));
    let config = Config { auth: front.plane.accounts.settings.clone(), ..config(&[]) };
    tokio::spawn(accounts::watch::run(front.plane.accounts.clone(), config.into()));
    let mut stays = Conn::new(front.shop()).await.unwrap();
    let rewrite = |text: &str| std::fs::write(folder.path().join("accounts.toml"), text).unwrap();
    let empty = || opts(front.port(), "root", "");
    assert_eq!(code(Conn::new(empty()).await), 1045);
    rewrite(&account("root", "password = ''"));
    eventually("root is let in", async || Conn::new(empty()).await.ok()).await;
    assert_eq!(code(Conn::new(front.shop()).await), 1045, "shop is gone");
    stays.query_drop("SELECT 1").await.unwrap();
    rewrite("[[accounts]]\nname = 3");
    // Read, refused, and all is as it was.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    Conn::new(empty()).await.unwrap();
}

fn config(nodes: &[&Node]) -> Config {
    let root = || Account { name: "root".into(), password: String::new() };
    let node = |node: &&Node| NodeConfig {
        name: format!("n{}", node.port),
        address: node.address(),
        direct_address: None,
        weight: 1,
        candidate: false,
    };
    let mut config: Config = toml::from_str(
        "listen = '127.0.0.1:0'\noperator = { name = 'root', password = '' }\n\
         replication = { name = 'root', password = '' }\nnodes = []",
    )
    .unwrap();
    config.operator = root();
    config.nodes = nodes.iter().map(node).collect();
    config
}

#[tokio::test]
async fn accounts_of_the_nodes_just_work() {
    let server = Node::start(1).await;
    let mut root = server.root().await;
    let front = Front::start_with(&[&server], |config| {
        config.accounts.clear();
        config.auth.from_nodes = true;
    });
    let config = Config { auth: front.plane.accounts.settings.clone(), ..config(&[&server]) };
    tokio::spawn(accounts::watch::run(front.plane.accounts.clone(), config.into()));
    let mut shop = Conn::new(front.shop()).await.unwrap();
    shop.query_drop("CREATE TABLE t (a INT)").await.unwrap();
    // Made after the tables were read: the failing login has them read again.
    root.query_drop("CREATE USER late@'%' IDENTIFIED BY 'later'").await.unwrap();
    root.query_drop("CREATE USER far@'10.1.%' IDENTIFIED BY 'far'").await.unwrap();
    root.query_drop("CREATE USER locked@'%' IDENTIFIED BY 'x' ACCOUNT LOCK").await.unwrap();
    root.query_drop("CREATE USER odd@'%' IDENTIFIED VIA unix_socket").await.unwrap();
    let mut late = Conn::new(opts(front.port(), "late", "later")).await.unwrap();
    late.query_drop("DO 1").await.unwrap();
    root.query_drop("ALTER USER late@'%' IDENTIFIED BY 'newer'").await.unwrap();
    Conn::new(opts(front.port(), "late", "newer")).await.unwrap();
    for (name, password, expected) in
        [("late", "later", 1045), ("far", "far", 1045), ("locked", "x", 1045), ("odd", "", 1524)]
    {
        assert_eq!(code(Conn::new(opts(front.port(), name, password)).await), expected, "{name}");
    }
}

#[tokio::test]
async fn a_node_may_want_any_plugin() {
    let server = Node::start(1).await;
    let folder = tempfile::tempdir().unwrap();
    // The inner balancer stands for a server that knows its users by caching_sha2_password alone.
    let inner = with_file(&[&server], folder.path(), &account("shop", &sha2_hash()));
    let outer = Front::start_with(&[&server], |_| {});
    outer.publish(|view| view.nodes[0].address = inner.plane.address);
    let mut conn = Conn::new(outer.shop()).await.expect("by the public key");
    conn.query_drop("CREATE TABLE t (a INT)").await.unwrap();
    let user: Option<String> = conn.query_first("SELECT CURRENT_USER()").await.unwrap();
    assert_eq!(user.as_deref(), Some("shop@%"));
    drop(conn);
    // MariaDB's own, and what cannot be proved is said.
    let mut root = server.root().await;
    let _ = root.query_drop("INSTALL SONAME 'auth_ed25519'").await;
    root.query_drop("ALTER USER shop@'%' IDENTIFIED VIA ed25519 USING PASSWORD('secret')").await.unwrap();
    let clear = Front::start(&[&server]);
    Conn::new(clear.shop()).await.expect("by a signature");
    let folder = tempfile::tempdir().unwrap();
    let hashed = with_file(&[&server], folder.path(), &account("shop", NATIVE));
    match Conn::new(hashed.shop()).await {
        Err(mysql_async::Error::Server(error)) => {
            assert!(error.code == 1105 && error.message.contains("client_ed25519"), "{error}");
        }
        other => panic!("{:?}", other.map(|_| "a connection")),
    }
}
