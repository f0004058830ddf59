//! `community.general.pam_limits`: what a session may use at most.

use std::path::{Path, PathBuf};

use crate::modules::{Module, Output, choices, module_args};
use crate::system::{Failure, Result, System, WriteFile};

pub struct PamLimits;

choices! {
    pub enum LimitType { Hard = "hard", Soft = "soft", Both = "-" }
}

choices! {
    pub enum LimitItem {
        Core = "core", Data = "data", Fsize = "fsize", Memlock = "memlock", Nofile = "nofile", Rss = "rss", Stack = "stack", Cpu = "cpu",
        Nproc = "nproc", As = "as", Maxlogins = "maxlogins", Maxsyslogins = "maxsyslogins", Priority = "priority", Locks = "locks",
        Sigpending = "sigpending", Msgqueue = "msgqueue", Nice = "nice", Rtprio = "rtprio", Chroot = "chroot",
    }
}

module_args! {
    /// Sets a limit that PAM gives to sessions; other lines of the file stay as they are.
    pub struct PamLimitsArgs {
        /// Whose sessions: a user, `@group`, `*`, or a range of ids.
        domain: String,
        /// Which of the two limits; `-` is both.
        limit_type: LimitType,
        /// What is limited.
        limit_item: LimitItem,
        /// The limit; `unlimited`, `infinity` and `-1` are none.
        value: String,
        /// Leave a higher limit that is there as it is.
        use_max: bool = false,
        /// Leave a lower limit that is there as it is.
        use_min: bool = false,
        /// What is said at the end of the line.
        comment: String = "",
        /// The file.
        dest: PathBuf = PathBuf::from("/etc/security/limits.conf"),
        /// Keep the old file under a dated name.
        backup: bool = false,
    }
}

impl Module for PamLimits {
    const NAME: &'static str = "community.general.pam_limits";
    type Args = PamLimitsArgs;

    fn run(args: PamLimitsArgs, sys: &mut System) -> Result<Output> {
        if args.use_max && args.use_min {
            return Err(Failure::new("Cannot use use_min and use_max at the same time."));
        }
        let is_priority = matches!(args.limit_item, LimitItem::Nice | LimitItem::Priority);
        let value = Limit::read(&args.value, is_priority).map_err(|wanted| {
            let (value, item) = (&args.value, args.limit_item.as_str());
            Failure::new(format!("Value of '{value}' for item '{item}' is invalid. Value must {wanted}.")).at("value")
        })?;
        let before = match sys.query_file(&args.dest)? {
            Some(_) => sys.query_text(&args.dest)?,
            None => String::new(),
        };
        let (after, line) = edit(&args, &value, is_priority, &before);
        let mut output = Output::new().message(line);
        if after != before {
            let written = sys.write_file(WriteFile::new(&args.dest, after).backup(args.backup && is_there(&args.dest, sys)?))?;
            if let Some(backup) = written.backup_file {
                output = output.with("backup_file", backup.to_string_lossy().into_owned());
            }
        }
        Ok(output)
    }
}

fn is_there(path: &Path, sys: &System) -> Result<bool> {
    Ok(sys.query_file(path)?.is_some())
}

/// A limit, with the text that says it; none is more than any.
#[derive(Clone)]
struct Limit {
    text: String,
    size: i128,
}

impl Limit {
    /// The error completes "value must …".
    fn read(text: &str, is_priority: bool) -> std::result::Result<Limit, &'static str> {
        let size = match (text, text.parse::<i64>()) {
            (_, Ok(number)) if is_priority && (-20..=19).contains(&number) => i128::from(number),
            _ if is_priority => return Err("be a number in the range -20 to 19 inclusive"),
            ("unlimited" | "infinity" | "-1", _) => i128::MAX,
            (_, Ok(number)) if number >= 0 => i128::from(number),
            _ => return Err("either be 'unlimited', 'infinity' or -1, all of which indicate no limit, or a limit of 0 or larger"),
        };
        Ok(Limit { text: text.to_owned(), size })
    }
}

