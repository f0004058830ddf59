//! HTTP clients for tests: no proxy, no redirects, a timeout.

use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(120);

pub fn client() -> reqwest::Client {
    bring_cryptography();
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT).build().expect("a client")
}

pub fn blocking_client() -> reqwest::blocking::Client {
    bring_cryptography();
    reqwest::blocking::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT).build().expect("a client")
}

/// Reqwest makes no client without it, for plain HTTP neither. Only the first test of the process does it.
fn bring_cryptography() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
