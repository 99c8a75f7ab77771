//! The balancer of a stage, which may be killed and started anew: what it is now, and what all its lives have told.
//!
//! It has a runtime of its own for its control plane. Killed, that is dropped with all that was under way in it, the sockets of
//! clients and nodes close where they stand, and what is known is gone. The next life begins like that of a new process: from its
//! configuration, its state file, and what the nodes say.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use balancer::config::Config;
use balancer::control::Handle;
use balancer::event::{ClusterEvent, KEPT};
use balancer::server::{self, Balancer, StartError};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// A new life is tried for so long: nodes that have just been broken may not let it begin.
const REVIVED: Duration = Duration::from_secs(8);
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(100);

/// The balancer over all its lives.
#[derive(Debug)]
pub struct Front {
    config: Config,
    /// Taken while it is killed or started: one after the other.
    body: tokio::sync::Mutex<Option<Body>>,
    known: Mutex<Known>,
    lives: watch::Sender<u32>,
}

/// A life.
#[derive(Debug)]
struct Body {
    balancer: Option<Balancer>,
    /// Present until it is dropped, which must not wait for anything.
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Body {
    /// Drops all that the control plane has under way.
    fn stop_thinking(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.stop_thinking();
    }
}

/// What is known of the present life, or of the last one.
#[derive(Debug)]
struct Known {
    handle: Handle,
    /// What earlier lives have told.
    past: Vec<ClusterEvent>,
    /// The number of the last of these.
    base: u64,
}

impl Known {
    fn after(&self, number: u64) -> Vec<ClusterEvent> {
        let past = self.past.iter().filter(|event| event.sequence > number).cloned();
        let present = self.handle.events().after(number.saturating_sub(self.base)).into_iter();
        past.chain(present.map(|event| ClusterEvent { sequence: event.sequence + self.base, ..event }))
            .collect()
    }
}

impl Front {
    /// Begins its first life.
    ///
    /// # Errors
    /// The balancer's own.
    pub async fn start(mut config: Config) -> Result<Self, StartError> {
        let body = Body::begin(&config).await?;
        // Whoever knows the addresses is to find it there again.
        if let Some(balancer) = &body.balancer {
            (config.listen, config.admin) = (balancer.address, balancer.admin_address);
        }
        let known = Known { handle: body.handle.clone(), past: Vec::new(), base: 0 };
        let (body, known) = (tokio::sync::Mutex::new(Some(body)), Mutex::new(known));
        Ok(Self { config, body, known, lives: watch::channel(1).0 })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.config.listen
    }

    /// Where the admin API answers.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.config.admin
    }

    /// Steers the present life; when it is dead, what the last one knew.
    pub fn handle(&self) -> Handle {
        self.known().handle.clone()
    }

    /// What has happened in all lives, with numbers above this one.
    pub fn events_after(&self, number: u64) -> Vec<ClusterEvent> {
        self.known().after(number)
    }

    /// Kills it; in words, what was done.
    ///
    /// # Errors
    /// It is dead already.
    pub async fn kill(&self) -> Result<String, String> {
        let mut body = self.body.lock().await;
        let mut dying = body.take().ok_or("the balancer is dead already")?;
        dying.stop_thinking();
        let balancer = dying.balancer.take().ok_or("the balancer is dead already")?;
        let clients = balancer.clients();
        balancer.kill().await;
        Ok(format!("killed, with {clients} clients"))
    }

    /// Starts it anew if it is dead; in words, what was done.
    ///
    /// # Errors
    /// The balancer does not start, in its own words.
    pub async fn heal(&self) -> Result<String, String> {
        let mut body = self.body.lock().await;
        if body.is_some() {
            return Ok("was well".to_owned());
        }
        let begun = Instant::now();
        let next = loop {
            match Body::begin(&self.config).await {
                Ok(next) => break next,
                Err(error) if begun.elapsed() >= REVIVED => return Err(error.to_string()),
                Err(error) => tracing::info!(%error, "the balancer does not start yet"),
            }
            sleep(AGAIN).await;
        };
        {
            let mut known = self.known();
            let mut past = known.after(0);
            past.drain(..past.len().saturating_sub(KEPT));
            known.base = past.last().map_or(known.base, |event| event.sequence);
            (known.past, known.handle) = (past, next.handle.clone());
        }
        *body = Some(next);
        self.lives.send_modify(|life| *life += 1);
        Ok(format!("started anew in {} ms", begun.elapsed().as_millis()))
    }

    /// Ends it in good order.
    pub async fn shut_down(&self) {
        if let Some(balancer) = self.body.lock().await.as_mut().and_then(|body| body.balancer.take()) {
            balancer.shutdown().await;
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body {
    async fn begin(config: &Config) -> Result<Self, StartError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("balancer-plan")
            .enable_all()
            .build()
            .map_err(|source| StartError::Listen { what: "clients", address: config.listen, source })?;
        // A token of its own: after an interrupt it still has to carry what browsers have begun.
        let start = runtime.spawn(server::start(config.clone(), CancellationToken::new()));
        match start.await {
            Ok(Ok(balancer)) => {
                let handle = balancer.handle.clone();
                Ok(Self { balancer: Some(balancer), runtime: Some(runtime), handle })
            }
            Ok(Err(error)) => {
                runtime.shutdown_background();
                Err(error)
            }
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
}

/// Follows the balancer through its lives: what is begun with one ends when the next begins.
pub async fn through_all_lives<F: Future<Output = ()>>(
    front: Arc<Front>,
    mut begin: impl FnMut(Handle) -> F,
) {
    let mut lives = front.lives.subscribe();
    loop {
        lives.mark_unchanged();
        tokio::select! {
            () = begin(front.handle()) => return,
            // The front is held here, and with it the sender.
            _ = lives.changed() => {}
        }
    }
}
