//! `ansible.builtin.apt_repository`: a line of apt's sources is there, or is not.

use std::path::{Path, PathBuf};

use crate::base::Value;
use crate::modules::{Module, Output, choices, module_args};
use crate::system::{Attributes, Failure, Known, Mode, Result, System, WriteFile};

use super::apt_get::quiet;

pub struct AptRepository;

choices! {
    pub enum State { Present = "present", Absent = "absent" }
}

module_args! {
    /// Adds a repository to apt's sources, or removes it.
    pub struct RepositoryArgs {
        /// The line: `deb [signed-by=…] URL SUITE COMPONENT…`.
        repo: String,
        /// Whether it should be there.
        state: State = State::Present,
        /// Mode of the file.
        mode: Option<Mode>,
        /// Fetch the package lists when it was changed.
        update_cache | "update-cache": bool = true,
        /// Name of the file below sources.list.d, without `.list`; made from the address when not given.
        filename: Option<String>,
    }
    accepts {
        /// How often to try to fetch the lists; apt tries again by itself.
        update_cache_retries: i64,
        /// Longest pause between two tries.
        update_cache_retry_max_delay: i64,
        /// Check the server's certificate, for Ubuntu's PPAs.
        validate_certs: bool,
        /// Code name of the release, for Ubuntu's PPAs.
        codename: String,
        /// Install python3-apt; not needed here.
        install_python_apt: bool,
    }
}

const FOLDER: &str = "/etc/apt/sources.list.d";

impl Module for AptRepository {
    const NAME: &'static str = "ansible.builtin.apt_repository";
    type Args = RepositoryArgs;

    fn run(args: RepositoryArgs, sys: &mut System) -> Result<Output> {
        let wanted = Source::parse(&args.repo)?;
        let mut files: Vec<PathBuf> = vec![PathBuf::from("/etc/apt/sources.list")];
        files.extend(sys.query_glob(&Path::new(FOLDER).join("*.list"))?);
        let mut found = false;
        let mut changed = Vec::new();
        for path in files {
            if sys.query_file(&path)?.is_none() {
                continue;
            }
            let text = sys.query_text(&path)?;
            let is_wanted =
                |line: &&str| Source::parse(line.split('#').next().unwrap_or_default().trim()).is_ok_and(|source| source == wanted);
            found |= text.lines().any(|line| is_wanted(&line));
            if args.state == State::Absent && text.lines().any(|line| is_wanted(&line)) {
                let kept: String = text.lines().filter(|line| !is_wanted(line)).map(|line| format!("{line}\n")).collect();
                let own = path.starts_with(FOLDER) && kept.trim().is_empty();
                if own {
                    sys.remove(&path)?;
                } else {
                    sys.write_file(WriteFile::new(&path, kept))?;
                }
                changed.push(path);
            }
        }
        if args.state == State::Present && !found {
            changed.push(add(&args, &wanted, sys)?);
        }
        if !changed.is_empty() && args.update_cache {
            let now = sys.query_time().timestamp().as_second();
            let outcome = sys.refresh(quiet("apt-get").arg("update"), "apt lists", "time", Value::Int(now))?;
            if let Known::Now(completed) = outcome {
                completed.check("fetch the package lists")?;
            }
        }
        let paths = |wanted: bool| {
            let all = changed.iter().filter(move |_| wanted).map(|path| path.to_string_lossy().into_owned());
            Value::list(all.collect::<Vec<_>>())
        };
        let present = args.state == State::Present;
        Ok(Output::new()
            .with("repo", args.repo)
            .with("state", args.state)
            .with("sources_added", paths(present))
            .with("sources_removed", paths(!present)))
    }
}

fn add(args: &RepositoryArgs, wanted: &Source, sys: &mut System) -> Result<PathBuf> {
    let name = args.filename.clone().unwrap_or_else(|| wanted.file_name());
    let path = if name.starts_with('/') {
        PathBuf::from(name)
    } else {
        Path::new(FOLDER).join(name.trim_end_matches(".list").to_owned() + ".list")
    };
    if let Some(folder) = path.parent() {
        sys.make_directory(folder, &Attributes::default())?;
    }
    let before = match sys.query_file(&path)? {
        Some(_) => sys.query_text(&path)?,
        None => String::new(),
    };
    let mode = args.mode.clone().unwrap_or(Mode::Octal(0o644));
    let attributes = Attributes { mode: Some(mode), ..Attributes::default() };
    let separator = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    sys.write_file(WriteFile::new(&path, format!("{before}{separator}{}\n", args.repo.trim())).attributes(attributes))?;
    Ok(path)
}

/// A line of the sources, as apt understands it: spaces do not matter.
#[derive(Debug, PartialEq)]
struct Source {
    words: Vec<String>,
}

impl Source {
    fn parse(line: &str) -> Result<Source> {
        let bad = || Failure::new(format!("Invalid repository string: {line}")).at("repo");
        if line.trim_start().starts_with("ppa:") {
            let message = "PPAs are looked up on Launchpad, which is not supported; write its `deb` line";
            return Err(Failure::new(message).at("repo"));
        }
        let spaced = line.replace('[', " [ ").replace(']', " ] ");
        let words: Vec<String> = spaced.split_whitespace().map(str::to_owned).collect();
        let address = words.iter().find(|word| word.contains(":/") || word.starts_with("cdrom:"));
        match words.first().map(String::as_str) {
            Some("deb" | "deb-src") if address.is_some() && words.len() >= 3 => Ok(Source { words }),
            _ => Err(bad()),
        }
    }

    /// The address as a file name, as Ansible makes it: without the scheme, every other sign an underscore.
    fn file_name(&self) -> String {
        let after = self.words.iter().skip_while(|word| !word.contains(":/")).take(1);
        let address = after.map(String::as_str).collect::<String>();
        let bare = address.split_once("://").map_or(address.as_str(), |(_, rest)| rest);
        let bare = bare.rsplit_once('@').map_or(bare, |(_, host)| host);
        let name: String = bare.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        name.trim_matches('_').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    #[test]
    fn a_repository_gets_its_own_file_once_and_goes_again() {
        let mut machine = Machine::new(Overlay::empty().with_directory("/etc/apt/sources.list.d"));
        let task = "apt_repository: { repo: 'deb [signed-by=/k.gpg] https://apt.example.org/debian bookworm main' }";
        machine.task(task).expect("runs");
        let path = Path::new("/etc/apt/sources.list.d/apt_example_org_debian.list");
        assert!(machine.sys.query_text(path).expect("is there").ends_with("bookworm main\n"));
        let spaced = "apt_repository: { repo: 'deb  [ signed-by=/k.gpg ]  https://apt.example.org/debian bookworm main', state: absent }";
        machine.task(spaced).expect("runs");
        assert!(machine.sys.query_file(path).expect("looks").is_none());
    }

    #[test]
    fn what_is_no_source_is_refused() {
        let mut machine = Machine::new(Overlay::empty());
        assert!(machine.refusal("apt_repository: { repo: nonsense }").starts_with("Invalid repository string"));
        assert!(machine.refusal("apt_repository: { repo: 'ppa:a/b' }").contains("PPA"));
    }
}
