//! What can be known before any host is touched: every module and option, undefined variables, files that are not there or cannot be read.

mod certain;
mod names;
mod sources;
mod variables;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::{Diagnostic, Help, NodeKind, Span};
use crate::inventory::Limit;
use crate::language::{Block, Entry, Item, Play, Task, takes_free_text};
use crate::modules;
use crate::template::SearchPath;

use super::actions;
use super::keywords::list_of;
use super::library;
use super::meta;
use super::state::{Run, read};

/// Variables that nothing defines, files that are not there and secrets that no password opens, in all plays of a run.
pub fn check_run<'a>(run: &Arc<Run>, entries: impl Iterator<Item = &'a Entry> + Clone) -> Vec<Diagnostic> {
    let mut findings = variables::check(run, entries.clone());
    findings.extend(names::check(run, entries.clone()));
    findings.extend(sources::check(run, entries));
    findings
}

/// Whether the play is for somebody, as far as is known: one for nobody reads nothing.
fn has_hosts(run: &Run, play: &Play) -> bool {
    hosts(run, play, None).is_none_or(|hosts| !hosts.is_empty())
}

/// The hosts of the play's pattern; `None` where only the run can tell them.
fn hosts(run: &Run, play: &Play, limit: Option<&Limit>) -> Option<Vec<Arc<str>>> {
    let patterns = list_of(&play.hosts);
    let patterns = patterns.iter().map(|node| node.as_str().filter(|_| !node.is_template())).collect::<Option<Vec<_>>>()?;
    Some(read(&run.inventory).select(&patterns, limit).map(|selection| selection.hosts).unwrap_or_default())
}

/// Everything that is wrong with a play's tasks. What would only be refused when the task runs is a warning where the playbook is prepared
/// for a failure, or may not run the task at all.
pub fn check(run: &Arc<Run>, play: &Play) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for items in [&play.pre_tasks, &play.tasks, &play.post_tasks, &play.handlers] {
        check_items((run, play), items, false, &mut findings);
    }
    for block in &play.roles {
        check_block((run, play), block, false, &mut findings);
    }
    for role in play.static_roles() {
        check_items((run, play), &role.handlers, false, &mut findings);
    }
    findings
}

type Place<'a> = (&'a Arc<Run>, &'a Play);

fn check_items(place: Place<'_>, items: &[Item], is_caught: bool, findings: &mut Vec<Diagnostic>) {
    for item in items {
        match item {
            Item::Block(block) => check_block(place, block, is_caught, findings),
            Item::Task(task) => {
                let mut own = Vec::new();
                check_task(place.0, task, &mut own);
                let forgiving = is_caught || certain::may_fail_or_not_run(place.0, place.1, task);
                findings.extend(own.into_iter().map(|finding| if forgiving { finding.as_warning() } else { finding }));
            }
        }
    }
}

fn check_block(place: Place<'_>, block: &Block, is_caught: bool, findings: &mut Vec<Diagnostic>) {
    check_items(place, &block.body, is_caught || !block.rescue.is_empty(), findings);
    check_items(place, &block.rescue, is_caught, findings);
    check_items(place, &block.always, is_caught, findings);
}

/// The tasks of a play, handlers aside, whose failure nothing catches: what a `rescue` catches may fail, a `rescue` may never run, and
/// handlers may never be notified. A play for nobody has none.
fn uncaught_tasks(run: &Run, play: &Play) -> Vec<Arc<Task>> {
    fn collect(items: &[Item], found: &mut Vec<Arc<Task>>) {
        for item in items {
            match item {
                Item::Task(task) => found.push(task.clone()),
                Item::Block(block) => of_block(block, found),
            }
        }
    }
    fn of_block(block: &Block, found: &mut Vec<Arc<Task>>) {
        if block.rescue.is_empty() {
            collect(&block.body, found);
        }
        collect(&block.always, found);
    }
    let mut found = Vec::new();
    if has_hosts(run, play) {
        play.roles.iter().for_each(|role| of_block(role, &mut found));
        [&play.pre_tasks, &play.tasks, &play.post_tasks].iter().for_each(|items| collect(items, &mut found));
    }
    found
}

/// Where a task's files are searched.
fn search_path(run: &Run, task: &Task, entry: &Entry) -> SearchPath {
    let chain = || task.scope.chain();
    let roles = chain().filter_map(|scope| scope.role.as_ref()).map(|role| role.path.clone());
    let files = chain().filter_map(|scope| scope.file.as_ref()).map(|file| run.playbook_folder(file));
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in roles.chain(files).chain([run.playbook_folder(&entry.file)]) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    SearchPath::new(folders)
}

/// A path as people read it: from the folder they stand in, where it is below.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let short = here.as_ref().and_then(|here| path.strip_prefix(here).ok());
    short.unwrap_or(path).to_string_lossy().into_owned()
}

