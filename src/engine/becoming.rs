//! How a task becomes another user: its options, from variables, keywords and settings, and the link to the agent of that user.

use crate::base::{Diagnostic, Secret, Value};
use crate::system::split_words;
use crate::transport::{Destination, Link, LinkError};
use crate::wire::{BecomeMethod, BecomeRequest};

use super::connections::{Reader, connect_timeout, seconds};
use super::keywords::TaskKeywords;
use super::state::Run;

/// As whom a task runs, and how it becomes that user.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Becoming {
    method: Method,
    pub user: String,
    program: Option<String>,
    flags: Vec<String>,
    password: Option<String>,
    /// What `su` asks with; empty: as it is known to ask.
    prompts: Vec<String>,
    chdir: Option<String>,
    /// Seconds to wait for its question or its success.
    patience: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Method {
    Sudo,
    Su,
    Doas,
    Runuser,
}

const METHODS: [(&str, Method); 4] = [("sudo", Method::Sudo), ("su", Method::Su), ("doas", Method::Doas), ("runuser", Method::Runuser)];

/// Seconds that a become program on this machine may be silent, where nothing else is said.
const LOCAL_PATIENCE: u64 = 10;

/// Ansible waits this much longer for a become program than for a connection, in seconds.
const BEYOND_CONNECTING: u64 = 2;

/// As whom a task runs; `None`: as whoever logs in.
///
/// # Errors
/// An option cannot be rendered, or there is no such method.
pub fn read(
    run: &Run,
    keywords: &TaskKeywords<'_>,
    reader: &Reader<'_>,
    destination: &Destination,
) -> Result<Option<Becoming>, Diagnostic> {
    let settings = &run.request.settings;
    let wanted = match reader.flag(&["ansible_become"])? {
        Some(flag) => flag,
        None => keywords.flag("become")?.unwrap_or(settings.become_always),
    };
    if !wanted {
        return Ok(None);
    }
    let method = match reader.text(&["ansible_become_method"])? {
        Some(method) => method,
        None => keywords.text("become_method")?.unwrap_or_else(|| settings.become_method.clone()),
    };
    let (name, method) = method_named(&method)?;
    // Variables of the method's own win over the general ones, and these over keywords.
    let pick = |option: &str| -> Result<Option<String>, Diagnostic> {
        let own = reader.text(&[&format!("ansible_{name}_{option}"), &format!("ansible_become_{option}")])?;
        Ok(own.or(keywords.text(&format!("become_{option}"))?))
    };
    let names = [&format!("ansible_{name}_pass"), "ansible_become_pass", "ansible_become_password"];
    let password = reader.text(&names)?.filter(|password| !password.is_empty());
    let password = password.or_else(|| run.request.become_password.as_ref().map(|secret: &Secret| secret.expose().to_owned()));
    if let Some(password) = &password {
        run.controller.redactor.learn(password);
    }
    let flags = pick("flags")?.or_else(|| Some(settings.become_flags.clone()).filter(|flags| !flags.is_empty()));
    let flags = flags.unwrap_or_else(|| if method == Method::Sudo { "-H -S -n".into() } else { String::new() });
    Ok(Some(Becoming {
        method,
        user: pick("user")?.unwrap_or_else(|| settings.become_user.clone()),
        program: pick("exe")?.or_else(|| settings.become_exe.clone()).filter(|program| !program.is_empty()),
        flags: split_words(&flags),
        password,
        prompts: if method == Method::Su { texts(reader.value(&["ansible_su_prompt_l10n"])?) } else { Vec::new() },
        chdir: if method == Method::Sudo { reader.text(&["ansible_sudo_chdir"])? } else { None },
        patience: match destination {
            Destination::Ssh(_) => connect_timeout(reader, settings)? + BEYOND_CONNECTING,
            Destination::Local(_) => {
                let own = seconds(reader, "ansible_local_become_success_timeout")?;
                own.filter(|seconds| *seconds > 0).unwrap_or(LOCAL_PATIENCE)
            }
        },
    }))
}

fn method_named(method: &str) -> Result<(&'static str, Method), Diagnostic> {
    let short = method.rsplit('.').next().unwrap_or(method);
    METHODS.into_iter().find(|(name, _)| *name == short).ok_or_else(|| {
        let known = METHODS.map(|(name, _)| name);
        Diagnostic::error(format!("Invalid become method specified, could not find matching plugin: '{short}'."))
            .did_you_mean(short, known)
            .help(format!("Hostler knows {}", known.join(", ")))
    })
}

/// A list, or one text with commas.
fn texts(value: Option<Value>) -> Vec<String> {
    match value {
        Some(Value::List(items)) => items.iter().map(Value::to_text).collect(),
        Some(other) => other.to_text().split(',').map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect(),
        None => Vec::new(),
    }
}

impl Becoming {
    /// The method's name, as playbooks have it.
    pub fn method(&self) -> &'static str {
        METHODS.iter().find(|(_, method)| *method == self.method).map_or("sudo", |(name, _)| *name)
    }

    /// A link to an agent of that user, behind the one of whoever logged in.
    ///
    /// # Errors
    /// It is refused, in Ansible's words for the connection where it has some.
    pub async fn link(&self, direct: &Link, destination: &Destination) -> Result<Link, LinkError> {
        if self.user == direct.hello().user {
            return Ok(direct.clone());
        }
        direct.become_user(self.request()).await.map_err(|error| match error {
            LinkError::Silent(said) => LinkError::Silent(self.silence(&said, destination)),
            other => other,
        })
    }

    fn silence(&self, said: &str, destination: &Destination) -> String {
        let seconds = self.patience;
        match destination {
            Destination::Ssh(_) => format!("Timeout ({seconds}s) waiting for privilege escalation prompt: {said}"),
            Destination::Local(_) if said.is_empty() => "Timed out waiting for become success or become password prompt.".into(),
            Destination::Local(_) => {
                format!("Timed out waiting for become success or become password prompt.\n>>> Standard Error\n{said}")
            }
        }
    }

    fn request(&self) -> BecomeRequest {
        let method = match self.method {
            Method::Sudo => BecomeMethod::Sudo,
            Method::Su => BecomeMethod::Su,
            Method::Doas => BecomeMethod::Doas,
            Method::Runuser => BecomeMethod::Runuser,
        };
        BecomeRequest {
            method,
            user: self.user.clone(),
            program: self.program.clone(),
            flags: self.flags.clone(),
            password: self.password.clone(),
            prompts: self.prompts.clone(),
            chdir: self.chdir.clone(),
            patience: self.patience,
        }
    }
}
