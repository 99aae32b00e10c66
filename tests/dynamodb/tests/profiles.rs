//! Members on DynamoDB: what is one member's only stays so, and what is counted is counted exactly, however many
//! ask at once and whatever the store does to their requests.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{error::Error, num::NonZeroU32};

use jiff::Timestamp;
use loyalty_domain::{
    code::{NamedCode, ReferralCode},
    contact::{Consent, ConsentChannel},
    id::{MemberId, OrderId, ReasonCode},
};
use loyalty_dynamodb::DynamoDbLedger;
use loyalty_ledger::{
    LedgerError, Reading,
    profile::{
        Activation, Begun, Contact, Friend, GuestContact, GuestTried, Identity, IdentityKind,
        KeyedHash, KnownCode, LIKES_MAX, Like, OldCode, Profile, ProfileChange, Profiles, Saved,
        SendLimits, Signal, SignalKind, Taken, Tried,
    },
};
use loyalty_tests_dynamodb::{Engine, Fault, Usage, Wire, members_table};
use loyalty_tests_ledger::member;
use serde_json::json;
use tokio::task::JoinSet;

/// A hash that no other text has.
fn hash(text: &str) -> KeyedHash {
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    bytes.into()
}

fn identity(kind: IdentityKind, text: &str) -> Identity {
    Identity { kind, hash: hash(text) }
}

fn signal(kind: SignalKind, text: &str) -> Signal {
    Signal { kind, hash: hash(text) }
}

fn code(number: u64) -> ReferralCode {
    ReferralCode::of_random(number.to_be_bytes())
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(1_770_000_000 + second).unwrap()
}

/// A profile with nothing in it but its id and code.
fn bare(id: &str, code_number: u64) -> Profile {
    Profile {
        member_id: member(id),
        version: 0,
        phone: None,
        mail: None,
        language: None,
        birthday: None,
        consents: Vec::new(),
        identities: Vec::new(),
        signals: Vec::new(),
        code: code(code_number),
        enrolled_at: second(0),
        source: None,
        digest: hash("digest"),
    }
}

/// A profile as most shops would have it.
fn usual(id: &str, code_number: u64, phone: &str) -> Profile {
    let consent = |channel| Consent {
        channel,
        granted: true,
        at: second(0),
        source: ReasonCode::try_from("checkout").unwrap(),
    };
    Profile {
        phone: Some(Contact { value: "+442079460958".try_into().unwrap(), verified: false }),
        mail: Some(Contact { value: "jane@example.com".try_into().unwrap(), verified: true }),
        language: Some("en-GB".try_into().unwrap()),
        birthday: Some("1992-02-29".try_into().unwrap()),
        consents: vec![consent(ConsentChannel::Mail), consent(ConsentChannel::Sms)],
        identities: vec![
            identity(IdentityKind::Customer, id),
            identity(IdentityKind::Phone, phone),
            identity(IdentityKind::Mail, id),
        ],
        signals: vec![signal(SignalKind::Phone, phone), signal(SignalKind::Address, id)],
        source: Some(ReasonCode::try_from("web").unwrap()),
        ..bare(id, code_number)
    }
}

fn enrollment(profile: Profile) -> ProfileChange {
    ProfileChange::between(None, profile, OldCode::Dies)
}

async fn enroll(ledger: &DynamoDbLedger, profile: Profile) -> Profile {
    let change = enrollment(profile);
    assert_eq!(ledger.save_profile(&change).await.unwrap(), Saved::Now);
    change.profile
}

async fn save(ledger: &DynamoDbLedger, before: &Profile, after: Profile) -> Saved {
    let change = ProfileChange::between(Some(before), after, OldCode::Dies);
    ledger.save_profile(&change).await.unwrap()
}

async fn find(ledger: &DynamoDbLedger, id: &str) -> Profile {
    ledger.find_profile(&member(id), Reading::Newest).await.unwrap().unwrap()
}

async fn owner(ledger: &DynamoDbLedger, identity: Identity) -> Option<MemberId> {
    ledger.find_identity(&identity, Reading::Newest).await.unwrap()
}

