//! `tpcw cluster …`: a cluster that stays up, driven by hand.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use balancer::event::EventKind;
use emulator::control::{Action, Fault};
use tokio::time::sleep;

use crate::api::Api;
use crate::cli::{ClusterArgs, ClusterCommand};
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::keeper::{self, Answer, Home, Order, Place, Question};
use crate::logging;
use crate::status::Status;

/// Between two looks whether the keeper is ready.
const LOOK: Duration = Duration::from_millis(100);
/// How long `promote` waits for what becomes of it.
const PROMOTED: Duration = Duration::from_secs(30);
/// How long `down` waits for the keeper to be gone.
const GONE: Duration = Duration::from_secs(60);

/// Carries out one of the cluster commands.
pub async fn cluster(args: ClusterArgs, interrupt: &Interrupt) -> Outcome {
    let home = Home::of(&args.name)?;
    let name = args.name;
    match args.command {
        ClusterCommand::Up { workload, items, population, seed, listen, foreground, server } => {
            let order = Order {
                name,
                workload,
                items,
                population,
                seed,
                listen,
                server_binary: server.server_binary,
                offline: server.offline,
            };
            up(&home, order, foreground, interrupt).await
        }
        ClusterCommand::Status { json } => {
            let status = Status::of(place(&home, &name).await?).await;
            if json {
                let text = serde_json::to_string_pretty(&status).map_err(Failure::from_below)?;
                crate::print(&format!("{text}\n"));
            } else {
                crate::print(&status.table());
            }
            Ok(())
        }
        ClusterCommand::ScaleOut => told(ask(&home, &name, Question::Do(Action::ScaleOut)).await?),
        ClusterCommand::ScaleIn => steer(&home, &name, "POST", "/scale/in", "").await,
        ClusterCommand::Promote { node } => promote(&home, &name, &node).await,
        ClusterCommand::Enable { node } => switch(&home, &name, &node, "enable").await,
        ClusterCommand::Disable { node } => switch(&home, &name, &node, "disable").await,
        ClusterCommand::Drain { node } => switch(&home, &name, &node, "drain").await,
        ClusterCommand::Strategy { name: wanted } => {
            let body = serde_json::json!({ "strategy": wanted }).to_string();
            steer(&home, &name, "PUT", "/strategy", &body).await
        }
        ClusterCommand::Fail { node, fault, words } => {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let fault = Fault::parse(&fault, &words).map_err(Failure::usage)?;
            let action = Action::Fault { node: keeper::selector(&node), fault };
            told(ask(&home, &name, Question::Do(action)).await?)
        }
        ClusterCommand::Heal { node } => {
            told(ask(&home, &name, Question::Do(Action::Heal { node: keeper::selector(&node) })).await?)
        }
        ClusterCommand::Down => down(&home, &name).await,
    }
}

/// Where the cluster is.
async fn place(home: &Home, name: &str) -> Outcome<Place> {
    match ask(home, name, Question::Where).await? {
        Answer::Place(place) => Ok(place),
        Answer::Done(words) | Answer::Refused(words) => Err(Failure::surroundings(words)),
    }
}

/// The admin API of the cluster's balancer.
async fn api(home: &Home, name: &str) -> Outcome<Api> {
    let none = || Failure::surroundings(format!("the cluster `{name}` has no admin API"));
    place(home, name).await?.admin.map(Api::new).ok_or_else(none)
}

/// One request to the balancer, and its answer in its own words.
async fn steer(home: &Home, name: &str, method: &str, path: &str, body: &str) -> Outcome {
    let answer = api(home, name).await?.ask(method, path, body).await?;
    crate::print(&format!("{}\n", answer.trim_end()));
    Ok(())
}

async fn switch(home: &Home, name: &str, node: &str, how: &str) -> Outcome {
    steer(home, name, "POST", &format!("/nodes/{}/{how}", plain(node)?), "").await
}

/// A node's name as part of a path.
fn plain(node: &str) -> Outcome<&str> {
    let fits = !node.is_empty() && node.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    fits.then_some(node).ok_or_else(|| Failure::usage(format!("`{node}` is no node's name")))
}

/// Asks for the change and waits for what became of it.
async fn promote(home: &Home, name: &str, node: &str) -> Outcome {
    let api = api(home, name).await?;
    let before = api.events(0).await?.last().map_or(0, |event| event.sequence);
    api.ask("POST", &format!("/nodes/{}/promote", plain(node)?), "").await?;
    let end = tokio::time::Instant::now() + PROMOTED;
    while tokio::time::Instant::now() < end {
        for event in api.events(before).await? {
            match event.kind {
                EventKind::Promoted => {
                    crate::print(&format!("{} is the primary: {}\n", event.node, event.detail));
                    return Ok(());
                }
                EventKind::ActionFailed if event.detail.starts_with("Switchover") => {
                    return Err(Failure::surroundings(event.detail));
                }
                _ => {}
            }
        }
        sleep(LOOK).await;
    }
    Err(Failure::surroundings(format!("{node} has not become the primary within {PROMOTED:?}")))
}

