//! Filters between values and their notations: JSON, YAML, base64, URLs.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::base::Value;
use crate::yaml::{self, YamlStyle};

use super::super::arguments::{Arguments, Bound};
use super::super::data::Val;
use super::super::fault::{Fault, Outcome};
use super::super::json;
use super::super::scope::Scope;
use super::{Filter, filter};

pub(crate) const FILTERS: &[Filter] = &[
    filter("to_json", |arguments, _| to_json(arguments, false)),
    filter("to_nice_json", |arguments, _| to_json(arguments, true)),
    filter("tojson", html_json),
    filter("from_json", from_json),
    filter("to_yaml", |arguments, _| to_yaml(arguments, false)),
    filter("to_nice_yaml", |arguments, _| to_yaml(arguments, true)),
    filter("from_yaml", from_yaml),
    filter("from_yaml_all", from_yaml_all),
    filter("b64encode", base64_encode),
    filter("b64decode", base64_decode),
    filter("urlencode", url_encode),
    filter("urldecode", url_decode),
    filter("urlsplit", url_split),
    filter("json_query", json_query),
];

fn to_json(arguments: Arguments, nice: bool) -> Outcome<Val> {
    let bound = arguments.bind([
        "a",
        "indent",
        "sort_keys",
        "separators",
        "ensure_ascii",
        "skipkeys",
        "check_circular",
        "allow_nan",
        "default",
        "profile",
        "vault_to_text",
        "preprocess_unsafe",
    ])?;
    let indent = match bound.get(1) {
        Some(Val::Null) => None,
        Some(Val::Str(text)) => Some(text.to_string()),
        Some(_) => Some(" ".repeat(usize::try_from(bound.int_or(1, 0)?).unwrap_or(0))),
        None => nice.then(|| "    ".to_owned()),
    };
    let separators = match bound.some(3).filter(|_| !nice).map(Val::iterate).transpose()?.as_deref() {
        Some([item, key]) => Some((item.text()?.to_string(), key.text()?.to_string())),
        Some(_) => return Err(Fault::failed("`separators` wants two texts")),
        None => None,
    };
    let style = json::Style { indent, sort_keys: bound.flag(2, nice)?, ensure_ascii: bound.flag(4, true)?, separators };
    Ok(Val::str(json::write(&bound.required(0)?.to_value()?, &style)))
}

/// Jinja's own filter: for script elements of HTML.
fn html_json(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["value", "indent"])?;
    let indent = bound.int(1)?.map(|indent| " ".repeat(usize::try_from(indent).unwrap_or(0)));
    let style = json::Style { indent, sort_keys: true, ensure_ascii: true, separators: None };
    let text = json::write(&bound.required(0)?.to_value()?, &style);
    Ok(Val::str(text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026").replace('\'', "\\u0027")))
}

fn from_json(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["a", "profile"])?;
    let Val::Str(text) = bound.required(0)? else {
        return Err(Fault::failed(format!("JSON text is expected, not `{}`", bound.required(0)?.type_name())));
    };
    let parsed = serde_json::from_str(text).map_err(|error| Fault::failed(format!("the text is no JSON: {error}")))?;
    Ok(Val::from_value(&Value::from_json(parsed)))
}

fn to_yaml(arguments: Arguments, nice: bool) -> Outcome<Val> {
    let bound = arguments.bind([
        "a",
        "indent",
        "width",
        "default_flow_style",
        "sort_keys",
        "explicit_start",
        "explicit_end",
        "allow_unicode",
        "default_style",
        "dump_vault_tags",
    ])?;
    let mut style = if nice { YamlStyle::nice() } else { YamlStyle::terse() };
    if let Some(indent) = bound.int(1)? {
        style.indent = usize::try_from(indent).unwrap_or(2);
    }
    if let Some(width) = bound.some(2) {
        style.width = match width {
            Val::Float(number) if number.is_infinite() => None,
            _ => bound.int(2)?.and_then(|width| usize::try_from(width).ok()),
        };
    }
    if let Some(flow) = bound.get(3) {
        style.default_flow_style = if matches!(flow, Val::Null) { None } else { Some(flow.truth()?) };
    }
    style.sort_keys = bound.flag(4, true)?;
    style.explicit_start = bound.flag(5, false)?;
    style.explicit_end = bound.flag(6, false)?;
    style.allow_unicode = bound.flag(7, true)?;
    style.default_style = bound.some_text(8)?.and_then(|text| text.chars().next());
    Ok(Val::str(yaml::to_yaml(&bound.required(0)?.to_value()?, &style)))
}

