//! Tells the shop what happened to its members' points and levels: the handler, apart from what wires it.
// Its futures are deeper than what the compiler looks into by itself.
#![recursion_limit = "256"]

pub mod handler;
