//! A real Keycloak in a lab host, and what claims do with it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hostler::base::Secret;
use hostler::keycloak::operation::{Operation, perform};
use hostler::keycloak::{Client, Declaration, Error, Json, Options, Plan, apply, blocking, render};
use hostler::lab::UpOptions;
use serde_json::json;

use crate::support::lab::{TestHost, test_host};

const VERSION: &str = "26.7.3";
const CLIENT: &str = "boot";
const SECRET: &str = "boot-secret";

/// A running server; it ends with its host.
pub struct Server {
    pub url: String,
    /// The inventory and the name of the host it runs on.
    pub inventory: Option<(PathBuf, String)>,
    host: Option<TestHost>,
}

impl Server {
    /// Boots a host and a Keycloak on it; or, while working on these tests, takes the one of `HOSTLER_TEST_KEYCLOAK`, which must have been
    /// started with the bootstrap client that stands above; `HOSTLER_TEST_RESTART` is then the command that restarts it. The older one of
    /// `older.rs` can be running at `HOSTLER_TEST_KEYCLOAK_OLDER`.
    pub fn start() -> Server {
        if let Ok(url) = std::env::var("HOSTLER_TEST_KEYCLOAK") {
            let inventory = std::env::var_os("HOSTLER_TEST_INVENTORY").map(|path| (path.into(), "kc1".to_owned()));
            return Server { inventory, ..Self::at(url) };
        }
        Self::of_version(VERSION)
    }

    /// One that is running already.
    pub fn at(url: String) -> Server {
        Server { url, inventory: None, host: None }
    }

    /// A server of that version, in a host of its own.
    pub fn of_version(version: &str) -> Server {
        let archive = archive(version);
        let host = test_host("keycloak", &UpOptions { packages: vec!["openjdk-21-jre-headless".into()], ..UpOptions::default() });
        send(&host, Path::new(&archive), "/opt/keycloak.tar.gz");
        host.run("mkdir /opt/keycloak && tar -C /opt/keycloak --strip-components=1 -xzf /opt/keycloak.tar.gz && rm /opt/keycloak.tar.gz");
        host.run("/opt/keycloak/bin/kc.sh build --db=dev-file --health-enabled=true >/dev/null");
        let url = format!("http://{}:8080", host.address);
        host.run(&format!(
            "systemd-run -q --unit keycloak -E JAVA_OPTS_KC_HEAP=-Xmx700m -E KC_BOOTSTRAP_ADMIN_CLIENT_ID={CLIENT} \
             -E KC_BOOTSTRAP_ADMIN_CLIENT_SECRET={SECRET} /opt/keycloak/bin/kc.sh start --optimized --http-enabled=true --cache=local \
             --hostname={url} --health-enabled=true"
        ));
        let ready = "timeout 300 sh -c 'until (exec 3<>/dev/tcp/127.0.0.1/9000) 2>/dev/null; do sleep 1; done'";
        host.run(&ready.replace("sh -c", "bash -c"));
        let server = Server { url, inventory: Some((host.inventory(), host.name.clone())), host: Some(host) };
        server.wait();
        server
    }

    /// Stops it and starts it again.
    pub fn restart(&self) {
        match &self.host {
            Some(host) => drop(host.run("systemctl restart keycloak")),
            None => {
                let command =
                    std::env::var("HOSTLER_TEST_RESTART").expect("HOSTLER_TEST_RESTART restarts the server of HOSTLER_TEST_KEYCLOAK");
                assert!(Command::new("sh").arg("-c").arg(command).status().expect("sh starts").success());
            }
        }
    }

    /// Until it takes logins.
    pub fn wait(&self) {
        for _ in 0..120 {
            if blocking::run(|| async { self.client().log_in().await }).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_secs(1));
        }
        panic!("Keycloak at {} takes no logins after two minutes", self.url);
    }

    pub fn client(&self) -> Client {
        self.client_as("master", CLIENT, SECRET)
    }

    pub fn client_as(&self, realm: &str, id: &str, secret: &str) -> Client {
        let options = Options { timeout: Duration::from_secs(120), ..Options::new(self.url.clone(), realm, id, Secret::new(secret)) };
        Client::new(options).expect("the options are right")
    }

    /// A realm of this test's own, gone at the end.
    pub fn realm<'a>(&'a self, name: &str) -> Realm<'a> {
        let realm = Realm { server: self, name: format!("t-{name}") };
        realm.delete();
        realm
    }
}

pub struct Realm<'a> {
    server: &'a Server,
    pub name: String,
}

