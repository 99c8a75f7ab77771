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
    let name = format!("test-{}", std::process::id());
    let cluster = |words: &[&str]| {
        let (code, text) = said(&place.run(&[&["cluster", "--name", &name], words].concat()));
        assert_eq!(code, Some(0), "{words:?}: {text}");
        text
    };
    let up = cluster(&["up", "smoke", "--population", "1"]);
    let target =
        up.split_whitespace().find(|word| word.starts_with("mysql://")).expect("an address").to_owned();
    assert!(cluster(&["fail", "primary", "kill"]).contains("killed"));
    eventually("another node is the primary", || cluster(&["status"]).contains("promoted"));
    assert!(cluster(&["heal"]).contains("n1"));
    eventually("the killed node is back", || cluster(&["status"]).contains("rejoined"));
    cluster(&["scale-out"]);
    eventually("the candidate serves", || !cluster(&["status"]).contains("standby"));
    let (code, text) =
        said(&place.run(&["run", "smoke", "--target", &target, "--out", "out", "--duration", "3s"]));
    assert!(code == Some(0) || text.contains("interactions_min"), "{text}");
    assert_eq!(said(&place.run(&["check", "--target", &target])).0, Some(0));
    cluster(&["down"]);
    assert_eq!(said(&place.run(&["cluster", "--name", &name, "status"])).0, Some(3));
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
    let name = format!("dies-{}", std::process::id());
    let ask = |words: &[&str]| said(&place.run(&[&["cluster", "--name", &name], words].concat()));
    let cluster = |words: &[&str]| {
        let (code, text) = ask(words);
        assert_eq!(code, Some(0), "{words:?}: {text}");
        text
    };
    let is = |node: &str, state: &str| {
        let status = cluster(&["status"]);
        status.lines().any(|line| line.trim_start().starts_with(node) && line.contains(state))
    };
    let up = cluster(&["up", "smoke", "--population", "1"]);
    let target =
        up.split_whitespace().find(|word| word.starts_with("mysql://")).expect("an address").to_owned();
    cluster(&["promote", "n3"]);
    cluster(&["disable", "n2"]);
    eventually("n2 is switched off", || is("n2", "disabled"));
    let (code, text) = ask(&["fail", "n1", "kill_balancer"]);
    assert!(code == Some(3) && text.contains("`balancer`"), "{text}");
    assert!(cluster(&["fail", "balancer", "kill_balancer"]).contains("killed"));
    assert_eq!(said(&place.run(&["check", "--target", &target])).0, Some(3), "nobody is there");
    assert!(cluster(&["status"]).contains("Connection refused"), "which is told");
    let (code, text) = ask(&["fail", "balancer", "kill_balancer"]);
    assert!(code == Some(3) && text.contains("dead already"), "{text}");
    assert!(cluster(&["heal"]).contains("started anew"));
    assert!(is("n3", "primary") && is("n2", "disabled"), "{}", cluster(&["status"]));
    assert_eq!(said(&place.run(&["check", "--target", &target])).0, Some(0), "at the same address");
    cluster(&["enable", "n2"]);
    eventually("n2 serves again", || is("n2", "serving"));
    // Whoever goes down while it is dead leaves nothing behind either.
    cluster(&["fail", "balancer", "kill_balancer"]);
    cluster(&["down"]);
}

#[test]
fn a_network_is_broken_by_hand_and_a_node_copied_where_no_candidate_is_left() {
    let place = Place::new();
    place.write("grow.toml", &format!("{SHORT}[cluster]\nreplicas = 2\ncandidates = 0\nreserves = 1\n"));
    let name = format!("grow-{}", std::process::id());
    let ask = |words: &[&str]| said(&place.run(&[&["cluster", "--name", &name], words].concat()));
    let cluster = |words: &[&str]| {
        let (code, text) = ask(words);
        assert_eq!(code, Some(0), "{words:?}: {text}");
        text
    };
    let is = |node: &str, state: &str| {
        let status = cluster(&["status"]);
        status.lines().any(|line| line.trim_start().starts_with(node) && line.contains(state))
    };
    cluster(&["up", "grow.toml"]);
    assert!(cluster(&["fail", "n2", "partition", "balancer", "out"]).contains("cut off from the balancer"));
    eventually("n2 is taken out", || is("n2", "down"));
    assert!(cluster(&["heal", "n2"]).contains("its network is well again"));
    eventually("n2 serves again", || is("n2", "serving"));
    let (code, text) = ask(&["fail", "n2", "delay", "soon"]);
    assert!(code == Some(2) && text.contains("a number with a unit"), "{text}");

    assert!(is("n4", "down"), "a place that is kept");
    cluster(&["scale-out"]);
    eventually("a fourth node serves", || is("n4", "serving"));
    let (code, text) = ask(&["scale-out"]);
    assert!(code == Some(3) && text.contains("no candidate"), "no place is left: {text}");
    cluster(&["down"]);
}
