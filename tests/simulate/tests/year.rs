//! A real shop's year becomes points, exactly.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::Path};

use loyalty_tests_simulate::{fail, loyalty, repository, scratch, succeed};

fn simulate(orders: &Path, members: &Path) -> std::process::Command {
    let mut command = loyalty();
    command
        .arg("simulate")
        .args(["--orders".as_ref(), orders])
        .args(["--columns".into(), repository("infra/imports/online-retail.toml")])
        .args(["--program".into(), repository("infra/programs/retail-a.toml")])
        .args(["--as-of", "2011-12-10"])
        .args(["--members-out".as_ref(), members]);
    command
}

#[test]
fn the_real_year_gives_the_expected_accounts_and_the_expected_import_report() {
    let members = scratch("year").join("members.csv");

    let report = succeed(&mut simulate(&repository("tests/data/online-retail.csv.gz"), &members));

    let expected = fs::read(repository("tests/data/expected-a.csv")).unwrap();
    assert!(fs::read(members).unwrap() == expected, "an account is not what it must be");
    for line in [
        "Import of 191,404 rows",
        "6,369  orders of 1,476 members",
        "1,266  returns with a customer (12 of them of the 11 customers without any order, who get no account)",
        "1,156  guest orders",
        "58  guest returns",
        "1  rejected row",
        "440  unmatched return lines (3,911 units)",
        "line 108029: column `document` is neither an order nor a return",
    ] {
        assert!(report.contains(line), "the report has no line `{line}`:\n{report}");
    }
}

