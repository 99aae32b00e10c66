//! From an event of API Gateway to a request, and which paths are refused unread.
//!
//! API Gateway chooses a route by the path as it was sent and then hands on the *decoded* path, and
//! `lambda_http` reads that as a URL once more: `%2F` becomes a separator, `%23` ends the path, `..` goes
//! up, and the request could arrive at another route than the one that was authorized. So a path must have
//! nothing in it that any of them would change, and both must have chosen the same route.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lambda_http::{
    Request, RequestExt,
    lambda_runtime::LambdaEvent,
    request::{LambdaRequest, RequestContext},
};
use loyalty_contracts::problem::ProblemKind;
use loyalty_domain::id::ID_BYTES_MAX;

/// Where members are.
const MEMBERS: &str = "/v1/members/";

/// What `lambda_http` can read without panicking, whatever a client sent; with its body only if
/// `takes_bodies`.
#[must_use]
pub fn prepared(
    mut event: LambdaEvent<LambdaRequest>,
    takes_bodies: bool,
) -> LambdaEvent<LambdaRequest> {
    if let LambdaRequest::ApiGatewayV2(request) = &mut event.payload {
        // It makes a URL of these and of the path, and unwraps. Nothing here asks for the host.
        request.headers.remove(lambda_http::http::header::HOST);
        request.request_context.domain_name = None;
        // It unwraps what it decodes of a body. One that is not what it should be stays as it came, and
        // whoever reads it says that it is no JSON.
        request.body = request.body.take().filter(|_| takes_bodies);
        if let Some(body) = &request.body
            && request.is_base64_encoded
        {
            request.is_base64_encoded = STANDARD.decode(body).is_ok();
        }
        let path = request.raw_path.get_or_insert_default();
        if !path.starts_with('/') {
            path.insert(0, '/');
        }
        if let Some(query) = &mut request.raw_query_string {
            *query = printable(query);
        }
        let route_key = &mut request.request_context.route_key;
        *route_key = route_key.take().or_else(|| request.route_key.take());
    }
    event
}

/// `query` with everything encoded that a URL does not hold.
fn printable(query: &str) -> String {
    let mut text = String::with_capacity(query.len());
    for byte in query.bytes() {
        let is_fine = byte.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&byte);
        if is_fine {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// Sees that the path reads the same to everybody.
///
/// An id in it has 1 to [`ID_BYTES_MAX`] characters out of ASCII letters, digits and `-._~:|=`, and is not
/// `.` or `..`. That leaves out `%` and `/`, all that a URL treats as special, and `@` and `+` too, as a
/// hint that mail addresses and telephone numbers are no ids.
///
/// # Errors
///
/// [`ProblemKind::InvalidMemberId`] below `/v1/members/`, and otherwise [`ProblemKind::NotFound`].
pub fn check_path(request: &Request) -> Result<(), ProblemKind> {
    let path = request.raw_http_path();
    let segments = path.strip_prefix('/').map(|it| it.split('/'));
    let is_plain = segments.is_some_and(|mut it| it.all(is_plain));
    if is_plain && path == request.uri().path() { Ok(()) } else { Err(refusal(path)) }
}

/// Sees that API Gateway has chosen the route that it knows as `key`, since it has checked the token for
/// that one. Without a key it cannot have chosen well.
///
/// # Errors
///
/// As [`check_path`].
pub fn check_route(
    key: Option<&str>,
    path: &str,
    context: Option<&RequestContext>,
) -> Result<(), ProblemKind> {
    let chosen = match context {
        Some(RequestContext::ApiGatewayV2(context)) => context.route_key.as_deref(),
        _ => None,
    };
    if key.is_some() && chosen == key { Ok(()) } else { Err(refusal(path)) }
}

fn refusal(path: &str) -> ProblemKind {
    if path.starts_with(MEMBERS) { ProblemKind::InvalidMemberId } else { ProblemKind::NotFound }
}

fn is_plain(segment: &str) -> bool {
    let is_allowed = |it: u8| it.is_ascii_alphanumeric() || b"-._~:|=".contains(&it);
    (1..=ID_BYTES_MAX).contains(&segment.len())
        && segment.bytes().all(is_allowed)
        && !matches!(segment, "." | "..")
}