async fn named(ledger: &DynamoDbLedger, code: &ReferralCode) -> NamedCode {
    KnownCode::named(ledger.find_code(code, Reading::Newest).await.unwrap())
}

/// Saves `change` as a function does: again after a lost race, at most so many times.
async fn insist(ledger: &DynamoDbLedger, change: &ProfileChange) -> Saved {
    for _ in 0..100 {
        let saved = ledger.save_profile(change).await.unwrap();
        let found = ledger.find_profile(&change.profile.member_id, Reading::Newest).await.unwrap();
        if saved != Saved::Raced || found.as_ref() == Some(&change.profile) {
            return saved;
        }
        tokio::task::yield_now().await;
    }
    Saved::Raced
}

/// Every third request meets another transaction.
fn conflict_now_and_then(wire: &Wire) {
    let mut requests = 0;
    wire.disturb(move |it| {
        requests += 1;
        (it == "TransactWriteItems" && requests % 3 == 0).then_some(Fault::Conflict)
    });
}

#[tokio::test]
async fn a_profile_is_found_as_it_was_saved_by_all_that_names_it() {
    let (ledger, _) = Engine::start().ledger();
    let saved = enroll(&ledger, usual("m#1", 1, "phone")).await;

    let found = find(&ledger, "m#1").await;

    assert_eq!(found, saved);
    assert_eq!(found.version, 1);
    for it in &saved.identities {
        assert_eq!(owner(&ledger, *it).await, Some(member("m#1")));
    }
    assert_eq!(owner(&ledger, identity(IdentityKind::Card, "phone")).await, None);
    assert_eq!(named(&ledger, &code(1)).await, NamedCode::Of(member("m#1")));
    assert_eq!(named(&ledger, &code(2)).await, NamedCode::Unknown);
    let nobody = ledger.find_profile(&member("m"), Reading::Cheap).await.unwrap();
    assert_eq!(nobody, None);
}

#[tokio::test]
async fn of_32_enrollments_with_one_phone_at_once_one_succeeds_and_leaves_no_trace_of_the_others() {
    let engine = Engine::start();
    let tables = engine.tables();
    let (ledger, wire) = engine.ledger_in(tables.clone());
    conflict_now_and_then(&wire);

    let mut running = JoinSet::new();
    for number in 0..32_u64 {
        let ledger = ledger.clone();
        running.spawn(async move {
            let change = enrollment(usual(&format!("m{number}"), number, "one phone"));
            insist(&ledger, &change).await
        });
    }
    let ends = running.join_all().await;

    let taken = Saved::Taken(Taken::Identity(IdentityKind::Phone));
    assert_eq!(ends.iter().filter(|it| **it == Saved::Now).count(), 1, "{ends:?}");
    assert_eq!(ends.iter().filter(|it| **it == taken).count(), 31, "{ends:?}");
    let winner = owner(&ledger, identity(IdentityKind::Phone, "one phone")).await.unwrap();
    // A profile, three identities, two signals and a code.
    let items = engine.items(&members_table(&tables));
    assert_eq!(items.len(), 7, "{items:?}");
    assert_eq!(find(&ledger, winner.as_str()).await.member_id, winner);
}

#[tokio::test]
async fn one_enrollment_sent_32_times_at_once_is_done_once() {
    let (ledger, wire) = Engine::start().ledger();
    conflict_now_and_then(&wire);

    let mut running = JoinSet::new();
    for _ in 0..32 {
        let ledger = ledger.clone();
        running.spawn(async move { insist(&ledger, &enrollment(usual("m1", 1, "phone"))).await });
    }
    let ends = running.join_all().await;

    assert_eq!(ends.iter().filter(|it| **it == Saved::Now).count(), 1, "{ends:?}");
    assert_eq!(ends.iter().filter(|it| **it == Saved::Raced).count(), 31, "{ends:?}");
    assert_eq!(find(&ledger, "m1").await.version, 1);
}

