//! The runs of a store as a listing shows them: read in one pass, with the notes beside them, and filtered.

use std::time::SystemTime;

use chrono::{DateTime, Duration, Local, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeZone, Utc};
use rayon::prelude::*;
use serde_json::Value;

use super::job::partition_size;
use crate::activity;
use crate::error::{Error, Result};
use crate::files::own;
use crate::runs::{Notes, Run, RunStore, Score, local, names};

crate::options! {
    /// Which runs a listing shows. Texts match a part of the column, whatever the case of their letters; all that are given must match.
    pub struct RunFilter {
        /// runs with this tag, in its whole length
        pub tag: Option<String> = None;
        /// a part of the name
        pub name: Option<String> = None;
        /// a part of the data set's name
        pub data: Option<String> = None;
        /// a part of the model: "resnet101", "q2l"
        pub model: Option<String> = None;
        /// made at this date or later, by the clock of this place: "2026-11-20", "2026-11-20 14:30"; or so long ago at most: "7d", "12h", "30m"
        pub since: Option<String> = None;
    }
}

/// A finished run.
#[derive(Clone, Debug)]
pub struct Overview {
    pub id: String,
    /// The newest that it was given.
    pub name: String,
    pub tags: Vec<String>,
    /// The data set's name. Of runs that are no trainings this and the next are unknown.
    pub data: Option<String>,
    /// `resnet101 + gap`.
    pub model: Option<String>,
    /// Of a teacher: the size of the partition that it is of.
    pub k: Option<i64>,
    pub labels: Option<i64>,
    pub epochs: Option<i64>,
    pub seed: Option<i64>,
    pub val_map: Option<f64>,
    /// On the test split of its data set, where it was evaluated there: on the most pictures, and of those the newest.
    pub test_map: Option<f64>,
    pub seconds: Option<f64>,
    /// When it was finished, as notes hold dates.
    pub date: String,
}

/// A run as it was found.
pub enum Listed {
    Good(Box<Overview>),
    /// It cannot be read.
    Damaged(String, Error),
}

/// The runs of a store that a filter keeps, oldest first, and those that cannot be read, by id, where nothing is filtered. `said` is told of runs
/// that can be read in part.
///
/// Errors: a date that cannot be read; Interrupted.
pub fn overview(store: &RunStore, filter: &RunFilter, said: impl Fn(&Error) + Sync) -> Result<Vec<Listed>> {
    let since = filter.since.as_deref().map(since).transpose()?;
    let (listing, notes) = (store.listing(), store.notes());
    let activity = activity::current();
    let read = |id: &String| -> Result<Option<Listed>> {
        activity.check()?;
        Ok(match listing.read(id) {
            None => None,
            Some(Err(error)) => Some(Listed::Damaged(id.clone(), error)),
            Some(Ok((run, summary, spec))) => {
                let spec = spec.unwrap_or_else(|error| {
                    said(&error);
                    Value::Null
                });
                Some(Listed::Good(Box::new(Overview::of(&run, &summary, &spec, &notes))))
            }
        })
    };
    let ids = listing.ids();
    let found: Vec<Option<Listed>> = ids.par_iter().map(read).collect::<Result<_>>()?;
    let (mut good, mut damaged) = (Vec::new(), Vec::new());
    for listed in found.into_iter().flatten() {
        match listed {
            Listed::Good(run) if filter.keeps(&run, since.as_deref()) => good.push(run),
            Listed::Good(_) => {}
            damaged_one => damaged.push(damaged_one),
        }
    }
    good.sort_by(|a, b| (&a.date, &a.id).cmp(&(&b.date, &b.id)));
    if *filter != RunFilter::default() {
        damaged.clear();
    }
    Ok(good.into_iter().map(Listed::Good).chain(damaged).collect())
}

impl Overview {
    fn of(run: &Run, summary: &Value, spec: &Value, notes: &Notes) -> Overview {
        let (name, tags) = names(&run.id, summary, &notes.named(&run.id));
        let options = &spec["options"];
        let data = spec["data"]["name"].as_str().map(str::to_string);
        let text = |value: &Value| value.as_str().map(str::to_string);
        let model = text(&options["model"]["backbone"])
            .map(|backbone| format!("{backbone} + {}", options["model"]["head"].as_str().unwrap_or("?")));
        let scores = notes.scores(&run.id);
        Overview {
            id: run.id.clone(),
            k: summary["name"].as_str().and_then(partition_size),
            labels: summary["labels"].as_i64(),
            epochs: summary["epochs"].as_i64(),
            seed: options["seed"].as_i64(),
            val_map: summary["val_mAP"].as_f64(),
            test_map: of_test(&scores, data.as_deref()).and_then(|score| score.map),
            seconds: summary["seconds"].as_f64(),
            date: date(run, summary),
            name,
            tags,
            data,
            model,
        }
    }

