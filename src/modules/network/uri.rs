//! `ansible.builtin.uri`: one request to a web service, and its answer. In a dry run nothing is asked: the service may only come to be in the
//! real one.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::base::{Map, Secret, Value};
use crate::modules::files::attributes::FileAttributes;
use crate::modules::{Module, Output, Rule, choices, module_args};
use crate::system::{Failure, Known, Result, System, WriteFile};

use super::http::{Follow, HttpOptions, Request, Response, masked};
use super::multipart::multipart;

pub struct Uri;

choices! {
    pub enum BodyFormat { Form = "form-urlencoded", Json = "json", Raw = "raw", Multipart = "form-multipart" }
}

choices! {
    pub enum Redirects { All = "all" | "yes", None = "none" | "no", Safe = "safe", Urllib2 = "urllib2" }
}

module_args! {
    /// Talks to a web service: sends one request, checks the status, returns the answer.
    pub struct UriArgs {
        /// Where to.
        url: String,
        /// File to write the answer to, or a folder to put it in.
        dest: Option<PathBuf>,
        /// User name.
        url_username | "user": Option<String>,
        /// Password.
        url_password | "password": Option<Secret>,
        /// What to send.
        body: Option<Value>,
        /// How the body is written.
        body_format: BodyFormat = BodyFormat::Raw,
        /// File to send in place of a body.
        src: Option<PathBuf>,
        /// Method of the request.
        method: String = "GET",
        /// Return the answer as `content` whatever it is.
        return_content: bool = false,
        /// Which redirects to follow.
        follow_redirects: Redirects = Redirects::Safe,
        /// Do nothing when this path exists.
        creates: Option<PathBuf>,
        /// Do nothing when this path does not exist.
        removes: Option<PathBuf>,
        /// Status codes that are a success.
        status_code: Vec<i64> = vec![200],
        /// Seconds to wait for the server.
        timeout: u64 = 30_u64,
        /// Headers to send.
        headers: Option<Map>,
        /// Socket to connect to in place of the URL's host.
        unix_socket: Option<PathBuf>,
        /// `src` is on the host.
        remote_src: bool = false,
        /// Bundle of certificates to trust, in PEM.
        ca_path: Option<PathBuf>,
        /// Internal: SHA-256 of the `src` that the controller holds.
        content_hash: Option<String>,
    }
    flatten { http: HttpOptions, file: FileAttributes }
    rules [Rule::Exclusive(&["body", "src"])]
}

impl Module for Uri {
    const NAME: &'static str = "ansible.builtin.uri";
    type Args = UriArgs;

    fn run(args: UriArgs, sys: &mut System) -> Result<Output> {
        let method = args.method.to_uppercase();
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            let message = "Parameter 'method' needs to be a single word in uppercase, like GET or POST.";
            return Err(Failure::new(message).at("method"));
        }
        if let Some(reason) = needless(&args, sys)? {
            return Ok(Output::new().with("stdout", reason));
        }
        let request = request(&args, &method, sys)?;
        let started = Instant::now();
        // What is asked for may only come to be in this very run, so reading waits for the real run too, as in Ansible.
        let Known::Now(answered) = sys.outside(|sys| request.send(&args.http, sys)) else {
            return Ok(Output::new().message(format!("{method} {} is not sent in a dry run", masked(&args.url))).skipped());
        };
        let elapsed = started.elapsed().as_secs();
        match answered {
            Ok(response) => finish(&args, response, elapsed, sys),
            Err(failure) => Err(no_answer(&args, failure, elapsed)),
        }
    }
}

/// Why nothing is to be asked, if so.
fn needless(args: &UriArgs, sys: &System) -> Result<Option<String>> {
    if let Some(path) = &args.creates
        && sys.query_file(path)?.is_some()
    {
        return Ok(Some(format!("skipped, since '{}' exists", path.display())));
    }
    if let Some(path) = &args.removes
        && sys.query_file(path)?.is_none()
    {
        return Ok(Some(format!("skipped, since '{}' does not exist", path.display())));
    }
    Ok(None)
}

fn request(args: &UriArgs, method: &str, sys: &mut System) -> Result<Request> {
    let mut headers: Vec<(String, String)> =
        args.headers.iter().flat_map(Map::iter).map(|(name, value)| (name.to_string(), value.to_text())).collect();
    let body = body(args, &mut headers, sys)?;
    let modified_since = match &args.dest {
        Some(dest) => sys.query_file(dest)?.filter(|found| found.is_file()).map(|found| found.modified),
        None => None,
    };
    Ok(Request {
        method: method.to_owned(),
        headers,
        body,
        user: args.url_username.clone(),
        password: args.url_password.clone(),
        timeout: Duration::from_secs(args.timeout),
        follow: match args.follow_redirects {
            Redirects::All => Follow::All,
            Redirects::None => Follow::None,
            Redirects::Safe => Follow::Safe,
            Redirects::Urllib2 => Follow::Usual,
        },
        modified_since,
        unix_socket: args.unix_socket.clone(),
        ca_path: args.ca_path.clone(),
        ..Request::get(&args.url)
    })
}

