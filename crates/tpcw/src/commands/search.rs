//! `tpcw search`: the greatest number of browsers, or rate, that keeps every limit.

use std::path::{Path, PathBuf};

use emulator::schedule::{Level, Phase, PhaseKind};
use emulator::workload::WarmUpLength;
use report::RunDir;
use report::folder::Folder;
use report::summary::{Summary, ValidityState, Verdict};
use serde::{Deserialize, Serialize};

use crate::cli::{RunArgs, SearchArgs, SearchFor};
use crate::failure::{Failure, Kind, Outcome};
use crate::interrupt::Interrupt;
use crate::search::{Found, Probe, Settings, Step, between, next};
use crate::trial::Trial;
use crate::workload::{self, Workload};

/// The search's own file in its folder.
const FILE: &str = "search.json";
/// A warm-up that ends by itself is not shorter, in s, and at most ten times as long.
const LEAST_WARM_UP: u32 = 20;
/// More of what fell due unanswered at the end than at the beginning, as a share of all, means a queue that grows for as long as one looks:
/// no limit on latency would see it in a short measurement. A queue that does not grow wavers by less than the square root of what passes.
const UNANSWERED: f64 = 0.02;
/// With less of the rate due the visits that make it up were not all there yet: the level is not the one asked for.
const DUE: f64 = 0.9;

/// What stands in `search.json`.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    settings: Settings,
    what: SearchFor,
    workload: String,
    probes: Vec<Probe>,
    found: Option<Found>,
}

/// Searches, or goes on with a search in the same folder.
pub async fn search(args: SearchArgs, interrupt: &Interrupt) -> Outcome {
    let settings = settings(&args)?;
    let base = workload(&args)?;
    let folder = folder(&args, &base.name)?;
    let text = toml::to_string(&base.workload).map_err(Failure::from_below)?;
    let mut state = opened(
        &folder,
        State { settings, what: args.what, workload: text, probes: Vec::new(), found: None },
    )?;
    let file = folder.join(format!("{}.toml", base.name));
    write(&file, &state.workload)?;
    let program = std::env::current_exe().map_err(Failure::from_below)?;
    let found = loop {
        let level = match next(&state.settings, &state.probes) {
            Step::Try(level) => level,
            Step::Done(found) => break found,
        };
        let number = state.probes.len() + 1;
        let trial = Trial {
            program: &program,
            workload: &file,
            flags: flags(&args, state.what, level),
            folder: folder.join(format!("{number:03}-{level}")),
        };
        crate::say(&format!("trial {number}: {}", words_of(state.what, level)));
        let summary = trial.run(interrupt).await?;
        let due = match state.what {
            SearchFor::Rate => Some(Due::of(&trial.folder)?),
            SearchFor::Sessions => None,
        };
        let probe = probe(level, &summary, due)?;
        crate::say(&format!("  {}: {}", if probe.held { "held" } else { "not held" }, probe.words));
        state.probes.push(probe);
        save(&folder, &state)?;
    };
    state.found = Some(found);
    save(&folder, &state)?;
    tell(&args, &state, found, &folder)
}

fn settings(args: &SearchArgs) -> Outcome<Settings> {
    let most = args.most.unwrap_or(match args.what {
        SearchFor::Sessions => f64::from(emulator::workload::MOST_SESSIONS),
        SearchFor::Rate => emulator::load::MOST_RATE,
    });
    let refuse = |text: String| Err(Failure::usage(text));
    if !(1.0..=1e6).contains(&most) {
        return refuse(format!("--most {most}: allowed is 1 to 1000000"));
    }
    if !(1.0..=most).contains(&args.from) {
        return refuse(format!("--from {}: allowed is 1 to {most}", args.from));
    }
    if !(0.1..=50.0).contains(&args.precision) {
        return refuse(format!("--precision {}: allowed is 0.1 to 50", args.precision));
    }
    Ok(Settings {
        from: args.from,
        least: 1.0,
        most,
        precision_pct: args.precision,
        confirmations: args.confirmations,
        whole: args.what == SearchFor::Sessions,
    })
}

