//! `community.crypto.openssl_privatekey`: a private key is there, of the kind and size asked for. Made by the host's `openssl`.

use std::path::PathBuf;

use crate::base::Secret;
use crate::modules::files::attributes::FileAttributes;
use crate::modules::{Module, Output, choices, module_args};
use crate::system::{Command, Failure, Mode, Result, System, WriteFile};

pub struct OpensslPrivatekey;

choices! {
    pub enum State { Present = "present", Absent = "absent" }
}

choices! {
    pub enum Kind { Rsa = "RSA", Ecc = "ECC", Ed25519 = "Ed25519", Ed448 = "Ed448", X25519 = "X25519", X448 = "X448" }
}

choices! {
    pub enum Regenerate {
        Never = "never",
        Fail = "fail",
        PartialIdempotence = "partial_idempotence",
        FullIdempotence = "full_idempotence",
        Always = "always",
    }
}

module_args! {
    /// Makes a private key.
    pub struct PrivatekeyArgs {
        /// The file.
        path: PathBuf,
        /// Whether it should be there.
        state: State = State::Present,
        /// Bits of an RSA key.
        size: i64 = 4096,
        /// Kind of the key.
        r#type: Kind = Kind::Rsa,
        /// Curve of an ECC key.
        curve: Option<String>,
        /// Passphrase that encrypts it.
        passphrase: Option<Secret>,
        /// Make a new one each time.
        force: bool = false,
        /// What to do about a key that is not as asked.
        regenerate: Regenerate = Regenerate::FullIdempotence,
        /// Keep the old file beside it.
        backup: bool = false,
        /// Tell the key in the result.
        return_content: bool = false,
    }
    accepts {
        /// Cipher of an encrypted key; AES-256 is used.
        cipher: String,
        /// Form of the file; PKCS #8 is used.
        format: String,
        /// What to do about a file of another form.
        format_mismatch: String,
        /// The library to use; the openssl program is used.
        select_crypto_backend: String,
    }
    flatten { file: FileAttributes }
}

impl Module for OpensslPrivatekey {
    const NAME: &'static str = "community.crypto.openssl_privatekey";
    type Args = PrivatekeyArgs;

    fn run(args: PrivatekeyArgs, sys: &mut System) -> Result<Output> {
        let shown = args.path.to_string_lossy().into_owned();
        let output = Output::new().with("filename", shown.clone());
        if args.state == State::Absent {
            sys.remove(&args.path)?;
            return Ok(output);
        }
        let mut attributes = args.file.wanted();
        attributes.mode.get_or_insert(Mode::Octal(0o600));
        let mut backup = None;
        if must_make(&args, sys)? {
            let key = generate(&args, sys)?;
            let written = sys.write_file(WriteFile::new(&args.path, key).attributes(attributes).backup(args.backup).secret(true))?;
            backup = written.backup_file;
        } else {
            sys.set_attributes(&args.path, &attributes)?;
        }
        let mut output = output.with("size", args.size).with("type", args.r#type);
        if let Some(curve) = &args.curve {
            output = output.with("curve", curve.as_str());
        }
        if let Some(backup) = backup {
            output = output.with("backup_file", backup.to_string_lossy().into_owned());
        }
        if args.return_content {
            output = output.with("privatekey", sys.query_text(&args.path)?);
        }
        Ok(output)
    }
}

fn must_make(args: &PrivatekeyArgs, sys: &System) -> Result<bool> {
    if sys.query_file(&args.path)?.is_none() || args.force || args.regenerate == Regenerate::Always {
        return Ok(true);
    }
    if args.regenerate == Regenerate::Never {
        return Ok(false);
    }
    // The key goes in by standard input, so that a planned file can be looked at too; a passphrase stands on its first line.
    let content = sys.query_content(&args.path)?;
    let is_encrypted = String::from_utf8_lossy(&content).contains("ENCRYPTED");
    let fits = is_encrypted == args.passphrase.is_some() && (is_encrypted || describes(args, &described(&content, sys)?));
    match (fits, args.regenerate) {
        (true, _) => Ok(false),
        (false, Regenerate::FullIdempotence) => Ok(true),
        (false, _) => {
            let message =
                format!("the key `{}` is not as asked, and regenerate={} keeps it", args.path.display(), args.regenerate.as_str());
            Err(Failure::new(message).at("regenerate"))
        }
    }
}

fn described(content: &[u8], sys: &System) -> Result<String> {
    let shown = sys.query_command(Command::new("openssl").args(["pkey", "-noout", "-text"]).stdin(content))?;
    // What is no key at all is described by nothing.
    Ok(if shown.ok() { shown.stdout_text() } else { String::new() })
}

fn describes(args: &PrivatekeyArgs, text: &str) -> bool {
    match args.r#type {
        Kind::Rsa => text.contains(&format!("Private-Key: ({} bit", args.size)) && text.contains("modulus"),
        Kind::Ecc => args.curve.as_ref().is_none_or(|curve| text.contains(openssl_curve(curve))),
        kind => text.to_lowercase().starts_with(&format!("{} private-key", kind.as_str().to_lowercase())),
    }
}

