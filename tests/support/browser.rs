//! A real browser: headless Chromium, told what to do through chromedriver's WebDriver interface.
//!
//! Elements are named by CSS selectors. Each look-up waits until the element is there, so nothing here sleeps.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::http::blocking_client;

/// A browser with a profile of its own; it ends when it is dropped.
pub struct Browser {
    http: reqwest::blocking::Client,
    /// The session's address at chromedriver.
    session: String,
    driver: Child,
    _profile: TempDir,
}

impl Browser {
    pub fn start() -> Browser {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts: `tools/setup.sh browser` installs it");
        let port = port(&mut driver);
        let profile = tempfile::tempdir().expect("a folder");
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-proxy-server",
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments},
            "timeouts": {"implicit": 20_000, "pageLoad": 60_000},
        }}});
        let driver_url = format!("http://127.0.0.1:{port}/session");
        let mut browser = Browser { http: blocking_client(), session: driver_url.clone(), driver, _profile: profile };
        let made = browser.post("", &wanted);
        browser.session = format!("{driver_url}/{}", made["sessionId"].as_str().expect("a session"));
        browser
    }

    pub fn visit(&self, url: &str) {
        self.post("/url", &json!({"url": url}));
    }

    /// The HTTP status of the page that has the element, and what a reader sees of that: the page that a click leads to is there once its element is.
    pub fn page(&self, selector: &str) -> (u64, String) {
        let text = self.text(selector);
        (self.status(), text)
    }

    /// The HTTP status of the page that is shown.
    pub fn status(&self) -> u64 {
        let script = "return performance.getEntriesByType('navigation')[0].responseStatus";
        self.post("/execute/sync", &json!({"script": script, "args": []})).as_u64().expect("a number")
    }

    pub fn fill(&self, selector: &str, value: &str) {
        self.post(&format!("{}/value", self.element(selector)), &json!({"text": value}));
    }

    pub fn click(&self, selector: &str) {
        self.post(&format!("{}/click", self.element(selector)), &json!({}));
    }

    /// What a reader sees of an element. A page that is just being left gives an element that is gone the next moment: it is looked for again.
    pub fn text(&self, selector: &str) -> String {
        for _ in 0..20 {
            let path = format!("{}{}/text", self.session, self.element(selector));
            let answer = self.http.get(path).send().and_then(reqwest::blocking::Response::json::<Json>);
            let value = answer.unwrap_or_else(|error| panic!("chromedriver does not answer: {error}"))["value"].clone();
            if value["error"] != "stale element reference" {
                return text(&value);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("`{selector}` is gone each time it was found");
    }

    /// Waits for a page that says so: a click may lead on over several.
    pub fn wait_for(&self, words: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let page = self.text("body");
            if page.contains(words) {
                return;
            }
            assert!(Instant::now() < deadline, "no page says `{words}`; the last one: {page}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The value of a cookie of the page that is shown, also one that scripts cannot read.
    pub fn cookie(&self, name: &str) -> String {
        text(&self.get(&format!("/cookie/{name}"))["value"])
    }

    fn element(&self, selector: &str) -> String {
        let found = self.post("/element", &json!({"using": "css selector", "value": selector}));
        let id = found.as_object().and_then(|found| found.values().next()).unwrap_or(&Json::Null);
        format!("/element/{}", text(id))
    }

    fn get(&self, path: &str) -> Json {
        self.answer(path, self.http.get(format!("{}{path}", self.session)))
    }

    fn post(&self, path: &str, body: &Json) -> Json {
        self.answer(path, self.http.post(format!("{}{path}", self.session)).json(body))
    }

    fn answer(&self, path: &str, asked: reqwest::blocking::RequestBuilder) -> Json {
        let answer = asked.send().and_then(reqwest::blocking::Response::json::<Json>);
        let answer = answer.unwrap_or_else(|error| panic!("chromedriver does not answer {path}: {error}"));
        let value = answer["value"].clone();
        if let Some(error) = value["error"].as_str() {
            let page = (path != "/source").then(|| self.get("/source"));
            panic!("the browser cannot do {path}: {error}: {}\n{}", value["message"], page.map(|page| text(&page)).unwrap_or_default());
        }
        value
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium ends with its session, and leaves nothing in the profile's folder.
        let _ = self.http.delete(&self.session).send();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Chromedriver chooses a free port and tells which.
fn port(driver: &mut Child) -> u16 {
    let lines = BufReader::new(driver.stdout.take().expect("a pipe")).lines();
    let mut ports = lines.map_while(Result::ok).filter_map(|line| {
        let after = line.split_once("started successfully on port ")?.1;
        after.trim_end_matches('.').parse().ok()
    });
    ports.next().expect("chromedriver tells its port")
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
