//! Whole runs on real nodes: what they leave, and that they leave nothing behind.

mod common;

use std::path::Path;
use std::process::{Child, Command};

use common::{Place, alive, children, eventually, said, summary};

/// Some seconds of everything, on a small shop.
const SHORT: &str = "
description = 'short'
population = 1
[load]
mix = 'ordering'
sessions = 8
think_time = '50ms'
[[load.phase]]
name = 'measure'
kind = 'measure'
seconds = 12
[balancer.elastic]
automatic = false
[thresholds]
sessions_ended_early_max = 0
stale_reads_max = 0
";

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill");
    assert!(status.success());
}

fn nodes_of(run: &Child) -> Vec<u32> {
    let mut nodes = Vec::new();
    eventually("the nodes are up and the load has begun", || {
        nodes = children(run.id());
        nodes.len() == 4
    });
    nodes
}

/// A cluster that is kept up under a name of its own.
struct Kept<'a> {
    place: &'a Place,
    name: String,
}

impl<'a> Kept<'a> {
    fn named(place: &'a Place, name: &str) -> Self {
        Self { place, name: format!("{name}-{}", std::process::id()) }
    }

    /// Exit code and everything said by one of the cluster commands.
    fn ask(&self, words: &[&str]) -> (Option<i32>, String) {
        said(&self.place.run(&[&["cluster", "--name", &self.name], words].concat()))
    }

    /// What one says that succeeds.
    fn done(&self, words: &[&str]) -> String {
        let (code, text) = self.ask(words);
        assert_eq!(code, Some(0), "{words:?}: {text}");
        text
    }

    /// Brings it up; the shop's address.
    fn up(&self, words: &[&str]) -> String {
        let said = self.done(&[&["up"], words].concat());
        let target = said.split_whitespace().find(|word| word.starts_with("mysql://"));
        target.expect("an address").to_owned()
    }

    /// Whether a node is said to be so.
    fn is(&self, node: &str, state: &str) -> bool {
        let status = self.done(&["status"]);
        status.lines().any(|line| line.trim_start().starts_with(node) && line.contains(state))
    }
}

fn load_has_begun(folder: &Path) -> bool {
    std::fs::read_to_string(folder.join("seconds.csv")).is_ok_and(|text| text.lines().count() > 3)
}

fn assert_sound(summary: &serde_json::Value) {
    let audit = &summary["audit"];
    for figure in ["lost", "duplicated", "replicas_diverged", "conditions_failed", "stale_reads"] {
        assert_eq!(audit[figure], 0, "{figure}: {summary:#}");
    }
    assert!(audit["acknowledged_orders"].as_u64() > Some(5), "{summary:#}");
    assert_eq!(summary["verdict"], "pass", "{summary:#}");
}

#[test]
fn a_run_leaves_every_file_of_the_contract_and_a_second_one_beside_it_too() {
    let places = [Place::new(), Place::new()];
    let mut runs: Vec<Child> = places
        .iter()
        .map(|place| {
            place.write("short.toml", SHORT);
            place.start(&["run", "short.toml"])
        })
        .collect();
    for (place, run) in places.iter().zip(&mut runs) {
        let code = run.wait().expect("it ends").code();
        assert_eq!(code, Some(0), "{}", place.output());
        let folder = place.path().join("reports/short/latest");
        for file in [
            "manifest.json",
            "summary.json",
            "seconds.csv",
            "interactions.csv",
            "nodes.csv",
            "events.csv",
            "histograms.hlog",
            "report.html",
            "throughput.svg",
            "throughput.png",
        ] {
            assert!(std::fs::metadata(folder.join(file)).is_ok_and(|meta| meta.len() > 0), "{file}");
        }
        let summary = summary(&folder);
        assert_sound(&summary);
        let nodes = &summary["nodes"];
        assert!(nodes["n1"]["writes"].as_u64() > Some(0), "{nodes}");
        for replica in ["n2", "n3"] {
            assert!(nodes[replica]["reads"].as_u64() > Some(0), "reads reach {replica}: {nodes}");
            assert_eq!(nodes[replica]["writes"], 0, "writes reach the primary alone: {nodes}");
        }
        let manifest = std::fs::read_to_string(folder.join("manifest.json")).expect("manifest");
        assert!(!manifest.contains("mysql://"), "no password is written");
    }
}