fn body(args: &UriArgs, headers: &mut Vec<(String, String)>, sys: &mut System) -> Result<Option<Vec<u8>>> {
    if let Some(hash) = &args.content_hash {
        return Ok(Some(sys.blob(hash)?.to_vec()));
    }
    if let Some(source) = &args.src {
        let unopened = |_| Failure::new(format!("Unable to open source file {}", source.display())).at("src");
        return Ok(Some(sys.query_content(source).map_err(unopened)?.to_vec()));
    }
    let mut default_kind = |kind: &str| {
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            headers.push(("Content-Type".into(), kind.into()));
        }
    };
    match (args.body_format, &args.body) {
        (BodyFormat::Json, body) => {
            default_kind("application/json");
            Ok(Some(match body {
                Some(Value::Str(text)) => text.as_bytes().to_vec(),
                other => other.as_ref().unwrap_or(&Value::Null).to_json().to_string().into_bytes(),
            }))
        }
        (BodyFormat::Form, body) => {
            default_kind("application/x-www-form-urlencoded");
            body.as_ref().map(|body| form(body).map(String::into_bytes)).transpose()
        }
        (BodyFormat::Multipart, body) => {
            let (kind, content) = multipart(body.as_ref().unwrap_or(&Value::Null), sys)?;
            headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
            headers.push(("Content-Type".into(), kind));
            Ok(Some(content))
        }
        (BodyFormat::Raw, Some(body)) => {
            default_kind("application/x-www-form-urlencoded");
            Ok(Some(body.to_text().into_bytes()))
        }
        (BodyFormat::Raw, None) => Ok(None),
    }
}

/// A mapping, or a list of pairs, as a form; text is one already.
fn form(body: &Value) -> Result<String> {
    let refused = || Failure::new("failed to parse body as form_urlencoded: a mapping or a list of pairs is needed").at("body");
    let mut pairs: Vec<(String, Value)> = Vec::new();
    match body {
        Value::Str(text) => return Ok(text.to_string()),
        Value::Map(map) => pairs.extend(map.iter().map(|(key, value)| (key.to_string(), value.clone()))),
        Value::List(items) => {
            for item in items.iter() {
                let Some([key, value]) = item.as_list() else { return Err(refused()) };
                pairs.push((key.to_text(), value.clone()));
            }
        }
        _ => return Err(refused()),
    }
    let mut out = url::form_urlencoded::Serializer::new(String::new());
    for (key, value) in &pairs {
        let values = value.as_list().map_or_else(|| vec![value.clone()], <[Value]>::to_vec);
        for value in values.iter().filter(|value| !value.is_null()) {
            out.append_pair(key, &value.to_text());
        }
    }
    Ok(out.finish())
}

fn no_answer(args: &UriArgs, failure: Failure, elapsed: u64) -> Failure {
    if failure.option.is_some() || failure.values.get("status").is_none() {
        return failure;
    }
    let wanted = Value::list(args.status_code.iter().copied()).to_repr();
    let mut told = Failure::new(format!("Status code was -1 and not {wanted}: {}", failure.message));
    told.values = failure.values;
    told.with("status", -1).with("elapsed", elapsed).with("url", masked(&args.url)).with("redirected", false)
}

fn finish(args: &UriArgs, response: Response, elapsed: u64, sys: &mut System) -> Result<Output> {
    let mut values = Map::new();
    values.insert("redirected", response.url != masked(&args.url));
    values.insert("url", response.url.as_str());
    values.insert("status", response.status);
    values.insert("elapsed", elapsed);
    for (name, value) in &response.headers {
        let name = name.replace('-', "_");
        if name == "location" {
            let absolute = url::Url::parse(&response.url).ok().and_then(|base| base.join(value).ok());
            values.insert(name, absolute.map_or_else(|| value.clone(), |url| url.to_string()));
        } else if !values.contains_key(&name) {
            values.insert(name, value.as_str());
        }
    }
    let cookies: Vec<String> = response.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    values.insert("cookies_string", cookies.join("; "));
    values.insert("cookies", response.cookies.iter().cloned().collect::<Map>());
    let succeeded = args.status_code.contains(&i64::from(response.status));
    let message = response.message();
    let is_json = is_json(response.header("content-type").unwrap_or_default());
    if is_json || args.return_content || !succeeded {
        let text = text_of(&response);
        if let Some(json) = is_json.then(|| serde_json::from_str(&text).ok()).flatten() {
            values.insert("json", Value::from_json(json));
        }
        if args.return_content {
            values.insert("content", text);
        }
    }
    if !succeeded {
        let wanted = Value::list(args.status_code.iter().copied()).to_repr();
        let mut failure = Failure::new(format!("Status code was {} and not {wanted}: {message}", response.status));
        failure.values = values;
        return Err(failure);
    }
    if let Some(dest) = &args.dest {
        let path = write(args, dest, response, sys)?;
        values.insert("path", path.to_string_lossy().into_owned());
    }
    Ok(Output::new().with_all(&values).message(message))
}

