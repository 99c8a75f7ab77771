//! Inputs that nobody would send, for everything that reads what others have sent.
//!
//! Each target in [`targets`] is a function of bytes that panics when something that must hold does not. Three things
//! feed them: the short run among the tests, the long one of the program `in_process`, which mutates the inputs of
//! [`corpus`] by a seed, and libFuzzer (`fuzz/guided`), which looks for new ones by coverage.

pub mod corpus;
pub mod grammar;
pub mod mutate;
pub mod run;
pub mod targets;
