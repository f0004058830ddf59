//! Typed arguments of modules: one declaration gives parsing, the reference page and the "unknown option, did you mean".

use crate::base::{Map, Value, closest};
use crate::system::Failure;

use super::coerce::{ArgKind, FromArg, truth};

/// One option of a module.
#[derive(Clone, Debug)]
pub struct ArgSpec {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub kind: ArgKind,
    pub choices: &'static [&'static str],
    pub required: bool,
    /// The default as it stands in the code; `None`: no default.
    pub default: Option<&'static str>,
    pub doc: &'static str,
}

impl ArgSpec {
    /// The default as users write it: it stands in the code as Rust.
    pub fn shown_default(&self) -> Option<String> {
        let code = self.default?;
        let plain = code.trim().trim_matches('"');
        let choice = plain.rsplit("::").next().unwrap_or(plain);
        let by_name = |choice_text: &&&str| choice_text.replace(['-', '_'], "").eq_ignore_ascii_case(&choice.replace('_', ""));
        if let Some(choice) = self.choices.iter().find(by_name) {
            return Some((*choice).to_owned());
        }
        match plain {
            "true" => Some("yes".to_owned()),
            "false" => Some("no".to_owned()),
            "" => None,
            code if code.contains(['(', ':', '{', '[', '!']) => None,
            code => Some(code.to_owned()),
        }
    }

    /// What the option is in `invocation`: as given, else the default; a secret is never shown, and neither is `x` where `x_no_log` is set.
    pub(super) fn invoked(&self, args: &Map) -> Value {
        let is_hidden = self.kind == ArgKind::Secret || args.get(&format!("{}_no_log", self.name)).and_then(truth).unwrap_or(false);
        let given = std::iter::once(&self.name).chain(self.aliases).find_map(|name| args.get(name)).filter(|value| !value.is_null());
        match (given, self.kind, self.shown_default()) {
            (Some(_), ..) if is_hidden => "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER".into(),
            (Some(value), ..) => value.clone(),
            (None, _, None) => Value::Null,
            (None, ArgKind::Bool, Some(default)) => (default == "yes").into(),
            (None, ArgKind::Int, Some(default)) => default.parse::<i64>().map_or(Value::Null, Value::from),
            (None, _, Some(default)) => default.into(),
        }
    }
}

/// A condition over several options.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// At most one of them.
    Exclusive(&'static [&'static str]),
    /// At least one of them.
    OneOf(&'static [&'static str]),
    /// All of them or none.
    Together(&'static [&'static str]),
    /// When the first has this value, the others are required.
    RequiredIf(&'static str, &'static str, &'static [&'static str]),
}

/// A set of typed arguments; written with `module_args!`.
pub trait ModuleArgs: Sized {
    fn specs() -> Vec<ArgSpec>;
    fn rules() -> &'static [Rule];
    /// What the module does, one paragraph.
    fn doc() -> &'static str;
    /// Takes this set's options out of `given`; what is left over is nobody's.
    fn take(given: &mut Given) -> Result<Self, Failure>;

    /// Reads all arguments of a task of this module; unknown, missing and contradicting ones are refused.
    fn parse(values: Map, module: &str) -> Result<Self, Failure> {
        check(&values, module, &Self::specs(), Self::rules())?;
        let mut given = Given::new(values);
        Self::take(&mut given)
    }
}

/// The arguments that a task gave and nobody has taken yet.
pub struct Given {
    values: Map,
}

impl Given {
    fn new(values: Map) -> Self {
        Given { values }
    }

    /// Takes one option by its name or an alias.
    pub fn option<T: FromArg>(&mut self, name: &'static str, aliases: &[&str], default: Option<T>) -> Result<T, Failure> {
        let name = name.trim_start_matches("r#");
        let found = std::iter::once(name).chain(aliases.iter().copied()).find_map(|known| self.values.remove(known));
        match found {
            // Ansible takes an explicit null as "not given".
            Some(Value::Null) if T::TAKES_NULL => T::from_arg(&Value::Null).map_err(|why| Failure::new(why).at(name)),
            Some(Value::Null) | None => {
                default.or_else(T::missing).ok_or_else(|| Failure::new(format!("missing required arguments: {name}")).at(name))
            }
            Some(value) => T::from_arg(&value).map_err(|why| {
                // A choice is refused by its value, anything else by its type.
                if T::KIND == ArgKind::Mode {
                    return Failure::new("mode must be in octal or symbolic form").with("details", why).at(name);
                }
                let subject = if why.starts_with("must be one") { format!("value of {name}") } else { format!("argument '{name}'") };
                Failure::new(format!("{subject} {why}")).at(name)
            }),
        }
    }
}

