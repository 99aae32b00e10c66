//! The function of Lambda around the answers of an API: from an event of API Gateway to its answer.

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{RawPathParams, State},
    http::{Response, request::Parts},
    routing::any,
};
use futures_util::FutureExt;
use lambda_http::{
    Adapter, Request,
    lambda_runtime::LambdaEvent,
    request::{LambdaRequest, RequestContext},
    service_fn,
    tower::{Service, ServiceExt},
};
use loyalty_contracts::problem::ProblemKind;
use loyalty_domain::id::{ClientId, InvalidId, MemberId, RequestKey};
use serde::Serialize;

use super::{
    body,
    caller::{Caller, actor, person},
    gateway::{check_path, check_route, prepared},
    respond::{Answered, Refused, not_allowed, problem, report, respond_with},
    route::{BodyKind, Method, Route},
};

/// A function's own part of an API.
pub trait Api: Send + Sync + 'static {
    /// What routes answer.
    type Operation: Copy + Send + Sync + 'static;

    /// Every route there is. Where two paths could be meant, the one without a name in it is.
    const ROUTES: &'static [Route<Self::Operation>];

    /// The name by which API Gateway knows what no route takes, if that comes to this function.
    const OTHERWISE: Option<&'static str>;

    /// What other functions answer, each its own, if what no route takes comes to this one: whoever asks for a path of
    /// theirs by a method that it does not take is told by which it can be asked.
    const ELSEWHERE: &'static [&'static [(Method, &'static str)]] = &[];

    /// The claim of a member's token that is the member's id.
    fn member_claim(&self) -> &str;

    /// The answer to what is asked. The caller may ask it, and is the member whom the path names if it is one.
    fn answer(
        &self,
        asked: Asked<'_, Self::Operation>,
    ) -> impl Future<Output = Result<Answered, Refused>> + Send;
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Asked<'a, O> {
    /// What the route answers.
    pub operation: O,
    /// Who asks.
    pub caller: Caller,
    /// The member whom the path names.
    pub named: Option<MemberId>,
    /// Whatever else the path names.
    pub other: Option<&'a str>,
    /// The request's head.
    pub request: &'a Parts,
    /// What came with it, if the route reads a body.
    pub body: Bytes,
    /// Under which it is done once, if the route needs a key.
    pub key: Option<RequestKey>,
}

impl<O> Asked<'_, O> {
    /// The query.
    pub fn query(&self) -> Option<&str> {
        self.request.uri.query()
    }

    /// What API Gateway says of the request.
    pub fn context(&self) -> Option<&RequestContext> {
        self.request.extensions.get::<RequestContext>()
    }

    /// The member that the request is about: the one whom the path names, or the caller.
    ///
    /// # Errors
    ///
    /// [`ProblemKind::CallerIsNoMember`] of services and staff, where the path names nobody.
    pub fn member(&self) -> Result<&MemberId, Refused> {
        match (&self.named, &self.caller) {
            (Some(named), _) => Ok(named),
            (None, Caller::Member(own)) => Ok(own),
            (None, Caller::Service { .. } | Caller::Staff { .. }) => {
                Err(ProblemKind::CallerIsNoMember.into())
            }
        }
    }

    /// What else the path names.
    ///
    /// # Errors
    ///
    /// [`ProblemKind::NotFound`] if it is no such name.
    pub fn other<'a, T: TryFrom<&'a str>>(&'a self) -> Result<T, Refused> {
        let named = self.other.and_then(|it| T::try_from(it).ok());
        named.ok_or_else(|| ProblemKind::NotFound.into())
    }

    /// Under which key the request is done once.
    ///
    /// # Errors
    ///
    /// [`ProblemKind::RequestKeyMissing`], short of a route that does not say that it needs one.
    pub fn key(&self) -> Result<RequestKey, Refused> {
        self.key.clone().ok_or_else(|| ProblemKind::RequestKeyMissing.into())
    }

    /// Whose keys the request's is one of: those of the app or service that the token was given to.
    ///
    /// # Errors
    ///
    /// [`ProblemKind::Unauthenticated`] of a token that is nobody's.
    pub fn client(&self) -> Result<ClientId, Refused> {
        actor(self.context()).ok_or_else(|| ProblemKind::Unauthenticated.into())
    }

    /// The person who asks, whose keys are theirs whatever app they use.
    ///
    /// # Errors
    ///
    /// [`ProblemKind::NobodyInToken`] of a token that names none.
    pub fn person(&self) -> Result<ClientId, Refused> {
        person(self.context()).ok_or_else(|| ProblemKind::NobodyInToken.into())
    }
}

