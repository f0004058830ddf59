//! One HTTP exchange as `get_url` and `uri` make it: Ansible's rules for redirects, credentials and proxies. A server's refusal is an answer,
//! not an error; only no answer at all is a failure. Nothing that is said ever holds credentials.

use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use reqwest::blocking::{Client, ClientBuilder};
use reqwest::{Method, redirect};
use url::Url;

use crate::base::Secret;
use crate::modules::module_args;
use crate::system::{Failure, Result, System};

use super::tls::{self, Trust};

const MOST_REDIRECTS: usize = 10;

module_args! {
    /// Options that every module with a URL has.
    pub struct HttpOptions {
        /// Ask even when what is there is as new as the server's.
        force: bool = false,
        /// The `User-Agent` to send.
        http_agent: String = "ansible-httpget",
        /// Use the proxies that the environment names.
        use_proxy: bool = true,
        /// Check the server's certificate.
        validate_certs: bool = true,
        /// Send the password at once, without waiting to be asked.
        force_basic_auth: bool = false,
        /// Certificate to show, in PEM; may hold the key too.
        client_cert: Option<PathBuf>,
        /// Key of that certificate, in PEM.
        client_key: Option<PathBuf>,
        /// Kerberos; not supported.
        use_gssapi: bool = false,
        /// Names of headers that are not sent to where a redirect leads.
        unredirected_headers: Vec<String> = Vec::<String>::new(),
        /// Unpack a gzipped answer.
        decompress: bool = true,
        /// Has no effect: safe ciphers are chosen.
        ciphers: Option<Vec<String>>,
        /// Has no effect: `~/.netrc` is not read.
        use_netrc: bool = true,
    }
}

/// Which redirects are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    All,
    None,
    /// Of requests that change nothing.
    Safe,
    /// As Python's `urllib2`: a POST becomes a GET.
    Usual,
}

/// What is asked.
pub struct Request {
    pub url: String,
    pub method: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
    pub user: Option<String>,
    pub password: Option<Secret>,
    pub timeout: Duration,
    pub follow: Follow,
    pub modified_since: Option<SystemTime>,
    pub unix_socket: Option<PathBuf>,
    pub ca_path: Option<PathBuf>,
}

/// What was answered.
#[derive(Clone, Debug, Default)]
pub struct Response {
    pub status: u16,
    /// Where the answer came from in the end, without credentials.
    pub url: String,
    /// Names in lower case; values of the same name are joined.
    pub headers: Vec<(String, String)>,
    pub cookies: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The sentence that Ansible has for the outcome.
    pub fn message(&self) -> String {
        if (200..300).contains(&self.status) {
            return format!("OK ({} bytes)", self.header("content-length").unwrap_or("unknown"));
        }
        let reason = reqwest::StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
        format!("HTTP Error {}: {reason}", self.status)
    }
}

impl Request {
    pub fn get(url: &str) -> Request {
        Request {
            url: url.to_owned(),
            method: "GET".into(),
            headers: Vec::new(),
            body: None,
            user: None,
            password: None,
            timeout: Duration::from_secs(10),
            follow: Follow::Usual,
            modified_since: None,
            unix_socket: None,
            ca_path: None,
        }
    }

    /// Sends it and follows redirects. The failure's `msg` says why there is no answer; its `status` is -1.
    pub fn send(self, options: &HttpOptions, sys: &mut System) -> Result<Response> {
        if options.use_gssapi {
            return Err(Failure::new("`use_gssapi` is not supported; use a password or a client certificate").at("use_gssapi"));
        }
        if options.ciphers.as_ref().is_some_and(|ciphers| !ciphers.is_empty()) {
            sys.warn("`ciphers` has no effect: only safe ciphers are used anyway");
        }
        let builder = self.client(options, sys)?;
        // The blocking client must not be made or dropped inside somebody's runtime.
        let outcome = std::thread::scope(|scope| scope.spawn(|| Exchange::new(self, options)?.run(builder)).join());
        outcome.unwrap_or_else(|_| Err(Failure::new("the request ended without an answer")))
    }

