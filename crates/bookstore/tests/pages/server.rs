//! One server for all tests of this file, a database of its own for each test.

use std::time::Duration;

use bookstore::load::{LoadOptions, load};
use bookstore::plain::Plain;
use bookstore::store::StoreError;
use bookstore::{Page, Request, Scale, Shop, check, serve};
use cluster::LocalCluster;
use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, Opts, OptsBuilder};
use tokio::sync::OnceCell;

/// What most tests need.
pub const SCALE: Scale = Scale { items: 1000, browsers: 1 };

/// Enough orders for the 3,333 newest to be a choice.
const MANY_ORDERS: Scale = Scale { items: 1000, browsers: 2 };

const SEED: u64 = 1972;

/// The options of a connection that may do everything, in `database`. The server ends with this process.
async fn opts(database: &str) -> Opts {
    static SERVER: OnceCell<LocalCluster> = OnceCell::const_new();
    let cluster = SERVER
        .get_or_init(|| async { LocalCluster::for_tests(1).await.expect("a server is found and starts") })
        .await;
    let (node, operator) = (&cluster.nodes()[0], &cluster.accounts().operator);
    OptsBuilder::default()
        .ip_or_hostname(node.server.ip().to_string())
        .tcp_port(node.server.port())
        .user(Some(&operator.user))
        .pass(Some(operator.password.expose()))
        .db_name(Some(database))
        .prefer_socket(false)
        .stmt_cache_size(128)
        .max_allowed_packet(Some(16 << 20))
        .wait_timeout(Some(28_800))
        .into()
}

/// A populated shop in a database of its own.
pub struct TestShop {
    pub shop: Shop,
    opts: Opts,
}

impl TestShop {
    /// Named after the test.
    pub async fn open(name: &str) -> Self {
        Self::of(name, SCALE).await
    }

    /// The same with more orders than best sellers look at.
    pub async fn with_many_orders(name: &str) -> Self {
        Self::of(name, MANY_ORDERS).await
    }

    /// One shop for all tests that change nothing another of them looks at.
    pub async fn shared() -> Self {
        static LOADED: OnceCell<()> = OnceCell::const_new();
        LOADED.get_or_init(|| async { drop(Self::open("shared").await) }).await;
        Self { shop: Shop::new(SCALE), opts: opts("shared").await }
    }

    async fn of(name: &str, scale: Scale) -> Self {
        let opts = opts(name).await;
        load(opts.clone(), LoadOptions::new(scale, SEED), |_| {}).await.expect("the shop is loaded");
        Self { shop: Shop::new(scale), opts }
    }

    /// Another connection of a visitor.
    pub async fn store(&self) -> Plain {
        Plain::new(self.conn().await, Duration::from_secs(60))
    }

    /// A connection for plain queries.
    pub async fn conn(&self) -> Conn {
        Conn::new(self.opts.clone()).await.expect("a connection")
    }

    /// Serves a page on a connection of its own.
    pub async fn serve(&self, request: &Request) -> Result<Page, StoreError> {
        serve(request, &mut self.store().await).await
    }

    /// Serves a page that must come back.
    pub async fn page(&self, request: &Request) -> Page {
        self.serve(request).await.unwrap_or_else(|error| panic!("{request:?}: {error}"))
    }

    /// The rows of a query.
    pub async fn query<T: FromRow + Send + 'static>(&self, sql: &str) -> Vec<T> {
        self.conn().await.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The only value of a query.
    pub async fn value<T: FromRow + Send + 'static>(&self, sql: &str) -> T {
        self.query(sql).await.pop().unwrap_or_else(|| panic!("no row: {sql}"))
    }

    /// Statements without an answer.
    pub async fn run(&self, sql: &str) {
        self.conn().await.query_drop(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Asserts that all conditions hold.
    pub async fn check(&self) {
        let conditions = check::conditions(&mut self.conn().await).await.expect("the data can be checked");
        let failed: Vec<_> = conditions.iter().filter(|condition| condition.failed()).collect();
        assert!(failed.is_empty(), "{failed:#?}");
    }
}
