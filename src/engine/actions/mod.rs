//! Actions that run on the controller, or begin there: what they do with variables, inventory and files of the project. What they need done
//! on the host they ask of modules.

pub mod background;
mod control;
mod files;
mod include;
mod inventory;
mod vars;
mod wait;

use super::call::Call;
use super::outcome::Outcome;

/// The actions of this folder, by Ansible's short names.
pub const NAMES: &[&str] = &[
    "add_host",
    "assemble",
    "assert",
    "async_status",
    "copy",
    "debug",
    "fail",
    "fetch",
    "gather_facts",
    "group_by",
    "import_playbook",
    "import_role",
    "import_tasks",
    "include_role",
    "include_tasks",
    "include_vars",
    "meta",
    "pause",
    "reboot",
    "script",
    "set_fact",
    "set_stats",
    "template",
    "unarchive",
    "wait_for_connection",
];

/// Runs the action of a call, when it is one of these; `None`: it is a module's alone.
pub async fn run(call: &Call<'_>) -> Option<Outcome> {
    Some(match call.task.short_action() {
        "add_host" => inventory::add_host(call),
        "assemble" => files::assemble(call).await,
        "assert" => control::assert(call),
        "async_status" => background::status(call),
        "copy" => files::copy(call).await,
        "debug" => control::debug(call),
        "fail" => control::fail(call),
        "fetch" => files::fetch(call).await,
        "gather_facts" => call.module("ansible.builtin.setup", call.args.clone()).await,
        "group_by" => inventory::group_by(call),
        "include_role" => include::role(call),
        "include_tasks" => include::tasks(call),
        "include_vars" => vars::include_vars(call),
        "pause" => control::pause(call).await,
        "reboot" => wait::reboot(call).await,
        "script" => files::script(call).await,
        "set_fact" => vars::set_fact(call),
        "set_stats" => vars::set_stats(call),
        "template" => files::template(call).await,
        "unarchive" => files::unarchive(call).await,
        "wait_for_connection" => wait::wait_for_connection(call).await,
        _ => return None,
    })
}
