//! The real handlers over the embedded DynamoDB engine; all of it is in `tests`.