/// The workload without what would disturb it: one warm-up, one measurement, no events, no scaling, the specification's limits.
fn workload(args: &SearchArgs) -> Outcome<workload::Resolved> {
    let run = RunArgs {
        mix: args.mix,
        think_time: args.think_time.clone(),
        connections: args.connections,
        target: args.target.clone(),
        ..RunArgs::default()
    };
    let mut resolved = workload::resolve(workload::read(Some(&args.workload))?, &run)?;
    if !(1..=86_400).contains(&args.hold) {
        return Err(Failure::usage(format!("--hold {}: allowed is 1 to 86400 seconds", args.hold)));
    }
    let Workload { load, thresholds, balancer, .. } = &mut resolved.workload;
    load.events.clear();
    load.phases = vec![Phase {
        name: "hold".to_owned(),
        kind: PhaseKind::Measure,
        seconds: args.hold,
        until: None,
        least_seconds: 0,
        sessions: Level::default(),
        ramp_seconds: 0,
    }];
    if args.warm_up == WarmUpLength::Steady {
        load.set_warm_up(WarmUpLength::Told(LEAST_WARM_UP));
    }
    load.set_warm_up(args.warm_up);
    if args.what == SearchFor::Sessions {
        // All at once they would be another load than the one that is searched for: one that asks what a rush does. Visits of an open
        // load come one by one as it is.
        let warm_up = &mut load.phases[0];
        let whole = if warm_up.until.is_some() { warm_up.least_seconds } else { warm_up.seconds };
        warm_up.ramp_seconds = whole / 2;
    }
    load.stop_after = None;
    balancer.elastic.automatic = false;
    (thresholds.scale_outs_min, thresholds.scale_ins_min) = (None, None);
    (thresholds.faults_min, thresholds.promotions_min) = (None, None);
    (thresholds.interactions_min, thresholds.wips_min) = (None, None);
    // What they judge is the generator, by chance: in one of so many trials they fail by themselves.
    (thresholds.mix_p_min, thresholds.transitions_p_min) = (None, None);
    (thresholds.think_time_p_min, thresholds.session_length_p_min) = (None, None);
    thresholds.event.clear();
    thresholds.within_limits.get_or_insert(true);
    Ok(resolved)
}

fn flags(args: &SearchArgs, what: SearchFor, level: f64) -> Vec<String> {
    let flag = match what {
        SearchFor::Sessions => "--sessions",
        SearchFor::Rate => "--rate",
    };
    let mut flags = vec![flag.to_owned(), level.to_string()];
    if let Some(target) = &args.target {
        flags.extend(["--target".to_owned(), target.clone()]);
    }
    flags
}

/// What fell due in the measured seconds of an open load, whether it was answered or not.
#[derive(Clone, Copy, Debug)]
struct Due {
    interactions: f64,
    seconds: f64,
}

impl Due {
    fn of(folder: &Path) -> Outcome<Self> {
        let run = RunDir::open(folder).map_err(Failure::from_below)?;
        let read = Folder::read(&run).map_err(Failure::from_below)?;
        let seconds = read.measured().count().max(1) as f64;
        Ok(Self { interactions: read.latencies.late.len() as f64, seconds })
    }

    fn rate(self) -> f64 {
        self.interactions / self.seconds
    }

    /// Whether more waited at the end than at the beginning.
    fn piles_up(self, answered: u64) -> bool {
        self.interactions - answered as f64 > UNANSWERED * self.interactions + self.interactions.sqrt()
    }
}

/// Whether the load held. A run that is no measurement (an overloaded generator, too few interactions) can show that limits were
/// broken, never that they were held: it ends the search.
fn probe(level: f64, run: &Summary, due: Option<Due>) -> Outcome<Probe> {
    let mut figures = format!("{:.1} a second, p90 {:.1} ms", run.wips, run.latency_ms.p90);
    let mut broken: Vec<&str> = run.thresholds.iter().filter(|t| !t.held).map(|t| t.name.as_str()).collect();
    if let Some(due) = due {
        figures = format!("{:.1} due a second, {figures}", due.rate());
        if due.piles_up(run.interactions) {
            broken.push("the queue grows");
        }
    }
    if run.verdict == Verdict::Fail || !broken.is_empty() {
        return Ok(Probe {
            level,
            held: false,
            words: format!("{figures}; not kept: {}", broken.join(", ")),
        });
    }
    let no_measurement = |reasons: &str| {
        let message = format!("at {level} the run is no measurement, so the search ends here: {reasons}");
        Err(Failure { kind: Kind::NoVerdict, message })
    };
    if run.validity.state == ValidityState::Invalid {
        return no_measurement(&run.validity.invalid_reasons.join("; "));
    }
    if let Some(rate) = due.map(Due::rate).filter(|rate| *rate < DUE * level) {
        return no_measurement(&format!(
            "only {rate:.1} interactions a second fell due, for visits take longer to fill the shop than the warm-up lasts; \
             give a longer --warm-up, or browsers that think for a shorter time (--think-time)"
        ));
    }
    Ok(Probe { level, held: true, words: figures })
}