#[tokio::test]
async fn whoever_saves_over_what_was_not_read_has_lost_a_race() {
    let (ledger, _) = Engine::start().ledger();
    let first = enroll(&ledger, usual("m1", 1, "phone")).await;
    let german = Profile { language: Some("de".try_into().unwrap()), ..first.clone() };
    let french = Profile { language: Some("fr".try_into().unwrap()), ..first.clone() };
    let moved = Profile { identities: vec![], ..first.clone() };

    let ends = [
        save(&ledger, &first, german.clone()).await,
        save(&ledger, &first, french).await,
        save(&ledger, &first, moved).await,
    ];

    assert_eq!(ends, [Saved::Now, Saved::Raced, Saved::Raced]);
    let again = ledger.save_profile(&enrollment(usual("m1", 2, "another"))).await.unwrap();
    assert_eq!(again, Saved::Raced);
    // Though what it wants is taken as well.
    enroll(&ledger, usual("m2", 3, "theirs")).await;
    let again = ledger.save_profile(&enrollment(usual("m1", 3, "theirs"))).await.unwrap();
    assert_eq!(again, Saved::Raced);
    assert_eq!(find(&ledger, "m1").await, Profile { version: 2, ..german });
    assert_eq!(owner(&ledger, identity(IdentityKind::Phone, "another")).await, None);
    assert_eq!(named(&ledger, &code(2)).await, NamedCode::Unknown);
}

#[tokio::test]
async fn an_identity_that_is_released_may_be_taken_by_another_member_and_not_before() {
    let (ledger, _) = Engine::start().ledger();
    let first = enroll(&ledger, usual("m1", 1, "phone")).await;
    let second = enroll(&ledger, usual("m2", 2, "another")).await;
    let phone = identity(IdentityKind::Phone, "phone");
    let mut with_phone = second.clone();
    with_phone.identities.push(phone);
    let mut without_phone = first.clone();
    without_phone.identities.retain(|it| *it != phone);

    let before = save(&ledger, &second, with_phone.clone()).await;
    let released = save(&ledger, &first, without_phone.clone()).await;
    let free = owner(&ledger, phone).await;
    let taken = save(&ledger, &second, with_phone).await;
    let again = save(&ledger, &find(&ledger, "m1").await, first).await;

    assert_eq!(before, Saved::Taken(Taken::Identity(IdentityKind::Phone)));
    assert_eq!((released, free), (Saved::Now, None));
    assert_eq!(taken, Saved::Now);
    assert_eq!(again, before);
    assert_eq!(owner(&ledger, phone).await, Some(member("m2")));
    assert_eq!(find(&ledger, "m1").await.identities, without_phone.identities);
}

#[tokio::test]
async fn a_member_never_releases_what_is_another_member_s() {
    let (ledger, _) = Engine::start().ledger();
    let first = enroll(&ledger, usual("m1", 1, "phone")).await;
    enroll(&ledger, usual("m2", 2, "another")).await;
    let mut change = ProfileChange::between(Some(&first), first.clone(), OldCode::Dies);
    change.release.push(identity(IdentityKind::Phone, "another"));

    let saved = ledger.save_profile(&change).await.unwrap();

    assert_eq!(saved, Saved::Raced);
    let another = identity(IdentityKind::Phone, "another");
    assert_eq!(owner(&ledger, another).await, Some(member("m2")));
}

#[tokio::test]
async fn a_code_that_died_leads_to_nobody_and_is_nobody_s_again() {
    let (ledger, _) = Engine::start().ledger();
    let first = enroll(&ledger, bare("m1", 1)).await;

    let rotated = save(&ledger, &first, Profile { code: code(2), ..first.clone() }).await;
    let theirs = ledger.save_profile(&enrollment(bare("m2", 1))).await.unwrap();
    let now = find(&ledger, "m1").await;
    let back = save(&ledger, &now, Profile { code: code(1), ..now.clone() }).await;

    assert_eq!(rotated, Saved::Now);
    assert_eq!((theirs, back), (Saved::Taken(Taken::Code), Saved::Taken(Taken::Code)));
    assert_eq!(named(&ledger, &code(1)).await, NamedCode::Dead);
    assert_eq!(named(&ledger, &code(2)).await, NamedCode::Of(member("m1")));
    let known = ledger.find_code(&code(1), Reading::Newest).await.unwrap();
    assert_eq!(known, Some(KnownCode { member_id: member("m1"), is_dead: true }));
}

