//! Keys: where every item is, and in which shard of the index its account falls due.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::civil::Date;
use loyalty_domain::{
    code::ReferralCode,
    id::{CommandId, Escaped, MemberId, NoteId, OrderId, RewardId},
    reward::PieceId,
};
use loyalty_ledger::{
    ClaimKey,
    catalogue::StockChange,
    profile::{Identity, Signal},
};
use sha2::{Digest, Sha256};

/// How many partitions the index of what falls due has, so that a night's work is not one's alone.
pub(crate) const SHARDS: u8 = 64;

/// The key of an item.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

impl Key {
    fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }

    /// Where the entry called `id` is.
    pub(crate) fn of_entry(id: &CommandId) -> Self {
        let text = id.to_string();
        match id.order_id() {
            Some(order_id) => {
                let pk = order_partition(order_id);
                let sk = text.strip_prefix(&pk).map(|it| it.trim_start_matches('#'));
                let sk = sk.filter(|it| !it.is_empty()).unwrap_or(ORDER);
                Self::new(pk, sk)
            }
            None => Self::new(text, ORDER),
        }
    }

    /// Where an order's entry is, or the mark that refunds wait for it.
    pub(crate) fn of_order(order_id: &OrderId) -> Self {
        Self::new(order_partition(order_id), ORDER)
    }

    /// Where the entries under an order are counted.
    pub(crate) fn of_order_head(order_id: &OrderId) -> Self {
        Self::new(order_partition(order_id), HEAD)
    }

    /// Where it is counted how many of the points that a request used came back.
    pub(crate) fn of_spend_head(spend: &CommandId) -> Self {
        Self { sk: HEAD.to_owned(), ..Self::of_entry(spend) }
    }

    /// Where an account is.
    pub(crate) fn of_account(member_id: &MemberId) -> Self {
        Self::new(member_partition(member_id), ACCOUNT)
    }

    /// Whose account is here, if one can be.
    pub(crate) fn member_id(&self) -> Option<MemberId> {
        let escaped = self.pk.strip_prefix(MEMBER).filter(|_| self.sk == ACCOUNT)?;
        // In this order: an escaped mark may look like another one.
        escaped.replace("%23", "#").replace("%25", "%").as_str().try_into().ok()
    }

    /// Where a version of the program is. Digits are padded, so that versions sort as numbers do.
    pub(crate) fn of_program(version: u32) -> Self {
        Self::new(PROGRAMS, format!("{version:010}"))
    }

    /// Where what is claimed is counted.
    pub(crate) fn of_claim(claim: &ClaimKey) -> Self {
        Self::new(format!("S#{}#{}", Escaped(claim.kind), Escaped(&claim.name)), "0")
    }

    /// Where a reward is.
    pub(crate) fn of_reward(id: &RewardId) -> Self {
        Self::new(REWARDS, id.as_str())
    }

    /// Where it is noted what a request changed in a part of a reward's stock.
    pub(crate) fn of_stock_change(reward: &RewardId, change: &StockChange, shard: u16) -> Self {
        let pk = format!("S#changes#{}", Escaped(reward.as_str()));
        let by = Escaped(change.author.by.as_str());
        Self::new(pk, format!("{by}#{}#{shard}", Escaped(change.key.as_str())))
    }

    /// Where a version of a reward is, with who made it. Versions stand in their order.
    pub(crate) fn of_reward_version(reward: &RewardId, version: u32) -> Self {
        Self::new(format!("S#versions#{}", Escaped(reward.as_str())), format!("{version:010}"))
    }

    /// Where the serial numbers of a reward are counted.
    pub(crate) fn of_serials(reward: &RewardId) -> Self {
        Self::new(format!("S#serials#{}", Escaped(reward.as_str())), "0")
    }

    /// Where the first piece would be, in a part of a reward's stock.
    pub(crate) fn of_pieces(pieces: &ClaimKey) -> Self {
        Self { sk: PIECE.to_owned(), ..Self::of_claim(pieces) }
    }

    /// Where a piece is that nobody has.
    pub(crate) fn of_piece(pieces: &ClaimKey, id: &PieceId) -> Self {
        Self { sk: format!("{PIECE}{id}"), ..Self::of_claim(pieces) }
    }

    /// Where it is noted that a piece is or was there.
    pub(crate) fn of_piece_mark(pieces: &ClaimKey, id: &PieceId) -> Self {
        Self { sk: format!("{PIECE_MARK}{id}"), ..Self::of_claim(pieces) }
    }

    /// Where a member's profile is, in the members table.
    pub(crate) fn of_profile(member_id: &MemberId) -> Self {
        Self::new(member_partition(member_id), PROFILE)
    }

    /// Where it is counted how often a member was sent a code to become active, and tried it.
    pub(crate) fn of_activation(member_id: &MemberId) -> Self {
        Self::new(member_partition(member_id), ACTIVATION)
    }

    /// Where it is noted that `referrer` brought `friend`.
    pub(crate) fn of_friend(referrer: &MemberId, friend: &MemberId) -> Self {
        Self::new(member_partition(referrer), format!("{FRIEND}{friend}"))
    }

    /// Where a note of staff about a member is.
    pub(crate) fn of_note(member_id: &MemberId, note: &NoteId) -> Self {
        Self::new(note_partition(member_id), note.to_string())
    }

    /// Where it is noted whose an identity is.
    pub(crate) fn of_identity(identity: &Identity) -> Self {
        Self::new(format!("I#{}#{}", identity.kind.as_str(), identity.hash), ALONE)
    }

    /// Where it is noted whose a referral code is or was.
    pub(crate) fn of_code(code: &ReferralCode) -> Self {
        Self::new(format!("C#{}", code.as_str()), ALONE)
    }

    /// Where it is noted that a member has a signal.
    pub(crate) fn of_signal(signal: &Signal, member_id: &MemberId) -> Self {
        Self::new(signal_partition(signal), member_id.as_str())
    }

    /// Where it is noted how a guest's order is claimed, and how often that was tried.
    pub(crate) fn of_guest(order_id: &OrderId) -> Self {
        Self::new(format!("G#{}", Escaped(order_id.as_str())), ALONE)
    }

    /// Where the part number `index` of a large entry is; the first is the entry itself.
    pub(crate) fn part(&self, index: usize) -> Self {
        if index == 0 {
            return self.clone();
        }
        Self::new(self.pk.clone(), format!("{}{PART}{index}", self.sk))
    }

    /// Whether an entry can be here, or what is to become one: no account, no part but the first, and
    /// nothing that only counts others.
    pub(crate) fn is_of_entry(&self) -> bool {
        !self.pk.starts_with(MEMBER) && self.sk != HEAD && !self.is_later_part()
    }

    /// Whether a later part of a large entry is here. A refund's id may begin with a plus sign, so what stands
    /// before the mark must be the sort key of an entry.
    fn is_later_part(&self) -> bool {
        let Some((entry, number)) = self.sk.rsplit_once(PART) else { return false };
        let is_number = !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit());
        let is_entry = match entry.split_once('#') {
            Some((_, id)) => !id.is_empty(),
            None => entry == ORDER || entry == CANCELLED || entry == CLAIMED,
        };
        is_number && is_entry
    }

    /// Whether it is in the partition of an order, which names no member.
    pub(crate) fn is_under_order(&self) -> bool {
        self.pk.starts_with(ORDERS)
    }

    /// The key as attributes.
    pub(crate) fn attributes(&self) -> [(String, AttributeValue); 2] {
        [
            ("pk".to_owned(), AttributeValue::S(self.pk.clone())),
            ("sk".to_owned(), AttributeValue::S(self.sk.clone())),
        ]
    }
}

