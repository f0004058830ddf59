//! `ansible.builtin.get_url`: a file is what a URL gives, checked by its checksum.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::base::{Map, Secret, Value};
use crate::modules::files::attributes::{FileAttributes, with_path_info};
use crate::modules::{Module, Output, module_args};
use crate::system::{Checksum, Failure, Result, System, WriteFile};

use super::http::{Follow, HttpOptions, Request, Response, masked};

pub struct GetUrl;

module_args! {
    /// Downloads a file to the host.
    pub struct GetUrlArgs {
        /// Where from: http, https, or `file:` on the host.
        url: String,
        /// The file, or a folder to put it in under the server's name for it.
        dest: PathBuf,
        /// Keep the old file under a dated name.
        backup: bool = false,
        /// `ALGORITHM:DIGEST`, or `ALGORITHM:URL` of a file of digests.
        checksum: String = "",
        /// Seconds to wait for the server.
        timeout: u64 = 10_u64,
        /// Headers to send.
        headers: Option<Map>,
        /// Has no effect: the file is written beside its destination.
        tmp_dest: Option<PathBuf>,
        /// User name.
        url_username | "username": Option<String>,
        /// Password.
        url_password | "password": Option<Secret>,
    }
    flatten { http: HttpOptions, file: FileAttributes }
}

/// A checksum that the file must have.
struct Wanted {
    algorithm: Checksum,
    digest: String,
}

impl Module for GetUrl {
    const NAME: &'static str = "ansible.builtin.get_url";
    type Args = GetUrlArgs;

    fn run(mut args: GetUrlArgs, sys: &mut System) -> Result<Output> {
        let wanted = wanted_checksum(&args, sys)?;
        let there = sys.query_file(&args.dest)?;
        let is_folder = there.as_ref().is_some_and(|found| found.is_directory());
        let mut modified = None;
        if let Some(found) = there.filter(|_| !is_folder) {
            modified = Some(found.modified);
            if let Some(wanted) = wanted.as_ref().filter(|_| !args.http.force) {
                if sys.query_checksum(&args.dest, wanted.algorithm)? == wanted.digest {
                    let changed = sys.set_attributes(&sys.query_canonical(&args.dest)?, &args.file.wanted())?;
                    let message = if changed { "file already exists but file attributes changed" } else { "file already exists" };
                    let output = result(&args, &args.dest, 0).message(message);
                    return with_path_info(output.with("checksum_dest", None::<String>), &args.dest, sys);
                }
                // What is there is wrong, however new it is.
                args.http.force = true;
            }
        }
        let started = Instant::now();
        let response = ask(&args, &args.url, modified, sys)?;
        let elapsed = started.elapsed().as_secs();
        if response.status == 304 {
            let output = result(&args, &args.dest, elapsed).message(response.message()).with("status_code", response.status);
            return Ok(output);
        }
        if response.status != 200 {
            return Err(Failure::new("Request failed")
                .with("status_code", response.status)
                .with("response", response.message())
                .with("url", masked(&args.url))
                .with("dest", args.dest.to_string_lossy().into_owned())
                .with("elapsed", elapsed));
        }
        let dest = if is_folder { args.dest.join(name_of(&response)) } else { args.dest.clone() };
        if let Some(wanted) = &wanted {
            let found = wanted.algorithm.of(&response.body);
            if found != wanted.digest {
                let message = format!("The checksum for {} did not match {}; it was {found}.", masked(&args.url), wanted.digest);
                return Err(Failure::new(message)
                    .with("url", masked(&args.url))
                    .with("dest", dest.to_string_lossy().into_owned())
                    .at("checksum"));
            }
        }
        write(&args, response, &dest, elapsed, sys)
    }
}

