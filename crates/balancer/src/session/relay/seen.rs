//! What an answer told of the session.

use std::rc::Rc;

use cluster::replication::gtid::GtidPosition;

use crate::pool::image::{Image, is_carried};
use crate::session::watch::Interruption;
use crate::wire::capabilities::status;
use crate::wire::reply::{self, Change, OkPacket, Prepared};

/// What an answer told.
#[derive(Debug, Default)]
pub struct Seen {
    /// Anything has been passed on to the client.
    pub passed_on: bool,
    /// The node's status at the end, if it was told.
    pub status: Option<u16>,
    /// Warnings in all.
    pub warnings: u16,
    /// The last AUTO_INCREMENT id told, 0: none.
    pub insert_id: u64,
    /// The error that ended it.
    pub error: Option<u16>,
    /// Where the session's writes have come to.
    pub gtid: Option<GtidPosition>,
    /// The session's new state.
    pub image: Option<Image>,
    /// The client has switched the tracking to something else.
    pub untracked: bool,
    /// A result ended without telling changes (EOF).
    pub untold: bool,
    /// The statement that was prepared.
    pub prepared: Option<Prepared>,
    /// Why the node has been told to end the statement early.
    pub interrupted: Option<Interruption>,
}

impl Seen {
    /// Whether another result follows.
    pub(super) fn more(&self) -> bool {
        self.status.is_some_and(|told| told & status::MORE_RESULTS != 0)
    }

    /// Takes in what an OK packet tells.
    pub fn take(&mut self, packet: &OkPacket<'_>, before: &Rc<Image>) {
        self.status = Some(packet.status & !status::SESSION_STATE_CHANGED);
        self.warnings = self.warnings.saturating_add(packet.warnings);
        if packet.last_insert_id != 0 {
            self.insert_id = packet.last_insert_id;
        }
        for change in reply::changes(packet.changes) {
            match change {
                Change::Variable(b"last_gtid", value) | Change::Gtids(value) => self.written(value),
                Change::Variable(b"session_track_system_variables", value) => self.untracked = value != b"*",
                Change::Variable(name, value) => {
                    let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
                    if is_carried(&name) {
                        self.image.get_or_insert_with(|| Image::clone(before)).set(&name, &value);
                    }
                }
                Change::Schema(name) => {
                    let schema = (!name.is_empty()).then(|| name.into());
                    if self.image.as_ref().unwrap_or(before).schema != schema {
                        self.image.get_or_insert_with(|| Image::clone(before)).schema = schema;
                    }
                }
            }
        }
    }

    /// A result has ended with EOF, which tells a status and no changes.
    pub(super) fn end_untold(&mut self, told: u16) {
        self.status = Some(told & !status::SESSION_STATE_CHANGED);
        self.untold = true;
    }

    fn written(&mut self, text: &[u8]) {
        if let Ok(position) = String::from_utf8_lossy(text).parse::<GtidPosition>()
            && !position.is_empty()
        {
            self.gtid.get_or_insert_default().merge(&position);
        }
    }
}