/// The refusal of a module that does not exist.
pub fn unknown_action(run: &Run, name: &str, span: &Span) -> Diagnostic {
    unknown_beside(&library::names(run), name, span)
}

/// The same, with the names of the modules that the project brings along.
fn unknown_beside(brought: &[String], name: &str, span: &Span) -> Diagnostic {
    let native = modules::all().iter().flat_map(|entry| [entry.name, entry.short_name()]).chain(actions::NAMES.iter().copied());
    let known = native.chain(brought.iter().map(String::as_str));
    let help = "it is neither one of Hostler's (`hostler doc --list`) nor in a `library` folder or an installed collection";
    let error = Diagnostic::error(format!(
        "couldn't resolve module/action '{name}'. This often indicates a misspelling, missing collection, or incorrect module path."
    ));
    error.at(span).did_you_mean(name, known).help(help)
}

/// A module that exists elsewhere is refused when its task runs, one that exists nowhere before anything runs.
fn unknown_here(brought: &[String], name: &str, span: &Span) -> Diagnostic {
    let error = unknown_beside(brought, name, span);
    let is_mistyped = error.help.iter().any(|help| matches!(help, Help::DidYouMean(_)));
    let short = name.strip_prefix("ansible.builtin.").or_else(|| name.strip_prefix("ansible.legacy.")).unwrap_or(name);
    let is_of_ansible = NOT_YET.contains(&short);
    let is_of_a_collection = name.matches('.').count() >= 2 && short == name;
    match (is_of_ansible || is_of_a_collection) && !(is_mistyped && is_of_a_collection) {
        true => Diagnostic::warning(format!("Hostler has no module `{name}`: its task fails when it runs"))
            .at(span)
            .help("`hostler doc --list` names those it has"),
        false => error,
    }
}

/// Modules of ansible-core that are not here.
const NOT_YET: &[&str] = &["async_wrapper", "dnf", "dnf5", "mount_facts", "rpm_key", "sysvinit", "yum_repository"];

fn check_task(run: &Run, task: &Task, findings: &mut Vec<Diagnostic>) {
    let plugin = library::action(run, task);
    if !plugin.as_ref().is_some_and(|plugin| plugin.takes_text) {
        findings.extend(no_option(task));
    }
    if plugin.is_some() {
        findings.extend(library::no_actions(run).map(|why| Diagnostic::error(why).at(&task.action.span)));
        return;
    }
    if let Some(module) = library::find(run, task) {
        findings.extend(library::problem(run, &module).map(|why| Diagnostic::error(why).at(&task.action.span)));
        return;
    }
    let name = &task.action.name;
    let short = task.short_action();
    let is_own = actions::NAMES.contains(&short);
    let Some(entry) = modules::find(name) else {
        // A templated action is known when it runs.
        if !is_own && !name.contains("{{") {
            findings.push(unknown_here(&library::names(run), name, &task.action.span));
        }
        if short == "meta" {
            check_meta(task, findings);
        }
        return;
    };
    if !task.action.arguments.whole.is_empty() {
        return;
    }
    let specs = (entry.specs)();
    let knows = |option: &str| specs.iter().any(|spec| spec.name == option || spec.aliases.contains(&option));
    for (option, node) in &task.action.arguments.options {
        if knows(option) || EXTRA_OPTIONS.iter().any(|(action, known)| *action == short && *known == option) {
            check_value(option, node, &specs, findings);
        } else if !option.contains("{{") && !may_be_omitted(node) {
            findings.push(unknown_option(entry, option, task, node, &specs));
        }
    }
}

/// Text that is no option, of an action that takes none.
fn no_option(task: &Task) -> Option<Diagnostic> {
    let (name, text) = (&task.action.name, task.action.arguments.raw.as_ref()?);
    if takes_free_text(name) || name.contains("{{") {
        return None;
    }
    let shown = text.as_str().unwrap_or_default().trim();
    let error = Diagnostic::error(format!("`{shown}` of `{name}` is no option: free-form arguments are written `option=value`"));
    Some(error.at(&text.span).help("write the options as a mapping, one a line"))
}

/// Whether a value may turn out to be `omit`: an option that is left out is none too many.
fn may_be_omitted(node: &crate::base::Node) -> bool {
    node.is_template() && node.as_str().is_some_and(|text| text.contains("omit"))
}

/// Options that the controller's half of an action takes.
const EXTRA_OPTIONS: &[(&str, &str)] = &[
    ("gather_facts", "parallel"),
    ("template", "block_start_string"),
    ("template", "block_end_string"),
    ("template", "variable_start_string"),
    ("template", "variable_end_string"),
    ("template", "comment_start_string"),
    ("template", "comment_end_string"),
    ("template", "trim_blocks"),
    ("template", "lstrip_blocks"),
    ("template", "newline_sequence"),
    ("template", "output_encoding"),
    ("template", "follow"),
    ("fetch", "dest"),
    ("fetch", "flat"),
    ("fetch", "fail_on_missing"),
    ("fetch", "validate_checksum"),
    ("unarchive", "copy"),
    ("unarchive", "decrypt"),
    ("script", "decrypt"),
    ("service", "use"),
    ("package", "use"),
];

