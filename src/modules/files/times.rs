//! Access and modification times as options: `preserve`, `now`, or a time in a format of the user's.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::system::{Failure, Result, System};

/// What a time is to become.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stamp {
    Keep,
    Now,
    At(SystemTime),
}

/// Both times of a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stamps {
    pub accessed: Stamp,
    pub modified: Stamp,
}

impl Stamp {
    /// Reads an option; the format is `strptime`'s, the time is local.
    pub fn parse(text: &str, format: &str) -> Result<Stamp> {
        match text {
            "preserve" => Ok(Stamp::Keep),
            "now" => Ok(Stamp::Now),
            _ => {
                let refused =
                    |why: String| Failure::new(format!("Error while obtaining timestamp for time {text} using format {format}: {why}"));
                let parsed = jiff::fmt::strtime::parse(format, text).map_err(|error| refused(error.to_string()))?;
                let civil = parsed.to_datetime().or_else(|_| parsed.to_date().map(|date| date.at(0, 0, 0, 0)));
                let civil = civil.map_err(|error| refused(error.to_string()))?;
                let local = civil.to_zoned(jiff::tz::TimeZone::system()).map_err(|error| refused(error.to_string()))?;
                let seconds = u64::try_from(local.timestamp().as_second()).map_err(|_| refused("it is before 1970".into()))?;
                Ok(Stamp::At(UNIX_EPOCH + Duration::from_secs(seconds)))
            }
        }
    }

    fn wanted(self, current: SystemTime) -> SystemTime {
        match self {
            Stamp::Keep => current,
            Stamp::Now => SystemTime::now(),
            Stamp::At(time) => time,
        }
    }
}

impl Stamps {
    /// Sets the times of a path unless they are as asked already; `now` is always a change.
    pub fn apply(self, path: &Path, sys: &mut System) -> Result<()> {
        if self == (Stamps { accessed: Stamp::Keep, modified: Stamp::Keep }) {
            return Ok(());
        }
        let Some(found) = sys.query_link(path)? else { return Ok(()) };
        let (accessed, modified) = (self.accessed.wanted(found.accessed), self.modified.wanted(found.modified));
        if (accessed, modified) == (found.accessed, found.modified) {
            return Ok(());
        }
        sys.set_times(path, Some(accessed), Some(modified))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_by_its_format() {
        let Ok(Stamp::At(time)) = Stamp::parse("202001022300.30", "%Y%m%d%H%M.%S") else { panic!("is no time") };
        let Ok(Stamp::At(day)) = Stamp::parse("2020-01-02", "%Y-%m-%d") else { panic!("is no day") };
        assert_eq!(time.duration_since(day).expect("is later").as_secs(), 23 * 3600 + 30);
        let failure = Stamp::parse("yesterday", "%Y").expect_err("is refused");
        assert!(failure.message.contains("yesterday"), "{}", failure.message);
    }
}
