//! The wire: schemas as checked in, examples as sent, and everything that may arrive instead.
