//! What came with a request: as much as it may be, of a type that is read.

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, HeaderName, header},
};
use loyalty_contracts::problem::ProblemKind;
use loyalty_domain::id::RequestKey;

use super::route::BodyKind;

/// How large a body may be: several times what the longest profile of any member needs.
pub const BODY_BYTES_MAX: usize = 16_384; // 16 * 1024

/// The bytes of `body`, if a row of `kind` reads them.
///
/// # Errors
///
/// [`ProblemKind::WrongContentType`] and [`ProblemKind::BodyTooLarge`].
pub(crate) async fn read(
    kind: BodyKind,
    headers: &HeaderMap,
    body: Body,
) -> Result<Bytes, ProblemKind> {
    let is_read: fn(&str) -> bool = match kind {
        BodyKind::None => return Ok(Bytes::new()),
        BodyKind::Json | BodyKind::KeyedJson => |it| it.eq_ignore_ascii_case("application/json"),
        BodyKind::MergePatch => |it| {
            it.eq_ignore_ascii_case("application/merge-patch+json")
                || it.eq_ignore_ascii_case("application/json")
        },
    };
    let named = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    // What stands behind it, such as a `charset`, changes nothing: JSON is UTF-8.
    let named = named.and_then(|it| it.split(';').next()).map(str::trim);
    if !named.is_some_and(is_read) || headers.contains_key(header::CONTENT_ENCODING) {
        return Err(ProblemKind::WrongContentType);
    }
    // It is in memory, so that only its size can be wrong.
    to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| ProblemKind::BodyTooLarge)
}

/// The header of the key under which a request is done once.
pub const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The key that came with a request of a row of `kind`, if that needs one.
///
/// It stands in the ledger for ever, so nothing in it may look as if somebody could be reached by it.
///
/// # Errors
///
/// [`ProblemKind::RequestKeyMissing`] and [`ProblemKind::RequestKeyInvalid`].
pub(crate) fn key(kind: BodyKind, headers: &HeaderMap) -> Result<Option<RequestKey>, ProblemKind> {
    match kind {
        BodyKind::None | BodyKind::Json | BodyKind::MergePatch => return Ok(None),
        BodyKind::KeyedJson => (),
    }
    let mut all = headers.get_all(KEY).iter();
    let text = all.next().ok_or(ProblemKind::RequestKeyMissing)?;
    if all.next().is_some() {
        return Err(ProblemKind::RequestKeyInvalid);
    }
    let text = text.to_str().map_err(|_| ProblemKind::RequestKeyInvalid)?.trim();
    let is_contact = text.contains('@') || text.starts_with('+');
    let key = RequestKey::try_from(text).ok().filter(|_| !is_contact);
    key.map(Some).ok_or(ProblemKind::RequestKeyInvalid)
}