/// `api` as a function of Lambda: from an event of API Gateway to its answer. It never fails.
pub fn service<A: Api>(
    api: A,
) -> impl Service<
    LambdaEvent<LambdaRequest>,
    Response = impl Serialize,
    Error = lambda_http::Error,
    Future: Send,
> {
    let router = router(api);
    let takes_bodies = A::ROUTES.iter().any(|it| it.body != BodyKind::None);
    let answer = service_fn(move |request: Request| {
        let router = router.clone();
        async move { Ok::<_, lambda_http::Error>(respond(router, request).await) }
    });
    Adapter::from(answer).map_request(move |event| prepared(event, takes_bodies))
}

async fn respond(router: Router, request: Request) -> Response<Body> {
    if let Err(kind) = check_path(&request) {
        return problem(kind.into());
    }
    match AssertUnwindSafe(router.oneshot(request)).catch_unwind().await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => {
            // What a panic says may have been made from what was asked.
            tracing::error!(problem = ProblemKind::Internal.document().code, "a request panicked");
            problem(ProblemKind::Internal.into())
        }
    }
}

/// The routes of the table, and what no route takes.
fn router<A: Api>(api: A) -> Router {
    let mut router = Router::new();
    for (index, first) in A::ROUTES.iter().enumerate() {
        let path = first.path;
        if A::ROUTES.iter().take(index).any(|it| it.path == path) {
            continue;
        }
        let answer = move |State(api): State<Arc<A>>,
                           parameters: RawPathParams,
                           request: axum::extract::Request| async move {
            let (request, body) = request.into_parts();
            let mut methods = A::ROUTES.iter().filter(|it| it.path == path);
            let asked = request.method.as_str();
            let Some(route) = methods.find(|it| it.method.as_str() == asked) else {
                return not_allowed(&methods_of::<A>(path).join(", "));
            };
            match answer(&*api, route, &parameters, &request, body).await {
                Ok(answered) => respond_with(answered),
                Err(refused) => {
                    report(route, &refused);
                    problem(refused)
                }
            }
        };
        router = router.route(path, any(answer));
    }
    for (index, (_, path)) in elsewhere::<A>().enumerate() {
        let is_own = A::ROUTES.iter().any(|it| it.path == path);
        if is_own || elsewhere::<A>().take(index).any(|(_, it)| it == path) {
            continue;
        }
        let answer = async move |request: Parts| {
            let methods = methods_of::<A>(path);
            if methods.contains(&request.method.as_str()) {
                return nothing::<A>(&request);
            }
            not_allowed(&methods.join(", "))
        };
        router = router.route(path, any(answer));
    }
    router.fallback(async |request: Parts| nothing::<A>(&request)).with_state(Arc::new(api))
}

/// What other functions answer.
fn elsewhere<A: Api>() -> impl Iterator<Item = (Method, &'static str)> {
    A::ELSEWHERE.iter().flat_map(|it| it.iter().copied())
}

/// By which methods a path can be asked for, of this function or of others.
fn methods_of<A: Api>(path: &str) -> Vec<&'static str> {
    let own = A::ROUTES.iter().filter(|it| it.path == path).map(|it| it.method.as_str());
    let others = elsewhere::<A>().filter(|(_, it)| *it == path);
    own.chain(others.map(|(method, _)| method.as_str())).collect()
}

