//! Python's two ways of putting values into text: `'%s' % value` and `'{}'.format(value)`.

use super::arguments::Arguments;
use super::data::Val;
use super::fault::{Fault, Outcome};
use super::methods::text::padded;
use super::number::{self, Number};
use super::operate;

/// How one value is written: `[[fill]align][sign][#][0][width][,][.precision][type]`.
#[derive(Default)]
struct Spec {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    zeros: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

/// `template % values`.
pub(crate) fn percent(template: &str, values: &Val) -> Outcome<String> {
    let mut positional = match values {
        Val::Tuple(items) => items.to_vec(),
        one => vec![one.clone()],
    }
    .into_iter();
    let mut out = String::with_capacity(template.len());
    let mut rest = template.chars().peekable();
    let mut used = false;
    while let Some(character) = rest.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        let mut key = None;
        if rest.next_if_eq(&'(').is_some() {
            key = Some(rest.by_ref().take_while(|c| *c != ')').collect::<String>());
        }
        let mut next = || positional.next().ok_or_else(|| Fault::failed("not enough values for the `%` format"));
        let mut spec = Spec::default();
        while let Some(flag) = rest.next_if(|c| "-+ #0".contains(*c)) {
            match flag {
                '-' => spec.align = Some('<'),
                '#' => spec.alternate = true,
                '0' => spec.zeros = true,
                sign => spec.sign = Some(sign),
            }
        }
        spec.width = match rest.next_if_eq(&'*') {
            Some(_) => number::whole(&next()?).and_then(|width| usize::try_from(width).ok()).unwrap_or(0),
            None => digits(&mut rest).unwrap_or(0),
        };
        if rest.next_if_eq(&'.').is_some() {
            spec.precision = Some(digits(&mut rest).unwrap_or(0));
        }
        while rest.next_if(|c| "lhL".contains(*c)).is_some() {}
        let kind = rest.next().ok_or_else(|| Fault::failed("the `%` format ends early"))?;
        if kind == '%' {
            out.push('%');
            continue;
        }
        used = true;
        let value = match &key {
            Some(key) => operate::subscript(values, &Val::str(key.as_str()))?
                .ok_or_else(|| Fault::failed(format!("the `%` format has no value for `{key}`")))?,
            None => next()?,
        };
        out.push_str(&percent_value(&value, kind, spec)?);
    }
    if positional.next().is_some() && !matches!(values, Val::Map(_)) && (used || !matches!(values, Val::List(_))) {
        return Err(Fault::failed("not all values were used by the `%` format"));
    }
    Ok(out)
}

fn percent_value(value: &Val, kind: char, mut spec: Spec) -> Outcome<String> {
    let text = match kind {
        's' => value.clone().present()?.text()?.to_string(),
        'r' | 'a' => value.repr()?,
        'c' => match value {
            Val::Int(code) => u32::try_from(*code).ok().and_then(char::from_u32).map(String::from).unwrap_or_default(),
            other => other.text()?.to_string(),
        },
        'd' | 'i' | 'u' | 'x' | 'X' | 'o' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
            let number =
                number::of(value).ok_or_else(|| Fault::failed(format!("`%{kind}` wants a number, not `{}`", value.type_name())))?;
            let number = match (kind, number) {
                ('d' | 'i' | 'u' | 'x' | 'X' | 'o', Number::Float(float)) => Number::Int(float.trunc() as i64),
                (_, number) => number,
            };
            spec.kind = Some(if matches!(kind, 'i' | 'u') { 'd' } else { kind });
            if spec.align.is_some() {
                spec.zeros = false;
            }
            return write_number(number, &spec);
        }
        other => return Err(Fault::failed(format!("`%{other}` is no format"))),
    };
    let text: String = match spec.precision {
        Some(length) => text.chars().take(length).collect(),
        None => text,
    };
    Ok(padded(&text, spec.width, ' ', if spec.align.is_some() { "ljust" } else { "rjust" }))
}

