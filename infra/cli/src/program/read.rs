//! A program file becomes a [`ProgramSpec`], with something harmless for everything that is wrong.
#![expect(clippy::wildcard_enum_match_arm, reason = "kinds of TOML values are not ours to add to")]

use std::collections::BTreeMap;

use compact_str::format_compact;
use jiff::civil::date;
use loyalty_domain::{
    calendar::ExpiryRounding,
    expiry::{DayOfYear, Expiry},
    id::{InvalidId, LevelId},
    money::Currency,
    points::Points,
    program::{
        Activation, AdjustmentSpec, Benefits, Campaign, CapPeriod, Caps, CheckoutSpec, Earning,
        Enrollment, Exclude, LevelSpec, MemberCap, Milestone, NewVersion, OldCodes, ProgramSpec,
        ReferralSpec, Refunds, Reminders, Review, Shortfall, Spending, Start, TiersSpec,
        TransferSpec, Window,
    },
    rate::{Rate, RateError},
    referral::{SignalKind, Velocity},
};
use toml::de::DeValue;

use super::suggest;
use crate::toml_reader::{Table, Value, Wrong, choice, date as day, flag, text, whole};

/// What the program in `table` says.
pub(super) fn spec(table: &mut Table<'_>) -> ProgramSpec {
    ProgramSpec {
        name: table
            .required("name", "name = \"Standard\"", text)
            .unwrap_or_else(|| "unnamed".to_owned()),
        version: table.required("version", "version = 1", whole(u32::MAX.into())).unwrap_or(1),
        effective: table
            .required("effective", "effective = 2026-01-01", day)
            .unwrap_or(date(2000, 1, 1)),
        currency: table
            .required("currency", "currency = \"EUR\"", currency)
            .or_else(|| "EUR".parse().ok())
            .unwrap_or_else(any_currency),
        time_zone: table
            .required("time_zone", "time_zone = \"Europe/London\"", text)
            .unwrap_or_else(|| "UTC".to_owned()),
        point_value: table.optional("point_value", "point_value = 0.01", rate),
        rates: table.table("rates", None, rates),
        earning: table.table(
            "earning",
            Some("[earning]\npoints_per_unit = 1\nexpiry_months = 12"),
            earning,
        ),
        caps: table.table("caps", None, caps),
        refunds: table.table("refunds", None, refunds),
        spending: table.table("spending", None, spending),
        tiers: table.table(
            "tiers",
            Some("[[tiers.levels]]\nid = \"member\"\nname = \"Member\""),
            tiers,
        ),
        campaigns: table.tables("campaigns", None, campaign),
        reminders: table.table("reminders", None, |table| Reminders {
            points_days: table.list(
                "points_days",
                "points_days = [30, 7, 1]",
                whole(u32::MAX.into()),
            ),
            tier_days: table.list("tier_days", "tier_days = [30, 7, 1]", whole(u32::MAX.into())),
        }),
        enrollment: table.table("enrollment", None, enrollment),
        referral: if_any(table, "referral", referral),
        transfers: if_any(table, "transfers", |table| TransferSpec {
            min_points: table.optional("min_points", "min_points = 100", points),
            caps: table.tables("caps", None, |_, table| cap(table)),
            waiting_days: table
                .optional("waiting_days", "waiting_days = 30", whole(u32::MAX.into()))
                .unwrap_or(0),
        }),
        adjustments: table.table("adjustments", None, |table| AdjustmentSpec {
            approval_above: table.optional("approval_above", "approval_above = 5000", points),
            expiry_months: table.optional(
                "expiry_months",
                "expiry_months = 6",
                whole(u32::MAX.into()),
            ),
        }),
        checkout: if_any(table, "checkout", checkout),
    }
}

