//! `now`: the date and the time.

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, Local};

use crate::error::{Error, Result};
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "now",
    chapter: Chapter::Files,
    signatures: &["now() -> string", "now(format) -> string"],
    summary: "The date and the time, in the machine's time zone.",
    details: "Without a format as ISO 8601 has it, to the second: 2024-05-17T09:30:00+02:00. The format is that of strftime: %Y-%m-%d for the \
              date, %H:%M:%S for the time, %j for the day of the year, %s for the seconds since 1970. Durations: let t = timestamp(); ... \
              t.elapsed is the number of seconds.",
    options: None,
    examples: &[Example { code: "matches(now(\"%Y-%m-%d\"), `^\\d{4}-\\d\\d-\\d\\d$`)", prints: "true" }],
    register: |word| {
        word.form(now);
    },
};

fn now(format: Option<String>) -> Result<String> {
    shown(Local::now(), &format.unwrap_or_else(|| "%Y-%m-%dT%H:%M:%S%:z".into()))
}

fn shown(time: DateTime<Local>, format: &str) -> Result<String> {
    // Showing a format with a mistake in it would panic.
    if StrftimeItems::new(format).any(|item| matches!(item, Item::Error)) {
        let message = format!("now: the format \"{format}\" has a % that strftime does not know");
        return Err(Error::argument(message).about_name(format).with_help("a percent sign itself is written %%"));
    }
    Ok(time.format(format).to_string())
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn formats_are_those_of_strftime() {
        let time = Local.with_ymd_and_hms(2024, 5, 17, 9, 30, 0).unwrap();
        assert_eq!(shown(time, "%Y-%m-%d %H:%M:%S %j").unwrap(), "2024-05-17 09:30:00 138");
        assert!(shown(time, "%Q!").is_err());
    }
}
