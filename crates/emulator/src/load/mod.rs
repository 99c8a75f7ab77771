//! How load is made. Today it is closed: so many browsers, each asking when it has thought.

pub(crate) mod closed;
pub(crate) mod threads;
