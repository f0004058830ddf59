//! Filters on time, sizes and chance.

use std::sync::Arc;

use jiff::civil::DateTime;

use super::super::arguments::Arguments;
use super::super::data::Val;
use super::super::fault::{Fault, Outcome};
use super::super::methods::time;
use super::super::number::{self, Number};
use super::super::object::Object;
use super::super::random::Random;
use super::super::scope::Scope;
use super::{Filter, filter};

pub(crate) const FILTERS: &[Filter] = &[
    filter("strftime", strftime),
    filter("to_datetime", to_datetime),
    filter("human_readable", human_readable),
    filter("human_to_bytes", human_to_bytes),
    filter("random", random),
    filter("shuffle", shuffle),
];

fn strftime(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["string_format", "second", "utc"])?;
    let moment = match bound.some(1) {
        None => jiff::Timestamp::now(),
        Some(second) => {
            let seconds = match second {
                Val::Str(text) => number::parse_float(text),
                other => number::of(other).map(Number::float),
            };
            let seconds = seconds.ok_or_else(|| Fault::failed(format!("{} is no number of seconds", second.repr().unwrap_or_default())))?;
            jiff::Timestamp::from_second(seconds.floor() as i64).map_err(|error| Fault::failed(error.to_string()))?
        }
    };
    let zone = if bound.flag(2, false)? { jiff::tz::TimeZone::UTC } else { jiff::tz::TimeZone::system() };
    time::strftime_zoned(&moment.to_zoned(zone), &bound.text(0)?).map(Val::str)
}

fn to_datetime(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["string", "format"])?;
    let (text, format) = (bound.text(0)?, bound.text_or(1, "%Y-%m-%d %H:%M:%S")?);
    let refused = |error: jiff::Error| Fault::failed(format!("`{text}` does not fit the format `{format}`: {error}"));
    let parsed = jiff::fmt::strtime::parse(format.as_ref(), text.as_ref()).map_err(refused)?;
    // A date alone is its midnight; a time alone is of the year 1900.
    let moment =
        parsed.to_datetime().or_else(|_| parsed.to_date().map(|date| date.to_datetime(jiff::civil::Time::midnight()))).or_else(|error| {
            let date = jiff::civil::date(parsed.year().unwrap_or(1900), parsed.month().unwrap_or(1), parsed.day().unwrap_or(1));
            let clock = jiff::civil::Time::new(parsed.hour().unwrap_or(0), parsed.minute().unwrap_or(0), parsed.second().unwrap_or(0), 0);
            clock.map(|clock| DateTime::from_parts(date, clock)).map_err(|_| error)
        });
    moment.map(|moment| Val::Object(Object::Moment(moment))).map_err(refused)
}

const SIZES: [(char, u32); 9] = [('Y', 80), ('Z', 70), ('E', 60), ('P', 50), ('T', 40), ('G', 30), ('M', 20), ('K', 10), ('B', 0)];

fn limit(power: u32) -> f64 {
    2f64.powi(power as i32)
}

fn human_readable(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["size", "isbits", "unit"])?;
    let value = bound.required(0)?;
    let size = number::of(value)
        .ok_or_else(|| Fault::failed(format!("human_readable() failed on bad input: a number is expected, not `{}`", value.type_name())))?
        .float();
    let unit = bound.some_text(2)?.map(|unit| unit.to_uppercase());
    let found = SIZES.iter().find(|(letter, power)| match &unit {
        None => size >= limit(*power),
        Some(unit) => unit.chars().eq([*letter]),
    });
    let (letter, power) = found.copied().unwrap_or(('B', 0));
    let base = if bound.flag(1, false)? { "bits" } else { "Bytes" };
    let suffix = if power == 0 { base.to_owned() } else { format!("{letter}{}", &base[..1]) };
    Ok(Val::str(format!("{:.2} {suffix}", size / limit(power))))
}