#[tokio::test]
async fn a_code_that_lives_on_leads_to_its_member_beside_the_new_one() {
    let (ledger, _) = Engine::start().ledger();
    let first = enroll(&ledger, bare("m1", 1)).await;
    let after = Profile { code: code(2), ..first.clone() };
    let change = ProfileChange::between(Some(&first), after, OldCode::LivesOn);

    assert_eq!(ledger.save_profile(&change).await.unwrap(), Saved::Now);

    for number in [1, 2] {
        assert_eq!(named(&ledger, &code(number)).await, NamedCode::Of(member("m1")));
    }
}

#[tokio::test]
async fn no_member_kills_the_code_of_another_one() {
    let (ledger, _) = Engine::start().ledger();
    let first = enroll(&ledger, bare("m1", 1)).await;
    enroll(&ledger, bare("m2", 2)).await;
    for number in [2, 3] {
        let mut change = ProfileChange::between(Some(&first), first.clone(), OldCode::Dies);
        change.kill_codes.push(code(number));

        assert_eq!(ledger.save_profile(&change).await.unwrap(), Saved::Raced);
    }
    assert_eq!(named(&ledger, &code(2)).await, NamedCode::Of(member("m2")));
    assert_eq!(named(&ledger, &code(3)).await, NamedCode::Unknown);
}

/// Members who have signals, and who of them is found alike.
#[tokio::test]
async fn who_shares_a_signal_is_alike_as_long_as_both_have_it() {
    let (ledger, _) = Engine::start().ledger();
    let phone = signal(SignalKind::Phone, "shared");
    let card = signal(SignalKind::Card, "shared");
    let first = enroll(&ledger, Profile { signals: vec![phone, card], ..bare("m1", 1) }).await;
    let later = Profile { enrolled_at: second(60), ..bare("m2", 2) };
    let other = enroll(&ledger, Profile { signals: vec![phone], ..later }).await;
    enroll(&ledger, Profile { signals: vec![card], ..bare("m3", 3) }).await;
    // The same text, of another kind.
    let device = signal(SignalKind::Device, "shared");
    enroll(&ledger, Profile { signals: vec![device], ..bare("m4", 4) }).await;

    let found = ledger.likeness(&member("m1"), Reading::Newest).await.unwrap();
    save(&ledger, &other, Profile { signals: vec![], ..other.clone() }).await;
    let without = ledger.likeness(&member("m1"), Reading::Newest).await.unwrap();

    let like = |kind, id: &str, at| Like { kind, member_id: member(id), enrolled_at: second(at) };
    let of_phone = like(SignalKind::Phone, "m2", 60);
    let of_card = like(SignalKind::Card, "m3", 0);
    assert_eq!(found.others, [of_phone, of_card.clone()]);
    assert!(!found.has_more);
    assert_eq!(without.others, [of_card]);
    assert_eq!(first.shared_with(&other).collect::<Vec<_>>(), [SignalKind::Phone]);
    for alone in ["m4", "nobody"] {
        let found = ledger.likeness(&member(alone), Reading::Newest).await.unwrap();
        assert_eq!(found.others, []);
    }
}

#[tokio::test]
async fn a_signal_that_many_share_is_looked_at_in_part_and_says_so() {
    let (ledger, _) = Engine::start().ledger();
    let address = signal(SignalKind::Address, "an office");
    let shared =
        |number: u64| Profile { signals: vec![address], ..bare(&format!("m{number}"), number) };
    for number in 0..=LIKES_MAX.into() {
        enroll(&ledger, shared(number)).await;
    }
    let whole = ledger.likeness(&member("m0"), Reading::Newest).await.unwrap();
    enroll(&ledger, shared(u64::from(LIKES_MAX) + 1)).await;

    let part = ledger.likeness(&member("m0"), Reading::Newest).await.unwrap();

    assert_eq!((whole.others.len(), whole.has_more), (LIKES_MAX.into(), false));
    assert_eq!((part.others.len(), part.has_more), (LIKES_MAX.into(), true));
}

fn activation(id: &str, text: &str, at: i64) -> Activation {
    Activation {
        member_id: member(id),
        hash: hash(text),
        sent_at: second(at),
        expires_at: second(at + 900),
    }
}

