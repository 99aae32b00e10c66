//! What each function of the API says of the others is so.

use loyalty_enroll_members::route::ROUTES;
use loyalty_member_api::route::ELSEWHERE;

#[test]
fn member_api_knows_by_which_methods_the_paths_of_enroll_members_can_be_asked() {
    let asked: Vec<_> = ROUTES.iter().map(|it| (it.method, it.path)).collect();

    assert_eq!(ELSEWHERE.as_slice(), asked);
}
