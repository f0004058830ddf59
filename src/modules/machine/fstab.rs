//! Lines of an fstab: found by their mount point, set and removed. All others stay as they are and where they are.

/// One line of an fstab, with nothing escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub source: String,
    pub path: String,
    pub kind: String,
    pub options: String,
    pub dump: String,
    pub pass: String,
}

impl Entry {
    /// The line as it is written, without its end.
    pub fn line(&self) -> String {
        let fields = [&self.source, &self.path, &self.kind, &self.options, &self.dump, &self.pass];
        fields.map(|field| escape(field)).join(" ")
    }

    /// Whether it shows a folder in another place.
    pub fn is_bound(&self) -> bool {
        self.options.split(',').any(|option| option == "bind" || option == "rbind")
    }

    fn read(line: &str) -> Option<Entry> {
        let mut fields = line.split_whitespace().take_while(|field| !field.starts_with('#')).map(unescape);
        let (source, path, kind) = (fields.next()?, fields.next()?, fields.next()?);
        let options = fields.next().unwrap_or_else(|| "defaults".to_owned());
        let mut number = || fields.next().unwrap_or_else(|| "0".to_owned());
        Some(Entry { source, path, kind, options, dump: number(), pass: number() })
    }

    /// Whether both are lines of the same mount: of its mount point, or of the same swap space, which has none.
    fn is_of(&self, path: &str, source: Option<&str>) -> bool {
        let is_swap = self.path == "none" && self.kind == "swap";
        self.path == path && (!is_swap || source.is_none_or(|source| source == self.source))
    }
}

/// The first line for a mount point.
pub fn find(text: &str, path: &str) -> Option<Entry> {
    text.lines().filter_map(Entry::read).find(|entry| entry.is_of(path, None))
}

/// The text with this line for its mount point.
pub fn set(text: &str, wanted: &Entry) -> String {
    let mut edited = String::new();
    let mut found = false;
    for line in text.split_inclusive('\n') {
        match Entry::read(line) {
            Some(entry) if entry.is_of(&wanted.path, Some(&wanted.source)) => {
                found = true;
                match entry == *wanted {
                    true => edited.push_str(line),
                    false => edited.push_str(&format!("{}{}\n", wanted.line(), comment(line))),
                }
            }
            _ => edited.push_str(line),
        }
    }
    if !found {
        if !edited.is_empty() && !edited.ends_with('\n') {
            edited.push('\n');
        }
        edited.push_str(&format!("{}\n", wanted.line()));
    }
    edited
}

/// The text without the lines for a mount point; of swap spaces, without this source's.
pub fn unset(text: &str, path: &str, source: Option<&str>) -> String {
    text.split_inclusive('\n').filter(|line| !Entry::read(line).is_some_and(|entry| entry.is_of(path, source))).collect()
}

/// What is said at the end of a line, with the space before it.
fn comment(line: &str) -> String {
    let starts = line.split_whitespace().find(|field| field.starts_with('#'));
    let comment = starts.and_then(|start| line.find(&format!(" {start}")).or_else(|| line.find(&format!("\t{start}"))));
    comment.map_or_else(String::new, |place| format!(" {}", line[place..].trim()))
}

fn escape(field: &str) -> String {
    field.replace('\\', "\\134").replace(' ', "\\040").replace('\t', "\\011").replace('\n', "\\012").replace('&', "\\046")
}

/// A field of fstab or mountinfo as it is meant: `\040` is a space.
pub fn unescape(field: &str) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if first == b'\\' => {
                bytes.push(byte);
                rest = &after[3..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# the disks\nUUID=1  /  ext4 errors=remount-ro 0 1 # root\n\n/dev/b\t/srv\text4\n/dev/s1 none swap sw 0 0\n/dev/s2 none swap sw 0 0";

    fn entry(line: &str) -> Entry {
        Entry::read(line).expect("is a line")
    }

    #[test]
    fn only_the_line_of_the_mount_point_changes() {
        assert_eq!(set(TEXT, &entry("UUID=1 / ext4 errors=remount-ro 0 1")), TEXT);
        assert_eq!(set(TEXT, &entry("/dev/b /srv ext4 defaults 0 0")), TEXT);
        assert_eq!(set(TEXT, &entry("UUID=1 / ext4 ro 0 1")), TEXT.replace("UUID=1  /  ext4 errors=remount-ro", "UUID=1 / ext4 ro"));
        assert_eq!(set(TEXT, &entry("/dev/c /mnt xfs ro 0 2")), format!("{TEXT}\n/dev/c /mnt xfs ro 0 2\n"));
        assert_eq!(
            set(TEXT, &entry("/dev/s2 none swap pri=1 0 0")),
            TEXT.replace("/dev/s2 none swap sw 0 0", "/dev/s2 none swap pri=1 0 0\n")
        );
        assert_eq!(unset(TEXT, "/srv", None), TEXT.replace("/dev/b\t/srv\text4\n", ""));
        assert_eq!(unset(TEXT, "none", Some("/dev/s1")), TEXT.replace("/dev/s1 none swap sw 0 0\n", ""));
        assert_eq!(unset(TEXT, "/dev", None), TEXT);
        assert_eq!(find(TEXT, "/srv").map(|entry| entry.options), Some("defaults".to_owned()));
    }

    #[test]
    fn spaces_of_a_path_survive() {
        let spaced = Entry { source: "//host/a share".into(), path: "/mnt/a\\b c".into(), ..entry("x y cifs ro 0 0") };
        assert_eq!(spaced.line(), "//host/a\\040share /mnt/a\\134b\\040c cifs ro 0 0");
        assert_eq!(entry(&spaced.line()), spaced);
        assert_eq!(unescape("a\\b\\04"), "a\\b\\04");
    }
}
