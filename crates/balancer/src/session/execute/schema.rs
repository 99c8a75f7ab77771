//! A default schema that has been dropped: by another session, since whoever drops its own is told that it has none.
//!
//! A server lets such a session go on: `SELECT 1` and `USE` do not need the schema, and once it is there again it is the
//! session's as before. A node connection cannot enter it, so the statement runs on one without a schema.

use crate::pool::image::Image;
use crate::session::Session;
use crate::wire::reply::ErrPacket;

/// The server's code for a schema that is not there.
const UNKNOWN_SCHEMA: u16 = 1049;

impl Session {
    /// If a connection was refused the session's schema: leaves the schema out for this statement. `false`: that was not
    /// why.
    pub(super) fn mislay_schema(&mut self, error: &[u8]) -> bool {
        let unknown = ErrPacket::read(error).is_ok_and(|error| error.code == UNKNOWN_SCHEMA);
        if !unknown || self.state.image.schema.is_none() {
            return false;
        }
        let mut image = Image::clone(&self.state.image);
        self.state.mislaid = image.schema.take();
        self.state.image = self.worker.images.one(image);
        true
    }

    /// Behind the statement: the schema is the session's again, unless it has another one by now, or stays on a connection
    /// that has none.
    pub(super) fn find_schema_again(&mut self) {
        let mislaid = self.state.mislaid.take();
        if self.state.image.schema.is_none() && self.tied.is_none() {
            let image = Image { schema: mislaid, ..Image::clone(&self.state.image) };
            self.state.image = self.worker.images.one(image);
        }
    }
}
