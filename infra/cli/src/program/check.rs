//! What is wrong with a program as a whole, put where it stands, with what would be right.

use loyalty_domain::program::{InvalidProgram, Problem, Program, ProgramMistake, ProgramSpec};

use super::suggest;
use crate::toml_reader::{Findings, listed, nearest};

/// The program that `spec` makes; without one, `findings` say why.
pub(super) fn program(spec: &ProgramSpec, findings: &mut Findings) -> Option<Program> {
    // A condition that is wrong is left out of `spec`, and is still one that should not be there.
    let lowest_is_bad = ["spend", "orders"]
        .map(|it| format!("tiers.levels[0].{it}"))
        .iter()
        .any(|it| findings.has(it) && findings.is_wrong(it));
    match Program::try_from(spec.clone()) {
        Ok(program) => {
            if lowest_is_bad {
                add(findings, spec, &lowest_missing());
            }
            Some(program)
        }
        Err(InvalidProgram(mistakes)) => {
            let is_told = mistakes.iter().any(|it| it.problem == Problem::LowestLevelMissing);
            for mistake in &mistakes {
                if !follows(mistake, findings) {
                    add(findings, spec, mistake);
                }
            }
            if lowest_is_bad && !is_told {
                add(findings, spec, &lowest_missing());
            }
            None
        }
    }
}

/// The keys of what a level is met by.
const CONDITIONS: [&str; 4] = ["spend", "orders", "growth", "tasks"];

fn lowest_missing() -> ProgramMistake {
    let path = "tiers.levels[0]".to_owned();
    ProgramMistake { path, problem: Problem::LowestLevelMissing }
}

/// Whether `mistake` only follows from another field that was wrong by itself.
fn follows(mistake: &ProgramMistake, findings: &Findings) -> bool {
    let path = &mistake.path;
    match &mistake.problem {
        Problem::OwnCurrency(_) | Problem::FinerThanCurrency(_) => findings.is_wrong("currency"),
        Problem::NoCondition => any_wrong(findings, path, &CONDITIONS),
        Problem::GivesNothing => any_wrong(findings, path, &["bonus", "points"]),
        Problem::NoExpiry => findings.is_wrong("earning.expiry"),
        Problem::RewardsNothing => any_wrong(findings, path, &["friend_points", "referrer_points"]),
        Problem::NoSuchLevel(_) => any_of(findings, "tiers.levels", "id"),
        Problem::MilestoneNotAbove(_) => any_of(findings, "referral.milestones", "friends"),
        Problem::RepeatedPeriod => {
            // The period that stands for a wrong one may be there as well.
            any_of(findings, path.split('[').next().unwrap_or_default(), "period")
        }
        Problem::Empty
        | Problem::ControlCharacter
        | Problem::UnknownTimeZone(_)
        | Problem::UnknownCurrency(_)
        | Problem::Zero
        | Problem::TooLarge(_)
        | Problem::NoLevels
        | Problem::LowestLevelMissing
        | Problem::InvitedByCondition
        | Problem::Repeated { .. }
        | Problem::NotAbove { .. }
        | Problem::StageTornApart(_)
        | Problem::GivesBoth
        | Problem::NeverExpires
        | Problem::RoundingAndDates
        | Problem::SlidesAnyway
        | Problem::EndsBeforeStart(_)
        | Problem::BeginsByInvitation
        | Problem::NoOrder(_) => false,
    }
}

/// Whether `key` is wrong in any table of the list at `path`, or the list itself is.
fn any_of(findings: &Findings, path: &str, key: &str) -> bool {
    findings.is_wrong(path)
        || (0..findings.places())
            .map(|it| format!("{path}[{it}].{key}"))
            .take_while(|it| findings.has(it) || findings.is_wrong(it))
            .any(|it| findings.is_wrong(&it))
}

/// Whether what stands at `path` is a list on one line.
fn is_in_list(path: &str) -> bool {
    let key = path.rsplit('.').next();
    let is_list = matches!(key, Some("tasks" | "same_person"));
    path.starts_with("earning") || path.starts_with("reminders") || is_list
}

fn any_wrong(findings: &Findings, path: &str, keys: &[&str]) -> bool {
    keys.iter().any(|it| findings.is_wrong(&format!("{path}.{it}")))
}

