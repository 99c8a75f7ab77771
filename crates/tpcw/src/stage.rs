//! The stage of an experiment: a populated local cluster with the balancer in front of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use balancer::config::{Account, Config, Node};
use balancer::control::Handle;
use balancer::event::EventKind;
use bookstore::Scale;
use bookstore::load::LoadOptions;
use cluster::{
    Cache, ClusterSpec, FindOptions, LocalCluster, LocalNode, ProgramError, Role, ServerProgram, Template,
};
use emulator::audit::AuditNode;
use mysql_async::{Opts, OptsBuilder};

use crate::cli::ServerArgs;
use crate::commands::load;
use crate::control::LocalControl;
use crate::failure::{Failure, Outcome};
use crate::front::{Front, through_all_lives};
use crate::provider::Provider;
use crate::target;
use crate::workload::{self, Resolved};

/// The database that the shop is in.
const DATABASE: &str = "tpcw";

/// What is to be set up.
#[derive(Clone, Debug)]
pub struct StagePlan {
    scale: Scale,
    seed: u64,
    cluster: workload::Cluster,
    relays: bool,
    watch_writes: bool,
    balancer: workload::Balancer,
    server: ServerArgs,
    listen: SocketAddr,
}

impl StagePlan {
    /// What a workload asks for; `listen`: where the balancer is to be found, any free loopback port when not given.
    pub fn of(resolved: &Resolved, server: ServerArgs, listen: Option<SocketAddr>) -> Self {
        Self {
            scale: resolved.scale(),
            seed: resolved.workload.seed,
            cluster: resolved.workload.cluster.clone(),
            relays: resolved.workload.relays(),
            watch_writes: resolved.workload.watches_writes(),
            balancer: resolved.workload.balancer.clone(),
            server,
            listen: listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        }
    }
}

/// A cluster and its balancer, up. Dropping it ends the nodes; [`Stage::strike`] does so in good order.
#[derive(Debug)]
pub struct Stage {
    cluster: Arc<LocalCluster>,
    front: Arc<Front>,
    mending: tokio::task::JoinHandle<()>,
    provider: Arc<Provider>,
    providing: tokio::task::JoinHandle<()>,
}

impl Stage {
    /// Finds the server program, makes or finds the populated data folder, starts nodes and balancer.
    ///
    /// # Errors
    /// Exit code 3, with what was tried and what the user can do.
    pub async fn set(plan: StagePlan, say: &dyn Fn(&str), shown: bool) -> Outcome<Self> {
        let cache = Cache::from_environment(|name| std::env::var_os(name));
        let program = find_program(&plan.server, &cache, say).await?;
        let template = populated(&program, &cache, &plan, say, shown).await?;
        let spec = ClusterSpec {
            replicas: plan.cluster.replicas as usize,
            candidates: plan.cluster.candidates as usize,
            capacity: plan.cluster.capacity.clone(),
            reserves: plan.cluster.reserves as usize,
            relays: plan.relays,
            watch_writes: plan.watch_writes,
            database: DATABASE.to_owned(),
            ..ClusterSpec::default()
        };
        say(&format!("starting {} nodes of {}", 1 + spec.replicas + spec.candidates, program.version_text));
        let cluster = LocalCluster::start(&program, spec, template).await.map_err(Failure::from_below)?;
        let config = configure(&plan, &cluster);
        let front = match Front::start(config).await {
            Ok(front) => Arc::new(front),
            Err(error) => {
                let _ = cluster.stop().await;
                return Err(Failure::from_below(error));
            }
        };
        say(&format!("balancer on {}", front.address()));
        let cluster = Arc::new(cluster);
        let mended = cluster.clone();
        let mending = through_all_lives(front.clone(), move |handle| rebuild_refused(mended.clone(), handle));
        let provider = Arc::new(Provider::new(cluster.clone(), front.clone(), cache, plan.server.offline));
        let provides = provider.clone();
        let providing = through_all_lives(front.clone(), move |_| provides.clone().run());
        let (mending, providing) = (tokio::spawn(mending), tokio::spawn(providing));
        Ok(Self { cluster, front, mending, provider, providing })
    }

    /// The shop as a client of the balancer sees it.
    pub fn shop(&self) -> Opts {
        let shop = &self.cluster.accounts().shop;
        self.opts(self.front.address(), &shop.user, shop.password.expose())
    }

    /// The same as an address to type, password included.
    pub fn shop_url(&self) -> String {
        let shop = &self.cluster.accounts().shop;
        format!("mysql://{}:{}@{}/{DATABASE}", shop.user, shop.password.expose(), self.front.address())
    }

    /// Whom a run's schedule or a person asks; `cause` is what events then say of who asked.
    pub fn control(&self, cause: &'static str) -> Arc<LocalControl> {
        let (cluster, front) = (self.cluster.clone(), self.front.clone());
        Arc::new(LocalControl::new(cluster, front, self.provider.clone(), cause))
    }

    /// Every node for the audit, the present primary first, past the balancer and past every limited link.
    pub fn audit_nodes(&self) -> Vec<AuditNode> {
        let view = self.front.handle().view().load_full();
        let primary = view.primary().map(|node| node.id.clone());
        let operator = &self.cluster.accounts().operator;
        let mut nodes = self.cluster.nodes();
        nodes.sort_by_key(|node| Some(&node.id) != primary.as_ref());
        let audit = |node: &LocalNode| AuditNode {
            name: node.id.to_string(),
            opts: self.opts(node.server, &operator.user, operator.password.expose()),
        };
        nodes.iter().map(audit).collect()
    }

