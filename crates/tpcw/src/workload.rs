//! A workload: one complete experiment, as its file says (typed) and as it is run after flags and checks (resolved).

use std::path::Path;

use balancer::view::Strategy;
use bookstore::{Mix, Scale};
use emulator::control::{Action, Fault};
use emulator::load::Arrivals;
use emulator::schedule::Event;
use emulator::think::SPEC_THINK;
use emulator::workload::Workload as Load;
use report::thresholds::Thresholds;
use serde::{Deserialize, Serialize};

use crate::cli::{MixArg, RunArgs};
use crate::failure::{Failure, Outcome};
use crate::place;

/// The workloads that are built into the program, by name.
const BUILT_IN: [(&str, &str); 16] = [
    ("elastic", include_str!("../../../workloads/elastic.toml")),
    ("smoke", include_str!("../../../workloads/smoke.toml")),
    ("browsing", include_str!("../../../workloads/browsing.toml")),
    ("shopping", include_str!("../../../workloads/shopping.toml")),
    ("ordering", include_str!("../../../workloads/ordering.toml")),
    ("chaos", include_str!("../../../workloads/chaos.toml")),
    ("gate", include_str!("../../../workloads/gate.toml")),
    ("endurance", include_str!("../../../workloads/endurance.toml")),
    ("failover", include_str!("../../../workloads/failover.toml")),
    ("scale-out-in", include_str!("../../../workloads/scale-out-in.toml")),
    ("growth", include_str!("../../../workloads/growth.toml")),
    ("switchover", include_str!("../../../workloads/switchover.toml")),
    ("saturation", include_str!("../../../workloads/saturation.toml")),
    ("strategies", include_str!("../../../workloads/strategies.toml")),
    ("open", include_str!("../../../workloads/open.toml")),
    ("crowd", include_str!("../../../workloads/crowd.toml")),
];

/// The default one.
pub const DEFAULT: &str = "elastic";

/// A workload file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// One sentence for people.
    pub description: String,
    /// The seed that every random choice derives from.
    #[serde(default = "one")]
    pub seed: u64,
    /// Items in the shop.
    #[serde(default = "default_items")]
    pub items: u32,
    /// Emulated browsers that the data is sized for: 2,880 customers each.
    #[serde(default = "default_population")]
    pub population: u32,
    /// What browsers do, how many there are, and what happens meanwhile.
    pub load: Load,
    /// The local cluster; not used with `--target`.
    #[serde(default)]
    pub cluster: Cluster,
    /// The balancer in front of it; not used with `--target`.
    #[serde(default)]
    pub balancer: Balancer,
    /// What the run must keep.
    #[serde(default)]
    pub thresholds: Thresholds,
}

/// The local cluster of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cluster {
    /// Replicas that serve from the start, 0 to 16.
    pub replicas: u32,
    /// Candidates that follow and wait, 0 to 16.
    pub candidates: u32,
    /// Nodes that are not there yet, 0 to 16: when a node is wanted and no candidate stands by, one of them is copied from a
    /// serving replica.
    pub reserves: u32,
    /// A relay in front of each node, without which its network cannot be broken; left out: where the schedule asks for it, and
    /// for a cluster that is kept up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relays: Option<bool>,
    /// Each node asks before it writes, without which its disk cannot be made full; left out: where the schedule asks for it, and
    /// for a cluster that is kept up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watch_writes: Option<bool>,
    /// What each node may use, as if it stood on a machine of its own; left out: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<cluster::Capacity>,
}

impl Default for Cluster {
    fn default() -> Self {
        Self { replicas: 2, candidates: 1, reserves: 0, relays: None, watch_writes: None, capacity: None }
    }
}

