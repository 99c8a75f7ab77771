//! Local clusters: several at once, paused nodes, taken ports, refused settings.

use std::path::PathBuf;
use std::time::Duration;

use cluster::replication::status;
use cluster::{
    Admin, Cache, Capacity, CapacityMode, ClusterSpec, Error, Fault, FindOptions, LocalCluster, Template,
    program,
};
use tokio::time::Instant;

const LIMIT: Duration = Duration::from_secs(10);

async fn with_spec(spec: ClusterSpec) -> Result<LocalCluster, Error> {
    let cache = Cache::from_environment(|name| std::env::var_os(name));
    let explicit = std::env::var_os("TPCW_SERVER_BINARY").map(Into::into);
    let program = program::find(FindOptions { explicit, offline: false, cache: &cache }, |_| {}).await?;
    let source = Template::empty(&program, &cache).await?;
    LocalCluster::start(&program, spec, source).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_clusters_at_once_share_nothing() {
    let (one, two) = tokio::join!(LocalCluster::for_tests(2), LocalCluster::for_tests(2));
    let (one, two) = (one.unwrap(), two.unwrap());
    let mut addresses: Vec<_> = one.nodes().into_iter().chain(two.nodes()).map(|node| node.server).collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 4);
    assert_ne!(one.folder(), two.folder());
    // The other cluster's operator is a stranger here.
    let stranger = Admin::connect(two.nodes()[0].address, &one.accounts().operator, LIMIT).await;
    assert!(stranger.is_err());
    one.stop().await.unwrap();
    // A server that starts clears its folder for temporary tables: nobody else's may be there.
    let mut folders = Vec::new();
    for node in two.nodes() {
        let mut admin = two.admin(&node.id, LIMIT).await.unwrap();
        let folder: String = admin.first("SELECT @@tmpdir").await.unwrap().unwrap();
        assert_eq!(node.data_dir.with_file_name("tmp").to_str(), Some(folder.as_str()));
        folders.push(folder);
    }
    assert_ne!(folders[0], folders[1]);
    let mut left = two.admin(&"n1".into(), LIMIT).await.unwrap();
    assert_eq!(status(&mut left).await.unwrap().semi_sync_master.clients, 1);
    two.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_node_is_silent_until_it_is_healed_and_a_killed_one_until_it_is_started() {
    let cluster = LocalCluster::for_tests(2).await.unwrap();
    let n2 = "n2".into();
    let short = Duration::from_millis(300);
    let mut before = cluster.admin(&n2, short).await.unwrap();
    cluster.fail(&n2, &Fault::Pause).await.unwrap();
    assert_eq!(cluster.node(&n2).unwrap().state, "paused");
    assert!(before.run("DO 1").await.is_err() && !before.is_usable());
    assert!(before.run("DO 1").await.is_err(), "a late answer would be taken for this one's");
    assert!(matches!(cluster.restart(&n2).await, Err(Error::WrongState { .. })));
    cluster.heal(&n2).await.unwrap();
    cluster.admin(&n2, LIMIT).await.unwrap().run("DO 1").await.unwrap();

    let address = cluster.node(&n2).unwrap().server;
    cluster.fail(&n2, &Fault::Kill).await.unwrap();
    assert!(matches!(cluster.kill(&n2).await, Err(Error::WrongState { .. })));
    let healed = cluster.heal_all().await.unwrap();
    assert_eq!(healed[0].1, "was well");
    let node = cluster.node(&n2).unwrap();
    assert_eq!((node.state, node.server), ("running", address));
    cluster.stop().await.unwrap();
    assert!(matches!(cluster.heal_all().await, Err(Error::Stopped)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primarys_passwords_are_in_no_file_and_in_no_process_list() {
    let cluster = LocalCluster::for_tests(1).await.unwrap();
    let node = &cluster.nodes()[0];
    let accounts = cluster.accounts();
    let command = std::fs::read_to_string(format!("/proc/{}/cmdline", node.pid.unwrap())).unwrap();
    let mut folders = vec![cluster.folder().to_owned()];
    let mut texts = vec![("command line".to_owned(), command)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if entry.path().is_file() {
                let bytes = std::fs::read(entry.path()).unwrap();
                texts
                    .push((entry.path().display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
    }
    assert!(texts.len() > 10);
    for (place, text) in texts {
        for account in [&accounts.operator, &accounts.replication, &accounts.shop] {
            assert!(!text.contains(account.password.expose()), "{place}");
        }
    }
    cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setting_that_the_server_refuses_is_told_in_its_own_words_and_leaves_nothing() {
    let spec = ClusterSpec {
        server_options: vec!["no-such-setting=1".to_owned()],
        replicas: 0,
        candidates: 0,
        ..ClusterSpec::default()
    };
    let error = with_spec(spec).await.unwrap_err();
    assert!(error.to_string().contains("no-such-setting"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_under_a_quota_gets_its_share_of_the_processor() {
    let share = 0.2;
    let capacity = Some(Capacity { processor_share: Some(share), ..Capacity::default() });
    let spec = ClusterSpec { replicas: 0, candidates: 0, capacity, ..ClusterSpec::default() };
    let cluster = match with_spec(spec).await {
        Ok(cluster) => cluster,
        Err(Error::Capacity(reason)) => return println!("not tried: {reason}"),
        Err(e) => panic!("{e}"),
    };
    assert!(cluster.applied_capacity().method.starts_with("quota_cgroup_"));
    let pid = cluster.nodes()[0].pid.unwrap();
    let mut admin = cluster.admin(&"n1".into(), LIMIT).await.unwrap();
    let (used, start) = (processor_time(pid), Instant::now());
    admin.run("DO BENCHMARK(1000000, MD5('x'))").await.unwrap();
    let got = (processor_time(pid) - used).as_secs_f64() / start.elapsed().as_secs_f64();
    println!("share {got:.3} of a core in {:?}", start.elapsed());
    assert!(got < share * 1.5, "{got} of a core instead of {share}");
    cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_behind_a_link_answers_as_many_statements_as_the_link_carries() {
    let capacity = Some(Capacity {
        statements_per_second: Some(100),
        delay_ms: 5.0,
        mode: CapacityMode::Link,
        ..Capacity::default()
    });
    let spec = ClusterSpec { replicas: 0, candidates: 0, capacity, ..ClusterSpec::default() };
    let cluster = with_spec(spec).await.unwrap();
    assert_eq!(cluster.applied_capacity().method, "link");
    let node = &cluster.nodes()[0];
    assert_ne!(node.address, node.server);
    let shop = &cluster.accounts().shop;
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(Admin::connect(node.address, shop, LIMIT).await.unwrap());
    }
    // Alone a statement takes one service time and the delay.
    let start = Instant::now();
    clients[0].run("DO 1").await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(15), "{:?}", start.elapsed());
    // Four at a time wait for each other: 4 x 10 statements at 100 a second.
    let start = Instant::now();
    let work = clients.into_iter().map(|mut client| async move {
        for _ in 0..10 {
            client.run("DO 1").await.unwrap();
        }
        client
    });
    let tasks: tokio::task::JoinSet<_> = work.collect();
    let mut clients = tasks.join_all().await;
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(400), "40 statements at 100 a second took {took:?}");
    println!("40 statements at 100 a second: {took:?}");
    // A link that goes takes its connections with it.
    drop(cluster);
    assert!(clients[0].run("DO 1").await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_cluster_leaves_no_processor_group() {
    let capacity = Some(Capacity { processor_share: Some(0.5), ..Capacity::default() });
    let spec = ClusterSpec { replicas: 0, candidates: 0, capacity, ..ClusterSpec::default() };
    let cluster = match with_spec(spec).await {
        Ok(cluster) => cluster,
        Err(Error::Capacity(reason)) => return println!("not tried: {reason}"),
        Err(e) => panic!("{e}"),
    };
    let noted = std::fs::read_to_string(cluster.folder().join("groups")).unwrap();
    let groups: Vec<PathBuf> = noted.lines().map(PathBuf::from).collect();
    assert!(groups.len() == 1 && groups[0].is_dir());
    cluster.stop().await.unwrap();
    assert!(!groups[0].exists());
}

/// User and system time of a process.
fn processor_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}
