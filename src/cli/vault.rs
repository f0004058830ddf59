//! `hostler vault`, which is also `ansible-vault`: files and texts of secrets.

use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, Subcommand};
use zeroize::Zeroizing;

use crate::base::Diagnostic;
use crate::engine::Settings;
use crate::vault::{Seal, SecretSources, Secrets, VaultError, files};

use super::environment::Environment;
use super::failure::{Failed, Outcome, print};
use super::vault_sources::{VaultSources, secrets};
use super::{prompt, settings};

/// Encrypt and decrypt files and texts of secrets
#[derive(Debug, Args)]
#[command(after_help = "Example: hostler vault edit group_vars/all/secrets.yml")]
pub struct VaultArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make an encrypted file in the editor
    Create {
        file: PathBuf,
        // The editor decides for itself whether it needs a terminal.
        #[arg(long, hide = true)]
        skip_tty_check: bool,
        #[command(flatten)]
        with: Encryption,
        #[command(flatten)]
        sources: VaultOptions,
    },
    /// Change an encrypted file in the editor
    Edit {
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        with: Encryption,
        #[command(flatten)]
        sources: VaultOptions,
    },
    /// Show an encrypted file
    View {
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        sources: VaultOptions,
    },
    /// Encrypt files, or standard input
    Encrypt {
        files: Vec<PathBuf>,
        /// Write to this file; - is standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        with: Encryption,
        #[command(flatten)]
        sources: VaultOptions,
    },
    /// Decrypt files, or standard input
    Decrypt {
        files: Vec<PathBuf>,
        /// Write to this file; - is standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        sources: VaultOptions,
    },
    /// Encrypt files again, with another password
    Rekey {
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The new password, or a script that prints it
        #[arg(long, value_name = "FILE")]
        new_vault_password_file: Option<String>,
        /// The new password's id and source
        #[arg(long, value_name = "[ID@]FILE|prompt", conflicts_with = "new_vault_password_file")]
        new_vault_id: Option<String>,
        #[command(flatten)]
        with: Encryption,
        #[command(flatten)]
        sources: VaultOptions,
    },
    /// Encrypt a text for a YAML file
    #[command(name = "encrypt_string", alias = "encrypt-string")]
    EncryptString(#[command(flatten)] TextArgs),
}

#[derive(Debug, Args)]
struct TextArgs {
    /// The text; - is standard input. On a shared machine others can see it: rather use -p or standard input
    texts: Vec<String>,
    /// Ask for the text
    #[arg(short, long)]
    prompt: bool,
    /// Show the text while it is typed
    #[arg(long)]
    show_input: bool,
    /// The name of the variable; may stand several times
    #[arg(short, long, value_name = "NAME")]
    name: Vec<String>,
    /// The name of the variable that is read from standard input
    #[arg(long, value_name = "NAME")]
    stdin_name: Option<String>,
    /// Write to this file
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    with: Encryption,
    #[command(flatten)]
    sources: VaultOptions,
}

#[derive(Debug, Args)]
struct Encryption {
    /// The id to encrypt with, when passwords of several are given
    #[arg(long, value_name = "ID")]
    encrypt_vault_id: Option<String>,
}

/// What all verbs take.
#[derive(Debug, Args)]
pub struct VaultOptions {
    #[command(flatten)]
    from: VaultSources,
    /// Say more
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

impl VaultOptions {
    pub fn sources(&self, settings: &Settings) -> SecretSources {
        self.from.sources(settings)
    }
}

fn failed(error: VaultError) -> Failed {
    Diagnostic::error(error.to_string()).into()
}

/// Tells the user something that is no output.
fn say(text: &str) {
    // Nobody is left to be told when standard error is closed.
    let _closed = writeln!(io::stderr(), "{text}");
}

fn say_done(what: &str) -> Outcome {
    if io::stdout().is_terminal() {
        say(&format!("{what} successful"));
    }
    Ok(0)
}

pub fn run(args: VaultArgs) -> Outcome {
    let (settings, _) = settings::resolve(&Environment::current()?)?;
    let call = Call { settings };
    match args.verb {
        Verb::Create { file, with, sources, .. } => call.create(&file, &with, &sources),
        Verb::Edit { files, sources, .. } => call.edit(&files, &sources),
        Verb::View { files, sources } => call.view(&files, &sources),
        Verb::Encrypt { files, output, with, sources } => call.encrypt(files, output.as_deref(), &with, &sources),
        Verb::Decrypt { files, output, sources } => call.decrypt(files, output.as_deref(), &sources),
        Verb::Rekey { files, new_vault_password_file, new_vault_id, with, sources } => {
            call.rekey(&files, new_vault_id, new_vault_password_file, &with, &sources)
        }
        Verb::EncryptString(text) => call.encrypt_string(&text),
    }
}

struct Call {
    settings: Settings,
}

impl Call {
    fn to_read(&self, options: &VaultOptions) -> Result<Secrets, Failed> {
        secrets(&SecretSources { ask_if_none: true, ..options.sources(&self.settings) })
    }