/// What the partitions of members begin with, in the table of accounts and in that of persons.
const MEMBER: &str = "M#";
/// The sort key of an account.
const ACCOUNT: &str = "A";
/// What the partitions of orders begin with.
const ORDERS: &str = "O#";
/// The partition of the versions of the program.
pub(crate) const PROGRAMS: &str = "P";
/// The partition of all rewards.
pub(crate) const REWARDS: &str = "R#";
/// What the sort keys of pieces begin with.
const PIECE: &str = "P#";
/// What comes after the last piece.
pub(crate) const PIECES_END: &str = "P#~";
/// What the sort keys of marks of pieces begin with.
const PIECE_MARK: &str = "T#";
/// The sort key of an order's entry, and of the entries that are alone in their partition.
pub(crate) const ORDER: &str = "E";
/// The sort key of what counts the others.
pub(crate) const HEAD: &str = "H";
/// The sort key of an order's cancellation.
const CANCELLED: &str = "X";
/// The sort key of a claim of a guest's order.
const CLAIMED: &str = "G";
/// What stands between an entry's sort key and the number of its part. Ids escape it.
const PART: &str = "#+";

/// The sort key of a profile.
const PROFILE: &str = "P";
/// The sort key of an activation.
const ACTIVATION: &str = "V";
/// What the sort keys of friends begin with.
pub(crate) const FRIEND: &str = "F#";
/// The sort key of what is alone in its partition of the members table.
const ALONE: &str = "E";

