//! Points that one member gives to another.

use jiff::Timestamp;
use loyalty_contracts::spending::TransferPoints;
use loyalty_domain::command::Request;
use loyalty_ledger::{Patience, program::Programs};
use loyalty_runtime::api::{Answered, Asked, Refused, respond::wrong_body, write::shown};

use crate::{
    handler::{Door, Store},
    route::Operation,
};

impl<S, P, C, W, T> Door<S, P, C, W>
where
    S: Store,
    P: Programs,
    C: Fn() -> Timestamp,
    W: Fn() -> T,
    T: Patience,
{
    /// Gives points of a member to another one, and shows the giver's entry.
    pub(crate) async fn transfer(&self, asked: &Asked<'_, Operation>) -> Result<Answered, Refused> {
        let TransferPoints { to, points } =
            TransferPoints::read(&asked.body).map_err(wrong_body)?;
        let (from, at) = (asked.member()?.clone(), self.writer.now());
        let request = Request::transfer(asked.client()?, asked.key()?, from, at, to, points);
        Answered::new(&shown(&*self.writer.decide(&request).await?)?)
    }
}
