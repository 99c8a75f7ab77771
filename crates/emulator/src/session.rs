//! One emulated browser: choose, perform, record, think.
//!
//! ```text
//!          ┌────────────── think ◄─────────────┐
//!          ▼                                   │
//!  ──► choose ──► wait until due ──► ask ──► served
//!                      │              │ ▲      │
//!                      │       failed ▼ │      │ given up: the walk goes on from here
//!                      ▼           back off ───┘
//!                     end ◄────────── told to end, at the boundary of a page
//! ```
//!
//! A page is chosen before the browser thinks, and its request, with every choice in it, is made once: however often it fails
//! and whenever it succeeds, the browser walks the same way. Its latency counts from when it was due, the end of the think
//! time, to its success, the failed tries and waits in between included.

mod links;
mod order;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use bookstore::store::{FailureClass, StoreError};
use bookstore::{Input, Interaction, Mix, Page, Request, Shop, Visit, prepare};
use rand_xoshiro::Xoshiro256PlusPlus;
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::links::Links;
use self::order::PendingOrder;
use crate::alarm::Alarm;
use crate::generator::Threads;
use crate::guarantees::Memory;
use crate::ledger::Ledger;
use crate::load::Arrivals;
use crate::recorder::messages::FirstMessages;
use crate::recorder::tally::{Step, Tally, Times};
use crate::seed::{Life, Purpose, derive, stream};
use crate::target::{Link, Target};
use crate::think::{ThinkTime, means, unit, visit_length};
use crate::workload::Retry;

/// What all browsers of a run share.
#[derive(Debug)]
pub(crate) struct Crew<T> {
    pub target: T,
    pub shop: Shop,
    pub mix: Mix,
    pub think: ThinkTime,
    /// Of an open load.
    pub arrivals: Option<Arrivals>,
    /// Visitors a second at its peak.
    pub visitors: f64,
    /// Connections that all browsers share; each has its own when not given.
    pub connections: Option<u32>,
    /// Visitors at once in an open load.
    pub most: u32,
    pub visit_length: Duration,
    pub retry: Retry,
    pub seed: u64,
    pub start: Instant,
    pub ledger: Ledger,
    /// Browsers running.
    pub running: AtomicU32,
    /// Pages that ended well.
    pub served: AtomicU64,
    /// Cancelled when `served` reaches it.
    pub stop_after: Option<u64>,
    pub enough: CancellationToken,
    /// Cancelled when the run is stopped from outside: nobody waits for long then.
    pub hurry: CancellationToken,
    pub threads: Threads,
    pub messages: FirstMessages,
    /// Visitors of an open load who found no room.
    pub turned_away: AtomicU64,
}

impl<T> Crew<T> {
    fn count_page(&self) {
        let served = self.served.fetch_add(1, Ordering::Relaxed) + 1;
        if self.stop_after.is_some_and(|most| served >= most) {
            self.enough.cancel();
        }
    }
}

/// What the browsers of one worker share.
#[derive(Debug)]
pub(crate) struct Room<L> {
    pub tally: Arc<Tally>,
    pub alarm: Alarm,
    /// Shared connections; each browser has its own when there are none.
    pub links: Option<Links<L>>,
}

impl<L: Link> Room<L> {
    pub(crate) fn new(tally: Arc<Tally>, alarm: Alarm, connections: Option<u32>) -> Self {
        Self { tally, alarm, links: connections.map(Links::new) }
    }
}

/// Browses until told to end.
pub(crate) async fn browse<T: Target>(
    crew: Arc<Crew<T>>,
    room: Arc<Room<T::Link>>,
    life: Life,
    told: CancellationToken,
) {
    let _running = Running::count(&crew.running);
    let mut browser = Browser::new(&crew, &room, life, told);
    let mut due = Instant::now() + crew.think.first_wait(&mut browser.think);
    let mut thought = None;
    loop {
        let page = browser.choose().await;
        let request = prepare(page, &crew.shop, &browser.visit, &mut browser.input);
        if !browser.waited_until(due).await {
            break;
        }
        let now = Instant::now();
        room.tally.woke(now, browser.step(page, thought), now - due);
        // On the heap while it is asking: most browsers are thinking most of the time.
        Box::pin(browser.see(page, request, due)).await;
        if browser.told.is_cancelled() {
            break;
        }
        let think = crew.think.draw(&mut browser.think);
        thought = Some(think);
        due = Instant::now() + think;
    }
    browser.leave().await;
}

