//! Every limit, just kept and just broken.

use super::*;
use crate::summary::{AuditSummary, InteractionSummary, Scaling, SessionLengths, ThinkTimes};

fn event(kind: &str) -> EventSummary {
    EventSummary { kind: kind.to_owned(), ..EventSummary::default() }
}

/// A run with a figure for every limit.
fn run() -> Summary {
    let mut run =
        Summary { interactions: 990, errors: 10, wips: 50.0, mix_p: Some(0.3), ..Summary::default() };
    (run.latency_ms.p50, run.latency_ms.p90, run.latency_ms.p99) = (20.0, 100.0, 400.0);
    (run.statements.reads, run.statements.read_mean_ms) = (5, 12.0);
    run.sessions_ended_early = Some(1);
    let test = |p| Test { p: Some(p), ..Test::default() };
    run.compliance.transitions = Some(test(0.4));
    run.compliance.think_time =
        Some(ThinkTimes { slept: test(0.2), drawn: test(0.5), ..ThinkTimes::default() });
    run.compliance.session_length = Some(SessionLengths { planned: test(0.6), ..SessionLengths::default() });
    run.by_interaction
        .insert("home".to_owned(), InteractionSummary { within_limit: true, ..Default::default() });
    let mut fault = event("fault_injected");
    fault.followed_s = Some(30.0);
    (fault.unavailable_ms, fault.writable_ms, fault.dip_pct) = (Some(700.0), Some(900.0), Some(50.0));
    (fault.recovered_90_ms, fault.interactions_lost) = (Some(800.0), Some(65.0));
    run.events = vec![event("scale_out_done"), event("scale_in_done"), event("promoted"), fault];
    run.audit = Some(AuditSummary {
        lost: 1,
        duplicated: 2,
        phantom: 3,
        conditions_failed: 4,
        replicas_diverged: 5,
        stale_reads: 6,
        unreachable: vec!["n3".to_owned()],
        ..AuditSummary::default()
    });
    run
}

fn of(text: &str) -> Thresholds {
    toml::from_str(text).expect("a table of limits")
}

fn result(text: &str, run: &Summary) -> ThresholdResult {
    let name = text.split(' ').next().expect("a key");
    of(text).evaluate(run).into_iter().find(|r| r.name == name).expect("evaluated")
}

#[test]
fn limits_hold_at_their_value_and_not_beyond() {
    let run = run();
    for (kept, broken) in [
        ("interactions_min = 990", "interactions_min = 991"),
        ("wips_min = 50.0", "wips_min = 50.1"),
        ("errors_max_pct = 1.0", "errors_max_pct = 0.9"),
        ("p50_ms_max = 20.0", "p50_ms_max = 19.9"),
        ("p90_ms_max = 100.0", "p90_ms_max = 99.9"),
        ("p99_ms_max = 400.0", "p99_ms_max = 399.9"),
        ("read_mean_ms_max = 12.0", "read_mean_ms_max = 11.9"),
        ("mix_p_min = 0.3", "mix_p_min = 0.31"),
        ("transitions_p_min = 0.4", "transitions_p_min = 0.41"),
        ("think_time_p_min = 0.2", "think_time_p_min = 0.21"),
        ("session_length_p_min = 0.6", "session_length_p_min = 0.61"),
        ("sessions_ended_early_max = 1", "sessions_ended_early_max = 0"),
        ("scale_outs_min = 1", "scale_outs_min = 2"),
        ("scale_ins_min = 1", "scale_ins_min = 2"),
        ("promotions_min = 1", "promotions_min = 2"),
        ("faults_min = 1", "faults_min = 2"),
        ("unavailable_ms_max = 700.0", "unavailable_ms_max = 699.0"),
        ("writable_ms_max = 900.0", "writable_ms_max = 899.0"),
        ("recovered_90_ms_max = 800.0", "recovered_90_ms_max = 799.0"),
        ("interactions_lost_max = 65.0", "interactions_lost_max = 64.0"),
        ("lost_orders_max = 1", "lost_orders_max = 0"),
        ("duplicated_orders_max = 2", "duplicated_orders_max = 1"),
        ("phantom_orders_max = 3", "phantom_orders_max = 2"),
        ("conditions_failed_max = 4", "conditions_failed_max = 3"),
        ("replicas_diverged_max = 5", "replicas_diverged_max = 4"),
        ("stale_reads_max = 6", "stale_reads_max = 5"),
        ("unreachable_nodes_max = 1", "unreachable_nodes_max = 0"),
    ] {
        assert!(result(kept, &run).held, "{kept}");
        assert!(!result(broken, &run).held, "{broken}");
    }
}

