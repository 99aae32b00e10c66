//! Reviews levels: all but what wires it.
//!
//! Read in this order: [`handler`], which tells one message from the other; `act`, what is about one member;
//! `version`, by which version of the program everybody is measured; `plan`, who everybody is; `measure`, a
//! page of them.

mod act;
pub mod handler;
mod measure;
mod plan;
mod version;
