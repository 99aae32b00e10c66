//! Two members who are one person, and two again if that was a mistake.

use jiff::Timestamp;
use loyalty_contracts::staff::{MergeMembers, Merged, UndoMerge};
use loyalty_domain::{
    command::Request,
    id::{MemberId, PairId},
};
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
    /// Makes a member a name for another one.
    pub(crate) async fn merge(&self, asked: &Asked<'_, Operation>) -> Result<Answered, Refused> {
        let MergeMembers { into, reason } = MergeMembers::read(&asked.body).map_err(wrong_body)?;
        let (source, at): (MemberId, _) = (asked.member()?.clone(), self.writer.now());
        let request = Request::merge(asked.person()?, asked.key()?, source, at, into, reason);
        self.merged(PairId::of(&request.id), &request).await
    }

    /// Makes the two members of a merge two again.
    pub(crate) async fn undo_merge(
        &self,
        asked: &Asked<'_, Operation>,
    ) -> Result<Answered, Refused> {
        let UndoMerge { into, merge_id, reason } =
            UndoMerge::read(&asked.body).map_err(wrong_body)?;
        let (source, at): (MemberId, _) = (asked.member()?.clone(), self.writer.now());
        let (by, key) = (asked.person()?, asked.key()?);
        let request = Request::undo_merge(by, key, source, at, (into, merge_id), reason);
        self.merged(merge_id, &request).await
    }

    async fn merged(&self, merge: PairId, request: &Request) -> Result<Answered, Refused> {
        let entry = self.writer.decide(request).await?;
        Answered::new(&Merged { merge_id: merge.to_string(), entry: shown(&entry)? })
    }
}