    /// How nodes are limited, for the manifest; `null` when they are not.
    pub fn capacity(&self) -> serde_json::Value {
        serde_json::to_value(self.cluster.applied_capacity()).unwrap_or_default()
    }

    /// The server as it names itself.
    pub fn server(&self) -> &str {
        &self.cluster.program().version_text
    }

    /// Where the balancer's admin API is.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.front.admin_address()
    }

    /// Heals every fault, ends balancer and nodes, removes their folders.
    pub async fn strike(self) {
        self.mending.abort();
        self.providing.abort();
        if let Err(error) = self.cluster.heal_all().await {
            tracing::warn!(%error, "not every fault could be healed; the nodes end all the same");
        }
        self.front.shut_down().await;
        if let Err(error) = self.cluster.stop().await {
            crate::complain(&format!("the cluster did not end in good order: {error}"));
        }
    }

    fn opts(&self, address: SocketAddr, user: &str, password: &str) -> Opts {
        target::careful(
            OptsBuilder::default()
                .ip_or_hostname(address.ip().to_string())
                .tcp_port(address.port())
                .user(Some(user))
                .pass(Some(password))
                .db_name(Some(DATABASE)),
        )
        .into()
    }
}

/// A node that holds transactions of its own is refused by the balancer, which cannot mend it. Here it can be: it is made
/// anew from the copy that all nodes began with, and follows from there.
async fn rebuild_refused(cluster: Arc<LocalCluster>, balancer: Handle) {
    let events = balancer.events();
    let mut seen = 0;
    loop {
        let grown = events.grown();
        tokio::pin!(grown);
        // Registered before the log is read, so that nothing told in between is missed.
        grown.as_mut().enable();
        for event in events.after(seen) {
            seen = event.sequence;
            let (EventKind::Refused, Some(node)) = (event.kind, event.node) else { continue };
            match cluster.rebuild(&node).await {
                Ok(()) => tracing::info!(%node, "refused by the balancer, made anew"),
                Err(error) => tracing::warn!(%node, %error, "refused by the balancer, cannot be made anew"),
            }
        }
        grown.await;
    }
}

async fn find_program(args: &ServerArgs, cache: &Cache, say: &dyn Fn(&str)) -> Outcome<ServerProgram> {
    let options = FindOptions { explicit: args.server_binary.clone(), offline: args.offline, cache };
    cluster::program::find(options, say).await.map_err(|error: ProgramError| Failure::from_below(error))
}

async fn populated(
    program: &ServerProgram,
    cache: &Cache,
    plan: &StagePlan,
    say: &dyn Fn(&str),
    shown: bool,
) -> Outcome<Template> {
    let Scale { items, browsers } = plan.scale;
    let key = format!("{items}-{browsers}-{}-{}", plan.seed, bookstore::schema::SCHEMA_VERSION);
    let template = Template::populated(program, cache, &key, DATABASE, |server| async move {
        say(&format!("making a shop of {items} items for {browsers} browsers; later runs copy it"));
        let opts = target::careful(
            OptsBuilder::default()
                .ip_or_hostname(server.address.ip().to_string())
                .tcp_port(server.address.port())
                .user(Some(server.operator.user.clone()))
                .pass(Some(server.operator.password.expose()))
                .db_name(Some(server.database.clone())),
        );
        let usual = LoadOptions::new(plan.scale, plan.seed);
        let options = LoadOptions { threads: load::default_threads(), ..usual };
        match load::fill(&opts.into(), options, shown).await {
            Ok(_) => Ok(()),
            Err(failure) => Err(failure.message),
        }
    })
    .await;
    template.map_err(Failure::from_below)
}

fn configure(plan: &StagePlan, cluster: &LocalCluster) -> Config {
    let account = |account: &cluster::Account| Account {
        name: account.user.clone(),
        password: account.password.expose().to_owned(),
    };
    let node = |node: &LocalNode| Node {
        name: node.id.to_string(),
        address: node.address,
        direct_address: (node.address != node.peers).then_some(node.peers),
        weight: 1,
        candidate: node.first_role == Role::Candidate,
    };
    let accounts = cluster.accounts();
    let settings = &plan.balancer;
    Config {
        listen: plan.listen,
        admin: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        workers: settings.workers,
        strategy: settings.strategy,
        consistency: settings.consistency,
        causal: settings.causal.clone(),
        eventual: settings.eventual.clone(),
        listeners: Vec::new(),
        slow_start_ms: settings.slow_start_ms,
        accounts: vec![account(&accounts.shop)],
        auth: Default::default(),
        operator: account(&accounts.operator),
        replication: account(&accounts.replication),
        nodes: cluster.nodes().iter().chain(&cluster.reserves()).map(node).collect(),
        health: settings.health.clone(),
        failover: settings.failover.clone(),
        elastic: settings.elastic.clone(),
        pool: settings.pool.clone(),
        limits: settings.limits.clone(),
        tls: Default::default(),
        nodes_tls: Default::default(),
        compression: balancer::config::Compression::all(),
        state_file: Some(cluster.folder().join("balancer.json")),
    }
}
