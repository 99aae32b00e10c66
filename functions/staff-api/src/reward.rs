//! The catalogue, of which staff make what members may take.

use jiff::Timestamp;
use loyalty_contracts::{
    body::Mistake,
    catalogue::{self, AddCodes, ChangeStock, KeptReward, PutReward},
    problem::ProblemKind,
};
use loyalty_domain::{
    decide::Rejection,
    id::RewardId,
    reward::{InvalidChange, Reward, RewardStatus},
};
use loyalty_ledger::{
    LedgerError, Patience, Reading,
    catalogue::{
        Author, CODES_MAX, CodesAdded, RewardChanged, StockChange, StockChanged, StockStep,
        VERSIONS_MAX, change_reward,
    },
    program::Programs,
};
use loyalty_runtime::api::{
    Answered, Asked, Refused,
    respond::{refusal, wrong, wrong_body},
};

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
    /// Shows a reward.
    pub(crate) async fn show_reward(
        &self,
        asked: &Asked<'_, Operation>,
    ) -> Result<Answered, Refused> {
        self.shown(&self.reward(asked).await?).await
    }

    /// Shows what a reward was, and who made it so.
    pub(crate) async fn show_versions(
        &self,
        asked: &Asked<'_, Operation>,
    ) -> Result<Answered, Refused> {
        let id = asked.other::<RewardId>()?;
        let versions = self.writer.store.reward_versions(&id, VERSIONS_MAX).await?;
        if versions.is_empty() {
            return Err(ProblemKind::NotFound.into());
        }
        let versions = versions.into_iter().map(|it| catalogue::RewardVersion {
            by: it.author.by.as_str().to_owned(),
            at: it.author.at,
            reward: (&it.reward).into(),
        });
        Answered::new(&catalogue::RewardVersions { versions: versions.collect() })
    }

    /// Creates a reward, or changes it.
    pub(crate) async fn put_reward(
        &self,
        asked: &Asked<'_, Operation>,
    ) -> Result<Answered, Refused> {
        let author = self.author(asked)?;
        let id = asked.other::<RewardId>()?;
        let put = PutReward::read(&asked.body).map_err(wrong_body)?;
        let before = self.writer.store.find_reward(&id, Reading::Newest).await?;
        let reward = put.reward(id, before.as_ref()).map_err(wrong_body)?;
        let program = self.writer.program_at(author.at).await?;
        if reward.unknown_level(&program).is_some() {
            let levels: Vec<&str> = program.levels().iter().map(|it| it.id.as_str()).collect();
            let expected = format!("only levels of the program: {}", levels.join(", "));
            return Err(mistake("levels", expected));
        }
        match change_reward(&self.writer.store, &reward, &author).await? {
            RewardChanged::Now | RewardChanged::Before => self.shown(&reward).await,
            // Somebody else was at it just now, and made nothing of it: the same again may succeed.
            RewardChanged::Invalid(InvalidChange::Version { expected })
                if expected == reward.spec().version =>
            {
                Err(LedgerError::Contended { attempts: 1 }.into())
            }
            RewardChanged::Invalid(invalid) => Err(match invalid {
                InvalidChange::Version { .. } => mistake("version", invalid.to_string()),
                InvalidChange::Retired => mistake("status", invalid.to_string()),
                InvalidChange::Kind => mistake("kind", invalid.to_string()),
                InvalidChange::Stock => mistake("is_limited", invalid.to_string()),
                InvalidChange::Other => ProblemKind::NotFound.into(),
            }),
        }
    }

    /// Lets a reward be taken, or not. Whoever asks again changes nothing.
    pub(crate) async fn set_status(
        &self,
        asked: &Asked<'_, Operation>,
        status: RewardStatus,
    ) -> Result<Answered, Refused> {
        let author = self.author(asked)?;
        let mut patience = (self.writer.patience)();
        let mut attempts = 0;
        loop {
            let before = self.reward(asked).await?;
            let is = before.spec().status;
            if is == status {
                return self.shown(&before).await;
            }
            let reward = before.with_status(status);
            let reward = reward.map_err(|it| wrong_body(catalogue::wrong_reward(it)))?;
            match change_reward(&self.writer.store, &reward, &author).await? {
                RewardChanged::Now | RewardChanged::Before => return self.shown(&reward).await,
                RewardChanged::Invalid(InvalidChange::Version { .. }) => {
                    attempts += 1;
                    if !patience.wait(attempts).await {
                        return Err(LedgerError::Contended { attempts }.into());
                    }
                }
                RewardChanged::Invalid(
                    InvalidChange::Retired
                    | InvalidChange::Kind
                    | InvalidChange::Stock
                    | InvalidChange::Other,
                ) => return Err(refusal(&Rejection::RewardNotActive { status: is })),
            }
        }
    }

    /// Changes what is left of a reward.
    pub(crate) async fn change_stock(
        &self,
        asked: &Asked<'_, Operation>,
    ) -> Result<Answered, Refused> {
        let author = self.author(asked)?;
        let ChangeStock { add, remove } = ChangeStock::read(&asked.body).map_err(wrong_body)?;
        let (field, by) = match (add, remove) {
            (Some(by), _) => ("add", StockStep::Add(by)),
            (None, by) => ("remove", StockStep::Remove(by.unwrap_or(0))),
        };
        let reward = self.reward(asked).await?;
        let change = StockChange { author, key: asked.key()?, by };
        let mut patience = (self.writer.patience)();
        match self.writer.store.change_stock(&reward, &change, &mut patience).await? {
            StockChanged::Now | StockChanged::Before => self.shown(&reward).await,
            StockChanged::Reused => Err(ProblemKind::RequestKeyReused.into()),
            StockChanged::NotCounted => Err(mistake(
                field,
                "nothing: only stock that is limited and has no codes is counted, and serial numbers \
                 are not removed"
                    .to_owned(),
            )),
            StockChanged::TooMany { most } => Err(mistake(field, format!("at most {most}"))),
            StockChanged::Less { left } => {
                Err(mistake(field, format!("at most {left}, which is left")))
            }
        }
    }

    /// Adds codes to a coupon whose codes are uploaded.
    pub(crate) async fn add_codes(
        &self,
        asked: &Asked<'_, Operation>,
    ) -> Result<Answered, Refused> {
        let author = self.author(asked)?;
        let AddCodes { codes } = AddCodes::read(&asked.body, CODES_MAX).map_err(wrong_body)?;
        let reward = self.reward(asked).await?;
        let mut patience = (self.writer.patience)();
        match self.writer.store.add_codes(&reward, &codes, &author, &mut patience).await? {
            CodesAdded::Now { added, known } => {
                Answered::new(&catalogue::CodesAdded { added, known })
            }
            CodesAdded::NoCodes => Err(mistake(
                "codes",
                "nothing: the reward is no coupon of uploaded codes".to_owned(),
            )),
            CodesAdded::TooMany => Err(mistake("codes", format!("at most {CODES_MAX}"))),
        }
    }

    /// Who asks, whom the catalogue keeps with what they make of it.
    fn author(&self, asked: &Asked<'_, Operation>) -> Result<Author, Refused> {
        Ok(Author { by: asked.person()?, at: self.writer.now() })
    }

    /// The reward that the path names.
    async fn reward(&self, asked: &Asked<'_, Operation>) -> Result<Reward, Refused> {
        let id = asked.other::<RewardId>()?;
        let reward = self.writer.store.find_reward(&id, Reading::Newest).await?;
        reward.ok_or_else(|| ProblemKind::NotFound.into())
    }

    async fn shown(&self, reward: &Reward) -> Result<Answered, Refused> {
        let remaining = self.writer.store.remaining(reward).await?;
        Answered::new(&KeptReward::of(reward, remaining))
    }
}

/// What is said of one field of a body.
fn mistake(path: &str, expected: String) -> Refused {
    wrong(ProblemKind::InvalidBody, &[Mistake { path: path.to_owned(), expected }])
}