/// The balancer of a run. The keys are those of the balancer's own file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Balancer {
    /// Threads that carry statements; 0: one a core.
    pub workers: usize,
    /// How reads are spread.
    pub strategy: balancer::view::Strategy,
    /// What a read may miss.
    pub consistency: balancer::config::Consistency,
    /// Reads that have to see something certain.
    pub causal: balancer::config::Causal,
    /// Reads that any replica may answer.
    pub eventual: balancer::config::Eventual,
    /// A node that begins to serve gets its full share of the reads after so long; 0: at once.
    pub slow_start_ms: u64,
    /// Probing and judging.
    pub health: balancer::config::Health,
    /// Replacing a primary.
    pub failover: balancer::config::Failover,
    /// Scaling.
    pub elastic: balancer::config::Elastic,
    /// Connections to nodes.
    pub pool: balancer::config::Pool,
    /// What clients may use up.
    pub limits: balancer::config::Limits,
}

fn one() -> u64 {
    1
}

fn default_items() -> u32 {
    1_000
}

fn default_population() -> u32 {
    10
}

/// A workload with its name, ready to run.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The name: of the built-in workload, or the file's without its ending.
    pub name: String,
    /// What is run.
    pub workload: Workload,
    /// What flags changed beyond their own key, for the user.
    pub notes: Vec<String>,
}

impl Resolved {
    /// How large the shop is.
    pub fn scale(&self) -> Scale {
        Scale { items: self.workload.items, browsers: self.workload.population }
    }
}

impl Workload {
    /// Whether each node is to stand behind a relay.
    pub fn relays(&self) -> bool {
        let breaks =
            |event: &Event| matches!(event.request(), Ok(Action::Fault { fault, .. }) if fault.needs_relay());
        self.cluster.relays.unwrap_or_else(|| self.load.schedule(self.seed).iter().any(breaks))
    }

    /// Whether each node is to ask before it writes.
    pub fn watches_writes(&self) -> bool {
        let fills =
            |event: &Event| matches!(event.request(), Ok(Action::Fault { fault: Fault::DiskFull, .. }));
        self.cluster.watch_writes.unwrap_or_else(|| self.load.schedule(self.seed).iter().any(fills))
    }
}

/// Reads a workload by name or path.
///
/// # Errors
/// Unknown names, unreadable files, misspelt keys and senseless values: exit code 2, with file, line, key and what is allowed.
pub fn read(name: Option<&str>) -> Outcome<Resolved> {
    let name = name.unwrap_or(DEFAULT);
    if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
        return parse(name, &format!("workloads/{name}.toml"), text);
    }
    let path = Path::new(name);
    if !path.exists() {
        let known: Vec<&str> = BUILT_IN.iter().map(|(known, _)| *known).collect();
        return Err(Failure::usage(format!(
            "there is no workload `{name}`; allowed: {}, or the path of a file",
            known.join(", ")
        )));
    }
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("the workload file {name} cannot be read: {error}")))?;
    let stem = path.file_stem().map_or_else(|| name.into(), |stem| stem.to_string_lossy());
    parse(&stem, name, &text)
}

fn parse(name: &str, file: &str, text: &str) -> Outcome<Resolved> {
    let workload: Workload = toml::from_str(text)
        .map_err(|error| Failure::usage(format!("{file}: {}", error.to_string().trim_end())))?;
    check(&workload, |path| place::of(text, path).map(|(line, column)| format!("{file}:{line}:{column}: ")))
        .map_err(|lines| Failure::usage(lines.join("\ntpcw: ")))?;
    Ok(Resolved { name: name.to_owned(), workload, notes: Vec::new() })
}