/// The answer where there is nothing.
fn nothing<A: Api>(request: &Parts) -> Response<Body> {
    let context = request.extensions.get::<RequestContext>();
    // A route that took the path before it was decoded has taken something for an id.
    let chosen = check_route(A::OTHERWISE, request.uri.path(), context);
    problem(chosen.err().unwrap_or(ProblemKind::NotFound).into())
}

async fn answer<A: Api>(
    api: &A,
    route: &Route<A::Operation>,
    parameters: &RawPathParams,
    request: &Parts,
    body: Body,
) -> Result<Answered, Refused> {
    let context = request.extensions.get::<RequestContext>();
    check_route(Some(&route.key()), request.uri.path(), context)?;
    let caller = Caller::of(context, api.member_claim())?;
    caller.check(route)?;
    let id = parameters.iter().find(|(name, _)| *name == "id").map(|(_, id)| id);
    let named = id.map(MemberId::try_from).transpose();
    let named = named.map_err(|_: InvalidId| ProblemKind::InvalidMemberId)?;
    if let (Some(named), Caller::Member(own)) = (&named, &caller)
        && named != own
    {
        return Err(ProblemKind::OtherMember.into());
    }
    let body = body::read(route.body, &request.headers, body).await?;
    let key = body::key(route.body, &request.headers)?;
    let other = parameters.iter().find(|(name, _)| *name != "id").map(|(_, it)| it);
    let operation = route.operation;
    api.answer(Asked { operation, caller, named, other, request, body, key }).await
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use lambda_http::Context;
    use serde_json::{Value, json};

    use super::*;
    use crate::api::{body::BODY_BYTES_MAX, route::Who};

    /// Says what arrived.
    struct Echo;

    impl Api for Echo {
        type Operation = &'static str;

        const ROUTES: &'static [Route<&'static str>] = &[
            route(Method::Get, "/v1/members/me/x", BodyKind::None),
            route(Method::Patch, "/v1/members/me/x", BodyKind::MergePatch),
            route(Method::Post, "/v1/orders/{order_id}/x", BodyKind::Json),
        ];
        const OTHERWISE: Option<&'static str> = Some("$default");
        const ELSEWHERE: &'static [&'static [(Method, &'static str)]] = &[
            &[(Method::Put, "/v1/members/{id}/y")],
            &[(Method::Get, "/v1/members/{id}/y"), (Method::Put, "/v1/members/me/x")],
        ];

        fn member_claim(&self) -> &'static str {
            "sub"
        }

        fn answer(
            &self,
            asked: Asked<'_, &'static str>,
        ) -> impl Future<Output = Result<Answered, Refused>> + Send {
            let body = String::from_utf8_lossy(&asked.body).into_owned();
            let shown = json!([asked.operation, asked.other, body.len(), body.get(..9)]);
            ready(Answered::new(&shown))
        }
    }

    const fn route(method: Method, path: &'static str, body: BodyKind) -> Route<&'static str> {
        Route { method, path, body, operation: method.as_str(), callers: &[Who::Member] }
    }

    fn event(method: &str, key: &str, path: &str, kind: &str, body: &Value) -> Value {
        json!({
            "version": "2.0", "routeKey": key, "rawPath": path, "rawQueryString": "",
            "headers": {"content-type": kind},
            "requestContext": {
                "authorizer": {"jwt": {"claims": {"sub": "m1"}, "scopes": null}},
                "http": {
                    "method": method, "path": path, "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.44", "userAgent": "test"
                },
                "routeKey": key, "stage": "$default", "timeEpoch": 0
            },
            "body": body, "isBase64Encoded": false
        })
    }

    fn ask(event: &Value) -> Value {
        let payload: LambdaRequest = serde_json::from_value(event.clone()).unwrap();
        let answer = service(Echo).oneshot(LambdaEvent::new(payload, Context::default()));
        let Some(Ok(response)) = answer.now_or_never() else { panic!("nothing here waits") };
        let response = serde_json::to_value(response).unwrap();
        let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
        let status = response["statusCode"].as_u64().unwrap();
        assert!((status == 200) == body["code"].is_null(), "{response}");
        if status == 200 {
            body
        } else {
            json!([status, body["code"], response["headers"]["allow"]])
        }
    }

    fn patch(kind: &str, body: &Value) -> Value {
        ask(&event("PATCH", "PATCH /v1/members/me/x", "/v1/members/me/x", kind, body))
    }

    #[test]
    fn a_body_arrives_where_a_route_reads_one_and_nowhere_else() {
        let get =
            event("GET", "GET /v1/members/me/x", "/v1/members/me/x", "text/plain", &json!("{}"));
        let key = "POST /v1/orders/{order_id}/x";
        let post = event("POST", key, "/v1/orders/o1/x", "application/json", &json!("{\"a\": 1}"));

        assert_eq!(ask(&get), json!(["GET", null, 0, null]));
        assert_eq!(ask(&post), json!(["POST", "o1", 8, null]));
        let merge = "application/merge-patch+json";
        for kind in [merge, "application/json", "Application/JSON; charset=utf-8"] {
            assert_eq!(
                patch(kind, &json!("{\"a\": 10}")),
                json!(["PATCH", null, 9, "{\"a\": 10}"])
            );
        }
        assert_eq!(patch(merge, &Value::Null), json!(["PATCH", null, 0, null]));
    }

    #[test]
    fn a_path_that_does_not_take_a_method_names_those_that_it_takes() {
        for method in ["POST", "DELETE", "BREW"] {
            let event = event(method, "$default", "/v1/members/me/x", "", &Value::Null);
            assert_eq!(
                ask(&event),
                json!([405, "method-not-allowed", "GET, PATCH, PUT"]),
                "{method}"
            );
            let event = self::event(method, "$default", "/v1/members/m1/y", "", &Value::Null);
            assert_eq!(ask(&event), json!([405, "method-not-allowed", "PUT, GET"]), "{method}");
        }
        let elsewhere = event("PUT", "$default", "/v1/members/m1/y", "", &Value::Null);
        assert_eq!(ask(&elsewhere)[0], 404, "API Gateway brings it to the other function");
        let other = event("POST", "$default", "/v1/nothing", "", &Value::Null);
        assert_eq!(ask(&other)[0], 404);
    }

    #[test]
    fn a_body_of_another_type_or_too_large_is_refused_by_name() {
        for kind in ["", "text/plain", "application/x-www-form-urlencoded", "json", "\u{e9}"] {
            let answered = patch(kind, &json!("{}"));
            assert_eq!(answered, json!([415, "wrong-content-type", null]), "{kind}");
        }
        let mut packed = event(
            "PATCH",
            "PATCH /v1/members/me/x",
            "/v1/members/me/x",
            "application/json",
            &json!("{}"),
        );
        packed["headers"]["content-encoding"] = json!("gzip");
        assert_eq!(ask(&packed)[0], 415);

        let (most, more) = ("x".repeat(BODY_BYTES_MAX), "x".repeat(BODY_BYTES_MAX + 1));
        assert_eq!(patch("application/json", &json!(most))[2], BODY_BYTES_MAX);
        let large = json!([413, "body-too-large", null]);
        assert_eq!(patch("application/json", &json!(more)), large);
        let mut encoded = event(
            "PATCH",
            "PATCH /v1/members/me/x",
            "/v1/members/me/x",
            "application/json",
            &json!(STANDARD.encode(&more)),
        );
        encoded["isBase64Encoded"] = json!(true);
        assert_eq!(ask(&encoded), large);
    }

    #[test]
    fn a_body_in_base64_is_read_and_one_that_is_none_stays_as_it_came() {
        let mut event = event(
            "PATCH",
            "PATCH /v1/members/me/x",
            "/v1/members/me/x",
            "application/json",
            &json!(STANDARD.encode("{\"a\": 10}")),
        );
        event["isBase64Encoded"] = json!(true);

        assert_eq!(ask(&event), json!(["PATCH", null, 9, "{\"a\": 10}"]));
        for wrong in ["no base64!", "\u{e9}", "=", "AAAAA", "\u{0}"] {
            event["body"] = json!(wrong);
            assert_eq!(ask(&event)[2], wrong.len(), "{wrong:?}");
        }
    }
}
