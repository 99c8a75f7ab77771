//! The way to a node's server: straight, or through a link.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use crate::capacity::Plan;
use crate::error::Error;
use crate::fault::link::{Doors, Link, LinkLimits};
use crate::node::NodeId;
use crate::provision::local::Shared;
use crate::provision::port::Port;

/// A node's name, number and ports: what stays the same over all its lives, and may be kept for one that is not there yet.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) id: NodeId,
    pub(crate) number: u32,
    pub(crate) approach: Approach,
    port: Port,
}

impl Slot {
    /// The slot of a node whose server listens, or will listen, at this port.
    pub(crate) fn new(shared: &Shared, number: u32, port: Port) -> Result<Arc<Self>, Error> {
        let approach = Approach::to(shared, number, port.address())?;
        Ok(Arc::new(Self { id: NodeId::new(format!("n{number}")), number, approach, port }))
    }

    /// Where the server listens.
    pub(crate) fn server(&self) -> SocketAddr {
        self.port.address()
    }
}

/// A link, if one stands in front of the server, and whom it carries. Its ports stay ours as long as it lives.
#[derive(Debug)]
pub(crate) struct Approach {
    link: Option<Link>,
    /// The other nodes come through it as well.
    everybody: bool,
    _ports: Vec<Port>,
}

impl Approach {
    /// The way to this server: limited where the plan says so, and to be broken where relays are wanted.
    pub(crate) fn to(shared: &Shared, number: u32, server: SocketAddr) -> Result<Self, Error> {
        let (limits, everybody) = match (&shared.plan, shared.spec.relays) {
            (Plan::Link(limits), relays) => (Some(limits.clone()), relays),
            (_, true) => (None, true),
            (_, false) => return Ok(Self { link: None, everybody: false, _ports: Vec::new() }),
        };
        let failed = |source| Error::Process { what: format!("start the link of n{number}"), source };
        let door = || {
            let port = shared.ports.take()?;
            TcpListener::bind(port.address()).map(|listener| (listener, port)).map_err(failed)
        };
        let (clients, port) = door()?;
        let mut ports = vec![port];
        // Limits are for clients alone: who looks after the node has a door of its own then.
        let peers = match limits.is_some() && everybody {
            true => {
                let (listener, port) = door()?;
                ports.push(port);
                Some(listener)
            }
            false => None,
        };
        let (name, doors) = (format!("link-{number}"), Doors { clients, peers });
        let limits: LinkLimits = limits.unwrap_or_default();
        let link =
            Link::start(&name, doors, server, limits, Arc::clone(&shared.processes)).map_err(failed)?;
        Ok(Self { link: Some(link), everybody, _ports: ports })
    }

    /// Where clients go, whose server is this one.
    pub(crate) fn clients(&self, server: SocketAddr) -> SocketAddr {
        self.link.as_ref().map_or(server, Link::clients)
    }

    /// Where the other nodes go.
    pub(crate) fn peers(&self, server: SocketAddr) -> SocketAddr {
        self.relay().map_or(server, Link::peers)
    }

    /// The link, if everybody goes through it.
    pub(crate) fn relay(&self) -> Option<&Link> {
        self.link.as_ref().filter(|_| self.everybody)
    }
}
