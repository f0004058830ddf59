//! `ansible.posix.sysctl`: kernel settings, in their file and in the running kernel.

use std::path::{Path, PathBuf};

use crate::base::Value;
use crate::modules::{Module, Output, choices, module_args};
use crate::system::{Command, Failure, FileKind, Result, System, WriteFile};

pub struct Sysctl;

choices! {
    pub enum State { Present = "present", Absent = "absent" }
}

module_args! {
    /// Sets kernel parameters and keeps them in a file.
    pub struct SysctlArgs {
        /// Name of the parameter.
        name | "key": String,
        /// Its value.
        value | "val": Option<Value>,
        /// Whether the file should name it.
        state: State = State::Present,
        /// Have the kernel read the file when it was changed.
        reload: bool = true,
        /// Set the running kernel's value too when it differs.
        sysctl_set: bool = false,
        /// The file to keep it in.
        sysctl_file: PathBuf = PathBuf::from("/etc/sysctl.conf"),
        /// Let unknown parameters pass.
        ignoreerrors: bool = false,
    }
}

impl Module for Sysctl {
    const NAME: &'static str = "ansible.posix.sysctl";
    type Args = SysctlArgs;

    fn run(args: SysctlArgs, sys: &mut System) -> Result<Output> {
        let name = args.name.trim().to_owned();
        if name.is_empty() || name.contains(char::is_whitespace) || name.starts_with('-') {
            return Err(Failure::new(format!("`{name}` is not the name of a kernel parameter")).at("name"));
        }
        let value = args.value.as_ref().map(as_text).unwrap_or_default();
        if args.state == State::Present && value.is_empty() {
            return Err(Failure::new("value cannot be None").at("value"));
        }
        let text = match sys.query_file(&args.sysctl_file)? {
            Some(found) if found.kind == FileKind::File => sys.query_text(&args.sysctl_file)?,
            Some(_) => return Err(Failure::new(format!("`{}` is not a file", args.sysctl_file.display())).at("sysctl_file")),
            None => String::new(),
        };
        let wanted = (args.state == State::Present).then_some(value.as_str());
        let edited = edit(&text, &name, wanted);
        let changed = edited != text;
        if changed {
            sys.write_file(WriteFile::new(&args.sysctl_file, edited))?;
        }
        if args.sysctl_set && args.state == State::Present {
            set(&name, &value, args.ignoreerrors, sys)?;
        }
        if changed && args.reload {
            reload(&args.sysctl_file, args.ignoreerrors, sys)?;
        }
        Ok(Output::new().with("name", name).with("value", value))
    }
}

/// Booleans are the kernel's 1 and 0; spaces between numbers are one.
fn as_text(value: &Value) -> String {
    match value {
        Value::Bool(flag) => u8::from(*flag).to_string(),
        other => other.to_text().trim().to_owned(),
    }
}

fn same(a: &str, b: &str) -> bool {
    a.split_whitespace().eq(b.split_whitespace())
}

fn key_of(line: &str) -> Option<(&str, &str)> {
    let content = line.trim();
    if content.is_empty() || content.starts_with(['#', ';']) {
        return None;
    }
    let (key, value) = content.split_once('=')?;
    Some((key.trim(), value.trim()))
}

/// The file with exactly one line for the parameter, or none.
fn edit(text: &str, name: &str, wanted: Option<&str>) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut seen = false;
    for line in text.lines() {
        match key_of(line) {
            Some((key, value)) if key == name => {
                if let Some(wanted) = wanted.filter(|_| !seen) {
                    lines.push(if same(value, wanted) { line.to_owned() } else { format!("{name}={wanted}") });
                }
                seen = true;
            }
            _ => lines.push(line.to_owned()),
        }
    }
    if let (Some(wanted), false) = (wanted, seen) {
        lines.push(format!("{name}={wanted}"));
    }
    let mut edited = lines.join("\n");
    if !edited.is_empty() {
        edited.push('\n');
    }
    if edited.trim_end() == text.trim_end() { text.to_owned() } else { edited }
}

/// The running kernel's value, set when it differs.
fn set(name: &str, value: &str, ignore: bool, sys: &mut System) -> Result<()> {
    let path = format!("/proc/sys/{}", proc_path(name));
    let current = sys.query_record("sysctl", name, || match sys.query_file(Path::new(&path))? {
        Some(_) => Ok(Some(sys.query_text(Path::new(&path))?.trim().into())),
        None => Ok(None),
    })?;
    if current.as_ref().and_then(Value::as_str).is_some_and(|current| same(current, value)) {
        return Ok(());
    }
    let switch = ignore.then_some("-e");
    let command = Command::new("sysctl").args(switch).arg("-w").arg(format!("{name}={value}"));
    sys.mutate(command, crate::system::Effect::Record { kind: "sysctl", name: name.to_owned(), value: Some(value.into()) })?;
    Ok(())
}

/// In a name with slashes the dots are part of the names; else dots separate.
fn proc_path(name: &str) -> String {
    match name.find(['.', '/']).map(|place| name.as_bytes()[place]) {
        Some(b'/') => name.to_owned(),
        _ => name
            .chars()
            .map(|c| {
                if c == '.' {
                    '/'
                } else if c == '/' {
                    '.'
                } else {
                    c
                }
            })
            .collect(),
    }
}

fn reload(file: &Path, ignore: bool, sys: &mut System) -> Result<()> {
    let command = Command::new("sysctl").args(ignore.then_some("-e")).arg("-p").arg(file);
    let outcome = sys.refresh(command, "sysctl file", &file.to_string_lossy(), Value::Bool(true))?;
    match outcome.now() {
        Some(completed) if !completed.ok() && !ignore => {
            Err(Failure::new(format!("Failed to reload sysctl: {}{}", completed.stdout_text(), completed.stderr_text())))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    #[test]
    fn the_file_gets_one_line_and_keeps_its_comments() {
        let text = "# mine\nvm.swappiness = 60\nnet.ipv4.ip_forward=1\nvm.swappiness=10\n";
        assert_eq!(edit(text, "vm.swappiness", Some("5")), "# mine\nvm.swappiness=5\nnet.ipv4.ip_forward=1\n");
        assert_eq!(edit(text, "net.ipv4.ip_forward", None), "# mine\nvm.swappiness = 60\nvm.swappiness=10\n");
        assert_eq!(edit("a=1", "a", Some("1")), "a=1");
        assert_eq!(proc_path("net.ipv4.conf.eth0/1.forwarding"), "net/ipv4/conf/eth0.1/forwarding");
    }

    #[test]
    fn the_running_kernel_is_set_once() {
        let overlay = Overlay::empty().with_directory("/etc/sysctl.d").with_file("/proc/sys/vm/swappiness", "60\n");
        let mut machine = Machine::new(overlay);
        let task = "ansible.posix.sysctl: { name: vm.swappiness, value: '10', sysctl_set: true, sysctl_file: /etc/sysctl.d/50-own.conf }";
        assert_eq!(machine.task(task).expect("runs").effects.len(), 2);
        assert_eq!(machine.sys.query_text(Path::new("/etc/sysctl.d/50-own.conf")).expect("reads"), "vm.swappiness=10\n");
    }
}
