//! What a template file can read about itself. Ansible: `generate_ansible_template_vars`.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::base::{Map, Value};

/// Names that only templates see. `given` is the path as it was asked for.
pub fn file_variables(given: &str, path: &Path, managed: &str) -> Map {
    let found = std::fs::metadata(path).ok();
    let modified = found.as_ref().map_or(0, MetadataExt::mtime);
    let owner = found.as_ref().map_or_else(String::new, |found| crate::system::System::local().user_name(found.uid()));
    let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let stamp = jiff::Timestamp::from_second(modified).map(|time| time.strftime("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default();
    [
        ("template_host", Value::from(rustix::system::uname().nodename().to_string_lossy().into_owned())),
        ("template_path", path.to_string_lossy().into_owned().into()),
        ("template_mtime", stamp.into()),
        ("template_uid", owner.into()),
        ("template_run_date", jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string().into()),
        ("template_fullpath", full.to_string_lossy().into_owned().into()),
        ("template_src", given.into()),
        ("ansible_managed", managed.into()),
    ]
    .into_iter()
    .collect()
}