fn add(findings: &mut Findings, spec: &ProgramSpec, mistake: &ProgramMistake) {
    let ProgramMistake { path, problem } = mistake;
    let key = path.rsplit('.').next().unwrap_or(path);
    let what = match problem {
        Problem::Empty
        | Problem::ControlCharacter
        | Problem::Zero
        | Problem::TooLarge(_)
        | Problem::FinerThanCurrency(_)
        | Problem::MilestoneNotAbove(_)
        | Problem::NotAbove { .. } => format!("`{key}` {problem}"),
        Problem::EndsBeforeStart(_) => format!("the campaign {problem}"),
        Problem::NeverExpires => format!("{problem}: `{key}`"),
        Problem::UnknownTimeZone(_)
        | Problem::UnknownCurrency(_)
        | Problem::OwnCurrency(_)
        | Problem::NoLevels
        | Problem::LowestLevelMissing
        | Problem::NoCondition
        | Problem::InvitedByCondition
        | Problem::Repeated { .. }
        | Problem::StageTornApart(_)
        | Problem::GivesNothing
        | Problem::GivesBoth
        | Problem::NoExpiry
        | Problem::RoundingAndDates
        | Problem::SlidesAnyway
        | Problem::NoSuchLevel(_)
        | Problem::BeginsByInvitation
        | Problem::RewardsNothing
        | Problem::NoOrder(_)
        | Problem::RepeatedPeriod => problem.to_string(),
    };
    let help = help(spec, path, key, problem);
    let is_about_key = matches!(problem, Problem::UnknownCurrency(_) | Problem::OwnCurrency(_));
    if is_about_key {
        findings.add_at_key(path, what, help);
    } else {
        let also = beside(findings, spec, path, key, problem);
        let also = also.as_ref().map(|(path, label)| (path.as_str(), *label));
        findings.add(path, what, help, also);
    }
}

/// The place that explains the mistake at `path`, if there is one.
fn beside(
    findings: &Findings,
    spec: &ProgramSpec,
    path: &str,
    key: &str,
    problem: &Problem,
) -> Option<(String, &'static str)> {
    let levels = &spec.tiers.levels;
    let level = |index: usize, key: &str| format!("tiers.levels[{index}].{key}");
    match problem {
        Problem::LowestLevelMissing => {
            let mut conditions = CONDITIONS.iter().map(|it| format!("{path}.{it}"));
            let condition = conditions.find(|it| findings.has(it))?;
            Some((condition, "this is a condition"))
        }
        // They stand beside each other.
        Problem::Repeated { .. } if is_in_list(path) => None,
        Problem::InvitedByCondition => {
            let level = path.strip_suffix(".invite_only")?;
            let mut conditions = CONDITIONS.iter().map(|it| format!("{level}.{it}"));
            Some((conditions.find(|it| findings.has(it))?, "this is a condition"))
        }
        Problem::NeverExpires | Problem::SlidesAnyway => {
            Some(("earning.expiry".to_owned(), "this says so"))
        }
        Problem::RoundingAndDates => {
            Some(("earning.expiry_rounding".to_owned(), "it is moved here already"))
        }
        Problem::Repeated { value, .. } if path.starts_with("campaigns") => {
            let index = spec.campaigns.iter().position(|it| it.name == *value)?;
            Some((format!("campaigns[{index}].name"), "first here"))
        }
        Problem::Repeated { value, .. } => {
            let index = levels.iter().position(|it| match key {
                "id" => it.id.as_str() == value,
                _ => it.name == *value,
            });
            Some((level(index?, key), "first here"))
        }
        Problem::NotAbove { below, .. } => {
            let index = levels.iter().position(|it| it.id == *below)?;
            Some((level(index, key), "this is the level below"))
        }
        Problem::StageTornApart(stage) => {
            let index = levels.iter().position(|it| it.stage.as_ref() == Some(stage))?;
            Some((level(index, "stage"), "the stage begins here"))
        }
        Problem::GivesBoth => Some((path.replace(".points", ".bonus"), "this is a gift already")),
        Problem::EndsBeforeStart(_) => Some((path.replace(".until", ".from"), "it begins here")),
        Problem::RepeatedPeriod => {
            let referral = spec.referral.as_ref().map_or(&[][..], |it| &it.caps);
            let transfers = spec.transfers.as_ref().map_or(&[][..], |it| &it.caps);
            let lists = [
                ("caps.per_member", &spec.caps.per_member[..]),
                ("referral.caps", referral),
                ("transfers.caps", transfers),
            ];
            let (list, caps) = lists.into_iter().find(|(list, _)| path.starts_with(list))?;
            let own = (0..caps.len()).find(|it| *path == format!("{list}[{it}].period"))?;
            let period = caps.get(own)?.period;
            let index = caps.iter().position(|it| it.period == period)?;
            Some((format!("{list}[{index}].period"), "first here"))
        }
        Problem::BeginsByInvitation => {
            let wanted = spec.enrollment.level.as_ref()?;
            let index = levels.iter().position(|it| it.id == *wanted)?;
            Some((level(index, "invite_only"), "this says so"))
        }
        Problem::NoOrder(_) => Some(("referral.task".to_owned(), "this says so")),
        Problem::MilestoneNotAbove(before) => {
            let milestones = &spec.referral.as_ref()?.milestones;
            let index = milestones.iter().position(|it| it.friends == *before)?;
            Some((format!("referral.milestones[{index}].friends"), "this is the one before"))
        }
        Problem::Empty
        | Problem::ControlCharacter
        | Problem::UnknownTimeZone(_)
        | Problem::UnknownCurrency(_)
        | Problem::OwnCurrency(_)
        | Problem::Zero
        | Problem::TooLarge(_)
        | Problem::FinerThanCurrency(_)
        | Problem::NoLevels
        | Problem::NoCondition
        | Problem::NoExpiry
        | Problem::NoSuchLevel(_)
        | Problem::RewardsNothing
        | Problem::GivesNothing => None,
    }
}

