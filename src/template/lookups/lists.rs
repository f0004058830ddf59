//! Lookups that make lists of what they are given: `items`, `list`, `dict`, `nested`, `together`, `sequence`, `subelements`, `indexed_items`, `random_choice`.

use std::sync::Arc;

use super::super::data::Val;
use super::super::fault::{Fault, Outcome};
use super::super::filters::collections;
use super::super::random::Random;
use super::super::scope::Scope;
use super::super::{format, number};
use super::parameters;
use super::{Lookup, Options, lookup};

pub(crate) const LOOKUPS: &[Lookup] = &[
    lookup("items", |terms, _, _| flat(&terms)),
    lookup("flattened", |terms, _, _| collections::flattened(&terms, None, true)),
    lookup("list", |terms, _, _| Ok(terms)),
    lookup("dict", |terms, _, _| dict(&terms)),
    lookup("nested", |terms, _, _| nested(&terms)),
    lookup("cartesian", |terms, _, _| nested(&terms)),
    lookup("together", |terms, _, _| together(&terms)),
    lookup("indexed_items", |terms, _, _| {
        let items = flat(&terms)?.into_iter().enumerate();
        Ok(items.map(|(index, item)| Val::tuple(vec![Val::Int(index as i64), item])).collect())
    }),
    lookup("subelements", |terms, _, _| subelements(&terms)),
    lookup("random_choice", |terms, _, _| random_choice(terms)),
    lookup("sequence", sequence),
];

fn is_list(value: &Val) -> bool {
    matches!(value, Val::List(_) | Val::Tuple(_))
}

/// One level of lists taken away.
fn flat(terms: &[Val]) -> Outcome<Vec<Val>> {
    collections::flattened(terms, Some(1), false)
}

fn dict(terms: &[Val]) -> Outcome<Vec<Val>> {
    let mut items = Vec::new();
    for term in collections::flattened(terms, Some(1), false)? {
        let Val::Map(dict) = &term else {
            let got = term.text().unwrap_or_default();
            let kind = term.type_name();
            return Err(Fault::failed(format!("the `dict` lookup plugin expects a dictionary, got `{got}` of type `{kind}`")));
        };
        items.extend(dict.entries()?.into_iter().map(|(key, value)| Val::dict([("key", Val::from_key(&key)), ("value", value)])));
    }
    Ok(items)
}

fn columns(terms: &[Val]) -> Outcome<Vec<Vec<Val>>> {
    terms.iter().map(|term| if is_list(term) { flat(&term.iterate()?) } else { Ok(vec![term.clone()]) }).collect()
}

fn nested(terms: &[Val]) -> Outcome<Vec<Val>> {
    if terms.is_empty() {
        return Err(Fault::failed("with_nested requires at least one element in the nested list"));
    }
    Ok(collections::products(&columns(terms)?).into_iter().map(Val::list).collect())
}

fn together(terms: &[Val]) -> Outcome<Vec<Val>> {
    if terms.is_empty() {
        return Err(Fault::failed("with_together requires at least one element in each list"));
    }
    let columns = columns(terms)?;
    let length = columns.iter().map(Vec::len).max().unwrap_or(0);
    let row = |row: usize| columns.iter().map(|column| column.get(row).cloned().unwrap_or(Val::Null)).collect::<Vec<_>>();
    Ok((0..length).map(|index| Val::list(row(index))).collect())
}

/// The list or mapping, the path to the parts, and flags.
fn subelements(terms: &[Val]) -> Outcome<Vec<Val>> {
    let refused = |why: &str| Fault::failed(format!("subelements lookup expects a list of two or three items, {why}"));
    let [elements, path, rest @ ..] = terms else {
        return Err(refused(""));
    };
    if rest.len() > 1 {
        return Err(refused(""));
    }
    let (Val::Str(path), Val::List(_) | Val::Tuple(_) | Val::Map(_)) = (path, elements) else {
        return Err(refused("first a dict or a list, second a string pointing to the subkey"));
    };
    let skip_missing = match rest.first() {
        Some(Val::Map(flags)) if flags.keys().iter().all(|key| key.as_str() == Some("skip_missing")) => {
            flags.get(&"skip_missing".into())?.map_or(Ok(false), |flag| flag.truth())?
        }
        Some(_) => return Err(refused("the optional third item must be a dict with flags (`skip_missing`)")),
        None => false,
    };
    let is_skipped = |dict: &super::super::containers::Dict| matches!(dict.get(&"skipped".into()), Ok(Some(Val::Bool(true))));
    let elements = match elements {
        // A whole loop that was skipped.
        Val::Map(dict) if is_skipped(dict) => return Ok(Vec::new()),
        // An element that a loop skipped has no parts.
        Val::List(list) => Val::list(
            list.items()?
                .into_iter()
                .filter_map(|item| match &item {
                    Val::Map(dict) if matches!(dict.get(&"skipped".into()), Ok(Some(Val::Bool(true)))) => None,
                    _ => Some(item),
                })
                .collect(),
        ),
        other => other.clone(),
    };
    let path: Vec<String> = path.split('.').map(str::to_owned).collect();
    let pairs = collections::subelement_pairs(&elements, &path, skip_missing)?;
    Ok(pairs.into_iter().map(|(element, part)| Val::tuple(vec![element, part])).collect())
}