fn limits(apart_seconds_min: u32, sends_a_day_max: u32) -> SendLimits {
    SendLimits { apart_seconds_min, sends_a_day_max: NonZeroU32::new(sends_a_day_max).unwrap() }
}

async fn begin(ledger: &DynamoDbLedger, text: &str, at: i64) -> Begun {
    ledger.begin_activation(&activation("m1", text, at), limits(60, 3)).await.unwrap()
}

async fn attempt(ledger: &DynamoDbLedger, at: i64) -> Tried {
    ledger.try_activation(&member("m1"), second(at), 5).await.unwrap()
}

#[tokio::test]
async fn an_activation_is_tried_until_it_expires_or_ends() {
    let (ledger, _) = Engine::start().ledger();
    assert_eq!(attempt(&ledger, 0).await, Tried::None);
    assert_eq!(begin(&ledger, "first", 0).await, Begun::Now);

    let first = attempt(&ledger, 0).await;
    let last = attempt(&ledger, 899).await;
    let late = attempt(&ledger, 900).await;
    begin(&ledger, "second", 900).await;
    let anew = attempt(&ledger, 901).await;
    ledger.end_activation(&member("m1")).await.unwrap();
    ledger.end_activation(&member("m1")).await.unwrap();

    let with = |text, at, attempts_left| Tried::With {
        hash: hash(text),
        expires_at: second(at),
        attempts_left,
    };
    assert_eq!(first, with("first", 900, 4));
    assert_eq!(last, with("first", 900, 3));
    assert_eq!(late, Tried::Expired);
    assert_eq!(anew, with("second", 1_800, 4));
    assert_eq!(attempt(&ledger, 902).await, Tried::None);
}

#[tokio::test]
async fn of_64_tries_of_one_code_at_once_as_many_are_answered_as_there_may_be() {
    let (ledger, _) = Engine::start().ledger();
    begin(&ledger, "first", 0).await;

    let mut running = JoinSet::new();
    for _ in 0..64 {
        let ledger = ledger.clone();
        running.spawn(async move { attempt(&ledger, 1).await });
    }
    let tries = running.join_all().await;

    let mut left: Vec<u32> = tries
        .iter()
        .filter_map(|it| match it {
            Tried::With { attempts_left, .. } => Some(*attempts_left),
            Tried::None | Tried::Expired | Tried::TooMany => None,
        })
        .collect();
    left.sort_unstable();
    assert_eq!(left, [0, 1, 2, 3, 4]);
    assert_eq!(tries.iter().filter(|it| **it == Tried::TooMany).count(), 59);
    // Until a new one is sent, which may be tried as often.
    begin(&ledger, "second", 60).await;
    assert!(matches!(attempt(&ledger, 61).await, Tried::With { attempts_left: 4, .. }));
}

#[tokio::test]
async fn a_code_is_sent_again_after_a_while_and_only_so_often_a_day() {
    const DAY: i64 = 86_400;
    let (ledger, _) = Engine::start().ledger();
    let too_soon = |at| Begun::TooSoon { again_at: second(at) };
    let too_many = |at| Begun::TooMany { again_at: second(at) };

    for (at, begun) in [
        (0, Begun::Now),
        (59, too_soon(60)),
        (60, Begun::Now),
        (119, too_soon(120)),
        (120, Begun::Now),
        (121, too_many(DAY)),
        (180, too_many(DAY)),
        (DAY - 1, too_many(DAY)),
        (DAY, Begun::Now),
        (DAY + 60, Begun::Now),
        // A clock that is behind.
        (DAY, too_soon(DAY + 120)),
        (DAY + 3_600, Begun::Now),
        (DAY + 7_200, too_many(2 * DAY)),
    ] {
        assert_eq!(begin(&ledger, &format!("at {at}"), at).await, begun, "at {at}");
    }
    // What was refused is not what counts.
    assert!(matches!(attempt(&ledger, DAY + 3_600).await,
        Tried::With { hash: it, .. } if it == hash(&format!("at {}", DAY + 3_600))));
}

