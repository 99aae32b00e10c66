//! Members who bring each other, in a simulation: whose code is whose, when both sides get what, and what it costs.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::PathBuf, process::Command};

use loyalty_tests_simulate::{fail, loyalty, scratch, succeed};

const MAP: &str = r#"
[file]
time_zone = "Europe/London"
time_format = "%Y-%m-%d %H:%M"
currency = "GBP"
[documents]
order = '^[0-9]+$'
return = '^C'
[columns]
document = "Invoice"
member = "Customer"
time = "Time"
sku = "SKU"
quantity = "Quantity"
price = "Price"
referral_code = "Code"
"#;

const PROGRAM: &str = r#"
name = "Friends"
version = 1
effective = 2026-01-01
currency = "GBP"
time_zone = "Europe/London"
point_value = 0.01

[earning]
points_per_unit = 1
expiry_months = 12

[[tiers.levels]]
id = "member"
name = "Member"

[enrollment]
points = 10

[referral]
friend_points = 200
referrer_points = 500
window_days = 14
min_amount = 20.00

[[referral.milestones]]
friends = 1
points = 50

[[referral.caps]]
period = "year"
points = 1000

[referral.velocity]
period = "month"
friends = 2
"#;

/// `anna` has a code and no order; nobody has that of `eva`, and what `gil` names is none.
const ORDERS: &str = "\
Invoice,SKU,Quantity,Time,Price,Customer,Code
1,A,1,2026-01-05 10:00,25.00,bea,ab1c0 def10
1,B,1,2026-01-05 10:00,5.00,bea,
2,A,1,2026-01-05 11:00,25.00,cleo,AB1C0-DEF1O
3,A,1,2026-01-05 12:00,25.00,dan,AB1C0-DEF10
4,A,1,2026-01-05 13:00,25.00,eva,ZZZZZ-ZZZZZ
5,A,1,2026-01-05 14:00,19.99,fin,AB1C0-DEF10
6,A,1,2026-01-05 15:00,25.00,gil,my friend anna
7,A,1,2026-01-05 16:00,25.00,hal,
8,A,1,2026-01-06 16:00,25.00,hal,AB1C0-DEF10
9,A,1,2026-02-20 16:00,25.00,ida,AB1C0-DEF10
C1,A,-1,2026-02-01 10:00,25.00,cleo,
";

const CODES: &str = "member_id,code\nanna,AB1C0-DEF10\n";

struct Case {
    folder: PathBuf,
}