#[test]
fn no_order_is_lost_when_a_replica_and_the_primary_are_killed() {
    let place = Place::new();
    let events =
        [(2, "kill", "replica"), (5, "restart", "last"), (7, "kill", "primary"), (10, "restart", "last")];
    let events = events.map(|(at, action, node)| {
        format!("[[load.event]]\nat = {at}\naction = '{action}'\nnode = '{node}'\n")
    });
    let text = SHORT
        .replace("seconds = 12", "seconds = 16")
        .replace("[balancer.elastic]", &format!("{}[balancer.elastic]", events.concat()));
    place.write("kills.toml", &text);
    let (code, text) = said(&place.run(&["run", "kills.toml", "--out", "out"]));
    assert_eq!(code, Some(0), "{text}");
    let summary = summary(&place.path().join("out"));
    assert_sound(&summary);
    let events = std::fs::read_to_string(place.path().join("out/events.csv")).expect("events");
    for kind in ["fault_injected", "node_down", "promoted", "fault_healed", "rejoined"] {
        assert!(events.contains(kind), "{kind} is missing: {events}");
    }
}

#[test]
fn after_kill_9_no_node_is_left_and_the_next_run_is_not_disturbed() {
    let place = Place::new();
    place.write("short.toml", SHORT);
    let mut run = place.start(&["run", "short.toml", "--out", "first"]);
    let nodes = nodes_of(&run);
    eventually("the load has begun", || load_has_begun(&place.path().join("first")));
    signal(&run, "-KILL");
    run.wait().expect("it ends");
    eventually("every node has died with it", || !nodes.iter().any(|pid| alive(*pid)));
    let (code, text) = said(&place.run(&["run", "short.toml", "--out", "second", "--duration", "4s"]));
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn an_interrupted_run_cleans_up_and_still_writes_what_it_measured() {
    for name in ["-INT", "-TERM"] {
        let place = Place::new();
        place.write("short.toml", SHORT);
        let mut run = place.start(&["run", "short.toml", "--out", "out"]);
        let nodes = nodes_of(&run);
        eventually("the load has begun", || load_has_begun(&place.path().join("out")));
        signal(&run, name);
        assert_eq!(run.wait().expect("it ends").code(), Some(130), "{}", place.output());
        assert!(!nodes.iter().any(|pid| alive(*pid)), "{name}: a node is left");
        let summary = summary(&place.path().join("out"));
        assert!(summary["interactions"].as_u64() > Some(0), "{summary:#}");
        assert_eq!(summary["audit"]["lost"], 0, "{summary:#}");
    }
}

#[test]
fn a_kept_cluster_is_driven_by_hand() {
    let place = Place::new();
    let cluster = Kept::named(&place, "test");
    let target = cluster.up(&["smoke", "--population", "1"]);
    assert!(cluster.done(&["fail", "primary", "kill"]).contains("killed"));
    eventually("another node is the primary", || cluster.done(&["status"]).contains("promoted"));
    assert!(cluster.done(&["heal"]).contains("n1"));
    eventually("the killed node is back", || cluster.done(&["status"]).contains("rejoined"));
    cluster.done(&["scale-out"]);
    eventually("the candidate serves", || !cluster.done(&["status"]).contains("standby"));
    let (code, text) =
        said(&place.run(&["run", "smoke", "--target", &target, "--out", "out", "--duration", "3s"]));
    assert!(code == Some(0) || text.contains("interactions_min"), "{text}");
    assert_eq!(said(&place.run(&["check", "--target", &target])).0, Some(0));
    cluster.done(&["down"]);
    assert_eq!(cluster.ask(&["status"]).0, Some(3));
}

#[test]
fn after_kill_9_of_a_comparison_neither_side_is_left() {
    let place = Place::new();
    place.write("short.toml", SHORT);
    let mut compared = place.start(&["ab", "short.toml", "--self", "--side-by-side", "--out", "out"]);
    let mut sides = Vec::new();
    eventually("both clusters are up", || {
        let keepers = children(compared.id());
        let nodes: Vec<Vec<u32>> = keepers.iter().map(|keeper| children(*keeper)).collect();
        sides = [keepers, nodes.concat()].concat();
        nodes.len() == 2 && nodes.iter().all(|nodes| nodes.len() == 4)
    });
    signal(&compared, "-KILL");
    compared.wait().expect("it ends");
    eventually("keepers and nodes have ended with it", || !sides.iter().any(|pid| alive(*pid)));
}

#[test]
fn no_order_is_lost_when_the_balancer_is_killed_under_load() {
    let place = Place::new();
    let event = |at| format!("[[load.event]]\nat = {at}\naction = 'kill_balancer'\nheal_after = 0.5\n");
    let text = SHORT
        .replace("seconds = 12", "seconds = 14")
        .replace("[balancer.elastic]", &format!("{}{}[balancer.elastic]", event(3), event(8)));
    place.write("dies.toml", &text);
    let (code, text) = said(&place.run(&["run", "dies.toml", "--out", "out"]));
    assert_eq!(code, Some(0), "{text}");
    assert_sound(&summary(&place.path().join("out")));
    let events = std::fs::read_to_string(place.path().join("out/events.csv")).expect("events");
    for (words, times) in [("killed, with", 2), ("started anew in", 2), ("action_failed", 0), ("promoted", 0)]
    {
        assert_eq!(events.matches(words).count(), times, "{words}: {events}");
    }
}

#[test]
fn a_balancer_that_was_killed_knows_its_switches_again_and_finds_the_primary() {
    let place = Place::new();
    let cluster = Kept::named(&place, "dies");
    let target = cluster.up(&["smoke", "--population", "1"]);
    cluster.done(&["promote", "n3"]);
    cluster.done(&["disable", "n2"]);
    eventually("n2 is switched off", || cluster.is("n2", "disabled"));
    let (code, text) = cluster.ask(&["fail", "n1", "kill_balancer"]);
    assert!(code == Some(3) && text.contains("`balancer`"), "{text}");
    assert!(cluster.done(&["fail", "balancer", "kill_balancer"]).contains("killed"));
    assert_eq!(said(&place.run(&["check", "--target", &target])).0, Some(3), "nobody is there");
    assert!(cluster.done(&["status"]).contains("Connection refused"), "which is told");
    let (code, text) = cluster.ask(&["fail", "balancer", "kill_balancer"]);
    assert!(code == Some(3) && text.contains("dead already"), "{text}");
    assert!(cluster.done(&["heal"]).contains("started anew"));
    assert!(cluster.is("n3", "primary") && cluster.is("n2", "disabled"), "{}", cluster.done(&["status"]));
    assert_eq!(said(&place.run(&["check", "--target", &target])).0, Some(0), "at the same address");
    cluster.done(&["enable", "n2"]);
    eventually("n2 serves again", || cluster.is("n2", "serving"));
    // Whoever goes down while it is dead leaves nothing behind either.
    cluster.done(&["fail", "balancer", "kill_balancer"]);
    cluster.done(&["down"]);
}

#[test]
fn a_network_is_broken_by_hand_and_a_node_copied_where_no_candidate_is_left() {
    let place = Place::new();
    place.write("grow.toml", &format!("{SHORT}[cluster]\nreplicas = 2\ncandidates = 0\nreserves = 1\n"));
    let cluster = Kept::named(&place, "grow");
    cluster.up(&["grow.toml"]);
    assert!(
        cluster.done(&["fail", "n2", "partition", "balancer", "out"]).contains("cut off from the balancer")
    );
    eventually("n2 is taken out", || cluster.is("n2", "down"));
    assert!(cluster.done(&["heal", "n2"]).contains("its network is well again"));
    eventually("n2 serves again", || cluster.is("n2", "serving"));
    let (code, text) = cluster.ask(&["fail", "n2", "delay", "soon"]);
    assert!(code == Some(2) && text.contains("a number with a unit"), "{text}");

    assert!(cluster.is("n4", "down"), "a place that is kept");
    cluster.done(&["scale-out"]);
    eventually("a fourth node serves", || cluster.is("n4", "serving"));
    let (code, text) = cluster.ask(&["scale-out"]);
    assert!(code == Some(3) && text.contains("no candidate"), "no place is left: {text}");
    cluster.done(&["down"]);
}