#[tokio::test]
async fn of_64_sends_at_once_one_is_begun_and_without_a_pause_as_many_as_a_day_has() {
    let (ledger, _) = Engine::start().ledger();
    for (id, limits, expected) in [("m1", limits(60, 10), 1), ("m2", limits(0, 10), 10)] {
        let mut running = JoinSet::new();
        for number in 0..64 {
            let ledger = ledger.clone();
            let activation = activation(id, &format!("code {number}"), 0);
            running
                .spawn(async move { ledger.begin_activation(&activation, limits).await.unwrap() });
        }
        let begun = running.join_all().await;

        let now = begun.iter().filter(|it| **it == Begun::Now).count();
        assert_eq!(now, expected, "{begun:?}");
    }
}

#[tokio::test]
async fn a_send_whose_reply_is_lost_is_begun_when_it_is_asked_again_and_counted_once() {
    let (ledger, wire) = Engine::start().ledger();
    wire.disturb_once("UpdateItem", Fault::LostReply);
    let activation = activation("m1", "first", 0);

    let lost = ledger.begin_activation(&activation, limits(60, 1)).await.unwrap_err();
    let again = ledger.begin_activation(&activation, limits(60, 1)).await.unwrap();

    assert!(lost.is_transient(), "{lost:?}");
    assert_eq!(again, Begun::Now);
    assert!(matches!(begin(&ledger, "another", 0).await, Begun::TooSoon { .. }));
}

#[tokio::test]
async fn friends_are_noted_once_and_found_by_pages() {
    let (ledger, _) = Engine::start().ledger();
    let referrer = member("r#1");
    let friend =
        |number: i64| Friend { member_id: member(&format!("F#{number}")), at: second(number) };
    // What else is the referrer's is no friend.
    enroll(&ledger, bare("r#1", 1)).await;
    for number in [3, 1, 4, 0, 2] {
        ledger.add_friend(&referrer, &friend(number)).await.unwrap();
    }
    let later = Friend { at: second(99), ..friend(1) };
    ledger.add_friend(&referrer, &later).await.unwrap();

    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let page = ledger.friends(&referrer, after.as_ref(), 2).await.unwrap();
        pages.push(page.friends);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }

    let pages: Vec<Friend> = pages.into_iter().flatten().collect();
    assert_eq!(pages, (0..5).map(friend).collect::<Vec<_>>());
    let nobody = ledger.friends(&member("r"), None, 2).await.unwrap();
    assert_eq!((nobody.friends, nobody.next), (vec![], None));
}

fn order_id() -> OrderId {
    OrderId::try_from("o#1").unwrap()
}

#[tokio::test]
async fn of_64_claims_of_a_guest_s_order_at_once_as_many_are_answered_as_there_may_be() {
    let (ledger, _) = Engine::start().ledger();
    let contact = GuestContact { mail: Some(hash("mail")), phone: None };
    assert_eq!(ledger.try_guest(&order_id(), 5).await.unwrap(), GuestTried::None);
    ledger.put_guest_contact(&order_id(), &contact).await.unwrap();

    let mut running = JoinSet::new();
    for _ in 0..64 {
        let ledger = ledger.clone();
        running.spawn(async move { ledger.try_guest(&order_id(), 5).await.unwrap() });
    }
    let tries = running.join_all().await;

    let with = GuestTried::With(contact);
    assert_eq!(tries.iter().filter(|it| **it == with).count(), 5, "{tries:?}");
    assert_eq!(tries.iter().filter(|it| **it == GuestTried::TooMany).count(), 59, "{tries:?}");
}

#[tokio::test]
async fn a_guest_s_contact_that_is_told_again_keeps_its_tries_and_a_new_one_has_its_own() {
    let (ledger, _) = Engine::start().ledger();
    let mail = GuestContact { mail: Some(hash("mail")), phone: None };
    let phone = GuestContact { mail: None, phone: Some(hash("phone")) };
    let both = GuestContact { phone: Some(hash("phone")), ..mail };

    for (contact, expected) in [
        (mail, GuestTried::With(mail)),
        (mail, GuestTried::TooMany),
        (both, GuestTried::With(both)),
        (both, GuestTried::TooMany),
        (phone, GuestTried::With(phone)),
        (GuestContact::default(), GuestTried::With(GuestContact::default())),
        (GuestContact::default(), GuestTried::TooMany),
    ] {
        ledger.put_guest_contact(&order_id(), &contact).await.unwrap();

        assert_eq!(ledger.try_guest(&order_id(), 1).await.unwrap(), expected, "{contact:?}");
    }
}