    fn to_write(&self, with: &Encryption, sources: SecretSources) -> Result<Seal, Failed> {
        let secrets = secrets(&SecretSources { ask_if_none: true, is_new: true, ..sources })?;
        let wanted = with.encrypt_vault_id.as_deref().or(self.settings.vault_encrypt_identity.as_deref());
        if secrets.len() > 1 && wanted.is_none() {
            let ids = secrets.ids().join(",");
            return Err(Failed::option(format!(
                "passwords of several vault ids are given ({ids}): `--encrypt-vault-id` says which one to encrypt with"
            )));
        }
        let (id, secret) = secrets.to_encrypt_with(wanted).map_err(failed)?;
        Ok(Seal { secret: secret.clone(), id: Some(id.to_owned()), salt: self.settings.vault_encrypt_salt.clone() })
    }

    fn create(&self, file: &Path, with: &Encryption, options: &VaultOptions) -> Outcome {
        let seal = self.to_write(with, options.sources(&self.settings))?;
        files::create_file(file, &seal, &mut |scratch| self.editor(scratch)).map_err(failed)?;
        Ok(0)
    }

    fn edit(&self, paths: &[PathBuf], options: &VaultOptions) -> Outcome {
        let secrets = self.to_read(options)?;
        for path in paths {
            files::edit_file(path, &secrets, &mut |scratch| self.editor(scratch)).map_err(failed)?;
        }
        Ok(0)
    }

    fn editor(&self, scratch: &Path) -> io::Result<()> {
        let mut words = self.settings.editor.split_whitespace();
        let program = words.next().unwrap_or("vi");
        let status = Command::new(program).args(words).arg(scratch).status().map_err(|error| {
            io::Error::other(format!("the editor `{program}` does not run: {error} (the variable EDITOR names another)"))
        })?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("the editor `{program}` ended with {status}: nothing was saved")))
        }
    }

    fn view(&self, paths: &[PathBuf], options: &VaultOptions) -> Outcome {
        let secrets = self.to_read(options)?;
        for path in paths {
            let plain = Zeroizing::new(files::open(path, &secrets).map_err(failed)?.plain);
            print(&String::from_utf8_lossy(&plain))?;
        }
        Ok(0)
    }

    fn encrypt(&self, paths: Vec<PathBuf>, output: Option<&Path>, with: &Encryption, options: &VaultOptions) -> Outcome {
        let paths = inputs(paths, output)?;
        let seal = self.to_write(with, options.sources(&self.settings))?;
        for path in &paths {
            files::encrypt_file(path, output, &seal).map_err(failed)?;
        }
        say_done("Encryption")
    }

    fn decrypt(&self, paths: Vec<PathBuf>, output: Option<&Path>, options: &VaultOptions) -> Outcome {
        let paths = inputs(paths, output)?;
        let secrets = self.to_read(options)?;
        for path in &paths {
            files::decrypt_file(path, output, &secrets).map_err(failed)?;
        }
        say_done("Decryption")
    }

    fn rekey(&self, paths: &[PathBuf], id: Option<String>, file: Option<String>, with: &Encryption, options: &VaultOptions) -> Outcome {
        let old = self.to_read(options)?;
        let wanted = with.encrypt_vault_id.is_some() || self.settings.vault_encrypt_identity.is_some();
        let known = self.settings.vault_identity_list.iter().filter(|_| wanted).cloned();
        let new = SecretSources { ids: known.chain(id).collect(), password_files: file.into_iter().collect(), ..SecretSources::default() };
        let seal = self.to_write(with, new)?;
        for path in paths {
            files::rekey_file(path, &old, &seal).map_err(failed)?;
        }
        say("Rekey successful");
        Ok(0)
    }

    fn encrypt_string(&self, args: &TextArgs) -> Outcome {
        let reads_stdin = args.texts.iter().any(|text| text == "-") || args.stdin_name.is_some() || (args.texts.is_empty() && !args.prompt);
        if args.prompt && reads_stdin {
            return Err(Failed::option("`--prompt` and standard input exclude each other"));
        }
        let seal = self.to_write(&args.with, args.sources.sources(&self.settings))?;
        let texts = texts(args, reads_stdin)?;
        let mut output = Zeroizing::new(String::new());
        for (index, text) in texts.iter().enumerate() {
            let sealed = seal.encrypt(text.plain.as_bytes()).map_err(failed)?;
            let block = yaml_block(text.name.as_deref(), &sealed);
            if texts.len() > 1 {
                say(&heading(index + 1, text));
            }
            output.push_str(&block);
            output.push('\n');
        }
        files::write(args.output.as_deref().unwrap_or(Path::new("-")), output.as_bytes()).map_err(failed)?;
        say_done("Encryption")
    }
}

