//! Components: how an order's eligible amount becomes points, and how caps cut them.

use compact_str::{CompactString, format_compact};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::{
    account::{Account, CapKey, LotId},
    id::Channel,
    money::{Currency, Minor, Spend},
    points::{OutOfRange, Points},
    program::{Condition, Program, Rank},
    rate::{Rate, floor_product},
};

/// One part of an order's points, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// `base`, `tier:<level>` or `campaign:<name>`.
    pub name: CompactString,
    /// What it gives.
    pub gives: Gives,
    /// What must hold for it, beside an eligible amount above 0.
    #[serde(default)]
    pub condition: Condition,
    /// The points it came to, after caps.
    pub points: Points,
    /// The lot of its points, if that is not the order's. Where it is, it is not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lot: Option<LotId>,
}

/// What a component gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gives {
    /// Points for a major unit of the program's currency, times a share of them.
    Rate {
        /// Points for a major unit.
        points_per_unit: Rate,
        /// 1 for base points, the bonus otherwise.
        share: Rate,
    },
    /// A number of points.
    Fixed(Points),
}

/// The components of an order whose points lie in `lot`, before its amount is known, in the order in which they
/// are listed.
///
/// # Errors
///
/// [`OutOfRange`] at the end of time.
pub fn components_for(
    program: &Program,
    rank: Rank,
    paid_on: Date,
    channel: Option<&Channel>,
    lot: LotId,
) -> Result<Vec<Component>, OutOfRange> {
    let points_per_unit = program.spec().earning.points_per_unit;
    let component = |name, gives, condition| {
        let (points, lot) = (Points::ZERO, None);
        Component { name, gives, condition, points, lot }
    };
    let at_rate = |share| Gives::Rate { points_per_unit, share };

    let mut components =
        vec![component(CompactString::const_new("base"), at_rate(Rate::ONE), Condition::default())];
    if let Some(level) = program.levels().get(rank)
        && let Some(bonus) = level.bonus.filter(|it| !it.is_zero())
    {
        let name = format_compact!("tier:{}", level.id);
        components.push(component(name, at_rate(bonus), Condition::default()));
    }
    for (campaign, condition) in program.campaigns_for(paid_on, channel) {
        let gives = match (campaign.bonus, campaign.points) {
            (Some(bonus), _) => at_rate(bonus),
            (None, Some(points)) => Gives::Fixed(points),
            (None, None) => continue,
        };
        let name = format_compact!("campaign:{}", campaign.name);
        let mut component = component(name, gives, condition);
        if let Some(months) = campaign.expiry_months {
            let given = program.spec().earning.last_good_day_after(Some(months), paid_on)?;
            component.lot = Some(LotId { given, ..lot }).filter(|it| *it != lot);
        }
        components.push(component);
    }
    Ok(components)
}

/// The points of `components` by the lots that they lie in: first `own`, the order's, then the others, each once
/// and in the order in which they are first named.
///
/// # Errors
///
/// [`OutOfRange`] never happens to points whose sum was counted.
pub fn points_by_lot(
    components: &[Component],
    own: LotId,
) -> Result<Vec<(LotId, Points)>, OutOfRange> {
    let mut lots = vec![(own, Points::ZERO)];
    for Component { lot, points, .. } in components {
        let lot = lot.unwrap_or(own);
        match lots.iter_mut().find(|it| it.0 == lot) {
            Some((_, sum)) => *sum = sum.plus(*points)?,
            None => lots.push((lot, *points)),
        }
    }
    Ok(lots)
}

/// Computes what each component gives for `eligible`, and cuts the sum to `headroom`: the component
/// listed last gives way first.
///
/// Each rate is taken exactly and rounded down once. Nothing is given for an amount of 0.
///
/// # Errors
///
/// [`OutOfRange`] if a component or their sum is more than [`Points::MAX`].
pub fn compute(
    components: &mut [Component],
    eligible: Minor,
    currency: Currency,
    rate: Rate,
    spend: Spend,
    headroom: Option<Points>,
) -> Result<Points, OutOfRange> {
    let mut left = headroom;
    let mut total = Points::ZERO;
    for component in components {
        let holds = !eligible.is_zero()
            && component.condition.min_spend.is_none_or(|min_spend| spend >= min_spend);
        let full = match component.gives {
            _ if !holds => Points::ZERO,
            Gives::Rate { points_per_unit, share } => Points::try_from(floor_product(
                eligible.get(),
                [rate, points_per_unit, share],
                currency.exponent(),
            )?)?,
            Gives::Fixed(points) => points,
        };
        component.points = left.map_or(full, |left| full.min(left));
        left = left.map(|left| left.minus_or_zero(component.points));
        total = total.plus(component.points)?;
    }
    Ok(total)
}

/// The caps that count an order paid on `paid_on`, and the headroom that they and the cap of an order
/// leave.
pub fn headroom(
    program: &Program,
    account: &Account,
    paid_on: Date,
) -> (Vec<CapKey>, Option<Points>) {
    let caps = &program.spec().caps;
    let mut headroom = caps.per_order;
    let mut keys = Vec::with_capacity(caps.per_member.len());
    for cap in &caps.per_member {
        let key = CapKey::of(cap.period, paid_on);
        let left = cap.points.minus_or_zero(account.cap_used(key));
        headroom = Some(headroom.map_or(left, |it| it.min(left)));
        keys.push(key);
    }
    (keys, headroom)
}
