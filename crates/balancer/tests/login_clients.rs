//! Logins of real clients: a Rust driver and the command line client, with and without TLS.

mod certificates;
mod nodes;
mod wire;

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use balancer::accounts;
use balancer::wire::auth::Plugin;
use balancer::wire::auth::crypt::Crypt;
use certificates::Papers;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use nodes::{Front, Node, eventually, opts};
use tokio::signal::unix::{SignalKind, signal};
use wire::Raw;

/// An account of which only the hash of `caching_sha2_password` is known, so that the password itself has to cross.
fn hashed(name: &str, password: &str) -> String {
    let hash = String::from_utf8(Crypt::of(password.as_bytes(), *b"abcdefghijklmnopqrst").write()).unwrap();
    format!("[[accounts]]\nname = '{name}'\ncaching_sha2 = '{hash}'\n")
}

/// A front with TLS that names `caching_sha2_password`, for accounts in a file.
fn front(nodes: &[&Node], papers: &Papers, accounts: &str) -> Front {
    let file = papers.folder.path().join("accounts.toml");
    std::fs::write(&file, accounts).unwrap();
    Front::start_with(nodes, |config| {
        config.tls = papers.tls();
        config.accounts.clear();
        config.auth.accounts_file = Some(file);
        config.auth.default_plugin = Plugin::Sha2;
    })
}

/// What the command line client says to `SELECT CURRENT_USER()`, or its complaint.
async fn command_line(port: u16, password: &str, arguments: &[&str]) -> String {
    let mut command = nodes::command_line_client();
    command
        .args([
            "--no-defaults",
            "--protocol=tcp",
            "--host=127.0.0.1",
            "--user=shop",
            "--batch",
            "--skip-column-names",
        ])
        .args([format!("--port={port}"), format!("--password={password}")])
        .args(arguments)
        .args(["--execute", "SELECT CURRENT_USER()"]);
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().expect("the client runs")).await.unwrap();
    let said = if status.success() { stdout } else { stderr };
    String::from_utf8_lossy(&said).trim().to_owned()
}

async fn current_user(options: impl Into<mysql_async::Opts>) -> Result<String, mysql_async::Error> {
    let mut conn = Conn::new(options).await?;
    Ok(conn.query_first("SELECT CURRENT_USER()").await?.expect("a row"))
}

