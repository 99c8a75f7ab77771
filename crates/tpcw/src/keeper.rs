//! The process that keeps a cluster up, and how others talk to it: one JSON line each way on a unix socket in a folder
//! that only its owner may enter.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use emulator::control::{Action, Control, NodeSelector};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use crate::cli::ServerArgs;
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::stage::{Stage, StagePlan};
use crate::workload;

/// Longest question.
const LONGEST: u64 = 64 << 10;
/// An answer takes at most so long: the longest is `down`, which stops every node.
const PATIENCE: Duration = Duration::from_secs(60);

/// What `cluster up` was asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// The cluster's name.
    pub name: String,
    /// The workload whose cluster and balancer are wanted.
    pub workload: Option<String>,
    /// See the flags of the same names.
    pub items: Option<u32>,
    /// See `items`.
    pub population: Option<u32>,
    /// See `items`.
    pub seed: Option<u64>,
    /// See `items`.
    pub listen: Option<SocketAddr>,
    /// See `items`.
    pub server_binary: Option<PathBuf>,
    /// See `items`.
    pub offline: bool,
}

/// A question to the keeper.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Question {
    /// Where are you?
    Where,
    /// Do something to the cluster.
    Do(Action),
    /// End.
    Down,
}

/// Where a kept cluster is to be found. How it is, its balancer's admin API tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Place {
    /// The cluster's name.
    pub name: String,
    /// The keeper's process.
    pub pid: u32,
    /// The shop's address behind the balancer, with its password.
    pub target: String,
    /// The balancer's admin API.
    pub admin: Option<SocketAddr>,
}

/// The keeper's answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Question::Where`].
    Place(Place),
    /// Done, in words.
    Done(String),
    /// Not done, and why.
    Refused(String),
}

/// The folder of a kept cluster.
#[derive(Clone, Debug)]
pub struct Home {
    folder: PathBuf,
}

impl Home {
    /// Of the cluster with this name.
    ///
    /// # Errors
    /// Exit code 2 for names that are no plain words.
    pub fn of(name: &str) -> Outcome<Self> {
        if name.is_empty()
            || name.len() > 32
            || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        {
            return Err(Failure::usage(format!(
                "--name `{name}`: allowed are 1 to 32 letters, digits, `-` and `_`"
            )));
        }
        let user = rustix::process::getuid().as_raw();
        Ok(Self { folder: std::env::temp_dir().join(format!("tpcw-kept-{user}")).join(name) })
    }

    /// Makes the folder, for its owner alone.
    pub fn make(&self) -> io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        std::fs::set_permissions(&self.folder, std::fs::Permissions::from_mode(0o700))
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn socket(&self) -> PathBuf {
        self.file("control.sock")
    }

    /// Asks the keeper; `None` when there is none.
    ///
    /// # Errors
    /// Exit code 3 when it does not answer as it should.
    pub async fn ask(&self, question: &Question) -> Outcome<Option<Answer>> {
        let Ok(stream) = UnixStream::connect(self.socket()).await else { return Ok(None) };
        let asked = timeout(PATIENCE, exchange(stream, question)).await;
        match asked {
            Ok(Ok(answer)) => Ok(Some(answer)),
            Ok(Err(error)) => Err(Failure::surroundings(format!("the cluster's keeper broke off: {error}"))),
            Err(_) => Err(Failure::surroundings("the cluster's keeper does not answer")),
        }
    }
}

async fn exchange(mut stream: UnixStream, question: &Question) -> io::Result<Answer> {
    let mut line = serde_json::to_vec(question)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await?;
    Ok(serde_json::from_str(&answer)?)
}

/// Sets the stage and answers questions until told to end.
pub async fn keep(order: Order, interrupt: &Interrupt) -> Outcome {
    let home = Home::of(&order.name)?;
    let mut resolved = workload::read(order.workload.as_deref())?;
    let wanted = &mut resolved.workload;
    wanted.items = order.items.unwrap_or(wanted.items);
    wanted.population = order.population.unwrap_or(wanted.population);
    wanted.seed = order.seed.unwrap_or(wanted.seed);
    // Whoever keeps a cluster up by hand may want to break any part of it.
    wanted.cluster.relays.get_or_insert(true);
    wanted.cluster.watch_writes.get_or_insert(true);
    let server = ServerArgs { server_binary: order.server_binary.clone(), offline: order.offline };
    let plan = StagePlan::of(&resolved, server, order.listen);
    let stage = tokio::select! {
        // The folder stays: why it could not be set stands in the log.
        stage = Stage::set(plan, &crate::say, false) => stage?,
        () = interrupt.stop.cancelled() => {
            let _ = std::fs::remove_dir_all(&home.folder);
            return Ok(());
        }
    };
    let outcome = answer_all(&home, &order.name, &stage, interrupt).await;
    stage.strike().await;
    let _ = std::fs::remove_dir_all(&home.folder);
    outcome
}

async fn answer_all(home: &Home, name: &str, stage: &Stage, interrupt: &Interrupt) -> Outcome {
    let _ = std::fs::remove_file(home.socket());
    let listener = UnixListener::bind(home.socket()).map_err(|error| {
        Failure::surroundings(format!("{} cannot be used: {error}", home.socket().display()))
    })?;
    let control: Arc<dyn Control> = stage.control("operator");
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a question could not be taken");
                    continue;
                }
            },
            () = interrupt.stop.cancelled() => return Ok(()),
        };
        match timeout(PATIENCE, answer_one(stream, name, stage, control.as_ref())).await {
            Ok(Ok(true)) => return Ok(()),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a question was not understood"),
            Err(_) => tracing::warn!("a question took too long"),
        }
    }
}

/// Answers one question; `true` when it asked for the end.
async fn answer_one(
    stream: UnixStream,
    name: &str,
    stage: &Stage,
    control: &dyn Control,
) -> io::Result<bool> {
    let (reading, mut writing) = stream.into_split();
    let mut line = String::new();
    BufReader::new(reading.take(LONGEST)).read_line(&mut line).await?;
    let question: Question = serde_json::from_str(&line)?;
    let answer = match &question {
        Question::Where => Answer::Place(Place {
            name: name.to_owned(),
            pid: std::process::id(),
            target: stage.shop_url(),
            admin: stage.admin_address(),
        }),
        Question::Do(action) => match control.ask(action.clone()).await {
            Ok(done) => Answer::Done(describe(action, &done.node, &done.detail)),
            Err(error) => Answer::Refused(error.to_string()),
        },
        Question::Down => Answer::Done("going down".to_owned()),
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    writing.write_all(&line).await?;
    Ok(matches!(question, Question::Down))
}

fn describe(action: &Action, node: &str, detail: &str) -> String {
    match action {
        Action::ScaleOut => "scale-out requested".to_owned(),
        Action::ScaleIn => "scale-in requested".to_owned(),
        Action::Promote { .. } => format!("{node}: promotion requested"),
        Action::Strategy { name } => format!("reads are spread by {name}"),
        Action::Fault { .. } | Action::Heal { .. } => format!("{node}: {detail}"),
    }
}

/// What a person means by a node's name.
pub fn selector(text: &str) -> NodeSelector {
    match text {
        "primary" => NodeSelector::Primary,
        "replica" => NodeSelector::Replica,
        "last" => NodeSelector::Last,
        name => NodeSelector::Named(name.to_owned()),
    }
}

/// Reads an order that `up` has left.
pub fn read_order(path: &Path) -> Outcome<Order> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("the order {} cannot be read: {error}", path.display())))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::usage(format!("the order {}: {error}", path.display())))
}
