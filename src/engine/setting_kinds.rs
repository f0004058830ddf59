//! The kinds of values that settings have, and how each is read from text, as ansible-core 2.19 reads them.

use std::path::{Component, Path, PathBuf};

use crate::base::{Value, closest};

/// What paths in a setting are relative to.
#[derive(Clone, Copy, Debug)]
pub struct Paths<'a> {
    pub home: &'a Path,
    pub directory: &'a Path,
}

/// A type that a setting can have.
pub trait SettingValue: Sized + Default {
    /// Ansible's name for the type.
    const TYPE: &'static str;
    const CHOICES: &'static [&'static str] = &[];

    /// # Errors
    /// What is wrong with the text.
    fn parse(text: &str, paths: &Paths<'_>) -> Result<Self, String>;

    fn show(&self) -> Value;
}

/// A list with commas between its entries.
pub type Commas = Vec<String>;

/// Inventories: files and folders, or host lists as they are (they have a comma in them).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inventories(pub Vec<String>);

impl Paths<'_> {
    /// The path with `~` filled in, made absolute.
    pub fn resolve(&self, text: &str) -> PathBuf {
        let path = match text.strip_prefix('~') {
            Some("") => self.home.to_path_buf(),
            Some(rest) if rest.starts_with('/') => self.home.join(&rest[1..]),
            _ => self.directory.join(text),
        };
        let mut clean = PathBuf::new();
        for component in path.components() {
            match component {
                Component::CurDir => {}
                Component::ParentDir => {
                    clean.pop();
                }
                other => clean.push(other),
            }
        }
        clean
    }
}

impl SettingValue for bool {
    const TYPE: &'static str = "boolean";

    fn parse(text: &str, _: &Paths<'_>) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "y" | "yes" | "on" | "1" | "true" | "t" | "1.0" => Ok(true),
            "n" | "no" | "off" | "0" | "false" | "f" | "0.0" => Ok(false),
            _ => Err(format!("`{text}` is neither yes nor no")),
        }
    }

    fn show(&self) -> Value {
        (*self).into()
    }
}

macro_rules! whole_number {
    ($($kind:ty),*) => {$(
        impl SettingValue for $kind {
            const TYPE: &'static str = "integer";

            fn parse(text: &str, _: &Paths<'_>) -> Result<Self, String> {
                text.trim().parse().map_err(|_| format!("`{text}` is not a whole number"))
            }

            fn show(&self) -> Value {
                (*self).into()
            }
        }
    )*};
}
whole_number!(u8, u16, u64, usize);

impl SettingValue for String {
    const TYPE: &'static str = "string";

    fn parse(text: &str, _: &Paths<'_>) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn show(&self) -> Value {
        self.into()
    }
}

impl SettingValue for PathBuf {
    const TYPE: &'static str = "path";

    fn parse(text: &str, paths: &Paths<'_>) -> Result<Self, String> {
        Ok(paths.resolve(text))
    }

    fn show(&self) -> Value {
        self.to_string_lossy().into_owned().into()
    }
}

/// Unset is the empty text.
impl<T: SettingValue> SettingValue for Option<T> {
    const TYPE: &'static str = T::TYPE;
    const CHOICES: &'static [&'static str] = T::CHOICES;

    fn parse(text: &str, paths: &Paths<'_>) -> Result<Self, String> {
        if text.is_empty() || text == "None" { Ok(None) } else { T::parse(text, paths).map(Some) }
    }

    fn show(&self) -> Value {
        self.as_ref().map_or(Value::Null, SettingValue::show)
    }
}

impl SettingValue for Commas {
    const TYPE: &'static str = "list";

    fn parse(text: &str, _: &Paths<'_>) -> Result<Self, String> {
        Ok(text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect())
    }

    fn show(&self) -> Value {
        Value::list(self.iter())
    }
}

impl SettingValue for Vec<PathBuf> {
    const TYPE: &'static str = "pathspec";

    fn parse(text: &str, paths: &Paths<'_>) -> Result<Self, String> {
        Ok(text.split(':').map(str::trim).filter(|entry| !entry.is_empty()).map(|entry| paths.resolve(entry)).collect())
    }

    fn show(&self) -> Value {
        Value::list(self.iter().map(|path| path.to_string_lossy().into_owned()))
    }
}

impl SettingValue for Inventories {
    const TYPE: &'static str = "pathlist";

    fn parse(text: &str, paths: &Paths<'_>) -> Result<Self, String> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        Ok(Inventories(entries.map(|entry| paths.resolve(entry).to_string_lossy().into_owned()).collect()))
    }

    fn show(&self) -> Value {
        Value::list(self.0.iter())
    }
}

macro_rules! choices {
    ($($(#[doc = $about:literal])+ $kind:ident { $($(#[$default:meta])? $variant:ident = $text:literal),+ })+) => {$(
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum $kind {
            $($(#[$default])? $variant),+
        }

        impl SettingValue for $kind {
            const TYPE: &'static str = "string";
            const CHOICES: &'static [&'static str] = &[$($text),+];

            fn parse(text: &str, _: &Paths<'_>) -> Result<Self, String> {
                match text {
                    $($text => Ok($kind::$variant),)+
                    _ => Err(wrong_choice(text, Self::CHOICES)),
                }
            }

            fn show(&self) -> Value {
                match self {
                    $($kind::$variant => $text.into(),)+
                }
            }
        }
    )+};
}

fn wrong_choice(text: &str, choices: &[&str]) -> String {
    let hint = closest(text, choices.iter().copied()).map(|close| format!("; did you mean `{close}`?")).unwrap_or_default();
    format!("`{text}` is none of {}{hint}", choices.join(", "))
}

choices! {
    /// Whether plays gather facts when they do not say.
    Gathering { #[default] Implicit = "implicit", Explicit = "explicit", Smart = "smart" }
    /// How mappings of the same name come together.
    HashBehaviour { #[default] Replace = "replace", Merge = "merge" }
    /// What a host pattern without hosts is.
    OnMismatch { #[default] Warning = "warning", Error = "error", Ignore = "ignore" }
    /// What becomes of characters in group names that names of variables cannot have.
    GroupCharacters { Always = "always", #[default] Never = "never", Ignore = "ignore", Silently = "silently" }
    /// What a key that stands twice is.
    DuplicateKeys { #[default] Warn = "warn", Error = "error", Ignore = "ignore" }
    /// How results are written.
    ResultFormat { #[default] Json = "json", Yaml = "yaml" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_choice_names_the_right_ones() {
        let paths = Paths { home: Path::new("/root"), directory: Path::new("/") };
        assert_eq!(
            Gathering::parse("implict", &paths).expect_err("is refused"),
            "`implict` is none of implicit, explicit, smart; did you mean `implicit`?"
        );
        assert!(bool::parse("maybe", &paths).is_err());
    }

    #[test]
    fn paths_are_cleaned_of_dots() {
        let paths = Paths { home: Path::new("/root"), directory: Path::new("/srv/site/cfg") };
        assert_eq!(paths.resolve("../roles/./x"), Path::new("/srv/site/roles/x"));
        assert_eq!(paths.resolve("~"), Path::new("/root"));
        assert_eq!(paths.resolve("~other"), Path::new("/srv/site/cfg/~other"));
    }
}