/// Checks names and rules without converting, in Ansible's order and words.
pub fn check(values: &Map, module: &str, specs: &[ArgSpec], rules: &[Rule]) -> Result<(), Failure> {
    let given = |name: &str| {
        let spec = specs.iter().find(|spec| spec.name == name);
        let names = spec.map_or(vec![name], |spec| std::iter::once(spec.name).chain(spec.aliases.iter().copied()).collect());
        names.into_iter().any(|name| values.get(name).is_some_and(|value| !value.is_null()))
    };
    let (exclusive, others): (Vec<&Rule>, Vec<&Rule>) = rules.iter().partition(|rule| matches!(rule, Rule::Exclusive(_)));
    exclusive.into_iter().try_for_each(|rule| check_rule(rule, values, &given))?;
    let mut missing: Vec<&str> = specs.iter().filter(|spec| spec.required && !given(spec.name)).map(|spec| spec.name).collect();
    missing.sort_unstable();
    if let Some(first) = missing.first() {
        return Err(Failure::new(format!("missing required arguments: {}", missing.join(", "))).at(*first));
    }
    let is_known = |key: &str| specs.iter().any(|spec| spec.name == key || spec.aliases.contains(&key));
    let mut unknown: Vec<String> = values.keys().map(ToString::to_string).filter(|key| !is_known(key)).collect();
    unknown.sort_unstable();
    if !unknown.is_empty() {
        return Err(unknown_options(&unknown, module, specs));
    }
    others.into_iter().try_for_each(|rule| check_rule(rule, values, &given))
}

/// The refusal of options that a module does not have.
fn unknown_options(names: &[String], module: &str, specs: &[ArgSpec]) -> Failure {
    let visible = |spec: &&ArgSpec| !spec.name.starts_with('_') && !spec.name.starts_with("content_");
    let mut supported: Vec<String> = specs.iter().filter(visible).map(|spec| spec.name.to_owned()).collect();
    supported.sort_unstable();
    let mut aliases: Vec<&str> = specs.iter().flat_map(|spec| spec.aliases.iter().copied()).collect();
    aliases.sort_unstable();
    let aliases = if aliases.is_empty() { String::new() } else { format!(" ({})", aliases.join(", ")) };
    let (listed, supported) = (names.join(", "), supported.join(", "));
    let mut message =
        format!("Unsupported parameters for ({module}) module: {listed}. Supported parameters include: {supported}{aliases}.");
    let known = || specs.iter().flat_map(|spec| std::iter::once(spec.name).chain(spec.aliases.iter().copied()));
    if let [only] = names
        && let Some(close) = closest(only, known())
    {
        message.push_str(&format!(" Did you mean `{close}`?"));
    }
    Failure::new(message).at(names[0].clone())
}

