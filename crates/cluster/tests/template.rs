//! Templates: made once, found again, never half.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use cluster::{
    Admin, Cache, ClusterSpec, Error, FindOptions, LocalCluster, LoneServer, ServerProgram, Template,
};

const LIMIT: Duration = Duration::from_secs(10);

async fn program(cache: &Cache) -> ServerProgram {
    let explicit = std::env::var_os("TPCW_SERVER_BINARY").map(PathBuf::from);
    cluster::program::find(FindOptions { explicit, offline: true, cache }, |_| {}).await.unwrap()
}

async fn fill(lone: LoneServer) -> Result<(), cluster::AdminError> {
    let mut admin = Admin::connect(lone.address, &lone.operator, LIMIT).await?;
    admin.run("CREATE TABLE tpcw.item (i_id INT PRIMARY KEY, i_title VARCHAR(60))").await?;
    admin.run("INSERT INTO tpcw.item SELECT seq, MD5(seq) FROM tpcw.seq_1_to_1000").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filled_template_is_made_once_and_its_nodes_have_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path());
    let program = program(&cache).await;
    let made = Template::populated(&program, &cache, "items-1000", "tpcw", fill).await.unwrap();
    assert!(made.made_now);
    let again = |_: LoneServer| async { Err(io::Error::other("filled a second time")) };
    let found = Template::populated(&program, &cache, "items-1000", "tpcw", again).await.unwrap();
    assert!(!found.made_now && found.path() == made.path());

    let spec = ClusterSpec { replicas: 1, candidates: 1, ..ClusterSpec::default() };
    let cluster = LocalCluster::start(&program, spec, found).await.unwrap();
    for node in cluster.nodes() {
        let mut shop = Admin::connect(node.address, &cluster.accounts().shop, LIMIT).await.unwrap();
        let rows: Option<u32> = shop.first("SELECT COUNT(*) FROM tpcw.item").await.unwrap();
        assert_eq!(rows, Some(1000), "{}", node.id);
        // Whoever loaded the template has no account here.
        let mut operator = cluster.admin(&node.id, LIMIT).await.unwrap();
        let users: Vec<String> = operator.rows("SELECT user FROM mysql.user ORDER BY user").await.unwrap();
        assert_eq!(users, ["mariadb.sys", "operator", "replication", "shop"]);
    }
    cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_or_abandoned_filling_leaves_no_template() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path());
    let program = program(&cache).await;
    let broken = |_: LoneServer| async { Err(io::Error::other("the disk is full")) };
    let error = Template::populated(&program, &cache, "k", "tpcw", broken).await.unwrap_err();
    assert!(matches!(&error, Error::Fill(_)) && error.to_string().contains("the disk is full"), "{error}");
    // Given up in the middle, as by Ctrl-C.
    let endless = |_: LoneServer| std::future::pending::<Result<(), io::Error>>();
    let attempt = Template::populated(&program, &cache, "k", "tpcw", endless);
    let ended = tokio::time::timeout(Duration::from_secs(2), attempt).await;
    assert!(ended.is_err(), "{ended:?}");
    assert!(Template::populated(&program, &cache, "k", "tpcw", fill).await.unwrap().made_now);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_want_the_same_template_make_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path());
    let program = program(&cache).await;
    let (one, two) = tokio::join!(
        Template::populated(&program, &cache, "k", "tpcw", fill),
        Template::populated(&program, &cache, "k", "tpcw", fill),
    );
    assert!(one.unwrap().made_now != two.unwrap().made_now);
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let program = program(&Cache::at(folder.path())).await;
    // A file where a folder is wanted stops even the superuser.
    let blocked = folder.path().join("blocked");
    std::fs::write(&blocked, "").unwrap();
    let error = Template::empty(&program, &Cache::at(&blocked)).await.unwrap_err();
    assert!(error.to_string().contains("blocked"), "{error}");
}
