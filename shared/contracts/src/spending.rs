//! What the API is asked where points are used: bodies of requests, and what is answered beside the entry.

use loyalty_domain::{id::MemberId, points::Points};

use crate::body::{BodyError, read, read_member_id};

/// What is said where a number of points should be.
pub(crate) const POINTS: &str = "a whole number of points from 1";

/// Points are given to another member.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TransferPoints {
    /// To whom, by the shop's id of the member.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "13047"))]
    pub to: MemberId,
    /// How many.
    #[cfg_attr(feature = "openapi", schema(value_type = u64, minimum = 1, example = 100))]
    pub points: Points,
}

impl TransferPoints {
    /// The request in `body`.
    ///
    /// # Errors
    ///
    /// A [`BodyError`], which says nothing that was sent. Retrying cannot help.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        read(body, &["to", "points"], |it| {
            let to = it.needed("to", "the shop's id of a member", it.text(read_member_id));
            let points = it.needed("points", POINTS, it.points());
            Some(Self { to: to?, points: points? })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_names_a_member_and_whole_points() {
        let read = |body: &str| TransferPoints::read(body.as_bytes());

        let transfer = read(r#"{"to": "m2", "points": 9223372036854775807}"#).unwrap();
        assert_eq!((transfer.to.as_str(), transfer.points), ("m2", Points::MAX));
        for wrong in [
            r#"{"to": "m2@shop.example", "points": 0}"#,
            r#"{"to": "", "points": -1}"#,
            r#"{"to": 2, "points": 1.0}"#,
            r#"{"points": "100"}"#,
            r#"{"points": 9223372036854775808}"#,
        ] {
            let Err(BodyError::Wrong(mistakes)) = read(wrong) else { panic!("{wrong}") };
            let places: Vec<&str> = mistakes.iter().map(|it| it.path.as_str()).collect();
            assert_eq!(places, ["to", "points"], "{wrong}");
        }
    }
}
