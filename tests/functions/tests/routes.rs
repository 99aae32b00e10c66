//! What each function of the API says of the others is so.

use loyalty_member_api::route::{ENROLL_MEMBERS, Method, REDEEM_POINTS, STAFF_API};
use loyalty_runtime::api::route::Route;

/// By which methods the paths of `routes` can be asked.
fn asked<O>(routes: &[Route<O>]) -> Vec<(Method, &'static str)> {
    routes.iter().map(|it| (it.method, it.path)).collect()
}

#[test]
fn member_api_knows_by_which_methods_the_paths_of_others_can_be_asked() {
    assert_eq!(ENROLL_MEMBERS.as_slice(), asked(&loyalty_enroll_members::route::ROUTES));
    assert_eq!(REDEEM_POINTS, asked(loyalty_redeem_points::route::ROUTES));
    assert_eq!(STAFF_API, asked(loyalty_staff_api::route::ROUTES));
}