fn random_choice(terms: Vec<Val>) -> Outcome<Vec<Val>> {
    if terms.is_empty() {
        return Ok(Vec::new());
    }
    let index = Random::fresh().below(terms.len() as u64) as usize;
    Ok(vec![terms[index].clone()])
}

#[derive(Clone)]
struct Sequence {
    start: i64,
    end: Option<i64>,
    count: Option<i64>,
    stride: i64,
    format: String,
}

fn sequence(terms: Vec<Val>, options: Options, _: &Arc<Scope>) -> Outcome<Vec<Val>> {
    let mut usual = Sequence { start: 1, end: None, count: None, stride: 1, format: "%d".into() };
    for name in ["start", "end", "count", "stride", "format"] {
        if let Some(text) = options.text(name)? {
            usual.set(name, &text)?;
        }
    }
    let terms = if terms.is_empty() && (usual.end.is_some() || usual.count.is_some()) { vec![Val::str("")] } else { terms };
    let mut numbers = Vec::new();
    for term in terms {
        let text = term.text()?;
        let mut sequence = usual.clone();
        if !sequence.shortcut(&text)? {
            for (name, value) in parameters::parse(&text).1 {
                sequence.set(&name, &value)?;
            }
        }
        sequence.write(&mut numbers)?;
    }
    Ok(numbers)
}

impl Sequence {
    fn set(&mut self, name: &str, text: &str) -> Outcome<()> {
        if name == "format" {
            self.format = text.to_owned();
            return Ok(());
        }
        let number = number::parse_int(text, 0).or_else(|| number::parse_int(text, 10));
        let known = ["start", "end", "count", "stride", "format"];
        if !known.contains(&name) {
            return Err(Fault::failed(format!("unrecognized arguments to with_sequence: [`{name}`]")).did_you_mean(name, known));
        }
        let number = number.ok_or_else(|| Fault::failed(format!("`{name}` has an invalid value, which is no whole number: `{text}`")))?;
        match name {
            "start" => self.start = number,
            "end" => self.end = Some(number),
            "count" => self.count = Some(number),
            _ => self.stride = number,
        }
        Ok(())
    }

    /// `[start-]end[/stride][:format]`.
    fn shortcut(&mut self, text: &str) -> Outcome<bool> {
        let (numbers, format) = text.split_once(':').map_or((text, None), |(numbers, format)| (numbers, Some(format)));
        let (range, stride) = numbers.split_once('/').map_or((numbers, None), |(range, stride)| (range, Some(stride)));
        let split = range.char_indices().skip(1).find(|(_, c)| *c == '-').map(|(at, _)| at);
        let (start, end) = split.map_or((None, range), |at| (Some(&range[..at]), &range[at + 1..]));
        let is_number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_hexdigit() || c == 'x');
        let parse = |text: &str| number::parse_int(text, 0);
        let parts = start.into_iter().chain([end]).chain(stride);
        if let Some(wrong) = parts.clone().find(|part| parse(part).is_none()).filter(|_| parts.clone().all(is_number)) {
            return Err(Fault::failed(format!("`{text}` has an invalid value, which is no whole number: `{wrong}`")));
        }
        let (Some(end), start, stride) = (parse(end), start.map(parse), stride.map(parse)) else {
            return Ok(false);
        };
        if start == Some(None) || stride == Some(None) {
            return Ok(false);
        }
        self.end = Some(end);
        self.start = start.flatten().unwrap_or(self.start);
        self.stride = stride.flatten().unwrap_or(self.stride);
        if let Some(format) = format {
            self.format = format.to_owned();
        }
        Ok(true)
    }

    fn write(&self, out: &mut Vec<Val>) -> Outcome<()> {
        let end = match (self.count, self.end) {
            (None, None) => return Err(Fault::failed("must specify count or end in with_sequence")),
            (Some(_), Some(_)) => return Err(Fault::failed("can't specify both count and end in with_sequence")),
            (Some(0), None) => return Ok(()),
            (Some(count), None) => self.start + count * self.stride - 1,
            (None, Some(end)) => end,
        };
        if self.stride > 0 && end < self.start {
            return Err(Fault::failed("to count backwards make stride negative"));
        }
        if self.stride < 0 && end > self.start {
            return Err(Fault::failed("to count forward don't make stride negative"));
        }
        if self.stride == 0 {
            return Ok(());
        }
        if self.format.matches('%').count() != 1 {
            return Err(Fault::failed(format!("bad formatting string: {}", self.format)));
        }
        let mut number = self.start;
        while if self.stride > 0 { number <= end } else { number >= end } {
            out.push(Val::str(format::percent(&self.format, &Val::Int(number))?));
            number += self.stride;
        }
        Ok(())
    }
}