/// The file with the limit, and its line.
fn edit(args: &PamLimitsArgs, value: &Limit, is_priority: bool, before: &str) -> (String, String) {
    let key = [args.domain.as_str(), args.limit_type.as_str(), args.limit_item.as_str()];
    let mut after = String::new();
    let mut found = None;
    for line in before.split_inclusive('\n') {
        let (content, comment) = line.trim_end().split_once('#').unwrap_or((line.trim_end(), ""));
        let words: Vec<&str> = content.split_whitespace().collect();
        if words.len() != 4 || words[..3] != key {
            after.push_str(line);
            continue;
        }
        let kept = match Limit::read(words[3], is_priority) {
            Ok(known) if args.use_max && known.size >= value.size => known,
            Ok(known) if args.use_min && known.size <= value.size => known,
            _ => value.clone(),
        };
        let comment = if args.comment.is_empty() { comment } else { &args.comment };
        let line = if kept.text == words[3] { line.to_owned() } else { written(key, &kept.text, comment) };
        after.push_str(&line);
        found = Some(line);
    }
    let line = found.unwrap_or_else(|| {
        let line = written(key, &value.text, &args.comment);
        if !after.is_empty() && !after.ends_with('\n') {
            after.push('\n');
        }
        after.push_str(&line);
        line
    });
    (after, line)
}

fn written(key: [&str; 3], value: &str, comment: &str) -> String {
    let comment = if comment.trim().is_empty() { String::new() } else { format!("\t#{}", comment.trim()) };
    format!("{}\t{value}{comment}\n", key.join("\t"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    const BEFORE: &str = "# head\n#joe soft nofile 1\njoe  soft\tnofile 100\n@g hard cpu 5 # five\n# End of file\n";

    fn after(options: &str) -> String {
        let mut machine = Machine::new(Overlay::empty().with_file("/etc/security/limits.conf", BEFORE));
        machine.task(&format!("community.general.pam_limits: {{ {options} }}")).expect("runs");
        machine.sys.query_text(Path::new("/etc/security/limits.conf")).expect("reads")
    }

    #[test]
    fn one_line_has_the_limit_and_all_others_stay() {
        let joe = "domain: joe, limit_type: soft, limit_item: nofile";
        assert_eq!(after(&format!("{joe}, value: 100, comment: other")), BEFORE);
        assert_eq!(after(&format!("{joe}, value: 200")), BEFORE.replace("joe  soft\tnofile 100", "joe\tsoft\tnofile\t200"));
        assert_eq!(
            after("domain: '@g', limit_type: hard, limit_item: cpu, value: unlimited"),
            BEFORE.replace("@g hard cpu 5 # five", "@g\thard\tcpu\tunlimited\t#five")
        );
        let new = after("domain: new, limit_type: '-', limit_item: nice, value: -20, comment: first");
        assert_eq!(new, format!("{BEFORE}new\t-\tnice\t-20\t#first\n"));
    }

    #[test]
    fn the_higher_or_lower_limit_is_kept_when_asked_and_none_is_the_highest() {
        let limit = |rest: &str| {
            let text = after(&format!("domain: joe, limit_type: soft, limit_item: nofile, {rest}"));
            text.lines()
                .find(|line| line.starts_with("joe"))
                .and_then(|line| line.split_whitespace().last())
                .map(str::to_owned)
                .unwrap_or_default()
        };
        for (rest, expected) in [
            ("value: 50, use_max: true", "100"),
            ("value: 150, use_max: true", "150"),
            ("value: -1, use_max: true", "-1"),
            ("value: 50, use_min: true", "50"),
            ("value: unlimited, use_min: true", "100"),
        ] {
            assert_eq!(limit(rest), expected, "{rest}");
        }
    }

    #[test]
    fn what_is_no_limit_is_refused() {
        let mut machine = Machine::new(Overlay::empty());
        for (rest, expected) in [
            ("limit_item: nice, value: -21", "in the range -20 to 19"),
            ("limit_item: core, value: -20", "or a limit of 0 or larger"),
            ("limit_item: core, value: x", "Value of 'x' for item 'core' is invalid"),
            ("limit_item: core, value: 1, use_max: true, use_min: true", "at the same time"),
        ] {
            let said = machine.refusal(&format!("community.general.pam_limits: {{ domain: joe, limit_type: hard, {rest} }}"));
            assert!(said.contains(expected), "{said}");
        }
    }
}
