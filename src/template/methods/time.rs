//! Points in time and spans of time: what `now()` and `to_datetime` give. Like Python's naive `datetime`, they have no zone.

use jiff::SignedDuration;
use jiff::civil::DateTime;

use super::super::arguments::Arguments;
use super::super::code::Operator;
use super::super::data::Val;
use super::super::fault::{Fault, Outcome};
use super::super::object::Object;
use super::super::operate;

pub(crate) const MOMENT_METHODS: [&str; 10] =
    ["strftime", "isoformat", "timestamp", "date", "time", "weekday", "isoweekday", "replace", "timetuple", "toordinal"];

/// A point in time without a zone, as YAML writes it. Dates alone and times of other zones are text here.
pub(crate) fn moment(text: &str) -> Option<DateTime> {
    let is_local = text.len() > "2020-01-01".len() && !text.ends_with(['Z', 'z']) && !text[10..].contains(['+', '-']);
    let text = text.split_whitespace().collect::<Vec<_>>().join("T");
    if is_local { text.parse().ok() } else { None }
}

/// Python's `strftime`, which leaves unknown directives as they are.
pub(crate) fn strftime(moment: &DateTime, format: &str) -> Outcome<String> {
    let zoned = moment.to_zoned(jiff::tz::TimeZone::system()).map_err(|error| Fault::failed(error.to_string()))?;
    strftime_zoned(&zoned, format)
}

pub(crate) fn strftime_zoned(zoned: &jiff::Zoned, format: &str) -> Outcome<String> {
    // `%s` and the rest are jiff's as they are C's; `%f` is microseconds with six digits in Python.
    let format = format.replace("%f", "%6f").replace("%c", "%a %b %e %H:%M:%S %Y").replace("%x", "%m/%d/%y").replace("%X", "%H:%M:%S");
    jiff::fmt::strtime::format(&format, zoned).map_err(|error| Fault::failed(format!("the time format is not understood: {error}")))
}

pub(crate) fn moment_field(moment: &DateTime, name: &str) -> Option<Val> {
    Some(Val::Int(match name {
        "year" => i64::from(moment.year()),
        "month" => i64::from(moment.month()),
        "day" => i64::from(moment.day()),
        "hour" => i64::from(moment.hour()),
        "minute" => i64::from(moment.minute()),
        "second" => i64::from(moment.second()),
        "microsecond" => i64::from(moment.subsec_nanosecond() / 1000),
        _ => return None,
    }))
}

pub(crate) fn duration_field(duration: &SignedDuration, name: &str) -> Option<Val> {
    let seconds = duration.as_secs();
    Some(Val::Int(match name {
        "days" => seconds.div_euclid(86_400),
        "seconds" => seconds.rem_euclid(86_400),
        "microseconds" => i64::from(duration.subsec_micros()),
        _ => return None,
    }))
}

fn fraction(moment: &DateTime) -> String {
    match moment.subsec_nanosecond() / 1000 {
        0 => String::new(),
        micros => format!(".{micros:06}"),
    }
}

pub(crate) fn moment_text(moment: &DateTime) -> String {
    format!("{}{}", moment.strftime("%Y-%m-%d %H:%M:%S"), fraction(moment))
}

fn isoformat(moment: &DateTime) -> String {
    format!("{}{}", moment.strftime("%Y-%m-%dT%H:%M:%S"), fraction(moment))
}

pub(crate) fn moment_repr(moment: &DateTime) -> String {
    let mut fields = vec![
        i64::from(moment.year()),
        i64::from(moment.month()),
        i64::from(moment.day()),
        i64::from(moment.hour()),
        i64::from(moment.minute()),
    ];
    let micros = i64::from(moment.subsec_nanosecond() / 1000);
    if moment.second() != 0 || micros != 0 {
        fields.push(i64::from(moment.second()));
    }
    if micros != 0 {
        fields.push(micros);
    }
    let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
    format!("datetime.datetime({})", fields.join(", "))
}