fn check_rule(rule: &Rule, values: &Map, given: &dyn Fn(&str) -> bool) -> Result<(), Failure> {
    let missing = |names: &[&'static str]| names.iter().copied().filter(|name| !given(name)).collect::<Vec<_>>();
    match rule {
        Rule::Exclusive(names) => match names.iter().filter(|name| given(name)).count() {
            0 | 1 => Ok(()),
            _ => Err(Failure::new(format!("parameters are mutually exclusive: {}", names.join("|")))),
        },
        Rule::OneOf(names) if names.iter().any(|name| given(name)) => Ok(()),
        Rule::OneOf(names) => Err(Failure::new(format!("one of the following is required: {}", names.join(", ")))),
        Rule::Together(names) => match missing(names).len() {
            0 => Ok(()),
            all if all == names.len() => Ok(()),
            _ => Err(Failure::new(format!("parameters are required together: {}", names.join(", ")))),
        },
        Rule::RequiredIf(name, value, required) => {
            let applies = values.get(name).is_some_and(|found| found.to_text() == *value);
            let missing = missing(required);
            if !applies || missing.is_empty() {
                return Ok(());
            }
            Err(Failure::new(format!("{name} is {value} but all of the following are missing: {}", missing.join(", "))))
        }
    }
}

/// Declares the arguments of a module:
///
/// ```text
/// module_args! {
///     /// Makes a group exist or not.
///     pub struct GroupArgs {
///         /// Name of the group.
///         name: String,                              // required: no default, no Option
///         /// Group id to give it.
///         gid | "number": Option<u32>,               // optional, with an alias
///         /// Whether it should exist.
///         state: State = State::Present,             // with a default
///     }
///     accepts {                                      // optional: options that are checked and make no difference here
///         /// Kept for Ansible's sake.
///         decrypt: bool,
///     }
///     flatten { file: FileAttributes }               // optional: another set's options as well
///     rules [Rule::Exclusive(&["gid", "local"])]     // optional
/// }
/// ```
macro_rules! module_args {
    (
        $(#[doc = $about:literal])*
        pub struct $set:ident {
            $(
                $(#[doc = $doc:literal])*
                $field:ident $(| $alias:literal)* : $kind:ty $(= $default:expr)?
            ),* $(,)?
        }
        $(accepts { $( $(#[doc = $extra_doc:literal])* $extra:ident $(| $extra_alias:literal)* : $extra_kind:ty ),* $(,)? })?
        $(flatten { $($inner:ident : $inner_set:ty),* $(,)? })?
        $(rules [ $($rule:expr),* $(,)? ])?
    ) => {
        $(#[doc = $about])*
        pub struct $set {
            $( $(#[doc = $doc])* pub $field: $kind, )*
            $( $( pub $inner: $inner_set, )* )?
        }

        impl $crate::modules::ModuleArgs for $set {
            fn specs() -> Vec<$crate::modules::ArgSpec> {
                #[allow(unused_mut, reason = "only sets that flatten another one push to it")]
                let mut specs = vec![ $(
                    $crate::modules::ArgSpec {
                        name: stringify!($field).trim_start_matches("r#"),
                        aliases: &[ $($alias),* ],
                        kind: <$kind as $crate::modules::FromArg>::KIND,
                        choices: <$kind as $crate::modules::FromArg>::CHOICES,
                        required: $crate::modules::args::module_args!(@required $kind $(, $default)?),
                        default: $crate::modules::args::module_args!(@default $($default)?),
                        doc: concat!($($doc, "\n"),*).trim_ascii(),
                    }
                ),* ];
                $( specs.extend([ $(
                    $crate::modules::ArgSpec {
                        name: stringify!($extra),
                        aliases: &[ $($extra_alias),* ],
                        kind: <$extra_kind as $crate::modules::FromArg>::KIND,
                        choices: <$extra_kind as $crate::modules::FromArg>::CHOICES,
                        required: false,
                        default: None,
                        doc: concat!($($extra_doc, "\n"),*).trim_ascii(),
                    }
                ),* ]); )?
                $( $( specs.extend(<$inner_set as $crate::modules::ModuleArgs>::specs()); )* )?
                specs
            }

            fn rules() -> &'static [$crate::modules::Rule] {
                &[ $( $($rule),* )? ]
            }

            fn doc() -> &'static str {
                concat!($($about, "\n"),*).trim_ascii()
            }

            #[allow(unused_variables, reason = "a module may have no options")]
            fn take(given: &mut $crate::modules::args::Given) -> std::result::Result<Self, $crate::system::Failure> {
                $( $( given.option::<Option<$extra_kind>>(stringify!($extra), &[ $($extra_alias),* ], None)?; )* )?
                Ok($set {
                    $( $field: given.option(stringify!($field), &[ $($alias),* ], $crate::modules::args::module_args!(@value $($default)?))?, )*
                    $( $( $inner: <$inner_set as $crate::modules::ModuleArgs>::take(given)?, )* )?
                })
            }
        }
    };
    (@required $kind:ty) => { <$kind as $crate::modules::FromArg>::missing().is_none() };
    (@required $kind:ty, $default:expr) => { false };
    (@default) => { None };
    (@default $default:expr) => { Some(stringify!($default)) };
    (@value) => { None };
    (@value $default:expr) => { Some($default.into()) };
}
pub(crate) use module_args;

/// Declares an option that allows only some texts; the first text of a variant is its name, further ones are accepted too:
/// `choices! { pub enum State { Present = "present" | "installed", Absent = "absent" } }`
macro_rules! choices {
    (
        $(#[doc = $about:literal])*
        pub enum $set:ident { $( $(#[doc = $doc:literal])* $variant:ident = $text:literal $(| $other:literal)* ),* $(,)? }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $set { $( $(#[doc = $doc])* $variant ),* }

        impl $set {
            /// The text that users write.
            pub fn as_str(self) -> &'static str {
                match self { $( $set::$variant => $text ),* }
            }
        }

        impl From<$set> for $crate::base::Value {
            fn from(chosen: $set) -> Self {
                chosen.as_str().into()
            }
        }

        impl $crate::modules::FromArg for $set {
            const KIND: $crate::modules::ArgKind = $crate::modules::ArgKind::Choice;
            const CHOICES: &'static [&'static str] = &[ $( $text $(, $other)* ),* ];

            fn from_arg(value: &$crate::base::Value) -> std::result::Result<Self, String> {
                match value.to_text().as_str() {
                    $( $text $(| $other)* => Ok($set::$variant), )*
                    other => {
                        // YAML 1.1 reads yes, no, on and off as booleans: a choice of that name was meant.
                        if let $crate::base::Value::Bool(flag) = value {
                            let words = if *flag { ["yes", "on", "true"] } else { ["no", "off", "false"] };
                            if let Some(word) = words.iter().find(|word| Self::CHOICES.contains(word)) {
                                return Self::from_arg(&(*word).into());
                            }
                        }
                        Err(format!("must be one of: {}, got: {other}", Self::CHOICES.join(", ")))
                    }
                }
            }
        }
    };
}
pub(crate) use choices;
