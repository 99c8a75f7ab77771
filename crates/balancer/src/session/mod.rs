//! One client: login, then a loop of commands.

pub mod agree;
pub mod alarm;
mod binary;
pub mod client;
pub mod execute;
pub mod kill;
pub mod line;
mod local;
pub mod login;
pub mod logins;
pub mod lull;
pub mod memory;
mod own;
pub mod prepared;
pub mod reads;
pub mod relay;
pub mod roster;
pub mod seats;
pub mod state;
pub mod watch;
pub mod worker;

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpStream;

use self::alarm::Alarm;
use self::client::{Client, Gone, Heard};
use self::execute::outcome::Marking;
use self::execute::{First, Reached, Work};
use self::login::LoggedIn;
use self::lull::Deadline;
use self::prepared::Prepared;
use self::reads::Reads;
use self::roster::Card;
use self::seats::Seat;
use self::state::{State, Tied};
use self::worker::Worker;
use crate::accounts::known::Known;
use crate::pool::connect::Key;
use crate::pool::image::Image;
use crate::route::{Plan, Route};
use crate::sql::classify::{Kind, Marks, classify_as};
use crate::sql::lexer::may_halve_characters;
use crate::wire::capabilities::Capabilities;
use crate::wire::command::Command;
use crate::wire::handshake::{Attributes, ChangeUser};
use crate::wire::packet::{HEADER, MAX_PAYLOAD};
use crate::wire::trackers::Trackers;
use crate::wire::transport::Transport;

/// A logged-in client and all that is known of it.
#[derive(Debug)]
pub struct Session {
    worker: Rc<Worker>,
    alarm: Alarm,
    client: Client,
    key: Key,
    account: Arc<Known>,
    /// What the client says of itself.
    pub attributes: Attributes,
    state: State,
    reads: Reads,
    prepared: Prepared,
    tied: Option<Tied>,
    marking: Marking,
    listener: usize,
    card: Rc<Card>,
    seat: Seat,
    /// See [`LoggedIn::scramble`].
    scramble: Option<Vec<u8>>,
}

/// Serves one client of a listener until it leaves.
pub async fn serve(worker: Rc<Worker>, stream: TcpStream, listener: usize) {
    let _ = stream.set_nodelay(true);
    let id = worker.shared.next_id.fetch_add(1, Relaxed);
    let mut client = Client::new(Transport::plain(stream), id, worker.shared.memory.clone());
    match begin(&worker, &mut client).await {
        Ok((logged_in, seat)) => {
            let mut session = Session::new(worker, client, listener, logged_in, seat);
            if let Err(Gone::Malformed(error)) = session.run().await {
                tracing::debug!(client = id, %error, "a client broke the protocol");
            }
            session.let_go();
        }
        Err(error) => tracing::debug!(client = id, %error, "no login"),
    }
}

/// Greeting and login, within their limit; one client too many is sent away.
async fn begin(worker: &Worker, client: &mut Client) -> Result<(LoggedIn, Seat), Gone> {
    let limits = &worker.shared.config.limits;
    if worker.shared.clients.load(Relaxed) > limits.clients {
        client.error(1040, "08004", "Too many connections").await?;
        return Err(Gone::Over);
    }
    let Some(logging_in) = worker.logins.enter(&worker.shared.logging_in, limits.logins) else {
        let message = format!("Too many connections: {} clients have not logged in yet", limits.logins);
        client.error(1040, "08004", &message).await?;
        return Err(Gone::Over);
    };
    let limit = Duration::from_millis(limits.login_ms);
    let logged_in = tokio::select! {
        logged_in = tokio::time::timeout(limit, login::log_in(client, worker)) => logged_in,
        () = logging_in.cut() => return Err(Gone::Over),
    };
    let logged_in = logged_in.map_err(|_| Gone::Io(std::io::ErrorKind::TimedOut.into()))??;
    let seat = take_seat(worker, client, &logged_in.account.name).await?;
    Ok((logged_in, seat))
}

/// A seat for one more client of an account; one too many is told so and sent away.
async fn take_seat(worker: &Worker, client: &mut Client, name: &str) -> Result<Seat, Gone> {
    let limit = worker.shared.config.limits.of(name).clients;
    if let Some(seat) = worker.shared.seats.take(name, limit) {
        return Ok(seat);
    }
    let message = format!(
        "User '{name}' has exceeded the 'max_user_connections' resource (current value: {})",
        limit.unwrap_or_default()
    );
    client.error(1226, "42000", &message).await?;
    Err(Gone::Over)
}

impl Drop for Session {
    fn drop(&mut self) {
        self.worker.roster.strike(self.client.id);
    }
}