fn unknown_option(entry: &modules::Entry, option: &str, task: &Task, node: &crate::base::Node, specs: &[modules::ArgSpec]) -> Diagnostic {
    let names = specs.iter().flat_map(|spec| std::iter::once(spec.name).chain(spec.aliases.iter().copied()));
    let names = names.filter(|name| !name.starts_with('_'));
    let error = Diagnostic::error(format!("`{}` has no option `{option}`", task.action.name)).at(&key_span(node, option));
    error.did_you_mean(option, names).command(format!("hostler doc {}", entry.short_name()))
}

/// The place of an option's name: it stands before its value on the same line, or the line before.
fn key_span(node: &crate::base::Node, option: &str) -> Span {
    let mut span = node.span.clone();
    let width = option.chars().count() as u32;
    if span.column > width + 2 {
        span.column -= width + 2;
        span.length = width;
    }
    span
}

/// YAML traps in values.
fn check_value(option: &str, node: &crate::base::Node, specs: &[modules::ArgSpec], findings: &mut Vec<Diagnostic>) {
    let spec = specs.iter().find(|spec| spec.name == option || spec.aliases.contains(&option));
    let Some(spec) = spec else { return };
    if spec.kind == modules::ArgKind::Mode
        && let NodeKind::Int(number) = node.kind
        && looks_decimal(number)
    {
        let message = format!("`{option}: {number}` is the number {number}, which is {} and hardly meant", permissions(number as u32));
        findings.push(Diagnostic::warning(message).label(&node.span, format!("write \"0{number}\"")));
    }
}

/// A mode that was written without its leading zero: all of its decimal digits are octal ones, and there are three or four.
fn looks_decimal(number: i64) -> bool {
    (100..=7777).contains(&number) && number.to_string().bytes().all(|digit| digit < b'8')
}

/// Permission bits as `ls` shows them.
fn permissions(mode: u32) -> String {
    let three = |bits: u32, special: bool, letters: (char, char)| {
        let execute = match (bits & 1 != 0, special) {
            (true, true) => letters.0,
            (false, true) => letters.1,
            (true, false) => 'x',
            (false, false) => '-',
        };
        format!("{}{}{execute}", if bits & 4 != 0 { 'r' } else { '-' }, if bits & 2 != 0 { 'w' } else { '-' })
    };
    let user = three(mode >> 6 & 7, mode & 0o4000 != 0, ('s', 'S'));
    let group = three(mode >> 3 & 7, mode & 0o2000 != 0, ('s', 'S'));
    format!("-{user}{group}{}", three(mode & 7, mode & 0o1000 != 0, ('t', 'T')))
}

fn check_meta(task: &Task, findings: &mut Vec<Diagnostic>) {
    if let Some(raw) = &task.action.arguments.raw
        && let Some(text) = raw.as_str()
        && !raw.is_template()
        && !meta::ACTIONS.contains(&text)
    {
        let error = Diagnostic::error(format!("invalid meta action requested: {text}")).at(&raw.span);
        findings.push(error.did_you_mean(text, meta::ACTIONS.iter().copied()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_of_others_are_warned_of_and_mistyped_ones_refused() {
        let span = Span::origin("<test>");
        assert!(!unknown_here(&[], "community.mysql.mysql_db", &span).is_error());
        assert!(!unknown_here(&[], "ansible.builtin.dnf", &span).is_error());
        assert!(unknown_here(&[], "ansible.builtin.coppy", &span).is_error());
        assert!(unknown_here(&[], "coppy", &span).is_error());
        assert!(unknown_here(&[], "community.general.ini_fle", &span).is_error());
    }

    #[test]
    fn a_module_that_is_here_is_not_listed_as_missing() {
        let here: Vec<_> = NOT_YET.iter().filter(|name| modules::find(name).is_some()).collect();
        assert!(here.is_empty(), "{here:?}");
    }

    #[test]
    fn an_option_that_may_be_left_out_is_none_too_many() {
        let span = Span::origin("<test>");
        assert!(may_be_omitted(&crate::base::Node::text(span.clone(), "{{ 'x' if false else omit }}")));
        assert!(!may_be_omitted(&crate::base::Node::text(span.clone(), "{{ 'x' }}")));
        assert!(!may_be_omitted(&crate::base::Node::text(span, "omit")));
    }

    #[test]
    fn a_decimal_mode_is_shown_as_what_it_is() {
        assert_eq!(permissions(755), "--wxrw--wt");
        assert!(looks_decimal(755) && looks_decimal(644));
        // 493 is what YAML makes of 0755.
        assert!(!looks_decimal(493));
    }
}