#[tokio::test]
async fn without_a_table_of_members_nothing_about_them_is_allowed() {
    let engine = Engine::start();
    let (ledger, wire) = engine.ledger_without_members_in(engine.tables());

    let errors = [
        ledger.find_profile(&member("m1"), Reading::Cheap).await.unwrap_err(),
        ledger.save_profile(&enrollment(bare("m1", 1))).await.unwrap_err(),
        ledger.try_guest(&order_id(), 1).await.unwrap_err(),
        ledger.friends(&member("m1"), None, 1).await.unwrap_err(),
    ];

    for error in errors {
        assert!(matches!(error, LedgerError::NotAllowed { .. }), "{error:?}");
        assert_eq!(error.source().unwrap().to_string(), "no table of members is named");
    }
    assert_eq!(wire.usage(), Usage::default());
}

#[tokio::test]
async fn a_change_that_no_store_could_make_is_refused_before_it_is_sent() {
    let (ledger, wire) = Engine::start().ledger();
    let good = || enrollment(usual("m1", 1, "phone"));
    let phone = identity(IdentityKind::Phone, "phone");
    let many = |number: u8| (0..number).map(|it| signal(SignalKind::Device, &it.to_string()));

    let skipping = ProfileChange { expected: 5, ..good() };
    let both_ways = ProfileChange { release: vec![phone], ..good() };
    let twice = ProfileChange { take: vec![phone, phone], ..good() };
    let too_many = enrollment(Profile { signals: many(21).collect(), ..bare("m1", 1) });

    for change in [skipping, both_ways, twice, too_many] {
        let error = ledger.save_profile(&change).await.unwrap_err();
        assert!(matches!(error, LedgerError::Corrupt(_)), "{error:?}");
    }
    assert_eq!(wire.usage(), Usage::default());
    let most = enrollment(Profile { signals: many(20).collect(), ..bare("m1", 1) });
    assert_eq!(ledger.save_profile(&most).await.unwrap(), Saved::Now);
}

#[tokio::test]
async fn what_is_throttled_was_not_done_and_says_nothing_of_what_was_sent() {
    let (ledger, wire) = Engine::start().ledger();
    let profile = usual("m-secret", 1, "phone");
    wire.disturb_once("TransactWriteItems", Fault::Throttled);
    let throttled = ledger.save_profile(&enrollment(profile.clone())).await.unwrap_err();
    let saved = enroll(&ledger, profile).await;
    wire.disturb_once("PutItem", Fault::Throttled);
    let alone = ProfileChange::between(Some(&saved), saved.clone(), OldCode::Dies);
    let throttled_alone = ledger.save_profile(&alone).await.unwrap_err();
    wire.disturb_once("PutItem", Fault::Conflict);
    let conflict = ledger.save_profile(&alone).await.unwrap();

    assert_eq!(conflict, Saved::Raced);
    for error in [throttled, throttled_alone] {
        assert!(error.is_transient(), "{error:?}");
        let mut cause: Option<&dyn Error> = Some(&error);
        while let Some(it) = cause {
            let text = it.to_string();
            for personal in ["secret", "jane", "7946", saved.code.as_str()] {
                assert!(!text.contains(personal), "{text}");
            }
            cause = it.source();
        }
    }
}