#[test]
fn interactions_beyond_their_limits_are_counted() {
    let mut run = run();
    assert!(result("within_limits = true", &run).held);
    run.by_interaction.insert("best_sellers".to_owned(), InteractionSummary::default());
    let found = result("within_limits = true", &run);
    assert_eq!((found.held, found.value), (false, Some(1.0)));
    assert!(!of("within_limits = false").evaluate(&run).iter().any(|r| r.name == "within_limits"));
}

#[test]
fn the_audit_allows_nothing_unless_told() {
    let names = |run: &Summary| -> Vec<String> {
        let results = Thresholds::default().evaluate(run);
        results.into_iter().filter(|r| !r.held).map(|r| r.name).collect()
    };
    assert_eq!(
        names(&run()),
        [
            "lost_orders_max",
            "duplicated_orders_max",
            "phantom_orders_max",
            "conditions_failed_max",
            "replicas_diverged_max",
            "unreachable_nodes_max"
        ]
    );
    let clean = Summary { audit: Some(AuditSummary::default()), ..Summary::default() };
    assert_eq!(names(&clean), [""; 0]);
    assert_eq!(Thresholds::default().evaluate(&clean).len(), 6);
}

#[test]
fn what_is_unknown_keeps_no_limit() {
    let nothing = Summary::default();
    for text in [
        "lost_orders_max = 0",
        "stale_reads_max = 0",
        "mix_p_min = 0.0",
        "sessions_ended_early_max = 9",
        "p99_ms_max = 9e9",
        "within_limits = true",
        "unavailable_ms_max = 9e9",
    ] {
        let found = result(text, &nothing);
        assert_eq!((found.held, found.value), (false, None), "{text}");
    }
}

#[test]
fn an_event_without_recovery_keeps_no_limit() {
    let mut run = run();
    run.events[3].recovered_90_ms = None;
    assert_eq!(result("recovered_90_ms_max = 9e9", &run).value, None);
}

#[test]
fn misspelt_keys_and_senseless_values_are_refused() {
    let error = toml::from_str::<Thresholds>("p90_ms_maxx = 3").expect_err("unknown").to_string();
    assert!(error.contains("p90_ms_maxx") && error.contains("p90_ms_max"), "{error}");
    for text in [
        "errors_max_pct = 101.0",
        "mix_p_min = -0.1",
        "think_time_p_min = 1.1",
        "p90_ms_max = nan",
        "wips_min = -1.0",
    ] {
        let message = of(text).check().expect_err(text);
        assert!(
            message.contains(text.split(' ').next().expect("a key")) && message.contains("allowed"),
            "{message}"
        );
    }
    assert_eq!(of("errors_max_pct = 0.0").check(), Ok(()));
}

#[test]
fn the_scaling_rule_is_kept_only_where_it_could_be_judged() {
    let mut run = run();
    assert!(!result("within_scaling = true", &run).held, "unknown");
    run.compliance.scaling = Some(Scaling { within: true, ..Scaling::default() });
    assert!(result("within_scaling = true", &run).held);
    run.compliance.scaling = Some(Scaling::default());
    assert!(!result("within_scaling = true", &run).held);
    assert!(of("within_scaling = false").evaluate(&run).iter().all(|result| result.name != "within_scaling"));
}