impl Realm<'_> {
    fn declaration(&self, mut declared: Json) -> Result<Declaration, Error> {
        declared["realm"] = self.name.as_str().into();
        Declaration::parse(&declared)
    }

    pub fn try_apply(&self, declared: Json) -> Result<Plan, Error> {
        let client = self.server.client();
        let declaration = self.declaration(declared)?;
        blocking::run(|| apply::apply(&client, &declaration))
    }

    pub fn apply(&self, declared: Json) -> Plan {
        self.try_apply(declared).unwrap_or_else(|error| panic!("the apply fails: {error}"))
    }

    pub fn try_plan(&self, declared: Json) -> Result<Plan, Error> {
        let client = self.server.client();
        let declaration = self.declaration(declared)?;
        blocking::run(|| apply::preview(&client, &declaration))
    }

    pub fn plan_text(&self, declared: Json) -> String {
        render::text(&self.try_plan(declared).unwrap_or_else(|error| panic!("the plan fails: {error}")))
    }

    /// Applies, and holds that a second plan has nothing to do.
    pub fn settle(&self, declared: Json) {
        self.apply(declared.clone());
        let again = self.try_plan(declared).unwrap_or_else(|error| panic!("the second plan fails: {error}"));
        assert!(again.is_empty(), "the second run is not quiet:\n{}", render::text(&again));
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/admin/realms/{}{rest}", self.name)
    }

    pub fn get(&self, rest: &str) -> Json {
        let (client, path) = (self.server.client(), self.path(rest));
        blocking::run(|| client.get(&path)).unwrap_or_else(|error| panic!("GET {rest}: {error}"))
    }

    pub fn post(&self, rest: &str, body: Json) -> Option<String> {
        let (client, path) = (self.server.client(), self.path(rest));
        blocking::run(|| client.post(&path, &body)).unwrap_or_else(|error| panic!("POST {rest}: {error}")).id
    }

    /// A POST that asks: its answer.
    pub fn post_for(&self, rest: &str) -> Json {
        let (client, path, nothing) = (self.server.client(), self.path(rest), json!({}));
        blocking::run(|| client.post(&path, &nothing)).unwrap_or_else(|error| panic!("POST {rest}: {error}")).body
    }

    pub fn delete_at(&self, rest: &str) {
        self.delete_with(rest, None);
    }

    pub fn delete_with(&self, rest: &str, body: Option<Json>) {
        let (client, path) = (self.server.client(), self.path(rest));
        blocking::run(|| client.delete(&path, body.as_ref())).unwrap_or_else(|error| panic!("DELETE {rest}: {error}"));
    }

    /// An operation as the command line and the agent have them.
    pub fn ask<T: serde::de::DeserializeOwned>(&self, operation: Operation) -> T {
        let client = self.server.client();
        let answer = blocking::run(|| perform(&client, &operation, None)).unwrap_or_else(|error| panic!("{operation:?}: {error}"));
        serde_json::from_value(answer).expect("the answer has the shape")
    }

    /// The realm as a declaration; adopted: one that owns it.
    pub fn export(&self, adopt: bool) -> Json {
        self.ask(Operation::Export { realm: self.name.clone(), adopt })
    }

    /// Adopted, nothing is left to do; and what was adopted, with secrets that nobody can read given anew, makes the same realm on an empty
    /// server. Answers what was adopted.
    pub fn is_adopted_and_made_again(&self) -> Json {
        let adopted = self.export(true);
        let plan = self.try_plan(adopted.clone()).unwrap_or_else(|error| panic!("what was adopted is not planned: {error}"));
        assert!(plan.is_empty(), "{}", render::text(&plan));
        let second = self.server.realm(&format!("{}-again", self.name));
        let given = adopted.to_string().replace(hostler::keycloak::MASK, "given-anew");
        second.settle(serde_json::from_str(&given).expect("is JSON"));
        let unnamed = |value: &Json| {
            let text = serde_json::to_string_pretty(value).expect("is JSON");
            text.replace(&second.name, "NAME").replace(&self.name, "NAME")
        };
        assert_eq!(unnamed(&second.export(true)), unnamed(&adopted));
        adopted
    }

    pub fn put(&self, rest: &str, body: Json) {
        let (client, path) = (self.server.client(), self.path(rest));
        blocking::run(|| client.put(&path, &body)).unwrap_or_else(|error| panic!("PUT {rest}: {error}"));
    }

    pub fn client_named(&self, client_id: &str) -> Json {
        self.get(&format!("/clients?clientId={client_id}"))[0].clone()
    }

    pub fn user_named(&self, username: &str) -> Json {
        self.get(&format!("/users?exact=true&username={username}"))[0].clone()
    }

    fn delete(&self) {
        let client = self.server.client();
        blocking::run(|| apply::delete_realm(&client, &self.name)).unwrap_or_else(|error| panic!("the realm stays: {error}"));
    }
}

impl Drop for Realm<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.delete();
        }
    }
}

/// An item of a list by a field.
pub fn by<'a>(list: &'a Json, field: &str, value: &str) -> &'a Json {
    let items = list.as_array().unwrap_or_else(|| panic!("{list} is no list"));
    items.iter().find(|item| item[field] == value).unwrap_or_else(|| panic!("nothing with {field} {value} in {list}"))
}

/// A declaration of nothing but these sections.
pub fn with(section: &str, value: Json) -> Json {
    json!({ section: value })
}

fn archive(version: &str) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    let output = Command::new("sh").arg(format!("{root}/tools/get-keycloak.sh")).arg(version).output().expect("the script starts");
    assert!(output.status.success(), "no Keycloak archive: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn send(host: &TestHost, from: &Path, to: &str) {
    let file = std::fs::File::open(from).expect("the archive can be read");
    let mut ssh = host.lab().ssh(&host.name).expect("ssh is there");
    let status = ssh.arg(format!("cat > {to}")).stdin(file).status().expect("ssh starts");
    assert!(status.success(), "the archive does not arrive on {}", host.name);
}
