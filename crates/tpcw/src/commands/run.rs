//! `tpcw run`: the whole experiment.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bookstore::Scale;
use emulator::audit::{AuditNode, AuditOptions, audit};
use emulator::control::{Control, NoControl};
use emulator::run::{Live, RunError, RunOutcome, RunPlan};
use mysql_async::Opts;
use report::RunDir;
use report::record::{MANIFEST_FILE, Manifest, SCHEMA_VERSION};
use tokio::sync::watch;

use crate::cli::RunArgs;
use crate::commands::{load, report as report_command};
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::live::View;
use crate::stage::{Stage, StagePlan};
use crate::watch::Watched;
use crate::workload::{self, Resolved};
use crate::{logging, machine, target};

/// How long the audit waits until every node can be read and has applied everything.
const AUDIT_PATIENCE: Duration = Duration::from_secs(60);

/// Runs a workload from start to report.
pub async fn run(args: RunArgs, interrupt: &Interrupt) -> Outcome {
    let process_started = SystemTime::now();
    let resolved = workload::resolve(workload::read(args.workload.as_deref())?, &args)?;
    let foreign = args.target.as_deref().map(target::parse).transpose()?;
    let watched = match args.metrics {
        Some(address) => Some(Watched::serve(address).await?),
        None => None,
    };
    let folder = RunDir::create(Path::new("reports"), &resolved.name, args.out.as_deref())
        .map_err(Failure::from_below)?;
    logging::to_file(&folder.file("tpcw.log"))?;
    let say = |line: &str| {
        if !args.quiet {
            crate::say(line);
        }
    };
    resolved.notes.iter().for_each(|note| say(note));
    if let Some(watched) = &watched {
        // Said in any case: where a free port was asked for, nobody else knows it.
        crate::say(&format!("metrics on {}", watched.url()));
    }

    let mut experiment = Experiment::set_up(&resolved, &args, foreign, interrupt, &say).await?;
    let manifest = experiment.manifest(&resolved, process_started);
    write_manifest(&folder, &manifest)?;
    let measured = experiment.measure(&resolved, &folder, &args, watched.as_ref(), interrupt).await;
    let outcome = match measured {
        Ok(outcome) => outcome,
        Err(failure) => {
            experiment.tear_down().await;
            return Err(failure);
        }
    };
    write_manifest(
        &folder,
        &Manifest { load_started: utc(outcome.started), load_ended: utc(outcome.ended), ..manifest },
    )?;
    let audited = experiment.audit(&outcome, &folder, &say).await;
    experiment.tear_down().await;
    audited?;
    let verdict = report_command::finish(&folder, args.json, args.quiet);
    if outcome.interrupted { Ok(()) } else { verdict }
}

/// What is measured: a local cluster behind the balancer, or somebody else's server.
struct Experiment {
    stage: Option<Stage>,
    target: Opts,
    scale: Scale,
    control: Arc<dyn Control>,
    server: String,
}

impl Experiment {
    async fn set_up(
        resolved: &Resolved,
        args: &RunArgs,
        foreign: Option<Opts>,
        interrupt: &Interrupt,
        say: &dyn Fn(&str),
    ) -> Outcome<Self> {
        if let Some(target) = foreign {
            let found = load::inspect(&target).await?;
            if args.items.is_some_and(|items| items != found.scale.items)
                || args.population.is_some_and(|browsers| browsers != found.scale.browsers)
            {
                return Err(Failure::usage(format!(
                    "the target holds a shop of {} items for {} browsers; leave --items and --population out, or load \
                     another shop with `tpcw load --replace`",
                    found.scale.items, found.scale.browsers
                )));
            }
            return Ok(Self {
                stage: None,
                target,
                scale: found.scale,
                control: Arc::new(NoControl),
                server: found.server,
            });
        }
        let plan = StagePlan::of(resolved, args.server.clone(), None);
        let stage = tokio::select! {
            stage = Stage::set(plan, say, !args.quiet) => stage?,
            () = interrupt.stop.cancelled() => return Err(Failure::surroundings("interrupted before the load began")),
        };
        Ok(Self {
            target: stage.shop(),
            scale: resolved.scale(),
            control: stage.control("schedule"),
            server: stage.server().to_owned(),
            stage: Some(stage),
        })
    }