impl Case {
    fn new(test: &str, codes: &str) -> Self {
        let folder = scratch(test);
        fs::write(folder.join("map.toml"), MAP).unwrap();
        fs::write(folder.join("program.toml"), PROGRAM).unwrap();
        fs::write(folder.join("orders.csv"), ORDERS).unwrap();
        fs::write(folder.join("codes.csv"), codes).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn simulate(&self) -> Command {
        let mut command = loyalty();
        command
            .arg("simulate")
            .args(["--orders".into(), self.path("orders.csv")])
            .args(["--columns".into(), self.path("map.toml")])
            .args(["--program".into(), self.path("program.toml")])
            .args(["--members-out".into(), self.path("members.csv")])
            .args(["--as-of", "2026-03-01"]);
        command
    }

    fn with_codes(&self) -> Command {
        let mut command = self.simulate();
        command.args(["--codes".into(), self.path("codes.csv")]);
        command
    }

    /// By member: points available, and those for referrals.
    fn members(&self) -> Vec<String> {
        let members = fs::read_to_string(self.path("members.csv")).unwrap();
        let fields = |line: &str| {
            let fields: Vec<&str> = line.split(',').collect();
            [fields.first(), fields.get(2), fields.get(11)]
                .map(|it| it.unwrap().to_string())
                .join(" ")
        };
        members.lines().map(fields).collect()
    }
}

#[test]
fn friends_who_keep_their_orders_are_rewarded_with_whoever_brought_them() {
    let case = Case::new("referrals", CODES);

    let report = succeed(&mut case.with_codes());

    // Bea's was kept. Cleo's was, too, and came back later. Dan is the third of the month. Nobody has Eva's code, and
    // Gil's is none; Fin's order was too small; Hal was a customer; Ida's window is not over.
    let wanted = [
        "member_id available referral_points",
        "anna 560 550",
        "bea 240 200",
        "cleo 10 0",
        "dan 35 0",
        "eva 35 0",
        "fin 29 0",
        "gil 35 0",
        "hal 60 0",
        "ida 35 0",
    ];
    assert_eq!(case.members(), wanted);
    let section = report.split("Referrals\n").nth(1).unwrap();
    let lines: Vec<&str> = section.lines().take_while(|it| !it.is_empty()).map(str::trim).collect();
    let words = |line: &&str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = lines.iter().map(words).collect();
    assert_eq!(
        lines,
        [
            "1 rewarded",
            "2 pending: no order was kept long enough yet",
            "1 waiting for staff: more friends than are taken for natural",
            "1 revoked: the order came back later",
            "2 refused: nobody has this code",
            "1 refused: the friend was a customer before",
            "400 points for friends",
            "950 points for those who brought them",
            "50 points for milestones",
            "50 points cut off by limits",
            "650 points taken back",
            "They cost 7.50 GBP, at 0.01 GBP a point",
        ],
        "{report}"
    );
}

#[test]
fn nights_change_nothing_of_it() {
    let case = Case::new("referrals-nightly", CODES);

    let report = succeed(&mut case.with_codes());
    let members = case.members();
    let nightly = succeed(case.with_codes().arg("--nightly"));

    assert_eq!(nightly, report);
    assert_eq!(case.members(), members);
}

#[test]
fn events_of_orders_name_the_codes_and_come_to_the_same() {
    let case = Case::new("referrals-events", CODES);
    let events = case.path("events.jsonl");

    let report = succeed(case.with_codes().args(["--events-out".as_ref(), events.as_path()]));
    let members = case.members();
    let again = succeed(
        loyalty()
            .arg("simulate")
            .args(["--events".as_ref(), events.as_path()])
            .args(["--program".into(), case.path("program.toml")])
            .args(["--codes".into(), case.path("codes.csv")])
            .args(["--members-out".into(), case.path("members.csv")])
            .args(["--as-of", "2026-03-01"]),
    );

    assert_eq!(case.members(), members);
    let of = |report: &str| report.split("Referrals\n").nth(1).unwrap().to_owned();
    assert_eq!(of(&again), of(&report));
}

#[test]
fn without_codes_nobody_is_found_and_the_members_have_the_columns_that_they_had() {
    let case = Case::new("referrals-without-codes", CODES);

    let report = succeed(&mut case.simulate());

    assert!(report.contains("8  refused: nobody has this code"), "{report}");
    let members = fs::read_to_string(case.path("members.csv")).unwrap();
    assert!(members.starts_with(
        "member_id,tier,available,pending,debt,earned,clawed_back,expired,tier_valid_through,\
         qualifying_spend_minor,qualifying_orders\r\n"
    ));
    assert!(!members.contains("anna"));
}

#[test]
fn a_file_of_codes_that_is_none_says_where_and_never_says_a_code() {
    for (codes, wanted) in [
        ("", "the first row must be `member_id,code`"),
        ("code,member_id\n", "the first row must be `member_id,code`"),
        ("member_id,code\nanna\n", "line 2: has 1 fields where 2 are needed"),
        (
            "member_id,code\n,AB1C0-DEF10\n",
            "line 2: column `member_id`: a member id must not be empty",
        ),
        (
            "member_id,code\nanna,UNDERWAY10\n",
            "line 2: column `code`: a referral code has 10 letters and digits, without U",
        ),
        (
            "member_id,code\nanna,AB1C0-DEF10\nbea,ab1codefio\n",
            "line 3: another member has the same code",
        ),
    ] {
        let case = Case::new("referrals-wrong-codes", codes);

        let said = fail(&mut case.with_codes());

        assert!(said.contains(wanted), "{said}");
        assert!(!said.contains("DEF") && !said.contains("UNDERWAY"), "{said}");
    }
}