/// A visitor of an open load: arrives when due, walks from home until the walk leads home again, and leaves. Each page is due a think
/// time after the one before was *due*, not after it was served, so that a slow shop is asked for no less.
pub(crate) async fn visit<T: Target>(
    crew: Arc<Crew<T>>,
    room: Arc<Room<T::Link>>,
    life: Life,
    told: CancellationToken,
    arrived: Instant,
) {
    let _running = Running::count(&crew.running);
    let mut browser = Browser::new(&crew, &room, life, told);
    let (mut due, mut thought) = (arrived, None);
    loop {
        let page = browser.choose().await;
        if let (Interaction::Home, Some(from)) = (page, browser.before) {
            room.tally.left(Instant::now(), from, page);
            break;
        }
        let request = prepare(page, &crew.shop, &browser.visit, &mut browser.input);
        let free = Instant::now();
        if !browser.waited_until(due).await {
            break;
        }
        let now = Instant::now();
        // What the page before took too long is the shop's lateness, not the generator's; an arrival can only be the generator's.
        let late = if thought.is_some() { now - due.max(free) } else { now - due };
        room.tally.woke(now, browser.step(page, thought), late);
        Box::pin(browser.see(page, request, due)).await;
        if browser.told.is_cancelled() {
            break;
        }
        let think = crew.think.draw(&mut browser.think);
        thought = Some(think);
        due += think;
    }
    browser.leave().await;
}

/// Counts a browser for as long as it runs, however it ends.
struct Running<'a>(&'a AtomicU32);

impl<'a> Running<'a> {
    fn count(running: &'a AtomicU32) -> Self {
        running.fetch_add(1, Ordering::Relaxed);
        Self(running)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Browser<'a, T: Target> {
    crew: &'a Crew<T>,
    room: &'a Room<T::Link>,
    number: u32,
    told: CancellationToken,
    walk: Input,
    input: Input,
    think: Xoshiro256PlusPlus,
    visits: Xoshiro256PlusPlus,
    jitter: Xoshiro256PlusPlus,
    visit: Visit,
    /// When the visit began, and how long it is to last at least; none before the first.
    lasting: Option<(Instant, Duration)>,
    /// The page that was asked for last, whatever became of it.
    page: Option<Interaction>,
    /// The page before it in this visit, for the table of transitions.
    from: Option<Interaction>,
    /// The page before it, of whichever visit.
    before: Option<Interaction>,
    link: Option<T::Link>,
    /// The right to a shared connection, while it has one.
    permit: Option<SemaphorePermit<'a>>,
    /// The number of the connection used last: among the browser's own, or among the shared ones.
    connection: u64,
    /// Whether the last connection was lost, not left.
    lost: bool,
    memory: Memory,
}

impl<'a, T: Target> Browser<'a, T> {
    fn new(crew: &'a Crew<T>, room: &'a Room<T::Link>, life: Life, told: CancellationToken) -> Self {
        let random = |purpose| stream(crew.seed, life, purpose);
        let input = |purpose| Input::new(derive(crew.seed, life, purpose));
        Self {
            crew,
            room,
            number: life.browser,
            told,
            walk: input(Purpose::Walk),
            input: input(Purpose::Input),
            think: random(Purpose::Think),
            visits: random(Purpose::Visit),
            jitter: random(Purpose::Retry),
            visit: Visit::default(),
            lasting: None,
            page: None,
            from: None,
            before: None,
            link: None,
            permit: None,
            connection: 0,
            lost: false,
            memory: Memory::default(),
        }
    }

    /// The next page. Where it is home and the visit has lasted long enough, the next visitor begins with it.
    async fn choose(&mut self) -> Interaction {
        let next = match self.page {
            None => Interaction::Home,
            Some(page) => self.crew.mix.transitions().next(page, self.walk.uniform(1, 9_999) as u16),
        };
        (self.from, self.before) = (self.page, self.page);
        if next == Interaction::Home && self.visit_is_over() {
            self.begin_visit().await;
        }
        self.page = Some(next);
        next
    }

    /// Whether the visit, if there is one, has lasted long enough; then it is counted as ended.
    fn visit_is_over(&self) -> bool {
        let Some((began, least)) = self.lasting else { return true };
        let now = Instant::now();
        let over = now >= began + least;
        if over {
            let in_means = |time| means(time, self.crew.visit_length);
            self.room.tally.ended_visit(now, in_means(least), in_means(now - began));
        }
        over
    }

    async fn begin_visit(&mut self) {
        self.leave().await;
        self.visit = Visit::new(&self.crew.shop, &mut self.input);
        let (now, least) = (Instant::now(), visit_length(self.crew.visit_length, &mut self.visits));
        self.room.tally.began_visit(now, means(least, self.crew.visit_length));
        self.lasting = Some((now, least));
        self.memory.clear();
        self.from = None;
    }

    /// What leads to a page, for the tally.
    fn step(&self, to: Interaction, thought: Option<Duration>) -> Step {
        Step { from: self.before, to, thought, mean: self.crew.think.mean() }
    }

    async fn leave(&mut self) {
        self.lost = false;
        if let Some(link) = self.link.take() {
            Box::pin(link.close()).await;
        }
    }

