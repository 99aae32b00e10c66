//! Tells the shop what happened to its members' points and levels: the handler, apart from what wires it.

pub mod handler;
