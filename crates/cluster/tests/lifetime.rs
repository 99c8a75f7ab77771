//! Nothing outlives its owner, however the owner ends.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cluster::LocalCluster;
use tokio::time::{Instant, sleep};

/// The process that holds a cluster; killed with the test if that fails.
struct Holder {
    child: Child,
    folder: PathBuf,
    pids: Vec<u32>,
}

impl Holder {
    /// Runs this very program again for the one test that holds a cluster, and reads what it says.
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "hold_a_cluster", "--ignored", "--nocapture"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (mut folder, mut pids) = (PathBuf::new(), Vec::new());
        for line in output.lines().map(Result::unwrap) {
            // The test harness writes on the same lines.
            match line.split_once("held ").map(|(_, said)| said.split_once(' ').unwrap()) {
                Some(("folder", path)) => folder = PathBuf::from(path),
                Some(("pid", pid)) => pids.push(pid.parse().unwrap()),
                Some(_) => break,
                None => {}
            }
        }
        Self { child, folder, pids }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that another test kills"]
async fn hold_a_cluster() {
    let cluster = LocalCluster::for_tests(2).await.unwrap();
    cluster.pause(&"n2".into()).await.unwrap();
    println!("held folder {}", cluster.folder().display());
    cluster.nodes().iter().for_each(|node| println!("held pid {}", node.pid.unwrap()));
    println!("held and ready");
    sleep(Duration::from_secs(30)).await;
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a process lives; one that only waits to be reaped by a parent does not.
fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

#[tokio::test]
async fn killing_the_owner_leaves_no_process_and_the_next_start_removes_its_folder() {
    let mut holder = Holder::start();
    assert_eq!(holder.pids.len(), 2);
    assert!(holder.pids.iter().all(|pid| lives(*pid)) && holder.folder.is_dir());
    holder.child.kill().unwrap();
    let end = Instant::now() + Duration::from_secs(5);
    while holder.pids.iter().any(|pid| lives(*pid)) {
        assert!(Instant::now() < end, "a node has outlived its owner");
        sleep(Duration::from_millis(10)).await;
    }
    let next = LocalCluster::for_tests(1).await.unwrap();
    assert!(!holder.folder.exists());
    next.stop().await.unwrap();
}

#[tokio::test]
async fn a_dropped_cluster_leaves_no_process_and_no_file() {
    let cluster = LocalCluster::for_tests(2).await.unwrap();
    cluster.pause(&"n2".into()).await.unwrap();
    let (folder, nodes) = (cluster.folder().to_owned(), cluster.nodes());
    let pids: Vec<u32> = nodes.iter().filter_map(|node| node.pid).collect();
    assert!(pids.len() == 2 && pids.iter().all(|pid| lives(*pid)));
    drop(cluster);
    assert!(!pids.iter().any(|pid| lives(*pid)) && !folder.exists());
}