#[tokio::test]
async fn a_profile_that_is_not_ours_is_refused_without_a_word_of_it() {
    let engine = Engine::start();
    let tables = engine.tables();
    let (ledger, _) = engine.ledger_in(tables.clone());
    let item = |shape: &str, body: &str| {
        json!({"pk": {"S": "M#m1"}, "sk": {"S": "P"}, "v": {"N": shape}, "q": {"N": "1"},
            "b": {"S": body}})
    };

    for (item, expected) in [
        (item("2", "{}"), "an item has shape 2, and this code knows shapes up to 1"),
        (
            item("1", r#"{"member_id":"m1","phone":{"value":"jane@example.com"}}"#),
            "a profile is malformed at line 1, column 54",
        ),
    ] {
        engine.overwrite(&members_table(&tables), &item);
        let error = ledger.find_profile(&member("m1"), Reading::Newest).await.unwrap_err();

        assert!(matches!(error, LedgerError::Corrupt(_)), "{error:?}");
        assert_eq!(error.source().unwrap().to_string(), expected);
        assert!(error.source().unwrap().source().is_none());
    }
}

#[tokio::test]
async fn every_operation_has_its_price() {
    let engine = Engine::start();
    let tables = engine.tables();
    let (ledger, wire) = engine.ledger_in(tables.clone());
    let m1 = member("m1");
    let mut wrong = Vec::new();
    // Write units and half read units. A condition that does not hold costs a write unit, of which the engine says
    // nothing, nor does AWS.
    let mut costs = |write_units: u64, read_halves: u64, what: &str| {
        let usage = wire.usage();
        let (writes, reads) = (usage.write_units, usage.read_halves);
        println!("{what}: {writes} write units, {reads} half read units");
        if (writes, reads) != (write_units, read_halves) {
            wrong.push(what.to_owned());
        }
    };

    let first = enroll(&ledger, usual("m1", 1, "phone")).await;
    costs(14, 0, "enroll: profile, 3 identities, 2 signals, code");
    let german = Profile { language: Some("de".try_into().unwrap()), ..first.clone() };
    save(&ledger, &first, german.clone()).await;
    costs(1, 0, "change a language");
    let second_version = find(&ledger, "m1").await;
    costs(0, 2, "find a profile, surely");
    let mut moved = second_version.clone();
    moved.identities.retain(|it| it.kind != IdentityKind::Phone);
    moved.identities.push(identity(IdentityKind::Phone, "new phone"));
    save(&ledger, &second_version, moved).await;
    costs(6, 0, "change a phone");
    let third_version = find(&ledger, "m1").await;
    save(&ledger, &third_version, Profile { code: code(2), ..third_version.clone() }).await;
    costs(6, 2, "find a profile, surely, and replace its code");
    ledger.find_profile(&m1, Reading::Cheap).await.unwrap();
    costs(0, 1, "find a profile");
    ledger.find_identity(&first.identities[0], Reading::Cheap).await.unwrap();
    costs(0, 1, "find an identity");
    ledger.find_code(&code(1), Reading::Cheap).await.unwrap();
    costs(0, 1, "find a code");
    begin(&ledger, "first", 0).await;
    costs(1, 0, "begin an activation");
    begin(&ledger, "again", 30).await;
    costs(0, 0, "send a code again, too soon");
    begin(&ledger, "again", 60).await;
    costs(1, 0, "send a code again");
    attempt(&ledger, 61).await;
    costs(1, 0, "try a code");
    ledger.end_activation(&m1).await.unwrap();
    costs(1, 0, "end an activation");
    let friend = Friend { member_id: member("m2"), at: second(0) };
    ledger.add_friend(&m1, &friend).await.unwrap();
    costs(1, 0, "note a friend");
    ledger.add_friend(&m1, &friend).await.unwrap();
    costs(0, 0, "note a friend again");
    ledger.friends(&m1, None, 50).await.unwrap();
    costs(0, 1, "a page of friends");
    let contact = GuestContact { mail: Some(hash("mail")), phone: Some(hash("phone")) };
    ledger.put_guest_contact(&order_id(), &contact).await.unwrap();
    costs(1, 0, "note a guest's contact");
    ledger.try_guest(&order_id(), 5).await.unwrap();
    costs(1, 0, "try to claim a guest's order");
    ledger.likeness(&m1, Reading::Cheap).await.unwrap();
    costs(0, 3, "likeness by 2 signals");

    assert_eq!(wrong, Vec::<String>::new());
    // What the usual member has fits one unit with its key.
    for item in engine.items(&members_table(&tables)) {
        assert!(item.to_string().len() < 1_024, "{item}");
    }
}
