//! The example application, running: `examples/tracker`.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::SystemTime;

use tempfile::TempDir;

/// Where the application will be. Keycloak must know before it starts.
pub struct Place(SocketAddr);

/// The application as a process; it ends when it is dropped.
pub struct Tracker {
    pub url: String,
    child: Child,
    _folder: TempDir,
}

impl Place {
    /// A loopback address of its own: a free port of 127.0.0.1 could be somebody else's by the time that it is used.
    pub fn own() -> Place {
        static COUNT: AtomicU8 = AtomicU8::new(1);
        let [_, _, high, low] = std::process::id().to_be_bytes();
        Place((Ipv4Addr::new(127, high | 128, low, COUNT.fetch_add(1, Ordering::Relaxed)), 5000).into())
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.0)
    }

    /// Boots the application with the groups of its own settings file, for a realm.
    pub fn boot(&self, issuer: &str, secret: &str) -> Tracker {
        let folder = tempfile::tempdir().expect("a folder");
        let mut settings: serde_json::Value =
            serde_saphyr::from_str(include_str!("../../examples/tracker/tracker.yml")).expect("the settings are YAML");
        settings["issuer"] = issuer.into();
        settings["public_url"] = self.url().into();
        settings["listen"] = self.0.to_string().into();
        settings["database"] = folder.path().join("users.sqlite").to_str().into();
        let path = folder.path().join("tracker.yml");
        std::fs::write(&path, settings.to_string()).expect("the settings can be written");
        let mut child = Command::new(program())
            .arg(&path)
            .env("TRACKER_CLIENT_SECRET", secret)
            .env("NO_PROXY", "*")
            .stdout(Stdio::piped())
            // Its log says what its pages say.
            .stderr(Stdio::null())
            .spawn()
            .expect("the example starts");
        let said = BufReader::new(child.stdout.take().expect("a pipe")).lines().next();
        assert!(matches!(said, Some(Ok(line)) if line.starts_with("listening on")), "the example does not listen");
        Tracker { url: self.url(), child, _folder: folder }
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `cargo test` builds the examples, but `cargo test --test all` does not: an old one is refused.
fn program() -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_hostler")).with_file_name("examples").join("tracker");
    let written = |path: &Path| path.metadata().and_then(|about| about.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/tracker");
    let sources = std::fs::read_dir(folder).expect("the example is there").map(|entry| entry.expect("can be read").path());
    let newest = sources.filter(|path| path.extension().is_some_and(|kind| kind == "rs")).map(|path| written(&path)).max();
    assert!(newest <= Some(written(&built)), "the example is not built as it stands: `cargo build --example tracker`");
    built
}
