//! One link per host and user, made when first needed, kept for the run.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OnceCell};

use crate::base::{Diagnostic, Secret, Value};
use crate::modules::FromArg;
use crate::system::split_words;
use crate::template::{Context, Variable, Variables};
use crate::transport::{BlobStore, Destination, Link, LinkError, Payload, SshOptions};
use crate::wire::{BecomeMethod, BecomeRequest};

use super::settings::Settings;

/// Where a task runs and as whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub destination: Destination,
    pub becoming: Option<Becoming>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Becoming {
    pub method: BecomeKind,
    pub user: String,
    pub program: Option<String>,
    pub flags: Vec<String>,
    pub password: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BecomeKind {
    Sudo,
    Su,
    Doas,
    Runuser,
}

type Slot = Arc<Mutex<Option<Link>>>;

/// The links of a run.
pub struct Connections {
    cache: PathBuf,
    payload: OnceCell<Payload>,
    direct: Mutex<HashMap<Destination, Slot>>,
    becoming: Mutex<HashMap<(Destination, Becoming), Slot>>,
    blobs: BlobStore,
}

impl Connections {
    /// `cache` is a folder of the user's own.
    pub fn new(cache: PathBuf, blobs: BlobStore) -> Self {
        Connections { cache, payload: OnceCell::new(), direct: Mutex::default(), becoming: Mutex::default(), blobs }
    }

    /// The link to a place; a link that was lost is made anew.
    ///
    /// # Errors
    /// The host cannot be reached, or become fails.
    pub async fn link(&self, place: &Place) -> Result<Link, LinkError> {
        let direct = self.direct(&place.destination).await?;
        let Some(becoming) = &place.becoming else { return Ok(direct) };
        if becoming.user == direct.hello().user {
            return Ok(direct);
        }
        let key = (place.destination.clone(), becoming.clone());
        let slot = self.becoming.lock().await.entry(key).or_default().clone();
        let mut slot = slot.lock().await;
        if let Some(link) = slot.as_ref().filter(|link| link.is_open()) {
            return Ok(link.clone());
        }
        let link = direct.become_user(becoming.request()).await?;
        *slot = Some(link.clone());
        Ok(link)
    }

    async fn direct(&self, destination: &Destination) -> Result<Link, LinkError> {
        let slot = self.direct.lock().await.entry(destination.clone()).or_default().clone();
        let mut slot = slot.lock().await;
        if let Some(link) = slot.as_ref().filter(|link| link.is_open()) {
            return Ok(link.clone());
        }
        let link = self.open(destination).await?;
        *slot = Some(link.clone());
        Ok(link)
    }

    /// A link that nobody else uses: for a job in the background.
    ///
    /// # Errors
    /// As `link`.
    pub async fn fresh(&self, place: &Place) -> Result<Link, LinkError> {
        let direct = self.open(&place.destination).await?;
        match &place.becoming {
            Some(becoming) if becoming.user != direct.hello().user => direct.become_user(becoming.request()).await,
            _ => Ok(direct),
        }
    }

    async fn open(&self, destination: &Destination) -> Result<Link, LinkError> {
        match destination {
            Destination::Local => Link::local(self.blobs.clone()).await,
            Destination::Ssh(options) => Link::ssh(options, self.payload().await?, self.blobs.clone()).await,
        }
    }

    async fn payload(&self) -> Result<&Payload, LinkError> {
        self.payload
            .get_or_try_init(|| async { Payload::prepare(&self.cache) })
            .await
            .map_err(|error| LinkError::Agent(format!("cannot prepare the agent in `{}`: {error}", self.cache.display())))
    }

    /// Forgets the link to a destination: `meta: reset_connection`, a reboot.
    pub async fn forget(&self, destination: &Destination) {
        self.direct.lock().await.remove(destination);
        self.becoming.lock().await.retain(|(other, _), _| other != destination);
    }
}

impl Becoming {
    fn request(&self) -> BecomeRequest {
        let method = match self.method {
            BecomeKind::Sudo => BecomeMethod::Sudo,
            BecomeKind::Su => BecomeMethod::Su,
            BecomeKind::Doas => BecomeMethod::Doas,
            BecomeKind::Runuser => BecomeMethod::Runuser,
        };
        BecomeRequest {
            method,
            user: self.user.clone(),
            program: self.program.clone(),
            flags: self.flags.clone(),
            password: self.password.clone(),
        }
    }
}

/// Reads connection variables of one host as plain values.
pub struct Reader<'a> {
    pub context: &'a Context,
    pub templar: &'a crate::template::Templar,
    pub variables: &'a dyn Variables,
}

