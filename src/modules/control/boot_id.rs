//! `hostler.internal.boot_id`: what `reboot` asks a host before and after: has it started anew.

use std::path::Path;

use crate::modules::{Module, Output, module_args};
use crate::system::{Result, System};

pub struct BootId;

module_args! {
    /// Tells an id that changes with every start of the host, and how long it has been up.
    pub struct BootIdArgs {
    }
}

impl Module for BootId {
    const NAME: &'static str = "hostler.internal.boot_id";
    type Args = BootIdArgs;

    fn run(_args: BootIdArgs, sys: &mut System) -> Result<Output> {
        let id = sys.query_text(Path::new("/proc/sys/kernel/random/boot_id"))?;
        let uptime = sys.query_text(Path::new("/proc/uptime")).unwrap_or_default();
        let seconds = uptime.split('.').next().and_then(|text| text.parse::<i64>().ok());
        Ok(Output::new().with("boot_id", id.trim()).with("uptime_seconds", seconds))
    }
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    #[test]
    fn the_kernels_own_id_is_told() {
        let mut machine = Machine::new(Overlay::empty().with_file("/proc/sys/kernel/random/boot_id", "3d12-7\n"));
        assert_eq!(machine.task("hostler.internal.boot_id:").expect("runs").output.values.text("boot_id"), Some("3d12-7"));
    }
}