/// OpenSSL's name of a curve.
fn openssl_curve(name: &str) -> &str {
    match name {
        "secp256r1" => "prime256v1",
        "secp192r1" => "prime192v1",
        other => other,
    }
}

fn generate(args: &PrivatekeyArgs, sys: &System) -> Result<Vec<u8>> {
    let mut command = Command::new("openssl").args(["genpkey", "-quiet", "-algorithm"]);
    command = match args.r#type {
        Kind::Rsa => command.arg("RSA").arg("-pkeyopt").arg(format!("rsa_keygen_bits:{}", args.size)),
        Kind::Ecc => {
            let curve =
                args.curve.as_deref().ok_or_else(|| Failure::new("type is ECC but all of the following are missing: curve").at("curve"))?;
            command.arg("EC").arg("-pkeyopt").arg(format!("ec_paramgen_curve:{}", openssl_curve(curve)))
        }
        kind => command.arg(kind.as_str()),
    };
    if let Some(passphrase) = &args.passphrase {
        command = command.args(["-aes256", "-pass", "stdin"]).stdin(format!("{}\n", passphrase.expose()));
    }
    // `-quiet` is newer than Debian 12's OpenSSL, which is not noisy enough to need it.
    let made = sys.query_command(command.clone())?;
    let made = if made.ok() { made } else { sys.query_command(without_quiet(command))? };
    Ok(made.check("make a private key")?.stdout)
}

fn without_quiet(mut command: Command) -> Command {
    command.argv.retain(|argument| argument != "-quiet");
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Value;
    use crate::modules::find;

    fn really(yaml: &str) -> (Result<Output>, bool) {
        let arguments: crate::base::Map = serde_saphyr::from_str(yaml).expect("yaml");
        let mut sys = System::local();
        let outcome = (find("openssl_privatekey").expect("is there").run)(arguments, &mut sys);
        (outcome, sys.is_changed())
    }

    #[test]
    fn a_key_is_made_once_and_again_when_another_size_is_asked_for() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("key.pem");
        let task = |size: i64| really(&format!("{{ path: {}, size: {size} }}", path.display()));
        let (first, changed) = task(2048);
        assert!(changed && first.expect("runs").values.get("size") == Some(&Value::Int(2048)));
        let key = std::fs::read(&path).expect("is there");
        assert!(!task(2048).1);
        assert_eq!(std::fs::read(&path).expect("is there"), key);
        assert!(task(1024).1);
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_passphrase_encrypts_the_key() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("key.pem");
        let task = || really(&format!("{{ path: {}, type: ECC, curve: secp256r1, passphrase: geheim }}", path.display()));
        let (first, changed) = task();
        first.expect("runs");
        assert!(changed && std::fs::read_to_string(&path).expect("is there").contains("ENCRYPTED"));
        assert!(!task().1);
    }
}
