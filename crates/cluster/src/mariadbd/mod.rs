//! One server process and its folder: settings, data folders and templates of them, start, stop, log.

pub(crate) mod datadir;
pub(crate) mod launch;
pub mod options;
pub(crate) mod process;
pub mod template;