    fn client(&self, options: &HttpOptions, sys: &System) -> Result<ClientBuilder> {
        let trust = Trust {
            validate: options.validate_certs,
            ca_path: self.ca_path.as_deref(),
            client_cert: options.client_cert.as_deref(),
            client_key: options.client_key.as_deref(),
        };
        let mut builder = super::hosts_file::client_builder(sys)
            .tls_backend_preconfigured(tls::client_config(&trust, sys)?)
            .redirect(redirect::Policy::none())
            .connect_timeout(self.timeout)
            .timeout(self.timeout)
            .user_agent(&options.http_agent);
        if let Some(socket) = &self.unix_socket {
            builder = builder.unix_socket(socket.as_path());
        }
        if !options.use_proxy {
            return Ok(builder.no_proxy());
        }
        let named = |name: &str| {
            let found = sys.context().environment.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
        };
        let exceptions = named("no_proxy").and_then(|list| reqwest::NoProxy::from_string(&list));
        for (name, make) in
            [("http_proxy", reqwest::Proxy::http as fn(String) -> reqwest::Result<reqwest::Proxy>), ("https_proxy", reqwest::Proxy::https)]
        {
            if let Some(url) = named(name) {
                let proxy = make(url).map_err(|error| Failure::new(format!("`{name}` is no proxy's URL: {}", plain(error))))?;
                builder = builder.proxy(proxy.no_proxy(exceptions.clone()));
            }
        }
        Ok(builder)
    }
}

/// A request on its way through redirects.
struct Exchange<'a> {
    url: Url,
    method: Method,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    credentials: Option<(String, Secret)>,
    follow: Follow,
    options: &'a HttpOptions,
    cookies: Vec<(String, String)>,
}

impl<'a> Exchange<'a> {
    fn new(request: Request, options: &'a HttpOptions) -> Result<Self> {
        let unusable = |why: String| Failure::new(format!("`{}` is no URL that can be asked: {why}", masked(&request.url))).at("url");
        let mut url = Url::parse(&request.url).map_err(|error| unusable(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(unusable(format!("only http and https are known, not {}", url.scheme())));
        }
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|error| unusable(error.to_string()))?;
        let in_url = (!url.username().is_empty()).then(|| {
            let decoded =
                |text: &str| url::form_urlencoded::parse(text.replace('+', "%2B").as_bytes()).next().map(|(text, _)| text.into_owned());
            let password = url.password().and_then(decoded).unwrap_or_default();
            (decoded(url.username()).unwrap_or_default(), Secret::new(password))
        });
        // Neither can be refused for a URL that has a host.
        url.set_username("").unwrap_or_default();
        url.set_password(None).unwrap_or_default();
        let given = request.user.map(|user| (user, request.password.unwrap_or_else(|| Secret::new(""))));
        let mut headers = request.headers;
        let has = |headers: &[(String, String)], name: &str| headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        if options.force {
            headers.push(("Cache-Control".into(), "no-cache".into()));
        } else if let Some(time) = request.modified_since {
            headers.push(("If-Modified-Since".into(), http_date(time)));
        }
        if options.decompress && !has(&headers, "accept-encoding") {
            headers.push(("Accept-Encoding".into(), "gzip".into()));
        }
        let credentials = given.or(in_url);
        Ok(Exchange { url, method, headers, body: request.body, credentials, follow: request.follow, options, cookies: Vec::new() })
    }

    fn run(mut self, builder: ClientBuilder) -> Result<Response> {
        let client = builder.build().map_err(|error| no_answer(&self.url, error))?;
        let mut authorize = self.options.force_basic_auth;
        for _ in 0..MOST_REDIRECTS {
            let answer = self.once(&client, authorize)?;
            self.remember_cookies(&answer);
            let status = answer.status().as_u16();
            let challenged = answer.headers().get("www-authenticate").and_then(|value| value.to_str().ok()).unwrap_or_default();
            if status == 401 && !authorize && self.credentials.is_some() && challenged.to_ascii_lowercase().contains("basic") {
                authorize = true;
                continue;
            }
            let location = answer.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
            match location.filter(|_| matches!(status, 301 | 302 | 303 | 307 | 308)) {
                Some(location) if self.follows(status) => self.redirect(status, &location)?,
                _ => return self.finish(answer),
            }
        }
        Err(Failure::new(format!("`{}` redirected more than {MOST_REDIRECTS} times", self.url)).with("status", -1))
    }