/// What would be right at `path`, which ends with `key`.
fn help(spec: &ProgramSpec, path: &str, key: &str, problem: &Problem) -> String {
    match problem {
        Problem::Empty => "write what people shall read".to_owned(),
        Problem::ControlCharacter => "take line breaks, tabs and the like out of it".to_owned(),
        Problem::UnknownTimeZone(zone) => suggest::time_zone(zone),
        Problem::UnknownCurrency(code) => suggest::currency(code),
        Problem::OwnCurrency(_) => {
            "take this line out, or change `currency` if the program counts in another one".to_owned()
        }
        Problem::Zero if path.starts_with("rates.") => {
            "write what one unit of it is worth, or take the line out to refuse such orders".to_owned()
        }
        Problem::Zero if path == "enrollment.points" => {
            "write more than 0, or take `points` out if there are none".to_owned()
        }
        Problem::Zero => match key {
            "version" => "begin with `version = 1` and add 1 with every change".to_owned(),
            "per_order" | "point_value" | "min_amount" | "min_points" => {
                format!("write more than 0, or take `{key}` out if there is none")
            }
            "spend" | "orders" | "growth" => {
                format!("write from how much on the level is met, or take `{key}` out")
            }
            _ => "write a number above 0".to_owned(),
        },
        Problem::TooLarge(max) => match key {
            "grace_months" => format!("write at most {max}: after 12 a level is reviewed anyway"),
            "tasks" => format!("name at most {max} tasks"),
            "max_share" => "write 1 for all of an order, or 0.5 for half of it".to_owned(),
            "hold_minutes" => format!("write at most {max}, which is thirty days"),
            _ => format!("write at most {max}, which is a hundred years"),
        },
        Problem::FinerThanCurrency(currency) => match currency.exponent() {
            0 => format!("{currency} has no minor units: write a whole number"),
            digits => format!("write at most {digits} digits after the point"),
        },
        Problem::NoLevels => {
            "add the level that everybody has:\n[[tiers.levels]]\nid = \"member\"\nname = \"Member\""
                .to_owned()
        }
        Problem::LowestLevelMissing => {
            "put a level that everybody has before it, without any condition and without `invite_only`, or \
             take those out of it"
                .to_owned()
        }
        Problem::NoCondition => {
            "write one or more of `spend`, `orders`, `growth` and `tasks`, of which any one is enough, or \
             `invite_only = true`"
                .to_owned()
        }
        Problem::InvitedByCondition => {
            "take the conditions out, or `invite_only` if whoever meets them shall have it".to_owned()
        }
        Problem::Repeated { .. } if is_in_list(path) => "keep one of them".to_owned(),
        Problem::Repeated { .. } => format!("write another `{key}`"),
        Problem::NotAbove { .. } => {
            "levels stand from the lowest to the highest: raise it, or move the level down".to_owned()
        }
        Problem::StageTornApart(stage) => {
            format!("move the level to the others of stage `{stage}`, or write another `stage`")
        }
        Problem::GivesNothing => {
            "write `bonus = 1` to double base points, or `points = 100` for a fixed number".to_owned()
        }
        Problem::GivesBoth => "keep one of them, or make two campaigns".to_owned(),
        Problem::EndsBeforeStart(_) => "write a later day, or exchange `from` and `until`".to_owned(),
        Problem::NoExpiry => "write `expiry_months = 12`, or `expiry = \"never\"`".to_owned(),
        Problem::SlidesAnyway => {
            format!("take `{key}` out, or let points live for a fixed time")
        }
        Problem::NeverExpires => {
            format!("take `{key}` out, or `expiry` if points shall expire")
        }
        Problem::NoSuchLevel(level) => {
            let ids = || spec.tiers.levels.iter().map(|it| it.id.as_str());
            nearest(level.as_str(), ids()).map_or_else(
                || format!("the levels are {}", listed(ids(), "and")),
                |near| format!("did you mean `{near}`?"),
            )
        }
        Problem::BeginsByInvitation => {
            "write a level with conditions, or take `level` out: then they begin with the lowest".to_owned()
        }
        Problem::RewardsNothing => "take [referral] out if there is no reward".to_owned(),
        Problem::NoOrder(_) => {
            "take `min_amount` out, or `task` if the friend shall order something".to_owned()
        }
        Problem::MilestoneNotAbove(_) => {
            "milestones stand from the fewest friends to the most: raise it, or move it up".to_owned()
        }
        Problem::RoundingAndDates | Problem::RepeatedPeriod => {
            "keep the one that is meant".to_owned()
        }
    }
}
