//! The end of every schedule: all faults are healed, and everything must be well again.

use std::time::Duration;

use cluster::NodeId;
use tokio::time::Instant;

use super::node::Process;
use super::schedule::{MEND, Play};
use super::stage::{Stage, Violation};
use crate::event::EventKind;
use crate::request::Action;
use crate::server::StartError;
use crate::view::NodeState;

/// In the end nothing may move for so long.
const QUIET: Duration = Duration::from_millis(1500);

impl Play {
    /// All faults are healed; then everything must be well again, with nothing lost.
    pub(super) async fn mend(&mut self) -> Result<(), Box<Violation>> {
        self.stage.world.heal();
        self.stage.note("* all is healed");
        for index in 0..self.nodes {
            let dead = self.stage.world.lock().nodes[index].process == Process::Dead;
            if dead {
                self.stage.world.restart(index, true);
            }
        }
        self.start_for_good().await?;
        self.stage.until("a primary after all was healed", MEND, |stage| stage.primary().is_some()).await?;
        // What was seen before may still be judged.
        self.stage.pass(QUIET, MEND).await?;
        self.make_well().await?;
        self.still_works().await?;
        self.all_have_everything().await
    }

    async fn start_for_good(&mut self) -> Result<(), Box<Violation>> {
        if self.stage.running() {
            return Ok(());
        }
        let mut told = String::new();
        for _ in 0..20 {
            self.restarts += 1;
            let Err(error) = self.stage.restart().await else { return Ok(()) };
            told = error.to_string();
            let guess = matches!(error, StartError::TwoPrimaries { .. } | StartError::Doubtful { .. });
            // After one fault at a time nothing may be left to guess. After two an operator, who knows that nobody has
            // made a primary by hand, does what he is told.
            if guess && self.faults > 1 {
                self.by_hand += 1;
                self.stage.close_all_but_the_last();
            }
            self.stage.pass(Duration::from_millis(500), MEND).await?;
        }
        Err(self.stage.violation(format!("the balancer does not start after all was healed: {told}")))
    }

    /// An operator switches on what was switched off, and rebuilds what was refused.
    async fn make_well(&mut self) -> Result<(), Box<Violation>> {
        let end = Instant::now() + Duration::from_secs(120);
        while !self.stage.well() {
            if Instant::now() > end {
                return Err(self.stage.violation("it was not well two minutes after all was healed"));
            }
            let refused: Vec<String> = self
                .stage
                .kinds()
                .into_iter()
                .filter(|(kind, _)| *kind == EventKind::Refused)
                .map(|k| k.1)
                .collect();
            for index in 0..self.nodes {
                let name = NodeId::new(format!("n{}", index + 1));
                match (self.stage.state(index).1, self.stage.primary()) {
                    (NodeState::Disabled, _) => drop(self.stage.handle.ask(Action::Enable(name), "mend")),
                    (NodeState::Down, Some(primary)) if refused.contains(&name.to_string()) => {
                        self.stage.world.rebuild(index, primary).await;
                    }
                    _ => {}
                }
            }
            self.stage.pass(Duration::from_millis(400), MEND).await?;
        }
        Ok(())
    }

    /// The executor does what it is asked for, and then nothing moves any more.
    async fn still_works(&mut self) -> Result<(), Box<Violation>> {
        let primary = self.stage.primary();
        let next = (0..self.nodes).find(|index| Some(*index) != primary).expect("another node");
        let end = Instant::now() + Duration::from_secs(60);
        while self.stage.primary() != Some(next) {
            if Instant::now() > end {
                return Err(self.stage.violation("never happened: a planned change with all well"));
            }
            self.make_well().await?;
            let stage = &mut self.stage;
            // One that is far behind is refused, and nearer the next time.
            let action = Action::Switchover(NodeId::new(format!("n{}", next + 1)));
            drop(stage.handle.ask(action, "mend"));
            stage.pass(Duration::from_secs(1), MEND).await?;
        }
        self.make_well().await?;
        let stage = &mut self.stage;
        let automatic = stage.handle.elastic().automatic;
        let before = stage.handle.view.load().generation;
        stage.pass(QUIET, MEND).await?;
        if !automatic && stage.handle.view.load().generation != before {
            return Err(stage.violation("the view changes with all well and nothing asked for"));
        }
        Ok(())
    }

    async fn all_have_everything(&mut self) -> Result<(), Box<Violation>> {
        let all = |stage: &Stage| {
            let world = stage.world.lock();
            world.nodes.iter().all(|node| world.acknowledged.iter().all(|(_, trx)| node.has(trx)))
        };
        self.stage.until("all have everything", MEND, all).await
    }
}