/// Checks what types alone cannot; `place` says where a key stands.
fn check(workload: &Workload, place: impl Fn(&str) -> Option<String>) -> Result<(), Vec<String>> {
    let mut wrong = Vec::new();
    let mut add = |path: &str, message: String| {
        wrong.push(format!("{}{message}", place(path).unwrap_or_default()));
    };
    if !(1..=10_000_000).contains(&workload.items) {
        add("items", format!("items = {}: allowed is 1 to 10000000", workload.items));
    }
    if !(1..=100_000).contains(&workload.population) {
        add("population", format!("population = {}: allowed is 1 to 100000", workload.population));
    }
    let cluster = &workload.cluster;
    for (key, count) in
        [("replicas", cluster.replicas), ("candidates", cluster.candidates), ("reserves", cluster.reserves)]
    {
        if count > 16 {
            add(&format!("cluster.{key}"), format!("cluster.{key} = {count}: allowed is 0 to 16"));
        }
    }
    for (number, event) in workload.load.events.iter().enumerate() {
        if let Ok(Action::Strategy { name }) = event.request()
            && !Strategy::ALL.iter().any(|known| known.as_str() == name)
        {
            let known = Strategy::ALL.map(Strategy::as_str).join(", ");
            let path = format!("load.event.{number}.with");
            let key = format!("load.event {} (strategy): with", number + 1);
            add(&path, format!("{key}: there is no strategy `{name}`; allowed: {known}"));
        }
    }
    for message in workload.load.check().err().unwrap_or_default() {
        add(&load_path(&message), format!("load.{message}"));
    }
    if let Err(error) = workload.balancer.elastic.check() {
        add(&format!("balancer.{}", error.key), format!("balancer.{error}"));
    }
    if let Err(message) = workload.thresholds.check() {
        let key = message.split([' ', '=', ':']).next().unwrap_or_default();
        add(&format!("thresholds.{key}"), format!("thresholds.{message}"));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// The path of the key that a message of the load's check is about: `phase 2 ("peak"): seconds = 0` → `load.phase.1.seconds`.
fn load_path(message: &str) -> String {
    let (head, rest) = message.split_once(": ").unwrap_or((message, ""));
    let mut words = head.split(' ');
    let first = words.next().unwrap_or_default();
    let number = words.next().and_then(|word| word.parse::<usize>().ok());
    match number {
        Some(number) => {
            let key = rest.split([' ', ':']).next().unwrap_or_default();
            format!("load.{first}.{}.{key}", number.saturating_sub(1))
        }
        None => format!("load.{}", first.trim_end_matches(':')),
    }
}

/// Lets the flags override the file.
///
/// # Errors
/// Values that are not allowed, each with the flag's name.
pub fn resolve(mut resolved: Resolved, args: &RunArgs) -> Outcome<Resolved> {
    let expected_sessions = resolved.workload.load.sessions;
    let workload = &mut resolved.workload;
    if let Some(sessions) = args.sessions {
        if !(1..=emulator::workload::MOST_SESSIONS).contains(&sessions) {
            let most = emulator::workload::MOST_SESSIONS;
            return Err(Failure::usage(format!("--sessions {sessions}: allowed is 1 to {most}")));
        }
        workload.load.sessions = sessions;
    }
    if let Some(mix) = args.mix {
        workload.load.mix = match mix {
            MixArg::Browsing => Mix::Browsing,
            MixArg::Shopping => Mix::Shopping,
            MixArg::Ordering => Mix::Ordering,
        };
    }
    if let Some(text) = &args.think_time {
        workload.load.think_time =
            text.parse().map_err(|error| Failure::usage(format!("--think-time: {error}")))?;
    }
    if let Some(text) = &args.duration {
        let span: emulator::span::Span =
            text.parse().map_err(|error| Failure::usage(format!("--duration: {error}")))?;
        let seconds = span.0.as_secs() as u32;
        if seconds == 0 {
            return Err(Failure::usage(format!("--duration {text}: allowed is 1s or more")));
        }
        workload.load.stretch(seconds);
    }
    if let Some(warm_up) = args.warm_up {
        workload.load.set_warm_up(warm_up);
    }
    if let Some(rate) = args.rate {
        open_at(rate, &mut workload.load, args.sessions.is_some())?;
    }
    workload.load.connections = args.connections.or(workload.load.connections);
    workload.items = args.items.unwrap_or(workload.items);
    workload.population = args.population.unwrap_or(workload.population);
    workload.seed = args.seed.unwrap_or(workload.seed);
    check(workload, |_| None).map_err(|lines| Failure::usage(lines.join("\ntpcw: ")))?;
    if args.think_time.is_some() || args.rate.is_some() {
        adapt_to_thinking(&mut resolved.workload);
    }
    if args.target.is_some() {
        adapt_to_target(&mut resolved);
    } else {
        adapt_to_load(&mut resolved, args, expected_sessions);
    }
    Ok(resolved)
}

/// Makes the load an open one of this rate, with room for its visitors: as many as are in the shop when all is well, one and a
/// half times over, and those of ten seconds in which nobody is served.
fn open_at(rate: f64, load: &mut Load, sessions_given: bool) -> Outcome {
    let arrivals = Arrivals { rate, ..load.arrivals.unwrap_or_default() };
    arrivals.check().map_err(|message| Failure::usage(message.replace("arrivals.rate =", "--rate")))?;
    load.arrivals = Some(arrivals);
    if !sessions_given {
        let visitors = rate * (load.think_time.mean().as_secs_f64() * 1.5 + 10.0);
        load.sessions = visitors.ceil().clamp(1.0, f64::from(emulator::workload::MOST_SESSIONS)) as u32;
    }
    Ok(())
}

/// Nobody can be asked to scale or to break a foreign target.
fn adapt_to_target(resolved: &mut Resolved) {
    let (load, thresholds) = (&mut resolved.workload.load, &mut resolved.workload.thresholds);
    if !load.events.is_empty() || load.chaos.is_some() {
        load.events.clear();
        load.chaos = None;
        resolved.notes.push(
            "a target that is not ours is not broken or scaled: the workload's events are left out".into(),
        );
    }
    forget_scaling(thresholds);
    thresholds.faults_min = None;
    thresholds.promotions_min = None;
}

/// Rules for the specification's think time, for browsers that think, and for visits that last are not for other loads.
fn adapt_to_thinking(workload: &mut Workload) {
    let (load, thresholds) = (&workload.load, &mut workload.thresholds);
    if load.arrivals.is_some() || load.think_time.mean() != SPEC_THINK {
        thresholds.within_scaling = None;
    }
    if load.arrivals.is_some() {
        thresholds.session_length_p_min = None;
    }
    if load.think_time.mean().is_zero() {
        thresholds.think_time_p_min = None;
    }
}

fn forget_scaling(thresholds: &mut Thresholds) {
    thresholds.scale_outs_min = None;
    thresholds.scale_ins_min = None;
}

/// A controller that is right does not scale for a load that is lighter than the workload's own.
fn adapt_to_load(resolved: &mut Resolved, args: &RunArgs, expected_sessions: u32) {
    let thresholds = &mut resolved.workload.thresholds;
    if args.duration.is_some() && resolved.workload.load.chaos.is_some() {
        thresholds.faults_min = None; // As many as fit in.
    }
    let asks = thresholds.scale_outs_min.is_some() || thresholds.scale_ins_min.is_some();
    let fewer = resolved.workload.load.sessions < expected_sessions;
    if asks && (fewer || args.think_time.is_some() || args.mix.is_some() || args.duration.is_some()) {
        forget_scaling(thresholds);
        resolved.notes.push(
            "the load is not the workload's own: whether and when to scale is left to the controller, no number is asked for"
                .into(),
        );
    }
}

#[cfg(test)]
mod tests {
    use emulator::schedule::Until;
    use emulator::workload::WarmUpLength;

    use super::*;

    fn failure(text: &str) -> String {
        let failure = parse("mine", "mine.toml", text).expect_err(text);
        assert_eq!(failure.kind.code(), 2);
        failure.message
    }

    const SMALL: &str = "description = 'x'\n[load]\nsessions = 60\n[[load.phase]]\nname = 'a'\nkind = 'measure'\nseconds = 5\n";

    #[test]
    fn every_built_in_workload_makes_sense() {
        for (name, _) in BUILT_IN {
            let resolved = read(Some(name)).unwrap_or_else(|failure| panic!("{name}: {}", failure.message));
            assert_eq!(resolved.name, name);
            let written = toml::to_string(&resolved.workload).expect("a workload can be written");
            assert_eq!(toml::from_str::<Workload>(&written).expect(name), resolved.workload);
        }
    }

    #[test]
    fn misspelt_keys_and_senseless_values_are_named_with_their_place() {
        let misspelt = failure(&SMALL.replace("sessions", "sesions"));
        assert!(misspelt.contains("line 3, column 1") && misspelt.contains("sesions"), "{misspelt}");
        for (from, to, expected) in [
            ("sessions = 60", "sessions = 0", "mine.toml:3:1: load.sessions = 0: allowed is 1 to 100000"),
            (
                "seconds = 5",
                "seconds = 0",
                "mine.toml:7:1: load.phase 1 (\"a\"): seconds = 0: allowed is 1 or more",
            ),
        ] {
            assert_eq!(failure(&SMALL.replace(from, to)), expected);
        }
        let items = failure(&format!("items = 0\n{SMALL}"));
        assert_eq!(items, "mine.toml:1:1: items = 0: allowed is 1 to 10000000");
    }

    #[test]
    fn flags_override_and_are_checked() {
        let small = || parse("mine", "mine.toml", SMALL).expect("small");
        let args = RunArgs {
            sessions: Some(7),
            think_time: Some("250ms".into()),
            seed: Some(9),
            ..RunArgs::default()
        };
        let workload = resolve(small(), &args).expect("allowed").workload;
        assert_eq!((workload.load.sessions, workload.seed), (7, 9));
        for args in [
            RunArgs { sessions: Some(0), ..RunArgs::default() },
            RunArgs { think_time: Some("soon".into()), ..RunArgs::default() },
            RunArgs { duration: Some("0s".into()), ..RunArgs::default() },
            RunArgs { items: Some(0), ..RunArgs::default() },
            RunArgs { rate: Some(0.0), ..RunArgs::default() },
            RunArgs { connections: Some(0), ..RunArgs::default() },
            RunArgs { warm_up: Some(WarmUpLength::Told(700_000)), ..RunArgs::default() },
        ] {
            assert_eq!(resolve(small(), &args).expect_err("not allowed").kind.code(), 2);
        }
    }

    #[test]
    fn a_warm_up_is_as_long_as_told_whatever_the_workload_says() {
        let resolved = |name: &str, warm_up| {
            let args = RunArgs { warm_up: Some(warm_up), ..RunArgs::default() };
            resolve(read(Some(name)).expect("built in"), &args).expect("allowed").workload.load
        };
        let fast = RunArgs { think_time: Some("0ms".into()), ..RunArgs::default() };
        let thresholds =
            resolve(read(Some("shopping")).expect("built in"), &fast).expect("allowed").workload.thresholds;
        assert_eq!((thresholds.within_scaling, thresholds.think_time_p_min), (None, None));
        assert!(thresholds.session_length_p_min.is_some());
        let told = resolved("shopping", WarmUpLength::Told(30));
        assert_eq!((told.phases[0].seconds, told.phases[0].until), (30, None));
        let steady = resolved("failover", WarmUpLength::Steady);
        assert_eq!((steady.phases[0].least_seconds, steady.phases[0].until), (5, Some(Until::Steady)));
        let first = read(Some("failover")).expect("built in").workload.load.events[0].at;
        let later = f64::from(steady.phases[0].seconds - 5);
        assert_eq!(steady.events[0].at, first + later, "events keep their place after the warm-up");
    }

    #[test]
    fn a_rate_makes_the_load_open_with_room_for_its_visitors() {
        let small = || parse("mine", "mine.toml", SMALL).expect("small");
        let args = RunArgs { rate: Some(100.0), connections: Some(8), ..RunArgs::default() };
        let load = resolve(small(), &args).expect("allowed").workload.load;
        assert_eq!(load.arrivals.map(|arrivals| arrivals.rate), Some(100.0));
        assert_eq!((load.sessions, load.connections), (2_050, Some(8)));
        let args = RunArgs { rate: Some(100.0), sessions: Some(50), ..RunArgs::default() };
        assert_eq!(resolve(small(), &args).expect("allowed").workload.load.sessions, 50);
        let counted = SMALL.replace("seconds = 5", "seconds = 5\nsessions = 10");
        let failure =
            resolve(parse("mine", "mine.toml", &counted).expect("small"), &args).expect_err("a count");
        assert!(failure.message.contains("share of the peak rate"), "{}", failure.message);
    }

    #[test]
    fn an_unknown_workload_is_answered_with_the_known_ones() {
        let failure = read(Some("elastik")).expect_err("unknown");
        assert!(failure.message.contains("elastic, smoke"), "{}", failure.message);
    }
}