fn code<T: std::fmt::Debug>(result: Result<T, mysql_async::Error>) -> u16 {
    match result {
        Err(mysql_async::Error::Server(error)) => error.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_password_crosses_under_the_key_or_within_tls() {
    let (server, papers) = (Node::start(1).await, Papers::new());
    // A front each: whoever has logged in once does so by its digest from then on.
    type Way = fn(OptsBuilder, &Papers) -> OptsBuilder;
    let ways: [(Way, &[&str]); 2] = [
        (|options, _| options, &["--skip-ssl"]),
        (|options, papers| options.ssl_opts(papers.trust()), &["--ssl"]),
    ];
    for (way, arguments) in ways {
        let fresh = || front(&[&server], &papers, &hashed("shop", "secret"));
        let driver = fresh();
        for _ in 0..2 {
            let told = current_user(way(driver.shop(), &papers)).await.unwrap();
            assert_eq!(told, "shop@%", "the long way, then the short one");
            let wrong = opts(driver.port(), "shop", "wrong");
            assert_eq!(code(current_user(way(wrong, &papers)).await), 1045);
        }
        let client = fresh();
        for plugin in ["--default-auth=caching_sha2_password", "--default-auth=mysql_native_password"] {
            let said = command_line(client.port(), "secret", &[arguments, &[plugin]].concat()).await;
            assert_eq!(said, "shop@%", "{arguments:?} {plugin}");
            let said = command_line(client.port(), "wrong", &[arguments, &[plugin]].concat()).await;
            assert!(said.contains("ERROR 1045 (28000)"), "{said}");
        }
    }
}

#[tokio::test]
async fn clear_text_is_taken_within_tls_alone() {
    let (server, papers) = (Node::start(1).await, Papers::new());
    let front = front(&[&server], &papers, &hashed("shop", "secret"));
    let clear = "--default-auth=mysql_clear_password";
    assert_eq!(command_line(front.port(), "secret", &["--ssl", clear]).await, "shop@%");
    let wrong = command_line(front.port(), "wrong", &["--ssl", clear]).await;
    assert!(wrong.contains("ERROR 1045 (28000)"), "{wrong}");
    // Without TLS a clear text that is right counts for nothing: another plugin's proof is asked for.
    let (mut raw, told) = Raw::log_in(front.port(), "shop", "secret", Plugin::Clear).await;
    assert!(told.starts_with("caching_sha2_password") && told.ends_with("ok"), "{told}");
    assert!(raw.row("SELECT CURRENT_USER()").await.contains("shop@%"));
    let mut stubborn = Raw::connect(front.port()).await;
    assert_eq!(stubborn.insist_on_clear("shop", "secret").await, "caching_sha2_password 1045");
}

/// Clients from before plugins prove by `mysql_native_password` under the scramble of the greeting, at first and again. A
/// server asks them for a proof under a fresh one; the balancer takes the one that they send.
#[tokio::test]
async fn clients_without_plugins_change_their_user_as_with_a_server() {
    let server = Node::start(1).await;
    let front = Front::start(&[&server]);
    let mut told = Vec::new();
    for port in [server.port, front.port()] {
        let mut told_here = Vec::new();
        let mut raw = Raw::connect(port).await;
        told_here.push(raw.log_in_without_plugins("shop", "secret").await);
        for (name, password) in [("root", ""), ("shop", "secret"), ("root", ""), ("shop", "wrong")] {
            let changed = raw.change_user_without_plugins(name, password).await;
            let end = changed.rsplit(' ').next().unwrap();
            let user = if end == "ok" { raw.row("SELECT CURRENT_USER()").await } else { String::new() };
            assert!(end != "ok" || user.contains(&format!("{name}@")), "{user}");
            told_here.push(format!("{name} {password}: {end}"));
        }
        told.push(told_here);
    }
    assert_eq!(told[1], told[0]);
    assert_eq!(told[1], ["ok", "root : ok", "shop secret: ok", "root : ok", "shop wrong: 1045"]);
}

/// The file keeps its time stamp and its length, so that only the signal can have had it read.
#[tokio::test]
async fn a_hangup_signal_has_the_accounts_read_again() {
    // From here on the signal does not end the process, whatever the balancer makes of it.
    let _kept = signal(SignalKind::hangup()).unwrap();
    let (server, papers) = (Node::start(1).await, Papers::new());
    let front = front(&[&server], &papers, &hashed("shop", "secret"));
    let config = config_of(&front);
    tokio::spawn(accounts::watch::run(front.plane.accounts.clone(), config.into()));
    current_user(front.shop()).await.unwrap();
    // The first look is the watch's own.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let file = papers.folder.path().join("accounts.toml");
    rewrite_unnoticed(&file, &hashed("shop", "Secret"));
    tokio::time::sleep(Duration::from_millis(2500)).await;
    current_user(front.shop()).await.expect("nobody has looked at the file");
    assert!(Command::new("kill").args(["-HUP", &std::process::id().to_string()]).status().unwrap().success());
    let changed =
        async || current_user(opts(front.port(), "shop", "Secret")).await.is_err_and(is_of_the_node);
    eventually("the new password is the account's", changed).await;
    assert_eq!(code(current_user(front.shop()).await), 1045, "the old one is not");
}

/// The balancer lets the client in, and the node, which knows the old password, does not.
fn is_of_the_node(error: mysql_async::Error) -> bool {
    matches!(&error, mysql_async::Error::Server(error) if error.message.contains("n1"))
}

fn config_of(front: &Front) -> balancer::config::Config {
    let text = "listen = '127.0.0.1:0'\noperator = { name = 'root', password = '' }\n\
                replication = { name = 'root', password = '' }\nnodes = []";
    let config: balancer::config::Config = toml::from_str(text).unwrap();
    balancer::config::Config { auth: front.plane.accounts.settings.clone(), ..config }
}

fn rewrite_unnoticed(file: &Path, text: &str) {
    let before = std::fs::metadata(file).unwrap();
    std::fs::write(file, text).unwrap();
    std::fs::File::options()
        .append(true)
        .open(file)
        .unwrap()
        .set_modified(before.modified().unwrap())
        .unwrap();
    let after = std::fs::metadata(file).unwrap();
    assert_eq!((after.len(), after.modified().unwrap()), (before.len(), before.modified().unwrap()));
}