    fn once(&self, client: &Client, authorize: bool) -> Result<reqwest::blocking::Response> {
        let mut request = client.request(self.method.clone(), self.url.clone());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some((user, password)) = self.credentials.as_ref().filter(|_| authorize) {
            let token = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{}", password.expose()));
            request = request.header("Authorization", format!("Basic {token}"));
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("Cookie", pairs.join("; "));
        }
        if let Some(body) = &self.body {
            request = request.body(body.clone());
        }
        request.send().map_err(|error| no_answer(&self.url, error))
    }

    fn remember_cookies(&mut self, answer: &reqwest::blocking::Response) {
        for value in answer.headers().get_all("set-cookie") {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            if let Some((name, value)) = text.split(';').next().and_then(|pair| pair.split_once('=')) {
                self.cookies.retain(|(known, _)| known != name.trim());
                self.cookies.push((name.trim().to_owned(), value.trim().to_owned()));
            }
        }
    }

    fn follows(&self, status: u16) -> bool {
        let reads = matches!(self.method, Method::GET | Method::HEAD);
        match self.follow {
            Follow::All => true,
            Follow::None => false,
            Follow::Safe => reads,
            Follow::Usual => reads || (self.method == Method::POST && matches!(status, 301..=303)),
        }
    }

    fn redirect(&mut self, status: u16, location: &str) -> Result<()> {
        let target =
            self.url.join(location).map_err(|error| Failure::new(format!("`{}` redirected to what is no URL: {error}", self.url)))?;
        if !matches!(target.scheme(), "http" | "https") {
            return Err(Failure::new(format!("`{}` redirected to `{}`, which is not followed", self.url, masked(target.as_str()))));
        }
        let to_get = match status {
            303 => self.method != Method::HEAD,
            302 => self.method != Method::HEAD,
            301 => self.method == Method::POST,
            _ => false,
        };
        if to_get && self.method != Method::GET {
            self.method = Method::GET;
            self.body = None;
            self.headers.retain(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
        }
        let unredirected: Vec<String> = self.options.unredirected_headers.iter().map(|name| name.to_ascii_lowercase()).collect();
        self.headers.retain(|(name, _)| !unredirected.contains(&name.to_ascii_lowercase()));
        if (target.host_str(), target.port_or_known_default()) != (self.url.host_str(), self.url.port_or_known_default()) {
            // What was meant for one server is not told to another.
            self.credentials = None;
            self.cookies.clear();
            self.headers.retain(|(name, _)| !matches!(name.to_ascii_lowercase().as_str(), "authorization" | "cookie"));
        }
        self.url = target;
        Ok(())
    }

    fn finish(self, mut answer: reqwest::blocking::Response) -> Result<Response> {
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, value) in answer.headers() {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            match headers.iter_mut().find(|(known, _)| known == name.as_str()) {
                Some((_, joined)) => *joined = format!("{joined}, {value}"),
                None => headers.push((name.as_str().to_owned(), value)),
            }
        }
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        answer.read_to_end(&mut body).map_err(|error| {
            Failure::new(format!("`{}` stopped in the middle of its answer: {}", masked(self.url.as_str()), causes(&error)))
                .with("status", -1)
        })?;
        let zipped = headers.iter().any(|(name, value)| name == "content-encoding" && value.eq_ignore_ascii_case("gzip"));
        if zipped && self.options.decompress && !body.is_empty() {
            let mut plain = Vec::new();
            flate2::read::MultiGzDecoder::new(body.as_slice())
                .read_to_end(&mut plain)
                .map_err(|error| Failure::new(format!("the answer of `{}` is no gzip: {error}", masked(self.url.as_str()))))?;
            body = plain;
        }
        Ok(Response { status, url: masked(self.url.as_str()), headers, cookies: self.cookies, body })
    }
}

