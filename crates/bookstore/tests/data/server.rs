//! Servers for these tests: lone nodes that end with the test process, however it ends.

use cluster::{Cache, ClusterSpec, FindOptions, LocalCluster, Template, program};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};
use tokio::sync::OnceCell;

/// A server under way.
pub struct Server(LocalCluster);

impl Server {
    /// The one that most tests share; each uses a database of its own.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Server> = OnceCell::const_new();
        SHARED.get_or_init(|| Self::start(&[])).await
    }

    /// One with other options, lines of its `my.cnf`.
    pub async fn start(options: &[&str]) -> Self {
        let cache = Cache::from_environment(|name| std::env::var_os(name));
        let explicit = std::env::var_os("TPCW_SERVER_BINARY").map(Into::into);
        let find = FindOptions { explicit, offline: false, cache: &cache };
        let program = program::find(find, |_| ()).await.expect("a server is found");
        let source = Template::empty(&program, &cache).await.expect("an empty data folder");
        let server_options = options.iter().map(|&line| line.to_owned()).collect();
        let spec = ClusterSpec { replicas: 0, candidates: 0, server_options, ..ClusterSpec::default() };
        Self(LocalCluster::start(&program, spec, source).await.expect("a server starts"))
    }

    /// Options that log in with all rights and use a database.
    pub fn opts(&self, database: &str) -> Opts {
        let (node, operator) = (&self.0.nodes()[0], &self.0.accounts().operator);
        OptsBuilder::default()
            .ip_or_hostname(node.server.ip().to_string())
            .tcp_port(node.server.port())
            .user(Some(&operator.user))
            .pass(Some(operator.password.expose()))
            .db_name(Some(database))
            .prefer_socket(false)
            .into()
    }

    /// A connection to a database.
    pub async fn connect(&self, database: &str) -> Conn {
        Conn::new(self.opts(database)).await.expect("a connection")
    }

    /// Runs statements without using a database.
    pub async fn run(&self, sql: &str) {
        self.connect("mysql").await.query_drop(sql).await.expect(sql);
    }
}
