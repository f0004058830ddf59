//! Modules about the machine as a whole: what is mounted, its time zone, its locales, its kernel modules.

mod fstab;
mod locale_gen;
mod modprobe;
mod mount;
mod mount_point;
mod timezone;

use super::registry::Entry;

pub(super) const MODULES: &[Entry] = &[
    Entry::of::<locale_gen::LocaleGen>(),
    Entry::of::<modprobe::Modprobe>(),
    Entry::of::<mount::Mount>(),
    Entry::of::<timezone::Timezone>(),
];