    /// Its date by the clock of this place.
    pub fn local_date(&self) -> String {
        local(&self.date)
    }
}

/// The score on the test split of a run's own data set: on the most pictures, and of those the newest.
pub fn of_test<'a>(scores: &'a [Score], data: Option<&str>) -> Option<&'a Score> {
    let own = scores.iter().filter(|score| score.split == "test" && Some(score.data.as_str()) == data);
    own.max_by(|a, b| (a.images, &a.date).cmp(&(b.images, &b.date)))
}

/// When a run was finished, as notes hold dates: from its summary, of an earlier version the time when that was written.
pub fn date(run: &Run, summary: &Value) -> String {
    if let Some(date) = summary["date"].as_str() {
        return date.to_string();
    }
    let at = own::modified(&run.path("summary.json")).unwrap_or(SystemTime::UNIX_EPOCH);
    DateTime::<Utc>::from(at).to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl RunFilter {
    fn keeps(&self, run: &Overview, since: Option<&str>) -> bool {
        let part = |wanted: &Option<String>, text: Option<&str>| match wanted {
            None => true,
            Some(wanted) => text.is_some_and(|text| text.to_lowercase().contains(&wanted.to_lowercase())),
        };
        self.tag.as_ref().is_none_or(|tag| run.tags.contains(tag))
            && part(&self.name, Some(&run.name))
            && part(&self.data, run.data.as_deref())
            && part(&self.model, run.model.as_deref())
            && since.is_none_or(|since| *run.date >= *since)
    }
}

/// The option `since` as notes hold dates.
fn since(text: &str) -> Result<String> {
    let text = text.trim();
    let local = |time: NaiveDateTime| Local.from_local_datetime(&time).earliest().map(|time| time.with_timezone(&Utc));
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|day| day.and_time(NaiveTime::MIN));
    let forms = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"];
    let exact = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let zoned = DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc));
    let time = day.or(exact).and_then(local).or(zoned).or_else(|| ago(text));
    match time {
        Some(time) => Ok(time.to_rfc3339_opts(SecondsFormat::Millis, true)),
        None => Err(Error::argument(format!(
            "option \"since\" must be a date as \"2026-11-20\" or \"2026-11-20 14:30\", or a time as \"7d\", \"12h\" or \"30m\"; got \"{text}\""
        ))
        .about_option("since")),
    }
}

fn ago(text: &str) -> Option<DateTime<Utc>> {
    let unit = text.chars().next_back()?;
    let number: i64 = text[..text.len() - unit.len_utf8()].parse().ok().filter(|n| *n >= 0)?;
    let span = match unit {
        'd' => Duration::try_days(number),
        'h' => Duration::try_hours(number),
        'm' => Duration::try_minutes(number),
        _ => None,
    };
    Utc::now().checked_sub_signed(span?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_ago_are_read_and_nothing_else() {
        for good in
            ["2026-11-20", "2026-11-20 14:30", "2026-11-20T14:30:05", "2026-11-20T14:30:05Z", "7d", "12h", "30m", "0d"]
        {
            assert!(since(good).is_ok(), "{good}");
        }
        for bad in
            ["", "yesterday", "2026-13-01", "7", "d", "-3d", "7w", "99999999999999999999d", "9223372036854775807d", "ä"]
        {
            let error = since(bad).unwrap_err();
            assert!(error.message.contains("option \"since\""), "{bad}: {}", error.message);
        }
        assert!(since("1d").unwrap() < since("1h").unwrap());
    }

    #[test]
    fn the_test_score_is_of_the_most_pictures_and_of_the_own_data_set() {
        let score = |data: &str, split: &str, images: usize, date: &str, map: f64| Score {
            data: data.into(),
            split: split.into(),
            images,
            fingerprint: String::new(),
            map: Some(map),
            cf1: None,
            of1: None,
            date: date.into(),
        };
        let scores = [
            score("a", "test", 10, "2026-01-03", 1.0),
            score("a", "test", 20, "2026-01-01", 2.0),
            score("a", "test", 20, "2026-01-02", 3.0),
            score("b", "test", 90, "2026-01-04", 4.0),
            score("a", "test_shifted", 90, "2026-01-05", 5.0),
        ];
        assert_eq!(of_test(&scores, Some("a")).and_then(|score| score.map), Some(3.0));
        assert_eq!(of_test(&scores, None), None);
    }
}