/// `3 days, 4:05:06`, as Python writes it.
pub(crate) fn duration_text(duration: &SignedDuration) -> String {
    let (days, rest) = (duration.as_secs().div_euclid(86_400), duration.as_secs().rem_euclid(86_400));
    let clock = format!("{}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    match days {
        0 => clock,
        1 | -1 => format!("{days} day, {clock}"),
        _ => format!("{days} days, {clock}"),
    }
}

pub(crate) fn call_moment(moment: &DateTime, name: &str, arguments: Arguments) -> Outcome<Val> {
    Ok(match name {
        "strftime" => Val::str(strftime(moment, &arguments.bind(["format"])?.text(0)?)?),
        "isoformat" => {
            let separator = arguments.bind(["sep"])?.text_or(0, "T")?;
            Val::str(isoformat(moment).replacen('T', &separator, 1))
        }
        "timestamp" => {
            let zoned = moment.to_zoned(jiff::tz::TimeZone::system()).map_err(|error| Fault::failed(error.to_string()))?;
            Val::Float(zoned.timestamp().as_microsecond() as f64 / 1e6)
        }
        "date" => Val::str(moment.date().to_string()),
        "time" => Val::str(format!("{}{}", moment.strftime("%H:%M:%S"), fraction(moment))),
        "weekday" => Val::Int(i64::from(moment.weekday().to_monday_zero_offset())),
        "isoweekday" => Val::Int(i64::from(moment.weekday().to_monday_one_offset())),
        "toordinal" => Val::Int(i64::from((moment.date() - jiff::civil::date(1, 1, 1)).get_days()) + 1),
        "replace" => return replace(moment, arguments),
        _ => {
            let fields = ["year", "month", "day", "hour", "minute", "second"];
            Val::tuple(fields.iter().filter_map(|field| moment_field(moment, field)).collect::<Vec<_>>())
        }
    })
}

fn replace(moment: &DateTime, arguments: Arguments) -> Outcome<Val> {
    let bound = arguments.bind(["year", "month", "day", "hour", "minute", "second", "microsecond"])?;
    let field = |index: usize, now: i64| bound.int_or(index, now);
    let built = DateTime::new(
        field(0, moment.year().into())? as i16,
        field(1, moment.month().into())? as i8,
        field(2, moment.day().into())? as i8,
        field(3, moment.hour().into())? as i8,
        field(4, moment.minute().into())? as i8,
        field(5, moment.second().into())? as i8,
        (field(6, i64::from(moment.subsec_nanosecond() / 1000))? * 1000) as i32,
    );
    built.map(|moment| Val::Object(Object::Moment(moment))).map_err(|error| Fault::failed(error.to_string()))
}

pub(crate) fn arithmetic(operator: Operator, left: &Object, right: &Object) -> Outcome<Val> {
    let refused = || operate::unsupported(operator, &Val::Object(left.clone()), &Val::Object(right.clone()));
    let moment = |moment: Result<DateTime, jiff::Error>| {
        moment.map(|moment| Val::Object(Object::Moment(moment))).map_err(|error| Fault::failed(error.to_string()))
    };
    match (operator, left, right) {
        (Operator::Subtract, Object::Moment(left), Object::Moment(right)) => Ok(Val::Object(Object::Duration(left.duration_since(*right)))),
        (Operator::Subtract, Object::Moment(left), Object::Duration(right)) => moment(left.checked_sub(*right)),
        (Operator::Add, Object::Moment(left), Object::Duration(right)) | (Operator::Add, Object::Duration(right), Object::Moment(left)) => {
            moment(left.checked_add(*right))
        }
        (Operator::Add, Object::Duration(left), Object::Duration(right)) => Ok(Val::Object(Object::Duration(*left + *right))),
        (Operator::Subtract, Object::Duration(left), Object::Duration(right)) => Ok(Val::Object(Object::Duration(*left - *right))),
        _ => Err(refused()),
    }
}
