//! Lookups that run something: `pipe` and `lines` (a shell on the controller), `url`.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::system::running;

use super::super::data::Val;
use super::super::fault::{Fault, Outcome};
use super::super::methods::text;
use super::super::number;
use super::super::scope::Scope;
use super::{Lookup, Options, lookup};

pub(crate) const LOOKUPS: &[Lookup] = &[lookup("pipe", pipe), lookup("lines", lines), lookup("url", url)];

/// What a shell command writes, as it is documented: the text goes to the shell whole.
fn output(command: &str, scope: &Scope) -> Outcome<String> {
    let controller = &scope.context.controller;
    let directory = scope.context.search.roots().iter().find(|root| root.is_dir()).unwrap_or(&controller.directory);
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command).current_dir(directory).env_clear().envs(&controller.environment);
    let ran = running::output(&mut shell).map_err(|error| Fault::failed(format!("the shell cannot be started: {error}")))?;
    if !ran.status.success() {
        let said = String::from_utf8_lossy(&ran.stderr).trim().to_owned();
        let fault = Fault::failed(format!("`{command}` failed: {}", ran.status));
        return Err(if said.is_empty() { fault } else { fault.cause(said) });
    }
    Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
}

fn pipe(terms: Vec<Val>, _: Options, scope: &Arc<Scope>) -> Outcome<Vec<Val>> {
    terms.iter().map(|term| Ok(Val::str(output(&term.text()?, scope)?.trim_end()))).collect()
}

fn lines(terms: Vec<Val>, _: Options, scope: &Arc<Scope>) -> Outcome<Vec<Val>> {
    let mut found = Vec::new();
    for term in terms {
        found.extend(text::lines(&output(&term.text()?, scope)?, false).into_iter().map(Val::str));
    }
    Ok(found)
}

/// What a URL gives. Runs on a thread of its own: the blocking client must not be used inside an async runtime.
fn url(terms: Vec<Val>, options: Options, _: &Arc<Scope>) -> Outcome<Vec<Val>> {
    let request = Request {
        verify: options.flag("validate_certs", true)?,
        timeout: options.get("timeout").and_then(number::of).map_or(10.0, number::Number::float),
        user: options.text("username")?,
        password: options.text("password")?,
        agent: options.text("http_agent")?.unwrap_or_else(|| "ansible-httpget".into()),
        headers: match options.get("headers") {
            Some(Val::Map(headers)) => headers
                .entries()?
                .into_iter()
                .map(|(key, value)| Ok((key.to_string(), value.text()?.to_string())))
                .collect::<Outcome<_>>()?,
            _ => Vec::new(),
        },
    };
    let split = options.flag("split_lines", true)?;
    let mut found = Vec::new();
    for term in terms {
        let address = term.text()?;
        let body = std::thread::scope(|threads| threads.spawn(|| request.fetch(&address)).join())
            .map_err(|_| Fault::failed(format!("`{address}` could not be fetched")))?;
        let body = body.map_err(|error| Fault::failed(format!("`{address}` could not be fetched: {error}")))?;
        if split {
            found.extend(text::lines(&body, false).into_iter().map(Val::str));
        } else {
            found.push(Val::str(body));
        }
    }
    Ok(found)
}

struct Request {
    verify: bool,
    timeout: f64,
    user: Option<Arc<str>>,
    password: Option<Arc<str>>,
    agent: Arc<str>,
    headers: Vec<(String, String)>,
}

impl Request {
    fn fetch(&self, address: &str) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let mut builder = reqwest::blocking::Client::builder()
            .timeout(Duration::from_secs_f64(self.timeout.clamp(0.1, 86_400.0)))
            .user_agent(self.agent.as_ref());
        builder = if self.verify { builder.tls_backend_preconfigured(tls) } else { builder.tls_danger_accept_invalid_certs(true) };
        let mut request = builder.build()?.get(address);
        if let Some(user) = &self.user {
            request = request.basic_auth(user, self.password.as_ref());
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        Ok(request.send()?.error_for_status()?.text()?)
    }
}