/// The files of a command, or standard input; only one goes into one output.
fn inputs(paths: Vec<PathBuf>, output: Option<&Path>) -> Result<Vec<PathBuf>, Failed> {
    if paths.len() > 1 && output.is_some() {
        return Err(Failed::option("at most one input file goes with `--output`"));
    }
    if paths.is_empty() {
        if io::stdin().is_terminal() {
            say("Reading from standard input");
        }
        return Ok(vec!["-".into()]);
    }
    Ok(paths)
}

struct Text {
    plain: Zeroizing<String>,
    from: &'static str,
    name: Option<String>,
}

fn texts(args: &TextArgs, reads_stdin: bool) -> Result<Vec<Text>, Failed> {
    let mut texts = Vec::new();
    let mut add = |plain: String, from: &'static str, name: Option<String>| {
        if plain.is_empty() {
            return Err(Failed::option(format!("the text from {from} is empty: nothing is encrypted")));
        }
        texts.push(Text { plain: Zeroizing::new(plain), from, name });
        Ok(())
    };
    if args.prompt {
        let name = ask("Variable name (enter for no name): ")?;
        let plain = if args.show_input {
            ask("String to encrypt: ")?
        } else {
            prompt::password_for("String to encrypt (hidden): ")?.expose().to_owned()
        };
        add(plain, "the interactive prompt", Some(name).filter(|name| !name.is_empty()))?;
    }
    if reads_stdin {
        if io::stdout().is_terminal() {
            say("Reading plaintext input from stdin. (ctrl-d to end input, twice if your content does not already have a newline)");
        }
        let mut plain = String::new();
        io::stdin().read_to_string(&mut plain).map_err(|error| Diagnostic::error(format!("standard input cannot be read: {error}")))?;
        add(plain, "stdin", args.stdin_name.clone())?;
    }
    let mut names = args.name.iter().cloned();
    for text in args.texts.iter().filter(|text| *text != "-") {
        add(text.clone(), "the command line args", names.next())?;
    }
    Ok(texts)
}

fn ask(question: &str) -> Result<String, Failed> {
    let unreadable = |error: io::Error| Diagnostic::error(format!("the answer to `{}` cannot be read: {error}", question.trim()));
    io::stderr().write_all(question.as_bytes()).map_err(unreadable)?;
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(unreadable)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Tells one of several texts from the others, without showing it.
fn heading(number: usize, text: &Text) -> String {
    match &text.name {
        Some(name) => format!("# The encrypted version of variable (\"{name}\", the string #{number} from {}).", text.from),
        None => format!("# The encrypted version of the string #{number} from {}.)", text.from),
    }
}

/// Vault text as it stands in a YAML file.
fn yaml_block(name: Option<&str>, sealed: &str) -> String {
    let head = name.map(|name| format!("{name}: ")).unwrap_or_default();
    let lines: Vec<String> = sealed.lines().map(|line| format!("          {line}")).collect();
    format!("{head}!vault |\n{}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{NodeKind, Secret};

    #[test]
    fn a_text_is_printed_as_yaml_that_reads_back() {
        let sealed = crate::vault::encrypt(b"s3cret", &Secret::new("pw"), None).expect("encrypts");
        let (node, _) = crate::yaml::load_one(&yaml_block(Some("token"), &sealed), "f").expect("is YAML");
        let Some(NodeKind::Vault(text)) = node.get("token").map(|node| &node.kind) else { panic!("{node:?}") };
        let mut secrets = Secrets::default();
        secrets.add("default", Secret::new("pw"));
        assert_eq!(secrets.decrypt(text), Ok(b"s3cret".to_vec()));
    }

    #[test]
    fn one_output_takes_one_input() {
        assert!(inputs(vec!["a".into(), "b".into()], Some(Path::new("c"))).is_err());
        assert_eq!(inputs(vec!["a".into(), "b".into()], None).map(|paths| paths.len()).ok(), Some(2));
    }
}