    /// False when told to end before that.
    async fn waited_until(&mut self, due: Instant) -> bool {
        tokio::select! {
            biased;
            () = self.told.cancelled() => false,
            () = self.room.alarm.sleep_until(due) => true,
        }
    }

    /// Asks for a page until it is there, it is given up, or the browser is told to end.
    async fn see(&mut self, page: Interaction, mut request: Request, due: Instant) {
        let (mut tries, mut refusals, mut begun) = (0, 0, due);
        loop {
            tries += 1;
            let pending = PendingOrder::of(&mut request, self.crew, self.number);
            let (result, asked) = self.attempt(&request).await;
            let now = Instant::now();
            if let Some(pending) = pending {
                pending.settle(&result);
            }
            let error = match result {
                Ok(shown) => {
                    self.served(page, &request, &shown, Times { now, took: now - due, service: now - asked });
                    return self.give_back();
                }
                Err(error) => error,
            };
            self.failed(page, &error, now, now - begun);
            self.give_back();
            refusals += u32::from(error.class == FailureClass::Refused);
            if self.gives_up(page, &error, refusals).await {
                return;
            }
            let wait = self.crew.retry.wait(tries, unit(&mut self.jitter));
            if !self.waited_until(now + wait).await {
                return self.room.tally.gave_up(now);
            }
            begun = Instant::now();
        }
    }

    /// The answer, and when it was asked for: with a connection in hand, or when there was none to be had.
    async fn attempt(&mut self, request: &Request) -> (Result<Page, StoreError>, Instant) {
        if let Err(error) = self.connect().await {
            self.lost = true;
            return (Err(error), Instant::now());
        }
        let asked = Instant::now();
        let link = self.link.as_mut().expect("there is one now");
        link.answered().clear();
        (link.ask(request, &mut self.visit).await, asked)
    }

    async fn connect(&mut self) -> Result<(), StoreError> {
        if let (Some(links), None) = (&self.room.links, &self.permit) {
            let (permit, idle) = links.take().await;
            self.permit = Some(permit);
            if let Some((number, link)) = idle {
                (self.connection, self.link) = (number, Some(link));
            }
        }
        if self.link.is_none() {
            self.link = Some(self.crew.target.connect().await?);
            self.connection = self.room.links.as_ref().map_or(self.connection + 1, Links::number);
            let own = std::mem::take(&mut self.lost);
            if self.room.links.as_ref().map_or(own, Links::replaces_lost) {
                self.room.tally.reconnected(Instant::now());
            }
        }
        Ok(())
    }

    /// Lets others have a shared connection; a browser's own stays with it.
    fn give_back(&mut self) {
        let Some(links) = &self.room.links else { return };
        if let Some(link) = self.link.take() {
            links.give_back(self.connection, link);
        }
        self.permit = None;
    }

    fn served(&mut self, page: Interaction, request: &Request, shown: &Page, times: Times) {
        let answered = self.link.as_mut().map(|link| &*link.answered()).map_or(&[][..], |all| all);
        self.room.tally.served(self.from, page, times, answered);
        if let Some(stale) = self.memory.check(request, shown, self.connection, times.now) {
            tracing::warn!(browser = self.number, what = %stale.what, known_for = ?stale.known_for, "stale page");
            self.room.tally.stale(times.now, stale.across_connections);
        }
        self.crew.count_page();
    }

    fn failed(&mut self, page: Interaction, error: &StoreError, now: Instant, took: Duration) {
        tracing::debug!(browser = self.number, page = page.name(), %error, "page failed");
        self.crew.messages.note(error);
        let answered = self.link.as_mut().map(|link| &*link.answered()).map_or(&[][..], |all| all);
        self.room.tally.failed(now, page, error.class, took, answered);
        if matches!(page, Interaction::ShoppingCart | Interaction::BuyConfirm) {
            self.memory.doubt_cart();
        }
        if self.link.as_ref().is_some_and(|link| !link.usable()) {
            self.link = None;
            match &self.room.links {
                Some(links) => links.lose(),
                None => self.lost = true,
            }
        }
    }

    /// An order that may have been made is not asked for again; a page that is refused again and again never comes, and the
    /// next visitor takes over, as after a page that a browser cannot use.
    async fn gives_up(&mut self, page: Interaction, error: &StoreError, refusals: u32) -> bool {
        if page == Interaction::BuyConfirm && error.class == FailureClass::UnknownCommit {
            self.room.tally.gave_up(Instant::now());
            return true;
        }
        if refusals >= self.crew.retry.refusals {
            tracing::warn!(browser = self.number, page = page.name(), %error, "page given up");
            self.room.tally.gave_up(Instant::now());
            self.begin_visit().await;
            return true;
        }
        false
    }
}
