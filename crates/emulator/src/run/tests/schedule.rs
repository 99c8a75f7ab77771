//! What the schedule asks of the control, and what the control tells.

use super::*;

/// A control that remembers what it was asked for, and when.
#[derive(Debug)]
struct Told {
    start: Instant,
    asked: Mutex<Vec<(u64, Action)>>,
}

impl Control for Told {
    fn ask(&self, action: Action) -> BoxFuture<'_, Result<Done, ControlError>> {
        self.asked.lock().expect("free").push((self.start.elapsed().as_secs(), action.clone()));
        Box::pin(async move {
            match action {
                Action::ScaleIn => Err(ControlError("two nodes are the least".into())),
                Action::Fault { node: NodeSelector::Primary, .. } => {
                    Ok(Done { node: "n1".into(), detail: "killed".into() })
                }
                Action::Fault { .. } => Ok(Done { node: "n2".into(), detail: "paused".into() }),
                Action::Heal { node: NodeSelector::Named(node) } => {
                    Ok(Done { node, detail: "mended".into() })
                }
                _ => Ok(Done::default()),
            }
        })
    }

    fn nodes(&self) -> BoxFuture<'_, Result<Vec<NodeReading>, ControlError>> {
        let reads = self.start.elapsed().as_secs() * 100;
        let node = |name: &str, state: &str| NodeReading {
            node: name.into(),
            role: "replica".into(),
            state: state.into(),
            reads,
            ..NodeReading::default()
        };
        let nodes = vec![node("n1", "serving"), node("n2", "serving"), node("n3", "down")];
        Box::pin(async { Ok(nodes) })
    }

    fn happenings(&self, after: u64) -> BoxFuture<'_, Result<Vec<Happening>, ControlError>> {
        let happening = |sequence, second| Happening {
            sequence,
            at: self.start + Duration::from_secs(second),
            kind: "promoted".into(),
            node: "n3".into(),
            cause: "probe".into(),
            detail: String::new(),
        };
        // One before the load, one in second 12.
        let mut all = vec![happening(1, 0)];
        if self.start.elapsed() > Duration::from_secs(12) {
            all.push(happening(2, 12));
        }
        all.retain(|happening| happening.sequence > after);
        Box::pin(async { Ok(all) })
    }
}

#[tokio::test(start_paused = true)]
async fn the_schedule_asks_at_its_seconds_and_mends_what_it_broke() {
    let mut load = workload(2, 100, 20);
    let event = |at: f64, action: &str, node: Option<&str>| {
        let node = node.map_or(String::new(), |node| format!("node = '{node}'"));
        toml::from_str(&format!("at = {at:?}\naction = '{action}'\n{node}")).expect("an event")
    };
    load.events = vec![
        event(9.0, "restart", None),
        event(3.0, "scale_out", None),
        event(6.0, "kill", Some("primary")),
        event(14.0, "pause", Some("replica")),
        event(17.5, "scale_in", None),
    ];
    let control = Arc::new(Told { start: Instant::now(), asked: Mutex::default() });
    let ran = ran_with(Fake::steady(MS), load, control.clone(), CancellationToken::new(), 1).await;
    let named = |node: &str| NodeSelector::Named(node.into());
    let expected = vec![
        (3, Action::ScaleOut),
        (6, Action::Fault { node: NodeSelector::Primary, fault: Fault::Kill }),
        (9, Action::Heal { node: named("n1") }),
        (14, Action::Fault { node: NodeSelector::Replica, fault: Fault::Pause }),
        (17, Action::ScaleIn),
        (20, Action::Heal { node: named("n2") }),
    ];
    assert_eq!(*control.asked.lock().expect("free"), expected);
    let told: Vec<_> = ran
        .events()
        .into_iter()
        .filter(|row| row.kind != EventKind::Phase)
        .map(|row| (row.second.floor(), row.kind, row.node, row.cause))
        .collect();
    let row = |second: f64, kind, node: &str, cause: &str| (second, kind, node.to_owned(), cause.to_owned());
    for expected in [
        row(6.0, EventKind::FaultInjected, "n1", "schedule"),
        row(9.0, EventKind::FaultHealed, "n1", "schedule"),
        row(12.0, EventKind::Promoted, "n3", "probe"),
        row(14.0, EventKind::FaultInjected, "n2", "schedule"),
        row(17.0, EventKind::ActionFailed, "", "schedule"),
        row(20.0, EventKind::FaultHealed, "n2", "end of run"),
    ] {
        assert!(told.contains(&expected), "{expected:?} in {told:?}");
    }
    assert_eq!(told.len(), 6, "what was known before the load is not told again: {told:?}");
    let mut nodes: Vec<NodeRow> = ran.rows();
    nodes.retain(|row| row.second < 20);
    assert_eq!(nodes.len(), 3 * 20);
    assert!(nodes.iter().all(|row| row.reads == 100), "counters became differences");
    assert!(ran.seconds().iter().all(|row| row.serving_nodes == 2));
}

#[tokio::test(start_paused = true)]
async fn a_fault_is_healed_on_the_node_it_struck_after_its_time() {
    let mut load = workload(2, 100, 20);
    let event = |text: &str| toml::from_str(text).expect("an event");
    load.events = vec![
        event("at = 3\naction = 'mute'\nnode = 'primary'\nheal_after = 6"),
        event("at = 5\naction = 'delay'\nwith = '20ms'\nnode = 'replica'\nheal_after = 1"),
        event("at = 15\naction = 'pause'\nnode = 'replica'\nheal_after = 60"),
    ];
    let control = Arc::new(Told { start: Instant::now(), asked: Mutex::default() });
    ran_with(Fake::steady(MS), load, control.clone(), CancellationToken::new(), 1).await;
    let heal = |node: &str| Action::Heal { node: NodeSelector::Named(node.into()) };
    let delay = Fault::Delay { by: Duration::from_millis(20), jitter: Duration::ZERO };
    let expected = vec![
        (3, Action::Fault { node: NodeSelector::Primary, fault: Fault::Mute }),
        (5, Action::Fault { node: NodeSelector::Replica, fault: delay }),
        (6, heal("n2")),
        (9, heal("n1")),
        (15, Action::Fault { node: NodeSelector::Replica, fault: Fault::Pause }),
        (20, heal("n2")),
    ];
    assert_eq!(*control.asked.lock().expect("free"), expected);
}