async fn ask(home: &Home, name: &str, question: Question) -> Outcome<Answer> {
    home.ask(&question).await?.ok_or_else(|| {
        Failure::surroundings(format!("no cluster `{name}` is up; start one: tpcw cluster up"))
    })
}

fn told(answer: Answer) -> Outcome {
    match answer {
        Answer::Done(words) => {
            crate::print(&format!("{words}\n"));
            Ok(())
        }
        Answer::Refused(why) => Err(Failure::surroundings(why)),
        Answer::Place(place) => {
            Err(Failure::surroundings(format!("the keeper of {} says where it is", place.name)))
        }
    }
}

async fn up(home: &Home, order: Order, foreground: bool, interrupt: &Interrupt) -> Outcome {
    if home.ask(&Question::Where).await?.is_some() {
        return Err(Failure::usage(format!(
            "a cluster `{}` is up already; take it down (tpcw cluster down) or give another --name",
            order.name
        )));
    }
    // Wrong names and files are told here, not in the background.
    crate::workload::read(order.workload.as_deref())?;
    home.make().map_err(|error| Failure::surroundings(format!("no folder for the cluster: {error}")))?;
    if foreground {
        logging::to_file(&home.file("keeper.log"))?;
        return keeper::keep(order, interrupt).await;
    }
    let mut keeper = Background::start(home, &order)?;
    loop {
        keeper.repeat_progress();
        if let Some(Answer::Place(place)) = home.ask(&Question::Where).await? {
            crate::print(&Status::of(place).await.table());
            return Ok(());
        }
        if keeper.ended()? {
            keeper.repeat_progress();
            return Err(Failure::surroundings(format!(
                "the cluster did not come up; see {}",
                home.file("keeper.log").display()
            )));
        }
        tokio::select! {
            () = sleep(LOOK) => {}
            () = interrupt.stop.cancelled() => {
                keeper.end();
                return Err(Failure::surroundings("interrupted; the cluster goes down"));
            }
        }
    }
}

/// The keeper's process, in a session of its own: the terminal's Ctrl-C does not reach it.
struct Background {
    child: Child,
    progress: File,
}

impl Background {
    fn start(home: &Home, order: &Order) -> Outcome<Self> {
        let failed = |what: &str, error: std::io::Error| Failure::surroundings(format!("{what}: {error}"));
        let file = home.file("order.json");
        let text = serde_json::to_vec(order).map_err(Failure::from_below)?;
        std::fs::write(&file, text).map_err(|error| failed("the order cannot be written", error))?;
        let output = home.file("progress.txt");
        let out = File::create(&output).map_err(|error| failed("the progress cannot be written", error))?;
        let progress = File::open(&output).map_err(|error| failed("the progress cannot be read", error))?;
        let program =
            std::env::current_exe().map_err(|error| failed("this program cannot be found", error))?;
        let mut command = Command::new(program);
        command.arg("keep").arg("--order").arg(&file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(out);
        detach(&mut command);
        let child = command.spawn().map_err(|error| failed("the keeper cannot be started", error))?;
        Ok(Self { child, progress })
    }

    fn repeat_progress(&mut self) {
        let mut text = String::new();
        let at = self.progress.stream_position().unwrap_or_default();
        if self.progress.read_to_string(&mut text).is_err() {
            let _ = self.progress.seek(SeekFrom::Start(at));
        }
        text.lines().for_each(crate::say);
    }

    fn ended(&mut self) -> Outcome<bool> {
        let status = self
            .child
            .try_wait()
            .map_err(|error| Failure::surroundings(format!("the keeper is lost: {error}")))?;
        Ok(status.is_some())
    }

    fn end(&self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id() as i32) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
    }
}

fn detach(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    // SAFETY: setsid is async-signal-safe and touches no memory of this process.
    unsafe {
        command.pre_exec(|| rustix::process::setsid().map(|_| ()).map_err(Into::into));
    }
}

async fn down(home: &Home, name: &str) -> Outcome {
    let answer = ask(home, name, Question::Down).await?;
    let end = tokio::time::Instant::now() + GONE;
    while home.file("order.json").exists() && tokio::time::Instant::now() < end {
        sleep(LOOK).await;
    }
    match answer {
        Answer::Done(_) => {
            crate::print("the cluster is down\n");
            Ok(())
        }
        other => told(other),
    }
}
