//! Files of orders as shops have them: other layouts, and everything that may be wrong with them.
#![expect(clippy::unwrap_used, clippy::string_slice, reason = "a test may panic")]

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use flate2::{Compression, write::GzEncoder};
use loyalty_tests_simulate::{fail, loyalty, repository, scratch, succeed};

/// The usual columns; what a test cares about is written over them.
const MAP: &str = r#"
[file]
delimiter = ","
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
"#;

const HEADER: &str = "Invoice,SKU,Quantity,Time,Price,Customer\n";

/// A folder with a file of orders and its map.
struct Case {
    folder: PathBuf,
}

impl Case {
    fn new(test: &str, map: &str, orders: impl AsRef<[u8]>) -> Self {
        let folder = scratch(test);
        fs::write(folder.join("map.toml"), map).unwrap();
        fs::write(folder.join("orders.csv"), orders).unwrap();
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
            .args(["--program".into(), repository("infra/programs/retail-a.toml")])
            .args(["--members-out".into(), self.path("members.csv")])
            .args(["--rejected-out".into(), self.path("rejected.csv")]);
        command
    }

    /// The report and, by member, the points earned.
    fn earned(&self) -> (String, Vec<(String, String)>) {
        let report = succeed(&mut self.simulate());
        let members = fs::read_to_string(self.path("members.csv")).unwrap();
        let earned = members.lines().skip(1).map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            (fields.first().unwrap().to_string(), fields.get(5).unwrap().to_string())
        });
        (report, earned.collect())
    }
}

fn of(member: &str, points: &str) -> (String, String) {
    (member.to_owned(), points.to_owned())
}

