//! Values that a file may hold and that no calendar or clock has.

use polars::prelude::*;

use super::thrift::Checked;

/// Days from 1970 that can be printed: 246,000 years.
const MOST_DAYS: i64 = 90_000_000;

const SECONDS_PER_DAY: i64 = 86_400;

/// Errors: a date, time or duration that polars cannot print.
pub(super) fn check(series: &Series) -> Checked<()> {
    let inside = |least: i64, most: i64, what: &str| -> Checked<()> {
        let numbers = series.to_physical_repr().cast(&DataType::Int64).map_err(|e| e.to_string())?;
        let numbers = numbers.i64().map_err(|e| e.to_string())?;
        let found = numbers.min().zip(numbers.max()).filter(|&(min, max)| min < least || max > most);
        match found {
            Some((min, max)) => Err(format!("{} is no {what}", if min < least { min } else { max })),
            None => Ok(()),
        }
    };
    match series.dtype() {
        DataType::Date => inside(-MOST_DAYS, MOST_DAYS, "day of a calendar"),
        DataType::Datetime(unit, _) => {
            let most = MOST_DAYS.saturating_mul(SECONDS_PER_DAY).saturating_mul(per_second(*unit));
            inside(-most, most, "moment of a calendar")
        }
        DataType::Time => inside(0, SECONDS_PER_DAY * per_second(TimeUnit::Nanoseconds) - 1, "time of a day"),
        DataType::Duration(_) => inside(-i64::MAX, i64::MAX, "duration"),
        DataType::List(_) => {
            let lists = series.list().map_err(|e| e.to_string())?;
            check(&lists.get_inner())
        }
        DataType::Struct(_) => {
            let fields = series.struct_().map_err(|e| e.to_string())?.fields_as_series();
            fields.iter().try_for_each(check)
        }
        _ => Ok(()),
    }
}

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Nanoseconds => 1_000_000_000,
        TimeUnit::Microseconds => 1_000_000,
        TimeUnit::Milliseconds => 1_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_calendar_has_is_found() {
        let of =
            |values: &[Option<i64>], dtype: &DataType| check(&Series::new("x".into(), values).cast(dtype).unwrap());
        let days = |day: i64| {
            let column = Series::new("x".into(), [Some(0), Some(day as i32), None]);
            check(&column.cast(&DataType::Date).unwrap())
        };
        assert_eq!(days(20_000), Ok(()));
        assert_eq!(days(i32::MAX.into()).unwrap_err(), "2147483647 is no day of a calendar");
        assert!(days(i32::MIN.into()).is_err());
        let moment = DataType::Datetime(TimeUnit::Microseconds, None);
        assert_eq!(of(&[Some(1_700_000_000_000_000), None], &moment), Ok(()));
        assert!(of(&[Some(i64::MAX)], &moment).is_err());
        // Nanoseconds of 64 bits are all in a calendar.
        assert_eq!(of(&[Some(i64::MAX)], &DataType::Datetime(TimeUnit::Nanoseconds, None)), Ok(()));
    }
}
