//! `--list-hosts`, `--list-tasks`, `--list-tags`: what would run, without running it.

use std::sync::Arc;

use crate::base::Node;
use crate::history::event::Event;
use crate::inventory::Limit;
use crate::language::{Entry, Item, Play, Task, Vars};

use super::keywords::{is_selected, list_of, tags};
use super::request::PlaySource;
use super::selection::only;
use super::state::{Run, read};

/// Tells the lists as Ansible prints them.
pub fn show(run: &Arc<Run>, playbooks: &[(Arc<str>, Vec<Entry>)], hosts: bool, tasks: bool, with_tags: bool) {
    if let [(_, entries)] = playbooks
        && matches!(run.request.plays.as_slice(), [PlaySource::Built { .. }])
    {
        let found: Vec<Arc<str>> = entries.iter().flat_map(|entry| matching(run, &entry.play)).collect();
        let hosts: String = found.iter().map(|host| format!("\n    {host}")).collect();
        run.event(Event::Message { text: format!("  hosts ({}):{hosts}", found.len()), verbosity: 0 });
        return;
    }
    for (file, entries) in playbooks {
        let mut text = format!("\nplaybook: {}\n", as_given(file));
        for (index, entry) in entries.iter().enumerate() {
            text.push_str(&describe(run, entry, index + 1, (hosts, tasks, with_tags)));
        }
        run.event(Event::Message { text: text.trim_end_matches('\n').to_owned() + "\n", verbosity: 0 });
    }
}

fn describe(run: &Arc<Run>, entry: &Entry, number: usize, (hosts, tasks, with_tags): (bool, bool, bool)) -> String {
    let play = &entry.play;
    let context = super::hostless::play_context(run, entry, &Vars::new());
    let render = |node: &Node| run.templar.render(node, &context).ok();
    let pattern = pattern_text(&play.hosts);
    let name = play.name.as_ref().map_or_else(|| pattern.clone(), |name| name.to_value().to_text());
    let own: Vec<String> = play.keyword("tags").map(list_of).unwrap_or_default().iter().map(|tag| tag.to_value().to_text()).collect();
    let mut text = format!("\n  play #{number} ({pattern}): {name}\tTAGS: [{}]\n", own.join(","));
    if hosts {
        let found = matching(run, play);
        text.push_str(&format!("    pattern: ['{}']\n    hosts ({}):\n", pattern.replace(',', "', '"), found.len()));
        found.iter().for_each(|host| text.push_str(&format!("      {host}\n")));
    }
    if tasks || with_tags {
        let all = every_task(play);
        let settings = &run.request.settings;
        // As ansible-core: who asks for tags alone sees those that run on demand only, too.
        let only = match with_tags && settings.tags.is_empty() {
            true => vec!["all".to_owned(), "never".to_owned()],
            false => only(&settings.tags),
        };
        let selected = all.iter().filter(|task| is_selected(&tags(task, &render), &only, &settings.skip_tags));
        let mut seen: Vec<String> = Vec::new();
        if tasks {
            text.push_str("    tasks:\n");
        }
        for task in selected {
            let mut own = tags(task, &render);
            own.sort();
            if tasks {
                text.push_str(&format!("      {}\tTAGS: [{}]\n", title(task), own.join(", ")));
            }
            seen.extend(own);
        }
        if with_tags {
            seen.sort();
            seen.dedup();
            text.push_str(&format!("      TASK TAGS: [{}]\n", seen.join(", ")));
        }
    }
    text
}

pub(super) fn title(task: &Task) -> String {
    let Some(name) = task.name.as_ref().map(|name| name.to_value().to_text()) else { return task.action.name.to_string() };
    match &task.scope.role {
        Some(role) => format!("{} : {name}", role.name),
        None => name,
    }
}

/// A playbook's name: from the working folder on, where it lies below that.
pub fn as_given(file: &str) -> &str {
    let here = std::env::current_dir().ok();
    let inside = here.as_ref().and_then(|here| file.strip_prefix(here.to_str()?)?.strip_prefix('/'));
    inside.unwrap_or(file)
}

pub(super) fn every_task(play: &Play) -> Vec<Arc<Task>> {
    let roles = play.roles.iter().flat_map(|block| Item::Block(block.clone()).tasks());
    let tasks = |items: &[Item]| items.iter().flat_map(Item::tasks).collect::<Vec<_>>();
    let mut all = tasks(&play.pre_tasks);
    all.extend(roles);
    all.extend(tasks(&play.tasks));
    all.extend(tasks(&play.post_tasks));
    all
}

fn pattern_text(hosts: &Node) -> String {
    list_of(hosts).iter().map(|host| host.to_value().to_text()).collect::<Vec<_>>().join(",")
}

fn matching(run: &Run, play: &Play) -> Vec<Arc<str>> {
    let limit = run.request.limit.as_deref().and_then(|limit| Limit::parse(limit).ok());
    let pattern = pattern_text(&play.hosts);
    read(&run.inventory).select(&[&pattern], limit.as_ref()).map(|selection| selection.hosts.to_vec()).unwrap_or_default()
}
