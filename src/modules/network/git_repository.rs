//! A repository on the host and where it comes from: what `git` is asked, and what it is told to do.

use std::path::{Path, PathBuf};

use crate::base::Value;
use crate::system::{Command, Completed, Failure, Result, System};

pub struct Repository {
    pub program: PathBuf,
    pub url: String,
    pub dest: PathBuf,
    pub remote: String,
    pub version: String,
    pub refspec: Option<String>,
    pub reference: Option<String>,
    pub depth: Option<u32>,
    pub bare: bool,
    pub recursive: bool,
    pub single_branch: bool,
    pub track_submodules: bool,
    pub force: bool,
    pub separate_git_dir: Option<PathBuf>,
    /// Fingerprints that may have signed (any when empty); `None`: signatures do not matter.
    pub verify: Option<Vec<String>>,
    pub umask: Option<u32>,
    pub ssh: String,
}

/// What the version is over there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Head,
    Branch,
    Tag,
    /// A commit, or something only this side knows.
    Other,
}

/// The ssh that git is to use. Values stand in it as words of one line, which git hands to a shell: each is quoted.
pub fn ssh_command(options: Option<&str>, accept_any: bool, accept_new: bool, key: Option<&Path>) -> String {
    let mut command = String::from("ssh");
    if let Some(options) = options {
        command = format!("{command} {options}");
    }
    let has = |text: &str| options.is_some_and(|options| options.contains(text));
    if !has("StrictHostKeyChecking") {
        match (accept_any, accept_new) {
            (true, _) => command.push_str(" -o StrictHostKeyChecking=no"),
            (_, true) => command.push_str(" -o StrictHostKeyChecking=accept-new"),
            _ => {}
        }
    }
    command.push_str(" -o BatchMode=yes");
    if let Some(key) = key {
        let quoted = key.to_string_lossy().replace('\'', r"'\''");
        command = format!("{command} -i '{quoted}' -o IdentitiesOnly=yes");
    }
    command
}

impl Repository {
    /// The name under which its revision is known.
    pub fn name(&self) -> String {
        self.dest.to_string_lossy().into_owned()
    }