#[test]
fn the_real_year_night_by_night_has_the_same_accounts_and_says_at_night_what_fell_due() {
    let folder = scratch("year-nightly");
    // Until everything has expired and every level was reviewed.
    let run = |flag: Option<&str>, name: &str| {
        let (members, entries) = (folder.join(format!("{name}.csv")), folder.join(name));
        let mut command = loyalty();
        command
            .arg("simulate")
            .args(["--orders".into(), repository("tests/data/online-retail.csv.gz")])
            .args(["--columns".into(), repository("infra/imports/online-retail.toml")])
            .args(["--program".into(), repository("infra/programs/retail-a.toml")])
            .args(["--as-of", "2013-01-02", "--members-out"])
            .arg(&members)
            .arg("--entries-out")
            .arg(&entries)
            .args(flag);
        succeed(&mut command);
        (fs::read(members).unwrap(), fs::read_to_string(entries).unwrap())
    };

    let (expected, without) = run(None, "without");
    let (accounts, entries) = run(Some("--nightly"), "nightly");

    assert!(accounts == expected, "nights change an account");
    let is_of_a_night = |it: &&str| it.starts_with(r#"{"id":{"Due":"#);
    let nights: Vec<&str> = entries.lines().filter(is_of_a_night).collect();
    assert_eq!(nights.len(), 4_430);
    assert_eq!(nights.len() + without.lines().count(), entries.lines().count());
    // Without nights nobody says it: the year has no order after the first points expired.
    let says_expired = |text: &str| text.matches(r#"{"expired":{"at":"#).count();
    assert!(says_expired(&entries) > 1_000, "{} lots expired", says_expired(&entries));
    assert_eq!(says_expired(&without), 0);
}

#[test]
fn the_demo_shows_the_standard_program_on_a_real_extract() {
    let report = succeed(loyalty().args(["simulate", "--demo"]));

    assert!(report.contains("252  orders of 58 members"), "{report}");
    assert!(report.contains("Standard (version 1) as of 2011-12-09"), "{report}");
    assert!(report.contains("points earned"), "{report}");
}

/// The number before `what` in a report.
#[track_caller]
fn number(report: &str, what: &str) -> i64 {
    let line = report.lines().find(|it| it.ends_with(what));
    assert!(line.is_some(), "{what}: {report}");
    line.unwrap().trim().split(' ').next().unwrap().replace(',', "").parse().unwrap()
}

#[test]
fn members_who_pay_with_all_points_that_they_can_earn_less_and_every_point_is_somewhere() {
    let saved = succeed(loyalty().args(["simulate", "--demo"]));
    let paid = succeed(loyalty().args(["simulate", "--demo", "--pay-with-points"]));

    let of = |report: &str| {
        ["points earned", "taken back by refunds", "expired", "outstanding", "owed by members"]
            .map(|it| number(report, it))
    };
    let (used, back) =
        (number(&paid, "used for orders"), number(&paid, "given back of these by refunds"));
    let [earned, taken_back, expired, outstanding, owed] = of(&paid);
    assert_eq!(earned - taken_back - used + back - expired, outstanding - owed, "{paid}");
    assert!(used > 0 && back > 0 && back < used, "{paid}");
    // What points pay earns nothing.
    assert!(earned < of(&saved)[0], "{saved}{paid}");
    assert!(!saved.contains("used for orders"), "{saved}");
}

#[test]
fn an_order_that_is_edited_stays_paid_with_points() {
    let folder = scratch("paid-and-edited");
    let lines = |amount: u32| {
        format!(r#""lines":[{{"id":"1","sku":"A","quantity":1,"amount_minor":{amount}}}]"#)
    };
    let paid = |id: &str, at: &str, amount: u32| {
        let lines = lines(amount);
        format!(
            r#"{{"type":"order.paid","order_id":"{id}","member_id":"m1","paid_at":"{at}","currency":"GBP",{lines}}}"#
        )
    };
    let changed = format!(
        r#"{{"type":"order.changed","order_id":"2","change_id":"1","changed_at":"2025-06-02T10:00:00Z",{}}}"#,
        lines(11_000)
    );
    let events = [
        paid("1", "2025-01-01T10:00:00Z", 100_000),
        paid("2", "2025-06-01T10:00:00Z", 10_000),
        changed,
    ];
    fs::write(folder.join("events.jsonl"), events.join("\n")).unwrap();
    let mut command = loyalty();
    command
        .args(["simulate", "--pay-with-points", "--as-of", "2025-07-01"])
        .args(["--events".into(), folder.join("events.jsonl")])
        .args(["--program".into(), repository("infra/programs/standard.toml")]);

    let report = succeed(&mut command);

    assert_eq!(number(&report, "used for orders"), 1_000, "{report}");
    assert!(!report.contains("given back"), "{report}");
}

#[test]
fn paying_with_points_needs_a_program_that_says_what_they_are_worth() {
    let program = repository("infra/programs/retail-a.toml");
    let mut command = loyalty();
    command.args(["simulate", "--demo", "--pay-with-points", "--program"]).arg(program);

    let said = fail(&mut command);

    assert!(said.contains("add [checkout] with `point_worth`"), "{said}");
}

#[test]
fn two_programs_side_by_side_say_who_rises_and_what_it_costs() {
    let mut command = loyalty();
    command
        .args(["simulate", "--demo", "--compare"])
        .arg(repository("infra/programs/retail-a.toml"));

    let report = succeed(&mut command);

    // Silver is not the lowest but one of both programs, and is the same level all the same.
    assert!(report.contains("18  stay  Silver     Silver"), "{report}");
    assert!(report.contains("17  rise  Bronze     Silver"), "{report}");
    assert!(report.contains("17 members rise, 12 fall, 29 stay"), "{report}");
    assert!(report.contains("points are given, after refunds"), "{report}");
    assert!(report.contains("It costs 15.94 GBP less."), "{report}");
}

#[test]
fn a_member_whom_one_program_has_no_account_of_is_compared_with_nobody_else() {
    let folder = scratch("compare");
    let order = |member: &str, currency: &str, minor: u32| {
        format!(
            r#"{{"type":"order.paid","order_id":"{member}","member_id":"{member}","paid_at":"2011-01-01T10:00:00Z","currency":"{currency}","lines":[{{"id":"1","sku":"A","quantity":1,"amount_minor":{minor}}}]}}"#
        )
    };
    // Only the standard program has a rate for euros.
    let lines = [order("m1", "GBP", 25_000), order("m2", "EUR", 90_000), order("m3", "GBP", 900)];
    fs::write(folder.join("events.jsonl"), lines.join("\n")).unwrap();
    let mut command = loyalty();
    command
        .arg("simulate")
        .args(["--events".into(), folder.join("events.jsonl")])
        .args(["--program".into(), repository("infra/programs/standard.toml")])
        .args(["--compare".into(), repository("infra/programs/retail-a.toml")]);

    let report = succeed(&mut command);

    assert!(report.contains("1  stay  Member  Bronze"), "{report}");
    assert!(report.contains("1  rise  Bronze  Silver"), "{report}");
    assert!(report.contains("1 member with an account only under Standard"), "{report}");
}

/// Rows of a file whose columns the map of the real year names.
fn small_file(test: &str, rows: &[u8]) -> (std::path::PathBuf, std::path::PathBuf) {
    let folder = scratch(test);
    let mut text =
        b"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
            .to_vec();
    text.extend_from_slice(rows);
    fs::write(folder.join("orders.csv"), text).unwrap();
    (folder.join("orders.csv"), folder.join("members.csv"))
}

#[test]
fn a_broken_row_is_rejected_with_its_line_and_takes_no_neighbor_along() {
    let mut rows = Vec::new();
    rows.extend_from_slice(b"1,A,\"cups, \"\"red\"\"\",2,2011-01-01 10:00,2.50,m1,UK\r\n"); // 2
    rows.extend_from_slice(b"1,A,\"never closed,1,2011-01-01 10:00,1.00,m1,UK\n"); // 3
    rows.extend_from_slice(b"1,K,cups,1,2011-01-01 10:00,3.00,m1,UK\n"); // 4
    rows.extend_from_slice(b"1,K\n"); // 5
    rows.extend_from_slice(b"1,K,cups,1,2011-02-30 10:00,3.00,m1,UK\n"); // 6
    rows.extend_from_slice(b"1,K,cups,1,2011-01-01 10:00,-3.00,m1,UK\n"); // 7
    rows.extend_from_slice(b"1,K,cups,0,2011-01-01 10:00,3.00,m1,UK\n"); // 8
    rows.extend_from_slice(b"1,K\xff,cups,1,2011-01-01 10:00,3.00,m1,UK\n"); // 9
    rows.extend_from_slice(b"1,K,th\xe9,1,2011-01-01 10:00,2.00,m1,UK\n"); // 10: not our column
    rows.extend_from_slice(b"1,K,cups,1,2011-01-01 10:00,abc,m1,UK\n"); // 11
    rows.extend_from_slice(b"1,K,cups,1,2011-01-01 10:00,3.00,m2,UK\n"); // 12
    rows.extend(std::iter::repeat_n(b'x', 2_000_000)); // 13
    rows.extend_from_slice(b"\n2,K,\"two\nlines\",1,2011-01-02 10:00,7.00,m2,UK"); // 14 and 15
    let (orders, members) = small_file("broken-rows", &rows);

    let report = succeed(&mut simulate(&orders, &members));

    let accounts = fs::read_to_string(members).unwrap();
    assert!(accounts.contains("m1,bronze,10,0,0,10,"), "{accounts}");
    assert!(accounts.contains("m2,bronze,7,0,0,7,"), "{accounts}");
    assert!(report.contains("9  rejected rows"), "{report}");
    assert!(report.contains("line 3: a quote is opened and not closed"), "{report}");
    assert!(report.contains("line 5: has 2 fields where 7 are needed"), "{report}");
    assert!(report.contains("line 6: column `time`"), "{report}");
    assert!(report.contains("line 7: column `price` is negative"), "{report}");
    assert!(report.contains("line 8: the quantity must be more than 0"), "{report}");
}

#[test]
fn another_encoding_is_seen_by_its_byte_order_mark() {
    let text = "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\n\
                1,Ä,1,2011-01-01 10:00,5,m\u{e9}\n";
    let mut bytes = vec![0xff, 0xfe];
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    let folder = scratch("utf-16");
    fs::write(folder.join("orders.csv"), bytes).unwrap();
    let members = folder.join("members.csv");

    succeed(&mut simulate(&folder.join("orders.csv"), &members));

    assert!(fs::read_to_string(members).unwrap().contains("mé,bronze,5,"));
}

#[test]
fn missing_columns_are_all_named_beside_those_that_are_there() {
    let folder = scratch("missing-columns");
    fs::write(folder.join("orders.csv"), "InvoiceNo,Price\n1,2\n").unwrap();

    let said = fail(&mut simulate(&folder.join("orders.csv"), &folder.join("members.csv")));

    assert!(said.contains("no column `CustomerID`"), "{said}");
    assert!(said.contains("no column `UnitPrice`"), "{said}");
    assert!(said.contains("it has `InvoiceNo`, `Price`"), "{said}");
}

#[test]
fn events_have_named_outcomes_and_change_nothing_when_they_come_again() {
    let order = |id: &str, amount: &str, currency: &str| {
        format!(
            r#"{{"type":"order.paid","order_id":"{id}","member_id":"m1","paid_at":"2011-01-01T10:00:00Z","currency":"{currency}","lines":[{{"id":"1","sku":"A","quantity":1,"amount_minor":{amount}}}]}}"#
        )
    };
    let refund = r#"{"detail-type":"order.refunded","source":"shop","detail":{"order_id":"a","refund_id":"r","refunded_at":"2011-01-03T10:00:00Z","amount_minor":400}}"#;
    let lines = [
        refund.to_owned(),
        order("a", "1000", "GBP"),
        order("a", "1000", "GBP"),
        order("a", "2000", "GBP"),
        "not json".to_owned(),
        order("b", "-1", "GBP"),
        order("c", "500", "ZAR"),
        order("d", "9223372036854775807", "GBP"),
        order("e", "300", "GBP"),
    ];
    let folder = scratch("events");
    fs::write(folder.join("events.jsonl"), lines.join("\n")).unwrap();
    let mut command = loyalty();
    command
        .arg("simulate")
        .args(["--events".into(), folder.join("events.jsonl")])
        .args(["--program".into(), repository("infra/programs/retail-a.toml")])
        .args(["--as-of", "2011-02-01"])
        .args(["--members-out".into(), folder.join("members.csv")])
        .args(["--entries-out".into(), folder.join("entries.jsonl")]);

    let report = succeed(&mut command);

    let accounts = fs::read_to_string(folder.join("members.csv")).unwrap();
    let entries = fs::read_to_string(folder.join("entries.jsonl")).unwrap();
    assert!(report.contains("Import of 9 events"), "{report}");
    assert!(report.contains("2 rejected lines"), "{report}");
    assert!(report.contains("1 repeated, which changes nothing"), "{report}");
    assert!(
        report
            .contains("line 7: order c: the program has no rate for ZAR; add `ZAR` to its [rates]"),
        "{report}"
    );
    assert!(report.contains("line 4: order a had other content before, which stands"), "{report}");
    assert!(accounts.contains("m1,"), "{accounts}");
    assert_eq!(entries.lines().count(), 5, "{entries}");
    for line in entries.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

#[test]
fn an_edited_copy_of_a_program_is_told_from_its_original() {
    let copy = scratch("copy").join("copy.toml");
    let text = fs::read_to_string(repository("infra/programs/standard.toml")).unwrap();
    fs::write(&copy, text.replace("points_per_unit = 1", "points_per_unit = 2")).unwrap();

    let report = succeed(loyalty().args(["simulate", "--demo", "--compare"]).arg(&copy));

    assert!(report.contains("infra/programs/standard.toml as of"), "{report}");
    assert!(report.contains("copy/copy.toml\n"), "{report}");
}