/// A URL with the password blotted out.
pub fn masked(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut parsed) if parsed.password().is_some() => {
            parsed.set_password(Some("****")).unwrap_or_default();
            parsed.into()
        }
        Ok(_) => url.to_owned(),
        // What cannot be parsed is shown without what stands before an `@`.
        Err(_) => url.rsplit_once('@').map_or_else(|| url.to_owned(), |(_, rest)| format!("****@{rest}")),
    }
}

fn no_answer(url: &Url, error: reqwest::Error) -> Failure {
    Failure::new(format!("Request failed: {}", plain(error))).with("status", -1).with("url", masked(url.as_str()))
}

fn plain(error: reqwest::Error) -> String {
    causes(&error.without_url())
}

/// An error with what it came from, each said once.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

/// A time as HTTP writes it.
fn http_date(time: SystemTime) -> String {
    let stamp = jiff::Timestamp::try_from(time).unwrap_or_default();
    stamp.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::network::testing::{Server, reply};

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        assert_eq!(masked("https://me:hunter22@host/x"), "https://me:****@host/x");
        assert_eq!(masked("https://host/x"), "https://host/x");
    }

    fn options(force_basic_auth: bool) -> HttpOptions {
        use crate::modules::ModuleArgs;
        let given: [(&str, bool); 2] = [("use_proxy", false), ("force_basic_auth", force_basic_auth)];
        HttpOptions::parse(given.into_iter().collect(), "uri").expect("reads")
    }

    fn sent(request: Request, force_basic_auth: bool) -> Response {
        let mut sys = System::dry(crate::system::Overlay::empty());
        request.send(&options(force_basic_auth), &mut sys).expect("is answered")
    }

    #[test]
    fn a_password_is_sent_when_asked_for_and_not_before() {
        let server = Server::start(|asked| match asked.to_ascii_lowercase().contains("authorization: basic bwu6cgfzcw==") {
            true => reply("200 OK", "in"),
            false => reply("401 Unauthorized\r\nWWW-Authenticate: Basic realm=x", "out"),
        });
        let with_password = || Request { user: Some("me".into()), password: Some(Secret::new("pass")), ..Request::get(&server.url) };
        let answer = sent(with_password(), false);
        assert_eq!((answer.status, answer.body.as_slice(), server.asked().len()), (200, b"in".as_slice(), 2));
        assert_eq!((sent(with_password(), true).status, server.asked().len()), (200, 3));
    }

    #[test]
    fn another_server_is_not_told_the_password_by_a_redirect() {
        let other = Server::start(|_| reply("200 OK", "there"));
        let target = other.url.clone();
        let server = Server::start(move |_| reply(&format!("302 Found\r\nLocation: {target}/x\r\nSet-Cookie: a=b"), ""));
        let request = Request { user: Some("me".into()), password: Some(Secret::new("pass")), ..Request::get(&server.url) };
        let answer = sent(request, true);
        assert_eq!((answer.status, answer.url), (200, format!("{}/x", other.url)));
        assert!(server.asked()[0].to_ascii_lowercase().contains("authorization:"));
        assert!(!other.asked()[0].to_ascii_lowercase().contains("authorization:") && !other.asked()[0].contains("a=b"));
    }

    #[test]
    fn a_post_is_followed_only_as_asked() {
        let server = Server::start(|asked| match asked.starts_with("POST") {
            true => reply("302 Found\r\nLocation: /done", ""),
            false => reply("200 OK", "done"),
        });
        let post = |follow| Request { method: "POST".into(), body: Some(b"x".to_vec()), follow, ..Request::get(&server.url) };
        assert_eq!(sent(post(Follow::Safe), false).status, 302);
        assert_eq!(sent(post(Follow::Usual), false).status, 200);
        assert_eq!(sent(post(Follow::None), false).status, 302);
    }

    #[test]
    fn times_are_written_as_http_has_them() {
        assert_eq!(http_date(SystemTime::UNIX_EPOCH), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
