//! Where nodes come from: processes of our own.

pub(crate) mod accounts_sql;
pub(crate) mod approach;
mod copy;
mod faults;
pub mod local;
pub(crate) mod member;
pub(crate) mod port;
pub(crate) mod run_folder;

pub use copy::CopyFigures;