fn human_to_bytes(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["size", "default_unit", "isbits"])?;
    let text = bound.text(0)?;
    let bits = bound.flag(2, false)?;
    let refused = || Fault::failed(format!("`{text}` is no size such as `10M` or `1.5 GB`"));
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let size: f64 = digits.parse().map_err(|_| refused())?;
    let unit = match unit.trim() {
        "" => bound.some_text(1)?.map(|unit| unit.to_string()),
        unit if unit.chars().all(|c| c.is_ascii_alphabetic()) => Some(unit.to_owned()),
        _ => return Err(refused()),
    };
    let Some(unit) = unit else {
        return Ok(Val::Int(size.round_ties_even() as i64));
    };
    let first = unit.chars().next().map_or('B', |c| c.to_ascii_uppercase());
    let (_, power) = SIZES.iter().find(|(letter, _)| *letter == first).copied().ok_or_else(refused)?;
    if unit.len() > 1 && !unit_fits(&unit, first, bits) {
        return Err(refused().help(format!(
            "with `isbits={}` the unit ends in `{}`",
            if bits { "True" } else { "False" },
            if bits { "b" } else { "B" }
        )));
    }
    Ok(Val::Int((size * limit(power)).round_ties_even() as i64))
}

fn unit_fits(unit: &str, first: char, bits: bool) -> bool {
    let prefix = match first {
        'K' => "kilo",
        'M' => "mega",
        'G' => "giga",
        'T' => "tera",
        'P' => "peta",
        'E' => "exa",
        'Z' => "zetta",
        'Y' => "yotta",
        _ => "",
    };
    let long = format!("{prefix}{}", if bits { "bit" } else { "byte" });
    unit.eq_ignore_ascii_case(&long) || (first != 'B' && unit == format!("{first}{}", if bits { 'b' } else { 'B' }))
}

/// The generator of a seed: the same numbers as ansible-core gives for it.
fn generator(seed: Option<&Val>) -> Outcome<Random> {
    match seed {
        None => Ok(Random::fresh()),
        Some(Val::Str(text)) => Ok(Random::of_text(text)),
        Some(other) => match number::of(other) {
            Some(Number::Int(number)) => Ok(Random::of_int(number)),
            _ => Ok(Random::of_text(&other.text()?)),
        },
    }
}

fn random(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["end", "start", "step", "seed"])?;
    let mut generator = generator(bound.some(3))?;
    let (start, step) = (bound.int_or(1, 0)?, bound.int_or(2, 0)?);
    match bound.required(0)? {
        Val::Int(end) => {
            let step = if step == 0 { 1 } else { step };
            let span = end.checked_sub(start).ok_or_else(number::overflow)?;
            let count = if step > 0 { (span + step - 1).div_euclid(step) } else { (span + step + 1).div_euclid(step) };
            if count <= 0 {
                return Err(Fault::failed(format!("there is no number from {start} to below {end}")));
            }
            Ok(Val::Int(start + step * generator.below(count as u64) as i64))
        }
        value => {
            if start != 0 || step != 0 {
                return Err(Fault::failed("`start` and `step` go with a whole number only"));
            }
            let items = value.iterate()?;
            if items.is_empty() {
                return Err(Fault::failed("nothing can be chosen from an empty list"));
            }
            Ok(items[generator.below(items.len() as u64) as usize].clone())
        }
    }
}

fn shuffle(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["mylist", "seed"])?;
    let seed = match bound.some(1) {
        Some(seed) if seed.truth()? => Some(seed),
        _ => None,
    };
    let mut generator = generator(seed)?;
    let mut items = match bound.required(0)?.iterate() {
        Ok(items) => items,
        Err(_) => return Ok(bound.required(0)?.clone()),
    };
    for index in (1..items.len()).rev() {
        items.swap(index, generator.below(index as u64 + 1) as usize);
    }
    Ok(Val::list(items))
}
