//! The pure half of squall. A module imports only modules listed above it.

pub mod amount;
pub mod diagnostic;
pub mod expr;
// After `expr`, whose `Scope` it expands with.
pub mod document;
pub mod place;