fn yaml_documents(bound: &Bound<1>) -> Outcome<Option<Vec<Val>>> {
    let Val::Str(text) = bound.required(0)? else {
        return Ok(None);
    };
    let loaded = yaml::load(text, "<from_yaml>").map_err(Fault::from)?;
    // Data, whatever it looks like: text that was parsed is never a template.
    Ok(Some(loaded.documents.iter().map(|document| Val::from_value(&document.to_value())).collect()))
}

fn from_yaml(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["data"])?;
    Ok(match yaml_documents(&bound)? {
        Some(mut documents) if documents.len() < 2 => documents.pop().unwrap_or(Val::Null),
        Some(_) => return Err(Fault::failed("the text holds several YAML documents").help("use `from_yaml_all`")),
        None => bound.required(0)?.clone(),
    })
}

fn from_yaml_all(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["data"])?;
    Ok(match (yaml_documents(&bound)?, bound.required(0)?) {
        (Some(documents), _) => Val::list(documents),
        (None, Val::Null) => Val::list(Vec::new()),
        (None, other) => other.clone(),
    })
}

fn bytes(value: &Val) -> Outcome<Vec<u8>> {
    match value {
        Val::Bytes(bytes) => Ok(bytes.to_vec()),
        other => Ok(other.text()?.as_bytes().to_vec()),
    }
}

fn encoded(text: &Val, encoding: &str) -> Outcome<Vec<u8>> {
    let text_of = || text.text();
    Ok(match encoding.to_ascii_lowercase().replace('_', "-").as_str() {
        "utf-8" | "utf8" | "ascii" | "us-ascii" => bytes(text)?,
        "utf-16-le" | "utf-16le" => text_of()?.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "utf-16-be" | "utf-16be" => text_of()?.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        "utf-16" | "utf16" => [0xff, 0xfe].into_iter().chain(text_of()?.encode_utf16().flat_map(u16::to_le_bytes)).collect(),
        "latin-1" | "latin1" | "iso-8859-1" => {
            let single = text_of()?.chars().map(|c| u8::try_from(c as u32)).collect::<Result<Vec<u8>, _>>();
            single.map_err(|_| Fault::failed("the text has letters that latin-1 has not"))?
        }
        other => return Err(Fault::failed(format!("the encoding `{other}` is not known"))),
    })
}

fn decoded(bytes: Vec<u8>, encoding: &str) -> Outcome<Val> {
    let wide = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| read([pair[0], pair[1]])).collect();
        String::from_utf16(&units).map_err(|_| Fault::failed("the bytes are no UTF-16 text"))
    };
    Ok(Val::str(match encoding.to_ascii_lowercase().replace('_', "-").as_str() {
        "utf-8" | "utf8" | "ascii" | "us-ascii" => match String::from_utf8(bytes) {
            Ok(text) => text,
            // What is no text stays bytes, so that it can be encoded again.
            Err(error) => return Ok(Val::Bytes(error.into_bytes().into())),
        },
        "utf-16-le" | "utf-16le" => wide(&bytes, u16::from_le_bytes)?,
        "utf-16-be" | "utf-16be" => wide(&bytes, u16::from_be_bytes)?,
        "utf-16" | "utf16" => match bytes.strip_prefix(&[0xfe, 0xff]) {
            Some(rest) => wide(rest, u16::from_be_bytes)?,
            None => wide(bytes.strip_prefix(&[0xff, 0xfe]).unwrap_or(&bytes), u16::from_le_bytes)?,
        },
        "latin-1" | "latin1" | "iso-8859-1" => bytes.into_iter().map(char::from).collect(),
        other => return Err(Fault::failed(format!("the encoding `{other}` is not known"))),
    }))
}

fn base64_encode(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["string", "encoding", "urlsafe"])?;
    let bytes = encoded(bound.required(0)?, &bound.text_or(1, "utf-8")?)?;
    let engine =
        if bound.flag(2, false)? { &base64::engine::general_purpose::URL_SAFE } else { &base64::engine::general_purpose::STANDARD };
    Ok(Val::str(engine.encode(bytes)))
}

fn base64_decode(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["string", "encoding", "urlsafe"])?;
    let alphabet = if bound.flag(2, false)? { &base64::alphabet::URL_SAFE } else { &base64::alphabet::STANDARD };
    // Python skips what is not in the alphabet (newlines above all), and wants the padding.
    let text: String = bound.text(0)?.chars().filter(|c| alphabet.as_str().contains(*c) || *c == '=').collect();
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireCanonical).with_decode_allow_trailing_bits(true);
    let bytes =
        GeneralPurpose::new(alphabet, config).decode(text).map_err(|error| Fault::failed(format!("the text is no base64: {error}")))?;
    decoded(bytes, &bound.text_or(1, "utf-8")?)
}