/// The partition of a member, in the table of accounts and in that of persons.
pub(crate) fn member_partition(member_id: &MemberId) -> String {
    format!("{MEMBER}{}", Escaped(member_id.as_str()))
}

/// The partition of all notes about a member.
pub(crate) fn note_partition(member_id: &MemberId) -> String {
    format!("N#{}", Escaped(member_id.as_str()))
}

/// The partition of all who have a signal.
pub(crate) fn signal_partition(signal: &Signal) -> String {
    format!("H#{}#{}", signal.kind.as_str(), signal.hash)
}

/// The partition of an order.
pub(crate) fn order_partition(order_id: &OrderId) -> String {
    CommandId::Order(order_id.clone()).to_string()
}

/// The index of what falls due.
pub(crate) const DUE: &str = "due";

/// The keys of the index of what falls due: the shard, and the day with the member.
pub(crate) fn due(member_id: &MemberId, day: Date) -> (String, String) {
    let digest = Sha256::digest(member_id.as_str().as_bytes());
    let shard = digest.first().copied().unwrap_or(0) % SHARDS;
    (due_shard(shard), format!("{day}#{member_id}"))
}

/// The key of a shard of the index of what falls due.
pub(crate) fn due_shard(shard: u8) -> String {
    format!("{shard:02}")
}

