//! Whether the locale that the environment asks for can be had, and is one of UTF-8: what Ansible insists on before it does anything.

use std::path::Path;

const CATEGORIES: [&str; 12] = [
    "LC_CTYPE",
    "LC_NUMERIC",
    "LC_TIME",
    "LC_COLLATE",
    "LC_MONETARY",
    "LC_MESSAGES",
    "LC_PAPER",
    "LC_NAME",
    "LC_ADDRESS",
    "LC_TELEPHONE",
    "LC_MEASUREMENT",
    "LC_IDENTIFICATION",
];

/// Where the C library keeps its locales.
pub const FOLDER: &str = "/usr/lib/locale";

/// Checks the locale of an environment.
///
/// # Errors
/// Why Ansible would not start in it, in Ansible's words.
pub fn check(variable: impl Fn(&str) -> Option<String>, folder: &Path) -> Result<(), String> {
    let given = |name: &str| variable(name).filter(|value| !value.is_empty());
    let of = |category: &str| given("LC_ALL").or_else(|| given(category)).or_else(|| given("LANG")).unwrap_or_else(|| "C".into());
    if CATEGORIES.iter().any(|category| !exists(&of(category), folder)) {
        return Err("Ansible could not initialize the preferred locale: unsupported locale setting".into());
    }
    let characters = of("LC_CTYPE");
    let detected = match codeset(&characters) {
        Some(codeset) if plain(codeset) == "utf8" => return Ok(()),
        Some(codeset) => codeset.to_uppercase(),
        // Python takes a plain C locale for one of UTF-8, unless it is asked for by LC_ALL.
        None if is_builtin(&characters) && given("LC_ALL").is_none() => return Ok(()),
        None if is_builtin(&characters) => "None".into(),
        None => "ISO8859-1".into(),
    };
    Err(format!("Ansible requires the locale encoding to be UTF-8; Detected {detected}."))
}

fn is_builtin(name: &str) -> bool {
    matches!(name, "C" | "POSIX")
}

/// What stands after the dot of `language_COUNTRY.codeset@modifier`.
fn codeset(name: &str) -> Option<&str> {
    let (_, rest) = name.split_once('.')?;
    Some(rest.split('@').next().unwrap_or(rest))
}

/// A codeset as the C library compares it.
fn plain(codeset: &str) -> String {
    codeset.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

fn exists(name: &str, folder: &Path) -> bool {
    if is_builtin(name) {
        return true;
    }
    let normal = match codeset(name) {
        Some(codeset) => name.replacen(codeset, &plain(codeset), 1),
        None => name.to_owned(),
    };
    // The C library has this one without a file.
    normal == "C.utf8"
        || [name, normal.as_str()].iter().any(|name| !name.contains('/') && folder.join(name).is_dir())
        || std::fs::read(folder.join("locale-archive")).is_ok_and(|archive| names(&archive).contains(&normal.as_bytes()))
}

/// The names in a locale archive: its header is of 32-bit numbers, of which the sixth and seventh say where the names stand.
fn names(archive: &[u8]) -> Vec<&[u8]> {
    let number = |index: usize| {
        let bytes = archive.get(index * 4..index * 4 + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
    };
    let (Some(start), Some(length)) = (number(5), number(6)) else { return Vec::new() };
    let table = archive.get(start..start.saturating_add(length)).unwrap_or_default();
    table.split(|byte| *byte == 0).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of locales with one archive of these names.
    fn folder(known: &[&str]) -> tempfile::TempDir {
        let table = known.iter().map(|name| format!("{name}\0")).collect::<String>();
        let header = [0xde02_0109, 0, 0, 0, 0, 32, table.len() as u32, table.len() as u32];
        let mut archive: Vec<u8> = header.iter().flat_map(|number: &u32| number.to_le_bytes()).collect();
        archive.extend(table.as_bytes());
        let folder = tempfile::tempdir().expect("folder");
        std::fs::write(folder.path().join("locale-archive"), archive).expect("writes");
        folder
    }

    fn refused(variables: &[(&str, &str)]) -> Option<String> {
        let folder = folder(&["en_US.utf8", "de_DE.iso88591", "pl_PL"]);
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        check(variable, folder.path()).err()
    }

    // Every line was tried with ansible-core 2.19.14.
    #[test]
    fn a_locale_that_is_not_there_is_refused_in_ansibles_words() {
        let unknown = Some("Ansible could not initialize the preferred locale: unsupported locale setting".to_owned());
        assert_eq!(refused(&[("LC_ALL", "ham_sandwich"), ("LC_CTYPE", "en_US.UTF-8")]), unknown);
        assert_eq!(refused(&[("LANG", "C.UTF-8"), ("LC_TIME", "ham")]), unknown);
    }

    #[test]
    fn a_locale_must_be_of_utf8() {
        let not_utf8 = |detected: &str| Some(format!("Ansible requires the locale encoding to be UTF-8; Detected {detected}."));
        assert_eq!(refused(&[("LC_ALL", "C")]), not_utf8("None"));
        assert_eq!(refused(&[("LC_ALL", "de_DE.ISO8859-1")]), not_utf8("ISO8859-1"));
        for fine in ["en_US.UTF-8", "en_US.utf8", "C.UTF-8"] {
            assert_eq!(refused(&[("LC_ALL", fine)]), None, "{fine}");
        }
        assert_eq!(refused(&[("LANG", "C")]), None);
        assert_eq!(refused(&[]), None);
    }
}
