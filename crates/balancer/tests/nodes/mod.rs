//! Real MariaDB processes for tests: own folders, free ports, ended by their process handle.

#![allow(dead_code, reason = "each test file uses a part")]

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use balancer::config::{Account, Config, Node as NodeConfig};
use balancer::dataplane::{self, DataPlane};
use balancer::telemetry::{Meter, Sighting};
use balancer::tls::Certificates;
use balancer::view::{ClusterView, NodeState, NodeView, Strategy, ViewCell};
use cluster::{Cache, FindOptions, NodeId, Role, ServerProgram, Template, client, find_server, plugins};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A server process.
pub struct Node {
    child: Child,
    folder: tempfile::TempDir,
    pub port: u16,
    number: u32,
    arguments: Vec<String>,
}

/// The programs that nodes are made of, and what belongs to them.
struct Programs {
    server: ServerProgram,
    plugins: PathBuf,
}

fn cache() -> Cache {
    Cache::from_environment(|name| std::env::var_os(name))
}

/// What `find` comes to, on a thread and a runtime of its own: those who ask first are in one already.
fn apart<T: Send>(find: impl Future<Output = T> + Send) -> T {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    std::thread::scope(|scope| scope.spawn(|| runtime().block_on(find)).join().unwrap())
}

/// Found, or fetched by whoever is first.
fn programs() -> &'static Programs {
    static PROGRAMS: OnceLock<Programs> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        apart(async {
            let cache = cache();
            let explicit = std::env::var_os("TPCW_SERVER_BINARY").map(PathBuf::from);
            let options = FindOptions { explicit, offline: false, cache: &cache };
            let server = find_server(options, |_| {}).await.expect("a server");
            let plugins = plugins(&server, &cache, "auth_ed25519.so", |_| {}).await.expect("its plugins");
            Programs { server, plugins }
        })
    })
}

/// The `mariadb` program.
pub fn command_line_client() -> Command {
    apart(async { client(&cache(), |_| {}).await }).expect("the command line client")
}

/// What root is on a fresh server: at home everywhere on this machine, without a password.
const ROOT: &str = "INSERT INTO mysql.global_priv VALUES \
    ('localhost', 'root', '{\"access\":18446744073709551615}'), \
    ('127.0.0.1', 'root', '{\"access\":18446744073709551615}');\n";