impl Reader<'_> {
    /// The first of these variables that is set, rendered.
    pub fn value(&self, names: &[&str]) -> Result<Option<Value>, Diagnostic> {
        for name in names {
            match self.variables.get(name) {
                None => {}
                Some(Variable::Value(value)) if value.is_null() => {}
                Some(Variable::Value(value)) => return Ok(Some(value)),
                Some(Variable::Source(node)) => match self.templar.render(&node, self.context).map_err(Diagnostic::from)? {
                    value if value.is_null() => {}
                    value => return Ok(Some(value)),
                },
                Some(Variable::Scope(_)) => {}
            }
        }
        Ok(None)
    }

    pub fn text(&self, names: &[&str]) -> Result<Option<String>, Diagnostic> {
        Ok(self.value(names)?.map(|value| value.to_text()))
    }

    pub fn flag(&self, names: &[&str]) -> Result<Option<bool>, Diagnostic> {
        let Some(value) = self.value(names)? else { return Ok(None) };
        bool::from_arg(&value).map(Some).map_err(|why| Diagnostic::error(format!("`{}` {why}", names[0])))
    }
}

/// What the play and command line say where no variable does.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    pub connection: Option<String>,
    pub user: Option<String>,
    pub port: Option<u16>,
    pub password: Option<Secret>,
    pub control_folder: PathBuf,
}

/// Where a host is, from its variables.
///
/// # Errors
/// A variable cannot be rendered or makes no sense.
pub fn destination(
    host: &str,
    is_implicit: bool,
    reader: &Reader<'_>,
    settings: &Settings,
    defaults: &Defaults,
) -> Result<Destination, Diagnostic> {
    let connection = reader.text(&["ansible_connection"])?.or_else(|| defaults.connection.clone());
    let connection = connection.unwrap_or_else(|| if is_implicit { "local".into() } else { settings.transport.clone() });
    match connection.strip_prefix("ansible.builtin.").unwrap_or(&connection) {
        "local" => return Ok(Destination::Local),
        "ssh" | "smart" | "paramiko" | "paramiko_ssh" => {}
        other => {
            return Err(Diagnostic::error(format!("the connection plugin '{other}' was not found")).help("Hostler knows ssh and local"));
        }
    }
    let mut arguments = Vec::new();
    for (names, fallback) in
        [(&["ansible_ssh_common_args"][..], &settings.ssh_common_args), (&["ansible_ssh_extra_args"][..], &settings.ssh_extra_args)]
    {
        arguments.extend(split_words(&reader.text(names)?.unwrap_or_else(|| fallback.clone())));
    }
    if let Some(own) = reader.text(&["ansible_ssh_args"])? {
        arguments.extend(split_words(&own));
    }
    let port = match reader.value(&["ansible_port", "ansible_ssh_port"])? {
        Some(value) => {
            let wrong = |_| Diagnostic::error(format!("`ansible_port` of `{host}` is `{}`, which is no port", value.to_text()));
            Some(value.to_text().parse().map_err(wrong)?)
        }
        None => defaults.port.or(settings.remote_port),
    };
    let password = reader.text(&["ansible_password", "ansible_ssh_pass", "ansible_ssh_password"])?.map(Secret::new);
    Ok(Destination::Ssh(Box::new(SshOptions {
        host: reader.text(&["ansible_host", "ansible_ssh_host"])?.unwrap_or_else(|| host.to_owned()),
        user: reader
            .text(&["ansible_user", "ansible_ssh_user"])?
            .or_else(|| defaults.user.clone())
            .or_else(|| settings.remote_user.clone()),
        port,
        private_key: reader
            .text(&["ansible_private_key_file", "ansible_ssh_private_key_file"])?
            .map(|path| PathBuf::from(expand_home(&path)))
            .or_else(|| settings.private_key_file.clone()),
        arguments,
        password: password.or_else(|| defaults.password.clone()),
        check_host_key: reader.flag(&["ansible_ssh_host_key_checking", "ansible_host_key_checking"])?.unwrap_or(settings.host_key_checking),
        connect_timeout: Duration::from_secs(settings.timeout.max(1)),
        program: reader.text(&["ansible_ssh_executable"])?.or_else(|| Some(settings.ssh_executable.clone())),
        persist: "600s".into(),
        control_folder: defaults.control_folder.clone(),
    })))
}

fn expand_home(path: &str) -> String {
    match (path.strip_prefix("~/"), std::env::var("HOME")) {
        (Some(rest), Ok(home)) => format!("{home}/{rest}"),
        _ => path.to_owned(),
    }
}