impl Session {
    fn new(worker: Rc<Worker>, client: Client, listener: usize, logged_in: LoggedIn, seat: Seat) -> Self {
        let from = client.stream.peer_addr().ok();
        let card = worker.roster.enter(client.id, &logged_in.account.name, from, client.lull.clone());
        let key = Key {
            account: logged_in.account.id,
            capabilities: client.capabilities.and(Capabilities::SHARED),
            collation: logged_in.collation,
        };
        let image = worker.images.one(Image { schema: logged_in.schema.map(Into::into), ..Image::default() });
        let state = State::new(image, logged_in.collation, worker.images.clone());
        let reads = Reads::new(&worker.shared.config, &worker.shared.listeners[listener]);
        let prepared = Prepared::new(worker.shared.memory.clone());
        let alarm = worker.shared.registry.enter(client.id, &logged_in.account.name);
        let LoggedIn { account, attributes, scramble, .. } = logged_in;
        card.set_program(&attributes);
        Self {
            worker,
            alarm,
            client,
            key,
            account,
            attributes,
            state,
            reads,
            prepared,
            tied: None,
            marking: Marking::default(),
            listener,
            card,
            seat,
            scramble,
        }
    }

    /// The command loop.
    async fn run(&mut self) -> Result<(), Gone> {
        if !self.enter_schema().await? {
            return Ok(());
        }
        agree::begin_packing(&mut self.client, &self.worker);
        let limits = &self.worker.shared.config.limits;
        let packet = limits.packet_bytes;
        let idle = (limits.idle_ms != 0).then_some(Duration::from_millis(limits.idle_ms));
        loop {
            self.card.lull.restart();
            self.client.finish_command();
            let limit = idle.into_iter().chain(self.state.wait_timeout).min();
            let heard = match limit {
                None => poll_fn(|context| self.poll_command(context, packet)).await,
                Some(_) => Heard::Otherwise,
            };
            match heard {
                Heard::Command => {}
                Heard::Otherwise => self.receive(packet, limit).await?,
                Heard::TooMuch => {
                    self.client.sequence = 1;
                    self.client.out_of_memory().await?;
                    return Err(Gone::Over);
                }
            }
            let (plan, routed) = match self.begin() {
                First::Sent(mut short) => {
                    let reached = poll_fn(|context| self.poll_short(&mut short, context)).await;
                    if !matches!(reached, Reached::End) {
                        self.end_long(short, reached).await?;
                    }
                    continue;
                }
                First::Long(plan, routed) => (plan, routed),
            };
            match Command::of(self.client.payload()) {
                Ok(Some(command)) => self.obey(command, plan, routed).await?,
                Ok(None) => self.client.error(1047, "08S01", "Unknown command").await?,
                Err(error) => {
                    self.client.error(1835, "HY000", "Malformed communication packet").await?;
                    return Err(error.into());
                }
            }
        }
    }

    /// Waits for the next command; KILL, and the limit for idle clients, end the wait.
    fn poll_command(&mut self, context: &mut Context<'_>, packet: usize) -> Poll<Heard> {
        // First, so that what was meant for the statement before never ends the next one.
        if self.alarm.is_ringing(context) {
            return Poll::Ready(Heard::Otherwise);
        }
        self.client.poll_command(context, packet)
    }

    /// The same for whatever there is between client and session, and whatever comes.
    async fn receive(&mut self, packet: usize, limit: Option<Duration>) -> Result<(), Gone> {
        let lull = &self.card.lull;
        let receive = self.client.receive(0, packet);
        let received = match limit {
            None => self.alarm.unless_ended(receive).await,
            Some(limit) => {
                let timed = Deadline::after(limit, lull).or(lull, receive);
                self.alarm.unless_ended(timed).await.flatten()
            }
        };
        received.unwrap_or(Err(Gone::Over))
    }

    /// Does what a command asks for. `plan` and `routed`: what is known of it already.
    async fn obey(
        &mut self,
        command: Command,
        plan: Option<Plan>,
        routed: Option<Route>,
    ) -> Result<(), Gone> {
        match command {
            Command::Query => self.query(plan, routed).await,
            Command::Execute => self.execute(false, routed).await,
            Command::BulkExecute => self.execute(true, None).await,
            Command::Prepare => self.prepare().await,
            Command::CloseStatement => {
                self.close_statement().await;
                Ok(())
            }
            Command::SendLongData => {
                self.keep_long_data();
                Ok(())
            }
            Command::ResetStatement => self.reset_statement().await,
            Command::Fetch => self.fetch().await,
            Command::Ping => self.client.ok(self.state.status).await,
            Command::Quit => Err(Gone::Over),
            Command::InitDb => {
                let plan = Plan::plain(Kind::Session, Marks::NONE, "default schema");
                self.perform(Work::Command, plan).await
            }
            Command::FieldList => {
                let plan = Plan::plain(Kind::Read, Marks::NONE, "reads");
                self.perform(Work::FieldList, plan).await
            }
            Command::SetOption => self.set_option().await,
            Command::Statistics => self.statistics().await,
            Command::ChangeUser => self.change_user().await,
            Command::ResetConnection => {
                self.learn_last_position().await;
                let schema = self.state.image.schema.clone();
                self.forget(self.worker.images.one(Image { schema, ..Image::default() }));
                self.client.ok(self.state.status).await
            }
            Command::ProcessKill => self.kill_command().await,
            Command::Refresh => {
                let plan = Plan::plain(Kind::Write, Marks::COMMITS, "locks or flushes");
                self.perform(Work::Command, plan).await
            }
            Command::ProcessInfo => {
                let plan = Plan::plain(Kind::Read, Marks::PRIMARY, "asks about one server");
                self.perform(Work::Command, plan).await
            }
            Command::Shutdown => self.not_allowed("SHUTDOWN").await,
            Command::Debug => self.not_allowed("SUPER").await,
            Command::BinlogDump | Command::BinlogDumpGtid | Command::RegisterReplica => {
                let message = "Replication from the balancer is not possible: connect replicas to a node";
                self.client.error(1227, "42000", message).await
            }
        }
    }