/// Python's `urllib.parse.quote`.
pub(crate) fn percent_encoded(text: &str, safe: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let character = char::from(byte);
        if character.is_ascii_alphanumeric() || "_.-~".contains(character) || safe.contains(character) {
            out.push(character);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn url_encode(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["value"])?;
    let pairs = match bound.required(0)? {
        Val::Map(dict) => {
            dict.entries()?.into_iter().map(|(key, value)| Ok((key.to_string(), value.text()?.to_string()))).collect::<Outcome<Vec<_>>>()?
        }
        value @ (Val::List(_) | Val::Tuple(_)) => {
            let pair = |pair: &Val| match &pair.iterate()?[..] {
                [key, value] => Ok((key.text()?.to_string(), value.text()?.to_string())),
                _ => Err(Fault::failed("pairs are expected")),
            };
            value.iterate()?.iter().map(pair).collect::<Outcome<Vec<_>>>()?
        }
        other => return Ok(Val::str(percent_encoded(&other.text()?, "/"))),
    };
    let encoded = |text: &str| percent_encoded(text, "").replace("%20", "+");
    let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect();
    Ok(Val::str(pairs.join("&")))
}

fn url_decode(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let text = arguments.bind(["string"])?.text(0)?.replace('+', " ");
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten().and_then(|code| u8::from_str_radix(code, 16).ok());
        out.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    Ok(Val::str(String::from_utf8_lossy(&out).into_owned()))
}

/// The parts of a URL by Python's names, or one of them.
fn url_split(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["value", "query"])?;
    let text = bound.text(0)?;
    let (rest, fragment) = text.split_once('#').unwrap_or((&text, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    let (scheme, rest) = match rest.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
        _ => (String::new(), rest),
    };
    let (netloc, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", rest),
    };
    let (user, host) = netloc.rsplit_once('@').map_or((None, netloc), |(user, host)| (Some(user), host));
    let (username, password) = match user {
        Some(user) => user.split_once(':').map_or((Some(user), None), |(name, password)| (Some(name), Some(password))),
        None => (None, None),
    };
    let (hostname, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => (address, rest.strip_prefix(':')),
        None => host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port))),
    };
    let optional = |text: Option<&str>| text.map_or(Val::Null, Val::str);
    let port = match port.filter(|port| !port.is_empty()) {
        Some(port) => Val::Int(port.parse().map_err(|_| Fault::failed(format!("`{port}` is no port")))?),
        None => Val::Null,
    };
    let hostname = if hostname.is_empty() { Val::Null } else { Val::str(hostname.to_ascii_lowercase()) };
    let parts = [
        ("fragment", Val::str(fragment)),
        ("hostname", hostname),
        ("netloc", Val::str(netloc)),
        ("password", optional(password)),
        ("path", Val::str(path)),
        ("port", port),
        ("query", Val::str(query)),
        ("scheme", Val::str(scheme)),
        ("username", optional(username)),
    ];
    match bound.text_or(1, "")?.as_ref() {
        "" => Ok(Val::dict(parts)),
        wanted => {
            let names = parts.each_ref().map(|(name, _)| *name);
            let found = parts.into_iter().find(|(name, _)| *name == wanted).map(|(_, value)| value);
            found.ok_or_else(|| Fault::failed(format!("unknown URL component: {wanted}")).did_you_mean(wanted, names))
        }
    }
}

/// `community.general.json_query`: JMESPath.
fn json_query(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["data", "expr"])?;
    let expression = bound.text(1)?;
    let compiled =
        jmespath::compile(&expression).map_err(|error| Fault::failed(format!("`{expression}` is no JMESPath expression: {error}")))?;
    let data = bound.required(0)?.to_value()?.to_json();
    let data = jmespath::Variable::from_json(&data.to_string()).map_err(Fault::failed)?;
    let found = compiled.search(data).map_err(|error| Fault::failed(format!("`{expression}` failed: {error}")))?;
    let found = serde_json::to_value(&*found).map_err(|error| Fault::failed(error.to_string()))?;
    Ok(Val::from_value(&Value::from_json(whole_floats(found))))
}

/// JMESPath knows one kind of number, and gives whole ones as floats.
fn whole_floats(json: serde_json::Value) -> serde_json::Value {
    match json {
        serde_json::Value::Number(number) => match number.as_f64() {
            Some(float) if number.as_i64().is_none() && float.fract() == 0.0 && float.abs() < 9e15 => (float as i64).into(),
            _ => serde_json::Value::Number(number),
        },
        serde_json::Value::Array(items) => items.into_iter().map(whole_floats).collect(),
        serde_json::Value::Object(map) => map.into_iter().map(|(key, value)| (key, whole_floats(value))).collect(),
        other => other,
    }
}