fn write(args: &UriArgs, dest: &std::path::Path, response: Response, sys: &mut System) -> Result<PathBuf> {
    let path = match sys.query_file(dest)? {
        Some(found) if found.is_directory() => dest.join(super::get_url::name_of(&response)),
        _ => dest.to_owned(),
    };
    if response.status != 304 {
        sys.write_file(WriteFile::new(&path, response.body).attributes(args.file.wanted()).in_place(args.file.may_write_in_place(sys)))?;
    }
    Ok(path)
}

/// `application/json`, `application/problem+json` and their like.
fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let subtype = kind.split_once('/').map_or("", |(_, subtype)| subtype);
    matches!(subtype.rsplit('+').next().unwrap_or_default(), "json" | "javascript")
}

/// The answer as text, by the character set that its type names.
fn text_of(response: &Response) -> String {
    let kind = response.header("content-type").unwrap_or_default().to_ascii_lowercase();
    let charset =
        kind.split_once("charset=").map_or("utf-8", |(_, name)| name.split(';').next().unwrap_or_default().trim().trim_matches('"'));
    match charset {
        "iso-8859-1" | "latin1" | "latin-1" => response.body.iter().map(|byte| char::from(*byte)).collect(),
        _ => String::from_utf8_lossy(&response.body).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::network::testing::{Server, reply};
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    #[test]
    fn forms_are_written_from_mappings_and_pairs() {
        let body = Value::map([("a", Value::from("1 2")), ("b", Value::list(["x", "y"])), ("c", Value::Null)]);
        assert_eq!(form(&body).expect("is a form"), "a=1+2&b=x&b=y");
        assert_eq!(form(&Value::list([Value::list(["k", "v&"])])).expect("is a form"), "k=v%26");
        assert!(form(&Value::Int(1)).is_err());
    }

    #[test]
    fn json_is_known_by_its_type() {
        assert!(is_json("application/json; charset=utf-8") && is_json("application/problem+json"));
        assert!(!is_json("text/html"));
    }

    #[test]
    fn an_answer_in_json_is_returned_as_values() {
        let server = Server::start(|_| reply("200 OK\r\nContent-Type: application/json\r\nX-Some-Thing: 1", "{\"a\": [1]}"));
        let mut machine = Machine { sys: System::local() };
        let ran = machine.task(&format!("uri: {{ url: '{}', use_proxy: false }}", server.url)).expect("runs");
        assert_eq!(ran.output.values.get("json").map(Value::to_repr).as_deref(), Some("{'a': [1]}"));
        assert_eq!(ran.output.values.text("x_some_thing"), Some("1"));
        assert!(ran.output.values.get("content").is_none());
    }

    #[test]
    fn a_status_that_is_not_wanted_is_a_failure_with_the_answer_in_it() {
        let server = Server::start(|_| reply("404 Not Found", "gone"));
        let mut machine = Machine { sys: System::local() };
        let task = format!("uri: {{ url: '{}', use_proxy: false, return_content: true }}", server.url);
        let failure = machine.task_once(&task).err().expect("fails");
        assert_eq!(failure.message, "Status code was 404 and not [200]: HTTP Error 404: Not Found");
        assert_eq!(failure.values.text("content"), Some("gone"));
        machine.task(&format!("uri: {{ url: '{}', use_proxy: false, status_code: [200, 404] }}", server.url)).expect("runs");
    }

    #[test]
    fn a_body_is_sent_as_json_with_its_type() {
        let server = Server::start(|_| reply("201 Created", ""));
        let mut machine = Machine { sys: System::local() };
        let task = "method: POST, body_format: json, body: { a: 1 }, status_code: 201, use_proxy: false";
        machine.task_once(&format!("uri: {{ url: '{}', {task} }}", server.url)).expect("runs");
        let asked = server.asked()[0].to_ascii_lowercase();
        assert!(asked.contains("content-type: application/json") && asked.ends_with("{\"a\":1}"), "{asked}");
    }

    #[test]
    fn nothing_is_asked_in_a_dry_run() {
        let mut machine = Machine::new(Overlay::empty());
        let ran = machine.task("uri: { url: 'http://127.0.0.1:9/x', method: POST, body: { a: 1 }, body_format: json }").expect("runs");
        assert!(ran.output.skipped);
    }

    #[test]
    fn a_server_that_does_not_answer_is_told_without_the_password() {
        let mut machine = Machine { sys: System::local() };
        let message = machine.refusal("uri: { url: 'http://me:hunter22@127.0.0.1:9/x', use_proxy: false }");
        assert!(message.starts_with("Status code was -1 and not [200]: Request failed"), "{message}");
        assert!(!message.contains("hunter22"), "{message}");
    }
}
