//! The vectors of the rules, by name.

use jiff::civil::{Date, date};
use loyalty_domain::calendar::{Calendar, ExpiryRounding, after_days, last_good_day};

#[track_caller]
fn check(paid_on: Date, months: u32, rounding: ExpiryRounding, then: Date) {
    assert_eq!(last_good_day(paid_on, months, rounding), Ok(then));
}

#[test]
fn twelve_months_to_the_months_end_paid_on_6_july_2020_lasts_through_31_july_2021() {
    check(date(2020, 7, 6), 12, ExpiryRounding::MonthEnd, date(2021, 7, 31));
}

#[test]
fn one_month_from_25_january_is_25_february() {
    check(date(2021, 1, 25), 1, ExpiryRounding::None, date(2021, 2, 25));
}

#[test]
fn one_month_from_31_january_is_the_last_of_february() {
    check(date(2021, 1, 31), 1, ExpiryRounding::None, date(2021, 2, 28));
    check(date(2024, 1, 31), 1, ExpiryRounding::None, date(2024, 2, 29));
}

#[test]
fn no_months_from_1_january_is_1_january() {
    check(date(2021, 1, 1), 0, ExpiryRounding::None, date(2021, 1, 1));
}

#[test]
fn one_month_to_the_months_end_from_any_day_of_january_is_the_end_of_february() {
    for day in 1..=31 {
        check(date(2021, 1, day), 1, ExpiryRounding::MonthEnd, date(2021, 2, 28));
        check(date(2024, 1, day), 1, ExpiryRounding::MonthEnd, date(2024, 2, 29));
    }
}

#[test]
fn quarters_and_years_end_on_their_last_day() {
    check(date(2021, 2, 10), 0, ExpiryRounding::QuarterEnd, date(2021, 3, 31));
    check(date(2021, 2, 10), 3, ExpiryRounding::QuarterEnd, date(2021, 6, 30));
    check(date(2021, 11, 30), 1, ExpiryRounding::QuarterEnd, date(2021, 12, 31));
    check(date(2021, 11, 30), 2, ExpiryRounding::YearEnd, date(2022, 12, 31));
}

#[test]
fn a_midnight_is_the_start_of_a_day_and_not_always_midnight_in_utc() {
    let midnight = |zone, day| Calendar::of(zone).unwrap().midnight(day).unwrap().to_string();

    assert_eq!(midnight("Europe/London", date(2011, 1, 1)), "2011-01-01T00:00:00Z");
    assert_eq!(midnight("Europe/London", date(2011, 7, 1)), "2011-06-30T23:00:00Z");
    // Clocks went forward at midnight: the day began at 01:00.
    assert_eq!(midnight("America/Sao_Paulo", date(2018, 11, 4)), "2018-11-04T03:00:00Z");
}

#[test]
fn a_day_that_clocks_show_twice_is_over_after_the_first_time() {
    // Clocks in St. John's went back from 00:01 to 23:01 of the day before.
    let calendar = Calendar::of("America/St_Johns").unwrap();
    let day = date(2010, 11, 6);
    let end = calendar.end_of(day).unwrap();
    let again = "2010-11-07T03:15:00Z".parse().unwrap();

    assert_eq!(calendar.day_of(again), day, "the day is shown again");
    assert!(again > end);
    assert_eq!(calendar.is_over(day, again), Ok(true));
}

#[test]
fn pending_days_have_24_hours_whatever_clocks_do() {
    let paid = "2011-03-20T10:00:00Z".parse().unwrap();

    assert_eq!(after_days(paid, 14).unwrap().to_string(), "2011-04-03T10:00:00Z");
}