fn digits(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<usize> {
    let mut text = String::new();
    while let Some(digit) = rest.next_if(char::is_ascii_digit) {
        text.push(digit);
    }
    text.parse().ok()
}

/// `template.format(…)`.
pub(crate) fn braces(template: &str, arguments: &Arguments) -> Outcome<String> {
    let mut next = 0;
    braces_nested(template, arguments, &mut next, 0)
}

fn braces_nested(template: &str, arguments: &Arguments, next: &mut usize, depth: usize) -> Outcome<String> {
    let mut out = String::with_capacity(template.len());
    let mut rest = template.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '{' if rest.next_if_eq(&'{').is_some() => out.push('{'),
            '}' if rest.next_if_eq(&'}').is_some() => out.push('}'),
            '}' => return Err(Fault::failed("a single `}` stands in the format")),
            '{' => {
                let field = field(&mut rest)?;
                out.push_str(&replacement(&field, arguments, next, depth)?);
            }
            other => out.push(other),
        }
    }
    Ok(out)
}

fn field(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Outcome<String> {
    let mut field = String::new();
    let mut open = 0;
    for character in rest.by_ref() {
        match character {
            '}' if open == 0 => return Ok(field),
            '}' => open -= 1,
            '{' => open += 1,
            _ => {}
        }
        field.push(character);
    }
    Err(Fault::failed("a `{` of the format is not closed"))
}

fn replacement(field: &str, arguments: &Arguments, next: &mut usize, depth: usize) -> Outcome<String> {
    if depth > 2 {
        return Err(Fault::failed("the format is nested too deep"));
    }
    let (name, spec) = field.split_once(':').unwrap_or((field, ""));
    let (name, conversion) = name.split_once('!').unwrap_or((name, ""));
    let value = lookup(name, arguments, next)?.present()?;
    let spec = if spec.contains('{') { braces_nested(spec, arguments, next, depth + 1)? } else { spec.to_owned() };
    match conversion {
        "r" | "a" => write(&Val::str(value.repr()?), &spec),
        "s" => write(&Val::Str(value.text()?), &spec),
        _ => write(&value, &spec),
    }
}

fn lookup(name: &str, arguments: &Arguments, next: &mut usize) -> Outcome<Val> {
    let end = name.find(['.', '[']).unwrap_or(name.len());
    let (first, mut path) = name.split_at(end);
    let mut value = if first.is_empty() {
        *next += 1;
        arguments.positional.get(*next - 1).cloned()
    } else if let Ok(index) = first.parse::<usize>() {
        arguments.positional.get(index).cloned()
    } else {
        arguments.named.iter().find(|(known, _)| known.as_ref() == first).map(|(_, value)| value.clone())
    }
    .ok_or_else(|| Fault::failed(format!("the format has no value for `{{{first}}}`")))?;
    while !path.is_empty() {
        if let Some(rest) = path.strip_prefix('.') {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            // An attribute, never an entry: that is what `[…]` is for.
            value = match &value {
                Val::Object(object) => object.attribute(&rest[..end]),
                _ => None,
            }
            .ok_or_else(|| Fault::failed(format!("`{}` has no attribute `{}`", value.type_name(), &rest[..end])))?;
            path = &rest[end..];
        } else {
            let rest = &path[1..];
            let end = rest.find(']').ok_or_else(|| Fault::failed("a `[` of the format is not closed"))?;
            let key = rest[..end].parse::<i64>().map_or_else(|_| Val::str(&rest[..end]), Val::Int);
            value = operate::item(&value, &key)?;
            path = &rest[end + 1..];
        }
    }
    Ok(value)
}

/// `format(value, spec)`.
pub(crate) fn write(value: &Val, spec: &str) -> Outcome<String> {
    if spec.is_empty() {
        return Ok(value.text()?.to_string());
    }
    if let Val::Object(super::object::Object::Moment(moment)) = value {
        return super::methods::time::strftime(moment, spec);
    }
    let spec = parse(spec)?;
    match (number::of(value), value) {
        (Some(_), Val::Bool(_)) if spec.kind.is_none() => Ok(place(&value.text()?, &spec, '<')),
        (Some(number), _) if spec.kind != Some('s') => write_number(number, &spec),
        _ => {
            if let Some(kind) = spec.kind.filter(|kind| *kind != 's') {
                return Err(Fault::failed(format!("the format `{kind}` does not fit a `{}`", value.type_name())));
            }
            let text = value.text()?;
            let text: String = match spec.precision {
                Some(length) => text.chars().take(length).collect(),
                None => text.to_string(),
            };
            Ok(place(&text, &spec, '<'))
        }
    }
}

fn parse(text: &str) -> Outcome<Spec> {
    let mut spec = Spec::default();
    let characters: Vec<char> = text.chars().collect();
    let is_align = |c: Option<&char>| c.is_some_and(|c| "<>^=".contains(*c));
    let mut start = 0;
    if is_align(characters.get(1)) {
        (spec.fill, spec.align) = (Some(characters[0]), Some(characters[1]));
        start = 2;
    } else if is_align(characters.first()) {
        spec.align = Some(characters[0]);
        start = 1;
    }
    let rest: String = characters[start..].iter().collect();
    let mut rest = rest.chars().peekable();
    spec.sign = rest.next_if(|c| "+- ".contains(*c));
    spec.alternate = rest.next_if_eq(&'#').is_some();
    spec.zeros = rest.next_if_eq(&'0').is_some();
    spec.width = digits(&mut rest).unwrap_or(0);
    spec.grouping = rest.next_if(|c| ",_".contains(*c));
    if rest.next_if_eq(&'.').is_some() {
        spec.precision = Some(digits(&mut rest).unwrap_or(0));
    }
    spec.kind = rest.next();
    if rest.next().is_some() || spec.kind.is_some_and(|kind| !"bcdeEfFgGnosxX%".contains(kind)) {
        return Err(Fault::failed(format!("`{text}` is no format")));
    }
    Ok(spec)
}

fn place(text: &str, spec: &Spec, default: char) -> String {
    let how = match spec.align.unwrap_or(default) {
        '<' => "ljust",
        '^' => {
            // Unlike `center()`, a format puts the odd space on the right.
            let missing = spec.width.saturating_sub(text.chars().count());
            let fill = spec.fill.unwrap_or(' ');
            let side = |count: usize| std::iter::repeat_n(fill, count).collect::<String>();
            return format!("{}{text}{}", side(missing / 2), side(missing - missing / 2));
        }
        _ => "rjust",
    };
    padded(text, spec.width, spec.fill.unwrap_or(' '), how)
}

fn write_number(number: Number, spec: &Spec) -> Outcome<String> {
    let (negative, body) = match (number, spec.kind) {
        (Number::Int(whole), None | Some('d' | 'n')) => (whole < 0, whole.unsigned_abs().to_string()),
        (Number::Int(whole), Some('x')) => (whole < 0, format!("{}{:x}", if spec.alternate { "0x" } else { "" }, whole.unsigned_abs())),
        (Number::Int(whole), Some('X')) => (whole < 0, format!("{}{:X}", if spec.alternate { "0X" } else { "" }, whole.unsigned_abs())),
        (Number::Int(whole), Some('o')) => (whole < 0, format!("{}{:o}", if spec.alternate { "0o" } else { "" }, whole.unsigned_abs())),
        (Number::Int(whole), Some('b')) => (whole < 0, format!("{}{:b}", if spec.alternate { "0b" } else { "" }, whole.unsigned_abs())),
        (Number::Int(whole), Some('c')) => {
            (false, u32::try_from(whole).ok().and_then(char::from_u32).map(String::from).unwrap_or_default())
        }
        (number, kind) => (number.float().is_sign_negative(), float(number.float().abs(), kind, spec.precision)?),
    };
    let body = match spec.grouping {
        Some(separator) => group(&body, separator),
        None => body,
    };
    let sign = if negative { "-" } else { spec.sign.filter(|sign| *sign != '-').map_or("", |sign| if sign == '+' { "+" } else { " " }) };
    let inner_fill = match (spec.align, spec.zeros) {
        (Some('='), _) => Some(spec.fill.unwrap_or(' ')),
        (None, true) => Some('0'),
        _ => None,
    };
    if let Some(fill) = inner_fill {
        return Ok(format!("{sign}{}", padded(&body, spec.width.saturating_sub(sign.len()), fill, "rjust")));
    }
    Ok(place(&format!("{sign}{body}"), spec, '>'))
}

fn group(body: &str, separator: char) -> String {
    let end = body.find(['.', 'e', 'E', '%']).unwrap_or(body.len());
    let mut out = String::new();
    for (index, digit) in body[..end].chars().enumerate() {
        if index > 0 && (end - index).is_multiple_of(3) {
            out.push(separator);
        }
        out.push(digit);
    }
    out + &body[end..]
}

fn float(number: f64, kind: Option<char>, precision: Option<usize>) -> Outcome<String> {
    let digits = precision.unwrap_or(6);
    Ok(match kind {
        Some('f' | 'F') => format!("{number:.digits$}"),
        Some('%') => format!("{:.digits$}%", number * 100.0),
        Some('e') => exponent(number, digits),
        Some('E') => exponent(number, digits).to_uppercase(),
        Some('g') | Some('n') => general(number, digits),
        Some('G') => general(number, digits).to_uppercase(),
        None => match precision {
            Some(digits) => {
                let text = general(number, digits);
                if text.contains(['.', 'e', 'n']) { text } else { format!("{text}.0") }
            }
            None => Val::Float(number).repr()?,
        },
        Some(other) => return Err(Fault::failed(format!("the format `{other}` does not fit a float"))),
    })
}

fn exponent(number: f64, digits: usize) -> String {
    let text = format!("{number:.digits$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

fn general(number: f64, digits: usize) -> String {
    let digits = digits.max(1);
    let exponent_text = format!("{number:.*e}", digits - 1);
    let power: i32 = exponent_text.split_once('e').and_then(|(_, power)| power.parse().ok()).unwrap_or(0);
    if power < -4 || power >= digits as i32 {
        let text = exponent(number, digits - 1);
        let (mantissa, power) = text.split_once('e').unwrap_or((&text, "+00"));
        return format!("{}e{power}", trim_zeros(mantissa));
    }
    trim_zeros(&format!("{number:.*}", (digits as i32 - 1 - power).max(0) as usize)).to_owned()
}

fn trim_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(value: Val, spec: &str) -> String {
        write(&value, spec).ok().expect("formats")
    }

    #[test]
    fn format_specifications_are_pythons() {
        assert_eq!(formatted(Val::Int(42), "05d"), "00042");
        assert_eq!(formatted(Val::Int(-42), "+06d"), "-00042");
        assert_eq!(formatted(Val::Int(1_234_567), ","), "1,234,567");
        assert_eq!(formatted(Val::Float(1234.5), ".2f"), "1234.50");
        assert_eq!(formatted(Val::Float(0.25), ".1%"), "25.0%");
        assert_eq!(formatted(Val::Int(255), "#x"), "0xff");
        assert_eq!(formatted(Val::str("ab"), "*^5"), "*ab**");
        assert_eq!(formatted(Val::Float(1e20), "g"), "1e+20");
    }

    #[test]
    fn percent_takes_a_tuple_or_a_mapping() {
        let values = Val::tuple(vec![Val::str("a"), Val::Int(7)]);
        assert_eq!(percent("%s-%03d%%", &values).ok().as_deref(), Some("a-007%"));
        let mapping = Val::dict([("name", Val::str("x"))]);
        assert_eq!(percent("%(name)5s|", &mapping).ok().as_deref(), Some("    x|"));
        assert!(percent("%s %s", &Val::str("one")).is_err());
    }
}