/// What `build` makes of the table at `key`, if the file has one.
fn if_any<T>(
    table: &mut Table<'_>,
    key: &'static str,
    build: impl FnOnce(&mut Table<'_>) -> T,
) -> Option<T> {
    let is_there = table.has(key);
    // So that its keys are known even if there is none.
    let built = table.table(key, None, build);
    is_there.then_some(built)
}

fn enrollment(table: &mut Table<'_>) -> Enrollment {
    let activation = choice(&[Activation::Code, Activation::None]);
    Enrollment {
        activation: table
            .optional("activation", "activation = \"code\"", activation)
            .unwrap_or_default(),
        points: table.optional("points", "points = 100", points),
        expiry_months: table.optional("expiry_months", "expiry_months = 3", whole(u32::MAX.into())),
        level: table.optional("level", "level = \"silver\"", id),
    }
}

fn checkout(table: &mut Table<'_>) -> CheckoutSpec {
    CheckoutSpec {
        point_worth: table.required("point_worth", "point_worth = 0.01", rate).unwrap_or(Rate::ONE),
        min_points: table
            .optional("min_points", "min_points = 100", points)
            .unwrap_or(CheckoutSpec::ONE_POINT),
        max_share: table.optional("max_share", "max_share = 0.5", rate).unwrap_or(Rate::ONE),
        hold_minutes: table
            .optional("hold_minutes", "hold_minutes = 30", whole(u32::MAX.into()))
            .unwrap_or(CheckoutSpec::HOLD_MINUTES),
    }
}

fn referral(table: &mut Table<'_>) -> ReferralSpec {
    let says_signals = table.has("same_person");
    let old_codes = choice(&[OldCodes::Die, OldCodes::Live]);
    let signals = table.list("same_person", "same_person = [\"phone\"]", choice(&SignalKind::ALL));
    ReferralSpec {
        friend_points: table
            .optional("friend_points", "friend_points = 250", points)
            .unwrap_or(Points::ZERO),
        referrer_points: table
            .optional("referrer_points", "referrer_points = 500", points)
            .unwrap_or(Points::ZERO),
        expiry_months: table.optional("expiry_months", "expiry_months = 6", whole(u32::MAX.into())),
        window_days: table
            .required("window_days", "window_days = 30", whole(u32::MAX.into()))
            .unwrap_or(0),
        min_amount: table.optional("min_amount", "min_amount = 30.00", rate),
        task: table.optional("task", "task = \"first-visit\"", id),
        milestones: table.tables("milestones", None, |_, table| Milestone {
            friends: table.required("friends", "friends = 5", whole(u32::MAX.into())).unwrap_or(1),
            points: table.required("points", "points = 1000", points).unwrap_or(Points::MAX),
        }),
        caps: table.tables("caps", None, |_, table| cap(table)),
        velocity: if_any(table, "velocity", |table| Velocity {
            period: table
                .required("period", "period = \"month\"", period())
                .unwrap_or(CapPeriod::Lifetime),
            friends: table.required("friends", "friends = 10", whole(u32::MAX.into())).unwrap_or(1),
        }),
        same_person: if says_signals { signals } else { SignalKind::ALL.to_vec() },
        old_codes: table
            .optional("old_codes", "old_codes = \"die\"", old_codes)
            .unwrap_or_default(),
    }
}

fn rates(table: &mut Table<'_>) -> BTreeMap<String, Rate> {
    table
        // Longer names are keys of another table, whose name is missing.
        .entries("EUR = 0.86", |code| code.len() <= 6 && !code.contains('_'), rate)
        .into_iter()
        .map(|(code, rate)| (code, rate.unwrap_or(Rate::ONE)))
        .collect()
}

fn earning(table: &mut Table<'_>) -> Earning {
    let says_expiry = table.has("expiry");
    let models = choice(&[Expiry::Fixed, Expiry::Sliding, Expiry::Never]);
    let expiry = table.optional("expiry", "expiry = \"sliding\"", models);
    // One that is wrong may have been meant to need no months.
    let needs_months =
        if says_expiry { expiry.is_some_and(|it| it != Expiry::Never) } else { true };
    Earning {
        points_per_unit: table
            .required("points_per_unit", "points_per_unit = 1", rate)
            .unwrap_or(Rate::ONE),
        pending_days: table
            .optional("pending_days", "pending_days = 14", whole(u32::MAX.into()))
            .unwrap_or(0),
        expiry_months: if needs_months {
            let months = whole(u32::MAX.into());
            table.required("expiry_months", "expiry_months = 12", months).or(Some(12))
        } else {
            let months = whole(u32::MAX.into());
            let months = table.optional("expiry_months", "expiry_months = 12", months);
            months.or_else(|| expiry.is_none().then_some(12))
        },
        expiry_rounding: table
            .optional(
                "expiry_rounding",
                "expiry_rounding = \"month_end\"",
                choice(&[
                    ExpiryRounding::None,
                    ExpiryRounding::MonthEnd,
                    ExpiryRounding::QuarterEnd,
                    ExpiryRounding::YearEnd,
                ]),
            )
            .unwrap_or_default(),
        expiry_dates: table.list(
            "expiry_dates",
            "expiry_dates = [\"03-31\", \"09-30\"]",
            day_of_year,
        ),
        expiry: expiry.unwrap_or_default(),
        counts_tax: table.optional("counts_tax", "counts_tax = false", flag).unwrap_or(false),
        counts_shipping: table
            .optional("counts_shipping", "counts_shipping = false", flag)
            .unwrap_or(false),
        exclude: table.table("exclude", None, |table| Exclude {
            skus: table.list("skus", "skus = [\"POST\", \"FEE\"]", id),
            categories: table.list("categories", "categories = [\"tobacco\"]", id),
            gift_cards: table.optional("gift_cards", "gift_cards = true", flag).unwrap_or(false),
        }),
    }
}

fn caps(table: &mut Table<'_>) -> Caps {
    Caps {
        per_order: table.optional("per_order", "per_order = 5000", points),
        per_member: table.tables("per_member", None, |_, table| cap(table)),
    }
}

fn cap(table: &mut Table<'_>) -> MemberCap {
    MemberCap {
        period: table
            .required("period", "period = \"month\"", period())
            .unwrap_or(CapPeriod::Lifetime),
        points: table.required("points", "points = 10000", points).unwrap_or(Points::MAX),
    }
}

fn period() -> impl Fn(&Value<'_>) -> Result<CapPeriod, Wrong> {
    choice(&[CapPeriod::Day, CapPeriod::Month, CapPeriod::Year, CapPeriod::Lifetime])
}

fn refunds(table: &mut Table<'_>) -> Refunds {
    Refunds {
        shortfall: table
            .optional(
                "shortfall",
                "shortfall = \"debt\"",
                choice(&[Shortfall::Debt, Shortfall::Waive]),
            )
            .unwrap_or_default(),
        lowers_level: table.optional("lowers_level", "lowers_level = false", flag).unwrap_or(false),
    }
}

fn spending(table: &mut Table<'_>) -> Spending {
    let example = "reinstate_days = 30";
    Spending {
        reinstate_days: table
            .optional("reinstate_days", example, whole(u32::MAX.into()))
            .unwrap_or(0),
    }
}

fn tiers(table: &mut Table<'_>) -> TiersSpec {
    let window = choice(&[Window::TwelveMonths, Window::CalendarYear, Window::Lifetime]);
    let review = choice(&[Review::OneLevel, Review::ToQualifying]);
    let start = choice(&[Start::AtOnce, Start::NextPeriod]);
    let new_version = choice(&[NewVersion::Raise, NewVersion::RaiseAndLower]);
    TiersSpec {
        window: table.optional("window", "window = \"twelve_months\"", window).unwrap_or_default(),
        review: table.optional("review", "review = \"one_level\"", review).unwrap_or_default(),
        start: table.optional("start", "start = \"at_once\"", start).unwrap_or_default(),
        grace_months: table
            .optional("grace_months", "grace_months = 2", whole(u32::MAX.into()))
            .unwrap_or(0),
        new_version: table
            .optional("new_version", "new_version = \"raise\"", new_version)
            .unwrap_or_default(),
        levels: levels(table),
    }
}

fn levels(table: &mut Table<'_>) -> Vec<LevelSpec> {
    let example = "[[tiers.levels]]\nid = \"member\"\nname = \"Member\"";
    let mut levels = table.tables("levels", Some(example), level);
    // A stage that is wrong must not tear apart the one that it may have been meant to be.
    let mut before: Option<String> = None;
    for level in &mut levels {
        if level.stage.as_deref() == Some(WRONG_STAGE) {
            level.stage.clone_from(&before);
        }
        before.clone_from(&level.stage);
    }
    levels
}

/// Stands for a stage that is wrong until the one before it is known.
const WRONG_STAGE: &str = "\0";

fn level(index: usize, table: &mut Table<'_>) -> LevelSpec {
    let has_stage = table.has("stage");
    LevelSpec {
        id: table.required("id", "id = \"silver\"", id).unwrap_or_else(|| unnamed_level(index)),
        name: table
            .required("name", "name = \"Silver\"", text)
            .unwrap_or_else(|| format!("\0{index}")),
        stage: table
            .optional("stage", "stage = \"base\"", text)
            .or_else(|| has_stage.then(|| WRONG_STAGE.to_owned())),
        bonus: table.optional("bonus", "bonus = 0.05", rate),
        spend: table.optional("spend", "spend = 200.00", rate),
        orders: table.optional("orders", "orders = 3", whole(u32::MAX.into())),
        growth: table.optional("growth", "growth = 1000", whole(u64::MAX)),
        tasks: table.list("tasks", "tasks = [\"profile-complete\"]", id),
        invite_only: table.optional("invite_only", "invite_only = true", flag).unwrap_or(false),
        floor: table.optional("floor", "floor = true", flag).unwrap_or(false),
        expiry_months: table.optional(
            "expiry_months",
            "expiry_months = 24",
            whole(u32::MAX.into()),
        ),
        benefits: table.table("benefits", None, |table| Benefits {
            economic: table.list("economic", "economic = [\"free shipping\"]", benefit),
            service: table.list("service", "service = [\"60 days to return\"]", benefit),
            social: table.list("social", "social = [\"members' evening\"]", benefit),
            identity: table.list("identity", "identity = [\"silver badge\"]", benefit),
        }),
    }
}

/// An id that no file can hold twice, since it stands for one that is missing or wrong.
fn unnamed_level(index: usize) -> LevelId {
    let name = format_compact!("(level {} without id)", index.saturating_add(1));
    #[expect(clippy::expect_used, reason = "twenty letters and a number are an id")]
    LevelId::try_from(name).expect("an id")
}

fn campaign(index: usize, table: &mut Table<'_>) -> Campaign {
    // A gift that is wrong is still a gift.
    let (has_bonus, has_points) = (table.has("bonus"), table.has("points"));
    Campaign {
        name: table
            .required("name", "name = \"Double points\"", text)
            .unwrap_or_else(|| format!("\0{index}")),
        from: table.optional("from", "from = 2026-11-01", day),
        until: table.optional("until", "until = 2026-11-30", day),
        channels: table.list("channels", "channels = [\"online\"]", id),
        min_amount: table.optional("min_amount", "min_amount = 50.00", rate),
        bonus: table
            .optional("bonus", "bonus = 1", rate)
            .or_else(|| has_bonus.then_some(Rate::ONE)),
        points: table
            .optional("points", "points = 100", points)
            .or_else(|| has_points.then_some(Points::MAX)),
        expiry_months: table.optional("expiry_months", "expiry_months = 3", whole(u32::MAX.into())),
    }
}

/// An exact decimal, read from the digits in the file and never by way of a binary number.
pub(super) fn rate(value: &Value<'_>) -> Result<Rate, Wrong> {
    let wanted = "a decimal";
    let written = match value.inner {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        DeValue::Float(number) => number.as_str(),
        DeValue::String(text) => text.as_ref(),
        DeValue::Integer(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => return Err(Wrong::kind(value, wanted)),
    };
    let error = match written.parse() {
        Ok(rate) => return Ok(rate),
        Err(error) => error,
    };
    let what = format!("`{}` {error}", value.key);
    let example = format!("write it like `{}`", value.example);
    let help = match error {
        RateError::Negative => format!("write it without its sign, like `{}`", value.example),
        RateError::TooFine => {
            format!("write at most {} digits after the point", Rate::SCALE_MAX)
        }
        RateError::TooLarge => {
            format!("write at most 15 digits in all, like `{}`", value.example)
        }
        RateError::NotADecimal => decimal_meant(written, value.key).unwrap_or(example),
    };
    Err(Wrong::new(what, help))
}

/// How a number in another notation is written as a decimal, if it is a plain one.
fn decimal_meant(written: &str, key: &str) -> Option<String> {
    let lower = written.trim().to_lowercase();
    if lower.contains("inf") || lower.contains("nan") {
        return Some("write digits: there is no infinity and no \"not a number\" here".to_owned());
    }
    if let Some(percent) = lower.strip_suffix('%') {
        let share = crate::toml_reader::percent_as_decimal(percent);
        return Some(format!("a share is a decimal: write {share}"));
    }
    let is_digit = |it: char| it.is_ascii_digit();
    let is_scientific = lower.split_once('e').is_some_and(|(mantissa, exponent)| {
        mantissa.contains(is_digit) && exponent.trim_start_matches(['+', '-']).chars().all(is_digit)
    });
    if is_scientific {
        return Some("write all digits and no exponent, such as 1000 instead of 1e3".to_owned());
    }
    let pointed = lower.replace(',', ".");
    if lower.contains(',') && pointed.parse::<Rate>().is_ok() {
        return Some(format!("a decimal has a point: write `{key} = {pointed}`"));
    }
    lower.trim().parse::<Rate>().ok().map(|rate| format!("write `{key} = {rate}`"))
}

/// A month and a day, as in every year.
fn day_of_year(value: &Value<'_>) -> Result<DayOfYear, Wrong> {
    if let DeValue::Datetime(date) = value.inner {
        let help = "it comes every year: write its month and day in quotes, like `\"03-31\"`";
        let written = date.date.map(|it| format!("\"{:02}-{:02}\"", it.month, it.day));
        let help = written.map_or(help.to_owned(), |it| {
            format!("it comes every year: write its month and day in quotes, `{it}`")
        });
        return Err(Wrong { help, ..Wrong::kind(value, "a text in quotes") });
    }
    let written = text(value)?;
    DayOfYear::try_from(written.as_str()).map_err(|_| {
        let what = format!("`{written}` is no day of the year");
        Wrong::new(
            what,
            "write its month and day, like `\"03-31\"`; `\"02-29\"` is the last of February",
        )
    })
}

fn points(value: &Value<'_>) -> Result<Points, Wrong> {
    whole::<u64>(Points::MAX.get())(value)
        .and_then(|it| Points::try_from(it).map_err(|_| Wrong::kind(value, "a whole number")))
}

pub(crate) fn currency(value: &Value<'_>) -> Result<Currency, Wrong> {
    let written = text(value)?;
    written.parse().map_err(|_| {
        let what = format!("there is no currency `{written}` to count money in");
        Wrong::new(what, suggest::currency(&written))
    })
}

/// Whatever the currencies may be, one of them.
pub(crate) fn any_currency() -> Currency {
    #[expect(clippy::expect_used, reason = "the euro is in ISO 4217")]
    "EUR".parse().expect("a currency")
}

fn id<T>(value: &Value<'_>) -> Result<T, Wrong>
where
    T: for<'t> TryFrom<&'t str, Error = InvalidId>,
{
    let written = match value.inner {
        DeValue::Integer(number) => {
            let help = format!("write it in quotes: `\"{number}\"`");
            return Err(Wrong { help, ..Wrong::kind(value, "a text in quotes") });
        }
        _ => text(value)?,
    };
    T::try_from(written.as_str()).map_err(|error| {
        let help = match error {
            InvalidId::Empty { .. } => format!("write it like `{}`", value.example),
            InvalidId::TooLong { .. } => "write a shorter one".to_owned(),
            InvalidId::ControlCharacter { .. } => {
                "take line breaks, tabs and the like out of it".to_owned()
            }
        };
        Wrong::new(error.to_string(), help)
    })
}

fn benefit(value: &Value<'_>) -> Result<String, Wrong> {
    let benefit = text(value)?;
    if benefit.trim().is_empty() {
        let help = format!("take it out, or write it like `{}`", value.example);
        return Err(Wrong::new("a benefit must not be empty", help));
    }
    Ok(benefit)
}
