//! Actions that run on the controller, or begin there: what they do with variables, inventory and files of the project. What they need done
//! on the host they ask of modules.

mod argument_spec;
mod assemble;
pub mod background;
mod control;
mod copy;
mod fetch;
mod files;
mod include;
mod inventory;
mod pause;
mod template;
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
    "validate_argument_spec",
    "wait_for_connection",
];

/// Runs the action of a call, when it is one of these; `None`: it is a module's alone.
pub async fn run(call: &Call<'_>) -> Option<Outcome> {
    if let Some(refusal) = refused(call) {
        return Some(refusal);
    }
    Some(match call.task.short_action() {
        "add_host" => inventory::add_host(call),
        "assemble" => assemble::assemble(call).await,
        "assert" => control::assert(call),
        "async_status" => background::status(call).await,
        "copy" => copy::copy(call).await,
        "debug" => control::debug(call),
        "fail" => control::fail(call),
        "fetch" => fetch::fetch(call).await,
        "gather_facts" => {
            let mut args = call.args.clone();
            // Whether several modules of facts run side by side: there is one.
            args.remove("parallel");
            call.finish("ansible.builtin.setup", args).await
        }
        "group_by" => inventory::group_by(call),
        "include_role" => include::role(call),
        "include_tasks" => include::tasks(call),
        "include_vars" => vars::include_vars(call),
        "package" => package(call).await,
        "pause" => pause::pause(call).await,
        "reboot" => wait::reboot(call).await,
        "script" => files::script(call).await,
        "set_fact" => vars::set_fact(call),
        "set_stats" => vars::set_stats(call),
        "template" => template::template(call).await,
        "unarchive" => files::unarchive(call).await,
        "validate_argument_spec" => argument_spec::validate(call),
        "wait_for_connection" => wait::wait_for_connection(call).await,
        _ => return None,
    })
}

/// `package`: with the manager that a variable names, where the task names none.
async fn package(call: &Call<'_>) -> Outcome {
    let mut args = call.args.clone();
    if call.text("use").is_none_or(|manager| manager == "auto") {
        match call.variable("ansible_package_use") {
            Ok(Some(manager)) => drop(args.insert("use", manager)),
            Ok(None) => {}
            Err(error) => return Outcome::error(error),
        }
    }
    call.module("ansible.builtin.package", args).await
}

/// Options of the actions that no module declares; other actions check theirs themselves.
const OPTIONS: &[(&str, &[&str])] = &[
    ("assert", &["fail_msg", "quiet", "success_msg", "that", "msg"]),
    ("debug", &["msg", "var", "verbosity"]),
    ("fail", &["msg"]),
    ("group_by", &["key", "parents"]),
    ("pause", &["echo", "minutes", "prompt", "seconds"]),
    (
        "reboot",
        &[
            "boot_time_command",
            "connect_timeout",
            "msg",
            "post_reboot_delay",
            "pre_reboot_delay",
            "reboot_command",
            "reboot_timeout",
            "search_paths",
            "test_command",
        ],
    ),
    ("set_stats", &["aggregate", "data", "per_host"]),
    ("wait_for_connection", &["connect_timeout", "delay", "sleep", "timeout"]),
];

/// What an action of the controller's cannot do: unknown options, and `async`, since only modules run on without the controller.
fn refused(call: &Call<'_>) -> Option<Outcome> {
    let (short, name) = (call.task.short_action(), &call.task.action.name);
    let own = NAMES.contains(&short) && !matches!(short, "gather_facts" | "async_status");
    if own && call.background.is_some() {
        return Some(Outcome::failed(format!("This action ({name}) does not support async.")));
    }
    let (_, known) = OPTIONS.iter().find(|(action, _)| *action == short)?;
    let unknown: Vec<String> = call.args.keys().map(ToString::to_string).filter(|option| !known.contains(&option.as_str())).collect();
    let first = unknown.first()?;
    let message = match short {
        // ansible-core checks these as it checks modules.
        "assert" | "debug" | "pause" => {
            // What stands last there is another name of what stands before it.
            let (unknown, known) = (unknown.join(", "), known.join(", ").replace("that, msg", "that (msg)"));
            format!("Unsupported parameters for ({name}) module: {unknown}. Supported parameters include: {known}.")
        }
        _ => format!("Invalid options for {name}: {}", unknown.join(",")),
    };
    Some(call.wrong(first, message))
}

/// Options that some actions evaluate themselves: bare expressions, or values that are kept as source.
pub fn kept_as_source(action: &str) -> &'static [&'static str] {
    match action {
        "assert" => &["that"],
        "debug" => &["var"],
        _ => &[],
    }
}

/// The modules that an action asks in the end: defaults set for them count too, below its own.
pub fn stands_for(action: &str) -> &'static [&'static str] {
    match action {
        "service" => &["ansible.builtin.systemd_service", "ansible.builtin.systemd", "systemd_service", "systemd"],
        "package" => &["ansible.builtin.apt", "apt"],
        _ => &[],
    }
}