fn write(args: &GetUrlArgs, response: Response, dest: &Path, elapsed: u64, sys: &mut System) -> Result<Output> {
    let folder = sys.absolute(dest).parent().unwrap_or(Path::new("/")).to_owned();
    if sys.query_file(&folder)?.is_none() {
        return Err(Failure::new(format!("Destination {} does not exist", folder.display())).at("dest"));
    }
    let before = match sys.query_file(dest)? {
        Some(found) if found.is_file() => Some(sys.query_checksum(dest, Checksum::Sha1)?),
        _ => None,
    };
    let output = result(args, dest, elapsed)
        .message(response.message())
        .with("status_code", response.status)
        .with("checksum_src", Checksum::Sha1.of(&response.body))
        .with("checksum_dest", before)
        .with("md5sum", Checksum::Md5.of(&response.body))
        .with("src", response.url.as_str());
    let file =
        WriteFile::new(dest, response.body).attributes(args.file.wanted()).backup(args.backup).in_place(args.file.may_write_in_place(sys));
    let written = sys.write_file(file)?;
    let output = match written.backup_file {
        Some(backup) => output.with("backup_file", backup.to_string_lossy().into_owned()),
        None => output,
    };
    with_path_info(output, dest, sys)
}

fn result(args: &GetUrlArgs, dest: &Path, elapsed: u64) -> Output {
    Output::new().with("url", masked(&args.url)).with("dest", dest.to_string_lossy().into_owned()).with("elapsed", elapsed)
}

fn ask(args: &GetUrlArgs, url: &str, modified_since: Option<SystemTime>, sys: &mut System) -> Result<Response> {
    if let Some(path) = url.strip_prefix("file://") {
        let body = sys.query_content(Path::new(path))?.to_vec();
        let headers = vec![("content-length".to_owned(), body.len().to_string())];
        return Ok(Response { status: 200, url: url.to_owned(), headers, cookies: Vec::new(), body });
    }
    let headers = args.headers.iter().flat_map(Map::iter).map(|(name, value)| (name.to_string(), value.to_text())).collect();
    let request = Request {
        headers,
        user: args.url_username.clone(),
        password: args.url_password.clone(),
        timeout: Duration::from_secs(args.timeout),
        follow: Follow::Usual,
        modified_since,
        ..Request::get(url)
    };
    request.send(&args.http, sys).map_err(|failure| failure.with("dest", args.dest.to_string_lossy().into_owned()).with("url", masked(url)))
}

/// The name that the server has for the file, without any folders.
pub(super) fn name_of(response: &Response) -> String {
    let disposition = response.header("content-disposition").unwrap_or_default();
    let named = disposition.split(';').find_map(|part| part.trim().strip_prefix("filename="));
    let named = named.map(|name| name.trim_matches('"').rsplit('/').next().unwrap_or_default().to_owned());
    named.filter(|name| !name.is_empty() && name != "." && name != "..").unwrap_or_else(|| name_in(&response.url))
}

/// The last part of a URL's path.
fn name_in(url: &str) -> String {
    let path = url::Url::parse(url).map(|url| url.path().to_owned()).unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    if name.is_empty() || name == ".." { "index.html".into() } else { name.to_owned() }
}

fn wanted_checksum(args: &GetUrlArgs, sys: &mut System) -> Result<Option<Wanted>> {
    if args.checksum.is_empty() {
        return Ok(None);
    }
    let refused = |message: String| Failure::new(message).at("checksum");
    let Some((algorithm, given)) = args.checksum.split_once(':') else {
        return Err(refused("The checksum parameter has to be in format <algorithm>:<checksum>".into()));
    };
    let Some(algorithm) = Checksum::named(algorithm) else {
        return Err(refused(format!("`{algorithm}` is no checksum that is known; these are: md5, sha1, sha224, sha256, sha384, sha512")));
    };
    let is_url = ["http://", "https://", "file://"].iter().any(|scheme| given.starts_with(scheme));
    let digest = match is_url {
        true => {
            let response = ask(args, given, None, sys)?;
            if response.status != 200 {
                return Err(refused(format!("the checksums at `{}` cannot be had: {}", masked(given), response.message())));
            }
            let name = name_in(&args.url);
            let text = String::from_utf8_lossy(&response.body).into_owned();
            digest_for(&name, &text)
                .ok_or_else(|| refused(format!("Unable to find a checksum for file '{name}' in '{}'", masked(given))))?
        }
        false => given.to_owned(),
    };
    let digest: String = digest.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect::<String>().to_lowercase();
    if digest.is_empty() || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(refused("The checksum format is invalid".into()));
    }
    Ok(Some(Wanted { algorithm, digest }))
}