    fn manifest(&self, resolved: &Resolved, process_started: SystemTime) -> Manifest {
        let load = &resolved.workload.load;
        let mean = load.think_time.mean();
        let visit = if load.arrivals.is_some() { 0.0 } else { load.visit_length.0.as_secs_f64() * 1e3 };
        let spoken: Vec<String> = std::env::args().map(|word| hide_password(&word)).collect();
        Manifest {
            schema_version: SCHEMA_VERSION,
            command_line: spoken,
            workload_name: resolved.name.clone(),
            workload: serde_json::to_value(&resolved.workload).unwrap_or_default(),
            mix: load.mix.name().to_owned(),
            sessions: load.sessions,
            think_mean_ms: mean.as_secs_f64() * 1e3,
            think_max_ms: mean.as_secs_f64() * 1e4,
            visit_mean_ms: visit,
            visit_max_ms: visit * 4.0,
            seed: resolved.workload.seed,
            versions: machine::versions(&self.server),
            machine: machine::machine(),
            started: utc(process_started),
            load_started: String::new(),
            load_ended: String::new(),
            node_capacity: self.stage.as_ref().map(Stage::capacity).unwrap_or_default(),
            label: "TPC-W-like, unaudited; not a TPC result".to_owned(),
        }
    }

    async fn measure(
        &self,
        resolved: &Resolved,
        folder: &RunDir,
        args: &RunArgs,
        watched: Option<&Watched>,
        interrupt: &Interrupt,
    ) -> Outcome<RunOutcome> {
        let (progress, seen) = watch::channel(Live::default());
        let title = format!("{} ({})", resolved.name, resolved.workload.load.mix.name());
        let view = (!args.quiet)
            .then(|| tokio::spawn(View::open(title, resolved.workload.thresholds.clone()).follow(seen)));
        let plan = RunPlan {
            workload: resolved.workload.load.clone(),
            target: self.target.clone(),
            scale: self.scale,
            seed: resolved.workload.seed,
            folder: folder.path().to_owned(),
            control: self.control.clone(),
            metrics: watched.map(Watched::metrics),
        };
        let outcome = emulator::run::run(plan, progress, interrupt.stop.clone()).await;
        if let Some(view) = view {
            // The view ends with the channel, when the run has dropped its end of it.
            let _ = view.await;
        }
        outcome.map_err(|error| match error {
            RunError::Workload(lines) => Failure::usage(lines.join("\ntpcw: ")),
            other => Failure::from_below(other),
        })
    }

    /// Reads every node directly. Nodes of a foreign target are not known; its one address is read instead.
    async fn audit(&self, outcome: &RunOutcome, folder: &RunDir, say: &dyn Fn(&str)) -> Outcome {
        say("audit: reading every node directly");
        let nodes = match &self.stage {
            Some(stage) => stage.audit_nodes(),
            None => vec![AuditNode { name: "target".to_owned(), opts: self.target.clone() }],
        };
        let options =
            AuditOptions { scale: self.scale, patience: AUDIT_PATIENCE, stale_reads: outcome.stale_reads };
        let found = audit(&nodes, &outcome.ledger, options).await.map_err(Failure::from_below)?;
        report::record::write_json(&folder.file(report::record::AUDIT_FILE), &found)
            .map_err(Failure::from_below)
    }

    async fn tear_down(&mut self) {
        if let Some(stage) = self.stage.take() {
            stage.strike().await;
        }
    }
}

fn write_manifest(folder: &RunDir, manifest: &Manifest) -> Outcome {
    report::record::write_json(&folder.file(MANIFEST_FILE), manifest).map_err(Failure::from_below)
}

fn hide_password(word: &str) -> String {
    match word.split_once('=') {
        Some((flag, url)) if flag == "--target" => format!("{flag}={}", target::hide_password(url)),
        _ => target::hide_password(word),
    }
}

fn utc(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at).map_or_else(|_| String::new(), |stamp| format!("{stamp:.3}"))
}