fn words_of(what: SearchFor, level: f64) -> String {
    match what {
        SearchFor::Sessions => format!("{level} browsers"),
        SearchFor::Rate => format!("{level} interactions a second"),
    }
}

fn folder(args: &SearchArgs, name: &str) -> Outcome<PathBuf> {
    let folder = args.out.clone().unwrap_or_else(|| PathBuf::from("reports").join(format!("search-{name}")));
    std::fs::create_dir_all(&folder)
        .map_err(|error| Failure::surroundings(format!("cannot make {}: {error}", folder.display())))?;
    Ok(folder)
}

/// The state in the folder, if it is of the same search; a new one in an empty folder.
fn opened(folder: &Path, new: State) -> Outcome<State> {
    let known: Option<State> = report::record::read_json(&folder.join(FILE)).map_err(Failure::from_below)?;
    let Some(known) = known else { return Ok(new) };
    // How sure and how narrow the answer is to be only tells when to stop.
    let Settings { precision_pct, confirmations, .. } = new.settings;
    let settings = Settings { precision_pct, confirmations, ..known.settings.clone() };
    if settings != new.settings || known.what != new.what || known.workload != new.workload {
        return Err(Failure::usage(format!(
            "{} holds another search; give it the same workload and flags (but for --precision and --confirmations) to go on with it, or another --out",
            folder.display()
        )));
    }
    Ok(State { settings, ..known })
}

fn save(folder: &Path, state: &State) -> Outcome {
    report::record::write_json(&folder.join(FILE), state).map_err(Failure::from_below)
}

fn write(path: &Path, text: &str) -> Outcome {
    std::fs::write(path, text)
        .map_err(|error| Failure::surroundings(format!("cannot write {}: {error}", path.display())))
}

fn tell(args: &SearchArgs, state: &State, found: Found, folder: &Path) -> Outcome {
    if args.json {
        let text = serde_json::to_string_pretty(state).map_err(Failure::from_below)?;
        crate::print(&format!("{text}\n"));
    } else {
        let words = match (found.low, found.high) {
            (Some(low), Some(high)) => {
                format!("{} keep every limit, {high} do not", words_of(state.what, low))
            }
            (Some(low), None) => {
                format!("{} keep every limit; no more are allowed", words_of(state.what, low))
            }
            (None, _) => format!("not even {} keep every limit", words_of(state.what, state.settings.least)),
        };
        let unsure = between(found, &state.probes).into_iter();
        let unsure: String = unsure
            .map(|(level, held, tried)| {
                format!("\n{} held {held} of {tried} times", words_of(state.what, level))
            })
            .collect();
        let words = format!("{words}{unsure}");
        let trials = state.probes.len();
        crate::print(&format!("{words}\n{trials} trials in {}\n", folder.display()));
    }
    match found.low {
        Some(_) => Ok(()),
        None => Err(Failure { kind: Kind::Verdict, message: String::new() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_grows_is_told_from_one_that_wavers() {
        let due = |interactions| Due { interactions, seconds: 12.0 };
        // Measured where latency kept its limits.
        assert!(due(39_245.0).piles_up(37_964) && due(38_398.0).piles_up(36_280));
        assert!(!due(36_266.0).piles_up(36_151) && !due(33_000.0).piles_up(33_010));
        assert!(!due(120.0).piles_up(110) && due(120.0).piles_up(100));
        assert_eq!(due(120.0).rate(), 10.0);
    }
}
