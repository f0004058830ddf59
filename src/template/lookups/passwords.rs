//! `password`: a password that is made once and kept in a file, so that it is the same in every run.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::base::crypt::random_salt;

use super::super::data::Val;
use super::super::fault::{Fault, Outcome};
use super::super::filters::password::{Scheme, Wanted, hashed};
use super::super::filters::paths;
use super::super::random::Random;
use super::super::scope::Scope;
use super::{Lookup, Options, lookup, parameters};

pub(crate) const LOOKUPS: &[Lookup] = &[lookup("password", password)];

/// Hosts are rendered side by side, and all must get the one password of a file.
static FILES: Mutex<()> = Mutex::new(());

struct Parameters {
    path: String,
    length: usize,
    chars: String,
    encrypt: Option<String>,
    ident: Option<String>,
    seed: Option<String>,
}

/// What a password file holds: `password salt=… ident=…`.
struct Kept {
    password: String,
    salt: Option<String>,
    ident: Option<String>,
}

fn password(terms: Vec<Val>, options: Options, scope: &Arc<Scope>) -> Outcome<Vec<Val>> {
    terms.iter().map(|term| one(&Parameters::read(&term.text()?, &options, scope)?, scope).map(Val::str)).collect()
}

fn one(parameters: &Parameters, scope: &Scope) -> Outcome<String> {
    let _held = FILES.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let path = Path::new(&parameters.path);
    let forget = path == Path::new("/dev/null");
    let known = if forget { None } else { Kept::load(path)? };
    let mut changed = known.is_none();
    let mut kept = known.unwrap_or_else(|| Kept { password: parameters.generate(), salt: None, ident: None });
    let scheme = parameters.encrypt.as_deref().map(Scheme::by_name).transpose()?;
    if let Some(scheme) = scheme {
        if kept.salt.is_none() {
            kept.salt = Some(random_salt(match scheme {
                Scheme::Md5 => 8,
                Scheme::Bcrypt => 22,
                Scheme::Sha256 | Scheme::Sha512 => 16,
            }));
            changed = true;
        }
        if let (Some(stored), Some(asked)) = (&kept.ident, &parameters.ident)
            && stored != asked
        {
            return Err(Fault::failed(format!("the ident `{asked}` is not the one kept in the file (`{stored}`)")));
        }
        if kept.ident.is_none() {
            kept.ident = parameters.ident.clone().or_else(|| (scheme == Scheme::Bcrypt).then(|| "2b".into()));
            changed |= kept.ident.is_some();
        }
    }
    if changed && !forget {
        kept.save(path, scheme.is_some())?;
    }
    scope.context.controller.redactor.learn(&kept.password);
    match scheme {
        None => Ok(kept.password),
        Some(scheme) => hashed(&kept.password, &Wanted { scheme, salt: kept.salt, salt_size: None, rounds: None, ident: kept.ident }),
    }
}

impl Parameters {
    fn read(term: &str, options: &Options, scope: &Scope) -> Outcome<Parameters> {
        let (path, pairs) = parameters::parse(term);
        let known = ["length", "encrypt", "chars", "ident", "seed"];
        if let Some((name, _)) = pairs.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            return Err(Fault::failed(format!("there is no argument `{name}`")).did_you_mean(name, known));
        }
        let option = |name: &str| -> Outcome<Option<String>> {
            match pairs.iter().find(|(known, _)| known == name) {
                Some((_, value)) => Ok(Some(value.clone())),
                None => Ok(options.text(name)?.map(|text| text.to_string())),
            }
        };
        let length = option("length")?.unwrap_or_else(|| "20".into());
        let in_term = pairs.iter().any(|(name, _)| name == "chars");
        let classes: Vec<String> = match options.get("chars").filter(|_| !in_term) {
            Some(list @ (Val::List(_) | Val::Tuple(_))) => {
                list.iterate()?.iter().map(|class| Ok(class.text()?.to_string())).collect::<Outcome<_>>()?
            }
            _ => option("chars")?
                .map_or_else(|| ["ascii_letters", "digits", ".,:-_"].map(str::to_owned).to_vec(), |text| split_classes(&text)),
        };
        Ok(Parameters {
            path: scope.context.controller.directory.join(paths::with_home(&path, scope)).to_string_lossy().into_owned(),
            length: length.parse().map_err(|_| Fault::failed(format!("`length` must be a number, not `{length}`")))?,
            chars: classes.iter().map(|class| characters(class)).collect::<String>().replace(['"', '\''], ""),
            encrypt: option("encrypt")?.filter(|scheme| !scheme.is_empty()),
            ident: option("ident")?,
            seed: option("seed")?,
        })
    }

    fn generate(&self) -> String {
        let mut random = self.seed.as_deref().map_or_else(Random::fresh, Random::of_text);
        let characters: Vec<char> = self.chars.chars().collect();
        if characters.is_empty() {
            return String::new();
        }
        (0..self.length).map(|_| characters[random.below(characters.len() as u64) as usize]).collect()
    }
}

/// Classes with commas between them; a comma itself is `,,`.
fn split_classes(text: &str) -> Vec<String> {
    let comma = text.contains(",,").then(|| ",".to_owned());
    let rest = text.replace(",,", ",");
    comma.into_iter().chain(rest.split(',').filter(|class| !class.is_empty()).map(str::to_owned)).collect()
}

/// The names of Python's `string` module, or the characters themselves.
fn characters(class: &str) -> String {
    let lower = || ('a'..='z').collect::<String>();
    let upper = || ('A'..='Z').collect::<String>();
    let digits = "0123456789";
    let punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    match class {
        "ascii_letters" => lower() + &upper(),
        "ascii_lowercase" => lower(),
        "ascii_uppercase" => upper(),
        "digits" => digits.into(),
        "hexdigits" => "0123456789abcdefABCDEF".into(),
        "octdigits" => "01234567".into(),
        "punctuation" => punctuation.into(),
        "printable" => format!("{digits}{}{}{punctuation} \t\n\r\u{b}\u{c}", lower(), upper()),
        "whitespace" => " \t\n\r\u{b}\u{c}".into(),
        own => own.into(),
    }
}

impl Kept {
    fn load(path: &Path) -> Outcome<Option<Kept>> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Fault::failed(format!("the password file `{}` cannot be read: {error}", path.display()))),
        };
        let text = text.trim_end_matches(['\n', '\r']);
        let (text, ident) = text.rsplit_once(" ident=").map_or((text, None), |(text, ident)| (text, Some(ident.to_owned())));
        let (password, salt) = text.rsplit_once(" salt=").map_or((text, None), |(password, salt)| (password, Some(salt.to_owned())));
        Ok(Some(Kept { password: password.to_owned(), salt, ident }))
    }

    fn save(&self, path: &Path, with_salt: bool) -> Outcome<()> {
        let mut line = self.password.clone();
        if let Some(salt) = self.salt.as_ref().filter(|_| with_salt) {
            line.push_str(&format!(" salt={salt}"));
            if let Some(ident) = &self.ident {
                line.push_str(&format!(" ident={ident}"));
            }
        }
        let write = || {
            if let Some(folder) = path.parent() {
                fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            }
            let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
            writeln!(file, "{line}")
        };
        write().map_err(|error: std::io::Error| Fault::failed(format!("the password file `{}` cannot be written: {error}", path.display())))
    }
}
