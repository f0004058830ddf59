//! Links to hosts, made when first needed, kept for the run.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex as StdMutex};
use std::time::Duration;

use tokio::sync::{Mutex, OnceCell};

use crate::base::{Diagnostic, Secret, Value};
use crate::modules::FromArg;
use crate::system::split_words;
use crate::template::{Context, Variable, Variables};
use crate::transport::{BlobStore, Destination, Link, LinkError, Payload, SshOptions};

use super::becoming::Becoming;
use super::settings::Settings;
use super::state::lock;

/// Where a task runs and as whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The inventory host whose task it is.
    pub lane: Arc<str>,
    pub destination: Destination,
    pub becoming: Option<Becoming>,
}

type Slot = Arc<Mutex<Option<Link>>>;

/// The links of a run.
pub struct Connections {
    cache: PathBuf,
    payload: OnceCell<Payload>,
    ways: Mutex<HashMap<Destination, Vec<Arc<Way>>>>,
    widths: Widths,
    blobs: BlobStore,
}

/// How many links lead to one destination at most.
#[derive(Clone, Copy, Debug)]
pub struct Widths {
    pub local: usize,
    pub ssh: usize,
}

impl Widths {
    /// `forks` tasks run at once; with a `shared` overlay they all look at it through one link.
    pub fn new(forks: usize, shared: bool) -> Self {
        // sshd takes ten sessions over one login, and the user's own may be among them.
        let most = |limit: usize| if shared { 1 } else { forks.clamp(1, limit) };
        Widths { local: most(usize::MAX), ssh: most(8) }
    }
}

/// A link to a destination, and those to other users that go through it. Each inventory host has its own as long as that works on
/// something: hosts that share a destination (`local`, a delegation) work there side by side.
struct Way {
    /// The inventory host that used it last.
    lane: StdMutex<Arc<str>>,
    direct: Mutex<Option<Link>>,
    becoming: Mutex<HashMap<Becoming, Slot>>,
}

impl Way {
    /// Ends its agent, and those behind it.
    async fn end(&self, stop: bool) {
        if let Some(link) = self.direct.lock().await.take().filter(Link::is_open) {
            link.end(stop).await;
        }
    }

    /// How much is under way on it; `None` while it is being made.
    fn load(&self) -> Option<usize> {
        let direct = self.direct.try_lock().ok()?;
        Some(direct.as_ref().map_or(0, Link::under_way))
    }
}

/// The way for a host: its own, one that nobody works on, a new one, the one with the least to do.
fn pick(ways: &mut Vec<Arc<Way>>, lane: &Arc<str>, width: usize) -> Arc<Way> {
    if let Some(own) = ways.iter().find(|way| *lock(&way.lane) == *lane) {
        return own.clone();
    }
    let free = ways.iter().find(|way| way.load() == Some(0));
    let way = match free {
        Some(free) => free.clone(),
        None if ways.len() < width => {
            ways.push(Arc::new(Way { lane: StdMutex::new(lane.clone()), direct: Mutex::default(), becoming: Mutex::default() }));
            return ways[ways.len() - 1].clone();
        }
        None => match ways.iter().min_by_key(|way| way.load().unwrap_or(usize::MAX)) {
            // It stays its host's: this one is a guest.
            Some(least) => return least.clone(),
            None => unreachable!("a width is at least one"),
        },
    };
    *lock(&way.lane) = lane.clone();
    way
}

impl Connections {
    /// `cache` is a folder of the user's own.
    pub fn new(cache: PathBuf, blobs: BlobStore, widths: Widths) -> Self {
        Connections { cache, payload: OnceCell::new(), ways: Mutex::default(), widths, blobs }
    }

    /// The link to a place; a link that was lost is made anew.
    ///
    /// # Errors
    /// The host cannot be reached, or become fails.
    pub async fn link(&self, place: &Place) -> Result<Link, LinkError> {
        let width = match place.destination {
            Destination::Local(_) => self.widths.local,
            Destination::Ssh(_) => self.widths.ssh,
        };
        let way = pick(self.ways.lock().await.entry(place.destination.clone()).or_default(), &place.lane, width);
        let direct = self.direct(&way, &place.destination).await?;
        let Some(becoming) = &place.becoming else { return Ok(direct) };
        let slot = way.becoming.lock().await.entry(becoming.clone()).or_default().clone();
        let mut slot = slot.lock().await;
        if let Some(link) = slot.as_ref().filter(|link| link.is_open()) {
            return Ok(link.clone());
        }
        let link = becoming.link(&direct, &place.destination).await?;
        *slot = Some(link.clone());
        Ok(link)
    }

    async fn direct(&self, way: &Way, destination: &Destination) -> Result<Link, LinkError> {
        let mut direct = way.direct.lock().await;
        if let Some(link) = direct.as_ref().filter(|link| link.is_open()) {
            return Ok(link.clone());
        }
        let link = self.open(destination).await?;
        *direct = Some(link.clone());
        Ok(link)
    }

    async fn open(&self, destination: &Destination) -> Result<Link, LinkError> {
        match destination {
            Destination::Local(folder) => Link::local(folder, self.blobs.clone()).await,
            Destination::Ssh(options) => Link::ssh(options, self.payload().await?, self.blobs.clone()).await,
        }
    }

    async fn payload(&self) -> Result<&Payload, LinkError> {
        self.payload
            .get_or_try_init(|| async { Payload::prepare(&self.cache) })
            .await
            .map_err(|error| LinkError::Agent(format!("cannot prepare the agent in `{}`: {error}", self.cache.display())))
    }

    /// Ends all links at the run's end: when the hosts have done what they were given, or at once.
    pub async fn end(&self, stop: bool) {
        let mut ending = tokio::task::JoinSet::new();
        for way in self.ways.lock().await.drain().flat_map(|(_, ways)| ways) {
            ending.spawn(async move { way.end(stop).await });
        }
        while ending.join_next().await.is_some() {}
    }

    /// Forgets the link to a destination: `meta: reset_connection`, a reboot.
    pub async fn forget(&self, destination: &Destination) {
        for way in self.ways.lock().await.remove(destination).unwrap_or_default() {
            tokio::spawn(async move { way.end(false).await });
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
    /// Where this machine's own tasks run.
    pub folder: PathBuf,
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
        "local" => return Ok(Destination::Local(defaults.folder.clone())),
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
        connect_timeout: Duration::from_secs(connect_timeout(reader, settings)?.max(1)),
        program: reader.text(&["ansible_ssh_executable"])?.or_else(|| Some(settings.ssh_executable.clone())),
        persist: "600s".into(),
        control_folder: defaults.control_folder.clone(),
    })))
}

/// Seconds to wait for a host to answer.
///
/// # Errors
/// The variable is no number.
pub fn connect_timeout(reader: &Reader<'_>, settings: &Settings) -> Result<u64, Diagnostic> {
    seconds(reader, "ansible_ssh_timeout").map(|own| own.unwrap_or(settings.timeout))
}

/// A variable that holds seconds.
///
/// # Errors
/// The variable is no number.
pub fn seconds(reader: &Reader<'_>, name: &'static str) -> Result<Option<u64>, Diagnostic> {
    let Some(text) = reader.text(&[name])? else { return Ok(None) };
    let wrong = |_| Diagnostic::error(format!("`{name}` is `{text}`, which is no number of seconds"));
    text.trim().parse().map(Some).map_err(wrong)
}

fn expand_home(path: &str) -> String {
    crate::system::accounts::with_home(path, std::env::var("HOME").ok().as_deref())
}
