//! What browsers talk to. Two real things stand behind the traits: a database ([`sql`]) and, later, a web tier.

mod deadline;
#[cfg(test)]
pub(crate) mod fake;
pub mod sql;
mod undertaker;

use std::future::Future;
use std::time::Duration;

use bookstore::store::StoreError;
use bookstore::{Page, Request, Visit};

/// An address that browsers connect to.
pub trait Target: Send + Sync + 'static {
    /// A browser's own connection.
    type Link: Link;

    /// Makes a connection within the target's limit of time.
    fn connect(&self) -> impl Future<Output = Result<Self::Link, StoreError>> + Send;
}

/// One browser's connection.
pub trait Link: Send + 'static {
    /// Asks for a page. Where this fails, `visit` is as it was.
    fn ask(
        &mut self,
        request: &Request,
        visit: &mut Visit,
    ) -> impl Future<Output = Result<Page, StoreError>> + Send;

    /// Whether the connection may be used again. A late answer would otherwise be taken for the next one's.
    fn usable(&self) -> bool;

    /// The statements answered since they were last cleared, for the recorder.
    fn answered(&mut self) -> &mut Vec<Answered>;

    /// Says goodbye.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// A statement that was answered without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// What it did.
    pub kind: StatementKind,
    /// From the first byte sent to the last received.
    pub took: Duration,
}

/// What a statement does, as the figures tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementKind {
    /// It only reads, and is sent outside a read-write transaction: any node may answer.
    Read,
    /// Part of a read-write transaction.
    Inside,
    /// A COMMIT, or a change outside a transaction: once answered, it is there to stay.
    Durable,
}
