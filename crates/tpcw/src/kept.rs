//! A cluster that another process of the program keeps up, for as long as it is wanted here.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use balancer::view::NodeState;
use emulator::control::{Action, Fault, NodeSelector};
use rustix::process::Signal;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::api::Api;
use crate::failure::{Failure, Kind, Outcome};
use crate::interrupt::Interrupt;
use crate::keeper::{Answer, Home, Place, Question};
use crate::trial;

/// How long it may take to come up: the shop may have to be made first.
const PATIENCE: Duration = Duration::from_secs(600);
/// Between two looks whether it is up.
const LOOK: Duration = Duration::from_millis(200);

/// One, up. It ends with [`Kept::down`], is ended at once when dropped, and ends when this process is killed.
#[derive(Debug)]
pub struct Kept {
    keeper: Child,
    home: Home,
    place: Place,
}

impl Kept {
    /// Has `program` bring up the cluster of a workload.
    ///
    /// # Errors
    /// It does not come up; its own words are told.
    pub async fn up(program: &Path, name: &str, workload: &Path, interrupt: &Interrupt) -> Outcome<Self> {
        let home = Home::of(name)?;
        let mut command = Command::new(program);
        command.args(["cluster", "--name", name, "up"]).arg(workload).arg("--foreground");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        // In good order: it has nodes of its own to end.
        cluster::bind_to_parent(command.as_std_mut(), Signal::TERM);
        let mut keeper = command.spawn().map_err(|error| {
            Failure::surroundings(format!("{} cannot be started: {error}", program.display()))
        })?;
        let begun = Instant::now();
        loop {
            if let Some(Answer::Place(place)) = home.ask(&Question::Where).await? {
                return Ok(Self { keeper, home, place });
            }
            if let Ok(Some(status)) = keeper.try_wait() {
                let log = std::fs::read_to_string(home.file("keeper.log")).unwrap_or_default();
                let last = log.lines().last().unwrap_or_default();
                return Err(Failure::surroundings(format!(
                    "the cluster `{name}` did not come up: {status} {last}"
                )));
            }
            if begun.elapsed() > PATIENCE {
                trial::end(&mut keeper).await;
                return Err(Failure::surroundings(format!(
                    "the cluster `{name}` was not up within {PATIENCE:?}"
                )));
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                () = interrupt.stop.cancelled() => {
                    trial::end(&mut keeper).await;
                    return Err(Failure { kind: Kind::Interrupted, message: String::new() });
                }
            }
        }
    }

    /// The shop's address, password included.
    pub fn target(&self) -> &str {
        &self.place.target
    }

    /// The process that carries the balancer, whose children are the nodes.
    pub fn pid(&self) -> u32 {
        self.place.pid
    }

    /// Strikes every node that serves with a fault; in words, what was done to each.
    ///
    /// # Errors
    /// The fault cannot be made on one of them, or no node serves.
    pub async fn strike(&self, fault: &Fault) -> Outcome<String> {
        let none = || Failure::surroundings("the cluster has no admin API to name its nodes");
        let nodes = Api::new(self.place.admin.ok_or_else(none)?).nodes().await?;
        let mut words = Vec::new();
        for node in nodes.into_iter().filter(|node| node.state == NodeState::Serving) {
            let action = Action::Fault { node: NodeSelector::Named(node.node.clone()), fault: fault.clone() };
            match self.home.ask(&Question::Do(action)).await? {
                Some(Answer::Done(done)) => words.push(done),
                Some(Answer::Refused(why)) => {
                    return Err(Failure::surroundings(format!("{}: {why}", node.node)));
                }
                _ => return Err(Failure::surroundings("the cluster's keeper does not answer")),
            }
        }
        if words.is_empty() {
            return Err(Failure::surroundings("no node serves that could be struck"));
        }
        Ok(words.join(", "))
    }

    /// Ends it in good order.
    pub async fn down(mut self) {
        trial::end(&mut self.keeper).await;
    }
}
