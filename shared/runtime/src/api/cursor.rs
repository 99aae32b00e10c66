//! Cursors as they are sent: opaque to whoever gets them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use loyalty_ledger::statement::Cursor;

/// How long a cursor can be: every id in it is short.
const BYTES_MAX: usize = 4_096;

/// The text of `cursor`.
///
/// # Errors
///
/// Never: it has nothing that is no JSON.
pub fn write(cursor: &Cursor) -> Result<String, serde_json::Error> {
    serde_json::to_vec(cursor).map(|it| URL_SAFE_NO_PAD.encode(it))
}

/// The cursor whose text this is, if it is one. Whose it is, only the ledger knows.
pub fn read(text: &str) -> Option<Cursor> {
    if text.len() > BYTES_MAX {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}
