//! What an unknown currency or time zone was most likely meant to be.

use loyalty_domain::money::Currency;

use crate::toml_reader::nearest;

/// What would be right instead of the currency `written`.
pub(crate) fn currency(written: &str) -> String {
    let sign = match written.trim() {
        "£" => Some("GBP"),
        "€" => Some("EUR"),
        "$" => Some("USD"),
        "¥" => Some("JPY"),
        _ => None,
    };
    let upper = written.trim().to_uppercase();
    let itself = Some(upper.as_str()).filter(|it| it.parse::<Currency>().is_ok());
    // Of a longer word the first letters are usually the code, as in EURO.
    let start = upper.get(..3).filter(|it| FREQUENT.contains(it));
    let near = sign.or(itself).or(start).or_else(|| nearest(&upper, FREQUENT));
    let three = "a currency is written as the three letters of ISO 4217";
    near.map_or_else(
        || format!("{three}, such as EUR"),
        |code| format!("did you mean `{code}`? {three}"),
    )
}

/// The currencies that most shops count in, the most frequent first. Among all codes of three letters one
/// letter off already fits several.
const FREQUENT: [&str; 20] = [
    "EUR", "USD", "GBP", "JPY", "CNY", "INR", "AUD", "CAD", "CHF", "SEK", "NOK", "DKK", "PLN",
    "CZK", "HUF", "BRL", "MXN", "KRW", "SGD", "NZD",
];

/// What would be right instead of the time zone `written`.
pub(crate) fn time_zone(written: &str) -> String {
    let zones: Vec<String> = jiff::tz::db().available().map(|it| it.to_string()).collect();
    let zones = || zones.iter().map(String::as_str).filter(|it| it.contains('/') || *it == "UTC");
    let plain = |text: &str| text.trim().to_lowercase().replace([' ', '-'], "_");
    let city = |zone: &str| zone.rsplit('/').next().map(plain);
    // A city without its continent, or with a wrong one.
    let same_city = zones().find(|it| city(it) == city(written));
    let near = same_city.or_else(|| nearest(written, zones()));
    let near_city = || zones().find(|it| nearest(written, it.rsplit('/').next()).is_some());
    let form = "a time zone is written as continent and city, such as `Europe/London`";
    near.or_else(near_city)
        .map_or_else(|| form.to_owned(), |zone| format!("did you mean `{zone}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_is_recognized_by_its_sign_its_beginning_or_its_letters() {
        for (written, code) in [
            ("£", "GBP"),
            ("EURO", "EUR"),
            ("gbp", "GBP"),
            ("US$", "USD"),
            ("GPB", "GBP"),
            ("isk", "ISK"),
        ] {
            assert!(currency(written).starts_with(&format!("did you mean `{code}`?")), "{written}");
        }
        assert!(currency("points").starts_with("a currency is written"));
    }

    #[test]
    fn a_time_zone_is_recognized_by_its_city_or_its_letters() {
        for (written, zone) in [
            ("London", "Europe/London"),
            ("Europe/Londn", "Europe/London"),
            ("America/Berlin", "Europe/Berlin"),
            ("new york", "America/New_York"),
        ] {
            assert_eq!(time_zone(written), format!("did you mean `{zone}`?"));
        }
        assert!(time_zone("the moon").starts_with("a time zone is written"));
    }
}
