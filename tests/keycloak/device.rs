//! The device flow with OSMO's realm: a program without a browser asks for a code, its user approves it in one.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hostler::keycloak::Json;
use serde_json::json;

use super::Claim;
use super::examples::shipped;
use super::server::Server;
use crate::support::browser::Browser;
use crate::support::http::blocking_client;

pub const CLAIMS: &[Claim] = &[("a device gets a token with its user's roles once the user approves, and none when they do not", device)];

const PASSWORD: &str = "correct-horse-9";

/// A device as OSMO's command line is one: a public client, no redirect, no secret.
struct Device {
    http: reqwest::blocking::Client,
    realm: String,
}

impl Device {
    fn post(&self, path: &str, form: &[(&str, &str)]) -> Json {
        let asked = self.http.post(format!("{}/protocol/openid-connect/{path}", self.realm)).form(form);
        asked.send().and_then(reqwest::blocking::Response::json).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn begin(&self) -> Json {
        let begun = self.post("auth/device", &[("client_id", "osmo-device"), ("scope", "openid")]);
        assert!(begun["device_code"].is_string(), "{begun}");
        begun
    }

    fn poll(&self, begun: &Json) -> Json {
        let code = begun["device_code"].as_str().expect("a code");
        let kind = "urn:ietf:params:oauth:grant-type:device_code";
        self.post("token", &[("grant_type", kind), ("client_id", "osmo-device"), ("device_code", code)])
    }

    /// Asks again as long as it is told to wait, at the pace that it is told.
    fn finish(&self, begun: &Json) -> Json {
        let mut pace = begun["interval"].as_u64().expect("seconds");
        loop {
            let answer = self.poll(begun);
            match answer["error"].as_str() {
                Some("authorization_pending") => {}
                Some("slow_down") => pace += 5,
                _ => return answer,
            }
            std::thread::sleep(Duration::from_secs(pace));
        }
    }
}

fn device(server: &Server) {
    let mut declared = shipped("osmo.yml");
    declared["users"] = json!([{
        "username": "dee", "enabled": true, "email": "dee@osmo.test", "emailVerified": true, "firstName": "Dee", "lastName": "Vice",
        "groups": ["/OSMO team-a", "/User"], "credentials": [{"type": "password", "value": PASSWORD, "temporary": false}],
    }]);
    let realm = server.realm("device");
    realm.apply(declared);
    let device = Device { http: blocking_client(), realm: format!("{}/realms/{}", server.url, realm.name) };

    let begun = device.begin();
    assert_eq!(device.poll(&begun)["error"], "authorization_pending");
    let browser = Browser::start();
    browser.visit(begun["verification_uri_complete"].as_str().expect("an address"));
    browser.fill("#username", "dee");
    browser.fill("#password", PASSWORD);
    browser.click("#kc-login");
    // Whether to grant the device access: yes.
    browser.click("[name=accept]");
    browser.wait_for("Device Login Successful");

    let tokens = device.finish(&begun);
    let token = tokens["access_token"].as_str().unwrap_or_else(|| panic!("no token: {tokens}"));
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).expect("a payload")).expect("is base64");
    let claims: Json = serde_json::from_slice(&payload).expect("is JSON");
    assert_eq!((&claims["iss"], &claims["azp"]), (&json!(device.realm), &json!("osmo-device")));
    let mut roles: Vec<&str> = claims["roles"].as_array().expect("a list").iter().filter_map(Json::as_str).collect();
    roles.sort_unstable();
    assert_eq!(roles, ["osmo-team-a", "osmo-user"], "{claims}");

    // A code is worth one token.
    assert_eq!(device.poll(&begun)["error"], "invalid_grant");
    // Somebody else's device: its code is typed in by hand, and refused.
    let begun = device.begin();
    browser.visit(begun["verification_uri"].as_str().expect("an address"));
    browser.fill("#device_user_code", begun["user_code"].as_str().expect("a code"));
    browser.click("[type=submit]");
    browser.click("[name=cancel]");
    browser.wait_for("denied");
    assert_eq!(device.finish(&begun)["error"], "access_denied");
}
