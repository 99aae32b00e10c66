//! Balances of another loyalty system: files as shops have them, and the accounts that come of them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::{fmt::Write as _, fs, io::Write as _, path::PathBuf, process::Command};

use flate2::{Compression, write::GzEncoder};
use loyalty_tests_simulate::{fail, loyalty, repository, scratch, succeed};

const HEADER: &str = "member_id,points,usable_through,available_at,debt,level,\
                      level_valid_through,month,spend,orders\n";

/// A folder with a file of balances.
struct Case {
    folder: PathBuf,
}

impl Case {
    fn new(test: &str, balances: impl AsRef<[u8]>) -> Self {
        let folder = scratch(&format!("openings-{test}"));
        fs::write(folder.join("balances.csv"), balances).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The command, without what it is to do.
    fn command(&self) -> Command {
        let mut command = loyalty();
        command
            .arg("opening-balances")
            .arg(self.path("balances.csv"))
            .args(["--program".into(), repository("infra/programs/retail-a.toml")])
            .args(["--opened-at", "2026-07-01"]);
        command
    }

    /// The report, and the events that are written.
    #[track_caller]
    fn brought(&self) -> (String, String) {
        let events = self.path("events.jsonl");
        let report = succeed(self.command().args(["--events-out".as_ref(), events.as_path()]));
        (report, fs::read_to_string(events).unwrap())
    }

    /// The report of a simulation of `events`, and its members.
    #[track_caller]
    fn simulated(&self, program: &str, events: &str) -> (String, String) {
        fs::write(self.path("all.jsonl"), events).unwrap();
        let mut command = loyalty();
        command
            .arg("simulate")
            .args(["--events".into(), self.path("all.jsonl")])
            .args(["--program".into(), repository(program)])
            .args(["--members-out".into(), self.path("members.csv")]);
        let report = succeed(&mut command);
        (report, fs::read_to_string(self.path("members.csv")).unwrap())
    }
}

/// The members of the events, in their order.
fn members(events: &str) -> Vec<String> {
    let event = |line| serde_json::from_str::<serde_json::Value>(line).unwrap();
    events.lines().map(|it| event(it)["member_id"].as_str().unwrap().to_owned()).collect()
}

/// The lines of a report that name a line of the file.
fn mistakes(report: &str) -> Vec<&str> {
    report.lines().filter_map(|it| it.strip_prefix("  line ")).collect()
}

#[test]
fn the_example_becomes_accounts() {
    let example = fs::read(repository("infra/imports/opening-balances.csv")).unwrap();
    let case = Case::new("example", example);
    let events = case.path("events.jsonl");
    let mut command = loyalty();
    command
        .arg("opening-balances")
        .arg(case.path("balances.csv"))
        .args(["--program".into(), repository("infra/programs/standard.toml")])
        .args(["--opened-at", "2026-07-01"])
        .args(["--events-out".as_ref(), events.as_path()]);

    let report = succeed(&mut command);
    let events = fs::read_to_string(events).unwrap();
    let (simulated, accounts) = case.simulated("infra/programs/standard.toml", &events);

    let lines: Vec<&str> = report.lines().map(str::trim).skip(1).collect();
    assert_eq!(
        lines,
        [
            "4  members bring a balance",
            "2,050  points that can be used, in 3 lots",
            "125  points on their way",
            "40  points owed, after the lots have paid",
            "1  member is Gold",
            "1  member is Silver",
            "0  members are left out for a mistake",
        ]
    );
    assert!(simulated.contains("4 opening balances brought from another system"), "{simulated}");
    assert!(simulated.contains("2,235  brought from another system"), "{simulated}");
    assert!(simulated.contains("100  owed there, and brought along"), "{simulated}");
    let accounts: Vec<&str> = accounts.lines().skip(1).collect();
    assert_eq!(
        accounts,
        [
            "m-1001,base-3,1550,125,0,0,0,0,2027-03-31,33990,3",
            "m-1002,base-1,500,0,0,0,0,0,,0,0",
            "m-1003,base-1,0,0,40,0,0,0,,0,0",
            "m-1004,advanced-1,0,0,0,0,0,0,2027-07-31,1999,1",
        ]
    );
}

#[test]
fn every_mistake_is_said_with_its_line_and_leaves_its_member_out_whole() {
    let long = "x".repeat(129);
    let rows = [
        ("good-1,100,2026-12-31,,,,,,,", ""),
        ("a,1.5,2026-12-31,,,,,,,", "`points` must be a whole number such as 1200, digits only"),
        ("a,5,2026-12-31,,,,,,,", ""),
        ("b,-5,2026-12-31,,,,,,,", "`points` must not be negative: write what is owed as `debt`"),
        ("c,5,31.12.2026,,,,,,,", "`usable_through` must be a day from 1970-01-01 to 2199-12-31"),
        ("d,5,2026-02-30,,,,,,,", "`usable_through` must be a day"),
        ("e,5,,,,,,,,", "`points` need `usable_through`, the last day on which they can be used"),
        ("f,,2026-12-31,,,,,,,", "`usable_through` needs `points` beside it"),
        ("g,,,2026-12-31,,,,,,", "`available_at` needs `points` beside it"),
        ("h,5,,2026-07-09T10:15,,,,,,", "`available_at` must be a day such as 2026-07-09"),
        ("i,,,,-7,,,,,", "`debt` must not be negative: write how many points are owed"),
        ("j,,,,7,,,,,", ""),
        ("j,,,,8,,,,,", "`debt` differs from line 13: a member has one"),
        ("k,,,,,glod,,,,", "`level` is none of the program: did you mean `gold`?"),
        ("l,,,,,Gold,,,,", "`level` is none of the program: did you mean `gold`?"),
        ("m,,,,,vip,,,,", "levels are `bronze`, `silver`, `gold`, `platinum` and `diamond`"),
        ("n,,,,,,2026-12-31,,,", "`level_valid_through` needs `level` beside it"),
        ("o,,,,,gold,2026-12,,,", "`level_valid_through` must be a day"),
        ("p,,,,,gold,2026-12-31,,,", ""),
        ("p,,,,,silver,2026-12-31,,,", "`level` differs from line 20"),
        ("q,,,,,,,2026-03,,", "`month` needs `spend` or `orders` beside it"),
        ("r,,,,,,,2026-3,5,1", "`month` must be a month such as 2026-03"),
        ("s,,,,,,,2026-08,5,1", "`month` must be at most 2026-07, that of the opening"),
        ("t,,,,,,,2026-03,5,1", ""),
        ("t,,,,,,,2026-03,6,1", "`month` is that of line 25, too: write one row for each month"),
        (
            "u,,,,,,,2026-03,5.005,1",
            "`spend` must be a decimal number of GBP with at most 2 digits",
        ),
        ("v,,,,,,,2026-03,£5,1", "`spend` must be a decimal number of GBP"),
        ("w,,,,,,,2026-03,5,one", "`orders` must be a whole number such as 3"),
        ("x,,,,,,,,5,1", ""),
        ("x,,,,,,,,6,1", "what stands without a month differs from line 30: a member has one"),
        ("y,5,2026-12-31,,,,,2026-03,10,50,1", "has 11 fields where the header has 10: a comma in"),
        ("z,5,2026-12-31", "has 3 fields where the header has 10: write an empty field"),
        ("aa,9223372036854775807,2026-12-31,,,,,,,", "larger than can be counted"),
        ("bb,9223372036854775808,2026-12-31,,,,,,,", "`points` must be a whole number"),
        ("good-2,5,2026-12-31,,,,,,,", ""),
        ("cc,x,x,x,x,x,x,x,x,x", "`points` must be"),
        ("good-3,,,,,gold,,,,", ""),
        (&format!("{long},5,2026-12-31,,,,,,,"), "a member id must have at most 128 bytes"),
    ];
    // What stands beside the last one would be left out, too.
    let file: String = rows.iter().fold(HEADER.to_owned(), |text, (row, _)| text + row + "\n");
    let file = file.replace("good-3", "beside");

    let (report, events) = Case::new("mistakes", file).brought();

    assert_eq!(members(&events), ["good-1", "good-2"]);
    let said = mistakes(&report);
    for (index, (row, what)) in rows.iter().enumerate() {
        let line = format!("{}: ", index + 2);
        let of_line: Vec<_> = said.iter().filter(|it| it.starts_with(&line)).collect();
        if what.is_empty() {
            assert_eq!(of_line, Vec::<&&str>::new(), "{row}");
        } else {
            assert!(of_line.iter().any(|it| it.contains(what)), "{row}: {what}\n{of_line:?}");
        }
    }
    // All that is wrong with one row is said at once.
    let of_cc: Vec<_> = said.iter().filter(|it| it.contains("member cc: ")).collect();
    assert_eq!(of_cc.len(), 4, "{of_cc:?}");
    assert!(report.contains("30  members are left out for a mistake"), "{report}");
}

#[test]
fn a_row_that_may_be_anybodys_takes_the_members_beside_it_along() {
    let file = format!(
        "{HEADER}a,5,2026-12-31,,,,,,,\nb,5,2026-12-31,,,,,,,\n  ,6,2026-12-31,,,,,,,\n\
         c,5,2026-12-31,,,,,,,\nd,5,2026-12-31,,,,,,,\n\"e,5,2026-12-31,,,,,,,\nf,5,2026-12-31,,,,,,,\n\
         g,5,2026-12-31,,,,,,,\n"
    );

    let (report, events) = Case::new("neighbors", file).brought();

    assert_eq!(members(&events), ["a", "g"]);
    let said = mistakes(&report);
    assert_eq!(said.len(), 2, "{report}");
    assert!(
        said[0].starts_with("4: `member_id` is wrong: a member id must not be empty"),
        "{report}"
    );
    assert!(said[1].starts_with("7: a quote is opened and not closed"), "{report}");
}

#[test]
fn rows_of_a_member_are_joined_wherever_they_stand() {
    let file = format!(
        "{HEADER}a,5,2026-12-31,,3,gold,,2026-01,10,1\nb,1,2026-12-31,,,,,,,\n\
         a,7,2026-12-31,,3,gold,,2026-02,20,1\na,2,2026-09-30,,,,,,5,\na,0,,,,,,,,\n"
    );
    let case = Case::new("joined", file);

    let (report, events) = case.brought();

    let first = events.lines().next().unwrap();
    assert_eq!(
        first,
        r#"{"type":"balance.opened","member_id":"a","opened_at":"2026-06-30T23:00:00Z","lots":[{"points":2,"usable_through":"2026-09-30"},{"points":12,"usable_through":"2026-12-31"}],"debt":3,"tier":{"level":"gold"},"months":[{"month":"2026-01","spend_minor":1000,"orders":1},{"month":"2026-02","spend_minor":2000,"orders":1}],"earlier":{"spend_minor":500,"orders":0}}"#
    );
    assert_eq!(members(&events), ["a", "b"]);
    let advice = "1  member has other rows between the rows: is a part of the file there twice?";
    assert!(report.contains(advice), "{report}");
}

#[test]
fn too_many_of_anything_are_said_with_what_to_do() {
    let mut file = HEADER.to_owned();
    for number in 0..65 {
        let (year, month) = (2027 + number / 12, number % 12 + 1);
        writeln!(file, "lots,1,{year}-{month:02}-28,,,,,,,").unwrap();
        writeln!(file, "pending,1,,{year}-{month:02}-28,,,,,,").unwrap();
        writeln!(file, "months,,,,,,,{}-{month:02},1,1", year - 10).unwrap();
    }

    let (report, events) = Case::new("too-many", file).brought();

    assert_eq!(events, "");
    for what in [
        "member lots: has 65 of at most 64 lots",
        "member pending: has 65 of at most 64 groups of pending points",
        "member months: has 65 of at most 64 months: bring older ones as one row without a month",
    ] {
        assert!(report.contains(what), "{report}");
    }
}

#[test]
fn a_member_with_nothing_has_no_event() {
    let file =
        format!("{HEADER}a,0,,,0,,,,,\nb,,,,,,,2026-01,0,0\nc,,,,,,,,,\nd,1,2026-12-31,,,,,,,\n");

    let (report, events) = Case::new("nothing", file).brought();

    assert_eq!(members(&events), ["d"]);
    assert!(report.contains("3  members have nothing to bring, and no event"), "{report}");
}

#[test]
fn a_file_may_be_zipped_quoted_in_other_order_and_of_another_platform() {
    let text =
        "\u{feff}\"usable_through\",\"points\",\"member_id\"\r\n2026-12-31,5,\"a,\"\"b\"\"\"\r\n";
    let mut zipped = GzEncoder::new(Vec::new(), Compression::fast());
    zipped.write_all(text.as_bytes()).unwrap();

    let (_, events) = Case::new("zipped", zipped.finish().unwrap()).brought();

    assert_eq!(members(&events), ["a,\"b\""]);
}

#[test]
fn a_header_that_is_none_says_what_is_wrong() {
    let said = |test: &str, header: &str| fail(Case::new(test, header).command().arg("--check"));

    let unknown = said("unknown", "member_id,points,usable_trough\n");
    let other = said("other", "member_id,city\n");
    let twice = said("twice", "member_id,points,points\n");
    let missing = said("missing", "points,usable_through\n");
    let delimiter = said("delimiter", "member_id;points;usable_through\n");
    let empty = said("empty", "");

    assert!(
        unknown.contains("no column `usable_trough`; did you mean `usable_through`?"),
        "{unknown}"
    );
    assert!(other.contains("no column `city`; columns are `member_id`, `points`,"), "{other}");
    assert!(twice.contains("the column `points` is there twice"), "{twice}");
    assert!(missing.contains("the column `member_id` is missing"), "{missing}");
    assert!(delimiter.contains("columns are separated by commas"), "{delimiter}");
    assert!(empty.contains("the first row must name the columns"), "{empty}");
}

#[test]
fn a_check_fails_where_anything_is_wrong_and_writes_nothing() {
    let right = Case::new("right", format!("{HEADER}a,5,2026-12-31,,,,,,,\n"));
    let wrong = Case::new("wrong", format!("{HEADER}a,5,2026-12-31,,,,,,,\nb,5,,,,,,,,\n"));

    succeed(right.command().arg("--check"));
    let output = wrong.command().arg("--check").output().unwrap();

    assert!(!output.status.success());
    let report = String::from_utf8(output.stdout).unwrap();
    assert_eq!(mistakes(&report).len(), 1, "{report}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("1 mistake, so that 1 member would be left out"), "{said}");
    let files = fs::read_dir(&wrong.folder).unwrap().count();
    assert_eq!(files, 1, "only the balances are there");
}

#[test]
fn nothing_is_done_by_half() {
    let case = Case::new("half", format!("{HEADER}a,5,2026-12-31,,,,,,,\n"));
    let over_itself =
        case.command().args(["--events-out".into(), case.path("balances.csv")]).output();
    let mut future = loyalty();
    future
        .arg("opening-balances")
        .arg(case.path("balances.csv"))
        .args(["--program".into(), repository("infra/programs/retail-a.toml")])
        .args(["--check", "--opened-at"]);

    assert!(fail(&mut case.command()).contains("say what to do: --check"));
    assert!(!over_itself.unwrap().status.success());
    assert_eq!(fs::read_to_string(case.path("balances.csv")).unwrap().lines().count(), 2);
    assert!(fail(future.arg("2199-01-01")).contains("must not be to come"));
}

/// An order of a member, as a shop sends it.
fn order(id: &str, member: &str, paid_at: &str, minor: u64) -> String {
    format!(
        r#"{{"type":"order.paid","order_id":"{id}","member_id":"{member}","paid_at":"{paid_at}","currency":"GBP","lines":[{{"id":"1","sku":"A","quantity":1,"amount_minor":{minor}}}]}}"#
    )
}

#[test]
fn a_file_that_is_brought_again_on_another_day_changes_nothing_and_adds_whom_it_mended() {
    let wrong = Case::new("again", format!("{HEADER}a,5,2026-12-31,,,,,,,\nb,6,,,,,,,,\n"));
    let right = Case::new(
        "again-mended",
        format!("{HEADER}a,5,2026-12-31,,,,,,,\nb,6,2026-12-31,,,,,,,\n"),
    );

    let (_, first) = wrong.brought();
    let (_, second) = right.brought();
    let later = second.replace("2026-06-30T23:00:00Z", "2026-07-05T12:00:00Z");
    let (report, accounts) = right.simulated("infra/programs/retail-a.toml", &(first + &later));

    assert!(report.contains("2 opening balances brought from another system"), "{report}");
    assert!(report.contains("1 repeated, which changes nothing"), "{report}");
    let accounts: Vec<&str> = accounts.lines().skip(1).collect();
    assert_eq!(accounts, ["a,bronze,5,0,0,0,0,0,,0,0", "b,bronze,6,0,0,0,0,0,,0,0"]);
}

#[test]
fn other_numbers_for_a_member_and_a_level_that_there_is_not_are_refused_by_name() {
    let case = Case::new("refused", format!("{HEADER}a,5,2026-12-31,,,gold,,,,\n"));
    let (_, event) = case.brought();

    let events = format!(
        "{}{event}{}",
        event.replace("gold", "golden"),
        event.replace("\"points\":5", "\"points\":50")
    );
    let (report, accounts) = case.simulated("infra/programs/retail-a.toml", &events);

    let refused = "line 1: the opening balance of member a: the program has no level golden";
    assert!(report.contains(refused), "{report}");
    assert!(
        report.contains("line 3: the opening balance of member a had other content"),
        "{report}"
    );
    assert!(accounts.contains("\na,gold,5,0,0,"), "{accounts}");
}

#[test]
fn balances_come_beside_orders_whichever_is_first() {
    let case = Case::new(
        "beside-orders",
        format!(
            "{HEADER}early,100,2026-12-31,,20,,,2026-05,30,1\nlate,100,2026-12-31,,20,,,2026-05,30,1\n"
        ),
    );
    let (_, opened) = case.brought();
    let opened: Vec<&str> = opened.lines().collect();
    let events = [
        order("1", "early", "2026-06-01T12:00:00Z", 50_000),
        opened[0].to_owned(),
        opened[1].to_owned(),
        order("2", "late", "2026-07-02T12:00:00Z", 50_000),
    ];

    let (_, accounts) = case.simulated("infra/programs/retail-a.toml", &events.join("\n"));

    // As of the 3rd, the later order's 500 points are on their way; the earlier one's are there.
    let accounts: Vec<&str> = accounts.lines().skip(1).collect();
    assert_eq!(accounts.len(), 2);
    assert!(accounts[0].starts_with("early,"), "{accounts:?}");
    assert!(accounts[0].contains(",580,0,0,500,0,0,"), "{accounts:?}");
    assert!(accounts[1].contains(",80,500,0,500,0,0,"), "{accounts:?}");
    assert!(accounts.iter().all(|it| it.ends_with(",53000,2")), "{accounts:?}");
}

#[test]
fn a_file_of_ten_thousand_members_comes_to_what_it_says() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |limit: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % limit
    };
    let mut file = HEADER.to_owned();
    let mut expected = Vec::new();
    for number in 0..10_000 {
        let (mut usable, mut pending, mut expired) = (0, 0, 0);
        for _ in 0..=below(4) {
            let (points, day) = (below(500) + 1, below(28) + 1);
            match below(4) {
                0 => {
                    pending += points;
                    writeln!(file, "m{number:05},{points},,2026-08-{day:02},,,,,,").unwrap();
                }
                1 => {
                    expired += points;
                    writeln!(file, "m{number:05},{points},2026-06-{day:02},,,,,,,").unwrap();
                }
                _ => {
                    usable += points;
                    writeln!(file, "m{number:05},{points},2026-12-{day:02},,,,,,,").unwrap();
                }
            }
        }
        let debt = if below(5) == 0 { below(600) } else { 0 };
        if debt > 0 {
            writeln!(file, "m{number:05},,,,{debt},,,,,").unwrap();
        }
        let paid = debt.min(usable);
        let (available, owed) = (usable - paid, debt - paid);
        let account =
            format!("m{number:05},bronze,{available},{pending},{owed},0,0,{expired},,0,0");
        expected.push(account);
    }
    let case = Case::new("many", file);

    let (report, events) = case.brought();
    let (_, accounts) = case.simulated("infra/programs/retail-a.toml", &events);

    assert!(report.contains("10,000  members bring a balance"), "{report}");
    assert_eq!(mistakes(&report).len(), 0, "{report}");
    let differing = accounts.lines().skip(1).zip(&expected).find(|(a, b)| a != b);
    assert_eq!(differing, None);
    assert_eq!(accounts.lines().count(), expected.len() + 1);
}

#[test]
fn the_example_is_the_layout_that_the_help_describes() {
    let help = succeed(loyalty().args(["opening-balances", "--help"]));
    let example = fs::read_to_string(repository("infra/imports/opening-balances.csv")).unwrap();

    let described: Vec<&str> = help
        .lines()
        .skip_while(|it| !it.contains("one for each lot"))
        .filter_map(|it| it.strip_prefix("  "))
        .filter_map(|it| it.split("  ").next())
        .collect();

    assert_eq!(described, example.lines().next().unwrap().split(',').collect::<Vec<_>>());
}