/// A fresh data folder, made once and kept in the build folder; whoever is first puts it in place whole.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let build = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let kept = build.join("mariadb-root");
        if kept.exists() {
            return kept;
        }
        let folder = tempfile::tempdir_in(build).unwrap();
        let data = folder.path().join("data");
        let server = &programs().server;
        let copied = apart(async {
            let template = Template::empty(server, &cache()).await.expect("a data folder");
            Command::new("cp").arg("-r").arg(template.path()).arg(&data).status().unwrap()
        });
        assert!(copied.success());
        let mut made = server
            .command()
            .args(["--no-defaults", "--bootstrap", "--user=root"])
            .args(["--innodb-log-file-size=8M", "--innodb-buffer-pool-size=16M"])
            .arg(format!("--lc-messages-dir={}", server.share_dir.display()))
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--tmpdir={}", folder.path().display()))
            .stdin(Stdio::piped())
            .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .expect("the server runs");
        made.stdin.take().unwrap().write_all(ROOT.as_bytes()).unwrap();
        let log = || std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        assert!(made.wait().unwrap().success(), "{}", log());
        let placed = std::fs::rename(&data, &kept);
        assert!(placed.is_ok() || kept.exists(), "{placed:?}");
        kept
    })
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Node {
    /// Starts server `number` and makes the accounts; `shop` has no SUPER.
    pub async fn start(number: u32) -> Self {
        Self::start_with(number, Vec::new()).await
    }

    /// As `start`, with further arguments for the server.
    pub async fn start_with(number: u32, arguments: Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let copied = Command::new("cp").arg("-r").arg(template()).arg(&data).status().unwrap();
        assert!(copied.success());
        let port = free_port();
        let child = spawn(folder.path(), port, number, &arguments);
        let node = Self { child, folder, port, number, arguments };
        let mut root = node.root().await;
        for sql in [
            "SET sql_log_bin = 0",
            "CREATE DATABASE tpcw",
            "CREATE USER shop@'%' IDENTIFIED BY 'secret'",
            "GRANT ALL ON tpcw.* TO shop@'%'",
            "CREATE USER repl@'%' IDENTIFIED BY 'repl'",
            "GRANT REPLICATION SLAVE ON *.* TO repl@'%'",
        ] {
            root.query_drop(sql).await.unwrap();
        }
        node
    }

    /// A connection as root, retried until the server is up.
    pub async fn root(&self) -> Conn {
        for _ in 0..600 {
            if let Ok(conn) = Conn::new(opts(self.port, "root", "")).await {
                return conn;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the server on port {} does not come up", self.port);
    }

    pub fn shop(&self) -> OptsBuilder {
        opts(self.port, "shop", "secret").db_name(Some("tpcw"))
    }

    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Follows another node from where both are.
    pub async fn follow(&self, primary: &Node) {
        let mut root = self.root().await;
        root.query_drop(format!(
            "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={}, MASTER_USER='repl', MASTER_PASSWORD='repl', MASTER_USE_GTID=slave_pos",
            primary.port
        ))
        .await
        .unwrap();
        root.query_drop("START SLAVE").await.unwrap();
        root.query_drop("SET GLOBAL read_only = 1").await.unwrap();
    }

    /// kill -9.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Stops or continues the process, as SIGSTOP and SIGCONT do.
    pub async fn pause(&self, paused: bool) {
        let signal = if paused { "-STOP" } else { "-CONT" };
        assert!(
            Command::new("kill").arg(signal).arg(self.child.id().to_string()).status().unwrap().success()
        );
        // The signal reaches one thread after the other.
        while paused != self.stands_still() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn stands_still(&self) -> bool {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        threads.flatten().all(|thread| {
            let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
        })
    }

    /// Starts it again where it was.
    pub async fn restart(&mut self) {
        self.child = spawn(self.folder.path(), self.port, self.number, &self.arguments);
        drop(self.root().await);
    }
}

fn spawn(folder: &Path, port: u16, number: u32, arguments: &[String]) -> Child {
    // Its own: a server that starts deletes what looks like a temporary table of its kind, whoever is using it.
    let temporary = folder.join("tmp");
    std::fs::create_dir_all(&temporary).unwrap();
    let Programs { server, plugins } = programs();
    server
        .command()
        .arg("--no-defaults")
        .arg(format!("--plugin-dir={}", plugins.display()))
        .arg(format!("--lc-messages-dir={}", server.share_dir.display()))
        .arg(format!("--character-sets-dir={}/charsets", server.share_dir.display()))
        .args(["--user=root", "--bind-address=127.0.0.1", "--skip-name-resolve"])
        .args(["--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M", "--performance-schema=OFF"])
        .args(["--log-bin=bin", "--gtid-strict-mode=ON", "--log-slave-updates=ON", "--local-infile=1"])
        .args(["--innodb-flush-log-at-trx-commit=2", "--sync-binlog=0", "--max-connections=400"])
        .arg(format!("--datadir={}", folder.join("data").display()))
        .arg(format!("--tmpdir={}", temporary.display()))
        .arg(format!("--socket={}", folder.join("socket").display()))
        .arg(format!("--pid-file={}", folder.join("pid").display()))
        .arg(format!("--port={port}"))
        .arg(format!("--server-id={number}"))
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(folder.join("log")).unwrap())
        .spawn()
        .expect("mariadbd runs")
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Options for a client: TCP always, no questions at connect.
pub fn opts(port: u16, user: &str, password: &str) -> OptsBuilder {
    OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port)
        .user(Some(user))
        .pass(Some(password))
        .prefer_socket(false)
        .stmt_cache_size(256)
        .max_allowed_packet(Some(16 << 20))
        .wait_timeout(Some(28_800))
}

/// A data plane in front of nodes; the first is the primary.
pub struct Front {
    pub plane: DataPlane,
    pub view: Arc<ViewCell>,
    pub certificates: Arc<Certificates>,
    pub sightings: mpsc::Receiver<(NodeId, Sighting)>,
    pub stop: CancellationToken,
}

impl Front {
    pub fn start(nodes: &[&Node]) -> Self {
        Self::start_with(nodes, |_| {})
    }

    pub fn start_with(nodes: &[&Node], change: impl FnOnce(&mut Config)) -> Self {
        let account = |name: &str, password: &str| Account { name: name.into(), password: password.into() };
        let mut config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            admin: None,
            workers: 2,
            strategy: Strategy::RoundRobin,
            consistency: Default::default(),
            causal: Default::default(),
            eventual: Default::default(),
            listeners: Vec::new(),
            slow_start_ms: 0,
            accounts: vec![account("shop", "secret"), account("root", "")],
            auth: Default::default(),
            operator: account("root", ""),
            replication: account("repl", "repl"),
            nodes: Vec::<NodeConfig>::new(),
            health: Default::default(),
            failover: Default::default(),
            elastic: Default::default(),
            pool: Default::default(),
            limits: Default::default(),
            tls: Default::default(),
            nodes_tls: Default::default(),
            compression: balancer::config::Compression::all(),
            state_file: None,
        };
        change(&mut config);
        let views = nodes.iter().enumerate().map(|(index, node)| NodeView {
            id: NodeId::new(format!("n{}", index + 1)),
            index,
            address: node.address(),
            role: if index == 0 { Role::Primary } else { Role::Replica },
            state: NodeState::Serving,
            weight: 1,
            epoch: 1,
            meter: Arc::new(Meter::default()),
        });
        let first = ClusterView { generation: 1, nodes: views.collect(), strategy: config.strategy };
        let view = Arc::new(ViewCell::new(first));
        let (sender, sightings) = mpsc::channel(64);
        let stop = CancellationToken::new();
        let certificates = Arc::new(Certificates::load(&config).unwrap());
        let plane =
            dataplane::start_with(Arc::new(config), certificates.clone(), view.clone(), sender, stop.clone());
        Self { plane: plane.unwrap(), view, certificates, sightings, stop }
    }

    /// Publishes a changed view.
    pub fn publish(&self, change: impl FnOnce(&mut ClusterView)) {
        let mut next = ClusterView::clone(&self.view.load());
        change(&mut next);
        self.view.publish(next);
    }

    pub fn port(&self) -> u16 {
        self.plane.address.port()
    }

    pub fn shop(&self) -> OptsBuilder {
        opts(self.port(), "shop", "secret").db_name(Some("tpcw"))
    }

    pub async fn client(&self) -> Conn {
        Conn::new(self.shop()).await.unwrap()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Waits until something is so, with patience from `TPCW_TEST_PATIENCE` (seconds, 60 unless set).
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let patience = std::env::var("TPCW_TEST_PATIENCE").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let waited = tokio::time::timeout(Duration::from_secs(patience), async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(waited.await.is_ok(), "never: {what}");
}
