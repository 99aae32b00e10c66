//! The house rules that no lint holds.