/// The day and the member of a key of the index of what falls due; `None` if it is none.
pub(crate) fn read_due(text: &str) -> Option<(Date, MemberId)> {
    let (day, member_id) = text.split_once('#')?;
    Some((day.parse().ok()?, member_id.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use loyalty_domain::id::{ChangeId, RefundId};

    use super::*;

    #[test]
    fn an_order_and_what_corrects_it_share_a_partition_and_no_key() {
        let order = |it: &str| OrderId::try_from(it).unwrap();
        let refund = |it: &str| RefundId::try_from(it).unwrap();
        let keys = [
            Key::of_entry(&CommandId::Order(order("a#1"))),
            Key::of_entry(&CommandId::Refund(order("a#1"), refund("r#+1"))),
            Key::of_entry(&CommandId::Refund(order("a#1"), refund("r"))).part(1),
            Key::of_entry(&CommandId::Refund(order("a#1"), refund("r"))),
            Key::of_entry(&CommandId::Cancel(order("a#1"))),
            Key::of_order_head(&order("a#1")),
        ];

        let sks: std::collections::BTreeSet<_> = keys.iter().map(|it| it.sk.clone()).collect();

        assert!(keys.iter().all(|it| it.pk == "O#a%231"), "{keys:?}");
        assert_eq!(sks.len(), keys.len(), "{sks:?}");
        assert_eq!(keys[0], Key::of_order(&order("a#1")));
        assert_eq!(keys[1].sk, "R#r%23+1");
        assert_eq!(keys[2].sk, "R#r#+1");
    }

    #[test]
    fn entries_are_told_from_all_else_by_their_keys() {
        let order = |it: &str| OrderId::try_from(it).unwrap();
        let member = || MemberId::try_from("m#+1").unwrap();
        let refund = || RefundId::try_from("H#+1").unwrap();
        let entries = [
            CommandId::Order(order("a")),
            CommandId::Refund(order("a"), refund()),
            CommandId::Refund(order("a"), RefundId::try_from("+1").unwrap()),
            CommandId::Refund(order("a"), RefundId::try_from("+").unwrap()),
            CommandId::Change(order("a"), ChangeId::try_from("+2").unwrap()),
            CommandId::Cancel(order("H")),
            CommandId::Claim(order("G")),
            CommandId::Enrollment(member()),
            CommandId::Activation(member()),
            CommandId::Referral(member()),
            CommandId::ReferralReward(member()),
            CommandId::ReferralRevoked(member()),
            CommandId::Opening(member()),
            CommandId::Due(member(), jiff::civil::date(2026, 1, 31)),
            CommandId::Version(3),
        ];

        for id in &entries {
            let key = Key::of_entry(id);
            assert!(key.is_of_entry(), "{key:?}");
            assert!(!key.part(1).is_of_entry(), "{key:?}");
            assert!(!Key::of_spend_head(id).is_of_entry(), "{key:?}");
            assert_eq!(key.is_under_order(), id.order_id().is_some(), "{key:?}");
        }
        assert!(!Key::of_account(&member()).is_of_entry());
        assert!(!Key::of_order_head(&order("a")).is_of_entry());
    }

    #[test]
    fn an_account_s_key_says_whose_it_is_and_no_other_key_does() {
        for text in ["17850", "a#b%23", "%2523", "#%", "~é 4"] {
            let member = MemberId::try_from(text).unwrap();

            assert_eq!(Key::of_account(&member).member_id(), Some(member.clone()), "{text}");
            assert_eq!(Key::of_entry(&CommandId::Opening(member)).member_id(), None);
        }
        assert_eq!(Key::new("M#17850", "W").member_id(), None);
    }

    #[test]
    fn no_two_things_of_members_share_a_key() {
        use loyalty_ledger::profile::{IdentityKind, SignalKind};

        let member = |it: &str| MemberId::try_from(it).unwrap();
        let hash = [1; 32].into();
        let identity = Identity { kind: IdentityKind::Phone, hash };
        let signal = Signal { kind: SignalKind::Phone, hash };
        let keys = [
            Key::of_profile(&member("a")),
            Key::of_activation(&member("a")),
            Key::of_friend(&member("a"), &member("P")),
            Key::of_friend(&member("a"), &member("V")),
            Key::of_friend(&member("a#F"), &member("b")),
            Key::of_friend(&member("a"), &member("F#b")),
            Key::of_note(&member("a"), &NoteId::try_from("0".repeat(32).as_str()).unwrap()),
            Key::of_friend(&member("a"), &member(&"0".repeat(32))),
            Key::of_identity(&identity),
            Key::of_identity(&Identity { kind: IdentityKind::Card, ..identity }),
            Key::of_signal(&signal, &member("a")),
            Key::of_signal(&signal, &member("b")),
            Key::of_code(&ReferralCode::of_random([1; 8])),
            Key::of_guest(&OrderId::try_from("a").unwrap()),
            Key::of_guest(&OrderId::try_from("a#E").unwrap()),
        ];

        let distinct: std::collections::HashSet<_> = keys.iter().collect();

        assert_eq!(distinct.len(), keys.len(), "{keys:?}");
        assert_eq!(keys[4].pk, "M#a%23F");
        assert_eq!(keys[8].pk, format!("I#phone#{hash}"));
    }

    #[test]
    fn a_member_is_always_in_the_same_shard() {
        let member = MemberId::try_from("17850").unwrap();

        let (shard, day) = due(&member, jiff::civil::date(2026, 1, 31));

        assert_eq!(day, "2026-01-31#17850");
        assert_eq!(due(&member, jiff::civil::date(2027, 1, 31)).0, shard);
    }

    #[test]
    fn a_key_of_the_index_is_read_as_it_was_written_and_sorts_before_the_next_day() {
        let day = jiff::civil::date(2026, 1, 31);
        for text in ["17850", "a#b%23", "~é 4"] {
            let member = MemberId::try_from(text).unwrap();

            let (_, key) = due(&member, day);

            assert_eq!(read_due(&key), Some((day, member)));
            assert!(key.as_str() > "2026-01-31" && key.as_str() < "2026-02-01", "{key}");
        }
        assert_eq!(read_due("2026-01-31"), None);
        assert_eq!(read_due("2026-01-32#m"), None);
        assert_eq!(read_due("2026-01-31#"), None);
    }
}
