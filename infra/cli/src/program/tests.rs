//! That no file, however broken, is more than a report. What reports say is in `tests/data/programs`.

use super::*;

const STANDARD: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../programs/standard.toml"));

/// The number of mistakes in `text`, by its report.
fn mistakes(text: &str) -> usize {
    let Err(report) = parse("x.toml", text) else { return 0 };
    let report = report.to_string();
    let last = report.lines().last().unwrap();
    let count = last.strip_prefix("x.toml: ").unwrap().split(' ').next().unwrap();
    count.parse().unwrap()
}

#[test]
fn a_file_cut_off_anywhere_is_a_program_or_has_mistakes() {
    for end in (0..STANDARD.len()).step_by(7) {
        if let Some(text) = STANDARD.get(..end) {
            mistakes(text);
        }
    }
}

#[test]
fn a_file_without_any_one_line_has_few_mistakes() {
    let lines: Vec<&str> = STANDARD.lines().collect();
    for without in 0..lines.len() {
        let mut lines = lines.clone();
        let line = lines.remove(without);
        let mistakes = mistakes(&lines.join("\n"));
        // Without the name of its table a key stands in the table before, and so do its neighbors.
        let most = if line.starts_with('[') { 9 } else { 1 };
        assert!(mistakes <= most, "without `{line}` there are {mistakes} mistakes");
    }
}

#[test]
fn a_file_with_an_odd_character_anywhere_is_a_program_or_has_few_mistakes() {
    for odd in ["\"", "[", "]", "{", "=", ",", "'", "\u{0}", "€", "\n", "\\", "#", "\"\"\""] {
        for (at, _) in STANDARD.char_indices().step_by(11) {
            let (before, after) = STANDARD.split_at(at);
            let mistakes = mistakes(&format!("{before}{odd}{after}"));
            // A table's name behind `#` is as good as taken out, and so is the end of a list.
            let is_cut = after.starts_with('[') || before.ends_with('[');
            let most = if odd == "#" && is_cut { 9 } else { 4 };
            assert!(
                mistakes <= most,
                "{mistakes} mistakes by {odd:?} after: {}",
                before.get(at.saturating_sub(40)..).unwrap_or(before)
            );
        }
    }
}

#[test]
fn a_bonus_is_read_exactly_however_it_is_written() {
    let rate = |written: &str| {
        let text = STANDARD.replacen("\nbonus = 0.05", &format!("\nbonus = {written}"), 1);
        parse("x.toml", &text).unwrap().levels()[1].bonus.unwrap().to_string()
    };

    assert_eq!(rate("0.05"), "0.05");
    assert_eq!(rate("\"0.05\""), "0.05");
    assert_eq!(rate("+0.050"), "0.05");
    assert_eq!(rate("1"), "1");
    assert_eq!(rate("1_000.000000001"), "1000.000000001");
    // Not a tenth as any binary number is.
    assert_eq!(rate("0.1"), "0.1");
}

#[test]
fn every_model_of_expiry_is_explained() {
    let explained = |lines: &str| {
        let (months, rounding) = ("expiry_months = 12\n", "expiry_rounding = \"month_end\"\n");
        let text = STANDARD.replacen(months, "", 1).replacen(rounding, "", 1);
        let text = text.replacen("expiry = \"fixed\"\n", lines, 1);
        explain::explain(&parse("x.toml", &text).unwrap()).replace("\n  ", " ")
    };

    let dates = explained("expiry_months = 6\nexpiry_dates = [\"03-31\", \"09-30\"]\n");
    assert!(dates.contains("the next of these days of the year: 03-31, 09-30."), "{dates}");
    assert!(dates.contains("paid on 2026-01-01 can be used through 2026-09-30."), "{dates}");
    let sliding = explained("expiry = \"sliding\"\nexpiry_months = 12\n");
    assert!(sliding.contains("all others last as if earned on that day."), "{sliding}");
    assert!(sliding.contains("used on 2026-01-01 last through 2027-01-01 at least."), "{sliding}");
    let told = "[reminders]\npoints_days = [30, 1]\ntier_days = [7]\n";
    let told = explain::explain(&parse("x.toml", &format!("{STANDARD}\n{told}")).unwrap());
    assert!(told.contains("expire this long before: 30 days, 1 day."), "{told}");
    assert!(told.contains("this long before its review: 7 days."), "{told}");
    let paid = STANDARD.replacen("point_worth = 0.01", "point_worth = 0.03", 1);
    let paid = paid.replacen("hold_minutes = 30", "hold_minutes = 20", 1);
    let paid = explain::explain(&parse("x.toml", &paid).unwrap());
    assert!(paid.contains("A point pays 0.03 GBP of an order."), "{paid}");
    assert!(paid.contains("An order is paid with 100 points at least."), "{paid}");
    assert!(paid.contains("Points pay a share of 0.5 of an order at most."), "{paid}");
    assert!(paid.contains("for 20 minutes at most"), "{paid}");
    let never = explained("expiry = \"never\"\n");
    assert!(never.contains("They never expire."), "{never}");
}

#[test]
fn a_report_with_very_many_mistakes_ends() {
    let text = format!("{STANDARD}\n[rates.more]\n{}", "x = y\n".repeat(100_000));

    assert!(mistakes(&text) > 10);
}

#[test]
fn paying_with_points_is_checked() {
    let wrong = [
        ("point_worth = 0.01", "point_worth = 0"),
        ("max_share = 0.5", "max_share = 1.5"),
        ("hold_minutes = 30", "hold_minutes = 43201"),
        // The first one is that of checkouts.
        ("min_points = 100", "min_points = 0"),
    ];
    let text = wrong.iter().fold(STANDARD.to_owned(), |text, (is, becomes)| {
        assert!(text.contains(is), "{is}");
        text.replacen(is, becomes, 1)
    });
    assert_eq!(mistakes(&text), 4);
    let text = STANDARD.replacen("point_worth = 0.01\n", "", 1);
    let found = mistakes(&text.replacen("hold_minutes = 30", "hold_minute = 5", 1));
    assert_eq!(found, 2, "a point's worth is missing, and a key is wrong");
}