    fn anywhere(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program).args(arguments.iter().copied());
        command.umask = self.umask;
        command.env("GIT_SSH_COMMAND", &self.ssh).env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C").env("LANGUAGE", "C")
    }

    /// A command in the repository.
    pub fn git(&self, arguments: &[&str]) -> Command {
        self.anywhere(arguments).in_directory(&self.dest)
    }

    fn ask(&self, arguments: &[&str], sys: &System) -> Result<Completed> {
        sys.query_command(self.git(arguments))
    }

    fn tell(&self, arguments: &[&str], doing: &str, sys: &System) -> Result<()> {
        sys.query_command(self.git(arguments))?.check(doing).map(drop)
    }

    pub fn exists(&self, sys: &System) -> Result<bool> {
        let known = sys.query_record("git", &self.name(), || Ok(None))?;
        let config = if self.bare { self.dest.join("config") } else { self.dest.join(".git") };
        Ok(known.is_some() || sys.query_file(&config)?.is_some())
    }

    /// The commit that is checked out; `None` in a repository without one.
    pub fn revision(&self, sys: &System) -> Result<Option<String>> {
        let found = sys.query_record("git", &self.name(), || {
            let said = self.ask(&["rev-parse", "--verify", "--quiet", "HEAD"], sys)?;
            Ok(said.ok().then(|| Value::from(said.stdout_text().trim())))
        })?;
        Ok(found.as_ref().and_then(Value::as_str).map(Into::into))
    }

    /// Lines of `ls-remote`: commit and name.
    fn remote_refs(&self, sys: &System) -> Result<Vec<(String, String)>> {
        let patterns: Vec<String> = match self.version.as_str() {
            "HEAD" => vec!["HEAD".into()],
            version => vec![format!("refs/heads/{version}"), format!("refs/tags/{version}"), format!("refs/tags/{version}^{{}}")],
        };
        let command = self.anywhere(&["ls-remote", "--", &self.url]).args(patterns);
        let said = sys.query_command(command)?.check(&format!("ask `{}` for `{}`", shown(&self.url), self.version))?;
        let text = said.stdout_text();
        Ok(text.lines().filter_map(|line| line.split_once('\t')).map(|(commit, name)| (commit.to_owned(), name.to_owned())).collect())
    }

    fn kind(&self, refs: &[(String, String)]) -> (Kind, Option<String>) {
        let find = |name: String| refs.iter().find(|(_, known)| *known == name).map(|(commit, _)| commit.clone());
        if self.version == "HEAD" {
            return (Kind::Head, find("HEAD".into()));
        }
        if let Some(commit) = find(format!("refs/heads/{}", self.version)) {
            return (Kind::Branch, Some(commit));
        }
        // An annotated tag is an object of its own; what it points to is the commit.
        let tag = find(format!("refs/tags/{}^{{}}", self.version)).or_else(|| find(format!("refs/tags/{}", self.version)));
        match tag {
            Some(commit) => (Kind::Tag, Some(commit)),
            None => (Kind::Other, None),
        }
    }

    /// The commit that the version is over there; a version that is no branch and no tag is taken for a commit.
    pub fn remote_revision(&self, sys: &System) -> Result<String> {
        let (_, commit) = self.kind(&self.remote_refs(sys)?);
        Ok(commit.unwrap_or_else(|| self.version.clone()))
    }

    /// The commit to have in the end.
    pub fn wanted_revision(&self, sys: &System) -> Result<String> {
        let wanted = self.remote_revision(sys)?;
        if wanted != self.version {
            return Ok(wanted);
        }
        let known = self.ask(&["rev-parse", "--verify", "--quiet", &format!("{wanted}^{{commit}}")], sys)?;
        Ok(if known.ok() { known.stdout_text().trim().to_owned() } else { wanted })
    }

    /// Whether tracked files differ from the commit.
    pub fn is_modified(&self, sys: &System) -> Result<bool> {
        if self.bare {
            return Ok(false);
        }
        let said = self.ask(&["status", "--porcelain", "--untracked-files=no"], sys)?.check("look for local modifications")?;
        Ok(!said.stdout.is_empty())
    }

    /// Whether the remote is another one than asked for.
    pub fn is_moved(&self, sys: &System) -> Result<bool> {
        let said = self.ask(&["config", "--get", &format!("remote.{}.url", self.remote)], sys)?;
        let plain = |url: &str| url.trim().trim_start_matches("file://").trim_end_matches('/').to_owned();
        Ok(!said.ok() || plain(&said.stdout_text()) != plain(&self.url))
    }

    /// Whether the branch asked for is the one that is checked out.
    pub fn is_on_version(&self, sys: &System) -> Result<bool> {
        if self.bare || self.version == "HEAD" {
            return Ok(true);
        }
        let branch = self.ask(&["symbolic-ref", "--short", "--quiet", "HEAD"], sys)?.stdout_text();
        let (kind, _) = self.kind(&self.remote_refs(sys)?);
        Ok(match kind {
            Kind::Branch => branch.trim() == self.version,
            _ => branch.trim().is_empty(),
        })
    }

    pub fn submodules_differ(&self, sys: &System) -> Result<bool> {
        if !self.recursive || sys.query_file(&self.dest.join(".gitmodules"))?.is_none() {
            return Ok(false);
        }
        if self.track_submodules {
            let dry = self.ask(&["submodule", "foreach", "--quiet", "git fetch --quiet && git rev-list --count HEAD..@{upstream}"], sys)?;
            if dry.ok() && dry.stdout_text().lines().any(|count| count.trim() != "0") {
                return Ok(true);
            }
        }
        let said = self.ask(&["submodule", "status"], sys)?.check("look at the submodules")?;
        Ok(said.stdout_text().lines().any(|line| !line.starts_with(' ')))
    }

    pub fn clone_it(&self, sys: &mut System) -> Result<()> {
        if let Some(folder) = self.dest.parent() {
            sys.make_directory(folder, &crate::system::Attributes::default())?;
        }
        let (kind, _) = self.kind(&self.remote_refs(sys)?);
        let mut words: Vec<String> = vec!["clone".into()];
        match self.bare {
            true => words.push("--bare".into()),
            false => words.extend(["--origin".into(), self.remote.clone()]),
        }
        let is_named = matches!(kind, Kind::Branch | Kind::Tag);
        match self.depth {
            Some(depth) if is_named || kind == Kind::Head || self.refspec.is_some() => words.extend(["--depth".into(), depth.to_string()]),
            Some(_) => sys.warn(
                "Ignoring depth argument. Shallow clones are only available for HEAD, branches, tags or in combination with refspec.",
            ),
            None => {}
        }
        if is_named && self.refspec.is_none() && (self.depth.is_some() || self.single_branch) {
            words.extend(["--branch".into(), self.version.clone()]);
        }
        if self.single_branch {
            words.push("--single-branch".into());
        }
        if let Some(reference) = &self.reference {
            words.extend(["--reference".into(), reference.clone()]);
        }
        if let Some(folder) = &self.separate_git_dir {
            words.push(format!("--separate-git-dir={}", folder.display()));
        }
        words.extend(["--".into(), self.url.clone(), self.name()]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        sys.query_command(self.anywhere(&words))?.check(&format!("clone `{}`", shown(&self.url)))?;
        if self.bare && self.remote != "origin" {
            self.tell(&["remote", "add", &self.remote, &self.url], "name the remote", sys)?;
        }
        if let Some(refspec) = &self.refspec {
            self.fetch(&[refspec.as_str()], sys)?;
        }
        self.settle(&kind, sys)
    }

    pub fn update(&self, sys: &mut System) -> Result<()> {
        if self.force && self.is_modified(sys)? {
            self.tell(&["reset", "--hard", "HEAD"], "throw away local modifications", sys)?;
        }
        if self.is_moved(sys)? {
            self.tell(&["remote", "set-url", &self.remote, &self.url], "change the remote's URL", sys)?;
        }
        let (kind, _) = self.kind(&self.remote_refs(sys)?);
        let branch = format!("+refs/heads/{0}:refs/remotes/{1}/{0}", self.version, self.remote);
        let tag = format!("+refs/tags/{0}:refs/tags/{0}", self.version);
        let mut refs: Vec<&str> = match (self.bare, self.depth, &kind) {
            (true, _, _) => vec!["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"],
            (_, Some(_), Kind::Branch) => vec![&branch],
            (_, Some(_), Kind::Tag) => vec![&tag],
            _ => vec!["--tags"],
        };
        refs.extend(self.refspec.as_deref());
        self.fetch(&refs, sys)?;
        self.settle(&kind, sys)
    }

    fn fetch(&self, refs: &[&str], sys: &System) -> Result<()> {
        let depth = self.depth.map(|depth| format!("--depth={depth}"));
        let (flags, refs): (Vec<&str>, Vec<&str>) = refs.iter().partition(|word| word.starts_with("--"));
        let mut words = vec!["fetch"];
        words.extend(depth.as_deref());
        words.extend(self.force.then_some("--force"));
        words.extend(flags);
        words.push(&self.remote);
        words.extend(refs);
        self.tell(&words, "download remote objects and refs", sys)
    }

    /// Checks the version out, with its submodules, after its signature was looked at.
    fn settle(&self, kind: &Kind, sys: &System) -> Result<()> {
        if let Some(allowed) = &self.verify {
            self.verify(allowed, kind, sys)?;
        }
        if self.bare {
            return Ok(());
        }
        let failed = format!("Failed to checkout {}", self.version);
        let checkout = |words: &[&str]| {
            let done = self.ask(words, sys)?;
            if done.ok() {
                return Ok(());
            }
            Err(Failure::new(format!("{failed}: {}", done.stderr_text().trim())).with("rc", done.rc).with("stderr", done.stderr_text()))
        };
        match kind {
            Kind::Branch => {
                let remote = format!("{}/{}", self.remote, self.version);
                checkout(&["checkout", "--force", "-B", &self.version, &remote])?;
            }
            Kind::Head => {
                let branch = self.head_branch(sys)?;
                checkout(&["checkout", "--force", "-B", &branch, &format!("{}/{branch}", self.remote)])?;
            }
            Kind::Tag => checkout(&["checkout", "--force", "--detach", &format!("refs/tags/{}", self.version)])?,
            Kind::Other => checkout(&["checkout", "--force", "--detach", &self.version])?,
        }
        self.settle_submodules(sys)
    }

    /// The branch that the remote's HEAD is.
    fn head_branch(&self, sys: &System) -> Result<String> {
        let said =
            sys.query_command(self.anywhere(&["ls-remote", "--symref", "--", &self.url, "HEAD"]))?.check("ask for the remote's HEAD")?;
        let text = said.stdout_text();
        let branch = text.lines().find_map(|line| line.strip_prefix("ref: refs/heads/")?.split('\t').next());
        branch.map(Into::into).ok_or_else(|| Failure::new(format!("`{}` does not say which branch its HEAD is", shown(&self.url))))
    }

    fn settle_submodules(&self, sys: &System) -> Result<()> {
        if !self.recursive || sys.query_file(&self.dest.join(".gitmodules"))?.is_none() {
            return Ok(());
        }
        self.tell(&["submodule", "sync", "--recursive"], "bring the submodules' URLs up to date", sys)?;
        let mut words = vec!["submodule", "update", "--init", "--recursive"];
        words.extend(self.track_submodules.then_some("--remote"));
        words.extend(self.force.then_some("--force"));
        self.tell(&words, "init/update submodules", sys)
    }

    fn verify(&self, allowed: &[String], kind: &Kind, sys: &System) -> Result<()> {
        let object = match kind {
            Kind::Head => "HEAD".to_owned(),
            Kind::Branch => format!("{}/{}", self.remote, self.version),
            _ => self.version.clone(),
        };
        let annotated = *kind == Kind::Tag && self.ask(&["cat-file", "-t", &object], sys)?.stdout_text().trim() == "tag";
        let said = self.ask(&[if annotated { "verify-tag" } else { "verify-commit" }, "--raw", &object], sys)?;
        if !said.ok() {
            return Err(Failure::new(format!("Failed to verify GPG signature of commit/tag \"{}\"", self.version))
                .with("rc", said.rc)
                .with("stderr", said.stderr_text())
                .at("verify_commit"));
        }
        let text = said.stderr_text();
        let signer = text.lines().find_map(|line| line.strip_prefix("[GNUPG:] VALIDSIG ")?.split_whitespace().last().map(str::to_owned));
        if allowed.is_empty() || signer.as_ref().is_some_and(|signer| allowed.contains(signer)) {
            return Ok(());
        }
        let signer = signer.unwrap_or_else(|| "nobody known".into());
        Err(Failure::new(format!("The gpg_allowlist does not include the public key \"{signer}\" for this commit")).at("gpg_allowlist"))
    }
}

/// A URL without its password.
fn shown(url: &str) -> String {
    super::http::masked(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_with_an_odd_name_is_still_one_word() {
        let command = ssh_command(None, false, true, Some(Path::new("/k/it's; rm")));
        let expected = r"ssh -o StrictHostKeyChecking=accept-new -o BatchMode=yes -i '/k/it'\''s; rm' -o IdentitiesOnly=yes";
        assert_eq!(command, expected);
    }
}
