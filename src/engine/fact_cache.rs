//! Facts kept between runs: `fact_caching = jsonfile`, one file a host, as ansible-core reads and writes them.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::base::{Map, Value};

use super::settings::Settings;

/// The folder of the files.
#[derive(Clone, Debug)]
pub struct FactCache {
    folder: PathBuf,
    /// What the names of the files begin with.
    prefix: String,
    /// How old a file may be.
    lifetime: Option<Duration>,
}

impl FactCache {
    /// The cache that the settings name; `None`: facts live as long as the run.
    pub fn of(settings: &Settings) -> Option<Self> {
        let kind = settings.fact_caching.strip_prefix("ansible.builtin.").unwrap_or(&settings.fact_caching);
        let folder = settings.fact_caching_connection.clone().filter(|_| kind == "jsonfile")?;
        let seconds = settings.fact_caching_timeout;
        let prefix = settings.fact_caching_prefix.clone();
        Some(FactCache { folder, prefix, lifetime: (seconds > 0).then(|| Duration::from_secs(seconds)) })
    }

    fn file(&self, host: &str) -> Option<PathBuf> {
        // A host's name is not allowed to lead out of the folder.
        (!host.contains('/') && !host.starts_with('.')).then(|| self.folder.join(format!("{}{host}", self.prefix)))
    }

    /// What is known of a host; nothing when it is too old or no JSON.
    pub fn load(&self, host: &str) -> Map {
        let read = || {
            let file = self.file(host)?;
            let age = SystemTime::now().duration_since(file.metadata().ok()?.modified().ok()?).unwrap_or_default();
            if self.lifetime.is_some_and(|lifetime| age > lifetime) {
                return None;
            }
            serde_json::from_slice(&std::fs::read(file).ok()?).ok()
        };
        match read().map(Value::from_json) {
            Some(Value::Map(facts)) => facts.as_ref().clone(),
            _ => Map::new(),
        }
    }

    /// Keeps what is known of a host.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn store(&self, host: &str, facts: &Map) -> std::io::Result<()> {
        let Some(file) = self.file(host) else { return Ok(()) };
        std::fs::create_dir_all(&self.folder)?;
        let text = Value::from(facts.clone()).to_json().to_string();
        write_whole(&file, text.as_bytes())
    }

    pub fn forget(&self, host: &str) {
        if let Some(file) = self.file(host) {
            // What is not there is forgotten.
            std::fs::remove_file(file).unwrap_or_default();
        }
    }
}

/// A reader sees the old content or the new one.
fn write_whole(file: &Path, content: &[u8]) -> std::io::Result<()> {
    let fresh = file.with_file_name(format!(".{}.new", uuid::Uuid::new_v4().simple()));
    std::fs::write(&fresh, content)?;
    std::fs::rename(&fresh, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_come_back_until_they_are_too_old_or_forgotten() {
        let folder = tempfile::tempdir().expect("makes a folder");
        let cache = FactCache { folder: folder.path().join("facts"), prefix: "of_".into(), lifetime: None };
        let facts: Map = [("ansible_os_family", "Debian")].into_iter().collect();
        cache.store("web1", &facts).expect("is written");
        assert!(folder.path().join("facts/of_web1").is_file());
        assert_eq!(cache.load("web1"), facts);
        assert!(cache.load("web2").is_empty());
        let strict = FactCache { lifetime: Some(Duration::ZERO), ..cache.clone() };
        std::thread::sleep(Duration::from_millis(5));
        assert!(strict.load("web1").is_empty());
        cache.forget("web1");
        assert!(cache.load("web1").is_empty());
        assert!(cache.file("../web1").is_none());
    }
}
