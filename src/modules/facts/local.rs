//! The host's own facts: `*.fact` files that hold JSON or ini, or are programs that print either.

use std::path::Path;

use crate::base::{Map, Value};
use crate::system::Command;

use super::reader::Reader;

pub fn collect(host: &Reader, folder: &str, facts: &mut Map, warnings: &mut Vec<String>) {
    let mut local = Map::new();
    for name in host.names(folder).into_iter().filter(|name| name.ends_with(".fact") && !name.starts_with('.')) {
        let path = format!("{}/{name}", folder.trim_end_matches('/'));
        let fact = match fact(host, &path) {
            Ok(fact) => fact,
            Err(why) => {
                warnings.push(why.clone());
                why.into()
            }
        };
        local.insert(name.replace(".fact", ""), fact);
    }
    facts.insert("local", local);
}

fn fact(host: &Reader, path: &str) -> Result<Value, String> {
    let found = host.sys.query_file(Path::new(path)).map_err(|failure| failure.message)?;
    let mode = found.map(|found| found.mode).ok_or_else(|| format!("Could not stat fact ({path}): it is not there"))?;
    let text = if mode & 0o100 != 0 {
        let completed = host.sys.query_command(Command::new(path));
        let completed = completed.map_err(|failure| format!("Could not execute fact script ({path}): {failure}"))?;
        if !completed.ok() {
            let said = completed.stderr_text();
            return Err(format!("Failure executing fact script ({path}), rc: {}, err: {said}", completed.rc));
        }
        String::from_utf8(completed.stdout).map_err(|_| format!("error loading fact - output of running \"{path}\" was not utf-8"))?
    } else {
        host.sys.query_text(Path::new(path)).unwrap_or_default()
    };
    if let Ok(json) = serde_json::from_str(&text) {
        return Ok(Value::from_json(json));
    }
    let sections = ini(&text).ok_or_else(|| format!("error loading facts as JSON or ini - please check content: {path}"))?;
    interpolated(sections).map_err(|why| format!("error loading facts as ini - please check content: {path} ({why})"))
}

/// `%(name)s` becomes another option of the same section and `%%` a percent sign, as Python's `configparser` does it.
fn interpolated(sections: Value) -> Result<Value, String> {
    let Value::Map(sections) = sections else { return Ok(sections) };
    let filled = sections.iter().map(|(name, options)| {
        let Value::Map(options) = options else { return Ok((name.clone(), options.clone())) };
        let filled = options.iter().map(|(key, value)| {
            let text = expand(value.as_str().unwrap_or_default(), options, 10)?;
            Ok((key.clone(), Value::from(text)))
        });
        Ok((name.clone(), Value::from(filled.collect::<Result<Vec<_>, String>>()?.into_iter().collect::<Map>())))
    });
    Ok(filled.collect::<Result<Vec<_>, String>>()?.into_iter().collect::<Map>().into())
}

fn expand(text: &str, options: &Map, depth: u32) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(place) = rest.find('%') {
        out.push_str(&rest[..place]);
        let after = &rest[place + 1..];
        if let Some(tail) = after.strip_prefix('%') {
            out.push('%');
            rest = tail;
        } else if let (Some((name, tail)), true) = (after.strip_prefix('(').and_then(|inner| inner.split_once(")s")), depth > 0) {
            let other = options.text(&name.to_lowercase()).ok_or_else(|| format!("`%({name})s` names no option of its section"))?;
            out.push_str(&expand(other, options, depth - 1)?);
            rest = tail;
        } else {
            return Err(format!("'%' must be followed by '%' or '(', found: '%{after}'"));
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Sections and options as Python's `configparser` reads them: option names in lower case, `[DEFAULT]` in every section, continued lines.
fn ini(text: &str) -> Option<Value> {
    let mut sections: Vec<(String, Map)> = Vec::new();
    let mut defaults = Map::new();
    let mut option: Option<String> = None;
    let mut in_defaults = false;
    for line in text.lines() {
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            continue;
        }
        let continued = line.starts_with([' ', '\t']);
        if let Some(name) = content.strip_prefix('[').and_then(|rest| rest.split_once(']')).filter(|_| !continued) {
            in_defaults = name.0 == "DEFAULT";
            option = None;
            if !in_defaults {
                sections.push((name.0.to_owned(), Map::new()));
            }
            continue;
        }
        let options = if in_defaults { &mut defaults } else { &mut sections.last_mut()?.1 };
        match (&option, continued) {
            (Some(name), true) => {
                let before = options.text(name).unwrap_or_default().to_owned();
                options.insert(name.as_str(), format!("{before}\n{content}"));
            }
            _ => {
                let (name, value) = content.split_once(['=', ':'])?;
                let name = name.trim().to_lowercase();
                options.insert(name.as_str(), value.trim());
                option = Some(name);
            }
        }
    }
    let whole = sections.into_iter().map(|(name, options)| {
        let mut all = options;
        for (key, value) in defaults.iter().filter(|(key, _)| key.as_str().is_some_and(|key| !all.contains_key(key))).collect::<Vec<_>>() {
            all.insert(key.clone(), value.clone());
        }
        (name, all)
    });
    Some(Value::map(whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{Overlay, System};

    #[test]
    fn json_and_ini_are_read_and_junk_is_told() {
        let overlay = Overlay::empty()
            .with_file("/etc/ansible/facts.d/a.fact", "{\"one\": [1]}")
            .with_file("/etc/ansible/facts.d/b.fact", "[DEFAULT]\nx=1\n[main]\nColour = red\n more\n")
            .with_file("/etc/ansible/facts.d/c.fact", "neither nor");
        let (mut facts, mut warnings) = (Map::new(), Vec::new());
        collect(&Reader { sys: &System::dry(overlay) }, "/etc/ansible/facts.d", &mut facts, &mut warnings);
        let Some(Value::Map(local)) = facts.get("local") else { panic!("{facts:?}") };
        assert_eq!(local.get("a").map(Value::to_repr).as_deref(), Some("{'one': [1]}"));
        assert_eq!(local.get("b").map(Value::to_repr).as_deref(), Some("{'main': {'colour': 'red\\nmore', 'x': '1'}}"));
        assert!(local.text("c").is_some_and(|text| text.starts_with("error loading facts")));
        assert_eq!(warnings.len(), 1);
        let expanded = |text: &str| interpolated(ini(text).expect("is ini")).map(|value| value.to_repr());
        assert_eq!(expanded("[a]\nx=1\ny=%(x)s%%").as_deref(), Ok("{'a': {'x': '1', 'y': '1%'}}"));
        assert!(expanded("[a]\nx=50% of it").is_err());
    }
}
