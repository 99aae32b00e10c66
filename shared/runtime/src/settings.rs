//! Settings: read once, before the first message. There are no defaults.

use std::{str::FromStr, time::Duration};

/// What a function cannot start without is not there, or is something else.
///
/// Values are not quoted: some are secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// It is not set, or set to nothing.
    #[error("the setting {name} is missing")]
    Missing {
        /// The name of the environment's variable.
        name: &'static str,
    },
    /// It is set to something else.
    #[error("the setting {name} must be {expected}")]
    Invalid {
        /// The name of the environment's variable.
        name: &'static str,
        /// What it should be.
        expected: &'static str,
    },
}

/// The value of `name` in the environment of this process.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads it")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The text of the setting `name`.
///
/// # Errors
///
/// [`SettingError::Missing`]; only another deployment helps.
pub fn text(
    lookup: impl Fn(&str) -> Option<String>,
    name: &'static str,
) -> Result<String, SettingError> {
    lookup(name).filter(|it| !it.is_empty()).ok_or(SettingError::Missing { name })
}

/// The setting `name`, which is `expected`.
///
/// # Errors
///
/// A [`SettingError`]; only another deployment helps.
pub fn parse<T: FromStr>(
    lookup: impl Fn(&str) -> Option<String>,
    name: &'static str,
    expected: &'static str,
) -> Result<T, SettingError> {
    text(lookup, name)?.parse().map_err(|_| SettingError::Invalid { name, expected })
}

/// Where points are kept, and how long to wait for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// `LEDGER_TABLE_NAME`: the table of accounts and entries.
    pub ledger_table_name: String,
    /// `PROGRAM_TABLE_NAME`: the table of the program's versions, and of stock and budgets.
    pub program_table_name: String,
    /// `STORE_TIMEOUT_MS`: how long one call of the store may take, retries included.
    pub store_timeout: Duration,
    /// `PROGRAM_CACHE_S`: for how long versions of the program are not read again. A version that comes
    /// into force sooner after it was published may be overlooked.
    pub program_cache: Duration,
}

impl StoreSettings {
    /// Reads the settings through `lookup`, so that tests need not change the environment.
    ///
    /// # Errors
    ///
    /// The first [`SettingError`] in the order of the fields.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingError> {
        Ok(Self {
            ledger_table_name: text(&lookup, "LEDGER_TABLE_NAME")?,
            program_table_name: text(&lookup, "PROGRAM_TABLE_NAME")?,
            store_timeout: Duration::from_millis(parse(
                &lookup,
                "STORE_TIMEOUT_MS",
                "a whole number of milliseconds",
            )?),
            program_cache: Duration::from_secs(parse(
                &lookup,
                "PROGRAM_CACHE_S",
                "a whole number of seconds",
            )?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(&str, &str); 4] = [
        ("LEDGER_TABLE_NAME", "ledger"),
        ("PROGRAM_TABLE_NAME", "program"),
        ("STORE_TIMEOUT_MS", "5000"),
        ("PROGRAM_CACHE_S", "60"),
    ];

    fn read(
        change: impl Fn(&str, &'static str) -> Option<&'static str>,
    ) -> Result<StoreSettings, SettingError> {
        StoreSettings::from_lookup(|name| {
            let (name, value) = ALL.into_iter().find(|(it, _)| *it == name)?;
            change(name, value).map(ToOwned::to_owned)
        })
    }

    #[test]
    fn all_settings_are_read_in_their_units() {
        let settings = read(|_, value| Some(value)).unwrap();

        assert_eq!(settings.store_timeout, Duration::from_secs(5));
        assert_eq!(settings.program_cache, Duration::from_mins(1));
        assert_eq!(settings.program_table_name, "program");
    }

    #[test]
    fn every_setting_that_is_missing_or_empty_stops_the_start() {
        for (left_out, _) in ALL {
            for nothing in [None, Some("")] {
                let result =
                    read(|name, value| if name == left_out { nothing } else { Some(value) });

                assert_eq!(result, Err(SettingError::Missing { name: left_out }));
            }
        }
    }

    #[test]
    fn a_wrong_setting_is_named_and_not_quoted() {
        let result =
            read(|name, value| Some(if name == "STORE_TIMEOUT_MS" { "5s" } else { value }));

        let text = result.unwrap_err().to_string();
        assert_eq!(text, "the setting STORE_TIMEOUT_MS must be a whole number of milliseconds");
    }
}