    /// Refuses what would concern a node as a whole, whoever asks.
    async fn not_allowed(&mut self, privilege: &str) -> Result<(), Gone> {
        let message = format!(
            "Access denied; you need (at least one of) the {privilege} privilege(s) for this operation"
        );
        self.client.error(1227, "42000", &message).await
    }

    /// A text.
    async fn query(&mut self, plan: Option<Plan>, routed: Option<Route>) -> Result<(), Gone> {
        let plan = plan.unwrap_or_else(|| self.plan_of_command());
        if plan.token && !self.take_hinted_token().await? {
            return Ok(());
        }
        match plan.kind {
            Kind::Status => self.show_status().await,
            Kind::Sessions => self.show_sessions().await,
            Kind::ExplainRoute(at) => self.explain_route(at).await,
            Kind::Own(own) => self.own(own).await,
            Kind::Kill => self.kill_text().await,
            Kind::Read if plan.marks.any(Marks::OWN_ID) => self.own_id(plan).await,
            _ => self.perform_routed(Work::Command, plan, routed).await,
        }
    }

    /// What the text of the command under way is and where it goes.
    fn plan_of_command(&self) -> Plan {
        if self.client.command > HEADER + MAX_PAYLOAD {
            return self.plan(&self.client.whole_payload()[1..]);
        }
        self.plan(&self.client.payload()[1..])
    }

    /// What a text is and where it goes.
    fn plan(&self, text: &[u8]) -> Plan {
        let statement = classify_as(text, self.state.manner);
        let mut plan = if statement.hint == Default::default() {
            Plan::plain(statement.kind, statement.marks, statement.reason)
        } else {
            Plan::of(&statement, &self.worker.shared.view.load())
        };
        if self.state.odd_texts && may_halve_characters(text) {
            plan.kind = Kind::Write;
            plan.marks = plan.marks.with(Marks::COMMITS.with(Marks::UNKNOWN));
            plan.reason = "the session's texts are read in an unusual way";
        }
        plan
    }

    /// Lets go of the connection that it is tied to.
    fn let_go(&mut self) {
        self.card.unpin();
        if let Some(lease) = self.tied.take().and_then(Tied::into_lease) {
            self.worker.recycle(lease, self.state.ties);
        }
    }

    /// Forgets all state: of the session, and with it what it left on the connection that it was tied to.
    fn forget(&mut self, image: Rc<Image>) {
        self.let_go();
        self.prepared.clear();
        self.client.trackers = Trackers::default();
        let last_write = std::mem::take(&mut self.state.last_write);
        self.state = State::new(image, self.key.collation, self.worker.images.clone());
        self.state.last_write = last_write;
        let shared = &self.worker.shared;
        self.reads.reset(&shared.config, &shared.listeners[self.listener]);
    }

    /// Logs in again.
    async fn change_user(&mut self) -> Result<(), Gone> {
        let asked = match ChangeUser::read(&self.client.payload()[1..], self.client.capabilities) {
            Ok(asked) => asked,
            Err(error) => {
                self.client.error(1047, "08S01", "Unknown command").await?;
                return Err(error.into());
            }
        };
        let limit = Duration::from_millis(self.worker.shared.config.limits.login_ms);
        let worker = self.worker.clone();
        let proof = self.scramble.clone().map(|scramble| (asked.proof, scramble));
        let again = login::log_in_again(&mut self.client, &worker, asked.name, asked.plugin, proof);
        let again = tokio::time::timeout(limit, again).await;
        let account = again.map_err(|_| Gone::Io(std::io::ErrorKind::TimedOut.into()))??;
        self.learn_last_position().await;
        if account.id != self.account.id {
            self.seat = take_seat(&worker, &mut self.client, &account.name).await?;
            self.card.set_account(&account.name);
            self.alarm.belongs_to(&account.name);
        }
        self.account = account;
        self.attributes = asked.attributes;
        self.card.set_program(&self.attributes);
        self.key.account = self.account.id;
        self.key.collation = asked.collation.unwrap_or(self.key.collation);
        let image = Image { schema: asked.schema.map(Into::into), ..Image::default() };
        self.forget(self.worker.images.one(image));
        if self.enter_schema().await? { Ok(()) } else { Err(Gone::Over) }
    }
}
