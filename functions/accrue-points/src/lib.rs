//! Turns the events on the orders queue into points: the handler, apart from what wires it.

pub mod handler;
