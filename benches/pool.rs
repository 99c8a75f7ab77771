//! Taking an idle connection to a node and giving it back: what each statement of a session does that is tied to none.

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;

use balancer::accounts::known::Known;
use balancer::config::{Account, Config};
use balancer::pool::budget::Budgets;
use balancer::pool::connect::Key;
use balancer::pool::image::Image;
use balancer::pool::lease::Lease;
use balancer::pool::{Place, Pools, Want};
use balancer::telemetry::Meter;
use balancer::tls::Certificates;
use balancer::view::{NodeState, NodeView};
use balancer::wire::capabilities::Capabilities;
use balancer::wire::handshake::Greeting;
use balancer::wire::packet::put_packet;
use balancer::wire::reply;
use cluster::{NodeId, Role};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How many connections lie idle.
const IDLE: [usize; 3] = [1, 16, 128];

/// A server that lets everybody in and says OK to everything; its threads end with the process.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            std::thread::spawn(move || serve(client));
        }
    });
    address
}

fn serve(mut client: TcpStream) -> std::io::Result<()> {
    let greeting = Greeting {
        version: b"10.11.0-MariaDB".to_vec(),
        id: 1,
        scramble: vec![b'x'; 20],
        capabilities: Capabilities::OFFERED,
        collation: 45,
        plugin: b"mysql_native_password".to_vec(),
    };
    send(&mut client, 0, &greeting.write())?;
    loop {
        let mut header = [0; 4];
        client.read_exact(&mut header)?;
        let mut payload = vec![0; u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize];
        client.read_exact(&mut payload)?;
        send(&mut client, header[3] + 1, &reply::ok(2))?;
    }
}

fn send(client: &mut TcpStream, sequence: u8, payload: &[u8]) -> std::io::Result<()> {
    let mut out = Vec::new();
    put_packet(&mut out, sequence, payload);
    client.write_all(&out)
}

/// Pools of one thread with `idle` connections to one node.
struct Stage {
    runtime: Runtime,
    pools: Pools,
    node: NodeView,
    key: Key,
    image: Rc<Image>,
}

impl Stage {
    fn new(idle: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let config: Config = toml::from_str(
            "listen = '127.0.0.1:0'\noperator = { name = 'o', password = '' }\n\
             replication = { name = 'r', password = '' }\nnodes = []",
        )
        .expect("a configuration");
        let certificates = Arc::new(Certificates::load(&config).expect("none"));
        let (sightings, _) = mpsc::channel(1);
        let budgets = Arc::new(Budgets::new(idle.max(2), 1));
        let pools = Pools::new(Arc::new(config), certificates, 0, budgets, sightings);
        let node = NodeView {
            id: NodeId::new("n1"),
            index: 0,
            address: server(),
            role: Role::Primary,
            state: NodeState::Serving,
            weight: 1,
            epoch: 1,
            meter: Arc::new(Meter::default()),
        };
        let account = Known::plain(&Account { name: "shop".into(), password: "secret".into() });
        let key = Key { account: account.id, capabilities: Capabilities::default(), collation: 45 };
        let image = Rc::new(Image::default());
        let stage = Self { runtime, pools, node, key, image };
        let place = Place::of(&stage.node);
        let make = stage.pools.make(&place, &account, stage.want(1));
        let first = stage.runtime.block_on(make).expect("a connection");
        let rest = (1..idle).map(|_| {
            let make = stage.pools.make(&place, &account, stage.want(1));
            stage.runtime.block_on(make).expect("a connection")
        });
        let leases: Vec<Lease> = std::iter::once(first).chain(rest).collect();
        for mut lease in leases {
            lease.image = stage.image.clone();
            lease.release(1, false, Instant::now());
        }
        stage
    }

    fn want(&self, owner: u32) -> Want<'_> {
        Want { key: &self.key, image: &self.image, owner }
    }
}

/// In the very state that is wanted; and in another one, so that all of them are looked at.
fn take_and_give(criterion: &mut Criterion) {
    for idle in IDLE {
        let stage = Stage::new(idle);
        let _entered = stage.runtime.enter();
        let now = Instant::now();
        let mut group = criterion.benchmark_group("pool");
        group.bench_function(BenchmarkId::new("ready", idle), |bencher| {
            bencher.iter(|| {
                let lease = stage.pools.try_take_ready(black_box(&stage.node), stage.want(1)).expect("idle");
                lease.release(1, false, now);
            });
        });
        group.bench_function(BenchmarkId::new("same state", idle), |bencher| {
            bencher.iter(|| {
                let lease = stage.pools.try_take(black_box(&stage.node), stage.want(1)).expect("idle");
                lease.release(1, false, now);
            });
        });
        let mut other = Image::default();
        other.set("time_zone", "+01:00");
        let other = Rc::new(other);
        group.bench_function(BenchmarkId::new("other state", idle), |bencher| {
            bencher.iter(|| {
                let want = Want { image: &other, ..stage.want(2) };
                let lease = stage.pools.try_take(black_box(&stage.node), want).expect("idle");
                lease.release(2, false, now);
            });
        });
        group.finish();
    }
}

criterion_group!(benches, take_and_give);
criterion_main!(benches);
