//! Answers who members are: enrollment, activation, profiles, identities, codes, and orders of guests.

use std::time::Duration;

use lambda_http::{Error, lambda_runtime};
use loyalty_dynamodb::{DynamoDbLedger, Tables};
use loyalty_enroll_members::handler::{Door, service};
use loyalty_ledger::program::Programs as _;
use loyalty_runtime::{
    aws::Aws,
    clock::{self, Deadline},
    log::{self, ErrorChain},
    patience::FullJitter,
    program::CachedPrograms,
    publish::EventBridgeBus,
    secret::{HashKey, fill_random},
    settings::{StoreSettings, environment, text},
};
use tracing::warn;

/// `MEMBER_CLAIM`: the claim of a token that names the member, `sub` unless the shop's issuer has another.
const MEMBER_CLAIM: &str = "MEMBER_CLAIM";
/// `MEMBERS_TABLE_NAME`: the table of members, with their personal data.
const MEMBERS_TABLE_NAME: &str = "MEMBERS_TABLE_NAME";
/// `IDENTITY_SECRET_ID`: the secret that hashes of contacts are keyed with, as Secrets Manager names it.
const IDENTITY_SECRET_ID: &str = "IDENTITY_SECRET_ID";
/// `EVENT_BUS_NAME`: where codes of activation leave for who sends them.
const EVENT_BUS_NAME: &str = "EVENT_BUS_NAME";
/// `REFERRAL_URL`: what a referral code is put behind to become a link; nothing where the shop has no such page.
const REFERRAL_URL: &str = "REFERRAL_URL";

/// How long a request that lost a race tries again: API Gateway waits for 30 seconds, and a person does not.
const TRY_AGAIN: Duration = Duration::from_secs(3);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();

    // Once per cold start. Whatever fails here fails before anybody is answered.
    let settings = StoreSettings::from_lookup(environment)?;
    let member_claim = text(environment, MEMBER_CLAIM)?;
    let members_table_name = text(environment, MEMBERS_TABLE_NAME)?;
    let identity_secret_id = text(environment, IDENTITY_SECRET_ID)?;
    let event_bus_name = text(environment, EVENT_BUS_NAME)?;
    let referral_url = environment(REFERRAL_URL).filter(|it| !it.is_empty());
    let aws = Aws::from_lookup(environment)?;
    let tables =
        Tables { ledger: settings.ledger_table_name, program: settings.program_table_name };
    let store = DynamoDbLedger::new(aws.dynamodb(settings.store_timeout), tables)
        .with_members(members_table_name);
    let programs = CachedPrograms::new(store.clone(), settings.program_cache);
    let secrets = aws.secretsmanager(settings.store_timeout);
    // Real reads, while there is full CPU: the connection stands when the first request comes. A shop that
    // has no program yet may have one by then; without the secret, nobody can be found at all.
    let (hash_key, read) =
        tokio::join!(HashKey::read(&secrets, &identity_secret_id), programs.programs());
    let hash_key = hash_key?;
    if let Err(error) = read {
        warn!(error = %ErrorChain(&error), "the program could not be read yet");
    }
    let outbox = EventBridgeBus::new(aws.eventbridge(settings.store_timeout), event_bus_name);

    let door = Door {
        store,
        programs,
        outbox,
        now: clock::now,
        random: fill_random,
        patience: || FullJitter::until(Deadline::after(TRY_AGAIN)),
        hash_key,
        referral_url,
        member_claim,
    };
    lambda_runtime::run(service(door)).await
}
