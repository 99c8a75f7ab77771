//! Text → [`classify::Statement`]: what a statement is, what it leaves behind, what it asks for. No allocation.

pub mod classify;
pub mod hint;
pub mod lexer;
pub mod own;