/// A file's digest out of a list: `DIGEST  NAME`, `ALGORITHM (NAME) = DIGEST`, or nothing but a digest.
fn digest_for(name: &str, text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    if let [only] = lines.as_slice()
        && only.split_whitespace().count() == 1
    {
        return Some(only.trim().to_owned());
    }
    lines.iter().find_map(|line| {
        if let Some((head, digest)) = line.rsplit_once(") = ").or_else(|| line.rsplit_once(")= "))
            && let Some((_, path)) = head.split_once('(')
        {
            return (path == name).then(|| digest.trim().to_owned());
        }
        let (digest, path) = line.split_once(char::is_whitespace)?;
        let path = path.trim_start().trim_start_matches('*').trim_start_matches(['.', '/']);
        (path == name).then(|| digest.to_owned())
    })
}

/// What a URL gives, for modules that take a URL among other sources.
pub fn download(url: &str, validate_certs: bool, sys: &mut System) -> Result<Vec<u8>> {
    use crate::modules::ModuleArgs;
    let options = HttpOptions::parse([("validate_certs", Value::Bool(validate_certs))].into_iter().collect(), "get_url")?;
    let response = Request::get(url).send(&options, sys)?;
    match response.status {
        200 => Ok(response.body),
        _ => Err(Failure::new(format!("Failure downloading {}, {}", masked(url), response.message()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::network::testing::{Server, reply};
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    #[test]
    fn a_digest_is_found_in_lists_of_every_kind() {
        assert_eq!(digest_for("a.tar", "abc\n").as_deref(), Some("abc"));
        assert_eq!(digest_for("a.tar", "111  other\nabc *./a.tar\n").as_deref(), Some("abc"));
        assert_eq!(digest_for("a.tar", "SHA256 (a.tar) = abc\nSHA256 (b) = 1\n").as_deref(), Some("abc"));
        assert_eq!(digest_for("a.tar", "111  other\n222  more\n"), None);
    }

    #[test]
    fn a_file_is_downloaded_once_and_checked() {
        let server = Server::start(|_| reply("200 OK", "hello"));
        let mut machine = Machine::new(Overlay::empty().with_directory("/opt"));
        let task =
            |digest: &str| format!("get_url: {{ url: '{}/a/b.txt', dest: /opt, checksum: 'sha1:{digest}', use_proxy: false }}", server.url);
        let ran = machine.task(&task("aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d")).expect("runs");
        assert_eq!(ran.output.values.text("dest"), Some("/opt/b.txt"));
        assert_eq!(machine.sys.query_text(Path::new("/opt/b.txt")).expect("reads"), "hello");
        let message = machine.refusal(&task("0000"));
        assert!(message.contains("did not match 0000; it was aaf4c6"), "{message}");
    }

    #[test]
    fn the_right_file_is_not_asked_for_again() {
        let server = Server::start(|_| reply("200 OK", "hello"));
        let mut machine = Machine::new(Overlay::empty().with_file("/opt/b", "hello"));
        let checksum = "md5:5d41402abc4b2a76b9719d911017c592";
        let ran = machine.task(&format!("get_url: {{ url: '{}/b', dest: /opt/b, checksum: '{checksum}' }}", server.url)).expect("runs");
        assert_eq!(ran.output.values.text("msg"), Some("file already exists"));
        assert!(server.asked().is_empty());
    }

    #[test]
    fn a_server_that_refuses_is_told_with_its_status() {
        let server = Server::start(|_| reply("404 Not Found", ""));
        let mut machine = Machine::new(Overlay::empty().with_directory("/opt"));
        let task = format!("get_url: {{ url: '{}/b', dest: /opt/b, use_proxy: false }}", server.url);
        assert_eq!(machine.refusal(&task), "Request failed");
    }

    #[test]
    fn the_server_cannot_name_a_file_in_another_folder() {
        let response = |value: &str| Response {
            url: "http://host/a/b.zip?x=1".into(),
            headers: vec![("content-disposition".into(), value.into())],
            ..Response::default()
        };
        assert_eq!(name_of(&response("attachment; filename=\"../../etc/passwd\"")), "passwd");
        assert_eq!(name_of(&response("attachment; filename=\"..\"")), "b.zip");
        assert_eq!(name_of(&response("inline")), "b.zip");
    }
}