fn gzip(path: &Path, bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(File::create(path).unwrap(), Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap();
    fs::read(path).unwrap()
}

#[test]
fn another_layout_needs_only_another_map() {
    let map = r#"
[file]
delimiter = ";"
decimal_point = ","
encoding = "windows-1252"
time_zone = "Europe/Berlin"
time_format = "%d.%m.%Y %H:%M"
currency = "EUR"
[documents]
order = '^B-'
return = '^R-'
returns_are_negative = false
[columns]
document = "Beleg"
member = "Kunde"
time = "Zeit"
sku = "Artikel"
quantity = "Menge"
amount = "Betrag"
currency = "W\u00e4hrung"
"#;
    let mut orders = b"Beleg;Artikel;Menge;Zeit;Betrag;Kunde;W\xe4hrung\r\n".to_vec();
    orders.extend_from_slice(b"B-1;T\xfcr;2;01.02.2026 10:00;30,50;k1;GBP\r\n");
    orders.extend_from_slice(b"B-2;Haus;1;01.02.2026 11:00;7,999;k2;GBP\r\n");
    orders.extend_from_slice(b"R-1;T\xfcr;1;02.02.2026 10:00;-15,25;k1;GBP\r\n");
    let case = Case::new("another-layout", map, orders);

    let (report, earned) = case.earned();

    // 30.50 less 15.25 of one piece; a tenth of a penny is no amount.
    assert_eq!(earned, [of("k1", "30")]);
    assert!(report.contains("1  return with a customer\n"), "{report}");
    assert!(report.contains("line 3: column `amount` has too many digits"), "{report}");
    let members = fs::read_to_string(case.path("members.csv")).unwrap();
    assert!(members.contains("k1,bronze,0,15,0,30,15,0,,1525,1"), "{members}");
}

#[test]
fn a_file_that_is_damaged_or_cut_off_is_no_shorter_file() {
    // One member of exactly what is read at a time, so that what is wrong comes at its end.
    let mut rows = HEADER.to_owned();
    while rows.len() < 262_144 {
        rows.push_str("1,A,1,2026-01-01 10:00,1.00,m1\n");
    }
    rows.truncate(262_144);
    let case = Case::new("damaged", MAP, "");
    let whole = gzip(&case.path("whole.gz"), rows.as_bytes());
    let mut damaged = whole.clone();
    let checksum = damaged.len() - 8;
    damaged[checksum] ^= 1;
    let mut second = whole.clone();
    second.extend_from_slice(&whole[..20]);

    for wrong in [&damaged, &whole[..whole.len() - 4].to_vec(), &second] {
        fs::write(case.path("orders.csv"), wrong).unwrap();

        let said = fail(&mut case.simulate());

        assert!(said.contains("cannot read "), "{said}");
    }
}

#[test]
fn no_file_is_written_over_another_one() {
    let orders = format!("{HEADER}1,A,1,2026-01-01 10:00,1.00,m1\n");
    let case = Case::new("same-file", MAP, &orders);
    let events_out = || {
        let mut command = case.simulate();
        command.args(["--events-out".into(), case.path("./orders.csv")]);
        command
    };
    let mut twice = case.simulate();
    twice.args(["--entries-out".into(), case.path("members.csv")]);

    let said = fail(&mut events_out());
    let said_of_twice = fail(&mut twice);

    assert!(said.contains("--orders and --events-out are the same file"), "{said}");
    assert!(
        said_of_twice.contains("--members-out and --entries-out are the same"),
        "{said_of_twice}"
    );
    assert_eq!(fs::read_to_string(case.path("orders.csv")).unwrap(), orders);
}

#[test]
fn a_member_id_that_is_none_makes_no_guest_and_takes_no_row_along() {
    let long = "x".repeat(129);
    let rows = format!(
        "{HEADER}1,A,1,2026-01-01 10:00,1.00,{long}\n2,A,1,2026-01-01 10:00,2.00,  \n\
         3,A,1,2026-01-01 10:00,3.00,{long}\n3,A,1,2026-01-01 10:00,4.00,m1\n"
    );
    let case = Case::new("wrong-member", MAP, rows);

    let (report, earned) = case.earned();

    assert_eq!(earned, [of("m1", "4")]);
    assert!(report.contains("1  guest order\n"), "{report}");
    assert!(report.contains("2  rejected rows"), "{report}");
    assert!(
        report.contains(
            "line 2: column `member`: a member id must have at most 128 bytes (and 1 line more)"
        ),
        "{report}"
    );
    let rejected = fs::read_to_string(case.path("rejected.csv")).unwrap();
    assert_eq!(rejected.lines().count(), 3, "{rejected}");
    assert!(rejected.contains("\r\n4,rejected,column `member`"), "{rejected}");
}

#[test]
fn a_row_with_a_field_too_many_is_not_read_with_its_columns_moved() {
    let rows =
        format!("{HEADER}1,A,1,2026-01-01 10:00,10,50,m1\n2,A,1,2026-01-01 10:00,7.00,m2,,\n");

    let (report, earned) = Case::new("too-many-fields", MAP, rows).earned();

    assert_eq!(earned, [of("m2", "7")]);
    assert!(report.contains("line 2: has 7 fields where the header has 6"), "{report}");
}

#[test]
fn times_have_the_offset_that_they_say() {
    let map = MAP.replace("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S%z");
    let rows = format!("{HEADER}1,A,1,2026-01-01T00:30:00+0530,1.00,m1\n");
    let case = Case::new("offset", &map, rows);

    succeed(case.simulate().args(["--events-out".into(), case.path("events.jsonl")]));

    let events = fs::read_to_string(case.path("events.jsonl")).unwrap();
    assert!(events.contains(r#""paid_at":"2025-12-31T19:00:00Z""#), "{events}");
}

#[test]
fn a_day_that_stands_for_none_costs_its_row_alone() {
    let rows = format!(
        "{HEADER}1,A,1,9999-12-31 00:00,1.00,m1\n2,A,1,1900-01-01 00:00,1.00,m2\n\
         3,A,1,2026-01-01 00:00,5.00,m3\n"
    );

    let (report, earned) = Case::new("far-away", MAP, rows).earned();

    assert_eq!(earned, [of("m3", "5")]);
    assert!(
        report.contains("line 2: column `time` is before 1970 or after 2199 (and 1 line more)"),
        "{report}"
    );
}

#[test]
fn a_part_of_the_file_that_is_there_twice_is_noticed() {
    let rows = "1,A,1,2026-01-01 10:00,1.00,m1\n2,A,1,2026-01-01 10:00,1.00,m1\n";

    let (report, _) = Case::new("twice", MAP, format!("{HEADER}{rows}{rows}")).earned();

    assert!(report.contains("2  documents have other rows between their rows"), "{report}");
}

#[test]
fn where_nothing_can_be_taken_the_report_says_why() {
    let map = MAP.replace("%Y-%m-%d %H:%M", "%d.%m.%Y");
    let rows = format!("{HEADER}{}", "1,A,1,2026-01-01 10:00,1.00,m1\n".repeat(9));
    let case = Case::new("nothing", &map, rows);

    let output = case.simulate().output().unwrap();

    let report = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(report.contains("9  rejected rows"), "{report}");
    assert!(report.contains("line 2: column `time` is not a time like `%d.%m.%Y`"), "{report}");
    assert!(said.contains("no order was taken"), "{said}");
}

#[test]
fn a_map_that_does_not_fit_the_file_says_what_may_be_meant() {
    let said = |test: &str, map: &str, header: &[u8]| {
        fail(&mut Case::new(test, map, [header, b"\n"].concat()).simulate())
    };

    let delimiter = said("delimiter", MAP, b"Invoice;SKU;Quantity;Time;Price;Customer");
    let case = said("case", MAP, b"Invoice,SKU,Quantity,Time,Price,customer");
    let repeated = said("repeated", MAP, b"Invoice,SKU,Quantity,Time,Price,Price,Customer");
    let encoding = said("encoding", MAP, b"Invoice,SKU,Quantity,Time,Pr\xefce,Customer");
    let format = said("format", &MAP.replace("%d", "%Q"), HEADER.as_bytes());
    let point = said("point", &MAP.replace("time_zone", "decimal_point = \"5\"\ntime_zone"), b"");

    assert!(delimiter.contains("is `delimiter = \";\"` missing in the column map?"), "{delimiter}");
    assert!(case.contains("no column `Customer`"), "{case}");
    assert!(case.contains("is `Customer` `customer`?"), "{case}");
    assert!(repeated.contains("two columns `Price`, columns 5 and 6 of it"), "{repeated}");
    assert!(encoding.contains("is the file's `encoding` missing"), "{encoding}");
    assert!(format.contains("by `%Y-%m-%Q %H:%M` no day and time can be read"), "{format}");
    assert!(point.contains("`decimal_point` must be no digit"), "{point}");
}

#[test]
fn a_day_is_written_as_a_day() {
    for wrong in ["yesterday", "2026-01-31T12:00", "31.01.2026", "9999-12-31", "2026-02-30"] {
        let said = fail(loyalty().args(["simulate", "--demo", "--as-of", wrong]));

        assert!(said.contains("write "), "{said}");
    }
}

#[test]
fn whoever_reads_only_the_beginning_gets_no_error() {
    let command = format!("{} simulate --demo | head -1", loyalty().get_program().display());

    let output = Command::new("sh").args(["-c", &command]).output().unwrap();

    assert_eq!(String::from_utf8(output.stdout).unwrap(), "Import of 5,874 rows\n");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn every_mistake_of_a_map_is_said_at_once_and_where_it_stands() {
    let map = r#"
[file]
delimiter = ";;"
encoding = "windows-1525"
time_zone = "Europe/Londn"
time_format = "%Y"
currencies = "GBP"
[documents]
order = '^[0-9+$'
[columns]
document = 7
member = "Customer"
time = "Time"
sku = "SKU"
price = "Price"
amount = "Total"
"#;

    let said = fail(&mut Case::new("wrong-map", map, HEADER).simulate());

    for (line, mistake) in [
        (3, "`delimiter` must be one ASCII character"),
        (4, "there is no encoding `windows-1525`"),
        (5, "there is no time zone `Europe/Londn`"),
        (6, "by `%Y` no day and time can be read"),
        (7, "there is no key `currencies` in `[file]`"),
        (9, "`order` is no regular expression: unclosed character class"),
        (11, "`document` must be a text in quotes"),
        (16, "the price is named already"),
    ] {
        let at = said.find(mistake).unwrap_or_else(|| panic!("{mistake}\n{said}"));
        let place = said[at..].lines().nth(1).unwrap();
        assert!(place.contains(&format!("map.toml:{line}:")), "{mistake}: {place}");
    }
    assert!(said.contains("did you mean `Europe/London`?"), "{said}");
    assert!(said.contains("did you mean `currency`?"), "{said}");
    assert!(said.contains("the key `quantity` is missing in `[columns]`"), "{said}");
    // The key that is missing is the one that was misspelled.
    assert!(said.contains("9 mistakes") || said.contains("10 mistakes"), "{said}");
}
